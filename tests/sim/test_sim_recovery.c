/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: with SACK a loss costs round trips, not timeouts (DATA-36, DATA-39, DATA-42). Method: one
 * direction of text over 20 ms of round trip; which frames are lost or late is said frame
 * by frame, and the clean run tells how long it takes without. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "sim/sim.h"

#define RTT_NS (20 * SIM_MS)
#define OCTETS (120 * 1448)

static uint64_t took_ns;
static struct pmtcp_stats sender;

static void
clean(struct sim_opts *opts, struct rng *rng)
{
	(void)rng;
	for (int side = 0; side < SIM_SIDES; side++)
		opts->faults[side].delay_ns = RTT_NS / 2;
	opts->faults[SIM_A].octet_ns = 8; /* 1 Gbit/s: frames arrive one by one */
}

static void
transfer(struct sim *s)
{
	const struct sim_plan plan[SIM_SIDES] = {
			{.octets = OCTETS, .write_max = 8000, .end = SIM_END_SHUTDOWN},
			{.end = SIM_END_WAIT},
	};
	struct sim_flow *f = sim_open(s, SIM_A, plan, NULL);

	while (f->half[SIM_B].in.at < OCTETS)
		sim_step(s, s->now + SIM_SEC);
	took_ns = s->now;
	sender = sim_stats(s, SIM_A);
	sim_run_flows(s, 60 * SIM_SEC);
	sim_expect_graceful(s, f);
}

static uint64_t
run(const char *name, void (*setup)(struct sim_opts *opts, struct rng *rng))
{
	sim_run_case(&(struct sim_case){name, 1, setup, transfer});
	return took_ns;
}

/* Ten of the fourth flight's frames; the SYN is number 0. */
static void
lose_ten(struct sim_opts *opts, struct rng *rng)
{
	clean(opts, rng);
	opts->faults[SIM_A].loss_mask = 0x1249249ull << 34;
}

/* DATA-36 */
static void
data_36_ten_drops_cost_three_round_trips_and_no_timeout(void **state)
{
	uint64_t before = run("data_36_clean", clean);
	uint64_t after = run("data_36_ten_drops", lose_ten);

	(void)state;
	assert_int_equal(sender.counter[PMTCP_C_rexmt_timeout], 0);
	assert_int_equal(sender.counter[PMTCP_C_rexmt_fast], 1);
	assert_int_equal(sender.counter[PMTCP_C_retransmitted],
			__builtin_popcountll(0x1249249ull << 34));
	assert_true(after <= before + 3 * RTT_NS);
}

/* Some frames come so late that five or more overtake them; nothing is lost. */
static void
disorder(struct sim_opts *opts, struct rng *rng)
{
	clean(opts, rng);
	for (uint32_t i = 0; i < 4; i++)
		opts->rules[i] = (struct tamper_rule){.from = SIM_A,
				.text = TAMPER_WITH_TEXT,
				.skip = 20 + 22 * i,
				.action = TAMPER_DELAY,
				.delay_ns = i == 0 ? 25 * SIM_US : 75 * SIM_US};
	opts->n_rules = 4;
}

/* DATA-39: the first, by two, shows that this path reorders. */
static void
data_39_reordering_by_five_resends_nothing(void **state)
{
	(void)state;
	run("data_39_reordering", disorder);
	assert_int_equal(sender.counter[PMTCP_C_retransmitted], 0);
	assert_int_equal(sender.counter[PMTCP_C_rexmt_fast], 0);
}

/* All ACKs stop for twice the RTO and then come at once. */
static struct pmtcp_conn_opts spike_opts;

static void
spike(struct sim_opts *opts, struct rng *rng)
{
	clean(opts, rng);
	opts->conn = spike_opts;
	opts->rules[0] = (struct tamper_rule){.from = SIM_B,
			.text = TAMPER_WITHOUT_TEXT,
			.skip = 20,
			.count = UINT32_MAX,
			.action = TAMPER_DELAY,
			.delay_ns = 400 * SIM_MS};
	opts->n_rules = 1;
}

static uint64_t
undone(const struct pmtcp_stats *st)
{
	return st->counter[PMTCP_C_undo_timestamp] + st->counter[PMTCP_C_frto_spurious] +
	       st->counter[PMTCP_C_undo_dsack];
}

/* Watches the sender's window: before the first timeout, after it, and when that was found
 * to be spurious. */
static void
watch_spike(struct sim *s)
{
	const struct sim_plan plan[SIM_SIDES] = {
			{.octets = 6 * OCTETS, .write_max = 8000, .end = SIM_END_SHUTDOWN},
			{.end = SIM_END_WAIT},
	};
	struct sim_flow *f = sim_open(s, SIM_A, plan, NULL);
	struct pmtcp_conn_info before = {0}, now = {0};
	struct pmtcp_stats st = sim_stats(s, SIM_A);

	while (st.counter[PMTCP_C_rexmt_timeout] == 0) {
		before = now;
		sim_step(s, s->now + SIM_SEC);
		pmtcp_conn_info(f->half[SIM_A].conn, &now);
		st = sim_stats(s, SIM_A);
	}
	if (now.cwnd != now.mss || now.ssthresh >= before.cwnd)
		sim_fail(s, "cwnd %u, ssthresh %u after the timeout", now.cwnd, now.ssthresh);
	while (undone(&st) == 0) {
		sim_step(s, s->now + SIM_SEC);
		st = sim_stats(s, SIM_A);
	}
	pmtcp_conn_info(f->half[SIM_A].conn, &now);
	/* RFC 9438 4.9.1: as before it. */
	if (now.cwnd < before.cwnd || now.ssthresh != before.ssthresh)
		sim_fail(s, "cwnd %u, ssthresh %u for %u, %u", now.cwnd, now.ssthresh, before.cwnd,
				before.ssthresh);
	sim_run_flows(s, 60 * SIM_SEC);
	sim_expect_graceful(s, f);
	/* The timeout's own, a probe, and no flight that goes once more. */
	if (sim_stats(s, SIM_A).counter[PMTCP_C_retransmitted] > 4)
		sim_fail(s, "%lu sent again",
				(unsigned long)sim_stats(s, SIM_A).counter[PMTCP_C_retransmitted]);
}

/* DATA-42: by timestamps, by F-RTO with SACK and by F-RTO without, in both algorithms. */
static void
data_42_delay_spike_is_undone(void **state)
{
	const struct sim_case c = {"data_42_delay_spike", 1, spike, watch_spike};

	(void)state;
	for (int i = 0; i < 8; i++) {
		spike_opts = (struct pmtcp_conn_opts){.no_timestamps = i & 1,
				.no_sack = i & 2,
				.cc = i & 4 ? PMTCP_CC_CUBIC : PMTCP_CC_NEWRENO};
		sim_run_case(&c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(data_36_ten_drops_cost_three_round_trips_and_no_timeout),
			sim_test(data_39_reordering_by_five_resends_nothing),
			sim_test(data_42_delay_spike_is_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
