/* SPDX-License-Identifier: MIT */
/*
 * tests/check_buffer_search.c - finding, comparing and looking at bytes.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>

#include "tests/buffers.h"

/* What find must say, by trying every place. */
static ssize_t
find_slowly(const char *text, size_t length, const char *needle, size_t n)
{
	for (size_t i = 0; i + n <= length; i++)
		if (memcmp(text + i, needle, n) == 0)
			return (ssize_t)i;
	return -1;
}

START_TEST(find_gives_the_first_place_between_position_and_limit)
{
	static const char text[] = "abaababaabaababaababa\0ab\0";
	size_t length = sizeof(text) - 1;

	for (size_t position = 0; position <= length; position++) {
		for (size_t limit = position; limit <= length; limit++) {
			struct weft_buffer *b = weft_buffer_wrap_const(text, length);

			ck_assert_int_eq(weft_buffer_set_position(b, position), 0);
			ck_assert_int_eq(weft_buffer_set_limit(b, limit), 0);
			for (size_t n = 1; n < 8; n++) {
				for (size_t from = 0; from + n <= length; from += 3) {
					ssize_t at = find_slowly(text + position, limit - position, text + from, n);

					if (at >= 0)
						ck_assert_gives(weft_buffer_find(b, text + from, n), at);
					else
						ck_assert_fails(weft_buffer_find(b, text + from, n), ERANGE);
				}
			}
			ck_assert_state(b, position, limit, length);
			weft_buffer_free(b);
		}
	}
}
END_TEST

START_TEST(find_of_nothing_or_too_much_is_refused)
{
	struct weft_buffer *b = holding("abc");

	ck_assert_fails(weft_buffer_find(b, "a", 0), EINVAL);
	ck_assert_fails(weft_buffer_find(b, "abcd", 4), ERANGE);
	ck_assert_fails(weft_buffer_find(b, "abcd", SIZE_MAX), ERANGE);
	weft_buffer_free(b);
}
END_TEST

START_TEST(get_until_consumes_the_byte_and_gives_what_is_before_it)
{
	struct weft_buffer *b = holding_bytes("key=value;;last", 15);
	const void *data = NULL;

	ck_assert_gives(weft_buffer_get_until(b, '=', &data), 3);
	ck_assert_int_eq(memcmp(data, "key", 3), 0);
	ck_assert_gives(weft_buffer_get_until(b, ';', &data), 5);
	ck_assert_int_eq(memcmp(data, "value", 5), 0);
	ck_assert_gives(weft_buffer_get_until(b, ';', &data), 0);
	data = NULL;
	ck_assert_fails(weft_buffer_get_until(b, ';', &data), ERANGE);
	ck_assert(data == NULL);
	ck_assert_state(b, 11, 15, 15);
	ck_assert_gives(weft_buffer_get_until(b, 't', &data), 3);
	ck_assert_state(b, 15, 15, 15);
	weft_buffer_free(b);
}
END_TEST

START_TEST(get_until_finds_bytes_above_127_and_zero)
{
	for (int byte = 0; byte < 256; byte++) {
		struct weft_buffer *b = counting(256);
		const void *data;

		ck_assert_gives(weft_buffer_get_until(b, (uint8_t)byte, &data), byte);
		ck_assert_uint_eq(weft_buffer_position(b), (size_t)byte + 1);
		weft_buffer_free(b);
	}
}
END_TEST

START_TEST(get_until_does_not_look_behind_the_limit)
{
	struct weft_buffer *b = holding("abc\ndef");
	const void *data;

	ck_assert_int_eq(weft_buffer_set_limit(b, 3), 0);
	ck_assert_fails(weft_buffer_get_until(b, '\n', &data), ERANGE);
	ck_assert_int_eq(weft_buffer_set_limit(b, 4), 0);
	ck_assert_gives(weft_buffer_get_until(b, '\n', &data), 3);
	weft_buffer_free(b);
}
END_TEST

static void
expect_line(struct weft_buffer *b, int flags, const char *expected)
{
	const char *line = NULL;
	ssize_t n = weft_buffer_get_line(b, &line, flags);

	ck_assert_int_eq(n, (ssize_t)strlen(expected));
	ck_assert_int_eq(memcmp(line, expected, strlen(expected)), 0);
}

START_TEST(lines_end_in_lf_or_crlf_and_a_lone_cr_is_data)
{
	static const char text[] = "\none\n\r\ntwo\r\nth\rree\n\r\r\nrest\r";
	struct weft_buffer *b = holding(text);
	const char *line = NULL;

	expect_line(b, 0, "");
	expect_line(b, 0, "one");
	expect_line(b, 0, "");
	expect_line(b, 0, "two");
	expect_line(b, 0, "th\rree");
	expect_line(b, 0, "\r");
	ck_assert_fails(weft_buffer_get_line(b, &line, 0), ERANGE);
	ck_assert(line == NULL);
	ck_assert_uint_eq(weft_buffer_remaining(b), 5);
	weft_buffer_rewind(b);
	expect_line(b, WEFT_KEEP_TERMINATOR, "\n");
	expect_line(b, WEFT_KEEP_TERMINATOR, "one\n");
	expect_line(b, WEFT_KEEP_TERMINATOR, "\r\n");
	expect_line(b, WEFT_KEEP_TERMINATOR, "two\r\n");
	expect_line(b, WEFT_KEEP_TERMINATOR, "th\rree\n");
	expect_line(b, WEFT_KEEP_TERMINATOR, "\r\r\n");
	ck_assert_fails(weft_buffer_get_line(b, &line, WEFT_KEEP_TERMINATOR), ERANGE);
	ck_assert_fails(weft_buffer_get_line(b, &line, 2), EINVAL);
	ck_assert_uint_eq(weft_buffer_remaining(b), 5);
	weft_buffer_free(b);
}
END_TEST

START_TEST(a_line_does_not_look_before_the_position)
{
	struct weft_buffer *b = holding("a\r\nb\n");
	uint8_t byte;

	ck_assert_int_eq(weft_buffer_skip(b, 1), 0);
	ck_assert_int_eq(weft_buffer_get_u8(b, &byte), 0);
	ck_assert_uint_eq(byte, '\r');
	expect_line(b, 0, "");
	expect_line(b, 0, "b");
	weft_buffer_free(b);
}
END_TEST

START_TEST(a_line_is_borrowed_from_the_buffer)
{
	struct weft_buffer *b = holding("one\ntwo\n");
	const char *line;

	ck_assert_gives(weft_buffer_get_line(b, &line, 0), 3);
	ck_assert(line == weft_buffer_bytes(b));
	ck_assert_gives(weft_buffer_get_line(b, &line, 0), 3);
	ck_assert(line == (const char *)weft_buffer_bytes(b) + 4);
	weft_buffer_free(b);
}
END_TEST

static int
sign(int n)
{
	return (n > 0) - (n < 0);
}

START_TEST(compare_and_mismatch_agree_with_a_bytewise_model)
{
	static const char *const texts[] = {
		"", "a", "b", "ab", "aa", "aaa", "abc", "abd", "\xff", "\x7f", ("\x80" "a"), "ab\xff",
	};
	size_t n = sizeof(texts) / sizeof(texts[0]);

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++) {
			struct weft_buffer *a = holding(texts[i]), *b = holding(texts[j]);
			size_t at = 0;

			while (texts[i][at] != '\0' && texts[i][at] == texts[j][at])
				at++;
			ck_assert_gives(weft_buffer_compare(a, b), sign(strcmp(texts[i], texts[j])));
			ck_assert_gives(weft_buffer_mismatch(a, b), i == j ? -1 : (ssize_t)at);
			ck_assert_state(a, 0, strlen(texts[i]), strlen(texts[i]));
			weft_buffer_free(a);
			weft_buffer_free(b);
		}
	}
}
END_TEST

START_TEST(mismatch_finds_every_place_in_long_pieces)
{
	enum { N = 300 };

	for (size_t at = 0; at < N; at++) {
		struct weft_buffer *a = counting(N), *b = counting(N + 7);

		ck_assert_int_eq(weft_buffer_put_u8_at(b, at, (uint8_t)~at), 0);
		ck_assert_gives(weft_buffer_mismatch(a, b), (ssize_t)at);
		ck_assert_gives(weft_buffer_mismatch(b, a), (ssize_t)at);
		ck_assert_int_eq(weft_buffer_set_limit(a, at), 0);
		ck_assert_gives(weft_buffer_mismatch(a, b), (ssize_t)at);
		ck_assert_int_eq(weft_buffer_set_limit(b, at), 0);
		ck_assert_gives(weft_buffer_mismatch(a, b), -1);
		ck_assert_gives(weft_buffer_compare(a, b), 0);
		weft_buffer_free(a);
		weft_buffer_free(b);
	}
}
END_TEST

static void
expect_dump(const struct weft_buffer *b, const char *expected)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	ck_assert(out != NULL);
	ck_assert_gives(weft_buffer_dump(b, out), 0);
	fclose(out);
	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(dump_marks_position_and_limit_in_the_hex)
{
	struct weft_buffer *b = weft_buffer_new(48);

	ck_assert_int_eq(weft_buffer_put_bytes(b, "GET /index.html HTTP/", 21), 0);
	weft_buffer_flip(b);
	ck_assert_int_eq(weft_buffer_skip(b, 5), 0);
	expect_dump(b,
	    "position=5 limit=21 capacity=48\n"
	    "00000000  47 45 54 20 2f[69 6e 64  65 78 2e 68 74 6d 6c 20  |GET /index.html |\n"
	    "00000010  48 54 54 50 2f]00 00 00  00 00 00 00 00 00 00 00  |HTTP/...........|\n"
	    "00000020  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n");
	weft_buffer_free(b);
}
END_TEST

START_TEST(dump_shows_the_edges_and_folds_what_repeats)
{
	struct weft_buffer *b = weft_buffer_new(0);

	expect_dump(b, "position=0 limit=0 capacity=0\n");
	weft_buffer_free(b);

	b = holding("abc");
	expect_dump(b, "position=0 limit=3 capacity=3\n"
	    "00000000 [61 62 63]                                         |abc|\n");
	ck_assert_int_eq(weft_buffer_skip(b, 3), 0);
	expect_dump(b, "position=3 limit=3 capacity=3\n"
	    "00000000  61 62 63|                                         |abc|\n");
	weft_buffer_free(b);

	b = weft_buffer_new(81);
	ck_assert_int_eq(weft_buffer_set_limit(b, 16), 0);
	expect_dump(b, "position=0 limit=16 capacity=81\n"
	    "00000000 [00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00] |................|\n"
	    "00000010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
	    "*\n"
	    "00000050  00                                                |.|\n");
	ck_assert_int_eq(weft_buffer_set_limit(b, 64), 0);
	ck_assert_int_eq(weft_buffer_set_position(b, 48), 0);
	expect_dump(b, "position=48 limit=64 capacity=81\n"
	    "00000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
	    "*\n"
	    "00000020  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
	    "00000030 [00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00] |................|\n"
	    "00000040  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
	    "00000050  00                                                |.|\n");
	weft_buffer_free(b);
}
END_TEST

START_TEST(dump_reports_a_stream_that_cannot_be_written)
{
	struct weft_buffer *b = counting(100);
	FILE *out = fopen("/dev/full", "w");

	if (out != NULL) {
		setvbuf(out, NULL, _IONBF, 0);
		ck_assert_fails(weft_buffer_dump(b, out), ENOSPC);
		fclose(out);
	}
	weft_buffer_free(b);
}
END_TEST

static Suite *
search_suite(void)
{
	Suite *suite = suite_create("buffer_search");
	TCase *tc = tcase_create("search");

	tcase_add_test(tc, find_gives_the_first_place_between_position_and_limit);
	tcase_add_test(tc, find_of_nothing_or_too_much_is_refused);
	tcase_add_test(tc, get_until_consumes_the_byte_and_gives_what_is_before_it);
	tcase_add_test(tc, get_until_finds_bytes_above_127_and_zero);
	tcase_add_test(tc, get_until_does_not_look_behind_the_limit);
	tcase_add_test(tc, lines_end_in_lf_or_crlf_and_a_lone_cr_is_data);
	tcase_add_test(tc, a_line_does_not_look_before_the_position);
	tcase_add_test(tc, a_line_is_borrowed_from_the_buffer);
	tcase_add_test(tc, compare_and_mismatch_agree_with_a_bytewise_model);
	tcase_add_test(tc, mismatch_finds_every_place_in_long_pieces);
	suite_add_tcase(suite, tc);

	tc = tcase_create("dump");
	tcase_add_test(tc, dump_marks_position_and_limit_in_the_hex);
	tcase_add_test(tc, dump_shows_the_edges_and_folds_what_repeats);
	tcase_add_test(tc, dump_reports_a_stream_that_cannot_be_written);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	return run_suite(search_suite());
}
