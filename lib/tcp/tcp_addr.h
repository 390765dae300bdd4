/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Where the two IP versions differ for the engine: the addresses behind a key, and the
 * MSS. A block runs over IPv6 if its next hop does; its addresses lie in an array of
 * their own, one place for each block, so that blocks stay as small as they are. Two pairs of
 * addresses may have one digest: whoever finds a block by its key compares them too. */

#ifndef PMTCP_TCP_TCP_ADDR_H
#define PMTCP_TCP_TCP_ADDR_H

#include "tcp/tcp.h"

static inline bool
tcp_is_v6(const struct tcp *t, const struct block_head *h)
{
	return is_unlikely(t->addr6 != NULL) && t->hops[h->hop].is_v6;
}

/* The place of a block. A tcb has two units and one place: blocks from the tcb share's end on
 * have one unit each. That end is even, since tcbs and the heads between them are. */
static inline struct flow_addr6 *
tcp_addr6_at(const struct tcp *t, const struct block_head *h)
{
	uint32_t index = tcp_index(t, h), end = t->tcbs.end;

	return &t->addr6[index < end ? index / 2 : index - end / 2];
}

/* NULL: IPv4. */
static inline const struct flow_addr6 *
tcp_addr6(const struct tcp *t, const struct block_head *h)
{
	return tcp_is_v6(t, h) ? tcp_addr6_at(t, h) : NULL;
}

static inline uint16_t
tcp_addr_sum(const struct tcp *t, const struct block_head *h)
{
	const struct flow_addr6 *addr6 = tcp_addr6(t, h);

	return addr6 ? wire_addr6_sum(addr6) : wire_addr_sum(&h->key);
}

/* The IPv6 header of a received segment. Caller: seg->is_v6, and the packet is still there. */
static inline const uint8_t *
tcp_seg_ip6(const struct seg *seg)
{
	return rte_pktmbuf_mtod_offset(seg->m, const uint8_t *, WIRE_ETH_LEN);
}

/* Block and segment have the same addresses. Caller: their keys are equal. */
static inline bool
tcp_is_addr_equal(const struct tcp *t, const struct block_head *h, const struct seg *seg)
{
	struct flow_addr6 addr;

	if (is_likely(t->addr6 == NULL))
		return true;
	if (t->hops[h->hop].is_v6 != seg->is_v6)
		return false;
	if (!seg->is_v6)
		return true;
	flow_addr6_of(tcp_seg_ip6(seg), &addr);
	return flow_addr6_equal(&addr, tcp_addr6_at(t, h));
}

/* A new block of the segment's connection. */
static inline void
tcp_addr6_from_seg(struct tcp *t, const struct block_head *h, const struct seg *seg)
{
	if (is_unlikely(seg->is_v6))
		flow_addr6_of(tcp_seg_ip6(seg), tcp_addr6_at(t, h));
}

/* One block takes another's place. */
static inline void
tcp_addr6_copy(struct tcp *t, const struct block_head *to, const struct block_head *from)
{
	if (is_unlikely(t->addr6 != NULL))
		*tcp_addr6_at(t, to) = *tcp_addr6_at(t, from);
}

/* The next hop to who sent this. */
static inline uint16_t
tcp_route_back(const struct tcp *t, const struct seg *seg)
{
	if (is_unlikely(seg->is_v6))
		return t->route6(t->stack, tcp_seg_ip6(seg) + 8);
	return t->route(t->stack, seg->key.raddr);
}

/* OPEN-9: what a SYN offers, and no segment of ours exceeds. IPv6 headers are longer. */
static inline uint16_t
tcp_mss_max(const struct tcp *t, const struct tcp_class *k, bool is_v6)
{
	uint16_t mss = (uint16_t)(t->mss - (is_v6 ? WIRE_IP6_LEN - WIRE_IP4_LEN : 0));

	return k->mss < mss ? k->mss : mss;
}

/* W-31 (RFC 9293 3.7.1, MUST-15): of a peer whose SYN names none. */
static inline uint16_t
tcp_mss_default(bool is_v6)
{
	return is_v6 ? TCP_MSS_DEFAULT6 : TCP_MSS_DEFAULT;
}

#endif /* PMTCP_TCP_TCP_ADDR_H */
