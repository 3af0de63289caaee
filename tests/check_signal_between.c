/* SPDX-License-Identifier: MIT */
/*
 * tests/check_signal_between.c - what is left alone by waits for signals: the program's handlers
 * and masks, and the signals between two waits.
 */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/signals.h"

/* --- what is left alone */

START_TEST(the_old_handler_runs_before_and_after_but_not_during_a_wait)
{
	struct waiting w;
	struct weft_fiber *fiber;

	handle(SIGUSR1);
	raise(SIGUSR1);
	ck_assert_int_eq(handled, 1);
	fiber = start(&w, SIGUSR1, 0);
	raise(SIGUSR1);
	finish(fiber);
	ck_assert_int_eq(handled, 1);
	assert_handler(SIGUSR1, count_handled);
	raise(SIGUSR1);
	ck_assert_int_eq(handled, 2);
}
END_TEST

START_TEST(a_handler_that_was_put_there_meanwhile_stays)
{
	struct waiting w;
	struct weft_fiber *fiber = start(&w, SIGUSR1, SIGUSR2);

	handle(SIGUSR1);
	raise(SIGUSR2);
	finish(fiber);
	assert_handler(SIGUSR1, count_handled);
	assert_handler(SIGUSR2, SIG_DFL);
}
END_TEST

START_TEST(the_handler_stands_until_the_last_wait_has_ended)
{
	struct waiting w[2];
	struct weft_fiber *fibers[2];

	for (int i = 0; i < 2; i++)
		fibers[i] = start(&w[i], SIGUSR1, 0);
	ck_assert_ok(weft_cancel(fibers[0]));
	finish(fibers[0]);
	raise(SIGUSR1);                 /* which would kill us */
	finish(fibers[1]);
	ck_assert_int_eq(w[1].result, SIGUSR1);
	assert_handler(SIGUSR1, SIG_DFL);
}
END_TEST

START_TEST(the_same_signal_twice_before_the_fiber_runs_is_one)
{
	struct waiting w;
	struct weft_fiber *fiber;

	handle(SIGUSR1);
	fiber = start(&w, SIGUSR1, 0);
	raise(SIGUSR1);
	raise(SIGUSR1);
	raise(SIGUSR1);
	finish(fiber);
	ck_assert_int_eq(w.result, SIGUSR1);
	ck_assert_int_eq(handled, 0);
}
END_TEST

START_TEST(another_signal_before_the_fiber_runs_goes_to_the_old_handler)
{
	struct waiting w;
	struct weft_fiber *fiber;

	handle(SIGUSR2);
	fiber = start(&w, SIGUSR1, SIGUSR2);
	raise(SIGUSR1);
	raise(SIGUSR2);
	ck_assert_int_eq(handled, 0);
	finish(fiber);
	ck_assert_int_eq(w.result, SIGUSR1);
	ck_assert_int_eq(handled, 1);
}
END_TEST

START_TEST(another_signal_before_the_fiber_runs_goes_to_the_next_wait)
{
	struct waiting w, other;
	struct weft_fiber *fiber = start(&w, SIGUSR1, SIGUSR2), *next;

	raise(SIGUSR1);
	raise(SIGUSR2);
	next = start(&other, SIGUSR2, 0);
	finish(fiber);
	finish(next);
	ck_assert_int_eq(w.result, SIGUSR1);
	ck_assert_int_eq(other.result, SIGUSR2);
}
END_TEST

/* --- blocked signals: nothing is lost between two waits */

START_TEST(a_blocked_signal_that_is_pending_ends_the_wait_at_once)
{
	sigset_t set = set_of(SIGUSR1, SIGUSR2);
	siginfo_t info;

	block(SIGUSR1);
	raise(SIGUSR1);
	ck_assert_int_eq(weft_signal_wait(&set, &info, WEFT_NOWAIT), SIGUSR1);
	ck_assert_int_eq(info.si_signo, SIGUSR1);
	assert_blocked(SIGUSR1, 1);
	assert_blocked(SIGUSR2, 0);
	ck_assert_fails(weft_signal_wait(&set, NULL, WEFT_NOWAIT), EAGAIN);
	assert_blocked(SIGUSR1, 1);
}
END_TEST

START_TEST(a_blocked_signal_is_unblocked_while_somebody_waits)
{
	struct waiting w[3];
	struct weft_fiber *fibers[3];

	block(SIGUSR1);
	for (int i = 0; i < 3; i++)
		fibers[i] = start(&w[i], SIGUSR1, 0);
	assert_blocked(SIGUSR1, 0);
	for (int i = 0; i < 2; i++) {   /* in the order in which they came */
		ck_assert_ok(weft_cancel(fibers[i]));
		finish(fibers[i]);
		assert_blocked(SIGUSR1, 0);
	}
	ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
	finish(fibers[2]);
	ck_assert_int_eq(w[2].result, SIGUSR1);
	assert_blocked(SIGUSR1, 1);
}
END_TEST

#ifdef SIGRTMIN
/* Where weft has no sigqueue, the values of those that it keeps are lost. */
#ifdef HAVE_SIGQUEUE
#define ck_assert_value(info, i) ck_assert_int_eq((info).si_value.sival_int, i)
#else
#define ck_assert_value(info, i) ck_assert_int_eq((info).si_signo, SIGRTMIN)
#endif

START_TEST(no_queued_signal_is_lost_or_out_of_order_between_waits)
{
	sigset_t set = set_of(SIGRTMIN, 0);
	siginfo_t info;

	block(SIGRTMIN);
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(sigqueue(getpid(), SIGRTMIN,
		    (union sigval){ .sival_int = i }), 0);
	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(weft_signal_wait(&set, &info, WEFT_NOWAIT), SIGRTMIN);
		ck_assert_value(info, i);
	}
	ck_assert_fails(weft_signal_wait(&set, NULL, WEFT_NOWAIT), EAGAIN);
}
END_TEST

START_TEST(a_burst_of_queued_signals_during_a_wait_is_kept)
{
	struct waiting w;
	struct weft_fiber *fiber;
	siginfo_t info;

	block(SIGRTMIN);
	fiber = start(&w, SIGRTMIN, 0);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(sigqueue(getpid(), SIGRTMIN,
		    (union sigval){ .sival_int = i }), 0);
	finish(fiber);
	ck_assert_value(w.info, 0);
	for (int i = 1; i < 20; i++) {
		ck_assert_int_eq(weft_signal_wait(&w.set, &info, WEFT_NOWAIT), SIGRTMIN);
		ck_assert_value(info, i);
	}
}
END_TEST
#endif

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("signal");
	TCase *tc = test_case(suite, backend);

	tcase_add_checked_fixture(tc, NULL, undo);
	tcase_add_test(tc, the_old_handler_runs_before_and_after_but_not_during_a_wait);
	tcase_add_test(tc, a_handler_that_was_put_there_meanwhile_stays);
	tcase_add_test(tc, the_handler_stands_until_the_last_wait_has_ended);
	tcase_add_test(tc, the_same_signal_twice_before_the_fiber_runs_is_one);
	tcase_add_test(tc, another_signal_before_the_fiber_runs_goes_to_the_old_handler);
	tcase_add_test(tc, another_signal_before_the_fiber_runs_goes_to_the_next_wait);
	tcase_add_test(tc, a_blocked_signal_that_is_pending_ends_the_wait_at_once);
	tcase_add_test(tc, a_blocked_signal_is_unblocked_while_somebody_waits);
#ifdef SIGRTMIN
	tcase_add_test(tc, no_queued_signal_is_lost_or_out_of_order_between_waits);
	tcase_add_test(tc, a_burst_of_queued_signals_during_a_wait_is_kept);
#endif
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
