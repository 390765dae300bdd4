/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* TCP options: two exact layouts that nearly every segment has, and the walk for
 * all others. */

#include "wire/wire_opt.h"

#include <string.h>

#include <rte_byteorder.h>

#include "base/base.h"
#include "wire/wire_cksum.h"

enum {
	OPT_LEN_MSS = 4,
	OPT_LEN_WSCALE = 3,
	OPT_LEN_SACK_PERM = 2,
	OPT_LEN_TS = 10,
	SACK_BLOCK = 8,
	LAYOUT_TS = 12,  /* NOP NOP TS */
	LAYOUT_SYN = 20, /* MSS, SACK permitted, TS, NOP, window scale: as Linux sends it */
};

static uint32_t
load_be32(const uint8_t *p)
{
	return rte_be_to_cpu_32(wire_load32(p));
}

static void
set_opt(struct seg *seg, uint8_t opt)
{
	/* W-30: the last one counts. */
	if (seg->opts & opt)
		seg->opts |= SEG_OPT_DUP;
	seg->opts |= opt;
}

static void
take_wscale(struct seg *seg, uint8_t shift)
{
	/* W-32, RFC 7323 2.3. */
	if (shift > WIRE_WSCALE_MAX) {
		shift = WIRE_WSCALE_MAX;
		seg->opts |= SEG_OPT_WS_CLAMP;
	}
	set_opt(seg, SEG_OPT_WSCALE);
	seg->wscale = shift & 0xf;
}

/* Options that only a SYN may carry (W-30, MUST-65). */
static void
take_syn_opt(const uint8_t *opt, uint8_t len, struct seg *seg)
{
	if (opt[0] == WIRE_OPT_MSS && len == OPT_LEN_MSS) {
		set_opt(seg, SEG_OPT_MSS);
		seg->mss = (uint16_t)(opt[2] << 8 | opt[3]);
	} else if (opt[0] == WIRE_OPT_WSCALE && len == OPT_LEN_WSCALE) {
		take_wscale(seg, opt[2]);
	} else if (opt[0] == WIRE_OPT_SACK_PERM && len == OPT_LEN_SACK_PERM) {
		set_opt(seg, SEG_OPT_SACK_PERM);
	}
}

/* W-29: of the wrong length it is ignored; W-33: so is what nobody knows. */
static void
take_opt(const uint8_t *opt, uint8_t len, uint16_t off, struct seg *seg)
{
	switch (opt[0]) {
	case WIRE_OPT_TS:
		if (len != OPT_LEN_TS)
			return;
		set_opt(seg, SEG_OPT_TS);
		seg->tsval = load_be32(opt + 2);
		seg->tsecr = load_be32(opt + 6);
		return;
	case WIRE_OPT_SACK:
		if (len < 2 + SACK_BLOCK || (len - 2) % SACK_BLOCK != 0)
			return;
		set_opt(seg, SEG_OPT_SACK);
		seg->n_sack = (uint8_t)((len - 2) / SACK_BLOCK);
		seg->sack_off = (uint16_t)(off + 2);
		return;
	default:
		if (seg->flags & TCP_SYN)
			take_syn_opt(opt, len, seg);
		return;
	}
}

/* W-28: always advances, never leaves the header. */
static void
walk(const uint8_t *opt, uint8_t len, uint16_t off, struct seg *seg)
{
	uint8_t at = 0;

	while (at < len) {
		uint8_t opt_len;

		if (opt[at] == WIRE_OPT_EOL)
			return;
		if (opt[at] == WIRE_OPT_NOP) {
			at++;
			continue;
		}
		opt_len = at + 1 < len ? opt[at + 1] : 0;
		if (opt_len < 2 || opt_len > len - at) {
			seg->opts |= SEG_OPT_MALFORMED;
			return;
		}
		take_opt(opt + at, opt_len, (uint16_t)(off + at), seg);
		at = (uint8_t)(at + opt_len);
	}
}

static bool
is_linux_syn(const uint8_t *opt)
{
	static const uint8_t head[2] = {WIRE_OPT_MSS, OPT_LEN_MSS};
	static const uint8_t mid[4] = {
			WIRE_OPT_SACK_PERM, OPT_LEN_SACK_PERM, WIRE_OPT_TS, OPT_LEN_TS};
	static const uint8_t tail[3] = {WIRE_OPT_NOP, WIRE_OPT_WSCALE, OPT_LEN_WSCALE};

	return memcmp(opt, head, 2) == 0 && memcmp(opt + 4, mid, 4) == 0 &&
	       memcmp(opt + 16, tail, 3) == 0;
}

void
wire_parse_opts(const uint8_t *opt, uint8_t len, uint16_t off, struct seg *seg)
{
	static const uint8_t ts_head[4] = {WIRE_OPT_NOP, WIRE_OPT_NOP, WIRE_OPT_TS, OPT_LEN_TS};

	if (is_likely(len == LAYOUT_TS && memcmp(opt, ts_head, 4) == 0)) {
		seg->opts = SEG_OPT_TS;
		seg->tsval = load_be32(opt + 4);
		seg->tsecr = load_be32(opt + 8);
	} else if (len == LAYOUT_SYN && (seg->flags & TCP_SYN) && is_linux_syn(opt)) {
		seg->opts = SEG_OPT_MSS | SEG_OPT_SACK_PERM | SEG_OPT_TS;
		seg->mss = (uint16_t)(opt[2] << 8 | opt[3]);
		seg->tsval = load_be32(opt + 8);
		seg->tsecr = load_be32(opt + 12);
		take_wscale(seg, opt[19]);
	} else if (len > 0) {
		walk(opt, len, off, seg);
	}
}

bool
wire_sack_block(const struct rte_mbuf *m, const struct seg *seg, uint8_t i, uint32_t *left,
		uint32_t *right)
{
	uint8_t copy[SACK_BLOCK];
	const uint8_t *block;

	if (i >= seg->n_sack)
		return false;
	block = rte_pktmbuf_read(m, seg->sack_off + (uint32_t)i * SACK_BLOCK, SACK_BLOCK, copy);
	if (!block)
		return false;
	*left = load_be32(block);
	*right = load_be32(block + 4);
	return true;
}
