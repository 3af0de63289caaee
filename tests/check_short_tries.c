/* SPDX-License-Identifier: MIT */
/*
 * The short ways of a stream over a class of our own, which counts: what is tried
 * and what is not, whoever closes, aborts, frees or is cancelled meanwhile.
 */
#include "config.h"

#include "tests/streams.h"
#include "weft/class.h"
#include "weft/memory.h"

enum { MUCH = 1 << 20 };

static int tries, gone;
static int takes;               /* 0: what it likes; else an errno, once or ever */
static bool once;
static const char *text;        /* what it gives, once */

static ssize_t
counting_writev(struct weft_stream *s, const struct iovec *iov, int count)
{
	int error = takes;

	(void)s;
	tries++;
	if (once)
		takes = 0;
	if (error == 0)
		return count > 0 ? (ssize_t)iov->iov_len : 0;
	errno = error;
	return -1;
}

static ssize_t
counting_read(struct weft_stream *s, void *dst, size_t n)
{
	const char *from = text;

	(void)s;
	if (from == NULL) {
		errno = EAGAIN;
		return -1;
	}
	text = NULL;
	ck_assert_uint_le(strlen(from), n);
	memcpy(dst, from, strlen(from));
	return (ssize_t)strlen(from);
}

static int
counting_want(struct weft_stream *s, int events)
{
	(void)s, (void)events;
	return 0;
}

static void
counting_free(struct weft_stream *s)
{
	(void)s;
	gone++;
}

static const struct weft_stream_class both_ways = {
	.size = sizeof both_ways, .name = "counting", .read = counting_read,
	.writev = counting_writev, .want = counting_want, .free = counting_free
}, in_only = {
	.size = sizeof in_only, .name = "in", .read = counting_read, .want = counting_want
}, out_only = {
	.size = sizeof out_only, .name = "out", .writev = counting_writev, .want = counting_want
};

static struct weft_stream *
counting(const struct weft_stream_class *class)
{
	struct weft_stream *s = weft_stream_new(class, NULL);

	ck_assert_ptr_nonnull(s);
	tries = gone = takes = 0;
	once = false;
	text = NULL;
	return s;
}

START_TEST(a_side_that_it_has_not_got_is_not_tried)
{
	struct weft_stream *s = counting(&in_only);
	const char *line;
	char byte;

	ck_assert_ok(weft_stream_set_coalescing(s, _i));
	ck_assert_fails(weft_stream_write(s, "x", 1, WEFT_NOWAIT), ENOTSUP);
	ck_assert_fails(weft_stream_write(s, "x", 1, WEFT_NEVER), ENOTSUP);
	ck_assert_int_eq(weft_stream_error(s), 0);
	weft_stream_free(s);
	s = counting(&out_only);
	ck_assert_fails(weft_stream_read(s, &byte, 1, WEFT_NEVER), ENOTSUP);
	ck_assert_fails(weft_stream_read_line(s, &line, WEFT_NEVER), ENOTSUP);
	ck_assert_int_eq(weft_stream_error(s), 0);
	weft_stream_free(s);
}
END_TEST

START_TEST(a_read_gets_all_that_is_there)
{
	struct weft_stream *s = weft_memory_open();
	char *bytes = patterned(MUCH, 5), *got = malloc(2 * MUCH);

	ck_assert_ok(weft_stream_set_limit(s, MUCH));
	ck_assert_ok(weft_memory_feed(s, bytes, MUCH));
	ck_assert_gives(weft_stream_fill(s, MUCH, soon_enough()), MUCH);
	turns(1);
	ck_assert_fails(weft_stream_read(s, got, 0, soon_enough()), EINVAL);
	ck_assert_gives(weft_stream_read(s, got, 2 * MUCH, soon_enough()), MUCH);
	ck_assert_mem_eq(got, bytes, MUCH);
	weft_stream_free(s);
	free(bytes);
	free(got);
}
END_TEST

START_TEST(to_write_nothing_is_no_try)
{
	struct weft_stream *s = counting(&both_ways);

	ck_assert_ok(weft_stream_set_coalescing(s, _i));
	takes = EPIPE;
	ck_assert_gives(weft_stream_write(s, "", 0, WEFT_NEVER), 0);
	ck_assert_int_eq(tries, 0);
	ck_assert_int_eq(weft_stream_error(s), 0);
	weft_stream_free(s);
}
END_TEST

START_TEST(what_no_answer_could_count_is_einval)
{
	struct weft_stream *s = counting(&both_ways);
	volatile size_t huge = SIZE_MAX / 2 + 1;

	ck_assert_ok(weft_stream_set_coalescing(s, _i));
	ck_assert_fails(weft_stream_write(s, "x", huge, WEFT_NEVER), EINVAL);
	ck_assert_int_eq(tries, 0);
	weft_stream_free(s);
}
END_TEST

START_TEST(an_error_that_is_told_once_is_the_streams)
{
	struct weft_stream *s = counting(&both_ways);

	takes = EIO;
	once = true;
	ck_assert_fails(weft_stream_write(s, "x", 1, WEFT_NEVER), EIO);
	ck_assert_int_eq(tries, 1);
	ck_assert_fails(weft_stream_write(s, "x", 1, WEFT_NEVER), EIO);
	ck_assert_int_eq(weft_stream_error(s), EIO);
	weft_stream_free(s);
}
END_TEST

START_TEST(what_was_full_is_not_tried_before_it_says_so)
{
	struct weft_stream *s = counting(&both_ways);

	takes = EAGAIN;
	ck_assert_ok(weft_stream_set_watermarks(s, 0, 0));
	ck_assert_fails(weft_stream_write(s, "x", 1, weft_after(1)), ETIMEDOUT);
	tries = 0;
	ck_assert_fails(weft_stream_write(s, "x", 1, WEFT_NOWAIT), EAGAIN);
	ck_assert_int_eq(tries, 1);
	takes = EAGAIN;
	ck_assert_ok(weft_stream_set_watermarks(s, 0, 10));
	errno = 0;
	ck_assert_int_eq(weft_stream_write(s, "x", 1, WEFT_NEVER), 1);
	ck_assert_int_eq(errno, 0);
	ck_assert_int_eq(tries, 1);
	weft_stream_free(s);
}
END_TEST

START_TEST(errno_stays_where_a_part_was_taken_before_the_deadline)
{
	struct weft_stream *s = counting(&both_ways);

	takes = EAGAIN;
	ck_assert_ok(weft_stream_set_watermarks(s, 0, 4));
	ck_assert_gives(weft_stream_write(s, "abcdefgh", 8, weft_after(1)), 4);
	weft_stream_free(s);
}
END_TEST

START_TEST(of_a_stream_that_closes_nothing_is_at_hand)
{
	struct weft_stream *s = counting(&both_ways);
	struct call closing = { .deadline = soon_enough() };
	const char *line;
	char byte;

	text = "ab\ncd\n";
	takes = EAGAIN;
	ck_assert_gives(weft_stream_fill(s, 6, soon_enough()), 6);
	write_all(s, "x", 1);
	call_begin(&closing, call_close, s);
	turns(1);
	ck_assert(!closing.done);
	ck_assert_fails(weft_stream_read(s, &byte, 1, soon_enough()), EBADF);
	ck_assert_fails(weft_stream_read_line(s, &line, soon_enough()), EBADF);
	weft_stream_abort(s);
	call_end(&closing);
	weft_stream_free(s);
}
END_TEST

START_TEST(the_last_who_is_inside_frees_it)
{
	struct weft_stream *s = counting(&both_ways);
	char byte;
	struct call call = { .memory = &byte, .n = 1, .deadline = soon_enough() };

	takes = EAGAIN;
	ck_assert_ok(weft_stream_set_watermarks(s, 0, 0));
	call_begin(&call, _i == 0 ? call_read : call_write, s);
	turns(1);
	ck_assert(!call.done);
	weft_stream_free(s);
	ck_assert_int_eq(gone, 0);
	call_end(&call);
	ck_assert_gives(call.error, EBADF);
	ck_assert_int_eq(gone, 1);
}
END_TEST

/* --- into the queue of this turn */

START_TEST(a_coalesced_write_does_not_pass_the_one_that_is_inside)
{
	struct weft_stream *s = counting(&both_ways);
	struct call large = { .memory = patterned(MUCH, 1), .n = MUCH };

	takes = EAGAIN;
	ck_assert_ok(weft_stream_set_coalescing(s, true));
	large.deadline = soon_enough();
	write_all(s, "ab", 2);
	call_begin(&large, call_write, s);
	ck_assert(!large.done);
	ck_assert_fails(weft_stream_write(s, "c", 1, WEFT_NOWAIT), EAGAIN);
	weft_stream_abort(s);
	call_end(&large);
	weft_stream_free(s);
	free(large.memory);
}
END_TEST

static int
write_cancelled(void *arg)
{
	struct weft_stream *s = arg;

	write_all(s, "ab", 2);
	ck_assert_ok(weft_cancel(weft_self()));
	ck_assert_fails(weft_stream_write(s, "c", 1, WEFT_NEVER), ECANCELED);
	return 0;
}

START_TEST(who_is_cancelled_coalesces_nothing)
{
	struct weft_stream *s = counting(&both_ways);

	ck_assert_ok(weft_stream_set_coalescing(s, true));
	ck_assert_int_eq(end(begin(write_cancelled, s)), 0);
	weft_stream_free(s);
}
END_TEST

/* --- what is aborted meanwhile */

static int
abort_it(void *s)
{
	weft_stream_abort(s);
	return 0;
}

/* The read has its bytes, and lets others run before it returns. */
START_TEST(what_was_borrowed_of_a_stream_that_is_aborted_meanwhile_is_not_told)
{
	struct weft_stream *s = weft_memory_open();
	char *bytes = patterned(MUCH + 1, 1);
	struct weft_fiber *other;
	const void *data;

	memset(bytes, 'x', MUCH);
	bytes[MUCH] = '\n';
	ck_assert_ok(weft_stream_set_limit(s, 2 * MUCH));
	ck_assert_ok(weft_memory_feed(s, bytes, MUCH + 1));
	other = weft_spawn(abort_it, s);
	ck_assert_fails(weft_stream_read_until(s, "\n", 1, &data, soon_enough()), EBADF);
	ck_assert_int_eq(end(other), 0);
	weft_stream_free(s);
	free(bytes);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("short tries");
	TCase *tc = test_case(suite, "all");

	(void)backend;
	tcase_add_loop_test(tc, a_side_that_it_has_not_got_is_not_tried, 0, 2);
	tcase_add_test(tc, a_read_gets_all_that_is_there);
	tcase_add_loop_test(tc, to_write_nothing_is_no_try, 0, 2);
	tcase_add_loop_test(tc, what_no_answer_could_count_is_einval, 0, 2);
	tcase_add_test(tc, an_error_that_is_told_once_is_the_streams);
	tcase_add_test(tc, what_was_full_is_not_tried_before_it_says_so);
	tcase_add_test(tc, errno_stays_where_a_part_was_taken_before_the_deadline);
	tcase_add_test(tc, of_a_stream_that_closes_nothing_is_at_hand);
	tcase_add_loop_test(tc, the_last_who_is_inside_frees_it, 0, 2);
	tcase_add_test(tc, a_coalesced_write_does_not_pass_the_one_that_is_inside);
	tcase_add_test(tc, who_is_cancelled_coalesces_nothing);
	tcase_add_test(tc, what_was_borrowed_of_a_stream_that_is_aborted_meanwhile_is_not_told);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
