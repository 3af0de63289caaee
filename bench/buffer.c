/* SPDX-License-Identifier: MIT */
/*
 * bench/buffer.c - what the calls of a Buffer cost, beside what they stand on.
 *
 *     buffer [milliseconds per measurement]
 *
 * The best of several rounds is shown: noise only adds. bench/buffer.sh counts
 * the instructions; bench/buffer.txt keeps both.
 */
#define _GNU_SOURCE

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weft/buffer.h>

enum { ROUNDS = 7, SIZE = 4096, TEXT = 1 << 20, LINE = 80 };

static struct weft_buffer *b, *text;
static uint64_t sum; /* what is got is used */
static double budget_ns = 50e6;

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* One pass over a Buffer of SIZE bytes: how many operations it made. */
#define PUT(kind, type) \
	static size_t \
	put_##kind(void) \
	{ \
		size_t n = 0; \
\
		for (weft_buffer_clear(b); weft_buffer_put_##kind(b, (type)n) == 0; n++) \
			; \
		return n; \
	}

#define GET(kind, type) \
	static size_t \
	get_##kind(void) \
	{ \
		size_t n = 0; \
		type value; \
\
		for (weft_buffer_clear(b); weft_buffer_get_##kind(b, &value) == 0; n++) \
			sum += (uint64_t)value; \
		return n; \
	}

#define GET_AT(kind, type) \
	static size_t \
	get_##kind##_at(void) \
	{ \
		size_t n = 0; \
		type value; \
\
		for (weft_buffer_clear(b); weft_buffer_get_##kind##_at(b, n, &value) == 0; n++) \
			sum += (uint64_t)value; \
		return n; \
	}

PUT(u8, uint8_t)
PUT(u16_be, uint16_t)
PUT(u32_le, uint32_t)
PUT(u64_be, uint64_t)
PUT(f64_be, double)
GET(u8, uint8_t)
GET(u16_be, uint16_t)
GET(u32_le, uint32_t)
GET(u64_be, uint64_t)
GET_AT(u32_be, uint32_t)

static size_t
compact_nothing(void)
{
	for (int i = 0; i < 1000; i++) {
		weft_buffer_clear(b);
		weft_buffer_compact(b);
	}
	return 1000;
}

static size_t
get_line(void)
{
	const char *line;
	size_t n = 0;

	for (weft_buffer_rewind(text); weft_buffer_get_line(text, &line, 0) >= 0; n++)
		sum += (unsigned char)*line;
	return n;
}

static size_t
memchr_lines(void)
{
	const char *line = weft_buffer_bytes(text), *end = line + TEXT, *lf;
	size_t n = 0;

	for (; (lf = memchr(line, '\n', (size_t)(end - line))) != NULL; line = lf + 1, n++)
		sum += (unsigned char)*line;
	return n;
}

static size_t
find_kib(void)
{
	weft_buffer_rewind(text);
	sum += (uint64_t)weft_buffer_find(text, "\r\n\r\n", 4);
	return TEXT / 1024;
}

static size_t
memmem_kib(void)
{
	sum += memmem(weft_buffer_bytes(text), TEXT, "\r\n\r\n", 4) != NULL;
	return TEXT / 1024;
}

static void
measure(const char *name, size_t (*pass)(void))
{
	double best = 1e18;

	for (int round = 0; round < ROUNDS; round++) {
		double start = now_ns(), end;
		size_t n = 0;

		do {
			n += pass();
			end = now_ns();
		} while (end - start < budget_ns / ROUNDS);
		if ((end - start) / (double)n < best)
			best = (end - start) / (double)n;
	}
	printf("%-24s %8.2f ns\n", name, best);
}

int
main(int count, char **arguments)
{
	char *bytes;

	if (count > 1)
		budget_ns = strtod(arguments[1], NULL) * 1e6;
	b = weft_buffer_new(SIZE);
	text = weft_buffer_new(TEXT);
	if (b == NULL || text == NULL) {
		perror("weft_buffer_new");
		return EXIT_FAILURE;
	}
	bytes = weft_buffer_data(text);
	for (size_t i = 0; i < TEXT; i++)
		bytes[i] = i % LINE == LINE - 1 ? '\n' : (char)('a' + i % 26);

	measure("put_u8", put_u8);
	measure("put_u16_be", put_u16_be);
	measure("put_u32_le", put_u32_le);
	measure("put_u64_be", put_u64_be);
	measure("put_f64_be", put_f64_be);
	measure("get_u8", get_u8);
	measure("get_u16_be", get_u16_be);
	measure("get_u32_le", get_u32_le);
	measure("get_u64_be", get_u64_be);
	measure("get_u32_be_at", get_u32_be_at);
	measure("compact, nothing to move", compact_nothing);
	measure("get_line, 80 bytes", get_line);
	measure("  memchr", memchr_lines);
	measure("find, per KiB", find_kib);
	measure("  memmem", memmem_kib);
	weft_buffer_free(b);
	weft_buffer_free(text);
	return sum == 1 ? EXIT_FAILURE : EXIT_SUCCESS;
}
