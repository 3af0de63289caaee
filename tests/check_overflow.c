/* SPDX-License-Identifier: MIT */
/*
 * tests/check_overflow.c - a fiber that runs into the guard of its stack, in a
 * process of its own each time: what it says, and who has the signal then.
 */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fiber/stack.h"
#include "fiber/stack_guard.h"
#include "tests/harness.h"

enum { SMALL = 65536, ALTERNATE = 65536, HANDLED = 42, WRONG = 43 };

#define MUST(condition) \
	do { \
		if (!(condition)) \
			_exit(WRONG); \
	} while (0)

/* What the child wrote to its standard error output, and how it ended. */
static char said[4096];
static int status;

static void
run_in_child(void (*scenario)(void))
{
	size_t length = 0;
	ssize_t n = 1;
	int ends[2];
	pid_t child;

	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		/* A sanitizer's handler would have the fault else. */
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		scenario();
		_exit(0);
	}
	close(ends[1]);
	while (n > 0 && length < sizeof said - 1) {
		n = read(ends[0], said + length, sizeof said - 1 - length);
		length += n > 0 ? (size_t)n : 0;
	}
	said[length] = '\0';
	close(ends[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
}

static void
assert_killed(void)
{
	ck_assert_msg(WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV ||
	    WTERMSIG(status) == SIGBUS), "status %#x, and it said: %s", status, said);
}

static void
assert_exit(int code)
{
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code,
	    "status %#x, and it said: %s", status, said);
}

static bool
reported(void)
{
	return strstr(said, "stack overflow in fiber") != NULL;
}

/* --- fibers that fault */

/* Into the guard, and not over it. */
static int
run_over(void *arg)
{
	volatile char *low = (char *)&arg;

	for (size_t i = 0; i < SMALL + weft__page_size(); i += 512)
		low[-(ptrdiff_t)i] = 1;
	return 0;
}

/* As programs do it. */
static int
recurse(int depth)
{
	volatile char frame[256];

	frame[0] = (char)depth;
	return depth == 0 ? 0 : recurse(depth - 1) + frame[0];
}

static int
run_deep(void *arg)
{
	return recurse(100000) + (arg != NULL);
}

static int
write_to(void *arg)
{
	*(volatile char *)arg = 1;
	return 0;
}

static void
run_small(const char *name, weft_fn *fn, void *arg)
{
	const struct weft_fiber_options small = { sizeof small, name, SMALL };
	struct weft_fiber *fiber = weft_spawn_with(&small, fn, arg);

	MUST(fiber != NULL);
	weft_join(fiber, NULL, WEFT_NEVER);
}

static void
overflow(void)
{
	run_small("deep \"\n", run_over, NULL);
}

static void *
forbidden_page(void)
{
	void *page = mmap(NULL, weft__page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);

	MUST(page != MAP_FAILED);
	return page;
}

/* --- handlers of the program's own */

static sigjmp_buf out;
static volatile int caught;
static void *volatile caught_at;

static void
exit_handled(int signal)
{
	(void)signal;
	_exit(HANDLED);
}

static void
exit_handled_if_reset(int signal)
{
	struct sigaction now;
	sigset_t mask;

	sigaction(signal, NULL, &now);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	_exit(now.sa_handler == SIG_DFL && sigismember(&mask, SIGUSR1) == 1 &&
	    sigismember(&mask, signal) == 0 ? HANDLED : WRONG);
}

static void
jump_out(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	caught++;
	caught_at = info->si_addr;
	siglongjmp(out, 1);
}

static void
handle_with(void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigaddset(&action.sa_mask, SIGUSR1);
	MUST(sigaction(SIGSEGV, &action, NULL) == 0);
	MUST(sigaction(SIGBUS, &action, NULL) == 0);
}

static void
handle_with_info(void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	MUST(sigaction(SIGSEGV, &action, NULL) == 0);
	MUST(sigaction(SIGBUS, &action, NULL) == 0);
}

/* --- the report */

START_TEST(an_overflow_names_the_fiber_its_stack_and_its_function_and_kills)
{
	char expected[160];

	run_in_child(overflow);
	snprintf(expected, sizeof expected, "weft: stack overflow in fiber 2 "
	    "\"deep ??\", stack %d KiB, function %p, spawned at 0x", SMALL >> 10,
	    (void *)(uintptr_t)run_over);
	ck_assert_msg(strncmp(said, expected, strlen(expected)) == 0, "%s", said);
	ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);
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

/* --- who has the signal then */

static void
handled_before(void)
{
	handle_with(exit_handled, 0);
	overflow();
}

START_TEST(a_handler_from_before_gets_the_overflow_after_the_report)
{
	run_in_child(handled_before);
	ck_assert(reported());
	assert_exit(HANDLED);
}
END_TEST

static void
handled_as_asked(void)
{
	handle_with(exit_handled_if_reset, (int)(SA_RESETHAND | SA_NODEFER));
	overflow();
}

START_TEST(a_handler_from_before_has_its_mask_and_its_flags)
{
	run_in_child(handled_as_asked);
	ck_assert(reported());
	assert_exit(HANDLED);
}
END_TEST

static void
handled_after(void)
{
	run_small("harmless", write_to, said);
	handle_with(exit_handled, SA_ONSTACK);
	overflow();
}

START_TEST(a_handler_from_after_is_alone)
{
	run_in_child(handled_after);
	ck_assert_str_eq(said, "");
	assert_exit(HANDLED);
}
END_TEST

/* --- other faults */

static void
fault_in_fiber(void)
{
	run_small("wild", write_to, forbidden_page());
}

START_TEST(another_fault_is_not_reported_and_kills)
{
	run_in_child(fault_in_fiber);
	ck_assert_str_eq(said, "");
	assert_killed();
}
END_TEST

static int
fault_and_go_on(void *arg)
{
	char *page = forbidden_page();
	volatile int i;

	(void)arg;
	for (i = 0; i < 3; i++)
		if (sigsetjmp(out, 1) == 0)
			write_to(page + i);
	MUST(caught == 3 && caught_at == page + 2);
	return 0;
}

static void
faults_are_caught(void)
{
	handle_with_info(jump_out);
	run_small("wild", fault_and_go_on, NULL);
	fault_and_go_on((caught = 0, NULL));
}

START_TEST(another_fault_goes_to_the_program_each_time)
{
	run_in_child(faults_are_caught);
	ck_assert_str_eq(said, "");
	assert_exit(0);
}
END_TEST

static int
write_below(void *arg)
{
	struct weft_fiber *other = arg;
	char *guard = (char *)((uintptr_t)other / SMALL * SMALL);
	int i;

	/* Whichever page of the slot before it is the guard. */
	for (i = 0; i < 64; i++)
		write_to(guard - (size_t)i * weft__page_size());
	return 0;
}

static int
just_wait(void *arg)
{
	(void)arg;
	return weft_park(WEFT_NEVER);
}

static void
stray_write(void)
{
	const struct weft_fiber_options small = { sizeof small, "other", SMALL };

	run_small("wild", write_below, weft_spawn_with(&small, just_wait, NULL));
}

START_TEST(a_stray_write_to_the_guard_of_another_fiber_is_no_overflow)
{
	run_in_child(stray_write);
	ck_assert_str_eq(said, "");
	assert_killed();
}
END_TEST

static void
signal_sent(void)
{
	run_small("harmless", write_to, said);
	raise(SIGSEGV);
}

static void
signal_sent_and_ignored(void)
{
	handle_with(SIG_IGN, 0);
	run_small("harmless", write_to, said);
	raise(SIGSEGV);
	raise(SIGBUS);
	_exit(HANDLED);
}

START_TEST(a_signal_that_is_sent_does_what_it_did)
{
	run_in_child(signal_sent);
	ck_assert_str_eq(said, "");
	assert_killed();
	run_in_child(signal_sent_and_ignored);
	assert_exit(HANDLED);
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
	TCase *tc = test_case_unclean(suite, "report");

	tcase_add_test(tc, an_overflow_names_the_fiber_its_stack_and_its_function_and_kills);
	tcase_add_test(tc, an_overflow_is_reported_with_guards_by_mprotect);
	tcase_add_test(tc, endless_recursion_is_an_overflow);
	tcase_add_test(tc, the_report_tells_where_the_program_spawned_it);
	tcase_add_test(tc, an_overflow_is_reported_in_every_thread);
	tcase_add_test(tc, an_overflow_is_reported_in_a_forked_child);
	tc = test_case_unclean(suite, "signal");
	tcase_add_test(tc, a_handler_from_before_gets_the_overflow_after_the_report);
	tcase_add_test(tc, a_handler_from_before_has_its_mask_and_its_flags);
	tcase_add_test(tc, a_handler_from_after_is_alone);
	tcase_add_test(tc, another_fault_is_not_reported_and_kills);
	tcase_add_test(tc, another_fault_goes_to_the_program_each_time);
	tcase_add_test(tc, a_stray_write_to_the_guard_of_another_fiber_is_no_overflow);
	tcase_add_test(tc, a_signal_that_is_sent_does_what_it_did);
	tc = test_case_unclean(suite, "stack");
	tcase_add_test(tc, a_thread_that_has_a_signal_stack_keeps_it);
	tcase_add_test(tc, the_end_of_a_thread_takes_away_our_signal_stack_and_no_other);
	return suite;
}

int
main(void)
{
	return weft_test_main_once(make_suite);
}
