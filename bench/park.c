/* SPDX-License-Identifier: MIT */
/*
 * bench/park.c - how many parked fibers a process can have, and what each costs.
 *
 *     park [fibers [guard]]       1,000,000 with each kind of guard
 *
 * Each kind of guard gets a process of its own. A fiber is spawned, parks at
 * once, is woken and joined. Resident is what the process has more than before,
 * and so are page tables, which the kernel does not count as resident. Where
 * guards need mappings there are as many as vm.max_map_count allows, less what
 * is left to the program; all further stacks have a canary only.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fiber/fiber.h"

static const struct kind {
	const char *name;
	enum weft__guard guard;
} kinds[] = {
	{ "madvise", WEFT__GUARD_MADVISE },
	{ "mprotect", WEFT__GUARD_MPROTECT },
};

static double
now(void)
{
	return (double)weft__clock_ns() / 1e9;
}

/* KiB, from a line of a file of /proc; 0 if there is none. */
static long
kib(const char *file, const char *what)
{
	FILE *f = fopen(file, "r");
	size_t length = strlen(what);
	char line[256];
	long found = 0;

	while (f != NULL && found == 0 && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, what, length) == 0)
			found = strtol(line + length, NULL, 10);
	if (f != NULL)
		fclose(f);
	return found;
}

static long
maps(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	long count = 0;
	int c;

	while (f != NULL && (c = getc(f)) != EOF)
		count += c == '\n';
	if (f != NULL)
		fclose(f);
	return count;
}

static int
park(void *arg)
{
	(void)arg;
	return weft_park(WEFT_NEVER);
}

static long
spawn_all(struct weft_fiber **fibers, long count)
{
	long i;

	for (i = 0; i < count; i++) {
		fibers[i] = weft_spawn(park, NULL);
		if (fibers[i] == NULL)
			break;
	}
	weft_yield();
	return i;
}

static void
wake_all(struct weft_fiber *const *fibers, long count)
{
	long i;

	for (i = 0; i < count; i++)
		weft_unpark(fibers[i]);
	for (i = 0; i < count; i++)
		weft_join(fibers[i], NULL, WEFT_NEVER);
}

static void
row(const char *what, long resident, long tables, long fibers)
{
	printf("    %-22s %7.0f bytes each, %.0f of them page tables\n", what,
	    (double)(resident + tables) * 1024 / (double)fibers,
	    (double)tables * 1024 / (double)fibers);
}

/* Whether so many came about. */
static bool
measure(const struct kind *kind, long count)
{
	struct weft_fiber **fibers = calloc((size_t)count, sizeof *fibers);
	long resident, tables, reached;
	double began, spawned, woken;

	if (fibers == NULL || weft_self() == NULL)
		return false;
	weft__stack_force_guard(kind->guard);
	memset(fibers, 0xff, (size_t)count * sizeof *fibers);
	resident = kib("/proc/self/status", "VmRSS:");
	tables = kib("/proc/self/status", "VmPTE:");
	began = now();
	reached = spawn_all(fibers, count);
	spawned = now();
	printf("%s: %ld fibers parked%s%s\n", kind->name, reached,
	    reached < count ? ", then " : "", reached < count ? strerror(errno) : "");
	row("resident", kib("/proc/self/status", "VmRSS:") - resident,
	    kib("/proc/self/status", "VmPTE:") - tables, reached);
	printf("    %-22s %7ld\n", "mappings", maps());
	if (strcmp(weft__stack_guard(), kind->name) != 0)
		printf("    %-22s %7zu, the others by %s\n", "guarded so",
		    weft__loop()->stacks.mprotected, weft__stack_guard());
	fflush(stdout);
	woken = now();
	wake_all(fibers, reached);
	printf("    %-22s %7.0f ns each, %.1f s\n", "spawn and park",
	    (spawned - began) * 1e9 / (double)reached, spawned - began);
	printf("    %-22s %7.0f ns each, %.1f s\n", "wake, end and join",
	    (now() - woken) * 1e9 / (double)reached, now() - woken);
	free(fibers);
	return reached == count;
}

static bool
in_child(const struct kind *kind, long count)
{
	int status = -1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		bool good = measure(kind, count);

		fflush(stdout);
		_exit(good ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* No more than half of the memory that is to be had, at 5 KiB each. */
static long
affordable(long count)
{
	long available = kib("/proc/meminfo", "MemAvailable:");

	if (available > 0 && available / 2 / 5 < count) {
		count = available / 2 / 5;
		printf("Memory is for no more than %ld fibers.\n", count);
	}
	return count;
}

int
main(int argc, char **argv)
{
	long count = affordable(argc > 1 ? strtol(argv[1], NULL, 10) : 1000000);
	size_t i;
	int result = EXIT_SUCCESS;

	if (count <= 0) {
		fprintf(stderr, "usage: park [fibers [guard]]\n");
		return EXIT_FAILURE;
	}
	for (i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if ((argc < 3 || strcmp(argv[2], kinds[i].name) == 0) &&
		    !in_child(&kinds[i], count))
			result = EXIT_FAILURE;
	return result;
}
