/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: TCP options as RFC 9293 3.2 and W-28 to W-33 ask. Method: every kind with
 * every odd length, and random option areas beside a slow obvious walker. */

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
#include "wire/wire_opt.h"

#ifdef __SANITIZE_ADDRESS__
enum { RANDOM_AREAS = 200000 };
#else
enum { RANDOM_AREAS = 2000000 };
#endif

/* In a buffer of exactly this size, so that a sanitizer sees a read too far. */
static void
parse(const uint8_t *bytes, uint8_t len, uint8_t flags, struct seg *seg)
{
	uint8_t *exact = malloc(len ? len : 1);

	assert_non_null(exact);
	memcpy(exact, bytes, len);
	memset(seg, 0, sizeof(*seg));
	seg->flags = flags;
	wire_parse_opts(exact, len, 54, seg);
	free(exact);
}

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

struct model {
	bool is_malformed, is_dup, is_clamped;
	bool has_mss, has_ws, has_sack_perm, has_ts, has_sack;
	uint16_t mss;
	uint8_t wscale, n_sack, sack_at;
	uint32_t tsval, tsecr;
};

static void
model_option(struct model *m, const uint8_t *o, uint8_t len, bool is_syn, uint8_t at)
{
	if (o[0] == 2 && len == 4 && is_syn) {
		m->is_dup |= m->has_mss;
		m->has_mss = true;
		m->mss = (uint16_t)(o[2] * 256 + o[3]);
	} else if (o[0] == 3 && len == 3 && is_syn) {
		m->is_dup |= m->has_ws;
		m->has_ws = true;
		m->is_clamped |= o[2] > 14;
		m->wscale = o[2] > 14 ? 14 : o[2];
	} else if (o[0] == 4 && len == 2 && is_syn) {
		m->is_dup |= m->has_sack_perm;
		m->has_sack_perm = true;
	} else if (o[0] == 8 && len == 10) {
		m->is_dup |= m->has_ts;
		m->has_ts = true;
		m->tsval = be32(o + 2);
		m->tsecr = be32(o + 6);
	} else if (o[0] == 5 && (len == 10 || len == 18 || len == 26 || len == 34)) {
		m->is_dup |= m->has_sack;
		m->has_sack = true;
		m->n_sack = (uint8_t)(len / 8);
		m->sack_at = (uint8_t)(54 + at + 2);
	}
}

static struct model
model_walk(const uint8_t *o, uint8_t len, bool is_syn)
{
	struct model m = {0};
	uint8_t at = 0;

	while (at < len && o[at] != 0) {
		if (o[at] == 1) {
			at++;
		} else if (at + 1 == len || o[at + 1] < 2 || at + o[at + 1] > len) {
			m.is_malformed = true;
			break;
		} else {
			model_option(&m, o + at, o[at + 1], is_syn, at);
			at = (uint8_t)(at + o[at + 1]);
		}
	}
	return m;
}

static void
assert_is_model(const struct seg *seg, const struct model *m)
{
	uint8_t opts = 0;

	opts |= m->is_malformed ? SEG_OPT_MALFORMED : 0;
	opts |= m->is_dup ? SEG_OPT_DUP : 0;
	opts |= m->is_clamped ? SEG_OPT_WS_CLAMP : 0;
	opts |= m->has_mss ? SEG_OPT_MSS : 0;
	opts |= m->has_ws ? SEG_OPT_WSCALE : 0;
	opts |= m->has_sack_perm ? SEG_OPT_SACK_PERM : 0;
	opts |= m->has_ts ? SEG_OPT_TS : 0;
	opts |= m->has_sack ? SEG_OPT_SACK : 0;
	assert_int_equal(seg->opts, opts);
	assert_int_equal(seg->mss, m->mss);
	assert_int_equal(seg->wscale, m->wscale);
	assert_int_equal(seg->tsval, m->tsval);
	assert_int_equal(seg->tsecr, m->tsecr);
	assert_int_equal(seg->n_sack, m->n_sack);
	assert_int_equal(seg->sack_off, m->sack_at);
}

static void
check(const uint8_t *bytes, uint8_t len, uint8_t flags)
{
	struct model m = model_walk(bytes, len, flags & TCP_SYN);
	struct seg seg;

	parse(bytes, len, flags, &seg);
	assert_is_model(&seg, &m);
}

/* Option areas made of likely pieces, so that whole options are common. */
static uint8_t
random_area(struct rng *rng, uint8_t *o)
{
	static const uint8_t pieces[][4] = {{2, 4, 5, 0xb4}, {3, 3, 7, 1}, {4, 2, 1, 1},
			{8, 10, 1, 2}, {5, 10, 0, 0}, {5, 18, 0, 0}, {1, 1, 8, 10}, {253, 6, 0, 0}};
	uint8_t len = (uint8_t)(4 * rng_below(rng, 11));

	for (uint8_t at = 0; at < len; at++)
		o[at] = (uint8_t)rng_next(rng);
	for (int i = 0; i < 4 && len >= 4; i++)
		if (rng_below(rng, 4))
			memcpy(o + rng_below(rng, len - 3u), pieces[rng_below(rng, 8)], 4);
	return len;
}

/* W-28 to W-33. */
static void
w_28_random_areas_match_the_slow_walker(void **state)
{
	struct rng rng;
	uint64_t seed = 2;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	rng_seed(&rng, seed);
	for (int i = 0; i < RANDOM_AREAS; i++) {
		uint8_t o[40];
		uint8_t len = random_area(&rng, o);

		check(o, len, rng_below(&rng, 2) ? TCP_SYN : TCP_ACK);
	}
}

/* W-28, NEG-2: kinds 2..255 with length 0, 1 and 41 return, and stop the walk. */
static void
w_28_impossible_lengths_stop_the_walk(void **state)
{
	static const uint8_t lengths[] = {0, 1, 41};

	(void)state;
	for (int kind = 2; kind < 256; kind++)
		for (size_t i = 0; i < sizeof(lengths); i++) {
			uint8_t o[40] = {(uint8_t)kind, lengths[i], 0};
			struct seg seg;

			parse(o, sizeof(o), TCP_SYN, &seg);
			assert_int_equal(seg.opts, SEG_OPT_MALFORMED);
		}
}

static void
opts_linux_syn_gives_all_four(void **state)
{
	static const uint8_t o[20] = {
			2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7};
	struct seg seg;

	(void)state;
	parse(o, sizeof(o), TCP_SYN, &seg);
	assert_int_equal(seg.opts, SEG_OPT_MSS | SEG_OPT_SACK_PERM | SEG_OPT_TS | SEG_OPT_WSCALE);
	assert_int_equal(seg.mss, 1460);
	assert_int_equal(seg.wscale, 7);
	assert_int_equal(seg.tsval, 9);
	check(o, sizeof(o), TCP_SYN);
	check(o, sizeof(o), TCP_ACK); /* W-30: on a non-SYN only the timestamp is heard */
}

/* W-32. */
static void
w_32_window_shift_above_14_is_14(void **state)
{
	static const uint8_t alone[4] = {1, 3, 3, 255};
	static const uint8_t linux_syn[20] = {
			2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 15};
	struct seg seg;

	(void)state;
	parse(alone, sizeof(alone), TCP_SYN, &seg);
	assert_int_equal(seg.wscale, 14);
	assert_int_equal(seg.opts, SEG_OPT_WSCALE | SEG_OPT_WS_CLAMP);
	check(linux_syn, sizeof(linux_syn), TCP_SYN);
}

/* W-31. */
static void
w_31_peer_mss_has_a_floor_and_a_default(void **state)
{
	struct seg seg = {.opts = SEG_OPT_MSS, .mss = 0};

	(void)state;
	assert_int_equal(wire_peer_mss(&seg), 88);
	seg.mss = 1400;
	assert_int_equal(wire_peer_mss(&seg), 1400);
	seg.opts = 0;
	assert_int_equal(wire_peer_mss(&seg), 536);
	seg.is_v6 = 1;
	assert_int_equal(wire_peer_mss(&seg), 1220);
	seg.opts = SEG_OPT_MSS;
	assert_int_equal(wire_peer_mss(&seg), 1400);
	seg.mss = 87;
	assert_int_equal(wire_peer_mss(&seg), 88);
}

static void
open_9_own_mss_is_the_mtu_less_fixed_headers(void **state)
{
	(void)state;
	assert_int_equal(wire_mss_of_mtu(1500, false), 1460);
	assert_int_equal(wire_mss_of_mtu(1500, true), 1440);
	assert_int_equal(wire_mss_of_mtu(1280, true), 1220);
	assert_int_equal(wire_mss_of_mtu(9000, false), 8960);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_28_random_areas_match_the_slow_walker),
			cmocka_unit_test(w_28_impossible_lengths_stop_the_walk),
			cmocka_unit_test(opts_linux_syn_gives_all_four),
			cmocka_unit_test(w_32_window_shift_above_14_is_14),
			cmocka_unit_test(w_31_peer_mss_has_a_floor_and_a_default),
			cmocka_unit_test(open_9_own_mss_is_the_mtu_less_fixed_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
