/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* ICMPv6: messages to values, and the two answers that are made of the packet itself. */

#include "wire/wire_icmp6.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>

#include "base/base.h"
#include "wire/wire_cksum.h"
#include "wire/wire_emit.h"
#include "wire/wire_ext.h"

enum {
	ADDRS_AT = 8,      /* both addresses in the IPv6 header */
	INNER_TCP_MIN = 8, /* ports and sequence number */
	INNER_LEN = WIRE_IP6_LEN + INNER_TCP_MIN,
	ICMP_AT = WIRE_ETH_LEN + WIRE_IP6_LEN,
	ERROR_MAX = 1280, /* octets of an error: RFC 4443 2.4 c */
	QUOTE_MAX = ERROR_MAX - WIRE_IP6_LEN - WIRE_ICMP6_LEN,
};

const uint8_t *
wire_ip6_header(const struct rte_mbuf *m, uint8_t copy[40])
{
	return rte_pktmbuf_read(m, SEG_IP_OFF, WIRE_IP6_LEN, copy);
}

/* Pseudo-header and message. The order of the addresses makes no difference. */
static uint64_t
message_sum(const struct rte_mbuf *m, uint32_t off, uint32_t len, const void *addrs)
{
	uint64_t sum = wire_cksum_bytes(addrs, 32);

	sum = wire_cksum_add(
			sum, (uint64_t)rte_cpu_to_be_32(len) + rte_cpu_to_be_32(WIRE_NEXT_ICMP6));
	return wire_cksum_add(sum, wire_cksum_mbuf(m, off, len));
}

/* RFC 4443 2.3, W-19: of every message, Neighbour Discovery's included, and once. ip: the
 * IPv6 header of the packet. */
static bool
sum_is_good(const struct seg *seg, const uint8_t *ip)
{
	return wire_cksum_fold(message_sum(seg->m, seg->payload_off, seg->len, ip + ADDRS_AT)) ==
	       0xffff;
}

uint16_t
wire_icmp6_sum(const struct rte_mbuf *m, uint32_t off, const struct flow_addr6 *addr)
{
	return (uint16_t)~wire_cksum_fold(message_sum(m, off, m->pkt_len - off, addr));
}

void
wire_put_ip6(uint8_t *ip, const struct flow_addr6 *addr, uint32_t len, uint8_t hop_limit)
{
	uint16_t be_len = rte_cpu_to_be_16((uint16_t)len);

	memset(ip, 0, 4);
	ip[0] = 0x60;
	memcpy(ip + 4, &be_len, sizeof(be_len));
	ip[6] = WIRE_NEXT_ICMP6;
	ip[7] = hop_limit;
	memcpy(ip + ADDRS_AT, addr, sizeof(*addr));
}

/* W-22: the packet we sent, as the error quotes it. */
static bool
parse_inner(const struct seg *seg, const struct siphash_key *addr_key, struct wire_icmp6 *icmp)
{
	uint8_t copy[INNER_LEN];
	const uint8_t *ip, *tcp;

	if (seg->len < WIRE_ICMP6_LEN + INNER_LEN)
		return false;
	ip = rte_pktmbuf_read(seg->m, seg->payload_off + WIRE_ICMP6_LEN, INNER_LEN, copy);
	if (!ip || ip[0] >> 4 != 6 || ip[6] != WIRE_NEXT_TCP)
		return false;
	tcp = ip + WIRE_IP6_LEN;
	memcpy(&icmp->inner_addr, ip + ADDRS_AT, sizeof(icmp->inner_addr));
	flow_key6_digest(addr_key, &icmp->inner_addr, &icmp->inner);
	icmp->inner.lport = wire_load16(tcp);
	icmp->inner.rport = wire_load16(tcp + 2);
	icmp->inner_seq = rte_be_to_cpu_32(wire_load32(tcp + 4));
	icmp->inner_len = (uint16_t)min_u32(
			WIRE_IP6_LEN + (uint32_t)rte_be_to_cpu_16(wire_load16(ip + 4)), UINT16_MAX);
	return true;
}

bool
wire_parse_icmp6(const struct seg *seg, const struct siphash_key *addr_key, struct wire_icmp6 *icmp)
{
	uint8_t ip_copy[WIRE_IP6_LEN], copy[WIRE_ICMP6_LEN];
	const uint8_t *ip = wire_ip6_header(seg->m, ip_copy);
	const uint8_t *h;

	memset(icmp, 0, sizeof(*icmp));
	if (!ip || seg->len < WIRE_ICMP6_LEN)
		return false;
	h = rte_pktmbuf_read(seg->m, seg->payload_off, WIRE_ICMP6_LEN, copy);
	if (!h || !sum_is_good(seg, ip))
		return false;
	flow_addr6_of(ip, &icmp->addr);
	icmp->type = h[0];
	icmp->code = h[1];
	if (icmp->type < WIRE_ICMP6_UNREACHABLE || icmp->type > WIRE_ICMP6_PARAMETER)
		return true;
	icmp->is_error = true;
	if (icmp->type == WIRE_ICMP6_TOO_BIG)
		icmp->mtu = rte_be_to_cpu_32(wire_load32(h + 4));
	return parse_inner(seg, addr_key, icmp);
}

/* Link padding goes; what is left ends with the datagram. */
static bool
trim_to(struct rte_mbuf *m, uint32_t end)
{
	return m->pkt_len <= end || rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - end)) == 0;
}

static void
swap_macs(uint8_t *to, const uint8_t *from)
{
	struct rte_ether_hdr eth;

	memcpy(&eth, from, sizeof(eth));
	memcpy(to, &eth.src_addr, RTE_ETHER_ADDR_LEN);
	memcpy(to + RTE_ETHER_ADDR_LEN, &eth.dst_addr, RTE_ETHER_ADDR_LEN);
	memcpy(to + 2 * RTE_ETHER_ADDR_LEN, &eth.ether_type, sizeof(eth.ether_type));
}

/* Receive flags mean nothing on the way out; how the buffer is to be freed does. */
static void
clear_flags(struct rte_mbuf *m)
{
	m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
}

bool
wire_icmp6_echo_reply(const struct seg *seg, uint8_t hop_limit)
{
	struct rte_mbuf *m = seg->m;
	uint32_t ext_len = seg->payload_off - (uint32_t)ICMP_AT;
	struct flow_addr6 addr;
	uint8_t *p, *icmp;
	uint16_t sum;

	if (seg->is_frag || m->data_len < seg->payload_off + (uint32_t)WIRE_ICMP6_LEN ||
			!trim_to(m, (uint32_t)seg->payload_off + seg->len))
		return false;
	p = rte_pktmbuf_mtod(m, uint8_t *);
	flow_addr6_of(p + SEG_IP_OFF, &addr);
	swap_macs(p + ext_len, p);
	rte_pktmbuf_adj(m, (uint16_t)ext_len);
	wire_put_ip6(p + ext_len + WIRE_ETH_LEN, &addr, seg->len, hop_limit);
	icmp = p + seg->payload_off;
	icmp[0] = WIRE_ICMP6_ECHO_REPLY;
	memset(icmp + 2, 0, 2);
	sum = wire_icmp6_sum(m, ICMP_AT, &addr);
	memcpy(icmp + 2, &sum, 2);
	clear_flags(m);
	return true;
}

bool
wire_icmp6_problem(const struct seg *seg, uint8_t hop_limit)
{
	struct rte_mbuf *m = seg->m;
	uint32_t datagram = (uint32_t)seg->payload_off + seg->len - SEG_IP_OFF;
	uint32_t quoted = min_u32(datagram, QUOTE_MAX);
	uint32_t pointer = rte_cpu_to_be_32((uint32_t)seg->payload_off - SEG_IP_OFF);
	struct flow_addr6 addr;
	uint8_t *p, *icmp;
	uint16_t sum;

	if (m->data_len < ICMP_AT || !trim_to(m, SEG_IP_OFF + quoted))
		return false;
	flow_addr6_of(rte_pktmbuf_mtod_offset(m, uint8_t *, SEG_IP_OFF), &addr);
	p = (uint8_t *)rte_pktmbuf_prepend(m, WIRE_IP6_LEN + WIRE_ICMP6_LEN);
	if (!p)
		return false;
	swap_macs(p, p + WIRE_IP6_LEN + WIRE_ICMP6_LEN);
	wire_put_ip6(p + WIRE_ETH_LEN, &addr, WIRE_ICMP6_LEN + quoted, hop_limit);
	icmp = p + ICMP_AT;
	memset(icmp, 0, WIRE_ICMP6_LEN);
	icmp[0] = WIRE_ICMP6_PARAMETER;
	icmp[1] = seg->flags;
	memcpy(icmp + 4, &pointer, sizeof(pointer));
	sum = wire_icmp6_sum(m, ICMP_AT, &addr);
	memcpy(icmp + 2, &sum, sizeof(sum));
	clear_flags(m);
	return true;
}
