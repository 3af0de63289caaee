/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stream_read.c - reads by count: read and read_exactly.
 */
#include "config.h"

#include <sys/socket.h>

#include "lib/stream.h"
#include "tests/streams.h"

static struct weft_stream *ends[2];     /* [0] is read, [1] is fed */

/* --- what a read gives */

START_TEST(read_gives_what_there_is_and_no_more)
{
	char got[100];

	open_kind(_i, ends);
	write_all(ends[1], "weft", 4);
	ck_assert_int_eq(weft_stream_read(ends[0], got, sizeof got, soon_enough()), 4);
	ck_assert_mem_eq(got, "weft", 4);
	ck_assert_fails(weft_stream_read(ends[0], got, sizeof got, WEFT_NOWAIT), EAGAIN);
	free_ends(ends);
}
END_TEST

START_TEST(small_reads_take_piece_by_piece)
{
	char got[3];

	open_kind(_i, ends);
	write_all(ends[1], "abcdefgh", 8);
	ck_assert_int_eq(weft_stream_read(ends[0], got, 3, soon_enough()), 3);
	ck_assert_mem_eq(got, "abc", 3);
	ck_assert_uint_eq(weft_stream_buffered(ends[0]), 5);
	ck_assert_int_eq(weft_stream_read(ends[0], got, 3, WEFT_NOWAIT), 3);
	ck_assert_int_eq(weft_stream_read(ends[0], got, 3, WEFT_NOWAIT), 2);
	ck_assert_mem_eq(got, "gh", 2);
	ck_assert_uint_eq(weft_stream_buffered(ends[0]), 0);
	free_ends(ends);
}
END_TEST

/* Whatever the sizes of reads and writes, the bytes are the same. */
START_TEST(reads_of_every_size_give_the_same_bytes)
{
	static const size_t sizes[] = { 1, 2, 5, 1023, 1024, 1025, 16384, 20000 };
	size_t n = chunk_of(_i) < 10 ? 300 : 200 * KIB, at, i;
	char *sent = patterned(n, 1), *got = malloc(n);
	struct feeder feeder;

	open_sweep(_i, ends);
	feed_begin(&feeder, ends[1], sent, n, chunk_of(_i), true);
	for (at = i = 0; at < n; i++) {
		size_t want = sizes[i % 8] < n - at ? sizes[i % 8] : n - at;
		ssize_t some = weft_stream_read(ends[0], got + at, want, soon_enough());

		ck_assert_int_gt(some, 0);
		ck_assert_int_le(some, (ssize_t)want);
		at += (size_t)some;
	}
	ck_assert_mem_eq(got, sent, n);
	ck_assert_gives(weft_stream_read(ends[0], got, 1, soon_enough()), 0);
	feed_end(&feeder);
	free_ends(ends);
	free(sent);
	free(got);
}
END_TEST

START_TEST(read_exactly_gathers_the_pieces)
{
	static const size_t sizes[] = { 1, 2, 4, 9, 100, 284 };
	char *sent = patterned(400, 2);
	struct feeder feeder;
	size_t at = 0, i;

	open_sweep(_i, ends);
	feed_begin(&feeder, ends[1], sent, 400, chunk_of(_i), true);
	for (i = 0; i < 6; at += sizes[i++])
		expect_bytes(ends[0], sent + at, sizes[i]);
	ck_assert_int_eq(weft_stream_read_exactly(ends[0], sent, 1, soon_enough()), 0);
	feed_end(&feeder);
	free_ends(ends);
	free(sent);
}
END_TEST

/* On both sides of the size that goes straight into the caller's memory, with
 * and without bytes that are in the Buffer already. */
START_TEST(read_exactly_of_large_records_joins_what_is_buffered)
{
	static const size_t sizes[] = { 16383, 16384, 16385, 50000, 1 << 20 };
	size_t n = sizes[_i % 5], before = (size_t)(_i / 5);
	char *sent = patterned(n + before + 5, 3), *got = malloc(n);
	struct feeder feeder;

	open_kind(0, ends);
	feed_begin(&feeder, ends[1], sent, n + before + 5, 4096, false);
	if (before > 0)
		expect_bytes(ends[0], sent, before);
	ck_assert_int_eq(weft_stream_read_exactly(ends[0], got, n, soon_enough()), n);
	ck_assert_mem_eq(got, sent + before, n);
	expect_bytes(ends[0], sent + before + n, 5);
	feed_end(&feeder);
	free_ends(ends);
	free(sent);
	free(got);
}
END_TEST

START_TEST(a_read_of_nothing_is_einval)
{
	char got[1];

	open_kind(_i, ends);
	write_all(ends[1], "x", 1);
	ck_assert_fails(weft_stream_read(ends[0], got, 0, soon_enough()), EINVAL);
	ck_assert_fails(weft_stream_read_exactly(ends[0], got, 0, soon_enough()), EINVAL);
	ck_assert_fails(weft_stream_read_exactly(ends[0], got, SIZE_MAX, soon_enough()),
	    EINVAL);
	expect_text(ends[0], "x");
	free_ends(ends);
}
END_TEST

/* --- the end */

START_TEST(the_end_is_0_again_and_again)
{
	char got[40 * KIB];
	int i;

	open_kind(_i, ends);
	write_all(ends[1], "last", 4);
	ck_assert_ok(weft_stream_shutdown(ends[1], soon_enough()));
	ck_assert(!weft_stream_at_eof(ends[0]));
	expect_text(ends[0], "last");
	for (i = 0; i < 3; i++) {
		ck_assert_gives(weft_stream_read(ends[0], got, 1, soon_enough()), 0);
		ck_assert_gives(weft_stream_read(ends[0], got, sizeof got, WEFT_NOWAIT), 0);
		ck_assert_gives(weft_stream_read_exactly(ends[0], got, 5, soon_enough()), 0);
		ck_assert_gives(weft_stream_read_exactly(ends[0], got, sizeof got,
		    soon_enough()), 0);
		ck_assert(weft_stream_at_eof(ends[0]));
		ck_assert(!weft_stream_readable(ends[0]));
		ck_assert_int_eq(weft_stream_error(ends[0]), 0);
	}
	free_ends(ends);
}
END_TEST

START_TEST(the_end_inside_a_record_is_epipe_and_keeps_the_part)
{
	static const size_t sizes[] = { 6, 1000, 16384, 16385, 100000 };
	char *got = malloc(100000);
	int i;

	open_kind(_i, ends);
	write_all(ends[1], "short", 5);
	ck_assert_ok(weft_stream_shutdown(ends[1], soon_enough()));
	for (i = 0; i < 5; i++)
		ck_assert_fails(weft_stream_read_exactly(ends[0], got, sizes[i],
		    soon_enough()), EPIPE);
	ck_assert(!weft_stream_at_eof(ends[0]));
	ck_assert(weft_stream_readable(ends[0]));
	ck_assert_uint_eq(weft_stream_buffered(ends[0]), 5);
	ck_assert_int_eq(weft_stream_read(ends[0], got, 100, soon_enough()), 5);
	ck_assert_mem_eq(got, "short", 5);
	ck_assert_int_eq(weft_stream_read(ends[0], got, 100, soon_enough()), 0);
	free_ends(ends);
	free(got);
}
END_TEST

START_TEST(a_large_record_cut_by_the_end_is_kept_whole)
{
	char *sent = patterned(60000, 4), *got = malloc(70000);
	struct feeder feeder;

	open_sweep(_i, ends);
	feed_begin(&feeder, ends[1], sent, chunk_of(_i) < 10 ? 200 : 60000,
	    chunk_of(_i), true);
	expect_bytes(ends[0], sent, 10);
	ck_assert_fails(weft_stream_read_exactly(ends[0], got, 70000, soon_enough()), EPIPE);
	expect_bytes(ends[0], sent + 10, feeder.n - 10);
	ck_assert_int_eq(weft_stream_read(ends[0], got, 1, soon_enough()), 0);
	feed_end(&feeder);
	free_ends(ends);
	free(sent);
	free(got);
}
END_TEST

/* --- what ends a wait consumes nothing */

static const size_t wanted[] = { 4, 16384, 16385, 300000 };

START_TEST(a_deadline_inside_a_record_consumes_nothing)
{
	char *got = malloc(300000);
	int i;

	open_kind(_i, ends);
	write_all(ends[1], "abc", 3);
	for (i = 0; i < 4; i++) {
		ck_assert_fails(weft_stream_read_exactly(ends[0], got, wanted[i],
		    weft_after(5)), ETIMEDOUT);
		ck_assert_fails(weft_stream_read_exactly(ends[0], got, wanted[i],
		    WEFT_NOWAIT), EAGAIN);
	}
	ck_assert_int_eq(weft_stream_error(ends[0]), 0);
	write_all(ends[1], "d", 1);
	expect_text(ends[0], "abcd");
	free_ends(ends);
	free(got);
}
END_TEST

START_TEST(a_cancel_inside_a_record_consumes_nothing)
{
	struct call call = { .n = wanted[_i], .memory = malloc(300000) };

	open_kind(0, ends);
	write_all(ends[1], "abc", 3);
	call_begin(&call, call_read_exactly, ends[0]);
	turns(3);
	ck_assert(!call.done);
	ck_assert_ok(weft_cancel(call.fiber));
	call_end(&call);
	ck_assert_int_eq(call.result, -1);
	ck_assert_int_eq(call.error, ECANCELED);
	ck_assert_int_eq(weft_stream_error(ends[0]), 0);
	write_all(ends[1], "d", 1);
	expect_text(ends[0], "abcd");
	free_ends(ends);
	free(call.memory);
}
END_TEST

static ssize_t
read_when_cancelled(struct call *call)
{
	weft_cancel(weft_self());
	return weft_stream_read(call->stream, call->memory, call->n, call->deadline);
}

START_TEST(a_cancelled_fiber_reads_nothing_even_if_it_need_not_wait)
{
	char got[10];
	struct call call = { .memory = got, .n = 1 };

	open_kind(_i, ends);
	write_all(ends[1], "abc", 3);
	expect_text(ends[0], "a");
	call_begin(&call, read_when_cancelled, ends[0]);
	call_end(&call);
	ck_assert_int_eq(call.error, ECANCELED);
	expect_text(ends[0], "bc");
	free_ends(ends);
}
END_TEST

START_TEST(a_deadline_in_the_past_still_gets_one_try)
{
	char got[2000];

	open_kind(_i, ends);
	ck_assert_fails(weft_stream_read(ends[0], got, 1, weft_after(-10)), ETIMEDOUT);
	write_all(ends[1], "x", 1);
	ck_assert_int_eq(weft_stream_read(ends[0], got, 1, weft_after(-10)), 1);
	ck_assert_fails(weft_stream_read(ends[0], got, 2000, weft_after(-10)), ETIMEDOUT);
	write_all(ends[1], "y", 1);
	ck_assert_int_eq(weft_stream_read(ends[0], got, 2000, weft_after(-10)), 1);
	write_all(ends[1], "z", 1);
	ck_assert_int_eq(weft_stream_read_exactly(ends[0], got, 1, weft_after(-10)), 1);
	ck_assert_int_eq(got[0], 'z');
	free_ends(ends);
}
END_TEST

START_TEST(nowait_does_not_wait_and_does_not_yield)
{
	char got[10];
	uint64_t switches;

	open_kind(_i, ends);
	switches = loop_stats().switches;
	ck_assert_fails(weft_stream_read(ends[0], got, 1, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_stream_read_exactly(ends[0], got, 1, WEFT_NOWAIT), EAGAIN);
	ck_assert_uint_eq(loop_stats().switches, switches);
	ck_assert_int_eq(weft_stream_write(ends[1], "x", 1, WEFT_NOWAIT), 1);
	ck_assert_int_eq(weft_stream_read(ends[0], got, 1, WEFT_NOWAIT), 1);
	free_ends(ends);
}
END_TEST

START_TEST(an_enclosing_deadline_counts)
{
	char got[10];

	open_kind(_i, ends);
	ck_assert_ok(weft_deadline_push(weft_after(5)));
	ck_assert_fails(weft_stream_read(ends[0], got, 1, soon_enough()), ETIMEDOUT);
	weft_deadline_pop();
	free_ends(ends);
}
END_TEST

/* --- errors */

START_TEST(the_data_comes_before_the_error_and_that_again_and_again)
{
	char got[2000];
	int i;

	open_tcp(ends);
	write_all(ends[1], "data", 4);
	expect_bytes(ends[0], "d", 1);          /* the rest is in the Buffer */
	reset_connection(ends[1]);
	turns(2);
	ck_assert_int_eq(weft_stream_read(ends[0], got, 2, soon_enough()), 2);
	ck_assert_int_eq(weft_stream_read(ends[0], got, 2, soon_enough()), 1);
	for (i = 0; i < 3; i++) {
		ck_assert_fails(weft_stream_read(ends[0], got, 1, soon_enough()), ECONNRESET);
		ck_assert_fails(weft_stream_read(ends[0], got, 2000, WEFT_NOWAIT),
		    ECONNRESET);
		ck_assert_fails(weft_stream_read_exactly(ends[0], got, 3, soon_enough()),
		    ECONNRESET);
	}
	ck_assert_int_eq(weft_stream_error(ends[0]), ECONNRESET);
	ck_assert_ptr_ne(strstr(weft_stream_error_text(ends[0]), "read"), NULL);
	ck_assert(!weft_stream_at_eof(ends[0]));
	ck_assert(!weft_stream_readable(ends[0]));
	free_ends(ends);
}
END_TEST

START_TEST(an_error_inside_a_record_keeps_the_part)
{
	char *got = malloc(20000);
	struct call call = { .memory = got, .n = _i == 0 ? 10 : 20000 };

	open_tcp(ends);
	write_all(ends[1], "part", 4);
	call_begin(&call, call_read_exactly, ends[0]);
	turns(3);
	reset_connection(ends[1]);
	call_end(&call);
	ck_assert_int_eq(call.error, ECONNRESET);
	ck_assert(weft_stream_readable(ends[0]));
	expect_text(ends[0], "part");
	ck_assert_fails(weft_stream_read(ends[0], got, 1, soon_enough()), ECONNRESET);
	free_ends(ends);
	free(got);
}
END_TEST

/* A write may be the one that the kernel tells of the reset. */
START_TEST(a_reset_that_a_write_found_is_no_clean_end_for_a_read)
{
	char got[10];

	open_tcp(ends);
	reset_connection(ends[1]);
	ck_assert_fails(weft_stream_write(ends[0], "x", 1, soon_enough()), ECONNRESET);
	ck_assert_fails(weft_stream_read(ends[0], got, 1, soon_enough()), ECONNRESET);
	ck_assert_fails(weft_stream_read(ends[0], got, 1, soon_enough()), ECONNRESET);
	free_ends(ends);
}
END_TEST

START_TEST(a_write_error_hides_no_bytes)
{
	char text[] = "still here", x[1000] = { 0 };

	open_kind(_i, ends);
	write_all(ends[1], text, 10);
	ck_assert_ok(weft_stream_close(ends[1], soon_enough()));
	while (weft_stream_write(ends[0], x, sizeof x, soon_enough()) >= 0)
		turns(1);
	ck_assert(errno == EPIPE || errno == ECONNRESET);
	ck_assert(weft_stream_readable(ends[0]));
	expect_text(ends[0], text);
	free_ends(ends);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("stream_read");
	TCase *tc = test_case(suite, "what a read gives");

	(void)backend;
	EVERY_KIND(tc, read_gives_what_there_is_and_no_more);
	EVERY_KIND(tc, small_reads_take_piece_by_piece);
	SWEEP(tc, reads_of_every_size_give_the_same_bytes);
	SWEEP(tc, read_exactly_gathers_the_pieces);
	tcase_add_loop_test(tc, read_exactly_of_large_records_joins_what_is_buffered, 0, 15);
	EVERY_KIND(tc, a_read_of_nothing_is_einval);

	tc = test_case(suite, "the end");
	EVERY_KIND(tc, the_end_is_0_again_and_again);
	EVERY_KIND(tc, the_end_inside_a_record_is_epipe_and_keeps_the_part);
	SWEEP(tc, a_large_record_cut_by_the_end_is_kept_whole);

	tc = test_case(suite, "what ends a wait");
	EVERY_KIND(tc, a_deadline_inside_a_record_consumes_nothing);
	tcase_add_loop_test(tc, a_cancel_inside_a_record_consumes_nothing, 0, 4);
	EVERY_KIND(tc, a_cancelled_fiber_reads_nothing_even_if_it_need_not_wait);
	EVERY_KIND(tc, a_deadline_in_the_past_still_gets_one_try);
	EVERY_KIND(tc, nowait_does_not_wait_and_does_not_yield);
	EVERY_KIND(tc, an_enclosing_deadline_counts);

	tc = test_case(suite, "errors");
	tcase_add_test(tc, the_data_comes_before_the_error_and_that_again_and_again);
	tcase_add_loop_test(tc, an_error_inside_a_record_keeps_the_part, 0, 2);
	tcase_add_test(tc, a_reset_that_a_write_found_is_no_clean_end_for_a_read);
	EVERY_KIND(tc, a_write_error_hides_no_bytes);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
