/* SPDX-License-Identifier: MIT */
/*
 * What fibers count or flag for each other: semaphore, event, wait group,
 * barrier. Whoever is woken looks at the object no more: it may be gone.
 */
#include "config.h"

#include <limits.h>

#include "fiber/sync.h"

/* --- semaphore: a permit goes to the first who waits, past the value */

int
weft_semaphore_init(struct weft_semaphore *s, unsigned value)
{
	*s = (struct weft_semaphore){ .value = value };
	return 0;
}

int
weft_semaphore_destroy(struct weft_semaphore *s)
{
	return weft__sync_destroy(false, &s->waiters);
}

int
weft_semaphore_wait(struct weft_semaphore *s, int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	int error;

	if (loop == NULL)
		return -1;
	error = weft__sync_enter(loop, deadline);
	if (error == 0 && s->value > 0)
		s->value--;
	else if (error == 0)
		error = weft__sync_wait(loop, &s->waiters, deadline,
		    WEFT__FOR_SEMAPHORE);
	return weft__sync_result(error);
}

int
weft_semaphore_post(struct weft_semaphore *s)
{
	if (weft__queue_wake(&s->waiters, 0))
		return 0;
	if (s->value == UINT_MAX)
		return weft__sync_result(EOVERFLOW);
	s->value++;
	return 0;
}

/* --- event */

int
weft_event_init(struct weft_event *e)
{
	*e = (struct weft_event){ 0 };
	return 0;
}

int
weft_event_destroy(struct weft_event *e)
{
	return weft__sync_destroy(false, &e->waiters);
}

int
weft_event_wait(struct weft_event *e, int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	int error;

	if (loop == NULL)
		return -1;
	error = weft__sync_enter(loop, deadline);
	if (error == 0 && !e->is_set)
		error = weft__sync_wait(loop, &e->waiters, deadline, WEFT__FOR_EVENT);
	return weft__sync_result(error);
}

int
weft_event_set(struct weft_event *e)
{
	e->is_set = true;
	weft__queue_wake_all(&e->waiters, 0);
	return 0;
}

int
weft_event_clear(struct weft_event *e)
{
	e->is_set = false;
	return 0;
}

/* --- wait group */

int
weft_waitgroup_init(struct weft_waitgroup *w)
{
	*w = (struct weft_waitgroup){ 0 };
	return 0;
}

int
weft_waitgroup_destroy(struct weft_waitgroup *w)
{
	return weft__sync_destroy(false, &w->waiters);
}

int
weft_waitgroup_add(struct weft_waitgroup *w, int n)
{
	int64_t count = (int64_t)w->count + n;

	if (count < 0 || count > UINT_MAX)
		return weft__sync_result(count < 0 ? EINVAL : EOVERFLOW);
	w->count = (unsigned)count;
	if (count == 0)
		weft__queue_wake_all(&w->waiters, 0);
	return 0;
}

int
weft_waitgroup_done(struct weft_waitgroup *w)
{
	return weft_waitgroup_add(w, -1);
}

int
weft_waitgroup_wait(struct weft_waitgroup *w, int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	int error;

	if (loop == NULL)
		return -1;
	error = weft__sync_enter(loop, deadline);
	if (error == 0 && w->count > 0)
		error = weft__sync_wait(loop, &w->waiters, deadline,
		    WEFT__FOR_WAITGROUP);
	return weft__sync_result(error);
}

/* --- barrier */

int
weft_barrier_init(struct weft_barrier *b, unsigned count)
{
	if (count == 0)
		return weft__sync_result(EINVAL);
	*b = (struct weft_barrier){ .count = count };
	return 0;
}

int
weft_barrier_destroy(struct weft_barrier *b)
{
	return weft__sync_destroy(false, &b->waiters);
}

/* All who came are let through. That includes one whose time was up but who
 * has not run yet to leave: the others were told that it had come. */
static void
open_barrier(struct weft_barrier *b)
{
	while (b->waiters.first != NULL)
		weft__queue_choose(&b->waiters, b->waiters.first, 0);
	b->arrived = 0;
}

static int
wait_for_the_others(struct weft_loop *loop, struct weft_barrier *b, int64_t deadline)
{
	struct weft__node node;
	int error;

	weft__queue_add(&b->waiters, &node, loop->front.current);
	weft__subject(loop, (uint64_t)(uintptr_t)b);
	error = weft__park(loop, deadline, WEFT__FOR_BARRIER);
	if (node.chosen)
		return 0;
	weft__queue_remove(&b->waiters, &node);
	b->arrived--;
	return error;
}

int
weft_barrier_wait(struct weft_barrier *b, int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	int error;

	if (loop == NULL)
		return -1;
	error = b->count == 0 ? EINVAL : weft__sync_enter(loop, deadline);
	if (error != 0)
		return weft__sync_result(error);
	if (++b->arrived < b->count)
		return weft__sync_result(wait_for_the_others(loop, b, deadline));
	open_barrier(b);
	return 1;
}
