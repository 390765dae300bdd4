/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A received TCP segment as values. Bytes end here: everything behind the
 * parser works on these fields, in host byte order except the flow key. */

#ifndef PMTCP_WIRE_SEG_H
#define PMTCP_WIRE_SEG_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "base/base.h"
#include "base/check.h"
#include "flow/flow_key.h"

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
};

/* Options present and well formed (RFC 9293 3.2, 7323, 2018). */
enum seg_opt {
	SEG_OPT_MSS = 0x01,
	SEG_OPT_TS = 0x02,
	SEG_OPT_SACK_PERM = 0x04,
	SEG_OPT_WSCALE = 0x08,
	SEG_OPT_SACK = 0x10,
	SEG_OPT_DUP = 0x20,      /* an option came twice; the last one counts (W-30) */
	SEG_OPT_WS_CLAMP = 0x40, /* window shift above 14, taken as 14 (W-32) */
	SEG_OPT_MALFORMED =
			0x80, /* the walk stopped early; never with SYN, which is dropped (DEC-9) */
};

/* The two low bits of the IPv4 TOS octet and the IPv6 traffic class (RFC 3168 5). */
enum ip_ecn {
	IP_ECN_NOT_ECT = 0,
	IP_ECN_ECT1 = 1,
	IP_ECN_ECT0 = 2,
	IP_ECN_CE = 3,
};

/* The IPv6 header of a segment with is_v6 lies in one piece at SEG_IP_OFF of the packet
 * data, unless the packet is a chain. */
enum {
	SEG_IP_OFF = 14,
};

struct seg {
	struct rte_mbuf *m;  /* NULL once a step keeps the packet */
	struct flow_key key; /* local = the packet's destination; network byte order */
	uint32_t hash_lo;    /* flow hash, filled by the lookup pass */
	uint32_t hash_hi;
	uint32_t index; /* block found by the lookup pass, 0 none: a hint, compare the key */
	uint32_t seq;   /* first sequence number; the SYN's own if SYN */
	uint32_t ack;
	uint32_t tsval;
	uint32_t tsecr;
	uint16_t wnd;         /* as on the wire, unscaled */
	uint16_t len;         /* payload octets; neither SYN nor FIN */
	uint16_t payload_off; /* of the first payload octet in the mbuf's packet data */
	uint16_t mss;
	uint16_t urg;
	uint16_t sack_off;   /* of the first SACK block in the packet data */
	uint8_t flags;       /* enum tcp_flag */
	uint8_t opts;        /* enum seg_opt */
	uint8_t wscale : 4;  /* at most 14 (W-32) */
	uint8_t is_v6 : 1;   /* key.addrs is the digest of the packet's addresses */
	uint8_t ecn : 2;     /* IP ECN code point, enum ip_ecn (DATA-44) */
	uint8_t is_frag : 1; /* had a Fragment header: an atomic fragment (W-18) */
	uint8_t n_sack;
};

STATIC_ASSERT(sizeof(struct seg) == PMTCP_CACHE_LINE);

static inline uint64_t
seg_hash(const struct seg *s)
{
	return (uint64_t)s->hash_hi << 32 | s->hash_lo;
}

/* Octets of sequence space: LEN of RFC 9293, SYN and FIN counted. */
static inline uint32_t
seg_seq_len(const struct seg *s)
{
	return (uint32_t)s->len + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
}

#endif /* PMTCP_WIRE_SEG_H */
