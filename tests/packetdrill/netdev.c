/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* IP packets in and out: what the tool sees as a network device. Frames of the context
 * have an Ethernet header; its only neighbours are static, so no ARP appears. */

#include "packetdrill/plug.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "support/build.h"

enum {
	TCP_CKSUM_AT = 16,
	IP4_CKSUM_AT = 10,
	TCP_LEN = 20,
	PIECES_MAX = 160, /* of a packet of 64 KB at the smallest MTU */
	ND_FIRST = 133,   /* ICMPv6: router solicitation ... */
	ND_LAST = 137,    /* ... redirect */
};

/* ---- out ------------------------------------------------------------------------------ */

__attribute__((noreturn)) static void
die(const struct plug *p, const char *why)
{
	fprintf(stderr, "pmtcp: a packet that left is wrong: %s\n", why);
	for (uint32_t i = 0; i < p->pkt.frame_len && i < PKT_BYTES_MAX; i++)
		fprintf(stderr, "%02x%s", p->pkt.bytes[i], i % 16 == 15 ? "\n" : " ");
	fprintf(stderr, "\n");
	abort();
}

/* The tool looks at few of the fields that must be right, and at no TCP checksum. */
static bool
is_for_the_tool(struct plug *p, const struct rte_mbuf *m)
{
	struct pkt *pkt = &p->pkt;

	if (pkt_decode(pkt, m) != 0)
		die(p, "malformed");
	if (pkt->kind != PKT_KIND_TCP && pkt->kind != PKT_KIND_ICMP)
		return false;
	if (pkt->version == 6 && pkt->kind == PKT_KIND_ICMP && pkt->icmp_type >= ND_FIRST &&
			pkt->icmp_type <= ND_LAST)
		return false;
	if (!pkt->is_ip_cksum_good)
		die(p, "IP checksum");
	if (!pkt->is_l4_cksum_good)
		die(p, "checksum");
	return true;
}

static void
enqueue(struct plug *p, const void *bytes, uint32_t len)
{
	struct out *out = &p->out[(p->first_out + p->n_out) % PLUG_QUEUE_MAX];

	/* The script takes none of them: as a device without a reader. */
	if (p->n_out == PLUG_QUEUE_MAX)
		return;
	out->bytes = malloc(len);
	CHECK(out->bytes);
	memcpy(out->bytes, bytes, len);
	out->len = len;
	out->time_us = p->now_us;
	p->n_out++;
}

void
plug_transmit(struct plug *p, struct rte_mbuf *m)
{
	struct layout l;

	if (!is_for_the_tool(p, m)) {
		rte_pktmbuf_free(m);
		return;
	}
	rte_pktmbuf_free(m);
	if (!packet_lay_out(&l, p->pkt.bytes + RTE_ETHER_HDR_LEN,
			    p->pkt.frame_len - RTE_ETHER_HDR_LEN))
		die(p, "length");
	if (l.proto == IPPROTO_TCP) {
		isn_out(p, &l);
		canon_out(p, &l);
		packet_l4_fill(&l, TCP_CKSUM_AT);
	}
	enqueue(p, l.ip, l.len);
}

void
plug_drop_output(struct plug *p)
{
	for (; p->n_out > 0; p->n_out--) {
		free(p->out[p->first_out].bytes);
		p->first_out = (p->first_out + 1) % PLUG_QUEUE_MAX;
	}
}

int
plug_netdev_receive(void *userdata, void *buf, size_t *len, long long *time_us)
{
	struct plug *p = userdata;
	uint64_t until;
	struct out *out;

	plug_enter(p);
	until = p->now_us + p->profile.wait_s * 1000000ull;
	while (p->n_out == 0 && p->now_us < until)
		plug_step(p, until);
	*time_us = (long long)p->now_us;
	out = &p->out[p->first_out];
	if (p->n_out > 0) {
		*len = out->len < *len ? out->len : *len;
		memcpy(buf, out->bytes, *len);
		*time_us = (long long)out->time_us;
		free(out->bytes);
		p->first_out = (p->first_out + 1) % PLUG_QUEUE_MAX;
		p->n_out--;
	} else {
		*len = 0;
	}
	plug_leave(p);
	return 0;
}

/* ---- in ------------------------------------------------------------------------------- */

/* The own address, if no bind() has told it: whom the first packet is for. */
static struct pmtcp_addr
own_address(const void *buf, size_t len)
{
	struct pmtcp_addr addr = {0};
	const uint8_t *ip = buf;

	if (len >= IP6_LEN && ip[0] >> 4 == 6 && ip[24] != 0 && ip[24] != 0xff)
		addr = pmtcp_addr6(ip + 24, 0);
	else if (len >= IP4_LEN && ip[0] >> 4 == 4 && ip[16] != 0 && ip[16] != 127 && ip[16] < 224)
		addr = pmtcp_addr4(get32(ip + 16), 0);
	return addr;
}

static struct rte_mbuf *
frame_of(struct plug *p, const void *buf, uint32_t len)
{
	uint8_t bytes[RTE_ETHER_HDR_LEN + PLUG_PACKET_MAX];
	struct rte_ether_hdr *eth = (void *)bytes;
	struct layout l;

	eth->dst_addr = p->conf.mac;
	eth->src_addr = ctx_mac_of(p->conf.gateway);
	memcpy(eth + 1, buf, len);
	eth->ether_type =
			rte_cpu_to_be_16(bytes[RTE_ETHER_HDR_LEN] >> 4 == 6 ? RTE_ETHER_TYPE_IPV6
									    : RTE_ETHER_TYPE_IPV4);
	if (packet_lay_out(&l, eth + 1, len))
		isn_in(p, &l);
	return build_mbuf(p->pool, bytes, RTE_ETHER_HDR_LEN + len, 0);
}

/* A segment above the MTU, as the network would have brought it: `room` octets of its text
 * from `at`. What belongs to the last octet (FIN, PSH) or the first (CWR) stays there. */
static void
cut_piece(const struct layout *whole, struct layout *piece, uint32_t at, uint32_t room)
{
	uint32_t header = (whole->l4[12] >> 4) * 4u;
	uint32_t left = whole->l4_len - header - at;
	uint32_t n = left < room ? left : room;
	uint16_t urg = get16(whole->l4 + 18);
	uint8_t *tcp = piece->l4;

	memcpy(tcp + header, whole->l4 + header + at, n);
	piece->l4_len = header + n;
	piece->len = (uint32_t)(tcp - piece->ip) + piece->l4_len;
	put32(tcp + 4, get32(whole->l4 + 4) + at);
	tcp[13] = whole->l4[13];
	if (n < left)
		tcp[13] &= (uint8_t) ~(PKT_FIN | PKT_PSH);
	if (at > 0)
		tcp[13] &= (uint8_t)~PKT_CWR;
	if (urg <= at)
		tcp[13] &= (uint8_t)~PKT_URG;
	put16(tcp + 18, urg > at ? (uint16_t)(urg - at) : 0);
	packet_l4_fill(piece, TCP_CKSUM_AT);
	if (piece->version == 6) {
		put16(piece->ip + 4, (uint16_t)piece->l4_len);
		return;
	}
	put16(piece->ip + 2, (uint16_t)piece->len);
	put16(piece->ip + IP4_CKSUM_AT, 0);
	put16(piece->ip + IP4_CKSUM_AT,
			build_cksum(build_sum(0, piece->ip, (size_t)(tcp - piece->ip))));
}

/* The frames of one packet, 0 if it is none that could be cut. */
static uint16_t
cut(struct plug *p, uint8_t *buf, uint32_t len, struct rte_mbuf **pkts)
{
	uint8_t bytes[PLUG_PACKET_MAX];
	struct layout whole, piece;
	uint32_t header, room;
	uint16_t n = 0;

	if (!packet_lay_out(&whole, buf, len) || whole.proto != IPPROTO_TCP ||
			packet_l4_sum(&whole) != 0)
		return 0;
	header = packet_tcp_header(&whole);
	if (header == 0 || whole.l4[13] & (PKT_SYN | PKT_RST))
		return 0;
	piece = whole;
	piece.ip = bytes;
	piece.l4 = bytes + (whole.l4 - whole.ip);
	piece.saddr = bytes + (whole.saddr - whole.ip);
	piece.daddr = bytes + (whole.daddr - whole.ip);
	memcpy(bytes, buf, (size_t)(whole.l4 - whole.ip) + header);
	room = p->profile.mtu - (uint32_t)(whole.l4 - whole.ip) - header;
	for (uint32_t at = 0; at < whole.l4_len - header && n < PIECES_MAX; at += room) {
		cut_piece(&whole, &piece, at, room);
		pkts[n++] = frame_of(p, bytes, piece.len);
	}
	return n;
}

static uint16_t
frames_of(struct plug *p, const void *buf, size_t len, struct rte_mbuf **pkts)
{
	static uint8_t copy[UINT16_MAX + IP6_LEN];
	uint16_t n = 0;

	if (len == 0)
		return 0;
	if (len <= p->profile.mtu) {
		pkts[0] = frame_of(p, buf, (uint32_t)len);
		return 1;
	}
	if (len <= sizeof(copy)) {
		memcpy(copy, buf, len);
		n = cut(p, copy, (uint32_t)len, pkts);
	}
	if (n == 0 && !p->has_warned_size) {
		fprintf(stderr, "pmtcp: a packet of %zu octets is lost: above the MTU of %u\n", len,
				p->profile.mtu);
		p->has_warned_size = true;
	}
	return n;
}

/* One packet per turn: how many ACKs a burst gets depends on the burst. */
int
plug_netdev_send(void *userdata, const void *buf, size_t len)
{
	struct plug *p = userdata;
	struct pmtcp_addr addr = own_address(buf, len);
	struct rte_mbuf *pkts[PIECES_MAX];
	struct sock *at_once = NULL;
	uint16_t n;

	plug_enter(p);
	if (addr.version != 0)
		plug_start(p, &addr);
	p->text_flow = NULL;
	n = p->ctx ? frames_of(p, buf, len, pkts) : 0;
	if (n > 0) {
		at_once = delack_end(p);
		pmtcp_input(p->ctx, plug_core_ns(p), pkts, n);
		plug_turn(p);
	}
	if (at_once)
		delack_resume(at_once);
	plug_leave(p);
	return 0;
}
