/* SPDX-License-Identifier: MIT */
/*
 * The shared body of every stream on a descriptor, or on two: one to read, one
 * to write.
 */
#ifndef WEFT_LIB_FDSTREAM_H
#define WEFT_LIB_FDSTREAM_H

#include "lib/addr.h"
#include "lib/stream.h"

enum { WEFT__IN, WEFT__OUT };           /* of fd and slot */
enum { WEFT__OURS, WEFT__PEERS };       /* of address and name */

struct weft__fdstream {
	struct weft_stream stream;      /* first */
	struct weft__slot *slot[2];     /* the same for both, or NULL: none, lost */
	int fd[2];                      /* the same for both, or -1 */
	bool drains;                    /* a short transfer means: no more */
	bool terminal;                  /* EIO is the end */
	struct weft__address address[2];
	char *name[2];                  /* made when asked for, or at close */
	struct weft_fiber *connecting;  /* inside weft_stream_connect, or NULL */
};

/* How a class's descriptors behave. */
enum weft__nature {
	WEFT__SHORT_IS_DRAINED = 1,     /* as far as the kernel goes */
	WEFT__TERMINAL = 2,             /* EIO is the end */
	WEFT__RESUMES = 4               /* after an end there may be more */
};

extern const struct weft_stream_class weft__tcp_class, weft__unix_class;

/* Takes the descriptors, which have their flags; either may be -1, and both may
 * be the same. On failure (ENOMEM) they are still the caller's. */
struct weft_stream *weft__fdstream_new(struct weft_loop *, const struct weft_stream_class *,
    const int fd[2], unsigned nature);
/* The same in `size` bytes, zeroed, of which the body is the first. */
struct weft_stream *weft__fdstream_make(struct weft_loop *, const struct weft_stream_class *,
    const int fd[2], unsigned nature, size_t size);
/* For a stream that was made without descriptors: one, with its slot. */
void weft__fdstream_adopt(struct weft_stream *, int fd, struct weft__slot *);
/* A socket, or -1: that comes later; peer may be NULL: not known yet. */
struct weft_stream *weft__socket_stream(struct weft_loop *, const struct weft_stream_class *,
    int fd, const struct sockaddr *peer, socklen_t);
/* By the address family of the socket. */
const struct weft_stream_class *weft__socket_class(int family);

/* --- fdstream.c, for class tables */
ssize_t weft__fdstream_read(struct weft_stream *, void *, size_t);
ssize_t weft__fdstream_write(struct weft_stream *, const struct iovec *, int);
int  weft__fdstream_want(struct weft_stream *, int);
void weft__fdstream_close(struct weft_stream *, bool);
void weft__fdstream_free(struct weft_stream *);
int  weft__fdstream_fd(const struct weft_stream *);

/* What a transfer of so much says about the next; its result. */
ssize_t weft__fdstream_failed(struct weft__fdstream *, int event);
static inline ssize_t
weft__fdstream_moved(struct weft__fdstream *f, int event, ssize_t moved, size_t asked)
{
	if (moved < 0)
		return weft__fdstream_failed(f, event);
	if ((size_t)moved < asked && f->drains && !(f->stream.ready & WEFT__ENDED))
		f->stream.ready &= (uint8_t)~event;
	return moved;
}
static inline ssize_t
weft__fdstream_got(struct weft__fdstream *f, ssize_t got, size_t asked)
{
	return weft__fdstream_moved(f, WEFT_READABLE, got, asked);
}
static inline ssize_t
weft__fdstream_sent(struct weft__fdstream *f, ssize_t sent, size_t asked)
{
	return weft__fdstream_moved(f, WEFT_WRITABLE, sent, asked);
}
static inline size_t
weft__vectors_length(const struct iovec *iov, int count)
{
	size_t n = 0;

	while (count-- > 0)
		n += iov[count].iov_len;
	return n;
}

/* Leaves its only descriptor open, to somebody else. */
void weft__fdstream_let_go(struct weft__fdstream *);
/* Closes one direction's descriptor, or gives it up if it was lost. */
void weft__fdstream_close_side(struct weft__fdstream *, int side);

/* --- socket.c, likewise */
ssize_t weft__socket_receive(struct weft_stream *, void *, size_t);
ssize_t weft__socket_send(struct weft_stream *, const struct iovec *, int);
int  weft__socket_shutdown(struct weft_stream *);
void weft__socket_close(struct weft_stream *, bool);
const char *weft__socket_name(struct weft_stream *, int);
int  weft__socket_address(struct weft_stream *, int, struct sockaddr *, socklen_t *);
/* Connected, at last: what weft__socket_stream could not be given. */
void weft__socket_adopt(struct weft_stream *, int fd, struct weft__slot *,
    const struct sockaddr *peer, socklen_t);
/* What is to be known after close. */
void weft__socket_keep_names(struct weft__fdstream *);

#define WEFT__SOCKET_CLASS(name_, read_) { \
	.size = sizeof(struct weft_stream_class), \
	.name = name_, \
	.read = read_, \
	.writev = weft__socket_send, \
	.want = weft__fdstream_want, \
	.shutdown = weft__socket_shutdown, \
	.close = weft__socket_close, \
	.free = weft__fdstream_free, \
	.fd = weft__fdstream_fd, \
	.name_of = weft__socket_name, \
	.address_of = weft__socket_address \
}

#endif
