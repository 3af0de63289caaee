/* SPDX-License-Identifier: MIT */
/*
 * weft/udp.h - datagrams over IPv4 and IPv6.
 *
 * Page: weft_udp(3); for groups, options and batches weft_udp_join(3) and
 * weft_udp_send_many(3).
 */
#ifndef WEFT_UDP_H
#define WEFT_UDP_H

#include <weft/base.h>
#include <sys/socket.h>

WEFT_BEGIN_DECLS

struct weft_udp;

/* Where a datagram came from, or is to go. */
struct weft_datagram {
	struct sockaddr_storage address;
	socklen_t address_length;       /* 0, to send: the connected peer */
	bool truncated;                 /* it was longer than its room */
};

/* One of a batch. */
struct weft_message {
	void *data;
	size_t length;                  /* bytes to send; room, then bytes received */
	struct weft_datagram info;
};

/* No socket yet: that is made by the first bind, connect, join or send, for the
 * family of its address. ENOMEM. */
WEFT_API struct weft_udp *weft_udp_open(void);
/* host NULL: all addresses, of both families; port "0": any that is free. Names
 * are resolved as by weft_tcp_connect. Else what bind(2) said. */
WEFT_API int weft_udp_bind(struct weft_udp *, const char *host, const char *port);
/* From now on one peer: what others send is not received, and what comes back
 * for it is told (ECONNREFUSED). host NULL: this machine. Can be repeated. */
WEFT_API int weft_udp_connect(struct weft_udp *, const char *host, const char *port);

/* One datagram, whole or not at all: n, which may be 0. address NULL: to the
 * peer. Waits while the kernel is full. EMSGSIZE: too long. ECONNREFUSED: what
 * was sent before did not arrive, and this was not sent. EDESTADDRREQ. */
WEFT_API ssize_t weft_udp_send(struct weft_udp *, const void *data, size_t n,
    const struct sockaddr *address, socklen_t length, int64_t deadline);
/* The next datagram: its length, at most n; 0 is a datagram without bytes. info
 * may be NULL. ECONNREFUSED: what was sent did not arrive; told once. */
WEFT_API ssize_t weft_udp_receive(struct weft_udp *, void *data, size_t n,
    struct weft_datagram *info, int64_t deadline);
/* How many were sent: all n, or fewer if the wait ended early or one failed. */
WEFT_API int weft_udp_send_many(struct weft_udp *, struct weft_message *, int n,
    int64_t deadline);
/* How many were received: those that are there, at least 1. */
WEFT_API int weft_udp_receive_many(struct weft_udp *, struct weft_message *, int n,
    int64_t deadline);
/* Until all sends that have begun are with the kernel; nothing else is queued. */
WEFT_API int weft_udp_flush(struct weft_udp *, int64_t deadline);

/* "192.0.2.1:53", "[::]:53", or "" while it has no address; readable after
 * close, and until the next call. */
WEFT_API const char *weft_udp_sockname(struct weft_udp *);
/* 0: none yet. Readable after close. */
WEFT_API int weft_udp_port(struct weft_udp *);
/* EBADF: closed, or there is no socket yet. */
WEFT_API int weft_udp_fd(const struct weft_udp *);
/* Wakes all who wait with EBADF. Again: 0. */
WEFT_API int weft_udp_close(struct weft_udp *);
/* Closes if still open. Safe while other fibers are inside a call. NULL: nothing. */
WEFT_API void weft_udp_free(struct weft_udp *);

/* --- groups */

/* group is an address in digits; interface a name, for IPv4 also its address,
 * or NULL: the system chooses. ENODEV: no such interface. */
WEFT_API int weft_udp_join(struct weft_udp *, const char *group, const char *interface);
WEFT_API int weft_udp_leave(struct weft_udp *, const char *group, const char *interface);

/* --- options */

enum weft_udp_option {
	WEFT_UDP_REUSE_ADDRESS,         /* 0, 1; before bind */
	WEFT_UDP_REUSE_PORT,            /* 0, 1; before bind */
	WEFT_UDP_BROADCAST,             /* 0, 1: may send to broadcast addresses */
	WEFT_UDP_RECEIVE_BUFFER,        /* bytes, in the kernel */
	WEFT_UDP_SEND_BUFFER,           /* bytes, in the kernel */
	WEFT_UDP_TTL,                   /* hops, 1 to 255 */
	WEFT_UDP_MULTICAST_TTL,         /* hops, 0 to 255; 1 by default */
	WEFT_UDP_MULTICAST_LOOP,        /* 0, 1: to members on this machine; 1 by default */
	WEFT_UDP_MULTICAST_INTERFACE    /* index, by if_nametoindex(3); 0: the system's */
};

/* Takes effect at once, or when the socket is made. EINVAL: no such option or
 * value. ENOTSUP: the system has not got it. Else what setsockopt(2) said. */
WEFT_API int weft_udp_set(struct weft_udp *, enum weft_udp_option, int value);

WEFT_END_DECLS

#endif
