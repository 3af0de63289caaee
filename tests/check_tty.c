/* SPDX-License-Identifier: MIT */
/*
 * tests/check_tty.c - streams on pseudo-terminals of this process.
 */
#include "config.h"

#include "tests/pty_streams.h"
#include "weft/buffer.h"

/* --- birth */

START_TEST(what_is_no_terminal_is_refused_and_stays_the_callers)
{
	int pipes[2], file = open("/dev/null", O_RDWR);

	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_ptr_null(weft_tty_open(pipes[0], true));
	ck_assert_int_eq(errno, ENOTTY);
	ck_assert_ptr_null(weft_tty_open(file, false));
	ck_assert_int_eq(errno, ENOTTY);
	ck_assert_int_eq(close(pipes[0]) + close(pipes[1]) + close(file), 0);
	ck_assert_ptr_null(weft_tty_open(pipes[0], true));
	ck_assert_int_eq(errno, EBADF);
	ck_assert_ptr_null(weft_tty_open(-1, true));
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(the_stream_has_the_number_and_closes_it)
{
	errno = 0;
	open_both();
	ck_assert_int_eq(errno, 0);
	ck_assert_int_eq(weft_stream_fd(tty), ends[TERMINAL]);
	ck_assert_int_eq(weft_stream_write_fd(tty), ends[TERMINAL]);
	ck_assert_int_eq(fcntl(ends[TERMINAL], F_GETFD), FD_CLOEXEC);
	ck_assert_ok(weft_stream_close(tty, soon_enough()));
	ck_assert_int_eq(fcntl(ends[TERMINAL], F_GETFD), -1);
	close_both();
}
END_TEST

START_TEST(a_file_that_others_share_stays_blocking)
{
	int shared;

	open_pty(ends);
	shared = dup(ends[TERMINAL]);
	tty = weft_tty_open(ends[TERMINAL], true);
	ck_assert_ptr_nonnull(tty);
	ck_assert(is_blocking(shared));
	ck_assert_int_eq(weft_stream_write(tty, "x", 1, soon_enough()), 1);
	ck_assert_int_eq(weft_stream_read(tty, &shared, 1, weft_after(1)), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert(is_blocking(shared));
	weft_stream_free(tty);
	ck_assert(is_blocking(shared));
	close(shared);
	close(ends[CONTROLLER]);
}
END_TEST

/* Opened by name it would be another one. */
START_TEST(the_controlling_side_is_not_opened_again)
{
	int other;
	char byte;

	open_pty(ends);
	other = dup(ends[CONTROLLER]);
	controller = weft_tty_open(ends[CONTROLLER], true);
	ck_assert_ptr_nonnull(controller);
	ck_assert_int_eq(weft_stream_read(controller, &byte, 1, weft_after(1)), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert_int_eq(write(ends[TERMINAL], "x", 1), 1);
	ck_assert_int_eq(weft_stream_read(controller, &byte, 1, soon_enough()), 1);
	ck_assert_int_eq(byte, 'x');
	write_all(controller, "line\n", 5);
	ck_assert_ok(weft_stream_flush(controller, soon_enough()));
	ck_assert(is_blocking(other));
	ck_assert_int_eq(close(ends[TERMINAL]), 0);
	weft_stream_free(controller);
	close(other);
}
END_TEST

START_TEST(one_that_is_not_readable_cannot_be_read)
{
	char byte;

	open_pty(ends);
	tty = weft_tty_open(ends[TERMINAL], false);
	ck_assert_ptr_nonnull(tty);
	ck_assert_int_eq(weft_stream_fd(tty), ends[TERMINAL]);
	ck_assert_int_eq(weft_stream_read(tty, &byte, 1, soon_enough()), -1);
	ck_assert_int_eq(errno, ENOTSUP);
	ck_assert(!weft_stream_readable(tty) && weft_stream_writable(tty));
	ck_assert_int_eq(weft_stream_write(tty, "x", 1, soon_enough()), 1);
	ck_assert_int_eq(read(ends[CONTROLLER], &byte, 1), 1);
	weft_stream_free(tty);
	close(ends[CONTROLLER]);
}
END_TEST

START_TEST(one_opened_for_reading_cannot_be_written)
{
	int only;

	open_pty(ends);
	only = open(ptsname(ends[CONTROLLER]), O_RDONLY | O_NOCTTY);
	close(ends[TERMINAL]);
	ck_assert_ptr_null(weft_tty_open(only, false));
	ck_assert_int_eq(errno, EBADF);
	tty = weft_tty_open(only, true);
	ck_assert_ptr_nonnull(tty);
	ck_assert_int_eq(weft_stream_write(tty, "x", 1, soon_enough()), -1);
	ck_assert_int_eq(errno, ENOTSUP);
	ck_assert_int_eq(weft_stream_shutdown(tty, soon_enough()), -1);
	ck_assert_int_eq(errno, ENOTSUP);
	weft_stream_free(tty);
	close(ends[CONTROLLER]);
}
END_TEST

START_TEST(detach_gives_the_terminal_back_as_it_was)
{
	int fd;

	open_raw();
	fd = weft_stream_detach(tty);
	ck_assert_int_eq(fd, ends[TERMINAL]);
	ck_assert(!is_raw(fd));
	close(fd);
	close_both();
}
END_TEST

/* --- transfers */

START_TEST(lines_come_when_they_are_complete)
{
	open_both();
	write_all(controller, "one\ntw", 6);
	expect_line(tty, "one\n");
	ck_assert_int_eq(weft_stream_peek(tty, 1, &(const void *){ NULL }, weft_after(1)), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	write_all(controller, "o\n", 2);
	expect_line(tty, "two\n");
	write_all(tty, "a\nb", 3);
	expect_text(controller, "one\r\ntwo\r\na\r\nb");      /* the echo, too */
	close_both();
}
END_TEST

START_TEST(an_end_typed_is_one_0_and_reading_goes_on)
{
	const char *line;
	char text[8];

	open_both();
	for (int i = 0; i < 3; i++) {
		write_all(controller, "\004", 1);
		ck_assert_int_eq(weft_stream_read(tty, text, sizeof text, soon_enough()), 0);
		ck_assert_int_eq(weft_stream_read(tty, text, sizeof text, weft_after(1)), -1);
		ck_assert_int_eq(errno, ETIMEDOUT);
	}
	write_all(controller, "abc\004\004", 5);
	ck_assert_int_eq(weft_stream_read_line(tty, &line, soon_enough()), 3);
	ck_assert(weft_stream_at_eof(tty));
	ck_assert_int_eq(weft_stream_read_line(tty, &line, soon_enough()), 0);
	ck_assert(!weft_stream_at_eof(tty) && weft_stream_readable(tty));
	write_all(controller, "on\n", 3);
	expect_line(tty, "on\n");
	ck_assert_int_eq(weft_stream_error(tty), 0);
	close_both();
}
END_TEST

START_TEST(an_end_inside_a_record_leaves_the_part_and_then_is_told)
{
	char text[8];

	open_both();
	write_all(controller, "ab\004\004", 4);
	ck_assert_int_eq(weft_stream_read_exactly(tty, text, 5, soon_enough()), -1);
	ck_assert_int_eq(errno, EPIPE);
	expect_bytes(tty, "ab", 2);
	ck_assert_int_eq(weft_stream_read_exactly(tty, text, 5, soon_enough()), 0);
	write_all(controller, "fghi\n", 5);
	expect_bytes(tty, "fghi\n", 5);
	close_both();
}
END_TEST

START_TEST(read_all_ends_at_each_end)
{
	struct weft_buffer *all = weft_buffer_new(64);

	open_both();
	for (int i = 1; i <= 2; i++) {
		write_all(controller, "text\n\004", 6);
		ck_assert_int_eq(weft_stream_read_all(tty, all, soon_enough()), 5);
		ck_assert_uint_eq(weft_buffer_position(all), (size_t)i * 5);
	}
	weft_buffer_free(all);
	close_both();
}
END_TEST

START_TEST(when_it_has_hung_up_reads_are_0_and_writes_fail)
{
	char text[8];

	open_raw();
	write_all(controller, "abc", 3);
	expect_bytes(tty, "abc", 3);
	weft_stream_free(controller);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(weft_stream_read(tty, text, sizeof text, soon_enough()), 0);
	ck_assert_int_eq(weft_stream_write(tty, "x", 1, soon_enough()), -1);
	ck_assert_int_eq(errno, EIO);
	ck_assert_int_eq(weft_stream_read(tty, text, sizeof text, soon_enough()), 0);
	weft_stream_free(tty);
}
END_TEST

START_TEST(who_waits_sees_that_it_hangs_up)
{
	struct call call = { .memory = &(char){ 0 }, .n = 1, .deadline = soon_enough() };

	open_raw();
	call_begin(&call, call_read, tty);
	turns(3);
	weft_stream_free(controller);
	call_end(&call);
	ck_assert_int_eq(call.result, 0);
	weft_stream_free(tty);
}
END_TEST

static int
write_rounds(void *arg)
{
	char *bytes = patterned(64 * KIB, 5);
	int rounds = *(int *)arg;

	for (int i = 0; i < rounds; i++)
		write_all(tty, bytes, 64 * KIB);
	free(bytes);
	return weft_stream_flush(tty, soon_enough());
}

START_TEST(of_raw_output_nothing_is_lost)
{
	int rounds = 1000, wrong = 0;
	char *bytes = patterned(64 * KIB, 5), *got = malloc(64 * KIB);
	struct weft_fiber *writer;

	open_raw();
	writer = begin(write_rounds, &rounds);
	for (int i = 0; i < rounds; i++) {
		if (weft_stream_read_exactly(controller, got, 64 * KIB, soon_enough()) !=
		    (ssize_t)(64 * KIB))
			ck_abort_msg("round %d: %s", i, strerror(errno));
		wrong += memcmp(bytes, got, 64 * KIB) != 0;
	}
	ck_assert_int_eq(wrong, 0);
	ck_assert_int_eq(end(writer), 0);
	close_both();
	free(bytes);
	free(got);
}
END_TEST

START_TEST(a_full_terminal_makes_the_writer_wait)
{
	char bytes[4096] = { 0 };
	ssize_t n;
	size_t sent = 0, got = 0;

	open_raw();
	ck_assert_ok(weft_stream_set_watermarks(tty, 0, 0));
	/* Some of it is on its way for a moment, and makes room. */
	while ((n = weft_stream_write(tty, bytes, sizeof bytes, weft_after(20))) > 0)
		sent += (size_t)n;
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert_int_eq(weft_stream_write(tty, bytes, 1, WEFT_NOWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
	while (got < sent) {
		n = weft_stream_read(controller, bytes, sizeof bytes, soon_enough());
		ck_assert_int_gt(n, 0);
		got += (size_t)n;
	}
	ck_assert_int_eq(weft_stream_write(tty, "x", 1, soon_enough()), 1);
	close_both();
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("tty");
	TCase *tc = test_case(suite, "open");

	(void)backend;
	tcase_add_test(tc, what_is_no_terminal_is_refused_and_stays_the_callers);
	tcase_add_test(tc, the_stream_has_the_number_and_closes_it);
	tcase_add_test(tc, a_file_that_others_share_stays_blocking);
	tcase_add_test(tc, the_controlling_side_is_not_opened_again);
	tcase_add_test(tc, one_that_is_not_readable_cannot_be_read);
	tcase_add_test(tc, one_opened_for_reading_cannot_be_written);
	tcase_add_test(tc, detach_gives_the_terminal_back_as_it_was);

	tc = test_case(suite, "transfers");
	tcase_add_test(tc, lines_come_when_they_are_complete);
	tcase_add_test(tc, an_end_typed_is_one_0_and_reading_goes_on);
	tcase_add_test(tc, an_end_inside_a_record_leaves_the_part_and_then_is_told);
	tcase_add_test(tc, read_all_ends_at_each_end);
	tcase_add_test(tc, when_it_has_hung_up_reads_are_0_and_writes_fail);
	tcase_add_test(tc, who_waits_sees_that_it_hangs_up);
	tcase_add_test(tc, of_raw_output_nothing_is_lost);
	tcase_add_test(tc, a_full_terminal_makes_the_writer_wait);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
