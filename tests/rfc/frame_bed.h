/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What the rows about frames share: a bed that speaks both versions of IP and listens on
 * port 80, frames of either, and one fate for each. */

#ifndef PMTCP_TESTS_RFC_FRAME_BED_H
#define PMTCP_TESTS_RFC_FRAME_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "base/base.h"
#include "support/bed.h"

enum { FRAME_PORT = 80, FRAME_PEER_PORT = 4000 };

/* Both versions, in this order, for loops. */
static const uint8_t frame_versions[] = {4, 6};
#define FOR_EACH_VERSION(v)                                                                        \
	for (const uint8_t *v = frame_versions; v < frame_versions + sizeof(frame_versions); v++)

static struct bed bed;

static inline void
frame_both_versions(struct pmtcp_conf *conf)
{
	ctx_conf_add_v6(conf, TEST_ADDR, TEST_PEER);
}

/* tune may be NULL: frame_both_versions(), which any other calls first. */
static inline void
frame_begin(void (*tune)(struct pmtcp_conf *conf))
{
	struct pmtcp_addr any = {.port = FRAME_PORT};
	struct pmtcp_listener *l;

	bed_create(&bed, tune ? tune : frame_both_versions);
	assert_int_equal(pmtcp_listen(bed.ctx, &any, NULL, &l), 0);
	bed_advance(&bed, 1000 * BED_MS); /* the throttles are full */
}

/* The ordinary way in, from the peer to us. */
static inline struct build
frame_of(uint8_t version)
{
	struct build b = {.version = version,
			.saddr = TEST_PEER,
			.daddr = TEST_ADDR,
			.sport = FRAME_PEER_PORT,
			.dport = FRAME_PORT,
			.seq = 100,
			.wnd = 8192};
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR), peer = ctx_mac_of(TEST_PEER);

	memcpy(b.dmac, self.addr_bytes, 6);
	memcpy(b.smac, peer.addr_bytes, 6);
	ctx_ip6_of(TEST_PEER, b.saddr6);
	ctx_ip6_of(TEST_ADDR, b.daddr6);
	return b;
}

static inline struct build
frame_syn(uint8_t version)
{
	struct build b = frame_of(version);

	b.flags = PKT_SYN;
	b.opts = PKT_OPT_MSS;
	b.mss = 1400;
	return b;
}

/* The frame ends in this counter and in no other (RES-16). */
static inline void
frame_expect_fate(struct rte_mbuf *m, enum pmtcp_counter fate)
{
	const struct pmtcp_stats before = bed_stats(&bed);
	struct pmtcp_stats after;

	bed_inject_mbuf(&bed, m);
	bed_turn(&bed);
	after = bed_stats(&bed);
	for (int c = 0; c < PMTCP_FATE_MAX; c++) {
		uint64_t want = before.counter[c] + (c == (int)fate);

		if (after.counter[c] != want)
			fail_msg("%s is %u, not %u", pmtcp_counter_name((enum pmtcp_counter)c),
					(unsigned int)after.counter[c], (unsigned int)want);
	}
}

/* The same, and nobody is told. */
static inline void
frame_expect_silence(struct rte_mbuf *m, enum pmtcp_counter fate)
{
	frame_expect_fate(m, fate);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_event(&bed).flags, 0);
}

/* A SYN-ACK of the same version is the only answer. */
static inline const struct pkt *
frame_expect_syn_ack(const struct build *b)
{
	const struct pkt *p;

	frame_expect_fate(build_tcp(bed.pool, b), PMTCP_C_syn_taken);
	assert_int_equal(bed.n_out - bed.first_out, 1);
	p = bed_take(&bed);
	assert_int_equal(p->version, b->version);
	assert_int_equal(p->flags, PKT_SYN | PKT_ACK);
	assert_int_equal(p->ack, b->seq + 1);
	return p;
}

/* A connection; `b` becomes the peer's next pure ACK on it. */
static inline struct pmtcp_conn *
frame_accept(struct build *b)
{
	struct pmtcp_event ev;
	const struct pkt *p = frame_expect_syn_ack(b);

	b->seq++;
	b->ack = p->seq + 1;
	b->flags = PKT_ACK;
	b->opts &= (uint8_t)PKT_OPT_TS;
	b->raw_opts_len = 0;
	frame_expect_fate(build_tcp(bed.pool, b), PMTCP_C_seg_taken);
	ev = bed_event(&bed);
	assert_int_equal(ev.flags, PMTCP_EV_ACCEPTED);
	return ev.conn;
}

static inline struct pmtcp_conn_info
frame_info(struct pmtcp_conn *conn)
{
	struct pmtcp_conn_info info;

	pmtcp_conn_info(conn, &info);
	return info;
}

static inline void
frame_end(void)
{
	bed_forget(&bed);
	bed_destroy(&bed);
}

#endif /* PMTCP_TESTS_RFC_FRAME_BED_H */
