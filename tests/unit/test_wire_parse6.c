/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: TCP over IPv6 is read as over IPv4, through any chain of extension headers
 * that is allowed, and never past the packet. Method: frames of the independent
 * builder, cut and broken in every way, in mbufs of their own malloc; chains by hand. */

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

#include "base/rng.h"
#include "flow/flow_key6.h"
#include "wire_bed.h"

#ifdef __SANITIZE_ADDRESS__
enum { RANDOM_FRAMES = 20000 };
#else
enum { RANDOM_FRAMES = 100000 };
#endif

enum { IP_AT = 14, EXT_AT = 54 };

/* W-16: whatever the flow label and the hop limit (W-11). */
static void
w_16_segment_gives_every_field(void **state)
{
	static const uint32_t labels[] = {0, 1, 0xfffff};

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		struct build b = bed6_segment();
		struct seg seg;
		uint16_t reason;

		b.flow_label = labels[i];
		b.ttl = (uint8_t)(1 + i);
		assert_int_equal(bed_parse(*state, &b, &seg, &reason), WIRE_TCP);
		bed_assert_segment(&seg);
		assert_int_equal(seg.payload_off, 14 + 40 + 32);
		assert_false(seg.is_frag);
	}
}

/* DATA-44: both families, the two low bits of TOS or traffic class. */
static void
data_44_ecn_code_point_is_read(void **state)
{
	for (uint32_t tos = 0; tos < 256; tos++) {
		struct build b[2] = {bed_segment(), bed6_segment()};

		for (int i = 0; i < 2; i++) {
			struct seg seg;
			uint16_t reason;

			b[i].tos = (uint8_t)tos;
			assert_int_equal(bed_parse(*state, &b[i], &seg, &reason), WIRE_TCP);
			assert_int_equal(seg.ecn, tos % 4);
			assert_int_equal(seg.is_v6, i);
			b[i].seg_size = 40;
			assert_int_equal(bed_parse(*state, &b[i], &seg, &reason), WIRE_TCP);
			assert_int_equal(seg.ecn, tos % 4);
		}
	}
}

static void
w_4_padded_frame_has_no_more_data(void **state)
{
	struct build b = bed6_segment();
	struct seg seg;
	uint16_t reason;

	b.pad_to = 120;
	assert_int_equal(bed_parse(*state, &b, &seg, &reason), WIRE_TCP);
	bed_assert_segment(&seg);
}

static void
w_1_chain_of_any_pieces_parses_alike(void **state)
{
	for (uint16_t size = 1; size <= 100; size++) {
		struct build b = bed6_segment();
		struct seg seg;
		uint16_t reason;

		b.seg_size = size;
		assert_int_equal(bed_parse(*state, &b, &seg, &reason), WIRE_TCP);
		bed_assert_segment(&seg);
	}
}

/* Hop-by-hop, destination options, routing, atomic fragment: 8 octets each. */
static const uint8_t all_kinds[] = {60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 0, 0, 0x1e, 2, 7, 7, 44, 0, 2,
		0, 0, 0, 0, 0, 6, 99, 0, 0, 1, 2, 3, 4};

static void
cut_everywhere(const struct build *b)
{
	uint8_t bytes[256];
	uint32_t len = (uint32_t)build_tcp_bytes(b, bytes, sizeof(bytes));

	for (uint32_t cut = 1; cut < len; cut++) {
		struct seg seg;
		uint16_t reason = WIRE_DROP_MAX;

		assert_int_equal(bed_parse_exact(&bed6_conf, bytes, cut, &seg, &reason), WIRE_DROP);
		assert_int_equal(reason, cut < 14 ? WIRE_DROP_ETH_BAD : WIRE_DROP_IP_TRUNC);
	}
}

/* W-1, W-16: cut at every length, also with the length field following the cut. */
static void
w_1_frame_cut_anywhere_is_dropped(void **state)
{
	struct build b = bed6_segment();

	(void)state;
	cut_everywhere(&b);
	b.next = 0;
	b.ext = all_kinds;
	b.ext_len = sizeof(all_kinds);
	cut_everywhere(&b);
}

static void
w_1_datagram_cut_anywhere_is_dropped(void **state)
{
	struct build b = bed6_segment();
	uint8_t bytes[256];
	uint32_t len;

	b.next = 0;
	b.ext = all_kinds;
	b.ext_len = sizeof(all_kinds);
	len = (uint32_t)build_tcp_bytes(&b, bytes, sizeof(bytes));
	for (uint32_t cut = EXT_AT; cut < len; cut++) {
		struct seg seg;
		uint16_t reason = WIRE_DROP_MAX;
		struct rte_mbuf *m;

		bytes[IP_AT + 4] = 0;
		bytes[IP_AT + 5] = (uint8_t)(cut - EXT_AT);
		assert_int_equal(bed_parse_exact(&bed6_conf, bytes, cut, &seg, &reason), WIRE_DROP);
		if (cut == EXT_AT) /* no length and hop-by-hop: as a jumbogram */
			assert_int_equal(reason, WIRE_DROP_IP_HEADER);
		else if (cut < EXT_AT + sizeof(all_kinds))
			assert_int_equal(reason, WIRE_DROP_IP_TRUNC);
		else if (cut < EXT_AT + sizeof(all_kinds) + 32)
			assert_int_equal(reason, WIRE_DROP_TCP_HEADER);
		else
			assert_int_equal(reason, WIRE_DROP_TCP_CKSUM);
		m = build_mbuf(*state, bytes, cut, 7);
		assert_int_equal(wire_parse(m, &bed6_conf, &seg, &reason), WIRE_DROP);
		rte_pktmbuf_free(m);
	}
}

/* W-25: IPv6 has no header checksum, so traffic class, flow label and hop limit may
 * change; no other wrong bit passes as this segment. */
static void
w_25_any_flipped_bit_is_dropped(void **state)
{
	struct build b = bed6_segment();
	uint8_t bytes[256];
	uint32_t len = (uint32_t)build_tcp_bytes(&b, bytes, sizeof(bytes));

	for (uint32_t bit = IP_AT * 8; bit < len * 8; bit++) {
		uint32_t at = bit / 8 - IP_AT;
		bool is_free = (at == 0 && bit % 8 < 4) || (at >= 1 && at <= 3) || at == 7;
		struct rte_mbuf *m;
		struct seg seg;
		uint16_t reason = WIRE_DROP_MAX;
		enum wire_kind kind;

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		m = build_mbuf(*state, bytes, len, 0);
		kind = wire_parse(m, &bed6_conf, &seg, &reason);
		if (is_free) {
			assert_int_equal(kind, WIRE_TCP);
			bed_assert_segment(&seg);
		} else {
			assert_true(kind == WIRE_DROP || (kind == WIRE_IP6_PROBLEM && at == 6));
			assert_true(reason < WIRE_DROP_MAX);
		}
		rte_pktmbuf_free(m);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

struct bad {
	const char *what;
	struct build b;
	enum wire_drop reason;
};

static void
w_16_malformed_headers_name_their_reason(void **state)
{
	struct bad list[] = {
			{.what = "TCP checksum", .reason = WIRE_DROP_TCP_CKSUM},
			{.what = "doff 4", .reason = WIRE_DROP_TCP_HEADER},
			{.what = "doff beyond", .reason = WIRE_DROP_TCP_HEADER},
			{.what = "port 0", .reason = WIRE_DROP_TCP_PORT0},
			{.what = "length beyond frame", .reason = WIRE_DROP_IP_TRUNC},
			{.what = "group source", .reason = WIRE_DROP_ETH_GROUP_SRC},
			{.what = "jumbogram", .reason = WIRE_DROP_IP_TRUNC},
			{.what = "no next header", .reason = WIRE_DROP_IP_PROTO},
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		list[i].b = bed6_segment();
	list[0].b.l4_cksum_xor = 1;
	list[1].b.doff = 4;
	list[2].b.doff = 15;
	list[3].b.dport = 0;
	list[4].b.ip_len = 400;
	list[5].b.smac[0] |= 1;
	list[6].b.ip_len = 0xffff;
	list[7].b.proto = 59;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct seg seg;
		uint16_t reason = WIRE_DROP_MAX;

		if (bed_parse(*state, &list[i].b, &seg, &reason) != WIRE_DROP ||
				reason != list[i].reason)
			fail_msg("%s: reason %u", list[i].what, reason);
	}
}

/* W-16: every version but 6; IPv6 that is not configured. */
static void
w_16_version_is_judged(void **state)
{
	struct build b = bed6_segment();
	uint8_t bytes[256];
	uint32_t len = (uint32_t)build_tcp_bytes(&b, bytes, sizeof(bytes));
	struct seg seg;
	uint16_t reason = 0;
	struct rte_mbuf *m;

	for (uint8_t version = 0; version < 16; version++) {
		bytes[IP_AT] = (uint8_t)(version << 4);
		m = build_mbuf(*state, bytes, len, 0);
		assert_int_equal(wire_parse(m, &bed6_conf, &seg, &reason),
				version == 6 ? WIRE_TCP : WIRE_DROP);
		if (version != 6)
			assert_int_equal(reason, WIRE_DROP_IP_HEADER);
		rte_pktmbuf_free(m);
	}
	m = build_tcp(*state, &b);
	assert_int_equal(wire_parse(m, &bed_conf, &seg, &reason), WIRE_DROP);
	assert_int_equal(reason, WIRE_DROP_IP6_OFF);
	rte_pktmbuf_free(m);
}

/* W-25: the device's verdict as over IPv4. */
static void
w_25_device_verdict_counts_only_if_trusted(void **state)
{
	struct wire_rx_conf trusting = bed6_conf;
	struct build b = bed6_segment();

	trusting.trust_tcp_cksum = true;
	for (int i = 0; i < 2; i++) {
		struct rte_mbuf *m;
		struct seg seg;
		uint16_t reason;

		b.seg_size = i == 0 ? 0 : 50;
		b.l4_cksum_xor = 0x40;
		m = build_tcp(*state, &b);
		m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
		assert_int_equal(wire_parse(m, &bed6_conf, &seg, &reason), WIRE_DROP);
		assert_int_equal(wire_parse(m, &trusting, &seg, &reason), WIRE_TCP);
		m->ol_flags = 0;
		assert_int_equal(wire_parse(m, &trusting, &seg, &reason), WIRE_DROP);
		assert_int_equal(reason, WIRE_DROP_TCP_CKSUM);
		rte_pktmbuf_free(m);
		b.l4_cksum_xor = 0;
		m = build_tcp(*state, &b);
		m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_BAD;
		assert_int_equal(wire_parse(m, &trusting, &seg, &reason), WIRE_DROP);
		rte_pktmbuf_free(m);
	}
}

/* Octets of a good frame changed; the checksum is made right again in most cases. */
static uint32_t
random_frame(struct rng *rng, uint8_t *bytes, size_t size)
{
	struct build b = bed6_segment();
	uint32_t len;

	if (rng_below(rng, 2)) {
		b.next = 0;
		b.ext = all_kinds;
		b.ext_len = sizeof(all_kinds);
	}
	b.l4_cksum_xor = rng_below(rng, 4) ? 0 : 0x100;
	b.opts = rng_below(rng, 2) ? PKT_OPT_TS : 0;
	b.len = (uint32_t)rng_below(rng, 12);
	b.doff = rng_below(rng, 4) ? 0 : (uint8_t)rng_below(rng, 16);
	len = (uint32_t)build_tcp_bytes(&b, bytes, size);
	for (uint64_t n = rng_below(rng, 3); n > 0; n--)
		bytes[rng_below(rng, b.ext_len + EXT_AT)] = (uint8_t)rng_next(rng);
	return len;
}

/* W-1: flat or in pieces, the verdict and the values are the same. */
static void
w_1_flat_and_chained_frames_parse_alike(void **state)
{
	uint32_t n_good = 0, n_problems = 0, n_drops[WIRE_DROP_MAX] = {0};
	struct rng rng;

	rng_seed(&rng, 11);
	for (int i = 0; i < RANDOM_FRAMES; i++) {
		uint8_t bytes[256];
		uint32_t len = random_frame(&rng, bytes, sizeof(bytes));
		struct rte_mbuf *flat = build_mbuf(*state, bytes, len, 0);
		struct rte_mbuf *chain = build_mbuf(
				*state, bytes, len, (uint16_t)(1 + rng_below(&rng, len - 1)));
		uint16_t reason = WIRE_DROP_MAX, chain_reason = WIRE_DROP_MAX;
		struct seg seg, chain_seg;
		enum wire_kind kind = wire_parse(flat, &bed6_conf, &seg, &reason);

		assert_int_equal(wire_parse(chain, &bed6_conf, &chain_seg, &chain_reason), kind);
		assert_int_equal(chain_reason, reason);
		if (kind == WIRE_TCP || kind == WIRE_IP6_PROBLEM) {
			chain_seg.m = seg.m;
			assert_memory_equal(&chain_seg, &seg, sizeof(seg));
			assert_true((uint32_t)seg.payload_off + seg.len <= len);
		}
		n_good += kind == WIRE_TCP;
		n_problems += kind == WIRE_IP6_PROBLEM;
		if (kind == WIRE_DROP)
			n_drops[reason]++;
		rte_pktmbuf_free(flat);
		rte_pktmbuf_free(chain);
	}
	assert_true(n_good > 1000);
	assert_true(n_problems > 100);
	assert_true(n_drops[WIRE_DROP_IP_HEADER] > 10);
	assert_true(n_drops[WIRE_DROP_IP_TRUNC] > 10);
	assert_true(n_drops[WIRE_DROP_IP_FRAG] > 10);
	assert_true(n_drops[WIRE_DROP_IP6_EXT] > 10);
	assert_true(n_drops[WIRE_DROP_TCP_HEADER] > 10);
	assert_true(n_drops[WIRE_DROP_TCP_CKSUM] > 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_16_segment_gives_every_field),
			cmocka_unit_test(data_44_ecn_code_point_is_read),
			cmocka_unit_test(w_4_padded_frame_has_no_more_data),
			cmocka_unit_test(w_1_chain_of_any_pieces_parses_alike),
			cmocka_unit_test(w_1_frame_cut_anywhere_is_dropped),
			cmocka_unit_test(w_1_datagram_cut_anywhere_is_dropped),
			cmocka_unit_test(w_1_flat_and_chained_frames_parse_alike),
			cmocka_unit_test(w_25_any_flipped_bit_is_dropped),
			cmocka_unit_test(w_25_device_verdict_counts_only_if_trusted),
			cmocka_unit_test(w_16_malformed_headers_name_their_reason),
			cmocka_unit_test(w_16_version_is_judged),
	};

	return cmocka_run_group_tests(tests, bed_pool_setup, bed_pool_teardown);
}
