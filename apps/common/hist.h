/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A log-linear histogram of nanoseconds: 128 slots an octave, so a percentile is
 * at most 1/128 above the true value. One writer; merging adds. It keeps no time
 * and no names: whoever records decides what is measured. */

#ifndef PMTCP_APPS_HIST_H
#define PMTCP_APPS_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 7
#define HIST_SUB      (1u << HIST_SUB_BITS)
/* 2^42 ns are 73 minutes; what is longer lands in the last slot, its maximum is exact. */
#define HIST_MAX_BITS 42
#define HIST_SLOTS    ((HIST_MAX_BITS - HIST_SUB_BITS + 1) * HIST_SUB)

struct hist {
	uint64_t count;
	uint64_t sum;
	uint64_t min; /* of an empty histogram: UINT64_MAX */
	uint64_t max;
	uint64_t slot[HIST_SLOTS];
};

/* What reports show, in the unit recorded. */
struct hist_ladder {
	uint64_t count;
	uint64_t min;
	uint64_t mean;
	uint64_t p50;
	uint64_t p90;
	uint64_t p99;
	uint64_t p999;
	uint64_t max;
};

void hist_init(struct hist *h);

/* Adds all of `from` to `h`. */
void hist_merge(struct hist *h, const struct hist *from);

/* The value that `per_10k` ten-thousandths of the records do not exceed
 * (5000: median, 9990: p99.9): upper edge of its slot, never above the maximum.
 * 0 of an empty histogram. */
uint64_t hist_percentile(const struct hist *h, uint32_t per_10k);

void hist_summary(const struct hist *h, struct hist_ladder *out);

static inline uint32_t
hist_slot(uint64_t value)
{
	uint32_t shift;

	if (value < HIST_SUB)
		return (uint32_t)value;
	if (value >> HIST_MAX_BITS)
		return HIST_SLOTS - 1;
	shift = 63 - HIST_SUB_BITS - (uint32_t)__builtin_clzll(value);
	return (shift + 1) * HIST_SUB + (uint32_t)(value >> shift) - HIST_SUB;
}

static inline void
hist_record(struct hist *h, uint64_t value)
{
	h->count++;
	h->sum += value;
	h->min = value < h->min ? value : h->min;
	h->max = value > h->max ? value : h->max;
	h->slot[hist_slot(value)]++;
}

#endif /* PMTCP_APPS_HIST_H */
