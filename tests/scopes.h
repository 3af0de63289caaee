/* SPDX-License-Identifier: MIT */
/*
 * tests/scopes.h - words that the tests of scopes share: members, and how many.
 */
#ifndef WEFT_TESTS_SCOPES_H
#define WEFT_TESTS_SCOPES_H

#include "tests/harness.h"

static int started, ended;

static inline int
count(void *result)
{
	started++;
	ended++;
	return (int)(intptr_t)result;
}

static inline int
count_later(void *result)
{
	started++;
	ck_assert_ok(weft_yield());
	ended++;
	return (int)(intptr_t)result;
}

/* Ends when it is cancelled or out of time, and tells by which errno. */
static inline int
wait_for_ever(void *error)
{
	int result;

	started++;
	result = weft_sleep(WEFT_NEVER);
	if (error != NULL)
		*(int *)error = result < 0 ? errno : 0;
	ended++;
	return result;
}

static inline void
reset(void)
{
	started = ended = 0;
}

#endif
