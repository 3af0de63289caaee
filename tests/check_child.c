/* SPDX-License-Identifier: MIT */
/*
 * tests/check_child.c - waiting for child processes, by a descriptor of the
 * process and, where that is refused, by SIGCHLD.
 *
 * Linked with -Wl,--wrap=syscall: the descriptor can be refused.
 */
#include "config.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness.h"
#include "weft/process.h"

static bool refused;
static int opened;

#ifdef SYS_pidfd_open
long __real_syscall(long, ...);
long __wrap_syscall(long, ...);

long
__wrap_syscall(long number, ...)
{
	long arguments[3], result;
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 3; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	if (number != SYS_pidfd_open)   /* the double of kqueue makes others */
		return __real_syscall(number, arguments[0], arguments[1], arguments[2]);
	if (refused) {
		errno = ENOSYS;
		return -1;
	}
	result = __real_syscall(number, arguments[0], 0L);
	opened += result >= 0;
	return result;
}
#endif

/* A child that ends with that status after its pipe has been closed. */
static pid_t
child_that_waits(int status, int *hold)
{
	int ends[2];
	pid_t child;
	char byte;

	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		close(ends[1]);
		if (read(ends[0], &byte, 1) < 0)
			_exit(99);
		_exit(status);
	}
	ck_assert_int_gt(child, 0);
	close(ends[0]);
	*hold = ends[1];
	return child;
}

static pid_t
child_that_ends(int status)
{
	pid_t child = fork();

	if (child == 0)
		_exit(status);
	ck_assert_int_gt(child, 0);
	return child;
}

/* Until it is a zombie; it stays one. */
static void
wait_for_end_of(pid_t child)
{
	siginfo_t info;

	ck_assert_int_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
}

struct waiting {
	pid_t pid;
	int64_t deadline;
	int status, result, error;
};

static int
wait_for(void *arg)
{
	struct waiting *w = arg;

	w->result = weft_wait_pid(w->pid, &w->status, w->deadline);
	w->error = w->result < 0 ? errno : 0;
	return w->result;
}

static struct weft_fiber *
start(struct waiting *w, pid_t pid)
{
	struct weft_fiber *fiber;

	*w = (struct waiting){ .pid = pid, .deadline = soon_enough(), .status = -1 };
	fiber = weft_spawn(wait_for, w);
	ck_assert_ok(weft_yield());
	return fiber;
}

static void
finish(struct weft_fiber *fiber)
{
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
}

START_TEST(the_status_comes_when_the_child_ends)
{
	struct waiting w;
	struct weft_fiber *fiber;
	int hold;
	pid_t child = child_that_waits(7, &hold);

	fiber = start(&w, child);
	ck_assert_fails(weft_join(fiber, NULL, weft_after(2)), ETIMEDOUT);
	close(hold);
	finish(fiber);
	ck_assert_int_eq(w.result, 0);
	ck_assert(WIFEXITED(w.status));
	ck_assert_int_eq(WEXITSTATUS(w.status), 7);
	ck_assert_fails(waitpid(child, NULL, WNOHANG), ECHILD);
}
END_TEST

START_TEST(the_main_fiber_may_wait_and_errno_stays)
{
	int status = -1;

	ck_assert_gives(weft_wait_pid(child_that_ends(3), &status, soon_enough()), 0);
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	ck_assert_gives(weft_wait_pid(child_that_ends(3), NULL, soon_enough()), 0);
	ck_assert_gives(weft_wait_pid(child_that_ends(3), NULL, WEFT_NEVER), 0);
}
END_TEST

START_TEST(a_child_that_has_ended_already_needs_no_waiting)
{
	int status = -1;
	pid_t child = child_that_ends(4);

	wait_for_end_of(child);
	ck_assert_gives(weft_wait_pid(child, &status, WEFT_NOWAIT), 0);
	ck_assert_int_eq(WEXITSTATUS(status), 4);
	child = child_that_ends(5);
	wait_for_end_of(child);
	ck_assert_gives(weft_wait_pid(child, &status, weft_after(-1)), 0);
	ck_assert_int_eq(WEXITSTATUS(status), 5);
}
END_TEST

START_TEST(a_child_that_is_killed_tells_the_signal)
{
	struct waiting w;
	struct weft_fiber *fiber;
	int hold;
	pid_t child = child_that_waits(0, &hold);

	fiber = start(&w, child);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	finish(fiber);
	ck_assert(WIFSIGNALED(w.status));
	ck_assert_int_eq(WTERMSIG(w.status), SIGKILL);
	close(hold);
}
END_TEST

START_TEST(a_wait_that_ends_early_leaves_the_child_to_be_waited_for)
{
	struct waiting w;
	struct weft_fiber *fiber;
	int hold, status = 0;
	pid_t child = child_that_waits(6, &hold);

	ck_assert_fails(weft_wait_pid(child, &status, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_wait_pid(child, &status, weft_after(2)), ETIMEDOUT);
	fiber = start(&w, child);
	ck_assert_ok(weft_cancel(fiber));
	finish(fiber);
	ck_assert_int_eq(w.error, ECANCELED);
	close(hold);
	ck_assert_ok(weft_wait_pid(child, &status, soon_enough()));
	ck_assert_int_eq(WEXITSTATUS(status), 6);
}
END_TEST

START_TEST(many_children_are_waited_for_at_once)
{
	enum { CHILDREN = 20 };
	struct weft_fiber *fibers[CHILDREN];
	struct waiting w[CHILDREN];
	int hold[CHILDREN];

	for (int i = 0; i < CHILDREN; i++)
		fibers[i] = start(&w[i], child_that_waits(i, &hold[i]));
	/* No other signal: Check has handlers, and these are copies of it. */
	for (int i = CHILDREN - 1; i >= 0; i--)
		kill(w[i].pid, SIGKILL);
	for (int i = 0; i < CHILDREN; i++) {
		finish(fibers[i]);
		ck_assert_int_eq(w[i].result, 0);
		ck_assert(WIFSIGNALED(w[i].status));
		close(hold[i]);
	}
}
END_TEST

START_TEST(other_children_are_not_touched)
{
	pid_t other = child_that_ends(9), child;
	int status = 0;

	wait_for_end_of(other);
	child = child_that_ends(1);
	ck_assert_ok(weft_wait_pid(child, &status, soon_enough()));
	ck_assert_int_eq(waitpid(other, &status, WNOHANG), other);
	ck_assert_int_eq(WEXITSTATUS(status), 9);
}
END_TEST

START_TEST(what_is_no_child_is_ECHILD)
{
	pid_t child = child_that_ends(0);
	int status = 12345;

	ck_assert_ok(weft_wait_pid(child, NULL, soon_enough()));
	ck_assert_fails(weft_wait_pid(child, &status, soon_enough()), ECHILD);
	ck_assert_fails(weft_wait_pid(getpid(), &status, soon_enough()), ECHILD);
	ck_assert_fails(weft_wait_pid(getppid(), &status, soon_enough()), ECHILD);
	ck_assert_fails(weft_wait_pid(0, &status, soon_enough()), EINVAL);
	ck_assert_fails(weft_wait_pid(-1, &status, soon_enough()), EINVAL);
	ck_assert_fails(weft_wait_pid(-getpid(), &status, soon_enough()), EINVAL);
	ck_assert_int_eq(status, 12345);
}
END_TEST

START_TEST(of_two_who_wait_for_one_child_one_gets_it)
{
	struct waiting w[2];
	struct weft_fiber *fibers[2];
	int hold, got = 0;
	pid_t child = child_that_waits(8, &hold);

	for (int i = 0; i < 2; i++)
		fibers[i] = start(&w[i], child);
	close(hold);
	for (int i = 0; i < 2; i++) {
		finish(fibers[i]);
		got += w[i].result == 0;
		ck_assert(w[i].result == 0 || w[i].error == ECHILD);
	}
	ck_assert_int_eq(got, 1);
}
END_TEST

static volatile sig_atomic_t told;

static void
count_children(int signal)
{
	(void)signal;
	told++;
}

START_TEST(the_programs_handler_hears_of_its_children)
{
	struct sigaction action = { .sa_handler = count_children }, old, now;
	struct waiting w;
	struct weft_fiber *fiber;
	int hold;
	pid_t other;

	ck_assert_int_eq(sigaction(SIGCHLD, &action, &old), 0);
	told = 0;
	fiber = start(&w, child_that_waits(0, &hold));
	other = child_that_ends(0);
	wait_for_end_of(other);
	while (told == 0)
		ck_assert_ok(weft_yield());
	ck_assert_int_eq(waitpid(other, NULL, WNOHANG), other);
	close(hold);
	finish(fiber);
	ck_assert_int_eq(w.result, 0);
	ck_assert_int_eq(sigaction(SIGCHLD, &old, &now), 0);
	ck_assert(now.sa_handler == count_children);
}
END_TEST

static int
wait_for_SIGCHLD(void *unused)
{
	sigset_t set;

	(void)unused;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return weft_signal_wait(&set, NULL, soon_enough());
}

START_TEST(a_signal_wait_for_SIGCHLD_and_a_wait_for_the_child_both_end)
{
	struct waiting w;
	struct weft_fiber *fiber, *other;
	int hold, result = 0;

	fiber = start(&w, child_that_waits(2, &hold));
	other = weft_spawn(wait_for_SIGCHLD, NULL);
	ck_assert_ok(weft_yield());
	close(hold);
	ck_assert_ok(weft_join(other, &result, soon_enough()));
	ck_assert_int_eq(result, SIGCHLD);
	finish(fiber);
	ck_assert_int_eq(WEXITSTATUS(w.status), 2);
}
END_TEST

START_TEST(the_descriptor_is_used_where_there_is_one)
{
	int hold, before = opened;
	pid_t child = child_that_waits(0, &hold);

	ck_assert_fails(weft_wait_pid(child, NULL, weft_after(1)), ETIMEDOUT);
	if (!refused && opened == before)
		fprintf(stderr, "no descriptors of processes here\n");
	ck_assert_int_le(opened, refused ? before : before + 1);
	close(hold);
	ck_assert_ok(weft_wait_pid(child, NULL, soon_enough()));
}
END_TEST

START_TEST(one_of_two_gives_up_and_the_other_is_told_by_one_event)
{
	struct waiting w[2];
	struct weft_fiber *fibers[2];
	struct weft_loop_stats before;
	int hold;
	pid_t child = child_that_waits(3, &hold);

	for (int i = 0; i < 2; i++)
		fibers[i] = start(&w[i], child);
	before = loop_stats();
	ck_assert_ok(weft_cancel(fibers[1]));   /* the other goes on waiting */
	finish(fibers[1]);
	close(hold);
	finish(fibers[0]);
	ck_assert_int_eq(w[0].result, 0);
	ck_assert_int_eq(WEXITSTATUS(w[0].status), 3);
	ck_assert_uint_le(loop_stats().events - before.events, 1);
	ck_assert_uint_eq(loop_stats().stale_events, before.stale_events);
	ck_assert_uint_eq(loop_stats().registrations - before.registrations, 0);
}
END_TEST

static void
refuse(void)
{
	refused = true;
}

static void
allow(void)
{
	refused = false;
}

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, the_status_comes_when_the_child_ends);
	tcase_add_test(tc, the_main_fiber_may_wait_and_errno_stays);
	tcase_add_test(tc, a_child_that_has_ended_already_needs_no_waiting);
	tcase_add_test(tc, a_child_that_is_killed_tells_the_signal);
	tcase_add_test(tc, a_wait_that_ends_early_leaves_the_child_to_be_waited_for);
	tcase_add_test(tc, many_children_are_waited_for_at_once);
	tcase_add_test(tc, other_children_are_not_touched);
	tcase_add_test(tc, what_is_no_child_is_ECHILD);
	tcase_add_test(tc, of_two_who_wait_for_one_child_one_gets_it);
	tcase_add_test(tc, the_programs_handler_hears_of_its_children);
	tcase_add_test(tc, a_signal_wait_for_SIGCHLD_and_a_wait_for_the_child_both_end);
	tcase_add_test(tc, one_of_two_gives_up_and_the_other_is_told_by_one_event);
	tcase_add_test(tc, the_descriptor_is_used_where_there_is_one);
}

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("child");
	TCase *tc;

	(void)backend;
	tc = test_case(suite, "by its descriptor");
	tcase_add_checked_fixture(tc, allow, NULL);
	add_tests(tc);
	tc = test_case(suite, "by SIGCHLD");
	tcase_add_checked_fixture(tc, refuse, allow);
	add_tests(tc);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
