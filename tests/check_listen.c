/* SPDX-License-Identifier: MIT */
/*
 * tests/check_listen.c - one server at several addresses: those of a name, or
 * all, where one socket does not serve both families.
 */
#include "config.h"

#include <stdio.h>
#include <sys/wait.h>

#include "tests/fake_net.h"
#include "tests/servers.h"

static char port[16];
static bool no_both;            /* the system cannot serve both with one socket */

int __real_setsockopt(int, int, int, const void *, socklen_t);
int __wrap_setsockopt(int, int, int, const void *, socklen_t);

int
__wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	static const int on = 1;

	if (no_both && level == IPPROTO_IPV6 && option == IPV6_V6ONLY)
		value = &on;
	return __real_setsockopt(fd, level, option, value, length);
}

/* The name has these addresses, but the sockets are real. */
static void
setup(void)
{
	begin_faking();
	end_faking();
	no_both = false;
}

static void
listen_at_name(void)
{
	server = weft_tcp_listen("many.test", "0", NULL);
	ck_assert_msg(server != NULL, "%s", weft_stream_error_text(NULL));
	snprintf(port, sizeof port, "%d", weft_server_port(server));
}

static void
three_hosts(void)
{
	add_host("127.0.0.1", ANSWERS, 0);
	add_host("127.0.0.2", ANSWERS, 0);
	add_host("127.0.0.1", ANSWERS, 0);      /* again */
	add_host("192.0.2.1", ANSWERS, 0);      /* not here */
	add_host("127.0.0.3", ANSWERS, 0);
}

static struct weft_stream *
client_at(const char *host)
{
	struct weft_stream *s = weft_tcp_connect(host, port, NULL, soon_enough());

	ck_assert_msg(s != NULL, "%s", weft_stream_error_text(NULL));
	return s;
}

/* The server takes a connection to that address. */
static void
answers_at(const char *host, int64_t deadline)
{
	struct weft_stream *s = client_at(host), *accepted;

	accepted = weft_server_accept(server, deadline);
	ck_assert_msg(accepted != NULL, "%s: %s", host, strerror(errno));
	ck_assert_str_eq(weft_stream_sockname(accepted), weft_stream_peername(s));
	weft_stream_free(accepted);
	weft_stream_free(s);
}

START_TEST(a_name_is_listened_at_with_one_port_for_all_its_addresses)
{
	three_hosts();
	listen_at_name();
	ck_assert_int_eq(strncmp(weft_server_sockname(server), "127.0.0.1:", 10), 0);
	answers_at("127.0.0.1", soon_enough());
	answers_at("127.0.0.3", soon_enough());
	answers_at("127.0.0.2", soon_enough());
	answers_at("127.0.0.2", WEFT_NOWAIT);
	answers_at("127.0.0.3", WEFT_NEVER);
	ck_assert_null(weft_server_accept(server, WEFT_NOWAIT), EAGAIN);
	ck_assert_null(weft_server_accept(server, weft_after(5)), ETIMEDOUT);
	weft_server_free(server);
}
END_TEST

static struct weft_stream *accepted_one;

static int
accept_it(void *unused)
{
	(void)unused;
	accepted_one = weft_server_accept(server, soon_enough());
	return 0;
}

START_TEST(who_waits_for_a_connection_waits_at_all_addresses)
{
	static const char *const host[] = { "127.0.0.1", "127.0.0.2", "127.0.0.3" };
	struct weft_fiber *fiber;
	struct weft_stream *s;

	three_hosts();
	listen_at_name();
	fiber = begin(accept_it, NULL);
	turns(3);
	s = client_at(host[_i]);
	end(fiber);
	ck_assert(accepted_one != NULL);
	weft_stream_free(accepted_one);
	weft_stream_free(s);
	weft_server_free(server);
}
END_TEST

/* One address that is always busy does not keep the others from being served. */
START_TEST(the_addresses_take_turns)
{
	struct weft_stream *s[12], *accepted;
	int i, second = 0;

	three_hosts();
	listen_at_name();
	for (i = 0; i < 12; i++)
		s[i] = client_at(i < 6 ? "127.0.0.1" : "127.0.0.2");
	for (i = 0; i < 6; i++) {
		accepted = weft_server_accept(server, soon_enough());
		ck_assert(accepted != NULL);
		second += strncmp(weft_stream_sockname(accepted), "127.0.0.2:", 10) == 0;
		weft_stream_free(accepted);
	}
	ck_assert_int_eq(second, 3);
	for (i = 0; i < 12; i++)
		weft_stream_free(s[i]);
	weft_server_free(server);
}
END_TEST

START_TEST(serving_and_stopping_are_for_all_addresses)
{
	struct weft_stream *s[2];

	three_hosts();
	listen_at_name();
	ck_assert_ok(weft_server_start(server, echo, NULL));
	s[0] = client_at("127.0.0.1");
	s[1] = client_at("127.0.0.2");
	write_all(s[1], "ping\n", 5);
	expect_line(s[1], "ping\n");
	write_all(s[0], "ping\n", 5);
	expect_line(s[0], "ping\n");
	ck_assert_ok(weft_server_stop(server));
	ck_assert_null(weft_tcp_connect("127.0.0.1", port, NULL, soon_enough()), ECONNREFUSED);
	ck_assert_null(weft_tcp_connect("127.0.0.2", port, NULL, soon_enough()), ECONNREFUSED);
	free_ends(s);
	weft_server_free(server);
}
END_TEST

START_TEST(a_forked_child_listens_at_all_addresses)
{
	struct weft_stream *s;
	int status;
	pid_t child;

	three_hosts();
	listen_at_name();
	ck_assert_null(weft_server_accept(server, WEFT_NOWAIT), EAGAIN);
	child = fork();
	if (child == 0)
		_exit(weft_loop_after_fork() == 0 &&
		    weft_server_accept(server, soon_enough()) != NULL ? 0 : 1);
	s = client_at("127.0.0.3");
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	weft_stream_free(s);
	weft_server_free(server);
}
END_TEST

START_TEST(an_address_that_is_in_use_is_an_error)
{
	struct weft_server *first;

	three_hosts();
	first = weft_tcp_listen("127.0.0.3", "0", NULL);
	snprintf(port, sizeof port, "%d", weft_server_port(first));
	ck_assert_null(weft_tcp_listen("many.test", port, NULL), EADDRINUSE);
	weft_server_free(first);
}
END_TEST

START_TEST(everywhere_is_both_families_with_one_socket_or_two)
{
	struct weft_server *six = weft_tcp_listen("::1", "0", NULL);

	if (six == NULL)
		return;
	weft_server_free(six);
	no_both = _i == 1;
	server = weft_tcp_listen(NULL, "0", NULL);
	ck_assert_msg(server != NULL, "%s", weft_stream_error_text(NULL));
	snprintf(port, sizeof port, "%d", weft_server_port(server));
	weft_stream_free(client_at("::1"));
	weft_stream_free(client_at("127.0.0.1"));
	weft_server_free(server);
}
END_TEST

START_TEST(localhost_is_both_families)
{
	struct weft_server *six = weft_tcp_listen("::1", "0", NULL);

	if (six == NULL)
		return;
	weft_server_free(six);
	add_host("::1", ANSWERS, 0);
	add_host("127.0.0.1", ANSWERS, 0);
	listen_at_name();
	answers_at("127.0.0.1", soon_enough());
	answers_at("::1", soon_enough());
	weft_server_free(server);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("listen");
	TCase *tc = test_case(suite, "several addresses");

	(void)backend;
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, a_name_is_listened_at_with_one_port_for_all_its_addresses);
	tcase_add_loop_test(tc, who_waits_for_a_connection_waits_at_all_addresses, 0, 3);
	tcase_add_test(tc, the_addresses_take_turns);
	tcase_add_test(tc, serving_and_stopping_are_for_all_addresses);
	tcase_add_test(tc, a_forked_child_listens_at_all_addresses);
	tcase_add_test(tc, an_address_that_is_in_use_is_an_error);
	tcase_add_loop_test(tc, everywhere_is_both_families_with_one_socket_or_two, 0, 2);
	tcase_add_test(tc, localhost_is_both_families);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
