/* SPDX-License-Identifier: MIT */
/*
 * tests/check_local.c - keys: a value for each fiber, destroyed with it.
 *
 * Linked with -Wl,--wrap=realloc: memory for values can be refused. Keys are
 * never given back, so the test that uses all up runs in its own process.
 */
#include "config.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness.h"

static int reallocs_to_fail;

void *__real_realloc(void *, size_t);
void *__wrap_realloc(void *, size_t);

void *
__wrap_realloc(void *old, size_t size)
{
	if (reallocs_to_fail > 0) {
		reallocs_to_fail--;
		errno = ENOMEM;
		return NULL;
	}
	return __real_realloc(old, size);
}

static int destroyed;

static void
destroy(void *value)
{
	destroyed += *(int *)value;
}

static weft_key
new_key(void (*destructor)(void *))
{
	weft_key key = 0;

	ck_assert_ok(weft_key_create(&key, destructor));
	ck_assert_uint_ne(key, 0);
	return key;
}

START_TEST(a_value_is_NULL_until_it_is_set)
{
	weft_key key = new_key(NULL);
	int value;

	ck_assert_ptr_null(weft_key_get(key));
	ck_assert_gives(weft_key_set(key, NULL), 0);
	ck_assert_ptr_null(weft_key_get(key));
	ck_assert_gives(weft_key_set(key, &value), 0);
	ck_assert_ptr_eq(weft_key_get(key), &value);
	ck_assert_ok(weft_key_set(key, NULL));
	ck_assert_ptr_null(weft_key_get(key));
}
END_TEST

START_TEST(what_is_no_key_is_EINVAL)
{
	weft_key key = new_key(NULL);

	ck_assert_fails(weft_key_create(NULL, NULL), EINVAL);
	ck_assert_fails(weft_key_set(0, &key), EINVAL);
	ck_assert_fails(weft_key_set(key + 1000, &key), EINVAL);
	ck_assert_fails(weft_key_set((weft_key)-1, &key), EINVAL);
	ck_assert_ptr_null(weft_key_get(0));
	ck_assert_ptr_null(weft_key_get(key + 1000));
}
END_TEST

static weft_key shared;

static int
own_value(void *value)
{
	ck_assert_ptr_null(weft_key_get(shared));
	ck_assert_ok(weft_key_set(shared, value));
	for (int i = 0; i < 5; i++) {
		ck_assert_ok(weft_yield());
		ck_assert_ptr_eq(weft_key_get(shared), value);
	}
	return 0;
}

START_TEST(each_fiber_has_its_own_value)
{
	struct weft_fiber *fibers[10];
	int values[11];

	shared = new_key(NULL);
	ck_assert_ok(weft_key_set(shared, &values[10]));
	for (int i = 0; i < 10; i++)
		fibers[i] = weft_spawn(own_value, &values[i]);
	for (int i = 0; i < 10; i++)
		ck_assert_ok(weft_join(fibers[i], NULL, soon_enough()));
	ck_assert_ptr_eq(weft_key_get(shared), &values[10]);
	/* The same stacks, and so the same blocks, again. */
	ck_assert_ok(weft_join(weft_spawn(own_value, &values[0]), NULL, soon_enough()));
	ck_assert_ok(weft_key_set(shared, NULL));
}
END_TEST

static int
set_shared(void *value)
{
	return weft_key_set(shared, value);
}

START_TEST(the_destructor_has_run_when_the_join_returns)
{
	int one = 1;

	shared = new_key(destroy);
	destroyed = 0;
	ck_assert_ok(weft_join(weft_spawn(set_shared, &one), NULL, soon_enough()));
	ck_assert_int_eq(destroyed, 1);
	ck_assert_ok(weft_join(weft_spawn(set_shared, NULL), NULL, soon_enough()));
	ck_assert_int_eq(destroyed, 1);
}
END_TEST

static int
set_and_exit(void *value)
{
	ck_assert_ok(weft_key_set(shared, value));
	weft_exit(7);
}

static int
set_and_be_cancelled(void *value)
{
	ck_assert_ok(weft_key_set(shared, value));
	return weft_sleep(WEFT_NEVER);
}

START_TEST(destructors_run_however_the_fiber_ends)
{
	struct weft_fiber *fiber;
	int one = 1, result = 0;

	shared = new_key(destroy);
	destroyed = 0;
	ck_assert_ok(weft_join(weft_spawn(set_and_exit, &one), &result, soon_enough()));
	ck_assert_int_eq(result, 7);
	ck_assert_int_eq(destroyed, 1);
	fiber = weft_spawn(set_and_be_cancelled, &one);
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_cancel(fiber));
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	ck_assert_int_eq(destroyed, 2);
	ck_assert_ok(weft_go(set_shared, &one));
	ck_assert_ok(weft_yield());
	ck_assert_int_eq(destroyed, 3);
}
END_TEST

static struct weft_fiber *destroyer;

static void
note_fiber_and_wait(void *value)
{
	destroyer = weft_self();
	ck_assert_ptr_null(weft_key_get(shared));
	ck_assert_ok(weft_sleep(weft_after(1)));
	++*(int *)value;
}

START_TEST(a_destructor_runs_in_the_fiber_and_may_wait)
{
	struct weft_fiber *fiber;
	int value = 0;

	shared = new_key(note_fiber_and_wait);
	fiber = weft_spawn(set_shared, &value);
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
	ck_assert_ptr_eq(destroyer, fiber);
	ck_assert_int_eq(value, 1);
}
END_TEST

static void
set_again(void *value)
{
	++*(int *)value;
	ck_assert_ok(weft_key_set(shared, value));
}

START_TEST(a_destructor_that_sets_its_value_again_runs_a_few_times)
{
	int times = 0;

	shared = new_key(set_again);
	ck_assert_ok(weft_join(weft_spawn(set_shared, &times), NULL, soon_enough()));
	ck_assert_int_eq(times, 4);
}
END_TEST

static weft_key many[40];

static int
set_many(void *value)
{
	for (int i = 39; i >= 0; i--) {
		ck_assert_ok(weft_key_set(many[i], value));
		for (int j = 0; j < 40; j++)
			ck_assert_ptr_eq(weft_key_get(many[j]), j < i ? NULL : value);
	}
	return 0;
}

START_TEST(a_fiber_may_use_many_keys_in_any_order)
{
	int one = 1;

	for (int i = 0; i < 40; i++)
		many[i] = new_key(destroy);
	destroyed = 0;
	ck_assert_ok(weft_join(weft_spawn(set_many, &one), NULL, soon_enough()));
	ck_assert_int_eq(destroyed, 40);
}
END_TEST

static int
set_without_memory(void *value)
{
	reallocs_to_fail = 1;
	ck_assert_fails(weft_key_set(shared, value), ENOMEM);
	ck_assert_ptr_null(weft_key_get(shared));
	ck_assert_ok(weft_key_set(shared, value));
	return 0;
}

START_TEST(a_set_that_finds_no_memory_is_ENOMEM_and_changes_nothing)
{
	int one = 1;

	shared = new_key(NULL);
	ck_assert_ok(weft_join(weft_spawn(set_without_memory, &one), NULL,
	    soon_enough()));
}
END_TEST

START_TEST(when_all_keys_are_used_up_it_is_EAGAIN)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		weft_key key = 0, last = 0;
		int keys = 0;

		while (weft_key_create(&key, NULL) == 0 && ++keys < 100000)
			last = key;
		if (errno != EAGAIN || keys < 128 || key != last)
			_exit(1);
		/* The last one is as good as any. */
		if (weft_loop_after_fork() < 0 || weft_key_set(last, &key) < 0)
			_exit(2);
		_exit(weft_key_get(last) == &key ? 0 : 3);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

static void *
set_in_a_thread(void *value)
{
	if (weft_key_get(shared) != NULL || weft_key_set(shared, value) < 0)
		return NULL;
	return weft_key_get(shared);
}

START_TEST(the_main_fiber_of_a_thread_ends_with_it)
{
	pthread_t thread;
	int one = 1;
	void *got;

	shared = new_key(destroy);
	destroyed = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, set_in_a_thread, &one), 0);
	ck_assert_int_eq(pthread_join(thread, &got), 0);
	ck_assert_ptr_eq(got, &one);
	ck_assert_int_eq(destroyed, 1);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("local");
	TCase *tc = test_case(suite, "keys");

	tcase_add_test(tc, a_value_is_NULL_until_it_is_set);
	tcase_add_test(tc, what_is_no_key_is_EINVAL);
	tcase_add_test(tc, each_fiber_has_its_own_value);
	tcase_add_test(tc, the_destructor_has_run_when_the_join_returns);
	tcase_add_test(tc, destructors_run_however_the_fiber_ends);
	tcase_add_test(tc, a_destructor_runs_in_the_fiber_and_may_wait);
	tcase_add_test(tc, a_destructor_that_sets_its_value_again_runs_a_few_times);
	tcase_add_test(tc, a_fiber_may_use_many_keys_in_any_order);
	tcase_add_test(tc, a_set_that_finds_no_memory_is_ENOMEM_and_changes_nothing);
	tcase_add_test(tc, when_all_keys_are_used_up_it_is_EAGAIN);
	tcase_add_test(tc, the_main_fiber_of_a_thread_ends_with_it);
	return suite;
}

int
main(void)
{
	return weft_test_main_once(make_suite);
}
