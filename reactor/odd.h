/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that a poller refuses although they make their readers wait, or
 * of which it does not tell everything: terminals on some systems. select(2)
 * knows them, and knows the poller's own descriptor as well: so one select over
 * these and that does for both, as long as there are any.
 */
#ifndef WEFT_REACTOR_ODD_H
#define WEFT_REACTOR_ODD_H

#include "reactor/backend.h"

struct weft__odd {
	struct weft__slot **slots;      /* in the order in which they were added */
	int count, capacity;
};

void weft__odd_free(struct weft__odd *);
/* -1 with EPERM: select knows the numbers below FD_SETSIZE alone. */
int  weft__odd_add(struct weft__odd *, struct weft__slot *, int poller_fd);
bool weft__odd_has(const struct weft__odd *, const struct weft__slot *);
void weft__odd_remove(struct weft__odd *, const struct weft__slot *);
/* Marks what is ready, of what is armed, and disarms it, except for LEVEL slots.
 * How many there are; *poller says whether the poller has something to report. */
int  weft__odd_wait(struct weft__odd *, struct weft__reactor *, int poller_fd,
	int64_t timeout, bool *poller);
/* As weft__slot_probe(), which asks poll(2). */
int  weft__odd_probe(int fd, int events);

#endif
