/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: a link of smaller MTU on the way ends no transfer, whether its router says so or
 * not (DATA-46; RFC 1191, 2923). Method: random transfers against the byte-stream oracle
 * over a wire that loses what is too large. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "sim/sim.h"

static void
transfer(struct sim *s)
{
	const struct sim_plan plan[SIM_SIDES] = {
			{.octets = 200000 + rng_below(&s->rng, 200000), .write_max = 8000},
			{.octets = rng_below(&s->rng, 100000), .end = SIM_END_WAIT},
	};
	struct sim_flow *f = sim_open(s, SIM_A, plan, NULL);

	sim_run_flows(s, 7200 * SIM_SEC);
	sim_expect_delivered(s, f);
	assert_true(sim_stats(s, SIM_A).counter[PMTCP_C_pmtu_lowered] > 0);
}

static void
narrow(struct sim_opts *opts, struct rng *rng, bool is_silent)
{
	for (int side = 0; side < SIM_SIDES; side++) {
		opts->faults[side].delay_ns = 1 + rng_below(rng, 10 * SIM_MS);
		opts->faults[side].mtu = (uint16_t)(580 + rng_below(rng, 900));
		opts->faults[side].is_mtu_silent = is_silent;
	}
	opts->faults[SIM_A].mtu = rng_below(rng, 2) ? 1400 : opts->faults[SIM_A].mtu;
	opts->conn.no_timestamps = rng_below(rng, 2);
	opts->conn.no_sack = rng_below(rng, 2);
	opts->turn_ns = rng_below(rng, 100 * SIM_US);
}

static void
setup_told(struct sim_opts *opts, struct rng *rng)
{
	narrow(opts, rng, false);
}

static void
setup_silent(struct sim_opts *opts, struct rng *rng)
{
	narrow(opts, rng, true);
}

static void
setup_told_lossy(struct sim_opts *opts, struct rng *rng)
{
	narrow(opts, rng, false);
	for (int side = 0; side < SIM_SIDES; side++)
		opts->faults[side].loss = (uint16_t)rng_below(rng, 300);
}

static void
data_46_router_tells_its_mtu(void **state)
{
	sim_run_case(&(struct sim_case){"router_tells_its_mtu", 16, setup_told, transfer});
}

static void
data_46_router_is_silent(void **state)
{
	sim_run_case(&(struct sim_case){"router_is_silent", 16, setup_silent, transfer});
}

static void
data_46_router_tells_its_mtu_and_loses(void **state)
{
	sim_run_case(&(struct sim_case){
			"router_tells_its_mtu_and_loses", 16, setup_told_lossy, transfer});
}

/* The error costs a round trip, not a timeout. */
static void
quick(struct sim *s)
{
	const struct sim_plan plan[SIM_SIDES] = {{.octets = 100000}, {.end = SIM_END_WAIT}};
	uint64_t begin = s->now;
	struct sim_flow *f = sim_open(s, SIM_A, plan, NULL);

	sim_run_flows(s, 10 * SIM_SEC);
	sim_expect_graceful(s, f);
	assert_int_equal(sim_stats(s, SIM_A).counter[PMTCP_C_pmtu_lowered], 1);
	assert_int_equal(sim_stats(s, SIM_A).counter[PMTCP_C_rexmt_timeout], 0);
	assert_true(s->now - begin < 200 * SIM_MS);
}

static void
setup_1400(struct sim_opts *opts, struct rng *rng)
{
	for (int side = 0; side < SIM_SIDES; side++) {
		opts->faults[side].delay_ns = SIM_MS;
		opts->faults[side].mtu = 1400;
	}
	opts->conn.no_sack = rng_below(rng, 2);
}

static void
data_46_error_costs_no_timeout(void **state)
{
	sim_run_case(&(struct sim_case){"error_costs_no_timeout", 4, setup_1400, quick});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(data_46_router_tells_its_mtu),
			sim_test(data_46_router_is_silent),
			sim_test(data_46_router_tells_its_mtu_and_loses),
			sim_test(data_46_error_costs_no_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
