/* SPDX-License-Identifier: MIT */
/*
 * Scopes: no fiber outlives the one it belongs to.
 *
 *   opener --opened--> innermost scope --outer--> the next ... -> NULL
 *                          |
 *                       members: newest <-> ... <-> oldest, all alive
 *
 * A scope is one pushed deadline of its opener, on top of which the pops of
 * the program stop (the floor), and the first deadline of each member. Only
 * the opener waits, so that nobody is left in a scope that is freed.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "fiber/fiber.h"
#include "weft/scope.h"

struct weft_scope {
	struct weft_fiber *opener;
	struct weft_scope *outer;
	struct weft_fiber *members;
	unsigned count;                 /* of members */
	unsigned floor;                 /* of the opener, outside */
	int64_t deadline;               /* of members; INT64_MAX: none */
	int result;
	bool canceled;                  /* until there are no members */
	bool closing;
	bool waiting;                   /* the opener, for count to be 0 */
};

static int
fail(int error)
{
	errno = error;
	return -1;
}

struct weft_scope *
weft_scope_open(int64_t deadline)
{
	struct weft_scope *scope = calloc(1, sizeof *scope);
	struct weft_fiber *self;

	if (scope == NULL)
		return NULL;
	if (weft_deadline_push(deadline) < 0) {
		free(scope);
		errno = ENOMEM;
		return NULL;
	}
	self = weft__loop_here()->front.current;
	scope->opener = self;
	scope->outer = self->opened;
	scope->deadline = self->deadline;
	scope->floor = self->floor;
	self->floor = self->depth;
	self->opened = scope;
	return scope;
}

/* --- members */

static void
take_in(struct weft_scope *scope, struct weft_fiber *fiber)
{
	fiber->detached = true;
	fiber->deadline = scope->deadline;
	fiber->scope = scope;
	fiber->newer_member = NULL;
	fiber->older_member = scope->members;
	if (fiber->older_member != NULL)
		fiber->older_member->newer_member = fiber;
	scope->members = fiber;
	scope->count++;
}

static void
take_out(struct weft_scope *scope, struct weft_fiber *fiber)
{
	if (fiber->newer_member != NULL)
		fiber->newer_member->older_member = fiber->older_member;
	else
		scope->members = fiber->older_member;
	if (fiber->older_member != NULL)
		fiber->older_member->newer_member = fiber->newer_member;
	fiber->scope = NULL;
	if (--scope->count == 0)
		scope->canceled = false;
}

void
weft__scope_leave(struct weft_fiber *fiber)
{
	struct weft_scope *scope = fiber->scope;

	take_out(scope, fiber);
	if (scope->result == 0)
		scope->result = fiber->result;
	if (scope->count == 0 && scope->waiting)
		weft__wake(scope->opener, 0);
}

/* Without the members that a fork has lost. */
static unsigned
count_members(struct weft_scope *scope)
{
	struct weft_fiber *fiber, *next;

	for (fiber = scope->members; fiber != NULL; fiber = next) {
		next = fiber->older_member;
		if (weft__gone(fiber))
			take_out(scope, fiber);
	}
	return scope->count;
}

int
weft_scope_spawn(struct weft_scope *scope, weft_fn *fn, void *arg)
{
	struct weft_fiber *fiber;

	if (scope == NULL || scope->opener->loop != weft__loop_here())
		return fail(EINVAL);
	if (scope->canceled || scope->closing)
		return fail(ECANCELED);
	fiber = weft_spawn(fn, arg);
	if (fiber == NULL)
		return -1;
	fiber->spawned_at = __builtin_return_address(0);
	take_in(scope, fiber);
	return 0;
}

int
weft_scope_result(const struct weft_scope *scope)
{
	return scope->result;
}

void
weft_scope_cancel(struct weft_scope *scope)
{
	struct weft_fiber *fiber;

	if (scope == NULL || scope->members == NULL)
		return;
	scope->canceled = true;
	for (fiber = scope->members; fiber != NULL; fiber = fiber->older_member)
		weft_cancel(fiber);
}

/* --- the end */

static int
wait_for_members(struct weft_scope *scope, int64_t deadline, unsigned how)
{
	struct weft_fiber *self = scope->opener;
	int error;

	if (count_members(scope) == 0)
		return 0;
	scope->waiting = true;
	weft__subject(self->loop, scope->count);
	error = weft__park(self->loop, deadline, how | WEFT__FOR_SCOPE);
	scope->waiting = false;
	return scope->count == 0 ? 0 : error;
}

/* The running fiber is the one that opened it. */
static bool
is_ours(const struct weft_scope *scope)
{
	const struct weft_loop *loop = weft__loop_here();

	return loop != NULL && scope->opener == loop->front.current;
}

int
weft_scope_wait(struct weft_scope *scope, int64_t deadline)
{
	int error;

	if (scope == NULL || !is_ours(scope))
		return fail(EINVAL);
	error = weft__check(scope->opener->loop);
	if (error == 0)
		error = wait_for_members(scope, deadline, WEFT__INTERNAL);
	return error == 0 ? 0 : fail(error);
}

static int
close_innermost(struct weft_fiber *self)
{
	struct weft_scope *scope = self->opened;
	int error;

	scope->closing = true;
	while (count_members(scope) > 0) {
		weft_scope_cancel(scope);
		error = wait_for_members(scope, WEFT_NEVER, WEFT__STUBBORN);
		if (error != 0)
			return error;           /* ECHILD */
	}
	self->opened = scope->outer;
	self->floor = scope->floor;
	weft_deadline_pop();
	free(scope);
	return 0;
}

int
weft_scope_close(struct weft_scope *scope)
{
	struct weft_fiber *self;
	int error;

	if (scope == NULL)
		return 0;
	self = scope->opener;
	if (!is_ours(scope) || self->opened != scope || self->depth != self->floor)
		return fail(EINVAL);
	error = weft__loop_check(self->loop);
	if (error == 0)
		error = close_innermost(self);
	return error == 0 ? 0 : fail(error);
}

void
weft__scopes_close(struct weft_fiber *self)
{
	while (self->opened != NULL) {
		self->depth = self->floor;
		if (close_innermost(self) != 0)
			return;
	}
}
