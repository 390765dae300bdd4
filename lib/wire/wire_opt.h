/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* TCP options to values (RFC 9293 3.2, 7323, 2018). Each option is judged on its
 * own; what is agreed between the ends is the engine's. */

#ifndef PMTCP_WIRE_WIRE_OPT_H
#define PMTCP_WIRE_WIRE_OPT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "wire/seg.h"

enum wire_opt_kind {
	WIRE_OPT_EOL = 0,
	WIRE_OPT_NOP = 1,
	WIRE_OPT_MSS = 2,
	WIRE_OPT_WSCALE = 3,
	WIRE_OPT_SACK_PERM = 4,
	WIRE_OPT_SACK = 5,
	WIRE_OPT_TS = 8,
};

enum {
	WIRE_OPTS_MAX = 40,       /* DOFF 15 */
	WIRE_WSCALE_MAX = 14,     /* RFC 7323 2.3 */
	WIRE_SACK_MAX = 4,        /* blocks that 40 octets can hold */
	WIRE_MSS_DEFAULT4 = 536,  /* RFC 9293 MUST-15 */
	WIRE_MSS_DEFAULT6 = 1220, /* the same over IPv6 */
	WIRE_MSS_FLOOR = 88,      /* W-31 */
};

/* Reads the len = DOFF * 4 - 20 octets at opt, which lie at `off` of the packet
 * data, and sets opts, mss, wscale, tsval, tsecr, n_sack and sack_off of seg.
 * Caller: these are 0, seg->flags is set, len <= WIRE_OPTS_MAX. */
void wire_parse_opts(const uint8_t *opt, uint8_t len, uint16_t off, struct seg *seg);

/* SACK block i of the segment, edges as on the wire; false if there is none.
 * Caller: m is the packet as it was parsed, headers not yet cut off. */
bool wire_sack_block(const struct rte_mbuf *m, const struct seg *seg, uint8_t i, uint32_t *left,
		uint32_t *right);

/* The peer's MSS of a SYN, never below the floor (W-31). The own limit is not known
 * here. */
static inline uint16_t
wire_peer_mss(const struct seg *seg)
{
	uint16_t mss = seg->is_v6 ? WIRE_MSS_DEFAULT6 : WIRE_MSS_DEFAULT4;

	if (seg->opts & SEG_OPT_MSS)
		mss = seg->mss;
	return mss < WIRE_MSS_FLOOR ? WIRE_MSS_FLOOR : mss;
}

/* What a SYN of ours says (OPEN-9, RFC 9293 3.7.1, RFC 6691): the MTU less the fixed
 * headers of IP and TCP. Caller: mtu is that of the link, above 60. */
static inline uint16_t
wire_mss_of_mtu(uint16_t mtu, bool is_v6)
{
	return (uint16_t)(mtu - (is_v6 ? 60 : 40));
}

#endif /* PMTCP_WIRE_WIRE_OPT_H */
