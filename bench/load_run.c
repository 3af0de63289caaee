/* SPDX-License-Identifier: MIT */
/*
 * Connections, each with up to `pipeline` messages on the way. Message k of
 * connection c is one of 16 patterns, (c + k) % 16, which lie one behind the
 * other in memory: any run of messages is sent from there, and what comes back
 * is compared with it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

enum { PATTERNS = 16, EVENTS = 256, PIECE = 256 << 10 };

struct peer {
	int fd;
	unsigned number;
	uint64_t sent, asked, received; /* bytes; asked: to be sent by now */
	uint64_t *began;                /* a ring of `pipeline` */
	uint64_t started, finished;     /* messages */
};

static const struct load *load;
static struct load_result *result;
static struct peer *peers;
static char *pattern, input[PIECE];
static size_t pattern_size;
static int set;
static bool failed;
static uint64_t left;   /* messages that may still begin */
static uint64_t away;   /* have begun, are not back */

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
fail(const char *what, const struct peer *p)
{
	if (!failed)
		fprintf(stderr, "load: connection %u: %s: %s\n", p->number, what, strerror(errno));
	failed = true;
}

static bool
make_patterns(void)
{
	size_t i, size = load->size;

	pattern_size = (size_t)(PATTERNS + load->pipeline) * size;
	pattern = malloc(pattern_size);
	if (pattern == NULL)
		return false;
	for (i = 0; i < pattern_size; i++)
		pattern[i] = i % size == size - 1 ? '\n' :
		    (char)('a' + (i / size % PATTERNS * 7 + i % size * 11) % 26);
	return true;
}

/* Where the byte at this place of the connection's stream lies; *n is cut to
 * what follows it there. */
static const char *
bytes_at(const struct peer *p, uint64_t place, size_t *n)
{
	size_t from = (size_t)((p->number + place / load->size) % PATTERNS * load->size +
	    place % load->size);

	if (*n > pattern_size - from)
		*n = pattern_size - from;
	return pattern + from;
}

/* --- one connection */

static void
push(struct peer *p)
{
	while (p->sent < p->asked) {
		size_t n = (size_t)(p->asked - p->sent);
		const char *bytes = bytes_at(p, p->sent, &n);
		ssize_t sent = send(p->fd, bytes, n, MSG_NOSIGNAL);

		if (sent < 0) {
			if (errno != EAGAIN && errno != ENOTCONN)
				fail("send", p);
			return;
		}
		p->sent += (uint64_t)sent;
	}
}

/* Sends so many more messages, if there are to be more, which began then. */
static void
start(struct peer *p, unsigned count, uint64_t then)
{
	for (; count > 0 && left > 0; count--, left--, away++) {
		p->began[p->started++ % (unsigned)load->pipeline] = then;
		p->asked += load->size;
	}
	push(p);
}

/* Connections come from many addresses: no one runs out of ports. */
static bool
open_peer(struct peer *p)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)load->port) };
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = p };
	static unsigned opened;
	int on = 1;

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	p->sent = p->asked = p->received = p->started = p->finished = 0;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + opened++ % 200);
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(p->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&from, sizeof from) < 0 ||
	    (connect(p->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) ||
	    epoll_ctl(set, EPOLL_CTL_ADD, p->fd, &e) < 0) {
		fail("connect", p);
		return false;
	}
	return true;
}

static void
open_again(struct peer *p)
{
	uint64_t t = now();

	if (left == 0)
		return;
	close(p->fd);
	if (open_peer(p))
		start(p, 1, t);
}

/* So many messages have come back. */
static void
finish(struct peer *p, uint64_t count)
{
	uint64_t t = now(), i;

	for (i = 0; i < count; i++)
		histogram_add(&result->latency,
		    t - p->began[p->finished++ % (unsigned)load->pipeline]);
	result->messages += count;
	away -= count;
	result->bytes += count * load->size;
	if (load->mode == LOAD_CONNECT)
		open_again(p);
	else if (load->rate == 0 && load->mode != LOAD_IDLE)
		start(p, (unsigned)count, t);
}

static bool
compare(struct peer *p, size_t n)
{
	size_t done, piece;

	for (done = 0; done < n; done += piece, p->received += piece) {
		const char *wanted;

		piece = n - done;
		wanted = bytes_at(p, p->received, &piece);
		if (memcmp(input + done, wanted, piece) != 0 || p->received + piece > p->sent) {
			result->errors++;
			errno = EBADMSG;
			fail("what came back", p);
			return false;
		}
	}
	return true;
}

static void
pull(struct peer *p)
{
	uint64_t before = p->received / load->size;
	ssize_t n = recv(p->fd, input, sizeof input, 0);

	if (n > 0 && compare(p, (size_t)n) && p->received / load->size > before)
		finish(p, p->received / load->size - before);
	if (n == 0)
		errno = EPIPE;
	if (n == 0 || (n < 0 && errno != EAGAIN))
		fail("recv", p);
}

/* --- all of them */

static uint64_t
wanted_until(double seconds)
{
	return now() + (uint64_t)(seconds * 1e9);
}

/* Messages at a fixed rate, whoever's turn it is; one that cannot be sent yet
 * has begun all the same. */
static int
keep_rate(uint64_t t)
{
	static uint64_t next;
	static unsigned turn;
	uint64_t gap = (uint64_t)(1e9 / load->rate);
	int tries = 0;

	if (next == 0)
		next = t;
	for (; next <= t && tries < load->connections; turn++) {
		struct peer *p = &peers[turn % (unsigned)load->connections];

		if (p->started - p->finished == (uint64_t)load->pipeline) {
			tries++;
			continue;
		}
		start(p, 1, next);
		next += gap;
	}
	return next > t + 2000000 ? (int)((next - t) / 1000000) - 1 : 0;
}

/* What each connection sends: for as long as it takes, or its part of all. */
static uint64_t
sink_size(void)
{
	return load->count == 0 ? UINT64_MAX :
	    load->count / (unsigned)load->connections * load->size;
}

static void
run_until(uint64_t end)
{
	struct epoll_event events[EVENTS];
	uint64_t t;
	int i, n, timeout = 100;

	while (!failed && (t = now()) < end) {
		if (load->rate > 0)
			timeout = keep_rate(t);
		n = epoll_wait(set, events, EVENTS, timeout);
		for (i = 0; i < n && !failed; i++) {
			struct peer *p = events[i].data.ptr;

			if (events[i].events & EPOLLOUT) {
				if (load->mode == LOAD_SINK)
					p->asked = sink_size();
				push(p);
			}
			if (events[i].events & EPOLLIN)
				pull(p);
		}
	}
}

/* Sinks are asked how much they have had. */
static void
settle_sinks(void)
{
	uint64_t told;
	int i;

	for (i = 0; i < load->connections && !failed; i++) {
		struct peer *p = &peers[i];
		struct timeval patience = { .tv_sec = load->patience };

		shutdown(p->fd, SHUT_WR);
		fcntl_blocking(p->fd);
		setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		if (recv(p->fd, &told, sizeof told, MSG_WAITALL) != sizeof told || told != p->sent)
			fail("the sink's count", p);
	}
}

static uint64_t
bytes_sent(void)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < load->connections; i++)
		sum += peers[i].sent;
	return sum;
}

static bool
open_all(void)
{
	int i;

	for (i = 0; i < load->connections; i++) {
		struct peer *p = &peers[i];

		p->number = (unsigned)i;
		p->began = calloc((size_t)load->pipeline, sizeof *p->began);
		if (p->began == NULL || !open_peer(p))
			return false;
		if (load->rate == 0 && load->mode != LOAD_SINK)
			start(p, (unsigned)load->pipeline, now());
		if (i % 64 == 63)
			run_until(now() + 1000000);     /* do not overrun the backlog */
	}
	return true;
}

/* Nothing new begins, and what has begun comes back; all of it, or some was lost. */
static void
settle(void)
{
	uint64_t seen = result->messages, end = wanted_until(load->patience);
	const struct peer *p = peers;

	while (!failed && away > 0 && now() < end) {
		run_until(now() + 1000000);
		if (result->messages != seen)
			end = wanted_until(load->patience);
		seen = result->messages;
	}
	if (failed || away == 0)
		return;
	while (p->started == p->finished)
		p++;
	result->errors += away;
	errno = ETIMEDOUT;
	fail("what did not come back", p);
}

/* So many messages, from the first to the last. */
static void
measure_count(void)
{
	uint64_t began = now(), cpu = server_cpu(load->server);
	uint64_t wanted = sink_size() * (unsigned)load->connections;

	left = load->mode == LOAD_SINK ? 0 : load->count;
	if (!open_all())
		return;
	while (!failed && (left > 0 || (load->mode == LOAD_SINK && bytes_sent() < wanted)))
		run_until(now() + 1000000);
	if (load->mode == LOAD_SINK) {
		result->bytes = wanted;
		result->messages = wanted / load->size;
		settle_sinks();
	} else
		settle();
	result->seconds = (double)(now() - began) / 1e9;
	result->server_cpu = server_cpu(load->server) - cpu;
}

static void
measure(void)
{
	static struct load_result measured;
	uint64_t cpu, sent, began;

	left = UINT64_MAX;
	if (!open_all())
		return;
	run_until(wanted_until(load->warmup));
	memset(result, 0, sizeof *result);
	began = now();
	sent = bytes_sent();
	cpu = server_cpu(load->server);
	run_until(wanted_until(load->seconds));
	result->seconds = (double)(now() - began) / 1e9;
	result->server_cpu = server_cpu(load->server) - cpu;
	if (load->mode == LOAD_SINK) {
		result->bytes = bytes_sent() - sent;
		result->messages = result->bytes / load->size;
		settle_sinks();
		return;
	}
	measured = *result;
	left = 0;
	settle();
	measured.errors = result->errors;
	*result = measured;
}

/* Until each connection has had its message, and then some. */
static void
measure_idle(void)
{
	struct server_memory before = server_memory(load->server);
	uint64_t end = wanted_until(60);

	left = (uint64_t)load->connections;
	if (!open_all())
		return;
	while (!failed && result->messages < (uint64_t)load->connections && now() < end)
		run_until(now() + 10000000);
	run_until(wanted_until(load->warmup));
	if (result->messages < (uint64_t)load->connections) {
		errno = ETIMEDOUT;
		fail("idle", &peers[0]);
	}
	result->seconds = 1;
	result->idle = server_memory(load->server);
	result->idle.resident -= before.resident;
	result->idle.proportional -= before.proportional;
	result->idle.tables -= before.tables;
}

bool
load_run(const struct load *what, struct load_result *out)
{
	struct rlimit most;

	load = what;
	result = out;
	if (getrlimit(RLIMIT_NOFILE, &most) == 0) {
		most.rlim_cur = most.rlim_max;
		setrlimit(RLIMIT_NOFILE, &most);
	}
	set = epoll_create1(EPOLL_CLOEXEC);
	peers = calloc((size_t)load->connections, sizeof *peers);
	if (set < 0 || peers == NULL || !make_patterns()) {
		perror("load");
		return false;
	}
	if (load->mode == LOAD_IDLE)
		measure_idle();
	else if (load->count > 0)
		measure_count();
	else
		measure();
	return !failed;
}
