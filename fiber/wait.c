/* SPDX-License-Identifier: MIT */
/*
 * Waiting on descriptors: those of streams and listeners, which stay with the
 * poller, and those that the program owns, which are armed for one wait and
 * forgotten on return.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "fiber/fiber.h"
#include "reactor/backend.h"

static int
fail(int error)
{
	errno = error;
	return -1;
}

/* --- for lib/ */

void
weft__fd_give(struct weft__slot *slot, bool (*notify)(void *, int), void *arg)
{
	slot->notify = notify;
	slot->arg = arg;
}

struct weft__slot *
weft__fd_own(struct weft_loop *loop, int fd, bool (*notify)(void *, int), void *arg)
{
	struct weft__slot *slot = weft__slot_open(&loop->reactor, fd, WEFT__EDGE);

	if (slot != NULL)
		weft__fd_give(slot, notify, arg);
	return slot;
}

struct weft__slot *
weft__fd_listen(struct weft_loop *loop, int fd)
{
	return weft__slot_open(&loop->reactor, fd, WEFT__LEVEL);
}

void
weft__fd_disown(struct weft_loop *loop, struct weft__slot *slot)
{
	slot->notify = NULL;
	weft__slot_close(&loop->reactor, slot);
}

bool
weft__fd_is_lost(const struct weft__slot *slot, const void *arg)
{
	return slot->mode == WEFT__UNUSED && slot->arg == arg;
}

int
weft__fd_want(struct weft_loop *loop, struct weft__slot *slot, int events)
{
	return weft__slot_want(&loop->reactor, slot, events) < 0 ? errno : 0;
}

bool
weft__fd_always_ready(const struct weft__slot *slot)
{
	return slot->mode == WEFT__ALWAYS;
}

bool
weft__fd_edges(const struct weft_loop *loop)
{
	return loop->reactor.backend->capabilities & WEFT__CAN_EDGE;
}

int
weft__fd_probe(int fd, int events)
{
	return weft__slot_probe(fd, events);
}

int
weft__fd_block(int fd, int events)
{
	struct pollfd one = { .fd = fd };

	one.events = (short)((events & WEFT_READABLE ? POLLIN : 0) |
	    (events & WEFT_WRITABLE ? POLLOUT : 0));
	while (poll(&one, 1, -1) < 0)
		if (errno != EINTR && errno != EAGAIN)
			return -1;
	return one.revents & POLLNVAL ? fail(EBADF) : 0;
}

struct parked {
	struct weft__waiter waiter;     /* first: see woken() */
	struct weft_fiber *fiber;
	int events;                     /* what happened; -1: nothing yet */
};

static void
woken(struct weft__waiter *waiter, int events)
{
	struct parked *parked = (struct parked *)waiter;

	parked->events = events < 0 ? 0 : events;
	weft__wake(parked->fiber, events < 0 ? -events : 0);
}

/* Waits for some of `events`; *ready says what came. */
static int
park(struct weft_loop *loop, struct weft__slot *slot, int events, int *ready,
    int64_t deadline)
{
	struct parked parked = { .waiter.ready = woken, .fiber = loop->front.current,
	    .events = -1 };
	int error;

	error = weft__fd_want(loop, slot, events);
	if (error != 0)
		return error;
	if (slot->mode == WEFT__ALWAYS) {
		weft__sched_yield(loop);
		*ready = events;
		return 0;
	}
	weft__slot_add(slot, &parked.waiter, events);
	weft__subject(loop, (uint64_t)slot->fd);
	error = weft__park(loop, deadline, WEFT__EXTERNAL |
	    (events & WEFT_READABLE ? WEFT__FOR_INPUT : WEFT__FOR_OUTPUT));
	if (parked.events < 0)
		weft__slot_remove(slot, &parked.waiter);
	else
		*ready = parked.events & events;
	/* A deadline that has passed still gets its one try. */
	if (error != ETIMEDOUT || (*ready = weft__slot_probe(slot->fd, events)) == 0)
		return error;
	return *ready > 0 ? 0 : errno;
}

int
weft__fd_park(struct weft_loop *loop, struct weft__slot *slot, int events,
    int64_t deadline)
{
	int ready;

	return park(loop, slot, events, &ready, deadline);
}

int
weft__fd_watch(struct weft_loop *loop, struct weft__slot *slot,
    struct weft__waiter *waiter, int events)
{
	int error = weft__fd_want(loop, slot, events);

	if (error != 0)
		return error;
	if (slot->mode == WEFT__ALWAYS)
		waiter->ready(waiter, events);
	else
		weft__slot_add(slot, waiter, events);
	return 0;
}

void
weft__fd_unwatch(struct weft__slot *slot, struct weft__waiter *waiter)
{
	weft__slot_remove(slot, waiter);
}

/* One descriptor more can be had. */
static void
count_close(struct weft_loop *loop)
{
	loop->closes++;
	weft__queue_wake_all(&loop->closings, 0);
}

void
weft__fd_close(struct weft_loop *loop, int fd)
{
	int error = errno;

	close(fd);              /* gone even if interrupted */
	count_close(loop);
	errno = error;
}

uint64_t
weft__fd_closes(const struct weft_loop *loop)
{
	return loop->closes;
}

int
weft__fd_wait_for_close(struct weft_loop *loop, int64_t deadline)
{
	return weft__queue_wait(loop, &loop->closings, deadline, WEFT__FOR_CLOSE);
}

/* --- for programs */

bool
weft__fd_is_owned(const struct weft__slot *slot)
{
	return slot != NULL && (slot->notify != NULL || slot->mode == WEFT__LEVEL);
}

struct weft__slot *
weft__fd_borrow(struct weft_loop *loop, int fd)
{
	struct weft__slot *slot = weft__slot_find(&loop->reactor, fd);

	return slot != NULL ? slot :
	    weft__slot_open(&loop->reactor, fd, WEFT__ONCE);
}

void
weft__fd_return(struct weft_loop *loop, int fd)
{
	struct weft__slot *slot = weft__slot_find(&loop->reactor, fd);

	if (slot != NULL && slot->waiters == NULL && !weft__fd_is_owned(slot))
		weft__slot_close(&loop->reactor, slot);
}

static int
wait_on(struct weft_loop *loop, int fd, int events, int64_t deadline, int *ready)
{
	struct weft__slot *slot = weft__fd_borrow(loop, fd);
	int error;

	if (slot == NULL)
		return errno;
	error = park(loop, slot, events, ready, deadline);
	weft__fd_return(loop, fd);
	return error;
}

int
weft_fd_wait(int fd, int events, int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	int error, ready = 0;

	if (loop == NULL)
		return -1;
	if (events == 0 || events & ~(WEFT_READABLE | WEFT_WRITABLE))
		return fail(EINVAL);
	error = weft__check(loop);
	if (error != 0)
		return fail(error);
	if (deadline == WEFT_NOWAIT ||
	    weft__fd_is_owned(weft__slot_find(&loop->reactor, fd))) {
		ready = weft__slot_probe(fd, events);
		if (ready != 0)
			return ready;
	}
	error = deadline == WEFT_NOWAIT ? EAGAIN :
	    wait_on(loop, fd, events, deadline, &ready);
	return error == 0 ? ready : fail(error);
}

int
weft_fd_forget(int fd)
{
	struct weft_loop *loop = weft__loop();
	struct weft__slot *slot;

	if (loop == NULL)
		return -1;
	if (fd < 0)
		return fail(EBADF);
	slot = weft__slot_find(&loop->reactor, fd);
	if (slot != NULL)
		weft__slot_close(&loop->reactor, slot);
	return 0;
}

int
weft_fd_close(int fd)
{
	struct weft_loop *loop;
	int result;

	if (weft_fd_forget(fd) < 0)
		return -1;
	loop = weft__loop_here();
	result = close(fd);
	if (result < 0 && errno == EINTR)
		result = 0;     /* it is closed all the same */
	count_close(loop);
	return result;
}
