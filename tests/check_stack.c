/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stack.c - stack arenas, guards, pool, high-water marks.
 *
 * Linked with -Wl,--wrap=mmap,--wrap=munmap,--wrap=malloc: the n-th mmap and
 * malloc can fail, and mappings are counted.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

#ifdef HAVE_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#include "fiber/context.h"
#include "fiber/stack.h"
#include "fiber/stack_guard.h"

#define KIB ((size_t)1024)
#define LOST (2 * KIB)		/* most that stagger and header may take */

static struct weft__stacks pool;

/* Faults on demand: this many calls succeed, then so many fail. */
static int mmaps_before, mmaps_to_fail, mallocs_to_fail;

/* Bytes that mmap gave and munmap has not had back. */
static _Atomic size_t mapped;

void *__real_mmap(void *, size_t, int, int, int, off_t);
void *__wrap_mmap(void *, size_t, int, int, int, off_t);
int __real_munmap(void *, size_t);
int __wrap_munmap(void *, size_t);
void *__real_malloc(size_t);
void *__wrap_malloc(size_t);

void *
__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t off)
{
	if (mmaps_to_fail > 0 && mmaps_before-- <= 0) {
		mmaps_to_fail--;
		errno = ENOMEM;
		return MAP_FAILED;
	}
	mapped += size;
	return __real_mmap(at, size, protection, flags, fd, off);
}

int
__wrap_munmap(void *at, size_t size)
{
	mapped -= size;
	return __real_munmap(at, size);
}

void *
__wrap_malloc(size_t size)
{
	if (mallocs_to_fail > 0) {
		mallocs_to_fail--;
		errno = ENOMEM;
		return NULL;
	}
	return __real_malloc(size);
}

static struct weft__stack *
take(size_t size)
{
	struct weft__stack *s = weft__stack_take(&pool, size);

	ck_assert_msg(s != NULL, "no stack of %zu: %s", size, strerror(errno));
	return s;
}

static void
setup(void)
{
	weft__stack_force_guard(WEFT__GUARD_AUTO);
}

static void
teardown(void)
{
	mmaps_to_fail = mallocs_to_fail = 0;
	weft__stacks_destroy(&pool);
}

static long
page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/* -1 where there is no /proc. */
static int
count_maps(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int lines = 0;

	if (maps == NULL)
		return -1;
	for (int c; (c = getc(maps)) != EOF;)
		lines += c == '\n';
	fclose(maps);
	return lines;
}

/* The signal that kills a child which runs f(arg), 0 if it lives. */
static int
death(void (*f)(void *), void *arg)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		f(arg);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static bool
is_fault(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS;
}

/* False: this system has no such rung, or an emulator says so and does not. */
static bool
force(enum weft__guard rung)
{
	struct weft__stack *s;

	weft__stack_force_guard(WEFT__GUARD_AUTO);
	s = take(0);
	weft__stack_give(&pool, s);
	if (s->guard > rung)
		return false;
	weft__stacks_destroy(&pool);
	weft__stack_force_guard(rung);
	s = take(0);
	weft__stack_give(&pool, s);
	return s->guard == rung;
}

static const size_t sizes[] = { 16 * KIB, 64 * KIB, 256 * KIB, 1024 * KIB,
	4096 * KIB };

START_TEST(every_byte_from_low_to_top_can_be_written)
{
	struct weft__stack *s = take(sizes[_i]);

	memset(s->low, 0xa5, weft__stack_size(s));
	ck_assert_int_eq(s->low[0], (char)0xa5);
	ck_assert_int_eq(((char *)s)[-1], (char)0xa5);
	weft__stack_give(&pool, s);
}
END_TEST

START_TEST(sizes_are_rounded_up_to_a_class)
{
	size_t class = sizes[_i], below = class / 4;
	size_t asked[] = { below + 1, class - 1, class };

	for (int i = _i == 0 ? 1 : 0; i < 3; i++) {
		struct weft__stack *s = take(asked[i]);

		ck_assert_uint_le(weft__stack_size(s), class);
		ck_assert_uint_ge(weft__stack_size(s), class - LOST);
		weft__stack_give(&pool, s);
	}
}
END_TEST

START_TEST(the_smallest_size_gets_the_smallest_class)
{
	ck_assert_uint_le(weft__stack_size(take(1)), 16 * KIB);
}
END_TEST

START_TEST(size_0_is_the_default)
{
	size_t size = weft__stack_size(take(0));

	ck_assert_uint_le(size, WEFT__STACK_DEFAULT);
	ck_assert_uint_ge(size, WEFT__STACK_DEFAULT - LOST);
}
END_TEST

START_TEST(the_maximum_can_be_taken_and_more_is_EINVAL)
{
	struct weft__stack *s = take(WEFT__STACK_MAX);

	s->low[0] = 1;
	errno = 0;
	ck_assert_ptr_null(weft__stack_take(&pool, WEFT__STACK_MAX + 1));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_null(weft__stack_take(&pool, SIZE_MAX));
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(a_fresh_stack_is_all_zero_and_on_its_first_use)
{
	struct weft__stack *s = take(64 * KIB);

	ck_assert_uint_eq(s->uses, 1);
	for (char *p = s->low; p < (char *)s; p++)
		ck_assert_int_eq(*p, 0);
	weft__stack_give(&pool, s);
	ck_assert_uint_eq(take(64 * KIB)->uses, 2);
}
END_TEST

START_TEST(the_last_given_is_the_first_taken)
{
	struct weft__stack *a = take(0), *b = take(0), *c = take(0);

	weft__stack_give(&pool, b);
	weft__stack_give(&pool, a);
	ck_assert_ptr_eq(take(0), a);
	ck_assert_ptr_eq(take(0), b);
	ck_assert_ptr_ne(take(0), c);
	ck_assert_uint_eq(pool.taken, 4);
}
END_TEST

START_TEST(classes_do_not_share_stacks)
{
	struct weft__stack *small = take(16 * KIB);

	weft__stack_give(&pool, small);
	ck_assert_ptr_ne(take(64 * KIB), small);
	ck_assert_ptr_eq(take(16 * KIB), small);
}
END_TEST

START_TEST(tops_are_aligned_and_take_sixteen_places_in_the_page)
{
	bool seen[64] = { false };
	int places = 0;

	for (int i = 0; i < 64; i++) {
		size_t at = (uintptr_t)take(0) % 4096;

		ck_assert_uint_eq(at % 64, 0);
		ck_assert_uint_ge(at, 4096 - LOST);
		places += !seen[at / 64];
		seen[at / 64] = true;
	}
	ck_assert_int_eq(places, 16);
}
END_TEST

START_TEST(stacks_do_not_touch_one_another)
{
	enum { COUNT = 700 };
	static struct weft__stack *s[COUNT];

	for (int i = 0; i < COUNT; i++) {
		s[i] = take(16 * KIB);
		memset(s[i]->low, i % 251, 64);
		memset((char *)s[i] - 64, i % 241, 64);
	}
	for (int i = 0; i < COUNT; i++)
		for (int j = 0; j < 64; j++) {
			ck_assert_int_eq((unsigned char)s[i]->low[j], i % 251);
			ck_assert_int_eq(((unsigned char *)s[i])[-1 - j],
			    i % 241);
		}
}
END_TEST

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

START_TEST(high_water_is_where_the_deepest_page_in_use_begins)
{
	struct weft__stack *s = take(256 * KIB);
	size_t page = (size_t)page_size();

	ck_assert_uint_le(weft__stack_high_water(s), page);
	ck_assert_uint_gt(weft__stack_high_water(s), 0);
	((char *)s)[-100 * (long)KIB] = 1;
	ck_assert_uint_ge(weft__stack_high_water(s), 100 * KIB);
	ck_assert_uint_le(weft__stack_high_water(s), 100 * KIB + page);
	s->low[0] = 1;
	ck_assert_uint_eq(weft__stack_high_water(s), weft__stack_size(s));
}
END_TEST

START_TEST(high_water_is_right_for_large_stacks)
{
	struct weft__stack *s = take(WEFT__STACK_MAX);

	((char *)s)[-50000 * (long)KIB] = 1;
	ck_assert_uint_ge(weft__stack_high_water(s), 50000 * KIB);
	ck_assert_uint_le(weft__stack_high_water(s),
	    50000 * KIB + (size_t)page_size());
}
END_TEST

START_TEST(what_is_in_the_pool_stays_readable_at_its_top)
{
	enum { COUNT = 3000, BLOCK = 320 };
	static struct weft__stack *s[COUNT];

	for (int i = 0; i < COUNT; i++) {
		s[i] = take(64 * KIB);
		memset((char *)s[i] - BLOCK, i % 251, BLOCK);
	}
	for (int i = 0; i < COUNT; i++)
		weft__stack_give(&pool, s[i]);
	for (int i = 0; i < COUNT; i++)
		for (int j = 1; j <= BLOCK; j++)
			ck_assert_int_eq(((unsigned char *)s[i])[-j], i % 251);
}
END_TEST

START_TEST(of_many_given_stacks_the_last_keep_one_page)
{
	enum { COUNT = 1100 };
	static struct weft__stack *s[COUNT];

	for (int i = 0; i < COUNT; i++)
		(s[i] = take(64 * KIB))->low[0] = 1;
	for (int i = 0; i < COUNT; i++)
		weft__stack_give(&pool, s[i]);
	ck_assert_uint_eq(weft__stack_high_water(s[0]),
	    weft__stack_size(s[0]));
	ck_assert_uint_le(weft__stack_high_water(s[COUNT - 1]),
	    (size_t)page_size());
}
END_TEST

START_TEST(a_stack_that_went_deep_does_not_keep_its_pages_for_ever)
{
	struct weft__stack *s = take(256 * KIB);

	s->low[0] = 1;
	for (int i = 0; i < 300; i++) {
		weft__stack_give(&pool, s);
		ck_assert_ptr_eq(take(256 * KIB), s);
	}
	ck_assert_uint_le(weft__stack_high_water(s),
	    16 * KIB + (size_t)page_size());
}
END_TEST

static bool frames_held;

static void
give_own_stack(void *stack)
{
	volatile unsigned char deep[20000];

	for (size_t i = 0; i < sizeof deep; i++)
		deep[i] = (unsigned char)(i % 253);
	weft__stack_give(&pool, stack);
	frames_held = true;
	for (size_t i = 0; i < sizeof deep; i++)
		frames_held &= deep[i] == i % 253;
	weft__context_leave(&fiber_context, &main_context);
}

/* A class without hot ones: giving drops the pages at once. */
START_TEST(a_stack_given_by_its_own_fiber_keeps_the_frames_in_use)
{
	struct weft__stack *s = take(4096 * KIB);

	s->low[0] = 1;
	weft__context_adopt(&main_context);
	weft__context_make(&fiber_context, s->low, weft__stack_size(s),
	    give_own_stack, s);
	weft__context_switch(&main_context, &fiber_context);
	ck_assert(frames_held);
	ck_assert_uint_lt(weft__stack_high_water(s), 64 * KIB);
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

START_TEST(an_address_leads_to_its_stack)
{
	struct weft__stack *s[100];
	int local;

	for (int i = 0; i < 100; i++)
		s[i] = take(sizes[i % 4]);
	for (int i = 0; i < 100; i++) {
		ck_assert_ptr_eq(weft__stacks_find(&pool, s[i]), s[i]);
		ck_assert_ptr_eq(weft__stacks_find(&pool, s[i]->low), s[i]);
		ck_assert_ptr_eq(weft__stacks_find(&pool, s[i]->low - 1), s[i]);
	}
	ck_assert_ptr_null(weft__stacks_find(&pool, &local));
	ck_assert_ptr_null(weft__stacks_find(&pool, NULL));
}
END_TEST

static void *
churn(void *unused)
{
	struct weft__stacks own = { 0 };
	struct weft__stack *s[64];

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 64; i++) {
			s[i] = weft__stack_take(&own, sizes[i % 3]);
			if (s[i] == NULL)
				return NULL;
			s[i]->low[0] = 1;
		}
		for (int i = 0; i < 64; i++)
			weft__stack_give(&own, s[i]);
	}
	weft__stacks_destroy(&own);
	return unused;
}

START_TEST(each_thread_has_a_pool_of_its_own)
{
	pthread_t threads[4];
	void *result;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, churn,
		    &pool), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		ck_assert_ptr_eq(result, &pool);
	}
}
END_TEST

static void
add_pool_tests(TCase *tc)
{
	tcase_add_loop_test(tc, every_byte_from_low_to_top_can_be_written, 0,
	    5);
	tcase_add_loop_test(tc, sizes_are_rounded_up_to_a_class, 0, 5);
	tcase_add_test(tc, the_smallest_size_gets_the_smallest_class);
	tcase_add_test(tc, size_0_is_the_default);
	tcase_add_test(tc, the_maximum_can_be_taken_and_more_is_EINVAL);
	tcase_add_test(tc, a_fresh_stack_is_all_zero_and_on_its_first_use);
	tcase_add_test(tc, the_last_given_is_the_first_taken);
	tcase_add_test(tc, classes_do_not_share_stacks);
	tcase_add_test(tc,
	    tops_are_aligned_and_take_sixteen_places_in_the_page);
	tcase_add_test(tc, stacks_do_not_touch_one_another);
	tcase_add_test(tc, what_is_in_the_pool_stays_readable_at_its_top);
	tcase_add_test(tc, of_many_given_stacks_the_last_keep_one_page);
	tcase_add_test(tc,
	    a_stack_that_went_deep_does_not_keep_its_pages_for_ever);
	tcase_add_test(tc,
	    a_stack_given_by_its_own_fiber_keeps_the_frames_in_use);
	tcase_add_test(tc, high_water_is_where_the_deepest_page_in_use_begins);
	tcase_add_test(tc, high_water_is_right_for_large_stacks);
	tcase_add_test(tc, an_address_leads_to_its_stack);
	tcase_add_test(tc, each_thread_has_a_pool_of_its_own);
}

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

static Suite *
stack_suite(void)
{
	static void (*const add[])(TCase *) = { add_pool_tests, add_guard_tests,
		add_memory_tests };
	static const char *const names[] = { "pool", "guard", "memory" };
	Suite *suite = suite_create("stack");

	for (int i = 0; i < 3; i++) {
		TCase *tc = tcase_create(names[i]);

		tcase_set_timeout(tc, 120);
		tcase_add_checked_fixture(tc, setup, teardown);
		add[i](tc);
		suite_add_tcase(suite, tc);
	}
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(stack_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
