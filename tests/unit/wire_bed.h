/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What the tests of lib/wire share: a pool, an ordinary segment, one parse. */

#ifndef PMTCP_TESTS_UNIT_WIRE_BED_H
#define PMTCP_TESTS_UNIT_WIRE_BED_H

#include "support/build.h"
#include "support/pkt.h"
#include "support/pool.h"
#include "wire/wire_parse.h"

enum {
	BED_SADDR = 0xc6120001, /* 198.18.0.1 */
	BED_DADDR = 0xc6120002,
	BED_SPORT = 40000,
	BED_DPORT = 80,
};

static const struct siphash_key bed_addr_key = {0x1122334455667788, 0x99aabbccddeeff00};
static const struct wire_rx_conf bed_conf = {.max_frame = 1514};
static const struct wire_rx_conf bed6_conf = {.max_frame = 1514, .addr_key = &bed_addr_key};

static inline int
bed_pool_setup(void **state)
{
	*state = test_pool_create(4096);
	return 0;
}

static inline int
bed_pool_teardown(void **state)
{
	test_pool_destroy(*state);
	return 0;
}

/* A data segment with timestamps. */
static inline struct build
bed_segment(void)
{
	return (struct build){.dmac = {2, 0, 0, 0, 0, 2},
			.smac = {2, 0, 0, 0, 0, 1},
			.saddr = BED_SADDR,
			.daddr = BED_DADDR,
			.sport = BED_SPORT,
			.dport = BED_DPORT,
			.seq = 0xfffffff0,
			.ack = 0x12345678,
			.flags = PKT_ACK | PKT_PSH,
			.wnd = 4321,
			.opts = PKT_OPT_TS,
			.tsval = 77,
			.tsecr = 88,
			.payload = "hello, wire",
			.len = 11};
}

/* The same from fd00::1 to fd00::2. */
static inline struct build
bed6_segment(void)
{
	struct build b = bed_segment();

	b.version = 6;
	b.saddr6[0] = b.daddr6[0] = 0xfd;
	b.saddr6[15] = 1;
	b.daddr6[15] = 2;
	return b;
}

static inline enum wire_kind
bed_parse(struct rte_mempool *pool, const struct build *b, struct seg *seg, uint16_t *reason)
{
	struct rte_mbuf *m = build_tcp(pool, b);
	const struct wire_rx_conf *conf = b->version == 6 ? &bed6_conf : &bed_conf;
	enum wire_kind kind = wire_parse(m, conf, seg, reason);

	rte_pktmbuf_free(m);
	return kind;
}

/* Parses a copy whose buffer ends exactly where the bytes do. */
static inline enum wire_kind
bed_parse_exact(const struct wire_rx_conf *conf, const uint8_t *bytes, uint32_t len,
		struct seg *seg, uint16_t *reason)
{
	struct rte_mempool *pool = test_pool_create((uint32_t)(RTE_PKTMBUF_HEADROOM + len));
	struct rte_mbuf *m = build_mbuf(pool, bytes, len, 0);
	enum wire_kind kind = wire_parse(m, conf, seg, reason);

	rte_pktmbuf_free(m);
	test_pool_destroy(pool);
	return kind;
}

/* What parsing gives of the one or the other segment, at their values. */
static inline void
bed_assert_segment(const struct seg *seg)
{
	struct build b = bed6_segment();
	uint8_t addrs[32];
	uint64_t digest;

	memcpy(addrs, b.daddr6, 16);
	memcpy(addrs + 16, b.saddr6, 16);
	digest = siphash13(&bed_addr_key, addrs, sizeof(addrs));
	if (seg->is_v6) {
		assert_memory_equal(seg->key.addrs, &digest, 8);
	} else {
		assert_int_equal(rte_be_to_cpu_32(seg->key.raddr), BED_SADDR);
		assert_int_equal(rte_be_to_cpu_32(seg->key.laddr), BED_DADDR);
		assert_int_equal(seg->payload_off, 14 + 20 + 32);
	}
	assert_int_equal(rte_be_to_cpu_16(seg->key.rport), BED_SPORT);
	assert_int_equal(rte_be_to_cpu_16(seg->key.lport), BED_DPORT);
	assert_int_equal(seg->seq, 0xfffffff0);
	assert_int_equal(seg->ack, 0x12345678);
	assert_int_equal(seg->flags, TCP_ACK | TCP_PSH);
	assert_int_equal(seg->wnd, 4321);
	assert_int_equal(seg->opts, SEG_OPT_TS);
	assert_int_equal(seg->tsval, 77);
	assert_int_equal(seg->tsecr, 88);
	assert_int_equal(seg->len, 11);
}

#endif /* PMTCP_TESTS_UNIT_WIRE_BED_H */
