/* SPDX-License-Identifier: MIT */
/*
 * bench/micro_st.c - see micro.h; State Threads. It has no yield: who is to run
 * next is woken, by a condition of its own.
 */
#include <st.h>

#include "micro.h"

static st_cond_t turn[MANY], done, room, more;
static st_mutex_t mutex;
static int ring, finished;
static void *items[CAPACITY];
static unsigned put, taken;

static void *
pass_on(void *arg)
{
	int i = (int)(intptr_t)arg;

	for (;;) {
		st_cond_wait(turn[i]);
		st_cond_signal(turn[(i + 1) % ring]);
	}
	return NULL;
}

static void
run_rings(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		st_cond_signal(turn[1]);
		st_cond_wait(turn[0]);
	}
}

static void
yield_2(void)
{
	run_rings(BATCH / 2);
}

static void
yield_many(void)
{
	run_rings(BATCH / SPAWNS);
}

static void
make_ring(int from, int to)
{
	ring = to;
	for (int i = from; i < to; i++)
		must((turn[i] = st_cond_new()) != NULL);
	for (int i = from == 0 ? 1 : from; i < to; i++)
		must(st_thread_create(pass_on, (void *)(intptr_t)i, 0, 65536) != NULL);
	st_usleep(0);
}

static void *
nothing(void *arg)
{
	if (++finished == SPAWNS)
		st_cond_signal(done);
	return arg;
}

static void
spawn(void)
{
	for (int i = 0; i < BATCH / SPAWNS; i++) {
		finished = 0;
		for (int j = 0; j < SPAWNS; j++)
			must(st_thread_create(nothing, NULL, 0, 65536) != NULL);
		st_cond_wait(done);
	}
}

/* A channel is a ring and two conditions. */
static void *
send_always(void *arg)
{
	for (;;) {
		while (put - taken == CAPACITY)
			st_cond_wait(room);
		items[put++ % CAPACITY] = arg;
		st_cond_signal(more);
	}
	return NULL;
}

static void
receive(void)
{
	void *item;

	for (int i = 0; i < BATCH; i++) {
		while (put == taken)
			st_cond_wait(more);
		item = items[taken++ % CAPACITY];
		st_cond_signal(room);
		must(item == NULL);
	}
}

/* As in micro_weft.c. */
static void *
lock_always(void *arg)
{
	for (;;)
		must(st_mutex_lock(mutex) == 0 && st_mutex_unlock(mutex) == 0);
	return arg;
}

static void
hand_off(void)
{
	for (int i = 0; i < BATCH / 2; i++)
		must(st_mutex_unlock(mutex) == 0 && st_mutex_lock(mutex) == 0);
}

static void
run_rings_until(void)
{
	for (int i = 0; i < BATCH / 2; i++) {
		st_cond_signal(turn[1]);
		must(st_cond_timedwait(turn[0], FAR_S * (st_utime_t)1000000) == 0);
	}
}

static void *
park(void *arg)
{
	st_cond_wait(done);
	return arg;
}

/* With guards each stack is three mappings, and there may be 65,530. */
static void
measure_parked(void)
{
	long count = others < 10000 ? others : 10000;
	double before = resident();

	for (long i = 0; i < count; i++)
		must(st_thread_create(park, NULL, 0, 65536) != NULL);
	st_usleep(0);
	tell("parked", (resident() - before) / (double)count);
}

int
main(int argc, char **argv)
{
	micro_arguments(argc, argv);
	must(st_init() == 0);
	must((done = st_cond_new()) != NULL && (room = st_cond_new()) != NULL &&
	    (more = st_cond_new()) != NULL && (mutex = st_mutex_new()) != NULL);
	tell("spawn", cost(spawn, BATCH));
	make_ring(0, 2);
	tell("yield-2", cost(yield_2, BATCH));
	/* Of the two waits in a round one has a deadline. */
	tell("deadline", (cost(run_rings_until, BATCH) - cost(yield_2, BATCH)) * 2);
	make_ring(2, MANY);
	tell("yield-1000", cost(yield_many, BATCH / SPAWNS * MANY));
	must(st_thread_create(send_always, NULL, 0, 65536) != NULL);
	tell("channel", cost(receive, BATCH));
	must(st_mutex_lock(mutex) == 0 && st_thread_create(lock_always, NULL, 0, 65536) != NULL);
	st_usleep(0);
	tell("mutex", cost(hand_off, BATCH));
	measure_parked();
	return 0;
}
