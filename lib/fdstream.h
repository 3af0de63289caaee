/* SPDX-License-Identifier: MIT */
/*
 * The shared body of every stream on a descriptor.
 */
#ifndef WEFT_LIB_FDSTREAM_H
#define WEFT_LIB_FDSTREAM_H

#include "lib/addr.h"
#include "lib/stream.h"

struct weft__fdstream {
	struct weft_stream stream;      /* first */
	struct weft__slot *slot;        /* NULL once closed or lost */
	int fd;                         /* -1: somebody else has closed it */
	bool drains;                    /* a short transfer means: no more */
	struct weft__address address[2];        /* ours and the peer's */
	char *name[2];                  /* made when asked for, or at close */
};

extern const struct weft__class weft__tcp_class, weft__unix_class;

/* Takes the descriptor, which has its flags; on failure (ENOMEM) it is still
 * the caller's. peer may be NULL: not known yet. */
struct weft_stream *weft__fdstream_new(struct weft_loop *, const struct weft__class *, int fd,
    const struct sockaddr *peer, socklen_t);
/* By the address family of the socket. */
const struct weft__class *weft__socket_class(int family);

/* For class tables. */
ssize_t weft__fdstream_read(struct weft_stream *, void *, size_t);
ssize_t weft__fdstream_receive(struct weft_stream *, void *, size_t);
ssize_t weft__fdstream_send(struct weft_stream *, const struct iovec *, int);
int  weft__fdstream_want(struct weft_stream *, int);
int  weft__fdstream_shutdown(struct weft_stream *);
void weft__fdstream_close(struct weft_stream *, bool);
void weft__fdstream_free(struct weft_stream *);
int  weft__fdstream_fd(const struct weft_stream *);
const char *weft__fdstream_name(struct weft_stream *, int);
int  weft__fdstream_address(struct weft_stream *, int, struct sockaddr *, socklen_t *);

#define WEFT__SOCKET_CLASS(name_, read_, short_is_drained_) { \
	.name = name_, \
	.read = read_, \
	.short_is_drained = short_is_drained_, \
	.writev = weft__fdstream_send, \
	.want = weft__fdstream_want, \
	.shutdown = weft__fdstream_shutdown, \
	.close = weft__fdstream_close, \
	.free = weft__fdstream_free, \
	.fd = weft__fdstream_fd, \
	.name_of = weft__fdstream_name, \
	.address_of = weft__fdstream_address, \
	.waiting = WEFT__EXTERNAL \
}

#endif
