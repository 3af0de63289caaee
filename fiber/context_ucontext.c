/* SPDX-License-Identifier: MIT */
/*
 * fiber/context_ucontext.c - the first step onto a stack, by makecontext.
 *
 * For every CPU that the C library knows. It costs two system calls, which
 * look at the signal mask, about 350 ns. context_jump.c does the rest;
 * swapcontext would cost a system call for each switch (235 ns against 18).
 */
#include "config.h"

#ifdef WEFT_CONTEXT_UCONTEXT

#if defined(__APPLE__) && !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif

#include "fiber/context.h"
#include "fiber/context_jump.h"
#include "fiber/context_sanitize.h"

/* Neither getcontext nor setcontext has a reason to fail: a trap tells. */
void
weft__start_prepare(struct weft__start *s, void *stack_low, size_t stack_size,
    void (*first)(void))
{
	if (getcontext(&s->newborn) != 0)
		__builtin_trap();
	s->newborn.uc_stack.ss_sp = stack_low;
	s->newborn.uc_stack.ss_size = stack_size;
	s->newborn.uc_link = NULL;
	makecontext(&s->newborn, first, 0);
}

WEFT__UNSANITIZED void
weft__start_enter(struct weft__start *s)
{
	setcontext(&s->newborn);
	__builtin_trap();
}

#else

/* ISO C forbids a file without a declaration. */
extern int weft__context_ucontext_is_not_used;

#endif
