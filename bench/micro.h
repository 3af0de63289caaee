/* SPDX-License-Identifier: MIT */
/*
 * The frame of the programs that "make bench-micro" compares: each says what an
 * operation of one library costs, a line for each: operation, nanoseconds (or
 * bytes).
 *
 *      micro_NAME [milliseconds for each [others]]
 *
 * others: how many other fibers wait with deadlines, or are parked (100,000).
 * The best of many short passes is shown: noise only adds.
 */
#ifndef WEFT_BENCH_MICRO_H
#define WEFT_BENCH_MICRO_H

#include <time.h>
#include <unistd.h>

#include "server.h"

enum { BATCH = 10000, MANY = 1000, SPAWNS = 100, PASSES = 5, CAPACITY = 64, FAR_S = 60 };

static double milliseconds = 200;
static long others = 100000;

static inline void
micro_arguments(int argc, char **argv)
{
	if (argc > 1)
		milliseconds = atof(argv[1]);
	if (argc > 2)
		others = atol(argv[2]);
}

static inline void
must(int good)
{
	if (!good) {
		perror("micro");
		exit(1);
	}
}

static inline double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline void
tell(const char *operation, double value)
{
	printf("%s %.1f\n", operation, value);
	fflush(stdout);
}

/* Nanoseconds of one of the `count` operations of a pass. */
static inline double
cost(void (*pass)(void), int count)
{
	double best = 1e18, spent = 0, began, ns;
	int i;

	for (i = 0; i < PASSES || spent < milliseconds * 1e6; i++) {
		began = now_ns();
		pass();
		ns = now_ns() - began;
		spent += ns;
		best = ns < best ? ns : best;
	}
	return best / count;
}

static inline double
resident(void)
{
	return (double)(server_kilobytes(getpid(), "status", "VmRSS:") +
	    server_kilobytes(getpid(), "status", "VmPTE:"));
}

#endif
