/* SPDX-License-Identifier: MIT */
/*
 * tests/overflows.h - words that the tests of overflows share: a child that
 * faults, and what became of it.
 */
#ifndef WEFT_TESTS_OVERFLOWS_H
#define WEFT_TESTS_OVERFLOWS_H

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fiber/stack.h"
#include "fiber/stack_guard.h"
#include "tests/harness.h"

enum { SMALL = 65536, ALTERNATE = 65536, HANDLED = 42, WRONG = 43 };

#define MUST(condition) \
	do { \
		if (!(condition)) \
			_exit(WRONG); \
	} while (0)

/* What the child wrote to its standard error output, and how it ended. */
static char said[4096];
static int status;

static inline void
run_in_child(void (*scenario)(void))
{
	size_t length = 0;
	ssize_t n = 1;
	int ends[2];
	pid_t child;

	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		/* A sanitizer's handler would have the fault else. */
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		scenario();
		_exit(0);
	}
	close(ends[1]);
	while (n > 0 && length < sizeof said - 1) {
		n = read(ends[0], said + length, sizeof said - 1 - length);
		length += n > 0 ? (size_t)n : 0;
	}
	said[length] = '\0';
	close(ends[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
}

static inline void
assert_killed(void)
{
	ck_assert_msg(WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV ||
	    WTERMSIG(status) == SIGBUS), "status %#x, and it said: %s", status, said);
}

static inline void
assert_exit(int code)
{
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code,
	    "status %#x, and it said: %s", status, said);
}

static inline bool
reported(void)
{
	return strstr(said, "stack overflow in fiber") != NULL;
}

/* --- fibers that fault */

/* Into the guard, and not over it. */
static inline int
run_over(void *arg)
{
	volatile char *low = (char *)&arg;

	for (size_t i = 0; i < SMALL + weft__page_size(); i += 512)
		low[-(ptrdiff_t)i] = 1;
	return 0;
}

/* As programs do it. */
static inline int
recurse(int depth)
{
	volatile char frame[256];

	frame[0] = (char)depth;
	return depth == 0 ? 0 : recurse(depth - 1) + frame[0];
}

static inline int
run_deep(void *arg)
{
	return recurse(100000) + (arg != NULL);
}

static inline int
write_to(void *arg)
{
	*(volatile char *)arg = 1;
	return 0;
}

static inline void
run_small(const char *name, weft_fn *fn, void *arg)
{
	const struct weft_fiber_options small = { sizeof small, name, SMALL };
	struct weft_fiber *fiber = weft_spawn_with(&small, fn, arg);

	MUST(fiber != NULL);
	weft_join(fiber, NULL, WEFT_NEVER);
}

static inline void
overflow(void)
{
	run_small("deep \"\n", run_over, NULL);
}

static inline void *
forbidden_page(void)
{
	void *page = mmap(NULL, weft__page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);

	MUST(page != MAP_FAILED);
	return page;
}

#endif
