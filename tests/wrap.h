/* SPDX-License-Identifier: MIT */
/*
 * tests/wrap.h - a call that the linker puts between the library and the system's
 * (-Wl,--wrap=name): it fails when fails(call), which the test has, says so and has
 * set errno.
 */
#ifndef WEFT_TESTS_WRAP_H
#define WEFT_TESTS_WRAP_H

#include <sys/types.h>

/*
 * Where offsets have 32 bits unless a program asks for 64, as weft does, the
 * names of these calls are others. A test is linked with --wrap for both.
 */
#if defined __GLIBC__ && defined __USE_FILE_OFFSET64
#define __real_mmap __real_mmap64
#define __wrap_mmap __wrap_mmap64
#define __real_open __real_open64
#define __wrap_open __wrap_open64
#define __wrap___open_2 __wrap___open64_2
#endif

#define WRAP(call, type, name, failure, parameters, arguments) \
	type __real_##name parameters; \
	type __wrap_##name parameters; \
	type \
	__wrap_##name parameters \
	{ \
		return fails(call) ? failure : __real_##name arguments; \
	}

/* Where the library does without accept4 or pipe2 (configure --with-missing),
 * the older calls fail as these do; beside __wrap_accept4, __wrap_pipe2. */
#ifdef HAVE_ACCEPT4
#define REAL_ACCEPT4
#else
#define REAL_ACCEPT4 \
	int __real_accept(int, struct sockaddr *, socklen_t *); \
	int \
	__real_accept4(int fd, struct sockaddr *peer, socklen_t *length, int flags) \
	{ \
		(void)flags; \
		return __real_accept(fd, peer, length); \
	}
#endif
#define WRAP_ACCEPT_ALIKE \
	REAL_ACCEPT4 \
	int __wrap_accept(int, struct sockaddr *, socklen_t *); \
	int \
	__wrap_accept(int fd, struct sockaddr *peer, socklen_t *length) \
	{ \
		return __wrap_accept4(fd, peer, length, 0); \
	}
#define WRAP_PIPE_ALIKE \
	int __wrap_pipe(int [2]); \
	int \
	__wrap_pipe(int fds[2]) \
	{ \
		return __wrap_pipe2(fds, 0); \
	}

#endif
