/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what CLOSE does about data that nobody acknowledges: linger off, 0 and a time
 * (CLOSE-31, RFC 9293 3.9.1.4; CLOSE-39, CLOSE-42). Method: rows of script with a peer
 * that has stopped. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/rows.h"

static const struct ep_opts with_linger_0 = {.conn = {.no_timestamps = true,
							     .no_sack = true,
							     .no_wscale = true,
							     .linger_ms = PMTCP_LINGER_ABORT}};

static const struct ep_opts with_linger_3_s = {.conn = {.no_timestamps = true,
							       .no_sack = true,
							       .no_wscale = true,
							       .linger_ms = 3000}};

/* Off: CLOSE returns, the queue goes on in the background, then the FIN. */
ROW(close_31_off_goes_on_in_background, &rows_plain,
		REACH_EST "; {send 10}; {close}; < FPA i+1 p+1 len=10; +60s; ~; []; = FW1;"
			  "> A p+1 i+12; = FW2; > FA p+1 i+12; < A i+12 p+2; [CLOSED GRACEFUL];"
			  "= TW")

/* Off, and the peer never comes back: the orphan's retries bound it (CLOSE-42). */
ROW(close_42_off_ends_by_retries, &rows_plain,
		REACH_EST "; {send 10}; {close}; +600s; ~; [CLOSED TIMEOUT_RTX]; = CLD")

ROW(close_31_zero_aborts, &with_linger_0,
		REACH_EST "; {send 10}; < PA i+1 p+1 len=10; {close}; < RA i+11 p+1;"
			  "[CLOSED LOCAL_ABORT]; = CLD; # rst_sent")

ROW(close_31_zero_aborts_without_data_too, &with_linger_0,
		REACH_EST "; {close}; < RA i+1 p+1; [CLOSED LOCAL_ABORT]; = CLD")

/* Nothing to tell a peer that has not answered, nor one that has everything. */
ROW(close_31_zero_in_syn_sent_sends_nothing, &with_linger_0,
		REACH_SYS "; {close}; .; [CLOSED LOCAL_ABORT]; = CLD")
ROW(close_31_zero_in_last_ack_sends_nothing, &with_linger_0,
		REACH_LAK "; {close}; .; [CLOSED LOCAL_ABORT]; = CLD")
ROW(close_31_zero_in_time_wait_is_ok, &with_linger_0, REACH_TW_HELD "; {close}; .; = TW")

ROW(close_31_zero_detach_resets, &with_linger_0, REACH_EST "; {detach}; < RA i+1 p+1; []; = CLD")

ROW(close_31_time_over_resets, &with_linger_3_s,
		REACH_EST "; {send 10}; {close}; < FPA i+1 p+1 len=10; +2999; ~; []; = FW1; +2;"
			  "< RA i+12 p+1; [CLOSED TIMEOUT_LINGER]; = CLD; +60s; .; # rst_sent")

/* What cannot be sent counts as well. */
ROW(close_31_unsent_data_counts, &with_linger_3_s,
		REACH_EST "; > A p+1 i+1 wnd=0; {send 10}; {close}; +2990; ~; = FW1; +20;"
			  "~; [CLOSED TIMEOUT_LINGER]; = CLD")

ROW(close_31_acked_in_time_is_graceful, &with_linger_3_s,
		REACH_EST "; {send 10}; {close}; < FPA i+1 p+1 len=10; +2000; ~; > A p+1 i+12;"
			  "= FW2; +10s; .; []; = FW2; > FA p+1 i+12; < A i+12 p+2;"
			  "[CLOSED GRACEFUL]; = TW; +62s; .; = CLD")

/* SHUTDOWN is not CLOSE: the application still looks after it. */
ROW(close_31_shutdown_does_not_start_it, &with_linger_3_s,
		REACH_FW1 "; +10s; ~; = FW1; > A p+1 i+2; .; [ERROR TIMEOUT_RTX]; = FW2")

ROW(close_31_in_closing_resets, &with_linger_3_s,
		REACH_FW1_ORP "; > FA p+1 i+1; < A i+2 p+2; = CLG; +2990; ~; = CLG; +20;"
			      "< RA i+2 p+2; [CLOSED TIMEOUT_LINGER]; = CLD")

ROW(close_31_in_last_ack_resets, &with_linger_3_s,
		REACH_CLW "; {close}; < FA i+1 p+2; = LAK; +2990; ~; = LAK; +20;"
			  "< RA i+2 p+2; [CLOSED TIMEOUT_LINGER]; = CLD")

ROW(close_31_detached_is_counted_only, &with_linger_3_s,
		REACH_EST "; {detach}; < FA i+1 p+1; +2990; ~; = FW1; +20; < RA i+2 p+1; [];"
			  "= CLD")

/* CLOSE-29 comes first. */
ROW(close_31_unread_text_still_resets_at_once, &with_linger_3_s,
		REACH_EST "; > PA p+1 i+1 len=10; [READABLE]; {close}; < RA i+1 p+11;"
			  "[CLOSED DATA_LOST]; = CLD")

ROW(close_31_set_after_open, &rows_plain,
		REACH_EST "; {linger_ms 1000}; {close}; < FA i+1 p+1; +990; ~; = FW1; +20; ~;"
			  "[CLOSED TIMEOUT_LINGER]; = CLD")

ROW(close_31_values_out_of_range_are_refused, &rows_plain,
		REACH_EST
		"; {linger_ms 604800001}=-EINVAL; {linger_ms 4294967293}=-EINVAL;"
		"{linger_ms 604800000}; {linger_ms 0}; {linger_ms 4294967295}; {close};"
		"< FA i+1 p+1; +60s; ~; []; = FW1; {abort}; < RA i+2 p+1; [CLOSED LOCAL_ABORT]")

#define T(name) cmocka_unit_test(name)

static void
tune_one_record(struct pmtcp_conf *conf)
{
	conf->max_rares = 1;
}

/* RES-4: without a side record there is no linger time: the close goes on in the background,
 * and what was queued arrives. */
static void
close_31_without_a_record_goes_on_in_background(void **state)
{
	struct bed_peer busy = {.ip = TEST_PEER, .port = 50000, .seq = 1};
	struct bed_peer peer = {.ip = TEST_PEER, .port = 50001, .seq = 1};
	struct pmtcp_conn *first, *conn;
	static struct bed bed;

	(void)state;
	bed_create(&bed, tune_one_record);
	assert_int_equal(bed_open(&bed, &busy, 80, &first), 0);
	assert_int_equal(pmtcp_set(first, PMTCP_OPT_KEEPALIVE_MS, 7200000), 0);
	assert_int_equal(bed_open(&bed, &peer, 80, &conn), 0);
	assert_int_equal(pmtcp_set(conn, PMTCP_OPT_LINGER_MS, 3000), 0);
	assert_int_equal(pmtcp_write(conn, "0123456789", 10), 10);
	pmtcp_close(conn);
	assert_non_null(bed_peer_gets(&bed, &peer));
	assert_int_equal(bed.taken.flags, PKT_FIN | PKT_PSH | PKT_ACK);
	bed_advance(&bed, 5000 * BED_MS);
	bed_forget(&bed);
	assert_int_equal(bed_event(&bed).flags, 0);
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	bed_peer_sends(&bed, &peer, PKT_FIN | PKT_ACK, 0);
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).reason, PMTCP_GRACEFUL);
	assert_int_equal(bed_counter(&bed, PMTCP_C_rst_sent), 0);
	pmtcp_abort(first);
	bed_turn(&bed);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			T(close_31_off_goes_on_in_background),
			T(close_42_off_ends_by_retries),
			T(close_31_zero_aborts),
			T(close_31_zero_aborts_without_data_too),
			T(close_31_zero_in_syn_sent_sends_nothing),
			T(close_31_zero_in_last_ack_sends_nothing),
			T(close_31_zero_in_time_wait_is_ok),
			T(close_31_zero_detach_resets),
			T(close_31_time_over_resets),
			T(close_31_unsent_data_counts),
			T(close_31_acked_in_time_is_graceful),
			T(close_31_shutdown_does_not_start_it),
			T(close_31_in_closing_resets),
			T(close_31_in_last_ack_resets),
			T(close_31_detached_is_counted_only),
			T(close_31_unread_text_still_resets_at_once),
			T(close_31_set_after_open),
			T(close_31_without_a_record_goes_on_in_background),
			T(close_31_values_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
