/* SPDX-License-Identifier: MIT */
/*
 * tests/harness.h - what every test that needs a loop shares.
 *
 *   static Suite *
 *   make_suite(const char *backend)
 *   {
 *           Suite *suite = suite_create("timers");
 *           TCase *tc = test_case(suite, "sleep");
 *
 *           tcase_add_test(tc, a_sleep_never_ends_early);
 *           return suite;
 *   }
 *
 *   int
 *   main(void)
 *   {
 *           return weft_test_main(make_suite);
 *   }
 *
 * The suite runs once for each backend, or for the one that WEFT_TEST_BACKEND
 * names; linked again with a double of kqueue
 * (see files.am), once for each kernel that the double can be. Check gives each test a process, and
 * so a loop, of its own; with CK_FORK=no all tests of a backend share one.
 * Time limits are for a machine that is busy; CK_TIMEOUT_MULTIPLIER stretches
 * them further, for valgrind.
 */
#ifndef WEFT_TESTS_HARNESS_H
#define WEFT_TESTS_HARNESS_H

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/asserts.h"
#include "weft/fiber.h"
#include "weft/loop.h"

/* The call is 0; errno explains why not. */
#define ck_assert_ok(call) \
	do { \
		errno = 0; \
		ck_assert_msg((call) == 0, "%s: %s", #call, strerror(errno)); \
	} while (0)

/* What main returns. The name of the backend is for the suite to use or not. */
int weft_test_main(Suite *(*make)(const char *backend));
/* The kernels that the double of kqueue can be, in a program that is linked with it
 * and whose suites run on these only. NULL otherwise. */
extern const char *const *weft_test_kqueues;
/* The same for what has no loop: the suite runs once. */
int weft_test_main_once(Suite *(*make)(void));

/* A case whose tests begin with a fresh count and must end clean (below). */
TCase *test_case(Suite *, const char *name);
/* One whose tests may leave what they like: only the time limit. */
TCase *test_case_unclean(Suite *, const char *name);

int open_descriptors(void);
/* Remembers which descriptors are open, the loop's own included. */
void start_clean(void);
/* Gives detached fibers the time to end; then nothing may be left: no fiber
 * but the main one, nobody parked, no deadline pushed, no descriptor that was
 * not there at start_clean, no poll of which nothing came. */
void assert_clean(void);
/* Of the polls until now, though, up to this many may have come to nothing. */
void forgive_polls(uint64_t most);

struct weft_loop_stats loop_stats(void);
/* Yields until *flag is true; fails if it never is. */
void yield_until(const volatile int *flag);
/* A deadline that no test on a busy machine should reach: 30 s from now. */
int64_t soon_enough(void);

#endif
