/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: where routers mark instead of dropping, the window is reduced once per round trip
 * and nothing is lost or sent again (DATA-44). Method: one transfer over a wire that sets
 * CE on chosen or random segments. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "sim/sim.h"

enum { MARKED = 6 };

static void
setup(struct sim_opts *opts, struct rng *rng)
{
	(void)rng;
	for (int side = 0; side < SIM_SIDES; side++)
		opts->faults[side].delay_ns = 10 * SIM_MS;
	opts->conn.ecn = PMTCP_ECN_OFFER;
	opts->conn.cc = PMTCP_CC_NEWRENO;
}

static struct sim_flow *
transfer(struct sim *s, uint64_t octets)
{
	const struct sim_plan plan[SIM_SIDES] = {
			{.octets = octets, .end = SIM_END_SHUTDOWN},
			{.end = SIM_END_WAIT},
	};

	return sim_open(s, SIM_A, plan, NULL);
}

static void
expect_nothing_resent(struct sim *s)
{
	if (s->wire[SIM_A].n_lost + s->wire[SIM_B].n_lost != 0)
		sim_fail(s, "frames were lost");
	if (sim_stats(s, SIM_A).counter[PMTCP_C_retransmitted] != 0)
		sim_fail(s, "segments were sent again");
}

/* Consecutive segments of one flight, once in slow start and once half a second later. */
static void
setup_twice(struct sim_opts *opts, struct rng *rng)
{
	setup(opts, rng);
	for (uint32_t i = 0; i < 2; i++)
		opts->rules[i] = (struct tamper_rule){.from = SIM_A,
				.text = TAMPER_WITH_TEXT,
				.skip = 60 + 1000 * i,
				.count = MARKED,
				.action = TAMPER_MARK};
	opts->n_rules = 2;
}

static void
body_twice(struct sim *s)
{
	struct sim_flow *f = transfer(s, 3000 * 1448);
	uint64_t reduced, marked;

	sim_run_flows(s, 600 * SIM_SEC);
	sim_expect_graceful(s, f);
	reduced = sim_stats(s, SIM_A).counter[PMTCP_C_ecn_reduced];
	marked = sim_stats(s, SIM_B).counter[PMTCP_C_ecn_marked];
	if (s->wire[SIM_A].n_marked != 2 * MARKED || marked != 2 * MARKED || reduced != 2)
		sim_fail(s, "%lu of %lu marks seen, %lu reductions", (unsigned long)marked,
				(unsigned long)s->wire[SIM_A].n_marked, (unsigned long)reduced);
	expect_nothing_resent(s);
}

static void
data_44_marks_halve_once_per_round_trip_and_lose_nothing(void **state)
{
	const struct sim_case c = {"ecn_twice", 4, setup_twice, body_twice};

	(void)state;
	sim_run_case(&c);
}

static void
setup_random(struct sim_opts *opts, struct rng *rng)
{
	setup(opts, rng);
	opts->faults[SIM_A].mark = (uint16_t)(50 + rng_below(rng, 500));
	opts->conn.cc = rng_below(rng, 2) ? PMTCP_CC_CUBIC : PMTCP_CC_NEWRENO;
	opts->conn.no_sack = rng_below(rng, 2);
}

static void
body_random(struct sim *s)
{
	struct sim_flow *f = transfer(s, 2000 * 1448);
	uint64_t reduced;

	sim_run_flows(s, 600 * SIM_SEC);
	sim_expect_graceful(s, f);
	reduced = sim_stats(s, SIM_A).counter[PMTCP_C_ecn_reduced];
	if (sim_stats(s, SIM_B).counter[PMTCP_C_ecn_marked] != s->wire[SIM_A].n_marked)
		sim_fail(s, "marks were not seen");
	if (reduced == 0 || reduced > s->wire[SIM_A].n_marked)
		sim_fail(s, "%lu reductions for %lu marks", (unsigned long)reduced,
				(unsigned long)s->wire[SIM_A].n_marked);
	expect_nothing_resent(s);
}

static void
data_44_random_marks_lose_nothing(void **state)
{
	const struct sim_case c = {"ecn_random", 12, setup_random, body_random};

	(void)state;
	sim_run_case(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(data_44_marks_halve_once_per_round_trip_and_lose_nothing),
			sim_test(data_44_random_marks_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
