/* SPDX-License-Identifier: MIT */
/* A telnet client: keys go out as they are pressed, while what the host sends
 * is shown, and the host is told the size of the window. ^] ends it.
 *
 *      telnet HOST [PORT]
 *
 * Three fibers: one reads keys, one waits for the size to change, and the main
 * one reads from the host. In what that sends, IAC begins a command (RFC 854).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weft.h>

enum { QUIT = 0x1d, SECONDS = 30 };
enum { ECHO = 1, GO_AHEAD = 3, WINDOW = 31 };           /* options, RFC 857, 858, 1073 */
enum { SE = 240, SB = 250, WILL, WONT, DO, DONT, IAC };

static struct weft_stream *keys, *screen, *host;
static bool window_wanted, quit;

static void
complain(const char *step, const struct weft_stream *s)
{
	const char *text = weft_stream_error_text(s);

	fprintf(stderr, "telnet: %s: %s\r\n", step, *text != '\0' ? text : strerror(errno));
}

/* --- to the host */

/* IAC, and carriage return as a key, are two bytes each. */
static int
send_bytes(const unsigned char *bytes, size_t n)
{
	unsigned char pair[2];
	size_t i;

	for (i = 0; i < n; i++) {
		pair[0] = bytes[i];
		pair[1] = bytes[i] == '\r' ? '\0' : IAC;
		if (weft_stream_write(host, pair, bytes[i] == '\r' || bytes[i] == IAC ? 2 : 1,
		    WEFT_NEVER) < 0)
			return -1;
	}
	return 0;
}

static int
send_command(int command, int option)
{
	const unsigned char bytes[3] = { IAC, (unsigned char)command, (unsigned char)option };

	return weft_stream_write(host, bytes, sizeof bytes, WEFT_NEVER) < 0 ? -1 : 0;
}

static int
send_size(void)
{
	const unsigned char begin[3] = { IAC, SB, WINDOW }, end[2] = { IAC, SE };
	unsigned char size[4];
	int columns, rows;

	if (!window_wanted || weft_tty_winsize(keys, &columns, &rows) != 0)
		return 0;
	size[0] = (unsigned char)(columns >> 8);
	size[1] = (unsigned char)columns;
	size[2] = (unsigned char)(rows >> 8);
	size[3] = (unsigned char)rows;
	if (weft_stream_write(host, begin, sizeof begin, WEFT_NEVER) < 0 ||
	    send_bytes(size, sizeof size) < 0)
		return -1;
	return weft_stream_write(host, end, sizeof end, WEFT_NEVER) < 0 ? -1 : 0;
}

static int
watch_size(void *arg)
{
	(void)arg;
	while (weft_tty_wait_resize(keys, WEFT_NEVER) == 0)
		if (send_size() < 0)
			break;
	return 0;
}

/* Ends at ^] or at the end of the input, which need not be a terminal. */
static int
watch_keys(void *arg)
{
	unsigned char bytes[256], *end;
	ssize_t n;

	(void)arg;
	while (!quit && (n = weft_stream_read(keys, bytes, sizeof bytes, WEFT_NEVER)) > 0) {
		end = memchr(bytes, QUIT, (size_t)n);
		if (end != NULL) {
			n = end - bytes;
			quit = true;
		}
		if (send_bytes(bytes, (size_t)n) < 0)
			break;
	}
	return quit ? weft_stream_close(host, weft_after(1000)) :
	    weft_stream_shutdown(host, WEFT_NEVER);
}

/* --- from the host */

/* We let it echo, do without go-aheads, and tell our size; nothing else. */
static int
answer(int command, int option)
{
	if (command == WILL)
		return send_command(option == ECHO || option == GO_AHEAD ? DO : DONT, option);
	if (command != DO)
		return 0;
	if (option == WINDOW)
		window_wanted = true;
	if (send_command(option == WINDOW || option == GO_AHEAD ? WILL : WONT, option) < 0)
		return -1;
	return option == WINDOW ? send_size() : 0;
}

/* What stands between SB and SE is of no interest. */
static int
skip_parameters(void)
{
	static const char end[2] = { (char)IAC, (char)SE };
	const void *ignored;

	return weft_stream_read_until(host, end, sizeof end, &ignored, WEFT_NEVER) > 0 ? 0 : -1;
}

/* The command behind IAC. */
static int
obey(void)
{
	unsigned char command, option;

	if (weft_stream_read_exactly(host, &command, 1, WEFT_NEVER) != 1)
		return -1;
	if (command == IAC)
		return weft_stream_write(screen, &command, 1, WEFT_NEVER) == 1 ? 0 : -1;
	if (command == SB)
		return skip_parameters();
	if (command < WILL)
		return 0;
	if (weft_stream_read_exactly(host, &option, 1, WEFT_NEVER) != 1)
		return -1;
	return answer(command, option);
}

/* Shows all that there is up to IAC. */
static int
show(const unsigned char *bytes, size_t n)
{
	const unsigned char *iac = memchr(bytes, IAC, n);
	size_t text = iac != NULL ? (size_t)(iac - bytes) : n;

	if (weft_stream_write(screen, bytes, text, WEFT_NEVER) != (ssize_t)text)
		return -1;
	weft_stream_skip(host, text + (iac != NULL));
	return iac != NULL ? obey() : 0;
}

static void
watch_host(void)
{
	const void *bytes;
	ssize_t n;

	while ((n = weft_stream_peek(host, 1, &bytes, WEFT_NEVER)) > 0)
		if (show(bytes, (size_t)n) < 0)
			break;
}

int
main(int argc, char **argv)
{
	bool raw;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: telnet HOST [PORT]\n");
		return 2;
	}
	host = weft_tcp_connect(argv[1], argc > 2 ? argv[2] : "23", NULL,
	    weft_after(SECONDS * 1000));
	keys = host != NULL ? weft_stdin() : NULL;
	screen = keys != NULL ? weft_stdout() : NULL;
	if (screen == NULL) {
		complain("no connection", NULL);
		return 1;
	}
	raw = weft_tty_set_raw(keys, true) == 0;
	if (weft_go(watch_keys, NULL) != 0 || (raw && weft_go(watch_size, NULL) != 0)) {
		complain("no fiber", NULL);
		return 1;
	}
	watch_host();
	if (!quit && weft_stream_error(host) != 0)
		complain("connection", host);
	return 0;
}
