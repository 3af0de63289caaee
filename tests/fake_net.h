/* SPDX-License-Identifier: MIT */
/*
 * tests/fake_net.h - a network of a few hosts that answer when the test says
 * so, for one source of a program that is linked with -Wl,--wrap=getaddrinfo,
 * --wrap=freeaddrinfo,--wrap=socket,--wrap=connect,--wrap=getsockopt.
 *
 * The name "many.test" has the addresses of all hosts, in their order. Their
 * sockets are pairs: what connects gets one end, the test has the other. While
 * a connection is not there the end is full, so that it is not writable.
 *
 * With FAULTS_IN_A_FAKE_NET, its sockets fail as faults.h is told, too.
 */
#ifndef WEFT_TESTS_FAKE_NET_H
#define WEFT_TESTS_FAKE_NET_H

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef FAULTS_IN_A_FAKE_NET
#include "tests/faults.h"
#else
enum faulty { SOCKET, CONNECT };

static inline bool
fails(enum faulty call)
{
	(void)call;
	return false;
}
#endif
#include "tests/streams.h"

enum fate { ANSWERS, REFUSES, SILENT, READY };  /* READY: it will be writable */

struct host {
	const char *address;
	enum fate fate;
	int error;              /* REFUSES: why; else what the verdict will be */
	int order;              /* it was so many-th to be tried; 0: not yet */
	int64_t tried_at;
	int ours, theirs;       /* the socket, and the test's end of it */
	int verdicts;           /* how often SO_ERROR was asked for */
	unsigned zone;
};

enum { HOSTS = 8, PAIRS = 64 };

static struct host hosts[HOSTS];
static int host_count, tries;
static int sockets_failing = -1;        /* after so many, one fails */
static struct { int ours, theirs; } pairs[PAIRS];
static int pair_count;
static bool faking;
/* The resolver waits for this lock. */
static pthread_mutex_t resolving = PTHREAD_MUTEX_INITIALIZER;

int __real_getaddrinfo(const char *, const char *, const struct addrinfo *,
    struct addrinfo **);
int __wrap_getaddrinfo(const char *, const char *, const struct addrinfo *,
    struct addrinfo **);
void __real_freeaddrinfo(struct addrinfo *);
void __wrap_freeaddrinfo(struct addrinfo *);
int __real_socket(int, int, int);
int __wrap_socket(int, int, int);
int __real_connect(int, const struct sockaddr *, socklen_t);
int __wrap_connect(int, const struct sockaddr *, socklen_t);
int __real_getsockopt(int, int, int, void *, socklen_t *);
int __wrap_getsockopt(int, int, int, void *, socklen_t *);

/* --- names */

static struct addrinfo fake_list[HOSTS];
static int lists_out;                   /* given and not freed */

static int
fake_addresses(const char *port, const struct addrinfo *hints, struct addrinfo **list)
{
	struct addrinfo numeric = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = hints->ai_socktype };
	static struct sockaddr_storage addresses[HOSTS];
	int i;

	for (i = 0; i < host_count; i++) {
		struct addrinfo *one;

		if (__real_getaddrinfo(hosts[i].address, port, &numeric, &one) != 0)
			return EAI_NONAME;
		fake_list[i] = *one;
		fake_list[i].ai_addr = memcpy(&addresses[i], one->ai_addr, one->ai_addrlen);
		fake_list[i].ai_next = i + 1 < host_count ? &fake_list[i + 1] : NULL;
		__real_freeaddrinfo(one);
	}
	*list = fake_list;
	lists_out++;
	return 0;
}

int
__wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
    struct addrinfo **list)
{
	int code;

	if (host == NULL || strcmp(host, "many.test") != 0)
		return __real_getaddrinfo(host, port, hints, list);
	if (hints->ai_flags & AI_NUMERICHOST)
		return EAI_NONAME;
	pthread_mutex_lock(&resolving);
	code = fake_addresses(port, hints, list);
	pthread_mutex_unlock(&resolving);
	return code;
}

void
__wrap_freeaddrinfo(struct addrinfo *list)
{
	if (list == fake_list)
		lists_out--;
	else
		__real_freeaddrinfo(list);
}

/* --- sockets */

int
__wrap_socket(int family, int type, int protocol)
{
	int ends[2];

	if (!faking || (family != AF_INET && family != AF_INET6))
		return __real_socket(family, type, protocol);
	if (sockets_failing >= 0 && sockets_failing-- == 0) {
		errno = EMFILE;
		return -1;
	}
	if (fails(SOCKET))
		return -1;
	if (pair_count == PAIRS || socketpair(AF_UNIX, type, 0, ends) < 0)
		return -1;
	pairs[pair_count].ours = ends[0];
	pairs[pair_count++].theirs = ends[1];
	return ends[0];
}

static struct host *
host_at(const struct sockaddr *address)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
	unsigned char wanted[16];
	int i;

	for (i = 0; i < host_count; i++) {
		if (inet_pton(address->sa_family, hosts[i].address, wanted) != 1)
			continue;
		if (address->sa_family == AF_INET ?
		    memcmp(wanted, &in->sin_addr, 4) == 0 :
		    memcmp(wanted, &in6->sin6_addr, 16) == 0)
			return &hosts[i];
	}
	return NULL;
}

/* Until nothing more fits. */
static void
fill_up(int fd)
{
	static const char zeros[4096];
	size_t n;

	for (n = sizeof zeros; n > 0; n /= 2)
		while (send(fd, zeros, n, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			;
}

static void
empty(int fd)
{
	char bytes[4096];

	while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		;
}

int
__wrap_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	struct host *host = faking ? host_at(address) : NULL;
	int i, failure = 0;

	if (host == NULL)
		return __real_connect(fd, address, length);
	if (fails(CONNECT))
		failure = errno;
	host->order = ++tries;
	host->tried_at = weft_now();
	if (address->sa_family == AF_INET6)
		host->zone = ((const struct sockaddr_in6 *)(const void *)address)->sin6_scope_id;
	for (i = 0; i < host_count; i++)
		if (hosts[i].ours == fd)
			hosts[i].ours = -1;     /* closed since */
	host->ours = fd;
	for (i = 0; i < pair_count; i++)
		if (pairs[i].ours == fd)
			host->theirs = pairs[i].theirs;
	if (host->fate == SILENT)
		fill_up(fd);
	if (host->fate == ANSWERS && failure == 0)
		return 0;
	errno = failure != 0 ? failure : host->fate == REFUSES ? host->error : EINPROGRESS;
	return -1;
}

int
__wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
	int i;

	for (i = 0; faking && option == SO_ERROR && i < host_count; i++) {
		if (hosts[i].ours != fd)
			continue;
		hosts[i].verdicts++;
		*(int *)value = hosts[i].error;
		return 0;
	}
	return __real_getsockopt(fd, level, option, value, length);
}

/* --- for the test */

static inline void
begin_faking(void)
{
	memset(hosts, 0, sizeof hosts);
	host_count = tries = pair_count = 0;
	sockets_failing = -1;
	faking = true;
}

static inline void
end_faking(void)
{
	while (pair_count > 0)
		close(pairs[--pair_count].theirs);
	faking = false;
}

static inline void
add_host(const char *address, enum fate fate, int error)
{
	hosts[host_count++] = (struct host){ .address = address, .fate = fate,
		.error = error, .ours = -1, .theirs = -1 };
}

/* The verdict on a silent host comes. */
static inline void
let(struct host *host, int error)
{
	host->error = error;
	empty(host->theirs);
}

/* Whether the socket that was connected to it is closed by now. */
static inline bool
hung_up(const struct host *host)
{
	struct pollfd end = { .fd = host->theirs };

	return poll(&end, 1, 0) == 1 && end.revents & POLLHUP;
}

static inline void
until_tried(const struct host *host)
{
	int64_t deadline = soon_enough();

	while (host->order == 0) {
		if (weft_now() > deadline)
			ck_abort_msg("%s is not tried", host->address);
		weft_yield();
	}
}

#endif
