/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See pool.h. */

#include "dpdk/pool.h"

#include <errno.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#include "base/base.h"
#include "dpdk/mem.h"

static void
give_back(struct rte_mempool_memhdr *chunk, void *opaque)
{
	struct mem mem = {.base = chunk->addr, .len = (size_t)(uintptr_t)opaque};

	mem_unmap(&mem);
}

/* Gives the pool its memory; the addresses serve as such for those that ask for them. */
static int
populate(struct rte_mempool *mp, const struct pool_conf *conf)
{
	size_t each = (size_t)mp->header_size + mp->elt_size + mp->trailer_size;
	struct mem mem;
	int n = mem_map(each * conf->bufs + PMTCP_CACHE_LINE, conf->socket, &mem);

	if (n != 0)
		return n;
	n = rte_mempool_populate_iova(mp, mem.base, (rte_iova_t)(uintptr_t)mem.base, mem.len,
			give_back, (void *)(uintptr_t)mem.len);
	if (n <= 0)
		mem_unmap(&mem);
	return n < 0 ? n : n < (int)conf->bufs ? -ENOMEM : 0;
}

static struct rte_mempool *
create_plain(const struct pool_conf *conf)
{
	struct rte_pktmbuf_pool_private priv = {.mbuf_data_room_size = conf->room};
	struct rte_mempool *mp = rte_mempool_create_empty(conf->name, conf->bufs,
			(unsigned int)sizeof(struct rte_mbuf) + conf->room, conf->cache,
			sizeof(priv), conf->socket, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	int rc;

	if (mp == NULL)
		return NULL;
	rc = rte_mempool_set_ops_byname(mp, rte_mbuf_best_mempool_ops(), NULL);
	rte_pktmbuf_pool_init(mp, &priv);
	if (rc == 0)
		rc = populate(mp, conf);
	if (rc != 0) {
		rte_mempool_free(mp);
		rte_errno = -rc;
		return NULL;
	}
	rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	return mp;
}

struct rte_mempool *
pool_create(const struct pool_conf *conf)
{
	if (!rte_eal_has_hugepages() && rte_eal_iova_mode() == RTE_IOVA_VA)
		return create_plain(conf);
	return rte_pktmbuf_pool_create(
			conf->name, conf->bufs, conf->cache, 0, conf->room, conf->socket);
}
