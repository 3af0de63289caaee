/* SPDX-License-Identifier: MIT */
/*
 * The queue of a stream: what was accepted and is not with the kernel yet. It
 * is sent when it can be, whatever its writers do meanwhile; who waits for it
 * to fall to a level is woken.
 *
 * With coalescing, writes only join the queue; it is sent when the turn ends,
 * or at 16 KiB: many small writes leave in one call.
 */
#include "config.h"

#include <errno.h>
#include <stddef.h>

#include "lib/stream.h"

size_t
weft_stream_queued(const struct weft_stream *s)
{
	return weft__bytes_count(&s->queue);
}

/* --- the queue */

static void
hold(struct weft_stream *s, bool on)
{
	if (s->held == on)
		return;
	s->held = on;
	if (on)
		weft__loop_hold(s->loop);
	else
		weft__loop_release(s->loop);
}

/* A queue that is empty has no memory: an idle stream costs none. */
static void
give_back(struct weft_stream *s)
{
	if (s->queue.size != WEFT__BYTES_FIRST) {
		weft__bytes_free(&s->queue);
		return;
	}
	weft__idle_give(&weft__per_loop(s->loop)->queues, s->queue.memory);
	s->queue = (struct weft__bytes){ NULL, 0, 0, 0 };
}

int
weft__stream_reserve_queue(struct weft_stream *s, size_t n)
{
	struct weft__bytes *q = &s->queue;

	if (q->memory == NULL && n <= WEFT__BYTES_FIRST) {
		q->memory = weft__idle_take(&weft__per_loop(s->loop)->queues);
		q->size = q->memory != NULL ? WEFT__BYTES_FIRST : 0;
	}
	return weft__bytes_reserve(q, n);
}

void
weft__stream_drop_queue(struct weft_stream *s)
{
	give_back(s);
	hold(s, false);
}

/* Steps over `sent` bytes of the queue. */
static void
advance(struct weft_stream *s, size_t sent)
{
	weft__bytes_drop(&s->queue, sent);
	if (weft_stream_queued(s) > 0)
		return;
	hold(s, false);
	give_back(s);
}

/* The class has taken nothing: for now, or for ever. */
void
weft__stream_not_sent(struct weft_stream *s)
{
	if (errno == EAGAIN)
		s->ready &= (uint8_t)~WEFT_WRITABLE;
	else
		weft__stream_break_write(s, errno, "write");
}

/* One try, with the queue in front of iov, and no more than any kernel takes.
 * How much of iov went, or -1. */
ssize_t
weft__stream_send_some(struct weft_stream *s, const struct iovec *iov, int count)
{
	struct iovec all[WEFT__VECTORS];
	size_t queued = weft_stream_queued(s), total = queued;
	int n = 0;
	ssize_t sent;

	if (!(s->ready & WEFT_WRITABLE))
		return weft__fail(EAGAIN);
	if (queued > 0)
		all[n++] = (struct iovec){ weft__bytes_first(&s->queue), queued };
	for (; count > 0 && n < WEFT__VECTORS && total < WEFT__TRANSFER_MAX; count--, n++) {
		all[n] = *iov++;
		if (all[n].iov_len > WEFT__TRANSFER_MAX - total)
			all[n].iov_len = WEFT__TRANSFER_MAX - total;
		total += all[n].iov_len;
	}
	sent = s->class->writev(s, all, n);
	if (s->ended)                   /* the class has aborted it, and so the queue */
		return weft__fail(EBADF);
	if (sent < 0) {
		weft__stream_not_sent(s);
		return -1;
	}
	if ((size_t)sent < queued) {
		advance(s, (size_t)sent);
		return 0;
	}
	if (queued > 0)
		advance(s, queued);
	return sent - (ssize_t)queued;
}

/* The class will notify, and the loop polls for it, while bytes are queued. */
void
weft__stream_send_later(struct weft_stream *s)
{
	if (weft_stream_queued(s) == 0)
		return;
	if (s->class->want(s, WEFT_WRITABLE) < 0)
		weft__stream_break_write(s, errno, "wait");
	else
		hold(s, !s->class->internal);
}

void
weft__stream_send_queue(struct weft_stream *s)
{
	while (weft_stream_queued(s) > 0)
		if (weft__stream_send_some(s, NULL, 0) < 0)
			break;
	weft__stream_send_later(s);
	if (weft_stream_queued(s) <= s->low)
		weft__queue_wake_all(&s->writers, 0);
	weft__stream_tell(s, WEFT__NEWS_QUEUE);
}

void
weft__stream_flush_task(struct weft__task *task)
{
	weft__stream_send_queue((struct weft_stream *)
	    ((char *)task - offsetof(struct weft_stream, flush)));
}

/* --- waiting for it */

static void
try_queue(struct weft_stream *s)
{
	s->ready |= WEFT_WRITABLE;      /* whatever we believe */
	weft__stream_send_queue(s);
}

/* Until at most *level bytes are queued, or the stream breaks, or is closed by
 * somebody else. An errno. *level may change meanwhile. */
int
weft__stream_wait_level(struct weft_stream *s, const size_t *level, int64_t deadline)
{
	bool closing = s->closed;
	int error = 0;

	if (s->flush.queued || (deadline == WEFT_NOWAIT && weft_stream_queued(s) > *level))
		try_queue(s);
	while (error == 0 && s->write_error == 0 && weft_stream_queued(s) > *level) {
		error = weft__stream_wait_output(s, deadline);
		if (s->ended || s->closed != closing)
			return EBADF;
		if (error == ETIMEDOUT) {       /* it still gets its one try */
			try_queue(s);
			if (weft_stream_queued(s) <= *level)
				error = 0;
		}
	}
	if (s->ended)
		return EBADF;
	return s->write_error != 0 ? s->write_error : error;
}

int
weft__stream_flush(struct weft_stream *s, int64_t deadline)
{
	static const size_t nothing = 0;
	int error;

	if (weft_stream_queued(s) == 0 && s->write_error == 0 && s->class->flush == NULL)
		return 0;
	error = weft__stream_wait_level(s, &nothing, deadline);
	if (error == 0 && s->class->flush != NULL && s->class->flush(s, deadline) < 0)
		error = errno;
	return error == 0 ? 0 : weft__fail(error);
}

static int
public_wait(struct weft_stream *s, bool all, int64_t deadline)
{
	int saved = errno, error = weft__check(s->loop);

	if (error == 0 && s->closed)
		error = EBADF;
	if (error != 0)
		return weft__fail(error);
	s->users++;
	if (all)
		error = weft__stream_flush(s, deadline) < 0 ? errno : 0;
	else
		error = weft__stream_wait_level(s, &s->low, deadline);
	weft__stream_go_out(s);
	errno = error == 0 ? saved : error;
	return error == 0 ? 0 : -1;
}

int
weft_stream_flush(struct weft_stream *s, int64_t deadline)
{
	return public_wait(s, true, deadline);
}

int
weft_stream_drain(struct weft_stream *s, int64_t deadline)
{
	return public_wait(s, false, deadline);
}

int
weft_stream_set_watermarks(struct weft_stream *s, size_t low, size_t high)
{
	if (low > high)
		return weft__fail(EINVAL);
	s->low = low;
	s->high = high;
	if (weft_stream_queued(s) <= low)
		weft__queue_wake_all(&s->writers, 0);
	weft__stream_mind_marks(s);
	return 0;
}

int
weft_stream_set_coalescing(struct weft_stream *s, bool on)
{
	if (s->closed)
		return weft__fail(EBADF);
	s->coalescing = on;
	if (!on && s->flush.queued)
		weft__stream_send_queue(s);
	return 0;
}
