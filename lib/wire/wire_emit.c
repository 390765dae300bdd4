/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Headers of sent segments, written front to back word by word, each word going
 * into the sum from its register. */

#include "wire/wire_emit.h"

#include <string.h>

#include <rte_byteorder.h>

#include "base/check.h"
#include "wire/wire_cksum.h"
#include "wire/wire_opt.h"

enum {
	PROTO_TCP = 6,
	IP_DF = 0x4000,
	IP_CKSUM_OFF = 10,
	TCP_CKSUM_OFF = 16,
	OPT_WORD_TS = 0x0101080a,      /* NOP NOP TS */
	OPT_WORD_PERM_TS = 0x0402080a, /* SACK permitted, TS */
	OPT_WORD_PERM = 0x01010402,    /* NOP NOP SACK permitted */
	OPT_WORD_MSS = 0x02040000,     /* value to be added */
	OPT_WORD_WSCALE = 0x01030300,  /* NOP, window scale; value to be added */
	OPT_WORD_SACK = 0x01010500,    /* NOP NOP SACK; length to be added */
};

/* Where the next word goes, and what the words so far add up to. A header has
 * fewer than 2^32 words, so the sum has no carries. */
struct cursor {
	uint8_t *p;
	uint64_t sum;
};

static inline void
put32(struct cursor *c, uint32_t value)
{
	uint32_t word = rte_cpu_to_be_32(value);

	memcpy(c->p, &word, sizeof(word));
	c->p += sizeof(word);
	c->sum += word;
}

static inline void
put_cksum(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, sizeof(value));
}

uint16_t
wire_addr_sum(const struct flow_key *key)
{
	return wire_cksum_fold(wire_load64(key->addrs));
}

uint16_t
wire_addr6_sum(const struct flow_addr6 *addr)
{
	return wire_cksum_fold(wire_cksum_bytes(addr, sizeof(*addr)));
}

/* Octets of all options but SACK: in the layout of Linux each starts a word. */
static PMTCP_ALWAYS_INLINE uint8_t
fixed_opts_len(uint8_t opts)
{
	uint8_t len = 0;

	if (opts & SEG_OPT_MSS)
		len += 4;
	if (opts & SEG_OPT_TS)
		len += 12;
	else if (opts & SEG_OPT_SACK_PERM)
		len += 4;
	if (opts & SEG_OPT_WSCALE)
		len += 4;
	return len;
}

/* W-34: as many blocks as the 40 octets hold: 4, or 3 beside a timestamp. */
static PMTCP_ALWAYS_INLINE uint8_t
sack_blocks(const struct wire_tcp *w, uint8_t opts)
{
	uint32_t room = WIRE_OPTS_MAX - fixed_opts_len(opts) - 4u;

	if (!(opts & SEG_OPT_SACK))
		return 0;
	return (uint8_t)min_u32(min_u32(w->n_sack, WIRE_SACK_MAX), room / 8);
}

static PMTCP_ALWAYS_INLINE uint8_t
opts_len(const struct wire_tcp *w, uint8_t opts)
{
	uint8_t n_sack = sack_blocks(w, opts);

	return fixed_opts_len(opts) + (n_sack > 0 ? 4 + 8 * n_sack : 0);
}

uint8_t
wire_tcp_opts_len(const struct wire_tcp *w)
{
	return opts_len(w, w->opts);
}

uint16_t
wire_tcp_hdr_len(const struct wire_tcp *w)
{
	return WIRE_ETH_LEN + (w->addr6 ? WIRE_IP6_LEN : WIRE_IP4_LEN) + WIRE_TCP_LEN +
	       wire_tcp_opts_len(w);
}

static void
put_sack(struct cursor *c, const struct wire_tcp *w)
{
	uint32_t n_sack = sack_blocks(w, w->opts);

	if (n_sack == 0)
		return;
	put32(c, OPT_WORD_SACK | (2 + 8 * n_sack));
	for (uint32_t i = 0; i < 2 * n_sack; i++)
		put32(c, w->sack[i]);
}

/* Order MSS, SACK-permitted, TS, WS, then SACK (W-34); NOPs keep words whole, so
 * that no padding is needed (MUST-69). */
static PMTCP_ALWAYS_INLINE void
put_opts(struct cursor *c, const struct wire_tcp *w, uint8_t opts)
{
	bool has_perm = (opts & SEG_OPT_SACK_PERM) != 0;

	if (opts & SEG_OPT_MSS)
		put32(c, (uint32_t)OPT_WORD_MSS | w->mss);
	if (opts & SEG_OPT_TS) {
		put32(c, has_perm ? OPT_WORD_PERM_TS : OPT_WORD_TS);
		put32(c, w->tsval);
		put32(c, w->tsecr);
	} else if (has_perm) {
		put32(c, OPT_WORD_PERM);
	}
	if (opts & SEG_OPT_WSCALE)
		put32(c, (uint32_t)OPT_WORD_WSCALE | w->wscale);
	if (opts & SEG_OPT_SACK)
		put_sack(c, w);
}

/* DF and ID 0: an atomic datagram needs no ID (RFC 6864 4.1, W-11). */
static inline void
put_ip4(uint8_t *ip, const struct wire_tcp *w, uint16_t total, bool is_offloaded)
{
	struct cursor c = {.p = ip, .sum = w->addr_sum};

	ASSERT(w->dscp < 64);
	put32(&c, 0x45000000u | (uint32_t)w->dscp << 18 | (uint32_t)w->ecn << 16 | total);
	put32(&c, IP_DF);
	put32(&c, (uint32_t)w->ttl << 24 | PROTO_TCP << 16);
	memcpy(c.p, w->key.addrs, sizeof(w->key.addrs));
	if (!is_offloaded)
		put_cksum(ip + IP_CKSUM_OFF, (uint16_t)~wire_cksum_fold(c.sum));
}

/* RFC 6437: the same for each segment of a flow, another for each flow, and not to be
 * guessed: the key's address part is a keyed digest. */
static inline uint32_t
flow_label(const struct flow_key *key)
{
	uint64_t mix = wire_load64(key->addrs) + wire_load32(&key->lport);

	return (uint32_t)(mix * 0x9e3779b97f4a7c15u >> 44);
}

static inline void
put_ip6(uint8_t *ip, const struct wire_tcp *w, uint16_t payload_len)
{
	struct cursor c = {.p = ip};

	ASSERT(w->dscp < 64);
	put32(&c, 6u << 28 | (uint32_t)w->dscp << 22 | (uint32_t)w->ecn << 20 |
					flow_label(&w->key));
	put32(&c, (uint32_t)payload_len << 16 | PROTO_TCP << 8 | w->ttl);
	memcpy(c.p, w->addr6, sizeof(*w->addr6));
}

/* W-26 (MUST-2). Returns the sum of the header as it stands, checksum field 0. */
static PMTCP_ALWAYS_INLINE uint64_t
put_tcp(uint8_t *tcp, const struct wire_tcp *w, uint32_t hdr_len, uint8_t opts)
{
	struct cursor c = {.p = tcp + 4};
	uint32_t ports;

	memcpy(&ports, &w->key.lport, sizeof(ports));
	memcpy(tcp, &ports, sizeof(ports));
	put32(&c, w->seq);
	put32(&c, w->ack);
	put32(&c, hdr_len << 26 | (uint32_t)w->flags << 16 | w->wnd);
	put32(&c, w->urg);
	put_opts(&c, w, opts);
	return c.sum + ports;
}

static inline void
set_offload(struct rte_mbuf *m, const struct wire_tx_conf *conf, uint32_t tcp_hdr_len, bool is_v6)
{
	uint64_t flags = 0;

	if (conf->ip_cksum_offload && !is_v6)
		flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	if (conf->tcp_cksum_offload)
		flags |= (is_v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4) |
			 RTE_MBUF_F_TX_TCP_CKSUM;
	/* What the packet was received with means nothing on the way out. */
	m->ol_flags = (m->ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)) | flags;
	if (flags == 0)
		return;
	m->tx_offload = 0;
	m->l2_len = WIRE_ETH_LEN;
	m->l3_len = is_v6 ? WIRE_IP6_LEN : WIRE_IP4_LEN;
	m->l4_len = tcp_hdr_len;
}

/* All but the MAC addresses. Returns where they go. Inlined once for each family and for
 * the options that nearly every segment has, so that none looks at the others'. */
static PMTCP_ALWAYS_INLINE uint8_t *
emit(struct rte_mbuf *m, const struct wire_tcp *w, const struct wire_tx_conf *conf, bool is_v6,
		uint8_t opts)
{
	uint32_t ip_len = is_v6 ? WIRE_IP6_LEN : WIRE_IP4_LEN;
	uint32_t tcp_hdr_len = WIRE_TCP_LEN + opts_len(w, opts);
	uint16_t hdr_len = (uint16_t)(WIRE_ETH_LEN + ip_len + tcp_hdr_len);
	uint32_t payload_len = m->pkt_len;
	uint32_t tcp_len = tcp_hdr_len + payload_len;
	uint64_t pseudo, sum;
	uint8_t *p, *tcp;

	CHECK(m->data_off >= hdr_len);
	ASSERT(ip_len + tcp_len <= UINT16_MAX);
	ASSERT(w->addr_sum == (is_v6 ? wire_addr6_sum(w->addr6) : wire_addr_sum(&w->key)));
	pseudo = (uint64_t)w->addr_sum + rte_cpu_to_be_16(PROTO_TCP) +
		 rte_cpu_to_be_16((uint16_t)tcp_len);
	sum = 0;
	if (payload_len > 0 && !conf->tcp_cksum_offload)
		sum = w->payload_summed ? w->payload_sum : wire_cksum_mbuf(m, 0, payload_len);
	m->data_off -= hdr_len;
	m->data_len += hdr_len;
	m->pkt_len += hdr_len;
	p = rte_pktmbuf_mtod(m, uint8_t *);
	put_cksum(p + 2 * RTE_ETHER_ADDR_LEN,
			is_v6 ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4));
	if (is_v6)
		put_ip6(p + WIRE_ETH_LEN, w, (uint16_t)tcp_len);
	else
		put_ip4(p + WIRE_ETH_LEN, w, (uint16_t)(ip_len + tcp_len), conf->ip_cksum_offload);
	tcp = p + WIRE_ETH_LEN + ip_len;
	sum = wire_cksum_add(sum, pseudo + put_tcp(tcp, w, tcp_hdr_len, opts));
	/* A device that sums wants the pseudo-header's part in the field. */
	put_cksum(tcp + TCP_CKSUM_OFF, conf->tcp_cksum_offload ? wire_cksum_fold(pseudo)
							       : (uint16_t)~wire_cksum_fold(sum));
	set_offload(m, conf, tcp_hdr_len, is_v6);
	return p;
}

static PMTCP_NOINLINE uint8_t *
emit6(struct rte_mbuf *m, const struct wire_tcp *w, const struct wire_tx_conf *conf)
{
	return emit(m, w, conf, true, w->opts);
}

static PMTCP_NOINLINE uint8_t *
emit4(struct rte_mbuf *m, const struct wire_tcp *w, const struct wire_tx_conf *conf)
{
	return emit(m, w, conf, false, w->opts);
}

PMTCP_HOT void
wire_emit_tcp(struct rte_mbuf *m, const struct wire_tcp *w, const struct wire_tx_conf *conf,
		const struct rte_ether_addr *dst, const struct rte_ether_addr *src)
{
	uint8_t *p;

	if (is_unlikely(w->addr6 != NULL))
		p = emit6(m, w, conf);
	else if (is_likely(w->opts == SEG_OPT_TS))
		p = emit(m, w, conf, false, SEG_OPT_TS);
	else
		p = emit4(m, w, conf);
	memcpy(p, dst, RTE_ETHER_ADDR_LEN);
	memcpy(p + RTE_ETHER_ADDR_LEN, src, RTE_ETHER_ADDR_LEN);
}
