/* SPDX-License-Identifier: MIT */
/*
 * What <sys/event.h> of FreeBSD declares, for the double of kqueue on Linux;
 * with KQUEUE_OPENBSD, only what that of OpenBSD 7.3 does.
 */
#ifndef WEFT_TESTS_KQUEUE_SYS_EVENT_H
#define WEFT_TESTS_KQUEUE_SYS_EVENT_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define EVFILT_READ     (-1)
#define EVFILT_WRITE    (-2)
#define EVFILT_VNODE    (-4)
#define EVFILT_PROC     (-5)
#define EVFILT_SIGNAL   (-6)
#define EVFILT_TIMER    (-7)
#ifndef KQUEUE_OPENBSD
#define EVFILT_USER     (-11)
#endif

#define EV_ADD          0x0001
#define EV_DELETE       0x0002
#define EV_ENABLE       0x0004
#define EV_DISABLE      0x0008
#define EV_ONESHOT      0x0010
#define EV_CLEAR        0x0020
#define EV_RECEIPT      0x0040
#define EV_DISPATCH     0x0080
#define EV_ERROR        0x4000
#define EV_EOF          0x8000

#define NOTE_EXIT       0x80000000U
#define NOTE_FORK       0x40000000U
#define NOTE_EXEC       0x20000000U
#ifndef KQUEUE_OPENBSD
#define NOTE_TRIGGER    0x01000000U
#define NOTE_SECONDS    0x00000001U
#define NOTE_MSECONDS   0x00000002U
#define NOTE_USECONDS   0x00000004U
#define NOTE_NSECONDS   0x00000008U
#endif

/* Darwin's, of <fcntl.h>: see kqueue_calls.c. */
#define F_GETPATH       50

struct kevent {
	uintptr_t ident;
	short filter;
	unsigned short flags;
	unsigned int fflags;
	int64_t data;
	void *udata;
};

#define EV_SET(event, a, b, c, d, e, f) \
	(*(event) = (struct kevent){ (a), (b), (c), (d), (e), (f) })

int kqueue(void);
int kevent(int kq, const struct kevent *changes, int change_count,
    struct kevent *events, int event_count, const struct timespec *timeout);

#endif
