/* SPDX-License-Identifier: MIT */
/*
 * tests/check_faults.c - everything that may fail does. On a new thread, and so
 * with a new loop, fibers talk over TCP and a pipe; the k-th call of one kind
 * fails, with each errno that it may have, for every k until all goes well.
 * Each time there is a result or an error that makes sense, in time and in a
 * bounded number of turns; and with the thread everything is given back: memory,
 * mappings, descriptors.
 *
 * Linked with -Wl,--wrap for every call in `faults` (faults.h), free and munmap.
 * check_server_faults.c does the same for a server on a Unix socket.
 */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/compat.h"
#include "tests/faults.h"
#include "tests/harness.h"
#include "weft.h"

enum { MS = 300, TURNS = 3000, CALLS_MAX = 400 };

/* --- what is attempted: 0, or -1 with errno */

static bool garbled;

static int
echo(struct weft_stream *s, void *arg)
{
	const char *line;
	ssize_t n;

	(void)arg;
	while ((n = weft_stream_read_line(s, &line, weft_after(MS))) > 0)
		if (weft_stream_write(s, line, (size_t)n, weft_after(MS)) != n)
			break;
	return 0;
}

/* What is written to one comes out of the other. */
static int
pass(struct weft_stream *from, struct weft_stream *to)
{
	static char text[] = "one\ntwo\nthree\n";
	const struct iovec parts[2] = { { text, 4 }, { text + 4, 10 } };
	char got[sizeof text] = "";
	ssize_t n;

	if (weft_stream_writev(from, parts, 2, weft_after(MS)) != 14)
		return -1;
	n = weft_stream_read_exactly(to, got, 14, weft_after(MS));
	if (n != 14) {
		errno = n < 0 ? errno : EPIPE;  /* the other side has given up */
		return -1;
	}
	garbled |= strcmp(got, text) != 0;
	return 0;
}

static int
talk_to(struct weft_server *server)
{
	struct weft_stream *s;
	char port[16];
	int result, error;

	if (weft_server_start(server, echo, NULL) < 0)
		return -1;
	snprintf(port, sizeof port, "%d", weft_server_port(server));
	s = weft_tcp_connect("127.0.0.1", port, NULL, weft_after(MS));
	result = s == NULL ? -1 : pass(s, s);
	error = errno;
	weft_stream_free(s);
	errno = error;
	return result;
}

static int
over_tcp(void)
{
	struct weft_server *server = weft_tcp_listen("127.0.0.1", "0", NULL);
	int result, error;

	if (server == NULL)
		return -1;
	result = talk_to(server);
	error = errno;
	weft_server_close(server, weft_after(MS));
	weft_server_free(server);
	errno = error;
	return result;
}

static int
over_a_pipe(void)
{
	struct weft_stream *ends[2];
	int result, error;

	if (weft_pipe_pair(ends) < 0)
		return -1;
	result = pass(ends[1], ends[0]);
	error = errno;
	weft_stream_free(ends[0]);
	weft_stream_free(ends[1]);
	errno = error;
	return result;
}

static int
sleep_a_little(void *arg)
{
	(void)arg;
	return weft_sleep(weft_after(1)) < 0 ? errno : 0;
}

static int
by_fibers(void)
{
	struct weft_fiber *fiber = weft_spawn(sleep_a_little, NULL);
	int result = 0;

	if (fiber == NULL || weft_join(fiber, &result, weft_after(MS)) < 0)
		return -1;
	errno = result;
	return result == 0 ? 0 : -1;
}

/* A thread wakes the loop, which sleeps by then as a rule. */
struct waker {
	struct weft_loop *loop;
	struct weft_fiber *fiber;
	enum faulty failing;
	int error, countdown;
	long blocks;                    /* that it leaves to the loop */
};

static void
unpark(void *fiber)
{
	weft_unpark(fiber);
}

static void *
wake_up(void *arg)
{
	struct waker *waker = arg;

	usleep(2000);
	failing = waker->failing;
	error_to_give = waker->error;
	countdown = waker->countdown;
	while (weft_post(waker->loop, unpark, waker->fiber) < 0)
		;
	waker->blocks = blocks;
	return NULL;
}

static int
from_a_thread(void)
{
	struct waker waker = { weft_loop_self(), weft_self(), failing, error_to_give,
	    countdown, 0 };
	pthread_t thread;
	int result, error;

	if (waker.loop == NULL ||
	    (errno = pthread_create(&thread, NULL, wake_up, &waker)) != 0)
		return -1;
	result = weft_park(weft_after(10 * MS));
	error = errno;
	pthread_join(thread, NULL);
	blocks += waker.blocks;
	errno = error;
	return result;
}

/* --- on a thread of its own, whose end gives everything back */

struct attempt {
	enum faulty call;
	int error, k;                   /* what is to fail */
	int result, why;                /* how it ended */
	uint64_t turns;
	struct left left;
};

/* Detached fibers end; what those have that are left would be lost. */
static uint64_t
turns_until_all_have_ended(void)
{
	struct weft_loop_stats stats = { .size = sizeof stats };
	int i;

	for (i = 0; i < TURNS; i++)
		if (weft_loop_stats(&stats) < 0 || stats.fibers == 1 || weft_yield() < 0)
			break;
	return stats.turns;
}

static void *
attempt_it(void *arg)
{
	struct attempt *attempt = arg;

	pthread_setspecific(at_the_end, &attempt->left);
	failing = attempt->call;
	error_to_give = attempt->error;
	countdown = attempt->k;
	attempt->result = over_tcp() < 0 || over_a_pipe() < 0 || by_fibers() < 0 ||
	    from_a_thread() < 0 ? -1 : 0;
	attempt->why = errno;
	failing = CALLS;
	attempt->turns = turns_until_all_have_ended();
	return NULL;
}

static struct attempt
attempt(enum faulty call, int error, int k)
{
	struct attempt attempt = { .call = call, .error = error, .k = k };
	pthread_t thread;

	hit = false;
	ck_assert_int_eq(pthread_create(&thread, NULL, attempt_it, &attempt), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	if (replaced >= 0)
		close(replaced);
	replaced = -1;
	return attempt;
}

/* What a program is told: the error itself, or what came of it elsewhere. */
static bool
makes_sense(int why, int error)
{
	if (why == EINTR || why == EAGAIN || why == 0)
		return false;
	return why == error || why == ETIMEDOUT || why == ECONNRESET || why == EPIPE ||
	    (why == ENOMEM && error == EAGAIN);             /* mmap's */
}

/* Interrupted, "not now" for no reason, or a poller that has to be mended. */
static bool
is_harmless(enum faulty call, int error)
{
	return error == EINTR || call == WAIT || call == POLL;
}

static bool
is_called(enum faulty call)
{
	bool epoll = strcmp(getenv("WEFT_BACKEND"), "epoll") == 0;

#ifndef HAVE_EVENTFD
	if (call == EVENTFD)
		return false;
#endif
	if (call == SEND && WEFT__SOCKETS_RAISE_SIGPIPE)
		return false;           /* sendmsg is for all */
	return call == POLL ? !epoll : epoll || call > POLL;
}

START_TEST(whatever_call_fails_it_is_told_and_nothing_is_left_or_spins)
{
	const char *name = faults[_i].name;
	int before, i, k;

	ck_assert_int_eq(pthread_key_create(&at_the_end, count_what_is_left), 0);
	attempt(CALLS, 0, 0);           /* what is made once is there */
	before = open_descriptors();
	for (i = 0; i < ERRORS && faults[_i].errors[i] != 0; i++) {
		const char *text = strerror(faults[_i].errors[i]);
		int error = faults[_i].errors[i];

		hit = true;
		for (k = 1; hit; k++) {
			struct attempt it = attempt((enum faulty)_i, error, k);

			ck_assert_int_lt(k, CALLS_MAX);
			ck_assert(!garbled);
			ck_assert_msg(it.result == 0 || (hit && makes_sense(it.why, error)),
			    "%d-th %s, %s: %s", k, name, text, strerror(it.why));
			ck_assert_msg(it.result == 0 || !is_harmless((enum faulty)_i, error),
			    "%d-th %s, %s: comes out as %s", k, name, text,
			    strerror(it.why));
			ck_assert_msg(it.turns < TURNS, "%d-th %s, %s: it spins", k, name,
			    text);
			ck_assert_msg(it.left.blocks == 0 && it.left.mapped == 0,
			    "%d-th %s, %s: %ld blocks and %ld mapped bytes are left", k,
			    name, text, it.left.blocks, it.left.mapped);
			ck_assert_msg(open_descriptors() == before,
			    "%d-th %s, %s: %d descriptors are left", k, name, text,
			    open_descriptors() - before);
		}
		ck_assert_msg(k > 2 || !is_called((enum faulty)_i), "%s is not called", name);
	}
	pthread_key_delete(at_the_end);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("faults");
	TCase *tc = test_case_unclean(suite, "faults");

	(void)backend;
	tcase_add_loop_test(tc, whatever_call_fails_it_is_told_and_nothing_is_left_or_spins,
	    0, CALLS);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
