/* SPDX-License-Identifier: MIT */
/*
 * tests/check_udp_many.c - batches, with the kernel's calls for them (loop 0) and
 * without (loop 1).
 */
#include "config.h"

#include "tests/udp_faults.h"

static void
same_from(int first, int n)
{
	for (int i = 0; i < n; i++) {
		ck_assert_uint_eq(in[i].length, strlen(texts[first + i]));
		ck_assert_int_eq(memcmp(got[i], texts[first + i], in[i].length), 0);
		ck_assert(!in[i].info.truncated);
		ck_assert_int_eq(((struct sockaddr_in *)&in[i].info.address)->sin_port,
		    htons((uint16_t)weft_udp_port(a)));
		in[i].length = sizeof got[i];
	}
}

/* --- batches */

static void
open_with_or_without(int i)
{
	open_two();
	no_batches = i == 1;
}

START_TEST(a_batch_of_any_size_arrives)
{
	static const int sizes[] = { 1, 2, 63, 64, 65, 130 };

	open_with_or_without(_i);
	for (int k = 0; k < 6; k++) {
		int n = sizes[k];

		ck_assert_gives(weft_udp_send_many(a, out, n, soon_enough()), n);
		ck_assert_gives(weft_udp_receive_many(b, in, MOST, soon_enough()), n);
		same_from(0, n);
	}
	ck_assert_fails(weft_udp_receive_many(b, in, 1, WEFT_NOWAIT), EAGAIN);
	ck_assert_int_eq(count[SENDMSG] > 0, no_batches || SEND_BATCH == SENDMSG);
	ck_assert_int_eq(count[RECVMSG] > 0, no_batches || RECEIVE_BATCH == RECVMSG);
	free_two();
}
END_TEST

START_TEST(a_batch_holds_what_is_empty_and_what_is_cut)
{
	struct weft_message three[3];

	open_with_or_without(_i);
	out[1].length = 0;
	out[2].data = texts[150];               /* "150", three bytes */
	out[2].length = 3;
	ck_assert_gives(weft_udp_send_many(a, out, 3, soon_enough()), 3);
	memcpy(three, in, sizeof three);
	three[2].length = 2;
	ck_assert_gives(weft_udp_receive_many(b, three, 3, soon_enough()), 3);
	ck_assert_uint_eq(three[0].length, 1);
	ck_assert_uint_eq(three[1].length, 0);
	ck_assert(!three[1].info.truncated);
	ck_assert_uint_eq(three[2].length, 2);
	ck_assert(three[2].info.truncated);
	free_two();
}
END_TEST

START_TEST(receive_many_gives_what_there_is_and_takes_no_more_than_asked)
{
	open_with_or_without(_i);
	ck_assert_int_eq(weft_udp_send_many(a, out, 5, soon_enough()), 5);
	ck_assert_int_eq(weft_udp_receive_many(b, in, 2, soon_enough()), 2);
	same_from(0, 2);
	ck_assert_int_eq(weft_udp_receive_many(b, in, MOST, WEFT_NOWAIT), 3);
	same_from(2, 3);
	free_two();
}
END_TEST

START_TEST(a_batch_without_addresses_goes_to_the_peer)
{
	open_with_or_without(_i);
	connect_to(a, "127.0.0.1", b);
	for (int i = 0; i < 3; i++)
		out[i].info.address_length = 0;
	ck_assert_int_eq(weft_udp_send_many(a, out, 3, soon_enough()), 3);
	ck_assert_int_eq(weft_udp_receive_many(b, in, MOST, soon_enough()), 3);
	same_from(0, 3);
	free_two();
}
END_TEST

START_TEST(a_bad_one_ends_the_batch_and_the_next_call_tells_why)
{
	static char huge[70000];

	open_with_or_without(_i);
	out[2].data = huge;
	out[2].length = sizeof huge;
	ck_assert_gives(weft_udp_send_many(a, out, 4, soon_enough()), 2);
	ck_assert_fails(weft_udp_send_many(a, out + 2, 2, soon_enough()), EMSGSIZE);
	ck_assert_gives(weft_udp_send_many(a, out + 3, 1, soon_enough()), 1);
	ck_assert_int_eq(weft_udp_receive_many(b, in, MOST, soon_enough()), 3);
	ck_assert_fails(weft_udp_send_many(a, out, 0, soon_enough()), EINVAL);
	ck_assert_fails(weft_udp_receive_many(a, in, -1, soon_enough()), EINVAL);
	free_two();
}
END_TEST

START_TEST(an_error_behind_the_first_is_told_by_the_next_call)
{
	bool in_ones = _i || RECEIVE_BATCH == RECVMSG, out_ones = _i || SEND_BATCH == SENDMSG;
	int before = in_ones ? 5 : A_BATCH;

	open_with_or_without(_i);
	ck_assert_int_eq(weft_udp_send_many(a, out, 130, soon_enough()), 130);
	arm(in_ones ? RECVMSG : RECVMMSG, ECONNREFUSED, in_ones ? 6 : 2, 1);
	ck_assert_gives(weft_udp_receive_many(b, in, MOST, soon_enough()), before);
	same_from(0, before);
	ck_assert_fails(weft_udp_receive_many(b, in, MOST, soon_enough()), ECONNREFUSED);
	ck_assert_gives(weft_udp_receive_many(b, in, MOST, soon_enough()), 130 - before);
	same_from(before, 130 - before);
	arm(out_ones ? SENDMSG : SENDMMSG, ECONNREFUSED, out_ones ? 65 : 2, 1);
	ck_assert_gives(weft_udp_send_many(a, out, 130, soon_enough()), 64);
	ck_assert_fails(weft_udp_receive(a, NULL, 0, NULL, WEFT_NOWAIT), ECONNREFUSED);
	ck_assert_gives(weft_udp_send_many(a, out + 64, 66, soon_enough()), 66);
	free_two();
}
END_TEST

/* _i 0 as here, 1 where only the peer can be sent to, 2 without batches. */
START_TEST(who_has_a_peer_can_answer_it_by_its_address)
{
	struct weft_udp *other = open_at("127.0.0.1");
	struct weft_datagram to_other = address_of(other);

	open_two();
	no_batches = _i == 2;
	ck_assert_ok(weft_udp_connect(a, "127.0.0.1", port_of(b)));
	peers_only = _i > 0;
	say_to(a, "0", &to_b);
	hear(b, "0", NULL);
	ck_assert_gives(weft_udp_send_many(a, out, 70, soon_enough()), 70);
	ck_assert_gives(weft_udp_receive_many(b, in, MOST, soon_enough()), 70);
	same_from(0, 70);
	if (_i > 0) {
		ck_assert_fails(send_to(a, "x", 1, &to_other), EISCONN);
		out[2].info = to_other;
		ck_assert_gives(weft_udp_send_many(a, out, 4, soon_enough()), 2);
		ck_assert_fails(weft_udp_send_many(a, out + 2, 2, soon_enough()), EISCONN);
	} else {
		say_to(a, "x", &to_other);
		hear(other, "x", NULL);
	}
	weft_udp_free(other);
	free_two();
}
END_TEST

/* Linux would take the other one, too. */
START_TEST(what_goes_to_ipv4_by_an_ipv6_socket_is_mapped)
{
	struct weft_udp *u = open_at(NULL);

	open_two();
	if (address_of(u).address.ss_family == AF_INET6) {
		say_to(u, "0", &to_b);
		ck_assert_int_eq(family_sent, AF_INET6);
		hear(b, "0", NULL);
		ck_assert_gives(weft_udp_send_many(u, out, 1, soon_enough()), 1);
		ck_assert_int_eq(family_sent, AF_INET6);
		hear(b, "0", NULL);
	}
	weft_udp_free(u);
	free_two();
}
END_TEST

static ssize_t
call_receive_many(struct call *call)
{
	return weft_udp_receive_many(call->memory, in, MOST, call->deadline);
}

START_TEST(who_waits_for_a_batch_is_woken_by_the_first)
{
	struct call call = { .memory = NULL };

	open_two();
	call.memory = b;
	call_begin(&call, call_receive_many, NULL);
	say_to(a, "0", &to_b);
	call_end(&call);
	ck_assert_int_eq(call.result, 1);
	same_from(0, 1);
	ck_assert_fails(weft_udp_receive_many(b, in, MOST, weft_after(3)), ETIMEDOUT);
	free_two();
}
END_TEST

START_TEST(one_system_call_each_or_one_for_64)
{
	char byte;

	open_two();
	be_yourself();
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(send_to(a, "x", 1, &to_b), 1);
		ck_assert_int_eq(weft_udp_receive(b, &byte, 1, NULL, WEFT_NEVER), 1);
	}
	ck_assert_int_eq(count[SENDTO], 10);
	ck_assert_int_eq(count[RECVMSG], 10);
	ck_assert_int_eq(count[SENDMMSG] + count[RECVMMSG] + count[CTL], 0);
	memset(count, 0, sizeof count);
	ck_assert_int_eq(weft_udp_send_many(a, out, 64, soon_enough()), 64);
	ck_assert_int_eq(weft_udp_receive_many(b, in, 64, soon_enough()), 64);
	ck_assert_int_eq(count[SEND_BATCH], SEND_BATCH == SENDMMSG ? 1 : 64);
	ck_assert_int_eq(count[RECEIVE_BATCH], RECEIVE_BATCH == RECVMMSG ? 1 : 64);
	ck_assert_int_eq(count[CTL], 0);
	free_two();
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("udp_many");
	TCase *tc = fault_case(suite, "batches");

	(void)backend;
	BOTH(tc, a_batch_of_any_size_arrives);
	BOTH(tc, a_batch_holds_what_is_empty_and_what_is_cut);
	BOTH(tc, receive_many_gives_what_there_is_and_takes_no_more_than_asked);
	BOTH(tc, a_batch_without_addresses_goes_to_the_peer);
	BOTH(tc, a_bad_one_ends_the_batch_and_the_next_call_tells_why);
	tcase_add_loop_test(tc, who_has_a_peer_can_answer_it_by_its_address, 0, 3);
	BOTH(tc, an_error_behind_the_first_is_told_by_the_next_call);
	tcase_add_test(tc, what_goes_to_ipv4_by_an_ipv6_socket_is_mapped);
	tcase_add_test(tc, who_waits_for_a_batch_is_woken_by_the_first);
	tcase_add_test(tc, one_system_call_each_or_one_for_64);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
