/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The output pass: replies, control marks, data marks, in this order, into the
 * caller's burst. Half-opens and TIME-WAIT entries are written here; a tcb's own
 * turn is tcp_output.c. */

#include "tcp/tcp_plain.h"
#include "wire/wire_vlan.h"

enum { DRY_NS = 1000000 }; /* a tick: timers are no finer */

/* The part that segments of the compact kinds have in common. */
static PMTCP_ALWAYS_INLINE bool
emit_compact(struct tcp *t, const struct block_head *h, struct wire_tcp *w, struct tcp_burst *b)
{
	struct rte_mbuf *m;

	if (b->n == b->max)
		return false;
	m = tcp_ctl_alloc(t);
	if (is_unlikely(!m))
		return false;
	w->key = h->key;
	w->addr6 = tcp_addr6(t, h);
	wire_emit_tcp(m, w, &t->tx_conf, &t->hops[h->hop].mac, &t->conf.mac);
	b->pkts[b->n++] = m;
	return true;
}

static PMTCP_NOINLINE bool
emit_odd_syn_ack(struct tcp *t, struct syn_rcvd *sr, struct tcp_burst *b)
{
	const struct tcp_class *k = &t->classes[sr->cls];
	struct wire_tcp w = {.seq = sr->iss,
			.ack = sr->irs + 1,
			.flags = TCP_SYN | TCP_ACK,
			.wnd = (uint16_t)min_u32(k->recv_buffer, UINT16_MAX),
			.mss = tcp_mss_max(t, k, tcp_is_v6(t, &sr->head)),
			.wscale = k->rcv_wscale,
			.opts = SEG_OPT_MSS,
			.tsval = tcp_tsval(t, sr->ts_offset),
			.tsecr = sr->ts_recent,
			.ttl = k->ttl,
			.dscp = k->dscp};

	w.opts |= sr->flags & SR_TS ? SEG_OPT_TS : 0;
	w.opts |= sr->flags & SR_SACK ? SEG_OPT_SACK_PERM : 0;
	w.opts |= sr->flags & SR_WSCALE ? SEG_OPT_WSCALE : 0;
	w.flags |= sr->flags & SR_ECN ? TCP_ECE : 0;
	w.addr_sum = tcp_addr_sum(t, &sr->head);
	return emit_compact(t, &sr->head, &w, b);
}

static PMTCP_ALWAYS_INLINE bool
emit_syn_ack(struct tcp *t, struct syn_rcvd *sr, struct tcp_burst *b)
{
	enum { ALL = SR_TS | SR_SACK | SR_WSCALE };
	const struct tcp_hop *hop = tcp_hop(t, &sr->head);
	struct wire_plain w = tcp_plain_syn(t, &t->classes[sr->cls]);

	if (b->n == b->max)
		return false;
	w.flags = TCP_SYN | TCP_ACK;
	w.seq = sr->iss;
	w.ack = sr->irs + 1;
	w.tsval = tcp_tsval(t, sr->ts_offset);
	w.tsecr = sr->ts_recent;
	w.addr_sum = wire_addr_sum(&sr->head.key);
	if (is_likely((sr->flags & (ALL | SR_ECN)) == ALL && tcp_is_plain(hop))
					? !tcp_plain_send(t, &sr->head, hop, b, &w)
					: !emit_odd_syn_ack(t, sr, b))
		return false;
	sr->flags &= (uint8_t)~SR_SYN_DUE;
	sr->sent = (uint16_t)(t->now_us >> SR_SENT_SHIFT);
	return true;
}

static bool
emit_syn_rcvd_ack(struct tcp *t, struct syn_rcvd *sr, struct tcp_burst *b)
{
	const struct tcp_class *k = &t->classes[sr->cls];
	uint8_t shift = sr->flags & SR_WSCALE ? k->rcv_wscale : 0;
	struct wire_tcp w = {.seq = sr->iss + 1,
			.ack = sr->irs + 1,
			.flags = TCP_ACK,
			.wnd = (uint16_t)((min_u32(k->recv_buffer, UINT16_MAX) + (1u << shift) -
							  1) >>
					  shift),
			.opts = sr->flags & SR_TS ? SEG_OPT_TS : 0,
			.tsval = tcp_tsval(t, sr->ts_offset),
			.tsecr = sr->ts_recent,
			.ttl = k->ttl,
			.dscp = k->dscp};

	w.addr_sum = tcp_addr_sum(t, &sr->head);
	if (!emit_compact(t, &sr->head, &w, b))
		return false;
	sr->flags &= (uint8_t)~SR_ACK_DUE;
	tcp_count(t, PMTCP_C_ack_sent);
	return true;
}

static bool
output_syn_rcvd(struct tcp *t, struct syn_rcvd *sr, struct tcp_burst *b)
{
	if ((sr->flags & SR_SYN_DUE) && !emit_syn_ack(t, sr, b))
		return false;
	return !(sr->flags & SR_ACK_DUE) || emit_syn_rcvd_ack(t, sr, b);
}

static PMTCP_NOINLINE bool
emit_odd_time_wait(struct tcp *t, struct time_wait *tw, struct tcp_burst *b)
{
	const struct tcp_class *k = &t->classes[tw->cls];
	struct wire_tcp w = {.seq = tw->snd_nxt,
			.ack = tw->rcv_nxt,
			.flags = TCP_ACK,
			.wnd = tw->window,
			.opts = tw->flags & TW_TS ? SEG_OPT_TS : 0,
			.tsval = tcp_tsval(t, tw->ts_offset),
			.tsecr = tw->ts_recent,
			.addr_sum = tw->addr_sum,
			.ttl = k->ttl,
			.dscp = k->dscp};

	return emit_compact(t, &tw->head, &w, b);
}

/* TW-4, TW-6: <SEQ=SND.NXT, ACK=RCV.NXT, A>, with the timestamp. */
static PMTCP_ALWAYS_INLINE bool
output_time_wait(struct tcp *t, struct time_wait *tw, struct tcp_burst *b)
{
	const struct tcp_class *k = &t->classes[tw->cls];
	const struct tcp_hop *hop = tcp_hop(t, &tw->head);
	struct wire_plain w = {.seq = tw->snd_nxt,
			.ack = tw->rcv_nxt,
			.flags = TCP_ACK,
			.wnd = tw->window,
			.tsval = tcp_tsval(t, tw->ts_offset),
			.tsecr = tw->ts_recent,
			.addr_sum = tw->addr_sum,
			.ttl = k->ttl,
			.dscp = k->dscp};

	if (!(tw->flags & TW_ACK_DUE))
		return true;
	if (b->n == b->max)
		return false;
	if (is_likely((tw->flags & TW_TS) && tcp_is_plain(hop))
					? !tcp_plain_send(t, &tw->head, hop, b, &w)
					: !emit_odd_time_wait(t, tw, b))
		return false;
	tw->flags &= (uint8_t)~TW_ACK_DUE;
	tcp_count(t, PMTCP_C_ack_sent);
	return true;
}

/* OPEN-8: the offer of a connection whose class offers everything, and of ECN nothing. */
static PMTCP_ALWAYS_INLINE bool
output_syn_sent(struct tcp *t, struct tcb *c, struct tcp_burst *b)
{
	const struct tcp_class *k = tcp_class(t, c);
	const struct tcp_hop *hop = tcp_hop(t, &c->head);
	struct wire_plain w = tcp_plain_syn(t, k);

	if (is_unlikely(!k->has_all || !tcp_is_plain(hop)))
		return tcp_output_tcb(t, c, b);
	w.seq = c->snd.una;
	w.tsval = tcp_tsval(t, c->ts_offset);
	w.addr_sum = c->addr_sum;
	if (is_unlikely(!tcp_plain_send(t, &c->head, hop, b, &w)))
		return false;
	c->flags &= ~(uint32_t)TCB_SYN_DUE;
	return true;
}

/* Caller: there is room in the burst. */
static PMTCP_ALWAYS_INLINE bool
visit(struct tcp *t, struct block_head *h, struct tcp_burst *b)
{
	switch (h->kind) {
	case BLOCK_ENDED:
		/* Most owe nothing and are here to be given back. */
		if (is_likely(!tcb_has((struct tcb *)h, TCB_RST_DUE | TCB_ACK_DUE)))
			return true;
		return tcp_output_tcb(t, (struct tcb *)h, b);
	case BLOCK_TCB:
		if (h->state == TCPS_SYN_SENT && tcb_has((struct tcb *)h, TCB_SYN_DUE))
			return output_syn_sent(t, (struct tcb *)h, b);
		return tcp_output_tcb(t, (struct tcb *)h, b);
	case BLOCK_SYN_RCVD:
		return output_syn_rcvd(t, (struct syn_rcvd *)h, b);
	case BLOCK_TIME_WAIT:
		return output_time_wait(t, (struct time_wait *)h, b);
	default:
		return true; /* DEAD: given back below; PARKED: owes nothing while on trial */
	}
}

/* The mark is off: blocks that died meanwhile are given back now, and only now. */
static void
unmarked(struct tcp *t, struct block_head *h)
{
	if (h->kind == BLOCK_DEAD)
		tcp_block_free(t, h);
	else if (h->kind == BLOCK_ENDED)
		tcp_conn_reap(t, (struct tcb *)h);
}

/* A connection that is over does not wait for a next hop (its RST is lost). */
static bool
must_wait(const struct tcp *t, struct block_head *h)
{
	if (is_likely(t->hops[h->hop].is_resolved) || h->kind == BLOCK_DEAD)
		return false;
	if (h->kind == BLOCK_ENDED) {
		((struct tcb *)h)->flags &= ~(uint32_t)(TCB_RST_DUE | TCB_ACK_DUE);
		return false;
	}
	return true;
}

static void
output_list(struct tcp *t, struct mark_list *list, struct tcp_burst *b)
{
	uint32_t stuck = 0;

	while (list->head && list->head != stuck && b->n < b->max) {
		struct block_head *h = tcp_block(t, list->head);
		uint32_t next = h->mark_next;
		bool is_waiting = must_wait(t, h);

		if (next != MARK_END)
			__builtin_prefetch(tcp_block(t, next));
		if (!is_waiting && !visit(t, h, b)) {
			/* Without room or packet buffers the mark stays where it is (RES-6). */
			if (b->n == b->max || next == MARK_END)
				return;
			/* Out of something that others may not need: they go first. */
			stuck = stuck ? stuck : list->head;
			list->head = next;
			tcp_mark_last(t, list, h);
			continue;
		}
		list->head = next == MARK_END ? 0 : next;
		h->mark_next = 0;
		if (is_waiting)
			tcp_mark_wait(t, h);
		else
			unmarked(t, h);
	}
}

/* Control first; but while the device is slow and control never ends, a quarter of
 * each burst is left to data marks, which also hold blocks that are to be given back. */
static void
output_lists(struct tcp *t, struct tcp_burst *b)
{
	uint16_t max = b->max;

	if (t->data.head)
		b->max = (uint16_t)(max - (max - b->n) / 4);
	output_list(t, &t->ctl, b);
	b->max = max;
	output_list(t, &t->data, b);
	output_list(t, &t->ctl, b);
}

/* W-3: whatever leaves carries our VID; what has no head room for it is lost. */
static PMTCP_NOINLINE void
tag_burst(struct tcp *t, struct tcp_burst *b)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		if (wire_vlan_put(b->pkts[i], t->conf.vlan)) {
			b->pkts[n++] = b->pkts[i];
			continue;
		}
		rte_pktmbuf_free(b->pkts[i]);
		tcp_count(t, PMTCP_C_tx_nomem);
	}
	b->n = n;
}

/* RES-6: memory comes back by input, a timer, the application - or a device that has sent a
 * packet, and tells nobody. So the next tick tries again; each turn until then would do what
 * this one did, and a worker that may sleep would spin. */
static PMTCP_COLD void
note_dry(struct tcp *t)
{
	t->dry = (struct tcp_dry){.ns = t->now_ns,
			.frames = t->counter[PMTCP_C_tx_frames],
			.ctl = t->ctl.head ? t->ctl.tail : 0,
			.data = t->data.head ? t->data.tail : 0};
}

uint64_t
tcp_output_deadline(const struct tcp *t)
{
	uint32_t ctl = t->ctl.head ? t->ctl.tail : 0;
	uint32_t data = t->data.head ? t->data.tail : 0;

	if ((ctl | data) == 0)
		return UINT64_MAX;
	if (t->dry.frames != t->counter[PMTCP_C_tx_frames] || t->dry.ctl != ctl ||
			t->dry.data != data)
		return t->now_ns;
	return t->dry.ns + DRY_NS;
}

uint16_t
tcp_output(struct tcp *t, struct rte_mbuf **pkts, uint16_t n)
{
	struct tcp_burst b = {.pkts = pkts, .max = n};

	if (is_unlikely(t->n_replies > 0)) {
		uint16_t k = (uint16_t)min_u32(t->n_replies, n);

		/* In the order they were made. */
		for (uint16_t i = 0; i < k; i++)
			pkts[i] = t->replies[i];
		for (uint16_t i = k; i < t->n_replies; i++)
			t->replies[i - k] = t->replies[i];
		t->n_replies = (uint16_t)(t->n_replies - k);
		b.n = k;
	}
	output_lists(t, &b);
	if (is_unlikely(b.n == 0) && n > 0 && (t->ctl.head | t->data.head) != 0)
		note_dry(t);
	if (is_unlikely(t->conf.vlan != 0))
		tag_burst(t, &b);
	t->counter[PMTCP_C_tx_frames] += b.n;
	return b.n;
}
