/* SPDX-License-Identifier: MIT */
/*
 * tests/streams.h - what the tests of streams and servers share: ways to make
 * two streams that are connected to each other, a fiber that feeds one of them
 * in pieces, and words for what happens.
 *
 * A test that is to hold for every kind of stream and every cut of the bytes
 * is added with SWEEP (or EVERY_KIND) and begins with open_sweep(_i, ends), chunk_of(_i).
 */
#ifndef WEFT_TESTS_STREAMS_H
#define WEFT_TESTS_STREAMS_H

#include "tests/harness.h"
#include "weft/stream.h"

#define KIB ((size_t)1024)

struct stream_kind {
	const char *name;
	void (*open)(struct weft_stream *ends[2]);
};

extern const struct stream_kind stream_kinds[];
/* First the kinds that are sockets, then others with descriptors, then those
 * without. */
extern const int stream_kind_count, descriptor_kind_count, socket_kind_count;
extern const size_t chunks[];           /* 1, 2, 3, 7, 4096 bytes */
extern const int chunk_count;

#define EVERY_KIND(tc, test) \
	tcase_add_loop_test(tc, test, 0, stream_kind_count)
/* The same for those that have a descriptor, or are a socket. */
#define EVERY_DESCRIPTOR(tc, test) \
	tcase_add_loop_test(tc, test, 0, descriptor_kind_count)
#define EVERY_SOCKET(tc, test) \
	tcase_add_loop_test(tc, test, 0, socket_kind_count)
#define SWEEP(tc, test) \
	tcase_add_loop_test(tc, test, 0, stream_kind_count * chunk_count)

void open_kind(int kind, struct weft_stream *ends[2]);
void open_sweep(int i, struct weft_stream *ends[2]);
size_t chunk_of(int i);
void free_ends(struct weft_stream *ends[2]);
void open_tcp(struct weft_stream *ends[2]);

/* A fiber that writes bytes in pieces, a turn of the loop after each, and then
 * may end its side. feed_end waits for it. */
struct feeder {
	struct weft_stream *to;
	const char *bytes;
	size_t n, chunk;
	bool shut;
	struct weft_fiber *fiber;
};

void feed_begin(struct feeder *, struct weft_stream *to, const void *bytes, size_t n,
    size_t chunk, bool shut);
void feed_end(struct feeder *);

/* A fiber that is expected to do something. */
struct weft_fiber *begin(weft_fn *, void *arg);
int end(struct weft_fiber *);

/* A call that runs in a fiber of its own, and how it ended. */
struct call {
	ssize_t (*make)(struct call *);
	struct weft_stream *stream;
	void *memory;
	size_t n;
	int64_t deadline;
	ssize_t result;
	int error;
	int order;              /* it was so many-th to end */
	int done;
	struct weft_fiber *fiber;
};

extern int calls_ended;
void call_begin(struct call *, ssize_t (*make)(struct call *), struct weft_stream *);
void call_end(struct call *);
ssize_t call_read(struct call *), call_read_exactly(struct call *);
ssize_t call_read_line(struct call *), call_write(struct call *);
ssize_t call_flush(struct call *), call_drain(struct call *);
ssize_t call_shutdown(struct call *), call_close(struct call *);

/* Yields for so many turns of the loop: who could go on has done so. */
void turns(int n);
/* These end the test if they fail. */
void write_all(struct weft_stream *, const void *, size_t n);
void expect_bytes(struct weft_stream *, const void *, size_t n);
void expect_text(struct weft_stream *, const char *);
void expect_line(struct weft_stream *, const char *);
/* Bytes that tell where they are from. */
void pattern(void *to, size_t n, unsigned seed);
void *patterned(size_t n, unsigned seed);
/* Writes until nobody takes any more; how much that was. No queue is left on. */
size_t fill_kernel(struct weft_stream *);
/* This end resets the connection (TCP). */
void reset_connection(struct weft_stream *end);

#endif
