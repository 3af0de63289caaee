/* SPDX-License-Identifier: MIT */
/*
 * A new set for the backend, in three cases:
 *
 *   in a forked child       the old one is the parent's, too
 *   when it reports what    a registration of epoll belongs to the open file,
 *   is gone                 and outlives the number by which it was made when
 *                           foreign code closes that while a dup or a child
 *                           holds the file: no number is left to remove it by
 *   when it is gone itself  foreign code has closed its descriptor, typically
 *                           all that there are
 *
 * The old set is closed before the new one is filled, so that a limit on what
 * may be watched is not met halfway.
 */
#include "config.h"

#include <errno.h>

#include "reactor/backend.h"
#include "reactor/reactor.h"

/* Closes the old set of the backend, and keeps the new one. */
static void
close_old(struct weft__reactor *reactor, void *old)
{
	void *new = reactor->state;

	reactor->state = old;
	reactor->backend->close(reactor);
	reactor->state = new;
}

static void
for_each_slot(struct weft__reactor *reactor,
    void (*fn)(struct weft__reactor *, struct weft__slot *))
{
	size_t i, j;

	for (i = 0; i < reactor->leaf_count; i++)
		for (j = 0; reactor->leaves[i] != NULL && j < WEFT__LEAF; j++)
			fn(reactor, &reactor->leaves[i][j]);
}

/* --- after a fork */

static void
disarm(struct weft__reactor *reactor, struct weft__slot *slot)
{
	(void)reactor;
	slot->waiters = NULL;
	slot->armed = slot->pending = 0;
	slot->in_backend = false;
	if (slot->mode == WEFT__ONCE)
		slot->mode = WEFT__UNUSED;
}

int
weft__reactor_after_fork(struct weft__reactor *reactor)
{
	struct weft__wake wake;
	void *state = reactor->state;

	weft__wake_check(&reactor->wake, reactor);
	wake = reactor->wake;
	if (reactor->backend->open(reactor) < 0)
		return -1;
	for_each_slot(reactor, disarm);
	reactor->inherited = false;
	if (weft__wake_open(&reactor->wake, reactor) < 0) {
		reactor->inherited = true;
		reactor->wake = wake;
		reactor->backend->close(reactor);
		reactor->state = state;
		return -1;
	}
	reactor->exposed = false;
	reactor->children = NULL;       /* the parent's */
	close_old(reactor, state);
	weft__wake_close(&wake, reactor);
	return 0;
}

/* --- with all that was armed */

static void
arm(struct weft__reactor *reactor, struct weft__slot *slot)
{
	int events = slot->armed;

	slot->in_backend = false;
	slot->armed = 0;
	if (events != 0 && weft__slot_want(reactor, slot, events) < 0)
		weft__slot_close(reactor, slot);
}

static int
replace(struct weft__reactor *reactor)
{
	void *state = reactor->state;

	if (reactor->backend->open(reactor) < 0)
		return -1;
	close_old(reactor, state);
	for_each_slot(reactor, arm);
	weft__children_renew(reactor);
	return 0;
}

/* Not if the program has put the old one into a set of its own: of the new one
 * that would never hear. */
int
weft__reactor_renew(struct weft__reactor *reactor)
{
	int error = errno, result = -1;

	if (!reactor->exposed && !reactor->inherited)
		result = replace(reactor);
	errno = error;
	return result;
}

int
weft__reactor_mend(struct weft__reactor *reactor)
{
	if (reactor->inherited) {
		errno = ECHILD;
		return -1;
	}
	if (replace(reactor) < 0)
		return -1;
	reactor->exposed = false;
	return 0;
}
