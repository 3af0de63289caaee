/* SPDX-License-Identifier: MIT */
/*
 * tests/check_timer.c - the heap of timers against a model that is too simple
 * to be wrong: an array that is searched from end to end.
 *
 * Linked with -Wl,--wrap=realloc: memory for the heap can be refused.
 */
#include "config.h"

#include "reactor/reactor.h"
#include "tests/harness.h"

enum { TIMERS = 64, OPERATIONS = 100000 };

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

static struct weft__timers timers;
static struct weft__timer all[TIMERS];
static int fired[TIMERS], fired_count;

static void
fire(struct weft__timer *timer)
{
	if (fired_count == TIMERS)
		ck_abort_msg("more timers fired than there are");
	fired[fired_count++] = (int)(timer - all);
}

static void
setup(void)
{
	timers = (struct weft__timers){ .fire = fire };
	for (int i = 0; i < TIMERS; i++)
		all[i] = (struct weft__timer){ .deadline = INT64_MAX };
	fired_count = 0;
	ck_assert_ok(weft__timers_reserve(&timers, TIMERS));
}

static void
teardown(void)
{
	weft__timers_free(&timers);
}

static void
set(int i, int64_t deadline)
{
	weft__timer_set(&timers, &all[i], deadline);
}

static void
expire(int64_t now)
{
	fired_count = 0;
	weft__timers_expire(&timers, now);
}

static void
ck_assert_fired(const int *expected, int count)
{
	int same = 0;

	ck_assert_int_eq(fired_count, count);
	while (same < count && fired[same] == expected[same])
		same++;
	if (same < count)
		ck_abort_msg("timer %d fired as number %d, and not timer %d",
		    fired[same], same, expected[same]);
}

START_TEST(nothing_is_due_without_timers)
{
	ck_assert(weft__timers_next(&timers) == INT64_MAX);
	expire(INT64_MAX - 1);
	ck_assert_int_eq(fired_count, 0);
}
END_TEST

START_TEST(a_timer_never_fires_early_and_fires_once)
{
	set(0, 100);
	ck_assert_int_eq(weft__timers_next(&timers), 100);
	expire(99);
	ck_assert_int_eq(fired_count, 0);
	expire(100);
	ck_assert_int_eq(fired_count, 1);
	ck_assert_int_eq(all[0].index, 0);
	expire(1000);
	ck_assert_int_eq(fired_count, 0);
	ck_assert(weft__timers_next(&timers) == INT64_MAX);
}
END_TEST

START_TEST(timers_fire_in_the_order_of_their_deadlines)
{
	int expected[TIMERS];

	for (int i = 0; i < TIMERS; i++) {
		int at = i * 29 % TIMERS;       /* 29 and 64 share no factor */

		set(at, 1000 + i);
		expected[i] = at;
	}
	expire(2000);
	ck_assert_fired(expected, TIMERS);
}
END_TEST

START_TEST(of_one_deadline_the_first_set_fires_first)
{
	int expected[TIMERS];

	for (int i = 0; i < TIMERS; i++) {
		set(i * 29 % TIMERS, 1000);
		expected[i] = i * 29 % TIMERS;
	}
	expire(1000);
	ck_assert_fired(expected, TIMERS);
}
END_TEST

START_TEST(past_and_huge_deadlines_keep_their_order)
{
	static const int expected[] = { 3, 1, 0 };

	set(0, 1);
	set(1, 0);
	set(2, INT64_MAX - 1);
	set(3, INT64_MIN);
	expire(1);
	ck_assert_fired(expected, 3);
	ck_assert(weft__timers_next(&timers) == INT64_MAX - 1);
	expire(INT64_MAX - 2);
	ck_assert_int_eq(fired_count, 0);
	expire(INT64_MAX - 1);
	ck_assert_int_eq(fired_count, 1);
}
END_TEST

START_TEST(a_timer_set_earlier_fires_earlier)
{
	static const int expected[] = { 1, 0 };

	set(0, 100);
	set(1, 200);
	set(1, 50);
	ck_assert_int_eq(weft__timers_next(&timers), 50);
	expire(100);
	ck_assert_fired(expected, 2);
}
END_TEST

START_TEST(a_sliding_deadline_does_not_touch_the_heap)
{
	set(0, 100);
	for (int64_t deadline = 101; deadline < 10000; deadline++) {
		set(0, deadline);
		ck_assert_int_eq(timers.count, 1);
		/* The entry stays where it was, at its first time. */
		ck_assert_int_eq(weft__timers_next(&timers), 100);
	}
	expire(100);
	ck_assert_int_eq(fired_count, 0);
	ck_assert_int_eq(weft__timers_next(&timers), 9999);
	expire(9998);
	ck_assert_int_eq(fired_count, 0);
	expire(9999);
	ck_assert_int_eq(fired_count, 1);
}
END_TEST

START_TEST(a_timer_that_slid_behind_another_fires_behind_it)
{
	static const int expected[] = { 1, 2, 0 };

	set(0, 100);
	set(1, 150);
	set(2, 200);
	set(0, 200);
	/* All are due at once: the order is theirs, not that of the entries. */
	expire(1000);
	ck_assert_fired(expected, 3);
}
END_TEST

START_TEST(a_timer_that_nobody_waits_for_is_dropped_when_it_comes_up)
{
	set(0, 100);
	all[0].deadline = INT64_MAX;
	ck_assert_int_eq(all[0].index, 1);
	expire(100);
	ck_assert_int_eq(fired_count, 0);
	ck_assert_int_eq(all[0].index, 0);
	ck_assert_int_eq(timers.count, 0);
}
END_TEST

START_TEST(a_removed_timer_does_not_fire)
{
	for (int i = 0; i < TIMERS; i++)
		set(i, 100 + i % 7);
	for (int i = 0; i < TIMERS; i += 2)
		weft__timer_remove(&timers, &all[i]);
	weft__timer_remove(&timers, &all[0]);   /* again: nothing */
	expire(1000);
	ck_assert_int_eq(fired_count, TIMERS / 2);
	for (int i = 0; i < fired_count; i++)
		ck_assert_int_eq(fired[i] % 2, 1);
}
END_TEST

static void
fire_and_set_again(struct weft__timer *timer)
{
	fire(timer);
	if (fired_count < 10)
		weft__timer_set(&timers, timer, fired_count);
}

START_TEST(a_timer_may_be_set_again_while_it_fires)
{
	timers.fire = fire_and_set_again;
	set(0, 1);
	expire(5);
	ck_assert_int_eq(fired_count, 6);
	ck_assert_int_eq(weft__timers_next(&timers), 6);
}
END_TEST

START_TEST(a_refused_reserve_is_an_error_and_the_heap_stays_good)
{
	size_t capacity = timers.capacity;

	for (int i = 0; i < TIMERS; i++)
		set(i, 100 + i);
	reallocs_to_fail = 1;
	ck_assert_fails(weft__timers_reserve(&timers, capacity + 1), ENOMEM);
	ck_assert_int_eq(timers.capacity, capacity);
	ck_assert_ok(weft__timers_reserve(&timers, capacity));
	expire(1000);
	ck_assert_int_eq(fired_count, TIMERS);
	ck_assert_ok(weft__timers_reserve(&timers, capacity + 1));
	ck_assert_int_gt(timers.capacity, capacity);
}
END_TEST

/* --- against the model */

static struct {
	int64_t deadline;
	unsigned long order;
	bool waits;
} model[TIMERS];
static unsigned long orders;

static uint32_t
dice(uint32_t sides)
{
	static uint32_t state = 2463534242u;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % sides;
}

/* The one that fires next, or -1. */
static int
model_next(void)
{
	int best = -1;

	for (int i = 0; i < TIMERS; i++)
		if (model[i].waits && (best < 0 ||
		    model[i].deadline < model[best].deadline ||
		    (model[i].deadline == model[best].deadline &&
		    model[i].order < model[best].order)))
			best = i;
	return best;
}

static void
model_set(int i, int64_t deadline)
{
	set(i, deadline);
	model[i].deadline = deadline;
	model[i].order = ++orders;
	model[i].waits = true;
}

static void
model_expire(int64_t now)
{
	int expected[TIMERS], count = 0, next;

	while ((next = model_next()) >= 0 && model[next].deadline <= now) {
		model[next].waits = false;
		expected[count++] = next;
	}
	expire(now);
	ck_assert_fired(expected, count);
}

/* Every timer knows its place, and none that waits was lost. An assertion is a
 * system call, so there is none for each. */
static void
ck_assert_bounds(int64_t now)
{
	int next = model_next(), beyond = 0, lost = 0;

	if (next >= 0)
		ck_assert_int_le(weft__timers_next(&timers), model[next].deadline);
	ck_assert_int_le(timers.count, TIMERS);
	for (int i = 0; i < TIMERS; i++) {
		beyond += all[i].index > timers.count;
		lost += model[i].waits &&
		    (all[i].index == 0 || all[i].deadline <= now);
	}
	ck_assert_int_eq(beyond, 0);
	ck_assert_int_eq(lost, 0);
}

START_TEST(a_hundred_thousand_random_operations_agree_with_the_model)
{
	int64_t now = 0;

	memset(model, 0, sizeof model);
	for (int n = 0; n < OPERATIONS; n++) {
		int i = (int)dice(TIMERS);

		switch (dice(5)) {
		case 0: case 1:
			model_set(i, now + 1 + dice(50));
			break;
		case 2:
			weft__timer_remove(&timers, &all[i]);
			model[i].waits = false;
			break;
		case 3:         /* as a woken fiber does it */
			all[i].deadline = INT64_MAX;
			model[i].waits = false;
			break;
		default:
			now += dice(10);
			model_expire(now);
			ck_assert_bounds(now);
		}
	}
	model_expire(INT64_MAX - 1);
	ck_assert_int_eq(timers.count, 0);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("timer");
	TCase *tc = test_case_unclean(suite, "heap");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nothing_is_due_without_timers);
	tcase_add_test(tc, a_timer_never_fires_early_and_fires_once);
	tcase_add_test(tc, timers_fire_in_the_order_of_their_deadlines);
	tcase_add_test(tc, of_one_deadline_the_first_set_fires_first);
	tcase_add_test(tc, past_and_huge_deadlines_keep_their_order);
	tcase_add_test(tc, a_timer_set_earlier_fires_earlier);
	tcase_add_test(tc, a_sliding_deadline_does_not_touch_the_heap);
	tcase_add_test(tc, a_timer_that_slid_behind_another_fires_behind_it);
	tcase_add_test(tc, a_timer_that_nobody_waits_for_is_dropped_when_it_comes_up);
	tcase_add_test(tc, a_removed_timer_does_not_fire);
	tcase_add_test(tc, a_timer_may_be_set_again_while_it_fires);
	tcase_add_test(tc, a_refused_reserve_is_an_error_and_the_heap_stays_good);
	tcase_add_test(tc, a_hundred_thousand_random_operations_agree_with_the_model);
	return suite;
}

int
main(void)
{
	return weft_test_main_once(make_suite);
}
