/* SPDX-License-Identifier: MIT */
/*
 * tests/check_deadline.c - time: the clock, sleep, nested deadlines.
 *
 * A test may wait some milliseconds to see that a wait ends, and not before
 * its time; how late it ends is the machine's affair and is not measured.
 *
 * Linked with -Wl,--wrap=realloc: memory for frames can be refused.
 */
#include "config.h"

#include <unistd.h>

#include "tests/harness.h"

static int reallocs_to_fail;

void *__real_realloc(void *, size_t);
void *__wrap_realloc(void *, size_t);

void *
__wrap_realloc(void *old, size_t size)
{
	if (reallocs_to_fail > 0) {
		reallocs_to_fail--;
		errno = ENOMEM;
		return NULL;
	}
	return __real_realloc(old, size);
}

/* --- the clock */

START_TEST(now_is_positive_and_never_goes_back)
{
	int64_t last = weft_now();

	ck_assert_int_gt(last, 0);
	for (int i = 0; i < 10000; i++) {
		int64_t now = weft_now();

		ck_assert_int_ge(now, last);
		last = now;
	}
}
END_TEST

START_TEST(after_rounds_up_so_that_the_whole_time_passes)
{
	for (int i = 0; i < 10000; i++) {
		int64_t before = weft_now(), deadline = weft_after(5);

		/* now is rounded down, after up: at least 5 whole ones. */
		ck_assert_int_ge(deadline, before + 5);
		ck_assert_int_le(deadline, weft_now() + 6);
	}
}
END_TEST

START_TEST(after_saturates_instead_of_wrapping)
{
	static const int64_t huge[] = { INT64_MAX, INT64_MAX - 1, INT64_MAX / 2 * 2 };

	for (size_t i = 0; i < sizeof huge / sizeof *huge; i++)
		ck_assert_int_gt(weft_after(huge[i]), INT64_MAX / 2);
	ck_assert_int_eq(weft_after(INT64_MAX), weft_after(INT64_MAX - 1));
}
END_TEST

START_TEST(after_of_a_negative_number_is_past_and_never_a_special_value)
{
	static const int64_t past[] = { -1, -2, -1000, INT64_MIN, INT64_MIN + 1 };

	for (size_t i = 0; i < sizeof past / sizeof *past; i++) {
		int64_t deadline = weft_after(past[i]);

		ck_assert_int_gt(deadline, 0);
		ck_assert_int_le(deadline, weft_now() + 1);
	}
	/* Exactly minus now would be 0, WEFT_NOWAIT. */
	for (int64_t i = -3; i <= 3; i++)
		ck_assert_int_gt(weft_after(-weft_now() + i), 0);
}
END_TEST

/* --- sleep */

START_TEST(a_sleep_never_ends_early)
{
	for (int i = 0; i < 50; i++) {
		int64_t deadline = weft_after(i % 4);

		ck_assert_ok(weft_sleep(deadline));
		ck_assert_int_ge(weft_now(), deadline);
	}
}
END_TEST

START_TEST(a_sleep_leaves_errno_alone)
{
	ck_assert_gives(weft_sleep(weft_after(1)), 0);
	ck_assert_gives(weft_sleep(weft_after(-1)), 0);
	ck_assert_gives(weft_sleep(WEFT_NOWAIT), 0);
}
END_TEST

static int64_t order[8];
static int ended;

static int
sleep_and_note(void *arg)
{
	const int64_t *deadline = arg;

	ck_assert_ok(weft_sleep(*deadline));
	order[ended++] = *deadline;
	return 0;
}

START_TEST(sleepers_wake_in_the_order_of_their_deadlines)
{
	static const int after[] = { 30, 10, 20, 0, 40 };
	struct weft_fiber *fibers[5];
	int64_t deadlines[5], start = weft_after(0);

	ended = 0;
	for (int i = 0; i < 5; i++) {
		deadlines[i] = start + after[i];
		fibers[i] = weft_spawn(sleep_and_note, &deadlines[i]);
	}
	for (int i = 0; i < 5; i++)
		ck_assert_ok(weft_join(fibers[i], NULL, soon_enough()));
	for (int i = 1; i < 5; i++)
		ck_assert_int_lt(order[i - 1], order[i]);
}
END_TEST

static int
note_my_number(void *arg)
{
	int64_t *deadline = arg;

	ck_assert_ok(weft_sleep(*deadline));
	order[ended++] = (int64_t)weft_fiber_id(weft_self());
	return 0;
}

START_TEST(sleepers_with_one_deadline_wake_in_the_order_in_which_they_slept)
{
	struct weft_fiber *fibers[8];
	int64_t deadline = weft_after(5);

	ended = 0;
	for (int i = 0; i < 8; i++)
		fibers[i] = weft_spawn(note_my_number, &deadline);
	for (int i = 0; i < 8; i++)
		ck_assert_ok(weft_join(fibers[i], NULL, soon_enough()));
	for (int i = 1; i < 8; i++)
		ck_assert_int_lt(order[i - 1], order[i]);
}
END_TEST

static int
set_flag(void *arg)
{
	*(int *)arg = 1;
	return 0;
}

START_TEST(a_sleep_into_the_past_lets_the_others_run)
{
	int ran = 0;

	ck_assert_ok(weft_go(set_flag, &ran));
	ck_assert_ok(weft_sleep(weft_after(-1000)));
	ck_assert_int_eq(ran, 1);
}
END_TEST

START_TEST(a_sleep_without_waiting_is_a_yield)
{
	int ran = 0;

	ck_assert_ok(weft_go(set_flag, &ran));
	ck_assert_ok(weft_sleep(WEFT_NOWAIT));
	ck_assert_int_eq(ran, 1);
}
END_TEST

static int
sleep_for_ever(void *arg)
{
	int result = weft_sleep(WEFT_NEVER);

	*(int *)arg = result < 0 ? errno : 0;
	return result;
}

START_TEST(a_sleep_for_ever_ends_by_a_cancel)
{
	int error = 0;
	struct weft_fiber *fiber = weft_spawn(sleep_for_ever, &error);

	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(fiber));
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	ck_assert_int_eq(error, ECANCELED);
}
END_TEST

START_TEST(a_sleep_to_a_huge_deadline_is_not_cut_short)
{
	static const int64_t huge[] = { INT64_MAX - 1, INT64_MAX / 2, (int64_t)1 << 40 };

	for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
		ck_assert_ok(weft_deadline_push(weft_after(3)));
		ck_assert_fails(weft_sleep(huge[i]), ETIMEDOUT);
		weft_deadline_pop();
	}
}
END_TEST

/* --- nested deadlines */

START_TEST(without_a_push_the_deadline_is_never)
{
	ck_assert_int_eq(weft_deadline(), WEFT_NEVER);
	weft_deadline_pop();            /* more pops than pushes: nothing */
	ck_assert_int_eq(weft_deadline(), WEFT_NEVER);
}
END_TEST

START_TEST(the_smallest_nested_deadline_wins)
{
	int64_t outer = weft_after(60000), inner = weft_after(30000);

	ck_assert_ok(weft_deadline_push(outer));
	ck_assert_int_eq(weft_deadline(), outer);
	ck_assert_ok(weft_deadline_push(inner));
	ck_assert_int_eq(weft_deadline(), inner);
	ck_assert_ok(weft_deadline_push(outer + 1000));
	ck_assert_int_eq(weft_deadline(), inner);
	ck_assert_ok(weft_deadline_push(WEFT_NEVER));
	ck_assert_int_eq(weft_deadline(), inner);
	weft_deadline_pop();
	weft_deadline_pop();
	ck_assert_int_eq(weft_deadline(), inner);
	weft_deadline_pop();
	ck_assert_int_eq(weft_deadline(), outer);
	weft_deadline_pop();
	ck_assert_int_eq(weft_deadline(), WEFT_NEVER);
}
END_TEST

START_TEST(a_sleep_ends_with_ETIMEDOUT_at_the_enclosing_deadline)
{
	int64_t deadline = weft_after(5);

	ck_assert_ok(weft_deadline_push(deadline));
	ck_assert_fails(weft_sleep(weft_after(60000)), ETIMEDOUT);
	ck_assert_int_ge(weft_now(), deadline);
	ck_assert_fails(weft_sleep(WEFT_NEVER), ETIMEDOUT);
	weft_deadline_pop();
}
END_TEST

START_TEST(a_sleep_within_the_enclosing_deadline_succeeds)
{
	ck_assert_ok(weft_deadline_push(weft_after(60000)));
	ck_assert_ok(weft_sleep(weft_after(2)));
	weft_deadline_pop();
}
END_TEST

START_TEST(an_enclosing_deadline_bounds_every_kind_of_wait)
{
	struct weft_fiber *fiber;
	int ends[2], error = 0;

	ck_assert_int_eq(pipe(ends), 0);
	fiber = weft_spawn(sleep_for_ever, &error);
	ck_assert_ok(weft_deadline_push(weft_after(3)));
	ck_assert_fails(weft_park(WEFT_NEVER), ETIMEDOUT);
	ck_assert_fails(weft_park(soon_enough()), ETIMEDOUT);
	ck_assert_fails(weft_fd_wait(ends[0], WEFT_READABLE, WEFT_NEVER), ETIMEDOUT);
	ck_assert_fails(weft_join(fiber, NULL, soon_enough()), ETIMEDOUT);
	weft_deadline_pop();
	weft_cancel(fiber);
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(after_the_deadline_what_is_ready_still_gets_one_try)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_ok(weft_deadline_push(weft_after(-1)));
	ck_assert_int_eq(weft_fd_wait(ends[0], WEFT_READABLE, WEFT_NEVER),
	    WEFT_READABLE);
	weft_deadline_pop();
	ck_assert_int_eq(weft_fd_wait(ends[0], WEFT_READABLE, weft_after(-1)),
	    WEFT_READABLE);
	ck_assert_int_eq(weft_fd_wait(ends[0], WEFT_READABLE, 1), WEFT_READABLE);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(a_push_of_NOWAIT_is_a_deadline_that_has_passed)
{
	ck_assert_ok(weft_deadline_push(WEFT_NOWAIT));
	ck_assert_fails(weft_park(WEFT_NEVER), ETIMEDOUT);
	ck_assert_int_eq(weft_deadline(), 0);
	weft_deadline_pop();
}
END_TEST

START_TEST(NOWAIT_is_EAGAIN_and_does_not_let_others_run)
{
	struct weft_fiber *fiber;
	int ends[2], ran = 0;

	ck_assert_int_eq(pipe(ends), 0);
	fiber = weft_spawn(set_flag, &ran);
	ck_assert_fails(weft_park(WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_fd_wait(ends[0], WEFT_READABLE, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_join(fiber, NULL, WEFT_NOWAIT), EAGAIN);
	ck_assert_int_eq(ran, 0);
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static int
tell_deadline(void *arg)
{
	*(int64_t *)arg = weft_deadline();
	return 0;
}

START_TEST(a_spawned_fiber_inherits_no_deadline)
{
	int64_t its = 0;

	ck_assert_ok(weft_deadline_push(soon_enough()));
	ck_assert_ok(weft_join(weft_spawn(tell_deadline, &its), NULL, soon_enough()));
	weft_deadline_pop();
	ck_assert_int_eq(its, WEFT_NEVER);
}
END_TEST

static int
pop_and_tell_deadline(void *arg)
{
	weft_deadline_pop();            /* nothing was pushed here */
	return tell_deadline(arg);
}

static int
push_and_end(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++)
		ck_assert_ok(weft_deadline_push(weft_after(60000 - i)));
	return 0;
}

START_TEST(deadlines_that_a_fiber_left_pushed_end_with_it)
{
	int64_t its = 0;

	for (int i = 0; i < 3; i++) {
		ck_assert_ok(weft_join(weft_spawn(push_and_end, NULL), NULL,
		    soon_enough()));
		/* The same stack, and so the same block, again. */
		ck_assert_ok(weft_join(weft_spawn(pop_and_tell_deadline, &its),
		    NULL, soon_enough()));
		ck_assert_int_eq(its, WEFT_NEVER);
	}
}
END_TEST

START_TEST(a_thousand_nested_deadlines_are_popped_in_reverse)
{
	int64_t start = weft_after(100000);

	for (int i = 0; i < 1000; i++)
		ck_assert_ok(weft_deadline_push(start - i));
	for (int i = 999; i >= 0; i--) {
		ck_assert_int_eq(weft_deadline(), start - i);
		weft_deadline_pop();
	}
}
END_TEST

static int
push_without_memory(void *arg)
{
	int64_t outer = soon_enough();
	int pushed = 0;

	(void)arg;
	ck_assert_ok(weft_deadline_push(outer));
	reallocs_to_fail = 1;
	while (weft_deadline_push(outer - 1000) == 0)
		ck_assert_int_lt(++pushed, 1000);
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_int_eq(weft_deadline(), outer - (pushed > 0 ? 1000 : 0));
	while (pushed-- > 0)
		weft_deadline_pop();
	ck_assert_int_eq(weft_deadline(), outer);
	return 0;
}

START_TEST(a_push_that_finds_no_memory_is_ENOMEM_and_changes_nothing)
{
	ck_assert_ok(weft_join(weft_spawn(push_without_memory, NULL), NULL,
	    soon_enough()));
}
END_TEST

START_TEST(a_deadline_is_no_timer_once_the_wait_is_over)
{
	struct weft_fiber *self = weft_self();

	for (int i = 0; i < 100; i++) {
		ck_assert_ok(weft_unpark(self));
		ck_assert_ok(weft_park(weft_after(1)));
	}
	ck_assert_ok(weft_sleep(weft_after(4)));
	ck_assert_int_eq(loop_stats().timers, 0);
	ck_assert_fails(weft_park(weft_after(2)), ETIMEDOUT);
}
END_TEST

static void
add_sleep_tests(Suite *suite)
{
	TCase *tc = test_case(suite, "clock and sleep");

	tcase_add_test(tc, now_is_positive_and_never_goes_back);
	tcase_add_test(tc, after_rounds_up_so_that_the_whole_time_passes);
	tcase_add_test(tc, after_saturates_instead_of_wrapping);
	tcase_add_test(tc, after_of_a_negative_number_is_past_and_never_a_special_value);
	tcase_add_test(tc, a_sleep_never_ends_early);
	tcase_add_test(tc, a_sleep_leaves_errno_alone);
	tcase_add_test(tc, sleepers_wake_in_the_order_of_their_deadlines);
	tcase_add_test(tc, sleepers_with_one_deadline_wake_in_the_order_in_which_they_slept);
	tcase_add_test(tc, a_sleep_into_the_past_lets_the_others_run);
	tcase_add_test(tc, a_sleep_without_waiting_is_a_yield);
	tcase_add_test(tc, a_sleep_for_ever_ends_by_a_cancel);
	tcase_add_test(tc, a_sleep_to_a_huge_deadline_is_not_cut_short);
}

static void
add_nesting_tests(Suite *suite)
{
	TCase *tc = test_case(suite, "nested deadlines");

	tcase_add_test(tc, without_a_push_the_deadline_is_never);
	tcase_add_test(tc, the_smallest_nested_deadline_wins);
	tcase_add_test(tc, a_sleep_ends_with_ETIMEDOUT_at_the_enclosing_deadline);
	tcase_add_test(tc, a_sleep_within_the_enclosing_deadline_succeeds);
	tcase_add_test(tc, an_enclosing_deadline_bounds_every_kind_of_wait);
	tcase_add_test(tc, after_the_deadline_what_is_ready_still_gets_one_try);
	tcase_add_test(tc, a_push_of_NOWAIT_is_a_deadline_that_has_passed);
	tcase_add_test(tc, NOWAIT_is_EAGAIN_and_does_not_let_others_run);
	tcase_add_test(tc, a_spawned_fiber_inherits_no_deadline);
	tcase_add_test(tc, deadlines_that_a_fiber_left_pushed_end_with_it);
	tcase_add_test(tc, a_thousand_nested_deadlines_are_popped_in_reverse);
	tcase_add_test(tc, a_push_that_finds_no_memory_is_ENOMEM_and_changes_nothing);
	tcase_add_test(tc, a_deadline_is_no_timer_once_the_wait_is_over);
}

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("deadline");

	(void)backend;
	add_sleep_tests(suite);
	add_nesting_tests(suite);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
