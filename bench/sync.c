/* SPDX-License-Identifier: MIT */
/*
 * bench/sync.c - what it costs fibers to wait for each other.
 *
 *     sync [milliseconds per measurement]
 *
 * The best of many short rounds is shown: noise only adds.
 */
#define _GNU_SOURCE

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <weft/fiber.h>
#include <weft/sync.h>

enum { ROUNDS = 7, BATCH = 10000, BUFFERED = 64 };

static struct weft_mutex mutex;
static struct weft_rwlock rwlock;
static struct weft_semaphore pings, pongs;
static struct weft_channel *channel, *others[3];
static double budget_ns = 500e6;
static void *sum;

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void
must(int ok)
{
	if (!ok) {
		perror("sync");
		exit(EXIT_FAILURE);
	}
}

/* Runs fn in a fiber of its own beside `with`, and waits for both. */
static void
beside(weft_fn *fn, weft_fn *with)
{
	struct weft_fiber *one = weft_spawn(fn, NULL), *other = weft_spawn(with, NULL);

	must(one != NULL && other != NULL);
	must(weft_join(one, NULL, WEFT_NEVER) == 0);
	must(weft_join(other, NULL, WEFT_NEVER) == 0);
}

/* --- what is measured: BATCH operations each */

static void
lock_and_unlock(void)
{
	for (int i = 0; i < BATCH; i++)
		must(weft_mutex_lock(&mutex, WEFT_NEVER) == 0 &&
		    weft_mutex_unlock(&mutex) == 0);
}

static void
read_lock_and_unlock(void)
{
	for (int i = 0; i < BATCH; i++)
		must(weft_rwlock_read_lock(&rwlock, WEFT_NEVER) == 0 &&
		    weft_rwlock_unlock(&rwlock) == 0);
}

/* Once both have waited, each unlock hands the mutex to the other one, and each
 * lock waits to be given it. */
static int
hand_over(void *arg)
{
	(void)arg;
	for (int i = 0; i < BATCH / 2; i++)
		must(weft_mutex_lock(&mutex, WEFT_NEVER) == 0 &&
		    weft_mutex_unlock(&mutex) == 0);
	return 0;
}

static int
hold_until_both_wait(void *arg)
{
	(void)arg;
	must(weft_mutex_lock(&mutex, WEFT_NEVER) == 0);
	must(weft_yield() == 0);
	must(weft_mutex_unlock(&mutex) == 0);
	return hand_over(NULL);
}

static void
hand_off(void)
{
	beside(hold_until_both_wait, hand_over);
}

static int
ping(void *arg)
{
	(void)arg;
	for (int i = 0; i < BATCH / 2; i++)
		must(weft_semaphore_post(&pings) == 0 &&
		    weft_semaphore_wait(&pongs, WEFT_NEVER) == 0);
	return 0;
}

static int
pong(void *arg)
{
	(void)arg;
	for (int i = 0; i < BATCH / 2; i++)
		must(weft_semaphore_wait(&pings, WEFT_NEVER) == 0 &&
		    weft_semaphore_post(&pongs) == 0);
	return 0;
}

static void
ping_pong(void)
{
	beside(ping, pong);
}

static void
send_and_receive_alone(void)
{
	void *item = &mutex;

	for (int i = 0; i < BATCH; i++)
		must(weft_channel_send(channel, &item, WEFT_NEVER) == 0 &&
		    weft_channel_receive(channel, &sum, WEFT_NEVER) == 1);
}

static int
send_all(void *arg)
{
	void *item = &mutex;

	(void)arg;
	for (int i = 0; i < BATCH; i++)
		must(weft_channel_send(channel, &item, WEFT_NEVER) == 0);
	return 0;
}

static int
receive_all(void *arg)
{
	(void)arg;
	for (int i = 0; i < BATCH; i++)
		must(weft_channel_receive(channel, &sum, WEFT_NEVER) == 1);
	return 0;
}

static void
send_and_receive(void)
{
	beside(send_all, receive_all);
}

static int
select_all(void *arg)
{
	struct weft_case cases[4];

	(void)arg;
	for (int i = 0; i < 4; i++)
		cases[i] = (struct weft_case){ .kind = WEFT_CASE_RECEIVE,
		    .channel = i == 0 ? channel : others[i - 1], .item = &sum };
	for (int i = 0; i < BATCH; i++)
		must(weft_select(cases, 4, WEFT_NEVER) == 0);
	return 0;
}

static void
send_and_select(void)
{
	beside(send_all, select_all);
}

/* --- the table */

static void
row(const char *what, void (*pass)(void))
{
	double best = 1e18, spent = 0;

	for (int i = 0; i < ROUNDS || spent < budget_ns; i++) {
		double began = now_ns(), ns;

		pass();
		ns = now_ns() - began;
		spent += ns;
		best = ns < best ? ns : best;
	}
	printf("%-48s %8.1f ns\n", what, best / BATCH);
	fflush(stdout);
}

static void
with_capacity(size_t capacity)
{
	weft_channel_free(channel);
	channel = weft_channel_new(sizeof(void *), capacity);
	must(channel != NULL);
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		budget_ns = atof(argv[1]) * 1e6;
	for (int i = 0; i < 3; i++)
		must((others[i] = weft_channel_new(sizeof(void *), 0)) != NULL);
	row("mutex: lock and unlock", lock_and_unlock);
	row("rwlock: lock for reading and unlock", read_lock_and_unlock);
	row("mutex: hand-off", hand_off);
	row("semaphore: post, wake, wait", ping_pong);
	with_capacity(BUFFERED);
	row("channel of 64: send and receive, one fiber", send_and_receive_alone);
	row("channel of 64: send and receive, two fibers", send_and_receive);
	with_capacity(0);
	row("rendezvous: send and receive", send_and_receive);
	row("rendezvous: send and select among 4", send_and_select);
	weft_channel_free(channel);
	for (int i = 0; i < 3; i++)
		weft_channel_free(others[i]);
	return EXIT_SUCCESS;
}
