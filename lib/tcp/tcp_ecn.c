/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Explicit congestion notification (RFC 3168 section 6, as updated by RFC 8311; DATA-44):
 * what was agreed, what a mark that arrives owes the peer, what the peer's echo of one
 * does to the window. ECT(0) and CWR leave with new text only (tcp_output.c), so neither
 * SYN, pure ACK, retransmission nor probe can be marked. */

#include "tcp/tcp_recovery.h"

bool
tcp_ecn_is_agreed(const struct tcp_class *k, const struct tcb *c, const struct seg *syn)
{
	uint8_t echo = syn->flags & (TCP_ECE | TCP_CWR);

	/* RFC 3168 6.1.1.1: both flags in a SYN-ACK are our own, reflected. A SYN that had
	 * to be repeated did not offer. */
	if (syn->flags & TCP_ACK)
		return echo == TCP_ECE && k->ecn == PMTCP_ECN_OFFER && !tcb_has(c, TCB_SYN_REXMT);
	return echo == (TCP_ECE | TCP_CWR) && k->ecn >= PMTCP_ECN_ACCEPT;
}

/* RFC 3168 6.1.3: a mark is echoed with every ACK until the peer says that it has reduced
 * its window. DATA-13: either change is told at once. */
static void
take_mark(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	uint32_t before = c->flags & TCB_ECE_DUE;

	if (tcb_is_past_fin(c))
		return;
	if (seg->flags & TCP_CWR)
		c->flags &= ~(uint32_t)TCB_ECE_DUE;
	if (seg->ecn == IP_ECN_CE && seg->len > 0) {
		c->flags |= TCB_ECE_DUE;
		tcp_count(t, PMTCP_C_ecn_marked);
	}
	if ((c->flags & TCB_ECE_DUE) != before)
		tcp_owe_ack(t, c);
}

/* cc.mark_end holds as long as nothing was saved for undo in its place: a loss has a
 * recovery point of its own. */
bool
tcp_ecn_is_answered(const struct tcp_tx *tx, uint32_t seq)
{
	return tcp_tx_has(tx, TX_MARKED) && tx->cc.prior_ssthresh == 0 &&
	       seq_lt(seq, tx->cc.cubic.mark_end);
}

static bool
may_reduce(struct tcp_tx *tx, uint32_t una)
{
	if (tcp_tx_has(tx, TX_MARKED) && !tcp_ecn_is_answered(tx, una - 1))
		tx->flags &= (uint16_t)~TX_MARKED;
	return !tcp_tx_has(tx, TX_MARKED) && cc_may_enter(&tx->cc, una);
}

/* RFC 3168 6.1.2: one reduction per window of data, as for a loss without the loss; CWR
 * tells the peer so. */
static void
take_echo(struct tcp *t, struct tcb *c, const struct seg *seg, struct tcp_tx *tx)
{
	struct cc_event e = {.now_us = t->now_us,
			.srtt_us = rtt_srtt_us(&c->rtt),
			.mss = c->smss,
			.flight = sendq_flight(&tx->q),
			.nxt = c->snd.nxt};

	/* Such an ACK does not open the window either. */
	tx->flags &= (uint16_t)~TX_LIMITED;
	if (!may_reduce(tx, seg->ack) || e.flight == 0)
		return;
	tcp_cc(t, c)->ecn(&tx->cc, &e);
	tx->cc.cubic.mark_end = c->snd.nxt;
	tx->flags |= TX_MARKED;
	c->flags |= TCB_CWR_DUE;
	tcp_count(t, PMTCP_C_ecn_reduced);
}

/* Caller: TCB_ECN; the segment is acceptable and has an ACK. */
void
tcp_ecn_input(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	struct tcp_tx *tx = tcp_tx(t, c);

	if (seg->ecn == IP_ECN_CE || (seg->flags & TCP_CWR))
		take_mark(t, c, seg);
	if (!tx || seq_lt(seg->ack, c->snd.una) || seq_gt(seg->ack, c->snd.nxt))
		return;
	if (seg->flags & TCP_ECE)
		take_echo(t, c, seg, tx);
	else if (tcp_tx_has(tx, TX_MARKED))
		may_reduce(tx, seg->ack);
}
