/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* ICMP messages (RFC 792, 1122 3.2.2) to values, and the echo reply. Whether an
 * error concerns a connection (SEC-8) and whether an echo is answered (SEC-7) is
 * the stack's. */

#ifndef PMTCP_WIRE_WIRE_ICMP_H
#define PMTCP_WIRE_WIRE_ICMP_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "flow/flow_key.h"
#include "wire/seg.h"

enum wire_icmp_type {
	WIRE_ICMP_ECHO_REPLY = 0,
	WIRE_ICMP_UNREACHABLE = 3,
	WIRE_ICMP_SOURCE_QUENCH = 4,
	WIRE_ICMP_REDIRECT = 5,
	WIRE_ICMP_ECHO = 8,
	WIRE_ICMP_TIME_EXCEEDED = 11,
	WIRE_ICMP_PARAMETER = 12,
};

struct wire_icmp {
	uint8_t type;
	uint8_t code;
	bool is_error;         /* the fields below are set */
	uint16_t mtu;          /* next hop's, if unreachable code 4 (RFC 1191); else 0 */
	struct flow_key inner; /* of the segment we sent, from our side: laddr = its source */
	uint32_t inner_seq;
	uint16_t inner_len; /* octets of that IP packet, as its header says */
};

/* seg is as wire_parse() left it for WIRE_ICMP, seg->m the packet. false: shorter
 * than 8 octets, checksum wrong, or an error whose inner packet is not the start
 * of a TCP segment with at least 8 octets of TCP header (W-22). */
bool wire_parse_icmp(const struct seg *seg, struct wire_icmp *icmp);

/* Turns the echo request in seg->m into its reply, in place: MAC and IP addresses
 * swapped, TTL set, checksums right, IP options and link padding cut off, no offload
 * flag left.
 * false, packet unchanged: the headers do not lie in the first mbuf.
 * Caller: wire_parse_icmp() said WIRE_ICMP_ECHO; the packet is its own to write to. */
bool wire_icmp_echo_reply(const struct seg *seg, uint8_t ttl);

#endif /* PMTCP_WIRE_WIRE_ICMP_H */
