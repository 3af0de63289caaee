/* SPDX-License-Identifier: MIT */
/*
 * lib/buffer.c - the life of a Buffer and the movements of its state.
 *
 *     0 <= mark <= position <= limit <= capacity
 *
 *     new      0,position                    limit,capacity   all can be put
 *     put n    0 ======== position           limit,capacity
 *     flip     0,position ======== limit           capacity   n can be got
 *     compact  0 == position                 limit,capacity   the rest, then more
 *
 * The memory, and how it grows, is in buffer_storage.c.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/buffer.h"

/* For the rare path of every call: set errno, be -1. */
int
weft__buffer_refuse(int error)
{
	errno = error;
	return -1;
}

/* Takes a reference of its own to the storage, if there is one. */
struct weft_buffer *
weft__buffer_make(unsigned char *bytes, size_t capacity, struct weft__storage *s)
{
	struct weft_buffer *b;
	int saved = errno;

	if ((b = malloc(sizeof(*b))) == NULL)
		return NULL;
	errno = saved; /* which a malloc that succeeds is allowed to change */
	weft__buffer_init(b, bytes, capacity);
	b->storage = s;
	if (s != NULL)
		s->references++;
	return b;
}

struct weft_buffer *
weft_buffer_new(size_t capacity)
{
	struct weft__storage *s = weft__storage_new(capacity);
	struct weft_buffer *b;

	if (s == NULL)
		return NULL;
	b = weft__buffer_make(s->bytes, capacity, s);
	weft__storage_release(s);
	return b;
}

struct weft_buffer *
weft_buffer_new_growable(size_t initial, size_t maximum)
{
	struct weft_buffer *b;

	if (initial > maximum) {
		errno = EINVAL;
		return NULL;
	}
	if ((b = weft_buffer_new(initial)) != NULL)
		b->maximum = maximum;
	return b;
}

struct weft_buffer *
weft_buffer_wrap(void *memory, size_t length)
{
	if (length > WEFT__BUFFER_MAX || (memory == NULL && length > 0)) {
		errno = EINVAL;
		return NULL;
	}
	return weft__buffer_make(memory, length, NULL);
}

struct weft_buffer *
weft_buffer_wrap_const(const void *memory, size_t length)
{
	struct weft_buffer *b = weft_buffer_wrap((void *)(uintptr_t)memory, length);

	if (b != NULL)
		b->read_only = true;
	return b;
}

void
weft_buffer_free(struct weft_buffer *b)
{
	int saved = errno;

	if (b == NULL || b->embedded)
		return;
	weft__buffer_check(b);
	weft__storage_release(b->storage);
	free(b);
	errno = saved;
}

size_t
weft_buffer_capacity(const struct weft_buffer *b)
{
	weft__buffer_check(b);
	return b->capacity;
}

size_t
weft_buffer_position(const struct weft_buffer *b)
{
	weft__buffer_check(b);
	return b->position;
}

size_t
weft_buffer_limit(const struct weft_buffer *b)
{
	weft__buffer_check(b);
	return b->limit;
}

size_t
weft_buffer_remaining(const struct weft_buffer *b)
{
	weft__buffer_check(b);
	return weft__buffer_remaining(b);
}

bool
weft_buffer_has_remaining(const struct weft_buffer *b)
{
	weft__buffer_check(b);
	return b->position < b->limit;
}

int
weft_buffer_set_position(struct weft_buffer *b, size_t position)
{
	weft__buffer_check(b);
	if (position > b->limit)
		return weft__buffer_refuse(EINVAL);
	weft__buffer_move_to(b, position);
	return 0;
}

int
weft_buffer_set_limit(struct weft_buffer *b, size_t limit)
{
	weft__buffer_check(b);
	if (limit < b->position || limit > b->capacity)
		return weft__buffer_refuse(EINVAL);
	b->limit = limit;
	return 0;
}

void
weft_buffer_mark(struct weft_buffer *b)
{
	weft__buffer_check(b);
	b->mark = b->position;
}

int
weft_buffer_reset(struct weft_buffer *b)
{
	weft__buffer_check(b);
	if (b->mark == WEFT__NO_MARK)
		return weft__buffer_refuse(EINVAL);
	b->position = b->mark;
	return 0;
}

static void
set_state(struct weft_buffer *b, size_t position, size_t limit)
{
	b->position = position;
	b->limit = limit;
	b->mark = WEFT__NO_MARK;
}

void
weft_buffer_clear(struct weft_buffer *b)
{
	weft__buffer_check(b);
	set_state(b, 0, b->capacity);
}

void
weft_buffer_flip(struct weft_buffer *b)
{
	weft__buffer_check(b);
	set_state(b, 0, b->position);
}

void
weft_buffer_rewind(struct weft_buffer *b)
{
	weft__buffer_check(b);
	set_state(b, 0, b->limit);
}

int
weft_buffer_compact(struct weft_buffer *b)
{
	size_t n;

	weft__buffer_check(b);
	if (b->read_only)
		return weft__buffer_refuse(EROFS);
	n = weft__buffer_remaining(b);
	if (b->position > 0)
		weft__move_bytes(b->bytes, b->bytes + b->position, n);
	set_state(b, n, b->capacity);
	return 0;
}

int
weft_buffer_skip(struct weft_buffer *b, size_t n)
{
	weft__buffer_check(b);
	if (n > weft__buffer_remaining(b))
		return weft__buffer_refuse(ERANGE);
	b->position += n;
	return 0;
}

void *
weft_buffer_data(struct weft_buffer *b)
{
	weft__buffer_check(b);
	if (b->read_only) {
		errno = EROFS;
		return NULL;
	}
	return b->bytes;
}

const void *
weft_buffer_bytes(const struct weft_buffer *b)
{
	weft__buffer_check(b);
	return b->bytes;
}
