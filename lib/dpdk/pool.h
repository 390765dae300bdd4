/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Packet buffers in huge pages, also where none were set aside.
 *
 * Under --no-huge EAL maps shared memory, which gets no transparent huge pages, and a
 * mempool then lays no object across the edge of a 4 KiB page: one buffer takes a page of its
 * own, and the headers of all buffers compete for the same few sets of the caches. Nobody
 * reads such memory by DMA, so it can be ordinary memory instead, asked for as that of contexts
 * is, with the buffers close together. */

#ifndef PMTCP_DPDK_POOL_H
#define PMTCP_DPDK_POOL_H

#include <stdint.h>

#include <rte_mempool.h>

struct pool_conf {
	const char *name;
	uint32_t bufs;
	uint32_t cache; /* buffers in the cache of each lcore */
	uint16_t room;  /* octets of each, head room included */
	int socket;     /* NUMA node or SOCKET_ID_ANY */
};

/* A pool of packet buffers, ended by rte_mempool_free(). EAL's own kind of memory where that
 * has huge pages. NULL with rte_errno set. */
struct rte_mempool *pool_create(const struct pool_conf *conf);

#endif /* PMTCP_DPDK_POOL_H */
