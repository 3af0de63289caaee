/* SPDX-License-Identifier: MIT */
/*
 * poll(2): an array of what is armed, in any order, with a hole filled from
 * the end. It reports as long as something is so; to look like an edge, an
 * EDGE slot is disarmed by its report and armed again by the next want. What
 * is not armed is not in the array, so that a hang-up nobody waits for does
 * not report for ever.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#include "reactor/backend.h"
#include "reactor/compat.h"

struct state {
	struct pollfd *set;
	struct weft__slot **slots;      /* whose the entry of the same index is */
	size_t count, capacity;
};

static int
open_set(struct weft__reactor *reactor)
{
	reactor->state = calloc(1, sizeof(struct state));
	return reactor->state != NULL ? 0 : -1;
}

static void
close_set(struct weft__reactor *reactor)
{
	struct state *state = reactor->state;

	free(state->set);
	free(state->slots);
	free(state);
}

static int
make_room(struct state *state)
{
	size_t capacity = state->capacity ? 2 * state->capacity : 16;
	struct weft__slot **slots;
	struct pollfd *set;

	if (state->count < state->capacity)
		return 0;
	set = realloc(state->set, capacity * sizeof *set);
	if (set == NULL)
		return -1;
	state->set = set;
	slots = realloc(state->slots, capacity * sizeof *slots);
	if (slots == NULL)
		return -1;
	state->slots = slots;
	state->capacity = capacity;
	return 0;
}

static short
mask(int events)
{
	short set = 0;

	if (events & WEFT_READABLE)
		set |= POLLIN | WEFT__POLLRDHUP;
	if (events & WEFT_WRITABLE)
		set |= POLLOUT;
	if (events & WEFT__URGENT)
		set |= POLLPRI;
	return set;
}

static int
watch(struct weft__reactor *reactor, struct weft__slot *slot, int events)
{
	struct state *state = reactor->state;

	if (!slot->in_backend) {
		if (make_room(state) < 0)
			return -1;
		slot->index = (uint32_t)state->count++;
		slot->in_backend = true;
		state->slots[slot->index] = slot;
		state->set[slot->index].fd = slot->fd;
	}
	state->set[slot->index].events = mask(events);
	return 0;
}

static void
forget(struct weft__reactor *reactor, struct weft__slot *slot)
{
	struct state *state = reactor->state;
	size_t last = --state->count;

	state->set[slot->index] = state->set[last];
	state->slots[slot->index] = state->slots[last];
	state->slots[slot->index]->index = slot->index;
	slot->in_backend = false;
}

static int
translate(short set)
{
	int events = 0;

	if (set & POLLNVAL)
		return -EBADF;
	if (set & (POLLIN | WEFT__POLLRDHUP | POLLHUP | POLLERR))
		events |= WEFT_READABLE;
	if (set & (POLLOUT | POLLHUP | POLLERR))
		events |= WEFT_WRITABLE;
	if (set & (WEFT__POLLRDHUP | POLLHUP | POLLERR))
		events |= WEFT__ENDED;
	if (set & POLLPRI)
		events |= WEFT__URGENT;
	return events;
}

/* What was reported is not armed any more, save for a LEVEL slot. */
static void
disarm(struct weft__reactor *reactor, struct weft__slot *slot, int events)
{
	int left = slot->mode == WEFT__ONCE ? 0 : slot->armed & ~events;

	if (slot->mode == WEFT__LEVEL)
		return;
	slot->armed = (uint8_t)left;
	if (left != 0)
		watch(reactor, slot, left);
	else
		forget(reactor, slot);
}

static int
wait_for(struct weft__reactor *reactor, int64_t timeout)
{
	struct state *state = reactor->state;
	size_t i;
	int n;

	n = poll(state->set, (nfds_t)state->count,
	    timeout > INT_MAX ? INT_MAX : (int)timeout);
	if (n <= 0)
		return n;
	for (i = state->count; i-- > 0;) {      /* down: forget fills from above */
		struct weft__slot *slot = state->slots[i];
		int events = translate(state->set[i].revents);

		if (events == 0)
			continue;
		weft__reactor_mark(reactor, weft__slot_cookie(slot), events);
		if (events > 0)
			disarm(reactor, slot, events);
	}
	return n;
}

int
weft__poll_set(const struct weft__reactor *reactor, struct pollfd *set, int max)
{
	const struct state *state = reactor->state;
	size_t i;

	for (i = 0; i < state->count && i < (size_t)max; i++)
		set[i] = state->set[i];
	return (int)state->count;
}

static int
set_fd(struct weft__reactor *reactor)
{
	(void)reactor;
	return -1;
}

const struct weft__backend weft__poll = {
	"poll", WEFT__CAN_URGENT, open_set, close_set, watch, forget, wait_for, set_fd,
	NULL
};
