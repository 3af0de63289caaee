/* SPDX-License-Identifier: MIT */
/* Takes system log messages over UDP and prints them, one a line:
 *
 *      syslog 127.0.0.1 5140
 *      logger -d -n 127.0.0.1 -P 5140 -p user.notice hello
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

enum { LONGEST = 2048 };        /* RFC 5426: receivers should take that much */

static const char *const severities[] = { "emergency", "alert", "critical", "error",
	"warning", "notice", "info", "debug" };

/* "<13>text": facility 1, severity 5. The text; without a priority it is all. */
static const char *
parse(const char *message, long *priority)
{
	char *end;

	*priority = 13;                 /* RFC 3164: what has none is user.notice */
	if (message[0] != '<' || message[1] < '0' || message[1] > '9')
		return message;
	*priority = strtol(message + 1, &end, 10);
	if (*end == '>' && *priority <= 191)
		return end + 1;
	*priority = 13;
	return message;
}

/* What is no text must not reach a terminal. */
static void
print(const char *text)
{
	for (; *text != '\0'; text++)
		putchar((unsigned char)*text < ' ' || *text == '\177' ? ' ' : *text);
	putchar('\n');
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct weft_udp *u = weft_udp_open();
	struct weft_datagram info;
	char message[LONGEST + 1];
	const char *text;
	long priority;
	ssize_t n;

	if (argc != 3 || u == NULL || weft_udp_bind(u, argv[1], argv[2]) < 0) {
		fprintf(stderr, "syslog: %s\n", argc != 3 ? "usage: syslog HOST PORT" :
		    strerror(errno));
		return 1;
	}
	print(weft_udp_sockname(u));
	while ((n = weft_udp_receive(u, message, LONGEST, &info, WEFT_NEVER)) >= 0) {
		message[n] = '\0';
		text = parse(message, &priority);
		printf("%ld.%s%s ", priority / 8, severities[priority % 8],
		    info.truncated ? " (cut)" : "");
		print(text);
	}
	fprintf(stderr, "syslog: %s\n", strerror(errno));
	weft_udp_free(u);
	return 1;
}
