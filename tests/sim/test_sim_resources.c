/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: shortage of anything delays or refuses, is counted, and never loses a
 * connection's end, an octet or a block (RES-3..11, TW-14, OPEN-29). Method:
 * pools that fail on a schedule and shares of a few blocks. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "sim/sim.h"

static void
many(struct sim *s, uint32_t n, uint64_t octets_max)
{
	for (uint32_t i = 0; i < n; i++) {
		struct sim_plan plan[SIM_SIDES];

		for (int side = 0; side < SIM_SIDES; side++)
			plan[side] = sim_plan_random(&s->rng, octets_max);
		plan[SIM_A].end = SIM_END_SHUTDOWN;
		sim_open(s, SIM_A, plan, NULL);
	}
	sim_run_flows(s, 3600 * SIM_SEC);
}

static void
all_graceful(struct sim *s)
{
	many(s, 4, 20000);
	for (uint32_t i = 0; i < s->n_flows; i++)
		sim_expect_graceful(s, s->flow[i]);
}

static void
setup_failing_pools(struct sim_opts *opts, struct rng *rng)
{
	opts->fail_every[SIM_A] = 2 + (uint32_t)rng_below(rng, 6);
	opts->fail_every[SIM_B] = 2 + (uint32_t)rng_below(rng, 6);
	for (int side = 0; side < SIM_SIDES; side++)
		opts->faults[side].loss = (uint16_t)rng_below(rng, 300);
}

/* RES-6 */
static void
resources_failing_mbufs_all_graceful(void **state)
{
	sim_run_case(&(struct sim_case){"resources_failing_mbufs_all_graceful", 16,
			setup_failing_pools, all_graceful});
}

static void
setup_no_spares(struct pmtcp_conf *conf, int side)
{
	conf->spare_max = side == SIM_A ? 0 : 64;
}

static void
setup_spares(struct sim_opts *opts, struct rng *rng)
{
	setup_failing_pools(opts, rng);
	opts->tune = setup_no_spares;
}

static void
resources_with_and_without_spare_mbufs(void **state)
{
	sim_run_case(&(struct sim_case){
			"resources_with_and_without_spare_mbufs", 8, setup_spares, all_graceful});
}

static void
few_blocks(struct pmtcp_conf *conf, int side)
{
	if (side == SIM_A)
		conf->max_conns = 8;
}

static void
setup_few_blocks(struct sim_opts *opts, struct rng *rng)
{
	opts->tune = few_blocks;
}

static const struct sim_plan pair[SIM_SIDES] = {{.octets = 500}, {.octets = 700}};

/* RES-3: the ninth open is told why; those open are not harmed. */
static void
out_of_blocks(struct sim *s)
{
	int err;

	for (int i = 0; i < 8; i++)
		sim_open(s, SIM_A, pair, NULL);
	assert_null(sim_open(s, SIM_A, pair, &err));
	assert_int_equal(err, -ENFILE);
	sim_run_flows(s, 60 * SIM_SEC);
	for (int i = 0; i < 8; i++)
		sim_expect_graceful(s, s->flow[i]);
	assert_non_null(sim_open(s, SIM_A, pair, &err));
	sim_run_flows(s, 60 * SIM_SEC);
}

static void
resources_open_without_block_is_refused(void **state)
{
	sim_run_case(&(struct sim_case){"resources_open_without_block_is_refused", 3,
			setup_few_blocks, out_of_blocks});
}

static void
few_blocks_at_b(struct pmtcp_conf *conf, int side)
{
	if (side == SIM_B)
		conf->max_conns = 8;
}

static void
setup_few_blocks_at_b(struct sim_opts *opts, struct rng *rng)
{
	opts->tune = few_blocks_at_b;
	for (int side = 0; side < SIM_SIDES; side++)
		opts->faults[side].loss = (uint16_t)rng_below(rng, 500);
}

/* RES-8: the third ACK is dropped, the half-open stays and tries again. */
static void
accept_late(struct sim *s)
{
	many(s, 20, 2000);
	assert_true(sim_stats(s, SIM_B).counter[PMTCP_C_drop_tcb_full] +
					sim_stats(s, SIM_B).counter[PMTCP_C_drop_conn_limit] >
			0);
	for (uint32_t i = 0; i < s->n_flows; i++)
		sim_expect_graceful(s, s->flow[i]);
}

static void
resources_accept_without_block_waits(void **state)
{
	sim_run_case(&(struct sim_case){"resources_accept_without_block_waits", 10,
			setup_few_blocks_at_b, accept_late});
}

static void
few_transfers(struct pmtcp_conf *conf, int side)
{
	conf->max_transfers = 4;
	conf->max_records = 64;
}

static void
setup_few_transfers(struct sim_opts *opts, struct rng *rng)
{
	opts->tune = few_transfers;
	for (int side = 0; side < SIM_SIDES; side++)
		sim_faults_random(&opts->faults[side], rng, 300);
}

/* Side records run out: a write waits, text that came is taken later. */
static void
share_records(struct sim *s)
{
	many(s, 10, 8000);
	for (uint32_t i = 0; i < s->n_flows; i++)
		sim_expect_graceful(s, s->flow[i]);
}

static void
resources_few_side_records_all_graceful(void **state)
{
	sim_run_case(&(struct sim_case){"resources_few_side_records_all_graceful", 10,
			setup_few_transfers, share_records});
}

static void
few_time_wait(struct pmtcp_conf *conf, int side)
{
	conf->max_time_wait = 3;
	conf->max_half_open = 4;
}

static void
setup_few_time_wait(struct sim_opts *opts, struct rng *rng)
{
	opts->tune = few_time_wait;
	for (int side = 0; side < SIM_SIDES; side++)
		sim_faults_random(&opts->faults[side], rng, 300);
}

/* Entries give way (TW-14) and half-opens do (OPEN-29); ends may be resets then. */
static void
crowd(struct sim *s)
{
	many(s, 30, 1500);
	assert_true(sim_stats(s, SIM_A).time_wait_peak <= 3);
}

static void
resources_crowd_on_few_entries(void **state)
{
	sim_run_case(&(struct sim_case){
			"resources_crowd_on_few_entries", 10, setup_few_time_wait, crowd});
}

static void
listen_few(struct sim_opts *opts, struct rng *rng)
{
	opts->listen.conn_max = 4;
	opts->listen.rst_on_overflow = true;
}

/* OPEN-29: beyond conn_max a SYN is answered by RST. */
static void
overflow(struct sim *s)
{
	const struct sim_plan stay[SIM_SIDES] = {
			{.octets = 10, .pause_ns = SIM_SEC}, {.octets = 10, .end = SIM_END_WAIT}};
	uint32_t n_refused = 0;

	for (int i = 0; i < 4; i++)
		sim_open(s, SIM_A, stay, NULL);
	sim_run_for(s, 100 * SIM_MS);
	for (int i = 0; i < 5; i++)
		sim_open(s, SIM_A, stay, NULL);
	sim_run_flows(s, 300 * SIM_SEC);
	for (uint32_t i = 0; i < s->n_flows; i++) {
		if (i < 4)
			sim_expect_graceful(s, s->flow[i]);
		n_refused += s->flow[i]->half[SIM_A].reason == PMTCP_REFUSED;
	}
	assert_int_equal(n_refused, 5);
}

static void
resources_listener_limit_resets(void **state)
{
	sim_run_case(&(struct sim_case){
			"resources_listener_limit_resets", 2, listen_few, overflow});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(resources_failing_mbufs_all_graceful),
			sim_test(resources_with_and_without_spare_mbufs),
			sim_test(resources_open_without_block_is_refused),
			sim_test(resources_accept_without_block_waits),
			sim_test(resources_few_side_records_all_graceful),
			sim_test(resources_crowd_on_few_entries),
			sim_test(resources_listener_limit_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
