/* SPDX-License-Identifier: MIT */
/*
 * One search for a pattern in bytes of which more may come. It knows nothing
 * of streams; lib/stream_match.c knows nothing of pcre2.
 */
#ifndef WEFT_LIB_REGEX_H
#define WEFT_LIB_REGEX_H

#include "weft/regex.h"

struct weft_regex {
	void *code;
	void *open;             /* the same for ^ behind a last LF; NULL: no need */
	uint64_t id;            /* never the same for two */
	int needs;              /* a byte without which there is no match; or -1 */
	bool behind;            /* not the first byte of the match */
	bool whole;             /* a search has to begin at byte 0 each time */
};

struct weft__search {
	const unsigned char *bytes;     /* byte 0 is where ^ and \A match */
	size_t length;
	size_t from, to;                /* where a match may begin, both included */
	bool final;                     /* no more bytes will come */
	size_t place;                   /* where a match begins; and, unless ... */
	size_t start, end;              /* ... undecided, what it is: \K moves start */
};

enum {
	WEFT__NO_MATCH,         /* whatever comes: none begins in from..to */
	WEFT__MATCH,            /* whatever comes: the first one is start..end */
	WEFT__UNDECIDED         /* the first begins at place or behind */
};

/* One of these, or minus an errno: ELOOP, ENOMEM. `matcher` is the loop's. */
int weft__regex_search(const struct weft_regex *, void **matcher, struct weft__search *);
void weft__regex_free_matcher(void *matcher);

#endif
