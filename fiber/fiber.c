/* SPDX-License-Identifier: MIT */
/*
 * The life of a fiber: spawn, join, detach, cancel, exit, and what it does
 * alone: yield, sleep, park.
 *
 *     low                                            stack->
 *      |  ........ frames grow down <--- | struct weft_fiber | struct weft__stack
 *
 * A handle is the address of the block; it is good until the fiber has been
 * joined, or has ended detached.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fiber/fiber.h"

static int
fail(int error)
{
	errno = error;
	return -1;
}

/* --- time */

int64_t
weft_now(void)
{
	return weft__clock();
}

int64_t
weft_after(int64_t milliseconds)
{
	int64_t now = (weft__clock_ns() + 999999) / 1000000;

	if (milliseconds > INT64_MAX - 1 - now)
		return INT64_MAX - 1;
	if (milliseconds <= -now)
		return 1;       /* as past as can be without being WEFT_NOWAIT */
	return now + milliseconds;
}

/* --- birth */

static void end(struct weft_fiber *, int result);

static void
fiber_main(void *arg)
{
	struct weft_fiber *self = arg;
	int result = -1;

	*self->loop->front.error = 0;
	self->state = WEFT__RUNNING;
	if (!self->canceled || self->obliged)
		result = self->fn(self->arg);
	end(self, result);
}

/* A block that has never been used is all zero. */
static int
enlist(struct weft_loop *loop, struct weft_fiber *fiber)
{
	if (weft__timers_reserve(&loop->timers, loop->blocks + 1) < 0)
		return -1;
	if (loop->blocks++ == 1)
		weft__overflow_watch(loop);
	fiber->loop = loop;
	fiber->timer.deadline = INT64_MAX;
	fiber->older = loop->all;
	if (loop->all != NULL)
		loop->all->newer = fiber;
	loop->all = fiber;
	return 0;
}

/* All but what outlives a run: loop, older and newer, and the timer, which may be
 * in the heap. */
static void
start(struct weft_fiber *fiber, weft_fn *fn, void *arg, struct weft__stack *stack)
{
	fiber->stack = stack;
	fiber->fn = fn;
	fiber->arg = arg;
	fiber->canceled = fiber->detached = false;
	fiber->permit = fiber->parking = fiber->obliged = false;
	fiber->deadline = INT64_MAX;
	fiber->shielded_until = 0;
	fiber->joiner = NULL;
	fiber->at_end = NULL;
	fiber->opened = fiber->scope = NULL;
	fiber->detail = 0;
	fiber->id = ++fiber->loop->ids;
	fiber->name[0] = '\0';
	weft__context_make(&fiber->context, stack->low,
	    (size_t)((char *)fiber - stack->low), fiber_main, fiber);
	fiber->loop->stats.fibers++;
	weft__ready(fiber);
}

static struct weft_fiber *
spawn(weft_fn *fn, void *arg, size_t stack_size, const void *where)
{
	struct weft_loop *loop = weft__loop();
	struct weft__stack *stack;
	struct weft_fiber *fiber;
	int before, error;

	if (loop == NULL)
		return NULL;
	before = *loop->front.error;
	error = fn == NULL ? EINVAL : weft__loop_check(loop);
	if (error != 0) {
		errno = error;
		return NULL;
	}
	stack = weft__stack_take(&loop->stacks, stack_size);
	if (stack == NULL)
		return NULL;
	fiber = weft__block_on(stack);
	if (fiber->loop == NULL && enlist(loop, fiber) < 0) {
		weft__stack_give(&loop->stacks, stack);
		errno = ENOMEM;
		return NULL;
	}
	start(fiber, fn, arg, stack);
	fiber->spawned_at = where;
	*loop->front.error = before;    /* finding a guard that works may fail */
	return fiber;
}

struct weft_fiber *
weft_spawn(weft_fn *fn, void *arg)
{
	return spawn(fn, arg, 0, __builtin_return_address(0));
}

struct weft_fiber *
weft_spawn_with(const struct weft_fiber_options *options, weft_fn *fn, void *arg)
{
	struct weft_fiber_options all = { 0 };
	struct weft_fiber *fiber;

	if (options != NULL) {
		if (options->size < sizeof options->size) {
			errno = EINVAL;
			return NULL;
		}
		memcpy(&all, options, options->size < sizeof all ?
		    options->size : sizeof all);
	}
	fiber = spawn(fn, arg, all.stack_size, __builtin_return_address(0));
	if (fiber != NULL && all.name != NULL)
		weft_set_name(fiber, all.name);
	return fiber;
}

int
weft_go(weft_fn *fn, void *arg)
{
	struct weft_fiber *fiber = spawn(fn, arg, 0, __builtin_return_address(0));

	if (fiber == NULL)
		return -1;
	fiber->detached = true;
	return 0;
}

struct weft_fiber *
weft__spawn_obliged(weft_fn *fn, void *arg)
{
	struct weft_fiber *fiber = spawn(fn, arg, 0, __builtin_return_address(0));

	if (fiber != NULL)
		fiber->detached = fiber->obliged = true;
	return fiber;
}

/* --- end */

void
weft__fiber_recycle(struct weft_fiber *fiber)
{
	fiber->state = WEFT__POOLED;
	weft__stack_give(&fiber->loop->stacks, fiber->stack);
}

static void
end(struct weft_fiber *self, int result)
{
	struct weft_loop *loop = self->loop;

	if (self->opened != NULL)
		weft__scopes_close(self);
	if (self->locals != NULL)
		weft__locals_end(self);
	self->result = result;
	if (self->frames != NULL)
		weft__frames_free(self);
	if (self->at_end != NULL)
		self->at_end(self->at_end_arg);
	self->state = WEFT__DONE;
	loop->stats.fibers--;
	if (self->scope != NULL)
		weft__scope_leave(self);
	if (self->joiner != NULL)
		weft__wake(self->joiner, 0);
	weft__sched_leave(loop);
}

void
weft_exit(int result)
{
	struct weft_loop *loop = weft__loop_here();

	if (loop == NULL || loop->front.current == &loop->main)
		exit(result);
	end(loop->front.current, result);
	abort();                /* it does not return */
}

void
weft__at_end(struct weft_loop *loop, void (*fn)(void *), void *arg)
{
	loop->front.current->at_end = fn;
	loop->front.current->at_end_arg = arg;
}

int
weft__result(const struct weft_loop *loop)
{
	return loop->front.current->result;
}

static int
may_take(const struct weft_loop *loop, const struct weft_fiber *fiber)
{
	if (fiber == NULL || fiber->loop != loop || fiber->detached ||
	    fiber->joiner != NULL || fiber == &loop->main)
		return EINVAL;
	return 0;
}

int
weft__join_check(const struct weft_loop *loop, const struct weft_fiber *fiber)
{
	return fiber == loop->front.current ? EDEADLK : may_take(loop, fiber);
}

int
weft__join_finish(struct weft_fiber *fiber)
{
	int result = fiber->result;

	weft__fiber_recycle(fiber);
	return result;
}

int
weft_join(struct weft_fiber *fiber, int *result, int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	int error, value;

	if (loop == NULL)
		return -1;
	error = weft__join_check(loop, fiber);
	if (error == 0)
		error = weft__check(loop);
	if (error != 0)
		return fail(error);
	if (fiber->state != WEFT__DONE) {
		fiber->joiner = loop->front.current;
		weft__subject(loop, fiber->id);
		error = weft__park(loop, deadline, WEFT__FOR_FIBER);
		fiber->joiner = NULL;
		if (fiber->state != WEFT__DONE)
			return fail(error);
	}
	value = weft__join_finish(fiber);
	if (result != NULL)
		*result = value;
	return 0;
}

int
weft_detach(struct weft_fiber *fiber)
{
	struct weft_loop *loop = weft__loop();
	int error;

	if (loop == NULL)
		return -1;
	error = may_take(loop, fiber);
	if (error != 0)
		return fail(error);
	fiber->detached = true;
	/* One that is just leaving does it itself, off its stack. */
	if (fiber->state == WEFT__DONE && fiber != loop->front.current)
		weft__fiber_recycle(fiber);
	return 0;
}

/* --- from this thread or another */

static void
cancel(void *arg)
{
	struct weft_fiber *fiber = arg;

	fiber->canceled = true;
	if (fiber == fiber->loop->front.current)
		fiber->loop->front.alarm = true;
	if (fiber->state == WEFT__PARKED && !(fiber->waiting & WEFT__STUBBORN) &&
	    weft__interrupted(fiber))
		weft__wake(fiber, ECANCELED);
}

static void
unpark(void *arg)
{
	struct weft_fiber *fiber = arg;

	fiber->permit = true;
	if (fiber->parking)
		weft__wake(fiber, 0);
}

/* On its way to a fiber of another thread; which may end meanwhile, and its
 * block be another fiber's. */
struct message {
	struct weft__post post;
	void (*fn)(void *);
	struct weft_fiber *fiber;
	uint64_t id;
};

static void
arrive(void *arg)
{
	const struct message *message = arg;

	if (message->fiber->id == message->id)
		message->fn(message->fiber);
}

static int
send_there(struct weft_fiber *fiber, void (*fn)(void *))
{
	struct message *message = malloc(sizeof *message);

	if (message == NULL)
		return -1;
	*message = (struct message){ .post = { .fn = arrive, .arg = message,
	    .owned = true }, .fn = fn, .fiber = fiber, .id = fiber->id };
	weft__loop_post(fiber->loop, &message->post);
	return 0;
}

/* Does something to a fiber on the fiber's own thread. */
static int
there(struct weft_fiber *fiber, void (*fn)(void *))
{
	if (fiber == NULL)
		return fail(EINVAL);
	if (fiber->loop != weft__loop_here())
		return send_there(fiber, fn);
	fn(fiber);
	return 0;
}

int
weft_cancel(struct weft_fiber *fiber)
{
	return there(fiber, cancel);
}

int
weft_unpark(struct weft_fiber *fiber)
{
	return there(fiber, unpark);
}

bool
weft_canceled(void)
{
	struct weft_loop *loop = weft__loop_here();

	return loop != NULL && loop->front.current->canceled;
}

/* --- alone */

int
weft_yield(void)
{
	struct weft_loop *loop = weft__loop();
	int error;

	if (loop == NULL)
		return -1;
	error = weft__check(loop);
	if (error != 0)
		return fail(error);
	weft__sched_yield(loop);
	error = weft__check(loop);
	return error == 0 ? 0 : fail(error);
}

int
weft_sleep(int64_t deadline)
{
	struct weft_loop *loop;
	int error;

	if (deadline == WEFT_NOWAIT)
		return weft_yield();
	loop = weft__loop();
	if (loop == NULL)
		return -1;
	error = weft__check(loop);
	if (error == 0)
		error = weft__park(loop, deadline, WEFT__FOR_TIME);
	if (error == ETIMEDOUT && deadline > 0 && loop->front.current->deadline >= deadline)
		error = 0;
	return error == 0 ? 0 : fail(error);
}

int
weft_park(int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	struct weft_fiber *self;
	int error;

	if (loop == NULL)
		return -1;
	self = loop->front.current;
	error = weft__check(loop);
	if (error == 0 && !self->permit) {
		self->parking = true;
		error = weft__park(loop, deadline, WEFT__FOR_PERMIT);
		self->parking = false;
	}
	if (error != 0)
		return fail(error);
	self->permit = false;
	return 0;
}

/* --- who */

struct weft_fiber *
weft_self(void)
{
	struct weft_loop *loop = weft__loop();

	return loop != NULL ? loop->front.current : NULL;
}

uint64_t
weft_fiber_id(const struct weft_fiber *fiber)
{
	return fiber->id;
}

int
weft_set_name(struct weft_fiber *fiber, const char *name)
{
	size_t length;

	if (fiber == NULL || name == NULL)
		return fail(EINVAL);
	length = strnlen(name, sizeof fiber->name - 1);
	memcpy(fiber->name, name, length);
	fiber->name[length] = '\0';
	return 0;
}

const char *
weft_name(const struct weft_fiber *fiber)
{
	return fiber->name;
}
