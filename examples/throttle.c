/* SPDX-License-Identifier: MIT */
/* A relay that lets so many bytes per second through, each way, for each client.
 *
 *      throttle PORT TARGET-HOST TARGET-PORT BYTES-PER-SECOND
 *
 * It shows a stream class of one's own: `limited` lies on another stream and
 * says EAGAIN while its bucket is empty; a fiber notifies it when there is
 * something in it again. Reading, writing, waiting, queues and deadlines are
 * weft's, as for every stream.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <weft.h>
#include <weft/class.h>

enum { IN, OUT, PAUSE_MS = 20 };

struct bucket {
	size_t bytes;                   /* that may go now */
	int64_t since;                  /* when it was last filled */
	bool waiting;                   /* a fiber will notify */
};

struct limited {
	struct weft_stream *below;
	struct weft_stream *stream;     /* NULL: closed */
	size_t rate;                    /* bytes per second */
	struct bucket bucket[2];
	int users;                      /* the stream, and fibers that wait */
};

/* --- the class */

static void
let_go(struct limited *l)
{
	if (--l->users == 0)
		free(l);
}

/* How many bytes may go; it holds a tenth of a second's. */
static size_t
allowance(struct limited *l, int side)
{
	struct bucket *b = &l->bucket[side];
	int64_t now = weft_now();
	size_t most = l->rate / 10 + 1, more = (size_t)(now - b->since) * l->rate / 1000;

	if (more > 0) {
		b->bytes = b->bytes + more < most ? b->bytes + more : most;
		b->since = now;
	}
	if (b->bytes == 0)
		errno = EAGAIN;
	return b->bytes;
}

static ssize_t
limited_read(struct weft_stream *s, void *dst, size_t n)
{
	struct limited *l = weft_stream_object(s);
	size_t most = allowance(l, IN);
	ssize_t got;

	if (most == 0)
		return -1;
	got = weft_stream_read(l->below, dst, n < most ? n : most, WEFT_NOWAIT);
	if (got > 0)
		l->bucket[IN].bytes -= (size_t)got;
	return got;
}

static ssize_t
limited_writev(struct weft_stream *s, const struct iovec *iov, int count)
{
	struct limited *l = weft_stream_object(s);
	size_t most = allowance(l, OUT);
	ssize_t sent;

	for (; count > 1 && iov->iov_len == 0; count--)
		iov++;
	if (most == 0)
		return -1;
	sent = weft_stream_write(l->below, iov->iov_base,
	    iov->iov_len < most ? iov->iov_len : most, WEFT_NOWAIT);
	if (sent > 0)
		l->bucket[OUT].bytes -= (size_t)sent;
	return sent;
}

static int
notify_later(struct limited *l, int side, int event)
{
	int64_t full = 1000 / (int64_t)l->rate + 1;     /* for one byte at least */

	weft_sleep(weft_after(full > PAUSE_MS ? full : PAUSE_MS));
	l->bucket[side].waiting = false;
	if (l->stream != NULL)
		weft_stream_notify(l->stream, event);
	let_go(l);
	return 0;
}

static int
notify_reader(void *l)
{
	return notify_later(l, IN, WEFT_READABLE);
}

static int
notify_writer(void *l)
{
	return notify_later(l, OUT, WEFT_WRITABLE);
}

/* The stream below tells when it can go on; of the bucket a fiber does. */
static int
want(struct limited *l, int side, int event)
{
	if (allowance(l, side) > 0)
		return weft_stream_want(l->below, event, l->stream);
	if (l->bucket[side].waiting)
		return 0;
	if (weft_go(side == IN ? notify_reader : notify_writer, l) < 0)
		return -1;
	l->bucket[side].waiting = true;
	l->users++;
	return 0;
}

static int
limited_want(struct weft_stream *s, int events)
{
	struct limited *l = weft_stream_object(s);

	if (events & WEFT_READABLE && want(l, IN, WEFT_READABLE) < 0)
		return -1;
	return events & WEFT_WRITABLE ? want(l, OUT, WEFT_WRITABLE) : 0;
}

static int
limited_shutdown(struct weft_stream *s)
{
	struct limited *l = weft_stream_object(s);

	return weft_stream_shutdown(l->below, WEFT_NOWAIT);
}

static void
limited_close(struct weft_stream *s, bool reset)
{
	struct limited *l = weft_stream_object(s);

	if (reset)
		weft_stream_abort(l->below);
	weft_stream_free(l->below);
	l->stream = NULL;
}

static void
limited_free(struct weft_stream *s)
{
	let_go(weft_stream_object(s));
}

static const struct weft_stream_class limited_class = {
	.size = sizeof limited_class, .name = "limited", .read = limited_read,
	.writev = limited_writev, .want = limited_want, .shutdown = limited_shutdown,
	.close = limited_close, .free = limited_free
};

/* Takes `below`, on success. What it does not take at once stays above. */
static struct weft_stream *
limit(struct weft_stream *below, size_t rate)
{
	struct limited *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	l->below = below;
	l->rate = rate;
	l->users = 1;
	l->bucket[IN].since = l->bucket[OUT].since = weft_now();
	l->stream = weft_stream_new(&limited_class, l);
	if (l->stream == NULL || weft_stream_set_watermarks(below, 0, 0) < 0) {
		free(l);
		return NULL;
	}
	return l->stream;
}

/* --- the relay */

static const char *target_host, *target_port;
static size_t rate;

struct way {
	struct weft_stream *from, *to;
};

static int
carry(void *arg)
{
	struct way *way = arg;
	const void *data;
	ssize_t n;

	while ((n = weft_stream_peek(way->from, 1, &data, WEFT_NEVER)) > 0) {
		if (weft_stream_write(way->to, data, (size_t)n, WEFT_NEVER) != n)
			break;
		weft_stream_skip(way->from, (size_t)n);
	}
	if (n == 0)
		return weft_stream_shutdown(way->to, WEFT_NEVER);
	weft_stream_abort(way->from);   /* the other way has nothing to do, either */
	weft_stream_abort(way->to);
	return -1;
}

static int
relay(struct weft_stream *client, void *arg)
{
	struct weft_stream *s = limit(client, rate);
	struct weft_stream *target = s == NULL ? NULL :
	    weft_tcp_connect(target_host, target_port, NULL, weft_after(10000));
	struct way there = { s, target }, back = { target, s };
	struct weft_scope *scope;

	(void)arg;
	if (target == NULL) {
		fprintf(stderr, "throttle: %s\n", weft_stream_error_text(NULL));
		weft_stream_free(s);
		return -1;
	}
	scope = weft_scope_open(WEFT_NEVER);
	if (scope != NULL && weft_scope_spawn(scope, carry, &there) == 0 &&
	    weft_scope_spawn(scope, carry, &back) == 0)
		weft_scope_wait(scope, WEFT_NEVER);
	weft_scope_close(scope);
	weft_stream_close(s, weft_after(10000));
	weft_stream_free(s);
	weft_stream_free(target);
	return 0;
}

int
main(int argc, char **argv)
{
	struct weft_server *server;

	rate = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
	if (rate == 0) {
		fprintf(stderr, "usage: throttle PORT HOST PORT BYTES-PER-SECOND\n");
		return 2;
	}
	target_host = argv[2];
	target_port = argv[3];
	server = weft_tcp_listen("localhost", argv[1], NULL);
	if (server == NULL) {
		fprintf(stderr, "throttle: %s\n", weft_stream_error_text(NULL));
		return 1;
	}
	printf("%d\n", weft_server_port(server));
	fflush(stdout);
	return weft_server_serve(server, relay, NULL) < 0;
}
