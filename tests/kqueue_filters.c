/* SPDX-License-Identifier: MIT */
/*
 * The filters of the double of kqueue, save READ and WRITE.
 *
 * TIMER    a timerfd; what has expired is counted (OpenBSD: that it has)
 * PROC     a pidfd, and NOTE_EXIT only; the status is peeked at
 * USER     not on OpenBSD 7.3
 * SIGNAL   a handler counts before it calls the one that was there. signalfd
 *          would take the signal away from that, and count three as one. The
 *          program must not change the handler later, and of several queues
 *          that want a signal only the last is woken.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kqueue_double.h"

static struct caught {
	_Atomic uint64_t count;
	atomic_int bell;
	struct sigaction before;
	bool installed;
} caught[NSIG];

/* --- timers */

static void
set_timer(const struct knote *knote)
{
	static const int64_t units[] = {
		[0] = 1000000, [NOTE_SECONDS] = 1000000000, [NOTE_MSECONDS] = 1000000,
		[NOTE_USECONDS] = 1000, [NOTE_NSECONDS] = 1
	};
	int64_t period = knote->asked * units[knote->notes & NOTE_NSECONDS ?
	    NOTE_NSECONDS : knote->notes & 7];
	struct itimerspec setting = { { 0, 0 }, { 0, 0 } };

	if (period <= 0)
		period = 1;             /* 0 would be never */
	setting.it_value.tv_sec = (time_t)(period / 1000000000);
	setting.it_value.tv_nsec = (long)(period % 1000000000);
	if (!(knote->event.flags & EV_ONESHOT))
		setting.it_interval = setting.it_value;
	timerfd_settime(knote->fd, 0, &setting, NULL);
}

static int
attach_own(struct knote *knote, int fd)
{
	if (fd < 0)
		return errno;
	knote->fd = kqueue_high(fd);
	knote->event.flags |= EV_CLEAR;
	return kqueue_watch(knote, knote->kq->fd, knote->fd, EPOLLIN);
}

static int
attach_timer(struct knote *knote)
{
	int error = attach_own(knote, timerfd_create(CLOCK_MONOTONIC,
	    TFD_CLOEXEC | TFD_NONBLOCK));

	if (error == 0)
		set_timer(knote);
	return error;
}

static bool
timer_true(struct knote *knote)
{
	uint64_t expired;

	if (read(knote->fd, &expired, sizeof expired) == sizeof expired)
		knote->event.data += (int64_t)expired;
	if (knote->event.data > 1 && kqueue_openbsd())
		knote->event.data = 1;
	return knote->event.data > 0;
}

/* --- processes */

static int
attach_process(struct knote *knote)
{
	siginfo_t info = { 0 };

	/* OpenBSD has done with it when it ends, FreeBSD when it was waited for. */
	if (kqueue_openbsd() && waitid(P_PID, (id_t)knote->event.ident, &info,
	    WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0)
		return ESRCH;
	knote->event.flags |= EV_CLEAR;
	return attach_own(knote, (int)syscall(SYS_pidfd_open, (pid_t)knote->event.ident, 0));
}

static bool
process_true(struct knote *knote)
{
	siginfo_t info = { 0 };

	if (knote->fired)
		return true;
	if (!(knote->notes & NOTE_EXIT) || waitid(P_PID, (id_t)knote->event.ident,
	    &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
		return false;
	knote->fired = true;
	knote->event.flags |= EV_EOF | EV_ONESHOT;
	knote->event.fflags = NOTE_EXIT;
	knote->event.data = info.si_code == CLD_EXITED ? info.si_status << 8 :
	    info.si_status | (info.si_code == CLD_DUMPED ? 0x80 : 0);
	return true;
}

/* --- signals */

static void
count_signal(int signal, siginfo_t *info, void *context)
{
	struct caught *it = &caught[signal];
	uint64_t one = 1;
	int error = errno;

	it->count++;
	if (write(it->bell, &one, sizeof one) < 0 && errno != EAGAIN)
		_exit(128);
	errno = error;
	if (it->before.sa_flags & SA_SIGINFO)
		it->before.sa_sigaction(signal, info, context);
	else if (it->before.sa_handler != SIG_IGN && it->before.sa_handler != SIG_DFL)
		it->before.sa_handler(signal);
}

static int
attach_signal(struct knote *knote)
{
	struct sigaction action = { .sa_sigaction = count_signal };
	struct caught *it;

	if (knote->event.ident == 0 || knote->event.ident >= NSIG)
		return EINVAL;
	it = &caught[knote->event.ident];
	it->bell = knote->kq->bell;
	if (!it->installed) {
		sigaction((int)knote->event.ident, NULL, &it->before);
		action.sa_flags = it->before.sa_flags | SA_SIGINFO;
		action.sa_mask = it->before.sa_mask;
		it->installed = sigaction((int)knote->event.ident, &action, NULL) == 0;
		if (!it->installed)
			return errno;
	}
	knote->seen = it->count;
	knote->event.flags |= EV_CLEAR;
	return 0;
}

static void
detach_signal(const struct knote *knote)
{
	struct caught *it = &caught[knote->event.ident];

	if (it->bell != knote->kq->bell || !it->installed)
		return;
	sigaction((int)knote->event.ident, &it->before, NULL);
	it->installed = false;
}

static bool
signal_true(struct knote *knote)
{
	knote->event.data = (int64_t)(caught[knote->event.ident].count - knote->seen);
	return knote->event.data > 0;
}

void
kqueue_filter_signals(struct kqueue *kq)
{
	uintptr_t signal;

	for (signal = 1; signal < NSIG; signal++) {
		struct knote *knote = caught[signal].installed ?
		    kqueue_find(kq, signal, EVFILT_SIGNAL) : NULL;

		if (knote != NULL && signal_true(knote))
			kqueue_activate(knote);
	}
}

/* --- all of them */

int
kqueue_filter_attach(struct knote *knote)
{
	switch (knote->event.filter) {
	case EVFILT_READ:
	case EVFILT_WRITE:
		return kqueue_file_attach(knote);
	case EVFILT_TIMER:
		return attach_timer(knote);
	case EVFILT_PROC:
		return attach_process(knote);
	case EVFILT_SIGNAL:
		return attach_signal(knote);
	case EVFILT_USER:
		return kqueue_openbsd() ? EINVAL : 0;
	default:
		return EINVAL;
	}
}

int
kqueue_filter_touch(struct knote *knote, const struct kevent *change)
{
	if (knote->event.filter == EVFILT_USER && change->fflags & NOTE_TRIGGER)
		knote->fired = true;
	if (!(change->flags & EV_ADD))
		return 0;
	knote->event.udata = change->udata;     /* but the flags stay */
	knote->notes = change->fflags;
	knote->asked = change->data;
	if (knote->event.filter == EVFILT_TIMER) {
		knote->event.data = 0;
		set_timer(knote);
	}
	return 0;
}

void
kqueue_filter_detach(struct knote *knote)
{
	if (knote->event.filter == EVFILT_READ || knote->event.filter == EVFILT_WRITE)
		kqueue_file_detach(knote);
	else if (knote->event.filter == EVFILT_SIGNAL)
		detach_signal(knote);
	if (knote->fd >= 0)
		kqueue_close(knote->fd);
}

void
kqueue_filter_edge(struct knote *knote, bool state)
{
	if (knote->event.filter == EVFILT_READ || knote->event.filter == EVFILT_WRITE)
		kqueue_file_edge(knote, state);
	else if (kqueue_filter_true(knote))
		kqueue_activate(knote);
}

bool
kqueue_filter_true(struct knote *knote)
{
	switch (knote->event.filter) {
	case EVFILT_TIMER:
		return timer_true(knote);
	case EVFILT_PROC:
		return process_true(knote);
	case EVFILT_SIGNAL:
		return signal_true(knote);
	case EVFILT_USER:
		return knote->fired;
	default:
		return kqueue_file_true(knote);
	}
}

void
kqueue_filter_clear(struct knote *knote)
{
	if (knote->event.filter == EVFILT_SIGNAL)
		knote->seen += (uint64_t)knote->event.data;
	knote->event.data = 0;
	knote->event.fflags = 0;
	knote->fired = false;
}
