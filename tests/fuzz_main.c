/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz_main.c - runs a fuzz target where there is no libFuzzer.
 *
 *     fuzz_x              INPUTS random inputs, always the same; a tenth under valgrind
 *     fuzz_x 100000       so many of them
 *     fuzz_x crash-...    what libFuzzer found, once more
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz.h"
#include "tests/under_valgrind.h"

#ifndef INPUTS
#define INPUTS 5000
#endif

static int
replay(const char *name)
{
	static uint8_t data[1 << 16];
	FILE *file = fopen(name, "rb");
	size_t n;

	if (file == NULL) {
		perror(name);
		return -1;
	}
	n = fread(data, 1, sizeof(data), file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, n);
	return 0;
}

static void
try_random(unsigned long count)
{
	static uint8_t data[512];
	uint64_t state = 0x9e3779b97f4a7c15;

	for (unsigned long i = 0; i < count; i++) {
		for (size_t n = 0; n < sizeof(data); n++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			data[n] = (uint8_t)(state >> 32);
		}
		LLVMFuzzerTestOneInput(data, sizeof(data));
	}
}

int
main(int count, char **names)
{
	int failures = 0;

	if (count == 1)
		try_random(RUNNING_ON_VALGRIND ? INPUTS / 10 : INPUTS);
	for (int i = 1; i < count; i++) {
		char *end;
		unsigned long inputs = strtoul(names[i], &end, 10);

		if (*end == '\0')
			try_random(inputs);
		else if (replay(names[i]) != 0)
			failures++;
	}
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
