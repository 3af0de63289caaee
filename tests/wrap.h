/* SPDX-License-Identifier: MIT */
/*
 * tests/wrap.h - a call that the linker puts between the library and the system's
 * (-Wl,--wrap=name): it fails when fails(call), which the test has, says so and has
 * set errno.
 */
#ifndef WEFT_TESTS_WRAP_H
#define WEFT_TESTS_WRAP_H

#define WRAP(call, type, name, failure, parameters, arguments) \
	type __real_##name parameters; \
	type __wrap_##name parameters; \
	type \
	__wrap_##name parameters \
	{ \
		return fails(call) ? failure : __real_##name arguments; \
	}

#endif
