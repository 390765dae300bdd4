/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the rows CLOSE and TW of doc/requirements.md that need two ends. Method: two
 * contexts over a faulty wire; rules that drop one frame. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "sim/sim.h"
#include "support/size.h"

static void
setup_loss(struct sim_opts *opts, struct rng *rng)
{
	for (int side = 0; side < SIM_SIDES; side++) {
		opts->faults[side].delay_ns = SIM_MS;
		opts->faults[side].loss = 100; /* 1 % */
	}
}

static void
setup_50_ms(struct sim_opts *opts, struct rng *rng)
{
	for (int side = 0; side < SIM_SIDES; side++)
		opts->faults[side].delay_ns = 50 * SIM_MS;
}

static void
drop(struct sim_opts *opts, const struct tamper_rule *rule)
{
	opts->rules[opts->n_rules] = *rule;
	opts->rules[opts->n_rules++].action = TAMPER_DROP;
}

static struct sim_flow *
run(struct sim *s, const struct sim_plan plan[SIM_SIDES])
{
	struct sim_flow *f = sim_open(s, SIM_A, plan, NULL);

	sim_run_flows(s, 1200 * SIM_SEC);
	sim_expect_graceful(s, f);
	return f;
}

static uint64_t
counter(struct sim *s, int side, enum pmtcp_counter c)
{
	return sim_stats(s, side).counter[c];
}

/* A has shut down at once and takes 1 GB through loss. */
#define HALF_CLOSED_OCTETS TEST_SIZE(1000000000, 8 << 20)

static void
half_closed_receives(struct sim *s)
{
	static const struct sim_plan plan[SIM_SIDES] = {
			{.octets = 0}, {.octets = HALF_CLOSED_OCTETS, .write_max = 60000}};

	run(s, plan);
	assert_true(counter(s, SIM_B, PMTCP_C_retransmitted) > 0);
	print_message("%d octets\n", HALF_CLOSED_OCTETS);
}

static void
close_8_half_closed_end_receives_through_loss(void **state)
{
	sim_run_case(&(struct sim_case){"close_8", 1, setup_loss, half_closed_receives});
}

/* The peer's FIN comes with the first of B's 10 MB under way. */
static void
close_wait_sends(struct sim *s)
{
	static const struct sim_plan plan[SIM_SIDES] = {
			{.octets = 10}, {.octets = 10 << 20, .write_max = 60000}};

	run(s, plan);
	assert_true(counter(s, SIM_B, PMTCP_C_retransmitted) > 0);
}

static void
close_9_close_wait_sends_10_MB_through_loss(void **state)
{
	sim_run_case(&(struct sim_case){"close_9", 1, setup_loss, close_wait_sends});
}

/* The opener is half a round trip ahead: the FINs cross. */
static const struct sim_plan crossing[SIM_SIDES] = {
		{.pause_ns = SIM_SEC}, {.pause_ns = SIM_SEC - 25 * SIM_MS}};

static void
both_wait(struct sim *s)
{
	run(s, crossing);
	assert_int_equal(sim_stats(s, SIM_A).time_wait, 1);
	assert_int_equal(sim_stats(s, SIM_B).time_wait, 1);
}

static void
close_15_both_ends_enter_time_wait(void **state)
{
	sim_run_case(&(struct sim_case){"close_15", 1, setup_50_ms, both_wait});
}

/* 20 kB and the FIN wait behind a window of 4 kB while the peer's FIN comes. */
static void
setup_small_window(struct sim_opts *opts, struct rng *rng)
{
	setup_50_ms(opts, rng);
	opts->conn.recv_buffer = 4096;
}

static void
closing_with_a_queue(struct sim *s)
{
	static const struct sim_plan plan[SIM_SIDES] = {{.octets = 20000}, {.octets = 0}};

	run(s, plan);
	/* By way of CLOSING, so both wait. */
	assert_int_equal(counter(s, SIM_A, PMTCP_C_tw_entered), 1);
	assert_int_equal(counter(s, SIM_B, PMTCP_C_tw_entered), 1);
}

static void
close_16_queue_and_fin_follow_a_crossing_fin(void **state)
{
	sim_run_case(&(struct sim_case){"close_16", 2, setup_small_window, closing_with_a_queue});
}

/* The first ACK of either side for the other's FIN. */
static void
setup_lost_acks(struct sim_opts *opts, struct rng *rng)
{
	setup_50_ms(opts, rng);
	for (int side = 0; side < SIM_SIDES; side++)
		drop(opts, &(struct tamper_rule){.from = side,
					   .mask = PKT_SYN | PKT_FIN | PKT_ACK,
					   .flags = PKT_ACK,
					   .skip = side == SIM_A, /* the third ACK */
					   .count = 1});
}

static void
close_17_lost_acks_of_a_simultaneous_close(void **state)
{
	sim_run_case(&(struct sim_case){"close_17", 1, setup_lost_acks, both_wait});
}

static void
setup_lost_fins(struct sim_opts *opts, struct rng *rng)
{
	for (int side = 0; side < SIM_SIDES; side++)
		drop(opts, &(struct tamper_rule){.from = side,
					   .mask = PKT_FIN,
					   .flags = PKT_FIN,
					   .count = 3});
}

/* Three times each: 4 copies. */
static void
fins_come_late(struct sim *s)
{
	static const struct sim_plan plan[SIM_SIDES] = {{.octets = 100}, {.end = SIM_END_WAIT}};

	run(s, plan);
	assert_true(counter(s, SIM_A, PMTCP_C_fin_retransmitted) >= 3);
	assert_true(counter(s, SIM_B, PMTCP_C_fin_retransmitted) >= 3);
	assert_int_equal(counter(s, SIM_B, PMTCP_C_lastack_timeout), 0);
}

static void
close_19_lost_fins_are_repeated(void **state)
{
	sim_run_case(&(struct sim_case){"close_19", 1, setup_lost_fins, fins_come_late});
}

/* The last two segments with text and the first two with the FIN, SACK on. */
static void
setup_lost_tail(struct sim_opts *opts, struct rng *rng)
{
	opts->faults[SIM_A].delay_ns = SIM_MS;
	drop(opts, &(struct tamper_rule){
				   .from = SIM_A, .mask = PKT_FIN, .flags = PKT_FIN, .count = 2});
	drop(opts, &(struct tamper_rule){.from = SIM_A,
				   .mask = PKT_SYN | PKT_FIN,
				   .text = TAMPER_WITH_TEXT,
				   .skip = 6,
				   .count = 2});
}

static void
tail_is_exact(struct sim *s)
{
	static const struct sim_plan plan[SIM_SIDES] = {
			{.octets = 14000, .write_max = 14000}, {.end = SIM_END_WAIT}};

	run(s, plan);
	assert_true(counter(s, SIM_A, PMTCP_C_retransmitted) >= 2);
}

static void
close_43_lost_tail_and_fin_under_sack(void **state)
{
	sim_run_case(&(struct sim_case){"close_43", 4, setup_lost_tail, tail_is_exact});
}

/* Every way to end, through loss: each handle that was opened is in one class. */
static void
setup_mixed(struct sim_opts *opts, struct rng *rng)
{
	for (int side = 0; side < SIM_SIDES; side++)
		sim_faults_random(&opts->faults[side], rng, 500);
}

static void
expect_time_wait_sums(struct sim *s, int side)
{
	const struct pmtcp_stats stats = sim_stats(s, side);
	const uint64_t *c = stats.counter;

	assert_int_equal(c[PMTCP_C_tw_entered] + c[PMTCP_C_tw_restored],
			stats.time_wait + c[PMTCP_C_tw_expired] + c[PMTCP_C_tw_evicted] +
					c[PMTCP_C_tw_reused_in] + c[PMTCP_C_tw_reused_out] +
					c[PMTCP_C_tw_flushed]);
}

static uint64_t
expect_sums(struct sim *s, int side)
{
	const struct pmtcp_stats stats = sim_stats(s, side);
	uint64_t ended = 0;

	for (int r = 0; r < PMTCP_REASON_MAX; r++)
		ended += stats.ended[r];
	assert_int_equal(stats.live, 0);
	assert_int_equal(ended, stats.counter[PMTCP_C_opened_active] +
						stats.counter[PMTCP_C_opened_passive]);
	expect_time_wait_sums(s, side);
	return ended;
}

enum { MIXED_SEEDS = 4, MIXED_FLOWS = 60, MIXED_ENDS = TEST_SIZE(1000000, 1000) / MIXED_SEEDS };

/* By reason, of both sides and all runs. */
static uint64_t mixed_reasons[PMTCP_REASON_MAX];

/* Opens one after the other; from number `cut` on nothing arrives any more. */
static void
open_mixed(struct sim *s, uint64_t octets_max, int cut)
{
	for (int i = 0; i < MIXED_FLOWS; i++) {
		struct sim_plan plan[SIM_SIDES] = {sim_plan_random(&s->rng, octets_max),
				sim_plan_random(&s->rng, octets_max)};

		if (i % 5 == 0)
			plan[SIM_A].end = SIM_END_ABORT;
		if (i % 7 == 0)
			plan[SIM_B].end = SIM_END_CLOSE;
		if (i % 11 == 0)
			plan[SIM_B].end = SIM_END_DETACH;
		if (plan[SIM_A].end == SIM_END_WAIT && plan[SIM_B].end == SIM_END_WAIT)
			plan[SIM_A].end = SIM_END_SHUTDOWN;
		if (i == cut)
			s->wire[SIM_A].faults.loss = s->wire[SIM_B].faults.loss = 10000;
		sim_open(s, SIM_A, plan, NULL);
		sim_run_for(s, rng_below(&s->rng, 200 * SIM_MS));
	}
}

/* Round after round in the same two contexts. An abort's RST may be lost, and who has shut
 * down then waits for ever (CLOSE-38): all close in the end. */
static void
mixed_ends(struct sim *s)
{
	const uint16_t loss[SIM_SIDES] = {s->wire[SIM_A].faults.loss, s->wire[SIM_B].faults.loss};
	uint64_t ends = 0;

	for (int round = 0; ends < MIXED_ENDS; round++) {
		open_mixed(s, ends == 0 ? 3000 : 100, round % 8 == 1 ? 50 : MIXED_FLOWS);
		expect_time_wait_sums(s, SIM_A);
		expect_time_wait_sums(s, SIM_B);
		sim_run_for(s, 200 * SIM_SEC);
		sim_lose_patience(s);
		sim_run_flows(s, 3600 * SIM_SEC);
		sim_settle(s); /* who is detached goes on alone */
		sim_forget_flows(s);
		ends = 0;
		for (int side = 0; side < SIM_SIDES; side++) {
			ends += expect_sums(s, side);
			s->wire[side].faults.loss = loss[side];
		}
	}
	for (int side = 0; side < SIM_SIDES; side++) {
		const struct pmtcp_stats stats = sim_stats(s, side);

		for (int r = 0; r < PMTCP_REASON_MAX; r++)
			mixed_reasons[r] += stats.ended[r];
	}
}

static void
close_45_opened_is_the_sum_of_the_ends(void **state)
{
	static const enum pmtcp_reason met[] = {PMTCP_GRACEFUL, PMTCP_PEER_RESET, PMTCP_LOCAL_ABORT,
			PMTCP_DATA_LOST, PMTCP_TIMEOUT_FW2, PMTCP_TIMEOUT_SYN, PMTCP_TIMEOUT_RTX};

	sim_run_case(&(struct sim_case){"close_45", MIXED_SEEDS, setup_mixed, mixed_ends});
	print_message("%d ends\n", MIXED_SEEDS * MIXED_ENDS);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(met); i++)
		assert_true(mixed_reasons[met[i]] > 0);
}

/* Few ports, so that entries are met again; 2MSL is longer than a half-open lives. */
static void
tune_few_ports(struct pmtcp_conf *conf, int side)
{
	conf->port_first = 40000;
	conf->port_last = 40003;
	conf->tw_ms = 240000;
	conf->tw_reuse = PMTCP_TW_REUSE_SAFE;
	conf->max_time_wait = 6;
}

static void
setup_few_ports(struct sim_opts *opts, struct rng *rng)
{
	opts->tune = tune_few_ports;
	for (int side = 0; side < SIM_SIDES; side++)
		sim_faults_random(&opts->faults[side], rng, 200);
}

/* By fate, of both sides and all runs. */
static uint64_t tw_fates[PMTCP_C_MAX];

/* A random end on either side; now and then the answers to an open are all lost, so that its
 * SYN was a stale one. */
static void
random_round(struct sim *s, bool is_deaf)
{
	struct sim_plan plan[SIM_SIDES] = {
			{.octets = rng_below(&s->rng, 500)}, {.octets = rng_below(&s->rng, 500)}};
	int first = (int)rng_below(&s->rng, 2);
	uint16_t loss = s->wire[SIM_B].faults.loss;
	int err;

	plan[1 - first].end = SIM_END_WAIT;
	if (is_deaf)
		s->wire[SIM_B].faults.loss = 10000;
	if (sim_open(s, SIM_A, plan, &err) == NULL)
		assert_int_equal(err, -EADDRNOTAVAIL);
	sim_run_flows(s, 3600 * SIM_SEC);
	s->wire[SIM_B].faults.loss = loss;
	sim_run_for(s, rng_below(&s->rng, 3 * SIM_SEC));
	expect_time_wait_sums(s, SIM_A);
	expect_time_wait_sums(s, SIM_B);
}

static void
meet_again(struct sim *s)
{
	for (int i = 0; i < 60; i++)
		random_round(s, i % 8 == 7);
	sim_settle(s);
	for (int side = 0; side < SIM_SIDES; side++) {
		const struct pmtcp_stats stats = sim_stats(s, side);

		expect_time_wait_sums(s, side);
		for (int i = 0; i < PMTCP_C_MAX; i++)
			tw_fates[i] += stats.counter[i];
	}
}

static void
tw_15_identity_holds_after_random_runs(void **state)
{
	static const enum pmtcp_counter met[] = {PMTCP_C_tw_entered, PMTCP_C_tw_expired,
			PMTCP_C_tw_restored, PMTCP_C_tw_reused_in, PMTCP_C_tw_reused_out};

	sim_run_case(&(struct sim_case){"tw_15", 6, setup_few_ports, meet_again});
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(met); i++)
		assert_true(tw_fates[met[i]] > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(close_8_half_closed_end_receives_through_loss),
			sim_test(close_9_close_wait_sends_10_MB_through_loss),
			sim_test(close_15_both_ends_enter_time_wait),
			sim_test(close_16_queue_and_fin_follow_a_crossing_fin),
			sim_test(close_17_lost_acks_of_a_simultaneous_close),
			sim_test(close_19_lost_fins_are_repeated),
			sim_test(close_43_lost_tail_and_fin_under_sack),
			sim_test(close_45_opened_is_the_sum_of_the_ends),
			sim_test(tw_15_identity_holds_after_random_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
