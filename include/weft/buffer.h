/* SPDX-License-Identifier: MIT */
/*
 * weft/buffer.h - bytes with a place to read or write them.
 *
 *     0 <= mark <= position <= limit <= capacity
 *
 *     0        position        limit      capacity
 *     |  done  |  get or put   |  unused  |
 *
 * Relative calls work at the position and move it: all of it or nothing.
 * Absolute calls (_at) name an index, are bounded by the limit, and move
 * nothing. A get that would pass the limit fails with ERANGE, a put with
 * ENOBUFS, a put into a read-only Buffer with EROFS. A Buffer and its views
 * belong to one thread at a time. See weft_buffer(3).
 */
#ifndef WEFT_BUFFER_H
#define WEFT_BUFFER_H

#include <stdio.h>

#include "weft/base.h"

WEFT_BEGIN_DECLS

struct weft_buffer;

/* Zeroed; position 0, limit = capacity. */
WEFT_API struct weft_buffer *weft_buffer_new(size_t capacity);
/* Doubles as puts need it, while limit == capacity; past maximum: ENOBUFS. */
WEFT_API struct weft_buffer *weft_buffer_new_growable(size_t initial, size_t maximum);
/* The memory stays the caller's and must outlive the Buffer and its views. */
WEFT_API struct weft_buffer *weft_buffer_wrap(void *memory, size_t length);
WEFT_API struct weft_buffer *weft_buffer_wrap_const(const void *memory, size_t length);

/* Views: the same bytes, a state of their own. The bytes live until the last
 * view is freed. A view of a read-only Buffer is read-only; none can grow. */
WEFT_API struct weft_buffer *weft_buffer_duplicate(struct weft_buffer *);
WEFT_API struct weft_buffer *weft_buffer_slice(struct weft_buffer *);
WEFT_API struct weft_buffer *weft_buffer_slice_at(struct weft_buffer *, size_t index, size_t length);
WEFT_API struct weft_buffer *weft_buffer_read_only(struct weft_buffer *);
WEFT_API void weft_buffer_free(struct weft_buffer *);

/* The state. */
WEFT_API size_t weft_buffer_capacity(const struct weft_buffer *);
WEFT_API size_t weft_buffer_position(const struct weft_buffer *);
WEFT_API size_t weft_buffer_limit(const struct weft_buffer *);
WEFT_API size_t weft_buffer_remaining(const struct weft_buffer *);
WEFT_API bool weft_buffer_has_remaining(const struct weft_buffer *);
/* EINVAL: a position above the limit; a limit above the capacity or below the
 * position. A position below the mark drops the mark. */
WEFT_API int weft_buffer_set_position(struct weft_buffer *, size_t);
WEFT_API int weft_buffer_set_limit(struct weft_buffer *, size_t);
/* reset goes back to the mark and keeps it; EINVAL without one. */
WEFT_API void weft_buffer_mark(struct weft_buffer *);
WEFT_API int weft_buffer_reset(struct weft_buffer *);
/* clear: all of it can be put. flip: what was put can be got. rewind: once
 * more from the start. compact: what is left moves to the start, and more can
 * be put behind it. All four drop the mark. */
WEFT_API void weft_buffer_clear(struct weft_buffer *);
WEFT_API void weft_buffer_flip(struct weft_buffer *);
WEFT_API void weft_buffer_rewind(struct weft_buffer *);
WEFT_API int weft_buffer_compact(struct weft_buffer *);
/* ERANGE past the limit. */
WEFT_API int weft_buffer_skip(struct weft_buffer *, size_t n);
/* The address of byte 0, until the Buffer grows; data: NULL and EROFS for a
 * read-only one. */
WEFT_API void *weft_buffer_data(struct weft_buffer *);
WEFT_API const void *weft_buffer_bytes(const struct weft_buffer *);
/* Room for n more between position and limit; grows if it can, never compacts. */
WEFT_API int weft_buffer_reserve(struct weft_buffer *, size_t n);

/* Bulk. The memory may overlap the Buffer's own. */
WEFT_API int weft_buffer_get_bytes(struct weft_buffer *, void *, size_t n);
WEFT_API int weft_buffer_put_bytes(struct weft_buffer *, const void *, size_t n);
WEFT_API int weft_buffer_get_bytes_at(struct weft_buffer *, size_t index, void *, size_t n);
WEFT_API int weft_buffer_put_bytes_at(struct weft_buffer *, size_t index, const void *, size_t n);
/* All that remains in the source, or ENOBUFS and neither moves. */
WEFT_API int weft_buffer_put_buffer(struct weft_buffer *to, struct weft_buffer *from);
/* Absolute on both sides, EINVAL outside a limit; overlap is safe. */
WEFT_API int weft_buffer_copy(struct weft_buffer *to, size_t to_index,
    struct weft_buffer *from, size_t from_index, size_t n);

/* Searches begin at the position and end at the limit; ERANGE is "not there". */
#define WEFT_KEEP_TERMINATOR 1
/* Offset from the position; consumes nothing. */
WEFT_API ssize_t weft_buffer_find(const struct weft_buffer *, const void *needle, size_t n);
/* Length of what comes before the byte, borrowed; the byte is consumed too. */
WEFT_API ssize_t weft_buffer_get_until(struct weft_buffer *, uint8_t byte, const void **data);
/* Length of the line without its LF or CRLF (with it: WEFT_KEEP_TERMINATOR). */
WEFT_API ssize_t weft_buffer_get_line(struct weft_buffer *, const char **line, int flags);
/* What remains in each: -1, 0 or 1 by unsigned bytes, shorter first ... */
WEFT_API int weft_buffer_compare(const struct weft_buffer *, const struct weft_buffer *);
/* ... and the offset of the first difference, -1 (errno untouched) if equal. */
WEFT_API ssize_t weft_buffer_mismatch(const struct weft_buffer *, const struct weft_buffer *);

/* One transfer that does not wait and raises no SIGPIPE, with a descriptor of
 * any kind. recv: > 0 advances, 0 is end of stream, a full Buffer ENOBUFS.
 * send: 0 if nothing remains. EAGAIN when nothing can be had or taken now. */
WEFT_API ssize_t weft_buffer_recv(struct weft_buffer *, int fd);
WEFT_API ssize_t weft_buffer_send(struct weft_buffer *, int fd);
/* The same over several Buffers, in order; each advances by its share. */
WEFT_API ssize_t weft_buffer_readv(struct weft_buffer *const *, int count, int fd);
WEFT_API ssize_t weft_buffer_writev(struct weft_buffer *const *, int count, int fd);

/* "position=5 limit=21 capacity=333", then hex: [ at position, ] at limit. */
WEFT_API int weft_buffer_dump(const struct weft_buffer *, FILE *);

/* Numbers: relative get. On ERANGE the result is left alone. */
WEFT_API int weft_buffer_get_u8(struct weft_buffer *, uint8_t *);
WEFT_API int weft_buffer_get_i8(struct weft_buffer *, int8_t *);
WEFT_API int weft_buffer_get_u16_le(struct weft_buffer *, uint16_t *);
WEFT_API int weft_buffer_get_u16_be(struct weft_buffer *, uint16_t *);
WEFT_API int weft_buffer_get_u32_le(struct weft_buffer *, uint32_t *);
WEFT_API int weft_buffer_get_u32_be(struct weft_buffer *, uint32_t *);
WEFT_API int weft_buffer_get_u64_le(struct weft_buffer *, uint64_t *);
WEFT_API int weft_buffer_get_u64_be(struct weft_buffer *, uint64_t *);
WEFT_API int weft_buffer_get_i16_le(struct weft_buffer *, int16_t *);
WEFT_API int weft_buffer_get_i16_be(struct weft_buffer *, int16_t *);
WEFT_API int weft_buffer_get_i32_le(struct weft_buffer *, int32_t *);
WEFT_API int weft_buffer_get_i32_be(struct weft_buffer *, int32_t *);
WEFT_API int weft_buffer_get_i64_le(struct weft_buffer *, int64_t *);
WEFT_API int weft_buffer_get_i64_be(struct weft_buffer *, int64_t *);
WEFT_API int weft_buffer_get_f32_le(struct weft_buffer *, float *);
WEFT_API int weft_buffer_get_f32_be(struct weft_buffer *, float *);
WEFT_API int weft_buffer_get_f64_le(struct weft_buffer *, double *);
WEFT_API int weft_buffer_get_f64_be(struct weft_buffer *, double *);

/* Relative put. */
WEFT_API int weft_buffer_put_u8(struct weft_buffer *, uint8_t);
WEFT_API int weft_buffer_put_i8(struct weft_buffer *, int8_t);
WEFT_API int weft_buffer_put_u16_le(struct weft_buffer *, uint16_t);
WEFT_API int weft_buffer_put_u16_be(struct weft_buffer *, uint16_t);
WEFT_API int weft_buffer_put_u32_le(struct weft_buffer *, uint32_t);
WEFT_API int weft_buffer_put_u32_be(struct weft_buffer *, uint32_t);
WEFT_API int weft_buffer_put_u64_le(struct weft_buffer *, uint64_t);
WEFT_API int weft_buffer_put_u64_be(struct weft_buffer *, uint64_t);
WEFT_API int weft_buffer_put_i16_le(struct weft_buffer *, int16_t);
WEFT_API int weft_buffer_put_i16_be(struct weft_buffer *, int16_t);
WEFT_API int weft_buffer_put_i32_le(struct weft_buffer *, int32_t);
WEFT_API int weft_buffer_put_i32_be(struct weft_buffer *, int32_t);
WEFT_API int weft_buffer_put_i64_le(struct weft_buffer *, int64_t);
WEFT_API int weft_buffer_put_i64_be(struct weft_buffer *, int64_t);
WEFT_API int weft_buffer_put_f32_le(struct weft_buffer *, float);
WEFT_API int weft_buffer_put_f32_be(struct weft_buffer *, float);
WEFT_API int weft_buffer_put_f64_le(struct weft_buffer *, double);
WEFT_API int weft_buffer_put_f64_be(struct weft_buffer *, double);

/* Absolute get. */
WEFT_API int weft_buffer_get_u8_at(struct weft_buffer *, size_t index, uint8_t *);
WEFT_API int weft_buffer_get_i8_at(struct weft_buffer *, size_t index, int8_t *);
WEFT_API int weft_buffer_get_u16_le_at(struct weft_buffer *, size_t index, uint16_t *);
WEFT_API int weft_buffer_get_u16_be_at(struct weft_buffer *, size_t index, uint16_t *);
WEFT_API int weft_buffer_get_u32_le_at(struct weft_buffer *, size_t index, uint32_t *);
WEFT_API int weft_buffer_get_u32_be_at(struct weft_buffer *, size_t index, uint32_t *);
WEFT_API int weft_buffer_get_u64_le_at(struct weft_buffer *, size_t index, uint64_t *);
WEFT_API int weft_buffer_get_u64_be_at(struct weft_buffer *, size_t index, uint64_t *);
WEFT_API int weft_buffer_get_i16_le_at(struct weft_buffer *, size_t index, int16_t *);
WEFT_API int weft_buffer_get_i16_be_at(struct weft_buffer *, size_t index, int16_t *);
WEFT_API int weft_buffer_get_i32_le_at(struct weft_buffer *, size_t index, int32_t *);
WEFT_API int weft_buffer_get_i32_be_at(struct weft_buffer *, size_t index, int32_t *);
WEFT_API int weft_buffer_get_i64_le_at(struct weft_buffer *, size_t index, int64_t *);
WEFT_API int weft_buffer_get_i64_be_at(struct weft_buffer *, size_t index, int64_t *);
WEFT_API int weft_buffer_get_f32_le_at(struct weft_buffer *, size_t index, float *);
WEFT_API int weft_buffer_get_f32_be_at(struct weft_buffer *, size_t index, float *);
WEFT_API int weft_buffer_get_f64_le_at(struct weft_buffer *, size_t index, double *);
WEFT_API int weft_buffer_get_f64_be_at(struct weft_buffer *, size_t index, double *);

/* Absolute put; never grows. */
WEFT_API int weft_buffer_put_u8_at(struct weft_buffer *, size_t index, uint8_t);
WEFT_API int weft_buffer_put_i8_at(struct weft_buffer *, size_t index, int8_t);
WEFT_API int weft_buffer_put_u16_le_at(struct weft_buffer *, size_t index, uint16_t);
WEFT_API int weft_buffer_put_u16_be_at(struct weft_buffer *, size_t index, uint16_t);
WEFT_API int weft_buffer_put_u32_le_at(struct weft_buffer *, size_t index, uint32_t);
WEFT_API int weft_buffer_put_u32_be_at(struct weft_buffer *, size_t index, uint32_t);
WEFT_API int weft_buffer_put_u64_le_at(struct weft_buffer *, size_t index, uint64_t);
WEFT_API int weft_buffer_put_u64_be_at(struct weft_buffer *, size_t index, uint64_t);
WEFT_API int weft_buffer_put_i16_le_at(struct weft_buffer *, size_t index, int16_t);
WEFT_API int weft_buffer_put_i16_be_at(struct weft_buffer *, size_t index, int16_t);
WEFT_API int weft_buffer_put_i32_le_at(struct weft_buffer *, size_t index, int32_t);
WEFT_API int weft_buffer_put_i32_be_at(struct weft_buffer *, size_t index, int32_t);
WEFT_API int weft_buffer_put_i64_le_at(struct weft_buffer *, size_t index, int64_t);
WEFT_API int weft_buffer_put_i64_be_at(struct weft_buffer *, size_t index, int64_t);
WEFT_API int weft_buffer_put_f32_le_at(struct weft_buffer *, size_t index, float);
WEFT_API int weft_buffer_put_f32_be_at(struct weft_buffer *, size_t index, float);
WEFT_API int weft_buffer_put_f64_le_at(struct weft_buffer *, size_t index, double);
WEFT_API int weft_buffer_put_f64_be_at(struct weft_buffer *, size_t index, double);

WEFT_END_DECLS

#endif
