/* SPDX-License-Identifier: MIT */
/*
 * weft/base.h - what every other header of weft stands on.
 *
 * Deadlines are absolute: milliseconds of the monotonic loop clock, always the
 * last argument of whatever may block. weft_after(3) makes one.
 */
#ifndef WEFT_BASE_H
#define WEFT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
#define WEFT_BEGIN_DECLS extern "C" {
#define WEFT_END_DECLS }
#else
#define WEFT_BEGIN_DECLS
#define WEFT_END_DECLS
#endif

#if defined(__GNUC__) || defined(__clang__)
#define WEFT_API __attribute__((__visibility__("default")))
#define WEFT_FORMAT(at, first) __attribute__((__format__(__printf__, at, first)))
#else
#define WEFT_API
#define WEFT_FORMAT(format, first)
#endif

/* A deadline that never comes. */
#define WEFT_NEVER ((int64_t)-1)
/* Try, and fail with EAGAIN rather than park. */
#define WEFT_NOWAIT ((int64_t)0)

/* Readiness, as a set of bits (weft_fd_wait, weft_select). */
#define WEFT_READABLE 1
#define WEFT_WRITABLE 2

/* --- the library's own: what public structures are made of */

struct weft_fiber;

/* The place of a fiber in a queue. */
struct weft__node {
	struct weft__node *next, *previous;     /* while queued */
	struct weft_fiber *fiber;
	bool queued;
	bool chosen;            /* taken off by the one who ends the wait */
};

/* Parked fibers, first come, first served; all zero is empty. */
struct weft__queue {
	struct weft__node *first, *last;
};

/* Somebody who is told once what has happened to a descriptor: the events, or
 * minus an errno when it is lost. */
struct weft__waiter {
	struct weft__waiter *next, *previous;   /* while it waits */
	void (*ready)(struct weft__waiter *, int events);
	int events;                             /* what it waits for */
};

#endif
