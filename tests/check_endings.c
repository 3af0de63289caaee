/* SPDX-License-Identifier: MIT */
/*
 * tests/check_endings.c - how a connection ends while somebody waits for it, or
 * nobody does: data and end at once, one way, both ways, by a reset.
 */
#include "config.h"

#include "fiber/wait.h"
#include "reactor/compat.h"
#include "reactor/reactor.h"
#include "tests/kinds.h"

struct waiter {
	int events, result;
	struct weft_fiber *fiber;
};

static int
wait_for_it(void *arg)
{
	struct waiter *waiter = arg;

	waiter->result = weft_fd_wait(ends[0], waiter->events, soon_enough());
	return 0;
}

/* When it returns, the fiber waits. */
static void
start(struct waiter *waiter, int events)
{
	*waiter = (struct waiter){ .events = events };
	waiter->fiber = weft_spawn(wait_for_it, waiter);
	ck_assert_ok(weft_yield());
	ck_assert_int_eq(waiter->result, 0);
}

static void
join(const struct waiter *waiter)
{
	ck_assert_ok(weft_join(waiter->fiber, NULL, soon_enough()));
	ck_assert_int_eq(waiter->result, waiter->events);
}

/* Time for what must not happen. */
static void
turn_a_while(void)
{
	ck_assert_ok(weft_sleep(weft_after(2)));
}

static void
assert_asleep(const char *what, int how)
{
	uint64_t polls;

	turn_a_while();
	polls = loop_stats().polls;
	ck_assert_ok(weft_sleep(weft_after(3)));
	ck_assert_msg(loop_stats().polls < polls + 5, "%s, %d: %d polls in 3 ms",
	    what, how, (int)(loop_stats().polls - polls));
}

static void
drain(int fd)
{
	static char bytes[65536];

	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (read(fd, bytes, sizeof bytes) > 0)
		;
}

static void (*const openers[])(int [2]) = { tcp, unix_stream, reading_end, fifo };
enum { ONE_WAY = 4, BOTH_WAYS = 2 };    /* of these */

static void
open_ends(int i)
{
	ends[0] = ends[1] = -1;
	openers[i](ends);
}

/* --- for those who wait */

START_TEST(data_and_the_end_in_one_event_are_both_seen)
{
	struct waiter waiter;
	char bytes[8];

	open_ends(_i);
	start(&waiter, WEFT_READABLE);
	act(ends, DATA | DROP);
	join(&waiter);
	ck_assert_int_eq(read(ends[0], bytes, sizeof bytes), 4);
	ck_assert_int_eq(weft_fd_wait(ends[0], WEFT_READABLE, soon_enough()),
	    WEFT_READABLE);
	ck_assert_int_eq(read(ends[0], bytes, sizeof bytes), 0);
	close_kind();
}
END_TEST

static int heard, calls;

static bool
hear(void *arg, int events)
{
	(void)arg;
	heard |= events;
	calls++;
	return true;
}

static struct weft__slot *
own(int events)
{
	struct weft__slot *slot = weft__fd_own(weft__loop(), ends[0], hear, NULL);

	heard = calls = 0;
	if (slot != NULL && weft__fd_want(weft__loop(), slot, events) != 0) {
		weft__fd_disown(weft__loop(), slot);
		return NULL;
	}
	return slot;
}

/* Not every poll(2) tells of the end of what the peer of a TCP connection says. */
static int
the_end(int way)
{
	bool told = WEFT__POLLRDHUP != 0 || openers[way] != tcp ||
	    strcmp(weft_loop_backend(), "poll") != 0;

	return told ? WEFT__ENDED : 0;
}

START_TEST(a_stream_hears_of_data_and_the_end_at_once)
{
	struct weft__slot *slot;

	open_ends(_i);
	slot = own(WEFT_READABLE);
	act(ends, DATA | DROP);
	while (calls == 0)
		ck_assert_ok(weft_sleep(weft_after(1)));
	turn_a_while();
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(heard & (WEFT_READABLE | WEFT__ENDED),
	    WEFT_READABLE | the_end(_i));
	weft__fd_disown(weft__loop(), slot);
	close_kind();
}
END_TEST

START_TEST(the_end_of_what_the_peer_says_wakes_who_reads_and_not_who_writes)
{
	struct waiter reader, writer;

	open_ends(_i);
	fill(ends[0]);
	start(&writer, WEFT_WRITABLE);
	start(&reader, WEFT_READABLE);
	ck_assert_int_eq(shutdown(ends[1], SHUT_WR), 0);
	join(&reader);
	turn_a_while();
	ck_assert_int_eq(writer.result, 0);
	drain(ends[1]);
	join(&writer);
	close_kind();
}
END_TEST

START_TEST(the_end_of_what_we_say_wakes_nobody_who_reads)
{
	struct waiter reader;

	open_ends(_i);
	start(&reader, WEFT_READABLE);
	ck_assert_int_eq(shutdown(ends[0], SHUT_WR), 0);
	turn_a_while();
	ck_assert_int_eq(reader.result, 0);
	act(ends, DATA);
	join(&reader);
	close_kind();
}
END_TEST

START_TEST(the_end_of_both_ways_wakes_all)
{
	struct waiter reader, writer;

	open_ends(_i);
	fill(ends[0]);
	start(&writer, WEFT_WRITABLE);
	start(&reader, WEFT_READABLE);
	ck_assert_int_eq(shutdown(ends[1], SHUT_WR), 0);
	join(&reader);
	ck_assert_int_eq(shutdown(ends[0], SHUT_WR), 0);
	join(&writer);
	assert_asleep("both ways", _i);
	close_kind();
}
END_TEST

START_TEST(a_reset_wakes_all_and_is_an_error_once)
{
	struct waiter reader, writer;
	char byte;

	open_ends(0);
	fill(ends[0]);
	start(&writer, WEFT_WRITABLE);
	start(&reader, WEFT_READABLE);
	act(ends, RESET);
	join(&reader);
	join(&writer);
	ck_assert_fails(read(ends[0], &byte, 1), ECONNRESET);
	ck_assert_int_eq(read(ends[0], &byte, 1), 0);
	ck_assert_int_eq(weft_fd_wait(ends[0], 3, soon_enough()), 3);
	close_kind();
}
END_TEST

START_TEST(who_waits_by_another_number_of_the_same_file_is_woken_too)
{
	struct waiter first, second;
	int others[2];

	open_ends(_i);
	start(&first, WEFT_READABLE);
	others[0] = ends[0];
	ends[0] = others[1] = dup(ends[0]);
	start(&second, WEFT_READABLE);
	act(ends, DATA);
	join(&first);
	join(&second);
	ck_assert_ok(weft_fd_close(others[1]));
	ends[0] = others[0];
	ck_assert_int_eq(weft_fd_wait(ends[0], WEFT_READABLE, soon_enough()),
	    WEFT_READABLE);
	close_kind();
}
END_TEST

/* --- for those who do not: every kind, before and after what happens to it */

START_TEST(what_happens_to_a_stream_that_nobody_reads_is_told_and_then_it_is_quiet)
{
	for (int events = 1; events <= 3; events++) {
		struct weft__slot *slot;

		ends[0] = ends[1] = -1;
		kinds[_i].open(ends);
		slot = own(events);
		act(ends, kinds[_i].actions);
		assert_asleep(kinds[_i].name, events);
		ck_assert_msg(calls <= 4, "%s, %d: told %d times", kinds[_i].name,
		    events, calls);
		if (slot != NULL)
			weft__fd_disown(weft__loop(), slot);
		close_kind();
	}
}
END_TEST

static int
park(void *slot)
{
	return weft__fd_park(weft__loop(), slot, WEFT_READABLE, soon_enough());
}

/* One useless report is how it is found out. */
START_TEST(what_happens_to_a_listener_that_nobody_waits_for_is_reported_once)
{
	struct weft__slot *slot;
	struct weft_fiber *fiber;
	uint64_t spins = loop_stats().spins;

	ends[0] = ends[1] = -1;
	kinds[_i].open(ends);
	slot = weft__fd_listen(weft__loop(), ends[0]);
	if (slot != NULL) {
		fiber = weft_spawn(park, slot);
		ck_assert_ok(weft_yield());
		weft_cancel(fiber);
		ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
		if (slot->mode != WEFT__UNUSED)
			act(ends, kinds[_i].actions);
		assert_asleep(kinds[_i].name, 0);
		ck_assert_uint_le(loop_stats().spins, spins + 1);
		weft__fd_disown(weft__loop(), slot);
	}
	close_kind();
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("endings");
	TCase *tc = test_case(suite, "awaited");

	(void)backend;
	tcase_add_loop_test(tc, data_and_the_end_in_one_event_are_both_seen, 0, ONE_WAY);
	tcase_add_loop_test(tc, a_stream_hears_of_data_and_the_end_at_once, 0, ONE_WAY);
	tcase_add_loop_test(tc,
	    the_end_of_what_the_peer_says_wakes_who_reads_and_not_who_writes,
	    0, BOTH_WAYS);
	tcase_add_loop_test(tc, the_end_of_what_we_say_wakes_nobody_who_reads,
	    0, BOTH_WAYS);
	tcase_add_loop_test(tc, the_end_of_both_ways_wakes_all, 0, BOTH_WAYS);
	tcase_add_test(tc, a_reset_wakes_all_and_is_an_error_once);
	tcase_add_loop_test(tc,
	    who_waits_by_another_number_of_the_same_file_is_woken_too, 0, ONE_WAY);
	tc = test_case_unclean(suite, "at rest");       /* spins are counted there */
	tcase_add_checked_fixture(tc, start_clean, NULL);
	tcase_add_loop_test(tc,
	    what_happens_to_a_stream_that_nobody_reads_is_told_and_then_it_is_quiet,
	    0, KINDS);
	tcase_add_loop_test(tc,
	    what_happens_to_a_listener_that_nobody_waits_for_is_reported_once,
	    0, KINDS);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
