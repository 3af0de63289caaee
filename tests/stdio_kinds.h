/* SPDX-License-Identifier: MIT */
/*
 * tests/stdio_kinds.h - what a process may find as its standard streams, and
 * somebody at the other end.
 */
#ifndef WEFT_TESTS_STDIO_KINDS_H
#define WEFT_TESTS_STDIO_KINDS_H

#include <stdlib.h>
#include <sys/socket.h>

#include "tests/pty.h"

/* --- kinds: ends[0] is what the process gets, ends[1] is ours */

static inline void
pipe_in(int ends[2])
{
	ck_assert_int_eq(pipe(ends), 0);
}

static inline void
pipe_out(int ends[2])
{
	int fds[2];

	pipe_in(fds);
	ends[0] = fds[1];
	ends[1] = fds[0];
}

static inline void
unix_socket(int ends[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static inline void
raw_pty(int ends[2])
{
	struct termios modes;
	int fds[2];

	open_pty(fds);
	modes = modes_of(fds[TERMINAL]);
	cfmakeraw(&modes);
	ck_assert_int_eq(tcsetattr(fds[TERMINAL], TCSANOW, &modes), 0);
	ends[0] = fds[TERMINAL];
	ends[1] = fds[CONTROLLER];
}

static inline void
raw_controller(int ends[2])
{
	int fds[2];

	raw_pty(fds);
	ends[0] = fds[1];
	ends[1] = fds[0];
}

static inline int
open_file(void)
{
	char path[] = "/tmp/weft-check-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	unlink(path);
	return fd;
}

static inline void
close_all(const int fds[3])
{
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

/* Feeds and takes at once; no descriptor of ours blocks. */
static inline size_t
exchange(int to, int from, const char *bytes, char *back, size_t length, const int shared[2])
{
	struct pollfd both[2] = { { .fd = to, .events = POLLOUT }, { .fd = from, .events = POLLIN } };
	size_t fed = 0, got = 0;
	ssize_t n;

	fcntl(to, F_SETFL, fcntl(to, F_GETFL) | O_NONBLOCK);
	while (got < length) {
		if (poll(both, 2, 30000) <= 0)
			break;
		ck_assert(is_blocking(shared[0]) && is_blocking(shared[1]));
		n = fed < length ? write(to, bytes + fed, fed % 3000 + 1 < length - fed ?
		    fed % 3000 + 1 : length - fed) : 0;
		if (n > 0)
			fed += (size_t)n;
		if (fed == length)
			both[0].fd = -1;
		n = both[1].revents ? read(from, back + got, length - got) : 0;
		if (n < 0)
			break;
		got += (size_t)n;
	}
	return got;
}

#endif
