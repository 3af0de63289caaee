/* SPDX-License-Identifier: MIT */
/*
 * What the tests of stacks share: a pool, and calls that fail.
 *
 * Linked with -Wl,--wrap=mmap,--wrap=munmap,--wrap=malloc: the n-th mmap and
 * malloc can fail, and mappings are counted.
 */
#ifndef WEFT_TESTS_STACKS_H
#define WEFT_TESTS_STACKS_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

#include "fiber/context.h"
#include "fiber/stack.h"
#include "fiber/stack_guard.h"
#include "tests/under_valgrind.h"
#include "tests/wrap.h"

#define KIB ((size_t)1024)
#define LOST (2 * KIB)		/* most that stagger and header may take */

static const size_t sizes[] = { 16 * KIB, 64 * KIB, 256 * KIB, 1024 * KIB,
	4096 * KIB };

static struct weft__stacks pool;

/* Faults on demand: this many calls succeed, then so many fail. */
static int mmaps_before, mmaps_to_fail, mallocs_to_fail;

/* Bytes that mmap gave and munmap has not had back. */
static _Atomic size_t mapped;

void *__real_mmap(void *, size_t, int, int, int, off_t);
void *__wrap_mmap(void *, size_t, int, int, int, off_t);
int __real_munmap(void *, size_t);
int __wrap_munmap(void *, size_t);
void *__real_malloc(size_t);
void *__wrap_malloc(size_t);

void *
__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t off)
{
	if (mmaps_to_fail > 0 && mmaps_before-- <= 0) {
		mmaps_to_fail--;
		errno = ENOMEM;
		return MAP_FAILED;
	}
	mapped += size;
	return __real_mmap(at, size, protection, flags, fd, off);
}

int
__wrap_munmap(void *at, size_t size)
{
	mapped -= size;
	return __real_munmap(at, size);
}

void *
__wrap_malloc(size_t size)
{
	if (mallocs_to_fail > 0) {
		mallocs_to_fail--;
		errno = ENOMEM;
		return NULL;
	}
	return __real_malloc(size);
}

static inline struct weft__stack *
take(size_t size)
{
	struct weft__stack *s = weft__stack_take(&pool, size);

	ck_assert_msg(s != NULL, "no stack of %zu: %s", size, strerror(errno));
	return s;
}

static inline void
setup(void)
{
	weft__stack_force_guard(WEFT__GUARD_AUTO);
}

static inline void
teardown(void)
{
	mmaps_to_fail = mallocs_to_fail = 0;
	weft__stacks_destroy(&pool);
}

static inline long
page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/* -1 where there is no /proc. */
static inline int
count_maps(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int lines = 0;

	if (maps == NULL)
		return -1;
	for (int c; (c = getc(maps)) != EOF;)
		lines += c == '\n';
	fclose(maps);
	return lines;
}

/* The signal that kills a child which runs f(arg), 0 if it lives. */
static inline int
death(void (*f)(void *), void *arg)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		f(arg);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static inline bool
is_fault(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS;
}

/* False: this system has no such rung, or an emulator says so and does not. */
static inline bool
force(enum weft__guard rung)
{
	struct weft__stack *s;

	weft__stack_force_guard(WEFT__GUARD_AUTO);
	s = take(0);
	weft__stack_give(&pool, s);
	if (s->guard > rung)
		return false;
	weft__stacks_destroy(&pool);
	weft__stack_force_guard(rung);
	s = take(0);
	weft__stack_give(&pool, s);
	return s->guard == rung;
}

/* Runs a suite of one part for each function that adds tests. */
static inline int
run_stack_suite(const char *name, void (*const add[])(TCase *), int count)
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	for (int i = 0; i < count; i++) {
		TCase *tc = tcase_create(name);

		tcase_set_timeout(tc, 120);
		tcase_add_checked_fixture(tc, setup, teardown);
		add[i](tc);
		suite_add_tcase(suite, tc);
	}
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
