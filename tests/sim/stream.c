/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See stream.h. Eight octets at a time from a mixed counter. */

#include "sim/stream.h"

#include <string.h>

#include "base/base.h"
#include "base/rng.h"

/* The eight octets that begin at 8 * word, the first one lowest. */
static uint64_t
word_at(uint64_t key, uint64_t word)
{
	struct rng rng;

	rng_seed(&rng, key ^ word * 0xd1342543de82ef95u);
	return rng_next(&rng);
}

/* Up to eight octets from `at` on, to the end of the word at most; returns how many. */
static uint32_t
octets_at(uint64_t key, uint64_t at, uint32_t len, uint8_t octets[8])
{
	uint32_t n = 8 - (uint32_t)(at % 8);
	uint64_t word = word_at(key, at / 8) >> (8 * (at % 8));

	memcpy(octets, &word, sizeof(word));
	return min_u32(n, len);
}

void
stream_peek(const struct stream *s, void *buf, uint32_t len)
{
	uint8_t octets[8], *out = buf;

	for (uint32_t i = 0, n; i < len; i += n) {
		n = octets_at(s->key, s->at + i, len - i, octets);
		memcpy(out + i, octets, n);
	}
}

bool
stream_take(struct stream *s, const void *buf, uint32_t len)
{
	const uint8_t *in = buf;
	uint8_t octets[8];

	for (uint32_t i = 0, n; i < len; i += n) {
		n = octets_at(s->key, s->at + i, len - i, octets);
		/* Of known length, and so without a call, nearly always. */
		if (n == 8 ? memcmp(in + i, octets, 8) : memcmp(in + i, octets, n))
			return false;
	}
	s->at += len;
	return true;
}
