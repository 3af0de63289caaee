/* SPDX-License-Identifier: MIT */
/*
 * tests/check_sigpipe.c - a write to a peer that is gone is an error and no
 * signal; a SIGPIPE of the program's own stays what it was: not raised, not
 * eaten, blocked or not.
 */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "tests/streams.h"
#include "weft/unix.h"

static struct weft_stream *ends[2];
static volatile sig_atomic_t caught;

static void
catch(int signal)
{
	(void)signal;
	caught++;
}

static bool
contains_sigpipe(int (*ask)(sigset_t *))
{
	sigset_t set;

	return ask(&set) == 0 && sigismember(&set, SIGPIPE) == 1;
}

static int
ask_mask(sigset_t *set)
{
	return pthread_sigmask(SIG_SETMASK, NULL, set);
}

static void
mask(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	ck_assert_int_eq(pthread_sigmask(how, &set, NULL), 0);
}

/* Until it is known that nobody is there. */
static void
write_to_nobody(void)
{
	char x[1000] = { 0 };
	int i, error = 0;

	ck_assert_ok(weft_stream_close(ends[1], soon_enough()));
	for (i = 0; i < 1000 && error == 0; i++) {
		if (weft_stream_write(ends[0], x, sizeof x, soon_enough()) < 0)
			error = errno;
		turns(1);
	}
	ck_assert(error == EPIPE || error == ECONNRESET);
	ck_assert_fails(weft_stream_flush(ends[0], soon_enough()), error);
}

START_TEST(a_handler_is_not_called)
{
	signal(SIGPIPE, catch);
	open_kind(_i, ends);
	write_to_nobody();
	ck_assert(!contains_sigpipe(ask_mask));
	raise(SIGPIPE);
	ck_assert_int_eq(caught, 1);
	free_ends(ends);
}
END_TEST

static void *
wait_for_a_byte(void *fd)
{
	char byte;

	return (void *)(uintptr_t)(read(*(int *)fd, &byte, 1) == 1);
}

START_TEST(no_other_thread_gets_it)
{
	int fds[2];
	pthread_t thread;

	signal(SIGPIPE, catch);
	ck_assert_ok(pipe(fds));
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_a_byte, &fds[0]), 0);
	open_kind(_i, ends);
	write_to_nobody();
	free_ends(ends);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(caught, 0);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(what_is_blocked_stays_blocked_and_nothing_becomes_pending)
{
	mask(SIG_BLOCK);
	open_kind(_i, ends);
	write_to_nobody();
	ck_assert(contains_sigpipe(ask_mask));
	ck_assert(!contains_sigpipe(sigpending));
	free_ends(ends);
}
END_TEST

START_TEST(what_was_pending_stays_pending)
{
	signal(SIGPIPE, catch);
	mask(SIG_BLOCK);
	raise(SIGPIPE);
	open_kind(_i, ends);
	write_to_nobody();
	ck_assert(contains_sigpipe(ask_mask));
	ck_assert(contains_sigpipe(sigpending));
	ck_assert_int_eq(caught, 0);
	mask(SIG_UNBLOCK);
	ck_assert_int_eq(caught, 1);
	free_ends(ends);
}
END_TEST

START_TEST(what_is_ignored_stays_ignored)
{
	signal(SIGPIPE, SIG_IGN);
	open_kind(_i, ends);
	write_to_nobody();
	ck_assert(!contains_sigpipe(ask_mask));
	ck_assert(!contains_sigpipe(sigpending));
	ck_assert(signal(SIGPIPE, SIG_DFL) == SIG_IGN);
	free_ends(ends);
}
END_TEST

START_TEST(descriptors_for_nobody_are_no_signal)
{
	signal(SIGPIPE, catch);
	ck_assert_ok(weft_unix_pair(ends));
	ck_assert_ok(weft_stream_close(ends[1], soon_enough()));
	ck_assert_fails(weft_stream_send_fd(ends[0], STDERR_FILENO, soon_enough()), EPIPE);
	ck_assert_int_eq(caught, 0);
	ck_assert(!contains_sigpipe(ask_mask));
	free_ends(ends);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("sigpipe");
	TCase *tc = test_case(suite, "write");

	(void)backend;
	EVERY_KIND(tc, a_handler_is_not_called);
	EVERY_DESCRIPTOR(tc, no_other_thread_gets_it);
	EVERY_KIND(tc, what_is_blocked_stays_blocked_and_nothing_becomes_pending);
	EVERY_KIND(tc, what_was_pending_stays_pending);
	EVERY_KIND(tc, what_is_ignored_stays_ignored);
	tcase_add_test(tc, descriptors_for_nobody_are_no_signal);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
