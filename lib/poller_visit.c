/* SPDX-License-Identifier: MIT */
/*
 * What one member of a poller has to tell.
 *
 * A visit reads until there is no more, or the input Buffer is full, and only
 * then makes events: they point into the Buffer, and a read might move it.
 *
 *   DATA...  or  LINE... LINE(the rest)      then  CLOSED
 *                                            or    ERROR CLOSED
 *
 * What does not fit the program's array is told the next time: all of this
 * state is the stream's own, but that ERROR has been told.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "lib/poller.h"

enum { ACCEPTS = 16 };          /* of one server, per poll */

struct visit {
	struct weft__member *member;
	struct weft_stream *stream;
	struct weft_poll_event *events;
	size_t count, max;
	struct weft__link *next;        /* where it goes; NULL: it stays, and is told */
};

static bool
is_full(const struct visit *v)
{
	return v->count == v->max;
}

/* There must be room. */
static struct weft_poll_event *
say(struct visit *v, enum weft_poll_kind kind)
{
	struct weft_poll_event *event = &v->events[v->count++];

	*event = (struct weft_poll_event){ .kind = kind, .stream = v->stream,
	    .server = v->member->server };
	return event;
}

/* The next n bytes, which are consumed. */
static void
say_bytes(struct visit *v, enum weft_poll_kind kind, size_t n)
{
	struct weft_poll_event *event = say(v, kind);

	event->data = weft__input_bytes(v->stream);
	event->length = n;
	weft__input_consume(v->stream, n);
	v->member->lent = v->member->poller->round;
	v->member->poller->delivered += n;
}

/* It has ended, cleanly or not; as far as the events have room. */
static void
say_end(struct visit *v, int error)
{
	struct weft__member *m = v->member;

	if (error != 0 && !m->failed && !is_full(v)) {
		say(v, WEFT_POLL_ERROR)->error = error;
		m->failed = true;
	}
	if (is_full(v))
		return;
	say(v, WEFT_POLL_CLOSED);
	v->member = NULL;
}

/* --- streams */

/* All that is there, or as much as fits the memory that the Buffer has: > 0, 0
 * the end, or -1 with errno, which says why there is no more. */
static ssize_t
fill(struct weft_stream *s)
{
	ssize_t got = weft__input_try(s);

	while (got > 0 && s->input.limit < s->input.capacity)
		got = weft__input_try(s);
	return got;
}

/* Members who have told something are visited once more: to give memory back. */
static void
stay_if(struct visit *v, bool nothing)
{
	if (nothing)
		v->next = NULL;
}

/* After all that has come. `got` is why there is no more. */
static void
conclude(struct visit *v, ssize_t got, int error)
{
	if (got < 0 && error == EAGAIN)
		stay_if(v, v->count == 0 && !(v->stream->ready & WEFT_READABLE));
	else if (got <= 0)
		say_end(v, got < 0 ? error : 0);
}

static void
visit_bytes(struct visit *v)
{
	struct weft_stream *s = v->stream;
	ssize_t got = weft__input_count(s) > 0 ? 1 : fill(s);
	int error = errno;

	if (weft__input_count(s) > 0)
		say_bytes(v, WEFT_POLL_DATA, weft__input_count(s));
	conclude(v, got, error);
}

/* The length of the next line; 0: it is not all there; -1: too long. No byte is
 * looked at twice. */
static ssize_t
find_line(struct weft__member *m)
{
	const struct weft_stream *s = m->stream;
	size_t have = weft__input_count(s), length = have;
	const unsigned char *bytes = weft__input_bytes(s), *lf = NULL;

	if (have > m->scanned)
		lf = memchr(bytes + m->scanned, '\n', have - m->scanned);
	if (lf != NULL)
		length = (size_t)(lf - bytes);
	m->scanned = length;
	if (length > s->limit) {
		m->scanned = 0;         /* the limit may change */
		return -1;
	}
	return lf != NULL ? (ssize_t)length + 1 : 0;
}

static void
say_line(struct visit *v, size_t n)
{
	say_bytes(v, WEFT_POLL_LINE, n);
	v->member->scanned = 0;
}

static void
visit_lines(struct visit *v)
{
	struct weft__member *m = v->member;
	ssize_t got = 1, n;
	int error = 0;

	if (weft__input_count(v->stream) != m->unread)
		m->scanned = 0;         /* the program has had some of it */
	while ((n = find_line(m)) == 0 && got > 0) {
		got = fill(v->stream);
		error = errno;
	}
	while (n > 0 && !is_full(v)) {
		say_line(v, (size_t)n);
		n = find_line(m);
	}
	m->unread = weft__input_count(v->stream);
	if (n > 0)
		return;
	if (n < 0 && v->count > 0)
		return;         /* it stays unread, in the memory of the others */
	if (n < 0) {
		say_end(v, EMSGSIZE);
		return;
	}
	if ((got == 0 || (got < 0 && error != EAGAIN)) && m->unread > 0) {
		if (is_full(v))
			return;
		say_line(v, m->unread);
		m->unread = 0;
	}
	conclude(v, got, error);
}

static bool
being_read(const struct weft_stream *s)
{
	return s->reading.inside != NULL && !weft__gone(s->reading.inside);
}

static void
visit_stream(struct visit *v)
{
	struct weft_stream *s = v->stream;

	if (s->closed || v->member->failed) {
		say_end(v, 0);
		return;
	}
	if (being_read(s)) {
		v->next = NULL;         /* we are told when it is over */
		return;
	}
	if (weft__stream_enter(s, &s->reading, WEFT_NOWAIT) != 0)
		return;
	if (v->member->poller->mode == WEFT_LINES)
		visit_lines(v);
	else
		visit_bytes(v);
	weft__stream_leave(s, &s->reading);
}

/* --- servers */

static void
rest(struct visit *v)
{
	struct weft__member *m = v->member;

	m->until = weft__accept_pause(m->server, &m->pause);
	m->closes = weft__fd_closes(m->poller->loop);
	v->next = &m->poller->resting;
}

/* A client is not taken before there is a place for it. */
static enum weft__accepted
accept_one(struct visit *v)
{
	struct weft_poller *p = v->member->poller;
	struct weft__member *client = weft__poller_member(p);
	enum weft__accepted outcome;
	struct weft_stream *s;
	int error;

	if (client == NULL)
		return PAUSE;
	outcome = weft__accept_try(v->member->server, &s);
	if (outcome != TAKEN) {
		error = errno;
		weft__poller_discard(client);
		errno = error;
		return outcome;
	}
	weft__poller_adopt(client, s);
	client->visited = p->round;     /* its bytes come with the next poll */
	say(v, WEFT_POLL_ACCEPT)->stream = s;
	v->member->pause = WEFT__PAUSE_MS;
	p->delivered += WEFT__ACCEPT_COST;
	return TAKEN;
}

static void
wait_for_clients(struct visit *v)
{
	struct weft__member *m = v->member;
	int error;

	m->armed = true;
	v->next = NULL;
	error = weft__accept_watch(m->server, &m->waiter);
	if (error == 0)
		return;
	m->armed = false;
	v->next = &m->poller->ready;
	say_end(v, error);
}

static void
visit_server(struct visit *v)
{
	enum weft__accepted outcome = NEXT;
	int i;

	if (v->member->armed)           /* another of its listeners has told us */
		weft__fd_unwatch(v->member->server->slot, &v->member->waiter);
	v->member->armed = false;
	if (v->member->server->fd < 0 || v->member->failed) {
		say_end(v, 0);
		return;
	}
	for (i = 0; i < ACCEPTS && !is_full(v) && (outcome == NEXT || outcome == TAKEN); i++)
		outcome = accept_one(v);
	if (outcome == FATAL && !is_full(v))
		say_end(v, errno);
	else if (outcome == NONE_LEFT)
		wait_for_clients(v);
	else if (outcome == PAUSE)
		rest(v);
}

/* --- */

size_t
weft__poller_visit(struct weft__member *m, struct weft_poll_event *events, size_t max)
{
	struct weft_poller *p = m->poller;
	struct visit v = { .member = m, .stream = m->stream, .events = events, .max = max,
	    .next = &p->ready };

	/* Whoever is told meanwhile puts it back. */
	weft__poller_move(m, &p->idle);
	if (m->stream != NULL)
		visit_stream(&v);
	else
		visit_server(&v);
	if (v.member == NULL)
		weft__poller_leave(m);
	else if (v.next != NULL)
		weft__poller_move(m, v.next);
	return v.count;
}
