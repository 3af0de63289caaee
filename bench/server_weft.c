/* SPDX-License-Identifier: MIT */
/*
 * bench/server_weft.c - the server that is measured: plain blocking code.
 *
 *      server_weft MODE        prints its port
 *
 * Modes: echo (what comes goes back), lines (line by line, coalesced), sink
 * (reads to the end, then says how much it was).
 */
#include <stdio.h>
#include <string.h>
#include <weft.h>

enum { PIECE = 16384, BULK = 65536 };

static int
echo(struct weft_stream *client, void *arg)
{
	char bytes[PIECE];
	ssize_t n;

	(void)arg;
	while ((n = weft_stream_read(client, bytes, sizeof bytes, WEFT_NEVER)) > 0)
		if (weft_stream_write(client, bytes, (size_t)n, WEFT_NEVER) != n)
			break;
	return 0;
}

static int
lines(struct weft_stream *client, void *arg)
{
	const char *line;
	ssize_t n;

	(void)arg;
	weft_stream_set_coalescing(client, true);
	while ((n = weft_stream_read_line(client, &line, WEFT_NEVER)) > 0)
		if (weft_stream_write(client, line, (size_t)n, WEFT_NEVER) != n)
			break;
	return 0;
}

static int
sink(struct weft_stream *client, void *arg)
{
	static char bytes[BULK];        /* nobody looks at them */
	uint64_t total = 0;
	ssize_t n;

	(void)arg;
	while ((n = weft_stream_read(client, bytes, sizeof bytes, WEFT_NEVER)) > 0)
		total += (uint64_t)n;
	weft_stream_write(client, &total, sizeof total, WEFT_NEVER);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		weft_handler *handler;
	} modes[] = { { "echo", echo }, { "lines", lines }, { "sink", sink } };
	struct weft_server *server = weft_tcp_listen("127.0.0.1", "0", NULL);
	size_t i;

	for (i = 0; argc == 2 && server != NULL && i < sizeof modes / sizeof *modes; i++)
		if (strcmp(argv[1], modes[i].name) == 0) {
			printf("%d\n", weft_server_port(server));
			fflush(stdout);
			return weft_server_serve(server, modes[i].handler, NULL) < 0;
		}
	fprintf(stderr, "usage: server_weft echo | lines | sink\n");
	return 2;
}
