/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: Neighbour Discovery read and written as W-19 asks, nothing accepted that
 * RFC 4861 7.1 or RFC 6980 refuses. Method: messages of the independent builder, one rule
 * broken at a time; what is written is decoded by the strict decoder. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_mbuf.h>

#include "wire/wire_icmp6.h"
#include "wire/wire_nd.h"
#include "wire_bed.h"

static const uint8_t us[16] = {0xfd, [15] = 2};
static const uint8_t peer[16] = {0xfd, [15] = 1};
static const uint8_t any[16];
static const uint8_t our_group[16] = {0xff, 2, [11] = 1, 0xff, 0, 0, 2};
static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
static const uint8_t source_opt[8] = {1, 1, 2, 0, 0, 0, 0, 1};
static const uint8_t target_opt[8] = {2, 1, 2, 0, 0, 0, 0, 9};

struct message {
	struct build b;
	struct build_nd nd;
};

static struct message
solicit(void)
{
	struct message msg = {.b = bed6_segment(),
			.nd = {.type = 135, .opts = source_opt, .opts_len = 8}};

	memcpy(msg.b.daddr6, our_group, 16);
	memcpy(msg.nd.target, us, 16);
	return msg;
}

static struct message
advert(void)
{
	struct message msg = {.b = bed6_segment(),
			.nd = {.type = 136, .flags = 0x60, .opts = target_opt, .opts_len = 8}};

	memcpy(msg.nd.target, peer, 16);
	return msg;
}

/* As the stack reads it: ICMPv6 first. */
static bool
parse_both(const struct seg *seg, struct wire_nd *nd)
{
	struct wire_icmp6 icmp;

	return wire_parse_icmp6(seg, bed6_conf.addr_key, &icmp) && wire_parse_nd(seg, nd);
}

static bool
parse(struct rte_mempool *pool, const struct message *msg, struct wire_nd *nd)
{
	struct rte_mbuf *m = build_nd(pool, &msg->b, &msg->nd);
	struct seg seg;
	uint16_t reason;
	bool is_good;

	assert_int_equal(wire_parse(m, &bed6_conf, &seg, &reason), WIRE_ICMP6);
	is_good = parse_both(&seg, nd);
	rte_pktmbuf_free(m);
	return is_good;
}

/* In one piece and in many. */
static void
w_19_solicitation_is_read(void **state)
{
	for (uint16_t size = 0; size < 90; size++) {
		struct message msg = solicit();
		struct wire_nd nd;

		msg.b.seg_size = size;
		assert_true(parse(*state, &msg, &nd));
		assert_int_equal(nd.type, WIRE_ND_SOLICIT);
		assert_memory_equal(nd.addr.remote, peer, 16);
		assert_memory_equal(nd.addr.local, our_group, 16);
		assert_memory_equal(nd.target, us, 16);
		assert_true(nd.has_lladdr);
		assert_memory_equal(nd.lladdr.addr_bytes, source_opt + 2, 6);
		assert_memory_equal(nd.eth_src.addr_bytes, msg.b.smac, 6);
		assert_memory_equal(nd.eth_dst.addr_bytes, msg.b.dmac, 6);
	}
}

static void
w_19_advertisement_is_read(void **state)
{
	for (uint32_t flags = 0; flags < 256; flags += 0x20) {
		struct message msg = advert();
		struct wire_nd nd;

		msg.nd.flags = (uint8_t)flags;
		assert_true(parse(*state, &msg, &nd));
		assert_int_equal(nd.type, WIRE_ND_ADVERT);
		assert_memory_equal(nd.addr.remote, peer, 16);
		assert_memory_equal(nd.target, peer, 16);
		assert_int_equal(nd.is_router, flags >> 7);
		assert_int_equal(nd.is_solicited, flags >> 6 & 1);
		assert_int_equal(nd.is_override, flags >> 5 & 1);
		assert_memory_equal(nd.lladdr.addr_bytes, target_opt + 2, 6);
	}
}

/* Without option, with the other kind's, with unknown ones, with a longer address. */
static void
w_19_options_are_optional(void **state)
{
	static const uint8_t rows[][24] = {{0}, {2, 1, 2, 0, 0, 0, 0, 7},
			{5, 1, 0, 0, 0, 0, 5, 0xdc}, {1, 2, 2, 0, 0, 0, 0, 7}, {200, 3}};
	static const uint8_t lens[] = {0, 8, 8, 16, 24};

	for (size_t i = 0; i < sizeof(lens); i++) {
		struct message msg = solicit();
		struct wire_nd nd;

		msg.nd.opts = rows[i];
		msg.nd.opts_len = lens[i];
		assert_true(parse(*state, &msg, &nd));
		assert_false(nd.has_lladdr);
	}
}

/* SEC-14: 16 options are borne, unknown ones before the address too; a frame full of them
 * is not. */
static void
w_19_sec_14_options_are_bounded(void **state)
{
	static uint8_t opts[17 * 8];
	struct message msg = solicit();
	struct wire_nd nd;

	for (size_t i = 0; i < sizeof(opts); i += 8) {
		opts[i] = 200;
		opts[i + 1] = 1;
	}
	memcpy(opts + 15 * 8, source_opt, 8);
	msg.nd.opts = opts;
	msg.nd.opts_len = 16 * 8;
	assert_true(parse(*state, &msg, &nd));
	assert_true(nd.has_lladdr);
	msg.nd.opts_len = 17 * 8;
	assert_false(parse(*state, &msg, &nd));
}

/* Source is ::, destination the target's solicited-node group, no option. */
static void
w_19_duplicate_probe_is_read(void **state)
{
	struct message msg = solicit();
	struct wire_nd nd;

	memcpy(msg.b.saddr6, any, 16);
	msg.nd.opts_len = 0;
	assert_true(parse(*state, &msg, &nd));
	assert_memory_equal(nd.addr.remote, any, 16);
	assert_false(nd.has_lladdr);
	memcpy(msg.b.daddr6, us, 16);
	assert_false(parse(*state, &msg, &nd));
	memcpy(msg.b.daddr6, all_nodes, 16);
	assert_false(parse(*state, &msg, &nd));
	memcpy(msg.b.daddr6, our_group, 16);
	msg.nd.opts_len = 8;
	assert_false(parse(*state, &msg, &nd));
}

/* One rule of RFC 4861 7.1.1 and 7.1.2 at a time, for both kinds. */
static void
w_19_each_broken_rule_is_refused(void **state)
{
	static const uint8_t fragment[] = {58, 0, 0, 0, 1, 2, 3, 4};
	static const uint8_t no_length[16] = {1, 1, 2, 0, 0, 0, 0, 1, 7, 0};

	for (int kind = 0; kind < 2; kind++) {
		struct message good = kind == 0 ? solicit() : advert();
		struct message bad[8];
		struct wire_nd nd;

		assert_true(parse(*state, &good, &nd));
		for (size_t i = 0; i < 8; i++)
			bad[i] = good;
		bad[0].b.ttl = 254;
		bad[1].nd.code = 1;
		bad[2].b.l4_cksum_xor = 1;
		memcpy(bad[3].nd.target, all_nodes, 16);
		bad[4].nd.opts = no_length;
		bad[4].nd.opts_len = 16;
		bad[5].b.next = 44; /* RFC 6980 */
		bad[5].b.ext = fragment;
		bad[5].b.ext_len = sizeof(fragment);
		memcpy(bad[6].b.saddr6, all_nodes, 16);
		bad[7].nd.type = 137;
		for (size_t i = 0; i < 8; i++)
			if (parse(*state, &bad[i], &nd))
				fail_msg("kind %d, rule %zu", kind, i);
	}
}

/* Once is enough: ICMPv6 has looked at it before it is known to be Neighbour Discovery. */
static void
w_19_checksum_is_judged_by_icmpv6_alone(void **state)
{
	struct message msg = solicit();
	struct wire_icmp6 icmp;
	struct rte_mbuf *m;
	struct wire_nd nd;
	struct seg seg;
	uint16_t reason;

	msg.b.l4_cksum_xor = 1;
	m = build_nd(*state, &msg.b, &msg.nd);
	assert_int_equal(wire_parse(m, &bed6_conf, &seg, &reason), WIRE_ICMP6);
	assert_false(wire_parse_icmp6(&seg, bed6_conf.addr_key, &icmp));
	assert_true(wire_parse_nd(&seg, &nd));
	rte_pktmbuf_free(m);
}

/* An advertisement to a group is not solicited. */
static void
w_19_solicited_flag_goes_with_unicast(void **state)
{
	struct message msg = advert();
	struct wire_nd nd;

	memcpy(msg.b.daddr6, all_nodes, 16);
	assert_false(parse(*state, &msg, &nd));
	msg.nd.flags = 0x20;
	assert_true(parse(*state, &msg, &nd));
}

/* W-1: each length of message and each length of option, nothing read past the end. */
static void
w_19_all_lengths_stay_in_bounds(void **state)
{
	(void)state;
	for (uint32_t len = 0; len < 64; len++) {
		for (uint32_t opt_len = 0; opt_len < 256; opt_len++) {
			uint8_t opts[40] = {14, (uint8_t)opt_len};
			struct build b = bed6_segment();
			struct build_icmp icmp = {.type = 135};
			uint32_t body = len < 8 ? 0 : len - 8;
			uint8_t bytes[16 + sizeof(opts)];
			bool is_good = len == 24 ||
				       (len > 24 && opt_len > 0 && opt_len * 8 == len - 24);
			struct rte_mempool *pool =
					test_pool_create(RTE_PKTMBUF_HEADROOM + 54 + len);
			struct rte_mbuf *m;
			struct wire_nd nd;
			struct seg seg;
			uint16_t reason;

			if (len < 8 || (len <= 24 && opt_len > 0)) {
				test_pool_destroy(pool);
				continue;
			}
			memcpy(bytes, us, 16);
			memcpy(bytes + 16, opts, sizeof(opts));
			b.ttl = 255;
			b.payload = bytes;
			b.len = body;
			m = build_icmp(pool, &b, &icmp);
			assert_int_equal(wire_parse(m, &bed6_conf, &seg, &reason), WIRE_ICMP6);
			/* Zeros behind an option are one without length. */
			assert_int_equal(wire_parse_nd(&seg, &nd), is_good);
			rte_pktmbuf_free(m);
			test_pool_destroy(pool);
		}
	}
}

/* ---- writing ---- */

static void
addresses_of_groups_are_made(void **state)
{
	struct rte_ether_addr mac;
	uint8_t group[16];

	(void)state;
	wire_nd_solicited_node((const uint8_t[16]){0x20, 1, [12] = 0x11, 0x22, 0x33, 0x44}, group);
	assert_memory_equal(group, ((const uint8_t[16]){0xff, 2, [11] = 1, 0xff, 0x22, 0x33, 0x44}),
			16);
	wire_nd_group_mac(group, &mac);
	assert_memory_equal(mac.addr_bytes,
			((const uint8_t[6]){0x33, 0x33, 0xff, 0x22, 0x33, 0x44}), 6);
	wire_nd_all_nodes(group);
	assert_memory_equal(group, all_nodes, 16);
	wire_nd_group_mac(group, &mac);
	assert_memory_equal(mac.addr_bytes, ((const uint8_t[6]){0x33, 0x33, 0, 0, 0, 1}), 6);
}

static void
check_emitted(struct rte_mempool *pool, const struct wire_nd *nd, uint8_t flags)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct wire_nd again;
	uint16_t reason;
	struct seg seg;
	struct pkt p;

	wire_emit_nd(m, nd);
	assert_int_equal(pkt_decode(&p, m), 0);
	assert_int_equal(p.kind, PKT_KIND_ICMP);
	assert_int_equal(p.icmp_type, nd->type);
	assert_int_equal(p.ttl, 255);
	assert_true(p.is_l4_cksum_good);
	assert_memory_equal(p.saddr6, nd->addr.local, 16);
	assert_memory_equal(p.daddr6, nd->addr.remote, 16);
	assert_memory_equal(p.smac, nd->eth_src.addr_bytes, 6);
	assert_memory_equal(p.dmac, nd->eth_dst.addr_bytes, 6);
	assert_int_equal(p.nd.flags, flags);
	assert_memory_equal(p.nd.target, nd->target, 16);
	assert_int_equal(p.nd.has_lladdr, nd->has_lladdr);
	if (nd->has_lladdr)
		assert_memory_equal(p.nd.lladdr, nd->lladdr.addr_bytes, 6);
	/* And our own ear hears it. */
	assert_int_equal(wire_parse(m, &bed6_conf, &seg, &reason), WIRE_ICMP6);
	assert_true(wire_parse_nd(&seg, &again));
	assert_memory_equal(again.target, nd->target, 16);
	rte_pktmbuf_free(m);
}

/* By group, by unicast, answer to who asked, answer to a duplicate probe. */
static void
w_19_messages_are_written(void **state)
{
	struct wire_nd nd = {.type = WIRE_ND_SOLICIT,
			.has_lladdr = true,
			.lladdr = {{2, 0, 0, 0, 0, 2}},
			.eth_src = {{2, 0, 0, 0, 0, 2}}};

	memcpy(nd.addr.local, us, 16);
	memcpy(nd.target, peer, 16);
	wire_nd_solicited_node(peer, nd.addr.remote);
	wire_nd_group_mac(nd.addr.remote, &nd.eth_dst);
	check_emitted(*state, &nd, 0);
	memcpy(nd.addr.remote, peer, 16);
	nd.eth_dst = (struct rte_ether_addr){{2, 0, 0, 0, 0, 1}};
	check_emitted(*state, &nd, 0);
	nd.type = WIRE_ND_ADVERT;
	nd.is_solicited = nd.is_override = true;
	memcpy(nd.target, us, 16);
	check_emitted(*state, &nd, 0x60);
	nd.is_solicited = false;
	wire_nd_all_nodes(nd.addr.remote);
	wire_nd_group_mac(nd.addr.remote, &nd.eth_dst);
	check_emitted(*state, &nd, 0x20);
	nd.type = WIRE_ND_SOLICIT;
	nd.has_lladdr = false;
	memset(nd.addr.local, 0, 16);
	wire_nd_solicited_node(us, nd.addr.remote);
	check_emitted(*state, &nd, 0);
}

/* A mapped address named an IPv4 neighbour, and an advertisement moved it. */
static void
w_19_impossible_targets_are_refused(void **state)
{
	static const uint8_t rows[][16] = {{0}, {[15] = 1}, {[12] = 10, 0, 0, 2},
			{[10] = 0xff, 0xff, 10, 0, 0, 2}, {0xff, 2, [15] = 1}};
	static const uint8_t fine[][16] = {
			{[7] = 1, [10] = 0xff, 0xff, 10, 0, 0, 2}, {0xfe, 0x80, [15] = 1}};
	struct message ns = solicit(), na = advert();
	struct wire_nd nd;

	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		memcpy(ns.nd.target, rows[i], 16);
		assert_false(parse(*state, &ns, &nd));
		memcpy(na.nd.target, rows[i], 16);
		assert_false(parse(*state, &na, &nd));
	}
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(fine); i++) {
		memcpy(na.nd.target, fine[i], 16);
		assert_true(parse(*state, &na, &nd));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_19_solicitation_is_read),
			cmocka_unit_test(w_19_advertisement_is_read),
			cmocka_unit_test(w_19_options_are_optional),
			cmocka_unit_test(w_19_duplicate_probe_is_read),
			cmocka_unit_test(w_19_impossible_targets_are_refused),
			cmocka_unit_test(w_19_sec_14_options_are_bounded),
			cmocka_unit_test(w_19_each_broken_rule_is_refused),
			cmocka_unit_test(w_19_checksum_is_judged_by_icmpv6_alone),
			cmocka_unit_test(w_19_solicited_flag_goes_with_unicast),
			cmocka_unit_test(w_19_all_lengths_stay_in_bounds),
			cmocka_unit_test(addresses_of_groups_are_made),
			cmocka_unit_test(w_19_messages_are_written),
	};

	return cmocka_run_group_tests(tests, bed_pool_setup, bed_pool_teardown);
}
