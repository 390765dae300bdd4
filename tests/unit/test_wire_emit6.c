/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: emitted IPv6 segments, and the ECN bits of both families, are what was asked
 * for. Method: random values, decoded by the strict decoder of the tests, which shares
 * no code with lib/wire; DPDK's own pseudo-header sum beside ours. */

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
#include "wire_bed.h"

enum { ROUNDS = 20000 };

static const struct rte_ether_addr peer_mac = {{2, 0, 0, 0, 0, 1}};
static const struct rte_ether_addr own_mac = {{2, 0, 0, 0, 0, 2}};
static const struct wire_tx_conf software;

static void
random_bytes(struct rng *rng, void *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = (uint8_t)rng_next(rng);
}

static struct rte_mbuf *
payload_mbuf(struct rte_mempool *pool, struct rng *rng, uint32_t len, uint16_t piece)
{
	uint8_t bytes[1500];

	if (len == 0)
		return rte_pktmbuf_alloc(pool);
	random_bytes(rng, bytes, len);
	return build_mbuf(pool, bytes, len, piece);
}

static struct wire_tcp
random_values(struct rng *rng, struct flow_addr6 *addr)
{
	static const uint8_t opt_sets[] = {0, SEG_OPT_TS, SEG_OPT_TS | SEG_OPT_SACK, SEG_OPT_SACK,
			SEG_OPT_MSS, SEG_OPT_MSS | SEG_OPT_SACK_PERM | SEG_OPT_TS | SEG_OPT_WSCALE};
	struct wire_tcp w = {.seq = (uint32_t)rng_next(rng),
			.ack = (uint32_t)rng_next(rng),
			.tsval = (uint32_t)rng_next(rng),
			.tsecr = (uint32_t)rng_next(rng),
			.wnd = (uint16_t)rng_next(rng),
			.mss = (uint16_t)rng_next(rng),
			.wscale = (uint8_t)rng_below(rng, 15),
			.n_sack = (uint8_t)(1 + rng_below(rng, 4)),
			.ttl = (uint8_t)(1 + rng_below(rng, 255)),
			.ecn = (uint8_t)rng_below(rng, 4),
			.dscp = (uint8_t)rng_below(rng, 64)};

	random_bytes(rng, addr, sizeof(*addr));
	w.addr6 = addr;
	w.opts = opt_sets[rng_below(rng, sizeof(opt_sets))];
	w.flags = (w.opts & SEG_OPT_MSS) ? TCP_SYN : (uint8_t)(TCP_ACK | rng_below(rng, 2));
	random_bytes(rng, w.sack, sizeof(w.sack));
	flow_key6_digest(&bed_addr_key, addr, &w.key);
	w.key.lport = (uint16_t)rng_next(rng) | 1;
	w.key.rport = (uint16_t)rng_next(rng) | 1;
	w.addr_sum = wire_addr6_sum(addr);
	return w;
}

static void
assert_values(const struct pkt *p, const struct wire_tcp *w, uint32_t len)
{
	assert_memory_equal(p->dmac, peer_mac.addr_bytes, 6);
	assert_memory_equal(p->smac, own_mac.addr_bytes, 6);
	assert_int_equal(p->version, 6);
	assert_memory_equal(p->saddr6, w->addr6->local, 16);
	assert_memory_equal(p->daddr6, w->addr6->remote, 16);
	assert_int_equal(p->sport, rte_be_to_cpu_16(w->key.lport));
	assert_int_equal(p->dport, rte_be_to_cpu_16(w->key.rport));
	assert_int_equal(p->seq, w->seq);
	assert_int_equal(p->ack, w->ack);
	assert_int_equal(p->wnd, w->wnd);
	assert_int_equal(p->flags, w->flags);
	assert_int_equal(p->ttl, w->ttl);
	assert_int_equal(p->tos, w->dscp << 2 | w->ecn);
	assert_int_equal(p->len, len);
	assert_true(p->is_l4_cksum_good);
	if (w->opts & SEG_OPT_TS)
		assert_int_equal(p->tsval, w->tsval);
	if (w->opts & SEG_OPT_MSS)
		assert_int_equal(p->mss, w->mss);
}

/* W-26: odd lengths, chains, every set of options. */
static void
w_26_emitted_values_decode_with_right_sums(void **state)
{
	struct rng rng;

	rng_seed(&rng, 3);
	for (int i = 0; i < ROUNDS; i++) {
		struct flow_addr6 addr;
		struct wire_tcp w = random_values(&rng, &addr);
		uint32_t len = w.flags & TCP_SYN ? 0 : (uint32_t)rng_below(&rng, 300);
		struct rte_mbuf *m = payload_mbuf(*state, &rng, len, (uint16_t)rng_below(&rng, 80));
		struct pkt p;

		wire_emit_tcp(m, &w, &software, &peer_mac, &own_mac);
		assert_int_equal(pkt_decode(&p, m), 0);
		assert_values(&p, &w, len);
		assert_int_equal(m->pkt_len, wire_tcp_hdr_len(&w) + len);
		assert_int_equal(m->ol_flags, 0);
		rte_pktmbuf_free(m);
	}
}

/* Round trip through our own parser: the receiver's key is the sender's, turned round. */
static void
emit_then_parse_gives_the_same_values(void **state)
{
	struct rng rng;

	rng_seed(&rng, 4);
	for (int i = 0; i < ROUNDS; i++) {
		struct flow_addr6 addr, turned;
		struct wire_tcp w = random_values(&rng, &addr);
		struct rte_mbuf *m = payload_mbuf(*state, &rng, 100, 0);
		struct flow_key key;
		struct seg seg;
		uint16_t reason = 0;

		wire_emit_tcp(m, &w, &software, &peer_mac, &own_mac);
		assert_int_equal(wire_parse(m, &bed6_conf, &seg, &reason), WIRE_TCP);
		memcpy(turned.local, addr.remote, 16);
		memcpy(turned.remote, addr.local, 16);
		flow_key6_digest(&bed_addr_key, &turned, &key);
		assert_memory_equal(seg.key.addrs, key.addrs, 8);
		assert_int_equal(seg.key.lport, w.key.rport);
		assert_int_equal(seg.ecn, w.ecn);
		assert_int_equal(seg.seq, w.seq);
		assert_int_equal(seg.len, 100);
		assert_int_equal(seg.opts, w.opts);
		assert_true(seg.is_v6);
		flow_addr6_of(rte_pktmbuf_mtod_offset(m, uint8_t *, SEG_IP_OFF), &addr);
		assert_true(flow_addr6_equal(&addr, &turned));
		rte_pktmbuf_free(m);
	}
}

/* The digest keeps apart what differs in one bit of one address. */
static void
addresses_one_bit_apart_differ(void **state)
{
	struct flow_addr6 a;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 5);
	random_bytes(&rng, &a, sizeof(a));
	for (uint32_t bit = 0; bit < 256; bit++) {
		struct flow_addr6 b = a;
		struct flow_key x, y;

		((uint8_t *)&b)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(flow_addr6_equal(&a, &b));
		flow_key6_digest(&bed_addr_key, &a, &x);
		flow_key6_digest(&bed_addr_key, &b, &y);
		assert_memory_not_equal(x.addrs, y.addrs, 8);
	}
	assert_true(flow_addr6_equal(&a, &a));
}

static void
emit_offloaded_prepares_what_the_device_wants(void **state)
{
	struct wire_tx_conf conf = {.ip_cksum_offload = true, .tcp_cksum_offload = true};
	struct rng rng;

	rng_seed(&rng, 6);
	for (int i = 0; i < 1000; i++) {
		struct flow_addr6 addr;
		struct wire_tcp w = random_values(&rng, &addr);
		struct rte_mbuf *m = payload_mbuf(*state, &rng, 77, 0);
		struct rte_ipv6_hdr *ip;
		struct pkt p;
		uint16_t pseudo;

		wire_emit_tcp(m, &w, &conf, &peer_mac, &own_mac);
		assert_int_equal(m->ol_flags, RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_TCP_CKSUM);
		assert_int_equal(m->l2_len, 14);
		assert_int_equal(m->l3_len, 40);
		assert_int_equal(m->l4_len, 20 + wire_tcp_opts_len(&w));
		ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv6_hdr *, 14);
		pseudo = rte_ipv6_phdr_cksum(ip, m->ol_flags);
		assert_memory_equal((uint8_t *)(ip + 1) + 16, &pseudo, 2);
		assert_int_equal(pkt_decode(&p, m), 0);
		assert_true(p.is_l4_cksum_good);
		rte_pktmbuf_free(m);
		conf.ip_cksum_offload = i % 2 == 0; /* means nothing here */
	}
}

/* RFC 6437: one label per flow, spread over 20 bits. */
static void
flow_label_is_of_the_flow(void **state)
{
	struct flow_addr6 addr;
	uint32_t seen[16] = {0};
	struct rng rng;

	rng_seed(&rng, 7);
	random_values(&rng, &addr);
	for (uint16_t port = 1; port <= 1600; port++) {
		struct wire_tcp w = {.flags = TCP_ACK, .ttl = 64, .addr6 = &addr};
		uint32_t label[2];

		w.addr_sum = wire_addr6_sum(&addr);
		flow_key6_digest(&bed_addr_key, &addr, &w.key);
		w.key.lport = rte_cpu_to_be_16(port);
		w.key.rport = rte_cpu_to_be_16(80);
		for (int i = 0; i < 2; i++) {
			struct rte_mbuf *m = rte_pktmbuf_alloc(*state);
			struct pkt p;

			w.seq = (uint32_t)i * 1000;
			wire_emit_tcp(m, &w, &software, &peer_mac, &own_mac);
			assert_int_equal(pkt_decode(&p, m), 0);
			label[i] = p.flow_label;
			rte_pktmbuf_free(m);
		}
		assert_int_equal(label[0], label[1]);
		seen[label[0] >> 16]++;
	}
	for (int i = 0; i < 16; i++)
		assert_in_range(seen[i], 50, 150);
}

/* DATA-44: the code point beside each DSCP, IPv4. */
static void
data_44_ecn_code_point_is_written(void **state)
{
	for (uint32_t tos = 0; tos < 256; tos++) {
		struct wire_tcp w = {.flags = TCP_ACK,
				.ttl = 64,
				.dscp = (uint8_t)(tos >> 2),
				.ecn = tos & 3};
		struct rte_mbuf *m = rte_pktmbuf_alloc(*state);
		struct pkt p;

		wire_emit_tcp(m, &w, &software, &peer_mac, &own_mac);
		assert_int_equal(pkt_decode(&p, m), 0);
		assert_int_equal(p.tos, tos);
		assert_true(p.is_ip_cksum_good);
		rte_pktmbuf_free(m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_26_emitted_values_decode_with_right_sums),
			cmocka_unit_test(emit_then_parse_gives_the_same_values),
			cmocka_unit_test(addresses_one_bit_apart_differ),
			cmocka_unit_test(emit_offloaded_prepares_what_the_device_wants),
			cmocka_unit_test(flow_label_is_of_the_flow),
			cmocka_unit_test(data_44_ecn_code_point_is_written),
	};

	return cmocka_run_group_tests(tests, bed_pool_setup, bed_pool_teardown);
}
