/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Received frames to values: Ethernet II, IPv4 (RFC 791, 1122), IPv6 with its
 * extension headers (RFC 8200), TCP header (RFC 9293 3.1). Judges what bytes alone can show.
 * Whether the destination MAC or IP address is ours and whether the source can be a peer is
 * the stack's. */

#ifndef PMTCP_WIRE_WIRE_PARSE_H
#define PMTCP_WIRE_WIRE_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "wire/seg.h"

enum wire_kind {
	WIRE_TCP,   /* seg is complete but for hash and index */
	WIRE_ARP,   /* EtherType only: wire_parse_arp() judges the rest, seg is untouched */
	WIRE_ICMP,  /* seg has m, key addresses, payload_off and len of the ICMP message,
		    * which wire_parse_icmp() judges; its other fields are 0 */
	WIRE_ICMP6, /* the same of IPv6, for wire_parse_icmp6() and wire_parse_nd() */
	/* An IPv6 packet that is dropped for its drop_reason and may be answered by an
	 * ICMPv6 parameter problem (W-17): seg has m, is_v6, key addresses, flags = the
	 * ICMPv6 code, payload_off = offset of the octet at fault in the packet data, and
	 * len = octets from there to the end of the datagram: wire_icmp6_problem(). */
	WIRE_IP6_PROBLEM,
	WIRE_DROP,
};

/* Why a frame is dropped; WIRE_DROP_X is counted as drop_x of pmtcp_counters.def.
 * wire_parse() never gives ARP_BAD and ICMP_BAD: they are for callers of
 * wire_parse_arp() and wire_parse_icmp(). */
enum wire_drop {
	WIRE_DROP_ETH_BAD,       /* < 14 bytes, 802.3 length field, unknown EtherType (W-1) */
	WIRE_DROP_ETH_GROUP_SRC, /* source MAC with the group bit (W-2) */
	WIRE_DROP_VLAN_BAD,      /* an 802.1Q tag: wire_vlan_take() first (W-3) */
	WIRE_DROP_OVERSIZE,      /* longer than wire_rx_conf.max_frame (W-35) */
	WIRE_DROP_ARP_BAD,       /* wire_parse_arp() said no (W-5) */
	WIRE_DROP_IP_TRUNC,      /* header or total length beyond the bytes present (W-4, W-9) */
	WIRE_DROP_IP_HEADER,     /* version wrong, IHL < 5 or above the total length (W-9), a
				  * jumbogram (W-16) */
	WIRE_DROP_IP_CKSUM,      /* header checksum wrong (W-9) */
	WIRE_DROP_IP_OPT,        /* option malformed, LSRR or SSRR (W-10, DEC-9) */
	WIRE_DROP_IP_FRAG,       /* MF set or offset > 0 (W-12, DEC-11) */
	WIRE_DROP_IP_PROTO,      /* neither TCP nor ICMP */
	WIRE_DROP_IP6_OFF,       /* IPv6 without wire_rx_conf.addr_key */
	WIRE_DROP_IP6_EXT,       /* extension header malformed or refused (W-17) */
	WIRE_DROP_IP6_EXT_LIMIT, /* too many headers, options or octets of padding (W-17, SEC-14) */
	WIRE_DROP_ICMP_BAD,      /* wire_parse_icmp() said no (W-22) */
	WIRE_DROP_TCP_HEADER,    /* < 20 bytes, DOFF < 5 or above the TCP length (W-24) */
	WIRE_DROP_TCP_CKSUM,     /* checksum wrong (W-25, MUST-3) */
	WIRE_DROP_TCP_PORT0,     /* port 0 on either side (W-27) */
	WIRE_DROP_OPT_BAD,       /* SYN with malformed options (W-28, DEC-9) */
	WIRE_DROP_MAX,
};

/* The trust bits may be set only if the port really has that receive offload
 * enabled: then GOOD is believed, BAD dropped, NONE and UNKNOWN recomputed
 * (W-25). Otherwise the mbuf's flags are not looked at: net_ring hands over
 * those of the sender. */
struct wire_rx_conf {
	bool trust_ip_cksum;
	bool trust_tcp_cksum;
	uint16_t max_frame;                 /* longest frame taken, Ethernet header included */
	const struct siphash_key *addr_key; /* of the address digest; NULL: IPv6 is dropped */
};

/* Reads only bytes that are present, in chains too, and changes nothing in m.
 * drop_reason is set if WIRE_DROP is returned, to an enum wire_drop; seg is then
 * undefined. */
enum wire_kind wire_parse(struct rte_mbuf *m, const struct wire_rx_conf *conf, struct seg *seg,
		uint16_t *drop_reason);

/* The same of a frame that usual_take() (wire_usual.h) did not take. */
enum wire_kind wire_parse_plain(struct rte_mbuf *m, const struct wire_rx_conf *conf,
		struct seg *seg, uint16_t *drop_reason);

/* The same of one that it found to be text: it begins there. */
enum wire_kind wire_parse_text(struct rte_mbuf *m, const struct wire_rx_conf *conf, struct seg *seg,
		uint16_t *drop_reason);

#endif /* PMTCP_WIRE_WIRE_PARSE_H */
