/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what SYN-SENT does with each call, segment and timer (RFC 9293 section
 * 3.10.7.3). Method: one script per cell of the state table. */

#include "base/base.h"
#include "support/cell.h"

static const struct cell cells[] = {
		{"syn_sent_open_again_is_refused", REACH_SYS, "{open}=-EISCONN; .; = SYS"},
		/* OPEN-11 */
		{"syn_sent_listen_leaves_it_alone", REACH_SYS,
				"{listen}; .; = SYS; > SA p i+1; < A i+1 p+1; [CONNECTED]; = EST;"
				"# seg_taken"},
		/* OPEN-38 */
		{"syn_sent_send_queues", REACH_SYS,
				"{send 10}; .; > SA p i+1; [CONNECTED]; < PA i+1 p+1 len=10; = EST;"
				"# seg_taken"},
		{"syn_sent_receive_waits", REACH_SYS, "{recv 1}=-EAGAIN; .; = SYS"},
		{"syn_sent_shutdown_is_refused", REACH_SYS, "{shutdown}=-ENOTCONN; .; = SYS"},
		/* CLOSE-22, and the late SYN-ACK meets OPEN-36. */
		{"syn_sent_close_frees_silently", REACH_SYS,
				"{close}; .; [CLOSED LOCAL_CLOSE]; = CLD; > SA p i+1; < R i+1 0;"
				"# drop_no_tcb"},
		/* CLOSE-32 */
		{"syn_sent_abort_frees_silently", REACH_SYS,
				"{abort}; .; [CLOSED LOCAL_ABORT]; = CLD; # rst_sent+0"},

		/* OPEN-18 */
		{"syn_sent_syn_enters_syn_received", REACH_SYS,
				"> S p; < SA i p+1; []; = SYR; # seg_taken"},
		/* OPEN-2 */
		{"syn_sent_syn_ack_enters_established", REACH_SYS,
				"> SA p i+1; [CONNECTED]; < A i+1 p+1 wnd=32768; = EST;"
				"? snd_wnd 8192; # seg_taken connected"},
		/* OPEN-15 */
		{"syn_sent_syn_ack_too_high_gets_rsta", REACH_SYS,
				"> SA p i+2; < R i+2 0; = SYS; > SA p i+1; < A i+1 p+1;"
				"[CONNECTED]; = EST; # drop_syn_sent seg_taken"},
		{"syn_sent_syn_ack_too_low_gets_rsta", REACH_SYS,
				"> SA p i; < R i 0; = SYS; # drop_syn_sent"},
		/* OPEN-20 */
		{"syn_sent_syn_ack_with_text_delivers", REACH_SYS,
				"> SA p i+1 len=4; [CONNECTED READABLE]; < A i+1 p+5; {recv 4};"
				"# seg_taken"},
		/* OPEN-17 */
		{"syn_sent_ack_new_is_dropped", REACH_SYS,
				"> A p+1 i+1; .; []; = SYS; # drop_syn_sent"},
		{"syn_sent_ack_old_gets_rsta", REACH_SYS,
				"> A p+1 i; < R i 0; = SYS; # drop_syn_sent"},
		{"syn_sent_ack_too_high_gets_rsta", REACH_SYS,
				"> A p+1 i+2; < R i+2 0; = SYS; # drop_syn_sent"},
		{"syn_sent_ack_below_range_gets_rsta", REACH_SYS,
				"> A p+1 i-9000; < R i-9000 0; = SYS; # drop_syn_sent"},
		/* OPEN-16: without a synchronized peer no RST has a window to be in. */
		{"syn_sent_rst_exact_refuses", REACH_SYS,
				"> RA 0 i+1; [CLOSED REFUSED]; .; = CLD; # seg_taken"},
		{"syn_sent_rst_exact_bad_ack_is_dropped", REACH_SYS,
				"> R 0; > RA 0 i+2; > RA 0 i; .; []; = SYS; # drop_rst+3"},
		{"syn_sent_rst_in_window_refuses", REACH_SYS,
				"> RA p+100 i+1; [CLOSED REFUSED]; .; = CLD; # seg_taken"},
		{"syn_sent_rst_in_window_bad_ack_is_dropped", REACH_SYS,
				"> R p+100; > RA p+100 i; .; []; = SYS; # drop_rst+2"},
		{"syn_sent_rst_outside_window_refuses", REACH_SYS,
				"> RA p-100000 i+1; [CLOSED REFUSED]; .; = CLD; # seg_taken"},
		{"syn_sent_rst_outside_window_bad_ack_is_dropped", REACH_SYS,
				"> R p-100000; > RA p-100000 i+2; .; []; = SYS; # drop_rst+2"},
		{"syn_sent_data_in_order_is_dropped", REACH_SYS,
				"> PA p+1 i+1 len=10; .; []; = SYS; # drop_syn_sent"},
		{"syn_sent_data_in_order_bad_ack_gets_rsta", REACH_SYS,
				"> PA p+1 i len=10; < R i 0; = SYS; # drop_syn_sent"},
		{"syn_sent_data_above_hole_is_dropped", REACH_SYS,
				"> PA p+11 i+1 len=10; .; []; = SYS; # drop_syn_sent"},
		{"syn_sent_data_above_hole_bad_ack_gets_rsta", REACH_SYS,
				"> PA p+11 i+2 len=10; < R i+2 0; = SYS; # drop_syn_sent"},
		{"syn_sent_data_old_is_dropped", REACH_SYS,
				"> PA p-99 i+1 len=10; .; []; = SYS; # drop_syn_sent"},
		{"syn_sent_data_old_bad_ack_gets_rsta", REACH_SYS,
				"> PA p-99 i+2 len=10; < R i+2 0; = SYS; # drop_syn_sent"},
		{"syn_sent_fin_in_order_is_dropped", REACH_SYS,
				"> FA p+1 i+1; .; []; = SYS; # drop_syn_sent"},
		{"syn_sent_fin_in_order_bad_ack_gets_rsta", REACH_SYS,
				"> FA p+1 i; < R i 0; = SYS; # drop_syn_sent"},
		{"syn_sent_fin_repeated_is_dropped", REACH_SYS,
				"> FA p i+1; .; []; = SYS; # drop_syn_sent"},
		{"syn_sent_fin_repeated_bad_ack_gets_rsta", REACH_SYS,
				"> FA p i+2; < R i+2 0; = SYS; # drop_syn_sent"},
		{"syn_sent_fin_above_hole_is_dropped", REACH_SYS,
				"> FA p+11 i+1; .; []; = SYS; # drop_syn_sent"},
		{"syn_sent_fin_above_hole_bad_ack_gets_rsta", REACH_SYS,
				"> FA p+11 i; < R i 0; = SYS; # drop_syn_sent"},
		{"syn_sent_null_segment_is_dropped", REACH_SYS,
				"> - p; .; []; = SYS; # drop_syn_sent"},
		{"syn_sent_bare_fin_is_dropped", REACH_SYS, "> F p; .; []; = SYS; # drop_syn_sent"},
		/* SEC-9 (RFC 5461): nobody is there, and who asked learns it at once. */
		{"syn_sent_icmp_hard_ends", REACH_SYS,
				"! icmp 3/3 i; [CLOSED UNREACHABLE]; .; = CLD; # icmp_error_taken"},
		{"syn_sent_icmp_hard_protocol_ends", REACH_SYS,
				"! icmp 3/2 i; [CLOSED UNREACHABLE]; .; = CLD; # icmp_error_taken"},
		/* SEC-8: the ISS and nothing else. */
		{"syn_sent_icmp_hard_of_other_number_is_dropped", REACH_SYS,
				"! icmp 3/3 i-1; ! icmp 3/3 i+1; []; .; = SYS; # "
				"drop_icmp_stale+2"},
		/* MUST-56 */
		{"syn_sent_icmp_soft_is_told", REACH_SYS,
				"! icmp 3/1 i; [ERROR UNREACHABLE]; .; = SYS; +990; .; +20; < S i "
				"0;"
				"# icmp_error_taken"},

		/* OPEN-12: 1, 3, 7, 15, 31, 63, 123 s, then the end after 180 s or more. */
		{"syn_sent_rto_repeats_syn", REACH_SYS,
				"+990; .; +20; < S i 0; .; +1980; .; +20; < S i 0; .; = SYS;"
				"# syn_retransmitted+2"},
		/* The timer's node waits where a delayed ACK would be due, for nothing here. */
		{"syn_sent_node_expires_early_once", REACH_SYS,
				"+990; .; ~; = SYS; # timers_expired+1 syn_retransmitted+0"},
		{"syn_sent_rto_limit_times_out", REACH_SYS,
				"+1020; < S i 0; +2s; < S i 0; +4s; < S i 0; +8s; < S i 0; +16s;"
				"< S i 0; +32s; < S i 0; +60s; < S i 0; +57s; .; []; = SYS; +10s; "
				".;"
				"[CLOSED TIMEOUT_SYN]; = CLD; # syn_retransmitted+7"},
		{"syn_sent_persist_is_not_armed", REACH_SYS, "{send 10}; +900; .; # probe_sent+0"},
		{"syn_sent_delayed_ack_is_not_armed", REACH_SYS,
				"> PA p+1 i+1 len=10; +900; .; # drop_syn_sent ack_delayed+0"},
		{"syn_sent_2msl_is_not_armed", REACH_SYS, "+62s; ~; []; = SYS; # tw_entered+0"},
		{"syn_sent_keepalive_is_not_armed", REACH_SYS,
				"{keepalive_ms 100}; {keepalive_intvl_ms 100}; +5s; ~; []; = SYS; "
				"# keepalive_sent+0"},
		{"syn_sent_user_timeout", REACH_SYS,
				"{user_timeout_ms 5000}; +4990; ~; []; = SYS; +20; .; [CLOSED "
				"TIMEOUT_USER]; = CLD; # rst_sent+0"},
		{"syn_sent_fw2_is_not_armed", REACH_SYS,
				"{fw2_ms 1000}; +10s; ~; []; = SYS; # fw2_timeout+0"},
		{"syn_sent_linger_is_not_armed", REACH_SYS, "{linger_ms 100}; +5s; ~; []; = SYS"},
};

int
main(void)
{
	return cell_run_all("syn_sent", cells, PMTCP_ARRAY_SIZE(cells));
}
