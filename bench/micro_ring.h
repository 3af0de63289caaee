/* SPDX-License-Identifier: MIT */
/*
 * For what only switches: a queue of who runs next, and a pool of stacks. Before
 * it is included there have to be struct context, context_make and
 * context_switch.
 */
#include <sys/mman.h>

#include "micro.h"

enum { STACK = 65536 };

struct task {
	struct context context;
	struct task *next;
	char *stack;
	void (*run)(void);
};

static struct task first, *current = &first, *head, **tail = &head, *pool;

static void
ready(struct task *task)
{
	task->next = NULL;
	*tail = task;
	tail = &task->next;
}

static void
run_next(void)
{
	struct task *last = current;

	current = head;
	head = head->next;
	if (head == NULL)
		tail = &head;
	context_switch(&last->context, &current->context);
}

static void
yield(void)
{
	ready(current);
	run_next();
}

/* One that has ended is the next one's memory. */
static void
live(void)
{
	current->run();
	current->next = pool;
	pool = current;
	run_next();
}

static void
spawn(void (*run)(void))
{
	struct task *task = pool;

	if (task == NULL) {
		char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		/* Not all at one place of their page: they would share a cache line. */
		size_t stagger = (size_t)(uintptr_t)stack / STACK % 16 * 192;

		must(stack != MAP_FAILED);
		task = (struct task *)(stack + STACK - stagger - (sizeof *task + 63) / 64 * 64);
		task->stack = stack;
	} else
		pool = task->next;
	task->run = run;
	context_make(&task->context, task->stack, (size_t)((char *)task - task->stack), live);
	ready(task);
}

static void
yield_always(void)
{
	for (;;)
		yield();
}

static void
nothing(void)
{
}

static void
spawn_many(void)
{
	for (int i = 0; i < BATCH / SPAWNS; i++) {
		for (int j = 0; j < SPAWNS; j++)
			spawn(nothing);
		yield();
	}
}

static void
yield_2(void)
{
	for (int i = 0; i < BATCH / 2; i++)
		yield();
}

static void
yield_many(void)
{
	for (int i = 0; i < BATCH / SPAWNS; i++)
		yield();
}

int
main(int argc, char **argv)
{
	micro_arguments(argc, argv);
	tell("spawn", cost(spawn_many, BATCH));
	spawn(yield_always);
	tell("yield-2", cost(yield_2, BATCH));
	for (int i = 2; i < MANY; i++)
		spawn(yield_always);
	tell("yield-1000", cost(yield_many, BATCH / SPAWNS * MANY));
	return 0;
}
