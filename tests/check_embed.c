/* SPDX-License-Identifier: MIT */
/* A loop inside a program's own: descriptor, timeout, step. */
#include "config.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/harness.h"
#include "weft/fiber.h"
#include "weft/loop.h"

enum { MANY = 16 };

/* As the program's own loop would: 1 if weft has something, 0 if time is up. */
static int
wait_for_weft(int milliseconds)
{
	struct pollfd set[MANY];
	int n = weft_loop_pollfds(set, MANY);

	ck_assert_int_ge(n, 1);
	ck_assert_int_le(n, MANY);
	return poll(set, (nfds_t)n, milliseconds) > 0;
}

static int
count(void *counter)
{
	++*(int *)counter;
	return 0;
}

static void
post_count(void *counter)
{
	count(counter);
}

START_TEST(a_step_with_nothing_to_do_is_0)
{
	ck_assert_int_eq(weft_loop_step(), 0);
	ck_assert_int_eq(weft_loop_step(), 0);
}
END_TEST

static int
count_twice(void *counter)
{
	count(counter);
	weft_yield();
	return count(counter);
}

START_TEST(a_step_runs_everybody_who_is_ready_once)
{
	int counter = 0;

	ck_assert_ok(weft_go(count_twice, &counter));
	ck_assert_ok(weft_go(count_twice, &counter));
	ck_assert_int_eq(weft_loop_step(), 1);
	ck_assert_int_eq(counter, 2);
	ck_assert_int_eq(weft_loop_step(), 1);
	ck_assert_int_eq(counter, 4);
	ck_assert_int_eq(weft_loop_step(), 0);
}
END_TEST

START_TEST(the_timeout_says_whether_there_is_work_a_timer_or_nothing)
{
	int counter = 0, timeout;
	struct weft_fiber *sleeper;

	ck_assert_int_eq(weft_loop_timeout(), -1);
	ck_assert_ok(weft_go(count, &counter));
	ck_assert_int_eq(weft_loop_timeout(), 0);
	ck_assert_int_eq(weft_loop_step(), 1);
	sleeper = weft_spawn(count_twice, &counter);
	ck_assert_ok(weft_cancel(sleeper));
	ck_assert_ok(weft_join(sleeper, NULL, WEFT_NEVER));
	timeout = weft_loop_timeout();
	ck_assert_int_eq(timeout, -1);
}
END_TEST

static int
sleep_until(void *deadline)
{
	return weft_sleep(*(int64_t *)deadline);
}

START_TEST(the_timeout_reaches_to_the_next_timer)
{
	int64_t deadline = weft_after(5000);
	struct weft_fiber *sleeper = weft_spawn(sleep_until, &deadline);
	int timeout;

	ck_assert_int_eq(weft_loop_step(), 1);
	timeout = weft_loop_timeout();
	ck_assert_int_gt(timeout, 3000);
	ck_assert_int_le(timeout, 5001);
	ck_assert_ok(weft_cancel(sleeper));
	ck_assert_ok(weft_join(sleeper, NULL, WEFT_NEVER));
}
END_TEST

START_TEST(timers_fire_in_steps)
{
	int64_t deadline = weft_after(30);
	struct weft_fiber *sleeper = weft_spawn(sleep_until, &deadline);
	int result = -1, steps = 0;

	while (weft_join(sleeper, &result, WEFT_NOWAIT) < 0) {
		ck_assert_int_eq(errno, EAGAIN);
		wait_for_weft(weft_loop_timeout());
		weft_loop_step();
		ck_assert_int_lt(++steps, 100);
	}
	ck_assert_int_eq(result, 0);
	ck_assert_int_ge(weft_now(), deadline);
}
END_TEST

static int
wait_readable(void *fd)
{
	return weft_fd_wait(*(int *)fd, WEFT_READABLE, WEFT_NEVER);
}

START_TEST(a_descriptor_that_gets_ready_makes_weft_ready)
{
	int ends[2], result = -1;
	struct weft_fiber *waiter;

	ck_assert_ok(pipe(ends));
	waiter = weft_spawn(wait_readable, &ends[0]);
	weft_loop_step();
	while (weft_loop_timeout() == 0)
		weft_loop_step();
	ck_assert_int_eq(wait_for_weft(0), 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(wait_for_weft(10000), 1);
	while (weft_join(waiter, &result, WEFT_NOWAIT) < 0)
		weft_loop_step();
	ck_assert_int_eq(result, WEFT_READABLE);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

struct other {
	struct weft_loop *loop;
	int counter;
};

static void *
post_from_thread(void *arg)
{
	struct other *other = arg;

	weft_post(other->loop, post_count, &other->counter);
	return NULL;
}

START_TEST(a_post_from_another_thread_makes_weft_ready)
{
	struct other other = { weft_loop_self(), 0 };
	pthread_t thread;
	int i;

	for (i = 1; i <= 100; i++) {
		while (weft_loop_timeout() == 0)
			weft_loop_step();
		ck_assert_int_eq(pthread_create(&thread, NULL, post_from_thread, &other), 0);
		ck_assert_int_eq(wait_for_weft(10000), 1);
		pthread_join(thread, NULL);
		weft_loop_step();
		ck_assert_int_eq(other.counter, i);
	}
}
END_TEST

START_TEST(the_fiber_that_steps_may_wait_itself)
{
	int64_t deadline = weft_after(20);
	int counter = 0;

	ck_assert_int_eq(weft_loop_step(), 0);
	weft_loop_timeout();
	ck_assert_ok(weft_go(count, &counter));
	ck_assert_ok(weft_sleep(deadline));
	ck_assert_int_eq(counter, 1);
	ck_assert_int_eq(weft_loop_step(), 0);
}
END_TEST

START_TEST(the_descriptor_is_there_except_with_poll)
{
	struct pollfd set[1] = { { .fd = -7 } };
	int n;

	if (strcmp(weft_loop_backend(), "poll") == 0) {
		ck_assert_int_eq(weft_loop_fd(), -1);
		ck_assert_int_eq(errno, ENOTSUP);
	} else {
		n = weft_loop_pollfds(set, 1);
		ck_assert_int_eq(n, 1);
		ck_assert_int_eq(set[0].fd, weft_loop_fd());
		ck_assert_int_eq(set[0].events, POLLIN);
	}
	set[0].fd = -7;
	n = weft_loop_pollfds(set, 0);
	ck_assert_int_ge(n, 1);
	ck_assert_int_eq(set[0].fd, -7);
	errno = 0;
	ck_assert_int_eq(weft_loop_pollfds(set, -1), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("embed");
	TCase *tc = test_case(suite, backend);

	tcase_add_test(tc, a_step_with_nothing_to_do_is_0);
	tcase_add_test(tc, a_step_runs_everybody_who_is_ready_once);
	tcase_add_test(tc, the_timeout_says_whether_there_is_work_a_timer_or_nothing);
	tcase_add_test(tc, the_timeout_reaches_to_the_next_timer);
	tcase_add_test(tc, timers_fire_in_steps);
	tcase_add_test(tc, a_descriptor_that_gets_ready_makes_weft_ready);
	tcase_add_test(tc, a_post_from_another_thread_makes_weft_ready);
	tcase_add_test(tc, the_fiber_that_steps_may_wait_itself);
	tcase_add_test(tc, the_descriptor_is_there_except_with_poll);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
