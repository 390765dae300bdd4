/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* ARP for IPv4 over Ethernet (RFC 826). */

#include "wire/wire_arp.h"

#include <string.h>

#include <rte_arp.h>
#include <rte_byteorder.h>

#include "base/check.h"

STATIC_ASSERT(sizeof(struct rte_ether_hdr) + sizeof(struct rte_arp_hdr) == WIRE_ARP_FRAME_LEN);

bool
wire_parse_arp(const struct rte_mbuf *m, struct wire_arp *arp)
{
	struct rte_arp_hdr copy;
	struct rte_ether_hdr eth_copy;
	const struct rte_ether_hdr *eth = rte_pktmbuf_read(m, 0, sizeof(eth_copy), &eth_copy);
	const struct rte_arp_hdr *h = rte_pktmbuf_read(m, sizeof(*eth), sizeof(copy), &copy);

	if (!eth || !h)
		return false;
	/* In a chain it may begin at an odd address, which rte_arp_hdr must not. */
	if (h != &copy)
		memcpy(&copy, h, sizeof(copy));
	h = &copy;
	arp->op = rte_be_to_cpu_16(h->arp_opcode);
	if (h->arp_hardware != rte_cpu_to_be_16(RTE_ARP_HRD_ETHER) ||
			h->arp_protocol != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) ||
			h->arp_hlen != RTE_ETHER_ADDR_LEN || h->arp_plen != 4 ||
			(arp->op != WIRE_ARP_REQUEST && arp->op != WIRE_ARP_REPLY))
		return false;
	arp->eth_dst = eth->dst_addr;
	arp->sender_mac = h->arp_data.arp_sha;
	arp->sender_ip = h->arp_data.arp_sip;
	arp->target_mac = h->arp_data.arp_tha;
	arp->target_ip = h->arp_data.arp_tip;
	return true;
}

void
wire_emit_arp(struct rte_mbuf *m, const struct wire_arp *arp)
{
	struct rte_ether_hdr *eth = (void *)rte_pktmbuf_append(m, WIRE_ARP_FRAME_LEN);
	struct rte_arp_hdr *h = (void *)(eth + 1);

	CHECK(eth);
	eth->dst_addr = arp->eth_dst;
	eth->src_addr = arp->sender_mac;
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP);
	h->arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER);
	h->arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	h->arp_hlen = RTE_ETHER_ADDR_LEN;
	h->arp_plen = 4;
	h->arp_opcode = rte_cpu_to_be_16(arp->op);
	h->arp_data.arp_sha = arp->sender_mac;
	h->arp_data.arp_sip = arp->sender_ip;
	h->arp_data.arp_tha = arp->target_mac;
	h->arp_data.arp_tip = arp->target_ip;
}
