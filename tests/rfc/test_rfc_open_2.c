/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: OPEN-15 to OPEN-28 of doc/requirements.md, row after row: what each state of an
 * opening does with segments that are wrong, late, doubled or crossed. Method: scripts;
 * that two of us open to each other is in test_rfc_open_sim.c. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/rows.h"

static struct bed bed;

/* ---- OPEN-15 ---- */

ROW(open_15_wrong_syn_ack_gets_rsta, &rows_plain,
		"{open}; < S i= 0; > SA p i+2; < R i+2 0; []; = SYS; > SA p i; < R i 0; []; = SYS;"
		"> SA p i-1; < R i-1 0; []; = SYS; > SA p i+1; < A i+1 p+1; [CONNECTED]; = EST")

/* ---- OPEN-16 ---- */

ROW(open_16_rst_with_the_right_ack_refuses, &rows_plain,
		"{open}; < S i= 0; > RA 0 i+1; [CLOSED REFUSED]; .; = CLD")
ROW(open_16_rst_without_or_with_a_bad_ack_is_dropped, &rows_plain,
		"{open}; < S i= 0; > R p; > R 0; > RA 0 i; > RA p i+2; .; []; = SYS; # drop_rst+4")

/* ---- OPEN-17 ---- */

ROW(open_17_neither_syn_nor_rst_is_dropped, &rows_plain,
		"{open}; < S i= 0; > A p i+1; > PA p i+1 len=10; > FA p i+1; .; []; = SYS;"
		"# drop_syn_sent+3; > SA p i+1; < A i+1 p+1; [CONNECTED]; = EST")
ROW(open_17_with_a_bad_ack_it_gets_rsta, &rows_plain,
		"{open}; < S i= 0; > PA p i+2 len=10; < R i+2 0; []; = SYS; > FA p i; < R i 0; [];"
		"= SYS; ~; > SA p i+1; < A i+1 p+1; [CONNECTED]; = EST")
ROW(open_17_without_ack_it_is_dropped, &rows_plain,
		"{open}; < S i= 0; > F p; > - p len=10; .; []; = SYS")

/* ---- OPEN-18 ---- */

ROW(open_18_crossing_syns, &rows_plain,
		"{open}; < S i= 0; > S p; < SA i p+1; = SYR; []; ? rcv_nxt p+1")
/* The SYN left at 0 s and had waited 0.9 s; its SYN-ACK waits a second of its own. */
ROW(open_18_rto_starts_anew, &rows_plain,
		"{open}; < S i= 0; +900; > S p; < SA i p+1; +990; .; +20; < SA i p+1; = SYR")
/* MUST-11: it is remembered who opened: the application learns how it ends. */
ROW(open_18_it_stays_an_active_open, &rows_plain,
		"{listen}; {open}; < S i= 0; > S p; < SA i p+1; > R p+1; [CLOSED REFUSED]; .; = "
		"CLD")

/* ---- OPEN-19 ---- */

ROW(open_19_it_completes_by_syn_ack, &rows_plain,
		"{open}; < S i= 0; > S p; < SA i p+1; > SA p i+1; [CONNECTED]; < A i+1 p+1; .;"
		"= EST; ? rcv_nxt p+1")
ROW(open_19_it_completes_by_ack, &rows_plain,
		"{open}; < S i= 0; > S p; < SA i p+1; > A p+1 i+1; [CONNECTED]; .; = EST")

/* ---- OPEN-20 ---- */

ROW(open_20_text_on_a_syn_comes_again, &rows_plain,
		"{listen}; > S p len=10; < SA i= p+1; > PA p+1 i+1 len=10; [ACCEPTED READABLE];"
		"{recv 99}=10; +42; < A i+1 p+11")
ROW(open_20_text_on_a_syn_ack_is_taken, &rows_plain,
		"{open}; < S i= 0; > SA p i+1 len=4; < A i+1 p+5; [CONNECTED READABLE]; {recv 9}=4")
ROW(open_20_fin_on_a_syn_ack_is_taken, &rows_plain,
		"{open}; < S i= 0; > SFA p i+1 len=4; < A i+1 p+6; [CONNECTED READABLE PEER_FIN];"
		"= CLW; {recv 9}=4; {recv 1}=0")

/* ---- OPEN-21 ---- */

ROW(open_21_server_repeats_its_syn_ack, &rows_plain,
		"{listen}; > S p; < SA i= p+1; +1001; < SA i p+1; > A p+1 i+1; [ACCEPTED]; .; = "
		"EST")
ROW(open_21_opener_answers_it, &rows_plain, REACH_EST "; > SA p i+1; < A i+1 p+1; .; []; = EST")
ROW(open_21_also_with_text_in_flight, &rows_plain,
		REACH_EST
		"; {send 10}; < PA i+1 p+1 len=10; > SA p i+1; < A i+11 p+1; .; []; = EST;"
		"> A p+1 i+11; .")
ROW(open_21_also_while_closing, &rows_plain, REACH_FW1 "; > SA p i+1; < A i+2 p+1; .; []; = FW1")
ROW(open_21_text_completes_it_too, &rows_plain,
		"{listen}; > S p; < SA i= p+1; > PA p+1 i+1 len=4; [ACCEPTED READABLE]; {recv 9}=4;"
		"+42; < A i+1 p+5; = EST")

/* ---- OPEN-22 ---- */

ROW(open_22_stale_syn_leaves_nothing, &rows_plain,
		"{listen}; > S p-10; < SA i= p-9; > R p-9; .; []; = LIS; # half_open_reset;"
		"> S p; < SA i= p+1; > A p+1 i+1; [ACCEPTED]; .; = EST")
ROW(open_22_syn_ack_for_no_syn_gets_rsta, &rows_plain, "> SA p 91; < R 91 0; []; = CLD")

/* ---- OPEN-23 ---- */

ROW(open_23_peer_came_up_anew, &rows_plain,
		REACH_EST_PAS "; > S p+5000; < A i+1 p+1; []; = EST; > R p+1; [CLOSED PEER_RESET];"
			      "{close}; .; > S p+5000; < SA i= p+5001; > A p+5001 i+1; [ACCEPTED];"
			      ".; = EST")
ROW(open_23_text_to_no_connection_gets_rsta, &rows_plain, "> PA p 400 len=10; < R 400 0; []; = CLD")
ROW(open_23_we_came_up_anew, &rows_plain,
		REACH_EST "; {abort}; < RA i+1 p+1; [CLOSED LOCAL_ABORT]; > PA p+1 i+1 len=10;"
			  "< R i+1 0; = CLD")

/* ---- OPEN-24 ---- */

ROW(open_24_dec_9_listen_takes_syns_only, &rows_plain,
		"{listen}; > R p; > RA p 7; > SR p; > SRA p 7; .; = LIS; # drop_rst+4; > A p 7;"
		"< R 7 0; > SA p 8; < R 8 0; > FA p 9; < R 9 0; > PA p 10 len=5; < R 10 0; = LIS;"
		"> - p; > F p; > P p len=5; .; = LIS; # drop_listen+7; > SF p; > SF p len=3; .;"
		"# drop_syn_fin+2 half_open_created+0; = LIS; []")

/* ---- OPEN-25 ---- */

ROW(open_25_dec_3_same_syn_gets_the_same_syn_ack, &rows_plain,
		"{listen}; > S p; < SA i= p+1; +10; > S p; < SA i p+1; .; = SYR;"
		"# half_open_created synack_retransmitted+0")
/* In one burst one answer does, and the next time-out is the first one still. */
ROW(open_25_a_burst_of_syns_is_one, &rows_plain,
		"{listen}; > S p; > S p; > S p; < SA i= p+1; .; > S p; > S p; < SA i p+1; .; = SYR;"
		"+1001; < SA i p+1; +1990; .; +12; < SA i p+1; # half_open_created "
		"synack_retransmitted+2")
ROW(open_25_dec_3_other_syn_is_challenged, &rows_plain,
		"{listen}; > S p; < SA i= p+1; > S p+5; < A i+1 p+1; > S p-5; .; = SYR;"
		"# challenge_sent challenge_throttled; > A p+1 i+1; [ACCEPTED]; .; = EST")

/* ---- OPEN-26 ---- */

ROW(open_26_rst_frees_a_half_open_silently, &rows_plain,
		"{listen}; > S p; < SA i= p+1; > R p+1; .; []; = LIS; # half_open_reset")
ROW(open_26_rst_refuses_an_active_open, &rows_plain,
		"{open}; < S i= 0; > S p; < SA i p+1; > R p+1; .; [CLOSED REFUSED]; = CLD")

/* ---- OPEN-27 ---- */

ROW(open_27_wrong_third_ack_gets_rsta, &rows_plain,
		"{listen}; > S p; < SA i= p+1; > A p+1 i+9; < R i+9 0; = SYR; > A p+1 i+2;"
		"< R i+2 0; = SYR; > A p+1 i; < R i 0; []; = SYR; > A p+1 i+1; [ACCEPTED]; .; = "
		"EST")
ROW(open_27_also_of_an_active_open, &rows_plain,
		"{open}; < S i= 0; > S p; < SA i p+1; > A p+1 i+9; < R i+9 0; = SYR; > A p+1 i;"
		"< R i 0; []; = SYR; > A p+1 i+1; [CONNECTED]; .; = EST")
ROW(open_27_fin_with_the_right_ack_opens_and_ends, &rows_plain,
		"{listen}; > S p; < SA i= p+1; > FA p+1 i+1; [ACCEPTED PEER_FIN]; < A i+1 p+2; .;"
		"= CLW")
ROW(open_27_fin_without_ack_is_dropped, &rows_plain,
		"{listen}; > S p; < SA i= p+1; > F p+1; .; []; = SYR; # drop_no_ack")

/* ---- OPEN-28 ---- */

static void
tune_ten_addresses(struct pmtcp_conf *conf)
{
	conf->ranges[0].last = conf->ranges[0].first + 9;
	conf->n_static_neigh = 0;
}

static void
open_28_own_addresses_are_refused(void **state)
{
	static const uint32_t own[] = {TEST_ADDR, TEST_ADDR + 9};
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, tune_ten_addresses);
	for (size_t i = 0; i < 4; i++) {
		struct pmtcp_addr local = pmtcp_addr4(own[i / 2], 80);
		struct pmtcp_addr remote = pmtcp_addr4(own[i % 2], 80);

		assert_int_equal(pmtcp_connect(bed.ctx, &local, &remote, NULL, &conn), -EINVAL);
	}
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	bed_destroy(&bed);
}

/* W-15 */
static void
open_28_land_makes_no_half_open(void **state)
{
	struct pmtcp_addr local = pmtcp_addr4(0, 80);
	struct build b = {.sport = 80, .dport = 80, .flags = PKT_SYN};
	struct pmtcp_listener *l;

	(void)state;
	bed_create(&bed, tune_ten_addresses);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
	for (uint32_t i = 0; i < 2; i++) {
		b.daddr = TEST_ADDR;
		b.saddr = TEST_ADDR + 9 * i;
		bed_inject(&bed, &b);
	}
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_land), 2);
	assert_int_equal(bed_stats(&bed).half_open, 0);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(open_15_wrong_syn_ack_gets_rsta),
			cmocka_unit_test(open_16_rst_with_the_right_ack_refuses),
			cmocka_unit_test(open_16_rst_without_or_with_a_bad_ack_is_dropped),
			cmocka_unit_test(open_17_neither_syn_nor_rst_is_dropped),
			cmocka_unit_test(open_17_with_a_bad_ack_it_gets_rsta),
			cmocka_unit_test(open_17_without_ack_it_is_dropped),
			cmocka_unit_test(open_18_crossing_syns),
			cmocka_unit_test(open_18_rto_starts_anew),
			cmocka_unit_test(open_18_it_stays_an_active_open),
			cmocka_unit_test(open_19_it_completes_by_syn_ack),
			cmocka_unit_test(open_19_it_completes_by_ack),
			cmocka_unit_test(open_20_text_on_a_syn_comes_again),
			cmocka_unit_test(open_20_text_on_a_syn_ack_is_taken),
			cmocka_unit_test(open_20_fin_on_a_syn_ack_is_taken),
			cmocka_unit_test(open_21_server_repeats_its_syn_ack),
			cmocka_unit_test(open_21_opener_answers_it),
			cmocka_unit_test(open_21_also_with_text_in_flight),
			cmocka_unit_test(open_21_also_while_closing),
			cmocka_unit_test(open_21_text_completes_it_too),
			cmocka_unit_test(open_22_stale_syn_leaves_nothing),
			cmocka_unit_test(open_22_syn_ack_for_no_syn_gets_rsta),
			cmocka_unit_test(open_23_peer_came_up_anew),
			cmocka_unit_test(open_23_text_to_no_connection_gets_rsta),
			cmocka_unit_test(open_23_we_came_up_anew),
			cmocka_unit_test(open_24_dec_9_listen_takes_syns_only),
			cmocka_unit_test(open_25_dec_3_same_syn_gets_the_same_syn_ack),
			cmocka_unit_test(open_25_a_burst_of_syns_is_one),
			cmocka_unit_test(open_25_dec_3_other_syn_is_challenged),
			cmocka_unit_test(open_26_rst_frees_a_half_open_silently),
			cmocka_unit_test(open_26_rst_refuses_an_active_open),
			cmocka_unit_test(open_27_wrong_third_ack_gets_rsta),
			cmocka_unit_test(open_27_also_of_an_active_open),
			cmocka_unit_test(open_27_fin_with_the_right_ack_opens_and_ends),
			cmocka_unit_test(open_27_fin_without_ack_is_dropped),
			cmocka_unit_test(open_28_own_addresses_are_refused),
			cmocka_unit_test(open_28_land_makes_no_half_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
