/* SPDX-License-Identifier: MIT */
/*
 * tests/udp.h - words that the tests of UDP share: sockets on the loopback
 * interface, and fibers that listen to them.
 */
#ifndef WEFT_TESTS_UDP_H
#define WEFT_TESTS_UDP_H

#include <stdio.h>

#include "tests/streams.h"
#include "weft/udp.h"

static const char *const loopbacks[] = { "127.0.0.1", "::1" };

static inline struct weft_udp *
open_udp(void)
{
	struct weft_udp *u = weft_udp_open();

	ck_assert_msg(u != NULL, "%s", strerror(errno));
	return u;
}

/* At some port of that host; NULL: there is no such family here. */
static inline struct weft_udp *
open_at(const char *host)
{
	struct weft_udp *u = open_udp();

	if (weft_udp_bind(u, host, "0") == 0)
		return u;
	ck_assert_msg(errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT, "%s", strerror(errno));
	weft_udp_free(u);
	return NULL;
}

static inline const char *
port_of(struct weft_udp *u)
{
	static char port[8];

	snprintf(port, sizeof port, "%d", weft_udp_port(u));
	return port;
}

static inline void
connect_to(struct weft_udp *u, const char *host, struct weft_udp *peer)
{
	ck_assert_ok(weft_udp_connect(u, host, port_of(peer)));
}

/* Where it is bound, as others see it. */
static inline struct weft_datagram
address_of(const struct weft_udp *u)
{
	struct weft_datagram at = { .address_length = sizeof at.address };

	ck_assert_ok(getsockname(weft_udp_fd(u), (struct sockaddr *)&at.address,
	    &at.address_length));
	return at;
}

static inline ssize_t
send_to(struct weft_udp *u, const void *data, size_t n, const struct weft_datagram *to)
{
	return weft_udp_send(u, data, n, (const struct sockaddr *)&to->address,
	    to->address_length, soon_enough());
}

static inline void
say(struct weft_udp *u, const char *text)
{
	ck_assert_gives(weft_udp_send(u, text, strlen(text), NULL, 0, soon_enough()),
	    (ssize_t)strlen(text));
}

static inline void
say_to(struct weft_udp *u, const char *text, const struct weft_datagram *to)
{
	ck_assert_gives(send_to(u, text, strlen(text), to), (ssize_t)strlen(text));
}

static inline void
hear(struct weft_udp *u, const char *text, struct weft_datagram *info)
{
	char bytes[256] = "";

	ck_assert_gives(weft_udp_receive(u, bytes, sizeof bytes - 1, info, soon_enough()),
	    (ssize_t)strlen(text));
	ck_assert_str_eq(bytes, text);
}

/* A fiber that listens. */
struct hearing {
	struct call call;               /* first */
	struct weft_udp *u;
	char bytes[64];
	struct weft_datagram info;
};

static inline ssize_t
call_hear(struct call *call)
{
	struct hearing *h = (struct hearing *)call;

	return weft_udp_receive(h->u, h->bytes, sizeof h->bytes - 1, &h->info, call->deadline);
}

static inline void
hear_begin(struct hearing *h, struct weft_udp *u)
{
	h->u = u;
	call_begin(&h->call, call_hear, NULL);
}

static inline void
hear_end(struct hearing *h, ssize_t result, int error)
{
	call_end(&h->call);
	ck_assert_int_eq(h->call.result, result);
	if (result < 0)
		ck_assert_int_eq(h->call.error, error);
}

#endif
