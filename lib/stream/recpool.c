/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The record pool: an untouched tail behind a watermark, and a list of given-back
 * records linked through their first four octets. The list is served first: its
 * records are the warm ones. */

#include "stream/recpool.h"

void
recpool_init(struct recpool *p, void *mem, uint32_t n)
{
	CHECK(mem);
	CHECK((uintptr_t)mem % RECPOOL_REC_SIZE == 0);
	CHECK(n < UINT32_MAX);
	*p = (struct recpool){.base = mem, .n = n, .fresh = 1};
}

uint32_t
recpool_alloc(struct recpool *p)
{
	uint32_t index = p->free;

	/* Of those that are left, some may be set aside. */
	if (is_unlikely(p->in_use == p->n))
		return 0;
	if (index)
		p->free = *(uint32_t *)recpool_at(p, index);
	else
		index = p->fresh++;
	p->in_use++;
	p->peak = max_u32(p->peak, p->in_use);
	return index;
}

void
recpool_free(struct recpool *p, uint32_t index)
{
	CHECK(index != 0);
	CHECK(index < p->fresh);
	CHECK(p->in_use > 0);
	*(uint32_t *)recpool_at(p, index) = p->free;
	p->free = index;
	p->in_use--;
}
