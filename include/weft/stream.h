/* SPDX-License-Identifier: MIT */
/*
 * weft/stream.h - bytes that come and go, whatever carries them.
 *
 * Reads return a length > 0, 0 at the end of the stream and nowhere else, or
 * -1 with errno; a failed read consumes nothing. One fiber may read while
 * another writes; several readers, or writers, are served in order, whole
 * calls at a time. Whatever may wait fails as weft/fiber.h says, with EAGAIN
 * for WEFT_NOWAIT, and with EBADF once the stream is closed.
 *
 * Borrowed pointers live until the next read or close of the same stream;
 * writing to it does not disturb them.
 *
 * Pages: weft_stream(3), weft_stream_read(3), weft_stream_write(3).
 */
#ifndef WEFT_STREAM_H
#define WEFT_STREAM_H

#include <weft/base.h>
#include <weft/regex.h>
#include <sys/socket.h>

WEFT_BEGIN_DECLS

struct weft_buffer;
struct weft_server;
struct weft_stream;

/* --- reading */

/* What there is: 1 to n bytes. EINVAL: n is 0. */
WEFT_API ssize_t weft_stream_read(struct weft_stream *, void *dst, size_t n,
    int64_t deadline);
/* n bytes; EPIPE: the stream ended inside them, the part is still readable. */
WEFT_API ssize_t weft_stream_read_exactly(struct weft_stream *, void *dst, size_t n,
    int64_t deadline);
/* What there is, at the Buffer's position, which moves. ENOBUFS: no room. */
WEFT_API ssize_t weft_stream_read_buffer(struct weft_stream *, struct weft_buffer *dst,
    int64_t deadline);
/* All until the end of the stream; how much that was. On failure what has come
 * stays in the Buffer. EMSGSIZE: there is more than fits, and it is still there. */
WEFT_API ssize_t weft_stream_read_all(struct weft_stream *, struct weft_buffer *into,
    int64_t deadline);
/* Through the next delimiter of n bytes, which is counted; borrowed. EPIPE: the
 * stream ended before it. EMSGSIZE: more than the limit before it. */
WEFT_API ssize_t weft_stream_read_until(struct weft_stream *, const void *delimiter,
    size_t n, const void **data, int64_t deadline);
/* The same for the delimiter of several that ends first; of those that end
 * together, for the shortest. EINVAL: none, or an empty one. */
WEFT_API ssize_t weft_stream_read_until_any(struct weft_stream *,
    const struct iovec *delimiters, int count, const void **data, int64_t deadline);
/* Through the end of the first match that is not empty at the first byte;
 * borrowed. A match that more bytes could still change waits for them, or for
 * the end. EPIPE, EMSGSIZE: as above, and for a match longer than the limit.
 * ELOOP: the pattern takes too many steps on these bytes. */
WEFT_API ssize_t weft_stream_read_match(struct weft_stream *, const struct weft_regex *,
    const void **data, int64_t deadline);
/* Through the next LF; borrowed, not terminated. A last line without LF is
 * delivered as it is. EMSGSIZE: longer than the limit, nothing is lost. */
WEFT_API ssize_t weft_stream_read_line(struct weft_stream *, const char **line,
    int64_t deadline);
/* After EMSGSIZE: drops through the next LF. Can be repeated if it fails.
 * EPIPE: the stream ended first. */
WEFT_API int weft_stream_skip_line(struct weft_stream *, int64_t deadline);
/* A look at all that is there, at least `want` bytes; borrowed, not consumed.
 * EPIPE: the stream ended with fewer. EMSGSIZE: want is above the limit. */
WEFT_API ssize_t weft_stream_peek(struct weft_stream *, size_t want, const void **data,
    int64_t deadline);
/* Drops n of the bytes that are there. ERANGE: there are fewer, all stay. */
WEFT_API int weft_stream_skip(struct weft_stream *, size_t n);
/* Makes at least n bytes available in weft_stream_input; how many there are. As
 * weft_stream_peek. */
WEFT_API ssize_t weft_stream_fill(struct weft_stream *, size_t n, int64_t deadline);
/* The Buffer that bytes arrive in: what is got from it is consumed. For getting
 * only; borrowed until the stream is closed, its state until the next read.
 * NULL: closed. */
WEFT_API struct weft_buffer *weft_stream_input(struct weft_stream *);
/* Bytes that have arrived and can be had without a system call. */
WEFT_API size_t weft_stream_buffered(const struct weft_stream *);
/* The longest record, delimiter not counted; 64 KiB by default. EINVAL: 0. */
WEFT_API int weft_stream_set_limit(struct weft_stream *, size_t bytes);
/* The length without its LF or CRLF. */
WEFT_API size_t weft_chomp(const char *line, size_t length);

/* --- writing: errors stick, and come from the next write, flush or close */

/* The bytes accepted: n, or fewer if the wait ended early; -1 if none. */
WEFT_API ssize_t weft_stream_write(struct weft_stream *, const void *src, size_t n,
    int64_t deadline);
/* EINVAL: count below 0, or lengths that do not fit ssize_t. */
WEFT_API ssize_t weft_stream_writev(struct weft_stream *, const struct iovec *, int count,
    int64_t deadline);
/* What remains in the Buffer; its position moves over what was accepted. */
WEFT_API ssize_t weft_stream_write_buffer(struct weft_stream *, struct weft_buffer *src,
    int64_t deadline);
/* A Buffer with room to put n bytes; weft_stream_commit writes what was put. It
 * is borrowed until then or close. NULL: ENOMEM, EBADF, ENOTSUP, or EBUSY while
 * another fiber commits. */
WEFT_API struct weft_buffer *weft_stream_output(struct weft_stream *, size_t n);
/* Writes all that was put; what is not accepted stays for the next commit. */
WEFT_API int weft_stream_commit(struct weft_stream *, int64_t deadline);
WEFT_API ssize_t weft_stream_printf(struct weft_stream *, int64_t deadline,
    const char *format, ...) WEFT_FORMAT(3, 4);
/* Accepted, but not yet with the kernel. 0: all is flushed. */
WEFT_API size_t weft_stream_queued(const struct weft_stream *);
/* Until the queue is empty, or the error that stopped it. */
WEFT_API int weft_stream_flush(struct weft_stream *, int64_t deadline);
/* Until the queue is at or below the low mark. */
WEFT_API int weft_stream_drain(struct weft_stream *, int64_t deadline);
/* Bytes; 16 KiB and 64 KiB by default. (0, 0): no queue. EINVAL: low > high. */
WEFT_API int weft_stream_set_watermarks(struct weft_stream *, size_t low, size_t high);
/* Writes wait for the end of the turn, or 16 KiB, and leave in one call. */
WEFT_API int weft_stream_set_coalescing(struct weft_stream *, bool);

/* --- ending */

/* Flushes, then ends our side; reading goes on. Again: 0. ENOTSUP. */
WEFT_API int weft_stream_shutdown(struct weft_stream *, int64_t deadline);
WEFT_API bool weft_stream_can_shutdown(const struct weft_stream *);
/* Flushes until the deadline, closes, and wakes every waiter with EBADF. Closed
 * it is, also on failure: ETIMEDOUT and the like if bytes had to be dropped, or
 * the error that broke writing. Again: 0. */
WEFT_API int weft_stream_close(struct weft_stream *, int64_t deadline);
/* Drops what is queued and resets the connection. */
WEFT_API void weft_stream_abort(struct weft_stream *);
/* Aborts if still open. Safe while other fibers are inside a call. NULL: nothing. */
WEFT_API void weft_stream_free(struct weft_stream *);

/* --- state */

/* Whether reading, or writing, can still succeed. */
WEFT_API bool weft_stream_readable(const struct weft_stream *);
WEFT_API bool weft_stream_writable(const struct weft_stream *);
WEFT_API bool weft_stream_closed(const struct weft_stream *);
/* Whether the next read would return 0, as far as a read has found out. */
WEFT_API bool weft_stream_at_eof(const struct weft_stream *);
/* The errno that broke the stream, or 0. */
WEFT_API int weft_stream_error(const struct weft_stream *);
/* The step that failed and why, in words, "" if none did. NULL: of the last
 * stream or server that could not be made on this thread. Until the next call. */
WEFT_API const char *weft_stream_error_text(const struct weft_stream *);
/* The descriptor, which stays the stream's; ENOTSUP, EBADF. */
WEFT_API int weft_stream_fd(const struct weft_stream *);
/* The one that is written to: another one only for a pipe. */
WEFT_API int weft_stream_write_fd(const struct weft_stream *);
/* Closes the stream, but gives its descriptor to the caller, still
 * non-blocking. ENOTSUP: there are two, or none, or bytes are buffered or
 * queued. */
WEFT_API int weft_stream_detach(struct weft_stream *);
/* "192.0.2.1:80", "[2001:db8::1]:80", a path, or ""; readable after close. */
WEFT_API const char *weft_stream_sockname(struct weft_stream *);
WEFT_API const char *weft_stream_peername(struct weft_stream *);
/* As getsockname(2) and getpeername(2). ENOTSUP. */
WEFT_API int weft_stream_getsockname(struct weft_stream *, struct sockaddr *, socklen_t *);
WEFT_API int weft_stream_getpeername(struct weft_stream *, struct sockaddr *, socklen_t *);
/* Who accepted it; NULL if nobody, or once it is closed. */
WEFT_API struct weft_server *weft_stream_server(const struct weft_stream *);
/* A pointer of the program's. */
WEFT_API void weft_stream_set_data(struct weft_stream *, void *);
WEFT_API void *weft_stream_data(const struct weft_stream *);

/* A stream on a connected stream socket, TCP or Unix, which it makes
 * non-blocking and close-on-exec and owns; on failure it stays the caller's.
 * EBADF, ENOTSOCK, EINVAL: not a stream socket, ENOTCONN, ENOMEM. */
WEFT_API struct weft_stream *weft_stream_from_socket(int fd);

WEFT_END_DECLS

#endif
