/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The timing wheel against an obvious model: an array of deadlines, scanned from
 * end to end. Random arms, moves, cancels and jumps of the clock of every size,
 * with room for all due nodes and with room for a few; then the contracts one by
 * one: slack, bounded calls, clock jumps and wraps, restarts, removal once. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/size.h"
#include "wheel/wheel.h"

#define RANDOM_OPS TEST_SIZE(10000000u, 1000000u)
#define MANY       TEST_SIZE(1000000u, 100000u)

#include "wheel_model.h"

static void
model_run(uint64_t start, uint64_t seed, uint32_t ops, bool complete)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	model_create(m, start, seed);
	for (uint32_t op = 0; op < ops; op++) {
		uint32_t i = 1 + (uint32_t)rng_below(&m->rng, MODEL_NODES - 1);

		switch (rng_below(&m->rng, 8)) {
		case 0:
			model_cancel(m, i);
			break;
		case 1:
			model_advance(m, complete);
			break;
		case 3:
			model_move(m, i, 1 + (uint32_t)rng_below(&m->rng, MODEL_NODES - 1));
			break;
		case 2:
			m->now += rng_below(&m->rng, 3);
			model_take(m, PASS);
			break;
		default:
			model_arm(m, i);
		}
		if (op % 1024 == 0)
			wheel_check(&m->w);
	}
	wheel_check(&m->w);
	assert_in_range(m->expired, ops / 100, ops);
	free(m->blocks);
	free(m);
}

static void
tw_16_random_operations_agree_with_array(void **state)
{
	(void)state;
	print_message("seed %u, %u operations\n", SEED, RANDOM_OPS);
	model_run(0, SEED, RANDOM_OPS / 2, true);
	model_run(1234567890123, SEED + 1, RANDOM_OPS / 2, true);
}

static void
tw_17_calls_without_room_lose_and_repeat_nothing(void **state)
{
	(void)state;
	print_message("seed %u\n", SEED + 2);
	model_run(77, SEED + 2, RANDOM_OPS / 4, false);
}

static void
tw_17_32_bit_tick_wraps_without_effect(void **state)
{
	static const uint64_t starts[] = {(1ull << 32) - 1000, (1ull << 32) - 70000,
			(1ull << 33) - 1, (1ull << 31) - 300, (1ull << 40) - (1ull << 17)};

	(void)state;
	for (uint32_t i = 0; i < PMTCP_ARRAY_SIZE(starts); i++)
		model_run(starts[i], SEED + 3 + i, RANDOM_OPS / 50, true);
}

/* A wheel of its own with `count` blocks; index 0 stays unused. */
struct fixture {
	struct wheel w;
	uint8_t *blocks;
	uint32_t due[PASS];
};

static struct fixture *
fixture_create(uint32_t count, uint64_t now)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->blocks = blocks_create(count + 1);
	wheel_init(&f->w, f->blocks + NODE_OFFSET, now);
	return f;
}

static void
fixture_free(struct fixture *f)
{
	wheel_check(&f->w);
	free(f->blocks);
	free(f);
}

/* The tick at which a node comes out when the wheel is asked at every tick that
 * it names itself. */
static uint64_t
expiry_tick(struct fixture *f, uint64_t deadline, uint32_t slack)
{
	uint64_t now = f->w.now;

	wheel_arm(&f->w, 1, deadline, slack);
	for (uint32_t calls = 0; calls < 64; calls++) {
		now = max_u64(now, wheel_deadline(&f->w));
		if (wheel_advance(&f->w, now, f->due, PASS) == 1)
			return now;
	}
	return UINT64_MAX;
}

static void
tw_16_slack_256_is_met_and_slack_0_is_exact(void **state)
{
	struct fixture *f = fixture_create(1, 1000);
	struct rng r;

	(void)state;
	rng_seed(&r, SEED);
	for (uint32_t i = 0; i < 20000; i++) {
		uint64_t deadline = f->w.now + random_size(&r, 31);
		uint64_t tick = expiry_tick(f, deadline, 256);

		assert_in_range(tick, deadline, deadline + 256);
		deadline = f->w.now + random_size(&r, 31);
		assert_int_equal(expiry_tick(f, deadline, 0), deadline);
		deadline = f->w.now + random_size(&r, 31);
		assert_int_equal(expiry_tick(f, deadline, 254), deadline);
	}
	fixture_free(f);
}

static void
tw_16_node_is_due_at_its_tick_and_not_before(void **state)
{
	static const uint64_t distances[] = {0, 1, 255, 256, 257, 511, 512, 513, 65535, 65536,
			130815, 130816, 130817, 131071, 131072, 1u << 24, 33488896, 33488897,
			1u << 31};

	(void)state;
	for (uint32_t i = 0; i < PMTCP_ARRAY_SIZE(distances); i++) {
		for (uint64_t start = 65500; start < 65800; start++) {
			struct wheel w;
			uint64_t block[2 * 8] = {0};
			uint32_t due[4];
			uint64_t tick = start + distances[i];

			wheel_init(&w, block, start);
			wheel_arm(&w, 1, tick, 0);
			if (distances[i] > 0)
				assert_int_equal(wheel_advance(&w, tick - 1, due, 4), 0);
			wheel_check(&w);
			while (wheel_deadline(&w) < tick)
				assert_int_equal(wheel_advance(&w, tick - 1, due, 4), 0);
			assert_int_equal(wheel_advance(&w, tick, due, 4), 1);
			assert_int_equal(due[0], 1);
			assert_int_equal(wheel_deadline(&w), UINT64_MAX);
		}
	}
}

static void
deadline_beyond_the_span_is_taken_as_the_span(void **state)
{
	struct fixture *f = fixture_create(1, 5000);

	(void)state;
	for (uint32_t slack = 0; slack <= 256; slack += 256) {
		uint64_t now = f->w.now;

		assert_in_range(expiry_tick(f, UINT64_MAX, slack), now + WHEEL_SPAN - 255,
				now + WHEEL_SPAN);
	}
	fixture_free(f);
}

/* Drains one instant; every call is bounded by its room. Returns the calls. */
static uint32_t
drain(struct fixture *f, uint64_t now, uint8_t *seen)
{
	uint32_t calls = 0;

	do {
		uint32_t n = wheel_advance(&f->w, now, f->due, PASS);

		assert_in_range(n, 0, PASS);
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(seen[f->due[i]]++, 0);
		calls++;
		assert_in_range(calls, 1, 8 * MANY / PASS + 64);
	} while (wheel_deadline(&f->w) <= now);
	return calls;
}

static void
tw_17_jump_of_ten_minutes_is_bounded_per_call(void **state)
{
	struct fixture *f = fixture_create(MANY, 987654321);
	uint8_t *seen = calloc(MANY + 1, 1);
	struct rng r;
	uint32_t calls;

	(void)state;
	print_message("seed %u, %u nodes\n", SEED, MANY);
	rng_seed(&r, SEED);
	for (uint32_t i = 1; i <= MANY; i++)
		wheel_arm(&f->w, i, f->w.now + rng_below(&r, 600000 - 256), i % 2 == 0 ? 256 : 0);
	calls = drain(f, f->w.now + 600000, seen);
	/* Each node comes out once and moves down at most twice before. */
	assert_in_range(calls, MANY / PASS, 3 * (MANY / PASS) + 16);
	assert_int_equal(f->w.armed, 0);
	for (uint32_t i = 1; i <= MANY; i++)
		assert_int_equal(seen[i], 1);
	free(seen);
	fixture_free(f);
}

static void
tw_17_slot_of_time_waits_delays_no_rto(void **state)
{
	struct fixture *f = fixture_create(MANY, 5);
	uint8_t *seen = calloc(MANY + 1, 1);
	uint64_t now = 60160;

	(void)state;
	for (uint32_t i = 1; i < MANY; i++)
		wheel_arm(&f->w, i, 59950 + i % 100, 256);
	wheel_arm(&f->w, MANY, now, 0);
	assert_int_equal(wheel_advance(&f->w, now, f->due, PASS), PASS);
	assert_int_equal(f->due[0], MANY);
	/* And armed while the others wait, in the middle of the backlog. */
	wheel_arm(&f->w, MANY, now + 1, 0);
	assert_int_equal(wheel_advance(&f->w, now + 1, f->due, PASS), PASS);
	assert_int_equal(f->due[0], MANY);
	/* Restarted and cancelled where it waits. */
	for (uint32_t i = 1; i < MANY; i += 2)
		wheel_cancel(&f->w, i);
	wheel_check(&f->w);
	drain(f, now + 1, seen);
	for (uint32_t i = 1; i < MANY; i += 2)
		assert_int_equal(seen[i], 0);
	assert_int_equal(f->w.armed, 0);
	free(seen);
	fixture_free(f);
}

static void
tw_17_full_precise_pass_starves_no_time_wait(void **state)
{
	struct fixture *f = fixture_create(4000, 0);
	uint32_t coarse = 0;

	(void)state;
	for (uint32_t i = 1; i <= 4000; i++)
		wheel_arm(&f->w, i, 511, i > 3000 ? 256 : 0);
	assert_int_equal(wheel_advance(&f->w, 512, f->due, PASS), PASS);
	for (uint32_t i = 0; i < PASS; i++)
		coarse += f->due[i] > 3000;
	assert_int_equal(coarse, PASS / 4);
	fixture_free(f);
}

static void
tw_17_slot_is_cascaded_before_its_time(void **state)
{
	struct fixture *f = fixture_create(MANY / 10, 3);
	uint64_t border = 40 * 256;

	(void)state;
	for (uint32_t i = 2; i <= MANY / 10; i++)
		wheel_arm(&f->w, i, border + 200, 0);
	wheel_arm(&f->w, 1, border + 1, 0);
	for (uint64_t now = 4; now < border + 200; now++)
		assert_int_equal(wheel_advance(&f->w, now, f->due, PASS), now == border + 1);
	assert_int_equal(f->due[0], 1);
	assert_int_equal(wheel_advance(&f->w, border + 200, f->due, PASS), PASS);
	fixture_free(f);
}

static void
tw_16_time_wait_expires_without_moving_down(void **state)
{
	struct fixture *f = fixture_create(1000, 3);
	uint64_t levels = 0;
	uint32_t nodes = 0;

	(void)state;
	for (uint32_t i = 1; i <= 1000; i++)
		wheel_arm(&f->w, i, 60000 + i, 256);
	for (uint64_t now = 4; now < 62000; now++) {
		nodes += wheel_advance(&f->w, now, f->due, PASS);
		for (uint32_t word = 0; word < WHEEL_COARSE / 64; word++)
			levels |= f->w.map[word];
	}
	assert_int_equal(levels, 0);
	assert_int_equal(nodes, 1000);
	fixture_free(f);
}

static void
tw_17_rest_comes_in_order_in_the_next_calls(void **state)
{
	struct fixture *f = fixture_create(5000, 70000);
	static uint64_t deadline[5001];
	uint64_t last = 0;
	uint32_t taken = 0;
	struct rng r;

	(void)state;
	rng_seed(&r, SEED);
	for (uint32_t i = 1; i <= 5000; i++) {
		deadline[i] = 70000 + 2 * rng_below(&r, 100000) + 1;
		wheel_arm(&f->w, i, deadline[i], 0);
	}
	for (uint32_t calls = 0; taken < 5000; calls++) {
		uint32_t n = wheel_advance(&f->w, 270000, f->due, 64);

		for (uint32_t k = 0; k < n; k++) {
			assert_true(deadline[f->due[k]] >= last);
			last = deadline[f->due[k]];
		}
		taken += n;
		assert_in_range(calls, 0, 400);
	}
	assert_int_equal(f->w.armed, 0);
	fixture_free(f);
}

static void
neg_24_jump_of_a_year_fires_all_and_nothing_early(void **state)
{
	struct fixture *f = fixture_create(1000, 42);
	uint8_t seen[1001] = {0};
	uint64_t year = 365ull * 86400 * 1000;

	(void)state;
	for (uint32_t i = 1; i <= 1000; i++)
		wheel_arm(&f->w, i, 42 + i * 4000000ull, i % 3 == 0 ? 256 : 0);
	assert_in_range(drain(f, 42 + year, seen), 1, 16);
	for (uint32_t i = 1; i <= 1000; i++)
		assert_int_equal(seen[i], 1);
	fixture_free(f);
}

static void
tw_18_restart_in_the_pass_of_the_expiry_wins(void **state)
{
	struct fixture *f = fixture_create(10, 0);
	uint32_t restarted, waiting;

	(void)state;
	for (uint32_t i = 1; i <= 10; i++)
		wheel_arm(&f->w, i, 100, 256);
	/* A batch is out; a FIN restarts one of its nodes before its turn comes. */
	assert_int_equal(wheel_advance(&f->w, 256, f->due, 5), 5);
	restarted = f->due[4];
	wheel_arm(&f->w, restarted, 60256, 256);
	assert_true(wheel_is_armed(&f->w, restarted));
	assert_false(wheel_is_armed(&f->w, f->due[3]));
	/* And one that is due but still waits in the wheel. */
	for (waiting = 1; !wheel_is_armed(&f->w, waiting) || waiting == restarted;)
		waiting++;
	wheel_arm(&f->w, waiting, 60000, 256);
	assert_int_equal(wheel_advance(&f->w, 256, f->due, PASS), 4);
	assert_int_equal(f->w.armed, 2);
	assert_int_equal(wheel_advance(&f->w, 59999, f->due, PASS), 0);
	assert_int_equal(wheel_advance(&f->w, 60512, f->due, PASS), 2);
	assert_int_equal(f->w.armed, 0);
	fixture_free(f);
}

static void
neg_22_node_leaves_exactly_once(void **state)
{
	struct fixture *f = fixture_create(3, 0);

	(void)state;
	wheel_cancel(&f->w, 1);
	wheel_arm(&f->w, 1, 10, 0);
	wheel_arm(&f->w, 1, 10, 0);
	wheel_arm(&f->w, 1, 11, 0);
	assert_int_equal(f->w.armed, 1);
	assert_int_equal(wheel_advance(&f->w, 11, f->due, PASS), 1);
	assert_int_equal(wheel_advance(&f->w, 11, f->due, PASS), 0);
	wheel_cancel(&f->w, 1);
	wheel_arm(&f->w, 2, 20, 0);
	wheel_cancel(&f->w, 2);
	wheel_cancel(&f->w, 2);
	assert_int_equal(f->w.armed, 0);
	assert_int_equal(wheel_advance(&f->w, 100, f->due, PASS), 0);
	fixture_free(f);
}

static void
clock_that_falls_changes_nothing(void **state)
{
	struct fixture *f = fixture_create(600, 100000);

	(void)state;
	for (uint32_t i = 1; i <= 600; i++)
		wheel_arm(&f->w, i, 100300, i % 2 == 0 ? 256 : 0);
	assert_int_equal(wheel_advance(&f->w, 101000, f->due, 100), 100);
	assert_int_equal(wheel_advance(&f->w, 99000, f->due, 100), 0);
	assert_int_equal(wheel_advance(&f->w, 100310, f->due, 100), 100);
	wheel_check(&f->w);
	assert_int_equal(wheel_advance(&f->w, 101000, f->due, PASS), 400);
	wheel_arm(&f->w, 1, 101001, 0);
	assert_int_equal(wheel_advance(&f->w, 5, f->due, PASS), 0);
	assert_int_equal(wheel_advance(&f->w, 101000, f->due, PASS), 0);
	assert_int_equal(wheel_advance(&f->w, 101001, f->due, PASS), 1);
	fixture_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(tw_16_random_operations_agree_with_array),
			cmocka_unit_test(tw_17_calls_without_room_lose_and_repeat_nothing),
			cmocka_unit_test(tw_17_32_bit_tick_wraps_without_effect),
			cmocka_unit_test(tw_16_slack_256_is_met_and_slack_0_is_exact),
			cmocka_unit_test(tw_16_node_is_due_at_its_tick_and_not_before),
			cmocka_unit_test(deadline_beyond_the_span_is_taken_as_the_span),
			cmocka_unit_test(tw_17_jump_of_ten_minutes_is_bounded_per_call),
			cmocka_unit_test(tw_17_slot_of_time_waits_delays_no_rto),
			cmocka_unit_test(tw_17_full_precise_pass_starves_no_time_wait),
			cmocka_unit_test(tw_17_slot_is_cascaded_before_its_time),
			cmocka_unit_test(tw_16_time_wait_expires_without_moving_down),
			cmocka_unit_test(tw_17_rest_comes_in_order_in_the_next_calls),
			cmocka_unit_test(neg_24_jump_of_a_year_fires_all_and_nothing_early),
			cmocka_unit_test(tw_18_restart_in_the_pass_of_the_expiry_wins),
			cmocka_unit_test(neg_22_node_leaves_exactly_once),
			cmocka_unit_test(clock_that_falls_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
