/* SPDX-License-Identifier: MIT */
/*
 * Fiber-local keys. A key is an index + 1, good on every thread; a fiber has
 * an array of values once it has set one.
 *
 * Destructors run in the fiber, before anybody learns that it has ended. One
 * may set values again: there are a few rounds, as for the keys of threads.
 */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fiber/fiber.h"
#include "weft/scope.h"

enum { STEP = 8, ROUNDS = 4 };

typedef void destructor(void *);

static destructor *_Atomic destructors[WEFT__KEYS];
static atomic_uint keys;        /* that there are */

static int
fail(int error)
{
	errno = error;
	return -1;
}

int
weft_key_create(weft_key *key, void (*destroy)(void *))
{
	unsigned n = atomic_load(&keys);

	if (key == NULL)
		return fail(EINVAL);
	do
		if (n == WEFT__KEYS)
			return fail(EAGAIN);
	while (!atomic_compare_exchange_weak(&keys, &n, n + 1));
	atomic_store(&destructors[n], destroy);
	*key = n + 1;
	return 0;
}

static int
enlarge(struct weft_fiber *fiber, unsigned index)
{
	unsigned count = (index / STEP + 1) * STEP;
	void **locals = realloc(fiber->locals, count * sizeof *locals);

	if (locals == NULL)
		return -1;
	memset(locals + fiber->local_count, 0,
	    (count - fiber->local_count) * sizeof *locals);
	fiber->locals = locals;
	fiber->local_count = count;
	return 0;
}

int
weft_key_set(weft_key key, void *value)
{
	struct weft_loop *loop;
	struct weft_fiber *self;

	if (key == 0 || key > atomic_load(&keys))
		return fail(EINVAL);
	loop = weft__loop();
	if (loop == NULL)
		return -1;
	self = loop->front.current;
	if (key > self->local_count) {
		if (value == NULL)
			return 0;
		if (enlarge(self, key - 1) < 0)
			return fail(ENOMEM);
	}
	self->locals[key - 1] = value;
	return 0;
}

void *
weft_key_get(weft_key key)
{
	const struct weft_loop *loop = weft__loop_here();

	if (loop == NULL || key == 0 || key > loop->front.current->local_count)
		return NULL;
	return loop->front.current->locals[key - 1];
}

/* --- the end of a fiber */

/* Whether there was anything. The array may move meanwhile. */
static bool
destroy_values(struct weft_fiber *fiber)
{
	bool any = false;
	unsigned i;

	for (i = 0; i < fiber->local_count; i++) {
		void *value = fiber->locals[i];
		destructor *destroy = atomic_load(&destructors[i]);

		fiber->locals[i] = NULL;
		if (value == NULL || destroy == NULL)
			continue;
		any = true;
		destroy(value);
	}
	return any;
}

void
weft__locals_end(struct weft_fiber *fiber)
{
	int round;

	for (round = 0; round < ROUNDS; round++)
		if (!destroy_values(fiber))
			break;
	weft__locals_free(fiber);
}

void
weft__locals_free(struct weft_fiber *fiber)
{
	free(fiber->locals);
	fiber->locals = NULL;
	fiber->local_count = 0;
}
