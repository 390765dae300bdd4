/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: ICMPv6 read and written as W-17, W-21 and W-22 ask. Method: frames of the
 * independent builder and decoder, cut and broken. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "wire/wire_icmp6.h"
#include "wire_bed.h"

static bool
parse_icmp(struct rte_mbuf *m, struct seg *seg, struct wire_icmp6 *icmp)
{
	uint16_t reason;

	assert_int_equal(wire_parse(m, &bed6_conf, seg, &reason), WIRE_ICMP6);
	return wire_parse_icmp6(seg, &bed_addr_key, icmp);
}

/* Destination options and an atomic fragment header before the upper layer. */
static const uint8_t options[] = {58, 0, 1, 4, 0, 0, 0, 0};
static const uint8_t fragment[] = {58, 0, 0, 0, 1, 2, 3, 4};

static void
expect_reply(const struct build *b, const struct pkt *p)
{
	assert_int_equal(p->icmp_type, 129);
	assert_int_equal(p->icmp_code, 0);
	assert_int_equal(p->icmp_rest, 0x12340007);
	assert_int_equal(p->ttl, 64);
	assert_memory_equal(p->saddr6, b->daddr6, 16);
	assert_memory_equal(p->daddr6, b->saddr6, 16);
	assert_memory_equal(p->dmac, b->smac, 6);
	assert_memory_equal(p->smac, b->dmac, 6);
	assert_true(p->is_l4_cksum_good);
	assert_int_equal(p->len, b->len);
	assert_memory_equal(p->payload, b->payload, b->len);
}

/* W-21: same identifier, sequence and data back, padding and extension headers cut. */
static void
w_21_echo_becomes_its_reply(void **state)
{
	uint8_t data[1400];

	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (uint32_t len = 0; len <= sizeof(data); len += 35) {
		struct build b = bed6_segment();
		struct build_icmp ping = {.type = 128, .rest = 0x12340007};
		struct rte_mbuf *m;
		struct wire_icmp6 icmp;
		struct seg seg;
		struct pkt p;

		b.payload = data;
		b.len = len;
		b.ttl = 3;
		b.pad_to = 70;
		b.next = 60;
		b.ext = options;
		b.ext_len = len % 2 ? sizeof(options) : 0;
		b.seg_size = len > 1000 ? 600 : 0;
		m = build_icmp(*state, &b, &ping);
		assert_true(parse_icmp(m, &seg, &icmp));
		assert_int_equal(icmp.type, WIRE_ICMP6_ECHO);
		assert_false(icmp.is_error);
		assert_memory_equal(icmp.addr.remote, b.saddr6, 16);
		assert_memory_equal(icmp.addr.local, b.daddr6, 16);
		m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
		assert_true(wire_icmp6_echo_reply(&seg, 64));
		assert_int_equal(m->ol_flags, 0);
		assert_int_equal(pkt_decode(&p, m), 0);
		expect_reply(&b, &p);
		rte_pktmbuf_free(m);
	}
}

/* W-21: a fragment is not answered, even if it is the only one; neither is what lies in
 * pieces too small. */
static void
w_21_fragment_or_torn_header_is_not_answered(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct build b = bed6_segment();
		struct build_icmp ping = {.type = 128};
		struct rte_mbuf *m;
		struct wire_icmp6 icmp;
		struct seg seg;

		b.next = 44;
		b.ext = fragment;
		b.ext_len = i == 0 ? sizeof(fragment) : 0;
		b.seg_size = i == 0 ? 0 : 60;
		m = build_icmp(*state, &b, &ping);
		assert_true(parse_icmp(m, &seg, &icmp));
		assert_int_equal(seg.is_frag, i == 0);
		assert_false(wire_icmp6_echo_reply(&seg, 64));
		rte_pktmbuf_free(m);
	}
}

/* Each wrong bit of the message or of an address is seen. */
static void
icmp6_sum_covers_the_pseudo_header(void **state)
{
	struct build b = bed6_segment();
	struct build_icmp ping = {.type = 128, .rest = 9};
	struct rte_mbuf *m = build_icmp(*state, &b, &ping);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	struct wire_icmp6 icmp;
	struct seg seg;

	assert_true(parse_icmp(m, &seg, &icmp));
	for (uint32_t bit = (14 + 8) * 8; bit < m->pkt_len * 8; bit++) {
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(wire_parse_icmp6(&seg, &bed_addr_key, &icmp));
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (seg.len = 0; seg.len < 8; seg.len++)
		assert_false(wire_parse_icmp6(&seg, &bed_addr_key, &icmp));
	rte_pktmbuf_free(m);
}

/* The start of a segment that we sent, as an error quotes it. */
static uint32_t
quoted(uint8_t *out)
{
	struct build b = bed6_segment();
	struct build turned = b;
	uint8_t frame[256];
	uint32_t len;

	memcpy(turned.saddr6, b.daddr6, 16);
	memcpy(turned.daddr6, b.saddr6, 16);
	turned.sport = BED_DPORT;
	turned.dport = BED_SPORT;
	len = (uint32_t)build_tcp_bytes(&turned, frame, sizeof(frame)) - 14;
	memcpy(out, frame + 14, len);
	return len;
}

static void
check_error(const struct wire_icmp6 *icmp, const struct build_icmp *sent)
{
	struct build b = bed6_segment();
	struct seg seg = {.is_v6 = 1};
	struct flow_addr6 addr;

	memcpy(addr.local, b.daddr6, 16);
	memcpy(addr.remote, b.saddr6, 16);
	flow_key6_digest(&bed_addr_key, &addr, &seg.key);
	assert_true(icmp->is_error);
	assert_int_equal(icmp->type, sent->type);
	assert_int_equal(icmp->code, sent->code);
	assert_int_equal(icmp->mtu, sent->type == 2 ? sent->rest : 0);
	assert_true(flow_addr6_equal(&icmp->inner_addr, &addr));
	assert_memory_equal(icmp->inner.addrs, seg.key.addrs, 8);
	assert_int_equal(rte_be_to_cpu_16(icmp->inner.lport), BED_DPORT);
	assert_int_equal(rte_be_to_cpu_16(icmp->inner.rport), BED_SPORT);
	assert_int_equal(icmp->inner_seq, 0xfffffff0);
	assert_int_equal(icmp->inner_len, 40 + 32 + 11);
}

/* W-22: every type, the quote cut at every length, in one piece and in many. */
static void
w_22_error_names_the_segment_it_is_about(void **state)
{
	uint8_t inner[256];
	uint32_t all = quoted(inner);

	for (uint8_t type = 1; type <= 4; type++) {
		for (uint32_t len = 0; len <= all; len++) {
			struct build b = bed6_segment();
			struct build_icmp error = {.type = type, .code = 3, .rest = 1400};
			struct wire_icmp6 icmp;
			struct rte_mbuf *m;
			struct seg seg;

			b.payload = inner;
			b.len = len;
			b.seg_size = (uint16_t)(len % 3 == 0 ? 0 : len % 3 == 1 ? 31 : 62);
			m = build_icmp(*state, &b, &error);
			assert_int_equal(parse_icmp(m, &seg, &icmp), len >= 48);
			if (len >= 48)
				check_error(&icmp, &error);
			rte_pktmbuf_free(m);
		}
	}
}

/* W-22: another version, another protocol, extension headers: not ours. */
static void
w_22_error_about_something_else_is_refused(void **state)
{
	static const struct {
		uint8_t at, value;
	} rows[] = {{0, 0x45}, {0, 0x70}, {6, 17}, {6, 0}, {6, 44}, {6, 58}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct build b = bed6_segment();
		struct build_icmp exceeded = {.type = 3};
		struct wire_icmp6 icmp;
		uint8_t inner[256];
		struct rte_mbuf *m;
		struct seg seg;

		quoted(inner);
		inner[rows[i].at] = rows[i].value;
		b.payload = inner;
		b.len = 48;
		m = build_icmp(*state, &b, &exceeded);
		assert_false(parse_icmp(m, &seg, &icmp));
		rte_pktmbuf_free(m);
	}
}

/* W-23: unknown errors and queries are values, too; nobody has to act on them. */
static void
icmp6_other_types_are_no_errors(void **state)
{
	static const uint8_t types[] = {0, 5, 100, 127, 129, 130, 133, 134, 137, 255};

	for (size_t i = 0; i < sizeof(types); i++) {
		struct build b = bed6_segment();
		struct build_icmp other = {.type = types[i]};
		struct rte_mbuf *m = build_icmp(*state, &b, &other);
		struct wire_icmp6 icmp;
		struct seg seg;

		assert_true(parse_icmp(m, &seg, &icmp));
		assert_int_equal(icmp.type, types[i]);
		assert_false(icmp.is_error);
		rte_pktmbuf_free(m);
	}
}

/* W-17: the packet comes back behind the error, up to 1280 octets in all, with the
 * offset of the octet at fault. */
static void
w_17_problem_quotes_the_packet(void **state)
{
	static const uint32_t lens[] = {0, 1, 11, 1171, 1172, 1173, 1400};
	static uint8_t payload[1400];
	uint8_t frame[BUILD_BYTES_MAX];

	for (size_t i = 0; i < 2 * sizeof(lens) / sizeof(lens[0]); i++) {
		static const uint8_t bad[] = {6, 0, 0x9e, 4, 1, 2, 3, 4};
		struct build b = bed6_segment();
		bool is_option = i % 2;
		struct rte_mbuf *m;
		struct seg seg;
		uint16_t reason;
		uint32_t len;
		struct pkt p;

		b.opts = 0;
		b.payload = payload;
		b.len = lens[i / 2];
		b.proto = is_option ? 0 : 17;
		b.next = 60;
		b.ext = bad;
		b.ext_len = is_option ? sizeof(bad) : 0;
		len = (uint32_t)build_tcp_bytes(&b, frame, sizeof(frame)) - 14;
		b.pad_to = (uint16_t)(len + 14 + 20);
		m = build_tcp(*state, &b);
		assert_int_equal(wire_parse(m, &bed6_conf, &seg, &reason), WIRE_IP6_PROBLEM);
		seg.m = m;
		assert_true(wire_icmp6_problem(&seg, 64));
		assert_int_equal(pkt_decode(&p, m), 0);
		assert_int_equal(p.icmp_type, 4);
		assert_int_equal(p.icmp_code, is_option ? 2 : 1);
		assert_int_equal(p.icmp_rest, is_option ? 42 : 6);
		assert_true(p.is_l4_cksum_good);
		assert_memory_equal(p.daddr6, b.saddr6, 16);
		assert_memory_equal(p.saddr6, b.daddr6, 16);
		assert_memory_equal(p.dmac, b.smac, 6);
		assert_memory_equal(p.smac, b.dmac, 6);
		assert_int_equal(p.ttl, 64);
		assert_int_equal(p.len, len < 1232 ? len : 1232);
		assert_memory_equal(p.payload, frame + 14, p.len);
		rte_pktmbuf_free(m);
	}
}

/* Without head room, or in pieces, nothing is said. */
static void
w_17_problem_needs_one_buffer_with_room(void **state)
{
	struct build b = bed6_segment();
	struct seg seg;
	uint16_t reason;
	struct rte_mbuf *m;

	b.proto = 17;
	b.seg_size = 50;
	m = build_tcp(*state, &b);
	assert_int_equal(wire_parse(m, &bed6_conf, &seg, &reason), WIRE_IP6_PROBLEM);
	assert_false(wire_icmp6_problem(&seg, 64));
	rte_pktmbuf_free(m);
	b.seg_size = 0;
	m = build_tcp(*state, &b);
	assert_int_equal(wire_parse(m, &bed6_conf, &seg, &reason), WIRE_IP6_PROBLEM);
	memmove(rte_pktmbuf_mtod_offset(m, char *, -100), rte_pktmbuf_mtod(m, char *), m->data_len);
	m->data_off -= 100;
	assert_false(wire_icmp6_problem(&seg, 64));
	rte_pktmbuf_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_21_echo_becomes_its_reply),
			cmocka_unit_test(w_21_fragment_or_torn_header_is_not_answered),
			cmocka_unit_test(icmp6_sum_covers_the_pseudo_header),
			cmocka_unit_test(w_22_error_names_the_segment_it_is_about),
			cmocka_unit_test(w_22_error_about_something_else_is_refused),
			cmocka_unit_test(icmp6_other_types_are_no_errors),
			cmocka_unit_test(w_17_problem_quotes_the_packet),
			cmocka_unit_test(w_17_problem_needs_one_buffer_with_room),
	};

	return cmocka_run_group_tests(tests, bed_pool_setup, bed_pool_teardown);
}
