/* SPDX-License-Identifier: MIT */
/*
 * weft/poller.h - many streams and servers, and one fiber that asks what has
 * happened: for programs that keep an event loop of their own style.
 *
 * Page: weft_poller(3).
 */
#ifndef WEFT_POLLER_H
#define WEFT_POLLER_H

#include <weft/base.h>

WEFT_BEGIN_DECLS

struct weft_poller;
struct weft_server;
struct weft_stream;

/* What a poller makes of bytes. Accepted clients inherit it. */
#define WEFT_BYTES 1    /* pieces, as they come */
#define WEFT_LINES 2    /* lines, with their LF; the last may have none */

enum weft_poll_kind {
	WEFT_POLL_DATA = 1,     /* data, length */
	WEFT_POLL_LINE,         /* data, length */
	WEFT_POLL_ACCEPT,       /* stream, of this server; it is the program's */
	WEFT_POLL_CLOSED,       /* it has ended, and is registered no more */
	WEFT_POLL_ERROR         /* error; CLOSED follows */
};

struct weft_poll_event {
	int kind;                       /* enum weft_poll_kind */
	struct weft_stream *stream;     /* NULL: it is about the server */
	struct weft_server *server;     /* NULL: it is about the stream */
	const void *data;               /* borrowed until the next poll */
	size_t length;
	int error;                      /* an errno */
};

/* EINVAL: neither WEFT_BYTES nor WEFT_LINES. ENOMEM. */
WEFT_API struct weft_poller *weft_poller_new(int mode);
/* Never closes nor frees what is registered. Who polls gets EBADF. NULL: nothing. */
WEFT_API void weft_poller_free(struct weft_poller *);
/* Again: 0. EBUSY: in another poller, or a protocol runs. ENOTSUP: cannot be
 * read. EBADF: closed. ENOMEM. */
WEFT_API int weft_poller_register(struct weft_poller *, struct weft_stream *);
/* Nothing is lost: what has come can still be read. Unknown: 0. */
WEFT_API int weft_poller_unregister(struct weft_poller *, struct weft_stream *);
/* Its clients are registered when they have been accepted. Again: 0. EBUSY: in
 * another poller, or somebody accepts. EBADF: stopped. ENOMEM. */
WEFT_API int weft_poller_add_server(struct weft_poller *, struct weft_server *);
/* Unknown: 0. */
WEFT_API int weft_poller_remove_server(struct weft_poller *, struct weft_server *);
/* How many events there are, up to max; 0: none in time. EINVAL: max is 0.
 * EBUSY: another fiber polls. EBADF: freed. ETIMEDOUT: an enclosing deadline. */
WEFT_API ssize_t weft_poller_poll(struct weft_poller *, struct weft_poll_event *events,
    size_t max, int64_t deadline);
/* Unregisters everything, and closes it: streams are flushed, for 30 seconds at
 * most. Frees nothing. ETIMEDOUT and the like if bytes had to be dropped. */
WEFT_API int weft_poller_close_all(struct weft_poller *);

WEFT_END_DECLS

#endif
