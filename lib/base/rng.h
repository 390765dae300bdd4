/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Seeded pseudo-random numbers (SplitMix64): small, fast, the same on every
 * machine. For schedules, jitter and tests; never for secrets, which come from
 * the caller's configuration. */

#ifndef PMTCP_BASE_RNG_H
#define PMTCP_BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline void
rng_seed(struct rng *r, uint64_t seed)
{
	r->state = seed;
}

static inline uint64_t
rng_next(struct rng *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Uniform in [0, bound), bound > 0. The bias is below bound / 2^64. */
static inline uint64_t
rng_below(struct rng *r, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)rng_next(r) * bound) >> 64);
}

#endif /* PMTCP_BASE_RNG_H */
