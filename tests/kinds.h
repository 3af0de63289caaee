/* SPDX-License-Identifier: MIT */
/*
 * tests/kinds.h - descriptors of every kind in every state.
 */
#ifndef WEFT_TESTS_KINDS_H
#define WEFT_TESTS_KINDS_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_EVENTFD
#include <sys/eventfd.h>
#endif

#include "tests/harness.h"

/* --- pairs: the second end may be missing */

static void
tcp_server(int ends[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(ends[0], (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(ends[0], 4), 0);
}

static int
connected_to(int server, int type)
{
	struct sockaddr_in address;
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, type, 0);

	ck_assert_int_eq(getsockname(server, (struct sockaddr *)&address, &length), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, length), 0);
	return fd;
}

static void
tcp_server_with_client(int ends[2])
{
	tcp_server(ends);
	ends[1] = connected_to(ends[0], SOCK_STREAM);
}

static void
tcp(int ends[2])
{
	int server[2];

	tcp_server(server);
	ends[0] = connected_to(server[0], SOCK_STREAM);
	ends[1] = accept(server[0], NULL, NULL);
	close(server[0]);
}

static void
tcp_unconnected(int ends[2])
{
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
}

static void
udp(int ends[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ends[1] = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(ends[1], (struct sockaddr *)&address, sizeof address), 0);
	ends[0] = connected_to(ends[1], SOCK_DGRAM);
}

static void
udp_to_us(int ends[2])
{
	int fds[2];

	udp(fds);
	ends[0] = fds[1];
	ends[1] = fds[0];
}

static void
unix_stream(int ends[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static void
reading_end(int ends[2])
{
	ck_assert_int_eq(pipe(ends), 0);
}

static void
writing_end(int ends[2])
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ends[0] = fds[1];
	ends[1] = fds[0];
}

static void
open_fifo(int ends[2], bool has_writer)
{
	char folder[] = "/tmp/weft-check-XXXXXX", path[64];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/fifo", folder);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ends[0] = open(path, O_RDONLY | O_NONBLOCK);
	if (has_writer)
		ends[1] = open(path, O_WRONLY);
	unlink(path);
	rmdir(folder);
}

static void
fifo(int ends[2])
{
	open_fifo(ends, true);
}

static void
fifo_before_a_writer(int ends[2])
{
	open_fifo(ends, false);
}

static void
pty_master(int ends[2])
{
	ends[0] = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert_int_eq(grantpt(ends[0]) + unlockpt(ends[0]), 0);
	ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY);
}

static void
pty_slave(int ends[2])
{
	int fds[2];

	pty_master(fds);
	ends[0] = fds[1];
	ends[1] = fds[0];
}

#ifdef HAVE_EVENTFD
static void
eventfd_of_0(int ends[2])
{
	ends[0] = eventfd(0, 0);
}

static void
eventfd_of_1(int ends[2])
{
	ends[0] = eventfd(1, 0);
}

static void
eventfd_of_most(int ends[2])
{
	uint64_t most = UINT64_MAX - 1;

	ends[0] = eventfd(0, 0);
	ck_assert_int_eq(write(ends[0], &most, sizeof most), sizeof most);
}
#endif

static void
regular_file(int ends[2])
{
	char path[] = "/tmp/weft-check-XXXXXX";

	ends[0] = mkstemp(path);
	unlink(path);
}

static void
directory(int ends[2])
{
	ends[0] = open("/", O_RDONLY);
}

static void
dev_null(int ends[2])
{
	ends[0] = open("/dev/null", O_RDWR);
}

static void
closed(int ends[2])
{
	ends[0] = dup(0);
	close(ends[0]);
}

static void
negative(int ends[2])
{
	ends[0] = -1;
}

static void
beyond_the_limit(int ends[2])
{
	ends[0] = 1 << 22;
}

/* --- and what happens to them, in this order */

enum {
	FILL = 1,       /* we write until it is full */
	OURS = 2,       /* we write some bytes */
	DATA = 4,       /* the other end writes some */
	RESET = 8,      /* the other end is closed, and resets */
	DROP = 16,      /* the other end is closed */
	SHUT = 32,      /* we write no more */
	LATE = 64       /* we write to nobody */
};

static void
fill(int fd)
{
	static const char bytes[65536];

	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (write(fd, bytes, sizeof bytes) > 0)
		;
	while (write(fd, bytes, 1) > 0)
		;
}

static void
act(int ends[2], int actions)
{
	struct linger linger = { .l_onoff = 1 };

	if (actions & FILL)
		fill(ends[0]);
	if (actions & OURS)
		ck_assert_int_eq(write(ends[0], "data", 4), 4);
	if (actions & DATA)
		ck_assert_int_eq(write(ends[1], "data", 4), 4);
	if (actions & RESET)
		setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	if (actions & (DROP | RESET)) {
		close(ends[1]);
		ends[1] = -1;
	}
	if (actions & SHUT)
		shutdown(ends[0], SHUT_WR);
	if (actions & LATE)
		ck_assert_int_eq(write(ends[0], "data", 4), 4);
}

static const struct {
	const char *name;
	void (*open)(int ends[2]);
	int actions;
} kinds[] = {
	{ "tcp", tcp, 0 },
	{ "tcp, data", tcp, DATA },
	{ "tcp, full", tcp, FILL },
	{ "tcp, full, data", tcp, FILL | DATA },
	{ "tcp, ended", tcp, DROP },
	{ "tcp, data and end", tcp, DATA | DROP },
	{ "tcp, ended both ways", tcp, DROP | SHUT },
	{ "tcp, shut down by us", tcp, SHUT },
	{ "tcp, reset", tcp, RESET },
	{ "tcp, data and reset", tcp, DATA | RESET },
	{ "tcp, ended with our bytes unread", tcp, OURS | DROP },
	{ "tcp, not connected", tcp_unconnected, 0 },
	{ "listener", tcp_server, 0 },
	{ "listener, client", tcp_server_with_client, 0 },
	{ "listener, client gone", tcp_server_with_client, DROP },
	{ "listener, client reset", tcp_server_with_client, RESET },
	{ "udp", udp, 0 },
	{ "udp, data", udp_to_us, DATA },
	{ "udp, refused", udp, DROP | LATE },
	{ "unix", unix_stream, 0 },
	{ "unix, data", unix_stream, DATA },
	{ "unix, full", unix_stream, FILL },
	{ "unix, ended", unix_stream, DROP },
	{ "unix, data and end", unix_stream, DATA | DROP },
	{ "unix, ended with our bytes unread", unix_stream, OURS | DROP },
	{ "unix, full and ended", unix_stream, FILL | DROP },
	{ "unix, shut down by us", unix_stream, SHUT },
	{ "pipe", reading_end, 0 },
	{ "pipe, data", reading_end, DATA },
	{ "pipe, ended", reading_end, DROP },
	{ "pipe, data and end", reading_end, DATA | DROP },
	{ "pipe to write", writing_end, 0 },
	{ "pipe to write, full", writing_end, FILL },
	{ "pipe to write, no reader", writing_end, DROP },
	{ "pipe to write, full, no reader", writing_end, FILL | DROP },
	{ "fifo", fifo, 0 },
	{ "fifo, data", fifo, DATA },
	{ "fifo, no writer yet", fifo_before_a_writer, 0 },
	{ "fifo, no writer any more", fifo, DROP },
	{ "pty master", pty_master, 0 },
	{ "pty master, data", pty_master, DATA },
	{ "pty master, no slave", pty_master, DROP },
	{ "pty slave", pty_slave, 0 },
	{ "pty slave, no master", pty_slave, DROP },
#ifdef HAVE_EVENTFD
	{ "eventfd of 0", eventfd_of_0, 0 },
	{ "eventfd of 1", eventfd_of_1, 0 },
	{ "eventfd of the most", eventfd_of_most, 0 },
#endif
	{ "regular file", regular_file, 0 },
	{ "directory", directory, 0 },
	{ "/dev/null", dev_null, 0 },
	{ "closed", closed, 0 },
	{ "negative", negative, 0 },
	{ "beyond the limit", beyond_the_limit, 0 },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int ends[2];

static inline void
open_kind(int i)
{
	ends[0] = ends[1] = -1;
	kinds[i].open(ends);
	act(ends, kinds[i].actions);
}

static void
close_kind(void)
{
	if (ends[0] >= 0)
		weft_fd_close(ends[0]);         /* EBADF for those that are not open */
	if (ends[1] >= 0)
		close(ends[1]);
}

#endif
