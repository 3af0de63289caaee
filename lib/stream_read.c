/* SPDX-License-Identifier: MIT */
/*
 * Reads by count. What is buffered comes first; then large reads go straight
 * into the caller's memory, small ones through a block, so that a program that
 * reads byte by byte does not make a system call for each.
 *
 * A large exact read goes straight, too, and yet consumes nothing if it fails:
 * room for all of it is reserved in the Buffer before the first byte, and what
 * had come is put there.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "lib/stream.h"

/* Where weft__read_leave goes when there is more to it. */
ssize_t
weft__read_end(struct weft_stream *s, ssize_t got)
{
	if (got == 0)
		weft__stream_keep_errno(s, &s->reading);
	if (got == 0 && s->resumes)
		s->eof = false;
	if (got <= 0)
		weft__charge(s->loop, 0);
	if (got > 0 && s->ended)
		got = weft__fail(EBADF);
	weft__stream_tell(s, WEFT__NEWS_READ);
	weft__stream_leave(s, &s->reading);
	return got;
}

static ssize_t
take(struct weft_stream *s, void *dst, size_t n)
{
	size_t have = weft__buffer_remaining(&s->input);

	if (n > have)
		n = have;
	memcpy(dst, weft__input_bytes(s), n);
	weft__input_consume(s, n);
	return (ssize_t)n;
}

static WEFT__APART ssize_t
take_at_hand(struct weft_stream *s, void *dst, size_t n)
{
	ssize_t got = take(s, dst, n);

	weft__charge_at_hand(s, (size_t)got);
	return got;
}

static WEFT__APART ssize_t
read_through_buffer(struct weft_stream *s, void *dst, size_t n, int64_t deadline)
{
	ssize_t got = 1;

	if (weft__input_count(s) == 0)
		got = weft__input_read(s, NULL, 0, deadline);
	return got <= 0 ? got : take(s, dst, n);
}

static inline ssize_t
read_some(struct weft_stream *s, void *dst, size_t n, int64_t deadline)
{
	if (n < WEFT__DIRECT_READ || weft__input_count(s) > 0)
		return read_through_buffer(s, dst, n, deadline);
	if (s->input.bytes != NULL)
		weft__input_drop(s);
	return weft__input_read(s, dst, n, deadline);
}

ssize_t
weft_stream_read(struct weft_stream *s, void *dst, size_t n, int64_t deadline)
{
	int error;

	if (n - 1 < WEFT__AT_HAND_MAX && weft__input_at_hand(s))
		return take_at_hand(s, dst, n);
	error = n == 0 ? EINVAL : weft__stream_enter(s, &s->reading, deadline);
	if (error != 0)
		return weft__fail(error);
	return weft__read_leave(s, read_some(s, dst, n, deadline));
}

/* The end came after so much of what was asked for. */
static ssize_t
ended(size_t have)
{
	return have == 0 ? 0 : weft__fail(EPIPE);
}

static ssize_t
exactly_through_buffer(struct weft_stream *s, void *dst, size_t n, int64_t deadline)
{
	ssize_t got;

	while (weft__input_count(s) < n) {
		if (weft__input_count(s) > 0 && weft__input_reserve(s, n) < 0)
			return -1;
		got = weft__input_read(s, NULL, 0, deadline);
		if (got <= 0)
			return got < 0 ? -1 : ended(weft__input_count(s));
	}
	return take(s, dst, n);
}

static ssize_t
exactly_straight(struct weft_stream *s, unsigned char *dst, size_t n, int64_t deadline)
{
	size_t first = weft__input_count(s), have = first;
	ssize_t got = 1;

	if (weft__input_reserve(s, n) < 0)
		return -1;
	while (have < n && got > 0) {
		got = weft__input_read(s, dst + have, n - have, deadline);
		if (got > 0)
			have += (size_t)got;
	}
	if (have == n) {
		if (first > 0)
			take(s, dst, first);
		weft__input_release(s);
		return (ssize_t)n;
	}
	if (!s->closed)
		weft__input_append(s, dst + first, have - first);
	return got < 0 ? -1 : ended(have);
}

ssize_t
weft_stream_read_exactly(struct weft_stream *s, void *dst, size_t n, int64_t deadline)
{
	int error = n == 0 || n > SSIZE_MAX ? EINVAL :
	    weft__stream_enter(s, &s->reading, deadline);
	ssize_t got;

	if (error != 0)
		return weft__fail(error);
	if (n <= WEFT__BLOCK || weft__input_count(s) >= n)
		got = exactly_through_buffer(s, dst, n, deadline);
	else
		got = exactly_straight(s, dst, n, deadline);
	return weft__read_leave(s, got);
}

/* Between two reads the program may have the Buffer, and may have changed its
 * limit. */
size_t
weft_stream_buffered(const struct weft_stream *s)
{
	size_t end = s->lent && s->reading.inside == NULL ? s->input_end : s->input.limit;

	return end > s->input.position ? end - s->input.position : 0;
}

int
weft_stream_set_limit(struct weft_stream *s, size_t bytes)
{
	if (bytes == 0)
		return weft__fail(EINVAL);
	s->limit = bytes;
	return 0;
}
