/* SPDX-License-Identifier: MIT */
/*
 * tests/asserts.h - how a call is said to end, in the words of Check.
 */
#ifndef WEFT_TESTS_ASSERTS_H
#define WEFT_TESTS_ASSERTS_H

#include <check.h>
#include <errno.h>

/* The call is -1 with that errno. */
#define ck_assert_fails(call, error) \
	do { \
		errno = 0; \
		ck_assert_int_eq((call), -1); \
		ck_assert_int_eq(errno, (error)); \
	} while (0)

/* The call is NULL with that errno. */
#define ck_assert_null(call, error) \
	do { \
		errno = 0; \
		ck_assert((call) == NULL); \
		ck_assert_int_eq(errno, (error)); \
	} while (0)

/* The call gives that and leaves errno alone. */
#define ck_assert_gives(call, result) \
	do { \
		errno = 12345; \
		ck_assert_int_eq((call), (result)); \
		ck_assert_int_eq(errno, 12345); \
	} while (0)

#endif
