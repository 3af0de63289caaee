/* SPDX-License-Identifier: MIT */
/*
 * tests/regexes.h - what the tests of regex reads share. Built without pcre2
 * they have one thing to test.
 */
#ifndef WEFT_TESTS_REGEXES_H
#define WEFT_TESTS_REGEXES_H

#include "tests/streams.h"

static inline struct weft_regex *
regex(const char *pattern, int flags)
{
	char error[200] = "";
	struct weft_regex *r = weft_regex_new(pattern, flags, error, sizeof error);

	if (r == NULL)
		ck_abort_msg("/%s/: %s: %s", pattern, strerror(errno), error);
	return r;
}

#ifndef HAVE_PCRE2
START_TEST(without_pcre2_there_is_no_regex)
{
	char error[64];

	errno = 0;
	ck_assert(weft_regex_new("a", 0, error, sizeof error) == NULL);
	ck_assert_int_eq(errno, ENOTSUP);
	ck_assert_str_eq(error, "weft was built without pcre2");
	weft_regex_free(NULL);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("regex");

	(void)backend;
	tcase_add_test(test_case(suite, "absent"), without_pcre2_there_is_no_regex);
	return suite;
}
#endif

#endif
