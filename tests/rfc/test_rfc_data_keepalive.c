/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: keepalive as of RFC 9293 3.8.4 - off by default, idle time, interval, tries,
 * what counts as a sign of life, and in which states (DATA-47, CLOSE-38, CLOSE-40).
 * Method: rows of script in virtual time, numbers typed from the requirements. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/rows.h"

static const struct ep_opts with_defaults = {
		.conn = {.no_timestamps = true,
				.no_sack = true,
				.no_wscale = true,
				.keepalive_ms = PMTCP_KEEPALIVE_DEFAULT_MS}};

/* 10 s idle, 2 s apart, 3 tries. */
static const struct ep_opts with_short = {.conn = {.no_timestamps = true,
							  .no_sack = true,
							  .no_wscale = true,
							  .keepalive_ms = 10000,
							  .keepalive_intvl_ms = 2000,
							  .keepalive_count = 3}};

static const struct ep_opts with_1_s = {.conn = {.no_timestamps = true,
							.no_sack = true,
							.no_wscale = true,
							.keepalive_ms = 1000,
							.keepalive_intvl_ms = 1000}};

static void
one_rare(struct pmtcp_conf *conf)
{
	conf->max_rares = 1;
}

static const struct ep_opts with_one_rare = {.tune = one_rare,
		.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true}};

ROW(data_47_keepalive_is_off_by_default, &rows_plain,
		REACH_EST "; +86400s; .; []; = EST; # keepalive_sent+0")

ROW(data_47_probe_after_two_hours_answered_is_alive, &with_defaults,
		REACH_EST "; +7199s; .; +1002; < A i p+1 len=0; > A p+1 i+1; .; []; = EST;"
			  "+7199s; .; +1002; < A i p+1; > A p+1 i+1; .; = EST; # keepalive_sent+2")

/* The listener's option is the accepted connection's. */
ROW(data_47_accepted_connection_is_probed, &with_defaults,
		REACH_EST_PAS "; +7199s; .; +1002; < A i p+1; > A p+1 i+1; []; = EST")

/* Two hours, then 9 probes 75 s apart, then the end 75 s after the last. */
ROW(data_47_nine_unanswered_probes_end, &with_defaults,
		REACH_EST "; +7201s; < A i p+1; +75s; < A i p+1; +75s; < A i p+1;"
			  "+75s; < A i p+1; +75s; < A i p+1; +75s; < A i p+1; +75s; < A i p+1;"
			  "+75s; < A i p+1; +75s; < A i p+1; .; []; = EST; +73s; .; []; +2s;"
			  "< RA i+1 p+1; [CLOSED TIMEOUT_KA]; = CLD;"
			  "# keepalive_sent+9 rst_sent; {close}")

/* MUST-29: the count starts anew with each sign of life. */
ROW(data_47_one_missed_answer_is_not_death, &with_short,
		REACH_EST "; +10001; < A i p+1; +2001; < A i p+1; +500; > A p+1 i+1; .; []; = EST;"
			  "+9990; .; +20; < A i p+1; +2001; < A i p+1; +2001; < A i p+1; .; [];"
			  "= EST; +2001; < RA i+1 p+1; [CLOSED TIMEOUT_KA]; {close}")

/* Anything that the peer can have sent shows that it lives. */
ROW(data_47_any_segment_postpones, &with_short,
		REACH_EST "; +6s; > A p+1 i+1; +6s; .; > PA p+1 i+1 len=10; [READABLE];"
			  "{recv 10}; +42; < A i+1 p+11; +6s; .; > PA p+11 i+1 len=10; [READABLE];"
			  "{recv 10}; +42; < A i+1 p+21; +9940; .; +20; < A i p+21;"
			  "> A p+21 i+1; []; = EST;"
			  "# keepalive_sent")

/* Whoever knows only the tuple shows nothing of the peer: numbers far away, a SYN, a reset. */
ROW(data_47_blind_segments_do_not_postpone, &with_short,
		REACH_EST "; +9s; > A p+900000 i+1; < A i+1 p+1; > R p+900000; > S p+900000;"
			  "> PA p+900000 i+1 len=10; ~; +990; .; +20; < A i p+1; +1s;"
			  "> PA p+900000 i+1 len=10; ~; +990; .; +20; < A i p+1; +2001; < A i p+1;"
			  "+2001; < RA i+1 p+1; [CLOSED TIMEOUT_KA]; {close}")

/* MUST-26: not while something is in flight; the retransmissions ask by themselves. */
ROW(data_47_no_probe_while_data_is_outstanding, &with_short,
		REACH_EST "; +9s; {send 10}; < PA i+1 p+1 len=10; +1001; ~; +2001; ~; +4001; ~;"
			  "+8001; ~; = EST; # keepalive_sent+0; > A p+1 i+11; .; [ERROR "
			  "TIMEOUT_RTX]; +9990; .;"
			  "+20; < A i+10 p+1; > A p+1 i+11; .; # keepalive_sent")

ROW(data_47_no_probe_while_window_is_shut, &with_short,
		REACH_EST "; > A p+1 i+1 wnd=0; {send 10}; .; +30s; ~; = EST; # keepalive_sent+0;"
			  "{abort}; < RA i+1 p+1; [CLOSED LOCAL_ABORT]")

/* Data given between the timer and the output pass asks instead. */
ROW(data_47_data_takes_the_place_of_a_probe, &with_short,
		REACH_EST "; +9990; .; {send 10}; +20; < PA i+1 p+1 len=10; .; > A p+1 i+11; .;"
			  "# keepalive_sent+0")

ROW(data_47_set_after_open_and_off_again, &rows_plain,
		REACH_EST "; +50s; {keepalive_ms 10000}; +9990; .; +20; < A i p+1; > A p+1 i+1;"
			  "{keepalive_ms 0}; +86400s; .; []; = EST; # keepalive_sent")

ROW(data_47_values_out_of_range_are_refused, &rows_plain,
		REACH_EST "; {keepalive_ms 99}=-EINVAL; {keepalive_ms 604800001}=-EINVAL;"
			  "{keepalive_intvl_ms 0}=-EINVAL; {keepalive_count 0}=-EINVAL;"
			  "{keepalive_count 256}=-EINVAL; {keepalive_ms 100};"
			  "{keepalive_ms 604800000}; {keepalive_intvl_ms 100};"
			  "{keepalive_count 255}; .; []; = EST")

/* A probe does not touch the congestion window: no side record even exists. */
ROW(data_47_probe_leaves_cwnd_alone, &with_short,
		REACH_EST "; {send 10}; < PA i+1 p+1 len=10; > A p+1 i+11; +9990; .; +20;"
			  "< A i+10 p+1; > A p+1 i+11; {send 1000}; {send 1000}; {send 1000};"
			  "{nodelay 1}; < A i+11 p+1 len=1460; < A i+1471 p+1 len=1460;"
			  "< PA i+2931 p+1 len=80; > A p+1 i+3011; .; = EST")

ROW(close_38_keepalive_ends_fin_wait_2, &with_short,
		REACH_FW2 "; +10001; < A i+1 p+1; +2001; < A i+1 p+1; +2001; < A i+1 p+1; .;"
			  "[]; = FW2; +2001; < RA i+2 p+1; [CLOSED TIMEOUT_KA]; = CLD; {close}")

ROW(data_47_close_wait_is_probed, &with_short,
		REACH_CLW "; +10001; < A i p+2; > A p+2 i+1; .; []; = CLW; +9990; .; +20;"
			  "< A i p+2; +2001; < A i p+2; +2001; < A i p+2; +2001; < RA i+1 p+2;"
			  "[CLOSED TIMEOUT_KA]; = CLD; {close}")

ROW(close_40_keepalive_stops_on_time_wait, &with_1_s,
		REACH_FW2 "; > FA p+1 i+2; < A i+2 p+2; [PEER_FIN CLOSED GRACEFUL]; = TW;"
			  "+62s; .; = CLD; {close}; # keepalive_sent+0")

ROW(close_40_keepalive_stops_on_closed, &with_1_s,
		REACH_EST "; {abort}; < RA i+1 p+1; [CLOSED LOCAL_ABORT]; +62s; .;"
			  "# keepalive_sent+0")

/* The connection goes on without; setting the option later says so. */
static void
data_47_without_a_side_record_goes_on(void **state)
{
	static struct ep ep;
	struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, 0);
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, 7);
	struct pmtcp_conn_opts opts = {.user_timeout_ms = 60000};
	struct pmtcp_stats stats;
	struct pmtcp_conn *other;

	(void)state;
	rows_begin(&ep, "rare_full", &with_one_rare, REACH_EST);
	assert_int_equal(pmtcp_connect(ep.ctx, &local, &remote, &opts, &other), 0);
	cell_script(&ep, "~; {keepalive_ms 1000}=-ENOBUFS; {user_timeout_ms 1000}=-ENOBUFS;"
			 "{linger_ms 1000}; {send 10}; ~");
	assert_int_equal(ep_gained(&ep, PMTCP_C_rare_full), 2);
	pmtcp_detach(other);
	cell_script(&ep, "~; {keepalive_ms 1000}; > A p+1 i+11; +1010; < A i+10 p+1; {abort};"
			 "< RA i+11 p+1; [CLOSED LOCAL_ABORT]");
	pmtcp_stats(ep.ctx, &stats);
	assert_int_equal(stats.rares_used, 0);
	rows_end(&ep);
}

/* The probe is due, and before it could leave the peer speaks and the application writes: one
 * octet left as a window probe, against a window that was open. */
static void
data_47_withdrawn_probe_is_no_window_probe(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, __func__, &with_short, REACH_EST "; +9990; .");
	ep.now += 20 * EP_MS;
	pmtcp_tick(ep.ctx, ep.now);
	cell_script(&ep, "> A p+1 i+1; {send 1000}; < PA i+1 p+1 len=1000; .; > A p+1 i+1001;"
			 "# keepalive_sent+0 probe_sent+0");
	ep.now += 9990 * EP_MS;
	cell_script(&ep, ".");
	ep.now += 20 * EP_MS;
	pmtcp_tick(ep.ctx, ep.now);
	/* Switched off with a probe unanswered, it stays off whatever the peer says. */
	cell_script(&ep, "{keepalive_ms 0}; {send 1000}; < PA i+1001 p+1 len=1000; .;"
			 "> A p+1 i+2001; +86400s; .; # keepalive_sent+0 probe_sent+0");
	rows_end(&ep);
}

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			T(data_47_keepalive_is_off_by_default),
			T(data_47_probe_after_two_hours_answered_is_alive),
			T(data_47_accepted_connection_is_probed),
			T(data_47_nine_unanswered_probes_end),
			T(data_47_one_missed_answer_is_not_death),
			T(data_47_any_segment_postpones),
			T(data_47_blind_segments_do_not_postpone),
			T(data_47_withdrawn_probe_is_no_window_probe),
			T(data_47_no_probe_while_data_is_outstanding),
			T(data_47_no_probe_while_window_is_shut),
			T(data_47_data_takes_the_place_of_a_probe),
			T(data_47_set_after_open_and_off_again),
			T(data_47_values_out_of_range_are_refused),
			T(data_47_probe_leaves_cwnd_alone),
			T(close_38_keepalive_ends_fin_wait_2),
			T(data_47_close_wait_is_probed),
			T(close_40_keepalive_stops_on_time_wait),
			T(close_40_keepalive_stops_on_closed),
			T(data_47_without_a_side_record_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
