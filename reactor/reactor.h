/* SPDX-License-Identifier: MIT */
/*
 * The reactor knows descriptors, clocks and waiters. It tells a waiter that
 * something is ready and never asks who is waiting.
 *
 * A descriptor's place is its slot, found by its number and never given back
 * while the reactor lives; the slot's generation tells one use of the number
 * from the next, so that an event for a descriptor that is gone is seen to be
 * stale and dropped. A slot is in one of these modes:
 *
 *   UNUSED --slot_open--> EDGE      a stream's own: stays armed, sticky bits
 *                         LEVEL     a listener: disarmed when nobody waits
 *                         ONCE      somebody else's: armed for one wait only
 *   any    --EPERM-----> ALWAYS     what the kernel refuses to poll
 *   any    --slot_close-> UNUSED    generation + 1
 *
 * "Armed" is what the backend has been asked to report. Nothing is armed
 * before somebody has tried in vain: slot_want() is called when a system call
 * said EAGAIN, and is a comparison when the bits are armed already.
 */
#ifndef WEFT_REACTOR_REACTOR_H
#define WEFT_REACTOR_REACTOR_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "reactor/compat.h"
#include "weft/base.h"

/* Events are WEFT_READABLE, WEFT_WRITABLE and this: hang-up, end or error. It
 * comes with the others and is to be remembered, because data and the end may
 * come in one event and a short read would hide the end. */
#define WEFT__ENDED 4
/* Urgent data, where the backend can tell (WEFT__CAN_URGENT). */
#define WEFT__URGENT 8

enum weft__mode {
	WEFT__UNUSED, WEFT__EDGE, WEFT__LEVEL, WEFT__ONCE, WEFT__ALWAYS
};

struct pollfd;
struct weft__reactor;

/* Who is told of all that happens to a descriptor: the events, or minus an
 * errno when the slot is closed. It may wake, write and want, but never opens
 * or closes a slot: that is for what it wakes. Returns whether anything came
 * of it. */
typedef bool weft__notify(void *arg, int events);

/* A struct weft__waiter (weft/base.h) is told once, by the same rules. */

struct weft__slot {
	uint8_t armed;                  /* what the backend will report; first, */
	uint8_t mode;                   /* for who knows slots by name only */
	uint8_t pending;                /* reported, not yet dispatched */
	bool owned;                     /* a stream's or listener's */
	bool in_backend;
	bool in_batch;                  /* `marked` is in use */
	uint32_t generation;
	int fd;
	uint32_t index;                 /* the backend's own, if in_backend */
	weft__notify *notify;           /* NULL: nobody */
	void *arg;
	struct weft__waiter *waiters;
	struct weft__slot *marked;      /* next in this poll's batch */
};

/* --- clock.c: monotonic milliseconds, never 0, and nanoseconds */
int64_t weft__clock(void);
int64_t weft__clock_ns(void);

/* --- timer.c: a 4-ary heap with lazy re-arm */
struct weft__timer {
	int64_t deadline;       /* INT64_MAX: nobody waits, whatever the heap says */
	uint64_t sequence;      /* when the deadline was set: ties go to the first */
	size_t index;           /* 1 + its place in the heap; 0: not there */
};

struct weft__timers {
	struct weft__entry *heap;
	size_t count, capacity;
	uint64_t sequence;
	void (*fire)(struct weft__timer *);
};

int  weft__timers_reserve(struct weft__timers *, size_t timers);
void weft__timers_free(struct weft__timers *);
/* Never fails within what was reserved. */
void weft__timer_set(struct weft__timers *, struct weft__timer *, int64_t deadline);
void weft__timer_remove(struct weft__timers *, struct weft__timer *);
void weft__timers_expire(struct weft__timers *, int64_t now);
/* The earliest time at which expire could have something to do. */
int64_t weft__timers_next(const struct weft__timers *);

/* --- wake.c: ends a poll from another thread or a signal handler */
struct weft__wake {
	struct weft__slot *slot;        /* NULL: lost, with its descriptors */
	int read_fd;                    /* one eventfd, or a pipe */
	atomic_int write_fd;
	atomic_int state;
	struct weft__file file;
};

int  weft__wake_open(struct weft__wake *, struct weft__reactor *);
void weft__wake_close(struct weft__wake *, struct weft__reactor *);
/* In a child, which may have closed everything, or have put files of its own in
 * the place: only what is ours still is kept, to be closed when there is another. */
void weft__wake_check(struct weft__wake *, struct weft__reactor *);
/* Async-signal-safe; costs a system call only when the loop sleeps. Whatever
 * the loop is to find must be published before. */
void weft__wake_send(struct weft__wake *);
/* Announces sleep; false if there was a call since the last one. */
bool weft__wake_sleep(struct weft__wake *);
void weft__wake_rise(struct weft__wake *);

/* --- child.c: the end of processes, from a poller that can tell. The waiter is
 * told once, with WEFT_READABLE, that it is time to look: by waitpid(2). */
struct weft__child {
	struct weft__waiter waiter;
	struct weft__child *next;
	pid_t pid;
	bool ended;                     /* reported, not yet told */
};

/* -1: ENOSYS, this poller cannot; ESRCH, it is ending or has ended; or what the
 * system says. Children of others are not refused: that is for the caller. */
int  weft__child_watch(struct weft__reactor *, struct weft__child *);
/* Nothing if it was told. */
void weft__child_forget(struct weft__reactor *, struct weft__child *);
/* After a wait: those who wait for what was reported. Whether there are any. */
bool weft__children_tell(struct weft__reactor *);
/* In a new set, or else told. */
void weft__children_renew(struct weft__reactor *);

/* --- reactor.c */
struct weft__reactor_stats {
	uint64_t polls, events, stale_events, spins, registrations, wakeups;
};

struct weft__reactor {
	const struct weft__backend *backend;
	void *state;                    /* the backend's */
	bool inherited;                 /* in a child: the state is the parent's, too */
	bool exposed;                   /* the program knows the set's descriptor */
	unsigned stale_polls;           /* in a row, up to the last one */
	unsigned failed_polls;          /* the same */
	struct weft__slot **leaves;     /* 1,024 slots each, by descriptor */
	size_t leaf_count;
	struct weft__slot *batch, **batch_end;
	struct weft__child *children;   /* that are waited for */
	bool child_ended;               /* one of them, at least */
	struct weft__wake wake;
	struct weft__reactor_stats stats;
};

/* `backend` is a name; NULL: what WEFT_BACKEND says, except in a setuid
 * program. One that is not here means the default. */
int  weft__reactor_open(struct weft__reactor *, const char *backend);
/* Closes the descriptors of all slots that were opened as EDGE or LEVEL, too:
 * they are ours. */
void weft__reactor_close(struct weft__reactor *);
const char *weft__reactor_name(const struct weft__reactor *);
/* A descriptor that is readable when a poll would report; -1: there is none,
 * but the set that poll(2) would be given. That returns how many there are. */
int  weft__reactor_fd(struct weft__reactor *);
int  weft__reactor_pollfds(struct weft__reactor *, struct pollfd *, int max);
/* Waits at most `timeout` milliseconds (-1: for ever), then tells the waiters
 * of everything that was reported. If the poller fails, it is mended, or at
 * least does not fail again and again without a rest. */
void weft__reactor_poll(struct weft__reactor *, int64_t timeout);

/* The slot of `fd`; one left over from a descriptor that foreign code has
 * closed is closed first. NULL: EBADF, ENOMEM. */
struct weft__slot *weft__slot_open(struct weft__reactor *, int fd, enum weft__mode);
/* The slot of `fd` if it is in use, else NULL. */
struct weft__slot *weft__slot_find(const struct weft__reactor *, int fd);
/* Tells all waiters -EBADF and forgets the descriptor, which stays open. */
void weft__slot_close(struct weft__reactor *, struct weft__slot *);
/* Asks for events to be reported. -1: the backend's errno. A descriptor that
 * cannot be polled becomes ALWAYS, and that is a success. */
int  weft__slot_want(struct weft__reactor *, struct weft__slot *, int events);
/* Takes the descriptor out of the set until the next want. */
void weft__slot_rest(struct weft__reactor *, struct weft__slot *);
void weft__slot_add(struct weft__slot *, struct weft__waiter *, int events);
void weft__slot_remove(struct weft__slot *, struct weft__waiter *);
/* For descriptors that may be ready without a report (poll(2), no wait): the
 * bits, or -1 with EBADF. */
int  weft__slot_probe(int fd, int events);

/* --- renew.c */

/* In the child: a poller of its own, with nothing armed and nobody waiting. */
int  weft__reactor_after_fork(struct weft__reactor *);
/* A new set, with everything armed that was. Descriptors that turn out to be
 * closed lose their slots. -1: the old one goes on. */
int  weft__reactor_renew(struct weft__reactor *);
/* The same when the program has closed the old one behind our back, whoever
 * knows it. */
int  weft__reactor_mend(struct weft__reactor *);

#endif
