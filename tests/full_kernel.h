/* SPDX-License-Identifier: MIT */
/*
 * tests/full_kernel.h - a kernel that is full when the test says so, for one
 * source of a program that is linked with -Wl,--wrap=send,--wrap=sendmsg and
 * --wrap=writev. It counts the system calls, too. Every kind of stream that has
 * a descriptor sees it.
 */
#ifndef WEFT_TESTS_FULL_KERNEL_H
#define WEFT_TESTS_FULL_KERNEL_H

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/streams.h"

static int sends;               /* system calls */
static bool full;               /* the kernel takes nothing */
static int full_error = EAGAIN; /* and says so */
static size_t offered;          /* the most that one call was to send */
static int takes = -1;          /* after so many calls; -1: never */
/* It takes at most so much; 0: what it likes. Less than was offered means that
 * it is full, and it does not say when it is not any more: the test must try. */
static size_t most;

ssize_t __real_send(int, const void *, size_t, int);
ssize_t __wrap_send(int, const void *, size_t, int);
ssize_t __real_sendmsg(int, const struct msghdr *, int);
ssize_t __wrap_sendmsg(int, const struct msghdr *, int);
ssize_t __real_writev(int, const struct iovec *, int);
ssize_t __wrap_writev(int, const struct iovec *, int);

static bool
is_full(size_t n)
{
	sends++;
	offered = n > offered ? n : offered;
	if (!full && (takes < 0 || takes-- != 0))
		return false;
	errno = full_error;
	return true;
}

static size_t
length_of(const struct iovec *iov, size_t count)
{
	size_t n = 0;

	while (count-- > 0)
		n += iov++->iov_len;
	return n;
}

ssize_t
__wrap_send(int fd, const void *bytes, size_t n, int flags)
{
	if (is_full(n))
		return -1;
	return __real_send(fd, bytes, most > 0 && n > most ? most : n, flags);
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	if (is_full(length_of(message->msg_iov, message->msg_iovlen)))
		return -1;
	return most > 0 ? __real_send(fd, message->msg_iov[0].iov_base,
	    message->msg_iov[0].iov_len < most ? message->msg_iov[0].iov_len : most,
	    flags) : __real_sendmsg(fd, message, flags);
}

ssize_t
__wrap_writev(int fd, const struct iovec *iov, int count)
{
	if (is_full(length_of(iov, (size_t)count)))
		return -1;
	return most > 0 ? write(fd, iov->iov_base,
	    iov->iov_len < most ? iov->iov_len : most) : __real_writev(fd, iov, count);
}

static void
be_yourself(void)
{
	full = false;
	full_error = EAGAIN;
	offered = 0;
	takes = -1;
	most = 0;
}

static TCase *
kernel_case(Suite *suite, const char *name)
{
	TCase *tc = test_case(suite, name);

	tcase_add_checked_fixture(tc, be_yourself, be_yourself);
	return tc;
}

#endif
