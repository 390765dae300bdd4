/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the rows of the state table that timestamps change: PAWS, the echo, the
 * SYN that reopens TIME-WAIT (RFC 7323 sections 3-5, RFC 6191). Method: scripts
 * as in the other state tests, with the option on. The peer's clock starts at
 * 1000; ours is random per tuple, so only the echo is compared. */

#include "base/base.h"
#include "support/cell.h"

#define REACH_TS_SYR "{listen}; > S p ts=1000:0; < SA i= p+1 ts=1000; = SYR"
#define REACH_TS_EST REACH_TS_SYR "; > A p+1 i+1 ts=1001:0; [ACCEPTED]; .; = EST"
#define REACH_TS_CLW REACH_TS_EST "; > FA p+1 i+1 ts=1002:0; [PEER_FIN]; < A i+1 p+2 ts=1002; = CLW"
#define REACH_TS_FW2 REACH_TS_EST "; {shutdown}; < FA i+1 p+1 ts=1001; > A p+1 i+2 ts=1002:0; = FW2"
#define REACH_TS_TW                                                                                \
	REACH_TS_FW2 "; > FA p+1 i+2 ts=1003:0; < A i+2 p+2 ts=1003;"                              \
		     "[PEER_FIN CLOSED GRACEFUL]; {close}; = TW"
#define REACH_TS_SYS "{open}; < S i= 0 ts=0; = SYS"

static const struct cell cells[] = {
		/* OPEN-8 */
		{"timestamps_not_offered_are_not_used", "{listen}",
				"> S p; < SA i= p+1; > A p+1 i+1; [ACCEPTED];"
				"> PA p+1 i+1 len=10 ts=5:5; [READABLE]; +42; < A i+1 p+11;"
				"# syn_taken seg_taken+2"},
		/* OPEN-40 */
		{"timestamps_syn_sent_echo_never_sent_gets_rsta", REACH_TS_SYS,
				"> SA p i+1 ts=500:12345; < R i+1 0; []; = SYS; # drop_syn_sent"},
		{"timestamps_syn_sent_peer_without_opens", REACH_TS_SYS,
				"> SA p i+1; < A i+1 p+1; [CONNECTED]; = EST; # seg_taken"},
		/* DEC-10 */
		{"timestamps_syn_rcvd_missing_is_borne", REACH_TS_SYR,
				"> A p+1 i+1; [ACCEPTED]; .; = EST; # seg_taken"},
		{"timestamps_syn_rcvd_old_is_challenged", REACH_TS_SYR,
				"> A p+1 i+1 ts=999:0; []; < A i+1 p+1 ts=1000; = SYR; # "
				"drop_paws"},
		{"timestamps_established_missing_is_dropped", REACH_TS_EST,
				"> PA p+1 i+1 len=10; .; []; = EST; # drop_no_ts"},
		/* DATA-27 */
		{"timestamps_established_old_text_is_challenged", REACH_TS_EST,
				"> PA p+1 i+1 len=10 ts=1000:0; []; < A i+1 p+1 ts=1001; = EST;"
				"? rcv_nxt p+1; # drop_paws challenge_sent"},
		{"timestamps_established_old_fin_is_challenged", REACH_TS_EST,
				"> FA p+1 i+1 ts=1000:0; []; < A i+1 p+1 ts=1001; = EST; # "
				"drop_paws"},
		{"timestamps_established_same_value_is_taken", REACH_TS_EST,
				"> PA p+1 i+1 len=10 ts=1001:0; [READABLE]; +42;"
				"< A i+1 p+11 ts=1001; # seg_taken"},
		{"timestamps_established_idle_24_days_is_taken", REACH_TS_EST,
				"+2160000s; > PA p+1 i+1 len=10 ts=900:0; [READABLE]; +42;"
				"< A i+1 p+11 ts=900; # seg_taken"},
		/* RFC 7323 5.2: PAWS is not for RST. */
		{"timestamps_established_rst_with_old_value_resets", REACH_TS_EST,
				"> R p+1 ts=1:0; [CLOSED PEER_RESET]; .; = CLD; # seg_taken"},
		{"timestamps_established_rst_without_resets", REACH_TS_EST,
				"> R p+1; [CLOSED PEER_RESET]; .; = CLD; # seg_taken"},
		/* SEC-2 comes first: a SYN is challenged whatever it carries. */
		{"timestamps_established_syn_without_is_challenged", REACH_TS_EST,
				"> S p+500; < A i+1 p+1 ts=1001; []; = EST; # drop_syn_challenge"},
		/* DATA-26 */
		{"timestamps_established_echo_skips_out_of_order", REACH_TS_EST,
				"> PA p+11 i+1 len=10 ts=1005:0; []; < A i+1 p+1 ts=1001;"
				"> PA p+1 i+1 len=10 ts=1003:0; [READABLE]; < A i+1 p+21 ts=1003;"
				"{recv 20}; # seg_taken+2"},
		{"timestamps_established_echo_is_of_the_earliest", REACH_TS_EST,
				"> PA p+1 i+1 len=10 ts=1005:0; > PA p+11 i+1 len=10 ts=1007:0;"
				"[READABLE]; +42; < A i+1 p+21 ts=1005; # seg_taken+2"},
		{"timestamps_established_wrap_is_no_step_back",
				"{listen}; > S p ts=4294967290:0; < SA i= p+1 ts=4294967290;"
				"> A p+1 i+1 ts=4294967295:0; [ACCEPTED]; .",
				"> PA p+1 i+1 len=10 ts=3:0; [READABLE]; +42; < A i+1 p+11 ts=3;"
				"# seg_taken"},
		{"timestamps_established_zero_is_a_value",
				"{listen}; > S p ts=0:0; < SA i= p+1 ts=0;"
				"> A p+1 i+1 ts=0:0; [ACCEPTED]; .",
				"> PA p+1 i+1 len=10 ts=0:0; [READABLE]; +42; < A i+1 p+11 ts=0;"
				"> PA p+11 i+1 len=10 ts=4294967295:0; []; < A i+1 p+11 ts=0;"
				"# seg_taken drop_paws"},
		{"timestamps_close_wait_old_is_challenged", REACH_TS_CLW,
				"> A p+2 i+1 ts=900:0; < A i+1 p+2 ts=1002; = CLW; # drop_paws"},
		{"timestamps_fin_wait_2_old_fin_is_challenged", REACH_TS_FW2,
				"> FA p+1 i+2 ts=900:0; []; < A i+2 p+1 ts=1002; = FW2; # "
				"drop_paws"},
		/* TW-7 */
		{"timestamps_time_wait_old_fin_does_not_restart", REACH_TS_TW,
				"+50s; > FA p+1 i+2 ts=900:0; < A i+2 p+2 ts=1003; +9s; .; = TW;"
				"+2s; .; = LIS; # drop_paws tw_fin_again+0"},
		{"timestamps_time_wait_fresh_fin_restarts", REACH_TS_TW,
				"+50s; > FA p+1 i+2 ts=1100:0; < A i+2 p+2 ts=1100; +59s; .; = TW;"
				"+2s; .; = LIS; # seg_taken tw_fin_again"},
		/* TW-8 */
		{"timestamps_time_wait_syn_later_reopens", REACH_TS_TW,
				"> S p-5000 ts=1004:0; < SA i= p-4999 ts=1004; = SYR;"
				"# syn_taken tw_reused_in"},
		{"timestamps_time_wait_syn_equal_and_higher_number_reopens", REACH_TS_TW,
				"> S p+2 ts=1003:0; < SA i= p+3 ts=1003; = SYR;"
				"# syn_taken tw_reused_in"},
		{"timestamps_time_wait_syn_equal_and_same_number_is_challenged", REACH_TS_TW,
				"> S p+1 ts=1003:0; < A i+2 p+2 ts=1003; = TW; # drop_tw_syn"},
		{"timestamps_time_wait_syn_earlier_is_challenged", REACH_TS_TW,
				"> S p+5000 ts=1002:0; < A i+2 p+2 ts=1003; = TW; # drop_tw_syn"},
		/* TW-9 */
		{"timestamps_time_wait_syn_without_and_higher_number_reopens", REACH_TS_TW,
				"> S p+2; < SA i= p+3; = SYR; # syn_taken tw_reused_in"},
		{"timestamps_time_wait_syn_without_and_same_number_is_challenged", REACH_TS_TW,
				"> S p+1; < A i+2 p+2 ts=1003; = TW; # drop_tw_syn"},
		{"timestamps_time_wait_syn_with_after_connection_without", REACH_TW_PAS,
				"> S p-5000 ts=7:0; < SA i= p-4999 ts=7; = SYR;"
				"# syn_taken tw_reused_in"},
		{"timestamps_time_wait_rst_is_ignored", REACH_TS_TW,
				"> R p+2 ts=2000:0; .; = TW; # drop_tw_rst tw_rst_ignored"},
};

int
main(void)
{
	static const struct ep_opts opts = {.conn = {.no_sack = true, .no_wscale = true}};

	return cell_run_all_with("timestamps", cells, PMTCP_ARRAY_SIZE(cells), &opts);
}
