/* SPDX-License-Identifier: MIT */
/* What weft is for, shown: the line server (echo.c) runs as a process of its
 * own, over TCP and over a Unix socket. First nc(1), which nobody here wrote,
 * sends it a text file; then a thousand fibers send it a hundred lines each, at
 * once. Every byte is compared with what was sent.
 *
 *      demo ECHO-PROGRAM TEXT-FILE
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weft.h>

enum { CONNECTIONS = 1000, LINES = 100, ROUND_TRIPS = CONNECTIONS * LINES };

static char directory[] = "/tmp/weft-demo-XXXXXX";
static char path[64], returned[64];     /* the Unix socket, and what nc got */

struct server {
	const char *kind;               /* "tcp" or "unix" */
	pid_t pid;
	FILE *says;                     /* its standard output */
	char address[128];
	long resident;                  /* KiB before any connection */
};

static struct run {
	const struct server *server;
	struct weft_fiber *starter;     /* parked until all are connected */
	int connected, going, failed;
	long done;
	long *nanoseconds;              /* of each round trip */
	struct weft_fiber *clients[CONNECTIONS];
} run;

static int
complain(const char *what)
{
	fprintf(stderr, "demo: %s: %s\n", what, strerror(errno));
	return -1;
}

/* --- the server's process */

static int
start_server(struct server *server, char *program, char *first, char *second)
{
	char *arguments[] = { program, first, second, NULL };
	int ends[2];

	if (pipe(ends) < 0 || (server->pid = fork()) < 0)
		return complain("start the server");
	if (server->pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execv(program, arguments);
		complain(program);
		_exit(127);
	}
	close(ends[1]);
	server->says = fdopen(ends[0], "r");
	if (server->says == NULL ||
	    fgets(server->address, sizeof server->address, server->says) == NULL)
		return complain("hear from the server");
	server->address[strcspn(server->address, "\n")] = '\0';
	return 0;
}

static void
stop_server(struct server *server)
{
	if (server->pid > 0) {
		kill(server->pid, SIGTERM);
		waitpid(server->pid, NULL, 0);
	}
	if (server->says != NULL)
		fclose(server->says);
}

/* Resident KiB of a process, from /proc where there is one, else from ps. */
static long
resident(pid_t pid)
{
	char command[64], line[128];
	FILE *file;
	long kib = -1;

	snprintf(command, sizeof command, "/proc/%ld/status", (long)pid);
	file = fopen(command, "r");
	if (file != NULL) {
		while (kib < 0 && fgets(line, sizeof line, file) != NULL)
			sscanf(line, "VmRSS: %ld", &kib);
		fclose(file);
		return kib;
	}
	snprintf(command, sizeof command, "ps -o rss= -p %ld", (long)pid);
	file = popen(command, "r");
	if (file == NULL)
		return -1;
	if (fscanf(file, "%ld", &kib) != 1)
		kib = -1;
	pclose(file);
	return kib;
}

/* "127.0.0.1:7000" in two parts. */
static const char *
port_of(const struct server *server)
{
	return strrchr(server->address, ':') + 1;
}

/* --- a client that nobody here wrote */

static int
run_nc(const struct server *server, const char *text)
{
	int status = -1, unix_socket = strcmp(server->kind, "unix") == 0;
	pid_t pid = fork();

	if (pid == 0) {
		int in = open(text, O_RDONLY);
		int out = open(returned, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0)
			_exit(126);
		if (unix_socket)
			execlp("nc", "nc", "-N", "-U", path, (char *)NULL);
		else
			execlp("nc", "nc", "-N", "127.0.0.1", port_of(server), (char *)NULL);
		complain("nc");
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return complain("run nc");
	return status == 0 ? 0 : -1;
}

static int
same_files(const char *a, const char *b, long *bytes)
{
	FILE *one = fopen(a, "rb"), *other = fopen(b, "rb");
	int same = one != NULL && other != NULL, c = 0;

	for (*bytes = 0; same && c != EOF; ++*bytes) {
		c = getc(one);
		same = c == getc(other);
	}
	--*bytes;
	if (one != NULL)
		fclose(one);
	if (other != NULL)
		fclose(other);
	return same;
}

static int
with_nc(const struct server *server, const char *text)
{
	long bytes;

	if (run_nc(server, text) < 0 || !same_files(text, returned, &bytes)) {
		fprintf(stderr, "demo: nc over %s: the bytes that came back differ\n",
		    server->kind);
		return -1;
	}
	printf("nc over %-4s  %s: %ld bytes sent, the same %ld came back\n",
	    server->kind, text, bytes, bytes);
	return 0;
}

/* --- a thousand clients at once */

static long
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int
talk(struct weft_stream *s, long client)
{
	char line[64];
	const char *answer;
	int i, length;

	for (i = 0; i < LINES; i++) {
		long began = now();

		length = snprintf(line, sizeof line, "client %ld says line %d of %d\n",
		    client, i + 1, LINES);
		if (weft_stream_write(s, line, (size_t)length, WEFT_NEVER) != length ||
		    weft_stream_read_line(s, &answer, weft_after(30000)) != length ||
		    memcmp(line, answer, (size_t)length) != 0)
			return -1;
		run.nanoseconds[run.done++] = now() - began;
	}
	return 0;
}

static struct weft_stream *
connect_to(const struct server *server)
{
	int64_t deadline = weft_after(30000);

	return strcmp(server->kind, "unix") == 0 ? weft_unix_connect(path, deadline) :
	    weft_tcp_connect("127.0.0.1", port_of(server), NULL, deadline);
}

static int
client(void *number)
{
	struct weft_stream *s = connect_to(run.server);
	int result;

	if (s == NULL)
		fprintf(stderr, "\ndemo: %s\n", weft_stream_error_text(NULL));
	if (++run.connected == CONNECTIONS)
		weft_unpark(run.starter);
	weft_park(WEFT_NEVER);
	result = s != NULL ? talk(s, (long)(intptr_t)number) : -1;
	weft_stream_free(s);
	run.failed += result != 0;
	run.going--;
	return result;
}

static void
show_progress(void)
{
	int filled = (int)(run.done * 40 / ROUND_TRIPS);

	printf("\r%4s [%.*s%*s] %3ld %%", run.server->kind, filled,
	    "########################################", 40 - filled, "",
	    run.done * 100 / ROUND_TRIPS);
	fflush(stdout);
}

static int
progress_bar(void *unused)
{
	(void)unused;
	while (run.going > 0) {
		show_progress();
		weft_sleep(weft_after(50));
	}
	printf("\r%60s\r", "");
	return 0;
}

static int
by_value(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

static void
show_row(long took, long memory)
{
	qsort(run.nanoseconds, (size_t)run.done, sizeof *run.nanoseconds, by_value);
	printf("%-6s %-8s %-9s %11d %9.0f %9.0f %9.0f %10.1f\n", run.server->kind,
	    weft_loop_backend(), weft_loop_context(), CONNECTIONS,
	    (double)run.done * 1e9 / (double)took,
	    (double)run.nanoseconds[run.done / 2] / 1e3,
	    (double)run.nanoseconds[run.done * 99 / 100] / 1e3,
	    (double)(memory - run.server->resident) / CONNECTIONS);
}

static int
with_fibers(const struct server *server)
{
	struct weft_fiber *bar = NULL;
	long memory, began;
	int i;

	run = (struct run){ .server = server, .starter = weft_self(), .going = CONNECTIONS,
	    .nanoseconds = calloc(ROUND_TRIPS, sizeof(long)) };
	if (run.nanoseconds == NULL)
		return complain("memory");
	for (i = 0; i < CONNECTIONS; i++) {
		run.clients[i] = weft_spawn(client, (void *)(intptr_t)i);
		if (run.clients[i] == NULL)
			return complain("spawn");
	}
	weft_park(WEFT_NEVER);
	weft_sleep(weft_after(100));    /* the server, too, is in its reads */
	memory = resident(server->pid);
	began = now();
	for (i = 0; i < CONNECTIONS; i++)
		weft_unpark(run.clients[i]);
	if (isatty(STDOUT_FILENO))
		bar = weft_spawn(progress_bar, NULL);
	for (i = 0; i < CONNECTIONS; i++)
		weft_join(run.clients[i], NULL, WEFT_NEVER);
	began = now() - began;
	if (bar != NULL)
		weft_join(bar, NULL, WEFT_NEVER);
	if (run.failed == 0 && run.done == ROUND_TRIPS)
		show_row(began, memory);
	else
		fprintf(stderr, "demo: %d of %d clients over %s did not get their lines back\n",
		    run.failed, CONNECTIONS, server->kind);
	free(run.nanoseconds);
	return run.failed == 0 && run.done == ROUND_TRIPS ? 0 : -1;
}

/* --- */

static int
show(struct server *servers, char **arguments)
{
	char host[] = "127.0.0.1", port[] = "0";
	int i;

	if (start_server(&servers[0], arguments[1], host, port) < 0 ||
	    start_server(&servers[1], arguments[1], path, NULL) < 0)
		return -1;
	for (i = 0; i < 2; i++)
		printf("server       %s, process %ld, at %s\n", servers[i].kind,
		    (long)servers[i].pid, servers[i].address);
	for (i = 0; i < 2; i++)
		if (with_nc(&servers[i], arguments[2]) < 0)
			return -1;
	for (i = 0; i < 2; i++)
		servers[i].resident = resident(servers[i].pid);
	printf("\n%-6s %-8s %-9s %11s %9s %9s %9s %10s\n", "stream", "backend", "context",
	    "connections", "lines/s", "p50 us", "p99 us", "KiB/conn");
	for (i = 0; i < 2; i++)
		if (with_fibers(&servers[i]) < 0)
			return -1;
	printf("\nEvery byte came back.\n");
	return 0;
}

int
main(int argc, char **argv)
{
	struct server servers[2] = { { .kind = "tcp" }, { .kind = "unix" } };
	struct rlimit files;
	int result;

	if (argc != 3) {
		fprintf(stderr, "usage: demo ECHO-PROGRAM TEXT-FILE\n");
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < CONNECTIONS + 64) {
		files.rlim_cur = files.rlim_max < CONNECTIONS + 64 ?
		    files.rlim_max : CONNECTIONS + 64;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (mkdtemp(directory) == NULL)
		return complain(directory) < 0;
	snprintf(path, sizeof path, "%s/socket", directory);
	snprintf(returned, sizeof returned, "%s/returned", directory);
	result = show(servers, argv);
	stop_server(&servers[0]);
	stop_server(&servers[1]);
	unlink(returned);
	unlink(path);
	rmdir(directory);
	return result == 0 ? 0 : 1;
}
