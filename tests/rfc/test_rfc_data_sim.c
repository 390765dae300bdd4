/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the rows DATA of doc/requirements.md that need two ends. Method: two contexts over
 * a wire whose faults are said frame by frame. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "sim/sim.h"

#define MEBI (1u << 20)

static struct pmtcp_stats sender;

/* ---- DATA-2 ---- */

static void
setup_100_mbit(struct sim_opts *opts, struct rng *rng)
{
	(void)rng;
	for (int side = 0; side < SIM_SIDES; side++) {
		opts->faults[side].delay_ns = SIM_MS;
		opts->faults[side].octet_ns = 80;
	}
}

/* B reads 8 KiB every two seconds, and its window is shut between; what it sends must flow
 * all the same, although A's probes stand in the way of A's ACKs. */
static void
one_stopped_reader(struct sim *s)
{
	static const struct sim_plan plan[SIM_SIDES] = {{.octets = 400 << 10, .write_max = 60000},
			{.octets = 20 * MEBI,
					.write_max = 60000,
					.read_max = 8192,
					.read_ns = 2 * SIM_SEC}};
	struct sim_flow *f = sim_open(s, SIM_A, plan, NULL);
	uint64_t began = s->now;

	while (f->half[SIM_A].in.at < 20 * MEBI && s->now < began + 60 * SIM_SEC)
		sim_step(s, s->now + SIM_SEC);
	/* 20 MiB take 1.8 s. */
	assert_in_range(s->now - began, SIM_SEC, 3 * SIM_SEC);
	assert_true(sim_stats(s, SIM_A).counter[PMTCP_C_probe_sent] > 0);
	sim_run_flows(s, 600 * SIM_SEC);
	sim_expect_graceful(s, f);
}

static void
data_2_shut_window_does_not_stop_the_other_direction(void **state)
{
	sim_run_case(&(struct sim_case){"data_2_one", 1, setup_100_mbit, one_stopped_reader});
}

/* Both read a little now and then: both windows are shut, with probes both ways. */
static void
two_slow_readers(struct sim *s)
{
	static const struct sim_plan plan[SIM_SIDES] = {
			{.octets = MEBI, .write_max = 60000, .read_max = 8192, .read_ns = SIM_SEC},
			{.octets = MEBI,
					.write_max = 60000,
					.read_max = 8192,
					.read_ns = 1300 * SIM_MS}};
	struct sim_flow *f = sim_open(s, SIM_A, plan, NULL);
	uint64_t began = s->now;

	sim_run_flows(s, 600 * SIM_SEC);
	sim_expect_graceful(s, f);
	assert_true(sim_stats(s, SIM_A).counter[PMTCP_C_probe_sent] > 0);
	assert_true(sim_stats(s, SIM_B).counter[PMTCP_C_probe_sent] > 0);
	/* 128 readings of B's are 166.4 s. */
	assert_in_range(s->now - began, 165 * SIM_SEC, 175 * SIM_SEC);
}

static void
data_2_two_shut_windows_open_again(void **state)
{
	sim_run_case(&(struct sim_case){"data_2_two", 1, setup_100_mbit, two_slow_readers});
}

/* ---- DATA-35 ---- */

static uint64_t losses;

static void
setup_mask(struct sim_opts *opts, struct rng *rng)
{
	setup_100_mbit(opts, rng);
	opts->faults[SIM_A].delay_ns = opts->faults[SIM_B].delay_ns = 10 * SIM_MS;
	opts->conn.no_sack = true;
	opts->faults[SIM_A].loss_mask = losses;
}

static void
transfer(struct sim *s)
{
	static const struct sim_plan plan[SIM_SIDES] = {
			{.octets = 120 * 1448, .write_max = 8000}, {.end = SIM_END_WAIT}};
	struct sim_flow *f = sim_open(s, SIM_A, plan, NULL);

	sim_run_flows(s, 60 * SIM_SEC);
	sim_expect_graceful(s, f);
	sender = sim_stats(s, SIM_A);
}

/* The SYN is frame 0, then the flights of 10, 20, ... One, two and three of one window are
 * lost, wherever three duplicates can follow; each is sent again once, and nothing else. */
static void
data_35_drops_of_one_window_cost_no_timeout(void **state)
{
	static const uint64_t masks[] = {1, 3, 5, 7, 0x15, 0x13, 0x31};

	(void)state;
	for (uint32_t at = 2; at < 16; at++) {
		for (size_t i = 0; i < PMTCP_ARRAY_SIZE(masks); i++) {
			losses = masks[i] << at;
			/* The last lost of the first flight has three behind it. */
			if (at < 12 && losses >> 9 > 0)
				continue;
			sim_run_case(&(struct sim_case){"data_35_drops", 1, setup_mask, transfer});
			assert_int_equal(sender.counter[PMTCP_C_rexmt_timeout], 0);
			assert_int_equal(sender.counter[PMTCP_C_rexmt_fast], 1);
			assert_int_equal(sender.counter[PMTCP_C_retransmitted],
					__builtin_popcountll(losses));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(data_2_shut_window_does_not_stop_the_other_direction),
			sim_test(data_2_two_shut_windows_open_again),
			sim_test(data_35_drops_of_one_window_cost_no_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
