/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: TW-12 to TW-18 of doc/requirements.md, row after row: own opens over TIME-WAIT,
 * who gives way at the cap, the counters, passes (RFC 9293 3.6.1; 7323 appendix B).
 * Method: a bed of stations. The wheel (TW-16) stands in tests/unit/test_wheel.c, the
 * identity of TW-15 after random runs in test_rfc_close_sim.c. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/rows.h"
#include "support/size.h"

static struct bed bed;

/* ---- our own open ---- */

static int
connect_from(uint16_t lport, struct pmtcp_conn **conn)
{
	struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, lport);
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, 80);

	return pmtcp_connect(bed.ctx, &local, &remote, NULL, conn);
}

static void
tune_reuse(struct pmtcp_conf *conf)
{
	conf->tw_reuse = PMTCP_TW_REUSE_SAFE;
	conf->port_first = 40000;
	conf->port_last = 40001;
}

static void
tune_no_reuse(struct pmtcp_conf *conf)
{
	conf->tw_reuse = PMTCP_TW_REUSE_OFF;
}

/* The tuple of local port 5000 in TIME-WAIT. */
static void
wait_on_5000(struct bed_peer *peer, void (*tune)(struct pmtcp_conf *), bool has_ts)
{
	struct pmtcp_conn *conn;

	*peer = (struct bed_peer){
			.ip = TEST_PEER, .port = 80, .seq = 1000, .has_ts = has_ts, .tsval = 777};
	bed_create(&bed, tune);
	assert_int_equal(bed_open(&bed, peer, 5000, &conn), 0);
	bed_close_first(&bed, peer, conn);
	bed_forget(&bed);
}

static void
tw_12_reuse_works_after_1_s(void **state)
{
	struct pmtcp_conn *conn;
	struct bed_peer peer;
	uint32_t nxt, tsval;
	const struct pkt *p;

	(void)state;
	wait_on_5000(&peer, tune_reuse, true);
	nxt = peer.ack;
	tsval = peer.tsecr;
	bed_advance(&bed, 900 * BED_MS);
	assert_int_equal(connect_from(5000, &conn), -EBUSY);
	bed_advance(&bed, 200 * BED_MS);
	assert_int_equal(connect_from(5000, &conn), 0);
	p = bed_peer_gets(&bed, &peer);
	assert_int_equal(p->flags, PKT_SYN);
	assert_in_range(p->seq - nxt, 65537, 600000);
	assert_in_range(p->tsval - tsval, 1100, 1200);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_reused_out), 1);
	assert_int_equal(bed_stats(&bed).time_wait, 0);
	bed_destroy(&bed);
}

static void
expect_no_reuse(void (*tune)(struct pmtcp_conf *), bool has_ts)
{
	struct pmtcp_conn *conn;
	struct bed_peer peer;

	wait_on_5000(&peer, tune, has_ts);
	bed_advance(&bed, 59000 * BED_MS);
	assert_int_equal(connect_from(5000, &conn), -EBUSY);
	bed_advance(&bed, 1300 * BED_MS);
	assert_int_equal(connect_from(5000, &conn), 0);
	bed_destroy(&bed);
}

static void
tw_12_no_reuse_without_timestamps(void **state)
{
	(void)state;
	expect_no_reuse(tune_reuse, false);
}

static void
tw_12_no_reuse_by_knob(void **state)
{
	(void)state;
	expect_no_reuse(tune_no_reuse, true);
}

static void
tune_force(struct pmtcp_conf *conf)
{
	tune_reuse(conf);
	conf->tw_reuse = PMTCP_TW_REUSE_FORCE;
}

/* By the ISN alone, but no sooner. */
static void
tw_12_force_reuses_without_timestamps(void **state)
{
	struct pmtcp_conn *conn;
	struct bed_peer peer;
	const struct pkt *p;
	uint32_t nxt;

	(void)state;
	wait_on_5000(&peer, tune_force, false);
	nxt = peer.ack;
	bed_advance(&bed, 900 * BED_MS);
	assert_int_equal(connect_from(5000, &conn), -EBUSY);
	bed_advance(&bed, 200 * BED_MS);
	assert_int_equal(connect_from(5000, &conn), 0);
	p = bed_peer_gets(&bed, &peer);
	assert_int_equal(p->flags, PKT_SYN);
	assert_in_range(p->seq - nxt, 65537, 600000);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_reused_out), 1);
	bed_destroy(&bed);
}

/* The search for a port takes them too. */
static void
tw_12_force_is_for_ephemeral_ports_too(void **state)
{
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, tune_force);
	for (int i = 0; i < 2; i++) {
		struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .seq = 1000};

		assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
		bed_close_first(&bed, &peer, conn);
	}
	bed_forget(&bed);
	assert_int_equal(connect_from(0, &conn), -EADDRNOTAVAIL);
	bed_advance(&bed, 1100 * BED_MS);
	assert_int_equal(connect_from(0, &conn), 0);
	bed_destroy(&bed);
}

/* The peer never got the last ACK: challenge, RST, SYN again, open; no timer. */
static void
last_ack_opens_at_once(bool has_ts, void (*tune)(struct pmtcp_conf *conf))
{
	struct pmtcp_conn *conn;
	struct bed_peer peer;
	const struct pkt *p;
	uint32_t old;

	wait_on_5000(&peer, tune, has_ts);
	old = peer.ack;
	bed_advance(&bed, 1100 * BED_MS);
	assert_int_equal(connect_from(5000, &conn), 0);
	assert_int_equal(bed_peer_gets(&bed, &peer)->flags, PKT_SYN);
	peer.ack = old;
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	p = bed_peer_gets(&bed, &peer);
	assert_int_equal(p->flags, PKT_RST);
	assert_int_equal(p->seq, old);
	bed_advance(&bed, 9 * BED_MS);
	assert_int_equal(bed_peer_gets(&bed, &peer)->flags, PKT_SYN);
	bed_peer_sends(&bed, &peer, PKT_SYN | PKT_ACK, 0);
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).flags, PMTCP_EV_CONNECTED);
	bed_forget(&bed);
	bed_destroy(&bed);
}

static void
tw_12_peer_in_last_ack_opens_at_once(void **state)
{
	(void)state;
	last_ack_opens_at_once(true, tune_reuse);
	last_ack_opens_at_once(false, tune_force);
}

/* A SYN-ACK from before, even with the number of the new SYN: its echo is none of the new
 * one's, so it opens nothing, and the true answer does. */
static void
tw_12_old_syn_ack_opens_nothing(void **state)
{
	struct pmtcp_conn *conn;
	struct bed_peer peer, old;

	(void)state;
	wait_on_5000(&peer, tune_reuse, true);
	bed_advance(&bed, 1100 * BED_MS);
	assert_int_equal(connect_from(5000, &conn), 0);
	old = peer;
	assert_int_equal(bed_peer_gets(&bed, &peer)->flags, PKT_SYN);
	old.ack = peer.ack;
	old.tsval--;
	bed_peer_sends(&bed, &old, PKT_SYN | PKT_ACK, 0);
	assert_int_equal(bed_peer_gets(&bed, &old)->flags, PKT_RST);
	assert_int_equal(bed_event(&bed).flags, 0);
	bed_peer_sends(&bed, &peer, PKT_SYN | PKT_ACK, 0);
	assert_int_equal(bed_peer_gets(&bed, &peer)->flags, PKT_ACK);
	assert_int_equal(bed_event(&bed).flags, PMTCP_EV_CONNECTED);
	bed_destroy(&bed);
}

static uint16_t
open_any(struct bed_peer *peer, struct pmtcp_conn **conn)
{
	*peer = (struct bed_peer){
			.ip = TEST_PEER, .port = 80, .seq = 1000, .has_ts = true, .tsval = 777};
	if (bed_open(&bed, peer, 0, conn) != 0)
		return 0;
	return peer->local_port;
}

/* Two ports: the one never used before the one in TIME-WAIT; then none, and why. */
static void
tw_13_unused_port_then_time_wait_then_none(void **state)
{
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, 80);
	struct pmtcp_port_report report;
	struct pmtcp_conn *conn;
	struct bed_peer peer;
	uint16_t first, second;

	(void)state;
	bed_create(&bed, tune_reuse);
	first = open_any(&peer, &conn);
	bed_close_first(&bed, &peer, conn);
	bed_advance(&bed, 2000 * BED_MS);
	second = open_any(&peer, &conn);
	assert_int_not_equal(second, first);
	bed_close_first(&bed, &peer, conn);
	/* The first may be used again, the second not yet. */
	assert_int_equal(open_any(&peer, &conn), first);
	assert_int_equal(open_any(&peer, &conn), 0);
	pmtcp_port_report(bed.ctx, NULL, &remote, &report);
	assert_int_equal(report.range, 2);
	assert_int_equal(report.in_use, 1);
	assert_int_equal(report.time_wait, 1);
	assert_in_range(report.next_free_ms, 59000, 60300);
	bed_destroy(&bed);
}

/* ---- at the cap ---- */

static void
tune_cap_evict(struct pmtcp_conf *conf)
{
	conf->max_time_wait = 10;
}

static void
tune_cap_skip(struct pmtcp_conf *conf)
{
	conf->max_time_wait = 10;
	conf->tw_skip_new = true;
}

/* The tuple of port 80+i in TIME-WAIT, for the usual time if tw_ms is 0. */
static void
close_one(struct bed_peer *peer, int i, uint32_t tw_ms)
{
	struct pmtcp_conn *conn;

	*peer = (struct bed_peer){.ip = TEST_PEER, .port = (uint16_t)(80 + i), .seq = 7};
	assert_int_equal(bed_open(&bed, peer, 0, &conn), 0);
	if (tw_ms)
		assert_int_equal(pmtcp_set(conn, PMTCP_OPT_TW_MS, tw_ms), 0);
	bed_close_first(&bed, peer, conn);
	bed_advance(&bed, 100 * BED_MS);
}

/* The FIN again. */
static void
expect_entry(struct bed_peer *peer, bool is_left)
{
	peer->seq--;
	bed_peer_sends(&bed, peer, PKT_FIN | PKT_ACK, 0);
	assert_non_null(bed_peer_gets(&bed, peer));
	assert_int_equal(bed.taken.flags, is_left ? PKT_ACK : PKT_RST);
}

/* Fifteen closes; entries number `first` to `last` must be those that are left. */
static void
close_fifteen(void (*tune)(struct pmtcp_conf *), int first, int last)
{
	struct bed_peer peers[15];

	bed_create(&bed, tune);
	for (int i = 0; i < 15; i++)
		close_one(&peers[i], i, 0);
	assert_int_equal(bed_stats(&bed).time_wait, 10);
	for (int i = 0; i < 15; i++)
		expect_entry(&peers[i], i >= first && i <= last);
}

static void
tw_14_oldest_gives_way(void **state)
{
	(void)state;
	close_fifteen(tune_cap_evict, 5, 14);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_evicted), 5);
	bed_destroy(&bed);
}

/* Not the one that was there first, but the one that would go first. */
static void
tw_14_least_time_left_gives_way(void **state)
{
	struct bed_peer peers[11];

	(void)state;
	bed_create(&bed, tune_cap_evict);
	for (int i = 0; i < 11; i++)
		close_one(&peers[i], i, i == 6 ? 20000 : 0);
	for (int i = 0; i < 11; i++)
		expect_entry(&peers[i], i != 6);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_evicted), 1);
	bed_destroy(&bed);
}

/* Of a table of 40, ten. */
static void
tune_cap_default(struct pmtcp_conf *conf)
{
	struct pmtcp_conf fresh;

	pmtcp_conf_init(&fresh);
	conf->max_conns = 20;
	conf->max_half_open = 10;
	conf->max_time_wait = fresh.max_time_wait;
}

static void
tw_14_default_is_a_quarter_of_the_table(void **state)
{
	struct pmtcp_conf conf;
	size_t len;

	(void)state;
	close_fifteen(tune_cap_default, 5, 14);
	bed_destroy(&bed);
	pmtcp_conf_init(&conf);
	conf.max_conns = 600000;
	conf.max_half_open = 300000;
	len = pmtcp_ctx_memsize(&conf);
	conf.max_time_wait = 300000;
	assert_int_equal(pmtcp_ctx_memsize(&conf), len);
}

static void
expect_tw_identity(void)
{
	const struct pmtcp_stats stats = bed_stats(&bed);
	const uint64_t *c = stats.counter;

	assert_int_equal(c[PMTCP_C_tw_entered] + c[PMTCP_C_tw_restored],
			stats.time_wait + c[PMTCP_C_tw_expired] + c[PMTCP_C_tw_evicted] +
					c[PMTCP_C_tw_reused_in] + c[PMTCP_C_tw_reused_out] +
					c[PMTCP_C_tw_flushed]);
}

/* One that was skipped never was an entry. */
static void
tw_14_tw_15_newest_is_skipped_by_knob(void **state)
{
	(void)state;
	close_fifteen(tune_cap_skip, 0, 9);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_skipped), 5);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_evicted), 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_entered), 10);
	expect_tw_identity();
	bed_destroy(&bed);
}

/* Our own open takes the place of an entry. */
static void
reuse_out(void)
{
	struct bed_peer peer = {
			.ip = TEST_PEER, .port = 80, .seq = 1000, .has_ts = true, .tsval = 777};
	struct pmtcp_conn *conn;

	assert_int_equal(bed_open(&bed, &peer, 5000, &conn), 0);
	bed_close_first(&bed, &peer, conn);
	bed_advance(&bed, 1100 * BED_MS);
	assert_int_equal(connect_from(5000, &conn), 0);
	pmtcp_detach(conn);
	bed_turn(&bed);
	bed_forget(&bed);
}

/* A repeated RST, an old SYN, and one that reopens but was stale: RST, the entry is back. */
static void
disturb_and_restore(void)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 4000, .local_port = 80, .seq = 1000};
	struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, 80);
	struct pmtcp_listener *l;
	struct pmtcp_conn *conn;

	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
	conn = bed_accept(&bed, &peer);
	assert_non_null(conn);
	bed_close_first(&bed, &peer, conn);
	bed_peer_sends(&bed, &peer, PKT_RST, 0);
	peer.seq -= 500;
	bed_peer_sends(&bed, &peer, PKT_SYN, 0);
	bed_turn(&bed);
	peer.seq += 100000;
	bed_peer_sends(&bed, &peer, PKT_SYN, 0);
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_reused_in), 1);
	expect_tw_identity();
	bed_peer_sends(&bed, &peer, PKT_RST, 0);
	bed_turn(&bed);
	bed_forget(&bed);
}

/* Each fate once at least; the gauge is the difference, and the peak stays. What is left goes
 * with the context. */
static void
tw_15_each_fate_has_its_counter(void **state)
{
	struct pmtcp_stats stats;
	const uint64_t *c = stats.counter;

	(void)state;
	close_fifteen(tune_cap_evict, 5, 14);
	expect_tw_identity();
	bed_advance(&bed, 70000 * BED_MS);
	expect_tw_identity();
	reuse_out();
	expect_tw_identity();
	disturb_and_restore();
	expect_tw_identity();
	stats = bed_stats(&bed);
	assert_int_equal(c[PMTCP_C_tw_entered], 17);
	assert_int_equal(c[PMTCP_C_tw_evicted], 5);
	assert_int_equal(c[PMTCP_C_tw_expired], 10);
	assert_int_equal(c[PMTCP_C_tw_reused_out], 1);
	assert_int_equal(c[PMTCP_C_tw_reused_in], 1);
	assert_int_equal(c[PMTCP_C_tw_restored], 1);
	assert_int_equal(c[PMTCP_C_tw_fin_again], 10);
	assert_int_equal(c[PMTCP_C_tw_rst_ignored], 1);
	assert_int_equal(c[PMTCP_C_challenge_sent], 1);
	assert_int_equal(stats.time_wait, 1);
	assert_int_equal(stats.time_wait_peak, 10);
	pmtcp_ctx_fini(bed.ctx);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_flushed), 1);
	assert_int_equal(bed_stats(&bed).time_wait, 0);
	expect_tw_identity();
	bed_destroy(&bed);
}

/* ---- passes ---- */

enum { ENTRIES = TEST_SIZE(1000000, 20000), ENTRY_PORTS = 50000 };

static void
tune_many(struct pmtcp_conf *conf)
{
	conf->max_time_wait = ENTRIES;
	conf->max_port_pairs = 64;
}

static void
fill_time_wait(void)
{
	for (uint32_t i = 0; i < ENTRIES; i++) {
		struct bed_peer peer = {.ip = TEST_PEER,
				.port = (uint16_t)(100 + i / ENTRY_PORTS),
				.seq = 1000};
		struct pmtcp_conn *conn;

		assert_int_equal(bed_open(&bed, &peer, (uint16_t)(1024 + i % ENTRY_PORTS), &conn),
				0);
		bed_close_first(&bed, &peer, conn);
	}
	assert_int_equal(bed_stats(&bed).time_wait, ENTRIES);
	assert_int_equal(bed_stats(&bed).blocks_used, ENTRIES + 1);
	print_message("%d entries\n", ENTRIES);
}

/* A million entries end at once: who is connected is heard and answered in each pass. */
static void
tw_17_jump_of_ten_minutes_ends_some_a_pass(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .seq = 1000};
	uint32_t left = ENTRIES;
	struct pmtcp_conn *conn;
	uint8_t text[10];

	(void)state;
	bed_create(&bed, tune_many);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	assert_int_equal(pmtcp_set(conn, PMTCP_OPT_NODELAY, 1), 0);
	fill_time_wait();
	bed.now += 600000 * BED_MS;
	for (uint32_t pass = 0; left > 0; pass++) {
		uint32_t before = left;

		assert_true(pass <= ENTRIES / 128 + 3);
		assert_true(pmtcp_deadline(bed.ctx) <= bed.now);
		bed_peer_sends(&bed, &peer, PKT_ACK | PKT_PSH, 10);
		/* The pass sends what the last one's text was answered with. */
		assert_int_equal(
				bed_peer_gets(&bed, &peer) ? bed.taken.len : 0, pass == 0 ? 0 : 10);
		left = bed_stats(&bed).time_wait;
		assert_in_range(before - left, 1, 512);
		assert_int_equal(pmtcp_read(conn, text, 10), 10);
		assert_int_equal(pmtcp_write(conn, text, 10), 10);
	}
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_expired), ENTRIES);
	bed_destroy(&bed);
}

/* 49.7 days after the clock began, across 2^32 ms. */
static const struct ep_opts late = {
		.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true},
		.later_ns = ((1ull << 32) - 1000030) * EP_MS};
ROW(tw_17_32_bit_milliseconds_may_wrap, &late,
		REACH_TW "; +59998; .; = TW; +270; .; = CLD; # tw_expired")

/* The FIN arrives in the turn in which the entry is due. */
static void
tw_18_restart_wins_over_expiry(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .seq = 1000};
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	bed_close_first(&bed, &peer, conn);
	bed.now += 61000 * BED_MS;
	peer.seq--;
	bed_peer_sends(&bed, &peer, PKT_FIN | PKT_ACK, 0);
	assert_int_equal(bed_peer_gets(&bed, &peer)->flags, PKT_ACK);
	assert_int_equal(bed_stats(&bed).time_wait, 1);
	bed_advance(&bed, 59900 * BED_MS);
	assert_int_equal(bed_stats(&bed).time_wait, 1);
	bed_advance(&bed, 400 * BED_MS);
	assert_int_equal(bed_stats(&bed).time_wait, 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_expired), 1);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_fin_again), 1);
	bed_destroy(&bed);
}

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			T(tw_12_reuse_works_after_1_s),
			T(tw_12_no_reuse_without_timestamps),
			T(tw_12_no_reuse_by_knob),
			T(tw_12_force_reuses_without_timestamps),
			T(tw_12_force_is_for_ephemeral_ports_too),
			T(tw_12_peer_in_last_ack_opens_at_once),
			T(tw_12_old_syn_ack_opens_nothing),
			T(tw_13_unused_port_then_time_wait_then_none),
			T(tw_14_oldest_gives_way),
			T(tw_14_least_time_left_gives_way),
			T(tw_14_default_is_a_quarter_of_the_table),
			T(tw_14_tw_15_newest_is_skipped_by_knob),
			T(tw_15_each_fate_has_its_counter),
			T(tw_17_jump_of_ten_minutes_ends_some_a_pass),
			T(tw_17_32_bit_milliseconds_may_wrap),
			T(tw_18_restart_wins_over_expiry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
