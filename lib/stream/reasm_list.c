/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Lists of received payload mbufs: see reasm_list.h. */

#include <string.h>

#include <rte_mbuf.h>

#include "stream/reasm_list.h"

static void
mbuf_free(struct reasm *r, struct rte_mbuf *m)
{
	r->truesize -= reasm_mbuf_truesize(m);
	rte_pktmbuf_free_seg(m);
}

void
reasm_list_free(struct reasm *r, struct reasm_list *l)
{
	while (l->head)
		mbuf_free(r, reasm_list_pop(l));
}

void
reasm_list_join(struct reasm *r, struct reasm_list *a, struct reasm_list *b)
{
	while (b->head && reasm_list_fits_behind(a, b->head->data_len)) {
		struct rte_mbuf *m = reasm_list_pop(b);
		struct rte_mbuf *to = a->tail;

		memcpy(rte_pktmbuf_mtod_offset(to, uint8_t *, to->data_len),
				rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
		to->data_len += m->data_len;
		to->pkt_len = to->data_len;
		mbuf_free(r, m);
	}
	if (!b->head)
		return;
	if (a->tail)
		a->tail->next = b->head;
	else
		a->head = b->head;
	a->tail = b->tail;
}

/* Moves a small mbuf's data to the end of its buffer. A sender whose segments come
 * in reverse then fills the room in front of it, instead of a buffer per segment. */
static void
mbuf_make_headroom(struct rte_mbuf *m)
{
	uint16_t off = m->buf_len - m->data_len;

	memmove((uint8_t *)m->buf_addr + off, rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
	m->data_off = off;
}

void
reasm_list_prepend(struct reasm *r, struct reasm_list *a, struct reasm_list *b)
{
	struct rte_mbuf *m = b->head;

	if (m == b->tail && reasm_list_fits_before(a, m->data_len)) {
		struct rte_mbuf *to = a->head;

		to->data_off -= m->data_len;
		to->data_len += m->data_len;
		to->pkt_len = to->data_len;
		memcpy(rte_pktmbuf_mtod(to, uint8_t *), rte_pktmbuf_mtod(m, uint8_t *),
				m->data_len);
		mbuf_free(r, m);
		return;
	}
	if (m == b->tail && m->data_len <= REASM_SMALL_MAX && is_private(m))
		mbuf_make_headroom(m);
	reasm_list_join(r, b, a);
	*a = *b;
}

struct reasm_list
reasm_packet_cut(struct reasm *r, struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	struct reasm_list l = {0};

	while (m) {
		struct rte_mbuf *next = m->next;
		uint32_t skip = min_u32(off, m->data_len);
		uint32_t n = min_u32(len, m->data_len - skip);

		off -= skip;
		len -= n;
		m->next = NULL;
		m->nb_segs = 1;
		m->data_off += skip;
		m->data_len = n;
		m->pkt_len = n;
		if (n > 0) {
			reasm_list_push(&l, m);
			r->truesize += reasm_mbuf_truesize(m);
		} else {
			rte_pktmbuf_free_seg(m);
		}
		m = next;
	}
	CHECK(len == 0);
	return l;
}

void
reasm_list_overwrite(const struct reasm_list *to, uint32_t off, const struct reasm_list *from)
{
	struct rte_mbuf *m = to->head;
	const struct rte_mbuf *s = from->head;
	uint32_t done = 0;

	while (s) {
		uint32_t n;

		if (off >= m->data_len) {
			off -= m->data_len;
			m = m->next;
			continue;
		}
		n = min_u32(m->data_len - off, s->data_len - done);
		memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, off),
				rte_pktmbuf_mtod_offset(s, const uint8_t *, done), n);
		off += n;
		done += n;
		if (done == s->data_len) {
			s = s->next;
			done = 0;
		}
	}
}

bool
reasm_packet_is_private(const struct rte_mbuf *m)
{
	while (m && is_private(m))
		m = m->next;
	return !m;
}

uint32_t
reasm_packet_truesize(const struct rte_mbuf *m)
{
	uint32_t sum = 0;

	for (; m; m = m->next)
		sum += reasm_mbuf_truesize(m);
	return sum;
}

uint32_t
reasm_list_check(const struct reasm_list *l, uint32_t *truesize)
{
	const struct rte_mbuf *last = NULL;
	const struct rte_mbuf *m;
	uint32_t bytes = 0;

	for (m = l->head; m; m = m->next) {
		CHECK(m->nb_segs == 1);
		CHECK(m->data_len > 0);
		CHECK(m->pkt_len == m->data_len);
		CHECK(m->data_off + m->data_len <= m->buf_len);
		bytes += m->data_len;
		*truesize += reasm_mbuf_truesize(m);
		last = m;
	}
	CHECK(last == l->tail);
	return bytes;
}
