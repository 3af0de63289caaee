/* SPDX-License-Identifier: MIT */
/*
 * A queue of bytes in one piece of memory:
 *
 *     | taken |  queued            |  free  |
 *     0      head                 tail     size
 *
 * All zero is empty and owns nothing.
 */
#ifndef WEFT_LIB_BYTES_H
#define WEFT_LIB_BYTES_H

#include <stddef.h>
#include <string.h>

enum { WEFT__BYTES_FIRST = 1024 };       /* its first size */

struct weft__bytes {
	unsigned char *memory;
	size_t head, tail, size;
};

static inline size_t
weft__bytes_count(const struct weft__bytes *q)
{
	return q->tail - q->head;
}

static inline unsigned char *
weft__bytes_first(const struct weft__bytes *q)
{
	return q->memory + q->head;
}

/* n bytes, for which there is room at tail. */
static inline void
weft__bytes_put(struct weft__bytes *q, const void *bytes, size_t n)
{
	memcpy(q->memory + q->tail, bytes, n);
	q->tail += n;
}

/* Room for n more at tail. -1: ENOMEM. */
int  weft__bytes_reserve(struct weft__bytes *, size_t n);
int  weft__bytes_append(struct weft__bytes *, const void *, size_t n);
void weft__bytes_drop(struct weft__bytes *, size_t n);
void weft__bytes_free(struct weft__bytes *);

#endif
