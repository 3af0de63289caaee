/* SPDX-License-Identifier: MIT */
/* Streams without sockets: memory, pipes, devices, and a class of one's own. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "tests/streams.h"
#include "weft/class.h"
#include "weft/memory.h"
#include "weft/pipe.h"

static void
assert_fails(ssize_t result, int error)
{
	ck_assert_int_eq(result, -1);
	ck_assert_int_eq(errno, error);
}

/* --- lone memory streams */

START_TEST(what_is_fed_is_read_however_it_is_cut)
{
	static const char text[] = "one\ntwo\nthree";
	struct weft_stream *s = weft_memory_open();
	const char *line;
	size_t i;

	for (i = 0; i < sizeof text - 1; i++) {
		assert_fails(weft_stream_read_line(s, &line, WEFT_NOWAIT), EAGAIN);
		ck_assert_ok(weft_memory_feed(s, text + i, 1));
		if (text[i] == '\n')
			ck_assert_int_eq(weft_stream_read_line(s, &line, WEFT_NOWAIT), 4);
	}
	ck_assert_ok(weft_memory_feed_eof(s));
	ck_assert_int_eq(weft_stream_read_line(s, &line, WEFT_NOWAIT), 5);
	ck_assert_mem_eq(line, "three", 5);
	ck_assert_int_eq(weft_stream_read_line(s, &line, WEFT_NOWAIT), 0);
	assert_fails(weft_memory_feed(s, "x", 1), EPIPE);
	weft_stream_free(s);
}
END_TEST

static int
read_four(void *s)
{
	char got[4];

	return (int)weft_stream_read_exactly(s, got, 4, WEFT_NEVER);
}

START_TEST(feeding_wakes_who_reads)
{
	struct weft_stream *s = weft_memory_open();
	struct weft_fiber *reader = begin(read_four, s);

	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_memory_feed(s, "ab", 2));
	ck_assert_ok(weft_yield());
	ck_assert_ok(weft_memory_feed(s, "cd", 2));
	ck_assert_int_eq(end(reader), 4);
	weft_stream_free(s);
}
END_TEST

START_TEST(an_error_comes_after_what_was_fed_and_stays)
{
	struct weft_stream *s = weft_memory_open();
	char got[8];

	ck_assert_ok(weft_memory_feed(s, "ab", 2));
	ck_assert_ok(weft_memory_feed_error(s, EIO));
	assert_fails(weft_memory_feed_error(s, 0), EINVAL);
	ck_assert_int_eq(weft_stream_read(s, got, 8, WEFT_NEVER), 2);
	assert_fails(weft_stream_read(s, got, 8, WEFT_NEVER), EIO);
	assert_fails(weft_stream_read(s, got, 8, WEFT_NEVER), EIO);
	ck_assert_int_eq(weft_stream_error(s), EIO);
	weft_stream_free(s);
}
END_TEST

START_TEST(what_is_written_can_be_taken)
{
	struct weft_stream *s = weft_memory_open();
	char got[8];

	assert_fails(weft_memory_take(s, got, 8), EAGAIN);
	ck_assert_int_eq(weft_stream_write(s, "hello", 5, WEFT_NEVER), 5);
	ck_assert_int_eq(weft_memory_take(s, got, 2), 2);
	ck_assert_mem_eq(got, "he", 2);
	ck_assert_int_eq(weft_memory_take(s, got, 8), 3);
	ck_assert_ok(weft_stream_shutdown(s, WEFT_NEVER));
	ck_assert_int_eq(weft_memory_take(s, got, 8), 0);
	assert_fails(weft_stream_write(s, "x", 1, WEFT_NEVER), EPIPE);
	assert_fails(weft_stream_fd(s), ENOTSUP);
	weft_stream_free(s);
}
END_TEST

START_TEST(nobody_who_could_feed_it_is_a_deadlock)
{
	struct weft_stream *s = weft_memory_open();
	char got;

	assert_fails(weft_stream_read(s, &got, 1, WEFT_NEVER), EDEADLK);
	weft_stream_free(s);
}
END_TEST

/* --- pairs */

static int
write_much(void *s)
{
	static char big[300 * KIB];

	return weft_stream_write(s, big, sizeof big, WEFT_NEVER) == sizeof big &&
	    weft_stream_close(s, WEFT_NEVER) == 0 ? 0 : -errno;
}

START_TEST(a_pair_is_bounded_and_loses_nothing)
{
	struct weft_stream *ends[2];
	struct weft_fiber *writer;
	static char got[300 * KIB];

	ck_assert_ok(weft_memory_pair(ends));
	writer = begin(write_much, ends[0]);
	ck_assert_ok(weft_yield());
	ck_assert_uint_le(weft_stream_queued(ends[0]), 64 * KIB);
	ck_assert_int_eq(weft_stream_read_exactly(ends[1], got, sizeof got, WEFT_NEVER),
	    (ssize_t)sizeof got);
	ck_assert_int_eq(end(writer), 0);
	ck_assert_int_eq(weft_stream_read(ends[1], got, 1, WEFT_NEVER), 0);
	free_ends(ends);
}
END_TEST

START_TEST(an_end_that_is_gone_is_the_end_and_epipe)
{
	struct weft_stream *ends[2];
	char got;

	ck_assert_ok(weft_memory_pair(ends));
	ck_assert_int_eq(weft_stream_write(ends[0], "x", 1, WEFT_NEVER), 1);
	ck_assert_ok(weft_stream_close(ends[0], WEFT_NEVER));
	ck_assert_int_eq(weft_stream_read(ends[1], &got, 1, WEFT_NEVER), 1);
	ck_assert_int_eq(weft_stream_read(ends[1], &got, 1, WEFT_NEVER), 0);
	assert_fails(weft_stream_write(ends[1], "x", 1, WEFT_NEVER), EPIPE);
	free_ends(ends);
}
END_TEST

START_TEST(what_a_full_pair_cannot_take_is_dropped_by_close)
{
	struct weft_stream *ends[2];

	ck_assert_ok(weft_memory_pair(ends));
	fill_kernel(ends[0]);
	ck_assert_ok(weft_stream_set_watermarks(ends[0], 0, 100));
	write_all(ends[0], "dropped", 7);
	assert_fails(weft_stream_close(ends[0], weft_after(5)), ETIMEDOUT);
	ck_assert(weft_stream_closed(ends[0]));
	weft_stream_free(ends[0]);
	weft_stream_free(ends[1]);
}
END_TEST

START_TEST(an_end_that_is_aborted_is_a_reset)
{
	struct weft_stream *ends[2];
	char got;

	ck_assert_ok(weft_memory_pair(ends));
	weft_stream_abort(ends[0]);
	assert_fails(weft_stream_read(ends[1], &got, 1, WEFT_NEVER), ECONNRESET);
	free_ends(ends);
}
END_TEST

/* --- pipes and devices */

START_TEST(a_pipe_carries_bytes_one_way)
{
	struct weft_stream *ends[2];
	struct feeder feeder;
	static char sent[200 * KIB], got[sizeof sent];
	size_t i;

	for (i = 0; i < sizeof sent; i++)
		sent[i] = (char)(i % 251);
	ck_assert_ok(weft_pipe_pair(ends));
	feed_begin(&feeder, ends[1], sent, sizeof sent, chunks[_i] * 10, true);
	ck_assert_int_eq(weft_stream_read_exactly(ends[0], got, sizeof got, soon_enough()),
	    (ssize_t)sizeof got);
	ck_assert_mem_eq(got, sent, sizeof sent);
	ck_assert_int_eq(weft_stream_read(ends[0], got, 1, soon_enough()), 0);
	feed_end(&feeder);
	assert_fails(weft_stream_write(ends[0], "x", 1, WEFT_NOWAIT), ENOTSUP);
	assert_fails(weft_stream_read(ends[1], got, 1, WEFT_NOWAIT), ENOTSUP);
	free_ends(ends);
}
END_TEST

START_TEST(a_pipe_that_nobody_reads_is_epipe_and_no_signal)
{
	struct weft_stream *ends[2];

	ck_assert_ptr_ne(signal(SIGPIPE, SIG_DFL), SIG_ERR);
	ck_assert_ok(weft_pipe_pair(ends));
	ck_assert_ok(weft_stream_close(ends[0], WEFT_NEVER));
	assert_fails(weft_stream_write(ends[1], "x", 1, soon_enough()), EPIPE);
	free_ends(ends);
}
END_TEST

START_TEST(one_descriptor_for_both_is_closed_once)
{
	int fd = open("/dev/null", O_RDWR), other;
	struct weft_stream *s = weft_pipe_open(fd, fd);
	char got;

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(weft_stream_write(s, "gone", 4, soon_enough()), 4);
	ck_assert_int_eq(weft_stream_read(s, &got, 1, soon_enough()), 0);
	ck_assert(!weft_stream_can_shutdown(s));
	ck_assert_ok(weft_stream_close(s, WEFT_NEVER));
	other = open("/dev/null", O_RDONLY);
	ck_assert_int_eq(other, fd);
	weft_stream_free(s);
	ck_assert_int_ne(fcntl(other, F_GETFD), -1);
	close(other);
}
END_TEST

START_TEST(a_regular_file_is_always_ready)
{
	char path[] = "/tmp/weft-file-XXXXXX", got[8];
	int fd = mkstemp(path);
	struct weft_stream *s = weft_pipe_open(fd, fd);

	unlink(path);
	ck_assert_int_eq(weft_stream_write(s, "line\n", 5, soon_enough()), 5);
	ck_assert_ok(weft_stream_flush(s, soon_enough()));
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(weft_stream_read(s, got, 8, soon_enough()), 5);
	ck_assert_int_eq(weft_stream_read(s, got, 8, soon_enough()), 0);
	weft_stream_free(s);
}
END_TEST

START_TEST(two_descriptors_that_go_separate_ways)
{
	int there[2], back[2], fd;
	struct weft_stream *s;
	char got;

	ck_assert_ok(pipe(there));
	ck_assert_ok(pipe(back));
	s = weft_pipe_open(back[0], there[1]);
	ck_assert_ptr_nonnull(s);
	fd = weft_stream_fd(s);
	ck_assert_int_eq(fd, back[0]);
	ck_assert_int_eq(weft_stream_write_fd(s), there[1]);
	assert_fails(weft_stream_detach(s), ENOTSUP);
	ck_assert_int_eq(weft_stream_write(s, "a", 1, soon_enough()), 1);
	ck_assert_ok(weft_stream_shutdown(s, soon_enough()));
	ck_assert_int_eq(read(there[0], &got, 1), 1);
	ck_assert_int_eq(read(there[0], &got, 1), 0);
	ck_assert_int_eq(write(back[1], "b", 1), 1);
	ck_assert_int_eq(weft_stream_read(s, &got, 1, soon_enough()), 1);
	weft_stream_free(s);
	close(there[0]);
	close(back[1]);
}
END_TEST

START_TEST(descriptors_that_are_not_taken_stay_the_callers)
{
	int ends[2];

	ck_assert_ok(pipe(ends));
	ck_assert_ptr_null(weft_pipe_open(ends[1], -1));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(weft_pipe_open(-1, ends[0]));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(weft_pipe_open(-1, -1));
	ck_assert_int_eq(errno, EBADF);
	ck_assert_ptr_null(weft_pipe_open(ends[0], 9999));
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_ne(fcntl(ends[0], F_GETFD), -1);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* --- a class on top of another stream */

static ssize_t
upper_read(struct weft_stream *s, void *dst, size_t n)
{
	char *byte = dst;
	ssize_t got = weft_stream_read(weft_stream_object(s), dst, n, WEFT_NOWAIT), i;

	for (i = 0; i < got; i++)
		if (byte[i] >= 'a' && byte[i] <= 'z')
			byte[i] = (char)(byte[i] - 'a' + 'A');
	return got;
}

static ssize_t
upper_writev(struct weft_stream *s, const struct iovec *iov, int count)
{
	return weft_stream_writev(weft_stream_object(s), iov, count, WEFT_NOWAIT);
}

static int
upper_want(struct weft_stream *s, int events)
{
	return weft_stream_want(weft_stream_object(s), events, s);
}

static void
upper_close(struct weft_stream *s, bool reset)
{
	(void)reset;
	weft_stream_free(weft_stream_object(s));
}

static const struct weft_stream_class upper = {
	.size = sizeof upper, .name = "upper", .read = upper_read, .writev = upper_writev,
	.want = upper_want, .close = upper_close
};

START_TEST(a_class_on_top_of_any_stream_waits_and_finds_records)
{
	struct weft_stream *ends[2], *s;
	struct feeder feeder;
	const char *line;

	open_sweep(_i, ends);
	s = weft_stream_new(&upper, ends[0]);
	ck_assert_ptr_nonnull(s);
	feed_begin(&feeder, ends[1], "hello\nworld\n", 12, chunk_of(_i), true);
	ck_assert_int_eq(weft_stream_read_line(s, &line, soon_enough()), 6);
	ck_assert_mem_eq(line, "HELLO\n", 6);
	ck_assert_int_eq(weft_stream_read_line(s, &line, soon_enough()), 6);
	ck_assert_mem_eq(line, "WORLD\n", 6);
	ck_assert_int_eq(weft_stream_read_line(s, &line, soon_enough()), 0);
	feed_end(&feeder);
	ck_assert_int_eq(weft_stream_write(s, "x", 1, soon_enough()), 1);
	weft_stream_free(s);
	weft_stream_free(ends[1]);
}
END_TEST

START_TEST(a_class_without_the_least_is_einval)
{
	struct weft_stream_class broken = upper;

	ck_assert_ptr_null(weft_stream_new(NULL, NULL));
	ck_assert_int_eq(errno, EINVAL);
	broken.want = NULL;
	ck_assert_ptr_null(weft_stream_new(&broken, NULL));
	ck_assert_int_eq(errno, EINVAL);
	broken = upper;
	broken.size = 8;
	ck_assert_ptr_null(weft_stream_new(&broken, NULL));
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("memory");
	TCase *tc = test_case(suite, backend);

	tcase_add_test(tc, what_is_fed_is_read_however_it_is_cut);
	tcase_add_test(tc, feeding_wakes_who_reads);
	tcase_add_test(tc, an_error_comes_after_what_was_fed_and_stays);
	tcase_add_test(tc, what_is_written_can_be_taken);
	tcase_add_test(tc, nobody_who_could_feed_it_is_a_deadlock);
	tcase_add_test(tc, a_pair_is_bounded_and_loses_nothing);
	tcase_add_test(tc, an_end_that_is_gone_is_the_end_and_epipe);
	tcase_add_test(tc, what_a_full_pair_cannot_take_is_dropped_by_close);
	tcase_add_test(tc, an_end_that_is_aborted_is_a_reset);
	tcase_add_loop_test(tc, a_pipe_carries_bytes_one_way, 2, chunk_count);
	tcase_add_test(tc, a_pipe_that_nobody_reads_is_epipe_and_no_signal);
	tcase_add_test(tc, one_descriptor_for_both_is_closed_once);
	tcase_add_test(tc, a_regular_file_is_always_ready);
	tcase_add_test(tc, two_descriptors_that_go_separate_ways);
	tcase_add_test(tc, descriptors_that_are_not_taken_stay_the_callers);
	SWEEP(tc, a_class_on_top_of_any_stream_waits_and_finds_records);
	tcase_add_test(tc, a_class_without_the_least_is_einval);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
