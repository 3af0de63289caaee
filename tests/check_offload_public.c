/* SPDX-License-Identifier: MIT */
/*
 * tests/check_offload_public.c - weft_offload: a call on a thread.
 */
#include "config.h"

#include <pthread.h>

#include <dirent.h>
#include <time.h>

#include "tests/gate.h"
#include "tests/harness.h"
#include "tests/servers.h"
#include "weft/process.h"

static pthread_t where;

static int
note_thread(void *number)
{
	where = pthread_self();
	return *(int *)number + 1;
}

START_TEST(the_call_runs_on_another_thread_and_gives_its_result)
{
	int number = 41, result = 0;

	ck_assert_gives(weft_offload(note_thread, &number, &result, soon_enough()), 0);
	ck_assert_int_eq(result, 42);
	ck_assert(!pthread_equal(where, pthread_self()));
	ck_assert_gives(weft_offload(note_thread, &number, NULL, WEFT_NEVER), 0);
}
END_TEST

static int
fail_with(void *error)
{
	errno = *(int *)error;
	return -1;
}

static int
tell_errno(void *unused)
{
	(void)unused;
	return errno;
}

START_TEST(errno_of_the_job_comes_along)
{
	int error = ENOENT, result = 0;

	errno = 0;
	ck_assert_int_eq(weft_offload(fail_with, &error, &result, soon_enough()), 0);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(result, -1);
	errno = ERANGE;                 /* and goes there */
	ck_assert_int_eq(weft_offload(tell_errno, NULL, &result, soon_enough()), 0);
	ck_assert_int_eq(result, ERANGE);
	ck_assert_int_eq(errno, ERANGE);
}
END_TEST

/* A call that is held up until it is let go. */
struct held {
	struct gate begun, go, ended;
};

static void
init_held(struct held *h)
{
	gate_close(&h->begun);
	gate_close(&h->go);
	gate_close(&h->ended);
}

static int
hold(void *arg)
{
	struct held *h = arg;

	gate_open(&h->begun);
	gate_pass(&h->go);
	gate_open(&h->ended);
	return 1;
}

static int
offload_hold(void *arg)
{
	int result;

	return weft_offload(hold, arg, &result, soon_enough()) < 0 ? errno : result;
}

START_TEST(the_loop_goes_on_meanwhile)
{
	struct held h;
	struct weft_fiber *fiber;
	int result = 0;

	init_held(&h);
	fiber = weft_spawn(offload_hold, &h);
	for (int i = 0; i < 10; i++)
		ck_assert_ok(weft_sleep(weft_after(1)));
	gate_open(&h.go);
	ck_assert_ok(weft_join(fiber, &result, soon_enough()));
	ck_assert_int_eq(result, 1);
}
END_TEST

START_TEST(after_its_deadline_the_call_still_finishes)
{
	struct held h;
	int result = 5;

	init_held(&h);
	ck_assert_fails(weft_offload(hold, &h, &result, weft_after(2)), ETIMEDOUT);
	gate_open(&h.go);
	gate_pass(&h.ended);
	ck_assert_int_eq(result, 5);
}
END_TEST

START_TEST(after_a_cancel_the_call_still_finishes)
{
	struct held h;
	struct weft_fiber *fiber;
	int error = 0;

	init_held(&h);
	fiber = weft_spawn(offload_hold, &h);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(fiber));
	ck_assert_ok(weft_join(fiber, &error, soon_enough()));
	ck_assert_int_eq(error, ECANCELED);
	gate_open(&h.go);
	gate_pass(&h.ended);
}
END_TEST

static int
add_one(void *counter)
{
	return ++*(int *)counter;
}

START_TEST(without_time_nothing_is_tried)
{
	int counter = 0;

	ck_assert_fails(weft_offload(add_one, &counter, NULL, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_offload(NULL, &counter, NULL, soon_enough()), EINVAL);
	ck_assert_ok(weft_offload(add_one, &counter, NULL, soon_enough()));
	ck_assert_int_eq(counter, 1);
}
END_TEST

static int
offload_when_cancelled(void *counter)
{
	ck_assert_ok(weft_cancel(weft_self()));
	return weft_offload(add_one, counter, NULL, soon_enough()) < 0 ? errno : 0;
}

START_TEST(a_cancelled_fiber_starts_no_call)
{
	int counter = 0, error = 0;

	ck_assert_ok(weft_join(weft_spawn(offload_when_cancelled, &counter), &error,
	    soon_enough()));
	ck_assert_int_eq(error, ECANCELED);
	ck_assert_ok(weft_offload(add_one, &counter, NULL, soon_enough()));
	ck_assert_int_eq(counter, 1);
}
END_TEST

static int
offload_some(void *unused)
{
	int number = 0;

	(void)unused;
	for (int i = 0; i < 20; i++)
		ck_assert_ok(weft_offload(add_one, &number, NULL, soon_enough()));
	return number;
}

START_TEST(many_fibers_share_the_threads)
{
	struct weft_fiber *fibers[50];

	for (int i = 0; i < 50; i++)
		fibers[i] = weft_spawn(offload_some, NULL);
	for (int i = 0; i < 50; i++) {
		int result = 0;

		ck_assert_ok(weft_join(fibers[i], &result, soon_enough()));
		ck_assert_int_eq(result, 20);
	}
}
END_TEST

/* --- the threads */

static int
wait_at_gate(void *gate)
{
	return gate_pass(gate);
}

static int
offload_wait(void *gate)
{
	return weft_offload(wait_at_gate, gate, NULL, soon_enough());
}

/* From the name to the stream, while all threads for calls are taken. */
START_TEST(calls_that_hang_keep_no_connection_by_name_from_being_made)
{
	struct weft_fiber *fibers[5];
	struct weft_stream *s;
	char port[16];
	struct gate gate;

	gate_close(&gate);
	for (int i = 0; i < 5; i++)
		fibers[i] = weft_spawn(offload_wait, &gate);
	ck_assert_ok(weft_yield());
	listen_with(NULL);
	snprintf(port, sizeof port, "%d", weft_server_port(server));
	s = weft_tcp_connect("localhost", port, NULL, soon_enough());
	ck_assert_msg(s != NULL, "%s", weft_stream_error_text(NULL));
	weft_stream_free(s);
	weft_server_free(server);
	for (int i = 0; i < 5; i++)
		gate_open(&gate);
	for (int i = 0; i < 5; i++)
		ck_assert_ok(weft_join(fibers[i], NULL, soon_enough()));
}
END_TEST

/* Of this process; 0 where the system does not tell. */
static int
threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	int count = 0;

	while (tasks != NULL && (entry = readdir(tasks)) != NULL)
		count += entry->d_name[0] != '.';
	if (tasks != NULL)
		closedir(tasks);
	return count;
}

START_TEST(threads_start_with_the_first_calls_that_need_them)
{
	int number = 0, before = threads();

	if (before == 0)
		return;
	ck_assert_ok(weft_yield());
	ck_assert_int_eq(threads(), before);
	for (int i = 0; i < 3; i++)
		ck_assert_ok(weft_offload(add_one, &number, NULL, soon_enough()));
	ck_assert_int_ge(threads(), before + 1);
}
END_TEST

static int64_t
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
sleep_a_while(void *unused)
{
	static const struct timespec while_ = { .tv_nsec = 300000000 };

	(void)unused;
	return nanosleep(&while_, NULL);
}

START_TEST(nothing_spins_while_a_call_takes_its_time)
{
	uint64_t turns;
	int64_t cpu;

	ck_assert_ok(weft_offload(sleep_a_while, NULL, NULL, soon_enough()));
	cpu = cpu_ms();
	turns = loop_stats().turns;
	ck_assert_ok(weft_offload(sleep_a_while, NULL, NULL, soon_enough()));
	ck_assert_int_le(cpu_ms() - cpu, 100);
	ck_assert_uint_le(loop_stats().turns - turns, 5);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("offload");
	TCase *tc = test_case(suite, backend);

	tcase_add_test(tc, the_call_runs_on_another_thread_and_gives_its_result);
	tcase_add_test(tc, errno_of_the_job_comes_along);
	tcase_add_test(tc, the_loop_goes_on_meanwhile);
	tcase_add_test(tc, after_its_deadline_the_call_still_finishes);
	tcase_add_test(tc, after_a_cancel_the_call_still_finishes);
	tcase_add_test(tc, without_time_nothing_is_tried);
	tcase_add_test(tc, a_cancelled_fiber_starts_no_call);
	tcase_add_test(tc, many_fibers_share_the_threads);
	tcase_add_test(tc, calls_that_hang_keep_no_connection_by_name_from_being_made);
	tcase_add_test(tc, threads_start_with_the_first_calls_that_need_them);
	tcase_add_test(tc, nothing_spins_while_a_call_takes_its_time);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
