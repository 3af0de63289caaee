/* SPDX-License-Identifier: MIT */
/*
 * The inside of a server, for the classes that make one.
 */
#ifndef WEFT_LIB_SERVER_H
#define WEFT_LIB_SERVER_H

#include <sys/stat.h>

#include "lib/addr.h"
#include "lib/fdstream.h"
#include "weft/server.h"

/* One more address that a server listens at. Its poller tells of arrivals, and
 * whoever accepts tries it until there is nothing left. */
struct weft__listener {
	struct weft_server *server;
	int fd;
	struct weft__slot *slot;        /* NULL: lost */
	bool ready;                     /* a try may succeed */
};

struct weft_server {
	struct weft_loop *loop;
	const struct weft_stream_class *class;        /* of the connections */
	int fd;                         /* -1: stopped */
	struct weft__slot *slot;
	struct weft__listener *others;  /* further addresses */
	size_t other_count;
	size_t turn;                    /* who is tried first: 0 is `fd` */
	struct weft_fiber *acceptor;    /* who serves or accepts, or NULL */
	struct weft__watcher *watcher;  /* likewise, without a fiber: a poller */
	bool closed;
	struct weft_listen_options options;
	weft_handler *handler;
	void *arg;
	struct weft_stream *oldest, *newest;    /* connections with a handler */
	size_t connections;
	struct weft__queue changes;     /* who waits for one to end, or for close */
	unsigned references;
	int port;                       /* -1: none */
	char *name;
	char *path;                     /* NULL: no file */
	dev_t device;                   /* of the file, to see whose it is */
	ino_t inode;
};

/* *all gets the options, or the defaults. EINVAL. */
int weft__listen_options(const struct weft_listen_options *, struct weft_listen_options *all);
/* Takes a listening socket; on failure (errno) it is still the caller's. */
struct weft_server *weft__server_new(struct weft_loop *, const struct weft_stream_class *, int fd,
    const struct weft_listen_options *);

/* Makes room for so many further listeners, then takes one. 0 or an errno. */
int weft__server_expect(struct weft_server *, size_t listeners);
int weft__server_add(struct weft_server *, int fd);

/* --- accept.c */
/* Whatever was believed, all listeners are to be tried. */
void weft__accept_try_all(struct weft_server *);
/* Whether somebody serves or accepts; a fiber that was lost by a fork does not. */
bool weft__accepting(const struct weft_server *);
/* One try. PAUSE: it is to rest. FATAL: errno. */
enum weft__accepted { TAKEN, NONE_LEFT, NEXT, PAUSE, FATAL };
enum weft__accepted weft__accept_try(struct weft_server *, struct weft_stream **);
/* After NONE_LEFT: waiter->ready is called once, or the watcher told, when there
 * may be one. An errno. */
int  weft__accept_watch(struct weft_server *, struct weft__waiter *);
/* How long it is to rest from now on, when it has rested *pause the last time. */
int64_t weft__accept_pause(struct weft_server *, int64_t *pause);
/* The next connection, which is the caller's. 0 or an errno. */
int  weft__accept(struct weft_server *, struct weft_stream **, int64_t deadline);
/* Rests the listener until a descriptor is closed, or for *pause, and longer
 * the next time. 0 or an errno. */
int  weft__accept_rest(struct weft_server *, int64_t *pause, int64_t deadline);

/* --- tcp.c */
/* nodelay and keepalive, as asked for; a socket that will not is no failure. */
void weft__tcp_set_options(int fd, bool no_nodelay, bool keepalive);

/* --- unix.c */
void weft__unix_unlink(struct weft_server *);

#endif
