/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: ARP and ICMP read and written as W-5, W-21 and W-22 ask. Method: frames of
 * the independent builder and decoder, cut and broken. */

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

#include "wire/wire_arp.h"
#include "wire/wire_icmp.h"
#include "wire_bed.h"

static struct rte_mbuf *
arp_frame(struct rte_mempool *pool, uint16_t op)
{
	struct build b = bed_segment();
	struct pkt_arp arp = {
			.op = op, .sha = {2, 0, 0, 0, 0, 1}, .spa = BED_SADDR, .tpa = BED_DADDR};

	return build_arp(pool, &b, &arp);
}

static void
w_5_arp_request_and_reply_are_read(void **state)
{
	for (uint16_t op = 0; op < 5; op++) {
		struct rte_mbuf *m = arp_frame(*state, op);
		struct wire_arp arp;
		bool is_known = op == WIRE_ARP_REQUEST || op == WIRE_ARP_REPLY;

		assert_int_equal(wire_parse_arp(m, &arp), is_known);
		if (is_known) {
			assert_int_equal(arp.op, op);
			assert_int_equal(rte_be_to_cpu_32(arp.sender_ip), BED_SADDR);
			assert_int_equal(rte_be_to_cpu_32(arp.target_ip), BED_DADDR);
		}
		rte_pktmbuf_free(m);
	}
}

/* htype, ptype, hlen, plen: one wrong byte each. */
static void
w_5_arp_of_other_formats_is_refused(void **state)
{
	static const uint8_t at[] = {14, 15, 16, 17, 18, 19};

	for (size_t i = 0; i < sizeof(at); i++) {
		struct rte_mbuf *m = arp_frame(*state, 1);
		struct wire_arp arp;

		rte_pktmbuf_mtod(m, uint8_t *)[at[i]] ^= 1;
		assert_false(wire_parse_arp(m, &arp));
		rte_pktmbuf_free(m);
	}
	for (uint16_t len = 14; len < 42; len++) {
		struct rte_mbuf *m = arp_frame(*state, 1);
		struct wire_arp arp;

		rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - len));
		assert_false(wire_parse_arp(m, &arp));
		rte_pktmbuf_free(m);
	}
}

static void
arp_emitted_decodes(void **state)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(*state);
	struct wire_arp arp = {.op = WIRE_ARP_REPLY,
			.sender_ip = rte_cpu_to_be_32(BED_DADDR),
			.target_ip = rte_cpu_to_be_32(BED_SADDR),
			.eth_dst = {{2, 0, 0, 0, 0, 1}},
			.sender_mac = {{2, 0, 0, 0, 0, 2}},
			.target_mac = {{2, 0, 0, 0, 0, 1}}};
	struct pkt p;

	wire_emit_arp(m, &arp);
	assert_int_equal(pkt_decode(&p, m), 0);
	assert_int_equal(p.kind, PKT_KIND_ARP);
	assert_int_equal(p.arp.op, 2);
	assert_int_equal(p.arp.spa, BED_DADDR);
	assert_int_equal(p.arp.tpa, BED_SADDR);
	assert_memory_equal(p.arp.sha, arp.sender_mac.addr_bytes, 6);
	assert_memory_equal(p.smac, arp.sender_mac.addr_bytes, 6);
	assert_memory_equal(p.dmac, arp.eth_dst.addr_bytes, 6);
	rte_pktmbuf_free(m);
}

static bool
parse_icmp(struct rte_mbuf *m, struct seg *seg, struct wire_icmp *icmp)
{
	uint16_t reason;

	assert_int_equal(wire_parse(m, &bed_conf, seg, &reason), WIRE_ICMP);
	return wire_parse_icmp(seg, icmp);
}

/* W-21: same identifier, sequence and data back, padding cut, at every odd length. */
static void
w_21_echo_becomes_its_reply(void **state)
{
	uint8_t data[1400];

	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (uint32_t len = 0; len <= sizeof(data); len += 35) {
		struct build b = bed_segment();
		struct build_icmp ping = {.type = 8, .rest = 0x12340007};
		struct rte_mbuf *m;
		struct wire_icmp icmp;
		struct seg seg;
		struct pkt p;

		b.payload = data;
		b.len = len;
		b.ttl = 3;
		b.pad_to = 60;
		m = build_icmp(*state, &b, &ping);
		assert_true(parse_icmp(m, &seg, &icmp));
		assert_int_equal(icmp.type, WIRE_ICMP_ECHO);
		assert_true(wire_icmp_echo_reply(&seg, 64));
		assert_int_equal(pkt_decode(&p, m), 0);
		assert_int_equal(p.icmp_type, 0);
		assert_int_equal(p.icmp_rest, 0x12340007);
		assert_int_equal(p.ttl, 64);
		assert_int_equal(p.saddr, BED_DADDR);
		assert_int_equal(p.daddr, BED_SADDR);
		assert_memory_equal(p.dmac, b.smac, 6);
		assert_memory_equal(p.smac, b.dmac, 6);
		assert_true(p.is_ip_cksum_good);
		assert_true(p.is_l4_cksum_good);
		assert_int_equal(p.len, len);
		assert_memory_equal(p.payload, data, len);
		rte_pktmbuf_free(m);
	}
}

/* The strict decoder takes no IP options: what was recorded on the way here stays here. */
static void
w_21_echo_with_ip_options_is_answered_without(void **state)
{
	static const uint8_t record[12] = {7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	struct build b = bed_segment();
	struct build_icmp ping = {.type = 8, .rest = 5};
	struct wire_icmp icmp;
	struct rte_mbuf *m;
	struct seg seg;
	struct pkt p;

	b.ip_opts = record;
	b.ip_opts_len = sizeof(record);
	m = build_icmp(*state, &b, &ping);
	assert_true(parse_icmp(m, &seg, &icmp));
	assert_true(wire_icmp_echo_reply(&seg, 64));
	assert_int_equal(pkt_decode(&p, m), 0);
	assert_int_equal(p.icmp_type, 0);
	assert_int_equal(p.icmp_rest, 5);
	assert_true(p.is_ip_cksum_good);
	assert_true(p.is_l4_cksum_good);
	assert_int_equal(p.len, 11);
	assert_memory_equal(p.payload, "hello, wire", 11);
	assert_memory_equal(p.dmac, b.smac, 6);
	assert_int_equal(p.daddr, BED_SADDR);
	rte_pktmbuf_free(m);
}

/* A buffer that somebody lent is still marked so when it is freed after sending. */
static void
echo_reply_in_external_buffer_stays_external(void **state)
{
	struct build b = bed_segment();
	struct build_icmp ping = {.type = 8};
	struct rte_mbuf *m = build_icmp(*state, &b, &ping);
	struct wire_icmp icmp;
	struct seg seg;

	assert_true(parse_icmp(m, &seg, &icmp));
	m->ol_flags = RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	assert_true(wire_icmp_echo_reply(&seg, 64));
	assert_int_equal(m->ol_flags, RTE_MBUF_F_EXTERNAL);
	m->ol_flags = 0;
	rte_pktmbuf_free(m);
}

static void
icmp_with_wrong_sum_or_too_short_is_refused(void **state)
{
	struct build b = bed_segment();
	struct build_icmp ping = {.type = 8};
	struct wire_icmp icmp;
	struct rte_mbuf *m;
	struct seg seg;

	b.l4_cksum_xor = 4;
	m = build_icmp(*state, &b, &ping);
	assert_false(parse_icmp(m, &seg, &icmp));
	rte_pktmbuf_free(m);
	b.l4_cksum_xor = 0;
	m = build_icmp(*state, &b, &ping);
	assert_true(parse_icmp(m, &seg, &icmp));
	seg.len = 7;
	assert_false(wire_parse_icmp(&seg, &icmp));
	rte_pktmbuf_free(m);
}

/* The start of a segment that we sent, as an error quotes it. */
static uint32_t
quoted(uint8_t *out)
{
	struct build b = bed_segment();
	uint8_t frame[256];
	uint32_t len;

	b.saddr = BED_DADDR;
	b.daddr = BED_SADDR;
	b.sport = BED_DPORT;
	b.dport = BED_SPORT;
	len = (uint32_t)build_tcp_bytes(&b, frame, sizeof(frame)) - 14;
	memcpy(out, frame + 14, len);
	return len;
}

/* W-22: inner header bounds, from our point of view. */
static void
w_22_error_names_the_segment_it_is_about(void **state)
{
	uint8_t inner[256];
	uint32_t all = quoted(inner);

	for (uint32_t len = 0; len <= all; len++) {
		struct build b = bed_segment();
		struct build_icmp unreachable = {.type = 3, .code = 4, .rest = 1400};
		struct wire_icmp icmp;
		struct rte_mbuf *m;
		struct seg seg;

		b.payload = inner;
		b.len = len;
		/* A chain that ends with the ICMP header has nothing to read behind it. */
		b.seg_size = len % 2 ? 0 : 21;
		m = build_icmp(*state, &b, &unreachable);
		assert_int_equal(parse_icmp(m, &seg, &icmp), len >= 28);
		if (len >= 28) {
			assert_true(icmp.is_error);
			assert_int_equal(icmp.mtu, 1400);
			assert_int_equal(rte_be_to_cpu_32(icmp.inner.laddr), BED_DADDR);
			assert_int_equal(rte_be_to_cpu_16(icmp.inner.lport), BED_DPORT);
			assert_int_equal(rte_be_to_cpu_16(icmp.inner.rport), BED_SPORT);
			assert_int_equal(icmp.inner_seq, 0xfffffff0);
		}
		rte_pktmbuf_free(m);
	}
}

/* W-22: inner IHL 15 with 8 bytes behind it, version 6, UDP, a later fragment. */
static void
w_22_error_about_something_else_is_refused(void **state)
{
	static const struct {
		uint8_t at, value;
	} rows[] = {{0, 0x4f}, {0, 0x44}, {0, 0x65}, {9, 17}, {7, 1}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct build b = bed_segment();
		struct build_icmp exceeded = {.type = 11};
		struct wire_icmp icmp;
		uint8_t inner[256];
		struct rte_mbuf *m;
		struct seg seg;

		quoted(inner);
		inner[rows[i].at] = rows[i].value;
		b.payload = inner;
		b.len = 28;
		m = build_icmp(*state, &b, &exceeded);
		assert_false(parse_icmp(m, &seg, &icmp));
		rte_pktmbuf_free(m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_5_arp_request_and_reply_are_read),
			cmocka_unit_test(w_5_arp_of_other_formats_is_refused),
			cmocka_unit_test(arp_emitted_decodes),
			cmocka_unit_test(w_21_echo_becomes_its_reply),
			cmocka_unit_test(w_21_echo_with_ip_options_is_answered_without),
			cmocka_unit_test(echo_reply_in_external_buffer_stays_external),
			cmocka_unit_test(icmp_with_wrong_sum_or_too_short_is_refused),
			cmocka_unit_test(w_22_error_names_the_segment_it_is_about),
			cmocka_unit_test(w_22_error_about_something_else_is_refused),
	};

	return cmocka_run_group_tests(tests, bed_pool_setup, bed_pool_teardown);
}
