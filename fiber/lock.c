/* SPDX-License-Identifier: MIT */
/*
 * Locks: mutex, condition, rwlock.
 *
 * An unlock hands the lock to the first who waits, who owns it before it runs:
 * nobody can slip in between, and nobody starves. Fibers switch only where they
 * wait, so that the objects themselves need no protection.
 */
#include "config.h"

#include "fiber/sync.h"

/* --- mutex */

int
weft_mutex_init(struct weft_mutex *m)
{
	*m = (struct weft_mutex){ 0 };
	return 0;
}

int
weft_mutex_destroy(struct weft_mutex *m)
{
	return weft__sync_destroy(m->owner != NULL, &m->waiters);
}

static int
lock(struct weft_loop *loop, struct weft_mutex *m, int64_t deadline, unsigned how)
{
	if (m->owner == loop->front.current)
		return EDEADLK;
	if (m->owner != NULL)
		return weft__sync_wait(loop, &m->waiters, deadline,
		    how | WEFT__FOR_MUTEX);
	m->owner = loop->front.current;
	return 0;
}

static void
unlock(struct weft_mutex *m)
{
	struct weft__node *next = weft__queue_first(&m->waiters);

	m->owner = next != NULL ? next->fiber : NULL;
	if (next != NULL)
		weft__queue_choose(&m->waiters, next, 0);
}

int
weft_mutex_lock(struct weft_mutex *m, int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	int error;

	if (loop == NULL)
		return -1;
	error = weft__sync_enter(loop, deadline);
	if (error == 0)
		error = lock(loop, m, deadline, WEFT__INTERNAL);
	return weft__sync_result(error);
}

int
weft_mutex_trylock(struct weft_mutex *m)
{
	struct weft_loop *loop = weft__loop();

	if (loop == NULL)
		return -1;
	if (m->owner != NULL)
		return weft__sync_result(EBUSY);
	m->owner = loop->front.current;
	return 0;
}

/* Whether the caller is the owner: it runs, and nobody else does on its thread,
 * to which the object belongs. */
static bool
is_caller(const struct weft_fiber *owner)
{
	return owner != NULL && owner->loop->front.current == owner;
}

int
weft_mutex_unlock(struct weft_mutex *m)
{
	if (!is_caller(m->owner))
		return weft__sync_result(EPERM);
	unlock(m);
	return 0;
}

/* --- condition */

int
weft_cond_init(struct weft_cond *c)
{
	*c = (struct weft_cond){ 0 };
	return 0;
}

int
weft_cond_destroy(struct weft_cond *c)
{
	return weft__sync_destroy(false, &c->waiters);
}

int
weft_cond_wait(struct weft_cond *c, struct weft_mutex *m, int64_t deadline)
{
	struct weft_loop *loop;
	int error, relock;

	if (!is_caller(m->owner))
		return weft__sync_result(EPERM);
	loop = m->owner->loop;
	error = weft__check(loop);
	if (error == 0 && deadline == WEFT_NOWAIT)
		error = EAGAIN;
	if (error != 0)
		return weft__sync_result(error);
	unlock(m);
	error = weft__sync_wait(loop, &c->waiters, deadline, WEFT__FOR_COND);
	/* The caller is going to unlock: neither a cancel nor a deadline can
	 * keep it from having the mutex. Only a deadlock can. */
	relock = lock(loop, m, WEFT_NEVER, WEFT__STUBBORN);
	return weft__sync_result(relock != 0 ? relock : error);
}

int
weft_cond_signal(struct weft_cond *c)
{
	weft__queue_wake(&c->waiters, 0);
	return 0;
}

int
weft_cond_broadcast(struct weft_cond *c)
{
	weft__queue_wake_all(&c->waiters, 0);
	return 0;
}

/* --- rwlock: one queue for both, so that neither can starve the other */

struct reader_or_writer {
	struct weft__node node;         /* first: see admit() */
	bool writes;
};

int
weft_rwlock_init(struct weft_rwlock *l)
{
	*l = (struct weft_rwlock){ 0 };
	return 0;
}

int
weft_rwlock_destroy(struct weft_rwlock *l)
{
	return weft__sync_destroy(l->writer != NULL || l->readers > 0, &l->waiters);
}

static bool
enter(struct weft_rwlock *l, struct weft_fiber *fiber, bool writes)
{
	if (l->writer != NULL || (writes && l->readers > 0))
		return false;
	if (writes)
		l->writer = fiber;
	else
		l->readers++;
	return true;
}

/* Lets in as many as may be in together, and nobody past the first who may
 * not. */
static void
admit(struct weft_rwlock *l)
{
	struct weft__node *node;

	while ((node = weft__queue_first(&l->waiters)) != NULL &&
	    enter(l, node->fiber, ((struct reader_or_writer *)node)->writes))
		weft__queue_choose(&l->waiters, node, 0);
}

static int
wait_for_turn(struct weft_loop *loop, struct weft_rwlock *l, bool writes,
    int64_t deadline)
{
	struct reader_or_writer self = { .writes = writes };
	int error;

	weft__queue_add(&l->waiters, &self.node, loop->front.current);
	weft__subject(loop, (uint64_t)(uintptr_t)l);
	error = weft__park(loop, deadline, WEFT__FOR_RWLOCK);
	if (self.node.queued) {
		weft__queue_remove(&l->waiters, &self.node);
		admit(l);       /* who only waited for us to have our turn */
	}
	return error;
}

static int
rwlock(struct weft_rwlock *l, bool writes, int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	int error;

	if (loop == NULL)
		return -1;
	error = weft__sync_enter(loop, deadline);
	if (error == 0 && l->writer == loop->front.current)
		error = EDEADLK;
	if (error == 0 && (weft__queue_first(&l->waiters) != NULL ||
	    !enter(l, loop->front.current, writes)))
		error = wait_for_turn(loop, l, writes, deadline);
	return weft__sync_result(error);
}

int
weft_rwlock_read_lock(struct weft_rwlock *l, int64_t deadline)
{
	return rwlock(l, false, deadline);
}

int
weft_rwlock_write_lock(struct weft_rwlock *l, int64_t deadline)
{
	return rwlock(l, true, deadline);
}

int
weft_rwlock_unlock(struct weft_rwlock *l)
{
	if (l->writer != NULL ? !is_caller(l->writer) : l->readers == 0)
		return weft__sync_result(EPERM);
	if (l->writer != NULL)
		l->writer = NULL;
	else
		l->readers--;
	admit(l);
	return 0;
}
