/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: every way to release a connection ends gracefully on both sides through
 * any loss, with TIME-WAIT where it belongs (CLOSE-1..21, TW-1, TW-4). Method:
 * five kinds of release under loss masks and random faults; rules that drop just
 * the first or second FIN or the last ACK. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "sim/sim.h"

/* One kind of release: what each side does. */
struct kind {
	struct sim_plan plan[SIM_SIDES];
};

static const struct kind active = {{{.octets = 100}, {.end = SIM_END_WAIT}}};
static const struct kind passive = {{{.octets = 100, .end = SIM_END_WAIT}, {.octets = 10}}};
static const struct kind simultaneous = {{{.pause_ns = SIM_SEC}, {.pause_ns = SIM_SEC}}};
/* The opener is half a round trip ahead: with 50 ms each way the FINs cross. */
static const struct kind crossing = {{{.pause_ns = SIM_SEC}, {.pause_ns = SIM_SEC - 25 * SIM_MS}}};
static const struct kind three = {{{.end = SIM_END_CLOSE}, {.end = SIM_END_WAIT}}};
static const struct kind half = {{{.octets = 10}, {.octets = 60000, .pause_ns = 2 * SIM_SEC}}};

static const struct kind *kind;

static void
release(struct sim *s)
{
	struct sim_flow *f = sim_open(s, SIM_A, kind->plan, NULL);
	uint64_t n_entered;

	sim_run_flows(s, 1200 * SIM_SEC);
	sim_expect_graceful(s, f);
	n_entered = sim_stats(s, SIM_A).counter[PMTCP_C_tw_entered] +
		    sim_stats(s, SIM_B).counter[PMTCP_C_tw_entered];
	assert_in_range(n_entered, 1, 2);
}

static void
release_wild(struct sim *s)
{
	struct sim_flow *f = sim_open(s, SIM_A, kind->plan, NULL);

	sim_run_flows(s, 1200 * SIM_SEC);
	sim_expect_delivered(s, f);
}

static void
setup_masks(struct sim_opts *opts, struct rng *rng)
{
	for (int side = 0; side < SIM_SIDES; side++)
		opts->faults[side].loss_mask = rng_next(rng) & rng_next(rng) & 0x3f;
}

static void
setup_wild(struct sim_opts *opts, struct rng *rng)
{
	for (int side = 0; side < SIM_SIDES; side++)
		sim_faults_random(&opts->faults[side], rng, 1500);
}

static void
run_kind(const char *name, const struct kind *k)
{
	kind = k;
	sim_run_case(&(struct sim_case){name, 1, NULL, release});
	sim_run_case(&(struct sim_case){name, 12, setup_masks, release});
	sim_run_case(&(struct sim_case){name, 12, setup_wild, release_wild});
}

static void
close_active_faults(void **state)
{
	run_kind("close_active", &active);
}

static void
close_passive_faults(void **state)
{
	run_kind("close_passive", &passive);
}

static void
close_simultaneous_faults(void **state)
{
	run_kind("close_simultaneous", &simultaneous);
}

static void
close_three_segments_faults(void **state)
{
	run_kind("close_three_segments", &three);
}

static void
close_half_faults(void **state)
{
	run_kind("close_half", &half);
}

/* CLOSE-15: both sides at one moment, so both wait 2MSL. */
static void
both_wait(struct sim *s)
{
	struct sim_flow *f;

	kind = &crossing;
	f = sim_open(s, SIM_A, kind->plan, NULL);
	sim_run_flows(s, 60 * SIM_SEC);
	sim_expect_graceful(s, f);
	assert_int_equal(sim_stats(s, SIM_A).time_wait, 1);
	assert_int_equal(sim_stats(s, SIM_B).time_wait, 1);
}

static void
setup_align(struct sim_opts *opts, struct rng *rng)
{
	for (int side = 0; side < SIM_SIDES; side++)
		opts->faults[side].delay_ns = 50 * SIM_MS;
}

static void
close_simultaneous_both_wait(void **state)
{
	sim_run_case(&(struct sim_case){"close_simultaneous_both_wait", 1, setup_align, both_wait});
}

/* CLOSE-13: no ACK by itself but the last: S, SA, FA, FA, A. */
static void
three_segments(struct sim *s)
{
	kind = &three;
	release(s);
	assert_int_equal(s->n_frames, 5);
}

static void
close_three_segments_sends_three(void **state)
{
	sim_run_case(&(struct sim_case){
			"close_three_segments_sends_three", 1, NULL, three_segments});
}

static void
drop_fins(struct sim_opts *opts, int from, uint32_t skip, uint32_t count)
{
	opts->rules[opts->n_rules++] = (struct tamper_rule){.from = from,
			.mask = PKT_FIN,
			.flags = PKT_FIN,
			.skip = skip,
			.count = count,
			.action = TAMPER_DROP};
}

static void
setup_first_fins(struct sim_opts *opts, struct rng *rng)
{
	drop_fins(opts, SIM_A, 0, 1 + (uint32_t)rng_below(rng, 3));
}

/* CLOSE-19 */
static void
resend_first_fin(struct sim *s)
{
	kind = &active;
	release(s);
	assert_true(sim_stats(s, SIM_A).counter[PMTCP_C_fin_retransmitted] >= 1);
}

static void
close_lost_first_fin(void **state)
{
	sim_run_case(&(struct sim_case){
			"close_lost_first_fin", 6, setup_first_fins, resend_first_fin});
}

static void
setup_second_fins(struct sim_opts *opts, struct rng *rng)
{
	drop_fins(opts, SIM_B, 0, 1 + (uint32_t)rng_below(rng, 3));
}

/* CLOSE-20 */
static void
resend_second_fin(struct sim *s)
{
	kind = &active;
	release(s);
	assert_true(sim_stats(s, SIM_B).counter[PMTCP_C_fin_retransmitted] >= 1);
	assert_int_equal(sim_stats(s, SIM_B).counter[PMTCP_C_lastack_timeout], 0);
}

static void
close_lost_second_fin(void **state)
{
	sim_run_case(&(struct sim_case){
			"close_lost_second_fin", 6, setup_second_fins, resend_second_fin});
}

/* The FIN rides on the third ACK, so the opener's only bare ACK is the last. */
static void
setup_last_acks(struct sim_opts *opts, struct rng *rng)
{
	opts->rules[0] = (struct tamper_rule){.from = SIM_A,
			.mask = PKT_SYN | PKT_FIN | PKT_ACK,
			.flags = PKT_ACK,
			.text = TAMPER_WITHOUT_TEXT,
			.count = 1 + (uint32_t)rng_below(rng, 3),
			.action = TAMPER_DROP};
	opts->n_rules = 1;
}

/* TW-4 */
static void
ack_fin_again(struct sim *s)
{
	kind = &three;
	release(s);
	assert_true(sim_stats(s, SIM_A).counter[PMTCP_C_tw_fin_again] >= 1);
}

static void
close_lost_last_ack(void **state)
{
	sim_run_case(&(struct sim_case){"close_lost_last_ack", 6, setup_last_acks, ack_fin_again});
}

/* CLOSE-17: in a simultaneous close both first ACKs are lost. */
static void
setup_both_acks(struct sim_opts *opts, struct rng *rng)
{
	setup_align(opts, rng);
	for (int side = 0; side < SIM_SIDES; side++) {
		opts->rules[side] = (struct tamper_rule){.from = side,
				.mask = PKT_SYN | PKT_FIN | PKT_ACK,
				.flags = PKT_ACK,
				.skip = side == SIM_A,
				.count = 1 + (uint32_t)rng_below(rng, 2),
				.action = TAMPER_DROP};
	}
	opts->n_rules = 2;
}

static void
close_simultaneous_lost_acks(void **state)
{
	sim_run_case(&(struct sim_case){
			"close_simultaneous_lost_acks", 6, setup_both_acks, both_wait});
}

/* CLOSE-27: each FIN is followed by another one at a higher number, a little later. */
static void
setup_two_fins(struct sim_opts *opts, struct rng *rng)
{
	static const uint32_t behind[] = {0, 1, 99, 5000};

	for (int side = 0; side < SIM_SIDES; side++)
		opts->rules[side] = (struct tamper_rule){.from = side,
				.mask = PKT_FIN,
				.flags = PKT_FIN,
				.delta = behind[rng_below(rng, 4)],
				.delay_ns = 1 + rng_below(rng, 2 * SIM_MS),
				.action = TAMPER_FIN};
	opts->n_rules = SIM_SIDES;
}

static void
ignore_second_fin(struct sim *s)
{
	release(s);
	sim_run_for(s, 10 * SIM_MS);
	for (int side = 0; side < SIM_SIDES; side++) {
		assert_int_equal(sim_stats(s, side).counter[PMTCP_C_drop_past_fin], 1);
		assert_int_equal(sim_stats(s, side).counter[PMTCP_C_fin_retransmitted], 0);
	}
}

static void
close_second_fin_is_ignored(void **state)
{
	kind = &half;
	sim_run_case(&(struct sim_case){"close_second_fin", 12, setup_two_fins, ignore_second_fin});
}

/* CLOSE-18: B's first segments but the SYN-ACK acknowledge one number too many. */
static void
setup_ack_beyond(struct sim_opts *opts, struct rng *rng)
{
	opts->rules[0] = (struct tamper_rule){.from = SIM_B,
			.mask = PKT_SYN | PKT_ACK,
			.flags = PKT_ACK,
			.count = 1 + (uint32_t)rng_below(rng, 3),
			.delta = 1,
			.action = TAMPER_ACK};
	opts->n_rules = 1;
}

/* Nothing is believed of such a segment: neither text nor FIN is thought to have arrived. */
static void
disbelieve(struct sim *s)
{
	uint32_t n = s->opts.rules[0].count;

	release(s);
	assert_int_equal(sim_stats(s, SIM_A).counter[PMTCP_C_drop_ack], n);
}

static void
close_ack_beyond_the_fin_is_ignored(void **state)
{
	kind = &active;
	sim_run_case(&(struct sim_case){"close_ack_beyond_1", 6, setup_ack_beyond, disbelieve});
	kind = &half;
	sim_run_case(&(struct sim_case){"close_ack_beyond_2", 6, setup_ack_beyond, disbelieve});
	kind = &passive;
	sim_run_case(&(struct sim_case){"close_ack_beyond_3", 6, setup_ack_beyond, disbelieve});
}

/* CLOSE-18: LAST-ACK is not left on the ACK of a number behind the FIN. */
static void
setup_last_acks_beyond(struct sim_opts *opts, struct rng *rng)
{
	setup_last_acks(opts, rng);
	opts->rules[0].action = TAMPER_ACK;
	opts->rules[0].delta = 1;
}

static void
stay_in_last_ack(struct sim *s)
{
	uint32_t n = s->opts.rules[0].count;

	ack_fin_again(s);
	assert_int_equal(sim_stats(s, SIM_B).counter[PMTCP_C_drop_ack], n);
	assert_true(sim_stats(s, SIM_B).counter[PMTCP_C_fin_retransmitted] >= 1);
}

static void
close_ack_beyond_the_last_is_ignored(void **state)
{
	sim_run_case(&(struct sim_case){
			"close_ack_beyond_the_last", 6, setup_last_acks_beyond, stay_in_last_ack});
}

/* CLOSE-42: the peer vanishes in the release; nothing may last for ever. */
static void
vanish(struct sim *s)
{
	struct sim_flow *f = sim_open(s, SIM_A, kind->plan, NULL);

	sim_run_for(s, 500 * SIM_MS);
	s->wire[SIM_A].faults.loss = 10000;
	s->wire[SIM_B].faults.loss = 10000;
	sim_run_for(s, SIM_SEC);
	for (int side = 0; side < SIM_SIDES; side++)
		f->half[side].plan.end = SIM_END_CLOSE;
	sim_step(s, s->now);
	sim_run_flows(s, 3600 * SIM_SEC);
}

static void
close_peer_vanishes(void **state)
{
	kind = &simultaneous;
	sim_run_case(&(struct sim_case){"close_peer_vanishes", 2, NULL, vanish});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(close_active_faults),
			sim_test(close_passive_faults),
			sim_test(close_simultaneous_faults),
			sim_test(close_three_segments_faults),
			sim_test(close_half_faults),
			sim_test(close_simultaneous_both_wait),
			sim_test(close_three_segments_sends_three),
			sim_test(close_lost_first_fin),
			sim_test(close_lost_second_fin),
			sim_test(close_lost_last_ack),
			sim_test(close_simultaneous_lost_acks),
			sim_test(close_second_fin_is_ignored),
			sim_test(close_ack_beyond_the_fin_is_ignored),
			sim_test(close_ack_beyond_the_last_is_ignored),
			sim_test(close_peer_vanishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
