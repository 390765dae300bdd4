/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: emitted frames are what was asked for, with right checksums. Method: random
 * values, decoded by the strict decoder of the tests, which shares no code with
 * lib/wire; DPDK's own checksum beside ours. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "base/rng.h"
#include "wire/wire_emit.h"
#include "wire/wire_plain.h"
#include "wire_bed.h"

enum { ROUNDS = 20000 };

static const struct rte_ether_addr peer_mac = {{2, 0, 0, 0, 0, 1}};
static const struct rte_ether_addr own_mac = {{2, 0, 0, 0, 0, 2}};
static const struct wire_tx_conf software;

static struct rte_mbuf *
payload_mbuf(struct rte_mempool *pool, struct rng *rng, uint32_t len, uint16_t piece)
{
	uint8_t bytes[1500];

	if (len == 0)
		return rte_pktmbuf_alloc(pool);
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)rng_next(rng);
	return build_mbuf(pool, bytes, len, piece);
}

static struct wire_tcp
random_values(struct rng *rng)
{
	static const uint8_t opt_sets[] = {0, SEG_OPT_TS, SEG_OPT_TS | SEG_OPT_SACK, SEG_OPT_SACK,
			SEG_OPT_MSS, SEG_OPT_MSS | SEG_OPT_WSCALE,
			SEG_OPT_MSS | SEG_OPT_SACK_PERM | SEG_OPT_TS | SEG_OPT_WSCALE,
			SEG_OPT_MSS | SEG_OPT_SACK_PERM, SEG_OPT_MSS | SEG_OPT_TS};
	struct wire_tcp w = {.seq = (uint32_t)rng_next(rng),
			.ack = (uint32_t)rng_next(rng),
			.tsval = (uint32_t)rng_next(rng),
			.tsecr = (uint32_t)rng_next(rng),
			.wnd = (uint16_t)rng_next(rng),
			.mss = (uint16_t)rng_next(rng),
			.wscale = (uint8_t)rng_below(rng, 15),
			.n_sack = (uint8_t)(1 + rng_below(rng, 4)),
			.ttl = 64,
			.dscp = (uint8_t)rng_below(rng, 64)};

	w.opts = opt_sets[rng_below(rng, sizeof(opt_sets))];
	w.flags = (w.opts & SEG_OPT_MSS) ? TCP_SYN : (uint8_t)(TCP_ACK | rng_below(rng, 2));
	for (int i = 0; i < 8; i++)
		w.sack[i] = (uint32_t)rng_next(rng);
	w.key.laddr = (uint32_t)rng_next(rng);
	w.key.raddr = (uint32_t)rng_next(rng);
	w.key.lport = (uint16_t)rng_next(rng) | 1;
	w.key.rport = (uint16_t)rng_next(rng) | 1;
	w.addr_sum = wire_addr_sum(&w.key);
	return w;
}

static void
assert_options(const struct pkt *p, const struct wire_tcp *w)
{
	uint8_t n_sack = w->opts & SEG_OPT_TS && w->n_sack > 3 ? 3 : w->n_sack;

	assert_int_equal(!!(p->opts & PKT_OPT_MSS), !!(w->opts & SEG_OPT_MSS));
	assert_int_equal(!!(p->opts & PKT_OPT_TS), !!(w->opts & SEG_OPT_TS));
	assert_int_equal(!!(p->opts & PKT_OPT_WSCALE), !!(w->opts & SEG_OPT_WSCALE));
	assert_int_equal(!!(p->opts & PKT_OPT_SACK_PERM), !!(w->opts & SEG_OPT_SACK_PERM));
	assert_int_equal(!!(p->opts & PKT_OPT_SACK), !!(w->opts & SEG_OPT_SACK));
	if (w->opts & SEG_OPT_MSS)
		assert_int_equal(p->mss, w->mss);
	if (w->opts & SEG_OPT_WSCALE)
		assert_int_equal(p->wscale, w->wscale);
	if (w->opts & SEG_OPT_TS) {
		assert_int_equal(p->tsval, w->tsval);
		assert_int_equal(p->tsecr, w->tsecr);
	}
	if (!(w->opts & SEG_OPT_SACK))
		return;
	assert_int_equal(p->n_sack, n_sack);
	for (int i = 0; i < n_sack; i++) {
		assert_int_equal(p->sack[i].left, w->sack[2 * i]);
		assert_int_equal(p->sack[i].right, w->sack[2 * i + 1]);
	}
}

static void
assert_values(const struct pkt *p, const struct wire_tcp *w, uint32_t len)
{
	assert_memory_equal(p->dmac, peer_mac.addr_bytes, 6);
	assert_memory_equal(p->smac, own_mac.addr_bytes, 6);
	assert_int_equal(p->saddr, rte_be_to_cpu_32(w->key.laddr));
	assert_int_equal(p->daddr, rte_be_to_cpu_32(w->key.raddr));
	assert_int_equal(p->sport, rte_be_to_cpu_16(w->key.lport));
	assert_int_equal(p->dport, rte_be_to_cpu_16(w->key.rport));
	assert_int_equal(p->seq, w->seq);
	assert_int_equal(p->ack, w->ack);
	assert_int_equal(p->wnd, w->wnd);
	assert_int_equal(p->flags, w->flags);
	assert_int_equal(p->ttl, 64);
	assert_int_equal(p->tos, w->dscp << 2);
	assert_int_equal(p->frag, 0x4000); /* W-11: DF */
	assert_int_equal(p->len, len);
	assert_true(p->is_ip_cksum_good);
	assert_true(p->is_l4_cksum_good);
	assert_options(p, w);
}

/* W-26, W-34: odd lengths, chains, every set of options. */
static void
w_26_emitted_values_decode_with_right_sums(void **state)
{
	struct rng rng;
	uint64_t seed = 3;

	print_message("seed %llu\n", (unsigned long long)seed);
	rng_seed(&rng, seed);
	for (int i = 0; i < ROUNDS; i++) {
		struct wire_tcp w = random_values(&rng);
		uint32_t len = w.flags & TCP_SYN ? 0 : (uint32_t)rng_below(&rng, 300);
		struct rte_mbuf *m = payload_mbuf(*state, &rng, len, (uint16_t)rng_below(&rng, 80));
		struct pkt p;

		wire_emit_tcp(m, &w, &software, &peer_mac, &own_mac);
		assert_int_equal(pkt_decode(&p, m), 0);
		assert_values(&p, &w, len);
		assert_int_equal(m->pkt_len, wire_tcp_hdr_len(&w) + len);
		assert_true(wire_tcp_opts_len(&w) <= 40);
		assert_int_equal(m->ol_flags, 0);
		rte_pktmbuf_free(m);
	}
}

/* Round trip through our own parser: option layouts that we send are heard. */
static void
emit_then_parse_gives_the_same_values(void **state)
{
	struct rng rng;

	rng_seed(&rng, 4);
	for (int i = 0; i < ROUNDS; i++) {
		struct wire_tcp w = random_values(&rng);
		struct rte_mbuf *m = payload_mbuf(*state, &rng, 100, 0);
		struct seg seg;
		uint16_t reason = 0;

		wire_emit_tcp(m, &w, &software, &peer_mac, &own_mac);
		assert_int_equal(wire_parse(m, &bed_conf, &seg, &reason), WIRE_TCP);
		assert_int_equal(seg.key.raddr, w.key.laddr);
		assert_int_equal(seg.key.lport, w.key.rport);
		assert_int_equal(seg.seq, w.seq);
		assert_int_equal(seg.len, 100);
		assert_int_equal(seg.opts, w.opts);
		rte_pktmbuf_free(m);
	}
}

/* A known payload sum spares the second look at the payload. */
static void
emit_with_payload_sum_gives_the_same_frame(void **state)
{
	struct rng rng;

	rng_seed(&rng, 5);
	for (int i = 0; i < 1000; i++) {
		struct wire_tcp w = random_values(&rng);
		uint32_t len = 1 + (uint32_t)rng_below(&rng, 200);
		struct rte_mbuf *m = payload_mbuf(*state, &rng, len, 0);
		struct pkt p;
		uint32_t sum = build_sum(0, rte_pktmbuf_mtod(m, uint8_t *), len);

		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		w.payload_sum = rte_cpu_to_be_16((uint16_t)sum);
		w.payload_summed = true;
		wire_emit_tcp(m, &w, &software, &peer_mac, &own_mac);
		assert_int_equal(pkt_decode(&p, m), 0);
		assert_true(p.is_l4_cksum_good);
		rte_pktmbuf_free(m);
	}
}

static void
emit_offloaded_prepares_what_the_device_wants(void **state)
{
	struct wire_tx_conf conf = {.ip_cksum_offload = true, .tcp_cksum_offload = true};
	struct rng rng;

	rng_seed(&rng, 6);
	for (int i = 0; i < 1000; i++) {
		struct wire_tcp w = random_values(&rng);
		struct rte_mbuf *m = payload_mbuf(*state, &rng, 77, 0);
		struct rte_ipv4_hdr *ip;
		struct pkt p;
		uint16_t pseudo;

		wire_emit_tcp(m, &w, &conf, &peer_mac, &own_mac);
		assert_true(m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM);
		assert_true(m->ol_flags & RTE_MBUF_F_TX_TCP_CKSUM);
		assert_int_equal(m->l2_len, 14);
		assert_int_equal(m->l3_len, 20);
		assert_int_equal(m->l4_len, 20 + wire_tcp_opts_len(&w));
		ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14);
		pseudo = rte_ipv4_phdr_cksum(ip, m->ol_flags);
		assert_memory_equal((uint8_t *)(ip + 1) + 16, &pseudo, 2);
		assert_int_equal(pkt_decode(&p, m), 0);
		assert_true(p.is_ip_cksum_good);
		assert_true(p.is_l4_cksum_good);
		rte_pktmbuf_free(m);
	}
}

/* A received buffer sent on: its receive flags go, what says how it is freed stays. */
static void
emit_into_received_mbuf_keeps_only_buffer_flags(void **state)
{
	struct wire_tcp w = {.flags = TCP_ACK, .ttl = 64};
	struct rte_mbuf *m = rte_pktmbuf_alloc(*state);

	m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_RSS_HASH |
		      RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_EXTERNAL;
	wire_emit_tcp(m, &w, &software, &peer_mac, &own_mac);
	assert_int_equal(m->ol_flags, RTE_MBUF_F_EXTERNAL);
	m->ol_flags = 0;
	rte_pktmbuf_free(m);
}

/* W-34, OPEN-8: the order on a SYN. */
static void
w_34_syn_options_stand_in_order(void **state)
{
	static const uint8_t expected[20] = {
			2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 3, 3, 7};
	struct wire_tcp w = {.flags = TCP_SYN,
			.opts = SEG_OPT_MSS | SEG_OPT_SACK_PERM | SEG_OPT_TS | SEG_OPT_WSCALE,
			.mss = 1460,
			.wscale = 7,
			.tsval = 1,
			.tsecr = 2};
	struct rte_mbuf *m = rte_pktmbuf_alloc(*state);

	wire_emit_tcp(m, &w, &software, &peer_mac, &own_mac);
	assert_int_equal(m->pkt_len, 14 + 20 + 20 + 20);
	assert_memory_equal(rte_pktmbuf_mtod_offset(m, uint8_t *, 54), expected, 20);
	rte_pktmbuf_free(m);
}

/* The values of a plain segment, as either way of writing takes them. */
static struct wire_tcp
plain_values(struct rng *rng, struct wire_plain *plain)
{
	static uint8_t eth[WIRE_ETH_LEN + 2];
	struct wire_tcp w = random_values(rng);
	bool is_syn = rng_below(rng, 2) == 0;

	w.flags = (uint8_t)((rng_next(rng) & 0xff & ~TCP_SYN) | (is_syn ? TCP_SYN : 0));
	w.opts = is_syn ? SEG_OPT_MSS | SEG_OPT_SACK_PERM | SEG_OPT_TS | SEG_OPT_WSCALE
			: SEG_OPT_TS;
	w.ttl = (uint8_t)(1 + rng_below(rng, 255));
	w.ecn = (uint8_t)rng_below(rng, 4);
	/* Sums that come out as 0 or 0xffff, too. */
	if (rng_below(rng, 8) == 0) {
		w.key = (struct flow_key){.lport = w.key.lport};
		w.seq = w.ack = w.tsval = w.tsecr = 0;
		w.addr_sum = 0;
	}
	memcpy(eth, &peer_mac, sizeof(peer_mac));
	wire_plain_eth(eth + sizeof(peer_mac), wire_plain_src(&own_mac));
	*plain = (struct wire_plain){.seq = w.seq,
			.ack = w.ack,
			.tsval = w.tsval,
			.tsecr = w.tsecr,
			.wnd = w.wnd,
			.addr_sum = w.addr_sum,
			.mss = w.mss,
			.wscale = w.wscale,
			.flags = w.flags,
			.ttl = w.ttl,
			.dscp = w.dscp,
			.ecn = w.ecn};
	plain->eth = eth;
	return w;
}

/* A packet as it came in: what was said of it must not go out with it. */
static void
make_received(struct rte_mbuf *m, struct rng *rng)
{
	m->data_off = (uint16_t)rng_below(rng, 256);
	m->data_len = (uint16_t)rng_next(rng);
	m->pkt_len = m->data_len;
	m->port = 7;
	m->packet_type = (uint32_t)rng_next(rng);
	m->vlan_tci = (uint16_t)rng_next(rng);
	m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_RSS_HASH | RTE_MBUF_F_RX_VLAN |
		      RTE_MBUF_F_RX_VLAN_STRIPPED;
}

/* The short way writes, octet for octet, what the general one does. */
static void
w_26_plain_segments_are_those_of_the_general_way(void **state)
{
	struct rng rng;
	uint64_t seed = 8;

	print_message("seed %llu\n", (unsigned long long)seed);
	rng_seed(&rng, seed);
	for (int i = 0; i < ROUNDS; i++) {
		struct rte_mbuf *general = rte_pktmbuf_alloc(*state);
		struct rte_mbuf *m = rte_pktmbuf_alloc(*state);
		struct wire_plain plain;
		struct wire_tcp w = plain_values(&rng, &plain);

		plain.key = &w.key;
		make_received(m, &rng);
		wire_emit_tcp(general, &w, &software, &peer_mac, &own_mac);
		wire_plain_put(wire_plain_mbuf(m, (w.flags & TCP_SYN) != 0), &plain, 0, 0);
		assert_int_equal(m->pkt_len, general->pkt_len);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *),
				rte_pktmbuf_mtod(general, uint8_t *), general->data_len);
		assert_int_equal(m->data_len, general->data_len);
		assert_int_equal(m->data_off, general->data_off);
		assert_int_equal(m->ol_flags, 0);
		assert_int_equal(m->port, RTE_MBUF_PORT_INVALID);
		assert_int_equal(m->packet_type, 0);
		rte_mbuf_sanity_check(m, 1);
		rte_pktmbuf_free(m);
		rte_pktmbuf_free(general);
	}
}

/* The same with text behind the headers, of even and of odd length. */
static void
w_26_plain_headers_cover_the_text(void **state)
{
	struct rng rng;

	rng_seed(&rng, 9);
	for (int i = 0; i < ROUNDS; i++) {
		struct wire_plain plain;
		struct wire_tcp w = plain_values(&rng, &plain);
		uint32_t len = (uint32_t)rng_below(&rng, 300);
		struct rte_mbuf *m = payload_mbuf(*state, &rng, len, 0);
		uint64_t sum = wire_cksum_bytes(rte_pktmbuf_mtod(m, uint8_t *), len);
		uint8_t hdr[WIRE_TCP_HDR_MAX];

		plain.key = &w.key;
		wire_plain_put(hdr, &plain, len, sum);
		wire_emit_tcp(m, &w, &software, &peer_mac, &own_mac);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), hdr, wire_tcp_hdr_len(&w));
		rte_pktmbuf_free(m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_26_emitted_values_decode_with_right_sums),
			cmocka_unit_test(emit_then_parse_gives_the_same_values),
			cmocka_unit_test(emit_with_payload_sum_gives_the_same_frame),
			cmocka_unit_test(emit_offloaded_prepares_what_the_device_wants),
			cmocka_unit_test(emit_into_received_mbuf_keeps_only_buffer_flags),
			cmocka_unit_test(w_34_syn_options_stand_in_order),
			cmocka_unit_test(w_26_plain_segments_are_those_of_the_general_way),
			cmocka_unit_test(w_26_plain_headers_cover_the_text),
	};

	return cmocka_run_group_tests(tests, bed_pool_setup, bed_pool_teardown);
}
