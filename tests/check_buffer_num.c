/* SPDX-License-Identifier: MIT */
/*
 * tests/check_buffer_num.c - every number, in both byte orders.
 *
 * The model takes a value apart by division, so it means the same on machines
 * of either order; tests/endian.sh runs this on a big-endian one.
 */
#include "config.h"

#include <math.h>

#include "tests/buffers.h"

enum order { LE, BE };

/* The wire form of the lowest `size` bytes of a number. */
static void
wire(unsigned char *out, uint64_t number, size_t size, enum order order)
{
	for (size_t i = 0; i < size; i++, number /= 256)
		out[order == LE ? i : size - 1 - i] = (unsigned char)(number % 256);
}

static const uint64_t patterns[] = {
	0, 1, 0x7f, 0x80, 0xff, 0x0102, 0x7fff, 0x8000, 0xfffe, 0x01020304,
	0x7fffffff, 0x80000000, 0xfedcba98, 0x0102030405060708,
	0x7fefffffffffffff, 0x8000000000000000, 0xfedcba9876543210,
	0x3fc000003fc00000,
};

/*
 * For one kind of number: puts and gets at every place of Buffers with too
 * little, just enough and more than enough room, relative and by index.
 */
#define NUMBER(kind, type, order, of_pattern) \
	START_TEST(kind##_is_put_and_got_everywhere) \
	{ \
		for (size_t p = 0; p < sizeof(patterns) / sizeof(patterns[0]); p++) \
			for (size_t room = 0; room < 2 * sizeof(type) + 2; room++) \
				kind##_in(room, of_pattern(patterns[p]), order); \
	} \
	END_TEST

#define CHECK_NUMBER(kind, type) \
	static void \
	kind##_in(size_t room, type value, enum order order) \
	{ \
		struct weft_buffer *b = weft_buffer_new(room + 1); \
		const unsigned char *bytes = weft_buffer_bytes(b); \
		unsigned char expected[8]; \
		type got; \
\
		wire(expected, bits_of_##type(value), sizeof(type), order); \
		ck_assert_int_eq(weft_buffer_set_limit(b, room), 0); \
		for (size_t at = 0; at <= room; at++) { \
			memset(weft_buffer_data(b), 0xa5, room + 1); \
			ck_assert_int_eq(weft_buffer_set_position(b, at), 0); \
			memset(&got, 0x5a, sizeof(got)); \
			if (at + sizeof(type) <= room) { \
				ck_assert_gives(weft_buffer_put_##kind(b, value), 0); \
				ck_assert_state(b, at + sizeof(type), room, room + 1); \
				ck_assert_int_eq(memcmp(bytes + at, expected, sizeof(type)), 0); \
				ck_assert(at == 0 || bytes[at - 1] == 0xa5); \
				ck_assert_uint_eq(bytes[at + sizeof(type)], 0xa5); \
				ck_assert_int_eq(weft_buffer_set_position(b, at), 0); \
				ck_assert_gives(weft_buffer_get_##kind(b, &got), 0); \
				ck_assert_state(b, at + sizeof(type), room, room + 1); \
				ck_assert_int_eq(memcmp(&got, &value, sizeof(got)), 0); \
				memset(weft_buffer_data(b), 0xa5, room + 1); \
				memset(&got, 0x5a, sizeof(got)); \
				ck_assert_gives(weft_buffer_put_##kind##_at(b, at, value), 0); \
				ck_assert_int_eq(memcmp(bytes + at, expected, sizeof(type)), 0); \
				ck_assert(at == 0 || bytes[at - 1] == 0xa5); \
				ck_assert_uint_eq(bytes[at + sizeof(type)], 0xa5); \
				ck_assert_gives(weft_buffer_get_##kind##_at(b, at, &got), 0); \
				ck_assert_state(b, at + sizeof(type), room, room + 1); \
				ck_assert_int_eq(memcmp(&got, &value, sizeof(got)), 0); \
			} else { \
				type before = got; \
\
				ck_assert_fails(weft_buffer_put_##kind(b, value), ENOBUFS); \
				ck_assert_fails(weft_buffer_get_##kind(b, &got), ERANGE); \
				ck_assert_fails(weft_buffer_put_##kind##_at(b, at, value), ENOBUFS); \
				ck_assert_fails(weft_buffer_get_##kind##_at(b, at, &got), ERANGE); \
				ck_assert_int_eq(memcmp(&got, &before, sizeof(got)), 0); \
				ck_assert_state(b, at, room, room + 1); \
				for (size_t i = 0; i <= room; i++) \
					ck_assert_uint_eq(bytes[i], 0xa5); \
			} \
		} \
		ck_assert_fails(weft_buffer_get_##kind##_at(b, SIZE_MAX, &got), ERANGE); \
		ck_assert_fails(weft_buffer_put_##kind##_at(b, SIZE_MAX, value), ENOBUFS); \
		ck_assert_fails(weft_buffer_get_##kind##_at(b, (size_t)0 - sizeof(type), &got), ERANGE); \
		ck_assert_fails(weft_buffer_put_##kind##_at(b, (size_t)0 - sizeof(type), value), ENOBUFS); \
		weft_buffer_free(b); \
	} \
\
	START_TEST(kind##_does_not_fit_a_read_only_buffer) \
	{ \
		struct weft_buffer *b = weft_buffer_wrap_const("0123456789", 10); \
\
		for (size_t at = 0; at <= 10; at++) { \
			ck_assert_int_eq(weft_buffer_set_position(b, at), 0); \
			ck_assert_fails(weft_buffer_put_##kind(b, 1), EROFS); \
			ck_assert_fails(weft_buffer_put_##kind##_at(b, at, 1), EROFS); \
			ck_assert_state(b, at, 10, 10); \
		} \
		weft_buffer_free(b); \
	} \
	END_TEST \
\
	START_TEST(kind##_grows_a_growable_buffer_that_is_full) \
	{ \
		for (size_t initial = 0; initial < 12; initial++) { \
			struct weft_buffer *b = weft_buffer_new_growable(initial, initial + 8); \
			type got = 0; \
\
			ck_assert_int_eq(weft_buffer_set_position(b, initial), 0); \
			ck_assert_gives(weft_buffer_put_##kind(b, 3), 0); \
			ck_assert_uint_eq(weft_buffer_position(b), initial + sizeof(type)); \
			ck_assert_gives(weft_buffer_get_##kind##_at(b, initial, &got), 0); \
			ck_assert(got == 3); \
			ck_assert_int_eq(weft_buffer_set_position(b, weft_buffer_limit(b)), 0); \
			ck_assert_fails(weft_buffer_put_##kind##_at(b, weft_buffer_capacity(b), 1), ENOBUFS); \
			weft_buffer_free(b); \
		} \
	} \
	END_TEST

#define bits_of_uint8_t(value) ((uint64_t)(value))
#define bits_of_int8_t(value) ((uint64_t)(value))
#define bits_of_uint16_t(value) ((uint64_t)(value))
#define bits_of_int16_t(value) ((uint64_t)(value))
#define bits_of_uint32_t(value) ((uint64_t)(value))
#define bits_of_int32_t(value) ((uint64_t)(value))
#define bits_of_uint64_t(value) ((uint64_t)(value))
#define bits_of_int64_t(value) ((uint64_t)(value))

static uint64_t
bits_of_float(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static uint64_t
bits_of_double(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static float
float_of(uint64_t bits)
{
	uint32_t low = (uint32_t)bits;
	float value;

	memcpy(&value, &low, sizeof(value));
	return isnan(value) ? 1.25f : value; /* some machines change a NaN on the way */
}

static double
double_of(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return isnan(value) ? 1.25 : value;
}

CHECK_NUMBER(u8, uint8_t)
CHECK_NUMBER(i8, int8_t)
CHECK_NUMBER(u16_le, uint16_t)
CHECK_NUMBER(u16_be, uint16_t)
CHECK_NUMBER(u32_le, uint32_t)
CHECK_NUMBER(u32_be, uint32_t)
CHECK_NUMBER(u64_le, uint64_t)
CHECK_NUMBER(u64_be, uint64_t)
CHECK_NUMBER(i16_le, int16_t)
CHECK_NUMBER(i16_be, int16_t)
CHECK_NUMBER(i32_le, int32_t)
CHECK_NUMBER(i32_be, int32_t)
CHECK_NUMBER(i64_le, int64_t)
CHECK_NUMBER(i64_be, int64_t)
CHECK_NUMBER(f32_le, float)
CHECK_NUMBER(f32_be, float)
CHECK_NUMBER(f64_le, double)
CHECK_NUMBER(f64_be, double)

NUMBER(u8, uint8_t, LE, (uint8_t))
NUMBER(i8, int8_t, LE, (int8_t))
NUMBER(u16_le, uint16_t, LE, (uint16_t))
NUMBER(u16_be, uint16_t, BE, (uint16_t))
NUMBER(u32_le, uint32_t, LE, (uint32_t))
NUMBER(u32_be, uint32_t, BE, (uint32_t))
NUMBER(u64_le, uint64_t, LE, (uint64_t))
NUMBER(u64_be, uint64_t, BE, (uint64_t))
NUMBER(i16_le, int16_t, LE, (int16_t))
NUMBER(i16_be, int16_t, BE, (int16_t))
NUMBER(i32_le, int32_t, LE, (int32_t))
NUMBER(i32_be, int32_t, BE, (int32_t))
NUMBER(i64_le, int64_t, LE, (int64_t))
NUMBER(i64_be, int64_t, BE, (int64_t))
NUMBER(f32_le, float, LE, float_of)
NUMBER(f32_be, float, BE, float_of)
NUMBER(f64_le, double, LE, double_of)
NUMBER(f64_be, double, BE, double_of)

START_TEST(numbers_on_the_wire_are_what_the_name_says)
{
	static const unsigned char expected[] = {
		0x12, 0xff,
		0x34, 0x12, 0x12, 0x34,
		0x78, 0x56, 0x34, 0x12, 0x12, 0x34, 0x56, 0x78,
		0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01,
		0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
		0xfe, 0xff, 0xff, 0xfe,
		0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
		0x00, 0x00, 0xc0, 0x3f, 0x3f, 0xc0, 0x00, 0x00,
		0x18, 0x2d, 0x44, 0x54, 0xfb, 0x21, 0x09, 0x40,
		0x40, 0x09, 0x21, 0xfb, 0x54, 0x44, 0x2d, 0x18,
	};
	struct weft_buffer *b = weft_buffer_new(sizeof(expected));

	ck_assert_int_eq(weft_buffer_put_u8(b, 0x12), 0);
	ck_assert_int_eq(weft_buffer_put_i8(b, -1), 0);
	ck_assert_int_eq(weft_buffer_put_u16_le(b, 0x1234), 0);
	ck_assert_int_eq(weft_buffer_put_u16_be(b, 0x1234), 0);
	ck_assert_int_eq(weft_buffer_put_u32_le(b, 0x12345678), 0);
	ck_assert_int_eq(weft_buffer_put_u32_be(b, 0x12345678), 0);
	ck_assert_int_eq(weft_buffer_put_u64_le(b, 0x0123456789abcdef), 0);
	ck_assert_int_eq(weft_buffer_put_u64_be(b, 0x0123456789abcdef), 0);
	ck_assert_int_eq(weft_buffer_put_i16_le(b, -2), 0);
	ck_assert_int_eq(weft_buffer_put_i16_be(b, -2), 0);
	ck_assert_int_eq(weft_buffer_put_i32_le(b, -2), 0);
	ck_assert_int_eq(weft_buffer_put_i32_be(b, -2), 0);
	ck_assert_int_eq(weft_buffer_put_f32_le(b, 1.5f), 0);
	ck_assert_int_eq(weft_buffer_put_f32_be(b, 1.5f), 0);
	ck_assert_int_eq(weft_buffer_put_f64_le(b, 3.141592653589793), 0);
	ck_assert_int_eq(weft_buffer_put_f64_be(b, 3.141592653589793), 0);
	ck_assert_uint_eq(weft_buffer_remaining(b), 0);
	ck_assert_int_eq(memcmp(weft_buffer_bytes(b), expected, sizeof(expected)), 0);
	weft_buffer_free(b);
}
END_TEST

START_TEST(numbers_need_no_alignment)
{
	for (size_t at = 0; at < 8; at++) {
		struct weft_buffer *b = weft_buffer_new(32);
		uint64_t got;

		ck_assert_int_eq(weft_buffer_set_position(b, at), 0);
		ck_assert_int_eq(weft_buffer_put_u64_be(b, 0x0123456789abcdef), 0);
		ck_assert_int_eq(weft_buffer_get_u64_be_at(b, at, &got), 0);
		ck_assert(got == 0x0123456789abcdef);
		ck_assert_int_eq(weft_buffer_get_u64_le_at(b, at, &got), 0);
		ck_assert(got == 0xefcdab8967452301);
		weft_buffer_free(b);
	}
}
END_TEST

#define ADD(kind) \
	tcase_add_test(tc, kind##_is_put_and_got_everywhere); \
	tcase_add_test(tc, kind##_does_not_fit_a_read_only_buffer); \
	tcase_add_test(tc, kind##_grows_a_growable_buffer_that_is_full)

static Suite *
numbers_suite(void)
{
	Suite *suite = suite_create("buffer_num");
	TCase *tc = tcase_create("numbers");

	ADD(u8);
	ADD(i8);
	ADD(u16_le);
	ADD(u16_be);
	ADD(u32_le);
	ADD(u32_be);
	ADD(u64_le);
	ADD(u64_be);
	ADD(i16_le);
	ADD(i16_be);
	ADD(i32_le);
	ADD(i32_be);
	ADD(i64_le);
	ADD(i64_be);
	ADD(f32_le);
	ADD(f32_be);
	ADD(f64_le);
	ADD(f64_be);
	tcase_add_test(tc, numbers_on_the_wire_are_what_the_name_says);
	tcase_add_test(tc, numbers_need_no_alignment);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	return run_suite(numbers_suite());
}
