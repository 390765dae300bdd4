/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what FIN-WAIT-1 does with each call, segment and timer (RFC 9293
 * section 3.10.7.4), after SHUTDOWN and after full CLOSE ("orphan"). Method: one
 * script per cell of the state table. */

#include "base/base.h"
#include "support/cell.h"

#define REACH_FW1_DATA REACH_EST "; {send 10}; {shutdown}; < PFA i+1 p+1 len=10; = FW1"
/* The window is 0, ten octets and the FIN wait behind it. */
#define REACH_FW1_ZERO REACH_EST "; > A p+1 i+1 wnd=0; {send 10}; {shutdown}; .; = FW1"

static const struct cell cells[] = {
		{"fin_wait_1_open_again_is_refused", REACH_FW1, "{open}=-EISCONN; .; = FW1"},
		{"fin_wait_1_listen_same_port_works", REACH_FW1, "{listen}; .; = FW1"},
		{"fin_wait_1_send_is_refused", REACH_FW1, "{send 1}=-EPIPE; .; = FW1"},
		/* CLOSE-8 */
		{"fin_wait_1_receive_gives_data_or_waits", REACH_FW1,
				"{recv 1}=-EAGAIN; > PA p+1 i+1 len=10; [READABLE]; {recv 10};"
				"{recv 1}=-EAGAIN; +42; < A i+2 p+11; = FW1; # seg_taken"},
		{"fin_wait_1_orphan_receive_is_refused", REACH_FW1_ORP,
				"{recv 1}=-EBADF; .; = FW1"},
		/* CLOSE-28 */
		{"fin_wait_1_shutdown_again_sends_nothing", REACH_FW1, "{shutdown}; .; = FW1"},
		{"fin_wait_1_close_with_unread_sends_rstx", REACH_FW1,
				"> PA p+1 i+1 len=10; [READABLE]; {close}; < RA i+2 p+11;"
				"[CLOSED DATA_LOST]; = CLD; # seg_taken abort_on_unread rst_sent"},
		{"fin_wait_1_close_makes_orphan", REACH_FW1,
				"{close}; .; []; = FW1; > PA p+1 i+2 len=1; < RA i+2 p+1;"
				"[CLOSED DATA_LOST]; # drop_after_close"},
		{"fin_wait_1_abort_sends_rstx", REACH_FW1,
				"{abort}; < RA i+2 p+1; [CLOSED LOCAL_ABORT]; = CLD; # rst_sent"},

		/* CLOSE-35 */
		{"fin_wait_1_syn_is_challenged", REACH_FW1,
				"> S p+1; < A i+2 p+1; = FW1; # drop_syn_challenge challenge_sent"},
		{"fin_wait_1_syn_ack_is_challenged", REACH_FW1,
				"> SA p i+2; < A i+2 p+1; = FW1; # drop_syn_challenge "
				"challenge_sent"},
		/* CLOSE-7: the retransmission timer goes with the ACK. */
		{"fin_wait_1_ack_of_fin_enters_fin_wait_2", REACH_FW1,
				"> A p+1 i+2; .; []; = FW2; +10s; .; = FW2; # seg_taken"},
		/* CLOSE-18 */
		{"fin_wait_1_ack_of_text_only_stays", REACH_FW1_DATA,
				"> A p+1 i+11; .; []; = FW1; > A p+1 i+12; .; = FW2; # "
				"seg_taken+2"},
		{"fin_wait_1_ack_equal_stays", REACH_FW1,
				"> A p+1 i+1 wnd=4000; .; = FW1; ? snd_una i+1; ? snd_wnd 4000;"
				"# seg_taken"},
		{"fin_wait_1_ack_duplicate_is_counted", REACH_FW1,
				"> A p+1 i+1; .; = FW1; # seg_taken dup_ack_received"},
		{"fin_wait_1_ack_old_in_range_is_taken", REACH_FW1,
				"> A p+1 i-8191; .; = FW1; # seg_taken challenge_sent+0"},
		{"fin_wait_1_ack_below_range_is_challenged", REACH_FW1,
				"> A p+1 i-8192; < A i+2 p+1; = FW1; # drop_ack challenge_sent"},
		{"fin_wait_1_ack_too_high_is_challenged", REACH_FW1,
				"> A p+1 i+3; < A i+2 p+1; = FW1; # drop_ack challenge_sent"},
		{"fin_wait_1_rst_exact_resets", REACH_FW1,
				"> R p+1; [CLOSED PEER_RESET]; +10s; .; = CLD; # seg_taken"},
		{"fin_wait_1_rst_in_window_is_challenged", REACH_FW1,
				"> R p+2; < A i+2 p+1; = FW1; # drop_rst_challenge challenge_sent"},
		{"fin_wait_1_rst_outside_window_is_dropped", REACH_FW1,
				"> R p; > R p+32769; .; = FW1; # drop_rst+2"},
		{"fin_wait_1_data_in_order_delivers", REACH_FW1,
				"> PA p+1 i+1 len=10; [READABLE]; +42; < A i+2 p+11; {recv 10};"
				"= FW1; # seg_taken"},
		/* CLOSE-30 */
		{"fin_wait_1_orphan_data_in_order_sends_rstx", REACH_FW1_ORP,
				"> PA p+1 i+1 len=10; < RA i+2 p+1; [CLOSED DATA_LOST]; = CLD;"
				"# drop_after_close abort_on_data rst_sent"},
		{"fin_wait_1_data_above_hole_queues", REACH_FW1,
				"> PA p+11 i+1 len=10; []; < A i+2 p+1; > PA p+1 i+1 len=10;"
				"[READABLE]; < A i+2 p+21; {recv 20}; = FW1; # seg_taken+2"},
		{"fin_wait_1_orphan_data_above_hole_sends_rstx", REACH_FW1_ORP,
				"> PA p+11 i+1 len=10; < RA i+2 p+1; [CLOSED DATA_LOST]; = CLD;"
				"# drop_after_close abort_on_data"},
		{"fin_wait_1_data_old_is_acked", REACH_FW1,
				"> PA p-99 i+1 len=10; []; < A i+2 p+1; = FW1; # drop_seq"},
		{"fin_wait_1_data_beyond_window_is_acked", REACH_FW1,
				"> PA p+32769 i+1 len=10; []; < A i+2 p+1; = FW1; # drop_seq"},
		/* CLOSE-14, CLOSE-15 */
		{"fin_wait_1_fin_acking_ours_enters_time_wait", REACH_FW1,
				"> FA p+1 i+2; [PEER_FIN CLOSED GRACEFUL]; < A i+2 p+2; = TW;"
				"# seg_taken tw_entered"},
		{"fin_wait_1_fin_not_acking_ours_enters_closing", REACH_FW1,
				"> FA p+1 i+1; [PEER_FIN]; < A i+2 p+2; = CLG; # seg_taken"},
		{"fin_wait_1_fin_repeated_is_acked", REACH_FW1,
				"> FA p i+1; []; < A i+2 p+1; = FW1; # drop_seq"},
		{"fin_wait_1_fin_above_hole_is_held", REACH_FW1,
				"> FA p+11 i+1; []; < A i+2 p+1; = FW1; > PA p+1 i+1 len=10;"
				"[READABLE PEER_FIN]; < A i+2 p+12; = CLG; # seg_taken+2"},
		{"fin_wait_1_null_segment_is_dropped", REACH_FW1,
				"> - p+1; > P p+1 len=10; .; []; = FW1; # drop_no_ack+2"},
		{"fin_wait_1_bare_fin_is_dropped", REACH_FW1,
				"> F p+1; .; []; = FW1; # drop_no_ack"},
		{"fin_wait_1_icmp_hard_is_told", REACH_FW1,
				"! icmp 3/3 i+1; [ERROR UNREACHABLE]; .; = FW1; # "
				"icmp_error_taken"},

		/* CLOSE-19 */
		{"fin_wait_1_rto_repeats_fin", REACH_FW1,
				"+195; .; +10; < FA i+1 p+1; .; +385; .; +20; < FA i+1 p+1; .; = "
				"FW1;"
				"# fin_retransmitted+2"},
		{"fin_wait_1_rto_repeats_text_with_fin", REACH_FW1_DATA,
				"+195; .; +10; < PFA i+1 p+1 len=10; .; = FW1"},
		{"fin_wait_1_rto_limit_times_out", REACH_FW1,
				"{retries 2}; +205; < FA i+1 p+1; +405; < FA i+1 p+1; +770; .; [];"
				"= FW1; +50; < RA i+2 p+1; [CLOSED TIMEOUT_RTX]; = CLD; # "
				"rst_sent"},
		{"fin_wait_1_rto_orphan_limit_times_out", REACH_FW1_ORP,
				"+52s; ~; []; = FW1; +60s; < RA i+2 p+1; [CLOSED TIMEOUT_RTX]; = "
				"CLD;"
				"# fin_retransmitted+8 rst_sent"},
		{"fin_wait_1_persist_probes", REACH_FW1_ZERO,
				"+193; .; +12; < A i+1 p+1 len=1; > A p+1 i+1 wnd=0; +385; .; +20;"
				"< A i+1 p+1 len=1; > A p+1 i+2 wnd=100; < PFA i+2 p+1 len=9; = "
				"FW1;"
				"# seg_taken+2 probe_sent+2"},
		/* CLOSE-23 */
		{"fin_wait_1_persist_fin_is_the_probe", REACH_EST "; > A p+1 i+1 wnd=0; .",
				"{shutdown}; < FA i+1 p+1; = FW1; +205; < FA i+1 p+1; = FW1"},
		{"fin_wait_1_delayed_ack_comes", REACH_FW1,
				"> PA p+1 i+1 len=10; [READABLE]; +42; < A i+2 p+11; .; = FW1;"
				"# seg_taken"},
		{"fin_wait_1_2msl_is_not_armed", REACH_FW1,
				"+62s; ~; [ERROR TIMEOUT_RTX]; = FW1; # tw_expired+0"},
		{"fin_wait_1_keepalive_is_not_armed", REACH_FW1,
				"{keepalive_ms 100}; {keepalive_intvl_ms 100}; +1s; ~; []; = FW1; "
				"# keepalive_sent+0"},
		{"fin_wait_1_user_timeout", REACH_FW1,
				"{user_timeout_ms 1000}; +990; ~; []; = FW1; +20; < RA i+2 p+1; "
				"[CLOSED TIMEOUT_USER]; = CLD; # rst_sent"},
		{"fin_wait_1_fw2_is_not_armed", REACH_FW1,
				"{fw2_ms 1000}; +10s; ~; [ERROR TIMEOUT_RTX]; = FW1"},
		{"fin_wait_1_linger", REACH_FW1,
				"{linger_ms 1000}; {close}; +990; ~; []; = FW1; +20; < RA i+2 p+1; "
				"[CLOSED TIMEOUT_LINGER]; = CLD; # rst_sent"},
};

int
main(void)
{
	return cell_run_all("fin_wait_1", cells, PMTCP_ARRAY_SIZE(cells));
}
