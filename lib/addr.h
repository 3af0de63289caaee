/* SPDX-License-Identifier: MIT */
/*
 * Socket addresses, their names, and names' addresses.
 */
#ifndef WEFT_LIB_ADDR_H
#define WEFT_LIB_ADDR_H

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "fiber/wait.h"

enum { WEFT__NAME_MAX = 128 };  /* "[" IPv6 "%" scope "]:" port, or a Unix path */

/* An internet address in 32 bytes, of the 132 of sockaddr_storage. */
struct weft__address {
	socklen_t length;               /* 0: not known */
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
};

/* What a system call may return. */
union weft__sockaddr {
	struct sockaddr any;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
};

/* --- addr.c */
/* "192.0.2.1:80", "[::1]:80", a path, "@abstract", or "". */
void weft__address_format(const struct sockaddr *, socklen_t, char name[WEFT__NAME_MAX]);
/* The port of an internet address, else -1. */
int  weft__address_port(const struct sockaddr *);
void weft__address_set_port(struct sockaddr *, int port);
/* "@name" is abstract where there are such. 0, EINVAL (empty), ENAMETOOLONG. */
int  weft__address_unix(const char *path, struct sockaddr_un *, socklen_t *);

/* --- resolve.c */
/* Without leaving the loop for numeric hosts and ports. 0 or an errno; *list
 * is for weft__resolve_free. EINVAL: the port. EHOSTUNREACH: the host. */
int  weft__resolve(struct weft_loop *, const char *host, const char *port, bool passive,
    int64_t deadline, struct addrinfo **list);
/* The same for other sockets than streams. */
int  weft__resolve_for(struct weft_loop *, int type, const char *host, const char *port,
    bool passive, int64_t deadline, struct addrinfo **list);
void weft__resolve_free(struct addrinfo *);

#endif
