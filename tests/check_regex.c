/* SPDX-License-Identifier: MIT */
/*
 * tests/check_regex.c - what is a match: the same for all segmentations, and
 * as soon as it is one. pcre2_match on all bytes in one piece is the oracle.
 */
#include "config.h"

#include "tests/regexes.h"

#ifdef HAVE_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

static struct weft_stream *ends[2];     /* [0] is read, [1] is fed */

static ssize_t
match(const struct weft_regex *r, const void **data)
{
	return weft_stream_read_match(ends[0], r, data, soon_enough());
}

enum { I = WEFT_REGEX_CASELESS, M = WEFT_REGEX_MULTILINE, S = WEFT_REGEX_DOTALL };

static const struct {
	const char *pattern;
	int flags;
	const char *input, *records[6], *left;
} cases[] = {
	/* the first alternative wins, not the longest */
	{ "a|ab", 0, "abab", { "a", "ba" }, "b" },
	{ "ab|a", 0, "abaab", { "ab", "a", "ab" }, "" },
	{ "ab?", 0, "abaa", { "ab", "a", "a" }, "" },
	/* greedy and lazy tails */
	{ "x+", 0, "axxbxx", { "axx", "bxx" }, "" },
	{ "x+?", 0, "axxb", { "ax", "x" }, "b" },
	{ "x{2,}", 0, "xyxxxyx", { "xyxxx" }, "yx" },
	{ "a.*b", 0, "aabbcb\nab", { "aabbcb", "\nab" }, "" },
	{ "a.*?b", 0, "aabbab", { "aab", "bab" }, "" },
	{ "a.{2}|b", S, "ba\nba", { "b", "a\nb" }, "a" },
	/* looking around, at bytes that are unread */
	{ "(?<=ab)c", 0, "cabccc", { "cabc" }, "cc" },
	{ "(?<!a)b", 0, "abbab", { "abb" }, "ab" },
	{ "a|(?<=a)b", 0, "ab", { "a" }, "b" },
	{ "a(?=b)", 0, "aab", { "aa" }, "b" },
	{ "a(?!b)", 0, "abaa", { "aba", "a" }, "" },
	{ "\\bfoo\\b", 0, "food foo foo", { "food foo", " foo" }, "" },
	{ "o\\B", 0, "foo", { "fo" }, "o" },
	/* anchors */
	{ "^a", 0, "aab", { "a", "a" }, "b" },
	{ "\\Aab", 0, "abcab", { "ab" }, "cab" },
	{ "^b", M, "a\nb\nb", { "a\nb", "\nb" }, "" },
	{ "\\n^", M, "a\n\n", { "a\n" }, "\n" },
	{ "b$", 0, "b\nab", { "b\nab" }, "" },
	{ "b$", 0, "bab\n", { "bab" }, "\n" },
	{ "b$", M, "ab\nb\n", { "ab", "\nb" }, "\n" },
	{ "b\\z", 0, "bab\n", { NULL }, "bab\n" },
	{ "\\Gb|c", 0, "abbc", { "abbc" }, "" },
	/* nothing is a match, but not at the first byte */
	{ "x*", 0, "aaxxb", { "a", "axx", "b" }, "" },
	{ "(?=\\n)", 0, "ab\ncd\n", { "ab", "\ncd" }, "\n" },
	{ "ab\\K", 0, "xab", { "xab" }, "" },
	/* flags */
	{ "end", I, "1End2eND", { "1End", "2eND" }, "" },
	{ "a.b", S, "a\nbaxb", { "a\nb", "axb" }, "" },
	{ "a.b", 0, "a\nbaxb", { "a\nbaxb" }, "" },
	/* and more of Perl's */
	{ "\\b(a+)-\\1;", 0, "aa-a;a-aa;aa-aa;", { "aa-a;a-aa;aa-aa;" }, "" },
	{ "(?>a+)b", 0, "aaab", { "aaab" }, "" },
	{ "\\((?:[^()]|(?R))*\\)", 0, "(()(a))()", { "(()(a))", "()" }, "" },
	{ "(*COMMIT)a(?!a)", 0, "aab", { NULL }, "aab" },
	{ "\\xff[\\x80-\\xfe]", 0, "\x80\xff\x80\xff", { "\x80\xff\x80" }, "\xff" },
};
enum { CASES = sizeof cases / sizeof *cases };

static void
expect_case(int i, size_t chunk)
{
	struct weft_regex *r = regex(cases[i].pattern, cases[i].flags);
	size_t left = strlen(cases[i].left), n;
	struct feeder feeder;
	const void *data = NULL;
	ssize_t got;
	int j;

	feed_begin(&feeder, ends[1], cases[i].input, strlen(cases[i].input), chunk, true);
	for (j = 0; cases[i].records[j] != NULL; j++) {
		n = strlen(cases[i].records[j]);
		got = match(r, &data);
		if (got != (ssize_t)n || memcmp(data, cases[i].records[j], n) != 0)
			ck_abort_msg("/%s/, record %d: %zd", cases[i].pattern, j, got);
	}
	errno = 0;
	got = match(r, &data);
	if (got != (left > 0 ? -1 : 0) || errno != (left > 0 ? EPIPE : 0))
		ck_abort_msg("/%s/, end: %zd, %s", cases[i].pattern, got, strerror(errno));
	if (left > 0)
		expect_bytes(ends[0], cases[i].left, left);
	ck_assert_int_eq(match(r, &data), 0);
	feed_end(&feeder);
	weft_regex_free(r);
}

START_TEST(matches_are_found_wherever_the_bytes_are_cut)
{
	int i;

	for (i = 0; i < CASES; i++) {
		open_sweep(_i, ends);
		expect_case(i, chunk_of(_i));
		free_ends(ends);
	}
}
END_TEST

/* --- as soon as it is decided, and not before: 0 is EAGAIN */

static const struct {
	const char *pattern;
	int flags;
	const char *bytes;
	ssize_t length;
} moments[] = {
	{ "a|ab", 0, "a", 1 }, { "ab|a", 0, "a", 0 }, { "ab|a", 0, "ac", 1 },
	{ "a+", 0, "aa", 0 }, { "a+", 0, "aab", 2 }, { "a+?", 0, "a", 1 },
	{ "a\\b", 0, "a", 0 }, { "a\\b", 0, "a ", 1 }, { "a$", 0, "a", 0 },
	{ "a$", 0, "a\n", 0 }, { "a$", M, "a\n", 1 }, { "a\\Z", 0, "a\n", 0 },
	{ "a\\z", 0, "a", 0 }, { "a(?!b)", 0, "a", 0 }, { "a(?!b)", 0, "aa", 1 },
	{ "(?<=a)", 0, "a", 1 }, { "x*", 0, "b", 0 }, { "x*", 0, "bb", 1 },
	{ "a\\n", 0, "a\n", 2 }, { "^.*\\n", M, "ab\n", 3 }, { ".*\\n", 0, "ab\n", 3 },
	{ "\\n^", M, "\n", 0 }, { "\\n^", M, "\n\n", 1 }, { ".{2}x|b", S, "b", 0 },
	{ "a{3}", 0, "aaa", 3 }, { "a{3,4}", 0, "aaa", 0 }, { "\\r?\\n", 0, "x\r", 0 },
	{ "\\r\\n\\r\\n", 0, "GET\r\n\r\n", 7 }, { ".*b", S, "ab", 0 },
	{ "(a)\\1", 0, "aa", 2 }, { "a++b?", 0, "aa", 0 }, { "[^;]*;", 0, "ab;", 3 },
};

START_TEST(a_match_is_there_at_once_when_it_is_decided_and_not_before)
{
	struct weft_regex *r;
	const void *data;
	ssize_t got;
	size_t i;

	for (i = 0; i < sizeof moments / sizeof *moments; i++) {
		open_kind(_i, ends);
		r = regex(moments[i].pattern, moments[i].flags);
		write_all(ends[1], moments[i].bytes, strlen(moments[i].bytes));
		ck_assert_int_gt(weft_stream_fill(ends[0], strlen(moments[i].bytes),
		    soon_enough()), 0);
		errno = 0;
		got = weft_stream_read_match(ends[0], r, &data, WEFT_NOWAIT);
		if (got != (moments[i].length > 0 ? moments[i].length : -1) ||
		    (got < 0 && errno != EAGAIN))
			ck_abort_msg("/%s/ on %s: %zd, %s", moments[i].pattern,
			    moments[i].bytes, got, strerror(errno));
		weft_regex_free(r);
		free_ends(ends);
	}
}
END_TEST

/* --- against the oracle */

static ssize_t
all_at_once(const pcre2_code *code, const char *bytes, size_t n)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
	ssize_t end = n == 0 ? 0 : -1;

	if (n > 0 && pcre2_match(code, (const unsigned char *)bytes, n, 0,
	    PCRE2_NOTEMPTY_ATSTART, data, NULL) >= 0)
		end = (ssize_t)at[1];
	pcre2_match_data_free(data);
	return end;
}

static void
compare(const char *pattern, const char *bytes, size_t n)
{
	struct weft_regex *r = regex(pattern, WEFT_REGEX_MULTILINE);
	size_t position, at = 0;
	const void *data;
	int error;
	pcre2_code *code = pcre2_compile((const unsigned char *)pattern,
	    PCRE2_ZERO_TERMINATED, PCRE2_MULTILINE, &error, &position, NULL);
	ssize_t expected, got;

	do {
		expected = all_at_once(code, bytes + at, n - at);
		got = match(r, &data);
		if (got != expected || (got < 0 && errno != EPIPE) ||
		    (got > 0 && memcmp(data, bytes + at, (size_t)got) != 0))
			ck_abort_msg("/%s/ at %zu of \"%.*s\": %zd, not %zd", pattern, at,
			    (int)n, bytes, got, expected);
		at += (size_t)expected;
	} while (expected > 0);
	pcre2_code_free(code);
	weft_regex_free(r);
}

START_TEST(what_is_matched_never_depends_on_the_segments)
{
	static const char *const patterns[] = {
		"a+b", "a|ab|abc", "(?:ab)*a", "a.*c", "a.*?c", "^b", "c$", "\\ba", "b\\B",
		"(?<=ab)c*", "(?<!a)b+", "(?=b)", "a(?!b).", "(a|b)\\1", "(?>a+|b)c?",
		"[^a]*b$", "a{2,3}", "(?:a|b+?)+c", "\\n+^", "x?", "(?s)b.{2}", "c\\Z", "\\Ra",
	};
	enum { PATTERNS = sizeof patterns / sizeof *patterns, N = 40 };
	struct feeder feeder;
	char bytes[N];
	unsigned seed, i;

	for (seed = 0; seed < 2 * PATTERNS; seed++) {
		pattern(bytes, N, seed);
		for (i = 0; i < N; i++)
			bytes[i] = "aaabbc \n"[bytes[i] & 7];
		open_sweep(_i, ends);
		feed_begin(&feeder, ends[1], bytes, N, chunk_of(_i), true);
		compare(patterns[seed % PATTERNS], bytes, N);
		feed_end(&feeder);
		free_ends(ends);
	}
}
END_TEST

/* --- patterns */

START_TEST(a_bad_pattern_is_einval_and_says_where)
{
	char error[200], tiny[5];

	errno = 0;
	ck_assert(weft_regex_new("a(b", 0, error, sizeof error) == NULL);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_str_eq(error, "missing closing parenthesis at position 3");
	ck_assert(weft_regex_new(".{2}[b", 0, error, sizeof error) == NULL);
	ck_assert_msg(strstr(error, " at position 6") != NULL, "%s", error);
	ck_assert(weft_regex_new("*", 0, tiny, sizeof tiny) == NULL);
	ck_assert_uint_eq(strlen(tiny), 4);
	errno = 0;
	ck_assert(weft_regex_new("(*UTF)a", 0, NULL, 0) == NULL);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert(weft_regex_new("a", 8, error, sizeof error) == NULL);
	ck_assert_str_eq(error, "unknown flags");
	ck_assert(weft_regex_new(NULL, 0, error, sizeof error) == NULL);
	ck_assert_int_eq(errno, EINVAL);
	weft_regex_free(NULL);
}
END_TEST

START_TEST(no_regex_at_all_is_einval)
{
	const void *data;

	open_kind(_i, ends);
	ck_assert_fails(match(NULL, &data), EINVAL);
	free_ends(ends);
}
END_TEST

static int
nest(void *arg)
{
	char deep[1024];

	(void)arg;
	memset(deep, '(', 100);
	memset(deep + 100, 'a', 1);
	memset(deep + 101, ')', 100);
	deep[201] = '\0';
	weft_regex_free(regex(deep, 0));
	memset(deep, '(', 500);
	deep[500] = 'a';
	memset(deep + 501, ')', 500);
	deep[1001] = '\0';
	errno = 0;
	ck_assert(weft_regex_new(deep, 0, NULL, 0) == NULL);
	ck_assert_int_eq(errno, EINVAL);
	return 0;
}

START_TEST(parentheses_nest_to_a_depth_that_a_fiber_can_bear)
{
	static const struct weft_fiber_options small = { .size = sizeof small,
		.stack_size = 128 * KIB };
	struct weft_fiber *fiber = weft_spawn_with(&small, nest, NULL);

	ck_assert(fiber != NULL);
	ck_assert_int_eq(end(fiber), 0);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("regex");
	TCase *tc = test_case(suite, "matches");

	(void)backend;
	SWEEP(tc, matches_are_found_wherever_the_bytes_are_cut);
	EVERY_KIND(tc, a_match_is_there_at_once_when_it_is_decided_and_not_before);
	SWEEP(tc, what_is_matched_never_depends_on_the_segments);

	tc = test_case(suite, "patterns");
	tcase_add_test(tc, a_bad_pattern_is_einval_and_says_where);
	EVERY_KIND(tc, no_regex_at_all_is_einval);
	tcase_add_test(tc, parentheses_nest_to_a_depth_that_a_fiber_can_bear);
	return suite;
}
#endif

int
main(void)
{
	return weft_test_main(make_suite);
}
