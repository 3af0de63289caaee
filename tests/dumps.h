/* SPDX-License-Identifier: MIT */
/*
 * tests/dumps.h - words that the tests of dumps share: the line of a fiber.
 */
#ifndef WEFT_TESTS_DUMPS_H
#define WEFT_TESTS_DUMPS_H

#include <stdio.h>

#include "tests/harness.h"
#include "weft.h"

static char *text;
static size_t text_size;

static inline const char *
dump(void)
{
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &text_size);
	ck_assert_ptr_nonnull(out);
	ck_assert_gives(weft_dump(out), 0);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

static inline void
forget_text(void)
{
	free(text);
	text = NULL;
}

static inline int
count_lines(const char *at)
{
	int lines = 0;

	for (; *at != '\0'; at++)
		lines += *at == '\n';
	return lines;
}

/* The line of the fiber of that name, good until the next one. */
static inline const char *
line_of(const char *name)
{
	static char line[512];
	char quoted[64];
	const char *at, *start, *end;

	snprintf(quoted, sizeof quoted, "\"%s\"", name);
	at = strstr(dump(), quoted);
	ck_assert_msg(at != NULL, "no fiber %s in:\n%s", name, text);
	for (start = at; start > text && start[-1] != '\n'; start--)
		;
	end = strchr(at, '\n');
	snprintf(line, sizeof line, "%.*s", (int)(end - start), start);
	return line;
}

#define ck_assert_says(name, what) \
	do { \
		const char *line_ = line_of(name); \
		ck_assert_msg(strstr(line_, what) != NULL, \
		    "\"%s\" is not in: %s", what, line_); \
	} while (0)
#define ck_assert_does_not_say(name, what) \
	do { \
		const char *line_ = line_of(name); \
		ck_assert_msg(strstr(line_, what) == NULL, \
		    "\"%s\" is in: %s", what, line_); \
	} while (0)

static inline struct weft_fiber *
start(const char *name, weft_fn *fn, void *arg)
{
	struct weft_fiber_options options = { .size = sizeof options, .name = name };
	struct weft_fiber *fiber = weft_spawn_with(&options, fn, arg);

	ck_assert_ptr_nonnull(fiber);
	ck_assert_ok(weft_yield());
	return fiber;
}

static inline void
stop(struct weft_fiber *fiber)
{
	ck_assert_ok(weft_cancel(fiber));
	ck_assert_ok(weft_join(fiber, NULL, soon_enough()));
}

static inline int
sleep_for_ever(void *unused)
{
	(void)unused;
	return weft_sleep(WEFT_NEVER);
}

static inline int
sleep_long(void *unused)
{
	(void)unused;
	return weft_sleep(weft_after(100000));
}

#endif
