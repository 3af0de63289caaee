/* SPDX-License-Identifier: MIT */
/*
 * tests/waiters.h - two connected sockets, and fibers that wait for them.
 */
#ifndef WEFT_TESTS_WAITERS_H
#define WEFT_TESTS_WAITERS_H

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness.h"

static int ends[2];

static inline void
open_ends(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	start_clean();
}

static inline void
close_ends(void)
{
	assert_clean();
	close(ends[0]);
	close(ends[1]);
}

static inline void
put_byte(int fd)
{
	ck_assert_int_eq(write(fd, "x", 1), 1);
}

struct waiter {
	int fd, events, result, error;
	int64_t deadline;
	struct weft_fiber *fiber;
};

static inline int
wait_for_it(void *arg)
{
	struct waiter *waiter = arg;

	waiter->result = weft_fd_wait(waiter->fd, waiter->events, waiter->deadline);
	waiter->error = waiter->result < 0 ? errno : 0;
	return 0;
}

static inline void
start(struct waiter *waiter, int fd, int events)
{
	*waiter = (struct waiter){ .fd = fd, .events = events,
	    .deadline = soon_enough() };
	waiter->fiber = weft_spawn(wait_for_it, waiter);
	ck_assert_ptr_nonnull(waiter->fiber);
}

static inline void
join(const struct waiter *waiter)
{
	ck_assert_ok(weft_join(waiter->fiber, NULL, soon_enough()));
}

#endif
