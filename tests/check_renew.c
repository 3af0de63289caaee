/* SPDX-License-Identifier: MIT */
/*
 * tests/check_renew.c - a new set for all, because the old one reports again
 * and again for a number that is gone (check_identity.c).
 */
#include "config.h"

#include <sys/resource.h>

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
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
