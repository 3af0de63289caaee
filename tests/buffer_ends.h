/* SPDX-License-Identifier: MIT */
/*
 * tests/buffer_ends.h - a pair of descriptors for Buffers to transfer with.
 */
#ifndef WEFT_TESTS_BUFFER_ENDS_H
#define WEFT_TESTS_BUFFER_ENDS_H

#include <sys/socket.h>

#include <fcntl.h>
#include <unistd.h>

#include "tests/buffers.h"

/* Two ends, the first to read and the second to write; each test runs over
 * every kind. None is non-blocking unless it says so. */
enum { SOCKET, PIPE, NONBLOCKING_PIPE, KINDS };

static int ends[2];

static inline void
open_ends(int kind)
{
	if (kind == SOCKET)
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	else
		ck_assert_int_eq(pipe(ends), 0);
	for (int i = 0; i < 2 && kind == NONBLOCKING_PIPE; i++)
		ck_assert_int_eq(fcntl(ends[i], F_SETFL, fcntl(ends[i], F_GETFL) | O_NONBLOCK), 0);
}

static inline void
close_ends(void)
{
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
}

static inline void
close_end(int i)
{
	close(ends[i]);
	ends[i] = -1;
}

#endif
