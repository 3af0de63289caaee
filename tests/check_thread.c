/* SPDX-License-Identifier: MIT */
/*
 * tests/check_thread.c - several threads: what they may do to each other's
 * fibers, and what is left when one ends; and what a forked child may not do.
 */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fiber/wait.h"
#include "tests/harness.h"

static int
error_of(int result)
{
	return result < 0 ? errno : 0;
}

static void
run_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, fn, arg), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* --- cancel and unpark */

static void *
cancel_it(void *arg)
{
	ck_assert_gives(weft_cancel(arg), 0);
	return NULL;
}

static void *
unpark_it(void *arg)
{
	ck_assert_gives(weft_unpark(arg), 0);
	return NULL;
}

static int
sleep_long(void *arg)
{
	*(int *)arg = error_of(weft_sleep(soon_enough()));
	return 0;
}

START_TEST(a_fiber_may_be_cancelled_from_another_thread)
{
	struct weft_fiber *fiber;
	pthread_t thread;
	int error = 0;

	fiber = weft_spawn(sleep_long, &error);
	ck_assert_ok(weft_yield());
	ck_assert_int_eq(pthread_create(&thread, NULL, cancel_it, fiber), 0);
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	pthread_join(thread, NULL);
	ck_assert_int_eq(error, ECANCELED);
}
END_TEST

START_TEST(a_fiber_may_be_unparked_from_another_thread)
{
	pthread_t thread;

	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, unpark_it, weft_self()), 0);
		ck_assert_ok(weft_park(soon_enough()));
		pthread_join(thread, NULL);
	}
}
END_TEST

static int
nothing(void *arg)
{
	(void)arg;
	return 0;
}

/* Long enough for what was posted to be run. */
static int
sleep_and_park(void *arg)
{
	int *errors = arg;

	errors[0] = error_of(weft_sleep(weft_after(2)));
	errors[1] = error_of(weft_park(WEFT_NOWAIT));
	return 0;
}

/* What a thread does to a fiber is on its way while the fiber is joined and
 * its stack used again. */
static void
ck_assert_spares_the_next_fiber(void *(*fn)(void *))
{
	struct weft_fiber *fiber = weft_spawn(nothing, NULL), *next;
	int errors[2] = { -1, -1 };

	ck_assert_ok(weft_yield());
	run_thread(fn, fiber);
	ck_assert_ok(weft_join(fiber, NULL, WEFT_NOWAIT));
	next = weft_spawn(sleep_and_park, errors);
	ck_assert_ptr_eq(next, fiber);          /* or this shows nothing */
	ck_assert_ok(weft_join(next, NULL, soon_enough()));
	ck_assert_int_eq(errors[0], 0);
	ck_assert_int_eq(errors[1], EAGAIN);
}

START_TEST(a_late_cancel_from_another_thread_does_not_hit_the_next_fiber)
{
	ck_assert_spares_the_next_fiber(cancel_it);
}
END_TEST

START_TEST(a_late_unpark_from_another_thread_does_not_hit_the_next_fiber)
{
	ck_assert_spares_the_next_fiber(unpark_it);
}
END_TEST

static void *
join_and_detach_it(void *fiber)
{
	ck_assert_fails(weft_join(fiber, NULL, soon_enough()), EINVAL);
	ck_assert_fails(weft_detach(fiber), EINVAL);
	return NULL;
}

START_TEST(a_fiber_is_joined_and_detached_on_its_own_thread_only)
{
	struct weft_fiber *fiber = weft_spawn(nothing, NULL);

	run_thread(join_and_detach_it, fiber);
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
}
END_TEST

/* --- a thread ends */

static int borrowed[2];

static int
wait_for_borrowed(void *arg)
{
	(void)arg;
	return weft_fd_wait(borrowed[0], WEFT_READABLE, WEFT_NEVER);
}

static int
wait_for_file(void *arg)
{
	for (;;)
		weft_fd_wait(*(const int *)arg, WEFT_READABLE, WEFT_NEVER);
	return 0;
}

static int
push_and_park(void *arg)
{
	(void)arg;
	ck_assert_ok(weft_deadline_push(soon_enough()));
	return weft_park(WEFT_NEVER);
}

static void *
end_with_fibers_left(void *arg)
{
	for (int i = 0; i < 10; i++) {
		ck_assert_ok(weft_go(wait_for_borrowed, NULL));
		ck_assert_ok(weft_go(wait_for_file, arg));
		ck_assert_ok(weft_go(push_and_park, NULL));
	}
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_go(nothing, NULL));           /* never starts */
	weft_fd_wait(borrowed[0], WEFT_READABLE, WEFT_NOWAIT);
	return NULL;
}

START_TEST(a_thread_that_ends_drops_its_fibers_and_leaves_borrowed_descriptors)
{
	int file = open("/", O_RDONLY), before;

	ck_assert_int_eq(pipe(borrowed), 0);
	before = open_descriptors();
	for (int i = 0; i < 20; i++)
		run_thread(end_with_fibers_left, &file);
	ck_assert_int_eq(open_descriptors(), before);
	ck_assert_int_ge(fcntl(borrowed[0], F_GETFD), 0);
	ck_assert_int_ge(fcntl(file, F_GETFD), 0);
	close(borrowed[0]);
	close(borrowed[1]);
	close(file);
}
END_TEST

static void *
own_a_descriptor(void *arg)
{
	int fd = dup(*(const int *)arg);

	ck_assert_ptr_nonnull(weft__fd_own(weft__loop(), fd, NULL, NULL));
	return NULL;
}

START_TEST(a_thread_that_ends_closes_what_its_streams_owned)
{
	int before;

	ck_assert_int_eq(pipe(borrowed), 0);
	before = open_descriptors();
	for (int i = 0; i < 10; i++)
		run_thread(own_a_descriptor, &borrowed[0]);
	ck_assert_int_eq(open_descriptors(), before);
	close(borrowed[0]);
	close(borrowed[1]);
}
END_TEST

static atomic_int freed;

static void
count_free(void *arg)
{
	(void)arg;
	freed++;
}

static void
post_that_never_runs(void *arg)
{
	(void)arg;
	freed += 1000;
}

static void *
end_with_posts_left(void *arg)
{
	*weft__loop_place(weft__loop(), count_free) = arg;
	for (int i = 0; i < 100; i++)
		ck_assert_ok(weft_post(weft_loop_self(), post_that_never_runs, NULL));
	return NULL;
}

START_TEST(a_thread_that_ends_drops_its_posts_and_frees_its_place)
{
	freed = 0;
	run_thread(end_with_posts_left, NULL);
	ck_assert_int_eq(freed, 1);
}
END_TEST

static void *
exit_inside(void *arg)
{
	ck_assert_ok(weft_yield());
	pthread_exit(arg);
}

START_TEST(a_thread_may_end_by_pthread_exit)
{
	int before = open_descriptors();

	for (int i = 0; i < 10; i++)
		run_thread(exit_inside, NULL);
	ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

enum { LOOPS = 8 };

static void *
run_a_loop(void *arg)
{
	int error;
	struct weft_fiber *fiber;

	for (int i = 0; i < 200; i++) {
		fiber = weft_spawn(sleep_long, &error);
		ck_assert_ok(weft_yield());
		ck_assert_ok(weft_cancel(fiber));
		ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
		ck_assert_int_eq(error, ECANCELED);
	}
	return arg;
}

START_TEST(loops_of_different_threads_know_nothing_of_each_other)
{
	pthread_t threads[LOOPS];

	for (int i = 0; i < LOOPS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, run_a_loop, NULL), 0);
	for (int i = 0; i < LOOPS; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

/* --- a forked child: check_fork.c tells how it goes on */

#define CHILD_EXPECTS(call, error) \
	do { \
		errno = 0; \
		if ((call) != -1 || errno != (error)) \
			_exit(__LINE__ % 200 + 1); \
	} while (0)

static void
ck_assert_child_passed(pid_t child)
{
	int status;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status), "the child died of signal %d",
	    WTERMSIG(status));
	ck_assert_msg(WEXITSTATUS(status) == 0,
	    "the child failed in a line that is %d modulo 200",
	    WEXITSTATUS(status) - 1);
}

START_TEST(in_a_forked_child_every_wait_is_ECHILD)
{
	struct weft_fiber *fiber = weft_spawn(nothing, NULL);
	pid_t child;

	ck_assert_int_eq(pipe(borrowed), 0);
	child = fork();
	if (child == 0) {
		CHILD_EXPECTS(weft_yield(), ECHILD);
		CHILD_EXPECTS(weft_sleep(weft_after(1)), ECHILD);
		CHILD_EXPECTS(weft_park(WEFT_NEVER), ECHILD);
		CHILD_EXPECTS(weft_join(fiber, NULL, soon_enough()), ECHILD);
		CHILD_EXPECTS(weft_go(nothing, NULL), ECHILD);
		CHILD_EXPECTS(weft_fd_wait(borrowed[1], 2, WEFT_NOWAIT), ECHILD);
		CHILD_EXPECTS(weft_fd_wait(borrowed[1], 2, soon_enough()), ECHILD);
		_exit(0);
	}
	ck_assert_child_passed(child);
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	close(borrowed[0]);
	close(borrowed[1]);
}
END_TEST

static int
wait_and_tell(void *arg)
{
	/* A deadline would come with one more look, which needs no poller. */
	*(int *)arg = weft_fd_wait(borrowed[0], WEFT_READABLE, WEFT_NEVER);
	return 0;
}

START_TEST(a_child_that_closes_descriptors_does_not_disturb_the_parent)
{
	struct weft_fiber *fiber;
	int ready = 0;
	pid_t child;

	ck_assert_int_eq(pipe(borrowed), 0);
	fiber = weft_spawn(wait_and_tell, &ready);
	ck_assert_ok(weft_yield());
	child = fork();
	if (child == 0) {
		weft_fd_forget(borrowed[0]);
		_exit(weft_fd_close(borrowed[0]) == 0 &&
		    fcntl(borrowed[0], F_GETFD) < 0 ? 0 : 1);
	}
	ck_assert_child_passed(child);
	ck_assert_int_eq(write(borrowed[1], "x", 1), 1);
	ck_assert_ok(weft_join(fiber, NULL, weft_after(5000)));
	ck_assert_int_eq(ready, WEFT_READABLE);
	close(borrowed[0]);
	close(borrowed[1]);
}
END_TEST

/* Destructors run in any order: this one puts itself behind the loop's, and
 * ends the child before anything else does. */
static pthread_key_t at_the_end;

static void
exit_child(void *again)
{
	if (again != &at_the_end)
		_exit(0);
	pthread_setspecific(at_the_end, &borrowed);
}

static void *
fork_and_end_the_thread(void *arg)
{
	struct weft_fiber *fiber;
	int ready = 0;
	pid_t child;

	fiber = weft_spawn(wait_and_tell, &ready);
	ck_assert_ok(weft_yield());
	child = fork();
	if (child == 0) {
		pthread_setspecific(at_the_end, &at_the_end);
		return NULL;            /* ends the loop of this thread */
	}
	ck_assert_child_passed(child);
	ck_assert_int_eq(write(borrowed[1], "x", 1), 1);
	ck_assert_ok(weft_join(fiber, NULL, weft_after(5000)));
	*(int *)arg = ready;
	return NULL;
}

START_TEST(a_child_whose_thread_ends_does_not_disturb_the_parent)
{
	int ready = 0;

	ck_assert_int_eq(pipe(borrowed), 0);
	ck_assert_int_eq(pthread_key_create(&at_the_end, exit_child), 0);
	run_thread(fork_and_end_the_thread, &ready);
	pthread_key_delete(at_the_end);
	ck_assert_int_eq(ready, WEFT_READABLE);
	close(borrowed[0]);
	close(borrowed[1]);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("thread");
	TCase *tc = test_case(suite, "from other threads");

	(void)backend;
	tcase_add_test(tc, a_fiber_may_be_cancelled_from_another_thread);
	tcase_add_test(tc, a_fiber_may_be_unparked_from_another_thread);
	tcase_add_test(tc, a_late_cancel_from_another_thread_does_not_hit_the_next_fiber);
	tcase_add_test(tc, a_late_unpark_from_another_thread_does_not_hit_the_next_fiber);
	tcase_add_test(tc, a_fiber_is_joined_and_detached_on_its_own_thread_only);
	tc = test_case(suite, "the end of a thread");
	tcase_add_test(tc, a_thread_that_ends_drops_its_fibers_and_leaves_borrowed_descriptors);
	tcase_add_test(tc, a_thread_that_ends_closes_what_its_streams_owned);
	tcase_add_test(tc, a_thread_that_ends_drops_its_posts_and_frees_its_place);
	tcase_add_test(tc, a_thread_may_end_by_pthread_exit);
	tcase_add_test(tc, loops_of_different_threads_know_nothing_of_each_other);
	tc = test_case(suite, "fork");
	tcase_add_test(tc, in_a_forked_child_every_wait_is_ECHILD);
	tcase_add_test(tc, a_child_that_closes_descriptors_does_not_disturb_the_parent);
	tcase_add_test(tc, a_child_whose_thread_ends_does_not_disturb_the_parent);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
