/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* It was no loss: a reduction of the window is taken back when the original is found to have
 * arrived after all (DATA-42). Three tell: the timestamp echo (Eifel, RFC 3522, 4015),
 * D-SACKs of all that was sent again (RFC 3708), and F-RTO after a timeout (RFC 5682). */

#include "tcp/tcp_recovery.h"

void
tcp_undo_begin(struct tcp_tx *tx, bool is_timeout)
{
	tx->undo_n = 0;
	tx->flags &= (uint16_t)~TX_FRTO;
	tx->flags |= TX_EIFEL | TX_UNDO;
	if (is_timeout)
		tx->flags |= TX_FRTO_1;
}

/* bytes: what the ACK that told acknowledged. */
static void
undo(struct tcp *t, struct tcb *c, uint32_t bytes, enum pmtcp_counter why)
{
	struct tcp_tx *tx = tcp_tx(t, c);
	struct cc_event e = tcp_cc_event(t, c, tx);

	e.bytes = bytes;
	e.iw = t->conf.initial_window;
	tcp_count(t, why);
	tcp_cc(t, c)->undo(&tx->cc, &e);
	tx->flags &= (uint16_t) ~(TX_RECOVERING | TX_FRTO | TX_EIFEL | TX_UNDO);
	c->flags &= ~(uint32_t)TCB_REXMT_DUE;
	if (tcb_has(c, TCB_SACK)) {
		tcp_sack_unmark_lost(t, tx);
		/* A loss from here on is one. */
		tx->cc.recover = c->snd.una - 1;
		return;
	}
	tx->rexmt_from = tx->rexmt_end = tx->q.una;
	tx->rexmt_rec = 0;
}

bool
tcp_undo_eifel(struct tcp *t, struct tcb *c, const struct seg *seg, const struct sendq_ack *out)
{
	struct tcp_tx *tx = tcp_tx(t, c);
	uint64_t sent_ms = (t->now_ns / 1000 - (t->now_us - out->rexmt_us)) / 1000;

	if (!tcp_tx_has(tx, TX_EIFEL))
		return false;
	/* RFC 3522 3.2 step 5: the first acceptable ACK decides. */
	tx->flags &= (uint16_t)~TX_EIFEL;
	if (!tcp_tx_has(tx, TX_RECOVERING) || !tcb_has(c, TCB_TS) || !(seg->opts & SEG_OPT_TS) ||
			!seq_lt(seg->tsecr, (uint32_t)sent_ms + c->ts_offset))
		return false;
	undo(t, c, out->bytes, PMTCP_C_undo_timestamp);
	return true;
}

void
tcp_undo_dsack(struct tcp *t, struct tcb *c, const struct tcp_news *news)
{
	struct tcp_tx *tx = tcp_tx(t, c);
	uint32_t n = (news->dsack_right - news->dsack_left + c->smss - 1) / c->smss;

	tcp_count(t, PMTCP_C_dsack_received);
	/* That of a loss probe says nothing of reordering. */
	if (!tcp_tx_has(tx, TX_TLP_OUT))
		rack_dsack(&tx->rack, c->snd.una, c->snd.nxt);
	/* RFC 3708: of something sent again since, and not of an earlier recovery. */
	if (!tcp_tx_has(tx, TX_UNDO) || tx->undo_n == 0 || tx->undo_n == TCP_UNDO_MAX ||
			seq_lt(news->dsack_left, tx->undo_from))
		return;
	tx->undo_n = (uint8_t)(tx->undo_n - min_u32(tx->undo_n, n));
	if (tx->undo_n == 0)
		undo(t, c, news->bytes, PMTCP_C_undo_dsack);
}

static bool
can_send_new(const struct tcb *c, const struct tcp_tx *tx)
{
	return sendq_unsent(&tx->q) > 0 && seq_gt(c->snd.una + c->snd.wnd, c->snd.nxt);
}

/* RFC 5682 2.1 step 2b: instead of sending the rest again, two new ones. */
static void
frto_step_2(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	tx->flags &= (uint16_t)~TX_FRTO_1;
	if (!can_send_new(c, tx) || cc_is_full_ack(&tx->cc, c->snd.una))
		return;
	tx->flags |= TX_FRTO_2;
	tcp_mark_data(t, c);
}

void
tcp_undo_frto(struct tcp *t, struct tcb *c, const struct tcp_news *news)
{
	struct tcp_tx *tx = tcp_tx(t, c);

	if (tcp_tx_has(tx, TX_FRTO_1) && news->bytes > 0) {
		frto_step_2(t, c, tx);
	} else if (tcp_tx_has(tx, TX_FRTO_2) && news->delivered > 0) {
		tx->flags &= (uint16_t)~TX_FRTO_2;
		/* RFC 5682 3.1 step 3: something old arrived without being sent again, and
		 * nothing new shows a hole. */
		if (news->has_original && !news->is_above)
			undo(t, c, news->bytes, PMTCP_C_frto_spurious);
	}
}

void
tcp_undo_frto_basic(struct tcp *t, struct tcb *c, uint32_t bytes)
{
	struct tcp_tx *tx = tcp_tx(t, c);

	if (tcp_tx_has(tx, TX_FRTO_1) && bytes > 0) {
		frto_step_2(t, c, tx);
	} else if (tcp_tx_has(tx, TX_FRTO_2) && bytes > 0) {
		undo(t, c, bytes, PMTCP_C_frto_spurious);
	} else if (tcp_tx_has(tx, TX_FRTO)) {
		/* Step 2a, 3a: a duplicate. What was new is not acknowledged for long. */
		if (tcp_tx_has(tx, TX_FRTO_2))
			tx->cc.cwnd = min_u32(tx->cc.cwnd, 3u * c->smss);
		tx->flags &= (uint16_t)~TX_FRTO;
	}
}
