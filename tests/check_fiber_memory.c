/* SPDX-License-Identifier: MIT */
/*
 * tests/check_fiber_memory.c - fibers when memory or descriptors run out: the
 * k-th call fails, for every k, until all goes well. Each failure is an error
 * with a reason, and nothing is lost by it.
 *
 * Linked with -Wl,--wrap for malloc, calloc, realloc, free, mmap, munmap,
 * epoll_create1, epoll_ctl and eventfd.
 */
#include "config.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef HAVE_EPOLL
#include <sys/epoll.h>
#endif
#ifdef HAVE_EVENTFD
#include <sys/eventfd.h>
#endif

#include "tests/harness.h"
#include "tests/wrap.h"

/* Faults on demand: so many calls of this thread succeed, then all fail. -1:
 * none does. */
static _Thread_local int calls_left = -1;
static int reason = ENOMEM;
/* What this thread, and so its loop, has got and not given back. */
static _Thread_local long blocks;
static _Thread_local size_t mapped;

static bool
refused(void)
{
	if (calls_left < 0)
		return false;
	if (calls_left > 0) {
		calls_left--;
		return false;
	}
	errno = reason;
	return true;
}

void *__real_malloc(size_t);
void *__wrap_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__wrap_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__wrap_realloc(void *, size_t);
void __real_free(void *);
void __wrap_free(void *);
void *__real_mmap(void *, size_t, int, int, int, off_t);
void *__wrap_mmap(void *, size_t, int, int, int, off_t);
int __real_munmap(void *, size_t);
int __wrap_munmap(void *, size_t);

void *
__wrap_malloc(size_t size)
{
	void *block = refused() ? NULL : __real_malloc(size);

	blocks += block != NULL;
	return block;
}

void *
__wrap_calloc(size_t count, size_t size)
{
	void *block = refused() ? NULL : __real_calloc(count, size);

	blocks += block != NULL;
	return block;
}

void *
__wrap_realloc(void *old, size_t size)
{
	void *block = refused() ? NULL : __real_realloc(old, size);

	blocks += block != NULL && old == NULL;
	return block;
}

void
__wrap_free(void *block)
{
	blocks -= block != NULL;
	__real_free(block);
}

void *
__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t off)
{
	void *memory = refused() ? MAP_FAILED :
	    __real_mmap(at, size, protection, flags, fd, off);

	if (memory != MAP_FAILED)
		mapped += size;
	return memory;
}

int
__wrap_munmap(void *at, size_t size)
{
	mapped -= size;
	return __real_munmap(at, size);
}

#ifdef HAVE_EPOLL
int __real_epoll_create1(int);
int __wrap_epoll_create1(int);
int __real_epoll_ctl(int, int, int, struct epoll_event *);
int __wrap_epoll_ctl(int, int, int, struct epoll_event *);

int
__wrap_epoll_create1(int flags)
{
	return refused() ? -1 : __real_epoll_create1(flags);
}

int
__wrap_epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
	/* Taking out cannot fail for lack of anything. */
	if (operation != EPOLL_CTL_DEL && refused())
		return -1;
	return __real_epoll_ctl(set, operation, fd, event);
}
#endif

#ifdef HAVE_EVENTFD
int __real_eventfd(unsigned, int);
int __wrap_eventfd(unsigned, int);

int
__wrap_eventfd(unsigned value, int flags)
{
	return refused() ? -1 : __real_eventfd(value, flags);
}
#endif

/* --- in a thread, whose end gives everything back */

struct attempt {
	int (*fn)(void);        /* 0, or -1 with errno */
	int fail_at, result, error;
	long blocks;
	size_t mapped;
};

static pthread_key_t at_the_end;

/* Destructors run in any order: this one puts itself behind the loop's. */
static void
count_what_is_left(void *arg)
{
	struct attempt *attempt = arg;

	if (attempt->blocks == 0) {
		attempt->blocks = 1;
		pthread_setspecific(at_the_end, arg);
		return;
	}
	attempt->blocks = blocks;
	attempt->mapped = mapped;
}

static void *
attempt_it(void *arg)
{
	struct attempt *attempt = arg;

	pthread_setspecific(at_the_end, arg);
	calls_left = attempt->fail_at;
	attempt->result = attempt->fn();
	attempt->error = errno;
	calls_left = -1;
	return NULL;
}

static void
ck_assert_every_failure_is_survived(int (*fn)(void), int error)
{
	struct attempt attempt;
	pthread_t thread;
	int fail_at = 0, before = open_descriptors();

	reason = error;
	ck_assert_int_eq(pthread_key_create(&at_the_end, count_what_is_left), 0);
	do {
		attempt = (struct attempt){ .fn = fn, .fail_at = fail_at };
		ck_assert_int_eq(pthread_create(&thread, NULL, attempt_it, &attempt), 0);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		ck_assert_msg(attempt.result == 0 || attempt.error == error,
		    "call %d fails: %s", fail_at, strerror(attempt.error));
		ck_assert_msg(attempt.blocks == 0, "call %d fails: %ld blocks are lost",
		    fail_at, attempt.blocks);
		ck_assert_msg(attempt.mapped == 0, "call %d fails: %zu bytes stay mapped",
		    fail_at, attempt.mapped);
		ck_assert_msg(open_descriptors() == before,
		    "call %d fails: %d descriptors are lost", fail_at,
		    open_descriptors() - before);
		ck_assert_int_lt(++fail_at, 200);
	} while (attempt.result != 0);
	/* Something was refused, or this shows nothing. */
	ck_assert_int_gt(fail_at, 1);
	pthread_key_delete(at_the_end);
}

/* --- what is attempted */

/* Check needs memory, too. */
static void
must(bool good)
{
	int error = errno, left = calls_left;
	long before = blocks;

	calls_left = -1;
	ck_assert(good);
	calls_left = left;
	blocks = before;
	errno = error;
}

static int
nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int
make_a_loop(void)
{
	return weft_self() != NULL ? 0 : -1;
}

static int
spawn_and_join(void)
{
	struct weft_fiber *fiber = weft_spawn(nothing, NULL);

	if (fiber == NULL)
		return -1;
	return weft_join(fiber, NULL, soon_enough());
}

static int
spawn_many(void)
{
	struct weft_fiber *fibers[40];
	int wanted = 40, count = 0, error;

	while (count < wanted && (fibers[count] = weft_spawn(nothing, NULL)) != NULL)
		count++;
	error = errno;
	/* Those that there are run and are joined, memory or not. */
	for (int i = 0; i < count; i++)
		must(weft_join(fibers[i], NULL, WEFT_NEVER) == 0);
	errno = error;
	return count == wanted ? 0 : -1;
}

static int
go_and_yield(void)
{
	if (weft_go(nothing, NULL) < 0)
		return -1;
	return weft_yield();
}

static int
wait_for_a_pipe(void)
{
	int ends[2], result, error;

	must(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
	result = weft_fd_wait(ends[0], WEFT_READABLE, WEFT_NEVER);
	error = errno;
	close(ends[0]);
	close(ends[1]);
	errno = error;
	return result == WEFT_READABLE ? 0 : -1;
}

static int
push_and_shield(void)
{
	for (int i = 0; i < 20; i++)
		if (weft_deadline_push(soon_enough()) < 0)
			return -1;
	return weft_shield_begin(WEFT_NEVER);
}

static void
do_nothing(void *arg)
{
	(void)arg;
}

static int
post_and_yield(void)
{
	struct weft_loop *loop = weft_loop_self();

	if (loop == NULL || weft_post(loop, do_nothing, NULL) < 0)
		return -1;
	return weft_yield();
}

static int
leave_fibers_behind(void)
{
	for (int i = 0; i < 3; i++)
		if (weft_go(nothing, NULL) < 0)
			return -1;
	return weft_post(weft_loop_self(), do_nothing, NULL);
}

static const struct {
	const char *name;
	int (*fn)(void);
} attempts[] = {
	{ "make a loop", make_a_loop },
	{ "spawn and join", spawn_and_join },
	{ "spawn many", spawn_many },
	{ "go and yield", go_and_yield },
	{ "wait for a pipe", wait_for_a_pipe },
	{ "push and shield", push_and_shield },
	{ "post and yield", post_and_yield },
	{ "leave fibers behind", leave_fibers_behind },
};
enum { ATTEMPTS = sizeof attempts / sizeof *attempts };

START_TEST(every_call_that_runs_out_of_memory_is_ENOMEM_and_nothing_is_lost)
{
	ck_assert_every_failure_is_survived(attempts[_i].fn, ENOMEM);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("fiber memory");
	TCase *tc = test_case_unclean(suite, "memory");

	(void)backend;
	tcase_add_loop_test(tc,
	    every_call_that_runs_out_of_memory_is_ENOMEM_and_nothing_is_lost,
	    0, ATTEMPTS);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
