/* SPDX-License-Identifier: MIT */
/*
 * bench/server_st.c - the echo server on State Threads.
 */
#include <st.h>
#include <unistd.h>

#include "listen.h"

static void *
echo(void *arg)
{
	st_netfd_t client = arg;
	char bytes[16384];
	ssize_t n;

	while ((n = st_read(client, bytes, sizeof bytes, ST_UTIME_NO_TIMEOUT)) > 0)
		if (st_write(client, bytes, (size_t)n, ST_UTIME_NO_TIMEOUT) != n)
			break;
	st_netfd_close(client);
	return NULL;
}

int
main(void)
{
	st_netfd_t listener, client;

	if (st_set_eventsys(ST_EVENTSYS_ALT) < 0 || st_init() < 0 ||
	    (listener = st_netfd_open_socket(listen_anywhere())) == NULL)
		return 1;
	while ((client = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT)) != NULL) {
		without_delay(st_netfd_fileno(client));
		st_thread_create(echo, client, 0, 65536);
	}
	return 1;
}
