/* SPDX-License-Identifier: MIT */
/*
 * What is special about TCP: names, several addresses, options.
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

/* --- connect */

/* For one call of weft_tcp_connect. */
struct attempt {
	struct weft_loop *loop;
	struct weft_tcp_options options;
	struct addrinfo *targets, *sources;
	int64_t deadline;
	int error;                      /* the most telling one so far */
};

/* Of several failures, the one that came from furthest away is the one to
 * tell: somebody answered; nobody did; we have no way there. */
static int
weight(int error)
{
	switch (error) {
	case 0:
		return 0;
	case ECONNREFUSED:
	case ECONNRESET:
	case EACCES:
	case EPERM:
		return 4;
	case ETIMEDOUT:
		return 3;
	case EHOSTUNREACH:
	case ENETUNREACH:
		return 2;
	default:
		return 1;
	}
}

static int
bind_source(const struct attempt *a, int fd, int family)
{
	const struct addrinfo *from;
	int error = EADDRNOTAVAIL;

	if (a->sources == NULL)
		return 0;
	for (from = a->sources; from != NULL; from = from->ai_next) {
		if (from->ai_family != family)
			continue;
		turn_on(fd, SOL_SOCKET, SO_REUSEADDR);
		if (bind(fd, from->ai_addr, from->ai_addrlen) == 0)
			return 0;
		error = errno;
	}
	return error;
}

/* connect(2) goes on after EINTR, and must not be called again. */
static int
start_connect(int fd, const struct addrinfo *to)
{
	if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
		return 0;
	return errno == EINTR ? EINPROGRESS : errno;
}

/* The verdict can be asked for once. */
static int
verdict(int fd)
{
	socklen_t size = sizeof(int);
	int error = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

/* Connects the stream's descriptor. *over: the wait ended, not the attempt. */
static int
connect_to(const struct attempt *a, struct weft_stream *s, const struct addrinfo *to,
    bool *over)
{
	struct weft__fdstream *f = (struct weft__fdstream *)s;
	int error = bind_source(a, f->fd[WEFT__OUT], to->ai_family);

	if (error != 0)
		return error;
	weft__tcp_set_options(f->fd[WEFT__OUT], a->options.no_nodelay, a->options.keepalive);
	error = start_connect(f->fd[WEFT__OUT], to);
	if (error != EINPROGRESS)
		return error;
	error = weft__fd_park(a->loop, f->slot[WEFT__OUT], WEFT_WRITABLE, a->deadline);
	*over = error != 0;
	return *over ? error : verdict(f->fd[WEFT__OUT]);
}

static struct weft_stream *
open_stream(const struct attempt *a, const struct addrinfo *to)
{
	struct weft_stream *s;
	int fd = weft__compat_socket(to->ai_family, to->ai_socktype, to->ai_protocol);

	if (fd < 0)
		return NULL;
	s = weft__socket_stream(a->loop, &weft__tcp_class, fd, to->ai_addr, to->ai_addrlen);
	if (s == NULL) {
		close(fd);
		errno = ENOMEM;
	}
	return s;
}

static struct weft_stream *
try_all(struct attempt *a)
{
	const struct addrinfo *to;
	bool over = false;

	for (to = a->targets; to != NULL && !over; to = to->ai_next) {
		struct weft_stream *s = open_stream(a, to);
		int error = s != NULL ? connect_to(a, s, to, &over) : errno;

		if (error == 0) {
			s->ready = WEFT_READABLE | WEFT_WRITABLE;
			return s;
		}
		weft_stream_free(s);
		if (over || weight(error) > weight(a->error))
			a->error = error;
	}
	return NULL;
}

static int
resolve_all(struct attempt *a, const char *host, const char *port)
{
	const struct weft_tcp_options *o = &a->options;
	int error = weft__resolve(a->loop, host, port, false, a->deadline, &a->targets);

	if (error == 0 && (o->source_host != NULL || o->source_port != NULL))
		error = weft__resolve(a->loop, o->source_host,
		    o->source_port != NULL ? o->source_port : "0", true, a->deadline,
		    &a->sources);
	return error;
}

struct weft_stream *
weft_tcp_connect(const char *host, const char *port, const struct weft_tcp_options *options,
    int64_t deadline)
{
	struct attempt a = { .loop = weft__loop(), .deadline = deadline };
	struct weft_stream *s = NULL;
	int saved = errno;

	if (a.loop == NULL)
		return NULL;
	if (options != NULL && options->size < sizeof options->size)
		return weft__make_failed("connect to", host, EINVAL);
	if (options != NULL)
		memcpy(&a.options, options, options->size < sizeof a.options ?
		    options->size : sizeof a.options);
	a.error = weft__check(a.loop);
	if (a.error == 0)
		a.error = resolve_all(&a, host, port);
	if (a.error == 0)
		s = try_all(&a);
	weft__resolve_free(a.targets);
	weft__resolve_free(a.sources);
	if (s == NULL)
		return weft__make_failed("connect to", host, a.error);
	errno = saved;
	return s;
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
