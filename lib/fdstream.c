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

static void
keep_address(struct weft__address *to, const struct sockaddr *from, socklen_t length)
{
	if (length > sizeof to->u ||
	    (from->sa_family != AF_INET && from->sa_family != AF_INET6))
		return;                 /* asked for when it is wanted */
	memcpy(&to->u, from, length);
	to->length = length;
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
	struct weft__fdstream *f;

	if (weft__per_loop(loop) == NULL)
		return NULL;
	f = calloc(1, sizeof *f);
	if (f == NULL)
		return NULL;
	weft__stream_init(&f->stream, class, loop);
	f->stream.reading.missing = fd[WEFT__IN] < 0;
	f->stream.writing.missing = fd[WEFT__OUT] < 0;
	f->fd[WEFT__IN] = fd[WEFT__IN];
	f->fd[WEFT__OUT] = fd[WEFT__OUT];
	f->drains = nature & WEFT__SHORT_IS_DRAINED && weft__fd_edges(loop);
	f->terminal = nature & WEFT__TERMINAL;
	if (own(f, loop) < 0) {
		free(f);
		return NULL;
	}
	return &f->stream;
}

struct weft_stream *
weft__socket_stream(struct weft_loop *loop, const struct weft_stream_class *class, int fd,
    const struct sockaddr *peer, socklen_t length)
{
	int fds[2] = { fd, fd };
	bool drains = class == &weft__tcp_class || WEFT__CUTS_ARE_TOLD;
	struct weft_stream *s = weft__fdstream_new(loop, class, fds,
	    drains ? WEFT__SHORT_IS_DRAINED : 0);

	if (s != NULL && peer != NULL)
		keep_address(&body(s)->address[WEFT__PEERS], peer, length);
	return s;
}

/* --- transfers */

static void
drained(struct weft__fdstream *f, int event)
{
	if (f->drains && !(f->stream.ready & WEFT__ENDED))
		f->stream.ready &= (uint8_t)~event;
}

static ssize_t
got_some(struct weft__fdstream *f, ssize_t got, size_t n)
{
	if (got > 0 && (size_t)got < n)
		drained(f, WEFT_READABLE);
	else if (got < 0 && errno == EWOULDBLOCK)
		errno = EAGAIN;
	else if (got < 0 && errno == EIO && f->terminal)
		got = 0;                /* a pty whose other side is gone */
	return got;
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
	return got_some(f, got, n);
}

/* A Unix socket cuts a read where descriptors or credentials travelled. They
 * are dropped here, as read(2) would drop them, but it is told. */
ssize_t
weft__fdstream_receive(struct weft_stream *s, void *dst, size_t n)
{
	struct weft__fdstream *f = body(s);
	struct iovec iov = { dst, n < WEFT__TRANSFER_MAX ? n : WEFT__TRANSFER_MAX };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t got;

	do
		got = recvmsg(f->fd[WEFT__IN], &message, 0);
	while (got < 0 && errno == EINTR);
	return got_some(f, got, message.msg_flags & MSG_CTRUNC ? 0 : iov.iov_len);
}

static size_t
total(const struct iovec *iov, int count)
{
	size_t n = 0;

	while (count-- > 0)
		n += iov[count].iov_len;
	return n;
}

static ssize_t
send_once(int fd, const struct iovec *iov, int count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)iov };

	if (count == 1)
		return send(fd, iov->iov_base, iov->iov_len < WEFT__TRANSFER_MAX ?
		    iov->iov_len : WEFT__TRANSFER_MAX, WEFT__NOSIGNAL);
	message.msg_iovlen = (size_t)count;
	return sendmsg(fd, &message, WEFT__NOSIGNAL);
}

static ssize_t
sent_some(struct weft__fdstream *f, ssize_t sent, const struct iovec *iov, int count)
{
	if (sent >= 0 && (size_t)sent < total(iov, count))
		drained(f, WEFT_WRITABLE);
	else if (sent < 0 && errno == EWOULDBLOCK)
		errno = EAGAIN;
	return sent;
}

ssize_t
weft__fdstream_send(struct weft_stream *s, const struct iovec *iov, int count)
{
	struct weft__fdstream *f = body(s);
	struct weft__sigpipe held;
	ssize_t sent;

	if (WEFT__SOCKETS_RAISE_SIGPIPE)
		weft__sigpipe_hold(&held);
	do
		sent = send_once(f->fd[WEFT__OUT], iov, count);
	while (sent < 0 && errno == EINTR);
	if (WEFT__SOCKETS_RAISE_SIGPIPE)
		weft__sigpipe_release(&held);
	return sent_some(f, sent, iov, count);
}

/* What is no socket has no flag against SIGPIPE. */
ssize_t
weft__fdstream_write(struct weft_stream *s, const struct iovec *iov, int count)
{
	struct weft__fdstream *f = body(s);
	struct weft__sigpipe held;
	ssize_t sent;

	weft__sigpipe_hold(&held);
	do
		sent = writev(f->fd[WEFT__OUT], iov, count);
	while (sent < 0 && errno == EINTR);
	weft__sigpipe_release(&held);
	return sent_some(f, sent, iov, count);
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

int
weft__fdstream_want(struct weft_stream *s, int events)
{
	struct weft__fdstream *f = body(s);

	if (f->slot[WEFT__IN] == f->slot[WEFT__OUT])
		return want(f, WEFT__IN, events);
	if (events & WEFT_READABLE && want(f, WEFT__IN, WEFT_READABLE) < 0)
		return -1;
	return events & WEFT_WRITABLE ? want(f, WEFT__OUT, WEFT_WRITABLE) : 0;
}

int
weft__fdstream_shutdown(struct weft_stream *s)
{
	/* A peer that is gone already has seen the end. */
	if (shutdown(body(s)->fd[WEFT__OUT], SHUT_WR) == 0 || errno == ENOTCONN)
		return 0;
	return -1;
}

/* --- names */

static int
ask(const struct weft__fdstream *f, int side, struct sockaddr *address, socklen_t *length)
{
	return side == WEFT__OURS ? getsockname(f->fd[WEFT__IN], address, length) :
	    getpeername(f->fd[WEFT__IN], address, length);
}

static void
make_name(struct weft__fdstream *f, int side)
{
	union weft__sockaddr address = { .any = { 0 } };
	socklen_t length = sizeof address;
	char name[WEFT__NAME_MAX];

	if (f->name[side] != NULL)
		return;
	if (weft__fdstream_address(&f->stream, side, &address.any, &length) < 0)
		return;
	weft__address_format(&address.any, length, name);
	f->name[side] = strdup(name);
}

const char *
weft__fdstream_name(struct weft_stream *s, int side)
{
	int error = errno;

	make_name(body(s), side);
	errno = error;
	return body(s)->name[side];
}

/* After close, from what was kept. */
static int
kept_address(struct weft__fdstream *f, int side, struct sockaddr *out, socklen_t *length)
{
	const struct weft__address *kept = &f->address[side];
	struct sockaddr_un un;
	socklen_t n = kept->length;
	const void *from = &kept->u;

	if (n == 0) {
		if (f->name[side] == NULL)
			return weft__fail(EBADF);
		if (weft__address_unix(f->name[side], &un, &n) != 0)
			n = sizeof un.sun_family;
		un.sun_family = AF_UNIX;
		from = &un;
	}
	memcpy(out, from, n < *length ? n : *length);
	*length = n;
	return 0;
}

int
weft__fdstream_address(struct weft_stream *s, int side, struct sockaddr *out,
    socklen_t *length)
{
	struct weft__fdstream *f = body(s);

	if (f->address[side].length == 0 && f->slot[WEFT__IN] != NULL)
		return ask(f, side, out, length);
	return kept_address(f, side, out, length);
}

/* What is to be known after close. */
static void
keep_names(struct weft__fdstream *f)
{
	union weft__sockaddr address = { .any = { 0 } };
	int side;

	for (side = 0; side < 2; side++) {
		socklen_t length = sizeof address;

		if (f->address[side].length != 0 || f->name[side] != NULL ||
		    ask(f, side, &address.any, &length) < 0)
			continue;
		keep_address(&f->address[side], &address.any, length);
		if (f->address[side].length == 0)
			make_name(f, side);
	}
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
	static const struct linger at_once = { .l_onoff = 1 };
	struct weft__fdstream *f = body(s);
	int error = errno;

	if (s->class->address_of != NULL && f->slot[WEFT__IN] != NULL) {
		keep_names(f);
		if (reset)
			setsockopt(f->fd[WEFT__IN], SOL_SOCKET, SO_LINGER, &at_once,
			    sizeof at_once);
	}
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

/* --- sockets that come from elsewhere */

const struct weft_stream_class *
weft__socket_class(int family)
{
	switch (family) {
	case AF_INET:
	case AF_INET6:
		return &weft__tcp_class;
	case AF_UNIX:
		return &weft__unix_class;
	default:
		return NULL;
	}
}

struct weft_stream *
weft_stream_from_socket(int fd)
{
	struct weft_loop *loop = weft__loop();
	union weft__sockaddr peer;
	socklen_t length = sizeof peer, size = sizeof(int);
	const struct weft_stream_class *class;
	int type;

	if (loop == NULL)
		return NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
	    (type == SOCK_STREAM && getpeername(fd, &peer.any, &length) < 0))
		return weft__make_failed("take", "socket", errno);
	class = type == SOCK_STREAM ? weft__socket_class(peer.any.sa_family) : NULL;
	if (class == NULL)
		return weft__make_failed("take", "socket", EINVAL);
	if (weft__compat_set_flags(fd) < 0)
		return weft__make_failed("take", "socket", errno);
	return weft__socket_stream(loop, class, fd, &peer.any, length);
}
