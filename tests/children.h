/* SPDX-License-Identifier: MIT */
/*
 * tests/children.h - what a forked child finds, told by its parent.
 */
#ifndef WEFT_TESTS_CHILDREN_H
#define WEFT_TESTS_CHILDREN_H

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness.h"
#include "weft/error.h"

/* In a child nothing of Check may be used: a condition that does not hold ends
 * it with the number of its line, which the parent tells. */
#define MUST(condition) \
	do { \
		if (!(condition)) \
			_exit(fail_at(__LINE__, errno)); \
	} while (0)

static inline int
fail_at(int line, int error)
{
	fprintf(stderr, "in the child, line %d: errno %s\n", line, weft_errno_name(error));
	return 1;
}

/* Runs it in a child, which must end well. The parent does not turn its loop. */
static inline void
in_child(void (*fn)(void *), void *arg)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		fn(arg);
		_exit(0);
	}
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "the child ended with status %#x", (unsigned)status);
}

#endif
