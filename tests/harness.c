/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reactor/backend.h"
#include "tests/harness.h"

enum { SECONDS = 60, DESCRIPTORS = 4096, PATIENCE = 1000 };

/* --- the program */

__attribute__((weak)) const char *const *weft_test_kqueues = NULL;

static int
run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#ifdef WEFT_ASAN
/*
 * Each test is a process, and looking for leaks at its end takes as long as the
 * test: with WEFT_TEST_NO_LEAKS=poll what ran on that backend does not.
 */
static bool leaks_ignored;
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return leaks_ignored;
}

static void
choose_leaks(const char *backend, const char *kind)
{
	const char *without = getenv("WEFT_TEST_NO_LEAKS");

	leaks_ignored = without != NULL && strstr(without, *kind ? kind : backend) != NULL;
}
#else
#define choose_leaks(backend, kind) ((void)0)
#endif

/* In a process of its own: with CK_FORK=no the tests leave a loop behind that
 * the next backend could not replace. */
static int
run_on(const char *backend, const char *kind, Suite *(*make)(const char *))
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		setenv("WEFT_BACKEND", backend, 1);
		setenv("KQUEUE_DOUBLE", kind, 1);
		choose_leaks(backend, kind);
		printf("With %s%s%s:\n", backend, *kind ? " as on " : "", kind);
		exit(run(make(backend)));
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		perror("a process for the tests");
		return EXIT_FAILURE;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ?
	    EXIT_SUCCESS : EXIT_FAILURE;
}

int
weft_test_main(Suite *(*make)(const char *backend))
{
	const char *only = getenv("WEFT_TEST_BACKEND");
	int result = EXIT_SUCCESS;
	size_t i;

	if (weft_test_kqueues != NULL) {
		for (i = 0; weft_test_kqueues[i] != NULL; i++)
			result |= run_on("kqueue", weft_test_kqueues[i], make);
		return result;
	}
	for (i = 0; weft__backends[i] != NULL; i++)
		if (only == NULL || strcmp(only, weft__backends[i]->name) == 0)
			result |= run_on(weft__backends[i]->name, "", make);
	return result;
}

int
weft_test_main_once(Suite *(*make)(void))
{
	return run(make());
}

TCase *
test_case_unclean(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, SECONDS);
	suite_add_tcase(suite, tc);
	return tc;
}

TCase *
test_case(Suite *suite, const char *name)
{
	TCase *tc = test_case_unclean(suite, name);

	tcase_add_checked_fixture(tc, start_clean, assert_clean);
	return tc;
}

/* --- nothing may be left */

static unsigned char open_before[DESCRIPTORS];
static uint64_t spins_before;

int
open_descriptors(void)
{
	int count = 0, fd;

	for (fd = 0; fd < DESCRIPTORS; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

struct weft_loop_stats
loop_stats(void)
{
	struct weft_loop_stats stats = { .size = sizeof stats };

	ck_assert_int_eq(weft_loop_stats(&stats), 0);
	return stats;
}

void
start_clean(void)
{
	const char *expected = getenv("WEFT_BACKEND");
	int fd;

	if (expected != NULL)
		ck_assert_str_eq(weft_loop_backend(), expected);
	spins_before = loop_stats().spins;
	for (fd = 0; fd < DESCRIPTORS; fd++)
		open_before[fd] = fcntl(fd, F_GETFD) >= 0;
}

static void
fail_for_descriptor(int fd)
{
	char link[64], what[256];
	ssize_t length;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	length = readlink(link, what, sizeof what);
	ck_abort_msg("descriptor %d was left open: %.*s", fd,
	    length > 0 ? (int)length : 1, length > 0 ? what : "?");
}

static void
assert_descriptors(void)
{
	int fd;

	for (fd = 0; fd < DESCRIPTORS; fd++) {
		int is_open = fcntl(fd, F_GETFD) >= 0;

		if (is_open && !open_before[fd])
			fail_for_descriptor(fd);
		ck_assert_msg(is_open == open_before[fd],
		    "descriptor %d was closed and is not the test's", fd);
	}
}

void
assert_clean(void)
{
	struct weft_loop_stats stats;
	int i;

	for (i = 0; i < PATIENCE && loop_stats().fibers > 1; i++)
		ck_assert_ok(weft_yield());
	stats = loop_stats();
	ck_assert_msg(stats.fibers == 1, "%d fibers were left, %d of them parked",
	    (int)stats.fibers - 1, (int)stats.parked);
	ck_assert_msg(stats.parked == 0, "%d fibers count as parked and are gone",
	    (int)stats.parked);
	ck_assert_msg(stats.timers == 0, "%d timers were left", (int)stats.timers);
	ck_assert_msg(stats.spins == spins_before, "%d polls had no effect",
	    (int)(stats.spins - spins_before));
	ck_assert_msg(weft_deadline() == WEFT_NEVER, "a deadline was left pushed");
	assert_descriptors();
}

void
forgive_polls(uint64_t most)
{
	uint64_t spins = loop_stats().spins - spins_before;

	spins_before += spins < most ? spins : most;
}

/* --- waiting without a clock */

void
yield_until(const volatile int *flag)
{
	int64_t deadline = soon_enough();

	while (!*flag) {
		ck_assert_msg(weft_now() < deadline, "it never happened");
		ck_assert_ok(weft_yield());
	}
}

int64_t
soon_enough(void)
{
	return weft_after(30000);
}
