/* SPDX-License-Identifier: MIT */
/*
 * bench/micro_swapcontext.c - see micro.h; the C library's contexts, which ask
 * the kernel for the signal mask at every switch.
 */
#include <ucontext.h>

struct context {
	ucontext_t u;
};

static inline void
context_make(struct context *context, char *stack, unsigned long size, void (*run)(void))
{
	getcontext(&context->u);
	context->u.uc_stack.ss_sp = stack;
	context->u.uc_stack.ss_size = size;
	context->u.uc_link = 0;
	makecontext(&context->u, run, 0);
}

static inline void
context_switch(struct context *from, struct context *to)
{
	swapcontext(&from->u, &to->u);
}

#include "micro_ring.h"
