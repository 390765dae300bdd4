/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: TIME-WAIT lasts as long as it must and no longer, gives way to the right
 * SYN and to no other, and its books balance (TW-1..15). Method: two contexts
 * that use one port over and over, with a short 2MSL. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "sim/sim.h"

#define ONE_PORT 40000

static const struct sim_plan b_first[SIM_SIDES] = {
		{.octets = 200, .end = SIM_END_WAIT},
		{.octets = 300, .end = SIM_END_SHUTDOWN},
};
static const struct sim_plan a_first[SIM_SIDES] = {
		{.octets = 200, .end = SIM_END_SHUTDOWN},
		{.octets = 300, .end = SIM_END_WAIT},
};

static void
one_port(struct pmtcp_conf *conf, int side)
{
	conf->port_first = ONE_PORT;
	conf->port_last = ONE_PORT;
	conf->tw_ms = 10000;
	conf->tw_reuse = PMTCP_TW_REUSE_OFF;
}

static void
setup_one_port(struct sim_opts *opts, struct rng *rng)
{
	opts->tune = one_port;
}

/* TW-1, TW-2 */
static void
last(struct sim *s)
{
	struct sim_flow *f = sim_open(s, SIM_A, a_first, NULL);

	sim_run_flows(s, 60 * SIM_SEC);
	sim_expect_graceful(s, f);
	assert_int_equal(sim_stats(s, SIM_A).time_wait, 1);
	assert_int_equal(sim_stats(s, SIM_B).counter[PMTCP_C_tw_entered], 0);
	sim_run_for(s, 9900 * SIM_MS);
	assert_int_equal(sim_stats(s, SIM_A).time_wait, 1);
	sim_run_for(s, 400 * SIM_MS);
	assert_int_equal(sim_stats(s, SIM_A).time_wait, 0);
	assert_int_equal(sim_stats(s, SIM_A).counter[PMTCP_C_tw_expired], 1);
}

static void
timewait_lasts_2msl(void **state)
{
	sim_run_case(&(struct sim_case){"timewait_lasts_2msl", 4, setup_one_port, last});
}

/* TW-8: the listener's side closes first, so the next SYN meets its entry. */
static void
reuse_rounds(struct sim *s, void (*expect)(struct sim *s, const struct sim_flow *f))
{
	for (int round = 0; round < 12; round++) {
		struct sim_flow *f = sim_open(s, SIM_A, b_first, NULL);

		sim_run_flows(s, 600 * SIM_SEC);
		expect(s, f);
		sim_run_for(s, rng_below(&s->rng, 5 * SIM_MS));
	}
}

static void
peer_reuses(struct sim *s)
{
	reuse_rounds(s, sim_expect_graceful);
	assert_true(sim_stats(s, SIM_B).counter[PMTCP_C_tw_reused_in] >= 4);
}

static void
peer_reuses_wild(struct sim *s)
{
	reuse_rounds(s, sim_expect_delivered);
	assert_true(sim_stats(s, SIM_B).counter[PMTCP_C_tw_reused_in] >= 1);
}

static void
timewait_syn_reuses_by_timestamp(void **state)
{
	sim_run_case(&(struct sim_case){
			"timewait_syn_reuses_by_timestamp", 6, setup_one_port, peer_reuses});
}

static void
setup_no_timestamps(struct sim_opts *opts, struct rng *rng)
{
	setup_one_port(opts, rng);
	opts->conn.no_timestamps = true;
}

/* TW-9 */
static void
timewait_syn_reuses_by_number(void **state)
{
	sim_run_case(&(struct sim_case){
			"timewait_syn_reuses_by_number", 6, setup_no_timestamps, peer_reuses});
}

static void
setup_lossy(struct sim_opts *opts, struct rng *rng)
{
	setup_one_port(opts, rng);
	opts->conn.no_timestamps = rng_below(rng, 2);
	for (int side = 0; side < SIM_SIDES; side++)
		sim_faults_random(&opts->faults[side], rng, 1000);
}

static void
timewait_syn_reuses_under_faults(void **state)
{
	sim_run_case(&(struct sim_case){
			"timewait_syn_reuses_under_faults", 12, setup_lossy, peer_reuses_wild});
}

static void
one_port_reusable(struct pmtcp_conf *conf, int side)
{
	one_port(conf, side);
	conf->tw_reuse = PMTCP_TW_REUSE_SAFE;
}

static void
setup_own_reuse(struct sim_opts *opts, struct rng *rng)
{
	opts->tune = one_port_reusable;
}

/* TW-12: our own entry may be reopened once our clock has moved on by 1 s. */
static void
own_reuse(struct sim *s)
{
	struct sim_flow *f = sim_open(s, SIM_A, a_first, NULL);
	int err;

	sim_run_flows(s, 60 * SIM_SEC);
	sim_expect_graceful(s, f);
	sim_run_for(s, 900 * SIM_MS);
	assert_null(sim_open(s, SIM_A, a_first, &err));
	assert_int_equal(err, -EADDRNOTAVAIL);
	sim_run_for(s, 200 * SIM_MS);
	f = sim_open(s, SIM_A, a_first, NULL);
	sim_run_flows(s, 60 * SIM_SEC);
	sim_expect_graceful(s, f);
	assert_int_equal(sim_stats(s, SIM_A).counter[PMTCP_C_tw_reused_out], 1);
}

static void
timewait_own_open_reuses_after_1_s(void **state)
{
	sim_run_case(&(struct sim_case){
			"timewait_own_open_reuses_after_1_s", 4, setup_own_reuse, own_reuse});
}

/* RES-3: the report says why, and the port works again after 2MSL. */
static void
no_reuse(struct sim *s)
{
	struct sim_flow *f = sim_open(s, SIM_A, a_first, NULL);
	struct pmtcp_addr remote = pmtcp_addr4(PMTCP_IP4(10, 0, 0, 2), SIM_PORT);
	struct pmtcp_port_report report;
	int err;

	sim_run_flows(s, 60 * SIM_SEC);
	sim_expect_graceful(s, f);
	sim_run_for(s, 5 * SIM_SEC);
	assert_null(sim_open(s, SIM_A, a_first, &err));
	assert_int_equal(err, -EADDRNOTAVAIL);
	pmtcp_port_report(s->end[SIM_A].ctx, NULL, &remote, &report);
	assert_int_equal(report.range, 1);
	assert_int_equal(report.in_use, 0);
	assert_int_equal(report.time_wait, 1);
	assert_in_range(report.next_free_ms, 4000, 5300);
	sim_run_for(s, 5300 * SIM_MS);
	f = sim_open(s, SIM_A, a_first, NULL);
	sim_run_flows(s, 60 * SIM_SEC);
	sim_expect_graceful(s, f);
}

static void
timewait_port_is_free_after_2msl(void **state)
{
	sim_run_case(&(struct sim_case){
			"timewait_port_is_free_after_2msl", 4, setup_one_port, no_reuse});
}

static void
long_wait(struct pmtcp_conf *conf, int side)
{
	one_port(conf, side);
	conf->tw_ms = 240000;
}

static void
setup_long_wait(struct sim_opts *opts, struct rng *rng)
{
	opts->tune = long_wait;
}

/* TW-10: the SYN-ACKs of a reopening are lost; the entry comes back. */
static void
restore(struct sim *s)
{
	struct sim_flow *f = sim_open(s, SIM_A, b_first, NULL);

	sim_run_flows(s, 60 * SIM_SEC);
	sim_expect_graceful(s, f);
	/* Both clocks move on, so that the SYN is newer beyond doubt. */
	sim_run_for(s, 10 * SIM_MS);
	s->wire[SIM_B].faults.loss = 10000;
	f = sim_open(s, SIM_A, b_first, NULL);
	sim_run_for(s, SIM_SEC);
	assert_int_equal(sim_stats(s, SIM_B).parked, 1);
	assert_int_equal(sim_stats(s, SIM_B).half_open, 1);
	sim_run_flows(s, 600 * SIM_SEC);
	assert_int_equal(f->half[SIM_A].reason, PMTCP_TIMEOUT_SYN);
	sim_settle(s);
	assert_true(sim_stats(s, SIM_B).counter[PMTCP_C_tw_restored] >= 1);
	assert_true(sim_stats(s, SIM_B).counter[PMTCP_C_tw_expired] == 1);
}

static void
timewait_parked_entry_is_restored(void **state)
{
	sim_run_case(&(struct sim_case){
			"timewait_parked_entry_is_restored", 3, setup_long_wait, restore});
}

static void
few_entries(struct pmtcp_conf *conf, int side)
{
	conf->max_time_wait = 10;
}

static void
setup_few_entries(struct sim_opts *opts, struct rng *rng)
{
	opts->tune = few_entries;
}

/* TW-14: ten are kept, the newest. */
static void
evict(struct sim *s)
{
	for (int i = 0; i < 15; i++) {
		struct sim_flow *f = sim_open(s, SIM_A, a_first, NULL);

		sim_run_flows(s, 60 * SIM_SEC);
		sim_expect_graceful(s, f);
		sim_run_for(s, 300 * SIM_MS);
	}
	assert_int_equal(sim_stats(s, SIM_A).time_wait, 10);
	assert_int_equal(sim_stats(s, SIM_A).time_wait_peak, 10);
	assert_int_equal(sim_stats(s, SIM_A).counter[PMTCP_C_tw_evicted], 5);
	/* The oldest left entered 9 x 0.3 s before the last. */
	sim_run_for(s, 60 * SIM_SEC - 10 * 300 * SIM_MS - 100 * SIM_MS);
	assert_int_equal(sim_stats(s, SIM_A).time_wait, 10);
}

static void
timewait_cap_evicts_oldest(void **state)
{
	sim_run_case(&(struct sim_case){"timewait_cap_evicts_oldest", 2, setup_few_entries, evict});
}

static void
skip_new(struct pmtcp_conf *conf, int side)
{
	conf->max_time_wait = 10;
	conf->tw_skip_new = true;
}

static void
setup_skip_new(struct sim_opts *opts, struct rng *rng)
{
	opts->tune = skip_new;
}

static void
skip_beyond_cap(struct sim *s)
{
	for (int i = 0; i < 15; i++) {
		struct sim_flow *f = sim_open(s, SIM_A, a_first, NULL);

		sim_run_flows(s, 60 * SIM_SEC);
		sim_expect_graceful(s, f);
	}
	assert_int_equal(sim_stats(s, SIM_A).time_wait, 10);
	assert_int_equal(sim_stats(s, SIM_A).counter[PMTCP_C_tw_evicted], 0);
	assert_int_equal(sim_stats(s, SIM_A).counter[PMTCP_C_tw_skipped], 5);
}

static void
timewait_cap_skips_new(void **state)
{
	sim_run_case(&(struct sim_case){
			"timewait_cap_skips_new", 2, setup_skip_new, skip_beyond_cap});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(timewait_lasts_2msl),
			sim_test(timewait_syn_reuses_by_timestamp),
			sim_test(timewait_syn_reuses_by_number),
			sim_test(timewait_syn_reuses_under_faults),
			sim_test(timewait_own_open_reuses_after_1_s),
			sim_test(timewait_port_is_free_after_2msl),
			sim_test(timewait_parked_entry_is_restored),
			sim_test(timewait_cap_evicts_oldest),
			sim_test(timewait_cap_skips_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
