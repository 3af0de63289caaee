/* SPDX-License-Identifier: MIT */
/*
 * Nested deadlines and shields. The fiber holds what is in force; a frame
 * holds what was in force outside, to be restored by the pop:
 *
 *   push(d)     deadline = min(deadline, d)
 *   shield(d)   deadline = d, and a cancel is held off until then, whatever
 *               shorter deadlines are pushed inside
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "fiber/fiber.h"

enum { FRAMES_AT_FIRST = 8 };

static int64_t
or_never(int64_t deadline)
{
	return deadline < 0 ? INT64_MAX : deadline;
}

bool
weft__interrupted(const struct weft_fiber *fiber)
{
	return fiber->shielded_until == 0 ||
	    weft__clock() >= fiber->shielded_until;
}

void
weft__frames_free(struct weft_fiber *fiber)
{
	free(fiber->frames);
	fiber->frames = NULL;
	fiber->depth = fiber->floor = fiber->frames_size = 0;
	fiber->deadline = INT64_MAX;
	fiber->shielded_until = 0;
}

static int
enlarge(struct weft_fiber *fiber)
{
	unsigned size = fiber->frames_size ? 2 * fiber->frames_size : FRAMES_AT_FIRST;
	struct weft__frame *frames;

	frames = realloc(fiber->frames, size * sizeof *frames);
	if (frames == NULL)
		return -1;
	fiber->frames = frames;
	fiber->frames_size = size;
	return 0;
}

static struct weft_fiber *
open_frame(void)
{
	struct weft_loop *loop = weft__loop();
	struct weft_fiber *self;

	if (loop == NULL)
		return NULL;
	self = loop->front.current;
	if (self->depth == self->frames_size && enlarge(self) < 0)
		return NULL;
	self->frames[self->depth++] =
	    (struct weft__frame){ self->deadline, self->shielded_until };
	return self;
}

static void
close_frame(void)
{
	struct weft_loop *loop = weft__loop_here();
	struct weft_fiber *self;

	if (loop == NULL)
		return;
	self = loop->front.current;
	if (self->depth == self->floor)
		return;         /* more pops than pushes */
	self->depth--;
	self->deadline = self->frames[self->depth].deadline;
	self->shielded_until = self->frames[self->depth].shielded_until;
}

int
weft_deadline_push(int64_t deadline)
{
	struct weft_fiber *self = open_frame();

	if (self == NULL)
		return -1;
	if (or_never(deadline) < self->deadline)
		self->deadline = or_never(deadline);
	return 0;
}

void
weft_deadline_pop(void)
{
	close_frame();
}

int64_t
weft_deadline(void)
{
	struct weft_loop *loop = weft__loop_here();

	if (loop == NULL || loop->front.current->deadline == INT64_MAX)
		return WEFT_NEVER;
	return loop->front.current->deadline;
}

int
weft_shield_begin(int64_t deadline)
{
	struct weft_fiber *self = open_frame();

	if (self == NULL)
		return -1;
	self->deadline = self->shielded_until = or_never(deadline);
	return 0;
}

void
weft_shield_end(void)
{
	close_frame();
}
