/* SPDX-License-Identifier: MIT */
/*
 * tests/check_identity.c - a number is not a file: descriptors that are
 * dup'ed, replaced, or kept alive by a child while foreign code closes them.
 *
 * epoll knows a registration by file and number. One whose number is closed
 * while its file lives on elsewhere cannot be taken out of the set any more,
 * and goes on to report: those events are stale. A second poll in a row that
 * reports some has a new set made: see check_renew.c.
 */
#include "config.h"

#include <sys/wait.h>

#include "tests/slots.h"

/* --- a pipe whose reading end somebody else holds, too */

static int ends[2], copy;
static pid_t child;
static bool survives;           /* a registration, with its file */

static void
setup_identity(void)
{
	setup();
	survives = strcmp(weft__reactor_name(&reactor), "epoll") == 0;
}

static void
hold_by_dup(void)
{
	copy = dup(ends[0]);
	ck_assert_int_ge(copy, 0);
}

static void
release_dup(void)
{
	close(copy);
}

/* Until it is killed. Check's own handlers must not run there. */
static void
hold_by_child(void)
{
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	ck_assert_int_gt(child, 0);
}

static void
release_child(void)
{
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

static const struct {
	void (*hold)(void), (*release)(void);
} holders[] = {
	{ hold_by_dup, release_dup },
	{ hold_by_child, release_child },
};
enum { HOLDERS = sizeof holders / sizeof *holders };

static struct listener old;
static struct once waiter;

/* In that mode, and armed; then held by somebody else. */
static struct weft__slot *
open_held(int holder, enum weft__mode mode)
{
	struct weft__slot *slot;

	make_pipe(ends);
	slot = open_slot(ends[0], mode, &old);
	if (mode == WEFT__ONCE)
		wait_once(slot, &waiter, WEFT_READABLE);
	else
		ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	holders[holder].hold();
	return slot;
}

/* Foreign code closes first, and we hear of it afterwards. */
static void
lose(struct weft__slot *slot)
{
	close(slot->fd);
	weft__slot_close(&reactor, slot);
	ck_assert_int_eq(old.calls, 1);
	ck_assert_int_eq(old.events, -EBADF);
}

/* --- nobody is told, and it ends */

START_TEST(LEVEL_of_a_file_that_lives_on_does_not_keep_the_loop_awake)
{
	lose(open_held(_i, WEFT__LEVEL));
	put_byte(ends[1]);
	poll_times(100);
	ck_assert_int_eq(old.calls, 1);
	ck_assert_uint_eq(reactor.stats.stale_events, survives ? 2 : 0);
	ck_assert_uint_eq(reactor.stats.spins, reactor.stats.stale_events);
	holders[_i].release();
	close(ends[1]);
}
END_TEST

START_TEST(EDGE_of_a_file_that_lives_on_does_not_wake_the_loop_for_each_arrival)
{
	lose(open_held(_i, WEFT__EDGE));
	for (int i = 0; i < 100; i++) {
		put_byte(ends[1]);
		poll_now();
	}
	ck_assert_int_eq(old.calls, 1);
	ck_assert_uint_eq(reactor.stats.stale_events, survives ? 2 : 0);
	holders[_i].release();
	close(ends[1]);
}
END_TEST

START_TEST(ONCE_of_a_file_that_lives_on_reports_once)
{
	struct weft__slot *slot = open_held(_i, WEFT__ONCE);
	const void *set = reactor.state;

	lose(slot);
	ck_assert_int_eq(waiter.events, -EBADF);
	for (int i = 0; i < 100; i++) {
		put_byte(ends[1]);
		poll_now();
	}
	ck_assert_int_eq(old.calls + waiter.calls, 2);
	ck_assert_uint_eq(reactor.stats.stale_events, survives ? 1 : 0);
	ck_assert_ptr_eq(reactor.state, set);
	holders[_i].release();
	close(ends[1]);
}
END_TEST

START_TEST(a_hang_up_of_a_file_that_lives_on_does_not_keep_the_loop_awake)
{
	lose(open_held(0, WEFT__LEVEL));
	close(ends[1]);
	poll_times(100);
	ck_assert_uint_eq(reactor.stats.stale_events, survives ? 2 : 0);
	release_dup();
}
END_TEST

START_TEST(nothing_is_stale_when_we_close_it_although_its_file_lives_on)
{
	static const enum weft__mode modes[] = { WEFT__EDGE, WEFT__LEVEL, WEFT__ONCE };

	for (int i = 0; i < 3; i++) {
		struct weft__slot *slot = open_held(_i, modes[i]);

		weft__slot_close(&reactor, slot);
		close(ends[0]);
		put_byte(ends[1]);
		poll_times(10);
		ck_assert_int_eq(old.calls, 1);
		holders[_i].release();
		close(ends[1]);
	}
	ck_assert_uint_eq(reactor.stats.events, 0);
}
END_TEST

START_TEST(the_next_file_of_the_number_is_told_of_its_own_events_alone)
{
	static const enum weft__mode modes[] = { WEFT__EDGE, WEFT__LEVEL, WEFT__ONCE };
	int number, fds[2];

	for (int i = 0; i < 3; i++) {
		struct listener new;
		struct weft__slot *slot = open_held(_i, modes[i]);
		uint64_t stale = reactor.stats.stale_events;

		number = slot->fd;
		lose(slot);
		make_pipe(fds);
		ck_assert_int_eq(fds[0], number);
		slot = open_slot(number, WEFT__EDGE, &new);
		ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
		put_byte(ends[1]);
		poll_times(10);
		ck_assert_int_eq(new.calls, 0);
		ck_assert_uint_ge(reactor.stats.stale_events, stale + survives);
		put_byte(fds[1]);
		poll_now();
		ck_assert_int_eq(new.calls, 1);
		ck_assert_int_eq(new.events, WEFT_READABLE);
		weft__slot_close(&reactor, slot);
		holders[_i].release();
		close(number);
		close(fds[1]);
		close(ends[1]);
	}
}
END_TEST

START_TEST(the_same_file_again_under_its_number_is_not_stale)
{
	struct listener new;
	struct weft__slot *slot;
	int number;

	make_pipe(ends);
	number = ends[0];
	slot = open_slot(number, WEFT__EDGE, &old);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	hold_by_dup();
	lose(slot);
	ck_assert_int_eq(dup2(copy, number), number);
	slot = open_slot(number, WEFT__EDGE, &new);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	put_byte(ends[1]);
	poll_times(10);
	ck_assert_int_eq(new.calls, 1);
	ck_assert_uint_eq(reactor.stats.stale_events, 0);
	release_dup();
	close(ends[1]);
}
END_TEST

/* --- replaced by dup2, which takes the registration away silently */

START_TEST(EDGE_replaced_by_dup2_is_silent_until_it_is_opened_anew)
{
	struct listener new;
	struct weft__slot *slot;
	int fds[2];

	make_pipe(ends);
	make_pipe(fds);
	slot = open_slot(ends[0], WEFT__EDGE, &old);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	ck_assert_int_eq(dup2(fds[0], ends[0]), ends[0]);
	weft__slot_close(&reactor, slot);
	put_byte(fds[1]);
	poll_times(10);
	ck_assert_int_eq(old.events, -EBADF);
	ck_assert_uint_eq(reactor.stats.events, 0);
	slot = open_slot(ends[0], WEFT__EDGE, &new);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	poll_times(10);
	ck_assert_int_eq(new.calls, 1);
	ck_assert_int_eq(new.events, WEFT_READABLE);
	close(ends[1]);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(a_want_after_dup2_finds_the_new_file)
{
	struct weft__slot *slot;
	int fds[2];

	make_pipe(ends);
	make_pipe(fds);
	slot = open_slot(ends[0], WEFT__EDGE, &old);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	ck_assert_int_eq(dup2(fds[1], ends[0]), ends[0]);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_WRITABLE));
	poll_now();
	ck_assert_int_eq(old.calls, 1);
	ck_assert_int_eq(old.events & WEFT_WRITABLE, WEFT_WRITABLE);
	close(ends[1]);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(a_want_after_dup2_of_a_regular_file_is_always_ready)
{
	struct weft__slot *slot;
	int file = open("/", O_RDONLY);

	make_pipe(ends);
	slot = open_slot(ends[0], WEFT__EDGE, &old);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	ck_assert_int_eq(dup2(file, ends[0]), ends[0]);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_WRITABLE));
	if (slot->mode == WEFT__ALWAYS) {
		ck_assert(edges);
	} else {
		poll_now();
		ck_assert_int_eq(old.events & WEFT_WRITABLE, WEFT_WRITABLE);
	}
	close(ends[1]);
	close(file);
}
END_TEST

static void
add_once_per_holder(TCase *tc)
{
	tcase_add_loop_test(tc,
	    LEVEL_of_a_file_that_lives_on_does_not_keep_the_loop_awake, 0, HOLDERS);
	tcase_add_loop_test(tc,
	    EDGE_of_a_file_that_lives_on_does_not_wake_the_loop_for_each_arrival,
	    0, HOLDERS);
	tcase_add_loop_test(tc, ONCE_of_a_file_that_lives_on_reports_once, 0, HOLDERS);
	tcase_add_loop_test(tc,
	    nothing_is_stale_when_we_close_it_although_its_file_lives_on, 0, HOLDERS);
	tcase_add_loop_test(tc,
	    the_next_file_of_the_number_is_told_of_its_own_events_alone, 0, HOLDERS);
}

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("identity");
	TCase *tc = test_case_unclean(suite, "identity");

	(void)backend;
	tcase_add_checked_fixture(tc, setup_identity, teardown);
	add_once_per_holder(tc);
	tcase_add_test(tc, a_hang_up_of_a_file_that_lives_on_does_not_keep_the_loop_awake);
	tcase_add_test(tc, the_same_file_again_under_its_number_is_not_stale);
	tcase_add_test(tc, EDGE_replaced_by_dup2_is_silent_until_it_is_opened_anew);
	tcase_add_test(tc, a_want_after_dup2_finds_the_new_file);
	tcase_add_test(tc, a_want_after_dup2_of_a_regular_file_is_always_ready);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
