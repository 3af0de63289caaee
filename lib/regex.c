/* SPDX-License-Identifier: MIT */
/*
 * pcre2, as a matcher for bytes that are still coming.
 *
 * It is asked for "hard" partial matches: when the search comes to the end of
 * the bytes in a way in which one more byte could matter, it stops and says
 * so. Thus what it does say does not depend on where the bytes were cut: that
 * a match is there, or that none begins at the places it has tried.
 *
 *     bytes  | a b c d e f g h i j k l m n |
 *                   from ^     ^ to
 *
 * Places before `from` were tried earlier and are not tried again; look-behind
 * still sees them. That is right for all patterns but those with verbs, such as
 * (*COMMIT), which may end a search for good, and those with \G: they have the
 * whole searched each time. Whoever only mentions such a thing, say in a class,
 * is taken for one that uses it.
 *
 * Nothing here uses much of a fiber's stack: compiled code has a stack of its
 * own per loop, and the interpreter keeps its frames in the heap. Both are
 * bounded, and so is the number of steps per place, in proportion to the bytes.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/regex.h"

#ifdef HAVE_PCRE2

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdatomic.h>

enum {
	STEPS = 100000,         /* from one place, and so many more ... */
	STEPS_PER_BYTE = 16,    /* ... for each byte behind it */
	HEAP_KIB = 64 << 10,    /* for the interpreter's frames */
	JIT_STACK_MIN = 32 << 10,
	JIT_STACK_MAX = 4 << 20,        /* is only reserved */
	KEPT = 64 << 10,        /* a larger block is not kept for the next search */
	NESTING = 100           /* of parentheses: compiling is recursive */
};

/* What a loop needs to match; the frames of the interpreter are kept in
 * `data`. */
struct matcher {
	pcre2_general_context *memory;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;         /* NULL: then the fiber's has 32 KiB left */
	pcre2_match_data *data;         /* NULL until it is needed */
	size_t largest;                 /* block that was asked for */
};

/* --- memory: pcre2 asks malloc through here */

static void *
take(size_t n, void *arg)
{
	struct matcher *m = arg;

	if (m != NULL && n > m->largest)
		m->largest = n;
	return malloc(n);
}

static void
give(void *block, void *arg)
{
	(void)arg;
	free(block);
}

/* --- compiling */

static void
explain(char *error, size_t size, int code, size_t position)
{
	unsigned char text[128];

	if (error == NULL || size == 0)
		return;
	if (pcre2_get_error_message(code, text, sizeof text) < 0)
		snprintf((char *)text, sizeof text, "error %d", code);
	snprintf(error, size, "%s at position %zu", (char *)text, position);
}

static bool
mentions(const char *pattern, const char *const *things)
{
	for (; *things != NULL; things++)
		if (strstr(pattern, *things) != NULL)
			return true;
	return false;
}

/* What pcre2 thinks that it knows before it begins, a byte that must come or the
 * least length, is wrong of some patterns with look-ahead or back references. */
static uint32_t
without_guesses(const char *pattern)
{
	static const char *const wrong[] = { "(?=", "\\g", "\\k", "(?P=", "\\1", "\\2",
		"\\3", "\\4", "\\5", "\\6", "\\7", "\\8", "\\9", NULL };

	return mentions(pattern, wrong) ? PCRE2_NO_START_OPTIMIZE : 0;
}

static uint32_t
options_of(const char *pattern, int flags)
{
	return PCRE2_NEVER_UTF | PCRE2_USE_OFFSET_LIMIT | without_guesses(pattern) |
	    (flags & WEFT_REGEX_CASELESS ? PCRE2_CASELESS : 0) |
	    (flags & WEFT_REGEX_MULTILINE ? PCRE2_MULTILINE : 0) |
	    (flags & WEFT_REGEX_DOTALL ? PCRE2_DOTALL : 0);
}

static uint32_t
fact(const struct weft_regex *r, uint32_t which)
{
	uint32_t value = 0;

	return pcre2_pattern_info(r->code, which, &value) == 0 ? value : 0;
}

static void
learn(struct weft_regex *r, const char *pattern)
{
	static const char *const whole[] = { "(*", "\\G", NULL };
	static _Atomic uint64_t ids;

	r->id = atomic_fetch_add_explicit(&ids, 1, memory_order_relaxed) + 1;
	r->whole = mentions(pattern, whole);
	r->needs = fact(r, PCRE2_INFO_LASTCODETYPE) == 1 ?
	    (int)fact(r, PCRE2_INFO_LASTCODEUNIT) : -1;
	if (r->needs > 127)             /* what the other case is depends */
		r->needs = -1;
	r->behind = fact(r, PCRE2_INFO_FIRSTCODETYPE) == 1;
}

/* Machine code for what it gets right: with atomic groups and \K that of pcre2
 * 10.42 gives other results than the interpreter. Where there is none the
 * interpreter does the same, slowly. */
static void
speed_up(pcre2_code *code, const char *pattern)
{
	static const char *const wrong[] = { "(?>", "(*", "*+", "++", "?+", "}+", "\\K",
		NULL };

	if (code != NULL && !mentions(pattern, wrong))
		(void)!pcre2_jit_compile(code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
}

/* Of a pattern that can be compiled: 0 or ENOMEM. */
static int
compile_open(struct weft_regex *r, const char *text, uint32_t options,
    pcre2_compile_context *context)
{
	static const char *const lines[] = { "(?", "(*", NULL };
	int code;
	size_t position;

	if (strchr(text, '^') == NULL ||
	    ((options & PCRE2_MULTILINE) == 0 && !mentions(text, lines)))
		return 0;
	r->open = pcre2_compile((const unsigned char *)text, PCRE2_ZERO_TERMINATED,
	    options | PCRE2_ALT_CIRCUMFLEX, &code, &position, context);
	return r->open == NULL ? ENOMEM : 0;
}

/* An errno; EINVAL with a text. */
static int
compile_both(struct weft_regex *r, const char *text, size_t prefix, int flags,
    char *error, size_t size)
{
	pcre2_general_context *memory = pcre2_general_context_create(take, give, NULL);
	pcre2_compile_context *context = memory == NULL ? NULL :
	    pcre2_compile_context_create(memory);
	int code = PCRE2_ERROR_NOMEMORY, failed = ENOMEM;
	size_t position = 0;

	if (context != NULL) {
		pcre2_set_newline(context, PCRE2_NEWLINE_LF);
		pcre2_set_parens_nest_limit(context, NESTING);
		r->code = pcre2_compile((const unsigned char *)text,
		    PCRE2_ZERO_TERMINATED, options_of(text, flags), &code, &position, context);
	}
	if (r->code != NULL)
		failed = compile_open(r, text, options_of(text, flags), context);
	else if (code != PCRE2_ERROR_NOMEMORY && code != PCRE2_ERROR_HEAP_FAILED) {
		failed = EINVAL;
		explain(error, size, code, position < prefix ? 0 : position - prefix);
	}
	pcre2_compile_context_free(context);
	pcre2_general_context_free(memory);
	return failed;
}

/* At the end of the bytes pcre2 takes it for granted that more can matter only
 * where one has been looked at, or if the pattern looks behind or matches empty.
 * That is wrong for .{2} where . is any byte, and it does not see the empty match
 * of (*ACCEPT). Then let there be an alternative that looks behind, and fails. */
static int
compile(struct weft_regex *r, const char *pattern, int flags, char *error, size_t size)
{
	static const char *const any[] = { ".", "\\C", NULL };
	static const char *const accept[] = { "(*ACCEPT", NULL };
	static const char never[] = "(?!)\\b|";
	bool helped = strncmp(pattern, "(*", 2) != 0 &&      /* it must come first */
	    (mentions(pattern, accept) ||
	    (strchr(pattern, '{') != NULL && mentions(pattern, any)));
	size_t prefix = helped ? sizeof never - 1 : 0;
	char *text = malloc(prefix + strlen(pattern) + 1);
	int failed;

	if (text == NULL)
		return ENOMEM;
	memcpy(text, never, prefix);
	strcpy(text + prefix, pattern);
	failed = compile_both(r, text, prefix, flags, error, size);
	free(text);
	return failed;
}

struct weft_regex *
weft_regex_new(const char *pattern, int flags, char *error, size_t size)
{
	const int known = WEFT_REGEX_CASELESS | WEFT_REGEX_MULTILINE | WEFT_REGEX_DOTALL;
	struct weft_regex *r;
	int failed;

	if (pattern == NULL || (flags & ~known) != 0) {
		if (error != NULL && size > 0)
			snprintf(error, size, "%s", pattern == NULL ? "no pattern" :
			    "unknown flags");
		errno = EINVAL;
		return NULL;
	}
	r = calloc(1, sizeof *r);
	failed = r == NULL ? ENOMEM : compile(r, pattern, flags, error, size);
	if (failed != 0) {
		if (failed == ENOMEM && error != NULL && size > 0)
			snprintf(error, size, "out of memory");
		weft_regex_free(r);
		errno = failed;
		return NULL;
	}
	learn(r, pattern);
	speed_up(r->code, pattern);
	speed_up(r->open, pattern);
	return r;
}

void
weft_regex_free(struct weft_regex *r)
{
	if (r == NULL)
		return;
	pcre2_code_free(r->open);
	pcre2_code_free(r->code);
	free(r);
}

/* --- matching */

void
weft__regex_free_matcher(void *matcher)
{
	struct matcher *m = matcher;

	if (m == NULL)
		return;
	pcre2_match_data_free(m->data);
	pcre2_jit_stack_free(m->stack);
	pcre2_match_context_free(m->context);
	pcre2_general_context_free(m->memory);
	free(m);
}

static struct matcher *
new_matcher(void)
{
	struct matcher *m = calloc(1, sizeof *m);

	if (m == NULL)
		return NULL;
	m->memory = pcre2_general_context_create(take, give, m);
	m->context = m->memory == NULL ? NULL : pcre2_match_context_create(m->memory);
	if (m->context == NULL) {
		weft__regex_free_matcher(m);
		return NULL;
	}
	m->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, m->memory);
	if (m->stack != NULL)
		pcre2_jit_stack_assign(m->context, NULL, m->stack);
	pcre2_set_heap_limit(m->context, HEAP_KIB);
	return m;
}

static int
match(const pcre2_code *code, struct matcher *m, const struct weft__search *s)
{
	uint32_t options = (s->final ? 0 : PCRE2_PARTIAL_HARD) |
	    (s->from == 0 ? PCRE2_NOTEMPTY_ATSTART : 0);
	size_t ahead = s->length - s->from;
	int result;

	if (m->data == NULL)
		m->data = pcre2_match_data_create(1, m->memory);
	if (m->data == NULL)
		return PCRE2_ERROR_NOMEMORY;
	pcre2_set_match_limit(m->context, ahead > (UINT32_MAX - STEPS) / STEPS_PER_BYTE ?
	    UINT32_MAX : (uint32_t)(STEPS + STEPS_PER_BYTE * ahead));
	pcre2_set_offset_limit(m->context, s->to);
	result = pcre2_match(code, s->bytes, s->length, s->from, options, m->data,
	    m->context);
	if (result == PCRE2_ERROR_JIT_STACKLIMIT)       /* the heap has more */
		result = pcre2_match(code, s->bytes, s->length, s->from,
		    options | PCRE2_NO_JIT, m->data, m->context);
	return result;
}

static int
verdict(int code, const struct matcher *m, struct weft__search *s)
{
	const PCRE2_SIZE *at;

	if (code == PCRE2_ERROR_NOMATCH)
		return WEFT__NO_MATCH;
	if (code == PCRE2_ERROR_NOMEMORY)
		return -ENOMEM;
	if (code < 0 && code != PCRE2_ERROR_PARTIAL)
		return -ELOOP;
	at = pcre2_get_ovector_pointer(m->data);
	s->start = at[0];
	s->end = at[1] < at[0] ? at[0] : at[1];         /* \K in a look-ahead */
	s->place = pcre2_get_startchar(m->data);
	if (s->place > s->start || code == PCRE2_ERROR_PARTIAL)
		s->place = s->start;
	if (code != PCRE2_ERROR_PARTIAL)
		return WEFT__MATCH;
	/* Its own search for a first byte may have gone too far. */
	return s->place > s->to ? WEFT__NO_MATCH : WEFT__UNDECIDED;
}

/* In the middle of a subject ^ matches behind each LF, if there are lines; but
 * not behind a last one, and the bytes that are there may end with one. */
static bool
ends_like_a_line(const struct weft__search *s)
{
	unsigned char last = s->length > 0 ? s->bytes[s->length - 1] : 0;

	return s->length > 0 && (last < ' ' || last > '~');     /* (*ANY), too */
}

/* Once as if the stream ended behind the last LF, once as if not: they must
 * agree, or else it is not decided. */
static int
search_both(const struct weft_regex *r, struct matcher *m, struct weft__search *s)
{
	struct weft__search open = *s;
	int result = verdict(match(r->code, m, s), m, s);
	int other = verdict(match(r->open, m, &open), m, &open);

	if (result < 0 || other < 0)
		return result < 0 ? result : other;
	if (result == other && (result == WEFT__NO_MATCH ||
	    (s->start == open.start && s->end == open.end)))
		return result;
	if (result == WEFT__NO_MATCH || (other != WEFT__NO_MATCH && open.place < s->place))
		s->place = open.place;
	return WEFT__UNDECIDED;
}

int
weft__regex_search(const struct weft_regex *r, void **matcher, struct weft__search *s)
{
	struct matcher *m = *matcher;
	int result;

	if (m == NULL)
		m = *matcher = new_matcher();
	if (m == NULL)
		return -ENOMEM;
	m->largest = 0;
	if (r->open != NULL && !s->final && ends_like_a_line(s))
		result = search_both(r, m, s);
	else
		result = verdict(match(r->code, m, s), m, s);
	if (m->largest > KEPT) {
		pcre2_match_data_free(m->data);
		m->data = NULL;
	}
	return result;
}

#else /* Nobody has a regex, then. */

struct weft_regex *
weft_regex_new(const char *pattern, int flags, char *error, size_t size)
{
	(void)pattern;
	(void)flags;
	if (error != NULL && size > 0)
		snprintf(error, size, "weft was built without pcre2");
	errno = ENOTSUP;
	return NULL;
}

void
weft_regex_free(struct weft_regex *r)
{
	(void)r;
}

int
weft__regex_search(const struct weft_regex *r, void **matcher, struct weft__search *s)
{
	(void)r;
	(void)matcher;
	(void)s;
	return -ENOTSUP;
}

void
weft__regex_free_matcher(void *matcher)
{
	(void)matcher;
}

#endif
