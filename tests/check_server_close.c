/* SPDX-License-Identifier: MIT */
/*
 * tests/check_server_close.c - how servers end, and their connections.
 */
#include "config.h"

#include "tests/servers.h"

/* --- close */

START_TEST(close_lets_connections_finish)
{
	struct weft_stream *s;
	struct feeder feeder;

	start(echo);
	s = client();
	until_connections(1);
	feed_begin(&feeder, s, "good\nbye\n", 9, 1, true);
	ck_assert_gives(weft_server_close(server, soon_enough()), 0);
	ck_assert_uint_eq(weft_server_connections(server, NULL, 0), 0);
	expect_line(s, "good\n");
	expect_line(s, "bye\n");
	feed_end(&feeder);
	weft_stream_free(s);
	weft_server_free(server);
}
END_TEST

START_TEST(close_cuts_off_who_has_not_finished)
{
	struct weft_stream *s[3];
	char got[1];
	int i;

	start(echo);
	for (i = 0; i < 3; i++)
		s[i] = client();
	until_connections(3);
	ck_assert_fails(weft_server_close(server, _i ? weft_after(10) : WEFT_NOWAIT),
	    ETIMEDOUT);
	ck_assert_uint_eq(weft_server_connections(server, NULL, 0), 0);
	for (i = 0; i < 3; i++) {
		ck_assert_fails(weft_stream_read(s[i], got, 1, soon_enough()), ECONNRESET);
		weft_stream_free(s[i]);
	}
	ck_assert_gives(weft_server_close(server, soon_enough()), 0);
	weft_server_free(server);
}
END_TEST

static int sleep_error;

static int
sleep_for_ever(struct weft_stream *s, void *arg)
{
	(void)s;
	(void)arg;
	handled = 1;
	weft_sleep(soon_enough());
	sleep_error = errno;
	return 0;
}

START_TEST(close_cancels_handlers_that_do_something_else)
{
	struct weft_stream *s;

	start(sleep_for_ever);
	s = client();
	yield_until(&handled);
	ck_assert_fails(weft_server_close(server, weft_after(5)), ETIMEDOUT);
	ck_assert_int_eq(sleep_error, ECANCELED);
	weft_stream_free(s);
	weft_server_free(server);
}
END_TEST

static int close_result, close_error;

static int
close_server(struct weft_stream *s, void *arg)
{
	const char *line;

	(void)arg;
	if (handled++ == 0)
		return (int)weft_stream_read_line(s, &line, WEFT_NEVER);
	close_result = weft_server_close(server, weft_after(5));
	close_error = errno;
	weft_stream_write(s, "closed\n", 7, soon_enough());
	return 0;
}

START_TEST(a_handler_may_close_the_server)
{
	struct weft_stream *first, *second;
	const char *line;

	start(close_server);
	first = client();
	until_connections(1);
	second = client();
	expect_line(second, "closed\n");
	ck_assert_int_eq(close_result, -1);
	ck_assert_int_eq(close_error, ETIMEDOUT);
	ck_assert_fails(weft_stream_read_line(first, &line, soon_enough()), ECONNRESET);
	ck_assert_gives(weft_server_close(server, soon_enough()), 0);
	until_connections(0);
	weft_stream_free(first);
	weft_stream_free(second);
	weft_server_free(server);
}
END_TEST

static int
free_server(struct weft_stream *s, void *arg)
{
	(void)arg;
	weft_server_free(server);
	ck_assert_ptr_eq(weft_stream_server(s), NULL);
	weft_stream_write(s, "gone\n", 5, soon_enough());
	handled++;
	return 0;
}

START_TEST(a_handler_may_free_the_server)
{
	struct weft_stream *s;

	start(free_server);
	s = client();
	expect_line(s, "gone\n");
	weft_stream_free(s);
}
END_TEST

START_TEST(serve_returns_when_the_server_is_closed_and_all_have_ended)
{
	struct weft_fiber *fiber;
	struct weft_stream *s;

	listen_with(NULL);
	fiber = begin(serve, NULL);
	s = client();
	until_connections(1);
	ck_assert_ok(weft_server_stop(server));
	turns(3);
	ck_assert_fails(weft_join(fiber, NULL, WEFT_NOWAIT), EAGAIN);
	weft_stream_free(s);
	ck_assert_ok(weft_server_close(server, soon_enough()));
	ck_assert_int_eq(end(fiber), 0);
	weft_server_free(server);
}
END_TEST

/* --- while bytes are yet to go */

static int
say_too_much(struct weft_stream *s, void *arg)
{
	static char block[64 << 10];

	(void)arg;
	ck_assert_ok(weft_stream_set_watermarks(s, 0, 8 << 20));
	while (weft_stream_queued(s) < 4 << 20)
		write_all(s, block, sizeof block);
	handled = 1;
	return 0;
}

START_TEST(who_lingers_and_is_cut_off_can_be_asked_its_name)
{
	struct weft_stream *s, *connection;
	char name[128];

	start(say_too_much);
	s = client();
	snprintf(name, sizeof name, "%s", weft_stream_peername(s));
	while (handled == 0)
		turns(1);
	ck_assert_uint_eq(weft_server_connections(server, &connection, 1), 1);
	ck_assert(weft_stream_closed(connection));
	weft_stream_abort(connection);
	ck_assert_str_eq(weft_stream_sockname(connection), name);
	weft_stream_free(s);
	ck_assert_ok(weft_server_close(server, soon_enough()));
	weft_server_free(server);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("server_close");
	TCase *tc = test_case(suite, "close");

	(void)backend;
	tcase_add_test(tc, close_lets_connections_finish);
	tcase_add_loop_test(tc, close_cuts_off_who_has_not_finished, 0, 2);
	tcase_add_test(tc, close_cancels_handlers_that_do_something_else);
	tcase_add_test(tc, a_handler_may_close_the_server);
	tcase_add_test(tc, a_handler_may_free_the_server);
	tcase_add_test(tc, serve_returns_when_the_server_is_closed_and_all_have_ended);
	tc = test_case(suite, "while bytes are yet to go");
	tcase_add_test(tc, who_lingers_and_is_cut_off_can_be_asked_its_name);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
