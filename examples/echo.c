/* SPDX-License-Identifier: MIT */
/* A line server: what it is sent, it sends back, line by line.
 *
 *      echo 127.0.0.1 7000         over TCP
 *      echo /tmp/echo.socket       over a Unix socket
 */
#include <stdio.h>
#include <weft.h>

static int
echo(struct weft_stream *client, void *arg)
{
	const char *line;
	ssize_t n;

	(void)arg;
	while ((n = weft_stream_read_line(client, &line, WEFT_NEVER)) > 0)
		if (weft_stream_write(client, line, (size_t)n, WEFT_NEVER) != n)
			break;
	return 0;
}

int
main(int argc, char **argv)
{
	struct weft_server *server = argc == 3 ? weft_tcp_listen(argv[1], argv[2], NULL) :
	    argc == 2 ? weft_unix_listen(argv[1], NULL) : NULL;

	if (server == NULL) {
		fprintf(stderr, "echo: %s\n", argc < 2 || argc > 3 ?
		    "usage: echo HOST PORT | PATH" : weft_stream_error_text(NULL));
		return 1;
	}
	printf("%s\n", weft_server_sockname(server));
	fflush(stdout);
	return weft_server_serve(server, echo, NULL) < 0;
}
