/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what FIN-WAIT-2 does with each call, segment and timer (RFC 9293
 * section 3.10.7.4), after SHUTDOWN and after full CLOSE ("orphan"). Method: one
 * script per cell of the state table. */

#include "base/base.h"
#include "support/cell.h"

static const struct cell cells[] = {
		{"fin_wait_2_open_again_is_refused", REACH_FW2, "{open}=-EISCONN; .; = FW2"},
		{"fin_wait_2_listen_same_port_works", REACH_FW2, "{listen}; .; = FW2"},
		{"fin_wait_2_send_is_refused", REACH_FW2, "{send 1}=-EPIPE; .; = FW2"},
		/* CLOSE-8 */
		{"fin_wait_2_receive_gives_data_or_waits", REACH_FW2,
				"{recv 1}=-EAGAIN; > PA p+1 i+2 len=10; [READABLE]; {recv 10};"
				"{recv 1}=-EAGAIN; +42; < A i+2 p+11; = FW2; # seg_taken"},
		{"fin_wait_2_orphan_receive_is_refused", REACH_FW2_ORP,
				"{recv 1}=-EBADF; .; = FW2"},
		{"fin_wait_2_shutdown_again_sends_nothing", REACH_FW2, "{shutdown}; .; = FW2"},
		{"fin_wait_2_close_with_unread_sends_rstx", REACH_FW2,
				"> PA p+1 i+2 len=10; [READABLE]; {close}; < RA i+2 p+11;"
				"[CLOSED DATA_LOST]; = CLD; # seg_taken abort_on_unread rst_sent"},
		/* CLOSE-37 */
		{"fin_wait_2_close_makes_orphan_with_limit", REACH_FW2,
				"{close}; +59s; .; []; = FW2; +2s; .; [CLOSED TIMEOUT_FW2]; = CLD"},
		{"fin_wait_2_abort_sends_rstx", REACH_FW2,
				"{abort}; < RA i+2 p+1; [CLOSED LOCAL_ABORT]; = CLD; # rst_sent"},

		{"fin_wait_2_syn_is_challenged", REACH_FW2,
				"> S p+1; < A i+2 p+1; = FW2; # drop_syn_challenge challenge_sent"},
		{"fin_wait_2_syn_ack_is_challenged", REACH_FW2,
				"> SA p i+2; < A i+2 p+1; = FW2; # drop_syn_challenge "
				"challenge_sent"},
		{"fin_wait_2_ack_new_cannot_happen", REACH_FW2,
				"? snd_una i+2; ? snd_nxt i+2; > A p+1 i+2; .; = FW2;"
				"? snd_una i+2; # seg_taken"},
		{"fin_wait_2_ack_equal_sets_window", REACH_FW2,
				"> A p+1 i+2 wnd=4000; .; = FW2; ? snd_wnd 4000;"
				"# seg_taken dup_ack_received+0"},
		{"fin_wait_2_ack_old_in_range_is_taken", REACH_FW2,
				"> A p+1 i-8190; .; = FW2; # seg_taken challenge_sent+0"},
		{"fin_wait_2_ack_below_range_is_challenged", REACH_FW2,
				"> A p+1 i-8191; < A i+2 p+1; = FW2; # drop_ack challenge_sent"},
		{"fin_wait_2_ack_too_high_is_challenged", REACH_FW2,
				"> A p+1 i+3; < A i+2 p+1; = FW2; # drop_ack challenge_sent"},
		{"fin_wait_2_rst_exact_resets", REACH_FW2,
				"> R p+1; [CLOSED PEER_RESET]; .; = CLD; # seg_taken"},
		{"fin_wait_2_rst_in_window_is_challenged", REACH_FW2,
				"> R p+2; < A i+2 p+1; = FW2; # drop_rst_challenge challenge_sent"},
		{"fin_wait_2_rst_outside_window_is_dropped", REACH_FW2,
				"> R p; > R p+32769; .; = FW2; # drop_rst+2"},
		{"fin_wait_2_data_in_order_delivers", REACH_FW2,
				"> PA p+1 i+2 len=10; [READABLE]; +42; < A i+2 p+11; {recv 10};"
				"= FW2; # seg_taken"},
		/* CLOSE-30 */
		{"fin_wait_2_orphan_data_in_order_sends_rstx", REACH_FW2_ORP,
				"> PA p+1 i+2 len=1; < RA i+2 p+1; [CLOSED DATA_LOST]; = CLD;"
				"# drop_after_close abort_on_data rst_sent"},
		{"fin_wait_2_data_above_hole_queues", REACH_FW2,
				"> PA p+11 i+2 len=10; []; < A i+2 p+1; > PA p+1 i+2 len=10;"
				"[READABLE]; < A i+2 p+21; {recv 20}; = FW2; # seg_taken+2"},
		{"fin_wait_2_orphan_data_above_hole_sends_rstx", REACH_FW2_ORP,
				"> PA p+11 i+2 len=10; < RA i+2 p+1; [CLOSED DATA_LOST]; = CLD;"
				"# drop_after_close abort_on_data"},
		{"fin_wait_2_data_old_is_acked", REACH_FW2,
				"> PA p-99 i+2 len=10; []; < A i+2 p+1; = FW2; # drop_seq"},
		{"fin_wait_2_data_beyond_window_is_acked", REACH_FW2,
				"> PA p+32769 i+2 len=10; []; < A i+2 p+1; = FW2; # drop_seq"},
		/* CLOSE-11 */
		{"fin_wait_2_fin_in_order_enters_time_wait", REACH_FW2,
				"> FA p+1 i+2; [PEER_FIN CLOSED GRACEFUL]; < A i+2 p+2; = TW;"
				"# seg_taken tw_entered"},
		{"fin_wait_2_orphan_fin_enters_time_wait", REACH_FW2_ORP,
				"+59s; > FA p+1 i+2; [CLOSED GRACEFUL]; < A i+2 p+2; = TW; +59s; .;"
				"= TW; +2s; .; = CLD; # seg_taken tw_entered fw2_timeout+0"},
		{"fin_wait_2_fin_repeated_is_acked", REACH_FW2,
				"> FA p i+2; []; < A i+2 p+1; = FW2; # drop_seq"},
		{"fin_wait_2_fin_above_hole_is_held", REACH_FW2,
				"> FA p+11 i+2; []; < A i+2 p+1; = FW2; > PA p+1 i+2 len=10;"
				"[READABLE PEER_FIN CLOSED GRACEFUL]; < A i+2 p+12; = TW;"
				"{recv 20}=10; {recv 1}=0; # seg_taken+2"},
		{"fin_wait_2_null_segment_is_dropped", REACH_FW2,
				"> - p+1; > P p+1 len=10; .; []; = FW2; # drop_no_ack+2"},
		{"fin_wait_2_bare_fin_is_dropped", REACH_FW2,
				"> F p+1; .; []; = FW2; # drop_no_ack"},
		/* Everything is acknowledged: none can pass SEC-8. */
		{"fin_wait_2_icmp_hard_is_dropped", REACH_FW2,
				"! icmp 3/3 i+1; ! icmp 3/3 i+2; []; .; = FW2; # "
				"drop_icmp_stale+2"},

		{"fin_wait_2_rto_is_not_armed", REACH_FW2,
				"+600s; .; []; = FW2; # rexmt_timeout+0"},
		{"fin_wait_2_persist_is_not_armed", REACH_FW2,
				"> A p+1 i+2 wnd=0; +600s; .; = FW2; # seg_taken probe_sent+0"},
		{"fin_wait_2_delayed_ack_comes", REACH_FW2,
				"> PA p+1 i+2 len=10; [READABLE]; +42; < A i+2 p+11; .; = FW2;"
				"# seg_taken"},
		{"fin_wait_2_2msl_is_not_armed", REACH_FW2, "+62s; .; []; = FW2; # tw_expired+0"},
		{"fin_wait_2_keepalive", REACH_FW2,
				"{keepalive_ms 10000}; {keepalive_intvl_ms 2000}; {keepalive_count "
				"2}; +9990; .; +20; < A i+1 p+1; > A p+1 i+2; .; +9990; .; +20; < "
				"A i+1 p+1; +2001; < A i+1 p+1; +1970; .; []; = FW2; +40; < RA i+2 "
				"p+1; [CLOSED TIMEOUT_KA]; = CLD; # seg_taken keepalive_sent+3 "
				"rst_sent"},
		{"fin_wait_2_user_timeout_is_not_armed", REACH_FW2,
				"{user_timeout_ms 1000}; +600s; .; []; = FW2"},
		/* CLOSE-37: freed silently, and the late FIN meets OPEN-36. */
		{"fin_wait_2_fw2_frees_orphan", REACH_FW2_ORP,
				"+59s; .; []; = FW2; +2s; .; [CLOSED TIMEOUT_FW2]; = CLD;"
				"> FA p+1 i+2; < R i+2 0; # drop_no_tcb fw2_timeout"},
		/* CLOSE-38 */
		{"fin_wait_2_fw2_attached_has_no_limit", REACH_FW2, "+86400s; .; []; = FW2"},
		{"fin_wait_2_fw2_attached_limit_set_sends_rstx", REACH_FW2,
				"{fw2_ms 5000}; +4900; .; []; = FW2; +200; < RA i+2 p+1;"
				"[CLOSED TIMEOUT_FW2]; = CLD; # rst_sent"},
		{"fin_wait_2_linger_is_not_armed", REACH_FW2,
				"{linger_ms 1000}; {close}; +59s; .; []; = FW2"},
};

int
main(void)
{
	return cell_run_all("fin_wait_2", cells, PMTCP_ARRAY_SIZE(cells));
}
