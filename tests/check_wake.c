/* SPDX-License-Identifier: MIT */
/*
 * tests/check_wake.c - waking a loop from other threads and signal handlers.
 *
 * Linked with -Wl,--wrap=write: writes to the loop's own descriptor are
 * counted, since a loop that is awake needs none.
 */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "fiber/fiber.h"
#include "tests/gate.h"
#include "tests/harness.h"

enum { THREADS = 4, POSTS = 100000 };

static atomic_int writes;

ssize_t __real_write(int, const void *, size_t);
ssize_t __wrap_write(int, const void *, size_t);

ssize_t
__wrap_write(int fd, const void *data, size_t size)
{
	if (size == sizeof(uint64_t))   /* Check itself writes, too */
		writes++;
	return __real_write(fd, data, size);
}

/* --- the state word */

static struct weft__reactor reactor;

START_TEST(a_loop_that_runs_is_told_without_a_write)
{
	struct weft__wake *wake = &reactor.wake;

	ck_assert_ok(weft__reactor_open(&reactor, NULL));
	writes = 0;
	for (int i = 0; i < 1000; i++)
		weft__wake_send(wake);
	ck_assert_int_eq(writes, 0);
	ck_assert(!weft__wake_sleep(wake));
	weft__wake_rise(wake);
	ck_assert(weft__wake_sleep(wake));
	weft__reactor_close(&reactor);
}
END_TEST

START_TEST(of_many_calls_to_a_sleeping_loop_one_writes)
{
	struct weft__wake *wake = &reactor.wake;

	ck_assert_ok(weft__reactor_open(&reactor, NULL));
	ck_assert(weft__wake_sleep(wake));
	writes = 0;
	for (int i = 0; i < 1000; i++)
		weft__wake_send(wake);
	ck_assert_int_eq(writes, 1);
	weft__reactor_poll(&reactor, -1);       /* returns: it was woken */
	weft__wake_rise(wake);
	ck_assert_uint_eq(reactor.stats.spins, 0);
	/* What was written is gone: nothing is reported twice. */
	weft__reactor_poll(&reactor, 0);
	ck_assert_uint_eq(reactor.stats.events, 1);
	weft__reactor_close(&reactor);
}
END_TEST

/* --- posts */

static int counts[THREADS], total;
static struct weft_fiber *main_fiber;

static void
count(void *arg)
{
	uintptr_t word = (uintptr_t)arg;
	int thread = (int)(word % THREADS), number = (int)(word / THREADS);

	ck_assert_msg(counts[thread] == number,
	    "thread %d: post %d came instead of %d", thread, number, counts[thread]);
	counts[thread]++;
	if (++total == THREADS * POSTS)
		weft_unpark(main_fiber);
}

static struct weft_loop *the_loop;

static void *
post_all(void *arg)
{
	uintptr_t thread = (uintptr_t)arg;

	for (uintptr_t i = 0; i < POSTS; i++)
		ck_assert_ok(weft_post(the_loop, count, (void *)(i * THREADS + thread)));
	return NULL;
}

static void
start_posting(pthread_t threads[THREADS])
{
	main_fiber = weft_self();
	the_loop = weft_loop_self();
	memset(counts, 0, sizeof counts);
	total = 0;
	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, post_all,
		    (void *)i), 0);
}

START_TEST(of_400000_posts_of_4_threads_none_is_lost_and_all_are_in_order)
{
	pthread_t threads[THREADS];

	start_posting(threads);
	ck_assert_ok(weft_park(soon_enough()));
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(counts[i], POSTS);
	}
}
END_TEST

START_TEST(posts_come_to_a_loop_that_is_busy_and_cost_it_no_write)
{
	pthread_t threads[THREADS];
	int64_t deadline = soon_enough();

	writes = 0;
	start_posting(threads);
	while (total < THREADS * POSTS) {
		ck_assert_int_lt(weft_now(), deadline);
		ck_assert_ok(weft_yield());
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_ok(weft_park(WEFT_NOWAIT));
	ck_assert_int_eq(writes, 0);
}
END_TEST

static int pings;

static void
ping(void *arg)
{
	(void)arg;
	pings++;
	weft_unpark(main_fiber);
}

static atomic_int pongs;

static void *
ping_pong(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10000; i++) {
		ck_assert_ok(weft_post(the_loop, ping, NULL));
		while (pongs <= i)
			sched_yield();
	}
	return NULL;
}

/* The loop falls asleep between any two: here a wake-up would be lost. */
START_TEST(ten_thousand_posts_each_to_a_loop_that_falls_asleep)
{
	pthread_t thread;

	main_fiber = weft_self();
	the_loop = weft_loop_self();
	pings = 0;
	pongs = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, ping_pong, NULL), 0);
	for (int i = 0; i < 10000; i++) {
		ck_assert_ok(weft_park(soon_enough()));
		ck_assert_int_eq(pings, i + 1);
		pongs++;
	}
	pthread_join(thread, NULL);
}
END_TEST

static int reposts;

static void
post_again(void *arg)
{
	if (++reposts < 100)
		ck_assert_ok(weft_post(the_loop, post_again, arg));
	else
		weft_unpark(arg);
}

START_TEST(a_post_may_post_and_a_loop_may_post_to_itself)
{
	the_loop = weft_loop_self();
	reposts = 0;
	ck_assert_gives(weft_post(the_loop, post_again, weft_self()), 0);
	ck_assert_int_eq(reposts, 0);
	ck_assert_ok(weft_park(soon_enough()));
	ck_assert_int_eq(reposts, 100);
}
END_TEST

static int
one(void *arg)
{
	*(int *)arg = 1;
	return 0;
}

static void
spawn_it(void *arg)
{
	ck_assert_ok(weft_go(one, arg));
}

START_TEST(a_post_may_spawn)
{
	int done = 0;

	ck_assert_ok(weft_post(weft_loop_self(), spawn_it, &done));
	yield_until(&done);
}
END_TEST

/* --- ends */

static void
unpark_main(void *arg)
{
	weft_unpark(&((struct weft_loop *)arg)->main);
}

static void *
wait_for_one_post(void *opened)
{
	the_loop = weft_loop_self();
	gate_open(opened);
	ck_assert_ok(weft_park(soon_enough()));
	return NULL;
}

/* Whoever posts is not done when the post has been run, and the loop is gone. */
START_TEST(the_last_post_may_end_the_thread)
{
	struct gate opened;
	pthread_t thread;

	gate_close(&opened);
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_one_post, &opened), 0);
		gate_pass(&opened);
		ck_assert_ok(weft_post(the_loop, unpark_main, the_loop));
		pthread_join(thread, NULL);
	}
}
END_TEST

static void *
post_while_cancelled(void *arg)
{
	pthread_cancel(pthread_self());
	weft_post(arg, unpark_main, arg);
	pthread_testcancel();
	return NULL;
}

static int
start_one_that_is_cancelled(void *thread)
{
	return pthread_create(thread, NULL, post_while_cancelled, weft_loop_self());
}

START_TEST(a_thread_that_is_cancelled_wakes_the_loop_first)
{
	pthread_t thread;
	void *result;

	for (int i = 0; i < 100; i++) {
		ck_assert_ok(weft_go(start_one_that_is_cancelled, &thread));
		ck_assert_ok(weft_park(soon_enough()));
		pthread_join(thread, &result);
		ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	}
}
END_TEST

START_TEST(a_post_to_nobody_or_of_nothing_is_EINVAL)
{
	ck_assert_fails(weft_post(NULL, ping, NULL), EINVAL);
	ck_assert_fails(weft_post(weft_loop_self(), NULL, NULL), EINVAL);
}
END_TEST

/* --- signals */

static struct weft__wake *wake_of_loop;
static volatile sig_atomic_t signals;

static void
on_signal(int number)
{
	(void)number;
	signals++;
	weft__wake_send(wake_of_loop);
}

START_TEST(a_signal_handler_may_wake_the_loop_and_keeps_errno)
{
	struct weft_loop *loop = weft_loop_self();

	wake_of_loop = &loop->reactor.wake;
	signals = 0;
	signal(SIGUSR1, on_signal);
	weft__wake_rise(wake_of_loop);
	ck_assert(weft__wake_sleep(wake_of_loop));
	errno = 12345;
	raise(SIGUSR1);
	ck_assert_int_eq(errno, 12345);
	weft__reactor_poll(&loop->reactor, -1);
	weft__wake_rise(wake_of_loop);
	ck_assert_int_eq(signals, 1);
	signal(SIGUSR1, SIG_DFL);
}
END_TEST

static void
do_nothing(int number)
{
	(void)number;
	signals++;
}

static pthread_t target;
static atomic_bool enough;

static void *
send_signals(void *arg)
{
	(void)arg;
	while (!enough) {
		pthread_kill(target, SIGUSR1);
		usleep(200);
	}
	return NULL;
}

START_TEST(signals_neither_shorten_a_wait_nor_come_out_as_EINTR)
{
	struct sigaction action = { .sa_handler = do_nothing };
	pthread_t thread;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	sigaction(SIGUSR1, &action, NULL);      /* without SA_RESTART */
	target = pthread_self();
	enough = false;
	signals = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, send_signals, NULL), 0);
	for (int i = 0; i < 20 || signals == 0; i++) {
		int64_t deadline = weft_after(3);

		ck_assert_ok(weft_sleep(deadline));
		ck_assert_int_ge(weft_now(), deadline);
		ck_assert_fails(weft_fd_wait(ends[0], WEFT_READABLE, weft_after(3)),
		    ETIMEDOUT);
	}
	enough = true;
	pthread_join(thread, NULL);
	signal(SIGUSR1, SIG_DFL);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("wake");
	TCase *tc = test_case(suite, "state");

	(void)backend;
	tcase_add_test(tc, a_loop_that_runs_is_told_without_a_write);
	tcase_add_test(tc, of_many_calls_to_a_sleeping_loop_one_writes);
	tc = test_case(suite, "posts");
	tcase_add_test(tc, of_400000_posts_of_4_threads_none_is_lost_and_all_are_in_order);
	tcase_add_test(tc, posts_come_to_a_loop_that_is_busy_and_cost_it_no_write);
	tcase_add_test(tc, ten_thousand_posts_each_to_a_loop_that_falls_asleep);
	tcase_add_test(tc, a_post_may_post_and_a_loop_may_post_to_itself);
	tcase_add_test(tc, a_post_may_spawn);
	tcase_add_test(tc, a_post_to_nobody_or_of_nothing_is_EINVAL);
	tcase_add_test(tc, the_last_post_may_end_the_thread);
	tcase_add_test(tc, a_thread_that_is_cancelled_wakes_the_loop_first);
	tc = test_case(suite, "signals");
	tcase_add_test(tc, a_signal_handler_may_wake_the_loop_and_keeps_errno);
	tcase_add_test(tc, signals_neither_shorten_a_wait_nor_come_out_as_EINTR);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
