/* SPDX-License-Identifier: MIT */
/*
 * A descriptor that a program inherited belongs to its open file, which other
 * processes have, too: the shell, the other end of a pipeline. Non-blocking is
 * a property of that file, so it must not be set there, not for a moment. What
 * is done instead depends on what it is:
 *
 *   terminal, pipe, FIFO   opened once more: a new file, ours, non-blocking
 *   ... if that fails      ask the kernel, then transfer what does not block
 *   socket                 each call is told not to wait
 *   other devices          ask, then transfer
 *   regular file           read and write: the kernel does not wait there
 *
 * That fails where the system has no such thing (pipes, except on Linux), where
 * it is forbidden (a terminal or pipe of another user), and on the controlling
 * side of a pseudo-terminal, where it would make a new one. Then a transfer
 * blocks if another process is quicker with the same pipe between question and
 * transfer; nothing can be done about that.
 *
 * The stream always has a descriptor of its own, close-on-exec.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "lib/compat.h"
#include "lib/shared.h"

#ifndef PIPE_BUF
#define PIPE_BUF 512
#endif

static struct weft__shared *
body(const struct weft_stream *s)
{
	return (struct weft__shared *)(uintptr_t)s;
}

/* --- transfers */

static ssize_t
receive(struct weft__shared *t, void *dst, size_t n)
{
	ssize_t got;

	do
		got = recv(t->f.fd[WEFT__IN], dst, n, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	return weft__fdstream_got(&t->f, got, n);
}

/* Whether a try would not block; else -1 with EAGAIN. */
static int
ask(int fd, int event)
{
	int ready = weft__fd_probe(fd, event);

	return ready != 0 ? ready : weft__fail(EAGAIN);
}

/* When interrupted, it asks again: somebody else may have been there. */
static ssize_t
read_after_asking(struct weft__shared *t, void *dst, size_t n)
{
	int fd = t->f.fd[WEFT__IN];
	ssize_t got;

	do
		got = ask(fd, WEFT_READABLE) < 0 ? -1 : read(fd, dst, n);
	while (got < 0 && errno == EINTR);
	return weft__fdstream_got(&t->f, got, n);
}

ssize_t
weft__shared_read(struct weft_stream *s, void *dst, size_t n)
{
	struct weft__shared *t = body(s);

	if (n > WEFT__TRANSFER_MAX)
		n = WEFT__TRANSFER_MAX;
	switch (t->manner) {
	case WEFT__BY_MESSAGE:
		return receive(t, dst, n);
	case WEFT__AFTER_ASKING:
		return read_after_asking(t, dst, n);
	default:
		return weft__fdstream_read(s, dst, n);
	}
}

static ssize_t
send_message(struct weft__shared *t, const struct iovec *iov, int count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)iov };

	message.msg_iovlen = (size_t)count;
	return sendmsg(t->f.fd[WEFT__OUT], &message, MSG_DONTWAIT | WEFT__NOSIGNAL);
}

/* As much of the first bytes as fits for certain. */
static ssize_t
write_after_asking(struct weft__shared *t, const struct iovec *iov, int count)
{
	int fd = t->f.fd[WEFT__OUT];

	while (count > 1 && iov->iov_len == 0) {
		iov++;
		count--;
	}
	if (ask(fd, WEFT_WRITABLE) < 0)
		return -1;
	if (t->piece == SIZE_MAX)
		return writev(fd, iov, count);
	return write(fd, iov->iov_base, iov->iov_len < t->piece ? iov->iov_len : t->piece);
}

static ssize_t
try_write(struct weft__shared *t, const struct iovec *iov, int count)
{
	switch (t->manner) {
	case WEFT__BY_MESSAGE:
		return send_message(t, iov, count);
	case WEFT__AFTER_ASKING:
		return write_after_asking(t, iov, count);
	default:
		return writev(t->f.fd[WEFT__OUT], iov, count);
	}
}

/* A write to a terminal from the background would stop the process, if the
 * terminal is set so. It is held back as SIGPIPE is elsewhere. */
ssize_t
weft__shared_write(struct weft_stream *s, const struct iovec *iov, int count)
{
	struct weft__shared *t = body(s);
	struct weft__sigpipe held;
	sigset_t mask;
	ssize_t sent;

	if (t->tty)
		weft__sigttou_hold(&mask);
	else
		weft__sigpipe_hold(&held, t->f.fd[WEFT__OUT]);
	do
		sent = try_write(t, iov, count);
	while (sent < 0 && errno == EINTR);
	if (t->tty)
		weft__sigttou_release(&mask);
	else
		weft__sigpipe_release(&held);
	return weft__fdstream_sent(&t->f, sent, weft__vectors_length(iov, count));
}

void
weft__shared_close(struct weft_stream *s, bool reset)
{
	struct weft__shared *t = body(s);

	if (t->tty)
		weft__tty_leave(t);
	weft__fdstream_close(s, reset);
}

int
weft__shared_number(const struct weft_stream *s)
{
	return body(s)->number;
}

/* --- which manner */

struct plan {
	enum weft__manner manner;
	unsigned nature;
	size_t piece;
	bool tty;
	int fd;
};

/* A terminal that may not be opened by its name may still be ours. */
static int
open_controlling_terminal(int number, int flags)
{
	pid_t session = tcgetsid(number);

	if (session < 0 || session != getsid(0))
		return -1;
	return open("/dev/tty", flags);
}

/* A new open file for the same thing; -1: not to be had. */
static int
reopen(int number, int mode, const struct stat *file)
{
	int flags = mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, fd;
	struct stat again;

	if (S_ISCHR(file->st_mode) && weft__compat_is_controller(number))
		return -1;
	fd = weft__compat_reopen(number, flags);
	if (fd >= 0 && (fstat(fd, &again) < 0 || again.st_ino != file->st_ino ||
	    again.st_dev != file->st_dev || again.st_rdev != file->st_rdev)) {
		close(fd);
		fd = -1;
	}
	if (fd < 0 && S_ISCHR(file->st_mode))
		fd = open_controlling_terminal(number, flags);
	return fd;
}

static void
plan_for(int number, int mode, const struct stat *file, struct plan *plan)
{
	*plan = (struct plan){ .manner = WEFT__AFTER_ASKING, .piece = SIZE_MAX, .fd = -1 };
	plan->tty = S_ISCHR(file->st_mode) && isatty(number);
	if (plan->tty)
		plan->nature = WEFT__TERMINAL | WEFT__RESUMES;
	if (S_ISREG(file->st_mode) || S_ISDIR(file->st_mode) || S_ISBLK(file->st_mode))
		plan->manner = WEFT__AT_ONCE;
	else if (S_ISSOCK(file->st_mode))
		plan->manner = WEFT__BY_MESSAGE;
	if (!S_ISFIFO(file->st_mode) && !plan->tty)
		return;
	plan->piece = plan->tty ? 1 : PIPE_BUF;
	plan->fd = reopen(number, mode, file);
	if (plan->fd < 0)
		return;
	plan->manner = WEFT__OWN_FILE;
	if (!plan->tty && !weft__compat_keeps_packets(number))
		plan->nature = WEFT__SHORT_IS_DRAINED;
}

/* 0 or an errno. */
static int
make_plan(int number, unsigned directions, struct plan *plan)
{
	int flags = fcntl(number, F_GETFL), mode = flags & O_ACCMODE;
	struct stat file;

	if (flags < 0 || fstat(number, &file) < 0)
		return errno;
	if ((directions & WEFT__READS && mode == O_WRONLY) ||
	    (directions & WEFT__WRITES && mode == O_RDONLY))
		return EBADF;
	plan_for(number, mode, &file, plan);
	if (plan->fd < 0)
		plan->fd = fcntl(number, F_DUPFD_CLOEXEC, 3);
	return plan->fd < 0 ? errno : 0;
}

static struct weft_stream *
new_at(struct weft_loop *loop, const struct weft_stream_class *class, int fd,
    unsigned directions, const struct plan *plan)
{
	int fds[2] = { directions & WEFT__READS ? fd : -1, directions & WEFT__WRITES ? fd : -1 };
	struct weft_stream *s = weft__fdstream_make(loop, class, fds, plan->nature,
	    sizeof(struct weft__shared));
	struct weft__shared *t = body(s);

	if (s == NULL)
		return NULL;
	t->manner = plan->manner;
	t->piece = plan->piece;
	t->tty = plan->tty;
	t->number = fd;
	return s;
}

/* The number becomes one of our own file. Nothing has been registered yet. */
static int
take_number(struct weft_stream *s, int fd, int number)
{
	int error;

	if (weft__compat_move(fd, number) == 0)
		return 0;
	error = errno;
	weft__fdstream_let_go(&body(s)->f);
	weft_stream_free(s);
	return weft__fail(error);
}

struct weft_stream *
weft__shared_new(struct weft_loop *loop, const struct weft_stream_class *class, int number,
    unsigned directions, bool take)
{
	struct weft_stream *s = NULL;
	struct plan plan = { .fd = -1 };
	int error = make_plan(number, directions, &plan);

	if (error == 0) {
		s = new_at(loop, class, take ? number : plan.fd, directions, &plan);
		error = s == NULL || (take && take_number(s, plan.fd, number) < 0) ? errno : 0;
		if (error != 0)
			close(plan.fd);
	}
	if (error != 0)
		return weft__make_failed("open", class->name, error);
	body(s)->number = number;
	if (plan.tty)
		weft__tty_begin(body(s));
	return s;
}
