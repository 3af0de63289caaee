/* SPDX-License-Identifier: MIT */
/*
 * tests/contexts.h - contexts on stacks of the test's own, without loop or
 * fibers: what the tests of fiber/context.h share.
 *
 * run_contexts(suite) runs a suite, and where a process with shadow stacks would
 * switch in another way, runs it again as if it were one.
 */
#ifndef TESTS_CONTEXTS_H
#define TESTS_CONTEXTS_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <check.h>

#ifdef HAVE_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(low, high) 0
#define VALGRIND_STACK_DEREGISTER(id) (void)(id)
#endif

#include "fiber/context.h"

#ifndef MAP_STACK
#define MAP_STACK 0
#endif

#define STACK_SIZE ((size_t)256 << 10)

/* One context under test. The test itself runs in main_context. */
struct routine {
	struct weft__context context;
	char *stack;
	unsigned valgrind;
	int count;
	int rounds;
	struct routine *next;
};

static _Thread_local struct weft__context main_context;

static inline char *
new_stack(size_t size)
{
	char *low = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANON | MAP_STACK, -1, 0);

	ck_assert_ptr_ne(low, MAP_FAILED);
	return low;
}

static inline void
make(struct routine *r, void (*entry)(void *))
{
	memset(r, 0, sizeof *r);
	r->stack = new_stack(STACK_SIZE);
	r->valgrind = VALGRIND_STACK_REGISTER(r->stack, r->stack + STACK_SIZE);
	weft__context_make(&r->context, r->stack, STACK_SIZE, entry, r);
}

static inline void
start(struct routine *r, void (*entry)(void *))
{
	weft__context_adopt(&main_context);
	make(r, entry);
}

static inline void
enter(struct routine *r)
{
	weft__context_switch(&main_context, &r->context);
}

static inline void
back(struct routine *r)
{
	weft__context_switch(&r->context, &main_context);
}

static inline void
finish(struct routine *r)
{
	weft__context_leave(&r->context, &main_context);
}

static inline void
end(struct routine *r)
{
	VALGRIND_STACK_DEREGISTER(r->valgrind);
	munmap(r->stack, STACK_SIZE);
}

#if defined(WEFT_CONTEXT_SHADOW)
static inline void
with_shadow_stacks(void)
{
	weft__context_choose(true);
}
#define CONTEXT_CHOICES 2
#else
static inline void
with_shadow_stacks(void)
{
}
#define CONTEXT_CHOICES 1
#endif

static inline int
run_contexts(const char *name, void (*add_tests)(TCase *))
{
	SRunner *runner = srunner_create(NULL);
	int failed;

	for (int i = 0; i < CONTEXT_CHOICES; i++) {
		Suite *suite = suite_create(name);
		TCase *tc = tcase_create(i == 0 ? name : "shadow stacks");

		tcase_set_timeout(tc, 60);
		if (i > 0)
			tcase_add_checked_fixture(tc, with_shadow_stacks, NULL);
		add_tests(tc);
		suite_add_tcase(suite, tc);
		srunner_add_suite(runner, suite);
	}
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
