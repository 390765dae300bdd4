/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the decisions DEC-2, -6, -8 and -13 of doc/requirements.md, which no row of another
 * section shows in full; those of the others have `dec` in the names of their tests.
 * Method: scripts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/rows.h"

static const struct ep_opts rows_rfc = {.tune = pmtcp_conf_rfc,
		.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true}};

static void
tune_iw_rfc5681(struct pmtcp_conf *conf)
{
	conf->initial_window = PMTCP_IW_RFC5681;
}

static const struct ep_opts rows_iw = {.tune = tune_iw_rfc5681,
		.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true}};

/* Also where the next FIN would have led to TIME-WAIT: the tuple is free at once. */
ROW(dec_2_abort_leaves_no_time_wait, &rows_plain,
		REACH_FW2 "; {abort}; < RA i+2 p+1; [CLOSED LOCAL_ABORT]; = CLD; # tw_entered+0;"
			  "{open}; < S i= 0; = SYS; {close}; [CLOSED LOCAL_CLOSE]; = CLD")
ROW(dec_2_abort_after_the_peers_fin_leaves_no_time_wait, &rows_plain,
		REACH_CLW "; {abort}; < RA i+1 p+2; [CLOSED LOCAL_ABORT]; = CLD; # tw_entered+0;"
			  "{open}; < S i= 0; = SYS; {close}; [CLOSED LOCAL_CLOSE]; = CLD")

/* With the knob the tuple rests for 2MSL, and whoever missed the RST has it again. */
#define RESTS                                                                                      \
	"[CLOSED LOCAL_ABORT]; = TW; # tw_entered; {open}=-EBUSY; +59950; .; = TW; +400; .; = "    \
	"CLD;"                                                                                     \
	"# tw_expired; {open}; < S i= 0; = SYS"
static void
tune_tw_after_rst(struct pmtcp_conf *conf)
{
	conf->tw_after_rst = true;
}

static const struct ep_opts rows_tw = {.tune = tune_tw_after_rst,
		.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true}};
ROW(dec_2_knob_keeps_the_tuple, &rows_tw, REACH_EST "; {abort}; < RA i+1 p+1;" RESTS)
ROW(dec_2_knob_keeps_the_tuple_in_fin_wait_1, &rows_tw, REACH_FW1 "; {abort}; < RA i+2 p+1;" RESTS)
ROW(dec_2_knob_keeps_the_tuple_in_fin_wait_2, &rows_tw, REACH_FW2 "; {abort}; < RA i+2 p+1;" RESTS)
ROW(dec_2_knob_keeps_the_tuple_in_close_wait, &rows_tw, REACH_CLW "; {abort}; < RA i+1 p+2;" RESTS)
ROW(dec_2_knob_answers_by_rst, &rows_tw,
		REACH_EST "; {abort}; < RA i+1 p+1; [CLOSED LOCAL_ABORT]; > PA p+1 i+1 len=10;"
			  "< R i+1 0; = TW; > FA p+1 i+1; < R i+1 0; = TW; # drop_after_close+2;"
			  "> R p+1; .; = TW; # tw_rst_ignored")
ROW(dec_2_knob_is_for_aborts_that_send_an_rst, &rows_tw,
		REACH_LAK "; {abort}; .; [CLOSED LOCAL_ABORT]; = CLD; # tw_entered+0")

#define LOST_TEXT REACH_WIDE "; {send 10}; < PA i+1 p+1 len=10;"
#define AGAIN     "< PA i+1 p+1 len=10; > A p+1 i+11 wnd=65535; ."
ROW(dec_6_floor_is_200_ms, &rows_plain, LOST_TEXT "+198; .; +4;" AGAIN)
ROW(dec_6_floor_of_preset_rfc_is_1_s, &rows_rfc, LOST_TEXT "+998; .; +4;" AGAIN)

/* TIME-WAIT ends up to 256 ms late. */
ROW(dec_8_2msl_is_60_s, &rows_plain, REACH_TW "; +59950; .; = TW; +400; .; = CLD; # tw_expired")
ROW(dec_8_2msl_of_preset_rfc_is_240_s, &rows_rfc,
		REACH_TW "; +239950; .; = TW; +400; .; = CLD; # tw_expired")

/* RFC 5681 3.1: four segments, three above 1095 octets. */
static void
dec_13_initial_window_of_rfc_5681(void **state)
{
	static const struct {
		uint16_t mss;
		uint32_t octets;
	} rows[] = {{88, 352}, {536, 2144}, {1095, 4380}, {1096, 3288}, {1460, 4380}};
	static struct ep ep;
	char reach[160];

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		uint32_t octets = 0;

		snprintf(reach, sizeof(reach),
				"{listen}; > S p wnd=65535 mss=%u; < SA i= p+1;"
				"> A p+1 i+1 wnd=65535; [ACCEPTED]; {send 30000}",
				rows[i].mss);
		rows_begin(&ep, "iw", &rows_iw, reach);
		assert_int_equal(rows_info(&ep).cwnd, rows[i].octets);
		while (ep_take(&ep) != NULL)
			octets += ep.taken.len;
		assert_int_equal(octets, rows[i].octets);
		ep_abort(&ep);
		cell_script(&ep, "~; [CLOSED LOCAL_ABORT]; = CLD");
		rows_end(&ep);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(dec_2_abort_leaves_no_time_wait),
			cmocka_unit_test(dec_2_abort_after_the_peers_fin_leaves_no_time_wait),
			cmocka_unit_test(dec_2_knob_keeps_the_tuple),
			cmocka_unit_test(dec_2_knob_keeps_the_tuple_in_fin_wait_1),
			cmocka_unit_test(dec_2_knob_keeps_the_tuple_in_fin_wait_2),
			cmocka_unit_test(dec_2_knob_keeps_the_tuple_in_close_wait),
			cmocka_unit_test(dec_2_knob_answers_by_rst),
			cmocka_unit_test(dec_2_knob_is_for_aborts_that_send_an_rst),
			cmocka_unit_test(dec_6_floor_is_200_ms),
			cmocka_unit_test(dec_6_floor_of_preset_rfc_is_1_s),
			cmocka_unit_test(dec_8_2msl_is_60_s),
			cmocka_unit_test(dec_8_2msl_of_preset_rfc_is_240_s),
			cmocka_unit_test(dec_13_initial_window_of_rfc_5681),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
