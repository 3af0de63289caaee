/* SPDX-License-Identifier: MIT */
/*
 * weft/loop.h - the loop under the fibers of a thread, seen from outside.
 *
 * Pages: weft_loop(3), weft_loop_fd(3), weft_dump(3).
 */
#ifndef WEFT_LOOP_H
#define WEFT_LOOP_H

#include <poll.h>
#include <stdio.h>
#include <weft/base.h>

WEFT_BEGIN_DECLS

struct weft_loop;

/* Counters since the loop was made, and gauges. */
struct weft_loop_stats {
	size_t size;            /* sizeof(struct weft_loop_stats), set by the caller */
	uint64_t turns;
	uint64_t polls;         /* system calls that asked for events */
	uint64_t events;        /* what they reported */
	uint64_t stale_events;  /* of these, for descriptors that were gone */
	uint64_t spins;         /* polls that reported, and nothing came of it */
	uint64_t switches;      /* from one fiber to another */
	uint64_t wakeups;       /* fibers made ready again after they had parked */
	uint64_t registrations; /* descriptors put into the poller */
	uint64_t timers;        /* gauge: fibers that wait with a deadline */
	uint64_t fibers;        /* gauge: alive, the main one included */
	uint64_t parked;        /* gauge: of these, waiting */
	uint64_t stacks_pooled; /* gauge: kept for the next spawn */
	uint64_t accept_pauses; /* times a server stopped taking for lack of resources */
};

/* "epoll", "kqueue" or "poll"; NULL when the loop cannot be made. WEFT_BACKEND
 * in the environment chooses, except in a setuid program; a name that is not
 * there means the default. */
WEFT_API const char *weft_loop_backend(void);
/* "asm", "ucontext", "sigaltstack" or "swapcontext": what switches fibers. */
WEFT_API const char *weft_loop_context(void);
/* What stands below the stacks of fibers: "madvise" (in the mapping; as many as
 * there is memory for), "mprotect" (costs mappings), "canary" (looked at when the
 * fiber has ended); the weakest that was needed so far; "none yet". */
WEFT_API const char *weft_loop_guard(void);
/* Fills as much of *stats as stats->size says. EINVAL: less than a size. */
WEFT_API int weft_loop_stats(struct weft_loop_stats *stats);

/* One line for each fiber: its id and name; what it waits for, with the peer of
 * a descriptor, and since when; its deadline; how much of its stack it has used
 * so far. EINVAL: NULL; or what the FILE says. */
WEFT_API int weft_dump(FILE *);
/* From now on this signal makes the thread's loop do that to stderr, as soon
 * as its running fiber waits. 0: no more. EINVAL: as in weft_signal_wait. */
WEFT_API int weft_dump_on_signal(int signal);

/* --- inside another loop: wait on the descriptor, no longer than the timeout,
 * then step */

/* Becomes readable when there is work. ENOTSUP: the poll backend has none. */
WEFT_API int weft_loop_fd(void);
/* The set to wait on instead, good until the next step; it has one element
 * where there is a descriptor. Fills at most max, returns how many there are. */
WEFT_API int weft_loop_pollfds(struct pollfd *, int max);
/* Milliseconds; 0: there is work now, -1: no timer. */
WEFT_API int weft_loop_timeout(void);
/* One turn, which never waits: 1 if there was something to do, 0 if not. The
 * fiber that steps may itself wait in other calls. */
WEFT_API int weft_loop_step(void);

/* In a forked child, before anything else: a new poller. Only the running
 * fiber goes on, the others are gone. ENOMEM, EMFILE and the like: try again. */
WEFT_API int weft_loop_after_fork(void);

/* This thread's loop, for weft_post. A loop whose handle was given out is not
 * taken for deadlocked. NULL: it could not be made. */
WEFT_API struct weft_loop *weft_loop_self(void);
/* Runs fn(arg) soon on the loop's thread, between fibers: it must not wait.
 * From any thread; in order for calls of one thread. ENOMEM. */
WEFT_API int weft_post(struct weft_loop *, void (*fn)(void *), void *arg);

WEFT_END_DECLS

#endif
