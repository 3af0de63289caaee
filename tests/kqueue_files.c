/* SPDX-License-Identifier: MIT */
/*
 * READ and WRITE in the double of kqueue. poll(2) says how a descriptor is;
 * the rest of a BSD's answer is put together from what else Linux tells. It
 * must not touch the descriptor: SO_ERROR, for one, can be read only once.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/kqueue_double.h"

enum {
	CLOSED = 7,             /* of a TCP connection */
	ADDRESS = 16            /* OpenBSD counts each datagram's sockaddr_in */
};

static int
look(int fd, short events)
{
	struct pollfd set = { .fd = fd, .events = events };

	return poll(&set, 1, 0) > 0 ? set.revents : 0;
}

static int
option(int fd, int name)
{
	int value = 0;
	socklen_t size = sizeof value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0 ? 0 : value;
}

static mode_t
type_of(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 ? status.st_mode & S_IFMT : 0;
}

static bool
tcp_info(int fd, struct tcp_info *info)
{
	socklen_t size = sizeof *info;

	memset(info, 0, sizeof *info);
	return option(fd, SO_TYPE) == SOCK_STREAM &&
	    getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size) == 0;
}

/* The error that the socket has in store: only TCP's two are told apart. A BSD
 * says ECONNRESET also where Linux, after the peer's FIN, says EPIPE. */
static unsigned
pending_error(int fd)
{
	struct tcp_info info;

	if (!tcp_info(fd, &info) || info.tcpi_state != CLOSED)
		return 0;
	return info.tcpi_rtt != 0 ? ECONNRESET : ECONNREFUSED;
}

/* --- how much there is to read */

/* All datagrams, by peeking at one after the other: never where there may be an
 * error instead, which that would take. */
static int64_t
datagrams(int fd)
{
	static char sink[1 << 16];
	int from_first = 0, off = -1;
	int64_t sum = 0;
	ssize_t n;

	if (setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &from_first, sizeof from_first) < 0)
		return 1;
	while ((n = recv(fd, sink, sizeof sink, MSG_PEEK | MSG_DONTWAIT)) > 0)
		sum += n + (kqueue_openbsd() ? ADDRESS : 0);
	setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof off);
	return sum;
}

static int64_t
backlog(int fd)
{
	struct tcp_info info;

	return tcp_info(fd, &info) ? (int64_t)info.tcpi_unacked : 1;
}

/* An end of file that was typed is a byte, which FIONREAD does not count. */
static int64_t
readable_bytes(int fd, int revents)
{
	int n = 0;

	if (option(fd, SO_ACCEPTCONN))
		return backlog(fd);
	if (ioctl(fd, FIONREAD, &n) == 0 && n > 0)
		return option(fd, SO_DOMAIN) == AF_INET && !(revents & POLLERR) &&
		    option(fd, SO_TYPE) == SOCK_DGRAM ? datagrams(fd) : n;
	return revents & POLLIN && !(revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* How much may be written: of the size of the buffers here, not of a BSD's. */
static int64_t
space(int fd)
{
	int used = 0, size = option(fd, SO_SNDBUF);

	if (size > 0) {
		ioctl(fd, TIOCOUTQ, &used);
		return size > used ? size - used : 1;
	}
	size = fcntl(fd, F_GETPIPE_SZ);
	if (size > 0 && ioctl(fd, FIONREAD, &used) == 0)
		return size > used ? size - used : 1;
	return 1;
}

/* --- registered and not */

static bool
polls(int fd)
{
	mode_t type = type_of(fd);

	return type != S_IFREG && type != S_IFDIR;
}

int
kqueue_file_attach(struct knote *knote)
{
	bool reading = knote->event.filter == EVFILT_READ;
	int fd = (int)knote->event.ident, error;

	if (kqueue_darwin() && type_of(fd) == S_IFCHR)
		return EINVAL;
	if (!reading && !kqueue_openbsd() && type_of(fd) == S_IFIFO &&
	    look(fd, 0) & POLLERR)
		return EPIPE;
	knote->half = look(fd, POLLRDHUP) & POLLRDHUP;
	error = reading ?
	    kqueue_watch(knote, knote->kq->fd, fd, EPOLLIN | EPOLLRDHUP) :
	    kqueue_watch(knote, knote->kq->writing, fd, EPOLLOUT);
	if (error != EPERM)
		return error;
	knote->unpolled = true;
	return polls(fd) && !kqueue_openbsd() ? ENODEV : 0;
}

void
kqueue_file_detach(struct knote *knote)
{
	struct epoll_event ignored;

	epoll_ctl(knote->event.filter == EVFILT_READ ? knote->kq->fd :
	    knote->kq->writing, EPOLL_CTL_DEL, (int)knote->event.ident, &ignored);
}

/* --- the filters */

/* Files have a size and no edges; devices that cannot be polled are ready. */
static bool
unpolled_true(struct knote *knote)
{
	int fd = (int)knote->event.ident;
	struct stat status;

	knote->event.data = 0;
	if (knote->event.filter == EVFILT_WRITE || polls(fd))
		return true;
	if (fstat(fd, &status) == 0)
		knote->event.data = status.st_size - lseek(fd, 0, SEEK_CUR);
	return knote->event.data != 0;
}

static bool
ended(struct knote *knote, int revents)
{
	int fd = (int)knote->event.ident;
	int bits = knote->event.filter == EVFILT_READ ? POLLRDHUP | POLLHUP : POLLHUP;

	if (revents & POLLERR && option(fd, SO_TYPE) != SOCK_DGRAM)
		return true;
	if (knote->event.filter == EVFILT_WRITE && kqueue_was_shut(fd))
		return true;
	return revents & bits;
}

static bool
read_true(struct knote *knote)
{
	int fd = (int)knote->event.ident;
	int revents = look(fd, POLLIN | POLLRDHUP);

	knote->event.flags &= (unsigned short)~EV_EOF;
	if (ended(knote, revents)) {
		knote->event.flags |= EV_EOF;
		knote->event.fflags = revents & POLLERR ? pending_error(fd) : 0;
	}
	knote->event.data = readable_bytes(fd, revents);
	return revents != 0;
}

/* A pipe whose reader goes loses the knotes of its writers on FreeBSD. */
static void
write_ended(struct knote *knote, int revents)
{
	int fd = (int)knote->event.ident;

	knote->event.flags |= EV_EOF;
	if (type_of(fd) != S_IFIFO)
		knote->event.fflags = revents & POLLERR ? pending_error(fd) : 0;
	else if (kqueue_openbsd())
		knote->event.data = 0;
	else
		knote->event.flags |= EV_ONESHOT;
}

static bool
write_true(struct knote *knote)
{
	int fd = (int)knote->event.ident, revents = look(fd, POLLOUT);

	knote->event.flags &= (unsigned short)~EV_EOF;
	knote->event.data = space(fd);
	if (!ended(knote, revents))
		return revents != 0;
	write_ended(knote, revents);
	return true;
}

bool
kqueue_file_true(struct knote *knote)
{
	if (knote->unpolled)
		return unpolled_true(knote);
	return knote->event.filter == EVFILT_READ ? read_true(knote) : write_true(knote);
}

/* Linux wakes writers, too, when the peer says that it will send no more. */
void
kqueue_file_edge(struct knote *knote, bool state)
{
	bool was_half = knote->half;

	if (!kqueue_file_true(knote))
		return;
	if (kqueue_darwin() && knote->event.data == 0 &&
	    kqueue_is_fifo((int)knote->event.ident))
		return;
	if (knote->event.filter == EVFILT_WRITE && !(knote->event.flags & EV_EOF)) {
		knote->half = look((int)knote->event.ident, POLLRDHUP) & POLLRDHUP;
		if (state && knote->half && !was_half)
			return;
	}
	kqueue_activate(knote);
}
