/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: SipHash-2-4 and SipHash-1-3 are the published functions. Method: the 64
 * vectors of the reference implementation (key 00 01 .. 0f, input 00 01 02 ..
 * of each length from 0 to 63), for 1-3 the same inputs through OpenSSL, and for
 * random keys and inputs a plain implementation that follows the paper's text
 * byte by byte. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/rng.h"
#include "base/siphash.h"
#include "base/siphash_pair.h"

#define SEED      20260103
#define N_VECTORS 64

static const struct siphash_key vector_key = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

/* clang-format off */
static const uint64_t vectors24[N_VECTORS] = {
	0x726fdb47dd0e0e31u, 0x74f839c593dc67fdu, 0x0d6c8009d9a94f5au, 0x85676696d7fb7e2du,
	0xcf2794e0277187b7u, 0x18765564cd99a68du, 0xcbc9466e58fee3ceu, 0xab0200f58b01d137u,
	0x93f5f5799a932462u, 0x9e0082df0ba9e4b0u, 0x7a5dbbc594ddb9f3u, 0xf4b32f46226bada7u,
	0x751e8fbc860ee5fbu, 0x14ea5627c0843d90u, 0xf723ca908e7af2eeu, 0xa129ca6149be45e5u,
	0x3f2acc7f57c29bdbu, 0x699ae9f52cbe4794u, 0x4bc1b3f0968dd39cu, 0xbb6dc91da77961bdu,
	0xbed65cf21aa2ee98u, 0xd0f2cbb02e3b67c7u, 0x93536795e3a33e88u, 0xa80c038ccd5ccec8u,
	0xb8ad50c6f649af94u, 0xbce192de8a85b8eau, 0x17d835b85bbb15f3u, 0x2f2e6163076bcfadu,
	0xde4daaaca71dc9a5u, 0xa6a2506687956571u, 0xad87a3535c49ef28u, 0x32d892fad841c342u,
	0x7127512f72f27cceu, 0xa7f32346f95978e3u, 0x12e0b01abb051238u, 0x15e034d40fa197aeu,
	0x314dffbe0815a3b4u, 0x027990f029623981u, 0xcadcd4e59ef40c4du, 0x9abfd8766a33735cu,
	0x0e3ea96b5304a7d0u, 0xad0c42d6fc585992u, 0x187306c89bc215a9u, 0xd4a60abcf3792b95u,
	0xf935451de4f21df2u, 0xa9538f0419755787u, 0xdb9acddff56ca510u, 0xd06c98cd5c0975ebu,
	0xe612a3cb9ecba951u, 0xc766e62cfcadaf96u, 0xee64435a9752fe72u, 0xa192d576b245165au,
	0x0a8787bf8ecb74b2u, 0x81b3e73d20b49b6fu, 0x7fa8220ba3b2eceau, 0x245731c13ca42499u,
	0xb78dbfaf3a8d83bdu, 0xea1ad565322a1a0bu, 0x60e61c23a3795013u, 0x6606d7e446282b93u,
	0x6ca4ecb15c5f91e1u, 0x9f626da15c9625f3u, 0xe51b38608ef25f57u, 0x958a324ceb064572u,
};

static const uint64_t vectors13[N_VECTORS] = {
	0xabac0158050fc4dcu, 0xc9f49bf37d57ca93u, 0x82cb9b024dc7d44du, 0x8bf80ab8e7ddf7fbu,
	0xcf75576088d38328u, 0xdef9d52f49533b67u, 0xc50d2b50c59f22a7u, 0xd3927d989bb11140u,
	0x369095118d299a8eu, 0x25a48eb36c063de4u, 0x79de85ee92ff097fu, 0x70c118c1f94dc352u,
	0x78a384b157b4d9a2u, 0x306f760c1229ffa7u, 0x605aa111c0f95d34u, 0xd320d86d2a519956u,
	0xcc4fdd1a7d908b66u, 0x9cf2689063dbd80cu, 0x8ffc389cb473e63eu, 0xf21f9de58d297d1cu,
	0xc0dc2f46a6cce040u, 0xb992abfe2b45f844u, 0x7ffe7b9ba320872eu, 0x525a0e7fdae6c123u,
	0xf464aeb267349c8cu, 0x45cd5928705b0979u, 0x3a3e35e3ca9913a5u, 0xa91dc74e4ade3b35u,
	0xfb0bed02ef6cd00du, 0x88d93cb44ab1e1f4u, 0x540f11d643c5e663u, 0x2370dd1f8c21d1bcu,
	0x81157b6c16a7b60du, 0x4d54b9e57a8ff9bfu, 0x759f12781f2a753eu, 0xcea1a3bebf186b91u,
	0x2cf508d3ada26206u, 0xb6101c2da3c33057u, 0xb3f47496ae3a36a1u, 0x626b57547b108392u,
	0xc1d2363299e41531u, 0x667cc1923f1ad944u, 0x65704ffec8138825u, 0x24f280d1c28949a6u,
	0xc2ca1cedfaf8876bu, 0xc2164bfc9f042196u, 0xa16e9c9368b1d623u, 0x49fb169c8b5114fdu,
	0x9f3143f8df074c46u, 0xc6fdaf2412cc86b3u, 0x7eaf49d10a52098fu, 0x1cf313559d292f9au,
	0xc44a30dda2f41f12u, 0x36fae98943a71ed0u, 0x318fb34c73f0bce6u, 0xa27abf3670a7e980u,
	0xb4bcc0db243c6d75u, 0x23f8d852fdb71513u, 0x8f035f4da67d8a08u, 0xd89cd0e5b7e8f148u,
	0xf6f4e6bcf7a644eeu, 0xaec59ad80f1837f2u, 0xc3b2f6154b6694e0u, 0x9d199062b7bbb3a8u,
};
/* clang-format on */

struct model {
	uint64_t v[4];
};

static uint64_t
model_rotate(uint64_t x, int by)
{
	for (int i = 0; i < by; i++)
		x = x << 1 | x >> 63;
	return x;
}

/* Figure 2.1 of the paper: two half rounds, each an ARX of both pairs. */
static void
model_rounds(struct model *s, int n)
{
	for (int i = 0; i < n; i++) {
		s->v[0] += s->v[1];
		s->v[2] += s->v[3];
		s->v[1] = model_rotate(s->v[1], 13);
		s->v[3] = model_rotate(s->v[3], 16);
		s->v[1] ^= s->v[0];
		s->v[3] ^= s->v[2];
		s->v[0] = model_rotate(s->v[0], 32);
		s->v[2] += s->v[1];
		s->v[0] += s->v[3];
		s->v[1] = model_rotate(s->v[1], 17);
		s->v[3] = model_rotate(s->v[3], 21);
		s->v[1] ^= s->v[2];
		s->v[3] ^= s->v[0];
		s->v[2] = model_rotate(s->v[2], 32);
	}
}

static uint64_t
model_word(const uint8_t *p)
{
	uint64_t word = 0;

	for (int i = 7; i >= 0; i--)
		word = word << 8 | p[i];
	return word;
}

/* The input is first padded into a buffer of whole words: zeros, then the length. */
static uint64_t
model_siphash(const uint8_t key[16], const uint8_t *data, size_t len, const int rounds[2])
{
	static const char text[] = "somepseudorandomlygeneratedbytes";
	uint8_t padded[128] = {0};
	size_t total = (len / 8 + 1) * 8;
	struct model s;

	memcpy(padded, data, len);
	padded[total - 1] = (uint8_t)len;
	for (int i = 0; i < 4; i++) {
		/* The paper's constants are this text, read with the first letter highest. */
		s.v[i] = 0;
		for (int k = 0; k < 8; k++)
			s.v[i] = s.v[i] << 8 | (uint8_t)text[8 * i + k];
		s.v[i] ^= model_word(key + 8 * (i % 2));
	}
	for (size_t at = 0; at < total; at += 8) {
		s.v[3] ^= model_word(padded + at);
		model_rounds(&s, rounds[0]);
		s.v[0] ^= model_word(padded + at);
	}
	s.v[2] ^= 0xff;
	model_rounds(&s, rounds[1]);
	return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}

static void
fill_random(struct rng *r, uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)rng_next(r);
}

static void
siphash24_reference_input_gives_reference_vectors(void **state)
{
	uint8_t input[N_VECTORS];

	for (int len = 0; len < N_VECTORS; len++) {
		input[len] = (uint8_t)len;
		assert_true(siphash24(&vector_key, input, (size_t)len) == vectors24[len]);
	}
}

static void
siphash13_reference_input_gives_openssl_values(void **state)
{
	uint8_t input[N_VECTORS];

	for (int len = 0; len < N_VECTORS; len++) {
		input[len] = (uint8_t)len;
		assert_true(siphash13(&vector_key, input, (size_t)len) == vectors13[len]);
	}
}

static void
siphash_random_input_matches_model(void **state)
{
	static const int rounds13[2] = {1, 3};
	static const int rounds24[2] = {2, 4};
	struct rng r;

	print_message("seed %u\n", SEED);
	rng_seed(&r, SEED);
	for (int i = 0; i < 5000; i++) {
		uint8_t key[16], data[100];
		size_t len = rng_below(&r, sizeof(data) + 1);
		struct siphash_key k;

		fill_random(&r, key, sizeof(key));
		fill_random(&r, data, sizeof(data));
		k.k0 = model_word(key);
		k.k1 = model_word(key + 8);
		assert_true(siphash13(&k, data, len) == model_siphash(key, data, len, rounds13));
		assert_true(siphash24(&k, data, len) == model_siphash(key, data, len, rounds24));
	}
}

static void
siphash13_12_random_words_equal_siphash13(void **state)
{
	struct rng r;

	rng_seed(&r, SEED);
	for (int i = 0; i < 20000; i++) {
		struct siphash_key key = {rng_next(&r), rng_next(&r)};
		uint8_t bytes[12];
		uint32_t high;

		fill_random(&r, bytes, sizeof(bytes));
		high = (uint32_t)(bytes[8] | bytes[9] << 8 | bytes[10] << 16) |
		       (uint32_t)bytes[11] << 24;
		assert_true(siphash13_12(&key, model_word(bytes), high) ==
				siphash13(&key, bytes, sizeof(bytes)));
	}
}

/* Each of the two keys gives what it gives alone. */
static void
siphash24_12_pair_equals_two_siphash24(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 12);
	for (int i = 0; i < 10000; i++) {
		uint8_t bytes[12];
		struct siphash_key key[2];
		uint64_t low, out[2];
		uint32_t high;

		for (uint32_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)rng_next(&rng);
		for (int k = 0; k < 2; k++)
			key[k] = (struct siphash_key){rng_next(&rng), rng_next(&rng)};
		memcpy(&low, bytes, sizeof(low));
		memcpy(&high, bytes + sizeof(low), sizeof(high));
		siphash24_12_pair(key, low, high, out);
		for (int k = 0; k < 2; k++)
			assert_true(out[k] == siphash24(&key[k], bytes, sizeof(bytes)));
	}
}

/* Each input bit flips each output bit about half the time: a mix-up of rounds
 * or words that still agrees with itself would show here. */
static void
siphash13_12_each_input_bit_avalanches(void **state)
{
	enum { N_TRIALS = 2000 };
	struct rng r;

	rng_seed(&r, SEED);
	for (int bit = 0; bit < 96; bit++) {
		unsigned int flipped = 0;

		for (int i = 0; i < N_TRIALS; i++) {
			struct siphash_key key = {rng_next(&r), rng_next(&r)};
			uint64_t low = rng_next(&r);
			uint32_t high = (uint32_t)rng_next(&r);
			uint64_t low_bit = bit < 64 ? 1ull << bit : 0;
			uint32_t high_bit = bit < 64 ? 0 : 1u << (bit - 64);

			flipped += (unsigned int)__builtin_popcountll(
					siphash13_12(&key, low, high) ^
					siphash13_12(&key, low ^ low_bit, high ^ high_bit));
		}
		/* The mean is 32 per trial, five standard deviations of the sum are 894. */
		assert_in_range(flipped, 32 * N_TRIALS - 894, 32 * N_TRIALS + 894);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(siphash24_reference_input_gives_reference_vectors),
			cmocka_unit_test(siphash13_reference_input_gives_openssl_values),
			cmocka_unit_test(siphash_random_input_matches_model),
			cmocka_unit_test(siphash13_12_random_words_equal_siphash13),
			cmocka_unit_test(siphash24_12_pair_equals_two_siphash24),
			cmocka_unit_test(siphash13_12_each_input_bit_avalanches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
