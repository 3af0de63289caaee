/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/streams.h"
#include "weft/memory.h"
#include "weft/pipe.h"
#include "weft/tcp.h"
#include "weft/unix.h"

/* --- two ends */

void
open_tcp(struct weft_stream *ends[2])
{
	struct weft_server *server = weft_tcp_listen("127.0.0.1", "0", NULL);
	char port[16];

	ck_assert_msg(server != NULL, "%s", weft_stream_error_text(NULL));
	snprintf(port, sizeof port, "%d", weft_server_port(server));
	ends[0] = weft_tcp_connect("127.0.0.1", port, NULL, soon_enough());
	ck_assert_msg(ends[0] != NULL, "%s", weft_stream_error_text(NULL));
	ends[1] = weft_server_accept(server, soon_enough());
	ck_assert_msg(ends[1] != NULL, "%s", strerror(errno));
	weft_server_free(server);
}

static void
open_unix_pair(struct weft_stream *ends[2])
{
	ck_assert_ok(weft_unix_pair(ends));
}

static void
open_unix(struct weft_stream *ends[2])
{
	char path[64];
	struct weft_server *server;

	snprintf(path, sizeof path, "/tmp/weft-streams-%d-%" PRId64, (int)getpid(), weft_now());
	server = weft_unix_listen(path, NULL);
	ck_assert_msg(server != NULL, "%s", weft_stream_error_text(NULL));
	ends[0] = weft_unix_connect(path, soon_enough());
	ck_assert_msg(ends[0] != NULL, "%s", weft_stream_error_text(NULL));
	ends[1] = weft_server_accept(server, soon_enough());
	ck_assert_msg(ends[1] != NULL, "%s", strerror(errno));
	weft_server_free(server);
}

/* Two pipes make one stream that goes both ways. */
static void
open_pipes(struct weft_stream *ends[2])
{
	int there[2], back[2];

	ck_assert_ok(pipe(there));
	ck_assert_ok(pipe(back));
	ends[0] = weft_pipe_open(back[0], there[1]);
	ends[1] = weft_pipe_open(there[0], back[1]);
	ck_assert_msg(ends[0] != NULL && ends[1] != NULL, "%s", weft_stream_error_text(NULL));
}

static void
open_memory_pair(struct weft_stream *ends[2])
{
	ck_assert_ok(weft_memory_pair(ends));
}

/* In this order: see streams.h. */
const struct stream_kind stream_kinds[] = {
	{ "tcp", open_tcp },
	{ "unix pair", open_unix_pair },
	{ "unix", open_unix },
	{ "pipes", open_pipes },
	{ "memory", open_memory_pair },
};
const int stream_kind_count = sizeof stream_kinds / sizeof *stream_kinds;
const int descriptor_kind_count = 4, socket_kind_count = 3;

const size_t chunks[] = { 1, 2, 3, 7, 4096 };
const int chunk_count = sizeof chunks / sizeof *chunks;

void
open_kind(int kind, struct weft_stream *ends[2])
{
	stream_kinds[kind].open(ends);
}

void
open_sweep(int i, struct weft_stream *ends[2])
{
	open_kind(i % stream_kind_count, ends);
}

size_t
chunk_of(int i)
{
	return chunks[i / stream_kind_count];
}

void
free_ends(struct weft_stream *ends[2])
{
	weft_stream_free(ends[0]);
	weft_stream_free(ends[1]);
}

/* --- fibers */

struct weft_fiber *
begin(weft_fn *fn, void *arg)
{
	struct weft_fiber *fiber = weft_spawn(fn, arg);

	ck_assert_msg(fiber != NULL, "spawn: %s", strerror(errno));
	return fiber;
}

int
end(struct weft_fiber *fiber)
{
	int result;

	ck_assert_ok(weft_join(fiber, &result, soon_enough()));
	return result;
}

static uint64_t
turn(void)
{
	struct weft_loop_stats stats = { .size = sizeof stats };

	weft_loop_stats(&stats);
	return stats.turns;
}

/* Check makes a system call of every assertion that holds. */
void
turns(int n)
{
	uint64_t until = turn() + (uint64_t)n;

	while (turn() < until)
		if (weft_yield() < 0)
			ck_abort_msg("yield: %s", strerror(errno));
}

static int
feed(void *arg)
{
	struct feeder *f = arg;
	size_t at, n;

	for (at = 0; at < f->n; at += n) {
		n = f->n - at < f->chunk ? f->n - at : f->chunk;
		if (weft_stream_write(f->to, f->bytes + at, n, soon_enough()) != (ssize_t)n)
			return -1;
		turns(1);
	}
	return f->shut ? weft_stream_shutdown(f->to, soon_enough()) : 0;
}

void
feed_begin(struct feeder *f, struct weft_stream *to, const void *bytes, size_t n,
    size_t chunk, bool shut)
{
	*f = (struct feeder){ to, bytes, n, chunk, shut, NULL };
	f->fiber = begin(feed, f);
}

void
feed_end(struct feeder *f)
{
	ck_assert_int_eq(end(f->fiber), 0);
}

/* --- calls in fibers */

int calls_ended;

static int
run_call(void *arg)
{
	struct call *call = arg;

	errno = 0;
	call->result = call->make(call);
	call->error = call->result < 0 ? errno : 0;
	call->order = ++calls_ended;
	call->done = 1;
	return 0;
}

/* When it returns the call has been made, and is over or waits. */
void
call_begin(struct call *call, ssize_t (*make)(struct call *), struct weft_stream *s)
{
	call->make = make;
	call->stream = s;
	call->done = 0;
	if (call->deadline == 0)
		call->deadline = soon_enough();
	call->fiber = begin(run_call, call);
	ck_assert_ok(weft_yield());
}

void
call_end(struct call *call)
{
	end(call->fiber);
}

ssize_t
call_read(struct call *call)
{
	return weft_stream_read(call->stream, call->memory, call->n, call->deadline);
}

ssize_t
call_read_exactly(struct call *call)
{
	return weft_stream_read_exactly(call->stream, call->memory, call->n,
	    call->deadline);
}

ssize_t
call_read_line(struct call *call)
{
	const char *line;
	ssize_t n = weft_stream_read_line(call->stream, &line, call->deadline);

	if (n > 0)
		memcpy(call->memory, line, (size_t)n);
	return n;
}

ssize_t
call_write(struct call *call)
{
	return weft_stream_write(call->stream, call->memory, call->n, call->deadline);
}

ssize_t
call_flush(struct call *call)
{
	return weft_stream_flush(call->stream, call->deadline);
}

ssize_t
call_drain(struct call *call)
{
	return weft_stream_drain(call->stream, call->deadline);
}

ssize_t
call_shutdown(struct call *call)
{
	return weft_stream_shutdown(call->stream, call->deadline);
}

ssize_t
call_close(struct call *call)
{
	return weft_stream_close(call->stream, call->deadline);
}

/* --- bytes */

void
write_all(struct weft_stream *s, const void *bytes, size_t n)
{
	errno = 0;
	ck_assert_msg(weft_stream_write(s, bytes, n, soon_enough()) == (ssize_t)n,
	    "write: %s", strerror(errno));
}

void
expect_bytes(struct weft_stream *s, const void *bytes, size_t n)
{
	void *got = malloc(n);

	ck_assert(got != NULL);
	errno = 0;
	ck_assert_msg(weft_stream_read_exactly(s, got, n, soon_enough()) == (ssize_t)n,
	    "read_exactly: %s", strerror(errno));
	ck_assert_mem_eq(got, bytes, n);
	free(got);
}

void
expect_text(struct weft_stream *s, const char *text)
{
	expect_bytes(s, text, strlen(text));
}

void
expect_line(struct weft_stream *s, const char *line)
{
	const char *got = NULL;
	ssize_t n = weft_stream_read_line(s, &got, soon_enough());

	ck_assert_int_eq(n, (ssize_t)strlen(line));
	ck_assert_mem_eq(got, line, strlen(line));
}

void
pattern(void *to, size_t n, unsigned seed)
{
	unsigned char *bytes = to;
	uint32_t x = seed * 2654435761u + 1;
	size_t i;

	for (i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		bytes[i] = (unsigned char)(x >> 24);
	}
}

void *
patterned(size_t n, unsigned seed)
{
	void *bytes = malloc(n);

	ck_assert(bytes != NULL);
	pattern(bytes, n, seed);
	return bytes;
}

size_t
fill_kernel(struct weft_stream *s)
{
	static const char zeros[4096];
	size_t filled = 0;
	ssize_t n;
	int vain = 0;

	ck_assert_ok(weft_stream_set_watermarks(s, 0, 0));
	while (vain < 3) {              /* what has arrived may make room */
		n = weft_stream_write(s, zeros, sizeof zeros, WEFT_NOWAIT);
		if (n > 0) {
			filled += (size_t)n;
			continue;
		}
		ck_assert_int_eq(errno, EAGAIN);
		turns(2);
		vain++;
	}
	ck_assert_uint_eq(weft_stream_queued(s), 0);
	return filled;
}

void
reset_connection(struct weft_stream *end)
{
	static const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	ck_assert_ok(setsockopt(weft_stream_fd(end), SOL_SOCKET, SO_LINGER,
	    &at_once, sizeof at_once));
	ck_assert_ok(weft_stream_close(end, WEFT_NOWAIT));
}
