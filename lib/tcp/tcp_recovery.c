/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Loss recovery of a connection with SACK (RFC 6675, 8985, 6937): when the window is
 * reduced, what is sent again and how fast. RACK says what is lost (tcp_rack.c), PRR how
 * much may leave, and after a timeout slow start does. Without SACK see tcp_rexmit.c. */

#include "tcp/tcp_recovery.h"

static void
undo_begin(struct tcp_tx *tx, bool is_timeout)
{
	tx->undo_from = tx->q.una;
	tcp_undo_begin(tx, is_timeout);
}

static void
enter(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	undo_begin(tx, false);
	tcp_reduce(t, c, tx);
	prr_begin(&tx->prr, sendq_flight(&tx->q));
	tx->flags &= (uint16_t) ~(
			TX_TLP_OUT | TX_TLP_REXMT | TX_TLP_DUE | TX_LOST_AGAIN | TX_CUT_AGAIN);
	tx->flags |= TX_IN_RECOVERY;
	/* The first one goes whatever the window says. */
	c->flags |= TCB_REXMT_DUE;
	tcp_count(t, PMTCP_C_rexmt_fast);
}

/* RFC 5681 4.3: the loss of a retransmission is a second sign of congestion, and the window
 * MUST be lowered twice (DATA-41). Once per round trip: what else of the same retransmissions
 * is found missing is the same loss, until something sent after this reduction arrives. What
 * is undone later, if anything, is this reduction; D-SACKs must be of all that the recovery sent
 * again, since they do not tell of which round they are (RFC 3708). In the slow start after a timeout the
 * window is small already, and goes back to one segment if the RTO fires again. */
static void
reduce_again(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	struct cc_event e = tcp_cc_event(t, c, tx);
	uint32_t cwnd = tx->cc.cwnd;

	tx->flags &= (uint16_t)~TX_LOST_AGAIN;
	if (tcp_tx_has(tx, TX_CUT_AGAIN) && seq_leq(tx->rack.fack, tx->cc.recover))
		return;
	tx->flags |= TX_EIFEL;
	/* From where the first led to, however far PRR has come on the way. */
	e.flight = min_u32(e.flight, tx->cc.ssthresh);
	tx->cc.cwnd = tx->cc.ssthresh;
	tcp_cc(t, c)->loss(&tx->cc, &e);
	tx->cc.cwnd = min_u32(cwnd, tx->cc.ssthresh);
	tcp_ecn_reduced(c);
	prr_begin(&tx->prr, sendq_flight(&tx->q) - tx->sacked);
	tx->flags |= TX_CUT_AGAIN;
	/* As at the beginning, the first one goes whatever the window says. */
	c->flags |= TCB_REXMT_DUE;
}

/* RFC 6675 section 5, 6937 section 3: what was sent before the loss has arrived. */
static void
leave(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	struct cc_event e = tcp_cc_event(t, c, tx);
	bool was_fast = tcp_tx_has(tx, TX_IN_RECOVERY);

	tcp_cc(t, c)->recovered(&tx->cc, &e);
	if (was_fast)
		tx->cc.cwnd = tx->cc.ssthresh;
	rack_recovered(&tx->rack);
	tx->flags &= (uint16_t) ~(TX_RECOVERING | TX_FRTO | TX_EIFEL);
	if (tx->lost == 0)
		c->flags &= ~(uint32_t)TCB_REXMT_DUE;
}

/* The window for what this ACK delivered. */
static void
set_window(struct tcp *t, struct tcb *c, struct tcp_tx *tx, const struct tcp_news *news,
		bool is_loss)
{
	struct cc_event e = tcp_cc_event(t, c, tx);
	struct prr_ack ack = {.delivered = news->delivered,
			.pipe = tcp_pipe(tx),
			.ssthresh = tx->cc.ssthresh,
			.mss = c->smss,
			.is_safe = news->bytes > 0 && !is_loss};

	if (tcp_tx_has(tx, TX_IN_RECOVERY)) {
		/* RFC 9937: the first retransmission needs no delivery; RFC 5681 3.1: no
		 * window is below one segment. */
		tx->cc.cwnd = max_u32(ack.pipe + prr_ack(&tx->prr, &ack), c->smss);
		return;
	}
	/* SEC-12: octets, not ACKs; in the slow start after a timeout the SACKed count. */
	e.bytes = tcp_tx_has(tx, TX_RTO_RECOVERY) ? news->delivered : news->bytes;
	if (e.bytes > 0)
		tcp_cc(t, c)->acked(&tx->cc, &e);
}

/* Without a mark no cursor may stay: records go without being asked (tcp_sack_is_calm). */
static void
settle(struct tcp_tx *tx)
{
	if ((tx->sacked | tx->lost) != 0)
		return;
	tx->sack_rec[0] = tx->sack_rec[1] = 0;
	tx->judge_rec = 0;
	tx->rexmt_rec = 0;
	tx->rack.n_sacked = 0;
}

static uint32_t
take(struct tcp *t, struct tcb *c, const struct seg *seg, const struct tcp_news *news)
{
	struct tcp_tx *tx = tcp_tx(t, c);
	uint32_t wait_us = 0;
	bool is_loss = false;

	if (news->has_dsack)
		tcp_undo_dsack(t, c, news);
	tcp_tlp_ack(t, c, seg, news);
	tcp_undo_frto(t, c, news);
	if (tcp_tx_has(tx, TX_RECOVERING) && cc_is_full_ack(&tx->cc, c->snd.una))
		leave(t, c, tx);
	/* Only what is known to have arrived says that something else has not. */
	if (tx->sacked > 0 || tcp_tx_has(tx, TX_RECOVERING))
		is_loss = tcp_rack_detect(t, c, tx, &wait_us);
	if (is_loss && !tcp_tx_has(tx, TX_RECOVERING))
		enter(t, c, tx);
	else if (is_unlikely(tcp_tx_has(tx, TX_LOST_AGAIN)))
		reduce_again(t, c, tx);
	set_window(t, c, tx, news, is_loss);
	settle(tx);
	if (tx->lost > 0 || sendq_unsent(&tx->q) > 0)
		tcp_mark_data(t, c);
	return wait_us;
}

void
tcp_recovery_calm(struct tcp *t, struct tcb *c, struct tcp_tx *tx, uint32_t bytes)
{
	struct cc_event e = tcp_cc_event(t, c, tx);

	e.bytes = bytes;
	tcp_cc(t, c)->acked(&tx->cc, &e);
	/* A window that opened asked for what this ACK of the same burst says has come. */
	c->flags &= ~(uint32_t)TCB_REXMT_DUE;
}

uint32_t
tcp_recovery_ack(struct tcp *t, struct tcb *c, const struct seg *seg, const struct tcp_news *news)
{
	return take(t, c, seg, news);
}

void
tcp_recovery_dup(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	struct tcp_tx *tx = tcp_tx(t, c);
	struct tcp_news news = {0};

	if (!tx)
		return; /* a FIN alone: its timer is enough */
	news.rack = rack_ack_begin(&tx->rack);
	tcp_sack_blocks(t, c, seg, &news);
	tcp_rack_arm(t, c, tx, take(t, c, seg, &news));
}

void
tcp_recovery_loss(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	if (!tcp_tx_has(tx, TX_RECOVERING))
		enter(t, c, tx);
	else if (tcp_tx_has(tx, TX_LOST_AGAIN))
		reduce_again(t, c, tx);
	tcp_mark(t, &c->head);
}

/* DATA-33: the window is one segment; the first one leaves now. */
void
tcp_recovery_timeout(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	struct cc_event e = tcp_cc_event(t, c, tx);
	bool is_first = !tcp_tx_has(tx, TX_RECOVERING) && c->retries == 1;

	e.is_rto = c->retries > 1;
	tx->flags &= (uint16_t) ~(TX_IN_RECOVERY | TX_TLP_OUT | TX_TLP_REXMT | TX_TLP_DUE |
				  TX_FRTO | TX_EIFEL | TX_UNDO);
	tx->flags |= TX_RTO_RECOVERY;
	if (is_first)
		undo_begin(tx, true);
	tcp_cc(t, c)->timeout(&tx->cc, &e);
	tcp_ecn_reduced(c);
	tcp_sack_mark_timeout(t, c, tx);
	tx->judge_rec = 0;
}

/* DATA-19: the RTO of a flight over which the window was shut. Nothing of it is lost by that,
 * but what is SACKed and not acknowledged at its head was given up (DATA-38). */
void
tcp_recovery_shut(struct tcp *t, struct tcp_tx *tx)
{
	uint32_t first = sendq_first(&tx->q);

	if (first && (sendq_rec(&t->recs, first)->flags & SENDQ_SACKED))
		tcp_sack_renege(t, tx);
}

/* What goes again next, 0 for nothing. A forced one needs no mark: a probe, or an RTO
 * while the window is shut, behind which nothing may go. RFC 6675's rescue of a silent tail is RACK's already: what goes
 * again was sent after the tail, so its delivery tells of it (DATA-36). */
static uint32_t
next_record(struct tcp *t, struct tcb *c, struct tcp_tx *tx, uint32_t *visits)
{
	bool is_forced = tcb_has(c, TCB_REXMT_DUE);
	uint32_t index = 0;

	if (tx->lost > 0 && c->snd.wnd > 0)
		index = tcp_sack_next_lost(t, tx, visits);
	return index || !is_forced ? index : sendq_first(&tx->q);
}

static bool
resend(struct tcp *t, struct tcb *c, struct tcp_burst *b, struct sendq_rec *rec)
{
	struct tcp_tx *tx = tcp_tx(t, c);

	if (!tcp_rexmit_segment(t, c, b, rec))
		return false;
	if (rec->flags & SENDQ_LOST) {
		rec->flags &= (uint8_t)~SENDQ_LOST;
		tx->lost -= rec->len;
	}
	if (tcp_tx_has(tx, TX_IN_RECOVERY))
		tx->prr.out += rec->len;
	if (tcp_tx_has(tx, TX_UNDO) && tx->undo_n < TCP_UNDO_MAX)
		tx->undo_n++;
	c->flags &= ~(uint32_t)TCB_REXMT_DUE;
	return true;
}

bool
tcp_recovery_output(struct tcp *t, struct tcb *c, struct tcp_burst *b, struct tcp_tx *tx)
{
	uint32_t visits = LOST_VISITS;

	if (is_likely(tx->lost == 0 && !tcb_has(c, TCB_REXMT_DUE)))
		return true;
	while (b->n < b->max) {
		uint32_t index = next_record(t, c, tx, &visits);
		struct sendq_rec *rec = index ? sendq_rec(&t->recs, index) : NULL;
		uint32_t len = rec ? tcp_rexmit_len(c, rec) : 0;
		uint32_t pipe = tcp_pipe(tx);

		/* DATA-36: what the peer reported held never goes again. */
		if (len == 0 || (rec->flags & SENDQ_SACKED))
			return true;
		/* With nothing in flight no ACK would ever let it go. */
		if (!tcb_has(c, TCB_REXMT_DUE) &&
				(tcp_tx_has(tx, TX_FRTO_2) ||
						(pipe > 0 && pipe + len > tx->cc.cwnd))) {
			tx->flags |= TX_LIMITED; /* slow start goes on though nothing new waits */
			return true;
		}
		/* DATA-45: without a record for the rest the next timeout tries again. */
		if (len < rec->len && !sendq_recut(&tx->q, &t->recs, index, len))
			return true;
		if (!resend(t, c, b, rec))
			return false;
	}
	return false;
}
