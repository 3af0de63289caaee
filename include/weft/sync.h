/* SPDX-License-Identifier: MIT */
/*
 * weft/sync.h - fibers of one thread that wait for each other.
 *
 * The objects are for embedding and are ready for use when zeroed, the barrier
 * excepted; their fields are the library's own. Nothing is allocated but by
 * weft_channel_new. Whoever waits first is served first, and what is handed to
 * a fiber is its own, even if it is cancelled before it runs.
 *
 * All functions return 0 on success and -1 with errno unless they say
 * otherwise. What takes a deadline fails as in weft/fiber.h; the others never
 * wait and never fail because of a cancel. _destroy fails with EBUSY while the
 * object is locked or somebody waits.
 *
 * Pages: weft_sync(3), weft_mutex(3), weft_channel(3), weft_select(3).
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <weft/base.h>

WEFT_BEGIN_DECLS

/* --- mutex: one fiber owns it */

struct weft_mutex {
	struct weft_fiber *owner;
	struct weft__queue waiters;
};

WEFT_API int weft_mutex_init(struct weft_mutex *);
WEFT_API int weft_mutex_destroy(struct weft_mutex *);
/* EDEADLK: it is the caller's already. */
WEFT_API int weft_mutex_lock(struct weft_mutex *, int64_t deadline);
/* EBUSY: it is locked. */
WEFT_API int weft_mutex_trylock(struct weft_mutex *);
/* Hands it to the first who waits. EPERM: it is not the caller's. */
WEFT_API int weft_mutex_unlock(struct weft_mutex *);

/* --- condition: fibers wait for news about what a mutex protects */

struct weft_cond {
	struct weft__queue waiters;
};

WEFT_API int weft_cond_init(struct weft_cond *);
WEFT_API int weft_cond_destroy(struct weft_cond *);
/* Unlocks the mutex while it waits and returns with it locked, also when it
 * fails. EPERM: the mutex is not the caller's. */
WEFT_API int weft_cond_wait(struct weft_cond *, struct weft_mutex *, int64_t deadline);
/* Wakes the first, or all. */
WEFT_API int weft_cond_signal(struct weft_cond *);
WEFT_API int weft_cond_broadcast(struct weft_cond *);

/* --- rwlock: many readers or one writer, in the order in which they came */

struct weft_rwlock {
	struct weft_fiber *writer;
	unsigned readers;
	struct weft__queue waiters;
};

WEFT_API int weft_rwlock_init(struct weft_rwlock *);
WEFT_API int weft_rwlock_destroy(struct weft_rwlock *);
/* EDEADLK: the caller is the writer. A reader waits behind a writer who came
 * before, so nobody should lock twice for reading. */
WEFT_API int weft_rwlock_read_lock(struct weft_rwlock *, int64_t deadline);
WEFT_API int weft_rwlock_write_lock(struct weft_rwlock *, int64_t deadline);
/* EPERM: another fiber is the writer, or it is not locked. */
WEFT_API int weft_rwlock_unlock(struct weft_rwlock *);

/* --- semaphore: so many may pass */

struct weft_semaphore {
	unsigned value;
	struct weft__queue waiters;
};

WEFT_API int weft_semaphore_init(struct weft_semaphore *, unsigned value);
WEFT_API int weft_semaphore_destroy(struct weft_semaphore *);
WEFT_API int weft_semaphore_wait(struct weft_semaphore *, int64_t deadline);
/* EOVERFLOW: the value is UINT_MAX. */
WEFT_API int weft_semaphore_post(struct weft_semaphore *);

/* --- event: all may pass while it is set */

struct weft_event {
	bool is_set;
	struct weft__queue waiters;
};

WEFT_API int weft_event_init(struct weft_event *);
WEFT_API int weft_event_destroy(struct weft_event *);
WEFT_API int weft_event_wait(struct weft_event *, int64_t deadline);
/* Wakes all who wait, even if it is cleared before they run. */
WEFT_API int weft_event_set(struct weft_event *);
WEFT_API int weft_event_clear(struct weft_event *);

/* --- wait group: all may pass when nothing is left to do */

struct weft_waitgroup {
	unsigned count;
	struct weft__queue waiters;
};

WEFT_API int weft_waitgroup_init(struct weft_waitgroup *);
WEFT_API int weft_waitgroup_destroy(struct weft_waitgroup *);
/* n may be negative; at 0 it wakes all who wait. EINVAL: below 0. EOVERFLOW. */
WEFT_API int weft_waitgroup_add(struct weft_waitgroup *, int n);
WEFT_API int weft_waitgroup_done(struct weft_waitgroup *);
WEFT_API int weft_waitgroup_wait(struct weft_waitgroup *, int64_t deadline);

/* --- barrier: nobody passes before all are there */

struct weft_barrier {
	unsigned count;         /* how many it takes; 0: not initialised */
	unsigned arrived;
	struct weft__queue waiters;
};

/* EINVAL: a count of 0. */
WEFT_API int weft_barrier_init(struct weft_barrier *, unsigned count);
WEFT_API int weft_barrier_destroy(struct weft_barrier *);
/* 1 for the last to come, 0 for the others. One that fails has not come. */
WEFT_API int weft_barrier_wait(struct weft_barrier *, int64_t deadline);

/* --- channel: items by value, from many to many */

struct weft_channel;

/* A capacity of 0: each sender waits for its receiver. NULL: ENOMEM. */
WEFT_API struct weft_channel *weft_channel_new(size_t item_size, size_t capacity);
/* Those who wait get EBADF; items that are buffered are dropped. */
WEFT_API void weft_channel_free(struct weft_channel *);
/* EPIPE: it is closed, or was closed while waiting; the item was not sent. */
WEFT_API int weft_channel_send(struct weft_channel *, const void *item, int64_t deadline);
/* 1 an item; 0 the channel is closed and empty. */
WEFT_API int weft_channel_receive(struct weft_channel *, void *item, int64_t deadline);
/* No more items. What is buffered can still be received. */
WEFT_API int weft_channel_close(struct weft_channel *);

/* --- select: the first of several things that can be done */

enum weft_case_kind {
	WEFT_CASE_SEND = 1,     /* channel, item */
	WEFT_CASE_RECEIVE,      /* channel, item */
	WEFT_CASE_FD,           /* fd, events */
	WEFT_CASE_EVENT,        /* event */
	WEFT_CASE_JOIN          /* fiber */
};

struct weft_case {
	enum weft_case_kind kind;
	struct weft_channel *channel;
	void *item;             /* read by a send, written by a receive */
	int fd, events;
	struct weft_event *event;
	struct weft_fiber *fiber;
	int result;             /* of the case that was done: see below */

	struct weft__node node; /* the library's own, during the call */
	struct weft__waiter waiter;
};

/* Does exactly one case and returns its index; `result` is what the plain call
 * would have returned (of a join, the fiber's result), with errno if that is a
 * failure. Who could be done at once takes turns. -1: no case was done, with
 * EINVAL (n < 1, a case that can never be right), EDEADLK (joining oneself),
 * ENOMEM or as all that waits. */
WEFT_API int weft_select(struct weft_case *cases, int n, int64_t deadline);

WEFT_END_DECLS

#endif
