/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: NEG-14 to NEG-22 of doc/requirements.md, row after row: what other stacks did
 * wrong in closing. Method: scripts of one connection; a bed of stations where there
 * are more. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/rows.h"

static struct bed bed;

ROW(neg_14_last_ack_is_not_left_on_any_ack, &rows_plain,
		REACH_CLW "; {send 10}; {shutdown}; ~; = LAK; > A p+2 i; > A p+2 i+1; > A p+2 i+5;"
			  "> A p+2 i+11; > PA p+2 i+11 len=1; ~; []; = LAK; > A p+2 i+12;"
			  "[CLOSED GRACEFUL]; = CLD; {close}")

ROW(neg_15_fin_that_overtakes_text_does_not_close, &rows_plain,
		REACH_EST "; > FA p+1461 i+1; < A i+1 p+1; []; = EST; {recv 1}=-EAGAIN; {send 10};"
			  "< PA i+1 p+1 len=10; > A p+1 i+11; = EST")

/* Closing comes by our own FIN alone, and both the octets and it are sent. */
ROW(neg_16_closing_sends_what_was_queued, &rows_plain,
		REACH_EST "; > A p+1 i+1 wnd=0; {send 10}; {shutdown}; .; > FA p+1 i+1 wnd=0;"
			  "< A i+1 p+2; [PEER_FIN]; = CLG; > A p+2 i+1 wnd=4000;"
			  "< PFA i+1 p+2 len=10; +205; < PFA i+1 p+2 len=10; > A p+2 i+12; .;"
			  "[CLOSED GRACEFUL]; = TW; {close}")

ROW(neg_17_lost_fins_and_last_acks_are_mended, &rows_plain,
		REACH_FW1 "; +205; < FA i+1 p+1; > A p+1 i+2; = FW2; > FA p+1 i+2; < A i+2 p+2;"
			  "[PEER_FIN CLOSED GRACEFUL]; = TW; {close}; +1s; > FA p+1 i+2;"
			  "< A i+2 p+2; +2s; > FA p+1 i+2; < A i+2 p+2; +4s; > FA p+1 i+2;"
			  "< A i+2 p+2; .; = TW; # rst_sent+0 tw_fin_again+3")

/* The peer keeps talking: window updates, old text, repeated ACKs. */
#define TALK "; > A p+1 i+2 wnd=4000; ~; +9s; > PA p-9 i+2 len=10; ~; +9s; > A p+1 i+2; ~; +1s"
ROW(neg_18_peer_does_not_renew_an_orphans_fin_wait_2, &rows_plain,
		REACH_FW2_ORP TALK TALK TALK "; []; = FW2; +4s; .; [CLOSED TIMEOUT_FW2]; = CLD")
ROW(neg_18_peer_does_not_renew_an_orphans_fin_wait_1, &rows_plain,
		REACH_FW1_ORP
		"; +30s; ~; > A p+1 i+1; ~; +30s; ~; > A p+1 i+1 wnd=5000; ~; +51s; ~;"
		"[CLOSED TIMEOUT_RTX]; = CLD")
/* Nor does a window that stays shut: an orphan probes as often as it would repeat. */
static void
answer_with_shut_window(const char *reach)
{
	static struct ep ep;

	rows_begin(&ep, "neg_18", &rows_plain, reach);
	for (int s = 0; s < 600 && ep.conn != NULL; s++)
		cell_script(&ep, "> A p+1 i+1 wnd=0; +1s; ~");
	assert_null(ep.conn);
	assert_int_equal(ep.reason, PMTCP_TIMEOUT_RTX);
	ep.events = 0;
	ep.reason = PMTCP_REASON_NONE;
	ep_expect_state(&ep, PMTCP_CLOSED);
	rows_end(&ep);
}

static void
neg_18_answers_with_a_shut_window_do_not_renew_an_orphan(void **state)
{
	(void)state;
	answer_with_shut_window(REACH_EST "; > A p+1 i+1 wnd=0; {send 10}; {close}; = FW1");
	answer_with_shut_window(REACH_EST "; > A p+1 i+1 wnd=0; {close}; ~; = FW1");
	answer_with_shut_window(REACH_EST "; {send 10}; {close}; ~; = FW1");
}

ROW(neg_19_close_moves_on_behind_a_shut_window, &rows_plain,
		REACH_EST "; > A p+1 i+1 wnd=0; {close}; = FW1; < FA i+1 p+1; > A p+1 i+2 wnd=0;"
			  "= FW2; > FA p+1 i+2 wnd=0; < A i+2 p+2; [CLOSED GRACEFUL]; = TW")
ROW(neg_19_close_moves_on_with_text_behind_a_shut_window, &rows_plain,
		REACH_EST "; > A p+1 i+1 wnd=0; {send 10}; {close}; .; = FW1")

ROW(neg_20_close_does_not_end_time_wait, &rows_plain,
		REACH_TW_HELD "; {close}; .; []; = TW; +59s; .; = TW; +2s; .; = CLD; # tw_expired")
ROW(neg_20_abort_does_not_end_time_wait, &rows_plain,
		REACH_TW_HELD "; {abort}; .; []; = TW; +59s; .; = TW")
ROW(neg_20_no_timer_runs_on_into_time_wait, &rows_plain,
		REACH_EST
		"; {keepalive_ms 5000}; {user_timeout_ms 9000}; {linger_ms 7000}; {send 10};"
		"{close}; ~; > FA p+1 i+12; < A i+12 p+2; [CLOSED GRACEFUL]; = TW; +59s; .;"
		"[]; = TW; +2s; .; = CLD; # tw_expired")

/* Mass close against peers that are gone: all end, and no later than one alone. */
static void
neg_21_mass_close_leaves_nobody_behind(void **state)
{
	struct pmtcp_conn *conn[60];

	(void)state;
	bed_create(&bed, NULL);
	for (uint16_t i = 0; i < 60; i++) {
		struct bed_peer peer = {.ip = TEST_PEER, .port = (uint16_t)(80 + i % 12), .seq = 7};

		assert_int_equal(bed_open(&bed, &peer, 0, &conn[i]), 0);
	}
	for (int i = 0; i < 60; i++)
		pmtcp_close(conn[i]);
	/* 0.2 + 0.4 + ... + 51.2 s, and half of it to spare. */
	for (int s = 0; s < 153; s++) {
		bed_advance(&bed, 1000 * BED_MS);
		bed_forget(&bed);
		while (bed_event(&bed).flags != 0)
			;
	}
	assert_int_equal(bed_stats(&bed).live, 0);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_TIMEOUT_RTX], 60);
	bed_turn(&bed);
	assert_int_equal(bed_stats(&bed).blocks_used, 0);
	assert_true(pmtcp_deadline(bed.ctx) > bed.now + 1000 * BED_MS);
	bed_destroy(&bed);
}

/* 10 s idle, 2 s apart, 3 tries. */
static const struct ep_opts with_keepalive = {.conn = {.no_timestamps = true,
							      .no_sack = true,
							      .no_wscale = true,
							      .keepalive_ms = 10000,
							      .keepalive_intvl_ms = 2000,
							      .keepalive_count = 3}};

/* What we send is no sign of the peer's life: the keepalive counts from what was heard
 * last. Here a window update at 6 s, which nothing answers. */
static void
neg_21_own_segments_do_not_renew_the_idle_timer(void **state)
{
	static struct ep ep;

	(void)state;
	ep_create(&ep, "neg_21_segments", &with_keepalive);
	ep.conn_opts.recv_buffer = 2920;
	cell_script(&ep, REACH_EST "; > A p+1 i+1 len=1460; > A p+1461 i+1 len=1460; [READABLE];"
				   "< A i+1 p+2921 wnd=0; +6s; .; {recv 2920};"
				   "< A i+1 p+2921 wnd=2920; +3990; .; +20; < A i p+2921; .;"
				   "> A p+2921 i+1; .; = EST");
	rows_end(&ep);
}

/* Here the probes themselves, then the end. */
ROW(neg_21_own_probes_do_not_renew_the_idle_timer, &with_keepalive,
		REACH_EST "; +9990; .; +20; < A i p+1; +1970; .; +40; < A i p+1; +1970; .; +40;"
			  "< A i p+1; +1970; .; []; = EST; +40; < RA i+1 p+1; [CLOSED TIMEOUT_KA];"
			  "= CLD; {close}")
/* And here retransmissions, over which the keepalive has no say: 0.2, 0.4 .. 51.2 s, then
 * 60 s each (DATA-34: 15 tries). */
ROW(neg_21_own_retransmissions_end_under_keepalive, &with_keepalive,
		REACH_EST "; {send 10}; < PA i+1 p+1 len=10; +460s; ~; [ERROR TIMEOUT_RTX]; = EST;"
			  "+90s; ~; [CLOSED TIMEOUT_RTX]; = CLD; # keepalive_sent+0; {close}")

/* Restarts at, just before and just after the expiry; each entry is freed once. */
static void
neg_22_restart_at_the_expiry_is_not_lost(void **state)
{
	(void)state;
	for (uint64_t at = 59950; at < 60320; at += 10) {
		struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .seq = 1000};
		struct pmtcp_conn *conn;

		bed_create(&bed, NULL);
		assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
		bed_close_first(&bed, &peer, conn);
		bed.now += at * BED_MS;
		peer.seq--;
		bed_peer_sends(&bed, &peer, PKT_FIN | PKT_ACK, 0);
		assert_non_null(bed_peer_gets(&bed, &peer));
		assert_int_equal(bed.taken.flags, PKT_ACK);
		assert_int_equal(bed_stats(&bed).time_wait, 1);
		bed_advance(&bed, 59900 * BED_MS);
		assert_int_equal(bed_stats(&bed).time_wait, 1);
		bed_advance(&bed, 400 * BED_MS);
		assert_int_equal(bed_stats(&bed).time_wait, 0);
		assert_int_equal(bed_counter(&bed, PMTCP_C_tw_expired), 1);
		bed_destroy(&bed);
	}
}

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			T(neg_14_last_ack_is_not_left_on_any_ack),
			T(neg_15_fin_that_overtakes_text_does_not_close),
			T(neg_16_closing_sends_what_was_queued),
			T(neg_17_lost_fins_and_last_acks_are_mended),
			T(neg_18_peer_does_not_renew_an_orphans_fin_wait_2),
			T(neg_18_peer_does_not_renew_an_orphans_fin_wait_1),
			T(neg_18_answers_with_a_shut_window_do_not_renew_an_orphan),
			T(neg_19_close_moves_on_behind_a_shut_window),
			T(neg_19_close_moves_on_with_text_behind_a_shut_window),
			T(neg_20_close_does_not_end_time_wait),
			T(neg_20_abort_does_not_end_time_wait),
			T(neg_20_no_timer_runs_on_into_time_wait),
			T(neg_21_mass_close_leaves_nobody_behind),
			T(neg_21_own_segments_do_not_renew_the_idle_timer),
			T(neg_21_own_probes_do_not_renew_the_idle_timer),
			T(neg_21_own_retransmissions_end_under_keepalive),
			T(neg_22_restart_at_the_expiry_is_not_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
