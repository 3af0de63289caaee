/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stream_readers.c - several fibers at one stream, fairness, memory.
 */
#include "config.h"

#include "lib/stream.h"
#include "tests/streams.h"

static struct weft_stream *ends[2];     /* [0] is read, [1] is fed */

/* --- several readers */

START_TEST(readers_are_served_in_order_and_whole)
{
	struct call calls[5] = { { 0 } };
	char got[5][4];
	int i;

	open_sweep(_i, ends);
	calls_ended = 0;
	for (i = 0; i < 5; i++) {
		calls[i].memory = got[i];
		calls[i].n = 4;
		call_begin(&calls[i], call_read_exactly, ends[0]);
	}
	for (i = 0; i < 20; i += (int)chunk_of(_i)) {
		int n = 20 - i < (int)chunk_of(_i) ? 20 - i : (int)chunk_of(_i);

		write_all(ends[1], &"aaaabbbbccccddddeeee"[i], (size_t)n);
		turns(2);
	}
	for (i = 0; i < 5; i++) {
		call_end(&calls[i]);
		ck_assert_int_eq(calls[i].result, 4);
		ck_assert_int_eq(calls[i].order, i + 1);
		ck_assert_mem_eq(got[i], &"aaaabbbbccccddddeeee"[4 * i], 4);
	}
	free_ends(ends);
}
END_TEST

START_TEST(the_second_reader_looks_at_the_buffer_before_it_waits)
{
	struct call first = { .n = 2 }, second = { .n = 2 };
	char got[2][2];

	open_kind(_i, ends);
	first.memory = got[0];
	second.memory = got[1];
	call_begin(&first, call_read_exactly, ends[0]);
	call_begin(&second, call_read_exactly, ends[0]);
	write_all(ends[1], "abcd", 4);
	call_end(&first);
	call_end(&second);
	ck_assert_mem_eq(got[0], "ab", 2);
	ck_assert_mem_eq(got[1], "cd", 2);
	free_ends(ends);
}
END_TEST

START_TEST(a_deadline_counts_while_waiting_for_a_turn)
{
	struct call first = { .n = 2 }, second = { .n = 2 }, third = { .n = 2 };
	char got[3][2];

	open_kind(_i, ends);
	first.memory = got[0];
	second.memory = got[1];
	third.memory = got[2];
	call_begin(&first, call_read_exactly, ends[0]);
	second.deadline = weft_after(5);
	call_begin(&second, call_read_exactly, ends[0]);
	call_begin(&third, call_read_exactly, ends[0]);
	call_end(&second);
	ck_assert_int_eq(second.error, ETIMEDOUT);
	ck_assert_fails(weft_stream_read(ends[0], got[1], 1, WEFT_NOWAIT), EAGAIN);
	write_all(ends[1], "abcd", 4);
	call_end(&first);
	call_end(&third);
	ck_assert_mem_eq(got[0], "ab", 2);
	ck_assert_mem_eq(got[2], "cd", 2);
	free_ends(ends);
}
END_TEST

START_TEST(a_cancel_of_the_one_inside_lets_the_next_one_in)
{
	struct call first = { .n = 3 }, second = { .n = 2 };
	char got[2][3];

	open_kind(_i, ends);
	first.memory = got[0];
	second.memory = got[1];
	call_begin(&first, call_read_exactly, ends[0]);
	call_begin(&second, call_read_exactly, ends[0]);
	write_all(ends[1], "ab", 2);
	turns(3);
	ck_assert(!second.done);
	ck_assert_ok(weft_cancel(first.fiber));
	call_end(&first);
	call_end(&second);
	ck_assert_int_eq(first.error, ECANCELED);
	ck_assert_int_eq(second.result, 2);
	ck_assert_mem_eq(got[1], "ab", 2);
	free_ends(ends);
}
END_TEST

START_TEST(one_fiber_reads_while_another_writes)
{
	size_t n = 3 << 20;
	char *there = patterned(n, 5), *back = patterned(n, 6);
	struct feeder feeders[2];
	struct call reader = { .memory = malloc(n), .n = n };

	open_kind(_i, ends);
	feed_begin(&feeders[0], ends[0], there, n, 100000, false);
	feed_begin(&feeders[1], ends[1], back, n, 77777, false);
	call_begin(&reader, call_read_exactly, ends[1]);
	expect_bytes(ends[0], back, n);
	call_end(&reader);
	ck_assert_int_eq(reader.result, (ssize_t)n);
	ck_assert_mem_eq(reader.memory, there, n);
	feed_end(&feeders[0]);
	feed_end(&feeders[1]);
	free_ends(ends);
	free(there);
	free(back);
	free(reader.memory);
}
END_TEST

/* --- fairness and memory */

static int
count_up(void *arg)
{
	int *count = arg;

	while (*count >= 0) {
		++*count;
		weft_yield();
	}
	return 0;
}

START_TEST(a_reader_that_never_waits_lets_others_run)
{
	int count = 0;
	struct weft_fiber *other;
	char *sent = patterned(100 * KIB, 7), got[1];
	int i;

	open_kind(_i, ends);
	write_all(ends[1], sent, 100 * KIB);
	other = begin(count_up, &count);
	for (i = 0; i < 50000; i++)
		ck_assert_int_eq(weft_stream_read(ends[0], got, 1, soon_enough()), 1);
	ck_assert_int_gt(count, 0);
	count = -1;
	end(other);
	free_ends(ends);
	free(sent);
}
END_TEST

/* The white box: what a stream's Buffer stands on. */
START_TEST(a_stream_that_waits_owns_no_input_memory)
{
	char got[8];
	struct call call = { .memory = got, .n = 1 };

	open_kind(_i, ends);
	write_all(ends[1], "abc", 3);
	expect_text(ends[0], "abc");
	call_begin(&call, call_read, ends[0]);
	turns(3);
	ck_assert_ptr_eq(ends[0]->input.bytes, NULL);
	write_all(ends[1], "d", 1);
	call_end(&call);
	free_ends(ends);
}
END_TEST

START_TEST(a_large_record_gives_its_memory_back)
{
	char *sent = patterned(300000, 8);
	struct feeder feeder;

	open_kind(_i, ends);
	feed_begin(&feeder, ends[1], sent, 300000, 4096, false);
	expect_bytes(ends[0], sent, 300000);
	feed_end(&feeder);
	ck_assert_fails(weft_stream_read(ends[0], sent, 1, WEFT_NOWAIT), EAGAIN);
	ck_assert_ptr_eq(ends[0]->input.bytes, NULL);
	free_ends(ends);
	free(sent);
}
END_TEST

/* There is a line, and room for another. */
static int
be_cancelled(void *arg)
{
	struct weft_stream *s = arg;
	const char *line;
	char byte;

	ck_assert_ok(weft_cancel(weft_self()));
	ck_assert_fails(weft_stream_read_line(s, &line, WEFT_NEVER), ECANCELED);
	ck_assert_fails(weft_stream_read(s, &byte, 1, WEFT_NEVER), ECANCELED);
	ck_assert_fails(weft_stream_write(s, "x", 1, WEFT_NEVER), ECANCELED);
	return 0;
}

START_TEST(who_is_cancelled_gets_nothing_that_is_there_and_sends_nothing)
{
	struct weft_stream *two[2];
	char byte;

	open_kind(_i, two);
	write_all(two[1], "a\nb\n", 4);
	ck_assert_gives(weft_stream_fill(two[0], 4, soon_enough()), 4);
	ck_assert_int_eq(end(begin(be_cancelled, two[0])), 0);
	expect_line(two[0], "a\n");
	expect_line(two[0], "b\n");
	turns(2);
	ck_assert_fails(weft_stream_read(two[1], &byte, 1, WEFT_NOWAIT), EAGAIN);
	free_ends(two);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("stream_readers");
	TCase *tc = test_case(suite, "several readers");

	(void)backend;
	SWEEP(tc, readers_are_served_in_order_and_whole);
	EVERY_KIND(tc, the_second_reader_looks_at_the_buffer_before_it_waits);
	EVERY_KIND(tc, a_deadline_counts_while_waiting_for_a_turn);
	EVERY_KIND(tc, a_cancel_of_the_one_inside_lets_the_next_one_in);
	EVERY_KIND(tc, one_fiber_reads_while_another_writes);

	tc = test_case(suite, "fairness and memory");
	EVERY_KIND(tc, a_reader_that_never_waits_lets_others_run);
	EVERY_KIND(tc, a_stream_that_waits_owns_no_input_memory);
	EVERY_KIND(tc, a_large_record_gives_its_memory_back);
	EVERY_KIND(tc, who_is_cancelled_gets_nothing_that_is_there_and_sends_nothing);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
