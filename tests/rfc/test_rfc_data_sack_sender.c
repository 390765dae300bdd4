/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what a sender does with SACK blocks (RFC 2018, 2883, 6675, 8985, 5682; DATA-36,
 * DATA-38 to DATA-42, CLOSE-43). Method: scripts against a peer that reports what the
 * script says. A round trip of 20 ms is made by waiting; the RTO is its floor of 200 ms. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/rows.h"

static const struct ep_opts with_sack = {.conn = {.no_timestamps = true, .no_wscale = true}};

#define REACH_SACK "{open}; < S i= 0; > SA p i+1 wnd=65535 sackok; < A i+1 p+1; [CONNECTED]; = EST"
/* The initial window of 20000 octets, and a round trip of 20 ms. */
#define SENT_IW                                                                                    \
	REACH_SACK "; {send 20000}; < A i+1 p+1 len=1460; < A i+1461 p+1 len=1460;"                \
		   "< A i+2921 p+1 len=1460; < A i+4381 p+1 len=1460; < A i+5841 p+1 len=1460;"    \
		   "< A i+7301 p+1 len=1460; < A i+8761 p+1 len=1460; < A i+10221 p+1 len=1460;"   \
		   "< A i+11681 p+1 len=1460; < A i+13141 p+1 len=1460; .; +9"
#define SACK(l, r) "> A p+1 i+1 wnd=65535 sack=i+" #l ":i+" #r
#define SENT_3                                                                                     \
	REACH_SACK "; {send 4380}; < A i+1 p+1 len=1460; < A i+1461 p+1 len=1460;"                 \
		   "< PA i+2921 p+1 len=1460; ."
#define ALL_3 "> A p+1 i+4381 wnd=65535; ."

/* RFC 6675: SACKed octets leave the pipe; the third segment SACKed shows the loss. */
ROW(data_36_third_sacked_segment_resends_the_hole, &with_sack,
		SENT_IW "; " SACK(1461, 2921) "; < A i+14601 p+1 len=1460; .;" SACK(
				1461, 4381) "; < A i+16061 p+1 len=1460; .;" SACK(1461,
				5841) "; < A i+1 p+1 len=1460; .;"
				      "# rexmt_fast retransmitted sack_taken+3;"
				      "> A p+1 i+17521 wnd=65535; ~; > A p+1 i+20001 wnd=65535; .;"
				      "# rexmt_timeout+0 retransmitted")

/* DATA-36: three holes in one ACK; each goes once, nothing that is SACKed does. */
ROW(data_36_all_holes_go_once, &with_sack,
		SENT_3 "; +9; {send 8760}; ~; > A p+1 i+1 wnd=65535 sack=i+10221:i+13141 "
		       "sack=i+7301:i+8761 sack=i+4381:i+5841; < A i+1 p+1 len=1460; ~;"
		       "> A p+1 i+7301 wnd=65535 sack=i+10221:i+13141; ~;"
		       "> A p+1 i+13141 wnd=65535; .; # rexmt_timeout+0")

/* DATA-36: below or at UNA, above SND.MAX, empty, inside out: none of it counts. */
ROW(data_36_blocks_outside_of_what_is_in_flight_are_ignored, &with_sack,
		SENT_3 "; > A p+1 i+1 wnd=65535 sack=i+1:i+1461; .;"
		       "> A p+1 i+1 wnd=65535 sack=i+2921:i+4382; .;"
		       "> A p+1 i+1 wnd=65535 sack=i+2921:i+2921; .;"
		       "> A p+1 i+1 wnd=65535 sack=i+4381:i+2921; .;"
		       "> A p+1 i+1 wnd=65535 sack=i+100000:i+200000; .;"
		       "# sack_ignored+5 sack_taken+0 retransmitted+0;" ALL_3)

/* A block that covers a segment in part says nothing of the whole. */
ROW(data_36_half_a_segment_is_not_held, &with_sack,
		SENT_3 "; > A p+1 i+1 wnd=65535 sack=i+2000:i+2921; .; > A p+1 i+1 wnd=65535 "
		       "sack=i+3000:i+4381; .; # sack_taken+2 retransmitted+0;" ALL_3)

/* DATA-38: the peer goes back on its SACK: at the timeout all is sent again. */
ROW(data_38_reneged_segments_are_sent_again, &with_sack,
		SENT_3 "; +9; > A p+1 i+1 wnd=65535 sack=i+1461:i+4381; ~;"
		       "> A p+1 i+1461 wnd=65535; ~; +230; < A i+1461 p+1 len=1460; ~;"
		       "> A p+1 i+2921 wnd=65535; < PA i+2921 p+1 len=1460; .;" ALL_3
		       "; # sack_reneged rexmt_timeout")

/* Blocks that hold no whole segment leave two places to go on from and no mark; both must go
 * with their segments, or they would point into what others send. */
ROW(data_36_both_cursors_go_with_their_segments, &with_sack,
		REACH_SACK "; {send 8760}; ~; +9; ! icmp 3/4 i+1 mtu=1400 len=1500;"
			   "> A p+1 i+1 wnd=65535 sack=i+4382:i+4383;"
			   "> A p+1 i+1 wnd=65535 sack=i+1462:i+1463; > A p+1 i+2921 wnd=65535; ~;"
			   "> A p+1 i+5841 wnd=65535; ~; > A p+1 i+8761 wnd=65535; ~")

/* DATA-19: lost segments behind a shut window wait; its first octet is the probe. */
ROW(data_19_shut_window_over_lost_segments_is_probed, &with_sack,
		REACH_SACK
		"; {send 8760}; ~; +9;"
		"> A p+1 i+1 wnd=1460 sack=i+4381:i+8761 sack=i+1461:i+2921;"
		"< A i+1 p+1 len=1460; ~; > A p+1 i+1 wnd=0 sack=i+4381:i+8761 sack=i+1461:i+2921;"
		"~; # retransmitted; +240; < A i+1 p+1 len=1; .; +410; < A i+1 p+1 len=1; .;"
		"> A p+1 i+2921 wnd=65535; ~; > A p+1 i+8761 wnd=65535; ~")
/* DATA-38: the same where the peer gave up what it had SACKed, and has no room for it. */
ROW(data_38_reneged_behind_a_shut_window_is_probed, &with_sack,
		REACH_SACK "; {send 4380}; ~; +9; > A p+1 i+1 wnd=65535 sack=i+1461:i+4381; ~;"
			   "> A p+1 i+1461 wnd=0; ~; +240; < A i+1461 p+1 len=1; .; # sack_reneged;"
			   "> A p+1 i+1461 wnd=65535; +410; < A i+1461 p+1 len=1; ~;"
			   "> A p+1 i+4381 wnd=65535; ~")

/* DATA-39: one SACKed behind a hole: after a quarter of the round trip it is lost. */
ROW(data_39_one_sack_and_the_window_passed, &with_sack,
		SENT_3 "; +9; > A p+1 i+1 wnd=65535 sack=i+1461:i+2921; .; +1; .; +5;"
		       "< A i+1 p+1 len=1460; .; # rexmt_rack rexmt_fast rexmt_timeout+0;" ALL_3)

/* DATA-36: the tail is lost with the first; the retransmission's ACK tells. */
ROW(data_36_silent_tail_in_recovery_needs_no_timeout, &with_sack,
		SENT_3
		"; +9; > A p+1 i+1 wnd=65535 sack=i+1461:i+2921; +6; < A i+1 p+1 len=1460; .;"
		"+12; > A p+1 i+2921 wnd=65535; < PA i+2921 p+1 len=1460; .;"
		"# rexmt_timeout+0 rexmt_fast;" ALL_3)

/* DATA-39: and what arrives within that time was only late. */
ROW(data_39_reordered_within_the_window_is_no_loss, &with_sack,
		SENT_3 "; +9; > A p+1 i+1 wnd=65535 sack=i+1461:i+2921; .; +1; .;"
		       "> A p+1 i+2921 wnd=65535; .; +5; .; # retransmitted+0;" ALL_3)

/* DATA-39: the retransmission is lost too; what was sent after it is SACKed. */
ROW(data_39_lost_retransmission_is_found_without_a_timeout, &with_sack,
		SENT_IW "; " SACK(1461, 5841) "; < A i+1 p+1 len=1460; ~; +20;" SACK(
				1461, 14601) "; ~; +20;" SACK(1461,
				17521) "; +6;"
				       "< A i+1 p+1 len=1460; ~; # rexmt_timeout+0;"
				       "> A p+1 i+17521 wnd=65535; ~; > A p+1 i+20001 wnd=65535; ~")

/* RFC 5681 4.3 (DATA-41): the loss of a retransmission lowers the window once more, by CUBIC's
 * 0.7 each; what else of the same round is found lost does not, that of the next does. */
static void
data_41_lost_retransmission_reduces_again(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, __func__, &with_sack,
			SENT_IW "; " SACK(4381, 8761) "; < A i+1 p+1 len=1460;"
						      "< A i+1461 p+1 len=1460;"
						      "< A i+2921 p+1 len=1460; ~; {send 20000}; # "
						      "rexmt_rack+3");
	assert_int_equal(rows_info(&ep).ssthresh, 10220);
	cell_script(&ep, "+5; " SACK(4381, 14601) "; < A i+14601 p+1 len=1460; ~; +20;"
						  "> A p+1 i+1 wnd=65535 sack=i+1461:i+2921 "
						  "sack=i+4381:i+14601;"
						  "< A i+1 p+1 len=1460; ~; # rexmt_rack+4");
	assert_int_equal(rows_info(&ep).ssthresh, 7154);
	cell_script(&ep, "+5; > A p+1 i+1 wnd=65535 sack=i+4381:i+16061 sack=i+1461:i+2921;"
			 "~; # rexmt_rack+5");
	assert_int_equal(rows_info(&ep).ssthresh, 7154);
	/* What is sent from here on is of the next round. */
	cell_script(&ep, "? snd_nxt i+20441; +5;"
			 "> A p+1 i+1 wnd=65535 sack=i+4381:i+18981 sack=i+1461:i+2921; ~; +5;"
			 "> A p+1 i+1 wnd=65535 sack=i+1461:i+18981; ~; ? snd_nxt i+23361; +20;"
			 "> A p+1 i+1 wnd=65535 sack=i+1461:i+23361; < A i+1 p+1 len=1460; ~;"
			 "# rexmt_rack+6 rexmt_fast rexmt_timeout+0");
	assert_int_equal(rows_info(&ep).ssthresh, 5007);
	cell_script(&ep, "> A p+1 i+26281 wnd=65535; ~; > A p+1 i+40001 wnd=65535; ~");
	rows_end(&ep);
}

/* DATA-42 (RFC 3708): that the second one was sent again for nothing does not take back the
 * reduction for the first, whose retransmission was lost; all of the recovery must have been. */
static void
data_42_dsack_of_another_undoes_no_second_reduction(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, __func__, &with_sack,
			SENT_IW
			"; " SACK(4381, 8761) "; < A i+1 p+1 len=1460;"
					      "< A i+1461 p+1 len=1460;"
					      "< A i+2921 p+1 len=1460; ~; +5; " SACK(
							      4381, 14601) "; ~; +20;"
									   "> A p+1 i+1 wnd=65535 "
									   "sack=i+1461:i+14601;"
									   "< A i+1 p+1 len=1460; "
									   "~; # rexmt_rack+4");
	assert_int_equal(rows_info(&ep).ssthresh, 7154);
	cell_script(&ep, "> A p+1 i+1 wnd=65535 sack=i+1461:i+2921 sack=i+1461:i+14601; ~;"
			 "# dsack_received undo_dsack+0");
	assert_int_equal(rows_info(&ep).ssthresh, 7154);
	cell_script(&ep, "> A p+1 i+1 wnd=65535 sack=i+2921:i+4381 sack=i+1461:i+14601; ~;"
			 "> A p+1 i+16061 wnd=65535 sack=i+1:i+1461; ~; # undo_dsack+0;"
			 "> A p+1 i+16061 wnd=65535 sack=i+1:i+1461; ~; # undo_dsack");
	assert_int_equal(rows_info(&ep).ssthresh, 10220);
	cell_script(&ep, "> A p+1 i+20001 wnd=65535; ~");
	rows_end(&ep);
}

/* DATA-40: the tail was lost: the last segment goes as a probe before the RTO, and its SACK
 * shows the rest. */
ROW(data_40_tail_drop_is_probed_before_the_rto, &with_sack,
		SENT_3
		"; +15; < PA i+2921 p+1 len=1460; .; # tlp_sent retransmitted rexmt_timeout+0;"
		"+20; > A p+1 i+1 wnd=65535 sack=i+2921:i+4381; +10;"
		"< A i+1 p+1 len=1460; ~; > A p+1 i+4381 wnd=65535; .; # rexmt_timeout+0")

/* DATA-40 (RFC 8985 7.2): a round trip of 300 ms, so the RTO is 900 ms. One segment in flight:
 * its ACK may be delayed by 200 ms, the probe goes after 2 * 300 + 200 ms. Two: after 600. */
#define REACH_FAR                                                                                  \
	"{open}; < S i= 0; +300; > SA p i+1 wnd=65535 sackok; < A i+1 p+1; [CONNECTED]; = EST"
ROW(data_40_probe_of_one_segment_waits_for_a_delayed_ack, &with_sack,
		REACH_FAR
		"; {send 100}; < PA i+1 p+1 len=100; +800; .; +2; < PA i+1 p+1 len=100; .;"
		"# tlp_sent rexmt_timeout+0; > A p+1 i+101 wnd=65535; .")
ROW(data_40_probe_of_two_segments_does_not, &with_sack,
		REACH_FAR "; {send 2920}; < A i+1 p+1 len=1460; < PA i+1461 p+1 len=1460; +600; .;"
			  "+2; < PA i+1461 p+1 len=1460; .; # tlp_sent rexmt_timeout+0;"
			  "> A p+1 i+2921 wnd=65535; .")

/* DATA-40 (RFC 8985 7.2, 7.3): an RTO that would come before the probe gives way to it, and
 * runs anew behind it. Round trip 0: the probe of one segment is due after 200 ms and a bit. */
ROW(data_40_probe_goes_in_place_of_an_earlier_rto, &with_sack,
		REACH_SACK "; {send 100}; < PA i+1 p+1 len=100; +195; .; +10;"
			   "< PA i+1 p+1 len=100; .; # tlp_sent rexmt_timeout+0; +190; .; +15;"
			   "< PA i+1 p+1 len=100; .; # rexmt_timeout; > A p+1 i+101 wnd=65535; .")

/* So does one that an ACK starts anew. */
ROW(data_40_probe_goes_in_place_of_an_rto_begun_by_an_ack, &with_sack,
		REACH_SACK "; {send 2920}; < A i+1 p+1 len=1460; < PA i+1461 p+1 len=1460;"
			   "> A p+1 i+1461 wnd=65535; +195; .; +10; < PA i+1461 p+1 len=1460; .;"
			   "# tlp_sent rexmt_timeout+0; > A p+1 i+2921 wnd=65535; .")

/* What is new puts the probe off, but not behind the RTO of the first: 900 ms here. */
ROW(data_40_new_data_does_not_put_off_the_rto, &with_sack,
		REACH_FAR "; {send 1460}; < PA i+1 p+1 len=1460; +400; {send 1460};"
			  "< PA i+1461 p+1 len=1460; +400; {send 1460}; < PA i+2921 p+1 len=1460;"
			  "+90; .; +15; < PA i+2921 p+1 len=1460; .; # tlp_sent rexmt_timeout+0;"
			  "> A p+1 i+4381 wnd=65535; .")

/* DATA-40: new data, if there is any and the peer can take it, is the probe. */
ROW(data_40_new_data_is_the_better_probe, &with_sack,
		SENT_IW ";  +6; < A i+14601 p+1 len=1460; .; # tlp_sent retransmitted+0;"
			"> A p+1 i+16061 wnd=65535; ~; > A p+1 i+20001 wnd=65535; .")

/* DATA-40: a wait for reordering that was called off is not taken for the next flight's probe. */
ROW(data_40_probe_after_a_wait_that_was_called_off, &with_sack,
		SENT_IW "; > A p+1 i+14601 wnd=65535; ~; +9; > A p+1 i+14601 wnd=65535 "
			"sack=i+16061:i+17521;"
			".; > A p+1 i+20001 wnd=65535; .; {send 2920}; < A i+20001 p+1 len=1460;"
			"< PA i+21461 p+1 len=1460; +18; < PA i+21461 p+1 len=1460; .; # tlp_sent;"
			"> A p+1 i+22921 wnd=65535; ~")

/* DATA-40: one per flight, then the RTO. */
ROW(data_40_one_probe_per_flight, &with_sack,
		SENT_3 "; +15; < PA i+2921 p+1 len=1460; .; +150; .; +60; < A i+1 p+1 len=1460; .;"
		       "# tlp_sent rexmt_timeout;" ALL_3)

/* DATA-40, RFC 8985 7.4: the probe repaired the loss: the window is reduced all the same. */
static void
data_40_loss_repaired_by_the_probe_counts(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, __func__, &with_sack,
			SENT_3 "; +5; > A p+1 i+2921 wnd=65535; .; {send 2920}; ~; +15; ~;"
			       "> A p+1 i+7301 wnd=65535; .; # tlp_sent; {send 100}; ~");
	assert_int_equal(rows_info(&ep).ssthresh, 1 << 30);
	cell_script(&ep, "> A p+1 i+7401 wnd=65535; ~; # tlp_recovered");
	assert_in_range(rows_info(&ep).ssthresh, 2 * 1460, 10 * 1460);
	rows_end(&ep);
}

/* And if the peer reports it as a duplicate, nothing was lost. */
ROW(data_40_duplicate_probe_is_no_loss, &with_sack,
		SENT_3 "; +15; < PA i+2921 p+1 len=1460; .; > A p+1 i+4381 wnd=65535; .;"
		       "> A p+1 i+4381 wnd=65535 sack=i+2921:i+4381; .; {send 100};"
		       "< PA i+4381 p+1 len=100; > A p+1 i+4481 wnd=65535; .;"
		       "# tlp_sent tlp_recovered+0 dsack_received")

ROW(data_40_no_probe_without_sack, &rows_plain,
		"{open}; < S i= 0; > SA p i+1 wnd=65535; < A i+1 p+1; [CONNECTED]; {send 4380}; ~;"
		"+190; .; # tlp_sent+0; > A p+1 i+4381 wnd=65535; .")

/* CLOSE-43: the FIN is SACKed with the tail, and lost with it. */
ROW(close_43_sacked_fin_is_no_octet, &with_sack,
		SENT_3
		"; {shutdown}; < FA i+4381 p+1; +9; > A p+1 i+1 wnd=65535 sack=i+1461:i+4382;"
		"+9; < A i+1 p+1 len=1460; .; > A p+1 i+4382 wnd=65535; .; = FW2;"
		"# sack_taken rexmt_timeout+0")
ROW(close_43_lost_tail_and_fin_go_again_together, &with_sack,
		SENT_3 "; {shutdown}; < FA i+4381 p+1; +15; < PFA i+2921 p+1 len=1460; .;"
		       "> A p+1 i+4382 wnd=65535; .; = FW2; # fin_retransmitted tlp_sent")

/* DATA-42, RFC 5682: two new segments instead of the rest; the second ACK is of an original. */
ROW(data_42_frto_finds_the_timeout_spurious, &with_sack,
		REACH_SACK "; {send 20000}; ~; > A p+1 i+1461 wnd=65535; ~; +9; ~; +230; ~;"
			   "# rexmt_timeout; > A p+1 i+2921 wnd=65535; ~;"
			   "> A p+1 i+4381 wnd=65535; ~; # frto_spurious retransmitted;"
			   "> A p+1 i+20001 wnd=65535; ~")

/* RFC 5682 3.1 step 3: an original arrived, but behind it the new ones show a hole. */
ROW(data_42_frto_does_not_believe_in_the_face_of_a_hole, &with_sack,
		REACH_SACK "; {send 20000}; ~; > A p+1 i+1461 wnd=65535; ~; +9; ~; +230; ~;"
			   "# rexmt_timeout; > A p+1 i+2921 wnd=65535; ~;"
			   "> A p+1 i+4381 wnd=65535 sack=i+18981:i+20001; ~; # frto_spurious+0;"
			   "> A p+1 i+20001 wnd=65535; ~")

static uint32_t
cwnd_of(struct ep *ep)
{
	return rows_info(ep).cwnd;
}

/* DATA-42: all that was sent again is reported as a duplicate. */
static void
data_42_dsack_undoes_the_reduction(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, __func__, &with_sack, SENT_IW);
	cell_script(&ep,
			SACK(1461, 5841) "; < A i+1 p+1 len=1460; ~; > A p+1 i+14601 wnd=65535; ~");
	assert_true(cwnd_of(&ep) < 14600);
	cell_script(&ep, "> A p+1 i+14601 wnd=65535 sack=i+1:i+1461; ~; # undo_dsack");
	assert_true(cwnd_of(&ep) >= 14600);
	cell_script(&ep, "> A p+1 i+20001 wnd=65535; ~");
	rows_end(&ep);
}

/* RFC 3708: two were sent again; a duplicate of one says nothing of the other. */
static void
data_42_one_dsack_of_two_undoes_nothing(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, __func__, &with_sack, SENT_IW);
	cell_script(&ep, SACK(2921, 14601) "; < A i+1 p+1 len=1460; < A i+1461 p+1 len=1460; ~;"
					   "> A p+1 i+14601 wnd=65535; ~; # retransmitted+2");
	cell_script(&ep, "> A p+1 i+14601 wnd=65535 sack=i+1:i+1461; ~; # undo_dsack+0");
	assert_true(cwnd_of(&ep) < 14600);
	cell_script(&ep, "> A p+1 i+14601 wnd=65535 sack=i+1461:i+2921; ~; # undo_dsack");
	assert_true(cwnd_of(&ep) >= 14600);
	cell_script(&ep, "> A p+1 i+20001 wnd=65535; ~");
	rows_end(&ep);
}

enum { ALL = 20000, PIECE = 1260 };

/* What the peer has, octet by octet, and how often each was sent. */
struct heap {
	uint8_t has[ALL];
	uint8_t sent[ALL];
	uint32_t una;
	bool has_dropped;
};

static void
heap_take(struct heap *h, struct ep *ep)
{
	const struct pkt *p;

	while ((p = ep_take(ep)) != NULL) {
		uint32_t at = p->seq - ep->iss - 1;
		/* One piece is lost again, so that its neighbours are SACKed by their new edges. */
		bool is_dropped = !h->has_dropped && at > PIECE && h->sent[at] == 1;

		assert_in_range(p->len, 0, PIECE);
		h->has_dropped |= is_dropped;
		for (uint32_t i = at; i < at + p->len; i++) {
			assert_false(h->sent[i] > 0 && h->has[i]);
			h->sent[i]++;
			h->has[i] = !is_dropped;
		}
	}
	while (h->una < ALL && h->has[h->una])
		h->una++;
}

static void
heap_ack(struct heap *h, struct ep *ep)
{
	struct ep_seg seg = {.flags = "A",
			.seq = ep->irs + 1,
			.ack = ep->iss + 1 + h->una,
			.wnd = 65535,
			.mss = -1,
			.wscale = -1};

	for (uint32_t i = h->una; i < ALL && seg.n_sack < 4; i++) {
		struct pkt_sack *b = &seg.sack[seg.n_sack];

		if (!h->has[i])
			continue;
		b->left = ep->iss + 1 + i;
		while (i < ALL && h->has[i])
			i++;
		b->right = ep->iss + 1 + i;
		seg.n_sack++;
	}
	ep_inject(ep, &seg);
	ep_turn(ep);
}

/* DATA-45, DATA-46: the MSS falls while some of the flight is SACKed: what is not is cut
 * anew and goes once, however the peer reports the pieces; what is does not go. */
static void
data_45_smaller_mss_among_sacked_segments(void **state)
{
	static struct ep ep;
	static struct heap h;

	(void)state;
	rows_begin(&ep, __func__, &with_sack, SENT_IW);
	memset(h.sent, 1, 14600);
	memset(h.has + 2920, 1, 2920);
	memset(h.has + 8760, 1, 1460);
	cell_script(&ep, "> A p+1 i+1 wnd=65535 sack=i+2921:i+5841; > A p+1 i+1 wnd=65535 "
			 "sack=i+8761:i+10221 sack=i+2921:i+5841;"
			 "! icmp 3/4 i+1 mtu=1300 len=1500; ? mss 1260; # pmtu_lowered");
	for (int turn = 0; turn < 200 && h.una < ALL; turn++) {
		heap_take(&h, &ep);
		heap_ack(&h, &ep);
		ep_advance(&ep, 20 * EP_MS);
	}
	assert_int_equal(h.una, ALL);
	assert_true(h.has_dropped);
	for (uint32_t i = 0; i < ALL; i++)
		assert_in_range(h.sent[i], 1, 3);
	ep_mark(&ep);
	rows_end(&ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_36_third_sacked_segment_resends_the_hole),
			cmocka_unit_test(data_36_all_holes_go_once),
			cmocka_unit_test(data_36_blocks_outside_of_what_is_in_flight_are_ignored),
			cmocka_unit_test(data_36_half_a_segment_is_not_held),
			cmocka_unit_test(data_38_reneged_segments_are_sent_again),
			cmocka_unit_test(data_36_silent_tail_in_recovery_needs_no_timeout),
			cmocka_unit_test(data_39_one_sack_and_the_window_passed),
			cmocka_unit_test(data_39_reordered_within_the_window_is_no_loss),
			cmocka_unit_test(data_39_lost_retransmission_is_found_without_a_timeout),
			cmocka_unit_test(data_41_lost_retransmission_reduces_again),
			cmocka_unit_test(data_42_dsack_of_another_undoes_no_second_reduction),
			cmocka_unit_test(data_40_tail_drop_is_probed_before_the_rto),
			cmocka_unit_test(data_40_probe_of_one_segment_waits_for_a_delayed_ack),
			cmocka_unit_test(data_40_probe_of_two_segments_does_not),
			cmocka_unit_test(data_40_probe_goes_in_place_of_an_earlier_rto),
			cmocka_unit_test(data_40_probe_goes_in_place_of_an_rto_begun_by_an_ack),
			cmocka_unit_test(data_40_new_data_does_not_put_off_the_rto),
			cmocka_unit_test(data_40_new_data_is_the_better_probe),
			cmocka_unit_test(data_40_one_probe_per_flight),
			cmocka_unit_test(data_40_loss_repaired_by_the_probe_counts),
			cmocka_unit_test(data_40_duplicate_probe_is_no_loss),
			cmocka_unit_test(data_40_no_probe_without_sack),
			cmocka_unit_test(close_43_sacked_fin_is_no_octet),
			cmocka_unit_test(close_43_lost_tail_and_fin_go_again_together),
			cmocka_unit_test(data_42_frto_finds_the_timeout_spurious),
			cmocka_unit_test(data_42_dsack_undoes_the_reduction),
			cmocka_unit_test(data_36_both_cursors_go_with_their_segments),
			cmocka_unit_test(data_19_shut_window_over_lost_segments_is_probed),
			cmocka_unit_test(data_38_reneged_behind_a_shut_window_is_probed),
			cmocka_unit_test(data_40_probe_after_a_wait_that_was_called_off),
			cmocka_unit_test(data_42_one_dsack_of_two_undoes_nothing),
			cmocka_unit_test(data_42_frto_does_not_believe_in_the_face_of_a_hole),
			cmocka_unit_test(data_45_smaller_mss_among_sacked_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
