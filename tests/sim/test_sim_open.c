/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: a connection opens through any loss of its handshake, whoever asks, and
 * one that cannot open says so. Method: every combination of losses among the
 * first frames of both directions, random faults, stale and doubled segments. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "sim/sim.h"

static const struct sim_plan small[SIM_SIDES] = {
		{.octets = 3000, .end = SIM_END_SHUTDOWN},
		{.octets = 1000, .end = SIM_END_WAIT},
};

static void
open_one(struct sim *s)
{
	struct sim_flow *f = sim_open(s, SIM_A, small, NULL);

	sim_run_flows(s, 600 * SIM_SEC);
	sim_expect_graceful(s, f);
}

/* The random cases draw a seed of their own; here its bits are the losses. */
static void
lose_by_seed(struct sim *s)
{
	s->wire[SIM_A].faults.loss_mask = s->seed & 7;
	s->wire[SIM_B].faults.loss_mask = s->seed >> 3 & 7;
	open_one(s);
}

static void
open_handshake_loss_masks(void **state)
{
	sim_run_case(&(struct sim_case){"open_handshake_loss_masks", 63, NULL, lose_by_seed});
}

static void
setup_wild(struct sim_opts *opts, struct rng *rng)
{
	for (int side = 0; side < SIM_SIDES; side++)
		sim_faults_random(&opts->faults[side], rng, 1500);
}

static void
open_wild(struct sim *s)
{
	struct sim_flow *f = sim_open(s, SIM_A, small, NULL);

	sim_run_flows(s, 1200 * SIM_SEC);
	sim_expect_delivered(s, f);
}

static void
open_random_faults(void **state)
{
	sim_run_case(&(struct sim_case){"open_random_faults", 16, setup_wild, open_wild});
}

/* OPEN-18, OPEN-19 */
static void
open_both_sides(struct sim *s)
{
	struct sim_flow *f = sim_open_both(s, small);

	sim_run_flows(s, 600 * SIM_SEC);
	sim_expect_graceful(s, f);
	assert_int_equal(f->half[SIM_A].seen & PMTCP_EV_CONNECTED, PMTCP_EV_CONNECTED);
	assert_int_equal(f->half[SIM_B].seen & PMTCP_EV_CONNECTED, PMTCP_EV_CONNECTED);
	assert_int_equal(sim_stats(s, SIM_A).counter[PMTCP_C_opened_passive], 0);
	assert_int_equal(sim_stats(s, SIM_B).counter[PMTCP_C_opened_passive], 0);
}

static void
open_simultaneous(void **state)
{
	sim_run_case(&(struct sim_case){"open_simultaneous", 1, NULL, open_both_sides});
}

static void
setup_lossy(struct sim_opts *opts, struct rng *rng)
{
	for (int side = 0; side < SIM_SIDES; side++)
		opts->faults[side].loss_mask = rng_next(rng) & rng_next(rng) & 0xf;
}

static void
open_simultaneous_loss(void **state)
{
	sim_run_case(&(struct sim_case){
			"open_simultaneous_loss", 16, setup_lossy, open_both_sides});
}

/* A copy of the SYN comes while the connection lives, in the release and long after. */
static void
setup_stale_syn(struct sim_opts *opts, struct rng *rng)
{
	static const uint64_t late[] = {10 * SIM_US, SIM_MS, 300 * SIM_MS, 20 * SIM_SEC,
			59 * SIM_SEC, 61 * SIM_SEC};

	opts->rules[0] = (struct tamper_rule){.from = SIM_A,
			.mask = PKT_SYN,
			.flags = PKT_SYN,
			.action = TAMPER_DUP,
			.delay_ns = late[rng_below(rng, PMTCP_ARRAY_SIZE(late))]};
	opts->n_rules = 1;
}

/* OPEN-22, T-16: a stale SYN leaves nothing that lasts. */
static void
open_stale_syn(void **state)
{
	sim_run_case(&(struct sim_case){"open_stale_syn", 16, setup_stale_syn, open_one});
}

static void
setup_double_syn_ack(struct sim_opts *opts, struct rng *rng)
{
	opts->rules[0] = (struct tamper_rule){.from = SIM_B,
			.mask = PKT_SYN,
			.flags = PKT_SYN,
			.action = TAMPER_DUP,
			.delay_ns = rng_below(rng, 2 * SIM_MS)};
	opts->rules[1] = (struct tamper_rule){.from = SIM_A,
			.mask = PKT_SYN | PKT_ACK,
			.flags = PKT_ACK,
			.action = TAMPER_DROP};
	opts->n_rules = 2;
}

/* OPEN-21 */
static void
open_double_syn_ack_lost_third_ack(void **state)
{
	sim_run_case(&(struct sim_case){
			"open_double_syn_ack_lost_third_ack", 8, setup_double_syn_ack, open_one});
}

static void
no_neighbours(struct pmtcp_conf *conf, int side)
{
	conf->n_static_neigh = 0;
}

static void
setup_arp(struct sim_opts *opts, struct rng *rng)
{
	opts->tune = no_neighbours;
	for (int side = 0; side < SIM_SIDES; side++)
		opts->faults[side].loss = (uint16_t)rng_below(rng, 3000);
}

/* W-7: the neighbours find each other first, whatever is lost meanwhile. */
static void
open_unresolved_neighbours(void **state)
{
	sim_run_case(&(struct sim_case){"open_unresolved_neighbours", 16, setup_arp, open_wild});
}

static void
setup_silent(struct sim_opts *opts, struct rng *rng)
{
	opts->faults[SIM_B].loss = 10000;
}

/* OPEN-12, OPEN-14 */
static void
open_silent(struct sim *s)
{
	struct sim_flow *f = sim_open(s, SIM_A, small, NULL);
	uint64_t start = s->now;

	sim_run_flows(s, 600 * SIM_SEC);
	assert_int_equal(f->half[SIM_A].reason, PMTCP_TIMEOUT_SYN);
	assert_true(s->now - start >= 180 * SIM_SEC);
	assert_int_equal(f->half[SIM_B].life, SIM_UNBORN);
	sim_settle(s);
	assert_true(sim_stats(s, SIM_B).counter[PMTCP_C_half_open_timeout] >= 1);
}

static void
open_silent_peer(void **state)
{
	sim_run_case(&(struct sim_case){"open_silent_peer", 1, setup_silent, open_silent});
}

static void
open_refused(struct sim *s)
{
	struct sim_flow *f;

	pmtcp_unlisten(s->end[SIM_B].listener);
	f = sim_open(s, SIM_A, small, NULL);
	sim_run_flows(s, 600 * SIM_SEC);
	assert_int_equal(f->half[SIM_A].reason, PMTCP_REFUSED);
}

static void
open_without_listener(void **state)
{
	sim_run_case(&(struct sim_case){"open_without_listener", 1, NULL, open_refused});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(open_handshake_loss_masks),
			sim_test(open_random_faults),
			sim_test(open_simultaneous),
			sim_test(open_simultaneous_loss),
			sim_test(open_stale_syn),
			sim_test(open_double_syn_ack_lost_third_ack),
			sim_test(open_unresolved_neighbours),
			sim_test(open_silent_peer),
			sim_test(open_without_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
