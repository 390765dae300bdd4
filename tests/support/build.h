/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Frames for the stack to receive: Ethernet, VLAN, IPv4, IPv6, TCP, ARP and
 * ICMP, written byte by byte from a struct whose zero value of a field means
 * the ordinary thing. Shares nothing with lib/wire, so that a test never
 * computes what it expects with the code it tests. The decoder is pkt.h. */

#ifndef PMTCP_TESTS_SUPPORT_BUILD_H
#define PMTCP_TESTS_SUPPORT_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "support/pkt.h"

#define BUILD_BYTES_MAX PKT_BYTES_MAX

/* Numbers and IPv4 addresses in host byte order. */
struct build {
	uint8_t dmac[6];
	uint8_t smac[6];
	uint16_t vlan;     /* tagged with this id if not 0 */
	uint16_t pad_to;   /* Ethernet padding up to this frame length */
	uint16_t seg_size; /* the mbuf chain is cut into pieces of this size; 0: one mbuf */

	uint8_t version; /* 0 or 4: IPv4; 6: IPv6 */
	uint8_t tos;
	uint8_t ttl;   /* 0: 64 */
	uint8_t proto; /* 0: TCP */
	uint16_t ip_id;
	uint16_t frag;   /* flags and offset as on the wire */
	uint16_t ip_len; /* what the length field says; 0: the truth */
	uint8_t ip_opts_len;
	const void *ip_opts; /* a multiple of 4 bytes */
	uint32_t saddr;
	uint32_t daddr;
	uint8_t saddr6[16];
	uint8_t daddr6[16];
	uint32_t flow_label;
	uint8_t next;     /* what the IPv6 header's Next Header says if ext_len is not 0 */
	uint16_t ext_len; /* extension headers, which name each other and then `proto` */
	const void *ext;

	uint16_t sport;
	uint16_t dport;
	uint32_t seq;
	uint32_t ack;
	uint8_t flags;
	uint8_t doff; /* what the data offset field says, in words; 0: the truth */
	uint16_t wnd;
	uint16_t urg;

	uint8_t opts; /* enum pkt_opt: which of the following are written */
	uint8_t wscale;
	uint16_t mss;
	uint32_t tsval;
	uint32_t tsecr;
	uint8_t n_sack;
	uint8_t raw_opts_len;
	struct pkt_sack sack[PKT_SACK_MAX];
	const void *raw_opts; /* option bytes behind the others, then padded with zeros */

	const void *payload;
	uint32_t len;

	uint16_t ip_cksum_xor; /* bits to break in a checksum that is right otherwise */
	uint16_t l4_cksum_xor;
};

/* The frame as bytes; returns its length, at most cap. */
size_t build_tcp_bytes(const struct build *b, uint8_t *out, size_t cap);

/* The frame as an mbuf (chain) of the pool; never NULL, the pool must have room. */
struct rte_mbuf *build_tcp(struct rte_mempool *pool, const struct build *b);

/* Addresses, ports and VLAN such that a frame from `b` answers `p`. */
void build_reply_to(struct build *b, const struct pkt *p);

/* An ICMP message (ICMPv6 if the version is 6) in place of TCP; `payload` is
 * what follows the first 8 bytes. */
struct build_icmp {
	uint8_t type;
	uint8_t code;
	uint32_t rest; /* the second 4 bytes: MTU, identifier and sequence */
};
struct rte_mbuf *build_icmp(
		struct rte_mempool *pool, const struct build *b, const struct build_icmp *icmp);

/* The same as bytes; returns the length. */
size_t build_icmp_bytes(
		const struct build *b, const struct build_icmp *icmp, uint8_t *out, size_t cap);

/* Neighbour Discovery over IPv6, hop limit 255 unless b->ttl says otherwise. */
struct build_nd {
	uint8_t type; /* 135 solicitation, 136 advertisement */
	uint8_t code;
	uint8_t flags; /* 0x80 router, 0x40 solicited, 0x20 override */
	uint8_t target[16];
	uint8_t opts_len;
	const void *opts; /* as on the wire */
};
struct rte_mbuf *build_nd(
		struct rte_mempool *pool, const struct build *b, const struct build_nd *nd);

/* Ethernet and ARP, padded to 60 bytes if pad_to says so; uses macs and vlan of `b`. */
struct rte_mbuf *build_arp(
		struct rte_mempool *pool, const struct build *b, const struct pkt_arp *arp);

/* Any bytes as an mbuf chain cut into pieces of seg_size; 0: one mbuf. */
struct rte_mbuf *build_mbuf(
		struct rte_mempool *pool, const void *bytes, size_t len, uint16_t seg_size);

/* The ones' complement sum of RFC 1071, one 16-bit word after the other. */
uint32_t build_sum(uint32_t sum, const uint8_t *bytes, size_t len);
uint16_t build_cksum(uint32_t sum);

#endif /* PMTCP_TESTS_SUPPORT_BUILD_H */
