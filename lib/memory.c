/* SPDX-License-Identifier: MIT */
/*
 * Streams in memory.
 *
 *   lone     feed -> inbox -> read        write -> outbox -> take
 *   pair     write of one -> inbox of the other -> its read
 *
 * An end that is closed while the other lives is seen there as the end of the
 * stream, and as EPIPE by its writes.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/memory_script.h"
#include "weft/memory.h"

struct memory {
	struct weft_stream stream;      /* first */
	bool lone;
	struct memory *peer;            /* NULL: lone, or it has closed */
	struct weft__bytes inbox;
	struct weft__bytes outbox;      /* of a lone one */
	bool eof;                       /* after the inbox */
	int error;                      /* likewise, and instead */
	bool shut;                      /* our side: the outbox ends */
	struct weft__script *reads, *writes;    /* NULL: as they come */
};

static const struct weft_stream_class memory_class;

static struct memory *
body(const struct weft_stream *s)
{
	return (struct memory *)(uintptr_t)s;
}

/* --- as a class */

static ssize_t
read_inbox(struct weft_stream *s, void *dst, size_t n)
{
	struct memory *m = body(s);
	size_t have = weft__bytes_count(&m->inbox);

	if (have == 0) {
		if (m->error != 0)
			return weft__fail(m->error);
		return m->eof ? 0 : weft__fail(EAGAIN);
	}
	n = weft__script_next(m->reads, n < have ? n : have);
	if (n == 0)
		return weft__fail(EAGAIN);
	memcpy(dst, weft__bytes_first(&m->inbox), n);
	weft__bytes_drop(&m->inbox, n);
	if (have == n)
		weft__bytes_free(&m->inbox);
	if (m->peer != NULL)            /* there is room for its writes */
		weft__stream_notify(&m->peer->stream, WEFT_WRITABLE);
	return (ssize_t)n;
}

/* As much as fits. */
static ssize_t
append(struct weft__bytes *to, const struct iovec *iov, int count, size_t room)
{
	size_t all = 0;

	for (; count > 0 && room > 0; iov++, count--) {
		size_t n = iov->iov_len < room ? iov->iov_len : room;

		if (weft__bytes_append(to, iov->iov_base, n) < 0)
			return all > 0 ? (ssize_t)all : -1;
		all += n;
		room -= n;
	}
	return (ssize_t)all;
}

static ssize_t
write_outbox(struct weft_stream *s, const struct iovec *iov, int count)
{
	struct memory *m = body(s);
	size_t queued, room = SIZE_MAX;
	ssize_t n;

	if (!m->lone) {
		if (m->peer == NULL)
			return weft__fail(EPIPE);
		queued = weft__bytes_count(&m->peer->inbox);
		room = queued < WEFT__MEMORY_ROOM ? WEFT__MEMORY_ROOM - queued : 0;
	}
	if (room > 0)
		room = weft__script_next(m->writes, room);
	if (room == 0)
		return weft__fail(EAGAIN);
	n = append(m->lone ? &m->outbox : &m->peer->inbox, iov, count, room);
	if (n > 0 && !m->lone)
		weft__stream_notify(&m->peer->stream, WEFT_READABLE);
	return n;
}

/* Whoever reads, writes or feeds notifies. */
static int
want(struct weft_stream *s, int events)
{
	(void)s, (void)events;
	return 0;
}

static void
end_inbox(struct memory *m)
{
	m->eof = true;
	weft__stream_notify(&m->stream, WEFT_READABLE);
}

static int
end_outbox(struct weft_stream *s)
{
	struct memory *m = body(s);

	m->shut = true;
	if (m->peer != NULL)
		end_inbox(m->peer);
	return 0;
}

static void
close_both(struct weft_stream *s, bool reset)
{
	struct memory *m = body(s);
	struct memory *peer = m->peer;

	m->shut = true;
	weft__bytes_free(&m->inbox);
	weft__script_free(m->reads);
	weft__script_free(m->writes);
	m->reads = m->writes = NULL;
	if (peer == NULL)
		return;
	m->peer = peer->peer = NULL;
	if (reset && !peer->eof)
		peer->error = ECONNRESET;
	end_inbox(peer);
	weft__stream_notify(&peer->stream, WEFT_WRITABLE);
}

static void
free_memory(struct weft_stream *s)
{
	struct memory *m = body(s);

	weft__bytes_free(&m->outbox);
	free(m);
}

static const struct weft_stream_class memory_class = {
	.size = sizeof memory_class,
	.name = "memory",
	.read = read_inbox,
	.writev = write_outbox,
	.want = want,
	.shutdown = end_outbox,
	.close = close_both,
	.free = free_memory,
	.internal = true
};

/* --- for the program */

static struct memory *
new_memory(void)
{
	struct weft_loop *loop = weft__loop();
	struct memory *m;

	if (loop == NULL || weft__per_loop(loop) == NULL)
		return NULL;
	m = calloc(1, sizeof *m);
	if (m != NULL)
		weft__stream_init(&m->stream, &memory_class, loop);
	return m;
}

struct weft_stream *
weft_memory_open(void)
{
	struct memory *m = new_memory();

	if (m == NULL)
		return NULL;
	m->lone = true;
	return &m->stream;
}

int
weft_memory_pair(struct weft_stream *ends[2])
{
	struct memory *a = new_memory(), *b = new_memory();

	if (a == NULL || b == NULL) {
		free(a);
		free(b);
		return weft__fail(ENOMEM);
	}
	a->peer = b;
	b->peer = a;
	ends[0] = &a->stream;
	ends[1] = &b->stream;
	return 0;
}

/* The memory of a lone stream that can still be fed; *error says why not. */
static struct memory *
feedable(struct weft_stream *s, int *error)
{
	struct memory *m = body(s);

	*error = s->class != &memory_class || !m->lone ? ENOTSUP :
	    s->closed ? EBADF : 0;
	return *error == 0 ? m : NULL;
}

int
weft_memory_feed(struct weft_stream *s, const void *bytes, size_t n)
{
	int error;
	struct memory *m = feedable(s, &error);

	if (m == NULL)
		return weft__fail(error);
	if (m->eof || m->error != 0)
		return weft__fail(EPIPE);
	if (weft__bytes_append(&m->inbox, bytes, n) < 0)
		return -1;
	if (n > 0)
		weft__stream_notify(s, WEFT_READABLE);
	return 0;
}

int
weft_memory_feed_eof(struct weft_stream *s)
{
	int error;
	struct memory *m = feedable(s, &error);

	if (m == NULL)
		return weft__fail(error);
	end_inbox(m);
	return 0;
}

int
weft_memory_feed_error(struct weft_stream *s, int failure)
{
	int error;
	struct memory *m = feedable(s, &error);

	if (m == NULL)
		return weft__fail(error);
	if (failure == 0)
		return weft__fail(EINVAL);
	if (m->error == 0)
		m->error = failure;
	weft__stream_notify(s, WEFT_READABLE);
	return 0;
}

size_t
weft__memory_unread(const struct weft_stream *s)
{
	return s->class == &memory_class ?
	    weft__bytes_count(&body(s)->inbox) + weft_stream_buffered(s) : 0;
}

ssize_t
weft_memory_take(struct weft_stream *s, void *dst, size_t n)
{
	struct memory *m = body(s);
	size_t have;

	if (s->class != &memory_class || !m->lone)
		return weft__fail(ENOTSUP);
	if (n == 0)
		return weft__fail(EINVAL);
	if (s->flush.queued)            /* coalesced writes are writes */
		weft__stream_send_queue(s);
	have = weft__bytes_count(&m->outbox);
	if (have == 0)
		return m->shut ? 0 : weft__fail(EAGAIN);
	if (n > have)
		n = have;
	memcpy(dst, weft__bytes_first(&m->outbox), n);
	weft__bytes_drop(&m->outbox, n);
	return (ssize_t)n;
}

/* Some of them, and not only delays. */
static bool
usable(const size_t *sizes, int n)
{
	while (n > 0)
		if (sizes[--n] > 0)
			return true;
	return false;
}

int
weft_memory_set_chunks(struct weft_stream *s, int event, const size_t *sizes, int n)
{
	struct memory *m = body(s);
	struct weft__script **place, *new = NULL;

	if (s->class != &memory_class)
		return weft__fail(ENOTSUP);
	if (s->closed)
		return weft__fail(EBADF);
	if ((event != WEFT_READABLE && event != WEFT_WRITABLE) ||
	    (n != 0 && !usable(sizes, n)))
		return weft__fail(EINVAL);
	if (n > 0 && (new = weft__script_new(s, event, sizes, (size_t)n)) == NULL)
		return -1;
	place = event == WEFT_READABLE ? &m->reads : &m->writes;
	weft__script_free(*place);
	*place = new;
	weft__stream_notify(s, event);  /* what waited for the old one goes on */
	return 0;
}
