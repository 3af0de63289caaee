/* SPDX-License-Identifier: MIT */
/*
 * lib/buffer_bytes.c - bytes in bulk: to and from memory, Buffer to Buffer.
 *
 * Every call checks first and moves then, so that a failure has moved nothing.
 * Two Buffers may be views of the same bytes, and a program may hand back a
 * pointer that it borrowed from the very Buffer: all moves are memmove.
 */
#include "config.h"

#include <errno.h>

#include "lib/buffer.h"

int
weft_buffer_get_bytes(struct weft_buffer *b, void *to, size_t n)
{
	weft__buffer_check(b);
	if (n > weft__buffer_remaining(b))
		return weft__buffer_refuse(ERANGE);
	weft__move_bytes(to, weft__buffer_at(b, b->position), n);
	b->position += n;
	return 0;
}

/* Growing frees the old bytes: a source that lies in them is found again at
 * the same place in the new ones. */
static WEFT__COLD int
put_bytes_slowly(struct weft_buffer *b, const void *from, size_t n)
{
	uintptr_t offset = (uintptr_t)from - (uintptr_t)b->bytes;
	bool own = offset < b->capacity;

	if (weft__buffer_make_room(b, n) != 0)
		return -1;
	return weft_buffer_put_bytes(b, own ? b->bytes + offset : from, n);
}

int
weft_buffer_put_bytes(struct weft_buffer *b, const void *from, size_t n)
{
	weft__buffer_check(b);
	if (n > weft__buffer_remaining(b) || b->read_only)
		return put_bytes_slowly(b, from, n);
	weft__move_bytes(weft__buffer_at(b, b->position), from, n);
	b->position += n;
	return 0;
}

int
weft_buffer_get_bytes_at(struct weft_buffer *b, size_t index, void *to, size_t n)
{
	weft__buffer_check(b);
	if (!weft__buffer_holds(b, index, n))
		return weft__buffer_refuse(ERANGE);
	weft__move_bytes(to, weft__buffer_at(b, index), n);
	return 0;
}

int
weft_buffer_put_bytes_at(struct weft_buffer *b, size_t index, const void *from, size_t n)
{
	weft__buffer_check(b);
	if (b->read_only)
		return weft__buffer_refuse(EROFS);
	if (!weft__buffer_holds(b, index, n))
		return weft__buffer_refuse(ENOBUFS);
	weft__move_bytes(weft__buffer_at(b, index), from, n);
	return 0;
}

int
weft_buffer_put_buffer(struct weft_buffer *to, struct weft_buffer *from)
{
	size_t n;

	weft__buffer_check(to);
	weft__buffer_check(from);
	if (to == from)
		return weft__buffer_refuse(EINVAL);
	n = weft__buffer_remaining(from);
	if (weft_buffer_put_bytes(to, weft__buffer_at(from, from->position), n) != 0)
		return -1;
	from->position += n;
	return 0;
}

int
weft_buffer_copy(struct weft_buffer *to, size_t to_index,
    struct weft_buffer *from, size_t from_index, size_t n)
{
	weft__buffer_check(to);
	weft__buffer_check(from);
	if (to->read_only)
		return weft__buffer_refuse(EROFS);
	if (!weft__buffer_holds(to, to_index, n) || !weft__buffer_holds(from, from_index, n))
		return weft__buffer_refuse(EINVAL);
	weft__move_bytes(weft__buffer_at(to, to_index), weft__buffer_at(from, from_index), n);
	return 0;
}
