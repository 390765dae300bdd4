/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: urgent data of both directions (DATA-49; RFC 9293 3.8.5, MUST-30 to -33 and
 * -62; RFC 6093). Method: rows of script; the pointer is the offset of the octet
 * behind the urgent ones from the segment's number. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/rows.h"

/* The mark comes with its text, which stays in the stream. */
ROW(data_49_event_and_count_and_text_in_stream, &rows_plain,
		REACH_EST "; > PAU p+1 i+1 len=10 urg=4; [READABLE URGENT]; ? urgent 4; {recv 1};"
			  "? urgent 3; {recv 3}; ? urgent 0; ? unread 6; {recv 6}; +42;"
			  "< A i+1 p+11; .; = EST")

/* Ahead of its text: the count says what is still to come. */
ROW(data_49_pointer_ahead_of_text, &rows_plain,
		REACH_EST "; > AU p+1 i+1 urg=20; [URGENT]; ? urgent 20; > PA p+1 i+1 len=10;"
			  "[READABLE]; ? urgent 20; {recv 10}; ? urgent 10; > PA p+11 i+1 len=10;"
			  "[READABLE]; {recv 10}; ? urgent 0; +42; < A i+1 p+21; .; = EST")

/* Once for each step ahead (MUST-32), not for each segment that repeats it. */
ROW(data_49_event_once_per_run, &rows_plain,
		REACH_EST "; > AU p+1 i+1 urg=100; [URGENT]; > AU p+1 i+1 urg=100; [];"
			  "> PAU p+1 i+1 len=10 urg=100; [READABLE]; > PAU p+11 i+1 len=10 urg=90;"
			  "[READABLE]; > AU p+21 i+1 urg=79; []; ? urgent 100;"
			  "> AU p+21 i+1 urg=81; [URGENT]; ? urgent 101; ~; {recv 20};"
			  "? urgent 81; +42; ~; = EST")

/* A new run after one that was read through. */
ROW(data_49_new_run_tells_again, &rows_plain,
		REACH_EST "; > PAU p+1 i+1 len=10 urg=10; [READABLE URGENT]; {recv 10};"
			  "> PA p+11 i+1 len=10; [READABLE]; {recv 10}; ? urgent 0;"
			  "> PAU p+21 i+1 len=10 urg=1; [READABLE URGENT]; ? urgent 1; {recv 10};"
			  "+42; ~; = EST")

/* MUST-31: longer than the window, longer than the field can say. */
ROW(data_49_any_length, &rows_plain,
		REACH_EST "; > AU p+1 i+1 urg=65535; [URGENT]; > PAU p+1 i+1 len=100 urg=65535;"
			  "[READABLE]; > PAU p+101 i+1 len=100 urg=65535; [READABLE URGENT];"
			  "? urgent 65635; {recv 200}; ? urgent 65435; +42; ~; = EST")

/* On segments without text: 1 marks an octet to come, 0 nothing, 65535 lies beyond the
 * window. None does harm. */
ROW(data_49_pointer_1_on_empty_segment, &rows_plain,
		REACH_EST "; > AU p+1 i+1 urg=1; [URGENT]; .; ? urgent 1; = EST;"
			  "> PA p+1 i+1 len=10; [READABLE]; {recv 10}; ? urgent 0; +42; ~; = EST")
ROW(data_49_pointer_0_on_empty_segment, &rows_plain,
		REACH_EST "; > AU p+1 i+1 urg=0; []; .; ? urgent 0; = EST")
ROW(data_49_pointer_65535_on_empty_segment, &rows_plain,
		REACH_EST "; > AU p+1 i+1 urg=65535; [URGENT]; .; ? urgent 65535; = EST")
ROW(data_49_pointer_0_on_text, &rows_plain,
		REACH_EST "; > PAU p+1 i+1 len=10 urg=0; [READABLE]; ? urgent 0; {recv 10}; +42; ~;"
			  "= EST")
/* Without the flag the field means nothing. */
ROW(data_49_pointer_without_flag, &rows_plain,
		REACH_EST "; > PA p+1 i+1 len=10 urg=5; [READABLE]; ? urgent 0; {recv 10}; +42; ~;"
			  "= EST")
/* What was read already cannot become urgent. */
ROW(data_49_pointer_behind_what_was_read, &rows_plain,
		REACH_EST
		"; > PA p+1 i+1 len=10; [READABLE]; {recv 10}; > PAU p+1 i+1 len=10 urg=10;"
		"[]; ~; ? urgent 0; = EST")

ROW(data_49_above_a_hole, &rows_plain,
		REACH_EST "; > PAU p+11 i+1 len=10 urg=10; [URGENT]; ? urgent 20; ~;"
			  "> PA p+1 i+1 len=10; [READABLE]; {recv 20}; ? urgent 0; ~; = EST")

/* With the FIN in the same segment it still counts; after it, no more. */
ROW(data_49_with_fin, &rows_plain,
		REACH_EST "; > FPAU p+1 i+1 len=10 urg=10; [READABLE URGENT PEER_FIN];"
			  "? urgent 10; {recv 10}; ? urgent 0; {recv 1}=0; ~; = CLW")
ROW(data_49_pointer_beyond_fin_is_clipped, &rows_plain,
		REACH_EST "; > FPAU p+1 i+1 len=10 urg=1000; [READABLE URGENT PEER_FIN];"
			  "? urgent 10; {recv 10}; ? urgent 0; ~; = CLW")
ROW(data_49_ignored_after_fin, &rows_plain,
		REACH_CLW "; > AU p+2 i+1 urg=100; []; .; ? urgent 0; = CLW")
ROW(data_49_ignored_in_closing, &rows_plain, REACH_CLG "; > AU p+2 i+1 urg=9; []; .; = CLG")
ROW(data_49_ignored_in_last_ack, &rows_plain, REACH_LAK "; > AU p+2 i+1 urg=9; []; .; = LAK")
ROW(data_49_in_time_wait_is_harmless, &rows_plain, REACH_TW "; > AU p+2 i+2 urg=9; .; = TW")
ROW(data_49_in_fin_wait_2, &rows_plain,
		REACH_FW2 "; > PAU p+1 i+2 len=10 urg=10; [READABLE URGENT]; {recv 10}; ~; = FW2")
ROW(data_49_of_an_orphan_is_nobodys, &rows_plain,
		REACH_FW2_ORP "; > AU p+1 i+2 urg=10; []; .; = FW2")
ROW(data_49_on_third_ack, &rows_plain,
		"{listen}; > S p; < SA i= p+1; > PAU p+1 i+1 len=10 urg=3;"
		"[ACCEPTED READABLE URGENT]; ? urgent 3; {recv 10}; ~; = EST")
ROW(data_49_on_syn_is_harmless, &rows_plain,
		"{listen}; > SU p urg=7; < SA i= p+1; > A p+1 i+1; [ACCEPTED]; ? urgent 0; = EST")
ROW(data_49_with_rst_is_a_reset, &rows_plain,
		REACH_EST "; > RU p+1 urg=7; [CLOSED PEER_RESET]; {close}")

/* The sender's side: everything queued so far, each segment up to its end. */
ROW(data_49_send_marks_segments, &rows_plain,
		REACH_WIDE "; {send 3000}; {urgent}; {send 500}; {nodelay 1};"
			   "< AU i+1 p+1 len=1460 urg=3000; < AU i+1461 p+1 len=1460 urg=1540;"
			   "< PAU i+2921 p+1 len=580 urg=80; > A p+1 i+3501 wnd=65535; {send 10};"
			   "< PA i+3501 p+1 len=10; > A p+1 i+3511 wnd=65535; .; = EST")
ROW(data_49_send_again_marks_again, &rows_plain,
		REACH_EST "; {send 10}; {urgent}; < PAU i+1 p+1 len=10 urg=10; +210;"
			  "< PAU i+1 p+1 len=10 urg=10; > PA p+1 i+1 len=1; [READABLE]; {recv 1};"
			  "+42; < A i+11 p+2; > A p+2 i+11; .; = EST")
/* A mark farther away than 16 bits is said to be as far as they reach. */
ROW(data_49_send_far_mark, &rows_plain,
		REACH_WIDE "; {send 1400}; {urgent}; {mss 1000}; < AU i+1 p+1 len=1000 urg=1400;"
			   "< PAU i+1001 p+1 len=400 urg=400; > A p+1 i+1401 wnd=65535; = EST")
ROW(data_49_send_after_shutdown_is_refused, &rows_plain,
		REACH_FW1 "; {urgent}=-EPIPE; = FW1; > A p+1 i+2; = FW2; {close};"
			  "{urgent}=-EBADF; = FW2")
ROW(data_49_send_nothing_is_nothing, &rows_plain,
		REACH_EST "; {urgent}; .; > PA p+1 i+1 len=10; [READABLE]; {recv 10}; +42;"
			  "< A i+1 p+11; .; = EST")

static const struct ep_opts no_ts = {
		.conn = {.no_timestamps = true, .no_sack = true, .send_buffer = 200000}};

/* 100000 octets ahead: the field says 65535 until it can say the truth. */
static void
data_49_send_mark_beyond_16_bits(void **state)
{
	static struct ep ep;
	const struct pkt *p;

	(void)state;
	rows_begin(&ep, "far_mark", &no_ts,
			"{open}; < S i= 0; > SA p i+1 wnd=65535 ws=4; < A i+1 p+1; [CONNECTED]");
	for (int i = 0; i < 100; i++)
		assert_int_equal(ep_write(&ep, 1000), 1000);
	assert_int_equal(pmtcp_urgent(ep.conn), 0);
	ep_turn(&ep);
	p = ep_take(&ep);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_ACK | PKT_URG);
	assert_int_equal(p->urg, 65535);
	cell_script(&ep, "~; {abort}; ~; [CLOSED LOCAL_ABORT]");
	rows_end(&ep);
}

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			T(data_49_event_and_count_and_text_in_stream),
			T(data_49_pointer_ahead_of_text),
			T(data_49_event_once_per_run),
			T(data_49_new_run_tells_again),
			T(data_49_any_length),
			T(data_49_pointer_1_on_empty_segment),
			T(data_49_pointer_0_on_empty_segment),
			T(data_49_pointer_65535_on_empty_segment),
			T(data_49_pointer_0_on_text),
			T(data_49_pointer_without_flag),
			T(data_49_pointer_behind_what_was_read),
			T(data_49_above_a_hole),
			T(data_49_with_fin),
			T(data_49_pointer_beyond_fin_is_clipped),
			T(data_49_ignored_after_fin),
			T(data_49_ignored_in_closing),
			T(data_49_ignored_in_last_ack),
			T(data_49_in_time_wait_is_harmless),
			T(data_49_in_fin_wait_2),
			T(data_49_of_an_orphan_is_nobodys),
			T(data_49_on_third_ack),
			T(data_49_on_syn_is_harmless),
			T(data_49_with_rst_is_a_reset),
			T(data_49_send_marks_segments),
			T(data_49_send_again_marks_again),
			T(data_49_send_far_mark),
			T(data_49_send_after_shutdown_is_refused),
			T(data_49_send_nothing_is_nothing),
			T(data_49_send_mark_beyond_16_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
