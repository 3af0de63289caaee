/* SPDX-License-Identifier: MIT */
/*
 * bench/server_event.c - the servers on libevent's buffered streams.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "lines.h"
#include "listen.h"

static bufferevent_data_cb serve;

static void
echo(struct bufferevent *client, void *arg)
{
	(void)arg;
	bufferevent_write_buffer(client, bufferevent_get_input(client));
}

static void
lines(struct bufferevent *client, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(client);
	struct evbuffer_ptr at, from;
	size_t whole = 0, length;

	(void)arg;
	evbuffer_ptr_set(in, &from, 0, EVBUFFER_PTR_SET);
	for (;;) {
		at = evbuffer_search_eol(in, &from, &length, EVBUFFER_EOL_LF);
		if (at.pos < 0)
			break;
		whole = (size_t)at.pos + length;
		if (evbuffer_ptr_set(in, &from, whole, EVBUFFER_PTR_SET) < 0)
			break;
	}
	evbuffer_remove_buffer(in, bufferevent_get_output(client), whole);
}

static void
sink(struct bufferevent *client, void *total)
{
	struct evbuffer *in = bufferevent_get_input(client);
	size_t n = evbuffer_get_length(in);

	*(uint64_t *)total += n;
	evbuffer_drain(in, n);
}

/* The end, or a sink's answer has left. */
static void
done(struct bufferevent *client, void *total)
{
	bufferevent_free(client);
	free(total);
}

static void
over(struct bufferevent *client, short what, void *total)
{
	if (serve != sink || !(what & BEV_EVENT_EOF)) {
		done(client, total);
		return;
	}
	bufferevent_setcb(client, NULL, done, over, total);
	bufferevent_write(client, total, sizeof(uint64_t));
}

static void
take(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int length,
    void *arg)
{
	struct bufferevent *client = bufferevent_socket_new(evconnlistener_get_base(listener),
	    without_delay(fd), BEV_OPT_CLOSE_ON_FREE);
	uint64_t *total = serve == sink ? calloc(1, sizeof *total) : NULL;

	(void)from, (void)length, (void)arg;
	if (serve == sink)
		bufferevent_set_max_single_read(client, BULK);
	bufferevent_setcb(client, serve, NULL, over, total);
	bufferevent_enable(client, EV_READ | EV_WRITE);
}

int
main(int argc, char **argv)
{
	const bufferevent_data_cb modes[] = { echo, lines, sink, NULL };
	struct event_base *base = event_base_new();

	serve = modes[mode_of(argc, argv)];
	if (serve == NULL || base == NULL ||
	    evconnlistener_new(base, take, NULL, LEV_OPT_CLOSE_ON_FREE, 0, listen_anywhere()) == NULL)
		return 2;
	return event_base_dispatch(base);
}
