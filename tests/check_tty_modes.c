/* SPDX-License-Identifier: MIT */
/*
 * tests/check_tty_modes.c - terminals that are made raw and put back, and the
 * signal handlers that see to that.
 */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>

#include "tests/pty_streams.h"

/* --- modes */

START_TEST(raw_passes_every_byte_both_ways)
{
	char all[256];

	open_raw();
	ck_assert(is_raw(ends[TERMINAL]));
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	write_all(controller, all, sizeof all);
	expect_bytes(tty, all, sizeof all);
	write_all(tty, all, sizeof all);
	expect_bytes(controller, all, sizeof all);
	close_both();
}
END_TEST

static void
ck_assert_as_before(int fd)
{
	struct termios now = modes_of(fd);

	ck_assert(now.c_iflag == before.c_iflag && now.c_oflag == before.c_oflag);
	ck_assert(now.c_cflag == before.c_cflag && now.c_lflag == before.c_lflag);
	ck_assert_int_eq(memcmp(now.c_cc, before.c_cc, sizeof now.c_cc), 0);
}

START_TEST(the_modes_come_back_by_word_and_by_close)
{
	int other;

	open_both();
	other = open(ptsname(ends[CONTROLLER]), O_RDWR | O_NOCTTY);
	for (int i = 0; i < 3; i++) {
		ck_assert_ok(weft_tty_set_raw(tty, true));
		ck_assert_ok(weft_tty_set_raw(tty, true));
		ck_assert(is_raw(other));
		ck_assert_ok(weft_tty_set_raw(tty, false));
		ck_assert_ok(weft_tty_set_raw(tty, false));
		ck_assert_as_before(other);
	}
	ck_assert_ok(weft_tty_set_raw(tty, true));
	weft_stream_free(tty);
	ck_assert_as_before(other);
	weft_stream_free(controller);
	close(other);
}
END_TEST

START_TEST(of_two_streams_the_last_puts_it_back)
{
	struct weft_stream *second;
	int other;

	open_both();
	other = open(ptsname(ends[CONTROLLER]), O_RDWR | O_NOCTTY);
	second = weft_tty_open(open(ptsname(ends[CONTROLLER]), O_RDWR | O_NOCTTY), true);
	ck_assert_ok(weft_tty_set_raw(tty, true));
	ck_assert_ok(weft_tty_set_raw(second, true));
	weft_stream_free(tty);
	ck_assert(is_raw(other));
	ck_assert_ok(weft_tty_set_raw(second, false));
	ck_assert_as_before(other);
	weft_stream_free(second);
	weft_stream_free(controller);
	close(other);
}
END_TEST

START_TEST(many_terminals_are_raw_at_once)
{
	enum { MANY = 40 };
	struct weft_stream *all[MANY];
	int pairs[MANY][2];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < MANY; i++) {
			open_pty(pairs[i]);
			all[i] = weft_tty_open(pairs[i][TERMINAL], true);
			ck_assert_ok(weft_tty_set_raw(all[i], true));
		}
		for (int i = 0; i < MANY; i++) {
			ck_assert(is_raw(pairs[i][TERMINAL]));
			ck_assert_ok(weft_tty_set_raw(all[i], false));
			ck_assert(!is_raw(pairs[i][TERMINAL]));
			weft_stream_free(all[i]);
			close(pairs[i][CONTROLLER]);
		}
	}
}
END_TEST

START_TEST(what_is_no_terminal_has_no_modes_and_no_size)
{
	struct weft_stream *pipes[2];
	int columns;

	ck_assert_ok(weft_pipe_pair(pipes));
	ck_assert_int_eq(weft_tty_set_raw(pipes[0], true), -1);
	ck_assert_int_eq(errno, ENOTTY);
	ck_assert_int_eq(weft_tty_winsize(pipes[0], &columns, NULL), -1);
	ck_assert_int_eq(errno, ENOTTY);
	ck_assert_int_eq(weft_tty_wait_resize(pipes[0], WEFT_NOWAIT), -1);
	ck_assert_int_eq(errno, ENOTTY);
	free_ends(pipes);
	open_both();
	ck_assert_ok(weft_stream_close(tty, soon_enough()));
	ck_assert_int_eq(weft_tty_set_raw(tty, true), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(weft_tty_wait_resize(tty, soon_enough()), -1);
	ck_assert_int_eq(errno, EBADF);
	close_both();
}
END_TEST

/* --- handlers */

static void
own_handler(int signal)
{
	(void)signal;
}

START_TEST(handlers_stand_only_while_a_terminal_is_raw)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT };
	struct sigaction now;

	open_both();
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		signal(signals[i], SIG_DFL);    /* nohup ignores one */
	signal(SIGTERM, own_handler);
	signal(SIGQUIT, SIG_IGN);
	for (int raw = 1; raw >= 0; raw--) {
		ck_assert_ok(weft_tty_set_raw(tty, raw));
		for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
			ck_assert_int_eq(sigaction(signals[i], NULL, &now), 0);
			if (signals[i] == SIGTERM)
				ck_assert(now.sa_handler == own_handler);
			else if (signals[i] == SIGQUIT)
				ck_assert(now.sa_handler == SIG_IGN);
			else
				ck_assert_int_eq(now.sa_handler != SIG_DFL, raw);
		}
	}
	close_both();
}
END_TEST

START_TEST(a_handler_of_the_program_that_came_later_stays)
{
	struct sigaction now;

	open_both();
	signal(SIGINT, SIG_DFL);
	ck_assert_ok(weft_tty_set_raw(tty, true));
	signal(SIGINT, own_handler);
	ck_assert_ok(weft_tty_set_raw(tty, false));
	ck_assert_int_eq(sigaction(SIGINT, NULL, &now), 0);
	ck_assert(now.sa_handler == own_handler);
	close_both();
}
END_TEST

static atomic_bool over;

/* The handler runs here, wherever the other thread is. */
static void *
go_on_and_on(void *arg)
{
	(void)arg;
	while (!atomic_load(&over))
		raise(SIGCONT);
	return NULL;
}

/* The number of the descriptor by which it was raw is another terminal's next. */
START_TEST(a_handler_on_another_thread_is_done_when_the_modes_are_back)
{
	enum { ROUNDS = 2000 };
	int strange[2], again, wrong = 0;
	pthread_t thread;

	open_both();
	open_pty(strange);
	ck_assert_int_eq(pthread_create(&thread, NULL, go_on_and_on, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		wrong += weft_tty_set_raw(tty, true) < 0;
		wrong += !is_raw(ends[TERMINAL]);
		wrong += weft_tty_set_raw(tty, false) < 0;
		again = dup(strange[TERMINAL]);
		wrong += is_raw(ends[TERMINAL]);
		close(again);
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	ck_assert_int_eq(wrong, 0);
	ck_assert(!is_raw(strange[TERMINAL]));
	close(strange[CONTROLLER]);
	close(strange[TERMINAL]);
	close_both();
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("tty_modes");
	TCase *tc = test_case(suite, "modes");

	(void)backend;
	tcase_add_test(tc, raw_passes_every_byte_both_ways);
	tcase_add_test(tc, the_modes_come_back_by_word_and_by_close);
	tcase_add_test(tc, of_two_streams_the_last_puts_it_back);
	tcase_add_test(tc, many_terminals_are_raw_at_once);
	tcase_add_test(tc, what_is_no_terminal_has_no_modes_and_no_size);
	tcase_add_test(tc, handlers_stand_only_while_a_terminal_is_raw);
	tcase_add_test(tc, a_handler_of_the_program_that_came_later_stays);
	tcase_add_test(tc, a_handler_on_another_thread_is_done_when_the_modes_are_back);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
