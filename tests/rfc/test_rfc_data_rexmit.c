/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: loss recovery as the wire shows it (RFC 6298, 5681, 3042, 6582; DATA-31 to
 * DATA-35). Method: scripts against a peer that acknowledges what the script says. The
 * round trip of the harness is microseconds, so the RTO is its floor of 200 ms. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/rows.h"

/* Ten full segments, the initial window, and what is left of 20000 octets unsent. */
#define SENT_IW                                                                                    \
	REACH_WIDE "; {send 20000}; < A i+1 p+1 len=1460; < A i+1461 p+1 len=1460;"                \
		   "< A i+2921 p+1 len=1460; < A i+4381 p+1 len=1460; < A i+5841 p+1 len=1460;"    \
		   "< A i+7301 p+1 len=1460; < A i+8761 p+1 len=1460; < A i+10221 p+1 len=1460;"   \
		   "< A i+11681 p+1 len=1460; < A i+13141 p+1 len=1460; ."
/* The first of them lost, the duplicate ACKs one by one. */
#define DUP1 "> A p+1 i+1 wnd=65535; < A i+14601 p+1 len=1460; ."
#define DUP2 "> A p+1 i+1 wnd=65535; < A i+16061 p+1 len=1460; ."
#define DUP3 "> A p+1 i+1 wnd=65535; < A i+1 p+1 len=1460; ."

/* Where the numbers are NewReno's. */
static const struct ep_opts rows_newreno = {.tune = rows_tune_no_blackhole,
		.conn = {.no_timestamps = true,
				.no_sack = true,
				.no_wscale = true,
				.cc = PMTCP_CC_NEWRENO}};

/* Three segments, all in flight. */
#define SENT_3                                                                                     \
	REACH_WIDE "; {send 4380}; < A i+1 p+1 len=1460; < A i+1461 p+1 len=1460;"                 \
		   "< PA i+2921 p+1 len=1460; ."

ROW(data_33_timeout_resends_first_and_doubles, &rows_no_blackhole,
		SENT_3 "; +195; .; +10; < A i+1 p+1 len=1460; .; +385; .; +20;"
		       "< A i+1 p+1 len=1460; .; +770; .; +40; < A i+1 p+1 len=1460; .;"
		       "+1550; .; +60; < A i+1 p+1 len=1460; .; # rexmt_timeout+4 retransmitted+4;"
		       "> A p+1 i+4381 wnd=65535; [ERROR TIMEOUT_RTX]; .")

/* DATA-33: in slow start from one segment; the rest is sent again as it opens. */
ROW(data_33_ack_after_timeout_opens_slow_start, &rows_plain,
		SENT_3 "; +205; < A i+1 p+1 len=1460; .; > A p+1 i+1461 wnd=65535;"
		       "< A i+1461 p+1 len=1460; < PA i+2921 p+1 len=1460; .;"
		       "> A p+1 i+4381 wnd=65535; .; ? unacked 0; # rexmt_timeout")

/* DATA-33: the peer had all but the first: what it acknowledges is not sent again. */
ROW(data_33_ack_of_all_after_timeout_sends_nothing, &rows_plain,
		SENT_3 "; +205; < A i+1 p+1 len=1460; .; > A p+1 i+4381 wnd=65535; .;"
		       "# retransmitted")

ROW(data_32_timer_stops_when_all_is_acked, &rows_plain,
		SENT_3 "; > A p+1 i+4381 wnd=65535; .; +10s; .; # rexmt_timeout+0")

/* DATA-32: an ACK of new data starts the timer anew. */
ROW(data_32_timer_restarts_on_new_ack, &rows_plain,
		SENT_3 "; +150; > A p+1 i+1461 wnd=65535; .; +195; .; +10;"
		       "< A i+1461 p+1 len=1460; .; > A p+1 i+4381 wnd=65535; .")

/* DATA-32: one that acknowledges nothing new does not. */
ROW(data_32_timer_goes_on_at_old_ack, &rows_plain,
		SENT_3 "; +150; > A p+1 i+1 wnd=65535; .; +55; < A i+1 p+1 len=1460; .;"
		       "> A p+1 i+4381 wnd=65535; .")

/* DATA-32: and neither does sending more. */
ROW(data_32_timer_goes_on_at_new_data, &rows_plain,
		SENT_3 "; +150; {send 1460}; < PA i+4381 p+1 len=1460; +55;"
		       "< A i+1 p+1 len=1460; .; > A p+1 i+5841 wnd=65535; .")

ROW(data_8_ack_of_last_covers_the_lost_acks, &rows_plain,
		SENT_IW "; > A p+1 i+14601 wnd=65535; < A i+14601 p+1 len=1460;"
			"< A i+16061 p+1 len=1460; < A i+17521 p+1 len=1460;"
			"< PA i+18981 p+1 len=1020; .; > A p+1 i+20001 wnd=65535; .; +10s; .;"
			"# retransmitted+0")

ROW(data_35_limited_transmit_on_first_two_duplicates, &rows_plain,
		SENT_IW ";" DUP1 ";" DUP2 "; # dup_ack_received+2 rexmt_fast+0;"
			"> A p+1 i+17521 wnd=65535; ~; > A p+1 i+20001 wnd=65535; .;"
			"# retransmitted+0")

ROW(data_35_third_duplicate_resends_first, &rows_plain,
		SENT_IW ";" DUP1 ";" DUP2 ";" DUP3 "; # rexmt_fast retransmitted rexmt_timeout+0;"
			"> A p+1 i+17521 wnd=65535; ~; > A p+1 i+20001 wnd=65535; .;"
			"# retransmitted rexmt_timeout+0")

/* DATA-35: three duplicates in one burst are three duplicates. */
ROW(data_35_duplicates_of_one_burst_count, &rows_plain,
		SENT_IW "; > A p+1 i+1 wnd=65535; > A p+1 i+1 wnd=65535; > A p+1 i+1 wnd=65535;"
			"< A i+1 p+1 len=1460; ~; # dup_ack_received+3 rexmt_fast;"
			"> A p+1 i+20001 wnd=65535; ~; > A p+1 i+20001 wnd=65535; .")

/* RFC 6582: each partial ACK uncovers the next hole; it is sent at once, no timeout. */
ROW(data_35_partial_ack_resends_next_hole, &rows_plain,
		SENT_IW
		";" DUP1 ";" DUP2 ";" DUP3 ";"
		"> A p+1 i+2921 wnd=65535; < A i+2921 p+1 len=1460; ~;"
		"> A p+1 i+5841 wnd=65535; < A i+5841 p+1 len=1460; ~;"
		"> A p+1 i+20001 wnd=65535; ~; # retransmitted+3 rexmt_timeout+0 rexmt_fast")

/* DATA-35: duplicates that our own retransmissions provoke start nothing again. */
ROW(data_35_duplicates_below_recover_do_not_enter_again, &rows_plain,
		SENT_3 "; +205; < A i+1 p+1 len=1460; .; > A p+1 i+1461 wnd=65535;"
		       "< A i+1461 p+1 len=1460; < PA i+2921 p+1 len=1460; .;"
		       "> A p+1 i+1461 wnd=65535; .; > A p+1 i+1461 wnd=65535; .;"
		       "> A p+1 i+1461 wnd=65535; .; # rexmt_fast+0; > A p+1 i+4381 wnd=65535; .")

/* DATA-34. */
ROW(data_34_r1_tells_and_r2_ends_with_one_rst, &rows_plain,
		REACH_WIDE "; {retries 4}; {send 10}; < PA i+1 p+1 len=10; +205;"
			   "< PA i+1 p+1 len=10; +405; < PA i+1 p+1 len=10; []; +805;"
			   "< PA i+1 p+1 len=10; [ERROR TIMEOUT_RTX]; +1605;"
			   "< PA i+1 p+1 len=10; []; +3150; .; []; +100; < RA i+11 p+1;"
			   "[CLOSED TIMEOUT_RTX]; +10s; .; # rst_sent rexmt_timeout+4")

/* DATA-34: an ACK of new data in between starts the count anew; the backed-off RTO stays
 * until something sent once is acknowledged (Karn, RFC 6298 section 5). */
ROW(data_34_progress_resets_the_count, &rows_plain,
		REACH_WIDE "; {retries 4}; {send 10}; < PA i+1 p+1 len=10; +2s; ~;"
			   "[ERROR TIMEOUT_RTX]; > A p+1 i+11 wnd=65535; .; {send 10};"
			   "< PA i+11 p+1 len=10; +1595; .; +10; < PA i+11 p+1 len=10;"
			   "+3205; < PA i+11 p+1 len=10; []; > A p+1 i+21 wnd=65535; .; = EST")

/* DATA-45: the FIN is behind the tail and goes with it, whatever carried it first. */
ROW(data_45_fin_rides_on_the_resent_tail, &rows_plain,
		REACH_WIDE "; {send 10}; < PA i+1 p+1 len=10; {shutdown}; < FA i+11 p+1;"
			   "+205; < PFA i+1 p+1 len=10; .; > A p+1 i+12; .; = FW2;"
			   "# fin_retransmitted")

/* CLOSE-43, CLOSE-19: text acknowledged, the FIN alone lost. */
ROW(close_43_lost_fin_is_resent_alone, &rows_plain,
		REACH_WIDE "; {send 10}; {shutdown}; < PFA i+1 p+1 len=10; > A p+1 i+11; .; = FW1;"
			   "+205; < FA i+11 p+1; .; > A p+1 i+12; .; = FW2")

/* CLOSE-19. */
ROW(close_19_fin_is_repeated_with_back_off, &rows_plain,
		REACH_WIDE
		"; {shutdown}; < FA i+1 p+1; +195; .; +10; < FA i+1 p+1; .; +385; .; +20;"
		"< FA i+1 p+1; .; +775; .; +40; < FA i+1 p+1; .; > A p+1 i+2; .; = FW2;"
		"[ERROR TIMEOUT_RTX]; # fin_retransmitted+3")

/* OPEN-12: the times of the SYN, then the event. */
ROW(open_12_syn_is_repeated_at_1_3_7_15_31_63_123_s, &rows_plain,
		"{open}; < S i= 0; +997; .; +10; < S i+0 0; .; +1988; .; +10; < S i+0 0; .;"
		"+3990; .; +10; < S i+0 0; .; +7990; .; +10; < S i+0 0; .; +15990; .; +10; < S i+0 "
		"0;"
		".; +31990; .; +10; < S i+0 0; .; +59990; .; +10; < S i+0 0; .; []; = SYS;"
		"+57s; .; []; +3s; .; [CLOSED TIMEOUT_SYN]; = CLD; # syn_retransmitted+7")

/* OPEN-13: after a lost SYN the first RTO is 3 s, since no sample is safe. */
ROW(open_13_rto_is_3_s_after_a_lost_syn, &rows_plain,
		"{open}; < S i= 0; +1005; < S i+0 0; > SA p i+1 wnd=65535; < A i+1 p+1; "
		"[CONNECTED];"
		"{send 10}; < PA i+1 p+1 len=10; +2990; .; +20; < PA i+1 p+1 len=10; .;"
		"> A p+1 i+11 wnd=65535; .")

/* OPEN-13: two timeouts of the SYN: the first flight is one segment. */
ROW(open_13_first_flight_is_one_segment_after_two_lost_syns, &rows_plain,
		"{open}; < S i= 0; +3100; < S i+0 0; < S i+0 0; > SA p i+1 wnd=65535; < A i+1 p+1;"
		"[CONNECTED]; {send 5000}; < A i+1 p+1 len=1460; .; > A p+1 i+1461 wnd=65535;"
		"< A i+1461 p+1 len=1460; < A i+2921 p+1 len=1460; .; > A p+1 i+4381 wnd=65535;"
		"< PA i+4381 p+1 len=620; > A p+1 i+5001 wnd=65535; .")

ROW(open_13_first_flight_is_full_after_one_lost_syn, &rows_plain,
		"{open}; < S i= 0; +1005; < S i+0 0; > SA p i+1 wnd=65535; < A i+1 p+1;"
		"[CONNECTED]; {send 2920}; < A i+1 p+1 len=1460; < PA i+1461 p+1 len=1460; .;"
		"> A p+1 i+2921 wnd=65535; .")

/* OPEN-14: 1 + 5 SYN-ACKs, then the half-open goes without a word. */
ROW(open_14_syn_ack_is_repeated_five_times, &rows_plain,
		"{listen}; > S p; < SA i= p+1; +1005; < SA i+0 p+1; .; +2005; < SA i+0 p+1; .;"
		"+4005; < SA i+0 p+1; .; +8005; < SA i+0 p+1; .; +16005; < SA i+0 p+1; .; = SYR;"
		"+32s; .; []; = LIS; # synack_retransmitted+5 half_open_timeout")

/* The peer acknowledges all it is sent until nothing is left. */
static void
drain(struct ep *ep)
{
	struct ep_seg seg = {.flags = "A", .wnd = 65535, .mss = -1, .wscale = -1};
	struct pmtcp_conn_info info = rows_info(ep);

	for (int i = 0; i < 100 && info.unacked + info.unsent > 0; i++) {
		cell_script(ep, "~");
		seg.seq = info.rcv_nxt;
		seg.ack = info.snd_nxt;
		ep_inject(ep, &seg);
		cell_script(ep, "~");
		info = rows_info(ep);
	}
	assert_int_equal(info.unacked + info.unsent, 0);
}

/* DATA-33: the loss halves the flight, never the unused window; a second timeout of the
 * same segment is the same loss. */
static void
data_33_timeout_sets_threshold_once(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_33_threshold", &rows_newreno, SENT_IW "; +205; ~");
	assert_int_equal(rows_info(&ep).cwnd, 1460);
	assert_int_equal(rows_info(&ep).ssthresh, 7300);
	cell_script(&ep, "+405; ~");
	assert_int_equal(rows_info(&ep).cwnd, 1460);
	assert_int_equal(rows_info(&ep).ssthresh, 7300);
	drain(&ep);
	rows_end(&ep);
}

/* DEC-13: CUBIC by default, NewReno by option, from one loss to the next. */
static void
dec_13_cubic_is_the_default_and_newreno_can_be_chosen(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "dec_13_default", &rows_plain, SENT_IW ";" DUP1 ";" DUP2 ";" DUP3);
	assert_int_equal(rows_info(&ep).ssthresh, 10220);
	drain(&ep);
	rows_end(&ep);
	rows_begin(&ep, "dec_13_option", &rows_plain, SENT_IW);
	assert_int_equal(pmtcp_set(ep.conn, PMTCP_OPT_CC, PMTCP_CC_NEWRENO), 0);
	cell_script(&ep, DUP1 ";" DUP2 ";" DUP3);
	assert_int_equal(rows_info(&ep).ssthresh, 7300);
	drain(&ep);
	rows_end(&ep);
}

/* DATA-35, RFC 5681 3.2 step 2: what limited transmit sent does not count as flight. */
static void
data_35_threshold_excludes_limited_transmit(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_35_threshold", &rows_newreno, SENT_IW ";" DUP1 ";" DUP2 ";" DUP3);
	assert_int_equal(rows_info(&ep).ssthresh, 7300);
	assert_int_equal(rows_info(&ep).cwnd, 7300 + 3 * 1460);
	cell_script(&ep, "> A p+1 i+17521 wnd=65535; ~; > A p+1 i+20001 wnd=65535; .");
	rows_end(&ep);
}

/* DATA-35: the window is deflated when recovery ends (RFC 6582 3.2 step 3). */
static void
data_35_full_ack_deflates(void **state)
{
	static struct ep ep;
	uint32_t cwnd;

	(void)state;
	rows_begin(&ep, "data_35_deflate", &rows_plain, SENT_IW ";" DUP1 ";" DUP2 ";" DUP3);
	cell_script(&ep, "> A p+1 i+1 wnd=65535; > A p+1 i+1 wnd=65535; ~");
	assert_int_equal(rows_info(&ep).unsent, 2480);
	cell_script(&ep, "> A p+1 i+17521 wnd=65535; ~");
	cwnd = rows_info(&ep).cwnd;
	assert_true(cwnd <= 7300 && cwnd >= 1460);
	cell_script(&ep, "> A p+1 i+20001 wnd=65535; .");
	rows_end(&ep);
}

/* DATA-41: slow start grows by what is acknowledged, at most two segments per ACK; one
 * that acknowledges four grows by two (RFC 3465 2.2). */
static void
data_41_slow_start_counts_octets(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_41_slow_start", &rows_plain, REACH_WIDE);
	assert_int_equal(ep_write(&ep, 60000), 60000);
	cell_script(&ep, "~; > A p+1 i+1461 wnd=65535; ~");
	assert_int_equal(rows_info(&ep).cwnd, 14600 + 1460);
	cell_script(&ep, "> A p+1 i+4381 wnd=65535; ~");
	assert_int_equal(rows_info(&ep).cwnd, 14600 + 3 * 1460);
	cell_script(&ep, "> A p+1 i+10221 wnd=65535; ~");
	assert_int_equal(rows_info(&ep).cwnd, 14600 + 5 * 1460);
	drain(&ep);
	rows_end(&ep);
}

/* DATA-41: above the threshold one segment per window of acknowledged octets. */
static void
data_41_avoidance_grows_one_segment_per_window(void **state)
{
	static struct ep ep;
	struct ep_seg seg = {.flags = "A", .wnd = 65535, .mss = -1, .wscale = -1};
	uint32_t before, acked = 0;

	(void)state;
	rows_begin(&ep, "data_41_avoidance", &rows_newreno, SENT_IW ";" DUP1 ";" DUP2 ";" DUP3);
	assert_int_equal(ep_write(&ep, 200000), 200000);
	cell_script(&ep, "> A p+1 i+17521 wnd=65535; ~");
	assert_int_equal(rows_info(&ep).ssthresh, 7300);
	seg.seq = ep.irs + 1;
	/* Until the threshold is reached slow start goes on. */
	for (int i = 0; i < 50 && rows_info(&ep).cwnd < 7300; i++) {
		seg.ack = rows_info(&ep).snd_una + 1460;
		ep_inject(&ep, &seg);
		cell_script(&ep, "~");
	}
	before = rows_info(&ep).cwnd;
	while (rows_info(&ep).cwnd == before) {
		seg.ack = rows_info(&ep).snd_una + 1460;
		ep_inject(&ep, &seg);
		cell_script(&ep, "~");
		acked += 1460;
		assert_true(acked <= before + 1460);
	}
	assert_int_equal(rows_info(&ep).cwnd, before + 1460);
	assert_true(acked >= before);
	drain(&ep);
	rows_end(&ep);
}

/* DATA-34: by default at least 100 s, and no sooner than 15 tries. */
static void
data_34_default_r2_is_15_tries_and_100_s(void **state)
{
	static struct ep ep;
	uint64_t began;
	uint32_t n = 0;

	(void)state;
	rows_begin(&ep, "data_34_r2", &rows_plain, REACH_WIDE "; {send 10}; < PA i+1 p+1 len=10");
	began = ep.now;
	while (!ep.is_ended && n < 30) {
		ep_advance(&ep, 1000 * EP_MS);
		while (ep_take(&ep) != NULL)
			n += ep.taken.len > 0;
	}
	assert_int_equal(n, 15);
	assert_true(ep.now - began >= 100 * 1000 * EP_MS);
	assert_int_equal(ep.reason, PMTCP_TIMEOUT_RTX);
	ep.events = 0;
	ep.reason = PMTCP_REASON_NONE;
	rows_end(&ep);
}

/* DATA-41, SEC-12: one segment acknowledged by 1460 ACKs grows the window by one. */
static void
sec_12_divided_acks_grow_by_octets(void **state)
{
	static struct ep ep;
	struct ep_seg seg = {.flags = "A", .wnd = 65535, .mss = -1, .wscale = -1};
	uint32_t before;

	(void)state;
	rows_begin(&ep, "sec_12_divided", &rows_plain, SENT_IW);
	before = rows_info(&ep).cwnd;
	assert_int_equal(before, 14600);
	seg.seq = ep.irs + 1;
	for (uint32_t i = 1; i <= 1460; i++) {
		seg.ack = ep.iss + 1 + i;
		ep_inject(&ep, &seg);
		if (i % 32 == 0)
			cell_script(&ep, "~");
	}
	cell_script(&ep, "~");
	assert_true(rows_info(&ep).cwnd <= before + 1460);
	cell_script(&ep, "> A p+1 i+17521 wnd=65535; ~; > A p+1 i+20001 wnd=65535; ~");
	rows_end(&ep);
}

/* DATA-43: the first flight is ten segments; after an idle second it is so again. */
static void
data_43_idle_connection_restarts_from_initial_window(void **state)
{
	static struct ep ep;
	uint32_t n = 0;

	(void)state;
	rows_begin(&ep, "data_43_idle", &rows_plain, SENT_IW);
	drain(&ep);
	assert_int_equal(ep_write(&ep, 40000), 40000);
	assert_true(rows_info(&ep).unacked > 14600);
	drain(&ep);
	cell_script(&ep, "+5s; .");
	assert_int_equal(ep_write(&ep, 40000), 40000);
	ep_turn(&ep);
	while (ep_take(&ep) != NULL)
		n++;
	assert_int_equal(n, 10);
	drain(&ep);
	rows_end(&ep);
}

/* A probe that was refused lies outside the window: at its number nobody would hear the RST. */
ROW(close_31_rst_lies_at_the_edge_of_a_shut_window, &rows_plain,
		REACH_WIDE
		"; > A p+1 i+1 wnd=0; {send 100}; +300; < A i+1 p+1 len=1;"
		"> A p+1 i+1 wnd=0; ~; {abort}; < RA i+1 p+1 wnd=0; [CLOSED LOCAL_ABORT]")

/* DATA-31, Karn: a segment sent twice gives no sample, so the RTO stays backed off
 * until one sent once is acknowledged. */
static void
data_31_retransmitted_segment_gives_no_sample(void **state)
{
	static struct ep ep;
	uint32_t before;

	(void)state;
	rows_begin(&ep, "data_31_karn", &rows_plain, REACH_WIDE "; {send 10}; < PA i+1 p+1 len=10");
	before = rows_info(&ep).srtt_us;
	cell_script(&ep, "+205; < PA i+1 p+1 len=10; +100; > A p+1 i+11 wnd=65535; .");
	assert_int_equal(rows_info(&ep).srtt_us, before);
	cell_script(&ep, "{send 10}; < PA i+11 p+1 len=10; +100; > A p+1 i+21 wnd=65535; .");
	assert_true(rows_info(&ep).srtt_us >= before + 12000);
	rows_end(&ep);
}

/* Nor does an ACK of it and of what waited behind it: those were held up by the loss. */
static void
data_31_segments_behind_a_loss_give_no_sample(void **state)
{
	static struct ep ep;
	uint32_t before;

	(void)state;
	rows_begin(&ep, __func__, &rows_plain, REACH_WIDE "; {send 4380}; ~");
	before = rows_info(&ep).srtt_us;
	cell_script(&ep, "+205; < A i+1 p+1 len=1460; +20; > A p+1 i+4381 wnd=65535; .");
	assert_int_equal(rows_info(&ep).srtt_us, before);
	rows_end(&ep);
}

/* RFC 6298 section 5: the backed-off RTO lasts to the first sample behind an outage, and no
 * longer: that one counts alone. */
static void
data_31_sample_behind_an_outage_counts_alone(void **state)
{
	static struct ep ep;
	struct pmtcp_conn_info info;

	(void)state;
	rows_begin(&ep, "data_31_outage", &rows_plain,
			REACH_WIDE
			"; {send 10}; < PA i+1 p+1 len=10; +205; < PA i+1 p+1 len=10; +405;"
			"< PA i+1 p+1 len=10; +805; < PA i+1 p+1 len=10; [ERROR TIMEOUT_RTX]; > A "
			"p+1 i+11 wnd=65535");
	assert_in_range(rows_info(&ep).rto_us, 1590000, 1610000);
	cell_script(&ep, "{send 10}; < PA i+11 p+1 len=10; +20; > A p+1 i+21 wnd=65535; .");
	info = rows_info(&ep);
	assert_in_range(info.srtt_us, 19900, 20200);
	assert_in_range(info.rttvar_us, 9900, 10200);
	assert_in_range(info.rto_us, 200000, 201000);
	rows_end(&ep);
}

/* DATA-31: SRTT and RTTVAR of RFC 6298 with a round trip of 100 ms, then 200 ms:
 * SRTT 112.5, RTTVAR 3/4 * 50 + 1/4 * 100 = 62.5, RTO 362.5 ms. The handshake gave the
 * first sample. */
static void
data_31_rto_follows_rfc_6298(void **state)
{
	static struct ep ep;
	struct pmtcp_conn_info info;

	(void)state;
	rows_begin(&ep, "data_31_rto", &rows_plain,
			"{open}; < S i= 0; +100; > SA p i+1 wnd=65535; < A i+1 p+1; [CONNECTED]");
	info = rows_info(&ep);
	assert_in_range(info.srtt_us, 99900, 100200);
	assert_in_range(info.rttvar_us, 49900, 50200);
	assert_in_range(info.rto_us, 299000, 302000);
	cell_script(&ep, "{send 10}; < PA i+1 p+1 len=10; +200; > A p+1 i+11 wnd=65535; .");
	info = rows_info(&ep);
	assert_in_range(info.srtt_us, 112300, 112700);
	assert_in_range(info.rttvar_us, 62300, 62800);
	assert_in_range(info.rto_us, 361000, 365000);
	rows_end(&ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_33_timeout_resends_first_and_doubles),
			cmocka_unit_test(data_33_ack_after_timeout_opens_slow_start),
			cmocka_unit_test(data_33_ack_of_all_after_timeout_sends_nothing),
			cmocka_unit_test(data_32_timer_stops_when_all_is_acked),
			cmocka_unit_test(data_32_timer_restarts_on_new_ack),
			cmocka_unit_test(data_32_timer_goes_on_at_old_ack),
			cmocka_unit_test(data_32_timer_goes_on_at_new_data),
			cmocka_unit_test(data_8_ack_of_last_covers_the_lost_acks),
			cmocka_unit_test(data_35_limited_transmit_on_first_two_duplicates),
			cmocka_unit_test(data_35_third_duplicate_resends_first),
			cmocka_unit_test(data_35_duplicates_of_one_burst_count),
			cmocka_unit_test(data_35_partial_ack_resends_next_hole),
			cmocka_unit_test(data_35_duplicates_below_recover_do_not_enter_again),
			cmocka_unit_test(data_34_r1_tells_and_r2_ends_with_one_rst),
			cmocka_unit_test(data_34_progress_resets_the_count),
			cmocka_unit_test(data_45_fin_rides_on_the_resent_tail),
			cmocka_unit_test(close_43_lost_fin_is_resent_alone),
			cmocka_unit_test(close_19_fin_is_repeated_with_back_off),
			cmocka_unit_test(open_12_syn_is_repeated_at_1_3_7_15_31_63_123_s),
			cmocka_unit_test(open_13_rto_is_3_s_after_a_lost_syn),
			cmocka_unit_test(open_13_first_flight_is_one_segment_after_two_lost_syns),
			cmocka_unit_test(open_13_first_flight_is_full_after_one_lost_syn),
			cmocka_unit_test(open_14_syn_ack_is_repeated_five_times),
			cmocka_unit_test(data_33_timeout_sets_threshold_once),
			cmocka_unit_test(dec_13_cubic_is_the_default_and_newreno_can_be_chosen),
			cmocka_unit_test(data_35_threshold_excludes_limited_transmit),
			cmocka_unit_test(data_35_full_ack_deflates),
			cmocka_unit_test(data_41_slow_start_counts_octets),
			cmocka_unit_test(data_41_avoidance_grows_one_segment_per_window),
			cmocka_unit_test(data_34_default_r2_is_15_tries_and_100_s),
			cmocka_unit_test(sec_12_divided_acks_grow_by_octets),
			cmocka_unit_test(data_43_idle_connection_restarts_from_initial_window),
			cmocka_unit_test(close_31_rst_lies_at_the_edge_of_a_shut_window),
			cmocka_unit_test(data_31_retransmitted_segment_gives_no_sample),
			cmocka_unit_test(data_31_segments_behind_a_loss_give_no_sample),
			cmocka_unit_test(data_31_sample_behind_an_outage_counts_alone),
			cmocka_unit_test(data_31_rto_follows_rfc_6298),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
