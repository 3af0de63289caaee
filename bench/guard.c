/* SPDX-License-Identifier: MIT */
/*
 * bench/guard.c - runs one operation so many times, and nothing else that
 * matters: for counting its instructions (guard.sh).
 *
 *      guard OPERATION TIMES
 */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <weft.h>

enum { CONNECTIONS = 64, MESSAGE = 64, LINES = 16 };

static long times;

static void
must(int good)
{
	if (!good) {
		perror("guard");
		exit(1);
	}
}

/* --- connections in one process: a stream here, a plain socket there */

static int ours[CONNECTIONS];
static char sent[LINES * MESSAGE], got[LINES * MESSAGE];

static int
echo(void *stream)
{
	char bytes[2048];
	ssize_t n;

	while ((n = weft_stream_read(stream, bytes, sizeof bytes, WEFT_NEVER)) > 0)
		must(weft_stream_write(stream, bytes, (size_t)n, WEFT_NEVER) == n);
	return 0;
}

static int
echo_lines(void *stream)
{
	const char *line;
	ssize_t n;

	weft_stream_set_coalescing(stream, true);
	while ((n = weft_stream_read_line(stream, &line, WEFT_NEVER)) > 0)
		must(weft_stream_write(stream, line, (size_t)n, WEFT_NEVER) == n);
	return 0;
}

static void
connect_all(int connections, weft_fn *serve)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof address;
	int i, listener = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
	    listen(listener, CONNECTIONS) == 0 &&
	    getsockname(listener, (struct sockaddr *)&address, &length) == 0);
	for (i = 0; i < connections; i++) {
		ours[i] = socket(AF_INET, SOCK_STREAM, 0);
		must(connect(ours[i], (struct sockaddr *)&address, sizeof address) == 0);
		must(weft_go(serve, weft_stream_from_socket(accept(listener, NULL, NULL))) == 0);
	}
	for (i = 0; i < (int)sizeof sent; i++)
		sent[i] = i % MESSAGE == MESSAGE - 1 ? '\n' : 'x';
	weft_yield();
}

/* Each connection sends `size` bytes and gets them back; in two calls each. */
static void
exchange(int connections, size_t size)
{
	int i;

	for (i = 0; i < connections; i++)
		must(write(ours[i], sent, size) == (ssize_t)size);
	for (i = 0; i < connections; i++) {
		if (i == 0)
			weft_fd_wait(ours[connections - 1], WEFT_READABLE, WEFT_NEVER);
		must(recv(ours[i], got, size, MSG_WAITALL) == (ssize_t)size);
	}
}

static void
echo_64(void)
{
	connect_all(CONNECTIONS, echo);
	for (long i = 0; i < times; i += CONNECTIONS)
		exchange(CONNECTIONS, MESSAGE);
}

static void
echo_1(void)
{
	connect_all(1, echo);
	for (long i = 0; i < times; i++)
		exchange(1, MESSAGE);
}

static void
line(void)
{
	connect_all(CONNECTIONS, echo_lines);
	for (long i = 0; i < times; i += CONNECTIONS * LINES)
		exchange(CONNECTIONS, sizeof sent);
}

/* A connection to a server that echoes, one message, and the end. A Unix socket:
 * TCP ports are soon used up. */
static int
echo_one(struct weft_stream *stream, void *arg)
{
	(void)arg;
	return echo(stream);
}

static void
connect_often(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct weft_server *server;

	snprintf(address.sun_path, sizeof address.sun_path,
	    "/tmp/weft-guard-%ld-%lld", (long)getpid(), (long long)weft_now());
	server = weft_unix_listen(address.sun_path, NULL);
	must(server != NULL && weft_server_start(server, echo_one, NULL) == 0);
	for (long i = 0; i < times; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		must(connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
		    write(fd, sent, MESSAGE) == MESSAGE &&
		    weft_fd_wait(fd, WEFT_READABLE, WEFT_NEVER) == WEFT_READABLE &&
		    read(fd, got, MESSAGE) == MESSAGE);
		weft_fd_close(fd);
	}
	must(weft_server_close(server, WEFT_NEVER) == 0);
	weft_server_free(server);
}

/* --- fibers */

static int
yield_often(void *arg)
{
	for (long i = 0; i < times; i += 2)
		weft_yield();
	return arg == NULL;
}

static void
yield(void)
{
	must(weft_go(yield_often, NULL) == 0);
	yield_often(NULL);
}

static int
nothing(void *arg)
{
	return arg == NULL;
}

static void
spawn(void)
{
	for (long i = 0; i < times; i++)
		must(weft_join(weft_spawn(nothing, NULL), NULL, WEFT_NEVER) == 0);
}

static struct weft_channel *channel;

static int
send_all(void *arg)
{
	for (long i = 0; i < times; i++)
		must(weft_channel_send(channel, &i, WEFT_NEVER) == 0);
	return arg == NULL;
}

static void
send_receive(void)
{
	long item;

	channel = weft_channel_new(sizeof item, 16);
	must(channel != NULL && weft_go(send_all, NULL) == 0);
	for (long i = 0; i < times; i++)
		must(weft_channel_receive(channel, &item, WEFT_NEVER) == 1);
}

/* A wait with a deadline that never comes. */
static int
unpark_often(void *fiber)
{
	for (long i = 0; i < times; i++) {
		weft_unpark(fiber);
		weft_yield();
	}
	return 0;
}

static void
deadline(void)
{
	must(weft_go(unpark_often, weft_self()) == 0);
	for (long i = 0; i < times; i++)
		must(weft_park(weft_after(60000)) == 0);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} all[] = {
		{ "echo-64", echo_64 }, { "echo-1", echo_1 }, { "line", line },
		{ "connect", connect_often }, { "yield", yield }, { "spawn", spawn },
		{ "channel", send_receive }, { "deadline", deadline }
	};
	size_t i;

	times = argc == 3 ? atol(argv[2]) : 0;
	for (i = 0; times > 0 && i < sizeof all / sizeof *all; i++)
		if (strcmp(argv[1], all[i].name) == 0) {
			all[i].run();
			return 0;
		}
	fprintf(stderr, "usage: guard OPERATION TIMES, one of:");
	for (i = 0; i < sizeof all / sizeof *all; i++)
		fprintf(stderr, " %s", all[i].name);
	fprintf(stderr, "\n");
	return 2;
}
