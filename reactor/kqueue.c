/* SPDX-License-Identifier: MIT */
/*
 * kqueue. A registration belongs to a number and a filter: reading and writing
 * are two, reported as two events, and close takes both away, whatever else
 * refers to the open file. An event carries the number itself; its udata, a
 * pointer or an integer as the system likes, carries the slot's generation,
 * which fits where a whole cookie would not.
 *
 * A change is made in one of two ways:
 *
 *   at once     the first filters of a slot, both in one call, since only the
 *               kernel knows whether it polls such a descriptor at all; what
 *               is forgotten, since the number may be another file's as soon
 *               as it is closed
 *   in the      further filters: put on a list, which the wait hands over;
 *   next wait   purged when the slot is forgotten, else it would hit the next
 *               user of the number
 *
 * So a descriptor costs one fstat and one kevent to get in and one kevent to
 * get out, as with epoll but for the fstat; to arm it further costs nothing, but
 * each report of a ONCE slot is a kevent, too, and armed again it is new: there
 * may be another file by that number.
 *
 * Files and directories are always ready. What else the kernel refuses (Darwin:
 * terminals, devices) or does not tell all about is left to select(2): odd.h.
 *
 * Nothing depends on what kernels tell differently: counts in data, flags that
 * come back, error numbers in fflags. At an EV_EOF, poll(2) is asked what it
 * means. An edge-triggered write filter reports each time that the peer took
 * some data, also when nobody waits for it: that is a cost, not an error.
 *
 * Wake-ups come through the descriptor of wake.c, as with every backend:
 * kevent() is not safe in a signal handler, which write() is, and EVFILT_USER
 * is not everywhere.
 */
#include "config.h"

#ifdef HAVE_KQUEUE

#include <sys/types.h>
#include <sys/event.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reactor/backend.h"
#include "reactor/compat.h"
#include "reactor/odd.h"

enum {
	BATCH = 256,            /* also of changes: each may come back as error */
	SECONDS_MAX = 1000000   /* Darwin refuses much longer waits */
};

enum kind { POLLED, ALWAYS_READY, ODD };

static const struct timespec at_once;

struct state {
	int fd;
	pid_t owner;
	int count;              /* changes for the next wait */
	struct weft__odd odd;
	struct kevent changes[BATCH], events[BATCH];
};

/* What the kernel has, or will have once the changes are made, is the bits in
 * slot->index. */

static int
open_set(struct weft__reactor *reactor)
{
	struct state *state = malloc(sizeof *state);

	if (state == NULL)
		return -1;
	state->odd = (struct weft__odd){ 0 };
	state->fd = weft__compat_above_standard(kqueue());
	if (state->fd < 0) {
		free(state);
		return -1;
	}
	fcntl(state->fd, F_SETFD, FD_CLOEXEC);  /* no race: fork leaves it out */
	state->owner = getpid();
	state->count = 0;
	reactor->state = state;
	return 0;
}

/* A child has not got the queue, but may have another file by its number. */
static bool
inherited(const struct state *state)
{
	return state->owner != getpid();
}

static void
close_set(struct weft__reactor *reactor)
{
	struct state *state = reactor->state;

	if (state->fd >= 0 && !inherited(state))
		close(state->fd);
	weft__odd_free(&state->odd);
	free(state);
}

/* The program has closed it, and may have another file there by now. */
static int
lost(struct state *state)
{
	state->fd = -1;
	errno = ESTALE;
	return -1;
}

/* --- changes */

static struct kevent
change(const struct weft__slot *slot, int event, int flags)
{
	struct kevent it = { .ident = (uintptr_t)slot->fd };
	uintptr_t generation = slot->generation;

	_Static_assert(sizeof it.udata == sizeof generation, "memcpy");
	memcpy(&it.udata, &generation, sizeof generation);
	it.filter = event == WEFT_READABLE ? EVFILT_READ : EVFILT_WRITE;
	it.flags = flags;
	return it;
}

static int
changes(struct kevent *out, const struct weft__slot *slot, int events, int flags)
{
	int n = 0;

	if (events & WEFT_READABLE)
		out[n++] = change(slot, WEFT_READABLE, flags);
	if (events & WEFT_WRITABLE)
		out[n++] = change(slot, WEFT_WRITABLE, flags);
	return n;
}

static int
event_of(const struct kevent *it)
{
	return it->filter == EVFILT_READ ? WEFT_READABLE : WEFT_WRITABLE;
}

/* Makes the changes: the result of each is an error, or 0, in the `data` of the
 * event of the same index. With less room the kernel would stop at the first
 * error, and without EV_RECEIPT it might hand out events. */
static int
make(const struct state *state, struct kevent *list, int n, struct kevent *results)
{
	int i;

	for (i = 0; i < n; i++)
		list[i].flags |= EV_RECEIPT;
	return kevent(state->fd, list, n, results, n, &at_once) == n ? 0 : -1;
}

/* A ONCE slot is taken out by its report. EV_ONESHOT would do that for one of
 * the filters, but FreeBSD then reports what was so when the event came, even
 * if it is no longer. */
static int
add_flags(const struct weft__slot *slot)
{
	return slot->mode == WEFT__LEVEL ? EV_ADD : EV_ADD | EV_CLEAR;
}

/* Files and directories report their size, not readiness: silence at the end.
 * Of a FIFO with a name Darwin does not report that its last writer has gone. */
static enum kind
kind_of(struct state *state, int fd)
{
	struct stat status;

	_Static_assert(sizeof state->events >= PATH_MAX, "room for a path");
	if (fstat(fd, &status) < 0)
		return POLLED;
	if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
		return ALWAYS_READY;
#ifdef F_GETPATH
	int error = errno;

	if (S_ISFIFO(status.st_mode) && fcntl(fd, F_GETPATH, state->events) == 0)
		return ODD;
	errno = error;
#endif
	return POLLED;
}

/* --- the list */

/* Makes the changes early. What fails stays, to fail again in the wait, which
 * can report it. */
static int
flush(struct state *state)
{
	int i, kept = 0;

	if (make(state, state->changes, state->count, state->events) < 0)
		return -1;
	for (i = 0; i < state->count; i++) {
		if (state->events[i].data == 0)
			continue;
		state->changes[kept] = state->changes[i];
		state->changes[kept++].flags &= ~EV_RECEIPT;
	}
	state->count = kept;
	return 0;
}

static int
put(struct state *state, const struct weft__slot *slot, int events)
{
	if (state->count + 2 > BATCH && flush(state) < 0)
		return -1;
	if (state->count + 2 > BATCH) {         /* a list full of errors */
		errno = ENOMEM;
		return -1;
	}
	state->count += changes(state->changes + state->count, slot, events,
	    add_flags(slot));
	return 0;
}

static void
purge(struct state *state, int fd)
{
	int i, kept = 0;

	for (i = 0; i < state->count; i++)
		if (state->changes[i].ident != (uintptr_t)fd)
			state->changes[kept++] = state->changes[i];
	state->count = kept;
}

/* --- slots */

static void
delete(const struct state *state, const struct weft__slot *slot, int events)
{
	struct kevent list[2], results[2];
	int error = errno;

	if (events != 0 && !inherited(state))   /* ENOENT, EBADF: just as well */
		make(state, list, changes(list, slot, events, EV_DELETE), results);
	errno = error;
}

/* The other end of a pipe is gone (NetBSD says EBADF, too): ready, then. */
static bool
means_broken(int error, int fd)
{
	return error == EPIPE || (error == EBADF && fcntl(fd, F_GETFD) >= 0);
}

/* Kernels have many words for not polling such a file. */
static bool
is_refusal(int error)
{
	return error == EINVAL || error == ENODEV || error == ENOTSUP ||
	    error == EOPNOTSUPP || error == ENXIO || error == EPERM;
}

/* The first time, when the kernel may refuse. What is ready because it is
 * broken is tried again by the next wait, which reports the error. */
static int
add(struct state *state, struct weft__slot *slot, int events)
{
	struct kevent list[2], results[2];
	int n = changes(list, slot, events, add_flags(slot));
	int i, broken = 0, error = 0;

	if (make(state, list, n, results) < 0)
		return -1;
	for (i = 0; i < n && error == 0; i++) {
		int result = (int)results[i].data;

		if (means_broken(result, slot->fd))
			broken |= event_of(&list[i]);
		else
			error = result;
	}
	if (error == 0)
		return put(state, slot, broken);
	delete(state, slot, events);
	if (is_refusal(error))
		return weft__odd_add(&state->odd, slot, state->fd);
	errno = error;
	return -1;
}

static int
begin(struct state *state, struct weft__slot *slot, int events)
{
	switch (kind_of(state, slot->fd)) {
	case ALWAYS_READY:
		errno = EPERM;
		return -1;
	case ODD:
		return weft__odd_add(&state->odd, slot, state->fd);
	default:
		return add(state, slot, events);
	}
}

static int
watch(struct weft__reactor *reactor, struct weft__slot *slot, int events)
{
	struct state *state = reactor->state;
	int result;

	if (weft__odd_has(&state->odd, slot))
		return 0;               /* it looks at what is armed */
	if (slot->in_backend && slot->index != 0)
		result = put(state, slot, events & ~(int)slot->index);
	else
		result = begin(state, slot, events);
	if (result < 0)         /* EBADF: the one descriptor or the other */
		return errno == EBADF && fcntl(slot->fd, F_GETFD) >= 0 ?
		    lost(state) : -1;
	slot->in_backend = true;
	slot->index = (uint32_t)events;
	return 0;
}

static void
forget(struct weft__reactor *reactor, struct weft__slot *slot)
{
	struct state *state = reactor->state;

	if (weft__odd_has(&state->odd, slot)) {
		weft__odd_remove(&state->odd, slot);
	} else {
		purge(state, slot->fd);
		delete(state, slot, (int)slot->index);
	}
	slot->in_backend = false;
}

/* --- processes */

static int
watch_child(struct weft__reactor *reactor, pid_t pid, bool watch)
{
	struct state *state = reactor->state;
	struct kevent it = { .ident = (uintptr_t)pid }, result;

	it.filter = EVFILT_PROC;
	it.fflags = NOTE_EXIT;
	it.flags = watch ? EV_ADD | EV_ONESHOT : EV_DELETE;
	if (make(state, &it, 1, &result) < 0)
		return errno == EBADF ? lost(state) : -1;
	if (result.data == 0)
		return 0;
	errno = (int)result.data;
	return -1;
}

/* --- waiting */

static int
hang_up(int fd)
{
	struct pollfd probe = { .fd = fd };

	return poll(&probe, 1, 0) > 0 && probe.revents & (POLLHUP | POLLERR) ?
	    WEFT_READABLE | WEFT_WRITABLE | WEFT__ENDED : 0;
}

/* The end may come with data before it. For reading it is the peer's doing;
 * for writing it may be our own shutdown. A pipe may report on either filter
 * that its other end is gone, and those who wait for the other one are to be
 * told, too: so poll(2) says what else there is. */
static int
translate(const struct kevent *event)
{
	int events = event_of(event);

	if (!(event->flags & EV_EOF))
		return events;
	if (events == WEFT_READABLE)
		events |= WEFT__ENDED;
	return events | hang_up((int)event->ident);
}

/* A change failed. */
static void
report_error(struct weft__reactor *reactor, struct weft__slot *slot,
    const struct kevent *event)
{
	int bit = event_of(event), events = bit | hang_up(slot->fd);

	if (event->data == EBADF && !means_broken(EBADF, slot->fd))
		events = -EBADF;
	slot->index &= ~(uint32_t)bit;
	slot->armed &= (uint8_t)~bit;
	weft__reactor_mark(reactor, weft__slot_cookie(slot), events);
}

static void
report(struct weft__reactor *reactor, const struct kevent *event)
{
	struct weft__slot *slot = weft__slot_find(reactor, (int)event->ident);
	uintptr_t generation;
	uint64_t cookie;

	if (event->filter == EVFILT_PROC) {
		weft__reactor_mark_child(reactor, (pid_t)event->ident);
		return;
	}
	memcpy(&generation, &event->udata, sizeof generation);
	cookie = (uint64_t)generation << 32 | (uint32_t)event->ident;
	if (slot == NULL || weft__slot_cookie(slot) != cookie) {
		weft__reactor_mark(reactor, cookie, 0);         /* counts it */
		return;
	}
	if (event->flags & EV_ERROR)
		report_error(reactor, slot, event);
	else
		weft__reactor_mark(reactor, cookie, translate(event));
	if (slot->mode == WEFT__ONCE) {
		delete(reactor->state, slot, (int)slot->index);
		slot->index = 0;
	}
}

static const struct timespec *
interval(struct timespec *out, int64_t milliseconds)
{
	if (milliseconds < 0)
		return NULL;
	if (milliseconds > SECONDS_MAX * INT64_C(1000))
		milliseconds = SECONDS_MAX * INT64_C(1000);
	out->tv_sec = (time_t)(milliseconds / 1000);
	out->tv_nsec = (long)(milliseconds % 1000) * 1000000;
	return out;
}

static int
collect(struct weft__reactor *reactor, int64_t timeout)
{
	struct state *state = reactor->state;
	struct timespec time;
	int i, n;

	n = kevent(state->fd, state->changes, state->count, state->events, BATCH,
	    interval(&time, timeout));
	if (n >= 0 || errno == EINTR)
		state->count = 0;       /* made, also if interrupted */
	else if (errno == EBADF)
		return lost(state);
	for (i = 0; i < n; i++)
		report(reactor, &state->events[i]);
	return n;
}

/* With odd ones the sleep is in select: what is there already comes first. */
static int
wait_for(struct weft__reactor *reactor, int64_t timeout)
{
	struct state *state = reactor->state;
	bool more = false;
	int n, odd;

	if (state->odd.count == 0)
		return collect(reactor, timeout);
	n = collect(reactor, 0);
	if (n < 0)
		return n;
	odd = weft__odd_wait(&state->odd, reactor, state->fd, n > 0 ? 0 : timeout, &more);
	if (odd < 0)
		return n > 0 ? n : errno == EBADF ? lost(state) : -1;
	if (more && n == 0)
		n = collect(reactor, 0);
	return odd > 0 && n < 0 ? odd : odd + n;
}

static int
set_fd(struct weft__reactor *reactor)
{
	return ((struct state *)reactor->state)->fd;
}

const struct weft__backend weft__kqueue = {
	"kqueue", WEFT__CAN_EDGE, open_set, close_set, watch, forget, wait_for, set_fd,
	watch_child
};

#endif
