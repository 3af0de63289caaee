/* SPDX-License-Identifier: MIT */
/*
 * Streams of classes that programs write. The table is kept with the stream:
 * it may come from an older header and lack what is new at its end.
 *
 * A try of such a class may be made of calls on other streams. Whoever's stack
 * it runs on, it must not be interrupted: others would try the same once more.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/stream.h"

struct custom {
	struct weft_stream stream;      /* first */
	struct weft_stream_class class; /* ours: frees the whole */
	/* The program's: */
	ssize_t (*read)(struct weft_stream *, void *, size_t);
	ssize_t (*writev)(struct weft_stream *, const struct iovec *, int);
	void (*free)(struct weft_stream *);
	void *object;
};

static ssize_t
read_custom(struct weft_stream *s, void *dst, size_t n)
{
	struct weft_loop *loop = s->loop;
	struct weft__respite before = weft__respite_begin(loop);
	ssize_t got = ((struct custom *)s)->read(s, dst, n);

	weft__respite_end(loop, before);
	return got;
}

static ssize_t
writev_custom(struct weft_stream *s, const struct iovec *iov, int count)
{
	struct weft_loop *loop = s->loop;
	struct weft__respite before = weft__respite_begin(loop);
	ssize_t sent = ((struct custom *)s)->writev(s, iov, count);

	weft__respite_end(loop, before);
	return sent;
}

static void
free_custom(struct weft_stream *s)
{
	struct custom *custom = (struct custom *)s;

	if (custom->free != NULL)
		custom->free(s);
	free(custom);
}

struct weft_stream *
weft_stream_new(const struct weft_stream_class *class, void *object)
{
	struct weft_loop *loop = weft__loop();
	struct custom *custom;

	if (loop == NULL || weft__per_loop(loop) == NULL)
		return NULL;
	if (class == NULL || class->size < offsetof(struct weft_stream_class, flush) ||
	    class->name == NULL || class->want == NULL ||
	    (class->read == NULL && class->writev == NULL)) {
		errno = EINVAL;
		return NULL;
	}
	custom = calloc(1, sizeof *custom);
	if (custom == NULL)
		return NULL;
	memcpy(&custom->class, class, class->size < sizeof custom->class ?
	    class->size : sizeof custom->class);
	custom->read = custom->class.read;
	custom->writev = custom->class.writev;
	custom->free = custom->class.free;
	custom->class.read = read_custom;
	custom->class.writev = writev_custom;
	custom->class.free = free_custom;
	custom->object = object;
	weft__stream_init(&custom->stream, &custom->class, loop);
	custom->stream.unreadable = class->read == NULL;
	custom->stream.unwritable = class->writev == NULL;
	return &custom->stream;
}

void *
weft_stream_object(const struct weft_stream *s)
{
	return ((const struct custom *)s)->object;
}

void
weft_stream_notify(struct weft_stream *s, int events)
{
	if (!s->ended)
		weft__stream_notify(s, events & (WEFT_READABLE | WEFT_WRITABLE));
}

int
weft_stream_want(struct weft_stream *below, int events, struct weft_stream *above)
{
	if (below->ended)
		return weft__fail(EBADF);
	below->above = above;
	return below->class->want(below, events);
}
