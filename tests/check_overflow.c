/* SPDX-License-Identifier: MIT */
/*
 * tests/check_overflow.c - a fiber that runs into the guard of its stack, in a process
 * of its own each time: what it says, and on which stack.
 */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "tests/overflows.h"

/* --- the report */

START_TEST(an_overflow_names_the_fiber_its_stack_and_its_function_and_kills)
{
	char expected[160], *end;

	run_in_child(overflow);
	snprintf(expected, sizeof expected, "weft: stack overflow in fiber 2 "
	    "\"deep ??\", stack %d KiB, function %p, spawned at 0x", SMALL >> 10,
	    (void *)(uintptr_t)run_over);
	ck_assert_msg(strncmp(said, expected, strlen(expected)) == 0, "%s", said);
	ck_assert_ptr_nonnull(end = strchr(said, '\n'));
	ck_assert(end[1] == '\0' || strncmp(end + 1, "qemu: ", 6) == 0);
	assert_killed();
}
END_TEST

static void
overflow_behind_mprotect(void)
{
	weft__stack_force_guard(WEFT__GUARD_MPROTECT);
	overflow();
}

START_TEST(an_overflow_is_reported_with_guards_by_mprotect)
{
	run_in_child(overflow_behind_mprotect);
	ck_assert(reported());
	assert_killed();
}
END_TEST

static void
overflow_of_the_default(void)
{
	struct weft_fiber *fiber = weft_spawn(run_deep, NULL);

	MUST(fiber != NULL);
	weft_join(fiber, NULL, WEFT_NEVER);
}

START_TEST(endless_recursion_is_an_overflow)
{
	run_in_child(overflow_of_the_default);
	ck_assert_msg(reported() && strstr(said, "stack 256 KiB") != NULL, "%s", said);
	assert_killed();
}
END_TEST

static struct weft_scope *scope;
static const void *code_of_spawner;

static void
overflow_in_scope(void)
{
	code_of_spawner = (const void *)(uintptr_t)overflow_in_scope;
	scope = weft_scope_open(WEFT_NEVER);
	MUST(scope != NULL && weft_scope_spawn(scope, run_deep, NULL) == 0);
	weft_scope_wait(scope, WEFT_NEVER);
}

START_TEST(the_report_tells_where_the_program_spawned_it)
{
	uintptr_t spawned_at, code = (uintptr_t)overflow_in_scope;
	const char *at;

	run_in_child(overflow_in_scope);
	at = strstr(said, "spawned at ");
	ck_assert_msg(at != NULL, "%s", said);
	spawned_at = (uintptr_t)strtoull(at + strlen("spawned at "), NULL, 16);
	ck_assert_msg(spawned_at > code && spawned_at < code + 1000,
	    "%#jx is not in the function at %#jx", (uintmax_t)spawned_at, (uintmax_t)code);
}
END_TEST

static void *
overflow_in_thread(void *arg)
{
	overflow();
	return arg;
}

static void
overflow_beside(void)
{
	pthread_t thread;

	run_small("harmless", write_to, said);
	MUST(pthread_create(&thread, NULL, overflow_in_thread, NULL) == 0);
	pthread_join(thread, NULL);
}

START_TEST(an_overflow_is_reported_in_every_thread)
{
	run_in_child(overflow_beside);
	ck_assert(reported());
	assert_killed();
}
END_TEST

static void
overflow_in_forked_child(void)
{
	int how;
	pid_t child;

	run_small("harmless", write_to, said);
	child = fork();
	if (child == 0) {
		MUST(weft_loop_after_fork() == 0);
		overflow();
		_exit(0);
	}
	MUST(waitpid(child, &how, 0) == child && WIFSIGNALED(how));
}

START_TEST(an_overflow_is_reported_in_a_forked_child)
{
	run_in_child(overflow_in_forked_child);
	ck_assert(reported());
	assert_exit(0);
}
END_TEST

/* --- signal stacks */

static void
set_signal_stack(void *memory)
{
	stack_t mine = { .ss_sp = memory, .ss_size = ALTERNATE };

	MUST(sigaltstack(&mine, NULL) == 0);
}

static bool
signal_stack_is(const void *memory)
{
	stack_t now;

	return sigaltstack(NULL, &now) == 0 && (memory == NULL ?
	    now.ss_flags & SS_DISABLE : now.ss_sp == memory);
}

static void
overflow_on_own_signal_stack(void)
{
	void *memory = malloc(ALTERNATE);

	set_signal_stack(memory);
	run_small("harmless", write_to, said);
	MUST(signal_stack_is(memory));
	overflow();
}

START_TEST(a_thread_that_has_a_signal_stack_keeps_it)
{
	run_in_child(overflow_on_own_signal_stack);
	ck_assert(reported());
	assert_killed();
}
END_TEST

static pthread_key_t late;
static int cleaned_up;

/* After the loop has gone, whichever destructor is called first. */
static void
look_at_signal_stack(void *memory)
{
	static int rounds;

	if (++rounds < 2) {
		pthread_setspecific(late, memory);
		return;
	}
	cleaned_up = memory == &late ? signal_stack_is(NULL) : signal_stack_is(memory);
}

static void *
live_in_thread(void *memory)
{
	stack_t now;

	run_small("harmless", write_to, said);
	MUST(sigaltstack(NULL, &now) == 0 && !(now.ss_flags & SS_DISABLE));
	if (memory != NULL)
		set_signal_stack(memory);
	pthread_setspecific(late, memory != NULL ? memory : &late);
	return NULL;
}

static void
run_thread(void *memory)
{
	pthread_t thread;

	MUST(pthread_key_create(&late, look_at_signal_stack) == 0);
	MUST(pthread_create(&thread, NULL, live_in_thread, memory) == 0);
	MUST(pthread_join(thread, NULL) == 0 && cleaned_up);
}

static void
thread_without(void)
{
	run_thread(NULL);
}

static void
thread_with(void)
{
	/* Not malloc: AddressSanitizer unmaps what it takes for its own. */
	run_thread(mmap(NULL, ALTERNATE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANON, -1, 0));
}

START_TEST(the_end_of_a_thread_takes_away_our_signal_stack_and_no_other)
{
#ifdef WEFT_ASAN
	/* Each of its threads has one already, and weft makes none. */
	printf("skipped: AddressSanitizer has signal stacks of its own\n");
	(void)thread_without;
#else
	run_in_child(thread_without);
	assert_exit(0);
#endif
	run_in_child(thread_with);
	assert_exit(0);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("overflow");
	TCase *tc = test_case_unclean(suite, "overflow");

	tcase_add_test(tc, an_overflow_names_the_fiber_its_stack_and_its_function_and_kills);
	tcase_add_test(tc, an_overflow_is_reported_with_guards_by_mprotect);
	tcase_add_test(tc, endless_recursion_is_an_overflow);
	tcase_add_test(tc, the_report_tells_where_the_program_spawned_it);
	tcase_add_test(tc, an_overflow_is_reported_in_every_thread);
	tcase_add_test(tc, an_overflow_is_reported_in_a_forked_child);
	tcase_add_test(tc, a_thread_that_has_a_signal_stack_keeps_it);
	tcase_add_test(tc, the_end_of_a_thread_takes_away_our_signal_stack_and_no_other);
	return suite;
}

int
main(void)
{
	return weft_test_main_once(make_suite);
}
