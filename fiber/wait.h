/* SPDX-License-Identifier: MIT */
/*
 * What lib/ stands on: waiting. A stream knows its loop and its fiber, and
 * waits on a descriptor or in a queue; it never sees the reactor.
 *
 * Functions that may park return 0 or an errno, never -1: their callers set
 * errno once, at the edge to the program.
 */
#ifndef WEFT_FIBER_WAIT_H
#define WEFT_FIBER_WAIT_H

#include "weft/base.h"

/* A way that is seldom gone, kept out of the one that is short. */
#if defined(__GNUC__) || defined(__clang__)
#define WEFT__APART __attribute__((noinline))
#else
#define WEFT__APART
#endif

struct weft_fiber;
struct weft_loop;
struct weft__slot;

/* What every operation looks at: the front of a loop, so that it costs no call. */
struct weft__front {
	struct weft_fiber *current;     /* who runs */
	int *error;                     /* the thread's errno */
	long credit;                    /* what the running fiber may still do */
	uint64_t subject;               /* which one it is going to wait for */
	const void *object;             /* what it will look at when it has waited */
	bool alarm;                     /* weft__check has more to look at */
};
static inline struct weft__front *
weft__front(const struct weft_loop *loop)
{
	return (struct weft__front *)(uintptr_t)loop;
}

static inline struct weft_fiber *
weft__running(const struct weft_loop *loop)
{
	return weft__front(loop)->current;
}

/* --- loop.c */

/* This thread's loop, made by the first call. NULL with errno. */
struct weft_loop *weft__loop(void);
/* A place for what lib/ keeps per loop, freed with the loop. */
void **weft__loop_place(struct weft_loop *, void (*destroy)(void *));
/* Work that needs the poller although no fiber waits for it. */
void weft__loop_hold(struct weft_loop *);
void weft__loop_release(struct weft_loop *);
void weft__loop_count_pause(struct weft_loop *);

/* Something to do at the end of this turn; at most once until it has run. */
struct weft__task {
	struct weft__task *next;
	void (*run)(struct weft__task *);
	bool queued;
};
void weft__loop_defer(struct weft_loop *, struct weft__task *);
void weft__loop_undefer(struct weft_loop *, struct weft__task *);

/* Something for the loop to run, from another thread; it must live until then,
 * and is not looked at any more once fn runs. */
struct weft__post {
	struct weft__post *next;
	void (*fn)(void *);
	void *arg;
	bool owned;                     /* the loop frees it, after fn */
};
void weft__loop_post(struct weft_loop *, struct weft__post *);

/* --- sched.c */

/* Opens every operation that may park: ECANCELED, even if it would not have
 * to park, or ECHILD. */
int weft__check_alarm(struct weft_loop *);
static inline int
weft__check(struct weft_loop *loop)
{
	return weft__front(loop)->alarm ? weft__check_alarm(loop) : 0;
}
/* Closes one that moved `bytes`: yields when the fiber has had its turn's
 * worth (64 operations or 1 MiB), so that a fast peer does not starve the
 * others. */
#define WEFT__CREDIT ((long)1 << 20)
#define WEFT__OPERATION_COST ((long)16 << 10)
void weft__spent(struct weft_loop *);
static inline void
weft__charge(struct weft_loop *loop, size_t bytes)
{
	struct weft__front *front = weft__front(loop);

	front->credit -= bytes <= (size_t)WEFT__OPERATION_COST ? WEFT__OPERATION_COST :
	    bytes < (size_t)WEFT__CREDIT ? (long)bytes : WEFT__CREDIT + 1;
	if (front->credit < 0)
		weft__spent(loop);
}
/* In between the running fiber neither yields nor is cancelled, whatever is done
 * on its stack; nobody may park. */
struct weft__respite {
	long credit;
	bool alarm;
};
struct weft__respite weft__respite_begin(struct weft_loop *);
void weft__respite_end(struct weft_loop *, struct weft__respite before);
/* Parks the running fiber until weft__wake, or ETIMEDOUT, EAGAIN (WEFT_NOWAIT),
 * ECANCELED, EDEADLK, ECHILD. */
enum weft__waiting {
	WEFT__INTERNAL = 0,     /* only another fiber can wake it */
	WEFT__EXTERNAL = 1,     /* the kernel or another thread can */
	WEFT__STUBBORN = 2,     /* neither cancel nor enclosing deadlines do */
	WEFT__FOR = 4           /* what for: one of these, for weft_dump alone */
};
enum {
	WEFT__FOR_TIME = 1 * WEFT__FOR, WEFT__FOR_PERMIT = 2 * WEFT__FOR,
	WEFT__FOR_FIBER = 3 * WEFT__FOR,        /* subject: its id */
	WEFT__FOR_INPUT = 4 * WEFT__FOR,        /* a descriptor */
	WEFT__FOR_OUTPUT = 5 * WEFT__FOR,       /* a descriptor */
	WEFT__FOR_CLOSE = 6 * WEFT__FOR, WEFT__FOR_POLL = 7 * WEFT__FOR,
	WEFT__FOR_SCOPE = 8 * WEFT__FOR,        /* members left */
	WEFT__FOR_JOB = 9 * WEFT__FOR,
	WEFT__FOR_SIGNAL = 10 * WEFT__FOR,      /* the lowest of the set */
	WEFT__FOR_CHILD = 11 * WEFT__FOR,       /* its pid */
	WEFT__FOR_MUTEX = 12 * WEFT__FOR, WEFT__FOR_COND = 13 * WEFT__FOR,
	WEFT__FOR_RWLOCK = 14 * WEFT__FOR, WEFT__FOR_SEMAPHORE = 15 * WEFT__FOR,
	WEFT__FOR_EVENT = 16 * WEFT__FOR, WEFT__FOR_WAITGROUP = 17 * WEFT__FOR,
	WEFT__FOR_BARRIER = 18 * WEFT__FOR, WEFT__FOR_SEND = 19 * WEFT__FOR,
	WEFT__FOR_RECEIVE = 20 * WEFT__FOR, WEFT__FOR_SELECT = 21 * WEFT__FOR,
	WEFT__FOR_TURN = 22 * WEFT__FOR,        /* another fiber is in the stream */
	WEFT__FOR_SERVER = 23 * WEFT__FOR
};
int weft__park(struct weft_loop *, int64_t deadline, unsigned waiting);
/* Ends the park of a fiber of this thread; nothing if it is not parked. */
void weft__wake(struct weft_fiber *, int error);
/* Which one it is going to wait for: set before the park, if at all. */
static inline void
weft__subject(struct weft_loop *loop, uint64_t subject)
{
	weft__front(loop)->subject = subject;
}
/* A second errno of the running fiber, for lib/. */
int *weft__detail(struct weft_loop *);
/* Whether a fiber was lost by a fork, with whatever it held. */
bool weft__gone(const struct weft_fiber *);
/* Another number after each weft_loop_after_fork in a child. */
unsigned long weft__epoch(const struct weft_loop *);

/* --- queue.c: fibers in the order in which they parked. The node of a fiber
 * lies in the frame of its wait. Whoever chooses it has the fiber's word: it
 * gets what it waited for, whatever else happens before it runs. One that has
 * given up, but has not run yet to leave, is passed over. */

void weft__queue_add(struct weft__queue *, struct weft__node *, struct weft_fiber *);
/* Takes a node off that nobody has chosen or passed over. */
void weft__queue_remove(struct weft__queue *, struct weft__node *);
/* The first that still waits, which stays; NULL: none. */
struct weft__node *weft__queue_first(struct weft__queue *);
/* Takes it off and ends its park. */
void weft__queue_choose(struct weft__queue *, struct weft__node *, int error);

/* All of a wait in which nothing but the error is handed over. */
int weft__queue_wait(struct weft_loop *, struct weft__queue *, int64_t deadline,
    unsigned waiting);
/* The first; false if there is none. */
bool weft__queue_wake(struct weft__queue *, int error);
static inline bool
weft__queue_empty(const struct weft__queue *queue)
{
	return queue->first == NULL;
}
static inline void
weft__queue_wake_all(struct weft__queue *queue, int error)
{
	while (!weft__queue_empty(queue) && weft__queue_wake(queue, error))
		;
}

/* --- fiber.c */

/* Detached, and runs even if it is cancelled before it starts. NULL: ENOMEM. */
struct weft_fiber *weft__spawn_obliged(int (*fn)(void *), void *arg);
/* Calls fn(arg) when the running fiber ends, outside all its deadlines and
 * shields; it may wait, unless the fiber is cancelled. One per fiber. */
void weft__at_end(struct weft_loop *, void (*fn)(void *), void *arg);
/* There: what the fiber ends with. */
int weft__result(const struct weft_loop *);

/* --- wait.c */

/* Hang-up, end or error; comes with the others and is to be remembered. */
#define WEFT__ENDED 4

/* Takes a descriptor for a stream (its owner is told of every event, or of
 * minus an errno when it was lost) or for a listener (NULL; fibers park on
 * it). The descriptor itself stays the caller's. NULL: EBADF, ENOMEM. */
struct weft__slot *weft__fd_own(struct weft_loop *, int fd,
    bool (*notify)(void *arg, int events), void *arg);
struct weft__slot *weft__fd_listen(struct weft_loop *, int fd);
/* Wakes all that wait with EBADF; nobody is told any more. */
void weft__fd_disown(struct weft_loop *, struct weft__slot *);
/* From now on somebody else is told. */
void weft__fd_give(struct weft__slot *, bool (*notify)(void *arg, int events), void *arg);
/* In a notice of minus an errno: whether this is the descriptor it is about. */
bool weft__fd_is_lost(const struct weft__slot *, const void *arg);
/* Asks for events, after EAGAIN. An errno. */
int weft__fd_want(struct weft_loop *, struct weft__slot *, int events);
/* Whether they have been asked for, and will be reported. */
static inline bool
weft__fd_wanted(const struct weft__slot *slot, int events)
{
	return (*(const uint8_t *)slot & events) == events;     /* slot->armed */
}
/* Nothing to wait for: a regular file and its like. True only after a want. */
bool weft__fd_always_ready(const struct weft__slot *);
/* Whether the poller reports each arrival: the short-read rule needs it. */
bool weft__fd_edges(const struct weft_loop *);
int weft__fd_park(struct weft_loop *, struct weft__slot *, int events,
    int64_t deadline);
/* The same without a fiber: waiter->ready is called once, at once if there is
 * nothing to wait for, and takes a note. An errno. */
int weft__fd_watch(struct weft_loop *, struct weft__slot *, struct weft__waiter *,
    int events);
/* Before that has happened. */
void weft__fd_unwatch(struct weft__slot *, struct weft__waiter *);
/* Which of the events are there now; -1 with errno. */
int weft__fd_probe(int fd, int events);
/* Blocks the thread, fibers and all, until one is: for when the process ends. */
int weft__fd_block(int fd, int events);
/* close(2), which is not repeated when interrupted; descriptors are to be had
 * again, for those who wait for that. */
void weft__fd_close(struct weft_loop *, int fd);
int weft__fd_wait_for_close(struct weft_loop *, int64_t deadline);
/* How many it has closed: other than before, so it may be worth a try. */
uint64_t weft__fd_closes(const struct weft_loop *);

#endif
