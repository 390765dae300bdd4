/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Neighbour Discovery messages between hosts. */

#include "wire/wire_nd.h"

#include <string.h>

#include <rte_byteorder.h>

#include "base/check.h"
#include "wire/wire_cksum.h"
#include "wire/wire_emit.h"
#include "wire/wire_icmp6.h"

enum {
	ND_LEN = 24, /* type to target */
	TARGET_AT = 8,
	OPT_UNIT = 8,
	OPTS_MAX = 16, /* of one message: hosts send one, with RFC 3971 six (SEC-14) */
	OPT_SOURCE = 1,
	OPT_TARGET = 2,
	FLAG_ROUTER = 0x80,
	FLAG_SOLICITED = 0x40,
	FLAG_OVERRIDE = 0x20,
	HOP_LIMIT = 255,
	GROUP = 0xff, /* first octet of a multicast address */
};

static const uint8_t solicited_prefix[13] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};

void
wire_nd_solicited_node(const uint8_t addr[16], uint8_t group[16])
{
	memcpy(group, solicited_prefix, sizeof(solicited_prefix));
	memcpy(group + 13, addr + 13, 3);
}

void
wire_nd_all_nodes(uint8_t group[16])
{
	memset(group, 0, 16);
	group[0] = 0xff;
	group[1] = 2;
	group[15] = 1;
}

void
wire_nd_group_mac(const uint8_t group[16], struct rte_ether_addr *mac)
{
	mac->addr_bytes[0] = mac->addr_bytes[1] = 0x33;
	memcpy(mac->addr_bytes + 2, group + 12, 4);
}

/* Options at off up to end. Those of other types and a link-layer address of another
 * length than Ethernet's are passed over; each has at least one unit, and a long frame is not one of nothing else. */
static bool
parse_options(const struct seg *seg, uint32_t off, uint32_t end, struct wire_nd *nd)
{
	uint8_t wanted = nd->type == WIRE_ND_SOLICIT ? OPT_SOURCE : OPT_TARGET;

	for (uint32_t n = 0; off < end; n++) {
		uint8_t copy[OPT_UNIT];
		const uint8_t *opt;

		if (n == OPTS_MAX || end - off < OPT_UNIT)
			return false;
		opt = rte_pktmbuf_read(seg->m, off, OPT_UNIT, copy);
		if (!opt || opt[1] == 0 || opt[1] * (uint32_t)OPT_UNIT > end - off)
			return false;
		if (opt[0] == wanted && opt[1] == 1) {
			memcpy(&nd->lladdr, opt + 2, RTE_ETHER_ADDR_LEN);
			nd->has_lladdr = true;
		}
		off += opt[1] * (uint32_t)OPT_UNIT;
	}
	return true;
}

/* A target that can be somebody's on a link: no group, none of ::/96 (unspecified, loopback),
 * and no IPv4 address in disguise (::ffff:0:0/96), whose next hop is ARP's business. */
static bool
is_target_ok(const uint8_t target[16])
{
	uint32_t high = wire_load32(target + 8);

	return target[0] != GROUP &&
	       (wire_load64(target) != 0 || (high != 0 && high != RTE_BE32(0xffff)));
}

/* W-19 (RFC 4861 7.1.1 and 7.1.2): what depends on the addresses. */
static bool
addresses_agree(const struct wire_nd *nd)
{
	bool is_to_group = nd->addr.local[0] == GROUP;

	if (!is_target_ok(nd->target) || nd->addr.remote[0] == GROUP)
		return false;
	if (nd->type == WIRE_ND_ADVERT)
		return !(is_to_group && nd->is_solicited);
	if (!flow_addr6_is_any(nd->addr.remote))
		return true;
	return !nd->has_lladdr &&
	       memcmp(nd->addr.local, solicited_prefix, sizeof(solicited_prefix)) == 0;
}

bool
wire_parse_nd(const struct seg *seg, struct wire_nd *nd)
{
	uint8_t ip_copy[WIRE_IP6_LEN], copy[ND_LEN];
	const uint8_t *ip = wire_ip6_header(seg->m, ip_copy);
	uint32_t end = (uint32_t)seg->payload_off + seg->len;
	struct rte_ether_hdr eth_copy;
	const struct rte_ether_hdr *eth = rte_pktmbuf_read(seg->m, 0, sizeof(*eth), &eth_copy);
	const uint8_t *h;

	memset(nd, 0, sizeof(*nd));
	/* W-19. Through a router the hop limit would be less; a fragment may have been made
	 * up of several (RFC 6980). */
	if (!eth || !ip || ip[7] != HOP_LIMIT || seg->is_frag || seg->len < ND_LEN)
		return false;
	h = rte_pktmbuf_read(seg->m, seg->payload_off, ND_LEN, copy);
	if (!h || h[1] != 0 || (h[0] != WIRE_ND_SOLICIT && h[0] != WIRE_ND_ADVERT))
		return false;
	flow_addr6_of(ip, &nd->addr);
	nd->eth_src = eth->src_addr;
	nd->eth_dst = eth->dst_addr;
	nd->type = h[0];
	if (nd->type == WIRE_ND_ADVERT) {
		nd->is_router = (h[4] & FLAG_ROUTER) != 0;
		nd->is_solicited = (h[4] & FLAG_SOLICITED) != 0;
		nd->is_override = (h[4] & FLAG_OVERRIDE) != 0;
	}
	memcpy(nd->target, h + TARGET_AT, 16);
	return parse_options(seg, seg->payload_off + (uint32_t)ND_LEN, end, nd) &&
	       addresses_agree(nd);
}

void
wire_emit_nd(struct rte_mbuf *m, const struct wire_nd *nd)
{
	uint16_t len = ND_LEN + (nd->has_lladdr ? OPT_UNIT : 0);
	struct rte_ether_hdr *eth = (void *)rte_pktmbuf_append(
			m, (uint16_t)(WIRE_ETH_LEN + WIRE_IP6_LEN + len));
	uint8_t *ip = (uint8_t *)(eth + 1);
	uint8_t *h = ip + WIRE_IP6_LEN;
	uint16_t sum;

	CHECK(eth);
	eth->dst_addr = nd->eth_dst;
	eth->src_addr = nd->eth_src;
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6);
	wire_put_ip6(ip, &nd->addr, len, HOP_LIMIT);
	memset(h, 0, len);
	h[0] = nd->type;
	if (nd->type == WIRE_ND_ADVERT)
		h[4] = (uint8_t)((nd->is_router ? FLAG_ROUTER : 0) |
				 (nd->is_solicited ? FLAG_SOLICITED : 0) |
				 (nd->is_override ? FLAG_OVERRIDE : 0));
	memcpy(h + TARGET_AT, nd->target, 16);
	if (nd->has_lladdr) {
		h[ND_LEN] = nd->type == WIRE_ND_SOLICIT ? OPT_SOURCE : OPT_TARGET;
		h[ND_LEN + 1] = 1;
		memcpy(h + ND_LEN + 2, &nd->lladdr, RTE_ETHER_ADDR_LEN);
	}
	sum = wire_icmp6_sum(m, WIRE_ETH_LEN + WIRE_IP6_LEN, &nd->addr);
	memcpy(h + 2, &sum, sizeof(sum));
}
