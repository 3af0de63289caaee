/* SPDX-License-Identifier: MIT */
/* A chat: what anybody says, everybody hears. One fiber and a poller, for those
 * who like an event loop; there is a name to be given, and "/quit".
 *
 *      chat 127.0.0.1 7000 &
 *      nc 127.0.0.1 7000
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

struct person {
	struct weft_stream *stream;
	struct person *next;
	char name[32];          /* "": not given yet */
};

static struct person *people;

static struct person *
find(const struct weft_stream *s)
{
	return weft_stream_data(s);
}

/* Who does not keep up has to go: CLOSED comes for him, too. */
static void
tell(struct person *p, const char *text, size_t n)
{
	if (!weft_stream_closed(p->stream) &&
	    weft_stream_write(p->stream, text, n, WEFT_NOWAIT) != (ssize_t)n)
		weft_stream_close(p->stream, WEFT_NOWAIT);
}

static void
say(const struct person *from, const char *glue, const char *text, size_t n)
{
	char line[512];
	int length = snprintf(line, sizeof line, "%s%s%.*s\n", from->name, glue,
	    (int)n, text);
	struct person *p;

	for (p = people; p != NULL; p = p->next)
		if (p != from && p->name[0] != '\0')
			tell(p, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

static void
welcome(struct weft_stream *s)
{
	struct person *p = calloc(1, sizeof *p);

	if (p == NULL) {
		weft_stream_close(s, WEFT_NOWAIT);
		return;
	}
	p->stream = s;
	p->next = people;
	people = p;
	weft_stream_set_data(s, p);
	weft_stream_set_limit(s, 400);
	tell(p, "Your name?\n", 11);
}

static void
hear(struct person *p, const char *line, size_t n)
{
	if (p == NULL || weft_stream_closed(p->stream))
		return;
	n = weft_chomp(line, n);
	if (n == 5 && memcmp(line, "/quit", 5) == 0) {
		weft_stream_close(p->stream, WEFT_NOWAIT);
	} else if (p->name[0] != '\0') {
		say(p, ": ", line, n);
	} else if (n > 0) {
		snprintf(p->name, sizeof p->name, "%.*s", (int)n, line);
		say(p, " is here", "", 0);
	}
}

static void
forget(struct weft_stream *s)
{
	struct person *p = find(s), **at = &people;

	if (p != NULL) {
		while (*at != p)
			at = &(*at)->next;
		*at = p->next;
		if (p->name[0] != '\0')
			say(p, " has left", "", 0);
	}
	free(p);
	weft_stream_free(s);
}

static void
handle(const struct weft_poll_event *e)
{
	if (e->stream == NULL)
		return;
	switch (e->kind) {
	case WEFT_POLL_ACCEPT:
		welcome(e->stream);
		break;
	case WEFT_POLL_LINE:
		hear(find(e->stream), e->data, e->length);
		break;
	case WEFT_POLL_CLOSED:
		forget(e->stream);
		break;
	}
}

int
main(int argc, char **argv)
{
	struct weft_server *server = argc == 3 ? weft_tcp_listen(argv[1], argv[2], NULL) :
	    argc == 2 ? weft_unix_listen(argv[1], NULL) : NULL;
	struct weft_poller *poller = weft_poller_new(WEFT_LINES);
	struct weft_poll_event events[64];
	ssize_t n, i;

	if (server == NULL || poller == NULL || weft_poller_add_server(poller, server) < 0) {
		fprintf(stderr, "chat: %s\n", argc < 2 || argc > 3 ?
		    "usage: chat HOST PORT | PATH" : weft_stream_error_text(NULL));
		return 1;
	}
	printf("%s\n", weft_server_sockname(server));
	fflush(stdout);
	while ((n = weft_poller_poll(poller, events, 64, WEFT_NEVER)) >= 0)
		for (i = 0; i < n; i++)
			handle(&events[i]);
	perror("chat");
	return 1;
}
