/* SPDX-License-Identifier: MIT */
/*
 * tests/check_udp.c - datagrams on the loopback interface, and how their sockets are
 * made, bound and connected. Over IPv4 (loop 0) and IPv6 (loop 1).
 */
#include "config.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "tests/udp_pair.h"
#include "weft/error.h"

/* --- one datagram */

START_TEST(a_datagram_arrives_whole_and_can_be_answered)
{
	struct weft_datagram info = { .address_length = 0 };

	if (!open_two(_i))
		return;
	say_to(a, "question", &to_b);
	hear(b, "question", &info);
	ck_assert(!info.truncated);
	ck_assert_uint_eq(info.address_length, to_a.address_length);
	ck_assert_int_eq(memcmp(&info.address, &to_a.address, info.address_length), 0);
	say_to(b, "answer", &info);
	hear(a, "answer", NULL);
	free_two();
}
END_TEST

START_TEST(one_without_bytes_is_received_as_0)
{
	struct weft_datagram info = { .truncated = true };
	char byte;

	if (!open_two(_i))
		return;
	ck_assert_gives(send_to(a, NULL, 0, &to_b), 0);
	say_to(a, "x", &to_b);
	ck_assert_gives(weft_udp_receive(b, &byte, 1, &info, soon_enough()), 0);
	ck_assert(!info.truncated);
	ck_assert_uint_eq(info.address_length, to_a.address_length);
	hear(b, "x", NULL);
	free_two();
}
END_TEST

START_TEST(what_has_no_room_is_cut_and_that_is_told)
{
	struct weft_datagram info = { .truncated = false };
	char bytes[5] = "....";

	if (!open_two(_i))
		return;
	for (size_t room = 0; room <= 4; room++) {
		say_to(a, "abcd", &to_b);
		ck_assert_gives(weft_udp_receive(b, bytes, room, &info, soon_enough()),
		    (ssize_t)room);
		ck_assert_int_eq(info.truncated, room < 4);
		ck_assert_int_eq(memcmp(bytes, "abcd", room), 0);
		ck_assert_int_eq(bytes[room], room < 4 ? '.' : '\0');
	}
	say_to(a, "abcd", &to_b);
	ck_assert_gives(weft_udp_receive(b, NULL, 0, NULL, soon_enough()), 0);
	ck_assert_fails(weft_udp_receive(b, bytes, 1, NULL, WEFT_NOWAIT), EAGAIN);
	free_two();
}
END_TEST

START_TEST(what_is_too_long_is_emsgsize_and_does_no_harm)
{
	static char bytes[70000], expected[60000];

	if (!open_two(_i))
		return;
	pattern(expected, sizeof expected, 1);
	ck_assert_fails(send_to(a, bytes, sizeof bytes, &to_b), EMSGSIZE);
	ck_assert_gives(send_to(a, expected, sizeof expected, &to_b), sizeof expected);
	ck_assert_gives(weft_udp_receive(b, bytes, sizeof bytes, NULL, soon_enough()),
	    sizeof expected);
	ck_assert_int_eq(memcmp(bytes, expected, sizeof expected), 0);
	free_two();
}
END_TEST

START_TEST(a_burst_is_received_in_order_by_one_who_waits)
{
	struct hearing h = { .u = NULL };
	char text[8];

	if (!open_two(_i))
		return;
	for (int round = 0; round < 3; round++) {
		h = (struct hearing){ .u = b };
		hear_begin(&h, b);
		for (int i = 0; i < 50; i++) {
			snprintf(text, sizeof text, "%d", i);
			say_to(a, text, &to_b);
		}
		hear_end(&h, 1, 0);
		ck_assert_str_eq(h.bytes, "0");
		for (int i = 1; i < 50; i++) {
			snprintf(text, sizeof text, "%d", i);
			hear(b, text, NULL);
		}
	}
	free_two();
}
END_TEST

/* --- the socket is made when it is known which */

START_TEST(the_first_send_makes_the_socket)
{
	struct weft_udp *u = open_udp();
	struct weft_datagram info;

	if (!open_two(_i))
		return;
	ck_assert_fails(weft_udp_fd(u), EBADF);
	ck_assert_int_eq(weft_udp_port(u), 0);
	ck_assert_str_eq(weft_udp_sockname(u), "");
	ck_assert_fails(weft_udp_send(u, "x", 1, NULL, 0, soon_enough()), EDESTADDRREQ);
	say_to(u, "first", &to_b);
	hear(b, "first", &info);
	ck_assert_int_gt(weft_udp_port(u), 0);
	ck_assert(fcntl(weft_udp_fd(u), F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(weft_udp_fd(u), F_GETFD) & FD_CLOEXEC);
	say_to(b, "back", &info);
	hear(u, "back", NULL);
	weft_udp_free(u);
	free_two();
}
END_TEST

START_TEST(a_receiver_waits_for_the_socket_too)
{
	struct weft_udp *u = open_udp();
	struct hearing h = { .u = u };

	ck_assert_fails(weft_udp_receive(u, NULL, 0, NULL, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_udp_receive(u, NULL, 0, NULL, weft_after(1)), ETIMEDOUT);
	hear_begin(&h, u);
	ck_assert_fails(weft_udp_bind(u, "192.0.2.1", "0"), EADDRNOTAVAIL);
	turns(2);
	ck_assert_fails(weft_udp_fd(u), EBADF);
	ck_assert_ok(weft_udp_bind(u, "127.0.0.1", "0"));
	to_a = address_of(u);
	say_to(u, "myself", &to_a);
	hear_end(&h, 6, 0);
	weft_udp_free(u);
}
END_TEST

START_TEST(waiting_for_what_nobody_can_send_is_edeadlk)
{
	struct weft_udp *u = open_udp();

	ck_assert_fails(weft_udp_receive(u, NULL, 0, NULL, WEFT_NEVER), EDEADLK);
	weft_udp_free(u);
}
END_TEST

START_TEST(an_address_of_no_such_family_is_refused)
{
	struct weft_datagram to = { .address.ss_family = AF_UNIX,
		.address_length = sizeof(struct sockaddr) };
	struct weft_udp *u = open_udp();

	ck_assert_fails(send_to(u, "x", 1, &to), EAFNOSUPPORT);
	to.address_length = 1;
	ck_assert_fails(send_to(u, "x", 1, &to), EAFNOSUPPORT);
	ck_assert_fails(weft_udp_fd(u), EBADF);
	weft_udp_free(u);
}
END_TEST

/* --- bind */

START_TEST(names_and_ports_are_readable_also_after_close)
{
	char name[64];

	if (!open_two(_i))
		return;
	snprintf(name, sizeof name, _i ? "[::1]:%d" : "127.0.0.1:%d", weft_udp_port(a));
	ck_assert_str_eq(weft_udp_sockname(a), name);
	ck_assert_ok(weft_udp_close(a));
	ck_assert_str_eq(weft_udp_sockname(a), name);
	ck_assert_str_eq(port_of(a), strrchr(name, ':') + 1);
	ck_assert_ok(weft_udp_close(b));        /* which nobody has asked yet */
	ck_assert_int_eq(weft_udp_port(b),
	    ntohs(((struct sockaddr_in *)&to_b.address)->sin_port));
	free_two();
}
END_TEST

START_TEST(a_bind_that_failed_can_be_repeated)
{
	struct weft_udp *u = open_udp();
	char port[8];

	if (!open_two(_i))
		return;
	strcpy(port, port_of(a));
	ck_assert_fails(weft_udp_bind(u, loopbacks[_i], port), EADDRINUSE);
	ck_assert_fails(weft_udp_bind(u, "192.0.2.1", "0"), EADDRNOTAVAIL);
	ck_assert_fails(weft_udp_bind(u, loopbacks[_i], "65536"), EINVAL);
	ck_assert_fails(weft_udp_bind(u, loopbacks[_i], NULL), EINVAL);
	ck_assert_fails(weft_udp_bind(u, loopbacks[_i], "no-such-service"), EINVAL);
	ck_assert_fails(weft_udp_fd(u), EBADF);
	ck_assert_ok(weft_udp_close(a));
	ck_assert_gives(weft_udp_bind(u, loopbacks[_i], port), 0);
	ck_assert_str_eq(port_of(u), port);
	ck_assert_fails(weft_udp_bind(u, loopbacks[_i], "0"), EINVAL);
	ck_assert_fails(weft_udp_bind(u, loopbacks[!_i], "0"), EAFNOSUPPORT);
	weft_udp_free(u);
	free_two();
}
END_TEST

START_TEST(names_are_resolved_and_what_does_not_is_ehostunreach)
{
	struct weft_udp *u = open_udp();

	ck_assert_fails(weft_udp_bind(u, "no-such-host.invalid", "0"), EHOSTUNREACH);
	ck_assert_int_ne(weft_resolve_errno(), 0);
	ck_assert_gives(weft_udp_bind(u, "localhost", "0"), 0);
	ck_assert_int_eq(weft_resolve_errno(), 0);
	ck_assert_fails(weft_udp_connect(u, "no-such-host.invalid", "1"), EHOSTUNREACH);
	ck_assert_fails(weft_udp_connect(u, "127.0.0.1", "x y"), EINVAL);
	weft_udp_free(u);
}
END_TEST

static int
bind_slowly(void *arg)
{
	return weft_udp_bind(arg, "localhost", "0") == 0 ? 0 : errno;
}

START_TEST(one_that_is_freed_during_a_lookup_is_ebadf)
{
	struct weft_udp *u = open_udp();
	struct weft_fiber *fiber = begin(bind_slowly, u);

	ck_assert_ok(weft_yield());     /* the thread looks it up */
	weft_udp_free(u);
	ck_assert_int_eq(end(fiber), EBADF);
}
END_TEST

START_TEST(no_host_means_all_addresses_of_both_families)
{
	struct weft_udp *u = open_at(NULL);
	struct weft_datagram info;

	if (!open_two(_i))
		return;
	connect_to(a, loopbacks[_i], u);
	say(a, "here");
	hear(u, "here", &info);
	say_to(u, "back", &info);
	hear(a, "back", NULL);
	say_to(u, "by its own address", &to_a);
	hear(a, "by its own address", NULL);
	ck_assert_ok(weft_udp_connect(u, loopbacks[_i], port_of(a)));
	say(u, "to the peer");
	hear(a, "to the peer", NULL);
	weft_udp_free(u);
	free_two();
}
END_TEST

/* --- connect */

START_TEST(who_is_connected_hears_its_peer_alone)
{
	struct weft_udp *u = open_udp();

	if (!open_two(_i))
		return;
	connect_to(u, loopbacks[_i], b);
	to_a = address_of(u);
	say_to(a, "not for you", &to_a);
	say_to(b, "for you", &to_a);
	hear(u, "for you", NULL);
	say(u, "thanks");
	hear(b, "thanks", NULL);
	connect_to(u, loopbacks[_i], a);        /* another one */
	to_b = address_of(u);
	say_to(a, "now", &to_b);
	hear(u, "now", NULL);
	weft_udp_free(u);
	free_two();
}
END_TEST

START_TEST(no_host_connects_to_this_machine)
{
	if (!open_two(0))
		return;
	connect_to(a, NULL, b);
	say(a, "you");
	hear(b, "you", NULL);
	free_two();
}
END_TEST

/* A port at which nobody is. */
static const char *
free_port(int family)
{
	static char port[8];
	struct weft_udp *u = open_at(loopbacks[family]);

	if (u == NULL)
		return NULL;
	strcpy(port, port_of(u));
	weft_udp_free(u);
	return port;
}

START_TEST(a_refusal_is_told_once_and_then_it_goes_on)
{
	struct weft_udp *u = open_udp(), *late = open_udp();
	const char *port = free_port(_i);
	struct hearing h = { .u = u };
	struct weft_datagram info;

	if (port == NULL)
		return;
	ck_assert_ok(weft_udp_connect(u, loopbacks[_i], port));
	hear_begin(&h, u);
	say(u, "anybody?");
	hear_end(&h, -1, ECONNREFUSED);         /* the one who waited */
	ck_assert_fails(weft_udp_receive(u, NULL, 0, NULL, WEFT_NOWAIT), EAGAIN);
	say(u, "anybody?");
	ck_assert_fails(weft_udp_send(u, "x", 1, NULL, 0, soon_enough()), ECONNREFUSED);
	ck_assert_ok(weft_udp_bind(late, loopbacks[_i], port));
	say(u, "you?");
	hear(late, "you?", &info);
	say_to(late, "yes", &info);
	hear(u, "yes", NULL);
	weft_udp_free(u);
	weft_udp_free(late);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("udp");
	TCase *tc = test_case(suite, "datagrams");

	(void)backend;
	BOTH(tc, a_datagram_arrives_whole_and_can_be_answered);
	BOTH(tc, one_without_bytes_is_received_as_0);
	BOTH(tc, what_has_no_room_is_cut_and_that_is_told);
	BOTH(tc, what_is_too_long_is_emsgsize_and_does_no_harm);
	BOTH(tc, a_burst_is_received_in_order_by_one_who_waits);

	tc = test_case(suite, "sockets");
	BOTH(tc, the_first_send_makes_the_socket);
	tcase_add_test(tc, a_receiver_waits_for_the_socket_too);
	tcase_add_test(tc, waiting_for_what_nobody_can_send_is_edeadlk);
	tcase_add_test(tc, an_address_of_no_such_family_is_refused);

	tc = test_case(suite, "bind");
	BOTH(tc, names_and_ports_are_readable_also_after_close);
	BOTH(tc, a_bind_that_failed_can_be_repeated);
	BOTH(tc, no_host_means_all_addresses_of_both_families);
	tcase_add_test(tc, names_are_resolved_and_what_does_not_is_ehostunreach);

	tc = test_case(suite, "connect");
	BOTH(tc, who_is_connected_hears_its_peer_alone);
	tcase_add_test(tc, no_host_connects_to_this_machine);
	BOTH(tc, a_refusal_is_told_once_and_then_it_goes_on);

	/* Last: the thread may still have a socket of the resolver's. */
	tc = test_case_unclean(suite, "resolving");
	tcase_add_test(tc, one_that_is_freed_during_a_lookup_is_ebadf);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
