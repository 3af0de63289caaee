/* SPDX-License-Identifier: MIT */
/*
 * tests/check_memory_chunks.c - memory streams that move bytes as a test says.
 */
#include "config.h"

#include "tests/streams.h"
#include "weft/memory.h"

static const size_t sizes[] = { 3, 0, 1, 0, 0, 2 };
enum { SIZES = sizeof sizes / sizeof *sizes };

static struct weft_stream *
open_with(int event)
{
	struct weft_stream *s = weft_memory_open();

	ck_assert(s != NULL);
	ck_assert_gives(weft_memory_set_chunks(s, event, sizes, SIZES), 0);
	return s;
}

/* Straight reads, so that each is one transfer. */
static void
expect_piece(struct weft_stream *s, const char *piece)
{
	static char bytes[4096];

	ck_assert_gives(weft_stream_read(s, bytes, sizeof bytes, soon_enough()),
	    (ssize_t)strlen(piece));
	ck_assert_int_eq(memcmp(bytes, piece, strlen(piece)), 0);
}

START_TEST(reads_get_the_sizes_over_and_over_until_they_are_taken_back)
{
	struct weft_stream *s = open_with(WEFT_READABLE);

	ck_assert_ok(weft_memory_feed(s, "abcdefghijklmnop", 16));
	expect_piece(s, "abc");
	expect_piece(s, "d");
	expect_piece(s, "ef");
	expect_piece(s, "ghi");
	expect_piece(s, "j");
	ck_assert_gives(weft_memory_set_chunks(s, WEFT_READABLE, NULL, 0), 0);
	expect_piece(s, "klmnop");
	weft_stream_free(s);
}
END_TEST

START_TEST(a_size_of_0_is_a_turn_of_waiting)
{
	struct weft_stream *s = open_with(WEFT_READABLE);
	static char bytes[4096];

	ck_assert_ok(weft_memory_feed(s, "abcd", 4));
	expect_piece(s, "abc");
	ck_assert_fails(weft_stream_read(s, bytes, sizeof bytes, WEFT_NOWAIT), EAGAIN);
	ck_assert_gives(weft_stream_read(s, bytes, sizeof bytes, WEFT_NOWAIT), 1);
	ck_assert_ok(weft_memory_feed_eof(s));
	ck_assert_gives(weft_stream_read(s, bytes, sizeof bytes, soon_enough()), 0);
	weft_stream_free(s);
}
END_TEST

START_TEST(others_run_during_a_delay)
{
	struct weft_stream *s = open_with(WEFT_READABLE);
	struct call call = { .n = 1 };

	ck_assert_ok(weft_memory_feed(s, "abcd", 4));
	expect_piece(s, "abc");
	call.memory = &call.order;              /* one byte of it */
	call_begin(&call, call_read, s);
	call_end(&call);
	ck_assert_int_eq(call.result, 1);
	weft_stream_free(s);
}
END_TEST

START_TEST(records_are_found_however_they_are_cut)
{
	struct weft_stream *s = open_with(WEFT_READABLE);

	ck_assert_ok(weft_memory_feed(s, "one\r\ntwo\r\nthree\r\n", 17));
	expect_line(s, "one\r\n");
	expect_line(s, "two\r\n");
	expect_line(s, "three\r\n");
	weft_stream_free(s);
}
END_TEST

START_TEST(writes_leave_in_the_sizes)
{
	struct weft_stream *s = open_with(WEFT_WRITABLE);
	char bytes[16];

	ck_assert_gives(weft_stream_write(s, "abcdefgh", 8, soon_enough()), 8);
	ck_assert_uint_eq(weft_stream_queued(s), 5);
	ck_assert_gives(weft_memory_take(s, bytes, sizeof bytes), 3);
	ck_assert_gives(weft_stream_flush(s, soon_enough()), 0);
	ck_assert_gives(weft_memory_take(s, bytes, sizeof bytes), 5);
	ck_assert_int_eq(memcmp(bytes, "defgh", 5), 0);
	weft_stream_free(s);
}
END_TEST

START_TEST(both_ends_of_a_pair_take_them)
{
	struct weft_stream *ends[2];
	size_t n = 70 * KIB;
	struct feeder feeder;
	void *text = patterned(n, 7);

	ck_assert_ok(weft_memory_pair(ends));
	ck_assert_ok(weft_memory_set_chunks(ends[0], WEFT_WRITABLE, (size_t[]){ 999, 0 }, 2));
	ck_assert_ok(weft_memory_set_chunks(ends[1], WEFT_READABLE, (size_t[]){ 0, 501 }, 2));
	feed_begin(&feeder, ends[0], text, n, n, true);
	expect_bytes(ends[1], text, n);
	feed_end(&feeder);
	free_ends(ends);
	free(text);
}
END_TEST

START_TEST(close_and_a_new_script_end_a_delay)
{
	struct weft_stream *s = open_with(WEFT_READABLE);
	static char bytes[4096];

	ck_assert_ok(weft_memory_feed(s, "abcdef", 6));
	expect_piece(s, "abc");
	ck_assert_fails(weft_stream_read(s, bytes, sizeof bytes, WEFT_NOWAIT), EAGAIN);
	ck_assert_ok(weft_memory_set_chunks(s, WEFT_READABLE, sizes, 1));
	ck_assert_gives(weft_stream_read(s, bytes, 2000, soon_enough()), 3);
	ck_assert_ok(weft_memory_set_chunks(s, WEFT_READABLE, sizes + 1, 2));
	ck_assert_ok(weft_memory_feed(s, "x", 1));
	ck_assert_fails(weft_stream_read(s, bytes, sizeof bytes, WEFT_NOWAIT), EAGAIN);
	weft_stream_free(s);            /* with the delay still to end */
	turns(2);
}
END_TEST

START_TEST(what_is_no_script_is_refused)
{
	struct weft_stream *s = open_with(WEFT_READABLE), *ends[2];

	ck_assert_fails(weft_memory_set_chunks(s, 0, sizes, SIZES), EINVAL);
	ck_assert_fails(weft_memory_set_chunks(s, WEFT_READABLE | WEFT_WRITABLE, sizes, 1), EINVAL);
	ck_assert_fails(weft_memory_set_chunks(s, WEFT_READABLE, sizes, -1), EINVAL);
	ck_assert_fails(weft_memory_set_chunks(s, WEFT_READABLE, sizes + 3, 2), EINVAL);
	ck_assert_ok(weft_stream_close(s, soon_enough()));
	ck_assert_fails(weft_memory_set_chunks(s, WEFT_READABLE, sizes, SIZES), EBADF);
	weft_stream_free(s);
	open_tcp(ends);
	ck_assert_fails(weft_memory_set_chunks(ends[0], WEFT_READABLE, sizes, SIZES), ENOTSUP);
	free_ends(ends);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("memory_chunks");
	TCase *tc = test_case(suite, "scripts");

	(void)backend;
	tcase_add_test(tc, reads_get_the_sizes_over_and_over_until_they_are_taken_back);
	tcase_add_test(tc, a_size_of_0_is_a_turn_of_waiting);
	tcase_add_test(tc, others_run_during_a_delay);
	tcase_add_test(tc, records_are_found_however_they_are_cut);
	tcase_add_test(tc, writes_leave_in_the_sizes);
	tcase_add_test(tc, both_ends_of_a_pair_take_them);
	tcase_add_test(tc, close_and_a_new_script_end_a_delay);
	tcase_add_test(tc, what_is_no_script_is_refused);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
