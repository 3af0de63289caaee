/* SPDX-License-Identifier: MIT */
/*
 * tests/slots.h - a reactor for each test, and somebody who hears what it tells.
 */
#ifndef WEFT_TESTS_SLOTS_H
#define WEFT_TESTS_SLOTS_H

#include <fcntl.h>
#include <unistd.h>

#include "reactor/backend.h"
#include "tests/harness.h"

static struct weft__reactor reactor;
static bool edges;

static inline void
setup(void)
{
	ck_assert_ok(weft__reactor_open(&reactor, NULL));
	ck_assert_str_eq(weft__reactor_name(&reactor), getenv("WEFT_BACKEND"));
	edges = reactor.backend->capabilities & WEFT__CAN_EDGE;
}

static inline void
teardown(void)
{
	weft__reactor_close(&reactor);
}

/* One that notes what it is told. */
struct listener {
	int calls, events;              /* the last ones */
	bool useful;
};

static inline bool
hear(void *arg, int events)
{
	struct listener *listener = arg;

	listener->calls++;
	listener->events = events;
	return listener->useful;
}

static inline struct weft__slot *
open_slot(int fd, enum weft__mode mode, struct listener *listener)
{
	struct weft__slot *slot = weft__slot_open(&reactor, fd, mode);

	ck_assert_ptr_nonnull(slot);
	*listener = (struct listener){ .useful = true };
	slot->notify = hear;
	slot->arg = listener;
	return slot;
}

static inline void
poll_now(void)
{
	weft__reactor_poll(&reactor, 0);
}

static inline void
poll_times(int n)
{
	while (n-- > 0)
		poll_now();
}

static inline void
make_pipe(int ends[2])
{
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
}

static inline void
put_byte(int fd)
{
	ck_assert_int_eq(write(fd, "x", 1), 1);
}

static inline void
take_byte(int fd)
{
	char byte;

	ck_assert_int_eq(read(fd, &byte, 1), 1);
}

/* A waiter that notes what it is told. */
struct once {
	struct weft__waiter waiter;     /* first */
	int calls, events;
};

static inline void
note_events(struct weft__waiter *waiter, int events)
{
	struct once *once = (struct once *)waiter;

	once->calls++;
	once->events = events;
}

static inline void
wait_once(struct weft__slot *slot, struct once *once, int events)
{
	*once = (struct once){ .waiter.ready = note_events };
	ck_assert_ok(weft__slot_want(&reactor, slot, events));
	weft__slot_add(slot, &once->waiter, events);
}

#endif
