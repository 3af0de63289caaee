/* SPDX-License-Identifier: MIT */
/*
 * fiber/context_jump.c - contexts that _setjmp and _longjmp switch.
 *
 * They switch without a system call (18 ns), but only between stacks that are
 * in use. So make enters the new stack at once, by the means of context_jump.h,
 * and comes straight back:
 *
 *     make:  _setjmp(birth.maker) --enter-->  be_born: _setjmp(first)
 *                 ^                               |
 *                 +----------- _longjmp ----------+
 *
 *     the first switch:  _longjmp(first)  ->  be_born goes on: entry(arg)
 *
 * context.sp points to the jmp_buf of a suspended context, which lies in the
 * frame that suspended it. What be_born needs is handed over in memory.
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

#if defined(WEFT_CONTEXT_UCONTEXT) || defined(WEFT_CONTEXT_SIGALTSTACK)

#if defined(__APPLE__) && !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif

#include <setjmp.h>
#include <stdint.h>

#include "fiber/context.h"
#include "fiber/context_jump.h"
#include "fiber/context_sanitize.h"

#if defined(__USE_FORTIFY_LEVEL) && __USE_FORTIFY_LEVEL > 0
#error "_FORTIFY_SOURCE must not reach this file: see the top comment"
#endif

struct birth {
	struct weft__start start;
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
#ifdef WEFT_CONTEXT_UCONTEXT
	return "ucontext";
#else
	return "sigaltstack";
#endif
}

/* Under all frames of the entry. */
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

WEFT__UNSANITIZED static void
give_birth(struct birth *b, void *stack_low, size_t stack_size)
{
	weft__start_prepare(&b->start, stack_low, stack_size, be_born);
	birth = b;
	if (_setjmp(b->maker) == 0) {
		weft__context_depart(&b->made_by, b->made, false);
		weft__start_enter(&b->start);
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
extern int weft__context_jump_is_not_used;

#endif
