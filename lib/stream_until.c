/* SPDX-License-Identifier: MIT */
/*
 * Reads by record: through a delimiter, found wherever the segments were cut.
 *
 *   position                 scanned              limit
 *      | a b c d e f g h i j k l | m n o p q r s t u |
 *                        |<-- the next search -->|
 *                        n - 1 bytes back: a delimiter may lie across
 *
 * No byte is searched twice but those n - 1, so a long record costs time in
 * proportion to its length however many segments it came in. Whether a record
 * is too long depends on its bytes alone: it is, as soon as no delimiter can
 * begin within the limit any more.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "lib/stream.h"

struct record {
	const unsigned char *delimiter;
	size_t n;               /* of the delimiter */
	size_t scanned;         /* bytes in which none begins and ends */
};

static const unsigned char *
search(const unsigned char *bytes, size_t length, const struct record *r)
{
	return r->n == 1 ? memchr(bytes, r->delimiter[0], length) :
	    memmem(bytes, length, r->delimiter, r->n);
}

/* The length of the record, delimiter included; 0 if it is not all there. */
static size_t
find(struct weft_stream *s, struct record *r)
{
	const unsigned char *bytes = weft__input_bytes(s), *found;
	size_t have = weft_stream_buffered(s);
	size_t from = r->scanned < r->n ? 0 : r->scanned - r->n + 1;

	if (have < r->n)
		return 0;
	found = search(bytes + from, have - from, r);
	r->scanned = have;
	return found == NULL ? 0 : (size_t)(found - bytes) + r->n;
}

/* Whether a delimiter can still begin within the limit: what has come past it
 * is the beginning of one. */
static bool
possible(const struct weft_stream *s, const struct record *r)
{
	const unsigned char *bytes = weft__input_bytes(s);
	size_t have = weft_stream_buffered(s), at;

	if (have <= s->limit)
		return true;
	if (have - s->limit >= r->n)
		return false;
	for (at = have < r->n ? 0 : have - r->n + 1; at <= s->limit; at++)
		if (memcmp(bytes + at, r->delimiter, have - at) == 0)
			return true;
	return false;
}

/* Makes the record complete: its length; 0 at a clean end; -1 with EPIPE when
 * the stream ended inside it, or another errno. */
static ssize_t
complete(struct weft_stream *s, struct record *r, int64_t deadline)
{
	size_t length;
	ssize_t got;

	for (;;) {
		length = find(s, r);
		if (length > 0)
			return length - r->n <= s->limit ? (ssize_t)length :
			    weft__fail(EMSGSIZE);
		if (!possible(s, r))
			return weft__fail(EMSGSIZE);
		got = weft__input_read(s, NULL, 0, deadline);
		if (got < 0)
			return -1;
		if (got == 0)
			return weft_stream_buffered(s) == 0 ? 0 : weft__fail(EPIPE);
	}
}

static ssize_t
deliver(struct weft_stream *s, ssize_t length, const void **data)
{
	if (length > 0) {
		*data = weft__input_bytes(s);
		weft__input_consume(s, (size_t)length);
	}
	return length;
}

ssize_t
weft_stream_read_until(struct weft_stream *s, const void *delimiter, size_t n,
    const void **data, int64_t deadline)
{
	struct record r = { delimiter, n, 0 };
	int error = n == 0 ? EINVAL : weft__stream_enter(s, &s->reading, deadline);

	if (error != 0)
		return weft__fail(error);
	return weft__read_leave(s, deliver(s, complete(s, &r, deadline), data));
}

ssize_t
weft_stream_read_line(struct weft_stream *s, const char **line, int64_t deadline)
{
	struct record r = { (const unsigned char *)"\n", 1, 0 };
	int error = weft__stream_enter(s, &s->reading, deadline);
	const void *data = NULL;
	ssize_t length;

	if (error != 0)
		return weft__fail(error);
	length = complete(s, &r, deadline);
	if (length < 0 && errno == EPIPE && s->eof)     /* the last line */
		length = (ssize_t)weft_stream_buffered(s);
	length = deliver(s, length, &data);
	if (length > 0)
		*line = data;
	return weft__read_leave(s, length);
}

/* Drops what is buffered, through the LF if it is there. */
static bool
drop_line(struct weft_stream *s)
{
	size_t have = weft_stream_buffered(s);
	const unsigned char *bytes = weft__input_bytes(s);
	const unsigned char *lf = have > 0 ? memchr(bytes, '\n', have) : NULL;

	weft__input_consume(s, lf != NULL ? (size_t)(lf - bytes) + 1 : have);
	return lf != NULL;
}

int
weft_stream_skip_line(struct weft_stream *s, int64_t deadline)
{
	int error = weft__stream_enter(s, &s->reading, deadline);
	ssize_t got = 1;

	if (error != 0)
		return weft__fail(error);
	while (!drop_line(s) && got > 0)
		got = weft__input_read(s, NULL, 0, deadline);
	if (got == 0)
		got = weft__fail(EPIPE);
	return weft__read_leave(s, got) < 0 ? -1 : 0;
}

size_t
weft_chomp(const char *line, size_t length)
{
	if (length > 0 && line[length - 1] == '\n')
		length--;
	else
		return length;
	if (length > 0 && line[length - 1] == '\r')
		length--;
	return length;
}
