/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz_agree.h - the input of fuzz_buffer.c, taken as a program, and words
 * for what must agree with the model.
 */
#ifndef WEFT_TESTS_FUZZ_AGREE_H
#define WEFT_TESTS_FUZZ_AGREE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "tests/fuzz_input.h"
#include "tests/fuzz_model.h"

static const char *operation;

#define AGREE(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "fuzz_buffer: after %s: %s\n", operation, #condition); \
			abort(); \
		} \
	} while (0)

/* ---- The input ---- */

/* Mostly small, sometimes close to where sums overflow. */
static size_t
number(void)
{
	unsigned n = byte();

	if (n < 250)
		return n % (SIZE / 2);
	return n == 250 ? SIZE_MAX / 2 + 1 : SIZE_MAX - (n - 251);
}

/* ---- Agreement ---- */

/* The result is that of the model: its value, or -1 with its error. */
static void
agree(ssize_t result, ssize_t expected, int error)
{
	int got = errno;

	if (error != 0)
		AGREE(result == -1 && got == error);
	else
		AGREE(result == expected && got == 12345);
}

#define EXPECT(call, expected, error) \
	do { \
		ssize_t result_; \
		errno = 12345; \
		result_ = (call); \
		agree(result_, (expected), (error)); \
	} while (0)

#endif
