/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: closing as the application sees it: half-close, orphans and their limits, what
 * stays readable, silent peers in each closing state (RFC 9293 3.6, 3.10.4; CLOSE-8,
 * CLOSE-13, CLOSE-24, CLOSE-28 to CLOSE-30, CLOSE-36 to CLOSE-42, RES-6, RES-15). Method:
 * scripts; a bed of stations for limits and failing packet buffers. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/pool.h"
#include "support/rows.h"

static struct bed bed;

/* ---- order ---- */

/* CLOSE-13: closed in the burst that brought the FIN: one segment answers it. */
ROW(close_13_close_in_the_fin_burst_is_one_segment, &rows_plain,
		REACH_EST "; > FA p+1 i+1; [PEER_FIN]; {close}; < FA i+1 p+2; .; = LAK;"
			  "> A p+2 i+2; .; [CLOSED GRACEFUL]; = CLD")
/* CLOSE-24. */
ROW(close_24_text_and_fin_are_one_ack, &rows_plain,
		REACH_EST "; > PFA p+1 i+1 len=7; [READABLE PEER_FIN]; < A i+1 p+9; .; {recv 9}=7;"
			  "{recv 1}=0; {recv 1}=0")
/* CLOSE-41: after the peer's FIN reading causes no segment. */
ROW(close_41_reading_after_fin_sends_nothing, &rows_plain,
		REACH_EST
		"; > PFA p+1 i+1 len=1460; [READABLE PEER_FIN]; < A i+1 p+1462; {recv 1460};"
		".; +1s; .")
/* CLOSE-36: all octets stay readable, even after TIME-WAIT itself is over. */
ROW(close_36_text_before_fin_survives_time_wait, &rows_plain,
		REACH_FW2
		"; > A p+1 i+2 len=1000; > PFA p+1001 i+2 len=500; < A i+2 p+1502;"
		"[READABLE PEER_FIN CLOSED GRACEFUL]; = TW; +70s; = CLD; {recv 2000}=1500;"
		"{recv 1}=0; {close}")
ROW(close_36_text_before_last_ack_survives, &rows_plain,
		REACH_EST "; > PFA p+1 i+1 len=10; [READABLE PEER_FIN]; < A i+1 p+12; {shutdown};"
			  "< FA i+1 p+12; > A p+12 i+2; .; [CLOSED GRACEFUL]; {recv 20}=10;"
			  "{recv 1}=0; {close}")
/* CLOSE-29: text above a hole is not unread: it was never acknowledged. */
ROW(close_29_text_above_a_hole_does_not_abort, &rows_plain,
		REACH_EST "; > A p+11 i+1 len=10; < A i+1 p+1; {close}; < FA i+1 p+1; = FW1;"
			  "> A p+1 i+2; .; > FA p+1 i+2; [CLOSED GRACEFUL]; < A i+2 p+2; = TW")

/* ---- limits ---- */

/* CLOSE-37: the orphan's peer ends in time, or meets nobody. */
ROW(close_37_fin_after_59_s_enters_time_wait, &rows_plain,
		REACH_FW2_ORP
		"; +59s; .; = FW2; > FA p+1 i+2; < A i+2 p+2; [CLOSED GRACEFUL]; = TW;"
		"+59s; = TW; +1300; = CLD")
ROW(close_37_fin_after_61_s_gets_rst, &rows_plain,
		REACH_FW2_ORP "; +61s; .; [CLOSED TIMEOUT_FW2]; = CLD; > FA p+1 i+2; < R i+2 0;"
			      "# fw2_timeout rst_sent+0")
/* CLOSE-38, CLOSE-8: with the application attached there is no limit. */
ROW(close_38_attached_receives_after_a_day, &rows_plain,
		REACH_FW2 "; +86400s; .; = FW2; > PA p+1 i+2 len=10; [READABLE]; {recv 10}; +42;"
			  "< A i+2 p+11; > FA p+11 i+2; [PEER_FIN CLOSED GRACEFUL]; < A i+2 p+12;"
			  "{close}; = TW")
/* CLOSE-40: nothing is sent for 2MSL, whatever was armed. */
ROW(close_40_time_wait_is_silent, &rows_plain,
		REACH_EST
		"; > PA p+1 i+1 len=10; [READABLE]; {recv 10}; {send 5}; {shutdown};"
		"< PFA i+1 p+11 len=5; > PA p+11 i+7 len=10; [READABLE]; {recv 10};"
		"> FA p+21 i+7; [PEER_FIN CLOSED GRACEFUL]; < A i+7 p+22; {close}; +70s; .;"
		"= CLD")

/* CLOSE-42: each closing state against a silent peer comes to its end. */
static void
check_silent_peer(const char *name, const char *reach, uint64_t limit_s)
{
	static struct ep ep;

	rows_begin(&ep, name, &rows_plain, reach);
	for (uint64_t s = 0; s < limit_s; s += 10)
		cell_script(&ep, "+10s; ~");
	ep.events = 0;
	ep.reason = PMTCP_REASON_NONE;
	ep_expect_state(&ep, PMTCP_CLOSED);
	rows_end(&ep);
}

static void
close_42_closing_states_end_without_a_peer(void **state)
{
	(void)state;
	check_silent_peer("close_42_fw1", REACH_FW1, 1000);
	check_silent_peer("close_42_fw1_orphan", REACH_FW1_ORP, 200);
	check_silent_peer("close_42_fw2_orphan", REACH_FW2_ORP, 70);
	check_silent_peer("close_42_closing", REACH_CLG, 1000);
	check_silent_peer("close_42_last_ack", REACH_LAK, 1000);
	check_silent_peer("close_42_time_wait", REACH_TW, 70);
}

static void
tune_orphans(struct pmtcp_conf *conf)
{
	conf->orphan_max = 5;
}

/* CLOSE-39: one more orphan than allowed is reset. */
static void
close_39_orphans_above_the_limit_are_reset(void **state)
{
	(void)state;
	bed_create(&bed, tune_orphans);
	for (uint16_t i = 0; i < 6; i++) {
		struct bed_peer peer = {.ip = TEST_PEER, .port = (uint16_t)(80 + i), .seq = 1000};
		struct pmtcp_conn *conn;
		const struct pkt *p;

		assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
		assert_int_equal(pmtcp_write(conn, "unfinished", 10), 10);
		assert_non_null(bed_peer_gets(&bed, &peer));
		pmtcp_close(conn);
		p = bed_peer_gets(&bed, &peer);
		assert_non_null(p);
		if (i < 5)
			assert_int_equal(p->flags, PKT_FIN | PKT_ACK);
		else
			assert_int_equal(p->flags, PKT_RST | PKT_ACK);
	}
	assert_int_equal(bed_counter(&bed, PMTCP_C_orphan_abort), 1);
	assert_int_equal(bed_event(&bed).flags, PMTCP_EV_CLOSED);
	bed_destroy(&bed);
}

/* ---- packet buffers ---- */

/* RES-6: each second allocation fails: nothing is marked sent that was not, and all
 * sessions end GRACEFUL. The peer's segments come from buffers taken beforehand. */
static void
drive_session(struct bed_peer *peer)
{
	bool has_ended = false;

	for (int i = 0; i < 400 && !has_ended; i++) {
		const struct pkt *p;
		bool has_fin = false;

		test_pool_fail_every(bed.pool, 2);
		bed_advance(&bed, 20 * BED_MS);
		test_pool_fail_every(bed.pool, 0);
		while ((p = bed_take(&bed)) != NULL) {
			/* In order only: what comes early is lost on this peer. */
			if (p->seq != peer->ack)
				continue;
			peer->ack += p->len + !!(p->flags & PKT_FIN);
			has_fin |= (p->flags & PKT_FIN) != 0;
		}
		bed_peer_sends(&bed, peer, PKT_ACK | (has_fin ? PKT_FIN : 0), 0);
		bed_turn(&bed);
		has_ended = bed_stats(&bed).live == 0;
	}
	assert_true(has_ended);
}

static void
res_6_failing_buffers_end_gracefully(void **state)
{
	static uint8_t text[20000];

	(void)state;
	bed_create(&bed, NULL);
	for (uint16_t i = 0; i < 10; i++) {
		struct bed_peer peer = {.ip = TEST_PEER, .port = (uint16_t)(80 + i), .seq = 1000};
		struct pmtcp_conn *conn;
		struct pmtcp_event ev;
		uint32_t done = 0, first;

		assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
		first = peer.ack;
		test_pool_fail_every(bed.pool, 2);
		while (done < sizeof(text)) {
			int ret = pmtcp_write(conn, text + done, (uint32_t)sizeof(text) - done);

			assert_true(ret > 0 || ret == -ENOBUFS);
			done += ret > 0 ? (uint32_t)ret : 0;
		}
		pmtcp_close(conn);
		drive_session(&peer);
		ev = bed_event(&bed);
		assert_int_equal(ev.flags, PMTCP_EV_CLOSED);
		assert_int_equal(ev.reason, PMTCP_GRACEFUL);
		assert_int_equal(peer.ack - first, sizeof(text) + 1); /* and the FIN */
		bed_turn(&bed);
		bed_forget(&bed);
	}
	assert_true(bed_counter(&bed, PMTCP_C_tx_nomem) > 0);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_GRACEFUL], 10);
	bed_destroy(&bed);
}

/* ---- handles ---- */

/* RES-15: a context that goes away with everything open loses no packet buffer. */
static void
res_15_context_ends_with_everything_open(void **state)
{
	(void)state;
	bed_create(&bed, NULL);
	for (uint16_t i = 0; i < 10; i++) {
		struct bed_peer peer = {.ip = TEST_PEER, .port = (uint16_t)(80 + i), .seq = 1000};
		struct pmtcp_conn *conn;

		assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
		assert_int_equal(pmtcp_write(conn, "0123456789", 10), 10);
		bed_peer_sends(&bed, &peer, PKT_ACK, 100);
		peer.seq += 100;
		bed_peer_sends(&bed, &peer, PKT_ACK, 100); /* above a hole */
		if (i % 3 == 0)
			pmtcp_close(conn);
		bed_turn(&bed);
		bed_forget(&bed);
		while (bed_event(&bed).flags != 0)
			;
	}
	bed_destroy(&bed);
}

/* A detached handle is dead at once: no event ever, the end is counted only. */
static void
detach_ends_without_event(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .seq = 1000};
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	pmtcp_detach(conn);
	assert_int_equal(bed_peer_gets(&bed, &peer)->flags, PKT_FIN | PKT_ACK);
	bed_peer_sends(&bed, &peer, PKT_FIN | PKT_ACK, 0);
	assert_int_equal(bed_peer_gets(&bed, &peer)->flags, PKT_ACK);
	assert_int_equal(bed_event(&bed).flags, 0);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_GRACEFUL], 1);
	assert_int_equal(bed_stats(&bed).blocks_used, 1);
	bed_destroy(&bed);
}

/* CLOSE-28: pairs of calls after each other, in one state. */
static void
close_28_call_pairs(void **state)
{
	static struct ep ep;
	uint8_t octet;

	(void)state;
	rows_begin(&ep, "close_28", &rows_plain, REACH_EST);
	assert_int_equal(pmtcp_shutdown(ep.conn), 0);
	assert_int_equal(pmtcp_shutdown(ep.conn), 0);
	assert_int_equal(pmtcp_write(ep.conn, "x", 1), -EPIPE);
	cell_script(&ep, "< FA i+1 p+1; .");
	ep_close(&ep);
	assert_int_equal(pmtcp_write(ep.conn, "x", 1), -EBADF);
	assert_int_equal(pmtcp_read(ep.conn, &octet, 1), -EBADF);
	cell_script(&ep, "> A p+1 i+2; > FA p+1 i+2; [CLOSED GRACEFUL]; < A i+2 p+2; .; = TW");
	rows_end(&ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(close_13_close_in_the_fin_burst_is_one_segment),
			cmocka_unit_test(close_24_text_and_fin_are_one_ack),
			cmocka_unit_test(close_41_reading_after_fin_sends_nothing),
			cmocka_unit_test(close_36_text_before_fin_survives_time_wait),
			cmocka_unit_test(close_36_text_before_last_ack_survives),
			cmocka_unit_test(close_29_text_above_a_hole_does_not_abort),
			cmocka_unit_test(close_37_fin_after_59_s_enters_time_wait),
			cmocka_unit_test(close_37_fin_after_61_s_gets_rst),
			cmocka_unit_test(close_38_attached_receives_after_a_day),
			cmocka_unit_test(close_40_time_wait_is_silent),
			cmocka_unit_test(close_42_closing_states_end_without_a_peer),
			cmocka_unit_test(close_39_orphans_above_the_limit_are_reset),
			cmocka_unit_test(res_6_failing_buffers_end_gracefully),
			cmocka_unit_test(res_15_context_ends_with_everything_open),
			cmocka_unit_test(detach_ends_without_event),
			cmocka_unit_test(close_28_call_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
