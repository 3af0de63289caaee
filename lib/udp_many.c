/* SPDX-License-Identifier: MIT */
/*
 * Datagrams in batches: up to 64 per system call, where there is such a call.
 *
 * The headers that the kernel wants are kept with the socket; both directions
 * share them, because nobody waits between filling them in and the call.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/compat.h"
#include "lib/stream.h"
#include "lib/udp.h"

struct weft__udp_batch {
	struct mmsghdr headers[WEFT__UDP_BATCH];
	struct iovec iov[WEFT__UDP_BATCH];
	struct sockaddr_in6 targets[WEFT__UDP_BATCH];
};

/* 0 or an errno. */
static int
check(struct weft_udp *u, int n)
{
	if (n < 1)
		return EINVAL;
	if (u->batch == NULL)
		u->batch = malloc(sizeof *u->batch);
	return u->batch != NULL ? 0 : ENOMEM;
}

static struct msghdr *
prepare(struct weft__udp_batch *batch, int i, const struct weft_message *message)
{
	batch->iov[i] = (struct iovec){ message->data, message->length };
	batch->headers[i] = (struct mmsghdr){ .msg_hdr = {
		.msg_iov = &batch->iov[i], .msg_iovlen = 1 } };
	return &batch->headers[i].msg_hdr;
}

static int
at_most(int n)
{
	return n < WEFT__UDP_BATCH ? n : WEFT__UDP_BATCH;
}

/* --- receive */

static void
finish(const struct mmsghdr *header, struct weft_message *message)
{
	message->length = header->msg_len;
	message->info.address_length = header->msg_hdr.msg_namelen;
	message->info.truncated = header->msg_hdr.msg_flags & MSG_TRUNC;
}

static int
receive_batch(struct weft_udp *u, struct weft_message *messages, int n)
{
	int i, got;

	for (i = 0; i < n; i++) {
		struct msghdr *header = prepare(u->batch, i, &messages[i]);

		header->msg_name = &messages[i].info.address;
		header->msg_namelen = sizeof messages[i].info.address;
	}
	got = weft__compat_recvmmsg(u->fd, u->batch->headers, (unsigned)n, &u->late);
	for (i = 0; i < got; i++)
		finish(&u->batch->headers[i], &messages[i]);
	return got;
}

/* What there is. An error behind the first is for the next call. */
static int
receive_some(struct weft_udp *u, struct weft_message *messages, int n)
{
	int total = 0, got, asked;

	if (u->slot == NULL)
		return weft__fail(EAGAIN);
	do {
		asked = at_most(n - total);
		got = receive_batch(u, messages + total, asked);
		if (got < 0)
			break;
		total += got;
	} while (got == asked && total < n);
	if (total > 0 && got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		u->late = errno;
	return total > 0 ? total : got;
}

static size_t
bytes_of(const struct weft_message *messages, int n)
{
	size_t bytes = 0;

	while (n-- > 0)
		bytes += messages[n].length;
	return bytes;
}

int
weft_udp_receive_many(struct weft_udp *u, struct weft_message *messages, int n,
    int64_t deadline)
{
	int got, error = check(u, n);

	if (error == 0)
		error = weft__udp_enter(u, &u->receiving, deadline);
	if (error != 0)
		return weft__fail(error);
	while ((got = receive_some(u, messages, n)) < 0 &&
	    weft__udp_again(u, &u->receiving, deadline))
		;
	return (int)weft__udp_leave(u, &u->receiving, got, bytes_of(messages, got));
}

/* --- send */

static void
address_to(struct weft_udp *u, int i, struct msghdr *header,
    const struct weft_datagram *info)
{
	const struct sockaddr *address = (const struct sockaddr *)&info->address;
	socklen_t length = info->address_length;

	if (length == 0)
		return;
	address = weft__udp_target(u, address, &length, &u->batch->targets[i]);
	header->msg_name = (void *)(uintptr_t)address;
	header->msg_namelen = length;
}

/* Those that name the peer. Whether the first is one. */
static bool
forget_peer(struct weft_udp *u, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		struct msghdr *header = &u->batch->headers[i].msg_hdr;

		if (!weft__udp_named_peer(u, header->msg_name))
			break;
		header->msg_name = NULL;
		header->msg_namelen = 0;
	}
	return i > 0;
}

static int
send_batch(struct weft_udp *u, const struct weft_message *messages, int n)
{
	int i, sent;

	for (i = 0; i < n; i++)
		address_to(u, i, prepare(u->batch, i, &messages[i]), &messages[i].info);
	sent = weft__compat_sendmmsg(u->fd, u->batch->headers, (unsigned)n);
	if (sent < 0 && forget_peer(u, n))
		sent = weft__compat_sendmmsg(u->fd, u->batch->headers, (unsigned)n);
	return sent;
}

/* All; or until one fails that waiting does not help, and errno says why. */
static int
send_all(struct weft_udp *u, const struct weft_message *messages, int n, int64_t deadline)
{
	int sent, total = 0;

	while (total < n) {
		sent = send_batch(u, messages + total, at_most(n - total));
		if (sent > 0) {
			total += sent;
			if (total < n)
				weft__charge(u->loop, bytes_of(messages + total - sent, sent));
		} else if (!weft__udp_again(u, &u->sending, deadline)) {
			break;
		}
	}
	return total;
}

int
weft_udp_send_many(struct weft_udp *u, struct weft_message *messages, int n,
    int64_t deadline)
{
	const struct weft_datagram *first = &messages->info;
	int sent, error = check(u, n);

	if (error == 0)
		error = weft__udp_enter(u, &u->sending, deadline);
	if (error != 0)
		return weft__fail(error);
	error = weft__udp_make_for(u, first->address_length == 0 ? NULL :
	    (const struct sockaddr *)&first->address, first->address_length);
	if (error != 0)
		return (int)weft__udp_leave(u, &u->sending, weft__fail(error), 0);
	sent = send_all(u, messages, n, deadline);
	/* It is gone from the kernel, and would be told to nobody. */
	if (sent > 0 && sent < n && errno == ECONNREFUSED)
		u->late = errno;
	return (int)weft__udp_leave(u, &u->sending, sent > 0 ? sent : -1,
	    bytes_of(messages, sent));
}
