/* SPDX-License-Identifier: MIT */
/*
 * tests/check_tcp.c - names, addresses, ports, and what connect says.
 */
#include "config.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/compat.h"
#include "tests/streams.h"
#include "weft/error.h"
#include "weft/tcp.h"

static struct weft_server *server;
static char port[16];

static void
listen_at(const char *host)
{
	server = weft_tcp_listen(host, "0", NULL);
	ck_assert_msg(server != NULL, "%s", weft_stream_error_text(NULL));
	snprintf(port, sizeof port, "%d", weft_server_port(server));
}

static void
says(const char *what)
{
	ck_assert_msg(strstr(weft_stream_error_text(NULL), what) != NULL, "\"%s\" in \"%s\"",
	    what, weft_stream_error_text(NULL));
}

/* --- connect */

START_TEST(a_closed_port_is_refused_in_words)
{
	listen_at("127.0.0.1");
	weft_server_free(server);
	ck_assert_null(weft_tcp_connect("127.0.0.1", port, NULL, soon_enough()),
	    ECONNREFUSED);
	says("connect to 127.0.0.1: Connection refused");
	ck_assert_int_eq(weft_resolve_errno(), 0);
}
END_TEST

START_TEST(a_host_that_does_not_resolve_is_ehostunreach_with_its_code)
{
	ck_assert_null(weft_tcp_connect("no-such-host.invalid", "1", NULL, soon_enough()),
	    EHOSTUNREACH);
	ck_assert(weft_resolve_errno() == WEFT_EAI(EAI_NONAME) ||
	    weft_resolve_errno() == WEFT_EAI(EAI_AGAIN));
	says("no-such-host.invalid");
	says(weft_strerror(weft_resolve_errno()));
	ck_assert_null(weft_tcp_listen("no-such-host.invalid", "0", NULL), EHOSTUNREACH);
}
END_TEST

START_TEST(a_bad_port_is_einval)
{
	static const char *const bad[] = { "", "65536", "-1", "99999999999999999999",
		"no-such-service", "80x", NULL };
	int i;

	for (i = 0; i < 7; i++) {
		ck_assert_null(weft_tcp_connect("127.0.0.1", bad[i], NULL, soon_enough()),
		    EINVAL);
		ck_assert_null(weft_tcp_listen("127.0.0.1", bad[i], NULL), EINVAL);
	}
}
END_TEST

START_TEST(localhost_is_resolved_on_a_thread_and_errno_stays)
{
	struct weft_stream *s, *accepted;

	listen_at("127.0.0.1");
	errno = 12345;
	s = weft_tcp_connect("localhost", port, NULL, soon_enough());
	ck_assert_msg(s != NULL, "%s", weft_stream_error_text(NULL));
	ck_assert_int_eq(errno, 12345);
	ck_assert_int_eq(weft_resolve_errno(), 0);
	accepted = weft_server_accept(server, soon_enough());
	ck_assert(accepted != NULL);
	ck_assert_int_eq(errno, 12345);
	weft_stream_free(accepted);
	weft_stream_free(s);
	weft_server_free(server);
}
END_TEST

START_TEST(the_source_address_is_bound)
{
	struct weft_tcp_options options = { .size = sizeof options,
		.source_host = "127.0.0.2" };
	struct weft_stream *s, *accepted;

	listen_at("127.0.0.1");
	s = weft_tcp_connect("127.0.0.1", port, &options, soon_enough());
	accepted = weft_server_accept(server, soon_enough());
	ck_assert(s != NULL && accepted != NULL);
	ck_assert_msg(strncmp(weft_stream_peername(accepted), "127.0.0.2:", 10) == 0,
	    "%s", weft_stream_peername(accepted));
	weft_stream_free(accepted);
	weft_stream_free(s);
	options.source_host = "192.0.2.1";
	ck_assert_null(weft_tcp_connect("127.0.0.1", port, &options, soon_enough()),
	    EADDRNOTAVAIL);
	options.source_host = "::1";
	ck_assert(weft_tcp_connect("127.0.0.1", port, &options, soon_enough()) == NULL);
	options.size = 1;
	ck_assert_null(weft_tcp_connect("127.0.0.1", port, &options, soon_enough()), EINVAL);
	weft_server_free(server);
}
END_TEST

START_TEST(nagle_is_off_unless_asked_for)
{
	struct weft_tcp_options options = { .size = sizeof options, .no_nodelay = true,
		.keepalive = true };
	struct weft_stream *s, *accepted;
	int on = -1;
	socklen_t n = sizeof on;

	listen_at("127.0.0.1");
	s = weft_tcp_connect("127.0.0.1", port, _i ? &options : NULL, soon_enough());
	accepted = weft_server_accept(server, soon_enough());
	ck_assert_ok(getsockopt(weft_stream_fd(s), IPPROTO_TCP, TCP_NODELAY, &on, &n));
	ck_assert_int_eq(on != 0, !_i);
	ck_assert_ok(getsockopt(weft_stream_fd(accepted), IPPROTO_TCP, TCP_NODELAY, &on, &n));
	ck_assert_int_ne(on, 0);
	ck_assert_ok(getsockopt(weft_stream_fd(s), SOL_SOCKET, SO_KEEPALIVE, &on, &n));
	ck_assert_int_eq(on != 0, _i);
	weft_stream_free(accepted);
	weft_stream_free(s);
	weft_server_free(server);
}
END_TEST

/* --- a host that does not answer: a listener whose backlog is full */

static int hole, fillers[8];

static void
open_hole(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof at;
	int i;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	hole = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_ok(bind(hole, (struct sockaddr *)&at, n));
	ck_assert_ok(listen(hole, 0));
	ck_assert_ok(getsockname(hole, (struct sockaddr *)&at, &n));
	for (i = 0; i < 8; i++) {
		fillers[i] = weft__compat_socket(AF_INET, SOCK_STREAM, 0);
		connect(fillers[i], (struct sockaddr *)&at, n);
	}
	snprintf(port, sizeof port, "%d", ntohs(at.sin_port));
}

static void
close_hole(void)
{
	int i;

	for (i = 0; i < 8; i++)
		close(fillers[i]);
	close(hole);
}

static int connect_error;
static char loopback[] = "127.0.0.1", unknown[] = "no-such-host.invalid";

static int
connect_it(void *host)
{
	struct weft_stream *s = weft_tcp_connect(host, port, NULL, soon_enough());

	connect_error = s == NULL ? errno : 0;
	weft_stream_free(s);
	return 0;
}

START_TEST(connect_to_who_does_not_answer_keeps_its_deadline)
{
	int64_t began = weft_now();

	open_hole();
	ck_assert_null(weft_tcp_connect("127.0.0.1", port, NULL, weft_after(30)), ETIMEDOUT);
	says("timed out");
	ck_assert_int_ge(weft_now() - began, 30);
	ck_assert_null(weft_tcp_connect("127.0.0.1", port, NULL, weft_after(-1)), ETIMEDOUT);
	ck_assert_null(weft_tcp_connect("127.0.0.1", port, NULL, WEFT_NOWAIT), EAGAIN);
	ck_assert_ok(weft_deadline_push(weft_after(10)));
	ck_assert_null(weft_tcp_connect("127.0.0.1", port, NULL, soon_enough()), ETIMEDOUT);
	weft_deadline_pop();
	close_hole();
}
END_TEST

START_TEST(connect_can_be_cancelled)
{
	struct weft_fiber *fiber;

	open_hole();
	fiber = begin(connect_it, loopback);
	turns(3);
	ck_assert_ok(weft_cancel(fiber));
	end(fiber);
	ck_assert_int_eq(connect_error, ECANCELED);
	close_hole();
}
END_TEST

START_TEST(resolving_can_be_cancelled_and_keeps_deadlines)
{
	struct weft_fiber *fiber;

	strcpy(port, "1");
	fiber = begin(connect_it, unknown);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(fiber));
	end(fiber);
	ck_assert(connect_error == ECANCELED ||
	    connect_error == EHOSTUNREACH);     /* the thread was faster */
	ck_assert_null(weft_tcp_connect(unknown, "1", NULL, WEFT_NOWAIT), EAGAIN);
}
END_TEST

START_TEST(nowait_connects_if_it_need_not_wait)
{
	struct weft_stream *s;

	listen_at("127.0.0.1");
	s = weft_tcp_connect("127.0.0.1", port, NULL, WEFT_NOWAIT);
	ck_assert(s != NULL || errno == EAGAIN);
	weft_stream_free(s);
	weft_server_free(server);
}
END_TEST

/* --- listen */

START_TEST(a_port_in_use_is_eaddrinuse_in_words)
{
	listen_at("127.0.0.1");
	ck_assert_null(weft_tcp_listen("127.0.0.1", port, NULL), EADDRINUSE);
	says("listen at 127.0.0.1: ");
	says(strerror(EADDRINUSE));
	weft_server_free(server);
}
END_TEST

START_TEST(a_port_can_be_taken_again_at_once)
{
	struct weft_stream *s;

	listen_at("127.0.0.1");
	s = weft_tcp_connect("127.0.0.1", port, NULL, soon_enough());
	ck_assert_ok(weft_server_close(server, soon_enough()));
	weft_server_free(server);
	weft_stream_free(s);
	server = weft_tcp_listen("127.0.0.1", port, NULL);
	ck_assert_msg(server != NULL, "%s", weft_stream_error_text(NULL));
	weft_server_free(server);
}
END_TEST

START_TEST(reuse_port_lets_two_listen)
{
	struct weft_listen_options options = { .size = sizeof options, .reuse_port = true };
	struct weft_server *second;

	server = weft_tcp_listen("127.0.0.1", "0", &options);
	ck_assert(server != NULL);
	snprintf(port, sizeof port, "%d", weft_server_port(server));
	second = weft_tcp_listen("127.0.0.1", port, &options);
	ck_assert_msg(second != NULL, "%s", weft_stream_error_text(NULL));
	weft_server_free(second);
	weft_server_free(server);
	options.backlog = -1;
	ck_assert_null(weft_tcp_listen("127.0.0.1", "0", &options), EINVAL);
}
END_TEST

START_TEST(no_host_means_all_addresses)
{
	struct weft_stream *s;

	listen_at(NULL);
	s = weft_tcp_connect("127.0.0.1", port, NULL, soon_enough());
	ck_assert_msg(s != NULL, "%s", weft_stream_error_text(NULL));
	weft_stream_free(s);
	s = weft_tcp_connect(NULL, port, NULL, soon_enough());
	ck_assert_msg(s != NULL, "%s", weft_stream_error_text(NULL));
	weft_stream_free(s);
	weft_server_free(server);
}
END_TEST

START_TEST(ipv6_names_have_brackets)
{
	struct weft_stream *s;
	char name[64];

	server = weft_tcp_listen("::1", "0", NULL);
	if (server == NULL) {
		ck_assert(errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT);
		return;
	}
	snprintf(port, sizeof port, "%d", weft_server_port(server));
	snprintf(name, sizeof name, "[::1]:%s", port);
	ck_assert_str_eq(weft_server_sockname(server), name);
	s = weft_tcp_connect("::1", port, NULL, soon_enough());
	ck_assert(s != NULL);
	ck_assert_str_eq(weft_stream_peername(s), name);
	weft_stream_free(s);
	weft_server_free(server);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("tcp");
	TCase *tc = test_case(suite, "connect");

	(void)backend;
	tcase_add_test(tc, a_closed_port_is_refused_in_words);
	tcase_add_test(tc, a_host_that_does_not_resolve_is_ehostunreach_with_its_code);
	tcase_add_test(tc, a_bad_port_is_einval);
	tcase_add_test(tc, localhost_is_resolved_on_a_thread_and_errno_stays);
	tcase_add_test(tc, the_source_address_is_bound);
	tcase_add_loop_test(tc, nagle_is_off_unless_asked_for, 0, 2);
	tcase_add_test(tc, nowait_connects_if_it_need_not_wait);

	tc = test_case(suite, "a host that does not answer");
	tcase_add_test(tc, connect_to_who_does_not_answer_keeps_its_deadline);
	tcase_add_test(tc, connect_can_be_cancelled);

	tc = test_case(suite, "listen");
	tcase_add_test(tc, a_port_in_use_is_eaddrinuse_in_words);
	tcase_add_test(tc, a_port_can_be_taken_again_at_once);
	tcase_add_test(tc, reuse_port_lets_two_listen);
	tcase_add_test(tc, no_host_means_all_addresses);
	tcase_add_test(tc, ipv6_names_have_brackets);

	/* Last: the thread goes on by itself, with a socket of the resolver's. */
	tc = test_case_unclean(suite, "resolving");
	tcase_add_test(tc, resolving_can_be_cancelled_and_keeps_deadlines);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
