/* SPDX-License-Identifier: MIT */
/*
 * tests/udp_faults.h - two sockets, many datagrams, and a system that says no:
 * the calls below are counted, and the k-th one of a kind may fail, once or from
 * then on. The test is linked with -Wl,--wrap= for them.
 */
#ifndef WEFT_TESTS_UDP_FAULTS_H
#define WEFT_TESTS_UDP_FAULTS_H

#include <netinet/in.h>
#ifdef HAVE_EPOLL
#include <sys/epoll.h>
#endif

#include "tests/udp.h"
#include "tests/wrap.h"

/* --- faults on demand */

enum { SENDTO, RECVMSG, SENDMSG, SENDMMSG, RECVMMSG, SOCKET, BIND, CONNECT, SETSOCKOPT, CTL,
	CALLOC, MALLOC, CALLS };

/* Without a call for many datagrams, it is that for one which is made for each. */
#ifdef HAVE_SENDMMSG
#define SEND_BATCH SENDMMSG
#else
#define SEND_BATCH SENDMSG
#endif
#ifdef HAVE_RECVMMSG
#define RECEIVE_BATCH RECVMMSG
#else
#define RECEIVE_BATCH RECVMSG
#endif
enum { A_BATCH = 64 };

static int count[CALLS];
static int failing = -1, countdown, error_to_give, times;
static bool hit, no_batches;

static bool
fails(int call)
{
	if (call == CALLS) {
		errno = EISCONN;
		return true;
	}
	count[call]++;
	if (no_batches && (call == SENDMMSG || call == RECVMMSG)) {
		errno = ENOSYS;
		return true;
	}
	if (call != failing || --countdown > 0 || countdown <= -times)
		return false;
	hit = true;
	errno = error_to_give;
	return true;
}

/* The family of the last address that something was sent to. */
static int family_sent;
/* As on the BSDs, what has a peer takes no address. */
static bool peers_only;

static int
sent_to(const struct sockaddr *address, int call)
{
	family_sent = address != NULL ? address->sa_family : AF_UNSPEC;
	return address != NULL && peers_only ? CALLS : call;
}

#ifdef HAVE_SENDMMSG
/* It stops at the first that has an address. */
static inline unsigned
acceptable(const struct mmsghdr *headers, unsigned n)
{
	unsigned i;

	for (i = 0; peers_only && i < n && headers[i].msg_hdr.msg_name == NULL; i++)
		;
	return peers_only ? i : n;
}
#endif

WRAP(sent_to(a, SENDTO), ssize_t, sendto, -1, (int fd, const void *b, size_t n, int f,
    const struct sockaddr *a, socklen_t l), (fd, b, n, f, a, l))
WRAP(RECVMSG, ssize_t, recvmsg, -1, (int fd, struct msghdr *m, int f), (fd, m, f))
WRAP(sent_to(m->msg_name, SENDMSG), ssize_t, sendmsg, -1, (int fd, const struct msghdr *m, int f), (fd, m, f))
#ifdef HAVE_SENDMMSG
WRAP(sent_to(m->msg_hdr.msg_name, SENDMMSG), int, sendmmsg, -1, (int fd, struct mmsghdr *m, unsigned n, int f),
    (fd, m, acceptable(m, n), f))
#endif
#ifdef HAVE_RECVMMSG
WRAP(RECVMMSG, int, recvmmsg, -1, (int fd, struct mmsghdr *m, unsigned n, int f,
    struct timespec *t), (fd, m, n, f, t))
#endif
WRAP(SOCKET, int, socket, -1, (int family, int type, int protocol),
    (family, type, protocol))
WRAP(BIND, int, bind, -1, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(CONNECT, int, connect, -1, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(SETSOCKOPT, int, setsockopt, -1, (int fd, int l, int o, const void *v, socklen_t n),
    (fd, l, o, v, n))
#ifdef HAVE_EPOLL
WRAP(CTL, int, epoll_ctl, -1, (int set, int how, int fd, struct epoll_event *e),
    (set, how, fd, e))
#endif
WRAP(CALLOC, void *, calloc, NULL, (size_t n, size_t size), (n, size))
WRAP(MALLOC, void *, malloc, NULL, (size_t n), (n))

/* The k-th and so many in all. */
static inline void
arm(int call, int error, int k, int so_many)
{
	failing = call;
	error_to_give = error;
	countdown = k;
	times = so_many;
	hit = false;
}

/* The k-th batch of sends. */
static inline void
arm_sends(int error, int k, int so_many)
{
	arm(SEND_BATCH, error, SEND_BATCH == SENDMMSG ? k : (k - 1) * A_BATCH + 1, so_many);
}

static inline void
be_yourself(void)
{
	failing = -1;
	no_batches = peers_only = false;
	memset(count, 0, sizeof count);
}

enum { FOR_EVER = 1000000000 };

/* --- two sockets, a sends to b */

static struct weft_udp *a, *b;
static struct weft_datagram to_b;

enum { MOST = 200 };
static struct weft_message out[MOST], in[MOST];
static char texts[MOST][16], got[MOST][8];

static inline void
open_two(void)
{
	a = open_at("127.0.0.1");
	b = open_at("127.0.0.1");
	to_b = address_of(b);
	for (int i = 0; i < MOST; i++) {
		snprintf(texts[i], sizeof texts[i], "%d", i);
		out[i] = (struct weft_message){ texts[i], strlen(texts[i]), to_b };
		in[i] = (struct weft_message){ got[i], sizeof got[i], { .truncated = true } };
	}
}

static inline void
free_two(void)
{
	weft_udp_free(a);
	weft_udp_free(b);
}

/* --- a case of such tests */

#define BOTH(tc, test) tcase_add_loop_test(tc, test, 0, 2)

static inline TCase *
fault_case(Suite *suite, const char *name)
{
	TCase *tc = test_case(suite, name);

	tcase_add_checked_fixture(tc, be_yourself, be_yourself);
	return tc;
}

#endif
