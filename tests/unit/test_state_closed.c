/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what CLOSED does with each call, segment and timer (RFC 9293 sections
 * 3.10.1-3.10.7.1). Method: one script per cell of the state table; "no handle"
 * is a context without any connection, "ended" a connection whose CLOSED was
 * popped and that the application has not closed. */

#include "base/base.h"
#include "support/cell.h"

#define REACH_ENDED    REACH_EST "; > R p+1; [CLOSED PEER_RESET]; = CLD"
#define REACH_WAS_OPEN REACH_ENDED "; {close}"

static const struct cell cells[] = {
		{"closed_open_sends_syn", REACH_CLD, "{open}; < S i= 0 mss=1460; = SYS"},
		{"closed_listen_takes_syn", REACH_CLD,
				"{listen}; = LIS; > S p; < SA i= p+1; = SYR; # syn_taken"},
		{"closed_send_is_refused", REACH_ENDED, "{send 1}=-ENOTCONN; .; = CLD"},
		{"closed_receive_is_refused", REACH_ENDED, "{recv 1}=-ENOTCONN; .; = CLD"},
		{"closed_shutdown_is_refused", REACH_ENDED, "{shutdown}=-ENOTCONN; .; = CLD"},
		{"closed_close_frees_handle", REACH_ENDED, "{close}; .; []; = CLD"},
		{"closed_abort_frees_handle", REACH_ENDED, "{abort}; .; []; = CLD"},

		/* OPEN-36 */
		{"closed_syn_gets_rst0", REACH_CLD,
				"> S 100; < RA 0 101; = CLD; # drop_no_tcb rst_reply_sent"},
		{"closed_syn_with_text_and_fin_gets_rst0", REACH_CLD,
				"> SF 100 len=3; < RA 0 105; # drop_no_tcb rst_reply_sent"},
		{"closed_syn_ack_gets_rsta", REACH_CLD,
				"> SA 100 700; < R 700 0; # drop_no_tcb rst_reply_sent"},
		{"closed_ack_new_gets_rsta", REACH_WAS_OPEN,
				"> A p+1 i+2; < R i+2 0; = CLD; # drop_no_tcb rst_reply_sent"},
		{"closed_ack_old_gets_rsta", REACH_WAS_OPEN,
				"> A p+1 i+1; < R i+1 0; # drop_no_tcb rst_reply_sent"},
		{"closed_ack_too_high_gets_rsta", REACH_WAS_OPEN,
				"> A p+1 4294967295; < R 4294967295 0;"
				"# drop_no_tcb rst_reply_sent"},
		{"closed_rst_exact_is_dropped", REACH_WAS_OPEN, "> R p+1; .; # drop_rst"},
		{"closed_rst_in_window_is_dropped", REACH_WAS_OPEN, "> RA p+2 i+1; .; # drop_rst"},
		{"closed_rst_outside_window_is_dropped", REACH_WAS_OPEN,
				"> R p-1000; .; # drop_rst"},
		{"closed_data_in_order_gets_rsta", REACH_WAS_OPEN,
				"> PA p+1 i+1 len=10; < R i+1 0; # drop_no_tcb rst_reply_sent"},
		{"closed_data_above_hole_gets_rsta", REACH_WAS_OPEN,
				"> PA p+11 i+1 len=10; < R i+1 0; # drop_no_tcb rst_reply_sent"},
		{"closed_data_old_gets_rsta", REACH_WAS_OPEN,
				"> PA p-99 i+1 len=10; < R i+1 0; # drop_no_tcb rst_reply_sent"},
		{"closed_fin_in_order_gets_rsta", REACH_WAS_OPEN,
				"> FA p+1 i+1; < R i+1 0; # drop_no_tcb rst_reply_sent"},
		{"closed_fin_repeated_gets_rsta", REACH_WAS_OPEN,
				"> FA p i+1; < R i+1 0; # drop_no_tcb rst_reply_sent"},
		{"closed_fin_above_hole_gets_rsta", REACH_WAS_OPEN,
				"> FA p+11 i+1; < R i+1 0; # drop_no_tcb rst_reply_sent"},
		{"closed_null_segment_gets_rst0", REACH_CLD,
				"> - 100; < RA 0 100; # drop_no_tcb rst_reply_sent"},
		{"closed_bare_fin_gets_rst0", REACH_CLD,
				"> F 100; < RA 0 101; # drop_no_tcb rst_reply_sent"},
		{"closed_icmp_hard_is_dropped", REACH_CLD,
				"! icmp 3/3 5000; .; []; = CLD; # drop_icmp_stale"},

		/* CLOSE-40: no timer outlives the connection. */
		{"closed_rto_is_not_armed", REACH_EST "; {send 10}; < PA i+1 p+1 len=10",
				"> R p+1; [CLOSED PEER_RESET]; +600s; .; = CLD; # seg_taken"},
		{"closed_persist_is_not_armed", REACH_EST "; > A p+1 i+1 wnd=0; {send 10}; . ",
				"> R p+1; [CLOSED PEER_RESET]; +600s; .; = CLD; # seg_taken"},
		{"closed_delayed_ack_is_not_armed", REACH_EST,
				"> PA p+1 i+1 len=10; > R p+11; [READABLE CLOSED PEER_RESET];"
				"+600s; .; = CLD; # seg_taken+2"},
		{"closed_2msl_is_not_armed", REACH_EST,
				"{abort}; < RA i+1 p+1; [CLOSED LOCAL_ABORT]; = CLD; +61s; .; = "
				"CLD;"
				"# tw_entered+0 tw_expired+0"},
		{"closed_fw2_is_not_armed", REACH_FW2_ORP,
				"> R p+1; [CLOSED PEER_RESET]; = CLD; +61s; .; []; = CLD;"
				"# seg_taken fw2_timeout+0"},
		{"closed_keepalive_is_not_armed", REACH_EST "; {keepalive_ms 1000}",
				"> R p+1; [CLOSED PEER_RESET]; +600s; .; []; = CLD; # seg_taken "
				"keepalive_sent+0"},
		{"closed_user_timeout_is_not_armed",
				REACH_EST
				"; {user_timeout_ms 1000}; {send 10}; < PA i+1 p+1 len=10",
				"> R p+1; [CLOSED PEER_RESET]; +600s; .; []; = CLD; # seg_taken "
				"rst_sent+0"},
		{"closed_linger_is_not_armed",
				REACH_EST
				"; {linger_ms 1000}; {send 10}; {close}; < FPA i+1 p+1 len=10",
				"> R p+1; [CLOSED PEER_RESET]; +600s; .; []; = CLD; # seg_taken "
				"rst_sent+0"},
};

int
main(void)
{
	return cell_run_all("closed", cells, PMTCP_ARRAY_SIZE(cells));
}
