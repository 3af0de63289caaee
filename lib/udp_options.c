/* SPDX-License-Identifier: MIT */
/*
 * Options of UDP sockets, and the groups that they listen to.
 *
 * What is set before there is a socket is kept, and set again whenever one is
 * made. An IPv6 socket may carry IPv4, too, and is told both ways.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>

#include "lib/compat.h"
#include "lib/stream.h"
#include "lib/udp.h"

#ifndef SO_REUSEPORT
#define SO_REUSEPORT 0
#endif
#ifndef IPV6_JOIN_GROUP
#define IPV6_JOIN_GROUP IPV6_ADD_MEMBERSHIP
#define IPV6_LEAVE_GROUP IPV6_DROP_MEMBERSHIP
#endif

/* By the socket, or by the family; 0: not here. */
static const struct option {
	int socket, ipv4, ipv6;
	int least, most;
} table[WEFT__UDP_OPTIONS] = {
	[WEFT_UDP_REUSE_ADDRESS] = { SO_REUSEADDR, 0, 0, 0, 1 },
	[WEFT_UDP_REUSE_PORT] = { SO_REUSEPORT, 0, 0, 0, 1 },
	[WEFT_UDP_BROADCAST] = { SO_BROADCAST, 0, 0, 0, 1 },
	[WEFT_UDP_RECEIVE_BUFFER] = { SO_RCVBUF, 0, 0, 1, INT_MAX },
	[WEFT_UDP_SEND_BUFFER] = { SO_SNDBUF, 0, 0, 1, INT_MAX },
	[WEFT_UDP_TTL] = { 0, IP_TTL, IPV6_UNICAST_HOPS, 1, 255 },
	[WEFT_UDP_MULTICAST_TTL] = { 0, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, 0, 255 },
	[WEFT_UDP_MULTICAST_LOOP] = { 0, IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, 0, 1 },
	[WEFT_UDP_MULTICAST_INTERFACE] =
	    { 0, IP_MULTICAST_IF, IPV6_MULTICAST_IF, 0, INT_MAX }
};

static int
set_ipv4(int fd, const struct option *option, int value)
{
	static const struct in_addr any;
	unsigned char byte = (unsigned char)value;

	switch (option->ipv4) {
	case IP_MULTICAST_IF:
		return weft__compat_set_group(fd, IP_MULTICAST_IF, any, any, (unsigned)value);
	case IP_MULTICAST_TTL:          /* BSDs want a byte for these two */
	case IP_MULTICAST_LOOP:
		return setsockopt(fd, IPPROTO_IP, option->ipv4, &byte, sizeof byte);
	default:
		return setsockopt(fd, IPPROTO_IP, option->ipv4, &value, sizeof value);
	}
}

static int
set_ipv6(int fd, const struct option *option, int value)
{
	if (setsockopt(fd, IPPROTO_IPV6, option->ipv6, &value, sizeof value) < 0)
		return -1;
	(void)!set_ipv4(fd, option, value);     /* some systems cannot */
	return 0;
}

/* 0 or an errno. */
static int
set(const struct weft_udp *u, const struct option *option, int value)
{
	int result;

	if (option->ipv4 == 0)
		result = setsockopt(u->fd, SOL_SOCKET, option->socket, &value, sizeof value);
	else if (u->family == AF_INET6)
		result = set_ipv6(u->fd, option, value);
	else
		result = set_ipv4(u->fd, option, value);
	return result < 0 ? errno : 0;
}

int
weft__udp_apply(const struct weft_udp *u)
{
	int i, error = 0;

	for (i = 0; i < WEFT__UDP_OPTIONS && error == 0; i++)
		if (u->chosen & 1u << i)
			error = set(u, &table[i], u->options[i]);
	return error;
}

int
weft_udp_set(struct weft_udp *u, enum weft_udp_option name, int value)
{
	const struct option *option;
	int error = 0, saved = errno;

	if ((unsigned)name >= WEFT__UDP_OPTIONS)
		return weft__fail(EINVAL);
	option = &table[name];
	if (value < option->least || value > option->most)
		return weft__fail(EINVAL);
	if (option->socket == 0 && option->ipv4 == 0)
		return weft__fail(ENOTSUP);
	if (u->closed)
		return weft__fail(EBADF);
	if (u->slot != NULL)
		error = set(u, option, value);
	if (error != 0)
		return weft__fail(error);
	u->chosen |= 1u << name;
	u->options[name] = value;
	errno = saved;
	return 0;
}

/* --- groups */

/* 0 or an errno. */
static int
index_of(const char *interface, unsigned *index)
{
	*index = interface != NULL ? if_nametoindex(interface) : 0;
	return interface != NULL && *index == 0 ? ENODEV : 0;
}

static int
change_ipv4(const struct weft_udp *u, struct in_addr group, const char *interface, bool join)
{
	struct in_addr address = { 0 };
	unsigned index = 0;
	int error = 0;

	if (interface == NULL || inet_pton(AF_INET, interface, &address) != 1)
		error = index_of(interface, &index);
	if (error == 0 && weft__compat_set_group(u->fd,
	    join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, group, address, index) < 0)
		error = errno;
	return error;
}

static int
change_ipv6(const struct weft_udp *u, struct in6_addr group, const char *interface, bool join)
{
	struct ipv6_mreq request = { .ipv6mr_multiaddr = group };
	unsigned index;
	int error = index_of(interface, &index);

	request.ipv6mr_interface = index;
	if (error == 0 && setsockopt(u->fd, IPPROTO_IPV6,
	    join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &request, sizeof request) < 0)
		error = errno;
	return error;
}

static int
change(struct weft_udp *u, const char *group, const char *interface, bool join)
{
	struct in_addr ipv4;
	struct in6_addr ipv6;
	int error, family = group == NULL ? AF_UNSPEC :
	    inet_pton(AF_INET, group, &ipv4) == 1 ? AF_INET :
	    inet_pton(AF_INET6, group, &ipv6) == 1 ? AF_INET6 : AF_UNSPEC;

	if (family == AF_UNSPEC)
		return EINVAL;
	if (u->closed)
		return EBADF;
	if (u->slot == NULL && !join)
		return EADDRNOTAVAIL;
	error = u->slot == NULL ? weft__udp_make(u, family) : 0;
	if (error != 0)
		return error;
	return family == AF_INET ? change_ipv4(u, ipv4, interface, join) :
	    change_ipv6(u, ipv6, interface, join);
}

static int
done(int error, int errno_before)
{
	errno = error == 0 ? errno_before : error;
	return error == 0 ? 0 : -1;
}

int
weft_udp_join(struct weft_udp *u, const char *group, const char *interface)
{
	int saved = errno;

	return done(change(u, group, interface, true), saved);
}

int
weft_udp_leave(struct weft_udp *u, const char *group, const char *interface)
{
	int saved = errno;

	return done(change(u, group, interface, false), saved);
}
