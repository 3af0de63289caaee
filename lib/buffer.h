/* SPDX-License-Identifier: MIT */
/*
 * lib/buffer.h - what a Buffer is made of, for lib/ alone.
 *
 * A Buffer is a state over bytes. The bytes are one of three kinds:
 *
 *     counted    storage != NULL   ours; freed with the last Buffer on them
 *     borrowed   storage == NULL   the program's (weft_buffer_wrap)
 *     embedded   embedded          a stream's: the struct lives inside another
 *                                  one, whose owner may point bytes elsewhere
 *                                  and change position, limit and capacity at
 *                                  any time between two calls
 *
 * Views of counted and borrowed bytes are safe. Of an embedded Buffer they
 * would dangle when its owner moves the bytes: they are refused with ENOTSUP.
 * weft_buffer_free of an embedded one does nothing.
 *
 * An owner who lends an embedded Buffer to the program for reading only sets
 * read_only: puts and compact then fail with EROFS. It still has to remember
 * its own limit, because clear, flip and set_limit are the program's to call.
 */
#ifndef WEFT_LIB_BUFFER_H
#define WEFT_LIB_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/compat.h"
#include "weft/buffer.h"

#define WEFT__NO_MARK SIZE_MAX

/* Every maximum of the Buffer, in one place. */
#define WEFT__BUFFER_MAX ((size_t)PTRDIFF_MAX) /* offsets are returned as ssize_t */
#define WEFT__BUFFER_FIRST 16                  /* what a growable one of 0 grows to */
#define WEFT__TRANSFER_VECTORS 16              /* 256 bytes of stack, and few pass more */
#define WEFT__TRANSFER_MAX ((size_t)1 << 30)   /* macOS refuses more than INT_MAX */

struct weft__storage {
	size_t references;
	_Alignas(max_align_t) unsigned char bytes[];
};

/* buffer.c */
struct weft_buffer *weft__buffer_make(unsigned char *bytes, size_t capacity, struct weft__storage *);
WEFT__COLD int weft__buffer_refuse(int error);

/* buffer_storage.c */
struct weft__storage *weft__storage_new(size_t capacity);
void weft__storage_release(struct weft__storage *);
WEFT__COLD int weft__buffer_make_room(struct weft_buffer *, size_t n);

struct weft_buffer {
	unsigned char *bytes;          /* byte 0; NULL only when capacity is 0 */
	size_t position;
	size_t limit;
	size_t capacity;
	size_t mark;                   /* or WEFT__NO_MARK */
	size_t maximum;                /* how far it may grow; 0 if it may not */
	struct weft__storage *storage; /* counted bytes, else NULL */
	bool read_only;                /* bytes may be const: never store there */
	bool embedded;                 /* in a stream: not to be freed */
};

static inline void
weft__buffer_init(struct weft_buffer *b, void *memory, size_t capacity)
{
	*b = (struct weft_buffer){
		.bytes = memory,
		.limit = capacity,
		.capacity = capacity,
		.mark = WEFT__NO_MARK,
	};
}

/* The invariant, on entry of every call; only debug builds look. */
static inline void
weft__buffer_check(const struct weft_buffer *b)
{
	WEFT_ASSERT(b->mark == WEFT__NO_MARK || b->mark <= b->position);
	WEFT_ASSERT(b->position <= b->limit);
	WEFT_ASSERT(b->limit <= b->capacity);
	WEFT_ASSERT(b->bytes != NULL || b->capacity == 0);
	WEFT_ASSERT(b->maximum == 0 || (b->storage != NULL && b->capacity <= b->maximum));
	WEFT_ASSERT(b->storage == NULL || (b->storage->references > 0 && !b->embedded));
	(void)b;
}

static inline size_t
weft__buffer_remaining(const struct weft_buffer *b)
{
	return b->limit - b->position;
}

/* Whether [index, index + n) lies below the limit; no sum that could wrap. */
static inline bool
weft__buffer_holds(const struct weft_buffer *b, size_t index, size_t n)
{
	return n <= b->limit && index <= b->limit - n;
}

static inline void
weft__buffer_move_to(struct weft_buffer *b, size_t position)
{
	b->position = position;
	if (b->mark > position)
		b->mark = WEFT__NO_MARK;
}

/* The address of a byte; bytes may be NULL, to which C lets nobody add 0. */
static inline unsigned char *
weft__buffer_at(const struct weft_buffer *b, size_t index)
{
	return b->bytes == NULL ? NULL : b->bytes + index;
}

/* memmove that may be given NULL when there is nothing to move. */
static inline void
weft__move_bytes(void *to, const void *from, size_t n)
{
	if (n > 0)
		memmove(to, from, n);
}

#endif
