/* SPDX-License-Identifier: MIT */
/*
 * The sizes in which a memory stream moves bytes, when a test wants them.
 */
#ifndef WEFT_LIB_MEMORY_SCRIPT_H
#define WEFT_LIB_MEMORY_SCRIPT_H

#include "lib/stream.h"

struct weft__script;

/* How much of n bytes the next transfer may move. 0: none, and the stream is
 * notified at the end of the turn. NULL: all. */
size_t weft__script_next(struct weft__script *, size_t n);
/* One for that direction, WEFT_READABLE or WEFT_WRITABLE. NULL: ENOMEM. */
struct weft__script *weft__script_new(struct weft_stream *, int event, const size_t *sizes,
    size_t count);
/* NULL: nothing. */
void weft__script_free(struct weft__script *);

#endif
