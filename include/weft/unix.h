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

WEFT_END_DECLS

#endif
