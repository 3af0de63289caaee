/* SPDX-License-Identifier: MIT */
/*
 * The end of a child process. It is always fetched with waitpid(2) of this pid
 * alone: anything else would take the children of the rest of the program.
 *
 * What tells that it is time to look is the poller where it can (EVFILT_PROC of
 * kqueue), or a descriptor of the process where the system has such a thing and
 * lets us have it; else SIGCHLD, of which the program's own handler still hears.
 */
#include "config.h"

#include <errno.h>
#include <sys/wait.h>

#include "fiber/compat.h"
#include "fiber/fiber.h"
#include "fiber/signal.h"
#include "weft/process.h"

enum { ENDED = 0, RUNNING = -1 };

/* ENDED, RUNNING or an errno. */
static int
look(pid_t pid, int *status)
{
	pid_t ended = waitpid(pid, status, WNOHANG);

	if (ended < 0)
		return errno;
	return ended == pid ? ENDED : RUNNING;
}

/* --- by the poller, or its descriptor */

struct parked {
	struct weft__waiter waiter;     /* first: see woken() */
	struct weft_fiber *fiber;
	bool told;
};

static void
woken(struct weft__waiter *waiter, int events)
{
	struct parked *parked = (struct parked *)waiter;

	(void)events;
	parked->told = true;
	weft__wake(parked->fiber, 0);
}

struct child {
	struct weft__child watch;       /* its waiter is first: see ended() */
	struct weft_fiber *fiber;
};

static void
ended(struct weft__waiter *waiter, int events)
{
	struct child *child = (struct child *)waiter;

	(void)events;
	weft__wake(child->fiber, 0);
}

/* RUNNING: to be waited for in another way. The poller may speak of a process
 * that is about to end, which waitpid(2) does not give yet. */
static int
wait_by_poller(struct weft_loop *loop, pid_t pid, int *status, int64_t deadline)
{
	struct child child = { { .waiter.ready = ended, .pid = pid }, loop->front.current };
	int error, state;

	if (weft__child_watch(&loop->reactor, &child.watch) < 0)
		return look(pid, status);
	error = weft__park(loop, deadline, WEFT__EXTERNAL | WEFT__FOR_CHILD);
	weft__child_forget(&loop->reactor, &child.watch);
	state = look(pid, status);
	return state != RUNNING || error == 0 ? state : error;
}

static int
park_on(struct weft_loop *loop, struct weft__slot *slot, int64_t deadline)
{
	struct parked parked = { .waiter.ready = woken, .fiber = loop->front.current };
	int error = weft__fd_want(loop, slot, WEFT_READABLE);

	if (error != 0)
		return error;
	weft__slot_add(slot, &parked.waiter, WEFT_READABLE);
	error = weft__park(loop, deadline, WEFT__EXTERNAL | WEFT__FOR_CHILD);
	if (!parked.told)
		weft__slot_remove(slot, &parked.waiter);
	return error;
}

static int
wait_on(struct weft_loop *loop, int fd, pid_t pid, int *status, int64_t deadline)
{
	struct weft__slot *slot = weft__fd_borrow(loop, fd);
	int error = 0, state = RUNNING;

	if (slot == NULL)
		error = errno;
	while (error == 0 && state == RUNNING) {
		error = park_on(loop, slot, deadline);
		state = look(pid, status);
	}
	weft__fd_return(loop, fd);
	weft__fd_close(loop, fd);
	return state != RUNNING ? state : error;
}

/* --- by signal */

static int
wait_for_signal(struct weft_loop *loop, pid_t pid, int *status, int64_t deadline)
{
	struct weft__signal_wait wait;
	int error = 0, state = RUNNING;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	while (error == 0 && state == RUNNING) {
		error = weft__signal_wait(loop, &wait, &set, WEFT__WATCH_CHILD);
		if (error != 0)
			break;
		/* It may have ended before we watched. */
		state = look(pid, status);
		if (state == RUNNING)
			error = weft__signal_park(&wait, deadline, WEFT__FOR_CHILD);
		weft__signal_end(&wait);
		if (state == RUNNING)
			state = look(pid, status);
	}
	return state != RUNNING ? state : error;
}

static int
wait_for(struct weft_loop *loop, pid_t pid, int *status, int64_t deadline)
{
	int fd, state = look(pid, status);

	if (state != RUNNING)
		return state;
	if (deadline == WEFT_NOWAIT)
		return EAGAIN;
	weft__subject(loop, (uint64_t)pid);
	state = wait_by_poller(loop, pid, status, deadline);
	if (state != RUNNING)
		return state;
	fd = weft__compat_pidfd(pid);
	return fd >= 0 ? wait_on(loop, fd, pid, status, deadline) :
	    wait_for_signal(loop, pid, status, deadline);
}

int
weft_wait_pid(pid_t pid, int *status, int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	int saved = errno, error, ignored;

	if (loop == NULL)
		return -1;
	error = pid <= 0 ? EINVAL : weft__check(loop);
	if (error == 0)
		error = wait_for(loop, pid, status != NULL ? status : &ignored, deadline);
	errno = error == 0 ? saved : error;
	return error == 0 ? 0 : -1;
}
