/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* ARP packets for IPv4 over Ethernet (RFC 826), bytes to values and back. What to
 * answer and what to remember is the neighbour table's. */

#ifndef PMTCP_WIRE_WIRE_ARP_H
#define PMTCP_WIRE_WIRE_ARP_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

enum {
	WIRE_ARP_REQUEST = 1,
	WIRE_ARP_REPLY = 2,
	WIRE_ARP_FRAME_LEN = 42,
};

/* Addresses in network byte order. */
struct wire_arp {
	uint32_t sender_ip;
	uint32_t target_ip;
	uint16_t op; /* WIRE_ARP_REQUEST or WIRE_ARP_REPLY */
	struct rte_ether_addr eth_dst;
	struct rte_ether_addr sender_mac; /* emitted as the Ethernet source too */
	struct rte_ether_addr target_mac;
};

/* false: not hardware type 1, protocol 0x0800, lengths 6 and 4, op 1 or 2, or cut
 * short (W-5). */
bool wire_parse_arp(const struct rte_mbuf *m, struct wire_arp *arp);

/* Writes the whole frame into m, which is its caller's own, reset and empty. */
void wire_emit_arp(struct rte_mbuf *m, const struct wire_arp *arp);

#endif /* PMTCP_WIRE_WIRE_ARP_H */
