/* SPDX-License-Identifier: MIT */
/*
 * Calls that are different where there is a kqueue, in the place of libc's:
 *
 * close, dup2, dup3   the knotes of the number go, whatever else refers to the
 *                     file; a peer's queue sees the end
 * shutdown            remembered: a write filter reports it
 * connect             FreeBSD says at once that a port of its own is closed
 * fcntl               Darwin: F_GETPATH, as far as anybody asks
 * poll                Darwin: does not know devices
 *
 * Which kernel it is, is here, too.
 *
 * What the C library closes inside itself (fclose) does not come by here.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kqueue_double.h"

enum { NUMBERS = 1 << 16, HIGH = 600 };

static bool shut[NUMBERS];

static bool
is_kind(const char *name)
{
	const char *kind = getenv("KQUEUE_DOUBLE");

	return kind != NULL && strcmp(kind, name) == 0;
}

bool
kqueue_openbsd(void)
{
	return is_kind("openbsd");
}

bool
kqueue_darwin(void)
{
	return is_kind("darwin");
}

bool
kqueue_was_shut(int fd)
{
	return fd < NUMBERS && shut[fd];
}

int
kqueue_close(int fd)
{
	if (fd >= 0 && fd < NUMBERS)
		shut[fd] = false;
	return (int)syscall(SYS_close, fd);
}

int
kqueue_high(int fd)
{
	int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HIGH);

	if (high < 0)
		return fd;
	kqueue_close(fd);
	return high;
}

static void
drop_knotes(int fd)
{
	struct kqueue *kq;

	for (kq = kqueue_all; kq != NULL; kq = kq->next) {
		struct knote *reading = kqueue_find(kq, (uintptr_t)fd, EVFILT_READ);
		struct knote *writing = kqueue_find(kq, (uintptr_t)fd, EVFILT_WRITE);

		if (reading != NULL)
			kqueue_drop(reading);
		if (writing != NULL)
			kqueue_drop(writing);
	}
}

int
close(int fd)
{
	int result;

	kqueue_lock();
	kqueue_pump_all(false);
	drop_knotes(fd);
	kqueue_destroy(fd);
	result = kqueue_close(fd);
	kqueue_pump_all(true);
	kqueue_unlock();
	return result;
}

int
dup3(int from, int to, int flags)
{
	int result;

	kqueue_lock();
	kqueue_pump_all(false);
	result = (int)syscall(SYS_dup3, from, to, flags);
	if (result >= 0) {
		drop_knotes(to);
		kqueue_destroy(to);
		if (to < NUMBERS)
			shut[to] = false;
		kqueue_pump_all(true);
	}
	kqueue_unlock();
	return result;
}

int
dup2(int from, int to)
{
	return from == to ? fcntl(from, F_GETFD) < 0 ? -1 : to : dup3(from, to, 0);
}

int
shutdown(int fd, int how)
{
	struct kqueue *kq;
	int result;

	kqueue_lock();
	kqueue_pump_all(false);
	result = (int)syscall(SYS_shutdown, fd, how);
	if (result == 0 && how != SHUT_RD && fd < NUMBERS) {
		shut[fd] = true;
		for (kq = kqueue_all; kq != NULL; kq = kq->next) {
			struct knote *knote = kqueue_find(kq, (uintptr_t)fd, EVFILT_WRITE);

			if (knote != NULL)
				kqueue_activate(knote);
		}
	}
	kqueue_pump_all(true);
	kqueue_unlock();
	return result;
}

int
connect(int fd, const struct sockaddr *address, socklen_t length)
{
	int result = (int)syscall(SYS_connect, fd, address, length), error = errno;
	struct pollfd set = { .fd = fd };
	socklen_t size = sizeof error;

	if (result < 0 && error == EINPROGRESS && !kqueue_openbsd() &&
	    poll(&set, 1, 0) > 0 && set.revents & POLLERR)
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	errno = error;
	return result;
}

bool
kqueue_is_fifo(int fd)
{
	char link[64], first = 0;
	struct stat status;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) &&
	    readlink(link, &first, 1) == 1 && first == '/';
}

int
fcntl(int fd, int what, ...)
{
	va_list arguments;
	long argument;

	va_start(arguments, what);
	argument = va_arg(arguments, long);
	va_end(arguments);
	if (what != F_GETPATH)
		return (int)syscall(SYS_fcntl, fd, what, argument);
	errno = EBADF;
	return kqueue_darwin() && kqueue_is_fifo(fd) ? 0 : -1;
}

static bool
is_device(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode);
}

int
poll(struct pollfd *set, nfds_t count, int timeout)
{
	struct timespec time = { timeout / 1000, timeout % 1000 * 1000000L };
	int ready = ppoll(set, count, timeout < 0 ? NULL : &time, NULL);

	for (nfds_t i = 0; ready >= 0 && kqueue_darwin() && i < count; i++)
		if (is_device(set[i].fd)) {
			ready += set[i].revents == 0;
			set[i].revents = POLLNVAL;
		}
	return ready;
}
