/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Extension headers of IPv6. Nothing here is wanted: all that counts is to find the
 * upper layer safely, and to refuse what RFC 8200 asks to refuse. */

#include "wire/wire_ext.h"

#include "base/base.h"
#include "wire/wire_cksum.h"
#include "wire/wire_parse.h"

enum {
	BASE_LEN = 40,
	UNIT = 8, /* of the length field, and the least header */
	HEADER_MAX = 256 * UNIT,
	OPT_PAD1 = 0,
	OPT_PADN = 1,
	OPT_ACTION = 0xc0, /* RFC 8200 4.2: the highest bits of an unknown type */
	OPT_ACTION_SKIP = 0x00,
	OPT_ACTION_DROP = 0x40,
	FRAGMENT_MORE_OR_OFFSET = 0xfff9,
	INFORMATIONAL = 128, /* ICMPv6 types below are errors */
};

static enum wire_ext_verdict
refuse(struct wire_ext *e, enum wire_drop reason)
{
	e->reason = (uint16_t)reason;
	return WIRE_EXT_DROP;
}

/* Of those that are passed by. */
static bool
is_extension(uint8_t next, bool is_first)
{
	/* RFC 8200 4.1: hop-by-hop options stand first or are unknown. */
	if (next == WIRE_NEXT_HOP_BY_HOP)
		return is_first;
	return next == WIRE_NEXT_ROUTING || next == WIRE_NEXT_FRAGMENT ||
	       next == WIRE_NEXT_DEST_OPTS;
}

/* Octets of the header at e->at, 0 if it does not fit the datagram. */
static uint32_t
header_len(const struct wire_ext *e)
{
	uint8_t copy[2];
	const uint8_t *h;
	uint32_t len;

	if (e->end - e->at < UNIT)
		return 0;
	h = rte_pktmbuf_read(e->m, e->at, sizeof(copy), copy);
	if (h == NULL)
		return 0;
	/* The length octet of a Fragment header is reserved. */
	len = e->next == WIRE_NEXT_FRAGMENT ? UNIT : (h[1] + 1u) * UNIT;
	return len <= e->end - e->at ? len : 0;
}

/* RFC 4443 2.4 e.1, W-23: an error is not answered by an error. Where the chain cannot be
 * followed to its end, it may carry one. */
static bool
may_carry_error(struct wire_ext e)
{
	for (uint32_t n = 0; n <= WIRE_EXT_MAX; n++) {
		uint8_t copy;
		const uint8_t *h;
		uint32_t len;

		if (e.next != WIRE_NEXT_ICMP6 && !is_extension(e.next, true))
			return false;
		len = e.next == WIRE_NEXT_ICMP6 ? UNIT : header_len(&e);
		if (len == 0 || e.end - e.at < len)
			return true;
		h = rte_pktmbuf_read(e.m, e.at, 1, &copy);
		if (h == NULL || e.next == WIRE_NEXT_ICMP6)
			return h == NULL || *h < INFORMATIONAL;
		e.next = *h;
		e.at += len;
	}
	return true;
}

static enum wire_ext_verdict
complain(struct wire_ext *e, uint8_t problem, uint32_t at)
{
	e->reason = problem == WIRE_PROBLEM_OPTION ? WIRE_DROP_IP6_EXT : WIRE_DROP_IP_PROTO;
	if (may_carry_error(*e))
		return WIRE_EXT_DROP;
	e->problem = problem;
	e->at = at;
	return WIRE_EXT_PROBLEM;
}

/* Octets of the option at p, 0 if it does not fit those that are left. */
static uint32_t
option_len(const uint8_t *p, uint32_t left)
{
	if (p[0] == OPT_PAD1)
		return 1;
	return left < 2 || p[1] > left - 2 ? 0 : 2u + p[1];
}

/* W-17: type and length within the header; Pad1 has no length. Unknown ones go by
 * their highest bits. RFC 8504 5.3, SEC-14: so many and no more, in silence. */
static enum wire_ext_verdict
walk_options(struct wire_ext *e, const uint8_t *h, uint32_t len)
{
	uint8_t *n_opts = &e->n_opts[e->next == WIRE_NEXT_HOP_BY_HOP];
	uint32_t opt_len, padding = 0;

	for (uint32_t i = 2; i < len; i += opt_len) {
		bool is_padding = h[i] == OPT_PAD1 || h[i] == OPT_PADN;
		uint8_t action = h[i] & OPT_ACTION;

		opt_len = option_len(h + i, len - i);
		if (opt_len == 0)
			return refuse(e, WIRE_DROP_IP6_EXT);
		padding = is_padding ? padding + opt_len : 0;
		*n_opts += !is_padding;
		if (padding > WIRE_EXT_PAD_MAX || *n_opts > WIRE_EXT_OPTS_MAX)
			return refuse(e, WIRE_DROP_IP6_EXT_LIMIT);
		if (action == OPT_ACTION_DROP)
			return refuse(e, WIRE_DROP_IP6_EXT);
		if (action != OPT_ACTION_SKIP)
			return complain(e, WIRE_PROBLEM_OPTION, e->at + i);
	}
	return WIRE_EXT_DONE;
}

/* Type 0 is dead (RFC 5095); of the others one that has arrived is nothing to us. */
static enum wire_ext_verdict
judge_routing(struct wire_ext *e, const uint8_t *h)
{
	if (h[2] == 0 || h[3] != 0)
		return refuse(e, WIRE_DROP_IP6_EXT);
	return WIRE_EXT_DONE;
}

/* W-18 (RFC 6946): alone it is the whole datagram. */
static enum wire_ext_verdict
judge_fragment(struct wire_ext *e, const uint8_t *h)
{
	if (wire_load16(h + 2) & RTE_BE16(FRAGMENT_MORE_OR_OFFSET))
		return refuse(e, WIRE_DROP_IP_FRAG);
	e->is_frag = true;
	return WIRE_EXT_DONE;
}

/* One header, which lies in one piece at h. */
static enum wire_ext_verdict
judge(struct wire_ext *e, const uint8_t *h, uint32_t len)
{
	switch (e->next) {
	case WIRE_NEXT_ROUTING:
		return judge_routing(e, h);
	case WIRE_NEXT_FRAGMENT:
		return judge_fragment(e, h);
	default:
		return walk_options(e, h, len);
	}
}

enum wire_ext_verdict
wire_ext_walk(struct wire_ext *e)
{
	uint32_t named_at = e->at - BASE_LEN + 6;
	uint8_t copy[HEADER_MAX];

	for (uint32_t n = 0; n <= WIRE_EXT_MAX; n++) {
		enum wire_ext_verdict verdict;
		const uint8_t *h;
		uint32_t len;

		if (e->next == WIRE_NEXT_TCP || e->next == WIRE_NEXT_ICMP6)
			return WIRE_EXT_DONE;
		if (e->next == WIRE_NEXT_NONE)
			return refuse(e, WIRE_DROP_IP_PROTO);
		if (!is_extension(e->next, n == 0))
			return complain(e, WIRE_PROBLEM_NEXT_HEADER, named_at);
		if (n == WIRE_EXT_MAX)
			break;
		len = header_len(e);
		if (len == 0)
			return refuse(e, WIRE_DROP_IP_TRUNC);
		h = rte_pktmbuf_read(e->m, e->at, len, copy);
		if (h == NULL)
			return refuse(e, WIRE_DROP_IP_TRUNC);
		verdict = judge(e, h, len);
		if (verdict != WIRE_EXT_DONE)
			return verdict;
		named_at = e->at;
		e->next = h[0];
		e->at += len;
	}
	return refuse(e, WIRE_DROP_IP6_EXT_LIMIT);
}
