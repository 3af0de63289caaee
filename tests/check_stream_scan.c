/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stream_scan.c - how many bytes are searched for a record, counted
 * where the searching is done: a long record costs its length, however it comes
 * and however often it is asked for.
 */
#include "config.h"

#include "tests/streams.h"
#include "weft/buffer.h"
#include "weft/memory.h"

#ifdef HAVE_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#endif

enum { LENGTH = 4 << 20, PIECE = 1024, PIECES = LENGTH / PIECE };

static size_t searched;

void *__real_memchr(const void *, int, size_t);
void *__wrap_memchr(const void *, int, size_t);
void *__real_memmem(const void *, size_t, const void *, size_t);
void *__wrap_memmem(const void *, size_t, const void *, size_t);

void *
__wrap_memchr(const void *bytes, int byte, size_t n)
{
	searched += n;
	return __real_memchr(bytes, byte, n);
}

void *
__wrap_memmem(const void *bytes, size_t n, const void *needle, size_t length)
{
	searched += n;
	return __real_memmem(bytes, n, needle, length);
}

static struct weft_stream *s;
static const void *data;

/* --- ways to read a record */

static ssize_t
line(int64_t deadline)
{
	const char *text;

	return weft_stream_read_line(s, &text, deadline);
}

static ssize_t
until_one(int64_t deadline)
{
	return weft_stream_read_until(s, "\n", 1, &data, deadline);
}

static ssize_t
until_four(int64_t deadline)
{
	return weft_stream_read_until(s, "\n..\n", 4, &data, deadline);
}

static ssize_t
until_any(int64_t deadline)
{
	static const struct iovec two[] = { { (void *)(uintptr_t)"\n.\n", 3 },
		{ (void *)(uintptr_t)"\n..\n", 4 } };

	return weft_stream_read_until_any(s, two, 2, &data, deadline);
}

static ssize_t
until_long(int64_t deadline)            /* too long to be remembered */
{
	return weft_stream_read_until(s, "-------------------\n..\n", 23, &data, deadline);
}

static const struct way {
	ssize_t (*read)(int64_t deadline);
	size_t delimiters, again;       /* bytes searched again with each piece */
} ways[] = {
	{ line, 1, 0 }, { until_one, 1, 0 }, { until_four, 1, 3 }, { until_any, 2, 6 },
	{ until_long, 1, 22 },
};
enum { WAYS = sizeof ways / sizeof *ways };

static char *
new_record(void)
{
	char *record = malloc(LENGTH);

	memset(record, '-', LENGTH);
	memcpy(record + LENGTH - 4, "\n..\n", 4);
	return record;
}

static ssize_t
length_by(const struct way *way)
{
	return way->read == line || way->read == until_one ? LENGTH - 3 : LENGTH;
}

static void
open_large(void)
{
	ck_assert((s = weft_memory_open()) != NULL);
	ck_assert_ok(weft_stream_set_limit(s, LENGTH));
	searched = 0;
}

static void
expect_searched(const char *how, size_t i, size_t most)
{
	if (searched > most)
		ck_abort_msg("%s, way %zu: %zu bytes searched, not %zu", how, i, searched, most);
}

static int
feed(void *arg)
{
	const char *record = arg;
	size_t at;

	for (at = 0; at < LENGTH; at += PIECE) {
		if (weft_memory_feed(s, record + at, PIECE) != 0 || weft_yield() != 0)
			return -1;
	}
	return 0;
}

START_TEST(a_record_in_pieces_is_searched_once)
{
	char *record = new_record();
	struct weft_fiber *feeder;
	size_t i;

	for (i = 0; i < WAYS; i++) {
		open_large();
		feeder = begin(feed, record);
		ck_assert_int_eq(ways[i].read(soon_enough()), length_by(&ways[i]));
		ck_assert_int_eq(end(feeder), 0);
		expect_searched("in pieces", i, ways[i].delimiters * LENGTH +
		    ways[i].again * PIECES);
		weft_stream_free(s);
	}
	free(record);
}
END_TEST

START_TEST(a_record_that_is_asked_for_with_each_piece_is_searched_once)
{
	char *record = new_record();
	ssize_t n = -1;
	size_t i, at;

	for (i = 0; i < WAYS - 1; i++) {
		open_large();
		for (at = 0; at < LENGTH; at += PIECE) {
			ck_assert_ok(weft_memory_feed(s, record + at, PIECE));
			n = ways[i].read(WEFT_NOWAIT);
		}
		ck_assert_int_eq(n, length_by(&ways[i]));
		expect_searched("polled", i, ways[i].delimiters * LENGTH +
		    ways[i].again * PIECES);
		weft_stream_free(s);
	}
	free(record);
}
END_TEST

/* Between two searches in vain for one thing, something else is done. */
static void
look(void)
{
	ck_assert_int_gt(weft_stream_peek(s, 1, &data, WEFT_NOWAIT), 0);
}

static void
search_for_another(void)
{
	ck_assert_int_eq(weft_stream_read_until(s, "cd", 2, &data, WEFT_NOWAIT), -1);
}

static void
consume(void)
{
	ck_assert_ok(weft_stream_skip(s, 1));
}

static void
read_a_byte(void)
{
	char byte;

	ck_assert_int_eq(weft_stream_read(s, &byte, 1, WEFT_NOWAIT), 1);
}

static void
get_from_the_buffer(void)
{
	uint8_t byte;

	ck_assert_ok(weft_buffer_get_u8(weft_stream_input(s), &byte));
}

static void
get_and_go_back(void)
{
	struct weft_buffer *in = weft_stream_input(s);
	uint8_t byte;

	ck_assert_ok(weft_buffer_get_u8(in, &byte));
	ck_assert_ok(weft_buffer_set_position(in, weft_buffer_position(in) - 1));
}

static void
search_too_long(void)
{
	ck_assert_ok(weft_stream_set_limit(s, 2));
	ck_assert_int_eq(weft_stream_read_until(s, "b", 1, &data, WEFT_NOWAIT), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_ok(weft_stream_set_limit(s, 100));
}

static const struct {
	void (*between)(void);
	ssize_t length;         /* of the record through "b" in xxxxa and b */
} betweens[] = {
	{ look, 6 }, { search_for_another, 6 }, { consume, 5 }, { read_a_byte, 5 },
	{ get_from_the_buffer, 5 }, { get_and_go_back, 6 }, { search_too_long, 6 },
};

START_TEST(what_comes_between_two_searches_does_not_mislead_the_second)
{
	size_t i;

	for (i = 0; i < sizeof betweens / sizeof *betweens; i++) {
		ck_assert((s = weft_memory_open()) != NULL);
		ck_assert_ok(weft_memory_feed(s, "xxxxa", 5));
		ck_assert_int_eq(weft_stream_read_until(s, "ab", 2, &data, WEFT_NOWAIT), -1);
		betweens[i].between();
		ck_assert_ok(weft_memory_feed(s, "bcd", 3));
		ck_assert_int_gt(weft_stream_fill(s, 7, WEFT_NOWAIT), 6);
		ck_assert_int_eq(weft_stream_read_until(s, "ab", 2, &data, WEFT_NOWAIT),
		    betweens[i].length);
		ck_assert_mem_eq((const char *)data + betweens[i].length - 2, "ab", 2);
		weft_stream_free(s);
	}
}
END_TEST

/* The place in the Buffer is the same again, the bytes are others. */
START_TEST(new_bytes_at_an_old_place_are_searched)
{
	int i;

	ck_assert((s = weft_memory_open()) != NULL);
	for (i = 0; i < 3; i++) {
		ck_assert_ok(weft_memory_feed(s, "xxxx", 4));
		ck_assert_int_eq(until_one(WEFT_NOWAIT), -1);
		ck_assert_ok(weft_buffer_skip(weft_stream_input(s), 4));
		ck_assert_ok(weft_memory_feed(s, "\nxx\n", 4));
		ck_assert_int_eq(weft_stream_fill(s, 4, WEFT_NOWAIT), 4);
		ck_assert_int_eq(until_one(WEFT_NOWAIT), 1);
		ck_assert_int_eq(until_one(WEFT_NOWAIT), 3);
	}
	weft_stream_free(s);
}
END_TEST

/* --- regexes */

#ifdef HAVE_PCRE2
int __real_pcre2_match_8(const pcre2_code *, PCRE2_SPTR, PCRE2_SIZE, PCRE2_SIZE, uint32_t,
    pcre2_match_data *, pcre2_match_context *);
int __wrap_pcre2_match_8(const pcre2_code *, PCRE2_SPTR, PCRE2_SIZE, PCRE2_SIZE, uint32_t,
    pcre2_match_data *, pcre2_match_context *);

int __real_pcre2_set_offset_limit_8(pcre2_match_context *, PCRE2_SIZE);
int __wrap_pcre2_set_offset_limit_8(pcre2_match_context *, PCRE2_SIZE);

static size_t last_place;

int
__wrap_pcre2_set_offset_limit_8(pcre2_match_context *context, PCRE2_SIZE last)
{
	last_place = last;
	return __real_pcre2_set_offset_limit_8(context, last);
}

int
__wrap_pcre2_match_8(const pcre2_code *code, PCRE2_SPTR bytes, PCRE2_SIZE n, PCRE2_SIZE from,
    uint32_t options, pcre2_match_data *found, pcre2_match_context *context)
{
	int result = __real_pcre2_match_8(code, bytes, n, from, options, found, context);

	/* As far as it may begin; or until the end if it does. */
	if (result == PCRE2_ERROR_NOMATCH)
		searched += (last_place < n ? last_place + 1 : n) - from;
	else
		searched += pcre2_get_ovector_pointer(found)[1] - from;
	return result;
}

static const struct {
	const char *pattern;
	size_t times;                   /* the length, at most */
} patterns[] = {
	{ "\\n\\.\\.\\n", 2 }, { "\\n\\.(\\.\\n|x)", 2 }, { "(?<=-)\\n\\.\\.\\n", 2 },
	{ "(?:\\n|;)\\.\\.\\B", 2 }, { "[^\\n]*\\n", 3 }, { ".*\\n", 3 }, { "^.*\\n\\.", 3 },
};

static struct weft_regex *regex;

static ssize_t
match(int64_t deadline)
{
	return weft_stream_read_match(s, regex, &data, deadline);
}

START_TEST(for_a_match_no_place_is_searched_twice)
{
	char *record = new_record();
	struct weft_fiber *feeder;
	size_t i, at;
	ssize_t n = -1;

	for (i = 0; i < 2 * sizeof patterns / sizeof *patterns; i++) {
		regex = weft_regex_new(patterns[i / 2].pattern, 0, NULL, 0);
		ck_assert(regex != NULL);
		open_large();
		if (i % 2 == 0) {
			feeder = begin(feed, record);
			n = match(soon_enough());
			ck_assert_int_eq(end(feeder), 0);
		} else {
			for (at = 0; at < LENGTH; at += PIECE) {
				ck_assert_ok(weft_memory_feed(s, record + at, PIECE));
				n = match(WEFT_NOWAIT);
			}
		}
		ck_assert_int_ge(n, LENGTH - 3);
		expect_searched("match", i, patterns[i / 2].times * LENGTH);
		weft_regex_free(regex);
		weft_stream_free(s);
	}
	free(record);
}
END_TEST
#endif

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("stream_scan");
	TCase *tc = test_case(suite, "delimiters");

	(void)backend;
	tcase_add_test(tc, a_record_in_pieces_is_searched_once);
	tcase_add_test(tc, a_record_that_is_asked_for_with_each_piece_is_searched_once);
	tcase_add_test(tc, what_comes_between_two_searches_does_not_mislead_the_second);
	tcase_add_test(tc, new_bytes_at_an_old_place_are_searched);
#ifdef HAVE_PCRE2
	tc = test_case(suite, "patterns");
	tcase_add_test(tc, for_a_match_no_place_is_searched_twice);
#endif
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
