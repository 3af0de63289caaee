/* SPDX-License-Identifier: MIT */
/*
 * tests/check_tty_end.c - how processes end that had made their terminal raw,
 * and what becomes of it.
 */
#include "config.h"

#include "tests/pty_jobs.h"
#include "weft/process.h"

static int
raw_and_return(int told)
{
	return go_raw(weft_stdin(), told) == 0 ? 7 : 1;
}

START_TEST(exit_puts_the_terminal_back)
{
	int told;
	pid_t child = start_on(ends[TERMINAL], raw_and_return, &told);

	expect_word(told, 'r');
	ck_assert_exits(child, 7);
	ck_assert(is_as_before());
	close(told);
}
END_TEST

static int
do_nothing(void *arg)
{
	(void)arg;
	return weft_yield();
}

/* _i & 1: it has had fibers, and so a handler for overflows of their stacks. */
static int after_fibers;

static int
raw_for_ever(int told)
{
	struct weft_stream *s = weft_stdin();
	int64_t over = soon_enough();
	char byte;

	if (after_fibers & 1)
		weft_join(weft_spawn(do_nothing, NULL), NULL, soon_enough());
	if (go_raw(s, told) < 0)
		return 1;
	if (after_fibers & 2)
		weft_join(weft_spawn(do_nothing, NULL), NULL, soon_enough());
	say(told, 'w');
	/* Short turns: valgrind has a SIGSEGV that was sent wait for some work to be done. */
	while (weft_now() < over)
		weft_stream_read(s, &byte, 1, weft_after(1));
	return 1;
}

static const int fatal[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGBUS, SIGABRT,
    SIGFPE, SIGPIPE, SIGALRM, SIGUSR1 };
enum { FATAL = sizeof fatal / sizeof *fatal };

START_TEST(a_fatal_signal_puts_the_terminal_back_and_is_fatal)
{
	int told;
	pid_t child;

	after_fibers = _i / FATAL;
	child = start_on(ends[TERMINAL], raw_for_ever, &told);
	expect_word(told, 'r');
	expect_word(told, 'w');
	ck_assert(is_raw(ends[TERMINAL]));
	kill(child, fatal[_i % FATAL]);
	ck_assert_dies(child, fatal[_i % FATAL]);
	ck_assert(is_as_before());
	close(told);
}
END_TEST

#ifndef WEFT_ASAN               /* which makes its own of it */

static int
overflow(void *arg)
{
	volatile char bytes[1024];

	bytes[0] = *(char *)arg;
	return bytes[0] == 1 ? 1 : bytes[0] + overflow((void *)(uintptr_t)bytes);
}

static int
raw_and_overflow(int told)
{
	char byte = 0;

	if (go_raw(weft_stdin(), told) < 0)
		return 1;
	weft_join(weft_spawn(overflow, &byte), NULL, soon_enough());
	return 2;
}

START_TEST(an_overflow_of_a_stack_puts_the_terminal_back)
{
	int told, status;
	pid_t child = start_on(ends[TERMINAL], raw_and_overflow, &told);
	char text[256];

	expect_word(told, 'r');
	status = status_of(child, 0);
	ck_assert(WIFSIGNALED(status) &&
	    (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS));
	ck_assert(is_as_before());
	ck_assert_int_gt(read(ends[CONTROLLER], text, sizeof text), 0);
	ck_assert_msg(strncmp(text, "weft: stack overflow", 20) == 0, "it said \"%.40s\"", text);
	close(told);
}
END_TEST

#endif

static int raw_first;

static int
raw_while_waiting(void *arg)
{
	int told = *(int *)arg;

	if (!raw_first && go_raw(weft_stdin(), told) < 0)
		return 1;
	say(told, 'w');
	return 0;
}

/* While it waits, the signal is its own; then no more. */
static int
wait_for_interrupt(int told)
{
	sigset_t set;
	char byte;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	if (raw_first && go_raw(weft_stdin(), told) < 0)
		return 1;
	if (weft_go(raw_while_waiting, &told) < 0)
		return 2;
	if (weft_signal_wait(&set, NULL, soon_enough()) != SIGINT)
		return 3;
	say(told, 'i');
	weft_stream_read(weft_stdin(), &byte, 1, soon_enough());
	return 4;
}

START_TEST(a_signal_that_is_waited_for_is_not_fatal_until_the_wait_is_over)
{
	int told;
	pid_t child;

	raw_first = _i;
	child = start_on(ends[TERMINAL], wait_for_interrupt, &told);
	expect_word(told, 'r');
	expect_word(told, 'w');
	kill(child, SIGINT);
	expect_word(told, 'i');
	ck_assert(is_raw(ends[TERMINAL]));
	kill(child, SIGINT);
	ck_assert_dies(child, SIGINT);
	ck_assert(is_as_before());
	close(told);
}
END_TEST

static int
fork_and_wait(int told)
{
	int status;
	pid_t child;

	if (go_raw(weft_stdin(), told) < 0)
		return 1;
	child = fork();
	if (child == 0)
		exit(0);
	if (waitpid(child, &status, 0) != child || status != 0 || !is_raw(0))
		return 2;
	child = fork();
	if (child == 0) {
		raise(SIGTERM);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || !is_raw(0))
		return 3;
	return 0;
}

START_TEST(a_child_leaves_the_terminal_to_its_parent)
{
	int told;
	pid_t child = start_on(ends[TERMINAL], fork_and_wait, &told);

	expect_word(told, 'r');
	ck_assert_exits(child, 0);
	ck_assert(is_as_before());
	close(told);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("tty_end");
	TCase *tc = test_case(suite, "ends");

	(void)backend;
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, exit_puts_the_terminal_back);
	tcase_add_loop_test(tc, a_fatal_signal_puts_the_terminal_back_and_is_fatal, 0, 3 * FATAL);
#ifndef WEFT_ASAN
	tcase_add_test(tc, an_overflow_of_a_stack_puts_the_terminal_back);
#endif
	tcase_add_loop_test(tc, a_signal_that_is_waited_for_is_not_fatal_until_the_wait_is_over,
	    0, 2);
	tcase_add_test(tc, a_child_leaves_the_terminal_to_its_parent);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
