/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what the other tests stand on is itself right. Method: the builder
 * against frames written down by hand, the decoder against the builder and
 * against each way to break a frame, the notation against both, the pcap file
 * against its bytes. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/rng.h"
#include "support/build.h"
#include "support/pcap.h"
#include "support/pool.h"
#include "support/script.h"

#define SEED 20260101

static const struct build syn_frame = {
		.dmac = {2, 0, 0, 0, 0, 2},
		.smac = {2, 0, 0, 0, 0, 1},
		.saddr = 0x0a000001,
		.daddr = 0x0a000002,
		.sport = 40000,
		.dport = 80,
		.seq = 0x01020304,
		.flags = PKT_SYN,
		.wnd = 64240,
		.opts = PKT_OPT_MSS | PKT_OPT_SACK_PERM | PKT_OPT_TS | PKT_OPT_WSCALE,
		.mss = 1460,
		.tsval = 0x11223344,
		.wscale = 7,
};

/* Sums by hand. IPv4: 4500+003c+0000+0000+4006+0a00+0001+0a00+0002 = 9945, so
 * 66ba. TCP: pseudo-header 0a00+0001+0a00+0002+0006+0028 = 1431; segment
 * 9c40+0050+0102+0304+a002+faf0+0204+05b4+0402+080a+1122+3344+0103+0307 =
 * 297bc; 297bc + 1431 = 2abed, folded abef, so 5410. */
/* clang-format off */
static const uint8_t syn_bytes[74] = {
	2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00,
	0x45, 0, 0, 60, 0, 0, 0, 0, 64, 6, 0x66, 0xba, 10, 0, 0, 1, 10, 0, 0, 2,
	0x9c, 0x40, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, 0xa0, 0x02, 0xfa, 0xf0, 0x54, 0x10, 0, 0,
	2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0x11, 0x22, 0x33, 0x44, 0, 0, 0, 0, 1, 3, 3, 7,
};
/* clang-format on */

static void
build_syn_matches_hand_written_frame(void **state)
{
	uint8_t bytes[BUILD_BYTES_MAX];
	size_t len = build_tcp_bytes(&syn_frame, bytes, sizeof(bytes));

	assert_int_equal(len, sizeof(syn_bytes));
	assert_memory_equal(bytes, syn_bytes, sizeof(syn_bytes));
}

static void
decode_hand_written_syn_yields_values(void **state)
{
	struct pkt p;

	assert_int_equal(pkt_decode_bytes(&p, syn_bytes, sizeof(syn_bytes)), 0);
	assert_int_equal(p.kind, PKT_KIND_TCP);
	assert_int_equal(p.saddr, 0x0a000001);
	assert_int_equal(p.daddr, 0x0a000002);
	assert_int_equal(p.sport, 40000);
	assert_int_equal(p.dport, 80);
	assert_int_equal(p.seq, 0x01020304);
	assert_int_equal(p.flags, PKT_SYN);
	assert_int_equal(p.wnd, 64240);
	assert_int_equal(p.opts, syn_frame.opts);
	assert_int_equal(p.opts_len, 20);
	assert_int_equal(p.mss, 1460);
	assert_int_equal(p.wscale, 7);
	assert_int_equal(p.tsval, 0x11223344);
	assert_int_equal(p.len, 0);
	assert_true(p.is_ip_cksum_good);
	assert_true(p.is_l4_cksum_good);
}

static void
decode_each_single_bit_error_is_noticed(void **state)
{
	uint8_t bytes[sizeof(syn_bytes)];
	struct pkt p;

	memcpy(bytes, syn_bytes, sizeof(bytes));
	for (size_t bit = 14 * 8; bit < sizeof(bytes) * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_true(pkt_decode_bytes(&p, bytes, sizeof(bytes)) != 0 ||
				!p.is_ip_cksum_good || !p.is_l4_cksum_good);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void
decode_each_truncation_is_malformed(void **state)
{
	struct pkt p;

	for (size_t len = 0; len < sizeof(syn_bytes); len++) {
		if (len >= 12 && len < 14)
			continue;
		assert_int_equal(pkt_decode_bytes(&p, syn_bytes, len), -EBADMSG);
	}
}

static void
random_build(struct rng *r, struct build *b, uint8_t *payload)
{
	*b = syn_frame;
	b->version = rng_below(r, 2) ? 6 : 4;
	b->vlan = rng_below(r, 2) ? (uint16_t)(1 + rng_below(r, 4094)) : 0;
	b->seg_size = rng_below(r, 2) ? (uint16_t)(1 + rng_below(r, 200)) : 0;
	b->flags = (uint8_t)rng_next(r);
	b->seq = (uint32_t)rng_next(r);
	b->ack = (uint32_t)rng_next(r);
	b->wnd = (uint16_t)rng_next(r);
	b->urg = (uint16_t)rng_next(r);
	b->opts = (uint8_t)(rng_next(r) & 0x0f);
	b->tsval = (uint32_t)rng_next(r);
	b->tsecr = (uint32_t)rng_next(r);
	if (b->opts == PKT_OPT_TS) {
		b->opts |= PKT_OPT_SACK;
		b->n_sack = (uint8_t)(1 + rng_below(r, 3));
	}
	for (int i = 0; i < b->n_sack; i++) {
		b->sack[i].left = (uint32_t)rng_next(r);
		b->sack[i].right = (uint32_t)rng_next(r);
	}
	for (int i = 0; i < 16; i++) {
		b->saddr6[i] = (uint8_t)rng_next(r);
		b->daddr6[i] = (uint8_t)rng_next(r);
	}
	b->len = (uint32_t)rng_below(r, 1400);
	for (uint32_t i = 0; i < b->len; i++)
		payload[i] = (uint8_t)rng_next(r);
	b->payload = payload;
}

static void
assert_same_segment(const struct pkt *p, const struct build *b)
{
	assert_int_equal(p->version, b->version);
	assert_int_equal(p->vlan, b->vlan);
	assert_int_equal(p->flags, b->flags);
	assert_int_equal(p->seq, b->seq);
	assert_int_equal(p->ack, b->ack);
	assert_int_equal(p->wnd, b->wnd);
	assert_int_equal(p->urg, b->urg);
	assert_int_equal(p->opts, b->opts);
	assert_int_equal(p->n_sack, b->n_sack);
	assert_memory_equal(p->sack, b->sack, sizeof(p->sack));
	if (b->opts & PKT_OPT_TS) {
		assert_int_equal(p->tsval, b->tsval);
		assert_int_equal(p->tsecr, b->tsecr);
	}
	assert_int_equal(p->len, b->len);
	assert_memory_equal(p->payload, b->payload, b->len);
	assert_true(p->is_ip_cksum_good);
	assert_true(p->is_l4_cksum_good);
	if (b->version == 4)
		return;
	assert_memory_equal(p->saddr6, b->saddr6, 16);
	assert_memory_equal(p->daddr6, b->daddr6, 16);
}

static void
build_random_segment_decodes_to_itself(void **state)
{
	struct rte_mempool *pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 2048);
	uint8_t payload[1400];
	struct rng r;

	print_message("seed %u\n", SEED);
	rng_seed(&r, SEED);
	for (int i = 0; i < 2000; i++) {
		struct build b;
		struct rte_mbuf *m;
		struct pkt p;

		random_build(&r, &b, payload);
		m = build_tcp(pool, &b);
		assert_int_equal(pkt_decode(&p, m), 0);
		rte_pktmbuf_free(m);
		assert_same_segment(&p, &b);
	}
	test_pool_destroy(pool);
}

static void
build_broken_checksum_is_seen_broken(void **state)
{
	uint8_t bytes[BUILD_BYTES_MAX];
	struct build b = syn_frame;
	struct pkt p;

	b.l4_cksum_xor = 0x0100;
	assert_int_equal(pkt_decode_bytes(&p, bytes, build_tcp_bytes(&b, bytes, sizeof(bytes))), 0);
	assert_false(p.is_l4_cksum_good);
	assert_true(p.is_ip_cksum_good);
	b.l4_cksum_xor = 0;
	b.ip_cksum_xor = 1;
	assert_int_equal(pkt_decode_bytes(&p, bytes, build_tcp_bytes(&b, bytes, sizeof(bytes))), 0);
	assert_true(p.is_l4_cksum_good);
	assert_false(p.is_ip_cksum_good);
}

static void
decode_malformed_options_are_refused(void **state)
{
	static const struct {
		uint8_t len;
		uint8_t bytes[8];
	} rows[] = {
			{2, {8, 0}},                       /* length below 2 */
			{4, {2, 6, 5, 180}},               /* past the end */
			{4, {2, 3, 5, 180}},               /* wrong length for its kind */
			{8, {2, 4, 5, 180, 2, 4, 5, 180}}, /* twice */
			{4, {0, 1, 0, 0}},                 /* not zero behind the end */
	};
	uint8_t bytes[BUILD_BYTES_MAX];
	struct build b = syn_frame;
	struct pkt p;

	b.opts = 0;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		b.raw_opts = rows[i].bytes;
		b.raw_opts_len = rows[i].len;
		assert_int_equal(pkt_decode_bytes(&p, bytes,
						 build_tcp_bytes(&b, bytes, sizeof(bytes))),
				-EBADMSG);
	}
}

static void
decode_padding_is_not_payload(void **state)
{
	uint8_t bytes[BUILD_BYTES_MAX];
	struct build b = syn_frame;
	struct pkt p;

	b.opts = 0;
	b.flags = PKT_ACK;
	b.pad_to = 60;
	assert_int_equal(build_tcp_bytes(&b, bytes, sizeof(bytes)), 60);
	assert_int_equal(pkt_decode_bytes(&p, bytes, 60), 0);
	assert_int_equal(p.len, 0);
	b.pad_to = 100;
	assert_int_equal(pkt_decode_bytes(&p, bytes, build_tcp_bytes(&b, bytes, sizeof(bytes))),
			-EBADMSG);
}

static void
decode_offload_request_expects_prepared_fields(void **state)
{
	struct rte_mempool *pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 2048);
	struct rte_mbuf *m = build_tcp(pool, &syn_frame);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	struct pkt p;

	m->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IP_CKSUM;
	assert_int_equal(pkt_decode(&p, m), 0);
	assert_false(p.is_ip_cksum_good);
	assert_false(p.is_l4_cksum_good);
	/* The pseudo-header sum of syn_bytes, by hand above. */
	memcpy(frame + 24, "\0\0", 2);
	memcpy(frame + 50, "\x14\x31", 2);
	assert_int_equal(pkt_decode(&p, m), 0);
	assert_true(p.is_ip_cksum_good);
	assert_true(p.is_l4_cksum_good);
	rte_pktmbuf_free(m);
	test_pool_destroy(pool);
}

static void
build_arp_decodes_to_itself(void **state)
{
	struct rte_mempool *pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 2048);
	const struct pkt_arp arp = {
			.op = 2,
			.sha = {2, 0, 0, 0, 0, 1},
			.tha = {2, 0, 0, 0, 0, 2},
			.spa = 0x0a000001,
			.tpa = 0x0a000002,
	};
	struct build b = syn_frame;
	struct rte_mbuf *m;
	struct pkt p;

	b.pad_to = 60;
	m = build_arp(pool, &b, &arp);
	assert_int_equal(rte_pktmbuf_pkt_len(m), 60);
	assert_int_equal(pkt_decode(&p, m), 0);
	rte_pktmbuf_free(m);
	assert_int_equal(p.kind, PKT_KIND_ARP);
	assert_int_equal(p.arp.op, 2);
	assert_memory_equal(p.arp.sha, arp.sha, 6);
	assert_memory_equal(p.arp.tha, arp.tha, 6);
	assert_int_equal(p.arp.spa, 0x0a000001);
	assert_int_equal(p.arp.tpa, 0x0a000002);
	test_pool_destroy(pool);
}

static void
build_icmp_decodes_to_itself(void **state)
{
	struct rte_mempool *pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 2048);
	const struct build_icmp icmp = {.type = 3, .code = 4, .rest = 1400};

	for (int version = 4; version <= 6; version += 2) {
		struct build b = syn_frame;
		struct rte_mbuf *m;
		struct pkt p;

		b.version = (uint8_t)version;
		b.payload = syn_bytes + 14;
		b.len = 28;
		m = build_icmp(pool, &b, &icmp);
		assert_int_equal(pkt_decode(&p, m), 0);
		rte_pktmbuf_free(m);
		assert_int_equal(p.kind, PKT_KIND_ICMP);
		assert_int_equal(p.icmp_type, 3);
		assert_int_equal(p.icmp_code, 4);
		assert_int_equal(p.icmp_rest, 1400);
		assert_int_equal(p.len, 28);
		assert_memory_equal(p.payload, syn_bytes + 14, 28);
		assert_true(p.is_l4_cksum_good);
	}
	test_pool_destroy(pool);
}

static void
build_reply_to_swaps_both_ends(void **state)
{
	struct build b = {0};
	struct pkt p;

	assert_int_equal(pkt_decode_bytes(&p, syn_bytes, sizeof(syn_bytes)), 0);
	build_reply_to(&b, &p);
	assert_memory_equal(b.dmac, syn_frame.smac, 6);
	assert_memory_equal(b.smac, syn_frame.dmac, 6);
	assert_int_equal(b.saddr, 0x0a000002);
	assert_int_equal(b.daddr, 0x0a000001);
	assert_int_equal(b.sport, 80);
	assert_int_equal(b.dport, 40000);
}

static void
script_line_survives_build_and_format(void **state)
{
	static const char *const lines[] = {
			"<SEQ=100,ACK=301,SA len=0 wnd=65535 opts=mss1460,sack,ts,ws7>",
			"<SEQ=0,S len=0 wnd=64240 opts=mss536>",
			"<SEQ=4294967295,ACK=1,PFA len=1000 wnd=0>",
			"<SEQ=1,ACK=1,A len=0 wnd=500 opts=ts,sb3000-4000,sb1-2>",
			"<SEQ=5,R len=0 wnd=0>",
			"<SEQ=5,ACK=6,RA len=0 wnd=0>",
			"<SEQ=7,ACK=8,PUA len=3 wnd=9 urg=2>",
			"<SEQ=7,- len=3 wnd=9>",
	};
	struct rte_mempool *pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 2048);
	const struct script_base bases[] = {{0, 0}, {0xfffffff0, 0x80000000}};

	for (size_t i = 0; i < 2 * PMTCP_ARRAY_SIZE(lines); i++) {
		const struct script_base *base = &bases[i % 2];
		struct build b = syn_frame;

		script_parse(&b, base, lines[i / 2]);
		assert_pkt(build_tcp(pool, &b), base, lines[i / 2]);
	}
	test_pool_destroy(pool);
}

static void
script_parse_timestamps_and_pattern_taken(void **state)
{
	struct build b = syn_frame;

	script_parse(&b, &(struct script_base){1000, 2000}, "SEQ=70000 ACK=9 A len=50 ts5:6");
	assert_int_equal(b.seq, 71000);
	assert_int_equal(b.ack, 2009);
	assert_int_equal(b.flags, PKT_ACK);
	assert_int_equal(b.wnd, 64240);
	assert_int_equal(b.opts, PKT_OPT_TS);
	assert_int_equal(b.tsval, 5);
	assert_int_equal(b.tsecr, 6);
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal(((const uint8_t *)b.payload)[i], script_pattern(70000 + i));
	assert_int_not_equal(script_pattern(0), script_pattern(1));
	assert_int_not_equal(script_pattern(0), script_pattern(4096));
	assert_int_not_equal(script_pattern(0), script_pattern(1460));
}

static void
script_format_names_what_is_wrong(void **state)
{
	struct rte_mempool *pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 2048);
	struct build b = syn_frame;

	assert_pkt(NULL, NULL, "(no packet)");
	b.opts = 0;
	b.seq = 1;
	b.l4_cksum_xor = 1;
	assert_pkt(build_tcp(pool, &b), NULL, "<SEQ=1,S len=0 wnd=64240 bad-tcp-checksum>");
	b.proto = 17;
	assert_pkt(build_tcp(pool, &b), NULL, "(not TCP: ethertype 0800 proto 17)");
	b.proto = 0;
	b.doff = 4;
	assert_pkt(build_tcp(pool, &b), NULL, "(malformed: 54 bytes)");
	test_pool_destroy(pool);
}

static void
pcap_file_holds_header_and_records(void **state)
{
	/* clang-format off */
	static const uint8_t expected[] = {
		0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0xff, 0xff, 0, 0, 1, 0, 0, 0,
		1, 0, 0, 0, 5, 0, 0, 0, 74, 0, 0, 0, 74, 0, 0, 0,
	};
	/* clang-format on */
	struct rte_mempool *pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 2048);
	char path[] = "/tmp/pmtcp-test-XXXXXX";
	struct build b = syn_frame;
	struct test_pcap *f = NULL;
	uint8_t got[256];
	struct rte_mbuf *m;
	FILE *file;

	close(mkstemp(path));
	assert_int_equal(test_pcap_create(path, &f), 0);
	b.seg_size = 33;
	m = build_tcp(pool, &b);
	test_pcap_write(f, 1000000005, m);
	rte_pktmbuf_free(m);
	test_pcap_write_bytes(f, 7, "xyz", 3);
	assert_int_equal(test_pcap_close(f), 0);
	file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fread(got, 1, sizeof(got), file), sizeof(expected) + 74 + 16 + 3);
	fclose(file);
	unlink(path);
	assert_memory_equal(got, expected, sizeof(expected));
	assert_memory_equal(got + sizeof(expected), syn_bytes, sizeof(syn_bytes));
	assert_memory_equal(got + sizeof(expected) + 74 + 16, "xyz", 3);
	assert_int_equal(test_pcap_create("/nonexistent/x.pcap", &f), -ENOENT);
	test_pool_destroy(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(build_syn_matches_hand_written_frame),
			cmocka_unit_test(decode_hand_written_syn_yields_values),
			cmocka_unit_test(decode_each_single_bit_error_is_noticed),
			cmocka_unit_test(decode_each_truncation_is_malformed),
			cmocka_unit_test(build_random_segment_decodes_to_itself),
			cmocka_unit_test(build_broken_checksum_is_seen_broken),
			cmocka_unit_test(decode_malformed_options_are_refused),
			cmocka_unit_test(decode_padding_is_not_payload),
			cmocka_unit_test(decode_offload_request_expects_prepared_fields),
			cmocka_unit_test(build_arp_decodes_to_itself),
			cmocka_unit_test(build_icmp_decodes_to_itself),
			cmocka_unit_test(build_reply_to_swaps_both_ends),
			cmocka_unit_test(script_line_survives_build_and_format),
			cmocka_unit_test(script_parse_timestamps_and_pattern_taken),
			cmocka_unit_test(script_format_names_what_is_wrong),
			cmocka_unit_test(pcap_file_holds_header_and_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
