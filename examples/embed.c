/* SPDX-License-Identifier: MIT */
/* weft inside a program that has a poll() loop of its own: the loop waits for
 * standard input and for weft, whichever has something first. Lines that are
 * typed are counted by the program; a weft server beside it answers connections
 * with the count. Ends at the end of the input.
 *
 *      embed PORT
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <weft.h>

static long lines;

static int
answer(struct weft_stream *client, void *arg)
{
	(void)arg;
	weft_stream_printf(client, WEFT_NEVER, "%ld lines so far\n", lines);
	return 0;
}

/* What the program did before there was weft. False at the end of the input. */
static int
read_input(void)
{
	char buffer[512];
	ssize_t i, n = read(STDIN_FILENO, buffer, sizeof buffer);

	for (i = 0; i < n; i++)
		lines += buffer[i] == '\n';
	return n > 0;
}

/* The program's descriptors first, then weft's: one, or with the poll backend
 * as many as there are. */
static struct pollfd *
make_set(nfds_t *n)
{
	int count = weft_loop_pollfds(NULL, 0);
	struct pollfd *set = count < 0 ? NULL : calloc((size_t)count + 1, sizeof *set);

	if (set == NULL)
		return NULL;
	set[0] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	weft_loop_pollfds(set + 1, count);
	*n = (nfds_t)count + 1;
	return set;
}

static int
loop(void)
{
	struct pollfd *set;
	nfds_t n;
	int more = 1;

	while (more) {
		/* The timeout first: asking for it can register descriptors. */
		int timeout = weft_loop_timeout();

		set = make_set(&n);
		if (set == NULL || poll(set, n, timeout) < 0)
			return -1;
		if (set[0].revents != 0)
			more = read_input();
		free(set);
		weft_loop_step();
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct weft_server *server = weft_tcp_listen("127.0.0.1", argc > 1 ? argv[1] : "0", NULL);

	if (server == NULL || weft_server_start(server, answer, NULL) < 0) {
		fprintf(stderr, "embed: %s\n", weft_stream_error_text(NULL));
		return 1;
	}
	printf("%s\n", weft_server_sockname(server));
	fflush(stdout);
	if (loop() < 0)
		perror("embed");
	weft_server_free(server);
	printf("%ld lines\n", lines);
	return 0;
}
