/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the rows of openings that need two ends (OPEN-6, OPEN-18, OPEN-19, OPEN-21), over
 * each loss of the first three frames of either side. Method: two contexts on a faulty
 * wire. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/sim.h"

enum { LOSSES = 64 };

static const struct sim_plan plan[SIM_SIDES] = {
		{.octets = 3000, .end = SIM_END_SHUTDOWN},
		{.octets = 1000, .end = SIM_END_WAIT},
};

/* The seed's bits are the losses. */
static void
lose_by_seed(struct sim *s)
{
	s->wire[SIM_A].faults.loss_mask = s->seed & 7;
	s->wire[SIM_B].faults.loss_mask = s->seed >> 3 & 7;
}

static void
one_opens(struct sim *s)
{
	struct sim_flow *f;

	lose_by_seed(s);
	f = sim_open(s, SIM_A, plan, NULL);
	sim_run_flows(s, 600 * SIM_SEC);
	sim_expect_graceful(s, f);
	assert_int_equal(f->half[SIM_A].seen & PMTCP_EV_CONNECTED, PMTCP_EV_CONNECTED);
	assert_int_equal(f->half[SIM_B].seen & PMTCP_EV_ACCEPTED, PMTCP_EV_ACCEPTED);
	assert_int_equal(sim_stats(s, SIM_B).counter[PMTCP_C_opened_passive], 1);
}

static void
open_6_each_loss_of_the_handshake_is_repaired(void **state)
{
	(void)state;
	sim_run_case(&(struct sim_case){__func__, LOSSES, NULL, one_opens});
}

/* Only the third ACK, whose text does not follow. */
static void
lose_third_ack(struct sim_opts *opts, struct rng *rng)
{
	(void)rng;
	opts->faults[SIM_A].loss_mask = 2;
}

static void
nobody_speaks(struct sim *s)
{
	static const struct sim_plan silent[SIM_SIDES] = {
			{.octets = 0, .pause_ns = 5 * SIM_SEC, .end = SIM_END_SHUTDOWN},
			{.octets = 0, .end = SIM_END_WAIT},
	};
	struct sim_flow *f = sim_open(s, SIM_A, silent, NULL);

	sim_run_for(s, 2 * SIM_SEC);
	assert_int_equal(f->half[SIM_B].seen & PMTCP_EV_ACCEPTED, PMTCP_EV_ACCEPTED);
	assert_int_equal(sim_stats(s, SIM_B).counter[PMTCP_C_synack_retransmitted], 1);
	assert_int_equal(sim_stats(s, SIM_A).counter[PMTCP_C_challenge_sent], 1);
	sim_run_flows(s, 600 * SIM_SEC);
	sim_expect_graceful(s, f);
}

static void
open_21_lost_third_ack_is_drawn_by_the_syn_ack(void **state)
{
	(void)state;
	sim_run_case(&(struct sim_case){__func__, 1, lose_third_ack, nobody_speaks});
}

static void
both_open(struct sim *s)
{
	struct sim_flow *f;

	lose_by_seed(s);
	f = sim_open_both(s, plan);
	sim_run_flows(s, 600 * SIM_SEC);
	sim_expect_graceful(s, f);
	for (int side = 0; side < SIM_SIDES; side++) {
		assert_int_equal(f->half[side].seen & PMTCP_EV_CONNECTED, PMTCP_EV_CONNECTED);
		assert_int_equal(sim_stats(s, side).counter[PMTCP_C_opened_active], 1);
		assert_int_equal(sim_stats(s, side).counter[PMTCP_C_opened_passive], 0);
		assert_int_equal(sim_stats(s, side).counter[PMTCP_C_rst_reply_sent], 0);
	}
}

static void
open_19_both_ends_open_at_once(void **state)
{
	(void)state;
	sim_run_case(&(struct sim_case){__func__, LOSSES, NULL, both_open});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(open_6_each_loss_of_the_handshake_is_repaired),
			sim_test(open_21_lost_third_ack_is_drawn_by_the_syn_ack),
			sim_test(open_19_both_ends_open_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
