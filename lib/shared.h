/* SPDX-License-Identifier: MIT */
/*
 * Streams on descriptors whose open file other processes share: terminals and
 * the standard streams.
 */
#ifndef WEFT_LIB_SHARED_H
#define WEFT_LIB_SHARED_H

#include "lib/fdstream.h"

/* How transfers are made that must not block, see shared.c. */
enum weft__manner {
	WEFT__OWN_FILE,         /* the open file is ours alone, and non-blocking */
	WEFT__BY_MESSAGE,       /* a socket: each call says so */
	WEFT__AFTER_ASKING,     /* the kernel says that one transfer can be made */
	WEFT__AT_ONCE           /* a file: nothing to wait for */
};

struct weft__resizing;

struct weft__shared {
	struct weft__fdstream f;        /* first */
	enum weft__manner manner;
	size_t piece;                   /* what fits once it is writable */
	int number;                     /* what the program knows it by */
	bool tty;
	/* --- of a terminal */
	struct weft__raw *raw;          /* NULL: it is not for us that it is raw */
	int columns, rows;              /* as the program was told last */
	struct weft__resizing *resizing;        /* who waits for that to change */
};

/* --- shared.c */

enum { WEFT__READS = 1, WEFT__WRITES = 2 };

/* A stream with a descriptor of its own for what `number` is, which is left as
 * it is; or, if `take`, becomes that descriptor. NULL with errno: EBADF, also if
 * it was not opened for these directions; EMFILE, ENOMEM. */
struct weft_stream *weft__shared_new(struct weft_loop *, const struct weft_stream_class *,
    int number, unsigned directions, bool take);
ssize_t weft__shared_read(struct weft_stream *, void *, size_t);
ssize_t weft__shared_write(struct weft_stream *, const struct iovec *, int);
void weft__shared_close(struct weft_stream *, bool);
int  weft__shared_number(const struct weft_stream *);

#define WEFT__SHARED_CLASS(name_, fd_, free_) { \
	.size = sizeof(struct weft_stream_class), \
	.name = name_, \
	.read = weft__shared_read, \
	.writev = weft__shared_write, \
	.want = weft__fdstream_want, \
	.close = weft__shared_close, \
	.free = free_, \
	.fd = fd_ \
}

/* --- tty.c */
void weft__tty_begin(struct weft__shared *);
/* For close: the terminal is as it was, and nobody waits any more. */
void weft__tty_leave(struct weft__shared *);

/* --- tty_raw.c: terminals that are raw, which are to be put back whatever
 * ends the process */
/* Makes it raw, or counts one more who wants it so. NULL: EIO (we are in the
 * background), what tcsetattr says, ENOMEM. */
struct weft__raw *weft__raw_begin(int fd);
/* The last one puts it back. */
void weft__raw_end(struct weft__raw *);
/* At exit. */
void weft__raw_restore(void);

/* --- stdio.c */
/* What is to be done at exit is done from now on. */
void weft__stdio_at_exit(void);
/* The loop's thread ends, and with it the streams that it has. */
void weft__stdio_forget(struct weft_loop *);

#endif
