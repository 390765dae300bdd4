/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: sums by wide adds equal the word-by-word sum of RFC 1071 for every length,
 * offset, alignment and cut. Method: the naive loop of tests/support beside it. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "base/rng.h"
#include "support/build.h"
#include "support/pool.h"
#include "wire/wire_cksum.h"

static uint16_t
naive(const uint8_t *bytes, size_t len)
{
	return (uint16_t)~build_cksum(build_sum(0, bytes, len));
}

static uint16_t
fold(uint64_t sum)
{
	return rte_be_to_cpu_16(wire_cksum_fold(sum));
}

/* 0 and 0xffff are the same number in one's complement. */
static void
assert_sum_equal(uint16_t a, uint16_t b)
{
	if (a == 0xffff)
		a = 0;
	if (b == 0xffff)
		b = 0;
	assert_int_equal(a, b);
}

static void
cksum_bytes_of_any_length_and_alignment_match(void **state)
{
	uint8_t bytes[600];
	struct rng rng;

	(void)state;
	rng_seed(&rng, 7);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rng_next(&rng);
	for (size_t at = 0; at < 9; at++)
		for (size_t len = 0; len < 300; len++)
			assert_sum_equal(fold(wire_cksum_bytes(bytes + at, len)),
					naive(bytes + at, len));
	memset(bytes, 0xff, sizeof(bytes));
	for (size_t len = 0; len < 600; len++)
		assert_sum_equal(fold(wire_cksum_bytes(bytes, len)), naive(bytes, len));
}

/* The copy is whole, and nothing around it is touched. */
static void
cksum_copy_sums_and_copies(void **state)
{
	enum { GUARD = 0xa5 };
	uint8_t bytes[600], out[600];
	struct rng rng;

	(void)state;
	rng_seed(&rng, 9);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rng_next(&rng);
	for (size_t at = 0; at < 9; at++) {
		for (size_t len = 0; len < 300; len++) {
			uint8_t *to = out + 8 - at;

			memset(out, GUARD, sizeof(out));
			assert_sum_equal(fold(wire_cksum_copy(to, bytes + at, len)),
					naive(bytes + at, len));
			assert_memory_equal(to, bytes + at, len);
			assert_int_equal(to[len], GUARD);
			assert_true(to == out || to[-1] == GUARD);
		}
	}
}

static void
cksum_mbuf_cut_anywhere_matches(void **state)
{
	struct rte_mempool *pool = test_pool_create(2048);
	uint8_t bytes[400];
	struct rng rng;

	(void)state;
	rng_seed(&rng, 8);
	for (int i = 0; i < 20000; i++) {
		uint32_t len = 1 + (uint32_t)rng_below(&rng, sizeof(bytes));
		uint32_t off = (uint32_t)rng_below(&rng, len);
		uint32_t part = (uint32_t)rng_below(&rng, len - off + 1);
		struct rte_mbuf *m;

		for (uint32_t k = 0; k < len; k++)
			bytes[k] = (uint8_t)rng_next(&rng);
		m = build_mbuf(pool, bytes, len, (uint16_t)rng_below(&rng, 60));
		assert_sum_equal(fold(wire_cksum_mbuf(m, off, part)), naive(bytes + off, part));
		rte_pktmbuf_free(m);
	}
	test_pool_destroy(pool);
}

static void
cksum_add_carries_round(void **state)
{
	(void)state;
	assert_int_equal(wire_cksum_add(UINT64_MAX, 1), 1);
	assert_int_equal(wire_cksum_add(UINT64_MAX, UINT64_MAX), UINT64_MAX);
	assert_int_equal(wire_cksum_fold(0), 0);
	assert_int_equal(wire_cksum_fold(UINT64_MAX), 0xffff);
	assert_int_equal(wire_cksum_fold(0x0001000200030004), 0x000a);
	assert_int_equal(wire_cksum_fold(0xffff000000000001), 0x0001);
}

/* DPDK computes the same for a whole segment. */
static void
cksum_agrees_with_dpdk(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 9);
	for (int i = 0; i < 2000; i++) {
		uint8_t bytes[256];
		size_t len = 1 + rng_below(&rng, sizeof(bytes));

		for (size_t k = 0; k < len; k++)
			bytes[k] = (uint8_t)rng_next(&rng);
		assert_sum_equal(wire_cksum_fold(wire_cksum_bytes(bytes, len)),
				rte_raw_cksum(bytes, len));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(cksum_bytes_of_any_length_and_alignment_match),
			cmocka_unit_test(cksum_copy_sums_and_copies),
			cmocka_unit_test(cksum_mbuf_cut_anywhere_matches),
			cmocka_unit_test(cksum_add_carries_round),
			cmocka_unit_test(cksum_agrees_with_dpdk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
