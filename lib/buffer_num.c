/* SPDX-License-Identifier: MIT */
/*
 * lib/buffer_num.c - integers and floats, got and put in either byte order.
 *
 *     get_T       position ==sizeof(T)==> position'       limit
 *     get_T_at    index ==sizeof(T)==                     limit
 *
 * Four shapes of function, and four tables that name every function once. A
 * get is one compare against the limit and one load; a put also looks whether
 * it may store. Whatever is rare (failing, growing) is out of line, so that
 * the common path saves no register; bench/buffer.txt has the counts.
 */
#include "config.h"

#include <errno.h>

#include "lib/buffer.h"
#include "lib/wire.h"

#define GET(name, type, load) \
	int name(struct weft_buffer *b, type *out) \
	{ \
		weft__buffer_check(b); \
		if (weft__buffer_remaining(b) < sizeof(type)) \
			return weft__buffer_refuse(ERANGE); \
		*out = load(b->bytes + b->position); \
		b->position += sizeof(type); \
		return 0; \
	}

#define PUT(name, type, store) \
	static WEFT__COLD int name##_slowly(struct weft_buffer *b, type value) \
	{ \
		return weft__buffer_make_room(b, sizeof(type)) == 0 ? name(b, value) : -1; \
	} \
\
	int name(struct weft_buffer *b, type value) \
	{ \
		weft__buffer_check(b); \
		if (weft__buffer_remaining(b) < sizeof(type) || b->read_only) \
			return name##_slowly(b, value); \
		store(b->bytes + b->position, value); \
		b->position += sizeof(type); \
		return 0; \
	}

#define GET_AT(name, type, load) \
	int name(struct weft_buffer *b, size_t index, type *out) \
	{ \
		weft__buffer_check(b); \
		if (!weft__buffer_holds(b, index, sizeof(type))) \
			return weft__buffer_refuse(ERANGE); \
		*out = load(b->bytes + index); \
		return 0; \
	}

#define PUT_AT(name, type, store) \
	int name(struct weft_buffer *b, size_t index, type value) \
	{ \
		weft__buffer_check(b); \
		if (b->read_only) \
			return weft__buffer_refuse(EROFS); \
		if (!weft__buffer_holds(b, index, sizeof(type))) \
			return weft__buffer_refuse(ENOBUFS); \
		store(b->bytes + index, value); \
		return 0; \
	}

GET(weft_buffer_get_u8,          uint8_t,  load_u8)
GET(weft_buffer_get_i8,          int8_t,   load_i8)
GET(weft_buffer_get_u16_le,      uint16_t, load_u16_le)
GET(weft_buffer_get_u16_be,      uint16_t, load_u16_be)
GET(weft_buffer_get_u32_le,      uint32_t, load_u32_le)
GET(weft_buffer_get_u32_be,      uint32_t, load_u32_be)
GET(weft_buffer_get_u64_le,      uint64_t, load_u64_le)
GET(weft_buffer_get_u64_be,      uint64_t, load_u64_be)
GET(weft_buffer_get_i16_le,      int16_t,  load_i16_le)
GET(weft_buffer_get_i16_be,      int16_t,  load_i16_be)
GET(weft_buffer_get_i32_le,      int32_t,  load_i32_le)
GET(weft_buffer_get_i32_be,      int32_t,  load_i32_be)
GET(weft_buffer_get_i64_le,      int64_t,  load_i64_le)
GET(weft_buffer_get_i64_be,      int64_t,  load_i64_be)
GET(weft_buffer_get_f32_le,      float,    load_f32_le)
GET(weft_buffer_get_f32_be,      float,    load_f32_be)
GET(weft_buffer_get_f64_le,      double,   load_f64_le)
GET(weft_buffer_get_f64_be,      double,   load_f64_be)

PUT(weft_buffer_put_u8,          uint8_t,  store_u8)
PUT(weft_buffer_put_i8,          int8_t,   store_i8)
PUT(weft_buffer_put_u16_le,      uint16_t, store_u16_le)
PUT(weft_buffer_put_u16_be,      uint16_t, store_u16_be)
PUT(weft_buffer_put_u32_le,      uint32_t, store_u32_le)
PUT(weft_buffer_put_u32_be,      uint32_t, store_u32_be)
PUT(weft_buffer_put_u64_le,      uint64_t, store_u64_le)
PUT(weft_buffer_put_u64_be,      uint64_t, store_u64_be)
PUT(weft_buffer_put_i16_le,      int16_t,  store_i16_le)
PUT(weft_buffer_put_i16_be,      int16_t,  store_i16_be)
PUT(weft_buffer_put_i32_le,      int32_t,  store_i32_le)
PUT(weft_buffer_put_i32_be,      int32_t,  store_i32_be)
PUT(weft_buffer_put_i64_le,      int64_t,  store_i64_le)
PUT(weft_buffer_put_i64_be,      int64_t,  store_i64_be)
PUT(weft_buffer_put_f32_le,      float,    store_f32_le)
PUT(weft_buffer_put_f32_be,      float,    store_f32_be)
PUT(weft_buffer_put_f64_le,      double,   store_f64_le)
PUT(weft_buffer_put_f64_be,      double,   store_f64_be)

GET_AT(weft_buffer_get_u8_at,       uint8_t,  load_u8)
GET_AT(weft_buffer_get_i8_at,       int8_t,   load_i8)
GET_AT(weft_buffer_get_u16_le_at,   uint16_t, load_u16_le)
GET_AT(weft_buffer_get_u16_be_at,   uint16_t, load_u16_be)
GET_AT(weft_buffer_get_u32_le_at,   uint32_t, load_u32_le)
GET_AT(weft_buffer_get_u32_be_at,   uint32_t, load_u32_be)
GET_AT(weft_buffer_get_u64_le_at,   uint64_t, load_u64_le)
GET_AT(weft_buffer_get_u64_be_at,   uint64_t, load_u64_be)
GET_AT(weft_buffer_get_i16_le_at,   int16_t,  load_i16_le)
GET_AT(weft_buffer_get_i16_be_at,   int16_t,  load_i16_be)
GET_AT(weft_buffer_get_i32_le_at,   int32_t,  load_i32_le)
GET_AT(weft_buffer_get_i32_be_at,   int32_t,  load_i32_be)
GET_AT(weft_buffer_get_i64_le_at,   int64_t,  load_i64_le)
GET_AT(weft_buffer_get_i64_be_at,   int64_t,  load_i64_be)
GET_AT(weft_buffer_get_f32_le_at,   float,    load_f32_le)
GET_AT(weft_buffer_get_f32_be_at,   float,    load_f32_be)
GET_AT(weft_buffer_get_f64_le_at,   double,   load_f64_le)
GET_AT(weft_buffer_get_f64_be_at,   double,   load_f64_be)

PUT_AT(weft_buffer_put_u8_at,       uint8_t,  store_u8)
PUT_AT(weft_buffer_put_i8_at,       int8_t,   store_i8)
PUT_AT(weft_buffer_put_u16_le_at,   uint16_t, store_u16_le)
PUT_AT(weft_buffer_put_u16_be_at,   uint16_t, store_u16_be)
PUT_AT(weft_buffer_put_u32_le_at,   uint32_t, store_u32_le)
PUT_AT(weft_buffer_put_u32_be_at,   uint32_t, store_u32_be)
PUT_AT(weft_buffer_put_u64_le_at,   uint64_t, store_u64_le)
PUT_AT(weft_buffer_put_u64_be_at,   uint64_t, store_u64_be)
PUT_AT(weft_buffer_put_i16_le_at,   int16_t,  store_i16_le)
PUT_AT(weft_buffer_put_i16_be_at,   int16_t,  store_i16_be)
PUT_AT(weft_buffer_put_i32_le_at,   int32_t,  store_i32_le)
PUT_AT(weft_buffer_put_i32_be_at,   int32_t,  store_i32_be)
PUT_AT(weft_buffer_put_i64_le_at,   int64_t,  store_i64_le)
PUT_AT(weft_buffer_put_i64_be_at,   int64_t,  store_i64_be)
PUT_AT(weft_buffer_put_f32_le_at,   float,    store_f32_le)
PUT_AT(weft_buffer_put_f32_be_at,   float,    store_f32_be)
PUT_AT(weft_buffer_put_f64_le_at,   double,   store_f64_le)
PUT_AT(weft_buffer_put_f64_be_at,   double,   store_f64_be)
