/* SPDX-License-Identifier: MIT */
/*
 * tests/check_kinds.c - readiness of every kind of descriptor in every state,
 * on every backend, with poll(2) as the oracle.
 */
#include "config.h"

#include <poll.h>

#include "fiber/wait.h"
#include "tests/kinds.h"

/* --- the oracle: 0, 1, 2, 3 or -1 for what is not open */

static int
oracle(int fd, int events)
{
	struct pollfd question = { .fd = fd };
	int ready = 0;

	question.events = (short)((events & WEFT_READABLE ? POLLIN : 0) |
	    (events & WEFT_WRITABLE ? POLLOUT : 0));
	if (fd < 0 || fd == 1 << 22)
		return -1;      /* negative: not looked at; beyond: EINVAL */
	ck_assert_int_ge(poll(&question, 1, 0), 0);
	if (question.revents & POLLNVAL)
		return -1;
	if (question.revents & (POLLIN | POLLHUP | POLLERR))
		ready |= WEFT_READABLE;
	if (question.revents & (POLLOUT | POLLHUP | POLLERR))
		ready |= WEFT_WRITABLE;
	return ready & events;
}

static void
ck_assert_agrees(int kind, const char *how, int events, int result, int error,
    int unready)
{
	int expected = oracle(ends[0], events);

	if (expected > 0)
		ck_assert_msg(result == expected, "%s, %s, %d: %d (%s), poll(2): %d",
		    kinds[kind].name, how, events, result,
		    result < 0 ? strerror(error) : "-", expected);
	else
		ck_assert_msg(result == -1 && error == (expected < 0 ? EBADF : unready),
		    "%s, %s, %d: %d (%s), not %s", kinds[kind].name, how, events,
		    result, strerror(error),
		    strerror(expected < 0 ? EBADF : unready));
}

START_TEST(without_waiting_it_is_as_poll_says)
{
	open_kind(_i);
	for (int events = 1; events <= 3; events++) {
		int result = weft_fd_wait(ends[0], events, WEFT_NOWAIT);

		ck_assert_agrees(_i, "NOWAIT", events, result, errno, EAGAIN);
	}
	close_kind();
}
END_TEST

START_TEST(after_the_deadline_it_is_as_poll_says)
{
	open_kind(_i);
	for (int events = 1; events <= 3; events++) {
		int result = weft_fd_wait(ends[0], events, weft_after(-1));

		ck_assert_agrees(_i, "past", events, result, errno, ETIMEDOUT);
	}
	close_kind();
}
END_TEST

START_TEST(a_wait_reports_what_poll_says_again_and_again)
{
	open_kind(_i);
	for (int events = 1; events <= 6; events++) {
		int result = weft_fd_wait(ends[0], events % 3 + 1,
		    oracle(ends[0], events % 3 + 1) != 0 ? soon_enough() : weft_after(1));

		ck_assert_agrees(_i, "wait", events % 3 + 1, result, errno, ETIMEDOUT);
	}
	ck_assert_uint_eq(loop_stats().spins, 0);
	close_kind();
}
END_TEST

struct early {
	int events, result, error;
};

static int
wait_from_before(void *arg)
{
	struct early *early = arg;

	early->result = weft_fd_wait(ends[0], early->events,
	    early->error != 0 ? soon_enough() : weft_after(3));
	early->error = errno;
	return 0;
}

/* What is ready before the change would end the wait: those are left out. */
START_TEST(a_wait_that_began_before_is_ended_by_what_happens)
{
	struct weft_fiber *fibers[3];
	struct early early[3];

	ends[0] = ends[1] = -1;
	kinds[_i].open(ends);
	for (int i = 0; i < 3; i++) {
		early[i] = (struct early){ .events = i + 1 };
		fibers[i] = NULL;
		if (kinds[_i].actions == 0 || oracle(ends[0], i + 1) != 0)
			continue;
		fibers[i] = weft_spawn(wait_from_before, &early[i]);
		early[i].error = !(kinds[_i].actions & FILL);
	}
	ck_assert_ok(weft_yield());
	act(ends, kinds[_i].actions);
	for (int i = 0; i < 3; i++) {
		if (fibers[i] == NULL)
			continue;
		if (early[i].error != 0 && oracle(ends[0], i + 1) == 0)
			ck_assert_ok(weft_cancel(fibers[i]));
		ck_assert_ok(weft_join(fibers[i], NULL, soon_enough()));
		ck_assert_agrees(_i, "before", i + 1, early[i].result,
		    early[i].error, early[i].error == ECANCELED ? ECANCELED : ETIMEDOUT);
	}
	ck_assert_uint_eq(loop_stats().spins, 0);
	close_kind();
}
END_TEST

/* --- what nobody waits for must not keep the loop awake */

static bool
hear(void *arg, int events)
{
	(void)events;
	++*(int *)arg;
	return true;
}

START_TEST(a_stream_at_rest_does_not_keep_the_loop_awake)
{
	struct weft__slot *slot;
	uint64_t polls;
	int calls = 0;

	open_kind(_i);
	slot = weft__fd_own(weft__loop(), ends[0], hear, &calls);
	if (slot != NULL) {
		/* Refused: nothing that could be reported. */
		weft__fd_want(weft__loop(), slot, WEFT_READABLE | WEFT_WRITABLE);
		ck_assert_ok(weft_sleep(weft_after(2)));
		polls = loop_stats().polls;
		ck_assert_ok(weft_sleep(weft_after(5)));
		ck_assert_msg(loop_stats().polls < polls + 5, "%s: %d polls in 5 ms",
		    kinds[_i].name, (int)(loop_stats().polls - polls));
		ck_assert_int_le(calls, 3);
		slot = weft__fd_own(weft__loop(), ends[0], NULL, NULL);
		weft__fd_disown(weft__loop(), slot);
	}
	close_kind();
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("kinds");
	TCase *tc = test_case(suite, "kinds");

	(void)backend;
	tcase_add_loop_test(tc, without_waiting_it_is_as_poll_says, 0, KINDS);
	tcase_add_loop_test(tc, after_the_deadline_it_is_as_poll_says, 0, KINDS);
	tcase_add_loop_test(tc, a_wait_reports_what_poll_says_again_and_again, 0, KINDS);
	tcase_add_loop_test(tc, a_wait_that_began_before_is_ended_by_what_happens,
	    0, KINDS);
	tcase_add_loop_test(tc, a_stream_at_rest_does_not_keep_the_loop_awake, 0, KINDS);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
