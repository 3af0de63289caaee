/* SPDX-License-Identifier: MIT */
/*
 * tests/check_reactor.c - the table of slots, below all fibers.
 */
#include "config.h"

#include <sys/resource.h>

#include "tests/slots.h"

/* --- slots */

START_TEST(a_slot_is_found_by_its_descriptor_while_it_is_in_use)
{
	struct weft__slot *slot = weft__slot_open(&reactor, 7, WEFT__ONCE);

	ck_assert_ptr_eq(weft__slot_find(&reactor, 7), slot);
	ck_assert_ptr_null(weft__slot_find(&reactor, 8));
	ck_assert_ptr_null(weft__slot_find(&reactor, -1));
	ck_assert_ptr_null(weft__slot_find(&reactor, 1 << 20));
	ck_assert_ptr_null(weft__slot_find(&reactor, INT32_MAX));
	weft__slot_close(&reactor, slot);
	ck_assert_ptr_null(weft__slot_find(&reactor, 7));
}
END_TEST

START_TEST(a_slot_never_moves_while_the_table_grows)
{
	static const int fds[] = { 0, 1023, 1024, 5000, 70000, 1 << 20 };
	struct weft__slot *slots[6];

	for (int i = 0; i < 6; i++)
		slots[i] = weft__slot_open(&reactor, fds[i], WEFT__ONCE);
	for (int i = 0; i < 6; i++) {
		ck_assert_ptr_eq(weft__slot_find(&reactor, fds[i]), slots[i]);
		ck_assert_int_eq(slots[i]->fd, fds[i]);
		weft__slot_close(&reactor, slots[i]);
	}
}
END_TEST

START_TEST(a_negative_descriptor_is_EBADF)
{
	ck_assert_null(weft__slot_open(&reactor, -1, WEFT__EDGE), EBADF);
	ck_assert_null(weft__slot_open(&reactor, INT32_MIN, WEFT__EDGE), EBADF);
}
END_TEST

START_TEST(each_close_is_a_new_generation)
{
	struct weft__slot *slot = NULL;

	for (uint32_t i = 0; i < 10; i++) {
		slot = weft__slot_open(&reactor, 9, WEFT__EDGE);
		ck_assert_uint_eq(slot->generation, i);
		weft__slot_close(&reactor, slot);
	}
}
END_TEST

START_TEST(a_close_tells_the_owner_and_all_waiters_EBADF)
{
	struct listener listener;
	struct weft__slot *slot;
	int ends[2];

	make_pipe(ends);
	slot = open_slot(ends[0], WEFT__EDGE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	weft__slot_close(&reactor, slot);
	ck_assert_int_eq(listener.calls, 1);
	ck_assert_int_eq(listener.events, -EBADF);
	put_byte(ends[1]);
	poll_now();
	ck_assert_int_eq(listener.calls, 1);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(opening_a_number_again_closes_what_was_left_over)
{
	struct listener old, new;
	struct weft__slot *slot;
	int ends[2];

	make_pipe(ends);
	slot = open_slot(ends[0], WEFT__EDGE, &old);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	ck_assert_ptr_eq(open_slot(ends[0], WEFT__EDGE, &new), slot);
	ck_assert_int_eq(old.events, -EBADF);
	put_byte(ends[1]);
	poll_now();
	ck_assert_int_eq(new.calls, 0);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	poll_now();
	ck_assert_int_eq(new.events, WEFT_READABLE);
	ck_assert_int_eq(old.calls, 1);
	close(ends[1]);                 /* the other is the reactor's */
}
END_TEST

START_TEST(an_event_for_a_descriptor_that_is_gone_is_stale)
{
	struct listener old, new;
	struct weft__slot *slot;
	int ends[2], others[2], copy;

	make_pipe(ends);
	make_pipe(others);
	slot = open_slot(ends[0], WEFT__EDGE, &old);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	/* epoll goes on reporting a number that is closed: its file is not. */
	copy = dup(ends[0]);
	close(ends[0]);
	ck_assert_int_eq(dup2(others[0], ends[0]), ends[0]);
	open_slot(ends[0], WEFT__EDGE, &new);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	put_byte(ends[1]);
	poll_now();
	ck_assert_int_eq(old.calls, 1);
	ck_assert_int_eq(old.events, -EBADF);
	ck_assert_int_eq(new.calls, 0);
	ck_assert_uint_eq(reactor.stats.stale_events,
	    strcmp(weft__reactor_name(&reactor), "epoll") == 0 ? 1 : 0);
	put_byte(others[1]);
	poll_now();
	ck_assert_int_eq(new.events, WEFT_READABLE);
	close(copy);
	close(ends[1]);
	close(others[0]);
	close(others[1]);
}
END_TEST

START_TEST(a_closed_descriptor_is_EBADF_and_not_waited_for)
{
	struct listener listener;
	struct weft__slot *slot;
	int ends[2], result;

	make_pipe(ends);
	close(ends[0]);
	slot = open_slot(ends[0], WEFT__ONCE, &listener);
	errno = 0;
	result = weft__slot_want(&reactor, slot, WEFT_READABLE);
	if (result == 0) {              /* poll finds out later */
		poll_now();
		ck_assert_int_eq(listener.events, -EBADF);
		ck_assert_int_eq(slot->mode, WEFT__UNUSED);
	} else {
		ck_assert_int_eq(errno, EBADF);
	}
	close(ends[1]);
}
END_TEST

/* --- the reactor as a whole */

START_TEST(a_close_takes_the_descriptors_of_streams_and_leaves_the_borrowed)
{
	struct weft__reactor other;
	int ends[2][2], file = open("/", O_RDONLY), before;
	struct weft__slot *slot;

	make_pipe(ends[0]);
	make_pipe(ends[1]);
	before = open_descriptors();
	ck_assert_ok(weft__reactor_open(&other, NULL));
	ck_assert_ptr_nonnull(weft__slot_open(&other, ends[0][0], WEFT__EDGE));
	ck_assert_ptr_nonnull(weft__slot_open(&other, ends[0][1], WEFT__LEVEL));
	slot = weft__slot_open(&other, ends[1][0], WEFT__ONCE);
	ck_assert_ok(weft__slot_want(&other, slot, WEFT_READABLE));
	slot = weft__slot_open(&other, file, WEFT__ONCE);
	ck_assert_ok(weft__slot_want(&other, slot, WEFT_READABLE));
	weft__reactor_close(&other);
	ck_assert_int_eq(open_descriptors(), before - 2);
	ck_assert_int_eq(fcntl(ends[0][0], F_GETFD), -1);
	ck_assert_int_eq(fcntl(ends[0][1], F_GETFD), -1);
	ck_assert_int_ge(fcntl(file, F_GETFD), 0);
	close(file);
	close(ends[1][0]);
	close(ends[1][1]);
}
END_TEST

static void
raise_limit(int descriptors)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < (rlim_t)descriptors)
		limit.rlim_cur = (rlim_t)descriptors < limit.rlim_max ?
		    (rlim_t)descriptors : limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(a_thousand_descriptors_that_are_ready_at_once_are_all_told)
{
	enum { MANY = 1000 };
	static struct once waiters[MANY];
	static int fds[MANY];
	int ends[2];

	raise_limit(MANY + 100);
	make_pipe(ends);
	put_byte(ends[1]);
	for (int i = 0; i < MANY; i++) {
		fds[i] = dup(ends[0]);
		ck_assert_int_ge(fds[i], 0);
		wait_once(weft__slot_open(&reactor, fds[i], WEFT__ONCE), &waiters[i],
		    WEFT_READABLE);
	}
	for (int i = 0; i < 10; i++)
		poll_now();
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(waiters[i].calls, 1);
		weft__slot_close(&reactor, weft__slot_find(&reactor, fds[i]));
		close(fds[i]);
	}
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("reactor");
	TCase *tc = test_case_unclean(suite, "slots");

	(void)backend;
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_slot_is_found_by_its_descriptor_while_it_is_in_use);
	tcase_add_test(tc, a_slot_never_moves_while_the_table_grows);
	tcase_add_test(tc, a_negative_descriptor_is_EBADF);
	tcase_add_test(tc, each_close_is_a_new_generation);
	tcase_add_test(tc, a_close_tells_the_owner_and_all_waiters_EBADF);
	tcase_add_test(tc, opening_a_number_again_closes_what_was_left_over);
	tcase_add_test(tc, an_event_for_a_descriptor_that_is_gone_is_stale);
	tcase_add_test(tc, a_closed_descriptor_is_EBADF_and_not_waited_for);
	tcase_add_test(tc, a_close_takes_the_descriptors_of_streams_and_leaves_the_borrowed);
	tcase_add_test(tc, a_thousand_descriptors_that_are_ready_at_once_are_all_told);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
