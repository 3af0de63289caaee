/* SPDX-License-Identifier: MIT */
/*
 * lib/wire.h - numbers as bytes, in either byte order.
 *
 *     value       0x11223344
 *     _be         11 22 33 44      most significant byte first
 *     _le         44 33 22 11
 *
 * Bytes are put together with shifts, which mean the same on every machine and
 * need no alignment; compilers make one load or store of them, with a byte
 * swap where the order is not the machine's. Signed integers and floats travel
 * as the unsigned integer with the same bits.
 */
#ifndef WEFT_LIB_WIRE_H
#define WEFT_LIB_WIRE_H

#include <stdint.h>
#include <string.h>

static inline uint8_t
load_u8(const unsigned char *p)
{
	return p[0];
}

static inline uint16_t
load_u16_le(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint16_t
load_u16_be(const unsigned char *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
load_u32_le(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint32_t
load_u32_be(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static inline uint64_t
load_u64_le(const unsigned char *p)
{
	return (uint64_t)load_u32_le(p) | (uint64_t)load_u32_le(p + 4) << 32;
}

static inline uint64_t
load_u64_be(const unsigned char *p)
{
	return (uint64_t)load_u32_be(p) << 32 | (uint64_t)load_u32_be(p + 4);
}

static inline void
store_u8(unsigned char *p, uint8_t v)
{
	p[0] = v;
}

static inline void
store_u16_le(unsigned char *p, uint16_t v)
{
	p[0] = (unsigned char)v;
	p[1] = (unsigned char)(v >> 8);
}

static inline void
store_u16_be(unsigned char *p, uint16_t v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

static inline void
store_u32_le(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)v;
	p[1] = (unsigned char)(v >> 8);
	p[2] = (unsigned char)(v >> 16);
	p[3] = (unsigned char)(v >> 24);
}

static inline void
store_u32_be(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
}

static inline void
store_u64_le(unsigned char *p, uint64_t v)
{
	store_u32_le(p, (uint32_t)v);
	store_u32_le(p + 4, (uint32_t)(v >> 32));
}

static inline void
store_u64_be(unsigned char *p, uint64_t v)
{
	store_u32_be(p, (uint32_t)(v >> 32));
	store_u32_be(p + 4, (uint32_t)v);
}

_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "IEEE 754 on the wire");

/* Any other type over the unsigned integer of its size. */
#define WEFT__LOAD_AS(name, type, bits, load) \
	static inline type name(const unsigned char *p) \
	{ \
		bits raw = load(p); \
		type value; \
\
		memcpy(&value, &raw, sizeof(value)); \
		return value; \
	}

#define WEFT__STORE_AS(name, type, bits, store) \
	static inline void name(unsigned char *p, type value) \
	{ \
		bits raw; \
\
		memcpy(&raw, &value, sizeof(raw)); \
		store(p, raw); \
	}

WEFT__LOAD_AS(load_i8, int8_t, uint8_t, load_u8)
WEFT__LOAD_AS(load_i16_le, int16_t, uint16_t, load_u16_le)
WEFT__LOAD_AS(load_i16_be, int16_t, uint16_t, load_u16_be)
WEFT__LOAD_AS(load_i32_le, int32_t, uint32_t, load_u32_le)
WEFT__LOAD_AS(load_i32_be, int32_t, uint32_t, load_u32_be)
WEFT__LOAD_AS(load_i64_le, int64_t, uint64_t, load_u64_le)
WEFT__LOAD_AS(load_i64_be, int64_t, uint64_t, load_u64_be)
WEFT__LOAD_AS(load_f32_le, float, uint32_t, load_u32_le)
WEFT__LOAD_AS(load_f32_be, float, uint32_t, load_u32_be)
WEFT__LOAD_AS(load_f64_le, double, uint64_t, load_u64_le)
WEFT__LOAD_AS(load_f64_be, double, uint64_t, load_u64_be)

WEFT__STORE_AS(store_i8, int8_t, uint8_t, store_u8)
WEFT__STORE_AS(store_i16_le, int16_t, uint16_t, store_u16_le)
WEFT__STORE_AS(store_i16_be, int16_t, uint16_t, store_u16_be)
WEFT__STORE_AS(store_i32_le, int32_t, uint32_t, store_u32_le)
WEFT__STORE_AS(store_i32_be, int32_t, uint32_t, store_u32_be)
WEFT__STORE_AS(store_i64_le, int64_t, uint64_t, store_u64_le)
WEFT__STORE_AS(store_i64_be, int64_t, uint64_t, store_u64_be)
WEFT__STORE_AS(store_f32_le, float, uint32_t, store_u32_le)
WEFT__STORE_AS(store_f32_be, float, uint32_t, store_u32_be)
WEFT__STORE_AS(store_f64_le, double, uint64_t, store_u64_le)
WEFT__STORE_AS(store_f64_be, double, uint64_t, store_u64_be)

#endif
