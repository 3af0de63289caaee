/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stdio_exit.c - what becomes of what is queued in the standard
 * output: at exit, in a child, and at the end of a thread.
 */
#include "config.h"

#include <pthread.h>

#include "tests/gate.h"
#include "tests/pty.h"
#include "tests/streams.h"
#include "tests/under_valgrind.h"
#include "weft/tty.h"

enum { LENGTH = 500000 };

static int out[2];              /* the process writes to out[1] */

static void
setup(void)
{
	ck_assert_int_eq(pipe(out), 0);
}

static void
teardown(void)
{
	close(out[0]);
}

/* Starts it, and has its end of the pipe no more. */
static pid_t
start(int (*fn)(int), int *told)
{
	pid_t child = start_with((const int[3]){ -1, out[1], out[1] }, -1, fn, told);

	close(out[1]);
	return child;
}

/* More than the pipe takes. Returns whether something is left for later. */
static bool
queue(struct weft_stream *s, unsigned seed)
{
	char *bytes = malloc(LENGTH);

	for (size_t i = 0; i < LENGTH; i++)
		bytes[i] = (char)(i * seed >> 8);
	weft_stream_set_watermarks(s, 0, LENGTH);
	if (weft_stream_write(s, bytes, LENGTH, soon_enough()) != LENGTH)
		_exit(90);
	free(bytes);
	return weft_stream_queued(s) > 0;
}

static void
expect_queued(unsigned seed)
{
	char *bytes = malloc(LENGTH), piece[4096];
	size_t have = 0, wrong = 0;
	ssize_t n;

	while (have < LENGTH && (n = read(out[0], piece, LENGTH - have < sizeof piece ?
	    LENGTH - have : sizeof piece)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			wrong += piece[i] != (char)((have + (size_t)i) * seed >> 8);
		have += (size_t)n;
	}
	ck_assert_uint_eq(have, LENGTH);
	ck_assert_uint_eq(wrong, 0);
	free(bytes);
}

static void
expect_end(void)
{
	char byte;

	ck_assert_int_eq(read(out[0], &byte, 1), 0);
}

/* --- exit */

static int
return_with_a_queue(int told)
{
	say(told, queue(weft_stdout(), 77) ? 'q' : '-');
	return 0;
}

START_TEST(exit_sends_what_is_queued)
{
	int told;
	pid_t child = start(return_with_a_queue, &told);

	expect_word(told, 'q');
	expect_queued(77);
	expect_end();
	ck_assert_exits(child, 0);
	close(told);
}
END_TEST

static int
coalesce_and_return(int told)
{
	weft_stream_set_coalescing(weft_stdout(), true);
	if (weft_stream_printf(weft_stdout(), soon_enough(), "%s", "one ") != 4 ||
	    weft_stream_printf(weft_stderr(), soon_enough(), "%s", "two ") != 4)
		return 1;
	say(told, weft_stream_queued(weft_stdout()) == 4 ? '4' : '-');
	return 0;
}

START_TEST(exit_sends_what_was_coalesced)
{
	char text[16] = "";
	int told;
	pid_t child = start(coalesce_and_return, &told);

	expect_word(told, '4');
	ck_assert_exits(child, 0);
	ck_assert_int_eq(read(out[0], text, sizeof text), 8);
	ck_assert_str_eq(text, "two one ");
	close(told);
}
END_TEST

static int
exit_with_3(void *arg)
{
	queue(weft_stdout(), 78);
	say(*(int *)arg, 'e');
	exit(3);
}

static int
exit_in_a_fiber(int told)
{
	return weft_join(weft_spawn(exit_with_3, &told), NULL, soon_enough());
}

START_TEST(exit_in_a_fiber_sends_it_too)
{
	int told;
	pid_t child = start(exit_in_a_fiber, &told);

	expect_word(told, 'e');
	expect_queued(78);
	expect_end();
	ck_assert_exits(child, 3);
	close(told);
}
END_TEST

static int
leave_with_a_queue(int told)
{
	say(told, queue(weft_stdout(), 77) ? 'q' : '-');
	_exit(0);
}

START_TEST(_exit_sends_nothing)
{
	int told;
	pid_t child = start(leave_with_a_queue, &told);
	size_t have = 0;
	char piece[4096];
	ssize_t n;

	expect_word(told, 'q');
	ck_assert_exits(child, 0);
	while ((n = read(out[0], piece, sizeof piece)) > 0)
		have += (size_t)n;
	ck_assert_uint_lt(have, LENGTH);
	close(told);
}
END_TEST

static int
return_to_nobody(int told)
{
	say(told, queue(weft_stdout(), 79) ? 'q' : '-');
	return weft_sleep(weft_after(20));
}

START_TEST(exit_ends_when_nobody_reads)
{
	int told;
	pid_t child = start(return_to_nobody, &told);

	expect_word(told, 'q');
	close(out[0]);
	ck_assert_exits(child, 0);
	close(told);
	out[0] = open("/dev/null", O_RDONLY);
}
END_TEST

/* --- fork */

static int
fork_with_a_queue(int told)
{
	struct weft_stream *s = weft_stdout();
	bool queued = queue(s, 80);
	int status;
	pid_t child;

	child = fork();
	if (child == 0)
		exit(0);
	say(told, queued ? 'q' : '-');
	if (waitpid(child, &status, 0) != child || status != 0)
		return 1;
	/* After which the child says something of its own. */
	if (weft_stream_flush(s, soon_enough()) < 0)
		return 2;
	child = fork();
	if (child == 0) {
		if (weft_loop_after_fork() < 0 || weft_stdout() != s)
			_exit(1);
		weft_stream_set_coalescing(s, true);
		exit(weft_stream_write(s, "child", 5, soon_enough()) != 5);
	}
	return waitpid(child, &status, 0) == child && status == 0 ? 0 : 3;
}

START_TEST(a_child_does_not_send_what_is_its_parents)
{
	char text[8] = "";
	int told;
	pid_t child = start(fork_with_a_queue, &told);

	expect_word(told, 'q');
	expect_queued(80);
	ck_assert_int_eq(read(out[0], text, sizeof text), 5);
	ck_assert_str_eq(text, "child");
	expect_end();
	ck_assert_exits(child, 0);
	close(told);
}
END_TEST

/* --- threads */

static void *
use_in_thread(void *arg)
{
	int *result = arg;

	*result = weft_stdout() == NULL ? errno : 0;
	if (*result == 0)
		queue(weft_stdout(), 81);
	return NULL;
}

static int
run_thread(void)
{
	pthread_t thread;
	int result = -1;

	if (pthread_create(&thread, NULL, use_in_thread, &result) != 0)
		_exit(91);
	pthread_join(thread, NULL);
	return result;
}

static int
use_threads(int told)
{
	/* Ended, the first thread has sent all, and it can be had again. */
	if (run_thread() != 0)
		return 1;
	say(told, 'e');
	if (weft_stdout() == NULL || run_thread() != EBUSY)
		return 2;
	weft_stream_free(weft_stdout());
	if (run_thread() != 0)
		return 3;
	/* Who forks may not have been its owner. */
	return 0;
}

START_TEST(one_thread_has_it_until_it_ends_or_frees_it)
{
	int told;
	pid_t child = start(use_threads, &told);

	expect_queued(81);
	expect_word(told, 'e');
	expect_queued(81);
	expect_end();
	ck_assert_exits(child, 0);
	close(told);
}
END_TEST

static struct gate written, forked;

static void *
have_it(void *arg)
{
	*(bool *)arg = queue(weft_stdout(), 82);
	gate_open(&written);
	gate_pass(&forked);
	return NULL;
}

static int
fork_beside_a_thread(int told)
{
	bool queued;
	pthread_t thread;
	int status;
	pid_t child;

	gate_close(&written);
	gate_close(&forked);
	if (pthread_create(&thread, NULL, have_it, &queued) != 0)
		return 1;
	gate_pass(&written);
	child = fork();
	if (child == 0)
		_exit(weft_loop_after_fork() < 0 || weft_stdout() == NULL);
	if (waitpid(child, &status, 0) != child || status != 0)
		return 2;
	say(told, queued ? 'q' : '-');
	gate_open(&forked);
	pthread_join(thread, NULL);
	return 0;
}

START_TEST(a_child_has_what_another_thread_of_the_parent_had)
{
	int told;
	pid_t child = start(fork_beside_a_thread, &told);

	expect_word(told, 'q');
	expect_queued(82);
	expect_end();
	ck_assert_exits(child, 0);
	close(told);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("stdio_exit");
	TCase *tc = test_case(suite, "exit");

	(void)backend;
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, exit_sends_what_is_queued);
	tcase_add_test(tc, exit_sends_what_was_coalesced);
	tcase_add_test(tc, exit_in_a_fiber_sends_it_too);
	tcase_add_test(tc, _exit_sends_nothing);
	tcase_add_test(tc, exit_ends_when_nobody_reads);
	tcase_add_test(tc, a_child_does_not_send_what_is_its_parents);
	tcase_add_test(tc, one_thread_has_it_until_it_ends_or_frees_it);
	if (!RUNNING_ON_VALGRIND)       /* what that thread had is lost in the child */
		tcase_add_test(tc, a_child_has_what_another_thread_of_the_parent_had);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
