/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See stream.h. Eight octets at a time from a mixed counter. */

#include "sim/stream.h"

#include "base/rng.h"

static uint8_t
octet_at(uint64_t key, uint64_t at)
{
	struct rng rng;

	rng_seed(&rng, key ^ (at / 8) * 0xd1342543de82ef95u);
	return (uint8_t)(rng_next(&rng) >> (8 * (at % 8)));
}

void
stream_peek(const struct stream *s, void *buf, uint32_t len)
{
	uint8_t *out = buf;

	for (uint32_t i = 0; i < len; i++)
		out[i] = octet_at(s->key, s->at + i);
}

bool
stream_take(struct stream *s, const void *buf, uint32_t len)
{
	const uint8_t *in = buf;

	for (uint32_t i = 0; i < len; i++) {
		if (in[i] != octet_at(s->key, s->at + i))
			return false;
	}
	s->at += len;
	return true;
}
