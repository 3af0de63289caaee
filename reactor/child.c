/* SPDX-License-Identifier: MIT */
/*
 * Who waits for the end of which process, with a poller that can tell (kqueue).
 * It is told for a pid once; what it is told is noted during the wait, as with
 * slots, and handed on afterwards.
 */
#include "config.h"

#include <errno.h>

#include "reactor/backend.h"
#include "reactor/reactor.h"

static bool
waited_for(const struct weft__reactor *reactor, pid_t pid)
{
	const struct weft__child *child;

	for (child = reactor->children; child != NULL; child = child->next)
		if (child->pid == pid)
			return true;
	return false;
}

int
weft__child_watch(struct weft__reactor *reactor, struct weft__child *child)
{
	int result;

	if (reactor->backend->child == NULL || reactor->inherited) {
		errno = ENOSYS;
		return -1;
	}
	result = reactor->backend->child(reactor, child->pid, true);
	if (result < 0 && errno == ESTALE && weft__reactor_mend(reactor) == 0)
		result = reactor->backend->child(reactor, child->pid, true);
	if (result < 0)
		return -1;
	child->ended = false;
	child->next = reactor->children;
	reactor->children = child;
	return 0;
}

void
weft__child_forget(struct weft__reactor *reactor, struct weft__child *child)
{
	struct weft__child **at = &reactor->children;

	while (*at != NULL && *at != child)
		at = &(*at)->next;
	if (*at == NULL)
		return;                 /* it was told */
	*at = child->next;
	if (!waited_for(reactor, child->pid) && !reactor->inherited)
		reactor->backend->child(reactor, child->pid, false);
}

void
weft__reactor_mark_child(struct weft__reactor *reactor, pid_t pid)
{
	struct weft__child *child;

	reactor->stats.events++;
	if (!waited_for(reactor, pid))
		reactor->stats.stale_events++;
	for (child = reactor->children; child != NULL; child = child->next)
		if (child->pid == pid)
			child->ended = reactor->child_ended = true;
}

bool
weft__children_tell(struct weft__reactor *reactor)
{
	struct weft__child **at = &reactor->children, *child;
	bool useful = false;

	if (!reactor->child_ended)
		return false;
	reactor->child_ended = false;
	while ((child = *at) != NULL) {
		if (!child->ended) {
			at = &child->next;
			continue;
		}
		*at = child->next;
		child->waiter.ready(&child->waiter, WEFT_READABLE);
		useful = true;
	}
	return useful;
}

void
weft__children_renew(struct weft__reactor *reactor)
{
	struct weft__child *child;

	for (child = reactor->children; child != NULL; child = child->next)
		if (reactor->backend->child(reactor, child->pid, true) < 0)
			child->ended = reactor->child_ended = true;
}
