/* SPDX-License-Identifier: MIT */
/*
 * bench/server_epoll.c - what server_weft.c does, by hand on epoll: level
 * triggered, one buffer for all connections, one read and one write for each
 * event. A connection that cannot take its answer waits for room, unread.
 *
 *      server_epoll MODE       prints its port
 */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lines.h"
#include "listen.h"

enum { EVENTS = 256 };

struct connection {
	int fd;
	uint64_t total;         /* sink: bytes so far */
	struct rest rest;       /* lines: one that has begun; or not yet sent */
	bool stuck;             /* waits for room */
};

static int set;
static char buffer[BULK];

static void
watch(struct connection *c, int operation, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (epoll_ctl(set, operation, c->fd, &e) < 0)
		abort();
}

static void
end(struct connection *c)
{
	close(c->fd);
	free(c->rest.bytes);
	free(c);
}

/* Sends n bytes; what does not fit is kept. */
static bool
answer(struct connection *c, const char *bytes, size_t n)
{
	ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL);

	if (sent < 0 && errno != EAGAIN)
		return false;
	if (sent < 0)
		sent = 0;
	if ((size_t)sent == n)
		return true;
	rest_keep(&c->rest, bytes + sent, n - (size_t)sent);
	c->stuck = true;
	watch(c, EPOLL_CTL_MOD, EPOLLOUT);
	return true;
}

static bool
go_on(struct connection *c)
{
	ssize_t sent = send(c->fd, c->rest.bytes, c->rest.length, MSG_NOSIGNAL);

	if (sent < 0)
		return errno == EAGAIN;
	rest_keep(&c->rest, c->rest.bytes + sent, c->rest.length - (size_t)sent);
	if (c->rest.length == 0) {
		c->stuck = false;
		watch(c, EPOLL_CTL_MOD, EPOLLIN);
	}
	return true;
}

static bool
echo(struct connection *c)
{
	ssize_t n = read(c->fd, buffer, PIECE);

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	return answer(c, buffer, (size_t)n);
}

/* Finds each line, and sends all that have come in one call. */
static bool
lines(struct connection *c)
{
	size_t have = rest_before(&c->rest, buffer), whole;
	ssize_t n;

	n = read(c->fd, buffer + have, PIECE - have);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	have += (size_t)n;
	whole = whole_lines(buffer, have);
	rest_keep(&c->rest, buffer + whole, have - whole);
	return whole == 0 || answer(c, buffer, whole);
}

static bool
sink(struct connection *c)
{
	ssize_t n = read(c->fd, buffer, BULK);

	if (n > 0) {
		c->total += (uint64_t)n;
		return true;
	}
	if (n < 0 && errno == EAGAIN)
		return true;
	(void)!send(c->fd, &c->total, sizeof c->total, MSG_NOSIGNAL);
	return false;
}

static void
take(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct connection *c;

	if (fd < 0)
		return;
	without_delay(fd);
	c = calloc(1, sizeof *c);
	if (c == NULL)
		abort();
	c->fd = fd;
	watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS], listening = { .events = EPOLLIN };
	bool (*const modes[])(struct connection *) = { echo, lines, sink, NULL },
	    (*serve)(struct connection *) = modes[mode_of(argc, argv)];
	int i, n, listener;

	if (serve == NULL) {
		fprintf(stderr, "usage: server_epoll echo | lines | sink\n");
		return 2;
	}
	set = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_anywhere();
	if (epoll_ctl(set, EPOLL_CTL_ADD, listener, &listening) < 0)
		abort();
	for (;;) {
		n = epoll_wait(set, events, EVENTS, -1);
		for (i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;

			if (c == NULL)
				take(listener);
			else if (!(c->stuck ? go_on(c) : serve(c)))
				end(c);
		}
	}
}
