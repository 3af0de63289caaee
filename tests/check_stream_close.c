/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stream_close.c - how streams end, and what they say of
 * themselves before and after.
 */
#include "config.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/full_kernel.h"
#include "tests/streams.h"

static struct weft_stream *ends[2];

/* --- shutdown */

START_TEST(each_side_ends_by_itself_and_twice_is_once)
{
	char got[10];
	int i;

	open_kind(_i, ends);
	ck_assert(weft_stream_can_shutdown(ends[0]));
	write_all(ends[0], "question", 8);
	for (i = 0; i < 2; i++)
		ck_assert_gives(weft_stream_shutdown(ends[0], soon_enough()), 0);
	expect_text(ends[1], "question");
	ck_assert_int_eq(weft_stream_read(ends[1], got, 10, soon_enough()), 0);
	write_all(ends[1], "answer", 6);
	for (i = 0; i < 2; i++)
		ck_assert_ok(weft_stream_shutdown(ends[1], soon_enough()));
	expect_text(ends[0], "answer");
	ck_assert_int_eq(weft_stream_read(ends[0], got, 10, soon_enough()), 0);
	ck_assert_ok(weft_stream_close(ends[0], soon_enough()));
	ck_assert_fails(weft_stream_shutdown(ends[0], soon_enough()), EBADF);
	free_ends(ends);
}
END_TEST

START_TEST(shutdown_flushes_first)
{
	size_t n = 60 * KIB, filled;
	char *bytes = patterned(n, 1), *skipped;
	struct call call = { 0 };

	open_kind(_i, ends);
	filled = fill_kernel(ends[0]);
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 0, n));
	full = true;                    /* if it makes room by itself, too */
	write_all(ends[0], bytes, n);
	ck_assert_fails(weft_stream_shutdown(ends[0], WEFT_NOWAIT), EAGAIN);
	ck_assert(weft_stream_writable(ends[0]));
	full = false;
	call_begin(&call, call_shutdown, ends[0]);
	skipped = malloc(filled);
	ck_assert_int_eq(weft_stream_read_exactly(ends[1], skipped, filled, soon_enough()),
	    (ssize_t)filled);
	expect_bytes(ends[1], bytes, n);
	ck_assert_int_eq(weft_stream_read(ends[1], skipped, 1, soon_enough()), 0);
	call_end(&call);
	ck_assert_int_eq(call.result, 0);
	free_ends(ends);
	free(bytes);
	free(skipped);
}
END_TEST

/* --- close */

START_TEST(close_flushes_and_again_is_0)
{
	size_t n = 60 * KIB, filled;
	char *bytes = patterned(n, 2), *skipped;
	struct call call = { 0 };

	open_kind(_i, ends);
	filled = fill_kernel(ends[0]);
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 0, n));
	write_all(ends[0], bytes, n);
	call_begin(&call, call_close, ends[0]);
	ck_assert(!call.done);
	ck_assert(weft_stream_closed(ends[0]));
	ck_assert_fails(weft_stream_write(ends[0], "x", 1, soon_enough()), EBADF);
	skipped = malloc(filled);
	ck_assert_int_eq(weft_stream_read_exactly(ends[1], skipped, filled, soon_enough()),
	    (ssize_t)filled);
	expect_bytes(ends[1], bytes, n);
	call_end(&call);
	ck_assert_int_eq(call.result, 0);
	ck_assert_gives(weft_stream_close(ends[0], soon_enough()), 0);
	free_ends(ends);
	free(bytes);
	free(skipped);
}
END_TEST

START_TEST(close_that_drops_bytes_is_etimedout_and_closed)
{
	open_kind(_i % descriptor_kind_count, ends);
	full = true;
	write_all(ends[0], "dropped", 7);
	ck_assert_fails(weft_stream_close(ends[0], _i < descriptor_kind_count ? WEFT_NOWAIT :
	    weft_after(5)), ETIMEDOUT);
	ck_assert(weft_stream_closed(ends[0]));
	ck_assert_fails(weft_stream_fd(ends[0]), EBADF);
	ck_assert_uint_eq(weft_stream_queued(ends[0]), 0);
	ck_assert_ok(weft_stream_close(ends[0], soon_enough()));
	free_ends(ends);
}
END_TEST

START_TEST(everything_after_close_is_ebadf)
{
	char got[2];
	const char *line;
	const void *data;

	open_kind(_i, ends);
	write_all(ends[1], "unread\n", 7);
	expect_text(ends[0], "u");
	ck_assert_gives(weft_stream_close(ends[0], soon_enough()), 0);
	ck_assert_fails(weft_stream_read(ends[0], got, 1, soon_enough()), EBADF);
	ck_assert_fails(weft_stream_read_exactly(ends[0], got, 1, WEFT_NOWAIT), EBADF);
	ck_assert_fails(weft_stream_read_line(ends[0], &line, soon_enough()), EBADF);
	ck_assert_fails(weft_stream_read_until(ends[0], "x", 1, &data, soon_enough()), EBADF);
	ck_assert_fails(weft_stream_skip_line(ends[0], soon_enough()), EBADF);
	ck_assert_fails(weft_stream_write(ends[0], "x", 1, soon_enough()), EBADF);
	ck_assert_fails(weft_stream_flush(ends[0], soon_enough()), EBADF);
	ck_assert_fails(weft_stream_drain(ends[0], soon_enough()), EBADF);
	ck_assert_fails(weft_stream_fd(ends[0]),
	    _i < descriptor_kind_count ? EBADF : ENOTSUP);
	ck_assert(!weft_stream_readable(ends[0]) && !weft_stream_writable(ends[0]));
	ck_assert(!weft_stream_at_eof(ends[0]));
	ck_assert_uint_eq(weft_stream_buffered(ends[0]), 0);
	free_ends(ends);
}
END_TEST

START_TEST(abort_resets)
{
	char got[10];

	open_tcp(ends);
	write_all(ends[0], "x", 1);
	expect_text(ends[1], "x");
	weft_stream_abort(ends[0]);
	weft_stream_abort(ends[0]);
	ck_assert(weft_stream_closed(ends[0]));
	ck_assert_fails(weft_stream_read(ends[1], got, 10, soon_enough()), ECONNRESET);
	ck_assert_gives(weft_stream_close(ends[0], soon_enough()), 0);
	free_ends(ends);
}
END_TEST

/* --- while others are inside */

enum { INSIDE = 7 };
static char large[8 << 20], small[INSIDE][8];

/* Two readers, two writers of which one is in the middle, two who flush, and
 * one who drains. */
static void
crowd(struct call calls[INSIDE], struct weft_stream *s)
{
	int i;

	fill_kernel(s);
	ck_assert_ok(weft_stream_set_watermarks(s, 2, 16));
	full = true;                    /* and so it stays */
	write_all(s, "0123456789", 10);
	for (i = 0; i < INSIDE; i++) {
		calls[i] = (struct call){ .memory = small[i], .n = 8 };
		if (i == 2)
			calls[i] = (struct call){ .memory = large, .n = sizeof large };
		call_begin(&calls[i], i < 2 ? call_read : i < 4 ? call_write :
		    i < 6 ? call_flush : call_drain, s);
	}
	for (i = 0; i < INSIDE; i++)
		ck_assert_msg(!calls[i].done, "%d", i);
}

static void
all_ebadf(struct call calls[INSIDE])
{
	int i;

	for (i = 0; i < INSIDE; i++) {
		call_end(&calls[i]);
		ck_assert_msg(calls[i].result == -1 && calls[i].error == EBADF,
		    "%d: %zd, errno %d", i, calls[i].result, calls[i].error);
	}
}

START_TEST(close_turns_everybody_out_at_once)
{
	struct call calls[INSIDE], closer = { 0 };
	int i;

	open_kind(_i, ends);
	crowd(calls, ends[0]);
	closer.deadline = weft_after(200);
	call_begin(&closer, call_close, ends[0]);
	ck_assert_ok(weft_yield());
	for (i = 0; i < INSIDE; i++)
		ck_assert_msg(calls[i].done, "%d", i);
	ck_assert(!closer.done || weft_now() >= closer.deadline);       /* it flushes */
	all_ebadf(calls);
	call_end(&closer);
	ck_assert_int_eq(closer.error, ETIMEDOUT);
	free_ends(ends);
}
END_TEST

START_TEST(a_stream_may_be_aborted_while_fibers_are_inside)
{
	struct call calls[INSIDE];

	open_kind(_i, ends);
	crowd(calls, ends[0]);
	weft_stream_abort(ends[0]);
	all_ebadf(calls);
	free_ends(ends);
}
END_TEST

START_TEST(a_stream_may_be_freed_while_fibers_are_inside)
{
	struct call calls[INSIDE], closer = { 0 };

	open_kind(_i, ends);
	crowd(calls, ends[0]);
	call_begin(&closer, call_close, ends[0]);
	weft_stream_free(ends[0]);
	all_ebadf(calls);
	call_end(&closer);
	ck_assert_int_eq(closer.result, -1);
	weft_stream_free(ends[1]);
}
END_TEST

/* Whoever has been given his turn, and has not run yet, finds it closed: he
 * must not touch the descriptor, which may be somebody else's by now. */
START_TEST(a_turn_that_comes_too_late_touches_nothing)
{
	struct call writer = { .memory = large, .n = sizeof large }, next = { 0 };
	int fd, pair[2];

	open_kind(_i, ends);
	call_begin(&writer, call_write, ends[0]);
	next.memory = small[0];
	next.n = 1;
	call_begin(&next, _i % 2 ? call_write : call_shutdown, ends[0]);
	fd = weft_stream_fd(ends[0]);
	ck_assert_ok(weft_cancel(writer.fiber));        /* he gives his turn on */
	while (!writer.done)
		ck_assert_ok(weft_yield());
	weft_stream_abort(ends[0]);
	ck_assert_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ck_assert(pair[0] == fd || pair[1] == fd);
	call_end(&next);
	ck_assert_int_eq(send(pair[0], "x", 1, MSG_NOSIGNAL), 1);
	ck_assert_int_eq(recv(pair[1], small[1], 8, MSG_DONTWAIT), 1);
	ck_assert_int_eq(send(pair[1], "x", 1, MSG_NOSIGNAL), 1);
	close(pair[0]);
	close(pair[1]);
	call_end(&writer);
	free_ends(ends);
}
END_TEST

static int
write_and_abort(void *arg)
{
	struct weft_stream *s = arg;

	weft_stream_write(s, large, sizeof large, soon_enough());
	weft_stream_abort(s);           /* the next one has been woken */
	return 0;
}

START_TEST(a_turn_that_comes_after_an_abort_queues_nothing)
{
	struct call next = { .memory = small[0], .n = 5 };
	struct weft_fiber *first;

	open_kind(_i, ends);
	first = begin(write_and_abort, ends[0]);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_stream_set_coalescing(ends[0], true));
	call_begin(&next, call_write, ends[0]);
	ck_assert(!next.done);
	ck_assert_ok(weft_cancel(first));
	end(first);
	call_end(&next);
	ck_assert_int_eq(next.result, -1);
	ck_assert_int_eq(next.error, EBADF);
	ck_assert_uint_eq(weft_stream_queued(ends[0]), 0);
	free_ends(ends);
	turns(2);
}
END_TEST

/* --- descriptors that others close */

START_TEST(a_descriptor_closed_behind_its_back_is_ebadf_and_nobody_elses)
{
	struct call reader = { .memory = small[0], .n = 1 };
	int fd, pair[2];

	open_kind(_i, ends);
	call_begin(&reader, call_read, ends[0]);
	fd = weft_stream_fd(ends[0]);
	ck_assert_ok(weft_fd_close(fd));
	ck_assert_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ck_assert(pair[0] == fd || pair[1] == fd);
	call_end(&reader);
	ck_assert_int_eq(reader.error, EBADF);
	ck_assert_fails(weft_stream_fd(ends[0]), EBADF);
	ck_assert_fails(weft_stream_write(ends[0], "x", 1, soon_enough()), EBADF);
	ck_assert_fails(weft_stream_shutdown(ends[0], soon_enough()), EBADF);
	weft_stream_sockname(ends[0]);
	weft_stream_peername(ends[0]);
	weft_stream_free(ends[0]);
	ck_assert_int_eq(send(pair[0], "x", 1, MSG_NOSIGNAL), 1);
	ck_assert_int_eq(recv(pair[1], small[1], 8, MSG_DONTWAIT), 1);
	close(pair[0]);
	close(pair[1]);
	weft_stream_free(ends[1]);
}
END_TEST

START_TEST(a_descriptor_that_was_forgotten_and_replaced_is_left_alone)
{
	int fd, other = open("/dev/null", O_RDWR | O_CLOEXEC);

	open_kind(_i, ends);
	fd = weft_stream_fd(ends[0]);
	ck_assert_ok(weft_fd_forget(fd));
	ck_assert_int_eq(dup2(other, fd), fd);
	ck_assert_fails(weft_stream_write(ends[0], "x", 1, soon_enough()), EBADF);
	ck_assert_fails(weft_stream_read(ends[0], small[0], 1, soon_enough()), EBADF);
	weft_stream_free(ends[0]);
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	close(fd);
	close(other);
	weft_stream_free(ends[1]);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("stream_close");
	TCase *tc = kernel_case(suite, "shutdown and close");

	(void)backend;
	EVERY_KIND(tc, each_side_ends_by_itself_and_twice_is_once);
	EVERY_KIND(tc, shutdown_flushes_first);
	EVERY_KIND(tc, close_flushes_and_again_is_0);
	tcase_add_loop_test(tc, close_that_drops_bytes_is_etimedout_and_closed, 0,
	    2 * descriptor_kind_count);
	EVERY_KIND(tc, everything_after_close_is_ebadf);
	tcase_add_test(tc, abort_resets);

	tc = kernel_case(suite, "while others are inside");
	EVERY_KIND(tc, close_turns_everybody_out_at_once);
	EVERY_KIND(tc, a_stream_may_be_aborted_while_fibers_are_inside);
	EVERY_KIND(tc, a_stream_may_be_freed_while_fibers_are_inside);
	EVERY_DESCRIPTOR(tc, a_turn_that_comes_too_late_touches_nothing);
	EVERY_KIND(tc, a_turn_that_comes_after_an_abort_queues_nothing);

	tc = kernel_case(suite, "descriptors that others close");
	EVERY_SOCKET(tc, a_descriptor_closed_behind_its_back_is_ebadf_and_nobody_elses);
	EVERY_DESCRIPTOR(tc, a_descriptor_that_was_forgotten_and_replaced_is_left_alone);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
