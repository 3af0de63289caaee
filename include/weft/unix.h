/* SPDX-License-Identifier: MIT */
/*
 * weft/unix.h - Unix-domain stream sockets.
 *
 * Page: weft_unix(3).
 */
#ifndef WEFT_UNIX_H
#define WEFT_UNIX_H

#include <weft/server.h>
#include <weft/stream.h>

WEFT_BEGIN_DECLS

/* "@name" is an abstract name, where there are such. ENAMETOOLONG; ENOENT and
 * ECONNREFUSED: nobody listens. A full backlog is waited for. */
WEFT_API struct weft_stream *weft_unix_connect(const char *path, int64_t deadline);
/* Takes over the socket that a dead server left. EADDRINUSE: somebody listens
 * there. EEXIST: the file is not a socket. Unlinked at stop if still ours. */
WEFT_API struct weft_server *weft_unix_listen(const char *path,
    const struct weft_listen_options *);
/* Two streams connected to each other. */
WEFT_API int weft_unix_pair(struct weft_stream *ends[2]);

/* How many descriptors one call passes at most. */
#define WEFT_FDS_MAX 32

/* Passes a descriptor, or several, to the process at the other end, with one
 * byte of the stream, behind all that was written. They stay the caller's. */
WEFT_API int weft_stream_send_fd(struct weft_stream *, int fd, int64_t deadline);
WEFT_API int weft_stream_send_fds(struct weft_stream *, const int *fds, int n,
    int64_t deadline);
/* Consumes one byte, and gives the descriptor that came with it, close-on-exec;
 * weft_stream_recv_fds how many came, at most max, in fds. ENOMSG: the byte had
 * none. EPIPE: the stream ended. EMFILE: there were more than there is room or
 * limit for; the byte is consumed, and nothing is left open. */
WEFT_API int weft_stream_recv_fd(struct weft_stream *, int64_t deadline);
WEFT_API int weft_stream_recv_fds(struct weft_stream *, int *fds, int max,
    int64_t deadline);
/* Who made the other end, at that time; -1 for what the system does not tell.
 * Each may be NULL. */
WEFT_API int weft_stream_peer_credentials(struct weft_stream *, uid_t *, gid_t *, pid_t *);

WEFT_END_DECLS

#endif
