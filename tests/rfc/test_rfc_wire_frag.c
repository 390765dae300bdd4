/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: fragments of TCP are dropped unless the knob is on; then they become the packet
 * they were, whatever their order, and nothing an attacker sends makes the table grow,
 * lose a buffer or hand on what overlaps (W-12, W-18, DEC-11). Method: frames of the
 * test's own encoder are cut here, octet by octet, and put together by the filter; each
 * mbuf is one malloc. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/rng.h"
#include "dpdk/frag.h"
#include "support/bed.h"
#include "support/pool.h"

#define PAYLOAD 1000u
#define SEC     1000000000ull

static struct bed bed;
static struct frag *frag;

/* The packet that is cut: from the IP header on at byte 14. */
static uint8_t whole[2048];
static size_t whole_len;

static void
make_whole(uint8_t version, uint8_t flags, uint32_t len)
{
	static uint8_t text[2048];
	struct build b = {.version = version,
			.saddr = TEST_PEER,
			.daddr = TEST_ADDR,
			.sport = 5000,
			.dport = 80,
			.seq = 77,
			.flags = flags,
			.wnd = 1000,
			.len = len,
			.ip_id = 4711,
			.payload = text};
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR);

	for (uint32_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 13 + (i >> 8));
	memcpy(b.dmac, self.addr_bytes, 6);
	memcpy(b.smac, (uint8_t[6]){2, 0, 10, 0, 0, 2}, 6);
	memset(b.saddr6, 0x20, 16);
	memset(b.daddr6, 0x21, 16);
	whole_len = build_tcp_bytes(&b, whole, sizeof(whole));
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Octets [from, from + len) of the IP payload as a fragment, in mbufs of seg_size. */
static struct rte_mbuf *
cut(uint32_t from, uint32_t len, bool has_more, uint32_t id)
{
	uint8_t f[2048];
	uint32_t at = 14 + 20;

	memcpy(f, whole, 14 + 40);
	if (whole[14] >> 4 == 6) {
		at = 14 + 40 + 8;
		put16(f + 14 + 4, 8 + len);
		f[14 + 6] = 44;
		f[54] = 6;
		f[55] = 0;
		put16(f + 56, from | has_more);
		put16(f + 58, id >> 16);
		put16(f + 60, id);
		memcpy(f + at, whole + 14 + 40 + from, len);
		return build_mbuf(bed.pool, f, at + len, 0);
	}
	put16(f + 14 + 2, 20 + len);
	put16(f + 14 + 4, id);
	put16(f + 14 + 6, (has_more ? 0x2000 : 0) | from / 8);
	put16(f + 14 + 10, 0);
	put16(f + 14 + 10, build_cksum(build_sum(0, f + 14, 20)));
	memcpy(f + at, whole + at + from, len);
	return build_mbuf(bed.pool, f, at + len, 0);
}

static uint32_t
l4_len(void)
{
	return (uint32_t)whole_len - 14 - (whole[14] >> 4 == 6 ? 40 : 20);
}

/* Through the filter, then into the context, as a worker does. */
static void
arrive(struct rte_mbuf *m)
{
	if (!frag || frag_filter(frag, bed.now, &m, 1) == 1)
		bed_inject_mbuf(&bed, m);
}

static struct pmtcp_worker_stats
stats(void)
{
	struct pmtcp_worker_stats s;

	memset(&s, 0, sizeof(s));
	frag_stats(frag, &s);
	return s;
}

static void
begin(uint32_t datagrams)
{
	const struct frag_conf conf = {.datagrams = datagrams,
			.timeout_ms = 30000,
			.packet_max = 1500,
			.mac = ctx_mac_of(TEST_ADDR),
			.key = {1, 2}};
	const struct pmtcp_addr any = {.version = 4, .port = 80};
	struct pmtcp_listener *l;

	bed_create(&bed, NULL);
	bed.now = SEC;
	assert_int_equal(pmtcp_listen(bed.ctx, &any, NULL, &l), 0);
	frag = NULL;
	if (datagrams > 0)
		assert_int_equal(frag_create(&conf, &frag), 0);
}

static void
end(void)
{
	frag_destroy(frag);
	bed_forget(&bed);
	bed_destroy(&bed);
}

static bool
is_syn_answered(void)
{
	const struct pkt *p;

	bed_turn(&bed);
	p = bed_take(&bed);
	return p && p->flags == (PKT_SYN | PKT_ACK) && p->ack == 78;
}

static void
w_12_dec_11_fragmented_syn_is_dropped_by_default(void **state)
{
	(void)state;
	begin(0);
	make_whole(4, PKT_SYN, PAYLOAD);
	arrive(cut(0, 200, true, 1));
	arrive(cut(200, l4_len() - 200, false, 1));
	assert_false(is_syn_answered());
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_ip_frag), 2);
	end();
}

static void
w_12_fragmented_syn_is_answered_with_the_knob(void **state)
{
	(void)state;
	begin(8);
	make_whole(4, PKT_SYN, PAYLOAD);
	arrive(cut(0, 200, true, 1));
	assert_false(is_syn_answered());
	arrive(cut(200, l4_len() - 200, false, 1));
	assert_true(is_syn_answered());
	assert_int_equal(stats().frag_whole, 1);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_ip_frag), 0);
	end();
}

/* Any cut, any order, doubled pieces and link padding: the octets of the packet. */
static void
check_order(struct rng *rng)
{
	uint32_t edge[FRAG_PIECES + 1] = {0}, order[FRAG_PIECES], n = 0;
	struct rte_mbuf *m = NULL;
	uint8_t got[2048];

	while (edge[n] < l4_len() && n < FRAG_PIECES) {
		uint32_t len = n == 0 ? 64 : 8 + 8 * (uint32_t)rng_below(rng, 60);

		order[n] = n;
		edge[n + 1] = n + 1 == FRAG_PIECES ? l4_len() : min_u32(edge[n] + len, l4_len());
		n++;
	}
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t k = (uint32_t)rng_below(rng, i + 1), x = order[i];

		order[i] = order[k];
		order[k] = x;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = order[i];
		bool has_more = k + 1 < n;

		for (int twice = i + 1 < n ? (int)rng_below(rng, 2) : 0; twice >= 0; twice--) {
			assert_null(m);
			m = cut(edge[k], edge[k + 1] - edge[k], has_more, 9);
			if (rng_below(rng, 2))
				memset(rte_pktmbuf_append(m, 6), 0xff, 6);
			if (frag_filter(frag, bed.now, &m, 1) == 0)
				m = NULL;
		}
	}
	assert_non_null(m);
	assert_int_equal(m->pkt_len, whole_len);

	if (whole[14] >> 4 == 4) {
		put16(whole + 18, 9);
		put16(whole + 14 + 6, 0);
		put16(whole + 14 + 10, 0);
		put16(whole + 14 + 10, build_cksum(build_sum(0, whole + 14, 20)));
	}
	assert_memory_equal(rte_pktmbuf_read(m, 0, m->pkt_len, got), whole, whole_len);
	rte_pktmbuf_free(m);
}

static void
w_12_pieces_in_any_order_become_the_packet(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 12);
	begin(8);
	for (int i = 0; i < 2000; i++) {
		make_whole(i & 1 ? 6 : 4, PKT_ACK, 100 + (uint32_t)rng_below(&rng, 1300));
		check_order(&rng);
		assert_int_equal(test_pool_live(bed.pool), 0);
	}
	assert_int_equal(stats().frag_whole, 2000);
	assert_int_equal(stats().frag_overlaps, 0);
	end();
}

/* RFC 5722: the pieces that are still to come die too. */
static void
overlap_kills(uint8_t version)
{
	begin(8);
	make_whole(version, PKT_SYN, PAYLOAD);
	arrive(cut(0, 200, true, 1));
	arrive(cut(192, 208, true, 1));
	assert_int_equal(stats().frag_overlaps, 1);
	assert_int_equal(test_pool_live(bed.pool), 0);
	arrive(cut(0, 200, true, 1));
	arrive(cut(200, l4_len() - 200, false, 1));
	assert_false(is_syn_answered());
	assert_int_equal(stats().frag_whole, 0);
	/* Another datagram is not concerned, and after 30 s neither is this number. */
	bed.now += 31 * SEC;
	arrive(cut(0, 200, true, 1));
	arrive(cut(200, l4_len() - 200, false, 1));
	assert_int_equal(stats().frag_whole, 1);
	bed_turn(&bed);
	end();
}

static void
w_12_overlap_kills_the_datagram(void **state)
{
	(void)state;
	overlap_kills(4);
}

static void
w_18_overlap_kills_the_datagram(void **state)
{
	(void)state;
	overlap_kills(6);
}

/* Every pair of ranges that share an octet and are not the same. */
static void
w_12_every_overlap_is_found(void **state)
{
	uint32_t n = 0;

	(void)state;
	begin(8);
	make_whole(4, PKT_ACK, 400);
	for (uint32_t i = 0; i < 7 * 7 * 3 * 3; i++) {
		uint32_t a = 24 + 8 * (i % 7), b = 24 + 8 * (i / 7 % 7);
		uint32_t la = 8 + 8 * (i / 49 % 3), lb = 8 + 8 * (i / 147);
		bool is_same = a == b && la == lb;

		bed.now += 31 * SEC;
		arrive(cut(a, la, true, 3));
		arrive(cut(b, lb, true, 3));
		n += a < b + lb && b < a + la && !is_same;
		assert_int_equal(stats().frag_overlaps, n);
	}
	end();
}

/* RFC 3128, RFC 7112: the header is not to be pieced together. */
static void
header_is_whole(uint8_t version)
{
	begin(8);
	make_whole(version, PKT_SYN, PAYLOAD);
	for (uint32_t first = 8; first < 24; first += 8) {
		arrive(cut(0, first, true, first));
		arrive(cut(first, l4_len() - first, false, first));
	}
	/* A data offset that points beyond the first piece. */
	whole[14 + (version == 6 ? 40 : 20) + 12] = 0xf0;
	arrive(cut(0, 24, true, 99));
	arrive(cut(24, l4_len() - 24, false, 99));
	assert_false(is_syn_answered());
	assert_int_equal(stats().frag_whole, 0);
	assert_int_equal(stats().frag_dropped, 3);
	end();
}

static void
w_12_first_fragment_holds_the_header(void **state)
{
	(void)state;
	header_is_whole(4);
}

static void
w_18_first_fragment_holds_the_header(void **state)
{
	(void)state;
	header_is_whole(6);
}

/* Lengths that cannot be, and more than the link's MTU: nothing comes out. */
static void
w_12_bad_lengths_are_dropped(void **state)
{
	(void)state;
	begin(8);
	make_whole(4, PKT_ACK, PAYLOAD);
	arrive(cut(0, 100, true, 1)); /* not a multiple of eight, and more follow */
	arrive(cut(64, 0, false, 2));
	arrive(cut(0, 64, true, 3));
	arrive(cut(64, 64, false, 3)); /* the last one, and the datagram is done ... */
	assert_int_equal(stats().frag_whole, 1);
	arrive(cut(0, 64, true, 4));
	arrive(cut(128, 64, false, 4));
	arrive(cut(192, 64, true, 4)); /* ... beyond the last one */
	arrive(cut(64, 64, true, 4));
	arrive(cut(0, 64, true, 5));
	arrive(cut(128, 64, false, 5));
	arrive(cut(64, 32, false, 5)); /* a second last one */
	arrive(cut(64, 64, true, 5));
	assert_int_equal(stats().frag_whole, 1);
	make_whole(4, PKT_ACK, 1480);
	arrive(cut(0, 1000, true, 6));
	arrive(cut(1000, l4_len() - 1000, false, 6)); /* 1520 octets in all */
	assert_int_equal(stats().frag_whole, 1);
	bed_turn(&bed);
	end();
}

/* Not TCP, unreadable or broken: left to the context, which drops and counts. */
static void
w_12_what_is_not_judged_stays(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	begin(8);
	make_whole(4, PKT_ACK, PAYLOAD);
	whole[14 + 9] = 17;
	m = cut(0, 200, true, 1);
	arrive(m);
	whole[14 + 9] = 6;
	m = cut(0, 200, true, 1);
	rte_pktmbuf_mtod(m, uint8_t *)[14 + 10] ^= 1;
	arrive(m);
	m = cut(0, 200, true, 1);
	rte_mbuf_refcnt_update(m, 1);
	arrive(m);
	bed_turn(&bed);
	rte_pktmbuf_free(m);
	arrive(build_mbuf(bed.pool, whole, 14 + 19, 0));
	arrive(build_mbuf(bed.pool, whole, whole_len, 16));
	assert_int_equal(stats().frag_taken, 0);
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_ip_frag), 2);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_ip_cksum), 1);
	end();
}

/* 10^6 first pieces of datagrams that never come whole. */
static void
w_12_orphans_are_bounded(void **state)
{
	uint32_t most = 0;

	(void)state;
	begin(64);
	make_whole(4, PKT_ACK, PAYLOAD);
	for (uint32_t i = 0; i < 1000000; i++) {
		bed.now += 1000;
		arrive(cut(0, 64, true, i & 0xffff));
		most = max_u32(most, test_pool_live(bed.pool));
	}
	assert_in_range(most, 32, 64);
	bed.now += 31 * SEC;
	for (int i = 0; i < 8; i++)
		frag_expire(frag, bed.now);
	assert_int_equal(test_pool_live(bed.pool), 0);
	assert_true(stats().frag_expired > 0);
	assert_int_equal(stats().frag_dropped, 1000000);
	/* One datagram of many pieces. */
	for (uint32_t i = 0; i < 100; i++)
		arrive(cut(24 + 8 * i, 8, true, 5));
	assert_true(test_pool_live(bed.pool) <= FRAG_PIECES);
	end();
}

/* Whatever comes, nothing is read beyond its end and no buffer is lost. */
static void
w_12_random_octets(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 5);
	begin(16);
	for (uint32_t i = 0; i < 50000; i++) {
		struct rte_mbuf *m;
		uint32_t len;

		make_whole(i & 1 ? 6 : 4, PKT_ACK, 200);
		m = cut(8 * (uint32_t)rng_below(&rng, 4), 8 * (uint32_t)rng_below(&rng, 20),
				rng_below(&rng, 2), (uint32_t)rng_below(&rng, 4));
		len = m->data_len;
		for (int k = 0; k < 2; k++)
			rte_pktmbuf_mtod(m, uint8_t *)[12 + rng_below(&rng, 40)] ^=
					(uint8_t)(1u << rng_below(&rng, 8));
		if (i & 2) {
			uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *) + 14;

			put16(ip + 10, 0);
			put16(ip + 10, build_cksum(build_sum(0, ip, 20)));
		}
		if (rng_below(&rng, 4) == 0)
			rte_pktmbuf_trim(m, (uint16_t)rng_below(&rng, len));
		bed.now += BED_MS;
		if (frag_filter(frag, bed.now, &m, 1) == 1)
			rte_pktmbuf_free(m);
	}
	assert_true(test_pool_live(bed.pool) <= 16 * FRAG_PIECES);
	end();
}

/* W-18: 1510 octets were taken for 1490, and became an oversized packet. */
static void
w_18_whole_longer_than_the_link_carries_is_refused(void **state)
{
	(void)state;
	begin(8);
	for (uint32_t over = 0; over < 2; over++) {
		struct rte_mbuf *m;

		make_whole(6, PKT_ACK, 1440 + over);
		m = cut(0, 720, true, over);
		assert_int_equal(frag_filter(frag, bed.now, &m, 1), 0);
		m = cut(720, l4_len() - 720, false, over);
		assert_int_equal(frag_filter(frag, bed.now, &m, 1), !over);
		if (over == 0)
			rte_pktmbuf_free(m);
	}
	assert_int_equal(stats().frag_whole, 1);
	assert_int_equal(stats().frag_dropped, 2);
	end();
}

static struct rte_mbuf *
with_ecn(struct rte_mbuf *m, uint8_t ecn)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, 14);

	if (ip[0] >> 4 == 6) {
		ip[1] = (uint8_t)((ip[1] & 0xcf) | ecn << 4);
		return m;
	}
	ip[1] = (uint8_t)((ip[1] & 0xfc) | ecn);
	put16(ip + 10, 0);
	put16(ip + 10, build_cksum(build_sum(0, ip, 20)));
	return m;
}

/* RFC 3168 5.3: CE on any piece is on the whole; beside a piece that is not ECN-capable it is
 * nothing that a router does. */
static void
w_12_congestion_met_by_one_piece_is_the_wholes(void **state)
{
	/* Code points of both pieces and of the whole; -1: none. */
	static const int rows[][3] = {{2, 3, 3}, {3, 2, 3}, {1, 3, 3}, {3, 3, 3}, {2, 2, 2},
			{0, 0, 0}, {0, 3, -1}, {3, 0, -1}};

	(void)state;
	begin(8);
	for (uint32_t i = 0; i < 2 * PMTCP_ARRAY_SIZE(rows); i++) {
		const int *row = rows[i / 2];
		uint8_t version = i & 1 ? 6 : 4;
		struct rte_mbuf *m;
		struct pkt p;

		make_whole(version, PKT_ACK, PAYLOAD);
		m = with_ecn(cut(0, 200, true, i), (uint8_t)row[0]);
		assert_int_equal(frag_filter(frag, bed.now, &m, 1), 0);
		m = with_ecn(cut(200, l4_len() - 200, false, i), (uint8_t)row[1]);
		assert_int_equal(frag_filter(frag, bed.now, &m, 1), row[2] >= 0);
		if (row[2] < 0)
			continue;
		assert_int_equal(pkt_decode(&p, m), 0);
		assert_int_equal(p.tos & 3, row[2]);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(stats().frag_dropped, 8);
	end();
}

/* The same numbers on another VLAN are another datagram. */
static void
w_12_pieces_of_two_vlans_are_two_datagrams(void **state)
{
	(void)state;
	begin(8);
	make_whole(4, PKT_ACK, PAYLOAD);
	for (uint16_t vlan = 1; vlan < 4; vlan++) {
		struct rte_mbuf *m = vlan < 3 ? cut(0, 200, true, 1)
					      : cut(200, l4_len() - 200, false, 1);

		m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
		m->vlan_tci = vlan;
		assert_int_equal(frag_filter(frag, bed.now, &m, 1), 0);
	}
	assert_int_equal(stats().frag_whole, 0);
	end();
}

/* A promiscuous port shows fragments of others: they fill no table. */
static void
w_2_fragments_for_others_are_left_alone(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	begin(8);
	make_whole(4, PKT_ACK, PAYLOAD);
	whole[5] ^= 1;
	m = cut(0, 200, true, 1);
	assert_int_equal(frag_filter(frag, bed.now, &m, 1), 1);
	assert_int_equal(stats().frag_taken, 0);
	rte_pktmbuf_free(m);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_12_dec_11_fragmented_syn_is_dropped_by_default),
			cmocka_unit_test(w_12_fragmented_syn_is_answered_with_the_knob),
			cmocka_unit_test(w_12_pieces_in_any_order_become_the_packet),
			cmocka_unit_test(w_12_overlap_kills_the_datagram),
			cmocka_unit_test(w_18_overlap_kills_the_datagram),
			cmocka_unit_test(w_12_every_overlap_is_found),
			cmocka_unit_test(w_12_first_fragment_holds_the_header),
			cmocka_unit_test(w_18_first_fragment_holds_the_header),
			cmocka_unit_test(w_12_bad_lengths_are_dropped),
			cmocka_unit_test(w_12_what_is_not_judged_stays),
			cmocka_unit_test(w_12_orphans_are_bounded),
			cmocka_unit_test(w_12_random_octets),
			cmocka_unit_test(w_18_whole_longer_than_the_link_carries_is_refused),
			cmocka_unit_test(w_12_congestion_met_by_one_piece_is_the_wholes),
			cmocka_unit_test(w_12_pieces_of_two_vlans_are_two_datagrams),
			cmocka_unit_test(w_2_fragments_for_others_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
