/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Reads front to back; a cursor that runs over its end stays in error. */

#include "support/pkt.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "support/build.h"

struct in {
	const uint8_t *p;
	size_t at;
	size_t end;
	bool is_bad;
};

static const uint8_t *
get_bytes(struct in *in, size_t n)
{
	static const uint8_t zeros[64];
	const uint8_t *from = in->p + in->at;

	CHECK(n <= sizeof(zeros));
	if (in->is_bad || n > in->end - in->at) {
		in->is_bad = true;
		return zeros;
	}
	in->at += n;
	return from;
}

static uint8_t
get_u8(struct in *in)
{
	return *get_bytes(in, 1);
}

static uint16_t
get_u16(struct in *in)
{
	const uint8_t *b = get_bytes(in, 2);

	return (uint16_t)(b[0] << 8 | b[1]);
}

static uint32_t
get_u32(struct in *in)
{
	uint32_t high = get_u16(in);

	return high << 16 | get_u16(in);
}

static void
require(struct in *in, bool fact)
{
	if (!fact)
		in->is_bad = true;
}

static uint32_t
pseudo_sum(const struct pkt *p, size_t l4_len)
{
	uint8_t tail[8] = {0, 0, (uint8_t)(l4_len >> 8), (uint8_t)l4_len, 0, 0, 0, p->proto};
	uint8_t addrs[8];
	uint32_t sum;

	if (p->version == 6) {
		sum = build_sum(0, p->saddr6, 16);
		sum = build_sum(sum, p->daddr6, 16);
		return build_sum(sum, tail, sizeof(tail));
	}
	for (int i = 0; i < 4; i++) {
		addrs[i] = (uint8_t)(p->saddr >> (24 - 8 * i));
		addrs[4 + i] = (uint8_t)(p->daddr >> (24 - 8 * i));
	}
	sum = build_sum(0, addrs, sizeof(addrs));
	return build_sum(sum, tail, sizeof(tail));
}

static void
decode_arp(struct pkt *p, struct in *in)
{
	p->kind = PKT_KIND_ARP;
	require(in, get_u16(in) == 1);
	require(in, get_u16(in) == 0x0800);
	require(in, get_u8(in) == 6);
	require(in, get_u8(in) == 4);
	p->arp.op = get_u16(in);
	memcpy(p->arp.sha, get_bytes(in, 6), 6);
	p->arp.spa = get_u32(in);
	memcpy(p->arp.tha, get_bytes(in, 6), 6);
	p->arp.tpa = get_u32(in);
}

/* One value for each bit of `opts`: a sender repeats no option. */
static void
note_opt(struct pkt *p, struct in *in, enum pkt_opt opt, bool is_len_right)
{
	require(in, is_len_right);
	require(in, opt == PKT_OPT_OTHER || !(p->opts & opt));
	p->opts |= (uint8_t)opt;
}

static void
decode_sack(struct pkt *p, struct in *in, uint8_t len)
{
	note_opt(p, in, PKT_OPT_SACK, len % 8 == 2 && len >= 10 && len <= 34);
	p->n_sack = in->is_bad ? 0 : (uint8_t)((len - 2) / 8);
	for (int i = 0; i < p->n_sack; i++) {
		p->sack[i].left = get_u32(in);
		p->sack[i].right = get_u32(in);
	}
}

static void
decode_opt(struct pkt *p, struct in *in, uint8_t kind)
{
	uint8_t len = get_u8(in);

	require(in, len >= 2);
	if (in->is_bad)
		return;
	switch (kind) {
	case 2:
		note_opt(p, in, PKT_OPT_MSS, len == 4);
		p->mss = get_u16(in);
		break;
	case 3:
		note_opt(p, in, PKT_OPT_WSCALE, len == 3);
		p->wscale = get_u8(in);
		break;
	case 4:
		note_opt(p, in, PKT_OPT_SACK_PERM, len == 2);
		break;
	case 5:
		decode_sack(p, in, len);
		break;
	case 8:
		note_opt(p, in, PKT_OPT_TS, len == 10);
		p->tsval = get_u32(in);
		p->tsecr = get_u32(in);
		break;
	default:
		note_opt(p, in, PKT_OPT_OTHER, true);
		get_bytes(in, len - 2);
	}
}

/* RFC 9293 section 3.2 and MUST-69: behind End of Option List only zeros. */
static void
decode_opts(struct pkt *p, struct in *in)
{
	bool is_over = false;

	while (in->at < in->end && !in->is_bad) {
		uint8_t kind = get_u8(in);

		is_over |= kind == 0;
		if (is_over)
			require(in, kind == 0);
		else if (kind != 1)
			decode_opt(p, in, kind);
	}
}

static void
decode_tcp(struct pkt *p, struct in *in, uint64_t ol_flags)
{
	size_t l4_at = in->at;
	size_t l4_len = in->end - l4_at;
	size_t end = in->end;
	uint32_t pseudo = pseudo_sum(p, l4_len);
	uint16_t cksum, doff;

	p->kind = PKT_KIND_TCP;
	p->sport = get_u16(in);
	p->dport = get_u16(in);
	p->seq = get_u32(in);
	p->ack = get_u32(in);
	doff = get_u8(in);
	p->flags = get_u8(in);
	p->wnd = get_u16(in);
	cksum = get_u16(in);
	p->urg = get_u16(in);
	require(in, (doff & 0x0f) == 0);
	doff = (uint16_t)(doff >> 4) * 4;
	require(in, doff >= 20 && doff <= l4_len);
	if (in->is_bad)
		return;
	if (ol_flags & RTE_MBUF_F_TX_TCP_CKSUM)
		p->is_l4_cksum_good = cksum + build_cksum(pseudo) == 0xffff;
	else
		p->is_l4_cksum_good = build_cksum(build_sum(pseudo, in->p + l4_at, l4_len)) == 0;
	p->opts_len = (uint8_t)(doff - 20);
	in->end = l4_at + doff;
	decode_opts(p, in);
	in->at = in->end;
	in->end = end;
}

/* RFC 4861 4.3 and 4.4, of a sender that knows only the link-layer address option. */
static void
decode_nd(struct pkt *p, struct in *in)
{
	p->nd.flags = (uint8_t)(p->icmp_rest >> 24);
	require(in, (p->icmp_rest & 0x1fffffff) == 0);
	require(in, p->ttl == 255 && p->icmp_code == 0);
	memcpy(p->nd.target, get_bytes(in, 16), 16);
	if (in->at == in->end)
		return;
	require(in, get_u8(in) == p->icmp_type - 134);
	require(in, get_u8(in) == 1);
	memcpy(p->nd.lladdr, get_bytes(in, 6), 6);
	p->nd.has_lladdr = true;
	require(in, in->at == in->end);
}

static void
decode_icmp(struct pkt *p, struct in *in)
{
	size_t l4_at = in->at;
	size_t l4_len = in->end - l4_at;
	uint32_t pseudo = p->version == 6 ? pseudo_sum(p, l4_len) : 0;

	p->kind = PKT_KIND_ICMP;
	p->icmp_type = get_u8(in);
	p->icmp_code = get_u8(in);
	get_u16(in);
	p->icmp_rest = get_u32(in);
	p->is_l4_cksum_good = build_cksum(build_sum(pseudo, in->p + l4_at, l4_len)) == 0;
	if (p->version == 6 && (p->icmp_type == 135 || p->icmp_type == 136))
		decode_nd(p, in);
}

/* Only Ethernet padding up to the least frame may follow the datagram. */
static void
cut_padding(struct in *in, size_t datagram_end)
{
	require(in, datagram_end >= in->at && datagram_end <= in->end);
	require(in, datagram_end == in->end || in->end <= 64);
	if (!in->is_bad)
		in->end = datagram_end;
}

static void
decode_ip4(struct pkt *p, struct in *in, uint64_t ol_flags)
{
	size_t ip_at = in->at;
	uint8_t ihl = get_u8(in);
	uint16_t total_len, cksum;

	require(in, ihl == 0x45);
	p->version = 4;
	p->tos = get_u8(in);
	total_len = get_u16(in);
	p->ip_id = get_u16(in);
	p->frag = get_u16(in);
	p->ttl = get_u8(in);
	p->proto = get_u8(in);
	cksum = get_u16(in);
	p->saddr = get_u32(in);
	p->daddr = get_u32(in);
	if (ol_flags & RTE_MBUF_F_TX_IP_CKSUM)
		p->is_ip_cksum_good = cksum == 0;
	else
		p->is_ip_cksum_good = build_cksum(build_sum(0, in->p + ip_at, 20)) == 0;
	cut_padding(in, ip_at + total_len);
}

static void
decode_ip6(struct pkt *p, struct in *in)
{
	uint32_t first = get_u32(in);
	uint16_t payload_len = get_u16(in);

	require(in, first >> 28 == 6);
	p->version = 6;
	p->tos = (uint8_t)(first >> 20);
	p->flow_label = first & 0xfffff;
	p->proto = get_u8(in);
	p->ttl = get_u8(in);
	memcpy(p->saddr6, get_bytes(in, 16), 16);
	memcpy(p->daddr6, get_bytes(in, 16), 16);
	p->is_ip_cksum_good = true;
	cut_padding(in, in->at + payload_len);
}

static void
decode_l4(struct pkt *p, struct in *in, uint64_t ol_flags)
{
	if (p->proto == 6)
		decode_tcp(p, in, ol_flags);
	else if (p->proto == (p->version == 6 ? 58 : 1))
		decode_icmp(p, in);
}

static int
decode_frame(struct pkt *p, uint64_t ol_flags)
{
	struct in in = {.p = p->bytes, .end = p->frame_len};

	memcpy(p->dmac, get_bytes(&in, 6), 6);
	memcpy(p->smac, get_bytes(&in, 6), 6);
	p->ethertype = get_u16(&in);
	if (p->ethertype == 0x8100) {
		p->vlan = get_u16(&in);
		p->ethertype = get_u16(&in);
	}
	if (p->ethertype == 0x0806) {
		decode_arp(p, &in);
	} else if (p->ethertype == 0x0800) {
		decode_ip4(p, &in, ol_flags);
		decode_l4(p, &in, ol_flags);
	} else if (p->ethertype == 0x86dd) {
		decode_ip6(p, &in);
		decode_l4(p, &in, ol_flags);
	}
	p->payload = p->bytes + in.at;
	p->len = (uint32_t)(in.end - in.at);
	return in.is_bad ? -EBADMSG : 0;
}

int
pkt_decode(struct pkt *p, const struct rte_mbuf *m)
{
	const void *from;

	memset(p, 0, offsetof(struct pkt, bytes));
	if (rte_pktmbuf_pkt_len(m) > PKT_BYTES_MAX)
		return -EMSGSIZE;
	CHECK(rte_mbuf_check(m, 1, &(const char *){NULL}) == 0);
	p->frame_len = rte_pktmbuf_pkt_len(m);
	from = rte_pktmbuf_read(m, 0, p->frame_len, p->bytes);
	CHECK(from != NULL);
	if (from != p->bytes)
		memcpy(p->bytes, from, p->frame_len);
	return decode_frame(p, m->ol_flags);
}

int
pkt_decode_bytes(struct pkt *p, const void *bytes, size_t len)
{
	memset(p, 0, offsetof(struct pkt, bytes));
	if (len > PKT_BYTES_MAX)
		return -EMSGSIZE;
	p->frame_len = (uint32_t)len;
	if (len != 0)
		memcpy(p->bytes, bytes, len);
	return decode_frame(p, 0);
}
