/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the record pool hands out each index once, fails when all are out, and
 * touches no record before its first use. Method: random alloc and free beside an
 * array of booleans; a pattern in fresh memory. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "stream/recpool.h"

enum { RECORDS = 100, STEPS = 100000 };

static void
pool_make(struct recpool *p, uint32_t n)
{
	void *mem = aligned_alloc(RECPOOL_REC_SIZE, recpool_memsize(n));

	assert_non_null(mem);
	memset(mem, 0xa5, recpool_memsize(n));
	recpool_init(p, mem, n);
}

static void
recpool_exhausted_returns_none(void **state)
{
	struct recpool p;
	uint32_t i;

	(void)state;
	pool_make(&p, RECORDS);
	for (i = 1; i <= RECORDS; i++)
		assert_int_equal(recpool_alloc(&p), i);
	assert_int_equal(recpool_alloc(&p), 0);
	assert_int_equal(recpool_available(&p), 0);
	assert_int_equal(p.peak, RECORDS);
	recpool_free(&p, 42);
	assert_int_equal(recpool_available(&p), 1);
	assert_int_equal(recpool_alloc(&p), 42);
	assert_int_equal(recpool_alloc(&p), 0);
	free(p.base);
}

static void
recpool_of_no_records_returns_none(void **state)
{
	struct recpool p;

	(void)state;
	pool_make(&p, 0);
	assert_int_equal(recpool_alloc(&p), 0);
	free(p.base);
}

static void
recpool_fresh_record_is_untouched(void **state)
{
	static const uint8_t pattern[RECPOOL_REC_SIZE] = {[0 ... RECPOOL_REC_SIZE - 1] = 0xa5};
	struct recpool p;
	uint32_t i;

	(void)state;
	pool_make(&p, RECORDS);
	recpool_free(&p, recpool_alloc(&p));
	recpool_free(&p, recpool_alloc(&p));
	assert_int_equal(p.fresh, 2); /* the given-back record is served first */
	for (i = 2; i <= RECORDS; i++)
		assert_memory_equal(recpool_at(&p, i), pattern, sizeof(pattern));
	free(p.base);
}

static void
recpool_random_steps_match_model(void **state)
{
	bool used[RECORDS + 1] = {false};
	struct rng rng;
	struct recpool p;
	uint32_t in_use = 0;
	uint32_t peak = 0;
	uint32_t step;

	(void)state;
	print_message("seed 1\n");
	rng_seed(&rng, 1);
	pool_make(&p, RECORDS);
	for (step = 0; step < STEPS; step++) {
		uint32_t i = 1 + (uint32_t)rng_below(&rng, RECORDS);

		if (used[i]) {
			/* The content survived what happened to the others. */
			assert_int_equal(*(uint32_t *)recpool_at(&p, i), i);
			recpool_free(&p, i);
			used[i] = false;
			in_use--;
			continue;
		}
		i = recpool_alloc(&p);
		assert_true(i != 0);
		assert_in_range(i, 1, RECORDS);
		assert_false(used[i]);
		used[i] = true;
		memset(recpool_at(&p, i), 0xff, RECPOOL_REC_SIZE);
		*(uint32_t *)recpool_at(&p, i) = i;
		in_use++;
		peak = in_use > peak ? in_use : peak;
		assert_int_equal(p.in_use, in_use);
		assert_int_equal(p.peak, peak);
	}
	free(p.base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(recpool_exhausted_returns_none),
			cmocka_unit_test(recpool_of_no_records_returns_none),
			cmocka_unit_test(recpool_fresh_record_is_untouched),
			cmocka_unit_test(recpool_random_steps_match_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
