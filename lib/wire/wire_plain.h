/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Headers of plain segments: IPv4, both sums made here, and one of the two sets of options
 * that nearly all have - a timestamp, or on SYNs all four. Octet for octet what
 * wire_emit_tcp() makes of the same values, at a third of the instructions: the layout is
 * fixed, so that whole words are stored from registers and added up there. */

#ifndef PMTCP_WIRE_WIRE_PLAIN_H
#define PMTCP_WIRE_WIRE_PLAIN_H

#include <string.h>

#include <rte_byteorder.h>

#include "base/base.h"
#include "wire/wire_cksum.h"
#include "wire/wire_emit.h"

enum {
	WIRE_PLAIN_TCP_LEN = WIRE_TCP_LEN + 12, /* with a timestamp */
	WIRE_PLAIN_HDR_LEN = WIRE_ETH_LEN + WIRE_IP4_LEN + WIRE_PLAIN_TCP_LEN,
	WIRE_PLAIN_SYN_LEN = WIRE_TCP_LEN + 20, /* MSS, SACK permitted, timestamp, window scale */
};

struct wire_plain {
	const struct flow_key *key;
	const void *eth; /* the MAC of who gets it, and behind it what wire_plain_eth() writes */
	uint32_t seq;
	uint32_t ack;
	uint32_t tsval;
	uint32_t tsecr;
	uint16_t wnd;
	uint16_t addr_sum; /* wire_addr_sum(key) */
	uint16_t mss;      /* of SYNs, as wscale */
	uint8_t wscale;
	uint8_t flags; /* enum tcp_flag; SYN means the other set of options */
	uint8_t ttl;
	uint8_t dscp;
	uint8_t ecn; /* enum ip_ecn */
};

/* The words behind the destination's MAC: ours and the EtherType. Never 0. */
static inline uint64_t
wire_plain_src(const struct rte_ether_addr *mac)
{
	uint16_t type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	uint64_t src;
	uint8_t *p = (uint8_t *)&src;

	memcpy(p, mac, RTE_ETHER_ADDR_LEN);
	memcpy(p + RTE_ETHER_ADDR_LEN, &type, sizeof(type));
	return src;
}

/* The ten octets between the destination's MAC and the length of the IP header's first word:
 * these and the MAC are written at one stroke. */
static inline void
wire_plain_eth(uint8_t *p, uint64_t src)
{
	memcpy(p, &src, sizeof(src));
	p[8] = 0x45; /* never 0 */
	p[9] = 0;
}

/* In C, unlike DPDK's: the compiler knows that nothing is left above the word. */
static PMTCP_ALWAYS_INLINE uint32_t
wire_plain_be32(uint32_t value)
{
	return RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN ? __builtin_bswap32(value) : value;
}

static PMTCP_ALWAYS_INLINE uint32_t
wire_plain_put32(uint8_t *p, uint32_t value)
{
	uint32_t word = wire_plain_be32(value);

	memcpy(p, &word, sizeof(word));
	return word;
}

/* DF and ID 0 (RFC 6864 4.1, W-11). Ten words of 16 bits: their sum needs 20. */
static PMTCP_ALWAYS_INLINE void
wire_plain_put_ip(uint8_t *ip, const struct wire_plain *w, uint16_t total)
{
	uint32_t first = wire_plain_put32(
			ip, 0x45000000u | (uint32_t)w->dscp << 18 | (uint32_t)w->ecn << 16 | total);
	/* Two octets in a row, the TTL and the protocol. */
	uint32_t ttl = RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN ? 6u << 8 | w->ttl
							   : (uint32_t)w->ttl << 8 | 6;
	uint32_t sum = w->addr_sum + (first & UINT16_MAX) + (first >> 16) + RTE_BE16(0x4000) + ttl;
	uint16_t cksum = (uint16_t) ~((sum + (sum << 16 | sum >> 16)) >> 16);
	uint16_t word = (uint16_t)ttl;

	wire_plain_put32(ip + 4, 0x4000u);
	memcpy(ip + 8, &word, sizeof(word));
	memcpy(ip + 10, &cksum, sizeof(cksum));
}

/* W-34: order MSS, SACK permitted, TS, WS. Returns the sum. */
static PMTCP_ALWAYS_INLINE uint64_t
wire_plain_put_opts(uint8_t *p, const struct wire_plain *w, bool is_syn)
{
	uint64_t sum = 0;

	if (is_syn) {
		sum += wire_plain_put32(p, 0x02040000u | w->mss);
		p += 4;
	}
	sum += wire_plain_put32(p, is_syn ? 0x0402080au : 0x0101080au);
	sum += wire_plain_put32(p + 4, w->tsval);
	sum += wire_plain_put32(p + 8, w->tsecr);
	if (is_syn)
		sum += wire_plain_put32(p + 12, 0x01030300u | w->wscale);
	return sum;
}

/* Addresses and ports lie in the key as they lie in the headers. */
STATIC_ASSERT(offsetof(struct flow_key, raddr) == 4 && offsetof(struct flow_key, lport) == 8);

/* Writes the headers at p, Ethernet first. text_len octets follow, text_sum is their sum.
 * W-26 (MUST-2): the sum covers pseudo-header, header and text. */
static PMTCP_ALWAYS_INLINE void
wire_plain_put(uint8_t *p, const struct wire_plain *w, uint32_t text_len, uint64_t text_sum)
{
	bool is_syn = (w->flags & TCP_SYN) != 0;
	uint32_t hdr_len = is_syn ? WIRE_PLAIN_SYN_LEN : WIRE_PLAIN_TCP_LEN;
	uint32_t tcp_len = hdr_len + text_len;
	uint8_t *ip = p + WIRE_ETH_LEN, *tcp = ip + WIRE_IP4_LEN;
	uint64_t sum = (uint64_t)w->addr_sum + RTE_BE16(6) + rte_cpu_to_be_16((uint16_t)tcp_len) +
		       wire_load32(&w->key->lport);
	uint32_t word = 0;

	memcpy(p, w->eth, WIRE_ETH_LEN + 2);
	wire_plain_put_ip(ip, w, (uint16_t)(WIRE_IP4_LEN + tcp_len));
	memcpy(ip + 12, w->key, sizeof(*w->key));
	sum += wire_plain_put32(tcp + 4, w->seq);
	sum += wire_plain_put32(tcp + 8, w->ack);
	sum += wire_plain_put32(tcp + 12, hdr_len << 26 | (uint32_t)w->flags << 16 | w->wnd);
	sum += wire_plain_put_opts(tcp + WIRE_TCP_LEN, w, is_syn);
	/* The urgent pointer is 0. */
	word = wire_cksum_fold(wire_cksum_add(sum, text_sum)) ^ UINT16_MAX;
	word = RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN ? word : word << 16;
	memcpy(tcp + 16, &word, sizeof(word));
}

/* Makes m the packet of a plain segment without text and returns where its headers go. Of a
 * packet as rte_pktmbuf_free() leaves it - one direct or external buffer, nobody else's - only
 * its first line is touched: what lies in the second is the next packet, NULL, and what means
 * nothing without an offload. */
static PMTCP_ALWAYS_INLINE uint8_t *
wire_plain_mbuf(struct rte_mbuf *m, bool is_syn)
{
	enum { IP_OFF = RTE_PKTMBUF_HEADROOM - WIRE_ETH_LEN - WIRE_IP4_LEN };
	uint16_t tcp_len = is_syn ? WIRE_PLAIN_SYN_LEN : WIRE_PLAIN_TCP_LEN;
	uint16_t len = WIRE_ETH_LEN + WIRE_IP4_LEN + tcp_len;

	ASSERT(m->next == NULL && m->refcnt == 1 && m->buf_len >= RTE_PKTMBUF_HEADROOM);
	m->data_off = (uint16_t)(IP_OFF - tcp_len);
	m->refcnt = 1;
	m->nb_segs = 1;
	m->port = RTE_MBUF_PORT_INVALID;
	m->ol_flags &= RTE_MBUF_F_EXTERNAL;
	m->packet_type = 0;
	m->pkt_len = len;
	m->data_len = len;
	m->vlan_tci = 0;
	return rte_pktmbuf_mtod(m, uint8_t *);
}

#endif /* PMTCP_WIRE_WIRE_PLAIN_H */
