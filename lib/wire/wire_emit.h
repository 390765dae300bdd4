/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Values to bytes: Ethernet, IPv4 or IPv6, and TCP headers with options before a
 * payload that lies in the mbuf already. Sums are made from the values as they are
 * written. Decides nothing: what to send is the engine's. */

#ifndef PMTCP_WIRE_WIRE_EMIT_H
#define PMTCP_WIRE_WIRE_EMIT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "base/base.h"
#include "base/check.h"
#include "flow/flow_key.h"
#include "flow/flow_key6.h"
#include "wire/seg.h"

enum {
	WIRE_ETH_LEN = 14,
	WIRE_VLAN_LEN = 4,
	WIRE_IP4_LEN = 20,
	WIRE_IP6_LEN = 40,
	WIRE_TCP_LEN = 20,
	/* Head room that any segment needs, its VLAN tag included. */
	WIRE_TCP_HDR_MAX = WIRE_ETH_LEN + WIRE_VLAN_LEN + WIRE_IP6_LEN + WIRE_TCP_LEN + 40,
};
STATIC_ASSERT(WIRE_TCP_HDR_MAX <= RTE_PKTMBUF_HEADROOM);

/* One segment to send; numbers in host byte order, the key in network order. */
struct wire_tcp {
	struct flow_key key;            /* as seen from here: laddr, lport = source */
	const struct flow_addr6 *addr6; /* IPv6, between these addresses; NULL: IPv4 */
	uint32_t seq;
	uint32_t ack;
	uint32_t tsval;
	uint32_t tsecr;
	uint32_t sack[8]; /* left, right pairs; the first is the newest (RFC 2018 section 4) */
	uint16_t wnd;
	uint16_t mss;
	uint16_t urg;
	uint16_t addr_sum;    /* wire_addr_sum(&key) or wire_addr6_sum(addr6), kept by the
			       * connection */
	uint16_t payload_sum; /* of the payload, folded, if payload_summed */
	uint8_t flags;        /* enum tcp_flag */
	uint8_t opts;         /* enum seg_opt: MSS, WSCALE, SACK_PERM, TS, SACK */
	uint8_t wscale;
	uint8_t n_sack; /* at most 4; the fourth is left out if TS is present (W-34) */
	uint8_t ttl;    /* or hop limit */
	uint8_t dscp;   /* 0..63 */
	uint8_t ecn;    /* enum ip_ecn */
	bool payload_summed;
};

struct wire_tx_conf {
	bool ip_cksum_offload;
	bool tcp_cksum_offload;
};

/* Folded one's complement sum of both addresses of the key. */
uint16_t wire_addr_sum(const struct flow_key *key);

/* The same of both IPv6 addresses. */
uint16_t wire_addr6_sum(const struct flow_addr6 *addr);

/* Octets of TCP options of this segment, a multiple of 4, at most 40 (MUST-69). */
uint8_t wire_tcp_opts_len(const struct wire_tcp *w);

/* Octets that wire_emit_tcp() prepends: Ethernet, IP and TCP with options. */
uint16_t wire_tcp_hdr_len(const struct wire_tcp *w);

/* Prepends the headers to the payload in m, which may be empty or a chain, and
 * sets m's transmit flags and lengths, or both checksums in software.
 * Caller: m is its own to write to, has wire_tcp_hdr_len() octets of head room,
 * and the datagram fits 65535 octets. */
void wire_emit_tcp(struct rte_mbuf *m, const struct wire_tcp *w, const struct wire_tx_conf *conf,
		const struct rte_ether_addr *dst, const struct rte_ether_addr *src);

#endif /* PMTCP_WIRE_WIRE_EMIT_H */
