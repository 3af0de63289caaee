/* SPDX-License-Identifier: MIT */
/*
 * What lib/ keeps with each loop: idle blocks of input memory, an
 * idle output Buffer, what is needed to match patterns, and the texts of
 * errors. It goes when the loop's thread ends.
 */
#include "config.h"

#include <stdlib.h>

#include "lib/regex.h"
#include "lib/shared.h"

static void
destroy(void *place)
{
	struct weft__per_loop *own = place;
	void *block, *next;

	if (own == NULL)
		return;
	weft__stdio_forget(own->loop);
	for (block = own->blocks; block != NULL; block = next) {
		next = *(void **)block;
		free(block);
	}
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
