/* SPDX-License-Identifier: MIT */
/*
 * lib/buffer_io.c - one transfer between Buffers and a descriptor.
 *
 *     buffers   [....====....]  [======]  []  [..==]
 *                    |             |             |
 *     vectors        [====]        [======]      [==]     at most 16
 *                                   |
 *     descriptor  socket? recvmsg, sendmsg with MSG_DONTWAIT
 *                 else    poll(2) with no time, then readv, writev
 *
 * No kind of descriptor is changed: O_NONBLOCK belongs to whoever shares it.
 * What a socket does for one call with a flag, others need two calls for. A
 * blocking pipe that poll calls writable takes PIPE_BUF bytes without waiting
 * and no more than that is offered to it.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "lib/buffer.h"

#ifndef PIPE_BUF
#define PIPE_BUF _POSIX_PIPE_BUF
#endif

/* The pieces between position and limit, in order; empty ones are left out. */
struct pieces {
	struct iovec vectors[WEFT__TRANSFER_VECTORS];
	unsigned count;
	size_t total;
};

_Static_assert(sizeof(struct iovec[WEFT__TRANSFER_VECTORS]) <= 256, "little stack");

static void
cut(struct pieces *p, size_t most)
{
	while (p->total > most) {
		struct iovec *last = &p->vectors[p->count - 1];
		size_t excess = p->total - most;

		if (excess < last->iov_len) {
			last->iov_len -= excess;
			p->total = most;
		} else {
			p->total -= last->iov_len;
			p->count--;
		}
	}
}

static void
collect(struct pieces *p, struct weft_buffer *const *buffers, int count)
{
	p->count = 0;
	p->total = 0;
	for (int i = 0; i < count && p->count < WEFT__TRANSFER_VECTORS; i++) {
		const struct weft_buffer *b = buffers[i];
		size_t n = weft__buffer_remaining(b);

		if (n == 0)
			continue;
		p->vectors[p->count++] = (struct iovec){b->bytes + b->position, n};
		p->total += n;
		if (p->total > WEFT__TRANSFER_MAX) {
			cut(p, WEFT__TRANSFER_MAX);
			break;
		}
	}
}

/* Hands out the n bytes that went through, in the order of collect. */
static void
advance(struct weft_buffer *const *buffers, size_t n)
{
	for (int i = 0; n > 0; i++) {
		size_t room = weft__buffer_remaining(buffers[i]);
		size_t share = n < room ? n : room;

		buffers[i]->position += share;
		n -= share;
	}
}

/* A Buffer that is named twice could not advance by both shares. */
static bool
each_is_named_once(struct weft_buffer *const *buffers, int count)
{
	for (int i = 0; i < count; i++) {
		weft__buffer_check(buffers[i]);
		for (int j = 0; j < i; j++)
			if (buffers[i] == buffers[j])
				return false;
	}
	return true;
}

static bool
any_is_read_only(struct weft_buffer *const *buffers, int count)
{
	for (int i = 0; i < count; i++)
		if (buffers[i]->read_only)
			return true;
	return false;
}

/* Poll does not say that a descriptor is open for the other direction only. */
static bool
is_open_for(int fd, short events)
{
	int mode = fcntl(fd, F_GETFL) & O_ACCMODE;

	return mode != (events == POLLIN ? O_WRONLY : O_RDONLY);
}

/* False, with EAGAIN, if a transfer would make us wait. What poll cannot watch
 * and what is not open are ready to fail: left to the transfer. */
static bool
is_ready(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n;

	do
		n = poll(&p, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n != 0)
		return true;
	errno = is_open_for(fd, events) ? EAGAIN : EBADF;
	return false;
}

static ssize_t
receive_from_socket(int fd, struct pieces *p)
{
	struct msghdr message = {.msg_iov = p->vectors, .msg_iovlen = p->count};
	ssize_t n;

	do
		n = recvmsg(fd, &message, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n;
}

static ssize_t
read_pieces(int fd, struct pieces *p)
{
	ssize_t n;

	do {
		if (!is_ready(fd, POLLIN))
			return -1;
		n = readv(fd, p->vectors, (int)p->count);
	} while (n < 0 && errno == EINTR);
	return n;
}

static ssize_t
send_to_socket(int fd, struct pieces *p)
{
	struct msghdr message = {.msg_iov = p->vectors, .msg_iovlen = p->count};
	struct weft__sigpipe sigpipe;
	ssize_t n;

	if (WEFT__SOCKETS_RAISE_SIGPIPE)
		weft__sigpipe_hold(&sigpipe, fd);
	do
		n = sendmsg(fd, &message, MSG_DONTWAIT | WEFT__NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (WEFT__SOCKETS_RAISE_SIGPIPE)
		weft__sigpipe_release(&sigpipe);
	if (n < 0 && errno == EPROTOTYPE)       /* macOS, while it is torn down */
		errno = ECONNRESET;
	return n;
}

/* Files never make us wait, so they get all at once. */
static bool
may_wait(int fd)
{
	struct stat status;
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 || (flags & O_NONBLOCK) != 0)
		return false;
	return fstat(fd, &status) != 0 || !S_ISREG(status.st_mode);
}

static ssize_t
write_pieces(int fd, struct pieces *p)
{
	struct weft__sigpipe sigpipe;
	bool waits = may_wait(fd);
	ssize_t n;

	if (waits)
		cut(p, PIPE_BUF);
	weft__sigpipe_hold(&sigpipe, fd);
	do {
		if (waits && !is_ready(fd, POLLOUT)) {
			n = -1;
			break;
		}
		n = writev(fd, p->vectors, (int)p->count);
	} while (n < 0 && errno == EINTR);
	weft__sigpipe_release(&sigpipe);
	return n;
}

/* Room for a transfer; if there is none at all, the last Buffer may grow. */
static int
collect_room(struct pieces *p, struct weft_buffer *const *buffers, int count)
{
	if (any_is_read_only(buffers, count))
		return weft__buffer_refuse(EROFS);
	collect(p, buffers, count);
	if (p->total > 0)
		return 0;
	if (weft__buffer_make_room(buffers[count - 1], 1) != 0)
		return -1;
	collect(p, buffers, count);
	return 0;
}

ssize_t
weft_buffer_readv(struct weft_buffer *const *buffers, int count, int fd)
{
	struct pieces pieces;
	int saved = errno;
	ssize_t n;

	if (count <= 0 || !each_is_named_once(buffers, count))
		return weft__buffer_refuse(EINVAL);
	if (collect_room(&pieces, buffers, count) != 0)
		return -1;
	n = receive_from_socket(fd, &pieces);
	if (n < 0 && errno == ENOTSOCK)
		n = read_pieces(fd, &pieces);
	if (n < 0)
		return -1;
	advance(buffers, (size_t)n);
	errno = saved;
	return n;
}

ssize_t
weft_buffer_writev(struct weft_buffer *const *buffers, int count, int fd)
{
	struct pieces pieces;
	int saved = errno;
	ssize_t n;

	if (count <= 0 || !each_is_named_once(buffers, count))
		return weft__buffer_refuse(EINVAL);
	collect(&pieces, buffers, count);
	if (pieces.total == 0)
		return 0;
	n = send_to_socket(fd, &pieces);
	if (n < 0 && errno == ENOTSOCK)
		n = write_pieces(fd, &pieces);
	if (n < 0)
		return -1;
	advance(buffers, (size_t)n);
	errno = saved;
	return n;
}

ssize_t
weft_buffer_recv(struct weft_buffer *b, int fd)
{
	return weft_buffer_readv(&b, 1, fd);
}

ssize_t
weft_buffer_send(struct weft_buffer *b, int fd)
{
	return weft_buffer_writev(&b, 1, fd);
}
