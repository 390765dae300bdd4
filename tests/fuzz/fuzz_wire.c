/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Any octets as a frame, in one mbuf or in pieces cut at chosen places, each piece at
 * the end of its buffer. Lengths and checksums are put right first if the input says
 * so, by a reader of its own, so that parsers are reached behind them. The frame goes
 * to the parsers themselves, whose results are held against the octets, and through a
 * whole context that listens, where whatever the stack knows to parse is reached.
 *
 * Input: choices (1), cuts (4), then the frame. */

#include "fuzz.h"

#include <string.h>

#include "base/base.h"
#include "base/check.h"
#include "side.h"
#include "support/build.h"
#include "support/pool.h"
#include "wire/wire_arp.h"
#include "wire/wire_emit.h"
#include "wire/wire_icmp.h"
#include "wire/wire_icmp6.h"
#include "wire/wire_nd.h"
#include "wire/wire_opt.h"
#include "wire/wire_parse.h"
#include "wire/wire_vlan.h"

enum {
	FRAME_MAX = 2000,
	FIX_ADDRS = 0x01,
	FIX_LENGTHS = 0x02,
	FIX_IP_CKSUM = 0x04,
	FIX_L4_CKSUM = 0x08,
	FIX_ALL = 0x0f,
	TRUST_CKSUMS = 0x10,
};

/* ---- putting a frame right ----------------------------------------------- */

static void
put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Where the checksum of this protocol stands; 0: it has none we know. */
static size_t
cksum_at(uint8_t proto)
{
	return proto == 6 ? 16 : (proto == 1 || proto == 58) ? 2 : 0;
}

static void
fix_l4(uint8_t *l4, size_t len, uint8_t proto, uint32_t pseudo)
{
	size_t at = cksum_at(proto);

	if (at == 0 || len < at + 2)
		return;
	put16(l4 + at, 0);
	put16(l4 + at, build_cksum(build_sum(pseudo, l4, len)));
}

static void
fix_ip4(uint8_t *ip, size_t len, uint8_t how)
{
	size_t ihl = (size_t)(ip[0] & 15) * 4;
	uint8_t pseudo[4] = {0, ip[9], 0, 0};

	if (how & FIX_ADDRS) {
		ip[0] = (uint8_t)(0x40 | (ip[0] & 15));
		memcpy(ip + 12, (const uint8_t[]){10, 0, 0, 2, 10, 0, 0, 1}, 8);
		put16(ip + 6, 0x4000);
	}
	if (how & FIX_LENGTHS)
		put16(ip + 2, (uint16_t)len);
	len = min_u64(len, (size_t)(ip[2] << 8 | ip[3]));
	if (ihl < 20 || ihl > len)
		return;
	put16(pseudo + 2, (uint16_t)(len - ihl));
	if (how & FIX_L4_CKSUM)
		fix_l4(ip + ihl, len - ihl, ip[9],
				ip[9] == 1 ? 0 : build_sum(build_sum(0, ip + 12, 8), pseudo, 4));
	put16(ip + 10, how & FIX_IP_CKSUM ? 0 : (uint16_t)(ip[10] << 8 | ip[11]));
	if (how & FIX_IP_CKSUM)
		put16(ip + 10, build_cksum(build_sum(0, ip, ihl)));
}

static void
fix_ip6(uint8_t *ip, size_t len, uint8_t how)
{
	uint8_t pseudo[4] = {0, ip[6], 0, 0};

	if (how & FIX_ADDRS)
		ip[0] = (uint8_t)(0x60 | (ip[0] & 15));
	if (how & FIX_LENGTHS)
		put16(ip + 4, (uint16_t)(len - 40));
	put16(pseudo + 2, (uint16_t)(len - 40));
	if (how & FIX_L4_CKSUM)
		fix_l4(ip + 40, len - 40, ip[6], build_sum(build_sum(0, ip + 8, 32), pseudo, 4));
}

static void
fix(uint8_t *frame, size_t len, uint8_t how)
{
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR);
	size_t at = 14;
	uint16_t type;

	if (len < 18)
		return;
	if (how & FIX_ADDRS) {
		if (frame[0] != 0xff && frame[0] != 0x33)
			memcpy(frame, self.addr_bytes, 6);
		frame[6] &= 0xfe;
	}
	type = (uint16_t)(frame[12] << 8 | frame[13]);
	if (type == 0x8100) {
		type = (uint16_t)(frame[16] << 8 | frame[17]);
		at = 18;
	}
	if (type == 0x0800 && len >= at + 20)
		fix_ip4(frame + at, len - at, how);
	else if (type == 0x86dd && len >= at + 40)
		fix_ip6(frame + at, len - at, how);
}

/* ---- what the parser may say --------------------------------------------- */

static const struct siphash_key addr_key = {1, 2};

static void
fill_from(struct wire_tcp *w, const struct seg *seg, const struct flow_addr6 *addr)
{
	memset(w, 0, sizeof(*w));
	w->key = seg->key;
	w->addr6 = seg->is_v6 ? addr : NULL;
	w->addr_sum = seg->is_v6 ? wire_addr6_sum(addr) : wire_addr_sum(&w->key);
	w->ecn = seg->ecn;
	w->seq = seg->seq;
	w->ack = seg->ack;
	w->wnd = seg->wnd;
	w->urg = seg->urg;
	w->flags = seg->flags;
	w->opts = seg->opts & (SEG_OPT_MSS | SEG_OPT_WSCALE | SEG_OPT_SACK_PERM | SEG_OPT_TS);
	w->mss = seg->mss;
	w->wscale = seg->wscale;
	w->tsval = seg->tsval;
	w->tsecr = seg->tsecr;
	w->ttl = 64;
}

/* What was read, written again and read again, is the same. */
static void
check_round(struct rte_mempool *pool, const struct wire_rx_conf *conf, const struct seg *seg)
{
	static const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 1}};
	const struct wire_tx_conf tx = {0};
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct flow_addr6 addr;
	uint8_t copy[40];
	struct seg again;
	struct wire_tcp w;
	uint16_t reason;

	EXPECT(m != NULL);
	if (seg->is_v6)
		flow_addr6_of(wire_ip6_header(seg->m, copy), &addr);
	fill_from(&w, seg, &addr);
	wire_emit_tcp(m, &w, &tx, &mac, &mac);
	EXPECT(m->pkt_len == wire_tcp_hdr_len(&w));
	EXPECT(wire_parse(m, conf, &again, &reason) == WIRE_TCP);
	EXPECT(again.is_v6 == seg->is_v6 && again.ecn == seg->ecn);
	EXPECT(again.key.lport == seg->key.rport && again.key.rport == seg->key.lport);
	EXPECT(seg->is_v6 || again.key.laddr == seg->key.raddr);
	EXPECT(seg->is_v6 || again.key.raddr == seg->key.laddr);
	EXPECT(again.seq == seg->seq && again.ack == seg->ack && again.wnd == seg->wnd);
	EXPECT(again.flags == seg->flags && again.urg == seg->urg && again.len == 0);
	EXPECT(again.mss == seg->mss && again.wscale == seg->wscale);
	EXPECT(again.tsval == seg->tsval && again.tsecr == seg->tsecr);
	rte_pktmbuf_free(m);
}

static void
check_tcp(const struct rte_mbuf *m, const struct seg *seg)
{
	uint32_t left, right;

	EXPECT((uint32_t)seg->payload_off + seg->len <= m->pkt_len);
	EXPECT(seg->payload_off >= 54);
	EXPECT(seg->key.lport != 0 && seg->key.rport != 0);
	EXPECT(seg->wscale <= 14 && seg->n_sack <= 4);
	for (uint8_t i = 0; i < seg->n_sack; i++) {
		EXPECT(seg->sack_off + 8u * (i + 1u) <= seg->payload_off);
		EXPECT(wire_sack_block(m, seg, i, &left, &right));
	}
}

static void
parse_icmp6(const struct seg *seg)
{
	struct wire_icmp6 icmp;
	struct wire_nd nd;

	EXPECT((uint32_t)seg->payload_off + seg->len <= seg->m->pkt_len);
	wire_parse_nd(seg, &nd);
	if (wire_parse_icmp6(seg, &addr_key, &icmp) && icmp.type == WIRE_ICMP6_ECHO)
		wire_icmp6_echo_reply(seg, 64);
}

static void
parse(struct rte_mempool *pool, struct rte_mbuf *m, uint8_t how)
{
	struct wire_rx_conf conf = {.max_frame = 1514, .addr_key = &addr_key};
	uint16_t reason = WIRE_DROP_MAX;
	struct wire_icmp icmp;
	struct wire_arp arp;
	struct seg seg;

	wire_vlan_take(m, how & TRUST_CKSUMS);
	conf.trust_ip_cksum = conf.trust_tcp_cksum = how & TRUST_CKSUMS;
	switch (wire_parse(m, &conf, &seg, &reason)) {
	case WIRE_TCP:
		check_tcp(m, &seg);
		check_round(pool, &conf, &seg);
		break;
	case WIRE_ICMP:
		EXPECT((uint32_t)seg.payload_off + seg.len <= m->pkt_len);
		seg.m = m;
		if (wire_parse_icmp(&seg, &icmp) && icmp.type == WIRE_ICMP_ECHO)
			wire_icmp_echo_reply(&seg, 64);
		break;
	case WIRE_ICMP6:
		parse_icmp6(&seg);
		break;
	case WIRE_IP6_PROBLEM:
		EXPECT((uint32_t)seg.payload_off + seg.len <= m->pkt_len);
		wire_icmp6_problem(&seg, 64);
		break;
	case WIRE_ARP:
		wire_parse_arp(m, &arp);
		break;
	default:
		EXPECT(reason < WIRE_DROP_MAX);
		break;
	}
	EXPECT(rte_mbuf_check(m, 1, &(const char *){NULL}) == 0);
	rte_pktmbuf_free(m);
}

/* ---- a whole context ----------------------------------------------------- */

static void
free_frame(struct fuzz_side *s, struct rte_mbuf *m)
{
	static struct pkt p;

	(void)s;
	EXPECT(pkt_decode(&p, m) == 0);
	rte_pktmbuf_free(m);
}

static uint32_t
any_text(const struct fuzz_side *s, const struct side_conn *c)
{
	(void)s;
	return c->in_base;
}

static void
feed(const uint8_t *frame, size_t len, const uint8_t cut[4], uint8_t how)
{
	static struct fuzz_side s;
	struct rte_mbuf *m;

	memset(&s, 0, sizeof(s));
	ctx_conf_small(&s.conf, TEST_ADDR, TEST_PEER, 1);
	s.conf.max_conns = s.conf.max_half_open = s.conf.max_time_wait = 4;
	s.conf.max_transfers = s.conf.max_port_pairs = 4;
	s.conf.max_records = 16;
	s.conf.caps.rx_ip_cksum = s.conf.caps.rx_tcp_cksum = how & TRUST_CKSUMS;
	s.now = 1000 * SIDE_MS;
	s.frame = free_frame;
	s.in_text = any_text;
	side_create(&s);
	side_listen(&s, 0);
	m = fuzz_mbuf(s.rx_pool, frame, len, cut);
	side_input(&s, &m, 1);
	side_output(&s);
	side_destroy(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rte_mempool *pool;
	uint8_t frame[FRAME_MAX], how;
	size_t len;

	fuzz_begin();
	if (size < 6)
		return 0;
	/* Three choices of four put everything right. */
	how = data[0] % 4 == 3 ? data[0] : data[0] | FIX_ALL;
	len = min_u64(size - 5, FRAME_MAX);
	memcpy(frame, data + 5, len);
	fix(frame, len, how);
	pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 2048);
	parse(pool, fuzz_mbuf(pool, frame, len, data + 1), how);
	test_pool_destroy(pool);
	feed(frame, len, data + 1, how);
	return 0;
}
