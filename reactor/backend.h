/* SPDX-License-Identifier: MIT */
/*
 * The contract that a backend implements: functions and capability bits.
 *
 * open     makes r->state; -1 with errno if the system has not got it
 * close    frees it; after a fork it must not touch what the parent shares
 * watch    makes `events` the set that is reported for the slot, by its mode:
 *            EDGE   an event for each arrival; or, without the capability
 *                   WEFT__CAN_EDGE, one report per bit, which disarms it
 *            LEVEL  reports as long as it is so
 *            ONCE   one report, which disarms all
 *          -1 with errno; EPERM means that it is always ready
 * forget   takes the slot out; called before the descriptor is closed, but the
 *          descriptor may be gone or be another one already: never fails
 * wait     waits, and calls weft__reactor_mark for each report, no more:
 *          its tables may change as soon as the marks are dispatched
 * fd       a descriptor that is readable when wait would report; -1 if none
 * child    reports the end of a process once, by weft__reactor_mark_child, or
 *          does not any more; -1 with errno; NULL if it cannot
 *
 * watch, wait and child fail with ESTALE if the descriptor of the set itself is not
 * there any more, because the program has closed it; close then lets it be.
 *
 * A disarmed descriptor reports nothing at all, not even a hang-up.
 */
#ifndef WEFT_REACTOR_BACKEND_H
#define WEFT_REACTOR_BACKEND_H

#include "reactor/reactor.h"

enum {
	WEFT__CAN_EDGE = 1,
	WEFT__CAN_URGENT = 2    /* also to report hang-ups alone */
};

enum { WEFT__LEAF = 1024 };      /* slots that the table grows by */

struct weft__backend {
	const char *name;
	unsigned capabilities;
	int  (*open)(struct weft__reactor *);
	void (*close)(struct weft__reactor *);
	int  (*watch)(struct weft__reactor *, struct weft__slot *, int events);
	void (*forget)(struct weft__reactor *, struct weft__slot *);
	int  (*wait)(struct weft__reactor *, int64_t timeout);
	int  (*fd)(struct weft__reactor *);
	int  (*child)(struct weft__reactor *, pid_t, bool watch);
};

/* NULL-terminated; the first is the default. */
extern const struct weft__backend *const weft__backends[];

extern const struct weft__backend weft__epoll, weft__kqueue, weft__poll;
/* For programs that poll the set of the poll backend themselves. */
int weft__poll_set(const struct weft__reactor *, struct pollfd *, int max);

/* A cookie survives its descriptor: generation above, number below. */
static inline uint64_t
weft__slot_cookie(const struct weft__slot *slot)
{
	return (uint64_t)slot->generation << 32 | (uint32_t)slot->fd;
}

/* Its place in the table; NULL: there is none yet. */
static inline struct weft__slot *
weft__slot_at(const struct weft__reactor *reactor, int fd)
{
	size_t n = (unsigned)fd, leaf = n / WEFT__LEAF;       /* below 0: huge */

	if (leaf >= reactor->leaf_count || reactor->leaves[leaf] == NULL)
		return NULL;
	return &reactor->leaves[leaf][n % WEFT__LEAF];
}

/* `events` may be -EBADF: the kernel does not know the descriptor any more. */
static inline void
weft__reactor_mark(struct weft__reactor *reactor, uint64_t cookie, int events)
{
	struct weft__slot *slot = weft__slot_at(reactor, (int)(uint32_t)cookie);

	reactor->stats.events++;
	if (slot == NULL || slot->mode == WEFT__UNUSED ||
	    slot->generation != (uint32_t)(cookie >> 32)) {
		reactor->stats.stale_events++;
		return;
	}
	__builtin_prefetch(slot->arg);  /* until it is told, all others are marked */
	/* All bits: nobody else is told. */
	slot->pending |= events < 0 ? UINT8_MAX : (uint8_t)events;
	if (!slot->in_batch) {
		slot->in_batch = true;
		slot->marked = NULL;
		*reactor->batch_end = slot;
		reactor->batch_end = &slot->marked;
	}
}
void weft__reactor_mark_child(struct weft__reactor *, pid_t);

#endif
