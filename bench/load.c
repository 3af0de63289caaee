/* SPDX-License-Identifier: MIT */
/*
 * bench/load.c - puts load on a server of bench/ and says what came of it.
 *
 *      load [-m echo|lines|connect|sink|idle] [-c connections] [-s size]
 *           [-p pipeline] [-d seconds] [-w warm-up seconds] [-r rate]
 *           [-n messages] [-t patience] [-P server's pid] port
 *
 * With a rate the loop is open: messages leave by the clock, whatever comes
 * back, and a latency counts from when one was due. With -n, so many messages,
 * all of them, without warm-up. Prints one line of name=value, times in
 * nanoseconds, memory in bytes. Fails if anything comes back wrong, or not at
 * all.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

static unsigned
class_of(uint64_t ns)
{
	unsigned shift = 0;

	while (ns >= 2 * HISTOGRAM_STEPS) {
		ns >>= 1;
		shift++;
	}
	return shift * HISTOGRAM_STEPS + (unsigned)ns;
}

void
histogram_add(struct histogram *h, uint64_t ns)
{
	unsigned class = class_of(ns);

	h->count[class < HISTOGRAM_CLASSES ? class : HISTOGRAM_CLASSES - 1]++;
	h->total++;
	if (ns > h->longest)
		h->longest = ns;
}

/* The middle of a class. */
static uint64_t
value_of(unsigned class)
{
	unsigned shift = class < 2 * HISTOGRAM_STEPS ? 0 : class / HISTOGRAM_STEPS - 1;
	uint64_t low = (uint64_t)(class - shift * HISTOGRAM_STEPS) << shift;

	return low + ((1ull << shift) >> 1);
}

uint64_t
histogram_at(const struct histogram *h, double part)
{
	uint64_t wanted = (uint64_t)(part * (double)h->total), seen = 0;
	unsigned class;

	for (class = 0; class < HISTOGRAM_CLASSES; class++) {
		seen += h->count[class];
		if (seen > wanted)
			return value_of(class) < h->longest ? value_of(class) : h->longest;
	}
	return h->longest;
}

static bool
parse_mode(struct load *load, const char *name)
{
	static const char *const names[] = { "echo", "lines", "connect", "sink", "idle" };
	int i;

	for (i = 0; i < 5; i++)
		if (strcmp(name, names[i]) == 0) {
			load->mode = (enum load_mode)i;
			return true;
		}
	return false;
}

static bool
parse(struct load *load, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "m:c:s:p:d:w:r:n:t:P:")) != -1)
		switch (option) {
		case 'm': if (!parse_mode(load, optarg)) return false; break;
		case 'c': load->connections = atoi(optarg); break;
		case 's': load->size = strtoul(optarg, NULL, 10); break;
		case 'p': load->pipeline = atoi(optarg); break;
		case 'd': load->seconds = atof(optarg); break;
		case 'w': load->warmup = atof(optarg); break;
		case 'r': load->rate = atof(optarg); break;
		case 'n': load->count = strtoull(optarg, NULL, 10); break;
		case 't': load->patience = atoi(optarg); break;
		case 'P': load->server = atoi(optarg); break;
		default: return false;
		}
	if (optind != argc - 1)
		return false;
	load->port = atoi(argv[optind]);
	return load->port > 0 && load->connections > 0 && load->size > 0 &&
	    load->pipeline > 0 && load->pipeline <= 1024 && load->seconds > 0;
}

static void
report(const struct load_result *r)
{
	const struct histogram *h = &r->latency;

	printf("messages=%" PRIu64 " rate=%.0f megabytes=%.1f cpu=%.0f p50=%" PRIu64
	    " p90=%" PRIu64 " p99=%" PRIu64 " p999=%" PRIu64 " max=%" PRIu64
	    " errors=%" PRIu64 " memory=%" PRId64 " pss=%" PRId64 " tables=%" PRId64 "\n", r->messages,
	    (double)r->messages / r->seconds, (double)r->bytes / r->seconds / 1e6,
	    r->messages == 0 ? 0 : (double)r->server_cpu / (double)r->messages,
	    histogram_at(h, 0.5), histogram_at(h, 0.9), histogram_at(h, 0.99),
	    histogram_at(h, 0.999), h->longest, r->errors, r->idle.resident,
	    r->idle.proportional, r->idle.tables);
}

int
main(int argc, char **argv)
{
	static struct load_result result;
	struct load load = { .connections = 64, .size = 64, .pipeline = 1,
	    .seconds = 1, .warmup = 0.2, .patience = 20 };

	if (!parse(&load, argc, argv)) {
		fprintf(stderr, "usage: load [-m mode] [-c connections] [-s size] [-p pipeline] "
		    "[-d seconds] [-w seconds] [-r rate] [-n messages] [-t seconds] [-P pid] port\n");
		return 2;
	}
	if (!load_run(&load, &result))
		return 1;
	report(&result);
	return result.errors != 0;
}
