/* SPDX-License-Identifier: MIT */
/*
 * RUNNING_ON_VALGRIND, for tests that must do less there (it is slow, and searches
 * its list of stacks at every switch), and for what is otherwise there: limits on
 * descriptors and mappings are its own, it knows no pidfds, nobody stops for
 * raise(SIGTSTP), and a handler with SA_NODEFER runs without its sa_mask.
 */
#ifndef WEFT_TESTS_UNDER_VALGRIND_H
#define WEFT_TESTS_UNDER_VALGRIND_H

#ifdef HAVE_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#endif
