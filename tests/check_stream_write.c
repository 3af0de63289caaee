/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stream_write.c - writes, the queue and its marks, deadlines.
 */
#include "config.h"

#include <sys/mman.h>

#include "tests/full_kernel.h"
#include "tests/streams.h"

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

static struct weft_stream *ends[2];     /* [0] writes, [1] is the peer */

/* The peer takes all there is. */
static size_t
peer_takes(size_t n)
{
	char *got = malloc(n);
	size_t taken = 0;
	ssize_t some;

	while (taken < n &&
	    (some = weft_stream_read(ends[1], got, n - taken, WEFT_NOWAIT)) > 0)
		taken += (size_t)some;
	free(got);
	return taken;
}

/* One try with the queue: the kernel takes `most`, and is full again. */
static void
send_some(void)
{
	takes = 1;
	ck_assert_fails(weft_stream_flush(ends[0], WEFT_NOWAIT), EAGAIN);
	takes = -1;
	full = true;
}

/* --- the queue and its marks */

START_TEST(a_small_write_goes_to_the_kernel_at_once)
{
	open_kind(_i, ends);
	sends = 0;
	ck_assert_gives(weft_stream_write(ends[0], "abc", 3, soon_enough()), 3);
	ck_assert_int_eq(sends, 1);
	ck_assert_uint_eq(weft_stream_queued(ends[0]), 0);
	expect_text(ends[1], "abc");
	free_ends(ends);
}
END_TEST

START_TEST(what_the_kernel_does_not_take_is_queued_without_waiting)
{
	char *bytes = patterned(64 * KIB, 1);
	uint64_t switches;

	open_kind(_i, ends);
	full = true;
	switches = loop_stats().switches;
	ck_assert_gives(weft_stream_write(ends[0], bytes, 10 * KIB, soon_enough()), 10240);
	ck_assert_gives(weft_stream_write(ends[0], bytes + 10 * KIB, 54 * KIB,
	    WEFT_NOWAIT), 54 * 1024);
	ck_assert_uint_eq(loop_stats().switches, switches);
	ck_assert_uint_eq(weft_stream_queued(ends[0]), 64 * KIB);
	full = false;
	ck_assert_gives(weft_stream_flush(ends[0], WEFT_NOWAIT), 0);
	ck_assert_uint_eq(weft_stream_queued(ends[0]), 0);
	expect_bytes(ends[1], bytes, 64 * KIB);
	free_ends(ends);
	free(bytes);
}
END_TEST

START_TEST(the_queue_leaves_by_itself)
{
	char *bytes = patterned(64 * KIB, 2);

	open_kind(_i, ends);
	fill_kernel(ends[0]);
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 0, 64 * KIB));
	write_all(ends[0], bytes, 64 * KIB);
	ck_assert_uint_eq(weft_stream_queued(ends[0]), 64 * KIB);
	while (weft_stream_queued(ends[0]) > 0) {
		peer_takes(1 << 20);
		turns(1);
	}
	free_ends(ends);
	free(bytes);
}
END_TEST

START_TEST(above_the_high_mark_a_write_waits_until_the_low_mark)
{
	char *bytes = patterned(100, 3);
	struct call call = { .memory = bytes, .n = 1 };

	open_kind(_i, ends);
	full = true;
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 10, 100));
	write_all(ends[0], bytes, 100);         /* at the mark, not above it */
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 10, 99));
	call_begin(&call, call_write, ends[0]);
	full = false;
	most = 89;
	send_some();                            /* 11 are left */
	turns(2);
	ck_assert(!call.done);
	full = false;
	most = 1;
	send_some();                            /* 10 */
	full = false;
	most = 0;
	call_end(&call);
	ck_assert_int_eq(call.result, 1);
	ck_assert_ok(weft_stream_flush(ends[0], WEFT_NOWAIT));
	expect_bytes(ends[1], bytes, 100);
	expect_bytes(ends[1], bytes, 1);
	free_ends(ends);
	free(bytes);
}
END_TEST

START_TEST(marks_take_effect_at_once_for_those_who_wait)
{
	char *bytes = patterned(200, 4);
	struct call writer = { .memory = bytes, .n = 1 }, drainer = { 0 };

	open_kind(_i, ends);
	full = true;
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 10, 200));
	write_all(ends[0], bytes, 150);
	call_begin(&drainer, call_drain, ends[0]);
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 10, 100));
	call_begin(&writer, call_write, ends[0]);
	turns(2);
	ck_assert(!drainer.done && !writer.done);
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 150, 200));
	call_end(&drainer);
	ck_assert_int_eq(drainer.result, 0);
	call_end(&writer);
	ck_assert_int_eq(writer.result, 1);
	ck_assert_uint_eq(weft_stream_queued(ends[0]), 151);
	full = false;
	ck_assert_ok(weft_stream_flush(ends[0], WEFT_NOWAIT));
	expect_bytes(ends[1], bytes, 150);
	free_ends(ends);
	free(bytes);
}
END_TEST

START_TEST(a_low_mark_above_the_high_one_is_einval)
{
	open_kind(_i, ends);
	ck_assert_fails(weft_stream_set_watermarks(ends[0], 2, 1), EINVAL);
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 1, 1));
	free_ends(ends);
}
END_TEST

START_TEST(without_a_queue_nothing_is_ever_queued)
{
	char *bytes = patterned(1 << 20, 5);
	struct call call = { .memory = bytes, .n = 1 << 20 };
	size_t filled;

	open_kind(_i, ends);
	filled = fill_kernel(ends[0]);
	full = true;            /* TCP finds room for some more in time */
	ck_assert_fails(weft_stream_write(ends[0], bytes, 1, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_stream_write(ends[0], bytes, 1, weft_after(3)), ETIMEDOUT);
	full = false;
	call_begin(&call, call_write, ends[0]);
	turns(2);
	ck_assert(!call.done);
	ck_assert_uint_eq(weft_stream_queued(ends[0]), 0);
	while (filled > 0) {
		char *skipped = malloc(filled);
		ssize_t n = weft_stream_read(ends[1], skipped, filled, soon_enough());

		ck_assert_int_gt(n, 0);
		filled -= (size_t)n;
		free(skipped);
	}
	expect_bytes(ends[1], bytes, 1 << 20);
	call_end(&call);
	ck_assert_int_eq(call.result, 1 << 20);
	free_ends(ends);
	free(bytes);
}
END_TEST

START_TEST(a_large_write_waits_and_its_bytes_are_intact)
{
	size_t n = 8 << 20;
	char *bytes = patterned(n, 6);
	struct call call = { .memory = bytes, .n = n };

	open_kind(_i, ends);
	call_begin(&call, call_write, ends[0]);
	turns(3);
	ck_assert(!call.done);
	ck_assert_uint_le(weft_stream_queued(ends[0]), 64 * KIB);
	expect_bytes(ends[1], bytes, n);
	call_end(&call);
	ck_assert_int_eq(call.result, (ssize_t)n);
	free_ends(ends);
	free(bytes);
}
END_TEST

/* --- short counts */

START_TEST(a_deadline_after_some_bytes_gives_their_count_and_then_the_error)
{
	size_t n = 16 << 20;
	char *bytes = patterned(n, 7);
	ssize_t taken;

	open_kind(_i, ends);
	taken = weft_stream_write(ends[0], bytes, n, weft_after(20));
	ck_assert_int_gt(taken, 0);
	ck_assert_int_lt(taken, (ssize_t)n);
	ck_assert_int_eq(weft_stream_error(ends[0]), 0);
	full = true;
	ck_assert_fails(weft_stream_write(ends[0], bytes + taken, n - (size_t)taken,
	    weft_after(5)), ETIMEDOUT);
	full = false;
	expect_bytes(ends[1], bytes, (size_t)taken);
	write_all(ends[0], "and on", 6);
	expect_text(ends[1], "and on");
	free_ends(ends);
	free(bytes);
}
END_TEST

START_TEST(nowait_takes_what_kernel_and_queue_do)
{
	size_t n = 16 << 20;
	char *bytes = patterned(n, 8);
	ssize_t taken;

	open_kind(_i, ends);
	taken = weft_stream_write(ends[0], bytes, n, WEFT_NOWAIT);
	ck_assert_int_gt(taken, 0);
	ck_assert_uint_le(weft_stream_queued(ends[0]), 64 * KIB);
	expect_bytes(ends[1], bytes, (size_t)taken);
	free_ends(ends);
	free(bytes);
}
END_TEST

START_TEST(a_deadline_in_the_past_still_gets_one_try)
{
	char *bytes = patterned(1000, 9);

	open_kind(_i, ends);
	ck_assert_int_eq(weft_stream_write(ends[0], bytes, 1000, weft_after(-5)), 1000);
	fill_kernel(ends[0]);
	full = true;
	ck_assert_fails(weft_stream_write(ends[0], bytes, 1000, weft_after(-5)), ETIMEDOUT);
	full = false;
	ck_assert_uint_gt(peer_takes(16 << 20), 0);
	ck_assert_int_eq(weft_stream_write(ends[0], bytes, 1000, weft_after(-5)), 1000);
	ck_assert_uint_gt(peer_takes(1000), 0);
	free_ends(ends);
	free(bytes);
}
END_TEST

START_TEST(a_flush_in_the_past_still_gets_one_try)
{
	open_kind(_i, ends);
	full = true;
	write_all(ends[0], "abc", 3);
	ck_assert_fails(weft_stream_flush(ends[0], weft_after(-5)), ETIMEDOUT);
	full = false;
	ck_assert_ok(weft_stream_flush(ends[0], weft_after(-5)));
	expect_text(ends[1], "abc");
	free_ends(ends);
}
END_TEST

/* Some kernels refuse more. */
START_TEST(no_call_offers_more_than_a_gibibyte)
{
	const size_t n = 3 * ((size_t)1 << 29);
	void *much = mmap(NULL, n, PROT_READ, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
	struct iovec twice[2] = { { much, n }, { much, n } };

	if (much == MAP_FAILED)
		return;
	open_kind(_i, ends);
	full = true;
	ck_assert_int_gt(weft_stream_write(ends[1], much, n, WEFT_NOWAIT), 0);
	ck_assert_uint_eq(offered, (size_t)1 << 30);
	ck_assert_int_eq(weft_stream_writev(ends[1], twice, 2, WEFT_NOWAIT), -1);
	ck_assert_uint_eq(offered, (size_t)1 << 30);
	free_ends(ends);
	munmap(much, n);
}
END_TEST

/* What macOS says while a socket is being torn down. */
START_TEST(a_socket_that_is_torn_down_is_reset)
{
	open_kind(_i, ends);
	full = true;
	full_error = EPROTOTYPE;
	ck_assert_int_eq(weft_stream_write(ends[1], "x", 1, soon_enough()), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	ck_assert_int_eq(weft_stream_error(ends[1]), ECONNRESET);
	free_ends(ends);
}
END_TEST

START_TEST(a_cancel_after_some_bytes_gives_their_count)
{
	size_t n = 16 << 20;
	struct call call = { .memory = patterned(n, 10), .n = n };

	open_kind(_i, ends);
	call_begin(&call, call_write, ends[0]);
	turns(3);
	ck_assert_ok(weft_cancel(call.fiber));
	call_end(&call);
	ck_assert_int_gt(call.result, 0);
	ck_assert_int_lt(call.result, (ssize_t)n);
	expect_bytes(ends[1], call.memory, (size_t)call.result);
	ck_assert_int_eq(weft_stream_error(ends[0]), 0);
	free_ends(ends);
	free(call.memory);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("stream_write");
	TCase *tc = kernel_case(suite, "the queue and its marks");

	(void)backend;
	EVERY_DESCRIPTOR(tc, a_small_write_goes_to_the_kernel_at_once);
	EVERY_DESCRIPTOR(tc, what_the_kernel_does_not_take_is_queued_without_waiting);
	EVERY_KIND(tc, the_queue_leaves_by_itself);
	EVERY_DESCRIPTOR(tc, above_the_high_mark_a_write_waits_until_the_low_mark);
	EVERY_DESCRIPTOR(tc, marks_take_effect_at_once_for_those_who_wait);
	EVERY_KIND(tc, a_low_mark_above_the_high_one_is_einval);
	EVERY_KIND(tc, without_a_queue_nothing_is_ever_queued);
	EVERY_KIND(tc, a_large_write_waits_and_its_bytes_are_intact);

	tc = kernel_case(suite, "short counts");
	EVERY_KIND(tc, a_deadline_after_some_bytes_gives_their_count_and_then_the_error);
	EVERY_KIND(tc, nowait_takes_what_kernel_and_queue_do);
	EVERY_DESCRIPTOR(tc, no_call_offers_more_than_a_gibibyte);
	EVERY_SOCKET(tc, a_socket_that_is_torn_down_is_reset);
	EVERY_DESCRIPTOR(tc, a_deadline_in_the_past_still_gets_one_try);
	EVERY_DESCRIPTOR(tc, a_flush_in_the_past_still_gets_one_try);
	EVERY_KIND(tc, a_cancel_after_some_bytes_gives_their_count);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
