/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: which ACKs are believed, what they move, and how often a doubtful one is answered
 * (RFC 9293 3.10.7.4 step 5; 5961; 5681 section 2; DATA-14 to DATA-16, CLOSE-17,
 * CLOSE-18, SEC-1, SEC-3 to SEC-5). Method: scripts, and floods on a bed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/rows.h"

static struct bed bed;

/* Three segments in flight, window 8192. */
#define SENT_3                                                                                     \
	REACH_EST "; {send 4380}; < A i+1 p+1 len=1460; < A i+1461 p+1 len=1460;"                  \
		  "< PA i+2921 p+1 len=1460; ."

/* ---- range ---- */

/* SEC-3: UNA - MAX.SND.WND is the lower edge (window 8192), SND.MAX the upper. */
ROW(sec_3_lower_edge_is_taken_with_its_text, &rows_plain,
		SENT_3 "; > PA p+1 i-8191 len=10; [READABLE]; ~; {recv 10};"
		       "> A p+11 i+4381; .; # drop_ack+0")
ROW(sec_3_below_the_lower_edge_is_discarded, &rows_plain,
		SENT_3 "; > PA p+1 i-8192 len=10; []; < A i+4381 p+1; ? rcv_nxt p+1;"
		       "> A p+1 i+4381; .; # drop_ack challenge_sent")
ROW(sec_3_snd_max_is_taken_with_its_text, &rows_plain,
		SENT_3 "; > PA p+1 i+4381 len=10; [READABLE]; {recv 10}; ~; ? snd_una i+4381;"
		       "# drop_ack+0")
ROW(data_14_above_snd_max_is_discarded_with_its_text, &rows_plain,
		SENT_3 "; > PA p+1 i+4382 len=10; []; < A i+4381 p+1; ? rcv_nxt p+1; ? snd_una i+1;"
		       "> A p+1 i+4381; .; # drop_ack challenge_sent")
/* DATA-33 at work: what was resent leaves SND.MAX alone, so late ACKs are believed. */
ROW(data_14_ack_of_all_is_believed_after_a_timeout, &rows_plain,
		SENT_3
		"; +205; < A i+1 p+1 len=1460; > A p+1 i+4381; .; ? snd_una i+4381; # drop_ack+0")

/* SEC-3: the largest window counts scaled. */
static void
sec_3_lower_edge_is_scaled(void **state)
{
	static const struct ep_opts scaled = {.conn = {.no_timestamps = true, .no_sack = true}};
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "sec_3_scaled", &scaled,
			"{listen}; > S p ws=7; < SA i= p+1; > A p+1 i+1 wnd=1000; [ACCEPTED];"
			"> A p+1 i-127999 wnd=1000; .; # drop_ack+0; > A p+1 i-128000 wnd=1000;"
			"< A i+1 p+1; # drop_ack");
	rows_end(&ep);
}

/* ---- duplicates ---- */

/* DATA-15: five window updates are no sign of loss. */
ROW(data_15_window_updates_do_not_count, &rows_plain,
		SENT_3
		"; > A p+1 i+1 wnd=8000; > A p+1 i+1 wnd=8100; > A p+1 i+1 wnd=8200;"
		"> A p+1 i+1 wnd=8300; > A p+1 i+1 wnd=8400; .; # dup_ack_received+0 rexmt_fast+0;"
		"> A p+1 i+4381; .")
/* DATA-15: nor are segments with text. */
ROW(data_15_segments_with_text_do_not_count, &rows_plain,
		SENT_3
		"; > A p+1 i+1 len=10; > A p+11 i+1 len=10; > A p+21 i+1 len=10;"
		"> A p+31 i+1 len=10; [READABLE]; {recv 40}; ~; # dup_ack_received+0 rexmt_fast+0;"
		"> A p+41 i+4381; ~")
/* DATA-15: nor anything while nothing is in flight. */
ROW(data_15_nothing_in_flight_nothing_counts, &rows_plain,
		REACH_EST "; > A p+1 i+1; > A p+1 i+1; > A p+1 i+1; > A p+1 i+1; .;"
			  "# dup_ack_received+0")
/* DATA-15: older ACKs are ignored, their text is not. */
ROW(data_15_older_ack_is_ignored_its_text_taken, &rows_plain,
		SENT_3 "; > A p+1 i+2921; .; > PA p+1 i+1461 len=10; > PA p+11 i+1461 len=10;"
		       "> PA p+21 i+1461 len=10; [READABLE]; {recv 30}; ~; ? snd_una i+2921;"
		       "# rexmt_fast+0 dup_ack_received+0; > A p+31 i+4381; ~")

/* ---- window ---- */

/* DATA-16: a segment that was overtaken does not set the window. */
ROW(data_16_older_segment_does_not_set_the_window, &rows_plain,
		REACH_EST "; > A p+21 i+1 wnd=7000; .; ? snd_wnd 7000; > A p+11 i+1 wnd=3000; .;"
			  "? snd_wnd 7000; > A p+21 i+1 wnd=6000; .; ? snd_wnd 6000")
ROW(data_16_older_ack_does_not_set_the_window, &rows_plain,
		SENT_3 "; > A p+1 i+1461 wnd=7000; .; > A p+1 i+1 wnd=100; .; ? snd_wnd 7000;"
		       "> A p+1 i+4381 wnd=500; .; ? snd_wnd 500")

/* RFC 9293 3.10.7.4: the number is that of the segment as trimmed, which begins at RCV.NXT;
 * without anything above that there is none. */
ROW(data_16_repeated_text_with_new_behind_sets_the_window, &rows_plain,
		REACH_EST
		"; > PA p+1 i+1 len=20 wnd=7000; [READABLE]; {recv 20}; +42; ~;"
		"> A p+21 i+1 wnd=7000; .; > PA p+11 i+1 len=10 wnd=6000; ~; ? snd_wnd 7000;"
		"> PA p+11 i+1 len=20 wnd=8000; [READABLE]; {recv 10}; ~; ? snd_wnd 8000")

/* ---- closing ---- */

/* CLOSE-18: three segments and the FIN out; only the ACK of the FIN moves on. */
ROW(close_18_partial_acks_leave_last_ack, &rows_plain,
		REACH_CLW
		"; {send 4380}; {shutdown}; < A i+1 p+2 len=1460; < A i+1461 p+2 len=1460;"
		"< PFA i+2921 p+2 len=1460; = LAK; > A p+2 i+1461; = LAK; > A p+2 i+4381;"
		".; = LAK; > A p+2 i+4382; .; [CLOSED GRACEFUL]; = CLD")
ROW(close_18_partial_acks_leave_fin_wait_1, &rows_plain,
		REACH_EST "; {send 10}; {shutdown}; < PFA i+1 p+1 len=10; > A p+1 i+5; = FW1;"
			  "> A p+1 i+11; .; = FW1; > A p+1 i+12; .; = FW2")
/* CLOSE-17: both lost the ACKs of a simultaneous close; the repeated FIN brings ours. */
ROW(close_17_repeated_fin_has_its_ack_used, &rows_plain,
		REACH_CLG "; +205; < FA i+1 p+2; > FA p+1 i+2; < A i+2 p+2; [CLOSED GRACEFUL];"
			  "{close}; = TW")

/* ---- floods ---- */

/* SEC-4: a thousand RSTs inside the window within a second get two answers at most;
 * another connection has a budget of its own. */
static void
sec_4_challenges_are_throttled_per_connection(void **state)
{
	struct bed_peer a = {.ip = TEST_PEER, .port = 4000, .seq = 100};
	struct bed_peer b = {.ip = TEST_PEER, .port = 4001, .seq = 100};
	struct pmtcp_conn *conn[2];
	uint32_t answers = 0;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(bed_open(&bed, &a, 0, &conn[0]), 0);
	assert_int_equal(bed_open(&bed, &b, 0, &conn[1]), 0);
	for (int i = 0; i < 3000; i++) {
		struct bed_peer forged = a;

		forged.seq += 1 + (uint32_t)i;
		bed_peer_sends(&bed, &forged, PKT_RST, 0);
		bed_advance(&bed, BED_MS);
		answers += bed_forget(&bed);
	}
	assert_in_range(answers, 3, 6);
	b.seq += 10;
	bed_peer_sends(&bed, &b, PKT_RST, 0);
	assert_non_null(bed_peer_gets(&bed, &b));
	assert_int_equal(bed.taken.flags, PKT_ACK);
	assert_int_equal(bed_stats(&bed).state[PMTCP_ESTABLISHED], 2);
	assert_int_equal(bed_counter(&bed, PMTCP_C_challenge_sent), answers + 1);
	bed_destroy(&bed);
}

/* SEC-4: text that was acknowledged already is answered each time, whatever came before. */
static void
sec_4_repeated_text_is_never_throttled(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 4000, .seq = 100};
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	bed_peer_sends(&bed, &peer, PKT_ACK, 100);
	bed_advance(&bed, 50 * BED_MS);
	bed_forget(&bed);
	for (int i = 0; i < 50; i++) {
		peer.seq -= 100;
		bed_peer_sends(&bed, &peer, PKT_ACK, 100);
		bed_turn(&bed);
		assert_int_equal(bed_forget(&bed), 1);
	}
	bed_destroy(&bed);
}

/* SEC-5: an ACK out of step is answered within the throttle, so two stacks that
 * disagree fall silent. */
static void
sec_5_ack_loops_die_out(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 4000, .seq = 100};
	struct pmtcp_conn *conn;
	uint32_t answers = 0;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	peer.seq -= 50;
	for (int i = 0; i < 2000; i++) {
		bed_peer_sends(&bed, &peer, PKT_ACK, 0);
		bed_advance(&bed, BED_MS);
		answers += bed_forget(&bed);
	}
	assert_in_range(answers, 1, 4);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(sec_3_lower_edge_is_taken_with_its_text),
			cmocka_unit_test(sec_3_below_the_lower_edge_is_discarded),
			cmocka_unit_test(sec_3_snd_max_is_taken_with_its_text),
			cmocka_unit_test(data_14_above_snd_max_is_discarded_with_its_text),
			cmocka_unit_test(data_14_ack_of_all_is_believed_after_a_timeout),
			cmocka_unit_test(sec_3_lower_edge_is_scaled),
			cmocka_unit_test(data_15_window_updates_do_not_count),
			cmocka_unit_test(data_15_segments_with_text_do_not_count),
			cmocka_unit_test(data_15_nothing_in_flight_nothing_counts),
			cmocka_unit_test(data_15_older_ack_is_ignored_its_text_taken),
			cmocka_unit_test(data_16_older_segment_does_not_set_the_window),
			cmocka_unit_test(data_16_older_ack_does_not_set_the_window),
			cmocka_unit_test(data_16_repeated_text_with_new_behind_sets_the_window),
			cmocka_unit_test(close_18_partial_acks_leave_last_ack),
			cmocka_unit_test(close_18_partial_acks_leave_fin_wait_1),
			cmocka_unit_test(close_17_repeated_fin_has_its_ack_used),
			cmocka_unit_test(sec_4_challenges_are_throttled_per_connection),
			cmocka_unit_test(sec_4_repeated_text_is_never_throttled),
			cmocka_unit_test(sec_5_ack_loops_die_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
