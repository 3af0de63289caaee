/* SPDX-License-Identifier: MIT */
/*
 * The inside of a stream, for lib/ alone.
 *
 * A class (weft/class.h) carries bytes: its functions try once and never wait.
 * The stream adds everything else: order among callers, the input Buffer, the output
 * queue, deadlines, errors that stick.
 *
 *                     reading                          writing
 *   program    read  <- input Buffer <-      write -> queue ->
 *                ^   (borrowed pointers)        |   (if the kernel is full)
 *                +------ straight ------+       +------ straight -------+
 *                                 class->read                     class->writev
 *
 * `ready` holds sticky bits: a set one means "try", a clear one means that the
 * class has said EAGAIN, and will call weft__stream_notify once it has been
 * asked to by want().
 */
#ifndef WEFT_LIB_STREAM_H
#define WEFT_LIB_STREAM_H

#include <errno.h>

#include "fiber/wait.h"
#include "lib/buffer.h"
#include "lib/bytes.h"
#include "weft/class.h"

/* --- limits of streams and servers */
enum {
	WEFT__BLOCK = 16 << 10,         /* input memory comes in these */
	WEFT__IDLE_KEPT = 64,           /* of a size: 1 MiB of input per loop at most */
	WEFT__DIRECT_READ = 1 << 10,    /* smaller reads go through a block */
	WEFT__LIMIT = 64 << 10,         /* of a record, by default */
	WEFT__LOW_MARK = 16 << 10,      /* by default */
	WEFT__HIGH_MARK = 64 << 10,
	WEFT__COALESCED = 16 << 10,     /* this much leaves before the turn ends */
	WEFT__VECTORS = 8,              /* per system call; the rest follow */
	WEFT__ACCEPT_COST = 64 << 10,   /* so that 16 make a turn */
	WEFT__BACKLOG = 4096,           /* some headers' SOMAXCONN is of old; systems cut it */
	WEFT__PAUSE_MS = 50,            /* no descriptors left: doubles ... */
	WEFT__PAUSE_MAX_MS = 1000,      /* ... up to this */
	WEFT__LINGER_MS = 30000,        /* to flush when a handler has returned */
	WEFT__OUTPUT = 4 << 10,         /* what weft_stream_output lends at least */
	WEFT__OUTPUT_KEPT = 64 << 10,   /* and the loop keeps one of, at most */
	WEFT__MEMORY_ROOM = 64 << 10,   /* between the ends of a memory pair */
	WEFT__TEXT_SIZE = 256
};

/* Somebody who is told what happens to a stream, without a fiber inside a call:
 * a poller, a protocol. */
enum weft__news {
	WEFT__NEWS_INPUT,       /* a read could find something */
	WEFT__NEWS_READ,        /* a call that read is about to leave */
	WEFT__NEWS_HUNGRY,      /* one waits for more, or has given up waiting */
	WEFT__NEWS_QUEUE,       /* the queue is shorter, or our side has ended */
	WEFT__NEWS_CLOSED,      /* closing, or closed: what is buffered goes */
	WEFT__NEWS_FREED        /* it is to be watched no more */
};

struct weft__watcher {
	struct weft__watcher *next;
	/* Anywhere, also in the middle of a turn: takes a note, wakes a fiber. It
	 * may take this watcher off, and no other. */
	void (*told)(struct weft__watcher *, enum weft__news);
	bool claims;            /* it reads the stream: no other may do that, too */
	/* NULL, or: the queue may have passed a mark. By the fiber that did it, when
	 * it is about to return to the program. */
	void (*marks)(struct weft__watcher *);
};

/* One direction: whole calls, in order. */
struct weft__side {
	struct weft__queue turns;       /* callers that wait for theirs */
	const struct weft_fiber *inside;        /* NULL: nobody */
	int errno_before;               /* his, for when he succeeds */
};

/* What a search for a record has found out of the unread bytes before it ended
 * in vain, so that the next one for the same need not begin again. */
enum { WEFT__KEY_SIZE = 16, WEFT__KEY_REGEX = 255 };
struct weft__key {
	unsigned char bytes[WEFT__KEY_SIZE];    /* bytes[0] is 0: of nothing */
};
struct weft__searched {
	struct weft__key key;
	size_t scanned;
	size_t lacking;                 /* stream_match.c */
};

/* In the order of how often it is touched: a read and a write know of the first
 * three cache lines. */
struct weft_stream {
	const struct weft_stream_class *class;
	struct weft_loop *loop;
	uint8_t ready;                  /* sticky bits, see above */
	/* All false in most streams, and in such an order that an if makes one test
	 * of those that || joins: */
	bool closed : 1;                /* or closing: nobody gets in */
	bool ended : 1;                 /* what carried the bytes is gone */
	bool freed : 1;                 /* memory goes with the last user */
	bool lent : 1;                  /* the program has looked at the input */
	bool shut : 1;                  /* our side has ended */
	bool unreadable : 1;            /* it has not got this side */
	bool unwritable : 1;
	bool eof : 1;
	bool resumes : 1;               /* the end, once told, is over */
	bool coalescing : 1;
	bool leaving : 1;               /* freed when closed: nobody can ask its names */
	bool held;                      /* the loop polls for our queue */
	bool committing;                /* what was put is being written just now */
	bool elastic;                   /* takes writes whole, beyond the high mark */
	unsigned users;                 /* fibers inside a call */
	int read_error, write_error;    /* sticky */
	struct weft_fiber *reader;      /* parked for input */
	struct weft__watcher *watchers;
	struct weft_stream *above;      /* told of what this one is told; or NULL */

	struct weft__side reading, writing;
	struct weft__bytes queue;       /* to be sent */
	struct weft_buffer input;       /* position..limit is unread */

	size_t input_start;             /* its position when a read left it */
	struct weft__searched searched;
	size_t limit;                   /* longest record */
	struct weft_buffer *output;     /* put, not committed; NULL: none */
	size_t low, high;
	const char *step;               /* what failed, for error_text */
	struct weft_server *server;             /* who accepted it, or NULL */
	struct weft_fiber *handler;             /* while that runs */
	struct weft_stream *older, *newer;      /* meanwhile: the server's list */
	void *data;

	struct weft__task flush;        /* at the end of the turn */
	size_t input_end;               /* the limit of input when a read left it */
	struct weft__queue writers;     /* parked until output has moved */
};

/* --- stream.c */
void weft__stream_init(struct weft_stream *, const struct weft_stream_class *, struct weft_loop *);
/* Sets errno, and returns -1. */
int  weft__fail(int error);
/* One caller at a time per side. 0 or an errno; leave only after 0. */
int  weft__stream_line_up(struct weft_stream *, struct weft__side *, int64_t deadline);
static inline bool
weft__stream_has(const struct weft_stream *s, const struct weft__side *side)
{
	return side == &s->reading ? !s->unreadable : !s->unwritable;
}
static inline int
weft__stream_enter(struct weft_stream *s, struct weft__side *side, int64_t deadline)
{
	struct weft__front *front = weft__front(s->loop);

	if (s->closed || s->lent || s->unreadable || s->unwritable)
		return weft__stream_line_up(s, side, deadline);
	if (front->alarm || side->inside != NULL)
		return weft__stream_line_up(s, side, deadline);
	s->users++;
	side->inside = front->current;
	side->errno_before = *front->error;
	return 0;
}
void weft__stream_hand_over(struct weft_stream *, struct weft__side *);
static inline void
weft__stream_leave(struct weft_stream *s, struct weft__side *side)
{
	if (s->freed || s->lent || !weft__queue_empty(&side->turns)) {
		weft__stream_hand_over(s, side);
	} else {
		side->inside = NULL;
		s->users--;
	}
}
/* Whether a write that waits for nothing could go ahead, without entering. */
static inline bool
weft__stream_may_write(const struct weft_stream *s)
{
	if (s->closed || s->shut || s->unwritable)
		return false;
	return s->write_error == 0 && s->writing.inside == NULL &&
	    !weft__front(s->loop)->alarm;
}
/* Back to the program: its errno as it was, where that is to be seen. */
static inline void
weft__stream_keep_errno(const struct weft_stream *s, const struct weft__side *side)
{
	*weft__front(s->loop)->error = side->errno_before;
}
/* The last of `users` frees a stream that is to be freed. */
void weft__stream_go_out(struct weft_stream *);
/* How the fibers of a stream wait: enum weft__waiting. */
static inline unsigned
weft__stream_waiting(const struct weft_stream *s)
{
	return s->class->internal ? WEFT__INTERNAL : WEFT__EXTERNAL;
}
/* The class will notify. 0 or an errno. It knows on which descriptor, if any. */
static inline int
weft__stream_want(struct weft_stream *s, int event)
{
	weft__subject(s->loop, (uint64_t)-1);
	weft__front(s->loop)->object = s;
	return s->class->want(s, event) < 0 ? errno : 0;
}
/* Events, or minus the errno that broke it. Whether anything came of it. */
bool weft__stream_spread(struct weft_stream *, int events);
static inline bool
weft__stream_notify(struct weft_stream *s, int events)
{
	bool news = !(s->ready & WEFT_READABLE);

	if (events != WEFT_READABLE || s->watchers != NULL || s->above != NULL)
		return weft__stream_spread(s, events);
	s->ready |= WEFT_READABLE;      /* and nothing else, as mostly */
	if (s->reader != NULL)
		weft__wake(s->reader, 0);
	return news;
}
/* Notes the error that broke one side, and what was being done. */
void weft__stream_break_read(struct weft_stream *, int error, const char *step);
void weft__stream_break_write(struct weft_stream *, int error, const char *step);

/* Parks until notified. 0 or an errno; EBADF if the stream was closed. */
int  weft__stream_wait_output(struct weft_stream *, int64_t deadline);

/* --- input.c: the Buffer that bytes arrive in */
/* The same for input. */
int  weft__input_wait(struct weft_stream *, int64_t deadline);
/* Some bytes, straight into dst, or if that is NULL into the Buffer, behind
 * what is there: > 0, 0 end, -1 with errno. Parks if need be. */
ssize_t weft__input_read(struct weft_stream *, void *dst, size_t n, int64_t deadline);
/* The same into the Buffer, for those who do not wait: after EAGAIN, watchers
 * will be told when there may be more. `ready` says if that is so already. */
ssize_t weft__input_try(struct weft_stream *);
/* Takes the Buffer's memory away from the stream. NULL: it has none. */
void *weft__input_take(struct weft_stream *, size_t *size);
void weft__input_give(struct weft_loop *, void *memory, size_t size);
/* Room for `size` bytes in all. ENOMEM. */
int  weft__input_reserve(struct weft_stream *, size_t size);
static inline const unsigned char *
weft__input_bytes(const struct weft_stream *s)
{
	return weft__buffer_at(&s->input, s->input.position);
}
static inline void
weft__input_consume(struct weft_stream *s, size_t n)
{
	s->input.position += n;
	s->searched.key.bytes[0] = 0;
}
/* How many are unread; from outside a read, weft_stream_buffered. */
static inline size_t
weft__input_count(const struct weft_stream *s)
{
	return weft__buffer_remaining(&s->input);
}
/* Whether `searched` is about what is unread now, and about the same search. */
static inline bool
weft__has_searched(const struct weft_stream *s)
{
	return s->searched.key.bytes[0] != 0;
}
bool weft__has_searched_for(const struct weft_stream *, const struct weft__key *);
/* Before a read, if the Buffer is lent: undoes what was done to its limit. */
void weft__input_reclaim(struct weft_stream *);
/* Puts n bytes behind what is there; room for them has been reserved. */
void weft__input_append(struct weft_stream *, const void *, size_t n);
/* Gives an empty Buffer's memory back. */
void weft__input_release(struct weft_stream *);
void weft__input_drop(struct weft_stream *);

/* Whether so many of the unread bytes may be taken without entering: nobody is in
 * a read, nobody watches, and the fiber will go on running: what it has borrowed
 * stays where it is. */
#define WEFT__AT_HAND_MAX (WEFT__CREDIT / 2)
_Static_assert(WEFT__OPERATION_COST <= WEFT__AT_HAND_MAX, "its charge leaves credit");
static inline bool
weft__input_at_hand(const struct weft_stream *s)
{
	const struct weft__front *front = weft__front(s->loop);

	if (s->closed || s->freed || s->lent || s->unreadable)
		return false;
	return weft__input_count(s) > 0 && s->reading.inside == NULL &&
	    s->watchers == NULL && !front->alarm && front->credit >= WEFT__AT_HAND_MAX;
}

/* For so many of them. */
static inline void
weft__charge_at_hand(const struct weft_stream *s, size_t n)
{
	weft__front(s->loop)->credit -= n > (size_t)WEFT__OPERATION_COST ? (long)n :
	    WEFT__OPERATION_COST;
}

/* --- watcher.c */
void weft__stream_watch(struct weft_stream *, struct weft__watcher *);
void weft__stream_unwatch(struct weft_stream *, struct weft__watcher *);
/* The watcher that is told by this function, or NULL. */
struct weft__watcher *weft__stream_watched_by(const struct weft_stream *,
    void (*told)(struct weft__watcher *, enum weft__news));
bool weft__stream_is_claimed(const struct weft_stream *);
void weft__stream_tell_all(struct weft_stream *, enum weft__news);
static inline void
weft__stream_tell(struct weft_stream *s, enum weft__news news)
{
	if (s->watchers != NULL)
		weft__stream_tell_all(s, news);
}
/* Whoever minds the marks may do so now, and may free the stream. */
void weft__stream_mind_marks(struct weft_stream *);

/* --- stream_read.c */
/* Ends a read that got so much; errno stays. */
ssize_t weft__read_end(struct weft_stream *, ssize_t got);
static inline ssize_t
weft__read_leave(struct weft_stream *s, ssize_t got)
{
	if (got <= 0)
		return weft__read_end(s, got);
	weft__stream_keep_errno(s, &s->reading);
	/* Others run while the next reader still waits for his turn: he must
	 * not move what this one has borrowed. */
	weft__charge(s->loop, (size_t)got);
	if (s->ended || s->freed || s->lent || s->watchers != NULL ||
	    !weft__queue_empty(&s->reading.turns))
		return weft__read_end(s, got);
	s->reading.inside = NULL;
	s->users--;
	return got;
}

/* --- stream_queue.c */
/* Room for n more bytes. -1: ENOMEM. */
int  weft__stream_reserve_queue(struct weft_stream *, size_t n);
/* Sends what it can of the queue, wakes who waits for that. */
void weft__stream_send_queue(struct weft_stream *);
int  weft__stream_flush(struct weft_stream *, int64_t deadline);
void weft__stream_drop_queue(struct weft_stream *);
void weft__stream_flush_task(struct weft__task *);
/* One try, with the queue in front of iov. How much of iov went, or -1. */
ssize_t weft__stream_send_some(struct weft_stream *, const struct iovec *iov, int count);
/* The class has taken nothing: for now, or for ever. */
void weft__stream_not_sent(struct weft_stream *);
/* The class will notify, and the loop polls for it, while bytes are queued. */
void weft__stream_send_later(struct weft_stream *);
/* Until at most *level bytes are queued, or the stream breaks, or is closed by
 * somebody else. An errno. *level may change meanwhile. */
int  weft__stream_wait_level(struct weft_stream *, const size_t *level, int64_t deadline);

/* --- memory.c */
/* Bytes that were fed and not read. */
size_t weft__memory_unread(const struct weft_stream *);

/* --- server.c */
/* A server's memory goes with the last who holds it: streams, fibers, program. */
void weft__server_let_go(struct weft_server *);

/* --- error.c: the last failure to make a stream or server on this thread */
/* Notes `step what: error` and sets errno; NULL for the caller to return. */
void *weft__make_failed(const char *step, const char *what, int error);
const char *weft__make_failure(void);

/* --- per_loop.c: what lib/ keeps with each loop */

/* Memory of one size, to be used again: last in, first out, linked through its
 * first word. */
struct weft__idle {
	void *first;
	unsigned count;
};
/* NULL: there is none. */
void *weft__idle_take(struct weft__idle *);
/* Frees it if there is enough already. */
void weft__idle_give(struct weft__idle *, void *memory);

struct weft__per_loop {
	struct weft_loop *loop;
	struct weft__idle blocks;       /* of input: WEFT__BLOCK */
	struct weft__idle queues;       /* of output: WEFT__BYTES_FIRST */
	struct weft_buffer *output;     /* free, empty */
	void *matcher;                  /* of regex.c */
	char text[WEFT__TEXT_SIZE];
	char failure[WEFT__TEXT_SIZE];
};
/* NULL: ENOMEM. Never NULL for a loop that has streams. */
struct weft__per_loop *weft__per_loop(struct weft_loop *);

#endif
