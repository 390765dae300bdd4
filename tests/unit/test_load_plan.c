/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: a plan has tuples and TIME-WAIT entries for rate x 2MSL x 1.1 or says what
 * it lacks, by numbers a reader can check by hand; and a run that keeps to what
 * the plan says never runs out, shown against a second-by-second model. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/rng.h"
#include "load/plan.h"

#define S  1000000000ull
#define GB 1000000000ull

static struct plan_in
ring_run(void)
{
	return (struct plan_in){
			.ceiling = PLAN_CEILING_MEMORY,
			.run_ns = 10 * S,
			.concurrency = 1024,
			.tw_ms = 60000,
			.holder = PLAN_TW_CLIENT,
			.has_client = true,
			.sides_here = 1,
			.sources = {.first = 0xc6120001},
			.ports = {1024, 65535},
			.target_ports = {.first = 5001},
			.memory_free = 20 * GB,
			.tw_octets = 72,
	};
}

static void
plan_ring_default_has_room_for_the_ceiling(void **state)
{
	struct plan_in in = ring_run();
	struct plan p;

	plan_make(&in, &p);
	assert_int_equal(p.bound, PLAN_BOUND_NONE);
	assert_int_equal(p.pace, 0);
	/* 3 M/s x 10 s x 1.1 */
	assert_in_range(p.max_time_wait, 33000000, 33001100);
	assert_true(p.tuples >= p.alive);
	assert_true(p.sustained >= 2997000);
	assert_int_equal(p.sources.first, 0xc6120001);
	assert_true(p.sources.last - p.sources.first < PLAN_SOURCES_MAX);
}

static void
plan_rate_given_is_rate_times_2msl_and_a_tenth(void **state)
{
	struct plan_in in = ring_run();
	struct plan p;

	in.rate = 100000;
	in.run_ns = 120 * S;
	plan_make(&in, &p);
	assert_in_range(p.max_time_wait, 6600000, 6630000);
	assert_int_equal(p.pace, 100000);
	assert_int_equal(p.bound, PLAN_BOUND_NONE);
	/* Until stopped is as long as 2MSL. */
	in.run_ns = 0;
	plan_make(&in, &p);
	assert_in_range(p.max_time_wait, 6600000, 6630000);
}

static void
tw_13_one_source_one_target_sustains_ports_by_2msl(void **state)
{
	struct plan_in in = ring_run();
	struct plan p;

	in.rate = 100000;
	in.run_ns = 0;
	in.concurrency = 0;
	in.sources.last = in.sources.first;
	in.target_ports.last = in.target_ports.first;
	plan_make(&in, &p);
	assert_int_equal(p.tuples, 64512);
	assert_int_equal(p.max_time_wait, 64512);
	assert_int_equal(p.bound, PLAN_BOUND_TUPLES);
	/* 64512 / 60 s / 1.1 */
	assert_in_range(p.sustained, 972, 978);
	assert_int_equal(p.sustained, p.sustained_2msl);
	assert_int_equal(p.pace, 100000);
	in.rate = 0;
	plan_make(&in, &p);
	assert_int_equal(p.pace, p.sustained);
}

static void
plan_short_run_may_go_faster_than_2msl_allows(void **state)
{
	struct plan_in in = ring_run();
	struct plan p;

	in.run_ns = 2 * S;
	in.concurrency = 0;
	in.sources.last = in.sources.first;
	in.target_ports.last = in.target_ports.first;
	plan_make(&in, &p);
	/* 64512 / (2 s and one to spare) */
	assert_in_range(p.sustained, 21503, 21504);
	assert_in_range(p.sustained_2msl, 972, 978);
}

static void
plan_little_memory_paces_to_what_fits(void **state)
{
	struct plan_in in = ring_run();
	struct plan p;

	in.memory_free = GB;
	in.run_ns = 0;
	plan_make(&in, &p);
	assert_int_equal(p.bound, PLAN_BOUND_MEMORY);
	assert_true(p.tw_octets <= GB / 100 * PLAN_MEMORY_PERCENT);
	assert_true(p.tw_octets > GB / 100 * (PLAN_MEMORY_PERCENT - 1));
	/* 600 MB / 72 / 60 s / 1.1 */
	assert_in_range(p.pace, 125400, 126300);
	in.sides_here = 2;
	in.holder = PLAN_TW_BOTH;
	plan_make(&in, &p);
	assert_in_range(p.pace, 62700, 63150);
}

static void
plan_count_needs_no_more_than_the_count(void **state)
{
	struct plan_in in = ring_run();
	struct plan p;

	in.count = 50000;
	in.run_ns = 0;
	in.sources.last = in.sources.first;
	in.target_ports.last = in.target_ports.first;
	plan_make(&in, &p);
	assert_int_equal(p.bound, PLAN_BOUND_NONE);
	assert_int_equal(p.max_time_wait, 50000);
	in.count = 70000;
	plan_make(&in, &p);
	assert_int_equal(p.bound, PLAN_BOUND_TUPLES);
}

/* Held connections that would fill their tuples: one worker finds each of them, of two neither
 * finds its half exactly. */
static void
plan_leaves_workers_tuples_to_choose_from(void **state)
{
	struct plan_in in = ring_run();
	struct plan p;

	(void)state;
	in.hold = 2 * 64512;
	in.workers = 1;
	plan_make(&in, &p);
	assert_int_equal(p.hold_pairs, 2);
	in.workers = 2;
	plan_make(&in, &p);
	assert_int_equal(p.hold_pairs, 3);
}

static void
plan_without_time_wait_needs_room_for_the_living_only(void **state)
{
	struct plan_in in = ring_run();
	struct plan p;

	in.holder = PLAN_TW_NOBODY;
	in.sides_here = 0;
	plan_make(&in, &p);
	assert_int_equal(p.bound, PLAN_BOUND_NONE);
	assert_int_equal(p.max_time_wait, 1024);
	assert_int_equal(p.pairs, 1);
	in.holder = PLAN_TW_CLIENT;
	in.tw_ms = 0;
	plan_make(&in, &p);
	assert_int_equal(p.bound, PLAN_BOUND_NONE);
	assert_int_equal(p.pace, 0);
}

/* Each second `rate` tuples are taken and those 2MSL old are given back. */
static uint64_t
model_peak(uint64_t rate, uint64_t seconds, uint64_t tw_s, uint64_t concurrency)
{
	uint64_t taken = concurrency;
	uint64_t peak = taken;

	for (uint64_t t = 1; t <= seconds; t++) {
		taken += rate;
		peak = taken > peak ? taken : peak;
		if (t >= tw_s)
			taken -= rate;
	}
	return peak;
}

static void
plan_kept_to_never_runs_out_in_the_model(void **state)
{
	struct rng r;
	struct plan p;

	rng_seed(&r, 3);
	print_message("seed 3\n");
	for (int i = 0; i < 2000; i++) {
		struct plan_in in = ring_run();
		uint64_t seconds = 1 + rng_below(&r, 200);
		uint64_t tw_s = 1 + rng_below(&r, 240);
		uint64_t rate;
		uint64_t peak;

		in.run_ns = seconds * S;
		in.tw_ms = (uint32_t)tw_s * 1000;
		in.rate = rng_below(&r, 2) * (1 + rng_below(&r, 2000000));
		in.memory_free = GB + rng_below(&r, 100 * GB);
		in.sources.last = rng_below(&r, 2) * (in.sources.first + rng_below(&r, 2000));
		in.target_ports.last = rng_below(&r, 2) * (5001 + rng_below(&r, 20));
		in.ports.first = 1024 + rng_below(&r, 60000);
		plan_make(&in, &p);
		rate = p.bound == PLAN_BOUND_NONE ? (in.rate ? in.rate : in.ceiling) : p.sustained;
		peak = model_peak(rate, seconds, tw_s, in.concurrency);
		assert_true(peak <= p.tuples || rate == 0);
		assert_true(peak - in.concurrency <= p.max_time_wait);
		assert_true(p.tw_octets <= in.memory_free * PLAN_MEMORY_PERCENT / 100);
	}
}

static void
print_bound_plan_says_the_rate_in_one_sentence(void **state)
{
	struct plan_in in = ring_run();
	struct plan p;
	char buf[1024];

	plan_make(&in, &p);
	assert_true(plan_print(&in, &p, buf, sizeof(buf)) < (int)sizeof(buf));
	assert_null(strstr(buf, "sustain"));
	assert_non_null(strstr(buf, "198.18.0.1-"));
	in.rate = 100000;
	in.run_ns = 0;
	in.concurrency = 0;
	in.sources.last = in.sources.first;
	in.target_ports.last = in.target_ports.first;
	plan_make(&in, &p);
	assert_true(plan_print(&in, &p, buf, sizeof(buf)) < (int)sizeof(buf));
	assert_non_null(strstr(buf, "= 64512 tuples\n"));
	assert_non_null(strstr(buf, "sustain 973 opens/s"));
	assert_non_null(strstr(buf, "100000/s asked for"));
	/* Fewer tuples than may be open at once: never "0 opens/s". */
	in.concurrency = 256;
	in.ports = (struct plan_range){1024, 1223};
	plan_make(&in, &p);
	plan_print(&in, &p, buf, sizeof(buf));
	assert_non_null(strstr(buf, "= 200 tuples\n"));
	assert_non_null(strstr(buf, "sustain 3 opens/s"));
	in.ports.last = 1029;
	plan_make(&in, &p);
	plan_print(&in, &p, buf, sizeof(buf));
	assert_non_null(strstr(buf, "sustain 0.10 opens/s"));
}

/* What stays has pairs of its own, so that searches for a port of the others are as short as
 * ever; if there are too few addresses for that, all share what there is. */
static void
plan_held_connections_have_pairs_of_their_own(void **state)
{
	struct plan_in in = ring_run();
	struct plan with, without;
	char buf[1024];

	(void)state;
	plan_make(&in, &without);
	in.hold = 10000000;
	in.hold_octets = 276;
	plan_make(&in, &with);
	/* 10,000,000 / 64512 */
	assert_int_equal(with.hold_pairs, 156);
	assert_int_equal(without.hold_pairs, 0);
	assert_true(with.pairs - with.hold_pairs >= (without.alive + 64511) / 64512);
	assert_int_equal(with.alive, without.alive + 10000000);
	assert_int_equal(with.bound, PLAN_BOUND_NONE);
	assert_int_equal(with.max_time_wait, without.max_time_wait);
	plan_print(&in, &with, buf, sizeof(buf));
	assert_non_null(strstr(buf, "10000000 connections stay (2760.0 MB)"));

	in.sources.last = in.sources.first + 155;
	in.target_ports.last = in.target_ports.first;
	plan_make(&in, &with);
	assert_int_equal(with.hold_pairs, 0);
	/* 156 x 64512 tuples less 10,000,000 and 1024, of which each is taken for 11 s. */
	assert_int_equal(with.bound, PLAN_BOUND_TUPLES);
	assert_in_range(with.sustained, (63872 - 1024) / 11 - 1, (63872 - 1024) / 11 + 1);
}

/* TIME-WAIT gets its share of what they leave. */
static void
plan_memory_of_the_held_is_not_for_time_wait(void **state)
{
	struct plan_in in = ring_run();
	struct plan p;

	(void)state;
	in.memory_free = 2 * GB;
	in.hold = 5000000;
	in.hold_octets = 200;
	plan_make(&in, &p);
	/* 60 % of 1 GB, 72 octets each */
	assert_int_equal(p.max_time_wait, 8333333);
	in.hold = 20000000;
	plan_make(&in, &p);
	assert_int_equal(p.max_time_wait, 1024);
}

static void
dec_8_2msl_below_30_s_is_warned_of(void **state)
{
	(void)state;
	assert_null(plan_tw_warning(240000));
	assert_null(plan_tw_warning(30000));
	assert_non_null(strstr(plan_tw_warning(29999), "below 30 s"));
	assert_non_null(strstr(plan_tw_warning(1000), "below 30 s"));
	assert_non_null(strstr(plan_tw_warning(0), "2MSL is 0, for benchmarks only"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(plan_ring_default_has_room_for_the_ceiling),
			cmocka_unit_test(plan_rate_given_is_rate_times_2msl_and_a_tenth),
			cmocka_unit_test(tw_13_one_source_one_target_sustains_ports_by_2msl),
			cmocka_unit_test(plan_short_run_may_go_faster_than_2msl_allows),
			cmocka_unit_test(plan_little_memory_paces_to_what_fits),
			cmocka_unit_test(plan_count_needs_no_more_than_the_count),
			cmocka_unit_test(plan_leaves_workers_tuples_to_choose_from),
			cmocka_unit_test(plan_without_time_wait_needs_room_for_the_living_only),
			cmocka_unit_test(plan_kept_to_never_runs_out_in_the_model),
			cmocka_unit_test(plan_held_connections_have_pairs_of_their_own),
			cmocka_unit_test(plan_memory_of_the_held_is_not_for_time_wait),
			cmocka_unit_test(dec_8_2msl_below_30_s_is_warned_of),
			cmocka_unit_test(print_bound_plan_says_the_rate_in_one_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
