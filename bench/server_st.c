/* SPDX-License-Identifier: MIT */
/*
 * bench/server_st.c - the servers on State Threads.
 */
#include <st.h>
#include <unistd.h>

#include "lines.h"
#include "listen.h"

static void *
echo(void *client)
{
	char bytes[PIECE];
	ssize_t n;

	while ((n = st_read(client, bytes, sizeof bytes, ST_UTIME_NO_TIMEOUT)) > 0)
		if (st_write(client, bytes, (size_t)n, ST_UTIME_NO_TIMEOUT) != n)
			break;
	st_netfd_close(client);
	return NULL;
}

static void *
lines(void *client)
{
	char bytes[PIECE];
	size_t have = 0, whole;
	ssize_t n;

	while ((n = st_read(client, bytes + have, sizeof bytes - have, ST_UTIME_NO_TIMEOUT)) > 0) {
		have += (size_t)n;
		whole = whole_lines(bytes, have);
		if (whole > 0 && st_write(client, bytes, whole, ST_UTIME_NO_TIMEOUT) < 0)
			break;
		memmove(bytes, bytes + whole, have -= whole);
	}
	st_netfd_close(client);
	return NULL;
}

static void *
sink(void *client)
{
	static char bytes[BULK];        /* nobody looks at them */
	uint64_t total = 0;
	ssize_t n;

	while ((n = st_read(client, bytes, sizeof bytes, ST_UTIME_NO_TIMEOUT)) > 0)
		total += (uint64_t)n;
	st_write(client, &total, sizeof total, ST_UTIME_NO_TIMEOUT);
	st_netfd_close(client);
	return NULL;
}

int
main(int argc, char **argv)
{
	void *(*const modes[])(void *) = { echo, lines, sink, NULL };
	void *(*serve)(void *) = modes[mode_of(argc, argv)];
	st_netfd_t listener, client;

	if (serve == NULL || st_set_eventsys(ST_EVENTSYS_ALT) < 0 || st_init() < 0 ||
	    (listener = st_netfd_open_socket(listen_anywhere())) == NULL)
		return 2;
	while ((client = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT)) != NULL) {
		without_delay(st_netfd_fileno(client));
		st_thread_create(serve, client, 0, 65536);
	}
	return 1;
}
