/* SPDX-License-Identifier: MIT */
/*
 * One loop per thread, made by the first call that needs it and ended with the
 * thread; what other threads post to it; what waits for the end of its turn.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "fiber/fiber.h"
#include "fiber/offload.h"
#include "fiber/signal.h"

static _Thread_local struct weft_loop *here;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;
static bool key_made;
static unsigned long forks;     /* of this process since it began, as a child */

static void
in_child(void)
{
	forks++;
	weft__debug_in_child(here);
	if (here != NULL) {
		here->reactor.inherited = here->front.alarm = true;
		atomic_store(&here->posting, 0);
	}
}

static void
drop_posts(struct weft_loop *loop)
{
	struct weft__post *post = atomic_exchange(&loop->posts, NULL), *next;

	for (; post != NULL; post = next) {
		next = post->next;
		if (post->owned)
			free(post);
	}
}

static void
destroy_loop(void *arg)
{
	struct weft_loop *loop = arg;
	struct weft_fiber *fiber;

	if (loop->front.current == &loop->main)
		weft__locals_end(&loop->main);
	weft__debug_remove(loop);
	weft__watch_forget(loop);
	weft__offload_forget(loop);
	weft__overflow_forget(loop);
	if (loop->destroy_place != NULL)
		loop->destroy_place(loop->place);
	/* It may be the last post that ended the thread: who made it may still be
	 * about to wake us. */
	while (atomic_load(&loop->posting) > 0)
		sched_yield();
	for (fiber = loop->all; fiber != NULL; fiber = fiber->older) {
		weft__frames_free(fiber);
		weft__locals_free(fiber);
	}
	weft__frames_free(&loop->main);
	weft__locals_free(&loop->main);
	weft__reactor_close(&loop->reactor);
	weft__timers_free(&loop->timers);
	drop_posts(loop);
	here = NULL;
	/* Not the ground under our feet: pthread_exit in a fiber. */
	if (loop->front.current == &loop->main)
		weft__stacks_destroy(&loop->stacks);
	free(loop);
}

static void
prepare(void)
{
	key_made = pthread_key_create(&at_thread_end, destroy_loop) == 0;
	pthread_atfork(weft__debug_before_fork, weft__debug_in_parent, in_child);
}

static void
become_main(struct weft_loop *loop)
{
	struct weft_fiber *main = &loop->main;

	main->loop = loop;
	main->state = WEFT__RUNNING;
	main->deadline = main->timer.deadline = INT64_MAX;
	main->id = ++loop->ids;
	memcpy(main->name, "main", sizeof "main");
	weft__context_adopt(&main->context);
	loop->front.current = main;
	loop->blocks = 1;
}

static struct weft_loop *
make_loop(void)
{
	struct weft_loop *loop;
	int before = errno, error = ENOMEM;

	pthread_once(&once, prepare);
	loop = calloc(1, sizeof *loop);
	if (loop == NULL)
		return NULL;
	loop->tail = &loop->head;
	loop->tasks_end = &loop->tasks;
	loop->budget = loop->span = WEFT__SWITCHES_PER_POLL;
	loop->front.credit = WEFT__CREDIT;
	loop->front.error = &errno;
	loop->epoch = forks;
	loop->polled_at = weft__clock_ns();
	loop->timers.fire = weft__timer_fired;
	loop->stats.fibers = 1;
	if (weft__timers_reserve(&loop->timers, 1) < 0)
		goto no_timers;
	if (weft__reactor_open(&loop->reactor, NULL) < 0) {
		error = errno;
		goto no_reactor;
	}
	if (!key_made || pthread_setspecific(at_thread_end, loop) != 0)
		goto no_key;
	become_main(loop);
	weft__debug_add(loop);
	errno = before;
	return here = loop;
no_key:
	weft__reactor_close(&loop->reactor);
no_reactor:
	weft__timers_free(&loop->timers);
no_timers:
	free(loop);
	errno = error;
	return NULL;
}

struct weft_loop *
weft__loop(void)
{
	return here != NULL ? here : make_loop();
}

struct weft_loop *
weft__loop_here(void)
{
	return here;
}

/* A thread-local variable may be made at the first access, by malloc. */
struct weft_loop *
weft__loop_of_thread(void)
{
	return key_made ? pthread_getspecific(at_thread_end) : NULL;
}

int
weft__loop_check(const struct weft_loop *loop)
{
	return loop->epoch == forks ? 0 : ECHILD;
}

void
weft__loop_renew(struct weft_loop *loop)
{
	drop_posts(loop);
	loop->epoch = forks;
	loop->front.alarm = loop->front.current->canceled;
}

void **
weft__loop_place(struct weft_loop *loop, void (*destroy)(void *))
{
	loop->destroy_place = destroy;
	return &loop->place;
}

void
weft__loop_hold(struct weft_loop *loop)
{
	loop->external++;
}

void
weft__loop_release(struct weft_loop *loop)
{
	WEFT_ASSERT(loop->external > 0);
	loop->external--;
}

void
weft__loop_count_pause(struct weft_loop *loop)
{
	loop->stats.accept_pauses++;
}

/* --- the end of the turn */

void
weft__loop_defer(struct weft_loop *loop, struct weft__task *task)
{
	if (task->queued)
		return;
	task->queued = true;
	task->next = NULL;
	*loop->tasks_end = task;
	loop->tasks_end = &task->next;
}

void
weft__loop_undefer(struct weft_loop *loop, struct weft__task *task)
{
	struct weft__task **at;

	if (!task->queued)
		return;
	task->queued = false;
	for (at = &loop->tasks; *at != task; at = &(*at)->next)
		;
	*at = task->next;
	if (loop->tasks_end == &task->next)
		loop->tasks_end = at;
}

void
weft__loop_run_tasks(struct weft_loop *loop)
{
	struct weft__task *task;

	while ((task = loop->tasks) != NULL) {
		weft__loop_undefer(loop, task);
		task->run(task);
	}
}

/* --- from other threads */

void
weft__loop_post(struct weft_loop *loop, struct weft__post *post)
{
	atomic_fetch_add(&loop->posting, 1);
	post->next = atomic_load(&loop->posts);
	while (!atomic_compare_exchange_weak(&loop->posts, &post->next, post))
		;
	weft__wake_send(&loop->reactor.wake);
	atomic_fetch_sub(&loop->posting, 1);    /* the last we know of it */
}

static struct weft__post *
reverse(struct weft__post *post)
{
	struct weft__post *reversed = NULL, *next;

	for (; post != NULL; post = next) {
		next = post->next;
		post->next = reversed;
		reversed = post;
	}
	return reversed;
}

void
weft__loop_run_posts(struct weft_loop *loop)
{
	struct weft__post *post, *next;

	if (atomic_load(&loop->posts) == NULL)
		return;
	post = reverse(atomic_exchange(&loop->posts, NULL));
	for (; post != NULL; post = next) {
		bool owned = post->owned;

		next = post->next;      /* the rest may not outlive the call */
		post->fn(post->arg);
		if (owned)
			free(post);
	}
}

int
weft_post(struct weft_loop *loop, void (*fn)(void *), void *arg)
{
	struct weft__post *post;

	if (loop == NULL || fn == NULL) {
		errno = EINVAL;
		return -1;
	}
	post = malloc(sizeof *post);
	if (post == NULL)
		return -1;
	*post = (struct weft__post){ .fn = fn, .arg = arg, .owned = true };
	weft__loop_post(loop, post);
	return 0;
}

struct weft_loop *
weft_loop_self(void)
{
	struct weft_loop *loop = weft__loop();

	if (loop != NULL)
		loop->addressable = true;
	return loop;
}

/* --- seen from outside */

const char *
weft_loop_backend(void)
{
	struct weft_loop *loop = weft__loop();

	return loop != NULL ? weft__reactor_name(&loop->reactor) : NULL;
}

const char *
weft_loop_context(void)
{
	return weft__context_name();
}

const char *
weft_loop_guard(void)
{
	return weft__stack_guard();
}

int
weft_loop_stats(struct weft_loop_stats *out)
{
	struct weft_loop *loop;
	struct weft_loop_stats all;
	size_t size;

	if (out == NULL || (size = out->size) < sizeof out->size) {
		errno = EINVAL;
		return -1;
	}
	loop = weft__loop();
	if (loop == NULL)
		return -1;
	all = loop->stats;
	all.polls = loop->reactor.stats.polls;
	all.events = loop->reactor.stats.events;
	all.stale_events = loop->reactor.stats.stale_events;
	all.spins = loop->reactor.stats.spins;
	all.registrations = loop->reactor.stats.registrations;
	all.timers = loop->timed;
	all.stacks_pooled = loop->blocks - 1 - (unsigned)loop->stacks.taken;
	all.size = size;
	memcpy(out, &all, size < sizeof all ? size : sizeof all);
	return 0;
}
