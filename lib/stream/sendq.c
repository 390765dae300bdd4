/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The send queue (RFC 9293 section 3.10.2 SEND, section 3.8.1 retransmission).
 *
 * Three positions run through the mbuf list, in this order: una = (head,
 * head_off), the records' own (m, off), and nxt = (cut_m, cut_off). A position is
 * normal when its offset lies inside its mbuf; only "behind everything" points at
 * the end of the tail, and moves on when something is linked behind it. It decides
 * neither what to send nor when. */

#include <errno.h>
#include <string.h>

#include <rte_mbuf.h>

#include "stream/sendq.h"

/* Marks that two records must share to be joined. */
enum { SENDQ_STATE = SENDQ_SACKED | SENDQ_LOST | SENDQ_REXMT };

struct cursor {
	struct rte_mbuf *m;
	uint32_t off;
};

/* Moves by len octets. Bounded by the mbufs passed; at most len + 1 of them, since
 * none is empty. */
static struct cursor
cursor_advance(struct cursor at, uint32_t len)
{
	while (at.m->next && len >= at.m->data_len - at.off) {
		len -= at.m->data_len - at.off;
		at = (struct cursor){.m = at.m->next};
	}
	at.off += len;
	return at;
}

/* Links one mbuf that already holds its data. */
static void
tail_link(struct sendq *q, struct rte_mbuf *m)
{
	bool all_sent = q->nxt == q->end;

	if (q->tail)
		q->tail->next = m;
	else
		q->head = m;
	q->tail = m;
	if (all_sent) {
		q->cut_m = m;
		q->cut_off = 0;
	}
	q->end += m->data_len;
	q->n_mbufs++;
}

void
sendq_append(struct sendq *q, struct rte_mbuf *m)
{
	CHECK(m->pkt_len > 0);
	while (m) {
		struct rte_mbuf *next = m->next;

		m->next = NULL;
		m->nb_segs = 1;
		m->pkt_len = m->data_len;
		if (m->data_len > 0)
			tail_link(q, m);
		else
			rte_pktmbuf_free_seg(m);
		m = next;
	}
	q->is_own = 0;
}

/* Room behind the tail that may be filled: nobody else can be looking at it. */
static uint32_t
tail_room(const struct sendq *q)
{
	if (!q->is_own || rte_mbuf_refcnt_read(q->tail) != 1)
		return 0;
	return rte_pktmbuf_tailroom(q->tail);
}

static void
mbuf_fill(struct rte_mbuf *m, const void *buf, uint32_t len)
{
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, m->data_len), buf, len);
	m->data_len += len;
	m->pkt_len = m->data_len;
}

void
sendq_put(struct sendq *q, struct rte_mbuf *m)
{
	CHECK(m->data_len > 0);
	tail_link(q, m);
	q->is_own = 1;
}

uint32_t
sendq_write_into(struct sendq *q, struct rte_mbuf *m, const void *buf, uint32_t len)
{
	uint32_t n = min_u32(len, rte_pktmbuf_tailroom(m));

	CHECK(n > 0);
	mbuf_fill(m, buf, n);
	tail_link(q, m);
	q->is_own = 1;
	return n;
}

uint32_t
sendq_write(struct sendq *q, struct rte_mempool *pool, const void *buf, uint32_t len)
{
	uint32_t done = min_u32(len, tail_room(q));

	if (done > 0) {
		mbuf_fill(q->tail, buf, done);
		q->end += done;
	}
	while (done < len) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

		if (!m)
			break;
		done += sendq_write_into(q, m, (const uint8_t *)buf + done, len - done);
	}
	return done;
}

uint32_t
sendq_next(struct sendq *q, struct recpool *p, uint32_t len, uint32_t now_us)
{
	uint32_t n = min_u32(len, sendq_unsent(q));
	struct cursor cut = {.m = q->cut_m, .off = q->cut_off};
	uint32_t index;

	CHECK(len > 0);
	CHECK(len <= UINT16_MAX);
	if (n == 0)
		return 0;
	index = recpool_alloc(p);
	if (!index)
		return 0;
	*sendq_rec(p, index) = (struct sendq_rec){
			.seq = q->nxt,
			.sent_us = now_us,
			.first_us = now_us,
			.m = cut.m,
			.off = cut.off,
			.len = n,
			.segs = 1,
	};
	if (q->last)
		sendq_rec(p, q->last)->next = index;
	else
		q->first = index;
	q->before = q->last;
	q->last = index;
	q->can_undo = 1;
	q->n_recs++;
	q->nxt += n;
	cut = cursor_advance(cut, n);
	q->cut_m = cut.m;
	q->cut_off = cut.off;
	return index;
}

void
sendq_undo_last(struct sendq *q, struct recpool *p)
{
	struct sendq_rec *r;

	CHECK(q->can_undo);
	r = sendq_rec(p, q->last);
	q->cut_m = r->m;
	q->cut_off = r->off;
	q->nxt = r->seq;
	recpool_free(p, q->last);
	q->last = q->before;
	q->n_recs--;
	q->can_undo = 0;
	if (q->last)
		sendq_rec(p, q->last)->next = 0;
	else
		q->first = 0;
}

void
sendq_copy(const struct sendq *q, const struct sendq_rec *r, void *dst)
{
	const struct rte_mbuf *m = r->m;
	uint32_t off = r->off;
	uint32_t left = r->len;
	uint8_t *to = dst;

	ASSERT(seq_leq(r->seq + r->len, q->nxt));
	while (left > 0) {
		uint32_t n = min_u32(left, m->data_len - off);

		memcpy(to, rte_pktmbuf_mtod_offset(m, const uint8_t *, off), n);
		to += n;
		left -= n;
		off = 0;
		m = m->next;
	}
}

/* A clone of n octets of m from off on, or NULL. */
static struct rte_mbuf *
piece_clone(struct rte_mempool *pool, struct rte_mbuf *m, uint32_t off, uint32_t n)
{
	struct rte_mbuf *mi = rte_pktmbuf_alloc(pool);

	if (!mi)
		return NULL;
	rte_pktmbuf_attach(mi, m);
	/* What the packet meant where it came from is void: only the header mbuf in
	 * front says which offloads are wanted. */
	mi->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	mi->data_off += off;
	mi->data_len = n;
	mi->pkt_len = n;
	return mi;
}

int
sendq_attach(const struct sendq_rec *r, struct rte_mempool *pool, struct rte_mbuf *hdr,
		uint16_t segs_max)
{
	struct rte_mbuf *chain = NULL;
	struct rte_mbuf **link = &chain;
	struct rte_mbuf *m = r->m;
	uint32_t segs = hdr->nb_segs;
	uint32_t off = r->off;
	uint32_t left = r->len;
	int ret = 0;

	while (left > 0) {
		uint32_t n = min_u32(left, m->data_len - off);

		*link = segs < segs_max ? piece_clone(pool, m, off, n) : NULL;
		if (!*link) {
			ret = segs < segs_max ? -ENOBUFS : -E2BIG;
			break;
		}
		link = &(*link)->next;
		segs++;
		left -= n;
		off = 0;
		m = m->next;
	}
	if (ret < 0) {
		while (chain) {
			struct rte_mbuf *next = chain->next;

			rte_pktmbuf_free_seg(chain);
			chain = next;
		}
		return ret;
	}
	rte_pktmbuf_lastseg(hdr)->next = chain;
	hdr->nb_segs = segs;
	hdr->pkt_len += r->len;
	return 0;
}

/* What the ACK of n octets of this record says. */
static void
ack_note(struct sendq_ack *out, const struct sendq_rec *r, uint32_t n)
{
	if (r->flags & SENDQ_REXMT) {
		if (!out->has_rexmt || seq_lt(r->sent_us, out->rexmt_us))
			out->rexmt_us = r->sent_us;
		out->has_rexmt = true;
	}
	if (r->flags & SENDQ_SACKED)
		return;
	out->delivered += n;
	/* Karn (RFC 6298 section 3, DATA-31): a SACKed one was timed at its SACK. */
	if (r->flags & SENDQ_REXMT)
		return;
	if (!out->has_sample || seq_gt(r->sent_us, out->sent_us))
		out->sent_us = r->sent_us;
	out->has_sample = true;
}

/* Frees mbufs all of whose octets are acknowledged. */
static void
head_free(struct sendq *q, uint32_t bytes)
{
	q->head_off += bytes;
	while (q->head && q->head_off >= q->head->data_len) {
		struct rte_mbuf *m = q->head;

		q->head = m->next;
		q->head_off -= m->data_len;
		rte_pktmbuf_free_seg(m);
		q->n_mbufs--;
	}
	if (q->head)
		return;
	CHECK(q->head_off == 0);
	q->tail = NULL;
	q->cut_m = NULL;
	q->cut_off = 0;
	q->is_own = 0;
}

uint32_t
sendq_ack(struct sendq *q, struct recpool *p, uint32_t una, struct sendq_ack *out)
{
	*out = (struct sendq_ack){0};
	if (seq_leq(una, q->una))
		return 0;
	CHECK(seq_leq(una, q->nxt));
	out->bytes = una - q->una;
	q->can_undo = 0;
	while (q->first) {
		uint32_t index = q->first;
		struct sendq_rec *r = sendq_rec(p, index);
		uint32_t n = min_u32(una - r->seq, r->len);
		struct cursor at = {.m = r->m, .off = r->off};

		if (seq_leq(una, r->seq))
			break;
		ack_note(out, r, n);
		if (n < r->len) {
			at = cursor_advance(at, n);
			r->m = at.m;
			r->off = at.off;
			r->seq = una;
			r->len -= n;
			break;
		}
		q->first = r->next;
		q->n_recs--;
		recpool_free(p, index);
	}
	if (!q->first)
		q->last = 0;
	q->una = una;
	head_free(q, out->bytes);
	return out->bytes;
}

uint32_t
sendq_recut(struct sendq *q, struct recpool *p, uint32_t index, uint32_t len)
{
	struct sendq_rec *r = sendq_rec(p, index);
	struct sendq_rec *rest;
	struct cursor at = {.m = r->m, .off = r->off};
	uint32_t rest_index;

	CHECK(len > 0);
	if (r->len <= len || q->n_recs == UINT16_MAX)
		return 0;
	rest_index = recpool_alloc(p);
	if (!rest_index)
		return 0;
	rest = sendq_rec(p, rest_index);
	*rest = *r;
	at = cursor_advance(at, len);
	rest->m = at.m;
	rest->off = at.off;
	rest->seq = r->seq + len;
	rest->len = r->len - len;
	r->len = len;
	r->next = rest_index;
	r->flags &= ~(SENDQ_FIN | SENDQ_PSH);
	rest->segs = r->segs > 1 ? r->segs - 1 : 1;
	r->segs = 1;
	q->n_recs++;
	if (q->last == index)
		q->last = rest_index;
	q->can_undo = 0;
	return rest_index;
}

bool
sendq_merge(struct sendq *q, struct recpool *p, uint32_t index, uint32_t len)
{
	struct sendq_rec *r = sendq_rec(p, index);
	uint32_t next = r->next;
	struct sendq_rec *b;

	if (!next)
		return false;
	b = sendq_rec(p, next);
	if ((uint32_t)r->len + b->len > min_u32(len, UINT16_MAX))
		return false;
	if ((r->flags ^ b->flags) & SENDQ_STATE)
		return false;
	if (r->segs + b->segs > UINT8_MAX)
		return false;
	r->len += b->len;
	r->next = b->next;
	r->flags |= b->flags;
	/* The newer sending and the older birth: both err towards patience. */
	r->sent_us = seq_max(r->sent_us, b->sent_us);
	r->first_us = seq_min(r->first_us, b->first_us);
	r->segs += b->segs;
	q->n_recs--;
	if (q->last == next)
		q->last = index;
	q->can_undo = 0;
	recpool_free(p, next);
	return true;
}

void
sendq_fini(struct sendq *q, struct recpool *p)
{
	while (q->first) {
		uint32_t next = sendq_rec(p, q->first)->next;

		recpool_free(p, q->first);
		q->first = next;
	}
	while (q->head) {
		struct rte_mbuf *next = q->head->next;

		rte_pktmbuf_free_seg(q->head);
		q->head = next;
	}
	sendq_init(q, q->end);
}

static void
check_mbufs(const struct sendq *q)
{
	const struct rte_mbuf *m;
	const struct rte_mbuf *last = NULL;
	uint32_t bytes = 0;
	uint32_t n = 0;

	for (m = q->head; m; m = m->next) {
		CHECK(m->nb_segs == 1);
		CHECK(m->data_len > 0);
		CHECK(m->pkt_len == m->data_len);
		bytes += m->data_len;
		last = m;
		n++;
	}
	CHECK(last == q->tail);
	CHECK(n == q->n_mbufs);
	CHECK(!q->head || q->head_off < q->head->data_len);
	CHECK(bytes - q->head_off == sendq_bytes(q));
	CHECK(!q->is_own || q->tail);
}

void
sendq_check(const struct sendq *q, const struct recpool *p)
{
	struct cursor at = {.m = q->head, .off = q->head_off};
	uint32_t seq = q->una;
	uint32_t last = 0;
	uint32_t before = 0;
	uint32_t n = 0;
	uint32_t i;

	check_mbufs(q);
	CHECK(seq_leq(q->una, q->nxt));
	CHECK(seq_leq(q->nxt, q->end));
	for (i = q->first; i; i = sendq_rec(p, i)->next) {
		const struct sendq_rec *r = sendq_rec(p, i);

		CHECK(r->seq == seq);
		CHECK(r->len > 0);
		CHECK(r->segs > 0);
		CHECK(r->m == at.m);
		CHECK(r->off == at.off);
		CHECK(!(r->flags & SENDQ_FIN) || !r->next);
		at = cursor_advance(at, r->len);
		seq += r->len;
		before = last;
		last = i;
		n++;
	}
	CHECK(seq == q->nxt);
	CHECK(n == q->n_recs);
	CHECK(last == q->last);
	CHECK(!q->can_undo || before == q->before);
	CHECK(q->cut_m == at.m);
	CHECK(q->cut_off == at.off);
}
