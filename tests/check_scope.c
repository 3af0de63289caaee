/* SPDX-License-Identifier: MIT */
/*
 * tests/check_scope.c - scopes: open, wait and close, in order, with deadlines.
 */
#include "config.h"

#include <pthread.h>

#include "tests/scopes.h"

/* --- open, wait, close */

START_TEST(an_empty_scope_opens_waits_and_closes)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);

	ck_assert_ptr_nonnull(scope);
	ck_assert_gives(weft_scope_wait(scope, WEFT_NEVER), 0);
	ck_assert_gives(weft_scope_wait(scope, WEFT_NOWAIT), 0);
	ck_assert_int_eq(weft_scope_result(scope), 0);
	ck_assert_gives(weft_scope_close(scope), 0);
	ck_assert_gives(weft_scope_close(NULL), 0);
}
END_TEST

START_TEST(wait_returns_when_all_members_have_ended)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);

	reset();
	for (int i = 0; i < 100; i++)
		ck_assert_ok(weft_scope_spawn(scope, i % 2 ? count : count_later, NULL));
	ck_assert_int_eq(started, 0);
	ck_assert_gives(weft_scope_wait(scope, soon_enough()), 0);
	ck_assert_int_eq(ended, 100);
	ck_assert_ok(weft_scope_close(scope));
}
END_TEST

START_TEST(a_scope_can_be_used_again_after_a_wait)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);

	reset();
	for (int i = 1; i <= 10; i++) {
		ck_assert_ok(weft_scope_spawn(scope, count_later, NULL));
		ck_assert_ok(weft_scope_wait(scope, soon_enough()));
		ck_assert_int_eq(ended, i);
	}
	ck_assert_ok(weft_scope_close(scope));
}
END_TEST

START_TEST(the_result_is_the_first_that_was_not_zero)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);

	ck_assert_ok(weft_scope_spawn(scope, count_later, (void *)(intptr_t)3));
	ck_assert_ok(weft_scope_spawn(scope, count, NULL));
	ck_assert_ok(weft_scope_spawn(scope, count, (void *)(intptr_t)2));
	ck_assert_ok(weft_scope_wait(scope, soon_enough()));
	ck_assert_int_eq(weft_scope_result(scope), 2);
	ck_assert_ok(weft_scope_close(scope));
}
END_TEST

START_TEST(a_wait_that_ends_early_leaves_the_members_running)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);

	reset();
	ck_assert_ok(weft_scope_spawn(scope, wait_for_ever, NULL));
	ck_assert_fails(weft_scope_wait(scope, WEFT_NOWAIT), EAGAIN);
	ck_assert_int_eq(started, 0);
	ck_assert_fails(weft_scope_wait(scope, weft_after(2)), ETIMEDOUT);
	ck_assert_int_eq(started, 1);
	ck_assert_int_eq(ended, 0);
	ck_assert_ok(weft_scope_close(scope));
	ck_assert_int_eq(ended, 1);
}
END_TEST

START_TEST(close_cancels_what_is_left_and_waits_for_it)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);
	int errors[20] = { 0 };

	reset();
	for (int i = 0; i < 20; i++)
		ck_assert_ok(weft_scope_spawn(scope, wait_for_ever, &errors[i]));
	ck_assert_ok(weft_yield());
	ck_assert_int_eq(started, 20);
	ck_assert_gives(weft_scope_close(scope), 0);
	ck_assert_int_eq(ended, 20);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(errors[i], ECANCELED);
}
END_TEST

START_TEST(a_member_that_has_not_started_by_the_close_never_runs)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);

	reset();
	ck_assert_ok(weft_scope_spawn(scope, count, NULL));
	ck_assert_ok(weft_scope_close(scope));
	ck_assert_int_eq(started, 0);
}
END_TEST

static int
clean_up_slowly(void *unused)
{
	(void)unused;
	ck_assert_fails(weft_sleep(WEFT_NEVER), ECANCELED);
	ck_assert_ok(weft_shield_begin(soon_enough()));
	ck_assert_ok(weft_sleep(weft_after(10)));
	weft_shield_end();
	ended++;
	return 0;
}

static int
close_while_cancelled(void *out)
{
	struct weft_scope *scope = weft_scope_open(weft_after(1));

	ck_assert_ok(weft_scope_spawn(scope, clean_up_slowly, NULL));
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(weft_self()));
	ck_assert_fails(weft_scope_wait(scope, WEFT_NEVER), ECANCELED);
	*(int *)out = weft_scope_close(scope);
	return ended;
}

START_TEST(close_waits_without_regard_to_cancel_and_deadlines)
{
	int result = 0, closed = -1;

	reset();
	ck_assert_ok(weft_join(weft_spawn(close_while_cancelled, &closed), &result,
	    soon_enough()));
	ck_assert_int_eq(closed, 0);
	ck_assert_int_eq(result, 1);
}
END_TEST

/* --- order */

START_TEST(close_out_of_order_is_EINVAL_and_changes_nothing)
{
	struct weft_scope *outer = weft_scope_open(WEFT_NEVER);
	struct weft_scope *inner = weft_scope_open(WEFT_NEVER);

	ck_assert_fails(weft_scope_close(outer), EINVAL);
	ck_assert_ok(weft_scope_close(inner));
	ck_assert_ok(weft_scope_close(outer));
}
END_TEST

START_TEST(close_inside_a_pushed_deadline_or_a_shield_is_out_of_order)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);

	ck_assert_ok(weft_deadline_push(soon_enough()));
	ck_assert_fails(weft_scope_close(scope), EINVAL);
	weft_deadline_pop();
	ck_assert_ok(weft_shield_begin(WEFT_NEVER));
	ck_assert_fails(weft_scope_close(scope), EINVAL);
	weft_shield_end();
	ck_assert_ok(weft_scope_close(scope));
}
END_TEST

static int
meddle(void *scope)
{
	ck_assert_fails(weft_scope_wait(scope, WEFT_NEVER), EINVAL);
	ck_assert_fails(weft_scope_close(scope), EINVAL);
	return 0;
}

START_TEST(only_the_opener_waits_and_closes)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);

	ck_assert_ok(weft_scope_spawn(scope, meddle, scope));
	ck_assert_ok(weft_scope_wait(scope, soon_enough()));
	ck_assert_ok(weft_join(weft_spawn(meddle, scope), NULL, soon_enough()));
	ck_assert_ok(weft_scope_close(scope));
	ck_assert_fails(weft_scope_wait(NULL, WEFT_NEVER), EINVAL);
	ck_assert_fails(weft_scope_spawn(NULL, count, NULL), EINVAL);
	weft_scope_cancel(NULL);
}
END_TEST

static void *
spawn_from_elsewhere(void *scope)
{
	int result = weft_scope_spawn(scope, count, NULL);

	return (void *)(intptr_t)(result < 0 ? errno : 0);
}

START_TEST(a_scope_is_of_one_thread)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);
	pthread_t thread;
	void *error = NULL;

	ck_assert_int_eq(pthread_create(&thread, NULL, spawn_from_elsewhere, scope), 0);
	ck_assert_int_eq(pthread_join(thread, &error), 0);
	ck_assert_int_eq((intptr_t)error, EINVAL);
	ck_assert_ok(weft_scope_close(scope));
}
END_TEST

/* --- deadlines */

static int
stay_until(void *flag)
{
	while (!*(volatile int *)flag)
		weft_yield();
	return 0;
}

START_TEST(the_deadline_bounds_the_waits_of_the_opener)
{
	int done = 0;
	int64_t deadline = weft_after(5);
	struct weft_scope *scope = weft_scope_open(deadline);

	ck_assert_int_eq(weft_deadline(), deadline);
	ck_assert_fails(weft_sleep(WEFT_NEVER), ETIMEDOUT);
	ck_assert_int_ge(weft_now(), deadline);
	ck_assert_ok(weft_scope_spawn(scope, stay_until, &done));
	ck_assert_fails(weft_scope_wait(scope, WEFT_NEVER), ETIMEDOUT);
	done = 1;
	ck_assert_ok(weft_scope_close(scope));
	ck_assert_int_eq(weft_deadline(), WEFT_NEVER);
}
END_TEST

static int
nested_wait(void *error)
{
	ck_assert_ok(weft_deadline_push(soon_enough()));
	*(int *)error = weft_park(WEFT_NEVER) < 0 ? errno : 0;
	weft_deadline_pop();
	weft_deadline_pop();            /* one too many: the scope's stays */
	ck_assert_fails(weft_park(WEFT_NEVER), ETIMEDOUT);
	return 1;
}

START_TEST(the_deadline_bounds_the_waits_of_all_members)
{
	struct weft_scope *scope = weft_scope_open(weft_after(5));
	int errors[5] = { 0 };

	for (int i = 0; i < 5; i++)
		ck_assert_ok(weft_scope_spawn(scope, i % 2 ? nested_wait : wait_for_ever,
		    &errors[i]));
	ck_assert_fails(weft_sleep(WEFT_NEVER), ETIMEDOUT);
	ck_assert_ok(weft_shield_begin(soon_enough()));
	ck_assert_ok(weft_scope_wait(scope, WEFT_NEVER));
	weft_shield_end();
	ck_assert_ok(weft_scope_close(scope));
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(errors[i], ETIMEDOUT);
}
END_TEST

static int
tell_deadline(void *out)
{
	*(int64_t *)out = weft_deadline();
	return 0;
}

START_TEST(an_inner_scope_extends_nothing)
{
	int64_t deadline = weft_after(20000), its = 0, later = 0;
	struct weft_scope *outer = weft_scope_open(deadline), *inner;

	inner = weft_scope_open(WEFT_NEVER);
	ck_assert_int_eq(weft_deadline(), deadline);
	ck_assert_ok(weft_deadline_push(deadline - 10000));
	ck_assert_ok(weft_scope_spawn(inner, tell_deadline, &its));
	ck_assert_ok(weft_scope_wait(inner, soon_enough()));
	weft_deadline_pop();
	ck_assert_int_eq(its, deadline);        /* not that of the push */
	ck_assert_ok(weft_join(weft_spawn(tell_deadline, &later), NULL, soon_enough()));
	ck_assert_int_eq(later, WEFT_NEVER);    /* no member */
	ck_assert_ok(weft_scope_close(inner));
	ck_assert_ok(weft_scope_close(outer));
}
END_TEST

START_TEST(pops_stop_at_the_scope)
{
	int64_t deadline = soon_enough();
	struct weft_scope *scope = weft_scope_open(deadline);

	for (int i = 0; i < 3; i++) {
		weft_deadline_pop();
		weft_shield_end();
	}
	ck_assert_int_eq(weft_deadline(), deadline);
	ck_assert_ok(weft_scope_close(scope));
	ck_assert_int_eq(weft_deadline(), WEFT_NEVER);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("scope");
	TCase *tc = test_case(suite, backend);

	tcase_add_test(tc, an_empty_scope_opens_waits_and_closes);
	tcase_add_test(tc, wait_returns_when_all_members_have_ended);
	tcase_add_test(tc, a_scope_can_be_used_again_after_a_wait);
	tcase_add_test(tc, the_result_is_the_first_that_was_not_zero);
	tcase_add_test(tc, a_wait_that_ends_early_leaves_the_members_running);
	tcase_add_test(tc, close_cancels_what_is_left_and_waits_for_it);
	tcase_add_test(tc, a_member_that_has_not_started_by_the_close_never_runs);
	tcase_add_test(tc, close_waits_without_regard_to_cancel_and_deadlines);
	tcase_add_test(tc, close_out_of_order_is_EINVAL_and_changes_nothing);
	tcase_add_test(tc, close_inside_a_pushed_deadline_or_a_shield_is_out_of_order);
	tcase_add_test(tc, only_the_opener_waits_and_closes);
	tcase_add_test(tc, a_scope_is_of_one_thread);
	tcase_add_test(tc, the_deadline_bounds_the_waits_of_the_opener);
	tcase_add_test(tc, the_deadline_bounds_the_waits_of_all_members);
	tcase_add_test(tc, an_inner_scope_extends_nothing);
	tcase_add_test(tc, pops_stop_at_the_scope);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
