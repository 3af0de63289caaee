/* SPDX-License-Identifier: MIT */
/*
 * tests/check_shield.c - cleaning up in spite of a cancel or a deadline.
 */
#include "config.h"

#include "tests/harness.h"

struct shielded {
	struct weft_fiber *fiber;
	int errors[8];
	int64_t deadline;
	bool early;
};

static int
error_of(int result)
{
	return result < 0 ? errno : 0;
}

static int
clean_up_behind_a_shield(void *arg)
{
	struct shielded *s = arg;

	s->errors[0] = error_of(weft_sleep(WEFT_NEVER));
	s->errors[1] = error_of(weft_sleep(weft_after(1)));
	ck_assert_ok(weft_shield_begin(soon_enough()));
	s->errors[2] = error_of(weft_sleep(weft_after(1)));
	s->errors[3] = error_of(weft_yield());
	ck_assert(weft_canceled());
	weft_shield_end();
	s->errors[4] = error_of(weft_sleep(weft_after(1)));
	s->errors[5] = error_of(weft_yield());
	return 0;
}

START_TEST(behind_a_shield_a_cancelled_fiber_may_wait_and_after_it_no_more)
{
	struct shielded s = { 0 };

	s.fiber = weft_spawn(clean_up_behind_a_shield, &s);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(s.fiber));
	ck_assert_ok(weft_join(s.fiber, NULL, soon_enough()));
	ck_assert_int_eq(s.errors[0], ECANCELED);
	ck_assert_int_eq(s.errors[1], ECANCELED);
	ck_assert_int_eq(s.errors[2], 0);
	ck_assert_int_eq(s.errors[3], 0);
	ck_assert_int_eq(s.errors[4], ECANCELED);
	ck_assert_int_eq(s.errors[5], ECANCELED);
}
END_TEST

static int
outstay_the_shield(void *arg)
{
	struct shielded *s = arg;

	s->deadline = weft_after(5);
	ck_assert_ok(weft_shield_begin(s->deadline));
	s->errors[0] = error_of(weft_sleep(WEFT_NEVER));
	s->early = weft_now() < s->deadline;
	s->errors[1] = error_of(weft_sleep(weft_after(1)));
	weft_shield_end();
	return 0;
}

START_TEST(a_shield_holds_a_cancel_off_until_its_deadline)
{
	struct shielded s = { 0 };

	s.fiber = weft_spawn(outstay_the_shield, &s);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(s.fiber));
	ck_assert_ok(weft_join(s.fiber, NULL, soon_enough()));
	ck_assert(!s.early);
	ck_assert_int_eq(s.errors[0], ECANCELED);
	ck_assert_int_eq(s.errors[1], ECANCELED);
}
END_TEST

START_TEST(the_deadline_of_a_shield_is_ETIMEDOUT_for_one_not_cancelled)
{
	struct shielded s = { 0 };

	s.fiber = weft_spawn(outstay_the_shield, &s);
	ck_assert_ok(weft_join(s.fiber, NULL, soon_enough()));
	ck_assert(!s.early);
	ck_assert_int_eq(s.errors[0], ETIMEDOUT);
	ck_assert_int_eq(s.errors[1], ETIMEDOUT);
}
END_TEST

START_TEST(a_shield_keeps_outer_deadlines_out)
{
	int64_t inner = weft_after(30000);

	ck_assert_ok(weft_deadline_push(weft_after(-1)));
	ck_assert_fails(weft_sleep(WEFT_NEVER), ETIMEDOUT);
	ck_assert_ok(weft_shield_begin(inner));
	ck_assert_int_eq(weft_deadline(), inner);
	ck_assert_ok(weft_sleep(weft_after(1)));
	weft_shield_end();
	ck_assert_fails(weft_sleep(WEFT_NEVER), ETIMEDOUT);
	weft_deadline_pop();
}
END_TEST

static int
nest_shields(void *arg)
{
	struct shielded *s = arg;

	ck_assert_ok(weft_cancel(weft_self()));
	ck_assert_ok(weft_shield_begin(WEFT_NEVER));
	ck_assert_ok(weft_shield_begin(weft_after(-1)));
	s->errors[0] = error_of(weft_sleep(weft_after(1)));
	ck_assert_ok(weft_shield_begin(WEFT_NEVER));
	s->errors[1] = error_of(weft_sleep(weft_after(1)));
	weft_shield_end();
	s->errors[2] = error_of(weft_sleep(weft_after(1)));
	weft_shield_end();
	s->errors[3] = error_of(weft_sleep(weft_after(1)));
	weft_shield_end();
	s->errors[4] = error_of(weft_sleep(weft_after(1)));
	return 0;
}

START_TEST(shields_nest)
{
	static const int expected[] = { ECANCELED, 0, ECANCELED, 0, ECANCELED };
	struct shielded s = { 0 };

	s.fiber = weft_spawn(nest_shields, &s);
	ck_assert_ok(weft_join(s.fiber, NULL, soon_enough()));
	for (int i = 0; i < 5; i++)
		ck_assert_msg(s.errors[i] == expected[i], "wait %d: %s, not %s", i,
		    strerror(s.errors[i]), strerror(expected[i]));
}
END_TEST

static int
push_behind_a_shield(void *arg)
{
	struct shielded *s = arg;

	ck_assert_ok(weft_cancel(weft_self()));
	ck_assert_ok(weft_shield_begin(soon_enough()));
	s->deadline = weft_after(3);
	ck_assert_ok(weft_deadline_push(s->deadline));
	s->errors[0] = error_of(weft_sleep(WEFT_NEVER));
	s->early = weft_now() < s->deadline;
	weft_deadline_pop();
	s->errors[1] = error_of(weft_sleep(weft_after(1)));
	weft_shield_end();
	return 0;
}

START_TEST(a_deadline_pushed_behind_a_shield_does_not_end_the_shield)
{
	struct shielded s = { 0 };

	s.fiber = weft_spawn(push_behind_a_shield, &s);
	ck_assert_ok(weft_join(s.fiber, NULL, soon_enough()));
	ck_assert(!s.early);
	ck_assert_int_eq(s.errors[0], ETIMEDOUT);
	ck_assert_int_eq(s.errors[1], 0);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("shield");
	TCase *tc = test_case(suite, "shields");

	(void)backend;
	tcase_add_test(tc, behind_a_shield_a_cancelled_fiber_may_wait_and_after_it_no_more);
	tcase_add_test(tc, a_shield_holds_a_cancel_off_until_its_deadline);
	tcase_add_test(tc, the_deadline_of_a_shield_is_ETIMEDOUT_for_one_not_cancelled);
	tcase_add_test(tc, a_shield_keeps_outer_deadlines_out);
	tcase_add_test(tc, shields_nest);
	tcase_add_test(tc, a_deadline_pushed_behind_a_shield_does_not_end_the_shield);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
