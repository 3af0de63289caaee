/* SPDX-License-Identifier: MIT */
/*
 * tests/signals.h - words that the tests of signals share.
 */
#ifndef WEFT_TESTS_SIGNALS_H
#define WEFT_TESTS_SIGNALS_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "tests/harness.h"
#include "weft/process.h"

/* By whichever thread the kernel chose. */
static atomic_int handled;

static inline void
count_handled(int signal)
{
	(void)signal;
	handled++;
}

static inline sigset_t
set_of(int first, int second)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, first);
	if (second != 0)
		sigaddset(&set, second);
	return set;
}

static inline void
handle(int signal)
{
	struct sigaction action = { .sa_handler = count_handled };

	handled = 0;
	ck_assert_int_eq(sigaction(signal, &action, NULL), 0);
}

static inline void
ignore(int signal)
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	ck_assert_int_eq(sigaction(signal, &action, NULL), 0);
}

static inline void
assert_handler(int signal, void (*handler)(int))
{
	struct sigaction action;

	ck_assert_int_eq(sigaction(signal, NULL, &action), 0);
	ck_assert(!(action.sa_flags & SA_SIGINFO));
	ck_assert(action.sa_handler == handler);
}

static inline void
assert_blocked(int signal, int is)
{
	sigset_t set;

	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
	ck_assert_int_eq(sigismember(&set, signal), is);
}

static inline void
block(int signal)
{
	sigset_t set = set_of(signal, 0);

	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

struct waiting {
	sigset_t set;
	siginfo_t info;
	int64_t deadline;
	int result, error;
};

static inline int
wait_for(void *arg)
{
	struct waiting *w = arg;

	memset(&w->info, 0, sizeof w->info);
	w->result = weft_signal_wait(&w->set, &w->info, w->deadline);
	w->error = errno;
	return w->result;
}

static inline struct weft_fiber *
start(struct waiting *w, int first, int second)
{
	struct weft_fiber *fiber;

	*w = (struct waiting){ .set = set_of(first, second), .deadline = soon_enough() };
	fiber = weft_spawn(wait_for, w);
	ck_assert_ptr_nonnull(fiber);
	ck_assert_ok(weft_yield());
	return fiber;
}

static inline void
finish(struct weft_fiber *fiber)
{
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
}

/* One that can be pending several times, where there is any. */
#ifdef SIGRTMIN
#define QUEUED SIGRTMIN
#else
#define QUEUED 0
#endif

static inline void
undo(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t set = set_of(SIGUSR1, QUEUED);

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

#endif
