/* SPDX-License-Identifier: MIT */
/*
 * weft/server.h - a listener and its connections.
 *
 * Page: weft_server(3).
 */
#ifndef WEFT_SERVER_H
#define WEFT_SERVER_H

#include <weft/base.h>

WEFT_BEGIN_DECLS

struct weft_server;
struct weft_stream;

/* A handler returns this to keep its connection, which is then the program's
 * to close and free. */
#define WEFT_KEEP 1

/* Runs in a fiber of its own. Unless it returns WEFT_KEEP, the connection is
 * flushed, closed and freed; what else it returns does not matter. */
typedef int weft_handler(struct weft_stream *connection, void *arg);

/* For weft_tcp_listen and weft_unix_listen. NULL, or zero in a field, means
 * the default. */
struct weft_listen_options {
	size_t size;                    /* sizeof(struct weft_listen_options) */
	int backlog;                    /* 0: 4,096, or SOMAXCONN if that is more */
	size_t max_connections;         /* no limit; others stay in the backlog */
	bool reuse_port;                /* SO_REUSEPORT */
	bool no_nodelay;                /* leave Nagle's algorithm on */
	bool keepalive;                 /* SO_KEEPALIVE on connections */
	mode_t mode;                    /* of a Unix socket; what the umask leaves */
	bool set_owner;                 /* change the owner to these */
	uid_t owner;
	gid_t group;
};

/* One fiber per connection; returns 0 when the server is closed. EBADF: it is
 * already. EBUSY: somebody else accepts. */
WEFT_API int weft_server_serve(struct weft_server *, weft_handler *, void *arg);
/* The same, returns at once. ENOMEM. */
WEFT_API int weft_server_start(struct weft_server *, weft_handler *, void *arg);
/* The next connection; it is the program's. EBUSY: the server is served. */
WEFT_API struct weft_stream *weft_server_accept(struct weft_server *, int64_t deadline);
/* Takes no more; connections go on. Again: 0. */
WEFT_API int weft_server_stop(struct weft_server *);
/* Stops, lets connections finish until the deadline, then cancels their fibers
 * and aborts them: ETIMEDOUT. Closed it is all the same. Again: 0. */
WEFT_API int weft_server_close(struct weft_server *, int64_t deadline);
/* Closes at once if need be, and frees. NULL: nothing. */
WEFT_API void weft_server_free(struct weft_server *);
/* How many connections there are; up to max of them, oldest first, in out. */
WEFT_API size_t weft_server_connections(struct weft_server *, struct weft_stream **out,
    size_t max);
/* "192.0.2.1:80", "[::]:80" or a path; readable after close. */
WEFT_API const char *weft_server_sockname(struct weft_server *);
/* ENOTSUP: a Unix socket. */
WEFT_API int weft_server_port(const struct weft_server *);
/* EBADF: stopped. */
WEFT_API int weft_server_fd(const struct weft_server *);
/* A server on a listening socket, which it owns from then on. EBADF, ENOTSOCK,
 * EINVAL: it does not listen. */
WEFT_API struct weft_server *weft_server_from_fd(int fd);

WEFT_END_DECLS

#endif
