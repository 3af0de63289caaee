/* SPDX-License-Identifier: MIT */
/*
 * fiber/context_swapcontext.c - contexts that the C library switches.
 *
 * The slow way (235 ns and two system calls a switch), for a processor that
 * keeps a second stack of return addresses in memory of its own and lets a ret
 * go nowhere else: Intel's and AMD's shadow stacks. makecontext makes one for
 * the context and swapcontext changes to it, which the other ways do not.
 *
 *     stack_low                                           stack_low + size
 *     | ... frames of the entry | keep_alive | live | struct home |
 *
 * context.sp points to the ucontext_t of a suspended context, in the frame of
 * the switch or, before the entry runs, in its home. glibc never gives a shadow
 * stack back. So the first make on a stack is the only makecontext there: one
 * that is over, or forgotten, goes back to its home when it is switched to the
 * next time, and runs the next entry.
 *
 * swapcontext would give each context a signal mask of its own: it is handed on.
 * The floating-point modes, too, are the context's here.
 */
#include "config.h"

#if defined(__APPLE__) && !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif

#include "fiber/context.h"

#if defined(WEFT_CONTEXT_SWAPCONTEXT) || defined(WEFT_CONTEXT_SHADOW)

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "fiber/context_sanitize.h"

#define ALIVE UINT64_C(0x6c69766573206f6e)

struct home {
	uint64_t alive;			/* ALIVE and where: one was made here */
	volatile uint64_t *below;	/* the same, below the frame of live, once
					 * it has run: whoever drops pages of the
					 * stack drops the lower ones first */
	ucontext_t context;
	void (*entry)(void *);
	void *arg;
};

/* What the last switch of this thread resumed. */
static _Thread_local ucontext_t *resumed;

static uint64_t
alive_at(const struct home *h)
{
	return ALIVE ^ (uintptr_t)h;
}

static struct home *
home_of(void *stack_low, size_t stack_size)
{
	uintptr_t top = (uintptr_t)stack_low + stack_size;

	return (struct home *)((top - sizeof(struct home)) & ~(uintptr_t)63);
}

WEFT__UNSANITIZED static void __attribute__((noinline, noreturn))
keep_alive(struct home *h)
{
	volatile uint64_t below = alive_at(h);

	h->below = &below;
	h->entry(h->arg);
	__builtin_trap();
}

/* The context that getcontext sees is resumed once for each make to come. */
WEFT__UNSANITIZED static void
live(void)
{
	struct home *volatile h = (struct home *)
	    ((char *)resumed - offsetof(struct home, context));

	getcontext(&h->context);
	keep_alive(h);
}

static void
settle(struct home *h, void *stack_low)
{
	if (getcontext(&h->context) != 0)
		__builtin_trap();
	h->context.uc_stack.ss_sp = stack_low;
	h->context.uc_stack.ss_size = (size_t)((char *)h - (char *)stack_low);
	h->context.uc_link = NULL;
	makecontext(&h->context, live, 0);
	h->below = NULL;
	h->alive = alive_at(h);
}

void
weft__swapcontext_make(struct weft__context *c, void *stack_low,
    size_t stack_size, void (*entry)(void *), void *arg)
{
	struct home *h = home_of(stack_low, stack_size);

	if (h->alive != alive_at(h) ||
	    (h->below != NULL && *h->below != alive_at(h)))
		settle(h, stack_low);
	h->entry = entry;
	h->arg = arg;
	c->sp = &h->context;
}

/* Never inlined: the caller must not keep a thread-local address across it. */
WEFT__UNSANITIZED void __attribute__((noinline))
weft__swapcontext_switch(struct weft__context *from, struct weft__context *to)
{
	ucontext_t here, *there = to->sp;

	from->sp = &here;
	resumed = there;
	pthread_sigmask(SIG_SETMASK, NULL, &there->uc_sigmask);
	swapcontext(&here, there);
}

#ifdef WEFT_CONTEXT_SWAPCONTEXT

const char *
weft__context_name(void)
{
	return "swapcontext";
}

#ifndef WEFT__SANITIZED

void
weft__context_make(struct weft__context *c, void *stack_low, size_t stack_size,
    void (*entry)(void *), void *arg)
{
	weft__swapcontext_make(c, stack_low, stack_size, entry, arg);
}

#else

void
weft__context_make(struct weft__context *c, void *stack_low, size_t stack_size,
    void (*entry)(void *), void *arg)
{
	weft__context_describe(c, stack_low, stack_size, entry, arg);
	weft__swapcontext_make(c, stack_low, stack_size, weft__context_begin, c);
}

#endif

void
weft__context_adopt(struct weft__context *c)
{
#ifdef WEFT__SANITIZED
	weft__context_describe_own(c);
#endif
	(void)c;
}

WEFT__UNSANITIZED void
weft__context_switch(struct weft__context *from, struct weft__context *to)
{
	weft__context_depart(from, to, false);
	weft__swapcontext_switch(from, to);
	weft__context_arrive(from);
}

WEFT__UNSANITIZED void
weft__context_leave(struct weft__context *from, struct weft__context *to)
{
	weft__context_depart(from, to, true);
	weft__swapcontext_switch(from, to);
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

#endif

#else

/* ISO C forbids a file without a declaration. */
extern int weft__context_swapcontext_is_not_used;

#endif
