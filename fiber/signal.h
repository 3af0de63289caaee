/* SPDX-License-Identifier: MIT */
/*
 * Watching for signals: a handler that stands while there is a watch.
 */
#ifndef WEFT_FIBER_SIGNAL_H
#define WEFT_FIBER_SIGNAL_H

#include <signal.h>
#include <stdatomic.h>

#include "fiber/wait.h"

enum { WEFT__STRAYS = 64 };     /* signals that come while one is handed over */

enum weft__watch_kind {
	WEFT__WATCH_ONCE,       /* each signal counts */
	WEFT__WATCH_CHILD,      /* one is as good as many, and the program's own
	                         * handler is called as well */
	WEFT__WATCH_DUMP        /* one is as good as many */
};

/* Gets one signal of its set, then no more. */
struct weft__watch {
	struct weft__watch *_Atomic next;       /* in the list of all */
	struct weft_loop *loop;
	enum weft__watch_kind kind;
	sigset_t set;
	sigset_t unblocked;             /* of these, what it has unblocked */
	atomic_int state;               /* empty, being filled, full */
	siginfo_t info;                 /* once it is full */
	struct weft__post post;         /* sent then; fn and arg are the caller's */
};

/* --- watch.c */

/* Not empty, and nothing in it that would come again for ever. */
bool weft__watch_possible(const sigset_t *);
/* From now on a signal is caught, and `post` is sent. 0; EINVAL: a set that
 * cannot be waited for; or what sigaction says. */
int  weft__watch_begin(struct weft__watch *, struct weft_loop *,
    const sigset_t *, enum weft__watch_kind);
/* Nothing is caught any more. If it is full, the post has been sent. */
void weft__watch_end(struct weft__watch *);
bool weft__watch_full(const struct weft__watch *);
/* The post has come, and the next signal may. */
void weft__watch_again(struct weft__watch *);
/* The end of all that belong to this loop. */
void weft__watch_forget(struct weft_loop *);
/* As sigaction(2), below the handlers that weft itself has up: what the program
 * would get and set if they were not there. `old` is not NULL. */
int  weft__signal_below(int signal, const struct sigaction *new, struct sigaction *old);

/* --- signal.c */

/* The running fiber waits; between these two it parks, or looks first whether
 * there is anything to wait for. */
struct weft__signal_wait {
	struct weft__watch watch;
	struct weft_fiber *fiber;
	bool delivered;
};

int  weft__signal_wait(struct weft_loop *, struct weft__signal_wait *,
    const sigset_t *, enum weft__watch_kind);
/* how: WEFT__FOR_. */
int  weft__signal_park(struct weft__signal_wait *, int64_t deadline, unsigned how);
/* Whether a signal came; it is in watch.info. */
bool weft__signal_end(struct weft__signal_wait *);

#endif
