/* SPDX-License-Identifier: MIT */
/*
 * bench/server_uv.c - the echo server on libuv: its streams, one buffer, tried
 * at once and queued only when the kernel is full.
 */
#include <string.h>
#include <uv.h>

#include "listen.h"

static char buffer[16384];

struct answer {
	uv_write_t request;     /* first */
	char bytes[];
};

static void
lend(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
	(void)handle, (void)wanted;
	*out = uv_buf_init(buffer, sizeof buffer);
}

static void
release(uv_handle_t *handle)
{
	free(handle);
}

static void
written(uv_write_t *request, int status)
{
	(void)status;
	free(request);
}

static void
echo(uv_stream_t *client, ssize_t n, const uv_buf_t *bytes)
{
	uv_buf_t answer = uv_buf_init(bytes->base, n > 0 ? (unsigned)n : 0);
	int sent = n > 0 ? uv_try_write(client, &answer, 1) : 0;
	struct answer *rest;

	if (n < 0) {
		uv_close((uv_handle_t *)client, release);
		return;
	}
	sent = sent < 0 ? 0 : sent;
	if (sent == n)
		return;
	rest = malloc(sizeof *rest + (size_t)(n - sent));
	if (rest == NULL)
		abort();
	memcpy(rest->bytes, bytes->base + sent, (size_t)(n - sent));
	answer = uv_buf_init(rest->bytes, (unsigned)(n - sent));
	uv_write(&rest->request, client, &answer, 1, written);
}

static void
take(uv_stream_t *listener, int status)
{
	uv_tcp_t *client = malloc(sizeof *client);

	if (status < 0 || client == NULL || uv_tcp_init(listener->loop, client) != 0)
		abort();
	if (uv_accept(listener, (uv_stream_t *)client) != 0) {
		uv_close((uv_handle_t *)client, release);
		return;
	}
	uv_tcp_nodelay(client, 1);
	uv_read_start((uv_stream_t *)client, lend, echo);
}

int
main(void)
{
	uv_tcp_t listener;

	if (uv_tcp_init(uv_default_loop(), &listener) != 0 ||
	    uv_tcp_open(&listener, listen_anywhere()) != 0 ||
	    uv_listen((uv_stream_t *)&listener, SOMAXCONN, take) != 0)
		return 1;
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
