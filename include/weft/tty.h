/* SPDX-License-Identifier: MIT */
/*
 * weft/tty.h - terminals, and the standard streams, whatever they are.
 *
 * Pages: weft_tty(3), weft_stdin(3).
 */
#ifndef WEFT_TTY_H
#define WEFT_TTY_H

#include <weft/stream.h>

WEFT_BEGIN_DECLS

/* A stream on a terminal, to write to and, if `readable`, to read from. The
 * descriptor becomes the stream's own open file, non-blocking and close-on-exec;
 * that of other processes is left as it is, and so are the numbers 0 to 2. On
 * failure it stays the caller's. ENOTTY: not a terminal. EBADF: not open, or not
 * for that direction. EMFILE, ENOMEM. */
WEFT_API struct weft_stream *weft_tty_open(int fd, bool readable);

/* The rest is for standard streams, too. ENOTTY: not a terminal. EBADF: closed. */

/* In characters; either may be NULL. 0 may mean that nobody has said. */
WEFT_API int weft_tty_winsize(struct weft_stream *, int *columns, int *rows);
/* Until that is something else than this stream last told, or had at first. */
WEFT_API int weft_tty_wait_resize(struct weft_stream *, int64_t deadline);
/* Raw: each byte as it comes, no echo, no signals from keys, output as it is.
 * Put back by false, by the end of the stream and of the process, and while it
 * is stopped. EIO: we are in the background. */
WEFT_API int weft_tty_set_raw(struct weft_stream *, bool raw);

/* The standard streams: terminal, pipe, socket, file or device. One of each per
 * process, made by the first call, for its thread. NULL with EBADF: not open for
 * that; EBUSY: another thread has it; EMFILE, ENOMEM. What is queued is flushed
 * at exit. */
WEFT_API struct weft_stream *weft_stdin(void);
WEFT_API struct weft_stream *weft_stdout(void);
WEFT_API struct weft_stream *weft_stderr(void);

WEFT_END_DECLS

#endif
