/* SPDX-License-Identifier: MIT */
/*
 * tests/check_cancel.c - cancelling, and joins that fail.
 */
#include "config.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/harness.h"
#include "weft/process.h"
#include "weft/scope.h"

static int started;

static int
note_start(void *arg)
{
	(void)arg;
	started++;
	return 5;
}

static int
nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int
error_of(int result)
{
	return result < 0 ? errno : 0;
}

static int
join(struct weft_fiber *fiber)
{
	int result = 12345;

	ck_assert_ok(weft_join(fiber, &result, soon_enough()));
	return result;
}

/* --- cancel */

START_TEST(a_fiber_cancelled_before_it_starts_never_runs_and_gives_minus_one)
{
	struct weft_fiber *fiber = weft_spawn(note_start, NULL);

	started = 0;
	ck_assert_gives(weft_cancel(fiber), 0);
	ck_assert_int_eq(join(fiber), -1);
	ck_assert_int_eq(started, 0);
}
END_TEST

START_TEST(a_cancel_of_a_fiber_that_has_ended_changes_nothing)
{
	struct weft_fiber *fiber = weft_spawn(note_start, NULL);

	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(fiber));
	ck_assert_int_eq(join(fiber), 5);
	fiber = weft_spawn(note_start, NULL);   /* on the same stack */
	ck_assert_int_eq(join(fiber), 5);
	ck_assert_fails(weft_cancel(NULL), EINVAL);
}
END_TEST

static int ends[2];
static struct weft_fiber *other;

static int
in_sleep(void)
{
	return weft_sleep(WEFT_NEVER);
}

static int
in_timed_sleep(void)
{
	return weft_sleep(soon_enough());
}

static int
in_park(void)
{
	return weft_park(WEFT_NEVER);
}

static int
in_fd_wait(void)
{
	return weft_fd_wait(ends[0], WEFT_READABLE, WEFT_NEVER);
}

static int
in_ready_fd_wait(void)
{
	return weft_fd_wait(ends[1], WEFT_WRITABLE, soon_enough());
}

static int
in_join(void)
{
	return weft_join(other, NULL, WEFT_NEVER);
}

static int
in_poll(void)
{
	struct pollfd set = { .fd = ends[0], .events = POLLIN };

	return weft_poll(&set, 1, WEFT_NEVER);
}

static int
park(void *arg)
{
	(void)arg;
	return weft_park(WEFT_NEVER);
}

static int
in_scope_wait(void)
{
	struct weft_scope *scope = weft_scope_open(WEFT_NEVER);
	int error;

	weft_scope_spawn(scope, park, NULL);
	error = error_of(weft_scope_wait(scope, WEFT_NEVER));
	weft_scope_close(scope);
	errno = error;
	return error == 0 ? 0 : -1;
}

static int
in_signal_wait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return weft_signal_wait(&set, NULL, WEFT_NEVER);
}

static pid_t forked;

static int
in_wait_pid(void)
{
	if (forked == 0 && (forked = fork()) == 0)
		for (;;)
			pause();
	return weft_wait_pid(forked, NULL, WEFT_NEVER);
}

static int
nap(void *arg)
{
	static const struct timespec a_while = { .tv_nsec = 200000000 };

	(void)arg;
	return nanosleep(&a_while, NULL);
}

static int
in_offload(void)
{
	return weft_offload(nap, NULL, NULL, WEFT_NEVER);
}

static int
in_yield(void)
{
	return weft_yield();
}

static int
in_nowait(void)
{
	return weft_fd_wait(ends[1], WEFT_WRITABLE, WEFT_NOWAIT);
}

static int
in_permitted_park(void)
{
	weft_unpark(weft_self());
	return weft_park(WEFT_NEVER);
}

static const struct {
	const char *name;
	int (*wait)(void);
	bool parks;
} waits[] = {
	{ "sleep", in_sleep, true },
	{ "timed sleep", in_timed_sleep, true },
	{ "park", in_park, true },
	{ "fd_wait", in_fd_wait, true },
	{ "join", in_join, true },
	{ "poll", in_poll, true },
	{ "scope_wait", in_scope_wait, true },
	{ "signal_wait", in_signal_wait, true },
	{ "wait_pid", in_wait_pid, true },
	{ "offload", in_offload, true },
	{ "yield", in_yield, false },
	{ "fd_wait without waiting", in_nowait, false },
	{ "fd_wait of what is ready", in_ready_fd_wait, false },
	{ "park with a permit", in_permitted_park, false },
};
enum { WAITS = sizeof waits / sizeof *waits };

struct attempt {
	int which, times;
	int errors[3];
};

static int
wait_again_and_again(void *arg)
{
	struct attempt *attempt = arg;

	for (int i = 0; i < attempt->times; i++)
		attempt->errors[i] = error_of(waits[attempt->which].wait());
	return 6;
}

static void
open_pipe(void)
{
	ck_assert_int_eq(pipe(ends), 0);
	other = weft_spawn(nothing, NULL);
}

static void
close_pipe(void)
{
	join(other);
	close(ends[0]);
	close(ends[1]);
	if (forked != 0) {
		kill(forked, SIGKILL);
		waitpid(forked, NULL, 0);
		forked = 0;
	}
}

START_TEST(a_cancel_ends_the_wait_and_every_wait_after_it)
{
	struct attempt for_ever = { .which = 0, .times = 1 };
	struct attempt attempt = { .which = _i, .times = 3 };
	struct weft_fiber *fiber;

	if (!waits[_i].parks)
		return;
	ck_assert_int_eq(pipe(ends), 0);
	other = weft_spawn(wait_again_and_again, &for_ever);
	fiber = weft_spawn(wait_again_and_again, &attempt);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(fiber));
	ck_assert_int_eq(join(fiber), 6);
	for (int i = 0; i < 3; i++)
		ck_assert_msg(attempt.errors[i] == ECANCELED, "%s, number %d: %s",
		    waits[_i].name, i, strerror(attempt.errors[i]));
	ck_assert_ok(weft_cancel(other));
	close_pipe();
}
END_TEST

static int
cancel_myself_and_wait(void *arg)
{
	ck_assert(!weft_canceled());
	ck_assert_ok(weft_cancel(weft_self()));
	ck_assert(weft_canceled());
	return wait_again_and_again(arg);
}

START_TEST(after_a_cancel_calls_fail_even_if_they_would_not_wait)
{
	struct attempt attempt = { .which = _i, .times = 2 };

	open_pipe();
	ck_assert_int_eq(join(weft_spawn(cancel_myself_and_wait, &attempt)), 6);
	for (int i = 0; i < 2; i++)
		ck_assert_msg(attempt.errors[i] == ECANCELED, "%s, number %d: %s",
		    waits[_i].name, i, strerror(attempt.errors[i]));
	close_pipe();
}
END_TEST

START_TEST(a_second_cancel_changes_nothing)
{
	struct attempt attempt = { .which = 0, .times = 2 };
	struct weft_fiber *fiber = weft_spawn(wait_again_and_again, &attempt);

	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(fiber));
	ck_assert_ok(weft_cancel(fiber));
	ck_assert_int_eq(loop_stats().parked, 0);
	ck_assert_int_eq(join(fiber), 6);
	ck_assert_int_eq(attempt.errors[1], ECANCELED);
}
END_TEST

START_TEST(a_cancel_leaves_what_a_wait_had_already_got)
{
	struct attempt attempt = { .which = 2, .times = 2 };
	struct weft_fiber *fiber = weft_spawn(wait_again_and_again, &attempt);

	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_unpark(fiber));
	ck_assert_ok(weft_cancel(fiber));       /* it is ready, not parked */
	join(fiber);
	ck_assert_int_eq(attempt.errors[0], 0);
	ck_assert_int_eq(attempt.errors[1], ECANCELED);
}
END_TEST

START_TEST(the_main_fiber_is_not_cancelled_by_itself)
{
	ck_assert(!weft_canceled());
}
END_TEST

static int
spawn_though_cancelled(void *arg)
{
	weft_cancel(weft_self());
	*(struct weft_fiber **)arg = weft_spawn(note_start, NULL);
	return 0;
}

START_TEST(a_cancel_is_not_inherited)
{
	struct weft_fiber *child = NULL;

	started = 0;
	join(weft_spawn(spawn_though_cancelled, &child));
	ck_assert_ptr_nonnull(child);
	ck_assert_int_eq(join(child), 5);
	ck_assert_int_eq(started, 1);
}
END_TEST

/* --- joins that fail */

static int
join_other(void *arg)
{
	*(int *)arg = error_of(weft_join(other, NULL, WEFT_NEVER));
	return 0;
}

static int
park_once(void *arg)
{
	(void)arg;
	return weft_park(WEFT_NEVER);
}

START_TEST(joining_oneself_is_EDEADLK)
{
	ck_assert_fails(weft_join(weft_self(), NULL, soon_enough()), EDEADLK);
	ck_assert_fails(weft_join(weft_self(), NULL, WEFT_NOWAIT), EDEADLK);
}
END_TEST

START_TEST(joining_nobody_or_the_main_fiber_is_EINVAL)
{
	int error = 0;

	ck_assert_fails(weft_join(NULL, NULL, soon_enough()), EINVAL);
	ck_assert_fails(weft_detach(NULL), EINVAL);
	ck_assert_fails(weft_detach(weft_self()), EINVAL);
	other = weft_self();
	join(weft_spawn(join_other, &error));
	ck_assert_int_eq(error, EINVAL);
}
END_TEST

START_TEST(a_second_joiner_gets_EINVAL_and_the_first_goes_on)
{
	struct weft_fiber *joiner;
	int error = -1;

	other = weft_spawn(park_once, NULL);
	joiner = weft_spawn(join_other, &error);
	ck_assert_ok(weft_yield());
	ck_assert_fails(weft_join(other, NULL, soon_enough()), EINVAL);
	ck_assert_fails(weft_detach(other), EINVAL);
	ck_assert_ok(weft_unpark(other));
	join(joiner);
	ck_assert_int_eq(error, 0);
}
END_TEST

START_TEST(a_detached_fiber_is_not_joined_and_not_detached_again)
{
	struct weft_fiber *fiber = weft_spawn(park_once, NULL);

	ck_assert_ok(weft_detach(fiber));
	ck_assert_fails(weft_detach(fiber), EINVAL);
	ck_assert_fails(weft_join(fiber, NULL, soon_enough()), EINVAL);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_unpark(fiber));
}
END_TEST

START_TEST(a_join_that_times_out_leaves_the_handle)
{
	struct weft_fiber *fiber = weft_spawn(park_once, NULL);

	ck_assert_fails(weft_join(fiber, NULL, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_join(fiber, NULL, weft_after(1)), ETIMEDOUT);
	ck_assert_fails(weft_join(fiber, NULL, weft_after(-1)), ETIMEDOUT);
	ck_assert_ok(weft_unpark(fiber));
	ck_assert_int_eq(join(fiber), 0);
}
END_TEST

START_TEST(a_join_that_is_cancelled_leaves_the_handle)
{
	struct weft_fiber *joiner;
	int error = 0;

	other = weft_spawn(park_once, NULL);
	joiner = weft_spawn(join_other, &error);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(joiner));
	join(joiner);
	ck_assert_int_eq(error, ECANCELED);
	ck_assert_ok(weft_unpark(other));
	ck_assert_int_eq(join(other), 0);
}
END_TEST

static int
cancel_the_joiner_and_end(void *arg)
{
	weft_park(WEFT_NEVER);
	weft_cancel(arg);
	return 9;
}

START_TEST(an_end_wins_over_a_cancel_of_the_joiner)
{
	struct weft_fiber *joiner;
	int error = -1;

	joiner = weft_spawn(join_other, &error);
	other = weft_spawn(cancel_the_joiner_and_end, joiner);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_unpark(other));
	join(joiner);
	/* The handle is gone: a failure would make the caller join again. */
	ck_assert_int_eq(error, 0);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("cancel");
	TCase *tc = test_case(suite, "cancel");

	(void)backend;
	tcase_add_test(tc, a_fiber_cancelled_before_it_starts_never_runs_and_gives_minus_one);
	tcase_add_test(tc, a_cancel_of_a_fiber_that_has_ended_changes_nothing);
	tcase_add_loop_test(tc, a_cancel_ends_the_wait_and_every_wait_after_it, 0, WAITS);
	tcase_add_loop_test(tc, after_a_cancel_calls_fail_even_if_they_would_not_wait,
	    0, WAITS);
	tcase_add_test(tc, a_second_cancel_changes_nothing);
	tcase_add_test(tc, a_cancel_leaves_what_a_wait_had_already_got);
	tcase_add_test(tc, the_main_fiber_is_not_cancelled_by_itself);
	tcase_add_test(tc, a_cancel_is_not_inherited);
	tc = test_case(suite, "join");
	tcase_add_test(tc, joining_oneself_is_EDEADLK);
	tcase_add_test(tc, joining_nobody_or_the_main_fiber_is_EINVAL);
	tcase_add_test(tc, a_second_joiner_gets_EINVAL_and_the_first_goes_on);
	tcase_add_test(tc, a_detached_fiber_is_not_joined_and_not_detached_again);
	tcase_add_test(tc, a_join_that_times_out_leaves_the_handle);
	tcase_add_test(tc, a_join_that_is_cancelled_leaves_the_handle);
	tcase_add_test(tc, an_end_wins_over_a_cancel_of_the_joiner);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
