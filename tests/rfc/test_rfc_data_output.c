/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what leaves and when: segment sizes, PSH, Nagle, silly windows, shrunken and
 * shut ones, persist, the FIN behind the queue (RFC 9293 3.7, 3.8.6; DATA-19 to
 * DATA-25, DATA-30, CLOSE-4, CLOSE-16, CLOSE-23). Method: scripts, and loops where the
 * peer's answers follow a rule. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/rows.h"

static const struct ep_opts nodelay = {.conn = {.no_timestamps = true,
						       .no_sack = true,
						       .no_wscale = true,
						       .nodelay = true}};
static const struct ep_opts stamps = {.conn = {.no_sack = true, .no_wscale = true}};

/* ---- sizes and flags ---- */

/* DATA-23: PSH on the last segment of the queue only (MUST-61). */
ROW(data_23_push_is_on_the_last_segment_only, &rows_plain,
		REACH_WIDE "; {send 3000}; < A i+1 p+1 len=1460; < A i+1461 p+1 len=1460;"
			   "< PA i+2921 p+1 len=80; .; > A p+1 i+3001 wnd=65535; .")

/* OPEN-9, W-31: the peer's MSS, minus options, bounds each segment. */
ROW(open_9_segments_leave_room_for_timestamps, &stamps,
		"{listen}; > S p ts=1:0; < SA i= p+1 ts=1 mss=1460; > A p+1 i+1 ts=1:0; [ACCEPTED];"
		"{send 1449}; < A i+1 p+1 len=1448 ts=1; < PA i+1449 p+1 len=1 ts=1;"
		"> A p+1 i+1450 ts=2:0; .")
ROW(open_9_smaller_peer_mss_is_obeyed, &rows_plain,
		"{listen}; > S p mss=1000; < SA i= p+1; > A p+1 i+1; [ACCEPTED]; {send 1500};"
		"< A i+1 p+1 len=1000; < PA i+1001 p+1 len=500; > A p+1 i+1501; .")
ROW(open_9_larger_peer_mss_is_capped, &rows_plain,
		"{listen}; > S p mss=9000; < SA i= p+1; > A p+1 i+1; [ACCEPTED]; {send 1500};"
		"< A i+1 p+1 len=1460; < PA i+1461 p+1 len=40; > A p+1 i+1501; .")

/* ---- Nagle ---- */

ROW(data_22_second_small_send_waits, &rows_plain,
		REACH_WIDE "; {send 10}; < PA i+1 p+1 len=10; {send 5}; .; {send 6}; .; +100; .;"
			   "> A p+1 i+11 wnd=65535; < PA i+11 p+1 len=11; .;"
			   "> A p+1 i+22 wnd=65535; .")
ROW(data_22_nodelay_sends_at_once, &nodelay,
		REACH_WIDE "; {send 10}; < PA i+1 p+1 len=10; {send 5}; < PA i+11 p+1 len=5; .;"
			   "> A p+1 i+16 wnd=65535; .")
ROW(data_22_fin_pushes_the_held_tail, &rows_plain,
		REACH_WIDE "; {send 10}; < PA i+1 p+1 len=10; {send 5}; .; {shutdown};"
			   "< PFA i+11 p+1 len=5; .; > A p+1 i+17 wnd=65535; .; = FW2")
/* Minshall: only a small one in flight holds back another small one. */
ROW(data_22_small_tail_of_a_large_send_leaves, &rows_plain,
		REACH_WIDE
		"; {send 1470}; < A i+1 p+1 len=1460; < PA i+1461 p+1 len=10; {send 5}; .;"
		"> A p+1 i+1471 wnd=65535; < PA i+1471 p+1 len=5; > A p+1 i+1476; .")

/* ---- silly windows ---- */

#define TINY                                                                                       \
	"{open}; < S i= 0; > SA p i+1 wnd=1460; < A i+1 p+1; [CONNECTED]; {send 5000};"            \
	"< A i+1 p+1 len=1460; .;"

ROW(data_21_crumb_of_window_waits_for_override, &rows_plain,
		TINY "> A p+1 i+1461 wnd=10; .; +95; .; +110; < A i+1461 p+1 len=10; .;"
		     "> A p+1 i+1471 wnd=4000; ~; > A p+1 i+5001; .")
ROW(data_21_half_of_the_largest_window_is_enough, &rows_plain,
		TINY
		"> A p+1 i+1461 wnd=730; < A i+1461 p+1 len=730; .; > A p+1 i+2191 wnd=8000; ~;"
		"> A p+1 i+5001; .")
ROW(data_21_less_than_half_is_not, &rows_plain,
		TINY "> A p+1 i+1461 wnd=729; .; +90; .; > A p+1 i+1461 wnd=8000; ~;"
		     "> A p+1 i+5001; .")
/* All that is queued fits: it may go however small. */
ROW(data_21_all_pushed_data_leaves, &rows_plain,
		"{open}; < S i= 0; > SA p i+1 wnd=1460; < A i+1 p+1; [CONNECTED]; {send 1500};"
		"< A i+1 p+1 len=1460; .; > A p+1 i+1461 wnd=50; < PA i+1461 p+1 len=40; .;"
		"> A p+1 i+1501; .")

/* ---- shrunken and shut windows ---- */

/* DATA-19: no new text, old text up to the edge only, then the transfer goes on. */
ROW(data_19_shrunken_window_is_obeyed, &rows_plain,
		REACH_EST "; {send 8000}; < A i+1 p+1 len=1460; < A i+1461 p+1 len=1460;"
			  "< A i+2921 p+1 len=1460; < A i+4381 p+1 len=1460;"
			  "< A i+5841 p+1 len=1460; < PA i+7301 p+1 len=700; .; {send 100}; .;"
			  "> A p+1 i+1461 wnd=1000; .; +205; < A i+1461 p+1 len=1000; .;"
			  "> A p+1 i+2461 wnd=8192; ~; > A p+1 i+8001; ~;"
			  "> A p+1 i+8101; .; ? unacked 0; ? unsent 0")

/* DATA-24: the window update is lost; the answer to the probe brings it. */
ROW(data_24_lost_window_update_is_recovered_by_probe, &rows_plain,
		REACH_EST
		"; > A p+1 i+1 wnd=0; .; {send 10}; .; +195; .; +10; < A i+1 p+1 len=1; .;"
		"> A p+1 i+2 wnd=8192; < PA i+2 p+1 len=9; .; > A p+1 i+11; .;"
		"# probe_sent retransmitted+0")
/* DATA-24: the probe's octet was thrown away; it comes again with the rest. */
ROW(data_24_refused_probe_octet_comes_again, &rows_plain,
		REACH_EST "; > A p+1 i+1 wnd=0; .; {send 10}; .; +205; < A i+1 p+1 len=1; .;"
			  "> A p+1 i+1 wnd=0; .; > A p+1 i+1 wnd=8192; < A i+1 p+1 len=1; .; > A "
			  "p+1 i+2; < PA i+2 p+1 len=9; .; > A p+1 i+11; .;"
			  "? unacked 0; ? unsent 0")
/* DATA-2 (RFC 9293 A.2): the peer refused the probe and takes nothing right of RCV.NXT; an
 * ACK numbered behind it would be lost on it, and its own text never acknowledged. */
ROW(data_2_ack_behind_a_refused_probe_is_acceptable, &rows_plain,
		REACH_EST "; > A p+1 i+1 wnd=0; .; {send 10}; .; +205; < A i+1 p+1 len=1; .;"
			  "> A p+1 i+1 wnd=0; .; > PA p+1 i+1 len=10 wnd=0; [READABLE]; +42;"
			  "< A i+1 p+11; {recv 10}; > PA p+1 i+1 len=10 wnd=0; < A i+1 p+11;"
			  "> A p+11 i+2 wnd=8192; < PA i+2 p+11 len=9; > PA p+11 i+11 len=10;"
			  "[READABLE]; +42; < A i+11 p+21; {recv 10}")
/* The window was taken back from under what is in flight: its edge is the last number that
 * the peer can take. Rounding to the scale takes nothing back. */
ROW(data_2_ack_behind_a_window_taken_back_is_acceptable, &rows_plain,
		REACH_EST "; {send 2920}; ~; > PA p+1 i+1 len=10 wnd=1000; [READABLE]; +42;"
			  "< A i+1001 p+11; {recv 10}; > A p+11 i+2921; .")
ROW(data_2_rounded_window_is_not_taken_back,
		&((const struct ep_opts){.conn = {.no_timestamps = true, .no_sack = true}}),
		"{listen}; > S p ws=7; < SA i= p+1; > A p+1 i+1 wnd=10; [ACCEPTED]; {send 1280}; ~;"
		"> PA p+1 i+2 len=10 wnd=9; [READABLE]; +42; < A i+1281 p+11; {recv 10};"
		"> A p+11 i+1281 wnd=10; .")
/* CLOSE-23: only the FIN is left: it is the probe. */
ROW(close_23_fin_is_the_probe_of_a_shut_window, &rows_plain,
		REACH_EST "; > A p+1 i+1 wnd=0; .; {shutdown}; < FA i+1 p+1; = FW1; +205;"
			  "< FA i+1 p+1; .; = FW1; > A p+1 i+2 wnd=0; .; = FW2")

/* Answers each probe of a shut window for an hour of silence of the application. */
static void
data_25_answered_probes_keep_the_connection(void **state)
{
	static struct ep ep;
	struct ep_seg seg = {.flags = "A", .wnd = 0, .mss = -1, .wscale = -1};
	uint64_t last, gap = 0, wanted = 400 * EP_MS, began;
	uint32_t n = 0;

	(void)state;
	rows_begin(&ep, "data_25", &rows_plain,
			REACH_EST "; > A p+1 i+1 wnd=0; .; {send 10}; .; +205; < A i+1 p+1 len=1");
	seg.seq = ep.irs + 1;
	seg.ack = ep.iss + 1;
	last = ep.taken_ns;
	began = ep.now;
	while (ep.now < began + 3600 * 1000 * EP_MS) {
		ep_advance(&ep, 10 * EP_MS);
		if (ep_take(&ep) == NULL)
			continue;
		assert_int_equal(ep.taken.len, 1);
		assert_int_equal(ep.taken.seq, ep.iss + 1);
		gap = ep.taken_ns - last;
		last = ep.taken_ns;
		/* DATA-24: doubling, up to 60 s. */
		assert_in_range(gap, wanted - 2 * EP_MS, wanted + 12 * EP_MS);
		wanted = min_u64(wanted * 2, 60000 * EP_MS);
		ep_inject(&ep, &seg);
		n++;
	}
	assert_true(n > 60);
	cell_script(&ep, "[]; = EST; > A p+1 i+1 wnd=100; ~; > A p+1 i+2 wnd=100; ~; > A p+1 i+11; "
			 ".; ? unsent 0");
	rows_end(&ep);
}

/* DATA-25: nobody answers the probes: the connection ends like a lost one. */
static void
data_25_unanswered_probes_end_the_connection(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_25_silent", &rows_plain,
			REACH_EST "; {retries 5}; > A p+1 i+1 wnd=0; .; {send 10}");
	for (int i = 0; i < 100 && !ep.is_ended; i++)
		cell_script(&ep, "+10s; ~");
	assert_true(ep.is_ended);
	assert_int_equal(ep.reason, PMTCP_TIMEOUT_RTX);
	ep.events = 0;
	ep.reason = PMTCP_REASON_NONE;
	rows_end(&ep);
}

/* ---- the queue and its end ---- */

/* Acknowledges everything, always offering `wnd`, until our FIN was sent. Returns the
 * octets sent before it; nothing may leave beyond the window. */
static uint32_t
serve_until_fin(struct ep *ep, uint32_t wnd)
{
	struct ep_seg seg = {.flags = "A", .wnd = (int32_t)wnd, .mss = -1, .wscale = -1};
	uint32_t next = ep->iss + 1;

	seg.seq = rows_info(ep).rcv_nxt;
	for (int i = 0; i < 2000; i++) {
		const struct pkt *p;

		seg.ack = next;
		ep_inject(ep, &seg);
		ep_turn(ep);
		while ((p = ep_take(ep)) != NULL) {
			assert_int_equal(p->seq, next);
			assert_true(p->seq + p->len - seg.ack <= wnd);
			next += p->len;
			if (p->flags & PKT_FIN)
				return next - ep->iss - 1;
		}
		ep_advance(ep, 10 * EP_MS);
	}
	return UINT32_MAX;
}

static void
close_4_fin_follows_the_whole_queue(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "close_4", &rows_plain,
			"{open}; < S i= 0; > SA p i+1 wnd=2000; < A i+1 p+1; [CONNECTED];"
			"{send 100000}; {shutdown}; = FW1; < A i+1 p+1 len=1460; .; {send "
			"1}=-EPIPE;"
			"> A p+1 i+1461 wnd=0; .; = FW1");
	ep_drop(&ep);
	rows_begin(&ep, "close_4", &rows_plain,
			"{open}; < S i= 0; > SA p i+1 wnd=2000; < A i+1 p+1; [CONNECTED];"
			"{send 100000}; {shutdown}; = FW1");
	assert_int_equal(serve_until_fin(&ep, 2000), 100000);
	cell_script(&ep, "> A p+1 i+100002; .; = FW2");
	rows_end(&ep);
}

/* CLOSE-16: our FIN still unsent when the peer's comes: CLOSING, text and FIN leave. */
static void
close_16_closing_sends_the_queue_and_fin(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "close_16", &rows_plain,
			"{open}; < S i= 0; > SA p i+1 wnd=1000; < A i+1 p+1; [CONNECTED];"
			"{send 5000}; {close}; < A i+1 p+1 len=1000; = FW1;"
			"> FA p+1 i+1 wnd=1000; = CLG; < A i+1001 p+2; .");
	ep_inject(&ep, &(struct ep_seg){.flags = "A",
				       .seq = ep.irs + 2,
				       .ack = ep.iss + 1001,
				       .wnd = 4100,
				       .mss = -1,
				       .wscale = -1});
	cell_script(&ep, "< A i+1001 p+2 len=1460; < A i+2461 p+2 len=1460;"
			 "< PFA i+3921 p+2 len=1080; .; = CLG; > A p+2 i+3921; .; = CLG; +205;"
			 "< PFA i+3921 p+2 len=1080; > A p+2 i+5002; .; = TW; [CLOSED GRACEFUL]");
	rows_end(&ep);
}

/* DATA-30: a megabyte through a buffer of 64 KiB, as the events tell. */
static void
data_30_large_send_completes_through_events(void **state)
{
	static const struct ep_opts opts = {.conn = {.no_timestamps = true,
							    .no_sack = true,
							    .no_wscale = true,
							    .send_buffer = 65536}};
	static struct ep ep;
	struct ep_seg seg = {.flags = "A", .wnd = 65535, .mss = -1, .wscale = -1};
	uint32_t left = 1000000, n_full = 0;

	(void)state;
	rows_begin(&ep, "data_30", &opts, REACH_WIDE "; {send 0}=0");
	seg.seq = ep.irs + 1;
	for (int i = 0; i < 10000 && (left > 0 || rows_info(&ep).unacked > 0); i++) {
		int sent = left > 0 ? ep_write(&ep, left) : 0;

		assert_true(sent >= 0 || sent == -EAGAIN);
		left -= sent > 0 ? (uint32_t)sent : 0;
		if (left > 0) {
			/* Full: no more room until an event says so. */
			assert_int_equal(pmtcp_send_space(ep.conn), 0);
			n_full++;
		}
		for (int k = 0; k < 100 && !(ep.events & PMTCP_EV_WRITABLE); k++) {
			cell_script(&ep, "~");
			seg.ack = rows_info(&ep).snd_nxt;
			ep_inject(&ep, &seg);
			ep_turn(&ep);
			if (left == 0 && rows_info(&ep).unacked == 0)
				break;
		}
		if (ep.events & PMTCP_EV_WRITABLE)
			assert_true(pmtcp_send_space(ep.conn) >= 65536 / 3);
		ep.events = 0;
	}
	assert_int_equal(left, 0);
	assert_int_equal(rows_info(&ep).unsent, 0);
	assert_true(n_full > 10);
	cell_script(&ep, "~");
	rows_end(&ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_23_push_is_on_the_last_segment_only),
			cmocka_unit_test(open_9_segments_leave_room_for_timestamps),
			cmocka_unit_test(open_9_smaller_peer_mss_is_obeyed),
			cmocka_unit_test(open_9_larger_peer_mss_is_capped),
			cmocka_unit_test(data_22_second_small_send_waits),
			cmocka_unit_test(data_22_nodelay_sends_at_once),
			cmocka_unit_test(data_22_fin_pushes_the_held_tail),
			cmocka_unit_test(data_22_small_tail_of_a_large_send_leaves),
			cmocka_unit_test(data_21_crumb_of_window_waits_for_override),
			cmocka_unit_test(data_21_half_of_the_largest_window_is_enough),
			cmocka_unit_test(data_21_less_than_half_is_not),
			cmocka_unit_test(data_21_all_pushed_data_leaves),
			cmocka_unit_test(data_19_shrunken_window_is_obeyed),
			cmocka_unit_test(data_24_lost_window_update_is_recovered_by_probe),
			cmocka_unit_test(data_24_refused_probe_octet_comes_again),
			cmocka_unit_test(data_2_ack_behind_a_refused_probe_is_acceptable),
			cmocka_unit_test(data_2_ack_behind_a_window_taken_back_is_acceptable),
			cmocka_unit_test(data_2_rounded_window_is_not_taken_back),
			cmocka_unit_test(close_23_fin_is_the_probe_of_a_shut_window),
			cmocka_unit_test(data_25_answered_probes_keep_the_connection),
			cmocka_unit_test(data_25_unanswered_probes_end_the_connection),
			cmocka_unit_test(close_4_fin_follows_the_whole_queue),
			cmocka_unit_test(close_16_closing_sends_the_queue_and_fin),
			cmocka_unit_test(data_30_large_send_completes_through_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
