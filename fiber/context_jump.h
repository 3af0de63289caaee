/* SPDX-License-Identifier: MIT */
/*
 * fiber/context_jump.h - how a context that _longjmp switches gets its stack.
 *
 * context_jump.c switches. What it cannot do is step onto a stack for the first
 * time; context_ucontext.c or context_sigaltstack.c, whichever was configured,
 * does that for it. The same thread calls, in this order:
 *
 * weft__start_prepare()   whatever can be done on the maker's stack, before the
 *                         sanitizers are told that it is left
 * weft__start_enter()     on to the new stack, where first() runs and never
 *                         returns
 */
#ifndef WEFT_FIBER_CONTEXT_JUMP_H
#define WEFT_FIBER_CONTEXT_JUMP_H

#include <setjmp.h>
#include <stddef.h>
#ifdef WEFT_CONTEXT_UCONTEXT
#include <ucontext.h>
#endif

struct weft__start {
#ifdef WEFT_CONTEXT_UCONTEXT
	ucontext_t newborn;
#else
	jmp_buf on_stack;
	void (*first)(void);
#endif
};

void weft__start_prepare(struct weft__start *, void *stack_low,
    size_t stack_size, void (*first)(void));
void weft__start_enter(struct weft__start *) __attribute__((noreturn));

#endif
