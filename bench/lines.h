/* SPDX-License-Identifier: MIT */
/*
 * What the servers that weft is compared with do with lines: each is looked
 * for, and all that are whole go back together; and what they know of sinks.
 */
#ifndef WEFT_BENCH_LINES_H
#define WEFT_BENCH_LINES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 16384, BULK = 65536 };
enum mode { MODE_ECHO, MODE_LINES, MODE_SINK, MODE_NONE };

static inline enum mode
mode_of(int argc, char **argv)
{
	static const char *const names[] = { "echo", "lines", "sink" };
	int mode = argc == 2 ? MODE_ECHO : MODE_NONE;

	while (mode < MODE_NONE && strcmp(argv[1], names[mode]) != 0)
		mode++;
	return (enum mode)mode;
}

/* How many of these bytes are whole lines. */
static inline size_t
whole_lines(const char *bytes, size_t n)
{
	const char *lf;
	size_t whole = 0;

	while ((lf = memchr(bytes + whole, '\n', n - whole)) != NULL)
		whole = (size_t)(lf + 1 - bytes);
	return whole;
}

/* Bytes that a connection keeps until later. */
struct rest {
	char *bytes;
	size_t length;
};

static inline void
rest_keep(struct rest *rest, const char *bytes, size_t n)
{
	char *kept = n == 0 ? NULL : malloc(n);

	if (n > 0 && kept == NULL)
		abort();
	if (n > 0)
		memcpy(kept, bytes, n);
	free(rest->bytes);
	rest->bytes = kept;
	rest->length = n;
}

/* Puts it before what is read next; how much that is. */
static inline size_t
rest_before(const struct rest *rest, char *buffer)
{
	if (rest->length > 0)
		memcpy(buffer, rest->bytes, rest->length);
	return rest->length;
}

#endif
