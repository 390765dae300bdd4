/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Plain segments (wire/wire_plain.h) of blocks, and what they share with all others: which
 * window is offered, and what it means that an ACK has left. */

#ifndef PMTCP_TCP_TCP_PLAIN_H
#define PMTCP_TCP_TCP_PLAIN_H

#include "tcp/tcp.h"
#include "wire/wire_plain.h"

/* The MAC is read together with what follows it. */
STATIC_ASSERT(offsetof(struct tcp_hop, mac) == 0 && sizeof(struct tcp_hop) >= sizeof(uint64_t));

/* ---- tcp_fill.c ---- */
/* The values of a segment of c with so many octets of text. */
void tcp_fill(struct tcp *t, struct tcb *c, struct wire_tcp *w, const struct tcp_out *out,
		uint32_t len);

static inline bool
tcp_has_sack_to_tell(const struct tcp *t, const struct tcb *c)
{
	const struct tcp_rx *rx = tcb_has(c, TCB_SACK) ? tcp_rx(t, c) : NULL;

	return rx && (reasm_has_ooo(&rx->r) || rx->dsack_left != rx->dsack_right);
}

/* Rounding up takes the edge on by a little with each ACK. It must not do so once the
 * buffer is full, nor for ever: a peer of small segments would be promised as much again
 * before that (RES-10). */
static inline bool
tcp_may_round_up(const struct tcp *t, const struct tcb *c)
{
	const struct tcp_rx *rx = tcp_rx(t, c);
	uint32_t buffer = tcp_class(t, c)->recv_buffer;
	uint32_t held = rx ? rx->held : 0;

	return held < buffer && held + tcb_rcv_wnd(c) < buffer + buffer / 8;
}

/* The window field, and the edge that it promises: rounded up to the scale, so that
 * rounding never moves the edge back (DATA-17, DATA-18), while the buffer allows. Text up
 * to the edge once promised is taken all the same. One of several ACKs of a burst
 * acknowledges less than RCV.NXT and offers as much more. */
static inline uint16_t
tcp_advertise(struct tcp *t, struct tcb *c, uint32_t ack)
{
	uint8_t shift = tcb_rcv_shift(c);
	uint32_t space = tcp_rcv_space(t, c) + (c->rcv.nxt - ack);
	uint32_t field = (space + (tcp_may_round_up(t, c) ? (1u << shift) - 1 : 0)) >> shift;

	field = min_u32(field, UINT16_MAX);
	c->rcv.adv = seq_max(c->rcv.adv, ack + (field << shift));
	return (uint16_t)field;
}

/* An ACK left with this segment, whatever else it was. */
static inline void
tcp_ack_left(struct tcb *c, uint32_t ack)
{
	c->ack_sent = ack;
	if (ack != c->rcv.nxt)
		return;
	c->flags &= ~(uint32_t)(TCB_ACK_DUE | TCB_DELACK);
	c->dups &= (uint8_t)~TCB_GAP_FILLED;
}

/* A packet for a segment without text, with whatever it was received with. */
static inline struct rte_mbuf *
tcp_ctl_raw(struct tcp *t)
{
	return is_likely(t->n_spare > TCP_SPARES_LOW) ? t->spare[--t->n_spare] : tcp_ctl_alloc(t);
}

static inline const struct tcp_hop *
tcp_hop(const struct tcp *t, const struct block_head *h)
{
	return &t->hops[h->hop];
}

/* May segments over this hop be plain? */
static inline bool
tcp_is_plain(const struct tcp *t, const struct tcp_hop *hop)
{
	return is_likely(t->plain_src != 0) && !hop->is_v6;
}

/* And this synchronized connection's? */
static PMTCP_ALWAYS_INLINE bool
tcp_tcb_is_plain(const struct tcp *t, const struct tcb *c, const struct tcp_hop *hop)
{
	return (c->flags & (TCB_TS | TCB_ECE_DUE)) == TCB_TS && !c->rare && tcp_is_plain(t, hop) &&
	       !tcp_has_sack_to_tell(t, c);
}

/* The values of one that may be. */
static PMTCP_ALWAYS_INLINE struct wire_plain
tcp_plain_of(struct tcp *t, struct tcb *c, struct tcp_out out)
{
	/* First what calls, then what is kept in registers. */
	uint16_t wnd = tcp_advertise(t, c, out.ack);
	const struct tcp_class *k = tcp_class(t, c);

	ASSERT((out.flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK);
	return (struct wire_plain){.seq = out.seq,
			.ack = out.ack,
			.flags = out.flags & (uint8_t)~TCP_SYN,
			.wnd = wnd,
			.tsval = tcp_tsval(t, c->ts_offset),
			.tsecr = c->ts_recent,
			.addr_sum = c->addr_sum,
			.ttl = k->ttl,
			.dscp = k->dscp,
			.ecn = out.ecn};
}

static PMTCP_ALWAYS_INLINE void
tcp_plain_fill(const struct tcp *t, const struct block_head *h, const struct tcp_hop *hop,
		struct wire_plain *w)
{
	w->key = &h->key;
	w->src = t->plain_src;
	memcpy(&w->dst, hop, sizeof(w->dst));
}

/* Sends a plain segment of this block without text; key and MACs are filled in here. False: no
 * packet buffer. Caller: tcp_is_plain(), and there is room. Inline, so that the values stay in
 * registers and the options are known; the packet comes first, since that may call. */
static PMTCP_ALWAYS_INLINE bool
tcp_plain_send(struct tcp *t, const struct block_head *h, const struct tcp_hop *hop,
		struct tcp_burst *b, struct wire_plain *w)
{
	struct rte_mbuf *m = tcp_ctl_raw(t);

	ASSERT(b->n < b->max);
	if (is_unlikely(!m))
		return false;
	tcp_plain_fill(t, h, hop, w);
	wire_plain_put(wire_plain_mbuf(m, (w->flags & TCP_SYN) != 0), w, 0, 0);
	b->pkts[b->n++] = m;
	return true;
}

/* The values of a SYN or SYN-ACK that offers or repeats all options. */
static PMTCP_ALWAYS_INLINE struct wire_plain
tcp_plain_syn(const struct tcp *t, const struct tcp_class *k)
{
	return (struct wire_plain){.wnd = (uint16_t)min_u32(k->recv_buffer, UINT16_MAX),
			.mss = tcp_mss_max(t, k, false),
			.wscale = k->rcv_wscale,
			.flags = TCP_SYN,
			.ttl = k->ttl,
			.dscp = k->dscp};
}

/* ---- tcp_payload.c ---- */
/* The text of one record in a packet of its own: cloned where that is allowed, else copied.
 * NULL: no packet buffer. */
struct rte_mbuf *tcp_payload_mbuf(struct tcp *t, struct tcb *c, const struct sendq_rec *rec);
/* Octets that lie together. */
struct tcp_text {
	const uint8_t *at;
	uint32_t len;
};
/* Sends them in a plain segment: they are added up while they are copied. False: no packet
 * buffer. Caller: tcp_tcb_is_plain(), and there is room. */
bool tcp_emit_plain(struct tcp *t, struct tcb *c, struct tcp_burst *b, struct tcp_text text,
		struct tcp_out out);
/* tcp_emit() for a record that is new, which is a plain segment nearly always. */
bool tcp_emit_text(struct tcp *t, struct tcb *c, struct tcp_burst *b, const struct sendq_rec *rec,
		struct tcp_out out);

#endif /* PMTCP_TCP_TCP_PLAIN_H */
