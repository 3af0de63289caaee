/* SPDX-License-Identifier: MIT */
/*
 * The Buffer that a stream's bytes arrive in.
 *
 *    no memory --read--> a block --record too long--> larger memory
 *        ^                  |                              |
 *        +--- empty, and about to park, or closed ---------+
 *
 * Blocks are shared by all streams of a loop and used last in, first out: of
 * ten thousand connections that get a line each, most find it in the same few
 * cache lines. What was returned to the program as borrowed stays where it is
 * until the next read: memory moves or goes only at the start of a fill.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/compat.h"
#include "lib/stream.h"

bool
weft__has_searched_for(const struct weft_stream *s, const struct weft__key *key)
{
	return weft__has_searched(s) && memcmp(&s->searched.key, key, sizeof *key) == 0;
}

/* The program may be looking at the Buffer (weft_stream_input): it may get from
 * it, and never put. */
static void
point(struct weft_stream *s, void *memory, size_t size, size_t unread)
{
	weft__buffer_init(&s->input, memory, size);
	s->input.limit = unread;
	s->input.read_only = true;
	s->input.embedded = true;
}

/* Whatever the program did to the limit, the bytes end where they did. */
void
weft__input_reclaim(struct weft_stream *s)
{
	if (s->input.position != s->input_start)
		s->searched.key.bytes[0] = 0;
	s->input.limit = s->input_end;
	if (s->input.position > s->input_end)
		s->input.position = s->input_end;
	s->input.mark = WEFT__NO_MARK;
}

static void *
take_block(struct weft_loop *loop)
{
	void *block = weft__idle_take(&weft__per_loop(loop)->blocks);

	return block != NULL ? block : malloc(WEFT__BLOCK);
}

void
weft__input_give(struct weft_loop *loop, void *memory, size_t size)
{
	if (size == WEFT__BLOCK)
		weft__idle_give(&weft__per_loop(loop)->blocks, memory);
	else
		free(memory);
}

void
weft__input_drop(struct weft_stream *s)
{
	if (s->input.bytes != NULL)
		weft__input_give(s->loop, s->input.bytes, s->input.capacity);
	point(s, NULL, 0, 0);
}

void *
weft__input_take(struct weft_stream *s, size_t *size)
{
	void *memory = s->input.bytes;

	*size = s->input.capacity;
	point(s, NULL, 0, 0);
	s->input_end = 0;
	return memory;
}

void
weft__input_release(struct weft_stream *s)
{
	if (s->input.bytes != NULL && s->input.position == s->input.limit)
		weft__input_drop(s);
}

/* Moves what is unread into memory of another size. */
static int
resize(struct weft_stream *s, size_t size)
{
	size_t unread = weft__buffer_remaining(&s->input);
	void *memory = size == WEFT__BLOCK ? take_block(s->loop) : malloc(size);

	if (memory == NULL)
		return -1;
	if (unread > 0)
		memcpy(memory, weft__input_bytes(s), unread);
	weft__input_drop(s);
	point(s, memory, size, unread);
	return 0;
}

int
weft__input_reserve(struct weft_stream *s, size_t size)
{
	struct weft_buffer *in = &s->input;
	size_t unread = weft__buffer_remaining(in);

	if (size <= in->capacity - in->position)
		return 0;
	if (size > in->capacity)
		return resize(s, size < WEFT__BLOCK ? WEFT__BLOCK : size);
	memmove(in->bytes, in->bytes + in->position, unread);
	in->position = 0;
	in->limit = unread;
	return 0;
}

void
weft__input_append(struct weft_stream *s, const void *bytes, size_t n)
{
	WEFT_ASSERT(n <= s->input.capacity - s->input.limit);
	memcpy(s->input.bytes + s->input.limit, bytes, n);
	s->input.limit += n;
}

/* Room for at least one more byte. Memory doubles, and bytes move only when
 * half of it is free: a record costs its copy once more if it just fits, twice
 * more at most. */
static int
make_room(struct weft_stream *s)
{
	struct weft_buffer *in = &s->input;

	if (in->position == in->limit)
		in->position = in->limit = 0;
	if (in->limit < in->capacity)
		return 0;
	if (in->capacity == 0)
		return resize(s, WEFT__BLOCK);
	if (in->position >= in->capacity / 2)
		return weft__input_reserve(s, in->capacity - in->position + 1);
	if (in->capacity > SIZE_MAX / 2) {
		errno = ENOMEM;
		return -1;
	}
	return resize(s, 2 * in->capacity);
}

/* A try that has got nothing: 0 at the end, -1 with errno. EAGAIN clears the bit. */
static WEFT__COLD ssize_t
got_nothing(struct weft_stream *s, ssize_t got)
{
	if (s->ended)                   /* the class has aborted it, and so the Buffer */
		return weft__fail(EBADF);
	if (got == 0 && s->write_error == ECONNRESET) {
		/* A write was told of the reset, which the kernel tells once. */
		weft__stream_break_read(s, ECONNRESET, "read");
		return weft__fail(ECONNRESET);
	}
	if (got == 0)
		s->eof = true;
	else if (errno == EAGAIN)
		s->ready &= (uint8_t)~WEFT_READABLE;
	else
		weft__stream_break_read(s, errno, "read");
	return got;
}

/* One try of the class: into dst, or if that is NULL into the Buffer. */
static inline ssize_t
try_class(struct weft_stream *s, void *dst, size_t n)
{
	struct weft_buffer *in = &s->input;
	ssize_t got;

	if (dst == NULL) {
		if (make_room(s) < 0)
			return -1;
		got = s->class->read(s, in->bytes + in->limit, in->capacity - in->limit);
		if (got > 0 && !s->ended)
			in->limit += (size_t)got;
	} else {
		got = s->class->read(s, dst, n);
	}
	return got > 0 && !s->ended ? got : got_nothing(s, got);
}

/* Why a read ends without a try: 0 at the end, -1 with errno. */
static WEFT__COLD ssize_t
stopped(const struct weft_stream *s)
{
	if (s->closed)
		return weft__fail(EBADF);
	return s->read_error != 0 ? weft__fail(s->read_error) : 0;
}

static inline int
wait_for_input(struct weft_stream *s, int64_t deadline)
{
	int error;

	weft__stream_tell(s, WEFT__NEWS_HUNGRY);
	if (deadline == WEFT_NOWAIT)
		return EAGAIN;
	error = weft__stream_want(s, WEFT_READABLE);
	if (error != 0 || s->ready & WEFT_READABLE)
		return error;
	s->reader = weft__running(s->loop);
	error = weft__park(s->loop, deadline, weft__stream_waiting(s) | WEFT__FOR_INPUT);
	s->reader = NULL;
	return s->closed ? EBADF : error;
}

int
weft__input_wait(struct weft_stream *s, int64_t deadline)
{
	return wait_for_input(s, deadline);
}

ssize_t
weft__input_read(struct weft_stream *s, void *dst, size_t n, int64_t deadline)
{
	bool late = false;
	ssize_t got;
	int error;

	if (deadline == WEFT_NOWAIT)
		s->ready |= WEFT_READABLE;      /* whatever we believe */
	for (;;) {
		if (s->closed || s->eof || s->read_error != 0)
			return stopped(s);
		if (s->ready & WEFT_READABLE) {
			got = try_class(s, dst, n);
			if (got >= 0 || errno != EAGAIN)
				return got;
		}
		if (late)
			return weft__fail(ETIMEDOUT);
		if (dst == NULL)        /* else it may be a reserve */
			weft__input_release(s);
		error = wait_for_input(s, deadline);
		if (error == 0)
			continue;
		if (error != ETIMEDOUT)
			return weft__fail(error);
		late = true;            /* it still gets its one try */
		s->ready |= WEFT_READABLE;
	}
}

ssize_t
weft__input_try(struct weft_stream *s)
{
	ssize_t got;

	if (s->read_error != 0)
		return weft__fail(s->read_error);
	if (s->eof)
		return 0;
	if (s->ready & WEFT_READABLE) {
		got = try_class(s, NULL, 0);
		if (got >= 0 || errno != EAGAIN)
			return got;
	}
	weft__input_release(s);
	return s->class->want(s, WEFT_READABLE) < 0 ? -1 : weft__fail(EAGAIN);
}
