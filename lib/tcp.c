/* SPDX-License-Identifier: MIT */
/*
 * What is special about TCP: options, and listening at names; connect.c and
 * race.c do the rest.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "lib/compat.h"
#include "lib/server.h"
#include "weft/tcp.h"

const struct weft_stream_class weft__tcp_class =
    WEFT__SOCKET_CLASS("tcp", weft__fdstream_read);

enum { PORTS_TRIED = 16 };
/* What an IPv6 listener is to do about IPv4. */
enum both { AS_THE_SYSTEM_LIKES, SERVE_BOTH, SERVE_ONE };

static void
turn_on(int fd, int level, int option)
{
	static const int on = 1;

	setsockopt(fd, level, option, &on, sizeof on);
}

void
weft__tcp_set_options(int fd, bool no_nodelay, bool keepalive)
{
	if (!no_nodelay)
		turn_on(fd, IPPROTO_TCP, TCP_NODELAY);
	if (keepalive)
		turn_on(fd, SOL_SOCKET, SO_KEEPALIVE);
}

/* --- listen */

static int
prepare(int fd, const struct addrinfo *at, enum both both,
    const struct weft_listen_options *options)
{
	int only = both == SERVE_ONE;

	turn_on(fd, SOL_SOCKET, SO_REUSEADDR);
	if (options->reuse_port) {
#ifdef SO_REUSEPORT
		turn_on(fd, SOL_SOCKET, SO_REUSEPORT);
#else
		return ENOTSUP;
#endif
	}
	if (both != AS_THE_SYSTEM_LIKES && at->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
	weft__tcp_set_options(fd, options->no_nodelay, options->keepalive);
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, options->backlog) < 0)
		return errno;
	return 0;
}

/* A listening socket, or minus an errno. */
static int
open_listener(const struct addrinfo *at, enum both both,
    const struct weft_listen_options *options)
{
	int error, fd = weft__compat_socket(at->ai_family, at->ai_socktype, at->ai_protocol);

	if (fd < 0)
		return -errno;
	error = prepare(fd, at, both, options);
	if (error == 0)
		return fd;
	close(fd);
	return -error;
}

/* Whether another address may do: this one, or its family, is not here. */
static bool
may_go_on(int error)
{
	return error == EADDRNOTAVAIL || error == EAFNOSUPPORT || error == EPROTONOSUPPORT;
}

static struct weft_server *
listen_at(struct weft_loop *loop, const struct addrinfo *at, enum both both,
    const struct weft_listen_options *options)
{
	struct weft_server *server;
	int fd = open_listener(at, both, options);

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	server = weft__server_new(loop, &weft__tcp_class, fd, options);
	if (server == NULL) {
		int error = errno;

		close(fd);
		errno = error;
	}
	return server;
}

/* The first that can be had, from *at on, where it is left. */
static struct weft_server *
listen_first(struct weft_loop *loop, const struct addrinfo **at, enum both both,
    const struct weft_listen_options *options)
{
	struct weft_server *server;

	while ((server = listen_at(loop, *at, both, options)) == NULL &&
	    may_go_on(errno) && (*at)->ai_next != NULL)
		*at = (*at)->ai_next;
	return server;
}

/* A name may have an address twice. */
static bool
is_repeated(const struct addrinfo *list, const struct addrinfo *at)
{
	for (; list != at; list = list->ai_next)
		if (list->ai_addrlen == at->ai_addrlen &&
		    memcmp(list->ai_addr, at->ai_addr, at->ai_addrlen) == 0)
			return true;
	return false;
}

/* The same port for all. */
static int
add_listener(struct weft_server *server, const struct addrinfo *at,
    const struct weft_listen_options *options)
{
	union weft__sockaddr address = { .any = { 0 } };
	struct addrinfo there = *at;
	int fd, error;

	memcpy(&address, at->ai_addr, at->ai_addrlen);
	weft__address_set_port(&address.any, server->port);
	there.ai_addr = &address.any;
	fd = open_listener(&there, SERVE_ONE, options);
	if (fd < 0)
		return may_go_on(-fd) ? 0 : -fd;
	error = weft__server_add(server, fd);
	if (error != 0)
		close(fd);
	return error;
}

/* All that follow in the list, too. 0 or an errno. */
static int
listen_at_the_others(struct weft_server *server, const struct addrinfo *list,
    const struct addrinfo *first, const struct weft_listen_options *options)
{
	const struct addrinfo *at;
	size_t count = 0;
	int error;

	for (at = first->ai_next; at != NULL; at = at->ai_next)
		count++;
	error = count > 0 ? weft__server_expect(server, count) : 0;
	for (at = first->ai_next; at != NULL && error == 0; at = at->ai_next)
		if (!is_repeated(list, at))
			error = add_listener(server, at, options);
	return error;
}

/* Whether it serves IPv4, too. */
static bool
serves_both(const struct weft_server *server)
{
	socklen_t size = sizeof(int);
	int only = 0;

	return getsockopt(server->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size) == 0 && !only;
}

/* IPv6 first if it is to be everywhere, since its socket serves IPv4, too, on
 * most systems. */
static struct addrinfo *
sort(struct addrinfo *list)
{
	struct addrinfo *four = NULL, *six = NULL, **end[2] = { &six, &four }, *next;

	for (; list != NULL; list = next) {
		struct addrinfo ***to = &end[list->ai_family != AF_INET6];

		next = list->ai_next;
		list->ai_next = NULL;
		**to = list;
		*to = &list->ai_next;
	}
	*end[0] = four;
	return six;
}

static struct weft_server *
listen_at_all(struct weft_loop *loop, const struct addrinfo *list, bool everywhere,
    const struct weft_listen_options *options)
{
	const struct addrinfo *at = list;
	struct weft_server *server = listen_first(loop, &at, everywhere ? SERVE_BOTH :
	    list->ai_next != NULL ? SERVE_ONE : AS_THE_SYSTEM_LIKES, options);
	int error;

	if (server == NULL || (everywhere && serves_both(server)))
		return server;
	error = listen_at_the_others(server, list, at, options);
	if (error == 0)
		return server;
	weft_server_free(server);
	errno = error;
	return NULL;
}

/* A port that is free at one address may be in use at another. */
static struct weft_server *
listen_at_name(struct weft_loop *loop, const struct addrinfo *list, bool everywhere,
    const struct weft_listen_options *options)
{
	bool any = weft__address_port(list->ai_addr) == 0;
	struct weft_server *server;
	int tries = 0;

	do
		server = listen_at_all(loop, list, everywhere, options);
	while (server == NULL && any && errno == EADDRINUSE && ++tries < PORTS_TRIED);
	return server;
}

struct weft_server *
weft_tcp_listen(const char *host, const char *port, const struct weft_listen_options *options)
{
	struct weft_loop *loop = weft__loop();
	struct weft_listen_options all;
	struct weft_server *server = NULL;
	struct addrinfo *list = NULL;
	int error, saved = errno;

	if (loop == NULL)
		return NULL;
	error = weft__listen_options(options, &all);
	if (error == 0)
		error = weft__resolve(loop, host, port, true, WEFT_NEVER, &list);
	if (error == 0) {
		if (host == NULL)
			list = sort(list);
		server = listen_at_name(loop, list, host == NULL, &all);
		error = server == NULL ? errno : 0;
	}
	weft__resolve_free(list);
	if (error != 0)
		return weft__make_failed("listen at", host, error);
	errno = saved;
	return server;
}
