/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Answers that belong to no block: they are written at once into the received
 * packet and leave first in the next output pass, at most TCP_REPLIES_MAX per
 * turn. And the spare stack: packets that nobody kept serve as the next control
 * segments, warm and without a trip to the pool. */

#include "tcp/tcp.h"

/* Direct, unshared, one segment, with room for any header: only such a packet may
 * be written to. */
static bool
is_reusable(const struct tcp *t, const struct rte_mbuf *m)
{
	return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1 && m->nb_segs == 1 &&
	       m->buf_len >= RTE_PKTMBUF_HEADROOM + WIRE_TCP_HDR_MAX &&
	       m->pool->elt_size >= t->conf.pool->elt_size;
}

void
tcp_spare_put(struct tcp *t, struct rte_mbuf *m)
{
	if (t->n_spare < t->conf.spare_max && is_likely(is_reusable(t, m)))
		t->spare[t->n_spare++] = m;
	else
		rte_pktmbuf_free(m);
}

struct rte_mbuf *
tcp_ctl_alloc(struct tcp *t)
{
	struct rte_mbuf *m;

	if (t->n_spare > 0) {
		m = t->spare[--t->n_spare];
		rte_pktmbuf_reset(m);
		return m;
	}
	m = rte_pktmbuf_alloc(t->conf.ctl_pool);
	if (is_unlikely(!m))
		tcp_count(t, PMTCP_C_tx_nomem);
	return m;
}

bool
tcp_reply_push(struct tcp *t, struct rte_mbuf *m)
{
	if (t->n_replies == TCP_REPLIES_MAX) {
		tcp_count(t, PMTCP_C_tx_reply_full);
		return false;
	}
	t->replies[t->n_replies++] = m;
	return true;
}

/* SEC-6: so many per second and core, refilled by the millisecond; the bucket's
 * depth is random within an eighth, so that the budget cannot be measured. */
static bool
rst_is_allowed(struct tcp *t)
{
	uint32_t rate = t->conf.rst_per_s;
	uint64_t gain = (uint64_t)(t->now_ms - t->rst_tokens_ms) * rate / 1000;

	/* Less than one token gained: let the time add up. */
	if (gain > 0) {
		uint64_t depth = rate - rng_below(&t->rng, rate / 8 + 1);

		t->rst_tokens = (uint32_t)min_u64(t->rst_tokens + gain, depth);
		t->rst_tokens_ms = t->now_ms;
	}
	if (t->rst_tokens == 0) {
		tcp_count(t, PMTCP_C_rst_reply_throttled);
		return false;
	}
	t->rst_tokens--;
	return true;
}

bool
tcp_reply_send(struct tcp *t, struct seg *seg, struct wire_tcp *w)
{
	const struct rte_ether_hdr *eth;
	struct rte_ether_hdr copy;
	struct rte_ether_addr dst;
	struct flow_addr6 addr6;
	struct rte_mbuf *m = seg->m;
	bool seg_is_v6 = seg->is_v6;

	eth = rte_pktmbuf_read(m, 0, sizeof(copy), &copy);
	if (!eth)
		return false;
	dst = eth->src_addr;
	/* The answer may be written over the question. */
	if (seg_is_v6)
		flow_addr6_of(tcp_seg_ip6(seg), &addr6);
	if (is_reusable(t, m)) {
		seg->m = NULL;
		rte_pktmbuf_reset(m);
	} else {
		m = tcp_ctl_alloc(t);
		if (!m)
			return false;
	}
	w->key = seg->key;
	w->addr6 = seg_is_v6 ? &addr6 : NULL;
	w->addr_sum = seg_is_v6 ? wire_addr6_sum(&addr6) : wire_addr_sum(&w->key);
	wire_emit_tcp(m, w, &t->tx_conf, &dst, &t->conf.mac);
	if (tcp_reply_push(t, m))
		return true;
	rte_pktmbuf_free(m);
	return false;
}

/* RST0 or RSTA of RFC 9293 3.10.7.1 (OPEN-36). Never an answer to an RST (OPEN-37). */
void
tcp_reply_rst(struct tcp *t, struct seg *seg)
{
	struct wire_tcp w = {.flags = TCP_RST, .ttl = t->conf.ttl};

	if ((seg->flags & TCP_RST) || !rst_is_allowed(t))
		return;
	if (seg->flags & TCP_ACK) {
		w.seq = seg->ack;
	} else {
		w.flags |= TCP_ACK;
		w.ack = seg->seq + seg_seq_len(seg);
	}
	if (tcp_reply_send(t, seg, &w))
		tcp_count(t, PMTCP_C_rst_reply_sent);
}
