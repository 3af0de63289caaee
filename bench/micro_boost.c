/* SPDX-License-Identifier: MIT */
/*
 * bench/micro_boost.c - see micro.h; Boost.Context. Its C++ classes stand on
 * these two functions with C linkage.
 */
struct transfer {
	void *from, *data;
};

void *make_fcontext(void *top, unsigned long size, void (*run)(struct transfer));
struct transfer jump_fcontext(void *to, void *data);

struct context {
	void *at;
	void (*run)(void);
};

/* Who is switched to tells who was left where he is. */
static inline void
arrived(struct transfer t)
{
	((struct context *)t.data)->at = t.from;
}

static struct context *starting;

static void
enter(struct transfer t)
{
	arrived(t);
	starting->run();
}

static inline void
context_make(struct context *context, char *stack, unsigned long size, void (*run)(void))
{
	context->at = make_fcontext(stack + size, size, enter);
	context->run = run;
}

static inline void
context_switch(struct context *from, struct context *to)
{
	starting = to;
	arrived(jump_fcontext(to->at, from));
}

#include "micro_ring.h"
