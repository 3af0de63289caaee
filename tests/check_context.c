/* SPDX-License-Identifier: MIT */
/*
 * tests/check_context.c - create and switch contexts: who runs, on which stack,
 * and that a stack can be used again.
 */
#include "config.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdint.h>
#include <unistd.h>

#include "fiber/compat.h"
#include "tests/contexts.h"

#define MANY 200

/* Addresses of locals are no use under AddressSanitizer's fake stack. */
static char *
here(void)
{
	return __builtin_frame_address(0);
}

static void *seen_argument;
static char *seen_address;

static void
look_around(void *arg)
{
	seen_argument = arg;
	seen_address = here();
	finish(arg);
}

START_TEST(entry_runs_on_the_given_stack_with_its_argument)
{
	struct routine r;

	start(&r, look_around);
	enter(&r);
	ck_assert_ptr_eq(seen_argument, &r);
	ck_assert(seen_address > r.stack);
	ck_assert(seen_address < r.stack + STACK_SIZE);
	end(&r);
}
END_TEST

START_TEST(nothing_runs_before_the_first_switch)
{
	struct routine r;

	seen_argument = NULL;
	start(&r, look_around);
	ck_assert_ptr_null(seen_argument);
	enter(&r);
	ck_assert_ptr_nonnull(seen_argument);
	end(&r);
}
END_TEST

#ifdef __s390x__
#define STACK_ALIGNMENT 8
#else
#define STACK_ALIGNMENT 16
#endif
#ifdef __i386__
#define PUSHED 8
#else
#define PUSHED 0
#endif

static uintptr_t seen_alignment;

static void
look_at_alignment(void *arg)
{
	alignas(16) volatile char aligned[16];

	aligned[0] = 1;
	/* After the prologue the frame pointer is what the ABI aligns; on i386
	 * that is the stack before the address to return to was pushed. */
	seen_alignment = ((uintptr_t)here() + PUSHED) % STACK_ALIGNMENT;
	seen_alignment |= (uintptr_t)aligned % 16;
	finish(arg);
}

START_TEST(entry_finds_the_stack_aligned_whatever_the_size)
{
	struct routine r;

	start(&r, look_at_alignment);
	for (size_t odd = 0; odd < 48; odd++) {
		if (odd > 0)
			weft__context_make(&r.context, r.stack + odd,
			    STACK_SIZE - 2 * odd - odd % 3, look_at_alignment,
			    &r);
		seen_alignment = 1;
		enter(&r);
		ck_assert_msg(seen_alignment == 0, "odd %zu: off by %zu", odd,
		    (size_t)seen_alignment);
	}
	end(&r);
}
END_TEST

static void
count_for_ever(void *arg)
{
	struct routine *r = arg;

	for (;;) {
		r->count++;
		back(r);
	}
}

START_TEST(locals_survive_as_contexts_take_turns)
{
	static struct routine r[MANY];

	for (int i = 0; i < MANY; i++)
		start(&r[i], count_for_ever);
	for (int turn = 1; turn <= 50; turn++)
		for (int i = 0; i < MANY; i++) {
			enter(&r[(i * 7 + turn) % MANY]);
			ck_assert_int_eq(r[(i * 7 + turn) % MANY].count, turn);
		}
	for (int i = 0; i < MANY; i++) {
		weft__context_forget(&r[i].context);
		end(&r[i]);
	}
}
END_TEST

static void
pass_on(void *arg)
{
	struct routine *r = arg;
	int rounds = r->rounds;

	while (--rounds > 0) {
		r->count++;
		weft__context_switch(&r->context, &r->next->context);
	}
	r->count++;
	if (r->next->count < r->rounds)
		weft__context_leave(&r->context, &r->next->context);
	finish(r);
}

/* Up and down the address space: half of the jumps go to a higher address. */
START_TEST(contexts_switch_to_one_another_in_a_ring)
{
	static struct routine r[MANY];

	for (int i = 0; i < MANY; i++) {
		start(&r[i], pass_on);
		r[i].rounds = 10;
		r[i].next = &r[(i + 1) % MANY];
	}
	enter(&r[0]);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(r[i].count, 10);
		end(&r[i]);
	}
}
END_TEST

static int
sum_to(struct routine *r, int n)
{
	volatile char room[500];
	int below;

	room[0] = (char)n;
	if (n == 0) {
		back(r);
		return 0;
	}
	below = sum_to(r, n - 1);
	return below + n + (room[0] != (char)n);
}

static void
go_deep(void *arg)
{
	struct routine *r = arg;

	r->count = sum_to(r, 150);
	finish(r);
}

START_TEST(deep_frames_survive_a_switch)
{
	struct routine r;

	start(&r, go_deep);
	enter(&r);
	ck_assert_int_eq(r.count, 0);
	enter(&r);
	ck_assert_int_eq(r.count, 150 * 151 / 2);
	end(&r);
}
END_TEST

static void
leave_half_way(void *arg)
{
	struct routine *r = arg;
	char mess[1000];

	memset(mess, 0xa5, sizeof mess);
	r->count += mess[r->count] == (char)0xa5;
	finish(r);
}

START_TEST(a_used_stack_can_be_made_again)
{
	struct routine r;

	start(&r, leave_half_way);
	for (int i = 1; i <= 100; i++) {
		enter(&r);
		ck_assert_int_eq(r.count, i);
		weft__context_make(&r.context, r.stack, STACK_SIZE,
		    leave_half_way, &r);
	}
	weft__context_forget(&r.context);
	end(&r);
}
END_TEST

START_TEST(a_forgotten_context_can_be_made_again)
{
	struct routine r;

	start(&r, count_for_ever);
	for (int i = 1; i <= 100; i++) {
		enter(&r);
		ck_assert_int_eq(r.count, i);
		weft__context_forget(&r.context);
		weft__context_make(&r.context, r.stack, STACK_SIZE,
		    count_for_ever, &r);
	}
	weft__context_forget(&r.context);
	end(&r);
}
END_TEST

START_TEST(a_context_that_never_ran_can_be_made_again)
{
	struct routine r;

	start(&r, leave_half_way);
	for (int i = 0; i < 100; i++) {
		weft__context_forget(&r.context);
		weft__context_make(&r.context, r.stack, STACK_SIZE,
		    count_for_ever, &r);
	}
	enter(&r);
	enter(&r);
	ck_assert_int_eq(r.count, 2);
	weft__context_forget(&r.context);
	end(&r);
}
END_TEST

/* As fiber/stack.c does to what is in its pool: only the uppermost page stays,
 * or less. */
START_TEST(a_stack_whose_lower_pages_are_gone_can_be_made_again)
{
	struct routine r;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	start(&r, leave_half_way);
	for (int i = 1; i <= 50; i++) {
		enter(&r);
		ck_assert_int_eq(r.count, i);
		madvise(r.stack, STACK_SIZE - (size_t)(i % 4) * page,
		    WEFT__DROP_PAGES);
		weft__context_make(&r.context, r.stack, STACK_SIZE,
		    leave_half_way, &r);
	}
	weft__context_forget(&r.context);
	end(&r);
}
END_TEST

static struct routine inner;

static void
make_another(void *arg)
{
	struct routine *r = arg;

	make(&inner, count_for_ever);
	r->count = 1;
	finish(r);
}

START_TEST(a_context_makes_another)
{
	struct routine r;

	start(&r, make_another);
	enter(&r);
	ck_assert_int_eq(r.count, 1);
	enter(&inner);
	enter(&inner);
	ck_assert_int_eq(inner.count, 2);
	weft__context_forget(&inner.context);
	end(&inner);
	end(&r);
}
END_TEST

static void *
ring_of_a_thread(void *unused)
{
	struct routine r;

	start(&r, count_for_ever);
	for (int i = 0; i < 10000; i++)
		enter(&r);
	weft__context_forget(&r.context);
	end(&r);
	return r.count == 10000 ? unused : NULL;
}

START_TEST(threads_switch_contexts_of_their_own_at_the_same_time)
{
	pthread_t threads[4];
	void *result;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
		    ring_of_a_thread, &threads), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		ck_assert_ptr_eq(result, &threads);
	}
}
END_TEST

START_TEST(the_name_is_the_switch_that_was_configured)
{
	const char *name = weft__context_name();

#if defined(WEFT_CONTEXT_UCONTEXT)
	ck_assert_str_eq(name, "ucontext");
#elif defined(WEFT_CONTEXT_SIGALTSTACK)
	ck_assert_str_eq(name, "sigaltstack");
#elif defined(WEFT_CONTEXT_SWAPCONTEXT)
	ck_assert_str_eq(name, "swapcontext");
#elif defined(WEFT_CONTEXT_SHADOW)
	ck_assert_str_eq(name, weft__context_shadowed > 0 ? "swapcontext" : "asm");
#else
	ck_assert_str_eq(name, "asm");
#endif
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, entry_runs_on_the_given_stack_with_its_argument);
	tcase_add_test(tc, nothing_runs_before_the_first_switch);
	tcase_add_test(tc, entry_finds_the_stack_aligned_whatever_the_size);
	tcase_add_test(tc, locals_survive_as_contexts_take_turns);
	tcase_add_test(tc, contexts_switch_to_one_another_in_a_ring);
	tcase_add_test(tc, deep_frames_survive_a_switch);
	tcase_add_test(tc, a_used_stack_can_be_made_again);
	tcase_add_test(tc, a_forgotten_context_can_be_made_again);
	tcase_add_test(tc, a_context_that_never_ran_can_be_made_again);
	tcase_add_test(tc, a_context_makes_another);
	tcase_add_test(tc,
	    a_stack_whose_lower_pages_are_gone_can_be_made_again);
	tcase_add_test(tc,
	    threads_switch_contexts_of_their_own_at_the_same_time);
	tcase_add_test(tc, the_name_is_the_switch_that_was_configured);
}

int
main(void)
{
	return run_contexts("context", add_tests);
}
