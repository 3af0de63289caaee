/* SPDX-License-Identifier: MIT */
/* Descriptors and credentials through Unix sockets. */
#include "config.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/streams.h"
#include "tests/under_valgrind.h"
#include "weft.h"

enum { MANY = 5 };

static struct weft_stream *ends[2];

static void
set_up(void)
{
	start_clean();
	ck_assert_ok(weft_unix_pair(ends));
}

static void
tear_down(void)
{
	weft_stream_free(ends[0]);
	weft_stream_free(ends[1]);
	assert_clean();
}

/* Whether two descriptors are of the same file. */
static void
assert_same_file(int a, int b)
{
	struct stat one, other;

	ck_assert_ok(fstat(a, &one));
	ck_assert_ok(fstat(b, &other));
	ck_assert(one.st_dev == other.st_dev && one.st_ino == other.st_ino);
}

START_TEST(a_descriptor_arrives_close_on_exec)
{
	int pipe_ends[2], fd;

	ck_assert_ok(pipe(pipe_ends));
	ck_assert_ok(weft_stream_send_fd(ends[0], pipe_ends[0], soon_enough()));
	errno = 12345;
	fd = weft_stream_recv_fd(ends[1], soon_enough());
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(errno, 12345);
	assert_same_file(fd, pipe_ends[0]);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	close(fd);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}
END_TEST

START_TEST(several_arrive_in_order)
{
	int sent[MANY], got[MANY + 1], i;

	for (i = 0; i < MANY; i++)
		ck_assert_int_ge(sent[i] = dup(i % 2), 0);
	ck_assert_ok(weft_stream_send_fds(ends[0], sent, MANY, soon_enough()));
	ck_assert_int_eq(weft_stream_recv_fds(ends[1], got, MANY + 1, soon_enough()), MANY);
	for (i = 0; i < MANY; i++) {
		assert_same_file(sent[i], got[i]);
		close(sent[i]);
		close(got[i]);
	}
}
END_TEST

/* For one to MANY - 1 places: whatever fits by chance of alignment, too. */
START_TEST(more_than_there_is_room_for_is_emfile_and_leaves_nothing_open)
{
	int sent[MANY], got[MANY], before, i;
	char byte;

	for (i = 0; i < MANY; i++)
		ck_assert_int_ge(sent[i] = dup(0), 0);
	before = open_descriptors();
	ck_assert_ok(weft_stream_send_fds(ends[0], sent, MANY, soon_enough()));
	ck_assert_int_eq(weft_stream_write(ends[0], "x", 1, soon_enough()), 1);
	ck_assert_int_eq(weft_stream_recv_fds(ends[1], got, _i, soon_enough()), -1);
	ck_assert_int_eq(errno, EMFILE);
	ck_assert_int_eq(open_descriptors(), before);
	ck_assert_int_eq(weft_stream_read(ends[1], &byte, 1, soon_enough()), 1);
	ck_assert_int_eq(byte, 'x');
	for (i = 0; i < MANY; i++)
		close(sent[i]);
}
END_TEST

START_TEST(at_the_limit_of_descriptors_it_is_emfile_and_leaves_nothing_open)
{
	struct rlimit limit;
	rlim_t old;
	int before, last;

	ck_assert_ok(weft_stream_send_fd(ends[0], 0, soon_enough()));
	before = open_descriptors();
	ck_assert_int_ge(last = dup(0), 0);
	close(last);
	ck_assert_ok(getrlimit(RLIMIT_NOFILE, &limit));
	old = limit.rlim_cur;
	limit.rlim_cur = (rlim_t)last;
	ck_assert_ok(setrlimit(RLIMIT_NOFILE, &limit));
	ck_assert_int_eq(weft_stream_recv_fd(ends[1], soon_enough()), -1);
	ck_assert_int_eq(errno, EMFILE);
	limit.rlim_cur = old;
	ck_assert_ok(setrlimit(RLIMIT_NOFILE, &limit));
	ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

START_TEST(a_byte_without_a_descriptor_is_enomsg_and_consumed)
{
	char byte;

	ck_assert_int_eq(weft_stream_write(ends[0], "ab", 2, soon_enough()), 2);
	ck_assert_int_eq(weft_stream_recv_fd(ends[1], soon_enough()), -1);
	ck_assert_int_eq(errno, ENOMSG);
	ck_assert_int_eq(weft_stream_read(ends[1], &byte, 1, soon_enough()), 1);
	ck_assert_int_eq(byte, 'b');
}
END_TEST

START_TEST(a_byte_that_was_read_ahead_is_enomsg_too)
{
	char byte;

	ck_assert_int_eq(weft_stream_write(ends[0], "ab", 2, soon_enough()), 2);
	ck_assert_int_eq(weft_stream_read(ends[1], &byte, 1, soon_enough()), 1);
	ck_assert_uint_eq(weft_stream_buffered(ends[1]), 1);
	ck_assert_int_eq(weft_stream_recv_fd(ends[1], soon_enough()), -1);
	ck_assert_int_eq(errno, ENOMSG);
	ck_assert_uint_eq(weft_stream_buffered(ends[1]), 0);
}
END_TEST

START_TEST(the_end_of_the_stream_is_epipe)
{
	ck_assert_ok(weft_stream_close(ends[0], soon_enough()));
	ck_assert_int_eq(weft_stream_recv_fd(ends[1], soon_enough()), -1);
	ck_assert_int_eq(errno, EPIPE);
}
END_TEST

START_TEST(nothing_yet_is_eagain_or_etimedout)
{
	ck_assert_int_eq(weft_stream_recv_fd(ends[1], WEFT_NOWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(weft_stream_recv_fd(ends[1], weft_after(5)), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
}
END_TEST

static int
receive_one(void *unused)
{
	int fd = weft_stream_recv_fd(ends[1], soon_enough());

	(void)unused;
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : -errno;
}

START_TEST(who_waits_for_a_descriptor_gets_it)
{
	struct weft_fiber *receiver = begin(receive_one, NULL);

	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_stream_send_fd(ends[0], 1, soon_enough()));
	ck_assert_int_eq(end(receiver), 0);
}
END_TEST

START_TEST(close_wakes_who_waits_for_a_descriptor)
{
	struct weft_fiber *receiver = begin(receive_one, NULL);

	ck_assert_ok(weft_yield());
	weft_stream_free(ends[1]);
	ck_assert_int_eq(end(receiver), -EBADF);
	ends[1] = NULL;
}
END_TEST

/* The queue first, the descriptor behind it. */
START_TEST(a_descriptor_keeps_its_place_behind_what_is_queued)
{
	static char big[1 << 18], got[sizeof big];
	struct weft_fiber *receiver;
	ssize_t queued;

	memset(big, 'q', sizeof big);
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 0, sizeof big));
	queued = weft_stream_write(ends[0], big, sizeof big, soon_enough());
	ck_assert_int_eq(queued, (ssize_t)sizeof big);
	ck_assert_uint_gt(weft_stream_queued(ends[0]), 0);
	ck_assert_int_eq(weft_stream_send_fd(ends[0], 0, WEFT_NOWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(weft_stream_read_exactly(ends[1], got, sizeof got - 100,
	    soon_enough()), (ssize_t)sizeof got - 100);
	ck_assert_ok(weft_stream_flush(ends[0], soon_enough()));
	ck_assert_int_eq(weft_stream_read_exactly(ends[1], got, 100, soon_enough()), 100);
	receiver = begin(receive_one, NULL);
	ck_assert_ok(weft_stream_send_fd(ends[0], 0, soon_enough()));
	ck_assert_int_eq(end(receiver), 0);
}
END_TEST

START_TEST(the_peer_is_this_process)
{
	uid_t uid;
	gid_t gid;
	pid_t pid;

#if defined(WEFT_WITHOUT_SO_PEERCRED) && !defined(HAVE_GETPEEREID)
	ck_assert_fails(weft_stream_peer_credentials(ends[0], &uid, &gid, &pid), ENOTSUP);
	return;
#endif
	ck_assert_ok(weft_stream_peer_credentials(ends[0], &uid, &gid, &pid));
	ck_assert_int_eq(uid, geteuid());
	ck_assert_int_eq(gid, getegid());
	ck_assert(pid == getpid() || pid == (pid_t)-1);
	ck_assert_ok(weft_stream_peer_credentials(ends[0], NULL, NULL, NULL));
}
END_TEST

static void
assert_refused(int result, int error)
{
	ck_assert_int_eq(result, -1);
	ck_assert_int_eq(errno, error);
}

START_TEST(what_cannot_be_is_refused)
{
	struct weft_stream *tcp[2];
	int fds[WEFT_FDS_MAX + 1] = { 0 };

	open_tcp(tcp);
	assert_refused(weft_stream_send_fd(tcp[0], 0, WEFT_NOWAIT), ENOTSUP);
	assert_refused(weft_stream_recv_fd(tcp[0], WEFT_NOWAIT), ENOTSUP);
	assert_refused(weft_stream_peer_credentials(tcp[0], NULL, NULL, NULL), ENOTSUP);
	free_ends(tcp);
	assert_refused(weft_stream_send_fds(ends[0], fds, 0, WEFT_NOWAIT), EINVAL);
	assert_refused(weft_stream_send_fds(ends[0], fds, WEFT_FDS_MAX + 1, WEFT_NOWAIT), EINVAL);
	assert_refused(weft_stream_recv_fds(ends[0], fds, 0, WEFT_NOWAIT), EINVAL);
	assert_refused(weft_stream_send_fd(ends[0], -1, soon_enough()), EBADF);
	ck_assert_ok(weft_stream_close(ends[0], soon_enough()));
	assert_refused(weft_stream_send_fd(ends[0], 0, WEFT_NOWAIT), EBADF);
	assert_refused(weft_stream_recv_fd(ends[0], WEFT_NOWAIT), EBADF);
	assert_refused(weft_stream_peer_credentials(ends[0], NULL, NULL, NULL), EBADF);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("unix_pass");
	TCase *tc = test_case_unclean(suite, backend);

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_descriptor_arrives_close_on_exec);
	tcase_add_test(tc, several_arrive_in_order);
	tcase_add_loop_test(tc, more_than_there_is_room_for_is_emfile_and_leaves_nothing_open,
	    1, MANY);
	if (!RUNNING_ON_VALGRIND)               /* it keeps a limit of its own */
		tcase_add_test(tc,
		    at_the_limit_of_descriptors_it_is_emfile_and_leaves_nothing_open);
	tcase_add_test(tc, a_byte_without_a_descriptor_is_enomsg_and_consumed);
	tcase_add_test(tc, a_byte_that_was_read_ahead_is_enomsg_too);
	tcase_add_test(tc, the_end_of_the_stream_is_epipe);
	tcase_add_test(tc, nothing_yet_is_eagain_or_etimedout);
	tcase_add_test(tc, who_waits_for_a_descriptor_gets_it);
	tcase_add_test(tc, close_wakes_who_waits_for_a_descriptor);
	tcase_add_test(tc, a_descriptor_keeps_its_place_behind_what_is_queued);
	tcase_add_test(tc, the_peer_is_this_process);
	tcase_add_test(tc, what_cannot_be_is_refused);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
