/* SPDX-License-Identifier: MIT */
/*
 * kqueue() and kevent() for Linux: a double, so that the backend goes through
 * its tests where there is no BSD. What it is to do was read off two kernels
 * (kqueue/ has the programs and what they printed); where these differ, the
 * double is FreeBSD 13.2, or with KQUEUE_DOUBLE=openbsd OpenBSD 7.3.
 *
 * It works as the kernels do. A knote is one filter on one thing. When
 * something happens to the thing and the filter finds it true, the knote is
 * put into a queue; kevent() takes it out, asks the filter again and reports.
 * What happens is learned from two edge-triggered epolls, one for what may be
 * read and one for what may be written, because the two have one registration
 * per file in an epoll, and events of one side would repeat the other. The
 * first is also the descriptor that stands for the queue: it has the second in
 * it, and an eventfd that is readable while something is queued.
 *
 *   kqueue_double.c    queues and knotes
 *   kqueue_filters.c   timers, signals, processes, user events
 *   kqueue_files.c     reading and writing
 *   kqueue_calls.c     close(), dup2(), shutdown(), connect() on a BSD
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/kqueue_double.h"

enum { BATCH = 64, SECONDS_MAX = 1000000 };

static const char *const kernels[] = { "freebsd", "openbsd", NULL };
const char *const *weft_test_kqueues = kernels;
struct kqueue *kqueue_all;
unsigned long kqueue_kevents;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

void
kqueue_lock(void)
{
	pthread_mutex_lock(&mutex);
}

void
kqueue_unlock(void)
{
	pthread_mutex_unlock(&mutex);
}

/* --- queues */

static struct kqueue *
find_queue(int fd)
{
	struct kqueue *kq;

	for (kq = kqueue_all; kq != NULL && kq->fd != fd; kq = kq->next)
		;
	return kq;
}

static void
free_queue(struct kqueue *kq)
{
	struct kqueue **at;
	size_t i;

	for (i = 0; i < KNOTE_BUCKETS; i++)
		while (kq->buckets[i] != NULL)
			kqueue_drop(kq->buckets[i]);
	for (at = &kqueue_all; *at != kq; at = &(*at)->next)
		;
	*at = kq->next;
	kqueue_close(kq->writing);
	kqueue_close(kq->bell);
	free(kq);
}

void
kqueue_destroy(int fd)
{
	struct kqueue *kq = find_queue(fd);

	if (kq != NULL)
		free_queue(kq);
}

/* A child has no queues, nor their descriptors; these go first, because the
 * epolls behind them are the parent's, too. */
static void
in_child(void)
{
	while (kqueue_all != NULL) {
		kqueue_close(kqueue_all->fd);
		kqueue_close(kqueue_all->writing);
		free_queue(kqueue_all);
	}
	kqueue_unlock();
}

static void
prepare(void)
{
	pthread_atfork(kqueue_lock, kqueue_unlock, in_child);
}

static int
inner(int outer, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = UINT64_MAX };

	fd = kqueue_high(fd);
	epoll_ctl(outer, EPOLL_CTL_ADD, fd, &event);
	return fd;
}

int
kqueue(void)
{
	struct kqueue *kq = calloc(1, sizeof *kq);

	pthread_once(&once, prepare);
	if (kq == NULL)
		return -1;
	kq->fd = epoll_create1(0);
	if (kq->fd < 0) {
		free(kq);
		return -1;
	}
	kq->last = &kq->first;
	kqueue_lock();
	kq->writing = inner(kq->fd, epoll_create1(EPOLL_CLOEXEC));
	kq->bell = inner(kq->fd, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	kq->next = kqueue_all;
	kqueue_all = kq;
	kqueue_unlock();
	return kq->fd;
}

/* The descriptor is readable while something is queued. */
static void
ring(struct kqueue *kq)
{
	bool queued = kq->first != NULL;
	uint64_t count = 1;

	if (queued == kq->rung)
		return;
	kq->rung = queued;
	if ((queued ? write(kq->bell, &count, sizeof count) :
	    read(kq->bell, &count, sizeof count)) < 0 && errno != EAGAIN)
		abort();
}

/* --- knotes */

static struct knote **
bucket(struct kqueue *kq, uintptr_t ident, int filter)
{
	return &kq->buckets[(ident * 16 - (unsigned)filter) % KNOTE_BUCKETS];
}

struct knote *
kqueue_find(struct kqueue *kq, uintptr_t ident, int filter)
{
	struct knote *knote = *bucket(kq, ident, filter);

	while (knote != NULL && (knote->event.ident != ident ||
	    knote->event.filter != filter))
		knote = knote->next;
	return knote;
}

int
kqueue_watch(const struct knote *knote, int set, int fd, unsigned events)
{
	struct epoll_event event = { .events = events | EPOLLET, .data.u64 =
	    (uint64_t)-knote->event.filter << 56 | knote->event.ident };

	if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0)
		return 0;
	return errno == EEXIST ? 0 : errno;
}

void
kqueue_activate(struct knote *knote)
{
	struct kqueue *kq = knote->kq;

	if (knote->queued || knote->disabled)
		return;
	knote->queued = true;
	knote->after = NULL;
	*kq->last = knote;
	kq->last = &knote->after;
	ring(kq);
}

static void
unqueue(struct knote *knote)
{
	struct kqueue *kq = knote->kq;
	struct knote **at;

	if (!knote->queued)
		return;
	knote->queued = false;
	for (at = &kq->first; *at != knote; at = &(*at)->after)
		;
	*at = knote->after;
	if (kq->last == &knote->after)
		kq->last = at;
}

void
kqueue_drop(struct knote *knote)
{
	struct knote **at = bucket(knote->kq, knote->event.ident, knote->event.filter);

	kqueue_filter_detach(knote);
	unqueue(knote);
	while (*at != knote)
		at = &(*at)->next;
	*at = knote->next;
	free(knote);
}

/* --- changes */

static int
add(struct kqueue *kq, const struct kevent *change, struct knote **out)
{
	struct knote *knote = calloc(1, sizeof *knote);
	struct knote **at = bucket(kq, change->ident, change->filter);
	int error;

	if (knote == NULL)
		return ENOMEM;
	*knote = (struct knote){ .kq = kq, .event = *change, .fd = -1,
	    .asked = change->data, .notes = change->fflags };
	knote->event.flags &= (unsigned short)~(EV_DELETE | EV_ENABLE | EV_DISABLE |
	    (kqueue_openbsd() ? 0 : EV_ADD));
	knote->event.data = knote->event.fflags = 0;
	error = kqueue_filter_attach(knote);
	if (error != 0) {
		free(knote);
		return error;
	}
	knote->next = *at;
	*at = *out = knote;
	return 0;
}

/* An errno, or 0. */
static int
apply(struct kqueue *kq, const struct kevent *change)
{
	struct knote *knote = kqueue_find(kq, change->ident, change->filter);
	int error;

	if (change->filter >= EVFILT_WRITE && fcntl((int)change->ident, F_GETFD) < 0)
		return EBADF;
	if (knote == NULL && !(change->flags & EV_ADD))
		return ENOENT;
	if (change->flags & EV_DELETE) {
		kqueue_drop(knote);
		return 0;
	}
	if (knote == NULL)
		error = add(kq, change, &knote);
	else
		error = kqueue_filter_touch(knote, change);
	if (error != 0)
		return error;
	if (change->flags & EV_DISABLE)
		knote->disabled = true;
	if (change->flags & EV_ENABLE)
		knote->disabled = false;
	if (!knote->disabled && kqueue_filter_true(knote))
		kqueue_activate(knote);
	return 0;
}

/* How many results were put into `events`; -1 with the errno of a change when
 * there is no room: later changes are not made. */
static int
apply_all(struct kqueue *kq, const struct kevent *changes, int change_count,
    struct kevent *events, int event_count)
{
	int i, n = 0;

	for (i = 0; i < change_count; i++) {
		struct kevent change = changes[i];      /* may be events[n] */
		int error = apply(kq, &change);

		if (error == 0 && !(change.flags & EV_RECEIPT))
			continue;
		if (n < event_count) {
			change.flags = EV_ERROR;
			change.data = error;
			events[n++] = change;
		} else if (error != 0) {
			errno = error;
			return -1;
		}
	}
	return n;
}

/* --- events */

/* There may be no knote: a registration lives on if a file has two numbers. */
static void
edge(struct kqueue *kq, uint64_t cookie, bool state)
{
	struct knote *knote = kqueue_find(kq, cookie & UINT64_MAX >> 8,
	    -(int)(cookie >> 56));

	if (knote != NULL)
		kqueue_filter_edge(knote, state);
}

static void
pump_set(struct kqueue *kq, int set, bool state)
{
	struct epoll_event events[BATCH];
	int i, n;

	do {
		n = epoll_wait(set, events, BATCH, 0);
		for (i = 0; i < n; i++)
			edge(kq, events[i].data.u64, state);
	} while (n == BATCH);
}

/* When a peer goes, the two filters come in this order. */
static void
pump(struct kqueue *kq, bool state)
{
	pump_set(kq, kqueue_openbsd() ? kq->writing : kq->fd, state);
	pump_set(kq, kqueue_openbsd() ? kq->fd : kq->writing, state);
	kqueue_filter_signals(kq);
}

void
kqueue_pump_all(bool state)
{
	struct kqueue *kq;
	int error = errno;

	for (kq = kqueue_all; kq != NULL; kq = kq->next)
		pump(kq, state);
	errno = error;
}

static void
reported(struct knote *knote)
{
	if (knote->event.flags & EV_ONESHOT) {
		kqueue_drop(knote);
		return;
	}
	if (!(knote->event.flags & (EV_CLEAR | EV_DISPATCH))) {
		kqueue_activate(knote);         /* behind all others */
		return;
	}
	kqueue_filter_clear(knote);
	knote->disabled = knote->event.flags & EV_DISPATCH;
}

/* FreeBSD reports one that goes as it was when it came. */
static bool
still_true(struct knote *knote)
{
	if (knote->disabled)
		return false;
	if (knote->event.flags & EV_ONESHOT && !kqueue_openbsd())
		return true;
	return kqueue_filter_true(knote);
}

static int
collect(struct kqueue *kq, struct kevent *events, int event_count)
{
	struct knote **end = kq->last, *knote;
	bool last = kq->first == NULL;
	int n = 0;

	while (!last && n < event_count) {
		knote = kq->first;
		last = &knote->after == end;
		unqueue(knote);
		if (!still_true(knote))
			continue;
		events[n++] = knote->event;
		reported(knote);
	}
	ring(kq);
	return n;
}

/* --- waiting */

static int64_t
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Waits on the descriptor without the lock. -1: EINTR. */
static int
wait_until(int fd, int64_t deadline)
{
	struct pollfd set = { .fd = fd, .events = POLLIN };
	struct timespec left = { 0, 0 };
	int64_t nanoseconds = deadline - now();
	int n;

	if (nanoseconds > 0) {
		left.tv_sec = (time_t)(nanoseconds / 1000000000);
		left.tv_nsec = (long)(nanoseconds % 1000000000);
	}
	kqueue_unlock();
	n = ppoll(&set, 1, deadline == INT64_MAX ? NULL : &left, NULL);
	kqueue_lock();
	return n;
}

static int
scan(int fd, struct kevent *events, int event_count, int64_t deadline)
{
	int n, woken = 1;

	for (;;) {
		struct kqueue *kq = find_queue(fd);

		if (kq == NULL) {
			errno = EBADF;
			return -1;
		}
		pump(kq, false);
		n = collect(kq, events, event_count);
		if (n > 0 || woken < 0 || (deadline != INT64_MAX && now() >= deadline))
			break;
		woken = wait_until(fd, deadline);
	}
	if (n == 0 && woken < 0)
		errno = EINTR;
	return n == 0 && woken < 0 ? -1 : n;
}

int
kevent(int fd, const struct kevent *changes, int change_count,
    struct kevent *events, int event_count, const struct timespec *timeout)
{
	int64_t deadline = INT64_MAX;
	struct kqueue *kq;
	int error = errno, n = -1;

	if (timeout != NULL && timeout->tv_sec > SECONDS_MAX) {
		errno = EINVAL;         /* as Darwin */
		return -1;
	}
	if (timeout != NULL)
		deadline = now() + timeout->tv_sec * INT64_C(1000000000) +
		    timeout->tv_nsec;
	kqueue_lock();
	kqueue_kevents++;
	kq = find_queue(fd);
	if (kq == NULL)
		errno = EBADF;
	else
		n = apply_all(kq, changes, change_count, events, event_count);
	if (n == 0 && event_count > 0)
		n = scan(fd, events, event_count, deadline);
	kqueue_unlock();
	if (n >= 0)
		errno = error;
	return n;
}
