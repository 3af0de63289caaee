/* SPDX-License-Identifier: MIT */
/*
 * The descriptor of a UDP socket: made when it is known of which family it is
 * to be, bound, connected, and asked for its name.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/compat.h"
#include "lib/stream.h"
#include "lib/udp.h"

/* --- made and unmade */

/* A report is an edge, or has disarmed itself: there is nothing to spin on. A
 * number that was taken from us is not ours to touch any more. */
static bool
notify(void *arg, int events)
{
	struct weft_udp *u = arg;

	if (events < 0 && weft__fd_is_lost(u->slot, u)) {
		u->slot = NULL;
		u->fd = -1;
		weft_udp_close(u);
		return true;
	}
	if (events & WEFT_READABLE && u->receiving.parked != NULL)
		weft__wake(u->receiving.parked, 0);
	if (events & WEFT_WRITABLE && u->sending.parked != NULL)
		weft__wake(u->sending.parked, 0);
	return true;
}

void
weft__udp_unmake(struct weft_udp *u)
{
	struct weft__slot *slot = u->slot;
	int fd = u->fd;

	if (slot == NULL)
		return;
	u->slot = NULL;
	u->fd = -1;
	weft__fd_disown(u->loop, slot);
	weft__fd_close(u->loop, fd);
}

int
weft__udp_make(struct weft_udp *u, int family)
{
	int error, fd = weft__compat_socket(family, SOCK_DGRAM, 0);

	if (fd < 0)
		return errno;
	u->slot = weft__fd_own(u->loop, fd, notify, u);
	if (u->slot == NULL) {
		close(fd);
		return ENOMEM;
	}
	u->fd = fd;
	u->family = family;
	error = weft__udp_apply(u);
	if (error != 0)
		weft__udp_unmake(u);
	else if (u->receiving.parked != NULL)
		weft__wake(u->receiving.parked, 0);     /* he has waited for this */
	return error;
}

int
weft__udp_make_for(struct weft_udp *u, const struct sockaddr *address, socklen_t length)
{
	if (u->slot != NULL)
		return 0;
	if (address == NULL)
		return EDESTADDRREQ;
	if (length < sizeof address->sa_family ||
	    (address->sa_family != AF_INET && address->sa_family != AF_INET6))
		return EAFNOSUPPORT;
	return weft__udp_make(u, address->sa_family);
}

const struct sockaddr *
weft__udp_target(const struct weft_udp *u, const struct sockaddr *address,
    socklen_t *length, struct sockaddr_in6 *room)
{
	struct sockaddr_in in;

	if (u->family != AF_INET6 || *length < sizeof in || address->sa_family != AF_INET)
		return address;
	memcpy(&in, address, sizeof in);
	*room = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = in.sin_port };
	room->sin6_addr.s6_addr[10] = room->sin6_addr.s6_addr[11] = 0xff;
	memcpy(&room->sin6_addr.s6_addr[12], &in.sin_addr, sizeof in.sin_addr);
	*length = sizeof *room;
	return (struct sockaddr *)room;
}

/* Of one family, and not in need of any alignment. */
static bool
same_address(const void *a, const void *b, int family)
{
	struct sockaddr_in6 a6, b6;
	struct sockaddr_in a4, b4;

	if (family == AF_INET) {
		memcpy(&a4, a, sizeof a4);
		memcpy(&b4, b, sizeof b4);
		return a4.sin_port == b4.sin_port && a4.sin_addr.s_addr == b4.sin_addr.s_addr;
	}
	memcpy(&a6, a, sizeof a6);
	memcpy(&b6, b, sizeof b6);
	return a6.sin6_port == b6.sin6_port &&
	    memcmp(&a6.sin6_addr, &b6.sin6_addr, sizeof a6.sin6_addr) == 0;
}

bool
weft__udp_named_peer(const struct weft_udp *u, const struct sockaddr *address)
{
	union weft__sockaddr peer;
	socklen_t length = sizeof peer;
	bool same;

	if (errno != EISCONN || address == NULL || address->sa_family != u->family)
		return false;
	same = getpeername(u->fd, &peer.any, &length) == 0 &&
	    peer.any.sa_family == address->sa_family &&
	    same_address(address, &peer, address->sa_family);
	errno = EISCONN;
	return same;
}

/* --- bind */

static int
bind_socket(const struct weft_udp *u, const struct addrinfo *at, bool everywhere)
{
	static const int off = 0;

	if (everywhere && u->family == AF_INET6)
		setsockopt(u->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	return bind(u->fd, at->ai_addr, at->ai_addrlen) < 0 ? errno : 0;
}

/* A socket that was made for this address alone does not outlive a failure. */
static int
bind_to(struct weft_udp *u, const struct addrinfo *at, bool everywhere)
{
	bool made = u->slot == NULL;
	int error = made ? weft__udp_make(u, at->ai_family) :
	    u->family != at->ai_family ? EAFNOSUPPORT : 0;

	if (error != 0)
		return error;
	error = bind_socket(u, at, everywhere);
	if (error != 0 && made)
		weft__udp_unmake(u);
	return error;
}

/* Whether another address may do: this one, or its family, is not here. */
static bool
may_go_on(int error)
{
	return error == EADDRNOTAVAIL || error == EAFNOSUPPORT || error == EPROTONOSUPPORT;
}

/* The first address that can be had; IPv6 first if it is to be all of them,
 * since that socket serves IPv4, too. */
static int
bind_first(struct weft_udp *u, const struct addrinfo *list, bool everywhere)
{
	static const int order[] = { AF_INET6, AF_INET };
	const struct addrinfo *at;
	int error = EADDRNOTAVAIL;
	size_t i;

	for (i = 0; i < (everywhere ? 2 : 1); i++)
		for (at = list; at != NULL && may_go_on(error); at = at->ai_next)
			if (!everywhere || at->ai_family == order[i])
				error = bind_to(u, at, everywhere);
	return error;
}

/* --- connect */

static int
connect_to(struct weft_udp *u, const struct addrinfo *to)
{
	bool made = u->slot == NULL;
	int error = made ? weft__udp_make(u, to->ai_family) : 0;
	socklen_t length = to->ai_addrlen;
	const struct sockaddr *address;
	struct sockaddr_in6 room;

	if (error != 0)
		return error;
	address = weft__udp_target(u, to->ai_addr, &length, &room);
	if (address->sa_family != u->family)
		return EAFNOSUPPORT;
	error = connect(u->fd, address, length) < 0 ? errno : 0;
	if (error != 0 && made)
		weft__udp_unmake(u);
	return error;
}

/* The first address that there is a way to. Of several failures, the first that
 * is not about the family. */
static int
connect_first(struct weft_udp *u, const struct addrinfo *list)
{
	const struct addrinfo *to;
	int error, result = EAFNOSUPPORT;

	for (to = list; to != NULL; to = to->ai_next) {
		error = connect_to(u, to);
		if (error == 0)
			return 0;
		if (result == EAFNOSUPPORT)
			result = error;
	}
	return result;
}

/* --- both */

/* The lookup may take its time, and meanwhile the socket may be closed. */
static int
resolve(struct weft_udp *u, const char *host, const char *port, bool passive,
    struct addrinfo **list)
{
	int error = weft__check(u->loop);

	*list = NULL;
	if (error == 0 && u->closed)
		error = EBADF;
	if (error == 0)
		error = weft__resolve_for(u->loop, SOCK_DGRAM, host, port, passive,
		    WEFT_NEVER, list);
	if (error == 0 && u->closed)
		error = EBADF;
	return error;
}

static int
finish(struct weft_udp *u, struct addrinfo *list, int error, int errno_before)
{
	weft__resolve_free(list);
	weft__udp_go_out(u);
	errno = error == 0 ? errno_before : error;
	return error == 0 ? 0 : -1;
}

int
weft_udp_bind(struct weft_udp *u, const char *host, const char *port)
{
	struct addrinfo *list;
	int saved = errno, error;

	u->users++;
	error = resolve(u, host, port, true, &list);
	if (error == 0)
		error = bind_first(u, list, host == NULL);
	return finish(u, list, error, saved);
}

int
weft_udp_connect(struct weft_udp *u, const char *host, const char *port)
{
	struct addrinfo *list;
	int saved = errno, error;

	u->users++;
	error = resolve(u, host, port, false, &list);
	if (error == 0)
		error = connect_first(u, list);
	return finish(u, list, error, saved);
}

/* --- names */

void
weft__udp_look(struct weft_udp *u)
{
	union weft__sockaddr address = { .any = { 0 } };
	socklen_t length = sizeof address;

	if (u->slot == NULL || getsockname(u->fd, &address.any, &length) < 0)
		return;
	u->port = weft__address_port(&address.any);
	if (u->port > 0)
		weft__address_format(&address.any, length, u->name);
}

const char *
weft_udp_sockname(struct weft_udp *u)
{
	int saved = errno;

	weft__udp_look(u);
	errno = saved;
	return u->name;
}

int
weft_udp_port(struct weft_udp *u)
{
	int saved = errno;

	weft__udp_look(u);
	errno = saved;
	return u->port;
}

int
weft_udp_fd(const struct weft_udp *u)
{
	return u->fd >= 0 ? u->fd : weft__fail(EBADF);
}
