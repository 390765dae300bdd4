/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* SipHash with c compression and d finalisation rounds over any input. */

#include "base/siphash.h"

#include <string.h>

static uint64_t
load_le(const uint8_t *p, size_t n)
{
	uint64_t word = 0;

	for (size_t i = 0; i < n; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

static uint64_t
siphash(const struct siphash_key *key, const void *data, size_t len, int c_rounds, int d_rounds)
{
	const uint8_t *p = data;
	uint64_t v0 = key->k0 ^ 0x736f6d6570736575u;
	uint64_t v1 = key->k1 ^ 0x646f72616e646f6du;
	uint64_t v2 = key->k0 ^ 0x6c7967656e657261u;
	uint64_t v3 = key->k1 ^ 0x7465646279746573u;

	for (size_t done = 0; done <= len; done += 8) {
		bool is_last = len - done < 8;
		uint64_t word = load_le(p + done, is_last ? len - done : 8);

		if (is_last)
			word |= (uint64_t)(len & 0xff) << 56;
		v3 ^= word;
		for (int i = 0; i < c_rounds; i++)
			SIPHASH_ROUND(v0, v1, v2, v3);
		v0 ^= word;
	}
	v2 ^= 0xff;
	for (int i = 0; i < d_rounds; i++)
		SIPHASH_ROUND(v0, v1, v2, v3);
	return v0 ^ v1 ^ v2 ^ v3;
}

uint64_t
siphash13(const struct siphash_key *key, const void *data, size_t len)
{
	return siphash(key, data, len, 1, 3);
}

uint64_t
siphash24(const struct siphash_key *key, const void *data, size_t len)
{
	return siphash(key, data, len, 2, 4);
}

uint64_t
siphash13_32(const struct siphash_key *key, const uint64_t words[4])
{
	const uint64_t last = (uint64_t)32 << 56;
	uint64_t v0 = key->k0 ^ 0x736f6d6570736575u;
	uint64_t v1 = key->k1 ^ 0x646f72616e646f6du;
	uint64_t v2 = key->k0 ^ 0x6c7967656e657261u;
	uint64_t v3 = key->k1 ^ 0x7465646279746573u;

	for (int i = 0; i < 4; i++) {
		v3 ^= words[i];
		SIPHASH_ROUND(v0, v1, v2, v3);
		v0 ^= words[i];
	}
	v3 ^= last;
	SIPHASH_ROUND(v0, v1, v2, v3);
	v0 ^= last;
	v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		SIPHASH_ROUND(v0, v1, v2, v3);
	return v0 ^ v1 ^ v2 ^ v3;
}
