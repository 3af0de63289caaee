/* SPDX-License-Identifier: MIT */
/*
 * tests/check_fiber.c - the life of fibers: spawn, run, end, join, detach; and
 * who they are.
 */
#include "config.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness.h"

static int ran;

static int
note(void *arg)
{
	ran += *(const int *)arg;
	return 0;
}

static int
return_it(void *arg)
{
	return *(const int *)arg;
}

static int
nothing(void *arg)
{
	(void)arg;
	return 0;
}

static struct weft_fiber *
spawn(weft_fn *fn, void *arg)
{
	struct weft_fiber *fiber = weft_spawn(fn, arg);

	ck_assert_msg(fiber != NULL, "no fiber: %s", strerror(errno));
	return fiber;
}

static int
join(struct weft_fiber *fiber)
{
	int result = 12345;

	ck_assert_ok(weft_join(fiber, &result, soon_enough()));
	return result;
}

/* --- spawn, join, detach */

START_TEST(a_join_gives_what_the_function_returned)
{
	static const int results[] = { 0, 1, -1, 42, INT32_MAX, INT32_MIN };

	for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
		int it = results[i];

		ck_assert_int_eq(join(spawn(return_it, &it)), it);
	}
}
END_TEST

START_TEST(a_join_may_come_after_the_end)
{
	int it = 7;
	struct weft_fiber *fiber = spawn(return_it, &it);

	ck_assert_ok(weft_yield());
	ck_assert_int_eq(loop_stats().fibers, 1);
	ck_assert_int_eq(join(fiber), 7);
}
END_TEST

START_TEST(a_join_after_the_end_needs_no_time)
{
	int it = 7, result = 0;
	struct weft_fiber *fibers[2] = { spawn(return_it, &it), spawn(return_it, &it) };

	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_join(fibers[0], &result, WEFT_NOWAIT));
	ck_assert_ok(weft_join(fibers[1], &result, weft_after(-1)));
	ck_assert_int_eq(result, 7);
}
END_TEST

START_TEST(a_join_leaves_errno_alone_and_wants_no_result)
{
	struct weft_fiber *fiber = spawn(nothing, NULL);

	ck_assert_gives(weft_join(fiber, NULL, soon_enough()), 0);
}
END_TEST

START_TEST(a_spawned_fiber_waits_until_its_parent_lets_it_run)
{
	int one = 1;
	struct weft_fiber *fiber;

	ran = 0;
	fiber = spawn(note, &one);
	ck_assert_int_eq(ran, 0);
	join(fiber);
	ck_assert_int_eq(ran, 1);
}
END_TEST

START_TEST(go_runs_a_fiber_that_nobody_joins)
{
	int one = 1;

	ran = 0;
	ck_assert_gives(weft_go(note, &one), 0);
	ck_assert_int_eq(loop_stats().fibers, 2);
	ck_assert_ok(weft_yield());
	ck_assert_int_eq(ran, 1);
	ck_assert_int_eq(loop_stats().fibers, 1);
}
END_TEST

START_TEST(a_detached_fiber_frees_itself)
{
	int one = 1;

	for (int i = 0; i < 1000; i++) {
		ran = 0;
		ck_assert_gives(weft_detach(spawn(note, &one)), 0);
		ck_assert_ok(weft_yield());
	}
	/* One stack after the other, not a thousand. */
	ck_assert_int_le(loop_stats().stacks_pooled, 2);
}
END_TEST

START_TEST(a_fiber_may_be_detached_after_its_end)
{
	int one = 1;

	for (int i = 0; i < 100; i++) {
		struct weft_fiber *fiber = spawn(note, &one);

		ran = 0;
		ck_assert_ok(weft_yield());
		ck_assert_int_eq(ran, 1);
		ck_assert_ok(weft_detach(fiber));
	}
	ck_assert_int_le(loop_stats().stacks_pooled, 2);
}
END_TEST

static int
detach_myself(void *arg)
{
	*(int *)arg = weft_detach(weft_self());
	return 0;
}

START_TEST(a_fiber_may_detach_itself)
{
	int result = -2;

	spawn(detach_myself, &result);
	ck_assert_ok(weft_yield());
	ck_assert_int_eq(result, 0);
}
END_TEST

static int
exit_with(void *arg)
{
	weft_exit(*(const int *)arg);
}

START_TEST(exit_ends_the_fiber_with_a_result)
{
	int it = 42;

	ck_assert_int_eq(join(spawn(exit_with, &it)), 42);
}
END_TEST

START_TEST(exit_in_the_main_fiber_ends_the_process)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		/* A loop of its own, whatever the parent has. */
		weft_exit(17);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 17);
}
END_TEST

START_TEST(a_spawn_without_a_function_is_EINVAL)
{
	ck_assert_null(weft_spawn(NULL, NULL), EINVAL);
	ck_assert_null(weft_spawn_with(NULL, NULL, NULL), EINVAL);
	ck_assert_fails(weft_go(NULL, NULL), EINVAL);
}
END_TEST

/* --- options */

static size_t largest;

static int
use_stack(void *arg)
{
	size_t size = *(size_t *)arg;
	volatile char *bytes = __builtin_alloca(size);

	for (size_t i = 0; i < size; i += 512)
		bytes[i] = 1;
	largest = size;
	return 0;
}

START_TEST(options_give_a_name_and_a_stack_as_large_as_asked_for)
{
	static const size_t sizes[] = { 1, 16 << 10, 64 << 10, 65 << 10,
		256 << 10, 1 << 20, 5 << 20 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct weft_fiber_options options = { .size = sizeof options,
			.name = "sized", .stack_size = sizes[i] };
		size_t use = sizes[i] > 16 << 10 ? sizes[i] / 4 * 3 : 4096;
		struct weft_fiber *fiber = weft_spawn_with(&options, use_stack, &use);

		ck_assert_ptr_nonnull(fiber);
		ck_assert_str_eq(weft_name(fiber), "sized");
		ck_assert_int_eq(join(fiber), 0);
		ck_assert_uint_eq(largest, use);
	}
}
END_TEST

START_TEST(by_default_a_stack_has_room_for_200_KiB)
{
	size_t use = 200 << 10;

	join(spawn(use_stack, &use));
	ck_assert_uint_eq(largest, use);
}
END_TEST

START_TEST(options_of_an_older_program_are_taken_as_far_as_they_go)
{
	struct weft_fiber_options options = { .size = sizeof options.size,
		.name = "not looked at", .stack_size = SIZE_MAX };
	int it = 3;
	struct weft_fiber *fiber = weft_spawn_with(&options, return_it, &it);

	ck_assert_ptr_nonnull(fiber);
	ck_assert_str_eq(weft_name(fiber), "");
	ck_assert_int_eq(join(fiber), 3);
	fiber = weft_spawn_with(NULL, return_it, &it);
	ck_assert_int_eq(join(fiber), 3);
}
END_TEST

START_TEST(options_of_a_newer_program_are_taken_too)
{
	struct {
		struct weft_fiber_options known;
		char unknown[64];
	} options = { .known = { .size = sizeof options, .name = "new" } };
	int it = 3;
	struct weft_fiber *fiber = weft_spawn_with(&options.known, return_it, &it);

	ck_assert_str_eq(weft_name(fiber), "new");
	ck_assert_int_eq(join(fiber), 3);
}
END_TEST

START_TEST(options_without_a_size_or_with_too_large_a_stack_are_EINVAL)
{
	struct weft_fiber_options options = { .size = 0 };

	ck_assert_null(weft_spawn_with(&options, nothing, NULL), EINVAL);
	options.size = sizeof options;
	options.stack_size = SIZE_MAX;
	ck_assert_null(weft_spawn_with(&options, nothing, NULL), EINVAL);
}
END_TEST

/* --- who */

static int
tell_self(void *arg)
{
	*(struct weft_fiber **)arg = weft_self();
	return 0;
}

START_TEST(self_is_the_handle_that_spawn_gave)
{
	struct weft_fiber *self = NULL, *fiber = spawn(tell_self, &self);

	join(fiber);
	ck_assert_ptr_eq(self, fiber);
	ck_assert_ptr_ne(self, weft_self());
}
END_TEST

START_TEST(ids_are_never_zero_and_never_used_twice)
{
	uint64_t last = weft_fiber_id(weft_self());

	ck_assert_uint_gt(last, 0);
	for (int i = 0; i < 100; i++) {
		struct weft_fiber *fiber = spawn(nothing, NULL);

		ck_assert_uint_gt(weft_fiber_id(fiber), last);
		last = weft_fiber_id(fiber);
		join(fiber);
	}
}
END_TEST

START_TEST(names_are_copied_and_cut_to_31_bytes)
{
	struct weft_fiber *fiber = spawn(nothing, NULL);
	char name[64];

	ck_assert_str_eq(weft_name(fiber), "");
	for (int length = 0; length < 60; length++) {
		snprintf(name, sizeof name, "%0*d", length, 0);
		name[length] = '\0';
		ck_assert_ok(weft_set_name(fiber, name));
		name[length < 31 ? length : 31] = '\0';
		ck_assert_str_eq(weft_name(fiber), name);
	}
	name[0] = 'x';
	ck_assert_int_eq(weft_name(fiber)[0], '0');
	ck_assert_fails(weft_set_name(fiber, NULL), EINVAL);
	ck_assert_fails(weft_set_name(NULL, "x"), EINVAL);
	join(fiber);
	fiber = spawn(nothing, NULL);   /* on the same stack */
	ck_assert_str_eq(weft_name(fiber), "");
	join(fiber);
}
END_TEST

static int
keep_an_errno(void *arg)
{
	const int *it = arg;

	ck_assert_int_eq(errno, 0);
	errno = *it;
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(weft_yield(), 0);
		ck_assert_int_eq(errno, *it);
	}
	return 0;
}

START_TEST(each_fiber_has_an_errno_of_its_own)
{
	struct weft_fiber *fibers[8];
	int errors[8];

	for (int i = 0; i < 8; i++) {
		errors[i] = 100 + i;
		fibers[i] = spawn(keep_an_errno, &errors[i]);
	}
	for (int i = 0; i < 20; i++) {
		ck_assert_gives(weft_yield(), 0);
		ck_assert_gives(weft_sleep(weft_after(0)), 0);
	}
	for (int i = 0; i < 8; i++)
		join(fibers[i]);
}
END_TEST

static void
add_life_tests(Suite *suite)
{
	TCase *tc = test_case(suite, "life");

	tcase_add_test(tc, a_join_gives_what_the_function_returned);
	tcase_add_test(tc, a_join_may_come_after_the_end);
	tcase_add_test(tc, a_join_after_the_end_needs_no_time);
	tcase_add_test(tc, a_join_leaves_errno_alone_and_wants_no_result);
	tcase_add_test(tc, a_spawned_fiber_waits_until_its_parent_lets_it_run);
	tcase_add_test(tc, go_runs_a_fiber_that_nobody_joins);
	tcase_add_test(tc, a_detached_fiber_frees_itself);
	tcase_add_test(tc, a_fiber_may_be_detached_after_its_end);
	tcase_add_test(tc, a_fiber_may_detach_itself);
	tcase_add_test(tc, exit_ends_the_fiber_with_a_result);
	tcase_add_test(tc, exit_in_the_main_fiber_ends_the_process);
	tcase_add_test(tc, a_spawn_without_a_function_is_EINVAL);
	tcase_add_test(tc, options_give_a_name_and_a_stack_as_large_as_asked_for);
	tcase_add_test(tc, by_default_a_stack_has_room_for_200_KiB);
	tcase_add_test(tc, options_of_an_older_program_are_taken_as_far_as_they_go);
	tcase_add_test(tc, options_of_a_newer_program_are_taken_too);
	tcase_add_test(tc, options_without_a_size_or_with_too_large_a_stack_are_EINVAL);
}

static void
add_identity_tests(Suite *suite)
{
	TCase *tc = test_case(suite, "identity");

	tcase_add_test(tc, self_is_the_handle_that_spawn_gave);
	tcase_add_test(tc, ids_are_never_zero_and_never_used_twice);
	tcase_add_test(tc, names_are_copied_and_cut_to_31_bytes);
	tcase_add_test(tc, each_fiber_has_an_errno_of_its_own);
}

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("fiber");

	(void)backend;
	add_life_tests(suite);
	add_identity_tests(suite);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
