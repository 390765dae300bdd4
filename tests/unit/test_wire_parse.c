/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the parser reads what is there, rejects what is not with one reason, and
 * never reads past the packet. Method: frames of the independent builder, cut and
 * broken in every way; mbufs of their own malloc, so that a sanitizer sees a read
 * too far. */

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

#include "base/rng.h"
#include "wire/wire_peek.h"
#include "wire_bed.h"

#ifdef __SANITIZE_ADDRESS__
enum { RANDOM_FRAMES = 100000 };
#else
enum { RANDOM_FRAMES = 1000000 };
#endif

static void
parse_segment_gives_every_field(void **state)
{
	struct build b = bed_segment();
	struct seg seg;
	uint16_t reason;

	assert_int_equal(bed_parse(*state, &b, &seg, &reason), WIRE_TCP);
	bed_assert_segment(&seg);
}

/* W-4, NEG-1: link padding is never data. */
static void
w_4_padded_frame_has_no_more_data(void **state)
{
	struct build b = bed_segment();
	struct seg seg;
	uint16_t reason;

	b.len = 0;
	b.opts = 0;
	b.pad_to = 60;
	assert_int_equal(bed_parse(*state, &b, &seg, &reason), WIRE_TCP);
	assert_int_equal(seg.len, 0);
}

/* W-1: headers in pieces of every size. */
static void
w_1_chain_of_any_pieces_parses_alike(void **state)
{
	for (uint16_t size = 1; size <= 90; size++) {
		struct build b = bed_segment();
		struct seg seg;
		uint16_t reason;

		b.seg_size = size;
		assert_int_equal(bed_parse(*state, &b, &seg, &reason), WIRE_TCP);
		bed_assert_segment(&seg);
	}
}

/* W-1: a valid frame cut at every length is one drop each, and no read too far. */
static void
w_1_frame_cut_anywhere_is_dropped(void **state)
{
	struct build b = bed_segment();
	uint8_t bytes[256];
	uint32_t len = (uint32_t)build_tcp_bytes(&b, bytes, sizeof(bytes));

	(void)state;
	for (uint32_t cut = 1; cut < len; cut++) {
		struct seg seg;
		uint16_t reason = WIRE_DROP_MAX;

		assert_int_equal(bed_parse_exact(&bed_conf, bytes, cut, &seg, &reason), WIRE_DROP);
		assert_true(reason < WIRE_DROP_MAX);
		assert_int_equal(reason, cut < 14 ? WIRE_DROP_ETH_BAD : WIRE_DROP_IP_TRUNC);
	}
}

/* W-25: no single wrong bit of IP header or segment passes as good. */
static void
w_25_any_flipped_bit_is_dropped(void **state)
{
	struct build b = bed_segment();
	uint8_t bytes[256];
	uint32_t len = (uint32_t)build_tcp_bytes(&b, bytes, sizeof(bytes));

	for (uint32_t bit = 14 * 8; bit < len * 8; bit++) {
		struct rte_mbuf *m;
		struct seg seg;
		uint16_t reason = WIRE_DROP_MAX;

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		m = build_mbuf(*state, bytes, len, 0);
		assert_int_equal(wire_parse(m, &bed_conf, &seg, &reason), WIRE_DROP);
		assert_true(reason < WIRE_DROP_MAX);
		rte_pktmbuf_free(m);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* Frames of a chain that ends early. */
static void
w_1_chain_cut_anywhere_is_dropped(void **state)
{
	struct build b = bed_segment();
	uint8_t bytes[256];
	uint32_t len = (uint32_t)build_tcp_bytes(&b, bytes, sizeof(bytes));

	for (uint32_t cut = 1; cut < len; cut++) {
		for (uint16_t piece = 1; piece < 70; piece += 4) {
			struct rte_mbuf *m = build_mbuf(*state, bytes, cut, piece);
			struct seg seg;
			uint16_t reason = WIRE_DROP_MAX;

			assert_int_equal(wire_parse(m, &bed_conf, &seg, &reason), WIRE_DROP);
			assert_int_equal(reason, cut < 14 ? WIRE_DROP_ETH_BAD : WIRE_DROP_IP_TRUNC);
			rte_pktmbuf_free(m);
		}
	}
}

static void
put_be16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

enum {
	/* In the order in which the builder puts them. */
	USUAL_SYN_OPTS = PKT_OPT_MSS | PKT_OPT_SACK_PERM | PKT_OPT_TS | PKT_OPT_WSCALE,
};

/* Makes both checksums right again, as far as the lengths let it. */
static void
mend_sums(uint8_t *frame, uint32_t len)
{
	uint32_t ihl = (uint32_t)(frame[14] & 15) * 4;
	uint32_t tcp_len = len - 14 - ihl;
	uint8_t pseudo[12] = {0};

	if (ihl < 20 || 14 + ihl + 20 > len)
		return;
	memset(frame + 24, 0, 2);
	put_be16(frame + 24, build_cksum(build_sum(0, frame + 14, ihl)));
	memcpy(pseudo, frame + 26, 8);
	pseudo[9] = 6;
	put_be16(pseudo + 10, (uint16_t)tcp_len);
	memset(frame + 14 + ihl + 16, 0, 2);
	put_be16(frame + 14 + ihl + 16, build_cksum(build_sum(build_sum(0, pseudo, 12),
							frame + 14 + ihl, tcp_len)));
}

/* A header octet of a good frame changed, in most cases with right checksums. */
static uint32_t
random_frame(struct rng *rng, uint8_t *bytes, size_t size)
{
	struct build b = bed_segment();
	uint32_t len;

	b.opts = rng_below(rng, 4) ? PKT_OPT_TS : 0;
	b.len = rng_below(rng, 2) ? (uint32_t)rng_below(rng, 12) : 0;
	if (rng_below(rng, 4) == 0) {
		b.flags |= PKT_SYN;
		b.mss = (uint16_t)rng_next(rng);
		b.wscale = (uint8_t)rng_below(rng, 16);
		if (rng_below(rng, 2))
			b.opts = USUAL_SYN_OPTS;
	}
	len = (uint32_t)build_tcp_bytes(&b, bytes, size);
	for (uint64_t n = rng_below(rng, 3); n > 0; n--)
		bytes[rng_below(rng, len)] = (uint8_t)rng_next(rng);
	if (rng_below(rng, 4))
		mend_sums(bytes, len);
	return len;
}

/* The short way of a frame in one piece and the long way of a chain, cut at `cut`, come to the
 * same verdict and the same values. Returns the reason, or WIRE_DROP_MAX. */
static uint16_t
parse_both_ways(struct rte_mempool *pool, const uint8_t *bytes, uint32_t len, uint16_t cut)
{
	struct rte_mbuf *flat = build_mbuf(pool, bytes, len, 0);
	struct rte_mbuf *chain = build_mbuf(pool, bytes, len, cut);
	uint16_t reason = WIRE_DROP_MAX, chain_reason = WIRE_DROP_MAX;
	/* Hash and index are not the parser's. */
	struct seg seg = {.m = NULL}, chain_seg = {.m = NULL};
	enum wire_kind kind = wire_parse(flat, &bed_conf, &seg, &reason);

	assert_int_equal(wire_parse(chain, &bed_conf, &chain_seg, &chain_reason), kind);
	assert_int_equal(chain_reason, reason);
	if (kind == WIRE_TCP) {
		chain_seg.m = seg.m;
		assert_memory_equal(&chain_seg, &seg, sizeof(seg));
	}
	rte_pktmbuf_free(flat);
	rte_pktmbuf_free(chain);
	return reason;
}

/* W-1. */
static void
w_1_flat_and_chained_frames_parse_alike(void **state)
{
	uint32_t n_good = 0, n_drops[WIRE_DROP_MAX + 1] = {0};
	struct rng rng;

	rng_seed(&rng, 10);
	for (int i = 0; i < RANDOM_FRAMES / 4; i++) {
		uint8_t bytes[256];
		uint32_t len = random_frame(&rng, bytes, sizeof(bytes));

		n_drops[parse_both_ways(
				*state, bytes, len, (uint16_t)(1 + rng_below(&rng, len - 1)))]++;
	}
	n_good = n_drops[WIRE_DROP_MAX];
	/* The frames were not all of one sort. */
	assert_true(n_good > 1000);
	assert_true(n_drops[WIRE_DROP_IP_HEADER] > 10);
	assert_true(n_drops[WIRE_DROP_TCP_HEADER] > 10);
	assert_true(n_drops[WIRE_DROP_TCP_CKSUM] > 10);
	assert_true(n_drops[WIRE_DROP_OPT_BAD] > 10);
}

/* Every bit of a good frame wrong, alone and with right sums, and each value of the octets that
 * have limits: the parser may know the usual frames by heart, and must see what is not. */
static void
flip_every_bit(struct rte_mempool *pool, const struct build *b)
{
	uint8_t bytes[256];
	uint32_t len = (uint32_t)build_tcp_bytes(b, bytes, sizeof(bytes));

	assert_int_equal(parse_both_ways(pool, bytes, len, 20), WIRE_DROP_MAX);
	for (uint32_t bit = 0; bit < len * 8; bit++) {
		uint8_t wrong[256];

		memcpy(wrong, bytes, len);
		wrong[bit / 8] ^= (uint8_t)(1 << bit % 8);
		parse_both_ways(pool, wrong, len, 50);
		mend_sums(wrong, len);
		parse_both_ways(pool, wrong, len, 50);
	}
	/* The last octet is the window scale of a SYN, in another a payload's. */
	for (uint32_t value = 0; value < 256; value++) {
		bytes[len - 1] = (uint8_t)value;
		mend_sums(bytes, len);
		assert_int_equal(parse_both_ways(pool, bytes, len, 50), WIRE_DROP_MAX);
	}
}

static void
w_1_usual_frames_with_any_bit_wrong_parse_alike(void **state)
{
	static const uint8_t flags[] = {PKT_ACK, PKT_ACK | PKT_FIN, PKT_RST, PKT_ACK | PKT_PSH};
	struct build b = bed_segment();

	for (uint32_t i = 0; i < sizeof(flags); i++) {
		b.flags = flags[i];
		for (b.len = 0; b.len <= 11; b.len += 11)
			flip_every_bit(*state, &b);
	}
	b.opts = USUAL_SYN_OPTS;
	b.mss = 1460;
	b.wscale = 7;
	b.flags = PKT_SYN;
	for (b.len = 0; b.len <= 11; b.len += 11)
		flip_every_bit(*state, &b);
	b.len = 0;
	b.flags = PKT_SYN | PKT_ACK;
	flip_every_bit(*state, &b);
	b.flags = PKT_ACK; /* the options of a SYN in another */
	flip_every_bit(*state, &b);
}

/* The last octets lie there and are not the frame's. */
static uint16_t
parse_without_end(struct rte_mempool *pool, const uint8_t *bytes, uint32_t len, uint32_t cut)
{
	struct rte_mbuf *m = build_mbuf(pool, bytes, len, 0);
	uint16_t reason = WIRE_DROP_MAX;
	struct seg seg;

	assert_int_equal(rte_pktmbuf_trim(m, (uint16_t)cut), 0);
	wire_parse(m, &bed_conf, &seg, &reason);
	rte_pktmbuf_free(m);
	return reason;
}

/* W-4, W-35: the frame is longer than the datagram, or than any may be. */
static void
w_1_usual_frames_of_any_length_parse_alike(void **state)
{
	struct build b = bed_segment();
	uint8_t bytes[256] = {0};

	b.len = 0;
	b.mss = 1460;
	for (int i = 0; i < 2; i++) {
		uint32_t len = (uint32_t)build_tcp_bytes(&b, bytes, sizeof(bytes));

		for (uint32_t pad = 0; pad < 40; pad++)
			assert_int_equal(parse_both_ways(*state, bytes, len + pad, 50),
					WIRE_DROP_MAX);
		for (uint32_t cut = 1; cut <= len - 54; cut++)
			assert_int_equal(parse_without_end(*state, bytes, len, cut),
					WIRE_DROP_IP_TRUNC);
		b.flags = PKT_SYN;
		b.opts = USUAL_SYN_OPTS;
	}
}

struct bad {
	const char *what;
	struct build b;
	enum wire_drop reason;
};

static void
expect_drop(struct rte_mempool *pool, const struct bad *bad)
{
	struct seg seg;
	uint16_t reason = WIRE_DROP_MAX;

	if (bed_parse(pool, &bad->b, &seg, &reason) != WIRE_DROP || reason != bad->reason)
		fail_msg("%s: reason %u instead of %u", bad->what, reason, bad->reason);
}

/* W-9, W-12, W-24, W-27. */
static void
parse_malformed_headers_name_their_reason(void **state)
{
	struct bad list[] = {
			{.what = "TCP checksum", .reason = WIRE_DROP_TCP_CKSUM},
			{.what = "IP checksum", .reason = WIRE_DROP_IP_CKSUM},
			{.what = "doff 4", .reason = WIRE_DROP_TCP_HEADER},
			{.what = "doff beyond", .reason = WIRE_DROP_TCP_HEADER},
			{.what = "source port 0", .reason = WIRE_DROP_TCP_PORT0},
			{.what = "destination port 0", .reason = WIRE_DROP_TCP_PORT0},
			{.what = "more fragments", .reason = WIRE_DROP_IP_FRAG},
			{.what = "last fragment", .reason = WIRE_DROP_IP_FRAG},
			{.what = "length beyond frame", .reason = WIRE_DROP_IP_TRUNC},
			{.what = "length below header", .reason = WIRE_DROP_IP_HEADER},
			{.what = "UDP", .reason = WIRE_DROP_IP_PROTO},
			{.what = "VLAN", .reason = WIRE_DROP_VLAN_BAD},
			{.what = "group source", .reason = WIRE_DROP_ETH_GROUP_SRC},
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		list[i].b = bed_segment();
	list[0].b.l4_cksum_xor = 1;
	list[1].b.ip_cksum_xor = 1;
	list[2].b.doff = 4;
	list[3].b.doff = 15;
	list[4].b.sport = 0;
	list[5].b.dport = 0;
	list[6].b.frag = 0x2000;
	list[7].b.frag = 5;
	list[8].b.ip_len = 400;
	list[9].b.ip_len = 19;
	list[10].b.proto = 17;
	list[11].b.vlan = 5;
	list[12].b.smac[0] |= 1;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		expect_drop(*state, &list[i]);
}

/* W-9: version and IHL, with the checksum made right again. */
static void
w_9_version_and_ihl_are_judged(void **state)
{
	static const uint8_t first[] = {0x35, 0x44, 0x40, 0x65, 0x4f};

	for (size_t i = 0; i < sizeof(first); i++) {
		struct build b = bed_segment();
		uint8_t bytes[256];
		uint32_t len;
		uint16_t sum, reason = WIRE_DROP_MAX;
		struct rte_mbuf *m;
		struct seg seg;

		b.len = 0;
		b.opts = 0;
		len = (uint32_t)build_tcp_bytes(&b, bytes, sizeof(bytes));
		bytes[14] = first[i];
		memset(bytes + 24, 0, 2);
		sum = build_cksum(build_sum(0, bytes + 14, 20));
		bytes[24] = (uint8_t)(sum >> 8);
		bytes[25] = (uint8_t)sum;
		m = build_mbuf(*state, bytes, len, 0);
		assert_int_equal(wire_parse(m, &bed_conf, &seg, &reason), WIRE_DROP);
		assert_int_equal(reason, WIRE_DROP_IP_HEADER);
		rte_pktmbuf_free(m);
	}
}

/* W-10, DEC-9: unknown options pass, torn ones and source routes do not. */
static void
w_10_dec_9_ip_options_are_walked_in_bounds(void **state)
{
	static const struct {
		uint8_t opt[4];
		bool is_ok;
	} rows[] = {{{7, 3, 4, 0}, true}, {{1, 1, 1, 0}, true}, {{0, 9, 9, 9}, true},
			{{7, 0, 0, 0}, false}, {{7, 1, 0, 0}, false}, {{7, 5, 0, 0}, false},
			{{1, 1, 1, 7}, false}, {{131, 3, 4, 0}, false}, {{137, 3, 4, 0}, false}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct build b = bed_segment();
		struct seg seg;
		uint16_t reason = WIRE_DROP_MAX;
		enum wire_kind kind;

		b.ip_opts = rows[i].opt;
		b.ip_opts_len = 4;
		kind = bed_parse(*state, &b, &seg, &reason);
		assert_int_equal(kind, rows[i].is_ok ? WIRE_TCP : WIRE_DROP);
		if (!rows[i].is_ok)
			assert_int_equal(reason, WIRE_DROP_IP_OPT);
	}
}

/* W-35: longer than the link carries. */
static void
w_35_oversize_frame_is_dropped(void **state)
{
	static const uint8_t payload[1500];
	struct build b = bed_segment();
	struct seg seg;
	uint16_t reason;

	b.payload = payload;
	b.len = 1448;
	assert_int_equal(bed_parse(*state, &b, &seg, &reason), WIRE_TCP);
	assert_int_equal(seg.len, 1448);
	b.len = 1449;
	assert_int_equal(bed_parse(*state, &b, &seg, &reason), WIRE_DROP);
	assert_int_equal(reason, WIRE_DROP_OVERSIZE);
}

/* W-25: the device is believed only if the port says so. */
static void
w_25_device_verdict_counts_only_if_trusted(void **state)
{
	struct wire_rx_conf trusting = {
			.trust_ip_cksum = true, .trust_tcp_cksum = true, .max_frame = 1514};
	struct build b = bed_segment();
	struct rte_mbuf *m;
	struct seg seg;
	uint16_t reason;

	b.l4_cksum_xor = 0x40;
	m = build_tcp(*state, &b);
	m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	assert_int_equal(wire_parse(m, &bed_conf, &seg, &reason), WIRE_DROP);
	assert_int_equal(wire_parse(m, &trusting, &seg, &reason), WIRE_TCP);
	m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD; /* unknown: recomputed */
	assert_int_equal(wire_parse(m, &trusting, &seg, &reason), WIRE_DROP);
	assert_int_equal(reason, WIRE_DROP_TCP_CKSUM);
	rte_pktmbuf_free(m);
	b.l4_cksum_xor = 0;
	m = build_tcp(*state, &b);
	m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_BAD;
	assert_int_equal(wire_parse(m, &trusting, &seg, &reason), WIRE_DROP);
	assert_int_equal(wire_parse(m, &bed_conf, &seg, &reason), WIRE_TCP);
	rte_pktmbuf_free(m);
}

/* Random bytes, and random changes of a valid frame with its checksums made right:
 * always a verdict, and TCP only within the packet. */
static void
parse_random_frames_stay_in_bounds(void **state)
{
	struct rng rng;
	uint64_t seed = 1;

	print_message("seed %llu\n", (unsigned long long)seed);
	rng_seed(&rng, seed);
	for (int i = 0; i < RANDOM_FRAMES; i++) {
		uint8_t bytes[128];
		uint32_t len = 1 + (uint32_t)rng_below(&rng, sizeof(bytes));
		struct rte_mbuf *m;
		struct seg seg;
		uint16_t reason = WIRE_DROP_MAX;
		enum wire_kind kind;

		for (uint32_t k = 0; k < len; k++)
			bytes[k] = (uint8_t)rng_next(&rng);
		if (len > 34 && rng_below(&rng, 2)) {
			bytes[6] &= 0xfe;
			memcpy(bytes + 12, "\x08\x00\x45", 3);
			bytes[23] = 6;
		}
		m = build_mbuf(*state, bytes, len, (uint16_t)rng_below(&rng, 40));
		kind = wire_parse(m, &bed_conf, &seg, &reason);
		if (kind == WIRE_DROP)
			assert_true(reason < WIRE_DROP_MAX);
		else if (kind == WIRE_TCP)
			assert_true((uint32_t)seg.payload_off + seg.len <= len);
		rte_pktmbuf_free(m);
	}
}

static bool
peeks(struct rte_mempool *pool, const struct build *b, uint16_t cut, struct flow_key *key)
{
	static const struct rte_ether_addr others = {{0x02, 0, 0, 0, 0, 0x77}};
	struct rte_mbuf *m = build_tcp(pool, b);
	struct rte_ether_addr mac;
	struct wire_peek peek;
	bool is_seen;

	if (cut > 0)
		rte_pktmbuf_trim(m, cut);
	memcpy(&mac, rte_pktmbuf_mtod(m, void *), sizeof(mac));
	peek = wire_peek_of(&others);
	assert_false(wire_peek_tuple(m, &peek, key));
	peek = wire_peek_of(&mac);
	is_seen = wire_peek_tuple(m, &peek, key);
	rte_pktmbuf_free(m);
	return is_seen;
}

/* Whatever the sums and lengths of a plain frame to us; all others are not looked at. */
static void
peek_tells_the_tuple_of_plain_frames_only(void **state)
{
	static const uint8_t nops[4] = {1, 1, 1, 1};
	struct build b = bed_segment();
	struct flow_key key;

	assert_true(peeks(*state, &b, 0, &key));
	assert_int_equal(key.raddr, rte_cpu_to_be_32(BED_SADDR));
	assert_int_equal(key.laddr, rte_cpu_to_be_32(BED_DADDR));
	assert_int_equal(key.rport, rte_cpu_to_be_16(BED_SPORT));
	assert_int_equal(key.lport, rte_cpu_to_be_16(BED_DPORT));
	b.l4_cksum_xor = 1;
	assert_true(peeks(*state, &b, 0, &key));
	assert_true(peeks(*state, &b, 1, &key));
	for (uint16_t cut = 50; cut < 70; cut++)
		assert_false(peeks(*state, &b, cut, &key));
	b.vlan = 5;
	assert_false(peeks(*state, &b, 0, &key));
	b.vlan = 0;
	b.proto = 17;
	assert_false(peeks(*state, &b, 0, &key));
	b.proto = 0;
	b.frag = 0x4000; /* DF */
	assert_true(peeks(*state, &b, 0, &key));
	for (b.frag = 1; b.frag < 0x4000; b.frag = (uint16_t)(b.frag * 2)) /* MF, offset */
		assert_false(peeks(*state, &b, 0, &key));
	b.frag = 0;
	b.ip_opts = nops;
	b.ip_opts_len = sizeof(nops);
	assert_false(peeks(*state, &b, 0, &key));
	b = bed6_segment();
	assert_false(peeks(*state, &b, 0, &key));
	b = bed_segment();
	b.seg_size = 40;
	assert_false(peeks(*state, &b, 0, &key));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(parse_segment_gives_every_field),
			cmocka_unit_test(peek_tells_the_tuple_of_plain_frames_only),
			cmocka_unit_test(w_4_padded_frame_has_no_more_data),
			cmocka_unit_test(w_1_chain_of_any_pieces_parses_alike),
			cmocka_unit_test(w_1_frame_cut_anywhere_is_dropped),
			cmocka_unit_test(w_1_chain_cut_anywhere_is_dropped),
			cmocka_unit_test(w_1_flat_and_chained_frames_parse_alike),
			cmocka_unit_test(w_1_usual_frames_with_any_bit_wrong_parse_alike),
			cmocka_unit_test(w_1_usual_frames_of_any_length_parse_alike),
			cmocka_unit_test(w_25_any_flipped_bit_is_dropped),
			cmocka_unit_test(parse_malformed_headers_name_their_reason),
			cmocka_unit_test(w_9_version_and_ihl_are_judged),
			cmocka_unit_test(w_10_dec_9_ip_options_are_walked_in_bounds),
			cmocka_unit_test(w_35_oversize_frame_is_dropped),
			cmocka_unit_test(w_25_device_verdict_counts_only_if_trusted),
			cmocka_unit_test(parse_random_frames_stay_in_bounds),
	};

	return cmocka_run_group_tests(tests, bed_pool_setup, bed_pool_teardown);
}
