/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: CLOSE-32 to CLOSE-45 of doc/requirements.md, row after row: ABORT, RST and SYN
 * in the closing states, orphans and their limits, timers, what stays readable (RFC 9293
 * 3.6, 3.10.5, 3.10.7.4, 3.10.8; RFC 5961). Method: scripts of one connection; a bed of
 * stations for limits. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/rows.h"

static struct bed bed;

/* The states after a FIN has passed, either way, with the numbers there. */
static const struct {
	const char *name;
	const char *reach;
	uint32_t rcv_nxt; /* from the peer's initial number */
	uint32_t snd_nxt; /* from ours */
	enum pmtcp_state state;
} closing[] = {
		{"fin_wait_1", REACH_FW1, 1, 2, PMTCP_FIN_WAIT_1},
		{"fin_wait_2", REACH_FW2, 1, 2, PMTCP_FIN_WAIT_2},
		{"close_wait", REACH_CLW, 2, 1, PMTCP_CLOSE_WAIT},
		{"closing", REACH_CLG, 2, 2, PMTCP_CLOSING},
		{"last_ack", REACH_LAK, 2, 2, PMTCP_LAST_ACK},
};

/* One segment into state `i`, its SEQ counted from RCV.NXT. */
static void
inject(struct ep *ep, size_t i, const char *flags, int32_t off)
{
	cell_script(ep, closing[i].reach);
	ep_inject(ep, &(struct ep_seg){.flags = flags,
				      .seq = ep->irs + closing[i].rcv_nxt + (uint32_t)off,
				      .ack = ep->iss + closing[i].snd_nxt,
				      .wnd = -1,
				      .mss = -1,
				      .wscale = -1});
}

static void
expect_challenge(struct ep *ep, size_t i)
{
	ep_turn(ep);
	ep_expect(ep, &(struct ep_seg){.flags = "A",
				      .seq = ep->iss + closing[i].snd_nxt,
				      .ack = ep->irs + closing[i].rcv_nxt,
				      .wnd = -1,
				      .mss = -1,
				      .wscale = -1});
	ep_expect_nothing(ep);
	ep_expect_event(ep, 0, PMTCP_REASON_NONE);
	ep_expect_state(ep, closing[i].state);
}

/* ---- ABORT ---- */

ROW(close_32_abort_in_syn_sent, &rows_plain,
		REACH_SYS "; {abort}; .; [CLOSED LOCAL_ABORT]; = CLD; +60s; .")
ROW(close_32_abort_in_syn_rcvd, &rows_plain,
		REACH_SYR_ACT "; {abort}; < RA i+1 p+1; .; [CLOSED LOCAL_ABORT]; = CLD; +60s; .")
ROW(close_32_abort_in_established, &rows_plain,
		REACH_EST "; {abort}; < RA i+1 p+1; .; [CLOSED LOCAL_ABORT]; = CLD; +60s; .")
ROW(close_32_abort_drops_the_queues, &rows_plain,
		REACH_EST "; > PA p+1 i+1 len=10 wnd=5; [READABLE]; {send 100}; .; {abort};"
			  "< RA i+1 p+11; .; [CLOSED LOCAL_ABORT]; = CLD; +60s; .")
ROW(close_32_abort_in_fin_wait_1, &rows_plain,
		REACH_FW1 "; {abort}; < RA i+2 p+1; .; [CLOSED LOCAL_ABORT]; = CLD; +60s; .")
ROW(close_32_abort_in_fin_wait_2, &rows_plain,
		REACH_FW2 "; {abort}; < RA i+2 p+1; .; [CLOSED LOCAL_ABORT]; = CLD; +60s; .")
ROW(close_32_abort_in_close_wait, &rows_plain,
		REACH_CLW "; {abort}; < RA i+1 p+2; .; [CLOSED LOCAL_ABORT]; = CLD; +60s; .")
ROW(close_32_abort_in_closing, &rows_plain,
		REACH_CLG "; {abort}; .; [CLOSED LOCAL_ABORT]; = CLD; +60s; .; # rst_sent+0")
ROW(close_32_abort_in_last_ack, &rows_plain,
		REACH_LAK "; {abort}; .; [CLOSED LOCAL_ABORT]; = CLD; +60s; .; # rst_sent+0")
ROW(close_32_abort_in_time_wait_keeps_the_entry, &rows_plain,
		REACH_TW_HELD "; {abort}; .; []; = TW; +59s; = TW; # rst_sent+0")
/* Our RST lay above what the peer has; its challenge shows the number it wants. */
ROW(close_32_challenge_to_our_rst_gets_an_exact_one, &rows_plain,
		REACH_EST "; {send 10}; < PA i+1 p+1 len=10; {abort}; < RA i+11 p+1;"
			  "[CLOSED LOCAL_ABORT]; > A p+1 i+1; < R i+1 0; = CLD")

/* ---- RST and SYN ---- */

static void
close_33_exact_rst_resets_in_each_state(void **state)
{
	static struct ep ep;

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(closing); i++) {
		ep_create(&ep, closing[i].name, &rows_plain);
		inject(&ep, i, "R", 0);
		cell_script(&ep, "; [CLOSED PEER_RESET]; .; = CLD; {close}; +60s; .");
		rows_end(&ep);
	}
}

ROW(close_33_queues_are_dropped, &rows_plain,
		REACH_CLW
		"; > A p+2 i+1 wnd=5; {send 100}; ~; > R p+2; [CLOSED PEER_RESET]; .; = CLD;"
		"+60s; .")
ROW(close_33_orphan_is_told_once, &rows_plain,
		REACH_FW1_ORP "; > R p+1; > R p+1; .; [CLOSED PEER_RESET]; = CLD")

static void
close_34_rst_in_the_window_is_challenged(void **state)
{
	static const int32_t inside[] = {1, 2, 1000, 32766};
	static struct ep ep;

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(closing); i++)
		for (size_t k = 0; k < PMTCP_ARRAY_SIZE(inside); k++) {
			ep_create(&ep, closing[i].name, &rows_plain);
			inject(&ep, i, "R", inside[k]);
			expect_challenge(&ep, i);
			rows_end(&ep);
		}
}

static void
close_34_rst_outside_the_window_is_dropped(void **state)
{
	static const int32_t outside[] = {-1, -2, -1000, 32768, 40000, INT32_MAX, INT32_MIN};
	static struct ep ep;

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(closing); i++)
		for (size_t k = 0; k < PMTCP_ARRAY_SIZE(outside); k++) {
			ep_create(&ep, closing[i].name, &rows_plain);
			inject(&ep, i, "R", outside[k]);
			cell_script(&ep, "; .; []; # drop_rst");
			ep_expect_state(&ep, closing[i].state);
			rows_end(&ep);
		}
}

static void
tune_lenient(struct pmtcp_conf *conf)
{
	conf->fin_rst_lenient = true;
}

static const struct ep_opts lenient = {
		.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true},
		.tune = tune_lenient};

/* The knob: RST with the number of the FIN before it. Without a FIN it is no good. */
ROW(close_34_lenient_in_close_wait, &lenient, REACH_CLW "; > R p+1; .; [CLOSED PEER_RESET]; = CLD")
ROW(close_34_lenient_in_last_ack, &lenient, REACH_LAK "; > R p+1; .; [CLOSED PEER_RESET]; = CLD")
ROW(close_34_lenient_in_closing, &lenient, REACH_CLG "; > R p+1; .; [CLOSED PEER_RESET]; = CLD")
ROW(close_34_lenient_needs_a_fin, &lenient, REACH_FW1 "; > R p; .; []; = FW1; # drop_rst")
ROW(close_34_lenient_is_one_number, &lenient, REACH_CLW "; > R p; .; []; = CLW; # drop_rst")

static void
close_35_syn_is_challenged_in_each_state(void **state)
{
	static const int32_t offs[] = {0, 1, -1, -2, 32767, 32768, 100000, INT32_MIN};
	static const char *const flags[] = {"S", "SA"};
	static struct ep ep;

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(closing); i++)
		for (size_t k = 0; k < 2 * PMTCP_ARRAY_SIZE(offs); k++) {
			ep_create(&ep, closing[i].name, &rows_plain);
			inject(&ep, i, flags[k % 2], offs[k / 2]);
			expect_challenge(&ep, i);
			cell_script(&ep, "# drop_syn_challenge challenge_sent");
			rows_end(&ep);
		}
}

/* ---- what stays ---- */

ROW(close_36_unread_text_outlives_time_wait, &rows_plain,
		REACH_FW2 "; > A p+1 i+2 len=700; > PFA p+701 i+2 len=500; < A i+2 p+1202;"
			  "[READABLE PEER_FIN CLOSED GRACEFUL]; = TW; +70s; = CLD;"
			  "{recv 2000}=1200; {recv 1}=0; {close}")
ROW(close_36_unread_text_outlives_last_ack, &rows_plain,
		REACH_EST "; > PFA p+1 i+1 len=10; ~; [READABLE PEER_FIN]; {shutdown};"
			  "< FA i+1 p+12; > A p+12 i+2; .; [CLOSED GRACEFUL]; = CLD;"
			  "{recv 20}=10; {recv 1}=0; {close}")
ROW(close_36_unread_text_stays_in_closing, &rows_plain,
		REACH_FW1 "; > PFA p+1 i+1 len=10; < A i+2 p+12; [READABLE PEER_FIN]; = CLG;"
			  "{recv 4}; > A p+12 i+2; .; [CLOSED GRACEFUL]; = TW; {recv 20}=6;"
			  "{recv 1}=0; {close}")

ROW(close_37_orphans_peer_ends_in_time, &rows_plain,
		REACH_FW2_ORP "; +59s; .; []; = FW2; > FA p+1 i+2; < A i+2 p+2; [CLOSED GRACEFUL];"
			      "= TW; +59900; = TW; +400; = CLD")
ROW(close_37_orphans_peer_comes_too_late, &rows_plain,
		REACH_FW2_ORP
		"; +61s; .; [CLOSED TIMEOUT_FW2]; = CLD; > FA p+1 i+2; < R i+2 0; = CLD;"
		"# fw2_timeout rst_sent+0")
ROW(close_37_closed_in_fin_wait_2_is_an_orphan_too, &rows_plain,
		REACH_FW2
		"; +1000s; {close}; +59s; .; []; = FW2; +2s; .; [CLOSED TIMEOUT_FW2]; = CLD")
ROW(close_37_detached_is_counted_only, &rows_plain,
		REACH_FW2 "; {detach}; +61s; .; []; = CLD; # fw2_timeout")

ROW(close_38_attached_waits_a_day, &rows_plain,
		REACH_FW2
		"; +86400s; .; []; = FW2; > PA p+1 i+2 len=10; [READABLE]; {recv 10}; +42;"
		"< A i+2 p+11; = FW2")
ROW(close_38_application_may_set_a_limit, &rows_plain,
		REACH_FW1 "; {fw2_ms 5000}; > A p+1 i+2; = FW2; +4900; .; = FW2; +200;"
			  "< RA i+2 p+1; .; [CLOSED TIMEOUT_FW2]; = CLD; {close}")
ROW(close_38_keepalive_may_end_it, &rows_plain,
		REACH_FW2 "; {keepalive_ms 10000}; {keepalive_intvl_ms 1000}; {keepalive_count 2};"
			  "+15s; ~; [CLOSED TIMEOUT_KA]; = CLD; {close}")

static void
tune_orphans(struct pmtcp_conf *conf)
{
	conf->max_conns = 128;
	conf->max_transfers = 128;
	conf->max_port_pairs = 128;
	conf->orphan_max = 100;
}

static void
close_39_the_101st_orphan_is_reset(void **state)
{
	(void)state;
	bed_create(&bed, tune_orphans);
	for (uint16_t i = 0; i < 101; i++) {
		struct bed_peer peer = {.ip = TEST_PEER, .port = (uint16_t)(80 + i), .seq = 1000};
		struct pmtcp_conn *conn;
		const struct pkt *p;

		assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
		pmtcp_close(conn);
		p = bed_peer_gets(&bed, &peer);
		assert_non_null(p);
		assert_int_equal(p->flags, (i < 100 ? PKT_FIN : PKT_RST) | PKT_ACK);
	}
	assert_int_equal(bed_counter(&bed, PMTCP_C_orphan_abort), 1);
	assert_int_equal(bed_event(&bed).reason, PMTCP_NO_RESOURCE);
	bed_destroy(&bed);
}

/* ---- timers ---- */

ROW(close_40_keepalive_ends_with_time_wait, &rows_plain,
		REACH_EST
		"; {keepalive_ms 1000}; {shutdown}; < FA i+1 p+1; > FA p+1 i+2;"
		"< A i+2 p+2; [PEER_FIN CLOSED GRACEFUL]; = TW; +59s; .; []; = TW; +2s; .;"
		"= CLD; {close}")
ROW(close_40_user_timeout_ends_with_time_wait, &rows_plain,
		REACH_EST
		"; {user_timeout_ms 2000}; {send 10}; {shutdown}; ~; > FA p+1 i+12;"
		"< A i+12 p+2; [PEER_FIN CLOSED GRACEFUL]; = TW; +59s; .; []; = TW; {close}")
ROW(close_40_linger_and_fw2_end_with_time_wait, &rows_plain,
		REACH_EST "; {linger_ms 5000}; {close}; < FA i+1 p+1; > A p+1 i+2; = FW2;"
			  "> FA p+1 i+2; < A i+2 p+2; [CLOSED GRACEFUL]; = TW; +59s; .; []; = TW")
ROW(close_40_retransmission_ends_with_the_ack_of_fin, &rows_plain,
		REACH_FW1 "; +205; < FA i+1 p+1; > A p+1 i+2; .; = FW2; +600s; .; []; = FW2")
ROW(close_40_delayed_ack_ends_with_time_wait, &rows_plain,
		REACH_FW2
		"; > PA p+1 i+2 len=10; [READABLE]; {recv 10}; > FA p+11 i+2; < A i+2 p+12;"
		"[PEER_FIN CLOSED GRACEFUL]; +59s; .; = TW; {close}")
ROW(close_40_persist_ends_with_closed, &rows_plain,
		REACH_EST "; > A p+1 i+1 wnd=0; {send 10}; > R p+1; [CLOSED PEER_RESET]; +600s; .;"
			  "= CLD; {close}")

ROW(close_41_reading_after_fin_sends_nothing, &rows_plain,
		REACH_EST
		"; > A p+1 i+1 len=1460; > A p+1461 i+1 len=1460; > PFA p+2921 i+1 len=1460;"
		"[READABLE PEER_FIN]; < A i+1 p+4382; .; = CLW; {recv 4380}; .; {recv 1}=0;"
		"+60s; .")

/* A silent peer: CLOSED within the limit, with a reason, at most one RST. */
static void
silent_peer(const char *reach, uint32_t limit_s, int reason)
{
	static struct ep ep;

	rows_begin(&ep, "close_42", &rows_plain, reach);
	for (uint32_t s = 0; s < limit_s; s += 5)
		cell_script(&ep, "+5s; ~");
	assert_int_equal(ep.reason, reason);
	assert_true(ep.is_ended || ep.conn == NULL);
	assert_true(ep_gained(&ep, PMTCP_C_rst_sent) <= 1);
	ep.events = 0;
	ep.reason = PMTCP_REASON_NONE;
	ep_expect_state(&ep, PMTCP_CLOSED);
	rows_end(&ep);
}

static void
close_42_each_state_ends_by_retries(void **state)
{
	(void)state;
	silent_peer(REACH_FW1, 1000, PMTCP_TIMEOUT_RTX);
	silent_peer(REACH_CLW "; {send 1}", 1000, PMTCP_TIMEOUT_RTX);
	silent_peer(REACH_CLG, 1000, PMTCP_TIMEOUT_RTX);
	silent_peer(REACH_LAK, 1000, PMTCP_TIMEOUT_RTX);
}

static void
close_42_each_orphan_ends_sooner(void **state)
{
	(void)state;
	silent_peer(REACH_FW1_ORP, 110, PMTCP_TIMEOUT_RTX);
	silent_peer(REACH_FW2_ORP, 65, PMTCP_TIMEOUT_FW2);
	silent_peer(REACH_CLG "; {close}", 110, PMTCP_TIMEOUT_RTX);
	silent_peer(REACH_CLW "; {close}", 110, PMTCP_TIMEOUT_RTX);
}

ROW(close_42_user_timeout_in_fin_wait_1, &rows_plain,
		REACH_EST "; {user_timeout_ms 5000}; {send 10}; {shutdown}; +4900; ~; = FW1; +200;"
			  "< RA i+12 p+1; .; [ERROR CLOSED TIMEOUT_USER]; = CLD; +60s; .; {close};"
			  "# rst_sent")
ROW(close_42_user_timeout_in_last_ack, &rows_plain,
		REACH_CLW "; {user_timeout_ms 5000}; {send 10}; {shutdown}; +4900; ~; = LAK; +200;"
			  "< RA i+12 p+2; .; [ERROR CLOSED TIMEOUT_USER]; = CLD; +60s; .; {close};"
			  "# rst_sent")

/* FIN alone, FIN with the tail, tail acknowledged and FIN not: the octets stay right.
 * Under SACK: test_rfc_close_sim.c. */
ROW(close_43_fin_is_no_octet_of_the_stream, &rows_plain,
		REACH_EST "; {send 20}; {shutdown}; < PFA i+1 p+1 len=20; +205;"
			  "< PFA i+1 p+1 len=20; > A p+1 i+21; ? unacked 0; = FW1; +405;"
			  "< FA i+21 p+1; > A p+1 i+22; .; = FW2")
ROW(close_43_received_fin_is_no_octet, &rows_plain,
		REACH_EST "; > PFA p+1 i+1 len=10; < A i+1 p+12; [READABLE PEER_FIN]; ? unread 10;"
			  "> PFA p+1 i+1 len=10; < A i+1 p+12; []; ? unread 10; {recv 20}=10;"
			  "{recv 1}=0")

/* ---- the relay ---- */

/* What a proxy does, on two connections of one context: text goes across, the end of
 * one leg's stream ends the other's, a broken leg breaks the other. */
struct relay {
	struct bed_peer peer[2];
	struct pmtcp_conn *leg[2]; /* NULL once its CLOSED was popped */
};

static void
relay_event(struct relay *r, const struct pmtcp_event *ev)
{
	int side = ev->conn == r->leg[1];
	struct pmtcp_conn *from = r->leg[side], *to = r->leg[!side];
	uint8_t text[64];
	int n;

	while ((n = pmtcp_read(from, text, sizeof(text))) > 0 && to != NULL)
		assert_int_equal(pmtcp_write(to, text, (uint32_t)n), n);
	if ((ev->flags & PMTCP_EV_PEER_FIN) && to != NULL)
		assert_int_equal(pmtcp_shutdown(to), 0);
	if (!(ev->flags & PMTCP_EV_CLOSED))
		return;
	r->leg[side] = NULL;
	if (ev->reason == PMTCP_GRACEFUL)
		pmtcp_close(from);
	else if (ev->reason != PMTCP_LOCAL_ABORT) {
		pmtcp_close(from);
		if (to != NULL)
			pmtcp_abort(to);
	}
}

static void
relay_turn(struct relay *r)
{
	struct pmtcp_event ev;

	bed_turn(&bed);
	while ((ev = bed_event(&bed)).flags != 0)
		relay_event(r, &ev);
	bed_turn(&bed);
}

static void
relay_open(struct relay *r)
{
	const struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, 80);
	struct pmtcp_listener *l;

	*r = (struct relay){.peer = {{.ip = TEST_PEER, .port = 4000, .local_port = 80, .seq = 1},
					    {.ip = TEST_PEER, .port = 90, .seq = 1}}};
	bed_create(&bed, NULL);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
	r->leg[0] = bed_accept(&bed, &r->peer[0]);
	assert_non_null(r->leg[0]);
	assert_int_equal(bed_open(&bed, &r->peer[1], 0, &r->leg[1]), 0);
}

/* The next frame to this side's peer that says more than an ACK, or NULL. */
static const struct pkt *
relay_gets(struct relay *r, int side)
{
	const struct pkt *p;

	while ((p = bed_take(&bed)) != NULL) {
		if (p->dport != r->peer[side].port)
			continue;
		if (p->len == 0 && p->flags == PKT_ACK)
			continue;
		r->peer[side].ack = p->seq + p->len + !!(p->flags & PKT_FIN);
		return p;
	}
	return NULL;
}

/* One side ends, an hour later the other still sends; then it ends too. */
static void
half_close_through_relay(int first)
{
	static struct relay r;

	relay_open(&r);
	bed_peer_sends(&bed, &r.peer[first], PKT_ACK | PKT_FIN, 20);
	relay_turn(&r);
	assert_non_null(relay_gets(&r, !first));
	assert_int_equal(bed.taken.flags & (PKT_FIN | PKT_RST), PKT_FIN);
	assert_int_equal(bed.taken.len, 20);
	bed_peer_sends(&bed, &r.peer[!first], PKT_ACK, 0);
	relay_turn(&r);
	bed_advance(&bed, 3600000 * BED_MS);
	bed_peer_sends(&bed, &r.peer[!first], PKT_ACK, 30);
	relay_turn(&r);
	assert_non_null(relay_gets(&r, first));
	assert_int_equal(bed.taken.len, 30);
	bed_peer_sends(&bed, &r.peer[first], PKT_ACK, 0);
	bed_peer_sends(&bed, &r.peer[!first], PKT_ACK | PKT_FIN, 0);
	relay_turn(&r);
	assert_non_null(relay_gets(&r, first));
	assert_int_equal(bed.taken.flags, PKT_FIN | PKT_ACK);
	bed_peer_sends(&bed, &r.peer[first], PKT_ACK, 0);
	relay_turn(&r);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_GRACEFUL], 2);
	bed_destroy(&bed);
}

static void
close_44_half_close_passes_a_relay_each_way(void **state)
{
	(void)state;
	half_close_through_relay(0);
	half_close_through_relay(1);
}

static void
close_44_reset_passes_a_relay_each_way(void **state)
{
	static struct relay r;

	(void)state;
	for (int first = 0; first < 2; first++) {
		relay_open(&r);
		bed_peer_sends(&bed, &r.peer[first], PKT_RST, 0);
		relay_turn(&r);
		assert_non_null(relay_gets(&r, !first));
		assert_int_equal(bed.taken.flags, PKT_RST | PKT_ACK);
		relay_turn(&r);
		assert_int_equal(bed_stats(&bed).live, 0);
		bed_destroy(&bed);
	}
}

/* ---- the sum ---- */

/* Handles: opened = live + each kind of end. */
static void
expect_sum(uint32_t opened, uint32_t live)
{
	const struct pmtcp_stats stats = bed_stats(&bed);
	uint64_t ended = 0;

	for (int r = 0; r < PMTCP_REASON_MAX; r++)
		ended += stats.ended[r];
	assert_int_equal(stats.counter[PMTCP_C_opened_active], opened);
	assert_int_equal(stats.live, live);
	assert_int_equal(ended, opened - live);
}

static void
open_in_vain(uint16_t port, bool is_refused)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = port};
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, port);
	struct pmtcp_conn *conn;

	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), 0);
	assert_non_null(bed_peer_gets(&bed, &peer));
	if (is_refused)
		bed_peer_sends(&bed, &peer, PKT_RST | PKT_ACK, 0);
}

/* Graceful, reset, refused, aborted, timed out and alive: each in one class. */
static void
close_45_each_end_is_counted_once(void **state)
{
	(void)state;
	bed_create(&bed, NULL);
	for (uint16_t i = 0; i < 12; i++) {
		struct bed_peer peer = {.ip = TEST_PEER, .port = (uint16_t)(80 + i), .seq = 1000};
		struct pmtcp_conn *conn;

		assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
		if (i < 3)
			bed_close_first(&bed, &peer, conn);
		else if (i < 5)
			bed_peer_sends(&bed, &peer, PKT_RST, 0);
		else if (i < 8)
			pmtcp_abort(conn);
		else if (i < 10)
			pmtcp_close(conn);
		bed_turn(&bed);
		bed_forget(&bed);
		while (bed_event(&bed).flags != 0)
			;
	}
	for (uint16_t i = 0; i < 3; i++)
		open_in_vain((uint16_t)(92 + i), i < 2);
	bed_turn(&bed);
	expect_sum(15, 5);
	bed_advance(&bed, 200000 * BED_MS);
	expect_sum(15, 2);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_GRACEFUL], 3);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_PEER_RESET], 2);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_LOCAL_ABORT], 3);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_TIMEOUT_RTX], 2);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_REFUSED], 2);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_TIMEOUT_SYN], 1);
	bed_destroy(&bed);
}

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			T(close_32_abort_in_syn_sent),
			T(close_32_abort_in_syn_rcvd),
			T(close_32_abort_in_established),
			T(close_32_abort_drops_the_queues),
			T(close_32_abort_in_fin_wait_1),
			T(close_32_abort_in_fin_wait_2),
			T(close_32_abort_in_close_wait),
			T(close_32_abort_in_closing),
			T(close_32_abort_in_last_ack),
			T(close_32_abort_in_time_wait_keeps_the_entry),
			T(close_32_challenge_to_our_rst_gets_an_exact_one),
			T(close_33_exact_rst_resets_in_each_state),
			T(close_33_queues_are_dropped),
			T(close_33_orphan_is_told_once),
			T(close_34_rst_in_the_window_is_challenged),
			T(close_34_rst_outside_the_window_is_dropped),
			T(close_34_lenient_in_close_wait),
			T(close_34_lenient_in_last_ack),
			T(close_34_lenient_in_closing),
			T(close_34_lenient_needs_a_fin),
			T(close_34_lenient_is_one_number),
			T(close_35_syn_is_challenged_in_each_state),
			T(close_36_unread_text_outlives_time_wait),
			T(close_36_unread_text_outlives_last_ack),
			T(close_36_unread_text_stays_in_closing),
			T(close_37_orphans_peer_ends_in_time),
			T(close_37_orphans_peer_comes_too_late),
			T(close_37_closed_in_fin_wait_2_is_an_orphan_too),
			T(close_37_detached_is_counted_only),
			T(close_38_attached_waits_a_day),
			T(close_38_application_may_set_a_limit),
			T(close_38_keepalive_may_end_it),
			T(close_39_the_101st_orphan_is_reset),
			T(close_40_keepalive_ends_with_time_wait),
			T(close_40_user_timeout_ends_with_time_wait),
			T(close_40_linger_and_fw2_end_with_time_wait),
			T(close_40_retransmission_ends_with_the_ack_of_fin),
			T(close_40_delayed_ack_ends_with_time_wait),
			T(close_40_persist_ends_with_closed),
			T(close_41_reading_after_fin_sends_nothing),
			T(close_42_each_state_ends_by_retries),
			T(close_42_each_orphan_ends_sooner),
			T(close_42_user_timeout_in_fin_wait_1),
			T(close_42_user_timeout_in_last_ack),
			T(close_43_fin_is_no_octet_of_the_stream),
			T(close_43_received_fin_is_no_octet),
			T(close_44_half_close_passes_a_relay_each_way),
			T(close_44_reset_passes_a_relay_each_way),
			T(close_45_each_end_is_counted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
