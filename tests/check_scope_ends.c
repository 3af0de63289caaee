/* SPDX-License-Identifier: MIT */
/*
 * tests/check_scope_ends.c - how members of scopes end: cancelled, and all before the scope.
 */
#include "config.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tests/scopes.h"

/* --- cancel */

START_TEST(cancel_reaches_all_members_and_not_the_opener)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);
	int errors[3] = { 0 };

	for (int i = 0; i < 3; i++)
		ck_assert_ok(weft_scope_spawn(scope, wait_for_ever, &errors[i]));
	ck_assert_ok(weft_yield());
	weft_scope_cancel(scope);
	ck_assert(!weft_canceled());
	ck_assert_ok(weft_scope_wait(scope, soon_enough()));
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(errors[i], ECANCELED);
	ck_assert_int_eq(weft_scope_result(scope), -1);
	ck_assert_ok(weft_scope_close(scope));
}
END_TEST

START_TEST(a_cancelled_scope_takes_members_again_once_all_have_ended)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);

	reset();
	weft_scope_cancel(scope);       /* of nobody */
	ck_assert_ok(weft_scope_spawn(scope, wait_for_ever, NULL));
	ck_assert_ok(weft_yield());
	weft_scope_cancel(scope);
	weft_scope_cancel(scope);
	ck_assert_fails(weft_scope_spawn(scope, count, NULL), ECANCELED);
	ck_assert_ok(weft_scope_wait(scope, soon_enough()));
	ck_assert_ok(weft_scope_spawn(scope, count, NULL));
	ck_assert_ok(weft_scope_wait(scope, soon_enough()));
	ck_assert_int_eq(ended, 2);
	ck_assert_ok(weft_scope_close(scope));
}
END_TEST

static int
cancel_all(void *scope)
{
	weft_scope_cancel(scope);
	ck_assert(weft_canceled());
	return 5;
}

START_TEST(a_member_may_cancel_the_others)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);
	int error = 0;

	ck_assert_ok(weft_scope_spawn(scope, wait_for_ever, &error));
	ck_assert_ok(weft_scope_spawn(scope, cancel_all, scope));
	ck_assert_ok(weft_scope_wait(scope, soon_enough()));
	ck_assert_int_eq(error, ECANCELED);
	ck_assert_int_eq(weft_scope_result(scope), 5);
	ck_assert_ok(weft_scope_close(scope));
}
END_TEST

static int
spawn_a_sibling(void *scope)
{
	started++;
	if (started < 50)
		ck_assert_ok(weft_scope_spawn(scope, spawn_a_sibling, scope));
	return 0;
}

START_TEST(members_may_add_members_and_the_wait_is_for_all)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);

	reset();
	ck_assert_ok(weft_scope_spawn(scope, spawn_a_sibling, scope));
	ck_assert_ok(weft_scope_wait(scope, soon_enough()));
	ck_assert_int_eq(started, 50);
	ck_assert_ok(weft_scope_close(scope));
}
END_TEST

static int
spawn_in_the_end(void *scope)
{
	ck_assert_fails(weft_sleep(WEFT_NEVER), ECANCELED);
	ck_assert_fails(weft_scope_spawn(scope, count, NULL), ECANCELED);
	return 0;
}

START_TEST(no_fiber_joins_a_scope_that_is_being_closed)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);

	reset();
	ck_assert_ok(weft_scope_spawn(scope, spawn_in_the_end, scope));
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_scope_close(scope));
	ck_assert_int_eq(started, 0);
}
END_TEST

/* --- ends */

static int
forget_to_close(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++) {
		struct weft_scope *scope = weft_scope_open(WEFT_NEVER);

		ck_assert_ok(weft_scope_spawn(scope, wait_for_ever, NULL));
		ck_assert_ok(weft_deadline_push(WEFT_NEVER));
	}
	ck_assert_ok(weft_yield());
	return 0;
}

START_TEST(a_fiber_that_ends_closes_its_scopes_first)
{
	reset();
	ck_assert_ok(weft_join(weft_spawn(forget_to_close, NULL), NULL, soon_enough()));
	ck_assert_int_eq(started, 3);
	ck_assert_int_eq(ended, 3);
}
END_TEST

static int
open_inside(void *depth)
{
	struct weft_scope *scope;

	started++;
	if ((intptr_t)depth == 0)
		return weft_sleep(WEFT_NEVER);
	scope = weft_scope_open(WEFT_NEVER);
	for (int i = 0; i < 2; i++)
		ck_assert_ok(weft_scope_spawn(scope, open_inside,
		    (void *)((intptr_t)depth - 1)));
	weft_scope_wait(scope, WEFT_NEVER);
	ck_assert_ok(weft_scope_close(scope));
	ended++;
	return 0;
}

START_TEST(a_tree_of_scopes_ends_with_its_root)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);

	reset();
	ck_assert_ok(weft_scope_spawn(scope, open_inside, (void *)(intptr_t)5));
	while (started < 63)
		ck_assert_ok(weft_yield());
	ck_assert_ok(weft_scope_close(scope));
	ck_assert_int_eq(ended, 31);
}
END_TEST

START_TEST(a_wait_that_nothing_can_end_is_EDEADLK)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);

	ck_assert_ok(weft_scope_spawn(scope, wait_for_ever, NULL));
	ck_assert_fails(weft_scope_wait(scope, WEFT_NEVER), EDEADLK);
	ck_assert_ok(weft_scope_close(scope));
}
END_TEST

START_TEST(in_a_forked_child_the_members_are_gone)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);
	int status = -1;
	pid_t child;

	ck_assert_ok(weft_scope_spawn(scope, wait_for_ever, NULL));
	ck_assert_ok(weft_yield());
	child = fork();
	if (child == 0) {
		if (weft_scope_close(scope) == 0 || errno != ECHILD)
			_exit(1);
		if (weft_loop_after_fork() < 0)
			_exit(2);
		if (weft_scope_wait(scope, weft_after(10000)) < 0)
			_exit(3);
		_exit(weft_scope_close(scope) == 0 ? 0 : 4);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_ok(weft_scope_close(scope));
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("scope");
	TCase *tc = test_case(suite, backend);

	tcase_add_test(tc, cancel_reaches_all_members_and_not_the_opener);
	tcase_add_test(tc, a_cancelled_scope_takes_members_again_once_all_have_ended);
	tcase_add_test(tc, a_member_may_cancel_the_others);
	tcase_add_test(tc, members_may_add_members_and_the_wait_is_for_all);
	tcase_add_test(tc, no_fiber_joins_a_scope_that_is_being_closed);
	tcase_add_test(tc, a_fiber_that_ends_closes_its_scopes_first);
	tcase_add_test(tc, a_tree_of_scopes_ends_with_its_root);
	tcase_add_test(tc, a_wait_that_nothing_can_end_is_EDEADLK);
	tcase_add_test(tc, in_a_forked_child_the_members_are_gone);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
