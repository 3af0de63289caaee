/* SPDX-License-Identifier: MIT */
/*
 * tests/check_offload.c - blocking work on threads: whose the job is when.
 */
#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fiber/offload.h"
#include "tests/harness.h"

/* A job that waits at its gate, if it has one, until the test opens it. */
struct work {
	struct weft__job job;           /* first */
	atomic_int *gate;
	pthread_t thread;
	sigset_t signals;
	int answer;
};

static atomic_int working, most_working, worked, freed;

static void
do_work(struct weft__job *job)
{
	struct work *work = (struct work *)job;
	int now = ++working, most = most_working;

	while (now > most && !atomic_compare_exchange_weak(&most_working, &most, now))
		;
	work->thread = pthread_self();
	pthread_sigmask(SIG_SETMASK, NULL, &work->signals);
	while (work->gate != NULL && *work->gate == 0)
		sched_yield();
	work->answer = 42;
	working--;
	worked++;
}

static void
free_work(struct weft__job *job)
{
	free(job);
	freed++;
}

static struct work *
new_work(atomic_int *gate)
{
	struct work *work = calloc(1, sizeof *work);

	work->job.work = do_work;
	work->job.free = free_work;
	work->gate = gate;
	return work;
}

static void
setup(void)
{
	working = most_working = worked = freed = 0;
	start_clean();
}

/* The thread frees what was left to it; there is nothing to wait on for that. */
static void
wait_for(atomic_int *count, int value)
{
	int64_t deadline = soon_enough();

	while (*count < value) {
		ck_assert_msg(weft_now() < deadline, "%d instead of %d", *count, value);
		sched_yield();
	}
	ck_assert_int_eq(*count, value);
}

START_TEST(the_work_is_done_on_another_thread_and_the_job_comes_back)
{
	struct work *work = new_work(NULL);

	ck_assert_int_eq(weft__offload(weft__loop(), &work->job, soon_enough()), 0);
	ck_assert_int_eq(work->answer, 42);
	ck_assert(!pthread_equal(work->thread, pthread_self()));
	ck_assert_int_eq(freed, 0);
	free(work);
}
END_TEST

START_TEST(work_that_is_under_way_is_no_deadlock)
{
	struct work *work = new_work(NULL);

	ck_assert_int_eq(weft__offload(weft__loop(), &work->job, WEFT_NEVER), 0);
	free(work);
}
END_TEST

START_TEST(a_thread_leaves_all_signals_to_the_program)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGCHLD, SIGALRM, SIGUSR1 };
	struct work *work = new_work(NULL);
	sigset_t mine;

	ck_assert_int_eq(weft__offload(weft__loop(), &work->job, soon_enough()), 0);
	pthread_sigmask(SIG_SETMASK, NULL, &mine);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		ck_assert_int_eq(sigismember(&work->signals, numbers[i]), 1);
		ck_assert_int_eq(sigismember(&mine, numbers[i]), 0);
	}
	free(work);
}
END_TEST

static int
open_gate(void *gate)
{
	*(atomic_int *)gate = 1;
	return 0;
}

START_TEST(other_fibers_run_meanwhile)
{
	atomic_int gate = 0;
	struct work *work = new_work(&gate);

	/* The work ends only because another fiber runs. */
	ck_assert_ok(weft_go(open_gate, &gate));
	ck_assert_int_eq(weft__offload(weft__loop(), &work->job, soon_enough()), 0);
	free(work);
}
END_TEST

/* --- who stops waiting leaves the job to the thread */

START_TEST(after_the_deadline_the_thread_frees_the_job)
{
	atomic_int gate = 0;
	int64_t deadline = weft_after(2);

	ck_assert_int_eq(weft__offload(weft__loop(), &new_work(&gate)->job, deadline),
	    ETIMEDOUT);
	ck_assert_int_ge(weft_now(), deadline);
	ck_assert_int_eq(freed, 0);
	gate = 1;
	wait_for(&freed, 1);
	ck_assert_int_eq(worked, 1);
}
END_TEST

static int
offload_it(void *arg)
{
	struct work *work = arg;
	int error = weft__offload(weft__loop(), &work->job, soon_enough());

	if (error == 0)
		free(work);
	return error;
}

START_TEST(after_a_cancel_the_thread_frees_the_job)
{
	atomic_int gate = 0;
	struct weft_fiber *fiber = weft_spawn(offload_it, new_work(&gate));
	int error = 0;

	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(fiber));
	ck_assert_ok(weft_join(fiber, &error, soon_enough()));
	ck_assert_int_eq(error, ECANCELED);
	gate = 1;
	wait_for(&freed, 1);
}
END_TEST

START_TEST(without_waiting_nothing_is_begun_and_the_job_is_freed)
{
	ck_assert_int_eq(weft__offload(weft__loop(), &new_work(NULL)->job,
	    WEFT_NOWAIT), EAGAIN);
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(worked, 0);
}
END_TEST

static int
cancel_myself_and_offload(void *arg)
{
	ck_assert_ok(weft_cancel(weft_self()));
	return offload_it(arg);
}

START_TEST(a_cancelled_fiber_begins_nothing_and_the_job_is_freed)
{
	int error = 0;

	ck_assert_ok(weft_join(weft_spawn(cancel_myself_and_offload, new_work(NULL)),
	    &error, soon_enough()));
	ck_assert_int_eq(error, ECANCELED);
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(worked, 0);
}
END_TEST

/* Whoever wins, the job is freed once: by the thread or by the fiber. */
START_TEST(a_cancel_and_the_end_of_the_work_may_come_at_once)
{
	enum { ROUNDS = 300 };
	int kept = 0, error;

	for (int i = 0; i < ROUNDS; i++) {
		atomic_int gate = 0;
		struct weft_fiber *fiber = weft_spawn(offload_it, new_work(&gate));

		ck_assert_ok(weft_yield());
		gate = 1;
		for (int spin = 0; spin < i % 20 * 50; spin++)
			sched_yield();
		ck_assert_ok(weft_cancel(fiber));
		ck_assert_ok(weft_join(fiber, &error, soon_enough()));
		ck_assert(error == 0 || error == ECANCELED);
		kept += error == 0;
		wait_for(&worked, i + 1);       /* the gate is on our stack */
	}
	wait_for(&freed, ROUNDS - kept);
}
END_TEST

static struct work *left_behind;

static int
offload_what_is_left_behind(void *arg)
{
	(void)arg;
	return weft__offload(weft__loop(), &left_behind->job, soon_enough());
}

static void *
end_while_working(void *arg)
{
	(void)arg;
	ck_assert_ok(weft_go(offload_what_is_left_behind, NULL));
	ck_assert_ok(weft_yield());
	return NULL;
}

START_TEST(when_the_loop_ends_meanwhile_the_thread_frees_the_job)
{
	atomic_int gate = 0;
	pthread_t thread;

	left_behind = new_work(&gate);
	ck_assert_int_eq(pthread_create(&thread, NULL, end_while_working, NULL), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(freed, 0);
	gate = 1;
	wait_for(&freed, 1);
}
END_TEST

/* --- many */

START_TEST(many_jobs_are_all_done_by_four_threads_at_most)
{
	enum { MANY = 500 };
	static struct weft_fiber *fibers[MANY];
	int error;

	for (int i = 0; i < MANY; i++)
		fibers[i] = weft_spawn(offload_it, new_work(NULL));
	for (int i = 0; i < MANY; i++) {
		ck_assert_ok(weft_join(fibers[i], &error, soon_enough()));
		ck_assert_int_eq(error, 0);
	}
	ck_assert_int_eq(worked, MANY);
	ck_assert_int_le(most_working, 4);
}
END_TEST

/* What hangs in one pool does not keep the other from its work. */
static void
ck_assert_not_kept_by(enum weft__job_kind hanging, enum weft__job_kind other)
{
	struct weft_fiber *fibers[5];
	atomic_int gate = 0;
	struct work *work;

	for (int i = 0; i < 5; i++) {
		work = new_work(&gate);
		work->job.kind = hanging;
		fibers[i] = weft_spawn(offload_it, work);
	}
	ck_assert_ok(weft_yield());
	wait_for(&working, 4);
	work = new_work(NULL);
	work->job.kind = other;
	ck_assert_int_eq(weft__offload(weft__loop(), &work->job, soon_enough()), 0);
	free(work);
	gate = 1;
	for (int i = 0; i < 5; i++)
		ck_assert_ok(weft_join(fibers[i], NULL, soon_enough()));
}

START_TEST(calls_that_hang_keep_no_name_from_being_looked_up)
{
	ck_assert_not_kept_by(WEFT__JOB_CALL, WEFT__JOB_NAME);
	ck_assert_not_kept_by(WEFT__JOB_NAME, WEFT__JOB_CALL);
}
END_TEST

static void
ck_assert_all_at_once(int jobs)
{
	struct weft_fiber *fibers[4];
	atomic_int gate = 0;

	for (int i = 0; i < jobs; i++)
		fibers[i] = weft_spawn(offload_it, new_work(&gate));
	ck_assert_ok(weft_yield());
	wait_for(&working, jobs);
	gate = 1;
	for (int i = 0; i < jobs; i++)
		ck_assert_ok(weft_join(fibers[i], NULL, soon_enough()));
}

START_TEST(a_job_more_than_there_are_idle_threads_gets_a_new_one)
{
	for (int jobs = 1; jobs <= 4; jobs++) {
		ck_assert_all_at_once(jobs);
		ck_assert_ok(weft_sleep(weft_after(5)));        /* idle by then */
	}
}
END_TEST

START_TEST(four_jobs_are_worked_on_at_once_again_and_again)
{
	for (int i = 0; i < 100; i++)
		ck_assert_all_at_once(4);
}
END_TEST

/* --- fork */

START_TEST(a_child_has_threads_of_its_own)
{
	struct work *work = new_work(NULL);
	int status;
	pid_t child;

	ck_assert_int_eq(weft__offload(weft__loop(), &work->job, soon_enough()), 0);
	work->answer = 0;
	child = fork();
	if (child == 0) {
		alarm(30);
		if (weft_loop_after_fork() < 0)
			_exit(1);
		if (weft__offload(weft__loop(), &work->job, WEFT_NEVER) != 0)
			_exit(2);
		_exit(work->answer == 42 ? 0 : 3);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "the child ended with status %x", (unsigned)status);
	free(work);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("offload");
	TCase *tc = test_case_unclean(suite, "offload");

	(void)backend;
	tcase_add_checked_fixture(tc, setup, assert_clean);
	tcase_add_test(tc, the_work_is_done_on_another_thread_and_the_job_comes_back);
	tcase_add_test(tc, work_that_is_under_way_is_no_deadlock);
	tcase_add_test(tc, a_thread_leaves_all_signals_to_the_program);
	tcase_add_test(tc, other_fibers_run_meanwhile);
	tcase_add_test(tc, after_the_deadline_the_thread_frees_the_job);
	tcase_add_test(tc, after_a_cancel_the_thread_frees_the_job);
	tcase_add_test(tc, without_waiting_nothing_is_begun_and_the_job_is_freed);
	tcase_add_test(tc, a_cancelled_fiber_begins_nothing_and_the_job_is_freed);
	tcase_add_test(tc, a_cancel_and_the_end_of_the_work_may_come_at_once);
	tcase_add_test(tc, when_the_loop_ends_meanwhile_the_thread_frees_the_job);
	tcase_add_test(tc, many_jobs_are_all_done_by_four_threads_at_most);
	tcase_add_test(tc, calls_that_hang_keep_no_name_from_being_looked_up);
	tcase_add_test(tc, four_jobs_are_worked_on_at_once_again_and_again);
	tcase_add_test(tc, a_job_more_than_there_are_idle_threads_gets_a_new_one);
	tcase_add_test(tc, a_child_has_threads_of_its_own);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
