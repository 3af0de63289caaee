/* SPDX-License-Identifier: MIT */
/*
 * tests/check_protocol_faults.c - protocols, and no memory: whichever allocation
 * fails, the callbacks come in order and lost comes once, with the reason.
 *
 * Linked with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc.
 */
#include "config.h"

#include "tests/diary.h"
#include "tests/wrap.h"

enum { ALLOCATION, FAILURES = 8 };
static int allocations_left = -1;
static bool hit;

static bool
fails(int call)
{
	(void)call;
	if (allocations_left < 0 || allocations_left-- > 0)
		return false;
	hit = true;
	errno = ENOMEM;
	return true;
}

WRAP(ALLOCATION, void *, malloc, NULL, (size_t n), (n))
WRAP(ALLOCATION, void *, calloc, NULL, (size_t n, size_t size), (n, size))
WRAP(ALLOCATION, void *, realloc, NULL, (void *old, size_t n), (old, n))

/* Two ends, of which ends[0] has said something and that it was all. */
static void
open_said(int way, struct weft_stream *ends[2])
{
	open_both(way, ends);
	write_all(ends[0], "line\n", 5);
	ck_assert_ok(weft_stream_shutdown(ends[0], soon_enough()));
	hit = false;
}

/* More than a socket takes at once; what it does not is queued, if there is room.
 * Here and in the diary Check is not to allocate. */
static int
answer(struct weft_stream *s)
{
	static const char much[1 << 20];
	ssize_t n = weft_stream_write(s, much, sizeof much, WEFT_NOWAIT);

	if (n == (ssize_t)sizeof much)
		return 0;
	if (n > 0)
		errno = ENOMEM;
	return -1;
}

static int
finish_at_eof(struct weft_stream *s)
{
	return weft_stream_close(s, WEFT_NOWAIT);
}

START_TEST(without_memory_lost_comes_once_and_says_so)
{
	struct weft_stream *ends[2];
	struct diary d;
	int way = _i % WAYS_BOTH, k = _i / WAYS_BOTH;

	open_said(way, ends);
	open_diary(&d, 5);
	d.stream = ends[1];
	d.data = answer;
	d.eof = finish_at_eof;
	allocations_left = k;
	run(&d);
	allocations_left = -1;
	ck_assert_int_eq(d.lost, 1);
	ck_assert_int_eq(d.text[0], 'M');
	ck_assert_int_eq(d.text[strlen(d.text) - 1], 'L');
	ck_assert_int_eq(d.error, d.run_errno);
	if (k == 0) {
		ck_assert(hit);
		ck_assert_int_eq(d.run_errno, ENOMEM);
	}
	if (!hit)
		ck_assert_int_ne(d.run_errno, ENOMEM);
	ck_assert(weft_stream_closed(ends[1]));
	free(d.bytes);
	free_ends(ends);
}
END_TEST

START_TEST(without_memory_who_reads_behind_the_adapter_is_told)
{
	struct weft_stream *ends[2], *memory = weft_memory_open();
	char line[8];
	size_t got = 0;
	ssize_t n;
	int result, error;

	open_said(_i % WAYS_BOTH, ends);
	allocations_left = _i / WAYS_BOTH;
	result = weft_protocol_run(ends[1], weft_reader_protocol(), memory);
	error = errno;
	allocations_left = -1;
	ck_assert(hit || _i / WAYS_BOTH > 0);
	while ((n = weft_stream_read(memory, line + got, sizeof line - got, soon_enough())) > 0)
		got += (size_t)n;
	if (result == 0) {
		ck_assert_int_eq(n, 0);
		ck_assert_uint_eq(got, 5);
		ck_assert_mem_eq(line, "line\n", 5);
	} else {
		ck_assert(hit);
		ck_assert_int_eq(error, ENOMEM);
		ck_assert_int_eq(n, -1);
		ck_assert_int_eq(weft_stream_error(memory), ENOMEM);
	}
	weft_stream_free(memory);
	free_ends(ends);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("protocol, faults");
	TCase *tc = test_case(suite, "no memory");

	(void)backend;
	tcase_add_loop_test(tc, without_memory_lost_comes_once_and_says_so, 0,
	    FAILURES * WAYS_BOTH);
	tcase_add_loop_test(tc, without_memory_who_reads_behind_the_adapter_is_told, 0,
	    FAILURES * WAYS_BOTH);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
