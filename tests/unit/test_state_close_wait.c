/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what CLOSE-WAIT does with each call, segment and timer (RFC 9293
 * section 3.10.7.4). Method: one script per cell of the state table. */

#include "base/base.h"
#include "support/cell.h"

/* Ten octets came before the FIN and are not read yet. */
#define REACH_CLW_TEXT REACH_EST "; > PFA p+1 i+1 len=10; [READABLE PEER_FIN]; < A i+1 p+12; = CLW"

static const struct cell cells[] = {
		{"close_wait_open_again_is_refused", REACH_CLW, "{open}=-EISCONN; .; = CLW"},
		{"close_wait_listen_same_port_works", REACH_CLW, "{listen}; .; = CLW"},
		/* CLOSE-9 */
		{"close_wait_send_sends", REACH_CLW,
				"{send 10}; < PA i+1 p+2 len=10; > A p+2 i+11; .; = CLW;"
				"? snd_una i+11; # seg_taken"},
		/* CLOSE-28, CLOSE-41 */
		{"close_wait_receive_gives_rest_then_0", REACH_CLW_TEXT,
				"{recv 4}; {recv 20}=6; {recv 1}=0; {recv 1}=0; .; = CLW"},
		/* CLOSE-10 */
		{"close_wait_shutdown_sends_fin", REACH_CLW, "{shutdown}; < FA i+1 p+2; []; = LAK"},
		{"close_wait_shutdown_with_queue_sends_fin_after_it", REACH_CLW,
				"{send 500}; {shutdown}; < PFA i+1 p+2 len=500; .; = LAK;"
				"> A p+2 i+502; [CLOSED GRACEFUL]; = CLD; # seg_taken"},
		{"close_wait_close_with_unread_sends_rstx", REACH_CLW_TEXT,
				"{close}; < RA i+1 p+12; [CLOSED DATA_LOST]; = CLD;"
				"# abort_on_unread rst_sent"},
		{"close_wait_close_sends_fin", REACH_CLW,
				"{close}; < FA i+1 p+2; []; = LAK; > A p+2 i+2; [CLOSED GRACEFUL];"
				"= CLD; # seg_taken"},
		{"close_wait_abort_sends_rstx", REACH_CLW,
				"{abort}; < RA i+1 p+2; [CLOSED LOCAL_ABORT]; = CLD; # rst_sent"},

		/* CLOSE-35 */
		{"close_wait_syn_is_challenged", REACH_CLW,
				"> S p+2; < A i+1 p+2; = CLW; # drop_syn_challenge challenge_sent"},
		{"close_wait_syn_ack_is_challenged", REACH_CLW,
				"> SA p i+1; < A i+1 p+2; = CLW; # drop_syn_challenge "
				"challenge_sent"},
		{"close_wait_ack_new_advances", REACH_CLW,
				"{send 10}; < PA i+1 p+2 len=10; > A p+2 i+6 wnd=4000; .; = CLW;"
				"? snd_una i+6; ? snd_wnd 4000; # seg_taken"},
		{"close_wait_ack_equal_sets_window", REACH_CLW,
				"> A p+2 i+1 wnd=4000; .; = CLW; ? snd_wnd 4000; # seg_taken"},
		{"close_wait_ack_duplicate_is_counted", REACH_CLW,
				"{send 10}; < PA i+1 p+2 len=10; > A p+2 i+1; .; = CLW;"
				"# seg_taken dup_ack_received"},
		{"close_wait_ack_old_in_range_is_taken", REACH_CLW,
				"> A p+2 i-8191; .; = CLW; # seg_taken challenge_sent+0"},
		{"close_wait_ack_below_range_is_challenged", REACH_CLW,
				"> A p+2 i-8192; < A i+1 p+2; = CLW; # drop_ack challenge_sent"},
		{"close_wait_ack_too_high_is_challenged", REACH_CLW,
				"> A p+2 i+2; < A i+1 p+2; = CLW; # drop_ack challenge_sent"},
		/* CLOSE-33, CLOSE-34 */
		{"close_wait_rst_exact_resets", REACH_CLW,
				"> R p+2; [CLOSED PEER_RESET]; .; = CLD; # seg_taken"},
		{"close_wait_rst_in_window_is_challenged", REACH_CLW,
				"> R p+3; < A i+1 p+2; = CLW; # drop_rst_challenge challenge_sent"},
		{"close_wait_rst_outside_window_is_dropped", REACH_CLW,
				"> R p+1; > R p+40000; .; = CLW; # drop_rst+2"},
		/* CLOSE-27 */
		{"close_wait_data_in_order_is_ignored", REACH_CLW,
				"> PA p+2 i+1 len=10; []; < A i+1 p+2; ? rcv_nxt p+2; = CLW;"
				"# drop_past_fin challenge_sent"},
		{"close_wait_data_above_hole_is_ignored", REACH_CLW,
				"> PA p+12 i+1 len=10; []; < A i+1 p+2; = CLW;"
				"# drop_past_fin challenge_sent"},
		{"close_wait_data_old_is_acked", REACH_CLW,
				"> PA p-99 i+1 len=10; []; < A i+1 p+2; = CLW; # drop_seq"},
		{"close_wait_data_beyond_window_is_acked", REACH_CLW,
				"> PA p+40000 i+1 len=10; []; < A i+1 p+2; = CLW; # drop_seq"},
		{"close_wait_fin_in_order_is_challenged", REACH_CLW,
				"> FA p+2 i+1; []; < A i+1 p+2; ? rcv_nxt p+2; = CLW;"
				"# drop_past_fin challenge_sent"},
		/* CLOSE-21 */
		{"close_wait_fin_repeated_is_acked", REACH_CLW,
				"> FA p+1 i+1; []; < A i+1 p+2; > FA p+1 i+1; []; < A i+1 p+2; = "
				"CLW;"
				"# drop_seq+2"},
		{"close_wait_fin_above_hole_is_challenged", REACH_CLW,
				"> FA p+12 i+1; []; < A i+1 p+2; = CLW;"
				"# drop_past_fin challenge_sent"},
		{"close_wait_null_segment_is_dropped", REACH_CLW,
				"> - p+2; > P p+2 len=10; .; []; = CLW; # drop_no_ack+2"},
		{"close_wait_bare_fin_is_dropped", REACH_CLW,
				"> F p+2; .; []; = CLW; # drop_no_ack"},
		{"close_wait_icmp_hard_is_told", REACH_CLW,
				"{send 10}; < PA i+1 p+2 len=10; ! icmp 3/3 i+1; "
				"[ERROR UNREACHABLE]; .;"
				"= CLW; > A p+2 i+11; .; # icmp_error_taken seg_taken"},

		{"close_wait_rto_resends_first", REACH_CLW,
				"{send 10}; < PA i+1 p+2 len=10; +195; .; +10; < PA i+1 p+2 len=10;"
				".; +385; .; +20; < PA i+1 p+2 len=10; .; = CLW; # "
				"retransmitted+2"},
		{"close_wait_rto_limit_times_out", REACH_CLW,
				"{retries 2}; {send 10}; < PA i+1 p+2 len=10; +205;"
				"< PA i+1 p+2 len=10; +405; < PA i+1 p+2 len=10; +780; .; []; = "
				"CLW;"
				"+40; < RA i+11 p+2; [CLOSED TIMEOUT_RTX]; = CLD; # rst_sent"},
		{"close_wait_persist_probes_and_doubles", REACH_CLW,
				"> A p+2 i+1 wnd=0; {send 10}; +195; .; +10; < A i+1 p+2 len=1;"
				"> A p+2 i+1 wnd=0; +385; .; +20; < A i+1 p+2 len=1;"
				"> A p+2 i+1 wnd=0; .; = CLW; # seg_taken+3 probe_sent+2"},
		{"close_wait_delayed_ack_is_not_armed", REACH_CLW,
				"+3600s; .; = CLW; # ack_delayed+0"},
		/* CLOSE-6: the stack never closes for the application. */
		{"close_wait_2msl_is_not_armed", REACH_CLW, "+600s; .; []; = CLW; # tw_expired+0"},
		{"close_wait_keepalive", REACH_CLW,
				"{keepalive_ms 10000}; {keepalive_intvl_ms 2000}; {keepalive_count "
				"2}; +9990; .; +20; < A i p+2; > A p+2 i+1; .; +9990; .; +20; < A "
				"i p+2; +2001; < A i p+2; +1970; .; []; = CLW; +40; < RA i+1 p+2; "
				"[CLOSED TIMEOUT_KA]; = CLD; # seg_taken keepalive_sent+3 "
				"rst_sent"},
		{"close_wait_user_timeout", REACH_CLW,
				"{send 10}; < PA i+1 p+2 len=10; {user_timeout_ms 1000}; +990; ~; "
				"[]; = CLW; +20; < RA i+11 p+2; [CLOSED TIMEOUT_USER]; = CLD; # "
				"rst_sent"},
		{"close_wait_fw2_is_not_armed", REACH_CLW, "{fw2_ms 1000}; +10s; .; []; = CLW"},
		{"close_wait_linger_is_not_armed", REACH_CLW,
				"{linger_ms 1000}; +600s; .; []; = CLW"},
};

int
main(void)
{
	return cell_run_all("close_wait", cells, PMTCP_ARRAY_SIZE(cells));
}
