/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The small words every module uses. No DPDK, no I/O, no allocation. */

#ifndef PMTCP_BASE_BASE_H
#define PMTCP_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PMTCP_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PMTCP_CACHE_LINE    64
#define PMTCP_HOT           __attribute__((hot))
#define PMTCP_COLD          __attribute__((cold, noinline))
#define PMTCP_NOINLINE      __attribute__((noinline))
#define PMTCP_ALWAYS_INLINE inline __attribute__((always_inline))

#define is_likely(x)   __builtin_expect(!!(x), 1)
#define is_unlikely(x) __builtin_expect(!!(x), 0)

static inline uint32_t
min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t
max_u32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static inline uint64_t
min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t
max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif /* PMTCP_BASE_BASE_H */
