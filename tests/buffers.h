/* SPDX-License-Identifier: MIT */
/*
 * tests/buffers.h - words that the tests of Buffers share.
 *
 * They compile with Check, and with the few lines of tests/endian_check.h for
 * machines that have no Check; so they use ck_assert_*_eq and little else.
 */
#ifndef WEFT_TESTS_BUFFERS_H
#define WEFT_TESTS_BUFFERS_H

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/asserts.h"
#include "weft/buffer.h"

#define ck_assert_state(b, p, l, c) \
	do { \
		ck_assert_uint_eq(weft_buffer_position(b), (p)); \
		ck_assert_uint_eq(weft_buffer_limit(b), (l)); \
		ck_assert_uint_eq(weft_buffer_capacity(b), (c)); \
	} while (0)

/* 0, 1, 2 ... below the capacity; position 0, limit = capacity. */
static inline struct weft_buffer *
counting(size_t capacity)
{
	struct weft_buffer *b = weft_buffer_new(capacity);
	unsigned char *bytes;

	ck_assert(b != NULL);
	bytes = weft_buffer_data(b);
	for (size_t i = 0; i < capacity; i++)
		bytes[i] = (unsigned char)i;
	return b;
}

/* A Buffer of its own that holds the text, ready to be got. */
static inline struct weft_buffer *
holding_bytes(const char *text, size_t n)
{
	struct weft_buffer *b = weft_buffer_new(n);

	ck_assert(b != NULL);
	ck_assert_int_eq(weft_buffer_put_bytes(b, text, n), 0);
	weft_buffer_flip(b);
	return b;
}

static inline struct weft_buffer *
holding(const char *text)
{
	return holding_bytes(text, strlen(text));
}

static inline int
run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
