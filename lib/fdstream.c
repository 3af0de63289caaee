/* SPDX-License-Identifier: MIT */
/*
 * A stream on a descriptor: one system call per try, and what it tells about
 * the next one.
 *
 *   the poller reports     a bit of `ready` is set; ENDED stays set
 *   EAGAIN                 it is cleared (the stream does that)
 *   a short transfer       it is cleared, too, and the EAGAIN saved: only where
 *                          the poller reports each arrival, and never once
 *                          ENDED is set, because the end may be waiting behind
 *                          the data without an event of its own
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/compat.h"
#include "lib/fdstream.h"

static struct weft__fdstream *
body(const struct weft_stream *s)
{
	return (struct weft__fdstream *)(uintptr_t)s;
}

/* A number that was taken from us is not ours to touch any more. */
static void
lose(struct weft__fdstream *f)
{
	int side;

	for (side = 0; side < 2; side++) {
		if (f->slot[side] == NULL || !weft__fd_is_lost(f->slot[side], f))
			continue;
		f->slot[side] = NULL;
		f->fd[side] = -1;
	}
}

static bool
notify(void *arg, int events)
{
	struct weft__fdstream *f = arg;         /* the stream comes first */

	if (events < 0)
		lose(f);
	/* An edge is reported once: there is nothing to spin on. */
	return weft__stream_notify(&f->stream, events) || weft__fd_edges(f->stream.loop);
}

/* Of two descriptors each speaks for its direction only; but that the reader
 * of a pipe is gone, some systems tell as something to read. */
static bool
notify_in(void *arg, int events)
{
	return notify(arg, events < 0 ? events : events & ~WEFT_WRITABLE);
}

static bool
notify_out(void *arg, int events)
{
	if (events > 0)
		events = events & (WEFT_WRITABLE | WEFT__ENDED) ? WEFT_WRITABLE : 0;
	return notify(arg, events);
}

/* The slots of both descriptors, or of the one. */
static int
own(struct weft__fdstream *f, struct weft_loop *loop)
{
	bool one = f->fd[WEFT__IN] == f->fd[WEFT__OUT];

	if (f->fd[WEFT__IN] >= 0) {
		f->slot[WEFT__IN] = weft__fd_own(loop, f->fd[WEFT__IN],
		    one ? notify : notify_in, f);
		if (f->slot[WEFT__IN] == NULL)
			return -1;
	}
	if (one) {
		f->slot[WEFT__OUT] = f->slot[WEFT__IN];
	} else if (f->fd[WEFT__OUT] >= 0) {
		f->slot[WEFT__OUT] = weft__fd_own(loop, f->fd[WEFT__OUT], notify_out, f);
		if (f->slot[WEFT__OUT] == NULL) {
			if (f->slot[WEFT__IN] != NULL)
				weft__fd_disown(loop, f->slot[WEFT__IN]);
			return -1;
		}
	}
	return 0;
}

struct weft_stream *
weft__fdstream_new(struct weft_loop *loop, const struct weft_stream_class *class,
    const int fd[2], unsigned nature)
{
	return weft__fdstream_make(loop, class, fd, nature, sizeof(struct weft__fdstream));
}

struct weft_stream *
weft__fdstream_make(struct weft_loop *loop, const struct weft_stream_class *class,
    const int fd[2], unsigned nature, size_t size)
{
	struct weft__fdstream *f;

	if (weft__per_loop(loop) == NULL)
		return NULL;
	f = malloc(size);       /* calloc may be slower, and half of it is set twice */
	if (f == NULL)
		return NULL;
	memset((char *)f + sizeof f->stream, 0, size - sizeof f->stream);
	weft__stream_init(&f->stream, class, loop);
	f->stream.unreadable = fd[WEFT__IN] < 0;
	f->stream.unwritable = fd[WEFT__OUT] < 0;
	f->fd[WEFT__IN] = fd[WEFT__IN];
	f->fd[WEFT__OUT] = fd[WEFT__OUT];
	f->drains = nature & WEFT__SHORT_IS_DRAINED && weft__fd_edges(loop);
	f->terminal = nature & WEFT__TERMINAL;
	f->stream.resumes = nature & WEFT__RESUMES;
	if (own(f, loop) < 0) {
		free(f);
		return NULL;
	}
	return &f->stream;
}

void
weft__fdstream_adopt(struct weft_stream *s, int fd, struct weft__slot *slot)
{
	struct weft__fdstream *f = body(s);

	f->fd[WEFT__IN] = f->fd[WEFT__OUT] = fd;
	f->slot[WEFT__IN] = f->slot[WEFT__OUT] = slot;
	weft__fd_give(slot, notify, f);
}

/* --- transfers */

ssize_t
weft__fdstream_failed(struct weft__fdstream *f, int event)
{
	if (errno == EWOULDBLOCK)
		errno = EAGAIN;
	if (errno == EPROTOTYPE)                /* macOS, while it is torn down */
		errno = ECONNRESET;
	if (errno == ENXIO && f->terminal)      /* FreeBSD, when it has hung up */
		errno = EIO;
	/* To read from a pty whose other side is gone. */
	return errno == EIO && f->terminal && event == WEFT_READABLE ? 0 : -1;
}

ssize_t
weft__fdstream_read(struct weft_stream *s, void *dst, size_t n)
{
	struct weft__fdstream *f = body(s);
	ssize_t got;

	if (n > WEFT__TRANSFER_MAX)
		n = WEFT__TRANSFER_MAX;
	do
		got = read(f->fd[WEFT__IN], dst, n);
	while (got < 0 && errno == EINTR);
	return weft__fdstream_got(f, got, n);
}

/* What is no socket has no flag against SIGPIPE. */
ssize_t
weft__fdstream_write(struct weft_stream *s, const struct iovec *iov, int count)
{
	struct weft__fdstream *f = body(s);
	struct weft__sigpipe held;
	ssize_t sent;

	weft__sigpipe_hold(&held, f->fd[WEFT__OUT]);
	do
		sent = writev(f->fd[WEFT__OUT], iov, count);
	while (sent < 0 && errno == EINTR);
	weft__sigpipe_release(&held);
	return weft__fdstream_sent(f, sent, weft__vectors_length(iov, count));
}

/* Asks for what one slot is to report. */
static int
want(struct weft__fdstream *f, int side, int events)
{
	int error = f->slot[side] == NULL ? EBADF :
	    weft__fd_want(f->stream.loop, f->slot[side], events);

	if (error != 0)
		return weft__fail(error);
	if (weft__fd_always_ready(f->slot[side]))
		f->stream.ready |= (uint8_t)events;
	return 0;
}

/* Something that has not been asked for yet. */
static WEFT__APART int
want_more(struct weft__fdstream *f, int events)
{
	if (f->slot[WEFT__IN] == f->slot[WEFT__OUT])
		return want(f, WEFT__IN, events);
	if (events & WEFT_READABLE && want(f, WEFT__IN, WEFT_READABLE) < 0)
		return -1;
	return events & WEFT_WRITABLE ? want(f, WEFT__OUT, WEFT_WRITABLE) : 0;
}

int
weft__fdstream_want(struct weft_stream *s, int events)
{
	struct weft__fdstream *f = body(s);
	int side = events & WEFT_READABLE ? WEFT__IN : WEFT__OUT;

	weft__subject(s->loop, (uint64_t)f->fd[side]);
	if (f->slot[side] != NULL && weft__fd_wanted(f->slot[side], events))
		return 0;
	return want_more(f, events);
}

/* --- the end */

void
weft__fdstream_close_side(struct weft__fdstream *f, int side)
{
	struct weft__slot *slot = f->slot[side];
	int fd = f->fd[side];

	if (slot == NULL)
		return;                 /* none, or lost */
	if (f->slot[!side] == slot) {
		f->slot[!side] = NULL;
		f->fd[!side] = -1;
	}
	f->slot[side] = NULL;
	f->fd[side] = -1;
	weft__fd_disown(f->stream.loop, slot);
	weft__fd_close(f->stream.loop, fd);
}

void
weft__fdstream_close(struct weft_stream *s, bool reset)
{
	struct weft__fdstream *f = body(s);
	int error = errno;

	(void)reset;
	weft__fdstream_close_side(f, WEFT__IN);
	weft__fdstream_close_side(f, WEFT__OUT);
	errno = error;
}

void
weft__fdstream_free(struct weft_stream *s)
{
	struct weft__fdstream *f = body(s);

	free(f->name[0]);
	free(f->name[1]);
	free(f);
}

int
weft__fdstream_fd(const struct weft_stream *s)
{
	int fd = body(s)->fd[WEFT__IN];

	return fd >= 0 ? fd : body(s)->fd[WEFT__OUT];
}

/* Whether the body is ours, and so the descriptors. */
static bool
is_fdstream(const struct weft_stream *s)
{
	return s->class->fd == weft__fdstream_fd;
}

int
weft_stream_write_fd(const struct weft_stream *s)
{
	if (!is_fdstream(s))
		return weft_stream_fd(s);
	if (s->unwritable)
		return weft__fail(ENOTSUP);
	return body(s)->fd[WEFT__OUT] >= 0 ? body(s)->fd[WEFT__OUT] : weft__fail(EBADF);
}

void
weft__fdstream_let_go(struct weft__fdstream *f)
{
	weft__fd_disown(f->stream.loop,
	    f->slot[f->slot[WEFT__IN] != NULL ? WEFT__IN : WEFT__OUT]);
	f->slot[WEFT__IN] = f->slot[WEFT__OUT] = NULL;
	f->fd[WEFT__IN] = f->fd[WEFT__OUT] = -1;
}

int
weft_stream_detach(struct weft_stream *s)
{
	struct weft__fdstream *f = body(s);
	int fd;

	if (!is_fdstream(s))
		return weft__fail(ENOTSUP);
	if (s->closed)
		return weft__fail(EBADF);
	if (f->slot[WEFT__IN] != f->slot[WEFT__OUT] && f->slot[WEFT__IN] != NULL &&
	    f->slot[WEFT__OUT] != NULL)
		return weft__fail(ENOTSUP);
	if (weft_stream_buffered(s) > 0 || weft_stream_queued(s) > 0)
		return weft__fail(ENOTSUP);
	fd = weft_stream_fd(s);
	if (fd < 0)
		return -1;
	if (s->class->address_of != NULL)
		weft__socket_keep_names(f);
	weft__fdstream_let_go(f);
	weft_stream_abort(s);           /* there is nothing left to reset */
	return fd;
}
