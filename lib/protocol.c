/* SPDX-License-Identifier: MIT */
/*
 * Callbacks on a stream, run by one fiber, one after the other:
 *
 *     made --> data ... --> eof --0--> close --> lost
 *                |           `--1--> half open --close--> lost
 *                +--- error, close, cancel -----------> lost
 *
 * Meanwhile the stream takes writes whole, and the queue may pass the high mark
 * by one write: then pause_writing is called, and only the next write waits.
 * pause_writing is called by the very write that does it if a callback wrote;
 * all else when the fiber is back here.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "lib/stream.h"
#include "weft/fiber.h"
#include "weft/protocol.h"

struct run {
	struct weft__watcher watcher;   /* first: see told() */
	struct weft_stream *stream;
	struct weft_protocol protocol;  /* all of it, whatever its size was */
	void *arg;
	struct weft_fiber *fiber;
	bool parked;                    /* in wait */
	bool news;                      /* since the last look */
	bool reading;                   /* there is more to come */
	bool held;                      /* weft_protocol_pause_reading */
	bool paused;                    /* pause_writing has been called */
	bool minding;                   /* inside pause_ or resume_writing */
	bool idle;                      /* the last try to read found nothing */
	bool eager;                     /* and yet the next one may */
	bool interrupted;               /* the wait was, the connection was not */
};

/* --- being told */

static void
rouse(struct run *r)
{
	r->news = true;
	if (r->parked)
		weft__wake(r->fiber, 0);
}

static void
told(struct weft__watcher *watcher, enum weft__news news)
{
	if (news != WEFT__NEWS_HUNGRY)
		rouse((struct run *)watcher);
}

static void
call_pause_or_resume(struct run *r)
{
	void (*call)(struct weft_stream *, void *) = r->paused ?
	    r->protocol.pause_writing : r->protocol.resume_writing;

	if (call != NULL)
		call(r->stream, r->arg);
}

/* Until what was told last is how it is: the callbacks write, too. */
static void
mind_marks(struct run *r)
{
	struct weft_stream *s = r->stream;

	if (r->minding)
		return;
	r->minding = true;
	while (!s->closed && s->write_error == 0 &&
	    (r->paused ? weft_stream_queued(s) <= s->low :
	    weft_stream_queued(s) > s->high)) {
		r->paused = !r->paused;
		call_pause_or_resume(r);
	}
	r->minding = false;
}

/* Somebody has written, or moved the marks. */
static void
marks(struct weft__watcher *watcher)
{
	struct run *r = (struct run *)watcher;

	if (!r->parked && weft__running(r->stream->loop) == r->fiber)
		mind_marks(r);
	else
		rouse(r);
}

/* --- calling: an errno, if the callback says so */

static int
outcome(int result)
{
	if (result >= 0)
		return 0;
	return errno != 0 ? errno : ECONNABORTED;
}

static int
call_made(struct run *r)
{
	errno = 0;
	return r->protocol.connection_made == NULL ? 0 :
	    outcome(r->protocol.connection_made(r->stream, r->arg));
}

static int
call_eof(struct run *r)
{
	struct weft_stream *s = r->stream;
	int result = 0;

	r->reading = false;
	errno = 0;
	if (r->protocol.eof_received != NULL)
		result = r->protocol.eof_received(s, r->arg);
	if (result < 0)
		return outcome(result);
	if (result == 0 && !s->closed && weft_stream_close(s, weft_after(WEFT__LINGER_MS)) < 0)
		return errno;
	return 0;
}

/* Whatever the callback does to the stream, the bytes stay until it is over. */
static int
call_data(struct run *r, size_t n)
{
	struct weft_stream *s = r->stream;
	const unsigned char *bytes = weft__input_bytes(s);
	size_t size;
	void *memory = weft__input_take(s, &size);
	int error = 0;

	weft__stream_leave(s, &s->reading);
	errno = 0;
	if (r->protocol.data_received != NULL)
		error = outcome(r->protocol.data_received(s, bytes, n, r->arg));
	weft__input_give(s->loop, memory, size);
	if (error == 0)
		weft__charge(s->loop, n);
	return error;
}

/* --- what happens */

static int
receive(struct run *r)
{
	struct weft_stream *s = r->stream;
	ssize_t got = 1;
	int error = weft__stream_enter(s, &s->reading, WEFT_NOWAIT);

	r->idle = error == EAGAIN;
	if (error != 0)         /* another fiber reads: we are told when it leaves */
		return r->idle ? 0 : error;
	if (weft__input_count(s) == 0)
		got = weft__input_try(s);
	if (got > 0)
		return call_data(r, weft__input_count(s));
	error = got < 0 ? errno : 0;
	r->idle = error == EAGAIN;
	r->eager = r->idle && s->ready & WEFT_READABLE;
	weft__stream_leave(s, &s->reading);
	if (r->idle)
		return 0;
	return got == 0 ? call_eof(r) : error;
}

static int
wait(struct run *r)
{
	struct weft_stream *s = r->stream;
	int error;

	if (r->eager)
		return weft_yield() < 0 ? errno : 0;    /* a class that has it so */
	weft__subject(s->loop, (uint64_t)weft_stream_fd(s));
	r->parked = true;
	error = weft__park(s->loop, WEFT_NEVER, weft__stream_waiting(s) | WEFT__FOR_INPUT);
	r->parked = false;
	r->interrupted = error != 0;
	return error;
}

static bool
is_over(const struct run *r)
{
	const struct weft_stream *s = r->stream;

	return s->ended || (!r->reading && !s->unreadable && s->shut);
}

/* One step. 0, or the errno that ends the connection. */
static int
step(struct run *r)
{
	struct weft_stream *s = r->stream;
	int error = 0;

	r->news = r->eager = false;
	r->idle = true;
	mind_marks(r);
	if (r->reading && !r->held && !s->closed)
		error = receive(r);
	if (error != 0 || !r->idle)
		return error;
	if (s->write_error != 0 && !s->closed)
		return s->write_error;
	return r->news || is_over(r) ? 0 : wait(r);
}

static int
converse(struct run *r)
{
	int error = call_made(r);

	while (error == 0 && !is_over(r))
		error = step(r);
	return error;
}

/* What was interrupted is closed as if nothing were wrong with it. */
static int
finish(struct run *r, int error)
{
	struct weft_stream *s = r->stream;

	if (error != 0 && error != ECANCELED && !r->interrupted)
		weft_stream_abort(s);
	else if (weft_stream_close(s, weft_after(WEFT__LINGER_MS)) < 0 && error == 0)
		error = errno;
	weft__stream_unwatch(s, &r->watcher);
	s->elastic = false;
	if (r->paused) {
		r->paused = false;
		call_pause_or_resume(r);
	}
	if (r->protocol.connection_lost != NULL)
		r->protocol.connection_lost(s, error, r->arg);
	return error;
}

/* --- for programs */

static int
check(const struct weft_stream *s, const struct weft_protocol *protocol)
{
	int error = protocol == NULL || protocol->size < sizeof protocol->size ?
	    EINVAL : weft__check(s->loop);

	if (error == 0 && s->closed)
		error = EBADF;
	if (error == 0 && weft__stream_is_claimed(s))
		error = EBUSY;
	return error;
}

int
weft_protocol_run(struct weft_stream *s, const struct weft_protocol *protocol, void *arg)
{
	struct run r = { .watcher = { .told = told, .marks = marks, .claims = true }, .stream = s,
	    .arg = arg, .fiber = weft__running(s->loop), .reading = !s->unreadable };
	int saved = errno, error = check(s, protocol);

	if (error != 0)
		return weft__fail(error);
	memcpy(&r.protocol, protocol, protocol->size < sizeof r.protocol ?
	    protocol->size : sizeof r.protocol);
	s->users++;
	s->elastic = true;
	weft__stream_watch(s, &r.watcher);
	error = finish(&r, converse(&r));
	weft__stream_go_out(s);
	errno = error == 0 ? saved : error;
	return error == 0 ? 0 : -1;
}

static int
hold(struct weft_stream *s, bool on)
{
	struct run *r = (struct run *)weft__stream_watched_by(s, told);

	if (r == NULL)
		return weft__fail(EINVAL);
	if (r->held != on)
		rouse(r);
	r->held = on;
	return 0;
}

int
weft_protocol_pause_reading(struct weft_stream *s)
{
	return hold(s, true);
}

int
weft_protocol_resume_reading(struct weft_stream *s)
{
	return hold(s, false);
}
