/* SPDX-License-Identifier: MIT */
/*
 * tests/check_dump_signal.c - weft_dump_on_signal.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/dumps.h"

/* --- by signal */

/* What is written to descriptor 2 from here on, until `get_stderr`. */
static int
take_stderr(int *file)
{
	int saved = dup(2);
	FILE *temporary = tmpfile();

	ck_assert_ptr_nonnull(temporary);
	*file = dup(fileno(temporary));
	fclose(temporary);
	ck_assert_int_eq(dup2(*file, 2), 2);
	return saved;
}

static void
get_stderr(int saved, int file)
{
	ssize_t n;

	ck_assert_int_eq(dup2(saved, 2), 2);
	close(saved);
	free(text);
	text = calloc(1, 4096);
	n = pread(file, text, 4095, 0);
	ck_assert_int_ge(n, 0);
	close(file);
}

START_TEST(the_signal_makes_the_loop_dump)
{
	struct weft_fiber *fiber = start("sleeper", sleep_long, NULL);
	int saved, file;

	ck_assert_gives(weft_dump_on_signal(SIGUSR1), 0);
	ck_assert_gives(weft_dump_on_signal(SIGUSR1), 0);
	saved = take_stderr(&file);
	ck_assert_int_eq(raise(SIGUSR1), 0);
	ck_assert_ok(weft_sleep(weft_after(1)));
	get_stderr(saved, file);
	ck_assert_int_eq(count_lines(text), 2);
	ck_assert_ptr_nonnull(strstr(text, "\"sleeper\" waits for its time"));
	ck_assert_ptr_nonnull(strstr(text, "\"main\" waits for its time"));
	ck_assert_ok(weft_dump_on_signal(0));
	stop(fiber);
}
END_TEST

START_TEST(it_dumps_each_time_until_it_is_moved_or_ended)
{
	struct sigaction action;
	int saved, file;

	ck_assert_ok(weft_dump_on_signal(SIGUSR1));
	saved = take_stderr(&file);
	for (int i = 0; i < 3; i++) {
		raise(SIGUSR1);
		ck_assert_ok(weft_sleep(weft_after(1)));
	}
	raise(SIGUSR1);
	ck_assert_ok(weft_dump_on_signal(SIGUSR2));     /* the fourth came before */
	ck_assert_int_eq(sigaction(SIGUSR1, NULL, &action), 0);
	ck_assert(action.sa_handler == SIG_DFL);
	raise(SIGUSR2);
	ck_assert_ok(weft_sleep(weft_after(1)));
	get_stderr(saved, file);
	ck_assert_int_eq(count_lines(text), 5);
	ck_assert_ok(weft_dump_on_signal(0));
	ck_assert_ok(weft_dump_on_signal(0));
	ck_assert_int_eq(sigaction(SIGUSR2, NULL, &action), 0);
	ck_assert(action.sa_handler == SIG_DFL);
}
END_TEST

START_TEST(a_signal_that_cannot_be_caught_is_EINVAL)
{
	ck_assert_fails(weft_dump_on_signal(SIGKILL), EINVAL);
	ck_assert_fails(weft_dump_on_signal(SIGSEGV), EINVAL);
	ck_assert_fails(weft_dump_on_signal(-1), EINVAL);
	ck_assert_fails(weft_dump_on_signal(10000), EINVAL);
}
END_TEST

START_TEST(a_dump_that_may_come_keeps_no_loop_alive)
{
	ck_assert_ok(weft_dump_on_signal(SIGUSR1));
	ck_assert_fails(weft_park(WEFT_NEVER), EDEADLK);
	ck_assert_ok(weft_dump_on_signal(0));
}
END_TEST

START_TEST(a_forked_child_asks_for_its_own)
{
	int status = -1;
	pid_t child;

	ck_assert_ok(weft_dump_on_signal(SIGUSR1));
	child = fork();
	if (child == 0) {
		struct sigaction action;

		if (sigaction(SIGUSR1, NULL, &action) < 0 || action.sa_handler != SIG_DFL)
			_exit(1);
		if (weft_loop_after_fork() < 0 || weft_dump_on_signal(SIGUSR1) < 0)
			_exit(2);
		close(2);
		raise(SIGUSR1);
		_exit(weft_sleep(weft_after(1)) < 0 ? 3 : 0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_ok(weft_dump_on_signal(0));
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("dump");
	TCase *tc = test_case(suite, backend);

	tcase_add_checked_fixture(tc, NULL, forget_text);
	tcase_add_test(tc, the_signal_makes_the_loop_dump);
	tcase_add_test(tc, it_dumps_each_time_until_it_is_moved_or_ended);
	tcase_add_test(tc, a_signal_that_cannot_be_caught_is_EINVAL);
	tcase_add_test(tc, a_dump_that_may_come_keeps_no_loop_alive);
	tcase_add_test(tc, a_forked_child_asks_for_its_own);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
