/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Frames to values. wire_parse() takes the one shape that nearly all segments have
 * in a straight line: Ethernet II, IPv4 without options or fragments, TCP, one
 * mbuf. Whatever fails one of its tests goes to parse_plain6(), which does the same
 * for IPv6 without extension headers, and from there to parse_frame(), which judges
 * layer by layer, copes with chains and names the reason of a drop. */

#include "wire/wire_parse.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>

#include "base/base.h"
#include "flow/flow_key6.h"
#include "wire/wire_cksum.h"
#include "wire/wire_emit.h"
#include "wire/wire_ext.h"
#include "wire/wire_opt.h"
#include "wire/wire_usual.h"

enum {
	PLAIN_LEN = WIRE_ETH_LEN + WIRE_IP4_LEN + WIRE_TCP_LEN,
	PLAIN6_LEN = WIRE_ETH_LEN + WIRE_IP6_LEN + WIRE_TCP_LEN,
	/* Ethernet and IP; TCP: each of the last two with 40 octets of options. */
	HEADERS_MAX = WIRE_ETH_LEN + 60,
	TCP_HEADER_MAX = 60,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_ICMP6 = 58,
	IP_OPT_EOL = 0,
	IP_OPT_NOP = 1,
	IP_OPT_LSRR = 131,
	IP_OPT_SSRR = 137,
	IP_MF_OR_OFFSET = 0x3fff,
};

/* What one layer hands to the next on the slow way. */
struct frame {
	struct rte_mbuf *m;
	const struct wire_rx_conf *conf;
	const uint8_t *p; /* the frame up to HEADERS_MAX octets, in one piece */
	uint32_t l4_off;
	uint32_t l4_len;   /* by the IP length field; link padding is not in it (W-4) */
	uint64_t addr_sum; /* both IP addresses: their part of the TCP pseudo-header */
};

static inline uint16_t
load_be16(const uint8_t *p)
{
	return rte_be_to_cpu_16(wire_load16(p));
}

static inline uint32_t
load_be32(const uint8_t *p)
{
	return rte_be_to_cpu_32(wire_load32(p));
}

static enum wire_kind
drop(uint16_t *drop_reason, enum wire_drop why)
{
	*drop_reason = (uint16_t)why;
	return WIRE_DROP;
}

/* W-25: a verdict of the device counts only where the conf says so. */
static inline bool
is_ip_cksum_good(const struct rte_mbuf *m, bool is_trusted, uint64_t sum)
{
	uint64_t verdict = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;

	if (is_trusted && verdict == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		return true;
	if (is_trusted && verdict == RTE_MBUF_F_RX_IP_CKSUM_BAD)
		return false;
	return wire_cksum_fold(sum) == 0xffff;
}

enum trust {
	TRUST_GOOD,
	TRUST_BAD,
	TRUST_NONE,
};

static inline enum trust
tcp_cksum_trust(const struct rte_mbuf *m, const struct wire_rx_conf *conf)
{
	uint64_t verdict = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	if (!conf->trust_tcp_cksum)
		return TRUST_NONE;
	if (verdict == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return TRUST_GOOD;
	return verdict == RTE_MBUF_F_RX_L4_CKSUM_BAD ? TRUST_BAD : TRUST_NONE;
}

/* Pseudo-header but for the addresses, which have their own sum. */
static inline uint64_t
pseudo_sum(uint32_t tcp_len)
{
	return rte_cpu_to_be_16(PROTO_TCP) + (uint64_t)rte_cpu_to_be_16((uint16_t)tcp_len);
}

/* Options and payload after the fixed TCP header; a pure ACK has nothing or a
 * timestamp there and is not worth a call. */
static inline uint64_t
sum_rest(const uint8_t *p, uint32_t len)
{
	if (len == 12)
		return wire_cksum_add(wire_load64(p), wire_load32(p + 8));
	return len == 0 ? 0 : wire_cksum_bytes(p, len);
}

/* The packet's destination is our side: both pairs turn round. */
static inline void
begin_seg(struct seg *seg, struct rte_mbuf *m, uint64_t addrs, uint8_t tos)
{
	addrs = addrs << 32 | addrs >> 32;
	*seg = (struct seg){.m = m, .ecn = tos & 3};
	memcpy(seg->key.addrs, &addrs, sizeof(addrs));
}

/* ip: the IPv6 header. The traffic class lies across its first two octets. */
static inline void
begin_seg6(struct seg *seg, struct rte_mbuf *m, const uint8_t *ip, const struct siphash_key *secret)
{
	struct flow_addr6 addr;

	flow_addr6_of(ip, &addr);
	*seg = (struct seg){.m = m, .is_v6 = 1, .ecn = ip[1] >> 4 & 3};
	flow_key6_digest(secret, &addr, &seg->key);
}

/* Of both addresses; whose is whose makes no difference. */
static inline uint64_t
addr6_sum(const uint8_t *ip)
{
	uint64_t sum = wire_cksum_add(wire_load64(ip + 8), wire_load64(ip + 16));

	return wire_cksum_add(sum, wire_cksum_add(wire_load64(ip + 24), wire_load64(ip + 32)));
}

/* A TCP header whose lengths and checksum are right: len octets of segment at off
 * of the packet data. */
static inline enum wire_kind
take_tcp(const uint8_t *tcp, uint32_t off, uint32_t len, struct seg *seg, uint16_t *drop_reason)
{
	uint32_t ports = wire_load32(tcp);
	uint32_t hdr_len = (uint32_t)(tcp[12] >> 4) * 4;

	ports = ports << 16 | ports >> 16;
	memcpy(&seg->key.lport, &ports, sizeof(ports));
	seg->seq = load_be32(tcp + 4);
	seg->ack = load_be32(tcp + 8);
	seg->flags = tcp[13];
	seg->wnd = load_be16(tcp + 14);
	seg->urg = load_be16(tcp + 18);
	seg->len = (uint16_t)(len - hdr_len);
	seg->payload_off = (uint16_t)(off + hdr_len);
	wire_parse_opts(tcp + WIRE_TCP_LEN, (uint8_t)(hdr_len - WIRE_TCP_LEN),
			(uint16_t)(off + WIRE_TCP_LEN), seg);
	if (is_unlikely((ports & 0xffff) == 0 || ports >> 16 == 0))
		return drop(drop_reason, WIRE_DROP_TCP_PORT0);
	/* DEC-9: a SYN whose options cannot be read is not worth a connection; any
	 * other segment goes on with what was read. */
	if (is_unlikely((seg->opts & SEG_OPT_MALFORMED) && (seg->flags & TCP_SYN)))
		return drop(drop_reason, WIRE_DROP_OPT_BAD);
	return WIRE_TCP;
}

static enum wire_kind
parse_tcp(const struct frame *f, struct seg *seg, uint16_t *drop_reason)
{
	uint8_t copy[TCP_HEADER_MAX];
	uint32_t have = min_u32(f->l4_len, sizeof(copy));
	const uint8_t *tcp;
	enum trust trust = tcp_cksum_trust(f->m, f->conf);
	uint32_t hdr_len;
	uint64_t sum;

	if (have < WIRE_TCP_LEN)
		return drop(drop_reason, WIRE_DROP_TCP_HEADER);
	tcp = rte_pktmbuf_read(f->m, f->l4_off, have, copy);
	if (tcp == NULL)
		return drop(drop_reason, WIRE_DROP_TCP_HEADER);
	/* W-24. Not above l4_len means within the octets read. */
	hdr_len = (uint32_t)(tcp[12] >> 4) * 4;
	if (hdr_len < WIRE_TCP_LEN || hdr_len > f->l4_len)
		return drop(drop_reason, WIRE_DROP_TCP_HEADER);
	if (trust == TRUST_NONE) {
		sum = wire_cksum_mbuf(f->m, f->l4_off, f->l4_len);
		sum = wire_cksum_add(sum, f->addr_sum);
		sum = wire_cksum_add(sum, pseudo_sum(f->l4_len));
		if (wire_cksum_fold(sum) != 0xffff)
			return drop(drop_reason, WIRE_DROP_TCP_CKSUM);
	}
	if (trust == TRUST_BAD)
		return drop(drop_reason, WIRE_DROP_TCP_CKSUM);
	return take_tcp(tcp, f->l4_off, f->l4_len, seg, drop_reason);
}

/* W-10: unknown options are passed over (MUST-50), source routes are refused
 * (RFC 7126, DEC-9). i grows in each turn. */
static bool
is_ip_opts_good(const uint8_t *opt, uint32_t len)
{
	uint32_t i = 0;

	while (i < len) {
		if (opt[i] == IP_OPT_EOL)
			return true;
		if (opt[i] == IP_OPT_NOP) {
			i++;
			continue;
		}
		if (opt[i] == IP_OPT_LSRR || opt[i] == IP_OPT_SSRR)
			return false;
		if (len - i < 2 || opt[i + 1] < 2 || opt[i + 1] > len - i)
			return false;
		i += opt[i + 1];
	}
	return true;
}

static enum wire_kind
parse_ip4(struct frame *f, struct seg *seg, uint16_t *drop_reason)
{
	const uint8_t *ip = f->p + WIRE_ETH_LEN;
	uint32_t present = rte_pktmbuf_pkt_len(f->m) - WIRE_ETH_LEN;
	uint32_t hdr_len, total;

	if (present < WIRE_IP4_LEN)
		return drop(drop_reason, WIRE_DROP_IP_TRUNC);
	hdr_len = (uint32_t)(ip[0] & 0xf) * 4;
	total = load_be16(ip + 2);
	if (ip[0] >> 4 != 4 || hdr_len < WIRE_IP4_LEN || total < hdr_len)
		return drop(drop_reason, WIRE_DROP_IP_HEADER);
	if (total > present)
		return drop(drop_reason, WIRE_DROP_IP_TRUNC);
	if (!is_ip_cksum_good(f->m, f->conf->trust_ip_cksum, wire_cksum_bytes(ip, hdr_len)))
		return drop(drop_reason, WIRE_DROP_IP_CKSUM);
	if (!is_ip_opts_good(ip + WIRE_IP4_LEN, hdr_len - WIRE_IP4_LEN))
		return drop(drop_reason, WIRE_DROP_IP_OPT);
	if (load_be16(ip + 6) & IP_MF_OR_OFFSET)
		return drop(drop_reason, WIRE_DROP_IP_FRAG);
	f->l4_off = WIRE_ETH_LEN + hdr_len;
	f->l4_len = total - hdr_len;
	f->addr_sum = wire_load64(ip + 12);
	begin_seg(seg, f->m, f->addr_sum, ip[1]);
	if (ip[9] == PROTO_TCP)
		return parse_tcp(f, seg, drop_reason);
	if (ip[9] != PROTO_ICMP)
		return drop(drop_reason, WIRE_DROP_IP_PROTO);
	seg->payload_off = (uint16_t)f->l4_off;
	seg->len = (uint16_t)f->l4_len;
	return WIRE_ICMP;
}

/* W-17: what the sender may be told about. */
static enum wire_kind
problem(const struct wire_ext *ext, struct seg *seg, uint16_t *drop_reason)
{
	seg->flags = ext->problem;
	seg->payload_off = (uint16_t)ext->at;
	seg->len = (uint16_t)(ext->end - ext->at);
	*drop_reason = ext->reason;
	return WIRE_IP6_PROBLEM;
}

/* W-16: what lies behind the 40 octets is wire_ext_walk()'s. The flow label says
 * nothing to us, and a jumbogram (RFC 2675) has no length here. */
static enum wire_kind
parse_ip6(struct frame *f, struct seg *seg, uint16_t *drop_reason)
{
	const uint8_t *ip = f->p + WIRE_ETH_LEN;
	uint32_t present = rte_pktmbuf_pkt_len(f->m) - WIRE_ETH_LEN;
	struct wire_ext ext = {.m = f->m, .at = WIRE_ETH_LEN + WIRE_IP6_LEN};
	enum wire_ext_verdict verdict;

	if (f->conf->addr_key == NULL)
		return drop(drop_reason, WIRE_DROP_IP6_OFF);
	if (present < WIRE_IP6_LEN)
		return drop(drop_reason, WIRE_DROP_IP_TRUNC);
	if (ip[0] >> 4 != 6 || (load_be16(ip + 4) == 0 && ip[6] == WIRE_NEXT_HOP_BY_HOP))
		return drop(drop_reason, WIRE_DROP_IP_HEADER);
	if (WIRE_IP6_LEN + (uint32_t)load_be16(ip + 4) > present)
		return drop(drop_reason, WIRE_DROP_IP_TRUNC);
	ext.end = ext.at + load_be16(ip + 4);
	ext.next = ip[6];
	begin_seg6(seg, f->m, ip, f->conf->addr_key);
	verdict = wire_ext_walk(&ext);
	if (verdict == WIRE_EXT_DROP)
		return drop(drop_reason, (enum wire_drop)ext.reason);
	if (verdict == WIRE_EXT_PROBLEM)
		return problem(&ext, seg, drop_reason);
	seg->is_frag = ext.is_frag;
	f->l4_off = ext.at;
	f->l4_len = ext.end - ext.at;
	f->addr_sum = addr6_sum(ip);
	if (ext.next == PROTO_TCP)
		return parse_tcp(f, seg, drop_reason);
	seg->payload_off = (uint16_t)f->l4_off;
	seg->len = (uint16_t)f->l4_len;
	return WIRE_ICMP6;
}

static bool
is_vlan_tag(uint16_t ether_type)
{
	return ether_type == RTE_BE16(RTE_ETHER_TYPE_VLAN) ||
	       ether_type == RTE_BE16(RTE_ETHER_TYPE_QINQ);
}

static PMTCP_COLD enum wire_kind
parse_frame(struct rte_mbuf *m, const struct wire_rx_conf *conf, struct seg *seg,
		uint16_t *drop_reason)
{
	uint8_t copy[HEADERS_MAX];
	struct frame f = {.m = m, .conf = conf};
	uint32_t present = min_u32(rte_pktmbuf_pkt_len(m), sizeof(copy));

	if (present < WIRE_ETH_LEN)
		return drop(drop_reason, WIRE_DROP_ETH_BAD);
	f.p = rte_pktmbuf_read(m, 0, present, copy);
	if (f.p == NULL)
		return drop(drop_reason, WIRE_DROP_ETH_BAD);
	/* Before the length is judged: the tag is not part of the MTU. */
	if (is_vlan_tag(wire_load16(f.p + 12)))
		return drop(drop_reason, WIRE_DROP_VLAN_BAD);
	if (rte_pktmbuf_pkt_len(m) > conf->max_frame)
		return drop(drop_reason, WIRE_DROP_OVERSIZE);
	if (f.p[6] & RTE_ETHER_GROUP_ADDR)
		return drop(drop_reason, WIRE_DROP_ETH_GROUP_SRC);
	switch (load_be16(f.p + 12)) {
	case RTE_ETHER_TYPE_IPV4:
		return parse_ip4(&f, seg, drop_reason);
	case RTE_ETHER_TYPE_IPV6:
		return parse_ip6(&f, seg, drop_reason);
	case RTE_ETHER_TYPE_ARP:
		return WIRE_ARP;
	default:
		return drop(drop_reason, WIRE_DROP_ETH_BAD);
	}
}

/* Not 0: the frame, of at least PLAIN_LEN octets in one piece, is not of the plain
 * shape. One OR and one branch for all of it. */
static inline uint32_t
odd_shape(const uint8_t *p, uint32_t data_len, uint32_t pkt_len, uint32_t max_frame)
{
	const uint8_t *ip = p + WIRE_ETH_LEN;
	uint32_t total = load_be16(ip + 2);
	uint32_t tcp_hdr_len = (uint32_t)(ip[WIRE_IP4_LEN + 12] >> 4) * 4;
	uint32_t odd;

	odd = wire_load16(p + 12) ^ RTE_BE16(RTE_ETHER_TYPE_IPV4);
	odd |= p[6] & RTE_ETHER_GROUP_ADDR;
	odd |= ip[0] ^ 0x45u;
	odd |= ip[9] ^ (uint32_t)PROTO_TCP;
	odd |= wire_load16(ip + 6) & RTE_BE16(IP_MF_OR_OFFSET);
	odd |= WIRE_ETH_LEN + total > data_len;
	odd |= pkt_len > max_frame;
	odd |= tcp_hdr_len < WIRE_TCP_LEN;
	odd |= WIRE_IP4_LEN + tcp_hdr_len > total;
	return odd;
}

/* The same for IPv6 without extension headers: at least PLAIN6_LEN octets at p. */
static inline uint32_t
odd_shape6(const uint8_t *p, uint32_t data_len, uint32_t pkt_len, uint32_t max_frame)
{
	const uint8_t *ip = p + WIRE_ETH_LEN;
	uint32_t len = load_be16(ip + 4);
	uint32_t tcp_hdr_len = (uint32_t)(ip[WIRE_IP6_LEN + 12] >> 4) * 4;
	uint32_t odd;

	odd = wire_load16(p + 12) ^ RTE_BE16(RTE_ETHER_TYPE_IPV6);
	odd |= p[6] & RTE_ETHER_GROUP_ADDR;
	odd |= (ip[0] >> 4) ^ 6u;
	odd |= ip[6] ^ (uint32_t)PROTO_TCP;
	odd |= WIRE_ETH_LEN + WIRE_IP6_LEN + len > data_len;
	odd |= pkt_len > max_frame;
	odd |= tcp_hdr_len < WIRE_TCP_LEN;
	odd |= tcp_hdr_len > len;
	return odd;
}

static PMTCP_NOINLINE enum wire_kind
parse_plain6(struct rte_mbuf *m, const struct wire_rx_conf *conf, struct seg *seg,
		uint16_t *drop_reason)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *ip = p + WIRE_ETH_LEN;
	const uint8_t *tcp = ip + WIRE_IP6_LEN;
	enum trust trust;
	uint32_t tcp_len;
	uint64_t sum;

	if (conf->addr_key == NULL || m->data_len < PLAIN6_LEN ||
			odd_shape6(p, m->data_len, m->pkt_len, conf->max_frame))
		return parse_frame(m, conf, seg, drop_reason);
	tcp_len = load_be16(ip + 4);
	trust = tcp_cksum_trust(m, conf);
	if (trust == TRUST_NONE) {
		sum = wire_cksum_add(wire_load64(tcp), wire_load64(tcp + 8));
		sum = wire_cksum_add(sum, wire_load32(tcp + 16) + pseudo_sum(tcp_len));
		sum = wire_cksum_add(sum, addr6_sum(ip));
		sum = wire_cksum_add(sum, sum_rest(tcp + WIRE_TCP_LEN, tcp_len - WIRE_TCP_LEN));
		if (is_unlikely(wire_cksum_fold(sum) != 0xffff))
			return drop(drop_reason, WIRE_DROP_TCP_CKSUM);
	}
	if (is_unlikely(trust == TRUST_BAD))
		return drop(drop_reason, WIRE_DROP_TCP_CKSUM);
	begin_seg6(seg, m, ip, conf->addr_key);
	return take_tcp(tcp, WIRE_ETH_LEN + WIRE_IP6_LEN, tcp_len, seg, drop_reason);
}

PMTCP_NOINLINE enum wire_kind
wire_parse_plain(struct rte_mbuf *m, const struct wire_rx_conf *conf, struct seg *seg,
		uint16_t *drop_reason)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *ip = p + WIRE_ETH_LEN;
	const uint8_t *tcp = ip + WIRE_IP4_LEN;
	enum trust trust;
	uint64_t addrs, sum;
	uint32_t tcp_len;

	if (is_unlikely(m->data_len < PLAIN_LEN) ||
			is_unlikely(odd_shape(p, m->data_len, m->pkt_len, conf->max_frame)))
		return parse_plain6(m, conf, seg, drop_reason);
	addrs = wire_load64(ip + 12);
	sum = wire_cksum_add(wire_load64(ip), wire_load32(ip + 8));
	sum = wire_cksum_add(sum, addrs);
	if (is_unlikely(!is_ip_cksum_good(m, conf->trust_ip_cksum, sum)))
		return drop(drop_reason, WIRE_DROP_IP_CKSUM);
	tcp_len = (uint32_t)load_be16(ip + 2) - WIRE_IP4_LEN;
	trust = tcp_cksum_trust(m, conf);
	if (trust == TRUST_NONE) {
		sum = wire_cksum_add(wire_load64(tcp), wire_load64(tcp + 8));
		sum = wire_cksum_add(sum, wire_load32(tcp + 16) + pseudo_sum(tcp_len));
		sum = wire_cksum_add(sum, addrs);
		sum = wire_cksum_add(sum, sum_rest(tcp + WIRE_TCP_LEN, tcp_len - WIRE_TCP_LEN));
		if (is_unlikely(wire_cksum_fold(sum) != 0xffff))
			return drop(drop_reason, WIRE_DROP_TCP_CKSUM);
	}
	if (is_unlikely(trust == TRUST_BAD))
		return drop(drop_reason, WIRE_DROP_TCP_CKSUM);
	begin_seg(seg, m, addrs, ip[1]);
	return take_tcp(tcp, WIRE_ETH_LEN + WIRE_IP4_LEN, tcp_len, seg, drop_reason);
}

#ifdef WIRE_HAS_USUAL

PMTCP_NOINLINE enum wire_kind
wire_parse_text(struct rte_mbuf *m, const struct wire_rx_conf *conf, struct seg *seg,
		uint16_t *drop_reason)
{
	if (is_likely(usual_take_text(m, seg)))
		return WIRE_TCP;
	return wire_parse_plain(m, conf, seg, drop_reason);
}

enum wire_kind
wire_parse(struct rte_mbuf *m, const struct wire_rx_conf *conf, struct seg *seg,
		uint16_t *drop_reason)
{
	struct usual_rx rx = usual_begin(conf, NULL);
	enum usual usual = usual_take(m, &rx, seg);

	if (usual == USUAL_TAKEN)
		return WIRE_TCP;
	if (usual == USUAL_TEXT)
		return wire_parse_text(m, conf, seg, drop_reason);
	return wire_parse_plain(m, conf, seg, drop_reason);
}

#else

enum wire_kind
wire_parse(struct rte_mbuf *m, const struct wire_rx_conf *conf, struct seg *seg,
		uint16_t *drop_reason)
{
	return wire_parse_plain(m, conf, seg, drop_reason);
}

enum wire_kind
wire_parse_text(struct rte_mbuf *m, const struct wire_rx_conf *conf, struct seg *seg,
		uint16_t *drop_reason)
{
	return wire_parse_plain(m, conf, seg, drop_reason);
}

#endif
