/* SPDX-License-Identifier: MIT */
/*
 * tests/check_udp_many.c - batches, and a system that says no.
 *
 * Linked with -Wl,--wrap= for the calls below: they are counted, and the k-th
 * one of a kind may fail, once or from then on. Batches are tried with the
 * kernel's calls for them (loop 0) and without (loop 1).
 */
#include "config.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/udp.h"

/* --- faults on demand */

enum { SENDTO, RECVMSG, SENDMSG, SENDMMSG, RECVMMSG, SOCKET, BIND, CONNECT, SETSOCKOPT, CTL,
	CALLOC, MALLOC, CALLS };

static int count[CALLS];
static int failing = -1, countdown, error_to_give, times;
static bool hit, no_batches;

static bool
fails(int call)
{
	count[call]++;
	if (no_batches && (call == SENDMMSG || call == RECVMMSG)) {
		errno = ENOSYS;
		return true;
	}
	if (call != failing || --countdown > 0 || countdown <= -times)
		return false;
	hit = true;
	errno = error_to_give;
	return true;
}

#define WRAP(call, type, name, failure, parameters, arguments) \
	type __real_##name parameters; \
	type __wrap_##name parameters; \
	type \
	__wrap_##name parameters \
	{ \
		return fails(call) ? failure : __real_##name arguments; \
	}

WRAP(SENDTO, ssize_t, sendto, -1, (int fd, const void *b, size_t n, int f,
    const struct sockaddr *a, socklen_t l), (fd, b, n, f, a, l))
WRAP(RECVMSG, ssize_t, recvmsg, -1, (int fd, struct msghdr *m, int f), (fd, m, f))
WRAP(SENDMSG, ssize_t, sendmsg, -1, (int fd, const struct msghdr *m, int f), (fd, m, f))
WRAP(SENDMMSG, int, sendmmsg, -1, (int fd, struct mmsghdr *m, unsigned n, int f),
    (fd, m, n, f))
WRAP(RECVMMSG, int, recvmmsg, -1, (int fd, struct mmsghdr *m, unsigned n, int f,
    struct timespec *t), (fd, m, n, f, t))
WRAP(SOCKET, int, socket, -1, (int family, int type, int protocol),
    (family, type, protocol))
WRAP(BIND, int, bind, -1, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(CONNECT, int, connect, -1, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(SETSOCKOPT, int, setsockopt, -1, (int fd, int l, int o, const void *v, socklen_t n),
    (fd, l, o, v, n))
WRAP(CTL, int, epoll_ctl, -1, (int set, int how, int fd, struct epoll_event *e),
    (set, how, fd, e))
WRAP(CALLOC, void *, calloc, NULL, (size_t n, size_t size), (n, size))
WRAP(MALLOC, void *, malloc, NULL, (size_t n), (n))

/* The k-th and so many in all. */
static void
arm(int call, int error, int k, int so_many)
{
	failing = call;
	error_to_give = error;
	countdown = k;
	times = so_many;
	hit = false;
}

static void
be_yourself(void)
{
	failing = -1;
	no_batches = false;
	memset(count, 0, sizeof count);
}

enum { FOR_EVER = 1000000000 };

/* --- two sockets, a sends to b */

static struct weft_udp *a, *b;
static struct weft_datagram to_b;

enum { MOST = 200 };
static struct weft_message out[MOST], in[MOST];
static char texts[MOST][8], got[MOST][8];

static void
open_two(void)
{
	a = open_at("127.0.0.1");
	b = open_at("127.0.0.1");
	to_b = address_of(b);
	for (int i = 0; i < MOST; i++) {
		snprintf(texts[i], sizeof texts[i], "%d", i);
		out[i] = (struct weft_message){ texts[i], strlen(texts[i]), to_b };
		in[i] = (struct weft_message){ got[i], sizeof got[i], { .truncated = true } };
	}
}

static void
free_two(void)
{
	weft_udp_free(a);
	weft_udp_free(b);
}

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
	ck_assert_int_eq(count[SENDMSG] > 0, no_batches);
	ck_assert_int_eq(count[RECVMSG] > 0, no_batches);
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
	int before = _i ? 5 : 64;

	open_with_or_without(_i);
	ck_assert_int_eq(weft_udp_send_many(a, out, 130, soon_enough()), 130);
	arm(_i ? RECVMSG : RECVMMSG, ECONNREFUSED, _i ? 6 : 2, 1);
	ck_assert_gives(weft_udp_receive_many(b, in, MOST, soon_enough()), before);
	same_from(0, before);
	ck_assert_fails(weft_udp_receive_many(b, in, MOST, soon_enough()), ECONNREFUSED);
	ck_assert_gives(weft_udp_receive_many(b, in, MOST, soon_enough()), 130 - before);
	same_from(before, 130 - before);
	arm(_i ? SENDMSG : SENDMMSG, ECONNREFUSED, _i ? 65 : 2, 1);
	ck_assert_gives(weft_udp_send_many(a, out, 130, soon_enough()), 64);
	ck_assert_fails(weft_udp_receive(a, NULL, 0, NULL, WEFT_NOWAIT), ECONNREFUSED);
	ck_assert_gives(weft_udp_send_many(a, out + 64, 66, soon_enough()), 66);
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
	ck_assert_int_eq(weft_udp_send_many(a, out, 64, soon_enough()), 64);
	ck_assert_int_eq(weft_udp_receive_many(b, in, 64, soon_enough()), 64);
	ck_assert_int_eq(count[SENDMMSG], 1);
	ck_assert_int_eq(count[RECVMMSG], 1);
	ck_assert_int_eq(count[CTL], 0);
	free_two();
}
END_TEST

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
	arm(SENDMMSG, full_errors[_i], 1, 1);
	ck_assert_gives(weft_udp_send_many(a, out, 3, soon_enough()), 3);
	ck_assert(hit);
	arm(SENDMMSG, full_errors[_i], 2, 1);
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
	arm(SENDMMSG, full_errors[_i], 2, FOR_EVER);
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
	arm(SENDMMSG, EINTR, 1, 3);
	ck_assert_gives(weft_udp_send_many(a, out, 2, soon_enough()), 2);
	arm(RECVMMSG, EINTR, 1, 3);
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

#define BOTH(tc, test) tcase_add_loop_test(tc, test, 0, 2)

static TCase *
fault_case(Suite *suite, const char *name)
{
	TCase *tc = test_case(suite, name);

	tcase_add_checked_fixture(tc, be_yourself, be_yourself);
	return tc;
}

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
	BOTH(tc, an_error_behind_the_first_is_told_by_the_next_call);
	tcase_add_test(tc, who_waits_for_a_batch_is_woken_by_the_first);
	tcase_add_test(tc, one_system_call_each_or_one_for_64);

	tc = fault_case(suite, "a kernel that is full");
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
