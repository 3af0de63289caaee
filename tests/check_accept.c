/* SPDX-License-Identifier: MIT */
/*
 * tests/check_accept.c - what accepting costs: many clients at once, and none
 * at all for want of descriptors or memory.
 *
 * Linked with -Wl,--wrap=accept4,--wrap=accept: it can be refused for as long as
 * one likes.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/servers.h"
#include "tests/wrap.h"

static int refused;             /* with this errno, until it is 0 again */
static int accepts;

int __real_accept4(int, struct sockaddr *, socklen_t *, int);
int __wrap_accept4(int, struct sockaddr *, socklen_t *, int);

int
__wrap_accept4(int fd, struct sockaddr *peer, socklen_t *length, int flags)
{
	accepts++;
	if (refused == 0)
		return __real_accept4(fd, peer, length, flags);
	errno = refused;
	return -1;
}

WRAP_ACCEPT_ALIKE

/* A client without weft, which has connected but is not accepted yet. */
static int
raw_client(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_port = htons((uint16_t)weft_server_port(server));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* --- many at once */

enum { CLIENTS = 50 };

static int
count(struct weft_stream *s, void *arg)
{
	(void)s;
	(void)arg;
	handled++;
	return 0;
}

START_TEST(fifty_clients_at_once_are_taken_in_a_few_wake_ups)
{
	struct weft_loop_stats before, after;
	int fds[CLIENTS];

	start(count);
	turns(2);                       /* the server waits for the first */
	for (int i = 0; i < CLIENTS; i++)
		fds[i] = raw_client();
	accepts = 0;
	before = loop_stats();
	while (handled < CLIENTS && loop_stats().turns < before.turns + 1000)
		ck_assert_ok(weft_yield());
	after = loop_stats();
	ck_assert_int_eq(handled, CLIENTS);
	ck_assert_uint_le(after.polls - before.polls, 8);
	ck_assert_uint_le(after.wakeups - before.wakeups, 8);
	ck_assert_int_le(accepts, CLIENTS + 4);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	until_connections(0);
	ck_assert_ok(weft_server_close(server, soon_enough()));
	weft_server_free(server);
	turns(2);
}
END_TEST

/* --- none at all */

static int open_before;
static uint64_t spins_before;

static void
begin_pause(int error)
{
	open_before = open_descriptors();
	spins_before = loop_stats().spins;
	start(count);
	turns(2);
	refused = error;
	accepts = 0;
}

/* Nothing is left; but while it rests the listener may have been reported once,
 * and was disarmed for that. */
static void
end_of_pause(int fd)
{
	close(fd);
	until_connections(0);
	weft_server_free(server);
	turns(2);
	ck_assert_int_eq(open_descriptors(), open_before);
	ck_assert_uint_le(loop_stats().spins, spins_before + 1);
	start_clean();
}

static const int shortages[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM };

static int64_t
processor_time_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Of a pause, in thousandths. */
static int
load(int64_t milliseconds)
{
	int64_t began = processor_time_us(), until = weft_after(milliseconds);

	ck_assert_ok(weft_sleep(until));
	return (int)((processor_time_us() - began) / milliseconds);
}

START_TEST(a_pause_costs_less_than_2_percent_of_the_processor)
{
	int least = 1000, fd;

	begin_pause(shortages[_i]);
	fd = raw_client();
	for (int i = 0; i < 5 && least >= 20; i++) {
		int thousandths = load(_i == 0 ? 1000 : 400);

		least = thousandths < least ? thousandths : least;
	}
	ck_assert_int_lt(least, 20);
	ck_assert_int_ge(accepts, 2);
	ck_assert_int_eq(handled, 0);
	refused = 0;
	while (handled == 0)            /* on its own, after the rest of the pause */
		ck_assert_ok(weft_sleep(weft_after(10)));
	end_of_pause(fd);
}
END_TEST

/* Not by the end of the pause: that is 200 ms off, at least. */
START_TEST(a_descriptor_that_weft_closes_ends_the_pause)
{
	int fd, spare, tries = 0;
	uint64_t pauses;

	begin_pause(shortages[_i]);
	spare = dup(STDERR_FILENO);
	fd = raw_client();
	pauses = loop_stats().accept_pauses;
	while (loop_stats().accept_pauses < pauses + 3)
		ck_assert_ok(weft_sleep(weft_after(5)));
	refused = 0;
	accepts = 0;
	ck_assert_ok(weft_fd_close(spare));
	while (handled == 0 && tries++ < 5)
		ck_assert_ok(weft_yield());
	ck_assert_int_eq(handled, 1);
	ck_assert_int_ge(accepts, 1);
	ck_assert_uint_eq(loop_stats().accept_pauses, pauses + 3);
	end_of_pause(fd);
}
END_TEST

/* Of one connection, or of the network behind it. */
static const int passed_over[] = { ECONNABORTED, EOPNOTSUPP, EPROTO, EPERM, ENETDOWN, ENETUNREACH,
	EHOSTDOWN, EHOSTUNREACH, ENOPROTOOPT, ETIMEDOUT, EINTR,
#ifdef ENONET
	ENONET,
#endif
};
enum { PASSED_OVER = sizeof passed_over / sizeof *passed_over };

static int
allow_soon(void *arg)
{
	(void)arg;
	while (accepts < 20)
		ck_assert_ok(weft_yield());
	refused = 0;
	return 0;
}

START_TEST(errors_of_connections_in_a_row_neither_pause_nor_starve_the_others)
{
	struct weft_fiber *other;
	uint64_t pauses;
	int fd;

	begin_pause(passed_over[_i]);
	fd = raw_client();
	pauses = loop_stats().accept_pauses;
	other = weft_spawn(allow_soon, NULL);
	ck_assert_ok(weft_join(other, NULL, soon_enough()));
	yield_until(&handled);
	ck_assert_uint_eq(loop_stats().accept_pauses, pauses);
	end_of_pause(fd);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("accept");
	TCase *tc = test_case(suite, "accept");

	(void)backend;
	tcase_add_test(tc, fifty_clients_at_once_are_taken_in_a_few_wake_ups);
	tcase_add_loop_test(tc, a_pause_costs_less_than_2_percent_of_the_processor, 0, 4);
	tcase_add_loop_test(tc, a_descriptor_that_weft_closes_ends_the_pause, 0, 4);
	tcase_add_loop_test(tc,
	    errors_of_connections_in_a_row_neither_pause_nor_starve_the_others, 0,
	    PASSED_OVER);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
