/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what LAST-ACK does with each call, segment and timer (RFC 9293 section
 * 3.10.7.4). Method: one script per cell of the state table. */

#include "base/base.h"
#include "support/cell.h"

/* Ten octets came before the FIN and are not read yet. */
#define REACH_LAK_TEXT                                                                             \
	REACH_EST "; > PFA p+1 i+1 len=10; [READABLE PEER_FIN]; < A i+1 p+12;"                     \
		  "{shutdown}; < FA i+1 p+12; = LAK"
/* Ten octets of ours and the FIN are on their way. */
#define REACH_LAK_DATA REACH_CLW "; {send 10}; {shutdown}; < PFA i+1 p+2 len=10; = LAK"
/* Ten octets of ours and the FIN wait behind a window of 0. */
#define REACH_LAK_ZERO REACH_CLW "; > A p+2 i+1 wnd=0; {send 10}; {shutdown}; .; = LAK"
/* After full CLOSE. */
#define REACH_LAK_ORP REACH_CLW "; {close}; < FA i+1 p+2; = LAK"

static const struct cell cells[] = {
		{"last_ack_open_again_is_refused", REACH_LAK, "{open}=-EISCONN; .; = LAK"},
		{"last_ack_listen_same_port_works", REACH_LAK, "{listen}; .; = LAK"},
		{"last_ack_send_is_refused", REACH_LAK, "{send 1}=-EPIPE; .; = LAK"},
		/* CLOSE-36, CLOSE-41 */
		{"last_ack_receive_gives_rest_then_0", REACH_LAK_TEXT,
				"{recv 4}; {recv 20}=6; {recv 1}=0; {recv 1}=0; .; = LAK"},
		{"last_ack_shutdown_again_sends_nothing", REACH_LAK, "{shutdown}; .; = LAK"},
		/* CLOSE-29 */
		{"last_ack_close_with_unread_sends_rstx", REACH_LAK_TEXT,
				"{close}; < RA i+2 p+12; [CLOSED DATA_LOST]; = CLD;"
				"# abort_on_unread rst_sent"},
		{"last_ack_close_makes_orphan", REACH_LAK,
				"{close}; .; []; = LAK; > A p+2 i+2; .; [CLOSED GRACEFUL]; = CLD;"
				"# seg_taken tw_entered+0"},
		/* CLOSE-32 */
		{"last_ack_abort_frees_silently", REACH_LAK,
				"{abort}; .; [CLOSED LOCAL_ABORT]; = CLD; +10s; .; # rst_sent+0"},

		/* CLOSE-35 */
		{"last_ack_syn_is_challenged", REACH_LAK,
				"> S p+2; < A i+2 p+2; = LAK; # drop_syn_challenge challenge_sent"},
		{"last_ack_syn_ack_is_challenged", REACH_LAK,
				"> SA p i+2; < A i+2 p+2; = LAK;"
				"# drop_syn_challenge challenge_sent"},
		/* CLOSE-12 */
		{"last_ack_ack_of_fin_ends", REACH_LAK,
				"> A p+2 i+2; .; [CLOSED GRACEFUL]; = CLD; # seg_taken "
				"tw_entered+0"},
		/* CLOSE-18 */
		{"last_ack_ack_of_text_only_stays", REACH_LAK_DATA,
				"> A p+2 i+5; .; []; = LAK; > A p+2 i+11; .; []; = LAK;"
				"> A p+2 i+12; .; [CLOSED GRACEFUL]; = CLD;"
				"# seg_taken+3 tw_entered+0"},
		{"last_ack_ack_equal_is_taken", REACH_LAK,
				"> A p+2 i+1 wnd=4000; .; []; = LAK; ? snd_una i+1; # seg_taken"},
		{"last_ack_ack_duplicate_is_counted", REACH_LAK,
				"> A p+2 i+1; .; []; = LAK; # seg_taken dup_ack_received"},
		{"last_ack_ack_old_in_range_is_taken", REACH_LAK,
				"> A p+2 i-8191; .; []; = LAK; # seg_taken challenge_sent+0"},
		{"last_ack_ack_below_range_is_challenged", REACH_LAK,
				"> A p+2 i-8192; < A i+2 p+2; = LAK; # drop_ack challenge_sent"},
		{"last_ack_ack_too_high_is_challenged", REACH_LAK,
				"> A p+2 i+3; < A i+2 p+2; []; = LAK; # drop_ack challenge_sent"},
		/* CLOSE-33 */
		{"last_ack_rst_exact_resets", REACH_LAK,
				"> R p+2; [CLOSED PEER_RESET]; +10s; .; = CLD; # seg_taken"},
		/* CLOSE-34 */
		{"last_ack_rst_in_window_is_challenged", REACH_LAK,
				"> R p+3; < A i+2 p+2; = LAK; # drop_rst_challenge challenge_sent"},
		{"last_ack_rst_outside_window_is_dropped", REACH_LAK,
				"> R p+1; > R p+40000; .; []; = LAK; # drop_rst+2"},
		/* CLOSE-27 */
		{"last_ack_data_in_order_is_ignored", REACH_LAK,
				"> PA p+2 i+1 len=10; []; < A i+2 p+2; ? rcv_nxt p+2; = LAK;"
				"# drop_past_fin challenge_sent"},
		{"last_ack_data_above_hole_is_ignored", REACH_LAK,
				"> PA p+12 i+1 len=10; []; < A i+2 p+2; = LAK;"
				"# drop_past_fin challenge_sent"},
		{"last_ack_data_old_is_acked", REACH_LAK,
				"> PA p-99 i+1 len=10; []; < A i+2 p+2; = LAK; # drop_seq"},
		/* CLOSE-17 */
		{"last_ack_data_old_at_edge_has_its_ack_used", REACH_LAK_TEXT,
				"> PFA p+1 i+2 len=10; .; [CLOSED GRACEFUL]; = CLD;"
				"# seg_taken tw_entered+0"},
		{"last_ack_data_beyond_window_is_acked", REACH_LAK,
				"> PA p+40000 i+1 len=10; []; < A i+2 p+2; = LAK; # drop_seq"},
		{"last_ack_fin_in_order_is_challenged", REACH_LAK,
				"> FA p+2 i+1; []; < A i+2 p+2; ? rcv_nxt p+2; = LAK;"
				"# drop_past_fin challenge_sent"},
		/* CLOSE-21 */
		{"last_ack_fin_repeated_is_acked", REACH_LAK,
				"> FA p+1 i+1; []; < A i+2 p+2; > FA p+1 i+1; []; < A i+2 p+2;"
				"= LAK; # drop_seq+2"},
		/* CLOSE-17 */
		{"last_ack_fin_repeated_acking_ours_ends", REACH_LAK,
				"> FA p+1 i+2; .; [CLOSED GRACEFUL]; = CLD;"
				"# seg_taken tw_entered+0"},
		{"last_ack_fin_above_hole_is_challenged", REACH_LAK,
				"> FA p+12 i+1; []; < A i+2 p+2; = LAK;"
				"# drop_past_fin challenge_sent"},
		{"last_ack_null_segment_is_dropped", REACH_LAK,
				"> - p+2; > P p+2 len=10; .; []; = LAK; # drop_no_ack+2"},
		{"last_ack_bare_fin_is_dropped", REACH_LAK, "> F p+2; .; []; = LAK; # drop_no_ack"},
		{"last_ack_icmp_hard_is_told", REACH_LAK,
				"! icmp 3/3 i+1; [ERROR UNREACHABLE]; .; = LAK; # "
				"icmp_error_taken"},

		/* CLOSE-20 */
		{"last_ack_rto_repeats_fin", REACH_LAK,
				"+195; .; +10; < FA i+1 p+2; .; +385; .; +20; < FA i+1 p+2; .;"
				"= LAK; # fin_retransmitted+2"},
		{"last_ack_rto_repeats_text_with_fin", REACH_LAK_DATA,
				"+195; .; +10; < PFA i+1 p+2 len=10; .; = LAK"},
		{"last_ack_rto_limit_times_out", REACH_LAK,
				"{retries 2}; +205; < FA i+1 p+2; +405; < FA i+1 p+2; +770; .; [];"
				"= LAK; +50; < RA i+2 p+2; [CLOSED TIMEOUT_RTX]; = CLD;"
				"# rst_sent lastack_timeout"},
		{"last_ack_rto_orphan_limit_times_out", REACH_LAK_ORP,
				"+52s; ~; []; = LAK; +60s; < RA i+2 p+2; [CLOSED TIMEOUT_RTX];"
				"= CLD; # fin_retransmitted+8 lastack_timeout"},
		{"last_ack_persist_probes_if_unsent", REACH_LAK_ZERO,
				"+193; .; +12; < A i+1 p+2 len=1; > A p+2 i+1 wnd=0; +385; .; +20;"
				"< A i+1 p+2 len=1; > A p+2 i+2 wnd=100; < PFA i+2 p+2 len=9; [];"
				"= LAK; # seg_taken+2 probe_sent+2"},
		{"last_ack_delayed_ack_is_not_armed", REACH_LAK, "+190; .; = LAK; # ack_delayed+0"},
		{"last_ack_2msl_is_not_armed", REACH_LAK,
				"+62s; ~; [ERROR TIMEOUT_RTX]; = LAK; # tw_expired+0"},
		{"last_ack_keepalive_is_not_armed", REACH_LAK,
				"{keepalive_ms 100}; {keepalive_intvl_ms 100}; +1s; ~; []; = LAK; "
				"# keepalive_sent+0"},
		{"last_ack_user_timeout", REACH_LAK,
				"{user_timeout_ms 1000}; +990; ~; []; = LAK; +20; < RA i+2 p+2; "
				"[CLOSED TIMEOUT_USER]; = CLD; # rst_sent"},
		{"last_ack_fw2_is_not_armed", REACH_LAK,
				"{fw2_ms 1000}; +10s; ~; [ERROR TIMEOUT_RTX]; = LAK; # "
				"fw2_timeout+0"},
		{"last_ack_linger", REACH_LAK,
				"{linger_ms 1000}; {close}; +990; ~; []; = LAK; +20; < RA i+2 p+2; "
				"[CLOSED TIMEOUT_LINGER]; = CLD; # rst_sent"},
};

int
main(void)
{
	return cell_run_all("last_ack", cells, PMTCP_ARRAY_SIZE(cells));
}
