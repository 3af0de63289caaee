/* SPDX-License-Identifier: MIT */
/*
 * tests/check_waits.c - what all that waits for another fiber has in common:
 * each test for each row of the table in waits.h.
 */
#include "config.h"

#include "tests/harness.h"
#include "tests/waits.h"

/* --- somebody who waits */

struct caller {
	const struct way_to_wait *wait;
	struct weft_fiber *fiber;
	int64_t deadline;
	int result, error, place;       /* where it came among all */
};

static int places;

static int
call(void *arg)
{
	struct caller *c = arg;

	errno = 0;
	c->result = c->wait->call(c->deadline);
	c->error = errno;
	c->place = places++;
	if (c->result == 0)
		c->wait->clean();
	return 0;
}

/* It waits, or is going to as soon as the main fiber parks. */
static void
begin(struct caller *c, const struct way_to_wait *wait, int64_t deadline)
{
	*c = (struct caller){ .wait = wait, .deadline = deadline, .result = 99 };
	c->fiber = weft_spawn(call, c);
	ck_assert(c->fiber != NULL);
}

static void
finish(struct caller *c, int error)
{
	const char *name = c->wait->name;

	ck_assert_ok(weft_join(c->fiber, NULL, soon_enough()));
	ck_assert_msg(c->result == (error == 0 ? 0 : -1), "%s: the result is %d",
	    name, c->result);
	ck_assert_msg(c->error == error, "%s: %s, not %s", name,
	    strerror(c->error), strerror(error));
}

/* --- what is common */

START_TEST(a_release_ends_the_wait_and_errno_is_left_alone)
{
	const struct way_to_wait *w = &waits[_i];
	struct caller c;

	w->block(1);
	begin(&c, w, WEFT_NEVER);
	ck_assert_ok(weft_yield());
	ck_assert_int_eq(c.result, 99);
	w->release();
	ck_assert_int_eq(c.result, 99);         /* it runs later */
	finish(&c, 0);
}
END_TEST

START_TEST(NOWAIT_is_EAGAIN_and_lets_nobody_run)
{
	const struct way_to_wait *w = &waits[_i];
	struct caller first, second;

	w->block(2);
	begin(&first, w, WEFT_NOWAIT);
	begin(&second, w, WEFT_NOWAIT);
	ck_assert_ok(weft_yield());
	/* Had the first let others run, it would not be the first to end. */
	ck_assert_int_lt(first.place, second.place);
	finish(&first, EAGAIN);
	finish(&second, EAGAIN);
}
END_TEST

START_TEST(a_deadline_ends_the_wait_and_not_before_its_time)
{
	const struct way_to_wait *w = &waits[_i];
	int64_t deadline = weft_after(3);
	struct caller c;

	w->block(1);
	begin(&c, w, deadline);
	finish(&c, ETIMEDOUT);
	ck_assert_int_ge(weft_now(), deadline);
	begin(&c, w, weft_after(-1));
	finish(&c, ETIMEDOUT);
}
END_TEST

static int
call_within_a_deadline(void *arg)
{
	struct caller *c = arg;

	ck_assert_ok(weft_deadline_push(weft_after(3)));
	call(c);
	weft_deadline_pop();
	return 0;
}

START_TEST(an_enclosing_deadline_ends_the_wait)
{
	const struct way_to_wait *w = &waits[_i];
	struct caller c = { .wait = w, .deadline = WEFT_NEVER };

	w->block(1);
	c.fiber = weft_spawn(call_within_a_deadline, &c);
	finish(&c, ETIMEDOUT);
}
END_TEST

START_TEST(with_a_deadline_in_the_past_there_is_one_try)
{
	const struct way_to_wait *w = &waits[_i];
	struct caller c;

	if (w->flags & NEVER_READY)
		return;
	w->block(1);
	w->release();
	begin(&c, w, weft_after(-1));
	finish(&c, 0);
}
END_TEST

START_TEST(what_can_be_had_is_had_without_waiting)
{
	const struct way_to_wait *w = &waits[_i];
	struct caller c;

	if (w->flags & NEVER_READY)
		return;
	w->block(1);
	w->release();
	begin(&c, w, WEFT_NOWAIT);
	finish(&c, 0);
}
END_TEST

START_TEST(a_cancel_ends_the_wait)
{
	const struct way_to_wait *w = &waits[_i];
	struct caller c;

	w->block(1);
	begin(&c, w, WEFT_NEVER);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(c.fiber));
	finish(&c, ECANCELED);
}
END_TEST

static int
call_cancelled(void *arg)
{
	ck_assert_ok(weft_cancel(weft_self()));
	return call(arg);
}

START_TEST(a_cancelled_fiber_gets_nothing_even_if_it_is_to_be_had)
{
	const struct way_to_wait *w = &waits[_i];
	static const int64_t deadlines[] = { WEFT_NEVER, WEFT_NOWAIT, 1 };

	for (int i = 0; i < 3; i++) {
		struct caller c = { .wait = w, .deadline = deadlines[i] };

		w->block(1);
		if (!(w->flags & NEVER_READY))
			w->release();
		c.fiber = weft_spawn(call_cancelled, &c);
		finish(&c, ECANCELED);
		reset();
		free_channels();
	}
}
END_TEST

START_TEST(who_is_released_and_then_cancelled_has_got_it)
{
	const struct way_to_wait *w = &waits[_i];
	struct caller c;

	w->block(1);
	begin(&c, w, soon_enough());
	ck_assert_ok(weft_yield());
	w->release();
	ck_assert_ok(weft_cancel(c.fiber));
	finish(&c, 0);
}
END_TEST

START_TEST(what_comes_too_late_for_a_cancelled_one_goes_to_the_next)
{
	const struct way_to_wait *w = &waits[_i];
	struct caller first, second;

	if (w->flags & TOGETHER)
		return;
	w->block(2);
	begin(&first, w, WEFT_NEVER);
	begin(&second, w, WEFT_NEVER);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(first.fiber));
	w->release();
	finish(&second, 0);
	finish(&first, ECANCELED);
}
END_TEST

/* The main fiber sleeps to the same deadline and comes first: the other one is
 * timed out then, but has not run yet. */
START_TEST(what_comes_too_late_for_a_deadline_goes_to_the_next)
{
	const struct way_to_wait *w = &waits[_i];
	struct caller first, second;
	int64_t deadline = weft_after(5);

	if (w->flags & TOGETHER)
		return;
	w->block(2);
	begin(&first, w, deadline);
	begin(&second, w, WEFT_NEVER);
	ck_assert_ok(weft_sleep(deadline));
	ck_assert_int_eq(first.result, 99);
	w->release();
	finish(&second, 0);
	finish(&first, ETIMEDOUT);
}
END_TEST

static int
block_in_vain(void *arg)
{
	((const struct way_to_wait *)arg)->block(1);
	return 0;
}

START_TEST(a_wait_that_nobody_can_end_is_EDEADLK)
{
	const struct way_to_wait *w = &waits[_i];
	struct weft_fiber *fiber = weft_spawn(block_in_vain, (void *)(uintptr_t)w);

	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	ck_assert_fails(w->call(WEFT_NEVER), EDEADLK);
	ck_assert_fails(w->call(WEFT_NEVER), EDEADLK);
}
END_TEST

START_TEST(all_come_in_the_order_in_which_they_waited)
{
	const struct way_to_wait *w = &waits[_i];
	struct caller callers[9];

	for (int n = 1; n <= 9; n++) {
		w->block(n);
		for (int i = 0; i < n; i++)
			begin(&callers[i], w, soon_enough());
		ck_assert_ok(weft_yield());
		for (int i = 0; i < (w->flags & WAKES_ALL ? 1 : n); i++)
			w->release();
		for (int i = 0; i < n; i++)
			finish(&callers[i], 0);
		for (int i = 1; i < n; i++)
			ck_assert_msg(callers[i].place == callers[i - 1].place + 1,
			    "%s: %d of %d is out of order", w->name, i, n);
		reset();
		free_channels();
	}
}
END_TEST

START_TEST(destroy_is_EBUSY_while_somebody_waits)
{
	const struct way_to_wait *w = &waits[_i];
	struct caller c;

	if (w->destroy == NULL)
		return;
	w->block(1);
	begin(&c, w, WEFT_NEVER);
	ck_assert_ok(weft_yield());
	ck_assert_fails(w->destroy(), EBUSY);
	w->release();
	finish(&c, 0);
	ck_assert_gives(w->destroy(), 0);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("waits");
	TCase *tc = test_case(suite, "all waits");

	(void)backend;
	tcase_add_checked_fixture(tc, reset, free_channels);
	tcase_add_loop_test(tc, a_release_ends_the_wait_and_errno_is_left_alone, 0, WAITS);
	tcase_add_loop_test(tc, NOWAIT_is_EAGAIN_and_lets_nobody_run, 0, WAITS);
	tcase_add_loop_test(tc, a_deadline_ends_the_wait_and_not_before_its_time, 0, WAITS);
	tcase_add_loop_test(tc, an_enclosing_deadline_ends_the_wait, 0, WAITS);
	tcase_add_loop_test(tc, with_a_deadline_in_the_past_there_is_one_try, 0, WAITS);
	tcase_add_loop_test(tc, what_can_be_had_is_had_without_waiting, 0, WAITS);
	tcase_add_loop_test(tc, a_cancel_ends_the_wait, 0, WAITS);
	tcase_add_loop_test(tc, a_cancelled_fiber_gets_nothing_even_if_it_is_to_be_had, 0, WAITS);
	tcase_add_loop_test(tc, who_is_released_and_then_cancelled_has_got_it, 0, WAITS);
	tcase_add_loop_test(tc, what_comes_too_late_for_a_cancelled_one_goes_to_the_next, 0, WAITS);
	tcase_add_loop_test(tc, what_comes_too_late_for_a_deadline_goes_to_the_next, 0, WAITS);
	tcase_add_loop_test(tc, a_wait_that_nobody_can_end_is_EDEADLK, 0, WAITS);
	tcase_add_loop_test(tc, all_come_in_the_order_in_which_they_waited, 0, WAITS);
	tcase_add_loop_test(tc, destroy_is_EBUSY_while_somebody_waits, 0, WAITS);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
