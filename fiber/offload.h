/* SPDX-License-Identifier: MIT */
/*
 * Blocking calls on threads, so that the loop goes on.
 */
#ifndef WEFT_FIBER_OFFLOAD_H
#define WEFT_FIBER_OFFLOAD_H

#include "fiber/wait.h"

/* Each kind has a few threads of its own. */
enum weft__job_kind { WEFT__JOB_CALL, WEFT__JOB_NAME, WEFT__JOB_KINDS };

/* On the heap: a caller that stops waiting leaves it to the thread, which
 * frees it when the work is done. The caller sets work, free and kind. */
struct weft__job {
	void (*work)(struct weft__job *);       /* on a thread of the pool */
	void (*free)(struct weft__job *);
	enum weft__job_kind kind;
	struct weft__job *next;                 /* in the pool's queue */
	struct weft__job *older, *newer;        /* in the list of all */
	struct weft_loop *loop;                 /* NULL: nobody waits any more */
	struct weft_fiber *fiber;
	struct weft__post done;
	bool finished;                          /* `done` is on its way */
	bool delivered;                         /* and has come */
};

/* 0: the work is done, and the job is the caller's again. An errno: it could
 * not start, or the wait ended early; the job is gone. */
int weft__offload(struct weft_loop *, struct weft__job *, int64_t deadline);
/* Nobody waits on this loop any more. */
void weft__offload_forget(struct weft_loop *);

#endif
