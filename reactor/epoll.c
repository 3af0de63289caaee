/* SPDX-License-Identifier: MIT */
/*
 * epoll. A registration belongs to the pair of open file and number, so it can
 * outlive either and be met again in any state: ADD may find one (EEXIST), MOD
 * may find none (ENOENT). Both are routine and mean "the other one, then".
 */
#include "config.h"

#ifdef HAVE_EPOLL

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "reactor/backend.h"
#include "reactor/compat.h"

enum { BATCH = 256 };

struct state {
	int fd;
	struct weft__file file;         /* what that is */
	struct epoll_event events[BATCH];
};

/* A child may have closed it, and have another file there by now. */
static void
give_up(struct state *state)
{
	if (state->fd >= 0 && weft__compat_is(state->fd, &state->file))
		close(state->fd);
	state->fd = -1;
}

static int
open_set(struct weft__reactor *reactor)
{
	struct state *state = malloc(sizeof *state), *old = reactor->state;

	if (state == NULL)
		return -1;
	if (old != NULL && reactor->inherited)
		give_up(old);           /* before its number can be that of the new one */
	state->fd = weft__compat_above_standard(epoll_create1(EPOLL_CLOEXEC));
	if (state->fd < 0) {
		free(state);
		return -1;
	}
	weft__compat_know(state->fd, &state->file);
	reactor->state = state;
	return 0;
}

static void
close_set(struct weft__reactor *reactor)
{
	struct state *state = reactor->state;

	give_up(state);
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

static uint32_t
mask(const struct weft__slot *slot, int events)
{
	uint32_t set = 0;

	if (events & WEFT_READABLE)
		set |= EPOLLIN | EPOLLRDHUP;
	if (events & WEFT_WRITABLE)
		set |= EPOLLOUT;
	if (events & WEFT__URGENT)
		set |= EPOLLPRI;
	if (slot->mode == WEFT__EDGE)
		set |= EPOLLET;
	if (slot->mode == WEFT__ONCE)
		set |= EPOLLONESHOT;
	return set;
}

/* EBADF and EINVAL may be about the one descriptor or the other. */
static int
refused(struct state *state, int fd)
{
	if ((errno == EBADF && fcntl(fd, F_GETFD) >= 0) ||
	    (errno == EINVAL && fd != state->fd))
		return lost(state);
	return -1;
}

static int
watch(struct weft__reactor *reactor, struct weft__slot *slot, int events)
{
	struct state *state = reactor->state;
	struct epoll_event event = {
		.events = mask(slot, events),
		.data.u64 = weft__slot_cookie(slot)
	};
	int first = slot->in_backend ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	int other = slot->in_backend ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (epoll_ctl(state->fd, first, slot->fd, &event) < 0) {
		if (errno != EEXIST && errno != ENOENT)
			return refused(state, slot->fd);
		if (epoll_ctl(state->fd, other, slot->fd, &event) < 0)
			return refused(state, slot->fd);
	}
	slot->in_backend = true;
	return 0;
}

static void
forget(struct weft__reactor *reactor, struct weft__slot *slot)
{
	struct state *state = reactor->state;
	struct epoll_event ignored = { 0 };     /* Linux before 2.6.9 read it */
	int error = errno;

	epoll_ctl(state->fd, EPOLL_CTL_DEL, slot->fd, &ignored);
	errno = error;
}

static int
translate(uint32_t set)
{
	int events = 0;

	if (set == EPOLLIN)             /* as most are */
		return WEFT_READABLE;
	if (set & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		events |= WEFT_READABLE;
	if (set & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		events |= WEFT_WRITABLE;
	if (set & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		events |= WEFT__ENDED;
	if (set & EPOLLPRI)
		events |= WEFT__URGENT;
	return events;
}

static int
wait_for(struct weft__reactor *reactor, int64_t timeout)
{
	struct state *state = reactor->state;
	int i, n;

	n = epoll_wait(state->fd, state->events, BATCH,
	    timeout > INT_MAX ? INT_MAX : (int)timeout);
	if (n < 0 && (errno == EBADF || errno == EINVAL))
		return lost(state);
	for (i = 0; i < n; i++)
		weft__reactor_mark(reactor, state->events[i].data.u64,
		    translate(state->events[i].events));
	return n;
}

static int
set_fd(struct weft__reactor *reactor)
{
	return ((struct state *)reactor->state)->fd;
}

const struct weft__backend weft__epoll = {
	"epoll", WEFT__CAN_EDGE | WEFT__CAN_URGENT, open_set, close_set, watch, forget, wait_for, set_fd,
	NULL
};

#endif
