/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: a context's memory is aligned, zero, on the node asked for, and free until it is
 * touched; the clock neither drifts nor jumps. Method: the kernel is asked what it did;
 * the clock is compared with exact rational arithmetic. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/mman.h>

#include <numa.h>

#include "base/rng.h"
#include "dpdk/clock.h"
#include "dpdk/mem.h"
#include "pmtcp.h"

#define SEED 20260401

/* Resident octets of a mapping. */
static size_t
resident(const struct mem *mem)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = mem->len / page, octets = 0;
	unsigned char *map = malloc(pages);

	assert_non_null(map);
	assert_int_equal(mincore(mem->base, mem->len, map), 0);
	for (size_t i = 0; i < pages; i++)
		octets += (map[i] & 1) != 0 ? page : 0;
	free(map);
	return octets;
}

static void
mem_map_any_size_is_aligned_and_zero(void **state)
{
	const size_t sizes[] = {1, 4096, PMTCP_CTX_ALIGN - 1, PMTCP_CTX_ALIGN, PMTCP_CTX_ALIGN + 1,
			5u << 20};
	struct mem mem;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(mem_map(sizes[i], -1, &mem), 0);
		assert_int_equal((uintptr_t)mem.base % PMTCP_CTX_ALIGN, 0);
		assert_true(mem.len >= sizes[i]);
		for (size_t at = 0; at < sizes[i]; at += 61)
			assert_int_equal(((const uint8_t *)mem.base)[at], 0);
		memset(mem.base, 0xff, mem.len); /* all of it is ours */
		mem_unmap(&mem);
		assert_null(mem.base);
		mem_unmap(&mem); /* twice is harmless */
	}
}

static void
mem_map_of_nothing_is_refused(void **state)
{
	struct mem mem;

	assert_int_equal(mem_map(0, -1, &mem), -EINVAL);
	assert_int_equal(mem_map(SIZE_MAX - 5, -1, &mem), -ENOMEM);
	assert_null(mem.base);
}

static void
mem_map_of_a_terabyte_costs_what_is_touched(void **state)
{
	struct mem mem;

	assert_int_equal(mem_map((size_t)1 << 40, -1, &mem), 0);
	((uint8_t *)mem.base)[0] = 1;
	((uint8_t *)mem.base)[mem.len - 1] = 1;
	mem_unmap(&mem);

	assert_int_equal(mem_map(64u << 20, -1, &mem), 0);
	assert_int_equal(resident(&mem), 0);
	((uint8_t *)mem.base)[32u << 20] = 1;
	assert_in_range(resident(&mem), 1, PMTCP_CTX_ALIGN);
	mem_unmap(&mem);
}

/* On every node that has memory; a machine without NUMA answers -1 or 0. */
static void
mem_map_lies_on_the_node_asked_for(void **state)
{
	struct mem mem;

	if (numa_available() < 0) {
		assert_int_equal(mem_map(4096, 0, &mem), 0);
		assert_int_equal(mem_node(mem.base), -1);
		mem_unmap(&mem);
		return;
	}
	for (int node = 0; node <= numa_max_node(); node++) {
		if (!numa_bitmask_isbitset(numa_all_nodes_ptr, (unsigned int)node))
			continue;
		assert_int_equal(mem_map(8u << 20, node, &mem), 0);
		memset(mem.base, 1, mem.len);
		for (size_t at = 0; at < mem.len; at += 4096)
			assert_int_equal(mem_node((uint8_t *)mem.base + at), node);
		mem_unmap(&mem);
	}
}

static void
mem_map_on_a_node_that_is_not_there_still_works(void **state)
{
	struct mem mem;

	assert_int_equal(mem_map(4096, 1000000, &mem), 0);
	*(uint8_t *)mem.base = 1;
	mem_unmap(&mem);
}

static void
clock_ns_equals_exact_arithmetic(void **state)
{
	const uint64_t hz[] = {1000000000, 1999999999, 2600000000, 3141592653, 24000000};
	struct clock clock;
	struct rng rng;

	printf("seed %d\n", SEED);
	rng_seed(&rng, SEED);
	for (int i = 0; i < 200000; i++) {
		uint64_t f = hz[i % 5], base = rng_next(&rng) >> 1;
		uint64_t cycles = rng_below(&rng, f * 86400); /* a day */
		uint64_t exact = (uint64_t)((unsigned __int128)cycles * 1000000000u / f);
		uint64_t ns;

		clock_init(&clock, base, f);
		ns = clock_ns(&clock, base + cycles) - CLOCK_START_NS;
		assert_true(ns <= exact);
		/* One unit of 2^-40 ns per cycle at most, and 1 of rounding. */
		assert_true(exact - ns <= (cycles >> CLOCK_SHIFT) + 1);
	}
}

static void
clock_ns_of_a_core_behind_the_base_does_not_wrap(void **state)
{
	struct clock clock;

	clock_init(&clock, 1000000, 2600000000u);
	assert_int_equal(clock_ns(&clock, 1000000), CLOCK_START_NS);
	assert_int_equal(clock_ns(&clock, 999000), CLOCK_START_NS);
	assert_true(clock_ns(&clock, 1000000 + 2600) - CLOCK_START_NS <= 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(mem_map_any_size_is_aligned_and_zero),
			cmocka_unit_test(mem_map_of_nothing_is_refused),
			cmocka_unit_test(mem_map_of_a_terabyte_costs_what_is_touched),
			cmocka_unit_test(mem_map_lies_on_the_node_asked_for),
			cmocka_unit_test(mem_map_on_a_node_that_is_not_there_still_works),
			cmocka_unit_test(clock_ns_equals_exact_arithmetic),
			cmocka_unit_test(clock_ns_of_a_core_behind_the_base_does_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
