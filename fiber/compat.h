/* SPDX-License-Identifier: MIT */
/*
 * fiber/compat.h - what the systems call the same thing, for fiber/.
 */
#ifndef WEFT_FIBER_COMPAT_H
#define WEFT_FIBER_COMPAT_H

#include <sys/mman.h>

/* Compulsory for stacks on OpenBSD, a hint or nothing elsewhere. */
#ifndef MAP_STACK
#define MAP_STACK 0
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
#ifdef __linux__
#ifdef MADV_GUARD_INSTALL
#define WEFT__GUARD_ADVICE MADV_GUARD_INSTALL
#else
#define WEFT__GUARD_ADVICE 102
#endif
#endif

/* Where the number of mappings that a process may have is written. */
#ifdef __linux__
#define WEFT__MAPS_FILE "/proc/sys/vm/max_map_count"
#endif

/* OpenBSD tells no one which pages are resident. */
#ifndef __OpenBSD__
#define WEFT__HAS_MINCORE 1
#endif

#endif
