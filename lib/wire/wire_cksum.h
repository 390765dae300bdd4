/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The Internet checksum (RFC 1071) by wide adds. A sum is a 64-bit one's
 * complement number over 16-bit words as they lie in memory, so that it can be
 * kept, added to and folded at the end; its byte order is that of the wire.
 * Sums of parts may be added if each part but the last has an even length. */

#ifndef PMTCP_WIRE_WIRE_CKSUM_H
#define PMTCP_WIRE_WIRE_CKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_mbuf.h>

/* Memory as one word, whatever its alignment. */
static inline uint16_t
wire_load16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
wire_load32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t
wire_load64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* One's complement addition: the carry comes round to the low end. */
static inline uint64_t
wire_cksum_add(uint64_t a, uint64_t b)
{
	uint64_t sum = a + b;

	return sum + (sum < b);
}

/* Sum to 16 bits: adding a half to the other leaves sum plus carry on top. */
static inline uint16_t
wire_cksum_fold(uint64_t sum)
{
	uint32_t half;

	sum += sum << 32 | sum >> 32;
	half = (uint32_t)(sum >> 32);
	half += half << 16 | half >> 16;
	return (uint16_t)(half >> 16);
}

/* Is it 0xffff folded, as of octets with the right checksum among them? That is to be a
 * multiple of 2^16 - 1 other than 0, which no sum with a pseudo-header or a version number in
 * it is; and for such an odd number, as 2^64 - 1 is one of its multiples, the product with its
 * inverse modulo 2^64 tells. */
static inline bool
wire_cksum_is_good(uint64_t sum)
{
	const uint64_t most = UINT64_MAX / 0xffff;

	return sum * (0 - most) <= most;
}

/* Bytes [p, p + len); an odd last byte is padded with zero (RFC 1071 section 1). */
uint64_t wire_cksum_bytes(const void *p, size_t len);

/* The same, and copies them: one pass over the octets instead of two. They do not overlap. */
uint64_t wire_cksum_copy(void *restrict dst, const void *restrict src, size_t len);

/* Bytes [off, off + len) of a packet, which may be a chain with odd parts.
 * Caller: off + len <= pkt_len. */
uint64_t wire_cksum_mbuf(const struct rte_mbuf *m, uint32_t off, uint32_t len);

#endif /* PMTCP_WIRE_WIRE_CKSUM_H */
