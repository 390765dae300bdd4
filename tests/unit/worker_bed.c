/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A worker under test; see worker_bed.h. */

#include "worker_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_ethdev.h>

struct pmtcp_conf init_conf;
int init_result;
struct link link_ring;

size_t
pmtcp_ctx_memsize(const struct pmtcp_conf *conf)
{
	return sizeof(struct pmtcp_ctx);
}

int
pmtcp_ctx_init(void *mem, size_t len, const struct pmtcp_conf *conf, struct pmtcp_ctx **ctx)
{
	assert_int_equal((uintptr_t)mem % PMTCP_CTX_ALIGN, 0);
	assert_true(len >= sizeof(struct pmtcp_ctx));
	init_conf = *conf;
	if (init_result != 0)
		return init_result;
	*ctx = mem;
	assert_int_equal((*ctx)->n_inputs, 0); /* memory is zero */
	(*ctx)->pool = conf->pool;
	(*ctx)->deadline_ns = UINT64_MAX;
	return 0;
}

void
pmtcp_ctx_fini(struct pmtcp_ctx *ctx)
{
}

void
pmtcp_input(struct pmtcp_ctx *ctx, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t n)
{
	assert_true(now_ns >= ctx->now_ns);
	ctx->now_ns = now_ns;
	for (uint16_t i = 0; i < n; i++) {
		if (ctx->n_inputs < INPUTS_MAX)
			memcpy(&ctx->inputs[ctx->n_inputs++], rte_pktmbuf_mtod(pkts[i], void *), 4);
		rte_pktmbuf_free(pkts[i]);
	}
}

void
pmtcp_input_handed(struct pmtcp_ctx *ctx, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t handed,
		uint16_t n)
{
	fail();
}

/* It is alone: nothing is another's. */
uint16_t
pmtcp_misdirected(struct pmtcp_ctx *ctx, struct rte_mbuf **pkts, uint16_t *owners, uint16_t n)
{
	return 0;
}

void
pmtcp_misdirected_drop(struct pmtcp_ctx *ctx, struct rte_mbuf **pkts, uint16_t n)
{
}

uint16_t
pmtcp_neigh_learned(struct pmtcp_ctx *ctx, struct pmtcp_neigh *out, uint16_t n)
{
	return 0;
}

void
pmtcp_neigh_update(struct pmtcp_ctx *ctx, uint64_t now_ns, const struct pmtcp_neigh *neigh)
{
}

void
pmtcp_tick(struct pmtcp_ctx *ctx, uint64_t now_ns)
{
	assert_true(now_ns >= ctx->now_ns);
	ctx->now_ns = now_ns;
	ctx->ticks++;
	if (ctx->deadline_ns <= now_ns)
		ctx->deadline_ns = UINT64_MAX;
}

uint64_t
pmtcp_deadline(const struct pmtcp_ctx *ctx)
{
	return ctx->next_output < ctx->end_output ? 0 : ctx->deadline_ns;
}

static struct rte_mbuf *
make_frame(struct rte_mempool *pool, uint32_t number)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	if (m == NULL)
		return NULL;
	memset(rte_pktmbuf_append(m, FRAME_LEN), 0, FRAME_LEN);
	memcpy(rte_pktmbuf_mtod(m, void *), &number, 4);
	return m;
}

uint16_t
pmtcp_output(struct pmtcp_ctx *ctx, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t k = 0;

	while (k < n && ctx->next_output < ctx->end_output) {
		pkts[k] = make_frame(ctx->pool, ctx->next_output);
		if (pkts[k] == NULL)
			break;
		ctx->next_output++;
		k++;
	}
	return k;
}

void
pmtcp_set_pressure(struct pmtcp_ctx *ctx, uint16_t free_permille)
{
	ctx->pressure = free_permille;
}

void
pmtcp_stats(const struct pmtcp_ctx *ctx, struct pmtcp_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
}

void
pmtcp_stats_add(struct pmtcp_stats *sum, const struct pmtcp_stats *stats)
{
}

const char *
pmtcp_counter_name(enum pmtcp_counter c)
{
	return "counter";
}

/* ---- the bed --------------------------------------------------------------- */

int
bed_try(struct bed *bed, const struct pmtcp_conf *conf, const struct pmtcp_worker_opts *opts)
{
	int ret = pmtcp_worker_create(link_ring.ports[0], 0, conf, opts, &bed->w);

	if (ret != 0)
		return ret;
	bed->ctx = pmtcp_worker_ctx(bed->w);
	bed->far = pmtcp_port_id(link_ring.ports[1]);
	return 0;
}

void
bed_open(struct bed *bed, const struct pmtcp_worker_opts *opts)
{
	const struct pmtcp_conf conf = {.n_ranges = 1};

	assert_int_equal(bed_try(bed, &conf, opts), 0);
}

uint32_t
far_receive(struct bed *bed, uint32_t *numbers, uint32_t max)
{
	struct rte_mbuf *m;
	uint32_t n;

	for (n = 0; n < max && rte_eth_rx_burst(bed->far, 0, &m, 1) == 1; n++) {
		memcpy(&numbers[n], rte_pktmbuf_mtod(m, void *), 4);
		rte_pktmbuf_free(m);
	}
	return n;
}

void
far_send(struct bed *bed, uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *m = make_frame(
				pmtcp_port_pool(link_ring.ports[1], 0, false), first + i);

		assert_non_null(m);
		assert_int_equal(rte_eth_tx_burst(bed->far, 0, &m, 1), 1);
	}
}

void
bed_close(struct bed *bed)
{
	uint32_t scratch[64];

	pmtcp_worker_destroy(bed->w);
	while (far_receive(bed, scratch, 64) > 0)
		continue;
	for (int i = 0; i < 2; i++) {
		for (int ctl = 0; ctl < 2; ctl++) {
			struct rte_mempool *pool = pmtcp_port_pool(link_ring.ports[i], 0, ctl);

			assert_int_equal(rte_mempool_avail_count(pool), pool->size);
		}
	}
}

struct pmtcp_worker_stats
stats_of(const struct bed *bed)
{
	struct pmtcp_worker_stats stats;

	pmtcp_worker_stats(bed->w, &stats);
	return stats;
}

int
bed_link_open(void **state)
{
	const struct link_conf conf = {.word = "ring", .program = "test_worker", .bufs = 4000};

	return link_open(&conf, &link_ring);
}

int
bed_link_close(void **state)
{
	link_close(&link_ring);
	return 0;
}
