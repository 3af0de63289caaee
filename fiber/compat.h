/* SPDX-License-Identifier: MIT */
/*
 * fiber/compat.h - what the systems call the same thing, for fiber/.
 */
#ifndef WEFT_FIBER_COMPAT_H
#define WEFT_FIBER_COMPAT_H

#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/types.h>

/* Compulsory for stacks on OpenBSD, a hint or nothing elsewhere. */
#if defined(MAP_STACK) && !defined(WEFT_WITHOUT_MAP_STACK)
#define WEFT__MAP_STACK MAP_STACK
#else
#define WEFT__MAP_STACK 0
#endif
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

/* "The contents are not needed": on Linux MADV_FREE would leave the pages in
 * the resident set until memory runs short, elsewhere MADV_DONTNEED frees
 * nothing. */
#ifdef __linux__
#define WEFT__DROP_PAGES MADV_DONTNEED
#else
#define WEFT__DROP_PAGES MADV_FREE
#endif

/* Linux 6.13; older ones answer EINVAL. */
#if defined(__linux__) && !defined(WEFT_WITHOUT_MADV_GUARD_INSTALL)
#ifdef MADV_GUARD_INSTALL
#define WEFT__GUARD_ADVICE MADV_GUARD_INSTALL
#else
#define WEFT__GUARD_ADVICE 102
#endif
#ifdef MADV_POPULATE_READ
#define WEFT__READ_ADVICE MADV_POPULATE_READ
#else
#define WEFT__READ_ADVICE 22
#endif
#endif

/* Where the number of mappings that a process may have is written. */
#ifdef __linux__
#define WEFT__MAPS_FILE "/proc/sys/vm/max_map_count"
#endif

/* One more than the highest signal; NSIG does not count all of them on FreeBSD,
 * where the last is 128. */
#define WEFT__SIGNALS 129
/* From here on they queue. OpenBSD and macOS have none that do. */
#ifdef SIGRTMIN
#define WEFT__FIRST_REALTIME SIGRTMIN
#else
#define WEFT__FIRST_REALTIME WEFT__SIGNALS
#endif

/* Takes one that is blocked and pending, without waiting, if there is one and
 * the system can. */
bool weft__compat_take_pending(const sigset_t *, siginfo_t *);
/* To this process, as it came. */
void weft__compat_send_again(const siginfo_t *);
/* A descriptor that becomes readable when the process ends, close-on-exec. -1:
 * not to be had. */
int weft__compat_pidfd(pid_t);

#endif
