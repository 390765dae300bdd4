/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Merging and reading of the histogram; recording is in hist.h. */

#include "common/hist.h"

#include <string.h>

void
hist_init(struct hist *h)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT64_MAX;
}

void
hist_merge(struct hist *h, const struct hist *from)
{
	h->count += from->count;
	h->sum += from->sum;
	h->min = from->min < h->min ? from->min : h->min;
	h->max = from->max > h->max ? from->max : h->max;
	for (uint32_t i = 0; i < HIST_SLOTS; i++)
		h->slot[i] += from->slot[i];
}

/* The largest value that lands in slot i. */
static uint64_t
slot_upper(uint32_t i)
{
	uint32_t shift;

	if (i < HIST_SUB)
		return i;
	shift = i / HIST_SUB - 1;
	return ((uint64_t)(i % HIST_SUB + HIST_SUB + 1) << shift) - 1;
}

uint64_t
hist_percentile(const struct hist *h, uint32_t per_10k)
{
	/* Nearest rank, at least the first; 128 bits: count * 10000 may not fit in 64. */
	uint64_t rank = (uint64_t)(((unsigned __int128)h->count * per_10k + 9999) / 10000);
	uint64_t seen = 0;
	uint64_t upper;

	if (h->count == 0)
		return 0;
	rank = rank == 0 ? 1 : rank;
	for (uint32_t i = 0; i < HIST_SLOTS - 1; i++) {
		seen += h->slot[i];
		if (seen < rank)
			continue;
		upper = slot_upper(i);
		return upper < h->max ? upper : h->max;
	}
	return h->max;
}

void
hist_summary(const struct hist *h, struct hist_ladder *out)
{
	out->count = h->count;
	out->min = h->count == 0 ? 0 : h->min;
	out->mean = h->count == 0 ? 0 : h->sum / h->count;
	out->p50 = hist_percentile(h, 5000);
	out->p90 = hist_percentile(h, 9000);
	out->p99 = hist_percentile(h, 9900);
	out->p999 = hist_percentile(h, 9990);
	out->max = h->max;
}
