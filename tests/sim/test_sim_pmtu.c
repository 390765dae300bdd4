/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: a link of smaller MTU on the way ends no transfer, whether its router says so or
 * not (DATA-46; RFC 1191, 8201, 2923), nor does one that is down for a while (SEC-9). Method:
 * random transfers against the byte-stream oracle over a wire that loses what is too large;
 * run over both IP versions. */

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
		/* No link of IPv6 is below 1280. */
		opts->faults[side].mtu = (uint16_t)(ctx_is_v6() ? 1280 + rng_below(rng, 200)
								: 580 + rng_below(rng, 900));
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

/* And costs it once: the next connection there begins with what fits. */
static void
again(struct sim *s)
{
	const struct sim_plan plan[SIM_SIDES] = {{.octets = 100000}, {.end = SIM_END_WAIT}};

	for (uint32_t i = 0; i < 3; i++) {
		struct sim_flow *f = sim_open(s, SIM_A, plan, NULL);

		sim_run_flows(s, 10 * SIM_SEC);
		sim_expect_graceful(s, f);
		assert_int_equal(sim_stats(s, SIM_A).counter[PMTCP_C_pmtu_lowered], 1);
		assert_int_equal(sim_stats(s, SIM_A).counter[PMTCP_C_pmtu_known], i);
	}
}

static void
data_46_next_connection_knows(void **state)
{
	sim_run_case(&(struct sim_case){"next_connection_knows", 4, setup_1400, again});
}

/* Unreachable is a soft error, before as after the handshake (MUST-56). */
static void
outage(struct sim *s)
{
	const struct sim_plan plan[SIM_SIDES] = {
			{.octets = 300000}, {.octets = 100000, .end = SIM_END_WAIT}};
	struct sim_flow *f;

	s->wire[SIM_A].faults.is_down = true;
	f = sim_open(s, SIM_A, plan, NULL);
	sim_run_for(s, 500 * SIM_MS);
	assert_true(s->wire[SIM_A].n_told > 0);
	assert_true(f->half[SIM_A].seen & PMTCP_EV_ERROR);
	s->wire[SIM_A].faults.is_down = false;
	sim_run_for(s, 600 * SIM_MS);
	assert_true(f->half[SIM_A].seen & PMTCP_EV_CONNECTED);
	for (int side = 0; side < SIM_SIDES; side++)
		s->wire[side].faults.is_down = true;
	sim_run_for(s, 3 * SIM_SEC);
	for (int side = 0; side < SIM_SIDES; side++) {
		s->wire[side].faults.is_down = false;
		assert_true(sim_stats(s, side).counter[PMTCP_C_icmp_error_taken] > 0);
	}
	sim_run_flows(s, 60 * SIM_SEC);
	sim_expect_graceful(s, f);
}

static void
setup_slow(struct sim_opts *opts, struct rng *rng)
{
	for (int side = 0; side < SIM_SIDES; side++) {
		opts->faults[side].delay_ns = 1 + rng_below(rng, 20 * SIM_MS);
		opts->faults[side].octet_ns = 4000; /* 300000 octets take 1.2 s */
	}
}

static void
sec_9_outage_ends_nothing(void **state)
{
	sim_run_case(&(struct sim_case){"outage_ends_nothing", 8, setup_slow, outage});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(data_46_router_tells_its_mtu),
			sim_test(data_46_router_is_silent),
			sim_test(data_46_router_tells_its_mtu_and_loses),
			sim_test(data_46_error_costs_no_timeout),
			sim_test(data_46_next_connection_knows),
			sim_test(sec_9_outage_ends_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
