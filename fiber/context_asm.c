/* SPDX-License-Identifier: MIT */
/*
 * fiber/context_asm.c - contexts that the assembly of this CPU switches.
 *
 * The switch itself is weft__context_swap in context_<cpu>.S, whose top comment
 * draws a suspended context. Here a new one is written as if it had been
 * suspended in front of weft__context_start, which calls the entry:
 *
 *     stack_low + stack_size ->  rounded down to 16
 *                                0, 0          for unwinders without CFI
 *                                frame         entry and arg in registers that
 *     context.sp ------------->                weft__context_start knows
 */
#include "config.h"

#ifdef WEFT_CONTEXT_ASM

#include <stdint.h>

#include "fiber/context.h"
#include "fiber/context_sanitize.h"

void weft__context_swap(struct weft__context *from, struct weft__context *to);
void weft__context_start(void);

/* Words of a frame: what lies at which index is the .S file's. */
#if defined(__x86_64__)
#define FRAME_WORDS 7
#define FRAME_ENTRY 3	/* r12 */
#define FRAME_ARG 2	/* r13 */
#define FRAME_RESUME 6
#elif defined(__aarch64__)
#define FRAME_WORDS 20
#define FRAME_ENTRY 0	/* x19 */
#define FRAME_ARG 1	/* x20 */
#define FRAME_RESUME 11	/* x30 */
#else
#error "no assembly switch for this CPU: configure --with-context=ucontext"
#endif

const char *
weft__context_name(void)
{
#ifdef WEFT_CONTEXT_SHADOW
	if (weft__context_shadowed > 0)
		return "swapcontext";
#endif
	return "asm";
}

static void *
prepare(void *stack_low, size_t stack_size, void (*entry)(void *), void *arg)
{
	uintptr_t top = ((uintptr_t)stack_low + stack_size) & ~(uintptr_t)15;
	uintptr_t *frame = (uintptr_t *)top - 2 - FRAME_WORDS;

	for (int i = 0; i < FRAME_WORDS + 2; i++)
		frame[i] = 0;
	frame[FRAME_ENTRY] = (uintptr_t)entry;
	frame[FRAME_ARG] = (uintptr_t)arg;
	frame[FRAME_RESUME] = (uintptr_t)weft__context_start;
	return frame;
}

#ifdef WEFT_CONTEXT_SHADOW

_Atomic(signed char) weft__context_shadowed = -1;

/* rdsspq %rax: the shadow stack's pointer; does nothing where there is none,
 * and on a processor that knows no such thing. */
static bool
has_shadow_stack(void)
{
	uintptr_t pointer = 0;

	__asm__ volatile(".byte 0xf3, 0x48, 0x0f, 0x1e, 0xc8" : "+a"(pointer));
	return pointer != 0;
}

void
weft__context_choose(bool shadow_stacks)
{
	weft__context_shadowed = shadow_stacks;
}

void
weft__context_adopt(struct weft__context *c)
{
	if (weft__context_shadowed < 0)
		weft__context_choose(has_shadow_stack());
	(void)c;
}

#endif

#ifndef WEFT__SANITIZED

void
weft__context_make(struct weft__context *c, void *stack_low, size_t stack_size,
    void (*entry)(void *), void *arg)
{
#ifdef WEFT_CONTEXT_SHADOW
	if (weft__context_shadowed > 0) {
		weft__swapcontext_make(c, stack_low, stack_size, entry, arg);
		return;
	}
#endif
	c->sp = prepare(stack_low, stack_size, entry, arg);
}

#else

void
weft__context_make(struct weft__context *c, void *stack_low, size_t stack_size,
    void (*entry)(void *), void *arg)
{
	weft__context_describe(c, stack_low, stack_size, entry, arg);
	c->sp = prepare(stack_low, stack_size, weft__context_begin, c);
}

void
weft__context_adopt(struct weft__context *c)
{
	weft__context_describe_own(c);
}

WEFT__UNSANITIZED void
weft__context_switch(struct weft__context *from, struct weft__context *to)
{
	weft__context_depart(from, to, false);
	weft__context_swap(from, to);
	weft__context_arrive(from);
}

WEFT__UNSANITIZED void
weft__context_leave(struct weft__context *from, struct weft__context *to)
{
	weft__context_depart(from, to, true);
	weft__context_swap(from, to);
	__builtin_trap();
}

void
weft__context_forget(struct weft__context *c)
{
	weft__context_describe_over(c);
}

#endif

#else

/* ISO C forbids a file without a declaration. */
extern int weft__context_asm_is_not_used;

#endif
