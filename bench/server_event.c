/* SPDX-License-Identifier: MIT */
/*
 * bench/server_event.c - the echo server on libevent's buffered streams.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "listen.h"

static void
echo(struct bufferevent *client, void *arg)
{
	(void)arg;
	bufferevent_write_buffer(client, bufferevent_get_input(client));
}

static void
over(struct bufferevent *client, short what, void *arg)
{
	(void)what, (void)arg;
	bufferevent_free(client);
}

static void
take(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int length,
    void *arg)
{
	struct bufferevent *client = bufferevent_socket_new(evconnlistener_get_base(listener),
	    without_delay(fd), BEV_OPT_CLOSE_ON_FREE);

	(void)from, (void)length, (void)arg;
	bufferevent_setcb(client, echo, NULL, over, NULL);
	bufferevent_enable(client, EV_READ | EV_WRITE);
}

int
main(void)
{
	struct event_base *base = event_base_new();

	if (base == NULL ||
	    evconnlistener_new(base, take, NULL, LEV_OPT_CLOSE_ON_FREE, 0, listen_anywhere()) == NULL)
		return 1;
	return event_base_dispatch(base);
}
