/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stream_write.c - writes, the queue and its marks, coalescing.
 *
 * Linked with -Wl,--wrap=send,--wrap=sendmsg: system calls are counted, and
 * the kernel may be told to be full, or to take so much at a time.
 */
#include "config.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/streams.h"

static struct weft_stream *ends[2];     /* [0] writes, [1] is the peer */

static int sends;               /* system calls */
static bool full;               /* the kernel takes nothing */
static int takes = -1;          /* after so many calls; -1: never */
/* It takes at most so much; 0: what it likes. Less than was offered means that
 * it is full, and it does not say when it is not any more: the test must try. */
static size_t most;

ssize_t __real_send(int, const void *, size_t, int);
ssize_t __wrap_send(int, const void *, size_t, int);
ssize_t __real_sendmsg(int, const struct msghdr *, int);
ssize_t __wrap_sendmsg(int, const struct msghdr *, int);

static bool
is_full(void)
{
	return full || (takes >= 0 && takes-- == 0);
}

ssize_t
__wrap_send(int fd, const void *bytes, size_t n, int flags)
{
	sends++;
	if (is_full()) {
		errno = EAGAIN;
		return -1;
	}
	return __real_send(fd, bytes, most > 0 && n > most ? most : n, flags);
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	sends++;
	if (is_full()) {
		errno = EAGAIN;
		return -1;
	}
	return most > 0 ? __real_send(fd, message->msg_iov[0].iov_base,
	    message->msg_iov[0].iov_len < most ? message->msg_iov[0].iov_len : most,
	    flags) : __real_sendmsg(fd, message, flags);
}

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

/* The peer takes all there is, through its descriptor. */
static size_t
peer_takes(size_t n)
{
	char *got = malloc(n);
	size_t taken = 0;
	ssize_t some;

	while (taken < n &&
	    (some = recv(weft_stream_fd(ends[1]), got, n - taken, MSG_DONTWAIT)) > 0)
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
	ck_assert_fails(weft_stream_write(ends[0], bytes, 1, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_stream_write(ends[0], bytes, 1, weft_after(3)), ETIMEDOUT);
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
	ck_assert_fails(weft_stream_write(ends[0], bytes + taken, n - (size_t)taken,
	    weft_after(5)), ETIMEDOUT);
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
	ck_assert_fails(weft_stream_write(ends[0], bytes, 1000, weft_after(-5)), ETIMEDOUT);
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
	int i;

	open_kind(_i, ends);
	ck_assert_ok(weft_stream_set_coalescing(ends[0], true));
	sends = 0;
	for (i = 0; i < 100; i++)
		write_all(ends[0], "0123456789", 10);
	ck_assert_int_eq(sends, 0);
	ck_assert_uint_eq(weft_stream_queued(ends[0]), 1000);
	turns(2);
	ck_assert_int_eq(sends, 1);
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

static void
be_yourself(void)
{
	full = false;
	takes = -1;
	most = 0;
}

static TCase *
kernel_case(Suite *suite, const char *name)
{
	TCase *tc = test_case(suite, name);

	tcase_add_checked_fixture(tc, be_yourself, be_yourself);
	return tc;
}

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("stream_write");
	TCase *tc = kernel_case(suite, "the queue and its marks");

	(void)backend;
	EVERY_KIND(tc, a_small_write_goes_to_the_kernel_at_once);
	EVERY_KIND(tc, what_the_kernel_does_not_take_is_queued_without_waiting);
	EVERY_KIND(tc, the_queue_leaves_by_itself);
	EVERY_KIND(tc, above_the_high_mark_a_write_waits_until_the_low_mark);
	EVERY_KIND(tc, marks_take_effect_at_once_for_those_who_wait);
	EVERY_KIND(tc, a_low_mark_above_the_high_one_is_einval);
	EVERY_KIND(tc, without_a_queue_nothing_is_ever_queued);
	EVERY_KIND(tc, a_large_write_waits_and_its_bytes_are_intact);

	tc = kernel_case(suite, "short counts");
	EVERY_KIND(tc, a_deadline_after_some_bytes_gives_their_count_and_then_the_error);
	EVERY_KIND(tc, nowait_takes_what_kernel_and_queue_do);
	EVERY_KIND(tc, a_deadline_in_the_past_still_gets_one_try);
	EVERY_KIND(tc, a_flush_in_the_past_still_gets_one_try);
	EVERY_KIND(tc, a_cancel_after_some_bytes_gives_their_count);

	tc = kernel_case(suite, "flush and drain");
	EVERY_KIND(tc, flush_and_drain_release_all_who_wait);
	EVERY_KIND(tc, flush_of_nothing_is_done);
	EVERY_KIND(tc, flush_and_drain_keep_deadlines);

	tc = kernel_case(suite, "errors");
	EVERY_KIND(tc, a_peer_that_is_gone_is_epipe_without_a_signal_and_it_sticks);
	tcase_add_test(tc, an_error_reaches_all_who_wait);
	EVERY_KIND(tc, after_our_shutdown_a_write_is_epipe);

	tc = kernel_case(suite, "coalescing");
	EVERY_KIND(tc, coalesced_writes_leave_in_one_call_at_the_end_of_the_turn);
	EVERY_KIND(tc, coalesced_writes_leave_at_16_kib);
	EVERY_KIND(tc, flush_close_and_turning_it_off_send_what_was_coalesced);
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
