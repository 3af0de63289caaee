/* SPDX-License-Identifier: MIT */
/*
 * tests/check_poller_servers.c - servers in a poller and their clients, and calls
 * that fail.
 *
 * Linked with -Wl,--wrap=accept4,--wrap=accept,--wrap=malloc,--wrap=calloc.
 */
#include "config.h"

#include <sys/socket.h>

#include "lib/server.h"
#include "tests/polled.h"
#include "tests/wrap.h"

/* --- calls that fail */

static int failing_accepts, accept_error, allocations_left = -1;

int __real_accept4(int, struct sockaddr *, socklen_t *, int);
int __wrap_accept4(int, struct sockaddr *, socklen_t *, int);
void *__real_malloc(size_t);
void *__wrap_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__wrap_calloc(size_t, size_t);

int
__wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	if (failing_accepts > 0) {
		failing_accepts--;
		errno = accept_error;
		return -1;
	}
	return __real_accept4(fd, address, length, flags);
}

WRAP_ACCEPT_ALIKE

static bool
fails(void)
{
	if (allocations_left < 0 || allocations_left-- > 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

/* --- servers */

enum { CLIENTS = 20 };
static struct weft_server *server;
static struct weft_stream *clients[CLIENTS];

static void
connect_client_at(const char *host, int i)
{
	char port[16];

	snprintf(port, sizeof port, "%d", weft_server_port(server));
	clients[i] = weft_tcp_connect(host, port, NULL, soon_enough());
	ck_assert_ptr_nonnull(clients[i]);
}

static void
connect_client(int i)
{
	connect_client_at("127.0.0.1", i);
}

static void
listen_and_connect(int n)
{
	int i;

	server = weft_tcp_listen("127.0.0.1", "0", NULL);
	for (i = 0; i < n; i++)
		connect_client(i);
}

static void
free_clients(int n)
{
	int i;

	for (i = 0; i < n; i++)
		weft_stream_free(clients[i]);
	for (i = 0; i < accepts; i++)
		weft_stream_free(accepted[i]);
	weft_poller_free(poller);
	weft_server_free(server);
}

START_TEST(sixteen_are_accepted_by_one_poll_and_the_others_by_the_next)
{
	begin_story(WEFT_LINES);
	listen_and_connect(CLIENTS);
	ck_assert_gives(weft_poller_add_server(poller, server), 0);
	ck_assert_gives(weft_poller_add_server(poller, server), 0);
	ck_assert_null(weft_server_accept(server, WEFT_NOWAIT), EBUSY);
	ck_assert_int_eq(poll_and_tell(64, soon_enough()), 16);
	ck_assert_int_eq(poll_and_tell(64, soon_enough()), CLIENTS - 16);
	ck_assert_int_eq(accepts, CLIENTS);
	ck_assert_ptr_eq(weft_stream_server(accepted[0]), server);
	story[0] = '\0';
	named[2] = accepted[2];
	write_all(clients[2], "li", 2);         /* they inherit the mode */
	ck_assert_gives(poll_and_tell(64, weft_after(2)), 0);
	write_all(clients[2], "ne\nrest", 7);
	tell_lines(1, 8);
	ck_assert_ok(weft_stream_close(clients[2], WEFT_NOWAIT));
	tell_lines(3, 8);
	ends_as("c line line\nc line rest\nc closed\n");
	free_clients(CLIENTS);
}
END_TEST

START_TEST(accepts_fit_the_array)
{
	int i;

	begin_story(WEFT_BYTES);
	listen_and_connect(5);
	ck_assert_ok(weft_poller_add_server(poller, server));
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(poll_and_tell(1, soon_enough()), 1);
	ends_as("? accept\n? accept\n? accept\n? accept\n? accept\n");
	ck_assert_gives(weft_poller_remove_server(poller, server), 0);
	ck_assert_gives(weft_poller_remove_server(poller, server), 0);
	ck_assert_null(weft_server_accept(server, WEFT_NOWAIT), EAGAIN);
	free_clients(5);
}
END_TEST

static int
connect_from_a_fiber(void *i)
{
	connect_client_at(*(int *)i & 1 ? "::1" : "127.0.0.1", *(int *)i);
	return 0;
}

/* One address after the other, while the poll waits for both; then both at once. */
START_TEST(a_server_of_several_listeners_tells_of_the_clients_of_each)
{
	struct weft_fiber *fiber;
	int i;

	begin_story(WEFT_BYTES);
	server = weft_tcp_listen(NULL, "0", NULL);
	ck_assert_ptr_nonnull(server);
	if (server->other_count == 0) { /* no IPv6 here */
		free_clients(0);
		return;
	}
	ck_assert_ok(weft_poller_add_server(poller, server));
	for (i = 0; i < 6; i++) {
		ck_assert_gives(poll_and_tell(8, WEFT_NOWAIT), 0);
		fiber = begin(connect_from_a_fiber, &i);
		tell_lines(i + 1, 8);
		end(fiber);
	}
	for (; i < 8; i++)
		connect_from_a_fiber(&i);
	tell_lines(8, 8);
	ends_as("? accept\n? accept\n? accept\n? accept\n? accept\n? accept\n? accept\n"
	    "? accept\n");
	ck_assert_gives(weft_poller_remove_server(poller, server), 0);
	connect_from_a_fiber(&i);
	ends_as("");
	free_clients(9);
}
END_TEST

static int
stop_server(void *arg)
{
	return arg != NULL ? weft_server_close(server, WEFT_NOWAIT) : weft_server_stop(server);
}

START_TEST(a_server_that_is_closed_is_told_once_and_a_freed_one_is_not)
{
	struct weft_fiber *fiber;
	int dummy;

	begin_story(WEFT_BYTES);
	listen_and_connect(0);
	ck_assert_ok(weft_poller_add_server(poller, server));
	ck_assert_gives(poll_and_tell(1, WEFT_NOWAIT), 0);
	fiber = begin(stop_server, _i == 0 ? NULL : &dummy);
	tell_lines(1, 8);
	end(fiber);
	ends_as("- closed\n");
	ck_assert_fails(weft_poller_add_server(poller, server), EBADF);
	weft_server_free(server);
	listen_and_connect(0);
	ck_assert_ok(weft_poller_add_server(poller, server));
	ck_assert_gives(poll_and_tell(1, WEFT_NOWAIT), 0);
	weft_server_free(server);
	ends_as("");
	weft_poller_free(poller);
}
END_TEST

/* A rest, and no spinning; what has come to others is told meanwhile. */
START_TEST(a_server_without_descriptors_rests_and_goes_on)
{
	struct weft_stream *s = weft_memory_open();

	begin_story(WEFT_BYTES);
	listen_and_connect(1);
	failing_accepts = 1 << 20;
	accept_error = _i == 0 ? EMFILE : ENOMEM;
	ck_assert_ok(weft_poller_add_server(poller, server));
	ck_assert_gives(poll_and_tell(8, weft_after(70)), 0);
	ck_assert_int_gt(failing_accepts, (1 << 20) - 5);
	ck_assert_uint_ge(loop_stats().accept_pauses, 1);
	watch_as(0, s);
	ck_assert_ok(weft_memory_feed(s, "x", 1));
	tell_lines(1, 8);
	ck_assert_str_eq(story, "a data x\n");
	failing_accepts = 0;
	tell_lines(2, 8);
	ends_as("a data x\n? accept\n");
	weft_stream_free(s);
	free_clients(1);
}
END_TEST

START_TEST(a_closed_descriptor_ends_the_rest)
{
	struct weft_stream *ends[2];
	int64_t before;

	begin_story(WEFT_BYTES);
	listen_and_connect(1);
	failing_accepts = 5;            /* the pause is a second by now */
	accept_error = ENFILE;
	ck_assert_ok(weft_poller_add_server(poller, server));
	while (failing_accepts > 0)
		ck_assert_gives(poll_and_tell(8, weft_after(5)), 0);
	open_tcp(ends);
	before = weft_after(0);
	weft_stream_free(ends[0]);      /* between two polls */
	ck_assert_int_eq(poll_and_tell(8, soon_enough()), 1);
	ck_assert_int_lt(weft_after(0), before + 700);
	weft_stream_free(ends[1]);
	free_clients(1);
}
END_TEST

START_TEST(a_listener_that_is_broken_is_an_error_and_then_closed)
{
	begin_story(WEFT_BYTES);
	listen_and_connect(1);
	failing_accepts = 3;
	accept_error = _i == 0 ? EINVAL : ECONNABORTED;
	ck_assert_ok(weft_poller_add_server(poller, server));
	tell_lines(_i == 0 ? 2 : 1, 1);
	ends_as(_i == 0 ? "- error EINVAL\n- closed\n" : "? accept\n");
	free_clients(1);
}
END_TEST

/* For every k: each line is told, or the member goes with ENOMEM and can come
 * again; the server goes on when there is memory, even if it had to drop one. */
START_TEST(without_memory_nothing_is_lost)
{
	struct weft_stream *ends[2];
	struct weft_poll_event events[8];
	int i, told, lines = 0;
	ssize_t n;

	for (i = 0; i < 12; i++) {
		begin_story(WEFT_LINES);
		open_way(WAY_TCP, ends);
		listen_and_connect(1);
		write_all(ends[0], "line\n", 5);
		named[0] = ends[1];
		/* First that for the input Buffer: later there is one in the pool. */
		allocations_left = (i + 2) % 12;
		told = weft_poller_register(poller, ends[1]);
		told |= weft_poller_add_server(poller, server);
		n = told == 0 ? weft_poller_poll(poller, events, 8, weft_after(20)) : 0;
		allocations_left = -1;
		tell_all(events, n);
		ck_assert_ok(weft_poller_register(poller, ends[1]));
		ck_assert_ok(weft_poller_add_server(poller, server));
		connect_client(1);
		while (accepts == 0 || strstr(story, "a line line\n") == NULL)
			ck_assert_int_gt(poll_and_tell(8, soon_enough()), 0);
		lines += strstr(story, "ENOMEM") != NULL;
		free_ends(ends);
		free_clients(2);
	}
	ck_assert_int_gt(lines, 0);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("poller, servers");
	TCase *tc;

	(void)backend;
	tc = test_case(suite, "servers");
	tcase_add_test(tc, sixteen_are_accepted_by_one_poll_and_the_others_by_the_next);
	tcase_add_test(tc, accepts_fit_the_array);
	tcase_add_test(tc, a_server_of_several_listeners_tells_of_the_clients_of_each);
	tcase_add_loop_test(tc, a_server_that_is_closed_is_told_once_and_a_freed_one_is_not, 0, 2);
	tcase_add_loop_test(tc, a_server_without_descriptors_rests_and_goes_on, 0, 2);
	tcase_add_test(tc, a_closed_descriptor_ends_the_rest);
	tcase_add_loop_test(tc, a_listener_that_is_broken_is_an_error_and_then_closed, 0, 2);
	tcase_add_test(tc, without_memory_nothing_is_lost);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
