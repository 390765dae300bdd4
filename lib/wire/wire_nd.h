/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Neighbour Solicitation and Advertisement (RFC 4861 4.3, 4.4), bytes to values and
 * back. What to answer and what to remember is the neighbour table's. */

#ifndef PMTCP_WIRE_WIRE_ND_H
#define PMTCP_WIRE_WIRE_ND_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "flow/flow_key6.h"
#include "wire/seg.h"

enum {
	WIRE_ND_SOLICIT = 135,
	WIRE_ND_ADVERT = 136,
	WIRE_ND_FRAME_MAX = 14 + 40 + 24 + 8,
};

struct wire_nd {
	struct flow_addr6 addr; /* received: remote = source; sent: local = source */
	uint8_t target[16];
	uint8_t type;   /* WIRE_ND_SOLICIT or WIRE_ND_ADVERT */
	bool is_router; /* flags of an advertisement */
	bool is_solicited;
	bool is_override;
	bool has_lladdr; /* source's in a solicitation, target's in the other */
	struct rte_ether_addr lladdr;
	struct rte_ether_addr eth_dst;
	struct rte_ether_addr eth_src;
};

/* seg is as wire_parse() left it for WIRE_ICMP6, seg->m the packet. false: another type,
 * or one of the tests of RFC 4861 7.1.1, 7.1.2 and RFC 6980 failed (W-19). The checksum is
 * not among them. Caller: wire_parse_icmp6() found it right. */
bool wire_parse_nd(const struct seg *seg, struct wire_nd *nd);

/* Writes the whole frame, hop limit 255, into m, which is its caller's own, reset and
 * empty. */
void wire_emit_nd(struct rte_mbuf *m, const struct wire_nd *nd);

/* ff02::1:ffXX:XXXX of an address (RFC 4291 2.7.1). */
void wire_nd_solicited_node(const uint8_t addr[16], uint8_t group[16]);

/* ff02::1, where an answer to a duplicate address probe goes (RFC 4861 7.2.4). */
void wire_nd_all_nodes(uint8_t group[16]);

/* 33:33 and the last four octets of a group (RFC 2464 7). */
void wire_nd_group_mac(const uint8_t group[16], struct rte_ether_addr *mac);

#endif /* PMTCP_WIRE_WIRE_ND_H */
