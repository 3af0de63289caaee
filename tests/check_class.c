/* SPDX-License-Identifier: MIT */
/*
 * tests/check_class.c - what the functions of a program's stream class may do, and
 * on whose stack: a try is never interrupted, and is nobody's turn or cancel.
 */
#include "config.h"

#include "tests/streams.h"
#include "weft/class.h"
#include "weft/memory.h"

enum { OPERATIONS = 64 };       /* before a fiber yields, and some more: */

/* --- on top of another stream */

static struct weft_stream *ends[2], *upper;
static int inside, most_inside;

static ssize_t
upper_read(struct weft_stream *s, void *dst, size_t n)
{
	return weft_stream_read(weft_stream_object(s), dst, n, WEFT_NOWAIT);
}

static ssize_t
upper_writev(struct weft_stream *s, const struct iovec *iov, int count)
{
	ssize_t sent;

	if (++inside > most_inside)
		most_inside = inside;
	sent = weft_stream_writev(weft_stream_object(s), iov, count, WEFT_NOWAIT);
	inside--;
	return sent;
}

static int
upper_want(struct weft_stream *s, int events)
{
	return weft_stream_want(weft_stream_object(s), events, s);
}

static const struct weft_stream_class upper_class = {
	.size = sizeof upper_class, .name = "upper", .read = upper_read,
	.writev = upper_writev, .want = upper_want
};

static void
open_upper(bool coalescing)
{
	ck_assert_ok(weft_memory_pair(ends));
	upper = weft_stream_new(&upper_class, ends[0]);
	ck_assert_ptr_nonnull(upper);
	ck_assert_ok(weft_stream_set_coalescing(upper, coalescing));
	inside = most_inside = 0;
}

static void
free_upper(void)
{
	weft_stream_free(upper);
	weft_stream_free(ends[0]);
	weft_stream_free(ends[1]);
}

/* The fiber's turn is worth so many operations; then it parks, and the turn of the
 * loop that follows sends what is queued, on its stack. */
START_TEST(what_a_turn_sends_is_not_of_the_fiber_that_parks)
{
	char bytes[8] = { 0 };
	int64_t until;

	open_upper(true);
	ck_assert_ok(weft_sleep(weft_after(1)));
	ck_assert_gives(weft_stream_write(upper, "abc", 3, WEFT_NEVER), 3);
	for (int i = 0; i < _i; i++)
		weft_stream_read(ends[1], bytes, 1, WEFT_NOWAIT);
	until = weft_after(20);
	ck_assert_ok(weft_sleep(until));
	ck_assert_int_ge(weft_now(), until);
	ck_assert_uint_eq(loop_stats().parked, 0);
	ck_assert_uint_eq(loop_stats().timers, 0);
	ck_assert_gives(weft_stream_read_exactly(ends[1], bytes, 3, soon_enough()), 3);
	ck_assert_mem_eq(bytes, "abc", 3);
	free_upper();
}
END_TEST

static int
write_and_be_cancelled(void *unused)
{
	(void)unused;
	ck_assert_gives(weft_stream_write(upper, "abc", 3, WEFT_NEVER), 3);
	return weft_cancel(weft_self());
}

START_TEST(what_a_turn_sends_is_not_cancelled_with_the_fiber_that_ends)
{
	char bytes[3];

	open_upper(true);
	ck_assert_ok(weft_go(write_and_be_cancelled, NULL));
	ck_assert_gives(weft_stream_read_exactly(ends[1], bytes, 3, soon_enough()), 3);
	ck_assert_int_eq(weft_stream_error(upper), 0);
	free_upper();
}
END_TEST

/* One operation more first: then it is in a flush that its turn ends. */
static int
write_and_flush(void *unused)
{
	(void)unused;
	weft_stream_write(upper, "0123456789", 10, WEFT_NEVER);
	for (int i = 0; i < OPERATIONS; i++) {
		weft_stream_write(upper, "0123456789", 10, WEFT_NEVER);
		weft_stream_flush(upper, WEFT_NEVER);
	}
	return 0;
}

START_TEST(a_try_is_not_interrupted_by_another)
{
	struct weft_fiber *fibers[2];
	char bytes[10];

	open_upper(true);
	for (int i = 0; i < 2; i++)
		fibers[i] = weft_spawn(write_and_flush, NULL);
	for (int i = 0; i < 2; i++)
		ck_assert_ok(weft_join(fibers[i], NULL, soon_enough()));
	ck_assert_int_eq(most_inside, 1);
	for (int i = 0; i < 2 * (OPERATIONS + 1); i++) {
		ck_assert_gives(weft_stream_read_exactly(ends[1], bytes, 10,
		    soon_enough()), 10);
		ck_assert_mem_eq(bytes, "0123456789", 10);
	}
	ck_assert_fails(weft_stream_read(ends[1], bytes, 1, WEFT_NOWAIT), EAGAIN);
	free_upper();
}
END_TEST

/* --- odd ones */

static enum { TAKES, IS_FULL, ABORTS, ABORTS_AND_TAKES } mood;
static int tries;

static ssize_t
odd_writev(struct weft_stream *s, const struct iovec *iov, int count)
{
	tries++;
	errno = EINTR;
	if (mood == ABORTS || mood == ABORTS_AND_TAKES)
		weft_stream_abort(s);
	if (mood == IS_FULL || mood == ABORTS) {
		errno = EAGAIN;
		return -1;
	}
	return count > 0 ? (ssize_t)(iov->iov_len + 1) / 2 : 0;
}

static int
odd_want(struct weft_stream *s, int events)
{
	(void)s, (void)events;
	return 0;
}

static const struct weft_stream_class odd_class = {
	.size = sizeof odd_class, .name = "odd", .writev = odd_writev, .want = odd_want
};

START_TEST(success_leaves_errno_whatever_the_class_does_to_it)
{
	struct weft_stream *s = weft_stream_new(&odd_class, NULL);

	mood = TAKES;
	errno = 0;
	ck_assert_int_eq(weft_stream_write(s, "x", 1, WEFT_NEVER), 1);
	ck_assert_int_eq(errno, 0);
	ck_assert_int_eq(weft_stream_write(s, "abcdefgh", 8, WEFT_NEVER), 8);
	ck_assert_int_eq(errno, 0);
	weft_stream_free(s);
}
END_TEST

START_TEST(a_class_that_aborts_in_a_try_loses_the_queue_and_no_more)
{
	struct weft_stream *s = weft_stream_new(&odd_class, NULL);

	mood = IS_FULL;
	ck_assert_gives(weft_stream_write(s, "abcdefgh", 8, WEFT_NEVER), 8);
	ck_assert_uint_eq(weft_stream_queued(s), 8);
	mood = _i ? ABORTS : ABORTS_AND_TAKES;
	tries = 0;
	weft_stream_notify(s, WEFT_WRITABLE);
	ck_assert_int_eq(tries, 1);
	ck_assert_uint_eq(weft_stream_queued(s), 0);
	ck_assert_fails(weft_stream_write(s, "x", 1, WEFT_NEVER), EBADF);
	weft_stream_free(s);
	ck_assert_ok(weft_sleep(weft_after(1)));
}
END_TEST

static ssize_t gives;

static ssize_t
aborting_read(struct weft_stream *s, void *dst, size_t n)
{
	memset(dst, 'x', n);
	weft_stream_abort(s);
	errno = EAGAIN;
	return gives;
}

static const struct weft_stream_class aborting_class = {
	.size = sizeof aborting_class, .name = "aborting", .read = aborting_read,
	.want = odd_want
};

/* Whether it says that it has got something, the end, or nothing yet. */
START_TEST(a_read_whose_class_aborts_is_one_of_a_closed_stream)
{
	static char bytes[4 * KIB];
	struct weft_stream *s = weft_stream_new(&aborting_class, NULL);
	const char *line;
	const void *data;

	gives = _i / 5 - 1;
	switch (_i % 5) {
	case 0:
		ck_assert_fails(weft_stream_read(s, bytes, 3, soon_enough()), EBADF);
		break;
	case 1:
		ck_assert_fails(weft_stream_read(s, bytes, sizeof bytes, soon_enough()), EBADF);
		break;
	case 2:
		ck_assert_fails(weft_stream_read_line(s, &line, soon_enough()), EBADF);
		break;
	case 3:
		ck_assert_fails(weft_stream_peek(s, 1, &data, soon_enough()), EBADF);
		break;
	default:
		ck_assert_fails(weft_stream_read_exactly(s, bytes, 3, soon_enough()), EBADF);
	}
	ck_assert_uint_eq(weft_stream_buffered(s), 0);
	weft_stream_free(s);
}
END_TEST

/* As much of its errno as there is: it is closed, not broken. */
START_TEST(a_write_whose_class_aborts_is_one_of_a_closed_stream)
{
	struct weft_stream *s = weft_stream_new(&odd_class, NULL);

	mood = ABORTS;
	ck_assert_fails(weft_stream_write(s, "abc", 3, soon_enough()), EBADF);
	weft_stream_free(s);
	s = weft_stream_new(&odd_class, NULL);
	mood = ABORTS_AND_TAKES;
	tries = 0;
	ck_assert_gives(weft_stream_write(s, "abcdef", 6, soon_enough()), 3);
	ck_assert_int_eq(tries, 1);
	ck_assert_fails(weft_stream_write(s, "abc", 3, soon_enough()), EBADF);
	weft_stream_free(s);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("class");
	TCase *tc = test_case(suite, backend);

	tcase_add_loop_test(tc, what_a_turn_sends_is_not_of_the_fiber_that_parks,
	    OPERATIONS - 4, OPERATIONS + 4);
	tcase_add_test(tc, what_a_turn_sends_is_not_cancelled_with_the_fiber_that_ends);
	tcase_add_test(tc, a_try_is_not_interrupted_by_another);
	tcase_add_test(tc, success_leaves_errno_whatever_the_class_does_to_it);
	tcase_add_loop_test(tc, a_class_that_aborts_in_a_try_loses_the_queue_and_no_more, 0, 2);
	tcase_add_loop_test(tc, a_read_whose_class_aborts_is_one_of_a_closed_stream, 0, 15);
	tcase_add_test(tc, a_write_whose_class_aborts_is_one_of_a_closed_stream);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
