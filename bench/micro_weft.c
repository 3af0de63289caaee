/* SPDX-License-Identifier: MIT */
/*
 * bench/micro_weft.c - see micro.h.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/wait.h>
#include <weft.h>

#include "micro.h"

static struct weft_fiber *self;
static struct weft_channel *channel;
static struct weft_mutex mutex;

static int
yield_always(void *arg)
{
	for (;;)
		weft_yield();
	return arg == NULL;
}

static void
yield_2(void)
{
	for (int i = 0; i < BATCH / 2; i++)
		weft_yield();
}

static void
yield_many(void)
{
	for (int i = 0; i < BATCH / SPAWNS; i++)
		weft_yield();
}

static int
nothing(void *arg)
{
	return arg == NULL;
}

static void
spawn(void)
{
	for (int i = 0; i < BATCH / SPAWNS; i++) {
		for (int j = 0; j < SPAWNS; j++)
			weft_go(nothing, NULL);
		weft_yield();
	}
}

static int
send_always(void *arg)
{
	for (;;)
		must(weft_channel_send(channel, &arg, WEFT_NEVER) == 0);
	return 0;
}

static void
receive(void)
{
	void *item;

	for (int i = 0; i < BATCH; i++)
		must(weft_channel_receive(channel, &item, WEFT_NEVER) == 1);
}

/* Once both have waited, each unlock hands the mutex to the other one, and each
 * lock waits to be given it. */
static int
lock_always(void *arg)
{
	for (;;)
		must(weft_mutex_lock(&mutex, WEFT_NEVER) == 0 && weft_mutex_unlock(&mutex) == 0);
	return arg == NULL;
}

static void
hand_off(void)
{
	for (int i = 0; i < BATCH / 2; i++)
		must(weft_mutex_unlock(&mutex) == 0 && weft_mutex_lock(&mutex, WEFT_NEVER) == 0);
}

static int
unpark_always(void *arg)
{
	for (;;) {
		weft_unpark(self);
		weft_yield();
	}
	return arg == NULL;
}

static void
park(void)
{
	for (int i = 0; i < BATCH; i++)
		must(weft_park(WEFT_NEVER) == 0);
}

static void
park_until(void)
{
	for (int i = 0; i < BATCH; i++)
		must(weft_park(weft_after(FAR_S * 1000)) == 0);
}

static int
park_long(void *arg)
{
	return weft_park(weft_after(2 * FAR_S * 1000 + rand() % 100000)) + (arg == NULL);
}

/* In a process of its own, so that the next is not among the fibers of the last. */
static void
in_child(void (*measure)(void))
{
	pid_t child = fork();

	must(child >= 0);
	if (child > 0) {
		int status;

		must(waitpid(child, &status, 0) == child && status == 0);
		return;
	}
	self = weft_self();
	measure();
	_exit(0);
}

static void
measure_yield_2(void)
{
	weft_go(yield_always, NULL);
	tell("yield-2", cost(yield_2, BATCH));
}

static void
measure_yield_many(void)
{
	for (int i = 1; i < MANY; i++)
		weft_go(yield_always, NULL);
	tell("yield-1000", cost(yield_many, BATCH / SPAWNS * MANY));
}

static void
measure_spawn(void)
{
	tell("spawn", cost(spawn, BATCH));
}

static void
measure_channel(void)
{
	channel = weft_channel_new(sizeof(void *), CAPACITY);
	must(channel != NULL && weft_go(send_always, NULL) == 0);
	tell("channel", cost(receive, BATCH));
}

static void
measure_mutex(void)
{
	must(weft_mutex_lock(&mutex, WEFT_NEVER) == 0 && weft_go(lock_always, NULL) == 0);
	weft_yield();
	tell("mutex", cost(hand_off, BATCH));
}

/* What a deadline adds to a wait. */
static void
measure_deadline(void)
{
	weft_go(unpark_always, NULL);
	tell("deadline", cost(park_until, BATCH) - cost(park, BATCH));
}

static void
measure_deadline_many(void)
{
	for (long i = 0; i < others; i++)
		must(weft_go(park_long, NULL) == 0);
	weft_yield();
	weft_go(unpark_always, NULL);
	tell("deadline-100k", cost(park_until, BATCH) - cost(park, BATCH));
}

static void
measure_parked(void)
{
	double before = resident();

	for (long i = 0; i < others; i++)
		must(weft_go(park_long, NULL) == 0);
	weft_yield();
	tell("parked", (resident() - before) / (double)others);
}

int
main(int argc, char **argv)
{
	micro_arguments(argc, argv);
	in_child(measure_yield_2);
	in_child(measure_yield_many);
	in_child(measure_spawn);
	in_child(measure_channel);
	in_child(measure_mutex);
	in_child(measure_deadline);
	in_child(measure_deadline_many);
	in_child(measure_parked);
	return 0;
}
