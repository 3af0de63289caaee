/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/compat.h"

static void
format_in(const struct sockaddr_in *in, char *name)
{
	char host[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
	snprintf(name, WEFT__NAME_MAX, "%s:%u", host, ntohs(in->sin_port));
}

/* Link-local addresses mean nothing without their zone. */
static void
format_in6(const struct sockaddr_in6 *in6, char *name)
{
	char host[INET6_ADDRSTRLEN + 1 + 16];

	if (in6->sin6_scope_id == 0 || getnameinfo((const struct sockaddr *)in6,
	    sizeof *in6, host, sizeof host, NULL, 0, NI_NUMERICHOST) != 0)
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
	snprintf(name, WEFT__NAME_MAX, "[%s]:%u", host, ntohs(in6->sin6_port));
}

static void
format_un(const struct sockaddr_un *un, socklen_t length, char *name)
{
	size_t n = length - offsetof(struct sockaddr_un, sun_path);

	if (length <= offsetof(struct sockaddr_un, sun_path))
		n = 0;                  /* unnamed */
	else if (un->sun_path[0] != '\0')
		n = strnlen(un->sun_path, n);
	memcpy(name, un->sun_path, n);
	name[n] = '\0';
	if (n > 0 && name[0] == '\0')
		name[0] = '@';
}

void
weft__address_format(const struct sockaddr *address, socklen_t length,
    char name[WEFT__NAME_MAX])
{
	_Static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) < WEFT__NAME_MAX,
	    "a path fits");
	name[0] = '\0';
	if (length < sizeof address->sa_family)
		return;
	switch (address->sa_family) {
	case AF_INET:
		format_in((const struct sockaddr_in *)(const void *)address, name);
		break;
	case AF_INET6:
		format_in6((const struct sockaddr_in6 *)(const void *)address, name);
		break;
	case AF_UNIX:
		format_un((const struct sockaddr_un *)(const void *)address, length, name);
		break;
	}
}

int
weft__address_port(const struct sockaddr *address)
{
	switch (address->sa_family) {
	case AF_INET:
		return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
	case AF_INET6:
		return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
	default:
		return -1;
	}
}

void
weft__address_set_port(struct sockaddr *address, int port)
{
	if (address->sa_family == AF_INET)
		((struct sockaddr_in *)(void *)address)->sin_port = htons((uint16_t)port);
	else if (address->sa_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)address)->sin6_port = htons((uint16_t)port);
}

int
weft__address_unix(const char *path, struct sockaddr_un *un, socklen_t *length)
{
	size_t n = path != NULL ? strlen(path) : 0;

	if (n == 0)
		return EINVAL;
	if (n >= sizeof un->sun_path)
		return ENAMETOOLONG;
	memset(un, 0, sizeof *un);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, n);
	*length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	if (WEFT__ABSTRACT_NAMES && path[0] == '@') {
		un->sun_path[0] = '\0';
		--*length;              /* a terminator would be part of the name */
	}
	return 0;
}
