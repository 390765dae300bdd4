/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A pool of 32-byte records in the caller's memory, named by 32-bit indices.
 *
 * One per core serves the send queues and the out-of-order ranges of all its
 * connections. Alloc and free are O(1); a page is touched when the first
 * record in it is used, so a pool sized for the worst case costs nothing at
 * rest. It knows nothing of what a record holds. */

#ifndef PMTCP_STREAM_RECPOOL_H
#define PMTCP_STREAM_RECPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "base/check.h"

enum { RECPOOL_REC_SIZE = 32 };

struct recpool {
	uint8_t *base;   /* record i lies at base + 32 * i; record 0 is never used */
	uint32_t n;      /* usable records: 1 to n */
	uint32_t fresh;  /* lowest index never used yet */
	uint32_t free;   /* head of the list of given-back records, 0 none */
	uint32_t in_use; /* now, those set aside among them */
	uint32_t peak;   /* most ever in use */
};

/* Octets of memory for n records. */
static inline size_t
recpool_memsize(uint32_t n)
{
	return ((size_t)n + 1) * RECPOOL_REC_SIZE;
}

/* Caller: mem is 32-byte aligned and recpool_memsize(n) octets long. */
void recpool_init(struct recpool *p, void *mem, uint32_t n);

/* An index whose record holds anything, or 0 when all are in use. */
uint32_t recpool_alloc(struct recpool *p);

/* Sets one record aside, for a recpool_alloc() that must not fail, behind recpool_unreserve().
 * False: none is left. */
static inline bool
recpool_reserve(struct recpool *p)
{
	if (p->in_use == p->n)
		return false;
	p->in_use++;
	p->peak = max_u32(p->peak, p->in_use);
	return true;
}

static inline void
recpool_unreserve(struct recpool *p)
{
	p->in_use--;
}

/* Caller: index came from recpool_alloc and was not given back since. */
void recpool_free(struct recpool *p, uint32_t index);

static inline uint32_t
recpool_available(const struct recpool *p)
{
	return p->n - p->in_use;
}

static inline void *
recpool_at(const struct recpool *p, uint32_t index)
{
	ASSERT(index - 1 < p->n);
	return p->base + (size_t)index * RECPOOL_REC_SIZE;
}

#endif /* PMTCP_STREAM_RECPOOL_H */
