/* SPDX-License-Identifier: MIT */
/*
 * tests/check_udp_wait.c - who waits for a datagram: in order, until a deadline, a
 * cancel, or the end of the socket. Over IPv4 (loop 0) and IPv6 (loop 1).
 */
#include "config.h"

#include <unistd.h>

#include "tests/udp_pair.h"

/* --- the end */

START_TEST(close_wakes_all_who_receive)
{
	struct hearing h[3] = { { .u = NULL } };

	if (!open_two(_i))
		return;
	for (int i = 0; i < 3; i++)
		hear_begin(&h[i], a);
	ck_assert_gives(weft_udp_close(a), 0);
	for (int i = 0; i < 3; i++)
		hear_end(&h[i], -1, EBADF);
	ck_assert_gives(weft_udp_close(a), 0);
	free_two();
}
END_TEST

START_TEST(after_close_everything_is_ebadf)
{
	struct weft_message message = { .data = NULL };

	if (!open_two(_i))
		return;
	ck_assert_ok(weft_udp_close(a));
	ck_assert_fails(send_to(a, "x", 1, &to_b), EBADF);
	ck_assert_fails(weft_udp_receive(a, NULL, 0, NULL, soon_enough()), EBADF);
	ck_assert_fails(weft_udp_send_many(a, &message, 1, soon_enough()), EBADF);
	ck_assert_fails(weft_udp_receive_many(a, &message, 1, soon_enough()), EBADF);
	ck_assert_fails(weft_udp_flush(a, soon_enough()), EBADF);
	ck_assert_fails(weft_udp_bind(a, NULL, "0"), EBADF);
	ck_assert_fails(weft_udp_connect(a, NULL, "1"), EBADF);
	ck_assert_fails(weft_udp_fd(a), EBADF);
	ck_assert_fails(weft_udp_join(a, "224.0.0.1", NULL), EBADF);
	ck_assert_fails(weft_udp_leave(a, "224.0.0.1", NULL), EBADF);
	ck_assert_fails(weft_udp_set(a, WEFT_UDP_TTL, 1), EBADF);
	free_two();
}
END_TEST

START_TEST(one_that_is_freed_lives_until_all_have_left)
{
	struct hearing h[2] = { { .u = NULL } };

	if (!open_two(_i))
		return;
	hear_begin(&h[0], a);
	hear_begin(&h[1], a);
	weft_udp_free(a);
	hear_end(&h[0], -1, EBADF);
	hear_end(&h[1], -1, EBADF);
	weft_udp_free(b);
	weft_udp_free(NULL);
	weft_udp_free(open_udp());
}
END_TEST

START_TEST(a_descriptor_that_is_taken_away_closes_it)
{
	struct hearing h = { .u = NULL };

	if (!open_two(_i))
		return;
	hear_begin(&h, a);
	ck_assert_ok(weft_fd_close(weft_udp_fd(a)));
	hear_end(&h, -1, EBADF);
	ck_assert_fails(send_to(a, "x", 1, &to_b), EBADF);
	ck_assert_fails(weft_udp_fd(a), EBADF);
	free_two();
}
END_TEST

/* --- waiting */

START_TEST(receivers_are_served_in_order)
{
	struct hearing h[3] = { { .u = NULL } };

	if (!open_two(_i))
		return;
	for (int i = 0; i < 3; i++)
		hear_begin(&h[i], a);
	ck_assert_fails(weft_udp_receive(a, NULL, 0, NULL, WEFT_NOWAIT), EAGAIN);
	say_to(b, "0", &to_a);
	say_to(b, "1", &to_a);
	say_to(b, "2", &to_a);
	for (int i = 0; i < 3; i++) {
		hear_end(&h[i], 1, 0);
		ck_assert_int_eq(h[i].bytes[0], '0' + i);
	}
	free_two();
}
END_TEST

START_TEST(a_receiver_who_gives_up_loses_nothing)
{
	struct hearing h[3] = { { .u = NULL } };

	if (!open_two(_i))
		return;
	h[1].call.deadline = weft_after(5);
	for (int i = 0; i < 3; i++)
		hear_begin(&h[i], a);
	hear_end(&h[1], -1, ETIMEDOUT);
	ck_assert_ok(weft_cancel(h[0].call.fiber));
	hear_end(&h[0], -1, ECANCELED);
	say_to(b, "last", &to_a);
	hear_end(&h[2], 4, 0);
	free_two();
}
END_TEST

START_TEST(deadlines_are_kept_and_give_one_try)
{
	if (!open_two(_i))
		return;
	ck_assert_fails(weft_udp_receive(a, NULL, 0, NULL, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_udp_receive(a, NULL, 0, NULL, weft_after(-5)), ETIMEDOUT);
	ck_assert_fails(weft_udp_receive(a, NULL, 0, NULL, weft_after(5)), ETIMEDOUT);
	ck_assert_ok(weft_deadline_push(weft_after(5)));
	ck_assert_fails(weft_udp_receive(a, NULL, 0, NULL, WEFT_NEVER), ETIMEDOUT);
	weft_deadline_pop();
	for (int i = 0; i < 2; i++) {
		char byte;

		say_to(b, "x", &to_a);
		ck_assert_gives(weft_udp_receive(a, &byte, 1, NULL,
		    i ? WEFT_NOWAIT : weft_after(-5)), 1);
	}
	free_two();
}
END_TEST

START_TEST(what_came_in_time_while_the_loop_did_not_look_counts)
{
	struct hearing h = { .u = NULL };

	if (!open_two(_i))
		return;
	h.call.deadline = weft_after(5);
	hear_begin(&h, a);
	say_to(b, "x", &to_a);
	usleep(10000);
	hear_end(&h, 1, 0);
	free_two();
}
END_TEST

START_TEST(nobody_slips_in_before_the_next_in_order)
{
	struct hearing h[2] = { { .u = NULL } };

	if (!open_two(_i))
		return;
	hear_begin(&h[0], a);
	hear_begin(&h[1], a);
	say_to(b, "0", &to_a);
	say_to(b, "1", &to_a);
	yield_until(&h[0].call.done);
	ck_assert_fails(weft_udp_receive(a, NULL, 0, NULL, WEFT_NOWAIT), EAGAIN);
	hear_end(&h[0], 1, 0);
	hear_end(&h[1], 1, 0);
	free_two();
}
END_TEST

static int
all_calls(void *arg)
{
	struct weft_message message = { .data = NULL };

	(void)arg;
	ck_assert_ok(weft_cancel(weft_self()));
	ck_assert_fails(send_to(a, "x", 1, &to_b), ECANCELED);
	ck_assert_fails(weft_udp_receive(a, NULL, 0, NULL, soon_enough()), ECANCELED);
	ck_assert_fails(weft_udp_send_many(a, &message, 1, soon_enough()), ECANCELED);
	ck_assert_fails(weft_udp_receive_many(a, &message, 1, soon_enough()), ECANCELED);
	ck_assert_fails(weft_udp_flush(a, soon_enough()), ECANCELED);
	ck_assert_fails(weft_udp_connect(a, NULL, "1"), ECANCELED);
	return 1;
}

START_TEST(who_is_cancelled_gets_nothing_done)
{
	if (!open_two(_i))
		return;
	ck_assert_int_eq(end(begin(all_calls, NULL)), 1);
	ck_assert_gives(weft_udp_flush(a, WEFT_NOWAIT), 0);
	free_two();
}
END_TEST

static int
send_for_ever(void *stop)
{
	while (!*(volatile int *)stop)
		if (send_to(a, "x", 1, &to_b) < 0)
			return errno;
	return 0;
}

START_TEST(who_always_finds_something_lets_others_run)
{
	struct weft_fiber *fiber;
	int stop = 0;

	if (!open_two(_i))
		return;
	fiber = begin(send_for_ever, &stop);
	for (int i = 0; i < 3; i++)
		ck_assert_ok(weft_yield());
	stop = 1;
	ck_assert_int_eq(end(fiber), 0);
	free_two();
}
END_TEST

START_TEST(only_who_waits_is_known_to_the_poller)
{
	uint64_t before = loop_stats().registrations;
	struct hearing h = { .u = NULL };

	if (!open_two(_i))
		return;
	for (int i = 0; i < 5; i++) {
		say_to(a, "x", &to_b);
		hear(b, "x", NULL);
	}
	ck_assert_uint_eq(loop_stats().registrations, before);
	for (int i = 0; i < 3; i++) {
		h = (struct hearing){ .u = b };
		hear_begin(&h, b);
		say_to(a, "x", &to_b);
		hear_end(&h, 1, 0);
	}
	/* poll(2) has nobody registered for long. */
	if (strcmp(weft_loop_backend(), "poll") != 0)
		ck_assert_uint_eq(loop_stats().registrations, before + 1);
	free_two();
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("udp_wait");
	TCase *tc = test_case(suite, "the end");

	(void)backend;
	BOTH(tc, close_wakes_all_who_receive);
	BOTH(tc, after_close_everything_is_ebadf);
	BOTH(tc, one_that_is_freed_lives_until_all_have_left);
	BOTH(tc, a_descriptor_that_is_taken_away_closes_it);

	tc = test_case(suite, "waiting");
	BOTH(tc, receivers_are_served_in_order);
	BOTH(tc, a_receiver_who_gives_up_loses_nothing);
	BOTH(tc, deadlines_are_kept_and_give_one_try);
	BOTH(tc, what_came_in_time_while_the_loop_did_not_look_counts);
	BOTH(tc, nobody_slips_in_before_the_next_in_order);
	BOTH(tc, who_is_cancelled_gets_nothing_done);
	BOTH(tc, who_always_finds_something_lets_others_run);
	BOTH(tc, only_who_waits_is_known_to_the_poller);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
