/* SPDX-License-Identifier: MIT */
/*
 * weft/protocol.h - a connection as a set of callbacks, with the guarantees of
 * asyncio's protocols:
 *
 *   connection_made -> data_received ... -> eof_received -> connection_lost
 *
 * connection_lost comes exactly once, and nothing after it.
 *
 * Page: weft_protocol(3).
 */
#ifndef WEFT_PROTOCOL_H
#define WEFT_PROTOCOL_H

#include <weft/base.h>

WEFT_BEGIN_DECLS

struct weft_stream;

/* Any of them may be NULL, may wait, and may write to the stream, shut it down,
 * close, abort or free it. Those that return int end the connection with -1
 * and errno. */
struct weft_protocol {
	size_t size;                    /* sizeof(struct weft_protocol) */
	int  (*connection_made)(struct weft_stream *, void *arg);
	/* The bytes are there until it returns. */
	int  (*data_received)(struct weft_stream *, const void *, size_t, void *arg);
	/* 0 or NULL: flush and close. Above 0: stay half open until closed. */
	int  (*eof_received)(struct weft_stream *, void *arg);
	/* The queue is above the high mark; at or below the low mark. In pairs. */
	void (*pause_writing)(struct weft_stream *, void *arg);
	void (*resume_writing)(struct weft_stream *, void *arg);
	/* 0: it ended or was closed here; else the errno that ended it. */
	void (*connection_lost)(struct weft_stream *, int error, void *arg);
};

/* Runs the callbacks in this fiber; returns after connection_lost, with the
 * stream closed and not freed. 0, or -1 with the errno that was told. Without
 * any callback EINVAL, EBADF: closed, EBUSY: a protocol or a poller has it. */
WEFT_API int weft_protocol_run(struct weft_stream *, const struct weft_protocol *, void *arg);
/* No data_received until it is resumed: the peer has to wait. EINVAL: no protocol
 * runs on the stream. */
WEFT_API int weft_protocol_pause_reading(struct weft_stream *);
WEFT_API int weft_protocol_resume_reading(struct weft_stream *);
/* The adapter: arg is the memory stream that it feeds. Reading is paused while
 * more than twice its limit is unread there, until it is the limit or less. */
WEFT_API const struct weft_protocol *weft_reader_protocol(void);

WEFT_END_DECLS

#endif
