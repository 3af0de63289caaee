/* SPDX-License-Identifier: MIT */
/*
 * TCP streams from their first moment:
 *
 *   open --connect--> connecting --the first answer--> a stream of weft__tcp_class
 *    ^                    |
 *    +---failed: error----+
 *
 * Before it is connected a stream is of a class that has nothing to be had: so
 * reads wait, writes queue up to the high mark, and both go on when the class
 * is changed. What fails breaks the stream until connect is called again.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "lib/fdstream.h"
#include "lib/race.h"
#include "weft/fiber.h"

static struct weft__fdstream *
body(const struct weft_stream *s)
{
	return (struct weft__fdstream *)(uintptr_t)s;
}

/* --- before it is connected */

static ssize_t
read_nothing(struct weft_stream *s, void *dst, size_t n)
{
	(void)s, (void)dst, (void)n;
	return weft__fail(EAGAIN);
}

static ssize_t
write_nothing(struct weft_stream *s, const struct iovec *iov, int count)
{
	(void)s, (void)iov, (void)count;
	return weft__fail(EAGAIN);
}

/* Whoever connects notifies. Nobody can, any more, if the stream is closing:
 * then what is queued is lost, as if its time had passed. */
static int
want(struct weft_stream *s, int events)
{
	(void)events;
	return s->closed ? weft__fail(ETIMEDOUT) : 0;
}

static int
shut_nothing(struct weft_stream *s)
{
	(void)s;
	return weft__fail(ENOTCONN);
}

static void
stop_connecting(struct weft_stream *s, bool reset)
{
	struct weft__fdstream *f = body(s);

	(void)reset;
	if (f->connecting != NULL)
		weft__wake(f->connecting, EBADF);
}

static const struct weft_stream_class open_class = {
	.size = sizeof open_class,
	.name = "tcp",
	.read = read_nothing,
	.writev = write_nothing,
	.want = want,
	.shutdown = shut_nothing,
	.close = stop_connecting,
	.free = weft__fdstream_free,
	.fd = weft__fdstream_fd,
	.name_of = weft__socket_name,
	.address_of = weft__socket_address,
	.internal = true
};

static struct weft_stream *
open_stream(struct weft_loop *loop)
{
	struct weft_stream *s = weft__socket_stream(loop, &weft__tcp_class, -1, NULL, 0);

	if (s == NULL)
		return NULL;
	s->class = &open_class;
	s->unreadable = s->unwritable = false;
	return s;
}

struct weft_stream *
weft_tcp_open(void)
{
	struct weft_loop *loop = weft__loop();
	struct weft_stream *s;

	if (loop == NULL)
		return NULL;
	s = open_stream(loop);
	return s != NULL ? s : weft__make_failed("open", "tcp", ENOMEM);
}

/* --- connect */

static int
take_options(const struct weft_tcp_options *options, struct weft_tcp_options *all)
{
	*all = (struct weft_tcp_options){ .size = sizeof *all };
	if (options == NULL)
		return 0;
	if (options->size < sizeof options->size)
		return EINVAL;
	memcpy(all, options, options->size < sizeof *all ? options->size : sizeof *all);
	return 0;
}

/* Names, then addresses. 0: the race has a winner. */
static int
resolve_and_race(struct weft__race *race, const char *host, const char *port)
{
	const struct weft_tcp_options *o = race->options;
	struct addrinfo *targets = NULL, *sources = NULL;
	int error = weft__resolve(race->loop, host, port, false, race->deadline, &targets);

	if (error == 0 && (o->source_host != NULL || o->source_port != NULL))
		error = weft__resolve(race->loop, o->source_host,
		    o->source_port != NULL ? o->source_port : "0", true, race->deadline,
		    &sources);
	if (race->stream->closed)
		error = EBADF;
	race->targets = targets;
	race->sources = sources;
	if (error == 0)
		error = weft__race(race);
	return error;
}

static int
connect_it(struct weft_stream *s, const char *host, const char *port,
    const struct weft_tcp_options *options, int64_t deadline)
{
	struct weft__race race = { .loop = s->loop, .options = options,
	    .stream = s, .deadline = deadline };
	int error;

	body(s)->connecting = weft__running(s->loop);
	error = resolve_and_race(&race, host, port);
	body(s)->connecting = NULL;
	if (error == 0) {
		weft__socket_adopt(s, race.fd, race.slot, race.to->ai_addr,
		    race.to->ai_addrlen);
		s->class = &weft__tcp_class;
		weft__stream_notify(s, WEFT_READABLE | WEFT_WRITABLE);
	} else if (!s->closed) {
		weft__stream_break_read(s, error, "connect");
		weft__stream_break_write(s, error, "connect");
	}
	weft__resolve_free((struct addrinfo *)(uintptr_t)race.targets);
	weft__resolve_free((struct addrinfo *)(uintptr_t)race.sources);
	return error;
}

static int
may_connect(const struct weft_stream *s)
{
	const struct weft_fiber *connecting;

	if (s->closed)
		return EBADF;
	if (s->class == &weft__tcp_class)
		return EISCONN;
	if (s->class != &open_class)
		return ENOTSUP;
	connecting = body(s)->connecting;
	return connecting != NULL && !weft__gone(connecting) ? EALREADY : 0;
}

/* Who was told of the last failure is to see it before it is forgotten. */
static int
start_again(struct weft_stream *s)
{
	int error = weft_yield() < 0 ? errno : may_connect(s);

	if (error == 0) {
		s->read_error = s->write_error = 0;
		s->step = NULL;
	}
	return error;
}

int
weft_stream_connect(struct weft_stream *s, const char *host, const char *port,
    const struct weft_tcp_options *options, int64_t deadline)
{
	struct weft_tcp_options all;
	int saved = errno, error = weft__check(s->loop);

	if (error == 0)
		error = may_connect(s);
	if (error == 0)
		error = take_options(options, &all);
	if (error != 0)
		return weft__fail(error);
	s->users++;
	if (s->write_error != 0)
		error = start_again(s);
	if (error == 0)
		error = connect_it(s, host, port, &all, deadline);
	weft__stream_go_out(s);
	errno = error == 0 ? saved : error;
	return error == 0 ? 0 : -1;
}

struct weft_stream *
weft_tcp_connect(const char *host, const char *port, const struct weft_tcp_options *options,
    int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	struct weft_tcp_options all;
	struct weft_stream *s = NULL;
	int saved = errno, error;

	if (loop == NULL)
		return NULL;
	error = take_options(options, &all);
	if (error == 0)
		error = weft__check(loop);
	if (error == 0 && (s = open_stream(loop)) == NULL)
		error = ENOMEM;
	if (error == 0)
		error = connect_it(s, host, port, &all, deadline);
	if (error == 0) {
		errno = saved;
		return s;
	}
	weft_stream_free(s);
	return weft__make_failed("connect to", host, error);
}
