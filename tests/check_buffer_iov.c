/* SPDX-License-Identifier: MIT */
/*
 * tests/check_buffer_iov.c - one transfer over several Buffers.
 */
#include "config.h"

#include <stdint.h>
#include <unistd.h>

#include "tests/buffer_ends.h"
#include "tests/buffers.h"

START_TEST(readv_fills_the_buffers_in_order)
{
	enum { N = 3, ALL = 12 };

	for (size_t n = 1; n <= ALL; n++) {
		struct weft_buffer *buffers[N];
		size_t left = n;

		open_ends(_i);
		ck_assert_int_eq(write(ends[1], "0123456789ab", n), (ssize_t)n);
		for (size_t i = 0; i < N; i++) {
			buffers[i] = weft_buffer_new(10);
			ck_assert_int_eq(weft_buffer_set_position(buffers[i], i), 0);
			ck_assert_int_eq(weft_buffer_set_limit(buffers[i], 5 * i), 0);
		}
		/* Room 0, 4 and 8. */
		ck_assert_gives(weft_buffer_readv(buffers, N, ends[0]), (ssize_t)n);
		for (size_t i = 0; i < N; i++) {
			size_t room = 4 * i, share = left < room ? left : room;

			ck_assert_state(buffers[i], i + share, 5 * i, 10);
			ck_assert_int_eq(memcmp((const char *)weft_buffer_bytes(buffers[i]) + i,
			    &"0123456789ab"[n - left], share), 0);
			left -= share;
			weft_buffer_free(buffers[i]);
		}
		ck_assert_uint_eq(left, 0);
		close_ends();
	}
}
END_TEST

START_TEST(writev_sends_the_buffers_in_order)
{
	enum { N = 4 };
	static const char *const texts[N] = { "ab", "", "cde", "f" };

	struct weft_buffer *buffers[N], *to = weft_buffer_new(10);

	open_ends(_i);
	for (size_t i = 0; i < N; i++)
		buffers[i] = weft_buffer_wrap_const(texts[i], strlen(texts[i]));
	ck_assert_gives(weft_buffer_writev(buffers, N, ends[1]), 6);
	ck_assert_gives(weft_buffer_writev(buffers, N, ends[1]), 0);
	ck_assert_gives(weft_buffer_recv(to, ends[0]), 6);
	ck_assert_int_eq(memcmp(weft_buffer_bytes(to), "abcdef", 6), 0);
	for (size_t i = 0; i < N; i++) {
		ck_assert_uint_eq(weft_buffer_remaining(buffers[i]), 0);
		weft_buffer_free(buffers[i]);
	}
	close_ends();
	weft_buffer_free(to);
}
END_TEST

START_TEST(more_buffers_than_go_at_once_go_in_turns)
{
	enum { N = 50 };

	struct weft_buffer *from[N], *to[N];
	ssize_t n, sent = 0, received = 0;
	uint8_t byte;

	open_ends(_i);
	for (uint8_t i = 0; i < N; i++) {
		from[i] = weft_buffer_new(1);
		to[i] = weft_buffer_new(1);
		ck_assert_int_eq(weft_buffer_put_u8_at(from[i], 0, i), 0);
	}
	while ((n = weft_buffer_writev(from, N, ends[1])) > 0)
		sent += n;
	ck_assert_int_eq(n, 0);
	while ((n = weft_buffer_readv(to, N, ends[0])) > 0)
		received += n;
	ck_assert_int_eq(errno, ENOBUFS);
	ck_assert_int_eq(sent, N);
	ck_assert_int_eq(received, N);
	for (uint8_t i = 0; i < N; i++) {
		ck_assert_int_eq(weft_buffer_get_u8_at(to[i], 0, &byte), 0);
		ck_assert_uint_eq(byte, i);
		weft_buffer_free(from[i]);
		weft_buffer_free(to[i]);
	}
	close_ends();
}
END_TEST

START_TEST(a_writev_that_is_cut_short_goes_on_where_it_stopped)
{
	enum { N = 5, SIZE = 100000 };

	struct weft_buffer *from[N], *to = weft_buffer_new(N * SIZE);
	const unsigned char *bytes = weft_buffer_bytes(to);
	size_t shorts = 0;
	ssize_t n;

	open_ends(_i);
	for (int i = 0; i < N; i++)
		from[i] = counting(SIZE);
	while ((n = weft_buffer_writev(from, N, ends[1])) != 0) {
		if (n > 0)
			continue;
		ck_assert_int_eq(errno, EAGAIN);
		shorts++;
		while (weft_buffer_has_remaining(to) && weft_buffer_recv(to, ends[0]) > 0)
			;
	}
	while (weft_buffer_has_remaining(to))
		ck_assert(weft_buffer_recv(to, ends[0]) > 0);
	ck_assert(shorts > 0);
	for (size_t i = 0; i < N * SIZE; i++)
		if (bytes[i] != (unsigned char)(i % SIZE))
			ck_assert_uint_eq(i, SIZE_MAX);
	for (int i = 0; i < N; i++)
		weft_buffer_free(from[i]);
	close_ends();
	weft_buffer_free(to);
}
END_TEST

START_TEST(a_list_that_can_never_be_right_is_refused)
{
	struct weft_buffer *b = weft_buffer_new(4), *r = weft_buffer_read_only(b), *full = weft_buffer_new(0);
	struct weft_buffer *twice[] = { b, r, b }, *with_read_only[] = { b, r }, *with_full[] = { b, full };

	open_ends(PIPE);
	ck_assert_int_eq(write(ends[1], "abcd", 4), 4);
	ck_assert_fails(weft_buffer_readv(twice, 0, ends[0]), EINVAL);
	ck_assert_fails(weft_buffer_readv(twice, -1, ends[0]), EINVAL);
	ck_assert_fails(weft_buffer_writev(twice, 0, ends[1]), EINVAL);
	ck_assert_fails(weft_buffer_readv(twice, 3, ends[0]), EINVAL);
	ck_assert_fails(weft_buffer_writev(twice, 3, ends[1]), EINVAL);
	ck_assert_fails(weft_buffer_readv(with_read_only, 2, ends[0]), EROFS);
	ck_assert_fails(weft_buffer_readv(with_full + 1, 1, ends[0]), ENOBUFS);
	ck_assert_state(b, 0, 4, 4);
	ck_assert_gives(weft_buffer_readv(with_full, 2, ends[0]), 4);
	ck_assert_fails(weft_buffer_readv(with_full, 2, ends[0]), ENOBUFS);
	close_ends();
	weft_buffer_free(b);
	weft_buffer_free(r);
	weft_buffer_free(full);
}
END_TEST

static Suite *
iov_suite(void)
{
	Suite *suite = suite_create("buffer_iov");
	TCase *tc = tcase_create("several");

	tcase_add_loop_test(tc, readv_fills_the_buffers_in_order, 0, KINDS);
	tcase_add_loop_test(tc, writev_sends_the_buffers_in_order, 0, KINDS);
	tcase_add_loop_test(tc, more_buffers_than_go_at_once_go_in_turns, 0, KINDS);
	tcase_add_loop_test(tc, a_writev_that_is_cut_short_goes_on_where_it_stopped, 0, KINDS);
	tcase_add_test(tc, a_list_that_can_never_be_right_is_refused);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	return run_suite(iov_suite());
}
