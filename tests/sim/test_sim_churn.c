/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: many connections that come and go in every way at once, on both sides,
 * neither mix up nor leave anything behind (RES-16, CLOSE-45, TW-15). Method:
 * random opens, plans, ends, aborts and faults; the octets of each stream, the
 * books of both contexts and the blocks are checked. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "sim/sim.h"

#define CHURN_FLOWS 150

static struct sim_plan
any_plan(struct rng *rng)
{
	static const enum sim_end ends[] = {SIM_END_SHUTDOWN, SIM_END_SHUTDOWN, SIM_END_WAIT,
			SIM_END_CLOSE, SIM_END_ABORT, SIM_END_DETACH};
	struct sim_plan plan = sim_plan_random(rng, 5000);

	plan.end = ends[rng_below(rng, PMTCP_ARRAY_SIZE(ends))];
	return plan;
}

/* Opens now and then, from either side, as long as shares and ports allow. */
static void
open_many(struct sim *s, struct sim_plan (*plan_of)(struct rng *rng))
{
	for (int i = 0; i < CHURN_FLOWS; i++) {
		struct sim_plan plan[SIM_SIDES] = {plan_of(&s->rng), plan_of(&s->rng)};
		int opener = (int)rng_below(&s->rng, 2);
		int err;

		/* Somebody has to end first. */
		if (plan[SIM_A].end == SIM_END_WAIT && plan[SIM_B].end == SIM_END_WAIT)
			plan[opener].end = SIM_END_SHUTDOWN;
		if (sim_open(s, opener, plan, &err) == NULL && err != -EADDRNOTAVAIL &&
				err != -ENFILE && err != -ENOBUFS)
			sim_fail(s, "open: %d", err);
		sim_run_for(s, rng_below(&s->rng, 40 * SIM_MS));
	}
	/* An unread close of one side may leave the other waiting for a FIN: those that
	 * only wait are ended here, as an impatient application does. */
	sim_run_for(s, 200 * SIM_SEC);
	sim_lose_patience(s);
	sim_run_flows(s, 3600 * SIM_SEC);
}

static void
churn_any(struct sim *s)
{
	open_many(s, any_plan);
}

static struct sim_plan
kind_plan(struct rng *rng)
{
	return sim_plan_random(rng, 3000);
}

static void
churn_graceful(struct sim *s)
{
	open_many(s, kind_plan);
	for (uint32_t i = 0; i < s->n_flows; i++) {
		if (s->flow[i]->half[s->flow[i]->opener].life != SIM_UNBORN)
			sim_expect_graceful(s, s->flow[i]);
	}
}

static void
setup_clean(struct sim_opts *opts, struct rng *rng)
{
	opts->turn_ns = rng_below(rng, 5 * SIM_MS);
}

static void
short_wait(struct pmtcp_conf *conf, int side)
{
	conf->tw_ms = 1000;
	conf->tw_reuse = side == SIM_A ? PMTCP_TW_REUSE_SAFE : PMTCP_TW_REUSE_OFF;
	conf->port_first = 40000;
	conf->port_last = 40019;
}

static void
setup_few_ports(struct sim_opts *opts, struct rng *rng)
{
	opts->turn_ns = rng_below(rng, 5 * SIM_MS);
	opts->tune = short_wait;
	opts->conn.no_timestamps = rng_below(rng, 2);
	for (int side = 0; side < SIM_SIDES; side++)
		sim_faults_random(&opts->faults[side], rng, 800);
}

static void
setup_faults(struct sim_opts *opts, struct rng *rng)
{
	opts->turn_ns = rng_below(rng, 2 * SIM_MS);
	for (int side = 0; side < SIM_SIDES; side++)
		sim_faults_random(&opts->faults[side], rng, 1000);
}

static void
churn_graceful_without_faults(void **state)
{
	sim_run_case(&(struct sim_case){
			"churn_graceful_without_faults", 4, setup_clean, churn_graceful});
}

static void
churn_any_end_without_faults(void **state)
{
	sim_run_case(&(struct sim_case){"churn_any_end_without_faults", 6, setup_clean, churn_any});
}

static void
churn_any_end_under_faults(void **state)
{
	sim_run_case(&(struct sim_case){"churn_any_end_under_faults", 8, setup_faults, churn_any});
}

static void
churn_any_end_on_few_ports(void **state)
{
	sim_run_case(&(struct sim_case){
			"churn_any_end_on_few_ports", 8, setup_few_ports, churn_any});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(churn_graceful_without_faults),
			sim_test(churn_any_end_without_faults),
			sim_test(churn_any_end_under_faults),
			sim_test(churn_any_end_on_few_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
