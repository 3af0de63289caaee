/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stdio.c - the standard streams of processes that were given
 * descriptors of every kind, also where what is shared cannot be opened again.
 * The other side, which shares the open file, looks at its flags all the time.
 */
#include "config.h"

#include "tests/stdio_kinds.h"
#include "tests/streams.h"
#include "tests/wrap.h"
#include "weft/tty.h"

enum { LENGTH = 300000 };

/* --- between the library and the system */

static int no_reopening;
static const char *reopened;    /* NULL: nothing was */

int __real_open(const char *, int, ...);
int __wrap_open(const char *, int, ...);

int
__wrap_open(const char *path, int flags, ...)
{
	if (strncmp(path, "/proc/self/fd/", 14) == 0 || strncmp(path, "/dev/", 5) == 0) {
		if (no_reopening) {
			errno = EACCES;
			return -1;
		}
		reopened = path;
	}
	return __real_open(path, flags);
}

/* What a fortified open is. */
int __wrap___open_2(const char *, int);

int
__wrap___open_2(const char *path, int flags)
{
	return __wrap_open(path, flags);
}

static int kept[2];             /* what must not be closed yet */

struct kind {
	const char *name;
	void (*open_in)(int ends[2]), (*open_out)(int ends[2]);
};

static const struct kind kinds[] = {
	{ "pipe", pipe_in, pipe_out },
	{ "socket", unix_socket, unix_socket },
	{ "terminal", raw_pty, raw_pty },
	{ "controlling side", raw_controller, raw_controller }
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void
set_up_kind(int i, int in[2], int out[2])
{
	kinds[i % KINDS].open_in(in);
	kinds[i % KINDS].open_out(out);
	kept[0] = dup(in[0]);
	kept[1] = dup(out[0]);
	no_reopening = i / KINDS;
	reopened = NULL;
}

/* --- transfers */

static int
add(void *count)
{
	for (int i = 0; i < 100; i++) {
		++*(int *)count;
		weft_yield();
	}
	return 0;
}

/* All that comes goes back, and others run meanwhile. */
static int
copy(int told)
{
	struct weft_stream *in = weft_stdin(), *out = weft_stdout();
	size_t n = 0;
	char bytes[5000];
	int count = 0;
	ssize_t got;

	if (in == NULL || out == NULL || in != weft_stdin() || out != weft_stdout())
		return 1;
	if (weft_stream_fd(in) != 0 || weft_stream_fd(out) != 1 || weft_stream_write_fd(out) != 1)
		return 2;
	if (weft_go(add, &count) < 0)
		return 3;
	say(told, 'w');
	while (n < LENGTH && (got = weft_stream_read(in, bytes, sizeof bytes, soon_enough())) > 0) {
		if (weft_stream_write(out, bytes, (size_t)got, soon_enough()) != got)
			return 4;
		n += (size_t)got;
	}
	return n == LENGTH ? count > 0 ? 0 : 5 : 6;
}

START_TEST(bytes_pass_and_the_shared_file_stays_blocking)
{
	char *bytes = patterned(LENGTH, 3), *back = malloc(LENGTH);
	int in[2], out[2], told;
	pid_t child;

	set_up_kind(_i, in, out);
	child = start_with((const int[3]){ in[0], out[0], 2 }, -1, copy, &told);
	expect_word(told, 'w');
	ck_assert(is_blocking(kept[0]) && is_blocking(kept[1]));
	ck_assert_msg(exchange(in[1], out[1], bytes, back, LENGTH, kept) == LENGTH, "%s: %s",
	    kinds[_i % KINDS].name, strerror(errno));
	ck_assert_int_eq(memcmp(bytes, back, LENGTH), 0);
	ck_assert_exits(child, 0);
	ck_assert(is_blocking(kept[0]) && is_blocking(kept[1]));
	close_all((const int[3]){ in[0], in[1], told });
	close_all((const int[3]){ out[0], out[1], kept[0] });
	close(kept[1]);
	free(bytes);
	free(back);
}
END_TEST

static int
open_out(int told)
{
	say(told, weft_stdout() != NULL && reopened != NULL ? 'r' : 'n');
	return 0;
}

/* Or the tests above would be of one manner only. */
START_TEST(pipes_and_terminals_are_opened_again_where_that_can_be)
{
#ifdef WEFT_WITHOUT_PROC_SELF_FD
	static const char expected[2 * KINDS + 1] = "nnrnnnnn";
#else
	static const char expected[2 * KINDS + 1] = "rnrnnnnn";
#endif
	int in[2], out[2], told;
	pid_t child;

	if (access("/proc/self/fd", X_OK) != 0)
		return;
	set_up_kind(_i, in, out);
	child = start_with((const int[3]){ in[0], out[0], 2 }, -1, open_out, &told);
	expect_word(told, expected[_i]);
	ck_assert_exits(child, 0);
	close_all((const int[3]){ in[0], in[1], told });
	close_all((const int[3]){ out[0], out[1], kept[0] });
	close(kept[1]);
}
END_TEST

/* --- what is always ready */

START_TEST(files_are_read_to_their_end_and_written)
{
	char *bytes = patterned(LENGTH, 4), *back = malloc(LENGTH);
	int in = open_file(), out = open_file(), told;
	pid_t child;

	ck_assert_int_eq(write(in, bytes, LENGTH), LENGTH);
	ck_assert_int_eq(lseek(in, 0, SEEK_SET), 0);
	ck_assert_int_eq(write(out, "before", 6), 6);
	child = start_with((const int[3]){ in, out, 2 }, -1, copy, &told);
	expect_word(told, 'w');
	ck_assert_exits(child, 0);
	/* The place in the file is shared, too: here it goes on. */
	ck_assert_int_eq(lseek(in, 0, SEEK_CUR), LENGTH);
	ck_assert_int_eq(lseek(out, 0, SEEK_CUR), 6 + LENGTH);
	ck_assert_int_eq(pread(out, back, LENGTH, 6), LENGTH);
	ck_assert_int_eq(memcmp(bytes, back, LENGTH), 0);
	close_all((const int[3]){ in, out, told });
	free(bytes);
	free(back);
}
END_TEST

static int
use_null(int told)
{
	char byte;

	for (int i = 0; i < 3; i++)
		if (weft_stream_read(weft_stdin(), &byte, 1, soon_enough()) != 0)
			return 1;
	for (int i = 0; i < 100; i++)
		if (weft_stream_write(weft_stdout(), "0123456789", 10, soon_enough()) != 10)
			return 2;
	say(told, weft_stream_queued(weft_stdout()) == 0 ? '0' : 'q');
	weft_stream_free(weft_stdin());
	return weft_stream_close(weft_stdout(), soon_enough());
}

START_TEST(dev_null_is_empty_and_takes_all)
{
	int null = open("/dev/null", O_RDWR), told;
	pid_t child = start_with((const int[3]){ null, null, null }, -1, use_null, &told);

	expect_word(told, '0');
	ck_assert_exits(child, 0);
	close(null);
	close(told);
}
END_TEST

static bool
is_refused(struct weft_stream *s)
{
	return s == NULL && errno == EBADF && strncmp(weft_stream_error_text(NULL), "open std", 8) == 0;
}

static int
use_closed(int told)
{
	if (!is_refused(weft_stdin()) || !is_refused(weft_stdout()) || !is_refused(weft_stderr()))
		return 1;
	/* Not for ever. */
	if (dup2(told, 1) != 1 || weft_stream_write(weft_stdout(), "x", 1, soon_enough()) != 1)
		return 2;
	return 0;
}

START_TEST(what_is_closed_is_refused)
{
	int told;
	pid_t child = start_with((const int[3]){ -1, -1, -1 }, -1, use_closed, &told);

	expect_word(told, 'x');
	ck_assert_exits(child, 0);
	close(told);
}
END_TEST

static int
use_wrong_way(int told)
{
	say(told, is_refused(weft_stdin()) && is_refused(weft_stdout()) ? 'b' : 'g');
	return 0;
}

START_TEST(what_was_opened_the_other_way_is_refused)
{
	int ends[2], told;
	pid_t child;

	pipe_in(ends);
	child = start_with((const int[3]){ ends[1], ends[0], 2 }, -1, use_wrong_way, &told);
	expect_word(told, 'b');
	ck_assert_exits(child, 0);
	close_all((const int[3]){ ends[0], ends[1], told });
}
END_TEST

static int
use_missing_sides(int told)
{
	char byte;

	if (weft_stream_write(weft_stdin(), "x", 1, soon_enough()) != -1 || errno != ENOTSUP)
		return 1;
	if (weft_stream_read(weft_stdout(), &byte, 1, soon_enough()) != -1 || errno != ENOTSUP)
		return 2;
	if (weft_stream_shutdown(weft_stdout(), soon_enough()) != -1 || errno != ENOTSUP)
		return 3;
	if (weft_stream_detach(weft_stdout()) != -1 || errno != ENOTSUP)
		return 4;
	if (weft_tty_set_raw(weft_stdin(), true) != -1 || errno != ENOTTY)
		return 5;
	errno = 0;
	weft_stream_free(weft_stdin());
	weft_stream_free(weft_stdin());
	say(told, errno == 0 ? '0' : 'e');
	return 0;
}

START_TEST(each_has_one_direction)
{
	int in[2], out[2], told;
	pid_t child;

	unix_socket(in);
	unix_socket(out);
	child = start_with((const int[3]){ in[0], out[0], 2 }, -1, use_missing_sides, &told);
	expect_word(told, '0');
	ck_assert_exits(child, 0);
	close_all((const int[3]){ in[0], in[1], told });
	close(out[0]);
	close(out[1]);
}
END_TEST

static int
write_to_nobody(int told)
{
	struct weft_stream *out = weft_stdout();

	say(told, 'w');
	while (weft_stream_write(out, "0123456789", 10, soon_enough()) == 10)
		;
	return errno == EPIPE ? 0 : 1;
}

START_TEST(that_nobody_reads_is_EPIPE_and_no_signal)
{
	int ends[2], told;
	pid_t child;

	no_reopening = _i;
	pipe_out(ends);
	child = start_with((const int[3]){ 0, ends[0], 2 }, -1, write_to_nobody, &told);
	expect_word(told, 'w');
	close(ends[1]);
	ck_assert_exits(child, 0);
	close(ends[0]);
	close(told);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("stdio");
	TCase *tc = test_case(suite, "stdio");

	(void)backend;
	tcase_add_loop_test(tc, bytes_pass_and_the_shared_file_stays_blocking, 0, 2 * KINDS);
	tcase_add_loop_test(tc, pipes_and_terminals_are_opened_again_where_that_can_be,
	    0, 2 * KINDS);
	tcase_add_test(tc, files_are_read_to_their_end_and_written);
	tcase_add_test(tc, dev_null_is_empty_and_takes_all);
	tcase_add_test(tc, what_is_closed_is_refused);
	tcase_add_test(tc, what_was_opened_the_other_way_is_refused);
	tcase_add_test(tc, each_has_one_direction);
	tcase_add_loop_test(tc, that_nobody_reads_is_EPIPE_and_no_signal, 0, 2);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
