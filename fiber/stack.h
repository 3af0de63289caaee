/* SPDX-License-Identifier: MIT */
/*
 * fiber/stack.h - stack arenas, guards, pool, high-water marks.
 *
 * A stack is taken from the pool of one loop (one thread: no locks) and given
 * back to it. struct weft__stack lies in the slot itself, above the top: the
 * usable bytes are [s->low, (char *)s), and the owner of the stack may put a
 * block of its own at their upper end. s is 64-byte aligned, and staggered
 * from slot to slot so that the hot lines of many fibers do not all fall into
 * the same cache set; the owner's block and frames move with it.
 *
 * weft__stack_take()       size is rounded up to a class (16 KiB, 64 KiB, 256
 *                          KiB, 1 MiB, 4 MiB ... WEFT__STACK_MAX); 0 means
 *                          WEFT__STACK_DEFAULT. A class counts everything but
 *                          the guard: up to 1 KiB of it is struct weft__stack
 *                          and stagger. NULL: EINVAL (larger than
 *                          WEFT__STACK_MAX), ENOMEM.
 * weft__stack_give()       back to the pool. May be called on that very stack:
 *                          the frames of the caller and all above them stay.
 *                          Otherwise the uppermost page of the slot is sure
 *                          to stay (struct weft__stack, the owner's block);
 *                          the contents below it may be gone. What is in the
 *                          pool stays readable until weft__stacks_destroy,
 *                          but all zero after a trim.
 *                          Aborts if the canary was overwritten, where a guard
 *                          would have killed earlier.
 * weft__stacks_trim()      a few of each class stay in the pool; of the others
 *                          all pages go back to the system, where whole
 *                          regions are free. First retire() is called for
 *                          each, to forget the owner's block. deep: also what
 *                          lies deep in those that stay. Never on a stack that
 *                          is in the pool.
 * weft__stacks_destroy()   unmap all, taken or not. Never on one of its
 *                          stacks. Leaves an empty pool.
 * weft__stacks_find()      the stack in whose slot, guard included, address
 *                          lies, or NULL; address < s->low is an overflow.
 *                          Async-signal-safe on the thread of the pool.
 * weft__stack_high_water() bytes from the deepest page in use to s, whole
 *                          pages; of all owners since the pages were dropped.
 *                          0 where the system cannot tell.
 * weft__stack_intact()     false: the canary below s->low was overwritten.
 *                          Always true where a real guard stands.
 * weft__stack_guard()      "madvise", "mprotect" or "canary": the weakest
 *                          guard that the process has had to use so far.
 * weft__stack_force_guard()  for tests: fresh stacks begin at this rung of the
 *                          ladder; WEFT__GUARD_AUTO lets the system decide
 *                          again.
 */
#ifndef WEFT_FIBER_STACK_H
#define WEFT_FIBER_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEFT__STACK_DEFAULT ((size_t)256 << 10)
#define WEFT__STACK_CLASSES 8	/* 16 KiB << 2 * class */
#define WEFT__STACK_MAX \
	((size_t)(16 << 10) << (2 * (WEFT__STACK_CLASSES - 1)))	/* 256 MiB */

enum weft__guard {
	WEFT__GUARD_AUTO,
	WEFT__GUARD_MADVISE,	/* inside the mapping, Linux 6.13 and later */
	WEFT__GUARD_MPROTECT,	/* costs two mappings, so within a budget */
	WEFT__GUARD_CANARY,	/* words that are looked at, no fault */
};

struct weft__stack {
	char *low;			/* first usable byte, above the guard */
	struct weft__stack *next;	/* while in the pool */
	uint32_t uses;			/* times taken: 1 is a fresh stack, its
					 * usable bytes all zero */
	uint32_t valgrind;		/* id of the registered stack */
	struct weft__region *region;	/* where it lies */
	uint8_t class;
	uint8_t guard;			/* enum weft__guard, never AUTO */
};

struct weft__region;

/* All zero is an empty pool. */
struct weft__stacks {
	struct weft__stack_class {
		struct weft__stack *hot;	/* pages kept; last given first */
		struct weft__stack *cold;	/* pages dropped below the top */
		struct weft__region *regions;	/* newest first */
		struct weft__region *carving;	/* where the next one comes from */
		struct weft__region *trimmed;	/* to be carved again */
		unsigned hot_count;
	} classes[WEFT__STACK_CLASSES];
	size_t mapped;			/* bytes of address space */
	size_t taken;			/* stacks out at this moment */
	size_t given;			/* back, since the last trim */
	size_t mprotected;		/* guards that count against the budget */
};

struct weft__stack *weft__stack_take(struct weft__stacks *, size_t size);
void weft__stack_give(struct weft__stacks *, struct weft__stack *);
void weft__stacks_trim(struct weft__stacks *, bool deep,
    void (*retire)(struct weft__stack *));
void weft__stacks_destroy(struct weft__stacks *);
struct weft__stack *weft__stacks_find(const struct weft__stacks *,
    const void *address);
size_t weft__stack_high_water(const struct weft__stack *);
bool weft__stack_intact(const struct weft__stack *);
const char *weft__stack_guard(void);
void weft__stack_force_guard(enum weft__guard);

static inline size_t
weft__stack_size(const struct weft__stack *s)
{
	return (size_t)((const char *)s - s->low);
}

#endif
