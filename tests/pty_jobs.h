/* SPDX-License-Identifier: MIT */
/*
 * tests/pty_jobs.h - a terminal for each test, for processes to use. They say
 * by a letter in a pipe how far they are.
 */
#ifndef WEFT_TESTS_PTY_JOBS_H
#define WEFT_TESTS_PTY_JOBS_H

#include "tests/pty.h"
#include "weft/tty.h"

static int ends[2];
static struct termios before;

static void
setup(void)
{
	open_pty(ends);
	before = modes_of(ends[TERMINAL]);
}

static void
teardown(void)
{
	close(ends[CONTROLLER]);
	close(ends[TERMINAL]);
}

static inline bool
is_as_before(void)
{
	struct termios now = modes_of(ends[TERMINAL]);

	return now.c_iflag == before.c_iflag && now.c_oflag == before.c_oflag &&
	    now.c_lflag == before.c_lflag && now.c_cflag == before.c_cflag;
}

static inline int
go_raw(struct weft_stream *s, int told)
{
	if (s == NULL || weft_tty_set_raw(s, true) < 0)
		return -1;
	say(told, is_raw(0) ? 'r' : 'c');
	return 0;
}

#endif
