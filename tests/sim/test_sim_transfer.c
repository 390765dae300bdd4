/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: every octet arrives once, in order and with its end, both ways at once,
 * whatever the wire does (DATA-4..10, DATA-31..45, CLOSE-43). Method: random
 * sizes, habits and faults against the byte-stream oracle. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "sim/sim.h"

static void
transfer(struct sim *s, uint64_t octets_max)
{
	struct sim_plan plan[SIM_SIDES];
	struct sim_flow *f;

	for (int side = 0; side < SIM_SIDES; side++)
		plan[side] = sim_plan_random(&s->rng, octets_max);
	if (plan[SIM_A].end == SIM_END_WAIT && plan[SIM_B].end == SIM_END_WAIT)
		plan[SIM_A].end = SIM_END_SHUTDOWN;
	f = sim_open(s, SIM_A, plan, NULL);
	sim_run_flows(s, 7200 * SIM_SEC);
	sim_expect_delivered(s, f);
}

static void
transfer_large(struct sim *s)
{
	transfer(s, 400000);
}

static void
transfer_small(struct sim *s)
{
	transfer(s, 40000);
}

static void
setup_clean(struct sim_opts *opts, struct rng *rng)
{
	for (int side = 0; side < SIM_SIDES; side++)
		opts->faults[side].delay_ns = 1 + rng_below(rng, 5 * SIM_MS);
	opts->turn_ns = rng_below(rng, 100 * SIM_US);
}

static void
setup_mild(struct sim_opts *opts, struct rng *rng)
{
	for (int side = 0; side < SIM_SIDES; side++)
		sim_faults_random(&opts->faults[side], rng, 200);
	opts->turn_ns = rng_below(rng, 200 * SIM_US);
}

static void
setup_wild(struct sim_opts *opts, struct rng *rng)
{
	for (int side = 0; side < SIM_SIDES; side++)
		sim_faults_random(&opts->faults[side], rng, 1500);
}

static void
setup_options(struct sim_opts *opts, struct rng *rng)
{
	setup_mild(opts, rng);
	opts->conn.no_timestamps = rng_below(rng, 2);
	opts->conn.no_sack = rng_below(rng, 2);
	opts->conn.no_wscale = rng_below(rng, 2);
	opts->conn.nodelay = rng_below(rng, 2);
	opts->conn.send_buffer = 2048 + (uint32_t)rng_below(rng, 60000);
	opts->conn.recv_buffer = 2048 + (uint32_t)rng_below(rng, 60000);
	opts->conn.delack_ms = (uint16_t)(1 + rng_below(rng, 200));
}

static void
transfer_without_faults(void **state)
{
	sim_run_case(&(struct sim_case){"transfer_without_faults", 8, setup_clean, transfer_large});
}

static void
transfer_mild_faults(void **state)
{
	sim_run_case(&(struct sim_case){"transfer_mild_faults", 20, setup_mild, transfer_large});
}

static void
transfer_wild_faults(void **state)
{
	sim_run_case(&(struct sim_case){"transfer_wild_faults", 20, setup_wild, transfer_small});
}

static void
transfer_options_and_small_buffers(void **state)
{
	sim_run_case(&(struct sim_case){
			"transfer_options_and_small_buffers", 24, setup_options, transfer_small});
}

/* Without timestamps a 3-octet write, its loss and the FIN behind it: the tail. */
static void
setup_tail(struct sim_opts *opts, struct rng *rng)
{
	opts->conn.no_timestamps = rng_below(rng, 2);
	opts->rules[0] = (struct tamper_rule){.from = SIM_A,
			.mask = PKT_FIN,
			.flags = PKT_FIN,
			.count = 1 + (uint32_t)rng_below(rng, 2),
			.action = TAMPER_DROP};
	opts->rules[1] = (struct tamper_rule){.from = SIM_A,
			.text = TAMPER_WITH_TEXT,
			.skip = (uint32_t)rng_below(rng, 4),
			.count = 1 + (uint32_t)rng_below(rng, 3),
			.action = TAMPER_DROP};
	opts->n_rules = 2;
}

static void
tail(struct sim *s)
{
	const struct sim_plan plan[SIM_SIDES] = {
			{.octets = 1 + rng_below(&s->rng, 9000), .write_max = 1460},
			{.end = SIM_END_WAIT},
	};
	struct sim_flow *f = sim_open(s, SIM_A, plan, NULL);

	sim_run_flows(s, 600 * SIM_SEC);
	sim_expect_graceful(s, f);
}

/* CLOSE-43 */
static void
transfer_lost_tail_and_fin(void **state)
{
	sim_run_case(&(struct sim_case){"transfer_lost_tail_and_fin", 16, setup_tail, tail});
}

/* DATA-20, DATA-24: the reader sleeps until the window is shut for long. */
static void
stalled_reader(struct sim *s)
{
	const struct sim_plan plan[SIM_SIDES] = {
			{.octets = 60000},
			{.end = SIM_END_WAIT, .read_max = 3000, .read_ns = 700 * SIM_MS},
	};
	struct sim_flow *f = sim_open(s, SIM_A, plan, NULL);

	sim_run_flows(s, 3600 * SIM_SEC);
	sim_expect_graceful(s, f);
	assert_true(sim_stats(s, SIM_A).counter[PMTCP_C_probe_sent] > 0);
}

static void
setup_small_window(struct sim_opts *opts, struct rng *rng)
{
	opts->conn.recv_buffer = 4096;
	for (int side = 0; side < SIM_SIDES; side++)
		opts->faults[side].loss = (uint16_t)rng_below(rng, 500);
}

static void
transfer_zero_window(void **state)
{
	sim_run_case(&(struct sim_case){
			"transfer_zero_window", 8, setup_small_window, stalled_reader});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(transfer_without_faults),
			sim_test(transfer_mild_faults),
			sim_test(transfer_wild_faults),
			sim_test(transfer_options_and_small_buffers),
			sim_test(transfer_lost_tail_and_fin),
			sim_test(transfer_zero_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
