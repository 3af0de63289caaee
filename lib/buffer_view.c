/* SPDX-License-Identifier: MIT */
/*
 * lib/buffer_view.c - several Buffers over the same bytes.
 *
 *     original   0 ........ position ======== limit ........ capacity
 *     duplicate  0 ........ position ======== limit ........ capacity
 *     slice                 0 =============== capacity
 *     slice_at(i, n)   0 ===== capacity         (anywhere below the limit)
 *
 * A view holds a reference to the storage, never to the Buffer it was made
 * from: they can be freed in any order. Views do not grow, and when the
 * original does, they stay with the bytes that they saw.
 */
#include "config.h"

#include <errno.h>

#include "lib/buffer.h"

/* [index, index + n) of b as a Buffer of its own. */
static struct weft_buffer *
view(const struct weft_buffer *b, size_t index, size_t n)
{
	struct weft_buffer *v;

	if (b->embedded) {
		errno = ENOTSUP;
		return NULL;
	}
	if ((v = weft__buffer_make(weft__buffer_at(b, index), n, b->storage)) != NULL)
		v->read_only = b->read_only;
	return v;
}

struct weft_buffer *
weft_buffer_duplicate(struct weft_buffer *b)
{
	struct weft_buffer *v;

	weft__buffer_check(b);
	if ((v = view(b, 0, b->capacity)) == NULL)
		return NULL;
	v->position = b->position;
	v->limit = b->limit;
	v->mark = b->mark;
	return v;
}

struct weft_buffer *
weft_buffer_slice(struct weft_buffer *b)
{
	weft__buffer_check(b);
	return view(b, b->position, weft__buffer_remaining(b));
}

struct weft_buffer *
weft_buffer_slice_at(struct weft_buffer *b, size_t index, size_t length)
{
	weft__buffer_check(b);
	if (!weft__buffer_holds(b, index, length)) {
		errno = EINVAL;
		return NULL;
	}
	return view(b, index, length);
}

struct weft_buffer *
weft_buffer_read_only(struct weft_buffer *b)
{
	struct weft_buffer *v = weft_buffer_duplicate(b);

	if (v != NULL)
		v->read_only = true;
	return v;
}
