/* SPDX-License-Identifier: MIT */
/*
 * The inside of a poller. Each of its members lies in one of its lists:
 *
 *   idle --told--> ready --visit--> idle           nothing left: it will be told
 *                    ^  `---------> ready, behind  events were full, or more may be there
 *                    |  `---------> resting        a server that got no descriptor
 *                    |                 |
 *                    +--- close, time -+
 *
 * A poll visits those that are ready, once each, and no others. There is no
 * fiber per member: a stream tells its watchers.
 *
 * Memory in which events lie is with the stream, which gives it back on the
 * next visit. When the stream is closed or leaves before that, the member keeps
 * the memory, and is itself kept as departed, until the next poll.
 */
#ifndef WEFT_LIB_POLLER_H
#define WEFT_LIB_POLLER_H

#include "lib/server.h"
#include "weft/poller.h"

struct weft__link {
	struct weft__link *next, *previous;
};

static inline void
weft__list_clear(struct weft__link *list)
{
	list->next = list->previous = list;
}

static inline bool
weft__list_is_empty(const struct weft__link *list)
{
	return list->next == list;
}

static inline void
weft__list_remove(struct weft__link *link)
{
	link->previous->next = link->next;
	link->next->previous = link->previous;
}

/* At its end. */
static inline void
weft__list_add(struct weft__link *list, struct weft__link *link)
{
	*link = (struct weft__link){ .next = list, .previous = list->previous };
	list->previous->next = link;
	list->previous = link;
}

struct weft__member {
	struct weft__watcher watcher;   /* first: see told() */
	struct weft__waiter waiter;     /* of a server, on its listener */
	struct weft__link link;         /* in a list of the poller's */
	struct weft_poller *poller;
	struct weft_stream *stream;     /* one of the two */
	struct weft_server *server;
	bool external;                  /* the kernel wakes it */
	bool armed;                     /* the waiter waits */
	bool failed;                    /* ERROR has been told, CLOSED comes next */
	uint64_t visited;               /* in this round, the last time */
	uint64_t lent;                  /* likewise, and its memory went into events */
	size_t scanned;                 /* of what is unread: there is no LF */
	size_t unread;                  /* when it was last visited; else scanned is 0 */
	int64_t pause;                  /* of a server that rests: the next one */
	int64_t until;                  /* and this one's end */
	uint64_t closes;                /* weft__fd_closes, when it began */
	void *memory;                   /* kept from a stream, or NULL */
	size_t size;
};

struct weft_poller {
	struct weft_loop *loop;
	int mode;
	unsigned long epoch;            /* weft__epoch, at the last poll */
	bool freed;                     /* the memory goes with the last of ... */
	unsigned users;                 /* fibers inside a call */
	struct weft_fiber *inside;      /* who polls, or NULL */
	struct weft_fiber *parked;      /* and waits */
	unsigned external;              /* members whom the kernel wakes */
	uint64_t round;                 /* of visits */
	size_t delivered;               /* bytes, by the last one */
	struct weft__link idle, ready, resting, departed;
};

/* --- poller.c */
/* A client that was just accepted. The member was made before. */
void weft__poller_adopt(struct weft__member *, struct weft_stream *);
/* NULL: ENOMEM. */
struct weft__member *weft__poller_member(struct weft_poller *);
/* One that is in no list, with what it holds. */
void weft__poller_discard(struct weft__member *);
/* Moves it to the end of a list. */
void weft__poller_move(struct weft__member *, struct weft__link *list);
/* It is a member no more. */
void weft__poller_leave(struct weft__member *);

/* --- poller_visit.c */
/* Up to max events of one that is ready, and moves it to where it belongs. */
size_t weft__poller_visit(struct weft__member *, struct weft_poll_event *, size_t max);

#endif
