/* SPDX-License-Identifier: MIT */
/*
 * What is special about Unix sockets: a name that is a file.
 *
 *   bind says EADDRINUSE
 *     the file is no socket      EEXIST, it is left alone
 *     somebody answers there     EADDRINUSE
 *     nobody does                its server is dead: unlink, bind again
 *
 * At stop the file is unlinked only if it is still the one that bind made:
 * another server may have taken the name.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/compat.h"
#include "lib/server.h"
#include "weft/fiber.h"
#include "weft/unix.h"

const struct weft_stream_class weft__unix_class =
    WEFT__SOCKET_CLASS("unix", weft__socket_receive);

enum { FIRST_RETRY_MS = 1, LAST_RETRY_MS = 50 };

/* --- connect */

/* A full backlog is EAGAIN, and nothing tells when there is room: try again,
 * less and less often. Elsewhere the kernel may say EINPROGRESS instead. */
static int
connect_to(struct weft_loop *loop, struct weft__fdstream *f, const struct sockaddr_un *un,
    socklen_t length, int64_t deadline)
{
	int64_t pause = FIRST_RETRY_MS, until;
	socklen_t size = sizeof(int);
	int error;

	while (connect(f->fd[WEFT__OUT], (const struct sockaddr *)un, length) < 0) {
		if (errno == EINPROGRESS || errno == EINTR) {
			error = weft__fd_park(loop, f->slot[WEFT__OUT], WEFT_WRITABLE, deadline);
			if (error == 0 && getsockopt(f->fd[WEFT__OUT], SOL_SOCKET, SO_ERROR,
			    &error, &size) < 0)
				error = errno;
			return error;
		}
		if (errno == ENOTSOCK)  /* BSD, of a file that is none */
			return ECONNREFUSED;
		if (errno != EAGAIN || deadline == WEFT_NOWAIT)
			return errno;
		if (deadline > 0 && weft_now() >= deadline)
			return ETIMEDOUT;
		until = weft_after(pause);
		if (weft_sleep(deadline > 0 && deadline < until ? deadline : until) < 0)
			return errno;
		pause = pause * 2 < LAST_RETRY_MS ? pause * 2 : LAST_RETRY_MS;
	}
	return 0;
}

struct weft_stream *
weft_unix_connect(const char *path, int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	struct weft_stream *s = NULL;
	struct sockaddr_un un;
	socklen_t length;
	int error, fd = -1, saved = errno;

	if (loop == NULL)
		return NULL;
	error = weft__check(loop);
	if (error == 0)
		error = weft__address_unix(path, &un, &length);
	if (error == 0 && (fd = weft__compat_socket(AF_UNIX, SOCK_STREAM, 0)) < 0)
		error = errno;
	if (error == 0 && (s = weft__socket_stream(loop, &weft__unix_class, fd, NULL, 0)) == NULL) {
		close(fd);
		error = ENOMEM;
	}
	if (error == 0)
		error = connect_to(loop, (struct weft__fdstream *)s, &un, length, deadline);
	if (error == 0) {
		s->ready = WEFT_READABLE | WEFT_WRITABLE;
		errno = saved;
		return s;
	}
	weft_stream_free(s);
	return weft__make_failed("connect to", path, error);
}

int
weft_unix_pair(struct weft_stream *ends[2])
{
	struct weft_loop *loop = weft__loop();
	int fds[2];

	if (loop == NULL || weft__compat_socketpair(AF_UNIX, SOCK_STREAM, fds) < 0)
		return -1;
	ends[0] = weft__socket_stream(loop, &weft__unix_class, fds[0], NULL, 0);
	ends[1] = weft__socket_stream(loop, &weft__unix_class, fds[1], NULL, 0);
	if (ends[0] != NULL && ends[1] != NULL)
		return 0;
	if (ends[0] == NULL)
		close(fds[0]);
	if (ends[1] == NULL)
		close(fds[1]);
	weft_stream_free(ends[0]);
	weft_stream_free(ends[1]);
	return weft__fail(ENOMEM);
}

/* --- listen */

/* Whether nobody listens behind the name. */
static bool
is_dead(const struct sockaddr_un *un, socklen_t length)
{
	int fd = weft__compat_socket(AF_UNIX, SOCK_STREAM, 0);
	bool dead;

	if (fd < 0)
		return false;
	dead = connect(fd, (const struct sockaddr *)un, length) < 0 && errno == ECONNREFUSED;
	close(fd);
	return dead;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Makes room for bind, which found the name taken. 0 or an errno. */
static int
take_over(const struct sockaddr_un *un, socklen_t length)
{
	struct stat before, after;

	if (un->sun_path[0] == '\0')
		return EADDRINUSE;
	if (lstat(un->sun_path, &before) < 0)
		return errno == ENOENT ? 0 : errno;
	if (!S_ISSOCK(before.st_mode))
		return EEXIST;
	if (!is_dead(un, length))
		return EADDRINUSE;
	/* Somebody else may have taken it over just now. */
	if (lstat(un->sun_path, &after) < 0)
		return errno == ENOENT ? 0 : errno;
	if (!same_file(&before, &after))
		return EADDRINUSE;
	return unlink(un->sun_path) < 0 && errno != ENOENT ? errno : 0;
}

static int
bind_once(int fd, const struct sockaddr_un *un, socklen_t length)
{
	return bind(fd, (const struct sockaddr *)un, length) < 0 ? errno : 0;
}

static int
bind_name(int fd, const struct sockaddr_un *un, socklen_t length)
{
	int error = bind_once(fd, un, length);

	if (error != EADDRINUSE)
		return error;
	error = take_over(un, length);
	return error != 0 ? error : bind_once(fd, un, length);
}

/* The mode is set on the socket first, so that where the file takes it from
 * there, nobody gets in between bind and chmod who must not. */
static int
bind_with_rights(int fd, const struct sockaddr_un *un, socklen_t length,
    const struct weft_listen_options *options)
{
	const char *path = un->sun_path;
	int error;

	if (options->mode != 0 && path[0] != '\0')
		(void)!fchmod(fd, options->mode);
	error = bind_name(fd, un, length);
	if (error != 0 || path[0] == '\0')
		return error;
	if ((options->set_owner && chown(path, options->owner, options->group) < 0) ||
	    (options->mode != 0 && chmod(path, options->mode) < 0)) {
		error = errno;
		unlink(path);
	}
	return error;
}

/* A daemon changes its directory once it has begun to listen. NULL: ENOMEM. */
static char *
absolute(const char *path)
{
	char *directory, *whole;
	size_t size;

	if (path[0] == '/')
		return strdup(path);
	directory = malloc(PATH_MAX);
	if (directory == NULL || getcwd(directory, PATH_MAX) == NULL) {
		free(directory);
		return strdup(path);    /* it can be found from here alone */
	}
	size = strlen(directory) + 1 + strlen(path) + 1;
	whole = malloc(size);
	if (whole != NULL)
		snprintf(whole, size, "%s/%s", directory, path);
	free(directory);
	return whole;
}

/* What the file is, so that stop can see whether it is still ours. */
static int
remember_file(struct weft_server *server, const char *path)
{
	struct stat file;

	if (path[0] == '\0')
		return 0;
	if (lstat(path, &file) < 0)
		return errno;
	server->device = file.st_dev;
	server->inode = file.st_ino;
	server->path = absolute(path);
	return server->path != NULL ? 0 : ENOMEM;
}

void
weft__unix_unlink(struct weft_server *server)
{
	struct stat ours = { .st_dev = server->device, .st_ino = server->inode }, file;

	if (lstat(server->path, &file) == 0 && same_file(&ours, &file))
		unlink(server->path);
}

static int
listen_at(struct weft_loop *loop, const struct sockaddr_un *un, socklen_t length,
    const struct weft_listen_options *options, struct weft_server **server)
{
	int error, fd = weft__compat_socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0)
		return errno;
	error = bind_with_rights(fd, un, length, options);
	if (error != 0) {
		close(fd);
		return error;
	}
	if (listen(fd, options->backlog) < 0)
		error = errno;
	else if ((*server = weft__server_new(loop, &weft__unix_class, fd, options)) == NULL)
		error = ENOMEM;
	else
		error = remember_file(*server, un->sun_path);
	if (error == 0)
		return 0;
	if (un->sun_path[0] != '\0')
		unlink(un->sun_path);
	if (*server == NULL)
		close(fd);
	weft_server_free(*server);
	return error;
}

struct weft_server *
weft_unix_listen(const char *path, const struct weft_listen_options *options)
{
	struct weft_loop *loop = weft__loop();
	struct weft_listen_options all;
	struct weft_server *server = NULL;
	struct sockaddr_un un;
	socklen_t length;
	int error, saved = errno;

	if (loop == NULL)
		return NULL;
	error = weft__listen_options(options, &all);
	if (error == 0)
		error = weft__address_unix(path, &un, &length);
	if (error == 0)
		error = listen_at(loop, &un, length, &all, &server);
	if (error != 0)
		return weft__make_failed("listen at", path, error);
	errno = saved;
	return server;
}
