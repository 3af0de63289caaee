/* SPDX-License-Identifier: MIT */
/*
 * tests/watched.h - for the tests of pollers and protocols: two ends of every
 * kind that there is, memory and pipes included. What is written to ends[0]
 * comes out of ends[1], which is the one that is watched.
 */
#ifndef WEFT_TESTS_WATCHED_H
#define WEFT_TESTS_WATCHED_H

#include "tests/streams.h"
#include "weft.h"
#include "weft/class.h"

enum { WAY_TCP, WAY_UNIX, WAY_PIPE, WAY_MEMORY, WAYS };
enum { WAYS_BOTH = 3 };         /* of these, those that go both ways */

#define EVERY_WAY(tc, test) tcase_add_loop_test(tc, test, 0, WAYS)
#define EVERY_WAY_AND_CHUNK(tc, test) tcase_add_loop_test(tc, test, 0, WAYS * chunk_count)

static inline void
open_way(int i, struct weft_stream *ends[2])
{
	struct weft_stream *end;

	switch (i % WAYS) {
	case WAY_TCP:
		open_tcp(ends);
		break;
	case WAY_UNIX:
		ck_assert_ok(weft_unix_pair(ends));
		break;
	case WAY_PIPE:
		ck_assert_ok(weft_pipe_pair(ends));
		end = ends[0];
		ends[0] = ends[1];
		ends[1] = end;
		break;
	case WAY_MEMORY:
		ck_assert_ok(weft_memory_pair(ends));
		break;
	}
}

/* Of those that go both ways. */
static inline void
open_both(int i, struct weft_stream *ends[2])
{
	static const int both[WAYS_BOTH] = { WAY_TCP, WAY_UNIX, WAY_MEMORY };

	open_way(both[i % WAYS_BOTH], ends);
}

static inline size_t
chunk_of_way(int i)
{
	return chunks[i / WAYS];
}

#endif
