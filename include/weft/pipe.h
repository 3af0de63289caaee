/* SPDX-License-Identifier: MIT */
/*
 * weft/pipe.h - pipes, and any descriptor that can be polled.
 *
 * Page: weft_pipe(3).
 */
#ifndef WEFT_PIPE_H
#define WEFT_PIPE_H

#include <weft/stream.h>

WEFT_BEGIN_DECLS

/* Reads from one descriptor and writes to the other; either may be -1, and both
 * may be the same, as of a tun device or a terminal. They become non-blocking
 * and close-on-exec and are the stream's; on failure they stay the caller's.
 * EBADF: not open, or both -1. EINVAL: opened for the other direction. ENOMEM. */
WEFT_API struct weft_stream *weft_pipe_open(int read_fd, int write_fd);
/* As pipe(2): ends[0] reads what is written to ends[1]. */
WEFT_API int weft_pipe_pair(struct weft_stream *ends[2]);

WEFT_END_DECLS

#endif
