/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the path MTU is found where routers tell of it and where they do not, and nobody
 * who merely claims one gets far (DATA-46, SEC-10; RFC 1191, 2923, 5927). Method: rows of
 * script against one endpoint of MSS 1460; a whole transfer stands in tests/sim. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/rows.h"

/* One full segment is in flight. */
#define ONE REACH_WIDE "; {send 1460}; < PA i+1 p+1 len=1460; "
/* Two full ones and a short one. */
#define THREE                                                                                      \
	REACH_WIDE "; {send 4000}; < A i+1 p+1 len=1460; < A i+1461 p+1 len=1460;"                 \
		   "< PA i+2921 p+1 len=1080; "
#define ACKED(n) "; > A p+1 i+" #n " wnd=65535; .; "

ROW(data_46_too_big_is_sent_again_in_pieces, &rows_plain,
		THREE "! icmp 3/4 i+1 mtu=1400 len=1500; []; < A i+1 p+1 len=1360;"
		      "< A i+1361 p+1 len=100; < A i+1461 p+1 len=1360; < A i+2821 p+1 len=100; .;"
		      "# icmp_error_taken pmtu_lowered retransmitted+4; ? mss 1360" ACKED(
				      4001) "{send 2000}; < A i+4001 p+1 len=1360; < PA i+5361 p+1 "
					    "len=640" ACKED(6001))

/* What fits is not sent again. */
ROW(data_46_only_what_was_too_big_is_sent_again, &rows_plain,
		REACH_WIDE
		"; {send 100}; < PA i+1 p+1 len=100; {send 1460}; < PA i+101 p+1 len=1460;"
		"! icmp 3/4 i+101 mtu=1300 len=1500; < A i+101 p+1 len=1260;"
		"< PA i+1361 p+1 len=200; ." ACKED(1561))

/* Each router of the path may know a smaller one. */
ROW(data_46_second_router_lowers_again, &rows_plain,
		ONE
		"! icmp 3/4 i+1 mtu=1400 len=1500; < A i+1 p+1 len=1360; < PA i+1361 p+1 len=100;"
		"! icmp 3/4 i+1 mtu=1300 len=1400; < A i+1 p+1 len=1260; < A i+1261 p+1 len=100; .;"
		"# pmtu_lowered+2" ACKED(1461))

/* The same error for each segment of the flight: the first one said it all. */
ROW(data_46_same_error_again_changes_nothing, &rows_plain,
		THREE "! icmp 3/4 i+1 mtu=1400 len=1500; ! icmp 3/4 i+1461 mtu=1400 len=1500; ~;"
		      "# icmp_error_taken drop_icmp_mtu pmtu_lowered" ACKED(4001))

/* RFC 1191 section 5: an old router says 0; 1492 is the plateau below 1500. */
ROW(data_46_mtu_0_takes_the_next_plateau, &rows_plain,
		ONE "! icmp 3/4 i+1 mtu=0 len=1500; < A i+1 p+1 len=1452; < PA i+1453 p+1 len=8; ."
		    "; ? mss 1452" ACKED(1461))

/* RFC 8201 section 4: over IPv6 a router always knows. */
ROW(data_46_mtu_0_is_no_mtu_over_ipv6, &rows_plain,
		ONE "! icmp 3/4 i+1 mtu=0 len=1500; .; ? mss 1460; # drop_icmp_mtu" ACKED(1461))

/* SEC-10; over IPv6 the floor is 1280, 1260 here. */
ROW(sec_10_below_1280_is_ignored, &rows_plain,
		ONE "! icmp 3/4 i+1 mtu=1259 len=1500; ! icmp 3/4 i+1 mtu=532 len=1500; .;"
		    "? mss 1460; # drop_icmp_mtu+2" ACKED(1461))
ROW(sec_10_1280_itself_is_taken, &rows_plain,
		ONE "! icmp 3/4 i+1 mtu=1260 len=1500; < A i+1 p+1 len=1220;"
		    "< PA i+1221 p+1 len=240; .; ? mss 1220" ACKED(1461))
ROW(sec_10_below_the_floor_is_ignored, &rows_plain,
		ONE "! icmp 3/4 i+1 mtu=68 len=1500; ! icmp 3/4 i+1 mtu=551 len=1500; .;"
		    "? mss 1460; # drop_icmp_mtu+2" ACKED(1461))
ROW(sec_10_the_floor_itself_is_taken, &rows_plain,
		ONE "! icmp 3/4 i+1 mtu=552 len=1500; < A i+1 p+1 len=512; < A i+513 p+1 len=512;"
		    "< PA i+1025 p+1 len=436; .; ? mss 512" ACKED(1461))
ROW(sec_10_not_below_the_current_is_ignored, &rows_plain,
		ONE "! icmp 3/4 i+1 mtu=1500 len=1500; ! icmp 3/4 i+1 mtu=9000 len=1500; .;"
		    "# drop_icmp_mtu+2; ? mss 1460" ACKED(1461))
ROW(sec_10_acknowledged_number_is_ignored, &rows_plain,
		ONE "> A p+1 i+1461 wnd=65535; ! icmp 3/4 i+1 mtu=1000 len=1500; .;"
		    "# drop_icmp_stale; ? mss 1460")
ROW(sec_10_idle_connection_is_left_alone, &rows_plain,
		REACH_WIDE "; ! icmp 3/4 i+1 mtu=1000 len=1500; ! icmp 3/4 i mtu=1000 len=1500; .;"
			   "# drop_icmp_stale+2; ? mss 1460")
/* The packet quoted is not larger than the MTU said: only a timeout bears that out. */
ROW(sec_10_small_quote_waits_for_the_timeout, &rows_plain,
		ONE
		"! icmp 3/4 i+1 mtu=1400 len=100; .; ? mss 1460; # icmp_error_taken; +190; .; +20;"
		"< A i+1 p+1 len=1360; .; ? mss 1360; > A p+1 i+1361 wnd=65535;"
		"< PA i+1361 p+1 len=100" ACKED(1461))
/* We never sent anything that large there. */
ROW(sec_10_small_segment_waits_for_the_timeout, &rows_plain,
		REACH_WIDE
		"; {send 500}; < PA i+1 p+1 len=500; ! icmp 3/4 i+1 mtu=1300 len=1500; .;"
		"? mss 1460; # icmp_error_taken; +210; < PA i+1 p+1 len=500;"
		"? mss 1460" ACKED(501))
/* It was delivered after all: the claim was false, or old. */
ROW(sec_10_claim_ends_with_its_acknowledgment, &rows_plain,
		ONE "! icmp 3/4 i+1 mtu=1400 len=100; > A p+1 i+1461 wnd=65535; {send 1460};"
		    "< PA i+1461 p+1 len=1460; +300; < PA i+1461 p+1 len=1460;"
		    "? mss 1460" ACKED(2921))
ROW(sec_10_probe_of_a_syn_is_ignored, &rows_plain,
		REACH_SYS "; ! icmp 3/4 i mtu=1000 len=1500; []; .; # drop_icmp_mtu; = SYS;"
			  "> SA p i+1 wnd=65535; < A i+1 p+1; [CONNECTED]; ? mss 1460")

/* RFC 1191 6.3: ten minutes later the path is tried again. */
ROW(data_46_is_raised_after_ten_minutes, &rows_plain,
		ONE "! icmp 3/4 i+1 mtu=1400 len=1500; ~" ACKED(
				1461) "+599s; ? mss 1360; +2s; ? mss 1460; # pmtu_raised; {send "
				      "1460};"
				      "< PA i+1461 p+1 len=1460; ! icmp 3/4 i+1461 mtu=1400 "
				      "len=1500;"
				      "< A i+1461 p+1 len=1360; < PA i+2821 p+1 len=100; .; # "
				      "pmtu_lowered+2" ACKED(2921))

/* RFC 2923: two timeouts of a full segment, and nobody says why. */
ROW(data_46_black_hole_is_stepped_out_of, &rows_plain,
		ONE
		"+210; < PA i+1 p+1 len=1460; +410; < A i+1 p+1 len=1024; ? mss 1024; +810;"
		"< A i+1 p+1 len=1024; +1610; < A i+1 p+1 len=536; ? mss 536;"
		"[ERROR TIMEOUT_RTX]; # pmtu_blackhole+2; > A p+1 i+537 wnd=65535; ~" ACKED(1461)
		/* And back, a step each ten minutes ... */
		"+598s; ? mss 536; +3s; ? mss 1024; +600s; ? mss 1460; {send 1460};"
		/* ... where one timeout is enough to go back. */
		"< PA i+1461 p+1 len=1460; +4s; < A i+1461 p+1 len=1024; ~; ? mss 1024" ACKED(2921))
/* Where full segments have come through it takes four: two in a row are chance (the lossy
 * path without SACK of tests/sim/test_sim_goodput.c lost half its rate to this). */
ROW(data_46_proven_path_is_doubted_later, &rows_plain,
		THREE "> A p+1 i+1461 wnd=65535; +210; < A i+1461 p+1 len=1460; +410;"
		      "< A i+1461 p+1 len=1460; +810; < A i+1461 p+1 len=1460; [ERROR TIMEOUT_RTX];"
		      "? mss 1460; # pmtu_blackhole+0; +1610; < A i+1461 p+1 len=1024; ? mss 1024;"
		      "# pmtu_blackhole; ~" ACKED(4001))
/* One step over IPv6, 1220, and one back. */
ROW(data_46_black_hole_is_stepped_out_of_over_ipv6, &rows_plain,
		ONE "+210; < PA i+1 p+1 len=1460; +410; < A i+1 p+1 len=1220; ? mss 1220; +810;"
		    "< A i+1 p+1 len=1220; +1610; < A i+1 p+1 len=1220; ? mss 1220;"
		    "[ERROR TIMEOUT_RTX]; # pmtu_blackhole; > A p+1 i+1221 wnd=65535; ~" ACKED(
				    1461) "+596s; ? mss 1220; +3s; ? mss 1460; # pmtu_raised")
ROW(data_46_small_segments_are_no_black_hole, &rows_plain,
		REACH_WIDE "; {send 500}; < PA i+1 p+1 len=500; +5s; ~; [ERROR TIMEOUT_RTX];"
			   "? mss 1460; # pmtu_blackhole+0" ACKED(501))
/* Large, but neither full nor above the first step. */
ROW(data_46_medium_segments_are_no_black_hole, &rows_plain,
		REACH_WIDE "; {send 1000}; < PA i+1 p+1 len=1000; +5s; ~; [ERROR TIMEOUT_RTX];"
			   "? mss 1460; # pmtu_blackhole+0" ACKED(1001))

ROW(data_46_black_hole_detection_can_be_off, &rows_no_blackhole,
		ONE "+5s; ~; [ERROR TIMEOUT_RTX]; ? mss 1460; # pmtu_blackhole+0" ACKED(1461))

/* RFC 5681 knows of no congestion here. */
static void
data_46_too_big_leaves_cwnd_alone(void **state)
{
	static struct ep ep;
	uint32_t cwnd, ssthresh;

	(void)state;
	rows_begin(&ep, "cwnd", &rows_plain, THREE);
	cwnd = rows_info(&ep).cwnd;
	ssthresh = rows_info(&ep).ssthresh;
	cell_script(&ep, "! icmp 3/4 i+1 mtu=1400 len=1500; ~");
	assert_int_equal(rows_info(&ep).cwnd, cwnd);
	assert_int_equal(rows_info(&ep).ssthresh, ssthresh);
	assert_int_equal(rows_info(&ep).path_mtu, ep.conf.mtu - 100);
	cell_script(&ep, "> A p+1 i+4001 wnd=65535");
	rows_end(&ep);
}

/* SEC-14: an error about the seventieth segment of a flight is not worth a walk to it. */
static void
sec_14_error_far_inside_the_flight_waits(void **state)
{
	static struct ep ep;
	char script[96];

	(void)state;
	rows_begin(&ep, "far inside", &rows_plain,
			"{listen}; > S p wnd=65535 mss=700; < SA i= p+1; > A p+1 i+1 wnd=65535;"
			"[ACCEPTED]; {send 30000}; ~");
	for (int i = 1; i <= 64; i++) {
		snprintf(script, sizeof(script), "> A p+1 i+%d wnd=65535; {send 1400}; ~",
				1 + 700 * i);
		cell_script(&ep, script);
	}
	cell_script(&ep, "? unacked 51800; ! icmp 3/4 i+93801 mtu=600 len=740; .; ? mss 700;"
			 "# icmp_error_taken; ! icmp 3/4 i+87501 mtu=600 len=740; ~; ? mss 560");
	ep_abort(&ep);
	ep_drop(&ep);
}

/* DATA-46: the options are part of the packet. */
static void
data_46_options_count(void **state)
{
	static const struct ep_opts opts = {.conn = {.no_sack = true, .no_wscale = true}};
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "options", &opts,
			"{listen}; > S p wnd=65535 ts=1000:0; < SA i= p+1 ts=1000;"
			"> A p+1 i+1 wnd=65535 ts=1001:0; [ACCEPTED]; {send 1448};"
			"< PA i+1 p+1 len=1448 ts=1001;"
			"! icmp 3/4 i+1 mtu=1400 len=1500; < A i+1 p+1 len=1348 ts=1001;"
			"< PA i+1349 p+1 len=100 ts=1001; .; ? mss 1348");
	ep_abort(&ep);
	ep_drop(&ep);
}

/* OPEN-12: the end tells how often was tried, and what the network said meanwhile. */
static void
open_12_timeout_tells_tries_and_last_error(void **state)
{
	static struct ep ep;
	struct pmtcp_conn_info info;

	(void)state;
	rows_begin(&ep, "timeout", &rows_plain, REACH_SYS);
	cell_script(&ep, "! icmp 3/1 i; [ERROR UNREACHABLE]; ! icmp 11/0 i; [ERROR UNREACHABLE];"
			 "+200s; ~; [CLOSED TIMEOUT_SYN]; = CLD");
	pmtcp_conn_info(ep.conn, &info);
	assert_int_equal(info.retries, 7);
	assert_int_equal(info.icmp_type, ctx_is_v6() ? 3 : 11);
	assert_int_equal(info.icmp_code, 0);
	cell_script(&ep, "{close}");
	rows_end(&ep);
	rows_begin(&ep, "silent", &rows_plain, REACH_SYS);
	cell_script(&ep, "+200s; ~; [CLOSED TIMEOUT_SYN]; = CLD");
	pmtcp_conn_info(ep.conn, &info);
	assert_int_equal(info.icmp_type, 0);
	cell_script(&ep, "{close}");
	rows_end(&ep);
	rows_begin(&ep, "hard", &rows_plain, REACH_SYS);
	cell_script(&ep, "! icmp 3/3 i; [CLOSED UNREACHABLE]");
	pmtcp_conn_info(ep.conn, &info);
	assert_int_equal(info.icmp_type, ctx_is_v6() ? 1 : 3);
	assert_int_equal(info.icmp_code, ctx_is_v6() ? 4 : 3);
	cell_script(&ep, "{close}");
	rows_end(&ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_46_too_big_is_sent_again_in_pieces),
			cmocka_unit_test(data_46_only_what_was_too_big_is_sent_again),
			cmocka_unit_test(data_46_second_router_lowers_again),
			cmocka_unit_test(data_46_same_error_again_changes_nothing),
			cmocka_unit_test(sec_10_not_below_the_current_is_ignored),
			cmocka_unit_test(sec_10_acknowledged_number_is_ignored),
			cmocka_unit_test(sec_10_idle_connection_is_left_alone),
			cmocka_unit_test(sec_10_small_quote_waits_for_the_timeout),
			cmocka_unit_test(sec_10_small_segment_waits_for_the_timeout),
			cmocka_unit_test(sec_10_claim_ends_with_its_acknowledgment),
			cmocka_unit_test(sec_10_probe_of_a_syn_is_ignored),
			cmocka_unit_test(data_46_is_raised_after_ten_minutes),
			cmocka_unit_test(data_46_small_segments_are_no_black_hole),
			cmocka_unit_test(data_46_medium_segments_are_no_black_hole),
			cmocka_unit_test(data_46_black_hole_detection_can_be_off),
			cmocka_unit_test(data_46_too_big_leaves_cwnd_alone),
			cmocka_unit_test(data_46_options_count),
			cmocka_unit_test(open_12_timeout_tells_tries_and_last_error),
	};
	const struct CMUnitTest tests4[] = {
			cmocka_unit_test(data_46_mtu_0_takes_the_next_plateau),
			cmocka_unit_test(sec_10_below_the_floor_is_ignored),
			cmocka_unit_test(sec_10_the_floor_itself_is_taken),
			cmocka_unit_test(data_46_black_hole_is_stepped_out_of),
			cmocka_unit_test(data_46_proven_path_is_doubted_later),
			cmocka_unit_test(sec_14_error_far_inside_the_flight_waits),
	};
	const struct CMUnitTest tests6[] = {
			cmocka_unit_test(data_46_mtu_0_is_no_mtu_over_ipv6),
			cmocka_unit_test(sec_10_below_1280_is_ignored),
			cmocka_unit_test(sec_10_1280_itself_is_taken),
			cmocka_unit_test(data_46_black_hole_is_stepped_out_of_over_ipv6),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	if (ctx_is_v6())
		return failed + cmocka_run_group_tests(tests6, NULL, NULL);
	return failed + cmocka_run_group_tests(tests4, NULL, NULL);
}
