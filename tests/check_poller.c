/* SPDX-License-Identifier: MIT */
/*
 * tests/check_poller.c - what a poller tells of its streams: data or lines, the
 * rest, errors and the end, however the bytes came.
 */
#include "config.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/polled.h"

START_TEST(bytes_come_whole_and_then_closed_once)
{
	struct weft_stream *ends[2];
	struct weft_poll_event events[4];
	struct feeder feeder;
	size_t n = chunk_of_way(_i) < 10 ? 500 : 60000;
	char *bytes = patterned(n, 1);
	ssize_t got = 0, i;
	int closed = 0, wrong = 0;

	open_way(_i, ends);
	begin_story(WEFT_BYTES);
	watch_as(0, ends[1]);
	feed_begin(&feeder, ends[0], bytes, n, chunk_of_way(_i), true);
	while (closed == 0 && (got = weft_poller_poll(poller, events, 4, soon_enough())) > 0)
		for (i = 0; i < got; i++) {
			wrong += events[i].stream != ends[1] || events[i].server != NULL || closed;
			closed += events[i].kind == WEFT_POLL_CLOSED;
			if (events[i].kind == WEFT_POLL_DATA)
				gather(&events[i]);
			else
				wrong += events[i].kind != WEFT_POLL_CLOSED;
		}
	feed_end(&feeder);
	ck_assert_int_eq(closed, 1);
	ck_assert_int_eq(wrong, 0);
	ck_assert_uint_eq(count_told, n);
	ck_assert_mem_eq(bytes_told, bytes, n);
	ck_assert_gives(weft_poller_poll(poller, events, 4, WEFT_NOWAIT), 0);
	ck_assert(!weft_stream_closed(ends[1]));
	free(bytes);
	weft_poller_free(poller);
	free_ends(ends);
}
END_TEST

START_TEST(lines_then_the_rest_then_closed_once)
{
	static const char text[] = "one\n\ntwo\r\nthree";
	struct weft_stream *ends[2];
	struct feeder feeder;

	open_way(_i, ends);
	begin_story(WEFT_LINES);
	watch_as(0, ends[1]);
	feed_begin(&feeder, ends[0], text, sizeof text - 1, chunk_of_way(_i), true);
	tell_lines(5, 1 + (size_t)_i % 3);
	feed_end(&feeder);
	ends_as("a line one\na line \na line two\na line three\na closed\n");
	weft_poller_free(poller);
	free_ends(ends);
}
END_TEST

START_TEST(all_that_has_come_is_told_by_one_poll)
{
	struct weft_stream *s = weft_memory_open();

	begin_story(WEFT_LINES);
	ck_assert_ok(weft_memory_feed(s, "one\ntwo\nthree", 13));
	ck_assert_ok(weft_memory_feed_eof(s));
	watch_as(0, s);
	ck_assert_int_eq(poll_and_tell(8, WEFT_NEVER), 4);
	ends_as("a line one\na line two\na line three\na closed\n");
	weft_poller_free(poller);
	weft_stream_free(s);
}
END_TEST

START_TEST(long_lines_come_whole_and_in_time)
{
	enum { LONG = 60000 };
	struct weft_stream *ends[2];
	struct weft_poll_event event;
	struct feeder feeder;
	char *line = patterned(LONG + 1, 2);
	int i;

	for (i = 0; i < LONG; i++)
		line[i] = line[i] == '\n' ? 'n' : line[i];
	line[LONG] = '\n';
	open_way(_i, ends);
	begin_story(WEFT_LINES);
	watch_as(0, ends[1]);
	for (i = 0; i < 2; i++) {
		feed_begin(&feeder, ends[0], line, LONG + 1, 777, false);
		ck_assert_int_eq(weft_poller_poll(poller, &event, 1, soon_enough()), 1);
		ck_assert_int_eq(event.kind, WEFT_POLL_LINE);
		ck_assert_uint_eq(event.length, LONG + 1);
		ck_assert_mem_eq(event.data, line, LONG + 1);
		feed_end(&feeder);
	}
	free(line);
	weft_poller_free(poller);
	free_ends(ends);
}
END_TEST

START_TEST(a_line_over_the_limit_is_an_error_and_nothing_is_lost)
{
	struct weft_stream *ends[2];

	open_way(_i, ends);
	begin_story(WEFT_LINES);
	ck_assert_ok(weft_stream_set_limit(ends[1], 5));
	write_all(ends[0], "12345\nok\n123456\nmore\n", 21);
	watch_as(0, ends[1]);
	tell_lines(4, 8);
	ends_as("a line 12345\na line ok\na error EMSGSIZE\na closed\n");
	ck_assert(!weft_stream_closed(ends[1]));
	ck_assert_ok(weft_stream_skip_line(ends[1], soon_enough()));
	watch_as(0, ends[1]);           /* it can go on */
	tell_lines(1, 8);
	ends_as("a line more\n");
	/* Also when its end is not in sight. */
	write_all(ends[0], "123456", 6);
	tell_lines(2, 1);
	ends_as("a error EMSGSIZE\na closed\n");
	expect_text(ends[1], "123456");
	weft_poller_free(poller);
	free_ends(ends);
}
END_TEST

START_TEST(an_error_comes_after_the_data_and_before_closed)
{
	struct weft_stream *ends[2], *s = weft_memory_open();

	begin_story(_i == 0 ? WEFT_BYTES : WEFT_LINES);
	ck_assert_ok(weft_memory_feed(s, "data", 4));
	ck_assert_ok(weft_memory_feed_error(s, EIO));
	watch_as(0, s);
	tell_lines(3, 1);
	ends_as(_i == 0 ? "a data data\na error EIO\na closed\n" :
	    "a line data\na error EIO\na closed\n");
	weft_stream_free(s);

	open_tcp(ends);
	watch_as(1, ends[1]);
	ck_assert_int_eq(poll_and_tell(8, weft_after(1)), 0);
	reset_connection(ends[0]);
	tell_lines(2, 8);
	ends_as("b error ECONNRESET\nb closed\n");
	ck_assert_int_eq(weft_stream_error(ends[1]), ECONNRESET);
	weft_poller_free(poller);
	free_ends(ends);
}
END_TEST

START_TEST(nothing_in_time_is_0)
{
	struct weft_stream *ends[2];
	int64_t before;

	open_way(_i, ends);
	begin_story(WEFT_BYTES);
	watch_as(0, ends[1]);
	ck_assert_gives(poll_and_tell(8, WEFT_NOWAIT), 0);
	ck_assert_gives(poll_and_tell(8, weft_after(-5)), 0);
	before = weft_after(0);
	ck_assert_gives(poll_and_tell(8, weft_after(5)), 0);
	ck_assert_int_ge(weft_after(0), before + 5);
	/* A try without waiting finds what has come. */
	write_all(ends[0], "x", 1);
	ck_assert_ok(weft_sleep(weft_after(1)));
	ck_assert_int_eq(poll_and_tell(8, _i & 1 ? WEFT_NOWAIT : weft_after(-5)), 1);
	ends_as("a data x\n");
	weft_poller_free(poller);
	free_ends(ends);
}
END_TEST

START_TEST(a_loop_of_tries_without_waiting_sees_what_comes)
{
	struct weft_stream *ends[2];
	int64_t until = soon_enough();

	open_way(_i, ends);
	begin_story(WEFT_LINES);
	watch_as(0, ends[1]);
	ck_assert_gives(poll_and_tell(8, WEFT_NOWAIT), 0);
	write_all(ends[0], "x\n", 2);
	while (poll_and_tell(8, WEFT_NOWAIT) == 0)
		if (weft_now() >= until)
			ck_abort_msg("nothing came");
	ends_as("a line x\n");
	weft_poller_free(poller);
	free_ends(ends);
}
END_TEST

/* The quiet one is told of in the first round although the others never stop. */
START_TEST(a_small_array_is_shared_fairly)
{
	struct weft_stream *s[4];
	static char noise[2000];
	int i, quiet = 0;

	begin_story(_i == 0 ? WEFT_BYTES : WEFT_LINES);
	for (i = 0; i < 2000; i++)
		noise[i] = "n\n"[i & 1];
	for (i = 0; i < 4; i++) {
		s[i] = weft_memory_open();
		watch_as(i, s[i]);
		ck_assert_ok(weft_memory_feed(s[i], noise, i == 3 ? 2 : sizeof noise));
	}
	for (i = 0; i < 4; i++) {
		story[0] = '\0';
		ck_assert_int_eq(poll_and_tell(1, WEFT_NEVER), 1);
		quiet += story[0] == 'd';
		ck_assert_ok(weft_memory_feed(s[0], noise, sizeof noise));
	}
	ck_assert_int_eq(quiet, 1);
	weft_poller_free(poller);
	for (i = 0; i < 4; i++)
		weft_stream_free(s[i]);
}
END_TEST

/* --- streams that are not of ours, or always ready */

struct source {
	int reads;
	bool ready, eof;
};

static ssize_t
source_read(struct weft_stream *s, void *dst, size_t n)
{
	struct source *source = weft_stream_object(s);

	(void)n;
	source->reads++;
	if (!source->ready) {
		errno = source->eof ? 0 : EAGAIN;
		return source->eof ? 0 : -1;
	}
	source->ready = false;
	*(char *)dst = 'x';
	return 1;
}

static int
source_want(struct weft_stream *s, int events)
{
	(void)s, (void)events;
	return 0;
}

static const struct weft_stream_class source_class = {
	.size = sizeof source_class, .name = "source", .read = source_read,
	.want = source_want, .internal = true
};

START_TEST(a_poll_asks_those_that_have_news_and_no_others)
{
	enum { MANY = 300 };
	static struct source sources[MANY];
	static struct weft_stream *s[MANY];
	int i, reads = 0;

	begin_story(WEFT_BYTES);
	for (i = 0; i < MANY; i++) {
		sources[i] = (struct source){ 0 };
		s[i] = weft_stream_new(&source_class, &sources[i]);
		if (weft_poller_register(poller, s[i]) != 0)
			ck_abort_msg("register: %s", strerror(errno));
	}
	ck_assert_gives(poll_and_tell(8, WEFT_NOWAIT), 0);
	for (i = 0; i < MANY; i++)
		sources[i].reads = 0;
	named[0] = s[7];
	sources[7].ready = true;
	weft_stream_notify(s[7], WEFT_READABLE);
	ck_assert_int_eq(poll_and_tell(8, WEFT_NEVER), 1);
	sources[7].eof = true;
	weft_stream_notify(s[7], WEFT_READABLE);
	ck_assert_int_eq(poll_and_tell(8, WEFT_NEVER), 1);
	ends_as("a data x\na closed\n");
	for (i = 0; i < MANY; i++)
		reads += i != 7 ? sources[i].reads : 0;
	ck_assert_int_eq(reads, 0);
	ck_assert_int_lt(sources[7].reads, 6);
	weft_poller_free(poller);
	for (i = 0; i < MANY; i++)
		weft_stream_free(s[i]);
}
END_TEST

static int
count_to_ten(void *counter)
{
	while (++*(int *)counter < 10)
		ck_assert_ok(weft_yield());
	return 0;
}

START_TEST(a_file_is_always_ready_and_lets_others_run)
{
	char path[] = "/tmp/weft-check-XXXXXX";
	int fd = mkstemp(path), counter = 0, i;
	struct weft_stream *file, *null;
	struct weft_fiber *fiber;

	unlink(path);
	for (i = 0; i < 400; i++)
		ck_assert_int_eq(write(fd, "line\n", 5), 5);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	file = weft_pipe_open(fd, -1);
	null = weft_pipe_open(open("/dev/null", O_RDONLY), -1);
	begin_story(WEFT_LINES);
	watch_as(0, file);
	watch_as(1, null);
	fiber = begin(count_to_ten, &counter);
	ck_assert_int_eq(poll_and_tell(2, WEFT_NEVER), 2);
	ck_assert_int_eq(poll_and_tell(1, WEFT_NEVER), 1);
	ck_assert_str_eq(story, "a line line\na line line\nb closed\n");
	story[0] = '\0';
	tell_lines(399, 1);
	ck_assert_str_eq(story + strlen(story) - 9, "a closed\n");
	ck_assert_int_gt(counter, 1);
	end(fiber);
	weft_poller_free(poller);
	weft_stream_free(file);
	weft_stream_free(null);
}
END_TEST

/* --- beside others that read */

START_TEST(what_the_program_reads_itself_is_not_told_and_nothing_is_lost)
{
	struct weft_stream *ends[2];

	open_way(_i, ends);
	begin_story(WEFT_LINES);
	watch_as(0, ends[1]);
	write_all(ends[0], "one\ntwo\nthree\npart", 18);
	tell_lines(1, 1);
	ck_assert_str_eq(story, "a line one\n");
	expect_line(ends[1], "two\n");
	expect_text(ends[1], "thr");
	tell_lines(2, 1);
	ck_assert_str_eq(story, "a line one\na line ee\n");
	expect_text(ends[1], "par");
	write_all(ends[0], "y\n", 2);
	tell_lines(3, 1);
	ends_as("a line one\na line ee\na line ty\n");
	weft_poller_free(poller);
	free_ends(ends);
}
END_TEST

START_TEST(while_another_fiber_reads_the_poller_waits)
{
	struct weft_stream *ends[2];
	char first[4];
	struct call call = { .memory = first, .n = 4 };

	open_way(_i, ends);
	begin_story(WEFT_LINES);
	watch_as(0, ends[1]);
	call_begin(&call, call_read_exactly, ends[1]);
	ck_assert_gives(poll_and_tell(8, weft_after(1)), 0);
	write_all(ends[0], "headline\n", 9);
	tell_lines(1, 8);
	ends_as("a line line\n");
	call_end(&call);
	ck_assert_int_eq(call.result, 4);
	weft_poller_free(poller);
	free_ends(ends);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("poller");
	TCase *tc;

	(void)backend;
	tc = test_case(suite, "what is told");
	EVERY_WAY_AND_CHUNK(tc, bytes_come_whole_and_then_closed_once);
	EVERY_WAY_AND_CHUNK(tc, lines_then_the_rest_then_closed_once);
	tcase_add_test(tc, all_that_has_come_is_told_by_one_poll);
	EVERY_WAY(tc, long_lines_come_whole_and_in_time);
	EVERY_WAY(tc, a_line_over_the_limit_is_an_error_and_nothing_is_lost);
	tcase_add_loop_test(tc, an_error_comes_after_the_data_and_before_closed, 0, 2);
	tc = test_case(suite, "when");
	EVERY_WAY(tc, nothing_in_time_is_0);
	EVERY_WAY(tc, a_loop_of_tries_without_waiting_sees_what_comes);
	tcase_add_loop_test(tc, a_small_array_is_shared_fairly, 0, 2);
	tcase_add_test(tc, a_poll_asks_those_that_have_news_and_no_others);
	tcase_add_test(tc, a_file_is_always_ready_and_lets_others_run);
	tc = test_case(suite, "other readers");
	EVERY_WAY(tc, what_the_program_reads_itself_is_not_told_and_nothing_is_lost);
	EVERY_WAY(tc, while_another_fiber_reads_the_poller_waits);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
