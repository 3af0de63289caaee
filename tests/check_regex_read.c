/* SPDX-License-Identifier: MIT */
/*
 * tests/check_regex_read.c - how a regex read ends without a match, and goes on.
 */
#include "config.h"

#include <pthread.h>

#include "tests/regexes.h"
#include "weft/buffer.h"
#include "weft/unix.h"

#ifdef HAVE_PCRE2

static struct weft_stream *ends[2];     /* [0] is read, [1] is fed */
static struct weft_regex *line;         /* as a pattern with a tail that can grow */

static void
set_up(int kind)
{
	line = regex("[^;]*;\\s*", 0);
	open_kind(kind, ends);
}

static void
tear_down(void)
{
	free_ends(ends);
	weft_regex_free(line);
}

static ssize_t
call_match(struct call *call)
{
	const void *data;
	ssize_t n = weft_stream_read_match(call->stream, line, &data, call->deadline);

	if (n > 0)
		memcpy(call->memory, data, (size_t)n);
	return n;
}

static void
expect_match(const char *expected)
{
	const void *data = NULL;

	ck_assert_int_eq(weft_stream_read_match(ends[0], line, &data, soon_enough()),
	    (ssize_t)strlen(expected));
	ck_assert_mem_eq(data, expected, strlen(expected));
}

START_TEST(the_end_before_a_match_is_epipe_and_keeps_the_part)
{
	const void *data;
	int i;

	set_up(_i);
	write_all(ends[1], "one; two", 8);
	ck_assert_ok(weft_stream_shutdown(ends[1], soon_enough()));
	expect_match("one; ");
	for (i = 0; i < 3; i++)
		ck_assert_fails(weft_stream_read_match(ends[0], line, &data,
		    soon_enough()), EPIPE);
	expect_text(ends[0], "two");
	for (i = 0; i < 3; i++)
		ck_assert_gives(weft_stream_read_match(ends[0], line, &data,
		    soon_enough()), 0);
	tear_down();
}
END_TEST

START_TEST(the_end_decides_a_match_that_could_have_grown)
{
	const void *data;

	set_up(_i);
	write_all(ends[1], "one;  ", 6);
	ck_assert_fails(weft_stream_read_match(ends[0], line, &data, weft_after(3)),
	    ETIMEDOUT);
	ck_assert_ok(weft_stream_shutdown(ends[1], soon_enough()));
	expect_match("one;  ");
	ck_assert_gives(weft_stream_read_match(ends[0], line, &data, soon_enough()), 0);
	tear_down();
}
END_TEST

START_TEST(an_error_inside_a_record_keeps_the_part)
{
	const void *data;

	line = regex("[^;]*;", 0);
	open_tcp(ends);
	write_all(ends[1], "whole;part", 10);
	expect_match("whole;");
	reset_connection(ends[1]);
	turns(2);
	ck_assert_fails(weft_stream_read_match(ends[0], line, &data, soon_enough()),
	    ECONNRESET);
	expect_text(ends[0], "part");
	ck_assert_fails(weft_stream_read_match(ends[0], line, &data, soon_enough()),
	    ECONNRESET);
	tear_down();
}
END_TEST

START_TEST(a_deadline_or_a_cancel_inside_a_match_loses_nothing)
{
	char got[20];
	struct call call = { .memory = got };
	const void *data;

	set_up(_i);
	write_all(ends[1], "he", 2);
	ck_assert_fails(weft_stream_read_match(ends[0], line, &data, weft_after(3)),
	    ETIMEDOUT);
	ck_assert_fails(weft_stream_read_match(ends[0], line, &data, WEFT_NOWAIT), EAGAIN);
	call_begin(&call, call_match, ends[0]);
	write_all(ends[1], "ll", 2);
	turns(3);
	ck_assert_ok(weft_cancel(call.fiber));
	call_end(&call);
	ck_assert_int_eq(call.error, ECANCELED);
	write_all(ends[1], "o; \nnext", 8);
	expect_match("hello; \n");
	expect_text(ends[0], "next");
	tear_down();
}
END_TEST

START_TEST(two_readers_get_a_match_each_in_order)
{
	char got[2][20];
	struct call first = { .memory = got[0] }, second = { .memory = got[1] };

	set_up(_i);
	call_begin(&first, call_match, ends[0]);
	call_begin(&second, call_match, ends[0]);
	write_all(ends[1], "one;two;", 8);
	turns(3);
	write_all(ends[1], " three", 6);
	call_end(&first);
	call_end(&second);
	ck_assert_int_eq(first.result, 4);
	ck_assert_mem_eq(got[0], "one;", 4);
	ck_assert_int_eq(second.result, 5);
	ck_assert_mem_eq(got[1], "two; ", 5);
	tear_down();
}
END_TEST

START_TEST(a_stream_that_is_freed_ends_the_read_with_ebadf)
{
	char got[20];
	struct call call = { .memory = got };

	set_up(_i);
	write_all(ends[1], "abc", 3);
	call_begin(&call, call_match, ends[0]);
	turns(2);
	weft_stream_free(ends[0]);
	call_end(&call);
	ck_assert_int_eq(call.result, -1);
	ck_assert_int_eq(call.error, EBADF);
	weft_stream_free(ends[1]);
	weft_regex_free(line);
}
END_TEST

/* Other reads in between do not mislead the next search. */
START_TEST(what_was_searched_is_forgotten_when_bytes_are_consumed)
{
	struct weft_regex *other = regex("b;", 0);
	const void *data;
	uint8_t byte;

	set_up(_i);
	weft_regex_free(line);
	line = regex("ab;", 0);
	write_all(ends[1], "ab", 2);
	ck_assert_fails(weft_stream_read_match(ends[0], line, &data, weft_after(2)),
	    ETIMEDOUT);
	ck_assert_fails(weft_stream_read_match(ends[0], other, &data, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_stream_read_match(ends[0], line, &data, WEFT_NOWAIT), EAGAIN);
	ck_assert_ok(weft_buffer_get_u8(weft_stream_input(ends[0]), &byte));
	write_all(ends[1], ";ab;", 4);
	ck_assert_int_eq(weft_stream_fill(ends[0], 5, soon_enough()), 5);
	ck_assert_int_eq(weft_stream_read_match(ends[0], line, &data, soon_enough()), 5);
	ck_assert_mem_eq(data, "b;ab;", 5);
	weft_regex_free(other);
	tear_down();
}
END_TEST

/* --- one regex, two threads */

static void *
match_on_a_thread(void *arg)
{
	struct weft_stream *pair[2];
	const void *data;
	intptr_t i, good = 0;

	(void)arg;
	if (weft_unix_pair(pair) != 0)
		return NULL;
	for (i = 0; i < 2000; i++) {
		weft_stream_write(pair[1], "a1b22;c", 7, WEFT_NEVER);
		good += weft_stream_read_match(pair[0], line, &data, WEFT_NEVER) == 6;
		good += weft_stream_skip(pair[0], 1) == 0;
	}
	free_ends(pair);
	return (void *)good;
}

START_TEST(threads_may_share_a_regex)
{
	pthread_t threads[2];
	void *good;
	int i;

	line = regex("(?:[a-z]\\d+)+;(?=c)", 0);
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, match_on_a_thread,
		    NULL), 0);
	for (i = 0; i < 2; i++) {
		pthread_join(threads[i], &good);
		ck_assert_int_eq((intptr_t)good, 4000);
	}
	weft_regex_free(line);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("regex_read");
	TCase *tc = test_case(suite, "ends");

	(void)backend;
	EVERY_KIND(tc, the_end_before_a_match_is_epipe_and_keeps_the_part);
	EVERY_KIND(tc, the_end_decides_a_match_that_could_have_grown);
	tcase_add_test(tc, an_error_inside_a_record_keeps_the_part);
	EVERY_KIND(tc, a_deadline_or_a_cancel_inside_a_match_loses_nothing);

	tc = test_case(suite, "others");
	EVERY_KIND(tc, two_readers_get_a_match_each_in_order);
	EVERY_KIND(tc, a_stream_that_is_freed_ends_the_read_with_ebadf);
	EVERY_KIND(tc, what_was_searched_is_forgotten_when_bytes_are_consumed);
	tcase_add_test(tc, threads_may_share_a_regex);
	return suite;
}
#endif

int
main(void)
{
	return weft_test_main(make_suite);
}
