/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz_reactor.h - what fuzz_reactor.c does to descriptors without weft's
 * help, its input, and the story that it tells when it disagrees.
 */
#ifndef WEFT_TESTS_FUZZ_REACTOR_H
#define WEFT_TESTS_FUZZ_REACTOR_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz_input.h"
#include "weft/base.h"

static const char *backend;
static char story[1 << 15];     /* all operations of this input */
static size_t told_so_far;

#define AGREE(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "fuzz_reactor: %s, line %d: %s, after:%s\n", \
			    backend, __LINE__, #condition, story); \
			abort(); \
		} \
	} while (0)

static void
tell(const char *what, int a, int b)
{
	int n = snprintf(story + told_so_far, sizeof story - told_so_far,
	    " %s %d %d;", what, a, b);

	if (n > 0 && told_so_far + (size_t)n < sizeof story)
		told_so_far += (size_t)n;
}

/* --- the oracle */

static int
ready(int fd)
{
	struct pollfd question = { .fd = fd, .events = POLLIN | POLLOUT };

	AGREE(poll(&question, 1, 0) >= 0 && !(question.revents & POLLNVAL));
	return (question.revents & (POLLIN | POLLHUP | POLLERR) ? WEFT_READABLE : 0) |
	    (question.revents & (POLLOUT | POLLHUP | POLLERR) ? WEFT_WRITABLE : 0);
}

/* --- descriptors */

static int
open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 64; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void
connect_pair(int fds[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof address;
	int server = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	AGREE(bind(server, (struct sockaddr *)&address, sizeof address) == 0);
	AGREE(listen(server, 1) == 0);
	AGREE(getsockname(server, (struct sockaddr *)&address, &length) == 0);
	AGREE(connect(fds[0], (struct sockaddr *)&address, length) == 0);
	fds[1] = accept(server, NULL, NULL);
	AGREE(fds[1] >= 0);
	close(server);
}

static void
write_to(int fd)
{
	static const char bytes[65536];
	static const uint64_t most = UINT64_MAX - 1;
	unsigned n = byte();

	if (n >= 192) {
		while (write(fd, bytes, sizeof bytes) > 0)
			;
		while (write(fd, bytes, 1) > 0)
			;
		tell("fill", fd, write(fd, &most, sizeof most) == sizeof most);
	} else {
		uint64_t one[32] = { 1 };

		tell("write", fd, (int)write(fd, one, n % sizeof one + 1));
	}
}

static void
read_from(int fd)
{
	static char bytes[65536];
	unsigned n = byte();

	if (n % 2) {
		while (read(fd, bytes, sizeof bytes) > 0)
			;
		tell("drain", fd, 0);
	} else {
		tell("read", fd, (int)read(fd, bytes, n % 64 + 8));
	}
}

#endif
