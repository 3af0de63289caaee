/* SPDX-License-Identifier: MIT */
/*
 * weft/regex.h - regular expressions for weft_stream_read_match (weft/stream.h):
 * those of Perl, on bytes, by pcre2.
 *
 * Page: weft_regex(3).
 */
#ifndef WEFT_REGEX_H
#define WEFT_REGEX_H

#include <weft/base.h>

WEFT_BEGIN_DECLS

struct weft_regex;

#define WEFT_REGEX_CASELESS 1
#define WEFT_REGEX_MULTILINE 2          /* ^ and $ at every LF, too */
#define WEFT_REGEX_DOTALL 4             /* . is any byte, LF too */

/* Compiles a pattern; any number of streams and threads may use it at once.
 * NULL: EINVAL, and why and where in words in `error`, which may be NULL;
 * ENOMEM; ENOTSUP: weft was built without pcre2. */
WEFT_API struct weft_regex *weft_regex_new(const char *pattern, int flags, char *error,
    size_t size);
/* When no read uses it any more. NULL: nothing. */
WEFT_API void weft_regex_free(struct weft_regex *);

WEFT_END_DECLS

#endif
