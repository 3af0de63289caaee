/* SPDX-License-Identifier: MIT */
/*
 * The inside of fibers and loops, for fiber/ alone.
 *
 *   NEW --first switch--> RUNNING --park--> PARKED --wake--> READY --> RUNNING
 *                            |
 *                            +--end--> DONE --join or detach--> POOLED
 *
 * A fiber's block lies at the top of its own stack, above the first frame, so
 * that a parked fiber costs one page. The block outlives its fiber: it stays
 * in the loop's list, and in the heap if its timer is there, until the loop
 * ends; a spawn that gets the stack finds it again.
 */
#ifndef WEFT_FIBER_FIBER_H
#define WEFT_FIBER_FIBER_H

#include <pthread.h>
#include <stdatomic.h>

#include "fiber/context.h"
#include "fiber/signal.h"
#include "fiber/stack.h"
#include "fiber/wait.h"
#include "reactor/reactor.h"
#include "weft/fiber.h"
#include "weft/loop.h"

/* --- limits */
enum {
	WEFT__NAME_SIZE = 32,
	WEFT__KEYS = 256,               /* a fiber that uses one may pay for all */
	WEFT__SWITCHES_PER_POLL = 64,   /* I/O latency stays bounded ... */
	WEFT__POLL_INTERVAL_NS = 1000000, /* ... or 1 ms, whichever is first */
	WEFT__TRIM_AFTER = 256,         /* fibers that have ended, and then ... */
	WEFT__TRIM_DELAY = 1000         /* ms: more may be spawned at once */
};

enum weft__state {
	WEFT__NEW, WEFT__READY, WEFT__RUNNING, WEFT__PARKED, WEFT__DONE, WEFT__POOLED,
	WEFT__GONE      /* lost by a fork; its block and stack stay as they are */
};

struct weft__frame {
	int64_t deadline;
	int64_t shielded_until;
};

struct weft_fiber {
	struct weft__context context;
	struct weft_fiber *next;        /* in the run queue */
	struct weft_loop *loop;
	int wake_error;                 /* what the park returns */
	int detail;                     /* weft__detail */
	uint8_t state;
	uint8_t waiting;                /* enum weft__waiting and what for, while parked */
	bool canceled;
	bool detached;
	bool permit;
	bool parking;                   /* in weft_park */
	bool obliged;                   /* to run, also if cancelled before */
	int error;                      /* its errno while others run */
	int64_t deadline;               /* in force; INT64_MAX: none */
	struct weft__timer timer;
	/* so far what a wake touches: a cache line, but for the end of the timer */
	int64_t shielded_until;         /* a cancel is held off; 0: no shield */
	uint64_t parked_at;             /* switch number, to find the oldest */
	int64_t parked_since;           /* ns, by the loop's last look at the clock */
	uint64_t subject;               /* which descriptor, fiber ...: WEFT__FOR_ */
	const void *object;             /* fetched before it runs; may be gone */
	/* so far what a park touches */

	weft_fn *fn;
	void *arg;
	const void *spawned_at;         /* where the program did it */
	int result;                     /* once it has ended */
	void (*at_end)(void *);         /* weft__at_end, or NULL */
	void *at_end_arg;
	unsigned depth, frames_size;
	unsigned floor;                 /* frames below are those of scopes */
	struct weft__frame *frames;     /* what pop restores */
	struct weft_scope *opened;      /* the innermost, by this fiber */
	struct weft_scope *scope;       /* that it is a member of */
	struct weft_fiber *newer_member, *older_member; /* of that */
	void **locals;                  /* by key - 1 */
	unsigned local_count;
	struct weft_fiber *joiner;
	struct weft_fiber *older, *newer; /* in the list of all blocks */
	struct weft__stack *stack;      /* NULL: the thread's own */
	uint64_t id;
	char name[WEFT__NAME_SIZE];
};

struct weft_loop {
	struct weft__front front;       /* first */
	struct weft_fiber *head, **tail;        /* the run queue */
	unsigned budget;                /* switches until the next poll */
	unsigned external;              /* fibers and work that need the poller */
	struct weft__task *tasks, **tasks_end;

	struct weft__timers timers;
	unsigned timed;                 /* parked with a deadline */
	unsigned blocks;                /* fiber blocks ever made, main included */
	int64_t polled_at;              /* ns; when the budget was last set */
	bool was_busy;                  /* and somebody was ready then */
	unsigned span;                  /* the budget that was set */
	unsigned long epoch;            /* forks before it was made */
	bool addressable;               /* its handle is out */
	uint32_t select_start;          /* moves with every weft_select */
	_Atomic(struct weft__post *) posts;     /* newest first */
	atomic_int posting;             /* who is about to, or has not yet waked us */

	struct weft__reactor reactor;
	struct weft__stacks stacks;
	int64_t trim_at;                /* ms; 0: not planned */
	void *signal_stack;             /* ours; NULL: the program's, or none */
	struct weft__queue closings;    /* who waits for a descriptor to be had */
	uint64_t closes;                /* how many could be had again */
	struct weft_fiber *all;         /* newest block first */
	struct weft_fiber main;
	void *place;
	void (*destroy_place)(void *);
	int dump_signal;                /* weft_dump_on_signal; 0: none */
	struct weft__watch dump_watch;  /* for it */
	uint64_t ids;
	struct weft_loop_stats stats;
	struct weft_loop *next_loop;    /* for debuggers */
	pthread_t thread;
};

/* --- loop.c */
/* This thread's loop if there is one. */
struct weft_loop *weft__loop_here(void);
/* The same, for signal handlers. */
struct weft_loop *weft__loop_of_thread(void);
/* 0, or ECHILD in a forked child. */
int  weft__loop_check(const struct weft_loop *);
void weft__loop_run_posts(struct weft_loop *);
/* From here on it belongs to this process. */
void weft__loop_renew(struct weft_loop *);
void weft__loop_run_tasks(struct weft_loop *);

/* --- sched.c */
void weft__ready(struct weft_fiber *);
void weft__sched_yield(struct weft_loop *);
/* A turn that never waits, and everybody who is ready runs once. Whether there
 * was anything to do. */
bool weft__sched_step(struct weft_loop *);
/* Whether there is work that needs no waiting for. */
bool weft__sched_pending(const struct weft_loop *);
/* Milliseconds until the next timer; -1: none. */
int64_t weft__sched_time_left(const struct weft_loop *);
/* The running fiber is over. Never returns; to be called last (context.h). */
void weft__sched_leave(struct weft_loop *);
void weft__timer_fired(struct weft__timer *);

/* --- fiber.c */
static inline struct weft_fiber *
weft__block_on(struct weft__stack *stack)
{
	uintptr_t top = (uintptr_t)stack - sizeof(struct weft_fiber);

	return (struct weft_fiber *)(top & ~(uintptr_t)63);
}
/* Back to the pool with its stack. */
void weft__fiber_recycle(struct weft_fiber *);
/* Why the running fiber may not join this one: an errno. */
int weft__join_check(const struct weft_loop *, const struct weft_fiber *);
/* The result of one that is DONE. The handle is gone. */
int weft__join_finish(struct weft_fiber *);

/* --- debug.c: the list of all loops, for debuggers */
/* What a fiber waits for, by its WEFT__FOR_. %: the subject. */
extern const char *const weft__waits[WEFT__FOR_SERVER / WEFT__FOR + 1];
void weft__debug_add(struct weft_loop *);
void weft__debug_remove(const struct weft_loop *);
void weft__debug_before_fork(void);
void weft__debug_in_parent(void);
void weft__debug_in_child(struct weft_loop *here);

/* --- overflow.c */
/* From here on an overflow of a stack is reported. */
void weft__overflow_watch(struct weft_loop *);
/* The end of the thread's part in it. */
void weft__overflow_forget(struct weft_loop *);
/* weft__signal_below, if it is the handler for overflows that stands. */
bool weft__overflow_below(int signal, const struct sigaction *, struct sigaction *old);

/* --- trim.c */
/* Once enough fibers have ended and some time has gone by, what the pool keeps
 * of them goes back to the system. */
void weft__fibers_trim(struct weft_loop *);

/* --- wait.c */
/* The slot of any descriptor, for one wait. NULL: EBADF, ENOMEM. */
struct weft__slot *weft__fd_borrow(struct weft_loop *, int fd);
/* After that wait: forgets it unless it is a stream's or others still wait. */
void weft__fd_return(struct weft_loop *, int fd);
/* By a stream or listener: then it reports arrivals, not states. */
bool weft__fd_is_owned(const struct weft__slot *);

/* --- deadline.c */
/* Whether a cancel reaches the fiber now: no shield holds it off. */
bool weft__interrupted(const struct weft_fiber *);
void weft__frames_free(struct weft_fiber *);

/* --- scope.c */
/* A member has ended. */
void weft__scope_leave(struct weft_fiber *);
/* The running fiber is about to end. */
void weft__scopes_close(struct weft_fiber *);

/* --- local.c */
/* Calls the destructors. */
void weft__locals_end(struct weft_fiber *);
void weft__locals_free(struct weft_fiber *);

#endif
