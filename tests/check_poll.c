/* SPDX-License-Identifier: MIT */
/*
 * tests/check_poll.c - weft_poll, held against poll(2).
 *
 * Linked with -Wl,--wrap=calloc: memory can be refused.
 */
#include "config.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness.h"
#include "weft/stream.h"
#include "weft/unix.h"

static int callocs_to_fail;

void *__real_calloc(size_t, size_t);
void *__wrap_calloc(size_t, size_t);

void *
__wrap_calloc(size_t count, size_t size)
{
	if (callocs_to_fail > 0) {
		callocs_to_fail--;
		errno = ENOMEM;
		return NULL;
	}
	return __real_calloc(count, size);
}

static void
open_pair(int ends[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static void
close_pair(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

static void
put(int fd)
{
	ck_assert_int_eq(write(fd, "x", 1), 1);
}

static int
put_later(void *fd)
{
	ck_assert_ok(weft_sleep(weft_after(3)));
	put(*(int *)fd);
	return 0;
}

static int
close_later(void *fd)
{
	ck_assert_ok(weft_sleep(weft_after(3)));
	return close(*(int *)fd);
}

/* --- at once */

START_TEST(what_is_ready_is_told_at_once)
{
	struct pollfd set[4];
	int a[2], b[2];

	open_pair(a);
	open_pair(b);
	put(a[1]);
	set[0] = (struct pollfd){ .fd = a[0], .events = POLLIN };
	set[1] = (struct pollfd){ .fd = b[0], .events = POLLIN, .revents = 99 };
	set[2] = (struct pollfd){ .fd = b[1], .events = POLLIN | POLLOUT };
	set[3] = (struct pollfd){ .fd = -1, .events = POLLIN, .revents = 99 };
	for (int i = 0; i < 2; i++) {
		ck_assert_gives(weft_poll(set, 4, i ? WEFT_NEVER : WEFT_NOWAIT), 2);
		ck_assert_int_eq(set[0].revents, POLLIN);
		ck_assert_int_eq(set[1].revents, 0);
		ck_assert_int_eq(set[2].revents, POLLOUT);
		ck_assert_int_eq(set[3].revents, 0);
	}
	close_pair(a);
	close_pair(b);
}
END_TEST

START_TEST(a_closed_descriptor_is_a_result)
{
	struct pollfd set = { .events = POLLIN };
	int ends[2];

	open_pair(ends);
	close_pair(ends);
	set.fd = ends[0];
	ck_assert_gives(weft_poll(&set, 1, WEFT_NEVER), 1);
	ck_assert_int_eq(set.revents, POLLNVAL);
}
END_TEST

START_TEST(a_regular_file_is_always_ready)
{
	int fd = open("/proc/self/cmdline", O_RDONLY), null = open("/dev/null", O_RDWR);
	struct pollfd set[2] = { { .fd = null, .events = POLLOUT }, { .fd = fd, .events = POLLIN } };

	ck_assert_gives(weft_poll(set, 2, WEFT_NEVER), 2);
	set[0].events = set[1].events = 0;
	ck_assert_gives(weft_poll(set, 2, weft_after(3)), 0);
	close(fd);
	close(null);
}
END_TEST

START_TEST(arguments_that_cannot_be_right_are_EINVAL)
{
	ck_assert_fails(weft_poll(NULL, 1, WEFT_NEVER), EINVAL);
	ck_assert_gives(weft_poll(NULL, 0, WEFT_NOWAIT), 0);
}
END_TEST

/* --- waiting */

START_TEST(it_waits_for_the_first_that_is_ready)
{
	struct pollfd set[3];
	struct weft_fiber *fiber;
	int ends[3][2];

	for (int i = 0; i < 3; i++) {
		open_pair(ends[i]);
		set[i] = (struct pollfd){ .fd = ends[i][0], .events = POLLIN | POLLPRI };
	}
	for (int i = 0; i < 3; i++) {
		char byte;

		fiber = weft_spawn(put_later, &ends[i][1]);
		ck_assert_gives(weft_poll(set, 3, soon_enough()), 1);
		for (int j = 0; j < 3; j++)
			ck_assert_int_eq(set[j].revents, i == j ? POLLIN : 0);
		ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
		ck_assert_int_eq(read(ends[i][0], &byte, 1), 1);
	}
	for (int i = 0; i < 3; i++)
		close_pair(ends[i]);
}
END_TEST

START_TEST(when_the_time_is_up_it_is_0)
{
	struct pollfd set = { .events = POLLIN };
	int64_t deadline = weft_after(4);
	int ends[2];

	open_pair(ends);
	set.fd = ends[0];
	ck_assert_gives(weft_poll(&set, 1, WEFT_NOWAIT), 0);
	ck_assert_gives(weft_poll(&set, 1, weft_after(-1)), 0);
	ck_assert_gives(weft_poll(&set, 1, deadline), 0);
	ck_assert_int_ge(weft_now(), deadline);
	ck_assert_gives(weft_poll(NULL, 0, weft_after(2)), 0);
	set.fd = -1;
	ck_assert_gives(weft_poll(&set, 1, weft_after(2)), 0);
	close_pair(ends);
}
END_TEST

START_TEST(an_enclosing_deadline_is_an_error)
{
	struct pollfd set = { .events = POLLIN };
	int ends[2];

	open_pair(ends);
	set.fd = ends[0];
	ck_assert_ok(weft_deadline_push(weft_after(3)));
	ck_assert_fails(weft_poll(&set, 1, WEFT_NEVER), ETIMEDOUT);
	ck_assert_fails(weft_poll(&set, 1, soon_enough()), ETIMEDOUT);
	weft_deadline_pop();
	close_pair(ends);
}
END_TEST

static int
poll_for_ever(void *fd)
{
	struct pollfd set = { .fd = *(int *)fd, .events = POLLIN };

	return weft_poll(&set, 1, WEFT_NEVER) < 0 ? errno : 0;
}

START_TEST(a_cancel_ends_it)
{
	struct weft_fiber *fiber;
	int ends[2], error = 0;

	open_pair(ends);
	fiber = weft_spawn(poll_for_ever, &ends[0]);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(fiber));
	ck_assert_ok(weft_join(fiber, &error, soon_enough()));
	ck_assert_int_eq(error, ECANCELED);
	close_pair(ends);
}
END_TEST

START_TEST(nothing_to_wait_for_is_a_deadlock)
{
	struct pollfd set = { .fd = -1, .events = POLLIN };

	ck_assert_fails(weft_poll(&set, 1, WEFT_NEVER), EDEADLK);
	ck_assert_fails(weft_poll(NULL, 0, WEFT_NEVER), EDEADLK);
}
END_TEST

START_TEST(the_same_descriptor_may_be_there_several_times)
{
	struct pollfd set[3];
	struct weft_fiber *fiber;
	int ends[2];

	open_pair(ends);
	for (int i = 0; i < 3; i++)
		set[i] = (struct pollfd){ .fd = ends[0], .events = i ? POLLIN : POLLPRI };
	fiber = weft_spawn(put_later, &ends[1]);
	ck_assert_gives(weft_poll(set, 3, soon_enough()), 2);
	ck_assert_int_eq(set[0].revents, 0);
	ck_assert_int_eq(set[1].revents, POLLIN);
	ck_assert_int_eq(set[2].revents, POLLIN);
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	close_pair(ends);
}
END_TEST

START_TEST(several_fibers_may_poll_one_descriptor)
{
	struct weft_fiber *fibers[3];
	int ends[2], result = -1;

	open_pair(ends);
	for (int i = 0; i < 3; i++)
		fibers[i] = weft_spawn(poll_for_ever, &ends[0]);
	ck_assert_ok(weft_yield());
	put(ends[1]);
	ck_assert_int_eq(weft_fd_wait(ends[0], WEFT_READABLE, soon_enough()),
	    WEFT_READABLE);
	for (int i = 0; i < 3; i++) {
		ck_assert_ok(weft_join(fibers[i], &result, soon_enough()));
		ck_assert_int_eq(result, 0);
	}
	close_pair(ends);
}
END_TEST

START_TEST(a_hang_up_comes_unasked)
{
	struct pollfd set = { .events = 0 };
	struct weft_fiber *fiber;
	int ends[2];

	open_pair(ends);
	set.fd = ends[0];
	fiber = weft_spawn(close_later, &ends[1]);
	ck_assert_gives(weft_poll(&set, 1, soon_enough()), 1);
	ck_assert_int_eq(set.revents, POLLHUP);
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	close(ends[0]);
}
END_TEST

static int
weft_close_later(void *fd)
{
	ck_assert_ok(weft_sleep(weft_after(3)));
	return weft_fd_close(*(int *)fd);
}

START_TEST(a_descriptor_that_is_closed_meanwhile_is_a_result)
{
	struct pollfd set[2];
	struct weft_fiber *fiber;
	int a[2], b[2];

	open_pair(a);
	open_pair(b);
	set[0] = (struct pollfd){ .fd = a[0], .events = POLLIN };
	set[1] = (struct pollfd){ .fd = b[0], .events = POLLIN };
	fiber = weft_spawn(weft_close_later, &b[0]);
	ck_assert_gives(weft_poll(set, 2, soon_enough()), 1);
	ck_assert_int_eq(set[0].revents, 0);
	ck_assert_int_eq(set[1].revents, POLLNVAL);
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	close_pair(a);
	close(b[1]);
}
END_TEST

static void
connect_pair(int ends[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	ends[1] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(ends[1], (struct sockaddr *)&address, size), 0);
	ends[0] = accept(listener, NULL, NULL);
	ck_assert_int_ge(ends[0], 0);
	close(listener);
}

static int
put_urgent_later(void *fd)
{
	ck_assert_ok(weft_sleep(weft_after(3)));
	return send(*(int *)fd, "!", 1, MSG_OOB) == 1 ? 0 : -1;
}

START_TEST(urgent_data_is_told_from_other_data)
{
	struct pollfd set = { .events = POLLPRI };
	struct weft_fiber *fiber;
	int ends[2];

	connect_pair(ends);
	put(ends[1]);
	set.fd = ends[0];
	ck_assert_gives(weft_poll(&set, 1, weft_after(5)), 0);
	fiber = weft_spawn(put_urgent_later, &ends[1]);
	ck_assert_gives(weft_poll(&set, 1, soon_enough()), 1);
	ck_assert_int_eq(set.revents, POLLPRI);
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	close_pair(ends);
}
END_TEST

START_TEST(what_cannot_be_waited_for_does_not_spin)
{
	struct pollfd set = { .events = POLLRDBAND };
	uint64_t turns;
	int ends[2];

	connect_pair(ends);
	ck_assert_int_eq(send(ends[1], "!", 1, MSG_OOB), 1);
	set.fd = ends[0];
	ck_assert_int_eq(weft_fd_wait(ends[0], WEFT_READABLE | WEFT_WRITABLE,
	    soon_enough()) & WEFT_WRITABLE, WEFT_WRITABLE);
	turns = loop_stats().turns;
	weft_poll(&set, 1, weft_after(50));
	ck_assert_uint_lt(loop_stats().turns - turns, 40);
	close_pair(ends);
}
END_TEST

START_TEST(the_descriptor_of_a_stream_can_be_polled)
{
	struct weft_stream *ends[2];
	struct pollfd set = { .events = POLLIN };
	struct weft_fiber *fiber;
	char byte;

	ck_assert_ok(weft_unix_pair(ends));
	ck_assert_fails(weft_stream_read(ends[0], &byte, 1, weft_after(1)), ETIMEDOUT);
	set.fd = weft_stream_fd(ends[0]);
	for (int i = 0; i < 3; i++) {
		int fd = weft_stream_fd(ends[1]);

		fiber = weft_spawn(put_later, &fd);
		ck_assert_gives(weft_poll(&set, 1, soon_enough()), 1);
		ck_assert_int_eq(set.revents, POLLIN);
		ck_assert_int_eq(weft_stream_read(ends[0], &byte, 1, soon_enough()), 1);
		ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	}
	set.events = 0;
	ck_assert_gives(weft_poll(&set, 1, weft_after(3)), 0);
	weft_stream_close(ends[1], soon_enough());
	ck_assert_gives(weft_poll(&set, 1, soon_enough()), 1);
	ck_assert_int_eq(set.revents, POLLHUP);
	weft_stream_free(ends[0]);
	weft_stream_free(ends[1]);
}
END_TEST

START_TEST(without_memory_it_is_ENOMEM)
{
	struct pollfd set = { .events = POLLIN };
	int ends[2];

	open_pair(ends);
	set.fd = ends[0];
	callocs_to_fail = 1;
	ck_assert_fails(weft_poll(&set, 1, weft_after(1)), ENOMEM);
	ck_assert_int_eq(callocs_to_fail, 0);
	close_pair(ends);
}
END_TEST

static int
set_flag(void *flag)
{
	*(volatile int *)flag = 1;
	return 0;
}

START_TEST(polling_what_is_ready_does_not_starve_the_others)
{
	struct pollfd set = { .events = POLLOUT };
	volatile int flag = 0;
	int ends[2];

	open_pair(ends);
	set.fd = ends[0];
	ck_assert_ok(weft_go(set_flag, (void *)(uintptr_t)&flag));
	for (int i = 0; i < 10000 && !flag; i++)
		ck_assert_int_eq(weft_poll(&set, 1, WEFT_NEVER), 1);
	ck_assert_int_eq(flag, 1);
	close_pair(ends);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("poll");
	TCase *tc = test_case(suite, backend);

	tcase_add_test(tc, what_is_ready_is_told_at_once);
	tcase_add_test(tc, a_closed_descriptor_is_a_result);
	tcase_add_test(tc, a_regular_file_is_always_ready);
	tcase_add_test(tc, arguments_that_cannot_be_right_are_EINVAL);
	tcase_add_test(tc, it_waits_for_the_first_that_is_ready);
	tcase_add_test(tc, when_the_time_is_up_it_is_0);
	tcase_add_test(tc, an_enclosing_deadline_is_an_error);
	tcase_add_test(tc, a_cancel_ends_it);
	tcase_add_test(tc, nothing_to_wait_for_is_a_deadlock);
	tcase_add_test(tc, the_same_descriptor_may_be_there_several_times);
	tcase_add_test(tc, several_fibers_may_poll_one_descriptor);
	tcase_add_test(tc, a_hang_up_comes_unasked);
	tcase_add_test(tc, a_descriptor_that_is_closed_meanwhile_is_a_result);
	tcase_add_test(tc, urgent_data_is_told_from_other_data);
	tcase_add_test(tc, what_cannot_be_waited_for_does_not_spin);
	tcase_add_test(tc, the_descriptor_of_a_stream_can_be_polled);
	tcase_add_test(tc, without_memory_it_is_ENOMEM);
	tcase_add_test(tc, polling_what_is_ready_does_not_starve_the_others);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
