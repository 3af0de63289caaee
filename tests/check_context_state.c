/* SPDX-License-Identifier: MIT */
/*
 * tests/check_context_state.c - what a switch keeps, and what a make leaves
 * alone: registers, modes, signals; and what unwinders see.
 */
#include "config.h"

#include <fenv.h>
#ifdef HAVE_BACKTRACE
#include <execinfo.h>
#endif
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef HAVE_UNWIND
#include <unwind.h>
#endif

#include "tests/contexts.h"

static void
count_for_ever(void *arg)
{
	struct routine *r = arg;

	for (;;) {
		r->count++;
		back(r);
	}
}

/*
 * changed_registers(from, to, value): fill each register that a call keeps with
 * a value of its own, switch, and return how many came back changed.
 */
#ifdef __APPLE__
#define PREFIX "_"
#else
#define PREFIX ""
#endif

void switch_called(struct weft__context *from, struct weft__context *to);

/* A function, for the assembly below to call. */
void
switch_called(struct weft__context *from, struct weft__context *to)
{
	weft__context_switch(from, to);
}

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
	"	call " PREFIX "switch_called\n"
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
	"	bl " PREFIX "switch_called\n"
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

static void
nothing(int signal)
{
	(void)signal;
}

static const int signals[] = { SIGURG, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH };

START_TEST(a_make_leaves_what_the_program_has_set_for_signals)
{
	static char room[64 << 10];
	stack_t own = { .ss_sp = room, .ss_size = sizeof room }, after;
	struct sigaction action = { .sa_handler = nothing }, now;
	sigset_t mask, mask_after;
	struct routine r;

	ck_assert_int_eq(sigaltstack(&own, NULL), 0);
	action.sa_flags = SA_ONSTACK;
	for (int i = 0; i < 5; i++)
		sigaction(signals[i], &action, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigaddset(&mask, _i == 0 ? SIGURG : SIGWINCH);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	start(&r, count_for_ever);
	enter(&r);
	ck_assert_int_eq(r.count, 1);

	ck_assert_int_eq(sigaltstack(NULL, &after), 0);
	ck_assert_ptr_eq(after.ss_sp, room);
	ck_assert_uint_eq(after.ss_size, sizeof room);
	ck_assert_int_eq(after.ss_flags & SS_DISABLE, 0);
	pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
	for (int i = 0; i < 5; i++) {
		sigaction(signals[i], NULL, &now);
		ck_assert(now.sa_handler == nothing);
		ck_assert_int_eq(now.sa_flags & SA_ONSTACK, SA_ONSTACK);
		ck_assert_int_eq(sigismember(&mask_after, signals[i]),
		    sigismember(&mask, signals[i]));
	}
	weft__context_forget(&r.context);
	end(&r);
}
END_TEST

static atomic_int counted;

static void
count_signal(int signal)
{
	(void)signal;
	counted++;
}

START_TEST(a_make_loses_no_signal_that_was_blocked)
{
	struct routine r;
	sigset_t urgent, before;

	signal(SIGURG, count_signal);
	sigemptyset(&urgent);
	sigaddset(&urgent, SIGURG);
	pthread_sigmask(SIG_BLOCK, &urgent, &before);
	kill(getpid(), SIGURG);
	start(&r, count_for_ever);
	enter(&r);
	ck_assert_int_eq(r.count, 1);
	ck_assert_int_eq(counted, 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	ck_assert_int_eq(counted, 1);
	weft__context_forget(&r.context);
	end(&r);
}
END_TEST

static atomic_bool making;

static void *
make_many(void *unused)
{
	struct routine r;

	start(&r, count_for_ever);
	for (int i = 0; i < 2000; i++) {
		enter(&r);
		weft__context_forget(&r.context);
		weft__context_make(&r.context, r.stack, STACK_SIZE,
		    count_for_ever, &r);
	}
	weft__context_forget(&r.context);
	end(&r);
	making = false;
	return r.count == 2000 ? unused : NULL;
}

/* Each is sent to this thread, which has it unblocked: it comes before raise
 * returns, whosever the handler is at the moment. */
START_TEST(a_make_in_one_thread_loses_no_signal_of_another)
{
	pthread_t maker;
	void *result;
	int sent = 0;

	signal(SIGURG, count_signal);
	making = true;
	ck_assert_int_eq(pthread_create(&maker, NULL, make_many, &counted), 0);
	while (making || sent < 100) {
		raise(SIGURG);
		sent++;
	}
	pthread_join(maker, &result);
	ck_assert_ptr_eq(result, &counted);
	ck_assert_int_eq(counted, sent);
}
END_TEST

#ifdef HAVE_UNWIND
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

#endif

START_TEST(an_unwinder_stops_at_the_first_frame_of_a_context)
{
#ifdef HAVE_UNWIND
	struct routine r;

	start(&r, unwind_after_a_switch);
	enter(&r);
	enter(&r);
	ck_assert_int_eq(unwound, _URC_END_OF_STACK);
	ck_assert_int_gt(r.count, 1);
	ck_assert_int_lt(r.count, 10);
	end(&r);
#endif
}
END_TEST

#ifdef HAVE_BACKTRACE
static void
backtrace_after_a_switch(void *arg)
{
	struct routine *r = arg;
	void *frames[100];

	back(r);
	r->count = backtrace(frames, 100);
	finish(r);
}
#endif

START_TEST(backtrace_ends_below_the_entry)
{
#ifdef HAVE_BACKTRACE
	struct routine r;

	start(&r, backtrace_after_a_switch);
	enter(&r);
	enter(&r);
	ck_assert_int_gt(r.count, 1);
	ck_assert_int_lt(r.count, 10);
	end(&r);
#endif
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

	if (strcmp(weft__context_name(), "asm") != 0)
		return;
	start(&r, walk_frame_pointers);
	enter(&r);
	ck_assert_int_lt(r.count, 10);
	end(&r);
#else
	(void)walk_frame_pointers;
#endif
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

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, registers_that_a_call_keeps_survive_a_switch);
	tcase_add_test(tc, floating_point_modes_hold_across_a_switch);
	tcase_add_test(tc, the_signal_mask_is_the_threads_and_not_the_contexts);
	tcase_add_loop_test(tc,
	    a_make_leaves_what_the_program_has_set_for_signals, 0, 2);
	tcase_add_test(tc, a_make_loses_no_signal_that_was_blocked);
	tcase_add_test(tc, a_make_in_one_thread_loses_no_signal_of_another);
	tcase_add_test(tc, an_unwinder_stops_at_the_first_frame_of_a_context);
	tcase_add_test(tc, backtrace_ends_below_the_entry);
	tcase_add_test(tc, the_chain_of_frame_pointers_ends_in_null);
	tcase_add_test(tc,
	    address_sanitizer_watches_frames_that_live_across_a_switch);
}

int
main(void)
{
	return run_contexts("context_state", add_tests);
}
