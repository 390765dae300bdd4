/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See frame.h. */

#include "frame.h"

#include <string.h>

#include "base/base.h"

enum {
	ETH_LEN = 14,
	TAG_LEN = 4,
	IP4_LEN = 20,
	IP6_LEN = 40,
	TCP_LEN = 20,
	ICMP_LEN = 8,
	EXT_MAX = 8,
	P_ICMP = 1,
	P_TCP = 6,
	P_ICMP6 = 58,
};

/* What is being mended: ip of ip_len octets, whose upper layer begins at `l4`. */
struct mend {
	const struct fuzz_peer *f;
	uint8_t *mac; /* the frame's first octet */
	uint8_t *ip;
	uint32_t ip_len;
	uint32_t l4;
	bool is_v6;
	uint8_t proto;
};

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t
get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t
get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

/* ---- Ethernet ------------------------------------------------------------ */

static void
lengthen(struct frame *x, uint32_t len)
{
	if (x->len >= len)
		return;
	memset(x->bytes + x->len, 0, len - x->len);
	x->len = len;
}

/* Ours, one of a priority only, or none: as the context wants it. Returns the length of
 * the Ethernet header. */
static uint32_t
mend_tag(struct frame *x, uint16_t vlan)
{
	uint8_t *tag = x->bytes + 12;
	uint32_t vid = get16(tag + 2) & 0xfff;
	bool is_tagged = get16(tag) == 0x8100;

	if (!is_tagged && vlan == 0)
		return ETH_LEN;
	if (!is_tagged) {
		x->len = min_u32(x->len, FRAME_MAX - TAG_LEN);
		memmove(tag + TAG_LEN, tag, x->len - 12);
		x->len += TAG_LEN;
		put16(tag, 0x8100);
		put16(tag + 2, vlan);
	} else if (vid != 0) {
		put16(tag + 2, (get16(tag + 2) & 0xf000) | vlan);
	}
	return ETH_LEN + TAG_LEN;
}

/* Groups are kept where they may be: in requests. Returns the length of the header. */
static uint32_t
mend_ether(struct frame *x, const struct fuzz_peer *f, bool is_segment)
{
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR);
	uint32_t at;

	lengthen(x, 60);
	at = mend_tag(x, f->side.conf.vlan);
	x->len = min_u32(x->len, 1500 + at);
	if (is_segment || !(x->bytes[0] & 1))
		memcpy(x->bytes, self.addr_bytes, 6);
	x->bytes[6] &= 0xfe;
	return at;
}

/* ---- IP ------------------------------------------------------------------ */

/* IPv4 options: those that cannot be become no-operations, and so do source routes. */
static void
mend_ip_opts(uint8_t *opt, uint32_t len)
{
	uint32_t i = 0;

	while (i < len && opt[i] != 0) {
		uint32_t n = opt[i] == 1 ? 1 : len - i < 2 ? 0 : opt[i + 1];

		if (opt[i] != 1 && (n < 2 || n > len - i || opt[i] == 131 || opt[i] == 137)) {
			opt[i] = 1;
			n = 1;
		}
		i += n;
	}
}

static void
mend_ip4(struct mend *m)
{
	uint8_t *ip = m->ip;
	uint32_t ihl = (ip[0] & 15u) * 4, said = get16(ip + 2);

	if (ihl < IP4_LEN || ihl + TCP_LEN > m->ip_len)
		ihl = IP4_LEN;
	ip[0] = (uint8_t)(0x40 | ihl / 4);
	mend_ip_opts(ip + IP4_LEN, ihl - IP4_LEN);
	/* What is behind a length that can be, is padding. */
	if (said >= ihl + TCP_LEN && said < m->ip_len)
		m->ip_len = said;
	put16(ip + 2, m->ip_len);
	ip[6] &= 0x40;
	ip[7] = 0;
	ip[9] = m->proto;
	put32(ip + 12, TEST_PEER);
	put32(ip + 16, TEST_ADDR);
	put16(ip + 10, 0);
	put16(ip + 10, build_cksum(build_sum(0, ip, ihl)));
	m->l4 = ihl;
}

/* RFC 8200 4.2: padding takes the place of options that cannot be or ask for a drop. */
static void
mend_ext_opts(uint8_t *h, uint32_t len)
{
	uint32_t i = 2;

	while (i < len) {
		bool is_whole = len - i >= 2 && h[i + 1] <= len - i - 2;

		if (h[i] != 0 && !is_whole)
			h[i] = 0;
		h[i] &= 0x3f;
		i += h[i] == 0 ? 1 : 2u + h[i + 1];
	}
}

static void
mend_ext(uint8_t kind, uint8_t *h, uint32_t len)
{
	if (kind == 44) {
		h[2] = 0;
		h[3] &= 0x06;
	} else if (kind == 43) {
		h[2] = h[2] == 0 ? 4 : h[2];
		h[3] = 0;
	} else {
		mend_ext_opts(h, len);
	}
}

/* The chain as far as it goes, to the protocol at its end. */
static void
mend_chain(struct mend *m)
{
	uint8_t *next = m->ip + 6;

	m->l4 = IP6_LEN;
	for (int n = 0; n < EXT_MAX; n++) {
		uint8_t *h = m->ip + m->l4, kind = *next;
		uint32_t len = kind == 44 ? 8 : (h[1] + 1u) * 8;

		if (kind != 43 && kind != 44 && kind != 60 && !(kind == 0 && n == 0))
			break;
		if (m->l4 + 8 + TCP_LEN > m->ip_len)
			break;
		if (m->l4 + len + TCP_LEN > m->ip_len) {
			h[1] = 0;
			len = 8;
		}
		mend_ext(kind, h, len);
		next = h;
		m->l4 += len;
	}
	*next = m->proto;
}

static void
mend_ip6(struct mend *m)
{
	uint8_t *ip = m->ip;
	uint32_t said = get16(ip + 4) + IP6_LEN;

	ip[0] = (uint8_t)(0x60 | (ip[0] & 15));
	ctx_ip6_of(TEST_PEER, ip + 8);
	ctx_ip6_of(TEST_ADDR, ip + 24);
	if (said >= IP6_LEN + TCP_LEN && said < m->ip_len)
		m->ip_len = said;
	put16(ip + 4, m->ip_len - IP6_LEN);
	mend_chain(m);
}

static void
mend_cksum(const struct mend *m, uint32_t at)
{
	uint32_t len = m->ip_len - m->l4;
	uint8_t tail[4] = {0, m->proto, 0, 0};
	uint32_t sum = 0;

	put16(tail + 2, len);
	if (m->proto != P_ICMP)
		sum = build_sum(build_sum(0, tail, 4), m->ip + (m->is_v6 ? 8 : 12),
				m->is_v6 ? 32 : 8);
	put16(m->ip + m->l4 + at, 0);
	put16(m->ip + m->l4 + at, build_cksum(build_sum(sum, m->ip + m->l4, len)));
}

/* ---- TCP ----------------------------------------------------------------- */

/* An octet that begins no whole option is a no-operation. */
static void
mend_tcp_opts(uint8_t *opt, uint32_t len, const struct edges *e)
{
	uint32_t i = 0;

	while (i < len && opt[i] != 0) {
		uint32_t n = opt[i] == 1 ? 1 : len - i < 2 ? 0 : opt[i + 1];

		if (opt[i] != 1 && (n < 2 || n > len - i)) {
			opt[i] = 1;
			n = 1;
		}
		if (opt[i] == 8 && n == 10) {
			put32(opt + i + 2, peer_tsval(e) + (uint32_t)(int8_t)opt[i + 5]);
			put32(opt + i + 6, e->tsval - opt[i + 9]);
		}
		for (uint32_t k = 2; opt[i] == 5 && k + 4 <= n; k += 4)
			put32(opt + i + k, e->una + get16(opt + i + k + 2));
		i += n;
	}
}

static void
mend_tcp(const struct mend *m)
{
	uint8_t *tcp = m->ip + m->l4;
	uint32_t len = m->ip_len - m->l4, doff = (tcp[12] >> 4) * 4u;
	uint16_t port = PEER_PORT + (tcp[1] & 1);
	uint32_t seq = get32(tcp + 4), ack = get32(tcp + 8);
	struct edges e;

	peer_edges(m->f, port, &e);
	put16(tcp, port);
	put16(tcp + 2, SIDE_PORT);
	put32(tcp + 4, peer_draw_seq(m->f, &e, (uint8_t)(seq >> 24)) + (uint32_t)(int8_t)seq);
	put32(tcp + 8, peer_draw_ack(&e, (uint8_t)(ack >> 24)) + (uint32_t)(int8_t)ack);
	if (doff < TCP_LEN || doff > len)
		doff = min_u32(60, len & ~3u);
	tcp[12] = (uint8_t)(doff << 2 | (tcp[12] & 15));
	mend_tcp_opts(tcp + TCP_LEN, doff - TCP_LEN, &e);
	mend_cksum(m, 16);
}

/* ---- ICMP and ARP -------------------------------------------------------- */

/* An error quotes a segment of ours, which may be in flight. */
static void
mend_quote(const struct mend *m)
{
	uint32_t ip_len = m->is_v6 ? IP6_LEN : IP4_LEN;
	uint8_t *ip = m->ip + m->l4 + ICMP_LEN, *tcp = ip + ip_len;
	struct edges e;

	if (m->l4 + ICMP_LEN + ip_len + 8 > m->ip_len)
		return;
	ip[0] = m->is_v6 ? 0x60 : 0x45;
	ip[m->is_v6 ? 6 : 9] = P_TCP;
	put32(ip + 12, m->is_v6 ? get32(ip + 12) : TEST_ADDR);
	put32(ip + 16, m->is_v6 ? get32(ip + 16) : TEST_PEER);
	if (m->is_v6) {
		ctx_ip6_of(TEST_ADDR, ip + 8);
		ctx_ip6_of(TEST_PEER, ip + 24);
	}
	peer_edges(m->f, PEER_PORT, &e);
	put16(tcp, SIDE_PORT);
	put16(tcp + 2, PEER_PORT);
	put32(tcp + 4, (tcp[4] & 1 ? e.nxt : e.una) + (uint32_t)(int8_t)tcp[7]);
}

static void
mend_nd(const struct mend *m)
{
	struct rte_ether_addr group = {{0x33, 0x33, 0xff, 0, 0, 1}};
	uint8_t *nd = m->ip + m->l4;

	m->ip[7] = 255;
	nd[1] = 0;
	if (m->l4 + 24 > m->ip_len)
		return;
	ctx_ip6_of(nd[0] == 135 ? TEST_ADDR : TEST_PEER, nd + 8);
	/* RFC 4291 2.7.1: who asks for an address asks its group. */
	if (m->ip_len - m->l4 < 32 || (nd[24] & 1))
		return;
	memcpy(m->mac, group.addr_bytes, 6);
	memcpy(m->ip + 24, (const uint8_t[]){0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1},
			16);
}

static void
mend_icmp(const struct mend *m)
{
	static const uint8_t types4[8] = {3, 3, 11, 12, 8, 0, 3, 5};
	static const uint8_t types6[8] = {1, 2, 3, 4, 128, 135, 136, 129};
	uint8_t *icmp = m->ip + m->l4;

	icmp[0] = (m->is_v6 ? types6 : types4)[icmp[0] & 7];
	if (m->is_v6 ? icmp[0] < 128 : icmp[0] != 8 && icmp[0] != 0)
		mend_quote(m);
	else if (icmp[0] == 135 || icmp[0] == 136)
		mend_nd(m);
	mend_cksum(m, 2);
}

static void
mend_arp(uint8_t *arp, uint32_t len)
{
	static const uint8_t head[6] = {0, 1, 8, 0, 6, 4};

	if (len < 28)
		return;
	memcpy(arp, head, sizeof(head));
	put16(arp + 6, 1 + (arp[7] & 1u));
	put32(arp + 14, TEST_NET | (arp[17] & 7));
	put32(arp + 24, TEST_NET | (arp[27] & 3));
}

/* ---- whole frames -------------------------------------------------------- */

/* Where the upper layer would be, room made for it. */
static void
begin(struct mend *m, struct frame *x, uint32_t at)
{
	lengthen(x, at + (m->is_v6 ? IP6_LEN : IP4_LEN) + TCP_LEN);
	m->mac = x->bytes;
	m->ip = x->bytes + at;
	m->ip_len = x->len - at;
}

static void
mend_ip(struct mend *m)
{
	if (m->is_v6)
		mend_ip6(m);
	else
		mend_ip4(m);
}

/* The protocol that the octets name; of those that nobody knows three in four become one
 * that somebody does. */
static uint8_t
proto_of(const struct mend *m)
{
	const uint8_t *next = m->is_v6 ? m->ip + 6 : m->ip + 9;
	uint8_t icmp = m->is_v6 ? P_ICMP6 : P_ICMP;

	if (*next == P_TCP || *next == icmp)
		return *next;
	/* The last header would say so; the first one's flow label does. */
	if (m->is_v6 && (*next == 0 || *next == 43 || *next == 44 || *next == 60))
		return (m->ip[3] & 1) ? P_TCP : P_ICMP6;
	return (*next & 3) == 3 ? *next : (*next & 3) == 2 ? P_TCP : icmp;
}

/* The same of the EtherType. */
static uint32_t
type_of(const struct frame *x, uint32_t at)
{
	static const uint16_t types[3] = {0x0800, 0x86dd, 0x0806};
	uint32_t type = get16(x->bytes + at - 2);

	if (type == 0x0800 || type == 0x86dd || type == 0x0806 || (type & 3) == 3)
		return type;
	return types[type & 3];
}

enum frame_kind
frame_mend(struct frame *x, const struct fuzz_peer *f)
{
	uint32_t at = mend_ether(x, f, false);
	uint32_t type = type_of(x, at);
	struct mend m = {.f = f, .is_v6 = type == 0x86dd};

	put16(x->bytes + at - 2, type);
	if (type == 0x0806)
		mend_arp(x->bytes + at, x->len - at);
	if (type != 0x0800 && type != 0x86dd)
		return FRAME_OTHER;
	begin(&m, x, at);
	m.proto = proto_of(&m);
	if (m.proto == P_TCP)
		return FRAME_SEGMENT;
	mend_ip(&m);
	if (m.proto == (m.is_v6 ? P_ICMP6 : P_ICMP))
		mend_icmp(&m);
	return FRAME_OTHER;
}

void
frame_mend_segment(struct frame *x, const struct fuzz_peer *f)
{
	uint32_t at = mend_ether(x, f, true);
	uint8_t *type = x->bytes + at - 2;
	struct mend m = {.f = f, .proto = P_TCP};

	/* Where there are two versions, both are tried. */
	m.is_v6 = f->side.is_v6 && get16(type) != 0x0800;
	put16(type, m.is_v6 ? 0x86dd : 0x0800);
	begin(&m, x, at);
	mend_ip(&m);
	mend_tcp(&m);
}
