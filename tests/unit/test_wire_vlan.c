/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: W-3 - one tag is taken off a frame and put on another. Method: the two functions
 * on frames of the independent builder; a whole context is in tests/rfc. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "wire/wire_emit.h"
#include "wire/wire_vlan.h"
#include "wire_bed.h"

enum { VID = 100 };

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
	};

	return cmocka_run_group_tests(tests, bed_pool_setup, bed_pool_teardown);
}
