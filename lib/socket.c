/* SPDX-License-Identifier: MIT */
/*
 * A stream on a socket: transfers that raise no SIGPIPE, and the names and
 * addresses of both sides, which are known after close, too.
 *
 * A Unix socket cuts a read where descriptors or credentials travelled, so
 * that a short one does not mean that it is drained; where recvmsg tells, that
 * is what is asked.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/compat.h"
#include "lib/fdstream.h"

static struct weft__fdstream *
body(const struct weft_stream *s)
{
	return (struct weft__fdstream *)(uintptr_t)s;
}

/* --- transfers */

/* A Unix socket cuts a read where descriptors or credentials travelled. They
 * are dropped here, as read(2) would drop them, but it is told. */
ssize_t
weft__socket_receive(struct weft_stream *s, void *dst, size_t n)
{
	struct weft__fdstream *f = body(s);
	struct iovec iov = { dst, n < WEFT__TRANSFER_MAX ? n : WEFT__TRANSFER_MAX };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t got;

	do
		got = recvmsg(f->fd[WEFT__IN], &message, 0);
	while (got < 0 && errno == EINTR);
	return weft__fdstream_got(f, got, message.msg_flags & MSG_CTRUNC ? 0 : iov.iov_len);
}

static WEFT__APART ssize_t
send_vectors(struct weft__fdstream *f, const struct iovec *iov, int count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)iov,
	    .msg_iovlen = (size_t)count };
	struct weft__sigpipe held;
	ssize_t sent;

	if (WEFT__SOCKETS_RAISE_SIGPIPE)
		weft__sigpipe_hold(&held, f->fd[WEFT__OUT]);
	do
		sent = sendmsg(f->fd[WEFT__OUT], &message, WEFT__NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (WEFT__SOCKETS_RAISE_SIGPIPE)
		weft__sigpipe_release(&held);
	return weft__fdstream_sent(f, sent, weft__vectors_length(iov, count));
}

/* One vector, as most are, needs no message around it. */
ssize_t
weft__socket_send(struct weft_stream *s, const struct iovec *iov, int count)
{
	struct weft__fdstream *f = body(s);
	size_t n = iov->iov_len;
	ssize_t sent;

	if (count != 1 || n > WEFT__TRANSFER_MAX || WEFT__SOCKETS_RAISE_SIGPIPE)
		return send_vectors(f, iov, count);
	do
		sent = send(f->fd[WEFT__OUT], iov->iov_base, n, WEFT__NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return weft__fdstream_sent(f, sent, n);
}

int
weft__socket_shutdown(struct weft_stream *s)
{
	/* A peer that is gone already has seen the end. */
	if (shutdown(body(s)->fd[WEFT__OUT], SHUT_WR) == 0 || errno == ENOTCONN)
		return 0;
	return -1;
}

/* --- names */

static void
keep_address(struct weft__address *to, const struct sockaddr *from, socklen_t length)
{
	if (length > sizeof to->u ||
	    (from->sa_family != AF_INET && from->sa_family != AF_INET6))
		return;                 /* asked for when it is wanted */
	memcpy(&to->u, from, length);
	to->length = length;
}

static int
ask(const struct weft__fdstream *f, int side, struct sockaddr *address, socklen_t *length)
{
	return side == WEFT__OURS ? getsockname(f->fd[WEFT__IN], address, length) :
	    weft__compat_peer(f->fd[WEFT__IN], address, length);
}

static void
make_name(struct weft__fdstream *f, int side)
{
	union weft__sockaddr address = { .any = { 0 } };
	socklen_t length = sizeof address;
	char name[WEFT__NAME_MAX];

	if (f->name[side] != NULL)
		return;
	if (weft__socket_address(&f->stream, side, &address.any, &length) < 0)
		return;
	weft__address_format(&address.any, length, name);
	f->name[side] = strdup(name);
}

const char *
weft__socket_name(struct weft_stream *s, int side)
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
weft__socket_address(struct weft_stream *s, int side, struct sockaddr *out,
    socklen_t *length)
{
	struct weft__fdstream *f = body(s);

	if (f->address[side].length == 0 && f->slot[WEFT__IN] != NULL)
		return ask(f, side, out, length);
	return kept_address(f, side, out, length);
}

/* What is to be known after close. */
void
weft__socket_keep_names(struct weft__fdstream *f)
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

void
weft__socket_close(struct weft_stream *s, bool reset)
{
	static const struct linger at_once = { .l_onoff = 1 };
	struct weft__fdstream *f = body(s);
	int error = errno;

	if (f->slot[WEFT__IN] != NULL) {
		if (!s->leaving)
			weft__socket_keep_names(f);
		if (reset)
			setsockopt(f->fd[WEFT__IN], SOL_SOCKET, SO_LINGER, &at_once,
			    sizeof at_once);
	}
	weft__fdstream_close(s, reset);
	errno = error;
}

/* --- birth */

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

void
weft__socket_adopt(struct weft_stream *s, int fd, struct weft__slot *slot,
    const struct sockaddr *peer, socklen_t length)
{
	weft__fdstream_adopt(s, fd, slot);
	keep_address(&body(s)->address[WEFT__PEERS], peer, length);
}

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

/* Its peer, or -1. The BSDs forget that of a Unix socket as soon as it has gone,
 * although what it has said can be read still. */
static int
find_peer(int fd, union weft__sockaddr *peer, socklen_t *length)
{
	char byte;

	if (weft__compat_peer(fd, &peer->any, length) == 0)
		return 0;
	if (errno != ENOTCONN || getsockname(fd, &peer->any, length) < 0)
		return -1;
	if (peer->any.sa_family == AF_UNIX && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
		return 0;
	return weft__fail(ENOTCONN);
}

struct weft_stream *
weft_stream_from_socket(int fd)
{
	struct weft_loop *loop = weft__loop();
	union weft__sockaddr peer;
	socklen_t length = sizeof peer, size = sizeof(int);
	const struct weft_stream_class *class;
	struct weft_stream *s;
	int type;

	if (loop == NULL)
		return NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
	    (type == SOCK_STREAM && find_peer(fd, &peer, &length) < 0))
		return weft__make_failed("take", "socket", errno);
	class = type == SOCK_STREAM ? weft__socket_class(peer.any.sa_family) : NULL;
	if (class == NULL)
		return weft__make_failed("take", "socket", EINVAL);
	s = weft__socket_stream(loop, class, fd, &peer.any, length);
	if (s == NULL)
		return weft__make_failed("take", "socket", ENOMEM);
	/* Last, so that a socket that is not taken is as it was. It cannot fail
	 * where all of the above has not. */
	(void)!weft__compat_set_flags(fd);
	return s;
}
