/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stack_guard.c - what stands below stacks, and what happens when
 * there is no memory for them.
 */
#include "config.h"

#include "tests/stacks.h"

static void
write_byte(void *at)
{
	*(volatile char *)at = 1;
}

static const enum weft__guard real_guards[] = { WEFT__GUARD_MADVISE,
	WEFT__GUARD_MPROTECT };

START_TEST(a_byte_below_low_is_a_fault)
{
	if (!force(real_guards[_i]))
		return;
	for (int i = 0; i < 5; i++) {
		struct weft__stack *s = take(64 * KIB);

		ck_assert_int_eq(s->guard, real_guards[_i]);
		ck_assert_int_eq(death(write_byte, s->low), 0);
		ck_assert(is_fault(death(write_byte, s->low - 1)));
		ck_assert(is_fault(death(write_byte, s->low - page_size())));
	}
}
END_TEST

START_TEST(the_guard_still_stands_after_pages_were_dropped)
{
	static struct weft__stack *s[1030];

	if (!force(real_guards[_i]))
		return;
	for (int i = 0; i < 1030; i++)
		s[i] = take(16 * KIB);
	for (int i = 0; i < 1030; i++)
		weft__stack_give(&pool, s[i]);
	ck_assert(is_fault(death(write_byte, s[1029]->low - 1)));
}
END_TEST

static struct weft__context main_context, fiber_context;

static int
recurse(volatile int *n)
{
	volatile char frame[300];

	frame[0] = (char)++*n;
	return *n > 0 ? recurse(n) + frame[0] : 0;
}

static void
run_away(void *arg)
{
	volatile int n = 0;

	recurse(&n);
	weft__context_leave(arg, &main_context);
}

static void
start_run_away(void *stack)
{
	struct weft__stack *s = stack;

	weft__context_adopt(&main_context);
	weft__context_make(&fiber_context, s->low, weft__stack_size(s),
	    run_away, &fiber_context);
	weft__context_switch(&main_context, &fiber_context);
}

START_TEST(runaway_recursion_ends_at_the_guard)
{
	struct weft__stack *below, *s;

	if (!force(real_guards[_i]))
		return;
	below = take(64 * KIB);
	s = take(64 * KIB);
	ck_assert(below < s);
	ck_assert(is_fault(death(start_run_away, s)));
}
END_TEST

static void
give(void *stack)
{
	weft__stack_give(&pool, stack);
}

START_TEST(a_canary_tells_that_the_stack_was_too_small)
{
	struct weft__stack *s;

	ck_assert(force(WEFT__GUARD_CANARY));
	s = take(64 * KIB);
	memset(s->low, 0xff, weft__stack_size(s));
	ck_assert(weft__stack_intact(s));
	ck_assert_int_eq(death(give, s), 0);
	s->low[-1] ^= 1;
	ck_assert(!weft__stack_intact(s));
	ck_assert_int_eq(death(give, s), SIGABRT);
	s->low[-1] ^= 1;
	ck_assert(weft__stack_intact(s));
}
END_TEST

START_TEST(the_guard_in_use_has_a_name)
{
	static const char *const names[] = { "madvise", "mprotect", "canary" };

	for (int i = 0; i < 3; i++)
		if (force((enum weft__guard)(WEFT__GUARD_MADVISE + i))) {
			weft__stacks_destroy(&pool);
			weft__stack_force_guard(
			    (enum weft__guard)(WEFT__GUARD_MADVISE + i));
			take(0);
			ck_assert_str_eq(weft__stack_guard(), names[i]);
			weft__stacks_destroy(&pool);
		}
}
END_TEST

START_TEST(a_guard_is_chosen_unasked)
{
	take(0);
	ck_assert_str_ne(weft__stack_guard(), "none yet");
	ck_assert_str_ne(weft__stack_guard(), "canary");
}
END_TEST

/* Every stack is given out all the same. */
START_TEST(when_mappings_run_short_canaries_take_over)
{
#ifdef __linux__
	int canaries = 0, maps = count_maps();

	if (RUNNING_ON_VALGRIND)
		return;		/* it has a limit of its own */
	ck_assert(force(WEFT__GUARD_MPROTECT));
	for (int i = 0; i < 31000; i++)
		canaries += take(16 * KIB)->guard == WEFT__GUARD_CANARY;
	if (maps >= 0)
		ck_assert_int_lt(count_maps() - maps, 65530 - 4000);
	ck_assert_int_gt(canaries, 0);
	ck_assert_str_eq(weft__stack_guard(), "canary");
	weft__stacks_destroy(&pool);
	ck_assert_int_eq(take(16 * KIB)->guard, WEFT__GUARD_MPROTECT);
#endif
}
END_TEST

START_TEST(guards_by_madvise_cost_no_mappings)
{
	int before = count_maps();

	if (!force(WEFT__GUARD_MADVISE))
		return;
	for (int i = 0; i < 20000; i++)
		take(64 * KIB);
	if (before >= 0)
		ck_assert_int_lt(count_maps() - before, 200);
}
END_TEST

START_TEST(when_memory_runs_out_it_is_ENOMEM_and_nothing_leaks)
{
	struct weft__stack *s;
	size_t before_all = mapped;
	int taken = 0;

	for (int before = 0; before < 4; before++) {
		mmaps_before = before;
		mmaps_to_fail = 100;
		while ((s = weft__stack_take(&pool, 16 * KIB)) != NULL)
			taken++;
		ck_assert_int_eq(errno, ENOMEM);
		mmaps_to_fail = 0;
		ck_assert_uint_eq(mapped - before_all, pool.mapped);
		weft__stacks_destroy(&pool);
		ck_assert_uint_eq(mapped, before_all);
	}
	/* One region, two and three, each twice as large as the last. */
	ck_assert_int_gt(taken, 6 * (int)(1024 * KIB /
	    (16 * KIB + weft__stack_guard_size())));
}
END_TEST

START_TEST(when_malloc_fails_it_is_ENOMEM_and_the_next_take_succeeds)
{
	struct weft__stack *s;

	mallocs_to_fail = 1;
	s = weft__stack_take(&pool, 0);
	mallocs_to_fail = 0;
	ck_assert_ptr_null(s);
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_eq(pool.taken, 0);
	take(0);
}
END_TEST

START_TEST(a_region_that_does_not_fit_is_tried_smaller)
{
	mmaps_to_fail = 2;
	take(16 * KIB);
	ck_assert_int_eq(mmaps_to_fail, 0);
	ck_assert_uint_lt(pool.mapped, 512 * KIB);
}
END_TEST

START_TEST(three_fibers_are_charged_one_small_region)
{
	for (int i = 0; i < 3; i++)
		take(0);
	ck_assert_uint_le(pool.mapped, 1024 * KIB);
}
END_TEST

START_TEST(regions_grow_so_that_many_stacks_need_few)
{
	int calls = 1000000;

	mmaps_before = calls;
	mmaps_to_fail = 1;
	for (int i = 0; i < 10000; i++)
		take(16 * KIB);
	ck_assert_int_lt(calls - mmaps_before, 20);
	ck_assert_int_gt(calls - mmaps_before, 2);
}
END_TEST

START_TEST(destroy_unmaps_all_and_leaves_an_empty_pool)
{
	size_t before = mapped;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 200; i++)
			take(sizes[i % 5]);
		ck_assert_uint_eq(mapped - before, pool.mapped);
		weft__stacks_destroy(&pool);
		ck_assert_uint_eq(mapped, before);
		ck_assert_uint_eq(pool.mapped, 0);
		ck_assert_uint_eq(pool.taken, 0);
	}
}
END_TEST

static void
add_guard_tests(TCase *tc)
{
	tcase_add_loop_test(tc, a_byte_below_low_is_a_fault, 0, 2);
	tcase_add_loop_test(tc, the_guard_still_stands_after_pages_were_dropped,
	    0, 2);
	tcase_add_loop_test(tc, runaway_recursion_ends_at_the_guard, 0, 2);
	tcase_add_test(tc, a_canary_tells_that_the_stack_was_too_small);
	tcase_add_test(tc, the_guard_in_use_has_a_name);
	tcase_add_test(tc, a_guard_is_chosen_unasked);
	tcase_add_test(tc, when_mappings_run_short_canaries_take_over);
	tcase_add_test(tc, guards_by_madvise_cost_no_mappings);
}

static void
add_memory_tests(TCase *tc)
{
	tcase_add_test(tc, when_memory_runs_out_it_is_ENOMEM_and_nothing_leaks);
	tcase_add_test(tc,
	    when_malloc_fails_it_is_ENOMEM_and_the_next_take_succeeds);
	tcase_add_test(tc, a_region_that_does_not_fit_is_tried_smaller);
	tcase_add_test(tc, three_fibers_are_charged_one_small_region);
	tcase_add_test(tc, regions_grow_so_that_many_stacks_need_few);
	tcase_add_test(tc, destroy_unmaps_all_and_leaves_an_empty_pool);
}

int
main(void)
{
	static void (*const add[])(TCase *) = { add_guard_tests, add_memory_tests };

	return run_stack_suite("stack_guard", add, 2);
}
