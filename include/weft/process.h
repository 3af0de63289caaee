/* SPDX-License-Identifier: MIT */
/*
 * weft/process.h - what is not a descriptor: blocking calls, signals, child
 * processes. They are waited for as everything else is (weft/fiber.h).
 *
 * Pages: weft_offload(3), weft_signal_wait(3), weft_wait_pid(3).
 */
#ifndef WEFT_PROCESS_H
#define WEFT_PROCESS_H

#include <signal.h>
#include <weft/base.h>

WEFT_BEGIN_DECLS

/* Runs fn(arg) on a thread of a small pool, and gives what it returned; errno
 * is then the call's. Once it runs it runs to its end: after ETIMEDOUT or
 * ECANCELED too, so arg must live that long. EAGAIN (WEFT_NOWAIT): not tried.
 * EINVAL, ENOMEM. */
WEFT_API int weft_offload(int (*fn)(void *), void *arg, int *result,
    int64_t deadline);

#ifdef SA_SIGINFO       /* not with a bare -std=c11: define _POSIX_C_SOURCE */
/* Waits for a signal of the set and returns its number; info may be NULL. The
 * program's own handler is replaced during the wait alone. Everybody who waits
 * for a signal gets it. EINVAL: an empty set, or signals that cannot be waited
 * for. */
WEFT_API int weft_signal_wait(const sigset_t *, siginfo_t *info,
    int64_t deadline);
#endif

/* Waits for the end of this child alone and takes its status, as waitpid(2)
 * gives it; NULL: not wanted. ECHILD: it is not an unwaited-for child. EINVAL:
 * pid is not above 0. */
WEFT_API int weft_wait_pid(pid_t pid, int *status, int64_t deadline);

WEFT_END_DECLS

#endif
