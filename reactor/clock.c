/* SPDX-License-Identifier: MIT */
/*
 * One clock: CLOCK_MONOTONIC, which the C library reads without a system call.
 * Milliseconds are rounded down here and up where deadlines are made, so that
 * nothing ever wakes early.
 */
#include "config.h"

#include <time.h>

#include "reactor/reactor.h"

int64_t
weft__clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t
weft__clock(void)
{
	int64_t now = weft__clock_ns() / 1000000;

	return now > 0 ? now : 1;       /* 0 is WEFT_NOWAIT */
}
