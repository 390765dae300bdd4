/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what CLOSING does with each call, segment and timer (RFC 9293 section
 * 3.10.7.4). Method: one script per cell of the state table. */

#include "base/base.h"
#include "support/cell.h"

/* Ten octets came before the FIN and are not read yet. */
#define REACH_CLG_TEXT REACH_FW1 "; > PFA p+1 i+1 len=10; [READABLE PEER_FIN]; < A i+2 p+12; = CLG"
/* Ten octets of ours and the FIN are on their way. */
#define REACH_CLG_DATA                                                                             \
	REACH_EST "; {send 10}; {shutdown}; < PFA i+1 p+1 len=10;"                                 \
		  "> FA p+1 i+1; [PEER_FIN]; < A i+12 p+2; = CLG"
/* Ten octets of ours and the FIN wait behind a window of 0. */
#define REACH_CLG_ZERO                                                                             \
	REACH_EST "; > A p+1 i+1 wnd=0; {send 10}; {shutdown}; .; = FW1;"                          \
		  "> FA p+1 i+1 wnd=0; [PEER_FIN]; < A i+1 p+2; = CLG"
/* After full CLOSE. */
#define REACH_CLG_ORP REACH_FW1_ORP "; > FA p+1 i+1; < A i+2 p+2; = CLG"

static const struct cell cells[] = {
		{"closing_open_again_is_refused", REACH_CLG, "{open}=-EISCONN; .; = CLG"},
		{"closing_listen_same_port_works", REACH_CLG, "{listen}; .; = CLG"},
		{"closing_send_is_refused", REACH_CLG, "{send 1}=-EPIPE; .; = CLG"},
		/* CLOSE-36, CLOSE-41 */
		{"closing_receive_gives_rest_then_0", REACH_CLG_TEXT,
				"{recv 4}; {recv 20}=6; {recv 1}=0; {recv 1}=0; .; = CLG"},
		{"closing_shutdown_again_sends_nothing", REACH_CLG, "{shutdown}; .; = CLG"},
		/* CLOSE-29 */
		{"closing_close_with_unread_sends_rstx", REACH_CLG_TEXT,
				"{close}; < RA i+2 p+12; [CLOSED DATA_LOST]; = CLD;"
				"# abort_on_unread rst_sent"},
		{"closing_close_makes_orphan", REACH_CLG,
				"{close}; .; []; = CLG; > A p+2 i+2; .; [CLOSED GRACEFUL]; = TW;"
				"# seg_taken tw_entered"},
		/* CLOSE-32 */
		{"closing_abort_frees_silently", REACH_CLG,
				"{abort}; .; [CLOSED LOCAL_ABORT]; = CLD; +10s; .; # rst_sent+0"},

		/* CLOSE-35 */
		{"closing_syn_is_challenged", REACH_CLG,
				"> S p+2; < A i+2 p+2; = CLG; # drop_syn_challenge challenge_sent"},
		{"closing_syn_ack_is_challenged", REACH_CLG,
				"> SA p i+2; < A i+2 p+2; = CLG;"
				"# drop_syn_challenge challenge_sent"},
		/* CLOSE-15 */
		{"closing_ack_of_fin_ends", REACH_CLG,
				"> A p+2 i+2; .; [CLOSED GRACEFUL]; = TW; # seg_taken tw_entered"},
		/* CLOSE-18 */
		{"closing_ack_of_text_only_stays", REACH_CLG_DATA,
				"> A p+2 i+5; .; []; = CLG; > A p+2 i+11; .; []; = CLG;"
				"> A p+2 i+12; .; [CLOSED GRACEFUL]; = TW; # seg_taken+3 "
				"tw_entered"},
		{"closing_ack_equal_is_taken", REACH_CLG,
				"> A p+2 i+1 wnd=4000; .; []; = CLG; ? snd_una i+1; # seg_taken"},
		{"closing_ack_duplicate_is_counted", REACH_CLG,
				"> A p+2 i+1; .; []; = CLG; # seg_taken dup_ack_received"},
		{"closing_ack_old_in_range_is_taken", REACH_CLG,
				"> A p+2 i-8191; .; []; = CLG; # seg_taken challenge_sent+0"},
		{"closing_ack_below_range_is_challenged", REACH_CLG,
				"> A p+2 i-8192; < A i+2 p+2; = CLG; # drop_ack challenge_sent"},
		{"closing_ack_too_high_is_challenged", REACH_CLG,
				"> A p+2 i+3; < A i+2 p+2; []; = CLG; # drop_ack challenge_sent"},
		/* CLOSE-33 */
		{"closing_rst_exact_resets", REACH_CLG,
				"> R p+2; [CLOSED PEER_RESET]; +10s; .; = CLD; # seg_taken"},
		/* CLOSE-34 */
		{"closing_rst_in_window_is_challenged", REACH_CLG,
				"> R p+3; < A i+2 p+2; = CLG; # drop_rst_challenge challenge_sent"},
		{"closing_rst_outside_window_is_dropped", REACH_CLG,
				"> R p+1; > R p+40000; .; []; = CLG; # drop_rst+2"},
		/* CLOSE-27 */
		{"closing_data_in_order_is_ignored", REACH_CLG,
				"> PA p+2 i+1 len=10; []; < A i+2 p+2; ? rcv_nxt p+2; = CLG;"
				"# drop_past_fin challenge_sent"},
		{"closing_data_above_hole_is_ignored", REACH_CLG,
				"> PA p+12 i+1 len=10; []; < A i+2 p+2; = CLG;"
				"# drop_past_fin challenge_sent"},
		{"closing_data_old_is_acked", REACH_CLG,
				"> PA p-99 i+1 len=10; []; < A i+2 p+2; = CLG; # drop_seq"},
		/* CLOSE-17 */
		{"closing_data_old_at_edge_has_its_ack_used", REACH_CLG_TEXT,
				"> PFA p+1 i+2 len=10; < A i+2 p+12; [CLOSED GRACEFUL]; = TW;"
				"# seg_taken tw_entered"},
		{"closing_data_beyond_window_is_acked", REACH_CLG,
				"> PA p+40000 i+1 len=10; []; < A i+2 p+2; = CLG; # drop_seq"},
		{"closing_fin_in_order_is_challenged", REACH_CLG,
				"> FA p+2 i+1; []; < A i+2 p+2; ? rcv_nxt p+2; = CLG;"
				"# drop_past_fin challenge_sent"},
		/* CLOSE-21 */
		{"closing_fin_repeated_is_acked", REACH_CLG,
				"> FA p+1 i+1; []; < A i+2 p+2; > FA p+1 i+1; []; < A i+2 p+2;"
				"= CLG; # drop_seq+2"},
		/* CLOSE-17 */
		{"closing_fin_repeated_acking_ours_ends", REACH_CLG,
				"> FA p+1 i+2; < A i+2 p+2; [CLOSED GRACEFUL]; = TW;"
				"# seg_taken tw_entered"},
		{"closing_fin_above_hole_is_challenged", REACH_CLG,
				"> FA p+12 i+1; []; < A i+2 p+2; = CLG;"
				"# drop_past_fin challenge_sent"},
		{"closing_null_segment_is_dropped", REACH_CLG,
				"> - p+2; > P p+2 len=10; .; []; = CLG; # drop_no_ack+2"},
		{"closing_bare_fin_is_dropped", REACH_CLG, "> F p+2; .; []; = CLG; # drop_no_ack"},
		{"closing_icmp_hard_is_told", REACH_CLG,
				"! icmp 3/3 i+1; [ERROR UNREACHABLE]; .; = CLG; # "
				"icmp_error_taken"},

		/* CLOSE-20 */
		{"closing_rto_repeats_fin", REACH_CLG,
				"+195; .; +10; < FA i+1 p+2; .; +385; .; +20; < FA i+1 p+2; .;"
				"= CLG; # fin_retransmitted+2"},
		{"closing_rto_repeats_text_with_fin", REACH_CLG_DATA,
				"+195; .; +10; < PFA i+1 p+2 len=10; .; = CLG"},
		{"closing_rto_limit_times_out", REACH_CLG,
				"{retries 2}; +205; < FA i+1 p+2; +405; < FA i+1 p+2; +770; .; [];"
				"= CLG; +50; < RA i+2 p+2; [CLOSED TIMEOUT_RTX]; = CLD;"
				"# rst_sent lastack_timeout"},
		{"closing_rto_orphan_limit_times_out", REACH_CLG_ORP,
				"+52s; ~; []; = CLG; +60s; < RA i+2 p+2; [CLOSED TIMEOUT_RTX];"
				"= CLD; # fin_retransmitted+8 lastack_timeout"},
		/* CLOSE-16 */
		{"closing_persist_probes_if_unsent", REACH_CLG_ZERO,
				"+193; .; +12; < A i+1 p+2 len=1; > A p+2 i+1 wnd=0; +385; .; +20;"
				"< A i+1 p+2 len=1; > A p+2 i+2 wnd=100; < PFA i+2 p+2 len=9; [];"
				"= CLG; # seg_taken+2 probe_sent+2"},
		{"closing_delayed_ack_is_not_armed", REACH_CLG, "+190; .; = CLG; # ack_delayed+0"},
		{"closing_2msl_is_not_armed", REACH_CLG,
				"+62s; ~; [ERROR TIMEOUT_RTX]; = CLG; # tw_expired+0"},
		{"closing_keepalive_is_not_armed", REACH_CLG,
				"{keepalive_ms 100}; {keepalive_intvl_ms 100}; +1s; ~; []; = CLG; "
				"# keepalive_sent+0"},
		{"closing_user_timeout", REACH_CLG,
				"{user_timeout_ms 1000}; +990; ~; []; = CLG; +20; < RA i+2 p+2; "
				"[CLOSED TIMEOUT_USER]; = CLD; # rst_sent"},
		{"closing_fw2_is_not_armed", REACH_CLG,
				"{fw2_ms 1000}; +10s; ~; [ERROR TIMEOUT_RTX]; = CLG; # "
				"fw2_timeout+0"},
		{"closing_linger", REACH_CLG,
				"{linger_ms 1000}; {close}; +990; ~; []; = CLG; +20; < RA i+2 p+2; "
				"[CLOSED TIMEOUT_LINGER]; = CLD; # rst_sent"},
};

int
main(void)
{
	return cell_run_all("closing", cells, PMTCP_ARRAY_SIZE(cells));
}
