/* SPDX-License-Identifier: MIT */
/* What the probes share. They need no weft and run on any system with kqueue. */
#ifndef WEFT_TESTS_KQUEUE_PROBE_H
#define WEFT_TESTS_KQUEUE_PROBE_H

#include <sys/types.h>
#include <sys/event.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int kq;
static char buffer[65536];

static inline void
put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		printf("   write: %s\n", strerror(errno));
}

/* As much as there is room for. */
static inline long
fill(int fd, size_t piece)
{
	long sum = 0;
	ssize_t n;

	while ((n = write(fd, buffer, piece)) > 0)
		sum += n;
	return sum;
}

/* As much as there is, but not more than `most`. */
static inline long
drain(int fd, size_t piece, long most)
{
	long sum = 0;
	ssize_t n;

	while (sum < most && (n = read(fd, buffer, piece)) > 0)
		sum += n;
	return sum;
}

#endif
