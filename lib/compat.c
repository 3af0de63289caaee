/* SPDX-License-Identifier: MIT */
/*
 * lib/compat.c - SIGPIPE held back around a write; the model is in compat.h.
 *
 * Blocking, and taking a signal that became pending, is what every system
 * has: there is no write(2) that takes a flag. The signal of a failed write is
 * directed at the thread that wrote, so only this thread can take it.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "lib/compat.h"

static bool
sigpipe_is_pending(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

static void
only_sigpipe(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGPIPE);
}

void
weft__sigpipe_hold(struct weft__sigpipe *s)
{
	sigset_t set;

	s->held = !sigpipe_is_pending();
	if (!s->held)
		return;
	only_sigpipe(&set);
	pthread_sigmask(SIG_BLOCK, &set, &s->mask);
}

void
weft__sigpipe_release(struct weft__sigpipe *s)
{
	sigset_t set;
	int saved = errno, taken;

	if (!s->held)
		return;
	/* An ignored SIGPIPE never becomes pending: look before sigwait. */
	if (sigpipe_is_pending()) {
		only_sigpipe(&set);
		sigwait(&set, &taken);
	}
	pthread_sigmask(SIG_SETMASK, &s->mask, NULL);
	errno = saved;
}
