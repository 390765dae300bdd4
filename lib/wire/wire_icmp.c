/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* ICMP for IPv4: messages to values, and the echo reply in place. */

#include "wire/wire_icmp.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>

#include "base/base.h"
#include "wire/wire_cksum.h"
#include "wire/wire_emit.h"

enum {
	ICMP_LEN = 8,
	ICMP_NEED_FRAG = 4, /* code of unreachable: RFC 1191 */
	INNER_TCP_MIN = 8,  /* ports and sequence number */
	INNER_MAX = 60 + INNER_TCP_MIN,
};

static bool
is_error_type(uint8_t type)
{
	return type == WIRE_ICMP_UNREACHABLE || type == WIRE_ICMP_SOURCE_QUENCH ||
	       type == WIRE_ICMP_REDIRECT || type == WIRE_ICMP_TIME_EXCEEDED ||
	       type == WIRE_ICMP_PARAMETER;
}

/* W-22: the packet we sent, as the error quotes it. */
static bool
parse_inner(const struct seg *seg, struct wire_icmp *icmp)
{
	uint8_t copy[INNER_MAX];
	uint32_t have = min_u32((uint32_t)seg->len - ICMP_LEN, INNER_MAX);
	const uint8_t *ip, *tcp;
	uint32_t ihl;

	/* Before the read: rte_pktmbuf_read() of no octets at the end of a chain walks
	 * off it. */
	if (have < WIRE_IP4_LEN)
		return false;
	ip = rte_pktmbuf_read(seg->m, seg->payload_off + ICMP_LEN, have, copy);
	if (!ip)
		return false;
	ihl = (uint32_t)(ip[0] & 0x0f) * 4;
	if (ip[0] >> 4 != 4 || ihl < WIRE_IP4_LEN || ihl + INNER_TCP_MIN > have)
		return false;
	if (ip[9] != IPPROTO_TCP || (rte_be_to_cpu_16(wire_load16(ip + 6)) & 0x1fff) != 0)
		return false;
	tcp = ip + ihl;
	icmp->inner.laddr = wire_load32(ip + 12);
	icmp->inner.raddr = wire_load32(ip + 16);
	icmp->inner.lport = wire_load16(tcp);
	icmp->inner.rport = wire_load16(tcp + 2);
	icmp->inner_len = rte_be_to_cpu_16(wire_load16(ip + 2));
	icmp->inner_seq = rte_be_to_cpu_32(wire_load32(tcp + 4));
	return true;
}

bool
wire_parse_icmp(const struct seg *seg, struct wire_icmp *icmp)
{
	uint8_t copy[ICMP_LEN];
	const uint8_t *h;

	memset(icmp, 0, sizeof(*icmp));
	if (seg->len < ICMP_LEN)
		return false;
	h = rte_pktmbuf_read(seg->m, seg->payload_off, ICMP_LEN, copy);
	if (!h || wire_cksum_fold(wire_cksum_mbuf(seg->m, seg->payload_off, seg->len)) != 0xffff)
		return false;
	icmp->type = h[0];
	icmp->code = h[1];
	if (!is_error_type(icmp->type))
		return true;
	icmp->is_error = true;
	if (icmp->type == WIRE_ICMP_UNREACHABLE && icmp->code == ICMP_NEED_FRAG)
		icmp->mtu = rte_be_to_cpu_16(wire_load16(h + 6));
	return parse_inner(seg, icmp);
}

/* RFC 1624: a checksum after one 16-bit word changed. What is left may be zeros alone, whose
 * only right checksum is the other zero (section 3); where 0 is right, that one is, too. */
static uint16_t
cksum_update(uint16_t cksum, uint16_t before, uint16_t after)
{
	uint64_t sum = (uint64_t)(uint16_t)~cksum + (uint16_t)~before + after;
	uint16_t fresh = (uint16_t)~wire_cksum_fold(sum);

	return fresh == 0 ? UINT16_MAX : fresh;
}

/* Back to where it came from, without options: a route recorded on the way here says
 * nothing about the way back. */
static void
turn_ip(uint8_t *ip, const struct seg *seg, uint8_t ttl)
{
	uint16_t total = rte_cpu_to_be_16((uint16_t)(WIRE_IP4_LEN + seg->len));
	uint16_t cksum;

	ip[0] = 0x45;
	memcpy(ip + 2, &total, 2);
	ip[8] = ttl;
	memset(ip + 10, 0, 2);
	memcpy(ip + 12, &seg->key.laddr, 4);
	memcpy(ip + 16, &seg->key.raddr, 4);
	cksum = (uint16_t)~wire_cksum_fold(wire_cksum_bytes(ip, WIRE_IP4_LEN));
	memcpy(ip + 10, &cksum, 2);
}

bool
wire_icmp_echo_reply(const struct seg *seg, uint8_t ttl)
{
	struct rte_mbuf *m = seg->m;
	uint32_t end = (uint32_t)seg->payload_off + seg->len;
	uint32_t opts_len = seg->payload_off - (uint32_t)(WIRE_ETH_LEN + WIRE_IP4_LEN);
	struct rte_ether_addr us;
	struct rte_ether_hdr *eth;
	uint8_t *icmp;
	uint16_t before, cksum;

	if (m->data_len < seg->payload_off + (uint32_t)ICMP_LEN)
		return false;
	if (m->pkt_len > end && rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - end)) != 0)
		return false;
	memmove(rte_pktmbuf_mtod_offset(m, uint8_t *, opts_len), rte_pktmbuf_mtod(m, uint8_t *),
			WIRE_ETH_LEN + WIRE_IP4_LEN);
	eth = (struct rte_ether_hdr *)(void *)rte_pktmbuf_adj(m, (uint16_t)opts_len);
	us = eth->dst_addr;
	eth->dst_addr = eth->src_addr;
	eth->src_addr = us;
	turn_ip((uint8_t *)(eth + 1), seg, ttl);
	icmp = (uint8_t *)(eth + 1) + WIRE_IP4_LEN;
	before = wire_load16(icmp);
	icmp[0] = WIRE_ICMP_ECHO_REPLY;
	cksum = cksum_update(wire_load16(icmp + 2), before, wire_load16(icmp));
	memcpy(icmp + 2, &cksum, 2);
	/* Receive flags mean nothing on the way out; how the buffer is to be freed does. */
	m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	return true;
}
