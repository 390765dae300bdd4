/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* How fast does the flow table find, take in and give up connections, compared
 * with rte_hash? Both in memory of the same kind, asked for the same keys in the
 * same random order, by turns. Our time includes the keyed hash and the key
 * compare in the block, that is the miss on the block's line; rte_hash hashes by
 * CRC32 and compares in its own key store, and its user's miss on the block comes
 * on top. Results of each run are compared with what was put in. */

#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_lcore.h>

#include "bench.h"
#include "flow/flow_table.h"

enum {
	SEED = 1,
	BURST = 32,
	QUERIES_MAX = 4000000,
	QUERIES_MIN = 1000000,
};

/* The last two are the first and the fourth as the stack asks them: it has a whole
 * burst before it and starts the misses of all. rte_hash has no such call; it is
 * compared by its plain ones. */
enum question { INSERT, LOOKUP, BULK, DELETE, INSERT_BURST, DELETE_BURST, QUESTIONS };

static const char *const names[QUESTIONS] = {
		"insert", "lookup", "bulk", "delete", "insert_burst", "delete_burst"};
static const char *const our_names[QUESTIONS] = {"flow_table.insert", "flow_table.lookup",
		"flow_table.bulk", "flow_table.delete", "flow_table.insert_burst",
		"flow_table.delete_burst"};
static const char *const their_names[QUESTIONS] = {"rte_hash.insert", "rte_hash.lookup",
		"rte_hash.bulk", "rte_hash.delete", "rte_hash.insert", "rte_hash.delete"};

/* One size: n connections in blocks 1 .. n, and the order in which they come. */
struct world {
	uint32_t n;
	uint32_t rounds;  /* inserts and deletes of all n per run */
	uint32_t queries; /* a multiple of BURST */
	uint8_t *blocks;
	uint32_t *insert_order;
	uint32_t *delete_order;
	uint32_t *want;               /* block of each query */
	struct flow_key *insert_keys; /* in that order, as parsed segments have them */
	struct flow_key *delete_keys;
	struct flow_key *ask; /* its key, as a parsed segment would have it */
	int32_t *position;    /* rte_hash: of each block's key */
	struct siphash_key secret;
	struct flow_table t;
	void *table_mem;
	struct rte_hash *hash;
};

static struct flow_key *
block_key(const struct world *w, uint32_t index)
{
	return (struct flow_key *)(void *)(w->blocks + (size_t)index * FLOW_BLOCK_STRIDE);
}

static void
world_create(struct world *w, uint32_t n, bool is_quick)
{
	struct rte_hash_parameters params = {.name = "bench",
			.entries = n,
			.key_len = sizeof(struct flow_key),
			.hash_func = rte_hash_crc,
			.hash_func_init_val = SEED,
			.socket_id = (int)rte_socket_id()};
	struct rng r;

	memset(w, 0, sizeof(*w));
	rng_seed(&r, SEED);
	w->n = n;
	w->rounds = n >= 100000 || is_quick ? 1 : 100000 / n;
	w->queries = is_quick ? 320000 : min_u32(max_u32(n, QUERIES_MIN), QUERIES_MAX);
	w->blocks = bench_alloc(((size_t)n + 1) * FLOW_BLOCK_STRIDE);
	w->insert_order = bench_permutation(n, SEED + 1);
	w->delete_order = bench_permutation(n, SEED + 2);
	w->want = bench_alloc(w->queries * sizeof(*w->want));
	w->ask = bench_alloc(w->queries * sizeof(*w->ask));
	w->position = bench_alloc(((size_t)n + 1) * sizeof(*w->position));
	w->secret = (struct siphash_key){rng_next(&r), rng_next(&r)};
	for (uint32_t i = 1; i <= n; i++)
		*block_key(w, i) = (struct flow_key){.laddr = 0x0100000a,
				.raddr = 0x0200000a + (i >> 16 << 8),
				.lport = 80,
				.rport = (uint16_t)i};
	for (uint32_t i = 0; i < w->queries; i++) {
		w->want[i] = 1 + (uint32_t)rng_below(&r, n);
		w->ask[i] = *block_key(w, w->want[i]);
	}
	w->insert_keys = bench_alloc((size_t)n * sizeof(*w->insert_keys));
	w->delete_keys = bench_alloc((size_t)n * sizeof(*w->delete_keys));
	for (uint32_t i = 0; i < n; i++) {
		w->insert_keys[i] = *block_key(w, w->insert_order[i]);
		w->delete_keys[i] = *block_key(w, w->delete_order[i]);
	}
	w->table_mem = bench_alloc(flow_table_memsize(n));
	BENCH_VERIFY(flow_table_init(&w->t, w->table_mem, flow_table_memsize(n), w->blocks, n) ==
			0);
	w->hash = rte_hash_create(&params);
	BENCH_VERIFY(w->hash != NULL);
}

static void
world_free(struct world *w)
{
	rte_hash_free(w->hash);
	rte_free(w->table_mem);
	rte_free(w->delete_keys);
	rte_free(w->insert_keys);
	rte_free(w->position);
	rte_free(w->ask);
	rte_free(w->want);
	rte_free(w->delete_order);
	rte_free(w->insert_order);
	rte_free(w->blocks);
}

static uint64_t
ours_insert(struct world *w)
{
	uint64_t start = rte_rdtsc();
	uint32_t failed = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		uint64_t hash = flow_key_hash(&w->secret, &w->insert_keys[i]);

		failed += flow_table_insert(&w->t, hash, w->insert_order[i]) != 0;
	}
	BENCH_VERIFY(failed == 0);
	return rte_rdtsc() - start;
}

static uint64_t
ours_lookup(struct world *w)
{
	uint64_t start = rte_rdtsc();
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < w->queries; i++) {
		uint64_t hash = flow_key_hash(&w->secret, &w->ask[i]);

		wrong += flow_table_lookup(&w->t, hash, &w->ask[i]) != w->want[i];
	}
	BENCH_VERIFY(wrong == 0);
	return rte_rdtsc() - start;
}

static uint64_t
ours_bulk(struct world *w)
{
	uint64_t start = rte_rdtsc();
	const struct flow_key *key[BURST];
	uint64_t hash[BURST];
	uint32_t index[BURST];
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < w->queries; i += BURST) {
		for (uint32_t j = 0; j < BURST; j++) {
			key[j] = &w->ask[i + j];
			hash[j] = flow_key_hash(&w->secret, key[j]);
			flow_table_prefetch(&w->t, hash[j]);
		}
		flow_table_lookup_bulk(&w->t, hash, key, index, BURST);
		for (uint32_t j = 0; j < BURST; j++)
			wrong += index[j] != w->want[i + j];
	}
	BENCH_VERIFY(wrong == 0);
	return rte_rdtsc() - start;
}

static uint64_t
ours_delete(struct world *w)
{
	uint64_t start = rte_rdtsc();
	uint32_t failed = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		uint64_t hash = flow_key_hash(&w->secret, &w->delete_keys[i]);

		failed += !flow_table_remove(&w->t, hash, w->delete_order[i]);
	}
	BENCH_VERIFY(failed == 0);
	return rte_rdtsc() - start;
}

/* Hashes a burst of keys and asks for their buckets; returns its length. */
static uint32_t
burst_prepare(const struct world *w, const struct flow_key *keys, uint32_t at, uint64_t *hash)
{
	uint32_t n = min_u32(BURST, w->n - at);

	for (uint32_t j = 0; j < n; j++) {
		hash[j] = flow_key_hash(&w->secret, &keys[at + j]);
		flow_table_prefetch(&w->t, hash[j]);
	}
	return n;
}

static uint64_t
ours_insert_burst(struct world *w)
{
	uint64_t start = rte_rdtsc();
	uint64_t hash[BURST];
	uint32_t failed = 0;

	for (uint32_t i = 0; i < w->n; i += BURST) {
		uint32_t n = burst_prepare(w, w->insert_keys, i, hash);

		for (uint32_t j = 0; j < n; j++)
			failed += flow_table_insert(&w->t, hash[j], w->insert_order[i + j]) != 0;
	}
	BENCH_VERIFY(failed == 0);
	return rte_rdtsc() - start;
}

static uint64_t
ours_delete_burst(struct world *w)
{
	uint64_t start = rte_rdtsc();
	uint64_t hash[BURST];
	uint32_t failed = 0;

	for (uint32_t i = 0; i < w->n; i += BURST) {
		uint32_t n = burst_prepare(w, w->delete_keys, i, hash);

		for (uint32_t j = 0; j < n; j++)
			failed += !flow_table_remove(&w->t, hash[j], w->delete_order[i + j]);
	}
	BENCH_VERIFY(failed == 0);
	return rte_rdtsc() - start;
}

static uint64_t
their_insert(struct world *w)
{
	uint64_t start = rte_rdtsc();
	uint32_t failed = 0;

	/* The position is of use at the lookups; writing it down is not counted. */
	for (uint32_t i = 0; i < w->n; i++)
		failed += rte_hash_add_key(w->hash, &w->insert_keys[i]) < 0;
	BENCH_VERIFY(failed == 0);
	start = rte_rdtsc() - start;
	for (uint32_t i = 1; i <= w->n; i++)
		w->position[i] = rte_hash_lookup(w->hash, block_key(w, i));
	return start;
}

static uint64_t
their_lookup(struct world *w)
{
	uint64_t start = rte_rdtsc();
	int64_t sum = 0;

	for (uint32_t i = 0; i < w->queries; i++)
		sum += rte_hash_lookup(w->hash, &w->ask[i]);
	start = rte_rdtsc() - start;
	for (uint32_t i = 0; i < w->queries; i++)
		sum -= w->position[w->want[i]];
	BENCH_VERIFY(sum == 0);
	return start;
}

static uint64_t
their_bulk(struct world *w)
{
	uint64_t start = rte_rdtsc();
	const void *key[BURST];
	int32_t position[BURST];
	int64_t sum = 0;

	for (uint32_t i = 0; i < w->queries; i += BURST) {
		for (uint32_t j = 0; j < BURST; j++)
			key[j] = &w->ask[i + j];
		BENCH_VERIFY(rte_hash_lookup_bulk(w->hash, key, BURST, position) == 0);
		for (uint32_t j = 0; j < BURST; j++)
			sum += position[j];
	}
	start = rte_rdtsc() - start;
	for (uint32_t i = 0; i < w->queries; i++)
		sum -= w->position[w->want[i]];
	BENCH_VERIFY(sum == 0);
	return start;
}

static uint64_t
their_delete(struct world *w)
{
	uint64_t start = rte_rdtsc();
	uint32_t failed = 0;

	for (uint32_t i = 0; i < w->n; i++)
		failed += rte_hash_del_key(w->hash, &w->delete_keys[i]) < 0;
	BENCH_VERIFY(failed == 0);
	return rte_rdtsc() - start;
}

/* One side, one run: fill, ask, empty; small tables often enough to be timed. */
static void
run_side(struct world *w, uint64_t (*const ask[QUESTIONS])(struct world *), uint64_t *cycles)
{
	memset(cycles, 0, QUESTIONS * sizeof(*cycles));
	for (uint32_t round = 0; round < w->rounds; round++) {
		cycles[INSERT] += ask[INSERT](w);
		if (round == 0) {
			cycles[LOOKUP] = ask[LOOKUP](w);
			cycles[BULK] = ask[BULK](w);
		}
		cycles[DELETE] += ask[DELETE](w);
		if (ask[INSERT_BURST] == NULL)
			continue;
		cycles[INSERT_BURST] += ask[INSERT_BURST](w);
		cycles[DELETE_BURST] += ask[DELETE_BURST](w);
	}
}

static void
bench_size(uint32_t n, bool is_quick)
{
	static uint64_t (*const ours_ask[QUESTIONS])(struct world *) = {ours_insert, ours_lookup,
			ours_bulk, ours_delete, ours_insert_burst, ours_delete_burst};
	static uint64_t (*const their_ask[QUESTIONS])(struct world *) = {
			their_insert, their_lookup, their_bulk, their_delete, NULL, NULL};
	struct bench_case ours[QUESTIONS], theirs[QUESTIONS];
	uint64_t cycles[2][QUESTIONS];
	char extra[96];
	struct world w;

	world_create(&w, n, is_quick);
	for (int q = 0; q < QUESTIONS; q++) {
		ours[q] = (struct bench_case){.name = our_names[q], .size = n};
		theirs[q] = (struct bench_case){.name = their_names[q], .size = n};
	}
	/* Run 0 warms up. */
	for (int run = 0; run <= BENCH_RUNS; run++) {
		run_side(&w, ours_ask, cycles[0]);
		run_side(&w, their_ask, cycles[1]);
		cycles[1][INSERT_BURST] = cycles[1][INSERT];
		cycles[1][DELETE_BURST] = cycles[1][DELETE];
		for (int q = 0; q < QUESTIONS && run > 0; q++) {
			uint64_t ops = q == LOOKUP || q == BULK ? w.queries
								: (uint64_t)n * w.rounds;

			bench_add(&ours[q], cycles[0][q], ops);
			bench_add(&theirs[q], cycles[1][q], ops);
		}
	}
	for (int q = 0; q < QUESTIONS; q++) {
		snprintf(extra, sizeof(extra), "load=%.2f burst=%d seed=%d",
				(double)n / (w.t.bucket_count * FLOW_BUCKET_SLOTS),
				q >= BULK && q != DELETE ? BURST : 1, SEED);
		bench_report(&ours[q], extra);
		snprintf(extra, sizeof(extra), "burst=%d seed=%d", q == BULK ? BURST : 1, SEED);
		if (q <= DELETE)
			bench_report(&theirs[q], extra);
	}
	for (int q = 0; q < QUESTIONS; q++)
		bench_report_ratio(names[q], &ours[q], &theirs[q]);
	world_free(&w);
}

int
main(int argc, char **argv)
{
	static const uint32_t sizes[] = {1000, 100000, 1000000, 10000000};
	bool is_quick = bench_is_quick(argc, argv);

	bench_start(argv[0], is_quick ? 256 : 2560);
	for (uint32_t i = 0; i < (is_quick ? 2 : PMTCP_ARRAY_SIZE(sizes)); i++)
		if (bench_is_asked(argc, argv, sizes[i]))
			bench_size(sizes[i], is_quick);
	return 0;
}
