/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: opening from both sides beyond what one state shows: errors of OPEN, initial
 * numbers, negotiation, limits of a listener, stale and lost segments, and every mix of
 * flags (RFC 9293 3.5, 3.10; 6528; 7323; OPEN-1 to OPEN-40, RES-4, RES-8, W-27). Method:
 * scripts for one connection, a bed of stations for many. */

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

static struct bed bed;

static struct pmtcp_listener *
listen_on(uint16_t port, const struct pmtcp_listen_opts *opts)
{
	struct pmtcp_addr local = pmtcp_addr4(0, port);
	struct pmtcp_listener *l = NULL;

	assert_int_equal(pmtcp_listen(bed.ctx, &local, opts, &l), 0);
	return l;
}

/* ---- scripts ---- */

ROW(open_2_queued_text_leaves_with_the_opening_ack, &rows_plain,
		"{open}; < S i= 0; {send 10}; .; {recv 1}=-EAGAIN; > SA p i+1;"
		"< PA i+1 p+1 len=10; .; [CONNECTED]; > A p+1 i+11; .")
ROW(open_5_third_ack_with_text_and_fin, &rows_plain,
		"{listen}; > S p; < SA i= p+1; > PFA p+1 i+1 len=5; [ACCEPTED READABLE PEER_FIN];"
		"< A i+1 p+7; .; = CLW; {recv 9}=5; {recv 1}=0")
ROW(open_6_data_replaces_a_lost_third_ack, &rows_plain,
		"{listen}; > S p; < SA i= p+1; > PA p+1 i+1 len=10; [ACCEPTED READABLE]; +42;"
		"< A i+1 p+11; {recv 10}; .")
ROW(open_19_simultaneous_open_completes_by_syn_ack, &rows_plain,
		"{open}; < S i= 0; > S p; < SA i p+1; = SYR; > SA p i+1; [CONNECTED];"
		"< A i+1 p+1; .; = EST")
ROW(open_19_simultaneous_open_completes_by_ack, &rows_plain,
		"{open}; < S i= 0; > S p; < SA i p+1; > A p+1 i+1; [CONNECTED]; .; = EST")
ROW(open_20_text_on_syn_ack_is_taken, &rows_plain,
		"{open}; < S i= 0; > SA p i+1 len=4; < A i+1 p+5; [CONNECTED READABLE]; {recv 9}=4")
ROW(open_20_fin_on_syn_ack_is_taken, &rows_plain,
		"{open}; < S i= 0; > SFA p i+1 len=4; < A i+1 p+6; [CONNECTED READABLE PEER_FIN];"
		"= CLW; {recv 9}=4; {recv 1}=0")
/* OPEN-21: our third ACK was lost; the SYN-ACK again is challenged, which completes it. */
ROW(open_21_repeated_syn_ack_is_answered, &rows_plain,
		REACH_EST "; > SA p i+1; < A i+1 p+1; []; = EST")
/* OPEN-22, RFC 9293 figure 8: the stale SYN leaves nothing. */
ROW(open_22_stale_syn_is_cleared_by_rst, &rows_plain,
		"{listen}; > S p-10; < SA i= p-9; > R p-9; .; []; = LIS; > S p; < SA i= p+1;"
		"> A p+1 i+1; [ACCEPTED]; = EST; # half_open_reset")
/* OPEN-23, figure 9: the peer came up anew. */
ROW(open_23_half_open_is_discovered, &rows_plain,
		REACH_EST_PAS "; > S p+5000; < A i+1 p+1; > R p+1; [CLOSED PEER_RESET]; {close}; .;"
			      "> S p+5000; < SA i= p+5001; > A p+5001 i+1; [ACCEPTED]; = EST")
ROW(open_25_equal_syns_make_one_half_open, &rows_plain,
		"{listen}; > S p; < SA i= p+1; > S p; < SA i p+1; = SYR; # half_open_created")
ROW(open_27_wrong_third_ack_leaves_the_half_open, &rows_plain,
		"{listen}; > S p; < SA i= p+1; > A p+1 i+9; < R i+9 0; = SYR; > A p+1 i+1;"
		"[ACCEPTED]; .; = EST")
/* OPEN-8: the window of a SYN is never scaled. */
ROW(open_8_without_options_nothing_is_negotiated, &((const struct ep_opts){0}),
		"{listen}; > S p wnd=1000; < SA i= p+1; > A p+1 i+1 wnd=1000; [ACCEPTED];"
		"? snd_wnd 1000; {send 1000}; < PA i+1 p+1 len=1000; > A p+1 i+1001; .")

/* ---- errors of OPEN ---- */

/* OPEN-10, OPEN-28: each its code, and nothing is sent. */
static void
open_10_bad_addresses_are_refused(void **state)
{
	static const struct {
		uint32_t lip, rip;
		uint16_t lport, rport;
		int want;
	} rows[] = {
			{0, 0, 0, 80, -EINVAL},
			{0, TEST_PEER, 0, 0, -EINVAL},
			{0, PMTCP_IP4(255, 255, 255, 255), 0, 80, -EINVAL},
			{0, PMTCP_IP4(10, 0, 0, 255), 0, 80, -EINVAL},
			{0, PMTCP_IP4(224, 0, 0, 5), 0, 80, -EINVAL},
			{0, PMTCP_IP4(127, 0, 0, 1), 0, 80, -EINVAL},
			{0, PMTCP_IP4(0, 0, 0, 9), 0, 80, -EINVAL},
			{0, TEST_ADDR, 0, 80, -EINVAL},
			{TEST_ADDR, TEST_ADDR, 80, 80, -EINVAL},
			{PMTCP_IP4(10, 0, 0, 77), TEST_PEER, 0, 80, -EINVAL},
			{0, PMTCP_IP4(192, 168, 1, 1), 0, 80, -ENETUNREACH},
	};
	struct pmtcp_addr six = {.version = 6, .port = 80};
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		struct pmtcp_addr local = pmtcp_addr4(rows[i].lip, rows[i].lport);
		struct pmtcp_addr remote = pmtcp_addr4(rows[i].rip, rows[i].rport);

		assert_int_equal(
				pmtcp_connect(bed.ctx, &local, &remote, NULL, &conn), rows[i].want);
	}
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &six, NULL, &conn), -EAFNOSUPPORT);
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_stats(&bed).blocks_used, 0);
	bed_destroy(&bed);
}

static void
tune_two_conns(struct pmtcp_conf *conf)
{
	conf->max_conns = 2;
}

/* RES-3: out of blocks is -ENFILE and nothing else; RES-8: a third ACK that finds none
 * leaves the half-open, whose SYN-ACK comes again. */
static void
res_8_block_share_empty(void **state)
{
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, 80);
	struct bed_peer peer = {.ip = TEST_PEER, .port = 4000, .local_port = 80, .seq = 100};
	struct pmtcp_conn *conn[2], *extra;

	(void)state;
	bed_create(&bed, tune_two_conns);
	listen_on(80, NULL);
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn[0]), 0);
	bed_peer_sends(&bed, &peer, PKT_SYN, 0);
	bed_turn(&bed);
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn[1]), 0);
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &extra), -ENFILE);
	while (bed_take(&bed) != NULL)
		if (bed.taken.flags == (PKT_SYN | PKT_ACK))
			peer.ack = bed.taken.seq + 1;
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_tcb_full), 1);
	assert_int_equal(bed_stats(&bed).half_open, 1);
	/* A new SYN is dropped. */
	peer.port = 4001;
	bed_peer_sends(&bed, &peer, PKT_SYN, 0);
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_tcb_full), 2);
	bed_forget(&bed);
	pmtcp_detach(conn[0]);
	bed_advance(&bed, 1010 * BED_MS);
	while (bed_take(&bed) != NULL)
		if (bed.taken.flags == (PKT_SYN | PKT_ACK))
			break;
	peer.port = 4000;
	peer.seq = 101;
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).flags, PMTCP_EV_ACCEPTED);
	bed_destroy(&bed);
}

/* ---- initial numbers ---- */

static uint32_t
iss_of(uint16_t rport)
{
	struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, 5000);
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, rport);
	struct pmtcp_conn *conn;
	uint32_t seq;

	assert_int_equal(pmtcp_connect(bed.ctx, &local, &remote, NULL, &conn), 0);
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	seq = bed.taken.seq;
	pmtcp_detach(conn);
	bed_turn(&bed);
	return seq;
}

static void
tune_other_isn(struct pmtcp_conf *conf)
{
	conf->secrets.isn[1] ^= 1;
}

static void
open_7_isn_rises_by_the_clock_and_hides_the_tuple(void **state)
{
	uint32_t bins[16] = {0}, first, other;

	(void)state;
	bed_create(&bed, NULL);
	first = iss_of(80);
	bed_advance(&bed, 1000 * BED_MS);
	/* 4 us per number. */
	assert_int_equal(iss_of(80) - first, 250000);
	for (uint32_t i = 1; i <= 16000; i++)
		bins[iss_of((uint16_t)i) >> 28]++;
	/* Uniform: 1000 per bin, 5 sigma are 155. */
	for (int i = 0; i < 16; i++)
		assert_in_range(bins[i], 845, 1155);
	bed_destroy(&bed);
	bed_create(&bed, tune_other_isn);
	other = iss_of(80);
	assert_true(other - first > 1000000 && first - other > 1000000);
	bed_destroy(&bed);
}

/* ---- listeners ---- */

/* OPEN-29: the limit holds, the newest are served, connections are left alone. */
static void
open_29_half_open_limit_replaces(void **state)
{
	struct pmtcp_listen_opts opts = {.half_open_max = 4, .syn_cookies = PMTCP_COOKIES_OFF};
	struct bed_peer old = {.ip = TEST_PEER, .port = 3999, .local_port = 80, .seq = 100};
	struct pmtcp_conn *conn;
	uint32_t answers = 0;

	(void)state;
	bed_create(&bed, NULL);
	listen_on(80, &opts);
	conn = bed_accept(&bed, &old);
	assert_non_null(conn);
	for (uint16_t i = 0; i < 10; i++) {
		struct bed_peer peer = {.ip = TEST_PEER, .local_port = 80, .seq = 100};

		peer.port = (uint16_t)(4000 + i);
		bed_peer_sends(&bed, &peer, PKT_SYN, 0);
		bed_turn(&bed);
		answers += bed_forget(&bed);
		assert_true(bed_stats(&bed).half_open <= 4);
	}
	assert_int_equal(bed_stats(&bed).half_open, 4);
	assert_int_equal(bed_counter(&bed, PMTCP_C_half_open_replaced) +
					 bed_counter(&bed, PMTCP_C_drop_syn_limit),
			6);
	assert_int_equal(answers, 10 - bed_counter(&bed, PMTCP_C_drop_syn_limit));
	bed_peer_sends(&bed, &old, PKT_ACK | PKT_PSH, 5);
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).flags, PMTCP_EV_READABLE);
	bed_destroy(&bed);
}

/* OPEN-29: above conn_max silence, or RST if the listener says so. */
static void
open_29_conn_limit_is_silent_or_resets(void **state)
{
	(void)state;
	for (int rst = 0; rst < 2; rst++) {
		struct pmtcp_listen_opts opts = {.conn_max = 2, .rst_on_overflow = rst};
		struct bed_peer peer[3];
		struct pmtcp_conn *conn[2];

		bed_create(&bed, NULL);
		listen_on(80, &opts);
		for (uint16_t i = 0; i < 3; i++)
			peer[i] = (struct bed_peer){.ip = TEST_PEER,
					.port = (uint16_t)(4000 + i),
					.local_port = 80,
					.seq = 100};
		conn[0] = bed_accept(&bed, &peer[0]);
		conn[1] = bed_accept(&bed, &peer[1]);
		assert_non_null(conn[1]);
		bed_peer_sends(&bed, &peer[2], PKT_SYN, 0);
		bed_turn(&bed);
		assert_int_equal(bed_take(&bed) != NULL, rst);
		if (rst) {
			assert_int_equal(bed.taken.flags, PKT_RST | PKT_ACK);
			assert_int_equal(bed.taken.ack, 101);
		}
		assert_int_equal(bed_counter(&bed, PMTCP_C_drop_conn_limit), 1);
		/* One ends: there is room again. */
		pmtcp_abort(conn[0]);
		bed_turn(&bed);
		bed_forget(&bed);
		bed_event(&bed);
		peer[2].seq = 100;
		assert_non_null(bed_accept(&bed, &peer[2]));
		bed_destroy(&bed);
	}
}

/* OPEN-39: three half-opens get three RSTs, the accepted one stays, new SYNs RST0. */
static void
open_39_unlisten_resets_half_opens_only(void **state)
{
	struct bed_peer peer[5];
	struct pmtcp_listener *l;
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	l = listen_on(80, NULL);
	for (uint16_t i = 0; i < 5; i++)
		peer[i] = (struct bed_peer){.ip = TEST_PEER,
				.port = (uint16_t)(4000 + i),
				.local_port = 80,
				.seq = 100};
	conn = bed_accept(&bed, &peer[0]);
	assert_non_null(conn);
	for (int i = 1; i < 4; i++) {
		bed_peer_sends(&bed, &peer[i], PKT_SYN, 0);
		assert_non_null(bed_peer_gets(&bed, &peer[i]));
	}
	pmtcp_unlisten(l);
	for (int i = 1; i < 4; i++) {
		const struct pkt *p = bed_peer_gets(&bed, &peer[i]);

		assert_non_null(p);
		assert_int_equal(p->flags, PKT_RST | PKT_ACK);
		assert_int_equal(p->seq, peer[i].ack);
		assert_int_equal(p->ack, 101);
	}
	assert_int_equal(bed_stats(&bed).half_open, 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_half_open_closed), 3);
	bed_peer_sends(&bed, &peer[4], PKT_SYN, 0);
	assert_int_equal(bed_peer_gets(&bed, &peer[4])->flags, PKT_RST | PKT_ACK);
	bed_peer_sends(&bed, &peer[0], PKT_ACK | PKT_PSH, 5);
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).flags, PMTCP_EV_READABLE);
	listen_on(80, NULL);
	bed_destroy(&bed);
}

/* OPEN-3, OPEN-11, RES-4: the exact address before any; one port serves them all. */
static void
tune_crowd(struct pmtcp_conf *conf)
{
	conf->prefix_len = 8;
	conf->max_conns = 5100;
	conf->max_half_open = 200;
	conf->n_static_neigh = 0;
	conf->gateway = 0;
	conf->max_neighbours = 200;
}

static void
res_4_one_port_serves_thousands(void **state)
{
	(void)state;
	bed_create(&bed, tune_crowd);
	listen_on(80, NULL);
	for (uint32_t i = 0; i < 5000; i++) {
		struct bed_peer peer = {.ip = PMTCP_IP4(10, 0, 1, 0) + i % 100,
				.port = (uint16_t)(1000 + i / 100),
				.local_port = 80,
				.seq = i};

		if (i < 100) {
			struct rte_ether_addr mac = ctx_mac_of(peer.ip);
			struct pmtcp_addr addr = pmtcp_addr4(peer.ip, 0);

			pmtcp_neigh_update(bed.ctx, bed.now, &addr, &mac);
			assert_true(pmtcp_neigh_resolve(bed.ctx, bed.now, &addr) >= 0);
			pmtcp_neigh_update(bed.ctx, bed.now, &addr, &mac);
			bed_turn(&bed);
			bed_forget(&bed);
		}
		assert_non_null(bed_accept(&bed, &peer));
	}
	assert_int_equal(bed_stats(&bed).state[PMTCP_ESTABLISHED], 5000);
	bed_destroy(&bed);
}

/* ---- every mix of flags ---- */

/* W-27: all 256 in each state: no crash, the books balance, and in a synchronized state
 * only an exact RST (number RCV.NXT) ends the connection. */
static void
sweep_flags(const char *name, const char *reach, uint32_t seq_off, uint32_t ack_off)
{
	static struct ep ep;

	for (uint32_t flags = 0; flags < 256; flags++) {
		struct ep_opts opts = rows_plain;
		struct build b = {.saddr = TEST_PEER, .daddr = TEST_ADDR, .sport = EP_PEER_PORT};
		struct rte_ether_addr self = ctx_mac_of(TEST_ADDR), peer = ctx_mac_of(TEST_PEER);

		rows_begin(&ep, name, &opts, reach);
		memcpy(b.dmac, self.addr_bytes, 6);
		memcpy(b.smac, peer.addr_bytes, 6);
		b.dport = EP_PORT;
		b.seq = ep.irs + seq_off;
		b.ack = ep.iss + ack_off;
		b.flags = (uint8_t)flags;
		b.wnd = 8192;
		b.urg = 65535;
		b.payload = "0123456789";
		b.len = flags % 3 ? 10 : 0;
		ep_inject_mbuf(&ep, build_tcp(ep.pool, &b));
		ep_advance(&ep, 50 * EP_MS);
		while (ep_take(&ep) != NULL) {
			/* OPEN-37: RST is never answered; no RST for a synchronized one. */
			assert_false(flags & PKT_RST && ep.taken.flags & PKT_RST);
			assert_false(ack_off != 0 && ep.taken.flags & PKT_RST);
		}
		if (ack_off != 0 && !(flags & PKT_RST))
			assert_false(ep.events & PMTCP_EV_CLOSED && ep.reason != PMTCP_GRACEFUL);
		ep_advance(&ep, 300 * 1000 * EP_MS);
		while (ep_take(&ep) != NULL)
			;
		ep.events = 0;
		ep.reason = PMTCP_REASON_NONE;
		ep_destroy(&ep);
	}
}

#define SWEEP(state_name, reach, seq_off, ack_off)                                                 \
	static void w_27_flag_sweep_##state_name(void **state)                                     \
	{                                                                                          \
		(void)state;                                                                       \
		sweep_flags("w_27_" #state_name, reach, seq_off, ack_off);                         \
	}

SWEEP(closed, REACH_CLD, 5, 0)
SWEEP(listen, REACH_LIS, 5, 0)
SWEEP(syn_sent, REACH_SYS, 5, 0)
SWEEP(syn_rcvd, REACH_SYR, 1, 0)
SWEEP(established, REACH_EST, 1, 1)
SWEEP(fin_wait_1, REACH_FW1, 1, 1)
SWEEP(fin_wait_2, REACH_FW2, 1, 2)
SWEEP(close_wait, REACH_CLW, 2, 1)
SWEEP(closing, REACH_CLG, 2, 1)
SWEEP(last_ack, REACH_LAK, 2, 1)
SWEEP(time_wait, REACH_TW, 2, 2)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(open_2_queued_text_leaves_with_the_opening_ack),
			cmocka_unit_test(open_5_third_ack_with_text_and_fin),
			cmocka_unit_test(open_6_data_replaces_a_lost_third_ack),
			cmocka_unit_test(open_19_simultaneous_open_completes_by_syn_ack),
			cmocka_unit_test(open_19_simultaneous_open_completes_by_ack),
			cmocka_unit_test(open_20_text_on_syn_ack_is_taken),
			cmocka_unit_test(open_20_fin_on_syn_ack_is_taken),
			cmocka_unit_test(open_21_repeated_syn_ack_is_answered),
			cmocka_unit_test(open_22_stale_syn_is_cleared_by_rst),
			cmocka_unit_test(open_23_half_open_is_discovered),
			cmocka_unit_test(open_25_equal_syns_make_one_half_open),
			cmocka_unit_test(open_27_wrong_third_ack_leaves_the_half_open),
			cmocka_unit_test(open_8_without_options_nothing_is_negotiated),
			cmocka_unit_test(open_10_bad_addresses_are_refused),
			cmocka_unit_test(res_8_block_share_empty),
			cmocka_unit_test(open_7_isn_rises_by_the_clock_and_hides_the_tuple),
			cmocka_unit_test(open_29_half_open_limit_replaces),
			cmocka_unit_test(open_29_conn_limit_is_silent_or_resets),
			cmocka_unit_test(open_39_unlisten_resets_half_opens_only),
			cmocka_unit_test(res_4_one_port_serves_thousands),
			cmocka_unit_test(w_27_flag_sweep_closed),
			cmocka_unit_test(w_27_flag_sweep_listen),
			cmocka_unit_test(w_27_flag_sweep_syn_sent),
			cmocka_unit_test(w_27_flag_sweep_syn_rcvd),
			cmocka_unit_test(w_27_flag_sweep_established),
			cmocka_unit_test(w_27_flag_sweep_fin_wait_1),
			cmocka_unit_test(w_27_flag_sweep_fin_wait_2),
			cmocka_unit_test(w_27_flag_sweep_close_wait),
			cmocka_unit_test(w_27_flag_sweep_closing),
			cmocka_unit_test(w_27_flag_sweep_last_ack),
			cmocka_unit_test(w_27_flag_sweep_time_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
