/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A hand-made struct rte_mempool with cache_size == 0, so that each get and put
 * goes straight to the operations below: malloc and free. Fresh packet room is
 * filled with a fixed pattern: bytes that a sender forgets to write are then
 * wrong in the same way in each run, and never right by chance. */

#include "support/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mempool.h>

#include "base/base.h"
#include "base/check.h"

#define OPS_NAME     "pmtcp_test_malloc"
#define POOL_SIZE    (1u << 24)
#define FRESH_BYTE   0xa5
#define MAGIC_LIVE   0x6d627566u
#define MBUF_ALIGN   64u
#define HEADER_BYTES 128u

struct pool_state {
	struct elem *oldest;
	struct elem *newest;
	uint64_t n_allocs;
	uint32_t n_live;
	uint32_t fail_after;
	uint32_t fail_every;
	uint32_t n_requests; /* since fail_every was set */
};

/* Lies right before the mbuf: DPDK finds objhdr by subtraction. */
struct elem {
	struct elem *prev;
	struct elem *next;
	uint64_t magic;
	struct rte_mempool_objhdr hdr;
};
STATIC_ASSERT(sizeof(struct elem) <= HEADER_BYTES);
STATIC_ASSERT(HEADER_BYTES % MBUF_ALIGN == 0);

/* DPDK expects the private part right behind a mempool without caches. */
struct pool {
	struct rte_mempool mp;
	struct rte_pktmbuf_pool_private priv;
	struct pool_state state;
};
STATIC_ASSERT(offsetof(struct pool, priv) == sizeof(struct rte_mempool));

/* Present only in programs built with AddressSanitizer. */
void __asan_describe_address(void *addr) __attribute__((weak));

static struct elem *
elem_of(void *obj)
{
	return (struct elem *)((char *)obj - sizeof(struct elem));
}

static void *
elem_start(struct elem *e)
{
	return (char *)(e + 1) - HEADER_BYTES;
}

static struct pool_state *
state_of(const struct rte_mempool *mp)
{
	return mp->pool_data;
}

static void *
elem_create(struct rte_mempool *mp)
{
	struct pool_state *st = state_of(mp);
	struct elem *e;
	void *start;

	if (posix_memalign(&start, MBUF_ALIGN, HEADER_BYTES + mp->elt_size) != 0)
		return NULL;
	memset(start, FRESH_BYTE, HEADER_BYTES + mp->elt_size);
	e = (struct elem *)((char *)start + HEADER_BYTES) - 1;
	*e = (struct elem){.prev = st->newest, .magic = MAGIC_LIVE, .hdr.mp = mp};
	e->hdr.iova = (uintptr_t)(e + 1);
	if (st->newest != NULL)
		st->newest->next = e;
	else
		st->oldest = e;
	st->newest = e;
	st->n_live++;
	rte_pktmbuf_init(mp, NULL, e + 1, 0);
	return e + 1;
}

static void
elem_destroy(struct rte_mempool *mp, void *obj)
{
	struct pool_state *st = state_of(mp);
	struct elem *e = elem_of(obj);

	CHECK(e->magic == MAGIC_LIVE);
	CHECK(e->hdr.mp == mp);
	e->magic = 0;
	if (e->prev != NULL)
		e->prev->next = e->next;
	else
		st->oldest = e->next;
	if (e->next != NULL)
		e->next->prev = e->prev;
	else
		st->newest = e->prev;
	st->n_live--;
	free(elem_start(e));
}

static int
ops_alloc(struct rte_mempool *mp)
{
	return 0;
}

static void
ops_free(struct rte_mempool *mp)
{
}

/* What DPDK promises about an mbuf in a pool, and release builds never check. */
static int
ops_enqueue(struct rte_mempool *mp, void *const *objs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct rte_mbuf *m = objs[i];

		CHECK(rte_mbuf_refcnt_read(m) == 1);
		CHECK(m->next == NULL);
		CHECK(m->nb_segs == 1);
		CHECK(RTE_MBUF_DIRECT(m));
		elem_destroy(mp, objs[i]);
	}
	return 0;
}

static bool
is_refused(struct pool_state *st, unsigned int n)
{
	if (st->fail_every != 0 && ++st->n_requests % st->fail_every == 0)
		return true;
	if (st->fail_after == TEST_POOL_NEVER)
		return false;
	if (n > st->fail_after)
		return true;
	st->fail_after -= n;
	return false;
}

static int
ops_dequeue(struct rte_mempool *mp, void **objs, unsigned int n)
{
	struct pool_state *st = state_of(mp);

	if (is_refused(st, n))
		return -ENOBUFS;
	for (unsigned int i = 0; i < n; i++) {
		objs[i] = elem_create(mp);
		CHECK(objs[i] != NULL);
	}
	st->n_allocs += n;
	return 0;
}

static unsigned int
ops_get_count(const struct rte_mempool *mp)
{
	const struct pool_state *st = state_of(mp);

	return min_u32(mp->size - st->n_live, st->fail_after);
}

static const struct rte_mempool_ops pool_ops = {
		.name = OPS_NAME,
		.alloc = ops_alloc,
		.free = ops_free,
		.enqueue = ops_enqueue,
		.dequeue = ops_dequeue,
		.get_count = ops_get_count,
};
RTE_MEMPOOL_REGISTER_OPS(pool_ops)

struct rte_mempool *
test_pool_create(uint32_t data_room)
{
	struct pool *p = NULL;

	CHECK(data_room >= RTE_PKTMBUF_HEADROOM);
	CHECK(data_room <= UINT16_MAX);
	CHECK(posix_memalign((void **)&p, RTE_CACHE_LINE_SIZE, sizeof(*p)) == 0);
	memset(p, 0, sizeof(*p));
	snprintf(p->mp.name, sizeof(p->mp.name), "test_pool");
	p->mp.pool_data = &p->state;
	p->mp.size = POOL_SIZE;
	p->mp.populated_size = POOL_SIZE;
	p->mp.elt_size = sizeof(struct rte_mbuf) + data_room;
	p->mp.header_size = sizeof(struct rte_mempool_objhdr);
	p->mp.private_data_size = sizeof(p->priv);
	p->mp.socket_id = SOCKET_ID_ANY;
	STAILQ_INIT(&p->mp.elt_list);
	STAILQ_INIT(&p->mp.mem_list);
	CHECK(rte_mempool_set_ops_byname(&p->mp, OPS_NAME, NULL) == 0);
	p->priv.mbuf_data_room_size = (uint16_t)data_room;
	p->state.fail_after = TEST_POOL_NEVER;
	return &p->mp;
}

void
test_pool_destroy(struct rte_mempool *pool)
{
	const struct pool_state *st;

	if (pool == NULL)
		return;
	st = state_of(pool);
	if (st->n_live != 0) {
		fprintf(stderr, "test_pool: %u mbufs leaked; the oldest:\n", st->n_live);
		if (__asan_describe_address != NULL)
			__asan_describe_address(st->oldest + 1);
	}
	CHECK(st->n_live == 0);
	free(pool);
}

uint32_t
test_pool_live(const struct rte_mempool *pool)
{
	return state_of(pool)->n_live;
}

uint64_t
test_pool_allocs(const struct rte_mempool *pool)
{
	return state_of(pool)->n_allocs;
}

void
test_pool_fail_after(struct rte_mempool *pool, uint32_t n)
{
	state_of(pool)->fail_after = n;
}

void
test_pool_fail_every(struct rte_mempool *pool, uint32_t k)
{
	state_of(pool)->fail_every = k;
	state_of(pool)->n_requests = 0;
}
