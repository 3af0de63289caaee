/* SPDX-License-Identifier: MIT */
/*
 * Reads of what is at hand and writes of one piece have short ways through a
 * stream: they may not pass those who are inside, nor leave anybody out.
 */
#include "config.h"

#include "tests/streams.h"
#include "weft/buffer.h"
#include "weft/memory.h"

enum { MUCH = 1 << 20, OFTEN = 2000 };

static struct weft_stream *ends[2];

/* --- order */

static int
squeeze_in(void *arg)
{
	const struct call *large = arg;

	while (weft_stream_write(ends[0], "!", 1, WEFT_NOWAIT) < 0) {
		if (errno != EAGAIN && errno != ETIMEDOUT)
			return errno;
		if (large->done)
			return weft_stream_write(ends[0], "!", 1, soon_enough()) == 1 ? 0 : errno;
		weft_yield();
	}
	return 0;
}

START_TEST(a_small_write_waits_for_the_large_one_that_is_inside)
{
	struct call large = { .n = MUCH };
	char *got = malloc(MUCH);
	struct weft_fiber *other;

	ck_assert(got != NULL);
	open_kind(_i, ends);
	large.memory = patterned(MUCH, 3);
	call_begin(&large, call_write, ends[0]);
	turns(3);
	other = begin(squeeze_in, &large);
	ck_assert_gives(weft_stream_read_exactly(ends[1], got, MUCH, soon_enough()), MUCH);
	ck_assert_mem_eq(got, large.memory, MUCH);
	expect_bytes(ends[1], "!", 1);
	ck_assert_int_eq(end(other), 0);
	call_end(&large);
	ck_assert_gives(large.result, MUCH);
	free(large.memory);
	free(got);
	free_ends(ends);
}
END_TEST

START_TEST(a_read_takes_nothing_from_the_one_that_is_inside)
{
	char got[8], byte;
	struct call first = { .memory = got, .n = sizeof got };
	const char *line;

	open_kind(_i, ends);
	write_all(ends[1], "ab\nd", 4);
	call_begin(&first, call_read_exactly, ends[0]);
	while (weft_stream_buffered(ends[0]) < 4)
		turns(1);
	ck_assert_fails(weft_stream_read(ends[0], &byte, 1, WEFT_NOWAIT), EAGAIN);
	ck_assert_fails(weft_stream_read_line(ends[0], &line, WEFT_NOWAIT), EAGAIN);
	write_all(ends[1], "efgh", 4);
	call_end(&first);
	ck_assert_gives(first.result, 8);
	ck_assert_mem_eq(got, "ab\ndefgh", 8);
	free_ends(ends);
}
END_TEST

/* --- a Buffer that the program has */

START_TEST(what_is_at_hand_ends_where_it_did_whatever_the_limit_says)
{
	struct weft_buffer *input;
	char got[8];

	open_kind(_i, ends);
	write_all(ends[1], "abc\ndef\n", 8);
	ck_assert_gives(weft_stream_fill(ends[0], 8, soon_enough()), 8);
	input = weft_stream_input(ends[0]);
	ck_assert_ok(weft_buffer_set_limit(input, weft_buffer_position(input) + 2));
	expect_line(ends[0], "abc\n");
	ck_assert_ok(weft_buffer_set_limit(input, weft_buffer_position(input) + 2));
	ck_assert_gives(weft_stream_read(ends[0], got, sizeof got, soon_enough()), 4);
	ck_assert_mem_eq(got, "def\n", 4);
	free_ends(ends);
}
END_TEST

/* --- others run, too */

static int rounds;

static int
count_rounds(void *arg)
{
	for (rounds = 0; rounds >= 0; rounds += rounds >= 0)
		weft_yield();
	return arg != NULL;
}

static bool
one_byte(void)
{
	char byte;

	return weft_stream_read(ends[0], &byte, 1, WEFT_NEVER) == 1;
}

static bool
one_line(void)
{
	const char *line;

	return weft_stream_read_line(ends[0], &line, WEFT_NEVER) == 1;
}

static bool
one_write(void)
{
	return weft_stream_write(ends[0], "x", 1, WEFT_NEVER) == 1;
}

static bool
one_coalesced(void)
{
	ck_assert_ok(weft_stream_set_coalescing(ends[0], true));
	return one_write();
}

static bool
one_failure(void)
{
	char byte;

	return weft_stream_read(ends[1], &byte, 1, WEFT_NOWAIT) < 0 && errno == EAGAIN;
}

enum { SHORTLY = 5 };
static bool (*const shortly[SHORTLY])(void) = {
	one_byte, one_line, one_write, one_coalesced, one_failure
};

/* 64 operations make a turn: others have had theirs some thirty times. */
static void
lets_others_run(int kind, bool (*operation)(void))
{
	static char lines[OFTEN];
	struct weft_fiber *other;
	int i, good = 0;

	open_kind(kind, ends);
	memset(lines, '\n', sizeof lines);
	write_all(ends[1], lines, sizeof lines);
	ck_assert_gives(weft_stream_fill(ends[0], OFTEN, soon_enough()), OFTEN);
	other = begin(count_rounds, NULL);
	turns(1);
	rounds = 0;
	for (i = 0; i < OFTEN; i++)
		good += operation();
	ck_assert_int_gt(rounds, OFTEN / 128);
	rounds = -1;
	ck_assert_int_eq(end(other), 0);
	ck_assert_int_eq(good, OFTEN);
	free_ends(ends);
}

START_TEST(who_needs_not_wait_lets_others_run)
{
	lets_others_run(_i / SHORTLY, shortly[_i % SHORTLY]);
}
END_TEST

/* Not even a mebibyte's worth of operations, but of bytes. */
START_TEST(who_takes_many_bytes_lets_others_run)
{
	enum { LINE = 60000, LINES = 40 };
	struct weft_stream *s = weft_memory_open();
	char *bytes = patterned(LINE, 1), *other_half = malloc(LINE);
	struct weft_fiber *other;
	const char *line;
	int i, good = 0;

	memset(bytes, 'x', LINE - 1);
	bytes[LINE - 1] = '\n';
	for (i = 0; i < LINES; i++)
		ck_assert_ok(weft_memory_feed(s, bytes, LINE));
	ck_assert_ok(weft_stream_set_limit(s, LINES * LINE));
	ck_assert_gives(weft_stream_fill(s, LINES * LINE, soon_enough()), LINES * LINE);
	other = begin(count_rounds, NULL);
	turns(1);
	rounds = 0;
	for (i = 0; i < LINES; i++)
		good += (_i == 0 ? weft_stream_read_line(s, &line, WEFT_NEVER) :
		    weft_stream_read(s, other_half, LINE, WEFT_NEVER)) == LINE;
	ck_assert_int_gt(rounds, 0);
	rounds = -1;
	ck_assert_int_eq(end(other), 0);
	ck_assert_int_eq(good, LINES);
	weft_stream_free(s);
	free(bytes);
	free(other_half);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("short ways");
	TCase *tc = test_case(suite, "all");

	(void)backend;
	EVERY_KIND(tc, a_small_write_waits_for_the_large_one_that_is_inside);
	EVERY_KIND(tc, a_read_takes_nothing_from_the_one_that_is_inside);
	EVERY_KIND(tc, what_is_at_hand_ends_where_it_did_whatever_the_limit_says);
	tcase_add_loop_test(tc, who_needs_not_wait_lets_others_run, 0,
	    SHORTLY * stream_kind_count);
	tcase_add_loop_test(tc, who_takes_many_bytes_lets_others_run, 0, 2);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
