/* SPDX-License-Identifier: MIT */
/*
 * fiber/context.h - create and switch a context; nothing else.
 *
 * A context is one flow of control on one stack. While it is suspended, all
 * that it is lies on that stack, and struct weft__context points there:
 *
 *     asm       the stack pointer; the callee-saved registers lie above it
 *     ucontext, sigaltstack
 *               a jmp_buf in the frame of the switch that suspended it; named
 *               for how a stack is entered for the first time
 *     swapcontext
 *               a ucontext_t in that frame
 *
 * configure chooses one. On x86-64, asm gives way to swapcontext at run time in
 * a process that has shadow stacks, where no other switch may be made.
 *
 * A switch keeps the registers that a call keeps. The signal mask and the
 * floating-point modes (rounding, exception masks) stay the thread's: the next
 * context runs with what the last one set, and one that changes them puts them
 * back before it switches. A context never changes threads.
 *
 * weft__context_name()    who switches: "asm", "ucontext", "sigaltstack" or
 *                         "swapcontext"
 * weft__context_make()    entry(arg) runs at the first switch to the context,
 *                         on [stack_low, stack_low + stack_size); it must
 *                         never return. May be called again, on the same
 *                         stack too, once the last run has left or been
 *                         forgotten. Touches the top of the stack only, which
 *                         nobody else may write to in between. arg may lie
 *                         anywhere but on that stack.
 * weft__context_adopt()   the thread's own context: call it on the thread's
 *                         stack before the first switch away from it.
 * weft__context_switch()  suspend from, which is running; resume to.
 * weft__context_leave()   the same, but from is over: it is never resumed. Called
 *                         last in a function that is called last, and so on, it
 *                         is jumped to, and the processor, which remembers who
 *                         called whom, knows the way back of whoever runs next.
 * weft__context_forget()  a suspended context that is never resumed: lets the
 *                         sanitizers free what they know of it.
 * weft__context_choose()  for tests: as if the process had shadow stacks, or
 *                         none. All contexts made before are over.
 */
#ifndef WEFT_FIBER_CONTEXT_H
#define WEFT_FIBER_CONTEXT_H

#include <stdbool.h>
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

#if defined(WEFT__ASAN) || defined(WEFT__TSAN)
#define WEFT__SANITIZED 1
#undef WEFT_CONTEXT_SHADOW	/* their runtimes know no shadow stacks */
#endif

struct weft__context {
	void *sp;		/* while suspended; must stay first: the
				 * assembly knows it at offset 0 */
#ifdef WEFT__SANITIZED
	void (*entry)(void *);	/* in a made context */
	void *arg;
#endif
#ifdef WEFT__ASAN
	const void *stack_low;	/* NULL in an adopted context not yet left */
	size_t stack_size;
	void *fake_stack;	/* while suspended */
#endif
#ifdef WEFT__TSAN
	void *tsan;		/* NULL once over */
#endif
};

const char *weft__context_name(void);
void weft__context_make(struct weft__context *, void *stack_low,
    size_t stack_size, void (*entry)(void *), void *arg);

#if defined(WEFT_CONTEXT_SHADOW) || defined(WEFT_CONTEXT_SWAPCONTEXT)
/* context_swapcontext.c */
void weft__swapcontext_make(struct weft__context *, void *stack_low,
    size_t stack_size, void (*entry)(void *), void *arg);
void weft__swapcontext_switch(struct weft__context *from,
    struct weft__context *to);
#endif

#if defined(WEFT_CONTEXT_ASM) && !defined(WEFT__SANITIZED)

#ifdef WEFT_CONTEXT_SHADOW

#include <stdatomic.h>

/* 1 or 0; -1 before the first adopt. */
extern _Atomic(signed char) weft__context_shadowed;

void weft__context_choose(bool shadow_stacks);
void weft__context_adopt(struct weft__context *);

#else

static inline void
weft__context_adopt(struct weft__context *c)
{
	(void)c;
}

#endif

/* context_<cpu>.S */
void weft__context_swap(struct weft__context *from, struct weft__context *to);

static inline void
weft__context_switch(struct weft__context *from, struct weft__context *to)
{
#ifdef WEFT_CONTEXT_SHADOW
	if (__builtin_expect(atomic_load_explicit(&weft__context_shadowed,
	    memory_order_relaxed) > 0, 0)) {
		weft__swapcontext_switch(from, to);
		return;
	}
#endif
	weft__context_swap(from, to);
}

/* (Not noreturn: gcc never jumps to what is.) */
static inline void
weft__context_leave(struct weft__context *from, struct weft__context *to)
{
	weft__context_switch(from, to);
}

static inline void
weft__context_forget(struct weft__context *c)
{
	(void)c;
}

#else

void weft__context_adopt(struct weft__context *);
void weft__context_switch(struct weft__context *from,
    struct weft__context *to);
void weft__context_leave(struct weft__context *from,
    struct weft__context *to) __attribute__((noreturn));
void weft__context_forget(struct weft__context *);

#endif

#endif
