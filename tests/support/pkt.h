/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Frames that came out of the stack, as values. The decoder is strict: what a
 * correct sender never writes (wrong lengths, torn options, reserved bits) is
 * an error, not something to be tolerated. Shares nothing with lib/wire. */

#ifndef PMTCP_TESTS_SUPPORT_PKT_H
#define PMTCP_TESTS_SUPPORT_PKT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

#define PKT_BYTES_MAX 16384
#define PKT_SACK_MAX  4

enum pkt_flag {
	PKT_FIN = 0x01,
	PKT_SYN = 0x02,
	PKT_RST = 0x04,
	PKT_PSH = 0x08,
	PKT_ACK = 0x10,
	PKT_URG = 0x20,
	PKT_ECE = 0x40,
	PKT_CWR = 0x80,
};

enum pkt_opt {
	PKT_OPT_MSS = 0x01,
	PKT_OPT_SACK_PERM = 0x02,
	PKT_OPT_TS = 0x04,
	PKT_OPT_WSCALE = 0x08,
	PKT_OPT_SACK = 0x10,
	PKT_OPT_OTHER = 0x20, /* well formed and of another kind */
};

enum pkt_kind {
	PKT_KIND_OTHER,
	PKT_KIND_ARP,
	PKT_KIND_TCP,
	PKT_KIND_ICMP, /* and ICMPv6 */
};

struct pkt_sack {
	uint32_t left;
	uint32_t right;
};

struct pkt_arp {
	uint16_t op; /* 1 request, 2 reply */
	uint8_t sha[6];
	uint8_t tha[6];
	uint32_t spa;
	uint32_t tpa;
};

struct pkt_nd {
	uint8_t flags; /* 0x80 router, 0x40 solicited, 0x20 override */
	uint8_t target[16];
	bool has_lladdr; /* option 1 in a solicitation, 2 in an advertisement */
	uint8_t lladdr[6];
};

/* Numbers and IPv4 addresses in host byte order. */
struct pkt {
	enum pkt_kind kind;
	uint8_t dmac[6];
	uint8_t smac[6];
	uint16_t vlan; /* 0: untagged */
	uint16_t ethertype;

	uint8_t version; /* 4, 6; 0: not IP */
	uint8_t tos;
	uint8_t ttl;
	uint8_t proto;
	uint16_t ip_id;
	uint16_t frag;
	uint32_t saddr;
	uint32_t daddr;
	uint8_t saddr6[16];
	uint8_t daddr6[16];
	uint32_t flow_label;

	uint16_t sport;
	uint16_t dport;
	uint32_t seq;
	uint32_t ack;
	uint16_t wnd;
	uint16_t urg;
	uint8_t flags;
	uint8_t opts;
	uint8_t opts_len; /* bytes of the option area, padding included */
	uint8_t wscale;
	uint8_t n_sack;
	uint16_t mss;
	uint32_t tsval;
	uint32_t tsecr;
	struct pkt_sack sack[PKT_SACK_MAX];

	uint8_t icmp_type;
	uint8_t icmp_code;
	uint32_t icmp_rest;
	struct pkt_arp arp;
	struct pkt_nd nd; /* if icmp_type is 135 or 136 */

	/* If the mbuf asks the device for a checksum, "good" means: prepared as
	 * DPDK wants it (zero in IPv4, the pseudo-header sum in TCP). */
	bool is_ip_cksum_good;
	bool is_l4_cksum_good;

	const uint8_t *payload; /* within bytes; of TCP, or behind the 8 bytes of ICMP */
	uint32_t len;
	uint32_t frame_len;
	uint8_t bytes[PKT_BYTES_MAX];
};

/* 0, -EMSGSIZE for a frame above PKT_BYTES_MAX, -EBADMSG if malformed. The mbuf
 * stays the caller's; the result does not point into it. A struct pkt may not be
 * copied, since `payload` points into it. */
int pkt_decode(struct pkt *p, const struct rte_mbuf *m);

/* The same from bytes, with no offload asked for. */
int pkt_decode_bytes(struct pkt *p, const void *bytes, size_t len);

#endif /* PMTCP_TESTS_SUPPORT_PKT_H */
