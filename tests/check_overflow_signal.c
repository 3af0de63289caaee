/* SPDX-License-Identifier: MIT */
/*
 * tests/check_overflow_signal.c - who has the signal after an overflow has been reported, and
 * who has it if it was another fault.
 */
#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "fiber/context.h"
#include "tests/overflows.h"
#include "tests/under_valgrind.h"

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
#ifdef WEFT__TSAN               /* runs handlers with every signal blocked */
	sigdelset(&mask, signal);
#endif
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

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("overflow");
	TCase *tc = test_case_unclean(suite, "overflow");

	tcase_add_test(tc, a_handler_from_before_gets_the_overflow_after_the_report);
	tcase_add_test(tc, a_handler_from_after_is_alone);
	tcase_add_test(tc, another_fault_is_not_reported_and_kills);
	tcase_add_test(tc, a_stray_write_to_the_guard_of_another_fiber_is_no_overflow);
	tcase_add_test(tc, a_signal_that_is_sent_does_what_it_did);
	/* With SA_NODEFER it leaves sa_mask out, and after a siglongjmp out of a
	 * handler it does not know any more what has a value. */
	if (RUNNING_ON_VALGRIND)
		return suite;
	tcase_add_test(tc, a_handler_from_before_has_its_mask_and_its_flags);
	tcase_add_test(tc, another_fault_goes_to_the_program_each_time);
	return suite;
}

int
main(void)
{
	return weft_test_main_once(make_suite);
}
