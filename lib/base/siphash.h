/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* SipHash (Aumasson, Bernstein 2012), a keyed hash for short inputs.
 *
 * SipHash-1-3 keys the flow table: colliding tuples can be computed for CRC32
 * and Toeplitz, not for this one without the key. SipHash-2-4 makes ISNs,
 * timestamp offsets and port starts (RFC 6528 section 3, RFC 6056 section 3.3.3). */

#ifndef PMTCP_BASE_SIPHASH_H
#define PMTCP_BASE_SIPHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k0;
	uint64_t k1;
};

/* Any input, little-endian words; the reference functions of the tests. */
uint64_t siphash13(const struct siphash_key *key, const void *data, size_t len);
uint64_t siphash24(const struct siphash_key *key, const void *data, size_t len);

/* Four words, little-endian: the addresses of IPv6. Equal to siphash13(key, words, 32). */
uint64_t siphash13_32(const struct siphash_key *key, const uint64_t words[4]);

/* The 12 bytes of a flow key, given as two little-endian words; inlined since
 * every received segment passes here. Equal to siphash13(key, words, 12). */
#define SIPHASH_ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define SIPHASH_ROUND(v0, v1, v2, v3)                                                              \
	do {                                                                                       \
		v0 += v1;                                                                          \
		v2 += v3;                                                                          \
		v1 = SIPHASH_ROTL(v1, 13) ^ v0;                                                    \
		v3 = SIPHASH_ROTL(v3, 16) ^ v2;                                                    \
		v0 = SIPHASH_ROTL(v0, 32) + v3;                                                    \
		v2 += v1;                                                                          \
		v1 = SIPHASH_ROTL(v1, 17) ^ v2;                                                    \
		v3 = SIPHASH_ROTL(v3, 21) ^ v0;                                                    \
		v2 = SIPHASH_ROTL(v2, 32);                                                         \
	} while (0)

/* What of it the key alone decides: for many inputs under one key it is worth keeping. */
struct siphash_begun {
	uint64_t v0, v1, v2, v3; /* v0 and v1 inside of the first round */
};

static inline struct siphash_begun
siphash_begin(const struct siphash_key *key)
{
	uint64_t v1 = key->k1 ^ 0x646f72616e646f6du;
	uint64_t v0 = (key->k0 ^ 0x736f6d6570736575u) + v1;

	v1 = SIPHASH_ROTL(v1, 13) ^ v0;
	return (struct siphash_begun){
			.v0 = SIPHASH_ROTL(v0, 32),
			.v1 = v1,
			.v2 = key->k0 ^ 0x6c7967656e657261u,
			.v3 = key->k1 ^ 0x7465646279746573u,
	};
}

static inline uint64_t
siphash13_12_of(const struct siphash_begun *begun, uint64_t low, uint32_t high)
{
	uint64_t v3 = begun->v3 ^ low;
	uint64_t v2 = begun->v2 + v3;
	uint64_t v0, v1;
	uint64_t last = (uint64_t)12 << 56 | high;

	/* The rest of the first round. */
	v3 = SIPHASH_ROTL(v3, 16) ^ v2;
	v0 = begun->v0 + v3;
	v2 += begun->v1;
	v1 = SIPHASH_ROTL(begun->v1, 17) ^ v2;
	v3 = SIPHASH_ROTL(v3, 21) ^ v0;
	v2 = SIPHASH_ROTL(v2, 32);
	v0 ^= low;
	v3 ^= last;
	SIPHASH_ROUND(v0, v1, v2, v3);
	v0 ^= last;
	v2 ^= 0xff;
	SIPHASH_ROUND(v0, v1, v2, v3);
	SIPHASH_ROUND(v0, v1, v2, v3);
	SIPHASH_ROUND(v0, v1, v2, v3);
	return v0 ^ v1 ^ v2 ^ v3;
}

static inline uint64_t
siphash13_12(const struct siphash_key *key, uint64_t low, uint32_t high)
{
	struct siphash_begun begun = siphash_begin(key);

	return siphash13_12_of(&begun, low, high);
}

/* Equal to siphash24(key, words, 12): ISNs and timestamp offsets of each open. */
static inline uint64_t
siphash24_12(const struct siphash_key *key, uint64_t low, uint32_t high)
{
	uint64_t v0 = key->k0 ^ 0x736f6d6570736575u;
	uint64_t v1 = key->k1 ^ 0x646f72616e646f6du;
	uint64_t v2 = key->k0 ^ 0x6c7967656e657261u;
	uint64_t v3 = key->k1 ^ 0x7465646279746573u;
	uint64_t last = (uint64_t)12 << 56 | high;

	v3 ^= low;
	SIPHASH_ROUND(v0, v1, v2, v3);
	SIPHASH_ROUND(v0, v1, v2, v3);
	v0 ^= low;
	v3 ^= last;
	SIPHASH_ROUND(v0, v1, v2, v3);
	SIPHASH_ROUND(v0, v1, v2, v3);
	v0 ^= last;
	v2 ^= 0xff;
	SIPHASH_ROUND(v0, v1, v2, v3);
	SIPHASH_ROUND(v0, v1, v2, v3);
	SIPHASH_ROUND(v0, v1, v2, v3);
	SIPHASH_ROUND(v0, v1, v2, v3);
	return v0 ^ v1 ^ v2 ^ v3;
}

#endif /* PMTCP_BASE_SIPHASH_H */
