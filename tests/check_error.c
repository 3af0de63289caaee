/* SPDX-License-Identifier: MIT */
/*
 * tests/check_error.c - names and texts of errors.
 */
#include "config.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>

#include "tests/harness.h"
#include "weft/error.h"
#include "weft/stream.h"
#include "weft/unix.h"

START_TEST(errors_have_names)
{
	ck_assert_str_eq(weft_errno_name(ECONNREFUSED), "ECONNREFUSED");
	ck_assert_str_eq(weft_errno_name(EAGAIN), "EAGAIN");
	ck_assert_str_eq(weft_errno_name(EMSGSIZE), "EMSGSIZE");
	ck_assert_str_eq(weft_errno_name(ECANCELED), "ECANCELED");
	ck_assert_str_eq(weft_errno_name(WEFT_EAI(EAI_NONAME)), "EAI_NONAME");
	ck_assert_str_eq(weft_errno_name(WEFT_EAI(EAI_AGAIN)), "EAI_AGAIN");
	ck_assert_ptr_eq(weft_errno_name(0), NULL);
	ck_assert_ptr_eq(weft_errno_name(99999), NULL);
	ck_assert_ptr_eq(weft_errno_name(-99999), NULL);
}
END_TEST

/* Whatever error the system has a text for has a name. */
START_TEST(no_error_of_the_system_is_without_a_name)
{
	static const int known[] = { EPERM, ENOENT, EINTR, EIO, ENXIO, EBADF, ECHILD,
		ENOMEM, EACCES, EFAULT, EBUSY, EEXIST, ENODEV, ENOTDIR, EISDIR, EINVAL,
		ENFILE, EMFILE, ENOTTY, EFBIG, ENOSPC, ESPIPE, EROFS, EPIPE, ERANGE,
		EDEADLK, ENOSYS, ENOTSOCK, EPROTO, ENOTSUP, EADDRINUSE, EADDRNOTAVAIL,
		ENETDOWN, ENETUNREACH, ECONNABORTED, ECONNRESET, ENOBUFS, EISCONN,
		ENOTCONN, ETIMEDOUT, EHOSTUNREACH, EALREADY, EINPROGRESS };
	size_t i;

	for (i = 0; i < sizeof known / sizeof *known; i++) {
		ck_assert_msg(weft_errno_name(known[i]) != NULL, "%d", known[i]);
		ck_assert_str_eq(weft_strerror(known[i]), strerror(known[i]));
	}
}
END_TEST

START_TEST(texts_are_never_null_and_leave_errno_alone)
{
	int i;

	errno = 12345;
	for (i = -200; i < 300; i++)
		ck_assert_str_ne(weft_strerror(i), "");
	ck_assert_str_ne(weft_strerror(99999), "");
	ck_assert_int_eq(errno, 12345);
	ck_assert_str_eq(weft_strerror(WEFT_EAI(EAI_NONAME)), gai_strerror(EAI_NONAME));
}
END_TEST

enum { ROUNDS = 20000 };

static void *
ask_again_and_again(void *arg)
{
	int error = *(int *)arg, i;
	char expected[64];

	snprintf(expected, sizeof expected, "Unknown error %d", error);
	for (i = 0; i < ROUNDS; i++)
		if (strcmp(weft_strerror(error), expected) != 0)
			return arg;
	return NULL;
}

START_TEST(two_threads_do_not_mix_their_texts)
{
	static int errors[2] = { 77777, 88888888 };
	pthread_t thread;
	void *bad;

	/* musl has one text for all that it does not know. */
	if (strstr(weft_strerror(errors[0]), "77777") == NULL)
		return;
	ck_assert_ok(pthread_create(&thread, NULL, ask_again_and_again, &errors[0]));
	ck_assert_ptr_eq(ask_again_and_again(&errors[1]), NULL);
	ck_assert_ok(pthread_join(thread, &bad));
	ck_assert_ptr_eq(bad, NULL);
}
END_TEST

static void *
fail_elsewhere(void *arg)
{
	weft_unix_connect("/tmp/no-such-socket-elsewhere", WEFT_NEVER);
	return strstr(weft_stream_error_text(NULL), "elsewhere") != NULL ? NULL : arg;
}

START_TEST(each_thread_has_its_own_last_failure)
{
	pthread_t thread;
	void *bad;
	int mark;

	ck_assert_null(weft_unix_connect("/tmp/no-such-socket-here", WEFT_NEVER), ENOENT);
	ck_assert_ok(pthread_create(&thread, NULL, fail_elsewhere, &mark));
	ck_assert_ok(pthread_join(thread, &bad));
	ck_assert_ptr_eq(bad, NULL);
	ck_assert_str_eq(weft_stream_error_text(NULL),
	    "connect to /tmp/no-such-socket-here: No such file or directory");
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("error");
	TCase *tc = test_case(suite, "names and texts");

	(void)backend;
	tcase_add_test(tc, errors_have_names);
	tcase_add_test(tc, no_error_of_the_system_is_without_a_name);
	tcase_add_test(tc, texts_are_never_null_and_leave_errno_alone);
	tcase_add_test(tc, two_threads_do_not_mix_their_texts);
	tcase_add_test(tc, each_thread_has_its_own_last_failure);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
