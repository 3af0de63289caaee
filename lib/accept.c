/* SPDX-License-Identifier: MIT */
/*
 * Taking connections: up to 16, then the other fibers have their turn.
 *
 * When the process or the system runs out of descriptors or memory, the
 * listener rests for a while, longer each time, and goes on as soon as weft
 * closes a descriptor.
 */
#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "lib/compat.h"
#include "lib/server.h"
#include "weft/fiber.h"

/* Errors of accept(2) that speak of the connection, or of the network behind
 * it (on Linux EOPNOTSUPP, too), say nothing about the listener. */
static enum weft__accepted
judge(int error)
{
	switch (error) {
	case EAGAIN:
#if EWOULDBLOCK != EAGAIN
	case EWOULDBLOCK:
#endif
		return NONE_LEFT;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return PAUSE;
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
	case EFAULT:
		return FATAL;
	default:
		return NEXT;
	}
}

static struct weft_stream *
make_connection(struct weft_server *server, int fd, const struct sockaddr *peer,
    socklen_t length)
{
	struct weft_stream *s;

	if (!WEFT__OPTIONS_ARE_INHERITED && peer->sa_family != AF_UNIX)
		weft__tcp_set_options(fd, server->options.no_nodelay,
		    server->options.keepalive);
	s = weft__socket_stream(server->loop, server->class, fd, peer, length);
	if (s == NULL) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	s->server = server;
	server->references++;
	return s;
}

static enum weft__accepted
take_from(struct weft_server *server, int listener, struct weft_stream **s)
{
	union weft__sockaddr peer = { .any = { 0 } };
	socklen_t length = sizeof peer;
	int fd;

	fd = weft__compat_accept(listener, &peer.any, &length);
	if (fd < 0)
		return judge(errno);
	if (length == 0 && server->class == &weft__tcp_class) {
		close(fd);              /* macOS, of one that was reset before */
		return NEXT;
	}
	*s = make_connection(server, fd, &peer.any, length);
	return *s != NULL ? TAKEN : PAUSE;
}

/* Of several listeners each has its turn to be the first that is tried. */
enum weft__accepted
weft__accept_try(struct weft_server *server, struct weft_stream **s)
{
	size_t all = 1 + server->other_count, i;

	for (i = 0; i < all; i++) {
		size_t which = (server->turn + i) % all;
		struct weft__listener *other = which > 0 ? &server->others[which - 1] : NULL;
		enum weft__accepted verdict;

		if (other != NULL && !other->ready)
			continue;
		verdict = take_from(server, other != NULL ? other->fd : server->fd, s);
		if (verdict != NONE_LEFT) {
			server->turn = which + 1;
			return verdict;
		}
		if (other != NULL)
			other->ready = false;
	}
	return NONE_LEFT;
}

void
weft__accept_try_all(struct weft_server *server)
{
	size_t i;

	for (i = 0; i < server->other_count; i++)
		server->others[i].ready = server->others[i].slot != NULL;
}

/* The other listeners say when they may have a connection. An errno. */
static int
want_others(struct weft_server *server)
{
	size_t i;
	int error;

	for (i = 0; i < server->other_count; i++) {
		struct weft__listener *other = &server->others[i];

		if (other->slot == NULL)
			continue;
		error = weft__fd_want(server->loop, other->slot, WEFT_READABLE);
		if (error != 0)
			return error;
	}
	return 0;
}

/* Until one of them may have a connection. 0 or an errno. */
static int
wait_for_one(struct weft_server *server, int64_t deadline)
{
	int error = want_others(server);

	return error != 0 ? error :
	    weft__fd_park(server->loop, server->slot, WEFT_READABLE, deadline);
}

int
weft__accept_watch(struct weft_server *server, struct weft__waiter *waiter)
{
	int error = want_others(server);

	return error != 0 ? error :
	    weft__fd_watch(server->loop, server->slot, waiter, WEFT_READABLE);
}

static bool
passed(int64_t deadline)
{
	return deadline >= 0 && weft_now() >= deadline;
}

int64_t
weft__accept_pause(struct weft_server *server, int64_t *pause)
{
	int64_t until = weft_after(*pause);

	weft__loop_count_pause(server->loop);
	*pause = *pause * 2 < WEFT__PAUSE_MAX_MS ? *pause * 2 : WEFT__PAUSE_MAX_MS;
	return until;
}

/* Rests the listener until a descriptor is closed, or for *pause, and longer
 * the next time. */
int
weft__accept_rest(struct weft_server *server, int64_t *pause, int64_t deadline)
{
	int64_t until = weft__accept_pause(server, pause);
	int error;

	error = weft__fd_wait_for_close(server->loop,
	    deadline >= 0 && deadline < until ? deadline : until);
	if (error == ETIMEDOUT && !passed(deadline) && !passed(weft_deadline()))
		return 0;
	return error;
}

/* The next connection, or an errno. */
int
weft__accept(struct weft_server *server, struct weft_stream **s, int64_t deadline)
{
	int64_t pause = WEFT__PAUSE_MS;
	int error = 0;

	if (deadline != WEFT_NEVER)
		weft__accept_try_all(server);
	while (error == 0) {
		if (server->fd < 0)
			return EBADF;
		switch (weft__accept_try(server, s)) {
		case TAKEN:
			weft__charge(server->loop, WEFT__ACCEPT_COST);
			return 0;
		case NEXT:
			weft__charge(server->loop, WEFT__ACCEPT_COST);
			break;
		case NONE_LEFT:
			error = wait_for_one(server, deadline);
			break;
		case PAUSE:
			error = weft__accept_rest(server, &pause, deadline);
			break;
		case FATAL:
			return errno;
		}
	}
	return error;
}

/* One at a time; a fiber that was lost by a fork is none, and a poller is. */
bool
weft__accepting(const struct weft_server *server)
{
	return server->watcher != NULL ||
	    (server->acceptor != NULL && !weft__gone(server->acceptor));
}

struct weft_stream *
weft_server_accept(struct weft_server *server, int64_t deadline)
{
	struct weft_stream *s = NULL;
	int error = weft__check(server->loop);

	if (error == 0 && (server->closed || server->fd < 0))
		error = EBADF;
	if (error == 0 && weft__accepting(server))
		error = EBUSY;
	if (error == 0) {
		server->acceptor = weft__running(server->loop);
		server->references++;
		error = weft__accept(server, &s, deadline);
		server->acceptor = NULL;
		weft__server_let_go(server);
	}
	if (error == 0)
		return s;
	errno = error;
	return NULL;
}
