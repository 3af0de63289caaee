/* SPDX-License-Identifier: MIT */
/*
 * tests/check_context.c - create and switch contexts, without stacks, loop or
 * fibers: every context here runs on a piece of an mmap of the test.
 */
#include "config.h"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

#include <check.h>

#ifdef HAVE_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(low, high) 0
#define VALGRIND_STACK_DEREGISTER(id) (void)(id)
#endif

#include "fiber/context.h"

#ifndef MAP_STACK
#define MAP_STACK 0
#endif

#define STACK_SIZE ((size_t)256 << 10)
#define MANY 200

/* One context under test. The test itself runs in main_context. */
struct routine {
	struct weft__context context;
	char *stack;
	unsigned valgrind;
	int count;
	int rounds;
	struct routine *next;
};

static _Thread_local struct weft__context main_context;

static char *
new_stack(size_t size)
{
	char *low = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANON | MAP_STACK, -1, 0);

	ck_assert_ptr_ne(low, MAP_FAILED);
	return low;
}

static void
make(struct routine *r, void (*entry)(void *))
{
	memset(r, 0, sizeof *r);
	r->stack = new_stack(STACK_SIZE);
	r->valgrind = VALGRIND_STACK_REGISTER(r->stack, r->stack + STACK_SIZE);
	weft__context_make(&r->context, r->stack, STACK_SIZE, entry, r);
}

static void
start(struct routine *r, void (*entry)(void *))
{
	weft__context_adopt(&main_context);
	make(r, entry);
}

static void
enter(struct routine *r)
{
	weft__context_switch(&main_context, &r->context);
}

static void
back(struct routine *r)
{
	weft__context_switch(&r->context, &main_context);
}

static void
finish(struct routine *r)
{
	weft__context_leave(&r->context, &main_context);
}

static void
end(struct routine *r)
{
	VALGRIND_STACK_DEREGISTER(r->valgrind);
	munmap(r->stack, STACK_SIZE);
}

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

static uintptr_t seen_alignment;

static void
look_at_alignment(void *arg)
{
	alignas(16) volatile char aligned[16];

	aligned[0] = 1;
	/* After the prologue the frame pointer is what the ABI aligns. */
	seen_alignment = (uintptr_t)__builtin_frame_address(0) % 16;
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

/*
 * keeps_registers(from, to, value): fill each register that a call keeps with
 * a value of its own, switch, and return how many came back changed.
 */
#ifdef WEFT__SANITIZED
#define SWITCH "weft__context_switch"
#else
#define SWITCH "weft__context_swap"
#endif
#ifdef __APPLE__
#define PREFIX "_"
#else
#define PREFIX ""
#endif

#if defined(WEFT_CONTEXT_ASM) && defined(__x86_64__)
int changed_registers(struct weft__context *from, struct weft__context *to,
    uint64_t value);

#define COMPARE(off, reg) \
	"	leaq " #off "(%rdx), %rcx\n" \
	"	cmpq %rcx, %" #reg "\n" \
	"	setne %cl\n" \
	"	movzbl %cl, %ecx\n" \
	"	addl %ecx, %eax\n"

__asm__("	.text\n"
	"	.globl " PREFIX "changed_registers\n"
	PREFIX "changed_registers:\n"
	"	pushq %rbp\n	pushq %rbx\n	pushq %r12\n"
	"	pushq %r13\n	pushq %r14\n	pushq %r15\n"
	"	pushq %rdx\n"
	"	leaq 1(%rdx), %rbp\n	leaq 2(%rdx), %rbx\n"
	"	leaq 3(%rdx), %r12\n	leaq 4(%rdx), %r13\n"
	"	leaq 5(%rdx), %r14\n	leaq 6(%rdx), %r15\n"
	"	call " PREFIX SWITCH "\n"
	"	popq %rdx\n	xorl %eax, %eax\n"
	COMPARE(1, rbp) COMPARE(2, rbx) COMPARE(3, r12)
	COMPARE(4, r13) COMPARE(5, r14) COMPARE(6, r15)
	"	popq %r15\n	popq %r14\n	popq %r13\n"
	"	popq %r12\n	popq %rbx\n	popq %rbp\n"
	"	ret\n");
#elif defined(WEFT_CONTEXT_ASM) && defined(__aarch64__)
int changed_registers(struct weft__context *from, struct weft__context *to,
    uint64_t value);

#define FILL(n) "	add x" #n ", x2, #" #n "\n"
#define FILLD(n) "	add x9, x2, #" #n "\n	fmov d" #n ", x9\n"
#define COMPARE(n) \
	"	add x9, x2, #" #n "\n	cmp x9, x" #n "\n" \
	"	cinc w0, w0, ne\n"
#define COMPARED(n) \
	"	add x9, x2, #" #n "\n	fmov x10, d" #n "\n" \
	"	cmp x9, x10\n	cinc w0, w0, ne\n"

__asm__("	.text\n"
	"	.globl " PREFIX "changed_registers\n"
	PREFIX "changed_registers:\n"
	"	stp x29, x30, [sp, #-176]!\n"
	"	stp x19, x20, [sp, #16]\n	stp x21, x22, [sp, #32]\n"
	"	stp x23, x24, [sp, #48]\n	stp x25, x26, [sp, #64]\n"
	"	stp x27, x28, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]\n	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n	stp d14, d15, [sp, #144]\n"
	"	str x2, [sp, #160]\n"
	FILL(19) FILL(20) FILL(21) FILL(22) FILL(23) FILL(24) FILL(25)
	FILL(26) FILL(27) FILL(28) FILL(29)
	FILLD(8) FILLD(9) FILLD(10) FILLD(11) FILLD(12) FILLD(13) FILLD(14)
	FILLD(15)
	"	bl " PREFIX SWITCH "\n"
	"	ldr x2, [sp, #160]\n	mov w0, wzr\n"
	COMPARE(19) COMPARE(20) COMPARE(21) COMPARE(22) COMPARE(23)
	COMPARE(24) COMPARE(25) COMPARE(26) COMPARE(27) COMPARE(28)
	COMPARE(29)
	COMPARED(8) COMPARED(9) COMPARED(10) COMPARED(11) COMPARED(12)
	COMPARED(13) COMPARED(14) COMPARED(15)
	"	ldp x19, x20, [sp, #16]\n	ldp x21, x22, [sp, #32]\n"
	"	ldp x23, x24, [sp, #48]\n	ldp x25, x26, [sp, #64]\n"
	"	ldp x27, x28, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n	ldp d14, d15, [sp, #144]\n"
	"	ldp x29, x30, [sp], #176\n"
	"	ret\n");
#else
/* The C library keeps the registers: see that the compiler's values hold. */
static int
changed_registers(struct weft__context *from, struct weft__context *to,
    uint64_t value)
{
	uint64_t a = value * 3, b = value * 5, c = value * 7, d = value * 11;
	double e = (double)value / 3, f = (double)value / 7;

	weft__context_switch(from, to);
	return (a != value * 3) + (b != value * 5) + (c != value * 7) +
	    (d != value * 11) + (e != (double)value / 3) +
	    (f != (double)value / 7);
}
#endif

static void
trample_registers(void *arg)
{
	struct routine *r = arg;

	for (;;)
		r->count += changed_registers(&r->context, &main_context,
		    0x1111111111111100u + (uint64_t)(uintptr_t)r);
}

START_TEST(registers_that_a_call_keeps_survive_a_switch)
{
	struct routine a, b;
	int changed = 0;

	start(&a, trample_registers);
	start(&b, trample_registers);
	for (uint64_t i = 0; i < 100; i++)
		changed += changed_registers(&main_context,
		    i % 3 ? &a.context : &b.context, i << 32);
	ck_assert_int_eq(changed, 0);
	ck_assert_int_eq(a.count, 0);
	ck_assert_int_eq(b.count, 0);
	weft__context_forget(&a.context);
	weft__context_forget(&b.context);
	end(&a);
	end(&b);
}
END_TEST

static void
compute(void *arg)
{
	struct routine *r = arg;
	volatile double x = 1;

	for (;;) {
		x = x / 3 + (double)r->count++;
		back(r);
	}
}

START_TEST(floating_point_modes_hold_across_a_switch)
{
	struct routine r;

	start(&r, compute);
	ck_assert_int_eq(fesetround(FE_UPWARD), 0);
	enter(&r);
	ck_assert_int_eq(fegetround(), FE_UPWARD);
	fesetround(FE_TONEAREST);
	enter(&r);
	ck_assert_int_eq(fegetround(), FE_TONEAREST);
	weft__context_forget(&r.context);
	end(&r);
}
END_TEST

static void
block_a_signal(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	finish(arg);
}

START_TEST(the_signal_mask_is_the_threads_and_not_the_contexts)
{
	struct routine r;
	sigset_t before, after;

	pthread_sigmask(SIG_BLOCK, NULL, &before);
	start(&r, block_a_signal);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	ck_assert(!sigismember(&after, SIGUSR1));
	enter(&r);
	pthread_sigmask(SIG_SETMASK, &before, &after);
	ck_assert(sigismember(&after, SIGUSR1));
	end(&r);
}
END_TEST

static _Unwind_Reason_Code
count_frame(struct _Unwind_Context *frame, void *count)
{
	if (_Unwind_GetIP(frame) != 0)
		++*(int *)count;
	return *(int *)count > 100 ? _URC_NORMAL_STOP : _URC_NO_REASON;
}

static _Unwind_Reason_Code unwound;

static void
unwind_after_a_switch(void *arg)
{
	struct routine *r = arg;

	back(r);
	unwound = _Unwind_Backtrace(count_frame, &r->count);
	finish(r);
}

START_TEST(an_unwinder_stops_at_the_first_frame_of_a_context)
{
	struct routine r;

	start(&r, unwind_after_a_switch);
	enter(&r);
	enter(&r);
	ck_assert_int_eq(unwound, _URC_END_OF_STACK);
	ck_assert_int_gt(r.count, 1);
	ck_assert_int_lt(r.count, 10);
	end(&r);
}
END_TEST

static void
walk_frame_pointers(void *arg)
{
	struct routine *r = arg;
	void **frame = __builtin_frame_address(0);

	for (; frame != NULL && r->count < 100; frame = *frame)
		r->count++;
	finish(r);
}

/* Not where a function without frame pointer stands between start and entry. */
START_TEST(the_chain_of_frame_pointers_ends_in_null)
{
#if defined(WEFT_CONTEXT_ASM) && !defined(WEFT__SANITIZED)
	struct routine r;

	start(&r, walk_frame_pointers);
	enter(&r);
	ck_assert_int_lt(r.count, 10);
	end(&r);
#else
	(void)walk_frame_pointers;
#endif
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

/* An overflow in a frame that lives across a switch, in a child process. */
static void
overflow_after_a_switch(void *arg)
{
	volatile char small[8] = { 0 };
	volatile int past = 8;

	back(arg);
	small[past] = small[0];
	finish(arg);
}

START_TEST(address_sanitizer_watches_frames_that_live_across_a_switch)
{
#if defined(WEFT__ASAN) && defined(WEFT_CONTEXT_ASM)
	struct routine r;
	int status;
	pid_t child = fork();

	if (child == 0) {
		close(2);
		start(&r, overflow_after_a_switch);
		enter(&r);
		enter(&r);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(status != 0, "the overflow went unseen");
#else
	(void)overflow_after_a_switch;
#endif
}
END_TEST

START_TEST(the_name_is_the_switch_that_was_configured)
{
#ifdef WEFT_CONTEXT_ASM
	ck_assert_str_eq(weft__context_name(), "asm");
#else
	ck_assert_str_eq(weft__context_name(), "ucontext");
#endif
}
END_TEST

static Suite *
context_suite(void)
{
	Suite *suite = suite_create("context");
	TCase *tc = tcase_create("context");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, entry_runs_on_the_given_stack_with_its_argument);
	tcase_add_test(tc, nothing_runs_before_the_first_switch);
	tcase_add_test(tc, entry_finds_the_stack_aligned_whatever_the_size);
	tcase_add_test(tc, locals_survive_as_contexts_take_turns);
	tcase_add_test(tc, contexts_switch_to_one_another_in_a_ring);
	tcase_add_test(tc, deep_frames_survive_a_switch);
	tcase_add_test(tc, a_used_stack_can_be_made_again);
	tcase_add_test(tc, a_forgotten_context_can_be_made_again);
	tcase_add_test(tc, a_context_makes_another);
	tcase_add_test(tc, registers_that_a_call_keeps_survive_a_switch);
	tcase_add_test(tc, floating_point_modes_hold_across_a_switch);
	tcase_add_test(tc, the_signal_mask_is_the_threads_and_not_the_contexts);
	tcase_add_test(tc, an_unwinder_stops_at_the_first_frame_of_a_context);
	tcase_add_test(tc, the_chain_of_frame_pointers_ends_in_null);
	tcase_add_test(tc,
	    threads_switch_contexts_of_their_own_at_the_same_time);
	tcase_add_test(tc,
	    address_sanitizer_watches_frames_that_live_across_a_switch);
	tcase_add_test(tc, the_name_is_the_switch_that_was_configured);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(context_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
