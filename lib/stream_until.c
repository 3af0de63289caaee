/* SPDX-License-Identifier: MIT */
/*
 * Reads by record: through a delimiter, found wherever the segments were cut.
 *
 *   position                 scanned              limit
 *      | a b c d e f g h i j k l | m n o p q r s t u |
 *                        |<-- the next search -->|
 *                        n - 1 bytes back: a delimiter may lie across
 *
 * For each delimiter no byte is searched twice but those n - 1, so a long record
 * costs time in proportion to its length however many segments it came in.
 * Whether a record is too long depends on its bytes alone: it is, as soon as no
 * delimiter can begin within the limit any more.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "lib/stream.h"

struct record {
	const struct iovec *delimiters; /* none of them empty */
	int count;
	size_t scanned;         /* bytes in which none begins and ends */
};

/* The delimiters, each behind its length, if they are short. */
static struct weft__key
key_of(const struct record *r)
{
	struct weft__key key = { { 0 } };
	size_t at = 0, n;
	int i;

	for (i = 0; i < r->count; i++) {
		n = r->delimiters[i].iov_len;
		if (n >= sizeof key.bytes - at)
			return (struct weft__key){ { 0 } };
		key.bytes[at++] = (unsigned char)n;
		memcpy(key.bytes + at, r->delimiters[i].iov_base, n);
		at += n;
	}
	return key;
}

static void
recall(const struct weft_stream *s, struct record *r)
{
	struct weft__key key = key_of(r);

	if (weft__has_searched_for(s, &key))
		r->scanned = s->searched.scanned;
}

static void
remember(struct weft_stream *s, const struct record *r)
{
	s->searched = (struct weft__searched){ key_of(r), r->scanned, 0 };
}

/* A record that was found: its length, and how much of that is delimiter. */
struct found {
	size_t length, delimiter;
};

static const unsigned char *
search(const unsigned char *bytes, size_t length, const struct iovec *delimiter)
{
	if (length < delimiter->iov_len)
		return NULL;
	return delimiter->iov_len == 1 ?
	    memchr(bytes, *(const unsigned char *)delimiter->iov_base, length) :
	    memmem(bytes, length, delimiter->iov_base, delimiter->iov_len);
}

/* The delimiter that ends first, and of those that end together the shortest.
 * What has been found bounds where the next one is looked for. */
static struct found
find(struct weft_stream *s, struct record *r)
{
	const unsigned char *bytes = weft__input_bytes(s), *at;
	size_t end = weft__input_count(s);
	struct found best = { 0, 0 };
	int i;

	if (end == 0)
		return best;
	for (i = 0; i < r->count; i++) {
		size_t n = r->delimiters[i].iov_len;
		size_t from = r->scanned < n ? 0 : r->scanned - n + 1;

		at = from > end ? NULL : search(bytes + from, end - from, &r->delimiters[i]);
		if (at == NULL)
			continue;
		end = (size_t)(at - bytes) + n;
		if (end != best.length || n < best.delimiter)
			best = (struct found){ end, n };
	}
	r->scanned = weft__input_count(s);
	return best;
}

/* Whether this delimiter can still begin within the limit: what has come past
 * it is the beginning of one. */
static bool
can_begin(const struct weft_stream *s, const struct iovec *delimiter)
{
	const unsigned char *bytes = weft__input_bytes(s);
	size_t have = weft__input_count(s), n = delimiter->iov_len, at;

	if (have - s->limit >= n)
		return false;
	for (at = have < n ? 0 : have - n + 1; at <= s->limit; at++)
		if (memcmp(bytes + at, delimiter->iov_base, have - at) == 0)
			return true;
	return false;
}

static bool
possible(const struct weft_stream *s, const struct record *r)
{
	int i;

	if (weft__input_count(s) <= s->limit)
		return true;
	for (i = 0; i < r->count; i++)
		if (can_begin(s, &r->delimiters[i]))
			return true;
	return false;
}

static ssize_t
seek(struct weft_stream *s, struct record *r, int64_t deadline)
{
	struct found found;
	ssize_t got;

	for (;;) {
		found = find(s, r);
		if (found.length > 0 && found.length - found.delimiter <= s->limit)
			return (ssize_t)found.length;
		if (found.length > 0) {
			r->scanned = 0;         /* it is there, for another limit */
			return weft__fail(EMSGSIZE);
		}
		if (!possible(s, r))
			return weft__fail(EMSGSIZE);
		got = weft__input_read(s, NULL, 0, deadline);
		if (got < 0)
			return -1;
		if (got == 0)
			return weft__input_count(s) == 0 ? 0 : weft__fail(EPIPE);
	}
}

/* Makes the record complete: its length; 0 at a clean end; -1 with EPIPE when
 * the stream ended inside it, or another errno. */
static ssize_t
complete(struct weft_stream *s, struct record *r, int64_t deadline)
{
	ssize_t length;

	if (weft__has_searched(s))
		recall(s, r);
	length = seek(s, r, deadline);
	if (length < 0)
		remember(s, r);
	return length;
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
weft_stream_read_until_any(struct weft_stream *s, const struct iovec *delimiters, int count,
    const void **data, int64_t deadline)
{
	struct record r = { delimiters, count, 0 };
	int error, i;

	error = count <= 0 ? EINVAL : 0;
	for (i = 0; i < count; i++)
		if (delimiters[i].iov_len == 0)
			error = EINVAL;
	if (error == 0)
		error = weft__stream_enter(s, &s->reading, deadline);
	if (error != 0)
		return weft__fail(error);
	return weft__read_leave(s, deliver(s, complete(s, &r, deadline), data));
}

ssize_t
weft_stream_read_until(struct weft_stream *s, const void *delimiter, size_t n,
    const void **data, int64_t deadline)
{
	struct iovec one = { (void *)(uintptr_t)delimiter, n };

	return weft_stream_read_until_any(s, &one, 1, data, deadline);
}

/* `scanned` bytes are without a line's end. */
static WEFT__APART ssize_t
read_line(struct weft_stream *s, size_t scanned, const char **line, int64_t deadline)
{
	static const struct iovec lf = { (void *)(uintptr_t)"\n", 1 };
	struct record r = { &lf, 1, scanned };
	int error = weft__stream_enter(s, &s->reading, deadline);
	const void *data = NULL;
	ssize_t length;

	if (error != 0)
		return weft__fail(error);
	length = complete(s, &r, deadline);
	if (length < 0 && errno == EPIPE && s->eof)     /* the last line */
		length = (ssize_t)weft__input_count(s);
	length = deliver(s, length, &data);
	if (length > 0)
		*line = data;
	return weft__read_leave(s, length);
}

/* Mostly it is there already. */
ssize_t
weft_stream_read_line(struct weft_stream *s, const char **line, int64_t deadline)
{
	size_t have = weft__input_count(s), length;
	const char *bytes, *lf;

	if (!weft__input_at_hand(s) || weft__has_searched(s))
		return read_line(s, 0, line, deadline);
	bytes = (const char *)s->input.bytes + s->input.position;
	lf = memchr(bytes, '\n', have);
	if (lf == NULL)
		return read_line(s, have, line, deadline);
	length = (size_t)(lf - bytes) + 1;
	if (length > s->limit || length > WEFT__AT_HAND_MAX)
		return read_line(s, 0, line, deadline);
	*line = bytes;
	weft__input_consume(s, length);
	weft__charge_at_hand(s, length);
	return (ssize_t)length;
}

/* Drops what is buffered, through the LF if it is there. */
static bool
drop_line(struct weft_stream *s)
{
	size_t have = weft__input_count(s);
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
