/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the payload pattern tells positions apart, and every end of a connection is
 * in exactly one class. Method: shifts of the pattern are compared with it; every
 * reason is given to the accounts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "load/side.h"

static void
pattern_any_shift_shows(void **state)
{
	static const uint32_t sizes[] = {1, 536, 1448, 1460, 8948, 65536};

	pattern_init();
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(sizes); i++) {
		for (uint64_t at = 0; at < 200 * (uint64_t)sizes[i]; at += sizes[i]) {
			uint64_t shift = sizes[i] * (1 + at % 7);

			if (shift % PATTERN_PERIOD == 0)
				continue;
			assert_memory_not_equal(pattern_at(at), pattern_at(at + shift), 32);
		}
	}
	for (uint32_t shift = 1; shift < PATTERN_PERIOD; shift++)
		assert_memory_not_equal(pattern_at(12345), pattern_at(12345 + shift), 32);
}

static void
pattern_continues_over_its_period(void **state)
{
	static const uint64_t points[] = {0, 1, PATTERN_PERIOD - 1, PATTERN_PERIOD, 1ull << 29};

	pattern_init();
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(points); i++) {
		const uint8_t *run = pattern_at(points[i]);

		for (uint32_t k = 0; k < PATTERN_RUN; k += 13)
			assert_int_equal(run[k], *pattern_at(points[i] + k));
	}
}

static void
close_45_every_end_is_in_one_class(void **state)
{
	struct load_conf conf;
	struct run_clock clock;
	struct side s;
	uint64_t ends = 0;

	conf_defaults(&conf);
	run_clock_init(&clock, 1);
	assert_int_equal(side_init(&s, &conf, &clock, 4), 0);
	s.n.opened = 1000;
	s.live = 1000;
	for (int32_t reason = PMTCP_GRACEFUL; reason < PMTCP_REASON_MAX; reason++) {
		for (int bad = 0; bad < 2; bad++) {
			side_ended(&s, reason, bad != 0);
			ends++;
			assert_int_equal(s.n.opened, s.n.closed + side_failed(&s.n) + s.live);
		}
	}
	assert_int_equal(s.live, 1000 - ends);
	assert_int_equal(s.n.closed, 1);
	assert_int_equal(s.n.failed[SIDE_BAD_PAYLOAD], ends / 2);
	s.expected = PMTCP_PEER_RESET;
	side_ended(&s, PMTCP_PEER_RESET, false);
	side_ended(&s, PMTCP_GRACEFUL, false);
	assert_int_equal(s.n.closed, 2);
	assert_int_equal(s.n.failed[PMTCP_GRACEFUL], 1);
	side_fini(&s);
}

/* Three workers of an end: each is crossed off once, and the last one is told so. */
static void
run_clock_waits_for_every_worker(void **state)
{
	struct run_clock clock;
	bool is_told[3] = {false, false, false};

	run_clock_init(&clock, 3);
	assert_false(run_clock_tick_off(&clock.n_unready, &is_told[0]));
	assert_false(run_clock_tick_off(&clock.n_unready, &is_told[0]));
	assert_false(run_clock_tick_off(&clock.n_unready, &is_told[2]));
	assert_int_equal(atomic_load(&clock.n_unready), 1);
	assert_true(run_clock_tick_off(&clock.n_unready, &is_told[1]));
	assert_int_equal(atomic_load(&clock.n_unopened), 3);
}

static void
side_shares_add_up(void **state)
{
	for (uint64_t all = 0; all < 50; all++) {
		for (uint16_t of = 1; of <= 16; of++) {
			uint64_t sum = 0;

			for (uint16_t i = 0; i < of; i++) {
				uint64_t share = side_share_of(all, (struct side_share){i, of});

				assert_in_range(share, all / of, all / of + 1);
				sum += share;
			}
			assert_int_equal(sum, all);
		}
	}
}

/* What two workers did is what their end did. */
static void
side_merge_adds_everything(void **state)
{
	static struct side a, b;
	struct load_conf conf;
	struct run_clock clock;

	conf_defaults(&conf);
	run_clock_init(&clock, 2);
	assert_int_equal(side_init(&a, &conf, &clock, 4), 0);
	assert_int_equal(side_init(&b, &conf, &clock, 4), 0);
	a.n.opened = 3;
	b.n.opened = 4;
	b.n.failed[PMTCP_REFUSED] = 1;
	b.live = 2;
	a.has_window = b.has_window = true;
	a.begin.n.connected = 1;
	b.begin.n.connected = 10;
	a.end.n.connected = 100;
	b.end.n.connected = 1000;
	b.end.stats.counter[PMTCP_C_tw_entered] = 7;
	b.final.worker.turns = 9;
	b.has_sample = true;
	b.sample.mss = 1400;
	hist_record(&a.connect, 5000);
	hist_record(&b.connect, 9000);
	side_merge(&a, &b);
	assert_int_equal(a.n.opened, 7);
	assert_int_equal(a.n.failed[PMTCP_REFUSED], 1);
	assert_int_equal(a.live, 2);
	assert_int_equal(a.end.n.connected - a.begin.n.connected, 1089);
	assert_int_equal(a.end.stats.counter[PMTCP_C_tw_entered], 7);
	assert_int_equal(a.final.worker.turns, 9);
	assert_int_equal(a.sample.mss, 1400);
	assert_int_equal(a.connect.count, 2);
	side_fini(&a);
	side_fini(&b);
}

static void
causes_have_names_of_their_own(void **state)
{
	for (uint32_t i = PMTCP_GRACEFUL; i < SIDE_FAIL_MAX; i++) {
		assert_true(strlen(side_fail_name(i)) > 3);
		for (uint32_t k = PMTCP_GRACEFUL; k < i; k++)
			assert_string_not_equal(side_fail_name(i), side_fail_name(k));
	}
	for (uint32_t i = 0; i < SIDE_OPEN_MAX; i++)
		assert_true(strlen(side_open_error_name((enum side_open_error)i)) > 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(pattern_any_shift_shows),
			cmocka_unit_test(pattern_continues_over_its_period),
			cmocka_unit_test(close_45_every_end_is_in_one_class),
			cmocka_unit_test(run_clock_waits_for_every_worker),
			cmocka_unit_test(side_shares_add_up),
			cmocka_unit_test(side_merge_adds_everything),
			cmocka_unit_test(causes_have_names_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
