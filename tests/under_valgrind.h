/* SPDX-License-Identifier: MIT */
/*
 * RUNNING_ON_VALGRIND, for tests that must do less there, and for what valgrind
 * does for itself: limits of its own on descriptors and mappings, no pidfds, no
 * process that stops for a signal it raises.
 */
#ifndef WEFT_TESTS_UNDER_VALGRIND_H
#define WEFT_TESTS_UNDER_VALGRIND_H

#ifdef HAVE_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#endif
