/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: sequence arithmetic is right across the wrap, the generator gives the
 * published numbers, both at the edges. Method: every pair out of a set of
 * corner values against arithmetic on 64-bit numbers that cannot wrap. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/rng.h"
#include "base/seq.h"

#define SEED 20260102

static const uint32_t corners[] = {
		0,
		1,
		2,
		0x7ffffffe,
		0x7fffffff,
		0x80000000,
		0x80000001,
		0xfffffffe,
		0xffffffff,
};

static const uint32_t distances[] = {0, 1, 2, 1460, 65535, 0x3fffffff, 0x7ffffffe, 0x7fffffff};

static void
data_10_seq_compare_across_wrap_is_modular(void **state)
{
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(corners); i++) {
		for (size_t j = 0; j < PMTCP_ARRAY_SIZE(distances); j++) {
			uint32_t a = corners[i];
			uint32_t d = distances[j];
			uint32_t b = (uint32_t)(((uint64_t)a + d) % 0x100000000u);

			assert_int_equal(seq_diff(b, a), (int64_t)d);
			assert_int_equal(seq_diff(a, b), -(int64_t)d);
			assert_int_equal(seq_lt(a, b), d > 0);
			assert_int_equal(seq_leq(a, b), true);
			assert_int_equal(seq_gt(a, b), false);
			assert_int_equal(seq_geq(a, b), d == 0);
			assert_int_equal(seq_lt(b, a), false);
			assert_int_equal(seq_leq(b, a), d == 0);
			assert_int_equal(seq_gt(b, a), d > 0);
			assert_int_equal(seq_geq(b, a), true);
			assert_int_equal(seq_max(a, b), b);
			assert_int_equal(seq_max(b, a), b);
			assert_int_equal(seq_min(a, b), a);
			assert_int_equal(seq_min(b, a), a);
		}
	}
}

/* Walks the window octet by octet where it is small enough to do so. */
static void
data_10_seq_in_window_edges_are_exact(void **state)
{
	static const uint32_t sizes[] = {0, 1, 2, 1460, 65535, 1u << 30};

	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(corners); i++) {
		for (size_t j = 0; j < PMTCP_ARRAY_SIZE(sizes); j++) {
			uint32_t low = corners[i];
			uint32_t size = sizes[j];

			assert_int_equal(seq_in_window(low, low, size), size > 0);
			assert_int_equal(seq_in_window(low + size - 1, low, size), size > 0);
			assert_int_equal(seq_in_window(low + size, low, size), false);
			assert_int_equal(seq_in_window(low - 1, low, size), false);
			for (uint32_t k = 0; k < min_u32(size, 3000); k++)
				assert_true(seq_in_window(low + k, low, size));
		}
	}
}

/* The values of the reference implementation (Steele, Lea, Flood 2014; Vigna). */
static void
rng_known_seed_gives_published_values(void **state)
{
	static const uint64_t from_zero[] = {
			0xe220a8397b1dcdafu,
			0x6e789e6aa1b965f4u,
			0x06c45d188009454fu,
	};
	static const uint64_t from_1234567[] = {
			6457827717110365317u,
			3203168211198807973u,
			9817491932198370423u,
			4593380528125082431u,
			16408922859458223821u,
	};
	struct rng r;

	rng_seed(&r, 0);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(from_zero); i++)
		assert_true(rng_next(&r) == from_zero[i]);
	rng_seed(&r, 1234567);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(from_1234567); i++)
		assert_true(rng_next(&r) == from_1234567[i]);
}

static void
rng_below_bound_is_never_reached(void **state)
{
	static const uint64_t bounds[] = {1, 2, 3, 10, 1460, 1ull << 32, UINT64_MAX};
	struct rng r;

	print_message("seed %u\n", SEED);
	rng_seed(&r, SEED);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(bounds); i++) {
		for (int k = 0; k < 10000; k++)
			assert_true(rng_below(&r, bounds[i]) < bounds[i]);
	}
}

/* 60,000 throws of a die: each face within five standard deviations (91) of 10,000. */
static void
rng_below_six_is_fair(void **state)
{
	unsigned int seen[6] = {0};
	struct rng r;

	rng_seed(&r, SEED);
	for (int k = 0; k < 60000; k++)
		seen[rng_below(&r, 6)]++;
	for (int face = 0; face < 6; face++)
		assert_in_range(seen[face], 10000 - 456, 10000 + 456);
}

static void
min_max_of_extremes_are_right(void **state)
{
	assert_int_equal(min_u32(0, UINT32_MAX), 0);
	assert_int_equal(min_u32(UINT32_MAX, 0), 0);
	assert_int_equal(max_u32(0, UINT32_MAX), UINT32_MAX);
	assert_int_equal(max_u32(UINT32_MAX, 0), UINT32_MAX);
	assert_true(min_u64(UINT32_MAX, UINT64_MAX) == UINT32_MAX);
	assert_true(max_u64(UINT32_MAX, UINT64_MAX) == UINT64_MAX);
	assert_true(max_u64(UINT64_MAX, 1) == UINT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_10_seq_compare_across_wrap_is_modular),
			cmocka_unit_test(data_10_seq_in_window_edges_are_exact),
			cmocka_unit_test(rng_known_seed_gives_published_values),
			cmocka_unit_test(rng_below_bound_is_never_reached),
			cmocka_unit_test(rng_below_six_is_fair),
			cmocka_unit_test(min_max_of_extremes_are_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
