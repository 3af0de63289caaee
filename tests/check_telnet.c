/* SPDX-License-Identifier: MIT */
/*
 * tests/check_telnet.c - examples/telnet on a pseudo-terminal, with somebody at
 * the keys and a host that knows a little of the protocol.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/pty_jobs.h"

static int listener, host;
static char port[8];
static pid_t child;

static int
run_telnet(int told)
{
	char path[1024];
	const char *top = getenv("top_builddir");

	(void)told;
	snprintf(path, sizeof path, "%s/examples/telnet", top != NULL ? top : ".");
	execl(path, "telnet", "127.0.0.1", port, (char *)NULL);
	return 127;
}

static void
connect_telnet(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof address;
	int told;

	setup();
	set_size(ends[TERMINAL], 80, 24);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, length), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
	snprintf(port, sizeof port, "%u", ntohs(address.sin_port));
	child = start_on(ends[TERMINAL], run_telnet, &told);
	close(told);
	host = accept(listener, NULL, NULL);
	ck_assert_int_ge(host, 0);
	close(listener);
}

static void
put(int fd, const char *bytes, size_t n)
{
	ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
}

static void
expect(int fd, const char *bytes, size_t n)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };
	char got[64];
	size_t have = 0;
	ssize_t more;

	while (have < n) {
		ck_assert_msg(poll(&one, 1, 30000) == 1, "only %d of %d bytes came",
		    (int)have, (int)n);
		more = read(fd, got + have, n - have);
		ck_assert_msg(more > 0, "the end came after %d of %d bytes", (int)have, (int)n);
		have += (size_t)more;
	}
	ck_assert_mem_eq(got, bytes, n);
}

/* With the bytes of a string. */
#define PUT(fd, text) put(fd, text, sizeof text - 1)
#define EXPECT(fd, text) expect(fd, text, sizeof text - 1)

static void
end_telnet(void)
{
	ck_assert_exits(child, 0);
	ck_assert(is_as_before());
	close(host);
	teardown();
}

/* The host has spoken to it, so the terminal is raw. */
static void
greet(void)
{
	PUT(host, "hello\r\n");
	EXPECT(ends[CONTROLLER], "hello\r\n");
	ck_assert(is_raw(ends[TERMINAL]));
}

START_TEST(keys_go_out_at_once_and_nothing_is_echoed_but_by_the_host)
{
	connect_telnet();
	greet();
	PUT(ends[CONTROLLER], "a");
	EXPECT(host, "a");
	PUT(ends[CONTROLLER], "\003\032\r\377");
	EXPECT(host, "\003\032\r\0\377\377");
	PUT(host, "b");
	EXPECT(ends[CONTROLLER], "b");
	PUT(ends[CONTROLLER], "cd\035ef");
	EXPECT(host, "cd");
	ck_assert_int_eq(read(host, &(char){ 0 }, 1), 0);
	end_telnet();
}
END_TEST

START_TEST(both_directions_flow_at_once)
{
	char key[8];

	connect_telnet();
	greet();
	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof key, "%d\n", i);
		put(ends[CONTROLLER], key, strlen(key));
		put(host, key, strlen(key));
		expect(ends[CONTROLLER], key, strlen(key));
		expect(host, key, strlen(key));
	}
	PUT(ends[CONTROLLER], "\035");
	end_telnet();
}
END_TEST

START_TEST(commands_are_answered_and_not_shown)
{
	connect_telnet();
	PUT(host, "1\377\373\001" "2\377\373\003" "3\377\373\030" "4\377\375\030");
	EXPECT(ends[CONTROLLER], "1234");
	EXPECT(host, "\377\375\001" "\377\375\003" "\377\376\030" "\377\374\030");
	/* No answer, an escaped byte, parameters. */
	PUT(host, "\377\361\377\376\001" "5\377\377" "6\377\372\030\001\377\360" "7");
	EXPECT(ends[CONTROLLER], "5\377" "67");
	close(host);
	end_telnet();
}
END_TEST

START_TEST(the_host_is_told_the_size_when_it_asks_and_when_it_changes)
{
	connect_telnet();
	PUT(host, "\377\375\037");
	EXPECT(host, "\377\373\037" "\377\372\037\0\120\0\030\377\360");
	set_size(ends[CONTROLLER], 255, 50);
	EXPECT(host, "\377\372\037\0\377\377\0\062\377\360");
	PUT(ends[CONTROLLER], "\035");
	end_telnet();
}
END_TEST

START_TEST(it_ends_when_the_host_does_or_the_terminal)
{
	connect_telnet();
	greet();
	if (_i == 0) {
		PUT(host, "bye");
		shutdown(host, SHUT_RDWR);
		EXPECT(ends[CONTROLLER], "bye");
		end_telnet();
		return;
	}
	close(ends[CONTROLLER]);
	ck_assert_dies(child, SIGHUP);
	close(ends[TERMINAL]);
	close(host);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("telnet");
	TCase *tc = test_case_unclean(suite, "telnet");

	(void)backend;
	tcase_add_test(tc, keys_go_out_at_once_and_nothing_is_echoed_but_by_the_host);
	tcase_add_test(tc, both_directions_flow_at_once);
	tcase_add_test(tc, commands_are_answered_and_not_shown);
	tcase_add_test(tc, the_host_is_told_the_size_when_it_asks_and_when_it_changes);
	tcase_add_loop_test(tc, it_ends_when_the_host_does_or_the_terminal, 0, 2);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
