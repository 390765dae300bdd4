/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The option area of a segment, any octets, straight into the option parser and
 * beside it into a slow reader of the rules that shares nothing with it
 * (RFC 9293 3.2, 7323, 2018; W-28 to W-33, DEC-9). Input: flags, then options. */

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "support/pool.h"
#include "wire/wire_opt.h"

#define OFF 54u /* where options lie in an untagged IPv4 frame */

struct model {
	uint32_t seen; /* bit per kind 2, 3, 4, 5, 8 */
	bool is_dup;
	bool is_malformed;
	bool is_syn; /* only then MSS, window scale and SACK permitted count (MUST-65) */
	bool is_clamped;
	uint16_t mss;
	uint8_t wscale;
	uint8_t n_sack;
	uint8_t sack_at;
	uint32_t tsval, tsecr;
};

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Options with a fixed length; 0: any. */
static uint8_t
length_of(uint8_t kind)
{
	static const uint8_t lengths[9] = {[2] = 4, [3] = 3, [4] = 2, [8] = 10};

	return kind < sizeof(lengths) ? lengths[kind] : 0;
}

static bool
is_well_formed(uint8_t kind, uint8_t len)
{
	if (kind == 5)
		return len >= 10 && len % 8 == 2;
	return length_of(kind) == 0 || length_of(kind) == len;
}

static void
note(struct model *m, const uint8_t *p, uint8_t at)
{
	uint8_t kind = p[0];

	if (kind > 8 || (kind != 5 && length_of(kind) == 0))
		return;
	if (kind <= 4 && !m->is_syn)
		return;
	m->is_dup |= (m->seen & 1u << kind) != 0;
	m->seen |= 1u << kind;
	if (kind == 2)
		m->mss = (uint16_t)(p[2] << 8 | p[3]);
	if (kind == 3) {
		m->wscale = p[2] > 14 ? 14 : p[2];
		m->is_clamped |= p[2] > 14;
	}
	if (kind == 5) {
		m->n_sack = (uint8_t)((p[1] - 2) / 8);
		m->sack_at = (uint8_t)(at + 2);
	}
	if (kind == 8) {
		m->tsval = be32(p + 2);
		m->tsecr = be32(p + 6);
	}
}

/* Walks by the letter; of a wrong length an option is passed over (W-29). */
static void
read_slowly(struct model *m, const uint8_t *opt, uint8_t len)
{
	uint8_t at = 0;

	while (at < len && opt[at] != 0) {
		if (opt[at] == 1) {
			at++;
			continue;
		}
		if (len - at < 2 || opt[at + 1] < 2 || opt[at + 1] > len - at) {
			m->is_malformed = true;
			return;
		}
		if (is_well_formed(opt[at], opt[at + 1]))
			note(m, opt + at, at);
		at = (uint8_t)(at + opt[at + 1]);
	}
}

static void
check_sack(const uint8_t *opt, uint8_t len, const struct seg *seg)
{
	static const uint8_t whole[4];
	struct rte_mempool *pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 256);
	uint8_t frame[OFF + WIRE_OPTS_MAX] = {0};
	struct rte_mbuf *m;
	uint32_t left, right;

	memcpy(frame + OFF, opt, len);
	m = fuzz_mbuf(pool, frame, OFF + len, whole, 0);
	for (uint8_t i = 0; i < seg->n_sack; i++) {
		EXPECT(wire_sack_block(m, seg, i, &left, &right));
		EXPECT(left == be32(frame + seg->sack_off + 8 * i));
		EXPECT(right == be32(frame + seg->sack_off + 8 * i + 4));
	}
	EXPECT(!wire_sack_block(m, seg, seg->n_sack, &left, &right));
	rte_pktmbuf_free(m);
	test_pool_destroy(pool);
}

static bool
has(const struct seg *seg, enum seg_opt opt)
{
	return (seg->opts & opt) != 0;
}

static void
compare(const struct model *m, const struct seg *seg)
{
	EXPECT(has(seg, SEG_OPT_MSS) == !!(m->seen & 1u << 2));
	EXPECT(has(seg, SEG_OPT_WSCALE) == !!(m->seen & 1u << 3));
	EXPECT(has(seg, SEG_OPT_SACK_PERM) == !!(m->seen & 1u << 4));
	EXPECT(has(seg, SEG_OPT_SACK) == !!(m->seen & 1u << 5));
	EXPECT(has(seg, SEG_OPT_TS) == !!(m->seen & 1u << 8));
	EXPECT(seg->mss == m->mss);
	EXPECT(seg->wscale == m->wscale);
	EXPECT(seg->tsval == m->tsval);
	EXPECT(seg->tsecr == m->tsecr);
	EXPECT(seg->n_sack == m->n_sack);
	if (m->n_sack != 0)
		EXPECT(seg->sack_off == OFF + m->sack_at);
	EXPECT(has(seg, SEG_OPT_DUP) == m->is_dup);
	EXPECT(has(seg, SEG_OPT_MALFORMED) == m->is_malformed);
	EXPECT(has(seg, SEG_OPT_WS_CLAMP) == m->is_clamped);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model m = {0};
	struct seg seg;
	uint8_t *opt;
	uint8_t len;

	fuzz_begin();
	if (size < 1)
		return 0;
	len = (uint8_t)(size - 1 > WIRE_OPTS_MAX ? WIRE_OPTS_MAX : size - 1);
	opt = malloc(len + (size_t)!len);
	EXPECT(opt != NULL);
	memcpy(opt, data + 1, len);
	memset(&seg, 0, sizeof(seg));
	seg.flags = data[0];
	wire_parse_opts(opt, len, OFF, &seg);
	m.is_syn = data[0] & TCP_SYN;
	read_slowly(&m, opt, len);
	compare(&m, &seg);
	check_sack(opt, len, &seg);
	free(opt);
	return 0;
}
