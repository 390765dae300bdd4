/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what TIME-WAIT does with each call, segment and timer (RFC 9293 section
 * 3.10.7.4, RFC 1337, RFC 6191). Method: one script per cell of the state table,
 * once after our own close and once after a simultaneous one. Most cells run with
 * the handle already dead, so that nothing but the compact entry can answer. */

#include "base/base.h"
#include "support/cell.h"

#define NO_TIMER(name, reach)                                                                      \
	{                                                                                          \
		name, reach, "+59s; .; []; = TW; # retransmitted+0 probe_sent+0 ack_delayed+0"     \
	}

/* The cells that are the same whichever way the state was reached. */
#define CELLS(prefix, reach, held)                                                                 \
	/* TW-12: without timestamps the tuple is not reusable. */                                 \
	{prefix "open_same_tuple_is_refused", reach, "{open}=-EBUSY; .; = TW"},                    \
			{prefix "listen_same_port_works", reach, "{listen}; .; = TW"},             \
			{prefix "send_is_refused", held, "{send 1}=-ENOTCONN; .; = TW"},           \
			{prefix "receive_gives_0", held, "{recv 1}=0; {recv 1}=0; .; = TW"},       \
			{prefix "shutdown_changes_nothing", held,                                  \
					"{shutdown}; .; = TW"}, /* NEG-20 */                       \
			{prefix "close_keeps_entry", held, "{close}; .; []; = TW; +59s; .; = TW"}, \
			{prefix "abort_keeps_entry", held,                                         \
					"{abort}; .; []; = TW; +59s; .; = TW"}, /* TW-11 */        \
			{prefix "syn_unfit_is_challenged", reach "; {listen}",                     \
					"> S p+1; < A i+2 p+2; = TW; # drop_tw_syn "               \
					"challenge_sent"}, /* TW-9 */                              \
			{prefix "syn_without_listener_is_challenged", reach,                       \
					"> S p+100000; < A i+2 p+2; = TW; # drop_tw_syn "          \
					"challenge_sent"},                                         \
			{prefix "syn_ack_is_challenged", reach,                                    \
					"> SA p+100000 i+2; < A i+2 p+2; = TW; # drop_tw_syn "     \
					"challenge_sent"}, /* TW-6 */                              \
			{prefix "ack_new_is_taken", reach, "> A p+2 i+2; .; = TW; # seg_taken"},   \
			{prefix "ack_old_in_range_is_taken", reach,                                \
					"> A p+2 i+1; .; = TW; # seg_taken"},                      \
			{prefix "ack_below_range_is_challenged", reach,                            \
					"> A p+2 i-65534; < A i+2 p+2; = TW; # drop_ack "          \
					"challenge_sent"},                                         \
			{prefix "ack_too_high_is_challenged", reach,                               \
					"> A p+2 i+3; < A i+2 p+2; = TW; # drop_ack "              \
					"challenge_sent"}, /* TW-5, DEC-1 */                       \
			{prefix "rst_exact_is_ignored", reach,                                     \
					"+50s; > R p+2; .; = TW; +9s; .; = TW; +2s; = CLD;"        \
					"# drop_tw_rst tw_rst_ignored tw_expired"},                \
			{prefix "rst_in_window_is_ignored", reach,                                 \
					"> R p+3; .; = TW; # drop_tw_rst tw_rst_ignored "          \
					"challenge_sent+0"},                                       \
			{prefix "rst_outside_window_is_ignored", reach,                            \
					"> R p+1; > R p+60000; .; = TW; # drop_tw_rst+2 "          \
					"tw_rst_ignored+2"},                                       \
			{prefix "data_in_order_is_ignored", reach,                                 \
					"> PA p+2 i+2 len=10; []; < A i+2 p+2; = TW;"              \
					"# drop_past_fin challenge_sent"},                         \
			{prefix "data_above_hole_is_ignored", reach,                               \
					"> PA p+12 i+2 len=10; []; < A i+2 p+2; = TW;"             \
					"# drop_past_fin challenge_sent"},                         \
			{prefix "data_old_is_challenged", reach,                                   \
					"+50s; > PA p-99 i+2 len=10; < A i+2 p+2; = TW; +9s; .; "  \
					"= TW; +2s; .;"                                            \
					"= CLD; # drop_seq challenge_sent"},                       \
			{prefix "data_beyond_window_is_challenged", reach,                         \
					"> PA p+60000 i+2 len=10; < A i+2 p+2; = TW; # "           \
					"drop_past_fin "                                           \
					"challenge_sent"},                                         \
			{prefix "fin_in_order_is_challenged", reach,                               \
					"+50s; > FA p+2 i+2; < A i+2 p+2; = TW; +9s; .; = TW; "    \
					"+2s; .; = CLD;"                                           \
					"# drop_past_fin challenge_sent"}, /* TW-4 */              \
			{prefix "fin_repeated_restarts_2msl", reach,                               \
					"+50s; > FA p+1 i+2; < A i+2 p+2; = TW; +59s; .; = TW; "   \
					"+2s; .; = CLD;"                                           \
					"# seg_taken tw_fin_again tw_expired"},                    \
			{prefix "fin_above_hole_is_challenged", reach,                             \
					"> FA p+12 i+2; < A i+2 p+2; = TW; # drop_past_fin "       \
					"challenge_sent"},                                         \
			{prefix "null_segment_is_dropped", reach,                                  \
					"> - p+2; .; = TW; # drop_no_ack"},                        \
			{prefix "bare_fin_is_dropped", reach,                                      \
					"> F p+1; > F p+2; .; = TW; # drop_no_ack+2"},             \
			{prefix "icmp_hard_is_ignored", reach,                                     \
					"! icmp 3/3 i+1; ! icmp 3/3 i; .; []; = TW;"               \
					"# drop_icmp_stale+2"}, /* CLOSE-40 */                     \
			NO_TIMER(prefix "rto_is_not_armed", reach),                                \
			NO_TIMER(prefix "persist_is_not_armed", reach "; > A p+2 i+2 wnd=0"),      \
			NO_TIMER(prefix "delayed_ack_is_not_armed", reach), /* TW-1 */             \
			{prefix "2msl_frees_entry", reach,                                         \
					"+59950; .; = TW; +350; .; []; = CLD; # tw_expired"},      \
			{prefix "keepalive_is_not_armed", "{keepalive_ms 1000}; " reach,           \
					"+59s; .; []; = TW; # keepalive_sent+0"},                  \
			{prefix "user_timeout_is_not_armed", "{user_timeout_ms 1000}; " reach,     \
					"+59s; .; []; = TW; # rst_sent+0"},                        \
			{prefix "fw2_is_not_armed", reach, "+59s; .; []; = TW; # fw2_timeout+0"},  \
	{                                                                                          \
		prefix "linger_is_not_armed", "{linger_ms 1000}; " reach,                          \
				"+59s; .; []; = TW; # rst_sent+0"                                  \
	}

/* clang-format off */
static const struct cell own[] = {
		CELLS("time_wait_", REACH_TW, REACH_TW_HELD),
		/* TW-9, TW-10 */
		{"time_wait_syn_fit_reopens", REACH_TW_PAS,
				"> S p+100000; < SA i= p+100001; []; = SYR;"
				"> A p+100001 i+1; [ACCEPTED]; .; = EST;"
				"# seg_taken syn_taken tw_reused_in"},
		{"time_wait_syn_fit_proved_stale_restores", REACH_TW_PAS,
				"+50s; > S p+100000; < SA i= p+100001; > R p+100001; .; []; = TW;"
				"+9s; .; = TW; +2s; .; = LIS; # seg_taken syn_taken tw_restored"},
};

static const struct cell simultaneous[] = {
		CELLS("time_wait_simultaneous_", REACH_TW_SIM, REACH_TW_SIM_HELD),
		{"time_wait_simultaneous_syn_fit_reopens", REACH_TW_SIM "; {listen}",
				"> S p+100000; < SA i= p+100001; []; = SYR; # syn_taken"},
};
/* clang-format on */

int
main(void)
{
	int failed = cell_run_all("time_wait own close", own, PMTCP_ARRAY_SIZE(own));

	return failed + cell_run_all("time_wait simultaneous close", simultaneous,
					PMTCP_ARRAY_SIZE(simultaneous));
}
