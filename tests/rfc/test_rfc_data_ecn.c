/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: explicit congestion notification as RFC 3168 section 6 has it (DATA-44). Method:
 * scripts; a segment that must not be markable is written without `ect`. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/rows.h"

#define NO_OPTIONS .no_timestamps = true, .no_sack = true, .no_wscale = true

static const struct ep_opts offer = {
		.conn = {NO_OPTIONS, .cc = PMTCP_CC_NEWRENO, .ecn = PMTCP_ECN_OFFER}};
static const struct ep_opts off = {.conn = {NO_OPTIONS, .ecn = PMTCP_ECN_OFF}};

/* Agreed, with the peer's window wide open. */
#define REACH_ECN "{open}; < SEC i= 0; > SEA p i+1 wnd=65535; < A i+1 p+1; [CONNECTED]; = EST"
#define REACH_ECN_PAS                                                                              \
	"{listen}; > SEC p wnd=65535; < SEA i= p+1; > A p+1 i+1 wnd=65535; [ACCEPTED]; = EST"
#define SEND_ECT "{send 10}; < PA i+1 p+1 len=10 ect; > A p+1 i+11 wnd=65535; ."
#define SEND_NOT "{send 10}; < PA i+1 p+1 len=10; > A p+1 i+11 wnd=65535; ."

ROW(data_44_offer_accepted_by_ece_alone, &offer, REACH_ECN ";" SEND_ECT)
ROW(data_44_both_flags_reflected_is_no_agreement, &offer,
		"{open}; < SEC i= 0; > SECA p i+1 wnd=65535; < A i+1 p+1; [CONNECTED];" SEND_NOT)
ROW(data_44_offer_declined, &offer,
		"{open}; < SEC i= 0; > SA p i+1 wnd=65535; < A i+1 p+1; [CONNECTED];" SEND_NOT)
ROW(data_44_by_default_nothing_is_offered, &rows_plain,
		"{open}; < S i= 0; > SEA p i+1 wnd=65535; < A i+1 p+1; [CONNECTED];" SEND_NOT)
/* RFC 3168 6.1.1.1: what drops such SYNs lets the second one through. */
ROW(data_44_syn_retry_offers_nothing, &offer,
		"{open}; < SEC i= 0; +1005; < S i 0; > SEA p i+1 wnd=65535; < A i+1 p+1;"
		"[CONNECTED];" SEND_NOT)
ROW(data_44_by_default_an_offer_is_accepted, &rows_plain, REACH_ECN_PAS ";" SEND_ECT)
ROW(data_44_off_accepts_nothing, &off,
		"{listen}; > SEC p wnd=65535; < SA i= p+1; > A p+1 i+1 wnd=65535; "
		"[ACCEPTED];" SEND_NOT)
ROW(data_44_one_flag_is_no_offer, &rows_plain,
		"{listen}; > SE p wnd=65535; < SA i= p+1; > A p+1 i+1 wnd=65535; "
		"[ACCEPTED];" SEND_NOT)
ROW(data_44_peer_that_asks_again_without_is_believed, &rows_plain,
		"{listen}; > SEC p wnd=65535; < SEA i= p+1; > S p wnd=65535; < SA i p+1;"
		"> A p+1 i+1 wnd=65535; [ACCEPTED];" SEND_NOT)
ROW(data_44_simultaneous_open_agrees, &offer,
		"{open}; < SEC i= 0; > SEC p wnd=65535; < SEA i p+1; > A p+1 i+1 wnd=65535;"
		"[CONNECTED]; = EST;" SEND_ECT)

/* ECE with every ACK until CWR; both changes are told at once (DATA-13), the ACK between
 * is delayed as ever. */
ROW(data_44_mark_is_echoed_until_cwr, &rows_plain,
		REACH_ECN_PAS "; > PA p+1 i+1 len=10 wnd=65535 ce; < EA i+1 p+11; .; [READABLE];"
			      "> PA p+11 i+1 len=10 wnd=65535; .; +45; < EA i+1 p+21; [READABLE];"
			      "{send 10}; < PEA i+1 p+21 len=10 ect;"
			      "> CPA p+21 i+11 len=10 wnd=65535; < A i+11 p+31; [READABLE];"
			      "> PA p+31 i+11 len=10 wnd=65535; .; +45; < A i+11 p+41; [READABLE];"
			      "{recv 40}; # ecn_marked")
/* The window was reduced for an earlier mark, and this segment has a new one. */
ROW(data_44_mark_beside_cwr_is_echoed, &rows_plain,
		REACH_ECN_PAS "; > PA p+1 i+1 len=10 wnd=65535 ce; < EA i+1 p+11; [READABLE];"
			      "> CPA p+11 i+1 len=10 wnd=65535 ce; .; +45; < EA i+1 p+21;"
			      "[READABLE]; {recv 20}; # ecn_marked+2")
/* The first text came with the third ACK. */
ROW(data_44_mark_on_the_third_ack_is_echoed, &rows_plain,
		"{listen}; > SEC p wnd=65535; < SEA i= p+1; > PA p+1 i+1 len=10 wnd=65535 ce;"
		"< EA i+1 p+11; [ACCEPTED READABLE]; {recv 10}; # ecn_marked")
/* RFC 3168 6.1.5: out of the window it is nobody's. */
ROW(data_44_mark_outside_the_window_is_ignored, &rows_plain,
		REACH_ECN_PAS
		"; > PA p+300001 i+1 len=10 wnd=65535 ce; < A i+1 p+1; # ecn_marked+0")
/* RFC 3168 6.1.4: a pure ACK is not of an ECN-capable transport; a mark on one is nobody's. */
ROW(data_44_mark_on_a_pure_ack_is_ignored, &rows_plain,
		REACH_ECN_PAS "; > A p+1 i+1 wnd=65535 ce; .; > PA p+1 i+1 len=10 wnd=65535; .;"
			      "+45; < A i+1 p+11; [READABLE]; {send 10};"
			      "< PA i+1 p+11 len=10 ect; > A p+11 i+11 wnd=65535 ce; .;"
			      "> FA p+11 i+11 wnd=65535 ce; < A i+11 p+12; [PEER_FIN]; {recv 10};"
			      "# ecn_marked+0")
ROW(data_44_mark_without_agreement_is_ignored, &rows_plain,
		REACH_WIDE "; > PA p+1 i+1 len=10 wnd=65535 ce; .; +45; < A i+1 p+11; [READABLE];"
			   "{recv 10}; # ecn_marked+0")

ROW(data_44_retransmission_is_not_markable_and_cwr_tells_of_it, &offer,
		REACH_ECN "; {send 10}; < PA i+1 p+1 len=10 ect; +205; < PA i+1 p+1 len=10;"
			  "> A p+1 i+11 wnd=65535; {send 10}; < CPA i+11 p+1 len=10 ect;"
			  "> A p+1 i+21 wnd=65535; {send 10}; < PA i+21 p+1 len=10 ect;"
			  "> A p+1 i+31 wnd=65535; .")
ROW(data_44_window_probe_is_not_markable, &offer,
		REACH_ECN
		"; > A p+1 i+1 wnd=0; {send 10}; .; +205; < A i+1 p+1 len=1;"
		"> A p+1 i+2 wnd=65535; < PA i+2 p+1 len=9 ect; > A p+1 i+11 wnd=65535; .")
ROW(data_44_fin_alone_is_not_markable, &offer,
		REACH_ECN "; {shutdown}; < FA i+1 p+1; > A p+1 i+2 wnd=65535; = FW2")

#define SENT_IW_ECN                                                                                \
	REACH_ECN "; {send 40000}; < A i+1 p+1 len=1460 ect; < A i+1461 p+1 len=1460 ect;"         \
		  "< A i+2921 p+1 len=1460 ect; < A i+4381 p+1 len=1460 ect;"                      \
		  "< A i+5841 p+1 len=1460 ect; < A i+7301 p+1 len=1460 ect;"                      \
		  "< A i+8761 p+1 len=1460 ect; < A i+10221 p+1 len=1460 ect;"                     \
		  "< A i+11681 p+1 len=1460 ect; < A i+13141 p+1 len=1460 ect; ."

/* RFC 3168 6.1.2: once per window of data, however often it is echoed; CWR with the next
 * new segment and only that; nothing is sent again. */
static void
data_44_echo_halves_once_per_window(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_44_echo", &offer, SENT_IW_ECN);
	cell_script(&ep, "> EA p+1 i+1461 wnd=65535; .");
	assert_int_equal(rows_info(&ep).cwnd, 7300);
	assert_int_equal(rows_info(&ep).ssthresh, 7300);
	cell_script(&ep, "> EA p+1 i+5841 wnd=65535; .");
	assert_int_equal(rows_info(&ep).cwnd, 7300);
	cell_script(&ep, "> EA p+1 i+8761 wnd=65535; < CA i+14601 p+1 len=1460 ect; .;"
			 "> EA p+1 i+10221 wnd=65535; < A i+16061 p+1 len=1460 ect; .;"
			 "> A p+1 i+14601 wnd=65535; < A i+17521 p+1 len=1460 ect;"
			 "< A i+18981 p+1 len=1460 ect; < A i+20441 p+1 len=1460 ect; .");
	assert_int_equal(rows_info(&ep).cwnd, 7300);
	/* The next window has a mark of its own. */
	cell_script(&ep, "> EA p+1 i+16061 wnd=65535; .");
	assert_int_equal(rows_info(&ep).cwnd, 3650);
	cell_script(&ep, "# ecn_reduced+2 retransmitted+0");
	ep_abort(&ep);
	cell_script(&ep, "~; [CLOSED LOCAL_ABORT]");
	rows_end(&ep);
}

static void
data_44_echo_without_agreement_is_ignored(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_44_no_echo", &rows_plain,
			REACH_WIDE "; {send 10}; < PA i+1 p+1 len=10; > EA p+1 i+11 wnd=65535; .;"
				   "{send 10}; < PA i+11 p+1 len=10");
	assert_int_equal(rows_info(&ep).cwnd, 14600);
	cell_script(&ep, "> A p+1 i+21 wnd=65535; .; # ecn_reduced+0");
	rows_end(&ep);
}

/* A loss in the window whose mark was answered is repaired all the same. */
static void
data_44_loss_behind_a_mark_is_repaired(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_44_loss", &offer, SENT_IW_ECN);
	cell_script(&ep, "> EA p+1 i+1461 wnd=65535; .; > A p+1 i+1461 wnd=65535;"
			 "> A p+1 i+1461 wnd=65535; > A p+1 i+1461 wnd=65535;"
			 "< A i+1461 p+1 len=1460; .; # ecn_reduced rexmt_fast");
	/* And is no second reason to reduce the window (RFC 3168 6.1.2). */
	assert_int_equal(rows_info(&ep).ssthresh, 7300);
	ep_abort(&ep);
	cell_script(&ep, "~; [CLOSED LOCAL_ABORT]");
	rows_end(&ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_44_offer_accepted_by_ece_alone),
			cmocka_unit_test(data_44_both_flags_reflected_is_no_agreement),
			cmocka_unit_test(data_44_offer_declined),
			cmocka_unit_test(data_44_by_default_nothing_is_offered),
			cmocka_unit_test(data_44_syn_retry_offers_nothing),
			cmocka_unit_test(data_44_by_default_an_offer_is_accepted),
			cmocka_unit_test(data_44_off_accepts_nothing),
			cmocka_unit_test(data_44_one_flag_is_no_offer),
			cmocka_unit_test(data_44_peer_that_asks_again_without_is_believed),
			cmocka_unit_test(data_44_simultaneous_open_agrees),
			cmocka_unit_test(data_44_mark_is_echoed_until_cwr),
			cmocka_unit_test(data_44_mark_beside_cwr_is_echoed),
			cmocka_unit_test(data_44_mark_on_the_third_ack_is_echoed),
			cmocka_unit_test(data_44_mark_outside_the_window_is_ignored),
			cmocka_unit_test(data_44_mark_on_a_pure_ack_is_ignored),
			cmocka_unit_test(data_44_mark_without_agreement_is_ignored),
			cmocka_unit_test(
					data_44_retransmission_is_not_markable_and_cwr_tells_of_it),
			cmocka_unit_test(data_44_window_probe_is_not_markable),
			cmocka_unit_test(data_44_fin_alone_is_not_markable),
			cmocka_unit_test(data_44_echo_halves_once_per_window),
			cmocka_unit_test(data_44_echo_without_agreement_is_ignored),
			cmocka_unit_test(data_44_loss_behind_a_mark_is_repaired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
