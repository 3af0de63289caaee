/* SPDX-License-Identifier: MIT */
/*
 * tests/polled.h - words for what a poller tells: one line per event, all of
 * them in one text.
 */
#ifndef WEFT_TESTS_POLLED_H
#define WEFT_TESTS_POLLED_H

#include <stdio.h>

#include "tests/watched.h"

static struct weft_poller *poller;
static char story[8192];        /* what was told */
static char bytes_told[64 * 1024];      /* the data in it */
static size_t count_told;
static const struct weft_stream *named[8];      /* streams that have a name */
static struct weft_stream *accepted[64];
static int accepts;

static inline void
begin_story(int mode)
{
	poller = weft_poller_new(mode);
	ck_assert_ptr_nonnull(poller);
	memset(named, 0, sizeof named);
	story[0] = '\0';
	count_told = 0;
	accepts = 0;
}

static inline char
name_of(const struct weft_stream *s)
{
	int i;

	for (i = 0; i < 8; i++)
		if (s != NULL && named[i] == s)
			return (char)('a' + i);
	return s == NULL ? '-' : '?';
}

static inline void
watch_as(int i, struct weft_stream *s)
{
	named[i] = s;
	ck_assert_gives(weft_poller_register(poller, s), 0);
}

static inline void
tell(const struct weft_poll_event *e)
{
	static const char *const kinds[] = { "?", "data", "line", "accept", "closed", "error" };
	size_t n = strlen(story);

	ck_assert(n + e->length + 64 < sizeof story);
	n += (size_t)sprintf(story + n, "%c %s", name_of(e->stream), kinds[e->kind]);
	if (e->kind == WEFT_POLL_DATA || e->kind == WEFT_POLL_LINE)
		n += (size_t)sprintf(story + n, " %.*s", (int)weft_chomp(e->data, e->length),
		    (const char *)e->data);
	if (e->kind == WEFT_POLL_ERROR)
		n += (size_t)sprintf(story + n, " %s", weft_errno_name(e->error));
	sprintf(story + n, "\n");
}

/* Only the kinds that were told count for a story of many bytes. */
static inline void
gather(const struct weft_poll_event *e)
{
	ck_assert(count_told + e->length <= sizeof bytes_told);
	memcpy(bytes_told + count_told, e->data, e->length);
	count_told += e->length;
}

static inline void
tell_all(const struct weft_poll_event *events, ssize_t n)
{
	ssize_t i;

	for (i = 0; i < n; i++) {
		if (events[i].kind == WEFT_POLL_ACCEPT)
			accepted[accepts++] = events[i].stream;
		tell(&events[i]);
	}
}

/* One poll of up to max events, told. */
static inline ssize_t
poll_and_tell(size_t max, int64_t deadline)
{
	struct weft_poll_event events[64];
	ssize_t n = weft_poller_poll(poller, events, max, deadline);

	tell_all(events, n);
	return n;
}

/* Polls until the story has that many lines. */
static inline void
tell_lines(int lines, size_t max)
{
	int told = 0;
	const char *at;

	for (at = story; *at != '\0'; at++)
		told += *at == '\n';
	while (told < lines) {
		ssize_t n = poll_and_tell(max, soon_enough());

		ck_assert_msg(n > 0, "poll: %zd, %s, after:\n%s", n, strerror(errno), story);
		told += (int)n;
	}
}

/* That was all. */
static inline void
ends_as(const char *expected)
{
	ck_assert_gives(poll_and_tell(64, WEFT_NOWAIT), 0);
	ck_assert_str_eq(story, expected);
	story[0] = '\0';
}

#endif
