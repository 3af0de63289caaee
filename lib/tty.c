/* SPDX-License-Identifier: MIT */
/*
 * What is special about terminals: their size, and that it changes; raw mode,
 * of which tty_raw.c keeps the books; an end that is one only for the moment.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fiber/signal.h"
#include "lib/shared.h"
#include "weft/tty.h"

/* One that is given up with the stream, and one of the first three, which stays
 * what it is. */
static const struct weft_stream_class tty_class =
    WEFT__SHARED_CLASS("tty", weft__fdstream_fd, weft__fdstream_free);
static const struct weft_stream_class standard_tty_class =
    WEFT__SHARED_CLASS("tty", weft__shared_number, weft__fdstream_free);

/* A fiber that waits for the size to change, in the frame of its wait. */
struct weft__resizing {
	struct weft__resizing *next;
	struct weft_fiber *fiber;
};

static struct weft__shared *
body(const struct weft_stream *s)
{
	return (struct weft__shared *)(uintptr_t)s;
}

/* --- birth */

struct weft_stream *
weft_tty_open(int fd, bool readable)
{
	struct weft_loop *loop = weft__loop();
	int saved = errno, flags;
	struct weft_stream *s;
	unsigned directions = readable ? WEFT__READS | WEFT__WRITES : WEFT__WRITES;
	bool standard = fd <= STDERR_FILENO;

	if (loop == NULL)
		return NULL;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || !isatty(fd))
		return weft__make_failed("open", "tty", flags < 0 ? EBADF : ENOTTY);
	if (readable && (flags & O_ACCMODE) == O_RDONLY)
		directions = WEFT__READS;
	s = weft__shared_new(loop, standard ? &standard_tty_class : &tty_class, fd,
	    directions, !standard);
	if (s == NULL)
		return NULL;
	errno = saved;
	return s;
}

/* --- as it is */

/* The terminal, if it is one and open; NULL with errno. */
static struct weft__shared *
terminal(struct weft_stream *s)
{
	if (s->class->writev != weft__shared_write || !body(s)->tty)
		errno = ENOTTY;
	else if (s->closed)
		errno = EBADF;
	else
		return body(s);
	return NULL;
}

static int
descriptor(const struct weft__shared *t)
{
	return t->f.fd[WEFT__OUT] >= 0 ? t->f.fd[WEFT__OUT] : t->f.fd[WEFT__IN];
}

static int
ask_size(const struct weft__shared *t, int *columns, int *rows)
{
	struct winsize size;

	if (ioctl(descriptor(t), TIOCGWINSZ, &size) < 0)
		return -1;
	*columns = size.ws_col;
	*rows = size.ws_row;
	return 0;
}

int
weft_tty_winsize(struct weft_stream *s, int *columns, int *rows)
{
	struct weft__shared *t = terminal(s);

	if (t == NULL || ask_size(t, &t->columns, &t->rows) < 0)
		return -1;
	if (columns != NULL)
		*columns = t->columns;
	if (rows != NULL)
		*rows = t->rows;
	return 0;
}

/* --- that its size changes */

/* Until a signal comes, after which it may be another one. 0 or an errno. */
static int
await_signal(struct weft__shared *t, struct weft__signal_wait *wait, int64_t deadline)
{
	struct weft__resizing own = { t->resizing, wait->fiber }, **at = &t->resizing;
	int error;

	t->resizing = &own;
	weft__subject(t->f.stream.loop, SIGWINCH);
	error = weft__signal_park(wait, deadline, WEFT__FOR_SIGNAL);
	while (*at != &own)
		at = &(*at)->next;
	*at = own.next;
	return t->f.stream.closed ? EBADF : error;
}

/* While the process was stopped it was told nothing. */
static void
signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGWINCH);
	sigaddset(set, SIGCONT);
}

/* Whether it is another one than was told; then it is told. */
static bool
is_new(struct weft__shared *t, int told_columns, int told_rows, int *error)
{
	int columns, rows;

	if (ask_size(t, &columns, &rows) < 0) {
		*error = errno;
		return false;
	}
	if (columns == told_columns && rows == told_rows)
		return false;
	t->columns = columns;
	t->rows = rows;
	*error = 0;
	return true;
}

/* Signals are caught before we look, so that none is missed. */
static int
await_change(struct weft__shared *t, int64_t deadline)
{
	int columns = t->columns, rows = t->rows, error = 0;
	struct weft__signal_wait wait;
	bool changed = false;
	sigset_t set;

	signals(&set);
	while (error == 0 && !changed) {
		error = weft__signal_wait(t->f.stream.loop, &wait, &set, WEFT__WATCH_CHILD);
		if (error != 0)
			break;
		changed = is_new(t, columns, rows, &error);
		if (error == 0 && !changed)
			error = await_signal(t, &wait, deadline);
		if (error == ETIMEDOUT)         /* it still gets its one try */
			changed = is_new(t, columns, rows, &error);
		weft__signal_end(&wait);
	}
	return error;
}

int
weft_tty_wait_resize(struct weft_stream *s, int64_t deadline)
{
	struct weft__shared *t = terminal(s);
	int saved = errno, error;

	if (t == NULL)
		return -1;
	error = weft__check(s->loop);
	if (error == 0) {
		s->users++;
		error = await_change(t, deadline);
		weft__stream_go_out(s);
	}
	errno = error == 0 ? saved : error;
	return error == 0 ? 0 : -1;
}

/* --- raw mode */

static void
cook(struct weft__shared *t)
{
	if (t->raw != NULL)
		weft__raw_end(t->raw);
	t->raw = NULL;
}

int
weft_tty_set_raw(struct weft_stream *s, bool raw)
{
	struct weft__shared *t = terminal(s);

	if (t == NULL)
		return -1;
	if (!raw)
		cook(t);
	else if (t->raw == NULL)
		t->raw = weft__raw_begin(descriptor(t));
	return raw && t->raw == NULL ? -1 : 0;
}

void
weft__tty_leave(struct weft__shared *t)
{
	struct weft__resizing *waits;

	cook(t);
	for (waits = t->resizing; waits != NULL; waits = waits->next)
		weft__wake(waits->fiber, EBADF);
}

void
weft__tty_begin(struct weft__shared *t)
{
	int saved = errno;

	(void)!ask_size(t, &t->columns, &t->rows);
	errno = saved;
}
