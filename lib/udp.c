/* SPDX-License-Identifier: MIT */
/*
 * The life of a UDP socket, who may be inside, and one datagram at a time.
 *
 *   open ----bind, connect, join, send----> with a socket --close--> closed
 *      \---------------------------close------------------------------^
 *
 * One that is freed while fibers are inside a call lives until the last of them
 * has left; each of them leaves with EBADF.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/compat.h"
#include "lib/stream.h"
#include "lib/udp.h"
#include "weft/fiber.h"

struct weft_udp *
weft_udp_open(void)
{
	struct weft_loop *loop = weft__loop();
	struct weft_udp *u = loop != NULL ? calloc(1, sizeof *u) : NULL;

	if (u == NULL)
		return NULL;
	u->loop = loop;
	u->fd = -1;
	return u;
}

/* --- who is inside */

static void
destroy(struct weft_udp *u)
{
	free(u->batch);
	free(u);
}

void
weft__udp_go_out(struct weft_udp *u)
{
	if (--u->users == 0 && u->freed)
		destroy(u);
}

static void
hand_over(struct weft_udp *u, struct weft__udp_side *side)
{
	/* Whoever is woken gets in next: nobody else must slip in before. */
	if (!weft__queue_wake(&side->turns, 0))
		side->inside = NULL;
	weft__udp_go_out(u);
}

static void
begin(struct weft_udp *u, struct weft__udp_side *side, int errno_before)
{
	side->inside = weft__running(u->loop);
	side->parked = NULL;            /* or one that a fork has left behind */
	side->expired = false;
	side->pause = WEFT__UDP_PAUSE_MS;
	side->errno_before = errno_before;
}

int
weft__udp_enter(struct weft_udp *u, struct weft__udp_side *side, int64_t deadline)
{
	int saved = errno, error = weft__check(u->loop);

	if (error == 0 && u->closed)
		error = EBADF;
	if (error != 0)
		return error;
	u->users++;
	if (side->inside != NULL && !weft__gone(side->inside)) {
		error = weft__queue_wait(u->loop, &side->turns, deadline, WEFT__FOR_TURN);
		if (error != 0) {
			weft__udp_go_out(u);
			return error;
		}
	}
	begin(u, side, saved);
	error = u->closed ? EBADF : u->late;
	u->late = 0;
	if (error != 0)
		hand_over(u, side);
	return error;
}

ssize_t
weft__udp_leave(struct weft_udp *u, struct weft__udp_side *side, ssize_t result, size_t bytes)
{
	if (result >= 0)
		errno = side->errno_before;
	weft__charge(u->loop, bytes);
	hand_over(u, side);
	return result;
}

/* --- waiting */

static bool
passed(int64_t deadline)
{
	return deadline >= 0 && weft_now() >= deadline;
}

static int
park(struct weft_udp *u, struct weft__udp_side *side, int64_t deadline, unsigned waiting)
{
	int error;

	side->parked = weft__running(u->loop);
	weft__subject(u->loop, (uint64_t)u->fd);
	error = weft__park(u->loop, deadline, waiting);
	side->parked = NULL;
	return u->closed ? EBADF : error;
}

/* For what the poller reports; without a socket, for somebody to make it. */
static int
wait_ready(struct weft_udp *u, struct weft__udp_side *side, int64_t deadline)
{
	bool in = side == &u->receiving;
	int error;

	if (u->slot == NULL)
		return park(u, side, deadline, WEFT__INTERNAL | WEFT__FOR_INPUT);
	error = weft__fd_want(u->loop, u->slot, in ? WEFT_READABLE : WEFT_WRITABLE);
	if (error != 0)
		return error;
	return park(u, side, deadline,
	    WEFT__EXTERNAL | (in ? WEFT__FOR_INPUT : WEFT__FOR_OUTPUT));
}

/* The network is busy, not the socket: no poller reports the end of that. */
static int
rest(struct weft_udp *u, struct weft__udp_side *side, int64_t deadline)
{
	int64_t until = weft_after(side->pause);
	int error;

	side->pause = side->pause * 2 < WEFT__UDP_PAUSE_MAX_MS ? side->pause * 2 :
	    WEFT__UDP_PAUSE_MAX_MS;
	error = park(u, side, deadline >= 0 && deadline < until ? deadline : until,
	    WEFT__EXTERNAL | WEFT__FOR_OUTPUT);
	return error == ETIMEDOUT && !passed(deadline) && !passed(weft_deadline()) ?
	    0 : error;
}

bool
weft__udp_again(struct weft_udp *u, struct weft__udp_side *side, int64_t deadline)
{
	bool busy = errno == ENOBUFS && side == &u->sending;
	int error;

	if (!busy && errno != EAGAIN && errno != EWOULDBLOCK)
		return false;
	if (side->expired)
		error = ETIMEDOUT;
	else if (deadline == WEFT_NOWAIT)
		error = EAGAIN;
	else
		error = busy ? rest(u, side, deadline) : wait_ready(u, side, deadline);
	if (error == ETIMEDOUT && !side->expired) {
		side->expired = true;   /* once more */
		return true;
	}
	errno = error;
	return error == 0;
}

/* --- one datagram */

static ssize_t
send_once(struct weft_udp *u, const void *data, size_t n, const struct sockaddr *address,
    socklen_t length)
{
	struct sockaddr_in6 room;
	struct weft__sigpipe held;
	ssize_t sent;

	if (address != NULL)
		address = weft__udp_target(u, address, &length, &room);
	if (WEFT__SOCKETS_RAISE_SIGPIPE)
		weft__sigpipe_hold(&held, u->fd);
	do
		sent = sendto(u->fd, data, n, WEFT__NOSIGNAL, address,
		    address != NULL ? length : 0);
	while (sent < 0 && errno == EINTR);
	if (WEFT__SOCKETS_RAISE_SIGPIPE)
		weft__sigpipe_release(&held);
	if (sent < 0 && weft__udp_named_peer(u, address))
		return send_once(u, data, n, NULL, 0);
	return sent;
}

ssize_t
weft_udp_send(struct weft_udp *u, const void *data, size_t n,
    const struct sockaddr *address, socklen_t length, int64_t deadline)
{
	int error = weft__udp_enter(u, &u->sending, deadline);
	ssize_t sent;

	if (error != 0)
		return weft__fail(error);
	error = weft__udp_make_for(u, address, length);
	if (error != 0)
		return weft__udp_leave(u, &u->sending, weft__fail(error), 0);
	while ((sent = send_once(u, data, n, address, length)) < 0 &&
	    weft__udp_again(u, &u->sending, deadline))
		;
	return weft__udp_leave(u, &u->sending, sent, n);
}

static ssize_t
receive_once(const struct weft_udp *u, void *data, size_t n, struct weft_datagram *info)
{
	struct iovec iov = { data, n };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t got;

	if (u->slot == NULL)
		return weft__fail(EAGAIN);
	if (info != NULL) {
		message.msg_name = &info->address;
		message.msg_namelen = sizeof info->address;
	}
	do
		got = recvmsg(u->fd, &message, 0);
	while (got < 0 && errno == EINTR);
	if (got >= 0 && info != NULL) {
		info->address_length = message.msg_namelen;
		info->truncated = message.msg_flags & MSG_TRUNC;
	}
	return got;
}

ssize_t
weft_udp_receive(struct weft_udp *u, void *data, size_t n, struct weft_datagram *info,
    int64_t deadline)
{
	int error = weft__udp_enter(u, &u->receiving, deadline);
	ssize_t got;

	if (error != 0)
		return weft__fail(error);
	while ((got = receive_once(u, data, n, info)) < 0 &&
	    weft__udp_again(u, &u->receiving, deadline))
		;
	return weft__udp_leave(u, &u->receiving, got, got > 0 ? (size_t)got : 0);
}

int
weft_udp_flush(struct weft_udp *u, int64_t deadline)
{
	int error = weft__udp_enter(u, &u->sending, deadline);

	return error != 0 ? weft__fail(error) :
	    (int)weft__udp_leave(u, &u->sending, 0, 0);
}

/* --- the end */

static void
turn_out(struct weft_udp *u)
{
	u->closed = true;
	if (u->receiving.parked != NULL)
		weft__wake(u->receiving.parked, EBADF);
	if (u->sending.parked != NULL)
		weft__wake(u->sending.parked, EBADF);
	weft__queue_wake_all(&u->receiving.turns, EBADF);
	weft__queue_wake_all(&u->sending.turns, EBADF);
}

int
weft_udp_close(struct weft_udp *u)
{
	int saved = errno;

	if (u->closed)
		return 0;
	weft__udp_look(u);
	turn_out(u);
	weft__udp_unmake(u);
	errno = saved;
	return 0;
}

void
weft_udp_free(struct weft_udp *u)
{
	if (u == NULL || u->freed)
		return;
	weft_udp_close(u);
	u->freed = true;
	if (u->users == 0)
		destroy(u);
}
