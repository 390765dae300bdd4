/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Steps 7 and 8 of RFC 9293 3.10.7.4: the segment text and the FIN bit, and when
 * an ACK is owed for them (sections 3.8.6.2.2, 3.8.6.3; RFC 5681 4.2). */

#include "tcp/tcp.h"

/* The window that may be offered from rcv.nxt on. The edge opens only by a real step
 * (receiver SWS avoidance, DATA-20), never closes (DATA-18), and does not grow while
 * packet buffers are short (RES-5). */
uint32_t
tcp_rcv_space(const struct tcp *t, const struct tcb *c)
{
	const struct tcp_rx *rx = tcp_rx(t, c);
	uint32_t buffer = tcp_class(t, c)->recv_buffer;
	uint32_t held = rx ? rx->held : 0;
	uint32_t now = tcb_rcv_wnd(c);
	uint32_t space = held < buffer ? buffer - held : 0;
	uint32_t step;

	if (space <= now || t->free_permille < TCP_PRESSURE_SYN)
		return now;
	/* What the field cannot tell is no step. */
	space = min_u32(space, tcb_rcv_wnd_max(c));
	if (space >= now + UINT16_MAX)
		return space; /* more than any segment */
	step = min_u32(buffer / 2, tcp_mss_max(t, tcp_class(t, c), tcp_is_v6(t, &c->head)));
	return space >= now + step ? space : now;
}

static uint32_t
full_segment(const struct tcp *t, const struct tcb *c)
{
	return tcp_mss_max(t, tcp_class(t, c), tcp_is_v6(t, &c->head)) -
	       (tcb_has(c, TCB_TS) ? TCP_TS_OPT_LEN : 0);
}

/* DATA-11, DATA-12: every second full segment at the end of the burst, or the
 * timer; the first full segments of a connection are acknowledged at once, since
 * the peer is in slow start (DATA-13). */
static void
ack_in_order(struct tcp *t, struct tcb *c, uint32_t len)
{
	uint32_t full = full_segment(t, c);

	if (is_unlikely(len >= full) && (c->flags & TCB_QUICKACK) != 0) {
		c->flags -= 1u << TCB_QUICKACK_SHIFT;
		tcp_owe_ack(t, c);
		return;
	}
	if (c->rcv.nxt - c->ack_sent >= 2 * full || tcp_class(t, c)->delack_ms == 0)
		tcp_owe_ack(t, c);
	else
		tcp_delack_start(t, c);
}

/* Without SACK each out-of-order segment is owed an ACK of its own (DATA-29). */
static void
ack_out_of_order(struct tcp *t, struct tcb *c)
{
	tcp_owe_ack(t, c);
	if (!tcb_has(c, TCB_SACK) && (c->dups & TCB_DUPS_OWED) < TCP_DUP_ACKS_OWED)
		c->dups++;
}

/* CLOSE-30, NEG-10: nobody will ever read it, and the peer must know. */
static enum verdict
abort_on_data(struct tcp *t, struct tcb *c, struct seg *seg)
{
	tcp_count(t, PMTCP_C_abort_on_data);
	t->fate = PMTCP_C_drop_after_close;
	tcp_conn_reset(t, c, PMTCP_DATA_LOST);
	return DONE;
}

/* DATA-4: what lies right of the window is cut, the FIN first. */
static void
cut_right(const struct tcb *c, struct seg *seg)
{
	uint32_t room = c->rcv.adv - seg->seq;

	if (seg->len > room) {
		seg->len = (uint16_t)room;
		seg->flags &= (uint8_t)~TCP_FIN;
	}
}

/* RCV.NXT moves. */
static void
deliver(struct tcp *t, struct tcb *c, struct tcp_rx *rx, uint32_t octets)
{
	c->rcv.nxt += octets;
	rx->held += octets;
	t->counter[PMTCP_C_rx_octets] += octets;
	tcp_event(t, c, PMTCP_EV_READABLE);
}

/* Nearly every segment: the next one, and nothing waits above a hole. */
static enum verdict
take_next(struct tcp *t, struct tcb *c, struct seg *seg, struct tcp_rx *rx)
{
	reasm_append(&rx->r, seg->m, seg->payload_off, seg->len);
	seg->m = NULL;
	deliver(t, c, rx, seg->len);
	ack_in_order(t, c, seg->len);
	/* Nor does a FIN wait. */
	return seg->flags & TCP_FIN ? NEXT : DONE;
}

static enum verdict
took_text(struct tcp *t, struct tcb *c, struct seg *seg, const struct reasm_out *out)
{
	deliver(t, c, tcp_rx(t, c), out->rcv_nxt - c->rcv.nxt);
	/* DEC-5, DATA-29: what waited above the hole came before this burst, or is acknowledged
	 * with it. Several ACKs would tell a sender without SACK of more holes (RFC 6582). */
	if (out->filled_gap)
		c->dups = (c->dups & 0xf0) | TCB_GAP_FILLED;
	if (out->filled_gap || out->was_dup)
		tcp_owe_ack(t, c);
	else
		ack_in_order(t, c, seg->len);
	return NEXT;
}

static enum verdict
insert_text(struct tcp *t, struct tcb *c, struct seg *seg, struct tcp_rx *rx)
{
	struct reasm_in in = {.m = seg->m,
			.off = seg->payload_off,
			.seq = seg->seq,
			.len = seg->len,
			.rcv_nxt = c->rcv.nxt,
			/* Buffers cost more than their octets; four times is fair. */
			.truesize_max = 4 * tcp_class(t, c)->recv_buffer};
	struct reasm_out out;
	int verdict = reasm_insert(&rx->r, &t->recs, &in, &out);

	if (out.took)
		seg->m = NULL;
	if (out.was_dup && tcb_has(c, TCB_SACK)) {
		rx->dsack_left = out.dup_left;
		rx->dsack_right = out.dup_right;
	}
	switch (verdict) {
	case REASM_IN_ORDER:
		return took_text(t, c, seg, &out);
	case REASM_QUEUED:
		tcp_count(t, PMTCP_C_ooo_queued);
		ack_out_of_order(t, c);
		return NEXT;
	case REASM_DUPLICATE:
		t->fate = PMTCP_C_drop_dup;
		ack_out_of_order(t, c);
		return NEXT;
	case REASM_PAST_FIN:
		t->fate = PMTCP_C_drop_past_fin;
		tcp_challenge(t, c);
		return DONE;
	default:
		t->fate = verdict == REASM_NO_RECORD ? PMTCP_C_drop_rec_full
						     : PMTCP_C_drop_ooo_limit;
		ack_out_of_order(t, c);
		return DONE;
	}
}

/* RES-5: packet buffers, or the records that sending needs too, are nearly gone: what is
 * not in order must wait. */
static bool
is_too_short_for_ooo(const struct tcp *t)
{
	return t->free_permille < TCP_PRESSURE_OOO ||
	       recpool_available(&t->recs) < t->conf.max_records / 8;
}

enum verdict
tcp_take_text(struct tcp *t, struct tcb *c, struct seg *seg)
{
	struct tcp_rx *rx;

	if (is_unlikely(tcb_is_past_fin(c))) {
		t->fate = PMTCP_C_drop_past_fin;
		tcp_challenge(t, c);
		return DONE;
	}
	cut_right(c, seg);
	if (seq_leq(seg->seq + seg->len, c->rcv.nxt))
		return NEXT; /* only its FIN is new */
	/* Only full CLOSE: after SHUTDOWN receiving goes on for ever (CLOSE-8). */
	if (is_unlikely(tcb_has(c, TCB_ORPHAN)))
		return abort_on_data(t, c, seg);
	if (seq_gt(seg->seq, c->rcv.nxt) && is_too_short_for_ooo(t)) {
		t->fate = PMTCP_C_drop_ooo_limit;
		ack_out_of_order(t, c);
		return DONE;
	}
	rx = tcp_rx_get(t, c);
	if (!rx) {
		t->fate = PMTCP_C_drop_rec_full;
		ack_out_of_order(t, c);
		return DONE;
	}
	if (is_likely(seg->seq == c->rcv.nxt && reasm_is_in_order(&rx->r)))
		return take_next(t, c, seg, rx);
	return insert_text(t, c, seg, rx);
}

/* CLOSE-25: remembered at its number until the hole below is filled. */
static PMTCP_NOINLINE enum verdict
hold_fin(struct tcp *t, struct tcb *c, struct seg *seg, uint32_t fin)
{
	struct tcp_rx *rx;

	/* CLOSE-26: right of the window it is cut off like text. */
	if (!seq_in_window(fin, c->rcv.nxt, tcb_rcv_wnd(c)))
		return DONE;
	rx = tcp_rx_get(t, c);
	if (!rx) {
		t->fate = PMTCP_C_drop_rec_full;
		return DONE;
	}
	reasm_set_fin(&rx->r, &t->recs, fin);
	if (seg->len == 0)
		ack_out_of_order(t, c);
	return DONE;
}

/* CLOSE-6, -11, -14, -15: the peer's direction ends here. */
static void
take_fin(struct tcp *t, struct tcb *c)
{
	struct tcp_rx *rx = tcp_rx(t, c);

	c->rcv.nxt++;
	if (seq_lt(c->rcv.adv, c->rcv.nxt))
		c->rcv.adv = c->rcv.nxt; /* DEC-12: a FIN at a shut window */
	c->flags |= TCB_FIN_RCVD;
	if (rx) {
		/* CLOSE-27: text above a hole that turns out to lie behind the end. */
		rx->r.has_fin = 0;
		reasm_drop_ooo(&rx->r, &t->recs);
	}
	tcp_owe_ack(t, c);
	tcp_event(t, c, PMTCP_EV_PEER_FIN);
	switch (c->head.state) {
	case TCPS_ESTABLISHED:
		tcp_conn_set_state(t, c, TCPS_CLOSE_WAIT);
		break;
	case TCPS_FIN_WAIT_1:
		tcp_conn_set_state(t, c, TCPS_CLOSING);
		break;
	default:
		CHECK(c->head.state == TCPS_FIN_WAIT_2);
		tcp_time_wait_enter(t, c, PMTCP_GRACEFUL);
		break;
	}
}

/* After the text of the same segment (CLOSE-24). */
enum verdict
tcp_check_fin(struct tcp *t, struct tcb *c, struct seg *seg)
{
	const struct tcp_rx *rx = tcp_rx(t, c);
	uint32_t fin = seg->seq + seg->len;

	if (is_unlikely(rx && reasm_fin_is_due(&rx->r, c->rcv.nxt))) {
		take_fin(t, c);
		return DONE;
	}
	if (!(seg->flags & TCP_FIN))
		return DONE;
	if (is_unlikely(tcb_is_past_fin(c))) {
		t->fate = PMTCP_C_drop_past_fin;
		tcp_challenge(t, c);
		return DONE;
	}
	/* NEG-7: while one FIN waits above a hole, another is not believed. */
	if (is_unlikely(rx && reasm_has_fin(&rx->r))) {
		if (reasm_fin(&rx->r) == fin)
			tcp_owe_ack(t, c);
		else
			tcp_challenge(t, c);
		return DONE;
	}
	if (is_unlikely(fin != c->rcv.nxt))
		return hold_fin(t, c, seg, fin);
	take_fin(t, c);
	return DONE;
}
