/* SPDX-License-Identifier: MIT */
/*
 * lib/buffer_dump.c - a Buffer for people to look at.
 *
 *     position=5 limit=21 capacity=48
 *     00000000  47 45 54 20 2f[69 6e 64  65 78 2e 68 74 6d 6c 20  |GET /index.html |
 *     00000010  48 54 54 50 2f]00 00 00  00 00 00 00 00 00 00 00  |HTTP/...........|
 *     *
 *     00000030
 *
 * The gap before a byte shows what lies there: [ the position, ] the limit,
 * | both. Rows of the same bytes as the one above them are one *, as in
 * hexdump(1), unless the position or the limit is in them.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/buffer.h"

enum { ROW = 16 };

static char
gap(const struct weft_buffer *b, size_t index)
{
	if (index == b->position)
		return index == b->limit ? '|' : '[';
	return index == b->limit ? ']' : ' ';
}

/* What stands behind the last byte of a row belongs to that row only if
 * something ends there: a position at a boundary begins the next row. */
static char
gap_at_end(const struct weft_buffer *b, size_t index)
{
	return index == b->limit ? gap(b, index) : ' ';
}

static char
gap_at_start(const struct weft_buffer *b, size_t index)
{
	return index == b->limit && index > 0 ? ' ' : gap(b, index);
}

static void
print_row(const struct weft_buffer *b, size_t start, size_t n, FILE *out)
{
	fprintf(out, "%08zx ", start);
	for (size_t i = 0; i < ROW; i++) {
		if (i == ROW / 2)
			putc(' ', out);
		if (i < n)
			fprintf(out, "%c%02x", i == 0 ? gap_at_start(b, start) : gap(b, start + i),
			    b->bytes[start + i]);
		else
			fprintf(out, "%c  ", i == n ? gap_at_end(b, start + i) : ' ');
	}
	fprintf(out, "%c |", n == ROW ? gap_at_end(b, start + ROW) : ' ');
	for (size_t i = start; i < start + n; i++)
		putc(b->bytes[i] >= ' ' && b->bytes[i] <= '~' ? b->bytes[i] : '.', out);
	fputs("|\n", out);
}

static bool
lies_in(size_t index, size_t start)
{
	return index >= start && index <= start + ROW;
}

static bool
repeats(const struct weft_buffer *b, size_t start, size_t n)
{
	return start > 0 && n == ROW && !lies_in(b->position, start) && !lies_in(b->limit, start)
	    && memcmp(b->bytes + start, b->bytes + start - ROW, ROW) == 0;
}

static void
print_rows(const struct weft_buffer *b, FILE *out)
{
	bool starred = false;

	for (size_t start = 0; start < b->capacity; start += ROW) {
		size_t n = b->capacity - start < ROW ? b->capacity - start : ROW;

		if (!repeats(b, start, n)) {
			print_row(b, start, n, out);
			starred = false;
		} else if (!starred) {
			fputs("*\n", out);
			starred = true;
		}
	}
	if (starred)
		fprintf(out, "%08zx\n", b->capacity);
}

int
weft_buffer_dump(const struct weft_buffer *b, FILE *out)
{
	int saved = errno;

	weft__buffer_check(b);
	fprintf(out, "position=%zu limit=%zu capacity=%zu\n", b->position, b->limit, b->capacity);
	print_rows(b, out);
	if (ferror(out))
		return -1;
	errno = saved;
	return 0;
}
