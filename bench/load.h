/* SPDX-License-Identifier: MIT */
/*
 * The load generator: what it is told, what it counts.
 */
#ifndef WEFT_BENCH_LOAD_H
#define WEFT_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server.h"

enum load_mode { LOAD_ECHO, LOAD_LINES, LOAD_CONNECT, LOAD_SINK, LOAD_IDLE };

struct load {
	enum load_mode mode;
	int port, connections, pipeline;
	size_t size;            /* of a message */
	double seconds, warmup;
	double rate;            /* messages a second, whatever comes back; 0: closed loop */
	uint64_t count;         /* so many messages in all, however long it takes; 0: by time */
	int patience;           /* seconds for what has been sent to come back, at the end */
	int server;             /* its pid, or 0 */
};

/* Latencies in nanoseconds, in classes that are at most 1/32 wide. */
enum { HISTOGRAM_STEPS = 32, HISTOGRAM_CLASSES = 60 * HISTOGRAM_STEPS };
struct histogram {
	uint64_t count[HISTOGRAM_CLASSES], total, longest;
};
void histogram_add(struct histogram *, uint64_t ns);
/* The latency that this part (0.99, say) did not exceed. */
uint64_t histogram_at(const struct histogram *, double part);

struct load_result {
	struct histogram latency;
	uint64_t messages, bytes, errors;       /* bytes: in one direction */
	double seconds;
	uint64_t server_cpu;    /* nanoseconds, in the same time; 0: not known */
	struct server_memory idle;      /* LOAD_IDLE: what the server has more, in bytes */
};

/* Every byte that comes back is compared. False, and words on stderr, if the
 * load could not be put on or something came back wrong. */
bool load_run(const struct load *, struct load_result *);

#endif
