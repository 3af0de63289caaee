/* SPDX-License-Identifier: MIT */
/*
 * Fibers that wait for each other, in the order in which they came:
 *
 *   add --> queued --choose--> chosen, READY     it has what it waited for
 *              |
 *              +--first--> passed over           it had given up, not yet run
 *              +--remove-> left                  it gave up, and ran
 *
 * A fiber that is READY cannot be cancelled or time out any more. So a chosen
 * one has certainly got it, and one that has not is certainly out of the
 * queue: nothing that is handed over is ever lost.
 */
#include "config.h"

#include "fiber/fiber.h"

void
weft__queue_add(struct weft__queue *queue, struct weft__node *node,
    struct weft_fiber *fiber)
{
	*node = (struct weft__node){ .previous = queue->last, .fiber = fiber,
	    .queued = true };
	if (queue->last != NULL)
		queue->last->next = node;
	else
		queue->first = node;
	queue->last = node;
}

void
weft__queue_remove(struct weft__queue *queue, struct weft__node *node)
{
	if (node->previous != NULL)
		node->previous->next = node->next;
	else
		queue->first = node->next;
	if (node->next != NULL)
		node->next->previous = node->previous;
	else
		queue->last = node->previous;
	node->queued = false;
}

struct weft__node *
weft__queue_first(struct weft__queue *queue)
{
	struct weft__node *node;

	while ((node = queue->first) != NULL && node->fiber->state != WEFT__PARKED)
		weft__queue_remove(queue, node);
	return node;
}

void
weft__queue_choose(struct weft__queue *queue, struct weft__node *node, int error)
{
	weft__queue_remove(queue, node);
	node->chosen = true;
	weft__wake(node->fiber, error);
}

int
weft__queue_wait(struct weft_loop *loop, struct weft__queue *queue,
    int64_t deadline, unsigned waiting)
{
	struct weft__node node;
	int error;

	weft__queue_add(queue, &node, loop->front.current);
	error = weft__park(loop, deadline, waiting);
	if (node.queued)
		weft__queue_remove(queue, &node);
	return error;
}

bool
weft__queue_wake(struct weft__queue *queue, int error)
{
	struct weft__node *node = weft__queue_first(queue);

	if (node == NULL)
		return false;
	weft__queue_choose(queue, node, error);
	return true;
}
