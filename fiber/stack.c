/* SPDX-License-Identifier: MIT */
/*
 * fiber/stack.c - stack arenas, guards, pool, high-water marks.
 *
 * Each size class has regions, mappings that are cut into equal slots. The
 * first region of a class is small, each further one twice as large, up to
 * REGION_MAX; a slot is carved when the free lists are empty.
 *
 *     region->base                                             base + bytes
 *     | slot 0        | slot 1        | slot 2        | not carved  |
 *
 *     one slot, stride bytes:
 *     | guard |      <- frames of the owner | block | header | stagger |
 *             ^ low             the owner's ^       ^ s      ends here ^
 *
 * The header (struct weft__stack), the owner's block and its first frames share
 * the uppermost page, so an idle fiber costs that one page. Two things keep what
 * many fibers use off the same cache sets. The stagger, STAGGER_STEP times the
 * index of the slot within STAGGER_RANGE, does it for the lines of the pages;
 * the guard, which comes on top of the size and makes the stride no power of
 * two, for the translations of their addresses. 1,000 fibers in random order,
 * ns a switch: 27 with neither, 22 with stagger, 14 with guard, 9.5 with both.
 *
 * A carved slot is never unmapped before the pool is. In the pool it is hot, with
 * all its pages, or cold, with the uppermost alone; both lists are last in, first
 * out. A trim takes regions of which all slots are in the pool back to where they
 * came from, as if nothing had been carved. Guards: stack_guard.c.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef HAVE_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_STACK_REGISTER(low, high) 0
#define VALGRIND_STACK_DEREGISTER(id) (void)(id)
#endif

#include "fiber/compat.h"
#include "fiber/context.h"
#include "fiber/stack.h"
#include "fiber/stack_guard.h"

#ifdef WEFT__ASAN
#include <sanitizer/asan_interface.h>
#endif

#define REGION_FIRST ((size_t)1 << 20)	/* three fibers need no more */
#define REGION_MAX ((size_t)64 << 20)
#define HEADER_SIZE 64			/* a cache line for struct weft__stack */
#define STAGGER_STEP 320		/* a few lines and one, so that steps mix */
#define STAGGER_RANGE 1024		/* of the uppermost page, 4,096 or more */
#define HOT_KEEP ((size_t)16 << 10)	/* what stays at a recycle, see give */
#define RECYCLE_EVERY 256		/* uses */
#define DEFAULT_CLASS 2

_Static_assert(sizeof(struct weft__stack) <= HEADER_SIZE, "one cache line");
_Static_assert((16 << 10) << (2 * DEFAULT_CLASS) == WEFT__STACK_DEFAULT, "its class");
_Static_assert(STAGGER_STEP % 64 == 0, "the owner's block is aligned");
_Static_assert(STAGGER_RANGE + HEADER_SIZE <= 4096 / 2, "one page is enough");

/* How many stacks of a class keep all their pages in the pool, and how many a
 * trim leaves there, if not a few more. */
static const unsigned hot_max[WEFT__STACK_CLASSES] = { 1024, 1024, 1024, 64 };

struct weft__region {
	struct weft__region *next;
	char *base;
	size_t count;		/* slots */
	size_t carved;		/* of them, from the lowest */
	size_t first;		/* slots of the class in older regions */
	size_t pooled;		/* in a trim: of the carved, how many */
	bool leaving;		/* in a trim: all of them, and they may go */
	struct weft__region *next_trimmed;
};

static size_t
round_to_pages(size_t n)
{
	return (n + weft__page_size() - 1) & ~(weft__page_size() - 1);
}

static char *
page_of(const void *p)
{
	return (char *)((uintptr_t)p & ~(uintptr_t)(weft__page_size() - 1));
}

static size_t
stride_of(unsigned class)
{
	return weft__stack_guard_size() +
	    round_to_pages((size_t)(16 << 10) << (2 * class));
}

static struct weft__stack *
stack_at(const struct weft__region *r, size_t stride, size_t i)
{
	size_t stagger = (r->first + i) * STAGGER_STEP % STAGGER_RANGE;

	return (void *)(r->base + (i + 1) * stride - stagger - HEADER_SIZE);
}

/* Regions. */

static char *
map(size_t bytes)
{
	char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANON | MAP_NORESERVE | WEFT__MAP_STACK, -1, 0);

	if (base == MAP_FAILED)
		return NULL;
#ifdef MADV_NOHUGEPAGE
	/* Else the first touch of a slot could bring in 2 MiB of neighbours. */
	(void)madvise(base, bytes, MADV_NOHUGEPAGE);
#endif
	return base;
}

static size_t
slots_for_next_region(const struct weft__region *newest, size_t stride)
{
	size_t bytes = REGION_FIRST;

	if (newest != NULL)
		bytes = 2 * newest->count * stride;
	if (bytes > REGION_MAX)
		bytes = REGION_MAX;
	return bytes < stride ? 1 : bytes / stride;
}

/* When address space is short, a smaller region may still fit. */
static struct weft__region *
new_region(struct weft__stacks *pool, struct weft__stack_class *c,
    size_t stride)
{
	struct weft__region *r = malloc(sizeof *r);

	if (r == NULL)
		return NULL;
	*r = (struct weft__region){ .next = c->regions };
	if (r->next != NULL)
		r->first = r->next->first + r->next->count;
	r->count = slots_for_next_region(r->next, stride);
	while ((r->base = map(r->count * stride)) == NULL && r->count > 1)
		r->count /= 2;
	if (r->base == NULL) {
		free(r);
		return NULL;
	}
	pool->mapped += r->count * stride;
	c->regions = r;
	return r;
}

static struct weft__region *
region_to_carve(struct weft__stacks *pool, struct weft__stack_class *c,
    size_t stride)
{
	struct weft__region *r = c->carving;

	if (r != NULL && r->carved < r->count)
		return r;
	if ((r = c->trimmed) != NULL)
		c->trimmed = r->next_trimmed;
	else
		r = new_region(pool, c, stride);
	return c->carving = r;
}

static struct weft__stack *
carve(struct weft__stacks *pool, unsigned class)
{
	struct weft__stack_class *c = &pool->classes[class];
	size_t stride = stride_of(class);
	struct weft__region *r = region_to_carve(pool, c, stride);
	struct weft__stack *s;

	if (r == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	s = stack_at(r, stride, r->carved);
	*s = (struct weft__stack){ .class = (uint8_t)class, .region = r,
	    .low = r->base + r->carved * stride + weft__stack_guard_size() };
	weft__stack_guard_install(pool, s);
	s->valgrind = VALGRIND_STACK_REGISTER(s->low, (char *)s);
	r->carved++;
	return s;
}

/* The pool. */

static unsigned
class_of(size_t size)
{
	unsigned class = 0;

	while (((size_t)(16 << 10) << (2 * class)) < size)
		class++;
	return class;
}

static struct weft__stack *
pop(struct weft__stack **list)
{
	struct weft__stack *s = *list;

	if (s != NULL)
		*list = s->next;
	return s;
}

static void
push(struct weft__stack **list, struct weft__stack *s)
{
	s->next = *list;
	*list = s;
}

/* One whose pages are not all there. */
static __attribute__((noinline)) struct weft__stack *
take_cold(struct weft__stacks *pool, unsigned class)
{
	struct weft__stack *s = pop(&pool->classes[class].cold);

	return s != NULL ? s : carve(pool, class);
}

struct weft__stack *
weft__stack_take(struct weft__stacks *pool, size_t size)
{
	struct weft__stack_class *c;
	struct weft__stack *s;
	unsigned class;

	if (size > WEFT__STACK_MAX) {
		errno = EINVAL;
		return NULL;
	}
	class = size == 0 ? DEFAULT_CLASS : class_of(size);
	c = &pool->classes[class];
	s = pop(&c->hot);
	if (s != NULL)
		c->hot_count--;
	else if ((s = take_cold(pool, class)) == NULL)
		return NULL;
	s->uses++;
	pool->taken++;
	return s;
}

/*
 * Give the pages below the uppermost keep bytes back to the system, but not the
 * frames that we stand on: of the caller, and of madvise, a page further down.
 */
static void
drop_pages(struct weft__stack *s, size_t keep)
{
	char *end = page_of(s) + weft__page_size();
	char *frame = __builtin_frame_address(0);
	char *kept = end - keep;

	if (frame > s->low && frame < end && page_of(frame) - weft__page_size() < kept)
		kept = page_of(frame) - weft__page_size();
	if (kept > s->low)
		(void)madvise(s->low, (size_t)(kept - s->low), WEFT__DROP_PAGES);
}

/*
 * To learn how deep a stack went costs a system call, and so does dropping what
 * may be there. A hot stack has it done once in RECYCLE_EVERY uses, so one that
 * went deep does not keep its pages for ever.
 */
void
weft__stack_give(struct weft__stacks *pool, struct weft__stack *s)
{
	struct weft__stack_class *c = &pool->classes[s->class];

	if (s->guard == WEFT__GUARD_CANARY && !weft__stack_intact(s))
		abort();
	pool->taken--;
	pool->given++;
	if (c->hot_count == hot_max[s->class]) {
		drop_pages(s, weft__page_size());
		push(&c->cold, s);
		return;
	}
	if (s->uses % RECYCLE_EVERY == 0)
		drop_pages(s, HOT_KEEP);
	push(&c->hot, s);
	c->hot_count++;
}

static void
deregister(const struct weft__region *r, size_t stride)
{
	for (size_t i = 0; i < r->carved; i++)
		VALGRIND_STACK_DEREGISTER(stack_at(r, stride, i)->valgrind);
}

/* --- trimming */

static size_t
count_pooled(const struct weft__stack *list)
{
	size_t count = 0;

	for (; list != NULL; list = list->next) {
		list->region->pooled++;
		count++;
	}
	return count;
}

/* The older regions, which are smaller, stay. */
static bool
choose_regions(struct weft__stack_class *c, size_t keep)
{
	struct weft__region *r;
	size_t pooled;
	bool any = false;

	for (r = c->regions; r != NULL; r = r->next)
		r->pooled = 0;
	pooled = count_pooled(c->hot) + count_pooled(c->cold);
	for (r = c->regions; r != NULL; r = r->next)
		if (r->carved > 0 && r->pooled == r->carved && pooled - r->pooled >= keep) {
			pooled -= r->pooled;
			r->leaving = any = true;
		}
	return any;
}

/* How many are left in the list. */
static unsigned
take_off(struct weft__stack **at, void (*retire)(struct weft__stack *))
{
	unsigned count = 0;

	while (*at != NULL)
		if ((*at)->region->leaving) {
			retire(*at);
			*at = (*at)->next;
		} else {
			at = &(*at)->next;
			count++;
		}
	return count;
}

static void
take_back_guards(struct weft__stacks *pool, struct weft__region *r, size_t stride)
{
	size_t guards = 0;

	for (size_t i = 0; i < r->carved; i++)
		guards += stack_at(r, stride, i)->guard == WEFT__GUARD_MPROTECT;
	if (guards == 0 || !weft__stack_guard_dissolve(r->base, r->count * stride))
		return;
	pool->mprotected -= guards;
	weft__stack_guard_refund(guards);
}

static void
take_back(struct weft__stacks *pool, struct weft__stack_class *c,
    struct weft__region *r, size_t stride)
{
	if (RUNNING_ON_VALGRIND)
		deregister(r, stride);
#ifdef WEFT__ASAN
	__asan_unpoison_memory_region(r->base, r->carved * stride);
#endif
	take_back_guards(pool, r, stride);
	(void)madvise(r->base, r->carved * stride, WEFT__DROP_PAGES);
	r->carved = 0;
	r->leaving = false;
	if (r == c->carving)
		return;
	r->next_trimmed = c->trimmed;
	c->trimmed = r;
}

static void
trim_class(struct weft__stacks *pool, unsigned class,
    void (*retire)(struct weft__stack *))
{
	struct weft__stack_class *c = &pool->classes[class];
	struct weft__region *r;

	if (!choose_regions(c, hot_max[class]))
		return;
	c->hot_count = take_off(&c->hot, retire);
	take_off(&c->cold, retire);
	for (r = c->regions; r != NULL; r = r->next)
		if (r->leaving)
			take_back(pool, c, r, stride_of(class));
}

void
weft__stacks_trim(struct weft__stacks *pool, bool deep,
    void (*retire)(struct weft__stack *))
{
	struct weft__stack *s;

	pool->given = 0;
	for (unsigned class = 0; class < WEFT__STACK_CLASSES; class++) {
		trim_class(pool, class, retire);
		if (deep)
			for (s = pool->classes[class].hot; s != NULL; s = s->next)
				drop_pages(s, HOT_KEEP);
	}
}

static void
free_region(struct weft__region *r, size_t stride)
{
	if (RUNNING_ON_VALGRIND)
		deregister(r, stride);
#ifdef WEFT__ASAN
	/* Frames that never returned left poison for the next to map here. */
	__asan_unpoison_memory_region(r->base, r->count * stride);
#endif
	munmap(r->base, r->count * stride);
	free(r);
}

void
weft__stacks_destroy(struct weft__stacks *pool)
{
	struct weft__region *r, *next;

	for (unsigned class = 0; class < WEFT__STACK_CLASSES; class++)
		for (r = pool->classes[class].regions; r != NULL; r = next) {
			next = r->next;
			free_region(r, stride_of(class));
		}
	weft__stack_guard_refund(pool->mprotected);
	*pool = (struct weft__stacks){ 0 };
}

struct weft__stack *
weft__stacks_find(const struct weft__stacks *pool, const void *address)
{
	uintptr_t at = (uintptr_t)address;

	for (unsigned class = 0; class < WEFT__STACK_CLASSES; class++) {
		const struct weft__region *r = pool->classes[class].regions;
		size_t stride = stride_of(class);

		for (; r != NULL; r = r->next)
			if (at - (uintptr_t)r->base < r->carved * stride)
				return stack_at(r, stride,
				    (at - (uintptr_t)r->base) / stride);
	}
	return NULL;
}

size_t
weft__stack_high_water(const struct weft__stack *s)
{
#ifdef HAVE_MINCORE
	unsigned char resident[256];
	size_t page = weft__page_size();
	const char *top = (const char *)s;
	char *end = page_of(s) + page;

	for (char *from = s->low; from < end; from += sizeof resident * page) {
		size_t n = (size_t)(end - from) / page;

		if (n > sizeof resident)
			n = sizeof resident;
		if (mincore(from, n * page, (void *)resident) != 0)
			return 0;
		for (size_t i = 0; i < n; i++)
			if (resident[i] & 1)
				return (size_t)(top - from) - i * page;
	}
#else
	(void)s;
#endif
	return 0;
}
