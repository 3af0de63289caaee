/* SPDX-License-Identifier: MIT */
/* What systems spell differently, for reactor/. */
#ifndef WEFT_REACTOR_COMPAT_H
#define WEFT_REACTOR_COMPAT_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

/* The peer has ended its side. Linux, FreeBSD. */
#if defined(POLLRDHUP) && !defined(WEFT_WITHOUT_POLLRDHUP)
#define WEFT__POLLRDHUP POLLRDHUP
#else
#define WEFT__POLLRDHUP 0
#endif

/* A pair of non-blocking close-on-exec descriptors that carry a wake-up from
 * the second to the first; both may be one (eventfd). -1 with errno. */
int weft__compat_wake_pair(int fds[2]);
/* The same open file at a number above those of the standard streams, which
 * would be taken for them if the program was started without: `fd` itself, if
 * it is. As open(2) returns: -1 passes through, or `fd` is closed. */
int weft__compat_above_standard(int fd);
/* Which file a descriptor is open on, so that it is known again. */
struct weft__file {
	dev_t device;
	ino_t number;
};
void weft__compat_know(int fd, struct weft__file *);
bool weft__compat_is(int fd, const struct weft__file *);
/* getenv, but NULL in a program that runs with somebody else's rights. */
const char *weft__compat_getenv(const char *name);

#endif
