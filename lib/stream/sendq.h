/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The send queue: payload handed over by the application, by sequence range,
 * and one record per segment that was transmitted.
 *
 * Payload is a flat list of mbufs linked through m->next (nb_segs 1 each),
 * read-only from the moment it is queued until it is acknowledged; then it is
 * freed, mbuf by mbuf. Records cover [una, nxt) without gap or overlap, in
 * order; they are what SACK, RACK and retransmission mark and walk.
 *
 * SYN and FIN are facts of the connection and not octets of this queue
 * (CLOSE-43): SENDQ_FIN merely remembers that a segment carried the FIN. */

#ifndef PMTCP_STREAM_SENDQ_H
#define PMTCP_STREAM_SENDQ_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "base/base.h"
#include "base/check.h"
#include "base/seq.h"
#include "stream/recpool.h"

enum sendq_flag {
	SENDQ_SACKED = 0x01, /* the peer reported it held (RFC 2018) */
	SENDQ_LOST = 0x02,   /* recovery takes it for lost */
	SENDQ_REXMT = 0x04,  /* was sent more than once: no RTT sample (Karn, DATA-31) */
	SENDQ_FIN = 0x08,    /* the FIN rode on it; moves to the later piece of a split */
	SENDQ_PSH = 0x10,    /* likewise for PSH (DATA-23) */
};

/* One transmitted segment; a record of the recpool. The engine updates
 * sent_us and flags when it sends the segment again. */
struct sendq_rec {
	uint32_t next;      /* index of the record that follows in sequence, 0 none */
	uint32_t seq;       /* first octet */
	uint32_t sent_us;   /* latest transmission */
	uint32_t first_us;  /* first transmission */
	struct rte_mbuf *m; /* holds the first octet ... */
	uint32_t off;       /* ... at this offset of its data */
	uint16_t len;       /* octets, > 0 */
	uint8_t flags;      /* enum sendq_flag */
	uint8_t segs;       /* segments it stands for: 1, more where SACKed ones were joined */
};
STATIC_ASSERT(sizeof(struct sendq_rec) == RECPOOL_REC_SIZE);

struct sendq {
	struct rte_mbuf *head;  /* holds the octet una; NULL when empty */
	struct rte_mbuf *tail;  /* last of the list */
	struct rte_mbuf *cut_m; /* where the octet nxt is or will be; NULL when empty */
	uint32_t cut_off;
	uint32_t head_off; /* octets of head already acknowledged */
	uint32_t una;      /* first octet not acknowledged */
	uint32_t nxt;      /* first octet not sent */
	uint32_t end;      /* behind the last octet queued */
	uint32_t first;    /* record of the octet una, 0 none sent */
	uint32_t last;     /* newest record */
	uint32_t before;   /* record before last: valid while can_undo */
	uint32_t n_mbufs;  /* in the list: what a queue of tiny packets really costs */
	uint8_t is_own;    /* the tail mbuf was made by sendq_write */
	uint8_t can_undo;  /* the newest change was sendq_next */
	uint16_t n_recs;   /* records: what a walk over the flight can cost (SEC-14) */
};
STATIC_ASSERT(sizeof(struct sendq) <= 72);

/* What one cumulative ACK did. */
struct sendq_ack {
	uint32_t bytes;     /* octets newly acknowledged */
	uint32_t delivered; /* of these, not reported by SACK before */
	uint32_t sent_us;   /* newest sending time of a record sent once; if has_sample */
	bool has_sample;    /* a record sent only once and not SACKed before was acknowledged */
	bool has_rexmt;     /* a record sent more than once was among them: sent_us may be
	                     * inflated by the wait for the hole; take no sample then */
	uint32_t rexmt_us;  /* oldest latest sending of such a one; if has_rexmt */
};

/* An empty queue whose first octet will have this sequence number. */
static inline void
sendq_init(struct sendq *q, uint32_t seq)
{
	*q = (struct sendq){.una = seq, .nxt = seq, .end = seq};
}

static inline bool
sendq_is_empty(const struct sendq *q)
{
	return q->una == q->end;
}

/* Octets queued, sent or not. */
static inline uint32_t
sendq_bytes(const struct sendq *q)
{
	return q->end - q->una;
}

static inline uint32_t
sendq_unsent(const struct sendq *q)
{
	return q->end - q->nxt;
}

/* Octets sent and not acknowledged. */
static inline uint32_t
sendq_flight(const struct sendq *q)
{
	return q->nxt - q->una;
}

/* Takes the packet, any chain, without copying. Caller: pkt_len > 0, every
 * segment's struct belongs to the caller alone, and its bytes stay as they are. */
void sendq_append(struct sendq *q, struct rte_mbuf *m);

/* Copies up to len octets behind the queue: into the tail room of its last own
 * mbuf, then into fresh ones. Returns the octets taken; fewer than len when
 * the pool is dry. Bytes already queued are never touched. */
uint32_t sendq_write(struct sendq *q, struct rte_mempool *pool, const void *buf, uint32_t len);

/* The same with a fresh mbuf of the caller's, one segment without data, as the next of them:
 * copies what fits into it. Returns the octets taken, > 0. */
uint32_t sendq_write_into(struct sendq *q, struct rte_mbuf *m, const void *buf, uint32_t len);

/* The same with one that holds its text already. */
void sendq_put(struct sendq *q, struct rte_mbuf *m);

/* Cuts the next unsent segment of at most len octets (1 to 65535) and makes its
 * record. Returns its index, 0 if nothing is unsent or no record is free (tell them
 * apart by sendq_unsent). */
uint32_t sendq_next(struct sendq *q, struct recpool *p, uint32_t len, uint32_t now_us);

/* Takes back the newest sendq_next: no mbuf was left to send it in, so nothing
 * is marked sent (RES-6). Caller: no other change since that sendq_next. */
void sendq_undo_last(struct sendq *q, struct recpool *p);

/* Writes the record's r->len octets to dst. */
void sendq_copy(const struct sendq *q, const struct sendq_rec *r, void *dst);

/* Chains indirect clones of the record's octets behind the packet hdr, without
 * copying. Returns 0; -ENOBUFS when the pool is dry; -E2BIG when hdr would have
 * more than segs_max segments (copy then). On error hdr is as before. Only for
 * ports with multi-segment transmit. */
int sendq_attach(const struct sendq_rec *r, struct rte_mempool *pool, struct rte_mbuf *hdr,
		uint16_t segs_max);

/* Cumulative ACK: everything before una is delivered. Frees mbufs and records,
 * and shortens the record una falls into. Returns out->bytes; 0 for an old una.
 * Caller: una is not above nxt, so a FIN's number is already taken off. */
uint32_t sendq_ack(struct sendq *q, struct recpool *p, uint32_t una, struct sendq_ack *out);

/* Records in sequence order: sendq_first(q), then r->next, until 0. */
static inline uint32_t
sendq_first(const struct sendq *q)
{
	return q->first;
}

static inline struct sendq_rec *
sendq_rec(const struct recpool *p, uint32_t index)
{
	return recpool_at(p, index);
}

/* Shortens the record to len octets; the rest becomes a record of its own behind
 * it, with the same times and marks. Serves a shrunken MSS (DATA-45) and a
 * SACK edge inside a record. Returns the rest's index; 0 if the record is not
 * longer than len, or no record is free or can be counted. */
uint32_t sendq_recut(struct sendq *q, struct recpool *p, uint32_t index, uint32_t len);

/* Joins the record with the one behind it if both are marked the same, FIN and
 * PSH apart, and have at most len octets and 255 segments together. True if it did. */
bool sendq_merge(struct sendq *q, struct recpool *p, uint32_t index, uint32_t len);

/* One message, all of it in one record and one mbuf made by sendq_write(): the record is
 * freed, the mbuf becomes the caller's, and the queue may be forgotten. NULL if there is more,
 * or less, or a part of it is acknowledged. */
static inline struct rte_mbuf *
sendq_take_message(struct sendq *q, struct recpool *p)
{
	struct rte_mbuf *m = q->head;

	if (!m || m != q->tail || q->n_recs > 1 || q->head_off > 0 || !q->is_own)
		return NULL;
	if (q->first)
		recpool_free(p, q->first);
	return m;
}

/* Frees all mbufs and records: abort, or end of life. The queue is empty after. */
void sendq_fini(struct sendq *q, struct recpool *p);

/* CHECKs every invariant above; O(n), for tests and simulation. */
void sendq_check(const struct sendq *q, const struct recpool *p);

#endif /* PMTCP_STREAM_SENDQ_H */
