/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the release of RFC 9293 figure 12 with the numbers of CLOSE-1, segment
 * by segment. Method: the peer chooses its initial number so that it sends
 * 69836; our own comes from a keyed hash, so the frames are compared as counted
 * from the number at which the release finds us, which is called 16752. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/cell.h"
#include "support/script.h"

#define OUR_NEXT  16752u
#define PEER_NEXT 69836u

static const struct ep_opts plain = {
		.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true}};

/* Opens with the two sides' next numbers as in the example. */
static void
open_example(struct ep *ep, const char *name)
{
	ep_create(ep, name, &plain);
	ep->irs = PEER_NEXT - 1;
	cell_script(ep, REACH_EST);
}

/* What the example calls `number`, on our side of this connection. */
static uint32_t
our(const struct ep *ep, uint32_t number)
{
	return ep->iss + 1 + (number - OUR_NEXT);
}

static void
expect_line(struct ep *ep, const char *line)
{
	struct script_base base = {.seq = ep->iss + 1 - OUR_NEXT, .ack = 0};
	char buf[SCRIPT_LINE_MAX];
	const struct pkt *p;

	ep_turn(ep);
	p = ep_take(ep);
	assert_non_null(p);
	assert_string_equal(pkt_format_decoded(p, &base, buf, sizeof(buf)), line);
}

static void
peer_sends(struct ep *ep, const char *flags, uint32_t seq, uint32_t ack)
{
	struct ep_seg seg = {.flags = flags, .seq = seq, .ack = our(ep, ack)};

	seg.wnd = seg.mss = seg.wscale = -1;
	ep_inject(ep, &seg);
}

static void
close_1_active_release_has_the_example_numbers(void **state)
{
	static struct ep ep;

	open_example(&ep, "close_1_active");
	assert_int_equal(pmtcp_shutdown(ep.conn), 0);
	expect_line(&ep, "<SEQ=16752,ACK=69836,FA len=0 wnd=32768>");
	ep_expect_state(&ep, PMTCP_FIN_WAIT_1);
	peer_sends(&ep, "A", 69836, 16753);
	ep_expect_nothing(&ep);
	ep_expect_state(&ep, PMTCP_FIN_WAIT_2);
	peer_sends(&ep, "FA", 69836, 16753);
	expect_line(&ep, "<SEQ=16753,ACK=69837,A len=0 wnd=32767>");
	ep_expect_event(&ep, PMTCP_EV_PEER_FIN | PMTCP_EV_CLOSED, PMTCP_GRACEFUL);
	ep_expect_state(&ep, PMTCP_TIME_WAIT);
	ep_close(&ep);
	ep_advance(&ep, 60300 * EP_MS);
	ep_expect_state(&ep, PMTCP_CLOSED);
	ep_destroy(&ep);
}

static void
close_1_passive_release_has_the_example_numbers(void **state)
{
	static struct ep ep;

	open_example(&ep, "close_1_passive");
	peer_sends(&ep, "FA", 69836, 16752);
	expect_line(&ep, "<SEQ=16752,ACK=69837,A len=0 wnd=32767>");
	ep_expect_event(&ep, PMTCP_EV_PEER_FIN, PMTCP_REASON_NONE);
	ep_expect_state(&ep, PMTCP_CLOSE_WAIT);
	assert_int_equal(pmtcp_shutdown(ep.conn), 0);
	expect_line(&ep, "<SEQ=16752,ACK=69837,FA len=0 wnd=32767>");
	ep_expect_state(&ep, PMTCP_LAST_ACK);
	peer_sends(&ep, "A", 69837, 16753);
	ep_expect_event(&ep, PMTCP_EV_CLOSED, PMTCP_GRACEFUL);
	ep_expect_nothing(&ep);
	ep_expect_state(&ep, PMTCP_CLOSED);
	ep_close(&ep);
	ep_destroy(&ep);
}

static void
close_13_passive_three_segments_has_the_example_numbers(void **state)
{
	static struct ep ep;

	open_example(&ep, "close_13");
	peer_sends(&ep, "FA", 69836, 16752);
	ep_expect_event(&ep, PMTCP_EV_PEER_FIN, PMTCP_REASON_NONE);
	ep_close(&ep);
	expect_line(&ep, "<SEQ=16752,ACK=69837,FA len=0 wnd=32767>");
	ep_expect_nothing(&ep);
	ep_expect_state(&ep, PMTCP_LAST_ACK);
	peer_sends(&ep, "A", 69837, 16753);
	ep_expect_event(&ep, PMTCP_EV_CLOSED, PMTCP_GRACEFUL);
	ep_destroy(&ep);
}

static void
close_14_active_three_segments_has_the_example_numbers(void **state)
{
	static struct ep ep;

	open_example(&ep, "close_14");
	ep_close(&ep);
	expect_line(&ep, "<SEQ=16752,ACK=69836,FA len=0 wnd=32768>");
	peer_sends(&ep, "FA", 69836, 16753);
	expect_line(&ep, "<SEQ=16753,ACK=69837,A len=0 wnd=32767>");
	ep_expect_event(&ep, PMTCP_EV_CLOSED, PMTCP_GRACEFUL);
	ep_expect_state(&ep, PMTCP_TIME_WAIT);
	ep_destroy(&ep);
}

static void
close_15_simultaneous_release_has_the_example_numbers(void **state)
{
	static struct ep ep;

	open_example(&ep, "close_15");
	assert_int_equal(pmtcp_shutdown(ep.conn), 0);
	expect_line(&ep, "<SEQ=16752,ACK=69836,FA len=0 wnd=32768>");
	peer_sends(&ep, "FA", 69836, 16752);
	expect_line(&ep, "<SEQ=16753,ACK=69837,A len=0 wnd=32767>");
	ep_expect_state(&ep, PMTCP_CLOSING);
	peer_sends(&ep, "A", 69837, 16753);
	ep_expect_event(&ep, PMTCP_EV_PEER_FIN | PMTCP_EV_CLOSED, PMTCP_GRACEFUL);
	ep_expect_nothing(&ep);
	ep_expect_state(&ep, PMTCP_TIME_WAIT);
	ep_close(&ep);
	ep_destroy(&ep);
}

/* CLOSE-10: octets sent in between move the second FIN. */
static void
close_10_octets_after_peer_fin_move_ours(void **state)
{
	static struct ep ep;

	open_example(&ep, "close_10");
	peer_sends(&ep, "FA", 69836, 16752);
	expect_line(&ep, "<SEQ=16752,ACK=69837,A len=0 wnd=32767>");
	assert_int_equal(ep_write(&ep, 500), 500);
	expect_line(&ep, "<SEQ=16752,ACK=69837,PA len=500 wnd=32767>");
	peer_sends(&ep, "A", 69837, 17252);
	ep_expect_event(&ep, PMTCP_EV_PEER_FIN, PMTCP_REASON_NONE);
	assert_int_equal(pmtcp_shutdown(ep.conn), 0);
	expect_line(&ep, "<SEQ=17252,ACK=69837,FA len=0 wnd=32767>");
	peer_sends(&ep, "A", 69837, 17253);
	ep_expect_event(&ep, PMTCP_EV_CLOSED, PMTCP_GRACEFUL);
	ep_close(&ep);
	ep_destroy(&ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(close_1_active_release_has_the_example_numbers),
			cmocka_unit_test(close_1_passive_release_has_the_example_numbers),
			cmocka_unit_test(close_10_octets_after_peer_fin_move_ours),
			cmocka_unit_test(close_13_passive_three_segments_has_the_example_numbers),
			cmocka_unit_test(close_14_active_three_segments_has_the_example_numbers),
			cmocka_unit_test(close_15_simultaneous_release_has_the_example_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
