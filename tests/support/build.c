/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Writes frames front to back and fills lengths and checksums in afterwards. */

#include "support/build.h"

#include <string.h>

#include "base/base.h"
#include "base/check.h"

#define PROTO_TCP    6
#define PROTO_ICMP   1
#define PROTO_ICMPV6 58

struct out {
	uint8_t *p;
	size_t len;
	size_t cap;
};

static void
put_bytes(struct out *o, const void *bytes, size_t n)
{
	CHECK(n <= o->cap - o->len);
	if (n != 0)
		memcpy(o->p + o->len, bytes, n);
	o->len += n;
}

static void
put_u8(struct out *o, uint8_t v)
{
	put_bytes(o, &v, 1);
}

static void
put_u16(struct out *o, uint16_t v)
{
	put_u8(o, (uint8_t)(v >> 8));
	put_u8(o, (uint8_t)v);
}

static void
put_u32(struct out *o, uint32_t v)
{
	put_u16(o, (uint16_t)(v >> 16));
	put_u16(o, (uint16_t)v);
}

static void
put_zeros(struct out *o, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_u8(o, 0);
}

static void
patch_u16(struct out *o, size_t at, uint16_t v)
{
	o->p[at] = (uint8_t)(v >> 8);
	o->p[at + 1] = (uint8_t)v;
}

uint32_t
build_sum(uint32_t sum, const uint8_t *bytes, size_t len)
{
	uint64_t total = sum;

	for (size_t i = 0; i < len / 2; i++)
		total += (uint32_t)bytes[2 * i] << 8 | bytes[2 * i + 1];
	if (len % 2 != 0)
		total += (uint32_t)bytes[len - 1] << 8;
	while (total > 0xffff)
		total = (total & 0xffff) + (total >> 16);
	return (uint32_t)total;
}

uint16_t
build_cksum(uint32_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void
put_ether(struct out *o, const struct build *b, uint16_t ethertype)
{
	put_bytes(o, b->dmac, 6);
	put_bytes(o, b->smac, 6);
	if (b->vlan != 0) {
		put_u16(o, 0x8100);
		put_u16(o, b->vlan);
	}
	put_u16(o, ethertype);
}

/* The length fields wait for fill_lengths. */
static void
put_ip(struct out *o, const struct build *b, uint8_t proto)
{
	uint8_t ttl = b->ttl != 0 ? b->ttl : 64;

	if (b->version == 6) {
		put_u32(o, 6u << 28 | (uint32_t)b->tos << 20 | b->flow_label);
		put_u16(o, 0);
		put_u8(o, b->ext_len != 0 ? b->next : proto);
		put_u8(o, ttl);
		put_bytes(o, b->saddr6, 16);
		put_bytes(o, b->daddr6, 16);
		put_bytes(o, b->ext, b->ext_len);
		return;
	}
	CHECK(b->ip_opts_len % 4 == 0);
	put_u8(o, (uint8_t)(0x40 | (5 + b->ip_opts_len / 4)));
	put_u8(o, b->tos);
	put_u16(o, 0);
	put_u16(o, b->ip_id);
	put_u16(o, b->frag);
	put_u8(o, ttl);
	put_u8(o, proto);
	put_u16(o, 0);
	put_u32(o, b->saddr);
	put_u32(o, b->daddr);
	put_bytes(o, b->ip_opts, b->ip_opts_len);
}

static void
fill_ip(struct out *o, const struct build *b, size_t ip_at, size_t l4_at)
{
	size_t from = b->version == 6 ? ip_at + 40 : ip_at;
	uint16_t len = b->ip_len != 0 ? b->ip_len : (uint16_t)(o->len - from);

	if (b->version == 6) {
		patch_u16(o, ip_at + 4, len);
		return;
	}
	patch_u16(o, ip_at + 2, len);
	patch_u16(o, ip_at + 10,
			build_cksum(build_sum(0, o->p + ip_at, l4_at - ip_at)) ^ b->ip_cksum_xor);
}

/* The pseudo-headers of RFC 9293 section 3.1 and RFC 8200 section 8.1. */
static uint32_t
pseudo_sum(const struct build *b, uint8_t proto, size_t l4_len)
{
	uint8_t bytes[40];
	struct out o = {.p = bytes, .cap = sizeof(bytes)};

	if (b->version == 6) {
		put_bytes(&o, b->saddr6, 16);
		put_bytes(&o, b->daddr6, 16);
	} else {
		put_u32(&o, b->saddr);
		put_u32(&o, b->daddr);
	}
	put_u32(&o, (uint32_t)l4_len);
	put_u32(&o, proto);
	return build_sum(0, bytes, o.len);
}

static void
put_nops(struct out *o, int n)
{
	for (int i = 0; i < n; i++)
		put_u8(o, 1);
}

/* The order and alignment of common stacks. */
static void
put_opts(struct out *o, const struct build *b)
{
	size_t from = o->len;

	if (b->opts & PKT_OPT_MSS) {
		put_u16(o, 0x0204);
		put_u16(o, b->mss);
	}
	if (b->opts & PKT_OPT_SACK_PERM) {
		put_nops(o, b->opts & PKT_OPT_TS ? 0 : 2);
		put_u16(o, 0x0402);
	}
	if (b->opts & PKT_OPT_TS) {
		put_nops(o, b->opts & PKT_OPT_SACK_PERM ? 0 : 2);
		put_u16(o, 0x080a);
		put_u32(o, b->tsval);
		put_u32(o, b->tsecr);
	}
	if (b->opts & PKT_OPT_WSCALE) {
		put_nops(o, 1);
		put_u16(o, 0x0303);
		put_u8(o, b->wscale);
	}
	if (b->opts & PKT_OPT_SACK) {
		CHECK(b->n_sack <= PKT_SACK_MAX);
		put_nops(o, 2);
		put_u8(o, 5);
		put_u8(o, (uint8_t)(2 + 8 * b->n_sack));
		for (int i = 0; i < b->n_sack; i++) {
			put_u32(o, b->sack[i].left);
			put_u32(o, b->sack[i].right);
		}
	}
	put_bytes(o, b->raw_opts, b->raw_opts_len);
	put_zeros(o, (4 - (o->len - from) % 4) % 4);
	CHECK(o->len - from <= 40);
}

static void
put_tcp(struct out *o, const struct build *b)
{
	size_t at = o->len;
	size_t words;

	put_u16(o, b->sport);
	put_u16(o, b->dport);
	put_u32(o, b->seq);
	put_u32(o, b->ack);
	put_u8(o, 0);
	put_u8(o, b->flags);
	put_u16(o, b->wnd);
	put_u16(o, 0);
	put_u16(o, b->urg);
	put_opts(o, b);
	words = b->doff != 0 ? b->doff : (o->len - at) / 4;
	o->p[at + 12] = (uint8_t)(words << 4);
	put_bytes(o, b->payload, b->len);
}

static void
put_pad(struct out *o, const struct build *b)
{
	if (o->len < b->pad_to)
		put_zeros(o, b->pad_to - o->len);
}

size_t
build_tcp_bytes(const struct build *b, uint8_t *out, size_t cap)
{
	struct out o = {.p = out, .cap = cap};
	uint8_t proto = b->proto != 0 ? b->proto : PROTO_TCP;
	size_t ip_at, l4_at, l4_len;
	uint32_t sum;

	put_ether(&o, b, b->version == 6 ? 0x86dd : 0x0800);
	ip_at = o.len;
	put_ip(&o, b, proto);
	l4_at = o.len;
	put_tcp(&o, b);
	l4_len = o.len - l4_at;
	fill_ip(&o, b, ip_at, l4_at);
	sum = build_sum(pseudo_sum(b, proto, l4_len), out + l4_at, l4_len);
	patch_u16(&o, l4_at + 16, build_cksum(sum) ^ b->l4_cksum_xor);
	put_pad(&o, b);
	return o.len;
}

struct rte_mbuf *
build_tcp(struct rte_mempool *pool, const struct build *b)
{
	uint8_t bytes[BUILD_BYTES_MAX];
	size_t len = build_tcp_bytes(b, bytes, sizeof(bytes));

	return build_mbuf(pool, bytes, len, b->seg_size);
}

size_t
build_icmp_bytes(const struct build *b, const struct build_icmp *icmp, uint8_t *bytes, size_t cap)
{
	struct out o = {.p = bytes, .cap = cap};
	bool is_v6 = b->version == 6;
	uint8_t proto = is_v6 ? PROTO_ICMPV6 : PROTO_ICMP;
	size_t ip_at, l4_at;
	uint32_t sum = 0;

	put_ether(&o, b, is_v6 ? 0x86dd : 0x0800);
	ip_at = o.len;
	put_ip(&o, b, proto);
	l4_at = o.len;
	put_u8(&o, icmp->type);
	put_u8(&o, icmp->code);
	put_u16(&o, 0);
	put_u32(&o, icmp->rest);
	put_bytes(&o, b->payload, b->len);
	fill_ip(&o, b, ip_at, l4_at);
	/* RFC 4443 section 2.3: only ICMPv6 covers the pseudo-header. */
	if (is_v6)
		sum = pseudo_sum(b, proto, o.len - l4_at);
	sum = build_sum(sum, bytes + l4_at, o.len - l4_at);
	patch_u16(&o, l4_at + 2, build_cksum(sum) ^ b->l4_cksum_xor);
	put_pad(&o, b);
	return o.len;
}

struct rte_mbuf *
build_icmp(struct rte_mempool *pool, const struct build *b, const struct build_icmp *icmp)
{
	uint8_t bytes[BUILD_BYTES_MAX];
	size_t len = build_icmp_bytes(b, icmp, bytes, sizeof(bytes));

	return build_mbuf(pool, bytes, len, b->seg_size);
}

struct rte_mbuf *
build_nd(struct rte_mempool *pool, const struct build *b, const struct build_nd *nd)
{
	struct build_icmp icmp = {
			.type = nd->type, .code = nd->code, .rest = (uint32_t)nd->flags << 24};
	struct build full = *b;
	uint8_t body[16 + UINT8_MAX];

	memcpy(body, nd->target, 16);
	if (nd->opts_len != 0)
		memcpy(body + 16, nd->opts, nd->opts_len);
	full.version = 6;
	full.ttl = b->ttl != 0 ? b->ttl : 255;
	full.payload = body;
	full.len = 16u + nd->opts_len;
	return build_icmp(pool, &full, &icmp);
}

struct rte_mbuf *
build_arp(struct rte_mempool *pool, const struct build *b, const struct pkt_arp *arp)
{
	uint8_t bytes[128];
	struct out o = {.p = bytes, .cap = sizeof(bytes)};

	put_ether(&o, b, 0x0806);
	put_u16(&o, 1);
	put_u16(&o, 0x0800);
	put_u8(&o, 6);
	put_u8(&o, 4);
	put_u16(&o, arp->op);
	put_bytes(&o, arp->sha, 6);
	put_u32(&o, arp->spa);
	put_bytes(&o, arp->tha, 6);
	put_u32(&o, arp->tpa);
	put_pad(&o, b);
	return build_mbuf(pool, bytes, o.len, b->seg_size);
}

struct rte_mbuf *
build_mbuf(struct rte_mempool *pool, const void *bytes, size_t len, uint16_t seg_size)
{
	struct rte_mbuf *head = NULL;
	size_t done = 0;

	CHECK(len > 0);
	while (done < len) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
		size_t n = seg_size == 0 ? len : min_u64(seg_size, len - done);
		char *to;

		CHECK(m != NULL);
		to = rte_pktmbuf_append(m, (uint16_t)n);
		CHECK(to != NULL);
		memcpy(to, (const char *)bytes + done, n);
		done += n;
		if (head == NULL)
			head = m;
		else
			CHECK(rte_pktmbuf_chain(head, m) == 0);
	}
	return head;
}

void
build_reply_to(struct build *b, const struct pkt *p)
{
	memcpy(b->dmac, p->smac, 6);
	memcpy(b->smac, p->dmac, 6);
	b->vlan = p->vlan;
	b->version = p->version;
	b->saddr = p->daddr;
	b->daddr = p->saddr;
	memcpy(b->saddr6, p->daddr6, 16);
	memcpy(b->daddr6, p->saddr6, 16);
	b->sport = p->dport;
	b->dport = p->sport;
}
