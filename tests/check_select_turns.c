/* SPDX-License-Identifier: MIT */
/*
 * tests/check_select_turns.c - weft_select with many cases and many fibers: who
 * can be done gets its turns, and what one select sends another receives.
 */
#include "config.h"

#include <unistd.h>

#include "tests/harness.h"
#include "weft/sync.h"

static struct weft_event event;

START_TEST(all_that_can_be_done_get_their_turns)
{
	for (int n = 1; n <= 12; n++) {
		for (int stride = 1; stride <= 3; stride++) {
			struct weft_case cases[12], other = { .kind = WEFT_CASE_EVENT,
			    .event = &event };
			int turns[12] = { 0 };

			ck_assert_ok(weft_event_set(&event));
			for (int i = 0; i < n; i++)
				cases[i] = other;
			for (int i = 0; i < n * 100; i++) {
				turns[weft_select(cases, n, WEFT_NEVER)]++;
				/* Another select in between changes nothing. */
				for (int k = 1; k < stride; k++)
					weft_select(&other, 1, WEFT_NEVER);
			}
			for (int i = 0; i < n; i++)
				ck_assert_msg(turns[i] > 50,
				    "case %d of %d had %d turns of %d", i, n,
				    turns[i], n * 100);
		}
	}
}
END_TEST

START_TEST(a_descriptor_has_its_turns_beside_a_busy_channel)
{
	struct weft_case cases[] = {
		{ .kind = WEFT_CASE_EVENT, .event = &event },
		{ .kind = WEFT_CASE_FD, .events = WEFT_WRITABLE },
	};
	int ends[2], turns[2] = { 0 };

	ck_assert_int_eq(pipe(ends), 0);
	cases[1].fd = ends[1];
	ck_assert_ok(weft_event_set(&event));
	for (int i = 0; i < 100; i++)
		turns[weft_select(cases, 2, WEFT_NEVER)]++;
	ck_assert_int_gt(turns[0], 30);
	ck_assert_int_gt(turns[1], 30);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static int
send_one(void *arg)
{
	int item = 1;

	ck_assert_ok(weft_yield());
	return weft_channel_send(arg, &item, soon_enough());
}

START_TEST(any_number_of_cases_will_do)
{
	enum { MANY = 3000 };
	struct weft_case *cases = calloc(MANY, sizeof *cases);
	struct weft_channel *channel = weft_channel_new(sizeof(int), 0);
	int item;

	ck_assert_ok(weft_event_clear(&event));
	for (int i = 0; i < MANY; i++)
		cases[i] = (struct weft_case){ .kind = WEFT_CASE_EVENT, .event = &event };
	cases[MANY / 2] = (struct weft_case){ .kind = WEFT_CASE_RECEIVE,
	    .channel = channel, .item = &item };
	ck_assert_ok(weft_go(send_one, channel));
	ck_assert_int_eq(weft_select(cases, MANY, soon_enough()), MANY / 2);
	ck_assert_ok(weft_event_destroy(&event));
	weft_channel_free(channel);
	free(cases);
}
END_TEST

/* --- random schedules: selects that meet selects */

enum { FIBERS = 12, CHANNELS = 4, ROUNDS = 150 };

struct walker {
	struct weft_fiber *fiber;
	struct weft_channel **channels;
	unsigned random;
	long sent, received;            /* sums of what went out and came in */
};

static unsigned
chance(struct walker *w, unsigned n)
{
	w->random = w->random * 1103515245u + 12345u;
	return (w->random >> 16) % n;
}

static int
walk(void *arg)
{
	struct walker *w = arg;

	for (int round = 0; round < ROUNDS; round++) {
		struct weft_case cases[2 * CHANNELS];
		int items[2 * CHANNELS], n = 1 + (int)chance(w, 2 * CHANNELS), done;

		for (int i = 0; i < n; i++) {
			items[i] = 1 + (int)chance(w, 1000);
			cases[i] = (struct weft_case){ .item = &items[i],
			    .kind = chance(w, 2) ? WEFT_CASE_SEND : WEFT_CASE_RECEIVE,
			    .channel = w->channels[chance(w, CHANNELS)] };
		}
		done = weft_select(cases, n, chance(w, 3) == 0 ? WEFT_NOWAIT :
		    weft_after((int64_t)chance(w, 3)));
		if (done >= 0 && cases[done].kind == WEFT_CASE_SEND)
			w->sent += items[done];
		else if (done >= 0)
			w->received += items[done];
		if (chance(w, 4) == 0)
			weft_yield();
	}
	return 0;
}

START_TEST(what_selects_send_is_what_selects_receive)
{
	struct weft_channel *channels[CHANNELS];
	struct walker walkers[FIBERS];
	long balance = 0, sum = 0;
	int item;

	for (size_t i = 0; i < CHANNELS; i++)
		channels[i] = weft_channel_new(sizeof(int), i / 2 * (size_t)(_i % 3));
	for (unsigned i = 0; i < FIBERS; i++) {
		walkers[i] = (struct walker){ .channels = channels,
		    .random = (unsigned)_i * 1000 + i };
		walkers[i].fiber = weft_spawn(walk, &walkers[i]);
	}
	for (int i = 0; i < 3; i++) {
		ck_assert_ok(weft_sleep(weft_after(1)));
		ck_assert_ok(weft_cancel(walkers[i].fiber));
	}
	for (int i = 0; i < FIBERS; i++) {
		ck_assert_ok(weft_join(walkers[i].fiber, NULL, soon_enough()));
		balance += walkers[i].sent - walkers[i].received;
		sum += walkers[i].received;
	}
	for (int i = 0; i < CHANNELS; i++) {
		while (weft_channel_receive(channels[i], &item, WEFT_NOWAIT) == 1)
			balance -= item;
		weft_channel_free(channels[i]);
	}
	ck_assert_int_eq(balance, 0);
	ck_assert_int_gt(sum, 0);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("select, turns");
	TCase *tc = test_case(suite, "select");

	(void)backend;
	tcase_add_test(tc, all_that_can_be_done_get_their_turns);
	tcase_add_test(tc, a_descriptor_has_its_turns_beside_a_busy_channel);
	tcase_add_test(tc, any_number_of_cases_will_do);
	tcase_add_loop_test(tc, what_selects_send_is_what_selects_receive, 0, 6);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
