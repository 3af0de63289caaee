/* SPDX-License-Identifier: MIT */
/*
 * tests/check_sched.c - who runs when: the queue, yields, permits, many fibers.
 */
#include "config.h"

#include "fiber/context.h"
#include "tests/harness.h"
#include "tests/under_valgrind.h"

static int order[64], ran;

static int
note(void *arg)
{
	order[ran++] = *(const int *)arg;
	return 0;
}

static int
nothing(void *arg)
{
	(void)arg;
	return 0;
}

static struct weft_fiber *
spawn(weft_fn *fn, void *arg)
{
	struct weft_fiber *fiber = weft_spawn(fn, arg);

	ck_assert_msg(fiber != NULL, "no fiber: %s", strerror(errno));
	return fiber;
}

static void
join(struct weft_fiber *fiber)
{
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
}

/* --- order */

START_TEST(fibers_run_in_the_order_in_which_they_were_spawned)
{
	static int numbers[32];
	struct weft_fiber *fibers[32];

	ran = 0;
	for (int i = 0; i < 32; i++) {
		numbers[i] = i;
		fibers[i] = spawn(note, &numbers[i]);
	}
	ck_assert_ok(weft_yield());
	ck_assert_int_eq(ran, 32);
	for (int i = 0; i < 32; i++) {
		ck_assert_int_eq(order[i], i);
		join(fibers[i]);
	}
}
END_TEST

static int
note_three_times(void *arg)
{
	for (int i = 0; i < 3; i++) {
		note(arg);
		ck_assert_ok(weft_yield());
	}
	return 0;
}

START_TEST(a_yield_goes_behind_all_that_are_ready)
{
	static const int expected[] = { 0, 1, 2, 0, 1, 2, 0, 1, 2 };
	struct weft_fiber *fibers[3];
	int numbers[] = { 0, 1, 2 };

	ran = 0;
	for (int i = 0; i < 3; i++)
		fibers[i] = spawn(note_three_times, &numbers[i]);
	for (int i = 0; i < 3; i++)
		join(fibers[i]);
	for (int i = 0; i < 9; i++)
		ck_assert_int_eq(order[i], expected[i]);
}
END_TEST

START_TEST(a_yield_alone_comes_back_at_once)
{
	uint64_t switches = loop_stats().switches;

	for (int i = 0; i < 1000; i++)
		ck_assert_gives(weft_yield(), 0);
	ck_assert_uint_eq(loop_stats().switches, switches);
}
END_TEST

/* --- permits */

static int
park_and_note(void *arg)
{
	ck_assert_ok(weft_park(WEFT_NEVER));
	return note(arg);
}

START_TEST(unparked_fibers_run_in_the_order_of_the_unparks)
{
	static const int expected[] = { 2, 0, 1 };
	struct weft_fiber *fibers[3];
	int numbers[] = { 0, 1, 2 };

	ran = 0;
	for (int i = 0; i < 3; i++)
		fibers[i] = spawn(park_and_note, &numbers[i]);
	ck_assert_ok(weft_yield());
	ck_assert_int_eq(loop_stats().parked, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_gives(weft_unpark(fibers[expected[i]]), 0);
	for (int i = 0; i < 3; i++)
		join(fibers[i]);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(order[i], expected[i]);
}
END_TEST

START_TEST(a_permit_waits_for_the_park)
{
	ck_assert_ok(weft_unpark(weft_self()));
	ck_assert_gives(weft_park(WEFT_NEVER), 0);
}
END_TEST

START_TEST(permits_do_not_add_up)
{
	ck_assert_ok(weft_unpark(weft_self()));
	ck_assert_ok(weft_unpark(weft_self()));
	ck_assert_ok(weft_park(WEFT_NOWAIT));
	ck_assert_fails(weft_park(WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_park(weft_after(1)), ETIMEDOUT);
}
END_TEST

static int
unpark_it(void *arg)
{
	return weft_unpark(arg);
}

START_TEST(a_permit_does_not_end_another_wait)
{
	struct weft_fiber *fiber = spawn(unpark_it, weft_self());

	ck_assert_ok(weft_sleep(weft_after(2)));
	ck_assert_ok(weft_park(WEFT_NOWAIT));
	join(fiber);
}
END_TEST

START_TEST(a_permit_ends_with_its_fiber)
{
	for (int i = 0; i < 3; i++) {
		struct weft_fiber *fiber = spawn(nothing, NULL);

		ck_assert_ok(weft_unpark(fiber));
		join(fiber);
		ran = 0;
		fiber = spawn(park_and_note, &i);
		ck_assert_ok(weft_yield());
		ck_assert_int_eq(ran, 0);
		ck_assert_ok(weft_unpark(fiber));
		join(fiber);
	}
	ck_assert_fails(weft_unpark(NULL), EINVAL);
}
END_TEST

/* --- many */

/* Valgrind searches its list of stacks at every switch; to ThreadSanitizer a
 * fiber is a thread, of which it knows 8,128 at most. */
#ifdef WEFT__TSAN
#define MANY 1000
#else
#define MANY (RUNNING_ON_VALGRIND ? 500 : 10000)
#endif

START_TEST(ten_thousand_fibers_are_parked_and_come_back)
{
	struct weft_fiber **fibers = calloc((size_t)MANY, sizeof *fibers);
	int zero = 0;

	for (int i = 0; i < MANY; i++)
		fibers[i] = spawn(park_and_note, &zero);
	ck_assert_ok(weft_yield());
	ck_assert_int_eq(loop_stats().parked, MANY);
	ck_assert_int_eq(loop_stats().fibers, MANY + 1);
	for (int i = 0; i < MANY; i++) {
		ran = 0;
		ck_assert_ok(weft_unpark(fibers[i]));
		join(fibers[i]);
		ck_assert_int_eq(ran, 1);
	}
	free(fibers);
}
END_TEST

static int
spawn_the_next(void *arg)
{
	int *left = arg;

	if (--*left > 0)
		ck_assert_ok(weft_go(spawn_the_next, arg));
	return 0;
}

START_TEST(fibers_that_follow_each_other_share_two_stacks)
{
	uint64_t before = loop_stats().stacks_pooled;
	int left = MANY;

	ck_assert_ok(weft_go(spawn_the_next, &left));
	while (left > 0)
		ck_assert_ok(weft_yield());
	ck_assert_uint_le(loop_stats().stacks_pooled + loop_stats().fibers - 1,
	    before + 2);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("sched");
	TCase *tc = test_case(suite, "order");

	(void)backend;
	tcase_add_test(tc, fibers_run_in_the_order_in_which_they_were_spawned);
	tcase_add_test(tc, a_yield_goes_behind_all_that_are_ready);
	tcase_add_test(tc, a_yield_alone_comes_back_at_once);
	tcase_add_test(tc, unparked_fibers_run_in_the_order_of_the_unparks);
	tcase_add_test(tc, a_permit_waits_for_the_park);
	tcase_add_test(tc, permits_do_not_add_up);
	tcase_add_test(tc, a_permit_does_not_end_another_wait);
	tcase_add_test(tc, a_permit_ends_with_its_fiber);
	tcase_add_test(tc, fibers_that_follow_each_other_share_two_stacks);
	tcase_add_test(tc, ten_thousand_fibers_are_parked_and_come_back);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
