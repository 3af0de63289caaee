/* SPDX-License-Identifier: MIT */
/*
 * bench/server_ev.c - the servers on libev, which reports readiness and leaves
 * the rest to the program. A connection that cannot take its answer is dropped:
 * the load never gets that far.
 */
#include <ev.h>
#include <unistd.h>

#include "lines.h"
#include "listen.h"

struct connection {
	ev_io watcher;          /* first */
	struct rest rest;
	uint64_t total;
};

static char buffer[BULK];
static void (*serve)(struct ev_loop *, ev_io *, int);

static void
end(struct ev_loop *loop, struct connection *c)
{
	ev_io_stop(loop, &c->watcher);
	close(c->watcher.fd);
	free(c->rest.bytes);
	free(c);
}

static void
echo(struct ev_loop *loop, ev_io *watcher, int events)
{
	ssize_t n = read(watcher->fd, buffer, PIECE);

	(void)events;
	if (n <= 0 || send(watcher->fd, buffer, (size_t)n, MSG_NOSIGNAL) != n)
		end(loop, (struct connection *)watcher);
}

static void
lines(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct connection *c = (struct connection *)watcher;
	size_t have = rest_before(&c->rest, buffer), whole;
	ssize_t n = read(watcher->fd, buffer + have, PIECE - have);

	(void)events;
	if (n <= 0) {
		end(loop, c);
		return;
	}
	have += (size_t)n;
	whole = whole_lines(buffer, have);
	rest_keep(&c->rest, buffer + whole, have - whole);
	if (whole > 0 && send(watcher->fd, buffer, whole, MSG_NOSIGNAL) != (ssize_t)whole)
		end(loop, c);
}

static void
sink(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct connection *c = (struct connection *)watcher;
	ssize_t n = read(watcher->fd, buffer, BULK);

	(void)events;
	if (n > 0) {
		c->total += (uint64_t)n;
		return;
	}
	(void)!send(watcher->fd, &c->total, sizeof c->total, MSG_NOSIGNAL);
	end(loop, c);
}

static void
take(struct ev_loop *loop, ev_io *listener, int events)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct connection *c = fd < 0 ? NULL : calloc(1, sizeof *c);

	(void)events;
	if (c == NULL)
		return;
	ev_io_init(&c->watcher, serve, without_delay(fd), EV_READ);
	ev_io_start(loop, &c->watcher);
}

int
main(int argc, char **argv)
{
	void (*const modes[])(struct ev_loop *, ev_io *, int) = { echo, lines, sink, NULL };
	struct ev_loop *loop = ev_default_loop(0);
	ev_io listener;

	serve = modes[mode_of(argc, argv)];
	if (serve == NULL || loop == NULL)
		return 2;
	ev_io_init(&listener, take, listen_anywhere(), EV_READ);
	ev_io_start(loop, &listener);
	ev_run(loop, 0);
	return 0;
}
