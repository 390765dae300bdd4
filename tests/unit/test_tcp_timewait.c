/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: TIME-WAIT by time and by number: how long it lasts, what restarts it, who gives
 * way at the cap, when a tuple may be used again (RFC 9293 3.6.1; 1337; 6191; TW-1 to
 * TW-18). Method: scripts where one entry is enough, a bed of stations where not. What
 * each segment does to an entry stands in test_state_time_wait.c. */

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
#include "tcp/tcb.h"

static struct bed bed;

/* ---- how long ---- */

/* TW-1: 60 s; never early, at most 256 ms and a tick late; silent. */
ROW(tw_1_lasts_2msl, &rows_plain,
		REACH_TW "; +59998; .; = TW; +270; .; = CLD; # tw_entered tw_expired")
/* TW-1: by way of CLOSING too; the passive closer never. */
ROW(tw_1_entered_from_closing, &rows_plain, REACH_TW_SIM "; +59s; = TW; +1300; = CLD; # tw_expired")
ROW(tw_1_passive_closer_has_none, &rows_plain,
		REACH_LAK "; > A p+2 i+2; .; [CLOSED GRACEFUL]; = CLD; # tw_entered+0")
/* TW-4: the repeated FIN is answered and starts the 60 s anew. */
ROW(tw_4_repeated_fin_restarts, &rows_plain,
		REACH_TW "; +50s; > FA p+1 i+2; < A i+2 p+2; +59900; .; = TW; +370; .; = CLD;"
			 "# tw_fin_again tw_expired")
/* TW-4: with the data it had. */
ROW(tw_4_repeated_fin_with_text_restarts, &rows_plain,
		REACH_FW2
		"; > PFA p+1 i+2 len=10; < A i+2 p+12; [READABLE PEER_FIN CLOSED GRACEFUL];"
		"{recv 20}=10; {close}; = TW; +50s; > PFA p+1 i+2 len=10; < A i+2 p+12; .;"
		"+59s; = TW; +1300; = CLD; # tw_fin_again")
/* TW-5, TW-6: what is no FIN leaves the expiry alone. */
ROW(tw_6_other_segments_do_not_restart, &rows_plain,
		REACH_TW "; +50s; > R p+2; > A p+2 i+2; > PA p+2 i+2 len=5; > A p+2 i+3; ~; = TW;"
			 "+9990; = TW; +270; = CLD; # tw_rst_ignored tw_fin_again+0")
/* TW-10: two stale SYNs on trial; the entry keeps its old expiry. */
ROW(tw_10_restored_entry_keeps_its_expiry, &rows_plain,
		REACH_TW_PAS "; +30s; > S p+100; ~; = SYR; > R p+101; .; = TW; > FA p+1 i+2;"
			     "< A i+2 p+2; +59s; = TW; +1300; = LIS; # tw_restored tw_fin_again")

/* TW-2, TW-3: a setting of 2 s ends within 2.000 to 2.256 s (and a tick). */
static void
tw_2_own_2msl_is_obeyed(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "tw_2", &rows_plain, REACH_EST);
	assert_int_equal(pmtcp_set(ep.conn, PMTCP_OPT_TW_MS, 2000), 0);
	assert_int_equal(pmtcp_set(ep.conn, PMTCP_OPT_TW_MS, 999), -EINVAL);
	assert_int_equal(pmtcp_set(ep.conn, PMTCP_OPT_TW_MS, 240001), -EINVAL);
	cell_script(&ep, "{shutdown}; < FA i+1 p+1; > FA p+1 i+2; < A i+2 p+2;"
			 "[PEER_FIN CLOSED GRACEFUL]; {close}; = TW; +1998; = TW; +260; = CLD");
	rows_end(&ep);
}

/* TW-2: 2MSL 0 is CLOSED at once, and the last ACK is sent all the same. */
static void
tw_2_none_skips_and_still_acks(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "tw_2_none", &rows_plain, REACH_EST);
	assert_int_equal(pmtcp_set(ep.conn, PMTCP_OPT_TW_MS, 0), 0);
	cell_script(&ep, "{shutdown}; < FA i+1 p+1; > FA p+1 i+2; < A i+2 p+2;"
			 "[PEER_FIN CLOSED GRACEFUL]; {close}; .; = CLD; # tw_skipped tw_entered+0;"
			 "> FA p+1 i+2; < R i+2 0");
	rows_end(&ep);
}

static void
tw_3_entry_is_64_octets(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct time_wait), 64);
}

/* CLOSE-11: the full block is given back, the small one lives. */
static void
close_11_block_is_given_back(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .seq = 1000};
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	assert_int_equal(bed_stats(&bed).blocks_used, 1);
	bed_close_first(&bed, &peer, conn);
	assert_int_equal(bed_stats(&bed).live, 0);
	assert_int_equal(bed_stats(&bed).time_wait, 1);
	assert_int_equal(bed_stats(&bed).blocks_used, 1);
	bed_advance(&bed, 61000 * BED_MS);
	assert_int_equal(bed_stats(&bed).blocks_used, 0);
	bed_destroy(&bed);
}

/* ---- at the cap ---- */

static void
tune_cap_10(struct pmtcp_conf *conf)
{
	conf->max_time_wait = 10;
}

static void
tune_cap_10_skip(struct pmtcp_conf *conf)
{
	conf->max_time_wait = 10;
	conf->tw_skip_new = true;
}

/* Fifteen tuples into TIME-WAIT, 100 ms apart. */
static void
close_fifteen(struct bed_peer *peers)
{
	for (uint16_t i = 0; i < 15; i++) {
		struct pmtcp_conn *conn;

		peers[i] = (struct bed_peer){.ip = TEST_PEER, .port = (uint16_t)(80 + i), .seq = 7};
		assert_int_equal(bed_open(&bed, &peers[i], 0, &conn), 0);
		bed_close_first(&bed, &peers[i], conn);
		bed_advance(&bed, 100 * BED_MS);
	}
}

/* Does the entry answer the FIN again (an ACK) or is it gone (an RST)? */
static bool
is_waiting(struct bed_peer *peer)
{
	const struct pkt *p;

	peer->seq--;
	bed_peer_sends(&bed, peer, PKT_FIN | PKT_ACK, 0);
	p = bed_peer_gets(&bed, peer);
	assert_non_null(p);
	return p->flags == PKT_ACK;
}

/* TW-14: the ten newest are kept. */
static void
tw_14_cap_evicts_the_oldest(void **state)
{
	struct bed_peer peers[15];

	(void)state;
	bed_create(&bed, tune_cap_10);
	close_fifteen(peers);
	assert_int_equal(bed_stats(&bed).time_wait, 10);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_evicted), 5);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_entered), 15);
	for (int i = 0; i < 15; i++)
		assert_int_equal(is_waiting(&peers[i]), i >= 5);
	bed_destroy(&bed);
}

static void
tw_14_cap_may_skip_the_new(void **state)
{
	struct bed_peer peers[15];

	(void)state;
	bed_create(&bed, tune_cap_10_skip);
	close_fifteen(peers);
	assert_int_equal(bed_stats(&bed).time_wait, 10);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_skipped), 5);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_evicted), 0);
	for (int i = 0; i < 15; i++)
		assert_int_equal(is_waiting(&peers[i]), i < 10);
	bed_destroy(&bed);
}

/* ---- reuse by our own open ---- */

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
	conf->tw_reuse = true;
}

static void
tune_no_reuse(struct pmtcp_conf *conf)
{
	conf->tw_reuse = false;
}

/* A tuple with local port 5000 in TIME-WAIT. */
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
tw_12_reuse_before_one_second_is_busy(void **state)
{
	struct pmtcp_conn *conn;
	struct bed_peer peer;
	const struct pkt *p;
	uint32_t old_nxt, old_tsval;

	(void)state;
	wait_on_5000(&peer, tune_reuse, true);
	old_nxt = peer.ack;
	old_tsval = peer.tsecr;
	bed_advance(&bed, 900 * BED_MS);
	assert_int_equal(connect_from(5000, &conn), -EBUSY);
	bed_advance(&bed, 200 * BED_MS);
	assert_int_equal(connect_from(5000, &conn), 0);
	p = bed_peer_gets(&bed, &peer);
	assert_int_equal(p->flags, PKT_SYN);
	/* TW-10, TW-12: numbers and clock are ahead of all that was. */
	assert_true((int32_t)(p->seq - (old_nxt + 65537)) >= 0);
	assert_true((int32_t)(p->tsval - old_tsval) > 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_reused_out), 1);
	assert_int_equal(bed_stats(&bed).time_wait, 0);
	pmtcp_abort(conn);
	bed_destroy(&bed);
}

/* TW-12: the peer still in LAST-ACK challenges our SYN; the RST that follows frees it,
 * and the SYN goes out again without waiting for its timer. */
static void
tw_12_challenge_to_the_reusing_syn_gets_rst(void **state)
{
	struct pmtcp_conn *conn;
	struct bed_peer peer;
	const struct pkt *p;

	(void)state;
	wait_on_5000(&peer, tune_reuse, true);
	bed_advance(&bed, 1100 * BED_MS);
	assert_int_equal(connect_from(5000, &conn), 0);
	p = bed_peer_gets(&bed, &peer);
	assert_int_equal(p->flags, PKT_SYN);
	peer.ack = p->seq - 70000; /* what the old connection expected */
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	p = bed_peer_gets(&bed, &peer);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_RST);
	assert_int_equal(bed_stats(&bed).state[PMTCP_SYN_SENT], 1);
	bed_advance(&bed, 10 * BED_MS);
	p = bed_peer_gets(&bed, &peer);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_SYN);
	bed_peer_sends(&bed, &peer, PKT_SYN | PKT_ACK, 0);
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).flags, PMTCP_EV_CONNECTED);
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_destroy(&bed);
}

static void
tw_12_without_timestamps_or_knob_is_busy(void **state)
{
	struct pmtcp_conn *conn;
	struct bed_peer peer;

	(void)state;
	wait_on_5000(&peer, tune_reuse, false);
	bed_advance(&bed, 30000 * BED_MS);
	assert_int_equal(connect_from(5000, &conn), -EBUSY);
	bed_destroy(&bed);
	wait_on_5000(&peer, tune_no_reuse, true);
	bed_advance(&bed, 30000 * BED_MS);
	assert_int_equal(connect_from(5000, &conn), -EBUSY);
	bed_advance(&bed, 31000 * BED_MS);
	assert_int_equal(connect_from(5000, &conn), 0);
	pmtcp_abort(conn);
	bed_destroy(&bed);
}

/* ---- passes ---- */

static void
tune_many(struct pmtcp_conf *conf)
{
	conf->max_time_wait = 4000;
	conf->max_port_pairs = 64;
}

static uint32_t
wait_n(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .seq = 1000};
		struct pmtcp_conn *conn;

		assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
		bed_close_first(&bed, &peer, conn);
	}
	return bed_stats(&bed).time_wait;
}

/* TW-17: after a jump of ten minutes at most 512 end per pass, the rest in the next. */
static void
tw_17_clock_jump_expires_in_bounded_passes(void **state)
{
	uint32_t left;

	(void)state;
	bed_create(&bed, tune_many);
	left = wait_n(3000);
	assert_int_equal(left, 3000);
	bed.now += 600000 * BED_MS;
	for (int pass = 0; left > 0; pass++) {
		uint32_t before = left;

		assert_true(pass < 10);
		assert_true(pmtcp_deadline(bed.ctx) <= bed.now);
		pmtcp_tick(bed.ctx, bed.now);
		left = bed_stats(&bed).time_wait;
		assert_true(before - left <= 512 && before > left);
	}
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_expired), 3000);
	bed_destroy(&bed);
}

/* TW-18: a FIN in the turn in which the entry is due: restarted, not ended. */
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
	assert_true(is_waiting(&peer));
	assert_int_equal(bed_stats(&bed).time_wait, 1);
	bed_advance(&bed, 59000 * BED_MS);
	assert_int_equal(bed_stats(&bed).time_wait, 1);
	bed_advance(&bed, 1300 * BED_MS);
	assert_int_equal(bed_stats(&bed).time_wait, 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_expired), 1);
	bed_destroy(&bed);
}

/* TW-15: what is left at the end is flushed and the identity still holds. */
static void
tw_15_counters_name_the_peak(void **state)
{
	(void)state;
	bed_create(&bed, tune_many);
	wait_n(40);
	bed_advance(&bed, 61000 * BED_MS);
	wait_n(7);
	assert_int_equal(bed_stats(&bed).time_wait_peak, 40);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_entered), 47);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_expired), 40);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(tw_1_lasts_2msl),
			cmocka_unit_test(tw_1_entered_from_closing),
			cmocka_unit_test(tw_1_passive_closer_has_none),
			cmocka_unit_test(tw_4_repeated_fin_restarts),
			cmocka_unit_test(tw_4_repeated_fin_with_text_restarts),
			cmocka_unit_test(tw_6_other_segments_do_not_restart),
			cmocka_unit_test(tw_10_restored_entry_keeps_its_expiry),
			cmocka_unit_test(tw_2_own_2msl_is_obeyed),
			cmocka_unit_test(tw_2_none_skips_and_still_acks),
			cmocka_unit_test(tw_3_entry_is_64_octets),
			cmocka_unit_test(close_11_block_is_given_back),
			cmocka_unit_test(tw_14_cap_evicts_the_oldest),
			cmocka_unit_test(tw_14_cap_may_skip_the_new),
			cmocka_unit_test(tw_12_reuse_before_one_second_is_busy),
			cmocka_unit_test(tw_12_challenge_to_the_reusing_syn_gets_rst),
			cmocka_unit_test(tw_12_without_timestamps_or_knob_is_busy),
			cmocka_unit_test(tw_17_clock_jump_expires_in_bounded_passes),
			cmocka_unit_test(tw_18_restart_wins_over_expiry),
			cmocka_unit_test(tw_15_counters_name_the_peak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
