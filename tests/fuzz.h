/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz.h - what a fuzz target defines: libFuzzer, or fuzz_main.c, calls
 * it with one input after the other.
 */
#ifndef WEFT_TESTS_FUZZ_H
#define WEFT_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#endif
