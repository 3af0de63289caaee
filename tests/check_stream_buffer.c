/* SPDX-License-Identifier: MIT */
/* Reads that look ahead, reads to the end, several delimiters, and Buffers on
 * both sides: over every kind of stream, however the bytes are cut. */
#include "config.h"

#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/streams.h"
#include "weft/buffer.h"
#include "weft/stream.h"

enum { LENGTH = 1000 };

static struct weft_stream *ends[2];     /* [0] is read, [1] is fed */
static char bytes[LENGTH];
static struct feeder feeder;

/* Feeds `bytes`, whose every fourth is a number that grows. */
static void
feed(int i, bool shut)
{
	size_t at;

	for (at = 0; at < LENGTH; at++)
		bytes[at] = (char)('a' + at % 23);
	open_sweep(i, ends);
	feed_begin(&feeder, ends[1], bytes, LENGTH, chunk_of(i), shut);
}

/* Reads the rest, which the feeder waits for. */
static void
finish(void)
{
	char rest[LENGTH];

	while (weft_stream_read(ends[0], rest, sizeof rest, soon_enough()) > 0)
		;
	feed_end(&feeder);
	free_ends(ends);
}

START_TEST(peek_shows_at_least_what_is_wanted_and_consumes_nothing)
{
	const void *data;
	ssize_t n, again;

	feed(_i, true);
	n = weft_stream_peek(ends[0], 100, &data, soon_enough());
	ck_assert_int_ge(n, 100);
	ck_assert_mem_eq(data, bytes, (size_t)n);
	again = weft_stream_peek(ends[0], 1, &data, soon_enough());
	ck_assert_int_ge(again, n);
	ck_assert_mem_eq(data, bytes, (size_t)again);
	ck_assert_uint_eq(weft_stream_buffered(ends[0]), (size_t)again);
	ck_assert_ok(weft_stream_skip(ends[0], 99));
	ck_assert_int_ge(weft_stream_peek(ends[0], 100, &data, soon_enough()), 100);
	ck_assert_mem_eq(data, bytes + 99, 100);
	finish();
}
END_TEST

START_TEST(peek_at_the_end_gives_0_or_epipe_and_keeps_the_part)
{
	const void *data;
	char got[LENGTH];

	feed(_i, true);
	ck_assert_int_eq(weft_stream_peek(ends[0], LENGTH + 1, &data, soon_enough()), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_int_eq(weft_stream_read_exactly(ends[0], got, LENGTH, soon_enough()), LENGTH);
	ck_assert_mem_eq(got, bytes, LENGTH);
	ck_assert_int_eq(weft_stream_peek(ends[0], 1, &data, soon_enough()), 0);
	finish();
}
END_TEST

START_TEST(what_cannot_be_peeked_or_skipped_is_refused)
{
	const void *data;
	char byte;

	open_kind(_i, ends);
	ck_assert_int_eq(weft_stream_peek(ends[0], 0, &data, WEFT_NOWAIT), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ok(weft_stream_set_limit(ends[0], 10));
	ck_assert_int_eq(weft_stream_peek(ends[0], 11, &data, WEFT_NOWAIT), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_int_eq(weft_stream_write(ends[1], "abc", 3, soon_enough()), 3);
	ck_assert_int_eq(weft_stream_peek(ends[0], 3, &data, soon_enough()), 3);
	ck_assert_int_eq(weft_stream_skip(ends[0], 4), -1);
	ck_assert_int_eq(errno, ERANGE);
	ck_assert_int_eq(weft_stream_read(ends[0], &byte, 1, WEFT_NOWAIT), 1);
	ck_assert_int_eq(byte, 'a');
	ck_assert_int_eq(weft_stream_peek(ends[0], 5, &data, WEFT_NOWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_uint_eq(weft_stream_buffered(ends[0]), 2);
	free_ends(ends);
}
END_TEST

/* One byte, as it should be; an assertion costs a system call, so none here. */
static bool
get_next(struct weft_buffer *in, int at)
{
	uint8_t byte;

	return weft_stream_fill(ends[0], 1, soon_enough()) >= 1 &&
	    weft_buffer_get_u8(in, &byte) == 0 && (char)byte == bytes[at];
}

/* The pointer is fetched once; limits that are changed are put right. */
START_TEST(what_is_got_from_the_input_is_consumed)
{
	struct weft_buffer *in;
	int at;

	feed(_i, true);
	in = weft_stream_input(ends[0]);
	ck_assert_ptr_nonnull(in);
	for (at = 0; at < LENGTH && get_next(in, at); at++) {
		if (at % 7 == 0)
			weft_buffer_set_limit(in, weft_buffer_position(in));
		if (at % 11 == 0)
			weft_buffer_set_limit(in, weft_buffer_capacity(in));
	}
	ck_assert_int_eq(at, LENGTH);
	ck_assert_int_eq(weft_stream_fill(ends[0], 1, soon_enough()), 0);
	finish();
}
END_TEST

START_TEST(nothing_can_be_put_into_the_input)
{
	struct weft_buffer *in;

	open_kind(_i, ends);
	ck_assert_int_eq(weft_stream_write(ends[1], "abc", 3, soon_enough()), 3);
	in = weft_stream_input(ends[0]);
	ck_assert_int_eq(weft_stream_fill(ends[0], 3, soon_enough()), 3);
	ck_assert_int_eq(weft_buffer_put_u8(in, 1), -1);
	ck_assert_int_eq(errno, EROFS);
	ck_assert_ok(weft_stream_close(ends[0], soon_enough()));
	ck_assert_ptr_null(weft_stream_input(ends[0]));
	ck_assert_int_eq(errno, EBADF);
	free_ends(ends);
}
END_TEST

START_TEST(read_all_reads_to_the_end)
{
	struct weft_buffer *all = weft_buffer_new_growable(1, 2 * LENGTH);

	feed(_i, true);
	ck_assert_int_eq(weft_stream_read_all(ends[0], all, soon_enough()), LENGTH);
	ck_assert_uint_eq(weft_buffer_position(all), LENGTH);
	ck_assert_mem_eq(weft_buffer_bytes(all), bytes, LENGTH);
	ck_assert_int_eq(weft_stream_read_all(ends[0], all, soon_enough()), 0);
	weft_buffer_free(all);
	finish();
}
END_TEST

START_TEST(a_buffer_that_is_just_full_is_enough_and_one_byte_less_is_emsgsize)
{
	struct weft_buffer *exact = weft_buffer_new(LENGTH);
	struct weft_buffer *small = weft_buffer_new_growable(1, LENGTH - 1);
	char last;

	feed(_i, true);
	ck_assert_int_eq(weft_stream_read_all(ends[0], exact, soon_enough()), LENGTH);
	finish();
	feed(_i, true);
	ck_assert_int_eq(weft_stream_read_all(ends[0], small, soon_enough()), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_uint_eq(weft_buffer_position(small), LENGTH - 1);
	ck_assert_mem_eq(weft_buffer_bytes(small), bytes, LENGTH - 1);
	ck_assert_int_eq(weft_stream_read(ends[0], &last, 1, soon_enough()), 1);
	ck_assert_int_eq(last, bytes[LENGTH - 1]);
	weft_buffer_free(exact);
	weft_buffer_free(small);
	finish();
}
END_TEST

START_TEST(read_buffer_fills_what_remains)
{
	struct weft_buffer *b = weft_buffer_new(10);
	size_t at = 0;

	feed(_i, true);
	while (at < LENGTH) {
		weft_buffer_clear(b);
		if (weft_stream_read_buffer(ends[0], b, soon_enough()) <= 0)
			break;
		weft_buffer_flip(b);
		if (memcmp(weft_buffer_bytes(b), bytes + at, weft_buffer_remaining(b)) != 0)
			break;
		at += weft_buffer_remaining(b);
	}
	ck_assert_uint_eq(at, LENGTH);
	weft_buffer_set_position(b, weft_buffer_limit(b));
	ck_assert_int_eq(weft_stream_read_buffer(ends[0], b, soon_enough()), -1);
	ck_assert_int_eq(errno, ENOBUFS);
	weft_buffer_clear(b);
	ck_assert_int_eq(weft_stream_read_buffer(ends[0], b, soon_enough()), 0);
	weft_buffer_free(b);
	finish();
}
END_TEST

/* The record by the simplest means: try every end, shortest delimiter first. */
static size_t
model(const char *data, const struct iovec *delimiters, int count)
{
	size_t end;
	int i;

	for (end = 1; end <= LENGTH; end++)
		for (i = 0; i < count; i++)
			if (end >= delimiters[i].iov_len && memcmp(data + end -
			    delimiters[i].iov_len, delimiters[i].iov_base,
			    delimiters[i].iov_len) == 0)
				return end;
	return 0;
}

START_TEST(of_several_delimiters_the_one_that_ends_first_wins)
{
	static char aab[] = "aab", ab[] = "ab", b_a[] = "b a", ba[] = "ba a";
	const struct iovec delimiters[] = { { aab, 3 }, { ab, 2 }, { b_a, 3 }, { ba, 4 } };
	static const char letters[] = "aaab ";
	size_t at, record;
	const void *data;

	srand((unsigned)_i);
	for (at = 0; at < LENGTH; at++)
		bytes[at] = letters[rand() % 5];
	memcpy(bytes + LENGTH - 2, "ab", 2);
	open_sweep(_i, ends);
	feed_begin(&feeder, ends[1], bytes, LENGTH, chunk_of(_i), true);
	for (at = 0; at < LENGTH; at += record) {
		record = model(bytes + at, delimiters, 4);
		if (weft_stream_read_until_any(ends[0], delimiters, 4, &data,
		    soon_enough()) != (ssize_t)record || memcmp(data, bytes + at, record) != 0)
			break;
	}
	ck_assert_uint_eq(at, LENGTH);
	ck_assert_int_eq(weft_stream_read_until_any(ends[0], delimiters, 4, &data,
	    soon_enough()), 0);
	finish();
}
END_TEST

START_TEST(no_delimiter_or_an_empty_one_is_einval)
{
	static char x[] = "x";
	const struct iovec delimiters[] = { { x, 1 }, { x, 0 } };
	const void *data;

	open_kind(_i, ends);
	ck_assert_int_eq(weft_stream_read_until_any(ends[0], delimiters, 0, &data, WEFT_NOWAIT), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(weft_stream_read_until_any(ends[0], delimiters, 2, &data, WEFT_NOWAIT), -1);
	ck_assert_int_eq(errno, EINVAL);
	free_ends(ends);
}
END_TEST

START_TEST(what_is_put_is_sent_by_commit)
{
	struct weft_buffer *out;
	char got[8];

	open_kind(_i, ends);
	ck_assert_ptr_nonnull(out = weft_stream_output(ends[1], 4));
	ck_assert_uint_ge(weft_buffer_remaining(out), 4);
	ck_assert_ok(weft_buffer_put_u32_be(out, 0x61626364));
	ck_assert_ptr_nonnull(out = weft_stream_output(ends[1], 100000));
	ck_assert_uint_ge(weft_buffer_remaining(out), 100000);
	ck_assert_ok(weft_buffer_put_u32_be(out, 0x65666768));
	ck_assert_int_eq(weft_stream_read(ends[0], got, 8, WEFT_NOWAIT), -1);
	errno = 12345;
	ck_assert_int_eq(weft_stream_commit(ends[1], soon_enough()), 0);
	ck_assert_int_eq(errno, 12345);
	ck_assert_int_eq(weft_stream_read_exactly(ends[0], got, 8, soon_enough()), 8);
	ck_assert_mem_eq(got, "abcdefgh", 8);
	ck_assert_int_eq(weft_stream_commit(ends[1], soon_enough()), 0);
	free_ends(ends);
}
END_TEST

START_TEST(a_stream_keeps_no_output_memory_after_a_commit)
{
	struct weft_buffer *out, *next;
	char got[2];

	open_kind(_i, ends);
	ck_assert_ptr_nonnull(out = weft_stream_output(ends[1], 4));
	ck_assert_ok(weft_buffer_put_u8(out, 'a'));
	ck_assert_ok(weft_stream_commit(ends[1], soon_enough()));
	ck_assert_ptr_nonnull(next = weft_stream_output(ends[1], 4));
	ck_assert_ptr_eq(next, out);    /* the loop had it */
	ck_assert_uint_eq(weft_buffer_position(next), 0);
	ck_assert_ok(weft_buffer_put_u8(next, 'b'));
	ck_assert_ok(weft_stream_commit(ends[1], soon_enough()));
	ck_assert_int_eq(weft_stream_read_exactly(ends[0], got, 2, soon_enough()), 2);
	ck_assert_mem_eq(got, "ab", 2);
	free_ends(ends);
}
END_TEST

START_TEST(write_buffer_moves_over_what_was_accepted)
{
	struct weft_buffer *src = weft_buffer_new(5);
	char got[5];

	open_kind(_i, ends);
	ck_assert_ok(weft_buffer_put_bytes(src, "hello", 5));
	weft_buffer_flip(src);
	ck_assert_int_eq(weft_stream_write_buffer(ends[1], src, soon_enough()), 5);
	ck_assert(!weft_buffer_has_remaining(src));
	ck_assert_int_eq(weft_stream_write_buffer(ends[1], src, soon_enough()), 0);
	ck_assert_int_eq(weft_stream_read_exactly(ends[0], got, 5, soon_enough()), 5);
	ck_assert_mem_eq(got, "hello", 5);
	weft_buffer_free(src);
	free_ends(ends);
}
END_TEST

START_TEST(detach_gives_the_descriptor_back_unless_bytes_would_be_lost)
{
	const void *data;
	char got[3];
	int fd;

	open_kind(_i, ends);
	ck_assert_int_eq(weft_stream_write(ends[1], "abc", 3, soon_enough()), 3);
	ck_assert_int_eq(weft_stream_peek(ends[0], 3, &data, soon_enough()), 3);
	ck_assert_int_eq(weft_stream_detach(ends[0]), -1);
	ck_assert_int_eq(errno, ENOTSUP);
	ck_assert_ok(weft_stream_skip(ends[0], 3));
	fd = weft_stream_detach(ends[0]);
	ck_assert_int_ge(fd, 0);
	ck_assert(weft_stream_closed(ends[0]));
	ck_assert_int_eq(weft_stream_write(ends[1], "def", 3, soon_enough()), 3);
	ck_assert_int_eq(weft_fd_wait(fd, WEFT_READABLE, soon_enough()), WEFT_READABLE);
	ck_assert_int_eq(read(fd, got, 3), 3);
	ck_assert_int_eq(weft_stream_detach(ends[0]), -1);
	ck_assert_int_eq(errno, EBADF);
	close(fd);
	free_ends(ends);
}
END_TEST

START_TEST(a_lent_input_is_empty_once_the_stream_is_closed)
{
	const void *data;

	open_kind(_i, ends);
	ck_assert_gives(weft_stream_write(ends[1], "abc", 3, soon_enough()), 3);
	ck_assert_gives(weft_stream_peek(ends[0], 3, &data, soon_enough()), 3);
	ck_assert_ptr_nonnull(weft_stream_input(ends[0]));
	ck_assert_uint_eq(weft_stream_buffered(ends[0]), 3);
	weft_stream_abort(ends[0]);
	ck_assert_uint_eq(weft_stream_buffered(ends[0]), 0);
	free_ends(ends);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("stream_buffer");
	TCase *tc = test_case(suite, backend);

	SWEEP(tc, peek_shows_at_least_what_is_wanted_and_consumes_nothing);
	SWEEP(tc, peek_at_the_end_gives_0_or_epipe_and_keeps_the_part);
	EVERY_KIND(tc, what_cannot_be_peeked_or_skipped_is_refused);
	SWEEP(tc, what_is_got_from_the_input_is_consumed);
	EVERY_KIND(tc, nothing_can_be_put_into_the_input);
	EVERY_KIND(tc, a_lent_input_is_empty_once_the_stream_is_closed);
	SWEEP(tc, read_all_reads_to_the_end);
	SWEEP(tc, a_buffer_that_is_just_full_is_enough_and_one_byte_less_is_emsgsize);
	SWEEP(tc, read_buffer_fills_what_remains);
	SWEEP(tc, of_several_delimiters_the_one_that_ends_first_wins);
	EVERY_KIND(tc, no_delimiter_or_an_empty_one_is_einval);
	EVERY_KIND(tc, what_is_put_is_sent_by_commit);
	EVERY_KIND(tc, a_stream_keeps_no_output_memory_after_a_commit);
	EVERY_KIND(tc, write_buffer_moves_over_what_was_accepted);
	EVERY_SOCKET(tc, detach_gives_the_descriptor_back_unless_bytes_would_be_lost);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
