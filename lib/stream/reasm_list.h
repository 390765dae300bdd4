/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Lists of received payload mbufs, for reasm.c alone: taking packets apart,
 * joining lists, copying small mbufs together. All of them keep reasm.truesize,
 * the memory held; none knows sequence numbers. */

#ifndef PMTCP_STREAM_REASM_LIST_H
#define PMTCP_STREAM_REASM_LIST_H

#include "stream/reasm.h"

/* The buffer belongs to this mbuf alone, so that octets may be put around its data. */
static inline bool
is_private(const struct rte_mbuf *m)
{
	return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1;
}

static inline bool
reasm_list_fits_behind(const struct reasm_list *l, uint32_t len)
{
	return len <= REASM_SMALL_MAX && l->tail && is_private(l->tail) &&
	       len <= rte_pktmbuf_tailroom(l->tail);
}

static inline bool
reasm_list_fits_before(const struct reasm_list *l, uint32_t len)
{
	return len <= REASM_SMALL_MAX && is_private(l->head) &&
	       len <= rte_pktmbuf_headroom(l->head);
}

static inline void
reasm_list_push(struct reasm_list *l, struct rte_mbuf *m)
{
	m->next = NULL;
	if (l->tail)
		l->tail->next = m;
	else
		l->head = m;
	l->tail = m;
}

static inline struct rte_mbuf *
reasm_list_pop(struct reasm_list *l)
{
	struct rte_mbuf *m = l->head;

	l->head = m->next;
	if (!l->head)
		l->tail = NULL;
	m->next = NULL;
	return m;
}

void reasm_list_free(struct reasm *r, struct reasm_list *l);

/* Moves b behind a. Small mbufs at the seam are copied into a's last buffer: each
 * copy fills a part of it and frees an mbuf, which bounds the loop by that room,
 * and no list keeps two neighbours that would fit into one. */
void reasm_list_join(struct reasm *r, struct reasm_list *a, struct reasm_list *b);

/* Moves b in front of a; the result is a. */
void reasm_list_prepend(struct reasm *r, struct reasm_list *a, struct reasm_list *b);

/* Takes the packet apart: len octets from off on stay, as a flat list. */
struct reasm_list reasm_packet_cut(struct reasm *r, struct rte_mbuf *m, uint32_t off, uint32_t len);

/* Copies all octets of from over those of to, starting at off. */
void reasm_list_overwrite(const struct reasm_list *to, uint32_t off, const struct reasm_list *from);

bool reasm_packet_is_private(const struct rte_mbuf *m);

uint32_t reasm_packet_truesize(const struct rte_mbuf *m);

/* Returns the octets of the list; adds its memory to *truesize. */
uint32_t reasm_list_check(const struct reasm_list *l, uint32_t *truesize);

#endif /* PMTCP_STREAM_REASM_LIST_H */
