/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what SYN-RECEIVED does with each call, segment and timer (RFC 9293
 * section 3.10.7.4). Method: one script per cell of the state table, for both
 * forms: the half-open of a listener, which no application knows of yet, and
 * the connection of a simultaneous open. */

#include "base/base.h"
#include "support/cell.h"

static const struct cell passive[] = {
		{"syn_rcvd_open_same_tuple_is_refused", REACH_SYR, "{open}=-EISCONN; .; = SYR"},
		{"syn_rcvd_listen_same_port_is_refused", REACH_SYR,
				"{listen}=-EADDRINUSE; .; = SYR"},
		/* No handle before ACCEPTED: the calls are possible from there. */
		{"syn_rcvd_send_comes_after_accepted", REACH_SYR,
				"+1; []; > A p+1 i+1; [ACCEPTED]; {send 10};"
				"< PA i+1 p+1 len=10; = EST; # seg_taken"},
		{"syn_rcvd_receive_comes_after_accepted", REACH_SYR,
				"+1; []; > A p+1 i+1; [ACCEPTED]; {recv 1}=-EAGAIN; .; = EST;"
				"# seg_taken"},
		{"syn_rcvd_shutdown_comes_after_accepted", REACH_SYR,
				"+1; []; > A p+1 i+1; [ACCEPTED]; {shutdown}; < FA i+1 p+1; = FW1;"
				"# seg_taken"},
		{"syn_rcvd_close_comes_after_accepted", REACH_SYR,
				"+1; []; > A p+1 i+1; [ACCEPTED]; {close}; < FA i+1 p+1; = FW1;"
				"# seg_taken"},
		{"syn_rcvd_abort_comes_after_accepted", REACH_SYR,
				"+1; []; > A p+1 i+1; [ACCEPTED]; {abort}; < RA i+1 p+1;"
				"[CLOSED LOCAL_ABORT]; = CLD; # seg_taken"},

		/* OPEN-25, DEC-3 */
		{"syn_rcvd_syn_same_irs_repeats_syn_ack", REACH_SYR,
				"> S p; < SA i p+1; = SYR; # seg_taken half_open_created+0"},
		{"syn_rcvd_syn_other_is_challenged", REACH_SYR,
				"> S p+5; < A i+1 p+1; = SYR; # drop_syn_challenge challenge_sent"},
		{"syn_rcvd_syn_ack_is_challenged", REACH_SYR,
				"> SA p i+1; < A i+1 p+1; []; = SYR;"
				"# drop_syn_challenge challenge_sent"},
		/* OPEN-4 */
		{"syn_rcvd_ack_new_enters_established", REACH_SYR,
				"> A p+1 i+1 wnd=5000; [ACCEPTED]; .; = EST; ? snd_wnd 5000;"
				"? rcv_nxt p+1; # seg_taken half_open_accepted"},
		/* OPEN-27 */
		{"syn_rcvd_ack_old_gets_rsta", REACH_SYR,
				"> A p+1 i; < R i 0; []; = SYR; > A p+1 i+1; [ACCEPTED]; .; = EST;"
				"# drop_ack seg_taken"},
		{"syn_rcvd_ack_too_high_gets_rsta", REACH_SYR,
				"> A p+1 i+9; < R i+9 0; []; = SYR; > A p+1 i+1; [ACCEPTED]; .;"
				"= EST; # drop_ack seg_taken"},
		{"syn_rcvd_ack_below_range_gets_rsta", REACH_SYR,
				"> A p+1 i-9000; < R i-9000 0; []; = SYR; # drop_ack"},
		/* OPEN-26, OPEN-22 */
		{"syn_rcvd_rst_exact_frees_half_open", REACH_SYR,
				"> R p+1; .; []; = LIS; # seg_taken half_open_reset"},
		{"syn_rcvd_rst_in_window_is_challenged", REACH_SYR,
				"> R p+2; < A i+1 p+1; = SYR; # drop_rst_challenge challenge_sent"},
		{"syn_rcvd_rst_outside_window_is_dropped", REACH_SYR,
				"> R p; > R p+40000; .; = SYR; # drop_rst+2"},
		{"syn_rcvd_data_in_order_delivers", REACH_SYR,
				"> PA p+1 i+1 len=10; [ACCEPTED READABLE]; +42; < A i+1 p+11;"
				"{recv 10}; = EST; # seg_taken"},
		{"syn_rcvd_data_above_hole_queues", REACH_SYR,
				"> PA p+11 i+1 len=10; [ACCEPTED]; < A i+1 p+1; = EST;"
				"> PA p+1 i+1 len=10; [READABLE]; < A i+1 p+21; {recv 20};"
				"# seg_taken+2 ooo_queued"},
		{"syn_rcvd_data_old_is_acked", REACH_SYR,
				"> PA p-99 i+1 len=10; < A i+1 p+1; []; = SYR; # drop_seq"},
		{"syn_rcvd_data_beyond_window_is_acked", REACH_SYR,
				"> PA p+60000 i+1 len=10; < A i+1 p+1; []; = SYR; # drop_seq"},
		{"syn_rcvd_fin_in_order_enters_close_wait", REACH_SYR,
				"> FA p+1 i+1; [ACCEPTED PEER_FIN]; < A i+1 p+2; = CLW; # "
				"seg_taken"},
		{"syn_rcvd_fin_repeated_is_acked", REACH_SYR,
				"> FA p i+1; < A i+1 p+1; []; = SYR; # drop_seq"},
		{"syn_rcvd_fin_above_hole_is_held", REACH_SYR,
				"> FA p+11 i+1; [ACCEPTED]; < A i+1 p+1; = EST;"
				"> PA p+1 i+1 len=10; [READABLE PEER_FIN]; < A i+1 p+12; = CLW;"
				"# seg_taken+2"},
		{"syn_rcvd_null_segment_is_dropped", REACH_SYR,
				"> - p+1; .; []; = SYR; # drop_no_ack"},
		{"syn_rcvd_bare_fin_is_dropped", REACH_SYR, "> F p+1; .; []; = SYR; # drop_no_ack"},
		/* SEC-9 */
		{"syn_rcvd_icmp_hard_frees_half_open", REACH_SYR,
				"! icmp 3/3 i; []; .; = LIS; # icmp_error_taken half_open_icmp"},
		{"syn_rcvd_icmp_hard_of_other_number_is_dropped", REACH_SYR,
				"! icmp 3/3 i+1; ! icmp 3/3 i-1; []; .; = SYR; # "
				"drop_icmp_stale+2"},
		{"syn_rcvd_icmp_soft_is_ignored", REACH_SYR,
				"! icmp 3/1 i; []; .; = SYR; +1010; < SA i p+1; # "
				"icmp_error_taken"},

		/* OPEN-14: five repetitions, then silence. */
		{"syn_rcvd_rto_repeats_syn_ack", REACH_SYR,
				"+990; .; +20; < SA i p+1; .; +1980; .; +20; < SA i p+1; .; = SYR;"
				"# synack_retransmitted+2"},
		{"syn_rcvd_rto_limit_frees_half_open", REACH_SYR,
				"+1020; < SA i p+1; +2s; < SA i p+1; +4s; < SA i p+1; +8s;"
				"< SA i p+1; +16s; < SA i p+1; +31s; .; = SYR; +2s; .; []; = LIS;"
				"# synack_retransmitted+5 half_open_timeout"},
		{"syn_rcvd_persist_is_not_armed", REACH_LIS,
				"> S p wnd=0; < SA i= p+1; = SYR; +990; .; # syn_taken "
				"probe_sent+0"},
		{"syn_rcvd_delayed_ack_is_not_armed", REACH_SYR, "+990; .; # ack_delayed+0"},
		{"syn_rcvd_2msl_is_not_armed", REACH_SYR, "+61s; ~; []; = SYR; # tw_expired+0"},
		{"syn_rcvd_keepalive_is_not_armed", "{keepalive_ms 100}; " REACH_SYR,
				"+5s; ~; []; = SYR; # keepalive_sent+0"},
		{"syn_rcvd_user_timeout", "{user_timeout_ms 5000}; " REACH_SYR,
				"+4990; ~; = SYR; +20; < RA i+1 p+1; []; = LIS; # "
				"half_open_timeout rst_sent"},
		{"syn_rcvd_fw2_is_not_armed", REACH_SYR, "+61s; ~; []; = SYR; # fw2_timeout+0"},
		{"syn_rcvd_linger_is_not_armed", "{linger_ms 100}; " REACH_SYR,
				"+5s; ~; []; = SYR"},
};

static const struct cell active[] = {
		{"syn_rcvd_active_open_again_is_refused", REACH_SYR_ACT,
				"{open}=-EISCONN; .; = SYR"},
		{"syn_rcvd_active_listen_leaves_it_alone", REACH_SYR_ACT, "{listen}; .; = SYR"},
		{"syn_rcvd_active_send_queues", REACH_SYR_ACT,
				"{send 10}; .; > A p+1 i+1; [CONNECTED]; < PA i+1 p+1 len=10; = "
				"EST;"
				"# seg_taken"},
		{"syn_rcvd_active_receive_waits", REACH_SYR_ACT, "{recv 1}=-EAGAIN; .; = SYR"},
		/* CLOSE-22: at once if nothing is queued. */
		{"syn_rcvd_active_shutdown_sends_fin", REACH_SYR_ACT,
				"{shutdown}; < FA i+1 p+1; = FW1"},
		{"syn_rcvd_active_shutdown_with_queue_sends_fin_after_it", REACH_SYR_ACT,
				"{send 10}; {shutdown}; .; > A p+1 i+1; < PFA i+1 p+1 len=10;"
				"[CONNECTED]; = FW1; # seg_taken"},
		{"syn_rcvd_active_close_sends_fin", REACH_SYR_ACT,
				"{close}; < FA i+1 p+1; []; = FW1"},
		{"syn_rcvd_active_close_with_queue_sends_fin_after_it", REACH_SYR_ACT,
				"{send 10}; {close}; .; > A p+1 i+1; < PFA i+1 p+1 len=10; [];"
				"= FW1; # seg_taken"},
		{"syn_rcvd_active_abort_sends_rstx", REACH_SYR_ACT,
				"{abort}; < RA i+1 p+1; [CLOSED LOCAL_ABORT]; = CLD; # rst_sent"},

		{"syn_rcvd_active_syn_same_irs_repeats_syn_ack", REACH_SYR_ACT,
				"> S p; < SA i p+1; = SYR; # seg_taken"},
		{"syn_rcvd_active_syn_other_is_challenged", REACH_SYR_ACT,
				"> S p+5; < A i+1 p+1; = SYR; # drop_syn_challenge challenge_sent"},
		/* OPEN-19 */
		{"syn_rcvd_active_syn_ack_enters_established", REACH_SYR_ACT,
				"> SA p i+1; [CONNECTED]; < A i+1 p+1; = EST; # seg_taken "
				"connected"},
		{"syn_rcvd_active_syn_ack_other_is_challenged", REACH_SYR_ACT,
				"> SA p+5 i+1; < A i+1 p+1; []; = SYR;"
				"# drop_syn_challenge challenge_sent"},
		{"syn_rcvd_active_ack_new_enters_established", REACH_SYR_ACT,
				"> A p+1 i+1; [CONNECTED]; .; = EST; # seg_taken connected"},
		{"syn_rcvd_active_ack_old_gets_rsta", REACH_SYR_ACT,
				"> A p+1 i; < R i 0; []; = SYR; # drop_ack"},
		{"syn_rcvd_active_ack_too_high_gets_rsta", REACH_SYR_ACT,
				"> A p+1 i+9; < R i+9 0; []; = SYR; > A p+1 i+1; [CONNECTED]; .;"
				"= EST; # drop_ack seg_taken"},
		{"syn_rcvd_active_ack_below_range_gets_rsta", REACH_SYR_ACT,
				"> A p+1 i-9000; < R i-9000 0; []; = SYR; # drop_ack"},
		{"syn_rcvd_active_rst_exact_is_refused", REACH_SYR_ACT,
				"> R p+1; [CLOSED REFUSED]; .; = CLD; # seg_taken"},
		{"syn_rcvd_active_rst_in_window_is_challenged", REACH_SYR_ACT,
				"> R p+2; < A i+1 p+1; = SYR; # drop_rst_challenge challenge_sent"},
		{"syn_rcvd_active_rst_outside_window_is_dropped", REACH_SYR_ACT,
				"> R p; > R p+40000; .; []; = SYR; # drop_rst+2"},
		{"syn_rcvd_active_data_in_order_delivers", REACH_SYR_ACT,
				"> PA p+1 i+1 len=10; [CONNECTED READABLE]; +42; < A i+1 p+11;"
				"{recv 10}; = EST; # seg_taken"},
		{"syn_rcvd_active_data_above_hole_queues", REACH_SYR_ACT,
				"> PA p+11 i+1 len=10; [CONNECTED]; < A i+1 p+1; = EST;"
				"# seg_taken ooo_queued"},
		{"syn_rcvd_active_data_old_is_acked", REACH_SYR_ACT,
				"> PA p-99 i+1 len=10; < A i+1 p+1; []; = SYR; # drop_seq"},
		{"syn_rcvd_active_data_beyond_window_is_acked", REACH_SYR_ACT,
				"> PA p+60000 i+1 len=10; < A i+1 p+1; []; = SYR; # drop_seq"},
		{"syn_rcvd_active_fin_in_order_enters_close_wait", REACH_SYR_ACT,
				"> FA p+1 i+1; [CONNECTED PEER_FIN]; < A i+1 p+2; = CLW; # "
				"seg_taken"},
		{"syn_rcvd_active_fin_repeated_is_acked", REACH_SYR_ACT,
				"> FA p i+1; < A i+1 p+1; []; = SYR; # drop_seq"},
		{"syn_rcvd_active_fin_above_hole_is_held", REACH_SYR_ACT,
				"> FA p+11 i+1; [CONNECTED]; < A i+1 p+1; = EST; # seg_taken"},
		{"syn_rcvd_active_null_segment_is_dropped", REACH_SYR_ACT,
				"> - p+1; .; []; = SYR; # drop_no_ack"},
		{"syn_rcvd_active_bare_fin_is_dropped", REACH_SYR_ACT,
				"> F p+1; .; []; = SYR; # drop_no_ack"},
		{"syn_rcvd_active_icmp_hard_ends", REACH_SYR_ACT,
				"! icmp 3/3 i; [CLOSED UNREACHABLE]; .; = CLD; # icmp_error_taken"},
		{"syn_rcvd_active_icmp_soft_is_told", REACH_SYR_ACT,
				"! icmp 11/0 i; [ERROR UNREACHABLE]; .; = SYR; # icmp_error_taken"},

		{"syn_rcvd_active_rto_repeats_syn_ack", REACH_SYR_ACT,
				"+990; .; +20; < SA i p+1; .; +1980; .; +20; < SA i p+1; .; = SYR"},
		{"syn_rcvd_active_rto_limit_times_out", REACH_SYR_ACT,
				"+250s; ~; [CLOSED TIMEOUT_SYN]; = CLD"},
		{"syn_rcvd_active_persist_is_not_armed", REACH_SYS,
				"> S p wnd=0; < SA i p+1; {send 10}; +990; .;"
				"# seg_taken probe_sent+0"},
		{"syn_rcvd_active_delayed_ack_is_not_armed", REACH_SYR_ACT,
				"+990; .; # ack_delayed+0"},
		{"syn_rcvd_active_2msl_is_not_armed", REACH_SYR_ACT,
				"+62s; ~; []; = SYR; # tw_expired+0"},
		{"syn_rcvd_active_keepalive_is_not_armed", REACH_SYR_ACT,
				"{keepalive_ms 100}; {keepalive_intvl_ms 100}; +5s; ~; []; = SYR; "
				"# keepalive_sent+0"},
		{"syn_rcvd_active_user_timeout", REACH_SYR_ACT,
				"{user_timeout_ms 5000}; +4990; ~; []; = SYR; +20; < RA i+1 p+1; "
				"[CLOSED TIMEOUT_USER]; = CLD; # rst_sent"},
		{"syn_rcvd_active_fw2_is_not_armed", REACH_SYR_ACT,
				"{fw2_ms 1000}; +10s; ~; []; = SYR; # fw2_timeout+0"},
		{"syn_rcvd_active_linger_is_not_armed", REACH_SYR_ACT,
				"{linger_ms 100}; +5s; ~; []; = SYR"},
};

/* RFC 7323 2.2: the window field of any SYN is literal, also of the SYN-ACK that
 * completes a simultaneous open; only later ones are scaled (OPEN-8, DATA-17). */
static const struct cell scaled[] = {
		{"syn_rcvd_active_syn_ack_window_is_not_scaled", "{open}; < S i= 0",
				"> S p ws=7 wnd=5000; < SA i p+1; > SA p i+1 ws=7 wnd=5000;"
				"[CONNECTED]; < A i+1 p+1; ? snd_wnd 4992; > A p+1 i+1 wnd=10;"
				"? snd_wnd 1280; # seg_taken+3"},
		{"syn_rcvd_third_ack_window_is_scaled", "{listen}",
				"> S p ws=7 wnd=5000; < SA i= p+1; > A p+1 i+1 wnd=10; [ACCEPTED]; "
				".;"
				"? snd_wnd 1280; # syn_taken seg_taken"},
};

int
main(void)
{
	static const struct ep_opts wscale = {.conn = {.no_timestamps = true, .no_sack = true}};
	int failed = cell_run_all("syn_rcvd passive", passive, PMTCP_ARRAY_SIZE(passive));

	failed += cell_run_all("syn_rcvd active", active, PMTCP_ARRAY_SIZE(active));
	return failed +
	       cell_run_all_with("syn_rcvd scaled", scaled, PMTCP_ARRAY_SIZE(scaled), &wscale);
}
