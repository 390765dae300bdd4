/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Step 5 of RFC 9293 3.10.7.4: the ACK field. What it acknowledges is given back,
 * the window taken, and the closing states move on (section 3.6). */

#include "tcp/tcp_recovery.h"

/* SEC-3, DATA-14 (RFC 5961 5.2): SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.MAX. */
static bool
ack_is_acceptable(const struct tcb *c, uint32_t ack)
{
	uint32_t low = c->snd.una - ((uint32_t)c->max_wnd << tcb_snd_shift(c));

	return ack - low <= c->snd.nxt - low;
}

/* One round-trip time from the timestamp echo, or none. An absurd echo spoils
 * only the sample (DATA-28): it is bounded by what the clock can have seen. */
void
tcp_sample_rtt(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	uint32_t ms;

	if (!tcb_has(c, TCB_TS) || !(seg->opts & SEG_OPT_TS))
		return;
	ms = tcp_tsval(t, c->ts_offset) - seg->tsecr;
	if (ms <= min_u32(t->conf.rto_max_ms * 4, RTT_SAMPLE_MAX_US / 1000))
		rtt_sample(&c->rtt, ms * 1000, RTT_GRANULARITY_US);
}

/* DATA-30: the application was cut short and has a third of its buffer again. */
static void
tell_writable(struct tcp *t, struct tcb *c)
{
	uint32_t limit = tcp_class(t, c)->send_buffer;

	if (!tcb_has(c, TCB_SHORT_SEND) || tcp_send_space(t, c) < limit / 3)
		return;
	if (!c->tx && slab_available(&t->txs) == 0)
		return; /* no room to send from: tcp_starve.c tells (RES-10) */
	c->flags &= ~(uint32_t)TCB_SHORT_SEND;
	tcp_event(t, c, PMTCP_EV_WRITABLE);
}

/* The record has learned nothing worth keeping. A probe's last word may still come: was there
 * a loss (DATA-40)? */
static bool
is_tx_worthless(const struct tcp *t, const struct tcb *c, const struct tcp_tx *tx)
{
	return tcb_has(c, TCB_FIN_WANTED) ||
	       (tx->cc.cwnd == cc_initial_window(c->smss, t->conf.initial_window) &&
			       tx->cc.ssthresh == CC_CWND_MAX && !tcp_tx_has(tx, TX_TLP_OUT));
}

/* Nothing is in flight and nothing waits: the side record goes, at once if it is worth
 * nothing, else when an RTO has passed (RFC 5681 4.1). */
static void
rest_tx(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	if (!sendq_is_empty(&tx->q))
		return;
	if (is_tx_worthless(t, c, tx))
		tcp_tx_release(t, c);
	else if (c->snd.una == c->snd.nxt)
		tcp_timer_start(t, c, TIMER_IDLE, tcp_rto_ms(t, c));
}

/* An ACK while nothing is amiss costs RACK this (RFC 8985 6.2 steps 1 and 2). */
static void
note_delivered(struct tcp *t, struct tcp_tx *tx, const struct sendq_ack *out)
{
	const struct rack_seg newest = {.sent_us = out->sent_us, .end = tx->q.una};
	struct rack_ack ack = rack_ack_begin(&tx->rack);

	if (out->has_sample && !out->has_rexmt)
		rack_delivered(&tx->rack, &ack, t->now_us, &newest);
}

/* Returns how long to wait for what may have been reordered, us; 0: for nothing. */
static uint32_t
ack_payload(struct tcp *t, struct tcb *c, const struct seg *seg, struct tcp_tx *tx)
{
	/* The FIN's number is no octet of the queue (CLOSE-43). */
	uint32_t una = seq_min(seg->ack, tx->q.nxt);
	bool is_amiss = tcb_has(c, TCB_SACK) && !tcp_sack_is_calm(tx, seg);
	struct tcp_news news = {.rack = rack_ack_begin(&tx->rack)};
	uint32_t n_recs = tx->q.n_recs;
	struct sendq_ack out;

	if (seq_leq(una, tx->q.una)) {
		tcp_sample_rtt(t, c, seg);
		return 0;
	}
	if (is_unlikely(is_amiss))
		tcp_sack_acking(t, c, seg, una, &news);
	news.bytes = sendq_ack(&tx->q, &t->recs, una, &out);
	if (news.bytes >= c->smss)
		tx->flags |= TX_FULL_CAME;
	if (out.has_sample && !out.has_rexmt)
		rtt_sample(&c->rtt, t->now_us - out.sent_us, 1);
	else if (tcb_has(c, TCB_TS))
		tcp_sample_rtt(t, c, seg);
	if (is_unlikely(out.has_rexmt))
		tcp_undo_eifel(t, c, seg, &out);
	if (!tcb_has(c, TCB_SACK)) {
		tcp_rexmit_new_ack(t, c, news.bytes);
		return 0;
	}
	tcp_sack_credit(tx, n_recs - tx->q.n_recs);
	if (is_unlikely(is_amiss)) {
		tcp_sack_blocks(t, c, seg, &news);
		return tcp_recovery_ack(t, c, seg, &news);
	}
	tcp_recovery_calm(t, c, tx, news.bytes);
	note_delivered(t, tx, &out);
	return 0;
}

static bool
is_fin_due(const struct tcb *c)
{
	return (c->flags & (TCB_FIN_WANTED | TCB_FIN_SENT)) == TCB_FIN_WANTED;
}

/* A request or response that fitted into one segment, sent once and acknowledged whole, with
 * nothing behind it. What the record would learn from that goes with the record, so all that
 * remains to be taken is the round trip. */
static bool
ack_message(struct tcp *t, struct tcb *c, const struct seg *seg, const struct tcp_tx *tx)
{
	const struct sendq_rec *rec;

	if (tx->q.first == 0 || tx->q.first != tx->q.last || seq_lt(seg->ack, tx->q.end))
		return false;
	if (!tcb_has(c, TCB_SACK) || tcb_has(c, TCB_SHORT_SEND) || is_fin_due(c) ||
			tcp_tx_has(tx, TX_LIMITED) || !tcp_sack_is_calm(tx, seg))
		return false;
	rec = sendq_rec(&t->recs, tx->q.first);
	if ((rec->flags & SENDQ_REXMT) || !is_tx_worthless(t, c, tx))
		return false;
	rtt_sample(&c->rtt, t->now_us - rec->sent_us, 1);
	c->flags &= ~(uint32_t)TCB_REXMT_DUE;
	tcp_tx_release(t, c);
	return true;
}

/* SND.UNA < SEG.ACK <= SND.MAX. All below is held, whichever ACKs were lost (DATA-8). */
static inline void
move_una(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	c->snd.una = seg->ack;
	c->dups &= 0x0f;
	t->hops[c->head.hop].confirmed = t->now_ms; /* W-8: forward progress */
	if (is_unlikely(tcb_has(c, TCB_SYN_UNACKED))) {
		/* FIN-WAIT-1 entered from SYN-RECEIVED: only now is the open proven. */
		c->flags &= ~(uint32_t)TCB_SYN_UNACKED;
		tcp_count(t, PMTCP_C_connected);
		tcp_event(t, c, PMTCP_EV_CONNECTED);
	}
}

/* The same of a message (tcp_message.h), which knows no more than that. Behind it is nothing, so
 * no timer goes on. */
static PMTCP_NOINLINE bool
ack_lone(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	const struct tcp_message *msg = tcp_message_at(&t->txs, c);
	uint32_t sent_us = msg->sent_us;

	if (!msg->is_sent || seq_lt(seg->ack, msg->seq + msg->len) || seg->n_sack > 0)
		return false;
	if (tcb_has(c, TCB_SHORT_SEND | TCB_FIN_WANTED) || (c->rare | c->retries) != 0)
		return false;
	tcp_message_drop(t, c);
	move_una(t, c, seg);
	rtt_sample(&c->rtt, t->now_us - sent_us, 1);
	c->flags &= ~(uint32_t)TCB_REXMT_DUE;
	tcp_timer_stop(c);
	return true;
}

/* Something waits for the peer's window to open. */
static bool
is_held_back(const struct tcb *c, const struct tcp_tx *tx)
{
	return (tx && sendq_unsent(&tx->q) > 0) || is_fin_due(c);
}

/* DATA-32: the timer runs while something is in flight, anew after each advance. A
 * probe that was taken while the window stays shut does not end the probing, nor its
 * back-off (SHLD-30). */
static void
restart_timer(struct tcp *t, struct tcb *c, const struct tcp_tx *tx)
{
	enum tcb_timer timer = tcb_timer(c);

	if (timer == TIMER_PERSIST && c->snd.una == c->snd.nxt && is_held_back(c, tx))
		return;
	c->retries = 0;
	if (c->snd.una != c->snd.nxt)
		tcp_timer_rexmt(t, c);
	else if (timer == TIMER_REXMT || timer == TIMER_PROBE || timer == TIMER_PERSIST ||
			timer == TIMER_SYN)
		tcp_timer_stop(c);
}

/* The other half of Karn's algorithm (RFC 6298 section 5): what was sent again gave no
 * sample, so the backed-off RTO stays until something sent once is acknowledged. */
static void
keep_back_off(struct tcb *c, const struct rtt *before, uint32_t rto_ms)
{
	if (rto_ms == 0 || !rtt_has_sample(&c->rtt) || c->rtt.srtt_us8 != before->srtt_us8 ||
			c->rtt.rttvar_us4 != before->rttvar_us4)
		return;
	rtt_hold(&c->rtt, rto_ms * 1000);
}

/* There was text in flight, or something was sent more than once. */
static PMTCP_NOINLINE void
new_ack_of_text(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	struct tcp_tx *tx = tcp_tx(t, c);
	bool is_backed_off = c->retries > 0 &&
			     (tcb_timer(c) == TIMER_REXMT || tcb_timer(c) == TIMER_PROBE);
	uint32_t rto_ms = is_backed_off ? tcp_rto_ms(t, c) : 0;
	struct rtt before = c->rtt;
	uint32_t wait_us = 0;

	move_una(t, c, seg);
	/* Dragged along, or after 2^31 octets of full segments it would lie ahead. */
	if (tx)
		tx->small_end = seq_max(tx->small_end, c->snd.una);
	if (!tx)
		tcp_sample_rtt(t, c, seg);
	else if (is_likely(ack_message(t, c, seg, tx)))
		tx = NULL;
	else
		wait_us = ack_payload(t, c, seg, tx);
	keep_back_off(c, &before, rto_ms);
	restart_timer(t, c, tx);
	if (is_unlikely(c->rare))
		tcp_rare_acked(t, c);
	if (!tx)
		return;
	if (is_unlikely(wait_us > 0))
		tcp_rack_arm(t, c, tx, wait_us);
	if (sendq_unsent(&tx->q) || (!tcb_has(c, TCB_SACK) && tx->rexmt_from != tx->rexmt_end) ||
			is_fin_due(c))
		tcp_mark_data(t, c);
	tell_writable(t, c);
	rest_tx(t, c, tx);
}

/* The same of a FIN alone that was sent once needs no more than this. */
static inline void
new_ack(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	if (is_unlikely(c->tx != 0 || c->retries > 0)) {
		if (!tcp_is_message(c) || is_unlikely(!ack_lone(t, c, seg)))
			new_ack_of_text(t, c, seg);
		return;
	}
	move_una(t, c, seg);
	tcp_sample_rtt(t, c, seg);
	restart_timer(t, c, NULL);
	if (is_unlikely(c->rare))
		tcp_rare_acked(t, c);
}

/* DATA-15 (RFC 5681 section 2): only then is it a sign of loss. Answers to probes of a
 * shut window look the same and are none. */
static bool
is_dup_ack(const struct tcb *c, const struct seg *seg)
{
	return seg->ack == c->snd.una && c->snd.una != c->snd.nxt && seg->len == 0 &&
	       c->snd.wnd != 0 && !(seg->flags & (TCP_SYN | TCP_FIN)) &&
	       (uint32_t)seg->wnd << tcb_snd_shift(c) == c->snd.wnd;
}

/* DATA-15 (RFC 6675): with SACK the blocks tell, whatever else the segment is. */
static void
same_ack(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	bool is_dup = is_dup_ack(c, seg);

	t->counter[PMTCP_C_dup_ack_received] += is_dup;
	if (!tcb_has(c, TCB_SACK)) {
		if (is_dup)
			tcp_rexmit_dup_ack(t, c);
	} else if (is_dup || seg->n_sack > 0) {
		tcp_recovery_dup(t, c, seg);
	}
}

/* DATA-16. WL2 is never above SND.UNA, so an ACK at or above the old una is at or
 * above WL2. */
void
tcp_set_window(struct tcb *c, const struct seg *seg, uint8_t shift)
{
	c->snd.wnd = (uint32_t)seg->wnd << shift;
	c->snd.wl1 = seg->seq;
	if (seg->wnd > c->max_wnd)
		c->max_wnd = seg->wnd;
}

/* The probe may have been thrown away, and the rest with it. RACK finds the rest. */
static void
send_flight_again(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	if (!tx)
		return;
	if (tcb_has(c, TCB_SACK)) {
		c->flags |= TCB_REXMT_DUE;
		return;
	}
	tx->rexmt_from = tx->q.una;
	tx->rexmt_end = tx->q.nxt;
	tx->rexmt_rec = 0;
}

static void
take_window(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	uint32_t before = c->snd.wnd;
	bool is_late = seq_gt(c->snd.wl1, seg->seq);
	struct tcp_tx *tx;

	/* Where it goes on above RCV.NXT, the number is that of what the first step leaves. */
	if (is_unlikely(is_late) &&
			(seq_gt(c->snd.wl1, c->rcv.nxt) ||
					seq_leq(seg->seq + seg_seq_len(seg), c->rcv.nxt)))
		return;
	tcp_set_window(c, seg, tcb_snd_shift(c));
	if (is_unlikely(is_late))
		c->snd.wl1 = c->rcv.nxt;
	/* Whoever keeps its window shut and says so is alive (DATA-25, MUST-37). */
	if (is_unlikely(c->snd.wnd == 0))
		c->last_rx = t->now_ms;
	if (c->snd.wnd <= before || (!c->tx && !tcb_has(c, TCB_FIN_WANTED)))
		return;
	/* With our FIN acknowledged there is nothing that the room were for. */
	if (tcb_fin_is_acked(c))
		return;
	tx = tcp_tx(t, c);
	if (tcb_timer(c) == TIMER_PERSIST || (before == 0 && c->snd.una != c->snd.nxt)) {
		tcp_timer_stop(c);
		c->retries = 0;
		if (c->snd.una != c->snd.nxt) {
			send_flight_again(t, c, tx);
			tcp_timer_rexmt(t, c);
		}
	}
	tcp_mark_data(t, c);
}

/* CLOSE-37; with the application attached only if it wants so (CLOSE-38). */
static void
wait_for_fin(struct tcp *t, struct tcb *c)
{
	const struct tcp_class *k = tcp_class(t, c);

	if (tcb_has(c, TCB_ORPHAN))
		tcp_timer_start(t, c, TIMER_FW2, k->fw2_ms);
	else if (k->fw2_attached_ms)
		tcp_timer_start(t, c, TIMER_FW2, k->fw2_attached_ms);
}

/* The last steps for this segment will take the FIN, and nothing can be in their way. */
static bool
is_fin_next(const struct tcb *c, const struct seg *seg)
{
	return (seg->flags & TCP_FIN) && seg->len == 0 && seg->seq == c->rcv.nxt && c->rx == 0;
}

/* Our FIN is acknowledged: the states of section 3.6 move on (CLOSE-7, -12, -15). */
static enum verdict
fin_acked(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	switch (c->head.state) {
	case TCPS_FIN_WAIT_1:
		tcp_timer_stop(c);
		tcp_conn_set_state(t, c, TCPS_FIN_WAIT_2);
		tcp_tx_release(t, c);
		if (!is_fin_next(c, seg))
			wait_for_fin(t, c);
		return NEXT;
	case TCPS_CLOSING:
		tcp_time_wait_enter(t, c, PMTCP_GRACEFUL);
		return tcp_drop(t, PMTCP_C_seg_taken);
	case TCPS_LAST_ACK:
		tcp_conn_end(t, c, PMTCP_GRACEFUL);
		return tcp_drop(t, PMTCP_C_seg_taken);
	default:
		return NEXT;
	}
}

/* SYN-RECEIVED by simultaneous open: the ACK of our SYN opens (OPEN-4, OPEN-27). */
static enum verdict
syn_rcvd_ack(struct tcp *t, struct tcb *c, struct seg *seg)
{
	if (seq_leq(seg->ack, c->snd.una) || seq_gt(seg->ack, c->snd.nxt)) {
		tcp_reply_rst(t, seg);
		return tcp_drop(t, PMTCP_C_drop_ack);
	}
	c->snd.una = seg->ack;
	tcp_sample_rtt(t, c, seg);
	tcp_established(t, c, seg, PMTCP_EV_CONNECTED);
	return NEXT;
}

enum verdict
tcp_check_ack(struct tcp *t, struct tcb *c, struct seg *seg)
{
	uint32_t una = c->snd.una;

	if (is_unlikely(c->head.state == TCPS_SYN_RCVD))
		return syn_rcvd_ack(t, c, seg);
	if (is_unlikely(!ack_is_acceptable(c, seg->ack))) {
		tcp_challenge(t, c);
		return tcp_drop(t, PMTCP_C_drop_ack);
	}
	if (seq_gt(seg->ack, una)) {
		new_ack(t, c, seg);
	} else if (is_unlikely(tcb_has(c, TCB_SYN_UNACKED))) {
		/* FIN-WAIT-1 from SYN-RECEIVED: nothing is taken before the peer has proven
		 * that it saw our SYN (OPEN-27, NEG-4). */
		tcp_challenge(t, c);
		return tcp_drop(t, PMTCP_C_drop_ack);
	} else if (seg->ack == una) {
		same_ack(t, c, seg);
	}
	if (seq_geq(seg->ack, una))
		take_window(t, c, seg);
	if (tcb_fin_is_acked(c))
		return fin_acked(t, c, seg);
	return NEXT;
}
