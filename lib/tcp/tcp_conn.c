/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Life and death of blocks: making a tcb, ending a connection, giving memory
 * back. What may still be needed by the application or by the output pass stays
 * until both are done with it. */

#include "tcp/tcp.h"

#include <errno.h>
#include <string.h>

/* Handles find their engine at the head of their 2 MiB chunk (slab.h). */
static void
note_engine(struct tcp *t, struct tcb *c)
{
	uintptr_t head = (uintptr_t)c & ~(uintptr_t)(PMTCP_CTX_ALIGN - 1);

	*(struct tcp **)head = t;
}

/* A line at a time: for more than that the compiler takes `rep stos`, which is slow to begin. */
static inline void
clear_tcb(struct tcb *c)
{
	uint8_t *p = (uint8_t *)c;

	STATIC_ASSERT(sizeof(*c) == 2 * SLAB_UNIT);
	memset(p, 0, SLAB_UNIT);
	memset(p + SLAB_UNIT, 0, SLAB_UNIT);
}

struct tcb *
tcp_tcb_new(struct tcp *t, const struct flow_key *key, uint16_t cls, uint16_t hop)
{
	uint32_t fresh = t->tcbs.fresh;
	uint32_t index = slab_alloc(&t->tcbs);
	struct tcb *c;

	if (!index)
		return NULL;
	c = tcp_tcb(t, index);
	if (t->tcbs.fresh != fresh)
		note_engine(t, c);
	clear_tcb(c);
	c->head.key = *key;
	c->head.kind = BLOCK_TCB;
	c->head.hop = hop;
	t->hops[hop].refs++;
	c->cls = cls;
	t->classes[cls].refs++;
	t->live++;
	t->state[TCPS_CLOSED]++;
	return c;
}

void
tcp_tcb_undo(struct tcp *t, struct tcb *c)
{
	t->state[TCPS_CLOSED]--;
	t->live--;
	tcp_class_put(t, c->cls);
	t->hops[c->head.hop].refs--;
	c->head.kind = BLOCK_DEAD;
	slab_free(&t->tcbs, tcp_index(t, c));
}

void
tcp_conn_set_state(struct tcp *t, struct tcb *c, enum tcp_state state)
{
	t->state[c->head.state]--;
	tcb_set_state(c, state);
	t->state[state]++;
}

void
tcp_tx_start(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	struct cc_event e = {.now_us = t->now_us,
			.mss = c->smss,
			.nxt = c->snd.nxt,
			.iw = t->conf.initial_window};

	tcp_cc(t, c)->init(&tx->cc, &e);
	/* recover starts below the first octet, or the first loss could not be seen. */
	tx->cc.recover = c->snd.una - 1;
	/* RFC 5681 3.1, OPEN-13: a SYN that was lost more than once leaves one segment. */
	if (tcb_has(c, TCB_SYN_LOST))
		tx->cc.cwnd = c->smss;
	if (tcb_is_synchronized(c))
		c->flags &= ~(uint32_t)TCB_SYN_LOST;
}

/* As clear_tcb(). */
static inline void
clear_tx(struct tcp_tx *tx)
{
	uint8_t *p = (uint8_t *)tx;

	STATIC_ASSERT(sizeof(*tx) > 2 * SLAB_UNIT && sizeof(*tx) <= 3 * SLAB_UNIT);
	memset(p, 0, SLAB_UNIT);
	memset(p + SLAB_UNIT, 0, SLAB_UNIT);
	memset(p + 2 * SLAB_UNIT, 0, sizeof(*tx) - 2 * SLAB_UNIT);
}

void
tcp_tx_begin(struct tcp *t, struct tcb *c, struct tcp_tx *tx, uint32_t seq)
{
	clear_tx(tx);
	tx->small_end = c->snd.una;
	tx->sent_ms = t->now_ms;
	sendq_init(&tx->q, seq);
	rack_init(&tx->rack, c->snd.una);
	tcp_tx_start(t, c, tx);
}

struct tcp_tx *
tcp_tx_get(struct tcp *t, struct tcb *c)
{
	struct tcp_tx *tx;

	if (c->tx)
		return tcp_tx(t, c);
	c->tx = slab_alloc(&t->txs);
	if (!c->tx)
		return NULL;
	tx = slab_at(&t->txs, c->tx);
	tcp_tx_begin(t, c, tx, c->snd.nxt);
	return tx;
}

void
tcp_tx_drop(struct tcp *t, struct tcb *c)
{
	struct rte_mbuf *m = NULL;
	struct tcp_tx *tx;

	if (tcp_is_message(c)) {
		tcp_message_drop(t, c);
		return;
	}
	tx = slab_at(&t->txs, c->tx);
	/* The packet of a message goes on to carry something else. What is longer may have been
	 * cloned. */
	if (is_likely(sendq_bytes(&tx->q) < TCP_CLONE_MIN))
		m = sendq_take_message(&tx->q, &t->recs);
	if (is_likely(m))
		tcp_spare_own(t, m);
	else
		sendq_fini(&tx->q, &t->recs);
	slab_free(&t->txs, c->tx);
	c->tx = 0;
	if (is_unlikely(t->starve.n > 0))
		t->watch_tick = 0;
}

struct tcp_rx *
tcp_rx_get(struct tcp *t, struct tcb *c)
{
	struct tcp_rx *rx;

	if (c->rx)
		return tcp_rx(t, c);
	c->rx = slab_alloc(&t->rxs);
	if (!c->rx)
		return NULL;
	rx = tcp_rx(t, c);
	*rx = (struct tcp_rx){.has_sack = tcb_has(c, TCB_SACK)};
	return rx;
}

void
tcp_rx_drop(struct tcp *t, struct tcb *c)
{
	reasm_fini(&tcp_rx(t, c)->r, &t->recs);
	slab_free(&t->rxs, c->rx);
	c->rx = 0;
}

void
tcp_rx_rest(struct tcp *t, struct tcb *c, const struct tcp_rx *rx)
{
	if (rx->held != 0 || !reasm_is_idle(&rx->r))
		return;
	CHECK(rx->r.truesize == 0);
	slab_free(&t->rxs, c->rx);
	c->rx = 0;
}

/* Of the blocks that share a bucket with the new one: the TIME-WAIT entry with the least time
 * left, else the half-open repeated most often. One whose SYN reopens an entry leaves its slot
 * to that. */
static struct block_head *
least_missed(const struct tcp *t, uint64_t hash)
{
	uint32_t index[2 * FLOW_BUCKET_SLOTS];
	uint32_t n = flow_table_neighbours(&t->table, hash, index);
	struct time_wait *oldest = NULL;
	struct syn_rcvd *worst = NULL;

	for (uint32_t i = 0; i < n; i++) {
		struct time_wait *tw = (struct time_wait *)tcp_block(t, index[i]);
		struct syn_rcvd *sr = (struct syn_rcvd *)tcp_block(t, index[i]);

		if (tw->head.kind == BLOCK_TIME_WAIT) {
			if (!oldest || seq_lt(tw->head.timer.tick, oldest->head.timer.tick))
				oldest = tw;
		} else if (sr->head.kind == BLOCK_SYN_RCVD && !sr->parked) {
			if (!worst || sr->tries > worst->tries)
				worst = sr;
		}
	}
	return oldest ? &oldest->head : worst ? &worst->head : NULL;
}

/* RES-8: what is established never gives way. */
PMTCP_COLD int
tcp_block_squeeze(struct tcp *t, uint64_t hash, uint32_t index)
{
	struct block_head *b = least_missed(t, hash);

	if (!b) {
		tcp_count(t, PMTCP_C_table_full);
		return -ENOSPC;
	}
	if (b->kind == BLOCK_TIME_WAIT)
		tcp_time_wait_remove(
				t, (struct time_wait *)b, tcp_hash(t, &b->key), PMTCP_C_tw_evicted);
	else
		tcp_syn_rcvd_end(t, (struct syn_rcvd *)b, PMTCP_C_half_open_replaced);
	return flow_table_insert(&t->table, hash, index);
}

void
tcp_block_forget(struct tcp *t, struct block_head *b)
{
	uint64_t hash = tcp_hash_at_hand(t, &b->key);
	bool was_there = flow_table_remove(&t->table, hash, tcp_index(t, b));

	CHECK(was_there);
	wheel_cancel(&t->wheel, tcp_index(t, b));
}

void
tcp_block_free(struct tcp *t, struct block_head *b)
{
	uint32_t index = tcp_index(t, b);

	if (b->kind != BLOCK_DEAD)
		t->hops[b->hop].refs--;
	b->kind = BLOCK_DEAD;
	/* A marked block is given back when the output pass comes to it: nothing
	 * may be recycled while a list still holds it. */
	if (b->mark_next == 0)
		slab_free(index < t->tw_first ? &t->half_opens : &t->time_waits, index);
}

/* The listener loses one of its connections (conn_max). */
static void
leave_listener(struct tcp *t, const struct tcb *c)
{
	uint32_t number = t->classes[c->cls].listener;

	if (number && !tcb_has(c, TCB_ACTIVE))
		t->listeners[number - 1].conns--;
}

void
tcp_conn_end(struct tcp *t, struct tcb *c, enum pmtcp_reason reason)
{
	if (c->head.kind == BLOCK_ENDED)
		return;
	/* No ACK is delayed any more: its place keeps what STATUS tells of the network. */
	c->delack = is_unlikely(c->rare) ? tcp_icmp_last(t, c) : 0;
	/* A connection that passed to TIME-WAIT left the table with its entry. */
	if (c->head.state != TCPS_TIME_WAIT) {
		tcp_block_forget(t, &c->head);
		if (tcb_has(c, TCB_ACTIVE))
			tcp_port_release(t, &c->head.key);
	}
	tcp_conn_set_state(t, c, TCPS_CLOSED);
	t->state[TCPS_CLOSED]--;
	leave_listener(t, c);
	c->head.kind = BLOCK_ENDED;
	c->reason = (uint8_t)reason;
	t->ended[reason]++;
	t->live--;
	t->orphans -= tcb_has(c, TCB_ORPHAN);
	tcp_timer_stop(c);
	c->flags &= ~(uint32_t)(TCB_ACK_DUE | TCB_DELACK | TCB_SYN_DUE | TCB_REXMT_DUE |
				TCB_PROBE_DUE | TCB_RST_DUE);
	tcp_tx_release(t, c);
	tcp_rare_release(t, c); /* CLOSE-40: and with it the slow timers */
	/* CLOSE-36: what is unread outlives the connection; what lies above a hole does not. */
	if (tcb_has(c, TCB_RELEASED))
		tcp_rx_release(t, c);
	else if (c->rx)
		reasm_drop_ooo(&tcp_rx(t, c)->r, &t->recs);
	if (tcb_has(c, TCB_DETACHED))
		tcp_mark(t, &c->head);
	else
		tcp_event(t, c, PMTCP_EV_CLOSED);
}

void
tcp_conn_reset(struct tcp *t, struct tcb *c, enum pmtcp_reason reason)
{
	if (c->head.kind == BLOCK_ENDED)
		return;
	/* DEC-2 (RFC 9293 3.10.5, not 3.5.2): CLOSED from any state, without TIME-WAIT; an abort
	 * of the application's may leave one (tcp_user.c). */
	tcp_conn_end(t, c, reason);
	c->flags |= TCB_RST_DUE;
	tcp_mark(t, &c->head);
}

void
tcp_conn_reap(struct tcp *t, struct tcb *c)
{
	if (c->head.kind != BLOCK_ENDED || c->head.mark_next || c->ready_next)
		return;
	if (!tcb_has(c, TCB_RELEASED) || !tcb_has(c, TCB_DETACHED | TCB_CLOSED_POPPED))
		return;
	tcp_rx_release(t, c);
	tcp_class_put(t, c->cls);
	t->hops[c->head.hop].refs--;
	c->head.kind = BLOCK_DEAD;
	slab_free(&t->tcbs, tcp_index(t, c));
}
