/* SPDX-License-Identifier: MIT */
/*
 * Fibers that wait for signals, each with a watch in the frame of its wait.
 */
#include "config.h"

#include <errno.h>

#include "fiber/compat.h"
#include "fiber/fiber.h"
#include "fiber/signal.h"
#include "weft/process.h"

static void
signal_came(void *arg)
{
	struct weft__signal_wait *wait = arg;

	wait->delivered = true;
	weft__wake(wait->fiber, 0);
}

int
weft__signal_wait(struct weft_loop *loop, struct weft__signal_wait *wait,
    const sigset_t *set, enum weft__watch_kind kind)
{
	*wait = (struct weft__signal_wait){ .fiber = loop->front.current,
	    .watch.post = { .fn = signal_came, .arg = wait } };
	return weft__watch_begin(&wait->watch, loop, set, kind);
}

int
weft__signal_park(struct weft__signal_wait *wait, int64_t deadline, unsigned how)
{
	int error = 0;

	if (!weft__watch_full(&wait->watch))
		error = weft__park(wait->watch.loop, deadline, WEFT__EXTERNAL | how);
	return weft__watch_full(&wait->watch) ? 0 : error;
}

bool
weft__signal_end(struct weft__signal_wait *wait)
{
	weft__watch_end(&wait->watch);
	if (!weft__watch_full(&wait->watch))
		return false;
	/* No handler is running, so it has been posted. */
	if (!wait->delivered)
		weft__loop_run_posts(wait->watch.loop);
	return true;
}

static uint64_t
lowest(const sigset_t *set)
{
	uint64_t signal = 1;

	while (sigismember(set, (int)signal) != 1)
		signal++;
	return signal;
}

static int
wait_for(struct weft_loop *loop, const sigset_t *set, siginfo_t *info, int64_t deadline)
{
	struct weft__signal_wait wait;
	int error;

	error = weft__signal_wait(loop, &wait, set, WEFT__WATCH_ONCE);
	if (error != 0)
		return error;
	weft__subject(loop, lowest(set));
	error = weft__signal_park(&wait, deadline, WEFT__FOR_SIGNAL);
	if (weft__signal_end(&wait))
		error = 0;
	*info = wait.watch.info;
	return error;
}

int
weft_signal_wait(const sigset_t *set, siginfo_t *out, int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	siginfo_t info;
	int error;

	if (loop == NULL)
		return -1;
	error = set == NULL || !weft__watch_possible(set) ? EINVAL : weft__check(loop);
	if (error == 0 && !weft__compat_take_pending(set, &info))
		error = wait_for(loop, set, &info, deadline);
	if (error != 0) {
		errno = error;
		return -1;
	}
	if (out != NULL)
		*out = info;
	return info.si_signo;
}
