/* SPDX-License-Identifier: MIT */
/*
 * fiber/context.h - create and switch a context; nothing else.
 *
 * A context is one flow of control on one stack. While it is suspended, all
 * that it is lies on that stack, and struct weft__context points there:
 *
 *     asm       the stack pointer; the callee-saved registers lie above it
 *     ucontext  a jmp_buf in the frame of the switch that suspended it
 *
 * What a switch keeps per context: everything that the ABI says a call keeps,
 * but not the signal mask, and floating-point modes (rounding, exception
 * masks) only where the file of the switch says so. A context never changes
 * threads.
 *
 * weft__context_name()    who switches: "asm" or "ucontext"
 * weft__context_make()    entry(arg) runs at the first switch to the context,
 *                         on [stack_low, stack_low + stack_size); it must
 *                         never return. May be called again, on the same
 *                         stack too, once the last run has left or been
 *                         forgotten. Touches the top of the stack only. arg
 *                         may lie anywhere but on that stack.
 * weft__context_adopt()   the thread's own context: call it on the thread's
 *                         stack before the first switch away from it.
 * weft__context_switch()  suspend from, which is running; resume to.
 * weft__context_leave()   the same, but from is over: it is never resumed.
 * weft__context_forget()  a suspended context that is never resumed: lets the
 *                         sanitizers free what they know of it.
 */
#ifndef WEFT_FIBER_CONTEXT_H
#define WEFT_FIBER_CONTEXT_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define WEFT__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT__ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define WEFT__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT__TSAN 1
#endif
#endif

struct weft__context {
	void *sp;		/* while suspended; must stay first: the
				 * assembly knows it at offset 0 */
#ifdef WEFT__ASAN
	const void *stack_low;
	size_t stack_size;	/* 0 in an adopted context not yet left */
	void *fake_stack;	/* while suspended */
#endif
#ifdef WEFT__TSAN
	void *tsan;
#endif
};

const char *weft__context_name(void);
void weft__context_make(struct weft__context *, void *stack_low,
    size_t stack_size, void (*entry)(void *), void *arg);
void weft__context_adopt(struct weft__context *);
void weft__context_switch(struct weft__context *from,
    struct weft__context *to);
void weft__context_leave(struct weft__context *from,
    struct weft__context *to) __attribute__((noreturn));
void weft__context_forget(struct weft__context *);

#endif
