/* SPDX-License-Identifier: MIT */
/*
 * tests/check_udp_options.c - options of UDP sockets, and groups on the loopback
 * interface, if it takes part in them.
 */
#include "config.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include "tests/udp.h"

static int
value_of(const struct weft_udp *u, int level, int name)
{
	int value = -1;
	socklen_t n = sizeof value;

	ck_assert_ok(getsockopt(weft_udp_fd(u), level, name, &value, &n));
	return value;
}

/* --- options */

static const struct {
	enum weft_udp_option option;
	int value;
	int levels[2], names[2];        /* for IPv4 and IPv6 */
} cases[] = {
	{ WEFT_UDP_REUSE_ADDRESS, 1, { SOL_SOCKET, SOL_SOCKET }, { SO_REUSEADDR, SO_REUSEADDR } },
	{ WEFT_UDP_REUSE_PORT, 1, { SOL_SOCKET, SOL_SOCKET }, { SO_REUSEPORT, SO_REUSEPORT } },
	{ WEFT_UDP_BROADCAST, 1, { SOL_SOCKET, SOL_SOCKET }, { SO_BROADCAST, SO_BROADCAST } },
	{ WEFT_UDP_TTL, 7, { IPPROTO_IP, IPPROTO_IPV6 }, { IP_TTL, IPV6_UNICAST_HOPS } },
	{ WEFT_UDP_MULTICAST_TTL, 9, { IPPROTO_IP, IPPROTO_IPV6 },
	    { IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS } },
	{ WEFT_UDP_MULTICAST_LOOP, 0, { IPPROTO_IP, IPPROTO_IPV6 },
	    { IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP } },
};
enum { CASES = sizeof cases / sizeof *cases };

START_TEST(options_take_effect_before_and_after_the_socket_is_made)
{
	for (int family = 0; family < 2; family++)
		for (int later = 0; later < 2; later++) {
			struct weft_udp *u = open_udp();

			if (!later)
				ck_assert_gives(weft_udp_set(u, cases[_i].option, cases[_i].value), 0);
			if (weft_udp_bind(u, loopbacks[family], "0") < 0) {
				weft_udp_free(u);
				continue;
			}
			ck_assert_int_ne(later && value_of(u, cases[_i].levels[family],
			    cases[_i].names[family]) == cases[_i].value, 1);
			if (later)
				ck_assert_gives(weft_udp_set(u, cases[_i].option, cases[_i].value), 0);
			ck_assert_int_eq(value_of(u, cases[_i].levels[family],
			    cases[_i].names[family]), cases[_i].value);
			weft_udp_free(u);
		}
}
END_TEST

START_TEST(options_outlive_a_bind_that_failed_and_serve_both_families)
{
	struct weft_udp *u = open_udp();

	ck_assert_ok(weft_udp_set(u, WEFT_UDP_TTL, 5));
	ck_assert_fails(weft_udp_bind(u, "192.0.2.1", "0"), EADDRNOTAVAIL);
	ck_assert_ok(weft_udp_bind(u, NULL, "0"));
	ck_assert_int_eq(value_of(u, IPPROTO_IP, IP_TTL), 5);
	weft_udp_free(u);
}
END_TEST

START_TEST(buffers_get_at_least_what_was_asked)
{
	struct weft_udp *u = open_at("127.0.0.1");

	ck_assert_ok(weft_udp_set(u, WEFT_UDP_RECEIVE_BUFFER, 32768));
	ck_assert_int_ge(value_of(u, SOL_SOCKET, SO_RCVBUF), 32768);
	ck_assert_int_lt(value_of(u, SOL_SOCKET, SO_RCVBUF), 131073);
	ck_assert_ok(weft_udp_set(u, WEFT_UDP_SEND_BUFFER, 16384));
	ck_assert_int_ge(value_of(u, SOL_SOCKET, SO_SNDBUF), 16384);
	ck_assert_int_lt(value_of(u, SOL_SOCKET, SO_SNDBUF), 65537);
	weft_udp_free(u);
}
END_TEST

START_TEST(what_is_no_option_or_value_is_einval)
{
	static const int bad[][2] = { { -1, 0 }, { WEFT_UDP_MULTICAST_INTERFACE + 1, 0 },
		{ WEFT_UDP_REUSE_ADDRESS, 2 }, { WEFT_UDP_BROADCAST, -1 },
		{ WEFT_UDP_RECEIVE_BUFFER, 0 }, { WEFT_UDP_TTL, 0 }, { WEFT_UDP_TTL, 256 },
		{ WEFT_UDP_MULTICAST_TTL, -1 }, { WEFT_UDP_MULTICAST_TTL, 256 },
		{ WEFT_UDP_MULTICAST_LOOP, 2 }, { WEFT_UDP_MULTICAST_INTERFACE, -1 } };
	struct weft_udp *u = open_udp();

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_fails(weft_udp_set(u, (enum weft_udp_option)bad[i][0], bad[i][1]), EINVAL);
	ck_assert_ok(weft_udp_set(u, WEFT_UDP_MULTICAST_INTERFACE, 1000000));
	ck_assert_int_eq(weft_udp_bind(u, "127.0.0.1", "0"), -1);      /* now it is told */
	ck_assert_fails(weft_udp_fd(u), EBADF);
	weft_udp_free(u);
}
END_TEST

START_TEST(broadcast_is_refused_unless_asked_for)
{
	struct weft_udp *u = open_udp();
	struct weft_datagram to = { .address_length = sizeof(struct sockaddr_in) };
	struct sockaddr_in *in = (struct sockaddr_in *)&to.address;

	in->sin_family = AF_INET;
	in->sin_port = htons(9);
	in->sin_addr.s_addr = htonl(0x7fffffff);        /* 127.255.255.255 */
	ck_assert_fails(send_to(u, "x", 1, &to), EACCES);
	ck_assert_ok(weft_udp_set(u, WEFT_UDP_BROADCAST, 1));
	ck_assert_gives(send_to(u, "x", 1, &to), 1);
	weft_udp_free(u);
}
END_TEST

/* --- groups */

static const char *const groups[] = { "239.255.77.77", "ff02::7777" };

/* Somebody who is at a port of the group by the loopback interface; NULL: there
 * is no such family. */
static struct weft_udp *
open_member(int family, const char *port)
{
	struct weft_udp *u = open_udp();

	ck_assert_ok(weft_udp_set(u, WEFT_UDP_REUSE_ADDRESS, 1));
	if (weft_udp_bind(u, family ? "::" : "0.0.0.0", port) < 0) {
		weft_udp_free(u);
		return NULL;
	}
	ck_assert_gives(weft_udp_join(u, groups[family], "lo"), 0);
	return u;
}

/* What it says to the group at that port, by the loopback interface. */
static bool
say_to_group(int family, struct weft_udp *from, const char *port, const char *text)
{
	ck_assert_ok(weft_udp_set(from, WEFT_UDP_MULTICAST_INTERFACE,
	    (int)if_nametoindex("lo")));
	if (weft_udp_connect(from, groups[family], port) < 0 ||
	    weft_udp_send(from, text, strlen(text), NULL, 0, soon_enough()) < 0) {
		printf("groups: loopback does not carry %s: %s\n", groups[family],
		    strerror(errno));
		return false;
	}
	return true;
}

/* Linux carries IPv4 groups by any interface; IPv6 it may take and drop. */
static bool
carries(int family, struct weft_udp *member)
{
	if (family == 0 || weft_fd_wait(weft_udp_fd(member), WEFT_READABLE, weft_after(200)) > 0)
		return true;
	printf("groups: loopback drops what goes to %s\n", groups[family]);
	return false;
}

START_TEST(all_members_of_a_group_hear_what_is_said_to_it)
{
	struct weft_udp *from = open_udp(), *one = open_member(_i, "0"), *other;

	if (one == NULL)
		return;
	other = open_member(_i, port_of(one));
	if (say_to_group(_i, from, port_of(one), "all") && carries(_i, one)) {
		hear(one, "all", NULL);
		hear(other, "all", NULL);
		ck_assert_gives(weft_udp_leave(other, groups[_i], "lo"), 0);
		say(from, "one");
		hear(one, "one", NULL);
	}
	weft_udp_free(from);
	weft_udp_free(one);
	weft_udp_free(other);
}
END_TEST

START_TEST(a_group_is_joined_once_and_left_once)
{
	struct weft_udp *u = open_udp();

	ck_assert_fails(weft_udp_leave(u, groups[_i], "lo"), EADDRNOTAVAIL);
	if (weft_udp_join(u, groups[_i], "lo") < 0) {   /* it makes the socket */
		ck_assert_int_eq(_i, 1);
		weft_udp_free(u);
		return;
	}
	ck_assert_int_ge(weft_udp_fd(u), 0);
	ck_assert_fails(weft_udp_join(u, groups[_i], "lo"), EADDRINUSE);
	ck_assert_gives(weft_udp_leave(u, groups[_i], "lo"), 0);
	ck_assert_fails(weft_udp_leave(u, groups[_i], "lo"), EADDRNOTAVAIL);
	ck_assert_gives(weft_udp_join(u, groups[_i], "lo"), 0);
	ck_assert_ok(weft_udp_bind(u, loopbacks[_i], "0"));
	weft_udp_free(u);
}
END_TEST

START_TEST(what_is_no_group_or_interface_is_refused)
{
	struct weft_udp *u = open_udp();

	ck_assert_fails(weft_udp_join(u, NULL, NULL), EINVAL);
	ck_assert_fails(weft_udp_join(u, "all-hosts", NULL), EINVAL);
	ck_assert_fails(weft_udp_fd(u), EBADF);
	ck_assert_fails(weft_udp_join(u, "127.0.0.1", "lo"), EINVAL);
	ck_assert_fails(weft_udp_join(u, groups[0], "no-such-interface"), ENODEV);
	ck_assert_gives(weft_udp_join(u, groups[0], "127.0.0.1"), 0);
	ck_assert_gives(weft_udp_leave(u, groups[0], "lo"), 0);
	weft_udp_free(u);
}
END_TEST

/* The system knows it by the interface that was named, not by one of its own choice. */
START_TEST(an_ipv6_group_is_joined_by_the_interface_that_was_named)
{
	struct ipv6_mreq at = { .ipv6mr_interface = if_nametoindex("lo") };
	struct weft_udp *u = open_udp();

	ck_assert_int_eq(inet_pton(AF_INET6, groups[1], &at.ipv6mr_multiaddr), 1);
	if (weft_udp_join(u, groups[1], "lo") == 0)
		ck_assert_ok(setsockopt(weft_udp_fd(u), IPPROTO_IPV6, IPV6_LEAVE_GROUP, &at,
		    sizeof at));
	weft_udp_free(u);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("udp_options");
	TCase *tc = test_case(suite, "options");

	(void)backend;
	tcase_add_loop_test(tc, options_take_effect_before_and_after_the_socket_is_made, 0,
	    CASES);
	tcase_add_test(tc, options_outlive_a_bind_that_failed_and_serve_both_families);
	tcase_add_test(tc, buffers_get_at_least_what_was_asked);
	tcase_add_test(tc, what_is_no_option_or_value_is_einval);
	tcase_add_test(tc, broadcast_is_refused_unless_asked_for);

	tc = test_case(suite, "groups");
	tcase_add_loop_test(tc, all_members_of_a_group_hear_what_is_said_to_it, 0, 2);
	tcase_add_loop_test(tc, a_group_is_joined_once_and_left_once, 0, 2);
	tcase_add_test(tc, an_ipv6_group_is_joined_by_the_interface_that_was_named);
	tcase_add_test(tc, what_is_no_group_or_interface_is_refused);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
