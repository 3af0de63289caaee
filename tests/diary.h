/* SPDX-License-Identifier: MIT */
/*
 * tests/diary.h - a protocol that writes down what it is told: M made, D data, E
 * eof, P pause, R resume, L lost; many D in a row are one.
 */
#ifndef WEFT_TESTS_DIARY_H
#define WEFT_TESTS_DIARY_H

#include "tests/watched.h"

struct diary {
	char text[4096];        /* one letter each; many D in a row are one */
	char *bytes;
	size_t count, room;
	int error;              /* connection_lost was told */
	int lost;
	char name[128];         /* connection_lost has asked for */
	int (*made)(struct weft_stream *);
	int (*data)(struct weft_stream *);
	int (*eof)(struct weft_stream *);
	int result, run_errno;
	struct weft_stream *stream;
	const struct weft_protocol *protocol;
	void *arg;
	struct weft_fiber *fiber;
};

static inline void
note(struct diary *d, char what)
{
	size_t n = strlen(d->text);

	if (d->lost > 0)
		ck_abort_msg("%c after connection_lost", what);
	if (what == 'D' && n > 0 && d->text[n - 1] == 'D')
		return;
	if (n >= sizeof d->text - 1)
		ck_abort_msg("it goes on and on");
	d->text[n] = what;
}

static int
made(struct weft_stream *s, void *arg)
{
	struct diary *d = arg;

	note(d, 'M');
	return d->made != NULL ? d->made(s) : 0;
}

static int
data(struct weft_stream *s, const void *bytes, size_t n, void *arg)
{
	struct diary *d = arg;
	int result;

	note(d, 'D');
	result = d->data != NULL ? d->data(s) : 0;
	if (n > d->room - d->count)
		ck_abort_msg("too many bytes");
	memcpy(d->bytes + d->count, bytes, n);  /* they are still there */
	d->count += n;
	return result;
}

static int
eof(struct weft_stream *s, void *arg)
{
	struct diary *d = arg;

	note(d, 'E');
	return d->eof != NULL ? d->eof(s) : 0;
}

static void
paused(struct weft_stream *s, void *arg)
{
	(void)s;
	note(arg, 'P');
}

static void
resumed(struct weft_stream *s, void *arg)
{
	(void)s;
	note(arg, 'R');
}

static void
lost(struct weft_stream *s, int error, void *arg)
{
	struct diary *d = arg;

	note(d, 'L');
	snprintf(d->name, sizeof d->name, "%s", weft_stream_sockname(s));
	d->lost++;
	d->error = error;
}

static const struct weft_protocol all = {
	sizeof all, made, data, eof, paused, resumed, lost
};

static inline void
open_diary(struct diary *d, size_t room)
{
	*d = (struct diary){ .bytes = malloc(room), .room = room, .protocol = &all };
	d->arg = d;
	ck_assert_ptr_nonnull(d->bytes);
}

static int
run(void *arg)
{
	struct diary *d = arg;

	errno = 0;
	d->result = weft_protocol_run(d->stream, d->protocol, d->arg);
	d->run_errno = d->result < 0 ? errno : 0;
	return 0;
}

static inline void
start(struct diary *d, struct weft_stream *s)
{
	d->stream = s;
	d->fiber = begin(run, d);
	ck_assert_ok(weft_yield());
}

/* It gets these bytes, in time. */
static inline void
expect_diary(const struct diary *d, const char *bytes, size_t n)
{
	while (d->lost == 0)
		ck_assert_ok(weft_yield());
	ck_assert_uint_eq(d->count, n);
	ck_assert_mem_eq(d->bytes, bytes, n);
}

/* It has ended with that, and this was told. */
static inline void
ended(struct diary *d, const char *text, int error)
{
	end(d->fiber);
	ck_assert_str_eq(d->text, text);
	ck_assert_int_eq(d->error, error);
	ck_assert_int_eq(d->result, error == 0 ? 0 : -1);
	ck_assert_int_eq(d->run_errno, error);
	ck_assert(weft_stream_closed(d->stream));
	free(d->bytes);
}

#endif
