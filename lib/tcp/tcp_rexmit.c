/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Sending again: timeouts (RFC 6298 section 5), and without SACK fast retransmit and
 * NewReno recovery (RFC 5681 3.2, 6582); with SACK see tcp_recovery.c. Without it, what is
 * to be sent again is a stretch of the send queue, [rexmt_from, rexmt_end); the FIN alone
 * needs no queue. */

#include "tcp/tcp_recovery.h"

enum { R1 = 3 }; /* retries after which the application is told (DATA-34) */

struct cc_event
tcp_cc_event(const struct tcp *t, const struct tcb *c, const struct tcp_tx *tx)
{
	return (struct cc_event){.now_us = t->now_us,
			.srtt_us = rtt_srtt_us(&c->rtt),
			.mss = c->smss,
			.flight = sendq_flight(&tx->q),
			.nxt = c->snd.nxt,
			.is_limited = tcp_tx_has(tx, TX_LIMITED),
			.is_rto = tcp_tx_has(tx, TX_RTO_RECOVERY)};
}

/* A loss was found. Where a mark of the same window was answered, or a loss was already,
 * the window is reduced enough (RFC 3168 6.1.2, 6582, DATA-44); what is sent again is
 * another matter. */
void
tcp_reduce(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	struct cc_event e = tcp_cc_event(t, c, tx);

	if (is_unlikely(!cc_is_full_ack(&tx->cc, c->snd.una) ||
			    tcp_ecn_is_answered(tx, c->snd.una))) {
		tx->cc.recover = e.nxt;
		tx->cc.cwnd = cc_cwnd_add(tx->cc.ssthresh, 3u * c->smss);
		return;
	}
	/* RFC 5681 3.2 step 2: what limited transmit sent beyond cwnd is not counted. */
	e.flight = min_u32(e.flight, tx->cc.cwnd);
	tcp_cc(t, c)->loss(&tx->cc, &e);
	tcp_ecn_reduced(c);
}

/* The stretch is the first unacknowledged segment, sent whatever cwnd says. */
static void
resend_first(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	uint32_t first = sendq_first(&tx->q);

	if (!first)
		return;
	tx->rexmt_from = tx->q.una;
	tx->rexmt_rec = first;
	tx->rexmt_end = seq_max(tx->rexmt_end, tx->q.una + sendq_rec(&t->recs, first)->len);
	if (!tcp_tx_has(tx, TX_RTO_RECOVERY))
		tx->rexmt_end = tx->q.una + sendq_rec(&t->recs, first)->len;
	c->flags |= TCB_REXMT_DUE;
	tcp_mark(t, &c->head);
}

void
tcp_rexmit_dup_ack(struct tcp *t, struct tcb *c)
{
	struct tcp_tx *tx = tcp_tx(t, c);
	uint32_t dups = c->dups >> 4;
	struct cc_event e;

	if (!tx)
		return; /* a FIN alone: its timer is enough */
	if (dups < 0x0f)
		c->dups = (uint8_t)((dups + 1) << 4 | (c->dups & 0x0f));
	tcp_undo_frto_basic(t, c, 0);
	e = tcp_cc_event(t, c, tx);
	if (tcp_tx_has(tx, TX_IN_RECOVERY)) {
		tcp_cc(t, c)->dup_ack(&tx->cc, &e);
	} else if (dups + 1 == TCP_DUP_ACKS_REXMT && cc_may_enter(&tx->cc, c->snd.una)) {
		tcp_undo_begin(tx, false);
		tcp_reduce(t, c, tx);
		tx->flags |= TX_IN_RECOVERY;
		tcp_count(t, PMTCP_C_rexmt_fast);
		resend_first(t, c, tx);
	}
	if (sendq_unsent(&tx->q))
		tcp_mark_data(t, c); /* limited transmit, or an inflated window */
}

/* Caller: una is the new one already. */
void
tcp_rexmit_new_ack(struct tcp *t, struct tcb *c, uint32_t bytes)
{
	struct tcp_tx *tx = tcp_tx(t, c);
	bool is_full = cc_is_full_ack(&tx->cc, c->snd.una);
	bool is_open = tx->rexmt_from != tx->rexmt_end;
	struct cc_event e;

	if (is_unlikely(tcp_tx_has(tx, TX_FRTO)))
		tcp_undo_frto_basic(t, c, bytes);
	e = tcp_cc_event(t, c, tx);
	e.bytes = bytes;
	if (!is_open)
		tx->rexmt_end = tx->q.una;
	if (!is_open || seq_lt(tx->rexmt_from, tx->q.una)) {
		tx->rexmt_from = tx->q.una;
		tx->rexmt_rec = 0;
	}
	tx->rexmt_end = seq_max(tx->rexmt_end, tx->rexmt_from);
	if (!tcp_tx_has(tx, TX_IN_RECOVERY)) {
		tcp_cc(t, c)->acked(&tx->cc, &e);
	} else if (is_full) {
		tcp_cc(t, c)->recovered(&tx->cc, &e);
		tx->flags &= (uint16_t)~TX_IN_RECOVERY;
	} else {
		tcp_cc(t, c)->partial_ack(&tx->cc, &e);
		resend_first(t, c, tx);
	}
	if (is_full)
		tx->flags &= (uint16_t) ~(TX_RTO_RECOVERY | TX_FRTO | TX_EIFEL);
	/* What the same burst's duplicates asked for has arrived meanwhile. */
	if (is_full && tx->rexmt_from == tx->rexmt_end)
		c->flags &= ~(uint32_t)TCB_REXMT_DUE;
}

/* DATA-34, CLOSE-19, CLOSE-20: nobody answers any more. */
static void
give_up(struct tcp *t, struct tcb *c)
{
	if (c->head.state == TCPS_LAST_ACK || c->head.state == TCPS_CLOSING)
		tcp_count(t, PMTCP_C_lastack_timeout);
	tcp_conn_reset(t, c, PMTCP_TIMEOUT_RTX);
}

static bool
is_over_limit(const struct tcp *t, const struct tcb *c)
{
	uint8_t limit = tcp_class(t, c)->retries;

	if (tcb_has(c, TCB_ORPHAN))
		limit = (uint8_t)min_u32(limit, t->conf.orphan_retries);
	if (c->retries < limit)
		return false;
	/* Nobody waits for an orphan's data: a peer cannot keep it alive (NEG-18). */
	if (tcb_has(c, TCB_ORPHAN))
		return true;
	/* A peer that shut its window and still answers is alive (DATA-25). */
	return c->snd.wnd > 0 || t->now_ms - c->last_rx > 2 * t->conf.rto_max_ms;
}

/* DATA-33: everything in flight counts as lost; it is sent again in slow start,
 * the first segment now. */
static void
lose_flight(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	struct cc_event e = tcp_cc_event(t, c, tx);
	bool is_first = !tcp_tx_has(tx, TX_RECOVERING) && c->retries == 1;

	e.is_rto = c->retries > 1;
	tx->flags &= (uint16_t) ~(TX_IN_RECOVERY | TX_FRTO | TX_EIFEL | TX_UNDO);
	tx->flags |= TX_RTO_RECOVERY;
	if (is_first)
		tcp_undo_begin(tx, true);
	tcp_cc(t, c)->timeout(&tx->cc, &e);
	tcp_ecn_reduced(c);
	tx->rexmt_from = tx->q.una;
	tx->rexmt_rec = sendq_first(&tx->q);
	tx->rexmt_end = tx->q.nxt;
}

/* DATA-34 (RFC 9293 3.8.3): the application is told, and the layer below may know
 * a better way: the next hop is asked again. */
static void
pass_r1(struct tcp *t, struct tcb *c)
{
	tcp_hop_suspect(t, c->head.hop);
	if (tcb_has(c, TCB_RELEASED))
		return;
	c->reason = PMTCP_TIMEOUT_RTX;
	tcp_event(t, c, PMTCP_EV_ERROR);
}

/* The stretch from the first to the last of what is too big; what is under way already
 * is not cut short. False: nothing is. */
static bool
stretch_too_big(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	bool is_open = tx->rexmt_from != tx->rexmt_end;
	bool has_any = false;

	for (uint32_t i = sendq_first(&tx->q); i; i = sendq_rec(&t->recs, i)->next) {
		const struct sendq_rec *rec = sendq_rec(&t->recs, i);

		if (rec->len <= c->smss)
			continue;
		if (!has_any && !(is_open && seq_leq(tx->rexmt_from, rec->seq))) {
			tx->rexmt_from = rec->seq;
			tx->rexmt_rec = i;
		}
		tx->rexmt_end = has_any || is_open ? seq_max(tx->rexmt_end, rec->seq + rec->len)
						   : rec->seq + rec->len;
		has_any = true;
	}
	return has_any;
}

static bool
mark_too_big(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	for (uint32_t i = sendq_first(&tx->q); i; i = sendq_rec(&t->recs, i)->next) {
		const struct sendq_rec *rec = sendq_rec(&t->recs, i);

		if (rec->len > c->smss && !(rec->flags & (SENDQ_SACKED | SENDQ_LOST)))
			tcp_sack_mark_lost(t, tx, i);
	}
	return tx->lost > 0;
}

/* DATA-46: a router dropped it for its size, so there is no congestion to answer, and
 * no reason to wait. */
void
tcp_rexmit_too_big(struct tcp *t, struct tcb *c)
{
	struct tcp_tx *tx = tcp_tx(t, c);

	if (!(tcb_has(c, TCB_SACK) ? mark_too_big(t, c, tx) : stretch_too_big(t, c, tx)))
		return;
	c->flags |= TCB_REXMT_DUE;
	tcp_mark(t, &c->head);
	tcp_timer_rexmt(t, c);
}

void
tcp_rexmit_timeout(struct tcp *t, struct tcb *c)
{
	struct tcp_tx *tx = tcp_tx(t, c);

	if (is_over_limit(t, c)) {
		give_up(t, c);
		return;
	}
	if (c->retries < UINT8_MAX)
		c->retries++;
	c->dups &= 0x0f;
	tcp_count(t, PMTCP_C_rexmt_timeout);
	if (c->retries == R1)
		pass_r1(t, c);
	if (tx && sendq_flight(&tx->q) > 0 && c->snd.wnd > 0) {
		if (is_unlikely(c->rare || c->retries > 1))
			tcp_pmtu_timeout(t, c, tx);
		tcb_has(c, TCB_SACK) ? tcp_recovery_timeout(t, c, tx) : lose_flight(t, c, tx);
	} else if (tx && tcb_has(c, TCB_SACK)) {
		tcp_recovery_shut(t, tx);
	} else if (tx) {
		/* DATA-19: the window was shut over the flight; its first octet is the probe,
		 * each time, however far the last one came. */
		tx->rexmt_from = tx->rexmt_end;
	}
	c->flags |= TCB_REXMT_DUE;
	tcp_mark(t, &c->head);
	tcp_timer_rexmt(t, c);
}

/* The record that holds this number, or NULL. */
static struct sendq_rec *
rec_at(const struct tcp *t, const struct tcp_tx *tx, uint32_t seq, uint32_t *index)
{
	*index = tx->rexmt_rec ? tx->rexmt_rec : sendq_first(&tx->q);
	while (*index) {
		struct sendq_rec *rec = sendq_rec(&t->recs, *index);

		if (seq_lt(seq, rec->seq + rec->len))
			return rec;
		*index = rec->next;
	}
	return NULL;
}

/* DATA-45, DATA-19: the segment as the peer can take it now: not above a smaller MSS,
 * not beyond a window that was drawn back; against a shut one a single octet. */
uint32_t
tcp_rexmit_len(const struct tcb *c, const struct sendq_rec *rec)
{
	int32_t room = seq_diff(c->snd.una + c->snd.wnd, rec->seq);

	if (room <= 0)
		return rec->seq == c->snd.una ? 1 : 0;
	return min_u32(min_u32(rec->len, c->smss), (uint32_t)room);
}

bool
tcp_rexmit_segment(struct tcp *t, struct tcb *c, struct tcp_burst *b, struct sendq_rec *rec)
{
	struct tcp_tx *tx = tcp_tx(t, c);
	struct tcp_out out = {.seq = rec->seq, .ack = c->rcv.nxt, .flags = TCP_ACK};

	if (rec->flags & SENDQ_PSH)
		out.flags |= TCP_PSH;
	/* DATA-45: the last one takes the FIN along, whether it did before or not. */
	if (tcb_has(c, TCB_FIN_SENT) && rec->seq + rec->len == tx->q.end && c->snd.wnd > 0)
		out.flags |= TCP_FIN;
	if (!tcp_emit(t, c, b, rec, out))
		return false;
	rec->flags |= SENDQ_REXMT;
	rec->sent_us = t->now_us;
	tx->sent_ms = t->now_ms;
	tcp_count(t, PMTCP_C_retransmitted);
	t->counter[PMTCP_C_fin_retransmitted] += (out.flags & TCP_FIN) != 0;
	return true;
}

/* SYN-ACK or FIN, which no record holds. */
static bool
resend_control(struct tcp *t, struct tcb *c, struct tcp_burst *b)
{
	struct tcp_out out = {.seq = c->snd.nxt - 1, .ack = c->rcv.nxt, .flags = TCP_FIN | TCP_ACK};

	if (c->snd.una == c->snd.nxt)
		return true;
	if (tcb_has(c, TCB_SYN_UNACKED)) {
		out.seq = c->snd.una;
		out.flags = TCP_SYN | TCP_ACK;
	} else if (!tcb_has(c, TCB_FIN_SENT)) {
		return true;
	}
	if (b->n == b->max || !tcp_emit(t, c, b, NULL, out))
		return false;
	tcp_count(t, PMTCP_C_retransmitted);
	tcp_count(t, out.flags & TCP_SYN ? PMTCP_C_synack_retransmitted
					 : PMTCP_C_fin_retransmitted);
	return true;
}

static bool
resend_data(struct tcp *t, struct tcb *c, struct tcp_burst *b, struct tcp_tx *tx)
{
	bool is_first = tcb_has(c, TCB_REXMT_DUE);

	while (seq_lt(tx->rexmt_from, tx->rexmt_end)) {
		uint32_t index;
		struct sendq_rec *rec = rec_at(t, tx, tx->rexmt_from, &index);
		uint32_t len = rec ? tcp_rexmit_len(c, rec) : 0;

		if (len == 0)
			return true;
		if (!is_first && (rec->seq + len - tx->q.una > tx->cc.cwnd ||
						 tcp_tx_has(tx, TX_FRTO_2))) {
			tx->flags |= TX_LIMITED; /* slow start goes on though nothing new waits */
			return true;
		}
		if (b->n == b->max)
			return false;
		/* Without a record for the rest it goes out as it is, unless the window
		 * forbids; then the next timeout tries again. */
		if (len < rec->len && !sendq_recut(&tx->q, &t->recs, index, len))
			return true;
		if (!tcp_rexmit_segment(t, c, b, rec))
			return false;
		tx->rexmt_from = rec->seq + rec->len;
		tx->rexmt_rec = seq_lt(tx->rexmt_from, tx->rexmt_end) ? rec->next : 0;
		is_first = false;
		c->flags &= ~(uint32_t)TCB_REXMT_DUE;
	}
	return true;
}

bool
tcp_output_rexmit(struct tcp *t, struct tcb *c, struct tcp_burst *b)
{
	struct tcp_tx *tx = tcp_tx(t, c);
	bool is_done = true;

	if (tx && sendq_flight(&tx->q) > 0 && tcb_has(c, TCB_SACK)) {
		is_done = tcp_recovery_output(t, c, b, tx);
	} else if (tx && sendq_flight(&tx->q) > 0) {
		if (tcb_has(c, TCB_REXMT_DUE) && tx->rexmt_from == tx->rexmt_end)
			resend_first(t, c, tx);
		is_done = resend_data(t, c, b, tx);
	} else if (tcb_has(c, TCB_REXMT_DUE)) {
		is_done = resend_control(t, c, b);
	}
	if (is_done)
		c->flags &= ~(uint32_t)TCB_REXMT_DUE;
	return is_done;
}
