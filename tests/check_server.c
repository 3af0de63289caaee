/* SPDX-License-Identifier: MIT */
/*
 * tests/check_server.c - listeners and handlers, who may do what when.
 */
#include "config.h"

#include <sys/resource.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/servers.h"

/* --- serving */

/* Both ends of each connection are in this process, which may be allowed fewer
 * descriptors than that. */
static int
clients_that_fit(int wanted)
{
	struct rlimit files;
	rlim_t need = 2 * (rlim_t)wanted + 64;

	ck_assert_ok(getrlimit(RLIMIT_NOFILE, &files));
	if (files.rlim_cur >= need)
		return wanted;
	files.rlim_cur = files.rlim_max < need ? files.rlim_max : need;
	ck_assert_ok(setrlimit(RLIMIT_NOFILE, &files));
	return (int)(files.rlim_cur - 64) / 2;
}

START_TEST(a_thousand_clients_at_once_get_their_lines_back)
{
	const int clients = clients_that_fit(1000);
	struct weft_stream **all = calloc((size_t)clients, sizeof(*all));
	char line[32];
	int i, n;

	start(echo);
	for (i = 0; i < clients; i++)
		all[i] = client();
	for (i = 0; i < clients; i++) {
		n = snprintf(line, sizeof line, "client %d\n", i);
		write_all(all[i], line, (size_t)n);
	}
	for (i = 0; i < clients; i++) {
		snprintf(line, sizeof line, "client %d\n", i);
		expect_line(all[i], line);
	}
	ck_assert_uint_eq(weft_server_connections(server, NULL, 0), (size_t)clients);
	for (i = 0; i < clients; i++)
		weft_stream_free(all[i]);
	ck_assert_ok(weft_server_close(server, soon_enough()));
	ck_assert_int_eq(handled, clients);
	weft_server_free(server);
	free(all);
}
END_TEST

START_TEST(bad_peers_leave_the_server_serving)
{
	struct weft_stream *silent, *half, *gone;
	int i;

	start(echo);
	silent = client();
	for (i = 0; i < 20; i++) {
		struct weft_stream *s = client();

		write_all(s, "in mid-line", 11);
		if (i % 2)
			turns(2);
		reset_connection(s);
		weft_stream_free(s);
	}
	gone = client();
	write_all(gone, "part", 4);
	weft_stream_free(gone);
	half = client();
	write_all(half, "the last", 8);
	ck_assert_ok(weft_stream_shutdown(half, soon_enough()));
	expect_text(half, "the last");
	weft_stream_free(half);
	serves();
	until_connections(1);
	weft_stream_free(silent);
	until_connections(0);
	serves();
	weft_server_free(server);
}
END_TEST

static int
fail_or_free(struct weft_stream *s, void *arg)
{
	(void)arg;
	switch (handled++ % 4) {
	case 0:
		return -1;
	case 1:
		weft_stream_abort(s);
		return 5;
	case 2:
		weft_stream_close(s, soon_enough());
		return 0;
	default:
		weft_stream_free(s);
		return 0;
	}
}

START_TEST(a_handler_may_fail_close_or_free_its_stream)
{
	char got[1];
	int i;

	start(fail_or_free);
	for (i = 0; i < 12; i++) {
		struct weft_stream *s = client();

		ck_assert_int_le(weft_stream_read(s, got, 1, soon_enough()), 0);
		weft_stream_free(s);
	}
	until_connections(0);
	ck_assert_int_eq(handled, 12);
	weft_server_free(server);
}
END_TEST

static struct weft_stream *kept;

static int
keep(struct weft_stream *s, void *arg)
{
	(void)arg;
	kept = s;
	handled++;
	return WEFT_KEEP;
}

START_TEST(a_kept_connection_is_the_programs)
{
	struct weft_stream *s;

	start(keep);
	s = client();
	yield_until(&handled);
	until_connections(0);
	ck_assert_ptr_eq(weft_stream_server(kept), server);
	ck_assert_ok(weft_server_close(server, WEFT_NOWAIT));
	ck_assert_ptr_eq(weft_stream_server(kept), NULL);
	weft_server_free(server);
	write_all(kept, "mine", 4);
	expect_text(s, "mine");
	weft_stream_free(kept);
	weft_stream_free(s);
}
END_TEST

static int
write_much(struct weft_stream *s, void *arg)
{
	weft_stream_write(s, arg, 60 * KIB, soon_enough());
	return 0;
}

START_TEST(what_a_handler_left_in_the_queue_is_flushed)
{
	char *bytes = patterned(60 * KIB, 1), got[1];
	struct weft_stream *s;

	listen_with(NULL);
	ck_assert_ok(weft_server_start(server, write_much, bytes));
	s = client();
	expect_bytes(s, bytes, 60 * KIB);
	ck_assert_int_eq(weft_stream_read(s, got, 1, soon_enough()), 0);
	weft_stream_free(s);
	weft_server_free(server);
	free(bytes);
}
END_TEST

START_TEST(connections_are_listed_in_the_order_of_accept)
{
	struct weft_stream *clients[5], *list[5] = { NULL };
	int i;

	start(echo);
	for (i = 0; i < 5; i++) {
		clients[i] = client();
		until_connections((size_t)i + 1);
	}
	ck_assert_uint_eq(weft_server_connections(server, list, 3), 5);
	ck_assert(list[3] == NULL);
	ck_assert_uint_eq(weft_server_connections(server, list, 5), 5);
	for (i = 0; i < 5; i++) {
		ck_assert_str_eq(weft_stream_peername(list[i]),
		    weft_stream_sockname(clients[i]));
		ck_assert_ptr_eq(weft_stream_server(list[i]), server);
	}
	weft_stream_free(clients[2]);
	until_connections(4);
	ck_assert_uint_eq(weft_server_connections(server, list, 5), 4);
	ck_assert_str_eq(weft_stream_peername(list[2]), weft_stream_sockname(clients[3]));
	for (i = 0; i < 5; i++)
		if (i != 2)
			weft_stream_free(clients[i]);
	weft_server_free(server);
}
END_TEST

START_TEST(max_connections_leaves_the_others_in_the_backlog)
{
	struct weft_listen_options options = { .size = sizeof options,
		.max_connections = 2 };
	struct weft_stream *clients[4];
	const char *line;
	int i;

	listen_with(&options);
	handled = 0;
	ck_assert_ok(weft_server_start(server, echo, NULL));
	for (i = 0; i < 4; i++) {
		clients[i] = client();
		write_all(clients[i], "x\n", 2);
	}
	expect_line(clients[0], "x\n");
	expect_line(clients[1], "x\n");
	turns(5);
	ck_assert_int_eq(handled, 2);
	ck_assert_fails(weft_stream_read_line(clients[2], &line, WEFT_NOWAIT), EAGAIN);
	weft_stream_free(clients[0]);
	expect_line(clients[2], "x\n");
	weft_stream_free(clients[1]);
	expect_line(clients[3], "x\n");
	weft_stream_free(clients[2]);
	weft_stream_free(clients[3]);
	weft_server_free(server);
}
END_TEST

/* --- who may do what when */

START_TEST(one_serves_and_the_others_are_told_ebusy)
{
	struct weft_fiber *fiber;

	start(echo);
	ck_assert_fails(weft_server_start(server, echo, NULL), EBUSY);
	ck_assert_fails(weft_server_serve(server, echo, NULL), EBUSY);
	ck_assert_null(weft_server_accept(server, soon_enough()), EBUSY);
	serves();
	ck_assert_ok(weft_server_close(server, soon_enough()));
	ck_assert_fails(weft_server_start(server, echo, NULL), EBADF);
	ck_assert_fails(weft_server_serve(server, echo, NULL), EBADF);
	ck_assert_null(weft_server_accept(server, soon_enough()), EBADF);
	ck_assert_fails(weft_server_fd(server), EBADF);
	ck_assert_gives(weft_server_close(server, soon_enough()), 0);
	ck_assert_gives(weft_server_stop(server), 0);
	weft_server_free(server);
	listen_with(NULL);
	ck_assert_fails(weft_server_serve(server, NULL, NULL), EINVAL);
	fiber = begin(serve, NULL);
	serving = 0;
	yield_until(&serving);
	ck_assert_null(weft_server_accept(server, WEFT_NOWAIT), EBUSY);
	serves();
	weft_server_free(server);
	ck_assert_int_eq(end(fiber), 0);
	weft_server_free(NULL);
}
END_TEST

START_TEST(accept_keeps_deadlines_and_gives_connections)
{
	struct weft_stream *s, *accepted;

	listen_with(NULL);
	ck_assert_null(weft_server_accept(server, WEFT_NOWAIT), EAGAIN);
	ck_assert_null(weft_server_accept(server, weft_after(3)), ETIMEDOUT);
	ck_assert_null(weft_server_accept(server, weft_after(-3)), ETIMEDOUT);
	s = client();
	accepted = weft_server_accept(server, weft_after(-3));
	ck_assert(accepted != NULL);
	ck_assert_ptr_eq(weft_stream_server(accepted), server);
	ck_assert_uint_eq(weft_server_connections(server, NULL, 0), 0);
	weft_server_free(server);
	write_all(accepted, "x", 1);
	expect_text(s, "x");
	weft_stream_free(accepted);
	weft_stream_free(s);
}
END_TEST

static int accept_error;

static int
accept_one(void *arg)
{
	struct weft_stream *s = weft_server_accept(server, soon_enough());

	(void)arg;
	accept_error = s == NULL ? errno : 0;
	weft_stream_free(s);
	return 0;
}

START_TEST(stop_close_and_free_wake_who_accepts)
{
	struct weft_fiber *fiber;

	listen_with(NULL);
	fiber = begin(accept_one, NULL);
	turns(2);
	if (_i == 0)
		ck_assert_ok(weft_server_stop(server));
	else if (_i == 1)
		ck_assert_ok(weft_server_close(server, WEFT_NOWAIT));
	else
		weft_server_free(server);
	end(fiber);
	ck_assert_int_eq(accept_error, EBADF);
	if (_i < 2)
		weft_server_free(server);
}
END_TEST

START_TEST(stop_leaves_the_connections_alone)
{
	struct weft_stream *s;
	char name[64];

	start(echo);
	strcpy(name, weft_server_sockname(server));
	s = client();
	until_connections(1);
	ck_assert_gives(weft_server_stop(server), 0);
	ck_assert_gives(weft_server_stop(server), 0);
	ck_assert_fails(weft_server_fd(server), EBADF);
	ck_assert_str_eq(weft_server_sockname(server), name);
	ck_assert_int_gt(weft_server_port(server), 0);
	write_all(s, "still\n", 6);
	expect_line(s, "still\n");
	ck_assert_ptr_ne(weft_stream_server(s), server);
	weft_stream_free(s);
	ck_assert_ok(weft_server_close(server, soon_enough()));
	weft_server_free(server);
}
END_TEST

START_TEST(from_fd_serves_a_listening_socket_and_refuses_others)
{
	int pair[2];
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_ok(listen(listener, 5));
	server = weft_server_from_fd(listener);
	ck_assert(server != NULL);
	ck_assert_int_eq(weft_server_fd(server), listener);
	handled = 0;
	ck_assert_ok(weft_server_start(server, echo, NULL));
	serves();
	weft_server_free(server);
	ck_assert_null(weft_server_from_fd(-1), EBADF);
	ck_assert_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ck_assert_null(weft_server_from_fd(pair[0]), EINVAL);
	ck_assert_int_eq(write(pair[0], "x", 1), 1);
	close(pair[0]);
	close(pair[1]);
	ck_assert_null(weft_server_from_fd(STDIN_FILENO), ENOTSOCK);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("server");
	TCase *tc = test_case(suite, "serving");

	(void)backend;
	tcase_add_test(tc, a_thousand_clients_at_once_get_their_lines_back);
	tcase_add_test(tc, bad_peers_leave_the_server_serving);
	tcase_add_test(tc, a_handler_may_fail_close_or_free_its_stream);
	tcase_add_test(tc, a_kept_connection_is_the_programs);
	tcase_add_test(tc, what_a_handler_left_in_the_queue_is_flushed);
	tcase_add_test(tc, connections_are_listed_in_the_order_of_accept);
	tcase_add_test(tc, max_connections_leaves_the_others_in_the_backlog);

	tc = test_case(suite, "who may do what when");
	tcase_add_test(tc, one_serves_and_the_others_are_told_ebusy);
	tcase_add_test(tc, accept_keeps_deadlines_and_gives_connections);
	tcase_add_loop_test(tc, stop_close_and_free_wake_who_accepts, 0, 3);
	tcase_add_test(tc, stop_leaves_the_connections_alone);
	tcase_add_test(tc, from_fd_serves_a_listening_socket_and_refuses_others);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
