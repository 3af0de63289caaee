/* SPDX-License-Identifier: MIT */
/*
 * tests/check_buffer_io.c - one transfer between Buffers and a descriptor.
 *
 * The program is linked with --wrap for the system calls of the transfer: the
 * next `interruptions` of them fail with EINTR.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/buffer_ends.h"
#include "tests/buffers.h"

static int interruptions;

#define INTERRUPTED(result, name, parameters, arguments) \
	result __real_##name parameters; \
	result __wrap_##name parameters; \
	result __wrap_##name parameters \
	{ \
		if (interruptions > 0) { \
			interruptions--; \
			errno = EINTR; \
			return -1; \
		} \
		return __real_##name arguments; \
	}

INTERRUPTED(int, poll, (struct pollfd *p, nfds_t n, int ms), (p, n, ms))
INTERRUPTED(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n))
INTERRUPTED(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
INTERRUPTED(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
INTERRUPTED(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))

START_TEST(what_is_sent_is_received_in_pieces_of_any_size)
{
	for (size_t piece = 1; piece <= 40; piece++) {
		struct weft_buffer *from = counting(40), *to = weft_buffer_new(50);
		size_t sent = 0, received = 0;

		open_ends(_i);
		while (sent < 40) {
			size_t n = sent + piece < 40 ? piece : 40 - sent;

			ck_assert_int_eq(weft_buffer_set_limit(from, sent + n), 0);
			ck_assert_gives(weft_buffer_send(from, ends[1]), (ssize_t)n);
			sent += n;
			ck_assert_uint_eq(weft_buffer_position(from), sent);
			if (sent % 2 == 0)
				continue;
			ck_assert_gives(weft_buffer_recv(to, ends[0]), (ssize_t)(sent - received));
			received = sent;
		}
		if (received < 40)
			ck_assert_gives(weft_buffer_recv(to, ends[0]), (ssize_t)(40 - received));
		ck_assert_state(to, 40, 50, 50);
		ck_assert_int_eq(memcmp(weft_buffer_bytes(to), weft_buffer_bytes(from), 40), 0);
		close_ends();
		weft_buffer_free(from);
		weft_buffer_free(to);
	}
}
END_TEST

START_TEST(recv_takes_no_more_than_there_is_room)
{
	struct weft_buffer *b = weft_buffer_new(8);

	open_ends(_i);
	ck_assert_int_eq(write(ends[1], "abcdefgh", 8), 8);
	ck_assert_int_eq(weft_buffer_set_position(b, 2), 0);
	ck_assert_int_eq(weft_buffer_set_limit(b, 5), 0);
	ck_assert_gives(weft_buffer_recv(b, ends[0]), 3);
	ck_assert_state(b, 5, 5, 8);
	ck_assert_int_eq(memcmp(weft_buffer_bytes(b), "\0\0abc\0\0\0", 8), 0);
	weft_buffer_clear(b);
	ck_assert_gives(weft_buffer_recv(b, ends[0]), 5);
	close_ends();
	weft_buffer_free(b);
}
END_TEST

START_TEST(recv_with_nothing_to_be_had_is_eagain)
{
	struct weft_buffer *b = weft_buffer_new(8);

	open_ends(_i);
	ck_assert_fails(weft_buffer_recv(b, ends[0]), EAGAIN);
	ck_assert_state(b, 0, 8, 8);
	close_ends();
	weft_buffer_free(b);
}
END_TEST

START_TEST(the_end_is_0_and_a_full_buffer_is_enobufs_even_there)
{
	struct weft_buffer *b = weft_buffer_new(2);

	open_ends(_i);
	ck_assert_int_eq(write(ends[1], "abc", 3), 3);
	close_end(1);
	ck_assert_gives(weft_buffer_recv(b, ends[0]), 2);
	ck_assert_fails(weft_buffer_recv(b, ends[0]), ENOBUFS);
	weft_buffer_clear(b);
	ck_assert_gives(weft_buffer_recv(b, ends[0]), 1);
	for (int i = 0; i < 3; i++)
		ck_assert_gives(weft_buffer_recv(b, ends[0]), 0);
	ck_assert_state(b, 1, 2, 2);
	ck_assert_int_eq(weft_buffer_skip(b, 1), 0);
	ck_assert_fails(weft_buffer_recv(b, ends[0]), ENOBUFS);
	close_ends();
	weft_buffer_free(b);
}
END_TEST

START_TEST(recv_grows_a_growable_buffer_that_is_full)
{
	struct weft_buffer *b = weft_buffer_new_growable(0, 40);

	open_ends(_i);
	ck_assert_int_eq(write(ends[1], "0123456789abcdef0123456789abcdef0123456789", 42), 42);
	ck_assert_gives(weft_buffer_recv(b, ends[0]), 16);
	ck_assert_gives(weft_buffer_recv(b, ends[0]), 16);
	ck_assert_gives(weft_buffer_recv(b, ends[0]), 8);
	ck_assert_fails(weft_buffer_recv(b, ends[0]), ENOBUFS);
	ck_assert_state(b, 40, 40, 40);
	ck_assert_int_eq(memcmp(weft_buffer_bytes(b), "0123456789abcdef0123456789abcdef01234567", 40), 0);
	close_ends();
	weft_buffer_free(b);
}
END_TEST

START_TEST(send_fills_the_descriptor_and_then_is_eagain)
{
	struct weft_buffer *b = counting(1 << 16), *to = weft_buffer_new(1 << 16);
	size_t sent = 0, received = 0;
	ssize_t n;

	open_ends(_i);
	do {
		weft_buffer_rewind(b);
		while ((n = weft_buffer_send(b, ends[1])) > 0)
			sent += (size_t)n;
	} while (n == 0);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert(sent > 4096);
	do {
		weft_buffer_clear(to);
		n = weft_buffer_recv(to, ends[0]);
		received += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_uint_eq(sent, received);
	ck_assert(weft_buffer_send(b, ends[1]) > 0);
	close_ends();
	weft_buffer_free(b);
	weft_buffer_free(to);
}
END_TEST

START_TEST(send_of_nothing_is_0_and_asks_nobody)
{
	struct weft_buffer *b = weft_buffer_new(0);

	ck_assert_gives(weft_buffer_send(b, -1), 0);
	weft_buffer_free(b);
}
END_TEST

static bool
sigpipe_is(int (*ask)(sigset_t *))
{
	sigset_t set;

	return ask(&set) == 0 && sigismember(&set, SIGPIPE) == 1;
}

static int
ask_mask(sigset_t *set)
{
	return sigprocmask(SIG_SETMASK, NULL, set);
}

/* SIGPIPE would end the test: Check runs it in a process of its own. */
START_TEST(send_to_nobody_is_epipe_and_no_signal)
{
	struct weft_buffer *b = counting(4);

	signal(SIGPIPE, SIG_DFL);
	open_ends(_i);
	close_end(0);
	ck_assert_fails(weft_buffer_send(b, ends[1]), EPIPE);
	ck_assert_state(b, 0, 4, 4);
	ck_assert(!sigpipe_is(sigpending));
	ck_assert(!sigpipe_is(ask_mask));

	signal(SIGPIPE, SIG_IGN);
	ck_assert_fails(weft_buffer_send(b, ends[1]), EPIPE);
	ck_assert(!sigpipe_is(ask_mask));
	signal(SIGPIPE, SIG_DFL);
	close_ends();
	weft_buffer_free(b);
}
END_TEST

START_TEST(a_sigpipe_that_was_pending_stays_pending)
{
	struct weft_buffer *b = counting(4);
	sigset_t set;
	int taken;

	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	open_ends(_i);
	close_end(0);
	ck_assert_fails(weft_buffer_send(b, ends[1]), EPIPE);
	ck_assert(!sigpipe_is(sigpending));
	ck_assert(sigpipe_is(ask_mask));
	raise(SIGPIPE);
	ck_assert_fails(weft_buffer_send(b, ends[1]), EPIPE);
	ck_assert(sigpipe_is(sigpending));
	ck_assert(sigpipe_is(ask_mask));
	ck_assert_int_eq(sigwait(&set, &taken), 0);
	ck_assert_int_eq(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
	close_ends();
	weft_buffer_free(b);
}
END_TEST

START_TEST(eintr_never_escapes)
{
	for (int n = 1; n < 6; n++) {
		struct weft_buffer *from = counting(4), *to = weft_buffer_new(4);

		open_ends(_i);
		interruptions = n;
		ck_assert_gives(weft_buffer_send(from, ends[1]), 4);
		ck_assert_int_eq(interruptions, 0);
		interruptions = n;
		ck_assert_gives(weft_buffer_recv(to, ends[0]), 4);
		ck_assert_int_eq(interruptions, 0);
		weft_buffer_rewind(from);
		weft_buffer_flip(to);
		ck_assert_gives(weft_buffer_compare(from, to), 0);
		close_ends();
		weft_buffer_free(from);
		weft_buffer_free(to);
	}
}
END_TEST

START_TEST(descriptors_that_are_not_open_are_ebadf)
{
	struct weft_buffer *b = weft_buffer_new(4);

	ck_assert_fails(weft_buffer_recv(b, -1), EBADF);
	ck_assert_fails(weft_buffer_send(b, -1), EBADF);
	open_ends(PIPE);
	ck_assert_fails(weft_buffer_recv(b, ends[1]), EBADF);
	ck_assert_fails(weft_buffer_send(b, ends[0]), EBADF);
	ck_assert_state(b, 0, 4, 4);
	close_ends();
	weft_buffer_free(b);
}
END_TEST

START_TEST(a_file_takes_and_gives_all_at_once)
{
	struct weft_buffer *from = counting(100000), *to = weft_buffer_new(100001);
	FILE *file = tmpfile();

	ck_assert(file != NULL);
	ck_assert_gives(weft_buffer_send(from, fileno(file)), 100000);
	ck_assert_int_eq(lseek(fileno(file), 0, SEEK_SET), 0);
	ck_assert_gives(weft_buffer_recv(to, fileno(file)), 100000);
	ck_assert_gives(weft_buffer_recv(to, fileno(file)), 0);
	weft_buffer_flip(from);
	weft_buffer_flip(to);
	ck_assert_gives(weft_buffer_mismatch(from, to), -1);
	fclose(file);
	weft_buffer_free(from);
	weft_buffer_free(to);
}
END_TEST

START_TEST(dev_null_takes_all_and_gives_the_end)
{
	struct weft_buffer *b = counting(100);
	int fd = open("/dev/null", O_RDWR);

	ck_assert_gives(weft_buffer_send(b, fd), 100);
	weft_buffer_clear(b);
	ck_assert_gives(weft_buffer_recv(b, fd), 0);
	close(fd);
	weft_buffer_free(b);
}
END_TEST

static Suite *
io_suite(void)
{
	Suite *suite = suite_create("buffer_io");
	TCase *tc = tcase_create("single");

	tcase_add_loop_test(tc, what_is_sent_is_received_in_pieces_of_any_size, 0, KINDS);
	tcase_add_loop_test(tc, recv_takes_no_more_than_there_is_room, 0, KINDS);
	tcase_add_loop_test(tc, recv_with_nothing_to_be_had_is_eagain, 0, KINDS);
	tcase_add_loop_test(tc, the_end_is_0_and_a_full_buffer_is_enobufs_even_there, 0, KINDS);
	tcase_add_loop_test(tc, recv_grows_a_growable_buffer_that_is_full, 0, KINDS);
	tcase_add_loop_test(tc, send_fills_the_descriptor_and_then_is_eagain, 0, KINDS);
	tcase_add_test(tc, send_of_nothing_is_0_and_asks_nobody);
	tcase_add_loop_test(tc, send_to_nobody_is_epipe_and_no_signal, 0, KINDS);
	tcase_add_loop_test(tc, a_sigpipe_that_was_pending_stays_pending, 0, KINDS);
	tcase_add_loop_test(tc, eintr_never_escapes, 0, KINDS);
	tcase_add_test(tc, descriptors_that_are_not_open_are_ebadf);
	tcase_add_test(tc, a_file_takes_and_gives_all_at_once);
	tcase_add_test(tc, dev_null_takes_all_and_gives_the_end);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	return run_suite(io_suite());
}
