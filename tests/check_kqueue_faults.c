/* SPDX-License-Identifier: MIT */
/*
 * tests/check_kqueue_faults.c - kqueue() and kevent() fail. On a new thread, and
 * so with a new loop, fibers talk over a pipe, wait and are woken; the k-th call
 * fails with each errno that it may have, as a whole or in its receipts, for
 * every k until all goes well. check_faults.c does that for all other calls.
 *
 * Only linked with the double, and with -Wl,--wrap=kqueue,--wrap=kevent.
 */
#include "config.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/kqueue/sys/event.h"
#include "weft.h"

enum { MS = 5000, TURNS = 3000, CALLS_MAX = 200 };
enum way { NONE, QUEUE, CALL, RECEIPTS };

static const struct {
	enum way way;
	int error;
} faults[] = {
	{ QUEUE, EMFILE }, { QUEUE, ENFILE }, { QUEUE, ENOMEM },
	{ CALL, ENOMEM }, { CALL, EINTR }, { CALL, EBADF }, { CALL, EACCES },
	{ CALL, ENOENT }, { CALL, EINVAL },
	{ RECEIPTS, ENOMEM }, { RECEIPTS, EACCES }, { RECEIPTS, ENOENT },
	{ RECEIPTS, EINVAL }, { RECEIPTS, EPERM }, { RECEIPTS, ENODEV },
	{ RECEIPTS, EPIPE }, { RECEIPTS, ENOSPC },
};
enum { FAULTS = sizeof faults / sizeof *faults };

static _Thread_local enum way failing;
static _Thread_local int countdown, error_to_give;
static bool hit;

int __real_kqueue(void);
int __wrap_kqueue(void);
int __real_kevent(int, const struct kevent *, int, struct kevent *, int,
	const struct timespec *);
int __wrap_kevent(int, const struct kevent *, int, struct kevent *, int,
	const struct timespec *);

static bool
fails(enum way way)
{
	if (way != failing || --countdown != 0)
		return false;
	hit = true;
	errno = error_to_give;
	return true;
}

int
__wrap_kqueue(void)
{
	return fails(QUEUE) ? -1 : __real_kqueue();
}

/* None of the changes is made. */
static int
refuse(const struct kevent *changes, int count, struct kevent *events)
{
	for (int i = 0; i < count; i++) {
		events[i] = changes[i];
		events[i].flags = EV_ERROR;
		events[i].data = error_to_give;
	}
	return count;
}

/* EBADF is real: the program has closed the queue. A wait that is interrupted
 * has made its changes. */
int
__wrap_kevent(int fd, const struct kevent *changes, int count, struct kevent *events,
    int room, const struct timespec *time)
{
	static const struct timespec at_once;
	bool receipts = count > 0 && changes[0].flags & EV_RECEIPT;

	if (receipts && fails(RECEIPTS))
		return refuse(changes, count, events);
	if ((error_to_give == EINTR && receipts) || !fails(CALL))
		return __real_kevent(fd, changes, count, events, room, time);
	if (error_to_give == EBADF)
		close(fd);
	if (error_to_give == EINTR)
		__real_kevent(fd, changes, count, NULL, 0, &at_once);
	errno = error_to_give;
	return -1;
}

/* --- what is attempted: 0, or -1 with errno */

static int
write_later(void *s)
{
	if (weft_sleep(weft_after(1)) < 0)
		return errno;
	return weft_stream_write(s, "text", 4, weft_after(MS)) == 4 ? 0 : errno;
}

static int
over_a_pipe(void)
{
	struct weft_stream *ends[2];
	struct weft_fiber *fiber;
	int written = 0, error;
	char got[4];

	if (weft_pipe_pair(ends) < 0)
		return -1;
	fiber = weft_spawn(write_later, ends[1]);
	error = fiber == NULL ||
	    weft_stream_read_exactly(ends[0], got, 4, weft_after(MS)) != 4 ? errno : 0;
	if (fiber != NULL && weft_join(fiber, &written, weft_after(2 * MS)) < 0)
		error = errno;
	weft_stream_free(ends[0]);
	weft_stream_free(ends[1]);
	errno = error != 0 ? error : written;
	return errno == 0 ? 0 : -1;
}

static int
wait_to_read(void *fd)
{
	return weft_fd_wait(*(int *)fd, WEFT_READABLE, weft_after(MS)) < 0 ? errno : 0;
}

/* Two who wait, in both directions: the first report disarms the other. */
static int
by_number(void)
{
	struct weft_fiber *fiber;
	int fds[2], result = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return -1;
	fiber = weft_spawn(wait_to_read, &fds[0]);
	if (weft_yield() < 0 ||
	    weft_fd_wait(fds[0], WEFT_WRITABLE, weft_after(MS)) < 0)
		result = errno;
	else if (write(fds[1], "x", 1) != 1)
		result = EPIPE;
	if (fiber != NULL && weft_join(fiber, result == 0 ? &result : NULL,
	    weft_after(2 * MS)) < 0)
		result = errno;
	weft_fd_close(fds[0]);
	weft_fd_close(fds[1]);
	errno = result;
	return result == 0 ? 0 : -1;
}

/* --- on a thread of its own */

struct attempt {
	enum way way;
	int error, k, result, why;
	uint64_t turns, polls;
	int64_t took;
};

static void *
attempt_it(void *arg)
{
	struct weft_loop_stats stats = { .size = sizeof stats };
	struct attempt *attempt = arg;

	failing = attempt->way;
	error_to_give = attempt->error;
	countdown = attempt->k;
	attempt->took = -weft_now();
	attempt->result = over_a_pipe() < 0 || by_number() < 0 ? -1 : 0;
	attempt->why = errno;
	attempt->took += weft_now();
	failing = NONE;
	for (int i = 0; i < TURNS; i++)
		if (weft_loop_stats(&stats) < 0 || stats.fibers == 1 || weft_yield() < 0)
			break;
	attempt->turns = stats.turns;
	attempt->polls = stats.polls;
	return NULL;
}

static struct attempt
attempt(enum way way, int error, int k)
{
	struct attempt attempt = { .way = way, .error = error, .k = k };
	pthread_t thread;

	hit = false;
	ck_assert_int_eq(pthread_create(&thread, NULL, attempt_it, &attempt), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	return attempt;
}

/* Interrupted, refused for good, ready, or a queue that is mended. */
static bool
is_harmless(enum way way, int error)
{
	return error == EINTR || error == EBADF ||
	    (way == RECEIPTS && (error == EINVAL || error == EPERM || error == ENODEV));
}

START_TEST(whatever_fails_it_is_told_and_nothing_is_left_or_spins)
{
	enum way way = faults[_i].way;
	int error = faults[_i].error, before, k;

	attempt(NONE, 0, 0);            /* what is made once is there */
	before = open_descriptors();
	hit = true;
	for (k = 1; hit; k++) {
		struct attempt it = attempt(way, error, k);

		ck_assert_int_lt(k, CALLS_MAX);
		ck_assert_msg(it.result == 0 || (hit && it.why == error &&
		    !is_harmless(way, error)), "%d-th, %s: %s", k, strerror(error),
		    strerror(it.why));
		ck_assert_msg(it.turns < TURNS && it.polls < TURNS, "%d-th, %s: it spins",
		    k, strerror(error));
		ck_assert_msg(it.took < MS, "%d-th, %s: nobody was told", k,
		    strerror(error));
		ck_assert_msg(open_descriptors() == before,
		    "%d-th, %s: %d descriptors are left", k, strerror(error),
		    open_descriptors() - before);
	}
	ck_assert_int_gt(k, 2);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create(backend);
	TCase *tc = test_case_unclean(suite, "faults");

	tcase_add_loop_test(tc, whatever_fails_it_is_told_and_nothing_is_left_or_spins,
	    0, FAULTS);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
