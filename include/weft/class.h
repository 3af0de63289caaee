/* SPDX-License-Identifier: MIT */
/*
 * weft/class.h - for those who write streams of their own. Not part of weft.h.
 *
 * A class carries bytes: its functions try once and never wait, and set errno
 * to EAGAIN when there is nothing to be had; they may abort their stream, but not
 * free it. weft adds the rest: order among
 * callers, buffering, the queue, records, deadlines, errors that stick.
 *
 * Page: weft_class(3).
 */
#ifndef WEFT_CLASS_H
#define WEFT_CLASS_H

#include <weft/stream.h>

WEFT_BEGIN_DECLS

/* What may be NULL says so. */
struct weft_stream_class {
	size_t size;            /* sizeof(struct weft_stream_class) */
	const char *name;       /* "tcp": for error texts */
	/* One try: > 0, 0 end of stream, -1 with errno. */
	ssize_t (*read)(struct weft_stream *, void *dst, size_t n);
	ssize_t (*writev)(struct weft_stream *, const struct iovec *, int count);
	/* After EAGAIN: sees to it that weft_stream_notify is called when a try
	 * could succeed. 0, or -1 with errno, which breaks the stream. */
	int (*want)(struct weft_stream *, int events);
	/* Pushes out what the class itself still holds. NULL: nothing. May wait. */
	int (*flush)(struct weft_stream *, int64_t deadline);
	/* Ends our side. NULL: cannot. -1 with errno. */
	int (*shutdown)(struct weft_stream *);
	/* Gives up what carries the bytes; `reset`: without ceremony. */
	void (*close)(struct weft_stream *, bool reset);
	/* Frees the object. NULL: nothing to free. */
	void (*free)(struct weft_stream *);
	/* The descriptor, or -1. NULL: has none. */
	int (*fd)(const struct weft_stream *);
	/* Side 0 is ours, 1 the peer's; also after close. NULL: has none. */
	const char *(*name_of)(struct weft_stream *, int side);
	int (*address_of)(struct weft_stream *, int side, struct sockaddr *, socklen_t *);
	/* Only fibers of this thread ever notify it: for finding deadlocks. */
	bool internal;
};

/* A stream of that class; the table is copied. ENOMEM, EINVAL. */
WEFT_API struct weft_stream *weft_stream_new(const struct weft_stream_class *, void *object);
WEFT_API void *weft_stream_object(const struct weft_stream *);
/* A try for these events could succeed now. Never waits; may be called from
 * anywhere on the stream's thread. */
WEFT_API void weft_stream_notify(struct weft_stream *, int events);
/* For a class on top of another stream, in its want(): whenever `below` is
 * notified, so is `above`, from then on. -1 with errno. */
WEFT_API int weft_stream_want(struct weft_stream *below, int events,
    struct weft_stream *above);

WEFT_END_DECLS

#endif
