/* SPDX-License-Identifier: MIT */
/*
 * tests/check_wait.c - fibers that wait for descriptors, several for one, and
 * descriptors that go away meanwhile. What is ready when is in check_kinds.c.
 */
#include "config.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fiber/wait.h"
#include "tests/waiters.h"

static void
fill(int fd)
{
	static const char bytes[4096];

	while (write(fd, bytes, sizeof bytes) > 0)
		;
}

static void
drain(int fd)
{
	static char bytes[65536];

	while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		;
}

/* --- arguments */

START_TEST(events_that_there_are_not_are_EINVAL)
{
	static const int wrong[] = { 0, 4, 5, 8, -1, 1 << 16 };

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		ck_assert_fails(weft_fd_wait(ends[0], wrong[i], soon_enough()), EINVAL);
		ck_assert_fails(weft_fd_wait(ends[0], wrong[i], WEFT_NOWAIT), EINVAL);
	}
}
END_TEST

START_TEST(closing_or_forgetting_what_is_not_open_is_EBADF_or_nothing)
{
	int fd = dup(0);

	close(fd);
	ck_assert_fails(weft_fd_close(-1), EBADF);
	ck_assert_fails(weft_fd_forget(-1), EBADF);
	ck_assert_fails(weft_fd_close(fd), EBADF);
	ck_assert_gives(weft_fd_forget(fd), 0);
	ck_assert_gives(weft_fd_forget(ends[0]), 0);
	ck_assert_gives(weft_fd_forget(1 << 22), 0);
}
END_TEST

START_TEST(a_wait_that_succeeds_leaves_errno_alone)
{
	put_byte(ends[1]);
	ck_assert_gives(weft_fd_wait(ends[0], WEFT_READABLE, WEFT_NOWAIT), 1);
	ck_assert_gives(weft_fd_wait(ends[0], WEFT_READABLE, soon_enough()), 1);
	ck_assert_gives(weft_fd_wait(ends[0], WEFT_READABLE, weft_after(-1)), 1);
	ck_assert_gives(weft_fd_wait(ends[0], WEFT_READABLE, WEFT_NEVER), 1);
}
END_TEST

/* --- several for one */

START_TEST(all_who_wait_for_a_direction_are_woken)
{
	struct waiter waiters[5];

	for (int i = 0; i < 5; i++)
		start(&waiters[i], ends[0], WEFT_READABLE);
	ck_assert_ok(weft_yield());
	ck_assert_int_eq(loop_stats().parked, 5);
	put_byte(ends[1]);
	for (int i = 0; i < 5; i++) {
		join(&waiters[i]);
		ck_assert_int_eq(waiters[i].result, WEFT_READABLE);
	}
}
END_TEST

START_TEST(reader_and_writer_of_one_descriptor_do_not_disturb_each_other)
{
	struct waiter reader, writer;

	for (int round = 0; round < 3; round++) {
		fill(ends[0]);
		start(&reader, ends[0], WEFT_READABLE);
		start(&writer, ends[0], WEFT_WRITABLE);
		ck_assert_ok(weft_yield());
		if (round % 2 == 0) {
			put_byte(ends[1]);
			join(&reader);
			ck_assert_int_eq(writer.result, 0);
			drain(ends[1]);
			join(&writer);
		} else {
			drain(ends[1]);
			join(&writer);
			ck_assert_int_eq(reader.result, 0);
			put_byte(ends[1]);
			join(&reader);
		}
		ck_assert_int_eq(reader.result, WEFT_READABLE);
		ck_assert_int_eq(writer.result, WEFT_WRITABLE);
		drain(ends[0]);
	}
}
END_TEST

START_TEST(who_gives_up_does_not_take_the_others_along)
{
	struct waiter patient, hasty, cancelled;

	start(&patient, ends[0], WEFT_READABLE);
	start(&hasty, ends[0], WEFT_READABLE);
	hasty.deadline = weft_after(2);
	start(&cancelled, ends[0], WEFT_READABLE);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(cancelled.fiber));
	join(&cancelled);
	ck_assert_int_eq(cancelled.error, ECANCELED);
	join(&hasty);
	ck_assert_int_eq(hasty.error, ETIMEDOUT);
	ck_assert_int_eq(loop_stats().parked, 1);
	put_byte(ends[1]);
	join(&patient);
	ck_assert_int_eq(patient.result, WEFT_READABLE);
}
END_TEST

START_TEST(a_hang_up_wakes_those_who_wait_to_read_and_those_who_wait_to_write)
{
	struct waiter reader, writer, both;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	fill(pair[0]);
	start(&reader, pair[0], WEFT_READABLE);
	start(&writer, pair[0], WEFT_WRITABLE);
	start(&both, pair[0], WEFT_READABLE | WEFT_WRITABLE);
	ck_assert_ok(weft_yield());
	close(pair[1]);
	join(&reader);
	join(&writer);
	join(&both);
	ck_assert_int_eq(reader.result, WEFT_READABLE);
	ck_assert_int_eq(writer.result, WEFT_WRITABLE);
	ck_assert_int_eq(both.result, WEFT_READABLE | WEFT_WRITABLE);
	ck_assert_ok(weft_fd_close(pair[0]));
}
END_TEST

/* --- closed meanwhile */

START_TEST(a_close_wakes_all_with_EBADF)
{
	struct waiter waiters[4];
	int fd = dup(ends[0]);

	for (int i = 0; i < 4; i++)
		start(&waiters[i], fd, WEFT_READABLE);
	ck_assert_ok(weft_yield());
	ck_assert_gives(weft_fd_close(fd), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	for (int i = 0; i < 4; i++) {
		join(&waiters[i]);
		ck_assert_int_eq(waiters[i].error, EBADF);
	}
}
END_TEST

START_TEST(a_forget_wakes_all_with_EBADF_and_leaves_it_open)
{
	struct waiter waiters[4];

	for (int i = 0; i < 4; i++)
		start(&waiters[i], ends[0], WEFT_READABLE);
	ck_assert_ok(weft_yield());
	ck_assert_gives(weft_fd_forget(ends[0]), 0);
	for (int i = 0; i < 4; i++) {
		join(&waiters[i]);
		ck_assert_int_eq(waiters[i].error, EBADF);
	}
	put_byte(ends[1]);
	ck_assert_int_eq(weft_fd_wait(ends[0], WEFT_READABLE, soon_enough()),
	    WEFT_READABLE);
}
END_TEST

START_TEST(a_forgotten_number_may_be_replaced_and_waited_for)
{
	struct waiter old, new;
	int fd = dup(ends[0]), fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	start(&old, fd, WEFT_READABLE);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_fd_forget(fd));
	ck_assert_int_eq(dup2(fds[0], fd), fd);
	start(&new, fd, WEFT_READABLE);
	join(&old);
	ck_assert_int_eq(old.error, EBADF);
	put_byte(ends[1]);              /* of no concern to the new one */
	ck_assert_ok(weft_sleep(weft_after(2)));
	ck_assert_int_eq(new.result, 0);
	put_byte(fds[1]);
	join(&new);
	ck_assert_int_eq(new.result, WEFT_READABLE);
	ck_assert_ok(weft_fd_close(fd));
	close(fds[0]);
	close(fds[1]);
}
END_TEST

static struct waiter second, third;

/* Runs when both are ready: the second's event is in the same batch. */
static int
close_the_other_and_reuse_its_number(void *arg)
{
	int *fds = arg, fd;

	ck_assert_int_eq(weft_fd_wait(ends[0], WEFT_READABLE, soon_enough()),
	    WEFT_READABLE);
	fd = second.fd;
	ck_assert_ok(weft_fd_close(fd));
	ck_assert_int_eq(dup2(fds[0], fd), fd);
	start(&third, fd, WEFT_READABLE);
	return 0;
}

START_TEST(a_number_reused_within_a_batch_gets_no_event_of_its_forerunner)
{
	struct weft_fiber *first;
	int fds[2], pair[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(pipe(pair), 0);
	/* Both orders: the backends report in any. */
	start(&second, pair[0], WEFT_READABLE);
	first = weft_spawn(close_the_other_and_reuse_its_number, fds);
	ck_assert_ok(weft_yield());
	put_byte(pair[1]);
	put_byte(ends[1]);
	ck_assert_ok(weft_join(first, NULL, soon_enough()));
	join(&second);
	ck_assert_ok(weft_sleep(weft_after(2)));
	ck_assert_int_eq(third.result + third.error, 0);
	put_byte(fds[1]);
	join(&third);
	ck_assert_int_eq(third.result, WEFT_READABLE);
	ck_assert_ok(weft_fd_close(third.fd));
	close(fds[0]);
	close(fds[1]);
	close(pair[1]);
}
END_TEST

START_TEST(poll_sees_that_foreign_code_has_closed_a_descriptor)
{
	struct waiter waiter;
	int fd = dup(ends[0]);

	if (strcmp(weft_loop_backend(), "poll") != 0) {
		close(fd);
		return;                 /* epoll has no way to */
	}
	start(&waiter, fd, WEFT_READABLE);
	ck_assert_ok(weft_yield());
	close(fd);
	join(&waiter);
	ck_assert_int_eq(waiter.error, EBADF);
}
END_TEST

/* --- what streams own */

static bool
hear(void *arg, int events)
{
	*(int *)arg |= events < 0 ? 1 << 10 : events;
	return true;
}

START_TEST(a_wait_on_a_stream_s_descriptor_leaves_it_the_stream_s)
{
	int fds[2] = { dup(ends[0]), open("/", O_RDONLY) };

	for (int i = 0; i < 2; i++) {
		int heard = 0;
		struct weft__slot *slot = weft__fd_own(weft__loop(), fds[i], hear,
		    &heard);

		ck_assert_int_eq(weft__fd_want(weft__loop(), slot, WEFT_READABLE), 0);
		put_byte(ends[1]);
		ck_assert_int_eq(weft_fd_wait(fds[i], WEFT_READABLE, soon_enough()),
		    WEFT_READABLE);
		ck_assert_int_eq(weft_fd_wait(fds[i], WEFT_READABLE, WEFT_NEVER),
		    WEFT_READABLE);
		ck_assert_int_eq(heard & 1 << 10, 0);
		weft__fd_disown(weft__loop(), slot);
		ck_assert_ok(weft_fd_close(fds[i]));
	}
}
END_TEST

START_TEST(a_wait_on_a_stream_s_descriptor_waits_beside_the_stream)
{
	int heard = 0, fd = dup(ends[0]);
	struct weft__slot *slot = weft__fd_own(weft__loop(), fd, hear, &heard);
	struct waiter waiter;

	ck_assert_int_eq(weft__fd_want(weft__loop(), slot, WEFT_READABLE), 0);
	start(&waiter, fd, WEFT_READABLE);
	ck_assert_ok(weft_yield());
	put_byte(ends[1]);
	join(&waiter);
	ck_assert_int_eq(waiter.result, WEFT_READABLE);
	ck_assert_int_eq(heard, WEFT_READABLE);
	ck_assert_ok(weft_fd_forget(fd));
	ck_assert_int_eq(heard, WEFT_READABLE | 1 << 10);
	close(fd);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("wait");
	TCase *tc = test_case_unclean(suite, "wait");

	(void)backend;
	tcase_add_checked_fixture(tc, open_ends, close_ends);
	tcase_add_test(tc, events_that_there_are_not_are_EINVAL);
	tcase_add_test(tc, closing_or_forgetting_what_is_not_open_is_EBADF_or_nothing);
	tcase_add_test(tc, a_wait_that_succeeds_leaves_errno_alone);
	tcase_add_test(tc, all_who_wait_for_a_direction_are_woken);
	tcase_add_test(tc, reader_and_writer_of_one_descriptor_do_not_disturb_each_other);
	tcase_add_test(tc, who_gives_up_does_not_take_the_others_along);
	tcase_add_test(tc, a_hang_up_wakes_those_who_wait_to_read_and_those_who_wait_to_write);
	tcase_add_test(tc, a_close_wakes_all_with_EBADF);
	tcase_add_test(tc, a_forget_wakes_all_with_EBADF_and_leaves_it_open);
	tcase_add_test(tc, a_forgotten_number_may_be_replaced_and_waited_for);
	tcase_add_test(tc, a_number_reused_within_a_batch_gets_no_event_of_its_forerunner);
	tcase_add_test(tc, poll_sees_that_foreign_code_has_closed_a_descriptor);
	tcase_add_test(tc, a_wait_on_a_stream_s_descriptor_leaves_it_the_stream_s);
	tcase_add_test(tc, a_wait_on_a_stream_s_descriptor_waits_beside_the_stream);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
