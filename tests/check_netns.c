/* SPDX-License-Identifier: MIT */
/*
 * tests/check_netns.c - TCP across a network that loses, resets, is slow, or is
 * cut: two network namespaces of this process, joined by a pair of veth.
 *
 *   here, "a" 10.77.0.1  weft0 ======== weft1  10.77.0.2 "b", there
 *
 * A socket belongs to the namespace in which it was made, so one fiber can hold
 * both ends of a connection. The namespaces go with the process, which Check
 * makes anew for each test. Wants root, and ip, nft and tc; without them, or in
 * a sandbox, it is skipped.
 */
#include "config.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/streams.h"
#include "weft/error.h"
#include "weft/tcp.h"

#ifdef CLONE_NEWNET

static int here, there;         /* namespaces */
static struct weft_server *server;
static struct weft_stream *ends[2];     /* [0] is here, [1] there */
static char port[16];

/* --- the network */

static bool
enter(int namespace)
{
	return setns(namespace, CLONE_NEWNET) == 0;
}

/* Runs a command in a namespace. */
static bool __attribute__((format(printf, 2, 3)))
run_in(int namespace, const char *format, ...)
{
	char command[256];
	va_list arguments;
	bool good;

	va_start(arguments, format);
	vsnprintf(command, sizeof command, format, arguments);
	va_end(arguments);
	good = enter(namespace) && system(command) == 0;
	return enter(here) && good;
}

static int
new_namespace(void)
{
	return unshare(CLONE_NEWNET) < 0 ? -1 : open("/proc/self/ns/net", O_RDONLY);
}

static bool
make_network(void)
{
	there = new_namespace();
	here = new_namespace();
	return here >= 0 && there >= 0 &&
	    run_in(here, "ip link add weft0 type veth peer name weft1 2>/dev/null") &&
	    run_in(here, "ip link set weft1 netns /proc/self/fd/%d", there) &&
	    run_in(here, "ip address add 10.77.0.1/24 dev weft0; ip link set weft0 up") &&
	    run_in(there, "ip address add 10.77.0.2/24 dev weft1; ip link set weft1 up") &&
	    run_in(there, "nft 'add table ip t; add chain ip t in "
	    "{ type filter hook input priority 0; }' 2>/dev/null") &&
	    run_in(here, "tc qdisc add dev weft0 root tbf rate 1gbit burst 1mb latency 1s "
	    "2>/dev/null && tc qdisc del dev weft0 root");
}

/* What arrives there. */
static void
rule(const char *what)
{
	ck_assert_msg(run_in(there, "nft add rule ip t in tcp dport %s %s", port, what),
	    "no rule: %s", what);
}

static void
no_rules(void)
{
	ck_assert(run_in(there, "nft flush chain ip t in"));
}

static void
setup(void)
{
	ck_assert(make_network());
	ck_assert(enter(there));
	server = weft_tcp_listen("10.77.0.2", "0", NULL);
	ck_assert_msg(server != NULL, "%s", weft_stream_error_text(NULL));
	ck_assert(enter(here));
	snprintf(port, sizeof port, "%d", weft_server_port(server));
	ends[0] = weft_tcp_connect("10.77.0.2", port, NULL, soon_enough());
	ck_assert_msg(ends[0] != NULL, "%s", weft_stream_error_text(NULL));
	ends[1] = weft_server_accept(server, soon_enough());
	ck_assert(ends[1] != NULL);
}

static void
teardown(void)
{
	free_ends(ends);
	weft_server_free(server);
}

/* --- tests */

START_TEST(nothing_is_lost_where_packets_are)
{
	size_t n = 256 * KIB;
	char *bytes = patterned(n, 1);
	struct call call = { .memory = bytes, .n = n };
	struct tcp_info info;
	socklen_t size = sizeof info;

	rule("numgen inc mod 9 0 drop");
	call_begin(&call, call_write, ends[0]);
	expect_bytes(ends[1], bytes, n);
	call_end(&call);
	ck_assert_int_eq(call.result, (ssize_t)n);
	ck_assert_ok(getsockopt(weft_stream_fd(ends[0]), IPPROTO_TCP, TCP_INFO, &info, &size));
	ck_assert_uint_gt(info.tcpi_total_retrans, 0);
	write_all(ends[1], bytes, n / 2);
	expect_bytes(ends[0], bytes, n / 2);
	free(bytes);
}
END_TEST

START_TEST(a_reset_inside_a_record_keeps_the_part)
{
	const char *line;
	char got[8];

	write_all(ends[1], "half", 4);
	ck_assert_fails(weft_stream_read_line(ends[0], &line, weft_after(50)), ETIMEDOUT);
	rule("reject with tcp reset");
	write_all(ends[0], "what?", 5);
	ck_assert_fails(weft_stream_read_line(ends[0], &line, soon_enough()), ECONNRESET);
	ck_assert_int_eq(weft_stream_read(ends[0], got, sizeof got, soon_enough()), 4);
	ck_assert_mem_eq(got, "half", 4);
	ck_assert_fails(weft_stream_read(ends[0], got, sizeof got, soon_enough()), ECONNRESET);
	ck_assert_fails(weft_stream_write(ends[0], "x", 1, soon_enough()), EPIPE);
}
END_TEST

START_TEST(a_slow_link_bounds_what_is_queued)
{
	size_t n = 2 << 20;
	char *bytes = patterned(n, 2);
	struct call call = { .memory = bytes, .n = n };
	ssize_t taken;

	ck_assert(run_in(here, "tc qdisc add dev weft0 root tbf rate 20mbit burst 32kb "
	    "latency 50ms"));
	taken = weft_stream_write(ends[0], bytes, n, weft_after(20));
	ck_assert_int_gt(taken, 0);
	ck_assert_int_lt(taken, (ssize_t)n);
	ck_assert_uint_le(weft_stream_queued(ends[0]), 64 * KIB);
	expect_bytes(ends[1], bytes, (size_t)taken);
	call.memory = bytes + taken;
	call.n = n - (size_t)taken;
	call_begin(&call, call_write, ends[0]);
	expect_bytes(ends[1], bytes + taken, call.n);
	call_end(&call);
	free(bytes);
}
END_TEST

START_TEST(a_link_cut_inside_a_record_loses_nothing)
{
	char got[8];

	write_all(ends[1], "half", 4);
	ck_assert_fails(weft_stream_read_exactly(ends[0], got, 8, weft_after(50)), ETIMEDOUT);
	ck_assert(run_in(here, "ip link set weft0 down"));
	write_all(ends[1], "rest", 4);
	write_all(ends[0], "question", 8);
	ck_assert_fails(weft_stream_read_exactly(ends[0], got, 8, weft_after(100)), ETIMEDOUT);
	ck_assert_fails(weft_stream_read_exactly(ends[1], got, 8, weft_after(100)), ETIMEDOUT);
	ck_assert_int_eq(weft_stream_error(ends[0]), 0);
	ck_assert(run_in(here, "ip link set weft0 up"));
	expect_text(ends[0], "halfrest");
	expect_text(ends[1], "question");
}
END_TEST

START_TEST(a_peer_that_has_forgotten_us_is_found_out_by_a_write)
{
	char got[8];

	rule("drop");
	ck_assert(run_in(here, "nft 'add table ip t; add chain ip t in "
	    "{ type filter hook input priority 0; }; add rule ip t in drop'"));
	weft_stream_abort(ends[1]);             /* its reset gets lost */
	ck_assert_fails(weft_stream_read(ends[0], got, 1, weft_after(50)), ETIMEDOUT);
	ck_assert_int_eq(weft_stream_error(ends[0]), 0);
	ck_assert(run_in(here, "nft delete table ip t"));
	no_rules();
	write_all(ends[0], "are you there?", 14);
	ck_assert_fails(weft_stream_read(ends[0], got, 1, soon_enough()), ECONNRESET);
}
END_TEST

START_TEST(connect_tells_silence_from_a_closed_way)
{
	rule("drop");
	ck_assert_null(weft_tcp_connect("10.77.0.2", port, NULL, weft_after(50)), ETIMEDOUT);
	no_rules();
	rule("reject with icmp type host-unreachable");
	ck_assert_null(weft_tcp_connect("10.77.0.2", port, NULL, soon_enough()), EHOSTUNREACH);
	ck_assert_int_eq(weft_resolve_errno(), 0);
	no_rules();
	rule("reject with tcp reset");
	ck_assert_null(weft_tcp_connect("10.77.0.2", port, NULL, soon_enough()), ECONNREFUSED);
	ck_assert_null(weft_tcp_connect("192.0.2.1", port, NULL, soon_enough()), ENETUNREACH);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("netns");
	TCase *tc = test_case_unclean(suite, "network trouble");

	(void)backend;
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nothing_is_lost_where_packets_are);
	tcase_add_test(tc, a_reset_inside_a_record_keeps_the_part);
	tcase_add_test(tc, a_slow_link_bounds_what_is_queued);
	tcase_add_test(tc, a_link_cut_inside_a_record_loses_nothing);
	tcase_add_test(tc, a_peer_that_has_forgotten_us_is_found_out_by_a_write);
	tcase_add_test(tc, connect_tells_silence_from_a_closed_way);
	return suite;
}

static bool
works(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(make_network() ? 0 : 1);
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int
main(void)
{
	const char *fork_mode = getenv("CK_FORK");

	if ((fork_mode != NULL && strcmp(fork_mode, "no") == 0) || !works()) {
		puts("SKIP: network trouble needs root, ip, nft and tc");
		return 77;
	}
	return weft_test_main(make_suite);
}

#else

int
main(void)
{
	puts("SKIP: no network namespaces here");
	return 77;
}

#endif
