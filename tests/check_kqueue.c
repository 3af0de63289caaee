/* SPDX-License-Identifier: MIT */
/*
 * tests/check_kqueue.c - what is special about the kqueue backend. It is only
 * linked with the double of kqueue; each test is run on both of its kernels.
 */
#include "config.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "tests/slots.h"
#include "tests/under_valgrind.h"

extern unsigned long kqueue_kevents;    /* calls, counted by the double */

static bool
openbsd(void)
{
	return strcmp(getenv("KQUEUE_DOUBLE"), "openbsd") == 0;
}

static void
make_sockets(int ends[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
}

static void
fill(int fd)
{
	static const char bytes[4096];

	while (write(fd, bytes, sizeof bytes) > 0)
		;
}

/* --- what a kernel refuses */

START_TEST(what_the_kernel_does_not_poll_is_ready_if_select_says_so)
{
	static const char *const files[] = { "/dev/null", "/dev/zero" };
	struct once once;

	for (int i = 0; i < 2; i++) {
		int fd = open(files[i], O_RDWR);
		struct weft__slot *slot = weft__slot_open(&reactor, fd, WEFT__ONCE);

		wait_once(slot, &once, WEFT_READABLE);
		poll_now();
		ck_assert_int_eq(slot->mode, WEFT__ONCE);
		ck_assert_int_eq(once.calls, 1);
		ck_assert_int_eq(once.events, WEFT_READABLE);
		poll_now();
		ck_assert_int_eq(once.calls, 1);
		weft__slot_close(&reactor, slot);
		close(fd);
	}
}
END_TEST

/* FreeBSD refuses it with EPIPE, OpenBSD reports the end. */
START_TEST(a_pipe_that_nobody_reads_is_ready_to_be_written)
{
	struct listener listener;
	struct weft__slot *slot;
	int ends[2];

	make_pipe(ends);
	close(ends[0]);
	slot = open_slot(ends[1], _i == 0 ? WEFT__EDGE : WEFT__ONCE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_WRITABLE));
	poll_now();
	ck_assert_int_eq(listener.calls, 1);
	ck_assert_int_eq(listener.events, WEFT_READABLE | WEFT_WRITABLE | WEFT__ENDED);
	poll_now();
	ck_assert_int_eq(listener.calls, 1);
	weft__slot_close(&reactor, slot);
	close(ends[1]);
}
END_TEST

/* --- what an end means */

START_TEST(a_pipe_whose_reader_goes_wakes_its_writer)
{
	struct listener listener;
	struct weft__slot *slot;
	int ends[2];

	make_pipe(ends);
	fill(ends[1]);
	slot = open_slot(ends[1], WEFT__EDGE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_WRITABLE));
	poll_now();
	ck_assert_int_eq(listener.calls, 0);
	close(ends[0]);
	poll_now();
	ck_assert_int_eq(listener.calls, 1);
	ck_assert_int_eq(listener.events, WEFT_READABLE | WEFT_WRITABLE | WEFT__ENDED);
}
END_TEST

START_TEST(our_own_shutdown_is_not_the_end)
{
	struct listener listener;
	struct weft__slot *slot;
	int ends[2];

	make_sockets(ends);
	slot = open_slot(ends[0], WEFT__EDGE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE | WEFT_WRITABLE));
	poll_now();
	ck_assert_int_eq(shutdown(ends[0], SHUT_WR), 0);
	poll_now();
	ck_assert_int_eq(listener.calls, 2);
	ck_assert_int_eq(listener.events, WEFT_WRITABLE);
	close(ends[1]);
	poll_now();
	ck_assert_int_eq(listener.events, WEFT_READABLE | WEFT_WRITABLE | WEFT__ENDED);
}
END_TEST

START_TEST(a_half_close_of_the_peer_does_not_wake_writers)
{
	struct once once;
	struct listener listener;
	struct weft__slot *slot;
	int ends[2];

	make_sockets(ends);
	fill(ends[0]);
	slot = open_slot(ends[0], WEFT__EDGE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	wait_once(slot, &once, WEFT_WRITABLE);
	put_byte(ends[1]);
	ck_assert_int_eq(shutdown(ends[1], SHUT_WR), 0);
	poll_now();
	ck_assert_int_eq(listener.events, WEFT_READABLE | WEFT__ENDED);
	ck_assert_int_eq(once.calls, 0);
	weft__slot_remove(slot, &once.waiter);
	close(ends[1]);
}
END_TEST

/* --- changes */

START_TEST(both_directions_go_in_by_one_call_and_out_by_one)
{
	struct listener listener;
	struct weft__slot *slot;
	unsigned long before = kqueue_kevents;
	int ends[2];

	make_sockets(ends);
	slot = open_slot(ends[0], WEFT__EDGE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE | WEFT_WRITABLE));
	ck_assert_uint_eq(kqueue_kevents - before, 1);
	weft__slot_close(&reactor, slot);
	ck_assert_uint_eq(kqueue_kevents - before, 2);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(the_second_direction_goes_in_with_the_next_wait)
{
	struct listener listener;
	struct weft__slot *slot;
	unsigned long before;
	int ends[2];

	make_sockets(ends);
	slot = open_slot(ends[0], WEFT__EDGE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	before = kqueue_kevents;
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_WRITABLE));
	ck_assert_uint_eq(kqueue_kevents, before);
	poll_now();
	ck_assert_int_eq(listener.events, WEFT_WRITABLE);
	close(ends[1]);
}
END_TEST

START_TEST(a_change_for_a_slot_that_is_closed_never_reaches_the_next_file)
{
	struct listener old, new;
	struct weft__slot *slot;
	int ends[2], others[2];

	make_sockets(ends);
	make_sockets(others);
	slot = open_slot(ends[0], WEFT__EDGE, &old);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_WRITABLE));
	weft__slot_close(&reactor, slot);
	ck_assert_int_eq(dup2(others[0], ends[0]), ends[0]);
	open_slot(ends[0], WEFT__EDGE, &new);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	poll_now();
	ck_assert_int_eq(new.calls, 0);
	put_byte(others[1]);
	poll_now();
	ck_assert_int_eq(new.events, WEFT_READABLE);
	ck_assert_int_eq(old.calls, 1);
	ck_assert_uint_eq(reactor.stats.stale_events, 0);
	close(ends[1]);
	close(others[0]);
	close(others[1]);
}
END_TEST

START_TEST(a_list_of_changes_that_is_full_goes_in_early)
{
	enum { MANY = 400 };
	static struct listener listeners[MANY];
	static struct weft__slot *slots[MANY];
	int ends[2];

	make_sockets(ends);
	for (int i = 0; i < MANY; i++) {
		slots[i] = open_slot(dup(ends[0]), WEFT__EDGE, &listeners[i]);
		ck_assert_ok(weft__slot_want(&reactor, slots[i], WEFT_READABLE));
	}
	for (int i = 0; i < MANY; i++)
		if (weft__slot_want(&reactor, slots[i], WEFT_WRITABLE) < 0)
			ck_abort_msg("slot %d: %s", i, strerror(errno));
	for (int i = 0; i < 4; i++)
		poll_now();
	for (int i = 0; i < MANY; i++)
		ck_assert_int_ge(listeners[i].calls, 1);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(one_report_of_a_ONCE_slot_disarms_the_other_filter_too)
{
	struct listener listener;
	struct weft__slot *slot;
	int ends[2];

	make_sockets(ends);
	slot = open_slot(ends[0], WEFT__ONCE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE | WEFT_WRITABLE));
	poll_now();
	ck_assert_int_eq(listener.events, WEFT_WRITABLE);
	put_byte(ends[1]);
	poll_now();
	ck_assert_int_eq(listener.calls, 1);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	poll_now();
	ck_assert_int_eq(listener.calls, 2);
	ck_assert_int_eq(listener.events, WEFT_READABLE);
	weft__slot_close(&reactor, slot);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(what_has_gone_by_the_time_of_the_wait_is_not_reported)
{
	struct listener listener;
	struct weft__slot *slot;
	int ends[2];

	make_pipe(ends);
	slot = open_slot(ends[0], _i == 0 ? WEFT__EDGE : WEFT__ONCE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	put_byte(ends[1]);
	ck_assert_int_eq(weft__slot_probe(weft__reactor_fd(&reactor), WEFT_READABLE),
	    WEFT_READABLE);
	take_byte(ends[0]);
	poll_now();
	ck_assert_int_eq(listener.calls, 0);
	weft__slot_close(&reactor, slot);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* --- waits */

static void
nothing(int signal)
{
	(void)signal;
}

START_TEST(an_interrupted_wait_has_made_the_changes)
{
	static const struct itimerval soon = { .it_value.tv_usec = 20000 };
	struct sigaction action = { .sa_handler = nothing };
	struct listener listener;
	struct weft__slot *slot;
	int ends[2];

	sigaction(SIGALRM, &action, NULL);
	make_sockets(ends);
	fill(ends[0]);
	slot = open_slot(ends[0], WEFT__EDGE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_WRITABLE));
	ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
	weft__reactor_poll(&reactor, 30000);
	ck_assert_int_eq(listener.calls, 0);
	while (read(ends[1], (char[4096]){ 0 }, 4096) > 0)
		;
	poll_now();
	ck_assert_int_eq(listener.events, WEFT_WRITABLE);
	close(ends[1]);
}
END_TEST

START_TEST(a_wait_may_be_for_as_long_as_it_likes)
{
	struct listener listener;
	struct weft__slot *slot;
	int ends[2];

	make_pipe(ends);
	slot = open_slot(ends[0], WEFT__EDGE, &listener);
	ck_assert_ok(weft__slot_want(&reactor, slot, WEFT_READABLE));
	put_byte(ends[1]);
	weft__reactor_poll(&reactor, INT64_MAX);
	ck_assert_int_eq(listener.calls, 1);
	close(ends[1]);
}
END_TEST

/* --- children */

struct watch {
	struct weft__child child;       /* its waiter is first */
	int calls;
};

static void
note_end(struct weft__waiter *waiter, int events)
{
	ck_assert_int_eq(events, WEFT_READABLE);
	((struct watch *)waiter)->calls++;
}

static pid_t
child_until_closed(int *hold)
{
	int fds[2];
	pid_t child;
	char byte;

	make_pipe(fds);
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, 0), 0);
	child = fork();
	if (child == 0) {
		close(fds[1]);
		_exit(read(fds[0], &byte, 1) < 0);
	}
	ck_assert_int_gt(child, 0);
	close(fds[0]);
	*hold = fds[1];
	return child;
}

static void
wait_for_end_of(pid_t child)
{
	siginfo_t info;

	ck_assert_int_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
}

START_TEST(the_end_of_a_child_is_told_once_to_all_who_wait_for_it)
{
	struct watch watches[3] = { 0 };
	int holds[2];
	pid_t child = child_until_closed(&holds[0]), other = child_until_closed(&holds[1]);

	for (int i = 0; i < 3; i++) {
		watches[i].child.waiter.ready = note_end;
		watches[i].child.pid = i < 2 ? child : other;
		ck_assert_ok(weft__child_watch(&reactor, &watches[i].child));
	}
	poll_now();
	kill(child, SIGKILL);
	wait_for_end_of(child);
	poll_times(3);
	ck_assert_int_eq(watches[0].calls, 1);
	ck_assert_int_eq(watches[1].calls, 1);
	ck_assert_int_eq(watches[2].calls, 0);
	weft__child_forget(&reactor, &watches[2].child);
	kill(other, SIGKILL);
	wait_for_end_of(other);
	poll_times(3);
	ck_assert_int_eq(watches[2].calls, 0);
	ck_assert_uint_eq(reactor.stats.events, 1);
	ck_assert_uint_eq(reactor.stats.spins + reactor.stats.stale_events, 0);
	/* It has not been waited for: that is for whoever was told. */
	ck_assert_int_eq(waitpid(child, NULL, WNOHANG), child);
	ck_assert_int_eq(waitpid(other, NULL, WNOHANG), other);
}
END_TEST

START_TEST(a_child_that_has_ended_is_told_at_once_or_refused)
{
	struct watch watch = { .child.waiter.ready = note_end };
	int hold;

	watch.child.pid = child_until_closed(&hold);
	close(hold);
	wait_for_end_of(watch.child.pid);
	if (openbsd()) {
		ck_assert_fails(weft__child_watch(&reactor, &watch.child), ESRCH);
	} else {
		ck_assert_ok(weft__child_watch(&reactor, &watch.child));
		poll_now();
		ck_assert_int_eq(watch.calls, 1);
	}
	ck_assert_int_eq(waitpid(watch.child.pid, NULL, WNOHANG), watch.child.pid);
	ck_assert_fails(weft__child_watch(&reactor, &watch.child), ESRCH);
}
END_TEST

START_TEST(a_child_is_waited_for_in_a_new_queue_too)
{
	struct watch watch = { .child.waiter.ready = note_end };
	int hold;

	watch.child.pid = child_until_closed(&hold);
	ck_assert_ok(weft__child_watch(&reactor, &watch.child));
	ck_assert_int_eq(close(reactor.backend->fd(&reactor)), 0);
	if (_i == 0)                    /* else it ends while there is none */
		poll_now();
	close(hold);
	wait_for_end_of(watch.child.pid);
	poll_times(1 + _i);
	ck_assert_int_eq(watch.calls, 1);
	ck_assert_int_eq(waitpid(watch.child.pid, NULL, WNOHANG), watch.child.pid);
}
END_TEST

/* The child has not got the queue: the number is free, and the next file's. */
START_TEST(a_child_closes_nothing_that_is_not_its_own)
{
	int number = weft__reactor_fd(&reactor), status = -1;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		if (fcntl(number, F_GETFD) >= 0 || dup2(0, number) != number)
			_exit(1);
		reactor.backend->close(&reactor);
		_exit(fcntl(number, F_GETFD) >= 0 ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create(backend);
	TCase *tc = test_case_unclean(suite, "backend");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_the_kernel_does_not_poll_is_ready_if_select_says_so);
	tcase_add_loop_test(tc, a_pipe_that_nobody_reads_is_ready_to_be_written, 0, 2);
	tcase_add_test(tc, a_pipe_whose_reader_goes_wakes_its_writer);
	tcase_add_test(tc, our_own_shutdown_is_not_the_end);
	tcase_add_test(tc, a_half_close_of_the_peer_does_not_wake_writers);
	tcase_add_test(tc, both_directions_go_in_by_one_call_and_out_by_one);
	tcase_add_test(tc, the_second_direction_goes_in_with_the_next_wait);
	tcase_add_test(tc, a_change_for_a_slot_that_is_closed_never_reaches_the_next_file);
	tcase_add_test(tc, a_list_of_changes_that_is_full_goes_in_early);
	tcase_add_test(tc, one_report_of_a_ONCE_slot_disarms_the_other_filter_too);
	tcase_add_loop_test(tc, what_has_gone_by_the_time_of_the_wait_is_not_reported, 0, 2);
	tcase_add_test(tc, an_interrupted_wait_has_made_the_changes);
	tcase_add_test(tc, a_wait_may_be_for_as_long_as_it_likes);
	if (!RUNNING_ON_VALGRIND) {     /* it knows no pidfd, which the double needs */
		tcase_add_test(tc, the_end_of_a_child_is_told_once_to_all_who_wait_for_it);
		tcase_add_test(tc, a_child_that_has_ended_is_told_at_once_or_refused);
		tcase_add_loop_test(tc, a_child_is_waited_for_in_a_new_queue_too, 0, 2);
	}
	tcase_add_test(tc, a_child_closes_nothing_that_is_not_its_own);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
