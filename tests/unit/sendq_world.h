/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* One send queue, its pools, and a model of the stream with one entry per octet.
 * Sequence numbers and microseconds pass 2^32 early. For the sendq tests alone. */

#ifndef PMTCP_TESTS_UNIT_SENDQ_WORLD_H
#define PMTCP_TESTS_UNIT_SENDQ_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "stream/sendq.h"
#include "support/pool.h"

enum {
	ROOM = RTE_PKTMBUF_HEADROOM + 512,
	STREAM_MAX = 200000,
	FLYING_MAX = 8,
	RECORDS = 64,
	STEPS = 3000,
};

static const uint32_t START = UINT32_MAX - 20000;

struct octet {
	uint8_t value;
	uint8_t flags;
	uint32_t sent_us;
};

struct flying {
	struct rte_mbuf *hdr;
	uint32_t seq;
	uint32_t len;
};

struct world {
	struct sendq q;
	struct recpool p;
	struct rte_mempool *pool;
	struct rng rng;
	struct octet *stream; /* octet i has sequence number START + i */
	uint32_t una, nxt, end;
	uint32_t now_us;
	struct flying flying[FLYING_MAX];
};

static inline uint32_t
draw(struct world *w, uint32_t bound)
{
	return (uint32_t)rng_below(&w->rng, bound);
}

static inline void
world_make(struct world *w, uint64_t seed, uint32_t records)
{
	memset(w, 0, sizeof(*w));
	rng_seed(&w->rng, seed);
	w->pool = test_pool_create(ROOM);
	w->stream = calloc(STREAM_MAX, sizeof(*w->stream));
	assert_non_null(w->stream);
	recpool_init(&w->p, aligned_alloc(RECPOOL_REC_SIZE, recpool_memsize(records)), records);
	w->now_us = UINT32_MAX - 1000;
	sendq_init(&w->q, START);
}

static inline void
world_end(struct world *w)
{
	sendq_fini(&w->q, &w->p);
	sendq_check(&w->q, &w->p);
	assert_true(sendq_is_empty(&w->q));
	assert_int_equal(w->p.in_use, 0);
	assert_int_equal(test_pool_live(w->pool), 0);
	test_pool_destroy(w->pool);
	free(w->p.base);
	free(w->stream);
}

/* One more octet of the stream. */
static inline uint8_t
octet_new(struct world *w)
{
	uint8_t value = rng_next(&w->rng);

	assert_true(w->end < STREAM_MAX);
	w->stream[w->end++].value = value;
	return value;
}

static inline struct rte_mbuf *
mbuf_new(struct world *w, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	uint8_t *data;
	uint32_t i;

	assert_non_null(m);
	data = (uint8_t *)rte_pktmbuf_append(m, len);
	for (i = 0; i < len; i++)
		data[i] = octet_new(w);
	return m;
}

static inline void
stream_compare(const struct world *w, uint32_t seq, const uint8_t *data, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		assert_int_equal(data[i], w->stream[seq - START + i].value);
}

#endif /* PMTCP_TESTS_UNIT_SENDQ_WORLD_H */
