/* SPDX-License-Identifier: MIT */
/*
 * tests/check_many.c - ten thousand connections, or as many as there may be
 * descriptors: what an idle one costs, and that none of them stands in the way
 * of the others. The clients are another process, which waits at every step
 * until it is told to go on.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fiber/context.h"
#include "tests/servers.h"
#include "tests/under_valgrind.h"

#ifdef WEFT__SANITIZED
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

#ifdef WEFT_CONTEXT_SIGALTSTACK
enum { SIGNAL_FRAME = 4096 };   /* what the kernel saved there: a page more */
#else
enum { SIGNAL_FRAME = 0 };
#endif

enum { MOST = 10000, BYTES_PER_CONNECTION = 5 * 1024 + SIGNAL_FRAME };

/* --- the clients */

static int *clients, client_count;
static int to_clients[2], from_clients[2];

static void
must(bool good)
{
	if (!good)
		_exit(1);
}

/* Tells that a step is done, and waits for the next. */
static void
step_done(void)
{
	char byte = 'x';

	must(write(from_clients[1], &byte, 1) == 1 && read(to_clients[0], &byte, 1) == 1);
}

/* More connections than a pair of addresses has ports: there are many pairs. */
static int
connect_one(int i, in_port_t to)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = to };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(i % 100));
	must(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
	return fd;
}

static void
close_one(int i)
{
	static const struct linger at_once = { .l_onoff = 1 };

	if (clients[i] < 0)
		return;
	if (i % 3 == 0)
		must(write(clients[i], "in mid-line", 11) == 11);
	if (i % 16 != 0)                /* the others come to a proper end */
		setsockopt(clients[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(clients[i]);
	clients[i] = -1;
}

/* All talk once, are idle, and close in a random order. */
static void
be_clients(void)
{
	char line[16];
	in_port_t to;
	int i;

	must(read(to_clients[0], &to, sizeof to) == sizeof to);
	for (i = 0; i < client_count; i++)
		clients[i] = connect_one(i, to);
	for (i = 0; i < client_count; i++)
		must(write(clients[i], "a line\n", 7) == 7);
	for (i = 0; i < client_count; i++)
		must(recv(clients[i], line, 7, MSG_WAITALL) == 7);
	step_done();
	srandom(1);
	for (i = 0; i < client_count; i++)
		close_one((int)(random() % client_count));
	step_done();
	for (i = 0; i < client_count; i++)
		close_one(i);
	step_done();
	_exit(0);
}

/* --- the server */

static int
as_many_as_fit(void)
{
	struct rlimit files;
	/* poll(2) looks at each of them each time. */
	bool looks_at_all = strcmp(weft_loop_backend(), "poll") == 0;
	int most = RUNNING_ON_VALGRIND ? 300 : SANITIZED || looks_at_all ? 1000 : MOST;

	ck_assert_ok(getrlimit(RLIMIT_NOFILE, &files));
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	return files.rlim_cur < (rlim_t)most + 100 ? (int)files.rlim_cur - 100 : most;
}

static size_t
resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long all, pages = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%lu %lu", &all, &pages) != 2)
		pages = 0;
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void
until_step_done(void)
{
	char byte;

	/* Ten thousand connections may take a busy machine half a minute. */
	ck_assert_int_eq(weft_fd_wait(from_clients[0], WEFT_READABLE, weft_after(90000)),
	    WEFT_READABLE);
	ck_assert_msg(read(from_clients[0], &byte, 1) == 1, "the clients have given up");
}

static void
next_step(void)
{
	ck_assert_int_eq(write(to_clients[1], "x", 1), 1);
}

START_TEST(ten_thousand_idle_connections_cost_five_kib_each)
{
	size_t before, each;
	in_port_t to;
	pid_t child;
	int status;

	client_count = as_many_as_fit();
	clients = calloc((size_t)client_count, sizeof *clients);
	ck_assert(pipe(to_clients) == 0 && pipe(from_clients) == 0);
	child = fork();
	if (child == 0)
		be_clients();
	close(from_clients[1]);
	server = weft_tcp_listen(NULL, "0", NULL);
	ck_assert_msg(server != NULL, "%s", weft_stream_error_text(NULL));
	handled = 0;
	ck_assert_ok(weft_server_start(server, echo, NULL));
	serves();
	before = resident();
	to = htons((uint16_t)weft_server_port(server));
	ck_assert_int_eq(write(to_clients[1], &to, sizeof to), sizeof to);
	until_step_done();
	until_connections((size_t)client_count);
	each = (resident() - before) / (size_t)client_count;
	if (!SANITIZED && !RUNNING_ON_VALGRIND)
		ck_assert_msg(each <= BYTES_PER_CONNECTION, "%zu bytes each", each);
	serves();                       /* a newcomer */
	next_step();
	until_step_done();
	serves();
	next_step();
	until_step_done();
	until_connections(0);
	ck_assert_int_eq(handled, client_count + 3);
	next_step();
	ck_assert(waitpid(child, &status, 0) == child && status == 0);
	weft_server_free(server);
	close(to_clients[0]);
	close(to_clients[1]);
	close(from_clients[0]);
	free(clients);
}
END_TEST

/* --- those who are slow */

/* While the listener's fiber still has its turn, a poll may find nothing but the
 * listener, which then rests: for each connection that may be so once. */
static void
end_of_serving(void)
{
	until_connections(0);
	weft_server_free(server);
	forgive_polls((uint64_t)handled);
}

START_TEST(a_slow_reader_costs_a_bounded_queue_and_stops_nobody)
{
	size_t n = 16 << 20;
	char *lines = malloc(n);
	struct weft_stream *slow, *connection;
	ssize_t taken;
	int i;

	memset(lines, 'x', n);
	for (i = 99; (size_t)i < n; i += 100)
		lines[i] = '\n';
	start(echo);
	slow = client();
	taken = weft_stream_write(slow, lines, n, weft_after(300));
	ck_assert_int_gt(taken, 0);
	ck_assert_int_lt(taken, (ssize_t)n);
	ck_assert_uint_eq(weft_server_connections(server, &connection, 1), 1);
	ck_assert_uint_le(weft_stream_queued(connection), 64 * KIB);
	serves();
	/* It comes back to its senses: everything is there, in order. */
	expect_bytes(slow, lines, (size_t)taken / 100 * 100);
	weft_stream_free(slow);
	end_of_serving();
	free(lines);
}
END_TEST

START_TEST(a_slow_writer_stops_nobody)
{
	static const char line[] = "one byte at a time\n";
	struct weft_stream *slow;
	size_t i;

	start(echo);
	slow = client();
	for (i = 0; i < sizeof line - 1; i++) {
		write_all(slow, line + i, 1);
		serves();
	}
	expect_line(slow, line);
	weft_stream_free(slow);
	end_of_serving();
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("many");
	TCase *tc = test_case_unclean(suite, "idle");

	(void)backend;
	tcase_set_timeout(tc, 300);
	/* Unclean: there, polls that find nothing but the listener are many. */
	tcase_add_test(tc, ten_thousand_idle_connections_cost_five_kib_each);

	tc = test_case(suite, "slow");
	tcase_add_test(tc, a_slow_reader_costs_a_bounded_queue_and_stops_nobody);
	tcase_add_test(tc, a_slow_writer_stops_nobody);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
