/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The chain of IPv6 extension headers (RFC 8200 section 4) up to the upper layer:
 * walked within bounds, nothing of it acted upon. */

#ifndef PMTCP_WIRE_WIRE_EXT_H
#define PMTCP_WIRE_WIRE_EXT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

enum {
	WIRE_EXT_MAX = 8, /* headers of one packet (W-17) */
	/* What RFC 8504 5.3 lets a host bound, so that a long frame is not an option an octet
	 * (SEC-14): nobody has more to say, and no alignment takes more than 7 octets. */
	WIRE_EXT_OPTS_MAX = 8, /* in hop-by-hop, and in all destination options; no padding */
	WIRE_EXT_PAD_MAX = 7,  /* octets of Pad1 and PadN in a row */
	WIRE_NEXT_HOP_BY_HOP = 0,
	WIRE_NEXT_TCP = 6,
	WIRE_NEXT_ROUTING = 43,
	WIRE_NEXT_FRAGMENT = 44,
	WIRE_NEXT_ICMP6 = 58,
	WIRE_NEXT_NONE = 59,
	WIRE_NEXT_DEST_OPTS = 60,
};

/* Codes of an ICMPv6 parameter problem (RFC 4443 3.4). */
enum {
	WIRE_PROBLEM_NEXT_HEADER = 1,
	WIRE_PROBLEM_OPTION = 2,
};

enum wire_ext_verdict {
	WIRE_EXT_DONE,    /* `next` is TCP or ICMPv6 and begins at `at` */
	WIRE_EXT_DROP,    /* for `reason` */
	WIRE_EXT_PROBLEM, /* as DROP; `problem` and `at` are for the sender to know */
};

struct wire_ext {
	const struct rte_mbuf *m;
	uint32_t at;       /* in: behind the IPv6 header; offsets in the packet data */
	uint32_t end;      /* in: of the datagram, within the packet */
	uint8_t next;      /* in: Next Header of the IPv6 header */
	uint8_t problem;   /* code of the parameter problem */
	uint8_t n_opts[2]; /* no padding: of destination options, of hop-by-hop */
	bool is_frag;      /* an atomic fragment (RFC 6946) */
	uint16_t reason;   /* enum wire_drop */
};

/* Reads only bytes that are present. A packet that may carry an ICMPv6 error is no
 * PROBLEM (RFC 4443 2.4 e.1). */
enum wire_ext_verdict wire_ext_walk(struct wire_ext *e);

#endif /* PMTCP_WIRE_WIRE_EXT_H */
