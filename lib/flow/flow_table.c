/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The cuckoo table. See flow_table.h for what it promises. */

#include "flow/flow_table.h"

#include <errno.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
	/* Entries per 10 buckets at full capacity: 90 % of 80. */
	ENTRIES_PER_TEN = 72,
	/* More buckets than the load asks for, so that tables of a few entries
	 * have choices too. */
	BUCKETS_EXTRA = 4,
	/* Buckets looked at for room: each is one cache line, eight are asked for
	 * at once, so the worst insert waits for some 32 misses (SEC-14). At 90 %
	 * load one or two dozen are enough practically always. */
	SEARCH_MAX = 256,
};

/* A bucket reached by the search, and the entry whose other bucket it is. */
struct search_node {
	uint32_t bucket;
	int16_t parent; /* in the queue, -1: one of the two buckets of the new entry */
	uint16_t slot;  /* in the parent's bucket */
};

static inline uint16_t
hash_tag(uint64_t hash)
{
	uint16_t tag = (uint16_t)(hash >> 48);

	return (uint16_t)(tag + (tag == 0));
}

/* The partner of `bucket` for a tag. H(tag) is the tag spread over 32 bits by an
 * odd constant and scaled to [0, n); H - b mod n maps each of the two buckets to
 * the other. Where 2b = H an entry has one bucket only: 1 in n. */
static inline uint32_t
other_bucket(const struct flow_table *t, uint32_t bucket, uint16_t tag)
{
	uint32_t spread = (uint32_t)tag * 0x9e3779b1u;
	uint32_t home = (uint32_t)((uint64_t)spread * t->bucket_count >> 32);

	return home - bucket + (home < bucket ? t->bucket_count : 0);
}

/* Bit i: slot i carries this tag. */
static inline uint32_t
match_tags(const struct flow_bucket *b, uint16_t tag)
{
#if defined(__SSE2__)
	__m128i tags = _mm_load_si128((const __m128i *)(const void *)b->tag);
	__m128i equal = _mm_cmpeq_epi16(tags, _mm_set1_epi16((short)tag));

	return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128()));
#else
	uint32_t mask = 0;

	for (uint32_t i = 0; i < FLOW_BUCKET_SLOTS; i++)
		mask |= (uint32_t)(b->tag[i] == tag) << i;
	return mask;
#endif
}

static inline const struct flow_key *
block_key(const struct flow_table *t, uint32_t index)
{
	return (const struct flow_key *)(const void *)(t->blocks +
						       (uint64_t)index * FLOW_BLOCK_STRIDE);
}

/* Bit i: slot i carries this block. */
static inline uint32_t
match_index(const struct flow_bucket *b, uint32_t index)
{
#if defined(__SSE2__)
	const __m128i *indices = (const __m128i *)(const void *)b->index;
	__m128i want = _mm_set1_epi32((int)index);
	__m128i low = _mm_cmpeq_epi32(_mm_loadu_si128(indices), want);
	__m128i high = _mm_cmpeq_epi32(_mm_loadu_si128(indices + 1), want);
	__m128i equal = _mm_packs_epi32(low, high);

	return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128()));
#else
	uint32_t mask = 0;

	for (uint32_t i = 0; i < FLOW_BUCKET_SLOTS; i++)
		mask |= (uint32_t)(b->index[i] == index) << i;
	return mask;
#endif
}

size_t
flow_table_memsize(uint32_t capacity)
{
	uint64_t buckets = ((uint64_t)capacity * 10 + ENTRIES_PER_TEN - 1) / ENTRIES_PER_TEN;

	return (buckets + BUCKETS_EXTRA) * sizeof(struct flow_bucket);
}

int
flow_table_init(struct flow_table *t, void *mem, size_t len, const void *blocks, uint32_t capacity)
{
	size_t size = flow_table_memsize(capacity);

	if (capacity == 0 || (uintptr_t)mem % PMTCP_CACHE_LINE != 0 || len < size)
		return -EINVAL;
	memset(mem, 0, size);
	*t = (struct flow_table){
			.buckets = mem,
			.blocks = blocks,
			.bucket_count = (uint32_t)(size / sizeof(struct flow_bucket)),
	};
	return 0;
}

void
flow_table_prefetch_both(const struct flow_table *t, uint64_t hash)
{
	uint32_t bucket = flow_table_bucket(t, hash);

	__builtin_prefetch(&t->buckets[bucket]);
	__builtin_prefetch(&t->buckets[other_bucket(t, bucket, hash_tag(hash))]);
}

uint32_t
flow_table_foresee(const struct flow_table *t, uint64_t hash)
{
	uint32_t bucket = flow_table_bucket(t, hash);
	const struct flow_bucket *b = &t->buckets[bucket];
	uint32_t mask = match_tags(b, hash_tag(hash));

	if (mask != 0) {
		uint32_t index = b->index[__builtin_ctz(mask)];

		__builtin_prefetch(block_key(t, index), 1);
		return index;
	}
	if (is_unlikely(b->away != 0))
		__builtin_prefetch(&t->buckets[other_bucket(t, bucket, hash_tag(hash))]);
	return 0;
}

/* The one of the slots in `mask` whose block has the key, or 0. */
static inline uint32_t
match_key(const struct flow_table *t, const struct flow_bucket *b, uint32_t mask,
		const struct flow_key *key)
{
	for (; mask != 0; mask &= mask - 1) {
		uint32_t index = b->index[__builtin_ctz(mask)];

		if (is_likely(flow_key_equal(block_key(t, index), key)))
			return index;
	}
	return 0;
}

uint32_t
flow_table_lookup(const struct flow_table *t, uint64_t hash, const struct flow_key *key)
{
	uint16_t tag = hash_tag(hash);
	uint32_t bucket = flow_table_bucket(t, hash);
	const struct flow_bucket *b = &t->buckets[bucket];
	uint32_t index = match_key(t, b, match_tags(b, tag), key);

	if (is_likely(index != 0 || b->away == 0))
		return index;
	b = &t->buckets[other_bucket(t, bucket, tag)];
	return match_key(t, b, match_tags(b, tag), key);
}

/* Up to FLOW_BULK_MAX hashes in two sweeps, each of which starts the misses of what comes next:
 * tags of the first buckets; tags of the other bucket, only for those without a match in a first
 * one whose entries are not all there. Most entries lie in their first bucket, so a hit seldom
 * costs a third line. */
static void
hint_some(const struct flow_table *t, const uint64_t *hash, uint32_t *index, uint32_t n)
{
	const struct flow_bucket *buckets = t->buckets;
	uint32_t open[FLOW_BULK_MAX];
	uint32_t open_count = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t bucket = flow_table_bucket(t, hash[i]);
		const struct flow_bucket *b = &buckets[bucket];
		uint32_t mask = match_tags(b, hash_tag(hash[i]));

		if (is_likely(mask != 0)) {
			index[i] = b->index[__builtin_ctz(mask)];
			__builtin_prefetch(block_key(t, index[i]));
			continue;
		}
		index[i] = 0;
		if (is_likely(b->away == 0))
			continue;
		/* Until the next sweep the place of the answer tells where to look. */
		index[i] = other_bucket(t, bucket, hash_tag(hash[i]));
		open[open_count++] = i;
		__builtin_prefetch(&buckets[index[i]]);
	}
	for (uint32_t j = 0; j < open_count; j++) {
		uint32_t i = open[j];
		const struct flow_bucket *b = &buckets[index[i]];
		uint32_t mask = match_tags(b, hash_tag(hash[i]));

		index[i] = mask != 0 ? b->index[__builtin_ctz(mask)] : 0;
		__builtin_prefetch(block_key(t, index[i]));
	}
}

void
flow_table_hint_bulk(const struct flow_table *t, const uint64_t *hash, uint32_t *index, uint16_t n)
{
	for (uint32_t done = 0; done < n; done += FLOW_BULK_MAX)
		hint_some(t, hash + done, index + done, min_u32(n - done, FLOW_BULK_MAX));
}

/* A tag that belongs to another key (8 in 65536) takes the way of a single lookup. */
void
flow_table_lookup_bulk(const struct flow_table *t, const uint64_t *hash,
		const struct flow_key *const *key, uint32_t *index, uint16_t n)
{
	flow_table_hint_bulk(t, hash, index, n);
	for (uint32_t i = 0; i < n; i++) {
		if (index[i] == 0 || is_likely(flow_key_equal(block_key(t, index[i]), key[i])))
			continue;
		index[i] = flow_table_lookup(t, hash[i], key[i]);
	}
}

static inline void
bucket_set(struct flow_bucket *b, uint32_t slot, uint16_t tag, uint32_t index)
{
	b->tag[slot] = tag;
	b->index[slot] = index;
}

/* The entry in this slot lies not in its first bucket, which is `home`; or does so no more. */
static void
guest_comes(struct flow_bucket *b, uint32_t slot, struct flow_bucket *home)
{
	b->guests |= 1u << slot;
	home->away++;
}

static void
guest_goes(struct flow_bucket *b, uint32_t slot, struct flow_bucket *home)
{
	b->guests &= ~(1u << slot);
	home->away--;
}

/* Moves the entries of the path from a root to queue[*at] one step each, the last
 * one first into slot `to`, and returns the slot of the root, *at, that is free
 * then. No bucket is on a path twice, so none of these moves undoes another. */
static uint32_t
shift_path(struct flow_table *t, const struct search_node *queue, uint32_t *at, uint32_t to)
{
	while (queue[*at].parent >= 0) {
		const struct search_node *node = &queue[*at];
		struct flow_bucket *from = &t->buckets[queue[node->parent].bucket];
		struct flow_bucket *b = &t->buckets[node->bucket];

		bucket_set(b, to, from->tag[node->slot], from->index[node->slot]);
		/* From the one of its two buckets to the other. */
		if (from->guests >> node->slot & 1)
			guest_goes(from, node->slot, b);
		else
			guest_comes(b, to, from);
		to = node->slot;
		*at = (uint32_t)node->parent;
	}
	return to;
}

static bool
path_contains(const struct search_node *queue, int32_t at, uint32_t bucket)
{
	for (; at >= 0; at = queue[at].parent)
		if (queue[at].bucket == bucket)
			return true;
	return false;
}

/* Appends the other buckets of the entries of queue[at], which is full, and starts
 * their misses; returns the new length. */
static uint32_t
search_expand(const struct flow_table *t, struct search_node *queue, uint32_t at, uint32_t length)
{
	const struct flow_bucket *b = &t->buckets[queue[at].bucket];

	for (uint16_t slot = 0; slot < FLOW_BUCKET_SLOTS && length < SEARCH_MAX; slot++) {
		uint32_t other = other_bucket(t, queue[at].bucket, b->tag[slot]);

		if (path_contains(queue, (int32_t)at, other))
			continue;
		__builtin_prefetch(&t->buckets[other]);
		queue[length++] = (struct search_node){other, (int16_t)at, slot};
	}
	return length;
}

/* Both buckets are full: breadth first, the nearest bucket with room is found
 * before anything moves (RES-9: a failure leaves the table as it was). */
static int
insert_by_moving(struct flow_table *t, const uint32_t root[2], uint16_t tag, uint32_t index)
{
	struct search_node queue[SEARCH_MAX];
	uint32_t length = 2;

	queue[0] = (struct search_node){root[0], -1, 0};
	queue[1] = (struct search_node){root[1], -1, 0};
	for (uint32_t at = 0; at < length; at++) {
		uint32_t empty = match_tags(&t->buckets[queue[at].bucket], 0);

		if (empty == 0) {
			length = search_expand(t, queue, at, length);
			continue;
		}
		uint32_t slot = shift_path(t, queue, &at, (uint32_t)__builtin_ctz(empty));
		struct flow_bucket *b = &t->buckets[queue[at].bucket];

		bucket_set(b, slot, tag, index);
		if (queue[at].bucket != root[0])
			guest_comes(b, slot, &t->buckets[root[0]]);
		t->count++;
		return 0;
	}
	return -ENOSPC;
}

/* The first bucket is full. */
static PMTCP_NOINLINE int
insert_beside(struct flow_table *t, uint32_t first, uint16_t tag, uint32_t index)
{
	uint32_t root[2] = {first, other_bucket(t, first, tag)};
	struct flow_bucket *b = &t->buckets[root[1]];
	uint32_t empty = match_tags(b, 0);
	uint32_t slot;

	if (is_unlikely(empty == 0))
		return insert_by_moving(t, root, tag, index);
	slot = (uint32_t)__builtin_ctz(empty);
	bucket_set(b, slot, tag, index);
	guest_comes(b, slot, &t->buckets[first]);
	t->count++;
	return 0;
}

int
flow_table_insert(struct flow_table *t, uint64_t hash, uint32_t index)
{
	uint16_t tag = hash_tag(hash);
	uint32_t bucket = flow_table_bucket(t, hash);
	uint32_t empty = match_tags(&t->buckets[bucket], 0);

	ASSERT(index != 0);
	if (is_unlikely(empty == 0))
		return insert_beside(t, bucket, tag, index);
	bucket_set(&t->buckets[bucket], (uint32_t)__builtin_ctz(empty), tag, index);
	t->count++;
	return 0;
}

/* The bucket and slot that hold this block under this hash; *bucket NULL: none.
 * By the index alone, which is in the table once. */
static uint32_t
find_index(const struct flow_table *t, uint64_t hash, uint32_t index, struct flow_bucket **bucket)
{
	uint32_t first = flow_table_bucket(t, hash);
	struct flow_bucket *b = &t->buckets[first];
	uint32_t mask = match_index(b, index);

	if (is_unlikely(mask == 0)) {
		b = &t->buckets[other_bucket(t, first, hash_tag(hash))];
		mask = match_index(b, index);
	}
	*bucket = mask != 0 && index != 0 ? b : NULL;
	return mask != 0 ? (uint32_t)__builtin_ctz(mask) : 0;
}

/* Not in its first bucket. */
static PMTCP_NOINLINE bool
remove_guest(struct flow_table *t, uint64_t hash, uint32_t index)
{
	struct flow_bucket *b;
	uint32_t slot = find_index(t, hash, index, &b);

	if (b == NULL)
		return false;
	bucket_set(b, slot, 0, 0);
	guest_goes(b, slot, &t->buckets[flow_table_bucket(t, hash)]);
	t->count--;
	return true;
}

bool
flow_table_remove(struct flow_table *t, uint64_t hash, uint32_t index)
{
	struct flow_bucket *b = &t->buckets[flow_table_bucket(t, hash)];
	uint32_t mask = match_index(b, index);

	if (is_unlikely(mask == 0 || index == 0))
		return remove_guest(t, hash, index);
	bucket_set(b, (uint32_t)__builtin_ctz(mask), 0, 0);
	t->count--;
	return true;
}

uint32_t
flow_table_remove_bulk(struct flow_table *t, const uint32_t *hash_lo, uint32_t *index, uint32_t n)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct flow_bucket *b = &t->buckets[flow_table_bucket(t, hash_lo[i])];
		uint32_t mask = match_index(b, index[i]);

		ASSERT(index[i] != 0);
		if (is_likely(mask != 0))
			bucket_set(b, (uint32_t)__builtin_ctz(mask), 0, 0);
		else
			index[left++] = index[i];
	}
	t->count -= n - left;
	return left;
}

bool
flow_table_replace(struct flow_table *t, uint64_t hash, uint32_t old_index, uint32_t new_index)
{
	struct flow_bucket *b;
	uint32_t slot = find_index(t, hash, old_index, &b);

	ASSERT(new_index != 0);
	if (b == NULL)
		return false;
	b->index[slot] = new_index;
	return true;
}

uint32_t
flow_table_neighbours(
		const struct flow_table *t, uint64_t hash, uint32_t index[2 * FLOW_BUCKET_SLOTS])
{
	uint32_t first = flow_table_bucket(t, hash);
	uint32_t bucket[2] = {first, other_bucket(t, first, hash_tag(hash))};
	uint32_t n = 0;

	for (uint32_t i = 0; i < 2 * FLOW_BUCKET_SLOTS; i++) {
		uint32_t at = t->buckets[bucket[i / FLOW_BUCKET_SLOTS]]
					      .index[i % FLOW_BUCKET_SLOTS];

		if (at != 0)
			index[n++] = at;
	}
	return n;
}

static void
check_entry(const struct flow_table *t, const struct siphash_key *secret, uint32_t bucket,
		uint32_t slot)
{
	uint32_t index = t->buckets[bucket].index[slot];
	uint16_t tag = t->buckets[bucket].tag[slot];
	const struct flow_key *key = block_key(t, index);
	uint64_t hash = flow_key_hash(secret, key);
	uint32_t home = flow_table_bucket(t, hash);
	uint32_t other = other_bucket(t, bucket, tag);

	CHECK(index != 0);
	CHECK(tag == hash_tag(hash));
	CHECK(bucket == home || other == home);
	CHECK((t->buckets[bucket].guests >> slot & 1) == (bucket != home));
	CHECK(other < t->bucket_count);
	CHECK(other_bucket(t, other, tag) == bucket);
	/* Of two entries with one key the lookup would find the same one twice. */
	CHECK(flow_table_lookup(t, hash, key) == index);
}

void
flow_table_check(const struct flow_table *t, const struct siphash_key *secret)
{
	uint32_t count = 0, away = 0, guests = 0;

	for (uint32_t bucket = 0; bucket < t->bucket_count; bucket++) {
		const struct flow_bucket *b = &t->buckets[bucket];

		away += b->away;
		guests += (uint32_t)__builtin_popcount(b->guests);
		for (uint32_t slot = 0; slot < FLOW_BUCKET_SLOTS; slot++) {
			if (b->tag[slot] == 0) {
				CHECK(b->index[slot] == 0 && !(b->guests >> slot & 1));
				continue;
			}
			check_entry(t, secret, bucket, slot);
			count++;
		}
		CHECK((b->spare[0] | b->spare[1]) == 0);
	}
	CHECK(count == t->count);
	CHECK(away == guests); /* and no bucket counts too few, or a lookup had failed */
}
