/* SPDX-License-Identifier: MIT */
/*
 * tests/check_protocol.c - callbacks on streams: which come, in which order, how
 * often, whatever ends the connection.
 */
#include "config.h"

#include "tests/diary.h"

/* --- order */

START_TEST(made_data_eof_lost_however_the_bytes_come)
{
	struct weft_stream *ends[2];
	struct feeder feeder;
	struct diary d;
	size_t n = chunk_of_way(_i) < 10 ? 300 : 100000;
	char *bytes = patterned(n, 3);

	open_way(_i, ends);
	open_diary(&d, n);
	start(&d, ends[1]);
	feed_begin(&feeder, ends[0], bytes, n, chunk_of_way(_i), true);
	feed_end(&feeder);
	expect_diary(&d, bytes, n);
	ended(&d, "MDEL", 0);
	free(bytes);
	free_ends(ends);
}
END_TEST

START_TEST(every_callback_may_be_missing)
{
	static const struct weft_protocol nothing = { .size = sizeof nothing };
	static const struct weft_protocol shorter = {
		.size = offsetof(struct weft_protocol, data_received), .connection_made = made,
		.data_received = data   /* after its end: it is not there */
	};
	struct weft_stream *ends[2];
	struct diary d;

	open_way(_i, ends);
	open_diary(&d, 1);
	d.protocol = _i & 1 ? &nothing : &shorter;
	write_all(ends[0], "bytes", 5);
	start(&d, ends[1]);
	ck_assert_ok(weft_stream_close(ends[0], soon_enough()));
	ended(&d, _i & 1 ? "" : "M", 0);
	free_ends(ends);
}
END_TEST

START_TEST(what_can_never_be_right_is_refused_without_a_callback)
{
	struct weft_stream *s = weft_memory_open();
	struct weft_poller *poller = weft_poller_new(WEFT_BYTES);
	struct diary d, other;

	open_diary(&d, 8);
	open_diary(&other, 8);
	ck_assert_fails(weft_protocol_run(s, NULL, NULL), EINVAL);
	ck_assert_fails(weft_protocol_run(s, &(struct weft_protocol){ 0 }, NULL), EINVAL);
	ck_assert_fails(weft_protocol_pause_reading(s), EINVAL);
	ck_assert_fails(weft_protocol_resume_reading(s), EINVAL);
	ck_assert_ok(weft_poller_register(poller, s));
	ck_assert_fails(weft_protocol_run(s, &all, &other), EBUSY);
	weft_poller_free(poller);
	start(&d, s);
	ck_assert_fails(weft_protocol_run(s, &all, &other), EBUSY);
	ck_assert_ok(weft_stream_close(s, WEFT_NEVER));
	ended(&d, "ML", 0);
	ck_assert_fails(weft_protocol_run(s, &all, &other), EBADF);
	ck_assert_str_eq(other.text, "");
	free(other.bytes);
	weft_stream_free(s);
}
END_TEST

/* --- ends */

static int
fail_with_eproto(struct weft_stream *s)
{
	(void)s;
	errno = EPROTO;
	return -1;
}

static int
close_it(struct weft_stream *s)
{
	return weft_stream_close(s, soon_enough());
}

static int
abort_it(struct weft_stream *s)
{
	weft_stream_abort(s);
	return 0;
}

static int
free_it(struct weft_stream *s)
{
	weft_stream_free(s);
	return 0;
}

static int
keep_open(struct weft_stream *s)
{
	(void)s;
	return 1;
}

/* What made, data and eof do; what is told then. */
static const struct {
	int (*does)(struct weft_stream *);
	int error;
} endings[] = {
	{ fail_with_eproto, EPROTO }, { close_it, 0 }, { abort_it, 0 }, { free_it, 0 }
};
enum { ENDINGS = 4 };

START_TEST(any_callback_can_end_it)
{
	static const char *const texts[] = { "ML", "MDL", "MDEL" };
	struct weft_stream *ends[2];
	struct diary d;
	int how = _i % ENDINGS, when = _i / ENDINGS % 3;

	open_way(_i / ENDINGS / 3, ends);
	open_diary(&d, 8);
	if (when == 0)
		d.made = endings[how].does;
	else if (when == 1)
		d.data = endings[how].does;
	else
		d.eof = endings[how].does;
	write_all(ends[0], "bytes", 5);
	ck_assert_ok(weft_stream_shutdown(ends[0], soon_enough()));
	start(&d, ends[1]);
	end(d.fiber);
	ck_assert_uint_eq(d.count, when == 0 ? 0 : 5);
	if (when > 0)
		ck_assert_mem_eq(d.bytes, "bytes", 5);
	ck_assert_str_eq(d.text, texts[when]);
	ck_assert_int_eq(d.error, endings[how].error);
	ck_assert_int_eq(d.run_errno, endings[how].error);
	free(d.bytes);
	if (endings[how].does == free_it)
		weft_stream_free(ends[0]);
	else
		free_ends(ends);
}
END_TEST

START_TEST(a_half_open_one_is_the_programs_until_it_closes_it)
{
	struct weft_stream *ends[2];
	struct diary d;

	open_both(_i, ends);
	open_diary(&d, 8);
	d.eof = keep_open;
	start(&d, ends[1]);
	ck_assert_ok(weft_stream_shutdown(ends[0], soon_enough()));
	while (strcmp(d.text, "ME") != 0)
		ck_assert_ok(weft_yield());
	turns(3);
	ck_assert_str_eq(d.text, "ME");
	write_all(ends[1], "late", 4);
	if (_i < WAYS_BOTH)
		ck_assert_ok(weft_stream_close(ends[1], soon_enough()));
	else                            /* nothing is left of it then */
		ck_assert_ok(weft_stream_shutdown(ends[1], soon_enough()));
	expect_text(ends[0], "late");
	ended(&d, "MEL", 0);
	free_ends(ends);
}
END_TEST

START_TEST(an_error_comes_after_the_data_and_is_told)
{
	struct weft_stream *s = weft_memory_open(), *ends[2];
	struct diary d;

	open_diary(&d, 8);
	ck_assert_ok(weft_memory_feed(s, "data", 4));
	ck_assert_ok(weft_memory_feed_error(s, EIO));
	start(&d, s);
	ended(&d, "MDL", EIO);
	weft_stream_free(s);

	open_tcp(ends);
	open_diary(&d, 8);
	d.eof = keep_open;
	start(&d, ends[1]);
	reset_connection(ends[0]);
	ended(&d, "ML", ECONNRESET);
	free_ends(ends);
}
END_TEST

START_TEST(closed_or_freed_by_another_fiber_it_is_lost)
{
	struct weft_stream *ends[2];
	struct diary d;

	open_way(_i, ends);
	open_diary(&d, 8);
	start(&d, ends[1]);
	turns(2);
	if (_i < WAYS)
		ck_assert_ok(weft_stream_close(ends[1], soon_enough()));
	else
		weft_stream_free(ends[1]);
	weft_join(d.fiber, NULL, soon_enough());
	ck_assert_str_eq(d.text, "ML");
	ck_assert_int_eq(d.error, 0);
	ck_assert_int_eq(d.result, 0);
	free(d.bytes);
	weft_stream_free(ends[0]);
	if (_i < WAYS)
		weft_stream_free(ends[1]);
}
END_TEST

/* The handler of a connection, which leaves it to another fiber. */
static int
leave_it(struct weft_stream *s, void *arg)
{
	start(arg, s);
	return 0;
}

static void
lost_in_a_handlers_hands(struct diary *d, char *name, size_t size)
{
	struct weft_server *server = weft_tcp_listen("127.0.0.1", "0", NULL);
	struct weft_stream *s;
	char port[8];

	ck_assert_ptr_nonnull(server);
	ck_assert_ok(weft_server_start(server, leave_it, d));
	snprintf(port, sizeof port, "%d", weft_server_port(server));
	s = weft_tcp_connect("127.0.0.1", port, NULL, soon_enough());
	ck_assert_ptr_nonnull(s);
	snprintf(name, size, "%s", weft_stream_peername(s));
	while (d->lost == 0)
		turns(1);
	weft_stream_free(s);
	weft_server_free(server);
}

static void
lost_when_freed(struct diary *d, bool here, char *name, size_t size)
{
	struct weft_stream *ends[2];

	open_tcp(ends);
	snprintf(name, size, "%s", weft_stream_peername(ends[0]));
	d->data = here ? NULL : free_it;
	start(d, ends[1]);
	if (here)
		weft_stream_free(ends[1]);
	else
		write_all(ends[0], "bytes", 5);
	while (d->lost == 0)
		turns(1);
	weft_stream_free(ends[0]);
}

START_TEST(who_is_told_of_a_loss_may_ask_whose_it_was)
{
	struct diary d;
	char name[128];

	open_diary(&d, 8);
	if (_i < 2)
		lost_when_freed(&d, _i == 0, name, sizeof name);
	else
		lost_in_a_handlers_hands(&d, name, sizeof name);
	weft_join(d.fiber, NULL, soon_enough());
	ck_assert_str_eq(d.name, name);
	free(d.bytes);
}
END_TEST

START_TEST(a_cancel_ends_it)
{
	struct weft_stream *ends[2];
	struct diary d;

	open_way(_i, ends);
	open_diary(&d, 8);
	start(&d, ends[1]);
	turns(2);
	ck_assert_ok(weft_cancel(d.fiber));
	ended(&d, "ML", ECANCELED);
	free_ends(ends);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("protocol");
	TCase *tc;

	(void)backend;
	tc = test_case(suite, "order");
	EVERY_WAY_AND_CHUNK(tc, made_data_eof_lost_however_the_bytes_come);
	EVERY_WAY(tc, every_callback_may_be_missing);
	tcase_add_test(tc, what_can_never_be_right_is_refused_without_a_callback);
	tc = test_case(suite, "ends");
	tcase_add_loop_test(tc, any_callback_can_end_it, 0, ENDINGS * 3 * WAYS);
	tcase_add_loop_test(tc, a_half_open_one_is_the_programs_until_it_closes_it, 0,
	    2 * WAYS_BOTH);
	tcase_add_test(tc, an_error_comes_after_the_data_and_is_told);
	tcase_add_loop_test(tc, closed_or_freed_by_another_fiber_it_is_lost, 0, 2 * WAYS);
	tcase_add_loop_test(tc, who_is_told_of_a_loss_may_ask_whose_it_was, 0, 3);
	EVERY_WAY(tc, a_cancel_ends_it);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
