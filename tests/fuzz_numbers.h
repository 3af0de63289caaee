/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz_numbers.h - the numbers of a Buffer, each kind in its four ways, held
 * against the model.
 */
#ifndef WEFT_TESTS_FUZZ_NUMBERS_H
#define WEFT_TESTS_FUZZ_NUMBERS_H

#include "tests/fuzz_agree.h"
#include "weft/buffer.h"

/* The wire form by division, so that it is right on any machine. */
static void
wire(unsigned char *out, uint64_t value, size_t size, bool big)
{
	for (size_t i = 0; i < size; i++, value /= 256)
		out[big ? size - 1 - i : i] = (unsigned char)(value % 256);
}

#define NUMBERS(x) \
	x(u8, uint8_t, 0) x(i8, int8_t, 0) \
	x(u16_le, uint16_t, 0) x(u16_be, uint16_t, 1) x(i16_le, int16_t, 0) x(i16_be, int16_t, 1) \
	x(u32_le, uint32_t, 0) x(u32_be, uint32_t, 1) x(i32_le, int32_t, 0) x(i32_be, int32_t, 1) \
	x(u64_le, uint64_t, 0) x(u64_be, uint64_t, 1) x(i64_le, int64_t, 0) x(i64_be, int64_t, 1) \
	x(f32_le, float, 0) x(f32_be, float, 1) x(f64_le, double, 0) x(f64_be, double, 1)

/* One function for each: how = 0 get, 1 put, 2 get at, 3 put at. Values are
 * whole numbers that every type holds, so that floats need no bits here. */
#define NUMBER(kind, type, big) \
	static void \
	kind(struct weft_buffer *b, struct model *m, unsigned how, size_t index, unsigned value) \
	{ \
		unsigned char form[8]; \
		type got = (type)99; \
		int error; \
\
		operation = #kind; \
		form_of_##type(form, value, big); \
		if (how == 0) { \
			error = sizeof(type) > remaining(m) ? ERANGE : 0; \
			EXPECT(weft_buffer_get_##kind(b, &got), 0, error); \
			form_of_value_##type(form, got, big); \
			AGREE(error != 0 || memcmp(form, bytes_of(m) + m->position, sizeof(type)) == 0); \
			m->position += error != 0 ? 0 : sizeof(type); \
		} else if (how == 1) { \
			error = room(m, sizeof(type)); \
			EXPECT(weft_buffer_put_##kind(b, (type)value), 0, error); \
			if (error == 0) \
				memcpy(bytes_of(m) + m->position, form, sizeof(type)); \
			m->position += error != 0 ? 0 : sizeof(type); \
		} else if (how == 2) { \
			error = below_limit(m, index, sizeof(type)) ? 0 : ERANGE; \
			EXPECT(weft_buffer_get_##kind##_at(b, index, &got), 0, error); \
			form_of_value_##type(form, got, big); \
			AGREE(error != 0 || memcmp(form, bytes_of(m) + index, sizeof(type)) == 0); \
		} else { \
			error = m->read_only ? EROFS : below_limit(m, index, sizeof(type)) ? 0 : ENOBUFS; \
			EXPECT(weft_buffer_put_##kind##_at(b, index, (type)value), 0, error); \
			if (error == 0) \
				memcpy(bytes_of(m) + index, form, sizeof(type)); \
		} \
	}

#define INTEGER(type) \
	static void \
	form_of_value_##type(unsigned char *out, type value, bool big) \
	{ \
		wire(out, (uint64_t)value, sizeof(type), big); \
	}

#define FLOATING(type, bits_type) \
	static void \
	form_of_value_##type(unsigned char *out, type value, bool big) \
	{ \
		bits_type bits; \
\
		memcpy(&bits, &value, sizeof(bits)); \
		wire(out, bits, sizeof(bits), big); \
	}

#define FORM(type) \
	static void \
	form_of_##type(unsigned char *out, unsigned value, bool big) \
	{ \
		form_of_value_##type(out, (type)value, big); \
	}

INTEGER(uint8_t) INTEGER(int8_t) INTEGER(uint16_t) INTEGER(int16_t)
INTEGER(uint32_t) INTEGER(int32_t) INTEGER(uint64_t) INTEGER(int64_t)
FLOATING(float, uint32_t) FLOATING(double, uint64_t)
FORM(uint8_t) FORM(int8_t) FORM(uint16_t) FORM(int16_t)
FORM(uint32_t) FORM(int32_t) FORM(uint64_t) FORM(int64_t)
FORM(float) FORM(double)
NUMBERS(NUMBER)

static void
a_number(struct weft_buffer *b, struct model *m)
{
#define NAME(kind, type, big) kind,
	static void (*const kinds[])(struct weft_buffer *, struct model *, unsigned, size_t, unsigned) = {
		NUMBERS(NAME)
	};
	unsigned kind = byte() % (sizeof(kinds) / sizeof(kinds[0])), how = byte() % 4;
	size_t index = number();

	kinds[kind](b, m, how, index, byte() << 8 | byte());
}

#endif
