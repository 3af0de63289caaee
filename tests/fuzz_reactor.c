/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz_reactor.c - random operations on a few descriptors, and fibers and
 * owners that wait for them, with poll(2) as the oracle.
 *
 * The input is a program: a byte for the operation, bytes for its arguments.
 * After every operation the loop makes four turns. What poll(2) says is ready
 * must have been told to whoever waits for it after two of them; nobody is told
 * what poll(2) does not say; at most two polls are for nothing; events are
 * stale only after foreign code has closed or replaced a number that we had
 * not been told to forget. At the end nothing is left.
 *
 * Each input runs on every backend, on a thread, and so with a loop, of its
 * own. It is a target for libFuzzer (tests/fuzz.sh), or has the main of
 * fuzz_main.c.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef HAVE_EVENTFD
#include <sys/eventfd.h>
#endif

#include "fiber/wait.h"
#include "reactor/backend.h"
#include "tests/fuzz.h"
#include "tests/fuzz_reactor.h"
#include "weft/fiber.h"
#include "weft/loop.h"

enum { PLACES = 10, WAITERS = 8, FORKS = 2, BOTH = WEFT_READABLE | WEFT_WRITABLE };

/* A descriptor. */
static struct place {
	int fd;                         /* -1: none */
	struct weft__slot *slot;        /* of an owner or listener; NULL: borrowed */
	bool listens;
	int wanted;                     /* by the owner, and not told yet */
} places[PLACES];

static struct waiter {
	struct weft_fiber *fiber;       /* NULL: none */
	struct weft__slot *slot;        /* of a listener; NULL: weft_fd_wait */
	int fd, events, result, error;
	bool done, due;
	bool lost;                      /* must end with EBADF */
} waiters[WAITERS];

static bool foreign;    /* stale events are possible */
static bool shut;       /* something was shut down for writing */
static int wild = -1;   /* foreign code has it, and we do not know yet */
static int forks;
static pid_t child;
static int child_pipe;

/* A place that has a descriptor, or not; NULL: there is none. */
static struct place *
any_place(bool used)
{
	unsigned first = byte();

	for (unsigned i = 0; i < PLACES; i++) {
		struct place *p = &places[(first + i) % PLACES];

		if ((p->fd >= 0) == used)
			return p;
	}
	return NULL;
}

/* ---- The oracle ---- */

static struct weft_loop_stats
stats(void)
{
	struct weft_loop_stats now = { .size = sizeof now };

	AGREE(weft_loop_stats(&now) == 0);
	return now;
}

/* What may be told. After our own shutdown kqueue tells who waits to write that
 * it would be in vain; poll(2) of Linux does not. */
static int
plausible(int fd)
{
	return ready(fd) | (shut && strcmp(backend, "kqueue") == 0 ? WEFT_WRITABLE : 0);
}

/* One turn; those who were woken have run. */
static void
turn(void)
{
	AGREE(weft_loop_step() >= 0);
}

/* What must be told within two turns is noted before, since TCP takes its time
 * even here. */
static void
note_what_is_due(int owners[PLACES])
{
	for (int i = 0; i < PLACES; i++)
		owners[i] = places[i].wanted == 0 ? 0 :
		    places[i].wanted & ready(places[i].fd);
	for (struct waiter *w = waiters; w < waiters + WAITERS; w++)
		w->due = w->fiber != NULL && !w->done &&
		    (w->lost || (w->events & ready(w->fd)) != 0);
}

static void
reap(struct waiter *w)
{
	if (w->fiber == NULL || !w->done)
		return;
	AGREE(weft_join(w->fiber, NULL, WEFT_NEVER) == 0);
	w->fiber = NULL;
}

static void
settle(void)
{
	uint64_t spins = stats().spins;
	int owners[PLACES];

	note_what_is_due(owners);
	turn();
	turn();
	for (int i = 0; i < PLACES; i++)
		AGREE((places[i].wanted & owners[i]) == 0);
	for (struct waiter *w = waiters; w < waiters + WAITERS; w++)
		AGREE(!w->due || w->done);
	turn();
	turn();
	AGREE(stats().spins <= spins + 2);
	AGREE(foreign || stats().stale_events == 0);
	for (struct waiter *w = waiters; w < waiters + WAITERS; w++)
		reap(w);
}

/* ---- Who waits ---- */

static int
wait_for_it(void *arg)
{
	struct waiter *w = arg;

	if (w->slot == NULL) {
		w->result = weft_fd_wait(w->fd, w->events, WEFT_NEVER);
		w->error = errno;
	} else {
		w->error = weft__fd_park(weft__loop(), w->slot, w->events, WEFT_NEVER);
		w->result = w->error == 0 ? w->events : -1;
	}
	w->done = true;
	if (w->fd == wild)
		return 0;
	if (w->lost)
		AGREE(w->result == -1 && w->error == EBADF);
	else
		AGREE(w->result > 0 && (w->result & ~(w->events & plausible(w->fd))) == 0);
	return 0;
}

static void
start_waiting(struct place *p)
{
	unsigned kind = byte();
	struct waiter *w = waiters;

	while (w < waiters + WAITERS && w->fiber != NULL)
		w++;
	if (w == waiters + WAITERS)
		return;
	*w = (struct waiter){ .fd = p->fd, .events = (int)(kind % 3 + 1) };
	if (p->listens && kind & 64) {
		w->slot = p->slot;
		w->events = WEFT_READABLE;
	}
	tell(w->slot != NULL ? "park" : "wait", p->fd, w->events);
	w->fiber = weft_spawn(wait_for_it, w);
	AGREE(w->fiber != NULL);
	turn();
}

static bool
told(void *arg, int events)
{
	struct place *p = arg;
	bool useful = (p->wanted & events) != 0;

	if (events < 0) {
		p->slot = NULL;
		p->wanted = 0;
		return true;
	}
	AGREE(p->fd == wild || (events & BOTH & ~plausible(p->fd)) == 0);
	p->wanted &= ~events;
	return useful || weft__fd_edges(weft__loop());
}

/* All who wait for the number will hear that it is gone. */
static void
lose(struct place *p)
{
	for (struct waiter *w = waiters; w < waiters + WAITERS; w++)
		if (w->fiber != NULL && w->fd == p->fd)
			w->lost = true;
}

static void
disown(struct place *p)
{
	lose(p);
	if (p->slot != NULL)
		weft__fd_disown(weft__loop(), p->slot);
	p->slot = NULL;
	p->wanted = 0;
	p->listens = false;
}

static void
own(struct place *p)
{
	if (p->slot != NULL) {
		tell("disown", p->fd, 0);
		disown(p);
		return;
	}
	lose(p);
	p->listens = byte() % 2;
	tell(p->listens ? "listen" : "own", p->fd, 0);
	p->slot = p->listens ? weft__fd_listen(weft__loop(), p->fd) :
	    weft__fd_own(weft__loop(), p->fd, told, p);
	AGREE(p->slot != NULL);
}

/* A try that was in vain, and so: asks for it. */
static void
want(struct place *p)
{
	int in_vain = (int)(byte() % 3 + 1) & ~ready(p->fd);

	if (p->slot == NULL || p->listens || in_vain == 0)
		return;
	tell("want", p->fd, in_vain);
	p->wanted |= in_vain;
	AGREE(weft__fd_want(weft__loop(), p->slot, in_vain) == 0);
}

/* ---- Descriptors ---- */

static int
place_it(int fd)
{
	struct place *p = any_place(false);

	if (fd < 0 || p == NULL) {
		close(fd);
		return -1;
	}
	AGREE(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	*p = (struct place){ .fd = fd };
	return fd;
}

static void
open_some(void)
{
	int fds[2] = { -1, -1 };
	unsigned kind = byte() % 4;

	switch (kind) {
	case 0: AGREE(pipe(fds) == 0); break;
	case 1: AGREE(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0); break;
	case 2: connect_pair(fds); break;
#ifdef HAVE_EVENTFD
	default: fds[0] = eventfd(byte() % 2, 0);
#endif
	}
	tell(kind == 0 ? "pipe" : kind == 1 ? "unix" : kind == 2 ? "tcp" : "eventfd",
	    fds[0], fds[1]);
	place_it(fds[0]);
	place_it(fds[1]);
}

static void
close_it(struct place *p)
{
	tell("close", p->fd, 0);
	lose(p);
	if (p->slot != NULL && byte() % 2) {
		int fd = p->fd;

		disown(p);
		p->fd = -1;
		weft__fd_close(weft__loop(), fd);
	} else {
		AGREE(weft_fd_close(p->fd) == 0);
	}
	*p = (struct place){ .fd = -1 };
}

/* By somebody who knows nothing of weft: closed, or replaced if there is
 * another. We are told before, right after, or a turn later. */
static void
change_behind_our_back(struct place *p, int other)
{
	unsigned kind = byte() % 3;
	int fd = p->fd;

	tell(kind == 0 ? "forgotten" : kind == 1 ? "behind" : "late", fd, other);
	lose(p);
	if (kind == 0)
		AGREE(weft_fd_forget(fd) == 0);
	AGREE(other < 0 ? close(fd) == 0 : dup2(other, fd) == fd);
	foreign |= kind != 0;
	wild = fd;
	if (kind == 2)
		turn();
	if (kind != 0)
		AGREE(weft_fd_forget(fd) == 0);
	p->slot = NULL;
	p->wanted = 0;
	p->listens = false;
	turn();
	wild = -1;
	for (struct waiter *w = waiters; w < waiters + WAITERS; w++)
		AGREE(w->fiber == NULL || w->fd != fd || w->done);
	p->fd = other < 0 ? -1 : fd;
}

/* ---- A child that holds all descriptors for a while ---- */

static void
release_child(void)
{
	close(child_pipe);
	AGREE(waitpid(child, NULL, 0) == child);
	child = 0;
}

static void
fork_or_wait(void)
{
	int fds[2];
	char end;

	if (child != 0) {
		tell("release", 0, 0);
		release_child();
		return;
	}
	if (forks++ >= FORKS || byte() % 4 != 0)
		return;
	tell("fork", 0, 0);
	AGREE(pipe(fds) == 0);
	child = fork();
	if (child == 0) {
		close(fds[1]);
		_exit(read(fds[0], &end, 1) == 0 ? 0 : 1);
	}
	AGREE(child > 0);
	close(fds[0]);
	child_pipe = fds[1];
}

static void
shut_down(int fd)
{
	int how = (int)(byte() % 3);

	shut |= how != SHUT_RD;
	tell("shutdown", fd, shutdown(fd, how));
}

/* ---- One input ---- */

static void
step(unsigned kind)
{
	struct place *p = any_place(true), *other;

	if (p == NULL || kind < 2) {
		open_some();
		return;
	}
	switch (kind) {
	case 2: close_it(p); break;
	case 3: change_behind_our_back(p, -1); break;
	case 4:
		tell("dup", p->fd, place_it(dup(p->fd)));
		break;
	case 5:
		other = any_place(true);
		if (other->fd != p->fd)
			change_behind_our_back(p, other->fd);
		break;
	case 6: case 7: write_to(p->fd); break;
	case 8: read_from(p->fd); break;
	case 9:
		shut_down(p->fd);
		break;
	case 10: fork_or_wait(); break;
	case 11: case 12: start_waiting(p); break;
	case 13: own(p); break;
	default: want(p);
	}
}

static void *
run(void *unused)
{
	AGREE(strcmp(weft_loop_backend(), backend) == 0);
	for (int i = 0; i < PLACES; i++)
		places[i] = (struct place){ .fd = -1 };
	foreign = shut = false;
	forks = 0;
	while (input_left > 0) {
		step(byte() % 16);
		settle();
	}
	if (child != 0)
		release_child();
	for (int i = 0; i < PLACES; i++)
		if (places[i].fd >= 0)
			close_it(&places[i]);
	settle();
	AGREE(stats().fibers == 1 && stats().parked == 0);
	return unused;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	pthread_t thread;

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; weft__backends[i] != NULL; i++) {
		int before = open_descriptors();

		backend = weft__backends[i]->name;
		told_so_far = 0;
		setenv("WEFT_BACKEND", backend, 1);
		input = data;
		input_left = size;
		AGREE(pthread_create(&thread, NULL, run, NULL) == 0);
		AGREE(pthread_join(thread, NULL) == 0);
		AGREE(open_descriptors() == before);
	}
	return 0;
}
