/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See wire.h. The frames under way are a binary heap by arrival and serial, so
 * that equal times keep the order of sending. */

#include "sim/wire.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/check.h"
#include "support/build.h"
#include "support/ctx_mem.h"

void
wire_init(struct wire *w, int from, const struct wire_faults *faults, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->from = from;
	w->faults = *faults;
	rng_seed(&w->rng, seed);
}

void
wire_fini(struct wire *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		free(w->heap[i]);
	free(w->heap);
	w->heap = NULL;
	w->n = w->room = 0;
}

static bool
is_before(const struct wire_frame *a, const struct wire_frame *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->serial < b->serial;
}

static void
heap_push(struct wire *w, struct wire_frame *f)
{
	uint32_t i = w->n++;

	CHECK(w->n <= WIRE_FRAMES_MAX);
	if (w->n > w->room) {
		w->room = max_u32(64, 2 * w->room);
		w->heap = realloc(w->heap, w->room * sizeof(*w->heap));
		CHECK(w->heap != NULL);
	}
	while (i > 0 && is_before(f, w->heap[(i - 1) / 2])) {
		w->heap[i] = w->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w->heap[i] = f;
}

static struct wire_frame *
heap_pop(struct wire *w)
{
	struct wire_frame *first = w->heap[0];
	struct wire_frame *last = w->heap[--w->n];
	uint32_t i = 0;

	while (2 * i + 1 < w->n) {
		uint32_t child = 2 * i + 1;

		if (child + 1 < w->n && is_before(w->heap[child + 1], w->heap[child]))
			child++;
		if (is_before(last, w->heap[child]))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	if (w->n > 0)
		w->heap[i] = last;
	return first;
}

static bool
is_hit(struct wire *w, uint16_t probability)
{
	return probability > 0 && rng_below(&w->rng, 10000) < probability;
}

static struct wire_frame *
frame_of(struct wire *w, const void *bytes, uint32_t len)
{
	struct wire_frame *f = malloc(sizeof(*f) + len);

	CHECK(f != NULL);
	f->len = len;
	f->serial = w->serial++;
	memcpy(f->bytes, bytes, len);
	return f;
}

static void
flip_bit(struct wire *w, struct wire_frame *f, uint32_t from)
{
	uint32_t bit;

	if (f->len <= from)
		return;
	bit = (uint32_t)rng_below(&w->rng, (uint64_t)(f->len - from) * 8);
	f->bytes[from + bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* The same in IPv6: the low bits of the traffic class, and no checksum. */
static bool
mark_v6(struct wire *w, struct wire_frame *f)
{
	uint8_t *ip = f->bytes + 14;

	if (f->len < 54 || ip[0] >> 4 != 6 || (ip[1] & 0x30) == 0)
		return false;
	ip[1] |= 0x30;
	w->n_marked++;
	return true;
}

/* A router's mark: CE in the place of ECT, and the header's checksum with it. False if the
 * frame is not of an ECN-capable transport. */
static bool
mark(struct wire *w, struct wire_frame *f)
{
	uint8_t *ip = f->bytes + 14;
	uint32_t sum = 0;

	/* The traffic class begins in the middle of an octet, and there is no checksum. */
	if (f->len >= 54 && ip[0] >> 4 == 6 && (ip[1] & 0x30) != 0) {
		ip[1] |= 0x30;
		w->n_marked++;
		return true;
	}
	if (f->len < 34 || ip[0] != 0x45 || (ip[1] & 3) == 0)
		return mark_v6(w, f);
	ip[1] |= 3;
	ip[10] = ip[11] = 0;
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	w->n_marked++;
	return true;
}

/* Puts one copy under way; the faults that change or delay it are rolled here. */
static void
launch(struct wire *w, uint64_t now_ns, struct wire_frame *f, uint64_t extra_ns)
{
	const struct wire_faults *faults = &w->faults;
	uint64_t at;

	w->free_ns = max_u64(w->free_ns, now_ns) + f->len * faults->octet_ns;
	at = w->free_ns + faults->delay_ns;
	if (faults->jitter_ns > 0)
		at += rng_below(&w->rng, faults->jitter_ns);
	if (is_hit(w, faults->corrupt))
		flip_bit(w, f, 0);
	if (is_hit(w, faults->truncate))
		f->len = (uint32_t)rng_below(&w->rng, f->len + 1);
	if (extra_ns > 0) {
		at += extra_ns;
	} else if (is_hit(w, faults->reorder)) {
		at += 1 + rng_below(&w->rng, faults->reorder_ns + 1);
	} else {
		at = max_u64(at, w->last_ns);
		w->last_ns = at;
	}
	f->at_ns = at;
	heap_push(w, f);
}

/* Returns false if the frame is lost. */
static bool
is_spared_by_mask(struct wire *w, bool is_tcp)
{
	uint64_t number = w->n_tcp;
	uint64_t of_both;

	if (!is_tcp)
		return true;
	w->n_tcp++;
	of_both = w->n_both ? (*w->n_both)++ : UINT64_MAX;
	if (of_both < 64 && (w->both_mask >> of_both & 1) != 0)
		return false;
	return number >= 64 || (w->faults.loss_mask >> number & 1) == 0;
}

/* A router that cannot pass a packet on says why, and quotes its header and 8 octets. */
static void
tell(struct wire *w, uint64_t now_ns, const struct pkt *p, const struct build_icmp *icmp)
{
	enum { ETHER = 14 };
	struct build b = {.version = p->version, .saddr = TEST_NET + 254, .daddr = p->saddr};
	uint8_t frame[128];
	size_t len;

	if (w->back == NULL)
		return;
	ctx_ip6_of(b.saddr, b.saddr6);
	memcpy(b.daddr6, p->saddr6, 16);
	memcpy(b.dmac, p->smac, 6);
	memcpy(b.smac, p->dmac, 6);
	b.payload = p->bytes + ETHER;
	b.len = (p->version == 6 ? 40 : 20) + 8;
	len = build_icmp_bytes(&b, icmp, frame, sizeof(frame));
	launch(w->back, now_ns, frame_of(w->back, frame, (uint32_t)len), 0);
	w->n_told++;
}

/* In front of a link with a smaller MTU (RFC 1191 section 4, RFC 4443 3.2). */
static void
tell_too_big(struct wire *w, uint64_t now_ns, const struct pkt *p)
{
	const struct build_icmp icmp4 = {.type = 3, .code = 4, .rest = w->faults.mtu};
	const struct build_icmp icmp6 = {.type = 2, .rest = w->faults.mtu};

	tell(w, now_ns, p, p->version == 6 ? &icmp6 : &icmp4);
}

/* In front of a link that is down: host, or address, unreachable (RFC 792, RFC 4443 3.1). */
static void
tell_unreachable(struct wire *w, uint64_t now_ns, const struct pkt *p)
{
	const struct build_icmp icmp4 = {.type = 3, .code = 1};
	const struct build_icmp icmp6 = {.type = 1, .code = 3};

	tell(w, now_ns, p, p->version == 6 ? &icmp6 : &icmp4);
}

/* What a rule adds behind or before the frame. */
static void
launch_extra(struct wire *w, uint64_t now_ns, const struct tamper_rule *rule, const struct pkt *p)
{
	uint8_t fin[128];
	size_t len;

	if (rule->action == TAMPER_DUP) {
		launch(w, now_ns, frame_of(w, p->bytes, p->frame_len), rule->delay_ns);
	} else if (rule->action == TAMPER_FIN) {
		len = tamper_fin(p, rule->delta, fin, sizeof(fin));
		launch(w, now_ns, frame_of(w, fin, (uint32_t)len), rule->delay_ns);
	}
}

void
wire_put(struct wire *w, uint64_t now_ns, const void *bytes, uint32_t len)
{
	static struct pkt p;
	bool is_tcp = pkt_decode_bytes(&p, bytes, len) == 0 && p.kind == PKT_KIND_TCP;
	const struct tamper_rule *rule =
			is_tcp ? tamper_judge(w->rules, w->n_rules, w->from, &p) : NULL;
	enum tamper_action action = rule == NULL ? TAMPER_PASS : rule->action;
	struct wire_frame *f;

	if (is_tcp && w->faults.mtu != 0 && len > 14u + w->faults.mtu) {
		w->n_lost++;
		if (!w->faults.is_mtu_silent)
			tell_too_big(w, now_ns, &p);
		return;
	}
	if (is_tcp && w->faults.is_down) {
		w->n_lost++;
		tell_unreachable(w, now_ns, &p);
		return;
	}
	if (!is_spared_by_mask(w, is_tcp) || action == TAMPER_DROP || is_hit(w, w->faults.loss)) {
		w->n_lost++;
		return;
	}
	if (rule != NULL)
		launch_extra(w, now_ns, rule, &p);
	if (is_hit(w, w->faults.dup))
		launch(w, now_ns, frame_of(w, bytes, len), 0);
	f = frame_of(w, bytes, len);
	if (action == TAMPER_FLIP)
		flip_bit(w, f, 34);
	if (action == TAMPER_ACK)
		tamper_ack(f->bytes, rule->delta);
	if (is_hit(w, w->faults.mark))
		mark(w, f);
	if (action == TAMPER_MARK && !mark(w, f)) {
		w->n_lost++;
		free(f);
		return;
	}
	launch(w, now_ns, f, action == TAMPER_DELAY ? rule->delay_ns : 0);
}

uint64_t
wire_next(const struct wire *w)
{
	return w->n == 0 ? UINT64_MAX : w->heap[0]->at_ns;
}

struct wire_frame *
wire_take(struct wire *w, uint64_t now_ns)
{
	return wire_next(w) <= now_ns ? heap_pop(w) : NULL;
}
