/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what ESTABLISHED does with each call, segment and timer (RFC 9293
 * section 3.10.7.4). Method: one script per cell of the state table. The first
 * segments of a connection are acknowledged at once, so the delayed-ACK cells
 * allow the ACK from then to the end of its 40 ms, except the one of the timer. */

#include "base/base.h"
#include "support/cell.h"

/* Ten segments by and by: beyond any quick acknowledging at the start. */
#define TEN_SEGMENTS                                                                               \
	"> PA p+1 i+1 len=10; +50; > PA p+11 i+1 len=10; +50; > PA p+21 i+1 len=10; +50;"          \
	"> PA p+31 i+1 len=10; +50; > PA p+41 i+1 len=10; +50; > PA p+51 i+1 len=10; +50;"         \
	"> PA p+61 i+1 len=10; +50; > PA p+71 i+1 len=10; +50; > PA p+81 i+1 len=10; +50;"         \
	"> PA p+91 i+1 len=10; +50; ~; [READABLE]"

static const struct cell cells[] = {
		{"established_open_again_is_refused", REACH_EST, "{open}=-EISCONN; .; = EST"},
		{"established_listen_same_port_works", REACH_EST, "{listen}; .; = EST"},
		{"established_send_sends", REACH_EST,
				"{send 10}; < PA i+1 p+1 len=10 wnd=32768; .; > A p+1 i+11; .; = "
				"EST;"
				"? snd_una i+11; ? snd_nxt i+11; # seg_taken"},
		{"established_receive_gives_data_or_waits", REACH_EST,
				"{recv 10}=-EAGAIN; > PA p+1 i+1 len=10; [READABLE]; {recv 20}=10;"
				"{recv 10}=-EAGAIN; +42; < A i+1 p+11; # seg_taken"},
		/* CLOSE-1 */
		{"established_shutdown_sends_fin", REACH_EST,
				"{shutdown}; < FA i+1 p+1; []; = FW1"},
		/* CLOSE-5 */
		{"established_shutdown_with_queue_sends_fin_after_it", REACH_EST,
				"{send 10}; {shutdown}; < PFA i+1 p+1 len=10; .; = FW1"},
		/* CLOSE-29 */
		{"established_close_with_unread_sends_rstx", REACH_EST,
				"> PA p+1 i+1 len=10; [READABLE]; {close}; < RA i+1 p+11;"
				"[CLOSED DATA_LOST]; = CLD; # seg_taken abort_on_unread rst_sent"},
		{"established_close_sends_fin", REACH_EST, "{close}; < FA i+1 p+1; []; = FW1"},
		{"established_abort_sends_rstx", REACH_EST,
				"{abort}; < RA i+1 p+1; [CLOSED LOCAL_ABORT]; = CLD; # rst_sent"},

		/* SEC-2 */
		{"established_syn_is_challenged", REACH_EST,
				"> S p+1; < A i+1 p+1; []; = EST; # drop_syn_challenge "
				"challenge_sent"},
		{"established_syn_outside_window_is_challenged", REACH_EST,
				"> S p-50000; < A i+1 p+1; []; = EST;"
				"# drop_syn_challenge challenge_sent"},
		{"established_syn_ack_is_challenged", REACH_EST,
				"> SA p i+1; < A i+1 p+1; []; = EST;"
				"# drop_syn_challenge challenge_sent"},
		{"established_ack_new_advances", REACH_EST,
				"{send 10}; < PA i+1 p+1 len=10; > A p+1 i+11 wnd=4000; .; [];"
				"= EST; ? snd_una i+11; ? snd_wnd 4000; # seg_taken"},
		{"established_ack_equal_sets_window", REACH_EST,
				"> A p+1 i+1 wnd=4000; .; []; = EST; ? snd_una i+1; ? snd_wnd 4000;"
				"# seg_taken"},
		{"established_ack_duplicate_is_counted", REACH_EST,
				"{send 10}; < PA i+1 p+1 len=10; > A p+1 i+1; .; ? snd_una i+1;"
				"# seg_taken dup_ack_received"},
		/* SEC-3: the edges of [UNA - MAX.SND.WND, MAX]. */
		{"established_ack_old_in_range_is_taken", REACH_EST,
				"> A p+1 i-8191; .; ? snd_una i+1; # seg_taken challenge_sent+0"},
		{"established_ack_below_range_is_challenged", REACH_EST,
				"> A p+1 i-8192; < A i+1 p+1; = EST; # drop_ack challenge_sent"},
		{"established_ack_too_high_is_challenged", REACH_EST,
				"> A p+1 i+2; < A i+1 p+1; = EST; # drop_ack challenge_sent"},
		{"established_ack_too_high_discards_text", REACH_EST,
				"> PA p+1 i+2 len=10; < A i+1 p+1; []; ? rcv_nxt p+1; # drop_ack"},
		/* SEC-1, CLOSE-33 */
		{"established_rst_exact_resets", REACH_EST,
				"> R p+1; [CLOSED PEER_RESET]; .; = CLD; # seg_taken"},
		{"established_rst_in_window_is_challenged", REACH_EST,
				"> R p+2; < A i+1 p+1; []; = EST; # drop_rst_challenge "
				"challenge_sent"},
		{"established_rst_at_last_octet_is_challenged", REACH_EST,
				"> R p+32768; < A i+1 p+1; []; = EST;"
				"# drop_rst_challenge challenge_sent"},
		{"established_rst_outside_window_is_dropped", REACH_EST,
				"> R p; > R p+32769; .; []; = EST; # drop_rst+2"},
		{"established_data_in_order_delivers", REACH_EST,
				"> PA p+1 i+1 len=10; [READABLE]; +42; < A i+1 p+11; {recv 10};"
				"= EST; # seg_taken"},
		{"established_data_above_hole_queues", REACH_EST,
				"> PA p+11 i+1 len=10; []; < A i+1 p+1; > PA p+1 i+1 len=10;"
				"[READABLE]; < A i+1 p+21; {recv 20}; # seg_taken+2 ooo_queued"},
		{"established_data_old_is_acked", REACH_EST,
				"> PA p+1 i+1 len=10; [READABLE]; +42; < A i+1 p+11; {recv 10};"
				"> PA p+1 i+1 len=10; []; < A i+1 p+11; # seg_taken drop_seq"},
		{"established_data_beyond_window_is_acked", REACH_EST,
				"> PA p+32769 i+1 len=10; []; < A i+1 p+1; # drop_seq"},
		/* CLOSE-6 */
		{"established_fin_in_order_enters_close_wait", REACH_EST,
				"> FA p+1 i+1; [PEER_FIN]; < A i+1 p+2; +600s; .; = CLW; # "
				"seg_taken"},
		/* CLOSE-24 */
		{"established_fin_with_text_delivers_first", REACH_EST,
				"> PFA p+1 i+1 len=7; [READABLE PEER_FIN]; < A i+1 p+9; {recv 9}=7;"
				"{recv 1}=0; = CLW; # seg_taken"},
		{"established_fin_repeated_is_acked", REACH_EST,
				"> FA p i+1; < A i+1 p+1; []; = EST; # drop_seq"},
		/* CLOSE-25 */
		{"established_fin_above_hole_is_held", REACH_EST,
				"> FA p+101 i+1; []; < A i+1 p+1; = EST; > PA p+1 i+1 len=100;"
				"[READABLE PEER_FIN]; < A i+1 p+102; = CLW; # seg_taken+2"},
		/* CLOSE-27: what was queued above turns out to lie behind the peer's end. */
		{"established_fin_below_queued_text_drops_it", REACH_EST,
				"> PA p+2 i+1 len=10; []; < A i+1 p+1; > FA p+1 i+1; [PEER_FIN];"
				"< A i+1 p+2; {recv 20}=0; ? rcv_nxt p+2; = CLW; # seg_taken+2"},
		/* DATA-9 */
		{"established_null_segment_is_dropped", REACH_EST,
				"> - p+1; > P p+1 len=10; .; []; = EST; # drop_no_ack+2"},
		{"established_bare_fin_is_dropped", REACH_EST,
				"> F p+1; .; []; = EST; # drop_no_ack"},
		/* DEC-7: told, and nothing more. */
		{"established_icmp_hard_is_told", REACH_EST,
				"{send 10}; < PA i+1 p+1 len=10; ! icmp 3/3 i+1; "
				"[ERROR UNREACHABLE]; .;"
				"= EST; > A p+1 i+11; .; # icmp_error_taken seg_taken"},
		/* SEC-8: SND.UNA <= SEQ < SND.MAX. */
		{"established_icmp_hard_outside_flight_is_dropped", REACH_EST,
				"! icmp 3/3 i+1; []; {send 10}; < PA i+1 p+1 len=10; ! icmp 3/3 i;"
				"! icmp 3/3 i+11; []; = EST; ! icmp 3/3 i+10; [ERROR UNREACHABLE];"
				"= EST; > A p+1 i+11; .; # drop_icmp_stale+3 icmp_error_taken "
				"seg_taken"},

		/* DATA-33: one segment, the interval doubles. */
		{"established_rto_resends_first", REACH_EST,
				"{send 10}; < PA i+1 p+1 len=10; +195; .; +10; < PA i+1 p+1 len=10;"
				".; +385; .; +20; < PA i+1 p+1 len=10; .; = EST; # "
				"retransmitted+2"},
		{"established_rto_limit_times_out", REACH_EST,
				"{retries 2}; {send 10}; < PA i+1 p+1 len=10; +205; "
				"< PA i+1 p+1 len=10; +405; < PA i+1 p+1 len=10; +780; .; []; = "
				"EST;"
				"+40; < RA i+11 p+1; [CLOSED TIMEOUT_RTX]; = CLD; # rst_sent"},
		/* DATA-24 */
		{"established_persist_probes_and_doubles", REACH_EST,
				"> A p+1 i+1 wnd=0; {send 10}; +195; .; +10; < A i+1 p+1 len=1;"
				"> A p+1 i+1 wnd=0; +385; .; +20; < A i+1 p+1 len=1;"
				"> A p+1 i+1 wnd=0; .; = EST; # seg_taken+3 probe_sent+2"},
		{"established_persist_ends_with_window", REACH_EST,
				"> A p+1 i+1 wnd=0; {send 10}; +205; < A i+1 p+1 len=1;"
				"> A p+1 i+2 wnd=100; < PA i+2 p+1 len=9; = EST; # seg_taken+2"},
		/* DATA-11 */
		{"established_delayed_ack_comes_at_40_ms", REACH_EST "; " TEN_SEGMENTS,
				"> PA p+101 i+1 len=10; [READABLE]; +38; .; +4; < A i+1 p+111;"
				"# seg_taken ack_delayed"},
		{"established_2msl_is_not_armed", REACH_EST, "+3600s; .; []; = EST"},
		{"established_keepalive", REACH_EST,
				"{keepalive_ms 10000}; {keepalive_intvl_ms 2000}; {keepalive_count "
				"2}; +9990; .; +20; < A i p+1; > A p+1 i+1; .; +9990; .; +20; < A "
				"i p+1; +2001; < A i p+1; +1970; .; []; = EST; +40; < RA i+1 p+1; "
				"[CLOSED TIMEOUT_KA]; = CLD; # seg_taken keepalive_sent+3 "
				"rst_sent"},
		{"established_user_timeout", REACH_EST,
				"{send 10}; < PA i+1 p+1 len=10; {user_timeout_ms 1000}; +990; ~; "
				"[]; = EST; +20; < RA i+11 p+1; [CLOSED TIMEOUT_USER]; = CLD; # "
				"rst_sent"},
		{"established_fw2_is_not_armed", REACH_EST, "{fw2_ms 1000}; +10s; .; []; = EST"},
		{"established_linger_is_not_armed", REACH_EST,
				"{linger_ms 100}; {send 10}; < PA i+1 p+1 len=10; +150; > A p+1 "
				"i+11; +600s; .; []; = EST; # seg_taken"},
};

int
main(void)
{
	return cell_run_all("established", cells, PMTCP_ARRAY_SIZE(cells));
}
