/* SPDX-License-Identifier: MIT */
/*
 * The life of a stream, who may be inside, and what it says of itself.
 *
 *   open --close--> closing (flushes; nobody gets in) --> closed --> freed
 *      \---abort-------------------------------------------^
 *
 * A stream that is freed while fibers are inside a call lives until the last
 * of them has left; each of them leaves with EBADF.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/stream.h"
#include "weft/error.h"

int
weft__fail(int error)
{
	errno = error;
	return -1;
}

void
weft__stream_init(struct weft_stream *s, const struct weft_stream_class *class,
    struct weft_loop *loop)
{
	*s = (struct weft_stream){
		.class = class, .loop = loop,
		.ready = WEFT_READABLE | WEFT_WRITABLE,         /* try first */
		.limit = WEFT__LIMIT, .low = WEFT__LOW_MARK, .high = WEFT__HIGH_MARK,
		.flush.run = weft__stream_flush_task
	};
	weft__input_drop(s);
}

/* --- who is inside */

static void
destroy(struct weft_stream *s)
{
	weft__input_drop(s);
	weft_buffer_free(s->output);
	if (s->server != NULL)
		weft__server_let_go(s->server);
	if (s->class->free != NULL)
		s->class->free(s);
}

void
weft__stream_go_out(struct weft_stream *s)
{
	if (--s->users == 0 && s->freed)
		destroy(s);
}

/* All of weft__stream_enter, whatever is in the way. */
int
weft__stream_line_up(struct weft_stream *s, struct weft__side *side, int64_t deadline)
{
	int saved = errno, error = weft__check(s->loop);

	if (error == 0 && s->closed)
		error = EBADF;
	if (error == 0 && !weft__stream_has(s, side))
		error = ENOTSUP;
	if (error != 0)
		return error;
	s->users++;
	if (side->inside != NULL && !weft__gone(side->inside)) {
		error = weft__queue_wait(s->loop, &side->turns, deadline, WEFT__FOR_TURN);
		if (error != 0) {
			weft__stream_go_out(s);
			return error;
		}
	}
	side->inside = weft__running(s->loop);
	side->errno_before = saved;
	if (s->closed) {                /* since we were woken */
		weft__stream_leave(s, side);
		return EBADF;
	}
	if (s->lent && side == &s->reading)
		weft__input_reclaim(s);
	return 0;
}

/* Whoever is woken gets in next: nobody else must slip in before. */
void
weft__stream_hand_over(struct weft_stream *s, struct weft__side *side)
{
	if (s->lent && side == &s->reading) {
		s->input_start = s->input.position;
		s->input_end = s->input.limit;
	}
	if (weft__queue_empty(&side->turns) || !weft__queue_wake(&side->turns, 0))
		side->inside = NULL;
	weft__stream_go_out(s);
}

/* --- waiting */

int
weft__stream_wait_output(struct weft_stream *s, int64_t deadline)
{
	int error;

	if (deadline == WEFT_NOWAIT)
		return EAGAIN;
	error = weft__stream_want(s, WEFT_WRITABLE);
	if (error != 0 || s->ready & WEFT_WRITABLE)
		return error;
	return weft__queue_wait(s->loop, &s->writers, deadline,
	    weft__stream_waiting(s) | WEFT__FOR_OUTPUT);
}

/* All of weft__stream_notify, whatever the news and whoever waits for it. */
bool
weft__stream_spread(struct weft_stream *s, int events)
{
	bool news = (events & ~s->ready) != 0;

	if (events < 0) {
		weft__stream_break_read(s, -events, "wait");
		weft__stream_break_write(s, -events, "wait");
		return true;
	}
	s->ready |= (uint8_t)events;
	if (s->reader != NULL && events & WEFT_READABLE)
		weft__wake(s->reader, 0);
	if (events & WEFT_READABLE)
		weft__stream_tell(s, WEFT__NEWS_INPUT);
	if (events & WEFT_WRITABLE) {
		if (weft_stream_queued(s) > 0)
			weft__stream_send_queue(s);
		else
			weft__queue_wake_all(&s->writers, 0);
	}
	if (s->above != NULL)
		news |= weft__stream_notify(s->above, events);
	return news;
}

/* --- errors */

void
weft__stream_break_read(struct weft_stream *s, int error, const char *step)
{
	if (s->read_error != 0)
		return;
	s->read_error = error;
	if (s->step == NULL)
		s->step = step;
	if (s->reader != NULL)
		weft__wake(s->reader, 0);
	weft__stream_tell(s, WEFT__NEWS_INPUT);
}

void
weft__stream_break_write(struct weft_stream *s, int error, const char *step)
{
	if (s->write_error != 0)
		return;
	s->write_error = error;
	if (s->step == NULL)
		s->step = step;
	weft__stream_drop_queue(s);
	weft__queue_wake_all(&s->writers, 0);
	weft__stream_tell(s, WEFT__NEWS_QUEUE);
}

int
weft_stream_error(const struct weft_stream *s)
{
	return s->read_error != 0 ? s->read_error : s->write_error;
}

const char *
weft_stream_error_text(const struct weft_stream *s)
{
	char *text;

	if (s == NULL)
		return weft__make_failure();
	if (weft_stream_error(s) == 0)
		return "";
	text = weft__per_loop(s->loop)->text;
	snprintf(text, WEFT__TEXT_SIZE, "%s %s: %s", s->class->name, s->step,
	    weft_strerror(weft_stream_error(s)));
	return text;
}

/* --- ending */

bool
weft_stream_can_shutdown(const struct weft_stream *s)
{
	return s->class->shutdown != NULL;
}

static int
shut(struct weft_stream *s, int64_t deadline)
{
	if (weft__stream_flush(s, deadline) < 0)
		return -1;
	if (s->shut)
		return 0;
	if (s->class->shutdown(s) < 0) {
		if (errno != ENOTCONN)          /* not yet */
			weft__stream_break_write(s, errno, "shutdown");
		return -1;
	}
	s->shut = true;
	weft__stream_tell(s, WEFT__NEWS_QUEUE);
	return 0;
}

int
weft_stream_shutdown(struct weft_stream *s, int64_t deadline)
{
	int error, result;

	if (s->class->shutdown == NULL)
		return weft__fail(ENOTSUP);
	error = weft__stream_enter(s, &s->writing, deadline);
	if (error != 0)
		return weft__fail(error);
	result = shut(s, deadline);
	if (result == 0)
		errno = s->writing.errno_before;
	weft__stream_leave(s, &s->writing);
	return result;
}

/* From here on nobody gets in, and everybody inside is on the way out. */
static void
turn_out(struct weft_stream *s)
{
	s->closed = true;
	weft__stream_tell(s, WEFT__NEWS_CLOSED);
	if (s->reader != NULL)
		weft__wake(s->reader, EBADF);
	weft__queue_wake_all(&s->reading.turns, EBADF);
	weft__queue_wake_all(&s->writing.turns, EBADF);
	weft__queue_wake_all(&s->writers, EBADF);
}

static void
end(struct weft_stream *s, bool reset)
{
	s->ended = true;
	weft__stream_tell(s, WEFT__NEWS_CLOSED);
	weft__stream_drop_queue(s);
	weft__input_drop(s);
	s->input_end = 0;               /* lent or not */
	weft__loop_undefer(s->loop, &s->flush);
	if (s->class->close != NULL)
		s->class->close(s, reset);
	turn_out(s);
}

int
weft_stream_close(struct weft_stream *s, int64_t deadline)
{
	int saved = errno, error = 0;

	if (s->closed)
		return 0;
	turn_out(s);
	s->users++;
	if (weft__stream_flush(s, deadline) < 0)
		error = errno;
	if (error == EAGAIN)
		error = ETIMEDOUT;      /* bytes were dropped */
	if (!s->ended)          /* aborted or freed meanwhile */
		end(s, false);
	weft__stream_go_out(s);
	errno = error == 0 ? saved : error;
	return error == 0 ? 0 : -1;
}

void
weft_stream_abort(struct weft_stream *s)
{
	s->leaving = false;     /* whoever was about to free it has been forestalled */
	if (!s->ended)
		end(s, true);
}

void
weft_stream_free(struct weft_stream *s)
{
	if (s == NULL || s->freed)
		return;
	weft__stream_tell(s, WEFT__NEWS_FREED);
	s->leaving = s->users == 0;     /* a protocol's connection_lost may ask */
	if (!s->ended)
		end(s, true);
	s->freed = true;
	if (s->users == 0)
		destroy(s);
}

/* --- state */

bool
weft_stream_readable(const struct weft_stream *s)
{
	return !s->closed && !s->unreadable && (weft_stream_buffered(s) > 0 ||
	    (!s->eof && s->read_error == 0));
}

bool
weft_stream_writable(const struct weft_stream *s)
{
	return !s->closed && !s->unwritable && !s->shut && s->write_error == 0;
}

bool
weft_stream_closed(const struct weft_stream *s)
{
	return s->closed;
}

bool
weft_stream_at_eof(const struct weft_stream *s)
{
	return !s->closed && s->eof && s->read_error == 0 &&
	    weft_stream_buffered(s) == 0;
}

int
weft_stream_fd(const struct weft_stream *s)
{
	int fd;

	if (s->class->fd == NULL)
		return weft__fail(ENOTSUP);
	fd = s->ended ? -1 : s->class->fd(s);
	return fd < 0 ? weft__fail(EBADF) : fd;
}

static const char *
name_of(struct weft_stream *s, int side)
{
	const char *name = s->class->name_of != NULL ? s->class->name_of(s, side) : NULL;

	return name != NULL ? name : "";
}

const char *
weft_stream_sockname(struct weft_stream *s)
{
	return name_of(s, 0);
}

const char *
weft_stream_peername(struct weft_stream *s)
{
	return name_of(s, 1);
}

static int
address_of(struct weft_stream *s, int side, struct sockaddr *address, socklen_t *length)
{
	if (s->class->address_of == NULL)
		return weft__fail(ENOTSUP);
	return s->class->address_of(s, side, address, length);
}

int
weft_stream_getsockname(struct weft_stream *s, struct sockaddr *address, socklen_t *length)
{
	return address_of(s, 0, address, length);
}

int
weft_stream_getpeername(struct weft_stream *s, struct sockaddr *address, socklen_t *length)
{
	return address_of(s, 1, address, length);
}

void
weft_stream_set_data(struct weft_stream *s, void *data)
{
	s->data = data;
}

void *
weft_stream_data(const struct weft_stream *s)
{
	return s->data;
}
