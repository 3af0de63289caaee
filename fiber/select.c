/* SPDX-License-Identifier: MIT */
/*
 * Waiting for the first of several things.
 *
 *   1  try each case once, from a place that moves with every call
 *   2  nothing could be done: put each case where a plain call would wait
 *   3  park
 *   4  whoever comes first to meet one of the cases does it, marks its node as
 *      chosen and wakes the fiber, which from then on is passed over by others
 *   5  take the other cases off
 *
 * A case keeps its own node, in the caller's memory, so that any number of
 * them needs no more. node.queued says that it is to be taken off. Two of them
 * are told differently: the poller reports to the waiter of a descriptor, and a
 * fiber that ends wakes its joiner, who then finds it DONE.
 */
#include "config.h"

#include "fiber/sync.h"

static struct weft_case *
case_of(struct weft__waiter *waiter)
{
	return (struct weft_case *)
	    ((char *)waiter - offsetof(struct weft_case, waiter));
}

/* --- before: what can never be right */

static int
check_case(const struct weft_loop *loop, const struct weft_case *c)
{
	switch (c->kind) {
	case WEFT_CASE_SEND:
	case WEFT_CASE_RECEIVE:
		return c->channel != NULL ? 0 : EINVAL;
	case WEFT_CASE_FD:
		return c->events != 0 &&
		    !(c->events & ~(WEFT_READABLE | WEFT_WRITABLE)) ? 0 : EINVAL;
	case WEFT_CASE_EVENT:
		return c->event != NULL ? 0 : EINVAL;
	case WEFT_CASE_JOIN:
		return weft__join_check(loop, c->fiber);
	}
	return EINVAL;
}

static int
check_cases(const struct weft_loop *loop, const struct weft_case *cases, int n)
{
	int error = n < 1 || cases == NULL ? EINVAL : 0, i;

	for (i = 0; i < n && error == 0; i++)
		error = check_case(loop, &cases[i]);
	return error;
}

/* --- at once: 0 done, EAGAIN, or the errno with which it has failed */

static int
try_fd(struct weft_case *c)
{
	if (c->fd < 0)
		return EBADF;
	c->result = weft__slot_probe(c->fd, c->events);
	if (c->result < 0)
		return errno;
	return c->result > 0 ? 0 : EAGAIN;
}

static int
try_join(struct weft_case *c)
{
	if (c->fiber->state != WEFT__DONE)
		return EAGAIN;
	c->result = weft__join_finish(c->fiber);
	return 0;
}

static int
try_case(struct weft_case *c)
{
	switch (c->kind) {
	case WEFT_CASE_SEND:
	case WEFT_CASE_RECEIVE:
		return weft__channel_try(c);
	case WEFT_CASE_FD:
		return try_fd(c);
	case WEFT_CASE_EVENT:
		c->result = 0;
		return c->event->is_set ? 0 : EAGAIN;
	case WEFT_CASE_JOIN:
		return try_join(c);
	}
	return EINVAL;
}

/* Steps of the golden ratio come by every place equally often, also when a
 * program's calls follow a pattern. */
static int
somewhere(struct weft_loop *loop, int n)
{
	loop->select_start += 0x9e3779b9u;
	return (int)((uint64_t)loop->select_start * (uint64_t)n >> 32);
}

/* The index of the one that was done, or -1. */
static int
try_all(struct weft_loop *loop, struct weft_case *cases, int n, int *error)
{
	int at = somewhere(loop, n), i;

	for (i = 0; i < n; i++) {
		*error = try_case(&cases[at]);
		if (*error != EAGAIN)
			return at;
		at = at + 1 < n ? at + 1 : 0;
	}
	return -1;
}

/* --- waiting */

static void
fd_ready(struct weft__waiter *waiter, int events)
{
	struct weft_case *c = case_of(waiter);

	c->node.queued = false;
	if (c->node.fiber->state != WEFT__PARKED)
		return;
	c->node.chosen = true;
	c->result = events & c->events;
	weft__wake(c->node.fiber, events < 0 ? -events : 0);
}

static int
queue_fd(struct weft_loop *loop, struct weft_case *c)
{
	struct weft__slot *slot = weft__fd_borrow(loop, c->fd);
	int error = slot != NULL ? weft__fd_want(loop, slot, c->events) : errno;

	if (error == 0 && weft__fd_always_ready(slot)) {
		c->node.chosen = true;
		c->result = c->events;
	} else if (error == 0) {
		c->waiter.ready = fd_ready;
		weft__slot_add(slot, &c->waiter, c->events);
		c->node.queued = true;
	}
	return error;
}

static int
queue_join(struct weft_loop *loop, struct weft_case *c)
{
	if (c->fiber->joiner != NULL)
		return EINVAL;          /* the same fiber in two cases */
	c->fiber->joiner = loop->front.current;
	c->node.queued = true;
	return 0;
}

static int
queue_case(struct weft_loop *loop, struct weft_case *c)
{
	c->result = 0;
	c->node = (struct weft__node){ .fiber = loop->front.current };
	switch (c->kind) {
	case WEFT_CASE_SEND:
	case WEFT_CASE_RECEIVE:
		weft__queue_add(weft__channel_queue(c), &c->node, loop->front.current);
		return 0;
	case WEFT_CASE_FD:
		return queue_fd(loop, c);
	case WEFT_CASE_EVENT:
		weft__queue_add(&c->event->waiters, &c->node, loop->front.current);
		return 0;
	case WEFT_CASE_JOIN:
		return queue_join(loop, c);
	}
	return EINVAL;
}

static void
take_off(struct weft_loop *loop, struct weft_case *c)
{
	switch (c->kind) {
	case WEFT_CASE_SEND:
	case WEFT_CASE_RECEIVE:
		weft__queue_remove(weft__channel_queue(c), &c->node);
		break;
	case WEFT_CASE_FD:
		weft__slot_remove(weft__slot_find(&loop->reactor, c->fd), &c->waiter);
		break;
	case WEFT_CASE_EVENT:
		weft__queue_remove(&c->event->waiters, &c->node);
		break;
	case WEFT_CASE_JOIN:
		c->fiber->joiner = NULL;
		break;
	}
}

static void
take_off_all(struct weft_loop *loop, struct weft_case *cases, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		if (cases[i].node.queued)
			take_off(loop, &cases[i]);
		if (cases[i].kind == WEFT_CASE_FD)
			weft__fd_return(loop, cases[i].fd);
	}
}

/* The one that was done while the fiber was parked, or -1. */
static int
find_done(struct weft_case *cases, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (cases[i].node.chosen)
			return i;
	for (i = 0; i < n; i++)
		if (cases[i].kind == WEFT_CASE_JOIN && try_join(&cases[i]) == 0)
			return i;
	return -1;
}

static int
wait_for_one(struct weft_loop *loop, struct weft_case *cases, int n,
    int64_t deadline, int *error)
{
	unsigned waiting = WEFT__FOR_SELECT;
	bool ready = false;
	int i;

	*error = 0;
	for (i = 0; i < n && *error == 0 && !ready; i++) {
		*error = queue_case(loop, &cases[i]);
		ready = cases[i].node.chosen;
		if (cases[i].kind == WEFT_CASE_FD)
			waiting |= WEFT__EXTERNAL;
	}
	n = i;
	weft__subject(loop, (uint64_t)n);
	if (*error == 0 && !ready)
		*error = weft__park(loop, deadline, waiting);
	take_off_all(loop, cases, n);
	return find_done(cases, n);
}

int
weft_select(struct weft_case *cases, int n, int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	int error, done = -1;

	if (loop == NULL)
		return -1;
	error = weft__sync_enter(loop, deadline);
	if (error == 0)
		error = check_cases(loop, cases, n);
	if (error == 0)
		done = try_all(loop, cases, n, &error);
	if (error == EAGAIN && deadline != WEFT_NOWAIT)
		done = wait_for_one(loop, cases, n, deadline, &error);
	if (error != 0) {
		errno = error;
		if (done >= 0)
			cases[done].result = -1;
	}
	return done;
}
