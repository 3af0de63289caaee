/* SPDX-License-Identifier: MIT */
/*
 * bench/switch.c - what a context switch and a pooled stack cost.
 *
 *     switch [milliseconds per measurement]
 *
 * Contexts in a ring, in random order, switch straight to the next; each counts
 * in a block above its frames, as a fiber does. "aligned" puts all tops at one
 * place in the page, which is what the stagger of fiber/stack.c is there to
 * avoid. The best of several rounds is shown: noise only adds.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fiber/context.h"
#include "fiber/stack.h"

#define ROUNDS 7
#define BLOCK 320	/* about what a fiber keeps above its frames */
#define CONTEXTS_MAX 10000

struct block {
	struct weft__context context;
	struct block *next;
	uint64_t runs;
};

static struct weft__stacks pool;
static struct weft__context main_context;
static int64_t switches_left;

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void
go_round(void *arg)
{
	struct block *self = arg;

	for (;;) {
		self->runs++;
		if (--switches_left > 0)
			weft__context_switch(&self->context,
			    &self->next->context);
		else
			weft__context_switch(&self->context, &main_context);
	}
}

static struct block *
block_on(struct weft__stack *s, bool staggered)
{
	uintptr_t top = (uintptr_t)s;

	if (!staggered)
		top = (top & ~(uintptr_t)4095) + 2048;
	return (struct block *)(top - BLOCK);
}

static struct block *
make_block(bool staggered)
{
	struct weft__stack *s = weft__stack_take(&pool, 0);
	struct block *b;

	if (s == NULL)
		abort();
	b = block_on(s, staggered);
	weft__context_make(&b->context, s->low, (size_t)((char *)b - s->low),
	    go_round, b);
	return b;
}

/* In random order: one that follows the addresses flatters the prefetcher. */
static struct block *
make_ring(int count, bool staggered)
{
	static struct block *blocks[CONTEXTS_MAX];

	srand(1);
	for (int i = 0; i < count; i++) {
		int other = rand() % (i + 1);

		blocks[i] = blocks[other];
		blocks[other] = make_block(staggered);
	}
	for (int i = 0; i < count; i++)
		blocks[i]->next = blocks[(i + 1) % count];
	return blocks[0];
}

static double
run_ring(struct block *first, int64_t switches)
{
	double began = now_ns();

	switches_left = switches;
	weft__context_switch(&main_context, &first->context);
	return (now_ns() - began) / (double)switches;
}

static double
ring(int count, bool staggered, double ms)
{
	struct block *first = make_ring(count, staggered);
	double ns = run_ring(first, 50000), best = ns;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t switches = (int64_t)(ms * 1e6 / best / ROUNDS) + count;

		ns = run_ring(first, switches);
		if (ns < best)
			best = ns;
	}
	weft__stacks_destroy(&pool);
	return best;
}

static void
live_once(void *arg)
{
	struct block *self = arg;

	self->runs++;
	weft__context_leave(&self->context, &main_context);
}

static void
one_life(void)
{
	struct weft__stack *s = weft__stack_take(&pool, 0);
	struct block *b = block_on(s, true);

	weft__context_make(&b->context, s->low, (size_t)((char *)b - s->low),
	    live_once, b);
	weft__context_switch(&main_context, &b->context);
	weft__stack_give(&pool, s);
}

static double
lives(double ms)
{
	double best = 1e9;
	int64_t count = 10000;

	for (int i = 0; i < ROUNDS; i++) {
		double began = now_ns(), ns;

		for (int64_t n = 0; n < count; n++)
			one_life();
		ns = (now_ns() - began) / (double)count;
		if (ns < best)
			best = ns;
		count = (int64_t)(ms * 1e6 / best / ROUNDS) + 1;
	}
	weft__stacks_destroy(&pool);
	return best;
}

static void
row(const char *what, double ns)
{
	printf("%-48s %8.1f ns\n", what, ns);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	double ms = argc > 1 ? atof(argv[1]) : 500;

	weft__context_adopt(&main_context);
	printf("context switch: %s\n", weft__context_name());
	row("switch among 2 contexts", ring(2, true, ms));
	row("switch among 100, staggered", ring(100, true, ms));
	row("switch among 100, aligned", ring(100, false, ms));
	row("switch among 1,000, staggered", ring(1000, true, ms));
	row("switch among 1,000, aligned", ring(1000, false, ms));
	row("switch among 10,000, staggered", ring(CONTEXTS_MAX, true, ms));
	row("switch among 10,000, aligned", ring(CONTEXTS_MAX, false, ms));
	row("take, make, run, leave, give", lives(ms));
	printf("guard: %s\n", weft__stack_guard());
	return EXIT_SUCCESS;
}
