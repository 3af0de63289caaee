/* SPDX-License-Identifier: MIT */
/*
 * tests/check_lock.c - what is special about mutex, condition and rwlock; what
 * all waits share is in check_waits.c.
 */
#include "config.h"

#include "tests/harness.h"
#include "weft/sync.h"

static struct weft_mutex mutex;
static struct weft_cond cond;
static struct weft_rwlock rwlock;
static int inside, most_inside, ended;

static void
reset(void)
{
	ck_assert_gives(weft_mutex_init(&mutex), 0);
	ck_assert_gives(weft_cond_init(&cond), 0);
	ck_assert_gives(weft_rwlock_init(&rwlock), 0);
	inside = most_inside = ended = 0;
}

static void
run(weft_fn *fn)
{
	struct weft_fiber *fiber = weft_spawn(fn, NULL);

	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
}

/* --- mutex */

START_TEST(a_zeroed_mutex_is_ready_for_use)
{
	struct weft_mutex m = { 0 };

	ck_assert_gives(weft_mutex_lock(&m, WEFT_NEVER), 0);
	ck_assert_gives(weft_mutex_unlock(&m), 0);
	ck_assert_gives(weft_mutex_destroy(&m), 0);
}
END_TEST

START_TEST(a_second_lock_by_the_owner_is_EDEADLK)
{
	ck_assert_ok(weft_mutex_lock(&mutex, WEFT_NEVER));
	ck_assert_fails(weft_mutex_lock(&mutex, WEFT_NEVER), EDEADLK);
	ck_assert_fails(weft_mutex_lock(&mutex, WEFT_NOWAIT), EDEADLK);
	ck_assert_ok(weft_mutex_unlock(&mutex));
	ck_assert_fails(weft_mutex_unlock(&mutex), EPERM);
}
END_TEST

static int
try_what_is_not_mine(void *arg)
{
	(void)arg;
	ck_assert_fails(weft_mutex_unlock(&mutex), EPERM);
	ck_assert_fails(weft_mutex_trylock(&mutex), EBUSY);
	ck_assert_fails(weft_cond_wait(&cond, &mutex, WEFT_NEVER), EPERM);
	return 0;
}

START_TEST(an_unlock_by_another_fiber_is_EPERM)
{
	ck_assert_ok(weft_mutex_trylock(&mutex));
	ck_assert_fails(weft_mutex_trylock(&mutex), EBUSY);
	run(try_what_is_not_mine);
	ck_assert_fails(weft_mutex_destroy(&mutex), EBUSY);
	ck_assert_ok(weft_mutex_unlock(&mutex));
	ck_assert_fails(weft_cond_wait(&cond, &mutex, WEFT_NEVER), EPERM);
}
END_TEST

static int
lock_once(void *arg)
{
	(void)arg;
	ck_assert_ok(weft_mutex_lock(&mutex, soon_enough()));
	ended++;
	ck_assert_ok(weft_mutex_unlock(&mutex));
	return 0;
}

START_TEST(nobody_slips_in_between_unlock_and_the_one_who_waits)
{
	struct weft_fiber *fiber = weft_spawn(lock_once, NULL);

	ck_assert_ok(weft_mutex_lock(&mutex, WEFT_NEVER));
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_mutex_unlock(&mutex));
	ck_assert_fails(weft_mutex_trylock(&mutex), EBUSY);
	ck_assert_fails(weft_mutex_unlock(&mutex), EPERM);
	ck_assert_ok(weft_mutex_lock(&mutex, soon_enough()));
	ck_assert_int_eq(ended, 1);
	ck_assert_ok(weft_mutex_unlock(&mutex));
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
}
END_TEST

static int
use_cancelled(void *arg)
{
	(void)arg;
	ck_assert_ok(weft_mutex_lock(&mutex, WEFT_NEVER));
	ck_assert_ok(weft_rwlock_read_lock(&rwlock, WEFT_NEVER));
	ck_assert_ok(weft_cancel(weft_self()));
	ck_assert_gives(weft_mutex_unlock(&mutex), 0);
	ck_assert_gives(weft_mutex_trylock(&mutex), 0);
	/* It fails and the mutex is held all the same. */
	ck_assert_fails(weft_cond_wait(&cond, &mutex, WEFT_NEVER), ECANCELED);
	ck_assert_gives(weft_mutex_unlock(&mutex), 0);
	ck_assert_gives(weft_rwlock_unlock(&rwlock), 0);
	ck_assert_gives(weft_cond_signal(&cond), 0);
	ck_assert_gives(weft_cond_broadcast(&cond), 0);
	ended = 1;
	return 0;
}

START_TEST(a_cancelled_fiber_can_still_unlock)
{
	run(use_cancelled);
	ck_assert_int_eq(ended, 1);
	ck_assert_ok(weft_mutex_destroy(&mutex));
	ck_assert_ok(weft_rwlock_destroy(&rwlock));
}
END_TEST

static int
lock_until_stopped(void *arg)
{
	const volatile int *stop = arg;

	while (!*stop) {
		ck_assert_ok(weft_mutex_lock(&mutex, WEFT_NEVER));
		ck_assert_ok(weft_mutex_unlock(&mutex));
	}
	return 0;
}

START_TEST(who_locks_all_the_time_lets_others_run)
{
	int stop = 0;
	struct weft_fiber *fiber = weft_spawn(lock_until_stopped, &stop);

	ck_assert_ok(weft_yield());     /* it would never come back */
	stop = 1;
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
}
END_TEST

/* --- random schedules: fibers go in and out, some give up, some are cancelled */

enum { FIBERS = 24, ROUNDS = 200 };

struct walker {
	struct weft_fiber *fiber;
	unsigned random;
	int writes, got, failed;
};

static unsigned
chance(struct walker *w, unsigned n)
{
	w->random = w->random * 1103515245u + 12345u;
	return (w->random >> 16) % n;
}

static int64_t
some_deadline(struct walker *w)
{
	switch (chance(w, 4)) {
	case 0: return WEFT_NOWAIT;
	case 1: return weft_after((int64_t)chance(w, 3) - 1);
	default: return WEFT_NEVER;
	}
}

static void
stay_inside(struct walker *w)
{
	ck_assert_int_eq(inside < 0 || (w->writes && inside != 0), 0);
	inside = w->writes ? -1 : inside + 1;
	most_inside = inside > most_inside ? inside : most_inside;
	for (unsigned i = chance(w, 3); i > 0; i--)
		weft_yield();
	inside = w->writes ? 0 : inside - 1;
}

static int
walk_mutex(void *arg)
{
	struct walker *w = arg;

	w->writes = 1;
	for (int i = 0; i < ROUNDS; i++) {
		if (weft_mutex_lock(&mutex, some_deadline(w)) < 0) {
			w->failed++;
			weft_yield();
			continue;
		}
		stay_inside(w);
		ck_assert_gives(weft_mutex_unlock(&mutex), 0);
		w->got++;
	}
	return 0;
}

static int
walk_rwlock(void *arg)
{
	struct walker *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		w->writes = chance(w, 3) == 0;
		if ((w->writes ? weft_rwlock_write_lock : weft_rwlock_read_lock)(
		    &rwlock, some_deadline(w)) < 0) {
			w->failed++;
			weft_yield();
			continue;
		}
		stay_inside(w);
		ck_assert_gives(weft_rwlock_unlock(&rwlock), 0);
		w->got++;
	}
	return 0;
}

static int
walk_all(weft_fn *fn, unsigned seed)
{
	struct walker walkers[FIBERS];
	int got = 0;

	for (unsigned i = 0; i < FIBERS; i++) {
		walkers[i] = (struct walker){ .random = seed * 1000 + i };
		walkers[i].fiber = weft_spawn(fn, &walkers[i]);
	}
	for (unsigned i = 0; i < FIBERS; i++) {
		for (unsigned n = chance(&walkers[i], 9); n > 0; n--)
			ck_assert_ok(weft_yield());
		if (i % 3 == 0)
			ck_assert_ok(weft_cancel(walkers[i].fiber));
	}
	for (int i = 0; i < FIBERS; i++) {
		ck_assert_ok(weft_join(walkers[i].fiber, NULL, soon_enough()));
		got += walkers[i].got;
	}
	return got;
}

START_TEST(only_one_is_ever_inside_a_mutex)
{
	ck_assert_int_gt(walk_all(walk_mutex, (unsigned)_i), FIBERS);
	ck_assert_int_eq(inside, 0);
	ck_assert_gives(weft_mutex_destroy(&mutex), 0);
}
END_TEST

START_TEST(readers_are_inside_together_and_writers_alone)
{
	ck_assert_int_gt(walk_all(walk_rwlock, (unsigned)_i), FIBERS);
	ck_assert_int_eq(inside, 0);
	ck_assert_int_gt(most_inside, 1);
	ck_assert_gives(weft_rwlock_destroy(&rwlock), 0);
}
END_TEST

/* --- condition */

struct waiter {
	struct weft_fiber *fiber;
	int64_t deadline;
	int error;
};

static int
wait_for_news(void *arg)
{
	struct waiter *w = arg;

	ck_assert_ok(weft_mutex_lock(&mutex, WEFT_NEVER));
	w->error = weft_cond_wait(&cond, &mutex, w->deadline) < 0 ? errno : 0;
	inside++;
	ck_assert_int_eq(inside, 1);
	weft_yield();
	inside--;
	ended++;
	ck_assert_gives(weft_mutex_unlock(&mutex), 0);
	return 0;
}

START_TEST(a_broadcast_wakes_all_who_wait_and_nobody_who_comes_later)
{
	for (int n = 0; n <= 5; n++) {
		struct waiter waiters[6], late = { .deadline = weft_after(1) };

		ended = 0;
		for (int i = 0; i < n; i++) {
			waiters[i] = (struct waiter){ .deadline = soon_enough() };
			waiters[i].fiber = weft_spawn(wait_for_news, &waiters[i]);
		}
		ck_assert_ok(weft_yield());
		ck_assert_gives(weft_cond_broadcast(&cond), 0);
		late.fiber = weft_spawn(wait_for_news, &late);
		for (int i = 0; i < n; i++) {
			ck_assert_ok(weft_join(waiters[i].fiber, NULL, soon_enough()));
			ck_assert_int_eq(waiters[i].error, 0);
		}
		ck_assert_ok(weft_join(late.fiber, NULL, soon_enough()));
		ck_assert_int_eq(late.error, ETIMEDOUT);
	}
}
END_TEST

START_TEST(a_signal_is_not_remembered)
{
	ck_assert_ok(weft_cond_signal(&cond));
	ck_assert_ok(weft_cond_broadcast(&cond));
	ck_assert_ok(weft_mutex_lock(&mutex, WEFT_NEVER));
	ck_assert_fails(weft_cond_wait(&cond, &mutex, weft_after(1)), ETIMEDOUT);
	ck_assert_fails(weft_cond_wait(&cond, &mutex, WEFT_NOWAIT), EAGAIN);
	ck_assert_ok(weft_mutex_unlock(&mutex));
}
END_TEST

/* Whether it is told, too late, or not any more: it comes back with the mutex,
 * and not before it is free. */
START_TEST(a_wait_that_fails_waits_for_the_mutex_all_the_same)
{
	static const int errors[] = { 0, ECANCELED, ETIMEDOUT };
	struct waiter w = { .deadline = _i == 2 ? weft_after(3) : WEFT_NEVER };

	w.fiber = weft_spawn(wait_for_news, &w);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_mutex_lock(&mutex, WEFT_NEVER));
	if (_i == 0)
		ck_assert_ok(weft_cond_signal(&cond));
	if (_i == 1)
		ck_assert_ok(weft_cancel(w.fiber));
	if (_i == 2)
		ck_assert_ok(weft_sleep(w.deadline + 1));
	for (int i = 0; i < 5; i++)
		ck_assert_ok(weft_yield());
	if (_i != 1)
		ck_assert_ok(weft_cancel(w.fiber));     /* too late to matter */
	ck_assert_ok(weft_yield());
	ck_assert_int_eq(ended, 0);
	ck_assert_ok(weft_mutex_unlock(&mutex));
	ck_assert_ok(weft_join(w.fiber, NULL, soon_enough()));
	ck_assert_int_eq(w.error, errors[_i]);
	ck_assert_int_eq(ended, 1);
	ck_assert_ok(weft_mutex_destroy(&mutex));
}
END_TEST

/* --- rwlock */

static int
lock_rwlock(void *arg)
{
	struct waiter *w = arg;
	bool writes = w->error;

	w->error = (writes ? weft_rwlock_write_lock : weft_rwlock_read_lock)(
	    &rwlock, w->deadline) < 0 ? errno : 0;
	if (w->error != 0)
		return 0;
	inside++;
	ended++;
	weft_yield();
	inside--;
	ck_assert_gives(weft_rwlock_unlock(&rwlock), 0);
	return 0;
}

static void
begin(struct waiter *w, bool writes, int64_t deadline)
{
	*w = (struct waiter){ .deadline = deadline, .error = writes };
	w->fiber = weft_spawn(lock_rwlock, w);
	ck_assert_ok(weft_yield());
}

START_TEST(a_reader_waits_behind_a_writer_who_came_before)
{
	struct waiter writer, reader;

	ck_assert_ok(weft_rwlock_read_lock(&rwlock, WEFT_NEVER));
	begin(&writer, true, soon_enough());
	begin(&reader, false, soon_enough());
	ck_assert_int_eq(ended, 0);
	ck_assert_fails(weft_rwlock_read_lock(&rwlock, WEFT_NOWAIT), EAGAIN);
	ck_assert_ok(weft_rwlock_unlock(&rwlock));
	ck_assert_ok(weft_join(writer.fiber, NULL, soon_enough()));
	ck_assert_ok(weft_join(reader.fiber, NULL, soon_enough()));
	ck_assert_int_eq(writer.error, 0);
	ck_assert_int_eq(reader.error, 0);
}
END_TEST

START_TEST(a_writer_who_gives_up_lets_those_behind_in)
{
	struct waiter writer, readers[3];

	ck_assert_ok(weft_rwlock_read_lock(&rwlock, WEFT_NEVER));
	begin(&writer, true, _i == 0 ? weft_after(5) : WEFT_NEVER);
	for (int i = 0; i < 3; i++)
		begin(&readers[i], false, soon_enough());
	if (_i == 1)
		ck_assert_ok(weft_cancel(writer.fiber));
	for (int i = 0; i < 3; i++) {
		ck_assert_ok(weft_join(readers[i].fiber, NULL, soon_enough()));
		ck_assert_int_eq(readers[i].error, 0);
	}
	ck_assert_ok(weft_join(writer.fiber, NULL, soon_enough()));
	ck_assert_int_eq(writer.error, _i == 0 ? ETIMEDOUT : ECANCELED);
	ck_assert_ok(weft_rwlock_unlock(&rwlock));
	ck_assert_ok(weft_rwlock_destroy(&rwlock));
}
END_TEST

static int
unlock_what_is_not_mine(void *arg)
{
	(void)arg;
	ck_assert_fails(weft_rwlock_unlock(&rwlock), EPERM);
	return 0;
}

START_TEST(an_rwlock_tells_what_can_never_be_right)
{
	ck_assert_fails(weft_rwlock_unlock(&rwlock), EPERM);
	ck_assert_ok(weft_rwlock_write_lock(&rwlock, WEFT_NEVER));
	ck_assert_fails(weft_rwlock_write_lock(&rwlock, WEFT_NEVER), EDEADLK);
	ck_assert_fails(weft_rwlock_read_lock(&rwlock, WEFT_NEVER), EDEADLK);
	ck_assert_fails(weft_rwlock_destroy(&rwlock), EBUSY);
	run(unlock_what_is_not_mine);
	ck_assert_ok(weft_rwlock_unlock(&rwlock));
	ck_assert_ok(weft_rwlock_read_lock(&rwlock, WEFT_NEVER));
	ck_assert_fails(weft_rwlock_destroy(&rwlock), EBUSY);
	ck_assert_ok(weft_rwlock_unlock(&rwlock));
	ck_assert_ok(weft_rwlock_destroy(&rwlock));
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("locks");
	TCase *tc = test_case(suite, "locks");

	(void)backend;
	tcase_add_checked_fixture(tc, reset, NULL);
	tcase_add_test(tc, a_zeroed_mutex_is_ready_for_use);
	tcase_add_test(tc, a_second_lock_by_the_owner_is_EDEADLK);
	tcase_add_test(tc, an_unlock_by_another_fiber_is_EPERM);
	tcase_add_test(tc, nobody_slips_in_between_unlock_and_the_one_who_waits);
	tcase_add_test(tc, a_cancelled_fiber_can_still_unlock);
	tcase_add_test(tc, who_locks_all_the_time_lets_others_run);
	tcase_add_loop_test(tc, only_one_is_ever_inside_a_mutex, 0, 5);
	tcase_add_loop_test(tc, readers_are_inside_together_and_writers_alone, 0, 5);
	tcase_add_test(tc, a_broadcast_wakes_all_who_wait_and_nobody_who_comes_later);
	tcase_add_test(tc, a_signal_is_not_remembered);
	tcase_add_loop_test(tc, a_wait_that_fails_waits_for_the_mutex_all_the_same, 0, 3);
	tcase_add_test(tc, a_reader_waits_behind_a_writer_who_came_before);
	tcase_add_loop_test(tc, a_writer_who_gives_up_lets_those_behind_in, 0, 2);
	tcase_add_test(tc, an_rwlock_tells_what_can_never_be_right);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
