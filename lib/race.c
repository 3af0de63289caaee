/* SPDX-License-Identifier: MIT */
/*
 * Happy Eyeballs (RFC 8305): the addresses of a name are tried in turns of
 * their families, each a little later than the one before, or as soon as one
 * has failed. The first that is connected wins, the others are closed.
 *
 *   start next --refused--> start next at once
 *       |                        ^
 *       +--delay has passed------+        connected: over
 *
 * The fiber that connects parks for all of them: whatever happens to one of
 * the sockets wakes it, and it asks those that were told of.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/compat.h"
#include "lib/race.h"
#include "lib/server.h"
#include "weft/fiber.h"

struct race;

struct runner {
	struct race *race;
	const struct addrinfo *to;
	struct weft__slot *slot;        /* NULL: lost */
	int fd;                         /* -1: over */
	bool told;                      /* something has happened to it */
};

struct race {
	struct weft__race *call;
	struct weft_fiber *fiber;
	/* What is left: of the family of the first, and of the others. */
	const struct addrinfo *left[2];
	int turn;                       /* whose it is */
	struct runner *runners, *next, *winner;
	int running;
	int64_t due;                    /* when the next one is to start */
	int error;                      /* the most telling one so far */
};

/* --- order */

/* The first from here on that is, or is not, of the first one's family. */
static const struct addrinfo *
of_family(const struct weft__race *call, const struct addrinfo *at, bool same)
{
	while (at != NULL && (at->ai_family == call->targets->ai_family) != same)
		at = at->ai_next;
	return at;
}

static bool
more(const struct race *r)
{
	return r->left[0] != NULL || r->left[1] != NULL;
}

static const struct addrinfo *
next_target(struct race *r)
{
	int side = r->left[r->turn] != NULL ? r->turn : !r->turn;
	const struct addrinfo *to = r->left[side];

	r->left[side] = of_family(r->call, to->ai_next, side == 0);
	r->turn = !side;
	return to;
}

/* Of several failures, the one that came from furthest away is the one to
 * tell: somebody answered; nobody did; we have no way there. */
static int
weight(int error)
{
	switch (error) {
	case 0:
		return 0;
	case ECONNREFUSED:
	case ECONNRESET:
	case EACCES:
	case EPERM:
		return 4;
	case ETIMEDOUT:
		return 3;
	case EHOSTUNREACH:
	case ENETUNREACH:
		return 2;
	default:
		return 1;
	}
}

/* --- one attempt */

static int
bind_source(const struct weft__race *call, int fd, int family)
{
	static const int on = 1;
	const struct addrinfo *from;
	int error = EADDRNOTAVAIL;

	if (call->sources == NULL)
		return 0;
	for (from = call->sources; from != NULL; from = from->ai_next) {
		if (from->ai_family != family)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (bind(fd, from->ai_addr, from->ai_addrlen) == 0)
			return 0;
		error = errno;
	}
	return error;
}

static bool
notify(void *arg, int events)
{
	struct runner *runner = arg;

	runner->told = true;
	if (events < 0)
		runner->slot = NULL;    /* the number is not ours any more */
	weft__wake(runner->race->fiber, 0);
	return true;
}

/* connect(2) goes on after EINTR, and must not be called again. */
static int
connect_to(int fd, const struct addrinfo *to)
{
	if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
		return 0;
	return errno == EINTR ? EINPROGRESS : errno;
}

/* 0: connected. EINPROGRESS: the loop will tell. */
static int
set_off(const struct weft__race *call, struct runner *runner)
{
	int error = bind_source(call, runner->fd, runner->to->ai_family), asked;

	if (error != 0)
		return error;
	runner->slot = weft__fd_own(call->loop, runner->fd, notify, runner);
	if (runner->slot == NULL)
		return errno;
	weft__tcp_set_options(runner->fd, call->options->no_nodelay,
	    call->options->keepalive);
	error = connect_to(runner->fd, runner->to);
	if (error != EINPROGRESS)
		return error;
	asked = weft__fd_want(call->loop, runner->slot, WEFT_WRITABLE);
	return asked != 0 ? asked : EINPROGRESS;
}

static void
stop(struct race *r, struct runner *runner)
{
	struct weft__slot *slot = runner->slot;
	int fd = runner->fd;

	runner->slot = NULL;
	runner->fd = -1;
	if (slot != NULL)
		weft__fd_disown(r->call->loop, slot);
	weft__fd_close(r->call->loop, fd);
}

/* The verdict can be asked for once. */
static int
verdict(const struct runner *runner)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (runner->slot == NULL)
		return EBADF;
	return getsockopt(runner->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ?
	    errno : error;
}

/* --- all of them */

static void
fail(struct race *r, int error)
{
	if (weight(error) > weight(r->error))
		r->error = error;
	r->due = 0;
}

static int64_t
after_delay(const struct weft__race *call)
{
	int delay = call->options->attempt_delay;

	if (delay < 0)
		return INT64_MAX;
	if (delay == 0)
		delay = WEFT__ATTEMPT_DELAY_MS;
	return weft_after(delay > WEFT__ATTEMPT_DELAY_MIN_MS ? delay :
	    WEFT__ATTEMPT_DELAY_MIN_MS);
}

static void
start_next(struct race *r)
{
	struct runner *runner = r->next++;
	const struct addrinfo *to = next_target(r);
	int error;

	*runner = (struct runner){ .race = r, .to = to,
	    .fd = weft__compat_socket(to->ai_family, to->ai_socktype, to->ai_protocol) };
	if (runner->fd < 0) {
		fail(r, errno);
		return;
	}
	error = set_off(r->call, runner);
	if (error == 0) {
		r->winner = runner;
	} else if (error != EINPROGRESS) {
		stop(r, runner);
		fail(r, error);
	} else {
		r->running++;
		r->due = more(r) ? after_delay(r->call) : INT64_MAX;
		weft__subject(r->call->loop, (uint64_t)runner->fd);
	}
}

/* Starts those that are due; one runs at least, if there is one left. */
static void
start_due(struct race *r)
{
	while (r->winner == NULL && more(r) &&
	    (r->running == 0 || (r->due != INT64_MAX && weft_now() >= r->due)))
		start_next(r);
}

/* Asks those of which something was told. */
static void
judge(struct race *r)
{
	struct runner *runner;

	for (runner = r->runners; runner < r->next && r->winner == NULL; runner++) {
		int error;

		if (runner->fd < 0 || !runner->told)
			continue;
		runner->told = false;
		error = verdict(runner);
		if (error == 0) {
			r->winner = runner;
			return;
		}
		if (runner->slot != NULL)
			stop(r, runner);
		runner->fd = -1;
		r->running--;
		fail(r, error);
	}
}

/* A deadline that has passed still gets its one try. Whether there is news. */
static bool
probe(struct race *r)
{
	struct runner *runner;
	bool news = false;

	for (runner = r->runners; runner < r->next; runner++) {
		if (runner->fd >= 0 && runner->slot != NULL &&
		    weft_fd_wait(runner->fd, WEFT_WRITABLE, WEFT_NOWAIT) > 0)
			runner->told = true;
		news |= runner->fd >= 0 && runner->told;
	}
	return news;
}

static bool
passed(int64_t deadline)
{
	return deadline >= 0 && weft_now() >= deadline;
}

/* Until something was told, or the next one is due. 0 or an errno. */
static int
wait_for_news(struct race *r)
{
	int64_t deadline = r->call->deadline;
	bool due = more(r) && r->due != INT64_MAX && (deadline < 0 || r->due < deadline);
	int error = weft__park(r->call->loop, due ? r->due : deadline,
	    WEFT__EXTERNAL | WEFT__FOR_OUTPUT);

	if (r->call->stream->closed)
		return EBADF;
	if (error == ETIMEDOUT && due && !passed(weft_deadline()))
		return 0;
	if ((error == ETIMEDOUT || error == EAGAIN) && probe(r))
		return 0;
	return error;
}

static int
run(struct race *r)
{
	int error = 0;

	while (error == 0) {
		start_due(r);
		if (r->winner != NULL)
			return 0;
		if (r->running == 0)
			return r->error;
		error = wait_for_news(r);
		if (error == 0)
			judge(r);
	}
	return error;
}

static size_t
count(const struct addrinfo *list)
{
	size_t n;

	for (n = 0; list != NULL; list = list->ai_next)
		n++;
	return n;
}

int
weft__race(struct weft__race *call)
{
	struct runner one, *runner;
	struct race r = { .call = call, .fiber = weft__running(call->loop), .runners = &one };
	int error;

	r.left[0] = call->targets;
	r.left[1] = of_family(call, call->targets, false);
	if (call->targets->ai_next != NULL)
		r.runners = calloc(count(call->targets), sizeof *r.runners);
	if (r.runners == NULL)
		return ENOMEM;
	r.next = r.runners;
	error = run(&r);
	for (runner = r.runners; runner < r.next; runner++)
		if (runner != r.winner && runner->fd >= 0 && runner->slot != NULL)
			stop(&r, runner);
	if (error == 0) {
		call->fd = r.winner->fd;
		call->slot = r.winner->slot;
		call->to = r.winner->to;
	}
	if (r.runners != &one)
		free(r.runners);
	return error;
}
