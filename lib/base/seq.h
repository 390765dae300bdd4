/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Sequence numbers and other 32-bit clocks are compared modulo 2^32
 * (RFC 9293 section 3.4, DATA-10). Defined for distances below 2^31. */

#ifndef PMTCP_BASE_SEQ_H
#define PMTCP_BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

/* a - b as a signed distance. */
static inline int32_t
seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static inline bool
seq_lt(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) < 0;
}

static inline bool
seq_leq(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) <= 0;
}

static inline bool
seq_gt(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) > 0;
}

static inline bool
seq_geq(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) >= 0;
}

/* low <= x < low + size, the window test of RFC 9293 section 3.10.7.4. */
static inline bool
seq_in_window(uint32_t x, uint32_t low, uint32_t size)
{
	return x - low < size;
}

static inline uint32_t
seq_max(uint32_t a, uint32_t b)
{
	return seq_lt(a, b) ? b : a;
}

static inline uint32_t
seq_min(uint32_t a, uint32_t b)
{
	return seq_lt(a, b) ? a : b;
}

#endif /* PMTCP_BASE_SEQ_H */
