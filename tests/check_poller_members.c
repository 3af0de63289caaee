/* SPDX-License-Identifier: MIT */
/*
 * tests/check_poller_members.c - who is registered with a poller and how that
 * ends: closing and freeing behind its back, and other fibers.
 */
#include "config.h"

#include "tests/children.h"
#include "tests/polled.h"

/* --- registering */

START_TEST(what_can_never_be_right_is_refused)
{
	struct weft_stream *pipe[2], *s = weft_memory_open(), *closed = weft_memory_open();
	struct weft_poller *other = weft_poller_new(WEFT_LINES);
	struct weft_poll_event event;

	ck_assert_null(weft_poller_new(0), EINVAL);
	ck_assert_null(weft_poller_new(WEFT_BYTES | WEFT_LINES), EINVAL);
	weft_poller_free(NULL);
	begin_story(WEFT_BYTES);
	ck_assert_fails(weft_poller_poll(poller, &event, 0, WEFT_NOWAIT), EINVAL);
	ck_assert_ok(weft_pipe_pair(pipe));
	ck_assert_fails(weft_poller_register(poller, pipe[1]), ENOTSUP);
	ck_assert_ok(weft_stream_close(closed, WEFT_NEVER));
	ck_assert_fails(weft_poller_register(poller, closed), EBADF);
	ck_assert_gives(weft_poller_unregister(poller, s), 0);
	watch_as(0, s);
	watch_as(0, s);                 /* twice is once */
	ck_assert_fails(weft_poller_register(other, s), EBUSY);
	ck_assert_gives(weft_poller_unregister(other, s), 0);
	ck_assert_ok(weft_memory_feed(s, "x", 1));
	tell_lines(1, 8);
	ends_as("a data x\n");
	ck_assert_gives(weft_poller_unregister(poller, s), 0);
	ck_assert_gives(weft_poller_register(other, s), 0);
	weft_poller_free(other);
	watch_as(0, s);                 /* which is free again */
	weft_poller_free(poller);
	weft_stream_free(s);
	weft_stream_free(closed);
	free_ends(pipe);
}
END_TEST

START_TEST(nobody_who_could_have_news_is_a_deadlock)
{
	struct weft_poll_event event;

	begin_story(WEFT_BYTES);
	ck_assert_fails(weft_poller_poll(poller, &event, 1, WEFT_NEVER), EDEADLK);
	weft_poller_free(poller);
}
END_TEST

START_TEST(unregistered_it_keeps_what_has_come)
{
	struct weft_stream *ends[2];

	open_way(_i, ends);
	begin_story(WEFT_LINES);
	watch_as(0, ends[1]);
	write_all(ends[0], "one\ntwo\npart", 12);
	tell_lines(1, 1);
	ck_assert_str_eq(story, "a line one\n");
	ck_assert_gives(weft_poller_unregister(poller, ends[1]), 0);
	expect_text(ends[1], "two\npart");
	weft_poller_free(poller);
	free_ends(ends);
}
END_TEST

/* --- closing behind its back */

static struct weft_stream *victim;

static int
close_victim(void *arg)
{
	(void)arg;
	return weft_stream_close(victim, soon_enough());
}

static int
free_victim(void *arg)
{
	(void)arg;
	weft_stream_free(victim);
	return 0;
}

START_TEST(closed_by_another_fiber_it_is_told_once)
{
	struct weft_stream *ends[2];
	struct weft_fiber *fiber;

	open_way(_i, ends);
	begin_story(WEFT_BYTES);
	watch_as(0, ends[1]);
	victim = ends[1];
	fiber = begin(close_victim, NULL);
	tell_lines(1, 8);
	ck_assert_int_eq(end(fiber), 0);
	ends_as("a closed\n");
	weft_poller_free(poller);
	free_ends(ends);
}
END_TEST

START_TEST(freed_it_is_forgotten_in_silence)
{
	struct weft_stream *ends[2];
	struct weft_fiber *fiber;

	open_way(_i, ends);
	begin_story(WEFT_BYTES);
	watch_as(0, ends[1]);
	write_all(ends[0], "x", 1);
	tell_lines(1, 8);
	victim = ends[1];
	fiber = begin(free_victim, NULL);
	ck_assert_gives(poll_and_tell(8, weft_after(2)), 0);
	ck_assert_int_eq(end(fiber), 0);
	ends_as("a data x\n");
	weft_poller_free(poller);
	weft_stream_free(ends[0]);
}
END_TEST

START_TEST(data_lives_until_the_next_poll_whatever_becomes_of_the_stream)
{
	struct weft_stream *ends[2], *other = weft_memory_open();
	struct weft_poll_event events[4];

	open_way(_i, ends);
	begin_story(WEFT_LINES);
	watch_as(0, ends[1]);
	write_all(ends[0], "quit\nmore\npart", 14);
	ck_assert_ok(weft_sleep(weft_after(2)));
	ck_assert_int_eq(weft_poller_poll(poller, events, 4, soon_enough()), 2);
	if (_i & 1)
		ck_assert_ok(weft_stream_close(ends[1], WEFT_NOWAIT));
	free_ends(ends);
	/* Another one would get that memory. */
	ck_assert_ok(weft_memory_feed(other, "XXXXXXXXXXXXXXXX\n", 17));
	expect_line(other, "XXXXXXXXXXXXXXXX\n");
	ck_assert_mem_eq(events[0].data, "quit\n", 5);
	ck_assert_mem_eq(events[1].data, "more\n", 5);
	weft_poller_free(poller);
	weft_stream_free(other);
}
END_TEST

START_TEST(close_all_flushes_closes_and_tells_nothing)
{
	struct weft_stream *ends[2], *s = weft_memory_open();
	struct weft_server *server = weft_tcp_listen("127.0.0.1", "0", NULL);

	open_both(_i, ends);
	begin_story(WEFT_BYTES);
	watch_as(0, ends[1]);
	watch_as(1, s);
	ck_assert_ok(weft_poller_add_server(poller, server));
	ck_assert_ok(weft_stream_set_coalescing(ends[1], true));
	write_all(ends[1], "bye", 3);
	ck_assert_gives(weft_poller_close_all(poller), 0);
	ck_assert(weft_stream_closed(ends[1]) && weft_stream_closed(s));
	ck_assert_fails(weft_server_fd(server), EBADF);
	ends_as("");
	expect_text(ends[0], "bye");
	weft_poller_free(poller);
	weft_server_free(server);
	weft_stream_free(s);
	free_ends(ends);
}
END_TEST

/* --- fibers */

static ssize_t polled;
static int poll_errno;

static int
poll_in_fiber(void *arg)
{
	struct weft_poll_event event;

	(void)arg;
	polled = weft_poller_poll(poller, &event, 1, soon_enough());
	poll_errno = polled < 0 ? errno : 0;
	return 0;
}

START_TEST(one_polls_at_a_time_and_can_be_cancelled_or_freed)
{
	struct weft_stream *ends[2];
	struct weft_poll_event event;
	struct weft_fiber *fiber;

	open_way(_i, ends);
	begin_story(WEFT_BYTES);
	watch_as(0, ends[1]);
	fiber = begin(poll_in_fiber, NULL);
	ck_assert_ok(weft_yield());
	ck_assert_fails(weft_poller_poll(poller, &event, 1, WEFT_NOWAIT), EBUSY);
	ck_assert_ok(weft_cancel(fiber));
	end(fiber);
	ck_assert_int_eq(poll_errno, ECANCELED);
	fiber = begin(poll_in_fiber, NULL);
	ck_assert_ok(weft_yield());
	weft_poller_free(poller);
	end(fiber);
	ck_assert_int_eq(poll_errno, EBADF);
	ck_assert(!weft_stream_closed(ends[1]));
	free_ends(ends);
}
END_TEST

START_TEST(who_is_registered_while_somebody_polls_is_polled)
{
	struct weft_stream *ends[2];
	struct weft_fiber *fiber;

	open_way(_i, ends);
	begin_story(WEFT_BYTES);
	fiber = begin(poll_in_fiber, NULL);
	ck_assert_ok(weft_yield());
	watch_as(0, ends[1]);
	ck_assert_ok(weft_yield());
	write_all(ends[0], "x", 1);
	end(fiber);
	ck_assert_int_eq(polled, 1);
	weft_poller_free(poller);
	free_ends(ends);
}
END_TEST

START_TEST(an_enclosing_deadline_is_an_error)
{
	struct weft_stream *ends[2];
	struct weft_poll_event event;

	open_way(_i, ends);
	begin_story(WEFT_BYTES);
	watch_as(0, ends[1]);
	ck_assert_ok(weft_deadline_push(weft_after(2)));
	ck_assert_fails(weft_poller_poll(poller, &event, 1, soon_enough()), ETIMEDOUT);
	weft_deadline_pop();
	weft_poller_free(poller);
	free_ends(ends);
}
END_TEST

/* --- a fork while somebody polls */

static int
poll_for_one(void *event)
{
	return (int)weft_poller_poll(poller, event, 1, soon_enough());
}

static void
poll_in_the_child(void *arg)
{
	struct weft_stream **ends = arg;
	struct weft_poll_event event = { .kind = 0 };

	errno = 0;
	MUST(weft_poller_poll(poller, &event, 1, WEFT_NEVER) < 0 && errno == ECHILD);
	MUST(weft_poller_poll(poller, &event, 1, WEFT_NOWAIT) < 0 && errno == ECHILD);
	MUST(weft_loop_after_fork() == 0);
	/* Whoever polled is not here. */
	MUST(weft_poller_poll(poller, &event, 1, weft_after(2)) == 0);
	MUST(weft_stream_write(ends[0], "child", 5, soon_enough()) == 5);
	MUST(weft_poller_poll(poller, &event, 1, weft_after(3000)) == 1);
	MUST(event.kind == WEFT_POLL_DATA && event.stream == ends[1]);
	MUST(event.length == 5 && memcmp(event.data, "child", 5) == 0);
	weft_poller_free(poller);
}

START_TEST(a_fork_in_mid_poll_leaves_the_child_a_poller_of_its_own)
{
	struct weft_poll_event event = { .kind = 0 };
	struct weft_stream *ends[2];
	struct weft_fiber *fiber;

	open_both(_i, ends);
	begin_story(WEFT_BYTES);
	watch_as(0, ends[1]);
	fiber = begin(poll_for_one, &event);
	turns(2);
	in_child(poll_in_the_child, ends);
	write_all(ends[0], "parent", 6);
	ck_assert_int_eq(end(fiber), 1);
	tell(&event);
	ends_as("a data parent\n");
	weft_poller_free(poller);
	free_ends(ends);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("poller, members");
	TCase *tc;

	(void)backend;
	tc = test_case(suite, "registering");
	tcase_add_test(tc, what_can_never_be_right_is_refused);
	tcase_add_test(tc, nobody_who_could_have_news_is_a_deadlock);
	EVERY_WAY(tc, unregistered_it_keeps_what_has_come);
	tc = test_case(suite, "closing");
	EVERY_WAY(tc, closed_by_another_fiber_it_is_told_once);
	EVERY_WAY(tc, freed_it_is_forgotten_in_silence);
	EVERY_WAY(tc, data_lives_until_the_next_poll_whatever_becomes_of_the_stream);
	tcase_add_loop_test(tc, close_all_flushes_closes_and_tells_nothing, 0, WAYS_BOTH);
	tc = test_case(suite, "fibers");
	EVERY_WAY(tc, one_polls_at_a_time_and_can_be_cancelled_or_freed);
	tcase_add_test(tc, who_is_registered_while_somebody_polls_is_polled);
	EVERY_WAY(tc, an_enclosing_deadline_is_an_error);
	tcase_add_loop_test(tc, a_fork_in_mid_poll_leaves_the_child_a_poller_of_its_own, 0,
	    WAYS_BOTH);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
