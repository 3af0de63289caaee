/* SPDX-License-Identifier: MIT */
/*
 * tests/pty_streams.h - both sides of a pseudo-terminal as streams.
 */
#ifndef WEFT_TESTS_PTY_STREAMS_H
#define WEFT_TESTS_PTY_STREAMS_H

#include "tests/pty.h"
#include "tests/streams.h"
#include "weft/pipe.h"
#include "weft/tty.h"

static int ends[2];             /* as the program has them */
static struct weft_stream *controller, *tty;
static struct termios before;

static inline void
open_both(void)
{
	open_pty(ends);
	before = modes_of(ends[TERMINAL]);
	tty = weft_tty_open(ends[TERMINAL], true);
	ck_assert_ptr_nonnull(tty);
	controller = weft_pipe_open(ends[CONTROLLER], ends[CONTROLLER]);
	ck_assert_ptr_nonnull(controller);
}

static inline void
open_raw(void)
{
	open_both();
	ck_assert_ok(weft_tty_set_raw(tty, true));
}

static inline void
close_both(void)
{
	weft_stream_free(tty);
	weft_stream_free(controller);
}

#endif
