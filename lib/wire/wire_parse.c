/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Frames to values: Ethernet, IPv4, TCP. All lengths are checked here. */

#include "wire/wire_parse.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "base/base.h"
#include "wire/wire_cksum.h"
#include "wire/wire_emit.h"
#include "wire/wire_opt.h"

enum {
	/* The longest run of headers: Ethernet, IPv4 and TCP with 40 octets of options each. */
	HEADERS_MAX = WIRE_ETH_LEN + 60 + 60,
	IP_OPT_EOL = 0,
	IP_OPT_NOP = 1,
	IP_OPT_LSRR = 131,
	IP_OPT_SSRR = 137,
	IP_FLAGS_FRAGMENT = 0x3fff, /* MF and offset, without DF and the reserved bit */
};

/* The bytes being parsed: headers lie together in [at, at + have), in the packet
 * itself or copied from a chain; all is the packet's length. */
struct view {
	const uint8_t *at;
	uint32_t have;
	uint32_t all;
	uint16_t l3;       /* offset of the IP header */
	uint16_t l4;       /* of what it carries */
	uint32_t l4_len;   /* octets of that, link padding cut (W-4) */
	uint64_t addr_sum; /* one's complement sum of both addresses */
};

static enum wire_kind
drop(uint16_t *reason, enum wire_drop why)
{
	*reason = (uint16_t)why;
	return WIRE_DROP;
}

static uint16_t
load_be16(const uint8_t *p)
{
	return rte_be_to_cpu_16(wire_load16(p));
}

/* W-10: walked within bounds, unknown ones ignored; source routes are not offered. */
static bool
ip_options_are_ok(const uint8_t *opt, uint32_t len)
{
	uint32_t at = 0;

	while (at < len && opt[at] != IP_OPT_EOL) {
		if (opt[at] == IP_OPT_NOP) {
			at++;
			continue;
		}
		if (at + 1 >= len || opt[at + 1] < 2 || opt[at + 1] > len - at)
			return false;
		if (opt[at] == IP_OPT_LSRR || opt[at] == IP_OPT_SSRR)
			return false;
		at += opt[at + 1];
	}
	return true;
}

static bool
ip_cksum_is_good(const struct rte_mbuf *m, const struct wire_rx_conf *conf, const uint8_t *ip,
		uint32_t ihl)
{
	if (conf->trust_ip_cksum) {
		uint64_t said = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;

		if (said == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
			return true;
		if (said == RTE_MBUF_F_RX_IP_CKSUM_BAD)
			return false;
	}
	return wire_cksum_fold(wire_cksum_bytes(ip, ihl)) == 0xffff;
}

/* W-9, W-10, W-12. True: v->l4, l4_len are set. */
static bool
parse_ip4(const struct rte_mbuf *m, const struct wire_rx_conf *conf, struct view *v,
		uint16_t *reason)
{
	const uint8_t *ip = v->at + v->l3;
	uint32_t ihl, total;

	*reason = WIRE_DROP_IP_TRUNC;
	if (v->have < (uint32_t)v->l3 + WIRE_IP4_LEN)
		return false;
	ihl = (uint32_t)(ip[0] & 0x0f) * 4;
	total = load_be16(ip + 2);
	*reason = WIRE_DROP_IP_HEADER;
	if (ip[0] >> 4 != 4 || ihl < WIRE_IP4_LEN || ihl > total)
		return false;
	*reason = WIRE_DROP_IP_TRUNC;
	if (total > v->all - v->l3 || ihl > v->have - v->l3)
		return false;
	*reason = WIRE_DROP_IP_CKSUM;
	if (is_unlikely(!ip_cksum_is_good(m, conf, ip, ihl)))
		return false;
	*reason = WIRE_DROP_IP_OPT;
	if (is_unlikely(ihl > WIRE_IP4_LEN) &&
			!ip_options_are_ok(ip + WIRE_IP4_LEN, ihl - WIRE_IP4_LEN))
		return false;
	*reason = WIRE_DROP_IP_FRAG;
	if (load_be16(ip + 6) & IP_FLAGS_FRAGMENT)
		return false;
	v->l4 = (uint16_t)(v->l3 + ihl);
	v->l4_len = total - ihl;
	return true;
}

/* MUST-3. The whole segment is summed, from the packet: it may be a chain. */
static bool
tcp_cksum_is_good(const struct rte_mbuf *m, const struct wire_rx_conf *conf, const struct view *v)
{
	uint64_t sum;

	if (conf->trust_tcp_cksum) {
		uint64_t said = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

		if (said == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
			return true;
		if (said == RTE_MBUF_F_RX_L4_CKSUM_BAD)
			return false;
	}
	sum = wire_load64(v->at + v->l3 + 12); /* both addresses */
	sum = wire_cksum_add(sum, rte_cpu_to_be_16(IPPROTO_TCP));
	sum = wire_cksum_add(sum, rte_cpu_to_be_16((uint16_t)v->l4_len));
	if (is_likely(v->have >= v->l4 + v->l4_len))
		sum = wire_cksum_add(sum, wire_cksum_bytes(v->at + v->l4, v->l4_len));
	else
		sum = wire_cksum_add(sum, wire_cksum_mbuf(m, v->l4, v->l4_len));
	return wire_cksum_fold(sum) == 0xffff;
}

static void
fill_seg(struct seg *seg, const struct view *v, uint32_t doff)
{
	const uint8_t *ip = v->at + v->l3;
	const uint8_t *tcp = v->at + v->l4;

	seg->key.raddr = wire_load32(ip + 12);
	seg->key.laddr = wire_load32(ip + 16);
	seg->key.rport = wire_load16(tcp);
	seg->key.lport = wire_load16(tcp + 2);
	seg->hash_lo = seg->hash_hi = 0;
	seg->index = 0;
	seg->seq = rte_be_to_cpu_32(wire_load32(tcp + 4));
	seg->ack = rte_be_to_cpu_32(wire_load32(tcp + 8));
	seg->flags = tcp[13];
	seg->wnd = load_be16(tcp + 14);
	seg->urg = load_be16(tcp + 18);
	seg->len = (uint16_t)(v->l4_len - doff);
	seg->payload_off = (uint16_t)(v->l4 + doff);
}

static enum wire_kind
parse_tcp(struct rte_mbuf *m, const struct wire_rx_conf *conf, struct view *v, struct seg *seg,
		uint16_t *reason)
{
	const uint8_t *tcp = v->at + v->l4;
	uint32_t doff;

	if (v->l4_len < WIRE_TCP_LEN || v->have < (uint32_t)v->l4 + WIRE_TCP_LEN)
		return drop(reason, WIRE_DROP_TCP_HEADER);
	doff = (uint32_t)(tcp[12] >> 4) * 4;
	if (doff < WIRE_TCP_LEN || doff > v->l4_len || v->have < v->l4 + doff)
		return drop(reason, WIRE_DROP_TCP_HEADER);
	if (is_unlikely(!tcp_cksum_is_good(m, conf, v)))
		return drop(reason, WIRE_DROP_TCP_CKSUM);
	fill_seg(seg, v, doff);
	if (is_unlikely(seg->key.lport == 0 || seg->key.rport == 0))
		return drop(reason, WIRE_DROP_TCP_PORT0);
	wire_parse_opts(tcp + WIRE_TCP_LEN, (uint8_t)(doff - WIRE_TCP_LEN),
			(uint16_t)(v->l4 + WIRE_TCP_LEN), seg);
	if (is_unlikely((seg->opts & SEG_OPT_MALFORMED) && (seg->flags & TCP_SYN)))
		return drop(reason, WIRE_DROP_OPT_BAD);
	seg->m = m;
	return WIRE_TCP;
}

static enum wire_kind
parse_icmp(struct rte_mbuf *m, const struct view *v, struct seg *seg)
{
	const uint8_t *ip = v->at + v->l3;

	memset(seg, 0, sizeof(*seg));
	seg->m = m;
	seg->key.raddr = wire_load32(ip + 12);
	seg->key.laddr = wire_load32(ip + 16);
	seg->payload_off = v->l4;
	seg->len = (uint16_t)v->l4_len;
	return WIRE_ICMP;
}

enum wire_kind
wire_parse(struct rte_mbuf *m, const struct wire_rx_conf *conf, struct seg *seg, uint16_t *reason)
{
	uint8_t copy[HEADERS_MAX];
	struct view v = {.at = rte_pktmbuf_mtod(m, const uint8_t *), .have = m->data_len};
	uint16_t ether_type;

	v.all = m->pkt_len;
	/* Headers that lie in pieces are put together first (W-1). */
	if (is_unlikely(v.have < v.all && v.have < HEADERS_MAX)) {
		v.have = min_u32(v.all, HEADERS_MAX);
		v.at = rte_pktmbuf_read(m, 0, v.have, copy);
		if (!v.at)
			return drop(reason, WIRE_DROP_ETH_BAD);
	}
	if (is_unlikely(v.have < WIRE_ETH_LEN))
		return drop(reason, WIRE_DROP_ETH_BAD);
	if (is_unlikely(v.all > conf->max_frame))
		return drop(reason, WIRE_DROP_OVERSIZE);
	if (is_unlikely(v.at[6] & RTE_ETHER_GROUP_ADDR))
		return drop(reason, WIRE_DROP_ETH_GROUP_SRC);
	ether_type = load_be16(v.at + 12);
	v.l3 = WIRE_ETH_LEN;
	if (is_unlikely(ether_type != RTE_ETHER_TYPE_IPV4)) {
		if (ether_type == RTE_ETHER_TYPE_ARP)
			return WIRE_ARP;
		return drop(reason, WIRE_DROP_ETH_BAD);
	}
	if (!parse_ip4(m, conf, &v, reason))
		return WIRE_DROP;
	switch (v.at[v.l3 + 9]) {
	case IPPROTO_TCP:
		return parse_tcp(m, conf, &v, seg, reason);
	case IPPROTO_ICMP:
		return parse_icmp(m, &v, seg);
	default:
		return drop(reason, WIRE_DROP_IP_PROTO);
	}
}
