/* SPDX-License-Identifier: MIT */
/*
 * tests/check_trim.c - what a burst of fibers leaves behind goes back to the
 * system, and what was there is as good as new.
 */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "fiber/fiber.h"
#include "fiber/stack_guard.h"
#include "tests/harness.h"
#include "tests/under_valgrind.h"

/* To ThreadSanitizer a fiber is a thread, with a megabyte of what it has done, and
 * of large stacks few are kept. */
#ifdef WEFT__TSAN
enum { MOST = 400, KEPT = 200, RARE = 200, STACK = 1 << 20 };
#else
enum { MOST = 10000, KEPT = 4000, RARE = 1000, STACK = 0 };
#endif
enum { DEPTH = 12 << 10, KIB = 1024 };

/* Valgrind searches its list of stacks at every switch. */
#define BURST (RUNNING_ON_VALGRIND ? 2000 : MOST)
#define STAYS (RUNNING_ON_VALGRIND ? 1300u : (unsigned)KEPT)

static struct weft_fiber *fibers[MOST];

/* KiB; 0 where the system does not tell. */
static long
resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long total, pages = 0;

	if (f != NULL) {
		if (fscanf(f, "%ld %ld", &total, &pages) != 2)
			pages = 0;
		fclose(f);
	}
	return pages * (long)(weft__page_size() / KIB);
}

static int
go_deep(void *arg)
{
	volatile char frame[DEPTH];
	size_t i;

	for (i = 0; i < sizeof frame; i += 512)
		frame[i] = 1;
	return weft_park(WEFT_NEVER) + frame[0] - (arg == NULL);
}

static struct weft_fiber *
spawn(weft_fn *fn, void *arg)
{
	struct weft_fiber_options options = { .size = sizeof options, .stack_size = STACK };

	return weft_spawn_with(&options, fn, arg);
}

static void
spawn_burst(void)
{
	int i, failed = 0;

	for (i = 0; i < BURST; i++) {
		fibers[i] = spawn(go_deep, NULL);
		failed += fibers[i] == NULL;
	}
	ck_assert_int_eq(failed, 0);
	ck_assert_ok(weft_yield());
}

/* In an order that is not that of their stacks; every `rest`th stays. */
static void
end_burst(int rest)
{
	int i, at, result, failed = 0;

	for (i = 0; i < BURST; i++) {
		at = (int)((int64_t)i * 7919 % BURST);
		if (rest != 0 && at % rest == 0)
			continue;
		weft_unpark(fibers[at]);
		failed += weft_join(fibers[at], &result, WEFT_NEVER) != 0 || result != 0;
	}
	ck_assert_int_eq(failed, 0);
}

/* Sleeps, as a loop does that has nothing to do, until the pool is small. */
static void
sleep_until_trimmed(void)
{
	int64_t deadline = soon_enough();

	while (loop_stats().stacks_pooled > STAYS && weft_now() < deadline)
		ck_assert_ok(weft_sleep(weft_after(50)));
	ck_assert_uint_le(loop_stats().stacks_pooled, STAYS);
}

START_TEST(after_a_burst_memory_goes_back_to_the_system)
{
	long before = resident(), most;

	spawn_burst();
	most = resident() - before;
	ck_assert_uint_gt(weft__loop()->blocks, BURST);
	end_burst(0);
	sleep_until_trimmed();
#ifndef WEFT__SANITIZED
	if (before != 0 && !RUNNING_ON_VALGRIND)        /* which notes what is where */
		ck_assert_msg(resident() - before < most / 4,
		    "%ld of %ld KiB are still there", resident() - before, most);
#endif
	(void)most;
}
END_TEST

/* How often memory was given back. */
static atomic_int advices;

int __real_madvise(void *, size_t, int);
int __wrap_madvise(void *, size_t, int);

int
__wrap_madvise(void *start, size_t length, int advice)
{
	advices++;
	return __real_madvise(start, length, advice);
}

/* No timer and no event: it is the trim that the loop wakes up for. */
static void *
post_when_trimmed(void *arg)
{
	struct weft_loop *loop = arg;
	int i, seen;

	for (i = 0; i < 200 && advices == 0; i++) {
		struct timespec some = { .tv_nsec = 100000000 };

		nanosleep(&some, NULL);
	}
	seen = advices;
	weft_unpark(&loop->main);
	return seen > 0 ? arg : NULL;
}

START_TEST(a_loop_that_sleeps_wakes_up_for_it_once)
{
	struct weft_loop *loop = weft_loop_self();
	uint64_t turns;
	pthread_t thread;
	void *seen;

	do {                            /* where it is slow, it was trimmed already */
		spawn_burst();
		end_burst(0);
	} while (loop->stacks.given < WEFT__TRIM_AFTER);
	turns = loop_stats().turns;
	advices = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, post_when_trimmed, loop), 0);
	ck_assert_ok(weft_park(soon_enough()));
	pthread_join(thread, &seen);
	ck_assert_ptr_nonnull(seen);
	ck_assert_uint_le(loop_stats().stacks_pooled, STAYS);
	ck_assert_uint_le(loop_stats().turns - turns, 4);
}
END_TEST

static int
yield_for(void *until)
{
	while (weft_now() < *(int64_t *)until && loop_stats().stacks_pooled > STAYS)
		weft_yield();
	return 0;
}

START_TEST(a_busy_loop_is_trimmed_too)
{
	int64_t until = soon_enough();

	spawn_burst();
	end_burst(0);
	yield_for(&until);
	ck_assert_uint_le(loop_stats().stacks_pooled, STAYS);
}
END_TEST

START_TEST(fibers_among_those_that_went_go_on)
{
	int i, failed = 0;

	spawn_burst();
	end_burst(RARE);
	sleep_until_trimmed();
	for (i = 0; i < BURST; i += RARE) {
		weft_unpark(fibers[i]);
		failed += weft_join(fibers[i], NULL, soon_enough()) != 0;
	}
	ck_assert_int_eq(failed, 0);
}
END_TEST

START_TEST(what_was_trimmed_is_used_again)
{
	size_t mapped;
	int round;

	for (round = 0; round < 2; round++) {
		spawn_burst();
		end_burst(0);
		sleep_until_trimmed();
		if (round == 0)
			mapped = weft__loop()->stacks.mapped;
	}
	ck_assert_uint_eq(weft__loop()->stacks.mapped, mapped);
}
END_TEST

static int
sleep_long(void *arg)
{
	(void)arg;
	return weft_sleep(weft_after(3600000));
}

/* The timer of a fiber that has been cancelled stays in the heap at first. */
START_TEST(timers_of_fibers_that_went_are_forgotten)
{
	int i, failed = 0;

	for (i = 0; i < BURST; i++)
		fibers[i] = spawn(sleep_long, NULL);
	ck_assert_ok(weft_yield());
	for (i = 0; i < BURST; i++)
		failed += weft_cancel(fibers[i]) + weft_join(fibers[i], NULL, WEFT_NEVER);
	ck_assert_int_eq(failed, 0);
	sleep_until_trimmed();
	ck_assert_uint_le(weft__loop()->timers.count, STAYS);
}
END_TEST

START_TEST(guards_by_mprotect_are_given_back)
{
	struct weft__stacks *stacks = &weft__loop()->stacks;
	size_t most;

	weft__stack_force_guard(WEFT__GUARD_MPROTECT);
	spawn_burst();
	most = stacks->mprotected;
	end_burst(0);
	sleep_until_trimmed();
	ck_assert_uint_ge(most, BURST);
	ck_assert_uint_le(stacks->mprotected, STAYS);
	spawn_burst();
	ck_assert_uint_ge(stacks->mprotected, BURST);
	ck_assert_uint_le(stacks->mprotected, most);
	end_burst(0);
	weft__stack_force_guard(WEFT__GUARD_AUTO);
}
END_TEST

static weft_key key;

static int
keep_value(void *arg)
{
	return weft_key_get(key) == NULL && weft_key_set(key, arg) == 0 ? 0 : -1;
}

START_TEST(a_fiber_on_such_a_stack_is_a_new_one)
{
	uint64_t newest;
	int i, result, failed = 0;

	ck_assert_ok(weft_key_create(&key, NULL));
	spawn_burst();
	newest = weft_fiber_id(fibers[BURST - 1]);
	end_burst(0);
	sleep_until_trimmed();
	for (i = 0; i < BURST; i++) {
		fibers[i] = spawn(keep_value, fibers);
		failed += weft_fiber_id(fibers[i]) != newest + 1 + (uint64_t)i ||
		    *weft_name(fibers[i]) != '\0';
	}
	for (i = 0; i < BURST; i++)
		failed += weft_join(fibers[i], &result, WEFT_NEVER) != 0 || result != 0;
	ck_assert_int_eq(failed, 0);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("trim");
	TCase *tc = test_case(suite, "trim");

	tcase_add_test(tc, after_a_burst_memory_goes_back_to_the_system);
	tcase_add_test(tc, a_loop_that_sleeps_wakes_up_for_it_once);
	tcase_add_test(tc, a_busy_loop_is_trimmed_too);
	tcase_add_test(tc, fibers_among_those_that_went_go_on);
	tcase_add_test(tc, what_was_trimmed_is_used_again);
	tcase_add_test(tc, timers_of_fibers_that_went_are_forgotten);
	tcase_add_test(tc, guards_by_mprotect_are_given_back);
	tcase_add_test(tc, a_fiber_on_such_a_stack_is_a_new_one);
	return suite;
}

int
main(void)
{
	return weft_test_main_once(make_suite);
}
