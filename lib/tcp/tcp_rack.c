/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* RACK-TLP over the records of the send queue (RFC 8985; DATA-39, DATA-40): which are lost
 * by now, when to look again, and the probe of a silent tail. The arithmetic is
 * recovery/rack.h. */

#include "tcp/tcp_recovery.h"

enum {
	/* Records judged per ACK, and of these not found lost. Each ACK goes on where the last
	 * one ended, so a flight of any size is gone round many times per round trip (SEC-14). */
	JUDGE_VISITS = 96,
	JUDGE_IDLE = 32,
	/* A probe earlier than this would race the scheduling of the peer's host. */
	TLP_MIN_MS = 10,
	TLP_NO_RTT_US = 500000, /* half of 1 s: PTO before any sample (RFC 8985 7.2) */
	TLP_MAX_ACK_DELAY_US = 200000,
};

static uint32_t
ms_of(uint32_t us)
{
	return us / 1000 + (us % 1000 != 0);
}

/* Judges one record; false: this and all that follow were sent too late to tell. */
static bool
judge(struct tcp *t, struct tcp_tx *tx, uint32_t index, uint32_t reo_wnd_us, uint32_t *wait_us)
{
	const struct sendq_rec *r = sendq_rec(&t->recs, index);
	struct rack_seg rs = {.sent_us = r->sent_us, .end = r->seq + r->len};
	uint32_t left_us;

	if (r->flags & (SENDQ_SACKED | SENDQ_LOST))
		return true;
	/* Behind one sent once, all was sent later. */
	if (!rack_judge(&tx->rack, &rs, reo_wnd_us, t->now_us, &left_us))
		return (r->flags & SENDQ_REXMT) != 0;
	if (left_us == 0) {
		if (tcp_tx_has(tx, TX_IN_RECOVERY) && (r->flags & SENDQ_REXMT))
			tx->flags |= TX_LOST_AGAIN;
		tcp_sack_mark_lost(t, tx, index);
		tcp_count(t, PMTCP_C_rexmt_rack);
	}
	*wait_us = max_u32(*wait_us, left_us);
	return true;
}

bool
tcp_rack_detect(struct tcp *t, struct tcb *c, struct tcp_tx *tx, uint32_t *wait_us)
{
	bool is_recovering = tcp_tx_has(tx, TX_RECOVERING);
	uint32_t reo_wnd_us = rack_reo_wnd_us(&tx->rack, rtt_srtt_us(&c->rtt), is_recovering);
	uint32_t index = tx->judge_rec ? tx->judge_rec : sendq_first(&tx->q);
	uint32_t lost = tx->lost;
	uint32_t idle = 0;
	uint32_t i;

	*wait_us = 0;
	for (i = 0; index && i < JUDGE_VISITS && idle < JUDGE_IDLE; i++) {
		uint32_t before = tx->lost;

		if (!judge(t, tx, index, reo_wnd_us, wait_us))
			index = 0;
		else
			index = sendq_rec(&t->recs, index)->next;
		idle += tx->lost == before;
	}
	t->counter[PMTCP_C_sack_walked] += i;
	/* The rest at the next ACK, or soon. */
	tx->judge_rec = index;
	if (index)
		*wait_us = max_u32(*wait_us, 1);
	return tx->lost != lost;
}

uint32_t
tcp_tlp_ms(const struct tcp *t, const struct tcb *c, const struct tcp_tx *tx)
{
	uint32_t us = 2 * (rtt_has_sample(&c->rtt) ? rtt_srtt_us(&c->rtt) : TLP_NO_RTT_US);

	/* DATA-40 (RFC 8985 7.2): one per flight, not while anything is known to be missing,
	 * not against a shut window. */
	if (!t->conf.tlp || tcp_tx_has(tx, TX_RECOVERING | TX_TLP_OUT) ||
			(tx->sacked | tx->lost) != 0 || c->retries > 0 || c->snd.wnd == 0 ||
			sendq_flight(&tx->q) == 0)
		return UINT32_MAX;
	/* The peer may delay its ACK of a single segment. */
	if (tx->q.first == tx->q.last)
		us += TLP_MAX_ACK_DELAY_US;
	return max_u32(ms_of(us), TLP_MIN_MS);
}

/* No round trip is needed to know that a probe behind the delay of an ACK comes too late. */
uint32_t
tcp_tlp_single_ms(const struct tcb *c, uint32_t rto_ms)
{
	uint32_t us = TLP_MAX_ACK_DELAY_US;

	if (is_likely(rto_ms <= TLP_MAX_ACK_DELAY_US / 1000))
		return rto_ms;
	us += 2 * (rtt_has_sample(&c->rtt) ? rtt_srtt_us(&c->rtt) : TLP_NO_RTT_US);
	return min_u32(ms_of(us), rto_ms);
}

void
tcp_tlp_start(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	bool is_probe = tcb_timer(c) == TIMER_PROBE && !tcp_tx_has(tx, TX_REO_TIMER);
	uint32_t in_ms;
	int32_t left_ms;

	if (!is_probe && tcb_timer(c) != TIMER_REXMT)
		return;
	in_ms = tcp_tlp_ms(t, c, tx);
	if (in_ms == UINT32_MAX)
		return;
	if (!is_probe)
		tx->rto_at = c->deadline;
	/* RFC 8985 7.2: never behind the RTO, which began with the first of the flight: else
	 * whoever sends a little now and then would put off both for ever. */
	left_ms = seq_diff(tx->rto_at, t->now_ms + t->tick_begun);
	in_ms = min_u32(in_ms, left_ms > 0 ? (uint32_t)left_ms : 0);
	/* Left over from a timer that was stopped. */
	tx->flags &= (uint16_t)~TX_REO_TIMER;
	tcp_timer_start(t, c, TIMER_PROBE, in_ms);
}

void
tcp_tlp_sent(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	tx->flags &= (uint16_t)~TX_TLP_DUE;
	tx->flags |= TX_TLP_OUT;
	tx->tlp_end = c->snd.nxt;
	tcp_count(t, PMTCP_C_tlp_sent);
}

bool
tcp_tlp_resend(struct tcp *t, struct tcb *c, struct tcp_burst *b, struct tcp_tx *tx)
{
	struct sendq_rec *r = tx->q.last ? sendq_rec(&t->recs, tx->q.last) : NULL;

	/* One that the peer cannot take as it is waits for the RTO. */
	if (!r || (r->flags & SENDQ_SACKED) || tcp_rexmit_len(c, r) < r->len) {
		tx->flags &= (uint16_t)~TX_TLP_DUE;
		return true;
	}
	if (!tcp_rexmit_segment(t, c, b, r))
		return false;
	tcp_tlp_sent(t, c, tx);
	tx->flags |= TX_TLP_REXMT;
	return true;
}

void
tcp_rack_arm(struct tcp *t, struct tcb *c, struct tcp_tx *tx, uint32_t wait_us)
{
	uint32_t wait_ms = ms_of(wait_us);
	bool is_probe = tcb_timer(c) == TIMER_PROBE;

	if (c->snd.una == c->snd.nxt || tcb_timer(c) == TIMER_PERSIST)
		return;
	if (wait_us > 0) {
		/* An RTO that is due earlier stays. */
		if (tcb_timer(c) == TIMER_REXMT &&
				seq_leq(c->deadline, t->now_ms + t->tick_begun + wait_ms))
			return;
		tx->flags |= TX_REO_TIMER;
		tcp_timer_start(t, c, TIMER_PROBE, wait_ms);
		return;
	}
	/* Neither a reordering to wait for, nor a tail to probe while SACKs tell more. */
	if (is_probe && (tcp_tx_has(tx, TX_REO_TIMER) || tcp_tlp_ms(t, c, tx) == UINT32_MAX))
		tcp_timer_rexmt(t, c);
}

/* DATA-39: the reordering window has passed. */
static void
reo_timeout(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	uint32_t wait_us;
	bool is_loss = tcp_rack_detect(t, c, tx, &wait_us);

	if (is_loss)
		tcp_recovery_loss(t, c, tx);
	tx->flags &= (uint16_t)~TX_REO_TIMER;
	tcp_timer_rexmt(t, c);
	if (wait_us > 0)
		tcp_rack_arm(t, c, tx, wait_us);
}

void
tcp_rack_timeout(struct tcp *t, struct tcb *c)
{
	struct tcp_tx *tx = tcp_tx(t, c);

	if (tx && tcp_tx_has(tx, TX_REO_TIMER)) {
		reo_timeout(t, c, tx);
		return;
	}
	if (tx)
		tx->flags |= TX_TLP_DUE;
	tcp_mark(t, &c->head);
	/* From here on it is for the RTO, whatever becomes of the probe. */
	tcp_timer_start(t, c, TIMER_REXMT, tcp_rto_ms(t, c));
}

/* The D-SACK is of the probe: both it and the original arrived. */
static bool
is_dsack_of_probe(const struct tcb *c, const struct tcp_tx *tx, const struct tcp_news *news)
{
	uint32_t end = tx->tlp_end - (tcb_has(c, TCB_FIN_SENT) && tx->tlp_end == c->snd.nxt);

	return news->has_dsack && (news->dsack_right == tx->tlp_end || news->dsack_right == end);
}

/* The probe made good a loss that nothing else tells of. What an earlier reduction waits for
 * to be undone does not undo this one; a mark of the same window was answered already. */
static void
probe_repaired(struct tcp *t, struct tcb *c, struct tcp_tx *tx, const struct tcp_news *news)
{
	struct cc_event e = tcp_cc_event(t, c, tx);

	tcp_count(t, PMTCP_C_tlp_recovered);
	tx->flags &= (uint16_t) ~(TX_UNDO | TX_EIFEL);
	if (tcp_ecn_is_answered(tx, c->snd.una))
		return;
	e.flight = min_u32(e.flight + news->bytes, tx->cc.cwnd);
	tcp_cc(t, c)->loss(&tx->cc, &e);
	tcp_ecn_reduced(c);
	tx->cc.cwnd = tx->cc.ssthresh;
}

/* RFC 8985 7.4.2. */
void
tcp_tlp_ack(struct tcp *t, struct tcb *c, const struct seg *seg, const struct tcp_news *news)
{
	struct tcp_tx *tx = tcp_tx(t, c);

	if (!tcp_tx_has(tx, TX_TLP_OUT) || seq_lt(c->snd.una, tx->tlp_end))
		return;
	if (tcp_tx_has(tx, TX_TLP_REXMT) && !is_dsack_of_probe(c, tx, news)) {
		if (c->snd.una == tx->tlp_end && (news->bytes > 0 || seg->n_sack > 0))
			return; /* one of the two; the next ACK tells */
		if (c->snd.una != tx->tlp_end)
			probe_repaired(t, c, tx, news);
	}
	tx->flags &= (uint16_t) ~(TX_TLP_OUT | TX_TLP_REXMT);
}
