/* SPDX-License-Identifier: MIT */
/*
 * lib/buffer_storage.c - the bytes that Buffers share, and how they grow.
 *
 *     original --.                       original -> storage (1) [ab.....]
 *     duplicate ---> storage (3) [ab.]   duplicate --> storage (2) [ab.]
 *     slice -----'                       slice ------'
 *                                 put "cd" to the original
 *
 * A growable Buffer is a fixed one with a maximum: when a put finds no room
 * and the limit is the capacity, the capacity doubles and the limit follows.
 * If views share the bytes, growing leaves the old ones to them and goes on
 * with a copy; else the memory is resized in place.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/buffer.h"

/* Success leaves errno alone; a malloc that succeeds is allowed not to. */
static struct weft__storage *
resize(struct weft__storage *old, size_t capacity)
{
	struct weft__storage *s;
	int saved = errno;

	if (capacity > WEFT__BUFFER_MAX - sizeof(*s)) {
		errno = ENOMEM;
		return NULL;
	}
	if ((s = realloc(old, sizeof(*s) + capacity)) != NULL)
		errno = saved;
	return s;
}

/* calloc, not resize and memset: fresh pages are zero already. */
struct weft__storage *
weft__storage_new(size_t capacity)
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

void
weft__storage_release(struct weft__storage *s)
{
	int saved = errno;

	if (s != NULL && --s->references == 0)
		free(s);
	errno = saved;
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
		return resize(b->storage, capacity);
	if ((s = resize(NULL, capacity)) == NULL)
		return NULL;
	s->references = 1;
	memcpy(s->bytes, b->bytes, b->capacity);
	weft__storage_release(b->storage);
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
int
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
