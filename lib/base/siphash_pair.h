/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* SipHash-2-4 of one flow key under two secrets, side by side: an opening needs its ISN and
 * its timestamp offset at once, and the rounds are one long chain each. */

#ifndef PMTCP_BASE_SIPHASH_PAIR_H
#define PMTCP_BASE_SIPHASH_PAIR_H

#include "base/base.h"
#include "base/siphash.h"

#if defined(__SSE4_1__)

#include <smmintrin.h>

struct siphash_lanes {
	__m128i v0, v1, v2, v3;
};

static PMTCP_ALWAYS_INLINE __m128i
siphash_rotl_lanes(__m128i x, int bits)
{
	if (bits == 32)
		return _mm_shuffle_epi32(x, _MM_SHUFFLE(2, 3, 0, 1));
	if (bits == 16)
		return _mm_shuffle_epi8(x, _mm_setr_epi8(6, 7, 0, 1, 2, 3, 4, 5, 14, 15, 8, 9, 10,
							   11, 12, 13));
	return _mm_or_si128(_mm_slli_epi64(x, bits), _mm_srli_epi64(x, 64 - bits));
}

static PMTCP_ALWAYS_INLINE void
siphash_rounds_lanes(struct siphash_lanes *s, int n)
{
	for (int i = 0; i < n; i++) {
		s->v0 = _mm_add_epi64(s->v0, s->v1);
		s->v2 = _mm_add_epi64(s->v2, s->v3);
		s->v1 = _mm_xor_si128(siphash_rotl_lanes(s->v1, 13), s->v0);
		s->v3 = _mm_xor_si128(siphash_rotl_lanes(s->v3, 16), s->v2);
		s->v0 = _mm_add_epi64(siphash_rotl_lanes(s->v0, 32), s->v3);
		s->v2 = _mm_add_epi64(s->v2, s->v1);
		s->v1 = _mm_xor_si128(siphash_rotl_lanes(s->v1, 17), s->v2);
		s->v3 = _mm_xor_si128(siphash_rotl_lanes(s->v3, 21), s->v0);
		s->v2 = siphash_rotl_lanes(s->v2, 32);
	}
}

static inline void
siphash24_12_pair(const struct siphash_key key[2], uint64_t low, uint32_t high, uint64_t out[2])
{
	__m128i a = _mm_loadu_si128((const __m128i *)(const void *)&key[0]);
	__m128i b = _mm_loadu_si128((const __m128i *)(const void *)&key[1]);
	__m128i k0 = _mm_unpacklo_epi64(a, b), k1 = _mm_unpackhi_epi64(a, b);
	__m128i word = _mm_set1_epi64x((long long)low);
	__m128i last = _mm_set1_epi64x((long long)((uint64_t)12 << 56 | high));
	struct siphash_lanes s = {
			.v0 = _mm_xor_si128(k0, _mm_set1_epi64x(0x736f6d6570736575)),
			.v1 = _mm_xor_si128(k1, _mm_set1_epi64x(0x646f72616e646f6d)),
			.v2 = _mm_xor_si128(k0, _mm_set1_epi64x(0x6c7967656e657261)),
			.v3 = _mm_xor_si128(k1, _mm_set1_epi64x(0x7465646279746573)),
	};

	s.v3 = _mm_xor_si128(s.v3, word);
	siphash_rounds_lanes(&s, 2);
	s.v0 = _mm_xor_si128(s.v0, word);
	s.v3 = _mm_xor_si128(s.v3, last);
	siphash_rounds_lanes(&s, 2);
	s.v0 = _mm_xor_si128(s.v0, last);
	s.v2 = _mm_xor_si128(s.v2, _mm_set1_epi64x(0xff));
	siphash_rounds_lanes(&s, 4);
	s.v0 = _mm_xor_si128(_mm_xor_si128(s.v0, s.v1), _mm_xor_si128(s.v2, s.v3));
	_mm_storeu_si128((__m128i *)(void *)out, s.v0);
}

#else

static inline void
siphash24_12_pair(const struct siphash_key key[2], uint64_t low, uint32_t high, uint64_t out[2])
{
	out[0] = siphash24_12(&key[0], low, high);
	out[1] = siphash24_12(&key[1], low, high);
}

#endif

#endif /* PMTCP_BASE_SIPHASH_PAIR_H */
