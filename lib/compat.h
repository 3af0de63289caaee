/* SPDX-License-Identifier: MIT */
/*
 * lib/compat.h - what systems and compilers do not agree on, for all of lib/.
 *
 * SIGPIPE. A library must not let a write kill its program, nor change what
 * the program does with the signal. Sockets have MSG_NOSIGNAL for that. Where
 * it is missing, and for pipes everywhere, the writer holds the signal back:
 *
 *     weft__sigpipe_hold(&held);
 *     n = write(...);
 *     weft__sigpipe_release(&held);
 *
 * after which one that the write raised is gone, one that was pending before
 * is pending still, and errno is that of the write.
 */
#ifndef WEFT_LIB_COMPAT_H
#define WEFT_LIB_COMPAT_H

#include <sys/socket.h>

#include <signal.h>
#include <stdbool.h>

/* Code that only failures run: kept out of line and out of the way. */
#if defined(__GNUC__) || defined(__clang__)
#define WEFT__COLD __attribute__((cold, noinline))
#else
#define WEFT__COLD
#endif

#ifdef MSG_NOSIGNAL
#define WEFT__NOSIGNAL MSG_NOSIGNAL
#define WEFT__SOCKETS_RAISE_SIGPIPE 0
#else
#define WEFT__NOSIGNAL 0
#define WEFT__SOCKETS_RAISE_SIGPIPE 1
#endif

struct weft__sigpipe {
	sigset_t mask; /* the thread's own, to go back to; only if held */
	bool held;     /* false: one was pending already, so more change nothing */
};

/* compat.c */
void weft__sigpipe_hold(struct weft__sigpipe *);
void weft__sigpipe_release(struct weft__sigpipe *);

#endif
