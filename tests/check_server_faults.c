/* SPDX-License-Identifier: MIT */
/*
 * tests/check_server_faults.c - servers when the system says no.
 *
 * Linked with -Wl,--wrap= for every call in `faults`: the k-th call of one of
 * them fails, for every k until a whole conversation passes untouched. Nothing
 * may be left, hang or spin, whichever it was.
 */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/streams.h"
#include "tests/under_valgrind.h"
#include "tests/wrap.h"
#include "weft/server.h"
#include "weft/unix.h"

static struct weft_server *server;
static char path[64];
static bool left;               /* the path, although the server is gone */

/* --- faults on demand */

enum { ACCEPT, READ, RECVMSG, SEND, SENDMSG, CTL, MALLOC, CALLOC, SOCKET, CALLS };

static const struct {
	const char *name;
	int errors[4];
} faults[CALLS] = {
	[ACCEPT] = { "accept4", { ECONNABORTED, EMFILE, EPROTO, EINTR } },
	[READ] = { "read", { EINTR, EAGAIN, ECONNRESET, EIO } },
	[RECVMSG] = { "recvmsg", { EINTR, EAGAIN, ECONNRESET, ENOMEM } },
	[SEND] = { "send", { EINTR, EAGAIN, ECONNRESET, ENOBUFS } },
	[SENDMSG] = { "sendmsg", { EINTR, EAGAIN, EPIPE, ENOMEM } },
	[CTL] = { "epoll_ctl", { ENOMEM, ENOSPC } },
	[MALLOC] = { "malloc", { ENOMEM } },
	[CALLOC] = { "calloc", { ENOMEM } },
	[SOCKET] = { "socket", { EMFILE, ENOMEM } },
};

static int failing = -1, countdown, error_to_give;
static bool hit, garbled;

static bool
fails(int call)
{
	if (call != failing || --countdown != 0)
		return false;
	hit = true;
	errno = error_to_give;
	return true;
}

WRAP(ACCEPT, int, accept4, -1, (int fd, struct sockaddr *a, socklen_t *n, int f),
    (fd, a, n, f))
WRAP_ACCEPT_ALIKE
WRAP(READ, ssize_t, read, -1, (int fd, void *to, size_t n), (fd, to, n))
WRAP(RECVMSG, ssize_t, recvmsg, -1, (int fd, struct msghdr *m, int f), (fd, m, f))
WRAP(SEND, ssize_t, send, -1, (int fd, const void *b, size_t n, int f), (fd, b, n, f))
WRAP(SENDMSG, ssize_t, sendmsg, -1, (int fd, const struct msghdr *m, int f), (fd, m, f))
WRAP(CTL, int, epoll_ctl, -1, (int set, int how, int fd, struct epoll_event *e),
    (set, how, fd, e))
WRAP(MALLOC, void *, malloc, NULL, (size_t n), (n))
WRAP(CALLOC, void *, calloc, NULL, (size_t n, size_t size), (n, size))
WRAP(SOCKET, int, socket, -1, (int family, int type, int protocol),
    (family, type, protocol))

static void
arm(int call, int error, int k)
{
	failing = call;
	error_to_give = error;
	countdown = k;
	hit = false;
}

/* --- a conversation in which anything may fail, but nothing may be wrong */

static int
echo(struct weft_stream *s, void *arg)
{
	const char *line;
	ssize_t n;

	(void)arg;
	while ((n = weft_stream_read_line(s, &line, weft_after(300))) > 0)
		if (weft_stream_write(s, line, (size_t)n, weft_after(300)) != n)
			break;
	return 0;
}

static void
listen_here(void)
{
	snprintf(path, sizeof path, "/tmp/weft-faults-%d-%" PRId64, (int)getpid(), weft_now());
	server = weft_unix_listen(path, NULL);
	if (failing < 0)        /* else Check's own malloc may fail */
		ck_assert_msg(server != NULL, "%s: %s", path, strerror(errno));
}

/* Whether the client got what it sent. */
static bool
converse(void)
{
	static const char text[] = "one\ntwo\nthree\n";
	struct weft_stream *s = weft_unix_connect(path, weft_after(300));
	char got[sizeof text] = "";
	bool good = false;

	if (s != NULL && weft_stream_write(s, text, 14, weft_after(300)) == 14 &&
	    weft_stream_read_exactly(s, got, 14, weft_after(300)) == 14) {
		good = strcmp(got, text) == 0;
		garbled |= !good;
	}
	weft_stream_free(s);
	return good;
}

static bool
scenario(void)
{
	bool good = false;

	listen_here();
	if (server == NULL)
		return false;
	if (weft_server_start(server, echo, NULL) == 0)
		good = converse();
	weft_server_close(server, weft_after(300));
	weft_server_free(server);
	left = access(path, F_OK) == 0;
	return good;
}

START_TEST(whatever_call_fails_nothing_is_left_and_nothing_hangs)
{
	int i, k, errors;

	ck_assert(scenario());          /* what is made once is there */
	start_clean();
	for (i = 0; i < 4 && faults[_i].errors[i] != 0; i++) {
		errors = faults[_i].errors[i];
		hit = true;
		for (k = 1; hit; k++) {
			uint64_t turns_before = loop_stats().turns;
			bool good;

			ck_assert_int_lt(k, 500);
			arm(_i, errors, k);
			good = scenario();
			failing = -1;
			ck_assert(!left && !garbled);
			ck_assert_msg(good || hit, "%s", faults[_i].name);
			ck_assert_msg(good || errors != EINTR, "%d-th %s: EINTR came out",
			    k, faults[_i].name);
			ck_assert_msg(loop_stats().turns - turns_before < 2000,
			    "%d-th %s, %s: it spins", k, faults[_i].name,
			    strerror(errors));
			ck_assert_int_eq(weft_deadline(), WEFT_NEVER);
		}
		ck_assert(scenario());
	}
}
END_TEST

/* --- accept */

START_TEST(errors_of_one_connection_are_passed_over)
{
	static const int errors[] = { ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH,
		ENETUNREACH, EHOSTDOWN, ENOPROTOOPT, EPERM, EINTR };
	uint64_t pauses;

	listen_here();
	ck_assert_ok(weft_server_start(server, echo, NULL));
	pauses = loop_stats().accept_pauses;
	arm(ACCEPT, errors[_i], 1);
	ck_assert(converse());
	ck_assert(hit);
	ck_assert_uint_eq(loop_stats().accept_pauses, pauses);
	weft_server_free(server);
}
END_TEST

START_TEST(accept_gives_the_one_after_an_aborted_one)
{
	struct weft_stream *s, *accepted;

	listen_here();
	s = weft_unix_connect(path, soon_enough());
	arm(ACCEPT, ECONNABORTED, 1);
	accepted = weft_server_accept(server, soon_enough());
	ck_assert(hit && accepted != NULL);
	weft_stream_free(accepted);
	weft_stream_free(s);
	weft_server_free(server);
}
END_TEST

START_TEST(a_listener_that_is_broken_ends_serve_with_its_error)
{
	struct weft_stream *s;

	listen_here();
	s = weft_unix_connect(path, soon_enough());
	arm(ACCEPT, EINVAL, 1);
	ck_assert_fails(weft_server_serve(server, echo, NULL), EINVAL);
	weft_stream_free(s);
	weft_server_free(server);
}
END_TEST

/* --- no descriptors left */

static int filler[4096], filled, open_before;
static uint64_t spins_before;
static struct rlimit limit;

static void
use_all_descriptors(void)
{
	struct rlimit less = { 0 };

	open_before = open_descriptors();
	spins_before = loop_stats().spins;
	ck_assert_ok(getrlimit(RLIMIT_NOFILE, &limit));
	less = limit;
	less.rlim_cur = 64;
	ck_assert_ok(setrlimit(RLIMIT_NOFILE, &less));
	for (filled = 0; (filler[filled] = dup(STDERR_FILENO)) >= 0; filled++)
		;
	ck_assert_int_eq(errno, EMFILE);
}

static void
give_back_descriptors(void)
{
	while (filled > 0)
		close(filler[--filled]);
	ck_assert_ok(setrlimit(RLIMIT_NOFILE, &limit));
}

/* Nothing is left; but while it rests the listener was reported once, and
 * disarmed for that. */
static void
end_of_pause(int closed)
{
	ck_assert_int_eq(open_descriptors(), open_before - closed);
	ck_assert_uint_le(loop_stats().spins, spins_before + 1);
	start_clean();
}

START_TEST(at_the_descriptor_limit_the_server_pauses_and_does_not_spin)
{
	uint64_t turns_before, pauses;
	struct weft_stream *s;
	int64_t began;

	listen_here();
	ck_assert_ok(weft_server_start(server, echo, NULL));
	ck_assert_ok(weft_yield());
	s = weft_unix_connect(path, soon_enough());
	use_all_descriptors();
	write_all(s, "waiting\n", 8);
	turns_before = loop_stats().turns;
	pauses = loop_stats().accept_pauses;
	ck_assert_ok(weft_sleep(weft_after(400)));
	ck_assert_uint_lt(loop_stats().turns - turns_before, 30);
	ck_assert_uint_gt(loop_stats().accept_pauses, pauses);
	ck_assert_uint_lt(loop_stats().accept_pauses, pauses + 6);
	began = weft_now();
	ck_assert_ok(weft_fd_close(filler[--filled]));  /* weft hears of it */
	expect_line(s, "waiting\n");
	ck_assert_int_lt(weft_now() - began, 100);
	give_back_descriptors();
	weft_stream_free(s);
	weft_server_free(server);
	turns(2);
	end_of_pause(2);
}
END_TEST

START_TEST(a_server_resumes_when_others_have_closed_descriptors)
{
	struct weft_stream *s;

	listen_here();
	ck_assert_ok(weft_server_start(server, echo, NULL));
	ck_assert_ok(weft_yield());
	s = weft_unix_connect(path, soon_enough());
	use_all_descriptors();
	write_all(s, "waiting\n", 8);
	ck_assert_ok(weft_sleep(weft_after(20)));
	give_back_descriptors();
	expect_line(s, "waiting\n");
	weft_stream_free(s);
	weft_server_free(server);
	turns(2);
	end_of_pause(2);
}
END_TEST

START_TEST(accept_and_close_keep_their_deadlines_at_the_limit)
{
	struct weft_stream *s;

	listen_here();
	s = weft_unix_connect(path, soon_enough());
	use_all_descriptors();
	ck_assert_null(weft_server_accept(server, weft_after(120)), ETIMEDOUT);
	ck_assert_null(weft_server_accept(server, WEFT_NOWAIT), EAGAIN);
	ck_assert_ok(weft_server_start(server, echo, NULL));
	ck_assert_ok(weft_sleep(weft_after(10)));
	ck_assert_ok(weft_server_close(server, soon_enough()));
	give_back_descriptors();
	weft_stream_free(s);
	weft_server_free(server);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("server_faults");
	TCase *tc = test_case(suite, "whatever fails");

	(void)backend;
	tcase_add_loop_test(tc, whatever_call_fails_nothing_is_left_and_nothing_hangs, 0,
	    CALLS);

	tc = test_case(suite, "accept");
	tcase_add_loop_test(tc, errors_of_one_connection_are_passed_over, 0, 9);
	tcase_add_test(tc, accept_gives_the_one_after_an_aborted_one);
	tcase_add_test(tc, a_listener_that_is_broken_ends_serve_with_its_error);

	if (RUNNING_ON_VALGRIND)                /* it keeps a limit of its own */
		return suite;
	tc = test_case(suite, "no descriptors left");
	tcase_add_test(tc, at_the_descriptor_limit_the_server_pauses_and_does_not_spin);
	tcase_add_test(tc, a_server_resumes_when_others_have_closed_descriptors);
	tcase_add_test(tc, accept_and_close_keep_their_deadlines_at_the_limit);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
