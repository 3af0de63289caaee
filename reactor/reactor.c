/* SPDX-License-Identifier: MIT */
/*
 * Slots, and one poll:
 *
 *   backend->wait   -> mark mark mark    slot->pending, slots in one list
 *   dispatch the list                    owner and waiters are told
 *
 * Waiters only make fibers ready and write what is queued; whoever closes a
 * descriptor runs later, when no list of slots is being walked. A slot that is
 * closed loses its pending bits, so whatever happens between mark and dispatch
 * cannot reach the next user of the number.
 *
 * The table has two levels and grows as numbers come up: limits on descriptors
 * may be a billion and say nothing about use.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reactor/backend.h"
#include "reactor/compat.h"
#include "reactor/odd.h"
#include "reactor/reactor.h"

enum { REST_MS = 10 };

const struct weft__backend *const weft__backends[] = {
#ifdef HAVE_KQUEUE
	&weft__kqueue,
#endif
#ifdef HAVE_EPOLL
	&weft__epoll,
#endif
	&weft__poll,
	NULL
};

static const struct weft__backend *
choose(const char *name)
{
	const struct weft__backend *const *backend;

	for (backend = weft__backends; name != NULL && *backend != NULL; backend++)
		if (strcmp((*backend)->name, name) == 0)
			return *backend;
	return weft__backends[0];
}

static void
close_leaf(struct weft__reactor *reactor, struct weft__slot *leaf)
{
	size_t i;

	for (i = 0; i < WEFT__LEAF; i++) {
		if (leaf[i].mode == WEFT__UNUSED)
			continue;
		leaf[i].notify = NULL;
		leaf[i].waiters = NULL;
		weft__slot_close(reactor, &leaf[i]);
		if (leaf[i].owned)
			close(leaf[i].fd);
	}
	free(leaf);
}

static void
close_table(struct weft__reactor *reactor)
{
	size_t i;

	for (i = 0; i < reactor->leaf_count; i++)
		if (reactor->leaves[i] != NULL)
			close_leaf(reactor, reactor->leaves[i]);
	free(reactor->leaves);
}

int
weft__reactor_open(struct weft__reactor *reactor, const char *name)
{
	*reactor = (struct weft__reactor){ .backend = choose(
	    name != NULL ? name : weft__compat_getenv("WEFT_BACKEND")) };
	if (reactor->backend->open(reactor) < 0)
		return -1;
	if (weft__wake_open(&reactor->wake, reactor) == 0)
		return 0;
	close_table(reactor);
	reactor->backend->close(reactor);
	return -1;
}

void
weft__reactor_close(struct weft__reactor *reactor)
{
	weft__wake_close(&reactor->wake, reactor);
	close_table(reactor);
	reactor->backend->close(reactor);
}

const char *
weft__reactor_name(const struct weft__reactor *reactor)
{
	return reactor->backend->name;
}

/* --- the table */

static int
grow(struct weft__reactor *reactor, size_t leaf)
{
	size_t count = reactor->leaf_count ? reactor->leaf_count : 4;
	struct weft__slot **leaves;

	while (count <= leaf)
		count *= 2;
	leaves = realloc(reactor->leaves, count * sizeof *leaves);
	if (leaves == NULL)
		return -1;
	memset(leaves + reactor->leaf_count, 0,
	    (count - reactor->leaf_count) * sizeof *leaves);
	reactor->leaves = leaves;
	reactor->leaf_count = count;
	return 0;
}

static struct weft__slot *
slot_make(struct weft__reactor *reactor, int fd)
{
	size_t leaf = (size_t)fd / WEFT__LEAF;

	if (leaf >= reactor->leaf_count && grow(reactor, leaf) < 0)
		return NULL;
	if (reactor->leaves[leaf] == NULL) {
		reactor->leaves[leaf] = calloc(WEFT__LEAF, sizeof **reactor->leaves);
		if (reactor->leaves[leaf] == NULL)
			return NULL;
	}
	return weft__slot_at(reactor, fd);
}

struct weft__slot *
weft__slot_open(struct weft__reactor *reactor, int fd, enum weft__mode mode)
{
	struct weft__slot *slot;

	if (fd < 0) {
		errno = EBADF;
		return NULL;
	}
	slot = slot_make(reactor, fd);
	if (slot == NULL)
		return NULL;
	if (slot->mode != WEFT__UNUSED)
		weft__slot_close(reactor, slot);
	slot->fd = fd;
	slot->mode = (uint8_t)mode;
	slot->owned = mode != WEFT__ONCE;
	return slot;
}

struct weft__slot *
weft__slot_find(const struct weft__reactor *reactor, int fd)
{
	struct weft__slot *slot = weft__slot_at(reactor, fd);

	return slot != NULL && slot->mode != WEFT__UNUSED ? slot : NULL;
}

/* --- waiting */

void
weft__slot_add(struct weft__slot *slot, struct weft__waiter *waiter, int events)
{
	waiter->events = events;
	waiter->previous = NULL;
	waiter->next = slot->waiters;
	if (waiter->next != NULL)
		waiter->next->previous = waiter;
	slot->waiters = waiter;
}

void
weft__slot_remove(struct weft__slot *slot, struct weft__waiter *waiter)
{
	if (waiter->previous != NULL)
		waiter->previous->next = waiter->next;
	else
		slot->waiters = waiter->next;
	if (waiter->next != NULL)
		waiter->next->previous = waiter->previous;
	waiter->next = waiter->previous = NULL;
}

/* Of minus an errno all of them, else those whom the events concern. */
static bool
tell_waiters(struct weft__slot *slot, int events)
{
	struct weft__waiter *waiter, *next;
	bool useful = false;

	for (waiter = slot->waiters; waiter != NULL; waiter = next) {
		next = waiter->next;
		if (events > 0 && (waiter->events & events) == 0)
			continue;
		weft__slot_remove(slot, waiter);
		waiter->ready(waiter, events);
		useful = true;
	}
	return useful;
}

static int
watch(struct weft__reactor *reactor, struct weft__slot *slot, int events)
{
	if (!slot->in_backend)
		reactor->stats.registrations++;
	if (reactor->backend->watch(reactor, slot, events) < 0)
		return -1;
	slot->armed = (uint8_t)events;
	return 0;
}

int
weft__slot_want(struct weft__reactor *reactor, struct weft__slot *slot, int events)
{
	if ((slot->armed & events) == events || slot->mode == WEFT__ALWAYS)
		return 0;
	if (reactor->inherited) {
		errno = ECHILD;
		return -1;
	}
	if (watch(reactor, slot, events | slot->armed) == 0)
		return 0;
	if (errno == ESTALE && weft__reactor_mend(reactor) == 0) {
		errno = EBADF;          /* if it was lost by that */
		if (slot->mode != WEFT__UNUSED &&
		    watch(reactor, slot, events | slot->armed) == 0)
			return 0;
	}
	if (errno != EPERM)
		return -1;
	slot->mode = WEFT__ALWAYS;
	slot->armed = 0;
	/* It may have become so since they began to wait: replaced by dup2. */
	tell_waiters(slot, WEFT_READABLE | WEFT_WRITABLE);
	return 0;
}

void
weft__slot_rest(struct weft__reactor *reactor, struct weft__slot *slot)
{
	if (slot->in_backend && !reactor->inherited)
		reactor->backend->forget(reactor, slot);
	slot->in_backend = false;
	slot->armed = 0;
}

/* Tells the owner everything, and the waiters what concerns them. */
static inline bool
tell(struct weft__slot *slot, int events)
{
	bool useful = slot->notify != NULL && slot->notify(slot->arg, events);

	return (slot->waiters != NULL && tell_waiters(slot, events)) || useful;
}

void
weft__slot_close(struct weft__reactor *reactor, struct weft__slot *slot)
{
	weft__slot_rest(reactor, slot);
	slot->generation++;
	slot->mode = WEFT__UNUSED;
	slot->pending = 0;
	tell(slot, -EBADF);
	slot->notify = NULL;
}

int
weft__slot_probe(int fd, int events)
{
	struct pollfd probe = { .fd = fd };
	int ready = 0;

	if (fd < 0) {           /* poll(2) would pass it over */
		errno = EBADF;
		return -1;
	}
	if (events & WEFT_READABLE)
		probe.events |= POLLIN;
	if (events & WEFT_WRITABLE)
		probe.events |= POLLOUT;
	while (poll(&probe, 1, 0) < 0)
		if (errno != EINTR)
			return -1;
	if (probe.revents & POLLNVAL) { /* or Darwin does not poll(2) it */
		if (fcntl(fd, F_GETFD) >= 0)
			return weft__odd_probe(fd, events);
		errno = EBADF;
		return -1;
	}
	if (probe.revents & (POLLIN | POLLHUP | POLLERR))
		ready |= WEFT_READABLE;
	if (probe.revents & (POLLOUT | POLLHUP | POLLERR))
		ready |= WEFT_WRITABLE;
	return ready & events;
}

/* --- from outside */

int
weft__reactor_fd(struct weft__reactor *reactor)
{
	reactor->exposed = true;
	return reactor->backend->fd(reactor);
}

int
weft__reactor_pollfds(struct weft__reactor *reactor, struct pollfd *set, int max)
{
	int fd = reactor->backend->fd(reactor);         /* until the next step */

	if (fd < 0)
		return weft__poll_set(reactor, set, max);
	if (max > 0)
		set[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
	return 1;
}

/* --- one poll */

/* What was reported is disarmed; those who wait for something else still do. */
static void
arm_again(struct weft__reactor *reactor, struct weft__slot *slot)
{
	struct weft__waiter *waiter;
	int events = 0;

	slot->armed = 0;
	for (waiter = slot->waiters; waiter != NULL; waiter = waiter->next)
		events |= waiter->events;
	if (events != 0 && weft__slot_want(reactor, slot, events) < 0)
		tell(slot, -errno);
}

/* Whether anything came of it. */
static bool
dispatch(struct weft__reactor *reactor, struct weft__slot *slot)
{
	int events = slot->pending;
	bool useful;

	slot->pending = 0;
	if (events == 0)
		return true;            /* closed since it was marked */
	if (events == UINT8_MAX) {
		weft__slot_close(reactor, slot);
		return true;
	}
	useful = tell(slot, events);
	if (slot->mode == WEFT__EDGE)
		return useful;
	if (slot->mode == WEFT__LEVEL && !useful)
		weft__slot_rest(reactor, slot); /* or it would report for ever */
	if (slot->mode == WEFT__ONCE || (slot->mode == WEFT__LEVEL && !useful))
		arm_again(reactor, slot);
	return useful;
}

/* What outlived its number reports for ever. That of a ONCE slot reports once
 * and is then quiet, so the first time is no reason yet. */
static void
cure(struct weft__reactor *reactor, bool stale)
{
	reactor->stale_polls = stale ? reactor->stale_polls + 1 : 0;
	if (reactor->stale_polls > 1 && weft__reactor_renew(reactor) == 0)
		reactor->stale_polls = 0;
}

/* A poll that has failed is tried again at once, with a new set if that was
 * what is wrong. When it fails in a row, there is a rest before the next: there
 * may be no descriptor for a new set, or a limit that is below ours. */
static void
mend(struct weft__reactor *reactor, int64_t timeout)
{
	if (errno == EINTR)
		return;
	reactor->failed_polls++;
	if (errno == ESTALE && weft__reactor_mend(reactor) == 0)
		return;
	if (reactor->failed_polls > 1 && timeout != 0)
		poll(NULL, 0, timeout > 0 && timeout < REST_MS ? (int)timeout : REST_MS);
}

void
weft__reactor_poll(struct weft__reactor *reactor, int64_t timeout)
{
	uint64_t stale = reactor->stats.stale_events;
	struct weft__slot *slot, *next;
	bool useful = false;
	int n;

	reactor->batch = NULL;
	reactor->batch_end = &reactor->batch;
	reactor->stats.polls++;
	/* Or next time. Who has sent meanwhile has sent to nowhere. */
	if (reactor->wake.slot == NULL && !reactor->inherited &&
	    weft__wake_open(&reactor->wake, reactor) == 0)
		timeout = 0;
	/* What a new set did not take is told now, not when something comes. */
	n = reactor->backend->wait(reactor, reactor->child_ended ? 0 : timeout);
	if (n < 0)
		mend(reactor, timeout);
	else
		reactor->failed_polls = 0;
	useful = weft__children_tell(reactor);
	if (n <= 0)
		return;
	for (slot = reactor->batch; slot != NULL; slot = next) {
		next = slot->marked;
		slot->in_batch = false;
		useful |= dispatch(reactor, slot);
	}
	if (!useful)
		reactor->stats.spins++;
	cure(reactor, reactor->stats.stale_events != stale);
}
