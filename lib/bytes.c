/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"

static int
grow(struct weft__bytes *q, size_t n)
{
	size_t queued = weft__bytes_count(q), size = q->size ? q->size : WEFT__BYTES_FIRST;
	unsigned char *memory;

	while (size - queued < n) {
		if (size > SIZE_MAX / 2) {
			errno = ENOMEM;
			return -1;
		}
		size *= 2;
	}
	memory = malloc(size);
	if (memory == NULL)
		return -1;
	if (queued > 0)
		memcpy(memory, weft__bytes_first(q), queued);
	free(q->memory);
	*q = (struct weft__bytes){ memory, 0, queued, size };
	return 0;
}

/* Bytes move to the front only over a gap that is as large as they are: each
 * of them at most once. */
int
weft__bytes_reserve(struct weft__bytes *q, size_t n)
{
	size_t queued = weft__bytes_count(q);

	if (n <= q->size - q->tail)
		return 0;
	if (n > q->size - queued || q->head < queued)
		return grow(q, n);
	memcpy(q->memory, weft__bytes_first(q), queued);
	q->head = 0;
	q->tail = queued;
	return 0;
}

int
weft__bytes_append(struct weft__bytes *q, const void *bytes, size_t n)
{
	if (n == 0)
		return 0;
	if (weft__bytes_reserve(q, n) < 0)
		return -1;
	weft__bytes_put(q, bytes, n);
	return 0;
}

void
weft__bytes_drop(struct weft__bytes *q, size_t n)
{
	q->head += n;
	if (q->head == q->tail)
		q->head = q->tail = 0;
}

void
weft__bytes_free(struct weft__bytes *q)
{
	free(q->memory);
	*q = (struct weft__bytes){ NULL, 0, 0, 0 };
}
