/* SPDX-License-Identifier: MIT */
/*
 * The standard streams: one object each per process, which belongs to the
 * thread that asked first, until that ends or frees it.
 *
 *   exit, or main returns     what is queued goes out, terminals are put back
 *   the thread ends           what it has is flushed and closed
 *   fork                      the child starts with nothing queued: that is the
 *                             parent's to send
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/shared.h"
#include "weft/tty.h"

static struct standard {
	struct weft_stream *stream;     /* NULL: nobody has asked, or it is gone */
	const struct weft_loop *loop;   /* whose thread alone looks inside it */
	pthread_t owner;
	pid_t process;
} standards[3];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT, exit_once = PTHREAD_ONCE_INIT;

/* --- the end */

static void
forget(const struct weft_stream *s)
{
	int i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < 3; i++)
		if (standards[i].stream == s)
			standards[i].stream = NULL;
	pthread_mutex_unlock(&lock);
}

static void
free_standard(struct weft_stream *s)
{
	forget(s);
	weft__fdstream_free(s);
}

/* All that is queued, or until it breaks. Nobody else runs. */
static void
push(struct weft_stream *s)
{
	const struct weft__fdstream *f = (struct weft__fdstream *)s;

	while (!s->ended && weft_stream_queued(s) > 0) {
		s->ready |= WEFT_WRITABLE;
		weft__stream_send_queue(s);
		if (weft_stream_queued(s) > 0 &&
		    weft__fd_block(f->fd[WEFT__OUT], WEFT_WRITABLE) < 0)
			break;
	}
}

/* The stream, if it is this thread's: others are in the middle of something. */
static struct weft_stream *
ours(int number)
{
	const struct standard *standard = &standards[number];
	struct weft_stream *s;

	pthread_mutex_lock(&lock);
	s = standard->process == getpid() && pthread_equal(standard->owner, pthread_self()) ?
	    standard->stream : NULL;
	pthread_mutex_unlock(&lock);
	return s;
}

static void
at_exit(void)
{
	struct weft_stream *s;
	int i;

	for (i = STDOUT_FILENO; i <= STDERR_FILENO; i++)
		if ((s = ours(i)) != NULL)
			push(s);
	weft__raw_restore();
}

static void
register_exit(void)
{
	(void)!atexit(at_exit);
}

void
weft__stdio_at_exit(void)
{
	pthread_once(&exit_once, register_exit);
}

void
weft__stdio_forget(struct weft_loop *loop)
{
	struct weft_stream *s;
	int i;

	for (i = 0; i < 3; i++) {
		s = ours(i);
		if (s == NULL || s->loop != loop)
			continue;
		push(s);
		forget(s);      /* fibers inside never leave */
		weft_stream_free(s);
	}
}

/* --- fork */

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
	struct standard *standard;

	for (standard = standards; standard < standards + 3; standard++) {
		if (standard->stream == NULL)
			continue;
		if (pthread_equal(standard->owner, pthread_self())) {
			weft__stream_drop_queue(standard->stream);
			standard->process = getpid();
		} else {
			standard->stream = NULL;        /* with its thread */
		}
	}
	pthread_mutex_unlock(&lock);
}

static void
prepare(void)
{
	pthread_atfork(before_fork, in_parent, in_child);
}

/* --- birth */

static const struct weft_stream_class classes[3] = {
	WEFT__SHARED_CLASS("stdin", weft__shared_number, free_standard),
	WEFT__SHARED_CLASS("stdout", weft__shared_number, free_standard),
	WEFT__SHARED_CLASS("stderr", weft__shared_number, free_standard)
};

/* Under the lock. */
static struct weft_stream *
make(struct weft_loop *loop, int number)
{
	struct standard *standard = &standards[number];
	int saved = errno;

	standard->stream = weft__shared_new(loop, &classes[number], number,
	    number == STDIN_FILENO ? WEFT__READS : WEFT__WRITES, false);
	if (standard->stream == NULL)
		return NULL;
	standard->loop = loop;
	standard->owner = pthread_self();
	standard->process = getpid();
	errno = saved;
	return standard->stream;
}

static struct weft_stream *
get(int number)
{
	struct weft_loop *loop = weft__loop();
	struct standard *standard = &standards[number];
	struct weft_stream *s;

	if (loop == NULL)
		return NULL;
	pthread_once(&once, prepare);
	weft__stdio_at_exit();
	pthread_mutex_lock(&lock);
	s = standard->stream;
	if (s == NULL || (standard->loop == loop && s->freed)) {
		s = make(loop, number);
	} else if (standard->loop != loop) {
		errno = EBUSY;
		s = NULL;
	}
	pthread_mutex_unlock(&lock);
	return s;
}

struct weft_stream *
weft_stdin(void)
{
	return get(STDIN_FILENO);
}

struct weft_stream *
weft_stdout(void)
{
	return get(STDOUT_FILENO);
}

struct weft_stream *
weft_stderr(void)
{
	return get(STDERR_FILENO);
}
