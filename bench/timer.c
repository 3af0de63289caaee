/* SPDX-License-Identifier: MIT */
/*
 * bench/timer.c - what deadlines cost.
 *
 *     timer [pending]
 *
 * First the heap alone, empty and with so many others pending (100,000): a
 * deadline set and dropped again, as around a read that succeeds; one that
 * slides, as an idle timeout does; one that is really put in and taken out; all
 * of them fired.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "reactor/reactor.h"

enum { ROUNDS = 1000000 };

static size_t fired;

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void
fire(struct weft__timer *timer)
{
	(void)timer;
	fired++;
}

static void
show(const char *what, size_t pending, double began, size_t count)
{
	printf("%-46s %7zu pending %9.1f ns\n", what, pending,
	    (now_ns() - began) / (double)count);
}

/* As weft__wake does: the heap is to find out. */
static void
drop(struct weft__timer *timer)
{
	timer->deadline = INT64_MAX;
}

static void
set_and_drop(struct weft__timers *timers, struct weft__timer *timer, size_t pending)
{
	double began = now_ns();
	int i;

	for (i = 0; i < ROUNDS; i++) {
		weft__timer_set(timers, timer, 30000);
		drop(timer);
	}
	show("deadline set and dropped", pending, began, ROUNDS);
	weft__timer_remove(timers, timer);
}

/* A clock that runs a millisecond per read: the heap is touched when the old
 * deadline comes up, once per period. */
static void
slide(struct weft__timers *timers, struct weft__timer *timer, size_t pending)
{
	double began = now_ns();
	int64_t clock;
	size_t touched = 0, index;

	for (clock = 1; clock <= ROUNDS; clock++) {
		index = timer->index;
		weft__timer_set(timers, timer, 2000000 + clock + 30000);
		drop(timer);
		touched += timer->index != index;
	}
	show("sliding 30 s timeout, moved every ms", pending, began, ROUNDS);
	printf("%-46s %7zu times in %d moves\n", "  the heap was touched", touched, ROUNDS);
	weft__timer_remove(timers, timer);
}

static void
put_and_take(struct weft__timers *timers, struct weft__timer *timer, size_t pending)
{
	double began = now_ns();
	int i;

	for (i = 0; i < ROUNDS; i++) {
		weft__timer_set(timers, timer, 1 + rand() % 1000000);
		weft__timer_remove(timers, timer);
	}
	show("put into the heap and taken out", pending, began, ROUNDS);
}

static void
measure(size_t pending)
{
	struct weft__timers timers = { .fire = fire };
	struct weft__timer *others = calloc(pending + 1, sizeof *others);
	double began;
	size_t i;

	if (others == NULL || weft__timers_reserve(&timers, pending + 1) < 0) {
		perror("timer");
		exit(1);
	}
	for (i = 0; i <= pending; i++)
		others[i].deadline = INT64_MAX;
	for (i = 1; i <= pending; i++)
		weft__timer_set(&timers, &others[i], 1 + rand() % 1000000);
	set_and_drop(&timers, &others[0], pending);
	slide(&timers, &others[0], pending);
	put_and_take(&timers, &others[0], pending);
	fired = 0;
	began = now_ns();
	weft__timers_expire(&timers, 1000001);
	if (pending > 0)
		show("fired, each", pending, began, pending);
	if (fired != pending)
		printf("WRONG: %zu of %zu fired\n", fired, pending);
	weft__timers_free(&timers);
	free(others);
}

int
main(int argc, char **argv)
{
	srand(1);
	measure(0);
	measure(argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 100000);
	return 0;
}
