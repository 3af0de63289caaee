/* SPDX-License-Identifier: MIT */
/*
 * What a poller does not poll, by select(2): see odd.h. There are few, and so
 * they are a list. select reports as long as something is so; to look like an
 * edge, an EDGE slot is disarmed by its report, as by poll.c.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>

#include "reactor/odd.h"

enum { SECONDS_MAX = 1000000 };         /* some systems refuse longer waits */

void
weft__odd_free(struct weft__odd *odd)
{
	free(odd->slots);
}

bool
weft__odd_has(const struct weft__odd *odd, const struct weft__slot *slot)
{
	int i;

	for (i = 0; i < odd->count; i++)
		if (odd->slots[i] == slot)
			return true;
	return false;
}

int
weft__odd_add(struct weft__odd *odd, struct weft__slot *slot, int poller_fd)
{
	struct weft__slot **slots = odd->slots;

	if (slot->fd >= FD_SETSIZE || poller_fd >= FD_SETSIZE) {
		errno = EPERM;
		return -1;
	}
	if (odd->count == odd->capacity) {
		int capacity = odd->capacity ? 2 * odd->capacity : 4;

		slots = realloc(slots, (size_t)capacity * sizeof *slots);
		if (slots == NULL)
			return -1;
		odd->slots = slots;
		odd->capacity = capacity;
	}
	slots[odd->count++] = slot;
	return 0;
}

void
weft__odd_remove(struct weft__odd *odd, const struct weft__slot *slot)
{
	int i, kept = 0;

	for (i = 0; i < odd->count; i++)
		if (odd->slots[i] != slot)
			odd->slots[kept++] = odd->slots[i];
	odd->count = kept;
}

/* --- waiting */

struct sets {
	fd_set in, out;
	int end;
};

static void
put(struct sets *sets, int fd, int events)
{
	if (events & WEFT_READABLE)
		FD_SET(fd, &sets->in);
	if (events & WEFT_WRITABLE)
		FD_SET(fd, &sets->out);
	if (fd >= sets->end)
		sets->end = fd + 1;
}

static int
ready(const struct sets *sets, int fd)
{
	return (FD_ISSET(fd, &sets->in) ? WEFT_READABLE : 0) |
	    (FD_ISSET(fd, &sets->out) ? WEFT_WRITABLE : 0);
}

static int
ask(struct sets *sets, int64_t timeout)
{
	struct timeval time = { 0 };

	if (timeout > SECONDS_MAX * INT64_C(1000))
		timeout = SECONDS_MAX * INT64_C(1000);
	if (timeout > 0) {
		time.tv_sec = (time_t)(timeout / 1000);
		time.tv_usec = (suseconds_t)(timeout % 1000 * 1000);
	}
	return select(sets->end, &sets->in, &sets->out, NULL,
	    timeout < 0 ? NULL : &time);
}

static void
disarm(struct weft__odd *odd, struct weft__slot *slot, int events)
{
	if (slot->mode == WEFT__LEVEL)
		return;
	slot->armed = slot->mode == WEFT__ONCE ? 0 : slot->armed & (uint8_t)~events;
	if (slot->armed != 0)
		return;
	weft__odd_remove(odd, slot);
	slot->in_backend = false;
}

/* Down: disarm fills from above. */
static int
mark(struct weft__odd *odd, struct weft__reactor *reactor, const struct sets *sets)
{
	int i, n = 0;

	for (i = odd->count; i-- > 0;) {
		struct weft__slot *slot = odd->slots[i];
		int events = ready(sets, slot->fd);

		if (events == 0)
			continue;
		weft__reactor_mark(reactor, weft__slot_cookie(slot), events);
		disarm(odd, slot, events);
		n++;
	}
	return n;
}

/* One was closed, and select does not say which. */
static int
mark_closed(const struct weft__odd *odd, struct weft__reactor *reactor)
{
	int i, n = 0;

	for (i = 0; i < odd->count; i++)
		if (fcntl(odd->slots[i]->fd, F_GETFD) < 0) {
			weft__reactor_mark(reactor, weft__slot_cookie(odd->slots[i]),
			    -EBADF);
			n++;
		}
	errno = EBADF;
	return n > 0 ? n : -1;
}

int
weft__odd_wait(struct weft__odd *odd, struct weft__reactor *reactor, int poller_fd,
    int64_t timeout, bool *poller)
{
	struct sets sets = { .end = 0 };
	int i, n;

	FD_ZERO(&sets.in);
	FD_ZERO(&sets.out);
	put(&sets, poller_fd, WEFT_READABLE);
	for (i = 0; i < odd->count; i++)
		put(&sets, odd->slots[i]->fd, odd->slots[i]->armed);
	n = ask(&sets, timeout);
	*poller = n > 0 && FD_ISSET(poller_fd, &sets.in);
	if (n < 0)
		return errno == EBADF ? mark_closed(odd, reactor) : -1;
	return n == 0 ? 0 : mark(odd, reactor, &sets);
}

int
weft__odd_probe(int fd, int events)
{
	struct sets sets = { .end = 0 };

	if (fd >= FD_SETSIZE)
		return events;          /* nobody can tell: try */
	FD_ZERO(&sets.in);
	FD_ZERO(&sets.out);
	put(&sets, fd, events);
	while (ask(&sets, 0) < 0)
		if (errno != EINTR)
			return -1;
	return ready(&sets, fd) & events;
}
