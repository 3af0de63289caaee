/* SPDX-License-Identifier: MIT */
/*
 * weft/memory.h - streams without a descriptor: for tests, and between fibers.
 *
 * Page: weft_memory(3).
 */
#ifndef WEFT_MEMORY_H
#define WEFT_MEMORY_H

#include <weft/stream.h>

WEFT_BEGIN_DECLS

/* A stream that the program feeds: it reads what was fed, and what it writes
 * is kept until it is taken, without bound. ENOMEM. */
WEFT_API struct weft_stream *weft_memory_open(void);
/* Bytes arrive. EPIPE: after weft_memory_feed_eof. EBADF: closed. ENOMEM. */
WEFT_API int weft_memory_feed(struct weft_stream *, const void *, size_t n);
/* The stream ends after what was fed. Again: 0. */
WEFT_API int weft_memory_feed_eof(struct weft_stream *);
/* Reads fail with this after what was fed. EINVAL: 0. */
WEFT_API int weft_memory_feed_error(struct weft_stream *, int error);
/* What was written, 1 to n bytes of it. 0: all is taken, and the stream's side
 * was shut down. EAGAIN: nothing yet. */
WEFT_API ssize_t weft_memory_take(struct weft_stream *, void *, size_t n);
/* Each read (WEFT_READABLE) or write (WEFT_WRITABLE) moves at most the next of
 * these n sizes, over and over; with 0 it finds nothing until the end of the
 * turn. n = 0: no script. EINVAL: another event, all sizes are 0. ENOMEM. */
WEFT_API int weft_memory_set_chunks(struct weft_stream *, int event, const size_t *sizes,
    int n);
/* Two streams connected to each other; 64 KiB fit in between, each way. */
WEFT_API int weft_memory_pair(struct weft_stream *ends[2]);

WEFT_END_DECLS

#endif
