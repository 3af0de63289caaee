/* SPDX-License-Identifier: MIT */
/*
 * A small pool of threads for what can only block: getaddrinfo and the like.
 *
 *   fiber                    thread
 *   queue, signal  ------->  take, work
 *   parks                    under the lock: finished; does somebody wait?
 *   wakes   <--- post -----    yes: post to the loop     no: free the job
 *
 * Threads start when there is work and none is idle, up to a few, and end when
 * they have had nothing to do for a while. They block all signals: those are
 * the program's. One lock guards everything; it is never held while working.
 *
 * Names have threads of their own: calls that hang, four of them, would else
 * keep every connection by name from being made, and the other way round.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "fiber/fiber.h"
#include "fiber/offload.h"
#include "weft/process.h"

enum { THREADS = 4, IDLE_SECONDS = 10 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* By weft__job.kind. */
static struct pool {
	pthread_cond_t more;
	struct weft__job *first, **last;        /* not yet taken */
	struct weft__job *all;                  /* taken or not; newest first */
	unsigned threads, idle;
	unsigned queued;                        /* jobs not yet taken */
} pools[WEFT__JOB_KINDS];

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* --- fork: a child has none of the threads, and none of their work */

static void
empty_pools(void)
{
	for (int i = 0; i < WEFT__JOB_KINDS; i++) {
		pools[i] = (struct pool){ .last = &pools[i].first };
		pthread_cond_init(&pools[i].more, NULL);
	}
}

static void
before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void
in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void
in_child(void)
{
	/* What the jobs of the parent hold is lost with its threads. */
	empty_pools();
	pthread_mutex_unlock(&lock);
}

static void
prepare(void)
{
	empty_pools();
	pthread_atfork(before_fork, in_parent, in_child);
}

/* --- the list of all, under the lock */

static void
enlist(struct pool *pool, struct weft__job *job)
{
	job->newer = NULL;
	job->older = pool->all;
	if (job->older != NULL)
		job->older->newer = job;
	pool->all = job;
	job->next = NULL;
	*pool->last = job;
	pool->last = &job->next;
	pool->queued++;
}

static void
delist(struct weft__job *job)
{
	if (job->newer != NULL)
		job->newer->older = job->older;
	else
		pools[job->kind].all = job->older;
	if (job->older != NULL)
		job->older->newer = job->newer;
}

/* --- threads */

static void
wake_fiber(void *arg)
{
	struct weft__job *job = arg;

	job->delivered = true;
	weft__wake(job->fiber, 0);
}

/* With the lock. */
static void
finish(struct weft__job *job)
{
	delist(job);
	job->finished = true;
	if (job->loop != NULL)
		weft__loop_post(job->loop, &job->done);
	else
		job->free(job);
}

/* With the lock; false after a while with nothing to do. */
static bool
wait_for_work(struct pool *pool)
{
	struct timespec until;
	int error = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += IDLE_SECONDS;
	pool->idle++;
	while (pool->first == NULL && error == 0)
		error = pthread_cond_timedwait(&pool->more, &lock, &until);
	pool->idle--;
	return pool->first != NULL;
}

static void *
thread(void *arg)
{
	struct pool *pool = arg;
	struct weft__job *job;

	pthread_mutex_lock(&lock);
	while (wait_for_work(pool)) {
		job = pool->first;
		pool->first = job->next;
		if (pool->first == NULL)
			pool->last = &pool->first;
		pool->queued--;
		pthread_mutex_unlock(&lock);
		job->work(job);
		pthread_mutex_lock(&lock);
		finish(job);
	}
	pool->threads--;
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* With the lock. An idle thread that a queued job has already called may not
 * have come yet, and still counts as idle. */
static int
start_thread(struct pool *pool)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	pthread_t id;
	int error;

	if (pool->idle > pool->queued || pool->threads == THREADS)
		return 0;
	error = pthread_attr_init(&attributes);
	if (error != 0)
		return error;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&id, &attributes, thread, pool);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	if (error == 0)
		pool->threads++;
	return pool->threads > 0 ? 0 : error;
}

/* --- fibers */

static int
submit(struct weft_loop *loop, struct weft__job *job)
{
	struct pool *pool = &pools[job->kind];
	int error;

	job->loop = loop;
	job->fiber = weft__running(loop);
	job->done = (struct weft__post){ .fn = wake_fiber, .arg = job };
	job->finished = job->delivered = false;
	pthread_once(&once, prepare);
	pthread_mutex_lock(&lock);
	error = start_thread(pool);
	if (error == 0) {
		enlist(pool, job);
		pthread_cond_signal(&pool->more);
	}
	pthread_mutex_unlock(&lock);
	return error;
}

/* True: it will be freed by the thread. False: its notice is on the way. */
static bool
abandon(struct weft__job *job)
{
	bool finished;

	pthread_mutex_lock(&lock);
	finished = job->finished;
	if (!finished)
		job->loop = NULL;
	pthread_mutex_unlock(&lock);
	return !finished;
}

int
weft__offload(struct weft_loop *loop, struct weft__job *job, int64_t deadline)
{
	int error = deadline == WEFT_NOWAIT ? EAGAIN : weft__check(loop);

	if (error == 0)
		error = submit(loop, job);
	if (error != 0) {
		job->free(job);
		return error;
	}
	error = weft__park(loop, deadline, WEFT__EXTERNAL | WEFT__FOR_JOB);
	if (!job->delivered && abandon(job))
		return error;
	while (!job->delivered)
		weft__park(loop, WEFT_NEVER,
		    WEFT__EXTERNAL | WEFT__STUBBORN | WEFT__FOR_JOB);
	return 0;
}

void
weft__offload_forget(struct weft_loop *loop)
{
	struct weft__job *job;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < WEFT__JOB_KINDS; i++)
		for (job = pools[i].all; job != NULL; job = job->older)
			if (job->loop == loop)
				job->loop = NULL;
	pthread_mutex_unlock(&lock);
}

/* --- for programs */

struct call {
	struct weft__job job;           /* first */
	int (*fn)(void *);
	void *arg;
	int result;
	int error;                      /* errno, before the call and after it */
};

static void
make_call(struct weft__job *job)
{
	struct call *call = (struct call *)job;

	errno = call->error;
	call->result = call->fn(call->arg);
	call->error = errno;
}

static void
free_call(struct weft__job *job)
{
	free(job);
}

static struct call *
new_call(int (*fn)(void *), void *arg, int error)
{
	struct call *call = malloc(sizeof *call);

	if (call != NULL)
		*call = (struct call){ .job.work = make_call, .job.free = free_call,
		    .fn = fn, .arg = arg, .error = error };
	return call;
}

int
weft_offload(int (*fn)(void *), void *arg, int *result, int64_t deadline)
{
	int saved = errno, error;
	struct weft_loop *loop = weft__loop();
	struct call *call;

	if (loop == NULL)
		return -1;
	error = fn == NULL ? EINVAL : weft__check(loop);
	if (error == 0) {
		call = new_call(fn, arg, saved);
		error = call == NULL ? ENOMEM : weft__offload(loop, &call->job, deadline);
	}
	if (error != 0) {
		errno = error;
		return -1;
	}
	if (result != NULL)
		*result = call->result;
	error = call->error;
	free(call);
	errno = error;
	return 0;
}
