/* SPDX-License-Identifier: MIT */
/*
 * tests/waits.h - the table of all that waits for another fiber, and the
 * objects behind it.
 */
#ifndef WEFT_TESTS_WAITS_H
#define WEFT_TESTS_WAITS_H

#include "tests/harness.h"
#include "weft/sync.h"

static struct weft_mutex mutex, cond_mutex;
static struct weft_cond cond;
static struct weft_rwlock rwlock;
static struct weft_semaphore semaphore;
static struct weft_event event, other_event;
static struct weft_waitgroup waitgroup;
static struct weft_barrier barrier;
static struct weft_channel *channel, *other;
static int item = 1, received;

/* --- the waits: block() makes call() wait, release() lets one (or all) go on,
 * clean() undoes what a call has got */

static void
nothing(void)
{
}

static void
lock_mutex(int waiters)
{
	(void)waiters;
	ck_assert_ok(weft_mutex_lock(&mutex, WEFT_NOWAIT));
}

static int
wait_mutex(int64_t deadline)
{
	return weft_mutex_lock(&mutex, deadline);
}

static void
unlock_mutex(void)
{
	ck_assert_ok(weft_mutex_unlock(&mutex));
}

static int
destroy_mutex(void)
{
	return weft_mutex_destroy(&mutex);
}

static void
no_block(int waiters)
{
	(void)waiters;
}

static int
wait_cond(int64_t deadline)
{
	int result, error;

	ck_assert_ok(weft_mutex_trylock(&cond_mutex));
	result = weft_cond_wait(&cond, &cond_mutex, deadline);
	error = errno;
	/* Held again, whatever came of it. */
	ck_assert_ok(weft_mutex_unlock(&cond_mutex));
	errno = error;
	return result;
}

static void
signal_cond(void)
{
	ck_assert_ok(weft_cond_signal(&cond));
}

static int
destroy_cond(void)
{
	return weft_cond_destroy(&cond);
}

static void
lock_for_writing(int waiters)
{
	(void)waiters;
	ck_assert_ok(weft_rwlock_write_lock(&rwlock, WEFT_NOWAIT));
}

static void
lock_for_reading(int waiters)
{
	(void)waiters;
	ck_assert_ok(weft_rwlock_read_lock(&rwlock, WEFT_NOWAIT));
}

static int
wait_read(int64_t deadline)
{
	return weft_rwlock_read_lock(&rwlock, deadline);
}

static int
wait_write(int64_t deadline)
{
	return weft_rwlock_write_lock(&rwlock, deadline);
}

static void
unlock_rwlock(void)
{
	ck_assert_ok(weft_rwlock_unlock(&rwlock));
}

static int
destroy_rwlock(void)
{
	return weft_rwlock_destroy(&rwlock);
}

static int
wait_semaphore(int64_t deadline)
{
	return weft_semaphore_wait(&semaphore, deadline);
}

static void
post(void)
{
	ck_assert_ok(weft_semaphore_post(&semaphore));
}

static int
destroy_semaphore(void)
{
	return weft_semaphore_destroy(&semaphore);
}

static int
wait_event(int64_t deadline)
{
	return weft_event_wait(&event, deadline);
}

static void
set_event(void)
{
	ck_assert_ok(weft_event_set(&event));
}

static int
destroy_event(void)
{
	return weft_event_destroy(&event);
}

static void
add_one(int waiters)
{
	(void)waiters;
	ck_assert_ok(weft_waitgroup_add(&waitgroup, 1));
}

static int
wait_waitgroup(int64_t deadline)
{
	return weft_waitgroup_wait(&waitgroup, deadline);
}

static void
done(void)
{
	ck_assert_ok(weft_waitgroup_done(&waitgroup));
}

static int
destroy_waitgroup(void)
{
	return weft_waitgroup_destroy(&waitgroup);
}

static void
make_barrier(int waiters)
{
	ck_assert_ok(weft_barrier_init(&barrier, (unsigned)waiters + 1));
}

static int
wait_barrier(int64_t deadline)
{
	return weft_barrier_wait(&barrier, deadline);
}

static void
complete_barrier(void)
{
	ck_assert_int_eq(weft_barrier_wait(&barrier, WEFT_NOWAIT), 1);
}

static int
destroy_barrier(void)
{
	return weft_barrier_destroy(&barrier);
}

static void
fill_channel(int waiters)
{
	(void)waiters;
	channel = weft_channel_new(sizeof item, 1);
	ck_assert_ok(weft_channel_send(channel, &item, WEFT_NOWAIT));
}

static void
make_rendezvous(int waiters)
{
	(void)waiters;
	channel = weft_channel_new(sizeof item, 0);
	other = weft_channel_new(sizeof item, 0);
}

static void
make_empty(int waiters)
{
	(void)waiters;
	channel = weft_channel_new(sizeof item, 1);
}

static int
wait_send(int64_t deadline)
{
	return weft_channel_send(channel, &item, deadline);
}

static int
wait_receive(int64_t deadline)
{
	return weft_channel_receive(channel, &received, deadline) == 1 ? 0 : -1;
}

static void
receive_one(void)
{
	ck_assert_int_eq(weft_channel_receive(channel, &received, WEFT_NOWAIT), 1);
}

static void
send_one(void)
{
	ck_assert_ok(weft_channel_send(channel, &item, WEFT_NOWAIT));
}

static int
select_receive(int64_t deadline)
{
	int got;
	struct weft_case cases[] = {
		{ .kind = WEFT_CASE_RECEIVE, .channel = other, .item = &got },
		{ .kind = WEFT_CASE_EVENT, .event = &other_event },
		{ .kind = WEFT_CASE_RECEIVE, .channel = channel, .item = &received },
	};
	int index = weft_select(cases, 3, deadline);

	return index == 2 && cases[2].result == 1 ? 0 : -1;
}

static int
select_send(int64_t deadline)
{
	struct weft_case cases[] = {
		{ .kind = WEFT_CASE_SEND, .channel = channel, .item = &item },
		{ .kind = WEFT_CASE_SEND, .channel = other, .item = &item },
	};

	return weft_select(cases, 2, deadline) == 0 && cases[0].result == 0 ? 0 : -1;
}

static int
select_event(int64_t deadline)
{
	struct weft_case cases[] = {
		{ .kind = WEFT_CASE_EVENT, .event = &other_event },
		{ .kind = WEFT_CASE_EVENT, .event = &event },
	};

	return weft_select(cases, 2, deadline) == 1 && cases[1].result == 0 ? 0 : -1;
}

static const struct way_to_wait {
	const char *name;
	void (*block)(int waiters);
	int (*call)(int64_t deadline);
	void (*release)(void);
	void (*clean)(void);
	int (*destroy)(void);           /* NULL: has none */
	int flags;
} waits[] = {
#define WAKES_ALL 1             /* one release is enough for all */
#define NEVER_READY 2           /* it waits even if nothing blocks it */
#define TOGETHER 4              /* one that gives up was there all the same */
	{ "mutex", lock_mutex, wait_mutex, unlock_mutex, unlock_mutex,
	    destroy_mutex, WAKES_ALL },
	{ "cond", no_block, wait_cond, signal_cond, nothing, destroy_cond,
	    NEVER_READY },
	{ "rwlock, read", lock_for_writing, wait_read, unlock_rwlock, unlock_rwlock,
	    destroy_rwlock, WAKES_ALL },
	{ "rwlock, write", lock_for_reading, wait_write, unlock_rwlock,
	    unlock_rwlock, destroy_rwlock, WAKES_ALL },
	{ "rwlock, write after write", lock_for_writing, wait_write, unlock_rwlock,
	    unlock_rwlock, destroy_rwlock, WAKES_ALL },
	{ "semaphore", no_block, wait_semaphore, post, nothing, destroy_semaphore, 0 },
	{ "event", no_block, wait_event, set_event, nothing, destroy_event, WAKES_ALL },
	{ "wait group", add_one, wait_waitgroup, done, nothing, destroy_waitgroup,
	    WAKES_ALL },
	{ "barrier", make_barrier, wait_barrier, complete_barrier, nothing,
	    destroy_barrier, WAKES_ALL | NEVER_READY | TOGETHER },
	{ "send, full", fill_channel, wait_send, receive_one, nothing, NULL, 0 },
	{ "send, rendezvous", make_rendezvous, wait_send, receive_one, nothing,
	    NULL, NEVER_READY },
	{ "receive", make_empty, wait_receive, send_one, nothing, NULL, 0 },
	{ "receive, rendezvous", make_rendezvous, wait_receive, send_one, nothing,
	    NULL, NEVER_READY },
	{ "select, receive", make_rendezvous, select_receive, send_one, nothing,
	    NULL, NEVER_READY },
	{ "select, send", make_rendezvous, select_send, receive_one, nothing,
	    NULL, NEVER_READY },
	{ "select, event", no_block, select_event, set_event, nothing, NULL,
	    WAKES_ALL },
};

enum { WAITS = sizeof waits / sizeof *waits };

/* Objects as they are before anything: with CK_FORK=no tests share them. */
static void
reset(void)
{
	ck_assert_ok(weft_mutex_init(&mutex));
	ck_assert_ok(weft_mutex_init(&cond_mutex));
	ck_assert_ok(weft_cond_init(&cond));
	ck_assert_ok(weft_rwlock_init(&rwlock));
	ck_assert_ok(weft_semaphore_init(&semaphore, 0));
	ck_assert_ok(weft_event_init(&event));
	ck_assert_ok(weft_event_init(&other_event));
	ck_assert_ok(weft_waitgroup_init(&waitgroup));
}

static void
free_channels(void)
{
	weft_channel_free(channel);
	weft_channel_free(other);
	channel = other = NULL;
}

#endif
