/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stream_copy.c - how many bytes are copied for a record, counted
 * where the copying is done. A record of 4 MiB that comes in pieces of 1 KiB is
 * copied out of the system once, as each must be; and its memory, which doubles,
 * costs the same again at most: a factor of 2. If with each piece what is there
 * was moved, it would be a factor of 2,048. Of a stream in memory, what is fed is
 * copied once more, into the stream's inbox, which here takes the system's place.
 */
#include "config.h"

#include "tests/streams.h"
#include "weft/buffer.h"
#include "weft/memory.h"

enum { LENGTH = 4 << 20, PIECE = 1024, FACTOR = 2 };

static size_t copied;

#define COUNTED(name) \
	void *__real_##name(void *, const void *, size_t); \
	void *__wrap_##name(void *, const void *, size_t); \
	void * \
	__wrap_##name(void *to, const void *from, size_t n) \
	{ \
		copied += n; \
		return __real_##name(to, from, n); \
	}

#define COUNTED_CHECKED(name) \
	void *__real_##name(void *, const void *, size_t, size_t); \
	void *__wrap_##name(void *, const void *, size_t, size_t); \
	void * \
	__wrap_##name(void *to, const void *from, size_t n, size_t room) \
	{ \
		copied += n; \
		return __real_##name(to, from, n, room); \
	}

COUNTED(memcpy)
COUNTED(memmove)
#ifdef __GLIBC__                        /* its fortified builds */
COUNTED_CHECKED(__memcpy_chk)
COUNTED_CHECKED(__memmove_chk)
#endif

void *__real_realloc(void *, size_t);
void *__wrap_realloc(void *, size_t);

/* As if it always moved. What has grown is remembered, and how far; calloc's have
 * about half of what they grow to. */
void *
__wrap_realloc(void *old, size_t n)
{
	static struct block { void *at; size_t n; } known[16];
	static unsigned next;
	struct block *block = NULL;

	for (struct block *b = known; old != NULL && b < known + 16; b++)
		block = b->at == old ? b : block;
	if (old != NULL)
		copied += block == NULL ? n / 2 : block->n < n ? block->n : n;
	if (block == NULL)
		block = &known[next++ % 16];
	*block = (struct block){ __real_realloc(old, n), n };
	return block->at;
}

static struct weft_stream *s;
static char *record, *got;
static const void *data;
static struct weft_buffer *whole;

/* --- ways to read it */

static ssize_t
line(void)
{
	const char *text = NULL;
	ssize_t n = weft_stream_read_line(s, &text, soon_enough());

	data = text;
	return n;
}

static ssize_t
until(void)
{
	return weft_stream_read_until(s, "--\n", 3, &data, soon_enough());
}

static ssize_t
until_any(void)
{
	static const struct iovec two[] = { { (void *)(uintptr_t)"-\n", 2 },
		{ (void *)(uintptr_t)"\r\n", 2 } };

	return weft_stream_read_until_any(s, two, 2, &data, soon_enough());
}

static ssize_t
peek(void)
{
	ssize_t n = weft_stream_peek(s, LENGTH, &data, soon_enough());

	return n < 0 ? n : weft_stream_skip(s, LENGTH) == 0 ? n : -1;
}

static ssize_t
exactly(void)
{
	data = got;
	return weft_stream_read_exactly(s, got, LENGTH, soon_enough());
}

/* Some is there already, that is in the Buffer and not read directly. */
static ssize_t
exactly_after_peek(void)
{
	ck_assert_int_gt(weft_stream_peek(s, 1, &data, soon_enough()), 0);
	return exactly();
}

static ssize_t
all(void)
{
	ssize_t n = weft_stream_read_all(s, whole, soon_enough());

	weft_buffer_flip(whole);
	data = got;
	weft_buffer_get_bytes(whole, got, LENGTH);
	copied -= LENGTH;               /* that was for the test */
	return n;
}

static const struct way {
	const char *name;
	ssize_t (*read)(void);
} ways[] = {
	{ "line", line }, { "until", until }, { "until_any", until_any }, { "peek", peek },
	{ "exactly", exactly }, { "exactly after peek", exactly_after_peek }, { "all", all },
};
enum { WAYS = sizeof ways / sizeof *ways };

static int
feed(void *unused)
{
	size_t at;

	(void)unused;
	for (at = 0; at < LENGTH; at += PIECE)
		if (weft_memory_feed(s, record + at, PIECE) != 0 || weft_yield() != 0)
			return -1;
	return weft_memory_feed_eof(s);
}

/* Compilers may have their own way to copy, which is not counted. */
static bool
copies_are_counted(void)
{
	void *(*volatile copy)(void *, const void *, size_t) = memcpy;
	size_t before = copied;

	copy(got, record, 16);
	return copied == before + 16;
}

static void
setup(void)
{
	record = malloc(LENGTH);
	got = malloc(LENGTH);
	memset(record, '-', LENGTH);
	record[LENGTH - 1] = '\n';
	whole = weft_buffer_new_growable(PIECE, LENGTH);
	ck_assert(whole != NULL);
	ck_assert((s = weft_memory_open()) != NULL);
	ck_assert_ok(weft_stream_set_limit(s, LENGTH));
}

START_TEST(a_record_in_pieces_costs_twice_its_copy_at_most)
{
	struct weft_fiber *feeder;
	bool counted = copies_are_counted();

	feeder = begin(feed, NULL);
	copied = 0;
	ck_assert_int_eq(ways[_i].read(), LENGTH);
	ck_assert_int_eq(end(feeder), 0);
	copied -= counted ? LENGTH : 0;         /* by the feeder */
	ck_assert_mem_eq(data, record, LENGTH);
	if (counted && (copied < LENGTH || copied > FACTOR * (size_t)LENGTH))
		ck_abort_msg("%s: %zu bytes are copied, not %d to %d", ways[_i].name, copied,
		    LENGTH, FACTOR * LENGTH);
	weft_stream_free(s);
	weft_buffer_free(whole);
	free(record);
	free(got);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("stream_copy");
	TCase *tc = test_case(suite, "records");

	(void)backend;
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, a_record_in_pieces_costs_twice_its_copy_at_most, 0, WAYS);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
