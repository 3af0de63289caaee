/* SPDX-License-Identifier: MIT */
/*
 * tests/check_buffer_grow.c - Buffers that grow, and memory that runs out.
 *
 * The program is linked with --wrap for malloc, calloc and realloc: the next
 * `allowed` calls succeed, then all fail.
 */
#include "config.h"

#include <stdint.h>

#include "tests/buffers.h"

static int allowed = -1; /* -1: all */
static int allocations;  /* made so far */

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);

static bool
refused(void)
{
	if (allowed == 0) {
		errno = ENOMEM;
		return true;
	}
	allowed -= allowed > 0;
	allocations++;
	return false;
}

void *
__wrap_malloc(size_t n)
{
	return refused() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t count, size_t n)
{
	return refused() ? NULL : __real_calloc(count, n);
}

void *
__wrap_realloc(void *memory, size_t n)
{
	return refused() ? NULL : __real_realloc(memory, n);
}

/* The call fails when there is no memory; Check itself needs some, after. */
#define ck_assert_starves(call) \
	do { \
		int result, error; \
\
		allowed = 0; \
		result = (call); \
		error = errno; \
		allowed = -1; \
		ck_assert_int_eq(result, -1); \
		ck_assert_int_eq(error, ENOMEM); \
	} while (0)

START_TEST(a_growable_buffer_doubles_up_to_its_maximum)
{
	struct weft_buffer *b = weft_buffer_new_growable(3, 20);
	static const size_t capacities[] = { 3, 6, 12, 20 };
	size_t step = 0;

	for (size_t n = 0; n < 20; n++) {
		ck_assert_gives(weft_buffer_put_u8(b, (uint8_t)(n + 100)), 0);
		if (n >= capacities[step])
			step++;
		ck_assert_state(b, n + 1, capacities[step], capacities[step]);
		for (size_t i = 0; i <= n; i++)
			ck_assert_uint_eq(((const unsigned char *)weft_buffer_bytes(b))[i], i + 100);
		for (size_t i = n + 1; i < capacities[step]; i++)
			ck_assert_uint_eq(((const unsigned char *)weft_buffer_bytes(b))[i], 0);
	}
	ck_assert_fails(weft_buffer_put_u8(b, 1), ENOBUFS);
	ck_assert_state(b, 20, 20, 20);
	ck_assert_uint_eq(((const unsigned char *)weft_buffer_bytes(b))[19], 119);
	weft_buffer_free(b);
}
END_TEST

START_TEST(a_growable_buffer_grows_to_what_one_put_needs)
{
	static char text[5000];

	for (size_t initial = 0; initial < 20; initial++) {
		for (size_t n = 0; n <= 100; n++) {
			struct weft_buffer *b = weft_buffer_new_growable(initial, 100);

			ck_assert_gives(weft_buffer_put_bytes(b, text, n), 0);
			ck_assert_uint_eq(weft_buffer_position(b), n);
			ck_assert_uint_eq(weft_buffer_limit(b), weft_buffer_capacity(b));
			ck_assert(weft_buffer_capacity(b) <= 100);
			ck_assert_fails(weft_buffer_put_bytes(b, text, 101 - n), ENOBUFS);
			ck_assert_fails(weft_buffer_put_bytes(b, text, SIZE_MAX - n), ENOBUFS);
			ck_assert_fails(weft_buffer_reserve(b, SIZE_MAX), ENOBUFS);
			ck_assert_uint_eq(weft_buffer_position(b), n);
			weft_buffer_free(b);
		}
	}
}
END_TEST

START_TEST(a_limit_below_the_capacity_keeps_it_from_growing)
{
	struct weft_buffer *b = weft_buffer_new_growable(8, 100);

	ck_assert_int_eq(weft_buffer_set_limit(b, 7), 0);
	ck_assert_fails(weft_buffer_put_u64_le(b, 1), ENOBUFS);
	ck_assert_fails(weft_buffer_reserve(b, 8), ENOBUFS);
	ck_assert_state(b, 0, 7, 8);
	ck_assert_gives(weft_buffer_reserve(b, 7), 0);
	ck_assert_int_eq(weft_buffer_set_limit(b, 8), 0);
	ck_assert_gives(weft_buffer_reserve(b, 9), 0);
	ck_assert_state(b, 0, 16, 16);
	weft_buffer_free(b);
}
END_TEST

START_TEST(reserve_never_compacts)
{
	struct weft_buffer *b = counting(8);

	ck_assert_int_eq(weft_buffer_set_position(b, 6), 0);
	ck_assert_gives(weft_buffer_reserve(b, 2), 0);
	ck_assert_fails(weft_buffer_reserve(b, 3), ENOBUFS);
	ck_assert_state(b, 6, 8, 8);
	weft_buffer_free(b);
}
END_TEST

START_TEST(growing_keeps_the_mark)
{
	struct weft_buffer *b = weft_buffer_new_growable(4, 100);

	ck_assert_int_eq(weft_buffer_skip(b, 3), 0);
	weft_buffer_mark(b);
	ck_assert_int_eq(weft_buffer_put_u32_be(b, 1), 0);
	ck_assert_gives(weft_buffer_reset(b), 0);
	ck_assert_uint_eq(weft_buffer_position(b), 3);
	weft_buffer_free(b);
}
END_TEST

START_TEST(views_keep_the_bytes_that_they_saw_when_the_original_grows)
{
	struct weft_buffer *b = weft_buffer_new_growable(4, 100), *v, *s;

	ck_assert_int_eq(weft_buffer_put_bytes(b, "abcd", 4), 0);
	v = weft_buffer_duplicate(b);
	s = weft_buffer_slice_at(b, 1, 2);
	ck_assert_int_eq(weft_buffer_put_bytes(b, "efgh", 4), 0);
	ck_assert_int_eq(weft_buffer_put_u8_at(b, 1, 'B'), 0);
	ck_assert_int_eq(memcmp(weft_buffer_bytes(b), "aBcdefgh", 8), 0);
	ck_assert_int_eq(memcmp(weft_buffer_bytes(v), "abcd", 4), 0);
	ck_assert_int_eq(memcmp(weft_buffer_bytes(s), "bc", 2), 0);
	ck_assert_state(v, 4, 4, 4);
	ck_assert_fails(weft_buffer_put_u8(v, 1), ENOBUFS);
	weft_buffer_free(b);
	ck_assert_int_eq(memcmp(weft_buffer_bytes(v), "abcd", 4), 0);
	weft_buffer_free(v);
	ck_assert_int_eq(memcmp(weft_buffer_bytes(s), "bc", 2), 0);
	weft_buffer_free(s);
}
END_TEST

START_TEST(a_buffer_can_be_given_a_piece_of_itself_while_it_grows)
{
	struct weft_buffer *b = weft_buffer_new_growable(8, 1 << 20), *v;

	ck_assert_int_eq(weft_buffer_put_bytes(b, "01234567", 8), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(weft_buffer_put_bytes(b, weft_buffer_bytes(b), weft_buffer_position(b)), 0);
	ck_assert_uint_eq(weft_buffer_position(b), 8 << 10);
	for (size_t i = 0; i < 8 << 10; i++)
		ck_assert_uint_eq(((const unsigned char *)weft_buffer_bytes(b))[i], '0' + i % 8);

	weft_buffer_flip(b);
	v = weft_buffer_duplicate(b);
	weft_buffer_clear(b);
	ck_assert_int_eq(weft_buffer_skip(b, weft_buffer_remaining(b)), 0);
	ck_assert_int_eq(weft_buffer_put_buffer(b, v), 0);
	ck_assert_uint_eq(weft_buffer_remaining(v), 0);
	ck_assert_int_eq(memcmp((const char *)weft_buffer_bytes(b) + (8 << 10), weft_buffer_bytes(v), 8 << 10), 0);
	weft_buffer_free(v);
	weft_buffer_free(b);
}
END_TEST

START_TEST(growing_that_finds_no_memory_changes_nothing)
{
	for (int shared = 0; shared < 2; shared++) {
		struct weft_buffer *b = weft_buffer_new_growable(4, 100), *v = NULL;

		ck_assert_int_eq(weft_buffer_put_bytes(b, "abcd", 4), 0);
		if (shared)
			v = weft_buffer_duplicate(b);
		ck_assert_starves(weft_buffer_put_bytes(b, "efgh", 4));
		ck_assert_starves(weft_buffer_put_u16_le(b, 1));
		ck_assert_starves(weft_buffer_reserve(b, 1));
		ck_assert_state(b, 4, 4, 4);
		ck_assert_int_eq(memcmp(weft_buffer_bytes(b), "abcd", 4), 0);
		ck_assert_gives(weft_buffer_put_bytes(b, "efgh", 4), 0);
		ck_assert_int_eq(memcmp(weft_buffer_bytes(b), "abcdefgh", 8), 0);
		weft_buffer_free(v);
		weft_buffer_free(b);
	}
}
END_TEST

static struct weft_buffer *original;

static struct weft_buffer *
make(int kind)
{
	static char memory[8];

	switch (kind) {
	case 0: return weft_buffer_new(8);
	case 1: return weft_buffer_new_growable(8, 16);
	case 2: return weft_buffer_wrap(memory, 8);
	case 3: return weft_buffer_wrap_const(memory, 8);
	case 4: return weft_buffer_duplicate(original);
	case 5: return weft_buffer_slice(original);
	case 6: return weft_buffer_slice_at(original, 1, 2);
	default: return weft_buffer_read_only(original);
	}
}

START_TEST(constructors_that_find_no_memory_leak_nothing)
{
	original = counting(8);
	for (int kind = 0; kind < 8; kind++) {
		struct weft_buffer *b = NULL;
		int n;

		for (n = 0; b == NULL && n < 10; n++) {
			allowed = n;
			errno = 0;
			b = make(kind);
			allowed = -1;
			ck_assert(b != NULL || errno == ENOMEM);
		}
		ck_assert_int_eq(n, kind < 2 ? 3 : 2);
		weft_buffer_free(b);
	}
	weft_buffer_free(original);
}
END_TEST

START_TEST(a_used_buffer_allocates_nothing_more)
{
	struct weft_buffer *b = weft_buffer_new_growable(100, 200);
	int before = allocations, failures = 0;
	uint32_t number;

	for (uint32_t i = 0; i < 100; i++) {
		weft_buffer_clear(b);
		failures += weft_buffer_put_u32_le(b, i) != 0;
		weft_buffer_flip(b);
		failures += weft_buffer_get_u32_le(b, &number) != 0 || number != i;
		failures += weft_buffer_compact(b) != 0;
	}
	before -= allocations;
	ck_assert_int_eq(before, 0);
	ck_assert_int_eq(failures, 0);
	weft_buffer_free(b);
}
END_TEST

static Suite *
growing_suite(void)
{
	Suite *suite = suite_create("buffer_grow");
	TCase *tc = tcase_create("growing");

	tcase_add_test(tc, a_growable_buffer_doubles_up_to_its_maximum);
	tcase_add_test(tc, a_growable_buffer_grows_to_what_one_put_needs);
	tcase_add_test(tc, a_limit_below_the_capacity_keeps_it_from_growing);
	tcase_add_test(tc, reserve_never_compacts);
	tcase_add_test(tc, growing_keeps_the_mark);
	tcase_add_test(tc, views_keep_the_bytes_that_they_saw_when_the_original_grows);
	tcase_add_test(tc, a_buffer_can_be_given_a_piece_of_itself_while_it_grows);
	suite_add_tcase(suite, tc);

	tc = tcase_create("memory");
	tcase_add_test(tc, growing_that_finds_no_memory_changes_nothing);
	tcase_add_test(tc, constructors_that_find_no_memory_leak_nothing);
	tcase_add_test(tc, a_used_buffer_allocates_nothing_more);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	return run_suite(growing_suite());
}
