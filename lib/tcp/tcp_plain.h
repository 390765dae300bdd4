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
STATIC_ASSERT(offsetof(struct tcp_hop, mac) == 0 && sizeof(struct tcp_hop) == 32 &&
		offsetof(struct tcp_hop, behind_mac) == RTE_ETHER_ADDR_LEN);

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

/* ---- tcp_output.c ---- */
/* The window field, and the edge that it promises: rounded up to the scale, so that
 * rounding never moves the edge back (DATA-17, DATA-18), while the buffer allows. Text up
 * to the edge once promised is taken all the same. One of several ACKs of a burst
 * acknowledges less than RCV.NXT and offers as much more. */
uint16_t tcp_advertise_held(struct tcp *t, struct tcb *c, uint32_t ack);

/* The same at once where nothing is held, and the edge has all of the buffer before it that the
 * field can tell, or more than any segment still to gain: then the window is the buffer. */
static PMTCP_ALWAYS_INLINE uint16_t
tcp_advertise(struct tcp *t, struct tcb *c, uint32_t ack)
{
	const struct tcp_class *k = tcp_class(t, c);
	uint8_t shift = tcb_rcv_shift(c);
	uint32_t field = (k->recv_buffer + (1u << shift) - 1) >> shift;
	uint32_t now = tcb_rcv_wnd(c);

	if (is_unlikely(c->rx || c->rcv.nxt != ack || field > UINT16_MAX ||
			    (now != field << shift &&
					    (k->recv_buffer < now + UINT16_MAX ||
							    t->free_permille < TCP_PRESSURE_SYN))))
		return tcp_advertise_held(t, c, ack);
	c->rcv.adv = ack + (field << shift);
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

static inline const struct tcp_hop *
tcp_hop(const struct tcp *t, const struct block_head *h)
{
	return &t->hops[h->hop];
}

/* May segments over this hop be plain? */
static inline bool
tcp_is_plain(const struct tcp_hop *hop)
{
	return is_likely(hop->behind_mac[sizeof(hop->behind_mac) - 2] != 0);
}

/* And this synchronized connection's? */
static PMTCP_ALWAYS_INLINE bool
tcp_tcb_is_plain(const struct tcp *t, const struct tcb *c, const struct tcp_hop *hop)
{
	return (c->flags & (TCB_TS | TCB_ECE_DUE)) == TCB_TS && !c->rare && tcp_is_plain(hop) &&
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
tcp_plain_fill(const struct block_head *h, const struct tcp_hop *hop, struct wire_plain *w)
{
	w->key = &h->key;
	w->eth = hop;
}

/* Sends a plain segment of this block without text; key and MACs are filled in here. False: no
 * packet buffer. Caller: tcp_is_plain(), and there is room. Inline, so that the values stay in
 * registers and the options are known; the packet comes first, since that may call. */
static PMTCP_ALWAYS_INLINE bool
tcp_plain_send(struct tcp *t, const struct block_head *h, const struct tcp_hop *hop,
		struct tcp_burst *b, struct wire_plain *w)
{
	uint32_t n_spare = t->n_spare;
	struct rte_mbuf *m;

	ASSERT(b->n < b->max);
	if (is_likely(n_spare > TCP_SPARES_LOW)) {
		m = t->spare[n_spare - 1];
		t->n_spare = (uint16_t)(n_spare - 1);
	} else {
		m = tcp_ctl_alloc(t);
		if (is_unlikely(!m))
			return false;
	}
	tcp_plain_fill(h, hop, w);
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
