/* SPDX-License-Identifier: MIT */
/*
 * lib/compat.c - SIGPIPE held back around a write, and descriptors that are
 * born as they should be; the models are in compat.h.
 *
 * Blocking, and taking a signal that became pending, is what every system
 * has: there is no write(2) that takes a flag. The signal of a failed write is
 * directed at the thread that wrote, so only this thread can take it; save for
 * macOS and NetBSD, where any thread may get it, but a file can be told to raise
 * none.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/compat.h"

#if defined(SOCK_CLOEXEC) && defined(SOCK_NONBLOCK) && !defined(WEFT_WITHOUT_SOCK_CLOEXEC)
#define SOCKET_FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)
#endif
#if defined(HAVE_STRUCT_IP_MREQN) && !defined(WEFT_WITHOUT_IP_MREQN)
#define BY_INDEX 1
#endif

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

/* Whether the file raises none. A descriptor of ours was told so at its birth;
 * one that is shared is, for as long as the write takes. */
static bool
is_quiet(struct weft__sigpipe *s, int fd)
{
	s->told = -1;
#ifdef F_SETNOSIGPIPE
	if (fcntl(fd, F_GETNOSIGPIPE) > 0)
		return true;
	if (fcntl(fd, F_SETNOSIGPIPE, 1) == 0)
		s->told = fd;
#else
	(void)fd;
#endif
	return s->told >= 0;
}

static void
be_loud_again(int fd)
{
#ifdef F_SETNOSIGPIPE
	if (fd >= 0)
		fcntl(fd, F_SETNOSIGPIPE, 0);
#else
	(void)fd;
#endif
}

/* One that is pending can only have stayed so because it is blocked. */
void
weft__sigpipe_hold(struct weft__sigpipe *s, int fd)
{
	sigset_t set;

	s->quiet = is_quiet(s, fd);
	if (s->quiet)
		return;
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

	if (s->quiet) {
		be_loud_again(s->told);
		errno = saved;
		return;
	}
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
#ifdef F_SETNOSIGPIPE
	(void)fcntl(fd, F_SETNOSIGPIPE, 1);
#endif
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
#ifdef SOCKET_FLAGS
	return socket(family, type | SOCKET_FLAGS, protocol);
#else
	return with_flags(socket(family, type, protocol));
#endif
}

#if !defined(SOCKET_FLAGS) || !defined(HAVE_PIPE2)
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
#ifdef SOCKET_FLAGS
	return socketpair(family, type | SOCKET_FLAGS, 0, fds);
#else
	return socketpair(family, type, 0, fds) < 0 ? -1 : both_with_flags(fds);
#endif
}

int
weft__compat_accept(int fd, struct sockaddr *address, socklen_t *length)
{
#if defined(HAVE_ACCEPT4) && defined(SOCKET_FLAGS)
	int new = accept4(fd, address, length, SOCKET_FLAGS);
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

#if defined(__linux__) && !defined(WEFT_WITHOUT_PROC_SELF_FD)
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

/* macOS says EINVAL of one that was reset. */
int
weft__compat_peer(int fd, struct sockaddr *address, socklen_t *length)
{
	int result = getpeername(fd, address, length);

	if (result < 0 && errno == EINVAL)
		errno = ENOTCONN;
	return result;
}

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
#if defined(HAVE_STRUCT_UCRED) && defined(SO_PEERCRED) && \
    !defined(WEFT_WITHOUT_SO_PEERCRED)
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
send_each(int fd, struct mmsghdr *headers, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		ssize_t sent;

		do
			sent = sendmsg(fd, &headers[i].msg_hdr, WEFT__NOSIGNAL);
		while (sent < 0 && errno == EINTR);
		if (sent < 0)
			break;
		headers[i].msg_len = (unsigned)sent;
	}
	return i > 0 ? (int)i : -1;
}

static int
send_batch(int fd, struct mmsghdr *headers, unsigned n)
{
#ifdef HAVE_SENDMMSG
	int sent;

	do
		sent = sendmmsg(fd, headers, n, WEFT__NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0 || errno != ENOSYS)
		return sent;
#endif
	return send_each(fd, headers, n);
}

int
weft__compat_sendmmsg(int fd, struct mmsghdr *headers, unsigned n)
{
	struct weft__sigpipe held;
	int sent;

	if (WEFT__SOCKETS_RAISE_SIGPIPE)
		weft__sigpipe_hold(&held, fd);
	sent = send_batch(fd, headers, n);
	if (WEFT__SOCKETS_RAISE_SIGPIPE)
		weft__sigpipe_release(&held);
	return sent;
}

#ifdef BY_INDEX
int
weft__compat_set_group(int fd, int option, struct in_addr group,
    struct in_addr interface, unsigned index)
{
	struct ip_mreqn request = { .imr_multiaddr = group, .imr_address = interface,
	    .imr_ifindex = (int)index };

	return setsockopt(fd, IPPROTO_IP, option, &request, sizeof request);
}
#else
/* Its first one, for systems that know an interface by that alone. */
static int
address_of(unsigned index, struct in_addr *address)
{
	struct ifaddrs *all, *one;
	char name[IF_NAMESIZE];

	if (if_indextoname(index, name) == NULL || getifaddrs(&all) < 0)
		return -1;
	for (one = all; one != NULL; one = one->ifa_next)
		if (one->ifa_addr != NULL && one->ifa_addr->sa_family == AF_INET &&
		    strcmp(one->ifa_name, name) == 0)
			break;
	if (one != NULL)
		*address = ((const struct sockaddr_in *)(const void *)one->ifa_addr)->sin_addr;
	freeifaddrs(all);
	errno = EADDRNOTAVAIL;
	return one != NULL ? 0 : -1;
}

int
weft__compat_set_group(int fd, int option, struct in_addr group,
    struct in_addr interface, unsigned index)
{
	struct ip_mreq request = { .imr_multiaddr = group, .imr_interface = interface };

	if (index != 0 && address_of(index, &request.imr_interface) < 0)
		return -1;
	if (option == IP_MULTICAST_IF)
		return setsockopt(fd, IPPROTO_IP, option, &request.imr_interface,
		    sizeof request.imr_interface);
	return setsockopt(fd, IPPROTO_IP, option, &request, sizeof request);
}
#endif
