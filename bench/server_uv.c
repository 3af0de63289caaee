/* SPDX-License-Identifier: MIT */
/*
 * bench/server_uv.c - the servers on libuv: its streams, one buffer, tried at
 * once and queued only when the kernel is full.
 */
#include <uv.h>

#include "lines.h"
#include "listen.h"

static char buffer[BULK];

struct connection {
	uv_tcp_t stream;        /* first */
	struct rest rest;
	uint64_t total;
};

struct answer {
	uv_write_t request;     /* first */
	char bytes[];
};

static uv_alloc_cb lend;
static uv_read_cb serve;

static void
lend_piece(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
	(void)handle, (void)wanted;
	*out = uv_buf_init(buffer, PIECE);
}

/* What comes follows what is left of a line. */
static void
lend_after_rest(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
	size_t have = rest_before(&((struct connection *)handle)->rest, buffer);

	(void)wanted;
	*out = uv_buf_init(buffer + have, (unsigned)(PIECE - have));
}

static void
lend_all(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
	(void)handle, (void)wanted;
	*out = uv_buf_init(buffer, BULK);
}

static void
release(uv_handle_t *handle)
{
	free(((struct connection *)handle)->rest.bytes);
	free(handle);
}

static void
written(uv_write_t *request, int status)
{
	(void)status;
	free(request);
}

static void
answer(uv_stream_t *client, char *bytes, size_t n)
{
	uv_buf_t buf = uv_buf_init(bytes, (unsigned)n);
	int sent = n > 0 ? uv_try_write(client, &buf, 1) : 0;
	struct answer *rest;

	sent = sent < 0 ? 0 : sent;
	if ((size_t)sent == n)
		return;
	rest = malloc(sizeof *rest + n - (size_t)sent);
	if (rest == NULL)
		abort();
	memcpy(rest->bytes, bytes + sent, n - (size_t)sent);
	buf = uv_buf_init(rest->bytes, (unsigned)n - (unsigned)sent);
	uv_write(&rest->request, client, &buf, 1, written);
}

static void
echo(uv_stream_t *client, ssize_t n, const uv_buf_t *bytes)
{
	if (n < 0)
		uv_close((uv_handle_t *)client, release);
	else
		answer(client, bytes->base, (size_t)n);
}

static void
lines(uv_stream_t *client, ssize_t n, const uv_buf_t *bytes)
{
	struct connection *c = (struct connection *)client;
	size_t have, whole;

	if (n < 0) {
		uv_close((uv_handle_t *)client, release);
		return;
	}
	have = (size_t)(bytes->base - buffer) + (size_t)n;
	whole = whole_lines(buffer, have);
	rest_keep(&c->rest, buffer + whole, have - whole);
	answer(client, buffer, whole);
}

static void
sink(uv_stream_t *client, ssize_t n, const uv_buf_t *bytes)
{
	struct connection *c = (struct connection *)client;

	(void)bytes;
	if (n >= 0) {
		c->total += (uint64_t)n;
		return;
	}
	answer(client, (char *)&c->total, sizeof c->total);
	uv_close((uv_handle_t *)client, release);
}

static void
take(uv_stream_t *listener, int status)
{
	struct connection *c = calloc(1, sizeof *c);
	uv_stream_t *client = (uv_stream_t *)c;

	if (status < 0 || c == NULL || uv_tcp_init(listener->loop, &c->stream) != 0)
		abort();
	if (uv_accept(listener, client) != 0) {
		uv_close((uv_handle_t *)client, release);
		return;
	}
	uv_tcp_nodelay(&c->stream, 1);
	uv_read_start(client, lend, serve);
}

int
main(int argc, char **argv)
{
	const uv_read_cb modes[] = { echo, lines, sink, NULL };
	const uv_alloc_cb lenders[] = { lend_piece, lend_after_rest, lend_all, NULL };
	uv_tcp_t listener;

	serve = modes[mode_of(argc, argv)];
	lend = lenders[mode_of(argc, argv)];
	if (serve == NULL || uv_tcp_init(uv_default_loop(), &listener) != 0 ||
	    uv_tcp_open(&listener, listen_anywhere()) != 0 ||
	    uv_listen((uv_stream_t *)&listener, SOMAXCONN, take) != 0)
		return 2;
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
