/* SPDX-License-Identifier: MIT */
/*
 * What every fiber is waiting for, in a line each. A wait has said what for
 * when it parked (WEFT__FOR_) and which one (the subject); everything else is
 * found out here, when somebody asks.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "fiber/fiber.h"
#include "weft/loop.h"

/* --- addresses */

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

static void
print_address(FILE *out, const char *before, const union address *a, socklen_t size)
{
	char text[INET6_ADDRSTRLEN] = "?";

	switch (a->any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &a->in.sin_addr, text, sizeof text);
		fprintf(out, " (%s %s:%d)", before, text, ntohs(a->in.sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &a->in6.sin6_addr, text, sizeof text);
		fprintf(out, " (%s [%s]:%d)", before, text, ntohs(a->in6.sin6_port));
		break;
	case AF_UNIX:
		if (size > offsetof(struct sockaddr_un, sun_path) && a->un.sun_path[0] != '\0')
			fprintf(out, " (%s %.*s)", before,
			    (int)(size - offsetof(struct sockaddr_un, sun_path)),
			    a->un.sun_path);
		else
			fputs(" (a Unix socket)", out);
		break;
	default:
		break;
	}
}

/* And whom it is connected to, or else what its own address is. */
static void
print_descriptor(FILE *out, int fd)
{
	union address address = { 0 };
	socklen_t size = sizeof address;

	if (fd < 0)
		return;         /* a stream in memory */
	fprintf(out, " on descriptor %d", fd);
	if (getpeername(fd, &address.any, &size) == 0 && size > 0) {
		print_address(out, "peer", &address, size);
		return;
	}
	size = sizeof address;
	if (getsockname(fd, &address.any, &size) == 0 && size > 0)
		print_address(out, "at", &address, size);
}

/* --- a fiber */

static void
print_what(FILE *out, const struct weft_fiber *fiber)
{
	unsigned kind = fiber->waiting / WEFT__FOR;
	const char *at = kind < sizeof weft__waits / sizeof *weft__waits ?
	    weft__waits[kind] : weft__waits[0];

	fputs("waits for ", out);
	for (; *at != '\0'; at++)
		if (*at == '%')
			fprintf(out, "%" PRId64, (int64_t)fiber->subject);
		else
			fputc(*at, out);
	kind *= WEFT__FOR;
	if (kind == WEFT__FOR_INPUT || kind == WEFT__FOR_OUTPUT)
		print_descriptor(out, (int)fiber->subject);
	fprintf(out, ", since %" PRId64 " ms",
	    (weft__clock_ns() - fiber->parked_since) / 1000000);
}

static void
print_state(FILE *out, const struct weft_fiber *fiber)
{
	switch ((enum weft__state)fiber->state) {
	case WEFT__PARKED:
		print_what(out, fiber);
		break;
	case WEFT__RUNNING:
		fputs("runs", out);
		break;
	case WEFT__DONE:
		fprintf(out, "has ended with %d, not joined", fiber->result);
		break;
	default:
		fputs("is ready", out);
		break;
	}
}

/* A name is the program's and may hold anything. */
static void
print_name(FILE *out, const char *name)
{
	for (; *name != '\0'; name++)
		fputc((unsigned char)*name < ' ' || *name == 127 || *name == '"' ?
		    '?' : *name, out);
}

static int64_t
deadline_of(const struct weft_fiber *fiber)
{
	return fiber->state == WEFT__PARKED ? fiber->timer.deadline : fiber->deadline;
}

static void
print_fiber(FILE *out, const struct weft_fiber *fiber)
{
	int64_t deadline = deadline_of(fiber);

	fprintf(out, "fiber %" PRIu64 " \"", fiber->id);
	print_name(out, fiber->name);
	fputs("\" ", out);
	print_state(out, fiber);
	if (fiber->canceled)
		fputs(", cancelled", out);
	if (deadline != INT64_MAX && fiber->state != WEFT__DONE)
		fprintf(out, ", deadline in %" PRId64 " ms", deadline - weft__clock());
	if (fiber->stack != NULL)
		fprintf(out, ", stack %zu of %zu KiB",
		    weft__stack_high_water(fiber->stack) >> 10,
		    (weft__stack_size(fiber->stack) + 1023) >> 10);
	fputc('\n', out);
}

static void
print_all(FILE *out, const struct weft_loop *loop)
{
	const struct weft_fiber *fiber;

	print_fiber(out, &loop->main);
	for (fiber = loop->all; fiber != NULL; fiber = fiber->older)
		if (fiber->state != WEFT__POOLED && fiber->state != WEFT__GONE)
			print_fiber(out, fiber);
}

int
weft_dump(FILE *out)
{
	struct weft_loop *loop = weft__loop();
	int saved = errno;

	if (loop == NULL)
		return -1;
	if (out == NULL) {
		errno = EINVAL;
		return -1;
	}
	print_all(out, loop);
	if (fflush(out) != 0)
		return -1;
	errno = ferror(out) ? EIO : saved;
	return ferror(out) ? -1 : 0;
}

/* --- by signal */

static void
dump_now(void *arg)
{
	struct weft_loop *loop = arg;

	weft__watch_again(&loop->dump_watch);
	weft_dump(stderr);
}

static void
stop(struct weft_loop *loop)
{
	if (loop->dump_signal == 0)
		return;
	weft__watch_end(&loop->dump_watch);
	loop->dump_signal = 0;
	/* The watch is used again: first what it has posted has to come. */
	if (weft__watch_full(&loop->dump_watch))
		weft__loop_run_posts(loop);
}

int
weft_dump_on_signal(int signal)
{
	struct weft_loop *loop = weft__loop();
	int saved = errno, error = 0;
	sigset_t set;

	if (loop == NULL)
		return -1;
	sigemptyset(&set);
	if (signal != 0 && (sigaddset(&set, signal) < 0 || !weft__watch_possible(&set))) {
		errno = EINVAL;
		return -1;
	}
	stop(loop);
	if (signal != 0) {
		loop->dump_watch.post = (struct weft__post){ .fn = dump_now, .arg = loop };
		error = weft__watch_begin(&loop->dump_watch, loop, &set, WEFT__WATCH_DUMP);
	}
	if (error == 0)
		loop->dump_signal = signal;
	errno = error == 0 ? saved : error;
	return error == 0 ? 0 : -1;
}
