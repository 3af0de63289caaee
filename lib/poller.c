/* SPDX-License-Identifier: MIT */
/*
 * Who is a member of a poller, and the wait for one of them to be ready. What
 * they have to tell is in poller_visit.c.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/poller.h"
#include "weft/fiber.h"

/* --- lists */

static struct weft__member *
member_at(struct weft__link *link)
{
	return (struct weft__member *)((char *)link - offsetof(struct weft__member, link));
}

static struct weft__member *
first(const struct weft__link *list)
{
	return weft__list_is_empty(list) ? NULL : member_at(list->next);
}

void
weft__poller_move(struct weft__member *m, struct weft__link *list)
{
	weft__list_remove(&m->link);
	weft__list_add(list, &m->link);
}

/* --- who is told, and wakes who polls */

static void
wake(struct weft_poller *p, int error)
{
	if (p->parked != NULL)
		weft__wake(p->parked, error);
}

static void
make_ready(struct weft__member *m)
{
	weft__poller_move(m, &m->poller->ready);
	wake(m->poller, 0);
}

/* What its events of this round point to is not to go with the stream. */
static void
keep_memory(struct weft__member *m)
{
	if (m->stream != NULL && m->memory == NULL && m->lent == m->poller->round)
		m->memory = weft__input_take(m->stream, &m->size);
}

static void
told(struct weft__watcher *watcher, enum weft__news news)
{
	struct weft__member *m = (struct weft__member *)watcher;

	if (news == WEFT__NEWS_READ)
		m->scanned = 0;         /* somebody else has read */
	if (news == WEFT__NEWS_CLOSED || news == WEFT__NEWS_FREED)
		keep_memory(m);
	if (news == WEFT__NEWS_FREED)
		weft__poller_leave(m);
	else if (news != WEFT__NEWS_HUNGRY && news != WEFT__NEWS_QUEUE)
		make_ready(m);
}

static void
somebody_connects(struct weft__waiter *waiter, int events)
{
	struct weft__member *m = (struct weft__member *)
	    ((char *)waiter - offsetof(struct weft__member, waiter));

	(void)events;           /* the visit finds out */
	m->armed = false;
	make_ready(m);
}

/* --- members */

struct weft__member *
weft__poller_member(struct weft_poller *p)
{
	struct weft__member *m = calloc(1, sizeof *m);

	if (m == NULL)
		return NULL;
	m->poller = p;
	m->watcher.told = told;
	m->watcher.claims = true;
	m->waiter.ready = somebody_connects;
	m->pause = WEFT__PAUSE_MS;
	return m;
}

/* It may have something to tell at once. */
static void
join(struct weft__member *m, bool external)
{
	struct weft_poller *p = m->poller;

	m->external = external;
	p->external += external;
	weft__list_add(&p->ready, &m->link);
	wake(p, 0);
}

void
weft__poller_adopt(struct weft__member *m, struct weft_stream *s)
{
	m->stream = s;
	weft__stream_watch(s, &m->watcher);
	join(m, weft__stream_waiting(s) == WEFT__EXTERNAL);
}

void
weft__poller_discard(struct weft__member *m)
{
	if (m->memory != NULL)
		weft__input_give(m->poller->loop, m->memory, m->size);
	free(m);
}

void
weft__poller_leave(struct weft__member *m)
{
	struct weft_poller *p = m->poller;

	if (m->stream != NULL) {
		weft__stream_unwatch(m->stream, &m->watcher);
		if (weft__input_count(m->stream) == 0)
			keep_memory(m);
	} else {
		m->server->watcher = NULL;
		if (m->armed)
			weft__fd_unwatch(m->server->slot, &m->waiter);
	}
	p->external -= m->external;
	if (p->external == 0)
		wake(p, 0);             /* to wait in another way */
	if (m->memory != NULL) {
		weft__poller_move(m, &p->departed);
		return;
	}
	weft__list_remove(&m->link);
	weft__poller_discard(m);
}

static struct weft__member *
member_of(const struct weft_poller *p, struct weft__watcher *watcher)
{
	struct weft__member *m = (struct weft__member *)watcher;

	return m != NULL && m->poller == p ? m : NULL;
}

/* --- for programs: registering */

struct weft_poller *
weft_poller_new(int mode)
{
	struct weft_loop *loop = weft__loop();
	struct weft_poller *p;

	if (loop == NULL)
		return NULL;
	if (mode != WEFT_BYTES && mode != WEFT_LINES) {
		errno = EINVAL;
		return NULL;
	}
	p = calloc(1, sizeof *p);
	if (p == NULL)
		return NULL;
	p->loop = loop;
	p->mode = mode;
	p->epoch = weft__epoch(loop);
	weft__list_clear(&p->idle);
	weft__list_clear(&p->ready);
	weft__list_clear(&p->resting);
	weft__list_clear(&p->departed);
	return p;
}

int
weft_poller_register(struct weft_poller *p, struct weft_stream *s)
{
	struct weft__watcher *watcher = weft__stream_watched_by(s, told);
	struct weft__member *m;

	if (member_of(p, watcher) != NULL)
		return 0;
	if (s->closed)
		return weft__fail(EBADF);
	if (s->unreadable)
		return weft__fail(ENOTSUP);
	if (weft__stream_is_claimed(s))
		return weft__fail(EBUSY);
	m = weft__poller_member(p);
	if (m == NULL)
		return -1;
	weft__poller_adopt(m, s);
	return 0;
}

int
weft_poller_unregister(struct weft_poller *p, struct weft_stream *s)
{
	struct weft__member *m = member_of(p, weft__stream_watched_by(s, told));

	if (m != NULL)
		weft__poller_leave(m);
	return 0;
}

int
weft_poller_add_server(struct weft_poller *p, struct weft_server *server)
{
	struct weft__member *m;

	if (member_of(p, server->watcher) != NULL)
		return 0;
	if (server->fd < 0)
		return weft__fail(EBADF);
	if (weft__accepting(server))
		return weft__fail(EBUSY);
	m = weft__poller_member(p);
	if (m == NULL)
		return -1;
	m->server = server;
	weft__accept_try_all(server);
	server->watcher = &m->watcher;
	join(m, true);
	return 0;
}

int
weft_poller_remove_server(struct weft_poller *p, struct weft_server *server)
{
	struct weft__member *m = member_of(p, server->watcher);

	if (m != NULL)
		weft__poller_leave(m);
	return 0;
}

/* --- polling */

static void
discard_departed(struct weft_poller *p)
{
	struct weft__member *m;

	while ((m = first(&p->departed)) != NULL) {
		weft__list_remove(&m->link);
		weft__poller_discard(m);
	}
}

/* Servers try again when they have rested, or a descriptor can be had. The
 * others: when that will be. */
static int64_t
end_rests(struct weft_poller *p)
{
	struct weft__link *link, *next;
	int64_t soonest = WEFT_NEVER;

	for (link = p->resting.next; link != &p->resting; link = next) {
		struct weft__member *m = member_at(link);

		next = link->next;
		if (weft_now() >= m->until || weft__fd_closes(p->loop) != m->closes)
			make_ready(m);
		else if (soonest < 0 || m->until < soonest)
			soonest = m->until;
	}
	return soonest;
}

/* In turn, from where the last poll has stopped, and nobody twice. */
static size_t
collect(struct weft_poller *p, struct weft_poll_event *events, size_t max)
{
	struct weft__member *m;
	size_t n = 0;

	p->round++;
	end_rests(p);
	while (n < max && (m = first(&p->ready)) != NULL && m->visited != p->round) {
		m->visited = p->round;
		n += weft__poller_visit(m, events + n, max - n);
	}
	return n;
}

static bool
passed(int64_t deadline)
{
	return deadline >= 0 && weft_now() >= deadline;
}

/* The loop looks at descriptors even if it has somebody to run: this fiber,
 * whose deadline has passed. */
static int
park(struct weft_poller *p, int64_t deadline)
{
	bool hold = p->external > 0 && passed(deadline);
	int error;

	if (hold)
		weft__loop_hold(p->loop);
	error = weft__park(p->loop, deadline, WEFT__FOR_POLL |
	    (p->external > 0 ? WEFT__EXTERNAL : WEFT__INTERNAL));
	if (hold)
		weft__loop_release(p->loop);
	return error;
}

/* Also until the first of those that rest goes on, which is at `rested`. */
static int
park_beside_rests(struct weft_poller *p, int64_t deadline, int64_t rested)
{
	bool sooner = deadline >= 0 && deadline < rested;
	int error;

	weft__loop_hold(p->loop);
	error = weft__fd_wait_for_close(p->loop, sooner ? deadline : rested);
	weft__loop_release(p->loop);
	return error == ETIMEDOUT && passed(rested) && !passed(deadline) ? 0 : error;
}

/* Until somebody is ready. 0 or an errno. */
static int
wait_for_members(struct weft_poller *p, int64_t deadline)
{
	int64_t rested = end_rests(p);
	int error;

	if (!weft__list_is_empty(&p->ready))       /* by a class that has it so */
		return weft_yield() < 0 ? errno : passed(deadline) ? ETIMEDOUT : 0;
	p->parked = weft__running(p->loop);
	error = rested < 0 ? park(p, deadline) : park_beside_rests(p, deadline, rested);
	p->parked = NULL;
	return error;
}

/* How many, or minus an errno. A try without waiting is one with a deadline that
 * has passed: the loop makes a turn, so that there is something to find. */
static ssize_t
poll_members(struct weft_poller *p, struct weft_poll_event *events, size_t max,
    int64_t deadline)
{
	int error = 0;
	size_t n;

	if (deadline == WEFT_NOWAIT)
		deadline = 1;
	for (;;) {
		if (p->freed)
			return -EBADF;
		n = collect(p, events, max);
		if (n > 0)
			return (ssize_t)n;
		if (error == ETIMEDOUT)
			return passed(deadline) ? 0 : -ETIMEDOUT;
		if (error != 0)
			return -error;
		error = wait_for_members(p, deadline);
	}
}

/* In a forked child: whoever polled is gone, and what the kernel was to report
 * was to be reported to the parent. So everybody is visited. */
static void
renew(struct weft_poller *p)
{
	struct weft__link *link;

	p->epoch = weft__epoch(p->loop);
	p->users = 0;
	p->parked = NULL;
	while (!weft__list_is_empty(&p->idle)) {
		link = p->idle.next;
		member_at(link)->armed = false;
		weft__poller_move(member_at(link), &p->ready);
	}
}

static void
go_out(struct weft_poller *p)
{
	if (--p->users > 0 || !p->freed)
		return;
	discard_departed(p);
	free(p);
}

static void
charge(struct weft_poller *p)
{
	size_t bytes = p->delivered;

	p->delivered = 0;
	weft__charge(p->loop, bytes);
}

ssize_t
weft_poller_poll(struct weft_poller *p, struct weft_poll_event *events, size_t max,
    int64_t deadline)
{
	int saved = errno, error = max == 0 ? EINVAL : weft__check(p->loop);
	ssize_t n;

	if (error == 0 && p->inside != NULL && !weft__gone(p->inside))
		error = EBUSY;
	if (error != 0)
		return weft__fail(error);
	if (p->epoch != weft__epoch(p->loop))
		renew(p);
	p->inside = weft__running(p->loop);
	p->users++;
	discard_departed(p);
	charge(p);
	n = poll_members(p, events, max, deadline);
	p->inside = NULL;
	go_out(p);
	errno = n < 0 ? (int)-n : saved;
	return n < 0 ? -1 : n;
}

/* --- the end */

static struct weft__member *
anyone(const struct weft_poller *p)
{
	struct weft__member *m = first(&p->idle);

	if (m == NULL)
		m = first(&p->ready);
	return m != NULL ? m : first(&p->resting);
}

int
weft_poller_close_all(struct weft_poller *p)
{
	int64_t deadline = weft_after(WEFT__LINGER_MS);
	struct weft__member *m;
	int saved = errno, error = 0;

	p->users++;
	while ((m = anyone(p)) != NULL) {
		struct weft_stream *s = m->stream;
		struct weft_server *server = m->server;

		weft__poller_leave(m);
		if ((s != NULL ? weft_stream_close(s, deadline) :
		    weft_server_close(server, deadline)) < 0 && error == 0)
			error = errno;
	}
	go_out(p);
	errno = error == 0 ? saved : error;
	return error == 0 ? 0 : -1;
}

void
weft_poller_free(struct weft_poller *p)
{
	struct weft__member *m;

	if (p == NULL)
		return;
	while ((m = anyone(p)) != NULL)
		weft__poller_leave(m);
	p->freed = true;
	p->users++;
	if (p->inside != NULL && !weft__gone(p->inside))
		wake(p, EBADF);
	go_out(p);
}
