/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See tamper.h. */

#include "sim/tamper.h"

#include <string.h>

#include <rte_byteorder.h>

#include "support/build.h"

static bool
is_match(const struct tamper_rule *r, int from, const struct pkt *p)
{
	if (r->action == TAMPER_PASS || r->from != from || (p->flags & r->mask) != r->flags)
		return false;
	if (r->text == TAMPER_WITH_TEXT)
		return p->len > 0;
	return r->text == TAMPER_ANY || p->len == 0;
}

const struct tamper_rule *
tamper_judge(struct tamper_rule *rules, size_t n, int from, const struct pkt *p)
{
	for (size_t i = 0; i < n; i++) {
		struct tamper_rule *r = &rules[i];
		uint32_t count = r->count == 0 ? 1 : r->count;

		if (!is_match(r, from, p))
			continue;
		r->seen++;
		if (r->seen > r->skip && r->seen - r->skip <= count)
			return r;
	}
	return NULL;
}

/* RFC 1624: the complement of the sum, less the old number, plus the new one. */
void
tamper_ack(uint8_t *frame, uint32_t delta)
{
	enum { ETHER = 14, IP6_HEADER = 40, ACK_AT = 8, CKSUM_AT = 16 };
	const uint8_t *ip = frame + ETHER;
	uint8_t *tcp = frame + ETHER + (ip[0] >> 4 == 6 ? IP6_HEADER : (ip[0] & 15) * 4);
	uint8_t words[10];
	uint16_t cksum;
	uint32_t ack;

	for (int i = 0; i < 4; i++)
		words[i] = (uint8_t)~tcp[ACK_AT + i];
	memcpy(&ack, tcp + ACK_AT, sizeof(ack));
	ack = rte_cpu_to_be_32(rte_be_to_cpu_32(ack) + delta);
	memcpy(tcp + ACK_AT, &ack, sizeof(ack));
	memcpy(words + 4, &ack, sizeof(ack));
	words[8] = (uint8_t)~tcp[CKSUM_AT];
	words[9] = (uint8_t)~tcp[CKSUM_AT + 1];
	cksum = build_cksum(build_sum(0, words, sizeof(words)));
	tcp[CKSUM_AT] = (uint8_t)(cksum >> 8);
	tcp[CKSUM_AT + 1] = (uint8_t)cksum;
}

size_t
tamper_fin(const struct pkt *p, uint32_t delta, uint8_t *out, size_t cap)
{
	struct build b = {.version = p->version,
			.saddr = p->saddr,
			.daddr = p->daddr,
			.sport = p->sport,
			.dport = p->dport,
			.ack = p->ack,
			.flags = PKT_FIN | PKT_ACK,
			.wnd = p->wnd,
			.opts = p->opts & PKT_OPT_TS,
			.tsval = p->tsval,
			.tsecr = p->tsecr};

	memcpy(b.dmac, p->dmac, sizeof(b.dmac));
	memcpy(b.smac, p->smac, sizeof(b.smac));
	memcpy(b.saddr6, p->saddr6, sizeof(b.saddr6));
	memcpy(b.daddr6, p->daddr6, sizeof(b.daddr6));
	b.seq = p->seq + p->len + !!(p->flags & PKT_SYN) + !!(p->flags & PKT_FIN) + delta;
	return build_tcp_bytes(&b, out, cap);
}
