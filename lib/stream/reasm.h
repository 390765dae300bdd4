/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Received payload of one connection: the in-order queue of unread mbufs and
 * the out-of-order ranges above it (RFC 9293 sections 3.10.7.4 step 7 and
 * 3.8.6; DATA-4 to DATA-7, DATA-37, CLOSE-25 to CLOSE-27).
 *
 * The first copy of an octet wins; an overlap never replaces it. Memory is
 * counted by truesize (buffer plus mbuf), so one-octet segments cannot pin a
 * pool: small segments are copied into room that is already paid for, ranges
 * are at most REASM_RANGES_MAX, and over the limit the highest range goes first
 * (SEC-14). It knows neither windows nor ACKs: the caller cuts to the window. */

#ifndef PMTCP_STREAM_REASM_H
#define PMTCP_STREAM_REASM_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "base/base.h"
#include "base/check.h"
#include "base/seq.h"
#include "stream/recpool.h"

enum {
	REASM_RANGES_MAX = 64,
	REASM_SMALL_MAX = 256, /* octets copied rather than kept in a buffer of their own */
};

/* A flat list of mbufs through m->next, nb_segs 1 each, none empty. */
struct reasm_list {
	struct rte_mbuf *head; /* NULL when empty */
	struct rte_mbuf *tail;
};

struct reasm {
	struct reasm_list queue; /* in-order, unread */
	uint32_t unread;         /* octets in that list */
	uint32_t truesize;       /* octets of memory held, unread and out of order */
	uint32_t first;          /* lowest out-of-order range, 0 none */
	uint32_t last;           /* highest */
	uint32_t stamp;          /* counts out-of-order arrivals: recency of ranges */
	uint32_t fin;            /* sequence number of the remembered FIN, if has_fin */
	uint16_t n_ranges;
	uint8_t has_fin;
	uint8_t reserved;
};
STATIC_ASSERT(sizeof(struct reasm) <= 64);

enum reasm_verdict {
	REASM_IN_ORDER,   /* delivered to the queue; rcv_nxt moved */
	REASM_QUEUED,     /* kept above a hole */
	REASM_DUPLICATE,  /* every octet was held already */
	REASM_PAST_FIN,   /* all of it lies at or behind the peer's FIN (CLOSE-27) */
	REASM_OVER_LIMIT, /* above a hole, refused: truesize or ranges at their limit */
	REASM_NO_RECORD,  /* above a hole, refused: the record pool is empty */
};

struct reasm_in {
	struct rte_mbuf *m;    /* packet with headers, any chain, not shared */
	uint32_t off;          /* of the octet seq in the packet data */
	uint32_t seq;          /* may lie below rcv_nxt: the old part is cut here */
	uint32_t len;          /* octets from off, > 0; the caller has cut the right edge */
	uint32_t rcv_nxt;      /* next octet expected */
	uint32_t truesize_max; /* limit for this connection; in-order data may exceed it */
};

struct reasm_out {
	uint32_t rcv_nxt; /* new; unchanged unless REASM_IN_ORDER */
	uint32_t dropped; /* ranges given up, this segment included if refused (ooo_drop) */
	uint32_t dup_left, dup_right; /* first duplicate stretch, if was_dup (RFC 2883) */
	bool took;                    /* m was stored, or copied and freed; else m is untouched */
	bool filled_gap; /* text was delivered while a range waited above a hole, so it was
	                  * filled wholly or in part: ACK at once (RFC 5681 4.2, DATA-13) */
	bool was_dup;    /* some octet was held before */
};

/* The memory that an mbuf stands for. */
static inline uint32_t
reasm_mbuf_truesize(const struct rte_mbuf *m)
{
	return m->buf_len + sizeof(*m);
}

/* All zero: nothing yet. */
static inline void
reasm_init(struct reasm *r)
{
	*r = (struct reasm){0};
}

/* Takes one segment's text. Returns enum reasm_verdict. */
int reasm_insert(struct reasm *r, struct recpool *p, const struct reasm_in *in,
		struct reasm_out *out);

/* Nothing is held above a hole, so text that begins at RCV.NXT needs no place to be found. */
static inline bool
reasm_is_in_order(const struct reasm *r)
{
	return !r->first && !r->has_fin;
}

/* What reasm_insert() does with a segment that begins at RCV.NXT: len octets of m from off on
 * are delivered, and m was stored, or copied and freed. Caller: reasm_is_in_order(). */
void reasm_append(struct reasm *r, struct rte_mbuf *m, uint32_t off, uint32_t len);

/* Pops up to n unread in-order mbufs, trimmed to payload, one segment each; the
 * caller owns them. Returns how many. */
uint16_t reasm_recv(struct reasm *r, struct rte_mbuf **pkts, uint16_t n);

/* Copies up to len unread octets to buf and frees what was emptied. Returns how many. */
uint32_t reasm_read(struct reasm *r, void *buf, uint32_t len);

/* All unread octets, if one mbuf holds them and they are at most len: it becomes the
 * caller's. Else NULL. */
static inline struct rte_mbuf *
reasm_pop_all(struct reasm *r, uint32_t len)
{
	struct rte_mbuf *m = r->queue.head;

	if (!m || m != r->queue.tail || m->data_len > len)
		return NULL;
	r->queue = (struct reasm_list){0};
	r->unread = 0;
	r->truesize -= reasm_mbuf_truesize(m);
	return m;
}

static inline uint32_t
reasm_unread(const struct reasm *r)
{
	return r->unread;
}

static inline bool
reasm_has_ooo(const struct reasm *r)
{
	return r->first != 0;
}

/* Neither unread nor out-of-order text nor a remembered FIN: the side record may go. */
static inline bool
reasm_is_idle(const struct reasm *r)
{
	return !r->queue.head && !r->first && !r->has_fin;
}

/* Writes left, right edges of up to max (at most 4) ranges, most recent arrival
 * first (RFC 2018 section 4, DATA-37). Returns the number of pairs. */
uint8_t reasm_sack_blocks(
		const struct reasm *r, const struct recpool *p, uint32_t *pairs, uint8_t max);

/* Remembers the peer's FIN at this number and forgets text behind it. Returns
 * false if another FIN is remembered already: the first one holds (CLOSE-27).
 * Caller: seq is not below RCV.NXT. */
bool reasm_set_fin(struct reasm *r, struct recpool *p, uint32_t seq);

static inline bool
reasm_has_fin(const struct reasm *r)
{
	return r->has_fin;
}

/* The FIN's number. Caller: reasm_has_fin. */
static inline uint32_t
reasm_fin(const struct reasm *r)
{
	return r->fin;
}

/* All text before the FIN has arrived: the FIN is next in order (CLOSE-25). */
static inline bool
reasm_fin_is_due(const struct reasm *r, uint32_t rcv_nxt)
{
	return r->has_fin && r->fin == rcv_nxt;
}

/* Memory pressure (RES-5): forgets all out-of-order text. Returns its octets. */
uint32_t reasm_drop_ooo(struct reasm *r, struct recpool *p);

/* Frees everything. */
void reasm_fini(struct reasm *r, struct recpool *p);

/* CHECKs every invariant; O(n), for tests and simulation. */
void reasm_check(const struct reasm *r, const struct recpool *p, uint32_t rcv_nxt);

#endif /* PMTCP_STREAM_REASM_H */
