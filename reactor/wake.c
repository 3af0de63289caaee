/* SPDX-License-Identifier: MIT */
/*
 * A wake-up: a state word, and a descriptor that is written only while the
 * loop sleeps.
 *
 *   RUNNING --send--> NOTIFIED            the loop will look before it sleeps
 *   RUNNING --sleep-> SLEEPING --send--> NOTIFIED, and the descriptor written
 *   any     --rise--> RUNNING
 *
 * Senders publish first and notify second; the loop takes the notice first and
 * looks second. So nothing is lost, and of many senders one writes.
 *
 * The same with every backend, kqueue too: a signal handler may call write(2)
 * and not kevent(2), and EVFILT_USER is not everywhere (not in OpenBSD 7.3).
 * Where there is no eventfd, it is a pipe.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "reactor/compat.h"
#include "reactor/reactor.h"

enum { RUNNING, SLEEPING, NOTIFIED };

static void
lose(struct weft__wake *wake)
{
	wake->slot = NULL;
	wake->read_fd = -1;
	wake->write_fd = -1;
}

static bool
drain(void *arg, int events)
{
	struct weft__wake *wake = arg;
	char sink[64];

	if (events < 0) {       /* somebody has closed it, who had no business */
		lose(wake);
		return false;
	}
	while (read(wake->read_fd, sink, sizeof sink) == (ssize_t)sizeof sink)
		;
	return true;
}

int
weft__wake_open(struct weft__wake *wake, struct weft__reactor *reactor)
{
	int fds[2];

	if (weft__compat_wake_pair(fds) < 0)
		return -1;
	wake->read_fd = fds[0];
	wake->write_fd = fds[1];
	weft__compat_know(fds[0], &wake->file);         /* both ends of a pipe are one */
	atomic_store(&wake->state, RUNNING);
	wake->slot = weft__slot_open(reactor, fds[0], WEFT__LEVEL);
	if (wake->slot != NULL) {
		wake->slot->notify = drain;
		wake->slot->arg = wake;
		if (weft__slot_want(reactor, wake->slot, WEFT_READABLE) == 0)
			return 0;
	}
	weft__wake_close(wake, reactor);
	return -1;
}

void
weft__wake_close(struct weft__wake *wake, struct weft__reactor *reactor)
{
	int error = errno;

	if (wake->slot != NULL) {
		wake->slot->notify = NULL;
		weft__slot_close(reactor, wake->slot);
	}
	if (wake->write_fd != wake->read_fd)
		close(wake->write_fd);
	if (wake->read_fd >= 0)
		close(wake->read_fd);
	lose(wake);
	errno = error;
}

void
weft__wake_check(struct weft__wake *wake, struct weft__reactor *reactor)
{
	bool in = weft__compat_is(wake->read_fd, &wake->file);
	bool out = weft__compat_is(wake->write_fd, &wake->file);

	if (in && out)
		return;
	if (wake->slot != NULL) {
		wake->slot->notify = NULL;
		weft__slot_close(reactor, wake->slot);
	}
	if (in || out)
		close(in ? wake->read_fd : wake->write_fd);
	lose(wake);
}

void
weft__wake_send(struct weft__wake *wake)
{
	static const uint64_t one = 1;
	int error = errno, cancel;
	ssize_t n;

	if (atomic_exchange(&wake->state, NOTIFIED) != SLEEPING)
		return;
	/* Everybody else relies on this write: no thread is cancelled in it. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	do
		n = write(wake->write_fd, &one, sizeof one);
	while (n < 0 && errno == EINTR);        /* full is as good as written */
	pthread_setcancelstate(cancel, &cancel);
	errno = error;
}

bool
weft__wake_sleep(struct weft__wake *wake)
{
	int running = RUNNING;

	return atomic_compare_exchange_strong(&wake->state, &running, SLEEPING);
}

void
weft__wake_rise(struct weft__wake *wake)
{
	atomic_store(&wake->state, RUNNING);
}
