/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: CLOSE-1 to CLOSE-15 of doc/requirements.md, row after row: the four-way, the
 * three-segment and the simultaneous release (RFC 9293 3.4, 3.6, 3.10.4, 3.10.7.4).
 * Method: scripts of one connection; a bed of stations where a second SYN is needed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/rows.h"

/* The numbers of CLOSE-1: the peer's first octet is 69836. */
static const struct ep_opts numbers = {
		.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true},
		.peer_iss = 69835};

/* Established with a peer whose window never was larger than this. */
#define REACH_EST_WND(wnd)                                                                         \
	"{open}; < S i= 0; > SA p i+1 wnd=" #wnd "; < A i+1 p+1; [CONNECTED]; = EST"

ROW(close_1_shutdown_sends_fin_and_the_release_runs, &numbers,
		REACH_EST "; {shutdown}; < FA i+1 69836; .; = FW1; ? snd_nxt i+2; {send 1}=-EPIPE;"
			  "> A 69836 i+2; .; = FW2; > FA 69836 i+2; < A i+2 69837;"
			  "[PEER_FIN CLOSED GRACEFUL]; = TW; {close}")
ROW(close_1_peer_ends_first, &numbers,
		REACH_EST "; > FA 69836 i+1; < A i+1 69837; [PEER_FIN]; = CLW; {shutdown};"
			  "< FA i+1 69837; = LAK; > A 69837 i+2; .; [CLOSED GRACEFUL]; = CLD")
ROW(close_1_timer_runs_for_the_fin, &rows_plain, REACH_FW1 "; +195; .; +10; < FA i+1 p+1")

ROW(close_2_fin_without_ack_is_dropped, &rows_plain,
		REACH_EST "; > F p+1; .; []; = EST; ? rcv_nxt p+1; # drop_no_ack")
ROW(close_2_our_fin_carries_ack_repeated_too, &rows_plain,
		REACH_EST "; > PA p+1 i+1 len=10; [READABLE]; {recv 10}; {shutdown};"
			  "< FA i+1 p+11; +205; < FA i+1 p+11")

ROW(close_3_fin_is_the_last_number, &rows_plain,
		REACH_FW1 "; > A p+1 i+2; ? snd_una i+2; > PA p+1 i+2 len=10; [READABLE]; +42;"
			  "< A i+2 p+11; > FA p+11 i+2; < A i+2 p+12;"
			  "[PEER_FIN CLOSED GRACEFUL]; = TW; {recv 20}=10; {close}")
/* Even while the FIN is not acknowledged. */
ROW(close_3_acks_behind_the_fin_before_it_is_acked, &rows_plain,
		REACH_FW1 "; > PA p+1 i+1 len=10; [READABLE]; +42; < A i+2 p+11")

/* Peer acknowledges what comes until the FIN is there; octets before it. */
static uint32_t
take_until_fin(struct ep *ep, int32_t wnd)
{
	struct ep_seg seg = {.flags = "A", .seq = ep->irs + 1, .wnd = wnd, .mss = -1, .wscale = -1};
	uint32_t next = ep->iss + 1;
	const struct pkt *p;
	bool has_fin = false;

	for (int i = 0; i < 1000 && !has_fin; i++) {
		ep_advance(ep, 5 * EP_MS);
		while ((p = ep_take(ep)) != NULL) {
			assert_int_equal(p->seq, next);
			next += p->len;
			has_fin = (p->flags & PKT_FIN) != 0;
		}
		assert_true(next - seg.ack <= (uint32_t)wnd || seg.ack == 0);
		ep_expect_state(ep, PMTCP_FIN_WAIT_1);
		seg.ack = next;
		ep_inject(ep, &seg);
	}
	assert_true(has_fin);
	return next - ep->iss - 1;
}

/* All octets are acknowledged in the end but not the FIN: FIN-WAIT-1 stays. */
static void
close_4_fin_follows_100_kB_through_a_small_window(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "close_4", &rows_plain,
			REACH_EST_WND(2000) "; {send 100000}; {shutdown}; = FW1");
	assert_int_equal(take_until_fin(&ep, 2000), 100000);
	cell_script(&ep, "; = FW1; > A p+1 i+100002 wnd=2000; .; = FW2");
	rows_end(&ep);
}

ROW(close_4_ack_of_all_text_before_the_fin_is_no_ack_of_fin, &rows_plain,
		REACH_EST_WND(1000) "; {send 1000}; < PA i+1 p+1 len=1000; {shutdown}; .; = FW1;"
				    "> A p+1 i+1001 wnd=0; = FW1; < FA i+1001 p+1; = FW1;"
				    "> A p+1 i+1001 wnd=1000; .; = FW1; > A p+1 i+1002; .; = FW2")
ROW(close_4_close_wait_moves_at_the_call, &rows_plain,
		REACH_CLW "; > A p+2 i+1 wnd=0; {send 10}; {shutdown}; .; = LAK;"
			  "> A p+2 i+1; < PFA i+1 p+2 len=10; = LAK")

ROW(close_5_fin_rides_on_the_last_text, &rows_plain,
		REACH_EST "; {send 10}; {shutdown}; < PFA i+1 p+1 len=10; .; > A p+1 i+11; = FW1;"
			  "> A p+1 i+12; .; = FW2")
ROW(close_5_fin_rides_on_the_last_of_several, &rows_plain,
		REACH_EST "; {send 1500}; {shutdown}; < A i+1 p+1 len=1460;"
			  "< PFA i+1461 p+1 len=40; .; > A p+1 i+1502; .; = FW2")

ROW(close_6_fin_in_order_enters_close_wait, &rows_plain,
		REACH_EST "; > FA p+1 i+1; < A i+1 p+2; .; [PEER_FIN]; = CLW; ? rcv_nxt p+2; +600s;"
			  ".; []; = CLW")
ROW(close_6_text_before_it_is_told_first, &rows_plain,
		REACH_EST "; > A p+1 i+1 len=10; > FA p+11 i+1; [READABLE PEER_FIN]; < A i+1 p+12;"
			  ".; {recv 10}; {recv 1}=0")

ROW(close_7_ack_of_fin_enters_fin_wait_2, &rows_plain,
		REACH_FW1 "; > A p+1 i+2; .; []; = FW2; +60s; .; = FW2; # fin_retransmitted+0")

/* The peer's stream from `off` on, in one segment. */
static void
peer_text(struct ep *ep, uint32_t off, uint32_t len)
{
	ep_inject(ep, &(struct ep_seg){.flags = "A",
				      .seq = ep->irs + 1 + off,
				      .ack = ep->iss + 2,
				      .len = len,
				      .wnd = -1,
				      .mss = -1,
				      .wscale = -1});
}

/* An hour of text, each second eight segments of which two have changed places. */
static void
close_8_shut_down_end_receives_for_an_hour(void **state)
{
	static const uint32_t order[] = {0, 2, 1, 3, 4, 5, 7, 6};
	static struct ep ep;
	uint32_t at = 0;

	(void)state;
	rows_begin(&ep, "close_8", &rows_plain, REACH_FW2);
	for (int s = 0; s < 3600; s++) {
		for (size_t i = 0; i < PMTCP_ARRAY_SIZE(order); i++)
			peer_text(&ep, at + order[i] * EP_TEXT_MAX, EP_TEXT_MAX);
		ep_turn(&ep);
		at += 8 * EP_TEXT_MAX;
		assert_int_equal(ep_read(&ep, 8 * EP_TEXT_MAX), 8 * EP_TEXT_MAX);
		ep_advance(&ep, 1000 * EP_MS);
		cell_script(&ep, "~; [READABLE]; = FW2");
	}
	assert_int_equal(rows_info(&ep).rcv_nxt, ep.irs + 1 + at);
	ep_inject(&ep, &(struct ep_seg){.flags = "FA",
				       .seq = ep.irs + 1 + at,
				       .ack = ep.iss + 2,
				       .wnd = -1,
				       .mss = -1,
				       .wscale = -1});
	cell_script(&ep, "[PEER_FIN CLOSED GRACEFUL]; ~; {close}; = TW");
	rows_end(&ep);
}

ROW(close_8_fin_wait_1_updates_the_window, &rows_plain,
		REACH_FW1 "; > PA p+1 i+1 len=1460; [READABLE]; < A i+2 p+1461 wnd=31308;"
			  "{recv 1460}; .; > PA p+1461 i+1 len=1460; [READABLE];"
			  "< A i+2 p+2921 wnd=31308; {recv 1460}; = FW1")

/* Sending goes on; each ACK and each octet carries u+1. Loss: test_rfc_close_sim.c. */
ROW(close_9_close_wait_sends_by_nagle, &rows_plain,
		REACH_CLW "; {send 10}; < PA i+1 p+2 len=10; {send 5}; {send 5}; .;"
			  "> A p+2 i+11; < PA i+11 p+2 len=10; > A p+2 i+21; .; = CLW")
ROW(close_9_close_wait_repeats_text, &rows_plain,
		REACH_CLW "; {send 10}; < PA i+1 p+2 len=10; +205; < PA i+1 p+2 len=10; = CLW")
ROW(close_9_close_wait_probes_a_shut_window, &rows_plain,
		REACH_CLW "; > A p+2 i+1 wnd=0; {send 10}; +193; .; +12; < A i+1 p+2 len=1;"
			  "> A p+2 i+2; < PA i+2 p+2 len=9; = CLW")
ROW(close_9_close_wait_is_kept_alive, &rows_plain,
		REACH_CLW
		"; {keepalive_ms 10000}; +9900; .; +200; < A i p+2; > A p+2 i+1; .; = CLW")

ROW(close_10_last_ack_after_nothing, &rows_plain,
		REACH_CLW "; {shutdown}; < FA i+1 p+2; .; = LAK; +195; .; +10; < FA i+1 p+2; = LAK;"
			  "> A p+2 i+2; .; [CLOSED GRACEFUL]; = CLD")
ROW(close_10_last_ack_after_500_octets, &rows_plain,
		REACH_CLW "; {send 500}; < PA i+1 p+2 len=500; > A p+2 i+501; {shutdown};"
			  "< FA i+501 p+2; = LAK; > A p+2 i+502; .; [CLOSED GRACEFUL]; = CLD")

ROW(close_11_fin_in_fin_wait_2_enters_time_wait, &rows_plain,
		REACH_FW2 "; > FA p+1 i+2; < A i+2 p+2; .; [PEER_FIN CLOSED GRACEFUL]; = TW;"
			  "# tw_entered")

static struct bed bed;

static void
close_11_connection_becomes_an_entry(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .seq = 1000};
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	assert_int_equal(bed_stats(&bed).live, 1);
	assert_int_equal(bed_stats(&bed).time_wait, 0);
	bed_close_first(&bed, &peer, conn);
	assert_int_equal(bed_stats(&bed).live, 0);
	assert_int_equal(bed_stats(&bed).time_wait, 1);
	assert_int_equal(bed_stats(&bed).blocks_used, 1);
	bed_destroy(&bed);
}

ROW(close_12_ack_of_fin_in_last_ack_frees, &rows_plain,
		REACH_LAK "; > A p+2 i+2; .; [CLOSED GRACEFUL]; = CLD; {close}; +120s; .;"
			  "# tw_entered+0")

/* The last ACK and the next SYN of the same tuple in one burst. */
static void
close_12_tuple_is_free_for_the_next_segment(void **state)
{
	const struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, 80);
	struct bed_peer peer = {.ip = TEST_PEER, .port = 4000, .local_port = 80, .seq = 1000};
	struct pmtcp_listener *l;
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
	conn = bed_accept(&bed, &peer);
	assert_non_null(conn);
	bed_peer_sends(&bed, &peer, PKT_FIN | PKT_ACK, 0);
	bed_turn(&bed);
	bed_forget(&bed);
	peer.ack++; /* the FIN that is to come */
	pmtcp_close(conn);
	bed_turn(&bed);
	bed_forget(&bed);
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	bed_peer_sends(&bed, &peer, PKT_SYN, 0);
	assert_non_null(bed_peer_gets(&bed, &peer));
	assert_int_equal(bed.taken.flags, PKT_SYN | PKT_ACK);
	assert_int_equal(bed.taken.ack, peer.seq);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_GRACEFUL], 1);
	assert_int_equal(bed_stats(&bed).time_wait, 0);
	while (bed_event(&bed).flags != 0)
		;
	bed_destroy(&bed);
}

ROW(close_13_three_segments_passive, &rows_plain,
		REACH_EST "; > FA p+1 i+1; [PEER_FIN]; {shutdown}; < FA i+1 p+2; .; = LAK;"
			  "> A p+2 i+2; .; [CLOSED GRACEFUL]; = CLD")
ROW(close_13_three_segments_passive_by_full_close, &rows_plain,
		REACH_EST "; > FA p+1 i+1; [PEER_FIN]; {close}; < FA i+1 p+2; .; = LAK;"
			  "> A p+2 i+2; .; [CLOSED GRACEFUL]; = CLD")

ROW(close_14_three_segments_active, &rows_plain,
		REACH_FW1 "; > FA p+1 i+2; < A i+2 p+2; .; [PEER_FIN CLOSED GRACEFUL]; = TW")

ROW(close_15_simultaneous_close, &rows_plain,
		REACH_FW1 "; > FA p+1 i+1; < A i+2 p+2; [PEER_FIN]; = CLG; > A p+2 i+2; .;"
			  "[CLOSED GRACEFUL]; = TW")

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			T(close_1_shutdown_sends_fin_and_the_release_runs),
			T(close_1_peer_ends_first),
			T(close_1_timer_runs_for_the_fin),
			T(close_2_fin_without_ack_is_dropped),
			T(close_2_our_fin_carries_ack_repeated_too),
			T(close_3_fin_is_the_last_number),
			T(close_3_acks_behind_the_fin_before_it_is_acked),
			T(close_4_fin_follows_100_kB_through_a_small_window),
			T(close_4_ack_of_all_text_before_the_fin_is_no_ack_of_fin),
			T(close_4_close_wait_moves_at_the_call),
			T(close_5_fin_rides_on_the_last_text),
			T(close_5_fin_rides_on_the_last_of_several),
			T(close_6_fin_in_order_enters_close_wait),
			T(close_6_text_before_it_is_told_first),
			T(close_7_ack_of_fin_enters_fin_wait_2),
			T(close_8_shut_down_end_receives_for_an_hour),
			T(close_8_fin_wait_1_updates_the_window),
			T(close_9_close_wait_sends_by_nagle),
			T(close_9_close_wait_repeats_text),
			T(close_9_close_wait_probes_a_shut_window),
			T(close_9_close_wait_is_kept_alive),
			T(close_10_last_ack_after_nothing),
			T(close_10_last_ack_after_500_octets),
			T(close_11_fin_in_fin_wait_2_enters_time_wait),
			T(close_11_connection_becomes_an_entry),
			T(close_12_ack_of_fin_in_last_ack_frees),
			T(close_12_tuple_is_free_for_the_next_segment),
			T(close_13_three_segments_passive),
			T(close_13_three_segments_passive_by_full_close),
			T(close_14_three_segments_active),
			T(close_15_simultaneous_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
