/* SPDX-License-Identifier: MIT */
/*
 * tests/check_signal.c - waiting for signals: what comes, how a wait ends otherwise,
 * threads and processes.
 */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/gate.h"
#include "tests/signals.h"

/* --- what comes */

START_TEST(a_signal_ends_the_wait_with_its_number_and_info)
{
	struct waiting w;
	struct weft_fiber *fiber = start(&w, SIGUSR1, SIGUSR2);

	ck_assert_int_eq(kill(getpid(), SIGUSR2), 0);
	finish(fiber);
	ck_assert_int_eq(w.result, SIGUSR2);
	ck_assert_int_eq(w.info.si_signo, SIGUSR2);
	ck_assert_int_eq(w.info.si_pid, getpid());
}
END_TEST

/* The thread sends a signal once the main fiber has parked: by then another
 * fiber runs, and says so. */
static struct gate parked;

static int
say_that_it_has_parked(void *unused)
{
	(void)unused;
	return gate_open(&parked);
}

static void *
kill_once_parked(void *signal)
{
	gate_pass(&parked);
	kill(getpid(), (int)(intptr_t)signal);
	return NULL;
}

static pthread_t
signal_once_parked(int signal)
{
	pthread_t thread;

	gate_close(&parked);
	ck_assert_int_eq(pthread_create(&thread, NULL, kill_once_parked,
	    (void *)(intptr_t)signal), 0);
	ck_assert_ok(weft_go(say_that_it_has_parked, NULL));
	return thread;
}

START_TEST(a_signal_wakes_a_loop_that_sleeps)
{
	sigset_t set = set_of(SIGUSR1, 0);
	pthread_t thread;

	for (int i = 0; i < 20; i++) {
		ignore(SIGUSR1);
		thread = signal_once_parked(SIGUSR1);
		errno = 12345;
		ck_assert_int_eq(weft_signal_wait(&set, NULL, soon_enough()), SIGUSR1);
		ck_assert_int_eq(errno, 12345);
		pthread_join(thread, NULL);
	}
}
END_TEST

static atomic_int striking;

static void *
strike_once_parked(void *thread)
{
	gate_pass(&parked);
	striking = 1;
	pthread_kill(*(pthread_t *)thread, SIGUSR1);
	return NULL;
}

/* Calls nothing meanwhile, and nothing afterwards. */
static int
be_struck(void *unused)
{
	volatile int busy = 5000000;

	(void)unused;
	gate_open(&parked);
	while (!striking)
		;
	while (busy > 0)
		busy--;
	return weft_park(WEFT_NEVER);
}

static int
do_nothing(void *unused)
{
	(void)unused;
	return 0;
}

START_TEST(a_signal_that_strikes_another_fiber_ends_the_wait)
{
	sigset_t set = set_of(SIGUSR1, 0);
	pthread_t here = pthread_self(), thread;
	struct weft_fiber *fiber;

	gate_close(&parked);
	for (int i = 0; i < 20; i++) {
		striking = 0;
		ck_assert_int_eq(pthread_create(&thread, NULL, strike_once_parked, &here), 0);
		fiber = weft_spawn(be_struck, NULL);
		ck_assert_ok(weft_go(do_nothing, NULL));        /* makes the turn */
		ck_assert_int_eq(weft_signal_wait(&set, NULL, soon_enough()), SIGUSR1);
		pthread_join(thread, NULL);
		ck_assert_ok(weft_unpark(fiber));
		ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	}
}
END_TEST

#ifdef SIGRTMIN
START_TEST(a_value_comes_with_a_queued_signal)
{
	struct waiting w;
	struct weft_fiber *fiber = start(&w, SIGUSR1, 0);

	ck_assert_int_eq(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 42 }), 0);
	finish(fiber);
	ck_assert_int_eq(w.info.si_value.sival_int, 42);
}
END_TEST
#endif

START_TEST(all_who_wait_for_a_signal_get_it)
{
	struct waiting w[4];
	struct weft_fiber *fibers[4];

	for (int i = 0; i < 4; i++)
		fibers[i] = start(&w[i], SIGUSR1, i % 2 ? SIGUSR2 : 0);
	ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
	for (int i = 0; i < 4; i++) {
		finish(fibers[i]);
		ck_assert_int_eq(w[i].result, SIGUSR1);
	}
}
END_TEST

static atomic_int waiting_there;

static int
say_that_it_waits(void *unused)
{
	(void)unused;
	waiting_there = 1;
	return 0;
}

static void *
wait_in_a_thread(void *arg)
{
	weft_go(say_that_it_waits, NULL);       /* runs once we have parked */
	wait_for(arg);
	return NULL;
}

START_TEST(loops_of_several_threads_get_it)
{
	struct waiting there = { .set = set_of(SIGUSR1, 0), .deadline = soon_enough() }, w;
	struct weft_fiber *fiber;
	pthread_t thread;

	waiting_there = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_in_a_thread, &there), 0);
	while (!waiting_there && weft_now() < there.deadline)
		ck_assert_ok(weft_yield());
	ck_assert(waiting_there);
	fiber = start(&w, SIGUSR1, 0);
	ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
	finish(fiber);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(w.result, SIGUSR1);
	ck_assert_int_eq(there.result, SIGUSR1);
	assert_handler(SIGUSR1, SIG_DFL);
}
END_TEST

/* --- how a wait ends otherwise */

START_TEST(a_wait_ends_at_its_deadline_and_by_a_cancel)
{
	struct waiting w;
	struct weft_fiber *fiber = start(&w, SIGUSR1, 0);
	sigset_t set = set_of(SIGUSR1, 0);

	ck_assert_fails(weft_signal_wait(&set, NULL, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_signal_wait(&set, NULL, weft_after(2)), ETIMEDOUT);
	ck_assert_fails(weft_signal_wait(&set, NULL, weft_after(-1)), ETIMEDOUT);
	ck_assert_ok(weft_cancel(fiber));
	finish(fiber);
	ck_assert_int_eq(w.result, -1);
	ck_assert_int_eq(w.error, ECANCELED);
	assert_handler(SIGUSR1, SIG_DFL);
}
END_TEST

START_TEST(an_enclosing_deadline_ends_the_wait)
{
	sigset_t set = set_of(SIGUSR1, 0);

	ck_assert_ok(weft_deadline_push(weft_after(1)));
	ck_assert_fails(weft_signal_wait(&set, NULL, WEFT_NEVER), ETIMEDOUT);
	weft_deadline_pop();
}
END_TEST

START_TEST(what_cannot_be_waited_for_is_EINVAL)
{
	static const int never[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	sigset_t set;

	sigemptyset(&set);
	ck_assert_fails(weft_signal_wait(&set, NULL, WEFT_NEVER), EINVAL);
	ck_assert_fails(weft_signal_wait(NULL, NULL, WEFT_NEVER), EINVAL);
	sigfillset(&set);
	ck_assert_fails(weft_signal_wait(&set, NULL, WEFT_NEVER), EINVAL);
	for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
		set = set_of(never[i], SIGUSR1);
		ck_assert_fails(weft_signal_wait(&set, NULL, WEFT_NEVER), EINVAL);
	}
	assert_handler(SIGUSR1, SIG_DFL);
}
END_TEST

START_TEST(a_wait_is_no_deadlock)
{
	struct waiting w;
	struct weft_fiber *fiber = start(&w, SIGUSR1, 0);
	pthread_t thread;

	thread = signal_once_parked(SIGUSR1);
	ck_assert_ok(weft_join(fiber, NULL, WEFT_NEVER));
	ck_assert_fails(weft_park(WEFT_NEVER), EDEADLK);
	pthread_join(thread, NULL);
}
END_TEST

/* --- threads and processes */

static void *
die_waiting(void *arg)
{
	struct waiting *w = arg;
	struct weft_fiber *fiber = weft_spawn(wait_for, w);

	weft_yield();
	return fiber;                   /* which still waits, and is dropped */
}

START_TEST(a_thread_that_ends_takes_its_waits_with_it)
{
	struct waiting w = { .set = set_of(SIGUSR1, 0), .deadline = WEFT_NEVER };
	pthread_t thread;

	handle(SIGUSR1);
	ck_assert_int_eq(pthread_create(&thread, NULL, die_waiting, &w), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	assert_handler(SIGUSR1, count_handled);
	raise(SIGUSR1);
	ck_assert_int_eq(handled, 1);
}
END_TEST

static int
check_child(void)
{
	struct sigaction action;
	struct waiting w;
	struct weft_fiber *fiber;
	sigset_t set;

	if (sigaction(SIGUSR1, NULL, &action) < 0 || action.sa_handler != SIG_DFL)
		return 1;
	if (pthread_sigmask(SIG_BLOCK, NULL, &set) != 0 || !sigismember(&set, SIGUSR1))
		return 2;
	if (weft_loop_after_fork() < 0)
		return 3;
	w = (struct waiting){ .set = set_of(SIGUSR1, 0), .deadline = soon_enough() };
	fiber = weft_spawn(wait_for, &w);
	if (weft_yield() < 0 || raise(SIGUSR1) != 0)
		return 4;
	if (weft_join(fiber, NULL, soon_enough()) < 0)
		return 5;
	return w.result == SIGUSR1 ? 0 : 6;
}

START_TEST(a_forked_child_has_the_old_handlers_and_may_wait)
{
	struct waiting w;
	struct weft_fiber *fiber;
	int status = -1;
	pid_t child;

	block(SIGUSR1);
	fiber = start(&w, SIGUSR1, 0);
	child = fork();
	if (child == 0)
		_exit(check_child());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
	finish(fiber);
	ck_assert_int_eq(w.result, SIGUSR1);
}
END_TEST

static atomic_int storming;

static void *
storm(void *unused)
{
	while (storming) {
		kill(getpid(), SIGUSR1);
		kill(getpid(), SIGUSR2);
		usleep(20);             /* valgrind runs one thread at a time */
	}
	return unused;
}

static int
wait_many_times(void *count)
{
	sigset_t set = set_of(SIGUSR1, SIGUSR2);
	int i;

	for (i = 0; i < 300; i++) {
		int result = weft_signal_wait(&set, NULL, soon_enough());

		ck_assert(result == SIGUSR1 || result == SIGUSR2);
		++*(int *)count;
	}
	return 0;
}

static void *
wait_many_times_there(void *count)
{
	wait_many_times(count);
	return NULL;
}

START_TEST(waits_come_and_go_in_a_storm_of_signals)
{
	int counts[4] = { 0 };
	pthread_t threads[2], noise;
	struct weft_fiber *fibers[2];

	handle(SIGUSR1);
	handle(SIGUSR2);
	storming = 1;
	ck_assert_int_eq(pthread_create(&noise, NULL, storm, NULL), 0);
	for (int i = 0; i < 2; i++) {
		fibers[i] = weft_spawn(wait_many_times, &counts[i]);
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
		    wait_many_times_there, &counts[2 + i]), 0);
	}
	for (int i = 0; i < 2; i++)
		finish(fibers[i]);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	storming = 0;
	ck_assert_int_eq(pthread_join(noise, NULL), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(counts[i], 300);
	assert_handler(SIGUSR1, count_handled);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("signal");
	TCase *tc = test_case(suite, backend);

	tcase_add_checked_fixture(tc, NULL, undo);
	tcase_add_test(tc, a_signal_ends_the_wait_with_its_number_and_info);
	tcase_add_test(tc, a_signal_wakes_a_loop_that_sleeps);
	tcase_add_test(tc, a_signal_that_strikes_another_fiber_ends_the_wait);
#ifdef SIGRTMIN
	tcase_add_test(tc, a_value_comes_with_a_queued_signal);
#endif
	tcase_add_test(tc, all_who_wait_for_a_signal_get_it);
	tcase_add_test(tc, loops_of_several_threads_get_it);
	tcase_add_test(tc, a_wait_ends_at_its_deadline_and_by_a_cancel);
	tcase_add_test(tc, an_enclosing_deadline_ends_the_wait);
	tcase_add_test(tc, what_cannot_be_waited_for_is_EINVAL);
	tcase_add_test(tc, a_wait_is_no_deadlock);
	tcase_add_test(tc, a_thread_that_ends_takes_its_waits_with_it);
	tcase_add_test(tc, a_forked_child_has_the_old_handlers_and_may_wait);
	tcase_add_test(tc, waits_come_and_go_in_a_storm_of_signals);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
