/* SPDX-License-Identifier: MIT */
/*
 * tests/check_fallback.c - what the library does without the system calls that
 * an older kernel has not got: accept4, eventfd2, epoll_pwait2, pidfd_open, and
 * the advice that makes guard pages.
 *
 * A seccomp filter takes them away, in a child, from a thread with a new loop.
 */
#include "config.h"

#if defined(__linux__) && defined(__has_include)
#if __has_include(<linux/filter.h>) && __has_include(<linux/seccomp.h>)
#define HAVE_FILTER 1
#endif
#endif

#ifdef HAVE_FILTER
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fiber/compat.h"
#include "fiber/stack_guard.h"
#include "tests/harness.h"
#include "weft.h"

/* In a child nothing of Check may be used. */
#define MUST(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s: errno %d\n", __FILE__, \
			    __LINE__, #condition, errno); \
			_exit(1); \
		} \
	} while (0)

enum { SKIPPED = 77 };

#ifdef HAVE_FILTER
#define CALL(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, name, 0, 1)
#define GIVES(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, field))
/* Little end first: the lower half of an argument. */
#define ARGUMENT(n) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, args[n]))

/* A program of one architecture knows which numbers it uses. */
static struct sock_filter filter[] = {
	LOAD(nr),
	CALL(SYS_accept4), GIVES(ENOSYS),
	CALL(SYS_eventfd2), GIVES(ENOSYS),
#ifdef SYS_epoll_pwait2
	CALL(SYS_epoll_pwait2), GIVES(ENOSYS),
#endif
#ifdef SYS_pidfd_open
	CALL(SYS_pidfd_open), GIVES(ENOSYS),
#endif
#ifdef WEFT__GUARD_ADVICE
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
	ARGUMENT(2),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WEFT__GUARD_ADVICE, 0, 1),
	GIVES(EINVAL),
#endif
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static void
take_away(void)
{
	struct sock_fprog program = { sizeof filter / sizeof *filter, filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(SKIPPED);
	/* Valgrind, for one, makes its own calls of some. */
	if (syscall(SYS_accept4, -1, NULL, NULL, 0) == 0 || errno != ENOSYS)
		_exit(SKIPPED);
}
#else
static void
take_away(void)
{
	_exit(SKIPPED);
}
#endif

static void *
run(void *fn)
{
	void (*const *body)(void) = fn;

	(*body)();
	return NULL;
}

static void
without_them(void (*body)(void))
{
	int status = -1;
	pthread_t thread;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(30);
		take_away();
		MUST(pthread_create(&thread, NULL, run, &body) == 0);
		MUST(pthread_join(thread, NULL) == 0);
		_exit(0);
	}
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		return;
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "the child ended with status %#x", (unsigned)status);
}

/* --- without eventfd: wake-ups through a pipe */

static int posted;

static void
note(void *fiber)
{
	posted++;
	weft_unpark(fiber);
}

struct sender {
	struct weft_loop *loop;
	struct weft_fiber *fiber;
};

static void *
post_soon(void *arg)
{
	struct sender *sender = arg;

	usleep(2000);           /* the loop sleeps by now, as a rule */
	MUST(weft_post(sender->loop, note, sender->fiber) == 0);
	return NULL;
}

static void
a_thread_wakes_the_loop(void)
{
	struct sender sender = { weft_loop_self(), weft_self() };
	pthread_t thread;

	MUST(sender.loop != NULL);
	MUST(strcmp(weft_loop_backend(), getenv("WEFT_BACKEND")) == 0);
	for (int i = 1; i <= 3; i++) {
		MUST(pthread_create(&thread, NULL, post_soon, &sender) == 0);
		MUST(weft_park(weft_after(20000)) == 0);
		MUST(posted == i);
		MUST(pthread_join(thread, NULL) == 0);
	}
}

START_TEST(without_eventfd_threads_wake_the_loop)
{
	without_them(a_thread_wakes_the_loop);
}
END_TEST

static void
both_ends_are_closed(void)
{
	int before = open_descriptors();
	pthread_t thread;
	void (*body)(void) = a_thread_wakes_the_loop;

	MUST(pthread_create(&thread, NULL, run, &body) == 0);
	MUST(pthread_join(thread, NULL) == 0);
	MUST(open_descriptors() == before);
}

START_TEST(without_eventfd_the_end_of_a_loop_leaves_no_descriptor_open)
{
	without_them(both_ends_are_closed);
}
END_TEST

/* --- without accept4: flags set afterwards */

static int
echo_a_byte(struct weft_stream *s, void *arg)
{
	char byte;

	(void)arg;
	MUST(fcntl(weft_stream_fd(s), F_GETFL) & O_NONBLOCK);
	MUST(fcntl(weft_stream_fd(s), F_GETFD) & FD_CLOEXEC);
	MUST(weft_stream_read_exactly(s, &byte, 1, weft_after(20000)) == 1);
	MUST(weft_stream_write(s, &byte, 1, weft_after(20000)) == 1);
	return 0;
}

static void
connections_are_taken(void)
{
	struct weft_server *server = weft_tcp_listen("127.0.0.1", "0", NULL);
	char port[8], byte = 0;

	MUST(server != NULL);
	snprintf(port, sizeof port, "%d", weft_server_port(server));
	MUST(weft_server_start(server, echo_a_byte, NULL) == 0);
	for (int i = 0; i < 5; i++) {
		struct weft_stream *s = weft_tcp_connect("127.0.0.1", port, NULL,
		    weft_after(20000));

		MUST(s != NULL);
		MUST(weft_stream_write(s, "x", 1, weft_after(20000)) == 1);
		MUST(weft_stream_read_exactly(s, &byte, 1, weft_after(20000)) == 1);
		MUST(byte == 'x');
		weft_stream_free(s);
	}
	MUST(weft_server_close(server, weft_after(20000)) == 0);
	weft_server_free(server);
}

START_TEST(without_accept4_connections_are_non_blocking_and_close_on_exec)
{
	without_them(connections_are_taken);
}
END_TEST

/* --- without pidfd_open: SIGCHLD */

static void
a_child_is_waited_for(void)
{
	for (int i = 0; i < 5; i++) {
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			if (i % 2 == 0)
				usleep(2000);
			_exit(i);
		}
		MUST(weft_wait_pid(child, &status, weft_after(20000)) == 0);
		MUST(WIFEXITED(status) && WEXITSTATUS(status) == i);
	}
}

START_TEST(without_pidfds_children_are_waited_for)
{
	without_them(a_child_is_waited_for);
}
END_TEST

/* --- without epoll_pwait2 and the guard advice */

static void
sleeps_end_in_time(void)
{
	int64_t deadline = weft_after(5);

	MUST(weft_sleep(deadline) == 0);
	MUST(weft_now() >= deadline);
	MUST(weft_now() < deadline + 10000);
}

START_TEST(without_epoll_pwait2_sleeps_end_in_time_and_not_early)
{
	without_them(sleeps_end_in_time);
}
END_TEST

static int
use_stack(void *arg)
{
	volatile char block[65536];

	for (size_t i = 0; i < sizeof block; i += 512)
		block[i] = 1;
	MUST(weft_yield() == 0);
	return (int)(intptr_t)arg + block[512];
}

static void
fibers_run(void)
{
	struct weft_fiber *fibers[50];
	int result;

	for (intptr_t i = 0; i < 50; i++) {
		fibers[i] = weft_spawn(use_stack, (void *)i);
		MUST(fibers[i] != NULL);
	}
	for (int i = 0; i < 50; i++) {
		MUST(weft_join(fibers[i], &result, weft_after(20000)) == 0);
		MUST(result == i + 1);
	}
	MUST(strcmp(weft__stack_guard(), "madvise") != 0);
}

START_TEST(without_guard_advice_fibers_run)
{
	without_them(fibers_run);
}
END_TEST

enum { SMALL = 65536 };

/* Into the guard, and not over it. */
static int
run_over(void *arg)
{
	volatile char *low = (char *)&arg;

	for (size_t i = 0; i < SMALL + weft__page_size(); i += 512)
		low[-(ptrdiff_t)i] = 1;
	return 0;
}

static void
a_stack_overflow_is_a_fault(void)
{
	const struct weft_fiber_options small = { sizeof small, "small", SMALL };
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		weft_loop_after_fork();
		weft_join(weft_spawn_with(&small, run_over, NULL), NULL, WEFT_NEVER);
		_exit(0);
	}
	MUST(waitpid(child, &status, 0) == child);
	MUST(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

START_TEST(without_guard_advice_there_still_are_guards)
{
	without_them(a_stack_overflow_is_a_fault);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("fallback");
	TCase *tc = test_case_unclean(suite, "fallback");

	(void)backend;
	tcase_add_test(tc, without_eventfd_threads_wake_the_loop);
	tcase_add_test(tc, without_eventfd_the_end_of_a_loop_leaves_no_descriptor_open);
	tcase_add_test(tc, without_accept4_connections_are_non_blocking_and_close_on_exec);
	tcase_add_test(tc, without_pidfds_children_are_waited_for);
	tcase_add_test(tc, without_epoll_pwait2_sleeps_end_in_time_and_not_early);
	tcase_add_test(tc, without_guard_advice_fibers_run);
	tcase_add_test(tc, without_guard_advice_there_still_are_guards);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
