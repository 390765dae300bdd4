/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What to send now. Receiving, timers and calls only mark; this pass visits each
 * marked block once: retransmissions, new data, FIN, and the ACK rides along or
 * leaves alone (RFC 9293 3.7, 3.8; RFC 1122 4.2.3.4). */

#include "tcp/tcp_recovery.h"

#include <string.h>

#include "tcp/tcp_plain.h"

enum {
	OVERRIDE_MS = 200,   /* DATA-21: 0.1 to 1 s */
	VISIT_SEGMENTS = 64, /* of one connection, then the others have their turn */
};

/* Rounding up takes the edge on by a little with each ACK. It must not do so once the
 * buffer is full, nor for ever: a peer of small segments would be promised as much again
 * before that (RES-10). */
static bool
may_round_up(const struct tcp *t, const struct tcb *c)
{
	const struct tcp_rx *rx = tcp_rx(t, c);
	uint32_t buffer = tcp_class(t, c)->recv_buffer;
	uint32_t held = rx ? rx->held : 0;

	return held < buffer && held + tcb_rcv_wnd(c) < buffer + buffer / 8;
}

PMTCP_NOINLINE uint16_t
tcp_advertise_held(struct tcp *t, struct tcb *c, uint32_t ack)
{
	uint8_t shift = tcb_rcv_shift(c);
	uint32_t space = tcp_rcv_space(t, c) + (c->rcv.nxt - ack);
	uint32_t field = (space + (may_round_up(t, c) ? (1u << shift) - 1 : 0)) >> shift;

	field = min_u32(field, UINT16_MAX);
	c->rcv.adv = seq_max(c->rcv.adv, ack + (field << shift));
	return (uint16_t)field;
}

bool
tcp_emit(struct tcp *t, struct tcb *c, struct tcp_burst *b, const struct sendq_rec *rec,
		struct tcp_out out)
{
	struct rte_mbuf *m = rec ? tcp_payload_mbuf(t, c, rec) : tcp_ctl_alloc(t);
	struct wire_tcp w;

	ASSERT(b->n < b->max);
	if (is_unlikely(!m))
		return false;
	tcp_fill(t, c, &w, &out, rec ? rec->len : 0);
	wire_emit_tcp(m, &w, &t->tx_conf, &t->hops[c->head.hop].mac, &t->conf.mac);
	b->pkts[b->n++] = m;
	/* A full segment has no room for SACK blocks: a bare ACK follows with them, and so
	 * does the last one of a burst. */
	if ((out.flags & (TCP_ACK | TCP_RST)) == TCP_ACK &&
			((w.opts & SEG_OPT_SACK) || out.ack != c->rcv.nxt ||
					!tcp_has_sack_to_tell(t, c)) &&
			(!rec || (c->dups & TCB_DUPS_OWED) == 0))
		tcp_ack_left(c, out.ack);
	return true;
}

/* A segment without text, in all but a few cases a plain one. */
static PMTCP_ALWAYS_INLINE bool
emit_ctl(struct tcp *t, struct tcb *c, struct tcp_burst *b, struct tcp_out out)
{
	const struct tcp_hop *hop = tcp_hop(t, &c->head);
	struct wire_plain w;

	if (is_unlikely(!tcp_tcb_is_plain(t, c, hop)))
		return tcp_emit(t, c, b, NULL, out);
	w = tcp_plain_of(t, c, out);
	if (is_unlikely(!tcp_plain_send(t, &c->head, hop, b, &w)))
		return false;
	tcp_ack_left(c, out.ack);
	return true;
}

/* Octets that may go beyond snd.nxt as far as the peer's window is concerned. */
static uint32_t
window_left(const struct tcb *c)
{
	int32_t left = seq_diff(c->snd.una + c->snd.wnd, c->snd.nxt);

	return left > 0 ? (uint32_t)left : 0;
}

/* The same for the congestion window. The first two duplicate ACKs let one new
 * segment out each (RFC 3042, DATA-35). */
static uint32_t
cwnd_left(const struct tcb *c, const struct tcp_tx *tx)
{
	uint32_t cwnd = tx->cc.cwnd;
	uint32_t flight = tcp_pipe(tx);
	uint32_t dups = c->dups >> 4;

	/* RFC 5682 2.1 step 2b: two new ones, whatever cwnd says. */
	if (is_unlikely(tcp_tx_has(tx, TX_FRTO_2))) {
		int32_t left = seq_diff(tx->cc.recover + 2u * c->smss, c->snd.nxt);

		return left > 0 ? (uint32_t)left : 0;
	}
	if (dups > 0 && dups < TCP_DUP_ACKS_REXMT && !tcp_tx_has(tx, TX_IN_RECOVERY))
		cwnd += dups * c->smss;
	return cwnd > flight ? cwnd - flight : 0;
}

/* May a segment shorter than a full one leave? RFC 9293 3.8.6.2.1 (SWS, DATA-21) and
 * Nagle's rule in Minshall's form (3.7.4, A.3; DATA-22). */
static bool
short_may_leave(const struct tcp *t, const struct tcb *c, const struct tcp_tx *tx, uint32_t len)
{
	if (len == sendq_unsent(&tx->q)) {
		if (tcp_class(t, c)->is_nodelay || tcb_has(c, TCB_FIN_WANTED))
			return true;
		return seq_leq(tx->small_end, c->snd.una);
	}
	if (len > 0 && 2 * len >= (uint32_t)c->max_wnd << tcb_snd_shift(c))
		return true;
	return len > 0 && tcp_tx_has(tx, TX_OVERRIDE);
}

/* How much the next segment may carry; 0: nothing now. */
static uint32_t
next_len(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	uint32_t unsent = sendq_unsent(&tx->q);
	uint32_t by_cwnd = cwnd_left(c, tx);
	uint32_t room = min_u32(window_left(c), by_cwnd);
	uint32_t len = min_u32(min_u32(unsent, c->smss), room);

	/* For the ACKs of the next burst, all of them (DATA-41). */
	tx->flags &= (uint16_t)~TX_LIMITED;
	if (by_cwnd < min_u32(unsent, c->smss))
		tx->flags |= TX_LIMITED;
	if (is_likely(len == c->smss) || (len > 0 && short_may_leave(t, c, tx, len)))
		return len;
	return 0;
}

static void
note_sent(struct tcp *t, struct tcb *c, struct tcp_tx *tx, uint32_t len)
{
	if (len < c->smss)
		tx->small_end = tx->q.nxt;
	tx->sent_ms = t->now_ms;
	tx->flags &= (uint16_t)~TX_OVERRIDE;
	if (is_unlikely(tcp_tx_has(tx, TX_IN_RECOVERY)))
		tx->prr.out += len;
	t->counter[PMTCP_C_tx_octets] += len;
	if (tcb_timer(c) != TIMER_REXMT && tcb_timer(c) != TIMER_PROBE)
		tcp_timer_rexmt(t, c);
}

/* One new segment; the FIN rides on the last one if the window has room for its
 * number (CLOSE-5). */
static bool
send_segment(struct tcp *t, struct tcb *c, struct tcp_burst *b, uint32_t len)
{
	struct tcp_tx *tx = tcp_tx(t, c);
	struct tcp_out out = {.seq = tx->q.nxt, .ack = c->rcv.nxt, .flags = TCP_ACK};
	bool has_room = window_left(c) > len;
	uint32_t index = sendq_next(&tx->q, &t->recs, len, t->now_us);
	struct sendq_rec *rec;

	if (is_unlikely(!index)) {
		tcp_count(t, PMTCP_C_tx_norec);
		return false;
	}
	rec = sendq_rec(&t->recs, index);
	/* DATA-44: new text within the window, so no probe. */
	if (is_unlikely(tcb_has(c, TCB_ECN)) && window_left(c) >= len) {
		out.ecn = IP_ECN_ECT0;
		out.flags |= tcb_has(c, TCB_CWR_DUE) ? TCP_CWR : 0;
	}
	if (sendq_unsent(&tx->q) == 0) {
		out.flags |= TCP_PSH;
		rec->flags |= SENDQ_PSH;
		if (tcb_has(c, TCB_FIN_WANTED) && has_room) {
			out.flags |= TCP_FIN;
			rec->flags |= SENDQ_FIN;
		}
	}
	if (is_unlikely(!tcp_emit_text(t, c, b, rec, out))) {
		sendq_undo_last(&tx->q, &t->recs);
		return false;
	}
	c->snd.nxt = tx->q.nxt;
	if (is_unlikely(out.flags & TCP_CWR))
		c->flags &= ~(uint32_t)TCB_CWR_DUE;
	if (out.flags & TCP_FIN) {
		c->flags |= TCB_FIN_SENT;
		c->snd.nxt++; /* CLOSE-3: the last number, never used again */
	}
	note_sent(t, c, tx, rec->len);
	return true;
}

/* RFC 5681 4.1, DATA-43. */
static void
restart_after_idle(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	struct cc_event e = {.now_us = t->now_us,
			.mss = c->smss,
			.nxt = c->snd.nxt,
			.iw = t->conf.initial_window};
	uint32_t idle_ms = t->now_ms - tx->sent_ms;

	/* No RTO is shorter. */
	if (is_likely(idle_ms < t->conf.rto_min_ms))
		return;
	if (sendq_flight(&tx->q) == 0 && idle_ms > tcp_rto_ms(t, c))
		tcp_cc(t, c)->idle(&tx->cc, &e);
}

/* Something waits, nothing is in flight and nothing may leave: only a timer can go
 * on. A shut window is probed (DATA-24), a crumb of one waits for the override. */
static void
start_waiting(struct tcp *t, struct tcb *c)
{
	if (c->snd.una != c->snd.nxt || tcb_timer(c) == TIMER_PERSIST ||
			tcb_timer(c) == TIMER_OVERRIDE)
		return;
	if (window_left(c) == 0)
		tcp_timer_start(t, c, TIMER_PERSIST, tcp_rto_ms(t, c));
	else
		tcp_timer_start(t, c, TIMER_OVERRIDE, OVERRIDE_MS);
}

/* DATA-40 (RFC 8985 7.3): the flight was silent too long. What is new provokes an answer
 * as well as what was sent last. */
static bool
output_tlp(struct tcp *t, struct tcb *c, struct tcp_burst *b, struct tcp_tx *tx)
{
	uint32_t room = min_u32(sendq_unsent(&tx->q), window_left(c));

	if (b->n == b->max)
		return false;
	if (room == 0)
		return tcp_tlp_resend(t, c, b, tx);
	if (!send_segment(t, c, b, min_u32(room, c->smss)))
		return false;
	tcp_tlp_sent(t, c, tx);
	return true;
}

static bool
send_new(struct tcp *t, struct tcb *c, struct tcp_burst *b, struct tcp_tx *tx)
{
	for (int i = 0; sendq_unsent(&tx->q) > 0; i++) {
		uint32_t len = is_likely(tx->q.n_recs < TCP_SEGS_MAX) ? next_len(t, c, tx) : 0;

		if (len == 0) {
			start_waiting(t, c);
			return true;
		}
		if (b->n == b->max || i == VISIT_SEGMENTS)
			return false;
		if (!send_segment(t, c, b, len))
			return false;
	}
	return true;
}

static bool
output_data(struct tcp *t, struct tcb *c, struct tcp_burst *b)
{
	struct tcp_tx *tx = tcp_tx(t, c);
	uint32_t nxt = c->snd.nxt;
	bool is_done;

	if (!tx)
		return true;
	if (is_unlikely(tcp_tx_has(tx, TX_TLP_DUE)) && !output_tlp(t, c, b, tx))
		return false;
	if (sendq_unsent(&tx->q) == 0)
		return true;
	/* CLOSE-22, SEC-13: closed while the open is not proven yet. */
	if (tcb_has(c, TCB_SYN_UNACKED))
		return true;
	restart_after_idle(t, c, tx);
	is_done = send_new(t, c, b, tx);
	/* Alone in flight, it has just been given its probe. */
	if (tcb_has(c, TCB_SACK) && c->snd.nxt != nxt &&
			(tx->q.n_recs > 1 || tcb_timer(c) != TIMER_PROBE))
		tcp_tlp_start(t, c, tx);
	return is_done;
}

/* Our FIN alone (CLOSE-1, CLOSE-10), with ACK as every segment of ours (CLOSE-2); an ACK
 * still owed for the peer's FIN rides on it (CLOSE-13). Against a shut window it serves as
 * the probe (CLOSE-23). What is queued goes first, in CLOSING too (CLOSE-16, NEG-16). */
static bool
output_fin(struct tcp *t, struct tcb *c, struct tcp_burst *b)
{
	struct tcp_out out = {.seq = c->snd.nxt, .ack = c->rcv.nxt, .flags = TCP_FIN | TCP_ACK};
	bool is_shut = window_left(c) == 0;
	const struct tcp_tx *tx;

	if (!tcb_has(c, TCB_FIN_WANTED) || tcb_has(c, TCB_FIN_SENT))
		return true;
	tx = tcp_tx(t, c);
	if (tx && sendq_unsent(&tx->q) > 0)
		return true;
	if (is_shut && c->snd.una != c->snd.nxt && !tcb_has(c, TCB_SYN_UNACKED))
		return true; /* what is in flight is acknowledged first, and says the window */
	if (b->n == b->max || !emit_ctl(t, c, b, out))
		return false;
	c->flags |= TCB_FIN_SENT;
	c->snd.nxt++;
	if (is_shut)
		tcp_timer_start(t, c, TIMER_PERSIST, tcp_rto_ms(t, c));
	else
		tcp_timer_rexmt(t, c);
	return true;
}

/* One octet, or the FIN, against a shut window (DATA-24, CLOSE-23). */
static bool
output_probe(struct tcp *t, struct tcb *c, struct tcp_burst *b)
{
	struct tcp_tx *tx = tcp_tx(t, c);

	if (!tcb_has(c, TCB_PROBE_DUE))
		return true;
	if (b->n == b->max)
		return false;
	if (c->rare && (tcp_rare(t, c)->flags & RARE_KEEP_DUE)) {
		if (!tcp_keepalive_output(t, c, b))
			return false;
		c->flags &= ~(uint32_t)TCB_PROBE_DUE;
		return true;
	}
	if (c->snd.una != c->snd.nxt) {
		/* The last probe again. */
		c->flags |= TCB_REXMT_DUE;
	} else if (tx && sendq_unsent(&tx->q) > 0) {
		if (!send_segment(t, c, b, 1))
			return false;
		tcp_timer_start(t, c, TIMER_PERSIST, tcp_rto_ms(t, c));
	}
	tcp_count(t, PMTCP_C_probe_sent);
	c->flags &= ~(uint32_t)TCB_PROBE_DUE;
	return true;
}

/* The number of a segment without text. Behind a window that is shut or was taken back,
 * above all behind a probe that was refused, SND.NXT is unacceptable to the peer and its own
 * text would never be acknowledged (DATA-2, RFC 9293 A.2). A scaled window is rounded: its
 * edge moves back by less than a unit for no other reason. */
static uint32_t
acceptable_seq(const struct tcb *c)
{
	uint32_t edge = c->snd.una + c->snd.wnd;

	if (is_likely(seq_geq(edge, c->snd.nxt)))
		return c->snd.nxt;
	return c->snd.wnd == 0 || (c->snd.nxt - edge) >> tcb_snd_shift(c) ? edge : c->snd.nxt;
}

static PMTCP_NOINLINE bool
pure_ack(struct tcp *t, struct tcb *c, struct tcp_burst *b, uint32_t ack)
{
	/* The FIN's number stays used (CLOSE-3). */
	bool is_fixed = tcb_has(c, TCB_FIN_SENT | TCB_SYN_UNACKED);
	struct tcp_out out = {.seq = is_fixed ? c->snd.nxt : acceptable_seq(c),
			.ack = ack,
			.flags = TCP_ACK};

	if (b->n == b->max || !emit_ctl(t, c, b, out))
		return false;
	tcp_count(t, PMTCP_C_ack_sent);
	return true;
}

/* DEC-5: a burst that brought more than ack_stretch full segments is owed one ACK per
 * so many, with rising numbers; DATA-29: out-of-order segments are owed duplicates.
 * Then, if nothing carried it yet, the one ACK. */
static PMTCP_NOINLINE bool
output_due_ack(struct tcp *t, struct tcb *c, struct tcp_burst *b)
{
	uint32_t stretch;

	stretch = (uint32_t)t->conf.ack_stretch *
		  (tcp_mss_max(t, tcp_class(t, c), tcp_is_v6(t, &c->head)) -
				  (tcb_has(c, TCB_TS) ? TCP_TS_OPT_LEN : 0));
	while (c->rcv.nxt - c->ack_sent > stretch && !tcb_is_past_fin(c) &&
			!(c->dups & TCB_GAP_FILLED))
		if (!pure_ack(t, c, b, c->ack_sent + stretch))
			return false;
	while ((c->dups & TCB_DUPS_OWED) > 1) {
		if (!pure_ack(t, c, b, c->rcv.nxt))
			return false;
		c->flags |= TCB_ACK_DUE;
		c->dups--;
		tcp_count(t, PMTCP_C_dup_ack_sent);
	}
	c->dups &= (uint8_t)~TCB_DUPS_OWED;
	return pure_ack(t, c, b, c->rcv.nxt);
}

static inline bool
output_ack(struct tcp *t, struct tcb *c, struct tcp_burst *b)
{
	return !tcb_has(c, TCB_ACK_DUE) || output_due_ack(t, c, b);
}

/* The SYN-ACK of a simultaneous open. */
static bool
emit_syn_ack(struct tcp *t, struct tcb *c, struct tcp_burst *b)
{
	struct tcp_out out = {.seq = c->snd.una, .ack = c->rcv.nxt, .flags = TCP_SYN | TCP_ACK};

	return tcp_emit(t, c, b, NULL, out);
}

/* Whatever the plain SYN of tcp_burst.c is not. */
static PMTCP_NOINLINE bool
output_syn(struct tcp *t, struct tcb *c, struct tcp_burst *b)
{
	struct tcp_out syn = {.seq = c->snd.una, .flags = TCP_SYN};

	if (b->n == b->max)
		return false;
	if (!(c->head.state == TCPS_SYN_SENT ? tcp_emit(t, c, b, NULL, syn)
					     : emit_syn_ack(t, c, b)))
		return false;
	c->flags &= ~(uint32_t)TCB_SYN_DUE;
	return true;
}

/* What a connection that is over still owes: RSTX, or the last ACK. */
static PMTCP_NOINLINE bool
output_ended(struct tcp *t, struct tcb *c, struct tcp_burst *b)
{
	/* At the window's edge, too: at a number the peer does not take it is not heard. */
	struct tcp_out out = {
			.seq = acceptable_seq(c), .ack = c->rcv.nxt, .flags = TCP_RST | TCP_ACK};

	if (tcb_has(c, TCB_RST_DUE)) {
		if (b->n == b->max || !tcp_emit(t, c, b, NULL, out))
			return false;
		c->flags &= ~(uint32_t)TCB_RST_DUE;
		tcp_count(t, PMTCP_C_rst_sent);
		return true;
	}
	return !tcb_has(c, TCB_ACK_DUE) || pure_ack(t, c, b, c->rcv.nxt);
}

static PMTCP_NOINLINE bool
output_text(struct tcp *t, struct tcb *c, struct tcp_burst *b)
{
	if (is_likely(tcp_is_message(c)) && is_likely(tcp_message_is_plain(t, c)))
		return tcp_message_output(t, c, b);
	return output_probe(t, c, b) && tcp_output_rexmit(t, c, b) && output_data(t, c, b);
}

PMTCP_NOINLINE bool
tcp_output_tcb(struct tcp *t, struct tcb *c, struct tcp_burst *b)
{
	bool is_done;

	if (is_unlikely(c->head.kind == BLOCK_ENDED))
		return output_ended(t, c, b);
	if (is_unlikely(tcb_has(c, TCB_SYN_DUE)) && !output_syn(t, c, b))
		return false;
	if (c->head.state == TCPS_SYN_SENT)
		return true;
	if (c->head.state == TCPS_SYN_RCVD)
		return output_ack(t, c, b);
	/* What keeps data back - no record, no packet buffer - must not keep ACKs back. */
	is_done = (is_likely(!c->tx && !tcb_has(c, TCB_PROBE_DUE | TCB_REXMT_DUE)) ||
				  output_text(t, c, b)) &&
		  output_fin(t, c, b);
	return output_ack(t, c, b) && is_done;
}
