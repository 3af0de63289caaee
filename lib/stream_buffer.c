/* SPDX-License-Identifier: MIT */
/*
 * Streams and Buffers: reads into and writes from the program's, and looks at
 * the stream's own.
 *
 * The input Buffer is lent as it is: getting from it consumes. The program may
 * do what it likes to its limit, so the stream remembers where the bytes end,
 * and puts that right before the next read.
 */
#include "config.h"

#include <errno.h>

#include "lib/stream.h"

/* --- the program's Buffer */

/* Room at the position; a growable Buffer that is full grows by a block, or as
 * far as it may. */
static size_t
room(struct weft_buffer *b)
{
	size_t more = b->maximum > b->position ? b->maximum - b->position : 0;

	if (!weft_buffer_has_remaining(b) && more > 0)
		(void)!weft_buffer_reserve(b, more < WEFT__BLOCK ? more : WEFT__BLOCK);
	return weft_buffer_remaining(b);
}

static ssize_t
read_into(struct weft_stream *s, struct weft_buffer *b, int64_t deadline)
{
	size_t n = room(b), have = weft__input_count(s);
	ssize_t got;

	if (n == 0)
		return weft__fail(ENOBUFS);
	if (have > 0) {
		if (n > have)
			n = have;
		weft__move_bytes(b->bytes + b->position, weft__input_bytes(s), n);
		weft__input_consume(s, n);
		got = (ssize_t)n;
	} else {
		weft__input_release(s);
		got = weft__input_read(s, b->bytes + b->position, n, deadline);
	}
	if (got > 0)
		b->position += (size_t)got;
	return got;
}

static int
enter_with(struct weft_stream *s, const struct weft_buffer *b, int64_t deadline)
{
	if (b->read_only)
		return EROFS;
	return weft__stream_enter(s, &s->reading, deadline);
}

ssize_t
weft_stream_read_buffer(struct weft_stream *s, struct weft_buffer *dst, int64_t deadline)
{
	int error = enter_with(s, dst, deadline);

	if (error != 0)
		return weft__fail(error);
	return weft__read_leave(s, read_into(s, dst, deadline));
}

/* A full Buffer is enough if the end comes next. */
static ssize_t
read_to_end(struct weft_stream *s, struct weft_buffer *into, int64_t deadline)
{
	size_t before = into->position;
	ssize_t got = 1;

	while (got > 0) {
		if (room(into) > 0)
			got = read_into(s, into, deadline);
		else if (weft__input_count(s) > 0)
			return weft__fail(EMSGSIZE);
		else
			got = weft__input_read(s, NULL, 0, deadline);
	}
	if (got == 0 && s->resumes)
		s->eof = false;         /* told by that we return */
	return got < 0 ? -1 : (ssize_t)(into->position - before);
}

ssize_t
weft_stream_read_all(struct weft_stream *s, struct weft_buffer *into, int64_t deadline)
{
	int error = enter_with(s, into, deadline);

	if (error != 0)
		return weft__fail(error);
	return weft__read_leave(s, read_to_end(s, into, deadline));
}

ssize_t
weft_stream_write_buffer(struct weft_stream *s, struct weft_buffer *src, int64_t deadline)
{
	ssize_t n;

	if (!weft_buffer_has_remaining(src))
		return 0;
	n = weft_stream_write(s, src->bytes + src->position, weft_buffer_remaining(src),
	    deadline);
	if (n > 0)
		src->position += (size_t)n;
	return n;
}

/* --- the stream's own, for reading */

/* At least n bytes: how many there are. */
static ssize_t
make_available(struct weft_stream *s, size_t n, int64_t deadline)
{
	ssize_t got;

	if (n > s->limit)
		return weft__fail(EMSGSIZE);
	while (weft__input_count(s) < n) {
		if (weft__input_count(s) > 0 && weft__input_reserve(s, n) < 0)
			return -1;
		got = weft__input_read(s, NULL, 0, deadline);
		if (got < 0)
			return -1;
		if (got == 0)
			return weft__input_count(s) == 0 ? 0 : weft__fail(EPIPE);
	}
	return (ssize_t)weft__input_count(s);
}

ssize_t
weft_stream_peek(struct weft_stream *s, size_t want, const void **data, int64_t deadline)
{
	int error = want == 0 ? EINVAL : weft__stream_enter(s, &s->reading, deadline);
	ssize_t n;

	if (error != 0)
		return weft__fail(error);
	n = make_available(s, want, deadline);
	if (n > 0)
		*data = weft__input_bytes(s);
	return weft__read_leave(s, n);
}

ssize_t
weft_stream_fill(struct weft_stream *s, size_t n, int64_t deadline)
{
	const void *unused;

	return weft_stream_peek(s, n, &unused, deadline);
}

/* A fiber inside a read has done so already, and may be in the middle of it. */
static void
settle(struct weft_stream *s)
{
	if (s->lent && s->reading.inside == NULL)
		weft__input_reclaim(s);
}

int
weft_stream_skip(struct weft_stream *s, size_t n)
{
	if (s->closed)
		return weft__fail(EBADF);
	settle(s);
	if (n > weft__input_count(s))
		return weft__fail(ERANGE);
	weft__input_consume(s, n);
	return 0;
}

struct weft_buffer *
weft_stream_input(struct weft_stream *s)
{
	if (s->closed) {
		errno = EBADF;
		return NULL;
	}
	settle(s);
	s->lent = true;
	s->input_start = s->input.position;
	s->input_end = s->input.limit;
	return &s->input;
}

/* --- the stream's own, for writing: an idle stream has none, the loop one */

static struct weft_buffer *
take_spare(struct weft_stream *s, size_t n)
{
	struct weft__per_loop *own = weft__per_loop(s->loop);
	struct weft_buffer *spare = own->output;

	if (spare == NULL || weft_buffer_capacity(spare) < n)
		return NULL;
	own->output = NULL;
	return spare;
}

static void
give_back(struct weft_stream *s)
{
	struct weft__per_loop *own = weft__per_loop(s->loop);

	if (own->output == NULL && weft_buffer_capacity(s->output) <= WEFT__OUTPUT_KEPT)
		own->output = s->output;
	else
		weft_buffer_free(s->output);
	s->output = NULL;
}

static struct weft_buffer *
larger(struct weft_buffer *old, size_t n)
{
	size_t put = old != NULL ? weft_buffer_position(old) : 0;
	struct weft_buffer *b = n <= SIZE_MAX / 2 - put ?
	    weft_buffer_new(put + n < WEFT__OUTPUT ? WEFT__OUTPUT : put + n) : NULL;

	if (b == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	if (put > 0) {
		weft_buffer_flip(old);
		weft_buffer_put_buffer(b, old);
	}
	weft_buffer_free(old);
	return b;
}

struct weft_buffer *
weft_stream_output(struct weft_stream *s, size_t n)
{
	struct weft_buffer *b;
	int error = s->closed ? EBADF : s->unwritable ? ENOTSUP :
	    s->committing ? EBUSY : 0;

	if (error != 0) {
		errno = error;
		return NULL;
	}
	if (s->output == NULL)
		s->output = take_spare(s, n);
	if (s->output == NULL || weft_buffer_remaining(s->output) < n) {
		b = larger(s->output, n);
		if (b == NULL)
			return NULL;
		s->output = b;
	}
	return s->output;
}

/* Writes what was put; what is not accepted moves to the front. */
static int
write_output(struct weft_stream *s, struct weft_buffer *put, int64_t deadline)
{
	ssize_t n;
	int error;

	weft_buffer_flip(put);
	do
		n = weft_stream_write_buffer(s, put, deadline);
	while (n > 0 && weft_buffer_has_remaining(put));
	error = n < 0 ? errno : 0;
	weft_buffer_compact(put);
	return error;
}

int
weft_stream_commit(struct weft_stream *s, int64_t deadline)
{
	int saved = errno, error = s->closed ? EBADF : s->committing ? EBUSY : 0;

	if (error != 0)
		return weft__fail(error);
	if (s->output == NULL || weft_buffer_position(s->output) == 0)
		return 0;
	s->committing = true;
	s->users++;
	error = write_output(s, s->output, deadline);
	s->committing = false;
	if (error == 0)
		give_back(s);
	weft__stream_go_out(s);
	errno = error == 0 ? saved : error;
	return error == 0 ? 0 : -1;
}
