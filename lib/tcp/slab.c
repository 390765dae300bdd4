/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Fixed-size objects in a share of the region. */

#include "tcp/slab.h"

static uint32_t
skip_chunk_head(uint32_t unit)
{
	uint32_t in_chunk = unit % SLAB_CHUNK_UNITS;

	return in_chunk < SLAB_CHUNK_HEAD ? unit + SLAB_CHUNK_HEAD - in_chunk : unit;
}

uint32_t
slab_units(uint32_t first, uint32_t n, uint32_t units, bool has_chunk_head)
{
	uint32_t per_chunk = (SLAB_CHUNK_UNITS - SLAB_CHUNK_HEAD) / units;

	if (!has_chunk_head)
		return n * units;
	/* Rounded up to whole chunks: first need not be aligned. */
	return n * units + (n / per_chunk + 2 + (first % SLAB_CHUNK_UNITS != 0)) * SLAB_CHUNK_HEAD;
}

static uint32_t *
link_of(const struct slab *s, uint32_t index)
{
	return (uint32_t *)(void *)((uint8_t *)slab_at(s, index) + s->link_off);
}

uint32_t
slab_alloc(struct slab *s)
{
	uint32_t *head = &s->free[s->top];
	uint32_t index = *head;

	if (is_likely(index != 0)) {
		*head = *link_of(s, index);
		s->top = (s->top - 1) % SLAB_AHEAD;
		__builtin_prefetch(slab_at(s, *head), 1);
	} else {
		if (s->used == s->max)
			return 0;
		index = s->has_chunk_head ? skip_chunk_head(s->fresh) : s->fresh;
		CHECK(index + s->units <= s->end);
		s->fresh = index + s->units;
	}
	if (is_unlikely(++s->used > s->peak))
		s->peak = s->used;
	return index;
}

void
slab_free(struct slab *s, uint32_t index)
{
	uint32_t *head;

	CHECK(index != 0 && index < s->fresh && s->used > 0);
	s->top = (s->top + 1) % SLAB_AHEAD;
	head = &s->free[s->top];
	*link_of(s, index) = *head;
	*head = index;
	s->used--;
}
