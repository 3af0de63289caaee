/* SPDX-License-Identifier: MIT */
/*
 * tests/check_buffer.c - the states of a Buffer, and bytes in bulk.
 */
#include "config.h"

#include "tests/buffers.h"

enum { SIZES = 40 };

START_TEST(a_new_buffer_is_zeroed_and_can_be_filled_to_its_capacity)
{
	for (size_t n = 0; n < SIZES; n++) {
		struct weft_buffer *b = weft_buffer_new(n);

		ck_assert(b != NULL);
		ck_assert_state(b, 0, n, n);
		ck_assert(weft_buffer_has_remaining(b) == (n > 0));
		for (size_t i = 0; i < n; i++)
			ck_assert_uint_eq(((const unsigned char *)weft_buffer_bytes(b))[i], 0);
		for (size_t i = 0; i < n; i++)
			ck_assert_gives(weft_buffer_put_u8(b, (uint8_t)i), 0);
		ck_assert_fails(weft_buffer_put_u8(b, 1), ENOBUFS);
		ck_assert_state(b, n, n, n);
		weft_buffer_free(b);
	}
}
END_TEST

START_TEST(sizes_that_no_memory_can_have_are_refused)
{
	char byte;

	ck_assert_null(weft_buffer_new(SIZE_MAX), ENOMEM);
	ck_assert_null(weft_buffer_new(SIZE_MAX - 8), ENOMEM);
	ck_assert_null(weft_buffer_new((size_t)PTRDIFF_MAX), ENOMEM);
	ck_assert_null(weft_buffer_new_growable(SIZE_MAX, SIZE_MAX), ENOMEM);
	ck_assert_null(weft_buffer_new_growable(2, 1), EINVAL);
	ck_assert_null(weft_buffer_wrap(&byte, SIZE_MAX), EINVAL);
	ck_assert_null(weft_buffer_wrap(NULL, 1), EINVAL);
	ck_assert_null(weft_buffer_wrap_const(NULL, 1), EINVAL);
}
END_TEST

START_TEST(constructors_and_free_leave_errno_alone)
{
	struct weft_buffer *b, *v;
	char byte = 0;

	errno = 12345;
	b = weft_buffer_new(8);
	v = weft_buffer_duplicate(b);
	weft_buffer_free(v);
	weft_buffer_free(b);
	b = weft_buffer_new_growable(0, 100);
	ck_assert(weft_buffer_reserve(b, 100) == 0);
	weft_buffer_free(b);
	b = weft_buffer_wrap(&byte, 1);
	weft_buffer_free(b);
	weft_buffer_free(NULL);
	ck_assert_int_eq(errno, 12345);
}
END_TEST

START_TEST(nothing_can_be_wrapped_and_used)
{
	struct weft_buffer *b = weft_buffer_wrap(NULL, 0), *v;
	struct weft_buffer *other = weft_buffer_new(4);
	const void *data;
	char room[1];

	ck_assert(b != NULL);
	ck_assert_state(b, 0, 0, 0);
	ck_assert_gives(weft_buffer_get_bytes(b, room, 0), 0);
	ck_assert_gives(weft_buffer_put_bytes(b, NULL, 0), 0);
	ck_assert_gives(weft_buffer_put_buffer(other, b), 0);
	ck_assert_gives(weft_buffer_copy(other, 0, b, 0, 0), 0);
	ck_assert_gives(weft_buffer_compact(b), 0);
	ck_assert_fails(weft_buffer_find(b, "x", 1), ERANGE);
	ck_assert_fails(weft_buffer_get_until(b, 'x', &data), ERANGE);
	ck_assert_gives(weft_buffer_compare(b, other), -1);
	ck_assert_gives(weft_buffer_mismatch(b, other), 0);
	ck_assert_gives(weft_buffer_mismatch(b, b), -1);
	ck_assert_fails(weft_buffer_get_u8(b, (uint8_t *)room), ERANGE);
	ck_assert((v = weft_buffer_slice(b)) != NULL);
	weft_buffer_free(v);
	weft_buffer_free(other);
	weft_buffer_free(b);
}
END_TEST

START_TEST(a_wrapped_buffer_borrows_the_memory)
{
	char memory[] = "abcd";
	struct weft_buffer *b = weft_buffer_wrap(memory, 4);

	ck_assert(weft_buffer_data(b) == memory);
	ck_assert_int_eq(weft_buffer_put_u8(b, 'A'), 0);
	memory[1] = 'B';
	ck_assert_int_eq(weft_buffer_put_u8_at(b, 3, 'D'), 0);
	weft_buffer_free(b);
	ck_assert_str_eq(memory, "ABcD");
}
END_TEST

START_TEST(position_and_limit_keep_their_order)
{
	enum { N = 7 };

	for (size_t position = 0; position <= N; position++) {
		for (size_t limit = position; limit <= N; limit++) {
			struct weft_buffer *b = weft_buffer_new(N);

			ck_assert_gives(weft_buffer_set_limit(b, limit), 0);
			ck_assert_gives(weft_buffer_set_position(b, position), 0);
			ck_assert_uint_eq(weft_buffer_remaining(b), limit - position);
			ck_assert_fails(weft_buffer_set_position(b, limit + 1), EINVAL);
			ck_assert_fails(weft_buffer_set_position(b, SIZE_MAX), EINVAL);
			ck_assert_fails(weft_buffer_set_limit(b, N + 1), EINVAL);
			ck_assert_fails(weft_buffer_set_limit(b, SIZE_MAX), EINVAL);
			if (position > 0)
				ck_assert_fails(weft_buffer_set_limit(b, position - 1), EINVAL);
			ck_assert_state(b, position, limit, N);
			weft_buffer_free(b);
		}
	}
}
END_TEST

START_TEST(reset_goes_back_to_the_mark_as_often_as_wanted)
{
	struct weft_buffer *b = counting(10);

	ck_assert_fails(weft_buffer_reset(b), EINVAL);
	ck_assert_int_eq(weft_buffer_skip(b, 3), 0);
	weft_buffer_mark(b);
	ck_assert_gives(weft_buffer_reset(b), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(weft_buffer_skip(b, 4), 0);
		ck_assert_gives(weft_buffer_reset(b), 0);
		ck_assert_state(b, 3, 10, 10);
	}
	weft_buffer_free(b);
}
END_TEST

START_TEST(a_position_below_the_mark_drops_it)
{
	for (size_t position = 0; position <= 10; position++) {
		struct weft_buffer *b = counting(10);

		ck_assert_int_eq(weft_buffer_set_position(b, 5), 0);
		weft_buffer_mark(b);
		ck_assert_int_eq(weft_buffer_set_position(b, position), 0);
		if (position < 5)
			ck_assert_fails(weft_buffer_reset(b), EINVAL);
		else
			ck_assert_gives(weft_buffer_reset(b), 0);
		ck_assert_uint_eq(weft_buffer_position(b), position < 5 ? position : 5);
		weft_buffer_free(b);
	}
}
END_TEST

START_TEST(clear_flip_rewind_and_compact_drop_the_mark)
{
	struct weft_buffer *b = counting(10);

	for (int i = 0; i < 4; i++) {
		weft_buffer_clear(b);
		weft_buffer_mark(b);
		if (i == 0)
			weft_buffer_clear(b);
		else if (i == 1)
			weft_buffer_flip(b);
		else if (i == 2)
			weft_buffer_rewind(b);
		else
			ck_assert_gives(weft_buffer_compact(b), 0);
		ck_assert_fails(weft_buffer_reset(b), EINVAL);
	}
	weft_buffer_free(b);
}
END_TEST

START_TEST(flip_rewind_and_clear_set_the_states_of_the_drawing)
{
	struct weft_buffer *b = weft_buffer_new(16);
	uint8_t byte;

	ck_assert_int_eq(weft_buffer_put_bytes(b, "hello", 5), 0);
	weft_buffer_flip(b);
	ck_assert_state(b, 0, 5, 16);
	ck_assert_int_eq(weft_buffer_get_u8(b, &byte), 0);
	weft_buffer_rewind(b);
	ck_assert_state(b, 0, 5, 16);
	ck_assert_int_eq(weft_buffer_skip(b, 2), 0);
	weft_buffer_clear(b);
	ck_assert_state(b, 0, 16, 16);
	ck_assert_int_eq(memcmp(weft_buffer_bytes(b), "hello", 5), 0);
	weft_buffer_free(b);
}
END_TEST

START_TEST(compact_moves_what_remains_to_the_start)
{
	for (size_t n = 0; n < SIZES; n++) {
		for (size_t position = 0; position <= n; position++) {
			size_t limit = n - (n - position) / 3;
			struct weft_buffer *b = counting(n);
			const unsigned char *bytes = weft_buffer_bytes(b);

			ck_assert_int_eq(weft_buffer_set_limit(b, limit), 0);
			ck_assert_int_eq(weft_buffer_set_position(b, position), 0);
			ck_assert_gives(weft_buffer_compact(b), 0);
			ck_assert_state(b, limit - position, n, n);
			for (size_t i = 0; i < limit - position; i++)
				ck_assert_uint_eq(bytes[i], position + i);
			weft_buffer_free(b);
		}
	}
}
END_TEST

START_TEST(skip_past_the_limit_does_not_move)
{
	struct weft_buffer *b = weft_buffer_new(10);

	ck_assert_gives(weft_buffer_skip(b, 4), 0);
	ck_assert_gives(weft_buffer_skip(b, 0), 0);
	ck_assert_fails(weft_buffer_skip(b, 7), ERANGE);
	ck_assert_fails(weft_buffer_skip(b, SIZE_MAX), ERANGE);
	ck_assert_fails(weft_buffer_skip(b, (size_t)-1 - 3), ERANGE);
	ck_assert_state(b, 4, 10, 10);
	ck_assert_gives(weft_buffer_skip(b, 6), 0);
	ck_assert_state(b, 10, 10, 10);
	weft_buffer_free(b);
}
END_TEST

START_TEST(bulk_gets_and_puts_are_all_or_nothing)
{
	for (size_t room = 0; room < SIZES; room++) {
		for (size_t n = 0; n < SIZES; n++) {
			struct weft_buffer *b = counting(room + 3);
			unsigned char piece[SIZES];

			memset(piece, 0xee, sizeof(piece));
			ck_assert_int_eq(weft_buffer_set_position(b, 1), 0);
			ck_assert_int_eq(weft_buffer_set_limit(b, room + 1), 0);
			if (n <= room) {
				ck_assert_gives(weft_buffer_get_bytes(b, piece, n), 0);
				ck_assert_state(b, 1 + n, room + 1, room + 3);
				for (size_t i = 0; i < n; i++)
					ck_assert_uint_eq(piece[i], i + 1);
				ck_assert_int_eq(weft_buffer_set_position(b, 1), 0);
				ck_assert_gives(weft_buffer_put_bytes(b, "0123456789abcdefghijklmnopqrstuvwxyzABCD", n), 0);
				ck_assert_state(b, 1 + n, room + 1, room + 3);
				ck_assert_int_eq(memcmp((const char *)weft_buffer_bytes(b) + 1,
				    "0123456789abcdefghijklmnopqrstuvwxyzABCD", n), 0);
			} else {
				ck_assert_fails(weft_buffer_get_bytes(b, piece, n), ERANGE);
				ck_assert_uint_eq(piece[0], 0xee);
				ck_assert_fails(weft_buffer_put_bytes(b, piece, n), ENOBUFS);
				ck_assert_state(b, 1, room + 1, room + 3);
				ck_assert_uint_eq(((const unsigned char *)weft_buffer_bytes(b))[1], 1);
			}
			ck_assert_uint_eq(((const unsigned char *)weft_buffer_bytes(b))[room + 1], room + 1);
			weft_buffer_free(b);
		}
	}
}
END_TEST

START_TEST(bulk_access_by_index_is_bounded_by_the_limit)
{
	struct weft_buffer *b = counting(20);
	unsigned char piece[32];

	ck_assert_int_eq(weft_buffer_set_limit(b, 10), 0);
	ck_assert_int_eq(weft_buffer_set_position(b, 4), 0);
	for (size_t index = 0; index < 22; index++) {
		for (size_t n = 0; n < 22; n++) {
			if (index + n <= 10) {
				ck_assert_gives(weft_buffer_get_bytes_at(b, index, piece, n), 0);
				for (size_t i = 0; i < n; i++)
					ck_assert_uint_eq(piece[i], index + i);
				ck_assert_gives(weft_buffer_put_bytes_at(b, index, piece, n), 0);
			} else {
				ck_assert_fails(weft_buffer_get_bytes_at(b, index, piece, n), ERANGE);
				ck_assert_fails(weft_buffer_put_bytes_at(b, index, piece, n), ENOBUFS);
			}
		}
		ck_assert_fails(weft_buffer_get_bytes_at(b, index, piece, SIZE_MAX - index), ERANGE);
		ck_assert_fails(weft_buffer_put_bytes_at(b, SIZE_MAX - index, piece, index + 1), ENOBUFS);
	}
	ck_assert_fails(weft_buffer_put_bytes(b, piece, SIZE_MAX), ENOBUFS);
	ck_assert_fails(weft_buffer_get_bytes(b, piece, SIZE_MAX), ERANGE);
	ck_assert_state(b, 4, 10, 20);
	weft_buffer_free(b);
}
END_TEST

START_TEST(put_buffer_takes_all_of_the_source_or_moves_neither)
{
	for (size_t room = 0; room < 12; room++) {
		for (size_t n = 0; n < 12; n++) {
			struct weft_buffer *to = weft_buffer_new(room), *from = counting(n + 2);

			ck_assert_int_eq(weft_buffer_set_position(from, 2), 0);
			if (n <= room) {
				ck_assert_gives(weft_buffer_put_buffer(to, from), 0);
				ck_assert_state(to, n, room, room);
				ck_assert_state(from, n + 2, n + 2, n + 2);
				for (size_t i = 0; i < n; i++)
					ck_assert_uint_eq(((const unsigned char *)weft_buffer_bytes(to))[i], i + 2);
			} else {
				ck_assert_fails(weft_buffer_put_buffer(to, from), ENOBUFS);
				ck_assert_state(to, 0, room, room);
				ck_assert_state(from, 2, n + 2, n + 2);
			}
			ck_assert_fails(weft_buffer_put_buffer(to, to), EINVAL);
			weft_buffer_free(to);
			weft_buffer_free(from);
		}
	}
}
END_TEST

START_TEST(copy_may_overlap_and_moves_no_position)
{
	enum { N = 12 };

	for (size_t to = 0; to <= N; to++) {
		for (size_t from = 0; from <= N; from++) {
			for (size_t n = 0; n <= N; n++) {
				struct weft_buffer *b = counting(N + 2);
				const unsigned char *bytes = weft_buffer_bytes(b);
				bool fits = to + n <= N && from + n <= N;

				ck_assert_int_eq(weft_buffer_set_limit(b, N), 0);
				ck_assert_int_eq(weft_buffer_set_position(b, 5), 0);
				if (fits)
					ck_assert_gives(weft_buffer_copy(b, to, b, from, n), 0);
				else
					ck_assert_fails(weft_buffer_copy(b, to, b, from, n), EINVAL);
				for (size_t i = 0; i < N + 2; i++)
					ck_assert_uint_eq(bytes[i],
					    fits && i >= to && i < to + n ? i - to + from : i);
				ck_assert_state(b, 5, N, N + 2);
				weft_buffer_free(b);
			}
		}
	}
}
END_TEST

START_TEST(copy_with_huge_numbers_is_refused)
{
	struct weft_buffer *a = counting(8), *b = counting(8);

	ck_assert_fails(weft_buffer_copy(a, SIZE_MAX, b, 0, 1), EINVAL);
	ck_assert_fails(weft_buffer_copy(a, 0, b, SIZE_MAX, 1), EINVAL);
	ck_assert_fails(weft_buffer_copy(a, 1, b, 1, SIZE_MAX), EINVAL);
	ck_assert_fails(weft_buffer_copy(a, SIZE_MAX - 1, b, SIZE_MAX - 1, 3), EINVAL);
	weft_buffer_free(a);
	weft_buffer_free(b);
}
END_TEST

START_TEST(a_read_only_buffer_refuses_every_write)
{
	struct weft_buffer *b = weft_buffer_wrap_const("abcdef", 6), *other = counting(2);
	char piece[6];

	ck_assert_null(weft_buffer_data(b), EROFS);
	ck_assert_fails(weft_buffer_put_bytes(b, "x", 1), EROFS);
	ck_assert_fails(weft_buffer_put_bytes(b, "x", SIZE_MAX), EROFS);
	ck_assert_fails(weft_buffer_put_bytes_at(b, 0, "x", 1), EROFS);
	ck_assert_fails(weft_buffer_put_bytes_at(b, 7, "x", 1), EROFS);
	ck_assert_fails(weft_buffer_put_buffer(b, other), EROFS);
	ck_assert_fails(weft_buffer_copy(b, 0, other, 0, 1), EROFS);
	ck_assert_fails(weft_buffer_compact(b), EROFS);
	ck_assert_fails(weft_buffer_reserve(b, 1), EROFS);
	ck_assert_fails(weft_buffer_recv(b, 0), EROFS);
	ck_assert_state(b, 0, 6, 6);
	ck_assert_state(other, 0, 2, 2);
	ck_assert_gives(weft_buffer_get_bytes(b, piece, 6), 0);
	ck_assert_int_eq(memcmp(piece, "abcdef", 6), 0);
	ck_assert_gives(weft_buffer_copy(other, 0, b, 4, 2), 0);
	weft_buffer_free(b);
	weft_buffer_free(other);
}
END_TEST

static Suite *
buffer_suite(void)
{
	Suite *suite = suite_create("buffer");
	TCase *tc = tcase_create("states");

	tcase_add_test(tc, a_new_buffer_is_zeroed_and_can_be_filled_to_its_capacity);
	tcase_add_test(tc, sizes_that_no_memory_can_have_are_refused);
	tcase_add_test(tc, constructors_and_free_leave_errno_alone);
	tcase_add_test(tc, nothing_can_be_wrapped_and_used);
	tcase_add_test(tc, a_wrapped_buffer_borrows_the_memory);
	tcase_add_test(tc, position_and_limit_keep_their_order);
	tcase_add_test(tc, reset_goes_back_to_the_mark_as_often_as_wanted);
	tcase_add_test(tc, a_position_below_the_mark_drops_it);
	tcase_add_test(tc, clear_flip_rewind_and_compact_drop_the_mark);
	tcase_add_test(tc, flip_rewind_and_clear_set_the_states_of_the_drawing);
	tcase_add_test(tc, compact_moves_what_remains_to_the_start);
	tcase_add_test(tc, skip_past_the_limit_does_not_move);
	suite_add_tcase(suite, tc);

	tc = tcase_create("bulk");
	tcase_add_test(tc, bulk_gets_and_puts_are_all_or_nothing);
	tcase_add_test(tc, bulk_access_by_index_is_bounded_by_the_limit);
	tcase_add_test(tc, put_buffer_takes_all_of_the_source_or_moves_neither);
	tcase_add_test(tc, copy_may_overlap_and_moves_no_position);
	tcase_add_test(tc, copy_with_huge_numbers_is_refused);
	tcase_add_test(tc, a_read_only_buffer_refuses_every_write);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	return run_suite(buffer_suite());
}
