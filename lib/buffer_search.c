/* SPDX-License-Identifier: MIT */
/*
 * lib/buffer_search.c - what lies between position and limit, and where.
 *
 *     position                         limit
 *     |  G E T   /  CR LF H o s t : ...  |
 *     |<- get_line: 5 ->|     position' is behind the LF
 *
 * A search looks at nothing before the position and nothing behind the limit.
 * Not found is ERANGE, like any get that would need more bytes than there are,
 * and consumes nothing; a length of 0 is an empty piece that was found.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "lib/buffer.h"

static const unsigned char *
unread(const struct weft_buffer *b)
{
	return weft__buffer_at(b, b->position);
}

/* The offset of the byte from the position, or -1. */
static ssize_t
offset_of(const struct weft_buffer *b, uint8_t byte)
{
	size_t n = weft__buffer_remaining(b);
	const unsigned char *at;

	if (n == 0 || (at = memchr(unread(b), byte, n)) == NULL)
		return weft__buffer_refuse(ERANGE);
	return at - unread(b);
}

ssize_t
weft_buffer_find(const struct weft_buffer *b, const void *needle, size_t n)
{
	const unsigned char *at;

	weft__buffer_check(b);
	if (n == 0)
		return weft__buffer_refuse(EINVAL);
	if (n == 1)
		return offset_of(b, *(const unsigned char *)needle);
	if (n > weft__buffer_remaining(b))
		return weft__buffer_refuse(ERANGE);
	at = memmem(unread(b), weft__buffer_remaining(b), needle, n);
	return at == NULL ? weft__buffer_refuse(ERANGE) : at - unread(b);
}

ssize_t
weft_buffer_get_until(struct weft_buffer *b, uint8_t byte, const void **data)
{
	ssize_t n;

	weft__buffer_check(b);
	if ((n = offset_of(b, byte)) < 0)
		return -1;
	*data = unread(b);
	b->position += (size_t)n + 1;
	return n;
}

ssize_t
weft_buffer_get_line(struct weft_buffer *b, const char **line, int flags)
{
	const void *data;
	ssize_t n;

	weft__buffer_check(b);
	if ((flags & ~WEFT_KEEP_TERMINATOR) != 0)
		return weft__buffer_refuse(EINVAL);
	if ((n = weft_buffer_get_until(b, '\n', &data)) < 0)
		return -1;
	*line = data;
	if ((flags & WEFT_KEEP_TERMINATOR) != 0)
		return n + 1;
	return n > 0 && (*line)[n - 1] == '\r' ? n - 1 : n;
}

/* memcmp finds the block that differs, at its speed; bytes find the place. */
static size_t
equal_bytes(const unsigned char *p, const unsigned char *q, size_t n)
{
	enum { BLOCK = 64 };
	size_t i = 0;

	while (n - i >= BLOCK && memcmp(p + i, q + i, BLOCK) == 0)
		i += BLOCK;
	while (i < n && p[i] == q[i])
		i++;
	return i;
}

static size_t
shorter(const struct weft_buffer *a, const struct weft_buffer *b)
{
	size_t m = weft__buffer_remaining(a), n = weft__buffer_remaining(b);

	return m < n ? m : n;
}

int
weft_buffer_compare(const struct weft_buffer *a, const struct weft_buffer *b)
{
	size_t m, n;
	int order;

	weft__buffer_check(a);
	weft__buffer_check(b);
	m = weft__buffer_remaining(a);
	n = weft__buffer_remaining(b);
	if (m > 0 && n > 0 && (order = memcmp(unread(a), unread(b), shorter(a, b))) != 0)
		return order < 0 ? -1 : 1;
	return (m > n) - (m < n);
}

ssize_t
weft_buffer_mismatch(const struct weft_buffer *a, const struct weft_buffer *b)
{
	size_t n, equal;

	weft__buffer_check(a);
	weft__buffer_check(b);
	n = shorter(a, b);
	equal = equal_bytes(unread(a), unread(b), n);
	if (equal == n && weft__buffer_remaining(a) == weft__buffer_remaining(b))
		return -1;
	return (ssize_t)equal;
}
