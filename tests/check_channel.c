/* SPDX-License-Identifier: MIT */
/*
 * tests/check_channel.c - channels; what all waits share is in check_waits.c.
 *
 * Linked with -Wl,--wrap=malloc: memory can be refused.
 */
#include "config.h"

#include "tests/harness.h"
#include "weft/sync.h"

enum { CAPACITIES = 6, LARGEST = 4096 };

static int mallocs_to_pass = -1;

void *__real_malloc(size_t);
void *__wrap_malloc(size_t);

void *
__wrap_malloc(size_t size)
{
	if (mallocs_to_pass >= 0 && mallocs_to_pass-- == 0) {
		errno = ENOMEM;
		return NULL;
	}
	return __real_malloc(size);
}

/* --- items */

struct transfer {
	struct weft_channel *channel;
	struct weft_fiber *fiber;
	size_t size;
	int count, sent, error;
};

static void
fill(unsigned char *item, size_t size, int number)
{
	for (size_t i = 0; i < size; i++)
		item[i] = (unsigned char)((size_t)number * 31 + i);
}

static int
send_numbered(void *arg)
{
	struct transfer *t = arg;
	unsigned char item[LARGEST];

	for (int i = 0; i < t->count; i++) {
		fill(item, t->size, i);
		ck_assert_gives(weft_channel_send(t->channel, item, WEFT_NEVER), 0);
		memset(item, 0xee, t->size);    /* it is the sender's again */
		if (i % 7 == 3)
			ck_assert_ok(weft_yield());
	}
	return weft_channel_close(t->channel);
}

static void
receive_numbered(struct transfer *t)
{
	unsigned char item[LARGEST + 1], expected[LARGEST];

	for (int i = 0; i < t->count; i++) {
		memset(item, 0xdd, sizeof item);
		ck_assert_gives(weft_channel_receive(t->channel, item, WEFT_NEVER), 1);
		fill(expected, t->size, i);
		ck_assert_msg(memcmp(item, expected, t->size) == 0,
		    "item %d of %zu bytes is not what was sent", i, t->size);
		ck_assert_int_eq(item[t->size], 0xdd);
		if (i % 5 == 1)
			ck_assert_ok(weft_yield());
	}
	ck_assert_gives(weft_channel_receive(t->channel, item, WEFT_NEVER), 0);
}

START_TEST(items_of_every_size_arrive_whole_and_in_order)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 100, LARGEST };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct transfer t = { .size = sizes[i], .count = 40,
		    .channel = weft_channel_new(sizes[i], (size_t)_i) };

		ck_assert(t.channel != NULL);
		t.fiber = weft_spawn(send_numbered, &t);
		receive_numbered(&t);
		ck_assert_ok(weft_join(t.fiber, NULL, soon_enough()));
		weft_channel_free(t.channel);
	}
}
END_TEST

START_TEST(as_many_items_fit_as_the_capacity_says)
{
	for (int capacity = 0; capacity < 20; capacity++) {
		struct weft_channel *c = weft_channel_new(sizeof(int), (size_t)capacity);
		int item;

		for (int round = 0; round < 3; round++) {
			for (int i = 0; i < capacity; i++)
				ck_assert_gives(weft_channel_send(c, &i, WEFT_NOWAIT), 0);
			ck_assert_fails(weft_channel_send(c, &capacity, WEFT_NOWAIT), EAGAIN);
			for (int i = 0; i < capacity; i++) {
				ck_assert_gives(weft_channel_receive(c, &item, WEFT_NOWAIT), 1);
				ck_assert_int_eq(item, i);
			}
			ck_assert_fails(weft_channel_receive(c, &item, WEFT_NOWAIT), EAGAIN);
		}
		weft_channel_free(c);
	}
}
END_TEST

static int
send_one(void *arg)
{
	struct transfer *t = arg;

	t->error = weft_channel_send(t->channel, &t->count, WEFT_NEVER) < 0 ? errno : 0;
	t->sent = 1;
	return 0;
}

START_TEST(a_sender_goes_on_only_when_its_item_has_been_received)
{
	struct transfer t = { .channel = weft_channel_new(sizeof(int), 0), .count = 42 };
	int item = 0;

	t.fiber = weft_spawn(send_one, &t);
	for (int i = 0; i < 10; i++)
		ck_assert_ok(weft_yield());
	ck_assert_int_eq(t.sent, 0);
	ck_assert_int_eq(weft_channel_receive(t.channel, &item, WEFT_NOWAIT), 1);
	ck_assert_int_eq(item, 42);
	ck_assert_ok(weft_join(t.fiber, NULL, soon_enough()));
	ck_assert_int_eq(t.error, 0);
	weft_channel_free(t.channel);
}
END_TEST

/* --- close and free */

START_TEST(what_is_buffered_can_be_received_after_close_and_then_0)
{
	for (int n = 0; n <= 5; n++) {
		struct weft_channel *c = weft_channel_new(sizeof(int), 5);
		int item;

		for (int i = 0; i < n; i++)
			ck_assert_ok(weft_channel_send(c, &i, WEFT_NOWAIT));
		ck_assert_gives(weft_channel_close(c), 0);
		ck_assert_gives(weft_channel_close(c), 0);
		ck_assert_fails(weft_channel_send(c, &n, WEFT_NEVER), EPIPE);
		ck_assert_fails(weft_channel_send(c, &n, WEFT_NOWAIT), EPIPE);
		for (int i = 0; i < n; i++) {
			ck_assert_gives(weft_channel_receive(c, &item, WEFT_NEVER), 1);
			ck_assert_int_eq(item, i);
		}
		ck_assert_gives(weft_channel_receive(c, &item, WEFT_NEVER), 0);
		ck_assert_gives(weft_channel_receive(c, &item, WEFT_NOWAIT), 0);
		weft_channel_free(c);
	}
}
END_TEST

START_TEST(a_close_ends_the_waits_of_senders_with_EPIPE)
{
	struct weft_channel *c = weft_channel_new(sizeof(int), (size_t)_i);
	struct transfer t[3];
	int item, i;

	for (i = 0; i < _i; i++)
		ck_assert_ok(weft_channel_send(c, &i, WEFT_NOWAIT));
	for (i = 0; i < 3; i++) {
		t[i] = (struct transfer){ .channel = c, .count = 100 };
		t[i].fiber = weft_spawn(send_one, &t[i]);
	}
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_channel_close(c));
	for (i = 0; i < 3; i++) {
		ck_assert_ok(weft_join(t[i].fiber, NULL, soon_enough()));
		ck_assert_int_eq(t[i].error, EPIPE);
	}
	for (i = 0; i < _i; i++)
		ck_assert_int_eq(weft_channel_receive(c, &item, WEFT_NOWAIT), 1);
	ck_assert_int_eq(weft_channel_receive(c, &item, WEFT_NOWAIT), 0);
	weft_channel_free(c);
}
END_TEST

static int
receive_one(void *arg)
{
	struct transfer *t = arg;

	t->error = 0;
	t->sent = weft_channel_receive(t->channel, &t->count, WEFT_NEVER);
	if (t->sent < 0)
		t->error = errno;
	return 0;
}

START_TEST(a_close_ends_the_waits_of_receivers_with_0)
{
	struct weft_channel *c = weft_channel_new(sizeof(int), (size_t)_i);
	struct transfer t[3];

	for (int i = 0; i < 3; i++) {
		t[i] = (struct transfer){ .channel = c, .sent = 99 };
		t[i].fiber = weft_spawn(receive_one, &t[i]);
	}
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_channel_close(c));
	for (int i = 0; i < 3; i++) {
		ck_assert_ok(weft_join(t[i].fiber, NULL, soon_enough()));
		ck_assert_int_eq(t[i].sent, 0);
	}
	weft_channel_free(c);
}
END_TEST

START_TEST(a_free_ends_all_waits_with_EBADF)
{
	weft_fn *const fns[] = { send_one, receive_one };

	for (int which = 0; which < 2; which++) {
		struct weft_channel *c = weft_channel_new(sizeof(int), 0);
		struct transfer t[3];

		for (int i = 0; i < 3; i++) {
			t[i] = (struct transfer){ .channel = c };
			t[i].fiber = weft_spawn(fns[which], &t[i]);
		}
		ck_assert_ok(weft_yield());
		if (_i == 1)
			ck_assert_ok(weft_cancel(t[1].fiber));
		weft_channel_free(c);
		for (int i = 0; i < 3; i++) {
			ck_assert_ok(weft_join(t[i].fiber, NULL, soon_enough()));
			ck_assert_int_eq(t[i].error,
			    _i == 1 && i == 1 ? ECANCELED : EBADF);
		}
	}
	weft_channel_free(NULL);
}
END_TEST

static int
close_cancelled(void *arg)
{
	ck_assert_ok(weft_cancel(weft_self()));
	ck_assert_gives(weft_channel_close(arg), 0);
	return 0;
}

START_TEST(a_cancelled_fiber_can_still_close)
{
	struct weft_channel *c = weft_channel_new(1, 0);
	struct weft_fiber *fiber = weft_spawn(close_cancelled, c);
	char item;

	ck_assert_int_eq(weft_channel_receive(c, &item, soon_enough()), 0);
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	weft_channel_free(c);
}
END_TEST

START_TEST(without_memory_there_is_no_channel)
{
	int errors = 0;

	for (int n = 0; n < 10; n++) {
		struct weft_channel *c;

		errno = 0;
		mallocs_to_pass = n;
		c = weft_channel_new(100, 10);
		mallocs_to_pass = -1;
		errors += c == NULL;
		ck_assert_int_eq(errno, c == NULL ? ENOMEM : 0);
		weft_channel_free(c);
	}
	ck_assert_int_eq(errors, 1);
	ck_assert_null(weft_channel_new(SIZE_MAX, 1), ENOMEM);
	ck_assert_null(weft_channel_new(1, SIZE_MAX), ENOMEM);
	ck_assert_null(weft_channel_new(SIZE_MAX / 2, 3), ENOMEM);
	ck_assert_null(weft_channel_new(SIZE_MAX / 2 + 1, SIZE_MAX / 2 + 1), ENOMEM);
}
END_TEST

/* --- fairness */

static int
send_and_receive_until_stopped(void *arg)
{
	struct transfer *t = arg;
	int item = 1;

	while (!t->sent) {
		ck_assert_int_eq(weft_channel_send(t->channel, &item, WEFT_NEVER), 0);
		ck_assert_int_eq(weft_channel_receive(t->channel, &item, WEFT_NEVER), 1);
	}
	return 0;
}

START_TEST(who_never_has_to_wait_lets_others_run)
{
	struct transfer t = { .channel = weft_channel_new(sizeof(int), 4) };

	t.fiber = weft_spawn(send_and_receive_until_stopped, &t);
	ck_assert_ok(weft_yield());     /* it would never come back */
	t.sent = 1;
	ck_assert_ok(weft_join(t.fiber, NULL, soon_enough()));
	weft_channel_free(t.channel);
}
END_TEST

/* --- random schedules: nothing is lost, nothing comes twice, and what one
 * sender sends stays in order, whoever gives up or is cancelled meanwhile */

enum { SENDERS = 9, RECEIVERS = 7, ITEMS = 120 };

struct item {
	int sender, number;
};

struct party {
	struct weft_channel *channel;
	struct weft_fiber *fiber;
	unsigned random;
	int number;
	int (*last)[SENDERS];           /* a receiver's: the last from each */
	char (*seen)[ITEMS];            /* 1: sent, 2: received */
};

static unsigned
chance(struct party *p, unsigned n)
{
	p->random = p->random * 1103515245u + 12345u;
	return (p->random >> 16) % n;
}

static int64_t
some_deadline(struct party *p)
{
	switch (chance(p, 4)) {
	case 0: return WEFT_NOWAIT;
	case 1: return weft_after((int64_t)chance(p, 3) - 1);
	default: return WEFT_NEVER;
	}
}

static int
send_at_random(void *arg)
{
	struct party *p = arg;

	for (int i = 0; i < ITEMS; i++) {
		struct item item = { p->number, i };

		if (weft_channel_send(p->channel, &item, some_deadline(p)) == 0)
			p->seen[p->number][i] |= 1;
		if (chance(p, 5) == 0)
			weft_yield();
	}
	return 0;
}

static int
receive_at_random(void *arg)
{
	struct party *p = arg;

	for (;;) {
		struct item item = { -1, -1 };
		int got = weft_channel_receive(p->channel, &item, some_deadline(p));

		if (got == 0 || (got < 0 && errno == ECANCELED))
			return 0;
		if (got == 1) {
			ck_assert_int_eq(p->seen[item.sender][item.number] & 2, 0);
			p->seen[item.sender][item.number] |= 2;
			ck_assert_int_gt(item.number, (*p->last)[item.sender]);
			(*p->last)[item.sender] = item.number;
		} else if (chance(p, 3) == 0 || errno == EAGAIN) {
			weft_yield();
		}
	}
}

START_TEST(every_item_that_was_sent_is_received_once)
{
	struct weft_channel *c = weft_channel_new(sizeof(struct item), (size_t)_i % 4);
	struct party parties[SENDERS + RECEIVERS];
	char seen[SENDERS][ITEMS] = { 0 };
	int last[RECEIVERS][SENDERS];

	memset(last, 0xff, sizeof last);
	for (int i = 0; i < SENDERS + RECEIVERS; i++) {
		parties[i] = (struct party){ .channel = c, .number = i,
		    .seen = seen, .random = (unsigned)(_i * 1000 + i),
		    .last = i >= SENDERS ? &last[i - SENDERS] : NULL };
		parties[i].fiber = weft_spawn(i < SENDERS ? send_at_random :
		    receive_at_random, &parties[i]);
	}
	for (int i = 0; i < 4; i++) {
		for (int n = 0; n < 10; n++)
			ck_assert_ok(weft_yield());
		ck_assert_ok(weft_cancel(parties[i].fiber));
		ck_assert_ok(weft_cancel(parties[SENDERS + i].fiber));
	}
	for (int i = 0; i < SENDERS; i++)
		ck_assert_ok(weft_join(parties[i].fiber, NULL, soon_enough()));
	ck_assert_ok(weft_channel_close(c));
	for (int i = SENDERS; i < SENDERS + RECEIVERS; i++)
		ck_assert_ok(weft_join(parties[i].fiber, NULL, soon_enough()));
	for (int i = 0; i < SENDERS; i++)
		for (int k = 0; k < ITEMS; k++)
			ck_assert_msg(seen[i][k] == 0 || seen[i][k] == 3,
			    "item %d of sender %d was %s", k, i,
			    seen[i][k] == 1 ? "lost" : "never sent");
	weft_channel_free(c);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("channel");
	TCase *tc = test_case(suite, "channels");

	(void)backend;
	tcase_add_loop_test(tc, items_of_every_size_arrive_whole_and_in_order, 0, CAPACITIES);
	tcase_add_test(tc, as_many_items_fit_as_the_capacity_says);
	tcase_add_test(tc, a_sender_goes_on_only_when_its_item_has_been_received);
	tcase_add_test(tc, what_is_buffered_can_be_received_after_close_and_then_0);
	tcase_add_loop_test(tc, a_close_ends_the_waits_of_senders_with_EPIPE, 0, 3);
	tcase_add_loop_test(tc, a_close_ends_the_waits_of_receivers_with_0, 0, 3);
	tcase_add_loop_test(tc, a_free_ends_all_waits_with_EBADF, 0, 2);
	tcase_add_test(tc, a_cancelled_fiber_can_still_close);
	tcase_add_test(tc, without_memory_there_is_no_channel);
	tcase_add_test(tc, who_never_has_to_wait_lets_others_run);
	tcase_add_loop_test(tc, every_item_that_was_sent_is_received_once, 0, 12);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
