/* SPDX-License-Identifier: MIT */
/*
 * tests/check_udp_faults.c - UDP on a system that is full, interrupts, or refuses
 * any one call.
 */
#include "config.h"

#include "tests/udp_faults.h"

/* --- a kernel that is full */

static ssize_t
call_send(struct call *call)
{
	return weft_udp_send(call->memory, "x", call->n, (struct sockaddr *)&to_b.address,
	    to_b.address_length, call->deadline);
}

static ssize_t
call_udp_flush(struct call *call)
{
	return weft_udp_flush(call->memory, call->deadline);
}

static const int full_errors[] = { EAGAIN, ENOBUFS };

START_TEST(send_waits_while_the_kernel_is_full)
{
	open_two();
	arm(SENDTO, full_errors[_i], 1, _i ? 3 : 1);
	ck_assert_gives(send_to(a, "x", 1, &to_b), 1);
	ck_assert(hit);
	arm_sends(full_errors[_i], 1, 1);
	ck_assert_gives(weft_udp_send_many(a, out, 3, soon_enough()), 3);
	ck_assert(hit);
	arm_sends(full_errors[_i], 2, 1);
	ck_assert_gives(weft_udp_send_many(a, out, 130, soon_enough()), 130);
	ck_assert(hit);
	free_two();
}
END_TEST

START_TEST(send_to_a_full_kernel_keeps_deadlines_and_can_be_cancelled)
{
	struct call call = { .n = 1 };

	open_two();
	call.memory = a;
	arm(SENDTO, full_errors[_i], 1, FOR_EVER);
	ck_assert_fails(weft_udp_send(a, "x", 1, (struct sockaddr *)&to_b.address,
	    to_b.address_length, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_udp_send(a, "x", 1, (struct sockaddr *)&to_b.address,
	    to_b.address_length, weft_after(10)), ETIMEDOUT);
	ck_assert_ok(weft_deadline_push(weft_after(10)));
	ck_assert_fails(send_to(a, "x", 1, &to_b), ETIMEDOUT);
	weft_deadline_pop();
	call_begin(&call, call_send, NULL);
	ck_assert_ok(weft_cancel(call.fiber));
	call_end(&call);
	ck_assert_int_eq(call.error, ECANCELED);
	arm_sends(full_errors[_i], 2, FOR_EVER);
	ck_assert_gives(weft_udp_send_many(a, out, 130, weft_after(10)), 64);
	free_two();
}
END_TEST

START_TEST(close_wakes_all_who_send_and_flush)
{
	struct call calls[3] = { { .n = 1 } };

	open_two();
	arm(SENDTO, full_errors[_i], 1, FOR_EVER);
	for (int i = 0; i < 3; i++) {
		calls[i].memory = a;
		call_begin(&calls[i], i == 2 ? call_udp_flush : call_send, NULL);
	}
	ck_assert_ok(weft_udp_close(a));
	for (int i = 0; i < 3; i++) {
		call_end(&calls[i]);
		ck_assert_int_eq(calls[i].result, -1);
		ck_assert_int_eq(calls[i].error, EBADF);
	}
	free_two();
}
END_TEST

START_TEST(flush_waits_for_those_who_send_before_it)
{
	struct call calls[3] = { { .n = 1 } };

	open_two();
	calls_ended = 0;
	arm(SENDTO, ENOBUFS, 1, 2);
	for (int i = 0; i < 3; i++) {
		calls[i].memory = a;
		calls[i].n = i == 0;
		call_begin(&calls[i], i == 1 ? call_udp_flush : call_send, NULL);
	}
	for (int i = 0; i < 3; i++) {
		call_end(&calls[i]);
		ck_assert_int_eq(calls[i].result, i == 0);
		ck_assert_int_eq(calls[i].order, calls[0].order + i);
	}
	free_two();
}
END_TEST

START_TEST(eintr_is_never_seen)
{
	char byte;

	open_two();
	arm(SENDTO, EINTR, 1, 3);
	ck_assert_gives(send_to(a, "x", 1, &to_b), 1);
	arm(RECVMSG, EINTR, 1, 3);
	ck_assert_gives(weft_udp_receive(b, &byte, 1, NULL, soon_enough()), 1);
	arm_sends(EINTR, 1, 3);
	ck_assert_gives(weft_udp_send_many(a, out, 2, soon_enough()), 2);
	arm(RECEIVE_BATCH, EINTR, 1, 3);
	ck_assert_gives(weft_udp_receive_many(b, in, 2, soon_enough()), 2);
	ck_assert(hit);
	free_two();
}
END_TEST

/* --- whatever fails */

static bool
converse(struct weft_udp *x, struct weft_udp *y)
{
	int64_t deadline = weft_after(300);
	struct weft_message one = { got[0], sizeof got[0], { .truncated = false } };
	struct weft_message two[2] = { { texts[1], 1, { .truncated = false } },
		{ texts[2], 1, { .truncated = false } } };

	return weft_udp_set(x, WEFT_UDP_TTL, 3) == 0 &&
	    weft_udp_bind(x, "127.0.0.1", "0") == 0 &&
	    weft_udp_connect(y, "127.0.0.1", port_of(x)) == 0 &&
	    weft_udp_set(y, WEFT_UDP_TTL, 3) == 0 &&
	    weft_udp_receive(x, NULL, 0, NULL, WEFT_NOWAIT) < 0 && errno == EAGAIN &&
	    weft_udp_receive(x, NULL, 0, NULL, weft_after(1)) < 0 && errno == ETIMEDOUT &&
	    weft_udp_send(y, "x", 1, NULL, 0, deadline) == 1 &&
	    weft_udp_receive(x, got[0], 1, NULL, deadline) == 1 &&
	    weft_udp_send_many(y, two, 2, deadline) == 2 &&
	    weft_udp_receive_many(x, &one, 1, deadline) == 1 &&
	    weft_udp_receive_many(x, &one, 1, deadline) == 1;
}

static bool
scenario(void)
{
	struct weft_udp *x = weft_udp_open(), *y = x != NULL ? weft_udp_open() : NULL;
	bool good = y != NULL && converse(x, y);

	weft_udp_free(x);
	weft_udp_free(y);
	return good;
}

START_TEST(whatever_call_fails_nothing_is_left_and_nothing_hangs)
{
	static const int errors[] = { EINTR, EAGAIN, ENOMEM, ECONNREFUSED, EMFILE };

	memcpy(texts[1], "12", 3);
	ck_assert(scenario());          /* what is made once is there */
	start_clean();
	for (int i = 0; i < 5; i++) {
		hit = true;
		for (int k = 1; hit; k++) {
			bool good;

			ck_assert_int_lt(k, 100);
			arm(_i, errors[i], k, 1);
			good = scenario();
			failing = -1;
			ck_assert(good || hit);
			assert_clean();
		}
		ck_assert(scenario());
	}
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("udp_faults");
	TCase *tc = fault_case(suite, "a kernel that is full");

	(void)backend;
	BOTH(tc, send_waits_while_the_kernel_is_full);
	BOTH(tc, send_to_a_full_kernel_keeps_deadlines_and_can_be_cancelled);
	BOTH(tc, close_wakes_all_who_send_and_flush);
	tcase_add_test(tc, flush_waits_for_those_who_send_before_it);
	tcase_add_test(tc, eintr_is_never_seen);

	tc = fault_case(suite, "whatever fails");
	tcase_add_loop_test(tc, whatever_call_fails_nothing_is_left_and_nothing_hangs, 0,
	    CALLS);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
