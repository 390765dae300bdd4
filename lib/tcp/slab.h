/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Fixed-size objects in a share of the region, named by unit number.
 *
 * Given-back objects are taken again first, last in first out, since their
 * lines are warm; a fresh one is taken only when there is none, so a share
 * costs address space, not memory. Objects are never moved and never zeroed.
 *
 * Not all are warm: a quarter of a second's TIME-WAIT entries come back at once,
 * more than a cache holds. So each is fetched SLAB_AHEAD takings before its own.
 * One list could not tell so early which that will be, its links being in the
 * objects themselves: the objects given back are dealt out to SLAB_AHEAD lists in
 * turn, and taken from them in turn backwards, which is one stack again. */

#ifndef PMTCP_TCP_SLAB_H
#define PMTCP_TCP_SLAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "base/check.h"

enum {
	SLAB_UNIT = 64,
	/* The tcb share keeps the first two units of every 2 MiB free of blocks:
	 * the address of the context stands there, so that a handle finds it. */
	SLAB_CHUNK_UNITS = (2u << 20) / SLAB_UNIT,
	SLAB_CHUNK_HEAD = 2,
	SLAB_AHEAD = 8, /* a power of two */
};

struct slab {
	uint8_t *base;             /* of unit 0 */
	uint32_t fresh;            /* first unit never used */
	uint32_t end;              /* behind the last unit of the share */
	uint32_t top;              /* the list whose head was given back last */
	uint32_t units;            /* per object */
	uint32_t used;             /* objects out */
	uint32_t peak;             /* most ever out */
	uint32_t max;              /* objects of the share */
	uint16_t link_off;         /* where a free object keeps the link to the next */
	bool has_chunk_head;       /* skip the heads of 2 MiB chunks */
	uint32_t free[SLAB_AHEAD]; /* heads of the lists of given-back objects, 0 none */
};

/* Units an object share of n needs from unit `first` on, chunk heads included. */
uint32_t slab_units(uint32_t first, uint32_t n, uint32_t units, bool has_chunk_head);

static inline void *
slab_at(const struct slab *s, uint32_t index)
{
	return s->base + (uint64_t)index * SLAB_UNIT;
}

static inline uint32_t
slab_available(const struct slab *s)
{
	return s->max - s->used;
}

/* The object behind this one, for walks over all that were ever used: below `fresh`. */
static inline uint32_t
slab_next(const struct slab *s, uint32_t index)
{
	index += s->units;
	return s->has_chunk_head && index % SLAB_CHUNK_UNITS < SLAB_CHUNK_HEAD
			       ? index + SLAB_CHUNK_HEAD
			       : index;
}

/* Index of an object with any content, 0 when the share is used up. */
uint32_t slab_alloc(struct slab *s);

/* Caller: index came from slab_alloc and is on no list. */
void slab_free(struct slab *s, uint32_t index);

#endif /* PMTCP_TCP_SLAB_H */
