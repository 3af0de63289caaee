/* SPDX-License-Identifier: MIT */
/*
 * lib/compat.c - SIGPIPE held back around a write, and descriptors that are
 * born as they should be; the models are in compat.h.
 *
 * Blocking, and taking a signal that became pending, is what every system
 * has: there is no write(2) that takes a flag. The signal of a failed write is
 * directed at the thread that wrote, so only this thread can take it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/compat.h"

static bool
sigpipe_is_pending(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

static void
only_sigpipe(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGPIPE);
}

/* One that is pending can only have stayed so because it is blocked. */
void
weft__sigpipe_hold(struct weft__sigpipe *s)
{
	sigset_t set;

	only_sigpipe(&set);
	pthread_sigmask(SIG_BLOCK, &set, &s->mask);
	s->pending = sigismember(&s->mask, SIGPIPE) == 1 && sigpipe_is_pending();
}

/* Where it is ignored it need not become pending: look before sigwait. */
void
weft__sigpipe_release(struct weft__sigpipe *s)
{
	sigset_t set;
	int saved = errno, taken;

	if (saved == EPIPE && !s->pending && sigpipe_is_pending()) {
		only_sigpipe(&set);
		sigwait(&set, &taken);
	}
	pthread_sigmask(SIG_SETMASK, &s->mask, NULL);
	errno = saved;
}

void
weft__sigttou_hold(sigset_t *mask)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &set, mask);
}

void
weft__sigttou_release(const sigset_t *mask)
{
	int saved = errno;

	pthread_sigmask(SIG_SETMASK, mask, NULL);
	errno = saved;
}

int
weft__compat_set_flags(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -1;
	return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Sets the flags of a new descriptor, or closes it. */
static int
with_flags(int fd)
{
	int error;

	if (fd < 0 || weft__compat_set_flags(fd) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int
weft__compat_socket(int family, int type, int protocol)
{
#ifdef SOCK_NONBLOCK
	return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
#else
	return with_flags(socket(family, type, protocol));
#endif
}

#if !defined(SOCK_NONBLOCK) || !defined(HAVE_PIPE2)
/* Two at once: on failure neither is left. */
static int
both_with_flags(int fds[2])
{
	if (with_flags(fds[0]) < 0) {
		close(fds[1]);
		return -1;
	}
	if (with_flags(fds[1]) < 0) {
		close(fds[0]);
		return -1;
	}
	return 0;
}
#endif

int
weft__compat_socketpair(int family, int type, int fds[2])
{
#ifdef SOCK_NONBLOCK
	return socketpair(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
#else
	return socketpair(family, type, 0, fds) < 0 ? -1 : both_with_flags(fds);
#endif
}

int
weft__compat_accept(int fd, struct sockaddr *address, socklen_t *length)
{
#if defined(HAVE_ACCEPT4) && defined(SOCK_NONBLOCK)
	int new = accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (new >= 0 || errno != ENOSYS)
		return new;
#endif
	return with_flags(accept(fd, address, length));
}

int
weft__compat_pipe(int fds[2])
{
#ifdef HAVE_PIPE2
	return pipe2(fds, O_NONBLOCK | O_CLOEXEC);
#else
	return pipe(fds) < 0 ? -1 : both_with_flags(fds);
#endif
}

#ifdef __linux__
int
weft__compat_reopen(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, flags);
}
#else
int
weft__compat_reopen(int fd, int flags)
{
	char path[128];

	return isatty(fd) && ttyname_r(fd, path, sizeof path) == 0 ? open(path, flags) : -1;
}
#endif

int
weft__compat_move(int from, int to)
{
#ifdef HAVE_DUP3
	if (dup3(from, to, O_CLOEXEC) < 0)
		return -1;
#else
	if (dup2(from, to) < 0)
		return -1;
	fcntl(to, F_SETFD, FD_CLOEXEC);
#endif
	close(from);
	return 0;
}

bool
weft__compat_is_controller(int tty)
{
#ifdef TIOCGPTN
	unsigned number;

	return ioctl(tty, TIOCGPTN, &number) == 0;
#else
	return ptsname(tty) != NULL;
#endif
}

bool
weft__compat_keeps_packets(int fd)
{
#ifdef O_DIRECT
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && flags & O_DIRECT;
#else
	(void)fd;
	return false;
#endif
}

int
weft__compat_set_cloexec(int fd)
{
	return WEFT__CMSG_CLOEXEC != 0 ? 0 : fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int
weft__compat_credentials(int fd, uid_t *uid, gid_t *gid, pid_t *pid)
{
#if defined(HAVE_STRUCT_UCRED) && defined(SO_PEERCRED)
	struct ucred peer;
	socklen_t size = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -1;
	*uid = peer.uid;
	*gid = peer.gid;
	*pid = peer.pid;
	return 0;
#elif defined(HAVE_GETPEEREID)
	(void)pid;
	return getpeereid(fd, uid, gid);
#else
	(void)fd, (void)uid, (void)gid, (void)pid;
	errno = ENOTSUP;
	return -1;
#endif
}

/* --- datagrams */

static int
receive_each(int fd, struct mmsghdr *headers, unsigned n, int *late)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		ssize_t got;

		do
			got = recvmsg(fd, &headers[i].msg_hdr, 0);
		while (got < 0 && errno == EINTR);
		if (got < 0 && i > 0 && errno != EAGAIN && errno != EWOULDBLOCK)
			*late = errno;
		if (got < 0)
			break;
		headers[i].msg_len = (unsigned)got;
	}
	return i > 0 ? (int)i : -1;
}

int
weft__compat_recvmmsg(int fd, struct mmsghdr *headers, unsigned n, int *late)
{
#ifdef HAVE_RECVMMSG
	int got;

	do
		got = recvmmsg(fd, headers, n, 0, NULL);
	while (got < 0 && errno == EINTR);
	if (got >= 0 || errno != ENOSYS)
		return got;
#endif
	return receive_each(fd, headers, n, late);
}

static int
send_each(int fd, struct mmsghdr *headers, unsigned n, int flags)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		ssize_t sent;

		do
			sent = sendmsg(fd, &headers[i].msg_hdr, flags);
		while (sent < 0 && errno == EINTR);
		if (sent < 0)
			break;
		headers[i].msg_len = (unsigned)sent;
	}
	return i > 0 ? (int)i : -1;
}

int
weft__compat_sendmmsg(int fd, struct mmsghdr *headers, unsigned n, int flags)
{
#ifdef HAVE_SENDMMSG
	int sent;

	do
		sent = sendmmsg(fd, headers, n, flags);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0 || errno != ENOSYS)
		return sent;
#endif
	return send_each(fd, headers, n, flags);
}

int
weft__compat_set_group(int fd, int option, struct in_addr group,
    struct in_addr interface, unsigned index)
{
#ifdef HAVE_STRUCT_IP_MREQN
	struct ip_mreqn request = { .imr_multiaddr = group, .imr_address = interface,
	    .imr_ifindex = (int)index };
#else
	struct ip_mreq request = { .imr_multiaddr = group, .imr_interface = interface };

	if (index != 0 || option == IP_MULTICAST_IF) {
		errno = ENOTSUP;
		return -1;
	}
#endif
	return setsockopt(fd, IPPROTO_IP, option, &request, sizeof request);
}
