/* SPDX-License-Identifier: MIT */
/*
 * What the files of weft/sync.h share.
 */
#ifndef WEFT_FIBER_SYNC_H
#define WEFT_FIBER_SYNC_H

#include <errno.h>

#include "fiber/fiber.h"
#include "weft/sync.h"

/* Opens a call with a deadline: an errno. One that is busy with calls that
 * never have to wait lets the others run now and then, here, because here it
 * holds nothing yet. */
static inline int
weft__sync_enter(struct weft_loop *loop, int64_t deadline)
{
	int error = weft__check(loop);

	if (error != 0 || deadline == WEFT_NOWAIT)
		return error;
	weft__charge(loop, 0);
	return weft__check(loop);       /* others have run */
}

/* The edge to the program. */
static inline int
weft__sync_result(int error)
{
	if (error == 0)
		return 0;
	errno = error;
	return -1;
}

/* The whole of a call that waits in a queue for what cannot be had at once. */
static inline int
weft__sync_wait(struct weft_loop *loop, struct weft__queue *queue,
    int64_t deadline, unsigned waiting)
{
	weft__subject(loop, (uint64_t)(uintptr_t)queue);
	return weft__queue_wait(loop, queue, deadline, waiting);
}

static inline int
weft__sync_destroy(bool busy, const struct weft__queue *queue)
{
	return weft__sync_result(busy || !weft__queue_empty(queue) ? EBUSY : 0);
}

/* --- channel.c */

/* Does a send or a receive if it need not wait: result is set. An errno: EPIPE,
 * or EAGAIN if it has to. */
int weft__channel_try(struct weft_case *);
/* Where it waits then. Who waits there is a case, plain calls included. */
struct weft__queue *weft__channel_queue(struct weft_case *);

#endif
