/* SPDX-License-Identifier: MIT */
/*
 * tests/check_sync.c - what is special about semaphore, event, wait group and
 * barrier; what all waits share is in check_waits.c.
 */
#include "config.h"

#include <limits.h>

#include "tests/harness.h"
#include "weft/sync.h"

enum { FIBERS = 20, ROUNDS = 100 };

static struct weft_semaphore semaphore;
static struct weft_event event;
static struct weft_waitgroup waitgroup;
static struct weft_barrier barrier;

static void
reset(void)
{
	ck_assert_gives(weft_semaphore_init(&semaphore, 0), 0);
	ck_assert_gives(weft_event_init(&event), 0);
	ck_assert_gives(weft_waitgroup_init(&waitgroup), 0);
}

static unsigned
chance(unsigned *random, unsigned n)
{
	*random = *random * 1103515245u + 12345u;
	return (*random >> 16) % n;
}

START_TEST(zeroed_objects_are_ready_for_use)
{
	struct weft_semaphore s = { 0 };
	struct weft_event e = { 0 };
	struct weft_waitgroup w = { 0 };

	ck_assert_gives(weft_semaphore_post(&s), 0);
	ck_assert_gives(weft_semaphore_wait(&s, WEFT_NEVER), 0);
	ck_assert_gives(weft_event_set(&e), 0);
	ck_assert_gives(weft_event_wait(&e, WEFT_NEVER), 0);
	ck_assert_gives(weft_waitgroup_wait(&w, WEFT_NEVER), 0);
	ck_assert_gives(weft_semaphore_destroy(&s), 0);
	ck_assert_gives(weft_event_destroy(&e), 0);
	ck_assert_gives(weft_waitgroup_destroy(&w), 0);
}
END_TEST

static int
wake_cancelled(void *arg)
{
	(void)arg;
	ck_assert_ok(weft_cancel(weft_self()));
	ck_assert_gives(weft_semaphore_post(&semaphore), 0);
	ck_assert_gives(weft_event_set(&event), 0);
	ck_assert_gives(weft_event_clear(&event), 0);
	ck_assert_gives(weft_waitgroup_add(&waitgroup, 2), 0);
	ck_assert_gives(weft_waitgroup_done(&waitgroup), 0);
	return 7;
}

START_TEST(a_cancelled_fiber_can_still_wake_others)
{
	struct weft_fiber *fiber = weft_spawn(wake_cancelled, NULL);
	int result;

	ck_assert_ok(weft_join(fiber, &result, soon_enough()));
	ck_assert_int_eq(result, 7);
	ck_assert_ok(weft_semaphore_wait(&semaphore, WEFT_NOWAIT));
	ck_assert_fails(weft_event_wait(&event, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_waitgroup_wait(&waitgroup, WEFT_NOWAIT), EAGAIN);
}
END_TEST

/* --- semaphore */

START_TEST(as_many_pass_as_the_value_says)
{
	for (unsigned n = 0; n < 10; n++) {
		ck_assert_ok(weft_semaphore_init(&semaphore, n));
		for (unsigned i = 0; i < n; i++)
			ck_assert_gives(weft_semaphore_wait(&semaphore, WEFT_NOWAIT), 0);
		ck_assert_fails(weft_semaphore_wait(&semaphore, WEFT_NOWAIT), EAGAIN);
	}
}
END_TEST

START_TEST(a_semaphore_does_not_overflow)
{
	ck_assert_ok(weft_semaphore_init(&semaphore, UINT_MAX));
	ck_assert_fails(weft_semaphore_post(&semaphore), EOVERFLOW);
	ck_assert_ok(weft_semaphore_wait(&semaphore, WEFT_NOWAIT));
	ck_assert_ok(weft_semaphore_post(&semaphore));
}
END_TEST

struct taker {
	struct weft_fiber *fiber;
	unsigned random;
	int got;
};

static int
take_some(void *arg)
{
	struct taker *t = arg;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t deadline = chance(&t->random, 3) == 0 ? WEFT_NOWAIT :
		    weft_after((int64_t)chance(&t->random, 3) - 1);

		if (weft_semaphore_wait(&semaphore, deadline) == 0)
			t->got++;
		if (chance(&t->random, 4) == 0)
			weft_yield();
	}
	return 0;
}

START_TEST(no_permit_is_lost_or_made_up)
{
	struct taker takers[FIBERS];
	unsigned random = (unsigned)_i;
	int posted = 0, got = 0;

	for (unsigned i = 0; i < FIBERS; i++) {
		takers[i] = (struct taker){ .random = i + (unsigned)_i * 100 };
		takers[i].fiber = weft_spawn(take_some, &takers[i]);
	}
	for (int i = 0; i < ROUNDS * 2; i++) {
		for (unsigned n = chance(&random, 5); n > 0; n--, posted++)
			ck_assert_ok(weft_semaphore_post(&semaphore));
		ck_assert_ok(weft_yield());
		if (i % 20 == 0)
			ck_assert_ok(weft_cancel(takers[i / 20].fiber));
	}
	for (int i = 0; i < FIBERS; i++) {
		ck_assert_ok(weft_join(takers[i].fiber, NULL, soon_enough()));
		got += takers[i].got;
	}
	for (; weft_semaphore_wait(&semaphore, WEFT_NOWAIT) == 0; got++)
		;
	ck_assert_int_eq(got, posted);
}
END_TEST

static int
wait_and_leave(void *arg)
{
	return weft_semaphore_wait(arg, WEFT_NEVER);
}

START_TEST(who_has_been_woken_does_not_look_at_the_object_any_more)
{
	struct weft_semaphore *s = calloc(1, sizeof *s);
	struct weft_fiber *fiber = weft_spawn(wait_and_leave, s);
	int result = -1;

	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_semaphore_post(s));
	ck_assert_ok(weft_semaphore_destroy(s));
	memset(s, 0xff, sizeof *s);
	free(s);
	ck_assert_ok(weft_join(fiber, &result, soon_enough()));
	ck_assert_int_eq(result, 0);
}
END_TEST

/* --- event */

static int
wait_for_event(void *arg)
{
	(void)arg;
	return weft_event_wait(&event, soon_enough());
}

START_TEST(an_event_stays_set_until_it_is_cleared)
{
	ck_assert_ok(weft_event_set(&event));
	ck_assert_ok(weft_event_set(&event));
	for (int i = 0; i < 3; i++)
		ck_assert_ok(weft_event_wait(&event, WEFT_NOWAIT));
	ck_assert_ok(weft_event_clear(&event));
	ck_assert_fails(weft_event_wait(&event, WEFT_NOWAIT), EAGAIN);
}
END_TEST

START_TEST(who_waited_when_it_was_set_passes_even_if_it_is_cleared_at_once)
{
	struct weft_fiber *fibers[5];
	int result;

	for (int i = 0; i < 5; i++)
		fibers[i] = weft_spawn(wait_for_event, NULL);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_event_set(&event));
	ck_assert_ok(weft_event_clear(&event));
	for (int i = 0; i < 5; i++) {
		ck_assert_ok(weft_join(fibers[i], &result, soon_enough()));
		ck_assert_int_eq(result, 0);
	}
}
END_TEST

/* --- wait group */

static int
work(void *arg)
{
	int *finished = arg;

	ck_assert_ok(weft_yield());
	++*finished;
	ck_assert_ok(weft_waitgroup_done(&waitgroup));
	return 0;
}

START_TEST(a_wait_group_waits_for_all_and_can_be_used_again)
{
	for (int n = 0; n < 10; n++) {
		int finished = 0;

		ck_assert_ok(weft_waitgroup_add(&waitgroup, n));
		for (int i = 0; i < n; i++)
			ck_assert_ok(weft_go(work, &finished));
		ck_assert_ok(weft_waitgroup_wait(&waitgroup, soon_enough()));
		ck_assert_int_eq(finished, n);
	}
}
END_TEST

START_TEST(a_wait_group_has_a_lowest_and_a_highest_count)
{
	ck_assert_fails(weft_waitgroup_done(&waitgroup), EINVAL);
	ck_assert_ok(weft_waitgroup_add(&waitgroup, 3));
	ck_assert_fails(weft_waitgroup_add(&waitgroup, -4), EINVAL);
	ck_assert_ok(weft_waitgroup_add(&waitgroup, -3));
	ck_assert_ok(weft_waitgroup_wait(&waitgroup, WEFT_NOWAIT));
	ck_assert_ok(weft_waitgroup_add(&waitgroup, INT_MAX));
	ck_assert_ok(weft_waitgroup_add(&waitgroup, INT_MAX));
	ck_assert_fails(weft_waitgroup_add(&waitgroup, INT_MAX), EOVERFLOW);
	ck_assert_ok(weft_waitgroup_add(&waitgroup, 1));        /* UINT_MAX */
	ck_assert_fails(weft_waitgroup_add(&waitgroup, 1), EOVERFLOW);
	ck_assert_ok(weft_waitgroup_add(&waitgroup, INT_MIN));
}
END_TEST

/* --- barrier */

struct comer {
	struct weft_fiber *fiber;
	int64_t deadline;
	int rounds, ones, error;
};

static int come[64];

static int
come_to_barrier(void *arg)
{
	struct comer *c = arg;

	for (int i = 0; i < c->rounds; i++) {
		int result;

		come[i]++;
		result = weft_barrier_wait(&barrier, c->deadline);
		if (result < 0) {
			c->error = errno;
			return 0;
		}
		c->ones += result;
		ck_assert_int_eq(come[i], (int)barrier.count);
	}
	return 0;
}

START_TEST(nobody_passes_before_all_have_come_and_one_gets_the_1)
{
	struct comer comers[9];

	for (unsigned n = 1; n <= 9; n++) {
		int ones = 0;

		memset(come, 0, sizeof come);
		ck_assert_ok(weft_barrier_init(&barrier, n));
		for (unsigned i = 0; i < n; i++) {
			comers[i] = (struct comer){ .rounds = 50,
			    .deadline = soon_enough() };
			comers[i].fiber = weft_spawn(come_to_barrier, &comers[i]);
		}
		for (unsigned i = 0; i < n; i++) {
			ck_assert_ok(weft_join(comers[i].fiber, NULL, soon_enough()));
			ck_assert_int_eq(comers[i].error, 0);
			ones += comers[i].ones;
		}
		ck_assert_int_eq(ones, 50);
		ck_assert_ok(weft_barrier_destroy(&barrier));
	}
}
END_TEST

START_TEST(one_who_gives_up_has_not_come)
{
	struct comer quitter = { .rounds = 1, .deadline = WEFT_NEVER };
	struct comer comer = quitter;

	ck_assert_ok(weft_barrier_init(&barrier, 2));
	quitter.fiber = weft_spawn(come_to_barrier, &quitter);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(quitter.fiber));
	ck_assert_ok(weft_join(quitter.fiber, NULL, soon_enough()));
	ck_assert_int_eq(quitter.error, ECANCELED);
	ck_assert_fails(weft_barrier_wait(&barrier, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_barrier_wait(&barrier, weft_after(1)), ETIMEDOUT);
	come[0] = 1;
	comer.fiber = weft_spawn(come_to_barrier, &comer);
	ck_assert_ok(weft_yield());
	ck_assert_int_eq(weft_barrier_wait(&barrier, WEFT_NOWAIT), 1);
	ck_assert_ok(weft_join(comer.fiber, NULL, soon_enough()));
	ck_assert_int_eq(comer.error, 0);
}
END_TEST

START_TEST(one_who_is_cancelled_but_still_there_when_the_last_comes_passes)
{
	struct comer comer = { .rounds = 1, .deadline = WEFT_NEVER };

	come[0] = 1;
	ck_assert_ok(weft_barrier_init(&barrier, 2));
	comer.fiber = weft_spawn(come_to_barrier, &comer);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(comer.fiber));
	ck_assert_int_eq(weft_barrier_wait(&barrier, WEFT_NOWAIT), 1);
	ck_assert_ok(weft_join(comer.fiber, NULL, soon_enough()));
	ck_assert_int_eq(comer.error, 0);
	ck_assert_fails(weft_barrier_wait(&barrier, WEFT_NOWAIT), EAGAIN);
}
END_TEST

START_TEST(a_barrier_for_nobody_is_EINVAL)
{
	struct weft_barrier zeroed = { 0 };

	ck_assert_fails(weft_barrier_init(&barrier, 0), EINVAL);
	ck_assert_fails(weft_barrier_wait(&zeroed, WEFT_NEVER), EINVAL);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("sync");
	TCase *tc = test_case(suite, "sync");

	(void)backend;
	tcase_add_checked_fixture(tc, reset, NULL);
	tcase_add_test(tc, zeroed_objects_are_ready_for_use);
	tcase_add_test(tc, a_cancelled_fiber_can_still_wake_others);
	tcase_add_test(tc, as_many_pass_as_the_value_says);
	tcase_add_test(tc, a_semaphore_does_not_overflow);
	tcase_add_loop_test(tc, no_permit_is_lost_or_made_up, 0, 5);
	tcase_add_test(tc, who_has_been_woken_does_not_look_at_the_object_any_more);
	tcase_add_test(tc, an_event_stays_set_until_it_is_cleared);
	tcase_add_test(tc, who_waited_when_it_was_set_passes_even_if_it_is_cleared_at_once);
	tcase_add_test(tc, a_wait_group_waits_for_all_and_can_be_used_again);
	tcase_add_test(tc, a_wait_group_has_a_lowest_and_a_highest_count);
	tcase_add_test(tc, nobody_passes_before_all_have_come_and_one_gets_the_1);
	tcase_add_test(tc, one_who_gives_up_has_not_come);
	tcase_add_test(tc, one_who_is_cancelled_but_still_there_when_the_last_comes_passes);
	tcase_add_test(tc, a_barrier_for_nobody_is_EINVAL);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
