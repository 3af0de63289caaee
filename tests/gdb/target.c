/* SPDX-License-Identifier: MIT */
/*
 * tests/gdb/target.c - fibers for gdb.sh to find. Two threads, each with a loop;
 * when all fibers are where they belong, stop_here is called. Then it ends, with
 * the argument "sleep" it waits for a debugger that comes later, with "abort" it
 * leaves a core file.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft.h>

void stop_here(void);
int wait_three_deep(int depth, int fd);

static int ends[2];
static struct weft_event never;

__attribute__((noinline)) void
stop_here(void)
{
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) int
wait_three_deep(int depth, int fd)
{
	int result = depth > 1 ? wait_three_deep(depth - 1, fd) :
	    weft_fd_wait(fd, WEFT_READABLE, weft_after(3600000));

	__asm__ volatile("" ::: "memory");      /* and no jump for a call */
	return result;
}

static int
read_input(void *arg)
{
	volatile char deep[50000];

	deep[0] = arg == NULL;
	return wait_three_deep(3, ends[0]) + deep[0];
}

static int
wait_for_event(void *arg)
{
	int result = weft_event_wait(&never, WEFT_NEVER);

	__asm__ volatile("" ::: "memory");
	return arg != NULL ? -1 : result;
}

static int
end_at_once(void *arg)
{
	(void)arg;
	return 7;
}

static void
spawn(const char *name, weft_fn *fn)
{
	const struct weft_fiber_options options = { .size = sizeof options, .name = name };

	if (weft_spawn_with(&options, fn, NULL) == NULL)
		exit(EXIT_FAILURE);
}

static void *
other_thread(void *ready)
{
	weft_loop_self();       /* somebody might post: no deadlock */
	spawn("elsewhere", wait_for_event);
	weft_yield();
	pthread_barrier_wait(ready);
	weft_park(WEFT_NEVER);
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_barrier_t ready;
	pthread_t thread;

	weft_loop_self();
	if (pipe(ends) < 0)
		return EXIT_FAILURE;
	spawn("reader \"1\"", read_input);
	spawn("waiter", wait_for_event);
	spawn("ended", end_at_once);
	weft_yield();
	pthread_barrier_init(&ready, NULL, 2);
	if (pthread_create(&thread, NULL, other_thread, &ready) != 0)
		return EXIT_FAILURE;
	pthread_barrier_wait(&ready);
	stop_here();
	if (argc > 1 && strcmp(argv[1], "abort") == 0)
		abort();
	return argc > 1 ? weft_park(WEFT_NEVER) : EXIT_SUCCESS;
}
