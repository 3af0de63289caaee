/* SPDX-License-Identifier: MIT */
/*
 * What lib/ keeps with each loop: idle memory of input and of output queues, an
 * idle output Buffer, what is needed to match patterns, and the texts of
 * errors. It goes when the loop's thread ends.
 */
#include "config.h"

#include <stdlib.h>

#include "lib/regex.h"
#include "lib/shared.h"

void *
weft__idle_take(struct weft__idle *idle)
{
	void *memory = idle->first;

	if (memory != NULL) {
		idle->first = *(void **)memory;
		idle->count--;
	}
	return memory;
}

void
weft__idle_give(struct weft__idle *idle, void *memory)
{
	if (idle->count == WEFT__IDLE_KEPT) {
		free(memory);
		return;
	}
	*(void **)memory = idle->first;
	idle->first = memory;
	idle->count++;
}

static void
free_idle(struct weft__idle *idle)
{
	void *memory;

	while ((memory = weft__idle_take(idle)) != NULL)
		free(memory);
}

static void
destroy(void *place)
{
	struct weft__per_loop *own = place;

	if (own == NULL)
		return;
	weft__stdio_forget(own->loop);
	free_idle(&own->blocks);
	free_idle(&own->queues);
	weft_buffer_free(own->output);
	weft__regex_free_matcher(own->matcher);
	free(own);
}

struct weft__per_loop *
weft__per_loop(struct weft_loop *loop)
{
	void **place = weft__loop_place(loop, destroy);

	if (*place == NULL) {
		struct weft__per_loop *own = calloc(1, sizeof *own);

		if (own != NULL)
			own->loop = loop;
		*place = own;
	}
	return *place;
}
