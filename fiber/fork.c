/* SPDX-License-Identifier: MIT */
/*
 * A loop in a forked child. Its poller is the parent's, too: whatever the child
 * did to it, it would do to the parent. So the loop refuses everything with
 * ECHILD until weft_loop_after_fork has given it a poller of its own.
 *
 * Only the fiber that forked goes on. The others are gone: they never run
 * again, but their stacks stay, because queues may lead through them.
 */
#include "config.h"

#include <errno.h>

#include "fiber/fiber.h"

static void
bury(struct weft_loop *loop, struct weft_fiber *fiber)
{
	if (fiber == loop->front.current || fiber->state == WEFT__POOLED ||
	    fiber->state == WEFT__GONE)
		return;
	if (fiber->state == WEFT__PARKED && fiber->waiting & WEFT__EXTERNAL)
		loop->external--;
	if (fiber->state != WEFT__DONE)
		loop->stats.fibers--;
	fiber->state = WEFT__GONE;
	weft__timer_remove(&loop->timers, &fiber->timer);
}

int
weft_loop_after_fork(void)
{
	struct weft_loop *loop = weft__loop_here();
	struct weft_fiber *fiber;

	if (loop == NULL || weft__loop_check(loop) == 0)
		return 0;       /* nothing to renew */
	if (weft__reactor_after_fork(&loop->reactor) < 0)
		return -1;
	bury(loop, &loop->main);
	for (fiber = loop->all; fiber != NULL; fiber = fiber->older)
		bury(loop, fiber);
	loop->head = NULL;
	loop->tail = &loop->head;
	loop->timed = 0;
	loop->stats.parked = 0;
	loop->addressable = false;
	loop->dump_signal = 0;
	weft__loop_renew(loop);
	return 0;
}

bool
weft__gone(const struct weft_fiber *fiber)
{
	return fiber->state == WEFT__GONE;
}

unsigned long
weft__epoch(const struct weft_loop *loop)
{
	return loop->epoch;
}
