/* SPDX-License-Identifier: MIT */
/*
 * fiber/context_sigaltstack.c - the first step onto a stack, by a signal.
 *
 * For systems without makecontext: OpenBSD, and musl where weft has no assembly.
 * The kernel is asked to run a signal handler on the new stack; the handler
 * keeps a jmp_buf there and returns, and a _longjmp to it later goes on in its
 * frame, which is no signal handler any more (R. S. Engelschall, "Portable
 * Multithreading", USENIX 2000):
 *
 *     prepare:  raise(SIGURG)  ->  land, on the new stack: _setjmp(on_stack)
 *     enter:    _longjmp(on_stack)  ->  land goes on: first()
 *
 * The program must see nothing of it.
 *   - SIGURG, because what it does unasked is nothing. One that somebody else
 *     sends meanwhile goes to the handler that the program has for it, or, if
 *     the program has it blocked, is sent again when it is blocked again.
 *   - The handler of a signal belongs to the process: one thread at a time, and
 *     no fork in between.
 *   - No other signal may be handled here in between, for its handler could
 *     run on the new stack, over the frame of land.
 *   - Handler, signal stack and mask are back before prepare returns.
 * It costs a dozen system calls, some 2 us; a switch costs none.
 *
 * Not to be called from a signal handler on its own stack, where sigaltstack
 * fails; a trap tells. ThreadSanitizer puts signals off until it runs their
 * handlers itself, on any stack: configure refuses the two together.
 */
#undef _FORTIFY_SOURCE		/* context_jump.c says why */

#include "config.h"

#ifdef WEFT_CONTEXT_SIGALTSTACK

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "fiber/context.h"
#include "fiber/context_jump.h"
#include "fiber/context_sanitize.h"

/* Unwinders must not go on from land's frame to the signal's and so to what was
 * interrupted, which is long gone: from here on there is no caller. */
#if defined(__x86_64__)
#define NO_CALLER ".cfi_undefined rip"
#elif defined(__i386__)
#define NO_CALLER ".cfi_undefined eip"
#elif defined(__aarch64__)
#define NO_CALLER ".cfi_undefined x30"
#elif defined(__riscv)
#define NO_CALLER ".cfi_undefined ra"
#elif defined(__s390x__)
#define NO_CALLER ".cfi_undefined r14"
#elif defined(__powerpc64__)
#define NO_CALLER ".cfi_undefined lr"
#else
#define NO_CALLER ""
#endif

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
/* Of the thread that holds it, while the handler is ours. */
static struct {
	struct weft__start *start;
	pthread_t thread;
	struct sigaction theirs;
} landing;

/* In a frame of its own, the unwinder's last. */
WEFT__UNSANITIZED static void __attribute__((noinline, noreturn))
begin(void (*first)(void))
{
	__asm__ volatile(NO_CALLER);
	first();
	__builtin_trap();
}

static void
pass_on(int signal, siginfo_t *info, void *context)
{
	if (landing.theirs.sa_flags & SA_SIGINFO)
		landing.theirs.sa_sigaction(signal, info, context);
	else if (landing.theirs.sa_handler != SIG_DFL &&
	    landing.theirs.sa_handler != SIG_IGN)
		landing.theirs.sa_handler(signal);
}

WEFT__UNSANITIZED static void
land(int signal, siginfo_t *info, void *context)
{
	struct weft__start *volatile start = landing.start;

	if (!pthread_equal(landing.thread, pthread_self())) {
		pass_on(signal, info, context);
		return;
	}
	if (_setjmp(start->on_stack) != 0)
		begin(start->first);
}

static void
take_handler(void)
{
	struct sigaction ours = { .sa_sigaction = land };
	void (*theirs)(int);

	sigaction(SIGURG, NULL, &landing.theirs);
	theirs = landing.theirs.sa_handler;
	ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
	if (theirs == SIG_DFL || theirs == SIG_IGN ||
	    landing.theirs.sa_flags & SA_RESTART)
		ours.sa_flags |= SA_RESTART;
	sigfillset(&ours.sa_mask);
	sigaction(SIGURG, &ours, NULL);
}

/* All signals are blocked, and sigsuspend lets one in: a second would run over
 * the frame of land. One that was already waiting may have become one with ours,
 * so another is sent for it. */
static void
land_on(const stack_t *stack)
{
	stack_t theirs;
	sigset_t waiting, all_but_it;
	bool again;

	sigpending(&waiting);
	again = sigismember(&waiting, SIGURG) == 1;
	sigfillset(&all_but_it);
	sigdelset(&all_but_it, SIGURG);
	if (sigaltstack(stack, &theirs) != 0)
		__builtin_trap();
	raise(SIGURG);
	sigsuspend(&all_but_it);
	sigaltstack(&theirs, NULL);
	sigaction(SIGURG, &landing.theirs, NULL);
	if (again)
		kill(getpid(), SIGURG);
}

static void
lock(void)
{
	pthread_mutex_lock(&one_at_a_time);
}

static void
unlock(void)
{
	pthread_mutex_unlock(&one_at_a_time);
}

/* A child forked by another thread meanwhile would have our handler, and a lock
 * that nobody opens. */
static void
keep_forks_out(void)
{
	(void)pthread_atfork(lock, unlock, unlock);
}

void
weft__start_prepare(struct weft__start *s, void *stack_low, size_t stack_size,
    void (*first)(void))
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	stack_t stack = { .ss_sp = stack_low, .ss_size = stack_size };
	sigset_t all, before;

	pthread_once(&once, keep_forks_out);
	s->first = first;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	lock();
	landing.start = s;
	landing.thread = pthread_self();
	take_handler();
	land_on(&stack);
	unlock();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

WEFT__UNSANITIZED void
weft__start_enter(struct weft__start *s)
{
	_longjmp(s->on_stack, 1);
}

#else

/* ISO C forbids a file without a declaration. */
extern int weft__context_sigaltstack_is_not_used;

#endif
