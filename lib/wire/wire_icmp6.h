/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* ICMPv6 messages (RFC 4443) to values, the echo reply and the parameter problem.
 * Whether an error concerns a connection (SEC-8) and what is answered within which
 * limit (SEC-7) is the stack's. Neighbour Discovery is wire_nd.h. */

#ifndef PMTCP_WIRE_WIRE_ICMP6_H
#define PMTCP_WIRE_WIRE_ICMP6_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "flow/flow_key.h"
#include "flow/flow_key6.h"
#include "wire/seg.h"

enum wire_icmp6_type {
	WIRE_ICMP6_UNREACHABLE = 1,
	WIRE_ICMP6_TOO_BIG = 2,
	WIRE_ICMP6_TIME_EXCEEDED = 3,
	WIRE_ICMP6_PARAMETER = 4,
	WIRE_ICMP6_ECHO = 128, /* lower types are errors */
	WIRE_ICMP6_ECHO_REPLY = 129,
	WIRE_ICMP6_ROUTER_SOLICIT = 133,
	WIRE_ICMP6_ROUTER_ADVERT = 134,
	WIRE_ICMP6_NEIGH_SOLICIT = 135,
	WIRE_ICMP6_NEIGH_ADVERT = 136,
	WIRE_ICMP6_REDIRECT = 137,
};

enum {
	WIRE_ICMP6_LEN = 8, /* least message */
};

struct wire_icmp6 {
	struct flow_addr6 addr; /* of the message: remote = its source */
	uint8_t type;
	uint8_t code;
	bool is_error;         /* of types 1 to 4; the fields below are set */
	uint16_t inner_len;    /* octets of the inner IP packet, as its header says */
	uint32_t mtu;          /* next hop's, if too big; else 0 */
	struct flow_key inner; /* of the segment we sent, from our side */
	struct flow_addr6 inner_addr;
	uint32_t inner_seq;
};

/* seg is as wire_parse() left it for WIRE_ICMP6, seg->m the packet; addr_key as given to
 * wire_parse(). false: shorter than 8 octets, checksum wrong, or an error of a known type
 * whose inner packet is not the start of a TCP segment with at least 8 octets of TCP
 * header behind an IPv6 header without extensions: we send no others (W-22). */
bool wire_parse_icmp6(
		const struct seg *seg, const struct siphash_key *addr_key, struct wire_icmp6 *icmp);

/* Turns the echo request in seg->m into its reply, in place: MAC and IP addresses
 * swapped, hop limit set, checksum kept right, extension headers and link padding cut
 * off, no offload flag left. false, packet unchanged: the headers do not lie in the first
 * mbuf, or it is a fragment (W-21). Caller: wire_parse_icmp6() said WIRE_ICMP6_ECHO to our
 * unicast address; the packet is its own to write to. */
bool wire_icmp6_echo_reply(const struct seg *seg, uint8_t hop_limit);

/* Turns the packet of WIRE_IP6_PROBLEM into the parameter problem about it, to its sender
 * (RFC 4443 3.4, W-17), quoting what fits 1280 octets. false: headers not in the first
 * mbuf, no head room, or pieces that cannot be trimmed; the packet is then of no more use.
 * Caller: it came to our unicast address, from a unicast one (RFC 4443 2.4 e); the packet
 * is its own to write to. */
bool wire_icmp6_problem(const struct seg *seg, uint8_t hop_limit);

/* The IPv6 header of a packet that was parsed; copy has room for it. */
const uint8_t *wire_ip6_header(const struct rte_mbuf *m, uint8_t copy[40]);

/* An IPv6 header for so many octets of ICMPv6. */
void wire_put_ip6(uint8_t *ip, const struct flow_addr6 *addr, uint32_t len, uint8_t hop_limit);

/* What goes into the checksum field of an ICMPv6 message at off of the packet data, now
 * 0, between these addresses. */
uint16_t wire_icmp6_sum(const struct rte_mbuf *m, uint32_t off, const struct flow_addr6 *addr);

#endif /* PMTCP_WIRE_WIRE_ICMP6_H */
