/* SPDX-License-Identifier: MIT */
/*
 * tests/check_dump.c - weft_dump: a line for each fiber, and what is in it.
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/dumps.h"

START_TEST(there_is_a_line_for_each_fiber)
{
	struct weft_fiber *fibers[5];

	ck_assert_int_eq(count_lines(dump()), 1);
	ck_assert_says("main", "fiber 1 ");
	ck_assert_says("main", " runs");
	for (int i = 0; i < 5; i++)
		fibers[i] = start("x", sleep_long, NULL);
	ck_assert_int_eq(count_lines(dump()), 6);
	for (int i = 0; i < 5; i++)
		stop(fibers[i]);
	ck_assert_int_eq(count_lines(dump()), 1);
}
END_TEST

START_TEST(a_line_has_id_name_wait_age_deadline_and_stack)
{
	struct weft_fiber *fiber = start("sleeper", sleep_long, NULL);
	char id[32];
	int since = -1, left = -1, used = -1, of = -1;

	ck_assert_ok(weft_sleep(weft_after(20)));
	snprintf(id, sizeof id, "fiber %d ", (int)weft_fiber_id(fiber));
	ck_assert_says("sleeper", id);
	ck_assert_int_eq(sscanf(strstr(line_of("sleeper"), "waits for"),
	    "waits for its time, since %d ms, deadline in %d ms, stack %d of %d KiB",
	    &since, &left, &used, &of), 4);
	ck_assert_int_ge(since, 19);
	ck_assert_int_lt(since, 60000);
	ck_assert_int_gt(left, 40000);
	ck_assert_int_le(left, 100000 - 18);
	ck_assert_int_ge(used, 0);
	ck_assert_int_le(used, of);
	ck_assert_int_ge(of, 200);
	stop(fiber);
}
END_TEST

static int
nothing(void *unused)
{
	(void)unused;
	return 3;
}

START_TEST(states_that_are_no_waits)
{
	struct weft_fiber *fiber = start("ended", nothing, NULL), *ready, *cancelled;

	ck_assert_says("ended", "has ended with 3, not joined");
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	ready = weft_spawn(nothing, NULL);
	ck_assert_ok(weft_set_name(ready, "new"));
	ck_assert_says("new", "is ready");
	ck_assert_ok(weft_join(ready, NULL, soon_enough()));
	cancelled = start("late", sleep_for_ever, NULL);
	ck_assert_does_not_say("late", "deadline");
	ck_assert_does_not_say("late", "cancelled");
	ck_assert_ok(weft_cancel(cancelled));
	ck_assert_says("late", "is ready, cancelled");
	ck_assert_ok(weft_join(cancelled, NULL, soon_enough()));
}
END_TEST

static int
park(void *unused)
{
	(void)unused;
	return weft_park(soon_enough());
}

static int
join(void *fiber)
{
	return weft_join(fiber, NULL, soon_enough());
}

static int
wait_for_input(void *fd)
{
	return weft_fd_wait(*(int *)fd, WEFT_READABLE, soon_enough());
}

static int
wait_for_output(void *fd)
{
	return weft_fd_wait(*(int *)fd, WEFT_WRITABLE, soon_enough());
}

static int
poll_two(void *fd)
{
	struct pollfd set[2] = { { .fd = *(int *)fd, .events = POLLIN }, { .fd = -1 } };

	return weft_poll(set, 2, soon_enough());
}

START_TEST(it_tells_what_a_fiber_waits_for)
{
	struct weft_fiber *parked, *joiner, *reader, *writer, *poller;
	int ends[2];
	char what[64], byte[4096] = { 0 };

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	parked = start("parked", park, NULL);
	joiner = start("joiner", join, parked);
	reader = start("reader", wait_for_input, &ends[0]);
	poller = start("poller", poll_two, &ends[0]);
	ck_assert_says("parked", "waits for a permit,");
	snprintf(what, sizeof what, "waits for the end of fiber %d,",
	    (int)weft_fiber_id(parked));
	ck_assert_says("joiner", what);
	snprintf(what, sizeof what, "waits for input on descriptor %d,", ends[0]);
	ck_assert_says("reader", what);
	ck_assert_says("poller", "waits for one of 2 descriptors,");
	stop(joiner);
	stop(parked);
	stop(reader);
	stop(poller);
	while (write(ends[1], byte, sizeof byte) > 0)
		;
	writer = start("writer", wait_for_output, &ends[1]);
	snprintf(what, sizeof what, "waits for output on descriptor %d,", ends[1]);
	ck_assert_says("writer", what);
	stop(writer);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static int
wait_for_a_signal(void *unused)
{
	sigset_t set;

	(void)unused;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	return weft_signal_wait(&set, NULL, soon_enough());
}

static int
wait_for_a_child(void *pid)
{
	return weft_wait_pid(*(pid_t *)pid, NULL, soon_enough());
}

static int
wait_for_a_scope(void *unused)
{
	struct weft_scope *scope = weft_scope_open(soon_enough());

	(void)unused;
	for (int i = 0; i < 3; i++)
		ck_assert_ok(weft_scope_spawn(scope, sleep_for_ever, NULL));
	weft_scope_wait(scope, WEFT_NEVER);
	return weft_scope_close(scope);
}

static int
read_a_byte(void *fd)
{
	char byte;

	return (int)read(*(int *)fd, &byte, 1);
}

static int
offload_a_read(void *fd)
{
	return weft_offload(read_a_byte, fd, NULL, soon_enough());
}

START_TEST(it_tells_of_signals_children_scopes_and_calls)
{
	struct weft_fiber *signal, *child, *scope, *call;
	int ends[2];
	char what[64];
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		_exit(read_a_byte(&ends[0]));
	}
	signal = start("signal", wait_for_a_signal, NULL);
	child = start("child", wait_for_a_child, &pid);
	scope = start("scope", wait_for_a_scope, NULL);
	call = start("call", offload_a_read, &ends[0]);
	snprintf(what, sizeof what, "waits for signal %d,",
	    SIGUSR1 < SIGUSR2 ? SIGUSR1 : SIGUSR2);
	ck_assert_says("signal", what);
	snprintf(what, sizeof what, "waits for child process %d,", (int)pid);
	ck_assert_says("child", what);
	ck_assert_says("scope", "waits for 3 members of its scope,");
	ck_assert_says("call", "waits for a call on a thread,");
	close(ends[1]);
	ck_assert_ok(weft_join(child, NULL, soon_enough()));
	ck_assert_ok(weft_join(call, NULL, soon_enough()));
	close(ends[0]);
	stop(signal);
	stop(scope);
}
END_TEST

static int
serve(struct weft_stream *client, void *unused)
{
	char byte;

	(void)unused;
	ck_assert_ok(weft_set_name(weft_self(), "served"));
	return weft_stream_read(client, &byte, 1, soon_enough()) < 0 ? -1 : 0;
}

START_TEST(it_tells_the_peer_of_a_stream)
{
	struct weft_server *server = weft_tcp_listen("127.0.0.1", "0", NULL);
	struct weft_stream *client;
	char port[8], what[128];

	ck_assert_ok(weft_server_start(server, serve, NULL));
	snprintf(port, sizeof port, "%d", weft_server_port(server));
	client = weft_tcp_connect("127.0.0.1", port, NULL, soon_enough());
	ck_assert_ptr_nonnull(client);
	while (strstr(dump(), "\"served\"") == NULL)
		ck_assert_ok(weft_yield());
	ck_assert_ok(weft_yield());
	ck_assert_says("served", "waits for input on descriptor ");
	snprintf(what, sizeof what, " (peer %s)", weft_stream_sockname(client));
	ck_assert_says("served", what);
	snprintf(what, sizeof what, " (at 127.0.0.1:%s)", port);
	ck_assert_msg(strstr(dump(), what) != NULL, "no %s in:\n%s", what, text);
	weft_stream_free(client);
	ck_assert_ok(weft_server_close(server, soon_enough()));
	weft_server_free(server);
}
END_TEST

START_TEST(a_name_cannot_break_the_line)
{
	struct weft_fiber *fiber = start("a\"b\nc\033d", sleep_long, NULL);

	ck_assert_int_eq(count_lines(dump()), 2);
	ck_assert_says("a?b?c?d", "waits for its time");
	stop(fiber);
}
END_TEST

START_TEST(a_file_that_fails_is_an_error)
{
	FILE *full = fopen("/dev/full", "w");

	ck_assert_fails(weft_dump(NULL), EINVAL);
	ck_assert_ptr_nonnull(full);
	ck_assert_fails(weft_dump(full), ENOSPC);
	fclose(full);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("dump");
	TCase *tc = test_case(suite, backend);

	tcase_add_checked_fixture(tc, NULL, forget_text);
	tcase_add_test(tc, there_is_a_line_for_each_fiber);
	tcase_add_test(tc, a_line_has_id_name_wait_age_deadline_and_stack);
	tcase_add_test(tc, states_that_are_no_waits);
	tcase_add_test(tc, it_tells_what_a_fiber_waits_for);
	tcase_add_test(tc, it_tells_of_signals_children_scopes_and_calls);
	tcase_add_test(tc, it_tells_the_peer_of_a_stream);
	tcase_add_test(tc, a_name_cannot_break_the_line);
	tcase_add_test(tc, a_file_that_fails_is_an_error);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
