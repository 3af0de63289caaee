/* SPDX-License-Identifier: MIT */
/*
 * The parts of the double of kqueue, see kqueue_double.c.
 */
#ifndef WEFT_TESTS_KQUEUE_DOUBLE_H
#define WEFT_TESTS_KQUEUE_DOUBLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/event.h>

enum { KNOTE_BUCKETS = 256 };

/* One filter on one thing. */
struct knote {
	struct knote *next;             /* in its bucket */
	struct knote *after;            /* in the queue, if queued */
	struct kqueue *kq;
	struct kevent event;            /* as it was asked for and is reported */
	int64_t asked;                  /* `data` of EV_ADD */
	unsigned notes;                 /* `fflags` of EV_ADD */
	uint64_t seen;                  /* SIGNAL: counted up to here */
	int fd;                         /* TIMER, PROC: own descriptor, or -1 */
	bool queued, disabled;
	bool unpolled;                  /* a file that epoll refuses */
	bool fired;                     /* USER: triggered, PROC: has ended */
	bool half;                      /* WRITE: the peer will send no more */
};

struct kqueue {
	struct kqueue *next;
	int fd;                         /* epoll: edges for what may be read */
	int writing;                    /* epoll: edges for what may be written */
	int bell;                       /* eventfd: something is queued */
	bool rung;
	struct knote *first, **last;    /* activated, in that order */
	struct knote *buckets[KNOTE_BUCKETS];
};

/* --- kqueue_double.c: the queues */
extern const char *const *weft_test_kqueues;
extern struct kqueue *kqueue_all;
extern unsigned long kqueue_kevents;    /* how often kevent() was called */
void kqueue_lock(void);
void kqueue_unlock(void);
struct knote *kqueue_find(struct kqueue *, uintptr_t ident, int filter);
/* Edges from now on; the errno of epoll. */
int  kqueue_watch(const struct knote *, int set, int fd, unsigned events);
void kqueue_activate(struct knote *);
void kqueue_drop(struct knote *);
/* Everything that happened until now becomes active. `state`: a peer has just
 * said that it is done, and so edges of writing are none. */
void kqueue_pump_all(bool state);
/* If it is one: without a trace. */
void kqueue_destroy(int fd);

/* --- kqueue_filters.c: what the filters say */
/* An errno, or 0. */
int  kqueue_filter_attach(struct knote *);
/* EV_ADD on one that is there, NOTE_TRIGGER. */
int  kqueue_filter_touch(struct knote *, const struct kevent *change);
void kqueue_filter_detach(struct knote *);
/* The kernel saw something. */
void kqueue_filter_edge(struct knote *, bool state);
/* Whether there is something to report; fills data, flags and fflags. */
bool kqueue_filter_true(struct knote *);
/* It was reported and is to be new when it is reported again. */
void kqueue_filter_clear(struct knote *);
/* Activates what has counted signals. */
void kqueue_filter_signals(struct kqueue *);

/* --- kqueue_files.c: READ and WRITE */
int  kqueue_file_attach(struct knote *);
void kqueue_file_detach(struct knote *);
void kqueue_file_edge(struct knote *, bool state);
bool kqueue_file_true(struct knote *);

/* --- kqueue_calls.c: calls that do more where there is a kqueue */
/* KQUEUE_DOUBLE=openbsd in the environment; else it is FreeBSD. */
bool kqueue_openbsd(void);
/* KQUEUE_DOUBLE=darwin: as FreeBSD, save for what is said of Darwin, which was
 * not measured: no devices, not even for poll(2), and no end of FIFOs. */
bool kqueue_darwin(void);
/* A pipe that has a name. */
bool kqueue_is_fifo(int fd);
/* Whether shutdown() was called for writing. */
bool kqueue_was_shut(int fd);
int  kqueue_close(int fd);
/* Gives it a number out of the way of the program's own. */
int  kqueue_high(int fd);

#endif
