/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: NEG-1 to -5, -7, -9, -10, -12 and -23 to -26 of doc/requirements.md, row after row: what
 * other stacks did wrong with headers, options, text and windows. Method: scripts of one
 * connection; a bed of stations where frames are malformed. */

#include <errno.h>
#include <stdio.h>

#include "support/rows.h"
#include "support/cookie_bed.h"

static const struct ep_opts stamps = {.conn = {.no_sack = true, .no_wscale = true}};

static void
drops_as(const struct build *b, enum pmtcp_counter fate)
{
	uint64_t before = bed_counter(&bed, fate);

	bed_inject(&bed, b);
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, fate), before + 1);
	assert_int_equal(bed_stats(&bed).half_open, 0);
	assert_null(bed_take(&bed));
}

/* No header length is believed. */
static void
neg_1_header_arithmetic_is_checked(void **state)
{
	struct build syn;

	(void)state;
	begin(NULL);
	syn = syn_of(RPORT, X, 0);
	syn.doff = 4;
	drops_as(&syn, PMTCP_C_drop_tcp_header);
	syn.doff = 15; /* past the end */
	drops_as(&syn, PMTCP_C_drop_tcp_header);
	syn = syn_of(RPORT, X, 0);
	syn.ip_len = 2000;
	drops_as(&syn, PMTCP_C_drop_ip_trunc);
	syn.ip_len = 39;
	drops_as(&syn, PMTCP_C_drop_tcp_header);
	syn = syn_of(RPORT, X, 0);
	syn.l4_cksum_xor = 1;
	drops_as(&syn, PMTCP_C_drop_tcp_cksum);
	/* Ethernet padding is no text. */
	syn = syn_of(RPORT, X, 0);
	syn.pad_to = 64;
	bed_inject(&bed, &syn);
	bed_turn(&bed);
	assert_int_equal(bed_take(&bed)->ack, X + 1);
	bed_destroy(&bed);
}

/* Every kind with every length that lies: the walk ends, and the segment does not take the
 * connection with it. */
static void
neg_2_options_neither_hang_nor_kill(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = RPORT, .local_port = PORT, .seq = X};
	static const uint8_t lies[] = {0, 1, 41};
	struct pmtcp_conn *conn;

	(void)state;
	begin(NULL);
	conn = bed_accept(&bed, &peer);
	assert_non_null(conn);
	for (int i = 2 * 3; i < 256 * 3; i++) {
		uint8_t raw[4] = {(uint8_t)(i / 3), lies[i % 3], 1, 1};
		struct build b = {.sport = RPORT,
				.dport = PORT,
				.seq = peer.seq,
				.ack = peer.ack,
				.flags = PKT_ACK | PKT_PSH,
				.wnd = 5000,
				.raw_opts = raw,
				.raw_opts_len = 4,
				.payload = "x",
				.len = 1};

		bed_inject(&bed, &b);
		peer.seq++;
		bed_turn(&bed);
		assert_int_equal(info_of(conn).rcv_nxt, peer.seq);
	}
	assert_int_equal(bed_counter(&bed, PMTCP_C_opt_malformed), 3 * 254);
	bed_forget(&bed);
	bed_destroy(&bed);
}

/* W-30: of two timestamps the last counts: 100 and 50 are older than 700 (PAWS), 900 is not;
 * and each segment has its answer. */
static void
neg_2_doubled_timestamps_neither_stall_nor_kill(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER,
			.port = RPORT,
			.local_port = PORT,
			.seq = X,
			.has_ts = true,
			.tsval = 700};
	static const uint8_t second[] = {100, 50, 0};
	struct pmtcp_conn *conn;
	uint32_t nxt;

	(void)state;
	begin(NULL);
	conn = bed_accept(&bed, &peer);
	assert_non_null(conn);
	nxt = info_of(conn).rcv_nxt;
	for (int i = 0; i < 3; i++) {
		uint8_t raw[] = {1, 1, 8, 10, 0, 0, 3, 132, 0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 3, 132,
				0, 0, 0, 0};
		struct build b = {.sport = RPORT,
				.dport = PORT,
				.seq = nxt,
				.ack = peer.ack,
				.flags = PKT_ACK | PKT_PSH,
				.wnd = 5000,
				.raw_opts = raw,
				.raw_opts_len = sizeof(raw),
				.payload = "x",
				.len = 1};

		if (second[i] != 0) {
			raw[18] = 0;
			raw[19] = second[i];
		}
		bed_forget(&bed);
		bed_inject(&bed, &b);
		bed_advance(&bed, 600 * BED_MS);
		assert_int_equal(bed_take(&bed)->ack, nxt + (second[i] == 0));
	}
	assert_int_equal(info_of(conn).rcv_nxt, nxt + 1);
	assert_int_equal(info_of(conn).state, PMTCP_ESTABLISHED);
	assert_int_equal(bed_counter(&bed, PMTCP_C_opt_dup), 3);
	bed_forget(&bed);
	bed_destroy(&bed);
}

ROW(neg_2_missing_mss_does_not_block_sending, &rows_plain,
		"{listen}; > S p mss=0; < SA i= p+1; > A p+1 i+1; [ACCEPTED]; {send 100};"
		"< A i+1 p+1 len=88; < PA i+89 p+1 len=12; > A p+1 i+101; .")

/* Timestamps that were not agreed on change nothing and are not answered in kind. */
ROW(neg_3_timestamps_not_negotiated_are_ignored, &rows_plain,
		REACH_EST "; > PA p+1 i+1 len=10 ts=5:99; [READABLE]; {recv 10}; +42; < A i+1 p+11;"
			  "> PA p+11 i+1 len=10 ts=4:98; [READABLE]; {recv 10}; +42; < A i+1 p+21")
/* Zero is a value like another; an echo that never was spoils nothing once open. */
ROW(neg_3_zero_and_odd_echoes_are_values, &stamps,
		"{listen}; > S p ts=0:0; < SA i= p+1 ts=0; > A p+1 i+1 ts=0:0; [ACCEPTED];"
		"> PA p+1 i+1 len=10 ts=0:4000000000; [READABLE]; {recv 10}; +42; < A i+1 p+11 "
		"ts=0;"
		"> PA p+11 i+1 len=10 ts=7:0; [READABLE]; {recv 10}; +42; < A i+1 p+21 ts=7; = EST")
ROW(neg_3_syn_ack_with_a_foreign_echo_does_not_open, &stamps,
		"{open}; < S i= 0 ts=0; > SA p i+1 ts=1:12345; < R i+1; = SYS; []")

/* An ACK that was never possible takes its text down with it. */
ROW(neg_4_impossible_ack_brings_no_text, &rows_plain,
		REACH_EST
		"; > PA p+1 i+2 len=10; < A i+1 p+1; []; ? unread 0; +600;"
		"> PA p+1 i-70000 len=10; < A i+1 p+1; []; ? unread 0; ? rcv_nxt p+1; = EST;"
		"> PA p+1 i+1 len=10; [READABLE]; {recv 10}; +42; < A i+1 p+11")

/* New octets behind an old number are taken; equal numbers with other lengths are sorted out. */
ROW(neg_5_new_octets_of_an_old_number_are_taken, &rows_plain,
		REACH_EST "; > PA p+1 i+1 len=10; [READABLE]; {recv 10}; +42; < A i+1 p+11;"
			  "> PA p+1 i+1 len=30; [READABLE]; < A i+1 p+31; {recv 40}=20")
ROW(neg_5_equal_number_other_length_out_of_order, &rows_plain,
		REACH_EST "; > A p+11 i+1 len=10; < A i+1 p+1; > A p+11 i+1 len=40; < A i+1 p+1;"
			  "> A p+11 i+1 len=5; < A i+1 p+1; > A p+1 i+1 len=10; [READABLE];"
			  "< A i+1 p+51; {recv 60}=50; {recv 1}=-EAGAIN")

/* Nothing at or past a FIN, no second FIN, no other end. */
ROW(neg_7_text_at_or_past_the_fin_is_not_taken, &rows_plain,
		REACH_CLW
		"; > PA p+1 i+1 len=10; ~; > PA p+2 i+1 len=10; ~; > PA p+12 i+1 len=10; ~;"
		"[]; ? rcv_nxt p+2; ? unread 0; {recv 1}=0; = CLW")
ROW(neg_7_second_fin_is_not_taken, &rows_plain,
		REACH_CLW "; > FA p+2 i+1; ~; > FA p+20 i+1; ~; []; ? rcv_nxt p+2; = CLW")
ROW(neg_7_fin_above_a_hole_ends_the_stream_there, &rows_plain,
		REACH_EST
		"; > FA p+11 i+1; < A i+1 p+1; > PA p+12 i+1 len=10; ~; > FA p+40 i+1; ~; [];"
		"= EST; > PA p+1 i+1 len=10; [READABLE PEER_FIN]; < A i+1 p+12; = CLW;"
		"{recv 20}=10; {recv 1}=0")

/* Reads and writes of nothing, and reads after the end. */
ROW(neg_9_empty_calls_and_reads_after_close, &rows_plain,
		REACH_EST "; {send 0}=0; .; {recv 1}=-EAGAIN; > FPA p+1 i+1 len=10;"
			  "[READABLE PEER_FIN]; < A i+1 p+12; ? unread 10; {recv 4}; {recv 20}=6;"
			  "? unread 0; {recv 1}=0; {recv 1}=0; {shutdown}; < FA i+1 p+12;"
			  "{send 1}=-EPIPE; > A p+12 i+2; [CLOSED GRACEFUL]; {recv 1}=0")
/* Over many packets in one call. */
ROW(neg_9_reads_over_packet_borders, &rows_plain,
		REACH_EST "; > A p+1 i+1 len=700; > A p+701 i+1 len=1; > A p+702 i+1 len=799;"
			  "[READABLE]; ~; ? unread 1500; {recv 699}; {recv 3}; {recv 900}=798;"
			  "{recv 1}=-EAGAIN; +42; ~")

ROW(neg_10_close_with_unread_text_is_a_reset, &rows_plain,
		REACH_EST "; > PA p+1 i+1 len=10; [READABLE]; {close}; < RA i+1 p+11;"
			  "[CLOSED DATA_LOST]; = CLD; # abort_on_unread")
ROW(neg_10_text_after_close_is_a_reset, &rows_plain,
		REACH_FW2_ORP
		"; > PA p+1 i+2 len=10; ~; [CLOSED DATA_LOST]; = CLD; # abort_on_data")

ROW(neg_12_last_segment_is_pushed, &rows_plain,
		REACH_WIDE "; {send 3000}; < A i+1 p+1 len=1460; < A i+1461 p+1 len=1460;"
			   "< PA i+2921 p+1 len=80; .; > A p+1 i+3001 wnd=65535; .")
ROW(neg_12_urgent_pointer_is_told_and_sent, &rows_plain,
		REACH_EST "; > PAU p+1 i+1 len=10 urg=4; [READABLE URGENT]; ? urgent 4; {recv 10};"
			  "? urgent 0; {send 5}; {urgent}; < PAU i+1 p+11 len=5 urg=5;"
			  "> A p+11 i+6; .")

/* A window that shrinks over what was sent, then opens: the rest leaves. */
ROW(neg_23_shrinking_window_does_not_stall, &rows_plain,
		REACH_EST "; {send 2000}; < A i+1 p+1 len=1460; < PA i+1461 p+1 len=540;"
			  "> A p+1 i+1461 wnd=0; .; +205; ~; > A p+1 i+1461 wnd=8192; ~;"
			  "> A p+1 i+2001; .; ? unacked 0; ? unsent 0")
/* The probe has an octet, so that it asks to be answered. */
ROW(neg_23_probe_carries_an_octet, &rows_plain,
		REACH_EST "; > A p+1 i+1 wnd=0; {send 10}; .; +205; < A i+1 p+1 len=1; .;"
			  "> A p+1 i+2; < PA i+2 p+1 len=9; > A p+1 i+11; .")
/* The reader takes crumbs from a full buffer: the answers to probes keep saying 0. */
static void
neg_23_window_does_not_open_by_crumbs(void **state)
{
	static struct ep ep;

	(void)state;
	ep_create(&ep, "neg_23", &rows_plain);
	ep.conn_opts.recv_buffer = 2920;
	cell_script(&ep, REACH_EST "; > A p+1 i+1 len=1460; > A p+1461 i+1 len=1460; [READABLE];"
				   "< A i+1 p+2921 wnd=0");
	for (int i = 0; i < 20; i++)
		cell_script(&ep, "{recv 10}; .; > A p+2921 i+1 len=1; < A i+1 p+2921 wnd=0; []");
	cell_script(&ep, "{recv 1300}; < A i+1 p+2921 wnd=1500; {recv 1420}; ~; [] ");
	rows_end(&ep);
}
ROW(neg_23_no_window_update_after_the_peers_fin, &rows_plain,
		REACH_EST "; > FPA p+1 i+1 len=1460; [READABLE PEER_FIN]; < A i+1 p+1462;"
			  "{recv 1460}; .; +500; .; = CLW")

/* 49.7 days are 2^32 ms: TIME-WAIT ends on the other side of them, PAWS is off after 24. */
static void
neg_24_time_wait_ends_across_the_clock_wrap(void **state)
{
	static struct ep ep;
	static struct ep_opts opts;

	(void)state;
	opts = rows_plain;
	opts.later_ns = (4294967296ull - 1000 * 1000 - 30000) * EP_MS;
	rows_begin(&ep, "neg_24", &opts, REACH_TW "; +59s; = TW; +2s; = CLD");
	rows_end(&ep);
}

ROW(neg_24_old_timestamps_are_taken_after_24_days, &stamps,
		"{listen}; > S p ts=1000:0; < SA i= p+1 ts=1000; > A p+1 i+1 ts=1000:0; [ACCEPTED];"
		"> PA p+1 i+1 len=10 ts=900:0; < A i+1 p+1 ts=1000; []; +2160000s;"
		"> PA p+1 i+1 len=10 ts=900:0; [READABLE]; {recv 10}; +42; ~; = EST")

/* Without a packet buffer nothing leaves, and all is told and goes on afterwards. */
static void
tune_no_spares(struct pmtcp_conf *conf)
{
	conf->spare_max = 0;
}

static void
neg_25_shortage_of_buffers_is_told_and_passes(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = RPORT, .local_port = PORT, .seq = X};
	struct pmtcp_close_wait_report report;
	struct pmtcp_conn *conn;

	(void)state;
	begin(tune_no_spares);
	conn = bed_accept(&bed, &peer);
	assert_non_null(conn);
	bed_peer_sends(&bed, &peer, PKT_FIN | PKT_ACK, 0);
	test_pool_fail_after(bed.pool, 0);
	bed_advance(&bed, 2 * SEC);
	assert_int_equal(bed_event(&bed).flags, PMTCP_EV_PEER_FIN);
	assert_true(bed_counter(&bed, PMTCP_C_tx_nomem) > 0);
	assert_int_equal(bed_stats(&bed).state[PMTCP_CLOSE_WAIT], 1);
	pmtcp_close_wait_report(bed.ctx, &report);
	assert_int_equal(report.conns, 1);
	assert_null(pmtcp_buf_alloc(bed.ctx));
	pmtcp_detach(conn);
	test_pool_fail_after(bed.pool, TEST_POOL_NEVER);
	assert_int_equal(bed_peer_gets(&bed, &peer)->flags, PKT_FIN | PKT_ACK);
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	bed_turn(&bed);
	bed_turn(&bed);
	assert_int_equal(bed_stats(&bed).blocks_used, 0);
	bed_destroy(&bed);
}

/* Two cores share an address and its ports; what waits on one is nothing to the other. */
enum { SHARED_PORTS = 64 };

static void
tune_core_0(struct pmtcp_conf *conf)
{
	conf->port_first = 40000;
	conf->port_last = 40000 + SHARED_PORTS - 1;
	conf->owners = 2;
	conf->tw_reuse = PMTCP_TW_REUSE_OFF;
	conf->max_time_wait = SHARED_PORTS;
}

static void
tune_core_1(struct pmtcp_conf *conf)
{
	tune_core_0(conf);
	conf->owner = 1;
}

/* Opens to one remote and closes until there are no more ports; how many. */
static uint32_t
fill_with_time_wait(struct bed *b)
{
	struct pmtcp_conn *conn;
	uint32_t n;
	int err = 0;

	for (n = 0; n <= SHARED_PORTS; n++) {
		struct bed_peer peer = {.ip = TEST_PEER, .port = RPORT, .seq = X};

		err = bed_open(b, &peer, 0, &conn);
		if (err != 0)
			break;
		bed_close_first(b, &peer, conn);
	}
	assert_int_equal(err, -EADDRNOTAVAIL);
	return n;
}

static void
expect_ports(struct bed *b, uint32_t range, uint32_t waiting)
{
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, RPORT);
	struct pmtcp_port_report report;

	pmtcp_port_report(b->ctx, NULL, &remote, &report);
	assert_int_equal(report.range, range);
	assert_int_equal(report.in_use, 0);
	assert_int_equal(report.time_wait, waiting);
	assert_int_equal(report.foreign, SHARED_PORTS - range);
}

static void
neg_25_time_wait_of_another_core_exhausts_no_ports(void **state)
{
	static struct bed other;
	uint32_t n;

	(void)state;
	bed_create(&bed, tune_core_0);
	bed_create(&other, tune_core_1);
	n = fill_with_time_wait(&bed);
	assert_in_range(n, 1, SHARED_PORTS - 1);
	expect_ports(&bed, n, n);
	expect_ports(&other, SHARED_PORTS - n, 0);
	assert_int_equal(fill_with_time_wait(&other), SHARED_PORTS - n);
	expect_ports(&other, SHARED_PORTS - n, SHARED_PORTS - n);
	bed_destroy(&other);
	bed_destroy(&bed);
}

/* Each timer a connection can have runs: RTO, delayed ACK, keepalive, user timeout. Then it
 * ends, by us or by the peer: its blocks are free at once, and no timer finds it later. */
static void
end_with_timers(int i)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = (uint16_t)(RPORT + i), .seq = X};
	struct pmtcp_conn *conn;

	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	assert_int_equal(pmtcp_set(conn, PMTCP_OPT_KEEPALIVE_MS, 3000), 0);
	assert_int_equal(pmtcp_set(conn, PMTCP_OPT_USER_TIMEOUT_MS, 5000), 0);
	assert_int_equal(pmtcp_set(conn, PMTCP_OPT_LINGER_MS, 4000), 0);
	assert_int_equal(pmtcp_write(conn, "0123456789", 10), 10);
	bed_peer_sends(&bed, &peer, PKT_ACK | PKT_PSH, 1);
	bed_turn(&bed);
	if (i % 2 == 0)
		pmtcp_abort(conn);
	else
		bed_peer_sends(&bed, &peer, PKT_RST, 0);
	bed_turn(&bed);
	bed_forget(&bed);
	while (bed_event(&bed).flags != 0)
		;
	if (i % 2 != 0)
		pmtcp_close(conn);
	bed_turn(&bed);
	assert_int_equal(bed_stats(&bed).blocks_used, 0);
}

static void
tune_ten(struct pmtcp_conf *conf)
{
	conf->max_conns = 10;
}

static void
neg_25_timers_hold_no_blocks(void **state)
{
	(void)state;
	bed_create(&bed, tune_ten);
	for (int i = 0; i < 100; i++)
		end_with_timers(i);
	assert_true(pmtcp_deadline(bed.ctx) > bed.now + 10 * SEC);
	bed_advance(&bed, 600 * SEC);
	assert_int_equal(bed_forget(&bed), 0);
	assert_int_equal(bed_event(&bed).flags, 0);
	assert_int_equal(bed_stats(&bed).blocks_used, 0);
	bed_destroy(&bed);
}

/* Slow start; one segment per timeout, doubled; the FIN is told at once. */
ROW(neg_26_the_first_flight_is_bounded, &rows_plain,
		REACH_WIDE "; {send 20000}; ~; ? unacked 14600; > A p+1 i+1461 wnd=65535; ~;"
			   "? unacked 16060; {abort}; ~; [CLOSED LOCAL_ABORT]")
ROW(neg_26_timeouts_send_one_segment_and_back_off, &rows_no_blackhole,
		REACH_WIDE "; {send 5000}; ~; +205; < A i+1 p+1 len=1460; .; +395; .; +10;"
			   "< A i+1 p+1 len=1460; .; +790; .; +15; < A i+1 p+1 len=1460; .;"
			   "{abort}; ~; [ERROR CLOSED LOCAL_ABORT]")
ROW(neg_26_fin_is_told_in_its_turn, &rows_plain,
		REACH_EST
		"; > FPA p+1 i+1 len=10; [READABLE PEER_FIN]; < A i+1 p+12; = CLW; {recv 10}")
/* DEC-5: a burst of 32 full segments is one ACK per 8 of them, at the end, rising. */
static void
neg_26_ack_stretch_is_bounded(void **state)
{
	static struct ep ep;
	char line[64];

	(void)state;
	ep_create(&ep, "neg_26_stretch", &rows_plain);
	ep.conn_opts.recv_buffer = 60000;
	cell_script(&ep, REACH_EST);
	for (int i = 0; i < 32; i++) {
		snprintf(line, sizeof(line), "> A p+%d i+1 len=1460", 1 + 1460 * i);
		cell_script(&ep, line);
	}
	cell_script(&ep, "< A i+1 p+11681; < A i+1 p+23361; < A i+1 p+35041; < A i+1 p+46721; .;"
			 "+500; .; [READABLE]; {recv 46720}; ~");
	rows_end(&ep);
}
/* FreeBSD-SA-18:08: 1000 islands of one octet, each below all before it. The lowest are
 * kept, 64 at most, so that the walk past them is no longer than that, and fill in. */
static void
neg_26_reassembly_is_bounded(void **state)
{
	static struct ep ep;
	struct pmtcp_stats stats;
	char line[64];

	(void)state;
	ep_create(&ep, "neg_26_reassembly", &rows_plain);
	ep.conn_opts.recv_buffer = 60000;
	cell_script(&ep, REACH_EST);
	for (int i = 999; i >= 0; i--) {
		snprintf(line, sizeof(line), "> A p+%d i+1 len=1%s", 2 + 3 * i,
				i % 32 == 0 ? "; ~" : "");
		cell_script(&ep, line);
		pmtcp_stats(ep.ctx, &stats);
		assert_true(stats.records_used <= 64);
	}
	assert_int_equal(stats.records_used, 64);
	cell_script(&ep, "> A p+1 i+1 len=1; > A p+3 i+1 len=2; < A i+1 p+6; [READABLE];"
			 "> A p+1 i+1 len=190; < A i+1 p+192; [READABLE]; {recv 200}=191; ~;"
			 "? rcv_nxt p+192");
	pmtcp_stats(ep.ctx, &stats);
	assert_int_equal(stats.records_used, 0);
	rows_end(&ep);
}
/* 2525 2.18: 1460 less the 12 octets of the timestamps that each segment carries. */
ROW(neg_26_options_count_against_the_mss, &stamps,
		"{listen}; > S p ts=1000:0 wnd=65535; < SA i= p+1 ts=1000; > A p+1 i+1 ts=1000:0;"
		"[ACCEPTED]; {send 2906}; < A i+1 p+1 len=1448 ts=1000;"
		"< A i+1449 p+1 len=1448 ts=1000; < PA i+2897 p+1 len=10 ts=1000; .;"
		"> A p+1 i+2907 ts=1001:0; .")
/* The window was shut and its opening lost: asked again and again, then told (2525 2.10). */
ROW(neg_26_lost_window_update_is_no_deadlock, &rows_plain,
		REACH_EST "; > A p+1 i+1 wnd=0; {send 10}; .; +205; < A i+1 p+1 len=1;"
			  "> A p+1 i+1 wnd=0; .; +60s; ~; > A p+1 i+2 wnd=8192;"
			  "< PA i+2 p+1 len=9; > A p+1 i+11; .")

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(neg_1_header_arithmetic_is_checked),
			cmocka_unit_test(neg_2_options_neither_hang_nor_kill),
			cmocka_unit_test(neg_2_doubled_timestamps_neither_stall_nor_kill),
			cmocka_unit_test(neg_2_missing_mss_does_not_block_sending),
			cmocka_unit_test(neg_3_timestamps_not_negotiated_are_ignored),
			cmocka_unit_test(neg_3_zero_and_odd_echoes_are_values),
			cmocka_unit_test(neg_3_syn_ack_with_a_foreign_echo_does_not_open),
			cmocka_unit_test(neg_4_impossible_ack_brings_no_text),
			cmocka_unit_test(neg_5_new_octets_of_an_old_number_are_taken),
			cmocka_unit_test(neg_5_equal_number_other_length_out_of_order),
			cmocka_unit_test(neg_7_text_at_or_past_the_fin_is_not_taken),
			cmocka_unit_test(neg_7_second_fin_is_not_taken),
			cmocka_unit_test(neg_7_fin_above_a_hole_ends_the_stream_there),
			cmocka_unit_test(neg_9_empty_calls_and_reads_after_close),
			cmocka_unit_test(neg_9_reads_over_packet_borders),
			cmocka_unit_test(neg_10_close_with_unread_text_is_a_reset),
			cmocka_unit_test(neg_10_text_after_close_is_a_reset),
			cmocka_unit_test(neg_12_last_segment_is_pushed),
			cmocka_unit_test(neg_12_urgent_pointer_is_told_and_sent),
			cmocka_unit_test(neg_23_shrinking_window_does_not_stall),
			cmocka_unit_test(neg_23_probe_carries_an_octet),
			cmocka_unit_test(neg_23_window_does_not_open_by_crumbs),
			cmocka_unit_test(neg_23_no_window_update_after_the_peers_fin),
			cmocka_unit_test(neg_24_time_wait_ends_across_the_clock_wrap),
			cmocka_unit_test(neg_24_old_timestamps_are_taken_after_24_days),
			cmocka_unit_test(neg_25_shortage_of_buffers_is_told_and_passes),
			cmocka_unit_test(neg_25_time_wait_of_another_core_exhausts_no_ports),
			cmocka_unit_test(neg_25_timers_hold_no_blocks),
			cmocka_unit_test(neg_26_the_first_flight_is_bounded),
			cmocka_unit_test(neg_26_timeouts_send_one_segment_and_back_off),
			cmocka_unit_test(neg_26_fin_is_told_in_its_turn),
			cmocka_unit_test(neg_26_ack_stretch_is_bounded),
			cmocka_unit_test(neg_26_reassembly_is_bounded),
			cmocka_unit_test(neg_26_options_count_against_the_mss),
			cmocka_unit_test(neg_26_lost_window_update_is_no_deadlock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
