/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: rows DATA-1 to DATA-30 of doc/requirements.md, as far as test_rfc_data_text,
 * data_ack and data_output do not show them: receiving, acknowledging, windows, timestamps.
 * Method: a script per row (support/cell.h). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/base.h"
#include "base/rng.h"
#include "support/rows.h"

static const struct ep_opts rows_stamped = {.conn = {.no_sack = true, .no_wscale = true}};

/* The peer's clock stands at 1001, ours was never echoed. */
#define REACH_TS                                                                                   \
	"{listen}; > S p ts=1000:0; < SA i= p+1 ts=1000; > A p+1 i+1 ts=1001:0; [ACCEPTED]; .;"    \
	"= EST"

static void
segment(struct ep *ep, uint32_t at, uint32_t len)
{
	struct ep_seg seg = {.flags = "A", .wnd = -1, .mss = -1, .wscale = -1};

	seg.seq = ep->irs + at;
	seg.ack = rows_info(ep).snd_nxt;
	seg.len = len;
	ep_inject(ep, &seg);
}

/* Takes out all that is readable. */
static void
read_all(struct ep *ep)
{
	while (ep_read(ep, 4096) > 0)
		;
	ep->events &= ~(uint32_t)PMTCP_EV_READABLE;
}

/* Nothing is left to say but what nobody asked. */
static void
end_by_abort(struct ep *ep)
{
	ep_abort(ep);
	cell_script(ep, "~");
	ep->events = 0;
	ep->reason = PMTCP_REASON_NONE;
	rows_end(ep);
}

/* The window of 32768 is full; nothing was read. */
static void
begin_full(struct ep *ep, const char *name)
{
	rows_begin(ep, name, &rows_plain, REACH_EST);
	for (uint32_t at = 1; at < 32769; at += 1024)
		segment(ep, at, 1024);
	cell_script(ep, "+50; ~; [READABLE]; ? rcv_nxt p+32769");
}

/* ---- DATA-2 ---- */

/* Urgent data is told of although its text is thrown away; an exact RST still kills
 * (MUST-66), one beside it does not. */
static void
data_2_shut_window_takes_urg_and_rst(void **state)
{
	static struct ep ep;

	(void)state;
	begin_full(&ep, "data_2");
	cell_script(&ep, "> UA p+32769 i+1 len=5 urg=5; [URGENT]; < A i+1 p+32769 wnd=0; .;"
			 "? unread 32768; > R p+32770; .; []; = EST; > R p+32768; .; []; = EST;"
			 "> R p+32769; [CLOSED PEER_RESET]; = CLD");
	rows_end(&ep);
}

/* Old text that ends at RCV.NXT: its ACK is used, one above SND.MAX is not. */
ROW(data_2_ack_at_the_old_edge_is_used, &rows_plain,
		REACH_EST "; > PA p+1 i+1 len=100; [READABLE]; {recv 100}; +42; < A i+1 p+101;"
			  "{send 10}; < PA i+1 p+101 len=10; > A p+51 i+12 len=50;"
			  "< A i+11 p+101; ? snd_una i+1; > A p+50 i+11 len=50; < A i+11 p+101;"
			  "? snd_una i+1; > A p+51 i+11 len=50; < A i+11 p+101; ? snd_una i+11;"
			  "+3s; .; # rexmt_timeout+0")

/* ---- DATA-4 ---- */

ROW(data_4_only_what_is_new_is_used_and_the_fin, &rows_plain,
		REACH_EST "; > A p+1 i+1 len=100; [READABLE]; {recv 100}; +42; < A i+1 p+101;"
			  "> FA p+51 i+1 len=100; [READABLE PEER_FIN]; < A i+1 p+152;"
			  "{recv 200}=50; {recv 1}=0; = CLW")

/* ---- DATA-6, DATA-7 ---- */

/* A thousand orders of twelve overlapping pieces of any length: one stream. */
static void
data_6_any_order_gives_the_stream(void **state)
{
	static struct ep ep;
	struct rng rng;
	uint32_t from[12], len[12], at = 1;

	(void)state;
	rng_seed(&rng, 6);
	rows_begin(&ep, "data_6_orders", &rows_plain, REACH_EST);
	for (int round = 0; round < 1000; round++) {
		uint32_t end = at;

		for (uint32_t i = 0; i < 12; i++) {
			from[i] = end -
				  (uint32_t)rng_below(&rng, end - at < 50 ? end - at + 1 : 50);
			len[i] = end - from[i] + 1 + (uint32_t)rng_below(&rng, 300);
			end = from[i] + len[i];
		}
		for (uint32_t i = 12; i > 0; i--) {
			uint32_t k = (uint32_t)rng_below(&rng, i);

			segment(&ep, from[k], len[k]);
			if (rng_below(&rng, 3) == 0)
				cell_script(&ep, "~");
			from[k] = from[i - 1];
			len[k] = len[i - 1];
		}
		cell_script(&ep, "~");
		assert_int_equal(rows_info(&ep).rcv_nxt - ep.irs, end);
		read_all(&ep); /* compares each octet */
		assert_int_equal(ep.n_read, end - 1);
		at = end;
	}
	cell_script(&ep, "+50; ~");
	rows_end(&ep);
}

/* 64 ranges above the hole; the next one is refused, the text below never is. */
static void
data_6_holes_are_at_most_64(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_6_holes", &rows_plain, REACH_EST);
	/* Four times the buffer is what the packets above holes may weigh. */
	assert_int_equal(pmtcp_set(ep.conn, PMTCP_OPT_RECV_BUFFER, 65535), 0);
	for (uint32_t i = 0; i < 66; i++) {
		segment(&ep, 11 + 20 * i, 10);
		cell_script(&ep, "~");
	}
	assert_int_equal(ep_gained(&ep, PMTCP_C_ooo_queued), 64);
	assert_int_equal(ep_gained(&ep, PMTCP_C_drop_ooo_limit), 2);
	for (uint32_t i = 0; i < 64; i++) {
		segment(&ep, 1 + 20 * i, 10);
		cell_script(&ep, "~");
		assert_int_equal(rows_info(&ep).rcv_nxt - ep.irs, 21 + 20 * i);
	}
	segment(&ep, 1281, 40);
	cell_script(&ep, "~; ? rcv_nxt p+1321");
	read_all(&ep);
	assert_int_equal(ep.n_read, 1320);
	cell_script(&ep, "~");
	rows_end(&ep);
}

/* ---- DATA-9, DATA-10 ---- */

/* Every segment after the SYN carries ACK, the present number and window. */
ROW(data_9_each_segment_carries_the_present_ack, &rows_plain,
		REACH_WIDE "; > PA p+1 i+1 len=10 wnd=65535; [READABLE]; {send 10};"
			   "< PA i+1 p+11 len=10 wnd=32758; > PA p+11 i+1 len=10 wnd=65535;"
			   "[READABLE]; +205; ~; > A p+21 i+11 wnd=65535; {recv 20}; {shutdown};"
			   "< FA i+11 p+21 wnd=32748; > PA p+21 i+11 len=10 wnd=65535; [READABLE];"
			   "+42; < A i+12 p+31 wnd=32738; {recv 10}; {abort}; < RA i+12 p+31;"
			   "[CLOSED LOCAL_ABORT]")
ROW(data_9_null_segment_changes_nothing, &rows_plain,
		REACH_EST "; > - p+1 len=5; > P p+1 len=5; > FP p+1; > U p+1 len=1 urg=1; .; [];"
			  "? rcv_nxt p+1; ? unread 0; = EST; # drop_no_ack+4")
/* TSval across 2^32 is newer, not older. */
ROW(data_10_timestamps_wrap, &rows_stamped,
		"{listen}; > S p ts=4294967290:0; < SA i= p+1 ts=4294967290;"
		"> A p+1 i+1 ts=4294967295:0; [ACCEPTED]; > PA p+1 i+1 len=10 ts=3:0; [READABLE];"
		"+42; < A i+1 p+11 ts=3; > PA p+11 i+1 len=10 ts=4294967295:0;"
		"< A i+1 p+11 ts=3; []; {recv 10}; # drop_paws")

/* ---- DATA-11 ---- */

static const struct ep_opts delack_1 = {.conn = {.no_timestamps = true,
							.no_sack = true,
							.no_wscale = true,
							.delack_ms = 1}};
static const struct ep_opts delack_200 = {.conn = {.no_timestamps = true,
							  .no_sack = true,
							  .no_wscale = true,
							  .delack_ms = 200}};

#define ONE_SMALL REACH_EST "; > PA p+1 i+1 len=10; [READABLE]; {recv 10}"

ROW(data_11_ack_comes_at_40_ms, &rows_plain,
		ONE_SMALL "; +39; .; +2; < A i+1 p+11; +10s; .; # ack_delayed")
ROW(data_11_delay_of_1_ms, &delack_1, ONE_SMALL "; .; +3; < A i+1 p+11; +10s; .; # ack_delayed")
ROW(data_11_delay_of_200_ms, &delack_200,
		ONE_SMALL "; +199; .; +2; < A i+1 p+11; +10s; .; # ack_delayed")

/* MUST-40: below half a second, whatever is asked for. */
static void
data_11_longer_delays_are_refused(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_11_range", &rows_plain, REACH_EST);
	assert_int_equal(pmtcp_set(ep.conn, PMTCP_OPT_DELACK_MS, 201), -EINVAL);
	assert_int_equal(pmtcp_set(ep.conn, PMTCP_OPT_DELACK_MS, 200), 0);
	assert_int_equal(pmtcp_set(ep.conn, PMTCP_OPT_DELACK_MS, 1), 0);
	rows_end(&ep);
}

/* A second small segment does not put it off. */
ROW(data_11_more_text_does_not_postpone, &rows_plain,
		ONE_SMALL "; +30; > PA p+11 i+1 len=10; [READABLE]; {recv 10}; +9; .; +2;"
			  "< A i+1 p+21; +10s; .; # ack_delayed")

/* ---- DATA-13 ---- */

ROW(data_13_fin_is_acked_at_once, &rows_plain,
		REACH_EST "; > FA p+1 i+1; < A i+1 p+2; [PEER_FIN]; # ack_delayed+0")
ROW(data_13_paws_reject_is_acked_at_once, &rows_stamped,
		REACH_TS "; > PA p+1 i+1 len=10 ts=999:0; < A i+1 p+1 ts=1001; []; # ack_delayed+0")

/* Eight full segments are acknowledged at once, the ninth waits for the tenth. */
static void
data_13_first_eight_full_segments_are_acked_at_once(void **state)
{
	static struct ep ep;
	uint32_t n_acks = 0;

	(void)state;
	rows_begin(&ep, "data_13_quick", &rows_plain, REACH_EST);
	for (uint32_t i = 0; i < 10; i++) {
		segment(&ep, 1 + 1460 * i, 1460);
		ep_turn(&ep);
		while (ep_take(&ep) != NULL)
			n_acks++;
		assert_int_equal(n_acks, i < 8 ? i + 1 : i == 8 ? 8 : 9);
		read_all(&ep);
	}
	rows_end(&ep);
}

/* The window was small and opens by a segment: told at once (DATA-20 by less). */
static void
data_13_window_opened_by_a_step_is_told_at_once(void **state)
{
	static struct ep ep;

	(void)state;
	begin_full(&ep, "data_13_window");
	cell_script(&ep, "{recv 1459}; .; {recv 1}; < A i+1 p+32769 wnd=1460; .; {recv 1460};"
			 "< A i+1 p+32769 wnd=2920; .; > PA p+32769 i+1 len=1; [READABLE]; +42;"
			 "< A i+1 p+32770 wnd=2919");
	end_by_abort(&ep);
}

/* A SYN cannot tell of more than 65535, and the buffer has more: a request that was read before
 * the answer is ready costs no ACK of its own. */
static void
data_13_first_request_read_is_no_step(void **state)
{
	static const struct ep_opts opts = {.conn = {.no_timestamps = true, .no_sack = true}};
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_13_request", &opts, "");
	ep.conn_opts.recv_buffer = 1 << 18;
	cell_script(&ep, "{listen}; > S p ws=3; < SA i= p+1 wnd=65535; > A p+1 i+1 wnd=1000;"
			 "[ACCEPTED]; > PA p+1 i+1 len=64 wnd=1000; [READABLE]; {recv 64}; .; +5;"
			 "{send 64}; < PA i+1 p+65 len=64; > A p+65 i+65 wnd=1000; +50; .");
	end_by_abort(&ep);
}

/* A probe of the shut window is answered at once, and never throttled. */
static void
data_13_window_probe_is_answered_at_once(void **state)
{
	static struct ep ep;

	(void)state;
	begin_full(&ep, "data_13_probe");
	for (int i = 0; i < 5; i++)
		cell_script(&ep, "> A p+32769 i+1 len=1; < A i+1 p+32769 wnd=0; .");
	end_by_abort(&ep);
}

/* ---- DATA-14, DATA-15, DATA-16 ---- */

/* The largest window ever offered was 8192: UNA - 8192 is taken, one below is not. */
ROW(data_14_below_the_range_is_discarded_with_its_text, &rows_plain,
		REACH_EST "; > PA p+1 i-8191 len=10; [READABLE]; {recv 10}; +42; < A i+1 p+11;"
			  "> PA p+11 i-8192 len=10; []; < A i+1 p+11; ? rcv_nxt p+11;"
			  "? snd_una i+1; # drop_ack challenge_sent")

#define SENT_3                                                                                     \
	REACH_EST "; {send 4380}; < A i+1 p+1 len=1460; < A i+1461 p+1 len=1460;"                  \
		  "< PA i+2921 p+1 len=1460; ."

/* Repeated FINs are ACKs of the same number, and no sign of loss. */
ROW(data_15_fins_do_not_count, &rows_plain,
		SENT_3 "; > FA p+1 i+1; [PEER_FIN]; ~; > FA p+1 i+1; ~; > FA p+1 i+1; ~;"
		       "> FA p+1 i+1; ~; # dup_ack_received+0 rexmt_fast+0; > A p+2 i+4381; .")
/* Nor are SYNs (SEC-2). */
ROW(data_15_syns_do_not_count, &rows_plain,
		SENT_3 "; > SA p i+1 wnd=8192; ~; > SA p i+1 wnd=8192; ~; > SA p i+1 wnd=8192; ~;"
		       "# dup_ack_received+0 rexmt_fast+0; > A p+1 i+4381; .")
/* Plain ones do, and the third resends. */
ROW(data_15_plain_duplicates_count, &rows_plain,
		SENT_3 "; > A p+1 i+1; > A p+1 i+1; .; # dup_ack_received+2; > A p+1 i+1;"
		       "< A i+1 p+1 len=1460; .; # dup_ack_received+3 rexmt_fast;"
		       "> A p+1 i+4381; .")

static const struct ep_opts rows_scaled = {.conn = {.no_timestamps = true, .no_sack = true}};

/* MUST-1: 65535 << 14 is a window like any. */
ROW(data_16_largest_window, &rows_scaled,
		"{listen}; > S p ws=14; < SA i= p+1; > A p+1 i+1 wnd=65535; [ACCEPTED];"
		"? snd_wnd 1073725440; {send 1460}; < PA i+1 p+1 len=1460;"
		"> A p+1 i+1461 wnd=65535; .; ? snd_wnd 1073725440")
/* The same SEQ and a newer ACK; a newer SEQ and an older ACK. */
ROW(data_16_newer_of_seq_or_ack_sets_the_window, &rows_plain,
		SENT_3 "; > A p+1 i+1461 wnd=7000; .; ? snd_wnd 7000; > PA p+1 i+1 len=10 wnd=6000;"
		       "[READABLE]; {recv 10}; +42; ~; > A p+11 i+2921 wnd=5000; .;"
		       "? snd_wnd 5000; > A p+11 i+2921 wnd=4000; .; ? snd_wnd 4000;"
		       "> A p+11 i+1461 wnd=3000; .; ? snd_wnd 4000; > A p+11 i+4381; .")

/* ---- DATA-17, DATA-18 ---- */

/* A scale option outside of a SYN changes neither direction. */
ROW(data_17_shift_is_that_of_the_syns, &rows_scaled,
		"{listen}; > S p ws=3; < SA i= p+1; > A p+1 i+1 wnd=1000; [ACCEPTED];"
		"? snd_wnd 8000; > A p+1 i+1 wnd=2000 ws=7; .; ? snd_wnd 16000")

/* The buffer shrinks below what was offered: all of that is taken all the same. */
static void
data_18_offered_window_is_taken_whatever_the_buffer(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_18_offered", &rows_plain, REACH_EST);
	assert_int_equal(pmtcp_set(ep.conn, PMTCP_OPT_RECV_BUFFER, 2048), 0);
	for (uint32_t at = 1; at < 32769; at += 1024)
		segment(&ep, at, 1024);
	cell_script(&ep, "+50; ~; [READABLE]; ? rcv_nxt p+32769; ? unread 32768");
	read_all(&ep);
	assert_int_equal(ep.n_read, 32768);
	cell_script(&ep, "< A i+1 p+32769 wnd=2048; .");
	rows_end(&ep);
}

/* ---- DATA-19 ---- */

/* Shut from under three segments: nothing is sent beyond it but a probe, which is no loss;
 * open again, what the peer did not take comes again. */
ROW(data_19_window_shut_under_the_flight_is_probed, &rows_plain,
		SENT_3
		"; > A p+1 i+1461 wnd=0; .; +205; < A i+1461 p+1 len=1; .;"
		"> A p+1 i+1461 wnd=0; .; +405; < A i+1461 p+1 len=1; .; > A p+1 i+1461 wnd=8192;"
		"~; +205; ~; > A p+1 i+4381; .; ? unacked 0; ? unsent 0; = EST")

static const struct ep_opts rows_sack = {.conn = {.no_timestamps = true, .no_wscale = true}};

ROW(data_19_window_shut_under_the_flight_is_probed_with_sack, &rows_sack,
		"{open}; < S i= 0; > SA p i+1 wnd=8192 sackok; < A i+1 p+1; [CONNECTED];"
		"{send 4380}; ~; > A p+1 i+1461 wnd=0; .; +215; < A i+1461 p+1 len=1; .;"
		"> A p+1 i+1461 wnd=0; .; +405; < A i+1461 p+1 len=1; .; > A p+1 i+1461 wnd=8192;"
		"~; +205; ~; > A p+1 i+4381; .; ? unacked 0; ? unsent 0; = EST")

/* ---- DATA-24 ---- */

/* Doubling from the RTO of 200 ms, for as long as nothing opens. */
ROW(data_24_probes_double, &rows_plain,
		REACH_EST "; > A p+1 i+1 wnd=0; .; {send 10}; .; +195; .; +10; < A i+1 p+1 len=1;"
			  "> A p+1 i+1 wnd=0; +390; .; +10; < A i+1 p+1 len=1; > A p+1 i+1 wnd=0;"
			  "+785; .; +20; < A i+1 p+1 len=1; > A p+1 i+1 wnd=0; +1575; .; +30;"
			  "< A i+1 p+1 len=1; > A p+1 i+1 wnd=8192; < A i+1 p+1 len=1;"
			  "> A p+1 i+2; < PA i+2 p+1 len=9; > A p+1 i+11; .; # probe_sent+4;"
			  "? unacked 0")

/* ---- DATA-26, DATA-27, DATA-28 ---- */

ROW(data_26_each_segment_has_the_option, &rows_stamped,
		REACH_TS "; {send 10}; < PA i+1 p+1 len=10 ts=1001; > PA p+1 i+11 len=10 ts=1002:0;"
			 "[READABLE]; {recv 10}; +42; < A i+11 p+11 ts=1002; {shutdown};"
			 "< FA i+11 p+11 ts=1002; +205; < FA i+11 p+11 ts=1002; > R p+11;"
			 "[CLOSED PEER_RESET]")
ROW(data_26_out_of_order_one_is_not_echoed, &rows_stamped,
		REACH_TS
		"; > A p+11 i+1 len=10 ts=2000:0; < A i+1 p+1 ts=1001;"
		"> A p+1 i+1 len=10 ts=1500:0; [READABLE]; < A i+1 p+21 ts=1500; {recv 20}")
ROW(data_26_delayed_ack_echoes_the_earliest, &rows_stamped,
		REACH_TS "; > PA p+1 i+1 len=10 ts=1100:0; [READABLE]; +10;"
			 "> PA p+11 i+1 len=10 ts=1110:0; [READABLE]; +42; < A i+1 p+21 ts=1100;"
			 "{recv 20}")
/* 0 is a time like any other, in either field. */
ROW(data_26_value_0_is_a_value, &rows_stamped,
		"{listen}; > S p ts=0:0; < SA i= p+1 ts=0; > A p+1 i+1 ts=0:0; [ACCEPTED];"
		"> PA p+1 i+1 len=10 ts=0:0; [READABLE]; +42; < A i+1 p+11 ts=0;"
		"> PA p+11 i+1 len=10 ts=4294967295:0; < A i+1 p+11 ts=0; []; # drop_paws;"
		"> PA p+11 i+1 len=10 ts=1:0; [READABLE]; +42; < A i+1 p+21 ts=1; {recv 20}")

/* Our clock: a millisecond, and another start for each tuple. */
static void
data_26_clock_is_a_millisecond_and_hidden(void **state)
{
	static struct ep ep;
	uint32_t first[2], began[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct ep_seg seg = {.flags = "S",
				.seq = 1000,
				.wnd = -1,
				.mss = 1460,
				.wscale = -1,
				.has_ts = true,
				.tsval = 7};

		rows_begin(&ep, "data_26_clock", &rows_stamped, "{listen}");
		seg.seq = ep.irs;
		ep_inject(&ep, &seg);
		ep_turn(&ep);
		first[i] = ep_take(&ep)->tsval;
		began[i] = (uint32_t)(ep.taken_ns / EP_MS);
		ep_advance(&ep, 1050 * EP_MS);
		assert_non_null(ep_take(&ep));
		assert_int_equal(ep.taken.tsval - first[i],
				(uint32_t)(ep.taken_ns / EP_MS) - began[i]);
		ep_drop(&ep);
	}
	/* Two runs with one key and tuple agree; tests/rfc/test_rfc_secrets.c has other keys. */
	assert_int_equal(first[0], first[1]);
	assert_int_not_equal(first[0], began[0]);
}

/* Before the sequence test, and within the throttle. */
ROW(data_27_comes_before_the_sequence_test, &rows_stamped,
		REACH_TS "; > PA p+100001 i+1 len=10 ts=1000:0; < A i+1 p+1 ts=1001;"
			 "> PA p+1 i+1 len=10 ts=1000:0; .; []; # drop_paws+2 drop_seq+0 "
			 "challenge_sent challenge_throttled")
ROW(data_27_equal_timestamp_is_fresh, &rows_stamped,
		REACH_TS "; > PA p+1 i+1 len=10 ts=1001:0; [READABLE]; {recv 10}; +42;"
			 "< A i+1 p+11 ts=1001; # drop_paws+0")
/* Still after 23 days. */
ROW(data_27_after_23_idle_days_it_is_judged, &rows_stamped,
		REACH_TS "; +1987200s; > PA p+1 i+1 len=10 ts=900:0; []; < A i+1 p+1 ts=1001;"
			 "# drop_paws")
/* A RST is not judged, an old ACK moves nothing. */
ROW(data_27_old_ack_moves_nothing, &rows_stamped,
		REACH_TS "; {send 10}; < PA i+1 p+1 len=10 ts=1001; > A p+1 i+11 ts=1000:0;"
			 "< A i+11 p+1 ts=1001; ? snd_una i+1; > A p+1 i+11 ts=1002:0; .;"
			 "? snd_una i+11")

static void
tune_lenient(struct pmtcp_conf *conf)
{
	conf->ts_lenient = true;
}

static const struct ep_opts rows_lenient = {
		.tune = tune_lenient, .conn = {.no_sack = true, .no_wscale = true}};

/* DEC-10: where asked to, and on the third ACK always. */
ROW(data_28_dec_10_missing_is_taken_where_asked_to, &rows_lenient,
		REACH_TS "; > PA p+1 i+1 len=10; [READABLE]; {recv 10}; +42; < A i+1 p+11 ts=1001")
ROW(data_28_dec_10_missing_on_the_third_ack_is_taken, &rows_stamped,
		"{listen}; > S p ts=1000:0; < SA i= p+1 ts=1000; > PA p+1 i+1 len=10;"
		"[ACCEPTED READABLE]; {recv 10}; +42; < A i+1 p+11 ts=1000;"
		"> PA p+11 i+1 len=10; .; []; # drop_no_ts; = EST")
/* TSecr of the future, of the past, and 0: no sample, no RST. */
static void
data_28_absurd_echo_is_no_sample(void **state)
{
	static const uint32_t echoes[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff};
	static struct ep ep;

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(echoes); i++) {
		struct ep_seg seg = {.flags = "A", .wnd = -1, .mss = -1, .wscale = -1};
		uint32_t srtt;

		rows_begin(&ep, "data_28_absurd", &rows_stamped,
				REACH_TS "; {send 10}; < PA i+1 p+1 len=10 ts=1001");
		srtt = rows_info(&ep).srtt_us;
		seg.seq = ep.irs + 1;
		seg.ack = ep.iss + 11;
		seg.has_ts = true;
		seg.tsval = 1002;
		seg.tsecr = ep.taken.tsval + (echoes[i] ? echoes[i] : 0u - ep.taken.tsval);
		ep_inject(&ep, &seg);
		cell_script(&ep, ".; ? snd_una i+11; = EST");
		assert_true(rows_info(&ep).srtt_us <= srtt + 1000);
		rows_end(&ep);
	}
}

/* ---- DATA-30 ---- */

/* The buffer is full: E_AGAIN, a third free: the event; no octet is no error. */
static void
data_30_full_buffer_says_so_and_when_not(void **state)
{
	static const struct ep_opts opts = {.conn = {.no_timestamps = true,
							    .no_sack = true,
							    .no_wscale = true,
							    .send_buffer = 3000}};
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_30_full", &opts,
			"{open}; < S i= 0; > SA p i+1 wnd=100; < A i+1 p+1; [CONNECTED]; {send "
			"0}=0;"
			"{send 2000}; {send 2000}=1000; {send 1}=-EAGAIN; {send 0}=0; ~; []");
	for (uint32_t acked = 100; acked <= 1100; acked += 100) {
		struct ep_seg seg = {.flags = "A", .wnd = 100, .mss = -1, .wscale = -1};

		seg.seq = ep.irs + 1;
		seg.ack = rows_info(&ep).snd_nxt;
		ep_inject(&ep, &seg);
		cell_script(&ep, "~");
		/* At least a third, 1000 octets. */
		assert_int_equal(!!(ep.events & PMTCP_EV_WRITABLE),
				pmtcp_send_space(ep.conn) >= 1000);
		ep_advance(&ep, 250 * EP_MS);
		cell_script(&ep, "~");
	}
	assert_true(ep.events & PMTCP_EV_WRITABLE);
	end_by_abort(&ep);
}

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			T(data_2_shut_window_takes_urg_and_rst),
			T(data_2_ack_at_the_old_edge_is_used),
			T(data_4_only_what_is_new_is_used_and_the_fin),
			T(data_6_any_order_gives_the_stream),
			T(data_6_holes_are_at_most_64),
			T(data_9_each_segment_carries_the_present_ack),
			T(data_9_null_segment_changes_nothing),
			T(data_10_timestamps_wrap),
			T(data_11_ack_comes_at_40_ms),
			T(data_11_delay_of_1_ms),
			T(data_11_delay_of_200_ms),
			T(data_11_longer_delays_are_refused),
			T(data_11_more_text_does_not_postpone),
			T(data_13_fin_is_acked_at_once),
			T(data_13_paws_reject_is_acked_at_once),
			T(data_13_first_eight_full_segments_are_acked_at_once),
			T(data_13_window_opened_by_a_step_is_told_at_once),
			T(data_13_first_request_read_is_no_step),
			T(data_13_window_probe_is_answered_at_once),
			T(data_14_below_the_range_is_discarded_with_its_text),
			T(data_15_fins_do_not_count),
			T(data_15_syns_do_not_count),
			T(data_15_plain_duplicates_count),
			T(data_16_largest_window),
			T(data_16_newer_of_seq_or_ack_sets_the_window),
			T(data_17_shift_is_that_of_the_syns),
			T(data_18_offered_window_is_taken_whatever_the_buffer),
			T(data_19_window_shut_under_the_flight_is_probed),
			T(data_19_window_shut_under_the_flight_is_probed_with_sack),
			T(data_24_probes_double),
			T(data_26_each_segment_has_the_option),
			T(data_26_out_of_order_one_is_not_echoed),
			T(data_26_delayed_ack_echoes_the_earliest),
			T(data_26_value_0_is_a_value),
			T(data_26_clock_is_a_millisecond_and_hidden),
			T(data_27_comes_before_the_sequence_test),
			T(data_27_equal_timestamp_is_fresh),
			T(data_27_after_23_idle_days_it_is_judged),
			T(data_27_old_ack_moves_nothing),
			T(data_28_dec_10_missing_is_taken_where_asked_to),
			T(data_28_dec_10_missing_on_the_third_ack_is_taken),
			T(data_28_absurd_echo_is_no_sample),
			T(data_30_full_buffer_says_so_and_when_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
