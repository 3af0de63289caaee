/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stream_limit.c - the longest record, skip_line, borrowed
 * pointers, and what long records cost.
 */
#include "config.h"

#include <stdio.h>
#include <time.h>

#include "tests/streams.h"
#include "tests/under_valgrind.h"

static struct weft_stream *ends[2];     /* [0] is read, [1] is fed */

static ssize_t
until(const char *delimiter, size_t n, const void **data)
{
	return weft_stream_read_until(ends[0], delimiter, n, data, soon_enough());
}

static ssize_t
try_until(const char *delimiter, const void **data)
{
	return weft_stream_read_until(ends[0], delimiter, strlen(delimiter), data,
	    WEFT_NOWAIT);
}

static void
expect_record(const char *delimiter, const char *record)
{
	const void *data = NULL;

	ck_assert_int_eq(until(delimiter, strlen(delimiter), &data),
	    (ssize_t)strlen(record));
	ck_assert_mem_eq(data, record, strlen(record));
}

/* --- limits */

START_TEST(the_limit_is_exact_and_counts_no_delimiter)
{
	struct feeder feeder;
	const void *data;
	const char *line;

	open_sweep(_i, ends);
	ck_assert_ok(weft_stream_set_limit(ends[0], 5));
	feed_begin(&feeder, ends[1], "12345\n123456\n12345\r\n123456\r\n", 28,
	    chunk_of(_i), false);
	expect_line(ends[0], "12345\n");
	ck_assert_fails(weft_stream_read_line(ends[0], &line, soon_enough()), EMSGSIZE);
	ck_assert_fails(weft_stream_read_line(ends[0], &line, soon_enough()), EMSGSIZE);
	ck_assert_ok(weft_stream_set_limit(ends[0], 6));
	expect_line(ends[0], "123456\n");
	ck_assert_ok(weft_stream_set_limit(ends[0], 5));
	expect_record("\r\n", "12345\r\n");
	ck_assert_fails(until("\r\n", 2, &data), EMSGSIZE);
	ck_assert_ok(weft_stream_set_limit(ends[0], 6));
	expect_record("\r\n", "123456\r\n");
	feed_end(&feeder);
	free_ends(ends);
}
END_TEST

START_TEST(emsgsize_comes_as_soon_as_no_delimiter_is_possible)
{
	const void *data;

	open_kind(_i, ends);
	ck_assert_ok(weft_stream_set_limit(ends[0], 4));
	write_all(ends[1], "1234", 4);
	ck_assert_fails(try_until("--", &data), EAGAIN);
	write_all(ends[1], "-", 1);             /* it may have begun */
	ck_assert_fails(try_until("--", &data), EAGAIN);
	ck_assert_fails(try_until("+-", &data), EMSGSIZE);
	write_all(ends[1], "+", 1);
	ck_assert_fails(try_until("--", &data), EMSGSIZE);
	ck_assert_ok(weft_stream_set_limit(ends[0], 5));
	ck_assert_fails(try_until("--", &data), EMSGSIZE);
	ck_assert_fails(try_until("+-", &data), EAGAIN);
	ck_assert_uint_eq(weft_stream_buffered(ends[0]), 6);
	free_ends(ends);
}
END_TEST

START_TEST(a_limit_of_0_is_einval)
{
	open_kind(_i, ends);
	ck_assert_fails(weft_stream_set_limit(ends[0], 0), EINVAL);
	ck_assert_ok(weft_stream_set_limit(ends[0], SIZE_MAX));
	write_all(ends[1], "a\n", 2);
	expect_line(ends[0], "a\n");
	free_ends(ends);
}
END_TEST

START_TEST(the_default_limit_is_64_kib)
{
	char *sent = malloc(65537 + 65538);
	struct feeder feeder;
	const char *line;

	memset(sent, 'x', 65537 + 65538);
	sent[65536] = sent[65537 + 65537] = '\n';
	open_kind(_i, ends);
	feed_begin(&feeder, ends[1], sent, 65537 + 65538, 65536, false);
	ck_assert_int_eq(weft_stream_read_line(ends[0], &line, soon_enough()), 65537);
	ck_assert_fails(weft_stream_read_line(ends[0], &line, soon_enough()), EMSGSIZE);
	ck_assert_ok(weft_stream_skip_line(ends[0], soon_enough()));
	ck_assert_fails(weft_stream_read_line(ends[0], &line, WEFT_NOWAIT), EAGAIN);
	feed_end(&feeder);
	free_ends(ends);
	free(sent);
}
END_TEST

/* --- segmentation never shows: against a model that sees all bytes at once */

struct model {
	const char *bytes, *delimiter;
	size_t length, n, limit, at;
};

/* What read_until gives, by the words of the contract. */
static ssize_t
model_until(struct model *m)
{
	const char *rest = m->bytes + m->at;
	size_t left = m->length - m->at, i;

	for (i = 0; i <= m->limit && i + m->n <= left; i++)
		if (memcmp(rest + i, m->delimiter, m->n) == 0)
			return (ssize_t)(i + m->n);
	if (left == 0)
		return 0;
	for (; i <= m->limit && i < left; i++)
		if (memcmp(rest + i, m->delimiter, left - i) == 0)
			return -EPIPE;  /* one has begun, and the end came */
	return left > m->limit ? -EMSGSIZE : -EPIPE;
}

static void
compare_with_model(struct model *m)
{
	const void *data;
	ssize_t expected, got;
	char one[1];

	do {
		expected = model_until(m);
		got = until(m->delimiter, m->n, &data);
		ck_assert_msg(got == (expected < 0 ? -1 : expected) &&
		    (expected >= 0 || errno == -expected),
		    "at %zu of %.*s, until %s, limit %zu: %zd, errno %d, not %zd",
		    m->at, (int)m->length, m->bytes, m->delimiter, m->limit, got, errno,
		    expected);
		if (expected > 0)
			ck_assert_mem_eq(data, m->bytes + m->at, (size_t)expected);
		else if (expected < 0)
			expected = weft_stream_read(ends[0], one, 1, soon_enough());
		m->at += (size_t)expected;
	} while (m->at < m->length);
	ck_assert_int_eq(until(m->delimiter, m->n, &data), 0);
}

START_TEST(what_is_read_never_depends_on_the_segments)
{
	static const char *const delimiters[] = { "a", "ab", "aa", "aab", "aaa", "abab",
		"aabaa" };
	char bytes[60];
	unsigned seed, i;

	for (seed = 0; seed < 14; seed++) {
		struct model m = { bytes, delimiters[seed % 7], sizeof bytes, 0, 0, 0 };
		struct feeder feeder;

		m.n = strlen(m.delimiter);
		m.limit = 1 + seed % 9;
		pattern(bytes, sizeof bytes, seed);
		for (i = 0; i < sizeof bytes; i++)
			bytes[i] = (char)('a' + ((unsigned char)bytes[i] % 5 > 2));
		open_sweep(_i, ends);
		ck_assert_ok(weft_stream_set_limit(ends[0], m.limit));
		feed_begin(&feeder, ends[1], bytes, sizeof bytes, chunk_of(_i), true);
		compare_with_model(&m);
		feed_end(&feeder);
		free_ends(ends);
	}
}
END_TEST

/* --- skip_line */

START_TEST(skip_line_drops_through_the_next_lf)
{
	struct feeder feeder;
	const char *line;
	char *sent = malloc(100000);

	memset(sent, 'x', 100000);
	memcpy(sent + 99990, "\nnext\nlas", 9);
	open_sweep(_i, ends);
	if (chunk_of(_i) < 10)
		memmove(sent, sent + 99900, 100);
	ck_assert_ok(weft_stream_set_limit(ends[0], 50));
	feed_begin(&feeder, ends[1], sent, (chunk_of(_i) < 10 ? 100 : 100000) - 1,
	    chunk_of(_i), true);
	ck_assert_fails(weft_stream_read_line(ends[0], &line, soon_enough()), EMSGSIZE);
	ck_assert_gives(weft_stream_skip_line(ends[0], soon_enough()), 0);
	expect_line(ends[0], "next\n");
	ck_assert_fails(weft_stream_skip_line(ends[0], soon_enough()), EPIPE);
	ck_assert_int_eq(weft_stream_read_line(ends[0], &line, soon_enough()), 0);
	feed_end(&feeder);
	free_ends(ends);
	free(sent);
}
END_TEST

START_TEST(skip_line_can_be_repeated_after_a_deadline)
{
	open_kind(_i, ends);
	write_all(ends[1], "abc", 3);
	ck_assert_fails(weft_stream_skip_line(ends[0], weft_after(3)), ETIMEDOUT);
	write_all(ends[1], "def\nghi\n", 8);
	ck_assert_ok(weft_stream_skip_line(ends[0], soon_enough()));
	expect_line(ends[0], "ghi\n");
	free_ends(ends);
}
END_TEST

/* --- borrowed */

START_TEST(a_borrowed_line_survives_writes_and_arrivals)
{
	const char *line;
	char *large = patterned(500 * KIB, 1);
	struct call writer = { .memory = large, .n = 500 * KIB };

	open_kind(_i, ends);
	write_all(ends[1], "borrowed\nmore", 13);
	ck_assert_int_eq(weft_stream_read_line(ends[0], &line, soon_enough()), 9);
	call_begin(&writer, call_write, ends[0]);
	write_all(ends[1], large, 1000);
	turns(5);
	ck_assert_mem_eq(line, "borrowed\n", 9);
	expect_bytes(ends[1], large, 500 * KIB);
	call_end(&writer);
	ck_assert_mem_eq(line, "borrowed\n", 9);
	free_ends(ends);
	free(large);
}
END_TEST

/* Two fibers take lines from one stream in turns. Each of them must find its
 * line whole when the call returns, whoever comes next. */
struct taker {
	struct weft_stream *from;
	int *next, lines;
};

static int
take_lines(void *arg)
{
	struct taker *t = arg;
	const char *line;
	char expected[32];
	ssize_t n;

	while ((n = weft_stream_read_line(t->from, &line, soon_enough())) > 0) {
		snprintf(expected, sizeof expected, "%7d", (*t->next)++);
		if (memcmp(line, expected, 7) != 0)
			return -1;
		t->lines++;
	}
	return n == 0 ? 0 : -1;
}

START_TEST(a_borrowed_line_is_whole_though_others_wait_to_read)
{
	enum { LINES = 40, LENGTH = 150000 };
	char *sent = malloc(LINES * LENGTH);
	int next = 0, i;
	struct taker takers[3] = { { .next = &next }, { .next = &next }, { .next = &next } };
	struct weft_fiber *fibers[3];
	struct feeder feeder;

	for (i = 0; i < LINES; i++) {
		memset(sent + i * LENGTH, '.', LENGTH - 1);
		snprintf(sent + i * LENGTH, 9, "%7d ", i);
		sent[i * LENGTH + 8] = '.';
		sent[(i + 1) * LENGTH - 1] = '\n';
	}
	open_kind(_i, ends);
	ck_assert_ok(weft_stream_set_limit(ends[0], LENGTH));
	for (i = 0; i < 3; i++) {
		takers[i].from = ends[0];
		fibers[i] = begin(take_lines, &takers[i]);
	}
	feed_begin(&feeder, ends[1], sent, LINES * LENGTH, LINES * LENGTH, true);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(end(fibers[i]), 0);
	ck_assert_int_eq(next, LINES);
	feed_end(&feeder);
	free_ends(ends);
	free(sent);
}
END_TEST

/* --- time: of this process, whatever else the machine does */

static int
milliseconds_since(clock_t began)
{
	return (int)((clock() - began) * 1000 / CLOCKS_PER_SEC);
}

/* 4 MiB in pieces of 1 KiB: if each piece were searched from the start it
 * would take 4,096 times 2 MiB, some seconds; once over, some milliseconds.
 * Under valgrind both take fifty times as long. */
START_TEST(a_long_record_costs_time_in_proportion)
{
	size_t n = 4 << 20;
	char *sent = malloc(n);
	struct feeder feeder;
	const void *data;
	clock_t began;

	memset(sent, '-', n);
	memcpy(sent + n - 5, "\r\n.\r\n", 5);
	open_kind(_i, ends);
	ck_assert_ok(weft_stream_set_limit(ends[0], n));
	feed_begin(&feeder, ends[1], sent, n, 1024, false);
	began = clock();
	ck_assert_int_eq(until("\r\n.\r\n", 5, &data), (ssize_t)n);
	ck_assert_mem_eq(data, sent, n);
	ck_assert_int_lt(milliseconds_since(began), RUNNING_ON_VALGRIND ? 20000 : 2000);
	feed_end(&feeder);
	free_ends(ends);
	free(sent);
}
END_TEST

START_TEST(many_lines_in_one_piece_are_not_copied_again_and_again)
{
	enum { LINES = 1 << 18 };
	char *sent = malloc(2 * LINES);
	struct feeder feeder;
	const char *line;
	int i;

	for (i = 0; i < LINES; i++)
		memcpy(sent + 2 * i, "x\n", 2);
	open_kind(_i, ends);
	feed_begin(&feeder, ends[1], sent, 2 * LINES, 1 << 20, true);
	for (i = 0; i < LINES; i++)
		if (weft_stream_read_line(ends[0], &line, WEFT_NEVER) != 2)
			ck_abort_msg("line %d", i);
	ck_assert_int_eq(weft_stream_read_line(ends[0], &line, soon_enough()), 0);
	feed_end(&feeder);
	free_ends(ends);
	free(sent);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("stream_limit");
	TCase *tc = test_case(suite, "limits");

	(void)backend;
	SWEEP(tc, the_limit_is_exact_and_counts_no_delimiter);
	EVERY_KIND(tc, emsgsize_comes_as_soon_as_no_delimiter_is_possible);
	EVERY_KIND(tc, a_limit_of_0_is_einval);
	EVERY_KIND(tc, the_default_limit_is_64_kib);
	SWEEP(tc, what_is_read_never_depends_on_the_segments);

	tc = test_case(suite, "skip_line");
	SWEEP(tc, skip_line_drops_through_the_next_lf);
	EVERY_KIND(tc, skip_line_can_be_repeated_after_a_deadline);

	tc = test_case(suite, "borrowed");
	EVERY_KIND(tc, a_borrowed_line_survives_writes_and_arrivals);
	EVERY_KIND(tc, a_borrowed_line_is_whole_though_others_wait_to_read);

	tc = test_case(suite, "time");
	EVERY_KIND(tc, a_long_record_costs_time_in_proportion);
	EVERY_KIND(tc, many_lines_in_one_piece_are_not_copied_again_and_again);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
