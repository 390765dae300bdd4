/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Text on its way out: from the packets of the send queue into those that leave. The queue's
 * own stay, unwritten, until they are acknowledged. */

#include "tcp/tcp_plain.h"

enum {
	CLONE_SEGS_MAX = 8,
};

/* The device and the peer allow it, and it pays. */
static bool
is_for_clones(const struct tcp *t, const struct sendq_rec *rec)
{
	return rec->len >= TCP_CLONE_MIN && t->conf.caps.tx_multi_seg &&
	       !t->conf.caps.peer_owns_mbuf;
}

/* The payload of one record in a packet of its own: cloned where the device and the
 * peer allow, else copied. NULL: no packet buffer. */
struct rte_mbuf *
tcp_payload_mbuf(struct tcp *t, struct tcb *c, const struct sendq_rec *rec)
{
	struct rte_mbuf *m = tcp_text_alloc(t);
	char *dst;

	if (is_unlikely(!m))
		return NULL;
	if (is_for_clones(t, rec) && sendq_attach(rec, t->conf.pool, m, CLONE_SEGS_MAX) == 0)
		return m;
	dst = rte_pktmbuf_append(m, rec->len);
	if (is_unlikely(!dst)) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	sendq_copy(&tcp_tx(t, c)->q, rec, dst);
	return m;
}

bool
tcp_emit_plain(struct tcp *t, struct tcb *c, struct tcp_burst *b, struct tcp_text text,
		struct tcp_out out)
{
	struct rte_mbuf *m = tcp_text_raw(t);
	struct wire_plain w;
	uint64_t sum;
	uint8_t *p;

	if (is_unlikely(!m))
		return false;
	if (is_unlikely(text.len > (uint32_t)m->buf_len - RTE_PKTMBUF_HEADROOM)) {
		rte_mbuf_raw_free(m);
		return false;
	}
	p = wire_plain_mbuf(m, false);
	m->data_len = (uint16_t)(m->data_len + text.len);
	m->pkt_len = m->data_len;
	sum = wire_cksum_copy(p + WIRE_PLAIN_HDR_LEN, text.at, text.len);
	w = tcp_plain_of(t, c, out);
	tcp_plain_fill(&c->head, tcp_hop(t, &c->head), &w);
	wire_plain_put(p, &w, text.len, sum);
	b->pkts[b->n++] = m;
	if ((c->dups & TCB_DUPS_OWED) == 0)
		tcp_ack_left(c, out.ack);
	return true;
}

/* May the octets of this record leave in a plain segment? They lie together, and are not
 * to be cloned. */
static bool
is_plain_text(const struct tcp *t, const struct tcb *c, const struct sendq_rec *rec)
{
	return tcp_tcb_is_plain(t, c, tcp_hop(t, &c->head)) &&
	       rec->off + rec->len <= rec->m->data_len && !is_for_clones(t, rec);
}

bool
tcp_emit_text(struct tcp *t, struct tcb *c, struct tcp_burst *b, const struct sendq_rec *rec,
		struct tcp_out out)
{
	struct tcp_text text = {.len = rec->len};

	if (is_unlikely(!is_plain_text(t, c, rec)))
		return tcp_emit(t, c, b, rec, out);
	text.at = rte_pktmbuf_mtod_offset(rec->m, const uint8_t *, rec->off);
	return tcp_emit_plain(t, c, b, text, out);
}
