/* SPDX-License-Identifier: MIT */
/*
 * tests/kernels.h - another kernel: what a call answers where it answers something
 * else there. For one source of a program that is linked with --wrap for each.
 */
#ifndef WEFT_TESTS_KERNELS_H
#define WEFT_TESTS_KERNELS_H

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/wrap.h"

/* When connect(2) tells what has become of a connection. */
static enum { AS_HERE, AT_ONCE, LATER, WAYS } way;
static int late_fd = -1, late_error;

/* What a call says where it says something else here: 0 as here, else an errno,
 * or END. */
enum { END = -1 };
static int shutdown_says, end_says, hang_up_says, no_peer_says, option_says, no_socket_says,
    listens_says, sends_say;
static bool no_address, lengths_lie;
static int beyond;              /* a descriptor that was not in the message */

int __real_connect(int, const struct sockaddr *, socklen_t);
int __wrap_connect(int, const struct sockaddr *, socklen_t);
int __real_getsockopt(int, int, int, void *, socklen_t *);
int __wrap_getsockopt(int, int, int, void *, socklen_t *);
int __real_setsockopt(int, int, int, const void *, socklen_t);
int __wrap_setsockopt(int, int, int, const void *, socklen_t);
int __real_shutdown(int, int);
int __wrap_shutdown(int, int);
int __real_getpeername(int, struct sockaddr *, socklen_t *);
int __wrap_getpeername(int, struct sockaddr *, socklen_t *);
int __real_accept4(int, struct sockaddr *, socklen_t *, int);
int __wrap_accept4(int, struct sockaddr *, socklen_t *, int);
ssize_t __real_read(int, void *, size_t);
ssize_t __wrap_read(int, void *, size_t);
ssize_t __real_writev(int, const struct iovec *, int);
ssize_t __wrap_writev(int, const struct iovec *, int);
ssize_t __real_write(int, const void *, size_t);
ssize_t __wrap_write(int, const void *, size_t);
ssize_t __real_recvmsg(int, struct msghdr *, int);
ssize_t __wrap_recvmsg(int, struct msghdr *, int);
ssize_t __real_sendmsg(int, const struct msghdr *, int);
ssize_t __wrap_sendmsg(int, const struct msghdr *, int);
ssize_t __real_send(int, const void *, size_t, int);
ssize_t __wrap_send(int, const void *, size_t, int);

static inline int
instead(int error)
{
	errno = error;
	return -1;
}

static inline int
wait_for_it(int fd)
{
	struct pollfd one = { .fd = fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int error = 0;

	ck_assert_int_eq(poll(&one, 1, 30000), 1);
	ck_assert_int_eq(__real_getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	return error != 0 ? instead(error) : 0;
}

int
__wrap_connect(int fd, const struct sockaddr *to, socklen_t length)
{
	int result = __real_connect(fd, to, length);

	if (result < 0 && errno == ECONNREFUSED && no_socket_says != 0)
		return instead(no_socket_says);
	if (way == AT_ONCE && result < 0 && errno == EINPROGRESS)
		return wait_for_it(fd);
	if (way == LATER && result < 0 && errno == ECONNREFUSED) {
		late_fd = fd;
		late_error = errno;
	}
	return way == LATER && (result == 0 || errno == ECONNREFUSED) ? instead(EINPROGRESS) : result;
}

/* Once, as it is with the real one. */
int
__wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
	int result = __real_getsockopt(fd, level, option, value, size);

	if (level == SOL_SOCKET && option == SO_ACCEPTCONN && listens_says != 0)
		return instead(listens_says);
	if (level == SOL_SOCKET && option == SO_ERROR && fd == late_fd) {
		*(int *)value = late_error;
		late_fd = -1;
	}
	return result;
}

int
__wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	return option_says != 0 ? instead(option_says) : __real_setsockopt(fd, level, option, value, size);
}

int
__wrap_shutdown(int fd, int how)
{
	int result = __real_shutdown(fd, how);

	return shutdown_says != 0 ? instead(shutdown_says) : result;
}

int
__wrap_getpeername(int fd, struct sockaddr *address, socklen_t *length)
{
	int result = __real_getpeername(fd, address, length);

	return result < 0 && errno == ENOTCONN && no_peer_says == EINVAL ? instead(EINVAL) :
	    no_peer_says == ENOTCONN ? instead(ENOTCONN) : result;
}

int
__wrap_accept4(int fd, struct sockaddr *peer, socklen_t *length, int flags)
{
	int new = __real_accept4(fd, peer, length, flags);

	if (new >= 0 && no_address) {
		no_address = false;
		memset(peer, 0, sizeof *peer);
		*length = 0;
	}
	return new;
}

WRAP_ACCEPT_ALIKE

/* The end of a terminal that has hung up. */
ssize_t
__wrap_read(int fd, void *to, size_t n)
{
	ssize_t got = __real_read(fd, to, n);

	if ((got == 0 || (got < 0 && errno == EIO)) && end_says != 0 && isatty(fd))
		return end_says == END ? 0 : instead(end_says);
	return got;
}

ssize_t
__wrap_writev(int fd, const struct iovec *iov, int n)
{
	ssize_t sent = __real_writev(fd, iov, n);

	return sent < 0 && errno == EIO && hang_up_says != 0 ? instead(hang_up_says) : sent;
}

ssize_t
__wrap_write(int fd, const void *from, size_t n)
{
	ssize_t sent = __real_write(fd, from, n);

	return sent < 0 && errno == EIO && hang_up_says != 0 ? instead(hang_up_says) : sent;
}

/* It cuts what has no room, but leaves the length in the header as it was. */
ssize_t
__wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t got = __real_recvmsg(fd, message, flags);
	struct cmsghdr *header = got >= 0 && lengths_lie ? CMSG_FIRSTHDR(message) : NULL;

	if (header != NULL) {
		message->msg_flags |= MSG_CTRUNC;
		message->msg_controllen = CMSG_LEN(sizeof(int));
		header->cmsg_len = CMSG_LEN(5 * sizeof(int));
		for (size_t i = 1; i < 5; i++)
			memcpy(CMSG_DATA(header) + i * sizeof beyond, &beyond, sizeof beyond);
	}
	return got;
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	return sends_say != 0 ? instead(sends_say) : __real_sendmsg(fd, message, flags);
}

ssize_t
__wrap_send(int fd, const void *from, size_t n, int flags)
{
	return sends_say != 0 ? instead(sends_say) : __real_send(fd, from, n, flags);
}

static inline void
be_this_kernel(void)
{
	way = AS_HERE;
	shutdown_says = end_says = hang_up_says = no_peer_says = option_says = 0;
	no_socket_says = listens_says = sends_say = 0;
	no_address = lengths_lie = false;
	late_fd = -1;
}

#endif
