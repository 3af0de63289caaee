/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stream_until.c - reads by record: read_until, read_line,
 * and what a record that ends too early leaves.
 */
#include "config.h"

#include "tests/streams.h"

static struct weft_stream *ends[2];     /* [0] is read, [1] is fed */

static ssize_t
until(const char *delimiter, size_t n, const void **data)
{
	return weft_stream_read_until(ends[0], delimiter, n, data, soon_enough());
}

static void
expect_record(const char *delimiter, const char *record)
{
	const void *data = NULL;

	ck_assert_int_eq(until(delimiter, strlen(delimiter), &data),
	    (ssize_t)strlen(record));
	ck_assert_mem_eq(data, record, strlen(record));
}

/* --- delimiters */

static const struct {
	const char *delimiter, *input, *records[6];
} cases[] = {
	{ "\n", "a\n\nbcd\n", { "a\n", "\n", "bcd\n" } },
	{ "ab", "aab ab aaab", { "aab", " ab", " aaab" } },
	{ "aab", "aaab aabaaaab", { "aaab", " aab", "aaaab" } },
	{ "aaa", "aabaaaaaaab aaa", { "aabaaa", "aaa", "ab aaa" } },
	{ "abab", "aabaababbabababab", { "aabaabab", "babab", "abab" } },
	{ "\r\n.\r\n", "a\r\n.\r\r\n..\r\n\r\n.\r\n.\r\n\r\n.\r\n",
	  { "a\r\n.\r\r\n..\r\n\r\n.\r\n", ".\r\n\r\n.\r\n" } },
	{ "aabaa", "aabaaabaabaaaabaa", { "aabaa", "abaabaa", "aabaa" } },
};
enum { CASES = sizeof cases / sizeof *cases };

START_TEST(delimiters_are_found_wherever_the_bytes_are_cut)
{
	struct feeder feeder;
	const void *data;
	int i, j;

	for (i = 0; i < CASES; i++) {
		open_sweep(_i, ends);
		feed_begin(&feeder, ends[1], cases[i].input, strlen(cases[i].input),
		    chunk_of(_i), true);
		for (j = 0; cases[i].records[j] != NULL; j++)
			expect_record(cases[i].delimiter, cases[i].records[j]);
		ck_assert_gives(until(cases[i].delimiter, strlen(cases[i].delimiter),
		    &data), 0);
		feed_end(&feeder);
		free_ends(ends);
	}
}
END_TEST

START_TEST(a_delimiter_may_hold_any_bytes)
{
	const void *data;

	open_kind(_i, ends);
	write_all(ends[1], "a\0b\0\0c\377", 7);
	ck_assert_int_eq(until("\0\0", 2, &data), 5);
	ck_assert_mem_eq(data, "a\0b\0\0", 5);
	ck_assert_int_eq(until("\377", 1, &data), 2);
	ck_assert_fails(until("", 0, &data), EINVAL);
	free_ends(ends);
}
END_TEST

START_TEST(chomp_takes_one_line_end_off)
{
	ck_assert_uint_eq(weft_chomp("", 0), 0);
	ck_assert_uint_eq(weft_chomp("\n", 1), 0);
	ck_assert_uint_eq(weft_chomp("\r\n", 2), 0);
	ck_assert_uint_eq(weft_chomp("a\n", 2), 1);
	ck_assert_uint_eq(weft_chomp("a\r\n", 3), 1);
	ck_assert_uint_eq(weft_chomp("a\r\r\n", 4), 2);
	ck_assert_uint_eq(weft_chomp("a\n\n", 3), 2);
	ck_assert_uint_eq(weft_chomp("a\r", 2), 2);
	ck_assert_uint_eq(weft_chomp("abc", 3), 3);
}
END_TEST

/* --- the end */

START_TEST(the_end_before_the_delimiter_is_epipe_and_keeps_the_part)
{
	struct feeder feeder;
	const void *data;
	char got[10];
	int i;

	open_sweep(_i, ends);
	feed_begin(&feeder, ends[1], "one\r\ntwo\r", 9, chunk_of(_i), true);
	expect_record("\r\n", "one\r\n");
	for (i = 0; i < 3; i++)
		ck_assert_fails(until("\r\n", 2, &data), EPIPE);
	ck_assert(weft_stream_readable(ends[0]));
	ck_assert_int_eq(weft_stream_read(ends[0], got, 10, soon_enough()), 4);
	ck_assert_mem_eq(got, "two\r", 4);
	ck_assert_int_eq(until("\r\n", 2, &data), 0);
	feed_end(&feeder);
	free_ends(ends);
}
END_TEST

START_TEST(an_unterminated_last_line_comes_once_and_then_the_end)
{
	struct feeder feeder;
	const char *line;
	int i;

	open_sweep(_i, ends);
	feed_begin(&feeder, ends[1], "one\n\ntwo\r\nthree", 15, chunk_of(_i), true);
	expect_line(ends[0], "one\n");
	expect_line(ends[0], "\n");
	expect_line(ends[0], "two\r\n");
	expect_line(ends[0], "three");
	for (i = 0; i < 3; i++)
		ck_assert_gives(weft_stream_read_line(ends[0], &line, soon_enough()), 0);
	ck_assert(weft_stream_at_eof(ends[0]));
	feed_end(&feeder);
	free_ends(ends);
}
END_TEST

START_TEST(an_error_inside_a_line_keeps_the_part)
{
	const char *line;

	open_tcp(ends);
	write_all(ends[1], "whole\npart", 10);
	expect_line(ends[0], "whole\n");
	reset_connection(ends[1]);
	turns(2);
	ck_assert_fails(weft_stream_read_line(ends[0], &line, soon_enough()), ECONNRESET);
	expect_text(ends[0], "part");
	ck_assert_fails(weft_stream_read_line(ends[0], &line, soon_enough()), ECONNRESET);
	free_ends(ends);
}
END_TEST

START_TEST(a_deadline_or_a_cancel_inside_a_line_loses_nothing)
{
	char got[20];
	struct call call = { .memory = got };
	const char *line;

	open_kind(_i, ends);
	write_all(ends[1], "he", 2);
	ck_assert_fails(weft_stream_read_line(ends[0], &line, weft_after(3)), ETIMEDOUT);
	ck_assert_fails(weft_stream_read_line(ends[0], &line, WEFT_NOWAIT), EAGAIN);
	call_begin(&call, call_read_line, ends[0]);
	write_all(ends[1], "ll", 2);
	turns(3);
	ck_assert_ok(weft_cancel(call.fiber));
	call_end(&call);
	ck_assert_int_eq(call.error, ECANCELED);
	write_all(ends[1], "o\n", 2);
	expect_line(ends[0], "hello\n");
	free_ends(ends);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("stream_until");
	TCase *tc = test_case(suite, "delimiters");

	(void)backend;
	SWEEP(tc, delimiters_are_found_wherever_the_bytes_are_cut);
	EVERY_KIND(tc, a_delimiter_may_hold_any_bytes);
	tcase_add_test(tc, chomp_takes_one_line_end_off);

	tc = test_case(suite, "the end");
	SWEEP(tc, the_end_before_the_delimiter_is_epipe_and_keeps_the_part);
	SWEEP(tc, an_unterminated_last_line_comes_once_and_then_the_end);
	tcase_add_test(tc, an_error_inside_a_line_keeps_the_part);
	EVERY_KIND(tc, a_deadline_or_a_cancel_inside_a_line_loses_nothing);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
