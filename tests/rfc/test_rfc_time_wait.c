/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: TW-1 to TW-11 of doc/requirements.md, row after row: how long TIME-WAIT lasts,
 * what it answers, which SYN may reopen it (RFC 9293 3.6.1, 3.10.7.4; 1337; 6191; 7323).
 * Method: scripts of one entry; a bed of stations where there are more. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/rows.h"
#include "tcp/tcb.h"

static struct bed bed;

static const struct ep_opts with_ts = {.conn = {.no_sack = true, .no_wscale = true}};

/* With timestamps: TS.Recent is 1003, a listener is on the port. */
#define REACH_TW_TS                                                                                \
	"{listen}; > S p ts=1000:0; < SA i= p+1 ts=1000; > A p+1 i+1 ts=1001:0; [ACCEPTED];"       \
	"{shutdown}; < FA i+1 p+1 ts=1001; > A p+1 i+2 ts=1002:0; = FW2; > FA p+1 i+2 ts=1003:0;"  \
	"< A i+2 p+2 ts=1003; [PEER_FIN CLOSED GRACEFUL]; {close}; = TW"

/* 50 s pass before and what follows must not restart the 60 s. */
#define ENDS_ON_TIME "+9900; = TW; +400; = CLD"

/* ---- how long ---- */

ROW(tw_1_from_fin_wait_2, &rows_plain, REACH_TW "; +59998; .; = TW; +270; .; = CLD; # tw_expired")
ROW(tw_1_from_fin_wait_1, &rows_plain,
		REACH_FW1 "; > FA p+1 i+2; < A i+2 p+2; [PEER_FIN CLOSED GRACEFUL]; = TW; {close};"
			  "+59998; .; = TW; +270; .; = CLD; # tw_entered tw_expired")
ROW(tw_1_from_closing, &rows_plain, REACH_TW_SIM "; +59998; .; = TW; +270; .; = CLD; # tw_expired")
ROW(tw_1_tuple_is_free_afterwards, &rows_plain,
		REACH_TW "; {open}=-EBUSY; +60300; {open}; < S i= 0; = SYS")
ROW(tw_1_passive_closer_never_enters, &rows_plain,
		REACH_LAK "; > A p+2 i+2; .; [CLOSED GRACEFUL]; = CLD; # tw_entered+0")

ROW(tw_2_setting_of_2_s_is_kept, &rows_plain,
		REACH_EST "; {tw_ms 2000}; {shutdown}; < FA i+1 p+1; > FA p+1 i+2; < A i+2 p+2;"
			  "[PEER_FIN CLOSED GRACEFUL]; {close}; +1998; = TW; +260; = CLD")
ROW(tw_2_range_is_1_to_240_s_or_0, &rows_plain,
		REACH_EST "; {tw_ms 999}=-EINVAL; {tw_ms 240001}=-EINVAL; {tw_ms 1000};"
			  "{tw_ms 240000}; {tw_ms 0}; {shutdown}; < FA i+1 p+1; > FA p+1 i+2;"
			  "< A i+2 p+2; [PEER_FIN CLOSED GRACEFUL]; = CLD; # tw_skipped; {close}")
ROW(tw_2_is_not_the_limit_of_fin_wait_2, &rows_plain,
		REACH_EST "; {tw_ms 2000}; {close}; < FA i+1 p+1; > A p+1 i+2; +59s; = FW2; +2s;"
			  "[CLOSED TIMEOUT_FW2]; = CLD")

static const struct ep_opts wait_4_s = {
		.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true, .tw_ms = 4000}};
ROW(tw_2_listeners_own, &wait_4_s, REACH_TW_PAS "; +3998; = TW; +270; = LIS")
ROW(tw_2_openers_own, &wait_4_s, REACH_TW "; +3998; = TW; +270; = CLD")

/* A change does not touch entries that are there. */
static void
tw_2_change_is_for_new_entries(void **state)
{
	struct bed_peer a = {.ip = TEST_PEER, .port = 80, .seq = 1000};
	struct bed_peer b = {.ip = TEST_PEER, .port = 81, .seq = 1000};
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(bed_open(&bed, &a, 0, &conn), 0);
	bed_close_first(&bed, &a, conn);
	assert_int_equal(bed_open(&bed, &b, 0, &conn), 0);
	assert_int_equal(pmtcp_set(conn, PMTCP_OPT_TW_MS, 2000), 0);
	bed_close_first(&bed, &b, conn);
	bed_advance(&bed, 2300 * BED_MS);
	assert_int_equal(bed_stats(&bed).time_wait, 1);
	bed_advance(&bed, 57600 * BED_MS);
	assert_int_equal(bed_stats(&bed).time_wait, 1);
	bed_advance(&bed, 500 * BED_MS);
	assert_int_equal(bed_stats(&bed).time_wait, 0);
	bed_destroy(&bed);
}

static void
tw_3_entry_is_64_octets(void **state)
{
	struct pmtcp_conf conf;
	size_t few, many;

	(void)state;
	assert_int_equal(sizeof(struct time_wait), 64);
	ctx_conf_small(&conf, TEST_ADDR, TEST_PEER, 1);
	few = pmtcp_ctx_memsize(&conf);
	conf.max_time_wait += 1000000;
	many = pmtcp_ctx_memsize(&conf);
	/* 64 MB and the table's share. */
	assert_in_range(many - few, 64000000, 64000000 + 24000000);
}

static void
tw_3_connection_is_given_back_at_entry(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .seq = 1000};
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	bed_close_first(&bed, &peer, conn);
	assert_int_equal(bed_stats(&bed).live, 0);
	assert_int_equal(bed_stats(&bed).blocks_used, 1);
	bed_advance(&bed, 60300 * BED_MS);
	assert_int_equal(bed_stats(&bed).blocks_used, 0);
	bed_destroy(&bed);
}

/* ---- what it answers ---- */

ROW(tw_4_repeated_fin_is_acked_and_restarts, &rows_plain,
		REACH_TW "; +50s; > FA p+1 i+2; < A i+2 p+2; .; +59s; .; = TW; +2s; .; = CLD;"
			 "# tw_fin_again")
ROW(tw_4_repeated_fin_with_its_text, &rows_plain,
		REACH_FW2
		"; > PFA p+1 i+2 len=10; < A i+2 p+12; [READABLE PEER_FIN CLOSED GRACEFUL];"
		"{recv 20}=10; {close}; +50s; > PFA p+1 i+2 len=10; < A i+2 p+12; .; +59s;"
		"= TW; +2s; = CLD; # tw_fin_again")
ROW(tw_4_repeated_fin_with_a_fresh_timestamp, &with_ts,
		REACH_TW_TS
		"; +50s; > FA p+1 i+2 ts=1100:0; < A i+2 p+2 ts=1100; .; +59s; = TW; +2s;"
		"= LIS; # tw_fin_again")

ROW(tw_5_dec_1_rst_is_ignored, &rows_plain,
		REACH_TW
		"; +50s; > R p+2; > R p+1; > R p+3; > R p+60000; > R p-60000; > RA p+2 i+2; .;"
		"[]; = TW; # tw_rst_ignored+6 drop_tw_rst+6; " ENDS_ON_TIME)

ROW(tw_6_acceptable_ack_gets_nothing, &rows_plain,
		REACH_TW "; +50s; > A p+2 i+2; .; = TW; # seg_taken+4; " ENDS_ON_TIME)
ROW(tw_6_text_is_challenged_and_lost, &rows_plain,
		REACH_TW_HELD
		"; +50s; > PA p+2 i+2 len=10; < A i+2 p+2; > PA p+2 i+2 len=10; .; [];"
		"{recv 10}=0; {close}; # challenge_sent; " ENDS_ON_TIME)
ROW(tw_6_old_segment_is_challenged, &rows_plain,
		REACH_TW "; +50s; > PA p-99 i+2 len=10; < A i+2 p+2; > A p-99 i+2; .; # "
			 "challenge_sent; " ENDS_ON_TIME)
ROW(tw_6_segment_beyond_is_challenged, &rows_plain,
		REACH_TW "; +50s; > A p+60000 i+2; < A i+2 p+2; > A p+2 i+3; .; # "
			 "challenge_sent; " ENDS_ON_TIME)
ROW(tw_6_urgent_is_ignored, &rows_plain,
		REACH_TW "; +50s; > UA p+2 i+2; .; []; = TW; " ENDS_ON_TIME)

ROW(tw_7_stale_fin_is_challenged_without_restart, &with_ts,
		REACH_TW_TS
		"; +50s; > FA p+1 i+2 ts=1002:0; < A i+2 p+2 ts=1003; > FA p+1 i+2 ts=1:0;"
		".; # drop_paws+2 challenge_sent tw_fin_again+0; +9900; = TW; +400;"
		"= LIS")
ROW(tw_7_is_not_for_rst, &with_ts,
		REACH_TW_TS "; > R p+2 ts=1:0; .; = TW; # drop_paws+0 tw_rst_ignored")

/* ---- who reopens it ---- */

/* Numbers of the new incarnation: 65537 above SND.NXT, which is i+2 (TW-10). */
ROW(tw_8_later_timestamp_opens_at_any_number, &with_ts,
		REACH_TW_TS "; > S p-5000 ts=1004:0; < SA i+65539 p-4999 ts=1004; .; = SYR;"
			    "# tw_reused_in")
ROW(tw_8_equal_timestamp_opens_above_the_last_number, &with_ts,
		REACH_TW_TS
		"; > S p+2 ts=1003:0; < SA i+65539 p+3 ts=1003; .; = SYR; # tw_reused_in")
ROW(tw_8_equal_timestamp_does_not_open_at_the_last_number, &with_ts,
		REACH_TW_TS "; > S p+1 ts=1003:0; < A i+2 p+2 ts=1003; .; = TW; # drop_tw_syn")
ROW(tw_8_equal_timestamp_does_not_open_below, &with_ts,
		REACH_TW_TS "; > S p-5000 ts=1003:0; < A i+2 p+2 ts=1003; .; = TW; # drop_tw_syn")
ROW(tw_8_earlier_timestamp_does_not_open, &with_ts,
		REACH_TW_TS "; > S p+100000 ts=1002:0; < A i+2 p+2 ts=1003; .; = TW; # drop_tw_syn")

ROW(tw_9_without_timestamps_a_higher_number_opens, &rows_plain,
		REACH_TW_PAS "; > S p+2; < SA i+65539 p+3; .; = SYR; # tw_reused_in")
ROW(tw_9_without_timestamps_the_last_number_does_not, &rows_plain,
		REACH_TW_PAS "; > S p+1; < A i+2 p+2; .; = TW; # drop_tw_syn")
ROW(tw_9_syn_without_after_a_connection_with, &with_ts,
		REACH_TW_TS "; > S p+1; < A i+2 p+2 ts=1003; .; = TW; > S p+2; < SA i+65539 p+3; .;"
			    "= SYR")
ROW(tw_9_syn_with_after_a_connection_without, &with_ts,
		"{listen}; > S p; < SA i= p+1; > A p+1 i+1; [ACCEPTED]; {shutdown}; < FA i+1 p+1;"
		"> FA p+1 i+2; < A i+2 p+2; [PEER_FIN CLOSED GRACEFUL]; {close}; = TW;"
		"> S p-5000 ts=1:0; < SA i+65539 p-4999 ts=1; .; = SYR")
ROW(tw_9_without_a_listener_it_is_challenged, &rows_plain,
		REACH_TW "; > S p+100000; < A i+2 p+2; .; = TW; # drop_tw_syn rst_sent+0")

ROW(tw_10_reopened_number_is_65537_above, &rows_plain,
		REACH_TW_PAS
		"; > S p+100000; < SA i+65539 p+100001; > A p+100001 i+65540; [ACCEPTED];"
		".; = EST; > R p+100001; [CLOSED PEER_RESET]; {close}; +120s; .; = LIS")

/* After 30 s the clock of the numbers is far above 65537. */
static void
tw_10_later_number_is_the_clocks(void **state)
{
	static struct ep ep;
	uint32_t old;

	(void)state;
	rows_begin(&ep, "tw_10", &rows_plain, REACH_TW_PAS "; +30s");
	old = ep.iss;
	cell_script(&ep, "> S p+100000; < SA i= p+100001; = SYR");
	/* 30 s of 250 000 a second. */
	assert_in_range(ep.iss - old, 7500000, 7600000);
	rows_end(&ep);
}

ROW(tw_10_stale_syn_brings_the_entry_back, &rows_plain,
		REACH_TW_PAS "; +50s; > S p+100000; < SA i= p+100001; = SYR; > R p+100001; .; [];"
			     "= TW; # tw_restored; +9900; = TW; +400; .; = LIS")
ROW(tw_10_restored_entry_acks_the_old_fin, &rows_plain,
		REACH_TW_PAS
		"; > S p+100000; ~; > R p+100001; .; = TW; > FA p+1 i+2; < A i+2 p+2; .;"
		"= TW")

static const struct ep_opts wait_240_s = {.conn = {.no_timestamps = true,
							  .no_sack = true,
							  .no_wscale = true,
							  .tw_ms = 240000}};
ROW(tw_10_silent_syn_brings_the_entry_back, &wait_240_s,
		REACH_TW_PAS
		"; +100s; > S p+100000; ~; = SYR; +100s; ~; = TW; # tw_restored; +39s; .;"
		"= TW; +2s; .; = LIS")

ROW(tw_11_dec_4_unfit_syn_is_challenged_without_restart, &rows_plain,
		REACH_TW_PAS
		"; +50s; > S p-5000; < A i+2 p+2; .; []; # drop_tw_syn; +9900; = TW; +400;"
		"= LIS")
ROW(tw_11_syn_with_a_stale_timestamp_is_challenged, &with_ts,
		REACH_TW_TS
		"; +50s; > S p+5000 ts=3:0; < A i+2 p+2 ts=1003; .; # drop_tw_syn; +9900;"
		"= TW; +400; = LIS")
ROW(tw_11_challenges_are_throttled, &rows_plain,
		REACH_TW_PAS
		"; > S p-5000; < A i+2 p+2; > S p-5000; > S p+1; .; = TW; # drop_tw_syn+3")
ROW(tw_11_syn_ack_never_reopens, &rows_plain,
		REACH_TW_PAS "; +50s; > SA p+100000 i+2; < A i+2 p+2; .; []; = TW; # drop_tw_syn "
			     "tw_reused_in+0; +9900; = TW; +400; = LIS")
ROW(tw_11_syn_fin_never_reopens, &rows_plain,
		REACH_TW_PAS "; +50s; > SF p+100000; < A i+2 p+2; .; []; = TW; # drop_tw_syn "
			     "tw_reused_in+0; +9900; = TW; +400; = LIS")

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			T(tw_1_from_fin_wait_2),
			T(tw_1_from_fin_wait_1),
			T(tw_1_from_closing),
			T(tw_1_tuple_is_free_afterwards),
			T(tw_1_passive_closer_never_enters),
			T(tw_2_setting_of_2_s_is_kept),
			T(tw_2_range_is_1_to_240_s_or_0),
			T(tw_2_is_not_the_limit_of_fin_wait_2),
			T(tw_2_listeners_own),
			T(tw_2_openers_own),
			T(tw_2_change_is_for_new_entries),
			T(tw_3_entry_is_64_octets),
			T(tw_3_connection_is_given_back_at_entry),
			T(tw_4_repeated_fin_is_acked_and_restarts),
			T(tw_4_repeated_fin_with_its_text),
			T(tw_4_repeated_fin_with_a_fresh_timestamp),
			T(tw_5_dec_1_rst_is_ignored),
			T(tw_6_acceptable_ack_gets_nothing),
			T(tw_6_text_is_challenged_and_lost),
			T(tw_6_old_segment_is_challenged),
			T(tw_6_segment_beyond_is_challenged),
			T(tw_6_urgent_is_ignored),
			T(tw_7_stale_fin_is_challenged_without_restart),
			T(tw_7_is_not_for_rst),
			T(tw_8_later_timestamp_opens_at_any_number),
			T(tw_8_equal_timestamp_opens_above_the_last_number),
			T(tw_8_equal_timestamp_does_not_open_at_the_last_number),
			T(tw_8_equal_timestamp_does_not_open_below),
			T(tw_8_earlier_timestamp_does_not_open),
			T(tw_9_without_timestamps_a_higher_number_opens),
			T(tw_9_without_timestamps_the_last_number_does_not),
			T(tw_9_syn_without_after_a_connection_with),
			T(tw_9_syn_with_after_a_connection_without),
			T(tw_9_without_a_listener_it_is_challenged),
			T(tw_10_reopened_number_is_65537_above),
			T(tw_10_later_number_is_the_clocks),
			T(tw_10_stale_syn_brings_the_entry_back),
			T(tw_10_restored_entry_acks_the_old_fin),
			T(tw_10_silent_syn_brings_the_entry_back),
			T(tw_11_dec_4_unfit_syn_is_challenged_without_restart),
			T(tw_11_syn_with_a_stale_timestamp_is_challenged),
			T(tw_11_challenges_are_throttled),
			T(tw_11_syn_ack_never_reopens),
			T(tw_11_syn_fin_never_reopens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
