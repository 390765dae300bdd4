/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: launches come at the times the rate says, to the nanosecond and without
 * drift; a stall charges every launch it delayed in the open loop and none in
 * the closed one. Method: a virtual clock with turns of random length. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/rng.h"
#include "load/pace.h"

#define S 1000000000ull

/* Runs turns of 1..turn_max ns until `end`; returns the number launched and checks
 * each intended time against the exact schedule. */
static uint64_t
drive(struct pace *p, uint64_t rate, uint64_t end, uint64_t turn_max)
{
	struct rng r;
	uint64_t launched = 0;

	rng_seed(&r, 5);
	for (uint64_t now = 0; now < end; now += 1 + rng_below(&r, turn_max)) {
		for (uint32_t n = pace_due(p, now, 64); n > 0; n--) {
			uint64_t exact = (uint64_t)((unsigned __int128)launched * S / rate);
			uint64_t intended = pace_intended(p, now);

			assert_true(intended <= now);
			assert_true(intended <= exact && exact - intended <= 1);
			pace_launched(p, now);
			launched++;
		}
	}
	return launched;
}

static void
open_loop_any_rate_keeps_the_schedule(void **state)
{
	static const uint64_t rates[] = {1, 3, 7, 999, 65537, 1000000, 2999999};

	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rates); i++) {
		uint64_t want = rates[i] * 3 / 2;
		uint64_t got;
		struct pace p;

		pace_init(&p, rates[i], true, 0);
		pace_start(&p, 0);
		got = drive(&p, rates[i], 3 * S / 2, 20000);
		assert_true(got + 64 >= want && got <= want + 1);
		assert_int_equal(p.launched, got);
		assert_int_equal(p.late, 0);
		assert_false(pace_is_held(&p));
	}
}

static void
open_loop_after_an_hour_has_no_drift(void **state)
{
	struct pace p;

	pace_init(&p, 1500007, true, 0);
	pace_start(&p, 0);
	for (uint64_t i = 0; i < 100000000; i++)
		pace_launched(&p, p.next_ns);
	assert_in_range(p.next_ns, 100000000ull * S / 1500007 - 1, 100000000ull * S / 1500007 + 1);
}

static void
open_loop_stall_counts_every_delayed_launch(void **state)
{
	struct pace p;
	uint32_t n;

	pace_init(&p, 1000, true, 0);
	pace_start(&p, 0);
	assert_int_equal(pace_due(&p, 0, 64), 1);
	pace_launched(&p, 0);
	/* Half a second of standstill: 500 launches are due, those of the last ms in time. */
	n = pace_due(&p, S / 2, 1000);
	assert_int_equal(n, 500);
	assert_int_equal(pace_intended(&p, S / 2), 1000000);
	for (uint32_t i = 0; i < n; i++)
		pace_launched(&p, S / 2);
	assert_int_equal(p.late, 498);
	assert_int_equal(p.late_ns_max, 499000000);
	assert_int_equal(pace_due(&p, S / 2, 1000), 0);
}

static void
closed_loop_long_stall_is_not_made_up_for(void **state)
{
	struct pace p;

	pace_init(&p, 1000000, false, 0);
	pace_start(&p, 0);
	assert_in_range(pace_due(&p, S, UINT32_MAX), 100000, 100001);
	assert_int_equal(pace_intended(&p, S), S);
	pace_launched(&p, S);
	assert_int_equal(p.late, 0);
}

static void
unpaced_room_is_the_only_limit(void **state)
{
	struct pace p;

	pace_init(&p, 0, false, 0);
	pace_start(&p, 100);
	assert_int_equal(pace_due(&p, 100, 64), 64);
	assert_int_equal(pace_due(&p, 100, 5), 5);
	assert_int_equal(pace_due(&p, 100, 0), 0);
	assert_int_equal(pace_intended(&p, 123), 123);
}

static void
count_reached_launches_no_more(void **state)
{
	struct pace p;

	pace_init(&p, 0, false, 3);
	pace_start(&p, 0);
	assert_int_equal(pace_due(&p, 0, 64), 3);
	for (int i = 0; i < 3; i++)
		pace_launched(&p, 0);
	assert_int_equal(pace_due(&p, 1, 64), 0);
	assert_int_equal(p.left, 0);
}

static void
concurrency_without_room_is_told_apart_from_rate(void **state)
{
	struct pace p;

	pace_init(&p, 1000, true, 0);
	pace_start(&p, 0);
	for (uint64_t now = 0; now < S; now += 100000) {
		bool has_room = now < S * 98 / 100;
		uint32_t n = pace_due(&p, now, has_room ? 64 : 0);

		while (n-- > 0)
			pace_launched(&p, now);
		if (has_room)
			assert_false(pace_is_held(&p));
	}
	assert_true(pace_is_held(&p));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(open_loop_any_rate_keeps_the_schedule),
			cmocka_unit_test(open_loop_after_an_hour_has_no_drift),
			cmocka_unit_test(open_loop_stall_counts_every_delayed_launch),
			cmocka_unit_test(closed_loop_long_stall_is_not_made_up_for),
			cmocka_unit_test(unpaced_room_is_the_only_limit),
			cmocka_unit_test(count_reached_launches_no_more),
			cmocka_unit_test(concurrency_without_room_is_told_apart_from_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
