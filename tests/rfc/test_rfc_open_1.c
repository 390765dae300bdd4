/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: OPEN-1 to OPEN-14 of doc/requirements.md, row after row: the SYN and its answer,
 * numbers, options, errors of OPEN, what happens when a SYN is lost. Method: scripts for
 * one connection, a bed of stations for more. */

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
static struct ep ep;

static const struct ep_opts all_options = {0};
static const struct ep_opts only_ts = {.conn = {.no_sack = true, .no_wscale = true}};
static const struct ep_opts only_wscale = {.conn = {.no_timestamps = true, .no_sack = true}};
static const struct ep_opts mss_500 = {
		.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true, .mss = 500}};
static const struct ep_opts two_syns = {.conn = {.no_timestamps = true,
							.no_sack = true,
							.no_wscale = true,
							.syn_retries = 2}};

static struct pmtcp_listener *
listen_on(uint16_t port)
{
	struct pmtcp_addr local = pmtcp_addr4(0, port);
	struct pmtcp_listener *l = NULL;

	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
	return l;
}

/* ---- OPEN-1 ---- */

static void
open_1_syn_offers_everything(void **state)
{
	const struct pkt *p;

	(void)state;
	rows_begin(&ep, __func__, &all_options, "{open}");
	ep_turn(&ep);
	p = ep_take(&ep);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_SYN);
	assert_int_equal(p->ack, 0);
	assert_int_equal(p->len, 0);
	assert_int_equal(p->opts, PKT_OPT_MSS | PKT_OPT_SACK_PERM | PKT_OPT_TS | PKT_OPT_WSCALE);
	assert_int_equal(p->mss, 1460);
	assert_int_equal(p->tsecr, 0);
	ep.iss = p->seq;
	cell_script(&ep, "= SYS; ? snd_una i; ? snd_nxt i+1; # opened_active; +999; .; +2;"
			 "< S i 0 ts=0; {close}; [CLOSED LOCAL_CLOSE]");
	rows_end(&ep);
}

/* ---- OPEN-2 ---- */

ROW(open_2_syn_ack_opens, &rows_plain,
		"{open}; < S i= 0; > SA p i+1; < A i+1 p+1; .; [CONNECTED]; = EST; ? rcv_nxt p+1;"
		"? snd_una i+1")
ROW(open_2_queued_text_rides_on_the_ack, &rows_plain,
		"{open}; < S i= 0; {send 10}; .; > SA p i+1; < PA i+1 p+1 len=10; .; [CONNECTED];"
		"> A p+1 i+11; .")
ROW(open_2_ack_is_never_delayed, &rows_plain,
		"{open}; < S i= 0; > SA p i+1; [CONNECTED]; < A i+1 p+1; # ack_sent ack_delayed+0")

/* ---- OPEN-3 ---- */

static void
open_3_listener_answers_and_stays(void **state)
{
	(void)state;
	bed_create(&bed, NULL);
	listen_on(80);
	for (uint16_t i = 0; i < 2; i++) {
		struct bed_peer peer = {.ip = TEST_PEER, .local_port = 80, .seq = 7000};

		peer.port = (uint16_t)(4000 + i);
		bed_peer_sends(&bed, &peer, PKT_SYN, 0);
		assert_non_null(bed_peer_gets(&bed, &peer));
		assert_int_equal(bed.taken.flags, PKT_SYN | PKT_ACK);
		assert_int_equal(bed.taken.ack, 7001);
		assert_int_equal(bed_stats(&bed).state[PMTCP_SYN_RCVD], i + 1);
		assert_int_equal(bed_stats(&bed).half_open, i + 1);
		assert_int_equal(bed_stats(&bed).live, 0);
	}
	bed_destroy(&bed);
}

/* ---- OPEN-4 ---- */

ROW(open_4_third_ack_opens, &rows_plain,
		"{listen}; > S p; < SA i= p+1; = SYR; []; > A p+1 i+1 wnd=5000; [ACCEPTED]; .; = "
		"EST;"
		"? snd_wnd 5000; ? snd_una i+1")
ROW(open_4_its_window_is_scaled, &only_wscale,
		"{listen}; > S p ws=7; < SA i= p+1; > A p+1 i+1 wnd=5000; [ACCEPTED]; .;"
		"? snd_wnd 640000")
ROW(open_4_simultaneous_open_is_connected, &rows_plain,
		"{open}; < S i= 0; > S p; < SA i p+1; = SYR; > A p+1 i+1; [CONNECTED]; .; = EST")

/* ---- OPEN-5 ---- */

ROW(open_5_third_ack_with_text_and_fin, &rows_plain,
		"{listen}; > S p; < SA i= p+1; > PFA p+1 i+1 len=5; [ACCEPTED READABLE PEER_FIN];"
		"< A i+1 p+7; .; = CLW; {recv 9}=5; {recv 1}=0")

/* ---- OPEN-6 ---- */

ROW(open_6_syn_is_repeated_until_acknowledged, &rows_plain,
		"{open}; < S i= 0; +1001; < S i 0; > SA p i+1; < A i+1 p+1; [CONNECTED]; +10s; .")
ROW(open_6_text_replaces_a_lost_third_ack, &rows_plain,
		"{listen}; > S p; < SA i= p+1; > PA p+1 i+1 len=10; [ACCEPTED READABLE]; +42;"
		"< A i+1 p+11; {recv 10}")
ROW(open_6_first_text_has_the_number_of_the_third_ack, &rows_plain,
		REACH_EST "; {send 10}; < PA i+1 p+1 len=10; > A p+1 i+11; .; ? snd_una i+11")

/* ---- OPEN-7 ---- */

static uint32_t
iss_of(uint16_t lport, uint16_t rport)
{
	struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, lport);
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

/* 100 000 tuples in 16 bins: 6250 each, 5 sigma are 383. */
static void
open_7_isn_rises_and_hides_the_tuple(void **state)
{
	uint32_t bins[16] = {0}, first;

	(void)state;
	bed_create(&bed, NULL);
	first = iss_of(500, 80);
	assert_true(first > 1);
	bed_advance(&bed, 1000 * BED_MS);
	assert_int_equal(iss_of(500, 80) - first, 250000);
	for (uint32_t i = 0; i < 100000; i++)
		bins[iss_of((uint16_t)(600 + i / 50000), (uint16_t)(1 + i % 50000)) >> 28]++;
	for (int i = 0; i < 16; i++)
		assert_in_range(bins[i], 6250 - 383, 6250 + 383);
	bed_destroy(&bed);
}

static void
tune_other_isn(struct pmtcp_conf *conf)
{
	conf->secrets.isn[1] ^= 1;
}

/* Nor does it rest on the order of opens. */
static void
open_7_isn_is_of_key_tuple_and_time(void **state)
{
	uint32_t first, other;

	(void)state;
	bed_create(&bed, NULL);
	first = iss_of(500, 80);
	bed_destroy(&bed);
	bed_create(&bed, NULL);
	iss_of(501, 80);
	assert_int_equal(iss_of(500, 80), first);
	bed_destroy(&bed);
	bed_create(&bed, tune_other_isn);
	other = iss_of(500, 80);
	assert_true(other - first > 1000000 && first - other > 1000000);
	bed_destroy(&bed);
}

/* ---- OPEN-8 ---- */

static struct ep_seg
syn_with(bool has_ts, bool has_ws)
{
	return (struct ep_seg){.flags = "S",
			.seq = EP_PEER_ISS,
			.wnd = 1000,
			.mss = 1460,
			.wscale = has_ws ? 7 : -1,
			.has_ts = has_ts,
			.tsval = 50};
}

static void
open_8_syn_ack_has_what_the_syn_had(void **state)
{
	static const uint8_t want[] = {PKT_OPT_MSS, PKT_OPT_MSS | PKT_OPT_TS,
			PKT_OPT_MSS | PKT_OPT_WSCALE, PKT_OPT_MSS | PKT_OPT_TS | PKT_OPT_WSCALE};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct ep_seg syn = syn_with(i & 1, i & 2);
		const struct pkt *p;

		rows_begin(&ep, __func__, &all_options, "{listen}");
		ep_inject(&ep, &syn);
		ep_turn(&ep);
		p = ep_take(&ep);
		assert_non_null(p);
		assert_int_equal(p->opts, want[i]);
		rows_end(&ep);
	}
}

ROW(open_8_refused_options_never_appear, &all_options,
		"{listen}; > S p wnd=1000; < SA i= p+1; > A p+1 i+1 wnd=1000; [ACCEPTED];"
		"? snd_wnd 1000; {send 1000}; < PA i+1 p+1 len=1000; > A p+1 i+1001; .;"
		"> PA p+11 i+1001 len=10; < A i+1001 p+1")
ROW(open_8_window_of_a_syn_ack_is_literal, &only_wscale,
		"{open}; < S i= 0; > SA p i+1 ws=7 wnd=1000; < A i+1 p+1; [CONNECTED];"
		"? snd_wnd 1000; > A p+1 i+1 wnd=1000; .; ? snd_wnd 128000")
/* The SYN's 1000 are not 128000 when text is queued for the opening ACK. */
ROW(open_8_window_of_a_syn_is_literal, &only_wscale,
		"{open}; < S i= 0; > S p ws=7 wnd=1000; < SA i p+1; > SA p i+1 ws=7 wnd=1000;"
		"[CONNECTED]; < A i+1 p+1; ? snd_wnd 896")

/* ---- OPEN-9 ---- */

ROW(open_9_mss_is_mtu_less_forty, &rows_plain,
		"{open}; < S i= 0 mss=1460; > S p; < SA i p+1 mss=1460; > A p+1 i+1; [CONNECTED]; "
		".")
ROW(open_9_cap_is_offered, &mss_500,
		"{listen}; > S p mss=1460; < SA i= p+1 mss=500; > A p+1 i+1; [ACCEPTED];"
		"{send 900}; < A i+1 p+1 len=500; < PA i+501 p+1 len=400; > A p+1 i+901; .")
ROW(open_9_cookie_offers_the_cap_too, &mss_500,
		"{cookies}; {listen}; > S p mss=1460; < SA i= p+1 mss=500; > A p+1 i+1; [ACCEPTED];"
		"{send 900}; < A i+1 p+1 len=500; < PA i+501 p+1 len=400; > A p+1 i+901; .")
ROW(open_9_timestamps_take_twelve, &only_ts,
		"{listen}; > S p ts=100:0; < SA i= p+1 mss=1460 ts=100; > A p+1 i+1 ts=101:0;"
		"[ACCEPTED]; {send 2896}; < A i+1 p+1 len=1448 ts=101; < PA i+1449 p+1 len=1448 "
		"ts=101; > A p+1 i+2897 ts=102:0; .")
ROW(open_9_peer_mss_is_kept, &only_ts,
		"{listen}; > S p mss=1000 ts=100:0; < SA i= p+1 ts=100; > A p+1 i+1 ts=101:0;"
		"[ACCEPTED]; {send 1976}; < A i+1 p+1 len=988 ts=101; < PA i+989 p+1 len=988 "
		"ts=101;"
		"> A p+1 i+1977 ts=102:0; .")
/* W-31: less than 88 is 88, also 0. */
ROW(open_9_least_mss_is_88, &rows_plain,
		"{listen}; > S p mss=0; < SA i= p+1; > A p+1 i+1; [ACCEPTED]; {send 176};"
		"< A i+1 p+1 len=88; < PA i+89 p+1 len=88; > A p+1 i+177; .")

/* ---- OPEN-10 ---- */

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
			{0, PMTCP_IP4(224, 0, 0, 1), 0, 80, -EINVAL},
			{0, PMTCP_IP4(239, 255, 255, 255), 0, 80, -EINVAL},
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

ROW(open_10_taken_tuple_is_refused, &rows_plain, REACH_EST "; {open}=-EISCONN; .; = EST")

static void
tune_one_conn(struct pmtcp_conf *conf)
{
	conf->max_conns = 1;
}

/* RES-3 has the ports. */
static void
open_10_without_a_block_nothing_is_sent(void **state)
{
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, 80);
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, tune_one_conn);
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), 0);
	bed_turn(&bed);
	assert_int_equal(bed_forget(&bed), 1);
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), -ENFILE);
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	bed_destroy(&bed);
}

/* ---- OPEN-11 ---- */

static void
tune_two_addresses(struct pmtcp_conf *conf)
{
	conf->ranges[0].last = conf->ranges[0].first + 9;
}

static void
open_11_local_address_is_fixed_at_the_call(void **state)
{
	static const uint32_t given[] = {0, PMTCP_IP4(10, 0, 0, 7)};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pmtcp_addr local = pmtcp_addr4(given[i], 0);
		struct pmtcp_addr remote = pmtcp_addr4(PMTCP_IP4(10, 0, 0, 20), 80);
		const struct pmtcp_neigh neigh = {.addr = remote,
				.mac = ctx_mac_of(remote.ip4),
				.is_confirmed = true};
		struct pmtcp_conn_info info;
		struct pmtcp_conn *conn;

		bed_create(&bed, tune_two_addresses);
		assert_int_equal(pmtcp_connect(bed.ctx, &local, &remote, NULL, &conn), 0);
		pmtcp_conn_info(conn, &info);
		assert_int_equal(info.local.ip4, given[i] ? given[i] : TEST_ADDR);
		bed_turn(&bed);
		bed_forget(&bed);
		pmtcp_neigh_update(bed.ctx, bed.now, &neigh);
		bed_turn(&bed);
		assert_non_null(bed_take(&bed));
		assert_int_equal(bed.taken.flags, PKT_SYN);
		assert_int_equal(bed.taken.saddr, info.local.ip4);
		bed_destroy(&bed);
	}
}

ROW(open_11_listen_on_the_port_of_an_open, &rows_plain,
		"{open}; < S i= 0; {listen}; = SYS; > SA p i+1; < A i+1 p+1; [CONNECTED]; = EST")

static void
open_11_listener_beside_an_open_accepts(void **state)
{
	struct bed_peer other = {.ip = TEST_PEER, .port = 4001, .local_port = 80, .seq = 9};
	struct bed_peer peer = {.ip = TEST_PEER, .port = 4000, .seq = 9};
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(bed_open(&bed, &peer, 80, &conn), 0);
	listen_on(80);
	assert_non_null(bed_accept(&bed, &other));
	bed_peer_sends(&bed, &peer, PKT_ACK | PKT_PSH, 5);
	bed_turn(&bed);
	assert_ptr_equal(bed_event(&bed).conn, conn);
	bed_destroy(&bed);
}

/* ---- OPEN-12 ---- */

static void
open_12_lost_syn_comes_again(void **state)
{
	static const uint32_t at_s[] = {0, 1, 3, 7, 15, 31, 63, 123};
	uint64_t first_ns = 0;
	uint32_t iss = 0;

	(void)state;
	rows_begin(&ep, __func__, &rows_plain, "{open}; +179s");
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(at_s); i++) {
		const struct pkt *p = ep_take(&ep);

		assert_non_null(p);
		if (i == 0) {
			first_ns = ep.taken_ns;
			iss = p->seq;
		}
		assert_int_equal(p->flags, PKT_SYN);
		assert_int_equal(p->seq, iss);
		assert_in_range(ep.taken_ns - first_ns, at_s[i] * 1000 * EP_MS,
				(at_s[i] * 1000 + 20) * EP_MS);
	}
	cell_script(&ep, ".; []; = SYS; +10s; .; [CLOSED TIMEOUT_SYN]; = CLD");
	assert_int_equal(rows_info(&ep).retries, 7);
	assert_int_equal(rows_info(&ep).icmp_type, 0);
	rows_end(&ep);
}

static void
open_12_end_tells_tries_and_soft_error(void **state)
{
	(void)state;
	rows_begin(&ep, __func__, &two_syns,
			"{open}; < S i= 0; +1001; < S i 0; ! icmp 3/1 i; [ERROR UNREACHABLE]; +2s;"
			"< S i 0; +3980; .; []; +40; .; [CLOSED TIMEOUT_SYN]; = CLD");
	assert_int_equal(rows_info(&ep).retries, 2);
	assert_int_equal(rows_info(&ep).icmp_type, 3);
	assert_int_equal(rows_info(&ep).icmp_code, 1);
	rows_end(&ep);
}

ROW(open_12_user_timeout_ends_it_sooner, &rows_plain,
		"{user_timeout_ms 2500}; {open}; < S i= 0; +1001; < S i 0; +1480; []; +40; ~;"
		"[CLOSED TIMEOUT_USER]; = CLD")

/* ---- OPEN-13 ---- */

#define TWO_LOST "{open}; < S i= 0; +1001; < S i 0; +2001; < S i 0; "

ROW(open_13_two_lost_syns_leave_one_segment, &rows_plain,
		TWO_LOST
		"> SA p i+1 wnd=65535; < A i+1 p+1; [CONNECTED]; {send 5000};"
		"< A i+1 p+1 len=1460; .; > A p+1 i+1461 wnd=65535; ~; # syn_retransmitted+2")
ROW(open_13_one_lost_syn_leaves_the_window, &rows_plain,
		"{open}; < S i= 0; +1001; < S i 0; > SA p i+1 wnd=65535; < A i+1 p+1; [CONNECTED];"
		"{send 2920}; < A i+1 p+1 len=1460; < PA i+1461 p+1 len=1460; .;"
		"> A p+1 i+2921 wnd=65535; .")
ROW(open_13_rto_of_text_is_three_seconds, &rows_plain,
		"{open}; < S i= 0; +1001; < S i 0; > SA p i+1; < A i+1 p+1; [CONNECTED]; {send 10};"
		"< PA i+1 p+1 len=10; +2990; .; +20; < PA i+1 p+1 len=10; > A p+1 i+11; .")
ROW(open_13_also_behind_a_lost_syn_ack, &rows_plain,
		"{listen}; > S p; < SA i= p+1; +1001; < SA i p+1; +2001; < SA i p+1;"
		"> A p+1 i+1 wnd=65535; [ACCEPTED]; {send 5000}; < A i+1 p+1 len=1460; .; +2990; .;"
		"+20; < A i+1 p+1 len=1460; > A p+1 i+1461 wnd=65535; ~")

/* ---- OPEN-14 ---- */

static void
open_14_syn_ack_is_sent_six_times(void **state)
{
	static const uint32_t at_s[] = {0, 1, 3, 7, 15, 31};
	uint64_t first_ns = 0;

	(void)state;
	rows_begin(&ep, __func__, &rows_plain, "{listen}; > S p; +62s");
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(at_s); i++) {
		assert_non_null(ep_take(&ep));
		assert_int_equal(ep.taken.flags, PKT_SYN | PKT_ACK);
		first_ns = i == 0 ? ep.taken_ns : first_ns;
		assert_in_range(ep.taken_ns - first_ns, at_s[i] * 1000 * EP_MS,
				(at_s[i] * 1000 + 20) * EP_MS);
	}
	cell_script(&ep, ".; = SYR; +2s; .; []; = LIS; # half_open_timeout synack_retransmitted+5");
	rows_end(&ep);
}

ROW(open_14_tries_are_a_knob, &two_syns,
		"{listen}; > S p; < SA i= p+1; +1001; < SA i p+1; +2001; < SA i p+1; +3980; = SYR;"
		"+40; .; []; = LIS; # half_open_timeout")

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(open_1_syn_offers_everything),
			cmocka_unit_test(open_2_syn_ack_opens),
			cmocka_unit_test(open_2_queued_text_rides_on_the_ack),
			cmocka_unit_test(open_2_ack_is_never_delayed),
			cmocka_unit_test(open_3_listener_answers_and_stays),
			cmocka_unit_test(open_4_third_ack_opens),
			cmocka_unit_test(open_4_its_window_is_scaled),
			cmocka_unit_test(open_4_simultaneous_open_is_connected),
			cmocka_unit_test(open_5_third_ack_with_text_and_fin),
			cmocka_unit_test(open_6_syn_is_repeated_until_acknowledged),
			cmocka_unit_test(open_6_text_replaces_a_lost_third_ack),
			cmocka_unit_test(open_6_first_text_has_the_number_of_the_third_ack),
			cmocka_unit_test(open_7_isn_rises_and_hides_the_tuple),
			cmocka_unit_test(open_7_isn_is_of_key_tuple_and_time),
			cmocka_unit_test(open_8_syn_ack_has_what_the_syn_had),
			cmocka_unit_test(open_8_refused_options_never_appear),
			cmocka_unit_test(open_8_window_of_a_syn_ack_is_literal),
			cmocka_unit_test(open_8_window_of_a_syn_is_literal),
			cmocka_unit_test(open_9_mss_is_mtu_less_forty),
			cmocka_unit_test(open_9_cap_is_offered),
			cmocka_unit_test(open_9_cookie_offers_the_cap_too),
			cmocka_unit_test(open_9_timestamps_take_twelve),
			cmocka_unit_test(open_9_peer_mss_is_kept),
			cmocka_unit_test(open_9_least_mss_is_88),
			cmocka_unit_test(open_10_bad_addresses_are_refused),
			cmocka_unit_test(open_10_taken_tuple_is_refused),
			cmocka_unit_test(open_10_without_a_block_nothing_is_sent),
			cmocka_unit_test(open_11_local_address_is_fixed_at_the_call),
			cmocka_unit_test(open_11_listen_on_the_port_of_an_open),
			cmocka_unit_test(open_11_listener_beside_an_open_accepts),
			cmocka_unit_test(open_12_lost_syn_comes_again),
			cmocka_unit_test(open_12_end_tells_tries_and_soft_error),
			cmocka_unit_test(open_12_user_timeout_ends_it_sooner),
			cmocka_unit_test(open_13_two_lost_syns_leave_one_segment),
			cmocka_unit_test(open_13_one_lost_syn_leaves_the_window),
			cmocka_unit_test(open_13_rto_of_text_is_three_seconds),
			cmocka_unit_test(open_13_also_behind_a_lost_syn_ack),
			cmocka_unit_test(open_14_syn_ack_is_sent_six_times),
			cmocka_unit_test(open_14_tries_are_a_knob),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
