/* SPDX-License-Identifier: MIT */
/*
 * tests/check_depth.c - stacks as programs see them: what the C library needs
 * fits the default, and what stands below has a name.
 */
#include "config.h"

#include <glob.h>
#include <netdb.h>
#include <float.h>
#include <regex.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "fiber/fiber.h"
#include "tests/harness.h"

/* --- functions of the C library that want a deep stack */

static int
print_numbers(void)
{
	static char text[8192];
	long double huge = LDBL_MAX / 3;

	return snprintf(text, sizeof text, "%.500Lf %.300La %Lg", huge, huge, huge) > 4000;
}

static int
match_pattern(void)
{
	static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
	regmatch_t groups[4];
	regex_t pattern;
	int found;

	if (regcomp(&pattern, "^(a|aa)+(b|c)$", REG_EXTENDED) != 0)
		return 0;
	found = regexec(&pattern, text, 4, groups, 0) == 0;
	regfree(&pattern);
	return found;
}

static int
list_files(void)
{
	glob_t found;
	int n = glob("/usr/*/*[a-f]", GLOB_MARK | GLOB_NOSORT, NULL, &found);

	if (n == 0)
		globfree(&found);
	return n != GLOB_NOSPACE;
}

static int
look_up(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	int error = getaddrinfo("localhost", "http", &hints, &list);

	if (list != NULL)
		freeaddrinfo(list);
	return error != EAI_MEMORY;
}

static int
tell_time(void)
{
	time_t now = time(NULL);
	char text[200];
	struct tm tm;

	return localtime_r(&now, &tm) != NULL &&
	    strftime(text, sizeof text, "%A %B %Y %T %Z", &tm) > 0;
}

static int (*const deep[])(void) = {
	print_numbers, match_pattern, list_files, look_up, tell_time,
};

static int
call(void *arg)
{
	return (*(int (*const *)(void))arg)();
}

START_TEST(deep_functions_of_the_c_library_fit_the_default_stack)
{
	struct weft_fiber *fiber = weft_spawn(call, (void *)(uintptr_t)&deep[_i]);
	int result = 0;

	ck_assert(fiber != NULL);
	ck_assert_ok(weft_join(fiber, &result, soon_enough()));
	ck_assert_int_eq(result, 1);
}
END_TEST

/* --- the guard */

static int
nothing(void *arg)
{
	return arg != NULL;
}

/* On a fresh stack: none of that size has been used before. */
static void
run_fiber(size_t stack_size)
{
	struct weft_fiber_options options = { sizeof options, NULL, stack_size };

	ck_assert_ok(weft_join(weft_spawn_with(&options, nothing, NULL), NULL, soon_enough()));
}

START_TEST(the_guard_of_stacks_is_told)
{
	weft__stack_force_guard(WEFT__GUARD_AUTO);
	ck_assert_str_eq(weft_loop_guard(), "none yet");
	run_fiber(16384);
	ck_assert_msg(strcmp(weft_loop_guard(), "madvise") == 0 ||
	    strcmp(weft_loop_guard(), "mprotect") == 0, "%s", weft_loop_guard());
	weft__stack_force_guard(WEFT__GUARD_MPROTECT);
	run_fiber(65536);
	ck_assert_str_eq(weft_loop_guard(), "mprotect");
	weft__stack_force_guard(WEFT__GUARD_CANARY);
	run_fiber(1 << 20);
	ck_assert_str_eq(weft_loop_guard(), "canary");
	weft__stack_force_guard(WEFT__GUARD_AUTO);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("depth");
	TCase *tc = test_case_unclean(suite, "depth");

	tcase_add_loop_test(tc, deep_functions_of_the_c_library_fit_the_default_stack, 0,
	    sizeof deep / sizeof *deep);
	tcase_add_test(tc, the_guard_of_stacks_is_told);
	return suite;
}

int
main(void)
{
	return weft_test_main_once(make_suite);
}
