/* SPDX-License-Identifier: MIT */
/*
 * tests/check_odd.c - what kqueue does not poll, or hides the end of: terminals
 * and FIFOs, as on Darwin. It is only linked with the double of kqueue. What is
 * shown is that they wait, are told and do not spin, like all others; that
 * Darwin is as the double takes it to be is not.
 */
#include "config.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>

#include "tests/slots.h"
#include "tests/kinds.h"
#include "weft/pipe.h"

extern unsigned long kqueue_kevents;    /* calls, counted by the double */

enum { MODES = 3 };
static const enum weft__mode modes[MODES] = { WEFT__EDGE, WEFT__LEVEL, WEFT__ONCE };

/* A terminal that changes nothing, and who types. */
static void
terminal(int fds[2])
{
	struct termios raw;

	pty_slave(fds);
	ck_assert_int_eq(tcgetattr(fds[0], &raw), 0);
	cfmakeraw(&raw);
	ck_assert_int_eq(tcsetattr(fds[0], TCSANOW, &raw), 0);
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
}

static void
close_both(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

START_TEST(a_terminal_reports_in_every_mode_and_is_quiet_between)
{
	struct listener listener;
	struct weft__slot *slot;

	terminal(ends);
	slot = open_slot(ends[0], modes[_i], &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	ck_assert_int_eq(slot->mode, modes[_i]);
	poll_times(3);
	ck_assert_int_eq(listener.calls, 0);
	for (int i = 1; i <= 3; i++) {
		put_byte(ends[1]);
		weft__reactor_poll(&reactor, 30000);
		ck_assert_int_eq(listener.calls, i);
		ck_assert_int_eq(listener.events, WEFT_READABLE);
		take_byte(ends[0]);
		ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
		poll_times(3);
		ck_assert_int_eq(listener.calls, i);
	}
	weft__slot_close(&reactor, slot);
	put_byte(ends[1]);
	poll_now();
	ck_assert_int_eq(listener.events, -EBADF);
	ck_assert_uint_eq(reactor.stats.spins + reactor.stats.stale_events, 0);
	close_both(ends);
}
END_TEST

START_TEST(what_is_unread_is_reported_once_and_again_when_it_is_asked_for)
{
	struct listener listener;
	struct weft__slot *slot;

	terminal(ends);
	slot = open_slot(ends[0], modes[_i], &listener);
	put_byte(ends[1]);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	weft__reactor_poll(&reactor, 30000);
	poll_times(2);
	ck_assert_int_eq(listener.calls, modes[_i] == WEFT__LEVEL ? 3 : 1);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	poll_now();
	ck_assert_int_eq(listener.calls, modes[_i] == WEFT__LEVEL ? 4 : 2);
	weft__slot_close(&reactor, slot);
	close_both(ends);
}
END_TEST

START_TEST(the_report_of_one_direction_leaves_the_other_armed)
{
	struct listener listener;
	struct weft__slot *slot;

	terminal(ends);
	slot = open_slot(ends[0], WEFT__EDGE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE | WEFT_WRITABLE));
	poll_times(3);
	ck_assert_int_eq(listener.calls, 1);
	ck_assert_int_eq(listener.events, WEFT_WRITABLE);
	put_byte(ends[1]);
	weft__reactor_poll(&reactor, 30000);
	ck_assert_int_eq(listener.calls, 2);
	ck_assert_int_eq(listener.events, WEFT_READABLE);
	weft__slot_close(&reactor, slot);
	close_both(ends);
}
END_TEST

/* --- with what kqueue knows */

static void *
write_late(void *fd)
{
	usleep(20000);
	put_byte(*(int *)fd);
	return NULL;
}

/* Neither is late for the other: who sleeps is woken by both. */
START_TEST(others_end_the_sleep_too_and_are_told)
{
	struct listener odd, other;
	struct weft__slot *slot;
	pthread_t thread;
	int fds[2];

	terminal(ends);
	make_pipe(fds);
	slot = open_slot(ends[0], WEFT__EDGE, &odd);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	ck_assert_ok(weft__slot_want(&reactor, open_slot(fds[0], WEFT__EDGE, &other),
	    WEFT_READABLE));
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, write_late,
		    i == 0 ? &fds[1] : &ends[1]), 0);
		weft__reactor_poll(&reactor, 30000);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		ck_assert_int_eq(other.calls, 1);
		ck_assert_int_eq(odd.calls, i);
	}
	take_byte(ends[0]);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	put_byte(fds[1]);
	put_byte(ends[1]);
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = fds[0], .events = POLLIN }, 1, -1), 1);
	for (int i = 0; odd.calls + other.calls < 4 && i < 1000; i++)
		weft__reactor_poll(&reactor, 10);
	ck_assert_int_eq(other.calls, 2);
	ck_assert_int_eq(odd.calls, 2);
	close(fds[1]);
	close(ends[1]);
}
END_TEST

START_TEST(one_that_foreign_code_closes_is_told_EBADF_alone)
{
	struct listener listeners[2];
	struct weft__slot *slots[2];
	int others[2];

	terminal(ends);
	terminal(others);
	slots[0] = open_slot(ends[0], WEFT__EDGE, &listeners[0]);
	slots[1] = open_slot(others[0], WEFT__EDGE, &listeners[1]);
	for (int i = 0; i < 2; i++)
		ck_assert_ok(weft__slot_want(&reactor, slots[i], WEFT_READABLE));
	close(ends[0]);
	poll_times(3);
	ck_assert_int_eq(listeners[0].calls, 1);
	ck_assert_int_eq(listeners[0].events, -EBADF);
	ck_assert_int_eq(listeners[1].calls, 0);
	put_byte(others[1]);
	weft__reactor_poll(&reactor, 30000);
	ck_assert_int_eq(listeners[1].events, WEFT_READABLE);
	weft__slot_close(&reactor, slots[1]);
	close(ends[1]);
	close_both(others);
}
END_TEST

START_TEST(they_move_to_a_new_queue_and_leave_a_lost_one)
{
	struct listener listener;
	struct weft__slot *slot;

	terminal(ends);
	slot = open_slot(ends[0], WEFT__EDGE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	if (_i == 0)
		ck_assert_ok(weft__reactor_renew(&reactor));
	else
		ck_assert_int_eq(close(reactor.backend->fd(&reactor)), 0);
	poll_times(2);
	ck_assert_int_eq(listener.calls, 0);
	put_byte(ends[1]);
	weft__reactor_poll(&reactor, 30000);
	ck_assert_int_eq(listener.events, WEFT_READABLE);
	ck_assert_int_eq(listener.calls, 1);
	weft__slot_close(&reactor, slot);
	close_both(ends);
}
END_TEST

START_TEST(the_next_file_of_the_number_is_left_to_kqueue)
{
	struct listener listener;
	struct weft__slot *slot;
	unsigned long before;
	int fds[2];

	terminal(ends);
	make_pipe(fds);
	slot = open_slot(ends[0], modes[_i], &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	weft__slot_close(&reactor, slot);
	ck_assert_int_eq(dup2(fds[0], ends[0]), ends[0]);
	open_slot(ends[0], modes[_i], &listener);
	before = kqueue_kevents;
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	ck_assert_uint_eq(kqueue_kevents, before + 1);
	put_byte(fds[1]);
	poll_now();
	ck_assert_int_eq(listener.calls, 1);
	weft__slot_close(&reactor, slot);
	close_both(ends);
	close_both(fds);
}
END_TEST

/* select knows no such number: nothing better than to try. */
START_TEST(a_number_that_is_too_high_is_always_ready)
{
	struct rlimit limit;
	struct listener listener;
	struct weft__slot *slot;
	int high;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max < 2048 ? limit.rlim_max : 2048;
	if (limit.rlim_cur <= FD_SETSIZE || setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	terminal(ends);
	high = fcntl(ends[0], F_DUPFD, FD_SETSIZE);
	ck_assert_int_eq(high, FD_SETSIZE);
	slot = open_slot(high, WEFT__EDGE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	ck_assert_int_eq(slot->mode, WEFT__ALWAYS);
	ck_assert_int_eq(weft__slot_probe(high, WEFT_READABLE), WEFT_READABLE);
	weft__slot_close(&reactor, slot);
	close(high);
	close_both(ends);
}
END_TEST

/* --- FIFOs */

START_TEST(the_end_of_a_fifo_is_told)
{
	struct listener listener;
	struct weft__slot *slot;

	open_fifo(ends, true);
	slot = open_slot(ends[0], modes[_i], &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	poll_times(2);
	ck_assert_int_eq(listener.calls, 0);
	close(ends[1]);
	poll_now();
	ck_assert_int_eq(listener.calls, 1);
	ck_assert_int_eq(listener.events, WEFT_READABLE);
	weft__slot_close(&reactor, slot);
	close(ends[0]);
}
END_TEST

/* --- for programs */

START_TEST(what_poll_does_not_know_is_asked_of_select)
{
	terminal(ends);
	ck_assert_int_eq(weft__slot_probe(ends[0], WEFT_READABLE | WEFT_WRITABLE),
	    WEFT_WRITABLE);
	close_both(ends);
	ck_assert_fails(weft__slot_probe(ends[0], WEFT_READABLE), EBADF);
}
END_TEST

START_TEST(who_reads_a_terminal_sleeps_until_somebody_types)
{
	struct weft_stream *s;
	uint64_t turns;
	char byte;

	terminal(ends);
	s = weft_pipe_open(ends[0], -1);
	ck_assert_ptr_nonnull(s);
	turns = loop_stats().turns;
	ck_assert_fails(weft_stream_read(s, &byte, 1, weft_after(30)), ETIMEDOUT);
	ck_assert_fails(weft_fd_wait(ends[1], WEFT_READABLE, weft_after(10)), ETIMEDOUT);
	ck_assert_uint_le(loop_stats().turns, turns + 10);
	put_byte(ends[1]);
	ck_assert_gives(weft_stream_read(s, &byte, 1, soon_enough()), 1);
	weft_stream_free(s);
	ends[0] = -1;
	close_kind();
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("odd");
	TCase *tc = test_case_unclean(suite, "slots"), *programs = test_case(suite, "fibers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_terminal_reports_in_every_mode_and_is_quiet_between,
	    0, MODES);
	tcase_add_loop_test(tc,
	    what_is_unread_is_reported_once_and_again_when_it_is_asked_for, 0, MODES);
	tcase_add_test(tc, the_report_of_one_direction_leaves_the_other_armed);
	tcase_add_test(tc, others_end_the_sleep_too_and_are_told);
	tcase_add_test(tc, one_that_foreign_code_closes_is_told_EBADF_alone);
	tcase_add_loop_test(tc, they_move_to_a_new_queue_and_leave_a_lost_one, 0, 2);
	tcase_add_loop_test(tc, the_next_file_of_the_number_is_left_to_kqueue, 0, MODES);
	tcase_add_test(tc, a_number_that_is_too_high_is_always_ready);
	tcase_add_loop_test(tc, the_end_of_a_fifo_is_told, 0, MODES);
	tcase_add_test(tc, what_poll_does_not_know_is_asked_of_select);
	tcase_add_test(programs, who_reads_a_terminal_sleeps_until_somebody_types);
	return suite;
}

int
main(void)
{
	setenv("WEFT_BACKEND", "kqueue", 1);
	setenv("KQUEUE_DOUBLE", "darwin", 1);
	return weft_test_main_once(make_suite);
}
