/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the user timeout of RFC 9293 3.10.8 in each state that can wait for an ACK
 * (DATA-48, CLOSE-42). Method: rows of script; the peer falls silent, time goes on. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/rows.h"

static const struct ep_opts with_5_s = {.conn = {.no_timestamps = true,
							.no_sack = true,
							.no_wscale = true,
							.user_timeout_ms = 5000}};

ROW(data_48_is_off_by_default, &rows_plain,
		REACH_EST "; {send 10}; ~; +100s; ~; = EST; {abort}; ~; [ERROR CLOSED LOCAL_ABORT]")

/* Unplugged: the event comes at 5 s, with one RST. */
ROW(data_48_five_seconds_unplugged, &with_5_s,
		REACH_EST
		"; {send 10}; < PA i+1 p+1 len=10; +4999; ~; [ERROR TIMEOUT_RTX]; = EST; +2;"
		"< RA i+11 p+1; [CLOSED TIMEOUT_USER]; = CLD; +60s; .;"
		"# rst_sent; {close}")

ROW(data_48_accepted_connection_has_it, &with_5_s,
		REACH_EST_PAS "; {send 10}; ~; +4999; ~; = EST; +2; < RA i+11 p+1;"
			      "[ERROR CLOSED TIMEOUT_USER]; {close}")

/* Without data there is nothing to wait for. */
ROW(data_48_idle_connection_lives_on, &with_5_s,
		REACH_EST "; +100s; .; {send 10}; < PA i+1 p+1 len=10; > A p+1 i+11; +100s; .;"
			  "[]; = EST")

/* From the last progress on, not from the first octet. */
ROW(data_48_each_advance_starts_it_anew, &with_5_s,
		REACH_EST "; {nodelay 1}; {send 10}; < PA i+1 p+1 len=10; {send 10};"
			  "< PA i+11 p+1 len=10; +4000; ~; > A p+1 i+11; +4990; ~; [ERROR "
			  "TIMEOUT_RTX]; = EST;"
			  "+20; < RA i+21 p+1; [CLOSED TIMEOUT_USER]; {close}")

/* More data queued behind what waits does not help the peer. */
ROW(data_48_more_data_is_no_progress, &with_5_s,
		REACH_EST "; {nodelay 1}; {send 10}; ~; +3000; {send 10}; ~; +1990; ~; = EST; +20;"
			  "~; [ERROR CLOSED TIMEOUT_USER]; {close}")

/* A peer that keeps its window shut answers each probe and makes no progress. */
ROW(data_48_shut_window_counts, &with_5_s,
		REACH_EST "; > A p+1 i+1 wnd=0; {send 10}; .; +1001; ~; > A p+1 i+1 wnd=0;"
			  "+2000; ~; > A p+1 i+1 wnd=0; +1990; ~; []; = EST; +20;"
			  "< RA i+1 p+1; [CLOSED TIMEOUT_USER]; {close}")

ROW(data_48_in_syn_sent_frees_without_segment, &with_5_s,
		"{open}; < S i= 0; +4999; ~; = SYS; +2; .; [CLOSED TIMEOUT_USER]; = CLD; {close}")

ROW(data_48_in_syn_rcvd_resets, &with_5_s,
		REACH_SYR_ACT "; +4990; ~; = SYR; +20; < RA i+1 p+1; [CLOSED TIMEOUT_USER];"
			      "= CLD; {close}")

/* A listener's half-open is nobody's connection yet: freed, counted, and told. */
ROW(data_48_half_open_is_freed, &with_5_s,
		REACH_SYR "; +4990; ~; = SYR; +20; < RA i+1 p+1; []; = CLD;"
			  "# half_open_timeout rst_sent; {unlisten}")

ROW(data_48_in_fin_wait_1_resets, &with_5_s,
		REACH_FW1 "; +4999; ~; = FW1; +2; < RA i+2 p+1; [ERROR CLOSED TIMEOUT_USER]; = CLD;"
			  "{close}")

/* After full CLOSE too: the application still gets its reason. */
ROW(close_42_orphan_has_it_too, &with_5_s,
		REACH_FW1_ORP "; +4999; ~; = FW1; +2; < RA i+2 p+1; [CLOSED TIMEOUT_USER]; = CLD")

ROW(data_48_in_fin_wait_2_is_not_armed, &with_5_s, REACH_FW2 "; +100s; .; []; = FW2")

ROW(data_48_in_close_wait_resets, &with_5_s,
		REACH_CLW "; +20s; .; {send 10}; < PA i+1 p+2 len=10; +4999; ~; = CLW; +2;"
			  "< RA i+11 p+2; [ERROR CLOSED TIMEOUT_USER]; = CLD; {close}")

ROW(data_48_in_closing_resets, &with_5_s,
		REACH_CLG
		"; +4990; ~; = CLG; +20; < RA i+2 p+2; [ERROR CLOSED TIMEOUT_USER]; = CLD;"
		"{close}")

ROW(data_48_in_last_ack_resets, &with_5_s,
		REACH_LAK "; +4999; ~; = LAK; +2; < RA i+2 p+2; [ERROR CLOSED TIMEOUT_USER]; = CLD;"
			  "{close}")

ROW(close_40_user_timeout_stops_on_time_wait, &with_5_s,
		REACH_FW2 "; > FA p+1 i+2; < A i+2 p+2; [PEER_FIN CLOSED GRACEFUL]; = TW;"
			  "+59s; .; = TW; +2s; .; = CLD; {close}")

/* Set while data already waits: it counts from the call. */
ROW(data_48_set_after_open, &rows_plain,
		REACH_EST "; {send 10}; ~; +2000; ~; {user_timeout_ms 5000}; +4990; ~;"
			  "= EST; +20; ~; [ERROR CLOSED TIMEOUT_USER]; = CLD; {close}")

ROW(data_48_switched_off_while_it_runs, &with_5_s,
		REACH_EST "; {send 10}; ~; +2000; ~; {user_timeout_ms 0}; +6000; ~; = EST;"
			  "> A p+1 i+11; .; [ERROR TIMEOUT_RTX]")

ROW(data_48_values_out_of_range_are_refused, &rows_plain,
		REACH_EST "; {user_timeout_ms 604800001}=-EINVAL; {user_timeout_ms 604800000};"
			  "{user_timeout_ms 1}; .; = EST")

/* Queued before the peer answered: the SYN's ACK is progress. */
ROW(data_48_data_queued_in_syn_sent, &with_5_s,
		"{open}; < S i= 0; {send 10}; +800; .; > SA p i+1; < PA i+1 p+1 len=10;"
		"[CONNECTED]; +4990; ~; = EST; +20; < RA i+11 p+1; [CLOSED TIMEOUT_USER]; {close}")

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			T(data_48_is_off_by_default),
			T(data_48_five_seconds_unplugged),
			T(data_48_accepted_connection_has_it),
			T(data_48_idle_connection_lives_on),
			T(data_48_each_advance_starts_it_anew),
			T(data_48_more_data_is_no_progress),
			T(data_48_shut_window_counts),
			T(data_48_in_syn_sent_frees_without_segment),
			T(data_48_in_syn_rcvd_resets),
			T(data_48_half_open_is_freed),
			T(data_48_in_fin_wait_1_resets),
			T(close_42_orphan_has_it_too),
			T(data_48_in_fin_wait_2_is_not_armed),
			T(data_48_in_close_wait_resets),
			T(data_48_in_closing_resets),
			T(data_48_in_last_ack_resets),
			T(close_40_user_timeout_stops_on_time_wait),
			T(data_48_set_after_open),
			T(data_48_switched_off_while_it_runs),
			T(data_48_values_out_of_range_are_refused),
			T(data_48_data_queued_in_syn_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
