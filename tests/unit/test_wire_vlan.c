/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: W-3 - one tag with our VID is taken off and put on again everywhere, and
 * nothing else gets in. Method: the two functions on frames of the independent builder,
 * then a context with a VID, whose every kind of answer is decoded. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "support/bed.h"
#include "wire/wire_emit.h"
#include "wire/wire_vlan.h"
#include "wire_bed.h"

enum { VID = 100, PORT = 80 };

static struct bed bed;

static int
pool_setup(void **state)
{
	*state = test_pool_create(4096);
	return 0;
}

static int
pool_teardown(void **state)
{
	test_pool_destroy(*state);
	return 0;
}

/* ---- the tag ---- */

static void
w_3_tag_is_taken_and_the_rest_stays(void **state)
{
	for (uint32_t tci = 1; tci < 0x10000; tci += 257) {
		struct build b = bed_segment();
		struct rte_mbuf *m, *plain = build_tcp(*state, &b);

		b.vlan = (uint16_t)tci;
		m = build_tcp(*state, &b);
		assert_int_equal(wire_vlan_take(m, false), tci & 0xfff);
		assert_int_equal(m->pkt_len, plain->pkt_len);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(plain, void *),
				plain->pkt_len);
		assert_int_equal(wire_vlan_take(m, false), WIRE_VLAN_NONE);
		rte_pktmbuf_free(m);
		rte_pktmbuf_free(plain);
	}
}

/* Only where the port says so: a sender's mbuf may come with any flags. */
static void
w_3_stripped_tag_counts_only_if_trusted(void **state)
{
	struct build b = bed_segment();
	struct rte_mbuf *m = build_tcp(*state, &b);

	m->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 0x6000 | VID;
	assert_int_equal(wire_vlan_take(m, false), WIRE_VLAN_NONE);
	assert_int_equal(wire_vlan_take(m, true), VID);
	assert_int_equal(m->ol_flags, 0);
	assert_int_equal(wire_vlan_take(m, true), WIRE_VLAN_NONE);
	m->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ;
	assert_int_equal(wire_vlan_take(m, true), WIRE_VLAN_BAD);
	rte_pktmbuf_free(m);
	b.vlan = VID;
	m = build_tcp(*state, &b);
	m->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	assert_int_equal(wire_vlan_take(m, true), WIRE_VLAN_BAD);
	m->ol_flags = 0;
	rte_pktmbuf_free(m);
}

/* W-1: cut at every length, in one piece and in many. */
static void
w_3_frame_cut_anywhere_is_not_overread(void **state)
{
	struct build b = bed_segment();
	uint8_t bytes[256];

	(void)state;
	b.vlan = VID;
	build_tcp_bytes(&b, bytes, sizeof(bytes));
	for (uint32_t cut = 1; cut < 40; cut++) {
		for (uint16_t piece = 0; piece < 20; piece++) {
			struct rte_mempool *pool =
					test_pool_create((uint32_t)(RTE_PKTMBUF_HEADROOM + cut));
			struct rte_mbuf *m = build_mbuf(pool, bytes, cut, piece);
			bool is_whole = cut >= 18 && (piece == 0 || piece >= 18);
			int vid = wire_vlan_take(m, true);

			if (is_whole)
				assert_int_equal(vid, VID);
			else
				assert_int_equal(vid, cut < 14 ? WIRE_VLAN_NONE : WIRE_VLAN_BAD);
			rte_pktmbuf_free(m);
			test_pool_destroy(pool);
		}
	}
}

static void
w_3_second_tag_and_service_tag_are_refused(void **state)
{
	static const uint16_t rows[][2] = {
			{0x8100, 0x8100}, {0x8100, 0x88a8}, {0x88a8, 0x0800}, {0x88a8, 0x8100}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct build b = bed_segment();
		uint16_t type[2] = {rte_cpu_to_be_16(rows[i][0]), rte_cpu_to_be_16(rows[i][1])};
		struct rte_mbuf *m;
		uint32_t len;

		b.vlan = VID;
		m = build_tcp(*state, &b);
		len = m->pkt_len;
		memcpy(rte_pktmbuf_mtod_offset(m, void *, 12), &type[0], 2);
		memcpy(rte_pktmbuf_mtod_offset(m, void *, 16), &type[1], 2);
		assert_int_equal(wire_vlan_take(m, false), WIRE_VLAN_BAD);
		assert_int_equal(m->pkt_len, len);
		rte_pktmbuf_free(m);
	}
}

/* Somebody else holds the buffer, too. */
static void
w_3_shared_buffer_is_not_written(void **state)
{
	struct build b = bed_segment();
	struct rte_mbuf *m;

	b.vlan = VID;
	m = build_tcp(*state, &b);
	rte_mbuf_refcnt_update(m, 1);
	assert_int_equal(wire_vlan_take(m, false), WIRE_VLAN_BAD);
	rte_mbuf_refcnt_update(m, -1);
	rte_pktmbuf_free(m);
}

static void
w_3_tag_is_put_on_any_frame(void **state)
{
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		struct build b = is_v6 ? bed6_segment() : bed_segment();
		struct rte_mbuf *m = build_tcp(*state, &b);
		struct pkt p;

		assert_true(wire_vlan_put(m, VID));
		assert_int_equal(pkt_decode(&p, m), 0);
		assert_int_equal(p.vlan, VID);
		assert_int_equal(p.version, is_v6 ? 6 : 4);
		assert_memory_equal(p.dmac, b.dmac, 6);
		assert_memory_equal(p.smac, b.smac, 6);
		assert_true(p.is_l4_cksum_good);
		assert_int_equal(p.len, 11);
		while (rte_pktmbuf_headroom(m) >= 4)
			assert_true(wire_vlan_put(m, VID));
		assert_false(wire_vlan_put(m, VID));
		rte_pktmbuf_free(m);
	}
}

static void
w_3_offloads_find_their_headers_behind_the_tag(void **state)
{
	static const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 1}};
	const struct wire_tx_conf conf = {.tcp_cksum_offload = true};
	struct wire_tcp w = {.flags = TCP_ACK, .ttl = 64};
	struct rte_mbuf *m = rte_pktmbuf_alloc(*state);

	wire_emit_tcp(m, &w, &conf, &mac, &mac);
	assert_true(wire_vlan_put(m, VID));
	assert_int_equal(m->l2_len, 18);
	assert_int_equal(m->l3_len, 20);
	rte_pktmbuf_free(m);
}

/* ---- a context in a VLAN ---- */

static void
tune_vid(struct pmtcp_conf *conf)
{
	conf->vlan = VID;
}

static void
tune_stripping(struct pmtcp_conf *conf)
{
	conf->vlan = VID;
	conf->caps.rx_vlan_strip = true;
}

static const struct build syn = {.vlan = VID,
		.sport = 4000,
		.dport = PORT,
		.seq = 100,
		.flags = PKT_SYN,
		.wnd = 8192,
		.opts = PKT_OPT_MSS,
		.mss = 1460};

static void
begin(void (*tune)(struct pmtcp_conf *))
{
	struct pmtcp_addr local = pmtcp_addr4(0, PORT);
	struct pmtcp_listener *l;

	bed_create(&bed, tune);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
}

static void
expect_syn_ack(const struct build *b, uint16_t vlan)
{
	const struct pkt *p;

	bed_inject(&bed, b);
	bed_turn(&bed);
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_SYN | PKT_ACK);
	assert_int_equal(p->vlan, vlan);
	assert_null(bed_take(&bed));
}

static void
expect_bad(const struct build *b)
{
	uint64_t before = bed_counter(&bed, PMTCP_C_drop_vlan_bad);

	bed_inject(&bed, b);
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_vlan_bad), before + 1);
}

/* Our VID, a priority tag, any priority bits; VID+1 and no tag: nothing. */
static void
w_3_syn_with_our_vid_is_answered_tagged(void **state)
{
	struct build b = syn;

	(void)state;
	begin(tune_vid);
	expect_syn_ack(&b, VID);
	b.sport++;
	b.vlan = 0xe000 | VID;
	expect_syn_ack(&b, VID);
	b.sport++;
	b.vlan = 0xe000; /* priority 7, VID 0 */
	expect_syn_ack(&b, VID);
	b.sport++;
	b.vlan = VID + 1;
	expect_bad(&b);
	b.vlan = 0;
	expect_bad(&b);
	bed_destroy(&bed);
}

/* Without a VID of ours a priority tag is as good as none, and any other is foreign. */
static void
w_3_untagged_context_takes_priority_tags_only(void **state)
{
	struct build b = syn;

	(void)state;
	begin(NULL);
	b.vlan = 0xe000;
	expect_syn_ack(&b, 0);
	b.sport++;
	b.vlan = 0;
	expect_syn_ack(&b, 0);
	b.vlan = VID;
	expect_bad(&b);
	bed_destroy(&bed);
}

/* A full frame is no longer for its tag. */
static void
w_35_tag_is_not_counted_as_oversize(void **state)
{
	static const uint8_t payload[1456];
	struct build b = syn;

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin(i == 0 ? tune_vid : NULL);
		b.vlan = i == 0 ? VID : 0xe000;
		b.payload = payload;
		b.len = sizeof(payload);
		bed_inject(&bed, &b);
		bed_turn(&bed);
		assert_non_null(bed_take(&bed));
		bed_destroy(&bed);
	}
}

static void
inject_stripped(struct build b, uint16_t vid)
{
	struct rte_mbuf *m;

	b.vlan = 0;
	memcpy(b.dmac, bed.conf.mac.addr_bytes, 6);
	memcpy(b.smac, (uint8_t[6]){2, 0, 10, 0, 0, 2}, 6);
	b.saddr = PMTCP_IP4(10, 0, 0, 2);
	b.daddr = PMTCP_IP4(10, 0, 0, 1);
	m = build_tcp(bed.pool, &b);
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = vid;
	bed_inject_mbuf(&bed, m);
	bed_turn(&bed);
}

static void
w_3_stripped_tag_is_judged_alike(void **state)
{
	(void)state;
	begin(tune_stripping);
	inject_stripped(syn, VID);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.vlan, VID);
	inject_stripped(syn, VID + 1);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_vlan_bad), 1);
	bed_destroy(&bed);
}

/* ARP, echo, RST: replies without a connection are tagged, too. */
static void
w_3_replies_are_tagged(void **state)
{
	struct build b = {.vlan = VID, .payload = "ping", .len = 4};
	struct build_icmp ping = {.type = 8, .rest = 7};
	struct build rst = syn;

	(void)state;
	begin(tune_vid);
	rst.dport = PORT + 1;
	bed_inject(&bed, &rst);
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.flags, PKT_RST | PKT_ACK);
	assert_int_equal(bed.taken.vlan, VID);

	memcpy(b.dmac, bed.conf.mac.addr_bytes, 6);
	memcpy(b.smac, (uint8_t[6]){2, 0, 10, 0, 0, 2}, 6);
	b.saddr = PMTCP_IP4(10, 0, 0, 2);
	b.daddr = PMTCP_IP4(10, 0, 0, 1);
	bed_inject_mbuf(&bed, build_icmp(bed.pool, &b, &ping));
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.icmp_type, 0);
	assert_int_equal(bed.taken.vlan, VID);

	memset(b.dmac, 0xff, 6);
	bed_inject_mbuf(&bed, build_arp(bed.pool, &b,
					      &(struct pkt_arp){.op = 1,
							      .sha = {2, 0, 10, 0, 0, 2},
							      .spa = b.saddr,
							      .tpa = b.daddr}));
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.arp.op, 2);
	assert_int_equal(bed.taken.vlan, VID);
	bed_destroy(&bed);
}

static void
w_3_conf_vid_is_checked(void **state)
{
	(void)state;
	for (uint32_t vid = 4094; vid <= 4096; vid++) {
		struct pmtcp_conf conf;
		void *mem;
		size_t len;
		struct pmtcp_ctx *ctx;

		bed_create(&bed, NULL);
		conf = bed.conf;
		conf.vlan = (uint16_t)vid;
		len = pmtcp_ctx_memsize(&conf);
		mem = ctx_mem_map(len);
		assert_int_equal(pmtcp_ctx_init(mem, len, &conf, &ctx), vid < 4095 ? 0 : -EINVAL);
		if (vid < 4095)
			pmtcp_ctx_fini(ctx);
		ctx_mem_unmap(mem, len);
		bed_destroy(&bed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_3_tag_is_taken_and_the_rest_stays),
			cmocka_unit_test(w_3_stripped_tag_counts_only_if_trusted),
			cmocka_unit_test(w_3_frame_cut_anywhere_is_not_overread),
			cmocka_unit_test(w_3_second_tag_and_service_tag_are_refused),
			cmocka_unit_test(w_3_shared_buffer_is_not_written),
			cmocka_unit_test(w_3_tag_is_put_on_any_frame),
			cmocka_unit_test(w_3_offloads_find_their_headers_behind_the_tag),
			cmocka_unit_test(w_3_syn_with_our_vid_is_answered_tagged),
			cmocka_unit_test(w_3_untagged_context_takes_priority_tags_only),
			cmocka_unit_test(w_35_tag_is_not_counted_as_oversize),
			cmocka_unit_test(w_3_stripped_tag_is_judged_alike),
			cmocka_unit_test(w_3_replies_are_tagged),
			cmocka_unit_test(w_3_conf_vid_is_checked),
	};

	return cmocka_run_group_tests(tests, pool_setup, pool_teardown);
}
