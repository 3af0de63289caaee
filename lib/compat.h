/* SPDX-License-Identifier: MIT */
/*
 * lib/compat.h - what systems and compilers do not agree on, for all of lib/.
 *
 * SIGPIPE. A library must not let a write kill its program, nor change what
 * the program does with the signal. Sockets have MSG_NOSIGNAL for that. Where
 * it is missing, and for pipes everywhere, the writer holds the signal back:
 *
 *     weft__sigpipe_hold(&held, fd);
 *     n = write(fd, ...);
 *     weft__sigpipe_release(&held);
 *
 * after which one that the write raised is gone, one that was pending before
 * is pending still, and errno is that of the write.
 */
#ifndef WEFT_LIB_COMPAT_H
#define WEFT_LIB_COMPAT_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <signal.h>
#include <stdbool.h>

/* Code that only failures run: kept out of line and out of the way. */
#if defined(__GNUC__) || defined(__clang__)
#define WEFT__COLD __attribute__((cold, noinline))
#else
#define WEFT__COLD
#endif

/* macOS has it since lately, and before took no notice. */
#if defined(MSG_NOSIGNAL) && !defined(__APPLE__) && !defined(WEFT_WITHOUT_MSG_NOSIGNAL)
#define WEFT__NOSIGNAL MSG_NOSIGNAL
#define WEFT__SOCKETS_RAISE_SIGPIPE 0
#else
#define WEFT__NOSIGNAL 0
#define WEFT__SOCKETS_RAISE_SIGPIPE 1
#endif

/* Descriptors that are received are close-on-exec at once, where there is this. */
#if defined(MSG_CMSG_CLOEXEC) && !defined(WEFT_WITHOUT_MSG_CMSG_CLOEXEC)
#define WEFT__CMSG_CLOEXEC MSG_CMSG_CLOEXEC
#else
#define WEFT__CMSG_CLOEXEC 0
#endif

/* Unix sockets with names that are no files. */
#ifdef __linux__
#define WEFT__ABSTRACT_NAMES 1
#else
#define WEFT__ABSTRACT_NAMES 0
#endif

/* Whether recvmsg says MSG_CTRUNC when a read of a Unix socket was cut short by
 * descriptors for which there was no room. */
#ifdef __linux__
#define WEFT__CUTS_ARE_TOLD true
#else
#define WEFT__CUTS_ARE_TOLD false
#endif

/* Whether an accepted socket has the options of its listener. */
#ifdef __linux__
#define WEFT__OPTIONS_ARE_INHERITED 1
#else
#define WEFT__OPTIONS_ARE_INHERITED 0
#endif

/* One of a batch of datagrams. */
#ifndef HAVE_STRUCT_MMSGHDR
struct mmsghdr {
	struct msghdr msg_hdr;
	unsigned msg_len;
};
#endif

struct weft__sigpipe {
	sigset_t mask; /* the thread's own, to go back to */
	bool pending;  /* one was before: the write's is the same, and stays */
	bool quiet;    /* nothing is held: the file raises none */
	int told;      /* it was told so for this write: the descriptor, or -1 */
};

/* compat.c */
void weft__sigpipe_hold(struct weft__sigpipe *, int fd);
void weft__sigpipe_release(struct weft__sigpipe *);
/* While it is held, what is done to a terminal from the background is done, and
 * does not stop the process. Both are async-signal-safe. */
void weft__sigttou_hold(sigset_t *mask);
void weft__sigttou_release(const sigset_t *mask);
/* Non-blocking and close-on-exec from the start, where there is a call for
 * it. As the calls without that: -1 with errno. */
int weft__compat_socket(int family, int type, int protocol);
int weft__compat_socketpair(int family, int type, int fds[2]);
int weft__compat_accept(int fd, struct sockaddr *, socklen_t *);
int weft__compat_pipe(int fds[2]);
int weft__compat_set_flags(int fd);
int weft__compat_set_cloexec(int fd);
/* Of who made the other end of a Unix socket; what is not known stays as it is. */
int weft__compat_credentials(int fd, uid_t *, gid_t *, pid_t *);
/* As recvmmsg(2) and sendmmsg(2), or one call each where there are none; EINTR
 * never comes out, and no SIGPIPE. *late: an error met behind the first, which the kernel tells
 * nobody any more; else it stays as it is. */
int weft__compat_recvmmsg(int fd, struct mmsghdr *, unsigned n, int *late);
int weft__compat_sendmmsg(int fd, struct mmsghdr *, unsigned n);
/* An option that takes a group and an interface: by its address, or its index. */
int weft__compat_set_group(int fd, int option, struct in_addr group,
    struct in_addr interface, unsigned index);
/* A new open file for what the descriptor is open on; terminals everywhere,
 * pipes on Linux. -1: not to be had. */
int weft__compat_reopen(int fd, int flags);
/* getpeername(2), and ENOTCONN where there is no peer (any more). */
int weft__compat_peer(int fd, struct sockaddr *, socklen_t *);
/* What is open as `from` is, instead, as `to`, close-on-exec. -1: nothing has
 * changed. */
int weft__compat_move(int from, int to);
/* Whether this is the controlling side of a pseudo-terminal. */
bool weft__compat_is_controller(int tty);
/* Whether a pipe keeps what was written apart (O_DIRECT). */
bool weft__compat_keeps_packets(int fd);

#endif
