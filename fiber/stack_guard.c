/* SPDX-License-Identifier: MIT */
/*
 * fiber/stack_guard.c - what stands between a stack and its neighbour.
 *
 * The ladder, each rung tried when the one before fails:
 *
 *     madvise   MADV_GUARD_INSTALL, Linux 6.13: a marker in the page table; the
 *               mapping stays whole, so a million are no trouble
 *     mprotect  PROT_NONE: splits the mapping, two more for each guard, within
 *               a budget that leaves the program some of vm.max_map_count.
 *               (FreeBSD's MAP_GUARD splits it, too, and a trim could not make
 *               the region whole again by one call)
 *     canary    words below low, looked at when the stack is given back
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "fiber/compat.h"
#include "fiber/stack_guard.h"

#define CANARY_WORDS 8
#define CANARY UINT64_C(0x9e3779b97f4a7c15)
#define RESERVED_MAPS 5000	/* left to the rest of the program */
#define DEFAULT_MAPS 65530	/* vm.max_map_count as Linux sets it */

/*
 * Of the process, because maps are: the rung where a fresh stack begins, the
 * weakest one that was needed, and how many guards mprotect may still make.
 */
static _Atomic int first_rung;		/* WEFT__GUARD_AUTO: not yet decided */
static _Atomic int weakest_rung;
static _Atomic long mprotect_budget;
static pthread_once_t budget_once = PTHREAD_ONCE_INIT;

size_t
weft__page_size(void)
{
	static _Atomic size_t page;
	size_t known = atomic_load_explicit(&page, memory_order_relaxed);

	if (known == 0) {
		known = (size_t)sysconf(_SC_PAGESIZE);
		atomic_store_explicit(&page, known, memory_order_relaxed);
	}
	return known;
}

/*
 * Code built with -fstack-clash-protection touches every page that it passes;
 * on AArch64 the ABI lets it step 64 KiB at a time.
 */
size_t
weft__stack_guard_size(void)
{
#ifdef __aarch64__
	return weft__page_size() > 65536 ? weft__page_size() : 65536;
#else
	return weft__page_size();
#endif
}

static long
maps_of_the_system(void)
{
#ifdef WEFT__MAPS_FILE
	char digits[24];
	int fd = open(WEFT__MAPS_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, digits, sizeof digits - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return DEFAULT_MAPS;
	digits[n] = '\0';
	return strtol(digits, NULL, 10);
#else
	return 1L << 30;	/* no such limit */
#endif
}

static void
set_budget(void)
{
	atomic_store(&mprotect_budget,
	    (maps_of_the_system() - RESERVED_MAPS) / 2);
}

static bool
take_from_budget(void)
{
	pthread_once(&budget_once, set_budget);
	if (atomic_fetch_sub(&mprotect_budget, 1) > 0)
		return true;
	atomic_fetch_add(&mprotect_budget, 1);
	return false;
}

static bool
guard_by_madvise(char *guard)
{
#ifdef WEFT__GUARD_ADVICE
	return madvise(guard, weft__stack_guard_size(), WEFT__GUARD_ADVICE) == 0;
#else
	(void)guard;
	return false;
#endif
}

static bool
guard_by_mprotect(struct weft__stacks *pool, char *guard)
{
	if (!take_from_budget())
		return false;
	if (mprotect(guard, weft__stack_guard_size(), PROT_NONE) != 0) {
		atomic_fetch_add(&mprotect_budget, 1);
		return false;
	}
	pool->mprotected++;
	return true;
}

/*
 * An emulator may take any advice and do nothing. So the kernel is asked to
 * read from the guard: EFAULT, or else nothing happens. (Not by a call whose
 * argument it would read: a C library may read that itself, and crash.)
 */
static bool
stands(char *guard)
{
#ifdef WEFT__GUARD_ADVICE
	return madvise(guard, weft__stack_guard_size(), WEFT__READ_ADVICE) != 0 &&
	    errno == EFAULT;
#else
	(void)guard;
	return false;
#endif
}

static enum weft__guard
decide(char *guard)
{
	enum weft__guard rung = atomic_load(&first_rung);

	if (rung == WEFT__GUARD_AUTO) {
		rung = guard_by_madvise(guard) && stands(guard)
		    ? WEFT__GUARD_MADVISE : WEFT__GUARD_MPROTECT;
		atomic_store(&first_rung, rung);
	}
	return rung;
}

/* One mapping again. */
bool
weft__stack_guard_dissolve(char *base, size_t bytes)
{
	return mprotect(base, bytes, PROT_READ | PROT_WRITE) == 0;
}

static uint64_t *
canary_of(const struct weft__stack *s)
{
	return (uint64_t *)s->low - CANARY_WORDS;
}

static void
plant_canary(const struct weft__stack *s)
{
	for (int i = 0; i < CANARY_WORDS; i++)
		canary_of(s)[i] = CANARY;
}

void
weft__stack_guard_install(struct weft__stacks *pool, struct weft__stack *s)
{
	char *guard = s->low - weft__stack_guard_size();
	enum weft__guard rung = decide(guard);
	int weakest;

	if (rung == WEFT__GUARD_MADVISE && !guard_by_madvise(guard))
		rung = WEFT__GUARD_MPROTECT;
	if (rung == WEFT__GUARD_MPROTECT && !guard_by_mprotect(pool, guard))
		rung = WEFT__GUARD_CANARY;
	if (rung == WEFT__GUARD_CANARY)
		plant_canary(s);
	s->guard = (uint8_t)rung;
	weakest = atomic_load(&weakest_rung);
	while ((int)rung > weakest &&
	    !atomic_compare_exchange_weak(&weakest_rung, &weakest, (int)rung))
		;
}

bool
weft__stack_intact(const struct weft__stack *s)
{
	if (s->guard == WEFT__GUARD_CANARY)
		for (int i = 0; i < CANARY_WORDS; i++)
			if (canary_of(s)[i] != CANARY)
				return false;
	return true;
}

const char *
weft__stack_guard(void)
{
	switch (atomic_load(&weakest_rung)) {
	case WEFT__GUARD_MADVISE:
		return "madvise";
	case WEFT__GUARD_MPROTECT:
		return "mprotect";
	case WEFT__GUARD_CANARY:
		return "canary";
	default:
		return "none yet";
	}
}

void
weft__stack_force_guard(enum weft__guard rung)
{
	atomic_store(&first_rung, (int)rung);
	atomic_store(&weakest_rung, WEFT__GUARD_AUTO);
}

void
weft__stack_guard_refund(size_t guards)
{
	atomic_fetch_add(&mprotect_budget, (long)guards);
}
