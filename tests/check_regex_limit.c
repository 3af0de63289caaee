/* SPDX-License-Identifier: MIT */
/*
 * tests/check_regex_limit.c - regex reads are bounded: by the stream's limit,
 * in steps, in memory, on small stacks; and the k-th malloc that fails.
 */
#include "config.h"

#include "tests/regexes.h"
#include "weft/memory.h"

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);

static int until_failure;               /* 0: never */

static bool
fails(void)
{
	if (until_failure == 0 || --until_failure > 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t count, size_t n)
{
	return fails() ? NULL : __real_calloc(count, n);
}

#ifdef HAVE_PCRE2

static struct weft_stream *ends[2];     /* [0] is read, [1] is fed */

static void
expect_match(const char *pattern, const char *expected)
{
	struct weft_regex *r = regex(pattern, 0);
	const void *data = NULL;

	ck_assert_int_eq(weft_stream_read_match(ends[0], r, &data, soon_enough()),
	    (ssize_t)strlen(expected));
	ck_assert_mem_eq(data, expected, strlen(expected));
	weft_regex_free(r);
}

static void
expect_error(const char *pattern, int error)
{
	struct weft_regex *r = regex(pattern, 0);
	size_t had = weft_stream_buffered(ends[0]);
	const void *data;

	ck_assert_fails(weft_stream_read_match(ends[0], r, &data, soon_enough()), error);
	ck_assert_uint_ge(weft_stream_buffered(ends[0]), had);
	weft_regex_free(r);
}

/* --- the stream's limit */

static const struct {
	const char *pattern, *bytes, *record;   /* NULL: too long */
} limits[] = {                          /* of 5 bytes */
	{ "A", "xxxxxA", "xxxxxA" }, { "A", "xxxxxxA", NULL }, { "A", "xxxxxx", NULL },
	{ "x+", "xxxxx;", "xxxxx" }, { "x+", "xxxxxx", NULL },
	{ "x+;", "xxxx;", "xxxx;" }, { "x+;", "xxxxx;", NULL }, { "x+;", "xxxxxx", NULL },
	{ "A.B;", "xxxxxA-B;", "xxxxxA-B;" }, { "A[^;]+;", "xxxxxA---;", "xxxxxA---;" },
	{ "A.+;", "xxxxxA----;", NULL }, { "A.+;|B", "xA-\nB", "xA-\nB" },
	{ "A[^;]+;|B", "xA-\n--B-", NULL }, { "(?=A)", "xxxxxA", "xxxxx" },
	{ "x(?!y)", "xyyyyyyx", NULL }, { "x(?!y)", "xyyyyxz", "xyyyyx" },
	{ "(*PRUNE)A", "xxxxxA", "xxxxxA" }, { "(*PRUNE)A", "xxxxxxA", NULL },
	{ "(*PRUNE)x+", "xxxxxxxxxxxx", NULL },
};

START_TEST(the_limit_is_for_the_bytes_before_a_match_and_for_itself)
{
	struct feeder feeder;
	const char *bytes;
	size_t i;

	for (i = 0; i < sizeof limits / sizeof *limits; i++) {
		bytes = limits[i].bytes;
		open_sweep(_i, ends);
		ck_assert_ok(weft_stream_set_limit(ends[0], 5));
		feed_begin(&feeder, ends[1], bytes, strlen(bytes), chunk_of(_i), false);
		if (limits[i].record != NULL)
			expect_match(limits[i].pattern, limits[i].record);
		else
			expect_error(limits[i].pattern, EMSGSIZE);
		feed_end(&feeder);
		free_ends(ends);
	}
}
END_TEST

START_TEST(what_was_too_long_is_there_for_a_greater_limit)
{
	open_kind(_i, ends);
	write_all(ends[1], "xxxxxxxxA;yyyyyyyy", 18);
	ck_assert_ok(weft_stream_set_limit(ends[0], 3));
	expect_error("A", EMSGSIZE);
	expect_error("A", EMSGSIZE);
	ck_assert_ok(weft_stream_set_limit(ends[0], 10));
	expect_match("A", "xxxxxxxxA");
	ck_assert_ok(weft_stream_set_limit(ends[0], SIZE_MAX));
	expect_match("y{8}", ";yyyyyyyy");
	free_ends(ends);
}
END_TEST

/* --- steps */

static void
feed_a_lot(size_t n, const char *tail)
{
	char *bytes = malloc(n);

	memset(bytes, 'a', n);
	ck_assert_ok(weft_memory_feed(ends[0], bytes, n));
	ck_assert_ok(weft_memory_feed(ends[0], tail, strlen(tail)));
	free(bytes);
}

#define AS "aaaaaaaaaa"

START_TEST(a_pattern_that_would_take_for_ever_is_eloop)
{
	static const char *const hostile[] = {
		"(a+)+$", "(?:a|a)*$", "(?:a|aa)+!$", "(?:(?>a)|a)*$", "(?R)?b",
	};
	size_t i;

	ck_assert((ends[0] = weft_memory_open()) != NULL);
	ck_assert_ok(weft_memory_feed(ends[0], AS AS AS AS AS AS "b!b", 63));
	for (i = 0; i < sizeof hostile / sizeof *hostile; i++)
		expect_error(hostile[i], ELOOP);
	ck_assert_uint_eq(weft_stream_buffered(ends[0]), 63);
	expect_match("[^b]+b!", AS AS AS AS AS AS "b!");
	weft_stream_free(ends[0]);
}
END_TEST

static int
count(void *arg)
{
	int *n = arg;

	while (*n >= 0 && weft_yield() == 0)
		*n += *n >= 0;
	return 0;
}

/* Few steps at each of 60,000 places: no error, but it must stop nobody. */
START_TEST(a_slow_search_lets_others_run_and_keeps_its_deadline)
{
	struct weft_regex *r = regex("(?:a?){13}[bc]", 0);
	struct weft_fiber *other;
	const void *data;
	int n = 0, ms;

	ck_assert((ends[0] = weft_memory_open()) != NULL);
	feed_a_lot(60000, "!");
	other = begin(count, &n);
	for (ms = 100; n <= 2 && ms < 20000; ms *= 4)
		ck_assert_fails(weft_stream_read_match(ends[0], r, &data, weft_after(ms)), ETIMEDOUT);
	ck_assert_int_gt(n, 2);
	n = -1;
	end(other);
	ck_assert_int_gt(weft_stream_fill(ends[0], 60001, WEFT_NOWAIT), 60000);
	weft_regex_free(r);
	weft_stream_free(ends[0]);
}
END_TEST

/* --- memory and stacks */

static int
match_deep(void *arg)
{
	/* One frame each; machine code for the first two, none for the others. */
	static const char *const deep[] = {
		"(?:a|b)*!", "(a|b)*!", "(?:(?>a)|b)*!", "((?>a)|b)*!",
	};
	size_t i;

	(void)arg;
	for (i = 0; i < sizeof deep / sizeof *deep; i++) {
		const void *data;
		struct weft_regex *r = regex(deep[i], 0);

		feed_a_lot(60000, "!");
		ck_assert_int_eq(weft_stream_read_match(ends[0], r, &data, soon_enough()),
		    60001);
		weft_regex_free(r);
	}
	return 0;
}

START_TEST(a_match_that_backtracks_far_fits_a_small_stack)
{
	static const struct weft_fiber_options small = { .size = sizeof small,
		.stack_size = 64 * KIB };
	struct weft_fiber *fiber = weft_spawn_with(&small, match_deep, NULL);

	ck_assert(fiber != NULL && (ends[0] = weft_memory_open()) != NULL);
	ck_assert_int_eq(end(fiber), 0);
	weft_stream_free(ends[0]);
}
END_TEST

START_TEST(a_match_that_wants_too_much_memory_is_eloop)
{
	ck_assert((ends[0] = weft_memory_open()) != NULL);
	ck_assert_ok(weft_stream_set_limit(ends[0], 8 << 20));
	feed_a_lot(4 << 20, "!");
	expect_error("(?:(?>a)|b)*!", ELOOP);
	expect_error("(?:a|b)*!", ELOOP);
	ck_assert_uint_eq(weft_stream_buffered(ends[0]), (4 << 20) + 1);
	weft_stream_free(ends[0]);
}
END_TEST

/* --- the k-th malloc */

/* false: it failed with ENOMEM. */
static bool
new_regex(struct weft_regex **r)
{
	char error[40] = "";

	*r = weft_regex_new("(?m)^(?>b+)!$", 0, error, sizeof error);
	if (*r == NULL && (errno != ENOMEM || strcmp(error, "out of memory") != 0))
		ck_abort_msg("new: %s, %s", strerror(errno), error);
	return *r != NULL;
}

static bool
read_match(struct weft_regex *r)
{
	const void *data;
	ssize_t n = weft_stream_read_match(ends[0], r, &data, WEFT_NOWAIT);

	if (n < 0 && errno == ENOMEM)
		return false;
	if (n != 8 || memcmp(data, "aa\nbbbb!", 8) != 0)
		ck_abort_msg("read: %zd, %s", n, strerror(errno));
	return true;
}

START_TEST(when_there_is_no_memory_nothing_is_lost)
{
	struct weft_regex *r = NULL;
	bool made = false, matched = false;
	int k;

	ck_assert((ends[0] = weft_memory_open()) != NULL);
	ck_assert_ok(weft_memory_feed(ends[0], "aa\nbbbb!\n", 9));
	ck_assert_ok(weft_memory_feed_eof(ends[0]));
	for (k = 1; k < 100 && !made; k++) {
		until_failure = k;
		made = new_regex(&r);
		until_failure = 0;
	}
	ck_assert(made && k > 4);
	for (k = 1; k < 100 && !matched; k++) {
		until_failure = k;
		matched = read_match(r);
		until_failure = 0;
	}
	ck_assert(matched && k > 4);
	weft_regex_free(r);
	weft_stream_free(ends[0]);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("regex_limit");
	TCase *tc = test_case(suite, "limits");

	(void)backend;
	SWEEP(tc, the_limit_is_for_the_bytes_before_a_match_and_for_itself);
	EVERY_KIND(tc, what_was_too_long_is_there_for_a_greater_limit);

	tc = test_case(suite, "bounds");
	tcase_add_test(tc, a_pattern_that_would_take_for_ever_is_eloop);
	tcase_add_test(tc, a_slow_search_lets_others_run_and_keeps_its_deadline);
	tcase_add_test(tc, a_match_that_backtracks_far_fits_a_small_stack);
	tcase_add_test(tc, a_match_that_wants_too_much_memory_is_eloop);
	tcase_add_test(tc, when_there_is_no_memory_nothing_is_lost);
	return suite;
}
#endif

int
main(void)
{
	return weft_test_main(make_suite);
}
