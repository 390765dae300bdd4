/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Frames in, frames out: one burst is parsed whole, hashed whole and looked up
 * whole, then its segments run in order (design: the packet path). */

#include "stack/stack.h"

#include <string.h>

#include "wire/wire_cksum.h"
#include "wire/wire_usual.h"
#include "wire/wire_vlan.h"

/* Parser's reasons to counters, one to one. */
static const uint16_t drop_counter[WIRE_DROP_MAX] = {
		[WIRE_DROP_ETH_BAD] = PMTCP_C_drop_eth_bad,
		[WIRE_DROP_ETH_GROUP_SRC] = PMTCP_C_drop_eth_group_src,
		[WIRE_DROP_VLAN_BAD] = PMTCP_C_drop_vlan_bad,
		[WIRE_DROP_OVERSIZE] = PMTCP_C_drop_oversize,
		[WIRE_DROP_ARP_BAD] = PMTCP_C_drop_arp_bad,
		[WIRE_DROP_IP_TRUNC] = PMTCP_C_drop_ip_trunc,
		[WIRE_DROP_IP_HEADER] = PMTCP_C_drop_ip_header,
		[WIRE_DROP_IP_CKSUM] = PMTCP_C_drop_ip_cksum,
		[WIRE_DROP_IP_OPT] = PMTCP_C_drop_ip_opt,
		[WIRE_DROP_IP_FRAG] = PMTCP_C_drop_ip_frag,
		[WIRE_DROP_IP_PROTO] = PMTCP_C_drop_ip_proto,
		[WIRE_DROP_IP6_OFF] = PMTCP_C_drop_ip6_off,
		[WIRE_DROP_IP6_EXT] = PMTCP_C_drop_ip6_ext,
		[WIRE_DROP_IP6_EXT_LIMIT] = PMTCP_C_drop_ip6_ext_limit,
		[WIRE_DROP_ICMP_BAD] = PMTCP_C_drop_icmp_bad,
		[WIRE_DROP_TCP_HEADER] = PMTCP_C_drop_tcp_header,
		[WIRE_DROP_TCP_CKSUM] = PMTCP_C_drop_tcp_cksum,
		[WIRE_DROP_TCP_PORT0] = PMTCP_C_drop_tcp_port0,
		[WIRE_DROP_OPT_BAD] = PMTCP_C_drop_opt_bad,
};

/* Segments of a burst, ready for the lookup. */
struct batch {
	uint16_t n;
	struct siphash_begun hashing;
	struct seg seg[STACK_BURST];
	uint64_t hash[STACK_BURST];
	uint32_t index[STACK_BURST];
};

/* What the parser says of a frame. */
struct judged {
	enum wire_kind kind;
	uint16_t reason; /* enum wire_drop */
};

/* W-2. Caller: the frame has a whole Ethernet header, if perhaps in pieces. */
static PMTCP_ALWAYS_INLINE bool
is_to_us(const struct pmtcp_ctx *s, const struct rte_mbuf *m)
{
	const uint8_t *mac = s->t.conf.mac.addr_bytes;
	uint8_t copy[RTE_ETHER_ADDR_LEN];
	const uint8_t *dst = rte_pktmbuf_read(m, 0, sizeof(copy), copy);

	return ((wire_load32(dst) ^ wire_load32(mac)) |
			       (uint32_t)(wire_load16(dst + 4) ^ wire_load16(mac + 4))) == 0;
}

/* W-2: ARP comes to all or to us; others' is seen only by a promiscuous device. */
static void
arp_frame(struct pmtcp_ctx *s, const struct rte_mbuf *m)
{
	struct rte_ether_hdr copy;
	const struct rte_ether_hdr *eth = rte_pktmbuf_read(m, 0, sizeof(copy), &copy);

	if (eth && (rte_is_broadcast_ether_addr(&eth->dst_addr) ||
				   rte_is_same_ether_addr(&eth->dst_addr, &s->t.conf.mac)))
		neigh_arp_input(s, m);
	else
		tcp_drop(&s->t, PMTCP_C_drop_eth_notme);
}

/* As stack_is_local(), in place: nearly every context has one range. */
static PMTCP_ALWAYS_INLINE bool
is_own(const struct pmtcp_ctx *s, uint32_t addr)
{
	const struct pmtcp_range *r = s->t.conf.ranges;
	uint32_t ip = rte_be_to_cpu_32(addr);

	if (is_likely(s->t.conf.n_ranges == 1))
		return ip - r->first <= r->last - r->first;
	return stack_is_local(s, addr);
}

/* Who we are and who can be a peer (W-13 to W-15). The frame's fate, or PMTCP_C_seg_taken if
 * it goes on. A segment that has a block needs no such look: neither calls nor SYNs get one
 * for addresses that do not pass here. */
static PMTCP_ALWAYS_INLINE enum pmtcp_counter
judge_addresses(const struct pmtcp_ctx *s, const struct seg *seg)
{
	if (is_unlikely(!is_own(s, seg->key.laddr)))
		return PMTCP_C_drop_ip_notme;
	if (is_unlikely(!stack_is_remote_ok(s, seg->key.raddr)))
		return PMTCP_C_drop_martian;
	if (is_unlikely(is_own(s, seg->key.raddr)))
		return PMTCP_C_drop_land;
	return PMTCP_C_seg_taken;
}

static PMTCP_NOINLINE enum pmtcp_counter
judge_icmp(const struct pmtcp_ctx *s, const struct seg *seg)
{
	return is_to_us(s, seg->m) ? judge_addresses(s, seg) : PMTCP_C_drop_eth_notme;
}

/* W-28, W-30, W-32: what was odd about the options, whatever becomes of the segment. */
static PMTCP_COLD void
count_options(struct tcp *t, const struct seg *seg)
{
	t->counter[PMTCP_C_opt_dup] += (seg->opts & SEG_OPT_DUP) != 0;
	t->counter[PMTCP_C_opt_malformed] += (seg->opts & SEG_OPT_MALFORMED) != 0;
	t->counter[PMTCP_C_wscale_clamped] += (seg->opts & SEG_OPT_WS_CLAMP) != 0;
}

static uint16_t
owner_of(const struct pmtcp_ctx *s, const struct seg *seg)
{
	struct flow_addr6 addr;

	if (!seg->is_v6)
		return flow_owner(&s->owner, &seg->key);
	flow_addr6_of(tcp_seg_ip6(seg), &addr);
	return stack_owner6(s, &seg->key, &addr);
}

/* With several workers another's tuple goes to its owner, unless it is not for this host at all.
 * True: the segment is not ours, and its fate is counted. */
static PMTCP_NOINLINE bool
is_astray(struct pmtcp_ctx *s, struct seg *seg)
{
	uint16_t owner = owner_of(s, seg);
	enum pmtcp_counter fate;

	if (owner == s->t.conf.owner)
		return false;
	fate = seg->is_v6 ? PMTCP_C_seg_taken : judge_addresses(s, seg);
	if (fate != PMTCP_C_seg_taken) {
		tcp_drop(&s->t, fate);
		return true;
	}
	stack_set_astray(s, seg, owner);
	return true;
}

/* Is it to join the batch? If not, its fate is counted. */
static PMTCP_ALWAYS_INLINE bool
tcp_frame(struct pmtcp_ctx *s, struct seg *seg)
{
	enum pmtcp_counter fate = PMTCP_C_drop_eth_notme;

	if (is_unlikely(seg->is_v6))
		fate = stack_judge6(s, seg);
	else if (is_likely(is_to_us(s, seg->m)))
		fate = PMTCP_C_seg_taken;
	if (is_unlikely(fate != PMTCP_C_seg_taken)) {
		tcp_drop(&s->t, fate);
		return false;
	}
	return is_likely(!s->is_unsure) || !is_astray(s, seg);
}

static PMTCP_ALWAYS_INLINE void
batch_add(const struct tcp *t, struct batch *b, struct seg *seg, uint32_t at)
{
	uint64_t hash = flow_key_hash_of(&b->hashing, &seg->key);

	flow_table_prefetch(&t->table, hash);
	seg->hash_lo = (uint32_t)hash;
	seg->hash_hi = (uint32_t)(hash >> 32);
	b->hash[at] = hash;
}

/* The lookup pass of the burst gave a hint. A block that died, changed its kind or was recycled
 * since then, or has the tag alone, is told by kind and key. That there was none is believed while
 * no segment before this one can have made it: only its own tuple's opens one, and *missed has a
 * bit of the hash of each that found none. */
static PMTCP_ALWAYS_INLINE struct block_head *
find_block(const struct tcp *t, const struct seg *seg, uint64_t *missed)
{
	uint32_t index = seg->index;

	if (is_likely(index != 0)) {
		struct block_head *b = tcp_block(t, index);

		if (is_likely(block_is_in_table(b) && flow_key_equal(&b->key, &seg->key)))
			return b;
	} else {
		uint64_t before = *missed;

		*missed |= 1ULL << (seg->hash_lo & 63);
		if (is_likely(*missed != before))
			return NULL;
	}
	index = flow_table_lookup(&t->table, seg_hash(seg), &seg->key);
	return index ? tcp_block(t, index) : NULL;
}

static PMTCP_ALWAYS_INLINE void
segment_input(struct pmtcp_ctx *s, struct block_head *b, struct seg *seg)
{
	if (is_unlikely(!b) && !seg->is_v6) {
		enum pmtcp_counter fate = judge_addresses(s, seg);

		if (is_unlikely(fate != PMTCP_C_seg_taken)) {
			tcp_drop(&s->t, fate);
			return;
		}
	}
	if (is_unlikely(seg->opts & (SEG_OPT_DUP | SEG_OPT_MALFORMED | SEG_OPT_WS_CLAMP)))
		count_options(&s->t, seg);
	s->t.seg = seg;
	tcp_input(&s->t, b, seg);
}

/* Segments, from the one at hand to the one whose block is fetched. */
#define FETCH_AHEAD 6

/* The segments gathered so far, looked up whole, run in order. */
static void
batch_input(struct pmtcp_ctx *s, struct batch *b)
{
	const struct seg *end = b->seg + b->n;
	const uint32_t *index = b->index;
	uint64_t missed = 0;

	flow_table_hint_bulk(&s->t.table, b->hash, b->index, b->n);
	for (struct seg *seg = b->seg; seg < end; seg++) {
		/* Looking it up has fetched the first line of its block, but not the second. */
		if (is_likely(seg + FETCH_AHEAD < end))
			__builtin_prefetch((const uint8_t *)tcp_block(&s->t, index[FETCH_AHEAD]) +
							   PMTCP_CACHE_LINE,
					1);
		seg->index = *index++;
		segment_input(s, find_block(&s->t, seg, &missed), seg);
		if (seg->m)
			tcp_spare_put(&s->t, seg->m);
	}
	s->t.seg = NULL;
	b->n = 0;
}

/* An error may concern what the segments before it acknowledge (SEC-8): they go first. */
static void
icmp_frame(struct pmtcp_ctx *s, const struct seg *parsed, struct batch *b, struct rte_mbuf **m)
{
	struct seg seg = *parsed;
	enum pmtcp_counter fate;

	batch_input(s, b);
	if (seg.is_v6) {
		stack_icmp6_frame(s, &seg);
		*m = seg.m;
		return;
	}
	fate = judge_icmp(s, &seg);
	if (fate == PMTCP_C_seg_taken)
		icmp_input(s, &seg);
	else
		tcp_drop(&s->t, fate);
	*m = seg.m;
}

/* W-35: the peer's offloads are on. Said once a second at most. */
static void
note_oversize(struct pmtcp_ctx *s, const struct rte_mbuf *m)
{
	if (stack_diag_is_due(s, &s->oversize_ms))
		stack_diag(s, PMTCP_DIAG_OVERSIZE, m->pkt_len);
}

/* W-3: our VID or a priority tag; where we have no VID, also none. The tag is off
 * before anybody else looks at the frame. */
static PMTCP_NOINLINE enum wire_kind
parse_tagged(struct pmtcp_ctx *s, struct rte_mbuf *m, struct seg *seg, uint16_t *reason)
{
	uint16_t vlan = s->t.conf.vlan;
	int vid = wire_vlan_take(m, s->t.conf.caps.rx_vlan_strip);

	if (vid == 0 || vid == (vlan ? vlan : WIRE_VLAN_NONE))
		return wire_parse(m, &s->untagged_conf, seg, reason);
	*reason = WIRE_DROP_VLAN_BAD;
	return WIRE_DROP;
}

/* A frame that joins no batch comes to its end. */
static PMTCP_NOINLINE void
other_input(struct pmtcp_ctx *s, struct rte_mbuf *m, struct batch *b, struct judged frame)
{
	struct seg *seg = &b->seg[b->n];

	switch (frame.kind) {
	case WIRE_TCP:
		m = seg->m;
		break;
	case WIRE_ICMP:
	case WIRE_ICMP6:
		seg->m = m;
		icmp_frame(s, seg, b, &m);
		break;
	case WIRE_IP6_PROBLEM:
		seg->m = m;
		stack_problem6_frame(s, seg, drop_counter[frame.reason]);
		m = seg->m;
		break;
	case WIRE_ARP:
		arp_frame(s, m);
		break;
	default:
		tcp_drop(&s->t, drop_counter[frame.reason]);
		if (frame.reason == WIRE_DROP_OVERSIZE)
			note_oversize(s, m);
		break;
	}
	if (m)
		tcp_spare_put(&s->t, m);
}

/* One frame that was not taken as it is: to its end, or into the batch after all. */
static PMTCP_NOINLINE bool
odd_input(struct pmtcp_ctx *s, struct rte_mbuf *m, struct batch *b, enum usual usual)
{
	struct seg *seg = &b->seg[b->n];
	struct judged frame = {.kind = WIRE_TCP, .reason = 0};

	if (usual == USUAL_TAKEN) {
		if (is_likely(!is_astray(s, seg)))
			return true;
	} else {
		frame.kind = usual == USUAL_TEXT
					     ? wire_parse_text(m, &s->rx_conf, seg, &frame.reason)
					     : wire_parse_plain(m, &s->rx_conf, seg, &frame.reason);
		if (is_unlikely(frame.kind == WIRE_DROP) &&
				(s->is_tagged || frame.reason == WIRE_DROP_VLAN_BAD))
			frame.kind = parse_tagged(s, m, seg, &frame.reason);
		if (is_likely(frame.kind == WIRE_TCP && tcp_frame(s, seg)))
			return true;
	}
	other_input(s, m, b, frame);
	return false;
}

static PMTCP_ALWAYS_INLINE void
frames_input(struct pmtcp_ctx *s, struct rte_mbuf **pkts, uint16_t n, struct batch *b)
{
	const struct usual_rx rx = usual_begin(&s->rx_conf, &s->t.conf.mac);
	struct rte_mbuf **end = pkts + n;
	uint32_t at = b->n;

	for (; pkts < end; pkts++) {
		struct seg *seg = &b->seg[at];
		enum usual usual = usual_take(*pkts, &rx, seg);

		if (is_unlikely(usual != USUAL_TAKEN || s->is_unsure)) {
			b->n = (uint16_t)at;
			if (!odd_input(s, *pkts, b, usual)) {
				at = b->n; /* an error has run the batch */
				continue;
			}
		}
		batch_add(&s->t, b, seg, at++);
	}
	b->n = (uint16_t)at;
}

/* Apart: nobody adds up their sums, which the short way cannot leave out. No glance has told of
 * them; they are ours only if their sender knows the same owners. */
static PMTCP_NOINLINE void
handed_input(struct pmtcp_ctx *s, struct rte_mbuf **pkts, uint16_t n, struct batch *b)
{
	bool is_unsure = s->is_unsure;

	s->is_unsure = s->t.conf.owners > 1;
	stack_trust_handed(s, true);
	for (uint16_t i = 0; i < n; i++) {
		uint16_t at = b->n;

		if (is_likely(odd_input(s, pkts[i], b, USUAL_NOT))) {
			batch_add(&s->t, b, &b->seg[at], at);
			b->n = (uint16_t)(at + 1);
		}
	}
	stack_trust_handed(s, false);
	s->is_unsure = is_unsure;
}

/* Frames of other workers, then those of the device. */
static void
burst_input(struct pmtcp_ctx *s, struct rte_mbuf **pkts, uint16_t handed, uint16_t n)
{
	bool is_one_of_many = s->is_unsure;
	struct batch b;

	b.n = 0;
	b.hashing = siphash_begin(&s->t.flow_secret);
	/* What goes on to others is fetched no further than the glance reaches. */
	if (is_unlikely(s->n_glances))
		n = (uint16_t)(handed + stack_sort_out(s, pkts + handed, n - handed));
	/* Headers end in their second line, wherever they begin; both are another core's, so
	 * that a few packets' work ahead would not do. */
	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *p = rte_pktmbuf_mtod(pkts[i], const uint8_t *);

		__builtin_prefetch(p);
		__builtin_prefetch(p + PMTCP_CACHE_LINE - 1);
	}
	if (is_unlikely(handed > 0))
		handed_input(s, pkts, handed, &b);
	frames_input(s, pkts + handed, n - handed, &b);
	s->is_unsure = is_one_of_many;
	batch_input(s, &b);
}

void
stack_input(struct pmtcp_ctx *s, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t handed,
		uint16_t n)
{
	tcp_set_now(&s->t, now_ns);
	s->t.counter[PMTCP_C_rx_frames] += n;
	if (is_unlikely(s->n_misdirected))
		stack_misdirected_fini(s);
	for (uint32_t done = 0; done < n; done += STACK_BURST) {
		uint32_t left = min_u32(n - done, STACK_BURST);

		burst_input(s, pkts + done,
				(uint16_t)min_u32(handed > done ? handed - done : 0, left),
				(uint16_t)left);
	}
}

void
pmtcp_input(struct pmtcp_ctx *s, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t n)
{
	stack_input(s, now_ns, pkts, 0, n);
}
