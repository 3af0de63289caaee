/* SPDX-License-Identifier: MIT */
/*
 * Signals. Our handler stands for a signal while there is a watch for it:
 *
 *   begin   list the watch, put the handler in place, unblock
 *   signal  on whatever thread: copy the siginfo into each watch that is still
 *           empty, and post to its loop
 *   end     block again, put the old handler back, delist
 *
 * The handler takes no lock. It counts itself while it reads the list, and
 * whoever has delisted a watch waits until no handler is running: then nobody
 * can know the watch any more. Everything else is under the lock.
 *
 * A watch holds one signal. What comes while it is full and has not been
 * fetched is merged with it if it is the same standard signal, as the kernel
 * does; everything else is kept aside as a stray, for the next watch or, when
 * the old handler is back, for that.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "fiber/compat.h"
#include "fiber/fiber.h"
#include "fiber/signal.h"

enum { EMPTY, FILLING, FULL };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct weft__watch *_Atomic watches;
static atomic_int handlers;     /* that are running */
static int first_realtime;

static struct place {
	unsigned users;
	atomic_uint which;              /* of `old` it is */
	struct sigaction old[2];        /* while there are users */
} places[WEFT__SIGNALS];

static struct stray {
	atomic_int state;
	siginfo_t info;
} strays[WEFT__STRAYS];

/* --- in the handler */

static bool
fill(struct weft__watch *watch, const siginfo_t *info)
{
	int empty = EMPTY;

	if (!atomic_compare_exchange_strong(&watch->state, &empty, FILLING))
		return false;
	watch->info = *info;
	atomic_store(&watch->state, FULL);
	weft__loop_post(watch->loop, &watch->post);
	return true;
}

/* Whether it adds nothing to what the watch holds. */
static bool
merges(const struct weft__watch *watch, int signal)
{
	if (watch->kind != WEFT__WATCH_ONCE)
		return true;
	return signal < first_realtime && atomic_load(&watch->state) == FULL &&
	    watch->info.si_signo == signal;
}

static bool
keep_in(struct stray *stray, const siginfo_t *info)
{
	int empty = EMPTY;

	if (!atomic_compare_exchange_strong(&stray->state, &empty, FILLING))
		return false;
	stray->info = *info;
	atomic_store(&stray->state, FULL);
	return true;
}

static void
keep(const siginfo_t *info)
{
	int i;

	for (i = 0; i < WEFT__STRAYS; i++)
		if (keep_in(&strays[i], info))
			return;
}

/* Tells all that watch it. Whether all of them let the old handler be called. */
static bool
tell(int signal, const siginfo_t *info)
{
	struct weft__watch *watch;
	bool aside = true, taken = false;

	for (watch = atomic_load(&watches); watch != NULL;
	    watch = atomic_load(&watch->next)) {
		if (sigismember(&watch->set, signal) != 1)
			continue;
		if (watch->kind != WEFT__WATCH_CHILD)
			aside = false;
		if (fill(watch, info) || merges(watch, signal))
			taken = true;
	}
	if (!taken)
		keep(info);
	return aside && taken;
}

static struct sigaction *
old_of(struct place *place)
{
	return &place->old[atomic_load(&place->which)];
}

static void
call(const struct sigaction *old, int signal, siginfo_t *info, void *context)
{
	if (old->sa_flags & SA_SIGINFO)
		old->sa_sigaction(signal, info, context);
	else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN)
		old->sa_handler(signal);
}

static void
handle(int signal, siginfo_t *info, void *context)
{
	struct sigaction old;
	int error = errno;
	bool aside;

	atomic_fetch_add(&handlers, 1);
	aside = tell(signal, info);
	if (aside)
		old = *old_of(&places[signal]);
	atomic_fetch_sub(&handlers, 1);
	if (aside)              /* it may never return: siglongjmp */
		call(&old, signal, info, context);
	errno = error;
}

/* --- putting it in place, under the lock */

static bool
is_ours(const struct sigaction *action)
{
	return action->sa_flags & SA_SIGINFO && action->sa_sigaction == handle;
}

static int
put_up(int signal)
{
	struct place *place = &places[signal];
	struct sigaction ours = { .sa_sigaction = handle,
	    .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

	if (place->users > 0) {
		place->users++;
		return 0;
	}
	/* Before it stands: it may run at once, on another thread. */
	if (sigaction(signal, NULL, old_of(place)) < 0)
		return errno;
	sigfillset(&ours.sa_mask);
	/* How children end stays as it was. */
	if (signal == SIGCHLD)
		ours.sa_flags |= old_of(place)->sa_flags & (SA_NOCLDSTOP | SA_NOCLDWAIT);
	if (signal == SIGCHLD && old_of(place)->sa_handler == SIG_IGN)
		ours.sa_flags |= SA_NOCLDWAIT;
	if (sigaction(signal, &ours, NULL) < 0)
		return errno;
	place->users = 1;
	return 0;
}

/* If the program has put its own there meanwhile, that stays. */
static void
take_down(int signal)
{
	struct sigaction now;

	if (--places[signal].users == 0 && sigaction(signal, NULL, &now) == 0 &&
	    is_ours(&now))
		sigaction(signal, old_of(&places[signal]), NULL);
}

static void
take_down_all(const sigset_t *set, int end)
{
	int signal;

	for (signal = 1; signal < end; signal++)
		if (sigismember(set, signal) == 1)
			take_down(signal);
}

static int
put_up_all(const sigset_t *set)
{
	int signal, error;

	for (signal = 1; signal < WEFT__SIGNALS; signal++) {
		if (sigismember(set, signal) != 1)
			continue;
		error = put_up(signal);
		if (error != 0) {
			take_down_all(set, signal);
			return error;
		}
	}
	return 0;
}

/* The one below our handler, which may be running: no copy that it could be
 * reading is written. */
static void
replace_old(struct place *place, const struct sigaction *new)
{
	unsigned other = !atomic_load(&place->which);

	while (atomic_load(&handlers) > 0)
		sched_yield();
	place->old[other] = *new;
	atomic_store(&place->which, other);
}

static void
list(struct weft__watch *watch)
{
	atomic_store(&watch->next, atomic_load(&watches));
	atomic_store(&watches, watch);
}

/* False: it was not there, because of a fork. */
static bool
delist(struct weft__watch *watch)
{
	struct weft__watch *_Atomic *at = &watches;

	while (atomic_load(at) != watch) {
		if (atomic_load(at) == NULL)
			return false;
		at = &atomic_load(at)->next;
	}
	atomic_store(at, atomic_load(&watch->next));
	return true;
}

/* --- the mask of the thread: what was blocked is unblocked meanwhile */

static void
unblock(struct weft__watch *watch)
{
	sigset_t old;
	int signal;

	sigemptyset(&watch->unblocked);
	pthread_sigmask(SIG_UNBLOCK, &watch->set, &old);
	for (signal = 1; signal < WEFT__SIGNALS; signal++)
		if (sigismember(&watch->set, signal) == 1 &&
		    sigismember(&old, signal) == 1)
			sigaddset(&watch->unblocked, signal);
}

/* Another watch of the thread, which then has it to block. */
static struct weft__watch *
heir(const struct weft__watch *watch, int signal)
{
	struct weft__watch *other;

	for (other = atomic_load(&watches); other != NULL;
	    other = atomic_load(&other->next))
		if (other != watch && other->loop == watch->loop &&
		    sigismember(&other->set, signal) == 1)
			return other;
	return NULL;
}

static void
block_again(struct weft__watch *watch)
{
	struct weft__watch *other;
	sigset_t set;
	int signal;

	sigemptyset(&set);
	for (signal = 1; signal < WEFT__SIGNALS; signal++) {
		if (sigismember(&watch->unblocked, signal) != 1)
			continue;
		other = heir(watch, signal);
		sigaddset(other != NULL ? &other->unblocked : &set, signal);
	}
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* --- strays, under the lock */

static void
take_stray(struct weft__watch *watch)
{
	int i;

	for (i = 0; i < WEFT__STRAYS; i++)
		if (atomic_load(&strays[i].state) == FULL &&
		    sigismember(&watch->set, strays[i].info.si_signo) == 1 &&
		    fill(watch, &strays[i].info)) {
			atomic_store(&strays[i].state, EMPTY);
			return;
		}
}

/* Those for which our handler does not stand any more. */
static void
send_strays(void)
{
	int i;

	for (i = 0; i < WEFT__STRAYS; i++)
		if (atomic_load(&strays[i].state) == FULL &&
		    places[strays[i].info.si_signo].users == 0) {
			weft__compat_send_again(&strays[i].info);
			atomic_store(&strays[i].state, EMPTY);
		}
}

/* --- fork: the child has nobody who waits */

static void
before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void
in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void
in_child(void)
{
	struct weft__watch *watch;
	int i;

	for (watch = atomic_load(&watches); watch != NULL;
	    watch = atomic_load(&watch->next))
		if (watch->loop == weft__loop_here())
			pthread_sigmask(SIG_BLOCK, &watch->unblocked, NULL);
	for (i = 1; i < WEFT__SIGNALS; i++)
		if (places[i].users > 0) {
			places[i].users = 1;
			take_down(i);
		}
	for (i = 0; i < WEFT__STRAYS; i++)
		atomic_store(&strays[i].state, EMPTY);
	atomic_store(&watches, NULL);
	atomic_store(&handlers, 0);
	pthread_mutex_unlock(&lock);
}

static void
prepare(void)
{
	first_realtime = WEFT__FIRST_REALTIME;
	pthread_atfork(before_fork, in_parent, in_child);
}

/* --- watches */

/* A fault that is survived happens again, for ever. */
bool
weft__watch_possible(const sigset_t *set)
{
	static const int never[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	size_t i;
	int signal;

	for (i = 0; i < sizeof never / sizeof *never; i++)
		if (sigismember(set, never[i]) == 1)
			return false;
	for (signal = 1; signal < WEFT__SIGNALS; signal++)
		if (sigismember(set, signal) == 1)
			return true;
	return false;
}

int
weft__watch_begin(struct weft__watch *watch, struct weft_loop *loop,
    const sigset_t *set, enum weft__watch_kind kind)
{
	int saved = errno, error;

	pthread_once(&once, prepare);
	watch->loop = loop;
	watch->set = *set;
	watch->kind = kind;
	atomic_store(&watch->state, EMPTY);
	pthread_mutex_lock(&lock);
	error = weft__watch_possible(set) ? put_up_all(set) : EINVAL;
	if (error == 0) {
		list(watch);
		take_stray(watch);
		unblock(watch);
	}
	pthread_mutex_unlock(&lock);
	errno = saved;
	return error;
}

void
weft__watch_end(struct weft__watch *watch)
{
	int saved = errno;

	pthread_mutex_lock(&lock);
	if (delist(watch)) {
		/* First: the program has it blocked, and not handled. */
		block_again(watch);
		take_down_all(&watch->set, WEFT__SIGNALS);
		while (atomic_load(&handlers) > 0)
			sched_yield();
		send_strays();
	}
	pthread_mutex_unlock(&lock);
	errno = saved;
}

int
weft__signal_below(int signal, const struct sigaction *new, struct sigaction *old)
{
	struct place *place = &places[signal];
	struct sigaction now;
	int result = 0;

	pthread_once(&once, prepare);
	pthread_mutex_lock(&lock);
	if (place->users > 0 && sigaction(signal, NULL, &now) == 0 && is_ours(&now)) {
		*old = *old_of(place);
		if (new != NULL)
			replace_old(place, new);
	} else if (!weft__overflow_below(signal, new, old)) {
		result = sigaction(signal, new, old);
	}
	pthread_mutex_unlock(&lock);
	return result;
}

bool
weft__watch_full(const struct weft__watch *watch)
{
	return atomic_load(&watch->state) == FULL;
}

void
weft__watch_again(struct weft__watch *watch)
{
	atomic_store(&watch->state, EMPTY);
}

static struct weft__watch *
find(const struct weft_loop *loop)
{
	struct weft__watch *watch;

	pthread_mutex_lock(&lock);
	watch = atomic_load(&watches);
	while (watch != NULL && watch->loop != loop)
		watch = atomic_load(&watch->next);
	pthread_mutex_unlock(&lock);
	return watch;
}

void
weft__watch_forget(struct weft_loop *loop)
{
	struct weft__watch *watch;

	while ((watch = find(loop)) != NULL)
		weft__watch_end(watch);
}
