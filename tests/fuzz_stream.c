/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz_stream.c - random reads from a stream whose bytes come in random
 * pieces, held against the same reads from one that has them all.
 *
 * The input is the bytes, and then a program: a byte for each read, bytes for
 * its arguments and for the size of the next piece. A read that has to wait
 * (EAGAIN) is made again after one more piece. Results must agree, and what is
 * delivered must be the bytes that come next.
 *
 * It is a target for libFuzzer (tests/fuzz.sh), or has the main of fuzz_main.c.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz.h"
#include "tests/fuzz_input.h"
#include "weft/buffer.h"
#include "weft/memory.h"
#include "weft/stream.h"
#include "weft/unix.h"

enum { SIZE = 256, OPERATIONS = 100 };

static const char *operation;

#define AGREE(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "fuzz_stream: at %zu, %s: %s\n", at, operation, \
			    #condition); \
			abort(); \
		} \
	} while (0)

/* --- the bytes, and the two streams that they come from */

static char bytes[SIZE];
static size_t length, sent, at;         /* at: so many are consumed */
static bool ended;
static int last_error;                  /* what comes behind them; 0: the end */
static struct weft_stream *whole, *pieces;
static struct weft_stream *writer;      /* of pieces; NULL: they are fed */

static void
finish(void)
{
	ended = true;
	if (writer == NULL)
		AGREE((last_error == 0 ? weft_memory_feed_eof(pieces) :
		    weft_memory_feed_error(pieces, last_error)) == 0);
	else
		AGREE(weft_stream_shutdown(writer, WEFT_NOWAIT) == 0);
}

/* One more piece, or what comes behind the last. */
static void
send_piece(void)
{
	unsigned size = byte();
	size_t n = size < 240 ? 1 + size % 8 : size;

	if (n > length - sent)
		n = length - sent;
	AGREE(!ended);
	if (n == 0)
		finish();
	else if (writer == NULL)
		AGREE(weft_memory_feed(pieces, bytes + sent, n) == 0);
	else
		AGREE(weft_stream_write(writer, bytes + sent, n, WEFT_NOWAIT) == (ssize_t)n);
	sent += n;
}

static void
open_both(void)
{
	struct weft_stream *ends[2];
	unsigned kind = byte() % 16;

	length = byte();
	for (size_t i = 0; i < length; i++)
		bytes[i] = "aab;x\n\r "[byte() % 8];
	sent = at = 0;
	ended = false;
	last_error = kind == 15 ? ECONNRESET : 0;
	writer = NULL;
	operation = "open";
	if (kind < 5) {
		AGREE((kind == 0 ? weft_unix_pair(ends) : weft_memory_pair(ends)) == 0);
		pieces = ends[0];
		writer = ends[1];
	} else
		AGREE((pieces = weft_memory_open()) != NULL);
	AGREE((whole = weft_memory_open()) != NULL);
	AGREE(length == 0 || weft_memory_feed(whole, bytes, length) == 0);
	AGREE((last_error == 0 ? weft_memory_feed_eof(whole) :
	    weft_memory_feed_error(whole, last_error)) == 0);
}

static void
close_both(void)
{
	weft_stream_free(whole);
	weft_stream_free(pieces);
	weft_stream_free(writer);
}

/* --- the reads: from either stream, with the same arguments */

static struct {
	unsigned which;
	size_t n;
	const char *data;
	char copy[SIZE];
} arguments;

static ssize_t
read_line(struct weft_stream *s)
{
	return weft_stream_read_line(s, &arguments.data, WEFT_NOWAIT);
}

static ssize_t
read_until(struct weft_stream *s)
{
	static const char *const delimiters[] = { "\n", "a", "\r\n", "ab", "aab", "aa;aa",
		"\r\n\r\n", "aaaaaaaabaaaaaaaa" };
	const char *delimiter = delimiters[arguments.which % 8];
	const void *data = NULL;
	ssize_t n = weft_stream_read_until(s, delimiter, strlen(delimiter), &data,
	    WEFT_NOWAIT);

	arguments.data = data;
	return n;
}

static ssize_t
read_until_any(struct weft_stream *s)
{
	static const struct iovec delimiters[] = {
		{ (void *)(uintptr_t)"aab", 3 }, { (void *)(uintptr_t)"ab", 2 },
		{ (void *)(uintptr_t)"\r\n", 2 }, { (void *)(uintptr_t)";", 1 },
		{ (void *)(uintptr_t)"xab;a", 5 }, { (void *)(uintptr_t)"\n", 1 },
	};
	unsigned first = arguments.which % 6;
	const void *data = NULL;
	ssize_t n = weft_stream_read_until_any(s, delimiters + first,
	    1 + (int)(arguments.n % (6 - first)), &data, WEFT_NOWAIT);

	arguments.data = data;
	return n;
}

static ssize_t
read_match(struct weft_stream *s)
{
	static const char *const patterns[] = {
		"a+b", "a|ab", "[^;]*;", ".*?\\n", "(?<=a)b+", "a(?!a)", "^x", "(?m)^a", "(?m)b$",
		"(?s)a.{3}", "(a|ab)(x|;)?", "\\bx\\b", "\\r?\\n", "(a*)b\\1", "(?>a+)[b;]", "x$",
	};
	static struct weft_regex *made[16];
	unsigned which = arguments.which % 16;
	const void *data = NULL;
	ssize_t n;

	if (made[which] == NULL)
		made[which] = weft_regex_new(patterns[which], 0, NULL, 0);
	if (made[which] == NULL && errno == ENOTSUP)
		return read_line(s);
	n = weft_stream_read_match(s, made[which], &data, WEFT_NOWAIT);
	arguments.data = data;
	return n;
}

static ssize_t
read_exactly(struct weft_stream *s)
{
	arguments.data = arguments.copy;
	return weft_stream_read_exactly(s, arguments.copy, 1 + arguments.n, WEFT_NOWAIT);
}

/* As much as was asked for of what there is. */
static ssize_t
peek(struct weft_stream *s)
{
	const void *data = NULL;
	size_t want = 1 + arguments.n;
	ssize_t n = weft_stream_peek(s, want, &data, WEFT_NOWAIT);

	if (n > 0)
		AGREE((size_t)n >= want && memcmp(data, bytes + at, (size_t)n) == 0);
	return n > 0 ? 0 : n;
}

/* Fills, and then takes some of it. */
static ssize_t
fill_and_take(struct weft_stream *s)
{
	size_t want = 1 + arguments.n, some = arguments.which % (want + 1);
	ssize_t n = weft_stream_fill(s, want, WEFT_NOWAIT);

	if (n <= 0)
		return n;
	AGREE(weft_stream_skip(s, weft_stream_buffered(s) + 1) == -1 && errno == ERANGE);
	arguments.data = arguments.copy;
	if (arguments.which % 2 == 0) {
		AGREE(weft_buffer_get_bytes(weft_stream_input(s), arguments.copy, some) == 0);
	} else {
		arguments.data = bytes + at;
		AGREE(weft_stream_skip(s, some) == 0);
	}
	return (ssize_t)some;
}

/* How much that drops is the program's own knowledge. */
static ssize_t
skip_line(struct weft_stream *s)
{
	const char *lf = memchr(bytes + at, '\n', length - at);

	arguments.data = bytes + at;
	if (weft_stream_skip_line(s, WEFT_NOWAIT) != 0)
		return -1;
	AGREE(lf != NULL);
	return lf - (bytes + at) + 1;
}

static ssize_t
set_limit(struct weft_stream *s)
{
	AGREE(weft_stream_set_limit(s, 1 + arguments.n) == 0);
	return 0;
}

static const struct {
	const char *name;
	ssize_t (*read)(struct weft_stream *);
} reads[] = {
	{ "read_line", read_line }, { "read_until", read_until },
	{ "read_until_any", read_until_any }, { "read_match", read_match },
	{ "read_match", read_match }, { "read_exactly", read_exactly }, { "peek", peek },
	{ "fill", fill_and_take }, { "skip_line", skip_line }, { "set_limit", set_limit },
};
enum { READS = sizeof reads / sizeof *reads };

/* Reads in vain, of whatever kind, must not change what comes later. */
static void
read_in_vain(void)
{
	size_t n = arguments.n;
	unsigned which = arguments.which;
	ssize_t got;

	arguments.which = byte();
	errno = 0;
	got = reads[1 + arguments.which % 3].read(pieces);
	if (got > 0)            /* not in vain */
		AGREE(reads[1 + arguments.which % 3].read(whole) == got);
	at += got > 0 ? (size_t)got : 0;
	arguments.which = which;
	arguments.n = n;
}

static void
one_read(unsigned which)
{
	ssize_t got, expected;
	int error;

	operation = reads[which].name;
	arguments.which = byte();
	arguments.n = byte() % 32;
	if (byte() % 4 == 0)
		read_in_vain();
	while (errno = 0, (got = reads[which].read(pieces)) < 0 && errno == EAGAIN)
		send_piece();
	error = errno;
	AGREE(got <= 0 || memcmp(arguments.data, bytes + at, (size_t)got) == 0);
	errno = 0;
	expected = reads[which].read(whole);
	if (got != expected || error != errno)
		fprintf(stderr, "%zd, errno %d; of one piece %zd, errno %d\n", got, error,
		    expected, errno);
	AGREE(got == expected && error == errno);
	at += got > 0 ? (size_t)got : 0;
	if (reads[which].read == skip_line && got < 0)
		at = length;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	input = data;
	input_left = n;
	open_both();
	for (int i = 0; i < OPERATIONS && input_left > 0; i++)
		one_read(byte() % READS);
	close_both();
	return 0;
}
