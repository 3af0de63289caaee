/* SPDX-License-Identifier: MIT */
/*
 * tests/check_connect.c - a stream before it is connected, and while: what is
 * written waits with it, and so does who reads.
 */
#include "config.h"

#include <stdio.h>

#include "tests/fake_net.h"
#include "weft/memory.h"
#include "weft/pipe.h"
#include "weft/tcp.h"
#include "weft/unix.h"

static struct weft_stream *stream;
static struct call joining;             /* weft_stream_connect in a fiber */

static void
setup(void)
{
	begin_faking();
	add_host("192.0.2.1", SILENT, 0);
	stream = weft_tcp_open();
	ck_assert_msg(stream != NULL, "%s", weft_stream_error_text(NULL));
	memset(&joining, 0, sizeof joining);
}

static void
done(void)
{
	weft_stream_free(stream);
	end_faking();
}

static ssize_t
call_connect(struct call *call)
{
	return weft_stream_connect(call->stream, "192.0.2.1", "7", NULL, call->deadline);
}

static ssize_t
call_resolve(struct call *call)
{
	return weft_stream_connect(call->stream, "many.test", "7", NULL, call->deadline);
}

static void
start_connecting(void)
{
	hosts[0].order = 0;
	call_begin(&joining, call_connect, stream);
	until_tried(&hosts[0]);
}

static void
connected(void)
{
	let(&hosts[0], 0);
	call_end(&joining);
	ck_assert_int_eq(joining.result, 0);
}

/* The peer has got that, and so far nothing else. */
static void
peer_gets(const void *bytes, size_t n)
{
	char *got = malloc(n + 1);
	size_t have = 0;
	int64_t deadline = soon_enough();
	ssize_t some;

	while (have < n) {
		some = recv(hosts[0].theirs, got + have, n + 1 - have, MSG_DONTWAIT);
		if (some > 0)
			have += (size_t)some;
		else if (some == 0 || weft_now() > deadline || weft_yield() < 0)
			ck_abort_msg("the peer has %zu bytes of %zu", have, n);
	}
	ck_assert_uint_eq(have, n);
	ck_assert_mem_eq(got, bytes, n);
	free(got);
}

/* --- success */

START_TEST(what_was_written_before_and_while_connecting_arrives_in_order)
{
	ck_assert_ok(weft_stream_set_coalescing(stream, _i == 1));
	write_all(stream, "before ", 7);
	ck_assert_uint_eq(weft_stream_queued(stream), 7);
	start_connecting();
	write_all(stream, "while ", 6);
	ck_assert_uint_eq(weft_stream_queued(stream), 13);
	connected();
	write_all(stream, "after", 5);
	ck_assert_ok(weft_stream_flush(stream, soon_enough()));
	peer_gets("before while after", 18);
	ck_assert_str_eq(weft_stream_peername(stream), "192.0.2.1:7");
	done();
}
END_TEST

START_TEST(more_than_the_high_mark_waits_for_the_connection)
{
	struct call call = { .n = 300 * KIB }, draining = { 0 };

	call.memory = patterned(call.n, 1);
	call_begin(&call, call_write, stream);
	start_connecting();
	call_begin(&draining, call_drain, stream);
	turns(2);
	ck_assert_int_eq(call.done, 0);
	ck_assert_uint_le(weft_stream_queued(stream), 64 * KIB);
	connected();
	peer_gets(call.memory, call.n);
	call_end(&call);
	call_end(&draining);
	ck_assert_int_eq(call.result, (ssize_t)call.n);
	ck_assert_int_eq(draining.result, 0);
	free(call.memory);
	done();
}
END_TEST

START_TEST(who_reads_waits_for_the_connection)
{
	char got[8];
	struct call call = { .memory = got, .n = sizeof got };

	call_begin(&call, call_read, stream);
	start_connecting();
	connected();
	ck_assert_int_eq(call.done, 0);
	ck_assert_int_eq(send(hosts[0].theirs, "hello", 5, 0), 5);
	call_end(&call);
	ck_assert_int_eq(call.result, 5);
	done();
}
END_TEST

START_TEST(shutdown_after_writes_waits_for_the_connection)
{
	struct call call = { 0 };
	char byte;

	ck_assert(weft_stream_can_shutdown(stream));
	ck_assert_fails(weft_stream_shutdown(stream, soon_enough()), ENOTCONN);
	write_all(stream, "all", 3);
	call_begin(&call, call_shutdown, stream);
	start_connecting();
	ck_assert_int_eq(call.done, 0);
	connected();
	call_end(&call);
	ck_assert_int_eq(call.result, 0);
	peer_gets("all", 3);
	ck_assert_int_eq(recv(hosts[0].theirs, &byte, 1, MSG_DONTWAIT), 0);
	done();
}
END_TEST

/* --- failure */

START_TEST(what_is_queued_is_dropped_with_the_error_and_connect_can_be_tried_again)
{
	char got[8], *big = patterned(100 * KIB, 1);
	struct call reading = { .memory = got, .n = sizeof got };
	struct call writing = { .memory = big, .n = 100 * KIB };

	call_begin(&reading, call_read, stream);
	call_begin(&writing, call_write, stream);
	start_connecting();
	let(&hosts[0], ECONNREFUSED);
	call_end(&joining);
	ck_assert_int_eq(joining.error, ECONNREFUSED);
	ck_assert_int_eq(hosts[0].verdicts, 1);
	ck_assert_int_eq(weft_stream_error(stream), ECONNREFUSED);
	ck_assert_str_eq(weft_stream_error_text(stream), "tcp connect: Connection refused");
	ck_assert_uint_eq(weft_stream_queued(stream), 0);
	ck_assert(!weft_stream_readable(stream) && !weft_stream_writable(stream));
	if (_i == 0)                    /* else they have not run yet */
		turns(2);
	start_connecting();
	call_end(&reading);
	call_end(&writing);
	ck_assert_int_eq(reading.error, ECONNREFUSED);
	ck_assert_int_eq(writing.error, ECONNREFUSED);
	ck_assert_int_eq(weft_stream_error(stream), 0);
	write_all(stream, "new", 3);
	connected();
	peer_gets("new", 3);
	free(big);
	done();
}
END_TEST

START_TEST(the_error_of_a_failed_connect_stays)
{
	char byte;
	int i;

	hosts[0] = (struct host){ .address = "192.0.2.1", .fate = REFUSES,
		.error = ENETUNREACH };
	for (i = 0; i < 2; i++) {
		ck_assert_fails(weft_stream_connect(stream, "192.0.2.1", "7", NULL,
		    soon_enough()), ENETUNREACH);
		ck_assert_fails(weft_stream_read(stream, &byte, 1, WEFT_NEVER), ENETUNREACH);
		ck_assert_fails(weft_stream_write(stream, "x", 1, WEFT_NEVER), ENETUNREACH);
		ck_assert_fails(weft_stream_flush(stream, WEFT_NEVER), ENETUNREACH);
		ck_assert_int_eq(weft_stream_error(stream), ENETUNREACH);
	}
	ck_assert_fails(weft_stream_close(stream, soon_enough()), ENETUNREACH);
	ck_assert_gives(weft_stream_close(stream, soon_enough()), 0);
	done();
}
END_TEST

START_TEST(deadline_cancel_and_nowait_end_it)
{
	ck_assert_fails(weft_stream_connect(stream, "192.0.2.1", "7", NULL, WEFT_NOWAIT),
	    EAGAIN);
	ck_assert_fails(weft_stream_connect(stream, "192.0.2.1", "7", NULL, weft_after(10)),
	    ETIMEDOUT);
	start_connecting();
	turns(2);
	ck_assert_ok(weft_cancel(joining.fiber));
	call_end(&joining);
	ck_assert_int_eq(joining.error, ECANCELED);
	ck_assert_fails(weft_stream_connect(stream, "192.0.2.1", "70000", NULL, WEFT_NEVER),
	    EINVAL);
	start_connecting();
	connected();
	done();
}
END_TEST

/* --- closing meanwhile */

START_TEST(close_ends_connect_at_once_and_tells_of_dropped_bytes)
{
	bool resolves = _i & 1, queued = _i & 2;

	if (resolves) {
		pthread_mutex_lock(&resolving);
		call_begin(&joining, call_resolve, stream);
	} else {
		start_connecting();
	}
	if (queued) {
		write_all(stream, "lost", 4);
		ck_assert_fails(weft_stream_close(stream, WEFT_NEVER), ETIMEDOUT);
	} else {
		ck_assert_gives(weft_stream_close(stream, WEFT_NEVER), 0);
	}
	call_end(&joining);
	ck_assert_int_eq(joining.error, EBADF);
	if (resolves) {
		pthread_mutex_unlock(&resolving);
		ck_assert_int_eq(tries, 0);
	} else {
		ck_assert(hung_up(&hosts[0]));
	}
	ck_assert_fails(weft_stream_connect(stream, "192.0.2.1", "7", NULL, WEFT_NEVER), EBADF);
	done();
}
END_TEST

START_TEST(close_when_the_answer_is_there_but_nobody_has_seen_it)
{
	int i, connected;

	start_connecting();
	let(&hosts[0], 0);
	/* Some time the fiber has been woken, and has not run. */
	for (i = 0; i < _i; i++)
		turns(1);
	connected = joining.done;
	ck_assert_gives(weft_stream_close(stream, WEFT_NOWAIT), 0);
	call_end(&joining);
	ck_assert_int_eq(joining.error, connected ? 0 : EBADF);
	ck_assert(hung_up(&hosts[0]));
	done();
}
END_TEST

START_TEST(free_while_connecting)
{
	char got[8];
	struct call reading = { .memory = got, .n = sizeof got };

	write_all(stream, "lost", 4);
	call_begin(&reading, call_read, stream);
	start_connecting();
	if (_i == 1)
		weft_stream_abort(stream);
	weft_stream_free(stream);
	call_end(&joining);
	call_end(&reading);
	ck_assert_int_eq(joining.error, EBADF);
	ck_assert_int_eq(reading.error, EBADF);
	ck_assert(hung_up(&hosts[0]));
	end_faking();
}
END_TEST

START_TEST(close_before_connect_does_not_wait)
{
	if (_i == 1)
		write_all(stream, "lost", 4);
	errno = 0;
	ck_assert_int_eq(weft_stream_close(stream, WEFT_NEVER), _i == 1 ? -1 : 0);
	ck_assert_int_eq(errno, _i == 1 ? ETIMEDOUT : 0);
	done();
}
END_TEST

/* --- what else it says */

START_TEST(a_stream_without_a_connection_waits_for_one)
{
	char byte;
	struct sockaddr_storage address;
	socklen_t n = sizeof address;

	ck_assert_fails(weft_stream_read(stream, &byte, 1, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_stream_read(stream, &byte, 1, weft_after(5)), ETIMEDOUT);
	ck_assert_fails(weft_stream_read(stream, &byte, 1, WEFT_NEVER), EDEADLK);
	ck_assert_gives(weft_stream_flush(stream, WEFT_NEVER), 0);
	write_all(stream, "x", 1);
	ck_assert_fails(weft_stream_flush(stream, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_stream_flush(stream, WEFT_NEVER), EDEADLK);
	ck_assert_fails(weft_stream_fd(stream), EBADF);
	ck_assert_fails(weft_stream_getpeername(stream, (struct sockaddr *)&address, &n), EBADF);
	ck_assert_str_eq(weft_stream_sockname(stream), "");
	ck_assert_int_eq(weft_stream_error(stream), 0);
	done();
}
END_TEST

START_TEST(only_one_fiber_connects_and_only_once)
{
	start_connecting();
	ck_assert_fails(weft_stream_connect(stream, "192.0.2.1", "7", NULL, WEFT_NEVER),
	    EALREADY);
	connected();
	ck_assert_fails(weft_stream_connect(stream, "192.0.2.1", "7", NULL, WEFT_NEVER),
	    EISCONN);
	done();
}
END_TEST

START_TEST(other_classes_and_bad_options_are_refused)
{
	struct weft_tcp_options bad = { .size = 1 };
	struct weft_stream *ends[2];
	int i;

	end_faking();
	ck_assert_fails(weft_stream_connect(stream, "192.0.2.1", "7", &bad, WEFT_NEVER), EINVAL);
	for (i = 0; i < 4; i++) {
		if (i == 0)
			ck_assert_ok(weft_unix_pair(ends));
		else if (i == 1)
			ck_assert_ok(weft_pipe_pair(ends));
		else if (i == 2)
			ck_assert_ok(weft_memory_pair(ends));
		else
			open_tcp(ends);
		ck_assert_fails(weft_stream_connect(ends[1], "192.0.2.1", "7", NULL,
		    WEFT_NEVER), i == 3 ? EISCONN : ENOTSUP);
		free_ends(ends);
	}
	weft_stream_free(stream);
}
END_TEST

START_TEST(a_real_connection)
{
	struct weft_server *server;
	struct weft_stream *accepted;
	char port[16];

	end_faking();
	server = weft_tcp_listen("127.0.0.1", "0", NULL);
	ck_assert_msg(server != NULL, "%s", weft_stream_error_text(NULL));
	snprintf(port, sizeof port, "%d", weft_server_port(server));
	write_all(stream, "early", 5);
	ck_assert_gives(weft_stream_connect(stream, "localhost", port, NULL, soon_enough()), 0);
	accepted = weft_server_accept(server, soon_enough());
	ck_assert(accepted != NULL);
	expect_text(accepted, "early");
	ck_assert_str_eq(weft_stream_sockname(stream), weft_stream_peername(accepted));
	write_all(accepted, "answer", 6);
	expect_text(stream, "answer");
	weft_stream_free(accepted);
	weft_server_free(server);
	weft_stream_free(stream);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("connect");
	TCase *tc = test_case(suite, "success");

	(void)backend;
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, what_was_written_before_and_while_connecting_arrives_in_order,
	    0, 2);
	tcase_add_test(tc, more_than_the_high_mark_waits_for_the_connection);
	tcase_add_test(tc, who_reads_waits_for_the_connection);
	tcase_add_test(tc, shutdown_after_writes_waits_for_the_connection);
	tcase_add_test(tc, a_real_connection);

	tc = test_case(suite, "failure");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc,
	    what_is_queued_is_dropped_with_the_error_and_connect_can_be_tried_again, 0, 2);
	tcase_add_test(tc, the_error_of_a_failed_connect_stays);
	tcase_add_test(tc, deadline_cancel_and_nowait_end_it);
	tcase_add_test(tc, a_stream_without_a_connection_waits_for_one);
	tcase_add_test(tc, only_one_fiber_connects_and_only_once);
	tcase_add_test(tc, other_classes_and_bad_options_are_refused);

	tc = test_case(suite, "closing");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, close_ends_connect_at_once_and_tells_of_dropped_bytes, 0, 4);
	tcase_add_loop_test(tc, close_when_the_answer_is_there_but_nobody_has_seen_it, 0, 4);
	tcase_add_loop_test(tc, free_while_connecting, 0, 2);
	tcase_add_loop_test(tc, close_before_connect_does_not_wait, 0, 2);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
