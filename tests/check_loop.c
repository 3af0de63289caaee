/* SPDX-License-Identifier: MIT */
/*
 * tests/check_loop.c - the loop as a whole: how it is made, what it counts,
 * and what it does when nothing could ever happen again.
 */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fiber/wait.h"
#include "tests/harness.h"

static struct weft_fiber *main_fiber;

static void
in_a_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, fn, arg), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* --- how it is made */

static void *
tell_errno(void *arg)
{
	errno = 12345;
	ck_assert_ptr_nonnull(weft_self());
	*(int *)arg = errno;
	return NULL;
}

START_TEST(the_first_call_leaves_errno_alone)
{
	int error = 0;

	in_a_thread(tell_errno, &error);
	ck_assert_int_eq(error, 12345);
}
END_TEST

static void *
tell_backend(void *arg)
{
	*(const char **)arg = weft_loop_backend();
	return NULL;
}

START_TEST(an_unknown_backend_means_the_default)
{
	static const char *const unknown[] = { "", "epol", "epolll", "EPOLL", "none" };
	const char *was = getenv("WEFT_BACKEND"), *name, *expected;

	unsetenv("WEFT_BACKEND");
	in_a_thread(tell_backend, &expected);
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		setenv("WEFT_BACKEND", unknown[i], 1);
		in_a_thread(tell_backend, &name);
		ck_assert_str_eq(name, expected);
	}
	setenv("WEFT_BACKEND", "poll", 1);
	in_a_thread(tell_backend, &name);
	ck_assert_str_eq(name, "poll");
	if (was != NULL)
		setenv("WEFT_BACKEND", was, 1);
}
END_TEST

static void *
fail_to_make_a_loop(void *arg)
{
	int *errors = arg;

	errors[0] = weft_self() == NULL ? errno : 0;
	errors[1] = weft_yield() < 0 ? errno : 0;
	errors[2] = weft_loop_backend() == NULL ? errno : 0;
	errors[3] = weft_fd_wait(0, WEFT_READABLE, WEFT_NOWAIT) < 0 ? errno : 0;
	return NULL;
}

START_TEST(without_a_descriptor_for_it_there_is_no_loop)
{
	struct rlimit was, none;
	int errors[4] = { 0 };

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	in_a_thread(fail_to_make_a_loop, errors);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(errors[i], EMFILE);
}
END_TEST

static void *
count_descriptors(void *arg)
{
	ck_assert_ptr_nonnull(weft_self());
	*(int *)arg = open_descriptors();
	return NULL;
}

START_TEST(the_loop_of_a_thread_ends_with_it)
{
	int before = open_descriptors(), during = 0;

	for (int i = 0; i < 100; i++) {
		in_a_thread(count_descriptors, &during);
		ck_assert_int_gt(during, before);
		ck_assert_int_eq(open_descriptors(), before);
	}
}
END_TEST

/* --- what it counts */

START_TEST(stats_of_a_younger_or_older_program_are_filled_as_far_as_they_go)
{
	struct {
		struct weft_loop_stats known;
		unsigned char unknown[16];
	} stats;

	for (size_t size = sizeof size; size <= sizeof stats; size += 8) {
		memset(&stats, 0xa5, sizeof stats);
		stats.known.size = size;
		ck_assert_gives(weft_loop_stats(&stats.known), 0);
		ck_assert_uint_eq(stats.known.size, size);
		for (size_t i = size; i < sizeof stats; i++)
			ck_assert_uint_eq(((unsigned char *)&stats)[i], 0xa5);
	}
	stats.known.size = sizeof(size_t) - 1;
	ck_assert_fails(weft_loop_stats(&stats.known), EINVAL);
	ck_assert_fails(weft_loop_stats(NULL), EINVAL);
}
END_TEST

static int
park_it(void *arg)
{
	(void)arg;
	return weft_park(soon_enough());
}

START_TEST(stats_count_fibers_switches_and_wake_ups)
{
	struct weft_loop_stats before = loop_stats(), during, after;
	struct weft_fiber *fiber = weft_spawn(park_it, NULL);

	ck_assert_ok(weft_yield());
	during = loop_stats();
	ck_assert_uint_eq(during.fibers, before.fibers + 1);
	ck_assert_uint_eq(during.parked, 1);
	ck_assert_uint_eq(during.timers, 1);
	ck_assert_uint_eq(during.switches, before.switches + 2);
	ck_assert_ok(weft_unpark(fiber));
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	after = loop_stats();
	ck_assert_uint_eq(after.fibers, before.fibers);
	ck_assert_uint_eq(after.wakeups, before.wakeups + 2);
	ck_assert_uint_eq(after.stacks_pooled, before.stacks_pooled + 1);
}
END_TEST

/* --- when nothing could ever happen again */

static int
error_of(int result)
{
	return result < 0 ? errno : 0;
}

static int
park_for_ever(void *arg)
{
	*(int *)arg = error_of(weft_park(WEFT_NEVER));
	return 0;
}

START_TEST(a_wait_that_nothing_could_end_is_EDEADLK)
{
	ck_assert_fails(weft_park(WEFT_NEVER), EDEADLK);
	ck_assert_fails(weft_sleep(WEFT_NEVER), EDEADLK);
	/* And the loop goes on. */
	ck_assert_ok(weft_sleep(weft_after(1)));
}
END_TEST

START_TEST(of_a_deadlock_the_main_fiber_learns_first)
{
	int error = 0;
	struct weft_fiber *fiber = weft_spawn(park_for_ever, &error);

	ck_assert_fails(weft_join(fiber, NULL, WEFT_NEVER), EDEADLK);
	ck_assert_int_eq(error, 0);
	ck_assert_ok(weft_unpark(fiber));
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
}
END_TEST

static int
sleep_a_little_and_note(void *arg)
{
	ck_assert_ok(weft_sleep(weft_after(5)));
	*(int *)arg = 1;
	return 0;
}

START_TEST(while_a_timer_is_left_there_is_no_deadlock)
{
	int slept = 0;
	struct weft_fiber *fiber = weft_spawn(sleep_a_little_and_note, &slept);

	ck_assert_fails(weft_park(WEFT_NEVER), EDEADLK);
	ck_assert_int_eq(slept, 1);
	ck_assert_ok(weft_join(fiber, NULL, WEFT_NOWAIT));
}
END_TEST

static int
wait_for_pipe(void *arg)
{
	const int *fds = arg;

	ck_assert_int_eq(weft_fd_wait(fds[0], WEFT_READABLE, WEFT_NEVER),
	    WEFT_READABLE);
	return 0;
}

static void *
write_a_byte(void *arg)
{
	const int *fds = arg;

	usleep(5000);           /* likely asleep by then; right either way */
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	return NULL;
}

START_TEST(while_a_descriptor_is_waited_for_there_is_no_deadlock)
{
	struct weft_fiber *fiber;
	pthread_t thread;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	fiber = weft_spawn(wait_for_pipe, fds);
	ck_assert_int_eq(pthread_create(&thread, NULL, write_a_byte, fds), 0);
	ck_assert_ok(weft_join(fiber, NULL, WEFT_NEVER));
	pthread_join(thread, NULL);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

static void *
post_unpark(void *arg)
{
	usleep(5000);           /* likely asleep by then; right either way */
	ck_assert_ok(weft_unpark(arg));
	return NULL;
}

START_TEST(a_loop_whose_handle_is_out_is_never_taken_for_deadlocked)
{
	pthread_t thread;

	ck_assert_ptr_nonnull(weft_loop_self());
	ck_assert_int_eq(pthread_create(&thread, NULL, post_unpark, weft_self()), 0);
	ck_assert_ok(weft_park(WEFT_NEVER));
	pthread_join(thread, NULL);
}
END_TEST

static int learned[4], learned_count;

static int
learn_of_the_deadlock(void *arg)
{
	ck_assert_int_eq(error_of(weft_park(WEFT_NEVER)), EDEADLK);
	learned[learned_count++] = *(int *)arg;
	if (learned_count == 4)
		weft__wake(main_fiber, 0);
	return 0;
}

START_TEST(if_the_main_fiber_cannot_be_told_the_oldest_wait_learns_first)
{
	struct weft_fiber *fibers[4];
	int numbers[] = { 0, 1, 2, 3 };

	learned_count = 0;
	main_fiber = weft_self();
	for (int i = 0; i < 4; i++)
		fibers[i] = weft_spawn(learn_of_the_deadlock, &numbers[i]);
	/* As scopes wait for their members. */
	ck_assert_int_eq(weft__park(weft__loop(), WEFT_NEVER, WEFT__STUBBORN), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(learned[i], i);
		ck_assert_ok(weft_join(fibers[i], NULL, soon_enough()));
	}
}
END_TEST

static void
add_making_tests(Suite *suite)
{
	TCase *tc = test_case(suite, "making and counting");

	tcase_add_test(tc, the_first_call_leaves_errno_alone);
	tcase_add_test(tc, an_unknown_backend_means_the_default);
	tcase_add_test(tc, without_a_descriptor_for_it_there_is_no_loop);
	tcase_add_test(tc, the_loop_of_a_thread_ends_with_it);
	tcase_add_test(tc, stats_of_a_younger_or_older_program_are_filled_as_far_as_they_go);
	tcase_add_test(tc, stats_count_fibers_switches_and_wake_ups);
}

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("loop");
	TCase *tc;

	(void)backend;
	add_making_tests(suite);
	tc = test_case(suite, "deadlock");
	tcase_add_test(tc, a_wait_that_nothing_could_end_is_EDEADLK);
	tcase_add_test(tc, of_a_deadlock_the_main_fiber_learns_first);
	tcase_add_test(tc, while_a_timer_is_left_there_is_no_deadlock);
	tcase_add_test(tc, while_a_descriptor_is_waited_for_there_is_no_deadlock);
	tcase_add_test(tc, if_the_main_fiber_cannot_be_told_the_oldest_wait_learns_first);
	/* The last: with CK_FORK=no it leaves a loop that is never deadlocked. */
	tcase_add_test(tc, a_loop_whose_handle_is_out_is_never_taken_for_deadlocked);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
