/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stream_flush.c - flush and drain, errors, coalescing, vectors.
 */
#include "config.h"

#include <signal.h>

#include "tests/full_kernel.h"
#include "tests/streams.h"

static struct weft_stream *ends[2];     /* [0] writes, [1] is the peer */

static int
drain_peer(void *arg)
{
	struct weft_stream *peer = arg;
	char *got = malloc(64 * KIB);
	ssize_t n;

	while ((n = weft_stream_read(peer, got, 64 * KIB, soon_enough())) > 0)
		;
	free(got);
	return (int)n;
}

/* --- flush and drain */

START_TEST(flush_and_drain_release_all_who_wait)
{
	char *bytes = patterned(64 * KIB, 11);
	struct call calls[8] = { { 0 } };
	struct weft_fiber *reader;
	int i;

	open_kind(_i, ends);
	fill_kernel(ends[0]);
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 16 * KIB, 64 * KIB));
	write_all(ends[0], bytes, 64 * KIB);
	for (i = 0; i < 8; i++)
		call_begin(&calls[i], i % 2 ? call_flush : call_drain, ends[0]);
	turns(2);
	for (i = 0; i < 8; i++)
		ck_assert(!calls[i].done);
	reader = begin(drain_peer, ends[1]);
	for (i = 0; i < 8; i++) {
		call_end(&calls[i]);
		ck_assert_int_eq(calls[i].result, 0);
	}
	ck_assert_uint_eq(weft_stream_queued(ends[0]), 0);
	ck_assert_ok(weft_stream_shutdown(ends[0], soon_enough()));
	ck_assert_int_eq(end(reader), 0);
	free_ends(ends);
	free(bytes);
}
END_TEST

START_TEST(flush_of_nothing_is_done)
{
	open_kind(_i, ends);
	ck_assert_gives(weft_stream_flush(ends[0], WEFT_NOWAIT), 0);
	ck_assert_gives(weft_stream_drain(ends[0], WEFT_NOWAIT), 0);
	free_ends(ends);
}
END_TEST

START_TEST(flush_and_drain_keep_deadlines)
{
	open_kind(_i, ends);
	full = true;
	write_all(ends[0], "abc", 3);
	ck_assert_fails(weft_stream_flush(ends[0], weft_after(3)), ETIMEDOUT);
	ck_assert_fails(weft_stream_flush(ends[0], WEFT_NOWAIT), EAGAIN);
	ck_assert_gives(weft_stream_drain(ends[0], WEFT_NOWAIT), 0);
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 2, 100));
	ck_assert_fails(weft_stream_drain(ends[0], WEFT_NOWAIT), EAGAIN);
	full = false;
	free_ends(ends);
}
END_TEST

/* --- errors */

START_TEST(a_peer_that_is_gone_is_epipe_without_a_signal_and_it_sticks)
{
	struct sigaction action;
	char x[1000] = { 0 };
	int i, error = 0;

	ck_assert_ok(sigaction(SIGPIPE, NULL, &action));
	ck_assert(action.sa_handler == SIG_DFL);
	open_kind(_i, ends);
	ck_assert_ok(weft_stream_close(ends[1], soon_enough()));
	for (i = 0; i < 1000 && error == 0; i++) {
		if (weft_stream_write(ends[0], x, sizeof x, soon_enough()) < 0)
			error = errno;
		turns(1);
	}
	ck_assert(error == EPIPE || error == ECONNRESET);
	for (i = 0; i < 3; i++) {
		ck_assert_fails(weft_stream_write(ends[0], x, 1, soon_enough()), error);
		ck_assert_fails(weft_stream_flush(ends[0], soon_enough()), error);
		ck_assert_fails(weft_stream_drain(ends[0], soon_enough()), error);
	}
	ck_assert(!weft_stream_writable(ends[0]));
	ck_assert_int_eq(weft_stream_error(ends[0]), error);
	ck_assert_ptr_ne(strstr(weft_stream_error_text(ends[0]), "write"), NULL);
	free_ends(ends);
}
END_TEST

START_TEST(an_error_reaches_all_who_wait)
{
	size_t n = 8 << 20;
	char *bytes = patterned(n, 12);
	struct call calls[3] = { { .memory = bytes, .n = n }, { .memory = bytes, .n = 1 },
		{ 0 } };
	int i;

	open_tcp(ends);
	fill_kernel(ends[0]);
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 16 * KIB, 64 * KIB));
	write_all(ends[0], bytes, 64 * KIB);
	call_begin(&calls[0], call_write, ends[0]);
	call_begin(&calls[1], call_write, ends[0]);
	call_begin(&calls[2], call_flush, ends[0]);
	reset_connection(ends[1]);
	for (i = 0; i < 3; i++) {
		call_end(&calls[i]);
		ck_assert_int_eq(calls[i].result, -1);
		ck_assert_int_eq(calls[i].error, ECONNRESET);
	}
	ck_assert_uint_eq(weft_stream_queued(ends[0]), 0);
	ck_assert_fails(weft_stream_close(ends[0], soon_enough()), ECONNRESET);
	free_ends(ends);
	free(bytes);
}
END_TEST

START_TEST(after_our_shutdown_a_write_is_epipe)
{
	open_kind(_i, ends);
	write_all(ends[0], "last", 4);
	ck_assert_ok(weft_stream_shutdown(ends[0], soon_enough()));
	ck_assert(!weft_stream_writable(ends[0]));
	ck_assert_fails(weft_stream_write(ends[0], "x", 1, soon_enough()), EPIPE);
	ck_assert_int_eq(weft_stream_error(ends[0]), 0);
	expect_text(ends[1], "last");
	write_all(ends[1], "still", 5);
	expect_text(ends[0], "still");
	free_ends(ends);
}
END_TEST

/* --- coalescing */

START_TEST(coalesced_writes_leave_in_one_call_at_the_end_of_the_turn)
{
	uint64_t began;
	int i, ended;

	open_kind(_i, ends);
	ck_assert_ok(weft_stream_set_coalescing(ends[0], true));
	sends = 0;
	began = loop_stats().turns;
	for (i = 0; i < 100; i++)
		weft_stream_write(ends[0], "0123456789", 10, soon_enough());
	ended = (int)(loop_stats().turns - began);      /* 0, on a fast machine */
	ck_assert_int_le(sends, ended);
	turns(2);
	ck_assert_int_le(sends, ended + 1);
	ck_assert_int_ge(sends, 1);
	ck_assert_uint_eq(weft_stream_queued(ends[0]), 0);
	for (i = 0; i < 100; i++)
		expect_text(ends[1], "0123456789");
	free_ends(ends);
}
END_TEST

START_TEST(coalesced_writes_leave_at_16_kib)
{
	char *bytes = patterned(16 * KIB + 1, 13);

	open_kind(_i, ends);
	ck_assert_ok(weft_stream_set_coalescing(ends[0], true));
	sends = 0;
	write_all(ends[0], bytes, 16 * KIB);
	write_all(ends[0], bytes + 16 * KIB, 1);
	ck_assert_int_eq(sends, 1);
	expect_bytes(ends[1], bytes, 16 * KIB + 1);
	free_ends(ends);
	free(bytes);
}
END_TEST

START_TEST(flush_close_and_turning_it_off_send_what_was_coalesced)
{
	open_kind(_i, ends);
	ck_assert_ok(weft_stream_set_coalescing(ends[0], true));
	write_all(ends[0], "a", 1);
	ck_assert_ok(weft_stream_flush(ends[0], WEFT_NOWAIT));
	write_all(ends[0], "b", 1);
	ck_assert_ok(weft_stream_set_coalescing(ends[0], false));
	ck_assert_uint_eq(weft_stream_queued(ends[0]), 0);
	ck_assert_ok(weft_stream_set_coalescing(ends[0], true));
	write_all(ends[0], "c", 1);
	ck_assert_ok(weft_stream_close(ends[0], soon_enough()));
	expect_text(ends[1], "abc");
	free_ends(ends);
}
END_TEST

START_TEST(what_is_written_after_a_shutdown_in_the_same_turn_is_epipe)
{
	open_kind(_i, ends);
	ck_assert_ok(weft_stream_set_coalescing(ends[0], true));
	write_all(ends[0], "last", 4);
	ck_assert_ok(weft_stream_shutdown(ends[0], soon_enough()));
	ck_assert_fails(weft_stream_write(ends[0], "x", 1, soon_enough()), EPIPE);
	expect_text(ends[1], "last");
	free_ends(ends);
}
END_TEST

START_TEST(coalesced_writes_keep_the_high_mark)
{
	size_t peak = 0;

	open_kind(_i, ends);
	ck_assert_ok(weft_stream_set_coalescing(ends[0], true));
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 5, 15));
	for (int i = 0; i < 50; i++) {
		weft_stream_write(ends[0], "0123456789", 10, soon_enough());
		if (weft_stream_queued(ends[0]) > peak)
			peak = weft_stream_queued(ends[0]);
	}
	ck_assert_uint_le(peak, 15 + 10);       /* the last one may go beyond */
	ck_assert_gives(weft_stream_write(ends[0], NULL, 0, soon_enough()), 0);
	for (int i = 0; i < 50; i++)
		expect_text(ends[1], "0123456789");
	free_ends(ends);
}
END_TEST

START_TEST(a_stream_freed_before_the_turn_ends_sends_nothing)
{
	open_kind(_i, ends);
	ck_assert_ok(weft_stream_set_coalescing(ends[0], true));
	write_all(ends[0], "abc", 3);
	sends = 0;
	weft_stream_free(ends[0]);
	turns(2);
	ck_assert_int_eq(sends, 0);
	weft_stream_free(ends[1]);
}
END_TEST

/* --- vectors and printf */

START_TEST(writev_joins_many_vectors_and_passes_over_empty_ones)
{
	enum { COUNT = 3000 };
	struct iovec *iov = calloc(COUNT, sizeof *iov);
	char *bytes = patterned(COUNT, 14);
	int i;

	open_kind(_i, ends);
	for (i = 0; i < COUNT; i++)
		iov[i] = (struct iovec){ bytes + i, i % 3 != 1 };
	ck_assert_int_eq(weft_stream_writev(ends[0], iov, COUNT, soon_enough()), 2000);
	for (i = 0; i < COUNT; i++)
		if (i % 3 != 1)
			expect_bytes(ends[1], bytes + i, 1);
	free_ends(ends);
	free(iov);
	free(bytes);
}
END_TEST

START_TEST(writev_is_right_however_little_the_kernel_takes)
{
	char *bytes = patterned(500, 15);
	struct iovec iov[] = { { bytes, 0 }, { bytes, 100 }, { bytes, 0 },
		{ bytes + 100, 1 }, { bytes + 101, 399 }, { bytes, 0 } };

	open_kind(0, ends);
	most = (size_t)_i;
	ck_assert_int_eq(weft_stream_writev(ends[0], iov, 6, soon_enough()), 500);
	while (weft_stream_flush(ends[0], WEFT_NOWAIT) < 0)
		ck_assert_int_eq(errno, EAGAIN);
	expect_bytes(ends[1], bytes, 500);
	free_ends(ends);
	free(bytes);
}
END_TEST

START_TEST(writes_of_nothing_give_0)
{
	struct iovec empty[2] = { { NULL, 0 }, { NULL, 0 } };
	struct iovec huge[2] = { { empty, SIZE_MAX / 2 }, { empty, 1 } };

	open_kind(_i, ends);
	sends = 0;
	ck_assert_gives(weft_stream_write(ends[0], "", 0, soon_enough()), 0);
	ck_assert_gives(weft_stream_writev(ends[0], NULL, 0, soon_enough()), 0);
	ck_assert_gives(weft_stream_writev(ends[0], empty, 2, soon_enough()), 0);
	ck_assert_int_eq(sends, 0);
	ck_assert_fails(weft_stream_writev(ends[0], empty, -1, soon_enough()), EINVAL);
	ck_assert_fails(weft_stream_writev(ends[0], huge, 2, soon_enough()), EINVAL);
	free_ends(ends);
}
END_TEST

START_TEST(printf_writes_short_and_long_texts)
{
	static const int widths[] = { 1, 254, 255, 256, 257, 5000, 100000 };
	char *spaces = malloc(100001);
	int i;

	memset(spaces, ' ', 100000);
	open_kind(_i, ends);
	for (i = 0; i < 7; i++) {
		ck_assert_int_eq(weft_stream_printf(ends[0], soon_enough(), "%*s\n",
		    widths[i], "x"), widths[i] + 1);
		if (widths[i] > 1)
			expect_bytes(ends[1], spaces, (size_t)widths[i] - 1);
		expect_text(ends[1], "x\n");
	}
	ck_assert_int_eq(weft_stream_printf(ends[0], soon_enough(), "%s", ""), 0);
	free_ends(ends);
	free(spaces);
}
END_TEST

/* --- the long run */

START_TEST(order_is_kept_under_random_sizes_and_a_slow_reader)
{
	size_t n = 2 << 20, at = 0, size;
	char *bytes = patterned(n, 16), *got = malloc(n);
	struct call reader = { .memory = got, .n = n };
	uint32_t x = 1;

	open_kind(_i / 2, ends);
	ck_assert_ok(weft_stream_set_coalescing(ends[0], _i % 2));
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 1000, 5000));
	call_begin(&reader, call_read_exactly, ends[1]);
	while (at < n) {
		x = x * 1664525u + 1013904223u;
		size = x >> 24 < 200 ? x >> 20 & 255 : x >> 16;
		size = size < n - at ? size : n - at;
		write_all(ends[0], bytes + at, size);
		ck_assert_uint_le(weft_stream_queued(ends[0]), 16 * KIB);
		at += size;
	}
	call_end(&reader);
	ck_assert_mem_eq(got, bytes, n);
	free_ends(ends);
	free(bytes);
	free(got);
}
END_TEST

START_TEST(writers_are_served_in_order_and_whole)
{
	enum { WRITERS = 4, SIZE = 1 << 20 };
	struct call calls[WRITERS] = { { 0 } };
	int i;

	open_kind(_i, ends);
	calls_ended = 0;
	for (i = 0; i < WRITERS; i++) {
		calls[i].memory = patterned(SIZE, 20 + (unsigned)i);
		calls[i].n = SIZE;
		call_begin(&calls[i], call_write, ends[0]);
	}
	for (i = 0; i < WRITERS; i++)
		expect_bytes(ends[1], calls[i].memory, SIZE);
	for (i = 0; i < WRITERS; i++) {
		call_end(&calls[i]);
		ck_assert_int_eq(calls[i].result, SIZE);
		ck_assert_int_eq(calls[i].order, i + 1);
		free(calls[i].memory);
	}
	free_ends(ends);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("stream_flush");
	TCase *tc = kernel_case(suite, "flush and drain");

	(void)backend;
	EVERY_KIND(tc, flush_and_drain_release_all_who_wait);
	EVERY_KIND(tc, flush_of_nothing_is_done);
	EVERY_DESCRIPTOR(tc, flush_and_drain_keep_deadlines);

	tc = kernel_case(suite, "errors");
	EVERY_KIND(tc, a_peer_that_is_gone_is_epipe_without_a_signal_and_it_sticks);
	tcase_add_test(tc, an_error_reaches_all_who_wait);
	EVERY_KIND(tc, after_our_shutdown_a_write_is_epipe);

	tc = kernel_case(suite, "coalescing");
	EVERY_DESCRIPTOR(tc, coalesced_writes_leave_in_one_call_at_the_end_of_the_turn);
	EVERY_DESCRIPTOR(tc, coalesced_writes_leave_at_16_kib);
	EVERY_KIND(tc, flush_close_and_turning_it_off_send_what_was_coalesced);
	EVERY_KIND(tc, what_is_written_after_a_shutdown_in_the_same_turn_is_epipe);
	EVERY_KIND(tc, coalesced_writes_keep_the_high_mark);
	EVERY_KIND(tc, a_stream_freed_before_the_turn_ends_sends_nothing);

	tc = kernel_case(suite, "vectors and printf");
	EVERY_KIND(tc, writev_joins_many_vectors_and_passes_over_empty_ones);
	tcase_add_loop_test(tc, writev_is_right_however_little_the_kernel_takes, 1, 8);
	EVERY_KIND(tc, writes_of_nothing_give_0);
	EVERY_KIND(tc, printf_writes_short_and_long_texts);

	tc = kernel_case(suite, "the long run");
	tcase_add_loop_test(tc, order_is_kept_under_random_sizes_and_a_slow_reader, 0,
	    2 * stream_kind_count);
	EVERY_KIND(tc, writers_are_served_in_order_and_whole);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
