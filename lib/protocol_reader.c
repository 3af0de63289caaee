/* SPDX-License-Identifier: MIT */
/*
 * The adapter between a protocol and a stream that is read in a fiber:
 *
 *     transport -- data_received --> memory stream --> its reader
 *         ^                               |
 *         +---- pause, resume reading <---+  watched, for what is unread there
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/stream.h"
#include "weft/memory.h"
#include "weft/protocol.h"

struct feeding {
	struct weft__watcher here;      /* first: on the transport, to be found by */
	struct weft__watcher there;     /* on the memory stream */
	struct weft_stream *transport;
	struct weft_stream *memory;     /* NULL: it has been freed */
};

static void
ignore(struct weft__watcher *watcher, enum weft__news news)
{
	(void)watcher, (void)news;
}

static struct feeding *
feeding_on(const struct weft_stream *transport)
{
	return (struct feeding *)weft__stream_watched_by(transport, ignore);
}

/* Bytes that are unread there beyond the limit. */
static size_t
excess(const struct weft_stream *memory)
{
	size_t unread = weft__memory_unread(memory);

	return unread > memory->limit ? unread - memory->limit : 0;
}

/* Whoever waits for more than there may be gets it. */
static void
told(struct weft__watcher *watcher, enum weft__news news)
{
	struct feeding *f = (struct feeding *)
	    ((char *)watcher - offsetof(struct feeding, there));

	if (news == WEFT__NEWS_FREED) {
		weft__stream_unwatch(f->memory, &f->there);
		f->memory = NULL;
	} else if (news == WEFT__NEWS_INPUT || news == WEFT__NEWS_QUEUE ||
	    (news == WEFT__NEWS_READ && excess(f->memory) > 0)) {
		return;
	}
	weft_protocol_resume_reading(f->transport);
}

static int
start_feeding(struct weft_stream *transport, void *memory)
{
	struct feeding *f = memory == NULL ? NULL : calloc(1, sizeof *f);

	if (f == NULL)
		return memory == NULL ? weft__fail(EINVAL) : -1;
	f->transport = transport;
	f->memory = memory;
	f->here.told = ignore;
	f->there.told = told;
	weft__stream_watch(transport, &f->here);
	weft__stream_watch(memory, &f->there);
	return 0;
}

static int
feed(struct weft_stream *transport, const void *bytes, size_t n, void *memory)
{
	struct feeding *f = feeding_on(transport);

	if (f == NULL || f->memory == NULL)
		return weft__fail(EBADF);
	if (weft_memory_feed(memory, bytes, n) < 0)
		return -1;
	if (excess(memory) > f->memory->limit)
		weft_protocol_pause_reading(transport);
	return 0;
}

static int
feed_eof(struct weft_stream *transport, void *memory)
{
	struct feeding *f = feeding_on(transport);

	return f != NULL && f->memory != NULL ? weft_memory_feed_eof(memory) : 0;
}

static void
end_feeding(struct weft_stream *transport, int error, void *memory)
{
	struct feeding *f = feeding_on(transport);

	if (f != NULL && f->memory == NULL)
		memory = NULL;
	if (memory != NULL && error != 0)
		weft_memory_feed_error(memory, error);
	else if (memory != NULL)
		weft_memory_feed_eof(memory);
	if (f == NULL)
		return;
	if (memory != NULL)
		weft__stream_unwatch(memory, &f->there);
	weft__stream_unwatch(transport, &f->here);
	free(f);
}

const struct weft_protocol *
weft_reader_protocol(void)
{
	static const struct weft_protocol reader = {
		.size = sizeof reader,
		.connection_made = start_feeding,
		.data_received = feed,
		.eof_received = feed_eof,
		.connection_lost = end_feeding
	};

	return &reader;
}
