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

static const struct wire_rx_conf bed_conf = {.max_frame = 1514};

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

static inline enum wire_kind
bed_parse(struct rte_mempool *pool, const struct build *b, struct seg *seg, uint16_t *reason)
{
	struct rte_mbuf *m = build_tcp(pool, b);
	enum wire_kind kind = wire_parse(m, &bed_conf, seg, reason);

	rte_pktmbuf_free(m);
	return kind;
}

#endif /* PMTCP_TESTS_UNIT_WIRE_BED_H */
