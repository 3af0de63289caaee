/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz_input.h - the input of a fuzz target, taken as a program: byte by
 * byte, and zeros behind its end.
 */
#ifndef WEFT_TESTS_FUZZ_INPUT_H
#define WEFT_TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

static const uint8_t *input;
static size_t input_left;

static unsigned
byte(void)
{
	if (input_left == 0)
		return 0;
	input_left--;
	return *input++;
}

#endif
