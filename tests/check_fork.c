/* SPDX-License-Identifier: MIT */
/* Loops in forked children: refused, then renewed; the parent's is untouched. */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/children.h"
#include "weft.h"

static int
nothing(void *unused)
{
	(void)unused;
	return 0;
}

static void
everything_is_refused(void *arg)
{
	struct weft_stream **ends = arg;
	char byte;

	errno = 0;
	MUST(weft_sleep(weft_after(1)) < 0 && errno == ECHILD);
	MUST(weft_yield() < 0 && errno == ECHILD);
	MUST(weft_spawn(nothing, NULL) == NULL && errno == ECHILD);
	MUST(weft_fd_wait(0, WEFT_READABLE, WEFT_NEVER) < 0 && errno == ECHILD);
	MUST(weft_park(WEFT_NEVER) < 0 && errno == ECHILD);
	MUST(weft_loop_step() < 0 && errno == ECHILD);
	MUST(weft_loop_timeout() < 0 && errno == ECHILD);
	MUST(weft_stream_read(ends[0], &byte, 1, WEFT_NEVER) < 0 && errno == ECHILD);
	MUST(weft_stream_write(ends[0], "x", 1, WEFT_NEVER) < 0 && errno == ECHILD);
	MUST(weft_tcp_connect("127.0.0.1", "1", NULL, WEFT_NEVER) == NULL && errno == ECHILD);
}

START_TEST(an_inherited_loop_refuses_everything_with_echild)
{
	struct weft_stream *ends[2];

	ck_assert_ok(weft_unix_pair(ends));
	in_child(everything_is_refused, ends);
	weft_stream_free(ends[0]);
	weft_stream_free(ends[1]);
}
END_TEST

static void
use_all(void *unused)
{
	int64_t deadline = weft_after(10);
	struct weft_stream *ends[2];
	struct weft_fiber *fiber;
	char byte;

	(void)unused;
	MUST(weft_sleep(deadline) == 0 && weft_now() >= deadline);
	MUST((fiber = weft_spawn(nothing, NULL)) != NULL);
	MUST(weft_join(fiber, NULL, WEFT_NEVER) == 0);
	MUST(weft_unix_pair(ends) == 0);
	MUST(weft_stream_read(ends[0], &byte, 1, weft_after(5)) < 0 && errno == ETIMEDOUT);
	MUST(weft_stream_write(ends[1], "x", 1, WEFT_NEVER) == 1);
	MUST(weft_stream_read(ends[0], &byte, 1, soon_enough()) == 1 && byte == 'x');
	weft_stream_free(ends[0]);
	weft_stream_free(ends[1]);
}

static void
renew_and_use_all(void *unused)
{
	MUST(weft_loop_after_fork() == 0);
	MUST(weft_loop_after_fork() == 0);
	use_all(unused);
}

START_TEST(after_a_renewal_timers_fibers_and_descriptors_work)
{
	ck_assert_ok(weft_yield());
	in_child(renew_and_use_all, NULL);
	use_all(NULL);
}
END_TEST

START_TEST(a_loop_of_its_own_needs_no_renewal)
{
	ck_assert_ok(weft_loop_after_fork());
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_loop_after_fork());
}
END_TEST

static void
fork_again(void *unused)
{
	MUST(weft_loop_after_fork() == 0);
	use_all(unused);
	in_child(renew_and_use_all, unused);
}

START_TEST(a_daemon_that_forks_twice_works)
{
	use_all(NULL);
	in_child(fork_again, NULL);
}
END_TEST

static int
read_a_byte(void *stream)
{
	char byte = 0;

	return weft_stream_read(stream, &byte, 1, soon_enough()) == 1 ? byte : -1;
}

/* Waits on, and closes, what the parent waits on. */
static void
meddle(void *arg)
{
	struct weft_stream **ends = arg;
	char byte;

	MUST(weft_loop_after_fork() == 0);
	MUST(weft_loop_stats(&(struct weft_loop_stats){ .size = 8 }) == 0);
	MUST(weft_stream_write(ends[1], "c", 1, WEFT_NEVER) == 1);
	MUST(weft_fd_wait(weft_stream_fd(ends[0]), WEFT_READABLE, soon_enough()) > 0);
	MUST(read(weft_stream_fd(ends[0]), &byte, 1) == 1 && byte == 'c');
	weft_stream_close(ends[0], WEFT_NEVER);
	weft_stream_free(ends[0]);
}

START_TEST(what_the_child_does_leaves_the_parents_set_alone)
{
	struct weft_stream *ends[2];
	struct weft_fiber *reader;
	int result = 0;

	ck_assert_ok(weft_unix_pair(ends));
	reader = weft_spawn(read_a_byte, ends[0]);
	ck_assert_ok(weft_yield());
	in_child(meddle, ends);
	ck_assert_int_eq(weft_stream_write(ends[1], "p", 1, WEFT_NEVER), 1);
	ck_assert_ok(weft_join(reader, &result, WEFT_NEVER));
	ck_assert_int_eq(result, 'p');
	weft_stream_free(ends[0]);
	weft_stream_free(ends[1]);
}
END_TEST

static void
only_one_is_left(void *arg)
{
	struct weft_loop_stats stats = { .size = sizeof stats };

	(void)arg;
	MUST(weft_loop_after_fork() == 0);
	MUST(weft_loop_stats(&stats) == 0);
	MUST(stats.fibers == 1 && stats.parked == 0 && stats.timers == 0);
	MUST(weft_park(WEFT_NEVER) < 0 && errno == EDEADLK);
}

static int
sleep_long(void *unused)
{
	(void)unused;
	return weft_sleep(soon_enough());
}

START_TEST(the_other_fibers_are_gone_in_the_child)
{
	struct weft_fiber *sleeper = weft_spawn(sleep_long, NULL);

	ck_assert_ok(weft_yield());
	in_child(only_one_is_left, NULL);
	ck_assert_ok(weft_cancel(sleeper));
	ck_assert_ok(weft_join(sleeper, NULL, WEFT_NEVER));
}
END_TEST

static int
fork_and_end(void *arg)
{
	*(pid_t *)arg = fork();
	return 0;
}

/* In the child the fiber that has forked ends, and this one is next. */
START_TEST(who_runs_next_in_the_child_is_refused_too)
{
	pid_t parent = getpid(), child = -1;
	struct weft_fiber *fiber = weft_spawn(fork_and_end, &child);
	int status = -1;

	ck_assert_int_eq(child, -1);
	weft_yield();
	if (getpid() != parent)
		_exit(weft_yield() < 0 && errno == ECHILD ? 0 : 1);
	ck_assert_ok(weft_join(fiber, NULL, WEFT_NEVER));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

static int
hello(struct weft_stream *client, void *arg)
{
	return weft_stream_write(client, arg, 1, WEFT_NEVER) == 1 ? 0 : -1;
}

static char
ask(struct weft_server *server)
{
	struct weft_stream *s;
	char port[8], answer = 0;

	snprintf(port, sizeof port, "%d", weft_server_port(server));
	s = weft_tcp_connect("127.0.0.1", port, NULL, soon_enough());
	if (s != NULL && weft_stream_read(s, &answer, 1, soon_enough()) != 1)
		answer = 0;
	weft_stream_free(s);
	return answer;
}

static void
serve_in_the_child(void *server)
{
	MUST(weft_loop_after_fork() == 0);
	MUST(weft_server_start(server, hello, (void *)(uintptr_t)"child") == 0);
	MUST(ask(server) == 'c');
	MUST(weft_server_close(server, soon_enough()) == 0);
	weft_server_free(server);
}

START_TEST(a_server_can_be_served_again_in_the_child)
{
	struct weft_server *server = weft_tcp_listen("127.0.0.1", "0", NULL);

	ck_assert_ptr_nonnull(server);
	ck_assert_ok(weft_server_start(server, hello, (void *)(uintptr_t)"parent"));
	ck_assert_int_eq(ask(server), 'p');
	in_child(serve_in_the_child, server);
	ck_assert_int_eq(ask(server), 'p');
	ck_assert_ok(weft_server_close(server, soon_enough()));
	weft_server_free(server);
}
END_TEST

static void
add_one(void *counter)
{
	++*(int *)counter;
}

struct remote {
	struct weft_loop *loop;
	int counter;
};

static void *
post_once(void *arg)
{
	struct remote *remote = arg;

	weft_post(remote->loop, add_one, &remote->counter);
	return NULL;
}

static void
post_in_the_child(void *unused)
{
	struct remote remote = { NULL, 0 };
	pthread_t thread;

	(void)unused;
	MUST(weft_loop_after_fork() == 0);
	remote.loop = weft_loop_self();
	MUST(pthread_create(&thread, NULL, post_once, &remote) == 0);
	while (remote.counter == 0)
		MUST(weft_sleep(weft_after(1000)) == 0);
	MUST(pthread_join(thread, NULL) == 0);
}

START_TEST(wake_ups_work_in_the_child)
{
	ck_assert_ok(weft_yield());
	in_child(post_in_the_child, NULL);
}
END_TEST

/* As a daemon does: whatever was open is the parent's. */
static void
close_everything(void)
{
	for (int fd = 3; fd < 256; fd++)
		close(fd);
}

struct sleeper {
	struct weft_loop *loop;
	struct weft_fiber *fiber;
};

static void
unpark(void *fiber)
{
	weft_unpark(fiber);
}

static void *
post_soon(void *arg)
{
	struct sleeper *sleeper = arg;

	usleep(2000);           /* the loop sleeps by now, as a rule */
	weft_post(sleeper->loop, unpark, sleeper->fiber);
	return NULL;
}

static void
be_woken_by_threads(int times)
{
	struct sleeper sleeper = { weft_loop_self(), weft_self() };
	pthread_t thread;

	while (times-- > 0) {
		MUST(pthread_create(&thread, NULL, post_soon, &sleeper) == 0);
		MUST(weft_park(soon_enough()) == 0);
		MUST(pthread_join(thread, NULL) == 0);
	}
}

static void
close_all_and_go_on(void *unused)
{
	(void)unused;
	close_everything();
	MUST(weft_loop_after_fork() == 0);
	be_woken_by_threads(3);
	use_all(NULL);
	be_woken_by_threads(3);
}

START_TEST(a_child_that_has_closed_everything_can_go_on)
{
	ck_assert_ok(weft_yield());
	in_child(close_all_and_go_on, NULL);
	ck_assert_ok(weft_sleep(weft_after(1)));
}
END_TEST

/* What the loop had is a file of the child's by now, full of what is its own. */
static void
use_the_numbers(void *unused)
{
	enum { FILES = 16 };
	int files[FILES][2], i;
	char byte;

	(void)unused;
	close_everything();
	for (i = 0; i < FILES; i++)
		MUST(pipe(files[i]) == 0 && write(files[i][1], "x", 1) == 1);
	MUST(weft_loop_after_fork() == 0);
	be_woken_by_threads(3);
	MUST(weft_sleep(weft_after(2)) == 0);
	for (i = 0; i < FILES; i++) {
		MUST(write(files[i][1], "y", 1) == 1);
		MUST(read(files[i][0], &byte, 1) == 1 && byte == 'x');
		MUST(read(files[i][0], &byte, 1) == 1 && byte == 'y');
	}
}

START_TEST(files_that_a_child_has_put_in_place_of_the_loops_are_left_alone)
{
	ck_assert_ok(weft_yield());
	in_child(use_the_numbers, NULL);
	ck_assert_ok(weft_sleep(weft_after(1)));
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("fork");
	TCase *tc = test_case(suite, backend);

	tcase_add_test(tc, an_inherited_loop_refuses_everything_with_echild);
	tcase_add_test(tc, after_a_renewal_timers_fibers_and_descriptors_work);
	tcase_add_test(tc, a_loop_of_its_own_needs_no_renewal);
	tcase_add_test(tc, a_daemon_that_forks_twice_works);
	tcase_add_test(tc, what_the_child_does_leaves_the_parents_set_alone);
	tcase_add_test(tc, the_other_fibers_are_gone_in_the_child);
	tcase_add_test(tc, who_runs_next_in_the_child_is_refused_too);
	tcase_add_test(tc, a_server_can_be_served_again_in_the_child);
	tcase_add_test(tc, wake_ups_work_in_the_child);
	tcase_add_test(tc, a_child_that_has_closed_everything_can_go_on);
	tcase_add_test(tc, files_that_a_child_has_put_in_place_of_the_loops_are_left_alone);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
