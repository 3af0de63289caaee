/* SPDX-License-Identifier: MIT */
/*
 * Who runs. One FIFO of ready fibers; whoever parks takes the next one off it
 * and switches straight there. When the queue is empty, or 64 switches (or
 * about 1 ms) have gone by, whoever is leaving first makes a turn, on its own
 * stack:
 *
 *   1  run what was deferred to the end of the turn: coalesced writes
 *   2  run what other threads have posted
 *   3  fire timers that are due
 *   4  poll: without waiting if somebody is ready, else until the next timer
 *
 * A loop in which nothing could ever happen again does not sleep for ever: one
 * of those who wait gets EDEADLK.
 *
 * The clock is read only when there are timers or when the loop is busy. How
 * many switches make up a millisecond is learned from the last round.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>

#include "fiber/fiber.h"
#include "reactor/backend.h"

static void
append(struct weft_loop *loop, struct weft_fiber *fiber)
{
	fiber->next = NULL;
	*loop->tail = fiber;
	loop->tail = &fiber->next;
}

void
weft__ready(struct weft_fiber *fiber)
{
	fiber->state = WEFT__READY;
	append(fiber->loop, fiber);
}

int *
weft__detail(struct weft_loop *loop)
{
	return &loop->front.current->detail;
}

/* --- one turn */

static struct weft_fiber *
oldest_parked(const struct weft_loop *loop)
{
	struct weft_fiber *fiber, *oldest = NULL;

	for (fiber = loop->all; fiber != NULL; fiber = fiber->older)
		if (fiber->state == WEFT__PARKED &&
		    !(fiber->waiting & WEFT__STUBBORN) &&
		    (oldest == NULL || fiber->parked_at < oldest->parked_at))
			oldest = fiber;
	return oldest;
}

static void
break_deadlock(struct weft_loop *loop)
{
	struct weft_fiber *victim = &loop->main;

	if (victim->state != WEFT__PARKED || victim->waiting & WEFT__STUBBORN)
		victim = oldest_parked(loop);
	weft__wake(victim != NULL ? victim : &loop->main, EDEADLK);
}

static void
expire(struct weft_loop *loop)
{
	if (loop->timers.count > 0)
		weft__timers_expire(&loop->timers, weft__clock());
}

int64_t
weft__sched_time_left(const struct weft_loop *loop)
{
	int64_t next = weft__timers_next(&loop->timers), now;

	if (loop->trim_at != 0 && loop->trim_at < next)
		next = loop->trim_at;
	if (next == INT64_MAX)
		return -1;
	now = weft__clock();
	return next > now ? next - now : 0;
}

static void
sleep_until_something(struct weft_loop *loop)
{
	if (loop->external == 0 && loop->timed == 0 && !loop->addressable) {
		break_deadlock(loop);
		return;
	}
	if (weft__wake_sleep(&loop->reactor.wake))
		weft__reactor_poll(&loop->reactor, weft__sched_time_left(loop));
	weft__wake_rise(&loop->reactor.wake);
}

/* How many switches until the next poll. */
static unsigned
budget(struct weft_loop *loop, bool busy)
{
	int64_t now, spent, fit;

	loop->span = loop->span ? loop->span : 1;
	now = weft__clock_ns();
	spent = loop->was_busy ? now - loop->polled_at : 0;
	loop->polled_at = now;
	loop->was_busy = busy;
	if (!busy)
		return loop->span = WEFT__SWITCHES_PER_POLL;
	fit = spent > 0 ? loop->span * (int64_t)WEFT__POLL_INTERVAL_NS / spent :
	    WEFT__SWITCHES_PER_POLL;
	if (fit > 2 * (int64_t)loop->span)      /* one short round proves little */
		fit = 2 * (int64_t)loop->span;
	if (fit > WEFT__SWITCHES_PER_POLL)
		fit = WEFT__SWITCHES_PER_POLL;
	return loop->span = fit > 0 ? (unsigned)fit : 1;
}

/* Whoever makes a turn lends his stack to what runs in it, no more: that neither
 * yields for him nor is cancelled with him. */
static void
lend_stack(struct weft_loop *loop)
{
	loop->front.credit = LONG_MAX;
	loop->front.alarm = loop->reactor.inherited;
}

static void
prepare_turn(struct weft_loop *loop)
{
	loop->stats.turns++;
	lend_stack(loop);
	weft__loop_run_tasks(loop);
	weft__loop_run_posts(loop);
	expire(loop);
	weft__fibers_trim(loop);
}

static void
turn(struct weft_loop *loop)
{
	int error = *loop->front.error;
	bool busy;

	prepare_turn(loop);
	busy = loop->head != NULL;
	if (busy && loop->external > 0)
		weft__reactor_poll(&loop->reactor, 0);
	while (loop->head == NULL) {
		sleep_until_something(loop);
		if (loop->head == NULL)
			prepare_turn(loop);
	}
	loop->budget = budget(loop, busy);
	*loop->front.error = error;
}

bool
weft__sched_pending(const struct weft_loop *loop)
{
	return loop->head != NULL || loop->tasks != NULL ||
	    atomic_load(&loop->posts) != NULL;
}

bool
weft__sched_step(struct weft_loop *loop)
{
	bool pending = weft__sched_pending(loop);

	prepare_turn(loop);
	weft__reactor_poll(&loop->reactor, 0);
	loop->polled_at = weft__clock_ns();
	pending |= loop->head != NULL;
	weft__sched_yield(loop);        /* behind all that are ready now */
	return pending;
}

/* --- switching */

/* The first of those who are ready. */
static struct weft_fiber *
take_off(struct weft_loop *loop)
{
	struct weft_fiber *first = loop->head;

	loop->head = first->next;
	if (loop->head == NULL)
		loop->tail = &loop->head;
	return first;
}

static struct weft_fiber *
pick(struct weft_loop *loop)
{
	if (--loop->budget == 0 || loop->head == NULL)
		turn(loop);
	return take_off(loop);
}

/* Who runs from now on. */
static inline void
become(struct weft_loop *loop, struct weft_fiber *next)
{
	loop->front.current = next;
	loop->front.credit = WEFT__CREDIT;
	loop->front.alarm = next->canceled;
}

/* A cache line, counted from p. (A macro, for gcc 12 leaves out the call of a
 * function that does nothing else.) */
#define FETCH(p, line) __builtin_prefetch((const void *)((uintptr_t)(p) + 64 * (line)))
#define FETCH_3(p, line) FETCH(p, line), FETCH(p, (line) + 1), FETCH(p, (line) + 2)

/* Where there are so many that the caches do not hold them, each would wait for
 * its memory, line after line: with 1,000 connections half of the time that is
 * ours. So what the one after the next will touch is fetched before the next one
 * runs: where it stands on its stack, and what it has waited for, which may be
 * gone, for nothing is read. Its block was fetched the time before. */
static inline __attribute__((always_inline)) void
look_ahead(const struct weft_loop *loop)
{
	const struct weft_fiber *then = loop->head;

	if (then == NULL)
		return;
	FETCH(then->next, 0);
	if (!(then->waiting & WEFT__EXTERNAL))
		return;
	FETCH(then->next, 1);
	FETCH_3(then->context.sp, 0), FETCH_3(then->context.sp, 3);
	FETCH_3(then->object, 0), FETCH_3(then->object, 3), FETCH(then->object, 6);
	FETCH(weft__slot_at(&loop->reactor, (int)then->subject), 0);
}

/* Another one runs, and others after it, until it is this one's turn again. What
 * lives meanwhile lives in the fiber, not on its stack. */
static WEFT__APART void
switch_to(struct weft_loop *loop, struct weft_fiber *next)
{
	struct weft_fiber *self = loop->front.current;

	self->error = *loop->front.error;
	loop->stats.switches++;
	become(loop, next);
	look_ahead(loop);
	weft__context_switch(&self->context, &next->context);
	*self->loop->front.error = self->error;
}

/* The same with the next in the queue, which may be this one. What it was woken
 * with. */
static inline int
run_next(struct weft_loop *loop)
{
	struct weft_fiber *self = loop->front.current, *next = pick(loop);

	if (next != self)
		switch_to(loop, next);
	else
		become(loop, self);
	self->state = WEFT__RUNNING;
	return self->wake_error;
}

/* The next one is taken off before this one joins the queue: so what is read has
 * not been written just now. */
void
weft__sched_yield(struct weft_loop *loop)
{
	struct weft_fiber *self = loop->front.current, *next;

	self->state = WEFT__READY;
	if (loop->budget > 1 && loop->head != NULL) {
		loop->budget--;
		next = take_off(loop);
		append(loop, self);
		switch_to(loop, next);
		self->state = WEFT__RUNNING;
	} else {
		append(loop, self);
		run_next(loop);
	}
}

void
weft__sched_leave(struct weft_loop *loop)
{
	struct weft_fiber *self = loop->front.current, *next;

	next = pick(loop);
	/* Only now: a turn may spawn, and would spawn on this very stack. */
	if (self->detached)
		weft__fiber_recycle(self);
	loop->stats.switches++;
	become(loop, next);
	/* One that ends in a forked child leaves the others with ECHILD, too. */
	loop->front.alarm |= loop->reactor.inherited;
	weft__context_leave(&self->context, &next->context);
}

/* --- parking */

int
weft__check_alarm(struct weft_loop *loop)
{
	if (loop->front.current->canceled && weft__interrupted(loop->front.current))
		return ECANCELED;
	return weft__loop_check(loop);
}

void
weft__spent(struct weft_loop *loop)
{
	loop->front.credit = WEFT__CREDIT;
	if (weft__loop_check(loop) == 0)
		weft__sched_yield(loop);
}

struct weft__respite
weft__respite_begin(struct weft_loop *loop)
{
	struct weft__respite before = { loop->front.credit, loop->front.alarm };

	lend_stack(loop);
	return before;
}

void
weft__respite_end(struct weft_loop *loop, struct weft__respite before)
{
	loop->front.credit = before.credit;
	loop->front.alarm |= before.alarm;
}

/* Before a park that may be refused, or not be for ever. An errno. */
static WEFT__APART int
prepare_park(struct weft_loop *loop, int64_t deadline, unsigned waiting)
{
	struct weft_fiber *self = loop->front.current;
	int64_t until = deadline < 0 ? INT64_MAX : deadline;
	int error = loop->front.alarm ? weft__loop_check(loop) : 0;

	if (error == 0 && deadline == WEFT_NOWAIT)
		error = EAGAIN;
	if (error == 0 && !(waiting & WEFT__STUBBORN))
		error = weft__check(loop);
	if (error != 0)
		return error;
	if (self->deadline < until && !(waiting & WEFT__STUBBORN))
		until = self->deadline;
	if (until != INT64_MAX) {
		weft__timer_set(&loop->timers, &self->timer, until);
		loop->timed++;
	}
	return 0;
}

int
weft__park(struct weft_loop *loop, int64_t deadline, unsigned waiting)
{
	struct weft_fiber *self = loop->front.current;
	int error;

	if (loop->front.alarm || deadline >= 0 || self->deadline != INT64_MAX) {
		error = prepare_park(loop, deadline, waiting);
		if (error != 0)
			return error;
	}
	loop->external += waiting & WEFT__EXTERNAL;
	self->waiting = (uint8_t)waiting;
	self->subject = loop->front.subject;
	self->object = loop->front.object;
	self->parked_at = loop->stats.switches;
	self->parked_since = loop->polled_at;
	self->state = WEFT__PARKED;
	loop->stats.parked++;
	return run_next(loop);
}

void
weft__wake(struct weft_fiber *fiber, int error)
{
	struct weft_loop *loop = fiber->loop;

	if (fiber->state != WEFT__PARKED)
		return;
	if (fiber->timer.deadline != INT64_MAX) {
		fiber->timer.deadline = INT64_MAX;      /* the heap finds out */
		loop->timed--;
	}
	if (fiber->waiting & WEFT__EXTERNAL)
		loop->external--;
	fiber->wake_error = error;
	loop->stats.parked--;
	loop->stats.wakeups++;
	weft__ready(fiber);
}

void
weft__timer_fired(struct weft__timer *timer)
{
	struct weft_fiber *fiber = (struct weft_fiber *)
	    ((char *)timer - offsetof(struct weft_fiber, timer));

	fiber->loop->timed--;
	/* The end of a shield lets the cancel through that it held off. */
	weft__wake(fiber, fiber->canceled && weft__interrupted(fiber) ?
	    ECANCELED : ETIMEDOUT);
}
