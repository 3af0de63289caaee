/* SPDX-License-Identifier: MIT */
/*
 * tests/check_buffer_view.c - several Buffers over the same bytes, and Buffers
 * inside other objects.
 */
#include "config.h"

#include <sys/wait.h>

#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "tests/buffers.h"

START_TEST(a_duplicate_copies_the_state_and_then_has_its_own)
{
	struct weft_buffer *b = counting(10), *v;
	uint8_t byte;

	ck_assert_int_eq(weft_buffer_set_position(b, 2), 0);
	weft_buffer_mark(b);
	ck_assert_int_eq(weft_buffer_set_position(b, 4), 0);
	ck_assert_int_eq(weft_buffer_set_limit(b, 8), 0);
	v = weft_buffer_duplicate(b);
	ck_assert_state(v, 4, 8, 10);
	ck_assert_int_eq(weft_buffer_get_u8(v, &byte), 0);
	ck_assert_uint_eq(byte, 4);
	ck_assert_state(b, 4, 8, 10);
	ck_assert_gives(weft_buffer_reset(v), 0);
	ck_assert_state(v, 2, 8, 10);
	ck_assert_int_eq(weft_buffer_put_u8(v, 77), 0);
	ck_assert_int_eq(weft_buffer_get_u8_at(b, 2, &byte), 0);
	ck_assert_uint_eq(byte, 77);
	weft_buffer_free(v);
	weft_buffer_free(b);
}
END_TEST

START_TEST(a_slice_is_what_remains)
{
	enum { N = 9 };

	for (size_t position = 0; position <= N; position++) {
		for (size_t limit = position; limit <= N; limit++) {
			struct weft_buffer *b = counting(N), *v;

			ck_assert_int_eq(weft_buffer_set_position(b, position), 0);
			ck_assert_int_eq(weft_buffer_set_limit(b, limit), 0);
			weft_buffer_mark(b);
			ck_assert((v = weft_buffer_slice(b)) != NULL);
			ck_assert_state(v, 0, limit - position, limit - position);
			ck_assert_fails(weft_buffer_reset(v), EINVAL);
			ck_assert_fails(weft_buffer_set_limit(v, limit - position + 1), EINVAL);
			for (size_t i = 0; i < limit - position; i++)
				ck_assert_uint_eq(((const unsigned char *)weft_buffer_bytes(v))[i], position + i);
			ck_assert_state(b, position, limit, N);
			weft_buffer_free(v);
			weft_buffer_free(b);
		}
	}
}
END_TEST

START_TEST(slice_at_is_bounded_by_the_limit)
{
	struct weft_buffer *b = counting(9), *v;

	ck_assert_int_eq(weft_buffer_set_limit(b, 6), 0);
	ck_assert_int_eq(weft_buffer_set_position(b, 3), 0);
	for (size_t index = 0; index <= 10; index++) {
		for (size_t n = 0; n <= 10; n++) {
			if (index + n > 6) {
				ck_assert_null(weft_buffer_slice_at(b, index, n), EINVAL);
				continue;
			}
			ck_assert((v = weft_buffer_slice_at(b, index, n)) != NULL);
			ck_assert_state(v, 0, n, n);
			for (size_t i = 0; i < n; i++)
				ck_assert_uint_eq(((const unsigned char *)weft_buffer_bytes(v))[i], index + i);
			weft_buffer_free(v);
		}
	}
	ck_assert_null(weft_buffer_slice_at(b, SIZE_MAX, 2), EINVAL);
	ck_assert_null(weft_buffer_slice_at(b, 2, SIZE_MAX), EINVAL);
	ck_assert_null(weft_buffer_slice_at(b, SIZE_MAX, SIZE_MAX), EINVAL);
	ck_assert_state(b, 3, 6, 9);
	weft_buffer_free(b);
}
END_TEST

START_TEST(views_of_a_read_only_buffer_are_read_only)
{
	struct weft_buffer *b = counting(4), *r = weft_buffer_read_only(b), *v[4];
	uint8_t byte;

	v[0] = weft_buffer_duplicate(r);
	v[1] = weft_buffer_slice(r);
	v[2] = weft_buffer_slice_at(r, 1, 2);
	v[3] = weft_buffer_read_only(r);
	for (int i = 0; i < 4; i++) {
		ck_assert_fails(weft_buffer_put_u8(v[i], 1), EROFS);
		ck_assert_null(weft_buffer_data(v[i]), EROFS);
		weft_buffer_free(v[i]);
	}
	ck_assert_int_eq(weft_buffer_put_u8(b, 99), 0);
	ck_assert_int_eq(weft_buffer_get_u8(r, &byte), 0);
	ck_assert_uint_eq(byte, 99);
	weft_buffer_free(b);
	weft_buffer_free(r);
}
END_TEST

/* Frees four Buffers on the same bytes in the order of the digits of `order`;
 * valgrind and AddressSanitizer watch. */
static void
free_in_order(int order)
{
	struct weft_buffer *b = counting(64), *all[4];

	all[0] = b;
	all[1] = weft_buffer_duplicate(b);
	all[2] = weft_buffer_slice_at(all[1], 8, 32);
	all[3] = weft_buffer_read_only(all[2]);
	for (int left = 0xf; left != 0; order /= 4) {
		int i = order % 4;

		while ((left & 1 << i) == 0)
			i = (i + 1) % 4;
		weft_buffer_free(all[i]);
		left &= ~(1 << i);
		for (int j = 0; j < 4; j++)
			if ((left & 1 << j) != 0)
				ck_assert_uint_eq(((const unsigned char *)weft_buffer_bytes(all[j]))[31], j < 2 ? 31 : 39);
	}
}

START_TEST(the_bytes_live_until_the_last_view_is_freed)
{
	for (int order = 0; order < 256; order++)
		free_in_order(order);
}
END_TEST

START_TEST(views_of_wrapped_memory_borrow_it_too)
{
	char memory[] = "0123456789";
	struct weft_buffer *b = weft_buffer_wrap(memory, 10), *v = weft_buffer_slice_at(b, 4, 4);

	weft_buffer_free(b);
	ck_assert_int_eq(weft_buffer_put_bytes(v, "wxyz", 4), 0);
	weft_buffer_free(v);
	ck_assert_str_eq(memory, "0123wxyz89");
}
END_TEST

START_TEST(a_buffer_inside_another_object_gives_no_views_and_is_not_freed)
{
	unsigned char memory[8] = "abcdefg";
	struct weft_buffer b;
	uint8_t byte;

	weft__buffer_init(&b, memory, sizeof(memory));
	b.embedded = true;
	ck_assert_state(&b, 0, 8, 8);
	ck_assert_null(weft_buffer_duplicate(&b), ENOTSUP);
	ck_assert_null(weft_buffer_slice(&b), ENOTSUP);
	ck_assert_null(weft_buffer_slice_at(&b, 1, 2), ENOTSUP);
	ck_assert_null(weft_buffer_slice_at(&b, 1, 8), EINVAL);
	ck_assert_null(weft_buffer_read_only(&b), ENOTSUP);
	weft_buffer_free(&b);
	ck_assert_int_eq(weft_buffer_get_u8(&b, &byte), 0);
	ck_assert_uint_eq(byte, 'a');

	b = (struct weft_buffer){.mark = WEFT__NO_MARK, .embedded = true};
	ck_assert_fails(weft_buffer_get_u8(&b, &byte), ERANGE);
	ck_assert_fails(weft_buffer_put_u8(&b, byte), ENOBUFS);
	ck_assert_gives(weft_buffer_compact(&b), 0);
}
END_TEST

#ifdef WEFT_DEBUG

static void
use(struct weft_buffer *b, int call)
{
	const char *line;
	uint8_t byte;

	switch (call) {
	case 0: weft_buffer_get_u8(b, &byte); break;
	case 1: weft_buffer_put_u8_at(b, 0, 1); break;
	case 2: weft_buffer_put_bytes(b, "x", 1); break;
	case 3: weft_buffer_remaining(b); break;
	case 4: weft_buffer_clear(b); break;
	case 5: weft_buffer_get_line(b, &line, 2); break;
	case 6: weft_buffer_duplicate(b); break;
	case 7: weft_buffer_send(b, -1); break;
	default: weft_buffer_dump(b, stdout);
	}
}

START_TEST(a_broken_state_aborts_every_call_in_debug_builds)
{
	static unsigned char memory[8];
	static const struct weft_buffer broken[] = {
		{.bytes = memory, .position = 1, .limit = 2, .capacity = 8, .mark = 2},
		{.bytes = memory, .position = 3, .limit = 2, .capacity = 8, .mark = WEFT__NO_MARK},
		{.bytes = memory, .position = 1, .limit = 9, .capacity = 8, .mark = WEFT__NO_MARK},
	};

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		for (int call = 0; call < 9; call++) {
			struct weft_buffer b = broken[i];
			pid_t child = fork();
			int status;

			if (child == 0) {
				signal(SIGABRT, SIG_DFL);
				close(STDERR_FILENO);
				use(&b, call);
				_exit(0);
			}
			ck_assert_int_eq(waitpid(child, &status, 0), child);
			ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		}
	}
}
END_TEST

#endif

static Suite *
views_suite(void)
{
	Suite *suite = suite_create("buffer_view");
	TCase *tc = tcase_create("views");

	tcase_add_test(tc, a_duplicate_copies_the_state_and_then_has_its_own);
	tcase_add_test(tc, a_slice_is_what_remains);
	tcase_add_test(tc, slice_at_is_bounded_by_the_limit);
	tcase_add_test(tc, views_of_a_read_only_buffer_are_read_only);
	tcase_add_test(tc, the_bytes_live_until_the_last_view_is_freed);
	tcase_add_test(tc, views_of_wrapped_memory_borrow_it_too);
	tcase_add_test(tc, a_buffer_inside_another_object_gives_no_views_and_is_not_freed);
#ifdef WEFT_DEBUG
	tcase_add_test(tc, a_broken_state_aborts_every_call_in_debug_builds);
#endif
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	return run_suite(views_suite());
}
