/* SPDX-License-Identifier: MIT */
/*
 * A loop inside another one. The program waits on weft's descriptor beside its
 * own, no longer than weft's timeout, and then lets weft make one turn:
 *
 *   for (;;) {
 *       poll({ its own, weft_loop_fd() }, weft_loop_timeout());
 *       its own work
 *       weft_loop_step();
 *   }
 *
 * Between two steps the loop counts as asleep, so that whoever posts to it
 * makes the descriptor readable.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>

#include "fiber/fiber.h"

static int
fail(int error)
{
	errno = error;
	return -1;
}

/* This thread's loop, if it may be used. */
static struct weft_loop *
usable(void)
{
	struct weft_loop *loop = weft__loop();

	if (loop != NULL && weft__loop_check(loop) != 0) {
		errno = ECHILD;
		return NULL;
	}
	return loop;
}

int
weft_loop_fd(void)
{
	struct weft_loop *loop = usable();
	int fd;

	if (loop == NULL)
		return -1;
	fd = weft__reactor_fd(&loop->reactor);
	return fd >= 0 ? fd : fail(ENOTSUP);
}

int
weft_loop_pollfds(struct pollfd *set, int max)
{
	struct weft_loop *loop = usable();

	if (loop == NULL)
		return -1;
	if (max < 0 || (max > 0 && set == NULL))
		return fail(EINVAL);
	return weft__reactor_pollfds(&loop->reactor, set, max);
}

/* Looks once without waiting: what a backend still holds back reaches the
 * kernel, and what is ready is known. */
int
weft_loop_timeout(void)
{
	struct weft_loop *loop = usable();
	int64_t left;

	if (loop == NULL)
		return -1;
	weft__reactor_poll(&loop->reactor, 0);
	if (weft__sched_pending(loop) || !weft__wake_sleep(&loop->reactor.wake))
		return 0;
	left = weft__sched_time_left(loop);
	return left > INT_MAX ? INT_MAX : (int)left;
}

int
weft_loop_step(void)
{
	struct weft_loop *loop = usable();

	if (loop == NULL)
		return -1;
	weft__wake_rise(&loop->reactor.wake);
	return weft__sched_step(loop) ? 1 : 0;
}
