/* SPDX-License-Identifier: MIT */
/*
 * bench/server_pth.c - the servers on GNU Pth, which waits with select(2): no
 * more than 1,000 connections.
 */
#include <fcntl.h>
#include <pth.h>
#include <unistd.h>

#include "lines.h"
#include "listen.h"

static void *
echo(void *arg)
{
	int client = (int)(intptr_t)arg;
	char bytes[PIECE];
	ssize_t n;

	while ((n = pth_read(client, bytes, sizeof bytes)) > 0)
		if (pth_write(client, bytes, (size_t)n) != n)
			break;
	close(client);
	return NULL;
}

static void *
lines(void *arg)
{
	int client = (int)(intptr_t)arg;
	char bytes[PIECE];
	size_t have = 0, whole;
	ssize_t n;

	while ((n = pth_read(client, bytes + have, sizeof bytes - have)) > 0) {
		have += (size_t)n;
		whole = whole_lines(bytes, have);
		if (whole > 0 && pth_write(client, bytes, whole) < 0)
			break;
		memmove(bytes, bytes + whole, have -= whole);
	}
	close(client);
	return NULL;
}

static void *
sink(void *arg)
{
	static char bytes[BULK];        /* nobody looks at them */
	int client = (int)(intptr_t)arg;
	uint64_t total = 0;
	ssize_t n;

	while ((n = pth_read(client, bytes, sizeof bytes)) > 0)
		total += (uint64_t)n;
	pth_write(client, &total, sizeof total);
	close(client);
	return NULL;
}

int
main(int argc, char **argv)
{
	void *(*const modes[])(void *) = { echo, lines, sink, NULL };
	void *(*serve)(void *) = modes[mode_of(argc, argv)];
	pth_attr_t attributes;
	int listener, client;

	if (serve == NULL || !pth_init())
		return 2;
	attributes = pth_attr_new();
	pth_attr_set(attributes, PTH_ATTR_JOINABLE, FALSE);
	pth_attr_set(attributes, PTH_ATTR_STACK_SIZE, 65536);
	listener = listen_anywhere();
	fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) & ~O_NONBLOCK);       /* or it does not wait */
	while ((client = pth_accept(listener, NULL, NULL)) >= 0)
		pth_spawn(attributes, serve, (void *)(intptr_t)without_delay(client));
	return 1;
}
