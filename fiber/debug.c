/* SPDX-License-Identifier: MIT */
/*
 * What a debugger finds without debug information, by the names of symbols:
 *
 *     weft__loops   the first of all loops; next_loop leads on
 *     weft__layout  where in them and in their fibers lies what it wants
 *     weft__waits   what a fiber can wait for
 *
 * fiber/weft-gdb.py reads them. Of all this a running program uses weft__waits alone,
 * for weft_dump.
 */
#include "config.h"

#include <pthread.h>

#include "fiber/fiber.h"

struct weft_loop *weft__loops;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#ifdef WEFT_CONTEXT_ASM
#define SWITCH_IS_ASM 1
#else
#define SWITCH_IS_ASM 0
#endif

#define IN_LOOP(member) { "loop." #member, offsetof(struct weft_loop, member) }
#define IN_FIBER(member) { "fiber." #member, offsetof(struct weft_fiber, member) }

/* Names no longer than this, 0 at the end. */
extern const struct weft__field {
	char name[24];
	uint64_t value;
} weft__layout[];

const struct weft__field weft__layout[] __attribute__((used)) = {
	IN_LOOP(next_loop),
	IN_LOOP(thread),
	{ "loop.current", offsetof(struct weft_loop, front.current) },
	IN_LOOP(all),
	IN_LOOP(main),
	IN_LOOP(polled_at),
	{ "fiber", sizeof(struct weft_fiber) },
	{ "fiber.sp", offsetof(struct weft_fiber, context.sp) },
	IN_FIBER(state),
	IN_FIBER(waiting),
	IN_FIBER(canceled),
	{ "fiber.deadline", offsetof(struct weft_fiber, timer.deadline) },
	IN_FIBER(fn),
	IN_FIBER(result),
	IN_FIBER(older),
	IN_FIBER(stack),
	IN_FIBER(id),
	IN_FIBER(parked_since),
	IN_FIBER(subject),
	IN_FIBER(name),
	{ "name", WEFT__NAME_SIZE },
	{ "stack.low", offsetof(struct weft__stack, low) },
	{ "NEW", WEFT__NEW },
	{ "READY", WEFT__READY },
	{ "RUNNING", WEFT__RUNNING },
	{ "PARKED", WEFT__PARKED },
	{ "DONE", WEFT__DONE },
	{ "POOLED", WEFT__POOLED },
	{ "GONE", WEFT__GONE },
	{ "FOR", WEFT__FOR },
	{ "INPUT", WEFT__FOR_INPUT / WEFT__FOR },
	{ "OUTPUT", WEFT__FOR_OUTPUT / WEFT__FOR },
	{ "asm", SWITCH_IS_ASM },
	{ "", 0 },
};

void
weft__debug_add(struct weft_loop *loop)
{
	loop->thread = pthread_self();
	pthread_mutex_lock(&lock);
	loop->next_loop = weft__loops;
	weft__loops = loop;
	pthread_mutex_unlock(&lock);
}

void
weft__debug_remove(const struct weft_loop *loop)
{
	struct weft_loop **at;

	pthread_mutex_lock(&lock);
	for (at = &weft__loops; *at != NULL; at = &(*at)->next_loop)
		if (*at == loop) {
			*at = loop->next_loop;
			break;
		}
	pthread_mutex_unlock(&lock);
}

const char *const weft__waits[] = {
	"something", "its time", "a permit", "the end of fiber %",
	"input", "output",
	"a descriptor to be closed", "one of % descriptors",
	"% members of its scope", "a call on a thread", "signal %", "child process %",
	"a mutex", "a condition", "a read-write lock", "a semaphore", "an event",
	"a wait group", "a barrier", "a channel to send", "a channel to receive",
	"one of several cases", "its turn in a stream", "its server",
};

/* --- fork */

void
weft__debug_before_fork(void)
{
	pthread_mutex_lock(&lock);
}

void
weft__debug_in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

/* The other threads are not there, but their loops still are, as they were. */
void
weft__debug_in_child(struct weft_loop *here)
{
	weft__loops = here;
	if (here != NULL)
		here->next_loop = NULL;
	pthread_mutex_unlock(&lock);
}
