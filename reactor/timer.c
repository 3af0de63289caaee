/* SPDX-License-Identifier: MIT */
/*
 * A 4-ary heap of (time, sequence, timer). The key is kept in the entry, so
 * that a sift touches the array alone; a timer learns its new place.
 *
 *               0
 *       1    2     3    4
 *     5..8 9..12 13..16 17..20
 *
 * Lazy re-arm: most deadlines are moved or dropped long before they are due.
 * A timer that is set to a later time, or to none, keeps its old entry; only
 * when that comes up is it looked at again and moved to where it belongs now.
 * A connection with a sliding timeout touches the heap once per period.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "reactor/reactor.h"

enum { WAYS = 4 };

struct weft__entry {
	int64_t time;
	uint64_t sequence;
	struct weft__timer *timer;
};

static bool
before(const struct weft__entry *a, const struct weft__entry *b)
{
	if (a->time != b->time)
		return a->time < b->time;
	return a->sequence < b->sequence;
}

static void
put(struct weft__timers *timers, size_t at, struct weft__entry entry)
{
	timers->heap[at] = entry;
	entry.timer->index = at + 1;
}

static void
sift_up(struct weft__timers *timers, size_t at, struct weft__entry entry)
{
	while (at > 0) {
		size_t parent = (at - 1) / WAYS;

		if (!before(&entry, &timers->heap[parent]))
			break;
		put(timers, at, timers->heap[parent]);
		at = parent;
	}
	put(timers, at, entry);
}

/* The smallest child of `at`, or `count` if it has none. */
static size_t
first_child(const struct weft__timers *timers, size_t at)
{
	size_t child = at * WAYS + 1, end = child + WAYS, best = child;

	if (child >= timers->count)
		return timers->count;
	if (end > timers->count)
		end = timers->count;
	while (++child < end)
		if (before(&timers->heap[child], &timers->heap[best]))
			best = child;
	return best;
}

static void
sift_down(struct weft__timers *timers, size_t at, struct weft__entry entry)
{
	size_t child;

	while ((child = first_child(timers, at)) < timers->count) {
		if (!before(&timers->heap[child], &entry))
			break;
		put(timers, at, timers->heap[child]);
		at = child;
	}
	put(timers, at, entry);
}

/* Puts an entry where another was. */
static void
replace(struct weft__timers *timers, size_t at, struct weft__entry entry)
{
	if (before(&entry, &timers->heap[at]))
		sift_up(timers, at, entry);
	else
		sift_down(timers, at, entry);
}

int
weft__timers_reserve(struct weft__timers *timers, size_t count)
{
	size_t capacity = timers->capacity ? timers->capacity : 16;
	struct weft__entry *heap;

	if (count <= timers->capacity)
		return 0;
	while (capacity < count)
		capacity *= 2;
	heap = realloc(timers->heap, capacity * sizeof *heap);
	if (heap == NULL)
		return -1;
	timers->heap = heap;
	timers->capacity = capacity;
	return 0;
}

void
weft__timers_free(struct weft__timers *timers)
{
	free(timers->heap);
	timers->heap = NULL;
	timers->count = timers->capacity = 0;
}

void
weft__timer_set(struct weft__timers *timers, struct weft__timer *timer, int64_t deadline)
{
	struct weft__entry entry = { deadline, ++timers->sequence, timer };

	timer->deadline = deadline;
	timer->sequence = entry.sequence;
	if (timer->index == 0) {
		WEFT_ASSERT(timers->count < timers->capacity);
		sift_up(timers, timers->count++, entry);
	} else if (timers->heap[timer->index - 1].time >= deadline) {
		replace(timers, timer->index - 1, entry);
	}
}

void
weft__timer_remove(struct weft__timers *timers, struct weft__timer *timer)
{
	size_t at = timer->index - 1;

	if (timer->index == 0)
		return;
	timer->index = 0;
	timer->deadline = INT64_MAX;
	if (at < --timers->count)
		replace(timers, at, timers->heap[timers->count]);
}

void
weft__timers_expire(struct weft__timers *timers, int64_t now)
{
	while (timers->count > 0 && timers->heap[0].time <= now) {
		struct weft__timer *timer = timers->heap[0].timer;

		if (timer->deadline == INT64_MAX) {
			weft__timer_remove(timers, timer);
		} else if (timer->deadline != timers->heap[0].time) {
			/* Even if it is due: others may be due before it. */
			sift_down(timers, 0, (struct weft__entry){
			    timer->deadline, timer->sequence, timer });
		} else {
			weft__timer_remove(timers, timer);
			timers->fire(timer);
		}
	}
}

int64_t
weft__timers_next(const struct weft__timers *timers)
{
	return timers->count > 0 ? timers->heap[0].time : INT64_MAX;
}
