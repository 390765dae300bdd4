/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Any octets as a frame, in one mbuf or in pieces cut at chosen places, each piece at
 * the end of its buffer. The parsers get them in three forms, and their results are held
 * against the octets: as they came; mended as whatever they are (lengths, checksums,
 * addresses, the packet that an ICMP error quotes); and mended into a segment of a
 * connection or to a listener, with numbers around the edges of the moment. A context in
 * one of the eleven states gets the mended ones, and one input of 16 as it came.
 *
 * Input: choices (1), cuts (4), the context as of fuzz_segment (8), then the frame. */

#include "fuzz.h"

#include <string.h>

#include "base/base.h"
#include "base/check.h"
#include "segment.h"
#include "support/build.h"
#include "support/pool.h"
#include "frame.h"
#include "wire/wire_arp.h"
#include "wire/wire_emit.h"
#include "wire/wire_icmp.h"
#include "wire/wire_icmp6.h"
#include "wire/wire_nd.h"
#include "wire/wire_opt.h"
#include "wire/wire_parse.h"
#include "wire/wire_vlan.h"

enum {
	TRUST_CKSUMS = 0x10,
	SAY_GOOD = 0x20,
	SAY_BAD = 0x40,
};

enum form { RAW, MENDED, SEGMENT, FORMS };

struct input {
	uint8_t how;
	uint8_t cut[4];
};

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
parse(const struct frame *frame, const struct input *in)
{
	struct rte_mempool *pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 2048);
	struct rte_mbuf *m = fuzz_mbuf(pool, frame->bytes, frame->len, in->cut, 0);
	struct wire_rx_conf conf = {.max_frame = 1514, .addr_key = &addr_key};
	uint16_t reason = WIRE_DROP_MAX;
	struct wire_icmp icmp;
	struct wire_arp arp;
	struct seg seg;

	wire_vlan_take(m, in->how & TRUST_CKSUMS);
	conf.trust_ip_cksum = conf.trust_tcp_cksum = in->how & TRUST_CKSUMS;
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
	test_pool_destroy(pool);
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

/* What the device says about checksums; looked at only where it may be believed. */
static uint64_t
rx_flags(uint8_t how)
{
	uint64_t flags = how & SAY_GOOD ? RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD
					: 0;

	return how & SAY_BAD ? RTE_MBUF_F_RX_L4_CKSUM_BAD : flags;
}

static void
feed(struct fuzz_peer *f, const struct input *in, const struct frame *frames, uint16_t n)
{
	struct fuzz_side *s = &f->side;
	struct rte_mbuf *burst[FORMS];

	for (uint16_t i = 0; i < n; i++) {
		uint8_t cut[4];

		/* A tag is taken off only where it lies in one piece, and the IPv6 header is
		 * drawn together where there is room. */
		memcpy(cut, in->cut, sizeof(cut));
		if (cut[0] != 0 && frames[i].bytes[12] == 0x81)
			cut[0] = (uint8_t)max_u32(cut[0], 18);
		burst[i] = fuzz_mbuf(s->rx_pool, frames[i].bytes, frames[i].len, cut,
				s->is_v6 ? FRAME_MAX : 0);
		burst[i]->ol_flags |= rx_flags(in->how);
	}
	s->now += 10000;
	side_input(s, burst, n);
	side_output(s);
	side_advance(s, 300 * SIDE_MS);
	side_output(s);
}

/* ---- one execution ------------------------------------------------------- */

/* One input of 16 goes to the context as it came, whatever it is. By its octets, so that
 * no input breeds such ones. */
static bool
is_left_raw(const uint8_t *data, size_t size)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < size; i++)
		h = (h ^ data[i]) * 16777619u;
	return (h >> 16) % 16 == 0;
}

static void
read_input(struct input *in, struct fuzz_in *from)
{
	in->how = fuzz_u8(from);
	for (int i = 0; i < 4; i++)
		in->cut[i] = fuzz_u8(from);
}

static void
read_frame(struct frame *frame, struct fuzz_in *from)
{
	frame->len = (uint32_t)min_u64(from->left, FRAME_MAX);
	if (frame->len != 0)
		memcpy(frame->bytes, from->p, frame->len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_peer f;
	static struct frame form[FORMS];
	struct fuzz_in from = {.p = data, .left = size};
	struct input in;
	uint16_t n = 0;

	fuzz_begin();
	read_input(&in, &from);
	peer_create(&f, &from);
	f.side.frame = free_frame;
	read_frame(&form[RAW], &from);
	for (int i = 1; i < FORMS; i++)
		form[i] = form[RAW];
	if (frame_mend(&form[MENDED], &f) == FRAME_SEGMENT)
		n = 1;
	frame_mend_segment(&form[SEGMENT], &f);
	for (int i = 0; i < FORMS; i++)
		if (form[i].len != 0 && !(i == MENDED && n == 1))
			parse(&form[i], &in);
	if (is_left_raw(data, size)) {
		fuzz_tally("left as they came");
		feed(&f, &in, &form[RAW], form[RAW].len != 0);
	} else if (n == 1) {
		fuzz_tally("segments");
		feed(&f, &in, &form[SEGMENT], 1);
	} else {
		fuzz_tally("segments behind another frame");
		feed(&f, &in, &form[MENDED], 2);
	}
	peer_destroy(&f);
	return 0;
}
