/* SPDX-License-Identifier: MIT */
/*
 * tests/udp_pair.h - two sockets on the loopback interface that know each other's
 * address, over IPv4 (loop 0) or IPv6 (loop 1).
 */
#ifndef WEFT_TESTS_UDP_PAIR_H
#define WEFT_TESTS_UDP_PAIR_H

#include "tests/udp.h"

#define BOTH(tc, test) tcase_add_loop_test(tc, test, 0, 2)

/* Two that are bound; false: no such family here. */
static struct weft_udp *a, *b;
static struct weft_datagram to_a, to_b;

static inline bool
open_two(int family)
{
	a = open_at(loopbacks[family]);
	b = open_at(loopbacks[family]);
	if (a == NULL || b == NULL)
		return false;
	to_a = address_of(a);
	to_b = address_of(b);
	return true;
}

static inline void
free_two(void)
{
	weft_udp_free(a);
	weft_udp_free(b);
}

#endif
