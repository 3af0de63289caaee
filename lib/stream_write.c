/* SPDX-License-Identifier: MIT */
/*
 * Writes. The kernel is tried at once; what it does not take is queued up to
 * the high mark and sent when it can be, whatever the writer does meanwhile.
 * More than that the writer sends from its own memory, and parks: so a small
 * write does not wait, a large one is not copied, and memory is bounded.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/stream.h"

/* What is left of the caller's vectors: those at `iov`, `skip` bytes in. */
struct rest {
	const struct iovec *iov;
	int count;
	size_t skip;
	size_t length;
};

static void
step(struct rest *rest, size_t n)
{
	rest->length -= n;
	n += rest->skip;
	while (rest->count > 0 && n >= rest->iov->iov_len) {
		n -= rest->iov->iov_len;
		rest->iov++;
		rest->count--;
	}
	rest->skip = n;
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Queues n bytes of the rest. */
static int
enqueue(struct weft_stream *s, struct rest *rest, size_t n)
{
	if (weft__stream_reserve_queue(s, n) < 0)
		return ENOMEM;
	while (n > 0) {
		size_t piece = smaller(n, rest->iov->iov_len - rest->skip);

		weft__bytes_append(&s->queue,
		    (const char *)rest->iov->iov_base + rest->skip, piece);
		n -= piece;
		step(rest, piece);
	}
	return 0;
}

/* One try with the rest, queue in front. 0 or an errno. */
static int
send_rest(struct weft_stream *s, struct rest *rest)
{
	struct iovec part[WEFT__VECTORS];
	int n;
	ssize_t sent;

	for (n = 0; n < rest->count && n < WEFT__VECTORS; n++)
		part[n] = rest->iov[n];
	if (n > 0) {
		part[0].iov_base = (char *)part[0].iov_base + rest->skip;
		part[0].iov_len -= rest->skip;
	}
	sent = weft__stream_send_some(s, part, n);
	if (sent < 0)
		return errno;
	step(rest, (size_t)sent);
	return 0;
}

/* As much of the rest as fits below the high mark joins the queue. */
static int
enqueue_what_fits(struct weft_stream *s, struct rest *rest)
{
	size_t queued = weft_stream_queued(s);
	size_t room = queued < s->high ? s->high - queued : 0;
	int error;

	if (s->elastic)
		room = rest->length;
	if (room == 0 || rest->length == 0)
		return 0;
	error = enqueue(s, rest, smaller(room, rest->length));
	if (error == 0)
		weft__stream_send_later(s);
	return error;
}

static int
send_all(struct weft_stream *s, struct rest *rest, int64_t deadline)
{
	bool late = false;
	int error = 0;

	if (deadline == WEFT_NOWAIT)
		s->ready |= WEFT_WRITABLE;
	while (rest->length > 0) {
		if (s->closed)
			return EBADF;
		if (s->write_error != 0)
			return s->write_error;
		error = send_rest(s, rest);
		if (error == 0)
			continue;
		if (error != EAGAIN)
			return error;
		if (s->elastic || weft_stream_queued(s) + rest->length <= s->high)
			return enqueue_what_fits(s, rest);
		error = late ? ETIMEDOUT : weft__stream_wait_output(s, deadline);
		if (error == ETIMEDOUT && !late) {
			late = true;            /* it still gets its one try */
			s->ready |= WEFT_WRITABLE;
			continue;
		}
		if (s->ended)           /* and with it what was borrowed */
			return EBADF;
		if (error == ETIMEDOUT || error == EAGAIN || error == ECANCELED)
			enqueue_what_fits(s, rest);
		if (error != 0)
			return error;
	}
	return 0;
}

/* Joins the queue until the turn ends, or is too much for that. */
static bool
coalesce(struct weft_stream *s, struct rest *rest)
{
	if (!s->coalescing ||
	    weft_stream_queued(s) + rest->length > (size_t)WEFT__COALESCED ||
	    enqueue(s, rest, rest->length) != 0)
		return false;
	if (!s->held)
		weft__loop_defer(s->loop, &s->flush);
	return true;
}

static int
write_rest(struct weft_stream *s, struct rest *rest, int64_t deadline)
{
	int error;

	if (s->write_error != 0)
		return s->write_error;
	if (s->shut)
		return EPIPE;
	if (weft_stream_queued(s) > s->high) {
		error = weft__stream_wait_level(s, &s->low, deadline);
		if (error != 0)
			return error;
	}
	if (coalesce(s, rest))
		return 0;
	return send_all(s, rest, deadline);
}

/* Those who watch may call the program, which may free the stream. */
static void
leave(struct weft_stream *s)
{
	if (s->watchers == NULL) {
		weft__stream_leave(s, &s->writing);
		return;
	}
	s->users++;
	weft__stream_leave(s, &s->writing);
	weft__stream_mind_marks(s);
	weft__stream_go_out(s);
}

/* From inside: the vectors from byte `done` on. How much of them has been taken
 * in all. */
static ssize_t
write_inside(struct weft_stream *s, struct rest *rest, size_t done, int64_t deadline)
{
	struct weft_loop *loop = s->loop;
	size_t length = rest->length;
	int error;

	step(rest, done);               /* and over empty vectors in front */
	error = write_rest(s, rest, deadline);
	if (error == 0 || rest->length < length)
		weft__stream_keep_errno(s, &s->writing);
	leave(s);
	weft__charge(loop, length - rest->length);
	if (error == 0 || rest->length < length)
		return (ssize_t)(length - rest->length);
	return weft__fail(error);
}

ssize_t
weft_stream_writev(struct weft_stream *s, const struct iovec *iov, int count,
    int64_t deadline)
{
	struct rest rest = { iov, count, 0, 0 };
	int error, i;

	for (i = 0; i < count; i++) {
		if (iov[i].iov_len > SSIZE_MAX - rest.length)
			return weft__fail(EINVAL);
		rest.length += iov[i].iov_len;
	}
	error = count < 0 ? EINVAL : weft__stream_enter(s, &s->writing, deadline);
	if (error != 0)
		return weft__fail(error);
	return write_inside(s, &rest, 0, deadline);
}

/* Whether n bytes find room in a queue that will be sent when the turn ends. */
static inline bool
joins(const struct weft_stream *s, size_t n)
{
	size_t queued = weft__bytes_count(&s->queue);

	return s->flush.queued && s->watchers == NULL && n <= s->queue.size - s->queue.tail &&
	    queued + n <= (size_t)WEFT__COALESCED && queued <= s->high;
}

/* All other ways, from byte `done` on. */
static WEFT__APART ssize_t
write_on(struct weft_stream *s, const void *src, size_t n, size_t done, int64_t deadline)
{
	struct iovec iov = { (void *)(uintptr_t)src, n };
	struct rest rest = { &iov, 1, 0, n };
	int error = n > SSIZE_MAX ? EINVAL : weft__stream_enter(s, &s->writing, deadline);

	if (error != 0)
		return done > 0 ? (ssize_t)done : weft__fail(error);
	return write_inside(s, &rest, done, deadline);
}

/* The short ways of one piece, as most are: nobody is inside, nothing is wrong, and
 * there is nothing to wait for. Into the queue of this turn: */
static WEFT__APART ssize_t
write_coalesced(struct weft_stream *s, const void *src, size_t n, int64_t deadline)
{
	if (n - 1 >= WEFT__TRANSFER_MAX || !weft__stream_may_write(s) || !joins(s, n))
		return write_on(s, src, n, 0, deadline);
	weft__bytes_put(&s->queue, src, n);
	weft__charge(s->loop, n);
	return (ssize_t)n;
}

/* Straight to the kernel: how much has gone. */
static inline ssize_t
write_straight(struct weft_stream *s, const void *src, size_t n)
{
	struct iovec iov = { (void *)(uintptr_t)src, n };
	int *error = weft__front(s->loop)->error, before = *error;
	ssize_t sent = s->class->writev(s, &iov, 1);

	if (sent < 0)
		weft__stream_not_sent(s);
	*error = before;
	return sent < 0 ? 0 : sent;
}

ssize_t
weft_stream_write(struct weft_stream *s, const void *src, size_t n, int64_t deadline)
{
	ssize_t sent = 0;

	if (s->coalescing)
		return write_coalesced(s, src, n, deadline);
	if (n - 1 < WEFT__TRANSFER_MAX && weft__stream_may_write(s) &&
	    s->ready & WEFT_WRITABLE && weft__bytes_count(&s->queue) == 0) {
		sent = write_straight(s, src, n);
		if (sent == (ssize_t)n) {
			weft__charge(s->loop, n);
			return sent;
		}
	}
	return write_on(s, src, n, (size_t)sent, deadline);
}

ssize_t
weft_stream_printf(struct weft_stream *s, int64_t deadline, const char *format, ...)
{
	char small[WEFT__TEXT_SIZE], *text = small;
	va_list arguments;
	ssize_t written;
	int length;

	va_start(arguments, format);
	length = vsnprintf(small, sizeof small, format, arguments);
	va_end(arguments);
	if (length < 0)
		return -1;
	if ((size_t)length >= sizeof small) {
		text = malloc((size_t)length + 1);
		if (text == NULL)
			return -1;
		va_start(arguments, format);
		vsnprintf(text, (size_t)length + 1, format, arguments);
		va_end(arguments);
	}
	written = weft_stream_write(s, text, (size_t)length, deadline);
	if (text != small) {
		int error = errno;

		free(text);
		errno = error;
	}
	return written;
}
