/* SPDX-License-Identifier: MIT */
/*
 * What happens when a fiber runs into the guard of its stack. The processor
 * faults, and with no stack left the handler needs another one:
 *
 *     fault in the guard --SIGSEGV or SIGBUS--> handle, on the thread's signal
 *     stack: one line to the standard error output --> the handler or the
 *     default action that stood there before
 *
 * Put up with the first stack of a fiber, once for the process; the signal
 * stack once for each thread that has fibers, unless it has one already. Every
 * other fault goes straight on, with the mask and the flags that the handler
 * before had asked for; only the stack is another. A handler that the program
 * puts up later replaces ours, and then nothing is reported.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "fiber/compat.h"
#include "fiber/fiber.h"
#include "fiber/stack_guard.h"

/* Also for a handler of the program's; only what is touched costs memory. */
#define SIGNAL_STACK_SIZE ((size_t)64 << 10)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct before {
	int signal;
	struct sigaction action;
} before[] = { { .signal = SIGSEGV }, { .signal = SIGBUS } };

enum { SIGNALS = sizeof before / sizeof *before };

/* --- the line: nothing that a signal handler may not call */

struct line {
	size_t length;
	char text[224];
};

static void
add_char(struct line *line, char c)
{
	if (line->length < sizeof line->text)
		line->text[line->length++] = c;
}

static void
add(struct line *line, const char *text)
{
	for (; *text != '\0'; text++)
		add_char(line, *text);
}

/* A name is the program's and may hold anything. */
static void
add_name(struct line *line, const char *name)
{
	for (; *name != '\0'; name++)
		add_char(line, (unsigned char)*name < ' ' || *name == 127 ||
		    *name == '"' ? '?' : *name);
}

static void
add_number(struct line *line, uint64_t n, unsigned base)
{
	char digits[24];
	int i = 0;

	do
		digits[i++] = "0123456789abcdef"[n % base];
	while ((n /= base) > 0);
	while (i > 0)
		add_char(line, digits[--i]);
}

static void
report(const struct weft_fiber *fiber)
{
	struct line line = { 0 };
	ssize_t ignored;

	add(&line, "weft: stack overflow in fiber ");
	add_number(&line, fiber->id, 10);
	add(&line, " \"");
	add_name(&line, fiber->name);
	add(&line, "\", stack ");
	add_number(&line, (weft__stack_size(fiber->stack) + 1023) >> 10, 10);
	add(&line, " KiB, function 0x");
	add_number(&line, (uintptr_t)fiber->fn, 16);
	add(&line, ", spawned at 0x");
	add_number(&line, (uintptr_t)fiber->spawned_at, 16);
	add(&line, "\n");
	ignored = write(STDERR_FILENO, line.text, line.length);
	(void)ignored;
}

/* --- the handler */

/* Below the stack that this thread runs on, and no stray pointer into another
 * one's guard. */
static bool
is_overflow(const struct weft_fiber *fiber, const char *address)
{
	const struct weft__stack *s = fiber->stack;

	return s != NULL && address < s->low &&
	    address >= s->low - weft__stack_guard_size();
}

/* As the kernel would have done it. A fault happens again when we return. */
static void
pass_on(const struct sigaction *old, int signal, siginfo_t *info, void *context)
{
	static const struct sigaction standard = { .sa_handler = SIG_DFL };
	bool sent = info->si_code <= 0;

	if (!(old->sa_flags & SA_SIGINFO) && old->sa_handler == SIG_IGN && sent)
		return;
	if (!(old->sa_flags & SA_SIGINFO) &&
	    (old->sa_handler == SIG_DFL || old->sa_handler == SIG_IGN)) {
		sigaction(signal, old, NULL);
		if (sent)
			raise(signal);
		return;
	}
	if (old->sa_flags & (int)SA_RESETHAND)
		sigaction(signal, &standard, NULL);
	if (old->sa_flags & SA_SIGINFO)
		old->sa_sigaction(signal, info, context);
	else
		old->sa_handler(signal);
}

static void
handle(int signal, siginfo_t *info, void *context)
{
	const struct weft_loop *loop = weft__loop_of_thread();
	const struct before *old = before;
	int saved = errno;

	if (info->si_code > 0 && loop != NULL &&
	    is_overflow(loop->front.current, info->si_addr))
		report(loop->front.current);
	while (old->signal != signal)
		old++;
	errno = saved;
	pass_on(&old->action, signal, info, context);
}

static void
put_up(struct before *b)
{
	struct sigaction ours = { .sa_sigaction = handle };

	if (sigaction(b->signal, NULL, &b->action) < 0)
		return;
	ours.sa_mask = b->action.sa_mask;
	ours.sa_flags = SA_SIGINFO | SA_ONSTACK |
	    (b->action.sa_flags & (SA_NODEFER | SA_RESTART));
	sigaction(b->signal, &ours, NULL);
}

static void
put_up_all(void)
{
	for (int i = 0; i < SIGNALS; i++)
		put_up(&before[i]);
}

static bool
is_ours(const struct sigaction *action)
{
	return action->sa_flags & SA_SIGINFO && action->sa_sigaction == handle;
}

/* False if our handler is not the one that stands. */
bool
weft__overflow_below(int signal, const struct sigaction *new, struct sigaction *old)
{
	struct sigaction now;

	for (int i = 0; i < SIGNALS; i++) {
		if (before[i].signal != signal || sigaction(signal, NULL, &now) < 0 ||
		    !is_ours(&now))
			continue;
		*old = before[i].action;
		if (new != NULL)
			before[i].action = *new;
		return true;
	}
	return false;
}

/* --- the signal stack of this thread */

static void *
make_signal_stack(void)
{
	stack_t now, ours = { .ss_size = SIGNAL_STACK_SIZE };

	if (sigaltstack(NULL, &now) < 0 || !(now.ss_flags & SS_DISABLE))
		return NULL;
	ours.ss_sp = mmap(NULL, SIGNAL_STACK_SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANON | MAP_NORESERVE | WEFT__MAP_STACK, -1, 0);
	if (ours.ss_sp == MAP_FAILED)
		return NULL;
	if (sigaltstack(&ours, NULL) < 0) {
		munmap(ours.ss_sp, SIGNAL_STACK_SIZE);
		return NULL;
	}
	return ours.ss_sp;
}

void
weft__overflow_watch(struct weft_loop *loop)
{
	int saved = errno;

	loop->signal_stack = make_signal_stack();
	pthread_once(&once, put_up_all);
	errno = saved;
}

/* If the program has put its own there meanwhile, that stays. */
void
weft__overflow_forget(struct weft_loop *loop)
{
	stack_t now, none = { .ss_flags = SS_DISABLE, .ss_size = SIGNAL_STACK_SIZE };

	if (loop->signal_stack == NULL)
		return;
	if (sigaltstack(NULL, &now) == 0 && now.ss_sp == loop->signal_stack &&
	    sigaltstack(&none, NULL) < 0)
		return;         /* we are on it */
	munmap(loop->signal_stack, SIGNAL_STACK_SIZE);
}
