/* SPDX-License-Identifier: MIT */
/*
 * What many fibers leave behind. Their stacks are kept for the next spawn, and
 * after a burst that would be for ever. So once WEFT__TRIM_AFTER fibers have
 * ended a trim is planned, WEFT__TRIM_DELAY later: a loop that sleeps wakes up
 * for it, once. Stacks that went deep are looked at only if nobody waits.
 *
 * Whoever still sends something to a fiber of such a stack finds a block that is
 * all zero, and so not the one that was meant.
 */
#include "config.h"

#include <string.h>

#include "fiber/fiber.h"

/* The block is as if it had never been used. */
static void
retire(struct weft__stack *stack)
{
	struct weft_fiber *fiber = weft__block_on(stack);
	struct weft_loop *loop = fiber->loop;

	if (loop == NULL)
		return;
	if (fiber->newer != NULL)
		fiber->newer->older = fiber->older;
	else
		loop->all = fiber->older;
	if (fiber->older != NULL)
		fiber->older->newer = fiber->newer;
	weft__timer_remove(&loop->timers, &fiber->timer);
	loop->blocks--;
	memset(fiber, 0, sizeof *fiber);
}

void
weft__fibers_trim(struct weft_loop *loop)
{
	int64_t now;

	if (loop->stacks.given < WEFT__TRIM_AFTER)
		return;
	now = weft__clock();
	if (loop->trim_at == 0)
		loop->trim_at = now + WEFT__TRIM_DELAY;
	if (now < loop->trim_at)
		return;
	loop->trim_at = 0;
	weft__stacks_trim(&loop->stacks, loop->head == NULL, retire);
}
