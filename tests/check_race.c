/* SPDX-License-Identifier: MIT */
/*
 * tests/check_race.c - a name with several addresses: who is tried when, who
 * wins, and what is told if nobody does (RFC 8305).
 */
#include "config.h"

#include <net/if.h>

#include "tests/fake_net.h"
#include "weft/tcp.h"

enum { FOREVER_MS = 1000 * 1000 };

static struct weft_tcp_options options;
static struct weft_stream *stream;
static int error, ended;

static void
setup(void)
{
	begin_faking();
	options = (struct weft_tcp_options){ .size = sizeof options,
		.attempt_delay = FOREVER_MS };
	stream = NULL;
	ended = 0;
}

static int
connect_until(int64_t deadline)
{
	errno = 12345;
	stream = weft_tcp_connect("many.test", "7", &options, deadline);
	return stream != NULL ? 0 : errno;
}

static int
connect_it(void *unused)
{
	(void)unused;
	error = connect_until(soon_enough());
	ended = 1;
	return 0;
}

static void
done(void)
{
	weft_stream_free(stream);
	end_faking();
}

static void
four_hosts(enum fate fate, int why)
{
	add_host("2001:db8::1", fate, why);
	add_host("2001:db8::2", fate, why);
	add_host("2001:db8::3", fate, why);
	add_host("192.0.2.1", fate, why);
}

/* --- order */

START_TEST(the_families_take_turns)
{
	four_hosts(REFUSES, ECONNREFUSED);
	ck_assert_int_eq(connect_until(soon_enough()), ECONNREFUSED);
	ck_assert_int_eq(hosts[0].order, 1);
	ck_assert_int_eq(hosts[3].order, 2);
	ck_assert_int_eq(hosts[1].order, 3);
	ck_assert_int_eq(hosts[2].order, 4);
	done();
}
END_TEST

START_TEST(the_resolver_says_which_family_is_first)
{
	add_host("192.0.2.1", REFUSES, ECONNREFUSED);
	add_host("192.0.2.2", REFUSES, ECONNREFUSED);
	add_host("2001:db8::1", ANSWERS, 0);
	ck_assert_int_eq(connect_until(soon_enough()), 0);
	ck_assert_int_eq(errno, 12345);
	ck_assert_int_eq(hosts[0].order, 1);
	ck_assert_int_eq(hosts[1].order, 0);
	ck_assert_int_eq(hosts[2].order, 2);
	ck_assert_str_eq(weft_stream_peername(stream), "[2001:db8::1]:7");
	done();
}
END_TEST

/* --- delay */

START_TEST(the_next_one_starts_when_the_delay_has_passed)
{
	static const int delay[] = { 0, 1, 30 }, least[] = { 250, 10, 30 };

	four_hosts(SILENT, 0);
	hosts[1].fate = ANSWERS;
	options.attempt_delay = delay[_i];
	ck_assert_int_eq(connect_until(soon_enough()), 0);
	ck_assert_int_ge(hosts[3].tried_at - hosts[0].tried_at, least[_i]);
	ck_assert_int_ge(hosts[1].tried_at - hosts[3].tried_at, least[_i]);
	ck_assert(hung_up(&hosts[0]) && hung_up(&hosts[3]) && !hung_up(&hosts[1]));
	ck_assert_int_eq(hosts[2].order, 0);
	write_all(stream, "hello", 5);
	done();
}
END_TEST

START_TEST(a_failure_starts_the_next_one_at_once)
{
	struct weft_fiber *fiber;

	four_hosts(SILENT, 0);
	hosts[3].fate = ANSWERS;
	fiber = begin(connect_it, NULL);
	until_tried(&hosts[0]);
	let(&hosts[0], ECONNRESET);
	end(fiber);
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(hosts[0].verdicts, 1);
	ck_assert_str_eq(weft_stream_peername(stream), "192.0.2.1:7");
	done();
}
END_TEST

START_TEST(a_failure_does_so_although_another_one_still_runs)
{
	struct weft_fiber *fiber;

	four_hosts(SILENT, 0);
	hosts[1].fate = ANSWERS;
	hosts[0].error = ECONNREFUSED;
	options.attempt_delay = 3000;
	fiber = begin(connect_it, NULL);
	until_tried(&hosts[3]);         /* the second of them, after the delay */
	let(&hosts[3], ECONNREFUSED);
	end(fiber);
	ck_assert_int_eq(error, 0);
	ck_assert_int_lt(hosts[1].tried_at - hosts[3].tried_at, 3000);
	ck_assert(hung_up(&hosts[0]));
	done();
}
END_TEST

START_TEST(an_earlier_one_may_still_win)
{
	struct weft_fiber *fiber;

	four_hosts(SILENT, 0);
	options.attempt_delay = 10;
	fiber = begin(connect_it, NULL);
	until_tried(&hosts[2]);         /* all of them */
	let(&hosts[3], 0);
	end(fiber);
	ck_assert_int_eq(error, 0);
	ck_assert_str_eq(weft_stream_peername(stream), "192.0.2.1:7");
	ck_assert_int_eq(hosts[3].verdicts, 1);
	ck_assert(hung_up(&hosts[0]) && hung_up(&hosts[1]) && hung_up(&hosts[2]));
	ck_assert_int_eq(send(hosts[3].theirs, "hello", 5, 0), 5);
	expect_text(stream, "hello");
	done();
}
END_TEST

START_TEST(one_at_a_time_if_asked_for)
{
	four_hosts(SILENT, 0);
	options.attempt_delay = -1;
	ck_assert_int_eq(connect_until(weft_after(400)), ETIMEDOUT);
	ck_assert_int_eq(tries, 1);
	hosts[0].fate = REFUSES;
	hosts[0].error = ECONNREFUSED;
	hosts[3].fate = ANSWERS;
	ck_assert_int_eq(connect_until(soon_enough()), 0);
	done();
}
END_TEST

/* --- failure */

START_TEST(of_several_failures_the_most_telling_one_is_told)
{
	static const int errors[][5] = {        /* the last is the result */
		{ ENETUNREACH, ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ECONNREFUSED },
		{ EACCES, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, EACCES },
		{ ENETUNREACH, EINVAL, ENETUNREACH, ETIMEDOUT, ETIMEDOUT },
		{ EADDRNOTAVAIL, ENETUNREACH, EADDRNOTAVAIL, EINVAL, ENETUNREACH },
		{ EADDRNOTAVAIL, EADDRNOTAVAIL, EADDRNOTAVAIL, EINVAL, EADDRNOTAVAIL },
	};
	int i, at_once = _i % 2;
	struct weft_fiber *fiber;
	static const int order[] = { 0, 3, 1, 2 };

	four_hosts(at_once ? REFUSES : SILENT, 0);
	for (i = 0; i < 4; i++)
		hosts[order[i]].error = errors[_i / 2][i];
	fiber = begin(connect_it, NULL);
	for (i = 0; i < 4 && !at_once; i++) {
		until_tried(&hosts[order[i]]);
		let(&hosts[order[i]], errors[_i / 2][i]);
	}
	end(fiber);
	ck_assert_int_eq(error, errors[_i / 2][4]);
	done();
}
END_TEST

START_TEST(the_deadline_is_over_all)
{
	int64_t began = weft_now();

	four_hosts(SILENT, 0);
	options.attempt_delay = 10;
	if (_i == 1)
		ck_assert_ok(weft_deadline_push(weft_after(400)));
	ck_assert_int_eq(connect_until(_i == 1 ? soon_enough() : weft_after(400)), ETIMEDOUT);
	if (_i == 1)
		weft_deadline_pop();
	ck_assert_int_ge(weft_now() - began, 400);
	ck_assert_int_ge(tries, 2);
	ck_assert(hung_up(&hosts[0]) && hung_up(&hosts[3]));
	done();
}
END_TEST

START_TEST(a_passed_deadline_still_gets_its_one_try)
{
	four_hosts(READY, 0);
	stream = weft_tcp_connect("2001:db8::1", "7", &options, weft_after(-1));
	ck_assert_msg(stream != NULL, "%s", weft_stream_error_text(NULL));
	done();
}
END_TEST

START_TEST(nowait_tries_what_needs_no_waiting)
{
	add_host("2001:db8::1", SILENT, 0);
	ck_assert_null(weft_tcp_connect("2001:db8::1", "7", &options, WEFT_NOWAIT), EAGAIN);
	hosts[0].fate = READY;
	stream = weft_tcp_connect("2001:db8::1", "7", &options, WEFT_NOWAIT);
	ck_assert(stream != NULL);
	weft_stream_free(stream);
	ck_assert_int_eq(connect_until(WEFT_NOWAIT), EAGAIN);   /* a name */
	done();
}
END_TEST

START_TEST(a_cancel_ends_all_attempts)
{
	struct weft_fiber *fiber;

	four_hosts(SILENT, 0);
	options.attempt_delay = 10;
	fiber = begin(connect_it, NULL);
	until_tried(&hosts[1]);
	ck_assert_ok(weft_cancel(fiber));
	end(fiber);
	ck_assert_int_eq(error, ECANCELED);
	ck_assert(hung_up(&hosts[0]) && hung_up(&hosts[3]) && hung_up(&hosts[1]));
	done();
}
END_TEST

START_TEST(a_socket_that_is_taken_away_is_a_failure)
{
	struct weft_fiber *fiber;

	four_hosts(SILENT, 0);
	hosts[3].fate = ANSWERS;
	fiber = begin(connect_it, NULL);
	until_tried(&hosts[0]);
	ck_assert_ok(weft_fd_close(hosts[0].ours));
	end(fiber);
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(hosts[0].verdicts, 0);
	done();
}
END_TEST

START_TEST(the_kth_socket_failing_leaves_the_others)
{
	four_hosts(REFUSES, ENETUNREACH);
	hosts[2].fate = ANSWERS;        /* the last to be tried */
	sockets_failing = _i;           /* 3: its own fails */
	error = connect_until(soon_enough());
	ck_assert_int_eq(error, _i == 3 ? ENETUNREACH : 0);
	done();
}
END_TEST

START_TEST(a_zone_goes_with_the_address)
{
	unsigned zone = if_nametoindex("lo");

	if (zone == 0)
		return;
	add_host("fe80::1", ANSWERS, 0);
	stream = weft_tcp_connect("fe80::1%lo", "7", &options, soon_enough());
	ck_assert_msg(stream != NULL, "%s", weft_stream_error_text(NULL));
	ck_assert_uint_eq(hosts[0].zone, zone);
	ck_assert_str_eq(weft_stream_peername(stream), "[fe80::1%lo]:7");
	weft_stream_close(stream, WEFT_NOWAIT);
	ck_assert_str_eq(weft_stream_peername(stream), "[fe80::1%lo]:7");
	weft_stream_free(stream);
	ck_assert_null(weft_tcp_connect("fe80::1%nosuch", "7", NULL, soon_enough()),
	    EHOSTUNREACH);
	end_faking();
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("race");
	TCase *tc = test_case(suite, "order and delay");

	(void)backend;
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, the_families_take_turns);
	tcase_add_test(tc, the_resolver_says_which_family_is_first);
	tcase_add_loop_test(tc, the_next_one_starts_when_the_delay_has_passed, 0, 3);
	tcase_add_test(tc, a_failure_starts_the_next_one_at_once);
	tcase_add_test(tc, a_failure_does_so_although_another_one_still_runs);
	tcase_add_test(tc, an_earlier_one_may_still_win);
	tcase_add_test(tc, one_at_a_time_if_asked_for);
	tcase_add_test(tc, a_zone_goes_with_the_address);

	tc = test_case(suite, "failure");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, of_several_failures_the_most_telling_one_is_told, 0, 10);
	tcase_add_loop_test(tc, the_deadline_is_over_all, 0, 2);
	tcase_add_test(tc, a_passed_deadline_still_gets_its_one_try);
	tcase_add_test(tc, nowait_tries_what_needs_no_waiting);
	tcase_add_test(tc, a_cancel_ends_all_attempts);
	tcase_add_test(tc, a_socket_that_is_taken_away_is_a_failure);
	tcase_add_loop_test(tc, the_kth_socket_failing_leaves_the_others, 0, 4);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
