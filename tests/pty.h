/* SPDX-License-Identifier: MIT */
/*
 * tests/pty.h - pseudo-terminals, and processes of which one is the terminal.
 * Those have closed what Check talks through: no ck_assert there.
 */
#ifndef WEFT_TESTS_PTY_H
#define WEFT_TESTS_PTY_H

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "tests/harness.h"

enum { CONTROLLER, TERMINAL };

static inline void
open_pty(int ends[2])
{
	ends[CONTROLLER] = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert_int_ge(ends[CONTROLLER], 0);
	ck_assert_int_eq(grantpt(ends[CONTROLLER]) + unlockpt(ends[CONTROLLER]), 0);
	ends[TERMINAL] = open(ptsname(ends[CONTROLLER]), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(ends[TERMINAL], 0);
}

/* Also for processes of which Check knows nothing. */
static inline struct termios
modes_of(int tty)
{
	struct termios modes = { .c_lflag = ISIG };

	(void)!tcgetattr(tty, &modes);
	return modes;
}

static inline bool
is_raw(int tty)
{
	struct termios modes = modes_of(tty);

	return !(modes.c_lflag & (ICANON | ECHO | ISIG)) && !(modes.c_oflag & OPOST);
}

static inline bool
is_blocking(int fd)
{
	return !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static inline void
set_size(int fd, int columns, int rows)
{
	struct winsize size = { .ws_col = (unsigned short)columns,
	    .ws_row = (unsigned short)rows };

	ck_assert_int_eq(ioctl(fd, TIOCSWINSZ, &size), 0);
}

/* --- processes */

/* Gives this process its first three descriptors, and no others but `keep`. */
static inline void
redirect(const int fds[3], int keep)
{
	int fd, i, at[3];

	for (i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);     /* Check has some of its own */
	for (fd = 0; fd <= 2; fd++)
		at[fd] = fds[fd] < 0 ? -1 : fcntl(fds[fd], F_DUPFD, 64);
	for (fd = 0; fd <= 2; fd++)
		if (at[fd] < 0 || dup2(at[fd], fd) < 0)
			close(fd);
	for (fd = 3; fd < 72; fd++)
		if (fd != keep)
			close(fd);
}

#ifdef WEFT_ASAN
/* The last thing at exit: what the parent had allocated is no leak of ours. */
static inline void
leave(int status, void *arg)
{
	(void)arg;
	_exit(status);
}
#endif

/* Runs fn(pipe) in a new process with these; it exits with what fn returns.
 * What it writes to the pipe can be read from *told. `tty` is its controlling
 * terminal, -1: none. */
static inline pid_t
start_with(const int fds[3], int tty, int (*fn)(int pipe), int *told)
{
	int ends[2];
	pid_t child;

	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		if (setsid() < 0 || (tty >= 0 && ioctl(tty, TIOCSCTTY, 0) < 0))
			_exit(98);
		redirect(fds, ends[1]);
		if (weft_loop_after_fork() < 0)
			_exit(97);
#ifdef WEFT_ASAN
		on_exit(leave, NULL);
#endif
		exit(fn(ends[1]));
	}
	close(ends[1]);
	*told = ends[0];
	return child;
}

/* One whose terminal this is. */
static inline pid_t
start_on(int tty, int (*fn)(int pipe), int *told)
{
	const int fds[3] = { tty, tty, tty };

	return start_with(fds, tty, fn, told);
}

/* Waits until it says this. */
static inline void
expect_word(int from, char word)
{
	struct pollfd one = { .fd = from, .events = POLLIN };
	char got = 0;

	ck_assert_msg(poll(&one, 1, 30000) == 1, "the process never said '%c'", word);
	ck_assert_int_ge(read(from, &got, 1), 0);
	ck_assert_msg(got == word, "the process said '%c', not '%c'", got ? got : '0', word);
}

static inline void
say(int to, char word)
{
	if (write(to, &word, 1) != 1)
		_exit(96);
}

/* Its status, as waitpid gives it: the process must end, or stop. */
static inline int
status_of(pid_t child, int flags)
{
	int status;

	ck_assert_int_eq(waitpid(child, &status, flags), child);
	return status;
}

#define ck_assert_exits(child, code) \
	do { \
		int status_ = status_of(child, 0); \
		ck_assert_msg(WIFEXITED(status_) && WEXITSTATUS(status_) == (code), \
		    "status %#x, not %d", (unsigned)status_, code); \
	} while (0)
#define ck_assert_dies(child, signal) \
	do { \
		int status_ = status_of(child, 0); \
		ck_assert_msg(WIFSIGNALED(status_) && WTERMSIG(status_) == (signal), \
		    "status %#x, not signal %d", (unsigned)status_, signal); \
	} while (0)

#endif
