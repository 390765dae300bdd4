/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Requests and responses: one segment, one line of a side record (tcp_message.h). */

#include "tcp/tcp_message.h"

#include <string.h>

#include "tcp/tcp_plain.h"
#include "tcp/tcp_recovery.h"

/* Of a connection that may write a message: it goes on, and nothing is under way of which
 * the whole record would have to know. */
enum {
	MUST_HAVE = TCB_TS | TCB_SACK,
	MUST_NOT_HAVE = TCB_RELEASED | TCB_FIN_WANTED | TCB_ECN | TCB_SHORT_SEND | TCB_SYN_LOST |
			TCB_SYN_UNACKED | TCB_PROBE_DUE | TCB_REXMT_DUE | TCB_TIMER,
};

static bool
may_write(const struct tcp *t, const struct tcb *c, uint32_t len)
{
	return (c->flags & (MUST_HAVE | MUST_NOT_HAVE)) == MUST_HAVE && tcb_is_synchronized(c) &&
	       c->snd.una == c->snd.nxt && !c->rare && len < TCP_CLONE_MIN && len <= c->smss &&
	       len <= tcp_class(t, c)->send_buffer && t->txs.used < t->txs.max;
}

bool
tcp_message_write(struct tcp *t, struct tcb *c, const void *buf, uint32_t len)
{
	struct tcp_message *msg;
	struct rte_mbuf *m;

	if (is_unlikely(len == 0 || !may_write(t, c, len)))
		return false;
	m = tcp_text_spare(t);
	if (is_unlikely(!m))
		return false;
	if (is_unlikely(len > rte_pktmbuf_tailroom(m))) {
		tcp_spare_own(t, m);
		return false;
	}
	memcpy(rte_pktmbuf_mtod(m, void *), buf, len);
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	c->tx = slab_alloc(&t->txs);
	msg = tcp_message_at(&t->txs, c);
	*msg = (struct tcp_message){
			.m = m, .seq = c->snd.nxt, .len = (uint16_t)len, .sent_ms = t->now_ms};
	c->tx |= TCP_TX_MESSAGE;
	tcp_mark_data(t, c);
	return true;
}

bool
tcp_message_is_plain(const struct tcp *t, const struct tcb *c)
{
	const struct tcp_message *msg = tcp_message_at(&t->txs, c);

	if (c->flags & (TCB_PROBE_DUE | TCB_REXMT_DUE))
		return false;
	return msg->is_sent ||
	       (!tcb_has(c, TCB_FIN_WANTED) && msg->len <= c->snd.wnd && msg->len <= c->smss &&
			       tcp_tcb_is_plain(t, c, tcp_hop(t, &c->head)));
}

/* As tcp_timer_rexmt() does for a segment that is alone in flight. */
static void
start_timer(struct tcp *t, struct tcb *c, struct tcp_message *msg)
{
	uint32_t rto_ms = tcp_rto_ms(t, c);

	msg->rto_at = t->now_ms + t->tick_begun + rto_ms;
	if (is_likely(t->conf.tlp && c->retries == 0))
		tcp_timer_start(t, c, TIMER_PROBE, tcp_tlp_single_ms(c, rto_ms));
	else
		tcp_timer_start(t, c, TIMER_REXMT, rto_ms);
}

bool
tcp_message_output(struct tcp *t, struct tcb *c, struct tcp_burst *b)
{
	struct tcp_message *msg = tcp_message_at(&t->txs, c);
	struct tcp_text text = {rte_pktmbuf_mtod(msg->m, const uint8_t *), msg->len};
	struct tcp_out out = {.seq = msg->seq, .ack = c->rcv.nxt, .flags = TCP_ACK | TCP_PSH};

	if (msg->is_sent)
		return true;
	if (b->n == b->max)
		return false;
	/* All that it could need once it is sent. */
	if (is_unlikely(!recpool_reserve(&t->recs))) {
		tcp_count(t, PMTCP_C_tx_norec);
		return false;
	}
	if (is_unlikely(!tcp_emit_plain(t, c, b, text, out))) {
		recpool_unreserve(&t->recs);
		return false;
	}
	msg->is_sent = true;
	msg->sent_us = t->now_us;
	msg->sent_ms = t->now_ms;
	c->snd.nxt += msg->len;
	t->counter[PMTCP_C_tx_octets] += msg->len;
	start_timer(t, c, msg);
	return true;
}

void
tcp_message_drop(struct tcp *t, struct tcb *c)
{
	const struct tcp_message *msg = tcp_message_at(&t->txs, c);

	if (msg->is_sent)
		recpool_unreserve(&t->recs);
	tcp_spare_own(t, msg->m);
	slab_free(&t->txs, c->tx & ~TCP_TX_MESSAGE);
	c->tx = 0;
	if (is_unlikely(t->starve.n > 0))
		t->watch_tick = 0;
}

/* What sendq_next() and note_sent() leave behind. */
static void
expand_sent(struct tcp *t, const struct tcb *c, struct tcp_tx *tx, const struct tcp_message *msg)
{
	uint32_t index;

	recpool_unreserve(&t->recs);
	index = sendq_next(&tx->q, &t->recs, msg->len, msg->sent_us);
	CHECK(index != 0);
	sendq_rec(&t->recs, index)->flags |= SENDQ_PSH;
	if (msg->len < c->smss)
		tx->small_end = tx->q.nxt;
	tx->rto_at = msg->rto_at;
}

PMTCP_COLD void
tcp_message_expand(const struct tcp *ct, const struct tcb *cc)
{
	/* To whoever asks it is what it was. */
	struct tcp *t = (struct tcp *)(uintptr_t)ct;
	struct tcb *c = (struct tcb *)(uintptr_t)cc;
	struct tcp_message msg = *tcp_message_at(&t->txs, c);
	struct tcp_tx *tx;

	ASSERT(c->snd.una == msg.seq);
	c->tx &= ~TCP_TX_MESSAGE;
	tx = slab_at(&t->txs, c->tx);
	tcp_tx_begin(t, c, tx, msg.seq);
	tx->sent_ms = msg.sent_ms;
	sendq_put(&tx->q, msg.m);
	if (msg.is_sent)
		expand_sent(t, c, tx, &msg);
}

void
tcp_message_check(const struct tcp *t, const struct tcb *c)
{
	const struct tcp_message *msg = tcp_message_at(&t->txs, c);

	CHECK(msg->len > 0 && msg->m->data_len == msg->len && msg->m->pkt_len == msg->len);
	CHECK(msg->m->next == NULL && msg->m->nb_segs == 1);
	CHECK(c->snd.una == msg->seq);
	CHECK(seq_geq(c->snd.nxt, msg->seq + (msg->is_sent ? msg->len : 0)));
	CHECK(!msg->is_sent || t->recs.in_use > 0);
}
