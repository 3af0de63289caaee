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
 * A growable Buffer is a fixed one with a maximum: when a put finds no room
 * and the limit is the capacity, the capacity doubles and the limit follows.
 * If views share the bytes, growing leaves the old bytes to them and goes on
 * with a copy; else the memory is resized in place.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/buffer.h"

/* Success leaves errno alone; a successful malloc is allowed not to. */
static void *
resize(void *old, size_t header, size_t n)
{
	void *memory;
	int saved = errno;

	if (n > WEFT__BUFFER_MAX - header) {
		errno = ENOMEM;
		return NULL;
	}
	if ((memory = realloc(old, header + n)) != NULL)
		errno = saved;
	return memory;
}

/* calloc, not resize and memset: fresh pages are zero already. */
static struct weft__storage *
storage_new(size_t capacity)
{
	struct weft__storage *s;
	int saved = errno;

	if (capacity > WEFT__BUFFER_MAX - sizeof(*s)) {
		errno = ENOMEM;
		return NULL;
	}
	if ((s = calloc(1, sizeof(*s) + capacity)) == NULL)
		return NULL;
	errno = saved;
	s->references = 1;
	return s;
}

static void
storage_release(struct weft__storage *s)
{
	int saved = errno;

	if (s != NULL && --s->references == 0)
		free(s);
	errno = saved;
}

/* For the rare path of every call: set errno, be -1. */
WEFT__COLD int
weft__buffer_refuse(int error)
{
	errno = error;
	return -1;
}

static void
init(struct weft_buffer *b, unsigned char *bytes, size_t capacity)
{
	*b = (struct weft_buffer){
		.bytes = bytes,
		.limit = capacity,
		.capacity = capacity,
		.mark = WEFT__NO_MARK,
	};
}

void
weft__buffer_init(struct weft_buffer *b, void *memory, size_t capacity)
{
	init(b, memory, capacity);
	b->embedded = true;
}

/* Takes a reference of its own to the storage, if there is one. */
struct weft_buffer *
weft__buffer_make(unsigned char *bytes, size_t capacity, struct weft__storage *s)
{
	struct weft_buffer *b = resize(NULL, sizeof(*b), 0);

	if (b == NULL)
		return NULL;
	init(b, bytes, capacity);
	b->storage = s;
	if (s != NULL)
		s->references++;
	return b;
}

struct weft_buffer *
weft_buffer_new(size_t capacity)
{
	struct weft__storage *s = storage_new(capacity);
	struct weft_buffer *b;

	if (s == NULL)
		return NULL;
	b = weft__buffer_make(s->bytes, capacity, s);
	storage_release(s);
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
	storage_release(b->storage);
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

/* Doubled until it holds `needed`, which is at most the maximum. */
static size_t
next_capacity(const struct weft_buffer *b, size_t needed)
{
	size_t n = b->capacity;

	if (n == 0)
		n = b->maximum < WEFT__BUFFER_FIRST ? b->maximum : WEFT__BUFFER_FIRST;
	while (n < needed)
		n = n > b->maximum / 2 ? b->maximum : n * 2;
	return n;
}

/* The storage for `capacity` bytes that begins with what b has now. Where
 * views hold the old one, it stays theirs. */
static struct weft__storage *
storage_grown(struct weft_buffer *b, size_t capacity)
{
	struct weft__storage *s;

	if (b->storage->references == 1)
		return resize(b->storage, sizeof(*s), capacity);
	if ((s = resize(NULL, sizeof(*s), capacity)) == NULL)
		return NULL;
	s->references = 1;
	memcpy(s->bytes, b->bytes, b->capacity);
	storage_release(b->storage);
	return s;
}

static int
grow(struct weft_buffer *b, size_t needed)
{
	size_t capacity = next_capacity(b, needed);
	struct weft__storage *s = storage_grown(b, capacity);

	if (s == NULL)
		return -1;
	memset(s->bytes + b->capacity, 0, capacity - b->capacity);
	b->storage = s;
	b->bytes = s->bytes;
	b->capacity = b->limit = capacity;
	return 0;
}

/* The slow half of every put. A limit below the capacity was set on purpose:
 * growing would not give the room behind it. */
WEFT__COLD int
weft__buffer_make_room(struct weft_buffer *b, size_t n)
{
	if (b->read_only)
		return weft__buffer_refuse(EROFS);
	if (n <= weft__buffer_remaining(b))
		return 0;
	if (b->limit != b->capacity || b->maximum < b->position || n > b->maximum - b->position)
		return weft__buffer_refuse(ENOBUFS);
	return grow(b, b->position + n);
}

int
weft_buffer_reserve(struct weft_buffer *b, size_t n)
{
	weft__buffer_check(b);
	return weft__buffer_make_room(b, n);
}
