/* SPDX-License-Identifier: MIT */
/*
 * weft/tcp.h - TCP over IPv4 and IPv6.
 *
 * Page: weft_tcp(3).
 */
#ifndef WEFT_TCP_H
#define WEFT_TCP_H

#include <weft/server.h>
#include <weft/stream.h>

WEFT_BEGIN_DECLS

struct weft_tcp_options {
	size_t size;                    /* sizeof(struct weft_tcp_options) */
	const char *source_host;        /* bind to this before connecting */
	const char *source_port;
	bool no_nodelay;                /* leave Nagle's algorithm on */
	bool keepalive;
	/* Milliseconds until the next address is tried, too. 0: 250; fewer than
	 * 10 are 10; negative: only when the one before has failed. */
	int attempt_delay;
};

/* Resolves off the loop, tries every address (RFC 8305), first one wins. host
 * NULL: this machine. EHOSTUNREACH: the name does not resolve, weft_resolve_errno(3) has
 * the code. EINVAL: a bad port or service. Else what connect(2) said. */
WEFT_API struct weft_stream *weft_tcp_connect(const char *host, const char *port,
    const struct weft_tcp_options *, int64_t deadline);
/* The same in two steps: reads and writes of other fibers wait, or queue, for
 * the connection. ENOMEM. After a failure, which breaks the stream and drops
 * what is queued, it can be connected again. EISCONN: it is connected.
 * EALREADY: another fiber is at it. EBADF: closed meanwhile. ENOTSUP: it is
 * not of weft_tcp_open. */
WEFT_API struct weft_stream *weft_tcp_open(void);
WEFT_API int weft_stream_connect(struct weft_stream *, const char *host, const char *port,
    const struct weft_tcp_options *, int64_t deadline);
/* host NULL: all addresses, of both families. A name: all of its that are here,
 * with one port. port "0": any that is free. */
WEFT_API struct weft_server *weft_tcp_listen(const char *host, const char *port,
    const struct weft_listen_options *);

WEFT_END_DECLS

#endif
