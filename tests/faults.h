/* SPDX-License-Identifier: MIT */
/*
 * tests/faults.h - calls that fail on demand, in the thread that wants them to:
 * set `failing`, `error_to_give`, and `countdown` to k for the k-th call. With
 * FAULTS_IN_A_FAKE_NET, sockets are made and connected by fake_net.h.
 */
#ifndef WEFT_TESTS_FAULTS_H
#define WEFT_TESTS_FAULTS_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/wrap.h"

enum { ERRORS = 14 };

enum faulty {
	CREATE, CTL, WAIT, POLL, EVENTFD, SOCKET, CONNECT, ACCEPT, READ, WRITE, WRITEV,
	SEND, SENDMSG, PIPE, MMAP, MALLOC, CALLOC, REALLOC, STRDUP, CALLS
};

static const struct {
	const char *name;
	int errors[ERRORS];
} faults[CALLS] = {
	[CREATE] = { "epoll_create1", { EMFILE, ENFILE, ENOMEM } },
	[CTL] = { "epoll_ctl", { ENOMEM, ENOSPC } },
	/* The last two happen really: see __wrap_epoll_wait. */
	[WAIT] = { "epoll_wait", { EINTR, EBADF, EINVAL } },
	[POLL] = { "poll", { EINTR, EAGAIN, ENOMEM, EINVAL } },
	[EVENTFD] = { "eventfd", { EMFILE, ENFILE, ENOMEM, ENODEV } },
	[SOCKET] = { "socket", { EMFILE, ENFILE, ENOMEM, ENOBUFS, EACCES,
	    EAFNOSUPPORT } },
	[CONNECT] = { "connect", { EINTR, ECONNREFUSED, ENETUNREACH, EHOSTUNREACH,
	    ETIMEDOUT, EADDRNOTAVAIL, EACCES, EPERM, ENOBUFS, ENOMEM } },
	[ACCEPT] = { "accept4", { EINTR, EAGAIN, ECONNABORTED, EPROTO, EPERM,
	    ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENETUNREACH, EMFILE, ENFILE, ENOBUFS,
	    ENOMEM } },
	[READ] = { "read", { EINTR, EAGAIN, ECONNRESET, EIO, ETIMEDOUT } },
	[WRITE] = { "write", { EINTR } },       /* to the loop's own descriptor */
	[WRITEV] = { "writev", { EINTR, EAGAIN, EPIPE, EIO, ENOSPC } },
	[SEND] = { "send", { EINTR, EAGAIN, EPIPE, ECONNRESET, ENOBUFS, ENOMEM } },
	[SENDMSG] = { "sendmsg", { EINTR, EAGAIN, EPIPE, ECONNRESET, ENOBUFS,
	    ENOMEM } },
	[PIPE] = { "pipe2", { EMFILE, ENFILE } },
	[MMAP] = { "mmap", { ENOMEM, EAGAIN } },
	[MALLOC] = { "malloc", { ENOMEM } },
	[CALLOC] = { "calloc", { ENOMEM } },
	[REALLOC] = { "realloc", { ENOMEM } },
	[STRDUP] = { "strdup", { ENOMEM } },
};

static _Thread_local enum faulty failing = CALLS;
static _Thread_local int countdown, error_to_give;
static bool hit;
static int replaced = -1;       /* a descriptor that is not the loop's any more */
/* What this thread, and so its loop, has got and not given back. */
static _Thread_local long blocks, mapped;

static bool
fails(enum faulty call)
{
	if (call != failing || --countdown != 0)
		return false;
	hit = true;
	errno = error_to_give;
	return true;
}

/* What is got is counted. */
#define WRAP_BLOCK(call, name, is_new, parameters, arguments) \
	void *__real_##name parameters; \
	void *__wrap_##name parameters; \
	void * \
	__wrap_##name parameters \
	{ \
		void *block = fails(call) ? NULL : __real_##name arguments; \
		\
		blocks += block != NULL && is_new; \
		return block; \
	}

WRAP(CREATE, int, epoll_create1, -1, (int flags), (flags))
WRAP(POLL, int, poll, -1, (struct pollfd *set, nfds_t n, int timeout), (set, n, timeout))
WRAP(EVENTFD, int, eventfd, -1, (unsigned n, int flags), (n, flags))
#ifndef FAULTS_IN_A_FAKE_NET
WRAP(SOCKET, int, socket, -1, (int family, int type, int protocol),
    (family, type, protocol))
#endif
WRAP(ACCEPT, int, accept4, -1, (int fd, struct sockaddr *a, socklen_t *n, int f),
    (fd, a, n, f))
WRAP_ACCEPT_ALIKE
WRAP(READ, ssize_t, read, -1, (int fd, void *to, size_t n), (fd, to, n))
WRAP(WRITE, ssize_t, write, -1, (int fd, const void *from, size_t n), (fd, from, n))
WRAP(WRITEV, ssize_t, writev, -1, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP(SEND, ssize_t, send, -1, (int fd, const void *b, size_t n, int f), (fd, b, n, f))
WRAP(SENDMSG, ssize_t, sendmsg, -1, (int fd, const struct msghdr *m, int f), (fd, m, f))
WRAP(PIPE, int, pipe2, -1, (int fds[2], int flags), (fds, flags))
WRAP_PIPE_ALIKE
WRAP_BLOCK(MALLOC, malloc, true, (size_t n), (n))
WRAP_BLOCK(CALLOC, calloc, true, (size_t n, size_t size), (n, size))
WRAP_BLOCK(REALLOC, realloc, old == NULL, (void *old, size_t n), (old, n))

int __real_epoll_ctl(int, int, int, struct epoll_event *);
int __wrap_epoll_ctl(int, int, int, struct epoll_event *);
int __real_epoll_wait(int, struct epoll_event *, int, int);
int __wrap_epoll_wait(int, struct epoll_event *, int, int);
int __real_connect(int, const struct sockaddr *, socklen_t);
int __wrap_connect(int, const struct sockaddr *, socklen_t);
char *__real_strdup(const char *);
char *__wrap_strdup(const char *);
void __real_free(void *);
void __wrap_free(void *);
void *__real_mmap(void *, size_t, int, int, int, off_t);
void *__wrap_mmap(void *, size_t, int, int, int, off_t);
int __real_munmap(void *, size_t);
int __wrap_munmap(void *, size_t);

/* Taking out cannot fail for lack of anything. */
int
__wrap_epoll_ctl(int set, int how, int fd, struct epoll_event *event)
{
	return how != EPOLL_CTL_DEL && fails(CTL) ? -1 :
	    __real_epoll_ctl(set, how, fd, event);
}

/* The program closes the loop's own descriptor, or puts a file in its place. */
int
__wrap_epoll_wait(int set, struct epoll_event *events, int n, int timeout)
{
	if (!fails(WAIT))
		return __real_epoll_wait(set, events, n, timeout);
	switch (error_to_give) {
	case EBADF:
		close(set);
		break;
	case EINVAL:
		replaced = dup2(STDERR_FILENO, set);
		break;
	default:
		return -1;
	}
	return __real_epoll_wait(set, events, n, timeout);
}

#ifndef FAULTS_IN_A_FAKE_NET
/* An interrupted one goes on. */
int
__wrap_connect(int fd, const struct sockaddr *to, socklen_t length)
{
	if (!fails(CONNECT))
		return __real_connect(fd, to, length);
	if (error_to_give == EINTR)
		__real_connect(fd, to, length);
	errno = error_to_give;
	return -1;
}
#endif

char *
__wrap_strdup(const char *text)
{
	char *block = fails(STRDUP) ? NULL : __real_strdup(text);

	blocks += block != NULL;
	return block;
}

void
__wrap_free(void *block)
{
	blocks -= block != NULL;
	__real_free(block);
}

void *
__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	void *memory = fails(MMAP) ? MAP_FAILED :
	    __real_mmap(at, size, protection, flags, fd, offset);

	mapped += memory != MAP_FAILED ? (long)size : 0;
	return memory;
}

int
__wrap_munmap(void *at, size_t size)
{
	mapped -= (long)size;
	return __real_munmap(at, size);
}

/* What a thread has not given back when it has ended. In it:
 * pthread_setspecific(at_the_end, left), of a key with this destructor. */
struct left {
	bool ended;
	long blocks, mapped;
};
static pthread_key_t at_the_end;

/* Destructors run in any order: this one puts itself behind the loop's. */
static inline void
count_what_is_left(void *arg)
{
	struct left *left = arg;

	if (!left->ended) {
		left->ended = true;
		pthread_setspecific(at_the_end, left);
		return;
	}
	left->blocks = blocks;
	left->mapped = mapped;
}

#endif
