/* SPDX-License-Identifier: MIT */
/*
 * bench/server_wrong.c - an echo server with a bug, which bench/load has to find.
 *
 *      server_wrong BUG        prints its port
 *
 * It shows on each connection's tenth read: flip (a bit), drop (the message),
 * twice (the same again), mute (no answers any more); other answers with what
 * another connection has sent.
 */
#include <stdio.h>
#include <string.h>
#include <weft.h>

enum { PIECE = 4096, TENTH = 10 };

static const char *bug;

static bool
is(const char *name)
{
	return strcmp(bug, name) == 0;
}

static int
echo(struct weft_stream *client, void *arg)
{
	static char shared[PIECE];
	char own[PIECE], *bytes = is("other") ? shared : own;
	ssize_t n;
	int i;

	(void)arg;
	for (i = 1; (n = weft_stream_read(client, bytes, PIECE, WEFT_NEVER)) > 0; i++) {
		if (is("other"))
			weft_yield();
		if (i == TENTH && is("flip"))
			bytes[n / 2] ^= 1;
		if ((i == TENTH && is("drop")) || (i >= TENTH && is("mute")))
			continue;
		weft_stream_write(client, bytes, (size_t)n, WEFT_NEVER);
		if (i == TENTH && is("twice"))
			weft_stream_write(client, bytes, (size_t)n, WEFT_NEVER);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct weft_server *server = weft_tcp_listen("127.0.0.1", "0", NULL);

	if (argc != 2 || server == NULL) {
		fprintf(stderr, "usage: server_wrong flip | drop | twice | mute | other\n");
		return 2;
	}
	bug = argv[1];
	printf("%d\n", weft_server_port(server));
	fflush(stdout);
	return weft_server_serve(server, echo, NULL) < 0;
}
