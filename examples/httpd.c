/* SPDX-License-Identifier: MIT */
/* A web server for the files below a directory, HTTP/1.1; it follows no symbolic
 * link and shows no name that begins with a dot. SIGINT, SIGTERM: no new answers.
 *
 *      httpd DIRECTORY HOST PORT [SECONDS]     15 for a request, or a piece sent
 */
#define _POSIX_C_SOURCE 200809L
#define _DARWIN_C_SOURCE        /* O_NOFOLLOW */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weft.h>

enum { LONGEST_LINE = 8192, LONGEST_PATH = 1024, MOST_FIELDS = 100, PIECE = 65536 };

static const char bad[] = "400 Bad Request";
static const char long_target[] = "414 URI Too Long";
static const char long_fields[] = "431 Request Header Fields Too Large";
static const char gone[] = "";          /* nobody is there to be told */

struct request {
	char path[LONGEST_PATH];        /* decoded, without the first slash */
	bool head, keep, host;
};

static int root;                        /* the directory */
static int64_t patience;                /* milliseconds */

static const char *
type_of(const char *path)
{
	const char *dot = strrchr(path, '.'), *end = dot == NULL ? "" : dot;

	return strcmp(end, ".html") == 0 ? "text/html" : strcmp(end, ".css") == 0 ? "text/css" :
	    strcmp(end, ".svg") == 0 ? "image/svg+xml" : "text/plain; charset=utf-8";
}

static bool
send_head(struct weft_stream *client, const char *status, const char *type, off_t length, bool keep)
{
	time_t now = time(NULL);
	struct tm tm;
	char date[32];

	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	return weft_stream_printf(client, weft_after(patience), "HTTP/1.1 %s\r\nDate: %s\r\n"
	    "Content-Type: %s\r\nContent-Length: %lld\r\n%s\r\n", status, date, type,
	    (long long)length, keep ? "" : "Connection: close\r\n") > 0;
}

static bool
send_problem(struct weft_stream *client, const char *status, const struct request *request)
{
	return send_head(client, status, "text/plain", (off_t)strlen(status) + 1, request->keep) &&
	    (request->head || weft_stream_printf(client, weft_after(patience), "%s\n", status) > 0);
}

/* A file that has shrunk meanwhile breaks the connection. */
static bool
send_body(struct weft_stream *client, int file, off_t length)
{
	char *piece = malloc(PIECE);
	ssize_t n = piece == NULL ? -1 : 1;

	for (; n > 0 && length > 0; length -= n) {
		n = read(file, piece, length < PIECE ? (size_t)length : PIECE);
		if (n > 0 && weft_stream_write(client, piece, (size_t)n, weft_after(patience)) != n)
			n = -1;
	}
	free(piece);
	return n > 0;
}

/* Opens a path name by name, so that nothing leads out of the root. */
static int
open_below_root(const char *path)
{
	int directory = root, file;
	char name[256];
	size_t n;

	for (;; path += n + 1) {
		n = strcspn(path, "/");
		snprintf(name, sizeof name, "%.*s", (int)n, path);
		file = n == 0 || n >= sizeof name || *name == '.' ? -1 :
		    openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (directory != root)
			close(directory);
		if (file < 0 || path[n] == '\0')
			return file;
		directory = file;
	}
}

static bool
answer(struct weft_stream *client, const struct request *request)
{
	int file = open_below_root(request->path);
	struct stat st;
	bool found = file >= 0 && fstat(file, &st) == 0 && S_ISREG(st.st_mode);
	bool sent = !found ? send_problem(client, "404 Not Found", request) :
	    send_head(client, "200 OK", type_of(request->path), st.st_size, request->keep) &&
	    (request->head || send_body(client, file, st.st_size));

	if (file >= 0)
		close(file);
	return sent;
}

/* "a%20b/?query" to "a b/index.html". NULL, or what is wrong; so below. */
static const char *
decode(char *path, const char *from, const char *end)
{
	char *to = path, hex[3] = { 0 };

	for (; from < end && *from != '?'; to++) {
		if (to - path >= LONGEST_PATH - (int)sizeof "index.html")
			return long_target;
		*to = *from++;
		if (*to == '%' && end - from >= 2) {
			*to = (char)strtol(memcpy(hex, from, 2), NULL, 16);     /* 0 if it is none */
			from += 2;
		}
		if (*to == '\0')
			return bad;
	}
	strcpy(to, to == path || to[-1] == '/' ? "index.html" : "");
	return NULL;
}

static const char *
parse_first(struct request *request, const char *line, const char *end)
{
	const char *target = memchr(line, ' ', (size_t)(end - line)), *rest;

	rest = target == NULL ? NULL : memchr(target + 1, ' ', (size_t)(end - target - 1));
	if (rest == NULL || target[1] != '/')
		return bad;
	if (end - rest != 9 || memcmp(rest, " HTTP/1.", 8) != 0)
		return "505 HTTP Version Not Supported";
	request->keep = rest[8] != '0';
	request->host = !request->keep;         /* only 1.0 may be without */
	request->head = strncmp(line, "HEAD ", 5) == 0;
	if (!request->head && strncmp(line, "GET ", 4) != 0)
		return "501 Not Implemented";
	return decode(request->path, target + 2, rest);
}

static const char *
parse_field(struct request *request, const char *line, const char *end)
{
	const char *value = memchr(line, ':', (size_t)(end - line));

	if (value == NULL || value == line || value[-1] == ' ')
		return bad;
	value += 1 + strspn(value + 1, " \t");
	if (strncasecmp(line, "Host:", 5) == 0)
		request->host = true;
	else if (strncasecmp(line, "Connection:", 11) == 0 && strncasecmp(value, "close", 5) == 0)
		request->keep = false;
	else if (strncasecmp(line, "Transfer-Encoding:", 18) == 0 ||
	    (strncasecmp(line, "Content-Length:", 15) == 0 && strtol(value, NULL, 10) != 0))
		return "413 Content Too Large";
	return NULL;
}

/* A line without its end; who is late within one is told. */
static const char *
next_line(struct weft_stream *client, const char **line, const char **end, const char *too_long)
{
	ssize_t n = weft_stream_read_line(client, line, WEFT_NEVER);

	if (n <= 0 || (*line)[n - 1] != '\n')
		return n < 0 && errno == EMSGSIZE ? too_long : n < 0 && errno == ETIMEDOUT &&
		    weft_stream_buffered(client) > 0 ? "408 Request Timeout" : gone;
	*end = *line + weft_chomp(*line, (size_t)n);
	return NULL;
}

static const char *
read_request(struct weft_stream *client, struct request *request)
{
	const char *line, *end, *problem = next_line(client, &line, &end, long_target);
	int fields = 0;

	if (problem == NULL)
		problem = parse_first(request, line, end);
	while (problem == NULL && (problem = next_line(client, &line, &end, long_fields)) == NULL) {
		if (line == end)
			return request->host ? NULL : bad;
		problem = ++fields > MOST_FIELDS ? long_fields : parse_field(request, line, end);
	}
	return problem;
}

static int
serve(struct weft_stream *client, void *arg)
{
	struct request request;
	const char *problem;

	(void)arg;
	weft_stream_set_limit(client, LONGEST_LINE);
	weft_stream_set_coalescing(client, true);       /* an answer leaves in one call */
	do {
		request.keep = request.head = request.host = false;
		weft_deadline_push(weft_after(patience));
		problem = read_request(client, &request);
		weft_deadline_pop();
	} while (problem == NULL && answer(client, &request) && request.keep);
	if (problem == NULL || problem == gone)
		return 0;
	request.keep = false;                   /* who knows where the next one begins */
	send_problem(client, problem, &request);
	weft_stream_shutdown(client, weft_after(patience));
	for (int i = 0; i < 64; i++)            /* what is left unread would reset it */
		if (weft_stream_read(client, request.path, LONGEST_PATH, weft_after(1000)) <= 0)
			break;
	return 0;
}

int
main(int argc, char **argv)
{
	struct weft_server *server;
	sigset_t ends;

	if (argc < 4 || argc > 5 || (root = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		fprintf(stderr, "usage: httpd DIRECTORY HOST PORT [SECONDS]\n");
		return 1;
	}
	patience = argc == 5 ? 1000 * atoi(argv[4]) : 15000;
	server = weft_tcp_listen(argv[2], argv[3], NULL);
	if (server == NULL || weft_server_start(server, serve, NULL) < 0) {
		fprintf(stderr, "httpd: %s\n", weft_stream_error_text(NULL));
		return 1;
	}
	dprintf(STDOUT_FILENO, "http://%s/\n", weft_server_sockname(server));
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	weft_signal_wait(&ends, NULL, WEFT_NEVER);
	weft_server_close(server, weft_after(patience));        /* cuts off who is idle */
	weft_server_free(server);
}
