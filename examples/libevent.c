/* SPDX-License-Identifier: MIT */
/* weft inside a libevent loop: the same server as in embed.c. Built only where
 * libevent is installed.
 *
 *      libevent PORT
 */
#include <event2/event.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>
#include <weft.h>

static long lines;
static struct event *weft_event;

static int
answer(struct weft_stream *client, void *arg)
{
	(void)arg;
	weft_stream_printf(client, WEFT_NEVER, "%ld lines so far\n", lines);
	return 0;
}

/* Waits for weft's descriptor, no longer than weft's next timer. */
static void
wait_for_weft(void)
{
	int timeout = weft_loop_timeout();
	struct timeval limit = { timeout / 1000, timeout % 1000 * 1000 };

	event_add(weft_event, timeout < 0 ? NULL : &limit);
}

static void
on_weft(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	weft_loop_step();
	wait_for_weft();
}

static void
on_input(evutil_socket_t fd, short what, void *base)
{
	char buffer[512];
	ssize_t i, n = read(fd, buffer, sizeof buffer);

	(void)what;
	for (i = 0; i < n; i++)
		lines += buffer[i] == '\n';
	if (n <= 0)
		event_base_loopbreak(base);
}

static int
run(struct event_base *base)
{
	struct event *input = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input,
	    base);

	weft_event = event_new(base, weft_loop_fd(), EV_READ, on_weft, NULL);
	if (input == NULL || weft_event == NULL || event_add(input, NULL) < 0)
		return -1;
	wait_for_weft();
	event_base_dispatch(base);
	event_free(weft_event);
	event_free(input);
	return 0;
}

int
main(int argc, char **argv)
{
	struct event_config *config = event_config_new();
	struct event_base *base;
	struct weft_server *server = weft_tcp_listen("127.0.0.1", argc > 1 ? argv[1] : "0", NULL);

	if (server == NULL || weft_server_start(server, answer, NULL) < 0) {
		fprintf(stderr, "libevent: %s\n", weft_stream_error_text(NULL));
		return 1;
	}
	/* Standard input may be a file, which epoll refuses. */
	event_config_require_features(config, EV_FEATURE_FDS);
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (base == NULL || weft_loop_fd() < 0) {
		fprintf(stderr, "libevent: no event base, or no descriptor to wait on\n");
		return 1;
	}
	printf("%s\n", weft_server_sockname(server));
	fflush(stdout);
	if (run(base) < 0)
		fprintf(stderr, "libevent: events\n");
	event_base_free(base);
	weft_server_free(server);
	printf("%ld lines\n", lines);
	return 0;
}
