/* SPDX-License-Identifier: MIT */
/*
 * bench/server_ev.c - the echo server on libev, which reports readiness and
 * leaves the rest to the program. A connection that cannot take its answer is
 * dropped: the load never gets that far.
 */
#include <ev.h>
#include <unistd.h>

#include "listen.h"

static char buffer[16384];

static void
echo(struct ev_loop *loop, ev_io *client, int events)
{
	ssize_t n = read(client->fd, buffer, sizeof buffer);

	(void)events;
	if (n > 0 && send(client->fd, buffer, (size_t)n, MSG_NOSIGNAL) == n)
		return;
	ev_io_stop(loop, client);
	close(client->fd);
	free(client);
}

static void
take(struct ev_loop *loop, ev_io *listener, int events)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ev_io *client = fd < 0 ? NULL : malloc(sizeof *client);

	(void)events;
	if (client == NULL)
		return;
	ev_io_init(client, echo, without_delay(fd), EV_READ);
	ev_io_start(loop, client);
}

int
main(void)
{
	struct ev_loop *loop = ev_default_loop(0);
	ev_io listener;

	ev_io_init(&listener, take, listen_anywhere(), EV_READ);
	ev_io_start(loop, &listener);
	ev_run(loop, 0);
	return 0;
}
