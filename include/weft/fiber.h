/* SPDX-License-Identifier: MIT */
/*
 * weft/fiber.h - fibers: functions that wait without stopping their thread.
 *
 * The first call on a thread makes that thread's loop and turns the caller
 * into its main fiber. Fibers never leave their thread. All functions return 0
 * on success and -1 with errno unless they say otherwise; whatever may wait
 * fails with ECANCELED once the fiber is cancelled, with ETIMEDOUT when its
 * deadline or an enclosing one has passed, with EDEADLK when nothing is left
 * that could wake it, and with ECHILD in a forked child.
 *
 * With it come weft/process.h and weft/scope.h.
 *
 * Pages: weft_fiber(3), weft_yield(3), weft_deadline(3), weft_fd_wait(3),
 * weft_poll(3).
 */
#ifndef WEFT_FIBER_H
#define WEFT_FIBER_H

#include <poll.h>
#include <weft/base.h>

WEFT_BEGIN_DECLS

struct weft_fiber;

/* --- time: milliseconds of the monotonic clock, never 0 */

WEFT_API int64_t weft_now(void);
/* The deadline so many milliseconds from now, rounded up; it saturates, and a
 * negative number lies in the past. */
WEFT_API int64_t weft_after(int64_t milliseconds);

/* --- life */

/* What a fiber runs; the return value is what weft_join gives. */
typedef int weft_fn(void *arg);

struct weft_fiber_options {
	size_t size;            /* sizeof(struct weft_fiber_options) */
	const char *name;       /* copied, cut to 31 bytes */
	size_t stack_size;      /* bytes, rounded up; 0: 256 KiB, of which only
	                         * the pages that are touched cost memory */
};

/* A new fiber at the tail of the queue, the caller goes on. It must be joined
 * or detached. NULL: ENOMEM, EINVAL (options). */
WEFT_API struct weft_fiber *weft_spawn(weft_fn *, void *arg);
WEFT_API struct weft_fiber *weft_spawn_with(const struct weft_fiber_options *,
    weft_fn *, void *arg);
/* Spawn and detach. */
WEFT_API int weft_go(weft_fn *, void *arg);
/* Waits for the end of a fiber and takes its result (NULL: not wanted). The
 * handle is gone on success and stays on failure. EDEADLK: oneself. EINVAL:
 * detached, or somebody else is joining it. */
WEFT_API int weft_join(struct weft_fiber *, int *result, int64_t deadline);
/* The fiber frees itself when it ends. EINVAL: detached or being joined. */
WEFT_API int weft_detach(struct weft_fiber *);
/* From now on each of its waits fails with ECANCELED. A fiber that has not
 * started never runs; joining it gives -1. May be called on any thread. */
WEFT_API int weft_cancel(struct weft_fiber *);
/* Whether the running fiber is cancelled, shielded or not. */
WEFT_API bool weft_canceled(void);
/* Between these two the fiber may wait in spite of a cancel and of outer
 * deadlines, until the given one: for cleaning up. ENOMEM. */
WEFT_API int weft_shield_begin(int64_t deadline);
WEFT_API void weft_shield_end(void);
/* Ends the running fiber; in the main fiber, the process. */
WEFT_API void weft_exit(int result) __attribute__((__noreturn__));

/* --- waiting */

/* Lets the others run first. */
WEFT_API int weft_yield(void);
/* 0 at that time, never before. */
WEFT_API int weft_sleep(int64_t deadline);
/* Waits for one permit, which weft_unpark gives; permits do not add up.
 * weft_unpark may be called on any thread. */
WEFT_API int weft_park(int64_t deadline);
WEFT_API int weft_unpark(struct weft_fiber *);

/* --- nested deadlines: the smallest wins, a longer inner one extends nothing */

WEFT_API int weft_deadline_push(int64_t deadline);      /* ENOMEM */
WEFT_API void weft_deadline_pop(void);
/* The one in force, or WEFT_NEVER. */
WEFT_API int64_t weft_deadline(void);

/* --- who */

/* NULL only when the thread's loop could not be made. */
WEFT_API struct weft_fiber *weft_self(void);
/* Unique on its thread, never 0. */
WEFT_API uint64_t weft_fiber_id(const struct weft_fiber *);
/* Copied, cut to 31 bytes. A name is "" until it is set. */
WEFT_API int weft_set_name(struct weft_fiber *, const char *);
WEFT_API const char *weft_name(const struct weft_fiber *);

/* --- descriptors that the program owns */

/* Waits until some of WEFT_READABLE | WEFT_WRITABLE is so and returns what is;
 * hang-up and error count as both. EAGAIN (WEFT_NOWAIT), EINVAL (events),
 * EBADF: not open, or closed by weft_fd_close meanwhile. */
WEFT_API int weft_fd_wait(int fd, int events, int64_t deadline);
/* As poll(2), which see: how many have something to tell, or 0 when the time is
 * up; ETIMEDOUT is an enclosing deadline. EINVAL, ENOMEM. */
WEFT_API int weft_poll(struct pollfd *, nfds_t count, int64_t deadline);
/* Wakes every waiter with EBADF, then closes. */
WEFT_API int weft_fd_close(int fd);
/* The same without closing: foreign code is about to close or replace it. */
WEFT_API int weft_fd_forget(int fd);

WEFT_END_DECLS

#include <weft/process.h>
#include <weft/scope.h>

#endif
