/* SPDX-License-Identifier: MIT */
/*
 * A listener and its connections.
 *
 *   listening --stop--> stopped --close--> closed --free--> gone with the last
 *       \------------------close------------^       connection that knows it
 *
 * A connection lies in the list from accept (accept.c) until its handler has
 * returned.
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
		all->backlog = SOMAXCONN > WEFT__BACKLOG ? SOMAXCONN : WEFT__BACKLOG;
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

int
weft__server_expect(struct weft_server *server, size_t listeners)
{
	server->others = calloc(listeners, sizeof *server->others);
	return server->others != NULL ? 0 : ENOMEM;
}

/* An arrival wakes whoever waits for one; who waits for something else there
 * looks and waits again. */
static bool
arrived(void *arg, int events)
{
	struct weft__listener *listener = arg;

	listener->ready = events > 0;
	if (events < 0)
		listener->slot = NULL;  /* the number is not ours any more */
	else if (listener->server->watcher != NULL)
		listener->server->watcher->told(listener->server->watcher, WEFT__NEWS_INPUT);
	else if (weft__accepting(listener->server))
		weft__wake(listener->server->acceptor, 0);
	return true;
}

int
weft__server_add(struct weft_server *server, int fd)
{
	struct weft__listener *listener = &server->others[server->other_count];

	*listener = (struct weft__listener){ .server = server, .fd = fd, .ready = true };
	listener->slot = weft__fd_own(server->loop, fd, arrived, listener);
	if (listener->slot == NULL)
		return errno;
	server->other_count++;
	return 0;
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
	int listens = 1;                /* unless it is told that it does not */

	if (loop == NULL)
		return NULL;
	if (getsockname(fd, &address.any, &length) < 0 ||
	    (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 &&
	    errno != ENOPROTOOPT))
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
	free(server->others);
	free(server);
}

struct weft_server *
weft_stream_server(const struct weft_stream *s)
{
	return s->closed || s->server == NULL || s->server->closed ? NULL : s->server;
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
		s->leaving = s->users == 1;     /* this one */
		weft_stream_close(s, weft_stream_queued(s) == 0 ? WEFT_NOWAIT :
		    weft_after(WEFT__LINGER_MS));
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
		error = weft__accept(server, &s, WEFT_NEVER);
		if (error == EBADF && server->fd < 0)
			error = 0;              /* stopped */
		else if (error == 0 && start_handler(server, s) != 0)
			error = weft__accept_rest(server, &pause, WEFT_NEVER);
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
	if (error == 0 && weft__accepting(server))
		error = EBUSY;
	if (error != 0)
		return error;
	server->acceptor = weft__running(server->loop);
	server->handler = handler;
	server->arg = arg;
	server->references++;
	weft__accept_try_all(server);
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

static void
close_others(struct weft_server *server)
{
	while (server->other_count > 0) {
		struct weft__listener *listener = &server->others[--server->other_count];

		if (listener->slot == NULL)
			continue;
		weft__fd_disown(server->loop, listener->slot);
		weft__fd_close(server->loop, listener->fd);
	}
}

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
	close_others(server);
	weft__queue_wake_all(&server->changes, 0);
	if (server->watcher != NULL)
		server->watcher->told(server->watcher, WEFT__NEWS_CLOSED);
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

/* Who accepts has been woken: he lets go of the server, which would else not
 * be freed if this thread ends before anybody else runs. */
static void
see_acceptor_off(const struct weft_server *server)
{
	int saved = errno;

	if (server->acceptor != NULL && server->acceptor != weft__running(server->loop) &&
	    !weft__gone(server->acceptor))
		(void)!weft_yield();
	errno = saved;
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
	see_acceptor_off(server);
	weft__server_let_go(server);
	return error == 0 ? 0 : weft__fail(ETIMEDOUT);
}

void
weft_server_free(struct weft_server *server)
{
	if (server == NULL)
		return;
	if (server->watcher != NULL)
		server->watcher->told(server->watcher, WEFT__NEWS_FREED);
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
