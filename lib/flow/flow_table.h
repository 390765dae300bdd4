/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Cuckoo table from the key of a connection to the index of its block (RES-9).
 *
 * A bucket is one cache line of eight 16-bit tags and eight block indices. The
 * key itself is compared in the block, where it is the first thing, so a hit
 * costs the bucket and the line that the caller is about to use anyway.
 * An entry of tag t lies in bucket b or in (H(t) - b) mod n; that is its own
 * inverse for every n, so the bucket count needs no power of two and entries
 * move between their two buckets by tag alone, without a look at any block.
 *
 * Each bucket counts the entries that found it full and went to their other one. Nearly
 * always there are none, and then a key that is not in its first bucket is in none.
 *
 * The caller brings the hash: flow_key_hash(), keyed and not linear, so nobody
 * outside can aim at one bucket (SEC-14). One writer, which is also the only
 * reader; the memory is the caller's. It knows neither TCP nor packets. */

#ifndef PMTCP_FLOW_FLOW_TABLE_H
#define PMTCP_FLOW_FLOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "base/check.h"
#include "base/siphash.h"
#include "flow/flow_key.h"

enum {
	FLOW_BUCKET_SLOTS = 8,
	FLOW_BLOCK_STRIDE = 64, /* bytes from block i to block i + 1 */
	FLOW_BULK_MAX = 64,     /* keys in flight in one inner pass of a bulk lookup */
};

struct flow_bucket {
	uint16_t tag[FLOW_BUCKET_SLOTS];   /* 0: empty */
	uint32_t index[FLOW_BUCKET_SLOTS]; /* block, 0: empty */
	uint32_t away;     /* entries tried here first that lie in their other one */
	uint32_t guests;   /* bit: the slot holds such an entry of another bucket */
	uint32_t spare[2]; /* always 0 */
} __attribute__((aligned(PMTCP_CACHE_LINE)));
STATIC_ASSERT(sizeof(struct flow_bucket) == PMTCP_CACHE_LINE);

struct flow_table {
	struct flow_bucket *buckets;
	const uint8_t *blocks; /* block i at blocks + 64 * i, its struct flow_key first */
	uint32_t bucket_count;
	uint32_t count; /* entries */
};

/* Bytes for `capacity` entries at no more than 90 % load: at most 9 per entry
 * from 10000 entries up, a little more below. */
size_t flow_table_memsize(uint32_t capacity);

/* Makes an empty table in `mem`. 0, or -EINVAL: no capacity, mem not aligned to
 * a cache line, or len < flow_table_memsize(capacity). */
int flow_table_init(
		struct flow_table *t, void *mem, size_t len, const void *blocks, uint32_t capacity);

/* Index of the block with this key, or 0. */
uint32_t flow_table_lookup(const struct flow_table *t, uint64_t hash, const struct flow_key *key);

/* The same for n keys at once, any n, with their cache misses overlapped:
 * index[i] = flow_table_lookup(t, hash[i], key[i]). The caller has asked for the first buckets
 * by flow_table_prefetch(), best as soon as it had each hash. */
void flow_table_lookup_bulk(const struct flow_table *t, const uint64_t *hash,
		const struct flow_key *const *key, uint32_t *index, uint16_t n);

/* The same by the tags alone: 0 is as sure as there, another index is that of a block whose key
 * the caller compares; if it is another one, flow_table_lookup() knows. No block is touched, but
 * all are asked for. */
void flow_table_hint_bulk(
		const struct flow_table *t, const uint64_t *hash, uint32_t *index, uint16_t n);

/* Caller: the key is not in the table, and block `index` (not 0) carries it
 * before the next lookup. 0, or -ENOSPC after a bounded search for room: the
 * table is then as it was. */
int flow_table_insert(struct flow_table *t, uint64_t hash, uint32_t index);

/* Takes out the entry of this very block; touches no block. False: not there. */
bool flow_table_remove(struct flow_table *t, uint64_t hash, uint32_t index);

/* Takes out many at once, any n, whose first buckets were asked for by flow_table_prefetch():
 * those that lie there go, for which the lower half of each hash is enough. The others move to the
 * front of index[]; flow_table_remove() takes them out. Returns how many these are. */
uint32_t flow_table_remove_bulk(
		struct flow_table *t, const uint32_t *hash_lo, uint32_t *index, uint32_t n);

/* The block of a key changes (half-open to full, full to TIME-WAIT) and the
 * entry stays where it is: cannot fail for room. False: old_index not there. */
bool flow_table_replace(
		struct flow_table *t, uint64_t hash, uint32_t old_index, uint32_t new_index);

/* The blocks in the two buckets of a hash: if one of them leaves, an insert of this hash
 * succeeds. Returns how many there are. */
uint32_t flow_table_neighbours(
		const struct flow_table *t, uint64_t hash, uint32_t index[2 * FLOW_BUCKET_SLOTS]);

static inline uint32_t
flow_table_count(const struct flow_table *t)
{
	return t->count;
}

/* The bucket where an entry of this hash is tried first. 32 bits of the hash
 * scaled to [0, bucket_count): no division, any count. */
static inline uint32_t
flow_table_bucket(const struct flow_table *t, uint64_t hash)
{
	return (uint32_t)((uint64_t)(uint32_t)hash * t->bucket_count >> 32);
}

/* Starts the miss of an insert, a removal or a lookup to come. */
static inline void
flow_table_prefetch(const struct flow_table *t, uint64_t hash)
{
	__builtin_prefetch(&t->buckets[flow_table_bucket(t, hash)]);
}

/* The same of both buckets of this hash. */
void flow_table_prefetch_both(const struct flow_table *t, uint64_t hash);

/* Once the first bucket has come: asks for what a lookup will touch next, a block or the other
 * bucket. Returns the block, which most likely has the key, or 0. */
uint32_t flow_table_foresee(const struct flow_table *t, uint64_t hash);

/* CHECKs every invariant, above all that each entry is found by the key in its
 * block and no key is in twice. For tests and the simulator. */
void flow_table_check(const struct flow_table *t, const struct siphash_key *secret);

#endif /* PMTCP_FLOW_FLOW_TABLE_H */
