/* SPDX-License-Identifier: MIT */
/*
 * tests/endian_check.h - as much of Check as the tests of Buffers use, for
 * machines to which Check was not ported: one process, the first failure ends
 * it. tests/endian.sh compiles with this.
 */
#ifndef WEFT_TESTS_ENDIAN_CHECK_H
#define WEFT_TESTS_ENDIAN_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_BIG_ENDIAN__ && !defined(ANY_ORDER)
#error "this is for big-endian machines"
#endif

typedef int TCase;
typedef const char Suite;
typedef Suite SRunner;

static const char *check_name;
static int check_count;

#define START_TEST(name) \
	static void name(int _i) \
	{ \
		(void)_i;
#define END_TEST }

#define CK_ENV 0
#define suite_create(name) (name)
#define tcase_create(name) (&check_count)
#define suite_add_tcase(suite, tc) ((void)(suite), (void)(tc))
#define srunner_create(suite) (suite)
#define srunner_run_all(suite, mode) printf("%s: %d checks passed\n", (suite), check_count)
#define srunner_ntests_failed(suite) (check_count == 0)
#define srunner_free(suite) ((void)(suite))
#define tcase_add_test(tc, name) tcase_add_loop_test(tc, name, 0, 1)
#define tcase_add_loop_test(tc, name, from, to) \
	do { \
		check_name = #name; \
		for (int i_ = (from); i_ < (to); i_++, (*(tc))++) \
			name(i_); \
	} while (0)

#define ck_assert(condition) \
	do { \
		if (!(condition)) { \
			printf("%s:%d: %s: %s\n", __FILE__, __LINE__, check_name, #condition); \
			exit(EXIT_FAILURE); \
		} \
	} while (0)
#define ck_assert_int_eq(a, b) ck_assert((intmax_t)(a) == (intmax_t)(b))
#define ck_assert_uint_eq(a, b) ck_assert((uintmax_t)(a) == (uintmax_t)(b))
#define ck_assert_str_eq(a, b) ck_assert(strcmp((a), (b)) == 0)

#endif
