/* SPDX-License-Identifier: MIT */
/*
 * fiber/context_sanitize.h - what the sanitizers are told about a switch.
 *
 * Only the files of the switches include it. Around each switch they call
 *
 *     weft__context_depart(from, to, over)    last, still on from's stack
 *     weft__context_arrive(c)                 first, on the stack of c
 *
 * and weft__context_describe() when a context is made; in a build without
 * sanitizers all three are empty. An adopted context learns where its stack
 * lies when it is first left: AddressSanitizer then tells the next one.
 *
 * These functions run between two stacks and must not be instrumented.
 */
#ifndef WEFT_FIBER_CONTEXT_SANITIZE_H
#define WEFT_FIBER_CONTEXT_SANITIZE_H

#include "fiber/context.h"

#include <stdbool.h>

#ifdef WEFT__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define WEFT__NO_ASAN __attribute__((no_sanitize_address))
#else
#define WEFT__NO_ASAN
#endif

#ifdef WEFT__TSAN
#include <pthread.h>
#include <signal.h>
#include <sanitizer/tsan_interface.h>
#define WEFT__NO_TSAN __attribute__((no_sanitize_thread))
#else
#define WEFT__NO_TSAN
#endif

#define WEFT__UNSANITIZED WEFT__NO_ASAN WEFT__NO_TSAN

/*
 * Entered as one context and left as another: inlined always, because clang's
 * ThreadSanitizer counts the calls and returns of each context even here.
 */
#define WEFT__BETWEEN \
	WEFT__UNSANITIZED static inline __attribute__((always_inline))

#ifdef WEFT__SANITIZED

/* On its way out in this thread; arrive() finishes what depart() began. */
static _Thread_local struct weft__context *departing;
static _Thread_local bool departing_is_over;

#ifdef WEFT__TSAN

/*
 * ThreadSanitizer keeps a signal that strikes a fiber until that very fiber next
 * calls the C library: with one that is left it would be gone. So what has come
 * by now is delivered, which pthread_sigmask does there, and what comes during
 * the switch is the next one's.
 */
static _Thread_local sigset_t mask_of_thread;

WEFT__BETWEEN void
weft__context_keep_signals_out(void)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	mask_of_thread = before;
}

WEFT__BETWEEN void
weft__context_let_signals_in(void)
{
	sigset_t before = mask_of_thread;

	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Where it keeps them it makes at a fiber's first call that may block, and loses
 * one that comes just then. This is such a call; signals are kept out. */
WEFT__BETWEEN void
weft__context_expect_signals(void)
{
	(void)pthread_kill(pthread_self(), 0);
}

#endif

static inline void
weft__context_describe(struct weft__context *c, void *stack_low,
    size_t stack_size, void (*entry)(void *), void *arg)
{
#ifdef WEFT__ASAN
	/* Frames of an earlier run that never returned left their poison. */
	__asan_unpoison_memory_region(stack_low, stack_size);
	c->stack_low = stack_low;
	c->stack_size = stack_size;
	c->fake_stack = NULL;
#endif
#ifdef WEFT__TSAN
	c->tsan = __tsan_create_fiber(0);
#endif
	c->entry = entry;
	c->arg = arg;
	(void)stack_low, (void)stack_size;
}

WEFT__BETWEEN void
weft__context_depart(struct weft__context *from, struct weft__context *to,
    bool over)
{
	departing = from;
	departing_is_over = over;
#ifdef WEFT__ASAN
	__sanitizer_start_switch_fiber(over ? NULL : &from->fake_stack,
	    to->stack_low, to->stack_size);
#endif
#ifdef WEFT__TSAN
	weft__context_keep_signals_out();
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
	(void)to;
}

WEFT__BETWEEN void
weft__context_arrive(struct weft__context *c)
{
	struct weft__context *from = departing;

#ifdef WEFT__ASAN
	const void *low;
	size_t size;

	__sanitizer_finish_switch_fiber(c->fake_stack, &low, &size);
	if (from->stack_low == NULL) {
		from->stack_low = low;
		from->stack_size = size;
	}
#endif
#ifdef WEFT__TSAN
	if (departing_is_over) {
		__tsan_destroy_fiber(from->tsan);
		from->tsan = NULL;
	}
	weft__context_let_signals_in();
#endif
	(void)c, (void)from;
}

/* The first thing that runs in a made context. */
WEFT__UNSANITIZED static void
weft__context_begin(void *made)
{
	struct weft__context *c = made;

#ifdef WEFT__TSAN
	weft__context_expect_signals();
#endif
	weft__context_arrive(c);
	c->entry(c->arg);
	__builtin_trap();
}

/* What the public functions besides make and switch are in both files. */
static inline void
weft__context_describe_own(struct weft__context *c)
{
	*c = (struct weft__context){ 0 };
#ifdef WEFT__TSAN
	c->tsan = __tsan_get_current_fiber();
	weft__context_keep_signals_out();
	weft__context_expect_signals();
	weft__context_let_signals_in();
#endif
}

static inline void
weft__context_describe_over(struct weft__context *c)
{
#ifdef WEFT__TSAN
	if (c->tsan != NULL)
		__tsan_destroy_fiber(c->tsan);
	c->tsan = NULL;
#endif
	(void)c;
}

#else

static inline void
weft__context_depart(struct weft__context *from, struct weft__context *to,
    bool over)
{
	(void)from, (void)to, (void)over;
}

static inline void
weft__context_arrive(struct weft__context *c)
{
	(void)c;
}

#endif

#endif
