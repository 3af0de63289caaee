/* SPDX-License-Identifier: MIT */
/*
 * Those who watch a stream without a fiber inside a call: few, in a list.
 */
#include "config.h"

#include <errno.h>

#include "lib/stream.h"

void
weft__stream_watch(struct weft_stream *s, struct weft__watcher *watcher)
{
	watcher->next = s->watchers;
	s->watchers = watcher;
}

void
weft__stream_unwatch(struct weft_stream *s, struct weft__watcher *watcher)
{
	struct weft__watcher **at = &s->watchers;

	while (*at != watcher)
		at = &(*at)->next;
	*at = watcher->next;
}

struct weft__watcher *
weft__stream_watched_by(const struct weft_stream *s,
    void (*told)(struct weft__watcher *, enum weft__news))
{
	struct weft__watcher *watcher = s->watchers;

	while (watcher != NULL && watcher->told != told)
		watcher = watcher->next;
	return watcher;
}

bool
weft__stream_is_claimed(const struct weft_stream *s)
{
	const struct weft__watcher *watcher = s->watchers;

	while (watcher != NULL && !watcher->claims)
		watcher = watcher->next;
	return watcher != NULL;
}

void
weft__stream_tell_all(struct weft_stream *s, enum weft__news news)
{
	struct weft__watcher *watcher, *next;

	for (watcher = s->watchers; watcher != NULL; watcher = next) {
		next = watcher->next;
		watcher->told(watcher, news);
	}
}

void
weft__stream_mind_marks(struct weft_stream *s)
{
	struct weft__watcher *watcher = s->watchers;
	int saved = errno;

	while (watcher != NULL && watcher->marks == NULL)
		watcher = watcher->next;
	if (watcher != NULL)
		watcher->marks(watcher);
	errno = saved;
}
