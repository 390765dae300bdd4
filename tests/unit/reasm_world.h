/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* One reassembly queue, its pools, and a model of the stream with one entry per
 * octet: held, value, latest arrival. Segments are fed as packets with headers in
 * front; sequence numbers pass 2^32 early. For the reasm tests alone. */

#ifndef PMTCP_TESTS_UNIT_REASM_WORLD_H
#define PMTCP_TESTS_UNIT_REASM_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "stream/reasm.h"
#include "support/pool.h"

enum {
	ROOM = RTE_PKTMBUF_HEADROOM + 2048,
	MBUF_TRUESIZE = ROOM + sizeof(struct rte_mbuf),
	STREAM_MAX = 40000,
	RECORDS = 200,
};

static const uint32_t START = UINT32_MAX - 5000;

struct octet {
	uint8_t value;
	bool held;
	uint32_t stamp; /* latest arrival, 0 never */
};

struct world {
	struct reasm r;
	struct recpool p;
	struct rte_mempool *pool;
	struct rng rng;
	struct octet *stream; /* octet i has sequence number START + i */
	uint32_t nxt;         /* RCV.NXT - START */
	uint32_t read;        /* octets popped */
	uint32_t stamp;
	uint32_t truesize_max;
	struct reasm_out out;
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
	w->truesize_max = UINT32_MAX;
	reasm_init(&w->r);
}

static inline void
world_end(struct world *w)
{
	reasm_fini(&w->r, &w->p);
	reasm_check(&w->r, &w->p, START + w->nxt);
	assert_true(reasm_is_idle(&w->r));
	assert_int_equal(w->p.in_use, 0);
	assert_int_equal(test_pool_live(w->pool), 0);
	test_pool_destroy(w->pool);
	free(w->p.base);
	free(w->stream);
}

static inline struct rte_mbuf *
mbuf_new(struct world *w, const uint8_t *data, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, len), data, len);
	return m;
}

/* 54 octets of headers, the payload, perhaps some padding; cut into a chain at
 * random places if asked. */
static inline struct rte_mbuf *
packet_new(struct world *w, const uint8_t *data, uint32_t len, bool is_chain)
{
	uint8_t buf[2048];
	uint32_t total = 54 + len + draw(w, 2) * draw(w, 10);
	uint32_t done;
	struct rte_mbuf *m;

	assert_true(total <= sizeof(buf));
	memset(buf, 0xcc, sizeof(buf));
	memcpy(buf + 54, data, len);
	done = is_chain ? draw(w, total + 1) : total;
	m = mbuf_new(w, buf, done);
	while (done < total) {
		uint32_t n = 1 + draw(w, total - done);

		assert_int_equal(rte_pktmbuf_chain(m, mbuf_new(w, buf + done, n)), 0);
		done += n;
	}
	return m;
}

/* The short way of what is next in order. */
static inline int
append_packet(struct world *w, struct rte_mbuf *m, uint32_t len)
{
	reasm_append(&w->r, m, 54, len);
	w->nxt += len;
	w->out = (struct reasm_out){.rcv_nxt = START + w->nxt, .took = true};
	reasm_check(&w->r, &w->p, w->out.rcv_nxt);
	return REASM_IN_ORDER;
}

/* Feeds octets [from, from + len) with these values; the packet may be shared. What is next
 * in order goes either way. */
static inline int
feed_packet(struct world *w, struct rte_mbuf *m, uint32_t from, uint32_t len)
{
	struct reasm_in in = {
			.m = m,
			.off = 54,
			.seq = START + from,
			.len = len,
			.rcv_nxt = START + w->nxt,
			.truesize_max = w->truesize_max,
	};
	int verdict;

	if (from == w->nxt && reasm_is_in_order(&w->r) && draw(w, 2) == 0)
		return append_packet(w, m, len);
	verdict = reasm_insert(&w->r, &w->p, &in, &w->out);
	w->nxt = w->out.rcv_nxt - START;
	assert_int_equal(w->out.took, verdict == REASM_IN_ORDER || verdict == REASM_QUEUED);
	if (!w->out.took)
		rte_pktmbuf_free(m);
	reasm_check(&w->r, &w->p, w->out.rcv_nxt);
	return verdict;
}

/* The same with the model's own values: an honest sender. */
static inline int
feed(struct world *w, uint32_t from, uint32_t len)
{
	uint8_t data[2048];
	uint32_t i;

	for (i = 0; i < len; i++)
		data[i] = w->stream[from + i].value;
	return feed_packet(w, packet_new(w, data, len, false), from, len);
}

static inline void
values_draw(struct world *w)
{
	uint32_t i;

	for (i = 0; i < STREAM_MAX; i++)
		w->stream[i].value = rng_next(&w->rng);
}

/* Pops up to n mbufs and compares them with the model. */
static inline void
drain(struct world *w, uint16_t n)
{
	struct rte_mbuf *pkts[32];
	uint16_t got = reasm_recv(&w->r, pkts, n);
	uint16_t k;
	uint32_t i;

	assert_true(got <= n);
	for (k = 0; k < got; k++) {
		const uint8_t *data = rte_pktmbuf_mtod(pkts[k], const uint8_t *);

		assert_null(pkts[k]->next);
		assert_int_equal(pkts[k]->nb_segs, 1);
		assert_int_equal(pkts[k]->pkt_len, pkts[k]->data_len);
		for (i = 0; i < pkts[k]->data_len; i++)
			assert_int_equal(data[i], w->stream[w->read++].value);
		rte_pktmbuf_free(pkts[k]);
	}
	assert_true(w->read <= w->nxt);
}

/* Copies out up to len octets and compares them with the model. */
static inline void
drain_copy(struct world *w, uint32_t len)
{
	uint8_t buf[3000];
	uint32_t want = min_u32(len, reasm_unread(&w->r));
	uint32_t i;

	assert_true(len <= sizeof(buf));
	assert_int_equal(reasm_read(&w->r, buf, len), want);
	for (i = 0; i < want; i++)
		assert_int_equal(buf[i], w->stream[w->read++].value);
	reasm_check(&w->r, &w->p, START + w->nxt);
}

static inline void
drain_all(struct world *w)
{
	while (reasm_unread(&w->r) > 0)
		drain(w, 32);
	assert_int_equal(w->read, w->nxt);
	drain(w, 32);
}

#endif /* PMTCP_TESTS_UNIT_REASM_WORLD_H */
