/* SPDX-License-Identifier: MIT */
/*
 * The inside of a UDP socket, for lib/udp*.c alone.
 *
 * Nothing is buffered and nothing is remembered of what the poller said: a call
 * asks the kernel first, and parks when that says EAGAIN. Each direction has one
 * fiber inside at a time, others wait for their turn in order.
 */
#ifndef WEFT_LIB_UDP_H
#define WEFT_LIB_UDP_H

#include "lib/addr.h"
#include "weft/udp.h"

enum {
	WEFT__UDP_BATCH = 64,           /* datagrams per system call */
	WEFT__UDP_OPTIONS = WEFT_UDP_MULTICAST_INTERFACE + 1,
	WEFT__UDP_PAUSE_MS = 1,         /* ENOBUFS: doubles ... */
	WEFT__UDP_PAUSE_MAX_MS = 50     /* ... up to this */
};

struct weft__udp_batch;

/* One direction: whole calls, in order. */
struct weft__udp_side {
	struct weft__queue turns;       /* callers that wait for theirs */
	const struct weft_fiber *inside;        /* NULL: nobody */
	struct weft_fiber *parked;      /* the same one, while it waits */
	bool expired;                   /* its time is up: this is the last try */
	int64_t pause;                  /* the next one, in milliseconds */
	int errno_before;               /* his, for when he succeeds */
};

struct weft_udp {
	struct weft_loop *loop;
	struct weft__slot *slot;        /* NULL: no socket yet, or none any more */
	int fd, family;                 /* -1, and not known, without a slot */
	bool closed;
	bool freed;                     /* memory goes with the last user */
	unsigned users;                 /* fibers inside a call */
	int late;                       /* an errno that a batch met behind its first; or 0 */
	struct weft__udp_side receiving, sending;
	struct weft__udp_batch *batch;  /* NULL until the first */

	unsigned chosen;                /* bits of the options that were set ... */
	int options[WEFT__UDP_OPTIONS]; /* ... to these */
	int port;                       /* these two as of the last look */
	char name[WEFT__NAME_MAX];
};

/* --- udp.c */
/* One caller at a time per side. 0 or an errno; leave only after 0. */
int  weft__udp_enter(struct weft_udp *, struct weft__udp_side *, int64_t deadline);
/* Ends a call that moved so many bytes; its result. */
ssize_t weft__udp_leave(struct weft_udp *, struct weft__udp_side *, ssize_t result,
    size_t bytes);
/* After a try that failed with errno: waits if that helps. False: it does not,
 * and errno is that of the call. */
bool weft__udp_again(struct weft_udp *, struct weft__udp_side *, int64_t deadline);
/* The last of `users` frees what is to be freed. */
void weft__udp_go_out(struct weft_udp *);

/* --- udp_socket.c. These return 0 or an errno. */
/* A socket of that family, with all options that were set. */
int  weft__udp_make(struct weft_udp *, int family);
/* One to send to the address, if there is none. */
int  weft__udp_make_for(struct weft_udp *, const struct sockaddr *, socklen_t);
void weft__udp_unmake(struct weft_udp *);
/* The address as this socket wants it: IPv4 within IPv6 if need be, in *room. */
const struct sockaddr *weft__udp_target(const struct weft_udp *,
    const struct sockaddr *, socklen_t *, struct sockaddr_in6 *room);
/* Whether a send has failed, with EISCONN, for having said who the peer is: only
 * Linux takes that. */
bool weft__udp_named_peer(const struct weft_udp *, const struct sockaddr *);
/* Name and port, as they are now. */
void weft__udp_look(struct weft_udp *);

/* --- udp_options.c */
int  weft__udp_apply(const struct weft_udp *);

#endif
