/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The flow table against an obvious model: an array that says for every key of a
 * small world which block carries it, if any. Random inserts, removals, replaced
 * blocks and lookups; tables filled until they refuse; tags and buckets that
 * collide on purpose; every odd bucket count. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "flow/flow_table.h"
#include "support/size.h"

#define RANDOM_OPS TEST_SIZE(100000000u, 500000u)
#define FILL_MAX   TEST_SIZE(400000u, 20000u)

enum {
	SEED = 20260708,
	BULK = 150,
};

struct fixture {
	struct flow_table t;
	struct siphash_key secret;
	struct rng rng;
	void *mem;
	uint8_t *blocks;
	uint32_t block_count;
};

/* A table for `capacity` and blocks 1 .. block_count, none of them in use. */
static struct fixture *
fixture_create(uint32_t capacity, uint32_t block_count, uint64_t seed)
{
	struct fixture *f = calloc(1, sizeof(*f));
	size_t size = flow_table_memsize(capacity);

	assert_non_null(f);
	rng_seed(&f->rng, seed);
	f->secret.k0 = rng_next(&f->rng);
	f->secret.k1 = rng_next(&f->rng);
	f->mem = aligned_alloc(64, size);
	f->blocks = aligned_alloc(64, (size_t)(block_count + 1) * FLOW_BLOCK_STRIDE);
	assert_non_null(f->mem);
	assert_non_null(f->blocks);
	memset(f->mem, 0xa5, size);
	memset(f->blocks, 0, (size_t)(block_count + 1) * FLOW_BLOCK_STRIDE);
	f->block_count = block_count;
	assert_int_equal(flow_table_init(&f->t, f->mem, size, f->blocks, capacity), 0);
	return f;
}

static void
fixture_free(struct fixture *f)
{
	free(f->blocks);
	free(f->mem);
	free(f);
}

static struct flow_key *
block_key(struct fixture *f, uint32_t index)
{
	return (struct flow_key *)(void *)(f->blocks + (size_t)index * FLOW_BLOCK_STRIDE);
}

/* Key number i of the world: neighbours differ in few bits, as real ones do. */
static struct flow_key
key_number(uint32_t i)
{
	return (struct flow_key){.laddr = 0x0100000a,
			.raddr = 0x0200000a + (i >> 16),
			.lport = 80,
			.rport = (uint16_t)i};
}

static uint64_t
hash_of(const struct fixture *f, const struct flow_key *key)
{
	return flow_key_hash(&f->secret, key);
}

static void
res_9_random_operations_agree_with_array(void **state)
{
	enum { KEYS = 690, BLOCKS = 2 * KEYS };
	struct fixture *f = fixture_create(380, BLOCKS, SEED);
	uint32_t block_of[KEYS] = {0}; /* the model */
	uint32_t count = 0;
	uint32_t refused = 0;

	(void)state;
	print_message("seed %u, %u operations\n", SEED, RANDOM_OPS);
	for (uint32_t op = 0; op < RANDOM_OPS; op++) {
		uint32_t k = (uint32_t)rng_below(&f->rng, KEYS);
		struct flow_key key = key_number(k);
		uint64_t hash = hash_of(f, &key);
		uint32_t old = block_of[k];
		/* Two blocks per key, so that a replacement has one to go to. */
		uint32_t fresh = 1 + 2 * k + (old == 1 + 2 * k);

		assert_int_equal(flow_table_lookup(&f->t, hash, &key), old);
		switch (rng_below(&f->rng, 4)) {
		case 0:
			assert_int_equal(flow_table_remove(&f->t, hash, fresh), false);
			assert_int_equal(flow_table_remove(&f->t, hash, old), old != 0);
			count -= old != 0;
			block_of[k] = 0;
			break;
		case 1:
			*block_key(f, fresh) = key;
			assert_int_equal(flow_table_replace(&f->t, hash, old, fresh), old != 0);
			block_of[k] = old != 0 ? fresh : 0;
			break;
		default:
			if (old != 0)
				break;
			*block_key(f, fresh) = key;
			if (flow_table_insert(&f->t, hash, fresh) == 0) {
				block_of[k] = fresh;
				count++;
			} else {
				refused++;
			}
		}
		assert_int_equal(flow_table_count(&f->t), count);
		if (op % 4096 == 0)
			flow_table_check(&f->t, &f->secret);
	}
	flow_table_check(&f->t, &f->secret);
	/* Two thirds of the keys want in, 460 on average, and there are 456 slots: the
	 * walk goes on at the edge, where inserts move entries or are refused. */
	assert_int_equal(f->t.bucket_count * FLOW_BUCKET_SLOTS, 456);
	assert_in_range(refused, RANDOM_OPS / 1000, RANDOM_OPS / 4);
	fixture_free(f);
}

/* Inserts keys until the table refuses one; returns how many it took. */
static uint32_t
fill(struct fixture *f)
{
	for (uint32_t i = 1; i <= f->block_count; i++) {
		*block_key(f, i) = key_number(i);
		if (flow_table_insert(&f->t, hash_of(f, block_key(f, i)), i) != 0)
			return i - 1;
	}
	return f->block_count;
}

static void
res_9_refused_insert_leaves_the_table_as_it_was(void **state)
{
	(void)state;
	for (uint32_t capacity = 3; capacity <= FILL_MAX; capacity = capacity * 5 + 1) {
		struct fixture *f = fixture_create(capacity, capacity * 2 + 64, SEED + capacity);
		size_t size = flow_table_memsize(capacity);
		uint32_t taken = fill(f);
		void *before = malloc(size);
		uint32_t refused = 0;

		assert_non_null(before);
		print_message("capacity %u: %u taken, %u slots\n", capacity, taken,
				f->t.bucket_count * FLOW_BUCKET_SLOTS);
		assert_in_range(taken, capacity, f->t.bucket_count * FLOW_BUCKET_SLOTS);
		for (uint32_t i = taken + 1; i <= taken + 20; i++) {
			memcpy(before, f->mem, size);
			*block_key(f, i) = key_number(i);
			if (flow_table_insert(&f->t, hash_of(f, block_key(f, i)), i) == -ENOSPC) {
				assert_memory_equal(before, f->mem, size);
				refused++;
			}
		}
		assert_in_range(refused, 1, 20);
		flow_table_check(&f->t, &f->secret);
		for (uint32_t i = 1; i <= taken; i++)
			assert_int_equal(flow_table_lookup(&f->t, hash_of(f, block_key(f, i)),
							 block_key(f, i)),
					i);
		/* A freed slot can be used at once. */
		assert_true(flow_table_remove(&f->t, hash_of(f, block_key(f, taken)), taken));
		assert_int_equal(flow_table_insert(&f->t, hash_of(f, block_key(f, taken)), taken),
				0);
		free(before);
		fixture_free(f);
	}
}

static void
res_9_capacity_is_reached_with_many_secrets(void **state)
{
	(void)state;
	for (uint32_t capacity = 1; capacity <= 400; capacity += 3) {
		for (uint32_t seed = 0; seed < 20; seed++) {
			struct fixture *f = fixture_create(capacity, capacity, seed);

			assert_int_equal(fill(f), capacity);
			fixture_free(f);
		}
	}
}

static void
partner_of_a_bucket_is_its_own_inverse_for_any_count(void **state)
{
	(void)state;
	/* flow_table_check asserts it of every entry; here: every bucket count, odd
	 * and prime ones among them, with tables filled to nearly 100 %. */
	for (uint32_t capacity = 1; capacity <= 1500; capacity += 7) {
		struct fixture *f = fixture_create(capacity, capacity * 2 + 64, SEED);

		assert_in_range(fill(f), capacity, capacity * 2 + 64);
		flow_table_check(&f->t, &f->secret);
		fixture_free(f);
	}
}

static void
bulk_lookup_of_any_length_equals_single_lookups(void **state)
{
	enum { BLOCKS = 3000 };
	struct fixture *f = fixture_create(BLOCKS, BLOCKS, SEED);
	struct flow_key keys[BULK];
	const struct flow_key *key[BULK];
	uint64_t hash[BULK];
	uint32_t index[BULK + 1];
	uint32_t hits = 0;

	(void)state;
	print_message("seed %u\n", SEED);
	assert_int_equal(fill(f), BLOCKS);
	for (uint32_t round = 0; round < 2000; round++) {
		uint16_t n = (uint16_t)(round % (BULK + 1));

		for (uint32_t i = 0; i < n; i++) {
			/* Every second key is absent, and some occur twice. */
			keys[i] = key_number(1 + (uint32_t)rng_below(&f->rng, 2 * BLOCKS));
			key[i] = &keys[i];
			hash[i] = hash_of(f, &keys[i]);
		}
		memset(index, 0xff, sizeof(index));
		flow_table_lookup_bulk(&f->t, hash, key, index, n);
		for (uint32_t i = 0; i < n; i++) {
			uint32_t want = flow_table_lookup(&f->t, hash[i], key[i]);

			assert_int_equal(index[i], want);
			assert_true(want == 0 || flow_key_equal(block_key(f, want), &keys[i]));
			hits += want != 0;
		}
		assert_int_equal(index[n], UINT32_MAX);
	}
	assert_in_range(hits, 2000 * BULK / 5, 2000 * BULK / 3);
	fixture_free(f);
}

/* Removals of any number at once beside an array that says who is in: nobody else goes, who
 * was not taken out is named, and all these lie in their other bucket. */
static void
bulk_removal_of_any_length_equals_single_removals(void **state)
{
	enum { BLOCKS = 3000, ROUNDS = 3000 };
	struct fixture *f = fixture_create(BLOCKS, BLOCKS, SEED);
	bool is_in[BLOCKS + 1];
	uint32_t late = 0, all = 0;

	(void)state;
	print_message("seed %u\n", SEED);
	assert_int_equal(fill(f), BLOCKS);
	memset(is_in, true, sizeof(is_in));
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t n = round % (FLOW_BULK_MAX + 1), count = flow_table_count(&f->t), left;
		uint32_t index[FLOW_BULK_MAX], taken[FLOW_BULK_MAX];
		uint64_t hash[FLOW_BULK_MAX];
		uint32_t hash_lo[FLOW_BULK_MAX];

		for (uint32_t i = 0; i < n; i++) {
			do
				taken[i] = 1 + (uint32_t)rng_below(&f->rng, BLOCKS);
			while (!is_in[taken[i]]);
			is_in[taken[i]] = false;
			index[i] = taken[i];
			hash_lo[i] = (uint32_t)hash_of(f, block_key(f, taken[i]));
		}
		left = flow_table_remove_bulk(&f->t, hash_lo, index, n);
		assert_int_equal(flow_table_count(&f->t), count - n + left);
		for (uint32_t i = 0; i < left; i++) {
			assert_false(is_in[index[i]]);
			assert_true(flow_table_remove(
					&f->t, hash_of(f, block_key(f, index[i])), index[i]));
		}
		late += left;
		all += n;
		for (uint32_t i = 1; i <= BLOCKS && round % 64 == 0; i++)
			assert_int_equal(flow_table_lookup(&f->t, hash_of(f, block_key(f, i)),
							 block_key(f, i)),
					is_in[i] ? i : 0);
		for (uint32_t i = 0; i < n; i++) {
			hash[i] = hash_of(f, block_key(f, taken[i]));
			assert_false(flow_table_remove(&f->t, hash[i], taken[i]));
			assert_int_equal(flow_table_insert(&f->t, hash[i], taken[i]), 0);
			is_in[taken[i]] = true;
		}
	}
	/* Both ways were taken. */
	assert_in_range(late, all / 50, all / 2);
	flow_table_check(&f->t, &f->secret);
	fixture_free(f);
}

/* Entries whose tags and both buckets are the same: only the keys differ, and at
 * most sixteen of them fit. The hashes are made up: the table takes any. */
static void
same_tag_and_buckets_are_told_apart_by_key(void **state)
{
	struct fixture *f = fixture_create(700, 64, SEED);
	const struct flow_key *key[64];
	uint64_t hash[64];
	uint32_t index[64];
	uint32_t taken = 0;

	(void)state;
	for (uint32_t i = 1; i < 64; i++) {
		*block_key(f, i) = key_number(i);
		key[i] = block_key(f, i);
		hash[i] = 0x7777000012345678;
	}
	while (flow_table_insert(&f->t, hash[1], taken + 1) == 0)
		taken++;
	assert_int_equal(taken, 16);
	flow_table_lookup_bulk(&f->t, &hash[1], &key[1], &index[1], 63);
	for (uint32_t i = 1; i < 64; i++) {
		assert_int_equal(flow_table_lookup(&f->t, hash[i], key[i]), i <= taken ? i : 0);
		assert_int_equal(index[i], i <= taken ? i : 0);
	}
	for (uint32_t i = 1; i <= taken; i += 2)
		assert_true(flow_table_remove(&f->t, hash[i], i));
	flow_table_lookup_bulk(&f->t, &hash[1], &key[1], &index[1], 63);
	for (uint32_t i = 1; i < 64; i++)
		assert_int_equal(index[i], i <= taken && i % 2 == 0 ? i : 0);
	fixture_free(f);
}

/* The tag 0 stands for an empty slot and is no entry's. */
static void
hash_of_zeros_is_an_entry_like_any_other(void **state)
{
	struct fixture *f = fixture_create(10, 4, SEED);

	(void)state;
	*block_key(f, 1) = key_number(1);
	assert_int_equal(flow_table_lookup(&f->t, 0, block_key(f, 1)), 0);
	assert_int_equal(flow_table_lookup(&f->t, 0, block_key(f, 0)), 0);
	assert_false(flow_table_remove(&f->t, 0, 0));
	assert_int_equal(flow_table_insert(&f->t, 0, 1), 0);
	assert_int_equal(flow_table_lookup(&f->t, 0, block_key(f, 1)), 1);
	assert_true(flow_table_remove(&f->t, 0, 1));
	assert_int_equal(flow_table_count(&f->t), 0);
	fixture_free(f);
}

static void
memory_is_nine_bytes_per_entry_at_ninety_percent(void **state)
{
	(void)state;
	for (uint32_t capacity = 10000; capacity < 100000000; capacity = capacity * 3 + 1) {
		uint64_t size = flow_table_memsize(capacity);
		uint64_t slots = size / sizeof(struct flow_bucket) * FLOW_BUCKET_SLOTS;

		assert_in_range(size, 1, 9ull * capacity);
		assert_true(capacity <= slots * 9 / 10);
	}
}

static void
init_refuses_what_it_cannot_use(void **state)
{
	static uint8_t mem[65536] __attribute__((aligned(64)));
	struct flow_table t;

	(void)state;
	assert_int_equal(flow_table_init(&t, mem, sizeof(mem), mem, 0), -EINVAL);
	assert_int_equal(flow_table_init(&t, mem + 8, sizeof(mem) - 8, mem, 10), -EINVAL);
	assert_int_equal(flow_table_init(&t, mem, flow_table_memsize(100) - 1, mem, 100), -EINVAL);
	assert_int_equal(flow_table_init(&t, mem, flow_table_memsize(100), mem, 100), 0);
	assert_int_equal(flow_table_count(&t), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(res_9_random_operations_agree_with_array),
			cmocka_unit_test(res_9_refused_insert_leaves_the_table_as_it_was),
			cmocka_unit_test(res_9_capacity_is_reached_with_many_secrets),
			cmocka_unit_test(partner_of_a_bucket_is_its_own_inverse_for_any_count),
			cmocka_unit_test(bulk_lookup_of_any_length_equals_single_lookups),
			cmocka_unit_test(bulk_removal_of_any_length_equals_single_removals),
			cmocka_unit_test(same_tag_and_buckets_are_told_apart_by_key),
			cmocka_unit_test(hash_of_zeros_is_an_entry_like_any_other),
			cmocka_unit_test(memory_is_nine_bytes_per_entry_at_ninety_percent),
			cmocka_unit_test(init_refuses_what_it_cannot_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
