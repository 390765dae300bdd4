/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the integer estimator is RFC 6298. Method: the formulas of its section 2 in
 * floating point beside it on random samples of several shapes; the limits by hand. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/rng.h"
#include "recovery/rtt.h"

enum { SAMPLES = 1000 };

struct model {
	double srtt;
	double rttvar;
	bool has_sample;
};

static double
distance(double a, double b)
{
	return a > b ? a - b : b - a;
}

static void
model_sample(struct model *m, double us)
{
	if (!m->has_sample) {
		m->srtt = us;
		m->rttvar = us / 2;
		m->has_sample = true;
		return;
	}
	m->rttvar = 0.75 * m->rttvar + 0.25 * distance(m->srtt, us);
	m->srtt = 0.875 * m->srtt + 0.125 * us;
}

static double
model_rto(const struct model *m, double floor_us, double ceil_us)
{
	double rto = m->srtt + (4 * m->rttvar > 1000 ? 4 * m->rttvar : 1000);

	rto = rto < floor_us ? floor_us : rto;
	return rto > ceil_us ? ceil_us : rto;
}

/* Rounding SRTT * 8 by half a unit in each step adds up to 4 units, half a microsecond.
 * RTTVAR * 4 is within one microsecond of RTTVAR. */
static void
run_samples(uint64_t seed, uint32_t base_us, uint32_t spread_us)
{
	static const struct rtt_limits lim = {.initial_us = 7, .floor_us = 1, .ceil_us = 60000000};
	struct model m = {0};
	struct rtt r;
	struct rng rng;
	int i;

	rng_seed(&rng, seed);
	rtt_init(&r);
	for (i = 0; i < SAMPLES; i++) {
		uint32_t us = base_us + (uint32_t)rng_below(&rng, spread_us);

		rtt_sample(&r, us, 1);
		model_sample(&m, us);
		assert_true(distance(r.srtt_us8 / 8.0, m.srtt) <= 0.5);
		assert_true(distance(r.rttvar_us4, 4 * m.rttvar) <= 4);
		assert_true(distance(rtt_rto_us(&r, &lim, 0), model_rto(&m, 1, 6e7)) <= 6);
	}
}

static void
data_31_random_samples_match_floating_point(void **state)
{
	uint64_t seed;

	(void)state;
	print_message("seeds 1 to 20\n");
	for (seed = 1; seed <= 20; seed++) {
		run_samples(seed, 1, 2);
		run_samples(seed, 20, 100);
		run_samples(seed, 30000, 1000);
		run_samples(seed, 1, 2000000);
		run_samples(seed, 100000000, 100000000);
	}
}

static void
data_31_first_sample_sets_both(void **state)
{
	struct rtt r;

	(void)state;
	rtt_init(&r);
	assert_false(rtt_has_sample(&r));
	rtt_sample(&r, 1000, 1);
	assert_true(rtt_has_sample(&r));
	assert_int_equal(rtt_srtt_us(&r), 1000);
	assert_int_equal(r.rttvar_us4, 4 * 500);
}

/* Sample 2 of 3000 us after 1000: RTTVAR = 3/4 * 500 + 1/4 * 2000 from the OLD SRTT. */
static void
data_31_rttvar_uses_the_old_srtt(void **state)
{
	struct rtt r;

	(void)state;
	rtt_init(&r);
	rtt_sample(&r, 1000, 1);
	rtt_sample(&r, 3000, 1);
	assert_int_equal(r.rttvar_us4, 4 * 875);
	assert_int_equal(r.srtt_us8, 8 * 1250);
}

/* Whatever the RTO was; the hold ends with the next sample. */
static void
data_31_held_rto_ends_with_a_sample(void **state)
{
	static const struct rtt_limits lim = RTT_LIMITS_DEFAULT;
	struct rtt r;

	(void)state;
	rtt_init(&r);
	rtt_sample(&r, 40000, 1);
	rtt_hold(&r, 6400000);
	assert_int_equal(rtt_rto_us(&r, &lim, 0), 6400000);
	assert_int_equal(rtt_rto_us(&r, &lim, 1), 12800000);
	assert_int_equal(rtt_srtt_us(&r), 40000);
	rtt_hold(&r, RTT_CEIL_US);
	assert_int_equal(rtt_rto_us(&r, &lim, 0), 60000000);
	rtt_sample(&r, 100000, 1);
	assert_int_equal(rtt_srtt_us(&r), 100000);
	assert_int_equal(rtt_rttvar_us(&r), 50000);
	assert_int_equal(rtt_rto_us(&r, &lim, 0), 300000);
}

static void
data_31_no_sample_gives_initial_rto(void **state)
{
	static const struct rtt_limits lim = RTT_LIMITS_DEFAULT;
	struct rtt r;

	(void)state;
	rtt_init(&r);
	assert_int_equal(rtt_rto_us(&r, &lim, 0), 1000000);
	assert_int_equal(rtt_rto_us(&r, &lim, 1), 2000000);
	assert_int_equal(rtt_rto_us(&r, &lim, 5), 32000000);
	assert_int_equal(rtt_rto_us(&r, &lim, 6), 60000000);
}

static void
dec_6_small_rtt_gives_the_floor(void **state)
{
	static const struct rtt_limits lim = RTT_LIMITS_DEFAULT;
	struct rtt_limits rfc = RTT_LIMITS_DEFAULT;
	struct rtt r;

	(void)state;
	rfc.floor_us = RTT_FLOOR_RFC_US;
	rtt_init(&r);
	rtt_sample(&r, 50, 1);
	assert_int_equal(rtt_rto_us(&r, &lim, 0), 200000);
	/* The floor is doubled too, not applied after the doubling. */
	assert_int_equal(rtt_rto_us(&r, &lim, 3), 1600000);
	assert_int_equal(rtt_rto_us(&r, &rfc, 0), 1000000);
}

static void
data_31_steady_rtt_keeps_the_granularity(void **state)
{
	static const struct rtt_limits lim = {.initial_us = 1, .floor_us = 1, .ceil_us = 60000000};
	struct rtt r;
	int i;

	(void)state;
	rtt_init(&r);
	for (i = 0; i < 200; i++)
		rtt_sample(&r, 500000, 1);
	/* RTTVAR fell to nothing: G = 1 ms remains. */
	assert_int_equal(rtt_rto_us(&r, &lim, 0), 501000);
}

/* The lower bound holds up to the last microsecond, of SRTT with G and of SRTT with RTTVAR. */
static void
data_31_floor_is_known_without_the_sum(void **state)
{
	static const struct {
		uint32_t srtt_us, rttvar_us4;
		bool holds;
	} rows[] = {
			{1, 0, true},
			{100000, 100000, true},
			{100000, 100001, false},
			{199000, 1000, true},
			{199000, 0, true},
			{199001, 0, false},
			{199500, 500, false},
			{200000, 0, false},
			{200001, 0, false},
			{RTT_SAMPLE_MAX_US, 0, false},
			{10, RTT_HELD | 199990, true},
			{10, RTT_HELD | 199991, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rtt r = {.srtt_us8 = rows[i].srtt_us << 3, .rttvar_us4 = rows[i].rttvar_us4};

		assert_int_equal(rtt_floor_holds(&r, 200000), rows[i].holds);
	}
}

static void
data_31_any_backoff_stays_below_the_ceiling(void **state)
{
	static const struct rtt_limits lim = RTT_LIMITS_DEFAULT;
	struct rtt r;
	uint32_t before = 0;
	uint32_t backoff;

	(void)state;
	rtt_init(&r);
	rtt_sample(&r, UINT32_MAX, 1);
	for (backoff = 0; backoff < 100; backoff++)
		assert_int_equal(rtt_rto_us(&r, &lim, backoff), RTT_CEIL_US);
	rtt_init(&r);
	rtt_sample(&r, 1, 1);
	for (backoff = 0; backoff < 100; backoff++) {
		uint32_t rto = rtt_rto_us(&r, &lim, backoff);

		assert_true(rto >= before);
		assert_true(rto <= RTT_CEIL_US);
		before = rto;
	}
}

/* A timestamp clock of 1 ms that shows no step has measured "at most 1 ms". */
static void
data_31_sample_below_granularity_counts_as_granularity(void **state)
{
	struct rtt r;

	(void)state;
	rtt_init(&r);
	rtt_sample(&r, 0, 1000);
	assert_int_equal(rtt_srtt_us(&r), 1000);
	rtt_init(&r);
	rtt_sample(&r, 0, 0);
	assert_true(rtt_has_sample(&r));
}

static void
data_31_extreme_samples_do_not_overflow(void **state)
{
	struct rng rng;
	struct rtt r;
	int i;

	(void)state;
	print_message("seed 3\n");
	rng_seed(&rng, 3);
	rtt_init(&r);
	for (i = 0; i < SAMPLES; i++) {
		rtt_sample(&r, rng_below(&rng, 2) ? UINT32_MAX : 0, 1);
		assert_true(rtt_srtt_us(&r) <= RTT_SAMPLE_MAX_US);
		assert_true(r.rttvar_us4 <= 4u * RTT_SAMPLE_MAX_US);
		assert_true(rtt_has_sample(&r));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_31_random_samples_match_floating_point),
			cmocka_unit_test(data_31_first_sample_sets_both),
			cmocka_unit_test(data_31_rttvar_uses_the_old_srtt),
			cmocka_unit_test(data_31_held_rto_ends_with_a_sample),
			cmocka_unit_test(data_31_no_sample_gives_initial_rto),
			cmocka_unit_test(dec_6_small_rtt_gives_the_floor),
			cmocka_unit_test(data_31_steady_rtt_keeps_the_granularity),
			cmocka_unit_test(data_31_floor_is_known_without_the_sum),
			cmocka_unit_test(data_31_any_backoff_stays_below_the_ceiling),
			cmocka_unit_test(data_31_sample_below_granularity_counts_as_granularity),
			cmocka_unit_test(data_31_extreme_samples_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
