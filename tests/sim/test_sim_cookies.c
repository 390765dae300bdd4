/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: connections opened by SYN cookies carry every octet and end as any other, through
 * loss, doubling and disorder of their handshake; what a cookie cannot survive ends in an
 * RST that both sides count (OPEN-21, OPEN-30 to OPEN-33). Method: every listener answers
 * by cookies, or has room for very few half-opens. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "sim/sim.h"

static const struct sim_plan small[SIM_SIDES] = {
		{.octets = 1000, .end = SIM_END_SHUTDOWN},
		{.octets = 1000, .end = SIM_END_WAIT},
};

static const struct sim_plan large[SIM_SIDES] = {
		{.octets = 200000, .end = SIM_END_SHUTDOWN},
		{.octets = 100000, .end = SIM_END_WAIT},
};

static void
always(struct sim_opts *opts)
{
	opts->listen.syn_cookies = PMTCP_COOKIES_ALWAYS;
}

static void
setup_always(struct sim_opts *opts, struct rng *rng)
{
	always(opts);
}

static void
by_cookie_only(const struct sim *s)
{
	const struct pmtcp_stats stats = sim_stats(s, SIM_B);

	assert_int_equal(stats.counter[PMTCP_C_half_open_created], 0);
	assert_int_equal(stats.counter[PMTCP_C_opened_passive],
			stats.counter[PMTCP_C_cookies_accepted]);
}

/* Everything that a connection needs was brought back: it is as fast as any. */
static void
transfer(struct sim *s)
{
	struct sim_flow *f = sim_open(s, SIM_A, large, NULL);

	sim_run_flows(s, 60 * SIM_SEC);
	sim_expect_graceful(s, f);
	by_cookie_only(s);
	assert_int_equal(sim_stats(s, SIM_B).counter[PMTCP_C_cookies_accepted], 1);
	assert_int_equal(sim_stats(s, SIM_A).counter[PMTCP_C_retransmitted], 0);
	assert_int_equal(sim_stats(s, SIM_B).counter[PMTCP_C_retransmitted], 0);
}

static void
cookies_transfer(void **state)
{
	sim_run_case(&(struct sim_case){"cookies_transfer", 4, setup_always, transfer});
}

/* The bits of the seed are the losses among the first three frames of each side. The
 * client talks first and in one segment, so a lost third ACK is made good by its text. */
static void
lose_by_seed(struct sim *s)
{
	struct sim_flow *f;

	s->wire[SIM_A].faults.loss_mask = s->seed & 7;
	s->wire[SIM_B].faults.loss_mask = s->seed >> 3 & 7;
	f = sim_open(s, SIM_A, small, NULL);
	sim_run_flows(s, 600 * SIM_SEC);
	sim_expect_graceful(s, f);
	by_cookie_only(s);
}

static void
cookies_handshake_loss_masks(void **state)
{
	sim_run_case(&(struct sim_case){
			"cookies_handshake_loss_masks", 63, setup_always, lose_by_seed});
}

static void
setup_lost_third_ack(struct sim_opts *opts, struct rng *rng)
{
	always(opts);
	opts->rules[0] = (struct tamper_rule){.from = SIM_A,
			.mask = PKT_SYN | PKT_ACK,
			.flags = PKT_ACK,
			.text = TAMPER_WITHOUT_TEXT,
			.action = TAMPER_DROP};
	opts->n_rules = 1;
}

static void
one_graceful(struct sim *s)
{
	struct sim_flow *f = sim_open(s, SIM_A, small, NULL);

	sim_run_flows(s, 600 * SIM_SEC);
	sim_expect_graceful(s, f);
	by_cookie_only(s);
}

/* OPEN-21 */
static void
cookies_lost_third_ack(void **state)
{
	sim_run_case(&(struct sim_case){
			"cookies_lost_third_ack", 4, setup_lost_third_ack, one_graceful});
}

static void
setup_doubles(struct sim_opts *opts, struct rng *rng)
{
	always(opts);
	opts->rules[0] = (struct tamper_rule){.from = SIM_A,
			.mask = PKT_SYN,
			.flags = PKT_SYN,
			.action = TAMPER_DUP,
			.delay_ns = rng_below(rng, 2 * SIM_MS)};
	opts->rules[1] = (struct tamper_rule){.from = SIM_B,
			.mask = PKT_SYN,
			.flags = PKT_SYN,
			.action = TAMPER_DUP,
			.delay_ns = rng_below(rng, 2 * SIM_MS)};
	opts->rules[2] = (struct tamper_rule){.from = SIM_A,
			.mask = PKT_SYN | PKT_ACK,
			.flags = PKT_ACK,
			.action = TAMPER_DUP,
			.delay_ns = rng_below(rng, 2 * SIM_MS)};
	opts->n_rules = 3;
}

/* SYN, SYN-ACK and third ACK each twice: one connection. */
static void
one_of_doubles(struct sim *s)
{
	one_graceful(s);
	assert_int_equal(sim_stats(s, SIM_B).counter[PMTCP_C_cookies_accepted], 1);
}

static void
cookies_everything_twice(void **state)
{
	sim_run_case(&(struct sim_case){
			"cookies_everything_twice", 16, setup_doubles, one_of_doubles});
}

/* Any faults, any sizes: a connection ends gracefully or in an RST, and no octet is wrong
 * or counted twice (the applications of the simulator see to that). */
static void
setup_wild(struct sim_opts *opts, struct rng *rng)
{
	always(opts);
	for (int side = 0; side < SIM_SIDES; side++)
		sim_faults_random(&opts->faults[side], rng, 500);
}

static void
many(struct sim *s)
{
	uint32_t n_graceful = 0;

	for (uint32_t i = 0; i < 10; i++) {
		struct sim_plan plan[SIM_SIDES];

		for (int side = 0; side < SIM_SIDES; side++)
			plan[side] = sim_plan_random(&s->rng, 20000);
		plan[SIM_A].end = SIM_END_SHUTDOWN;
		if (plan[SIM_A].octets == 0)
			plan[SIM_A].octets = 1; /* the client talks first */
		sim_open(s, SIM_A, plan, NULL);
	}
	sim_run_flows(s, 3600 * SIM_SEC);
	for (uint32_t i = 0; i < s->n_flows; i++)
		n_graceful += s->flow[i]->half[SIM_A].reason == PMTCP_GRACEFUL;
	assert_true(n_graceful >= 5);
	by_cookie_only(s);
}

static void
cookies_random_faults(void **state)
{
	sim_run_case(&(struct sim_case){"cookies_random_faults", 16, setup_wild, many});
}

/* AUTO at its limit: half-opens and cookies side by side, on one line of numbers. */
static void
setup_auto(struct sim_opts *opts, struct rng *rng)
{
	opts->listen.half_open_max = 1 + (uint32_t)rng_below(rng, 3);
	for (int side = 0; side < SIM_SIDES; side++) {
		opts->faults[side].dup = 3000;
		opts->faults[side].jitter_ns = SIM_MS;
		opts->faults[side].delay_ns = SIM_MS;
	}
}

static void
crowd(struct sim *s)
{
	for (uint32_t i = 0; i < 30; i++)
		sim_open(s, SIM_A, small, NULL);
	sim_run_flows(s, 600 * SIM_SEC);
	for (uint32_t i = 0; i < s->n_flows; i++)
		sim_expect_graceful(s, s->flow[i]);
	assert_true(sim_stats(s, SIM_B).counter[PMTCP_C_cookies_accepted] > 0);
	assert_true(sim_stats(s, SIM_B).counter[PMTCP_C_half_open_accepted] > 0);
	assert_int_equal(sim_stats(s, SIM_B).counter[PMTCP_C_half_open_replaced], 0);
}

static void
cookies_beside_half_opens(void **state)
{
	sim_run_case(&(struct sim_case){"cookies_beside_half_opens", 16, setup_auto, crowd});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(cookies_transfer),
			sim_test(cookies_handshake_loss_masks),
			sim_test(cookies_lost_third_ack),
			sim_test(cookies_everything_twice),
			sim_test(cookies_random_faults),
			sim_test(cookies_beside_half_opens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
