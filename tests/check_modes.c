/* SPDX-License-Identifier: MIT */
/*
 * tests/check_modes.c - how often a slot of each mode is told what.
 */
#include "config.h"

#include <sys/socket.h>

#include "tests/slots.h"

START_TEST(EDGE_reports_each_arrival_once)
{
	struct listener listener;
	struct weft__slot *slot;
	int ends[2];

	make_pipe(ends);
	slot = open_slot(ends[0], WEFT__EDGE, &listener);
	for (int i = 1; i < 5; i++) {
		ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
		put_byte(ends[1]);
		poll_now();
		poll_now();
		ck_assert_int_eq(listener.calls, i);
		ck_assert_int_eq(listener.events, WEFT_READABLE);
		take_byte(ends[0]);
	}
	ck_assert_uint_eq(reactor.stats.registrations, edges ? 2 : 5);
	close(ends[1]);
}
END_TEST

START_TEST(EDGE_data_and_the_end_come_together)
{
	struct listener listener;
	struct weft__slot *slot;
	int ends[2];

	make_pipe(ends);
	slot = open_slot(ends[0], WEFT__EDGE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	put_byte(ends[1]);
	close(ends[1]);
	poll_now();
	ck_assert_int_eq(listener.calls, 1);
	ck_assert_int_eq(listener.events & WEFT_READABLE, WEFT_READABLE);
	ck_assert_int_eq(listener.events & WEFT__ENDED, WEFT__ENDED);
}
END_TEST

START_TEST(EDGE_a_hang_up_that_nobody_asks_about_is_told_once)
{
	struct listener listener;
	struct weft__slot *slot;
	int ends[2];

	make_pipe(ends);
	slot = open_slot(ends[0], WEFT__EDGE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE | WEFT_WRITABLE));
	close(ends[1]);
	for (int i = 0; i < 100; i++)
		poll_now();
	ck_assert_int_ge(listener.calls, 1);
	ck_assert_int_le(listener.calls, 2);
}
END_TEST

START_TEST(LEVEL_reports_as_long_as_it_is_so)
{
	struct listener listener;
	struct weft__slot *slot;
	int ends[2];

	make_pipe(ends);
	slot = open_slot(ends[0], WEFT__LEVEL, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	put_byte(ends[1]);
	for (int i = 1; i < 5; i++) {
		poll_now();
		ck_assert_int_eq(listener.calls, i);
	}
	take_byte(ends[0]);
	poll_now();
	ck_assert_int_eq(listener.calls, 4);
	ck_assert_uint_eq(reactor.stats.registrations, 2);
	close(ends[1]);
}
END_TEST

START_TEST(LEVEL_rests_when_nobody_cares_and_spins_at_most_once)
{
	struct listener listener;
	struct weft__slot *slot;
	int ends[2];

	make_pipe(ends);
	slot = open_slot(ends[0], WEFT__LEVEL, &listener);
	listener.useful = false;
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	put_byte(ends[1]);
	for (int i = 0; i < 10; i++)
		poll_now();
	ck_assert_int_eq(listener.calls, 1);
	ck_assert_uint_eq(reactor.stats.spins, 1);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	poll_now();
	ck_assert_int_eq(listener.calls, 2);
	close(ends[1]);
}
END_TEST

START_TEST(LEVEL_rests_for_what_nobody_waits_for_and_others_still_wait)
{
	struct weft__slot *slot;
	struct once writer;
	char byte = 0;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	while (write(fds[0], &byte, 1) == 1)
		;
	slot = weft__slot_open(&reactor, fds[0], WEFT__LEVEL);
	wait_once(slot, &writer, WEFT_WRITABLE);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	put_byte(fds[1]);
	poll_times(10);
	ck_assert_uint_eq(reactor.stats.spins, 1);
	ck_assert_int_eq(writer.calls, 0);
	close(fds[1]);
	poll_times(2);
	ck_assert_int_eq(writer.calls, 1);
}
END_TEST

START_TEST(ONCE_reports_once_and_then_not_even_a_hang_up)
{
	struct weft__slot *slot;
	struct once once;
	int ends[2];

	make_pipe(ends);
	slot = weft__slot_open(&reactor, ends[0], WEFT__ONCE);
	wait_once(slot, &once, WEFT_READABLE);
	put_byte(ends[1]);
	poll_now();
	ck_assert_int_eq(once.calls, 1);
	put_byte(ends[1]);
	close(ends[1]);
	for (int i = 0; i < 10; i++)
		poll_now();
	ck_assert_int_eq(once.calls, 1);
	ck_assert_uint_eq(reactor.stats.events, 1);
	ck_assert_uint_eq(reactor.stats.spins, 0);
	weft__slot_close(&reactor, slot);
	close(ends[0]);
}
END_TEST

START_TEST(ONCE_those_who_wait_for_something_else_still_do)
{
	struct once reader, writer, second;
	struct weft__slot *slot;
	char full[4096] = { 0 };
	int ends[2];

	/* The writing end of a full pipe: neither, until one byte page is free. */
	make_pipe(ends);
	while (write(ends[1], full, sizeof full) > 0)
		;
	slot = weft__slot_open(&reactor, ends[1], WEFT__ONCE);
	wait_once(slot, &writer, WEFT_WRITABLE);
	wait_once(slot, &reader, WEFT_READABLE);
	wait_once(slot, &second, WEFT_WRITABLE);
	poll_now();
	ck_assert_int_eq(writer.calls + reader.calls + second.calls, 0);
	ck_assert_int_eq(read(ends[0], full, sizeof full), sizeof full);
	poll_now();
	ck_assert_int_eq(writer.events, WEFT_WRITABLE);
	ck_assert_int_eq(second.events, WEFT_WRITABLE);
	ck_assert_int_eq(reader.calls, 0);
	close(ends[0]);                 /* an error: counts as readable */
	poll_now();
	ck_assert_int_eq(reader.calls, 1);
	ck_assert_int_eq(reader.events & WEFT_READABLE, WEFT_READABLE);
	ck_assert_int_eq(writer.calls, 1);
	weft__slot_close(&reactor, slot);
	close(ends[1]);
}
END_TEST

static int replaced, replacement;

static void
replace_it(struct weft__waiter *waiter, int events)
{
	note_events(waiter, events);
	ck_assert_int_eq(dup2(replacement, replaced), replaced);
}

/* Foreign code does that, before the next one waits or while one is told. */
START_TEST(a_descriptor_that_becomes_a_directory_or_a_file_wakes_all)
{
	struct once reader, writer;
	struct weft__slot *slot;
	char path[] = "/tmp/weft-check-XXXXXX";
	int ends[2];

	replacement = _i < 2 ? open("/", O_RDONLY) : mkstemp(path);
	ck_assert_int_ge(replacement, 0);
	unlink(path);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	replaced = ends[0];
	slot = weft__slot_open(&reactor, ends[0], WEFT__ONCE);
	wait_once(slot, &reader, WEFT_READABLE);
	if (_i % 2 == 0)
		ck_assert_int_eq(dup2(replacement, replaced), replaced);
	wait_once(slot, &writer, WEFT_WRITABLE);
	if (_i % 2 == 1)
		writer.waiter.ready = replace_it;
	poll_times(3);
	ck_assert_int_eq(reader.calls, 1);
	ck_assert_int_eq(reader.events & WEFT_READABLE, WEFT_READABLE);
	if (writer.calls == 0) {        /* it found nothing to wait for */
		ck_assert_int_eq(slot->mode, WEFT__ALWAYS);
		weft__slot_remove(slot, &writer.waiter);
	}
	weft__slot_close(&reactor, slot);
	close(ends[0]);
	close(ends[1]);
	close(replacement);
}
END_TEST

START_TEST(a_waiter_that_was_removed_is_not_told)
{
	struct once waiters[5];
	struct weft__slot *slot;
	int ends[2];

	make_pipe(ends);
	slot = weft__slot_open(&reactor, ends[0], WEFT__ONCE);
	for (int i = 0; i < 5; i++)
		wait_once(slot, &waiters[i], WEFT_READABLE);
	weft__slot_remove(slot, &waiters[0].waiter);
	weft__slot_remove(slot, &waiters[2].waiter);
	weft__slot_remove(slot, &waiters[4].waiter);
	put_byte(ends[1]);
	poll_now();
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(waiters[i].calls, i % 2);
	ck_assert_ptr_null(slot->waiters);
	weft__slot_close(&reactor, slot);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(a_regular_file_is_always_ready)
{
	struct weft__slot *slot;
	struct once once;
	int fd = open("/", O_RDONLY);

	slot = weft__slot_open(&reactor, fd, WEFT__ONCE);
	wait_once(slot, &once, WEFT_READABLE);
	if (slot->mode == WEFT__ALWAYS) {
		ck_assert(edges);
		weft__slot_remove(slot, &once.waiter);
	} else {
		poll_now();
		ck_assert_int_eq(once.events, WEFT_READABLE);
	}
	weft__slot_close(&reactor, slot);
	close(fd);
}
END_TEST

START_TEST(a_rest_takes_a_slot_out_until_the_next_want)
{
	struct listener listener;
	struct weft__slot *slot;
	int ends[2];

	make_pipe(ends);
	slot = open_slot(ends[0], WEFT__EDGE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	weft__slot_rest(&reactor, slot);
	weft__slot_rest(&reactor, slot);
	put_byte(ends[1]);
	close(ends[1]);
	poll_now();
	ck_assert_int_eq(listener.calls, 0);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	poll_now();
	ck_assert_int_eq(listener.calls, 1);
}
END_TEST

/* --- any sequence of operations, with poll(2) as the oracle */

enum { PIPES = 12, STEPS = 5000 };

static struct {
	int ends[2];
	struct once once;
	bool waits;
	bool taken;             /* it was ready while it was waited for */
} pipes[PIPES];

static uint32_t
dice(uint32_t sides)
{
	static uint32_t state = 88172645u;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % sides;
}

static bool
readable(int fd)
{
	return weft__slot_probe(fd, WEFT_READABLE) == WEFT_READABLE;
}

/* Some kernels report a one-time event of kqueue as it was when it came. */
static bool
may_be_late(int i)
{
	return strcmp(weft__reactor_name(&reactor), "kqueue") == 0 &&
	    pipes[i].waits && pipes[i].taken;
}

static void
look(int i)
{
	int calls = pipes[i].once.calls;
	bool ready = pipes[i].waits && readable(pipes[i].ends[0]);

	ck_assert_msg(calls == ready || (calls == 1 && may_be_late(i)),
	    "pipe %d is %sready and was told %d times", i, ready ? "" : "not ", calls);
	pipes[i].once.calls = 0;
	pipes[i].waits &= calls == 0;
}

static void
step(int i)
{
	int fd = pipes[i].ends[0];
	struct weft__slot *slot = weft__slot_find(&reactor, fd);

	switch (dice(5)) {
	case 0:
		if (slot == NULL)
			slot = weft__slot_open(&reactor, fd, WEFT__ONCE);
		if (pipes[i].waits)
			break;
		wait_once(slot, &pipes[i].once, WEFT_READABLE);
		pipes[i].waits = true;
		pipes[i].taken = false;
		break;
	case 1:         /* gives up */
		if (slot == NULL)
			break;
		if (pipes[i].waits)
			weft__slot_remove(slot, &pipes[i].once.waiter);
		pipes[i].waits = false;
		weft__slot_close(&reactor, slot);
		break;
	case 2:
		if (!readable(fd))
			put_byte(pipes[i].ends[1]);
		break;
	case 3:
		if (readable(fd)) {
			take_byte(fd);
			pipes[i].taken = true;
		}
		break;
	default:
		poll_now();
		for (int n = 0; n < PIPES; n++)
			look(n);
	}
}

START_TEST(whatever_was_done_who_waits_is_told_what_is_ready_and_nobody_else)
{
	for (int i = 0; i < PIPES; i++)
		make_pipe(pipes[i].ends);
	for (int n = 0; n < STEPS; n++)
		step((int)dice(PIPES));
	ck_assert_uint_eq(reactor.stats.stale_events, 0);
	ck_assert_uint_eq(reactor.stats.spins, 0);
	for (int i = 0; i < PIPES; i++) {
		struct weft__slot *slot = weft__slot_find(&reactor, pipes[i].ends[0]);

		if (slot != NULL)
			weft__slot_close(&reactor, slot);
		close(pipes[i].ends[0]);
		close(pipes[i].ends[1]);
	}
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("modes");
	TCase *tc = test_case_unclean(suite, "modes");

	(void)backend;
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, EDGE_reports_each_arrival_once);
	tcase_add_test(tc, EDGE_data_and_the_end_come_together);
	tcase_add_test(tc, EDGE_a_hang_up_that_nobody_asks_about_is_told_once);
	tcase_add_test(tc, LEVEL_reports_as_long_as_it_is_so);
	tcase_add_test(tc, LEVEL_rests_when_nobody_cares_and_spins_at_most_once);
	tcase_add_test(tc, LEVEL_rests_for_what_nobody_waits_for_and_others_still_wait);
	tcase_add_test(tc, ONCE_reports_once_and_then_not_even_a_hang_up);
	tcase_add_test(tc, ONCE_those_who_wait_for_something_else_still_do);
	tcase_add_loop_test(tc, a_descriptor_that_becomes_a_directory_or_a_file_wakes_all,
	    0, 4);
	tcase_add_test(tc, a_waiter_that_was_removed_is_not_told);
	tcase_add_test(tc, a_regular_file_is_always_ready);
	tcase_add_test(tc, a_rest_takes_a_slot_out_until_the_next_want);
	tcase_add_test(tc,
	    whatever_was_done_who_waits_is_told_what_is_ready_and_nobody_else);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
