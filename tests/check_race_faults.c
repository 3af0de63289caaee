/* SPDX-License-Identifier: MIT */
/*
 * tests/check_race_faults.c - connecting to a name with four addresses when the
 * system says no. On a new thread, and so with a new loop, the k-th call of one
 * kind fails, with some of the errors that it may have, for every k until the
 * connection is made untouched. Whatever leaves one way open leads to a connection;
 * else there is an error that makes sense; and nothing is left: no descriptor, no
 * memory, no list of addresses.
 *
 *   turn   1 silent   2 refuses at once   3 unreachable, after a while   4 answers
 *
 * Linked with -Wl,--wrap for every call in `faults` (faults.h), and as fake_net.h
 * says.
 */
#include "config.h"

#include <stdio.h>

#define FAULTS_IN_A_FAKE_NET
#include "tests/fake_net.h"
#include "weft/tcp.h"

/* hosts[LAST] is the one that answers. */
enum { K_MAX = 200, LAST = 2, ERRORS_EACH = 3, SILENT_MS = 25 };

struct attempt {
	enum faulty call;
	int error, k;                   /* what is to fail */
	enum fate fate;                 /* of the last */
	int result;                     /* errno */
	int descriptors;                /* left, while there is still a loop */
	bool garbled;
	struct left left;
};

/* The silent one is given up at last, so that no attempt waits for ever. */
static int
give_up_the_silent(void *unused)
{
	(void)unused;
	while (weft_sleep(weft_after(SILENT_MS)) == 0)
		if (hosts[0].theirs >= 0) {     /* on a busy machine not yet */
			let(&hosts[0], ETIMEDOUT);
			break;
		}
	return 0;
}

static bool
talks(struct weft_stream *s)
{
	char got[8] = "";

	return strcmp(weft_stream_peername(s), "[2001:db8::3]:7") == 0 &&
	    weft_stream_write(s, "ping", 4, soon_enough()) == 4 &&
	    recv(hosts[LAST].theirs, got, sizeof got, MSG_DONTWAIT) == 4 &&
	    send(hosts[LAST].theirs, "pong", 4, 0) == 4 &&
	    weft_stream_read_exactly(s, got, 4, soon_enough()) == 4 &&
	    strcmp(got, "pong") == 0;
}

static void *
attempt_it(void *arg)
{
	struct weft_tcp_options options = { .size = sizeof options, .attempt_delay = 10 };
	struct attempt *attempt = arg;
	struct weft_fiber *fiber;
	struct weft_stream *s;

	pthread_setspecific(at_the_end, &attempt->left);
	fiber = weft_spawn(give_up_the_silent, NULL);
	weft_yield();
	attempt->descriptors = -open_descriptors();
	failing = attempt->call;
	error_to_give = attempt->error;
	countdown = attempt->k;
	s = weft_tcp_connect("many.test", "7", &options, soon_enough());
	attempt->result = s == NULL ? errno : 0;
	failing = CALLS;
	weft_cancel(fiber);
	weft_join(fiber, NULL, soon_enough());
	attempt->garbled = s != NULL && !talks(s);
	weft_stream_free(s);
	attempt->descriptors += open_descriptors() - pair_count;
	return NULL;
}

static void
four_hosts(enum fate last)
{
	begin_faking();
	add_host("2001:db8::1", SILENT, 0);
	add_host("2001:db8::2", READY, EHOSTUNREACH);
	add_host("2001:db8::3", last, 0);
	add_host("192.0.2.1", REFUSES, ECONNREFUSED);
}

static struct attempt
attempt(enum faulty call, int error, int k, enum fate fate)
{
	struct attempt attempt = { .call = call, .error = error, .k = k, .fate = fate };
	pthread_t thread;

	four_hosts(fate);
	hit = false;
	ck_assert_int_eq(pthread_create(&thread, NULL, attempt_it, &attempt), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	end_faking();
	return attempt;
}

/* Sockets of losers: the one that answers is tried whatever became of them. */
static bool
must_connect(enum faulty call, int error, int k)
{
	return !hit || ((call == SOCKET || call == CONNECT) && (k < 4 || error == EINTR)) ||
	    (call != SOCKET && call != CONNECT && error == EINTR);
}

/* The one error, if it was of no address; else the most telling of the four. */
static bool
makes_sense(int result, int error)
{
	return result == error || result == ECONNREFUSED;
}

static void
judge(const struct attempt *it, const char *what)
{
	ck_assert_int_lt(it->k, K_MAX);
	ck_assert_msg(it->result == 0 || !must_connect(it->call, it->error, it->k),
	    "%s: no connection: %s", what, strerror(it->result));
	ck_assert_msg(it->result == 0 || makes_sense(it->result, it->error), "%s: %s", what,
	    strerror(it->result));
	ck_assert_msg(!it->garbled, "%s: it is connected to something else", what);
	ck_assert_msg(it->left.blocks == 0 && it->left.mapped == 0,
	    "%s: %ld blocks and %ld mapped bytes are left", what, it->left.blocks, it->left.mapped);
	ck_assert_msg(it->descriptors == 0, "%s: %d descriptors are left", what,
	    it->descriptors);
	ck_assert_msg(lists_out == 0, "%s: %d lists of addresses are left", what, lists_out);
}

/* Every k until none fails. How many did. */
static int
each_fails(enum faulty call, int error, enum fate fate)
{
	int k;
	struct attempt it;
	char what[80];

	for (k = 1; k == 1 || hit; k++) {
		it = attempt(call, error, k, fate);
		snprintf(what, sizeof what, "%d-th %s, %s", k, faults[call].name,
		    strerror(error));
		judge(&it, what);
	}
	ck_assert_int_eq(tries, 4);
	return k - 2;
}

START_TEST(whatever_call_fails_a_way_that_is_left_is_found_and_nothing_is_left)
{
	static const struct {
		enum faulty call;
		int least;              /* so often it is called */
	} parts[] = {
		{ MALLOC, 0 }, { CALLOC, 2 }, { REALLOC, 0 }, { STRDUP, 0 }, { MMAP, 0 },
		{ SOCKET, 4 }, { CONNECT, 4 }, { CTL, 2 }, { EVENTFD, 0 },
	};
	enum faulty call = parts[_i / 2].call;
	bool epoll = strcmp(getenv("WEFT_BACKEND"), "epoll") == 0;
	int i, error, times;

	ck_assert_int_eq(pthread_key_create(&at_the_end, count_what_is_left), 0);
	attempt(CALLS, 0, 0, ANSWERS);  /* what is made once is there */
	for (i = 0; i < ERRORS_EACH && (error = faults[call].errors[i]) != 0; i++) {
		times = each_fails(call, error, _i % 2 == 0 ? ANSWERS : READY);
		ck_assert_msg(times >= parts[_i / 2].least || (call == CTL && !epoll),
		    "%s is called %d times", faults[call].name, times);
	}
	pthread_key_delete(at_the_end);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("race_faults");
	TCase *tc = test_case_unclean(suite, "faults");

	(void)backend;
	tcase_add_loop_test(tc,
	    whatever_call_fails_a_way_that_is_left_is_found_and_nothing_is_left, 0, 18);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
