/* SPDX-License-Identifier: MIT */
/*
 * tests/check_renew.c - a new set for all, because the old one reports again
 * and again for a number that is gone (check_identity.c), or is gone itself.
 */
#include "config.h"

#include <sys/resource.h>
#include <time.h>

#include "tests/slots.h"

static int ends[2], copy;
static bool survives;           /* a registration, with its file */

static void
setup_renew(void)
{
	setup();
	survives = strcmp(weft__reactor_name(&reactor), "epoll") == 0;
}

/* The reading end is dup'ed, and foreign code closes it before we hear of it:
 * it is readable from now on. */
static void
make_stale(void)
{
	struct listener ignored;
	struct weft__slot *slot;

	make_pipe(ends);
	slot = open_slot(ends[0], WEFT__LEVEL, &ignored);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	copy = dup(ends[0]);
	close(ends[0]);
	weft__slot_close(&reactor, slot);
	put_byte(ends[1]);
}

static void
unmake_stale(void)
{
	close(copy);
	close(ends[1]);
}

START_TEST(all_others_stay_armed_in_a_new_set)
{
	struct listener edge, level;
	struct weft__slot *slot;
	struct once once;
	int fds[3][2];

	for (int i = 0; i < 3; i++)
		make_pipe(fds[i]);
	ck_assert_ok(weft__slot_want(&reactor, open_slot(fds[0][0], WEFT__EDGE, &edge),
	    WEFT_READABLE));
	ck_assert_ok(weft__slot_want(&reactor, open_slot(fds[1][0], WEFT__LEVEL, &level),
	    WEFT_READABLE));
	slot = weft__slot_open(&reactor, fds[2][0], WEFT__ONCE);
	wait_once(slot, &once, WEFT_READABLE);
	make_stale();
	poll_times(10);
	for (int i = 0; i < 3; i++)
		put_byte(fds[i][1]);
	poll_now();
	ck_assert_int_eq(edge.calls, 1);
	ck_assert_int_eq(level.calls, 1);
	ck_assert_int_eq(once.calls, 1);
	poll_now();
	ck_assert_int_eq(edge.calls, 1);
	ck_assert_int_eq(level.calls, 2);
	ck_assert_int_eq(once.calls, 1);
	ck_assert_uint_eq(reactor.stats.stale_events, survives ? 2 : 0);
	weft__slot_close(&reactor, slot);
	close(fds[2][0]);
	for (int i = 0; i < 3; i++)
		close(fds[i][1]);
	unmake_stale();
}
END_TEST

START_TEST(what_rests_stays_at_rest_in_a_new_set)
{
	struct listener level;
	struct weft__slot *slot;
	struct once once;
	int fds[2][2];

	make_pipe(fds[0]);
	make_pipe(fds[1]);
	slot = open_slot(fds[0][0], WEFT__LEVEL, &level);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	weft__slot_rest(&reactor, slot);
	slot = weft__slot_open(&reactor, fds[1][0], WEFT__ONCE);
	wait_once(slot, &once, WEFT_READABLE);
	put_byte(fds[1][1]);
	poll_now();
	make_stale();
	poll_times(10);
	put_byte(fds[0][1]);
	poll_times(10);
	ck_assert_int_eq(level.calls, 0);
	ck_assert_int_eq(once.calls, 1);
	ck_assert_uint_eq(reactor.stats.stale_events, survives ? 2 : 0);
	weft__slot_close(&reactor, slot);
	close(fds[1][0]);
	close(fds[0][1]);
	close(fds[1][1]);
	unmake_stale();
}
END_TEST

START_TEST(events_of_others_in_between_do_not_put_it_off)
{
	struct listener busy;
	struct weft__slot *slot;
	int fds[2];

	make_pipe(fds);
	slot = open_slot(fds[0], WEFT__LEVEL, &busy);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	put_byte(fds[1]);
	make_stale();
	poll_times(10);
	ck_assert_int_eq(busy.calls, 10);
	ck_assert_uint_eq(reactor.stats.stale_events, survives ? 2 : 0);
	close(fds[1]);
	unmake_stale();
}
END_TEST

START_TEST(what_foreign_code_has_closed_is_found_out_on_the_way)
{
	struct listener lost;
	int fds[2];

	make_pipe(fds);
	ck_assert_ok(weft__slot_want(&reactor, open_slot(fds[0], WEFT__EDGE, &lost),
	    WEFT_READABLE));
	make_stale();
	close(fds[0]);
	poll_times(10);
	if (edges && !survives)         /* kqueue needs no new set */
		weft__slot_close(&reactor, weft__slot_find(&reactor, fds[0]));
	ck_assert_int_eq(lost.calls, 1);
	ck_assert_int_eq(lost.events, -EBADF);
	ck_assert_ptr_null(weft__slot_find(&reactor, fds[0]));
	close(fds[1]);
	unmake_stale();
}
END_TEST

/* No descriptor more than there is. */
static struct rlimit
allow_no_more(void)
{
	struct rlimit limit, none;
	int next = dup(0);

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)next;
	close(next);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	return limit;
}

START_TEST(as_long_as_there_is_no_descriptor_for_it_the_old_set_goes_on)
{
	struct listener listener;
	struct rlimit limit;
	int fds[2];

	make_pipe(fds);
	ck_assert_ok(weft__slot_want(&reactor,
	    open_slot(fds[0], WEFT__EDGE, &listener), WEFT_READABLE));
	make_stale();
	limit = allow_no_more();
	poll_times(10);
	ck_assert_uint_eq(reactor.stats.stale_events, survives ? 10 : 0);
	put_byte(fds[1]);
	poll_now();
	ck_assert_int_eq(listener.calls, 1);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	poll_times(10);
	ck_assert_uint_eq(reactor.stats.stale_events, survives ? 12 : 0);
	close(fds[1]);
	unmake_stale();
}
END_TEST

START_TEST(a_set_that_the_program_has_in_a_set_of_its_own_stays)
{
	int set = weft__reactor_fd(&reactor);

	make_stale();
	poll_times(10);
	ck_assert_int_eq(weft__reactor_fd(&reactor), set);
	ck_assert_uint_eq(reactor.stats.stale_events, survives ? 10 : 0);
	unmake_stale();
	poll_now();
	ck_assert_uint_eq(reactor.stats.stale_events, survives ? 10 : 0);
}
END_TEST

/* --- the program closes the set itself: it closes all that there is, say */

/* Closed, or another file by now. */
static void
take_away(int set, int replaced)
{
	if (!replaced)
		ck_assert_int_eq(close(set), 0);
	else
		ck_assert_int_eq(dup2(ends[0], set), set);
}

static int
take_set_away(int replaced)
{
	int set = weft__reactor_fd(&reactor);

	make_pipe(ends);
	reactor.exposed = false;
	if (set >= 0)                   /* poll has none */
		take_away(set, replaced);
	return set;
}

static void
nothing_else_was_closed(int set, int replaced)
{
	if (set >= 0 && replaced) {
		ck_assert_int_ge(fcntl(set, F_GETFD), 0);
		close(set);
	}
	close(ends[0]);
	close(ends[1]);
}

START_TEST(a_wait_that_finds_no_set_makes_one)
{
	struct listener edge, level;
	struct weft__slot *slot;
	struct once once;
	int fds[3][2], set;

	for (int i = 0; i < 3; i++)
		make_pipe(fds[i]);
	ck_assert_ok(weft__slot_want(&reactor, open_slot(fds[0][0], WEFT__EDGE, &edge),
	    WEFT_READABLE));
	ck_assert_ok(weft__slot_want(&reactor, open_slot(fds[1][0], WEFT__LEVEL, &level),
	    WEFT_READABLE));
	slot = weft__slot_open(&reactor, fds[2][0], WEFT__ONCE);
	wait_once(slot, &once, WEFT_READABLE);
	set = take_set_away(_i);
	for (int i = 0; i < 3; i++)
		put_byte(fds[i][1]);
	poll_times(2);
	ck_assert_int_eq(edge.calls, 1);
	ck_assert_int_eq(once.calls, 1);
	ck_assert_int_ge(level.calls, 1);
	ck_assert_uint_eq(reactor.failed_polls, 0);
	weft__slot_close(&reactor, slot);
	close(fds[2][0]);
	for (int i = 0; i < 3; i++)
		close(fds[i][1]);
	nothing_else_was_closed(set, _i);
}
END_TEST

START_TEST(a_want_that_finds_no_set_makes_one)
{
	struct once before, after;
	struct weft__slot *slots[2];
	int fds[2][2], set;

	for (int i = 0; i < 2; i++) {
		make_pipe(fds[i]);
		slots[i] = weft__slot_open(&reactor, fds[i][0], WEFT__ONCE);
	}
	wait_once(slots[0], &before, WEFT_READABLE);
	set = take_set_away(_i);
	wait_once(slots[1], &after, WEFT_READABLE);
	for (int i = 0; i < 2; i++)
		put_byte(fds[i][1]);
	poll_now();
	ck_assert_int_eq(before.calls, 1);
	ck_assert_int_eq(after.calls, 1);
	for (int i = 0; i < 2; i++) {
		weft__slot_close(&reactor, slots[i]);
		close(fds[i][0]);
		close(fds[i][1]);
	}
	nothing_else_was_closed(set, _i);
}
END_TEST

START_TEST(a_want_of_what_is_closed_does_not_cost_the_set)
{
	int set = weft__reactor_fd(&reactor), closed = dup(0);
	struct weft__slot *slot;

	close(closed);
	slot = weft__slot_open(&reactor, closed, WEFT__ONCE);
	if (edges)
		ck_assert_fails(weft__slot_want(&reactor, slot, WEFT_READABLE), EBADF);
	weft__slot_close(&reactor, slot);
	slot = set < 0 ? NULL : weft__slot_open(&reactor, set, WEFT__ONCE);
	if (slot != NULL)
		weft__slot_want(&reactor, slot, WEFT_READABLE);
	ck_assert_int_eq(weft__reactor_fd(&reactor), set);
	if (slot != NULL)
		weft__slot_close(&reactor, slot);
}
END_TEST

START_TEST(as_long_as_there_is_no_descriptor_for_a_set_polls_rest)
{
	int set = take_set_away(_i), sink = dup(ends[0]);
	struct timespec began, now;
	struct rlimit limit;

	if (set < 0)
		goto end;
	if (_i == 0)
		ck_assert_int_eq(dup2(ends[0], set), set);      /* not even that one */
	limit = allow_no_more();
	clock_gettime(CLOCK_MONOTONIC, &began);
	for (int i = 0; i < 6; i++)
		weft__reactor_poll(&reactor, 1000);
	clock_gettime(CLOCK_MONOTONIC, &now);
	ck_assert_int_ge((now.tv_sec - began.tv_sec) * 1000 +
	    (now.tv_nsec - began.tv_nsec) / 1000000, 48);
	ck_assert_uint_eq(reactor.failed_polls, 6);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	poll_times(2);
	ck_assert_uint_eq(reactor.failed_polls, 0);
	close(set);
end:
	close(sink);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(a_wake_up_that_is_closed_is_made_anew)
{
	int fd = reactor.wake.read_fd, set = take_set_away(_i);
	int64_t began;

	take_away(fd, _i);                        /* of 1: the next pipe is there */
	if (_i == 1 && reactor.wake.write_fd != fd)
		goto end;
	if (_i == 1)                            /* weft hears of it when it uses it */
		weft__slot_close(&reactor, weft__slot_find(&reactor, fd));
	else
		poll_now();
	ck_assert_ptr_null(reactor.wake.slot);
	ck_assert(weft__wake_sleep(&reactor.wake));
	began = weft__clock();
	weft__wake_send(&reactor.wake);         /* to nowhere, and not in vain */
	weft__reactor_poll(&reactor, 10000);
	ck_assert_int_lt(weft__clock() - began, 10000);
	weft__wake_rise(&reactor.wake);
	ck_assert_int_ge(fcntl(reactor.wake.read_fd, F_GETFD), 0);
	ck_assert(weft__wake_sleep(&reactor.wake));
	weft__wake_send(&reactor.wake);
	weft__reactor_poll(&reactor, 30000);
	weft__wake_rise(&reactor.wake);
	ck_assert_uint_ge(reactor.stats.events, 1);
end:
	if (_i == 1)
		close(fd);
	nothing_else_was_closed(set, _i);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("renew");
	TCase *tc = test_case_unclean(suite, "renew");

	(void)backend;
	tcase_add_checked_fixture(tc, setup_renew, teardown);
	tcase_add_test(tc, all_others_stay_armed_in_a_new_set);
	tcase_add_test(tc, what_rests_stays_at_rest_in_a_new_set);
	tcase_add_test(tc, events_of_others_in_between_do_not_put_it_off);
	tcase_add_test(tc, what_foreign_code_has_closed_is_found_out_on_the_way);
	tcase_add_test(tc, as_long_as_there_is_no_descriptor_for_it_the_old_set_goes_on);
	tcase_add_test(tc, a_set_that_the_program_has_in_a_set_of_its_own_stays);

	tc = test_case_unclean(suite, "a set that is gone");
	tcase_add_checked_fixture(tc, setup_renew, teardown);
	tcase_add_loop_test(tc, a_wait_that_finds_no_set_makes_one, 0, 2);
	tcase_add_loop_test(tc, a_want_that_finds_no_set_makes_one, 0, 2);
	tcase_add_test(tc, a_want_of_what_is_closed_does_not_cost_the_set);
	tcase_add_loop_test(tc, as_long_as_there_is_no_descriptor_for_a_set_polls_rest,
	    0, 2);
	tcase_add_loop_test(tc, a_wake_up_that_is_closed_is_made_anew, 0, 2);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
