/* SPDX-License-Identifier: MIT */
/*
 * tests/check_tty_job.c - processes whose terminal it is: its size, and how
 * they stop and go on, in the foreground and in the background.
 */
#include "config.h"

#include "tests/pty_jobs.h"
#include "tests/under_valgrind.h"

static volatile sig_atomic_t heard;

static void
hear(int signal)
{
	(void)signal;
	heard++;
}

/* --- the size */

static int
report_sizes(int told)
{
	struct weft_stream *s = weft_stdin();
	int columns, rows;
	char digit;

	if (weft_tty_winsize(s, &columns, &rows) < 0 || columns != 80)
		return 1;
	say(told, 'r');
	/* One that came before we wait, and one that comes meanwhile. */
	if (weft_stream_read(s, &digit, 1, soon_enough()) != 1)
		return 2;
	for (int i = 1; i <= 2; i++) {
		if (weft_tty_wait_resize(s, soon_enough()) < 0)
			return 3;
		if (weft_tty_winsize(s, &columns, &rows) < 0 || columns != 80 + i || rows != 24)
			return 4;
		say(told, (char)('0' + i));
	}
	if (weft_tty_wait_resize(s, weft_after(1)) == 0 || errno != ETIMEDOUT)
		return 5;
	if (weft_tty_wait_resize(s, WEFT_NOWAIT) == 0 || errno != EAGAIN)
		return 6;
	weft_stream_free(s);
	return 0;
}

START_TEST(a_change_of_the_size_is_an_event)
{
	int told;
	pid_t child;

	set_size(ends[TERMINAL], 80, 24);
	child = start_on(ends[TERMINAL], report_sizes, &told);
	expect_word(told, 'r');
	set_size(ends[CONTROLLER], 81, 24);
	ck_assert_int_eq(write(ends[CONTROLLER], "\n", 1), 1);
	expect_word(told, '1');
	set_size(ends[CONTROLLER], 82, 24);
	expect_word(told, '2');
	ck_assert_exits(child, 0);
	close(told);
}
END_TEST

static int resizes, closed;

static int
wait_resize(void *s)
{
	if (weft_tty_wait_resize(s, soon_enough()) == 0)
		resizes++;
	else if (errno == EBADF)
		closed++;
	return 0;
}

static int
close_while_waited_for(int told)
{
	struct weft_stream *s = weft_stdin();
	struct weft_fiber *fibers[2];

	signal(SIGWINCH, hear);
	for (int i = 0; i < 2; i++)
		fibers[i] = weft_spawn(wait_resize, s);
	weft_yield();
	say(told, 'w');
	while (resizes < 2)
		weft_sleep(weft_after(1));
	for (int i = 0; i < 2; i++) {
		weft_join(fibers[i], NULL, soon_enough());
		fibers[i] = weft_spawn(wait_resize, s);
	}
	weft_yield();
	weft_stream_free(s);
	for (int i = 0; i < 2; i++)
		weft_join(fibers[i], NULL, soon_enough());
	return closed == 2 && heard == 1 ? 0 : 1;
}

START_TEST(all_that_wait_are_told_and_close_wakes_them)
{
	int told;
	pid_t child = start_on(ends[TERMINAL], close_while_waited_for, &told);

	expect_word(told, 'w');
	set_size(ends[CONTROLLER], 100, 30);
	ck_assert_exits(child, 0);
	close(told);
}
END_TEST

/* --- stop and go on: a leader like a shell, and its job in a group of its own */

static struct weft_stream *line;

static int
run_job(int told)
{
	char byte;

	signal(SIGTSTP, SIG_DFL);
	signal(SIGCONT, hear);
	line = weft_stdin();
	if (go_raw(line, told) < 0)
		return 1;
	while (weft_stream_read(line, &byte, 1, soon_enough()) == 1 && byte != 'q') {
		if (byte == 'z')
			raise(SIGTSTP);
		say(told, byte == 'z' ? (is_raw(0) ? 'R' : 'C') : byte);
		if (byte == 'z')
			say(told, heard > 0 ? 'h' : '-');
	}
	return 0;
}

static pid_t
start_job(int (*fn)(int), int told, bool foreground)
{
	pid_t job = fork();

	if (job == 0) {
		setpgid(0, 0);
		signal(SIGTTOU, SIG_IGN);
		if (foreground)
			tcsetpgrp(0, getpid());
		signal(SIGTTOU, SIG_DFL);
		if (weft_loop_after_fork() < 0)
			_exit(95);
		exit(fn(told));
	}
	setpgid(job, job);
	signal(SIGTTOU, SIG_IGN);
	return job;
}

static bool
stops(pid_t job)
{
	int status;

	return waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status);
}

static bool
ends_with_0(pid_t job)
{
	int status;

	return waitpid(job, &status, 0) == job && status == 0;
}

static int
be_a_shell(int told)
{
	pid_t job = start_job(run_job, told, true);

	if (!stops(job))
		return 1;
	tcsetpgrp(0, getpgrp());
	say(told, is_raw(0) ? 'R' : 'C');
	/* On in the background: the terminal is the shell's. */
	kill(-job, SIGCONT);
	if (!stops(job))                /* it reads */
		return 2;
	say(told, is_raw(0) ? 'R' : 'C');
	tcsetpgrp(0, job);
	kill(-job, SIGCONT);
	if (!stops(job))                /* SIGSTOP, from us */
		return 3;
	tcsetpgrp(0, getpgrp());
	tcsetattr(0, TCSANOW, &before);
	tcsetpgrp(0, job);
	kill(-job, SIGCONT);
	if (!ends_with_0(job))
		return 4;
	tcsetpgrp(0, getpgrp());
	return is_raw(0) ? 5 : 0;
}

START_TEST(it_is_put_back_to_stop_and_raw_again_in_the_foreground)
{
	int told;
	pid_t child = start_on(ends[TERMINAL], be_a_shell, &told);
	char word;

	expect_word(told, 'r');
	ck_assert_int_eq(write(ends[CONTROLLER], "z", 1), 1);
	expect_word(told, 'C');         /* as the shell sees it */
	/* It goes on in the background, where nothing is done to the terminal. */
	expect_word(told, 'C');
	expect_word(told, 'h');
	expect_word(told, 'C');
	/* In the foreground. */
	ck_assert_int_eq(write(ends[CONTROLLER], "a", 1), 1);
	expect_word(told, 'a');
	ck_assert(is_raw(ends[TERMINAL]));
	ck_assert_int_eq(ioctl(ends[CONTROLLER], TIOCGPGRP, &child), 0);
	kill(-child, SIGSTOP);
	ck_assert_int_eq(write(ends[CONTROLLER], "b", 1), 1);
	expect_word(told, 'b');
	ck_assert(is_raw(ends[TERMINAL]));
	ck_assert_int_eq(write(ends[CONTROLLER], "q", 1), 1);
	while (read(told, &word, 1) == 1)
		;
	ck_assert(is_as_before());
	close(told);
}
END_TEST

static int
write_from_behind(int told)
{
	struct weft_stream *s = weft_stdout();

	if (weft_stream_write(s, "behind\n", 7, soon_enough()) != 7 ||
	    weft_stream_flush(s, soon_enough()) < 0)
		return 1;
	if (weft_tty_set_raw(s, true) == 0 || errno != EIO || is_raw(0))
		return 2;
	say(told, 'w');
	return 0;
}

static int
have_a_job_behind(int told)
{
	struct termios modes = before;
	pid_t job;
	int status;

	modes.c_lflag |= TOSTOP;
	tcsetattr(0, TCSANOW, &modes);
	job = start_job(write_from_behind, told, false);
	if (waitpid(job, &status, WUNTRACED) != job)
		return 1;
	if (WIFSTOPPED(status))
		kill(job, SIGKILL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 64 + (status >> 8) + (status & 255);
}

START_TEST(who_writes_from_the_background_is_not_stopped)
{
	int told;
	pid_t child = start_on(ends[TERMINAL], have_a_job_behind, &told);
	char text[16] = "";

	ck_assert_exits(child, 0);
	ck_assert_int_eq(read(ends[CONTROLLER], text, sizeof text), 8);
	ck_assert_str_eq(text, "behind\r\n");
	close(told);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("tty_job");
	TCase *tc = test_case(suite, "size");

	(void)backend;
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_change_of_the_size_is_an_event);
	tcase_add_test(tc, all_that_wait_are_told_and_close_wakes_them);

	tc = test_case(suite, "jobs");
	tcase_add_checked_fixture(tc, setup, teardown);
	if (!RUNNING_ON_VALGRIND)       /* there, raise(SIGTSTP) stops nobody */
		tcase_add_test(tc, it_is_put_back_to_stop_and_raw_again_in_the_foreground);
	tcase_add_test(tc, who_writes_from_the_background_is_not_stopped);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
