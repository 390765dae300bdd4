/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: percentiles of the histogram lie at most 1/128 above those of the sorted
 * records, and merging is the same as recording into one. Method: random values
 * of several shapes are kept in an array beside it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/rng.h"
#include "common/hist.h"

#define N 20000

static struct hist h;
static uint64_t values[N];

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t
model_percentile(uint32_t n, uint32_t per_10k)
{
	uint64_t rank = ((uint64_t)n * per_10k + 9999) / 10000;

	return values[(rank == 0 ? 1 : rank) - 1];
}

/* Caller: values[] is sorted and was recorded into h. */
static void
check_against_model(uint32_t n)
{
	static const uint32_t points[] = {0, 1, 2500, 5000, 9000, 9900, 9990, 9999, 10000};

	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(points); i++) {
		uint64_t want = model_percentile(n, points[i]);
		uint64_t got = hist_percentile(&h, points[i]);

		assert_true(got >= want);
		assert_true(got - want <= want / HIST_SUB);
	}
	assert_int_equal(h.min, values[0]);
	assert_int_equal(h.max, values[n - 1]);
	assert_int_equal(h.count, n);
}

/* Shapes: 0 small, 1 uniform over 40 bits, 2 log-uniform, 3 two humps far apart. */
static uint64_t
draw(struct rng *r, int shape)
{
	switch (shape) {
	case 0:
		return rng_below(r, 200);
	case 1:
		return rng_below(r, 1ull << 40);
	case 2:
		return rng_next(r) >> (22 + rng_below(r, 42));
	default:
		return rng_below(r, 1000) == 0 ? 3000000000u + rng_below(r, 1000)
					       : 4000 + rng_below(r, 500);
	}
}

static void
percentile_random_values_within_one_128th(void **state)
{
	struct rng r;

	for (int shape = 0; shape < 4; shape++) {
		rng_seed(&r, 7 + (uint64_t)shape);
		print_message("shape %d seed %d\n", shape, 7 + shape);
		hist_init(&h);
		for (uint32_t i = 0; i < N; i++) {
			values[i] = draw(&r, shape);
			hist_record(&h, values[i]);
		}
		qsort(values, N, sizeof(values[0]), compare);
		check_against_model(N);
	}
}

static void
percentile_few_values_is_nearest_rank(void **state)
{
	hist_init(&h);
	assert_int_equal(hist_percentile(&h, 5000), 0);
	for (uint32_t n = 1; n <= 20; n++) {
		values[n - 1] = n * 5;
		hist_record(&h, n * 5);
		check_against_model(n);
	}
}

static void
slot_every_octave_edge_is_monotonic(void **state)
{
	uint32_t last = 0;

	for (uint32_t bit = 0; bit < HIST_MAX_BITS; bit++) {
		uint64_t edge = 1ull << bit;

		assert_true(hist_slot(edge) >= last);
		assert_true(hist_slot(edge) - hist_slot(edge - 1) <= 1);
		last = hist_slot(edge);
		assert_true(last < HIST_SLOTS);
	}
	assert_int_equal(hist_slot((1ull << HIST_MAX_BITS) - 1), HIST_SLOTS - 1);
}

static void
record_beyond_range_keeps_exact_maximum(void **state)
{
	hist_init(&h);
	hist_record(&h, 10);
	hist_record(&h, UINT64_MAX / 2);
	assert_int_equal(h.max, UINT64_MAX / 2);
	assert_int_equal(hist_percentile(&h, 10000), UINT64_MAX / 2);
	assert_int_equal(hist_percentile(&h, 5000), 10);
}

static void
merge_of_parts_equals_the_whole(void **state)
{
	static struct hist part[3];
	static struct hist whole;
	struct hist_ladder a;
	struct hist_ladder b;
	struct rng r;

	rng_seed(&r, 11);
	hist_init(&whole);
	hist_init(&h);
	for (int i = 0; i < 3; i++)
		hist_init(&part[i]);
	for (uint32_t i = 0; i < N; i++) {
		uint64_t value = draw(&r, (int)(i % 4));

		hist_record(&part[i % 2], value); /* the third part stays empty */
		hist_record(&whole, value);
	}
	for (int i = 0; i < 3; i++)
		hist_merge(&h, &part[i]);
	assert_memory_equal(&h, &whole, sizeof(h));
	hist_summary(&h, &a);
	hist_summary(&whole, &b);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(a.p50 <= a.p90 && a.p90 <= a.p99 && a.p99 <= a.p999 && a.p999 <= a.max);
	assert_int_equal(a.mean, whole.sum / N);
}

static void
summary_of_nothing_is_zero(void **state)
{
	struct hist_ladder a;

	hist_init(&h);
	hist_summary(&h, &a);
	assert_int_equal(a.count, 0);
	assert_int_equal(a.min, 0);
	assert_int_equal(a.mean, 0);
	assert_int_equal(a.max, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(percentile_random_values_within_one_128th),
			cmocka_unit_test(percentile_few_values_is_nearest_rank),
			cmocka_unit_test(slot_every_octave_edge_is_monotonic),
			cmocka_unit_test(record_beyond_range_keeps_exact_maximum),
			cmocka_unit_test(merge_of_parts_equals_the_whole),
			cmocka_unit_test(summary_of_nothing_is_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
