/* SPDX-License-Identifier: MIT */
/*
 * A listener and its connections.
 *
 *   listening --stop--> stopped --close--> closed --free--> gone with the last
 *       \------------------close------------^       connection that knows it
 *
 * One fiber accepts: up to 16 connections, then the others have their turn. A
 * connection lies in the list from accept until its handler has returned. When
 * the process or the system runs out of descriptors or memory, the listener
 * rests for a while, longer each time, and goes on as soon as weft closes a
 * descriptor.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/compat.h"
#include "lib/server.h"
#include "weft/fiber.h"

int
weft__listen_options(const struct weft_listen_options *options,
    struct weft_listen_options *all)
{
	*all = (struct weft_listen_options){ .size = sizeof *all };
	if (options != NULL) {
		if (options->size < sizeof options->size || options->backlog < 0)
			return EINVAL;
		memcpy(all, options, options->size < sizeof *all ?
		    options->size : sizeof *all);
	}
	if (all->backlog == 0)
		all->backlog = SOMAXCONN;
	return 0;
}

static void
name_server(struct weft_server *server)
{
	union weft__sockaddr address;
	socklen_t length = sizeof address;
	char name[WEFT__NAME_MAX];

	if (getsockname(server->fd, &address.any, &length) < 0)
		return;
	weft__address_format(&address.any, length, name);
	server->name = strdup(name);
	server->port = weft__address_port(&address.any);
}

struct weft_server *
weft__server_new(struct weft_loop *loop, const struct weft_stream_class *class, int fd,
    const struct weft_listen_options *options)
{
	struct weft_server *server;

	if (weft__per_loop(loop) == NULL)
		return NULL;
	server = calloc(1, sizeof *server);
	if (server == NULL)
		return NULL;
	server->loop = loop;
	server->class = class;
	server->fd = fd;
	server->options = *options;
	server->references = 1;
	server->slot = weft__fd_listen(loop, fd);
	if (server->slot == NULL) {
		free(server);
		return NULL;
	}
	name_server(server);
	return server;
}

struct weft_server *
weft_server_from_fd(int fd)
{
	struct weft_loop *loop = weft__loop();
	struct weft_listen_options options;
	union weft__sockaddr address;
	socklen_t length = sizeof address, size = sizeof(int);
	const struct weft_stream_class *class;
	struct weft_server *server;
	int listens = 0;

	if (loop == NULL)
		return NULL;
	if (getsockname(fd, &address.any, &length) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0)
		return weft__make_failed("take", "listener", errno);
	class = listens ? weft__socket_class(address.any.sa_family) : NULL;
	if (class == NULL)
		return weft__make_failed("take", "listener", EINVAL);
	weft__listen_options(NULL, &options);
	if (weft__compat_set_flags(fd) < 0 ||
	    (server = weft__server_new(loop, class, fd, &options)) == NULL)
		return weft__make_failed("take", "listener", errno);
	return server;
}

/* --- who holds the memory */

void
weft__server_let_go(struct weft_server *server)
{
	if (--server->references > 0)
		return;
	free(server->name);
	free(server->path);
	free(server);
}

struct weft_server *
weft_stream_server(const struct weft_stream *s)
{
	return s->closed || s->server == NULL || s->server->closed ? NULL : s->server;
}

/* --- taking connections */

enum verdict { TAKEN, NONE_LEFT, NEXT, PAUSE, FATAL };

/* Errors of accept(2) that speak of the connection, or of the network behind
 * it, say nothing about the listener. */
static enum verdict
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
	case EOPNOTSUPP:
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

static enum verdict
take(struct weft_server *server, struct weft_stream **s)
{
	union weft__sockaddr peer = { .any = { 0 } };
	socklen_t length = sizeof peer;
	int fd;

	fd = weft__compat_accept(server->fd, &peer.any, &length);
	if (fd < 0)
		return judge(errno);
	*s = make_connection(server, fd, &peer.any, length);
	return *s != NULL ? TAKEN : PAUSE;
}

static bool
passed(int64_t deadline)
{
	return deadline >= 0 && weft_now() >= deadline;
}

/* Rests the listener until a descriptor is closed, or for *pause, and longer
 * the next time. */
static int
rest(struct weft_server *server, int64_t *pause, int64_t deadline)
{
	int64_t until = weft_after(*pause);
	int error;

	weft__loop_count_pause(server->loop);
	*pause = *pause * 2 < WEFT__PAUSE_MAX_MS ? *pause * 2 : WEFT__PAUSE_MAX_MS;
	error = weft__fd_wait_for_close(server->loop,
	    deadline >= 0 && deadline < until ? deadline : until);
	if (error == ETIMEDOUT && !passed(deadline) && !passed(weft_deadline()))
		return 0;
	return error;
}

/* The next connection, or an errno. */
static int
next_connection(struct weft_server *server, struct weft_stream **s, int64_t deadline)
{
	int64_t pause = WEFT__PAUSE_MS;
	int error = 0;

	while (error == 0) {
		if (server->fd < 0)
			return EBADF;
		switch (take(server, s)) {
		case TAKEN:
			weft__charge(server->loop, WEFT__ACCEPT_COST);
			return 0;
		case NEXT:
			weft__charge(server->loop, WEFT__ACCEPT_COST);
			break;
		case NONE_LEFT:
			error = weft__fd_park(server->loop, server->slot,
			    WEFT_READABLE, deadline);
			break;
		case PAUSE:
			error = rest(server, &pause, deadline);
			break;
		case FATAL:
			return errno;
		}
	}
	return error;
}

/* One at a time; a fiber that was lost by a fork is none. */
static bool
busy(const struct weft_server *server)
{
	return server->acceptor != NULL && !weft__gone(server->acceptor);
}

struct weft_stream *
weft_server_accept(struct weft_server *server, int64_t deadline)
{
	struct weft_stream *s = NULL;
	int error = weft__check(server->loop);

	if (error == 0 && (server->closed || server->fd < 0))
		error = EBADF;
	if (error == 0 && busy(server))
		error = EBUSY;
	if (error == 0) {
		server->acceptor = weft__running(server->loop);
		server->references++;
		error = next_connection(server, &s, deadline);
		server->acceptor = NULL;
		weft__server_let_go(server);
	}
	if (error == 0)
		return s;
	errno = error;
	return NULL;
}

/* --- serving */

static void
enlist(struct weft_server *server, struct weft_stream *s)
{
	s->older = server->newest;
	if (s->older != NULL)
		s->older->newer = s;
	else
		server->oldest = s;
	server->newest = s;
	server->connections++;
}

static void
delist(struct weft_server *server, struct weft_stream *s)
{
	if (s->older != NULL)
		s->older->newer = s->newer;
	else
		server->oldest = s->newer;
	if (s->newer != NULL)
		s->newer->older = s->older;
	else
		server->newest = s->older;
	server->connections--;
	s->handler = NULL;
	weft__queue_wake_all(&server->changes, 0);
}

/* However the handler has ended, by weft_exit, too. */
static void
end_handler(void *arg)
{
	struct weft_stream *s = arg;
	struct weft_server *server = s->server;

	if (weft__result(server->loop) != WEFT_KEEP) {
		weft_stream_close(s, weft_after(WEFT__LINGER_MS));
		weft_stream_free(s);
	}
	delist(server, s);
	weft__stream_go_out(s);
	weft__server_let_go(server);
}

/* A fiber of its own, which runs even if it was cancelled before: somebody has
 * to close the connection. It counts as a user of the stream, so that a handler
 * that frees its connection does no harm. */
static int
run_handler(void *arg)
{
	struct weft_stream *s = arg;
	struct weft_server *server = s->server;

	server->references++;
	weft__at_end(server->loop, end_handler, s);
	return weft_canceled() ? -1 : server->handler(s, server->arg);
}

static int
start_handler(struct weft_server *server, struct weft_stream *s)
{
	s->handler = weft__spawn_obliged(run_handler, s);
	if (s->handler == NULL) {
		weft_stream_free(s);
		return ENOMEM;
	}
	s->users++;
	enlist(server, s);
	return 0;
}

static bool
full(const struct weft_server *server)
{
	return server->options.max_connections > 0 &&
	    server->connections >= server->options.max_connections;
}

static int
wait_for_change(struct weft_server *server, int64_t deadline, unsigned how)
{
	return weft__queue_wait(server->loop, &server->changes, deadline,
	    how | WEFT__FOR_SERVER);
}

/* Until the server is closed, or this fiber has to stop. */
static int
accept_loop(struct weft_server *server)
{
	struct weft_stream *s = NULL;
	int64_t pause = WEFT__PAUSE_MS;
	int error = 0;

	while (error == 0 && !server->closed) {
		if (server->fd < 0 || full(server)) {
			error = wait_for_change(server, WEFT_NEVER, WEFT__INTERNAL);
			continue;
		}
		error = next_connection(server, &s, WEFT_NEVER);
		if (error == EBADF && server->fd < 0)
			error = 0;              /* stopped */
		else if (error == 0 && start_handler(server, s) != 0)
			error = rest(server, &pause, WEFT_NEVER);
		else
			pause = WEFT__PAUSE_MS;
	}
	return error;
}

static int
serve(struct weft_server *server)
{
	int error = accept_loop(server);

	while (error == 0 && server->connections > 0)
		error = wait_for_change(server, WEFT_NEVER, WEFT__INTERNAL);
	server->acceptor = NULL;
	weft__queue_wake_all(&server->changes, 0);
	weft__server_let_go(server);
	return error;
}

/* Connections whose handlers were lost by a fork are nobody's any more. */
static void
forget_lost(struct weft_server *server)
{
	struct weft_stream *s, *newer;

	for (s = server->oldest; s != NULL; s = newer) {
		newer = s->newer;
		if (weft__gone(s->handler))
			delist(server, s);
	}
}

static int
begin(struct weft_server *server, weft_handler *handler, void *arg)
{
	int error = handler == NULL ? EINVAL : weft__check(server->loop);

	if (error == 0 && server->closed)
		error = EBADF;
	if (error == 0 && busy(server))
		error = EBUSY;
	if (error != 0)
		return error;
	server->acceptor = weft__running(server->loop);
	server->handler = handler;
	server->arg = arg;
	server->references++;
	forget_lost(server);
	return 0;
}

int
weft_server_serve(struct weft_server *server, weft_handler *handler, void *arg)
{
	int error = begin(server, handler, arg);

	if (error == 0)
		error = serve(server);
	return error == 0 ? 0 : weft__fail(error);
}

static int
serve_in_fiber(void *server)
{
	return serve(server);
}

int
weft_server_start(struct weft_server *server, weft_handler *handler, void *arg)
{
	int error = begin(server, handler, arg);

	if (error != 0)
		return weft__fail(error);
	server->acceptor = weft_spawn(serve_in_fiber, server);
	if (server->acceptor == NULL) {
		server->references--;
		return -1;
	}
	return weft_detach(server->acceptor);
}

/* --- ending */

int
weft_server_stop(struct weft_server *server)
{
	int fd = server->fd;

	if (fd < 0)
		return 0;
	server->fd = -1;
	if (server->path != NULL)
		weft__unix_unlink(server);
	weft__fd_disown(server->loop, server->slot);
	server->slot = NULL;
	weft__fd_close(server->loop, fd);
	weft__queue_wake_all(&server->changes, 0);
	return 0;
}

/* Connections other than the one whose handler this is. */
static size_t
others(const struct weft_server *server)
{
	const struct weft_fiber *self = weft__running(server->loop);
	const struct weft_stream *s;

	for (s = server->oldest; s != NULL; s = s->newer)
		if (s->handler == self)
			return server->connections - 1;
	return server->connections;
}

static void
cut_off(struct weft_server *server)
{
	const struct weft_fiber *self = weft__running(server->loop);
	struct weft_stream *s;

	for (s = server->oldest; s != NULL; s = s->newer) {
		if (s->handler == self)
			continue;
		weft_cancel(s->handler);
		weft_stream_abort(s);
	}
}

int
weft_server_close(struct weft_server *server, int64_t deadline)
{
	int error = 0;

	if (server->closed)
		return 0;
	server->closed = true;
	server->references++;
	forget_lost(server);
	weft_server_stop(server);
	weft__queue_wake_all(&server->changes, 0);
	while (error == 0 && others(server) > 0)
		error = wait_for_change(server, deadline, WEFT__INTERNAL);
	if (error != 0) {
		cut_off(server);
		while (others(server) > 0)
			wait_for_change(server, WEFT_NEVER, WEFT__STUBBORN);
	}
	weft__server_let_go(server);
	return error == 0 ? 0 : weft__fail(ETIMEDOUT);
}

void
weft_server_free(struct weft_server *server)
{
	if (server == NULL)
		return;
	weft_server_close(server, WEFT_NOWAIT);
	weft__server_let_go(server);
}

/* --- state */

size_t
weft_server_connections(struct weft_server *server, struct weft_stream **out, size_t max)
{
	struct weft_stream *s = server->oldest;
	size_t i;

	for (i = 0; i < max && s != NULL; i++, s = s->newer)
		out[i] = s;
	return server->connections;
}

const char *
weft_server_sockname(struct weft_server *server)
{
	return server->name != NULL ? server->name : "";
}

int
weft_server_port(const struct weft_server *server)
{
	return server->port >= 0 ? server->port : weft__fail(ENOTSUP);
}

int
weft_server_fd(const struct weft_server *server)
{
	return server->fd >= 0 ? server->fd : weft__fail(EBADF);
}
