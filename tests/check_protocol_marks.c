/* SPDX-License-Identifier: MIT */
/*
 * tests/check_protocol_marks.c - callbacks and flow: pause and resume at the
 * marks, and the adapter that feeds a reader and pauses the transport.
 */
#include "config.h"

#include "lib/stream.h"
#include "tests/diary.h"

/* --- the marks */

enum { MUCH = 8 << 20 };

static size_t to_write;

static int
write_much(struct weft_stream *s)
{
	static char bytes[MUCH];

	ck_assert_int_eq(weft_stream_write(s, bytes, to_write, WEFT_NOWAIT), (ssize_t)to_write);
	return 0;
}

/* Reads it all. */
static void
swallow(struct weft_stream *s, size_t n)
{
	static char bytes[64 * 1024];
	ssize_t got = 1;

	for (; n > 0 && got > 0; n -= (size_t)got)
		got = weft_stream_read(s, bytes, n < sizeof bytes ? n : sizeof bytes, soon_enough());
	ck_assert_int_gt(got, 0);
}

static void
until_told(struct diary *d, const char *text)
{
	int64_t until = soon_enough();

	while (strcmp(d->text, text) != 0)
		if (weft_yield() < 0 || weft_now() > until)
			ck_abort_msg("%s", d->text);
}

START_TEST(a_write_above_the_high_mark_pauses_and_a_drained_queue_resumes)
{
	struct weft_stream *ends[2];
	struct diary d;

	open_both(_i, ends);
	open_diary(&d, 8);
	to_write = MUCH;
	d.made = write_much;
	start(&d, ends[1]);
	until_told(&d, "MP");
	ck_assert_uint_gt(weft_stream_queued(ends[1]), 64 * KIB);
	/* The next write waits, and takes nothing without waiting. */
	ck_assert_fails(weft_stream_write(ends[1], "x", 1, WEFT_NOWAIT), EAGAIN);
	swallow(ends[0], MUCH);
	until_told(&d, "MPR");
	ck_assert_ok(weft_stream_close(ends[0], WEFT_NOWAIT));
	ended(&d, "MPREL", 0);
	free_ends(ends);
}
END_TEST

/* A class of one's own that takes nothing. */
static ssize_t
slow_writev(struct weft_stream *s, const struct iovec *iov, int n)
{
	(void)s, (void)iov, (void)n;
	errno = EAGAIN;
	return -1;
}

static ssize_t
nothing_read(struct weft_stream *s, void *to, size_t n)
{
	(void)s, (void)to, (void)n;
	errno = EAGAIN;
	return -1;
}

static int
want_nothing(struct weft_stream *s, int events)
{
	(void)s, (void)events;
	return 0;
}

static const struct weft_stream_class slow = {
	.size = sizeof slow, .name = "slow", .read = nothing_read, .writev = slow_writev,
	.want = want_nothing, .internal = false
};

START_TEST(strictly_above_pauses_and_at_or_below_resumes)
{
	struct weft_stream *s = weft_stream_new(&slow, NULL);
	struct diary d;

	open_diary(&d, 8);
	ck_assert_ok(weft_stream_set_watermarks(s, 4, 10));
	start(&d, s);
	write_all(s, "0123456789", 10);
	until_told(&d, "M");
	turns(2);
	ck_assert_str_eq(d.text, "M");  /* at the mark */
	write_all(s, "0", 1);
	until_told(&d, "MP");
	/* Set anew they count at once. */
	ck_assert_ok(weft_stream_set_watermarks(s, 10, 20));
	turns(2);
	ck_assert_str_eq(d.text, "MP");
	ck_assert_ok(weft_stream_set_watermarks(s, 11, 20));
	until_told(&d, "MPR");
	ck_assert_ok(weft_stream_set_watermarks(s, 0, 10));
	until_told(&d, "MPRP");
	weft_stream_abort(s);
	ended(&d, "MPRPRL", 0);         /* in pairs */
	weft_stream_free(s);
}
END_TEST

static char told_inside[8];
static struct diary *inside_of;

static int
write_and_look(struct weft_stream *s)
{
	ck_assert_int_eq(weft_stream_write(s, "01234567890", 11, WEFT_NOWAIT), 11);
	strcpy(told_inside, inside_of->text);   /* before the write returned */
	return 0;
}

static void
pause_inside(int (*write)(struct weft_stream *))
{
	struct weft_stream *s = weft_stream_new(&slow, NULL);
	struct diary d;

	open_diary(&d, 8);
	inside_of = &d;
	d.made = write;
	ck_assert_ok(weft_stream_set_watermarks(s, 4, 10));
	start(&d, s);
	ck_assert_str_eq(told_inside, "MP");
	weft_stream_free(s);
	weft_join(d.fiber, NULL, soon_enough());
	ck_assert_str_eq(d.text, "MPRL");
	free(d.bytes);
}

START_TEST(the_write_that_passes_the_mark_calls_pause_itself)
{
	pause_inside(write_and_look);
}
END_TEST

static int
write_joining_and_look(struct weft_stream *s)
{
	ck_assert_ok(weft_stream_set_coalescing(s, true));
	ck_assert_int_eq(weft_stream_write(s, "0", 1, WEFT_NOWAIT), 1);
	return write_and_look(s);
}

START_TEST(so_does_a_coalesced_one_that_joins_others)
{
	pause_inside(write_joining_and_look);
}
END_TEST

/* --- the adapter */

struct reader {
	struct weft_stream *ends[2], *memory;
	struct diary run;       /* of the adapter, which writes nothing */
};

static void
adapt(struct reader *r, int way, size_t limit)
{
	open_both(way, r->ends);
	open_diary(&r->run, 1);
	r->memory = weft_memory_open();
	ck_assert_ok(weft_stream_set_limit(r->memory, limit));
	r->run.protocol = weft_reader_protocol();
	r->run.arg = r->memory;
	start(&r->run, r->ends[1]);
}

static void
leave(struct reader *r)
{
	end(r->run.fiber);
	free(r->run.bytes);
	weft_stream_free(r->memory);
	free_ends(r->ends);
}

START_TEST(the_adapter_feeds_what_comes_and_the_end)
{
	struct reader r;
	char byte;

	adapt(&r, _i, 100);
	write_all(r.ends[0], "one\ntwo", 7);
	expect_line(r.memory, "one\n");
	ck_assert_ok(weft_stream_close(r.ends[0], soon_enough()));
	expect_line(r.memory, "two");
	ck_assert_int_eq(weft_stream_read(r.memory, &byte, 1, soon_enough()), 0);
	leave(&r);
	ck_assert_int_eq(r.run.result, 0);
}
END_TEST

START_TEST(the_adapter_feeds_the_error)
{
	struct reader r;
	char byte;

	adapt(&r, 0, 100);
	reset_connection(r.ends[0]);
	ck_assert_fails(weft_stream_read(r.memory, &byte, 1, soon_enough()), ECONNRESET);
	leave(&r);
	ck_assert_int_eq(r.run.run_errno, ECONNRESET);
}
END_TEST

/* Fed in pieces: what comes when more than twice the limit is unread stays in
 * the transport, until the limit is reached from above. */
START_TEST(above_twice_the_limit_reading_is_paused_and_at_the_limit_resumed)
{
	struct reader r;
	char got[32];

	adapt(&r, _i, 10);
	write_all(r.ends[0], "01234567890123456789", 20);
	turns(5);
	write_all(r.ends[0], "A", 1);           /* 20 is not above twice 10 */
	turns(5);
	write_all(r.ends[0], "B", 1);           /* 21 is */
	turns(5);
	ck_assert_int_eq(weft_stream_peek(r.memory, 10, &(const void *){ NULL }, WEFT_NOWAIT), 21);
	ck_assert_int_eq(weft_stream_read(r.memory, got, 10, WEFT_NOWAIT), 10);
	turns(5);                               /* 11 is above the limit */
	ck_assert_uint_eq(weft__memory_unread(r.memory), 11);
	ck_assert_int_eq(weft_stream_read(r.memory, got, 1, WEFT_NOWAIT), 1);
	turns(5);                               /* 10 is not, and B has come */
	ck_assert_uint_eq(weft__memory_unread(r.memory), 11);
	ck_assert_int_eq(weft_stream_read(r.memory, got, 10, WEFT_NOWAIT), 10);
	ck_assert_mem_eq(got, "123456789A", 10);
	expect_text(r.memory, "B");
	ck_assert_ok(weft_stream_close(r.ends[0], soon_enough()));
	leave(&r);
}
END_TEST

START_TEST(who_waits_for_more_than_that_gets_it)
{
	struct reader r;
	char *bytes = patterned(1000, 4);

	adapt(&r, _i, 10);
	write_all(r.ends[0], bytes, 500);
	turns(5);
	write_all(r.ends[0], bytes + 500, 500);
	turns(5);
	expect_bytes(r.memory, bytes, 1000);
	ck_assert_ok(weft_stream_close(r.ends[0], soon_enough()));
	leave(&r);
	free(bytes);
}
END_TEST

START_TEST(a_memory_stream_that_goes_first_ends_the_connection)
{
	struct reader r;

	adapt(&r, _i, 10);
	if (_i & 1) {
		ck_assert_ok(weft_stream_close(r.memory, WEFT_NEVER));
	} else {
		weft_stream_free(r.memory);
		r.memory = NULL;
	}
	write_all(r.ends[0], "x", 1);
	leave(&r);
	ck_assert_int_eq(r.run.run_errno, EBADF);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("protocol, marks");
	TCase *tc;

	(void)backend;
	tc = test_case(suite, "marks");
	tcase_add_loop_test(tc, a_write_above_the_high_mark_pauses_and_a_drained_queue_resumes,
	    0, WAYS_BOTH);
	tcase_add_test(tc, strictly_above_pauses_and_at_or_below_resumes);
	tcase_add_test(tc, the_write_that_passes_the_mark_calls_pause_itself);
	tcase_add_test(tc, so_does_a_coalesced_one_that_joins_others);
	tc = test_case(suite, "adapter");
	tcase_add_loop_test(tc, the_adapter_feeds_what_comes_and_the_end, 0, WAYS_BOTH);
	tcase_add_test(tc, the_adapter_feeds_the_error);
	tcase_add_loop_test(tc, above_twice_the_limit_reading_is_paused_and_at_the_limit_resumed,
	    0, WAYS_BOTH);
	tcase_add_loop_test(tc, who_waits_for_more_than_that_gets_it, 0, WAYS_BOTH);
	tcase_add_loop_test(tc, a_memory_stream_that_goes_first_ends_the_connection, 0,
	    WAYS_BOTH);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
