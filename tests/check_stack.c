/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stack.c - stack arenas, their pool, high-water marks.
 */
#include "config.h"

#include "tests/stacks.h"

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

/* Where the system tells no one which pages are in use, it is 0. */
#ifdef HAVE_MINCORE
enum { TOLD = 1 };
#else
enum { TOLD = 0 };
#endif

START_TEST(high_water_is_where_the_deepest_page_in_use_begins)
{
	struct weft__stack *s = take(256 * KIB);
	size_t page = (size_t)page_size();

	ck_assert_uint_le(weft__stack_high_water(s), page);
	ck_assert_uint_eq(weft__stack_high_water(s) > 0, TOLD);
	if (!TOLD)
		return;
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
	if (!TOLD)
		return;
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
	    TOLD * weft__stack_size(s[0]));
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

static struct weft__context main_context, fiber_context;
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

#ifdef MADV_NOHUGEPAGE
static bool
is_never_huge(const void *p)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned long long from, to, at = (uintptr_t)p;
	bool here = false, never = false;
	char line[512];

	while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
		if (sscanf(line, "%llx-%llx ", &from, &to) == 2)
			here = from <= at && at < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			never = strstr(line, " nh") != NULL;
	}
	if (maps != NULL)
		fclose(maps);
	return never;
}
#endif

/* A huge page would make 2 MiB of the first byte touched. */
START_TEST(no_huge_page_is_made_of_stacks)
{
#ifdef MADV_NOHUGEPAGE
	struct weft__stack *s = take(0);
	size_t size = 4096 * KIB;
	void *other = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANON, -1, 0);

	ck_assert_ptr_ne(other, MAP_FAILED);
	/* An emulator may take any advice and do nothing. */
	if (madvise(other, size, MADV_NOHUGEPAGE) == 0 && is_never_huge(other))
		ck_assert(is_never_huge(s->low));
	munmap(other, size);
#endif
}
END_TEST

START_TEST(an_address_leads_to_its_stack)
{
	struct weft__stack *s[100];
	int local = 0;

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
	tcase_add_test(tc, no_huge_page_is_made_of_stacks);
	tcase_add_test(tc, each_thread_has_a_pool_of_its_own);
}

int
main(void)
{
	static void (*const add[])(TCase *) = { add_pool_tests };

	return run_stack_suite("stack", add, 1);
}
