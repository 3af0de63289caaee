/* SPDX-License-Identifier: MIT */
/*
 * Reads by record, through the first match of a regular expression.
 *
 *   position            from                     limit
 *      | no match begins | here one may | not come yet ...
 *                        |<-- what a match may look at: the limit and 1 -->|
 *
 * For each place only so many bytes are looked at, whatever else has come; so
 * what is found, and whether it is too long, depends on the bytes alone. Places
 * are tried once. The one exception is the place where a match has begun but
 * not been decided: it is tried again when more has come, unless a byte that
 * every match must have is still missing.
 *
 * A search is done in batches of places, few at first, so that a pattern that
 * takes its time at each of them stops neither the deadline nor other fibers.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "lib/regex.h"
#include "lib/stream.h"
#include "weft/fiber.h"

enum {
	BATCH = 64,             /* doubles, as long as time does not pass */
	PATIENCE = 2            /* milliseconds; then others may run */
};

struct match {
	const struct weft_regex *regex;
	int64_t deadline;
	struct weft__search search;
	size_t furthest;        /* no search looks behind it */
	size_t lacking;         /* bytes in which what it needs is not */
};

enum next { FOUND, WAIT, SEARCH, TOO_LONG, FAILED };

static size_t
sum(size_t a, size_t b)
{
	return a <= SIZE_MAX - b ? a + b : SIZE_MAX;
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void
start_at(const struct weft_stream *s, struct match *m, size_t place)
{
	if (!m->regex->whole)
		m->search.from = place;
	m->furthest = sum(m->regex->whole ? s->limit : place, sum(s->limit, 1));
}

/* --- what need not be searched */

static struct weft__key
key_of(const struct weft_regex *regex)
{
	struct weft__key key = { { WEFT__KEY_REGEX } };

	memcpy(key.bytes + 1, &regex->id, sizeof regex->id);
	return key;
}

/* What an earlier read in vain, for the same, has found out. */
static void
recall(const struct weft_stream *s, struct match *m)
{
	struct weft__key key = key_of(m->regex);

	if (weft__has_searched_for(s, &key)) {
		start_at(s, m, s->searched.scanned);
		m->lacking = s->searched.lacking;
	} else
		start_at(s, m, 0);
}

static void
remember(struct weft_stream *s, const struct match *m)
{
	s->searched = (struct weft__searched){ key_of(m->regex), m->search.from, m->lacking };
}

static bool
has(const unsigned char *bytes, size_t n, int byte)
{
	return n > 0 && (memchr(bytes, byte, n) != NULL ||
	    (isalpha(byte) && memchr(bytes, byte ^ 0x20, n) != NULL));
}

/* Whether no match is possible before more comes: the byte that it needs is
 * not there. What is too long is found out by a search. */
static bool
is_hopeless(const struct weft_stream *s, struct match *m)
{
	size_t count = weft__input_count(s);
	size_t at = m->search.from + (m->regex->behind ? 1 : 0);

	if (m->regex->needs < 0 || count > s->limit)
		return false;
	if (at < m->lacking)
		at = m->lacking;
	if (at < count && has(weft__input_bytes(s) + at, count - at, m->regex->needs))
		return false;
	m->lacking = count;
	return true;
}

/* --- searching */

/* How far a search looks, and where a match may begin. */
static void
set_bounds(const struct weft_stream *s, struct match *m, size_t batch)
{
	struct weft__search *f = &m->search;
	size_t count = weft__input_count(s);

	f->bytes = weft__input_bytes(s);
	f->length = f->final ? count : smaller(count, m->furthest);
	f->to = m->regex->whole ? s->limit : smaller(s->limit, sum(f->from, batch - 1));
}

/* After a search that ended at a match that is not decided. */
static enum next
after_undecided(const struct weft_stream *s, struct match *m)
{
	start_at(s, m, m->search.place);
	if (m->search.length >= m->furthest)
		return TOO_LONG;
	return m->search.length < weft__input_count(s) ? SEARCH : WAIT;
}

/* After one in vain. The place behind the last byte has been tried, but will
 * be another one when more has come. */
static enum next
after_none(const struct weft_stream *s, struct match *m)
{
	struct weft__search *f = &m->search;
	size_t count = weft__input_count(s);

	if (f->to >= s->limit && (f->final || count > s->limit))
		return f->final ? WAIT : TOO_LONG;
	if (m->regex->whole)
		return WAIT;
	start_at(s, m, smaller(f->to + 1, f->length));
	return f->to >= count ? WAIT : SEARCH;
}

static enum next
search_once(struct weft_stream *s, struct match *m, size_t batch)
{
	int verdict;

	set_bounds(s, m, batch);
	verdict = weft__regex_search(m->regex, &weft__per_loop(s->loop)->matcher, &m->search);
	if (verdict < 0) {
		errno = -verdict;
		return FAILED;
	}
	if (verdict == WEFT__MATCH)
		return m->search.start > s->limit ||
		    m->search.end - m->search.start > s->limit ? TOO_LONG : FOUND;
	return verdict == WEFT__UNDECIDED ? after_undecided(s, m) : after_none(s, m);
}

/* Lets others run. 0 or an errno, if the read is to end. */
static int
make_a_pause(struct weft_stream *s, const struct match *m)
{
	int64_t deadline;
	int error;

	weft__charge(s->loop, SIZE_MAX);
	error = s->closed ? EBADF : weft__check(s->loop);
	if (error != 0 || m->deadline == WEFT_NOWAIT)
		return error;
	deadline = weft_deadline();
	if (m->deadline != WEFT_NEVER && (deadline == WEFT_NEVER || m->deadline < deadline))
		deadline = m->deadline;
	return deadline != WEFT_NEVER && weft_after(0) > deadline ? ETIMEDOUT : 0;
}

/* All that can be told of the bytes that are there. */
static enum next
search(struct weft_stream *s, struct match *m)
{
	size_t batch = BATCH;
	int64_t began = 0;
	enum next next;
	int error;

	while ((next = search_once(s, m, batch)) == SEARCH) {
		batch *= 2;
		if (began == 0)
			began = weft_after(0);
		if (weft_after(0) - began < PATIENCE)
			continue;
		error = make_a_pause(s, m);
		if (error != 0) {
			errno = error;
			return FAILED;
		}
		batch = BATCH;
		began = weft_after(0);
	}
	return next;
}

/* --- reading */

/* At the end of the stream. What was tried before remains tried if it does not
 * end: a terminal may go on. */
static ssize_t
finish(struct weft_stream *s, struct match *m)
{
	size_t from = m->search.from;
	enum next next = WAIT;

	if (weft__input_count(s) == 0)
		return 0;
	m->search.final = true;
	next = search(s, m);
	m->search.from = from;
	if (next == FOUND)
		return (ssize_t)m->search.end;
	return next == FAILED ? -1 : weft__fail(next == TOO_LONG ? EMSGSIZE : EPIPE);
}

static ssize_t
complete(struct weft_stream *s, struct match *m)
{
	enum next next;
	ssize_t got;

	for (;;) {
		next = weft__input_count(s) == 0 || is_hopeless(s, m) ? WAIT :
		    search(s, m);
		if (next == FOUND)
			return (ssize_t)m->search.end;
		if (next != WAIT)
			return next == TOO_LONG ? weft__fail(EMSGSIZE) : -1;
		got = weft__input_read(s, NULL, 0, m->deadline);
		if (got < 0)
			return -1;
		if (got == 0)
			return finish(s, m);
	}
}

ssize_t
weft_stream_read_match(struct weft_stream *s, const struct weft_regex *regex,
    const void **data, int64_t deadline)
{
	struct match m = { .regex = regex, .deadline = deadline };
	int error = regex == NULL ? EINVAL : weft__stream_enter(s, &s->reading, deadline);
	ssize_t length;

	if (error != 0)
		return weft__fail(error);
	recall(s, &m);
	length = complete(s, &m);
	if (length > 0) {
		*data = weft__input_bytes(s);
		weft__input_consume(s, (size_t)length);
	} else if (length < 0) {
		remember(s, &m);
	}
	return weft__read_leave(s, length);
}
