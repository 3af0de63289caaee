/* SPDX-License-Identifier: MIT */
/*
 * Descriptors and credentials through a Unix socket.
 *
 * One byte travels with the descriptors, because nothing cannot be sent, and
 * keeps its place among the bytes of the stream: it is sent behind all that is
 * queued, and received when all before it has been read. A byte that was read
 * ahead has lost what came with it; whoever expects descriptors reads exactly
 * up to them.
 *
 * Whatever comes is closed again unless it is all that was to come: truncated
 * control data, more descriptors than there is room for, other kinds of data.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/compat.h"
#include "lib/fdstream.h"
#include "weft/unix.h"

union control {
	struct cmsghdr header;          /* for its alignment */
	char bytes[CMSG_SPACE(WEFT_FDS_MAX * sizeof(int))];
};

static bool
is_unix(const struct weft_stream *s)
{
	return s->class == &weft__unix_class;
}

static int
descriptor(const struct weft_stream *s)
{
	return ((const struct weft__fdstream *)s)->fd[WEFT__IN];
}

/* --- send */

static ssize_t
send_once(int socket, const int *fds, int n)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	union control control;
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int))
	};
	struct cmsghdr *header;
	struct weft__sigpipe held;
	ssize_t sent;

	memset(&control, 0, sizeof control);
	header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(header), fds, (size_t)n * sizeof(int));
	if (WEFT__SOCKETS_RAISE_SIGPIPE)
		weft__sigpipe_hold(&held, socket);
	do
		sent = sendmsg(socket, &message, WEFT__NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (WEFT__SOCKETS_RAISE_SIGPIPE)
		weft__sigpipe_release(&held);
	return sent;
}

/* Behind all that is queued. 0 or an errno. */
static int
send_all(struct weft_stream *s, const int *fds, int n, int64_t deadline)
{
	int error = weft__stream_flush(s, deadline) < 0 ? errno : 0;

	if (error == 0 && s->shut)
		error = EPIPE;
	while (error == 0) {
		if (s->ended)
			return EBADF;
		if (send_once(descriptor(s), fds, n) >= 0)
			return 0;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return errno;
		s->ready &= (uint8_t)~WEFT_WRITABLE;
		error = weft__stream_wait_output(s, deadline);
	}
	return error;
}

int
weft_stream_send_fds(struct weft_stream *s, const int *fds, int n, int64_t deadline)
{
	int saved = errno, error;

	if (!is_unix(s))
		return weft__fail(ENOTSUP);
	if (n < 1 || n > WEFT_FDS_MAX)
		return weft__fail(EINVAL);
	error = weft__stream_enter(s, &s->writing, deadline);
	if (error != 0)
		return weft__fail(error);
	error = send_all(s, fds, n, deadline);
	weft__stream_leave(s, &s->writing);
	errno = error == 0 ? saved : error;
	return error == 0 ? 0 : -1;
}

int
weft_stream_send_fd(struct weft_stream *s, int fd, int64_t deadline)
{
	return weft_stream_send_fds(s, &fd, 1, deadline);
}

/* --- receive */

static void
close_all(const int *fds, int n)
{
	while (n-- > 0)
		close(fds[n]);
}

/* How many descriptors of it can be in the message: macOS leaves the length of a
 * header as it was when it cuts it. */
static size_t
room_in(const struct msghdr *message, struct cmsghdr *header)
{
	const char *end = (const char *)message->msg_control + message->msg_controllen;
	const char *data = (const char *)CMSG_DATA(header);

	return data < end ? (size_t)(end - data) / sizeof(int) : 0;
}

/* Moves the descriptors of one header to fds[*n..max]; what has no room there
 * is closed. False: some had none. */
static bool
take(struct cmsghdr *header, size_t room, int *fds, int max, int *n)
{
	size_t i, count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	bool all = count <= room;

	if (!all)
		count = room;
	for (i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, (char *)CMSG_DATA(header) + i * sizeof fd, sizeof fd);
		if (*n < max && weft__compat_set_cloexec(fd) == 0) {
			fds[(*n)++] = fd;
		} else {
			close(fd);
			all = false;
		}
	}
	return all;
}

/* The descriptors of a message: how many, or -1 with EMFILE if not all of them
 * could be had. */
static int
unpack(struct msghdr *message, int *fds, int max)
{
	bool all = !(message->msg_flags & MSG_CTRUNC);
	struct cmsghdr *header;
	int n = 0;

	for (header = CMSG_FIRSTHDR(message); header != NULL;
	    header = CMSG_NXTHDR(message, header))
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
			all = take(header, room_in(message, header), fds, max, &n) && all;
	if (all)
		return n;
	close_all(fds, n);
	return weft__fail(EMFILE);
}

/* > 0: so many; 0: a byte without any; -1 with errno, EPIPE at the end. */
static int
receive_once(int socket, int *fds, int max)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	union control control;
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof control.bytes
	};
	ssize_t got;

	do
		got = recvmsg(socket, &message, WEFT__CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return weft__fail(errno == EWOULDBLOCK ? EAGAIN : errno);
	return got == 0 ? weft__fail(EPIPE) : unpack(&message, fds, max);
}

static int
receive(struct weft_stream *s, int *fds, int max, int64_t deadline)
{
	int n, error = 0;

	if (weft__input_count(s) > 0) { /* read ahead: nothing came with it */
		weft__input_consume(s, 1);
		return weft__fail(ENOMSG);
	}
	while (error == 0) {
		if (s->closed)
			return weft__fail(EBADF);
		if (s->read_error != 0 || s->eof)
			return weft__fail(s->eof ? EPIPE : s->read_error);
		n = receive_once(descriptor(s), fds, max);
		if (n > 0)
			return n;
		if (n == 0)
			return weft__fail(ENOMSG);
		if (errno != EAGAIN)
			return -1;
		s->ready &= (uint8_t)~WEFT_READABLE;
		error = weft__input_wait(s, deadline);
	}
	return weft__fail(error);
}

int
weft_stream_recv_fds(struct weft_stream *s, int *fds, int max, int64_t deadline)
{
	int error;

	if (!is_unix(s))
		return weft__fail(ENOTSUP);
	if (max < 1)
		return weft__fail(EINVAL);
	error = weft__stream_enter(s, &s->reading, deadline);
	if (error != 0)
		return weft__fail(error);
	return (int)weft__read_leave(s, receive(s, fds, max, deadline));
}

int
weft_stream_recv_fd(struct weft_stream *s, int64_t deadline)
{
	int fd;

	return weft_stream_recv_fds(s, &fd, 1, deadline) < 0 ? -1 : fd;
}

/* --- credentials */

int
weft_stream_peer_credentials(struct weft_stream *s, uid_t *uid, gid_t *gid, pid_t *pid)
{
	uid_t user = (uid_t)-1;
	gid_t group = (gid_t)-1;
	pid_t process = (pid_t)-1;

	if (!is_unix(s))
		return weft__fail(ENOTSUP);
	if (s->ended)
		return weft__fail(EBADF);
	if (weft__compat_credentials(descriptor(s), &user, &group, &process) < 0)
		return -1;
	if (uid != NULL)
		*uid = user;
	if (gid != NULL)
		*gid = group;
	if (pid != NULL)
		*pid = process;
	return 0;
}
