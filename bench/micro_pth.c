/* SPDX-License-Identifier: MIT */
/*
 * bench/micro_pth.c - see micro.h; GNU Pth.
 */
#include <pth.h>

#include "micro.h"

static pth_attr_t attributes;
static pth_mutex_t mutex = PTH_MUTEX_INIT;

static void *
yield_always(void *arg)
{
	for (;;)
		pth_yield(NULL);
	return arg;
}

static void
yield_2(void)
{
	for (int i = 0; i < BATCH / 2; i++)
		pth_yield(NULL);
}

static void *
nothing(void *arg)
{
	return arg;
}

static void
spawn(void)
{
	for (int j = 0; j < SPAWNS; j++)
		must(pth_spawn(attributes, nothing, NULL) != NULL);
	pth_yield(NULL);
}

/* A mutex that is let go goes to nobody: who holds it lets the other one wait. */
static void *
lock_always(void *arg)
{
	for (;;) {
		must(pth_mutex_acquire(&mutex, FALSE, NULL));
		pth_yield(NULL);
		must(pth_mutex_release(&mutex));
		pth_yield(NULL);
	}
	return arg;
}

static void
hand_off(void)
{
	for (int i = 0; i < BATCH / 20; i++) {
		must(pth_mutex_acquire(&mutex, FALSE, NULL));
		pth_yield(NULL);
		must(pth_mutex_release(&mutex));
		pth_yield(NULL);
	}
}

int
main(int argc, char **argv)
{
	micro_arguments(argc, argv);
	must(pth_init());
	attributes = pth_attr_new();
	pth_attr_set(attributes, PTH_ATTR_JOINABLE, FALSE);
	pth_attr_set(attributes, PTH_ATTR_STACK_SIZE, 65536);
	tell("spawn", cost(spawn, SPAWNS));
	must(pth_spawn(attributes, yield_always, NULL) != NULL);
	tell("yield-2", cost(yield_2, BATCH));
	must(pth_spawn(attributes, lock_always, NULL) != NULL);
	tell("mutex", cost(hand_off, BATCH / 10));
	return 0;
}
