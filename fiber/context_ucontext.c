/* SPDX-License-Identifier: MIT */
/*
 * fiber/context_ucontext.c - contexts for every CPU that the C library knows.
 *
 * makecontext gives a context its stack, _setjmp and _longjmp switch it:
 * swapcontext would cost a system call each time (235 ns against 18). So make
 * enters the new context at once and comes straight back:
 *
 *     make:  _setjmp(birth.maker) --setcontext-->  be_born: _setjmp(first)
 *                 ^                                    |
 *                 +------------- _longjmp -------------+
 *
 *     the first switch:  _longjmp(first)  ->  be_born goes on: entry(arg)
 *
 * So a make costs two system calls, about 350 ns, and a switch none.
 *
 * context.sp points to the jmp_buf of a suspended context, which lies in the
 * frame that suspended it. What be_born needs is handed over in memory: the
 * arguments of makecontext are ints.
 *
 * glibc's _FORTIFY_SOURCE takes every _longjmp to a higher address for a
 * corrupt stack and aborts, which half the switches are. Distributions set it
 * on the command line, so it is taken back here, before any header.
 *
 * AddressSanitizer: its _longjmp takes the poison off all frames of the stack
 * that is left, so an overflow in a frame that lives across a switch goes
 * unseen. The assembly switch has no such gap.
 */
#undef _FORTIFY_SOURCE

#include "config.h"

#ifdef WEFT_CONTEXT_UCONTEXT

#if defined(__APPLE__) && !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif

#include <setjmp.h>
#include <stdint.h>
#include <ucontext.h>

#include "fiber/context.h"
#include "fiber/context_sanitize.h"

#if defined(__USE_FORTIFY_LEVEL) && __USE_FORTIFY_LEVEL > 0
#error "_FORTIFY_SOURCE must not reach this file: see the top comment"
#endif

struct birth {
	jmp_buf maker;
	struct weft__context made_by;	/* for the sanitizers alone */
	struct weft__context *made;
	void (*entry)(void *);
	void *arg;
};

static _Thread_local struct birth *birth;

const char *
weft__context_name(void)
{
	return "ucontext";
}

/* The first frame of every context. */
WEFT__UNSANITIZED static void
be_born(void)
{
	void (*volatile entry)(void *) = birth->entry;
	void *volatile arg = birth->arg;
	jmp_buf first;

	weft__context_arrive(birth->made);
	if (_setjmp(first) == 0) {
		birth->made->sp = &first;
		weft__context_depart(birth->made, &birth->made_by, false);
		_longjmp(birth->maker, 1);
	}
	entry(arg);
	__builtin_trap();
}

/* getcontext and setcontext have no reason to fail; a trap says if they do. */
WEFT__UNSANITIZED static void
give_birth(struct birth *b, void *stack_low, size_t stack_size)
{
	ucontext_t newborn;

	if (getcontext(&newborn) != 0)
		__builtin_trap();
	newborn.uc_stack.ss_sp = stack_low;
	newborn.uc_stack.ss_size = stack_size;
	newborn.uc_link = NULL;
	makecontext(&newborn, be_born, 0);

	birth = b;
	if (_setjmp(b->maker) == 0) {
		weft__context_depart(&b->made_by, b->made, false);
		setcontext(&newborn);
		__builtin_trap();
	}
	weft__context_arrive(&birth->made_by);
}

void
weft__context_make(struct weft__context *c, void *stack_low, size_t stack_size,
    void (*entry)(void *), void *arg)
{
	struct birth b = { .made = c, .entry = entry, .arg = arg };

#ifdef WEFT__SANITIZED
	weft__context_describe(c, stack_low, stack_size, entry, arg);
	weft__context_describe_own(&b.made_by);
	b.entry = weft__context_begin;
	b.arg = c;
#endif
	give_birth(&b, stack_low, stack_size);
}

void
weft__context_adopt(struct weft__context *c)
{
#ifdef WEFT__SANITIZED
	weft__context_describe_own(c);
#endif
	(void)c;
}

/* Never inlined: the caller must not keep a thread-local address across it. */
WEFT__UNSANITIZED static void __attribute__((noinline))
swap(struct weft__context *from, struct weft__context *to, bool over)
{
	jmp_buf here;

	if (_setjmp(here) == 0) {
		from->sp = &here;
		weft__context_depart(from, to, over);
		_longjmp(*(jmp_buf *)to->sp, 1);
	}
	weft__context_arrive(from);
}

void
weft__context_switch(struct weft__context *from, struct weft__context *to)
{
	swap(from, to, false);
}

void
weft__context_leave(struct weft__context *from, struct weft__context *to)
{
	swap(from, to, true);
	__builtin_trap();
}

void
weft__context_forget(struct weft__context *c)
{
#ifdef WEFT__SANITIZED
	weft__context_describe_over(c);
#endif
	(void)c;
}

#else

/* ISO C forbids a file without a declaration. */
extern int weft__context_ucontext_is_not_used;

#endif
