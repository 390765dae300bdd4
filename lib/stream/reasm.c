/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Reassembly of received text (RFC 9293 section 3.10.7.4 step 7).
 *
 * A segment is first reduced to one stretch of useful octets: what lies below
 * RCV.NXT or in the ranges at its two ends is cut off, and ranges that lie wholly
 * inside it are copied over its own octets (the first copy of an octet wins,
 * DATA-7), so that one stretch is enough and no memory is needed to split an mbuf.
 * Then it is joined to the queue or to its neighbours. Ranges never touch each
 * other nor RCV.NXT. Work per segment is bounded by REASM_RANGES_MAX and by the
 * room of one buffer (SEC-14). */

#include <string.h>

#include <rte_mbuf.h>

#include "stream/reasm.h"
#include "stream/reasm_list.h"

struct range {
	uint32_t next;  /* index of the next higher range, 0 none */
	uint32_t start; /* first octet */
	uint32_t end;   /* behind the last */
	uint32_t stamp; /* reasm.stamp at its latest arrival */
	struct reasm_list list;
};
STATIC_ASSERT(sizeof(struct range) == RECPOOL_REC_SIZE);

/* Where the useful octets [start, end) of a segment go. */
struct place {
	uint32_t start;
	uint32_t end;
	uint32_t prev;    /* range below, 0 none */
	uint32_t inner;   /* first of the ranges wholly inside, 0 none ... */
	uint32_t n_inner; /* ... and how many */
	uint32_t upper;   /* range whose start is our end, 0 none */
	uint32_t keep;    /* highest range at or below all of these, 0 none: above it is spare */
	bool touches;     /* prev's end is our start */
};

static struct range *
range_at(const struct recpool *p, uint32_t index)
{
	return recpool_at(p, index);
}

/* The leftmost duplicate stretch is the one D-SACK reports (RFC 2883 section 4). */
static void
dup_note(struct reasm_out *out, uint32_t left, uint32_t right)
{
	if (out->was_dup)
		return;
	out->was_dup = true;
	out->dup_left = left;
	out->dup_right = right;
}

/* Cuts the right end at the first range that reaches to it or beyond, and counts
 * the ranges before. */
static void
place_upper(const struct recpool *p, struct place *pl, uint32_t next, struct reasm_out *out)
{
	uint32_t i = next;

	while (i) {
		const struct range *g = range_at(p, i);

		if (seq_gt(g->start, pl->end))
			return;
		if (seq_lt(g->start, pl->end))
			dup_note(out, g->start, seq_min(g->end, pl->end));
		if (seq_geq(g->end, pl->end)) {
			pl->end = g->start;
			pl->upper = i;
			pl->keep = i;
			return;
		}
		if (!pl->n_inner++)
			pl->inner = i;
		pl->keep = i;
		i = g->next;
	}
}

/* Finds the neighbours of [start, end) and cuts it to what no range holds. False
 * if nothing is left. The highest range is looked at first: text that goes on
 * arriving above a hole ends there. */
static bool
place_find(const struct reasm *r, const struct recpool *p, struct place *pl, struct reasm_out *out)
{
	uint32_t next = r->first;

	if (r->last && seq_leq(range_at(p, r->last)->start, pl->start)) {
		pl->prev = r->last;
		next = 0;
	}
	while (next && seq_leq(range_at(p, next)->start, pl->start)) {
		pl->prev = next;
		next = range_at(p, next)->next;
	}
	pl->keep = pl->prev;
	if (pl->prev) {
		struct range *g = range_at(p, pl->prev);

		pl->touches = seq_leq(pl->start, g->end);
		if (seq_lt(pl->start, g->end)) {
			dup_note(out, pl->start, seq_min(g->end, pl->end));
			pl->start = g->end;
		}
		if (seq_leq(pl->end, pl->start)) {
			g->stamp = r->stamp; /* its latest arrival (RFC 2018 section 4) */
			return false;
		}
	}
	place_upper(p, pl, next, out);
	return true;
}

/* A shared packet cannot take the ranges inside it; it ends at the first of them,
 * and the peer sends what was behind again. */
static void
place_stop_at_inner(const struct recpool *p, struct place *pl)
{
	pl->end = range_at(p, pl->inner)->start;
	pl->upper = pl->inner;
	pl->keep = pl->inner;
	pl->inner = 0;
	pl->n_inner = 0;
}

static void
range_free(struct reasm *r, struct recpool *p, uint32_t index)
{
	reasm_list_free(r, &range_at(p, index)->list);
	recpool_free(p, index);
	r->n_ranges--;
}

/* The highest ranges go, above keep only (0: any), until truesize is at most goal
 * and n_ranges at most n. Returns how many went (DATA-6, SEC-14). */
static uint32_t
ranges_shed(struct reasm *r, struct recpool *p, uint32_t keep, uint32_t goal, uint32_t n)
{
	uint32_t above[REASM_RANGES_MAX];
	uint32_t left = 0;
	uint32_t had;
	uint32_t i = keep ? range_at(p, keep)->next : r->first;

	for (; i; i = range_at(p, i)->next) {
		CHECK(left < REASM_RANGES_MAX);
		above[left++] = i;
	}
	had = left;
	while (left > 0 && (r->truesize > goal || r->n_ranges > n))
		range_free(r, p, above[--left]);
	if (left == had)
		return 0;
	r->last = left > 0 ? above[left - 1] : keep;
	if (r->last)
		range_at(p, r->last)->next = 0;
	else
		r->first = 0;
	return had - left;
}

/* Room for a segment above a hole, made by giving up ranges above it. Returns
 * REASM_QUEUED if there is room. */
static int
room_make(struct reasm *r, struct recpool *p, const struct reasm_in *in, const struct place *pl,
		struct reasm_out *out)
{
	uint32_t len = pl->end - pl->start;
	uint32_t cost = reasm_packet_truesize(in->m);
	uint32_t goal;

	if (pl->touches && reasm_list_fits_behind(&range_at(p, pl->prev)->list, len))
		cost = 0;
	else if (!pl->touches && pl->upper &&
			reasm_list_fits_before(&range_at(p, pl->upper)->list, len))
		cost = 0;
	if (cost > in->truesize_max)
		return REASM_OVER_LIMIT;
	goal = in->truesize_max - cost;
	if (cost > 0 && r->truesize > goal)
		out->dropped += ranges_shed(r, p, pl->keep, goal, REASM_RANGES_MAX);
	if (cost > 0 && r->truesize > goal)
		return REASM_OVER_LIMIT;
	if (pl->touches || pl->upper || pl->inner)
		return REASM_QUEUED;
	if (r->n_ranges == REASM_RANGES_MAX || recpool_available(p) == 0)
		out->dropped += ranges_shed(r, p, pl->keep, UINT32_MAX, r->n_ranges - 1);
	if (r->n_ranges == REASM_RANGES_MAX)
		return REASM_OVER_LIMIT;
	return recpool_available(p) > 0 ? REASM_QUEUED : REASM_NO_RECORD;
}

/* Takes a range that lies behind prev (0: the first) out of the order. */
static void
range_unlink(struct reasm *r, struct recpool *p, uint32_t prev, uint32_t index)
{
	uint32_t next = range_at(p, index)->next;

	if (prev)
		range_at(p, prev)->next = next;
	else
		r->first = next;
	if (r->last == index)
		r->last = prev;
}

/* The useful octets of the packet as one list, the ranges inside it absorbed. */
static struct reasm_list
stretch_take(struct reasm *r, struct recpool *p, const struct reasm_in *in, const struct place *pl)
{
	struct reasm_list l = reasm_packet_cut(
			r, in->m, in->off + (pl->start - in->seq), pl->end - pl->start);
	uint32_t i = pl->inner;
	uint32_t n;

	for (n = 0; n < pl->n_inner; n++) {
		struct range *g = range_at(p, i);
		uint32_t next = g->next;

		reasm_list_overwrite(&l, g->start - pl->start, &g->list);
		range_unlink(r, p, pl->prev, i);
		range_free(r, p, i);
		i = next;
	}
	return l;
}

/* A new range behind prev. Caller: room_make found a record. */
static struct range *
range_new(struct reasm *r, struct recpool *p, const struct place *pl)
{
	uint32_t index = recpool_alloc(p);
	struct range *g;

	CHECK(index != 0);
	g = range_at(p, index);
	*g = (struct range){
			.next = pl->prev ? range_at(p, pl->prev)->next : r->first,
			.start = pl->start,
			.end = pl->end,
	};
	if (pl->prev)
		range_at(p, pl->prev)->next = index;
	else
		r->first = index;
	if (r->last == pl->prev)
		r->last = index;
	r->n_ranges++;
	return g;
}

/* Stores a stretch above a hole. */
static void
stretch_store(struct reasm *r, struct recpool *p, const struct place *pl, struct reasm_list *l)
{
	struct range *upper = pl->upper ? range_at(p, pl->upper) : NULL;
	struct range *g;

	if (pl->touches) {
		g = range_at(p, pl->prev);
		reasm_list_join(r, &g->list, l);
		g->end = pl->end;
	} else if (upper) {
		g = upper;
		reasm_list_prepend(r, &g->list, l);
		g->start = pl->start;
	} else {
		g = range_new(r, p, pl);
		g->list = *l;
	}
	if (pl->touches && upper) {
		reasm_list_join(r, &g->list, &upper->list);
		g->end = upper->end;
		range_unlink(r, p, pl->prev, pl->upper);
		upper->list = (struct reasm_list){0};
		range_free(r, p, pl->upper);
	}
	g->stamp = r->stamp;
}

/* Delivers a stretch that begins at RCV.NXT, and the range it reaches. Never
 * refused for memory (DATA-6): the ranges that remain give way. */
static void
stretch_deliver(struct reasm *r, struct recpool *p, const struct place *pl, struct reasm_list *l,
		struct reasm_out *out)
{
	reasm_list_join(r, &r->queue, l);
	out->rcv_nxt = pl->end;
	if (pl->upper) {
		struct range *g = range_at(p, pl->upper);

		reasm_list_join(r, &r->queue, &g->list);
		out->rcv_nxt = g->end;
		g->list = (struct reasm_list){0};
		range_unlink(r, p, 0, pl->upper);
		range_free(r, p, pl->upper);
	}
}

/* Cuts to [rcv_nxt, FIN). Returns REASM_QUEUED if something is left. */
static int
edges_cut(const struct reasm *r, const struct reasm_in *in, struct place *pl, struct reasm_out *out)
{
	pl->start = in->seq;
	pl->end = in->seq + in->len;
	if (r->has_fin) {
		if (seq_geq(pl->start, r->fin))
			return REASM_PAST_FIN;
		pl->end = seq_min(pl->end, r->fin);
	}
	if (seq_lt(pl->start, in->rcv_nxt)) {
		dup_note(out, pl->start, seq_min(pl->end, in->rcv_nxt));
		pl->start = in->rcv_nxt;
	}
	return seq_lt(pl->start, pl->end) ? REASM_QUEUED : REASM_DUPLICATE;
}

int
reasm_insert(struct reasm *r, struct recpool *p, const struct reasm_in *in, struct reasm_out *out)
{
	struct place pl = {0};
	struct reasm_list l;
	int verdict;

	ASSERT(in->len > 0);
	*out = (struct reasm_out){.rcv_nxt = in->rcv_nxt};
	verdict = edges_cut(r, in, &pl, out);
	if (verdict != REASM_QUEUED)
		return verdict;
	if (pl.start != in->rcv_nxt)
		r->stamp++;
	if (!place_find(r, p, &pl, out))
		return REASM_DUPLICATE;
	if (pl.inner && !reasm_packet_is_private(in->m))
		place_stop_at_inner(p, &pl);
	if (pl.start != in->rcv_nxt) {
		verdict = room_make(r, p, in, &pl, out);
		if (verdict != REASM_QUEUED) {
			out->dropped++;
			return verdict;
		}
		l = stretch_take(r, p, in, &pl);
		stretch_store(r, p, &pl, &l);
		out->took = true;
		return REASM_QUEUED;
	}
	out->filled_gap = r->first != 0;
	l = stretch_take(r, p, in, &pl);
	stretch_deliver(r, p, &pl, &l, out);
	r->unread += out->rcv_nxt - in->rcv_nxt;
	if (r->first && r->truesize > in->truesize_max)
		out->dropped = ranges_shed(r, p, 0, in->truesize_max, REASM_RANGES_MAX);
	out->took = true;
	return REASM_IN_ORDER;
}

void
reasm_append(struct reasm *r, struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	struct reasm_list l;

	ASSERT(reasm_is_in_order(r) && len > 0);
	r->unread += len;
	/* All that was there is read, and the packet is one mbuf: it is the queue. */
	if (is_likely(!r->queue.head && !m->next)) {
		CHECK(off + len <= m->data_len);
		m->data_off = (uint16_t)(m->data_off + off);
		m->data_len = (uint16_t)len;
		m->pkt_len = len;
		r->truesize += reasm_mbuf_truesize(m);
		r->queue = (struct reasm_list){.head = m, .tail = m};
		return;
	}
	l = reasm_packet_cut(r, m, off, len);
	reasm_list_join(r, &r->queue, &l);
}

uint16_t
reasm_recv(struct reasm *r, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t i;

	for (i = 0; i < n && r->queue.head; i++) {
		pkts[i] = reasm_list_pop(&r->queue);
		r->unread -= pkts[i]->data_len;
		r->truesize -= reasm_mbuf_truesize(pkts[i]);
	}
	return i;
}

uint32_t
reasm_read(struct reasm *r, void *buf, uint32_t len)
{
	uint32_t done = 0;

	while (done < len && r->queue.head) {
		struct rte_mbuf *m = r->queue.head;
		uint32_t n = min_u32(len - done, m->data_len);

		memcpy((uint8_t *)buf + done, rte_pktmbuf_mtod(m, void *), n);
		done += n;
		r->unread -= n;
		if (n == m->data_len) {
			m = reasm_list_pop(&r->queue);
			r->truesize -= reasm_mbuf_truesize(m);
			rte_pktmbuf_free_seg(m);
		} else {
			m->data_off = (uint16_t)(m->data_off + n);
			m->data_len = (uint16_t)(m->data_len - n);
			m->pkt_len = m->data_len;
		}
	}
	return done;
}

uint8_t
reasm_sack_blocks(const struct reasm *r, const struct recpool *p, uint32_t *pairs, uint8_t max)
{
	enum { BLOCKS_MAX = 4 }; /* that many fit into 40 octets of options */
	uint32_t best[BLOCKS_MAX];
	uint8_t n = 0;
	uint8_t k;
	uint32_t i;

	max = min_u32(max, BLOCKS_MAX);
	for (i = r->first; i && max > 0; i = range_at(p, i)->next) {
		uint32_t age = r->stamp - range_at(p, i)->stamp;

		if (n == max && age >= r->stamp - range_at(p, best[n - 1])->stamp)
			continue;
		k = n < max ? n++ : n - 1;
		for (; k > 0 && age < r->stamp - range_at(p, best[k - 1])->stamp; k--)
			best[k] = best[k - 1];
		best[k] = i;
	}
	for (k = 0; k < n; k++) {
		pairs[2 * k] = range_at(p, best[k])->start;
		pairs[2 * k + 1] = range_at(p, best[k])->end;
	}
	return n;
}

/* Keeps the first len octets of the range, 0 < len < its length. */
static void
range_shorten(struct reasm *r, struct range *g, uint32_t len)
{
	struct reasm_list kept = {0};

	g->end = g->start + len;
	while (len > 0) {
		struct rte_mbuf *m = reasm_list_pop(&g->list);

		m->data_len = min_u32(m->data_len, len);
		m->pkt_len = m->data_len;
		len -= m->data_len;
		reasm_list_push(&kept, m);
	}
	reasm_list_free(r, &g->list);
	g->list = kept;
}

bool
reasm_set_fin(struct reasm *r, struct recpool *p, uint32_t seq)
{
	uint32_t keep = 0;
	uint32_t i;

	if (r->has_fin)
		return r->fin == seq;
	r->has_fin = 1;
	r->fin = seq;
	for (i = r->first; i && seq_lt(range_at(p, i)->start, seq); i = range_at(p, i)->next)
		keep = i;
	ranges_shed(r, p, keep, 0, 0);
	if (keep && seq_gt(range_at(p, keep)->end, seq))
		range_shorten(r, range_at(p, keep), seq - range_at(p, keep)->start);
	return true;
}

uint32_t
reasm_drop_ooo(struct reasm *r, struct recpool *p)
{
	uint32_t bytes = 0;
	uint32_t i;

	for (i = r->first; i; i = range_at(p, i)->next)
		bytes += range_at(p, i)->end - range_at(p, i)->start;
	ranges_shed(r, p, 0, 0, 0);
	return bytes;
}

void
reasm_fini(struct reasm *r, struct recpool *p)
{
	reasm_drop_ooo(r, p);
	reasm_list_free(r, &r->queue);
	CHECK(r->truesize == 0);
	reasm_init(r);
}

void
reasm_check(const struct reasm *r, const struct recpool *p, uint32_t rcv_nxt)
{
	uint32_t truesize = 0;
	uint32_t below = rcv_nxt;
	uint32_t last = 0;
	uint32_t n = 0;
	uint32_t i;

	CHECK(reasm_list_check(&r->queue, &truesize) == r->unread);
	for (i = r->first; i; i = range_at(p, i)->next) {
		const struct range *g = range_at(p, i);

		CHECK(seq_gt(g->start, below));
		CHECK(seq_gt(g->end, g->start));
		CHECK(reasm_list_check(&g->list, &truesize) == g->end - g->start);
		below = g->end;
		last = i;
		n++;
	}
	CHECK(last == r->last);
	CHECK(n == r->n_ranges);
	CHECK(n <= REASM_RANGES_MAX);
	CHECK(truesize == r->truesize);
	CHECK(!r->has_fin || seq_leq(below, r->fin));
}
