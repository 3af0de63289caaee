/* SPDX-License-Identifier: MIT */
/*
 * tests/servers.h - words that the tests of servers share: one server, which
 * echoes lines, and its clients.
 */
#ifndef WEFT_TESTS_SERVERS_H
#define WEFT_TESTS_SERVERS_H

#include <stdio.h>

#include "tests/streams.h"
#include "weft/server.h"
#include "weft/tcp.h"

static struct weft_server *server;
static int handled, serving;

static inline void
listen_with(const struct weft_listen_options *options)
{
	server = weft_tcp_listen("127.0.0.1", "0", options);
	ck_assert_msg(server != NULL, "%s", weft_stream_error_text(NULL));
}

static inline struct weft_stream *
client(void)
{
	char port[16];
	struct weft_stream *s;

	snprintf(port, sizeof port, "%d", weft_server_port(server));
	s = weft_tcp_connect("127.0.0.1", port, NULL, soon_enough());
	ck_assert_msg(s != NULL, "%s", weft_stream_error_text(NULL));
	return s;
}

static inline int
echo(struct weft_stream *s, void *arg)
{
	const char *line;
	ssize_t n;

	(void)arg;
	handled++;
	while ((n = weft_stream_read_line(s, &line, WEFT_NEVER)) > 0)
		if (weft_stream_write(s, line, (size_t)n, WEFT_NEVER) != n)
			break;
	return 0;
}

static inline void
start(weft_handler *handler)
{
	listen_with(NULL);
	handled = 0;
	ck_assert_gives(weft_server_start(server, handler, NULL), 0);
}

/* A client gets its line back: the server serves. */
static inline void
serves(void)
{
	struct weft_stream *s = client();

	write_all(s, "ping\n", 5);
	expect_line(s, "ping\n");
	weft_stream_free(s);
}

static inline void
until_connections(size_t n)
{
	int64_t deadline = soon_enough();

	while (weft_server_connections(server, NULL, 0) != n) {
		ck_assert_int_lt(weft_now(), deadline);
		ck_assert_ok(weft_yield());
	}
}

static inline int
serve(void *arg)
{
	serving = 1;
	return weft_server_serve(server, echo, arg) == 0 ? 0 : errno;
}

#endif
