/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: CLOSE-16 to CLOSE-31 of doc/requirements.md, row after row: releases with lost
 * segments, queued octets, shut windows and holes; what full CLOSE does about text that
 * nobody reads (RFC 9293 3.4, 3.6.1, 3.8.6.1, 3.9.1.4, 3.10.4, 3.10.8, A.2). Method:
 * scripts of one connection. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/rows.h"

/* A window of 1000 octets from the beginning. */
#define REACH_EST_1000 "{open}; < S i= 0; > SA p i+1 wnd=1000; < A i+1 p+1; [CONNECTED]; = EST"
/* Ten octets lie unread. */
#define REACH_EST_TEXT REACH_EST "; > PA p+1 i+1 len=10; [READABLE]; +42; < A i+1 p+11"
/* Three segments are out in LAST-ACK, the last with the FIN. */
#define REACH_LAK_3                                                                                \
	REACH_CLW "; {send 3000}; {shutdown}; < A i+1 p+2 len=1460; < A i+1461 p+2 len=1460;"      \
		  "< PFA i+2921 p+2 len=80; = LAK"

/* The FIN crosses while octets and our FIN wait: all of it is sent, and sent again. */
ROW(close_16_simultaneous_close_with_a_queue, &rows_plain,
		REACH_EST_1000
		"; {send 3000}; {close}; < A i+1 p+1 len=1000; = FW1; > FA p+1 i+1 wnd=1000;"
		"< A i+1001 p+2; = CLG; > A p+2 i+1001 wnd=1000; < A i+1001 p+2 len=1000; +205;"
		"< A i+1001 p+2 len=1000; = CLG; > A p+2 i+2001 wnd=2000;"
		"< PFA i+2001 p+2 len=1000; +405; < PFA i+2001 p+2 len=1000; > A p+2 i+3001;"
		"= CLG; ~; > A p+2 i+3002; .; [CLOSED GRACEFUL]; = TW; # retransmitted+2")

/* Both ACKs of the simultaneous close are lost; the repeated FIN brings ours. */
ROW(close_17_closing_uses_the_ack_of_a_repeated_fin, &rows_plain,
		REACH_CLG "; +205; < FA i+1 p+2; > FA p+1 i+2; < A i+2 p+2; .; [CLOSED GRACEFUL];"
			  "= TW; > FA p+1 i+2; < A i+2 p+2; .; = TW; {close}")
ROW(close_17_last_ack_uses_the_ack_of_a_repeated_fin, &rows_plain,
		REACH_LAK "; > FA p+1 i+2; ~; [CLOSED GRACEFUL]; = CLD")

ROW(close_18_partial_acks_leave_last_ack, &rows_plain,
		REACH_LAK_3 "; > A p+2 i+1461; .; = LAK; > A p+2 i+2921; .; = LAK;"
			    "> A p+2 i+3001; .; = LAK; > A p+2 i+3002; .; [CLOSED GRACEFUL]; = CLD")
ROW(close_18_old_acks_leave_last_ack, &rows_plain,
		REACH_LAK "; > A p+2 i+1; > A p+2 i; .; []; = LAK; > A p+2 i+2; .;"
			  "[CLOSED GRACEFUL]; = CLD")
ROW(close_18_partial_acks_leave_fin_wait_1, &rows_plain,
		REACH_EST
		"; {send 10}; {shutdown}; ~; > A p+1 i+5; .; = FW1; > A p+1 i+11; .; = FW1;"
		"> A p+1 i+12; .; = FW2")
ROW(close_18_partial_acks_leave_closing, &rows_plain,
		REACH_EST "; {send 10}; {shutdown}; ~; > FA p+1 i+1; < A i+12 p+2; [PEER_FIN];"
			  "> A p+2 i+5; > A p+2 i+11; .; []; = CLG; > A p+2 i+12; .;"
			  "[CLOSED GRACEFUL]; = TW; {close}")

ROW(close_19_lost_fin_is_repeated_with_back_off, &rows_plain,
		REACH_FW1 "; +195; .; +10; < FA i+1 p+1; +385; .; +20; < FA i+1 p+1; +780; .; +30;"
			  "< FA i+1 p+1; [ERROR TIMEOUT_RTX]; > A p+1 i+2; .; = FW2; +60s; .; # "
			  "fin_retransmitted+3")
ROW(close_19_attached_fin_ends_at_the_limit, &rows_plain,
		REACH_FW1 "; {retries 2}; +205; < FA i+1 p+1; +405; < FA i+1 p+1; +820;"
			  "< RA i+2 p+1; .; [CLOSED TIMEOUT_RTX]; = CLD; {close}; +60s; .")
ROW(close_19_orphan_fin_ends_after_8_tries, &rows_plain,
		REACH_FW1_ORP
		"; +110s; ~; [CLOSED TIMEOUT_RTX]; = CLD; # fin_retransmitted+8 rst_sent")

ROW(close_20_lost_fin_is_repeated_in_last_ack, &rows_plain,
		REACH_LAK "; +205; < FA i+1 p+2; +405; < FA i+1 p+2; = LAK; > A p+2 i+2; .;"
			  "[CLOSED GRACEFUL]; = CLD; # lastack_timeout+0")
ROW(close_20_lost_fin_is_repeated_in_closing, &rows_plain,
		REACH_CLG "; +205; < FA i+1 p+2; +405; < FA i+1 p+2; = CLG; > A p+2 i+2; .;"
			  "[CLOSED GRACEFUL]; = TW; {close}")
ROW(close_20_silent_peer_in_last_ack_is_given_up, &rows_plain,
		REACH_CLW "; {close}; < FA i+1 p+2; = LAK; +110s; ~; [CLOSED TIMEOUT_RTX]; = CLD;"
			  "# lastack_timeout fin_retransmitted+8")
ROW(close_20_silent_peer_in_closing_is_given_up, &rows_plain,
		REACH_CLG "; {close}; +110s; ~; [CLOSED TIMEOUT_RTX]; = CLD; # lastack_timeout")

ROW(close_21_repeated_fin_in_close_wait_is_acked, &rows_plain,
		REACH_CLW "; > FA p+1 i+1; < A i+1 p+2; .; []; = CLW; > FA p+1 i+1; < A i+1 p+2; .;"
			  "[]; = CLW")
ROW(close_21_repeated_fin_in_closing_leaves_our_timer, &rows_plain,
		REACH_CLG "; +150; > FA p+1 i+1; < A i+2 p+2; []; = CLG; +45; .; +10; < FA i+1 p+2;"
			  "= CLG")
ROW(close_21_repeated_fin_in_last_ack_leaves_our_timer, &rows_plain,
		REACH_LAK "; +150; > FA p+1 i+1; < A i+2 p+2; []; = LAK; +45; .; +10; < FA i+1 p+2;"
			  "= LAK")

ROW(close_22_close_in_listen_frees, &rows_plain,
		REACH_LIS "; {unlisten}; = CLD; > S p; < RA 0 p+1; .; = CLD")
ROW(close_22_close_in_syn_sent_sends_nothing, &rows_plain,
		REACH_SYS
		"; {close}; .; [CLOSED LOCAL_CLOSE]; = CLD; +60s; .; > SA p i+1; < R i+1 0")
ROW(close_22_close_before_the_syn_left_sends_nothing, &rows_plain,
		"{open}; {close}; .; [CLOSED LOCAL_CLOSE]; = CLD; +60s; .")
ROW(close_22_close_in_syn_rcvd_sends_fin, &rows_plain,
		REACH_SYR_ACT "; {close}; < FA i+1 p+1; []; = FW1")
ROW(close_22_close_in_syn_rcvd_with_a_queue_waits, &rows_plain,
		REACH_SYR_ACT
		"; {send 10}; {close}; .; > A p+1 i+1; < PFA i+1 p+1 len=10; []; = FW1")

ROW(close_23_fin_probes_a_shut_window, &rows_plain,
		REACH_EST "; > A p+1 i+1 wnd=0; {close}; < FA i+1 p+1; = FW1; +195; .; +10;"
			  "< FA i+1 p+1; > A p+1 i+1 wnd=0; +385; .; +20; < FA i+1 p+1; = FW1;"
			  "> A p+1 i+2 wnd=0; .; = FW2")
ROW(close_23_fin_probes_a_shut_window_in_last_ack, &rows_plain,
		REACH_CLW "; > A p+2 i+1 wnd=0; {close}; < FA i+1 p+2; = LAK; +205; < FA i+1 p+2;"
			  "> A p+2 i+2 wnd=0; .; [CLOSED GRACEFUL]; = CLD")

/* The peer fills our buffer up to `left` octets; returns the offset it has reached. */
static uint32_t
fill_buffer(struct ep *ep, uint32_t left)
{
	uint32_t at = 0;

	while (at < EP_RECV_BUFFER - left) {
		uint32_t len = min_u32(EP_TEXT_MAX, EP_RECV_BUFFER - left - at);

		ep_inject(ep, &(struct ep_seg){.flags = "A",
					      .seq = ep->irs + 1 + at,
					      .ack = ep->iss + 1,
					      .len = len,
					      .wnd = -1,
					      .mss = -1,
					      .wscale = -1});
		at += len;
	}
	cell_script(ep, "+42; ~; [READABLE]");
	return at;
}

/* DEC-12: our window is 0 and a bare FIN is taken all the same. */
static void
close_23_dec_12_fin_at_our_shut_window_is_taken(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "close_23", &rows_plain, REACH_EST);
	assert_int_equal(fill_buffer(&ep, 0), 32768);
	cell_script(&ep, "> FA p+32769 i+1; < A i+1 p+32770 wnd=0; [PEER_FIN]; = CLW;"
			 "{recv 32768}; {recv 1}=0");
	rows_end(&ep);
}

ROW(close_24_text_then_fin_in_one_ack, &rows_plain,
		REACH_EST "; > PFA p+1 i+1 len=7; [READABLE PEER_FIN]; < A i+1 p+9; .; = CLW;"
			  "{recv 20}=7; {recv 1}=0")

ROW(close_25_fin_above_a_hole_waits, &rows_plain,
		REACH_EST "; > FA p+101 i+1; < A i+1 p+1; .; []; = EST; > A p+1 i+1 len=100;"
			  "[READABLE PEER_FIN]; < A i+1 p+102; = CLW; {recv 200}=100; {recv 1}=0")
ROW(close_25_fin_above_a_hole_waits_in_fin_wait_2, &rows_plain,
		REACH_FW2 "; > PFA p+11 i+2 len=10; < A i+2 p+1; .; []; = FW2;"
			  "> A p+1 i+2 len=10; < A i+2 p+22; [READABLE PEER_FIN CLOSED GRACEFUL];"
			  "= TW; {recv 40}=20; {close}")

/* 50 octets of window, 60 and the FIN: the FIN is not remembered and comes again. */
static void
close_26_fin_right_of_the_window_is_cut(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "close_26", &rows_plain, REACH_EST);
	assert_int_equal(fill_buffer(&ep, 50), 32718);
	cell_script(&ep, "> PFA p+32719 i+1 len=60; +42; < A i+1 p+32769 wnd=0; [READABLE]; = EST;"
			 "{recv 32768}; < A i+1 p+32769 wnd=32768; {recv 1}=-EAGAIN;"
			 "> PFA p+32769 i+1 len=10; < A i+1 p+32780; [READABLE PEER_FIN]; = CLW;"
			 "{recv 20}=10; {recv 1}=0");
	rows_end(&ep);
}

/* The same above a hole: a FIN exactly at the right edge is beyond it. */
static void
close_26_fin_at_the_edge_above_a_hole_is_not_remembered(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "close_26", &rows_plain, REACH_EST);
	assert_int_equal(fill_buffer(&ep, 50), 32718);
	cell_script(&ep, "> PFA p+32729 i+1 len=40; < A i+1 p+32719; > A p+32719 i+1 len=10;"
			 "< A i+1 p+32769 wnd=0; [READABLE]; = EST; {recv 32768};"
			 "< A i+1 p+32769 wnd=32768; {recv 1}=-EAGAIN; > FA p+32769 i+1;"
			 "< A i+1 p+32770; [PEER_FIN]; = CLW; {recv 1}=0");
	rows_end(&ep);
}

/* Text over and behind the FIN, at u and at u+1, with what it acknowledges; the answer is one
 * ACK, behind all that was sent. */
#define PAST_FIN(ack, seq)                                                                         \
	"> PA p+1 " ack " len=10; > PA p+2 " ack " len=10; < A " seq " p+2; .; []; ? rcv_nxt p+2;"
ROW(close_27_text_past_the_fin_in_close_wait, &rows_plain,
		REACH_CLW "; " PAST_FIN("i+1", "i+1") "{recv 1}=0; = CLW; # drop_past_fin+2")
ROW(close_27_text_past_the_fin_in_closing, &rows_plain,
		REACH_CLG "; " PAST_FIN("i+1", "i+2") "{recv 1}=0; = CLG; # drop_past_fin+2")
ROW(close_27_text_past_the_fin_in_last_ack, &rows_plain,
		REACH_LAK "; " PAST_FIN("i+1", "i+2") "{recv 1}=0; = LAK; # drop_past_fin+2")
ROW(close_27_text_past_the_fin_in_time_wait, &rows_plain,
		REACH_TW_HELD "; > PA p+1 i+2 len=10; > PA p+2 i+2 len=10; < A i+2 p+2; .; [];"
			      "{recv 1}=0; = TW; # drop_seq drop_past_fin challenge_sent")
ROW(close_27_answers_are_throttled, &rows_plain,
		REACH_CLW "; > PA p+2 i+1 len=10; < A i+1 p+2; > PA p+2 i+1 len=10; .;"
			  "> PA p+12 i+1 len=10; .; +641; > PA p+2 i+1 len=10; < A i+1 p+2; = CLW")
ROW(close_27_text_past_a_waiting_fin_is_cut, &rows_plain,
		REACH_EST "; > FA p+21 i+1; < A i+1 p+1; > PA p+11 i+1 len=20; ~;"
			  "> A p+1 i+1 len=10; < A i+1 p+22; [READABLE PEER_FIN]; = CLW;"
			  "{recv 40}=20; {recv 1}=0")
ROW(close_27_second_fin_at_another_number_is_ignored, &rows_plain,
		REACH_EST "; > FA p+21 i+1; < A i+1 p+1; > FA p+31 i+1; < A i+1 p+1;"
			  "> FA p+11 i+1; .; []; = EST; > A p+1 i+1 len=20; < A i+1 p+22;"
			  "[READABLE PEER_FIN]; ? rcv_nxt p+22; {recv 40}=20; = CLW")
ROW(close_27_fin_behind_a_taken_one_is_ignored, &rows_plain,
		REACH_CLW "; > FA p+2 i+1; < A i+1 p+2; []; ? rcv_nxt p+2; = CLW")

/* Pairs of calls: SHUTDOWN twice, then CLOSE; each call after CLOSE; RECEIVE at the end. */
ROW(close_28_shutdown_twice_then_close, &rows_plain,
		REACH_EST
		"; {shutdown}; {shutdown}; < FA i+1 p+1; .; {send 1}=-EPIPE;"
		"{recv 1}=-EAGAIN; {close}; .; {send 1}=-EBADF; {recv 1}=-EBADF; []; = FW1")
ROW(close_28_shutdown_goes_on_receiving, &rows_plain,
		REACH_FW2
		"; > PA p+1 i+2 len=10; [READABLE]; {recv 10}; {shutdown}; {recv 1}=-EAGAIN;"
		"+42; < A i+2 p+11; {send 1}=-EPIPE; = FW2; {close}; .; {recv 1}=-EBADF")
ROW(close_28_receive_gives_the_rest_then_0, &rows_plain,
		REACH_EST
		"; > PFA p+1 i+1 len=10; < A i+1 p+12; [READABLE PEER_FIN]; {recv 6};"
		"{recv 6}=4; {recv 6}=0; {recv 6}=0; {shutdown}; < FA i+1 p+12; {recv 6}=0;"
		"> A p+12 i+2; [CLOSED GRACEFUL]; {recv 6}=0; {send 1}=-ENOTCONN; {close}")
ROW(close_28_close_wait_pairs, &rows_plain,
		REACH_CLW
		"; {recv 1}=0; {shutdown}; {shutdown}; < FA i+1 p+2; {send 1}=-EPIPE; = LAK;"
		"{close}; {send 1}=-EBADF; {recv 1}=-EBADF; .; = LAK; > A p+2 i+2;"
		"[CLOSED GRACEFUL]")
ROW(close_28_closing_pairs, &rows_plain,
		REACH_CLG "; {recv 1}=0; {shutdown}; {send 1}=-EPIPE; .; {close};"
			  "{recv 1}=-EBADF; .; = CLG; > A p+2 i+2; .; [CLOSED GRACEFUL]; = TW")
ROW(close_28_time_wait_pairs, &rows_plain,
		REACH_TW_HELD "; {recv 1}=0; {shutdown}; {send 1}=-ENOTCONN; {close}; .; []; = TW")

ROW(close_29_unread_in_established, &rows_plain,
		REACH_EST_TEXT "; {close}; < RA i+1 p+11; .; [CLOSED DATA_LOST]; = CLD;"
			       "# abort_on_unread")
/* Above a hole it is nobody's yet: FIN. */
ROW(close_29_text_above_a_hole_is_not_unread, &rows_plain,
		REACH_EST
		"; > PA p+11 i+1 len=10; < A i+1 p+1; {close}; < FA i+1 p+1; .; []; = FW1;"
		"# abort_on_unread+0 rst_sent+0")
ROW(close_29_unread_in_fin_wait_1, &rows_plain,
		REACH_EST_TEXT "; {shutdown}; < FA i+1 p+11; {close}; < RA i+2 p+11; .;"
			       "[CLOSED DATA_LOST]; = CLD; # abort_on_unread")
ROW(close_29_unread_in_fin_wait_2, &rows_plain,
		REACH_EST_TEXT "; {shutdown}; ~; > A p+11 i+2; = FW2; {close}; < RA i+2 p+11; .;"
			       "[CLOSED DATA_LOST]; = CLD; # abort_on_unread")
ROW(close_29_unread_in_close_wait, &rows_plain,
		REACH_EST_TEXT "; > FA p+11 i+1; ~; [PEER_FIN]; = CLW; {close}; < RA i+1 p+12; .;"
			       "[CLOSED DATA_LOST]; = CLD; # abort_on_unread")
ROW(close_29_unread_in_closing, &rows_plain,
		REACH_EST_TEXT "; {shutdown}; ~; > FA p+11 i+1; ~; [PEER_FIN]; = CLG; {close};"
			       "< RA i+2 p+12; .; [CLOSED DATA_LOST]; = CLD; # abort_on_unread")
ROW(close_29_unread_in_last_ack, &rows_plain,
		REACH_EST_TEXT "; > FA p+11 i+1; ~; [PEER_FIN]; {shutdown}; ~; = LAK; {close};"
			       "< RA i+2 p+12; .; [CLOSED DATA_LOST]; = CLD; # abort_on_unread")
ROW(close_29_unread_in_time_wait_is_nobodys_loss, &rows_plain,
		REACH_FW2
		"; > PFA p+1 i+2 len=10; < A i+2 p+12; [READABLE PEER_FIN CLOSED GRACEFUL];"
		"= TW; {close}; .; []; = TW; # abort_on_unread+0 rst_sent+0")

ROW(close_30_new_text_after_full_close_in_fin_wait_1, &rows_plain,
		REACH_FW1_ORP "; > PA p+1 i+1 len=1; < RA i+2 p+1; .; [CLOSED DATA_LOST]; = CLD;"
			      "# abort_on_data drop_after_close")
ROW(close_30_new_text_after_full_close_in_fin_wait_2, &rows_plain,
		REACH_FW2_ORP "; > PA p+1 i+2 len=1; < RA i+2 p+1; .; [CLOSED DATA_LOST]; = CLD;"
			      "# abort_on_data drop_after_close")
ROW(close_30_rst_is_behind_all_that_was_sent, &rows_plain,
		REACH_EST "; {send 10}; {close}; < PFA i+1 p+1 len=10; > PA p+1 i+1 len=1;"
			  "< RA i+12 p+1; .; [CLOSED DATA_LOST]; = CLD")
ROW(close_30_ack_window_update_and_fin_do_not, &rows_plain,
		REACH_FW1_ORP
		"; > A p+1 i+1; > A p+1 i+1 wnd=5000; .; = FW1; > A p+1 i+2; .; = FW2;"
		"> A p+1 i+2 wnd=6000; .; = FW2; > FA p+1 i+2; < A i+2 p+2;"
		"[CLOSED GRACEFUL]; = TW; # abort_on_data+0")
ROW(close_30_old_text_does_not, &rows_plain,
		REACH_FW2_ORP "; > PA p-99 i+2 len=10; < A i+2 p+1; .; []; = FW2")

static const struct ep_opts linger_0 = {.conn = {.no_timestamps = true,
							.no_sack = true,
							.no_wscale = true,
							.linger_ms = PMTCP_LINGER_ABORT}};
static const struct ep_opts linger_3_s = {.conn = {.no_timestamps = true,
							  .no_sack = true,
							  .no_wscale = true,
							  .linger_ms = 3000}};

/* Three settings, one stopped peer. */
ROW(close_31_linger_off_goes_on_in_the_background, &rows_plain,
		REACH_EST "; {send 10}; {close}; < PFA i+1 p+1 len=10; +30s; ~; []; = FW1;"
			  "> A p+1 i+12; .; = FW2")
ROW(close_31_linger_0_aborts, &linger_0,
		REACH_EST "; {send 10}; < PA i+1 p+1 len=10; {close}; < RA i+11 p+1; .;"
			  "[CLOSED LOCAL_ABORT]; = CLD")
ROW(close_31_linger_time_resets, &linger_3_s,
		REACH_EST "; {send 10}; {close}; < PFA i+1 p+1 len=10; +2990; ~; []; = FW1; +20;"
			  "< RA i+12 p+1; [CLOSED TIMEOUT_LINGER]; = CLD; +60s; .")
ROW(close_31_linger_time_ends_with_the_last_ack, &linger_3_s,
		REACH_EST "; {send 10}; {close}; ~; +2s; ~; > A p+1 i+12; .; = FW2; +10s; .; [];"
			  "= FW2")

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			T(close_16_simultaneous_close_with_a_queue),
			T(close_17_closing_uses_the_ack_of_a_repeated_fin),
			T(close_17_last_ack_uses_the_ack_of_a_repeated_fin),
			T(close_18_partial_acks_leave_last_ack),
			T(close_18_old_acks_leave_last_ack),
			T(close_18_partial_acks_leave_fin_wait_1),
			T(close_18_partial_acks_leave_closing),
			T(close_19_lost_fin_is_repeated_with_back_off),
			T(close_19_attached_fin_ends_at_the_limit),
			T(close_19_orphan_fin_ends_after_8_tries),
			T(close_20_lost_fin_is_repeated_in_last_ack),
			T(close_20_lost_fin_is_repeated_in_closing),
			T(close_20_silent_peer_in_last_ack_is_given_up),
			T(close_20_silent_peer_in_closing_is_given_up),
			T(close_21_repeated_fin_in_close_wait_is_acked),
			T(close_21_repeated_fin_in_closing_leaves_our_timer),
			T(close_21_repeated_fin_in_last_ack_leaves_our_timer),
			T(close_22_close_in_listen_frees),
			T(close_22_close_in_syn_sent_sends_nothing),
			T(close_22_close_before_the_syn_left_sends_nothing),
			T(close_22_close_in_syn_rcvd_sends_fin),
			T(close_22_close_in_syn_rcvd_with_a_queue_waits),
			T(close_23_fin_probes_a_shut_window),
			T(close_23_fin_probes_a_shut_window_in_last_ack),
			T(close_23_dec_12_fin_at_our_shut_window_is_taken),
			T(close_24_text_then_fin_in_one_ack),
			T(close_25_fin_above_a_hole_waits),
			T(close_25_fin_above_a_hole_waits_in_fin_wait_2),
			T(close_26_fin_right_of_the_window_is_cut),
			T(close_26_fin_at_the_edge_above_a_hole_is_not_remembered),
			T(close_27_text_past_the_fin_in_close_wait),
			T(close_27_text_past_the_fin_in_closing),
			T(close_27_text_past_the_fin_in_last_ack),
			T(close_27_text_past_the_fin_in_time_wait),
			T(close_27_answers_are_throttled),
			T(close_27_text_past_a_waiting_fin_is_cut),
			T(close_27_second_fin_at_another_number_is_ignored),
			T(close_27_fin_behind_a_taken_one_is_ignored),
			T(close_28_shutdown_twice_then_close),
			T(close_28_shutdown_goes_on_receiving),
			T(close_28_receive_gives_the_rest_then_0),
			T(close_28_close_wait_pairs),
			T(close_28_closing_pairs),
			T(close_28_time_wait_pairs),
			T(close_29_unread_in_established),
			T(close_29_text_above_a_hole_is_not_unread),
			T(close_29_unread_in_fin_wait_1),
			T(close_29_unread_in_fin_wait_2),
			T(close_29_unread_in_close_wait),
			T(close_29_unread_in_closing),
			T(close_29_unread_in_last_ack),
			T(close_29_unread_in_time_wait_is_nobodys_loss),
			T(close_30_new_text_after_full_close_in_fin_wait_1),
			T(close_30_new_text_after_full_close_in_fin_wait_2),
			T(close_30_rst_is_behind_all_that_was_sent),
			T(close_30_ack_window_update_and_fin_do_not),
			T(close_30_old_text_does_not),
			T(close_31_linger_off_goes_on_in_the_background),
			T(close_31_linger_0_aborts),
			T(close_31_linger_time_resets),
			T(close_31_linger_time_ends_with_the_last_ack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
