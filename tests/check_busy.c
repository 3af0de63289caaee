/* SPDX-License-Identifier: MIT */
/*
 * tests/check_busy.c - waiting while others keep the loop busy, or nobody does.
 */
#include "config.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/waiters.h"

static void
drain(int fd)
{
	static char bytes[65536];

	while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		;
}

static int yields;
static bool stop;

/* What starves the others must not do so for ever: then they are late. */
enum { YIELDS_MAX = 5000000 };

static int
yield_for_ever(void *arg)
{
	(void)arg;
	while (!stop && yields < YIELDS_MAX) {
		ck_assert_ok(weft_yield());
		yields++;
	}
	return 0;
}

START_TEST(input_comes_soon_while_two_fibers_yield_for_ever)
{
	struct weft_fiber *spinners[2];
	struct waiter waiter;
	int before;

	stop = false;
	yields = 0;
	for (int i = 0; i < 2; i++)
		spinners[i] = weft_spawn(yield_for_ever, NULL);
	for (int i = 0; i < 20; i++) {
		start(&waiter, ends[0], WEFT_READABLE);
		ck_assert_ok(weft_yield());
		put_byte(ends[1]);
		before = yields;
		join(&waiter);
		/* Within 64 switches, then once round the queue. */
		ck_assert_int_le(yields - before, 64 + 8);
		drain(ends[0]);
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		ck_assert_ok(weft_join(spinners[i], NULL, soon_enough()));
}
END_TEST

START_TEST(time_goes_on_while_a_fiber_yields_for_ever)
{
	struct weft_fiber *spinner;

	stop = false;
	yields = 0;
	spinner = weft_spawn(yield_for_ever, NULL);
	ck_assert_ok(weft_sleep(weft_after(3)));
	ck_assert_fails(weft_fd_wait(ends[0], WEFT_READABLE, weft_after(3)), ETIMEDOUT);
	stop = true;
	ck_assert_ok(weft_join(spinner, NULL, soon_enough()));
}
END_TEST

static int
sleep_for_0_ms_again_and_again(void *arg)
{
	(void)arg;
	while (!stop && yields < YIELDS_MAX) {
		ck_assert_ok(weft_sleep(weft_now()));
		yields++;
	}
	return 0;
}

START_TEST(input_comes_soon_while_a_timer_of_0_ms_is_set_again_and_again)
{
	struct weft_fiber *sleeper;
	struct waiter waiter;
	int before;

	stop = false;
	yields = 0;
	sleeper = weft_spawn(sleep_for_0_ms_again_and_again, NULL);
	for (int i = 0; i < 20; i++) {
		start(&waiter, ends[0], WEFT_READABLE);
		ck_assert_ok(weft_yield());
		put_byte(ends[1]);
		before = yields;
		join(&waiter);
		ck_assert_int_le(yields - before, 64 + 8);
		drain(ends[0]);
	}
	ck_assert_int_gt(yields, 0);
	stop = true;
	ck_assert_ok(weft_join(sleeper, NULL, soon_enough()));
}
END_TEST

START_TEST(a_loop_that_waits_makes_no_turns)
{
	struct waiter waiter;
	uint64_t turns;

	start(&waiter, ends[0], WEFT_READABLE);
	ck_assert_ok(weft_yield());
	turns = loop_stats().turns;
	ck_assert_ok(weft_sleep(weft_after(20)));
	/* A few: a wait in milliseconds may end one too soon. */
	ck_assert_uint_le(loop_stats().turns, turns + 5);
	put_byte(ends[1]);
	join(&waiter);
}
END_TEST

START_TEST(two_hundred_fibers_wait_for_a_descriptor_each)
{
	enum { MANY = 200 };
	static struct waiter waiters[MANY];
	static int fds[MANY][2];

	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(pipe(fds[i]), 0);
		start(&waiters[i], fds[i][0], WEFT_READABLE);
	}
	ck_assert_ok(weft_yield());
	for (int i = 0; i < MANY; i++)
		put_byte(fds[i * 77 % MANY][1]);
	for (int i = 0; i < MANY; i++) {
		join(&waiters[i]);
		ck_assert_int_eq(waiters[i].result, WEFT_READABLE);
		close(fds[i][0]);
		close(fds[i][1]);
	}
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("busy");
	TCase *tc = test_case_unclean(suite, "busy");

	(void)backend;
	tcase_add_checked_fixture(tc, open_ends, close_ends);
	tcase_add_test(tc, input_comes_soon_while_two_fibers_yield_for_ever);
	tcase_add_test(tc, time_goes_on_while_a_fiber_yields_for_ever);
	tcase_add_test(tc, input_comes_soon_while_a_timer_of_0_ms_is_set_again_and_again);
	tcase_add_test(tc, a_loop_that_waits_makes_no_turns);
	tcase_add_test(tc, two_hundred_fibers_wait_for_a_descriptor_each);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
