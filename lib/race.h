/* SPDX-License-Identifier: MIT */
/*
 * Several addresses of one name, and the first that answers: race.c.
 */
#ifndef WEFT_LIB_RACE_H
#define WEFT_LIB_RACE_H

#include "lib/addr.h"
#include "weft/tcp.h"

enum {
	WEFT__ATTEMPT_DELAY_MS = 250,   /* RFC 8305, section 8 */
	WEFT__ATTEMPT_DELAY_MIN_MS = 10
};

struct weft__race {
	struct weft_loop *loop;
	const struct weft_tcp_options *options;
	const struct addrinfo *targets;
	const struct addrinfo *sources; /* NULL: any */
	const struct weft_stream *stream;       /* once it is closed: stop, EBADF */
	int64_t deadline;
	/* The winner, which is the caller's: */
	int fd;
	struct weft__slot *slot;
	const struct addrinfo *to;
};

/* 0, or an errno: of several failures the most telling one. Nothing stays open
 * but the winner. */
int  weft__race(struct weft__race *);

#endif
