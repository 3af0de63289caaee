/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz_buffer.c - random operations on Buffers, held against a model.
 *
 * The input is a program: a byte for the operation, bytes for its arguments.
 * It works on four Buffers; beside each stands a model of fuzz_model.h. After
 * every operation its result, errno, and the state and bytes of all four must
 * agree, or the program aborts.
 *
 * It is a target for libFuzzer (tests/fuzz.sh), or has the main of fuzz_main.c.
 */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz.h"
#include "tests/fuzz_agree.h"
#include "tests/fuzz_numbers.h"
#include "weft/buffer.h"

enum { SLOTS = 4 };

static struct weft_buffer *buffers[SLOTS];
static struct model models[SLOTS];

/* ---- Agreement on all there is to see ---- */

static void
agree_on_state(struct weft_buffer *b, struct model *m)
{
	struct weft_buffer *probe;

	AGREE(weft_buffer_position(b) == m->position);
	AGREE(weft_buffer_limit(b) == m->limit);
	AGREE(weft_buffer_capacity(b) == m->capacity);
	AGREE(weft_buffer_remaining(b) == remaining(m));
	AGREE(weft_buffer_has_remaining(b) == (remaining(m) > 0));
	AGREE(m->capacity == 0 || memcmp(weft_buffer_bytes(b), bytes_of(m), m->capacity) == 0);
	AGREE((weft_buffer_data(b) != NULL) == !m->read_only || m->capacity == 0);
	AGREE(m->mark == NO_MARK || m->mark <= m->position);
	if ((probe = weft_buffer_duplicate(b)) == NULL)
		abort();
	EXPECT(weft_buffer_reset(probe), 0, m->mark == NO_MARK ? EINVAL : 0);
	AGREE(m->mark == NO_MARK || weft_buffer_position(probe) == m->mark);
	weft_buffer_free(probe);
}

/* ---- Operations: making ---- */

static void
drop(int i)
{
	weft_buffer_free(buffers[i]);
	buffers[i] = NULL;
	leave(&models[i]);
}

static void
make(int i)
{
	size_t capacity = byte() % 64, maximum = byte() % 128;
	unsigned kind = byte() % 4;
	struct array *a;

	operation = "make";
	drop(i);
	if (kind == 1 && capacity > maximum) {
		errno = 0;
		AGREE(weft_buffer_new_growable(capacity, maximum) == NULL && errno == EINVAL);
		return;
	}
	a = new_array();
	a->users = 1;
	models[i] = (struct model){.array = a, .limit = capacity, .capacity = capacity, .mark = NO_MARK};
	models[i].maximum = kind == 1 ? maximum : 0;
	models[i].read_only = kind == 3;
	for (size_t n = 0; n < capacity && kind >= 2; n++)
		a->bytes[n] = a->borrowed[n] = (unsigned char)(n * 7);
	buffers[i] = kind == 0 ? weft_buffer_new(capacity)
	    : kind == 1 ? weft_buffer_new_growable(capacity, maximum)
	    : kind == 2 ? weft_buffer_wrap(a->borrowed, capacity)
	    : weft_buffer_wrap_const(a->borrowed, capacity);
	AGREE(buffers[i] != NULL);
}

static void
view(int i, int from)
{
	unsigned kind = byte() % 4;
	size_t index = number(), n = number();
	struct model m = models[from];
	struct weft_buffer *b;

	operation = "view";
	if (i == from)
		return;
	errno = 0;
	b = kind == 0 ? weft_buffer_duplicate(buffers[from])
	    : kind == 1 ? weft_buffer_slice(buffers[from])
	    : kind == 2 ? weft_buffer_slice_at(buffers[from], index, n)
	    : weft_buffer_read_only(buffers[from]);
	if (kind == 2 && !below_limit(&m, index, n)) {
		AGREE(b == NULL && errno == EINVAL);
		return;
	}
	AGREE(b != NULL);
	if (kind == 1 || kind == 2) {
		m.start += kind == 1 ? m.position : index;
		m.capacity = kind == 1 ? remaining(&m) : n;
		set(&m, 0, m.capacity);
	}
	m.read_only |= kind == 3;
	m.maximum = 0;
	m.array->users++;
	drop(i);
	buffers[i] = b;
	models[i] = m;
}

/* ---- Operations: moving ---- */

static void
move(struct weft_buffer *b, struct model *m)
{
	unsigned kind = byte() % 11;
	size_t n = number();

	operation = "move";
	switch (kind) {
	case 0:
		EXPECT(weft_buffer_set_position(b, n), 0, n > m->limit ? EINVAL : 0);
		if (n <= m->limit) {
			m->position = n;
			m->mark = m->mark != NO_MARK && m->mark > n ? NO_MARK : m->mark;
		}
		break;
	case 1:
		EXPECT(weft_buffer_set_limit(b, n), 0, n < m->position || n > m->capacity ? EINVAL : 0);
		if (n >= m->position && n <= m->capacity)
			m->limit = n;
		break;
	case 2:
		weft_buffer_mark(b);
		m->mark = m->position;
		break;
	case 3:
		EXPECT(weft_buffer_reset(b), 0, m->mark == NO_MARK ? EINVAL : 0);
		m->position = m->mark == NO_MARK ? m->position : m->mark;
		break;
	case 4:
		weft_buffer_clear(b);
		set(m, 0, m->capacity);
		break;
	case 5:
		weft_buffer_flip(b);
		set(m, 0, m->position);
		break;
	case 6:
		weft_buffer_rewind(b);
		set(m, 0, m->limit);
		break;
	case 7:
		EXPECT(weft_buffer_compact(b), 0, m->read_only ? EROFS : 0);
		if (m->read_only)
			break;
		memmove(bytes_of(m), bytes_of(m) + m->position, remaining(m));
		set(m, remaining(m), m->capacity);
		break;
	case 8:
	case 9:
		EXPECT(weft_buffer_skip(b, n), 0, n > remaining(m) ? ERANGE : 0);
		m->position += n > remaining(m) ? 0 : n;
		break;
	default:
		EXPECT(weft_buffer_reserve(b, n), 0, room(m, n));
	}
}

/* ---- Operations: bulk ---- */

static void
bytes(struct weft_buffer *b, struct model *m)
{
	unsigned char piece[SIZE], got[SIZE], own[SIZE];
	unsigned kind = byte() % 5;
	size_t index = number(), n = number();
	int error;

	operation = "bytes";
	for (size_t i = 0; i < SIZE; i++)
		piece[i] = (unsigned char)(index + i);
	switch (kind) {
	case 0:
		error = n > remaining(m) ? ERANGE : 0;
		EXPECT(weft_buffer_get_bytes(b, got, n), 0, error);
		if (error == 0) {
			AGREE(memcmp(got, bytes_of(m) + m->position, n) == 0);
			m->position += n;
		}
		break;
	case 1:
		error = room(m, n);
		EXPECT(weft_buffer_put_bytes(b, piece, n), 0, error);
		if (error == 0) {
			memcpy(bytes_of(m) + m->position, piece, n);
			m->position += n;
		}
		break;
	case 2:
		error = below_limit(m, index, n) ? 0 : ERANGE;
		EXPECT(weft_buffer_get_bytes_at(b, index, got, n), 0, error);
		AGREE(error != 0 || memcmp(got, bytes_of(m) + index, n) == 0);
		break;
	case 3:
		error = m->read_only ? EROFS : below_limit(m, index, n) ? 0 : ENOBUFS;
		EXPECT(weft_buffer_put_bytes_at(b, index, piece, n), 0, error);
		if (error == 0)
			memcpy(bytes_of(m) + index, piece, n);
		break;
	default: /* a piece of the Buffer itself */
		if (index > m->capacity || n > m->capacity - index)
			break;
		memcpy(own, bytes_of(m) + index, n);
		error = room(m, n);
		EXPECT(weft_buffer_put_bytes(b, (const char *)weft_buffer_bytes(b) + index, n), 0, error);
		if (error == 0) {
			memcpy(bytes_of(m) + m->position, own, n);
			m->position += n;
		}
	}
}

static void
two(struct weft_buffer *b, struct model *m, struct weft_buffer *c, struct model *o)
{
	unsigned char own[SIZE];
	unsigned kind = byte() % 3;
	size_t to = number(), from = number(), n = number(), at = 0;
	int error;

	operation = "two";
	if (kind == 0) {
		n = remaining(o);
		memcpy(own, bytes_of(o) + o->position, n);
		error = b == c ? EINVAL : room(m, n);
		EXPECT(weft_buffer_put_buffer(b, c), 0, error);
		if (error == 0) {
			memcpy(bytes_of(m) + m->position, own, n);
			m->position += n;
			o->position += n;
		}
	} else if (kind == 1) {
		error = m->read_only ? EROFS : below_limit(m, to, n) && below_limit(o, from, n) ? 0 : EINVAL;
		EXPECT(weft_buffer_copy(b, to, c, from, n), 0, error);
		if (error == 0)
			memmove(bytes_of(m) + to, bytes_of(o) + from, n);
	} else {
		const unsigned char *p = bytes_of(m) + m->position, *q = bytes_of(o) + o->position;
		size_t left = remaining(m), right = remaining(o);

		while (at < left && at < right && p[at] == q[at])
			at++;
		EXPECT(weft_buffer_mismatch(b, c), at == left && at == right ? -1 : (ssize_t)at, 0);
		EXPECT(weft_buffer_compare(b, c),
		    at < left && at < right ? (p[at] < q[at] ? -1 : 1) : (left > right) - (left < right), 0);
	}
}

/* ---- Operations: searching ---- */

static void
find(struct weft_buffer *b, struct model *m)
{
	const unsigned char *p = bytes_of(m) + m->position;
	unsigned char needle[4];
	size_t n = byte() % 5, at = 0;
	bool there = false;

	operation = "find";
	for (size_t i = 0; i < n; i++)
		needle[i] = (unsigned char)byte();
	if (n == 0) {
		EXPECT(weft_buffer_find(b, needle, n), 0, EINVAL);
		return;
	}
	for (; at + n <= remaining(m) && !there; at += !there)
		there = memcmp(p + at, needle, n) == 0;
	EXPECT(weft_buffer_find(b, needle, n), (ssize_t)at, there ? 0 : ERANGE);
}

static void
pieces(struct weft_buffer *b, struct model *m)
{
	bool lines = byte() % 2, keep = byte() % 2;
	unsigned char end = lines ? '\n' : (unsigned char)byte();
	const unsigned char *p = bytes_of(m) + m->position;
	size_t at = 0, length;
	const char *line = NULL;
	const void *data = NULL;

	operation = "pieces";
	while (at < remaining(m) && p[at] != end)
		at++;
	if (at == remaining(m)) {
		EXPECT(lines ? weft_buffer_get_line(b, &line, keep) : weft_buffer_get_until(b, end, &data), 0, ERANGE);
		AGREE(line == NULL && data == NULL);
		return;
	}
	length = at;
	if (lines && keep)
		length++;
	else if (lines && at > 0 && p[at - 1] == '\r')
		length--;
	EXPECT(lines ? weft_buffer_get_line(b, &line, keep) : weft_buffer_get_until(b, end, &data), (ssize_t)length, 0);
	AGREE((lines ? (const void *)line : data) == (const char *)weft_buffer_bytes(b) + m->position);
	m->position += at + 1;
}

/* Text with many line ends and repeats, for the searches to find. */
static void
text(struct weft_buffer *b, struct model *m)
{
	static const char alphabet[] = "ab\r\n\r\n";
	unsigned n = byte() % 16;

	operation = "text";
	while (n-- > 0) {
		unsigned char c = (unsigned char)alphabet[byte() % 6];
		int error = room(m, 1);

		EXPECT(weft_buffer_put_u8(b, c), 0, error);
		if (error != 0)
			break;
		bytes_of(m)[m->position++] = c;
	}
}

static void
step(void)
{
	unsigned kind = byte();
	int i = (int)(kind / 16 % SLOTS), other = (int)(kind / 64 % SLOTS);

	if (buffers[i] == NULL && kind % 16 < 14) {
		make(i);
		return;
	}
	switch (kind % 16) {
	case 0: case 1: case 2: move(buffers[i], &models[i]); break;
	case 3: case 4: case 5: a_number(buffers[i], &models[i]); break;
	case 6: case 7: bytes(buffers[i], &models[i]); break;
	case 8: case 9:
		if (buffers[other] != NULL)
			two(buffers[i], &models[i], buffers[other], &models[other]);
		break;
	case 10: find(buffers[i], &models[i]); break;
	case 11: pieces(buffers[i], &models[i]); break;
	case 12: case 13: text(buffers[i], &models[i]); break;
	case 14:
		if (buffers[other] != NULL)
			view(i, other);
		break;
	default: make(i);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = data;
	input_left = size;
	while (input_left > 0) {
		step();
		for (int i = 0; i < SLOTS; i++)
			if (buffers[i] != NULL)
				agree_on_state(buffers[i], &models[i]);
	}
	for (int i = 0; i < SLOTS; i++)
		drop(i);
	return 0;
}
