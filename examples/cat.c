/* SPDX-License-Identifier: MIT */
/* Copies its standard input to its standard output, whatever these are. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weft.h>

static char bytes[65536];

static int
complain(const char *what, const struct weft_stream *s)
{
	const char *text = s != NULL ? weft_stream_error_text(s) : "";

	fprintf(stderr, "cat: %s: %s\n", what, *text != '\0' ? text : strerror(errno));
	return 1;
}

int
main(void)
{
	struct weft_stream *in = weft_stdin(), *out = weft_stdout();
	ssize_t n;

	if (in == NULL || out == NULL)
		return complain("no standard streams", NULL);
	while ((n = weft_stream_read(in, bytes, sizeof bytes, WEFT_NEVER)) > 0)
		if (weft_stream_write(out, bytes, (size_t)n, WEFT_NEVER) != n)
			return complain("write", out);
	if (n < 0)
		return complain("read", in);
	if (weft_stream_flush(out, WEFT_NEVER) != 0)
		return complain("write", out);
	return 0;
}
