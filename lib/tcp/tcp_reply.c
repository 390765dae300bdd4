/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Answers that belong to no block: they are written at once into the received
 * packet and leave first in the next output pass, at most TCP_REPLIES_MAX per
 * turn. And the spare stack: packets that nobody kept serve as the next control
 * segments, warm and without a trip to the pool. Where more is sent than received it is
 * filled from the pool, where less, emptied into it, by the dozen. */

#include "tcp/tcp.h"

#include <string.h>

enum {
	/* Packets taken from the pool at a time. Three lines each are fetched, and a core forgets
	 * what is prefetched beyond some twenty lines. */
	SPARES_REFILL = 6,
};

/* Direct, unshared, one segment, with room for any header: only such a packet may
 * be written to. */
static bool
is_reusable(const struct tcp *t, const struct rte_mbuf *m)
{
	uint32_t refs_segs;

	/* Side by side, and each is 1. */
	STATIC_ASSERT(offsetof(struct rte_mbuf, nb_segs) == offsetof(struct rte_mbuf, refcnt) + 2);
	memcpy(&refs_segs, (const uint8_t *)m + offsetof(struct rte_mbuf, refcnt),
			sizeof(refs_segs));
	return RTE_MBUF_DIRECT(m) && refs_segs == 0x00010001 &&
	       m->buf_len >= RTE_PKTMBUF_HEADROOM + WIRE_TCP_HDR_MAX &&
	       m->pool->elt_size >= t->conf.pool->elt_size;
}

/* Half of the stack goes back to its pools, the longest unused, at one stroke for each
 * run of one pool. They are as rte_pktmbuf_free() would leave them. False: there are none. */
static PMTCP_NOINLINE bool
spares_give_back(struct tcp *t)
{
	uint16_t n = t->n_spare / 2 + 1;
	uint16_t from = 0;

	if (t->n_spare == 0)
		return false;
	for (uint16_t i = 1; i <= n; i++) {
		if (i < n && t->spare[i]->pool == t->spare[from]->pool)
			continue;
		rte_mempool_put_bulk(t->spare[from]->pool, (void **)&t->spare[from],
				(unsigned)(i - from));
		from = i;
	}
	t->n_spare = (uint16_t)(t->n_spare - n);
	memmove(t->spare, &t->spare[n], t->n_spare * sizeof(t->spare[0]));
	return true;
}

void
tcp_spare_put(struct tcp *t, struct rte_mbuf *m)
{
	if (is_unlikely(!is_reusable(t, m))) {
		rte_pktmbuf_free(m);
		return;
	}
	/* Still none if there may be none. */
	if (is_unlikely(t->n_spare == t->conf.spare_max && !spares_give_back(t))) {
		rte_pktmbuf_free(m);
		return;
	}
	t->spare[t->n_spare++] = m;
}

void
tcp_spare_own(struct tcp *t, struct rte_mbuf *m)
{
	ASSERT(is_reusable(t, m) && m->next == NULL);
	if (is_unlikely(t->conf.spare_max == 0)) {
		rte_pktmbuf_free(m);
		return;
	}
	if (is_unlikely(t->n_spare == t->conf.spare_max))
		spares_give_back(t);
	__builtin_prefetch(m, 1);
	t->spare[t->n_spare++] = m;
}

/* The other end's core had these last: the line of the header that is used and both that the
 * headers of a segment lie in are fetched for all of them at once. They go under those that are
 * left, which are sent first, so that the lines are there when they are written to. */
static PMTCP_NOINLINE void
spares_refill(struct tcp *t)
{
	size_t data_off = sizeof(struct rte_mbuf) + rte_pktmbuf_priv_size(t->conf.ctl_pool);
	uint16_t n = (uint16_t)min_u32(SPARES_REFILL, t->conf.spare_max - t->n_spare);
	struct rte_mbuf *fresh[SPARES_REFILL];

	if (n == 0 || rte_mempool_get_bulk(t->conf.ctl_pool, (void **)fresh, n) != 0)
		return;
	memmove(&t->spare[n], t->spare, t->n_spare * sizeof(t->spare[0]));
	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *p = (const uint8_t *)fresh[i] + data_off;

		__builtin_prefetch(fresh[i], 1);
		__builtin_prefetch(p, 1);
		__builtin_prefetch(p + PMTCP_CACHE_LINE, 1);
		t->spare[i] = fresh[i];
	}
	t->n_spare = (uint16_t)(t->n_spare + n);
}

/* As rte_pktmbuf_reset() makes it, as far as that lies in the first line. In the second, which
 * only the device's core had so far, are the next packet, NULL, and what is written again before
 * it means anything (wire_emit.c). */
static void
reset_first_line(struct rte_mbuf *m)
{
	ASSERT(m->next == NULL);
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->refcnt = 1;
	m->nb_segs = 1;
	m->port = RTE_MBUF_PORT_INVALID;
	m->ol_flags &= RTE_MBUF_F_EXTERNAL;
	m->packet_type = 0;
	m->pkt_len = 0;
	m->data_len = 0;
	m->vlan_tci = 0;
	m->vlan_tci_outer = 0;
}

static struct rte_mbuf *
spare_get(struct tcp *t)
{
	struct rte_mbuf *m = t->spare[--t->n_spare];

	reset_first_line(m);
	return m;
}

static struct rte_mbuf *
pool_get(struct tcp *t, struct rte_mempool *pool)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	if (is_unlikely(!m))
		tcp_count(t, PMTCP_C_tx_nomem);
	return m;
}

struct rte_mbuf *
tcp_ctl_alloc(struct tcp *t)
{
	if (is_unlikely(t->n_spare <= TCP_SPARES_LOW))
		spares_refill(t);
	if (is_likely(t->n_spare > 0))
		return spare_get(t);
	return pool_get(t, t->conf.ctl_pool);
}

/* While packet buffers are short, the spares are for those who answer (RES-5); those of the
 * reserve always are: they may be small, and who gets text may keep it. */
static bool
has_text_spare(const struct tcp *t)
{
	const struct rte_mempool *pool;

	if (t->n_spare == 0 || is_unlikely(t->free_permille < TCP_PRESSURE_SYN))
		return false;
	pool = t->spare[t->n_spare - 1]->pool;
	return pool != t->conf.ctl_pool || pool == t->conf.pool;
}

/* What is reset elsewhere means nothing in a packet that is never sent itself, and its second
 * line stays untouched. */
struct rte_mbuf *
tcp_text_spare(struct tcp *t)
{
	struct rte_mbuf *m;

	if (!has_text_spare(t))
		return NULL;
	m = t->spare[--t->n_spare];
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->data_len = 0;
	m->pkt_len = 0;
	return m;
}

struct rte_mbuf *
tcp_text_raw(struct tcp *t)
{
	struct rte_mbuf *m;

	if (has_text_spare(t))
		return t->spare[--t->n_spare];
	m = rte_mbuf_raw_alloc(t->conf.pool);
	if (is_unlikely(!m))
		tcp_count(t, PMTCP_C_tx_nomem);
	return m;
}

struct rte_mbuf *
tcp_text_alloc(struct tcp *t)
{
	return has_text_spare(t) ? spare_get(t) : pool_get(t, t->conf.pool);
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
