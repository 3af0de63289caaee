/* SPDX-License-Identifier: MIT */
/*
 * Scripts for memory streams: each transfer moves as much as the next size of a
 * list allows, and after the last one the list begins again. A size of 0 is a
 * transfer that finds nothing, until the loop has made a turn: a delay that
 * needs no clock, and so is the same on every machine.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/memory_script.h"

struct weft__script {
	struct weft__task task;         /* first; for a size of 0 */
	struct weft_stream *stream;
	int event;
	size_t at, count;
	size_t sizes[];
};

static void
end_delay(struct weft__task *task)
{
	struct weft__script *script = (struct weft__script *)task;

	weft__stream_notify(script->stream, script->event);
}

size_t
weft__script_next(struct weft__script *script, size_t n)
{
	size_t size;

	if (script == NULL)
		return n;
	size = script->sizes[script->at];
	script->at = (script->at + 1) % script->count;
	if (size == 0)
		weft__loop_defer(script->stream->loop, &script->task);
	return n < size ? n : size;
}

struct weft__script *
weft__script_new(struct weft_stream *s, int event, const size_t *sizes, size_t count)
{
	struct weft__script *script = calloc(1, sizeof *script + count * sizeof *sizes);

	if (script == NULL)
		return NULL;
	script->task.run = end_delay;
	script->stream = s;
	script->event = event;
	script->count = count;
	memcpy(script->sizes, sizes, count * sizeof *sizes);
	return script;
}

void
weft__script_free(struct weft__script *script)
{
	if (script == NULL)
		return;
	weft__loop_undefer(script->stream->loop, &script->task);
	free(script);
}
