/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what other stacks did wrong about RSTs and SYNs, NEG-6, NEG-8, NEG-11 and NEG-13 of
 * doc/requirements.md. Method: scripts, and beds for what one connection cannot show. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/rows.h"

static struct bed bed;
static struct ep ep;

/* ---- NEG-6: RSTs taken too easily, answered, or built wrongly ---- */

ROW(neg_6_rst_inside_the_window_resets_nothing, &rows_plain,
		REACH_EST "; > R p+2; < A i+1 p+1; > R p+100; > R p+32768; .; []; = EST; {send 5};"
			  "< PA i+1 p+1 len=5; > A p+1 i+6; .")
ROW(neg_6_rst_with_ack_is_not_answered, &rows_plain,
		"> RA 5 7; > RA 5 7 len=10; .; {listen}; > RA 5 7; > RA 5 7 len=10; .; = LIS")
ROW(neg_6_nor_on_a_connection, &rows_plain,
		REACH_EST "; > RA p i+1; > RA p i+1 len=10; > RA p+40000 i+1; .; []; = EST")
ROW(neg_6_rst0_acknowledges_text_and_flags, &rows_plain,
		"> S 100 len=10; < RA 0 111; > SF 100 len=10; < RA 0 112; > F 100 len=10; < RA 0 "
		"111")
ROW(neg_6_rsta_has_no_ack, &rows_plain,
		"> A 50 7; < R 7 0; > FA 50 7 len=5; < R 7 0; > SA 50 7; < R 7 0; {listen};"
		"> A 50 7; < R 7 0; = LIS")
ROW(neg_6_rsta_of_a_half_open_has_none_either, &rows_plain,
		"{listen}; > S p; < SA i= p+1; > A p+1 i+9; < R i+9 0; > A p+1 i; < R i 0; = SYR;"
		"> A p+1 i+1; [ACCEPTED]; .; = EST")

/* ---- NEG-8: text beside a SYN, strangers in SYN-SENT ---- */

ROW(neg_8_text_on_a_syn_is_not_delivered_twice, &rows_plain,
		"{listen}; > S p len=10; < SA i= p+1; > A p+1 i+1; [ACCEPTED]; {recv 9}=-EAGAIN;"
		"? rcv_nxt p+1; > PA p+1 i+1 len=10; [READABLE]; {recv 99}=10; ~; +50; ~")
ROW(neg_8_text_on_a_syn_ack_is_delivered_once, &rows_plain,
		"{open}; < S i= 0; > SA p i+1 len=4; < A i+1 p+5; [CONNECTED READABLE];"
		"> SA p i+1 len=4; < A i+1 p+5; []; {recv 99}=4; {recv 9}=-EAGAIN; = EST")
ROW(neg_8_text_on_a_crossing_syn_comes_again, &rows_plain,
		"{open}; < S i= 0; > S p len=4; < SA i p+1; = SYR; > PA p+1 i+1 len=4;"
		"[CONNECTED READABLE]; {recv 9}=4; +42; < A i+1 p+5")
ROW(neg_8_wrong_segments_draw_no_syn, &rows_plain,
		"{open}; < S i= 0; > A p i+1; > PA p i+1 len=9; > FA p i+1; > F p; > - p len=3;"
		"> R p; > RA p i+5; .; = SYS; > SA p i+9; < R i+9 0; .; = SYS; []")

/* ---- NEG-11: crashes ---- */

/* CLOSE-25, then the application goes. */
ROW(neg_11_fin_out_of_order_after_close, &rows_plain,
		REACH_FW1_ORP "; > FA p+11 i+2; ~; > FA p+5 i+2; ~; > A p+1 i+2; ~; []; +61s; ~;"
			      "[CLOSED TIMEOUT_FW2]; = CLD")
ROW(neg_11_fin_out_of_order_then_abort, &rows_plain,
		REACH_EST
		"; > FA p+11 i+1; < A i+1 p+1; {abort}; < RA i+1 p+1; [CLOSED LOCAL_ABORT];"
		"> FA p+11 i+1; < R i+1 0; = CLD")

/* OPEN-39, also in the burst that brings the third ACKs, and with a cookie under way. */
static void
neg_11_listener_goes_under_its_children(void **state)
{
	struct pmtcp_addr local = pmtcp_addr4(0, 80);
	struct pmtcp_conn *conn[2];
	struct pmtcp_listener *l;
	struct bed_peer peer[6];

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
	for (uint16_t i = 0; i < 6; i++) {
		peer[i] = (struct bed_peer){
				.ip = TEST_PEER, .port = (uint16_t)(1 + i), .local_port = 80};
		if (i < 2) {
			conn[i] = bed_accept(&bed, &peer[i]);
			assert_non_null(conn[i]);
			continue;
		}
		bed_peer_sends(&bed, &peer[i], PKT_SYN, 0);
		assert_non_null(bed_peer_gets(&bed, &peer[i]));
	}
	pmtcp_unlisten(l);
	for (int i = 0; i < 6; i++)
		bed_peer_sends(&bed, &peer[i], PKT_ACK | PKT_PSH, 5);
	bed_turn(&bed);
	bed_forget(&bed);
	assert_int_equal(bed_stats(&bed).half_open, 0);
	assert_int_equal(bed_stats(&bed).live, 2);
	for (int i = 0; i < 2; i++) {
		pmtcp_abort(conn[i]);
		bed_turn(&bed);
	}
	/* The class of options that they shared is free to be another's. */
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
	peer[5].port = 77;
	peer[5].seq = 1;
	bed_forget(&bed);
	while (bed_event(&bed).flags != 0)
		;
	assert_non_null(bed_accept(&bed, &peer[5]));
	bed_destroy(&bed);
}

/* W-31: MSS 0, windows 0 and 1, an RTT of 0 and one of hours; then text and FIN. */
static void
neg_11_odd_options_divide_by_nothing(void **state)
{
	static const int32_t mss[] = {0, 1, 87, 65535}, wnd[] = {0, 1, 65535}, ws[] = {-1, 0, 255};

	(void)state;
	for (int i = 0; i < 36; i++) {
		static const struct ep_opts opts = {.conn = {.no_sack = true}};
		struct ep_seg syn = {.flags = "S", .seq = EP_PEER_ISS, .has_ts = i & 1};
		struct ep_seg third = {.flags = "A", .seq = EP_PEER_ISS + 1, .has_ts = i & 1};

		syn.mss = mss[i % 4];
		syn.wnd = wnd[i / 4 % 3];
		syn.wscale = ws[i / 12];
		rows_begin(&ep, __func__, &opts, "{listen}");
		ep_inject(&ep, &syn);
		ep_turn(&ep);
		assert_non_null(ep_take(&ep));
		third.ack = ep.taken.seq + 1;
		third.wnd = syn.wnd;
		third.mss = third.wscale = -1;
		third.tsecr = i % 3 ? ep.taken.tsval : ep.taken.tsval - 10000000;
		ep_inject(&ep, &third);
		cell_script(&ep, "[ACCEPTED]; {send 3000}; {shutdown}; +20s; ~; {abort}; ~");
		ep_drop(&ep);
	}
}

/* ---- NEG-13: a SYN on an open connection ---- */

ROW(neg_13_syn_is_neither_silent_nor_deadly, &rows_plain,
		REACH_EST "; > S p; < A i+1 p+1; +1s; > S p+1; < A i+1 p+1; +1s; > S p+30000;"
			  "< A i+1 p+1; +1s; > SA p i+1; < A i+1 p+1; []; = EST; {send 5};"
			  "< PA i+1 p+1 len=5; > A p+1 i+6; .")
ROW(neg_13_nor_while_closing, &rows_plain,
		REACH_FW2 "; > S p+1; < A i+2 p+1; []; = FW2; > FA p+1 i+2; < A i+2 p+2;"
			  "[PEER_FIN CLOSED GRACEFUL]; = TW")
ROW(neg_13_nor_in_close_wait, &rows_plain,
		REACH_CLW "; > S p+2; < A i+1 p+2; []; = CLW; > S p+9000; .; = CLW")

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(neg_6_rst_inside_the_window_resets_nothing),
			cmocka_unit_test(neg_6_rst_with_ack_is_not_answered),
			cmocka_unit_test(neg_6_nor_on_a_connection),
			cmocka_unit_test(neg_6_rst0_acknowledges_text_and_flags),
			cmocka_unit_test(neg_6_rsta_has_no_ack),
			cmocka_unit_test(neg_6_rsta_of_a_half_open_has_none_either),
			cmocka_unit_test(neg_8_text_on_a_syn_is_not_delivered_twice),
			cmocka_unit_test(neg_8_text_on_a_syn_ack_is_delivered_once),
			cmocka_unit_test(neg_8_text_on_a_crossing_syn_comes_again),
			cmocka_unit_test(neg_8_wrong_segments_draw_no_syn),
			cmocka_unit_test(neg_11_fin_out_of_order_after_close),
			cmocka_unit_test(neg_11_fin_out_of_order_then_abort),
			cmocka_unit_test(neg_11_listener_goes_under_its_children),
			cmocka_unit_test(neg_11_odd_options_divide_by_nothing),
			cmocka_unit_test(neg_13_syn_is_neither_silent_nor_deadly),
			cmocka_unit_test(neg_13_nor_while_closing),
			cmocka_unit_test(neg_13_nor_in_close_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
