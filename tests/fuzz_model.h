/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz_model.h - a Buffer as plain arrays and numbers, which knows the
 * rules of the pages and nothing of how the library follows them.
 *
 *     struct model   start, position, limit, capacity, mark, ...
 *          |             several of them over one array are views
 *     struct array   bytes[SIZE], users
 */
#ifndef WEFT_TESTS_FUZZ_MODEL_H
#define WEFT_TESTS_FUZZ_MODEL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 256, FIRST_GROWTH = 16 };
#define NO_MARK SIZE_MAX

struct array {
	unsigned char bytes[SIZE];
	unsigned char borrowed[SIZE]; /* what the Buffers wrap, if they do */
	int users;
};

struct model {
	struct array *array; /* NULL: this slot is empty */
	size_t start, position, limit, capacity, mark, maximum;
	bool read_only;
};

static unsigned char *
bytes_of(struct model *m)
{
	return m->array->bytes + m->start;
}

static size_t
remaining(const struct model *m)
{
	return m->limit - m->position;
}

static bool
below_limit(const struct model *m, size_t index, size_t n)
{
	return index <= m->limit && n <= m->limit - index;
}

static void
set(struct model *m, size_t position, size_t limit)
{
	m->position = position;
	m->limit = limit;
	m->mark = NO_MARK;
}

static void
leave(struct model *m)
{
	if (m->array != NULL && --m->array->users == 0)
		free(m->array);
	m->array = NULL;
}

static struct array *
new_array(void)
{
	struct array *a = calloc(1, sizeof(*a));

	if (a == NULL)
		abort();
	return a;
}

/* A growing model leaves its array to its views, whole as it is. */
static void
grow(struct model *m, size_t needed)
{
	struct array *a = new_array();
	size_t n = m->capacity;

	if (n == 0)
		n = m->maximum < FIRST_GROWTH ? m->maximum : FIRST_GROWTH;
	while (n < needed)
		n = 2 * n < m->maximum ? 2 * n : m->maximum;
	memcpy(a->bytes, bytes_of(m), m->capacity);
	leave(m);
	a->users = 1;
	m->array = a;
	m->capacity = m->limit = n;
}

/* What a put of n must give: 0 after growing, or an error. */
static int
room(struct model *m, size_t n)
{
	if (m->read_only)
		return EROFS;
	if (n <= remaining(m))
		return 0;
	if (m->limit != m->capacity || n > SIZE || m->position + n > m->maximum)
		return ENOBUFS;
	grow(m, m->position + n);
	return 0;
}

#endif
