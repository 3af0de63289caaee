/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "fiber/compat.h"

bool
weft__compat_take_pending(const sigset_t *set, siginfo_t *info)
{
#ifdef HAVE_SIGTIMEDWAIT
	static const struct timespec now;
	int saved = errno, signal;

	signal = sigtimedwait(set, info, &now);
	errno = saved;
	return signal > 0;
#else
	(void)set;
	(void)info;
	return false;           /* unblocking delivers them */
#endif
}

void
weft__compat_send_again(const siginfo_t *info)
{
#ifdef HAVE_SIGQUEUE
	if (info->si_code == SI_QUEUE &&
	    sigqueue(getpid(), info->si_signo, info->si_value) == 0)
		return;
#endif
	kill(getpid(), info->si_signo);
}

int
weft__compat_pidfd(pid_t pid)
{
#if defined(SYS_pidfd_open) && !defined(WEFT_WITHOUT_PIDFD_OPEN)
	return (int)syscall(SYS_pidfd_open, pid, 0U);
#else
	(void)pid;
	errno = ENOSYS;
	return -1;
#endif
}
