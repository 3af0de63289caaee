/* SPDX-License-Identifier: MIT */
/*
 * weft_poll: poll(2) tells what is so, the loop tells when to ask it again.
 *
 *   ask; nothing -> wait on every descriptor -> ask; still nothing: rest, wait
 *
 * The loop knows readable, writable, urgent and ended; poll knows more. What
 * is asked for in other words (POLLRDBAND and the like) waits for the nearest
 * of these, so it can be woken for nothing: then it rests some milliseconds
 * before it waits again, or it would go round and round.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "fiber/fiber.h"
#include "reactor/backend.h"
#include "reactor/compat.h"

enum { REST = 5, LOOK_AGAIN = 20 };    /* milliseconds */

struct poll;

struct entry {
	struct weft__waiter waiter;     /* first: see woken() */
	struct poll *poll;
	struct weft__slot *slot;        /* NULL: does not wait */
	bool lost;                      /* closed meanwhile */
};

struct poll {
	struct pollfd *fds;
	nfds_t count;
	struct weft_loop *loop;
	struct weft_fiber *fiber;
	struct entry *entries;          /* one for each of fds, once it waits */
	bool waits;                     /* one of them does */
	bool blind;                     /* one that the backend cannot tell of */
};

/* What is ready now; an error is negative. */
static int
ask(struct pollfd *fds, nfds_t count)
{
	int n;

	do
		n = poll(fds, count, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static void
woken(struct weft__waiter *waiter, int events)
{
	struct entry *entry = (struct entry *)waiter;

	entry->slot = NULL;
	entry->lost = events < 0;
	weft__wake(entry->poll->fiber, 0);
}

static int
translate(short events)
{
	int wanted = WEFT__ENDED;       /* comes unasked */

	if (events & (POLLIN | POLLRDNORM | WEFT__POLLRDHUP))
		wanted |= WEFT_READABLE;
	if (events & (POLLPRI | POLLRDBAND))
		wanted |= WEFT__URGENT;
	if (events & (POLLOUT | POLLWRNORM | POLLWRBAND))
		wanted |= WEFT_WRITABLE;
	return wanted;
}

/* --- waiting on all of them */

/* What can be asked of the slot. A stream's own is not to be told more than it
 * wants to know, and does not lose a hang-up. */
static int
want(struct poll *p, struct weft__slot *slot, int events)
{
	if (weft__fd_is_owned(slot) ||
	    !(p->loop->reactor.backend->capabilities & WEFT__CAN_URGENT))
		events &= WEFT_READABLE | WEFT_WRITABLE;
	if (events == 0) {
		p->blind = true;
		return 0;
	}
	return weft__fd_want(p->loop, slot, events);
}

static int
add(struct poll *p, struct entry *entry, const struct pollfd *fd)
{
	int events = translate(fd->events), error;
	struct weft__slot *slot = weft__fd_borrow(p->loop, fd->fd);

	if (slot == NULL)
		return errno;
	error = want(p, slot, events);
	/* What can always be read and written has nothing else to tell. */
	if (error != 0 || weft__fd_always_ready(slot)) {
		weft__fd_return(p->loop, fd->fd);
		return error;
	}
	*entry = (struct entry){ .waiter.ready = woken, .poll = p, .slot = slot };
	weft__slot_add(slot, &entry->waiter, events);
	p->waits = true;
	return 0;
}

static int
add_all(struct poll *p)
{
	int error = 0;
	nfds_t i;

	p->waits = p->blind = false;
	for (i = 0; i < p->count && error == 0; i++) {
		p->entries[i].slot = NULL;
		if (p->fds[i].fd >= 0)
			error = add(p, &p->entries[i], &p->fds[i]);
	}
	for (; i < p->count; i++)
		p->entries[i].slot = NULL;
	return error;
}

static void
remove_all(struct poll *p)
{
	nfds_t i;

	for (i = 0; i < p->count; i++)
		if (p->entries[i].slot != NULL)
			weft__slot_remove(p->entries[i].slot, &p->entries[i].waiter);
	for (i = 0; i < p->count; i++)
		weft__fd_return(p->loop, p->fds[i].fd);
}

/* At most so long, and no error if that is all. */
static int
park(struct poll *p, int64_t deadline, int64_t milliseconds)
{
	int64_t until = milliseconds > 0 ? weft_after(milliseconds) : WEFT_NEVER;
	bool first = until > 0 && (deadline < 0 || until < deadline);
	int error;

	weft__subject(p->fiber->loop, p->count);
	error = weft__park(p->loop, first ? until : deadline, WEFT__FOR_POLL |
	    (p->waits ? WEFT__EXTERNAL : WEFT__INTERNAL));
	return error == ETIMEDOUT && first && p->fiber->deadline >= until ? 0 : error;
}

static int
wait_once(struct poll *p, int64_t deadline)
{
	int error = add_all(p);

	if (error == 0)
		error = park(p, deadline, p->blind ? LOOK_AGAIN : 0);
	remove_all(p);
	return error;
}

/* A number that was closed may be another file by now. */
static int
count_lost(struct poll *p)
{
	int n = 0;
	nfds_t i;

	for (i = 0; i < p->count; i++) {
		if (!p->entries[i].lost)
			continue;
		n += p->fds[i].revents == 0;
		p->fds[i].revents = POLLNVAL;
	}
	return n;
}

/* Until poll has something to tell, which it returns, or an error. */
static int
wait_for(struct poll *p, int64_t deadline)
{
	int n, error;

	for (;;) {
		error = wait_once(p, deadline);
		n = ask(p->fds, p->count);
		if (n >= 0)
			n += count_lost(p);
		if (n != 0)
			return n;
		if (error == 0 && !p->blind)
			error = park(p, deadline, REST);
		if (error != 0)
			return -error;
	}
}

static int
start(struct weft_loop *loop, struct pollfd *fds, nfds_t count, int64_t deadline)
{
	struct poll p = { .fds = fds, .count = count, .loop = loop,
	    .fiber = loop->front.current };
	int n;

	p.entries = calloc(count > 0 ? count : 1, sizeof *p.entries);
	if (p.entries == NULL)
		return -ENOMEM;
	n = wait_for(&p, deadline);
	free(p.entries);
	/* Its own time is up: nothing came. An enclosing one's: an error. */
	if (n == -ETIMEDOUT && deadline > 0 && loop->front.current->deadline >= deadline)
		return 0;
	return n;
}

int
weft_poll(struct pollfd *fds, nfds_t count, int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	int saved = errno, n;

	if (loop == NULL)
		return -1;
	n = fds == NULL && count > 0 ? -EINVAL : -weft__check(loop);
	if (n == 0)
		n = ask(fds, count);
	if (n > 0)
		weft__charge(loop, 0);
	if (n == 0 && deadline != WEFT_NOWAIT)
		n = start(loop, fds, count, deadline);
	errno = n < 0 ? -n : saved;
	return n < 0 ? -1 : n;
}
