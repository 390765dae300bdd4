/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* TSC -> nanoseconds by one multiplication. All clocks of a process count from the
 * same base, so times of different workers compare. Not for wall-clock time. */

#ifndef PMTCP_DPDK_CLOCK_H
#define PMTCP_DPDK_CLOCK_H

#include <stdint.h>

#include <rte_cycles.h>

#include "base/base.h"

/* With 2^40 as the divisor the error of the factor is below 1e-12 relative at 1 GHz and
 * above: 0.1 ms in a day. The product is taken in 128 bits and cannot overflow. */
#define CLOCK_SHIFT 40

/* The clock starts here, not at 0, so that 0 stays "never". */
#define CLOCK_START_NS 1000000000u

struct clock {
	uint64_t base_tsc;
	uint64_t factor; /* ns << CLOCK_SHIFT per cycle */
};

/* Caller: hz > 0. */
static inline void
clock_init(struct clock *clock, uint64_t base_tsc, uint64_t hz)
{
	clock->base_tsc = base_tsc;
	clock->factor = (uint64_t)(((unsigned __int128)1000000000u << CLOCK_SHIFT) / hz);
}

static inline uint64_t
clock_ns(const struct clock *clock, uint64_t tsc)
{
	uint64_t cycles = tsc - clock->base_tsc;

	/* A core whose TSC is a hair behind the base's core must not see a huge time. */
	if (is_unlikely((int64_t)cycles < 0))
		cycles = 0;
	return CLOCK_START_NS +
	       (uint64_t)(((unsigned __int128)cycles * clock->factor) >> CLOCK_SHIFT);
}

/* The process's clock, made by the first caller. Caller: rte_eal_init() was. */
const struct clock *clock_get(void);

#endif /* PMTCP_DPDK_CLOCK_H */
