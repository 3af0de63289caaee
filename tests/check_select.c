/* SPDX-License-Identifier: MIT */
/*
 * tests/check_select.c - weft_select: exactly one case is done, and nothing of
 * the others is left behind.
 */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/harness.h"
#include "weft/sync.h"

static struct weft_channel *full, *rendezvous;
static struct weft_event event;
static int ends[2], sent = 7, received;

static void
set_up(void)
{
	received = 0;
	full = weft_channel_new(sizeof(int), 1);
	rendezvous = weft_channel_new(sizeof(int), 0);
	ck_assert_ok(weft_channel_send(full, &sent, WEFT_NOWAIT));
	ck_assert_ok(weft_event_init(&event));
	ck_assert_int_eq(pipe(ends), 0);
}

static void
tear_down(void)
{
	weft_channel_free(full);
	weft_channel_free(rendezvous);
	ck_assert_ok(weft_event_destroy(&event));
	weft_fd_close(ends[0]);
	weft_fd_close(ends[1]);
}

static int
sleep_for_ever(void *arg)
{
	(void)arg;
	weft_sleep(WEFT_NEVER);
	return 42;
}

static struct weft_fiber *sleeper;

/* One of each kind, none of which can be done at once. */
enum { SEND, RECEIVE, FD, EVENT, JOIN, KINDS };

static void
make_cases(struct weft_case *cases)
{
	sleeper = weft_spawn(sleep_for_ever, NULL);
	ck_assert_ok(weft_yield());
	cases[SEND] = (struct weft_case){ .kind = WEFT_CASE_SEND, .channel = full,
	    .item = &sent };
	cases[RECEIVE] = (struct weft_case){ .kind = WEFT_CASE_RECEIVE,
	    .channel = rendezvous, .item = &received };
	cases[FD] = (struct weft_case){ .kind = WEFT_CASE_FD, .fd = ends[0],
	    .events = WEFT_READABLE };
	cases[EVENT] = (struct weft_case){ .kind = WEFT_CASE_EVENT, .event = &event };
	cases[JOIN] = (struct weft_case){ .kind = WEFT_CASE_JOIN, .fiber = sleeper };
}

static void
end_sleeper(void)
{
	ck_assert_ok(weft_cancel(sleeper));
	ck_assert_ok(weft_join(sleeper, NULL, soon_enough()));
}

static const int expected_result[KINDS] = { 0, 1, WEFT_READABLE, 0, 42 };

/* Makes it possible to do one of the cases. */
static void
enable(int which)
{
	int item;

	switch (which) {
	case SEND:
		ck_assert_int_eq(weft_channel_receive(full, &item, WEFT_NOWAIT), 1);
		break;
	case RECEIVE:
		ck_assert_ok(weft_channel_send(rendezvous, &sent, WEFT_NOWAIT));
		break;
	case FD:
		ck_assert_int_eq(write(ends[1], "x", 1), 1);
		break;
	case EVENT:
		ck_assert_ok(weft_event_set(&event));
		break;
	case JOIN:
		ck_assert_ok(weft_cancel(sleeper));
		break;
	}
}

/* Nobody waits on anything, and nothing was taken that was not the done one. */
static void
assert_nothing_left(int done)
{
	int item = 1, count = 0;

	ck_assert_fails(weft_channel_send(rendezvous, &item, WEFT_NOWAIT), EAGAIN);
	while (weft_channel_receive(full, &item, WEFT_NOWAIT) == 1)
		count++;
	ck_assert_int_eq(count, 1);
	ck_assert_int_eq(weft_fd_wait(ends[0], WEFT_READABLE, WEFT_NOWAIT) ==
	    WEFT_READABLE, done == FD);
	ck_assert_ok(weft_event_destroy(&event));
	if (done != JOIN)
		end_sleeper();
}

struct enabler {
	int which;
	struct weft_fiber *fiber;
};

static int
enable_later(void *arg)
{
	const struct enabler *e = arg;

	for (int i = 0; i < 3; i++)
		ck_assert_ok(weft_yield());
	enable(e->which);
	return 0;
}

START_TEST(each_kind_ends_the_wait_with_what_the_plain_call_returns)
{
	struct weft_case cases[KINDS];
	struct enabler e = { .which = _i };

	make_cases(cases);
	e.fiber = weft_spawn(enable_later, &e);
	ck_assert_gives(weft_select(cases, KINDS, soon_enough()), _i);
	ck_assert_int_eq(cases[_i].result, expected_result[_i]);
	ck_assert_int_eq(received, _i == RECEIVE ? 7 : 0);
	ck_assert_ok(weft_join(e.fiber, NULL, soon_enough()));
	assert_nothing_left(_i);
}
END_TEST

static int
send_seven(void *arg)
{
	(void)arg;
	return weft_channel_send(rendezvous, &sent, WEFT_NEVER);
}

START_TEST(each_kind_is_done_at_once_if_it_can_be)
{
	static const int64_t deadlines[] = { WEFT_NOWAIT, WEFT_NEVER, 1 };
	struct weft_fiber *sender = NULL;
	struct weft_case cases[KINDS];
	int which = _i % KINDS;

	make_cases(cases);
	if (which == RECEIVE)
		sender = weft_spawn(send_seven, NULL);
	else
		enable(which);
	for (int i = 0; i < 3; i++)
		ck_assert_ok(weft_yield());
	ck_assert_gives(weft_select(cases, KINDS, deadlines[_i / KINDS]), which);
	ck_assert_int_eq(cases[which].result, expected_result[which]);
	if (sender != NULL)
		ck_assert_ok(weft_join(sender, NULL, soon_enough()));
	assert_nothing_left(which);
}
END_TEST

START_TEST(a_failed_select_leaves_nothing_behind)
{
	static const int errors[] = { EAGAIN, ETIMEDOUT, ETIMEDOUT };
	int64_t deadlines[] = { WEFT_NOWAIT, weft_after(-1), weft_after(3) };
	struct weft_case cases[KINDS];

	make_cases(cases);
	ck_assert_fails(weft_select(cases, KINDS, deadlines[_i]), errors[_i]);
	ck_assert_int_ge(weft_now(), deadlines[_i]);
	assert_nothing_left(-1);
}
END_TEST

static int
select_and_tell(void *arg)
{
	int *error = arg;
	struct weft_case cases[KINDS];
	int done;

	make_cases(cases);
	done = weft_select(cases, KINDS, WEFT_NEVER);
	*error = done < 0 ? errno : 1000 + done;
	return 0;
}

START_TEST(a_cancel_ends_a_select_of_every_kind)
{
	int error = 0;
	struct weft_fiber *fiber = weft_spawn(select_and_tell, &error);

	for (int i = 0; i < 5; i++)
		ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(fiber));
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	ck_assert_int_eq(error, ECANCELED);
	assert_nothing_left(-1);
}
END_TEST

START_TEST(of_several_that_come_before_it_runs_only_the_first_is_done)
{
	int which[2] = { _i / KINDS, _i % KINDS }, done = 0;
	struct weft_fiber *fiber;

	/* A descriptor is reported in a turn, a fiber ends when it has run. */
	if (which[0] == which[1] || which[0] == FD || which[0] == JOIN)
		return;
	fiber = weft_spawn(select_and_tell, &done);
	for (int i = 0; i < 5; i++)
		ck_assert_ok(weft_yield());
	enable(which[0]);
	if (which[1] == RECEIVE)                /* nobody is there any more */
		ck_assert_fails(weft_channel_send(rendezvous, &sent, WEFT_NOWAIT), EAGAIN);
	else if (which[1] != JOIN)
		enable(which[1]);
	ck_assert_ok(weft_cancel(fiber));       /* too late as well */
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	ck_assert_int_eq(done, 1000 + which[0]);
	if (which[1] == SEND)                   /* the place is still free */
		ck_assert_ok(weft_channel_send(full, &sent, WEFT_NOWAIT));
	ck_assert_ok(weft_event_clear(&event));
	assert_nothing_left(which[1] == FD ? FD : which[0]);
}
END_TEST

/* --- what cannot be right */

START_TEST(bad_arguments_fail_and_nothing_is_done)
{
	struct weft_case good = { .kind = WEFT_CASE_RECEIVE, .channel = full,
	    .item = &received };
	struct weft_case bad[] = {
		{ .kind = 0 },
		{ .kind = (enum weft_case_kind)6 },
		{ .kind = WEFT_CASE_SEND },
		{ .kind = WEFT_CASE_RECEIVE },
		{ .kind = WEFT_CASE_EVENT },
		{ .kind = WEFT_CASE_FD, .fd = ends[0], .events = 0 },
		{ .kind = WEFT_CASE_FD, .fd = ends[0], .events = 4 },
		{ .kind = WEFT_CASE_JOIN },
	};

	ck_assert_fails(weft_select(&good, 0, WEFT_NEVER), EINVAL);
	ck_assert_fails(weft_select(&good, -1, WEFT_NEVER), EINVAL);
	ck_assert_fails(weft_select(NULL, 1, WEFT_NEVER), EINVAL);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct weft_case cases[] = { good, bad[i], good };

		ck_assert_fails(weft_select(cases, 3, WEFT_NEVER), EINVAL);
	}
	ck_assert_int_eq(weft_channel_receive(full, &received, WEFT_NOWAIT), 1);
}
END_TEST

START_TEST(a_fiber_is_joined_by_one_and_not_by_itself)
{
	struct weft_case cases[2] = { { .kind = WEFT_CASE_JOIN, .fiber = weft_self() } };

	ck_assert_fails(weft_select(cases, 1, WEFT_NEVER), EDEADLK);
	sleeper = weft_spawn(sleep_for_ever, NULL);
	cases[0].fiber = sleeper;
	cases[1] = cases[0];
	ck_assert_fails(weft_select(cases, 2, WEFT_NEVER), EINVAL);
	end_sleeper();
}
END_TEST

/* --- cases that are done by failing */

START_TEST(a_case_that_fails_is_done_and_says_why)
{
	struct weft_case cases[] = {
		{ .kind = WEFT_CASE_SEND, .channel = full, .item = &sent },
		{ .kind = WEFT_CASE_FD, .fd = -1, .events = WEFT_READABLE },
		{ .kind = WEFT_CASE_FD, .fd = 4000, .events = WEFT_WRITABLE },
	};

	ck_assert_ok(weft_channel_close(full));
	for (int i = 0; i < 3; i++) {
		errno = 0;
		ck_assert_int_eq(weft_select(&cases[i], 1, WEFT_NEVER), 0);
		ck_assert_int_eq(cases[i].result, -1);
		ck_assert_int_eq(errno, i == 0 ? EPIPE : EBADF);
	}
	cases[0].kind = WEFT_CASE_RECEIVE;
	ck_assert_int_eq(weft_channel_receive(full, &received, WEFT_NOWAIT), 1);
	ck_assert_gives(weft_select(cases, 1, WEFT_NEVER), 0);
	ck_assert_int_eq(cases[0].result, 0);   /* closed and empty */
}
END_TEST

static int
break_something(void *arg)
{
	const struct enabler *e = arg;

	switch (e->which) {
	case 0:
		weft_channel_close(full);
		break;
	case 1:
		weft_channel_close(rendezvous);
		break;
	case 2:
		weft_channel_free(full);
		full = NULL;
		break;
	case 3:
		weft_fd_forget(ends[0]);
		break;
	}
	return 0;
}

START_TEST(what_is_closed_while_waiting_ends_the_wait)
{
	static const int index[] = { SEND, RECEIVE, SEND, FD };
	static const int results[] = { -1, 0, -1, -1 };
	static const int errors[] = { EPIPE, 0, EBADF, EBADF };
	struct weft_case cases[KINDS];
	struct enabler e = { .which = _i };

	make_cases(cases);
	ck_assert_ok(weft_go(break_something, &e));
	errno = 0;
	ck_assert_int_eq(weft_select(cases, KINDS, soon_enough()), index[_i]);
	ck_assert_int_eq(errno, errors[_i]);
	ck_assert_int_eq(cases[index[_i]].result, results[_i]);
	end_sleeper();
}
END_TEST

/* --- descriptors */

START_TEST(one_descriptor_may_be_in_several_cases)
{
	struct weft_case cases[] = {
		{ .kind = WEFT_CASE_FD, .fd = ends[0], .events = WEFT_READABLE },
		{ .kind = WEFT_CASE_FD, .fd = ends[0], .events = WEFT_READABLE },
		{ .kind = WEFT_CASE_EVENT, .event = &event },
	};
	struct enabler e = { .which = FD };
	int done;

	ck_assert_ok(weft_go(enable_later, &e));
	done = weft_select(cases, 3, soon_enough());
	ck_assert(done == 0 || done == 1);
	ck_assert_int_eq(cases[done].result, WEFT_READABLE);
}
END_TEST

static void
set_event(void *arg)
{
	ck_assert_ok(weft_event_set(arg));
}

/* What is posted runs before the poll of the same turn, which there is because
 * the main fiber waits for a descriptor too. */
START_TEST(a_descriptor_that_comes_second_in_a_turn_is_not_done)
{
	int done = 0, others[2];
	struct weft_fiber *fiber = weft_spawn(select_and_tell, &done);

	ck_assert_int_eq(pipe(others), 0);
	for (int i = 0; i < 5; i++)
		ck_assert_ok(weft_yield());
	enable(FD);
	ck_assert_int_eq(write(others[1], "x", 1), 1);
	ck_assert_ok(weft_post(weft_loop_self(), set_event, &event));
	ck_assert_int_eq(weft_fd_wait(others[0], WEFT_READABLE, soon_enough()),
	    WEFT_READABLE);
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	ck_assert_int_eq(done, 1000 + EVENT);
	assert_nothing_left(FD);
	close(others[0]);
	close(others[1]);
}
END_TEST

/* Or the poller would report it, and nothing would come of it: assert_clean
 * counts that. */
START_TEST(a_descriptor_that_was_not_done_is_forgotten)
{
	struct weft_case cases[KINDS];
	struct enabler e = { .which = EVENT };

	make_cases(cases);
	ck_assert_ok(weft_go(enable_later, &e));
	ck_assert_int_eq(weft_select(cases, KINDS, soon_enough()), EVENT);
	enable(FD);
	ck_assert_ok(weft_sleep(weft_after(3)));
	end_sleeper();
}
END_TEST

static void *
write_later(void *arg)
{
	usleep(5000);
	return write(*(int *)arg, "x", 1) == 1 ? NULL : arg;
}

START_TEST(a_descriptor_alone_is_worth_waiting_for)
{
	struct weft_case c = { .kind = WEFT_CASE_FD, .fd = ends[0],
	    .events = WEFT_READABLE };
	pthread_t thread;
	void *result;

	ck_assert_int_eq(pthread_create(&thread, NULL, write_later, &ends[1]), 0);
	ck_assert_gives(weft_select(&c, 1, WEFT_NEVER), 0);
	ck_assert_int_eq(c.result, WEFT_READABLE);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert(result == NULL);
}
END_TEST

START_TEST(a_regular_file_is_always_ready)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	struct weft_case c = { .kind = WEFT_CASE_FD, .fd = fd,
	    .events = WEFT_READABLE | WEFT_WRITABLE };

	ck_assert_gives(weft_select(&c, 1, WEFT_NEVER), 0);
	ck_assert_int_eq(c.result, WEFT_READABLE | WEFT_WRITABLE);
	close(fd);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("select");
	TCase *tc = test_case(suite, "select");

	(void)backend;
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, each_kind_ends_the_wait_with_what_the_plain_call_returns, 0, KINDS);
	tcase_add_loop_test(tc, each_kind_is_done_at_once_if_it_can_be, 0, 3 * KINDS);
	tcase_add_loop_test(tc, a_failed_select_leaves_nothing_behind, 0, 3);
	tcase_add_test(tc, a_cancel_ends_a_select_of_every_kind);
	tcase_add_loop_test(tc, of_several_that_come_before_it_runs_only_the_first_is_done, 0, KINDS * KINDS);
	tcase_add_test(tc, bad_arguments_fail_and_nothing_is_done);
	tcase_add_test(tc, a_fiber_is_joined_by_one_and_not_by_itself);
	tcase_add_test(tc, a_case_that_fails_is_done_and_says_why);
	tcase_add_loop_test(tc, what_is_closed_while_waiting_ends_the_wait, 0, 4);
	tcase_add_test(tc, one_descriptor_may_be_in_several_cases);
	tcase_add_test(tc, a_descriptor_that_comes_second_in_a_turn_is_not_done);
	tcase_add_test(tc, a_descriptor_that_was_not_done_is_forgotten);
	tcase_add_test(tc, a_descriptor_alone_is_worth_waiting_for);
	tcase_add_test(tc, a_regular_file_is_always_ready);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
