/* SPDX-License-Identifier: MIT */
/*
 * What is special about TCP: options, and listening at names; connect.c and
 * race.c do the rest.
 */
#include "config.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "lib/compat.h"
#include "lib/server.h"
#include "weft/tcp.h"

const struct weft_stream_class weft__tcp_class =
    WEFT__SOCKET_CLASS("tcp", weft__fdstream_read);

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
prepare(int fd, const struct addrinfo *at, bool everywhere,
    const struct weft_listen_options *options)
{
	static const int off = 0;

	turn_on(fd, SOL_SOCKET, SO_REUSEADDR);
	if (options->reuse_port) {
#ifdef SO_REUSEPORT
		turn_on(fd, SOL_SOCKET, SO_REUSEPORT);
#else
		return ENOTSUP;
#endif
	}
	if (everywhere && at->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	weft__tcp_set_options(fd, options->no_nodelay, options->keepalive);
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, options->backlog) < 0)
		return errno;
	return 0;
}

static struct weft_server *
listen_at(struct weft_loop *loop, const struct addrinfo *at, bool everywhere,
    const struct weft_listen_options *options)
{
	struct weft_server *server = NULL;
	int error, fd = weft__compat_socket(at->ai_family, at->ai_socktype, at->ai_protocol);

	if (fd < 0)
		return NULL;
	error = prepare(fd, at, everywhere, options);
	if (error == 0) {
		server = weft__server_new(loop, &weft__tcp_class, fd, options);
		error = server == NULL ? errno : 0;
	}
	if (error != 0) {
		close(fd);
		errno = error;
	}
	return server;
}

/* Whether another address may do: this one, or its family, is not here. */
static bool
may_go_on(int error)
{
	return error == EADDRNOTAVAIL || error == EAFNOSUPPORT || error == EPROTONOSUPPORT;
}

/* The first address that can be had; IPv6 first if it is to be all of them,
 * since that socket serves IPv4, too. */
static struct weft_server *
listen_first(struct weft_loop *loop, const struct addrinfo *list, bool everywhere,
    const struct weft_listen_options *options)
{
	static const int order[] = { AF_INET6, AF_INET };
	const struct addrinfo *at;
	struct weft_server *server = NULL;
	size_t i;

	errno = EADDRNOTAVAIL;
	for (i = 0; i < (everywhere ? 2 : 1); i++)
		for (at = list; at != NULL && server == NULL && may_go_on(errno); at = at->ai_next)
			if (!everywhere || at->ai_family == order[i])
				server = listen_at(loop, at, everywhere, options);
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
		server = listen_first(loop, list, host == NULL, &all);
		error = server == NULL ? errno : 0;
	}
	weft__resolve_free(list);
	if (error != 0)
		return weft__make_failed("listen at", host, error);
	errno = saved;
	return server;
}
